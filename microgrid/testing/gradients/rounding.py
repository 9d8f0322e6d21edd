"""How many digits rounding leaves of a number, and the operation where the others cancel.

A graph is computed again and again with each of its results off by its last digit, up or down by
chance: what differs from run to run are digits that rounding decides (Vignes 1978, *New methods for
evaluating the validity of the results of mathematical computations*). For a derivative the graph is
that of the sweep which computes it, with the operands' own rounding carried along, that of the
partials, and that of the gradients which add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ...core.graph import topological_order
from ...core.primitive import Primitive, operands_text
from ...engine import Value
from ...functional import dot_, sum_
from .slopes import EPSILON

__all__ = ["Loss", "loss", "partials_as_graphs", "pulled", "pushed", "rounded_size", "rounding"]

RUNS = 12  # whose greatest deviation counts
SAFETY = 4.0  # times that is the bound, as chance may have missed the worst signs
UNDERFLOW = 5e-324  # the least number but 0: what is smaller may be either
ULP = 2 * EPSILON  # what a function of the C library may be off by

GROWTH = 30.0  # of an error, relative to the number, that is worth naming
CLOSE = 0.1  # of the greatest growth: these operations share the blame
MOST = 2  # operations to name


@dataclass(frozen=True)
class Loss:
    """What rounding may have done to a number: a bound of the error, and where digits are lost."""

    bound: float
    where: str


def pulled(output: Value, x: Value) -> Any:
    """Return the derivative of output by x as a graph of the reverse sweep.

    >>> x = Value(3.0)
    >>> pulled(x * x, x).data
    6.0
    """
    order = topological_order(output)
    depend = _dependent(order, x)
    adjoints: dict[Value, Any] = {output: 1}
    for node in reversed(order):
        if node in adjoints and node in depend and node is not x:
            for parent, partial in zip(node.parents, partials_as_graphs(node), strict=True):
                if partial is not None and parent in depend:
                    _add(adjoints, parent, adjoints[node], partial)
    return adjoints.get(x, 0)


def pushed(output: Value, x: Value) -> Any:
    """Return the derivative of output by x as a graph of the forward sweep.

    >>> x = Value(3.0)
    >>> pushed(x * x, x).data
    6.0
    """
    order = topological_order(output)
    tangents: dict[Value, Any] = {x: 1}
    for node in order:
        if node is not x and not tangents.keys().isdisjoint(node.parents):
            for parent, partial in zip(node.parents, partials_as_graphs(node), strict=True):
                if partial is not None and parent in tangents:
                    _add(tangents, node, tangents[parent], partial)
    return tangents.get(output, 0)


def loss(value: Any, known: Iterable[Value] | None = None) -> Loss:
    """Return what rounding may have done to the data of a value.

    `known` are the nodes of the function whose gradient is computed, where these are to be told
    from those of the gradient.

    >>> x = Value(1e-9)
    >>> loss(1 + x).bound < 1e-15
    True
    >>> print(loss((1 + x) - 1).where)
    '-' of 1.000000001, 1.0
    """
    if not isinstance(value, Value):
        return Loss(0.0, "")
    order = topological_order(value)
    own = set(order if known is None else known)
    spread = _spreads(order)
    if not math.isfinite(spread[value]):
        return Loss(math.inf, "")
    return Loss(SAFETY * spread[value], _where(value, spread, own))


def rounding(output: Any) -> float:
    """Return a bound of the rounding error of an output.

    To first order, a node's goes into the output times the gradient: so reverse mode began
    (Linnainmaa 1976, *Taylor expansion of the accumulated rounding error*). The sizes of gradients
    are added up here, as errors need not cancel.
    """
    order = topological_order(output) if isinstance(output, Value) else []
    sizes: dict[Value, float] = dict.fromkeys(order, 0.0)
    if order:
        sizes[output] = 1.0
    error = 0.0
    try:
        for node in reversed(order):
            error += EPSILON * _rounded_size(node) * sizes[node]
            for parent, share in zip(node.parents, node.chain(sizes[node]), strict=True):
                sizes[parent] += abs(share or 0.0)
    except (ArithmeticError, ValueError):
        return 0.0  # the derivative is undefined, and will be found to be so
    return error


def rounded_size(op: Primitive, operands: Sequence[float], out: float) -> float:
    """Return the size by which a result is rounded: that of a sum of many terms is theirs.

    >>> rounded_size(sum_, [1e8, 0.5, -1e8], 0.5)
    200000000.5
    """
    return float(op.forward(*map(abs, operands))) if op is sum_ or op is dot_ else abs(float(out))


def _rounded_size(node: Value) -> float:
    op: Any = node.op
    return rounded_size(op, [p.data for p in node.parents], node.data) if node.parents else 0.0


def _add(sums: dict[Value, Any], node: Value, factor: Any, partial: Any) -> None:
    plain_one = not isinstance(factor, Value) and factor == 1
    share = partial if plain_one else factor * partial
    sums[node] = sums[node] + share if node in sums else share


def _dependent(order: Sequence[Value], x: Value) -> set[Value]:
    depend = {x}
    for node in order:
        if not depend.isdisjoint(node.parents):
            depend.add(node)
    return depend


def partials_as_graphs(node: Value) -> tuple[Any, ...]:
    """Return the partials of a node as graphs: of one node each, where a rule takes floats only."""
    op: Any = node.op
    try:
        partials: tuple[Any, ...] = op.partials(node, *node.parents)
    except TypeError:
        numbers = node.partials()
        partials = tuple(
            [
                None if p is None else _opaque(op, i)(node, *node.parents)
                for i, p in enumerate(numbers)
            ]
        )
    return partials


def _opaque(op: Primitive, i: int) -> Primitive:
    def forward(out: Any, *operands: Any) -> Any:
        return op.partials(out, *operands)[i] or 0

    def partials(out: Any, *operands: Any) -> tuple[Any, ...]:
        return (1,) * len(operands)  # which operand matters nobody knows

    return Primitive(f"partial of {op.name}", forward, partials, made_by=(_opaque, (op, i)))


def _spreads(order: Sequence[Value]) -> dict[Value, float]:
    """Return how far each node's data is off in the worst of all runs."""
    chance = Random(0)
    errors = {node: _own_error(node) for node in order}
    spread = dict.fromkeys(order, 0.0)
    for _ in range(RUNS):
        data: dict[Value, float] = {}
        for node in order:
            data[node] = own = float(node.data)
            error = errors[node]
            if error is not None:
                shaken = _computed(node, [data[parent] for parent in node.parents])
                if math.isfinite(shaken):
                    data[node] = shaken + chance.choice((-error, error))
                    spread[node] = max(spread[node], abs(data[node] - own))
    return spread


