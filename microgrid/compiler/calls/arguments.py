"""The arguments of a call, taken apart: numbers that all rows share, and columns of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.array_rules import as_array, is_of_blocks
from ...core.graph import numbers_of
from ...derivatives.trees import Structure, flatten, with_numpy
from ...engine import Value
from ...guards.checks import is_of_dates, quote
from ...nn import Module
from ..native.kernel import are_alike
from ..native.rows import DOUBLE
from ..trace import Traced
from .parameters import Parameters

__all__ = ["Arguments", "ArraysOfBlocks", "CallArguments"]

TAKES = "a compiled function takes numbers, arrays, models, and lists, tuples and dicts of these"
MOST_NAMED = 3  # lists that an error speaks of
FLOAT = {float}  # of the parts of a list
SCALARS = (float, Real, Value, np.bool_)  # of NumPy's numbers, bool alone is not a Real

CallArguments = tuple[tuple[object, ...], dict[str, object]]  # what a function is called with
Argument = tuple[str, object, bool]  # its name, its tree, and whether all rows share it


class Arguments:
    """The arguments of one call of a compiled function.

    Calls of one `key` have one program; `names` are those of what was passed by name.
    `shared_parts` are the numbers, arrays and lists of parameters that all rows share, and
    `columns` the numbers and arrays for the rows, both from first to last. `has_values` says that a
    number among them is a `Value`, which remembers.

    Raises:
        TypeError: something is not a number.
    """

    _flat: list[tuple[str, bool, list[object], Structure]] | None = None  # once it is asked for

    def __init__(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parameters: Parameters,
    ) -> None:
        self.names = tuple(kwargs)
        self._args, self._kwargs, self._parameters = args, kwargs, parameters
        self._shared = parameters.are_shared(len(args), kwargs)
        self._trees = (*args, *kwargs.values()) if kwargs else args
        try:
            self._take_all()
        except _OtherArray:
            self._trees = tuple([with_numpy(tree, TAKES) for tree in self._trees])
            self._take_all()
        except RecursionError:
            raise ValueError(
                "arguments must not be nested so deeply, nor in themselves, got "
                + ", ".join(f"{name} = {quote(tree)}" for name, tree, _ in self._arguments())
            ) from None

    def _arguments(self) -> Iterator[Argument]:
        names = [*map(self._parameters.name, range(len(self._args))), *self._kwargs]
        return zip(names, self._trees, self._shared, strict=True)

    def _take_all(self) -> None:
        self.shared_parts: list[Any] = []
        self.columns: list[Any] = []
        self.has_values = False
        self.key: tuple[object, ...] = (self.names, *map(self._take, self._trees, self._shared))

    def _take(self, tree: Any, is_shared: bool) -> object:
        """Append what a tree holds; return what distinguishes it from other trees."""
        kind, numbers = type(tree), self.shared_parts if is_shared else self.columns
        if kind is float:
            numbers.append(tree)
        elif isinstance(tree, np.ndarray):
            is_plain = kind is np.ndarray and tree.dtype is DOUBLE
            numbers.append(tree if is_plain else self._array(tree))
            if is_shared and tree.ndim:
                return np.ndarray, tree.shape
        elif kind is list or kind is tuple:
            return kind, *self._take_list(tree, is_shared)
        elif _is_one_number(tree):
            is_value = isinstance(tree, Value)
            self.has_values |= is_value
            try:
                numbers.append(tree if is_value else float(tree))  # a Fraction too
            except OverflowError:
                name = self._name_of(tree)
                raise OverflowError(f"{name} is too large for a float") from None
        elif isinstance(tree, Module):
            parameters = tree.parameters()
            self.has_values |= Traced in set(map(type, parameters))
            if not self.has_values:
                self.shared_parts.append(numbers_of(parameters))
            return tree, len(parameters)  # what it does with them is known of itself alone
        elif isinstance(tree, Mapping):
            return kind, *[(key, self._take(tree[key], is_shared)) for key in tree]
        elif isinstance(tree, (list, tuple)):
            return kind, *self._take_list(tree, is_shared)
        elif is_of_blocks(tree):
            raise ArraysOfBlocks(f"{TAKES}, got {quote(tree)}; compute it first")
        elif as_array(tree, TAKES) is not tree:
            raise _OtherArray
        else:
            self._parameters.require_known(self._kwargs)
            name = self._name_of(tree)
            raise TypeError(f"{TAKES}, got {name} = {quote(tree)} ({type(tree).__name__})")
        return None

    def _take_list(self, parts: Sequence[Any], is_shared: bool) -> Sequence[object]:
        """Do so for the parts of a list, which are quickly told where they are numbers alone."""
        are_arrays = not is_shared and len(parts) > 0 and type(parts[0]) is np.ndarray
        if are_alike(parts) if are_arrays else FLOAT.issuperset(map(type, parts)):
            numbers = self.shared_parts if is_shared else self.columns
            numbers += parts
            return (len(parts),)
        keys = [self._take(part, is_shared) for part in parts]
        return keys if any(keys) else (len(keys),)

    def _array(self, x: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an array of real numbers or of Values; raise `TypeError` for any other."""
        if x.dtype.kind == "O" and any(isinstance(part, Value) for part in x.flat):
            self.has_values = True
        if isinstance(x, np.ma.MaskedArray):
            raise TypeError(
                f"a column must have a number in every row, got {self._name_of(x)} with a mask; "
                "write .filled(nan) or .compressed()"
            )
        if x.dtype.kind in "biuf" or (x.dtype == object and self.has_values):
            return x
        advice = "; convert it with .astype(float)" if x.dtype.kind in "OSUm" else ""
        raise TypeError(
            f"a column must be of real numbers, got {self._name_of(x)} of dtype {x.dtype}{advice}"
        )

    def _name_of(self, part: object) -> str:
        """Return the name of a part of the arguments."""
        for name, tree, _ in self._arguments():
            parts, structure = flatten(tree, _is_part)
            for own, path in zip(parts, structure.paths, strict=True):
                if own is part:
                    return name + path
        return "it"

    def join_shared(self) -> NDArray[np.generic] | Sequence[float]:
        """Return all shared numbers, one after the other."""
        if FLOAT.issuperset(map(type, self.shared_parts)):
            return self.shared_parts
        parts = [
            np.fromiter(part, float) if type(part) is list else np.asarray(part).ravel()
            for part in self.shared_parts
        ]
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else ()

    def inputs(self) -> tuple[list[str], list[int]]:
        """Return the names of all single numbers, and the positions of those that rows share."""
        names: list[str] = []
        shared: list[int] = []
        for name, is_shared, scalars, structure in self._flatten():
            for i, scalar in enumerate(scalars, start=len(names)):
                if is_shared or type(scalar) is Value:  # which is a model's parameter
                    shared.append(i)
            names += [name + path for path in structure.paths]
        return names, shared

    def _flatten(self) -> list[tuple[str, bool, list[object], Structure]]:
        if self._flat is None:
            self._flat = [
                (name, is_shared, *flatten(tree, _is_one_number if is_shared else _is_leaf))
                for name, tree, is_shared in self._arguments()
            ]
        return self._flat

    def could_be_arrays(self) -> list[str]:
        """Return the names of the first lists and tuples that hold what an array can."""
        names: list[str] = []
        for name, tree, _ in self._arguments():
            parts, structure = flatten(tree, _fits_an_array)
            for part, path in zip(parts, structure.paths, strict=True):
                if isinstance(part, (list, tuple)):
                    names.append(name + path)
        return names[:MOST_NAMED]

    def rebuild(self, scalars: Sequence[object]) -> CallArguments:
        """Return the arguments with a scalar in place of every single number."""
        left = iter(scalars)
        trees = []
        for _, _, old, structure in self._flatten():
            trees.append(structure.argument(list(islice(left, len(old)))))
        return self._call_with(trees)

    def by_rows(self) -> tuple[tuple[int, ...], Iterator[CallArguments]]:
        """Return the shape that the columns broadcast to, and the arguments of each row."""
        from ...arrays.tables import as_arrays

        flat = [
            (is_shared, *flatten(tree, _is_whole if is_shared else _is_part))
            for _, tree, is_shared in self._arguments()
        ]
        columns = [x for shared, parts, _ in flat if not shared for x in parts if _is_array(x)]
        shape = np.broadcast_shapes(*[column.shape for column in columns])
        spread = {id(column): np.broadcast_to(column, shape) for column in columns}

        def row(place: tuple[int, ...]) -> CallArguments:
            trees = []
            for is_shared, parts, structure in flat:
                if not is_shared:
                    parts = [spread[id(x)][place] if _is_array(x) else x for x in parts]
                parts = [x.item() if isinstance(x, np.generic) else as_arrays(x) for x in parts]
                trees.append(structure.argument(parts))
            return self._call_with(trees)

        return shape, map(row, np.ndindex(shape))

    def _call_with(self, trees: list[object]) -> CallArguments:
        count = len(self._args)
        return tuple(trees[:count]), dict(zip(self._kwargs, trees[count:], strict=True))


class ArraysOfBlocks(TypeError):
    """There is an array that is made of blocks, which are computed elsewhere."""


class _OtherArray(Exception):
    """There is an array of another library than NumPy."""


def _fits_an_array(x: object) -> bool:
    """Return whether x is a list of numbers, or of such lists of one length."""
    if not isinstance(x, (list, tuple)) or hasattr(x, "_fields"):
        return False
    if any(isinstance(part, np.ndarray) for part in x):
        return False  # a list of columns
    try:
        return np.asarray(x).dtype.kind in "biuf"
    except (TypeError, ValueError):
        return False


def _is_one_number(x: object) -> bool:
    return isinstance(x, SCALARS) and not is_of_dates(x)


def _is_leaf(x: object) -> bool:
    return isinstance(x, (*SCALARS, np.ndarray))


def _is_array(x: object) -> bool:
    return isinstance(x, np.ndarray)


def _is_part(x: object) -> bool:
    return not isinstance(x, (Mapping, list, tuple))


def _is_whole(x: object) -> bool:
    return True
