"""The command line, which names a class and prints the report on it."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Sequence

from ...guards.commands import Parser, exit_code
from .cases import error_text
from .report import check

__all__ = ["main"]

PROGRAM = "python -m microgrid.testing.conformance"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: print the report on a class; return 1 if it breaks a law, else 0.

    >>> main(["micrograd"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    return exit_code(PROGRAM, lambda: _report(arguments))


def _report(arguments: Sequence[str] | None) -> int:
    parser = Parser(
        prog=PROGRAM,
        description="Say which laws of automatic differentiation a class keeps, and which not.",
    )
    parser.add_argument("engine", metavar="MODULE:CLASS", help="as in student:Value")
    text = parser.parse_args(arguments).engine
    module, _, name = text.partition(":")
    if not (module and name):
        parser.error(f"the class is named as MODULE:CLASS, as in student:Value, got {text!r}")
    try:
        engine = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # the module is someone's program: anything can go wrong in it
        parser.error(f"cannot load {text}: {error_text(error)}")
    try:
        report = check(engine)
    except TypeError as error:
        parser.error(str(error))
    print(report)
    return 1 if report.failures else 0