def _own_error(node: Value) -> float | None:
    """Return by how much rounding puts a node off its operands; None if no run changes it."""
    if not node.parents:
        return None
    try:
        partials = node.partials()
    except (ArithmeticError, ValueError):
        partials = (math.nan,)
    if all(p is None or (isinstance(p, int) and not p) for p in partials):
        return None  # it jumps, or is what it is
    if abs(node.data) in [abs(parent.data) for parent in node.parents]:
        return 0.0  # one of its operands, which needs no rounding
    return max(ULP * _rounded_size(node), UNDERFLOW)


def _computed(node: Value, operands: list[float]) -> float:
    op: Any = node.op
    try:
        return float(op.forward(*operands))
    except (ArithmeticError, ValueError):
        return math.nan  # an operand is off its domain by a digit


def _where(value: Value, spread: dict[Value, float], own: set[Value]) -> str:
    """Return the operations where the error grows, from a value back to where it began."""
    growths: list[tuple[float, Value]] = []
    node = value
    while node.parents:
        source = _source(node, spread)
        if source is None:
            break
        before, after = _relative(source, spread), _relative(node, spread)
        growths.append((after / max(before, EPSILON) if before < after else 1.0, node))
        node = source
    greatest = max([growth for growth, _ in growths], default=0.0)
    if greatest < GROWTH:
        return ""
    least = max(CLOSE * greatest, GROWTH)
    named = [node for growth, node in growths if growth >= least][:MOST]
    return " and in ".join([_told(node, node in own) for node in named[::-1]])


def _source(node: Value, spread: dict[Value, float]) -> Value | None:
    """Return the operand that brought most of a node's error, if one brought any."""
    try:
        partials = [abs(float(p or 0)) for p in node.partials()]
    except (ArithmeticError, ValueError, TypeError):
        partials = [1.0] * len(node.parents)
    shares = [
        (partial * spread[parent], i)
        for i, (parent, partial) in enumerate(zip(node.parents, partials, strict=True))
    ]
    share, i = max(shares)
    return node.parents[i] if share > 0 else None


def _relative(node: Value, spread: dict[Value, float]) -> float:
    size = abs(float(node.data))
    return spread[node] / size if size else math.inf if spread[node] else 0.0


def _told(node: Value, in_function: bool) -> str:
    op: Any = node.op
    of_what = "" if in_function else " of the gradient"
    return f"{op.name!r} of {operands_text([Value(p.data) for p in node.parents])}{of_what}"
