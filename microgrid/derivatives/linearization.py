"""The derivative of a graph as a linear map: its partials, read once, to multiply by as often.

The derivative of a composition is the product of the derivatives of its parts. Each node's is known
from the table of partials, so the whole is a product of sparse matrices, which is never multiplied
out: a cotangent is pulled back through it from the roots to the inputs, a tangent is pushed forward
from the inputs to the roots. One pull gives a row of the Jacobian, one push a column.

Whether the partials are asked for with numbers or with nodes is all the difference between a first
derivative and one that can be differentiated again. With numbers the rows of the table compute, and
so do the products. With nodes the same rows build graphs: the derivative is one more graph, with a
linearization of its own, and so there are derivatives of any order.

>>> x, y = Value(2.0), Value(3.0)
>>> map = Linearization([x * y, x + y], [x, y])
>>> map.pull([1.0, 0.0]), map.push([1.0, 0.0]), map.matrix()
([3.0, 2.0], [3.0, 1.0], [[3.0, 2.0], [1, 1]])
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from weakref import ref

from ..core.graph import dependents, has_mark, mark, order_beyond, require_fresh
from ..core.modes import current, watched
from ..core.primitive import CONSTANT, argument, locate, where
from ..engine import Value
from ..functional import Number, dot_, sum_
from .gates import is_gated, multiply_gated, sum_gated

__all__ = ["Linearization", "is_closed", "is_zero", "links_between"]

PLAIN = {float, int, type(None)}
Term = tuple[Number, Number]  # two factors: a gradient or tangent, and a partial
Partial = TypeVar("Partial", bound=Number)
Partials = tuple[Number | None, ...]
Link = tuple[Value, list[Value], list[Number]]  # a node, parents of it, and their partials


class Linearization:
    """The partials between the inputs and the roots of a graph.

    `roots` may be plain numbers, which depend on nothing. The partials are numbers if the graph is
    closed, with no leaf to differentiate with respect to but the inputs, and if they need not be
    graphs. If it `is_cut`, nothing behind the inputs is looked at, and no leaf beside them.

    Raises:
        RuntimeError: a leaf has changed since it was used.
    """

    def __init__(
        self,
        roots: Sequence[Number],
        inputs: Sequence[Value],
        as_graphs: bool = False,
        is_cut: bool = False,
    ) -> None:
        self.roots, self.inputs = roots, inputs
        values = _values(roots)
        # at and behind the arguments of a trace nothing can be stale, or one of the other inputs
        self.ends = ends = inputs if is_cut or _are_ends(inputs) else ()
        self.order = order = order_beyond(set(ends), *values)
        require_fresh(order)
        self.closed = is_cut or (not ends and is_closed(order, inputs))
        self.numeric = self.closed and not as_graphs
        partials_of = Value.partials if self.numeric else _partials_as_graphs
        self.links: list[Link] = [
            (node, [node.parents[i] for i in places], partials)
            for node, places, partials in links_between(order, values, inputs, partials_of)
        ]

    def pull(self, cotangents: Sequence[Number], is_last: bool = False) -> list[Number]:
        """Return the derivatives of the roots' sum, weighted by cotangents, one for each input.

        If it `is_last`, they are not differentiated again.
        """
        if not self.numeric or any(isinstance(g, Value) for g in cotangents):
            derivatives = self._pull_graphs(cotangents)
            return derivatives if is_last else self._merge_equal(derivatives, cotangents)
        adjoint: dict[Number, Number] = {}
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

    def _pull_graphs(self, cotangents: Sequence[Number]) -> list[Number]:
        """Do the same, and keep the terms apart until all that belong to a node are there."""
        terms: dict[Number, list[Term]] = defaultdict(list)
        for root, cotangent in zip(self.roots, cotangents, strict=True):
            if not is_zero(cotangent):
                terms[root].append((cotangent, 1))
        for node, parents, partials in self.links:
            if node in terms:
                g = _sum_of_products(terms[node])
                terms[node] = [(g, 1)]
                for parent, partial in zip(parents, partials, strict=True):
                    terms[parent].append((g, partial))
        return [_sum_of_products(terms[node]) for node in self.inputs]

    def push(self, tangents: Sequence[Number]) -> list[Number]:
        """Return the derivative of each root along the tangents, one for each input."""
        given = zip(self.inputs, tangents, strict=True)
        moved: dict[Number, Number] = {
            node: tangent for node, tangent in given if not is_zero(tangent)
        }
        for node, parents, partials in reversed(self.links):
            pairs = zip(parents, partials, strict=True)
            terms = [(moved[parent], partial) for parent, partial in pairs if parent in moved]
            if terms:
                moved[node] = _sum_of_products(terms)
        if self.numeric and watched and (watch := current(watched)):
            watch.check_push(reversed(self.links), moved)
        return self._merge_equal([moved.get(root, 0) for root in self.roots], tangents)

    def _merge_equal(self, derivatives: Sequence[Number], given: Sequence[Number]) -> list[Number]:
        """Return derivatives with equal nodes made one, in place, if they are those of rules.

        They are weighted by what is given. Without this, the derivatives of a derivative would go
        through the same partials again and again.
        """
        roots = _values(derivatives)
        if not roots:
            return [*derivatives]
        seen = {*self.ends, *self.order}
        weights = order_beyond(seen, *_values(given))
        first: dict[Hashable, Value] = {}
        for node in (*self.order, *weights):
            if _is_own(node):
                first.setdefault(_identity(node), node)
        same: dict[Value, Value] = {}  # what is left out, and what takes its place
        for node in order_beyond(seen, *roots):
            if node.op is not None:
                if same and not same.keys().isdisjoint(node.parents):
                    node.parents = tuple([same.get(parent, parent) for parent in node.parents])
                one = first.setdefault(_identity(node), node)
                if one is node:
                    _make_own(node)
                else:
                    same[node] = one
        return [same.get(d, d) if same and isinstance(d, Value) else d for d in derivatives]

    def matrix(self) -> list[list[Number]]:
        """Return each root's derivatives with respect to the inputs, from the side with fewer."""
        if len(self.roots) <= len(self.inputs):
            return [self.pull(unit) for unit in _units(len(self.roots))]
        columns = [self.push(unit) for unit in _units(len(self.inputs))]
        return [list(row) for row in zip(*columns, strict=True)] or [[] for _ in self.roots]


