"""The arguments of a call, taken apart: numbers that all rows share, and columns of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...arrays.tables import adopted
from ...derivatives.trees import Structure, flatten
from ...engine import Value
from ...guards.checks import is_of_dates, shown
from ...nn import Module
from ..program import Program

__all__ = ["Arguments", "Parameters", "as_column"]

MOST_NAMED = 3  # lists that an error speaks of
SCALARS = (float, Real, Value, np.bool_)  # NumPy's bool alone of its numbers is no Real


class Parameters:
    """What a function can be called with: the names of its arguments, as far as they are known.

    `names` are those of the positional ones. `is_open` says that there may be others as well.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.names, self._by_name, self.is_open = _parameters(f)

    def places(self, position: int) -> set[Any]:
        """Return what `shared` may call a positional argument."""
        return {self.name(position), position}

    def name(self, position: int) -> str:
        """Return what a positional argument is called."""
        return self.names[position] if position < len(self.names) else f"x{position}"

    def require(self, shared: Any) -> frozenset[Any]:
        """Return the places that `shared` names; raise `TypeError` if it names no arguments."""
        is_several = isinstance(shared, Iterable) and not isinstance(shared, str)
        is_several = is_several and getattr(shared, "ndim", 1) > 0
        places = list(shared) if is_several else [shared]
        if not all(map(self._has, places)):
            there = ", ".join([*self.names, *self._by_name]) or "none"
            raise TypeError(
                f"`shared` must be positions or names of arguments, got {shown(shared)}; "
                f"there are: {there}"
            )
        count = len(self.names)
        return frozenset([p if isinstance(p, str) or int(p) >= 0 else p + count for p in places])

    def _has(self, place: Any) -> bool:
        if isinstance(place, bool) or not isinstance(place, (Integral, str)) or is_of_dates(place):
            return False
        count = len(self.names)
        if not isinstance(place, str) and int(place) < 0:
            return int(place) >= -count
        return self.is_open or place in {*self.names, *self._by_name, *range(count)}


def _parameters(f: Callable[..., Any]) -> tuple[list[str], list[str], bool]:
    if isinstance(f, Program):
        return list(f.inputs), [], False
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return [], [], True  # some functions written in C do not say
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return (
        [p.name for p in parameters if p.kind in positional],
        [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY],
        any(p.kind in several for p in parameters),
    )


