"""Rows and targets as users have them, checked and made lists of plain numbers.

Every error names the row and the column, before any training begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

from .checks import shown
from .engine import Value

__all__ = ["examples"]


def examples(X: Iterable[Any], y: Iterable[Any], name: str = "") -> tuple[list[Any], list[Any]]:
    """Return the rows of X as lists of floats, and the targets: each a number or a list of them.

    X and y are lists, arrays, data frames or other iterables; whole numbers in y stay ints. `name`
    goes before "X" and "y" in errors.

    Raises:
        ValueError: there are no rows, they differ in width or are not as many as the targets, or a
            number is missing or not finite.
        TypeError: something is not a plain number.

    >>> examples([(1, 2)], [1])
    ([[1.0, 2.0]], [1])
    """
    rows, targets = _rows(f"{name}X", X), _targets(f"{name}y", y)
    if not rows:
        raise ValueError(f"`{name}X` must have at least one row, got none")
    if len(rows) != len(targets):
        raise ValueError(
            f"`{name}X` and `{name}y` must be of one length, got {len(rows)} and {len(targets)}"
        )
    return rows, targets


def _rows(name: str, X: Iterable[Any]) -> list[list[float]]:
    rows: list[list[float]] = []
    for i, row in enumerate(_iterated(name, X)):
        if isinstance(row, (str, bytes, Mapping)) or not isinstance(row, Iterable):
            raise TypeError(
                f"row {i} of `{name}` must be a sequence of numbers, got {shown(row)}"
                + ("; for one input to a row write [[x] for x in X]" * isinstance(row, Real))
            )
        place = f"row {i}, column {{}} of `{name}`"
        rows.append([float(_finite(place.format(j), x)) for j, x in enumerate(row)])
        if not rows[0]:
            raise ValueError(f"row {i} of `{name}` must have at least one column, got none")
        if len(rows[i]) != len(rows[0]):
            raise ValueError(
                f"row {i} of `{name}` must have {len(rows[0])} columns, as the rows before it, "
                f"got {len(rows[i])}"
            )
    return rows


def _targets(name: str, y: Iterable[Any]) -> list[Any]:
    targets: list[Any] = []
    for i, target in enumerate(_iterated(name, y)):
        if isinstance(target, Iterable) and not isinstance(target, (str, bytes, Mapping)):
            place = f"row {i}, column {{}} of `{name}`"
            targets.append([_finite(place.format(j), x) for j, x in enumerate(target)])
        else:
            targets.append(_finite(f"row {i} of `{name}`", target))
    return targets


def _iterated(name: str, data: Any) -> Iterator[Any]:
    if hasattr(data, "to_numpy"):  # a pandas frame, which would iterate over its columns' names
        data = data.to_numpy()
    try:
        if isinstance(data, (str, bytes, Mapping)):
            raise TypeError
        items: Iterator[Any] = iter(data)
    except TypeError:
        raise TypeError(f"`{name}` must be a sequence, got {shown(data)}") from None
    return items


def _finite(place: str, x: Any) -> float:
    if getattr(x, "mask", False):  # NumPy's masked, which is missing
        x = None
    elif hasattr(x, "item") and not isinstance(x, Value) and not getattr(x, "ndim", 0):
        x = x.item()  # a NumPy scalar
    if x is not None and not isinstance(x, Real):
        raise TypeError(
            f"{place} must be a plain number, got {shown(x)} ({type(x).__name__})"
            + "; number the classes: [classes.index(label) for label in y]" * isinstance(x, str)
        )
    try:
        finite = x is not None and math.isfinite(x)
    except OverflowError:  # an int beyond the greatest float
        finite = False
    if x is None or not finite:
        raise ValueError(
            f"{place} must be a finite number, got {shown(x)}; drop or fill what is missing"
        )
    return int(x) if isinstance(x, Integral) else float(x)
