"""Which module of a model each value of a graph belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ...core.graph import recording, topological_order
from ...engine import Value
from ...guards.interrupts import comes_from_handler
from ...nn import Module, Neuron

__all__ = ["Block", "homes_of"]

NONE: frozenset[Block] = frozenset()


class Block:
    """A module in a picture: a frame around its values, or a single box.

    `depth` is 0 for a model, and one more inside each module.
    """

    def __init__(self, name: str, title: str, module: Module, parent: Block | None) -> None:
        self.name, self.title, self.module, self.parent = name, title, module, parent
        self.depth: int = parent.depth + 1 if parent else 0
        self.model: Block = parent.model if parent else self

    @property
    def kind(self) -> str:
        """What the module is: as it prints itself, or if it has no words for that its class."""
        kind = type(self.module)
        return kind.__name__ if kind.__repr__ is object.__repr__ else repr(self.module)

    @cached_property
    def activations(self) -> set[object]:
        """The primitives that the activation of a neuron is made of."""
        return _operations(self.module.activation) if isinstance(self.module, Neuron) else set()

    def at(self, depth: int) -> Block:
        """Return the block that this one is in at a depth, or itself if it is less deep."""
        block = self
        while block.depth > depth and block.parent:
            block = block.parent
        return block


def homes_of(order: Sequence[Value], models: Mapping[str, Module]) -> dict[Value, Block]:
    """Return the innermost module that each value belongs to, of those that belong to one.

    A graph does not say which module computed what, but its parameters do. To a module belong its
    parameters and what is computed from them directly; and what is computed from its values alone
    before parameters of the same model come again, as the activation of a hidden neuron is. At the
    end of a model, where a loss may follow, that is only a `Neuron`'s activation. What takes values
    of several modules belongs to the smallest module around these.

    >>> from microgrid.nn import MLP
    >>> model = MLP(1, [2, 1], seed=0)
    >>> loss = (model(Value(1.0)) - 3.0) ** 2
    >>> homes = homes_of(topological_order(loss), {"": model})
    >>> homes[loss.parents[0].parents[0]].title, loss in homes
    ('layers.1.neurons.0', False)
    """
    owners = _owners(models)
    parameters = {value: owners[id(value)] for value in order if id(value) in owners}
    continued = _models_behind(order, parameters) if parameters else {}
    homes: dict[Value, Block | None] = dict(parameters)
    for value in order if parameters else ():
        if own := {parameters[parent] for parent in value.parents if parent in parameters}:
            homes[value] = _around(own)
        elif near := {homes.get(parent) for parent in value.parents if not parent.is_constant}:
            home = _around(near)
            models_near = {block.model for block in near if block}
            if len(models_near) == 1 and models_near <= continued.get(value, NONE):
                homes[value] = home or models_near.pop()
            elif home and value.op in home.activations:
                homes[value] = home
    return {value: home for value, home in homes.items() if home}


def _owners(models: Mapping[str, Module]) -> dict[int, Block]:
    """Return the innermost block around each parameter, and that of each module, by id."""
    owners: dict[int, Block] = {}
    seen: set[int] = set()
    for name, model in models.items():
        for path, module in model.named_modules():
            if id(module) in seen:
                continue  # what several models share stays with the first
            title = f"{name}.{path}" if len(models) > 1 and path else path or name
            block = Block(f"m{len(seen)}", title, module, owners.get(id(module)))
            seen.add(id(module))
            for _, item in [*module.named_modules(), *module.named_parameters()]:
                if owners.get(id(item)) is block.parent:
                    owners[id(item)] = block
    return owners


def _models_behind(
    order: Sequence[Value], parameters: Mapping[Value, Block]
) -> dict[Value, frozenset[Block]]:
    """Return the models of which parameters come after a value, on the way to a root."""
    after: dict[Value, frozenset[Block]] = {}
    for value in reversed(order):
        models = after.get(value, NONE)
        models |= {parameters[parent].model for parent in value.parents if parent in parameters}
        for parent in value.parents if models else ():
            after[parent] = after.get(parent, NONE) | models
    return after


def _around(blocks: Iterable[Block | None]) -> Block | None:
    """Return the innermost block that all are in."""
    first, *others = blocks
    for other in others:
        while first is not other:
            if first is None or other is None:
                return None
            if first.depth >= other.depth:
                first = first.parent
            else:
                other = other.parent
    return first


def _operations(activation: Callable[..., Any]) -> set[object]:
    """Return the primitives that an activation is made of, none if it cannot be asked."""
    try:
        with recording():
            result = activation(Value(0.5))
            return {value.op for value in topological_order(result) if value.parents}
    except Exception as error:  # a user's function may do anything
        if comes_from_handler(error):
            raise
        return set()
