"""A derivative is off: rounding, a kink or noise may explain it, or no primitive is to blame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from typing import Any

from ...core.graph import topological_order
from ...core.primitive import operands_text
from ...engine import Value
from .blame import has_kink_within, reach, undecided, unrecorded
from .differences import KINK, LOSES, NOISY, OUTSIDE, RIGHT, WRONG
from .report import Verdict
from .rounding import loss, pulled, pushed
from .subject import Graph, Subject, backward, number

__all__ = ["excused", "no_primitive"]

CHAIN_RULE = "no primitive is to blame, but the chain rule that joins their partials"
NO_EDGE = "no primitive is to blame, nor the chain rule, but an edge that the graph lacks"
BESIDE = (1.123e-2, 1.123e-4, 1.123e-6)  # of the unit of x: where a kink is left behind


def excused(subject: Subject, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return verdicts of one order, no longer "wrong" where rounding, a kink or noise explains it.

    The primitives of f have been found to be right.
    """
    wrong = {v.derivative: v.input for v in verdicts if v.kind == WRONG and v.claimed is not None}
    if not wrong:
        return [*verdicts]
    graph = subject.graph(verdicts[0].order)
    moving = [x for x, name in zip(graph[0], subject.inputs, strict=True) if name in wrong.values()]
    doubts = undecided((moving, graph[1]))
    derivatives = subject.derivatives(verdicts[0].order)
    places = {name: _Place(subject, derivatives[name], graph) for name in wrong}
    return [
        places[verdict.derivative].explained(verdict, doubts) if verdict.kind == WRONG else verdict
        for verdict in verdicts
    ]


def no_primitive(subject: Subject, verdict: Verdict) -> str:
    """Return what is to blame for a wrong derivative where no primitive is."""
    places = subject.derivatives(verdict.order)[verdict.derivative]
    place = _Place(subject, places, subject.graph(verdict.order))
    by_chain = pulled(place.output, place.x) if isinstance(place.output, Value) else 0
    claimed = math.nan if verdict.claimed is None else verdict.claimed
    if not math.isclose(number(by_chain), claimed, rel_tol=1e-6):
        return f"{CHAIN_RULE}, which should give {number(by_chain):.8g}"
    try:
        how = unrecorded(subject.graph(1), place.moved(BESIDE[0]).graph(1))
    except (ArithmeticError, ValueError):
        how = ""
    return f"{NO_EDGE}:\n{how or 'something is computed from the data of the input alone'}"


class _Place:
    """One derivative of f: of which output of a graph it is, and by which input."""

    def __init__(self, subject: Subject, places: tuple[int, ...], graph: Graph) -> None:
        self.subject, self.places, self.order = subject, places, len(places)
        self.row, self.column = subject.row(places), places[-1]
        self.output, self.x = graph[1][self.row], graph[0][self.column]

    def explained(self, verdict: Verdict, doubts: dict[Value, str]) -> Verdict:
        """Return the verdict, or another one if something explains how far the derivative is off.

        `doubts` are the nodes at which the chain rule need not hold, and why.
        """
        claimed = math.nan if verdict.claimed is None else verdict.claimed
        if not math.isfinite(claimed) and (node := self.overflow(verdict.mode)):
            op: Any = node.op
            note = f"{op.name!r} of {operands_text(node.parents)} of the gradient overflows"
            return replace(verdict, kind=OUTSIDE, note=note)
        off = verdict.finding.error(claimed)
        bound, where = self.rounding(verdict.mode)
        if off < bound:
            note = f"{verdict.derivative} loses digits in {where}" if where else ""
            return replace(verdict, kind=LOSES, note=note)
        for node, kind in doubts.items():
            at_kink = kind == KINK
            if self.is_right_beside if at_kink else off < reach(node, self.output, self.x):
                op = node.op
                at = operands_text(node.parents)
                note = f"{op.name!r} at {at} is {kind}, where the chain rule need not hold"
                return replace(verdict, kind=kind, note=note)
        try:
            turning = next(self.turning_within(verdict.step, off), None)
        except (ArithmeticError, ValueError):
            turning = None  # a step leaves the domain
        if turning is not None:
            op = turning.op
            at = operands_text(turning.parents)
            note = f"{op.name!r} at {at} has a kink nearer than differences can see"
            return replace(verdict, kind=NOISY, note=note)
        return verdict

    def turning_within(self, step: float | None, off: float) -> Iterator[Value]:
        """Yield the nodes that have a kink within the step of a difference, and spoil it."""
        tangents = {self.x: 1.0}
        for node in (
            topological_order(self.output) if step and isinstance(self.output, Value) else ()
        ):
            moving = [tangents.get(parent, 0.0) for parent in node.parents]
            if not step or not any(moving):
                continue
            partials = node.partials()
            slope = sum([t * float(p or 0) for t, p in zip(moving, partials, strict=True) if t])
            tangents[node] = slope
            op: Any = node.op
            operands = [float(parent.data) for parent in node.parents]
            if has_kink_within(op, operands, step * max(map(abs, moving))):
                chords = []
                for h in (-step, step):
                    moved = [x + h * t for x, t in zip(operands, moving, strict=True)]
                    chords.append((op.forward(*moved) - float(node.data)) / h)
                onwards = abs(number(pulled(self.output, node)))
                if onwards * max(abs(chord - slope) for chord in chords) > off / 4:
                    yield node

    def overflow(self, mode: str) -> Value | None:
        """Return the first node of the derivative that is too large for a float, if there is one.

        Its operands are finite.
        """
        derivative = (pushed if mode == "forward" else pulled)(self.output, self.x)
        order = topological_order(derivative) if isinstance(derivative, Value) else []
        beyond = [node for node in order if node.parents and not math.isfinite(node.data)]
        return next((x for x in beyond if all(math.isfinite(p.data) for p in x.parents)), None)

    def rounding(self, mode: str) -> tuple[float, str]:
        """Return a bound of the rounding error of the derivative, and where it comes from."""
        if not isinstance(self.output, Value):
            return 0.0, ""
        known = topological_order(self.output) if self.order == 1 else None
        try:
            sweeps = [sweep(self.output, self.x) for sweep in (pulled, pushed)]
            losses = [loss(derivative, known) for derivative in sweeps]
        except (ArithmeticError, ValueError):
            return 0.0, ""
        where = next((lost.where for lost in losses if lost.where), "")
        return losses[mode == "forward"].bound, where

    def moved(self, distance: float) -> Subject:
        """Return the function at a point beside: the distance is in units of the input."""
        x = self.subject.numbers[self.column]
        return self.subject.moved(self.column, x + distance * max(1.0, abs(x)))

    @cached_property
    def is_right_beside(self) -> bool:
        """Whether the derivative is right on either side of the point, at all of some distances.

        What spoils it at the point is then a kink's choice of a slope: an edge that the graph lacks
        would be missing there as well.
        """
        kinds = [self._kind_at(sign * size) for size, sign in product(BESIDE, (-1, 1))]
        return RIGHT in kinds and WRONG not in kinds

    def _kind_at(self, distance: float) -> str:
        """Return the verdict on the derivative at a point beside, "" where there is none."""
        subject = self.moved(distance)
        try:
            inputs, outputs = subject.graph(self.order)
            claimed = backward(outputs[self.row], inputs)[self.column]
            found = subject.judge(self.order)(self.row, self.column, claimed)
        except (ArithmeticError, ValueError):
            return ""
        beside = _Place(subject, self.places, (inputs, outputs))
        if found.kind == WRONG and found.error(claimed) < beside.rounding("reverse")[0]:
            return LOSES
        return found.kind
