"""The laws of an autodiff engine, kept or broken by any class that behaves like `Value`.

An engine is a class that is made of a number and has `data`, `grad` and `backward()`. Whatever else
a law's program uses, an operator or a method, the class may leave out: then it is not asked to run
that program. `python -m microgrid.testing.conformance student:Value` prints a report. In pytest
each law is a test:

    @pytest.mark.parametrize("law", conformance.LAWS, ids=str)
    def test_law(law):
        law.check(Value)
"""

from .cases import Case
from .command import main
from .laws import LAWS, MANNERS, Failure, Law
from .report import Report, check

__all__ = ["LAWS", "MANNERS", "Case", "Failure", "Law", "Report", "check", "main"]
