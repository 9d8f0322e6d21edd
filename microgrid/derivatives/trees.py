"""Nested numbers: lists, tuples, dicts, arrays and models, taken apart and put together again.

An atom is what is not taken apart further: a number, a `Value`, or an array of them.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from itertools import accumulate, product
from math import prod
from numbers import Real
from typing import Any, NamedTuple

from ..core.array_rules import is_array
from ..engine import Value
from ..guards.checks import is_of_dates, shown
from ..nn import Module

__all__ = ["Structure", "flatten", "like", "map_values"]

Build = Callable[[list[Any]], Any]


class Structure(NamedTuple):
    """What `flatten` took away: how scalars are put together, and what they are called.

    `dimensions` has an array's shape for each atom that is one, None for each that is a number.
    `paths` names the scalars: `[0]`, `['a'][1]`.
    """

    paths: list[str]
    dimensions: list[tuple[int, ...] | None]
    as_argument: Build  # from atoms, what a function of the tree is called with
    as_result: Build  # from atoms, a tree of derivatives: a model's is a dict by path
    parts: tuple[Structure, ...] = ()  # of a list, tuple or dict

    def argument(self, scalars: Sequence[Any]) -> Any:
        """Return the tree with other scalars in their places."""
        return self.as_argument(self._atoms(scalars))

    def result(self, scalars: Sequence[Any]) -> Any:
        """Return a tree of derivatives by the scalars."""
        return self.as_result(self._atoms(scalars))

    def table(self, rows: Sequence[Sequence[Any]], columns: Structure) -> Any:
        """Return the tree that has, for each of its own scalars, a tree of the columns' structure.

        Where an array meets an array, a matrix comes out.
        """
        tables = []
        for above, dims in zip(self._slices(), self.dimensions, strict=True):
            blocks = []
            for along, more in zip(columns._slices(), columns.dimensions, strict=True):
                block = [x for row in rows[above] for x in row[along]]
                both = None if dims is None and more is None else (*(dims or ()), *(more or ()))
                blocks.append(_atom(block, both))
            tables.append(columns.as_result(blocks))
        return self.as_result(tables)

    def _slices(self) -> list[slice]:
        sizes = [1 if dims is None else prod(dims) for dims in self.dimensions]
        ends = list(accumulate(sizes))
        return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def _atoms(self, scalars: Sequence[Any]) -> list[Any]:
        slices = self._slices()
        return [
            _atom(scalars[part], dims) for part, dims in zip(slices, self.dimensions, strict=True)
        ]


def flatten(
    tree: Any, is_scalar: Callable[[Any], bool] = lambda x: False
) -> tuple[list[Any], Structure]:
    """Return the scalars of a tree, and the structure that puts them together again.

    Numbers and `Value`s are scalars, and what `is_scalar` says is one.

    Raises:
        TypeError: something in it is neither a number, a `Value`, a list, a tuple, a dict,
            a NumPy array of numbers, nor a `Module`.

    >>> scalars, structure = flatten({"a": 1.0, "b": [2.0, 3.0]})
    >>> scalars, structure.paths
    ([1.0, 2.0, 3.0], ["['a']", "['b'][0]", "['b'][1]"])
    >>> structure.argument([4.0, 5.0, 6.0])
    {'a': 4.0, 'b': [5.0, 6.0]}
    """
    try:
        return _flattened(tree, is_scalar)
    except RecursionError:
        raise _too_deep(tree) from None


def _too_deep(tree: Any) -> ValueError:
    must = "numbers must not be nested so deeply, nor in themselves"
    return ValueError(f"{must}, got {shown(tree)}")


def _flattened(tree: Any, is_scalar: Callable[[Any], bool]) -> tuple[list[Any], Structure]:
    if isinstance(tree, (Value, Real)) or is_scalar(tree):
        return [tree], Structure([""], [None], _only, _only)
    if is_array(tree) and not is_of_dates(tree):
        if getattr(tree, "mask", None) is not None and tree.mask.any():
            raise TypeError(
                "an array of arguments must have a number in every place, got one with a mask; "
                "write x.filled(0.0) or x.compressed()"
            )
        if tree.shape == ():  # NumPy itself makes a scalar of it with every operation
            return [tree.item()], Structure([""], [()], _item, _only)
        paths = [f"[{', '.join(map(str, i))}]" for i in product(*map(range, tree.shape))]
        return tree.ravel().tolist(), Structure(paths, [tree.shape], _only, _only)
    if isinstance(tree, Module):
        names = _names_of_parameters(tree)
        paths = [f"[{name!r}]" for name in names]
        return tree.parameters(), Structure(
            paths,
            [None] * len(names),
            tree.with_parameters,
            lambda atoms: dict(zip(names, atoms, strict=True)),
        )
    if isinstance(tree, Mapping):
        return _join(tree, list(tree), is_scalar)
    if isinstance(tree, (list, tuple)):
        return _join(tree, range(len(tree)), is_scalar)
    raise TypeError(
        "an argument to differentiate by must be a number, a Value, an array of numbers, a Module, "
        f"or a list, tuple or dict of these, got {shown(tree)} ({type(tree).__name__})"
    )


def map_values(function: Callable[[Value], Any], tree: Any) -> Any:
    """Return a tree with `function` of every `Value` in its place, and all else as it is.

    >>> map_values(lambda v: v.data, {"a": [Value(1.0), "text"]})
    {'a': [1.0, 'text']}
    """
    try:
        return _mapped(function, tree)
    except RecursionError:
        raise _too_deep(tree) from None


def _mapped(function: Callable[[Value], Any], tree: Any) -> Any:
    if isinstance(tree, Value):
        return function(tree)
    if is_array(tree) and tree.dtype == object:
        return _atom([_mapped(function, x) for x in tree.ravel().tolist()], tree.shape)
    if isinstance(tree, Mapping):
        return like(tree, {key: _mapped(function, part) for key, part in tree.items()})
    if isinstance(tree, (list, tuple)):
        return like(tree, dict(enumerate(_mapped(function, part) for part in tree)))
    return tree


def _join(
    tree: Any, keys: Sequence[Any], is_scalar: Callable[[Any], bool]
) -> tuple[list[Any], Structure]:
    parts = [_flattened(tree[key], is_scalar) for key in keys]
    structures = [structure for _, structure in parts]

    def build(atoms: list[Any], way: str) -> Any:
        left = iter(atoms)
        return like(
            tree,
            {
                key: getattr(part, way)([next(left) for _ in part.dimensions])
                for key, part in zip(keys, structures, strict=True)
            },
        )

    return [scalar for scalars, _ in parts for scalar in scalars], Structure(
        [f"[{key!r}]{path}" for key, s in zip(keys, structures, strict=True) for path in s.paths],
        [dims for structure in structures for dims in structure.dimensions],
        lambda atoms: build(atoms, "as_argument"),
        lambda atoms: build(atoms, "as_result"),
        tuple(structures),
    )


def like(tree: Any, parts: dict[Any, Any]) -> Any:
    """Return parts as a list, tuple, named tuple or dict of the tree's own kind."""
    if isinstance(tree, Mapping):
        if type(tree) is dict or not isinstance(tree, MutableMapping):
            return parts
        filled: Any = copy.copy(tree)  # an OrderedDict, a defaultdict with its factory
        for key, part in parts.items():
            filled[key] = part
        return filled
    if isinstance(tree, list):
        return list(parts.values())
    return type(tree)(*parts.values()) if hasattr(tree, "_fields") else tuple(parts.values())


def _names_of_parameters(module: Module) -> list[str]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [names.get(id(p), str(i)) for i, p in enumerate(module.parameters())]


def _atom(scalars: Sequence[Any], dimensions: tuple[int, ...] | None) -> Any:
    if dimensions is None:
        return scalars[0]
    numpy = sys.modules["numpy"]
    kind = float if all(isinstance(x, float) for x in scalars) else object
    array = numpy.empty(len(scalars), kind)
    array[:] = scalars
    if any(isinstance(x, Value) for x in scalars):
        from ..arrays.tables import Array

        array = array.view(Array)
    return array.reshape(dimensions)


def _only(atoms: list[Any]) -> Any:
    return atoms[0]


def _item(atoms: list[Any]) -> Any:
    return atoms[0].item()
