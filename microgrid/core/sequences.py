"""Rows, and the numbers in a row, as users pass them: made lists, with entries by position.

Lists, arrays, columns, frames and tensors of any library are taken, and none of these libraries is
imported or named. Each is known by a method that its type has, such as `iter_rows` or `tolist`, and
that method gives the list. What has no order (a set, a dict) or is a single number is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set, Sized
from numbers import Integral, Real
from types import GeneratorType
from typing import Any, TypeGuard

from ..guards.checks import is_bool, is_masked, is_of_dates, is_real, quote
from .array_rules import OF_ARRAYS, array_rules, as_array, is_array, way_of, why_lost
from .primitive import Operand, why_single

__all__ = [
    "as_list", "as_lists", "entries", "instead_of", "is_missing", "is_number",
    "is_ordered", "is_sequence", "names_of_columns", "require_all_numbers", "require_one_length",
    "single",
]  # fmt: skip

# How a frame of polars and one of pandas gives its rows; by iteration they would give columns.
BY_ROWS: dict[str, dict[str, Any]] = {"iter_rows": {}, "itertuples": {"index": False, "name": None}}
# How arrays, columns and tensors give Python's numbers by position, whatever their index: those of
# NumPy, pandas, PyTorch and Python; of polars; SciPy's sparse ones; all that NumPy understands.
BY_POSITION = ("tolist", "to_list", "toarray", "__array__", "to_numpy")
PLAIN = (list, tuple, range, GeneratorType, map, zip)  # Python's own, which need no second look
MISSING = ("NAType", "NaTType")  # pandas' own, which are of no abstract class


def as_list(data: Any, need: str) -> list[Any]:
    """Return the entries of data by position, as a list; the entries of a frame are its rows.

    Data may be a list, an array, a column or a frame, a tensor, or anything else that has an order;
    an iterator is read to its end. `need` says what the data must be, and begins the error.

    Raises:
        TypeError: data is text, a set, a dict or a single number, or is not computed yet.

    >>> as_list(iter("ab"), "`y` must be a list"), as_list(range(3), "`y` must be a list")
    (['a', 'b'], [0, 1, 2])
    """
    if type(data) in PLAIN:
        return list(data)
    why = _why_not(data)
    if why is not None:
        raise TypeError(f"{need}, got {quote(data)}{why}")
    if is_of_dates(data):  # of which NumPy's `tolist` makes plain ints
        return [as_list(x, need) if is_array(x) else x for x in data]
    try:
        if way := way_of(data, BY_ROWS):
            return [list(row) for row in getattr(data, way)(**BY_ROWS[way])]
        if way := way_of(data, BY_POSITION):
            found = getattr(data, way)()
            return found if isinstance(found, list) else as_list(found, need)
        if way_of(data, OF_ARRAYS):
            return as_list(array_rules().as_numpy(data), need)
    except Exception as error:  # a tensor that is elsewhere, or has no numbers
        name = type(data).__name__
        raise TypeError(f"{need}, got a {name} that cannot be read: {error}") from error
    return list(data) if way_of(data, ["__iter__"]) else [data[i] for i in range(len(data))]


def entries(data: object, need: str) -> list[Any]:
    """Return the entries of data as `as_list` does, with `single` of each.

    >>> import numpy as np
    >>> entries([np.array(1.5), "a"], "`y` must be a list")
    [1.5, 'a']
    """
    return [*map(single, as_list(data, need))]


def names_of_columns(data: object) -> list[Any]:
    """Return the names of a frame's columns; [] of other data."""
    # as pandas and Polars call them, and as Arrow does
    way = "columns" if way_of(data, BY_ROWS) else way_of(data, ["column_names"])
    return as_list(getattr(data, way), "it must be a list") if way else []


def is_ordered(x: object) -> bool:
    """Return whether x has entries in an order, as an iterator has: whether `as_list` takes it.

    >>> is_ordered(iter([1.0])), is_ordered({1.0}), is_ordered("1.0"), is_ordered(1.0)
    (True, False, False, False)
    """
    return type(x) in PLAIN or _why_not(x) is None


def is_sequence(x: object) -> TypeGuard[Sequence[Any]]:
    """Return whether x has a length too.

    >>> is_sequence([1.0]), is_sequence(iter([1.0]))
    (True, False)
    """
    try:
        return is_ordered(x) and isinstance(x, Sized) and len(x) >= 0
    except TypeError:  # a sparse matrix has a `__len__` that raises
        return False


