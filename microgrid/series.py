"""Taylor series of a graph, coefficient by coefficient, from the same table of partials.

Where out = f(x1, x2, …) and all of them are power series in t, the chain rule out' = Σ partial * x'
gives coefficient k of out by the coefficients of the partials below k; and the partials, applied to
series, are series themselves. So nothing is declared a second time for them (the method is that of
Griewank & Walther 2008, *Evaluating Derivatives*, chapter 13, on streams that compute themselves
when asked, as in McIlroy 1999, *Power series, power serious*).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .engine import Value
from .operators import Operand
from .primitive import Primitive

__all__ = ["coefficients"]


def coefficients(
    nodes: Sequence[Value], root: Value, variable: Value, order: int, closed: bool
) -> list[Any]:
    """Return the Taylor coefficients of root, from 0 to `order`, along one of its leaves.

    `nodes` are all that root depends on and the variable, parents first. If the graph is `closed`,
    with nothing in it to derive by but the variable, they are numbers, else `Value`s.
    """
    table: dict[Any, Series] = {}
    streams: dict[Value, Series] = {}
    for node in nodes:
        start = node.data if closed else node
        if node is variable:
            streams[node] = Series(table, start, slope=type(node.data)(1))
        else:
            operands = tuple([streams[parent] for parent in node.parents])
            streams[node] = Series(table, start, node.op if operands else None, operands)
            table[node.op, operands] = streams[node]
    for k in range(order + 1):  # all of one order before the next: no stream asks far down
        for node in nodes:
            streams[node].coefficient(k)
    return streams[root].terms


def _is_zero(x: Any) -> bool:
    return not isinstance(x, Value) and x == 0


class Series(Operand):
    """A function of t: its coefficients so far, and the operation that gives the next.

    `table` holds what was computed from what, so that sin and cos, which are each other's partials,
    are two streams and not one more with every order.
    """

    def __init__(
        self,
        table: dict[Any, Series],
        start: Any,
        op: Primitive | None = None,
        operands: tuple[Any, ...] = (),
        slope: Any = 0,
    ) -> None:
        self.table, self.terms, self.op, self.operands = table, [start], op, operands
        self._data, self.slope = start.data if isinstance(start, Value) else start, slope
        self.partials: tuple[Any, ...] | None = None

    def record(self, op: Primitive, operands: tuple[Any, ...]) -> Series:
        """Return the series of applying `op` to operands, series and numbers."""
        key = op, operands
        if key not in self.table:
            start = op(*[x.terms[0] if isinstance(x, Series) else x for x in operands])
            self.table[key] = Series(self.table, start, op, operands)
        return self.table[key]

    def coefficient(self, k: int) -> Any:
        """Return the coefficient of t**k."""
        while len(self.terms) <= k:
            self.terms.append(self._next(len(self.terms)))
        return self.terms[k]

    def _next(self, k: int) -> Any:
        if self.op is None:
            return self.slope if k == 1 else 0
        if self.partials is None:
            self.partials = self.op.partials(self, *self.operands)
            self.op.require_partials(self.partials, len(self.operands))
        total: Any = 0
        for partial, x in zip(self.partials, self.operands, strict=True):
            if partial is None or not isinstance(x, Series):
                continue
            for j in range(1, k + 1) if isinstance(partial, Series) else [k]:
                slope = x.coefficient(j)
                by = partial.coefficient(k - j) if isinstance(partial, Series) else partial
                if not (_is_zero(slope) or _is_zero(by)):  # of which a polynomial has many
                    total = total + j * slope * by
        return 0 if _is_zero(total) else total / k
