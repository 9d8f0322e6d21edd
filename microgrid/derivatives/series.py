"""Taylor series of a graph, coefficient by coefficient, from the same table of partials.

Where out = f(x1, x2, …) and all of them are power series in t, the chain rule out' = Σ partial * x'
gives coefficient k of out by the coefficients of the partials below k; and the partials, applied to
series, are series themselves. So nothing is declared a second time for them (the method is that of
Griewank & Walther 2008, *Evaluating Derivatives*, chapter 13, on streams that compute themselves
when asked, as in McIlroy 1999, *Power series, power serious*).

For out = sin(x) with x = 0 + t the partial is cos(x), a series too, with the partial -sin(x). To
begin with each knows its own value alone, 0 and 1. Coefficient 1 of sin(x) is then the 1 of cos(x),
times the 1 of t; coefficient 1 of cos(x) is -0; coefficient 2 of sin(x) is that, divided by 2; and
so on in turns, 0 + t + 0t² - t³/6 against 1 + 0t - t²/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ..core.operators import Arithmetic
from ..core.primitive import Primitive, is_traced, locate, where
from ..engine import Value
from ..functional import Number
from .linearization import is_zero

__all__ = ["coefficients"]


def coefficients(
    nodes: Sequence[Value], root: Value, variable: Value, order: int, closed: bool
) -> list[Number]:
    """Return the Taylor coefficients of root, from 0 to `order`, along one of its leaves.

    `nodes` are all that root depends on and the variable, parents first. If the graph is `closed`,
    with no leaf but the variable, the coefficients are numbers, else `Value`s.

    >>> x = Value(2.0)
    >>> y = x * x
    >>> coefficients([x, y], y, x, order=3, closed=True)
    [4.0, 4.0, 1.0, 0]
    """
    table: SeriesTable = {}
    streams: dict[Value, Series] = {}
    for node in nodes:
        start = node.data if closed else node
        if node is variable:
            slope = 1.0 if node.is_traced else type(node.data)(1)
            streams[node] = Series(table, start, slope=slope)
        else:
            operands = tuple([streams[parent] for parent in node.parents])
            streams[node] = Series(table, start, node.op if operands else None, operands)
            table[node.op, operands] = streams[node]
    try:
        needed = _all_behind(streams[root], list(streams.values())) if order else []
        for k in range(1, order + 1):
            for series in needed:
                series.extend(k)
        return streams[root].terms
    finally:
        for series in (*streams.values(), *table.values()):
            vars(series).clear()  # they hold each other, and would wait for the garbage collector


def _all_behind(root: Series, streams: list[Series]) -> list[Series]:
    """Return those of the streams that a path of partials that are not `None` leads to."""
    reached = {root}
    for series in reversed(streams):
        if series in reached:
            reached.update([x for _, x in series.links])
    return [series for series in streams if series in reached]


Operands = tuple["Series | Number", ...]
SeriesTable = dict[tuple[Primitive | None, tuple[object, ...]], "Series"]


class Series(Arithmetic):
    """A function of t: its coefficients so far, and the operation that gives the next one.

    `table` holds what was computed from what, so that sin and cos, which are each other's partials,
    are two streams and not one more with every order.
    """

    def __init__(
        self,
        table: SeriesTable,
        start: Number,
        op: Primitive | None = None,
        operands: Operands = (),
        slope: float = 0,
    ) -> None:
        self.table, self.op, self.operands, self.slope = table, op, operands, slope
        self.terms: list[Number] = [start]
        # what rules branch by: a number, or what stands for one in a trace
        real = start.data if isinstance(start, Value) and not start.is_traced else start
        self._real = real  # type: ignore[assignment]  # hints call both a float

    def record(self, op: Primitive, operands: Operands) -> Series:
        """Return the series of applying `op` to operands, series and numbers."""
        # by its text, as 0.0 equals -0.0 and 1 equals 1.0
        own = [repr(x) if isinstance(x, (float, int)) else x for x in operands]
        key = op, tuple(own)
        if key not in self.table:
            self.table[key] = Series(self.table, op(*_starts(operands)), op, operands)
        return self.table[key]

    @property
    def is_traced(self) -> bool:
        """Whether this starts with a number that is not known yet."""
        return is_traced(self._real)

    @cached_property
    def links(self) -> list[tuple[Series | Number, Series]]:
        """The partials, series or numbers, each with the operand that it is by."""
        if self.op is None:
            return []
        try:
            partials = self.op.partials(self, *self.operands)
        except (ArithmeticError, ValueError) as error:
            raise locate(error, self.op, _starts(self.operands), of_derivative=True) from None
        except TypeError as error:
            raise TypeError(
                f"for a series, the partials of {self.op.name} must be made of operators and this "
                f"library's functions: {error}"
            ) from error
        self.op.require_partials(partials, len(self.operands))
        return [
            (partial, x)
            for partial, x in zip(partials, self.operands, strict=True)
            if partial is not None and isinstance(x, Series)
        ]

    def extend(self, k: int) -> None:
        """Compute the coefficients up to that of t**k, and before them what they need."""
        under_way = [self._extension(k)]  # a list, as Python's own stack is too small for some
        while under_way:
            needed = next(under_way[-1], None)
            if needed is None:
                under_way.pop()
            else:
                series, j = needed
                under_way.append(series._extension(j))

    def _extension(self, k: int) -> Iterator[tuple[Series, int]]:
        """Append the coefficients up to that of t**k, after yielding which of others must be."""
        for n in range(len(self.terms), k + 1):
            if self.op is where and is_traced(self.operands[0]):
                yield from self._extend_where(n)
                continue
            total: Number = self.slope if n == 1 else 0
            for partial, x in self.links:
                if len(x.terms) <= n:
                    yield x, n
                if not isinstance(partial, Series):
                    total = _plus(total, n, x.terms[n], partial)
                    continue
                if len(partial.terms) < n:
                    yield partial, n - 1
                for j in range(1, n + 1):
                    total = _plus(total, j, x.terms[j], partial.terms[n - j])
            self.terms.append(0 if is_zero(total) else total / n)

    def _extend_where(self, n: int) -> Iterator[tuple[Series, int]]:
        """Do so for a `where` whose branch is not known yet."""
        condition, *branches = self.operands
        for x in branches:
            if isinstance(x, Series) and len(x.terms) <= n:
                yield x, n
        slopes: list[Number] = [x.terms[n] if isinstance(x, Series) else 0 for x in branches]
        is_flat = all(map(is_zero, slopes))
        self.terms.append(0 if is_flat else where(_starts((condition,))[0], *slopes))


def _starts(operands: Operands) -> list[Number]:
    return [x.terms[0] if isinstance(x, Series) else x for x in operands]


def _plus(total: Number, j: int, slope: Number, by: Number) -> Number:
    """Return total + j * slope * by, without a node for a zero, of which a polynomial has many."""
    if is_zero(slope) or is_zero(by):
        return total
    return j * slope * by if is_zero(total) else total + j * slope * by
