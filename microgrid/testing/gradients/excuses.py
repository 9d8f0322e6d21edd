"""A derivative is off: rounding, a kink or noise may explain it, or no primitive is to blame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product

from ...engine import Value
from .blame import find_doubts, find_missing_edge, has_kink_within, reach
from .differences import KINK, LOSES, NOISY, OUTSIDE, RIGHT, WRONG
from .report import DerivativeVerdict
from .rounding import Rounding, sample_rounding
from .subject import Subject, backward
from .sweeps import (
    Sweep,
    forward_sweep,
    nodes_of,
    number,
    operation_of,
    operation_text,
    reverse_sweep,
)

__all__ = ["blame_no_primitive", "excuse"]

CHAIN_RULE = "no primitive is to blame, but the chain rule that joins their partials"
NO_EDGE = "no primitive is to blame, nor the chain rule, but an edge that the graph lacks"
BESIDE = (1.123e-2, 1.123e-4, 1.123e-6)  # of the unit of x: where a kink is left behind


def excuse(subject: Subject, verdicts: Sequence[DerivativeVerdict]) -> list[DerivativeVerdict]:
    """Return verdicts of one order, no longer "wrong" where rounding, a kink or noise explains it.

    The primitives of f have been found to be right.
    """
    wrong = {v.derivative: v.input for v in verdicts if v.kind == WRONG and v.claimed is not None}
    if not wrong:
        return [*verdicts]
    graph = subject.graph(verdicts[0].order)
    moving = [x for x, name in zip(graph[0], subject.inputs, strict=True) if name in wrong.values()]
    doubts = find_doubts((moving, graph[1]))
    derivatives = subject.derivatives(verdicts[0].order)
    places = {name: _Component(subject, derivatives[name], graph) for name in wrong}
    return [
        places[verdict.derivative].explain(verdict, doubts) if verdict.kind == WRONG else verdict
        for verdict in verdicts
    ]


def blame_no_primitive(subject: Subject, verdict: DerivativeVerdict) -> str:
    """Return what is to blame for a wrong derivative where no primitive is."""
    places = subject.derivatives(verdict.order)[verdict.derivative]
    place = _Component(subject, places, subject.graph(verdict.order))
    by_chain = number(reverse_sweep(place.output, place.x))
    if not math.isclose(by_chain, _claim(verdict), rel_tol=1e-6):
        return f"{CHAIN_RULE}, which should give {by_chain:.8g}"
    try:
        how = find_missing_edge(subject.graph(1), place.subject_beside(BESIDE[0]).graph(1))
    except (ArithmeticError, ValueError):
        how = ""
    return f"{NO_EDGE}:\n{how or 'something is computed from the data of the input alone'}"


def _claim(verdict: DerivativeVerdict) -> float:
    return math.nan if verdict.claimed is None else verdict.claimed


class _Component:
    """One derivative of f: of which output of a graph it is, and by which input."""

    def __init__(self, subject: Subject, places: tuple[int, ...], graph: Sweep) -> None:
        self.subject, self.places, self.order = subject, places, len(places)
        self.row, self.column = subject.row(places), places[-1]
        self.output, self.x = graph[1][self.row], graph[0][self.column]

    def explain(self, verdict: DerivativeVerdict, doubts: dict[Value, str]) -> DerivativeVerdict:
        """Return the verdict, or another one if something explains how far the derivative is off.

        `doubts` are the nodes at which the chain rule need not hold, and why.
        """
        claimed = _claim(verdict)
        if not math.isfinite(claimed) and (node := self.overflow(verdict.mode)) is not None:
            note = f"{operation_text(node)} of the gradient overflows"
            return replace(verdict, kind=OUTSIDE, note=note)
        off = verdict.finding.error(claimed)
        rounding = self.rounding(verdict.mode)
        if off < rounding.bound:
            where = rounding.where
            note = f"{verdict.derivative} loses digits in {where}" if where else ""
            return replace(verdict, kind=LOSES, note=note)
        for node, kind in doubts.items():
            if self.is_right_beside if kind == KINK else off < reach(node, self.output, self.x):
                at = operation_text(node, "at")
                note = f"{at} is {kind}, where the chain rule need not hold"
                return replace(verdict, kind=kind, note=note)
        if (turning := self.turning_within(verdict.step, off)) is not None:
            note = f"{operation_text(turning, 'at')} has a kink nearer than differences can see"
            return replace(verdict, kind=NOISY, note=note)
        return verdict

    def turning_within(self, step: float | None, off: float) -> Value | None:
        """Return a node that has a kink within the step of a difference, and spoils it."""
        try:
            return next(self._turning_within(step, off), None) if step else None
        except (ArithmeticError, ValueError):
            return None  # a step leaves the domain

    def _turning_within(self, step: float, off: float) -> Iterator[Value]:
        tangents = {self.x: 1.0}
        for node in nodes_of(self.output):
            moving = [tangents.get(parent, 0.0) for parent in node.parents]
            if not any(moving):
                continue
            partials = node.partials()
            slope = sum([t * number(p) for t, p in zip(moving, partials, strict=True) if t])
            tangents[node] = slope
            op, operands = operation_of(node), [float(parent.data) for parent in node.parents]
            if has_kink_within(op, operands, step * max(map(abs, moving))):
                chords = []
                for h in (-step, step):
                    there = [x + h * t for x, t in zip(operands, moving, strict=True)]
                    chords.append((op.forward(*there) - float(node.data)) / h)
                onwards = abs(number(reverse_sweep(self.output, node)))
                if onwards * max(abs(chord - slope) for chord in chords) > off / 4:
                    yield node

    def overflow(self, mode: str) -> Value | None:
        """Return the first node of the derivative that is too large for a float, if there is one.

        Its operands are finite.
        """
        sweep = forward_sweep if mode == "forward" else reverse_sweep
        order = nodes_of(sweep(self.output, self.x))
        beyond = [node for node in order if node.parents and not math.isfinite(node.data)]
        return next((x for x in beyond if all(math.isfinite(p.data) for p in x.parents)), None)

    def rounding(self, mode: str) -> Rounding:
        """Return a bound of the rounding error of the derivative, and where it comes from."""
        known = nodes_of(self.output) if self.order == 1 else None
        try:
            reverse, forward = [
                sample_rounding(sweep(self.output, self.x), known)
                for sweep in (reverse_sweep, forward_sweep)
            ]
        except (ArithmeticError, ValueError):
            return Rounding()
        bound = forward.bound if mode == "forward" else reverse.bound
        return Rounding(bound, reverse.where or forward.where)

    def subject_beside(self, distance: float) -> Subject:
        """Return the function at a point beside: the distance is in units of the input."""
        x = self.subject.numbers[self.column]
        return self.subject.at(self.column, x + distance * max(1.0, abs(x)))

    @cached_property
    def is_right_beside(self) -> bool:
        """Whether the derivative is right on either side of the point, at all of some distances.

        What spoils it at the point is then a kink's choice of a slope: an edge that the graph lacks
        would be missing there as well.
        """
        kinds = [self._kind_at(sign * size) for size, sign in product(BESIDE, (-1, 1))]
        return RIGHT in kinds and WRONG not in kinds

    def _kind_at(self, distance: float) -> str:
        """Return the verdict on the derivative at a point beside, "" where it has none."""
        subject = self.subject_beside(distance)
        try:
            inputs, outputs = subject.graph(self.order)
            claimed = backward(outputs[self.row], inputs)[self.column]
            finding = subject.judge(self.order)(self.row, self.column, claimed)
        except (ArithmeticError, ValueError):
            return ""
        beside = _Component(subject, self.places, (inputs, outputs))
        if finding.kind == WRONG and finding.error(claimed) < beside.rounding("reverse").bound:
            return LOSES
        return finding.kind
