"""The derivative of a graph as a linear map: its partials, read once, to multiply by as often.

Cotangents are pulled back through them, tangents pushed forward. Where the partials are numbers
so are the derivatives; where they are graphs, the derivatives are graphs, to be derived again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Any
from weakref import WeakValueDictionary

from ..core.graph import require_fresh, topological_order
from ..core.modes import current, watched
from ..core.primitive import CONSTANT, argument, locate
from ..engine import Value
from ..functional import dot_, sum_
from .gates import gated_product, gated_sum, is_gated

__all__ = ["Linearization", "is_closed"]

PLAIN = {float, int, Value, type(None)}  # types of partials that need no second look
Term = tuple[Any, Any]  # two factors: a gradient or tangent, and a partial


class Linearization:
    """The partials between the inputs and the roots of a graph.

    `roots` may be plain numbers, which depend on nothing. The partials are numbers if nothing but
    the inputs can be derived by, and they need not be graphs.

    Raises:
        RuntimeError: a leaf has changed since it was used.
    """

    def __init__(
        self, roots: Sequence[Any], inputs: Sequence[Value], as_graphs: bool = False
    ) -> None:
        self.roots, self.inputs = roots, inputs
        values = _values(roots)
        order = topological_order(*values)
        require_fresh(order)
        self.closed = is_closed(order, inputs)
        self.numeric = self.closed and not as_graphs
        self.links = _links(order, values, inputs, self.numeric)

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return the derivative by each input of the roots' sum, weighted with cotangents."""
        if not self.numeric or any(isinstance(g, Value) for g in cotangents):
            return _merged(self._pull_graphs(cotangents), [*self.roots, *cotangents])
        adjoint: dict[Any, Any] = {}
        for root, cotangent in zip(self.roots, cotangents, strict=True):
            if cotangent != 0:
                adjoint[root] = adjoint.get(root, 0) + cotangent
        for node, parents, partials in self.links:
            g = adjoint.get(node)
            if g is not None:
                for parent, partial in zip(parents, partials, strict=True):
                    share = g * partial
                    adjoint[parent] = adjoint[parent] + share if parent in adjoint else share
        if watched and (watch := current(watched)):
            watch.check_pull(self.links, adjoint)
        return [adjoint.get(node, 0) for node in self.inputs]

    def _pull_graphs(self, cotangents: Sequence[Any]) -> list[Any]:
        """Do the same, and keep the terms apart until all that belong to a node are there."""
        terms: dict[Any, list[Term]] = defaultdict(list)
        for root, cotangent in zip(self.roots, cotangents, strict=True):
            if not _is_zero(cotangent):
                terms[root].append((cotangent, 1))
        for node, parents, partials in self.links:
            if node in terms:
                g = _sum_of_products(terms[node])
                terms[node] = [(g, 1)]
                for parent, partial in zip(parents, partials, strict=True):
                    terms[parent].append((g, partial))
        return [_sum_of_products(terms[node]) for node in self.inputs]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Return the derivative of each root along the tangents, one for each input."""
        given = zip(self.inputs, tangents, strict=True)
        moved: dict[Any, Any] = {node: tangent for node, tangent in given if not _is_zero(tangent)}
        for node, parents, partials in reversed(self.links):
            pairs = zip(parents, partials, strict=True)
            terms = [(moved[parent], partial) for parent, partial in pairs if parent in moved]
            if terms:
                moved[node] = _sum_of_products(terms)
        if self.numeric and watched and (watch := current(watched)):
            watch.check_push(reversed(self.links), moved)
        return _merged([moved.get(root, 0) for root in self.roots], [*self.roots, *tangents])

    def matrix(self) -> list[list[Any]]:
        """Return the derivatives of each root by each input, from the side that is fewer."""
        if len(self.roots) <= len(self.inputs):
            return [self.pull(unit) for unit in _units(len(self.roots))]
        columns = [self.push(unit) for unit in _units(len(self.inputs))]
        return [list(row) for row in zip(*columns, strict=True)] or [[] for _ in self.roots]


def is_closed(order: Iterable[Value], inputs: Iterable[Value]) -> bool:
    """Return whether a graph has no leaves but inputs and constants."""
    own = set(inputs)
    return all(node.parents or node.op is CONSTANT or node in own for node in order)


def _links(
    order: list[Value], roots: list[Value], inputs: Sequence[Value], numeric: bool
) -> list[tuple[Value, list[Value], list[Any]]]:
    """Return the nodes between roots and inputs, each with its parents and the partials by them.

    The roots come first. A node is asked only if a path of partials that are not `None` leads to
    it from a root; parents that do not depend on an input are left out.
    """
    partials_of: Callable[[Value], tuple[Any, ...]] = Value.partials if numeric else _as_graphs
    depend = set(inputs)
    for node in order:
        if not depend.isdisjoint(node.parents):
            depend.add(node)
    reached = set(roots)
    found = []
    for node in reversed(order):
        if node in reached and node.op and not depend.isdisjoint(node.parents):
            partials = partials_of(node)
            if not PLAIN.issuperset(map(type, partials)):
                node.op.require_partials(partials, len(node.parents))
            if watched and (watch := current(watched)):
                watch.check_partials(node, partials)
            kept = [
                p is not None and x in depend for x, p in zip(node.parents, partials, strict=True)
            ]
            parents = [*compress(node.parents, kept)]
            reached.update(parents)
            found.append((node, parents, [*compress(partials, kept)]))
    return found


def _as_graphs(node: Value) -> tuple[Any, ...]:
    """Return the partials of a node as graphs over its parents and itself."""
    op: Any = node.op
    try:
        partials: tuple[Any, ...] = op.partials(node, *node.parents)
    except (ArithmeticError, ValueError) as error:
        raise locate(error, op, node.parents, of_derivative=True, node=node) from None
    except TypeError as error:
        raise TypeError(
            f"to be derived again, the partials of {op.name} must be made of operators and this "
            f"library's functions: {error}"
        ) from error
    op.require_partials(partials, len(node.parents))
    return partials


def _units(n: int) -> list[list[int]]:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def _sum_of_products(terms: list[Term]) -> Any:
    """Return a sum of products as few nodes: a single `dot` where there are many."""
    products, others = [], []
    for x, y in terms:
        if is_gated(x) or is_gated(y):
            others.append(gated_product(x, y))
        elif isinstance(x, Value) and isinstance(y, Value):
            products.append((x, y))
        else:
            others.append(_times(x, y))
    if len(products) < 3:  # which read better as a formula
        return _sum([x * y for x, y in products] + others)
    start = _sum(others)
    left, right = zip(*products, strict=True)
    return dot_(*left, *right) if _is_zero(start) else dot_(*left, *right, start)


def _sum(terms: list[Any]) -> Any:
    terms = [term for term in terms if not _is_zero(term)]
    if len(terms) > 1 and all(map(is_gated, terms)):
        return gated_sum(terms)
    if len(terms) < 3:
        return terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else 0
    return sum_(*terms)


def _times(x: Any, y: Any) -> Any:
    """Return x * y, without a node where one is a plain 1, or a plain 0 and the other finite."""
    if not isinstance(x, Value) and not isinstance(y, Value):
        return x * y
    value, plain = (x, y) if isinstance(x, Value) else (y, x)
    if plain == 1:
        return value
    vanishes = plain == 0 and not value.is_traced and value.data - value.data == 0
    return 0 if vanishes else x * y


def _is_zero(x: Any) -> bool:
    return not isinstance(x, Value) and x == 0


# The nodes that rules made. No user holds one, to set its data or to derive by it as a variable.
# They are found by identity; a WeakSet would compare by ==.
_own: WeakValueDictionary[int, Value] = WeakValueDictionary()


def _merged(derivatives: list[Any], given: Sequence[Any]) -> list[Any]:
    """Return the same graphs with one node for all that are equal, of those that rules made.

    `given` is what they were derived from. Without this, the derivatives of a derivative would
    derive the same partials again and again.
    """
    roots = _values(derivatives)
    if not roots:
        return derivatives
    known = topological_order(*_values(given))
    first: dict[Any, Value] = {}
    for node in known:
        if id(node) in _own:
            first.setdefault(_identity(node), node)
    same: dict[Value, Value] = {}
    for node in topological_order(*roots, known=set(known)):
        if node.op is not None:
            node.parents = tuple([same.get(parent, parent) for parent in node.parents])
            same[node] = first.setdefault(_identity(node), node)
            _own[id(same[node])] = same[node]
    return [same.get(d, d) if isinstance(d, Value) else d for d in derivatives]


def _values(xs: Sequence[Any]) -> list[Value]:
    return [x for x in xs if isinstance(x, Value)]


def _identity(node: Value) -> Any:
    if node.op is argument:  # it may be what another transform derives by
        return node
    return (node.op, *map(id, node.parents)) if node.parents else repr(node.data)
