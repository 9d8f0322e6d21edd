"""Real numbers: what a `Value` holds, and how the numbers that Python and NumPy have become one.

A `Value` holds a float, so that it computes as Python does. A `Fraction` stays one, and makes
values and derivatives exact: an int beside it becomes a `Fraction` too, and a result that Python
makes an int is turned back. Hints say `float` for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Rational
from typing import Protocol

from ..guards.checks import is_bool, is_real, quote

__all__ = ["Real", "as_constant", "number", "number_beside", "number_of_kind", "plain_numbers"]


class Real(Protocol):
    """A plain number of Python or NumPy: what makes a float, and has a hash, which no array has."""

    def __float__(self) -> float: ...

    def __hash__(self) -> int: ...


def number(x: object, need: str = "a Value holds a real number") -> float:
    """Return x as a float, a `Fraction` as it is; raise `TypeError` unless x is a real number.

    `need` begins the error.

    >>> number(True), number(1 / 3)
    (1.0, 0.3333333333333333)
    """
    try:
        if isinstance(x, (float, int)):
            return float(x)
        if isinstance(x, Rational) and not isinstance(x, Integral):
            return x  # type: ignore[return-value]  # hints call it a float
        if is_real(x) or is_bool(x):
            return float(x)
    except OverflowError:
        raise OverflowError(f"{need} that a float can hold, got {quote(x)}") from None
    raise TypeError(f"{need}, got {quote(x)} ({type(x).__name__})")


def number_beside(x: object, kind: type[float]) -> float:
    """Return a plain number to compute with beside others of a kind: an int stays exact."""
    if kind is not float and isinstance(x, (int, Integral)):
        return kind(x)
    return number(x, "an operand must be a real number")


def number_of_kind(
    x: object, kind: type[float], need: str = "an upstream gradient is a real number"
) -> float:
    """Return a number as a float or a `Fraction`, or raise an error if it cannot be one."""
    if type(x) is kind is float:
        return x
    try:
        return kind(number(x, need))
    except (OverflowError, ValueError):  # a Fraction beyond floats, or nan beside Fractions
        raise OverflowError(f"{need} that a {kind.__name__} can hold, got {quote(x)}") from None


def plain_numbers(operands: Sequence[object], need: str) -> tuple[float, ...]:
    """Return plain numbers as an operation takes them, which is as `Value`s would hold them."""
    numbers = tuple([number(x, need) for x in operands])
    kind = next((type(x) for x in numbers if type(x) is not float), float)
    return numbers if kind is float else tuple([number_beside(x, kind) for x in operands])


def as_constant(x: object, need: str = "a constant is a real number") -> float:
    """Return a constant of an operation, an int if it is whole: `x**2.0` is the node `x**2`."""
    if type(x) is int and -(2**53) < x < 2**53:
        return x
    exact = number(x, need)
    return int(exact) if exact % 1 == 0 and abs(exact) < 2**53 else exact
