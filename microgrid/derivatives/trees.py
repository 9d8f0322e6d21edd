"""Nested numbers: lists, tuples, dicts, arrays and models, taken apart and put together again.

Derivatives are those of a function of a plain list of scalars. But a user's function may take any
tree of numbers. So the tree is flattened to such a list and a `Structure`, which puts other scalars
in their places: new arguments, or derivatives with respect to the old ones. A matrix of derivatives
is put together twice, by its columns and then by its rows: a tree of trees.

An atom is not taken apart any further: a number, a `Value`, or an array of them.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from itertools import accumulate, islice, product
from math import prod
from numbers import Real
from typing import Any, NamedTuple

from ..core.array_rules import array_rules, as_array, is_array, is_of_blocks
from ..engine import Value
from ..guards.checks import is_of_dates, quote
from ..nn import Module, chooses_parameters, copy_with, find_parameters

__all__ = ["Structure", "flatten", "like", "map_values", "with_numpy"]

MUST = (
    "an argument to differentiate with respect to must be a number, a Value, an array of numbers, "
    "a Module, or a list, tuple or dict of these"
)

# A tree is a number, a `Value`, an array, a `Module`, or a list, tuple or dict of trees. Which of
# these it is, only the caller of a transform knows: to a type checker it is an object.
Build = Callable[[Sequence[Any]], object]  # of atoms
Flat = tuple[list[Any], "Structure"]  # the scalars of a tree, and what was taken away
Shape = tuple[int, ...] | None  # of an array; None of a number


class Structure(NamedTuple):
    """What `flatten` took away: how scalars are put together, and what they are called.

    `dimensions` has an array's shape for each atom that is one, None for each that is a number.
    """

    find_paths: Callable[[], list[str]]  # which nobody may ask for, and of a model are many
    dimensions: list[Shape]
    as_argument: Build  # from atoms, what a function of the tree is called with
    as_result: Build  # from atoms, a tree of derivatives: a model's is a dict by path
    parts: tuple[Structure, ...] = ()  # of a list, tuple or dict

    @property
    def paths(self) -> list[str]:
        """The names of the scalars: `[0]`, `['a'][1]`."""
        return self.find_paths()

    @property
    def has_only_numbers(self) -> bool:
        """Whether there is no array."""
        return self.dimensions.count(None) == len(self.dimensions)

    def argument(self, scalars: Sequence[object]) -> Any:
        """Return the tree with other scalars in their places."""
        return self.as_argument(self._atoms(scalars))

    def result(self, scalars: Sequence[object]) -> Any:
        """Return a tree of derivatives with respect to the scalars."""
        return self.as_result(self._atoms(scalars))

    def table(self, rows: Sequence[Sequence[object]], columns: Structure) -> object:
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

    def _atoms(self, scalars: Sequence[object]) -> list[object]:
        if self.has_only_numbers:  # each is an atom
            return list(scalars[: len(self.dimensions)])
        slices = self._slices()
        return [
            _atom(scalars[part], dims) for part, dims in zip(slices, self.dimensions, strict=True)
        ]


def flatten(tree: object, is_scalar: Callable[[object], bool] = lambda x: False) -> Flat:
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
        return _flatten(tree, is_scalar)
    except RecursionError:
        raise _too_deep(tree) from None


def _too_deep(tree: object) -> ValueError:
    must = "numbers must not be nested so deeply, nor in themselves"
    return ValueError(f"{must}, got {quote(tree)}")


def _flatten(tree: object, is_scalar: Callable[[object], bool]) -> Flat:
    if isinstance(tree, (Value, Real)) or is_scalar(tree):
        return [tree], _SCALAR
    if is_array(tree) and not is_of_dates(tree):
        return _flatten_array(tree)
    if isinstance(tree, Module):
        return _flatten_module(tree)
    if isinstance(tree, Mapping):
        return _join(tree, tree, is_scalar)
    if isinstance(tree, (list, tuple)):
        return _join(tree, dict(enumerate(tree)), is_scalar)
    array = as_array(tree, MUST)
    if is_array(array) and not is_of_dates(array):
        return _flatten_array(array)
    raise TypeError(f"{MUST}, got {quote(tree)} ({type(tree).__name__})")


def with_numpy(tree: object, need: str) -> object:
    """Return a tree with NumPy's arrays in the places of those of other libraries.

    What is made of blocks, and computed elsewhere, stays as it is. `need` begins the error if an
    array cannot be read.
    """
    if isinstance(tree, Module) or is_of_blocks(tree):
        return tree
    if isinstance(tree, Mapping):
        return like(tree, {key: with_numpy(part, need) for key, part in tree.items()})
    if isinstance(tree, (list, tuple)):
        return like(tree, dict(enumerate([with_numpy(part, need) for part in tree])))
    return as_array(tree, need)


def _flatten_array(array: Any) -> Flat:
    if getattr(array, "mask", None) is not None and array.mask.any():
        raise TypeError(
            "an array of arguments must have a number in every place, got one with a mask; "
            "write x.filled(0.0) or x.compressed()"
        )
    if array.shape == ():  # NumPy itself makes a scalar of it with every operation
        return [array.item()], Structure(_no_path, [()], _item, _only)
    shape = array.shape

    def find_paths() -> list[str]:
        return [f"[{', '.join(map(str, i))}]" for i in product(*map(range, shape))]

    return array.ravel().tolist(), Structure(find_paths, [shape], _only, _only)


def _flatten_module(module: Module) -> Flat:
    names, leaves = find_parameters(module)
    if chooses_parameters(module):
        known = dict(zip(leaves, names, strict=True))
        leaves = module.parameters()
        names = [known.get(leaf, str(i)) for i, leaf in enumerate(leaves)]
    return leaves, Structure(
        lambda: [f"[{name!r}]" for name in names],
        [None] * len(leaves),
        lambda atoms: copy_with(module, leaves, atoms),
        lambda atoms: dict(zip(names, atoms, strict=True)),
    )


def map_values(function: Callable[[Value], object], tree: object) -> Any:
    """Return a tree with `function` of every `Value` in its place, and all else as it is.

    >>> map_values(lambda v: v.data, {"a": [Value(1.0), "text"]})
    {'a': [1.0, 'text']}
    """
    try:
        return _map(function, tree)
    except RecursionError:
        raise _too_deep(tree) from None


def _map(function: Callable[[Value], object], tree: object) -> object:
    if isinstance(tree, Value):
        return function(tree)
    if is_array(tree) and tree.dtype == object:
        return _atom([_map(function, x) for x in tree.ravel().tolist()], tree.shape)
    if isinstance(tree, Mapping):
        return like(tree, {key: _map(function, part) for key, part in tree.items()})
    if isinstance(tree, (list, tuple)):
        return like(tree, dict(enumerate(_map(function, part) for part in tree)))
    return tree


def _join(
    tree: object, parts: Mapping[object, object], is_scalar: Callable[[object], bool]
) -> Flat:
    kinds = set(map(type, parts.values()))
    if all(issubclass(kind, (Value, Real)) for kind in kinds):
        return _join_scalars(tree, parts)
    scalars, structures = [], {}
    for key, part in parts.items():
        found, structures[key] = _flatten(part, is_scalar)
        scalars += found

    fill = _kind_of(tree)

    def build(atoms: Sequence[object], builds: Mapping[object, Build]) -> object:
        left = iter(atoms)
        return fill(
            {
                key: build_part(list(islice(left, len(structures[key].dimensions))))
                for key, build_part in builds.items()
            },
        )

    as_arguments = {key: part.as_argument for key, part in structures.items()}
    as_results = {key: part.as_result for key, part in structures.items()}
    return scalars, Structure(
        lambda: [f"[{key!r}]{path}" for key, part in structures.items() for path in part.paths],
        [dims for part in structures.values() for dims in part.dimensions],
        lambda atoms: build(atoms, as_arguments),
        lambda atoms: build(atoms, as_results),
        tuple(structures.values()),
    )


def _join_scalars(tree: object, parts: Mapping[object, object]) -> Flat:
    """Do the same where no part has parts of its own, without a look at each."""
    keys, fill = list(parts), _kind_of(tree)

    def build(atoms: Sequence[object]) -> object:
        return fill(dict(zip(keys, atoms, strict=True)))

    scalars = (_SCALAR,) * len(keys)
    return list(parts.values()), Structure(
        lambda: [f"[{key!r}]" for key in keys], [None] * len(keys), build, build, scalars
    )


def like(tree: object, parts: dict[Any, object]) -> object:
    """Return parts as a list, tuple, named tuple or dict of the tree's own kind."""
    return _kind_of(tree)(parts)