def _why_not(x: object) -> str | None:
    """Return what an error adds if x has no entries in an order; None if it has."""
    if isinstance(x, Mapping):
        if any(isinstance(name, str) and is_sequence(column) for name, column in x.items()):
            return "; for the rows of a dict of columns write list(zip(*columns.values()))"
        return "; for its values write list(x.values())" if len(x) else ""
    if isinstance(x, Set) and not hasattr(type(x), "__reversed__"):  # as a dict's keys have
        return "; a set has no order"
    if isinstance(x, (str, bytes, bytearray)):
        return ""
    if why := why_lost(x):
        return why
    if isinstance(x, Operand) or getattr(x, "ndim", 1) == 0:
        return why_single(x)
    if way_of(x, ("__iter__", *BY_ROWS, *BY_POSITION, *OF_ARRAYS)):
        return None
    return None if way_of(x, ["__getitem__"]) and way_of(x, ["__len__"]) else ""


def as_lists(name: str, data: object, other: str, others: object) -> tuple[list[Any], list[Any]]:
    """Return two lists with an entry for each row.

    Raises:
        TypeError: one of them has no entries in an order.
        ValueError: they are not of one length.

    >>> as_lists("X", iter("ab"), "y", (0, 1))
    (['a', 'b'], [0, 1])
    """
    need = "must be a list or an array, with an entry for each row"
    pair = as_list(data, f"`{name}` {need}"), as_list(others, f"`{other}` {need}")
    require_one_length(name, pair[0], other, pair[1])
    return pair


def require_one_length(name: str, data: Sized, other: str, others: Sized) -> None:
    """Raise `ValueError` unless two lists have as many entries."""
    if len(data) != len(others):
        raise ValueError(
            f"`{name}` and `{other}` must be of one length, got {len(data)} and {len(others)}"
        )


def is_number(x: object) -> bool:
    """Return whether x is a single real number, plain or a `Value`.

    >>> is_number(1), is_number(True), is_number("1"), is_number([1.0])
    (True, True, False, False)
    """
    return isinstance(x, Operand) or is_real(x) or is_bool(x)


def require_all_numbers(
    place: str, xs: Iterable[object], instead_of_lists: str = "", or_arrays: bool = False
) -> None:
    """Raise `TypeError` unless every entry is a number or a `Value`.

    `place` names an entry, with {} for its position. With `or_arrays` NumPy's arrays may be entries
    too, except for those with a mask, which have no number in some places.

    >>> require_all_numbers("entry {}", [1.0, "2"])
    Traceback (most recent call last):
    TypeError: entry 1 must be a real number, got '2' (str)
    """
    for i, x in enumerate(xs):
        is_right = is_number(x) or (or_arrays and is_array(x) and not hasattr(x, "mask"))
        if not is_right:
            raise TypeError(
                f"{place.format(i)} must be a real number, got {quote(x)} "
                f"({type(x).__name__}){instead_of_lists * is_ordered(x)}"
            )


def single(x: object) -> Any:
    """Return the number in an array or a tensor without dimensions; anything else as it is.

    >>> import numpy as np
    >>> single(np.array(1.5)), single("1.5"), single(np.ma.masked)
    (1.5, '1.5', masked)
    """
    if isinstance(x, (float, int, Operand)):
        return x
    if getattr(x, "ndim", None) != 0 or not way_of(x, ("item", *OF_ARRAYS)):
        return x
    is_none = is_missing(x) or is_of_dates(x) or getattr(x, "requires_grad", False)
    return x if is_none else as_array(x, "a number must be one that can be read").item()


def is_missing(x: object) -> bool:
    """Return whether x stands for a missing number: None, pandas' NA, NumPy's masked."""
    return x is None or type(x).__name__ in MISSING or is_masked(x)


def instead_of(target: object) -> str:
    """Return what to write for a target that is not the index of a class; "" if that is not clear.

    >>> instead_of([0, 1, 0]), instead_of(2.0)
    ('; for zeros and a one write y.index(1)', '; write int(y)')
    """
    if isinstance(target, str):
        return "; number the classes: classes.index(y)"
    if isinstance(target, Real) and is_number(target):
        return "; write int(y)" if target % 1 == 0 and not isinstance(target, Integral) else ""
    if not is_sequence(target):
        return ""
    if len(target) == 1:
        return "; for targets in a column write numpy.ravel(y), or [t for [t] in y]"
    return "; for zeros and a one write y.index(1)"
