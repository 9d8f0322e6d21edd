"""Nodes of other engines: under which names they keep their number, gradient and operands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..guards.checks import quote

__all__ = ["Spelling", "spelling_of"]

DATA = ("data", "value", "val", "number", "x", "v", "_data", "_value")
GRAD = ("grad", "gradient", "adjoint", "derivative", "g", "_grad")
PARENTS = (
    *("parents", "_parents", "_prev", "prev", "_children", "children", "inputs", "_inputs"),
    *("operands", "_operands", "args", "_args"),
)
OP = ("_op", "op", "operation", "_operation")
LABEL = ("label", "name", "_label")
BACKWARD = ("backward", "backprop", "backpropagate", "backpropagation")
STEP = ("_backward", "hand_on", "backward_step", "_step", "step_back", "chain_rule", "_backprop")


@dataclass(frozen=True)
class Spelling:
    """What the attributes of a node are called, None for one that it does not have.

    `step` is the node's own step of the chain rule: it adds a share to each operand's gradient.
    """

    data: str | None = None
    grad: str | None = None
    parents: str | None = None
    op: str | None = None
    label: str | None = None
    backward: str | None = None
    step: str | None = None


def spelling_of(node: object, **given: str | None) -> Spelling:
    """Return how a node spells its attributes: as `given`, or the first of the usual names.

    Raises:
        TypeError: a name that is given is no string, or no name at all.
        AttributeError: the node has no attribute of a name that is given.

    >>> from types import SimpleNamespace
    >>> node = SimpleNamespace(value=2.0, grad=0.0, _prev=())
    >>> spelling_of(node).data, spelling_of(node).parents, spelling_of(node).backward
    ('value', '_prev', None)
    """
    for role, name in given.items():
        if name is not None and not (isinstance(name, str) and name.isidentifier()):
            raise TypeError(f"`{role}` must be the name of an attribute, got {quote(name)}")
        if name is not None and not hasattr(node, name):
            raise AttributeError(
                f"`{role}` must be the name of an attribute of the node, got {quote(name)}, "
                f"which {type(node).__name__} does not have"
            )
    usual = {
        **{"data": DATA, "grad": GRAD, "parents": PARENTS, "op": OP, "label": LABEL},
        **{"backward": BACKWARD, "step": STEP},
    }
    found = {role: given.get(role) or _first(node, names) for role, names in usual.items()}
    return Spelling(**found)


def _first(node: object, names: Collection[str]) -> str | None:
    return next((name for name in names if hasattr(node, name)), None)
