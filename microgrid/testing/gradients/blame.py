"""Which primitive makes a derivative wrong? Each node of the graph is checked by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

from ...calculus import gradients
from ...core.primitive import Primitive, operands_text, where
from ...engine import Value
from ...functional import Number, stop_gradient
from ..programs.domains import domain_of
from .differences import KINK, NOISY, WRONG, Finding, examine
from .rounding import first_order_rounding, rounding_scale, sample_rounding
from .sides import EPSILON
from .sweeps import (
    Sweep,
    nodes_of,
    number,
    operation_of,
    operation_text,
    partials_as_graphs,
    reverse_sweep,
)

__all__ = ["blame", "find_doubts", "find_missing_edge", "has_kink_within", "reach"]

MOST = 3  # primitives to name
FINE = 100.0  # times smaller than a step are stairs of which it sees the flight alone

Search = Callable[[Primitive, list[float], list[int]], str]


def blame(graph: Sweep, *below: Sweep) -> str:
    """Return which primitives make derivatives of a graph's outputs wrong, if any do.

    Such a primitive has a partial, at one of its nodes, that is not the derivative of its forward.
    If the outputs are themselves derivatives, of graphs `below`, it may be a primitive of those:
    its partial has a wrong derivative, or is right there by chance and wrong nearby.

    >>> wrong = Primitive("wrong cube", lambda x: x**3, lambda out, x: (x**2,))
    >>> x = Value(2.0)
    >>> print(blame(([x], [wrong(x)])))
    the primitive to blame is 'wrong cube': at 2.0 its partial for operand 0 is 4, should be 12
    """
    accused = _search(graph, _wrong_partial)
    for search, lower in product((_wrong_derivative_of_a_partial, _wrong_nearby), below):
        accused = accused or _search(lower, search)
    return "\n".join(f"the primitive to blame is {name!r}: {why}" for name, why in accused.items())


def find_doubts(graph: Sweep) -> dict[Value, str]:
    """Return the nodes whose primitives are at a kink of their own, or too noisy to tell.

    The chain rule need not hold there, though all partials keep to their conventions: the
    derivative of relu(x) - relu(-x) at 0 is 1, and it gives 0.

    >>> x = Value(0.0)
    >>> [*find_doubts(([x], [abs(x) * 2])).values()]
    ['at a kink']
    """
    doubts: dict[Value, str] = {}
    for node, moving in _moving_operands(*graph).items():
        try:
            partials = node.partials()
        except (ArithmeticError, ValueError):
            continue
        op, operands = operation_of(node), _numbers(node.parents)
        kinds = [_examine_partial(op, operands, i, partials[i]).kind for i in moving]
        if doubt := next((kind for kind in kinds if kind in (KINK, NOISY)), ""):
            doubts[node] = doubt
    return doubts


def reach(node: Value, output: Number, x: Value) -> float:
    """Return how much error a node too noisy to judge may add to the derivative of output for x.

    Its slope is at most what changes it wholly within the last digit of an operand.
    """
    onwards = abs(number(reverse_sweep(output, node))) * abs(float(node.data))
    return sum(
        onwards * abs(number(reverse_sweep(parent, x))) / math.ulp(float(parent.data))
        for parent in node.parents
    )


def find_missing_edge(graph: Sweep, beside: Sweep) -> str:
    """Return where a graph fails to record how its output depends on its inputs, if that shows.

    `beside` is the graph of the same function with other numbers in the inputs.

    >>> def f(x):
    ...     return [x], [x * x.data]
    >>> find_missing_edge(f(Value(2.0)), f(Value(3.0)))
    "the constant 2.0 in '*' of 2.0, 2.0 changes with the input"
    """
    (inputs, (output,)), (_, (other,)) = graph, beside
    if not isinstance(output, Value):
        return f"the output is the plain number {output!r}"
    own = set(inputs)
    nodes, others = nodes_of(output), nodes_of(other)
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
                return f"the constant {x.data!r} in {operation_text(node)} changes with the input"
    return ""


def has_kink_within(op: Primitive, operands: Sequence[float], distance: float | None) -> bool:
    """Return whether a primitive whose domain is declared has a kink near its operands.

    At a kink itself it has none, unless there are others all around. Differences over larger steps
    say nothing about the slope here: for the stairs of x // 1e-9 they see the slope of the flight,
    and if steps are finer than the digits of x, as in x // 1e-145, every number is at a kink.
    """
    try:
        domain = domain_of(op)
    except ValueError:
        return False
    if distance is None:
        return False

    def is_close(i: int, change: float) -> bool:
        there = [*operands[:i], operands[i] + change, *operands[i + 1 :]]
        return FINE * domain.from_kink(*there) < distance

    return 0 < domain.from_kink(*operands) < distance or any(
        is_close(i, -distance / 2) and is_close(i, distance / 2) for i in range(len(operands))
    )


def _moving_operands(inputs: Sequence[Value], outputs: Sequence[Number]) -> dict[Value, list[int]]:
    """Return the nodes that depend on inputs, each with its operands that do and are not held."""
    depend = set(inputs)
    nodes: dict[Value, list[int]] = {}
    for node in nodes_of(*outputs):
        places = [i for i, parent in enumerate(node.parents) if parent in depend]
        if moving := [i for i in places if not _is_held(operation_of(node), i)]:
            nodes[node] = moving
            depend.add(node)
    return nodes


def _is_held(op: Primitive, i: int) -> bool:
    """Return whether a primitive declares that its partial for operand i is not a derivative."""
    try:
        return domain_of(op).interval(i).held
    except ValueError:
        return False


def _search(graph: Sweep, search: Search) -> dict[str, str]:
    """Return the names of primitives in which something is found, with where and what."""
    found: dict[str, str] = {}
    for node, moving in _moving_operands(*graph).items():
        op = operation_of(node)
        if op is stop_gradient or op.name in found or len(found) == MOST:
            continue
        try:
            what = search(op, _numbers(node.parents), moving)
        except (ArithmeticError, ValueError):
            continue  # nobody asked for this derivative, or it would have raised
        if what:
            found[op.name] = f"at {operands_text(node.parents)} {what}"
    return found


def _wrong_partial(op: Primitive, operands: list[float], moving: list[int]) -> str:
    partials = op.partials(op.forward(*operands), *operands)
    out = op(*[Value(x) for x in operands])
    graphs = partials_as_graphs(out)
    for i in moving:
        finding = _examine_partial(op, operands, i, partials[i])
        if has_kink_within(op, operands, finding.step):
            continue
        by_floats, by_values = _text_of(partials[i]), _text_of(graphs[i])
        if finding.kind == WRONG and not _is_rounding(finding, partials[i], graphs[i]):
            return f"its partial for operand {i} is {by_floats}, should be {_slope_text(finding)}"
        if graphs[i] is not None and number(graphs[i]) != partials[i]:
            finding = _examine_partial(op, operands, i, graphs[i])
            if finding.kind == WRONG and not _is_rounding(finding, graphs[i], graphs[i]):
                return (
                    f"its partial for operand {i} is {by_floats} on floats and {by_values} on "
                    f"Values, should be {_slope_text(finding)}"
                )
    return ""


def _is_rounding(finding: Finding, own: Number | None, graph: Number | None) -> bool:
    """Return whether a primitive's own derivative is off by no more than rounding explains."""
    return finding.error(number(own)) < sample_rounding(graph).bound


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
        partial = partials[i]
        own: Number = gradients(partial, leaves[j]) if isinstance(partial, Value) else 0
        by_floats = _partial_on_floats(op, i)
        finding = _examine_operand(by_floats, operands, j, own, first_order_rounding(partial))
        if has_kink_within(op, operands, finding.step):
            continue
        if finding.kind == WRONG and not _is_rounding(
            finding, own, reverse_sweep(partial, leaves[j])
        ):
            return (
                f"the derivative of its partial for operand {i} with respect to operand {j} is "
                f"{_text_of(own)}, should be {_slope_text(finding)}"
            )
    return ""


def _partial_on_floats(op: Primitive, i: int) -> Callable[..., float]:
    return lambda *operands: op.partials(op.forward(*operands), *operands)[i] or 0


def _examine_partial(
    op: Primitive, operands: list[float], i: int, partial: Number | None
) -> Finding:
    """Return what differences of a primitive say about its own partial for operand i."""
    error = EPSILON * rounding_scale(op, operands, op.forward(*operands))
    return _examine_operand(op.forward, operands, i, partial, error)


def _examine_operand(
    f: Callable[..., float], operands: list[float], i: int, own: Number | None, error: float
) -> Finding:
    """Return what differences say about a primitive's own derivative of f for operand i.

    `error` is that of f, where it exceeds the last digit.
    """

    def along(x: float) -> float:
        return float(f(*operands[:i], x, *operands[i + 1 :]))

    return examine(along, operands[i], number(own), error)


def _numbers(values: Sequence[Value]) -> list[float]:
    return [float(value.data) for value in values]


def _text_of(partial: Number | None) -> str:
    return "None" if partial is None else f"{number(partial):.8g}"


def _slope_text(finding: Finding) -> str:
    if finding.measured is None:
        return f"between {finding.left} and {finding.right}"
    return f"{finding.measured:.8g}"
