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

from ...core.primitive import Primitive, operands_text
from ...engine import Value
from ...functional import dot_, sum_
from .sides import EPSILON
from .sweeps import nodes_of, number, operation_of

__all__ = ["Rounding", "first_order_rounding", "rounding_scale", "sample_rounding"]

RUNS = 12  # whose greatest deviation counts
SAFETY = 4.0  # times that is the bound, as chance may have missed the worst signs
UNDERFLOW = 5e-324  # the least number but 0: what is smaller may be either
ULP = 2 * EPSILON  # what a function of the C library may be off by

GROWTH = 30.0  # of an error, relative to the number, that is worth naming
CLOSE = 0.1  # of the greatest growth: these operations share the blame
MOST = 2  # operations to name


@dataclass(frozen=True)
class Rounding:
    """What rounding may have done to a number: a bound of the error, and where digits are lost."""

    bound: float = 0.0
    where: str = ""


def first_order_rounding(output: object) -> float:
    """Return a bound of the rounding error of an output, to first order.

    An error at a node goes into the output times the gradient: so reverse mode began (Linnainmaa
    1976, *Taylor expansion of the accumulated rounding error*). The sizes of gradients are added up
    here, as errors need not cancel.

    >>> x = Value(1e8)
    >>> 1e-8 < first_order_rounding((x + 1) - x) < 1e-7
    True
    """
    order = nodes_of(output)
    sizes = dict.fromkeys(order, 0.0)
    if isinstance(output, Value):
        sizes[output] = 1.0
    error = 0.0
    try:
        for node in reversed(order):
            error += EPSILON * _scale_of(node) * sizes[node]
            for parent, share in zip(node.parents, node.chain(sizes[node]), strict=True):
                sizes[parent] += abs(share or 0.0)
    except (ArithmeticError, ValueError):
        return 0.0  # the derivative is undefined, and will be found to be so
    return error


def sample_rounding(value: object, known: Iterable[Value] | None = None) -> Rounding:
    """Return what rounding may have done to the data of a value.

    `known` are the nodes of the function whose gradient is computed, where these are to be told
    from those of the gradient.

    >>> x = Value(1e-9)
    >>> sample_rounding(1 + x).bound < 1e-15
    True
    >>> print(sample_rounding((1 + x) - 1).where)
    '-' of 1.000000001, 1.0
    """
    if not isinstance(value, Value):
        return Rounding()
    order = nodes_of(value)
    own = set(order if known is None else known)
    spread = _spreads(order)
    if not math.isfinite(spread[value]):
        return Rounding(math.inf)
    return Rounding(SAFETY * spread[value], _where(value, spread, own))


def rounding_scale(op: Primitive, operands: Sequence[float], out: float) -> float:
    """Return the size by which a result is rounded: that of a sum of many terms is theirs.

    >>> rounding_scale(sum_, [1e8, 0.5, -1e8], 0.5)
    200000000.5
    """
    return float(op.forward(*map(abs, operands))) if op is sum_ or op is dot_ else abs(float(out))


def _scale_of(node: Value) -> float:
    if not node.parents:
        return 0.0
    return rounding_scale(operation_of(node), [p.data for p in node.parents], node.data)


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
                shaken = _recompute(node, [data[parent] for parent in node.parents])
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
    return max(ULP * _scale_of(node), UNDERFLOW)


def _recompute(node: Value, operands: Sequence[float]) -> float:
    try:
        return float(operation_of(node).forward(*operands))
    except (ArithmeticError, ValueError):
        return math.nan  # an operand is off its domain by a digit


def _where(value: Value, spread: dict[Value, float], own: set[Value]) -> str:
    """Return the operations where the error grows, from a value back to where it began."""
    growths: list[tuple[float, Value]] = []
    node = value
    while (source := _source(node, spread)) is not None:
        before, after = _relative(source, spread), _relative(node, spread)
        growths.append((after / max(before, EPSILON) if before < after else 1.0, node))
        node = source
    greatest = max([growth for growth, _ in growths], default=0.0)
    if greatest < GROWTH:
        return ""
    least = max(CLOSE * greatest, GROWTH)
    named = [node for growth, node in growths if growth >= least][:MOST]
    return " and in ".join([_describe(node, node in own) for node in named[::-1]])


def _source(node: Value, spread: dict[Value, float]) -> Value | None:
    """Return the operand that brought most of a node's error, if one brought any."""
    try:
        partials = [abs(number(partial)) for partial in node.partials()] if node.parents else []
    except (ArithmeticError, ValueError, TypeError):
        partials = [1.0] * len(node.parents)
    shares = [
        (partial * spread[parent], i)
        for i, (parent, partial) in enumerate(zip(node.parents, partials, strict=True))
    ]
    share, i = max(shares, default=(0.0, 0))
    return node.parents[i] if share > 0 else None


def _relative(node: Value, spread: dict[Value, float]) -> float:
    size = abs(float(node.data))
    return spread[node] / size if size else math.inf if spread[node] else 0.0


def _describe(node: Value, in_function: bool) -> str:
    of_what = "" if in_function else " of the gradient"
    operands = operands_text([Value(parent.data) for parent in node.parents])
    return f"{operation_of(node).name!r} of {operands}{of_what}"
