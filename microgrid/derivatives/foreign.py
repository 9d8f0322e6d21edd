"""Nodes of other engines: the names of their attributes, and their graph as one of `Value`s."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from ..core.graph import recording
from ..core.primitive import Primitive
from ..engine import Value
from ..guards.checks import is_real, quote

__all__ = ["CLOSE", "Spelling", "Translation", "as_values", "spelling_of"]

Named = TypeVar("Named")
CLOSE = 1e-9  # of a number to what this library computes: another engine may round twice

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
        TypeError: a given name is not a string, or not an identifier.
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
    return next((name for name in names if _has(node, name)), None)


def _has(node: object, name: str) -> bool:
    """Return whether a node has an attribute; to look may run a student's code."""
    try:
        getattr(node, name)
    except Exception:  # which may do anything
        return False
    return True


class Translation:
    """The graph of another engine's nodes as one of `Value`s, with their data, gradients and names.

    An operation that this library knows, by its name and by its result, is taken as that; any other
    has the slopes that the node's own step back gives, or none that are known. Anything but a node
    of another engine stays as it is.

    >>> class Node:
    ...     def __init__(self, data, children=(), op=""):
    ...         self.data, self.grad, self.children, self._op = data, 0.0, children, op
    >>> x, w = Node(2.0), Node(3.0)
    >>> translate = Translation([Node(6.0, (x, w), "*")])
    >>> translate(x), translate("not a node")
    (Value(data=2.0, grad=0.0), 'not a node')
    """

    def __init__(self, roots: Iterable[object], **given: str | None) -> None:
        self._found: dict[int, tuple[object, Value]] = {}  # the node too, so that its id is its own
        for root in roots:
            if not isinstance(root, Value) and (spelling := _spelling_of_node(root, given)):
                self._add(root, spelling)

    def __call__(self, x: object) -> object:
        """Return the `Value` that stands for a node, and anything else as it is."""
        return self._found[id(x)][1] if id(x) in self._found else x

    def names(self, names: Named) -> Named | dict[str, object]:
        """Return a mapping of names with `Value`s for nodes, and anything else as it is."""
        if not self._found or not isinstance(names, Mapping):
            return names
        return {name: self(x) for name, x in names.items()}

    def _add(self, root: object, spelling: Spelling) -> None:
        """Translate a node and all that it was computed from, operands first."""
        open_nodes: set[int] = set()
        stack = [(root, False)]
        while stack:
            node, operands_done = stack.pop()
            if id(node) in self._found:
                continue
            operands = _operands(node, spelling)
            if operands_done:
                self._found[id(node)] = node, self._value(node, operands, spelling)
            elif id(node) in open_nodes:
                raise ValueError(
                    f"a graph must lead to leaves, got one in which {quote(node)} is among its own "
                    "operands; let an operation return a new node"
                )
            else:
                open_nodes.add(id(node))
                stack += [(node, True), *[(operand, False) for operand in operands]]

    def _value(self, node: object, operands: list[object], spelling: Spelling) -> Value:
        if is_real(node):  # an operand that the engine left a plain number
            return Value(float(node)).detach()
        data = getattr(node, spelling.data or "")
        if not is_real(data):
            raise TypeError(
                f"a node's `{spelling.data}` must be a real number, got {quote(data)} "
                f"({type(data).__name__})"
            )
        value = Value(float(data))
        if operands:
            symbol = str(getattr(node, spelling.op or "", "") or "?")
            op, parents = _recognise(symbol, float(data), [self._found[id(x)][1] for x in operands])
            if op is None:  # one that is not in the registry, which is for everybody
                slopes = _measure(node, operands, spelling)
                op = _operation(symbol, float(data), tuple([p.data for p in parents]), slopes)
            with recording():
                value = value.record(op, tuple(parents))
        grad, label = getattr(node, spelling.grad or ""), getattr(node, spelling.label or "", None)
        value.grad = grad if grad is None or is_real(grad) else getattr(grad, spelling.data or "")
        value.label = label if isinstance(label, str) and label else None
        return value


