"""The arguments of a call, taken apart: numbers that all rows share, and columns of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from ..engine import Value
from ..nn import Module
from ..trees import flatten

__all__ = ["Arguments", "as_column", "parameter_names"]

SCALARS = (Real, Value, np.bool_)  # NumPy's bool alone of its numbers is no Real


class Arguments:
    """The arguments of one call of a compiled function.

    `leaves` are the numbers, arrays and `Value`s in them, from first to last, and `names` what the
    user calls them. `shared` are the positions of the leaves that all rows share. Calls of one
    `key` have one program. `has_values` says that a leaf is a `Value`, which remembers.

    Raises:
        TypeError: a leaf is no number.
    """

    def __init__(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        parameters: Sequence[str],
        shared: Collection[Any] = (),
    ) -> None:
        self.args, self.kwargs = args, kwargs
        self.names: list[str] = []
        self.leaves: list[Any] = []
        self.shared: list[int] = []
        self.has_values = False
        self._is_shared: list[bool] = []
        keys = []
        for i, (name, tree) in enumerate(self._named(parameters)):
            self._is_shared.append(not self._places(i, name, parameters).isdisjoint(shared))
            begin = len(self.leaves)
            keys.append(self._take(name, tree, self._is_shared[-1]))
            if self._is_shared[-1]:
                self.shared += range(begin, len(self.leaves))
        self.key = (tuple(kwargs), *keys)

    def _named(self, parameters: Sequence[str]) -> Iterator[tuple[str, Any]]:
        for i, tree in enumerate(self.args):
            yield parameters[i] if i < len(parameters) else f"x{i}", tree
        yield from self.kwargs.items()

    def _places(self, i: int, name: str, parameters: Sequence[str]) -> set[Any]:
        """Return what `shared` may call an argument: its name, its position, that from the end."""
        if i < len(self.args):
            return {name, i, i - len(self.args)}
        return {name, parameters.index(name)} if name in parameters else {name}

    def _take(self, name: str, tree: Any, is_shared: bool) -> Any:
        """Append the leaves of a tree; return what distinguishes it from other trees."""
        if isinstance(tree, Module):
            paths = flatten(tree)[1].paths
            for path, parameter in zip(paths, tree.parameters(), strict=True):
                self.has_values |= parameter.is_traced
                self._append(name + path, parameter if parameter.is_traced else parameter.data)
            return tree  # what it does with its parameters is known of itself alone
        if isinstance(tree, Mapping):
            parts = [(key, self._take(f"{name}[{key!r}]", tree[key], is_shared)) for key in tree]
            return type(tree), tuple(parts)
        if isinstance(tree, (list, tuple)):
            own = [self._take(f"{name}[{i}]", part, is_shared) for i, part in enumerate(tree)]
            return type(tree), tuple(own)
        if _has_values(tree):
            self.has_values = True
            return None
        if isinstance(tree, np.ndarray) and is_shared and tree.ndim:
            numbers = as_column(name, tree)
            for i in np.ndindex(tree.shape):
                self._append(f"{name}[{', '.join(map(str, i))}]", float(numbers[i]))
            return np.ndarray, tree.shape
        if not isinstance(tree, (*SCALARS, np.ndarray)):
            raise TypeError(
                f"a compiled function takes numbers, arrays, models, and lists, tuples and dicts "
                f"of these, got {name} = {tree!r} ({type(tree).__name__})"
            )
        self._append(name, tree)
        return None

    def _append(self, name: str, leaf: Any) -> None:
        self.names.append(name)
        self.leaves.append(leaf)

    def rebuilt(self, scalars: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with a scalar in the place of every leaf."""
        left = iter(scalars)
        new = []
        trees = (*self.args, *self.kwargs.values())
        for tree, is_shared in zip(trees, self._is_shared, strict=True):
            old, structure = flatten(tree, _is_number if is_shared else _is_leaf)
            new.append(structure.argument([next(left) for _ in old]))
        count = len(self.args)
        return tuple(new[:count]), dict(zip(self.kwargs, new[count:], strict=True))

    def lists(self) -> list[int]:
        """Return the positions of arguments that are lists of plain numbers, and not shared.

        Each may be meant as a column.
        """
        return [
            i
            for i, (x, is_shared) in enumerate(zip(self.args, self._is_shared, strict=False))
            if isinstance(x, (list, tuple)) and not is_shared and _is_rectangular(x)
        ]


def as_column(name: str, x: Any) -> Any:
    """Return a number or an array as an array of real numbers; raise `TypeError` if it is none."""
    column = np.asarray(float(x) if isinstance(x, Real) else x)  # a Fraction too, and 10**20
    if column.dtype.kind not in "biuf":
        raise TypeError(
            f"a column must be of real numbers, got {name} of dtype {column.dtype}"
            + ("; convert it with .astype(float)" if column.dtype.kind in "OSUm" else "")
        )
    return column


def parameter_names(f: Callable[..., Any]) -> list[str]:
    """Return the names of a function's positional parameters, as far as they are known."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []  # some functions written in C do not say
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _is_number(x: Any) -> bool:
    return isinstance(x, SCALARS)


def _is_leaf(x: Any) -> bool:
    return isinstance(x, (*SCALARS, np.ndarray))


def _has_values(x: Any) -> bool:
    """Return whether x is a `Value`, or an array of them."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return any(isinstance(part, Value) for part in x.flat)
    return isinstance(x, Value)


def _is_rectangular(x: Any) -> bool:
    """Return whether x is a list of numbers, or of such lists of one length."""
    try:
        return np.asarray(x).dtype.kind in "biuf"
    except (TypeError, ValueError):
        return False