def _are_ends(inputs: Sequence[Value]) -> bool:
    """Return whether inputs are leaves of a trace, or all of them a transform's nodes for such."""
    behind = [x.parents for x in inputs if x.is_traced]
    if len(behind) < len(inputs) or not any(behind):
        return len(behind) == len(inputs)
    return all(x.op is argument and not x.parents[0].parents for x in inputs)


def is_closed(order: Iterable[Value], inputs: Iterable[Value]) -> bool:
    """Return whether a graph has no leaves but inputs and constants."""
    own = set(inputs)
    return all(node.parents or node.op is CONSTANT or node in own for node in order)


def links_between(
    order: Sequence[Value],
    roots: Iterable[Value],
    inputs: Iterable[Value],
    partials_of: Callable[[Value], tuple[Partial | None, ...]],
) -> Iterator[tuple[Value, list[int], list[Partial]]]:
    """Yield the nodes between roots and inputs, roots first, with places of operands and partials.

    These are the operands that depend on an input and have a partial that is not `None`. A node is
    asked for its partials only if a path of such operands leads to it from a root.

    >>> x = Value(3.0)
    >>> y = x * 2.0
    >>> from microgrid import topological_order
    >>> links = links_between(topological_order(y), [y], [x], Value.partials)
    >>> [(node is y, places, partials) for node, places, partials in links]
    [(True, [0], [2.0])]
    """
    depend = dependents(order, inputs)
    reached = set(roots)
    usual = PLAIN.union(map(type, order))  # types of partials that need no second look
    for node in reversed(order):
        if node in reached and node.op and not depend.isdisjoint(node.parents):
            partials = partials_of(node)
            if not usual.issuperset(map(type, partials)):
                node.op.require_partials(partials, len(node.parents))
            if watched and (watch := current(watched)):
                watch.check_partials(node, partials)
            places, kept = [], []
            for i, (parent, partial) in enumerate(zip(node.parents, partials, strict=True)):
                if partial is not None and parent in depend:
                    places.append(i)
                    kept.append(partial)
                    reached.add(parent)
            yield node, places, kept


