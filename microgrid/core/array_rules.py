"""NumPy's arrays, seen from below: known by their type, and handed on to the rules of `arrays`.

`arrays` is made of the engine and so stands above it; yet an operator has to call it when its other
operand is an array. So the core says here what it asks of those rules, and the package, which knows
both, says where they are. They are loaded when the first array is met, and NumPy never for them: an
array can be there only if NumPy is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, TypeAlias, TypeGuard, TypeVar

__all__ = [
    "AnyArray", "ArrayRules", "ArrayType", "Numeric", "apply_to_arrays", "array_rules", "is_array",
    "provide_array_rules",
]  # fmt: skip


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
    return array_rules().map_elements(op, operands)


def is_array(x: object) -> TypeGuard[Any]:
    """Return whether x is a NumPy array, without loading NumPy.

    >>> import numpy as np
    >>> is_array(np.zeros(2)), is_array([0.0, 0.0])
    (True, False)
    """
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)
