"""The command line: grade a class, or a folder of them, and print the report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ....guards.commands import Parser, exit_code, silent_stdout
from ..report import Report, check
from .grading import StageReport, check_stage
from .loading import load
from .submissions import MODULE, Limits, grade, limit_memory, table
from .tasks import STAGES

__all__ = ["main"]

PROGRAM = f"python -m {MODULE}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: print the report on a class; return 1 if anything is wrong, else 0.

    With `--stage N` the class may be half written, and is asked for the stages up to N. In place of
    a class, a folder holds submissions, each a file: a table of them is printed at the end.
    `--json` prints a line of JSON for each, with the problem if it could not be graded; then the
    table goes to stderr.

    >>> main(["micrograd"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    return exit_code(PROGRAM, lambda: _report(arguments))


def _report(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if Path(options.engine).is_dir():
        return _report_on_folder(parser, options)
    try:
        report = _report_on_class(options)
    except (MemoryError, TypeError, ValueError) as error:
        problem = "out of memory" if isinstance(error, MemoryError) else str(error)
        if options.json:
            print(json.dumps({"problem": problem}, ensure_ascii=False))
        parser.error(problem)
    if options.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        print(report)
    return 1 if _is_wrong(report) else 0


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Say which laws of automatic differentiation a class keeps, and which not.",
    )
    parser.add_argument(
        "engine",
        metavar="MODULE:CLASS",
        help="as in student:Value, or student.py:Value; or a folder of such files",
    )
    parser.add_argument(
        "--stage",
        type=int,
        choices=range(1, len(STAGES) + 1),
        help="grade a class that is being written, up to this stage; a folder up to the last",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each class")
    parser.add_argument("--class", dest="name", default="Value", help="its name in the files")
    parser.add_argument("--seconds", type=float, default=60.0, help="the time that each may take")
    parser.add_argument("--megabytes", type=int, help="the memory that each may take")
    return parser


def _report_on_class(options: argparse.Namespace) -> Report | StageReport:
    with ExitStack() as limits:
        if options.json:
            limits.enter_context(silent_stdout())  # which is for the report
        if options.megabytes:
            limits.enter_context(limit_memory(options.megabytes))
        engine = load(options.engine)
        return check(engine) if options.stage is None else check_stage(options.stage, engine)


def _is_wrong(report: Report | StageReport) -> bool:
    return bool(report.failures) if isinstance(report, Report) else not report


def _report_on_folder(parser: Parser, options: argparse.Namespace) -> int:
    stage = options.stage or len(STAGES)
    limits = Limits(options.seconds, options.megabytes or Limits.mebibytes)
    found = []
    try:
        for each in grade(Path(options.engine), options.name, stage, limits):
            found.append(each)
            if options.json:
                print(json.dumps(each.as_dict(), ensure_ascii=False), flush=True)
    except ValueError as error:
        parser.error(str(error))
    print(table(found, stage), file=sys.stderr if options.json else sys.stdout)
    return 0
