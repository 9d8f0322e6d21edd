"""Which primitive makes a derivative wrong? Each node of the graph is checked by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from ..calculus import gradients
from ..engine import Value
from ..functional import stop_gradient
from ..graph import topological_order
from ..primitive import Primitive, operands_text
from .differences import KINK, NOISY, WRONG, Finding, examine

__all__ = ["blame", "undecided"]

MOST = 3  # primitives to name

Graph = tuple[Sequence[Value], Sequence[Any]]  # inputs, and what was computed from them
Search = Callable[[Primitive, list[float], list[int]], str]


def blame(graph: Graph, below: Graph | None = None) -> str:
    """Return which primitives make derivatives of a graph's outputs by its inputs wrong, if any do.

    Such a one has a partial, at one of its nodes, that is not the derivative of its forward there.
    If the outputs are themselves derivatives, of the graph `below`, it may be one of that graph,
    with a partial that has a wrong derivative.

    >>> wrong = Primitive("wrong cube", lambda x: x**3, lambda out, x: (x**2,))
    >>> x = Value(2.0)
    >>> print(blame(([x], [wrong(x)])))
    the primitive to blame is 'wrong cube': at 2.0 its partial by operand 0 is 4, should be 12
    """
    accused = _search(graph, _wrong_partial)
    if below and not accused:
        accused = _search(below, _wrong_derivative_of_a_partial)
    return "\n".join(f"the primitive to blame is {name!r}: {why}" for name, why in accused.items())


def undecided(graph: Graph) -> dict[str, str]:
    """Return the primitives that are at a kink of their own, or too noisy to tell, and where.

    The chain rule need not hold there, though all partials keep to their conventions: the
    derivative of relu(x) - relu(-x) at 0 is 1, and it gives 0.

    >>> x = Value(0.0)
    >>> undecided(([x], [abs(x) * 2]))
    {'abs': 'at 0.0 is at a kink'}
    """
    return _search(graph, _undecided)


def _between(inputs: Sequence[Value], outputs: Sequence[Any]) -> dict[Value, list[int]]:
    """Return the nodes that depend on inputs, with the operands by which each does."""
    depend = set(inputs)
    nodes: dict[Value, list[int]] = {}
    for node in topological_order(*[y for y in outputs if isinstance(y, Value)]):
        if moving := [i for i, parent in enumerate(node.parents) if parent in depend]:
            nodes[node] = moving
            depend.add(node)
    return nodes


def _search(graph: Graph, search: Search) -> dict[str, str]:
    """Return the names of primitives in which something is found, with where and what."""
    found: dict[str, str] = {}
    for node, moving in _between(*graph).items():
        op: Any = node.op
        if op is stop_gradient or op.name in found or len(found) == MOST:
            continue
        operands = [float(parent.data) for parent in node.parents]
        try:
            what = search(op, operands, moving)
        except (ArithmeticError, ValueError):
            continue  # nobody asked for this derivative, or it would have been told
        if what:
            found[op.name] = f"at {operands_text(node.parents)} {what}"
    return found


def _wrong_partial(op: Primitive, operands: list[float], moving: list[int]) -> str:
    partials = op.partials(op.forward(*operands), *operands)
    for i in moving:
        found = _examined(op.forward, operands, i, partials[i])
        if found.kind == WRONG:
            return f"its partial by operand {i} is {_told(partials[i])}, should be {_slope(found)}"
    return ""


def _wrong_derivative_of_a_partial(op: Primitive, operands: list[float], moving: list[int]) -> str:
    leaves = [Value(x) for x in operands]
    partials = op.partials(op(*leaves), *leaves)
    for i, j in product(moving, moving):
        own = gradients(partials[i], leaves[j]) if isinstance(partials[i], Value) else 0
        found = _examined(_partial(op, i), operands, j, own)
        if found.kind == WRONG:
            return (
                f"its partial by operand {i}, derived by operand {j}, is {_told(own)}, "
                f"should be {_slope(found)}"
            )
    return ""


def _undecided(op: Primitive, operands: list[float], moving: list[int]) -> str:
    partials = op.partials(op.forward(*operands), *operands)
    kinds = [_examined(op.forward, operands, i, partials[i]).kind for i in moving]
    return next((f"is {kind}" for kind in kinds if kind in (KINK, NOISY)), "")


def _partial(op: Primitive, i: int) -> Callable[..., Any]:
    return lambda *operands: op.partials(op.forward(*operands), *operands)[i] or 0


def _examined(f: Callable[..., Any], operands: list[float], i: int, own: Any) -> Finding:
    """Return what differences say about a primitive's own derivative of f by operand i."""
    claimed = float(0 if own is None else own.data if isinstance(own, Value) else own)
    return examine(lambda x: f(*operands[:i], x, *operands[i + 1 :]), operands[i], claimed)


def _told(own: Any) -> str:
    return "None" if own is None else f"{own.data if isinstance(own, Value) else own:.8g}"


def _slope(found: Finding) -> str:
    if found.measured is None:
        return f"between {found.left} and {found.right}"
    return f"{found.measured:.8g}"
