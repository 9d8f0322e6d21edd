"""The laws of an autodiff engine, kept or broken by any class that behaves like `Value`.

An engine is a class that is made from a number and has `data`, `grad` and `backward()`. It may
leave out whatever else a law's program uses, an operator or a method: then it is not asked to run
that program. `python -m microgrid.testing.conformance student:Value` prints a report. In pytest
each law is a test:

    @pytest.mark.parametrize("law", conformance.LAWS, ids=str)
    def test_law(law):
        law.check(Value)

`check_stage` checks a class that is still being written against the eight stages of `STAGES`; so
does `python -m microgrid.testing.conformance --stage 4 student:Value`. They say what holds, what to
write next, and for each mistake the smallest program and a hint. `--json FOLDER` grades a folder of
files.
"""

from .cases import Case
from .laws import LAWS, MANNERS, Failure, Law
from .report import Report, check
from .stages.command import main
from .stages.grading import StageReport, Verdict, check_stage
from .stages.tasks import STAGES, Stage, Task

__all__ = [
    "LAWS",
    "MANNERS",
    "STAGES",
    "Case",
    "Failure",
    "Law",
    "Report",
    "Stage",
    "StageReport",
    "Task",
    "Verdict",
    "check",
    "check_stage",
    "main",
]
