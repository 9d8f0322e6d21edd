"""Rows and targets as users have them, checked and made lists of plain numbers.

Every error names the row and the column, before any training begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from ..core.array_rules import is_array
from ..core.primitive import Operand
from ..core.sequences import (
    as_list,
    is_missing,
    is_ordered,
    names_of_columns,
    require_one_length,
    single,
)
from ..guards.checks import is_finite, is_of_dates, is_real, quote

__all__ = [
    "Examples", "Row", "Target", "examples", "require_numbers", "rows_of_numbers",
    "targets_of_numbers", "validation_examples",
]  # fmt: skip

Row = list[float]
Target = float | list[float]

LARGEST = 2**63  # of the ints that are known to be finite as floats without a further look


class Examples(NamedTuple):
    """Rows of one width, and as many targets, each a number or a list of them."""

    rows: list[Row]
    targets: list[Target]

    def at(self, places: Iterable[int]) -> Examples:
        """Return those that stand in these places, in this order."""
        chosen = list(places)
        return Examples([self.rows[i] for i in chosen], [self.targets[i] for i in chosen])


def examples(X: Iterable[object], y: Iterable[object], name: str = "") -> Examples:
    """Return the rows of X as lists of floats, and the targets: each a number or a list of them.

    X and y are lists, arrays, data frames, tensors or other iterables, and go by position; whole
    numbers in y stay ints. `name` goes before "X" and "y" in errors.

    Raises:
        ValueError: there are no rows, or not as many as targets, or they differ in width, or a
            number is missing or not finite.
        TypeError: something is not a plain number, or has no order.

    >>> examples([(1, 2)], [1])
    Examples(rows=[[1.0, 2.0]], targets=[1])
    """
    rows, targets = rows_of_numbers(f"{name}X", X), targets_of_numbers(f"{name}y", y)
    require_one_length(f"{name}X", rows, f"{name}y", targets)
    return Examples(rows, targets)


def validation_examples(validation: object, width: int) -> Examples | None:
    """Return the pair `validation` as examples of the training's width; None stays None.

    Raises:
        ValueError, TypeError: as `examples` does, or `validation` is not a pair of the same width.

    >>> validation_examples(([[3]], [0]), width=1)
    Examples(rows=[[3.0]], targets=[0])
    """
    if validation is None:
        return None
    if not isinstance(validation, (list, tuple)) or len(validation) != 2:
        raise TypeError(f"`validation` must be a pair (X, y), got {quote(validation)}")
    X, y = validation
    held_out = examples(X, y, name="validation ")
    if len(held_out.rows[0]) != width:
        raise ValueError(
            f"`validation X` must have the {width} columns of `X`, got {len(held_out.rows[0])}"
        )
    return held_out


def rows_of_numbers(name: str, X: Iterable[object]) -> list[Row]:
    """Return rows as lists of floats, all of one width; raises as `examples` does."""
    if (at_once := _rows_of_array(X)) is not None:
        return at_once
    cells = _Cells(name, X, "leave the column out, or number its values")
    rows: list[Row] = []
    for i, row in enumerate(as_list(X, f"`{name}` must be a list or an array of rows")):
        if is_real(row):
            raise TypeError(
                f"row {i} of `{name}` must be a list of numbers, got {quote(row)}; for one input "
                f"to a row write [[x] for x in {name}]"
            )
        entries = as_list(row, f"row {i} of `{name}` must be a list of numbers")
        one_by_one = (float(cells.number(x, i, j)) for j, x in enumerate(entries))
        rows.append(_floats_at_once(entries) or list(one_by_one))
        if not entries:
            raise ValueError(f"row {i} of `{name}` must have at least one column, got none")
        width = len(rows[0])
        if len(entries) != width:
            raise ValueError(
                f"row {i} of `{name}` must have {width} column{'s' * (width > 1)}, as the rows "
                f"before it, got {len(entries)}"
            )
    if not rows:
        raise ValueError(f"`{name}` must have at least one row, got none")
    return rows


def _rows_of_array(X: object) -> list[Row] | None:
    """Return the rows of an array of finite numbers; None of anything else, which needs a look."""
    if not is_array(X) or hasattr(X, "mask") or X.ndim != 2 or not X.size:
        return None
    if X.dtype.kind not in "fiu" or X.dtype.itemsize > 8:
        return None
    rows: list[Row] = X.astype(float).tolist()
    return rows if math.isfinite(sum(map(sum, rows))) else None  # as no sum with inf or nan is


def _floats_at_once(numbers: list[Any]) -> list[float] | None:
    """Return finite floats and ints as floats; None of anything else, which needs a look."""
    if not {float, int}.issuperset(map(type, numbers)):
        return None
    try:
        floats = list(map(float, numbers))
    except OverflowError:
        return None
    return floats if math.isfinite(sum(floats)) else None


def targets_of_numbers(name: str, y: Iterable[object]) -> list[Target]:
    """Return targets, each as a number or a list of them; raises as `examples` does."""
    cells = _Cells(name, y, "number the classes: y, classes = datasets.encode(y)")
    targets: list[Target] = []
    for i, target in enumerate(as_list(y, f"`{name}` must be a list or an array of targets")):
        if type(target) not in (int, float) and is_ordered(target):
            entries = as_list(target, f"row {i} of `{name}` must be a number or a list of them")
            targets.append([cells.number(x, i, j) for j, x in enumerate(entries)])
        else:
            targets.append(cells.number(target, i))
    return targets


def require_numbers(name: str, columns: Sequence[object], rows: Iterable[object], at: int) -> None:
    """Raise the error for the first entry of some rows that is not a finite number.

    `columns` are their names, if they have any, and `at` says how many rows come before them.
    """
    cells = _Cells(name, None, "leave the column out, or number its values")
    cells.columns = list(columns)
    for i, row in enumerate(rows, start=at):
        for j, x in enumerate(row if isinstance(row, list) else [row]):
            cells.number(x, i, j if isinstance(row, list) else None)


class _Cells:
    """Reads the numbers in rows of data; names the place of anything else."""

    def __init__(self, name: str, data: object, instead_of_text: str) -> None:
        self.name, self.instead_of_text = name, instead_of_text
        self.columns = names_of_columns(data)

    def number(self, x: Any, row: int, column: int | None = None) -> float:
        """Return the number in a row, or in one of its columns, as an int or a float."""
        kind = type(x)
        if (kind is float and x - x == 0) or (kind is int and -LARGEST <= x <= LARGEST):
            return x  # type: ignore[no-any-return]
        x = single(x)
        if is_missing(x) or (is_real(x) and not is_finite(x)):
            advice = "; drop or fill what is missing" * bool(is_missing(x) or x != x)
            place = self._place(row, column)
            raise ValueError(f"{place} must be a finite number, got {quote(x)}{advice}")
        if not is_real(x):
            raise TypeError(
                f"{self._place(row, column)} must be a plain number, got {quote(x)} "
                f"({type(x).__name__}){self._instead_of(x)}"
            )
        return int(x) if isinstance(x, Integral) else float(x)

    def _place(self, row: int, column: int | None) -> str:
        if column is None:
            return f"row {row} of `{self.name}`"
        called = f" ({self.columns[column]!r})" if column < len(self.columns) else ""
        return f"row {row}, column {column}{called} of `{self.name}`"

    def _instead_of(self, x: Any) -> str:
        """Return what to write instead of x, or "" where that is not clear."""
        if isinstance(x, Operand):
            return "; write x.data"
        if is_of_dates(x):
            return ""
        for kind in (int, float) if isinstance(x, str) else (float,):
            try:
                kind(x)
            except Exception:  # which may be of any type
                continue
            return f"; write {kind.__name__}(x)"
        return f"; {self.instead_of_text}" * isinstance(x, str)
