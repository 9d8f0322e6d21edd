"""Computations that keep no graph of their own: they are run again when a derivative is asked for.

A graph has a node for every operation, which for a long loop is more than fits into memory. So a
stretch of it is run and its graph is dropped; only its results and what it started from are kept.
In the graph of the rest the stretch is one node, and each of its results is a node over it.

The derivative of a stretch is not a number but a matrix, with a row for each result and a column
for each operand. The chain rule multiplies and adds as always: a gradient times the partial of a
result with respect to its stretch is a row vector; these add up in the node of the stretch; and the
sum times the partial with respect to an operand is an entry of its product with the matrix. To
compute that product, all entries at once, the stretch is run again; tangents are pushed forward in
the same way. If the product must be a graph, it is one more stretch that keeps none. So there are
derivatives of any order, and none of them needs more memory than the graph of a stretch (Griewank &
Walther 2008, *Evaluating Derivatives*, chapter 12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pickle import PicklingError
from types import MappingProxyType
from typing import NoReturn, TypeVar

from ..core import graph
from ..core.array_rules import Numeric
from ..core.graph import order_beyond, recording
from ..core.modes import Mode, current, expanded, unrecorded
from ..core.primitive import Operand, Primitive, add, multiply
from ..engine import Value
from ..functional import Number, sum_
from ..guards.checks import quote
from ..guards.locks import compiling, is_held
from .linearization import Linearization, is_zero
from .trees import map_values

__all__ = ["Stretch", "expanding", "frontier", "require_whole", "run_without_graph", "values_in"]

NOTHING: Mapping[Value, Value] = MappingProxyType({})
ONE = 1
Tree = TypeVar("Tree")
Pull = Callable[[Sequence[Number]], list[Number]]


class expanding(Mode):
    """Keep graphs whole in this thread, without checkpoints: a power series goes through all of it.

    >>> x = Value(2.0)
    >>> with expanding():
    ...     y = run_without_graph(lambda: x * x * x)
    >>> len(graph.topological_order(y))
    3
    """

    _blocks = expanded

    def _meaning(self, outer: bool | None) -> bool | None:
        return True


def run_without_graph(run: Callable[[], Tree], instead: Mapping[Value, Value] = NOTHING) -> Tree:
    """Return what a function computes, in lists, tuples and dicts, without the graph behind it.

    It is run again when a derivative is asked for, and must do the same then. It is differentiated
    with respect to the nodes that existed before; `instead` says which other nodes stand for some
    of these in the graph.

    >>> from microgrid import gradients
    >>> x = Value(2.0)
    >>> y = run_without_graph(lambda: (x + 1.0) * x * x)
    >>> y.data, y.parents[0].parents == (x,), gradients(y, x).data
    (12.0, True, 16.0)
    """
    keeps_none = (unrecorded and current(unrecorded)) or is_held(compiling)
    if keeps_none or (expanded and current(expanded)):
        return run()
    start = graph.advance_clock()  # what was there before has an earlier stamp
    tree = run()
    values = values_in(tree)
    if any(x.is_traced for x in values):  # a compiled function has no graph when it runs
        return tree
    made = [x for x in dict.fromkeys(values) if x.parents and not graph.is_older(x, start)]
    operands = frontier(made, start)
    new: dict[Value, Value] = {x: x.detach() for x in made}
    if operands:
        first = {x: i for i, x in reversed([*enumerate(values)])}
        places, numbers = [first[x] for x in made], [x.data for x in made]
        again = partial(_run_again, run, places, numbers)
        results = Stretch(again, operands, numbers).results(instead)
        new = dict(zip(made, results, strict=True))
    replaced: Tree = map_values(lambda x: new.get(x, x), tree)
    return replaced


def values_in(tree: object) -> list[Value]:
    """Return the `Value`s in lists, tuples and dicts.

    >>> [x.data for x in values_in({"a": Value(1.0), "b": [2.0, Value(3.0)]})]
    [1.0, 3.0]
    """
    values: list[Value] = []
    map_values(values.append, tree)
    return values


class _Older:
    """The nodes that were there before a time, as a container."""

    def __init__(self, time: int) -> None:
        self.time = time

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Value) and graph.is_older(node, self.time)


def frontier(made: Sequence[Value], start: int) -> list[Value]:
    """Return the nodes from before that others were made of, except for constants."""
    order = order_beyond(set(), *made, known=_Older(start))
    parents = dict.fromkeys([parent for node in order for parent in node.parents])
    return [x for x in parents if graph.is_older(x, start) and not x.is_constant]


def _run_again(
    run: Callable[[], object], places: Sequence[int], numbers: Sequence[float]
) -> list[Value]:
    """Return the results, at some places of all `Value`s in a tree, as they were before."""
    values = values_in(run())
    results = [values[i] for i in places if i < len(values)]
    found = [x.data for x in results]
    if len(found) < len(numbers) or not all(map(_is_same, found, numbers)):
        raise RuntimeError(
            "a function that is run again for its derivative must give the same results each "
            f"time, got {quote(found)} after {quote(numbers)}; draw random numbers before the "
            "loop, and pass them in"
        )
    return results


def _is_same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)


class Stretch:
    """A computation that keeps no graph, and how it is differentiated.

    Args:
        again: runs it again; returns its results with a graph over the operands.
        operands: the nodes that it is differentiated with respect to.
        numbers: what its results were.
        pull: returns the gradient of the results' sum, weighted by numbers, for all operands; if
            None, the computation is run again for it.
        pull_as_graph: returns the same as nodes over the operands, weighted by nodes.

    >>> x = Value(2.0)
    >>> y, z = Stretch(lambda: [x * x, x + 1.0], [x], [4.0, 3.0]).results()
    >>> (y * z).backward(); x.grad
    16.0
    """

    def __init__(
        self,
        again: Callable[[], Sequence[Value]],
        operands: Sequence[Value],
        numbers: Sequence[float],
        pull: Pull | None = None,
        pull_as_graph: Pull | None = None,
    ) -> None:
        self.again, self.operands, self.numbers = again, tuple(operands), tuple(numbers)
        self._pull, self._pull_as_graph = pull, pull_as_graph

    def results(self, instead: Mapping[Value, Value] = NOTHING) -> list[Value]:
        """Return the nodes of the results, over that of the stretch."""
        operands = tuple([instead.get(x, x) for x in self.operands])
        whole = graph.node_of(stretch_of(self), operands, type(self.numbers[0])())
        numbered = enumerate(self.numbers)
        return [graph.node_of(result_of(self, j), (whole,), x) for j, x in numbered]

    def multiply(
        self, is_row: bool, weights: Sequence[Number], nodes: Sequence[Value] | None
    ) -> list[Number]:
        """Return a row of weights times the matrix, or the matrix times a column of them.

        They are a graph over nodes that stand for the operands, if there are any, else numbers.
        """
        if nodes is None and not any(isinstance(x, Value) for x in weights):
            if self._pull and is_row:
                return self._pull(weights)
            with recording():
                return self._multiply(is_row, weights, as_graphs=False)
        instead = dict(zip(self.operands, nodes or self.operands, strict=True))
        return run_without_graph(lambda: self._multiply(is_row, weights, as_graphs=True), instead)

    def _multiply(self, is_row: bool, weights: Sequence[Number], as_graphs: bool) -> list[Number]:
        if is_row and as_graphs and self._pull_as_graph:
            return self._pull_as_graph(weights)
        map = Linearization(self.again(), self.operands, as_graphs, is_cut=True)
        return map.pull(weights) if is_row else map.push(weights)

    def __reduce__(self) -> NoReturn:
        raise PicklingError(
            "a graph with checkpoints cannot be pickled, as it holds a function to run again: "
            "pickle the numbers that it was computed from"
        )


def stretch_of(stretch: Stretch) -> Primitive:
    """Return the operation of the node of a stretch."""

    def partials(out: object, *operands: Numeric) -> tuple[Combination, ...]:
        nodes = operands if isinstance(operands[0], Value) else None
        return tuple([Combination(stretch, False, i, ONE, nodes) for i in range(len(operands))])

    return Primitive("stretch", _refuse_to_refresh, partials, (stretch_of, (stretch,)))


def result_of(stretch: Stretch, place: int) -> Primitive:
    """Return the operation that takes a result out of a stretch."""
    partials = (Combination(stretch, True, place),)
    made_by = result_of, (stretch, place)
    return Primitive("result", _refuse_to_refresh, lambda out, whole: partials, made_by)


def _refuse_to_refresh(*numbers: float) -> NoReturn:
    raise _incomplete("refresh()", "build it again")


def _incomplete(reader: str, instead: str) -> RuntimeError:
    return RuntimeError(f"{reader} needs the whole graph, got one with checkpoints: {instead}")


def require_whole(nodes: Iterable[Value], reader: str, instead: str) -> None:
    """Raise `RuntimeError` if a stretch is among the nodes of a graph that is not differentiated.

    >>> y = run_without_graph(lambda x=Value(2.0): x * x)
    >>> require_whole(graph.topological_order(y), "a poem", "leave them out")
    Traceback (most recent call last):
    RuntimeError: a poem needs the whole graph, got one with checkpoints: leave them out
    """
    if any(node.op and node.op.forward is _refuse_to_refresh for node in nodes):
        raise _incomplete(reader, instead)


class Combination(Operand):
    """A weighted sum of the results of a stretch, which is a row, or of its operands, a column.

    It is a single one of them with its weight, or has `parts`, which add up to it: many are added
    one after the other, and looked at once. If the derivative is a graph, its columns have the
    `nodes` that stand for the operands.
    """

    __slots__ = ("_product", "is_row", "nodes", "parts", "place", "stretch", "weight")

    def __init__(
        self,
        stretch: Stretch,
        is_row: bool,
        place: int,
        weight: Number = ONE,
        nodes: Sequence[Value] | None = None,
        parts: Sequence[Combination] = (),
    ) -> None:
        self.stretch, self.is_row, self.place, self.weight = stretch, is_row, place, weight
        self.nodes, self.parts = nodes, parts
        self._product: list[Number] | None = None

    def record(self, op: Primitive, operands: tuple[Numeric, ...]) -> Numeric:
        """Return a sum, a multiple, or the entry of a product with a single row or column."""
        if op in (add, sum_):
            return Combination(self.stretch, self.is_row, 0, 0, self.nodes, operands)
        x, y = operands if op is multiply else (None, None)
        if isinstance(x, Combination) and isinstance(y, Combination):
            return x.product(x.nodes or y.nodes)[y.place]
        scale = y if x is self else x
        if scale is None or self.parts:
            raise TypeError(f"{op.name} is not linear, and {self!r} is a linear map")
        weight = scale if self.weight is ONE else scale * self.weight  # without a node for that
        return Combination(self.stretch, self.is_row, self.place, weight, self.nodes)

    def product(self, nodes: Sequence[Value] | None) -> list[Number]:
        """Return all entries of the product with the matrix, computed once."""
        if self._product is None:
            self._product = self.stretch.multiply(self.is_row, self.weights(), nodes)
        return self._product

    def weights(self) -> list[Number]:
        """Return the weights of all results or operands."""
        count = len(self.stretch.numbers if self.is_row else self.stretch.operands)
        weights: list[Number] = [0] * count
        rest = [self]
        while rest:
            one = rest.pop()
            if one.parts:
                rest += reversed(one.parts)
            else:
                own = weights[one.place]
                weights[one.place] = one.weight if is_zero(own) else own + one.weight
        return weights

    def __add__(self, other: Numeric) -> Numeric:
        return self.record(add, (self, other))

    def __mul__(self, other: Numeric) -> Numeric:
        return self.record(multiply, (self, other))

    def __rmul__(self, weight: Numeric) -> Numeric:
        return self.record(multiply, (weight, self))

    def __repr__(self) -> str:
        return "the derivative of steps whose graph was not kept"
