"""Which primitive makes a derivative wrong? Each node of the graph is checked by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from ...calculus import gradients
from ...core.graph import topological_order
from ...core.primitive import Primitive, operands_text, where
from ...engine import Value
from ...functional import stop_gradient
from ..programs.domains import domain_of
from .differences import KINK, NOISY, WRONG, Finding, examine
from .rounding import loss, partials_as_graphs, pulled, rounded_size, rounding
from .slopes import EPSILON

__all__ = ["blame", "has_kink_within", "reach", "undecided", "unrecorded"]

MOST = 3  # primitives to name
FINE = 100.0  # times smaller than a step are stairs of which it sees the flight alone

Graph = tuple[Sequence[Value], Sequence[Any]]  # inputs, and what was computed from them
Search = Callable[[Primitive, list[float], list[int]], str]


def blame(graph: Graph, *below: Graph) -> str:
    """Return which primitives make derivatives of a graph's outputs by its inputs wrong, if any do.

    Such a one has a partial, at one of its nodes, that is not the derivative of its forward there.
    If the outputs are themselves derivatives, of graphs `below`, it may be a primitive of those:
    its partial has a wrong derivative, or is right there by chance and wrong nearby.

    >>> wrong = Primitive("wrong cube", lambda x: x**3, lambda out, x: (x**2,))
    >>> x = Value(2.0)
    >>> print(blame(([x], [wrong(x)])))
    the primitive to blame is 'wrong cube': at 2.0 its partial by operand 0 is 4, should be 12
    """
    accused = _search(graph, _wrong_partial)
    for search, lower in product((_wrong_derivative_of_a_partial, _wrong_nearby), below):
        accused = accused or _search(lower, search)
    return "\n".join(f"the primitive to blame is {name!r}: {why}" for name, why in accused.items())


def undecided(graph: Graph) -> dict[Value, str]:
    """Return the nodes whose primitives are at a kink of their own, or too noisy to tell.

    The chain rule need not hold there, though all partials keep to their conventions: the
    derivative of relu(x) - relu(-x) at 0 is 1, and it gives 0.

    >>> x = Value(0.0)
    >>> [*undecided(([x], [abs(x) * 2])).values()]
    ['at a kink']
    """
    found: dict[Value, str] = {}
    for node, moving in _between(*graph).items():
        op: Any = node.op
        try:
            partials = node.partials()
        except (ArithmeticError, ValueError):
            continue
        operands = [float(parent.data) for parent in node.parents]
        kinds = [_of_primitive(op, operands, i, partials[i]).kind for i in moving]
        if doubt := next((kind for kind in kinds if kind in (KINK, NOISY)), ""):
            found[node] = doubt
    return found


def reach(node: Value, output: Any, x: Value) -> float:
    """Return how far a node that is too noisy to tell may put the derivative of output by x off.

    Its slope is at most what changes it wholly within the last digit of an operand.
    """
    onwards = abs(_float(pulled(output, node))) * abs(float(node.data))
    return sum(
        onwards * abs(_float(pulled(parent, x))) / math.ulp(float(parent.data))
        for parent in node.parents
    )


def unrecorded(graph: Graph, moved: Graph) -> str:
    """Return what a graph does not record of the way from its inputs to its output, if it shows.

    `moved` is the graph of the same function with other numbers in the inputs.

    >>> def f(x):
    ...     return [x], [x * x.data]
    >>> unrecorded(f(Value(2.0)), f(Value(3.0)))
    "the constant 2.0 in '*' of 2.0, 2.0 changes with the input"
    """
    (inputs, (output,)), (_, (other,)) = graph, moved
    if not isinstance(output, Value):
        return f"the output is the plain number {output!r}"
    own = set(inputs)
    nodes, others = topological_order(output), _nodes(other)
    for node in nodes:
        if node.op is stop_gradient:
            return f"stop_gradient of {operands_text(node.parents)} cuts it off"
    if [node.op for node in nodes] != [node.op for node in others]:
        return "nearby, the function takes another branch"
    for node, there in zip(nodes, others, strict=True):
        for i, (x, y) in enumerate(zip(node.parents, there.parents, strict=True)):
            if not x.parents and x not in own and x.data != y.data:
                if node.op is where and i == 0:
                    return "nearby, `where` takes its other branch"
                of = operands_text(node.parents)
                return f"the constant {x.data!r} in {_name(node)!r} of {of} changes with the input"
    return ""


def _nodes(output: Any) -> list[Value]:
    return topological_order(output) if isinstance(output, Value) else []


def has_kink_within(op: Primitive, operands: Sequence[float], distance: float | None) -> bool:
    """Return whether a primitive whose domain is declared has a kink near its operands.

    At a kink itself it has none, unless there are others all around. Differences over larger steps
    say nothing of the slope here: of the stairs of x // 1e-9 they see the slope of the flight, and
    where steps are finer than the digits of x, as those of x // 1e-145, every number is at a kink.
    """
    try:
        domain = domain_of(op)
    except ValueError:
        return False
    if distance is None:
        return False

    def is_close(i: int, moved: float) -> bool:
        there = [*operands[:i], operands[i] + moved, *operands[i + 1 :]]
        return FINE * domain.from_kink(*there) < distance

    return 0 < domain.from_kink(*operands) < distance or any(
        is_close(i, -distance / 2) and is_close(i, distance / 2) for i in range(len(operands))
    )


def _name(node: Value) -> str:
    op: Any = node.op
    return str(op.name)


def _between(inputs: Sequence[Value], outputs: Sequence[Any]) -> dict[Value, list[int]]:
    """Return the nodes that depend on inputs, with the operands by which each does."""
    depend = set(inputs)
    nodes: dict[Value, list[int]] = {}
    for node in topological_order(*[y for y in outputs if isinstance(y, Value)]):
        places = [i for i, parent in enumerate(node.parents) if parent in depend]
        if moving := [i for i in places if not _is_held(node, i)]:
            nodes[node] = moving
            depend.add(node)
    return nodes


def _is_held(node: Value, i: int) -> bool:
    """Return whether a primitive declares that its partial by operand i is no derivative."""
    op: Any = node.op
    try:
        return domain_of(op).interval(i).held
    except ValueError:
        return False


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
    leaves = [Value(x) for x in operands]
    out = op(*leaves)
    graphs = [*partials_as_graphs(out)]
    for i in moving:
        found = _of_primitive(op, operands, i, partials[i])
        if has_kink_within(op, operands, found.step):
            continue
        if found.kind == WRONG and not _is_rounding(found, partials[i], graphs[i], out):
            return f"its partial by operand {i} is {_told(partials[i])}, should be {_slope(found)}"
        if not _is_same(partials[i], graphs[i]):
            found = _of_primitive(op, operands, i, graphs[i])
            if found.kind == WRONG and not _is_rounding(found, graphs[i], graphs[i], out):
                return (
                    f"its partial by operand {i} is {_told(partials[i])} on floats and "
                    f"{_told(graphs[i])} on Values, should be {_slope(found)}"
                )
    return ""


def _is_same(number: Any, graph: Any) -> bool:
    return graph is None or float(graph.data if isinstance(graph, Value) else graph) == number


def _is_rounding(found: Finding, own: Any, graph: Any, out: Value) -> bool:
    """Return whether a partial is off by no more than rounding explains."""
    return found.error(_float(own)) < loss(graph, topological_order(out)).bound


def _wrong_nearby(op: Primitive, operands: list[float], moving: list[int]) -> str:
    """Return which partial is wrong near the operands, on either side of each."""
    for size, sign, i in product((0.1123, 0.0112), (1, -1), moving):
        near = [*operands]
        near[i] += sign * size * max(1.0, abs(near[i]))
        try:
            what = _wrong_partial(op, near, moving)
        except (ArithmeticError, ValueError):
            continue
        if what:
            return f"its partials are right, but at {operands_text(near)} {what}"
    return ""


def _wrong_derivative_of_a_partial(op: Primitive, operands: list[float], moving: list[int]) -> str:
    leaves = [Value(x) for x in operands]
    partials = op.partials(op(*leaves), *leaves)
    for i, j in product(moving, moving):
        own = gradients(partials[i], leaves[j]) if isinstance(partials[i], Value) else 0
        found = _examined(_partial(op, i), operands, j, own, rounding(partials[i]))
        if has_kink_within(op, operands, found.step):
            continue
        if found.kind == WRONG and not found.error(_float(own)) < _loss(partials[i], leaves[j]):
            return (
                f"its partial by operand {i}, derived by operand {j}, is {_told(own)}, "
                f"should be {_slope(found)}"
            )
    return ""


def _loss(partial: Any, leaf: Value) -> float:
    """Return a bound of the rounding error of a partial's derivative."""
    return loss(pulled(partial, leaf)).bound if isinstance(partial, Value) else 0.0


def _partial(op: Primitive, i: int) -> Callable[..., Any]:
    return lambda *operands: op.partials(op.forward(*operands), *operands)[i] or 0


def _of_primitive(op: Primitive, operands: list[float], i: int, own: Any) -> Finding:
    """Return what differences of a primitive say about its own partial by operand i."""
    error = EPSILON * rounded_size(op, operands, op.forward(*operands))
    return _examined(op.forward, operands, i, own, error)


def _examined(
    f: Callable[..., Any], operands: list[float], i: int, own: Any, error: float = 0.0
) -> Finding:
    """Return what differences say about a primitive's own derivative of f by operand i.

    `error` is that of f, where it exceeds the last digit.
    """

    def along(x: float) -> float:
        return float(f(*operands[:i], x, *operands[i + 1 :]))

    return examine(along, operands[i], _float(own), error)


def _float(own: Any) -> float:
    return float(0 if own is None else own.data if isinstance(own, Value) else own)


def _told(own: Any) -> str:
    return "None" if own is None else f"{own.data if isinstance(own, Value) else own:.8g}"


def _slope(found: Finding) -> str:
    if found.measured is None:
        return f"between {found.left} and {found.right}"
    return f"{found.measured:.8g}"
