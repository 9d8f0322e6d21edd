"""Errors of operations: Python's own, with the operation and its operands in the message.

`1 / x` at 0 raises `ZeroDivisionError` as it does for floats: the very same type, so that whatever
expects it of a float expects it here. But the library must tell such an error from one that the
user's own code raises, and its first line from the advice below. So it is the message that differs:
a string that knows its parts, and goes wherever the error goes, through a pickle too.
"""

from __future__ import annotations

from typing import Self

__all__ = ["FailureMessage", "failure_of", "operation_error"]

KINDS = (ZeroDivisionError, OverflowError, FloatingPointError, ArithmeticError, ValueError)


class FailureMessage(str):
    """The message of an operation, or of its derivative, that does not exist at its operands.

    `finding` is its first line, `advice` the lines that say what to do.

    >>> FailureMessage("log of -1.0: math domain error", "write log(where(x > 0, x, 1))").finding
    'log of -1.0: math domain error'
    """

    finding: str
    advice: str

    def __new__(cls, finding: str, advice: str = "") -> Self:  # noqa: D102 (a dunder too)
        failure = super().__new__(cls, f"{finding}\n  {advice}" if advice else finding)
        failure.finding, failure.advice = finding, advice
        return failure

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # two, not one
        return self.finding, self.advice


def operation_error(kind: type[Exception], finding: str, advice: str = "") -> Exception:
    """Return an operation's error, of the built-in type that `kind` is or is derived from.

    >>> operation_error(UnicodeError, "log of -1.0: math domain error")
    ValueError('log of -1.0: math domain error')
    """
    builtin = next(builtin for builtin in KINDS if issubclass(kind, builtin))
    return builtin(FailureMessage(finding, advice))


def failure_of(error: BaseException) -> FailureMessage | None:
    """Return what an error says if an operation raised it, None if anything else did.

    >>> failure_of(operation_error(ValueError, "log of -1.0")), failure_of(ValueError("wrong"))
    ('log of -1.0', None)
    """
    return next((part for part in error.args if isinstance(part, FailureMessage)), None)
