"""What is a number, and what a sequence of them: a list, a tuple or an array, nothing unordered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from numbers import Integral, Real
from typing import Any

from .checks import is_bool

__all__ = ["instead_of", "is_number", "is_ordered", "is_sequence"]


def is_sequence(x: Any) -> bool:
    """Return whether x has entries in an order, and is no text.

    >>> is_sequence([1.0]), is_sequence({1.0}), is_sequence("1.0"), is_sequence(1.0)
    (True, False, False, False)
    """
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and is_ordered(x)


def is_ordered(x: Any) -> bool:
    """Return whether x gives its entries in an order, as an iterator does too.

    >>> is_ordered(iter([1.0])), is_ordered({1.0})
    (True, False)
    """
    text_or_unordered = isinstance(x, (str, bytes, Mapping, Set))
    return isinstance(x, Iterable) and not text_or_unordered and getattr(x, "ndim", 1) > 0


def is_number(x: Any) -> bool:
    """Return whether x is a single real number, plain or a `Value`.

    >>> is_number(1), is_number(True), is_number("1"), is_number([1.0])
    (True, True, False, False)
    """
    return hasattr(x, "record") or isinstance(x, Real) or is_bool(x)


def instead_of(target: Any) -> str:
    """Return what to write for a target that is not the index of a class, "" if that is not clear.

    >>> instead_of([0, 1, 0]), instead_of(2.0)
    ('; of zeros and a one take y.index(1)', '; write int(y)')
    """
    if isinstance(target, str):
        return "; number the classes: classes.index(y)"
    if isinstance(target, Real):
        return "; write int(y)" if target % 1 == 0 and not isinstance(target, Integral) else ""
    if is_sequence(target) and len(target) == 1:
        return "; of targets in a column take y.ravel(), or [t for [t] in y]"
    return "; of zeros and a one take y.index(1)" if is_sequence(target) else ""