class Arguments:
    """The arguments of one call of a compiled function.

    Calls of one `key` have one program. `shared` are the numbers, arrays and lists of parameters
    that all rows share, and `columns` the numbers and arrays for the rows, both from first to last.
    `has_values` says that a number among them is a `Value`, which remembers.

    Raises:
        TypeError: something is no number.
    """

    def __init__(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        parameters: Parameters,
        shared: Collection[Any],
    ) -> None:
        self.parameters = parameters
        self.shared: list[Any] = []
        self.columns: list[Any] = []
        self.has_values = False
        self._given = self._named(args, kwargs, shared)
        self._count = len(args)
        try:
            taken = [self._take(tree, is_shared) for _, tree, is_shared in self._given]
        except RecursionError:
            raise ValueError(
                "arguments must not be nested so deeply, nor in themselves, got "
                + ", ".join(f"{name} = {shown(tree)}" for name, tree, _ in self._given)
            ) from None
        self.key = (tuple(kwargs), *taken)

    def _named(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], shared: Collection[Any]
    ) -> list[tuple[str, Any, bool]]:
        """Return the name of each argument, what it is, and whether all rows share it."""
        of, given = self.parameters, []
        for i, tree in enumerate(args):
            is_shared = bool(shared) and not of.places(i).isdisjoint(shared)
            given.append((of.name(i), tree, is_shared))
        for name, tree in kwargs.items():
            place = of.places(of.names.index(name)) if name in of.names else {name}
            given.append((name, tree, not place.isdisjoint(shared)))
        return given

    def _take(self, tree: Any, is_shared: bool) -> Any:
        """Append what a tree holds; return what distinguishes it from other trees."""
        if isinstance(tree, np.ndarray):
            if tree.dtype == object and any(isinstance(part, Value) for part in tree.flat):
                self.has_values = True
            if is_shared and tree.ndim:
                self.shared.append(self._array(tree))
                return np.ndarray, tree.shape
            self._append(self._array(tree), is_shared)
        elif _is_number(tree):
            self.has_values |= isinstance(tree, Value)
            if not _is_in_range(tree):
                raise OverflowError(f"{self._name_of(tree)} is too large for a float")
            self._append(tree, is_shared)
        elif isinstance(tree, Module):
            parameters = tree.parameters()
            self.has_values |= any(parameter.is_traced for parameter in parameters)
            if not self.has_values:
                self.shared.append([parameter.data for parameter in parameters])
            return tree, len(parameters)  # what it does with them is known of itself alone
        elif isinstance(tree, Mapping):
            return type(tree), *[(key, self._take(tree[key], is_shared)) for key in tree]
        elif isinstance(tree, (list, tuple)):
            return type(tree), *[self._take(part, is_shared) for part in tree]
        else:
            name = self._name_of(tree)
            raise TypeError(
                f"a compiled function takes numbers, arrays, models, and lists, tuples and dicts "
                f"of these, got {name} = {shown(tree)} ({type(tree).__name__})"
                + f"; write {name}.to_numpy()"
                * hasattr(type(tree), "to_numpy")
            )
        return None

    def _append(self, x: Any, is_shared: bool) -> None:
        (self.shared if is_shared else self.columns).append(x)

    def _array(self, x: Any) -> Any:
        """Return an array of real numbers, or of Values; raise `TypeError` if it is none."""
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

    def _name_of(self, part: Any) -> str:
        """Return what a part of the arguments is called."""
        for name, tree, _ in self._given:
            parts, structure = flatten(tree, _is_part)
            for own, path in zip(parts, structure.paths, strict=True):
                if own is part:
                    return name + path
        return "it"

    def shared_numbers(self) -> Any:
        """Return all shared numbers, one after the other."""
        parts = [np.ravel(part) for part in self.shared]
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else ()

    def inputs(self) -> tuple[list[str], list[int]]:
        """Return the names of all single numbers, and the positions of those that rows share."""
        names: list[str] = []
        shared: list[int] = []
        for name, is_shared, scalars, structure in self._flattened():
            for scalar, path in zip(scalars, structure.paths, strict=True):
                if is_shared or isinstance(scalar, Value):  # which is a model's parameter
                    shared.append(len(names))
                names.append(name + path)
        return names, shared

    def _flattened(self) -> Iterator[tuple[str, bool, list[Any], Structure]]:
        for name, tree, is_shared in self._given:
            yield name, is_shared, *flatten(tree, _is_number if is_shared else _is_leaf)

    def could_be_arrays(self) -> list[str]:
        """Return the names of the first lists and tuples that hold what an array can."""
        names: list[str] = []
        for name, tree, _ in self._given:
            parts, structure = flatten(tree, _fits_an_array)
            for part, path in zip(parts, structure.paths, strict=True):
                if isinstance(part, (list, tuple)):
                    names.append(name + path)
        return names[:MOST_NAMED]

    def rebuilt(self, scalars: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with a scalar in the place of every single number."""
        left = iter(scalars)
        trees = []
        for _, _, old, structure in self._flattened():
            trees.append(structure.argument([next(left) for _ in old]))
        return self._arguments(trees)

    def by_rows(self) -> tuple[tuple[int, ...], Iterator[tuple[tuple[Any, ...], dict[str, Any]]]]:
        """Return the shape that the columns broadcast to, and the arguments of each row."""
        whole = [
            flatten(tree, _is_whole if shared else _is_part) for _, tree, shared in self._given
        ]
        columns = [
            [x for x in parts if isinstance(x, np.ndarray) and not shared]
            for (parts, _), (_, _, shared) in zip(whole, self._given, strict=True)
        ]
        shape = np.broadcast_shapes(*[column.shape for own in columns for column in own])
        spread = {id(x): np.broadcast_to(x, shape) for own in columns for x in own}

        def row(place: tuple[int, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            trees = []
            for parts, structure in whole:
                own = [spread[id(x)][place] if id(x) in spread else x for x in parts]
                own = [x.item() if isinstance(x, np.generic) else adopted(x) for x in own]
                trees.append(structure.argument(own))
            return self._arguments(trees)

        return shape, map(row, np.ndindex(shape))

    def _arguments(self, trees: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = [name for name, _, _ in self._given[self._count :]]
        return tuple(trees[: self._count]), dict(zip(names, trees[self._count :], strict=True))


def as_column(x: Any) -> Any:
    """Return a number or an array as an array of real numbers."""
    if isinstance(x, np.ndarray):
        return x
    return np.asarray(float(x))  # a Fraction too, and 10**20


def _fits_an_array(x: Any) -> bool:
    """Return whether x is a list of numbers, or of such lists of one length."""
    if not isinstance(x, (list, tuple)) or hasattr(x, "_fields"):
        return False
    if any(isinstance(part, np.ndarray) for part in x):
        return False  # a list of columns
    try:
        return np.asarray(x).dtype.kind in "biuf"
    except (TypeError, ValueError):
        return False


def _is_in_range(x: Any) -> bool:
    if not isinstance(x, (float, Value)):
        try:
            float(x)
        except OverflowError:
            return False
    return True


def _is_number(x: Any) -> bool:
    return isinstance(x, SCALARS) and not is_of_dates(x)


def _is_leaf(x: Any) -> bool:
    return isinstance(x, (*SCALARS, np.ndarray))


def _is_part(x: Any) -> bool:
    return not isinstance(x, (Mapping, list, tuple))


def _is_whole(x: Any) -> bool:
    return True
