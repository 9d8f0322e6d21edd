"""Backpropagation as a list of steps: each value appears, then each share of a gradient arrives.

The sentences are written once, with holes for numbers. The numbers are apart, so that after a
change of a leaf they alone are recomputed: here, or by a page alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...core.array_rules import Numeric
from ...core.graph import require_fresh, require_leaf
from ...derivatives.checkpoints import require_whole
from ...engine import Value, topological_order
from ..formulas.notation import POWER
from ..formulas.partials import Spaced, write_partials
from ..labels import isolate, number_text
from ..names import GivenNames, all_names
from ..unnumbered import Unnumbered
from .lines import ATOM, PRODUCT, Piece, Written, fill_in, operation

__all__ = ["Edge", "Moment", "Moments"]


@dataclass(frozen=True)
class Edge:
    """An operand of a value, both by their places in the order: what a share flows along."""

    child: int
    operand: int
    parent: int


@dataclass(frozen=True)
class Moment:
    """What is seen at once: a value appears, or a share arrives along an edge.

    `otherwise` is said where there is no share, as where a `where` chose the other operand.
    """

    node: int
    text: list[Piece]
    edge: int | None = None


class Moments:
    r"""The steps of the forward and the backward pass to a root.

    `order` are the values, parents first, and `edges` are in the order of `backward`. The holes of
    the steps' texts are places in `numbers()`.

    Raises:
        RuntimeError: there is no leaf to differentiate with respect to, or the graph has
            checkpoints.

    >>> a = Value(3.0, label="a")
    >>> print("\n".join(Moments(a * a).lines()))
    a = 3
    L = a · a = 3 · 3 = 9
    ∂L/∂L = 1
    ∂L/∂a += ∂L/∂L · a = 1 · 3 = 3
    ∂L/∂a += ∂L/∂L · a = 1 · 3 = 3; ∂L/∂a = 3 + 3 = 6
    """

    def __init__(self, root: Value, names: GivenNames = None) -> None:
        self.order = topological_order(root)
        require_leaf(self.order)
        require_whole(self.order, "explore", "build it without them")
        self.place = {value: i for i, value in enumerate(self.order)}
        self.unnumbered = Unnumbered(self.order)
        self.edges = self._edges(root)
        self.names = [isolate(name) for name in all_names(self.order, names, root=root).values()]
        self.named: list[Written] = [
            ([name], PRODUCT if name.startswith("-") else ATOM) for name in self.names
        ]
        self._slopes: dict[Value, list[tuple[str, int] | None]] = {}
        self.steps = [*self._forward(), *self._backward()]

    def _edges(self, root: Value) -> list[Edge]:
        edges, reached = [], {root}
        for value in reversed(self.order):
            if value not in reached:
                continue
            partials = self.unnumbered.partials.get(value) or [...] * len(value.parents)
            for i, (parent, partial) in enumerate(zip(value.parents, partials, strict=True)):
                if partial is not None and not parent.is_constant:
                    edges.append(Edge(self.place[value], i, self.place[parent]))
                    reached.add(parent)
        return edges

    def numbers(self) -> list[float | None]:
        """Return, one after another, what the texts show.

        For each value its data, then for each its gradient; for each edge the partial derivative,
        then for each its share, then for each the sum of shares so far. None means no gradient.

        Raises:
            RuntimeError: a leaf has changed since it was used.
            ArithmeticError, ValueError: a derivative does not exist.
        """
        return [None if x is None else _float(x) for x in self.exact_numbers()]

    def exact_numbers(self) -> list[float | None]:
        """Return the same, of the types that the values have."""
        require_fresh(self.order)
        data = [value.data for value in self.order]
        gradients: list[Numeric] = [None] * len(data)
        gradients[-1] = type(data[-1])(1)
        partials, shares, sums = [], [], []
        rows: dict[int, tuple[float | None, ...]] = {}
        for edge in self.edges:
            g, partial, share = gradients[edge.child], None, None
            if g is not None:  # else nothing asks for the derivative, which may not exist
                if edge.child not in rows:
                    rows[edge.child] = self.order[edge.child].partials()
                partial = rows[edge.child][edge.operand]
            if partial is not None:
                share, so_far = g * partial, gradients[edge.parent]
                gradients[edge.parent] = share if so_far is None else so_far + share
            partials.append(partial)
            shares.append(share)
            sums.append(gradients[edge.parent])
        return [*data, *gradients, *partials, *shares, *sums]

    def results(self) -> tuple[list[object], list[Value]]:
        """Return each value's data and each edge's partial as graphs of leaves, and these leaves.

        The leaves have no numbers: what is done to them to get the results is a program.

        Raises:
            TypeError: the rule of a primitive does not work without numbers.
        """
        stand_in, partials = self.unnumbered.stand_in, self.unnumbered.partials
        derivatives = []
        for edge in self.edges:
            child = self.order[edge.child]
            row = partials[child]
            if row is None:
                assert child.op is not None
                raise TypeError(f"the partials of {child.op.name!r} ask what number an operand is")
            derivatives.append(row[edge.operand])
        leaves = [value for value in self.order if not value.parents and not value.is_constant]
        data = [stand_in[value] for value in self.order]
        return [*data, *derivatives], [stand_in[leaf] for leaf in leaves]

    def shape(self) -> list[tuple[object, ...]]:
        """Return what two graphs have in common whose numbers can be compared."""
        return [
            (value.op, value.is_constant, *(self.place[parent] for parent in value.parents))
            for value in self.order
        ]

    def changes(self, before: list[float | None]) -> list[str]:
        """Return of each value its data and its gradient: before, now, and how much larger."""
        now, count, lines = self.numbers(), len(self.order), []
        for i, value in enumerate(self.order):
            if not value.is_constant:
                data, gradient = (_change(before[place], now[place]) for place in (i, count + i))
                lines.append(f"{self.names[i]}: {data}; gradient: {gradient}")
        return lines

    def lines(self) -> list[str]:
        """Return each step's text, with the current numbers."""
        numbers = self.numbers()
        return [self._line(step, numbers) for step in self.steps]

    def _line(self, step: Moment, numbers: list[float | None]) -> str:
        n, m = len(self.order), len(self.edges)
        if step.edge is not None and numbers[2 * n + m + step.edge] is None:
            edge, root = self.edges[step.edge], self.names[-1]
            child, parent = self.names[edge.child], self.names[edge.parent]
            return f"∂{root}/∂{parent} gets no share: {root} does not depend on it through {child}"
        return fill_in(step.text, numbers)

    def _forward(self) -> list[Moment]:
        steps = []
        for i, value in enumerate(self.order):
            right: list[Piece] = [i]
            if value.op is not None and value.parents:
                places = [self.place[parent] for parent in value.parents]
                numbers: list[Written] = [
                    self.named[at] if self.order[at].is_constant else ([at], ATOM) for at in places
                ]
                named, _ = operation(value.op, [self.named[at] for at in places])
                numbered, _ = operation(value.op, numbers)
                right = [*named, " = ", *([*numbered, " = "] if numbered != named else []), i]
            if not value.is_constant:
                steps.append(Moment(i, [self.names[i], " = ", *right]))
        return steps

    def _backward(self) -> list[Moment]:
        last = len(self.order) - 1
        root, hole = self.names[last], len(self.order) + last
        steps = [Moment(last, [f"∂{root}/∂{root}", " = ", hole])]
        sums: dict[int, int] = {}  # the hole of each parent's sum so far
        for k, edge in enumerate(self.edges):
            steps.append(self._share(k, edge, sums.get(edge.parent)))
            sums[edge.parent] = 2 * len(self.order) + 2 * len(self.edges) + k
        return steps

    def _share(self, k: int, edge: Edge, before: int | None) -> Moment:
        n, m = len(self.order), len(self.edges)
        g, partial, share, total = n + edge.child, 2 * n + k, 2 * n + m + k, 2 * n + 2 * m + k
        root, child, parent = self.names[-1], self.names[edge.child], self.names[edge.parent]
        received = f"∂{root}/∂{parent}"
        text: list[Piece] = [received, " += ", f"∂{root}/∂{child}", " · ", self._slope(edge)]
        text += [" = ", g, " · ", partial, " = ", share]
        if before is not None:
            text += ["; ", received, " = ", before, " + ", share, " = ", total]
        return Moment(edge.parent, text, k)

    def _slope(self, edge: Edge) -> str:
        """Return the partial derivative in the names of the graph, if it is short enough."""
        child = self.order[edge.child]
        if child not in self._slopes:
            made, partials = self.unnumbered.stand_in[child], self.unnumbered.partials[child]
            around = {
                self.unnumbered.stand_in[v]: self.names[self.place[v]]
                for v in (child, *child.parents)
            }
            self._slopes[child] = (
                [] if partials is None else write_partials(made, partials, around, Spaced)
            )
        written = self._slopes[child][edge.operand] if self._slopes[child] else None
        if written is None:
            return f"∂{self.names[edge.child]}/∂{self.names[edge.parent]}"
        text, level = written
        return text if level >= POWER else f"({text})"


def _change(before: float | None, now: float | None) -> str:
    if before is None or now is None:
        return "none"
    larger = f"{'+' * (now > before)}{number_text(now - before)}"
    return f"{number_text(before)}, {number_text(now)}, {larger}"


def _float(x: float) -> float:
    try:
        return float(x)
    except OverflowError:  # a Fraction may be greater than any float
        return math.copysign(math.inf, x)
