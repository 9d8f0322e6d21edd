"""What a compiled function returns: the outputs of a kernel, in the tree that the function made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...derivatives.trees import Structure, flatten, like

__all__ = ["Template", "fill", "template_of"]

# What a function returned, with the position of an output in the place of each number, and a block
# in that of each array.
Template: TypeAlias = "int | Block | Mapping[Any, Template] | Sequence[Template]"


@dataclass(slots=True)
class Block:
    """An array in a template: which outputs are in it, and for each entry which of these it is."""

    outputs: list[int]
    places: NDArray[np.int64]

    def fill(self, outputs: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
        """Return the array of outputs, with the dimensions of their rows before its own."""
        if not self.outputs:
            return np.empty(self.places.shape)
        if isinstance(outputs, np.ndarray):
            entries: NDArray[Any] = outputs[self.outputs][self.places]
            return entries
        parts = np.stack([outputs[i] for i in self.outputs], axis=-1)
        if len(self.outputs) == self.places.size:
            return parts.reshape((*parts.shape[:-1], *self.places.shape))
        return parts[..., self.places]


def template_of(structure: Structure, positions: Sequence[int]) -> Template:
    """Return the template of a structure, given the position of each of its numbers' output."""
    tree = structure.result(positions)
    parts, outer = flatten(tree, lambda part: isinstance(part, np.ndarray))
    template: Template = outer.result(
        [_block(x) if isinstance(x, np.ndarray) else x for x in parts]
    )
    return template


def _block(positions: NDArray[Any]) -> Block:
    order = {k: i for i, k in enumerate(dict.fromkeys(positions.ravel().tolist()))}
    places = [order[k] for k in positions.ravel().tolist()]
    return Block(list(order), np.array(places, int).reshape(positions.shape))


def fill(
    template: Template, outputs: Sequence[Any] | NDArray[Any], returned: set[int] | None = None
) -> Any:
    """Return what the function would, with the outputs in the places of their positions.

    An output that was `returned` before is copied: a caller may write into one result, and the
    others stay.
    """
    returned = set() if returned is None else returned
    if isinstance(template, int):
        output = outputs[template]
        if isinstance(output, np.ndarray):
            output = output.copy() if template in returned else output
            returned.add(template)
        return float(output) if isinstance(output, np.floating) else output
    if isinstance(template, Block):
        return template.fill(outputs)
    if isinstance(template, Mapping):
        parts = {key: fill(part, outputs, returned) for key, part in template.items()}
        return like(template, parts)
    return like(template, dict(enumerate(fill(part, outputs, returned) for part in template)))