def as_values(
    *nodes: object, data: str | None = None, grad: str | None = None, parents: str | None = None
) -> list[Value]:
    """Return the `Value`s that stand for nodes of your own engine, to draw, explain and explore.

    `draw`, `explain` and `explore` do it by themselves where the attributes have names that are
    found, such as `data`, `grad` and `_prev`; here they can be given.

    Args:
        *nodes: nodes of your engine; what they were computed from comes along.
        data: what a node calls its number.
        grad: what it calls its gradient.
        parents: what it calls its operands.

    Raises:
        TypeError: a node has no number, gradient or operands, by names that are found.
        AttributeError: it has no attribute of a name that is given.
        ValueError: a node is among its own operands.

    >>> class Node:
    ...     def __init__(self, number, operands=()):
    ...         self.number, self.slope, self.operands = number, 0.0, operands
    >>> as_values(Node(2.0), grad="slope")
    [Value(data=2.0, grad=0.0)]
    """
    translate = Translation(nodes, data=data, grad=grad, parents=parents)
    values: list[Value] = []
    for value in map(translate, nodes):
        if not isinstance(value, Value):
            spelling_of(value, data=data, grad=grad, parents=parents)
            raise TypeError(
                f"a node needs a number, a gradient and operands, got {quote(value)} "
                f"({type(value).__name__}); give the names of its attributes, as in "
                "as_values(node, data='number', grad='slope', parents='operands')"
            )
        values.append(value)
    return values


def _spelling_of_node(x: object, given: Mapping[str, str | None]) -> Spelling | None:
    """Return how a node spells its attributes; None if it is not a node."""
    if isinstance(x, type) or any(name and not hasattr(x, name) for name in given.values()):
        return None
    spelling = spelling_of(x, **given)
    return spelling if spelling.data and spelling.grad and spelling.parents else None


def _operands(node: object, spelling: Spelling) -> list[object]:
    """Return a node's operands; with each there may be a slope, as a pair."""
    if not hasattr(node, spelling.parents or ""):
        return []  # as a plain number, which some engines keep as it is
    found = getattr(node, spelling.parents or "") or ()
    return [x[0] if isinstance(x, tuple) and x else x for x in found]


def _recognise(
    symbol: str, data: float, parents: list[Value]
) -> tuple[Primitive | None, list[Value]]:
    """Return the primitive of a name that gives the data of its parents, and their order.

    A set of parents has no order, and `x * x` is one of one.
    """
    name = symbol.lower()
    ops = [Primitive.registry[name]] if name in Primitive.registry else []
    with suppress(ValueError):
        exponent = float(name.removeprefix("**").lstrip("^"))
        whole = exponent.is_integer()
        ops.append(Primitive.families["power"](int(exponent) if whole else exponent))
    orders = [parents, parents[::-1], parents * 2]
    for op in ops:
        for order in orders:
            with suppress(ArithmeticError, ValueError, TypeError):
                if math.isclose(op.forward(*[p.data for p in order]), data, rel_tol=CLOSE):
                    op.require_operands(len(order))
                    return op, order
    return None, parents


def _measure(node: object, operands: list[object], spelling: Spelling) -> tuple[float, ...]:
    """Return the slopes that a node's own step back gives for its operands; nan if there is none.

    The gradients are as they were when it is done.
    """
    step, grad = getattr(node, spelling.step or "", None), spelling.grad or ""
    if step is None:
        return (math.nan,) * len(operands)
    distinct = list({id(x): x for x in [node, *operands]}.values())
    kept = [getattr(x, grad) for x in distinct]
    try:
        for x in distinct:
            setattr(x, grad, 1.0 if x is node else 0.0)
        step()
        slopes = [float(getattr(x, grad)) for x in operands]
    except Exception:  # a student's code may do anything
        slopes = [math.nan] * len(operands)
    finally:
        for x, before in zip(distinct, kept, strict=True):
            setattr(x, grad, before)
    uses = [sum(x is other for other in operands) for x in operands]
    return tuple([slope / use for slope, use in zip(slopes, uses, strict=True)])


def _operation(
    symbol: str, data: float, numbers: tuple[float, ...], slopes: tuple[float, ...]
) -> Primitive:
    """Return an operation that is known at these operands alone."""

    def forward(*operands: float) -> float:
        if operands != numbers:
            raise ValueError(f"{symbol} is an operation of your own, known at {numbers} alone")
        return data

    made_by = _operation, (symbol, data, numbers, slopes)
    return Primitive(symbol, forward, lambda out, *operands: slopes, made_by)