def _kind_of(tree: object) -> Callable[[dict[Any, object]], object]:
    """Return what makes a tree of this kind of its parts, and does not keep the tree's own."""
    if isinstance(tree, Mapping):
        if type(tree) is dict or not isinstance(tree, MutableMapping):
            return lambda parts: parts
        return functools.partial(_fill_copy, tree)
    if isinstance(tree, list):
        return lambda parts: list(parts.values())
    kind = type(tree) if hasattr(tree, "_fields") else None
    return lambda parts: kind(*parts.values()) if kind else tuple(parts.values())


def _fill_copy(tree: MutableMapping[Any, Any], parts: dict[Any, object]) -> object:
    filled = copy.copy(tree)  # an OrderedDict, a defaultdict with its factory
    for key, part in parts.items():
        filled[key] = part
    return filled


def _atom(scalars: Sequence[object], dimensions: Shape) -> object:
    if dimensions is None:
        return scalars[0]
    numpy = sys.modules["numpy"]
    kind = float if all(isinstance(x, float) for x in scalars) else object
    array = numpy.empty(len(scalars), kind)
    array[:] = scalars
    if any(isinstance(x, Value) for x in scalars):
        array = array.view(array_rules().Array)
    return array.reshape(dimensions)


def _only(atoms: Sequence[object]) -> object:
    return atoms[0]


def _no_path() -> list[str]:
    return [""]


_SCALAR = Structure(_no_path, [None], _only, _only)


def _item(atoms: Sequence[Any]) -> object:
    return atoms[0].item()
