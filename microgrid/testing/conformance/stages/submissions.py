"""The submissions of a class: each file graded in a process of its own, many side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ....guards.interrupts import kill_group

__all__ = ["MODULE", "Limits", "Submission", "grade", "limit_memory", "table"]

MODULE = "microgrid.testing.conformance"  # the one that runs the command line
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds, and mebibytes of memory."""

    seconds: float = 60.0
    mebibytes: int = 1024


@dataclass(frozen=True)
class Submission:
    """A file and the report on its class as JSON has it, or what became of the process instead."""

    file: str
    report: dict[str, object] | None
    problem: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the submission in dicts, lists, numbers and texts."""
        return {"file": self.file, "problem": self.problem, **(self.report or {})}


def grade(
    folder: Path, name: str, stage: int, limits: Limits, workers: int | None = None
) -> Iterator[Submission]:
    """Yield the verdict on each program of a folder, in the order of their names.

    Each is run in a process of its own, as many side by side as there are processors. A process
    that takes too long is ended, with all that it has started.

    Raises:
        ValueError: the folder has no programs.
    """
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    if not files:
        raise ValueError(f"a folder of submissions needs files such as ada.py, got {folder}")
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(lambda file: _grade(file, name, stage, limits), files)


def _grade(file: Path, name: str, stage: int, limits: Limits) -> Submission:
    command = [sys.executable, "-m", MODULE, "--stage", str(stage), "--json"]
    command += ["--megabytes", str(limits.mebibytes), f"{file.resolve()}:{name}"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # a program that asks for input is told that there is none
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    ) as process:
        try:
            printed, complaint = process.communicate(timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            return Submission(file.name, None, f"no end within {limits.seconds:g} seconds")
        finally:
            _end(process)
    return _read(file.name, printed, complaint, process.returncode)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and what it has started, which may have outlived it."""
    try:
        if hasattr(os, "killpg"):
            kill_group(process.pid)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        pass


def _read(file: str, printed: str, complaint: str, code: int) -> Submission:
    try:
        report = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):  # it did not live to say anything
        said = [line for line in complaint.splitlines() if line.strip()]
        return Submission(file, None, said[-1] if said else f"exit code {code}")
    if problem := report.get("problem"):
        return Submission(file, None, problem)
    return Submission(file, report)


@contextmanager
def limit_memory(mebibytes: int) -> Iterator[None]:
    """Let this process have so much memory and no more, where the system can do that.

    The limit ends with the block, so that there is memory to say that it was reached.
    """
    try:
        import resource
    except ImportError:  # as on Windows
        yield
        return
    size = mebibytes * MEBIBYTE
    before = resource.getrlimit(resource.RLIMIT_AS)
    _, hard = before
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def table(submissions: Sequence[Submission], stage: int) -> str:
    """Return a table: a line for each submission, with a mark for each stage.

    >>> print(table([Submission("ada.py", None, "no end within 60 seconds")], 3))
    submission  1 2 3  points  what is next
    ada.py      . . .       –  no end within 60 seconds
    """
    wide = max([len("submission"), *[len(each.file) for each in submissions]])
    stages = " ".join(map(str, range(1, stage + 1)))
    lines = [f"{'submission':<{wide}}  {stages}  points  what is next"]
    for each in submissions:
        marks, points, remark = _row(each, stage)
        lines.append(f"{each.file:<{wide}}  {marks}  {points:>6}  {remark}".rstrip())
    return "\n".join(lines)


def _row(submission: Submission, stage: int) -> tuple[str, str, str]:
    report = submission.report
    if report is None:
        return " ".join("." * stage), "–", submission.problem
    passed, stages = report["passed"], report["stages"]
    assert isinstance(passed, list)
    assert isinstance(stages, list)
    marks = " ".join("x" if number in passed else "." for number in range(1, stage + 1))
    missing = [name for each in stages for name in each["missing"]]
    wrong = [name for each in stages for name in each["wrong"]]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    remark = f"wrong: {wrong[0]}{more}" if wrong else f"to write: {missing[0]}" if missing else ""
    return marks, f"{report['score']}/{report['total']}", remark
