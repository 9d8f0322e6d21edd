"""The laws of an autodiff engine, kept or broken by any class that behaves like `Value`.

An engine is a class that is made of a number and has `data`, `grad` and `backward()`. Whatever else
a law's program uses, an operator or a method, the class may leave out: then it is not asked to run
that program. `python -m microgrid.testing.conformance student:Value` prints a report. In pytest
each law is a test:

    @pytest.mark.parametrize("law", conformance.LAWS, ids=str)
    def test_law(law):
        law.check(Value)

A class that is being written is held against the eight stages of `STAGES` by `check_stage`, or by
`python -m microgrid.testing.conformance --stage 4 student:Value`: what holds, what to write next,
and for what is wrong the smallest program and a hint. `--json FOLDER` grades a folder of files.
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
