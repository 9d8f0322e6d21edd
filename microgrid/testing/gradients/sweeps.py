"""A derivative as the graph of the sweep that computes it, the reverse one or the forward one.

The graphs of `gradients` are small: equal nodes are one, and a long sum of products is a `dot`.
These have a node for each product and for each sum, as it is the rounding of each that is asked
for.
"""

from __future__ import annotations

from typing import Any

from ...core.graph import dependents, topological_order
from ...core.primitive import Primitive, operands_text
from ...engine import Value
from ...functional import Number
from ...guards.checks import quote

__all__ = [
    *("Sweep", "forward_sweep", "nodes_of", "number", "operation_of", "operation_text"),
    *("partials_as_graphs", "reverse_sweep"),
]

Sweep = tuple[list[Value], list[Number]]  # inputs, and what was computed from them


def number(x: object) -> float:
    """Return the number that an output is or holds; a partial of `None` is 0.

    >>> number(Value(2.0)), number(None)
    (2.0, 0.0)
    """
    plain: Any = x.data if isinstance(x, Value) else 0.0 if x is None else x
    try:
        return float(plain)
    except (OverflowError, TypeError, ValueError) as error:
        raise type(error)(f"check_gradients needs finite real numbers, got {quote(x)}") from None


def nodes_of(*outputs: object) -> list[Value]:
    """Return the nodes of a graph, parents first; a plain number has none.

    >>> len(nodes_of(Value(2.0) + 1.0, 3.0))
    3
    """
    return topological_order(*[y for y in outputs if isinstance(y, Value)])


def operation_of(node: Value) -> Primitive:
    """Return the operation of a node that has parents."""
    assert node.op is not None
    return node.op


def operation_text(node: Value, word: str = "of") -> str:
    """Return a node's operation and its operands as text.

    >>> operation_text(Value(2.0) * 3.0), operation_text(-Value(2.0), "at")
    ("'*' of 2.0, 3.0", "'neg' at 2.0")
    """
    return f"{operation_of(node).name!r} {word} {operands_text(node.parents)}"


def reverse_sweep(output: Number, x: Value) -> Number:
    """Return the derivative of output with respect to x as a graph of the reverse sweep.

    >>> x = Value(3.0)
    >>> reverse_sweep(x * x, x).data
    6.0
    """
    if not isinstance(output, Value):
        return 0
    order = topological_order(output)
    depend = dependents(order, [x])
    adjoints: dict[Value, Number] = {output: 1}
    for node in reversed(order):
        if node in adjoints and node in depend and node is not x:
            for parent, partial in zip(node.parents, partials_as_graphs(node), strict=True):
                if partial is not None and parent in depend:
                    _add(adjoints, parent, adjoints[node], partial)
    return adjoints.get(x, 0)


def forward_sweep(output: Number, x: Value) -> Number:
    """Return the derivative of output with respect to x as a graph of the forward sweep.

    >>> x = Value(3.0)
    >>> forward_sweep(x * x, x).data
    6.0
    """
    if not isinstance(output, Value):
        return 0
    tangents: dict[Value, Number] = {x: 1}
    for node in topological_order(output):
        if node is not x and not tangents.keys().isdisjoint(node.parents):
            for parent, partial in zip(node.parents, partials_as_graphs(node), strict=True):
                if partial is not None and parent in tangents:
                    _add(tangents, node, tangents[parent], partial)
    return tangents.get(output, 0)


def _add(sums: dict[Value, Number], node: Value, factor: Number, partial: Number) -> None:
    plain_one = not isinstance(factor, Value) and factor == 1
    share = partial if plain_one else factor * partial
    sums[node] = sums[node] + share if node in sums else share


def partials_as_graphs(node: Value) -> tuple[Number | None, ...]:
    """Return the partials of a node as graphs: of one node each, where a rule takes floats only."""
    op = operation_of(node)
    try:
        partials: tuple[Number | None, ...] = op.partials(node, *node.parents)
    except TypeError:
        return tuple(
            [
                None if partial is None else _as_primitive(op, i)(node, *node.parents)
                for i, partial in enumerate(node.partials())
            ]
        )
    return partials


def _as_primitive(op: Primitive, i: int) -> Primitive:
    """Return the partial for operand i as a primitive of the result and the operands."""

    def forward(out: float, *operands: float) -> float:
        partial: float | None = op.partials(out, *operands)[i]
        return partial or 0

    def partials(out: float, *operands: float) -> tuple[int, ...]:
        return (1,) * len(operands)  # which operand matters nobody knows

    return Primitive(f"partial of {op.name}", forward, partials, made_by=(_as_primitive, (op, i)))