def _partials_as_graphs(node: Value) -> Partials:
    """Return the partials of a node as graphs over its parents and itself."""
    op = node.op
    if op is None:
        return ()
    try:
        partials = op.partials(node, *node.parents)
    except (ArithmeticError, ValueError) as error:
        raise locate(error, op, node.parents, of_derivative=True, node=node) from None
    except TypeError as error:
        raise TypeError(
            f"to be differentiated again, the partials of {op.name} must be made of operators and "
            f"this library's functions: {error}"
        ) from error
    if type(partials) is not tuple or len(partials) != len(node.parents):
        op.require_partials(partials, len(node.parents))  # their types, who asked looks at
    return partials


def _units(n: int) -> list[list[int]]:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def _sum_of_products(terms: list[Term]) -> Number:
    """Return a sum of products as few nodes: a single `dot` where there are many."""
    if len(terms) == 1:  # as of a weight, and these are many
        x, y = terms[0]
        if type(y) is int and y == 1 and isinstance(x, Value) and x.op is not where:
            return x
        product = _product(x, y)
        return product if isinstance(product, Value) or product != 0 else 0
    products: list[tuple[Value, Value]] = []
    others: list[Number] = []
    for x, y in terms:
        if isinstance(x, Value) and isinstance(y, Value) and not _is_one_gated(x, y):
            products.append((x, y))
        else:
            others.append(_product(x, y))
    if len(products) < 3:  # which read better as a formula
        return _sum([*[x * y for x, y in products], *others])
    left, right = [x for x, _ in products], [y for _, y in products]
    start = _sum(others)
    return dot_(*left, *right) if is_zero(start) else dot_(*left, *right, start)


def _sum(terms: Sequence[Number]) -> Number:
    terms = [term for term in terms if not is_zero(term)]
    if len(terms) < 2:
        return terms[0] if terms else 0
    if all(map(is_gated, terms)):
        return sum_gated([term for term in terms if is_gated(term)])
    return terms[0] + terms[1] if len(terms) == 2 else sum_(*terms)


def _product(x: Number, y: Number) -> Number:
    """Return x * y, without a node where one is a plain 1, or a plain 0 and the other finite."""
    if isinstance(x, Value) and isinstance(y, Value) and not _is_one_gated(x, y):
        return x * y
    if is_gated(x) or is_gated(y):
        return multiply_gated(x, y)
    for value, plain in ((x, y), (y, x)):
        if isinstance(value, Value) and not isinstance(plain, Value):
            if plain == 1:
                return value
            if plain == 0 and not value.is_traced and value.data - value.data == 0:
                return 0
    return x * y


def _is_one_gated(x: Value, y: Value) -> bool:
    # few are the result of a `where`, which is soon told
    return (x.op is where or y.op is where) and (is_gated(x) or is_gated(y))


def is_zero(x: Number) -> bool:
    """Return whether x is a plain 0, of which no node need be made."""
    return not isinstance(x, Value) and x == 0


# The nodes that rules made. No user holds one, to set its data, or as a variable to differentiate
# with respect to. They are found by identity until they are freed; a WeakSet would compare by ==.
# All is done in C: with a WeakValueDictionary a pull takes a third longer. Those of a trace, which
# are many, have a mark instead.
_own: dict[int, ref[Value]] = {}
OWN: Any = object()


def _values(xs: Sequence[Number]) -> list[Value]:
    return [x for x in xs if isinstance(x, Value)]


def _identity(node: Value) -> Hashable:
    if node.op is argument:  # another transform may differentiate with respect to it
        return node
    # nodes are equal only if they are identical, which a tuple asks first
    return (node.op, node.parents) if node.parents else repr(node.data)


def _is_own(node: Value) -> bool:
    if node.is_traced and node.parents:
        return has_mark(node, OWN)
    return id(node) in _own


def _make_own(node: Value) -> None:
    if node.is_traced:
        mark(node, OWN)
    else:
        _own[id(node)] = ref(node, functools.partial(_own.pop, id(node)))
