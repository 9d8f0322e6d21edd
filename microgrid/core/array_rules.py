"""Arrays, seen from below: NumPy's, which are handed on to the rules of `arrays`, and others'.

`arrays` is made of the engine and so stands above it; yet an operator has to call it when its other
operand is an array. So the core says here what it asks of those rules, and the package, which knows
both, says where they are. They are loaded when the first array is met, and NumPy never for them: an
array can be there only if NumPy is.

Arrays, columns and frames of other libraries become NumPy's. None of these libraries is imported or
named: each is known by the methods that its type has. What is made of blocks, and computed
elsewhere, has rules of its own, which are found as those of arrays are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from numbers import Real
from typing import Any, Protocol, TypeAlias, TypeGuard, TypeVar

from ..guards.checks import quote

__all__ = [
    "OF_ARRAYS", "AnyArray", "ArrayRules", "ArrayType", "BlockRules", "Numeric", "apply_to_arrays",
    "array_rules", "as_array", "block_rules", "has_elements", "is_array", "is_frame_of_blocks",
    "is_of_blocks", "provide_array_rules", "provide_block_rules", "way_of", "why_lost",
]  # fmt: skip

OF_ARRAYS = ("__array__", "__dlpack__", "to_numpy")  # how arrays and frames become NumPy's
# How libraries lend each other memory that none of these shows to NumPy.
LENT = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
WAYS = (*OF_ARRAYS, *LENT, "collect")  # those with the last are not computed yet


class AnyArray(Protocol):
    """A NumPy array, as a type checker knows it without NumPy."""

    @property
    def ndim(self) -> int:
        """The number of dimensions."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the dimensions."""

    def __len__(self) -> int: ...


ArrayType = TypeVar("ArrayType", bound=AnyArray)
# What a formula is of: a number, exact or not, an operand, or an array of them. It is written once
# for all of them, with operators alone; a type checker knows no type that has them all.
Numeric: TypeAlias = Any


class ArrayRules(Protocol):
    """What an operation, or a function of NumPy's, is on arrays of operands."""

    @property
    def Array(self) -> type:
        """The type of the arrays that follow these rules."""

    def as_numpy(self, x: Any) -> Any:
        """Return an array of another library as NumPy's; NumPy's own, and its numbers, as it is."""

    def map_elements(self, op: Callable[..., object], operands: Sequence[object]) -> Numeric:
        """Apply an operation to each element of arrays, which broadcast."""

    def apply_named(self, ufunc: str, inputs: tuple[object, ...]) -> Numeric:
        """Do what the ufunc of that name does."""

    def apply_ufunc(
        self, ufunc: Any, method: str, inputs: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Numeric:
        """Do what NumPy asks for by `__array_ufunc__`."""

    def apply_function(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        """Do what NumPy asks for by `__array_function__`."""


_load: Callable[[], ArrayRules]


def provide_array_rules(load: Callable[[], ArrayRules]) -> None:
    """Say where the rules are: `load` is called once, when an array is first met."""
    global _load
    _load = cache(load)


def array_rules() -> ArrayRules:
    """Return the rules, loaded."""
    return _load()


def apply_to_arrays(op: Callable[..., object], operands: Sequence[object]) -> Numeric:
    """Apply an operation to each element of arrays, which broadcast."""
    need = "an operand must be a real number, or an array of them"
    return array_rules().map_elements(op, [as_array(x, need) for x in operands])


def is_array(x: object) -> TypeGuard[Any]:
    """Return whether x is a NumPy array, without loading NumPy.

    >>> import numpy as np
    >>> is_array(np.zeros(2)), is_array([0.0, 0.0])
    (True, False)
    """
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)


def has_elements(x: object) -> TypeGuard[Any]:
    """Return whether x is an array, a column or a frame, of NumPy or of another library.

    >>> import numpy as np
    >>> has_elements(np.zeros(2)), has_elements(np.float32(0.0)), has_elements([0.0, 0.0])
    (True, False, False)
    """
    if isinstance(x, (float, int)):  # as most are, and the question takes long
        return False
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(x, (numpy.ndarray, numpy.generic)):
        return isinstance(x, numpy.ndarray)
    return way_of(x, WAYS) is not None


def as_array(x: Any, need: str) -> Any:
    """Return an array, a column or a frame of any library as NumPy's array; all else as it is.

    `need` says what x must be, and begins the error.

    Raises:
        TypeError: it is not computed yet, remembers how it was computed, or cannot be read.

    >>> as_array([1.0], "it must be an array"), as_array(memoryview(b""), "it must be an array")
    ([1.0], <memory at ...>)
    """
    if is_array(x) or isinstance(x, Real) or not way_of(x, WAYS):
        return x
    if why := why_lost(x):
        raise TypeError(f"{need}, got {quote(x)}{why}")
    try:
        return array_rules().as_numpy(x)
    except Exception as error:  # it is elsewhere, or holds something else than numbers
        name = type(x).__name__
        raise TypeError(f"{need}, got a {name} that cannot be read: {error}") from error


def way_of(data: object, ways: Iterable[str]) -> str | None:
    """Return the first of some methods that the type of data has.

    The type is asked, as an instance may have a column of that name.

    >>> way_of([], ["tolist", "__iter__"])
    '__iter__'
    """
    own = [vars(kind) for kind in type(data).__mro__]  # not those of a metaclass, as an Enum's
    return next((way for way in ways if any(way in names for names in own)), None)


def why_lost(x: object) -> str:
    """Return what an error adds of what cannot be read without a loss, or not at all."""
    if way_of(x, ["collect"]):
        return "; it has no rows yet: write x.collect()"
    if getattr(x, "requires_grad", False):
        return "; its gradient would get lost here: write x.detach()"
    is_lent = way_of(x, LENT) and not way_of(x, OF_ARRAYS)
    return "; it gives NumPy no array: write pyarrow.table(x)" if is_lent else ""


class BlockRules(Protocol):
    """What is done with arrays and frames that are made of blocks, and not computed yet."""

    @property
    def call(self) -> Callable[..., object]:
        """What gives the result of a compiled function for arguments with such arrays among them.

        It takes the function, what takes a call of it apart, and the call's arguments.
        """

    @property
    def rows(self) -> Callable[[object, object], object]:
        """What makes, of rows X and targets y in blocks, what `fit` trains with."""


_load_for_blocks: Callable[[], BlockRules]


def provide_block_rules(load: Callable[[], BlockRules]) -> None:
    """Say where the rules for blocks are: `load` is called once, when the first are met."""
    global _load_for_blocks
    _load_for_blocks = cache(load)


def block_rules() -> BlockRules:
    """Return the rules for blocks, loaded."""
    return _load_for_blocks()


def is_of_blocks(x: object) -> bool:
    """Return whether x is an array or a frame by Dask's protocol, without loading Dask.

    >>> is_of_blocks([0.0, 0.0])
    False
    """
    kind = type(x)  # which is asked first, as an instance may answer to every name
    if not hasattr(kind, "__dask_graph__"):
        return False
    has_chunks = hasattr(kind, "chunks") and getattr(x, "chunks", None) is not None
    return has_chunks or is_frame_of_blocks(x)


def is_frame_of_blocks(x: object) -> bool:
    """Return whether x is a frame of Dask's, a column, or a number that is computed of one.

    >>> is_frame_of_blocks([0.0, 0.0])
    False
    """
    return hasattr(type(x), "to_dask_array")
