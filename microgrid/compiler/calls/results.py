"""What a compiled function returns: the outputs of a kernel, in the tree that the function made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...derivatives.trees import Structure, flatten, like
from ..native.memory import empty

__all__ = ["Fill", "Sums", "Template", "filler", "template_of"]

Fill = Callable[[Sequence[Any]], object]

# What a function returned, with the position of an output in place of each number, and an
# `ArrayTemplate` in that of each array.
Template: TypeAlias = "int | ArrayTemplate | Mapping[Any, Template] | Sequence[Template]"


class Sums(Sequence[float]):
    """Outputs that were added up: numbers, which are in an array for those who want an array."""

    def __init__(self, array: NDArray[np.float64]) -> None:
        self.array = array
        self._numbers: list[float] | None = None  # once many are asked for

    def numbers(self) -> list[float]:
        """Return them as a list, which is made once."""
        if self._numbers is None:
            self._numbers = self.array.tolist()
        return self._numbers

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, k: Any) -> Any:
        return self.array.item(k)


@dataclass(slots=True)
class ArrayTemplate:
    """An array in a template: which outputs are in it, and for each entry which of these it is."""

    outputs: list[int]
    places: NDArray[np.int64]
    _all: slice | NDArray[np.int64] = field(init=False)  # the output of each entry

    def __post_init__(self) -> None:
        self._all = entries = np.array(self.outputs, int)[self.places].reshape(-1)
        first = int(entries[0]) if len(entries) else 0
        if np.array_equal(entries, np.arange(first, first + len(entries))):
            self._all = slice(first, first + len(entries))  # which are copied as a whole

    def fill(self, outputs: Sequence[Any], is_new: bool = True) -> NDArray[np.generic]:
        """Return the array of outputs, with the dimensions of their rows before its own.

        Unless it must be a new array, it may be a part of what the outputs are in.
        """
        if not self.outputs:
            return np.empty(self.places.shape)
        if isinstance(outputs, Sums):
            sums = outputs.array[self._all].reshape(self.places.shape)
            is_small = 2 * sums.size < len(outputs.array)  # and would keep all of them in memory
            return sums.copy() if is_new or is_small else sums
        entries = [outputs[k] for k in self.outputs]
        shape = np.shape(entries[0])
        if not shape:  # single numbers, which cannot be stacked
            parts = np.array(entries)
        elif _has_doubles(entries[0]):
            parts = empty((*shape, len(entries)))
            for i, entry in enumerate(entries):
                parts[..., i] = entry
        else:
            parts = np.stack(entries, axis=-1)
        if len(self.outputs) == self.places.size:
            return parts.reshape((*shape, *self.places.shape))
        return parts[..., self.places]


def template_of(structure: Structure, positions: Sequence[int]) -> Template:
    """Return the template of a structure, given the position of each of its numbers' output."""
    tree: Template = structure.result(positions)
    if structure.has_only_numbers:
        return tree
    parts, outer = flatten(tree, lambda part: isinstance(part, np.ndarray))
    template: Template = outer.result(
        [_block(x) if isinstance(x, np.ndarray) else x for x in parts]
    )
    return template


def _block(positions: NDArray[np.generic]) -> ArrayTemplate:
    order = {k: i for i, k in enumerate(dict.fromkeys(positions.ravel().tolist()))}
    places = [order[k] for k in positions.ravel().tolist()]
    return ArrayTemplate(list(order), np.array(places, int).reshape(positions.shape))


def filler(template: Template, seen: set[int] | None = None) -> Fill:
    """Return a function from outputs to what the traced function would return.

    An output that was `seen` before is copied: a caller may write into one result, and the others
    stay.
    """
    seen = set() if seen is None else seen
    if isinstance(template, int):
        get = itemgetter(template)
        if template in seen:
            return lambda outputs: _copy(get(outputs))
        seen.add(template)
        return get
    if isinstance(template, ArrayTemplate):
        is_new = not seen.isdisjoint(template.outputs)
        seen.update(template.outputs)
        return partial(template.fill, is_new=is_new)
    if (whole := _filler_of_numbers(template, seen)) is not None:
        return whole
    if isinstance(template, Mapping):
        named = {key: filler(part, seen) for key, part in template.items()}
        return lambda outputs: like(template, {key: part(outputs) for key, part in named.items()})
    parts = [filler(part, seen) for part in template]
    if type(template) is list:
        return lambda outputs: [part(outputs) for part in parts]
    if type(template) is tuple:
        return lambda outputs: tuple([part(outputs) for part in parts])
    return lambda outputs: like(template, dict(enumerate([part(outputs) for part in parts])))


def _filler_of_numbers(
    template: Mapping[object, Template] | Sequence[Template], seen: set[int]
) -> Fill | None:
    """Return the same for different numbers alone, as the gradients of a model's parameters are.

    These are many, so it is one function for all of them, and not one for each.
    """
    named = template if isinstance(template, Mapping) else dict(enumerate(template))
    places = {part: key for key, part in named.items() if isinstance(part, int)}
    if not 1 < len(places) == len(named) or not seen.isdisjoint(places):
        return None
    seen.update(places)
    get, keys = itemgetter(*places), list(named)
    if type(template) is list:
        return lambda outputs: list(get(_numbers(outputs)))
    if type(template) is tuple:
        return lambda outputs: get(_numbers(outputs))
    return lambda outputs: like(template, dict(zip(keys, get(_numbers(outputs)), strict=True)))


def _numbers(outputs: Sequence[object]) -> Sequence[object]:
    """Return outputs as what many of them are quickly taken from."""
    return outputs.numbers() if isinstance(outputs, Sums) else outputs


def _copy(output: Any) -> object:
    if not _has_doubles(output):
        return output.copy() if isinstance(output, np.ndarray) else output
    twin = empty(output.shape)
    twin[...] = output
    return twin


def _has_doubles(output: object) -> bool:
    """Return whether an output has doubles for the rows, no single number and no `Value`s."""
    return isinstance(output, np.ndarray) and output.dtype == np.float64
