"""Paths: a gradient is a sum over all paths of a graph, along each the product of the partials.

There may be more paths than could ever be walked, 3**60 in a graph of 120 nodes. But all that lead
on from a node share what comes after it. So their number, their sum and the largest product among
them are each known for a node as soon as they are for its parents, in one sweep over the graph. The
largest products from every node on then say, of a path of which only the beginning is decided, how
good it can still become: exactly, not just at most. A queue that always takes up the best of them
thus finds the largest paths in order, and never begins one in vain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from functools import reduce
from heapq import heappop, heappush, nsmallest
from itertools import count
from operator import mul
from typing import NamedTuple

from ..core.graph import require_fresh, require_plain_partials, topological_order
from ..core.reals import number
from ..engine import Value
from .linearization import links_between

__all__ = ["Path", "WeightedEdge", "all_paths", "edges_between", "largest_paths"]

WeightedEdge = tuple[Value, float, int]  # a parent, its partial, and its place among the operands

PLAIN = {float, int, Fraction, type(None)}  # types of partials that need no second look
# Products of a thousand factors leave a float's range, and must not for that be taken for 0 or inf.
# Of 50 digits, they are in the right order even where floats round them to the same.
WIDE = Context(prec=50, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
INFINITY = Decimal("inf")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Path:
    """A path from an input to an output, and what it adds to the gradient.

    `nodes` go from the input to the output. For each edge between two of them, in the same order,
    `factors` has the partial and `places` the number of the operand, from 0: that tells the two
    paths of `x * x` apart. `gradient` is the product of the factors, multiplied as `backward` does,
    from the output on.

    >>> x = Value(3.0)
    >>> Path((x, x * x), (3.0,), (0,), gradient=3.0)
    Path(2 nodes, gradient=3.0)
    """

    nodes: tuple[Value, ...]
    factors: tuple[float, ...]
    places: tuple[int, ...]
    gradient: float

    def __repr__(self) -> str:
        return f"Path({len(self.nodes):,} nodes, gradient={self.gradient!r})"


def edges_between(output: Value, input: Value) -> dict[Value, list[WeightedEdge]]:
    """Return the edges on the paths from an output back to an input, for each node, output first.

    A node is asked for its partials only if it depends on the input, and if partials that are not
    `None` lead to it from the output.

    Raises:
        RuntimeError: a leaf has changed since it was used.
        ArithmeticError, ValueError: a partial does not exist, as that of sqrt at 0.
        TypeError: a partial is not a number.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> [(partial, place) for _, partial, place in edges_between(y, x)[y]]
    [(3.0, 0), (3.0, 1)]
    """
    order = topological_order(output)
    require_fresh(order)
    return {
        node: [
            (node.parents[place], partial, place)
            for place, partial in zip(places, partials, strict=True)
        ]
        for node, places, partials in links_between(order, [output], [input], _numeric_partials)
    }


def _numeric_partials(node: Value) -> tuple[float | None, ...]:
    partials = node.partials()
    if not PLAIN.issuperset(map(type, partials)):
        require_plain_partials([node])
    return partials


def all_paths(
    edges: dict[Value, list[WeightedEdge]], output: Value, input: Value
) -> tuple[float, int]:
    """Return the gradient, to the last bit as `backward` computes it, and the number of paths.

    >>> x = Value(3.0)
    >>> y = x * x + x
    >>> all_paths(edges_between(y, x), y, x)
    (7.0, 3)
    """
    kind = type(output.data)
    gradients, ways = {output: kind(1)}, {output: 1}
    for node, operands in edges.items():
        g, n = gradients.pop(node), ways.pop(node)
        for parent, partial, _ in operands:
            share = g * partial
            gradients[parent] = gradients[parent] + share if parent in gradients else share
            ways[parent] = ways.get(parent, 0) + n
    return gradients.get(input, kind(0)), ways.get(input, 0)


def largest_paths(
    edges: dict[Value, list[WeightedEdge]], output: Value, input: Value, most: int
) -> list[Path]:
    """Return at most `most` paths, those with the largest absolute gradients, in order.

    A gradient of nan is the largest, so that none is hidden; those of 0 come last. Ties are in the
    order of the operands, seen from the output.

    >>> x = Value(3.0)
    >>> y = x * x + x
    >>> [path.gradient for path in largest_paths(edges_between(y, x), y, x, most=2)]
    [3.0, 3.0]
    """
    with localcontext(WIDE):
        ways = _ways(edges, input)
        # A candidate takes the way of some rank from a node, and the best one from there on: its
        # bound is the product of exactly that path. When its turn comes, the next best way of each
        # node that it passes is a new candidate.
        turn = count(0, -1)  # of equal candidates the newest is first: its ways differ last
        candidates: list[tuple[Decimal, int, Value, int, Decimal, Trail]] = []
        if output in ways:
            candidates.append((Decimal(0), next(turn), output, 0, Decimal(1), None))
        paths: list[Path] = []
        while candidates and len(paths) < most:
            _, _, node, rank, product, steps = heappop(candidates)
            while node is not input:
                here = ways[node]
                if rank + 1 < len(here):
                    bound = _times(product, here[rank + 1].largest)
                    heappush(candidates, (-bound, next(turn), node, rank + 1, product, steps))
                way = here[rank]
                steps = node, way.edge, steps
                product = _times(product, way.size)
                node, rank = way.edge[0], 0
            paths.append(_path(input, steps, type(output.data)(1)))
            if len(candidates) > 2 * most:  # of the thousands along a deep path most are in vain
                candidates = nsmallest(most, candidates)
    # The products that are shown are rounded at every factor, and may be in another order.
    return sorted(paths, key=lambda path: _rank(path.gradient), reverse=True)


# The edges that a path has taken from the output on, the last one first: node, edge, those before.
Trail = tuple[Value, WeightedEdge, "Trail"] | None


class _Track(NamedTuple):
    largest: Decimal  # the largest product of absolute partials on a path that begins with the edge
    size: Decimal  # its first factor: that of the edge
    edge: WeightedEdge


def _ways(edges: dict[Value, list[WeightedEdge]], input: Value) -> dict[Value, list[_Track]]:
    """Return the edges of each node from which a path leads to the input, the best one first."""
    ways = {input: [_Track(Decimal(1), Decimal(1), (input, 1, 0))]}  # it is there, by a factor of 1
    for node in reversed(edges):
        found = []
        for edge in edges[node]:
            if edge[0] in ways:
                size = _size(edge[1])
                found.append(_Track(_times(size, ways[edge[0]][0].largest), size, edge))
        if found:
            ways[node] = sorted(found, key=lambda way: way.largest, reverse=True)
    return ways


def _size(partial: float) -> Decimal:
    """Return an absolute value; nan counts as infinite."""
    try:
        numerator, denominator = number(partial).as_integer_ratio()
    except (OverflowError, ValueError):
        return INFINITY
    return abs(Decimal(numerator) / Decimal(denominator))


def _times(x: Decimal, y: Decimal) -> Decimal:
    product = x * y
    return INFINITY if product.is_nan() else product  # 0 times infinity


def _path(input: Value, steps: Trail, one: float) -> Path:
    nodes, factors, places = [input], [], []
    while steps is not None:
        node, (_, factor, place), steps = steps
        nodes.append(node)
        factors.append(factor)
        places.append(place)
    gradient = reduce(mul, reversed(factors), one)
    return Path(tuple(nodes), tuple(factors), tuple(places), gradient)


def _rank(gradient: float) -> float:
    return abs(gradient) if gradient == gradient else math.inf
