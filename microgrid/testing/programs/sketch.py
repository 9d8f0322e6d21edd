"""Random programs are drawn node by node, each with a point at which it is smooth.

Next to its number at the point, every node holds its numbers at the point's neighbours, where one
input is moved by `RADIUS`. How far these are apart tells how near a kink or an edge is: a program
is smooth around its point by construction, and nothing is drawn in vain.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...core.primitive import Primitive
from .domains import CONDITION, REAL, Domain, Interval
from .source import SourceProgram, python_call, source_of

__all__ = ["Recipe", "draw_program"]

# How far any input may move from a program's point without meeting a kink, a jump or a pole. What
# a first-order look finds so near is held off twice as far, for the curvature that it misses.
RADIUS = 1 / 128
CURVATURE = 2
# The ends of a domain are kept further off: many a derivative has no bound there.
FROM_EDGE = 0.25
# A node's number and its slopes are at most this, so that a difference keeps most of its digits.
LARGEST = 100.0
# A square of an exact number has twice its digits: twenty squares, a million.
LONGEST = 2**64
TRIES = 4  # for each node that is wanted
MOST_OPERANDS = 4  # of a node that takes any number

# What is drawn: how to find an operand, an index modulo the number of nodes that fit, a number.
WAYS = st.sampled_from(["unused"] * 4 + ["any"] + ["constant"])
INDICES = st.integers(0, 59)
NUMBERS: dict[bool, SearchStrategy[Any]] = {  # by whether they are exact
    False: st.floats(-3, 3),
    True: st.fractions(-3, 3, max_denominator=12),
}
AS_DRAWN = st.booleans()
# What numbers shrink to is in almost every domain, and near no kink and no tie: around them, any
# node can still be left out.
USUAL_INPUT = 0.75
USUAL_CONSTANT = 2.0
OFF_KINK = 0.5  # from an input that is at a kink to one that is not


@dataclass(frozen=True)
class Recipe:
    """What a program may be made of, and how large it may be."""

    row: SearchStrategy[tuple[Primitive, Domain]]
    min_inputs: int
    max_inputs: int
    max_size: int
    constants: bool
    exact: bool
    smooth: bool


@dataclass(eq=False)
class _Member:
    """An input, constant, condition or result, with its numbers at the point and its neighbours."""

    numbers: list[float]
    write: Callable[..., str] | None = None  # its Python, of its operands'; an input has a name
    operands: tuple[_Member, ...] = ()

    def __post_init__(self) -> None:
        here = self.numbers[0]
        moves = zip(self.numbers[1::2], self.numbers[2::2], strict=True)
        self.reach = sum(max(abs(down - here), abs(up - here)) for down, up in moves)

    @property
    def is_constant(self) -> bool:
        return self.write is not None and not self.operands


class _Unfit(Exception):
    """What was drawn cannot be a node of a smooth program."""


@st.composite
def draw_program(draw: DrawFn, options: Recipe) -> SourceProgram:
    """Draw a program."""
    sketch = _Sketch(draw, options)
    size = draw(st.integers(1, options.max_size))
    for _ in range(TRIES * size):
        if len(sketch.results) < size:
            draw(_node(sketch))
    if not sketch.results:
        reject()
    return SourceProgram(sketch.source())


@st.composite
def _node(draw: DrawFn, sketch: _Sketch) -> None:
    """Let a sketch draw all of a node as one strategy, which shrinking then drops at once."""
    sketch.try_node(draw)


class _Sketch:
    """A program that is being drawn.

    What is drawn for a node does not depend on the nodes before: a way to find each operand, and an
    index from the latest node backwards or a number. So shrinking can drop any node, and what comes
    after still fits. An input's number is free until its first use, and then made to suit.
    """

    def __init__(self, draw: DrawFn, options: Recipe) -> None:
        self.draw, self.options = draw, options
        count = draw(st.integers(options.min_inputs, options.max_inputs))
        self.inputs = [self.input(i, self.number(USUAL_INPUT + i / 2)) for i in range(count)]
        self.free = set(self.inputs)
        self.results: list[_Member] = []
        self.used: set[_Member] = set()

    def try_node(self, draw: DrawFn) -> None:
        """Draw a primitive and its operands; keep the result if it is fit."""
        self.draw = draw
        inputs, free = self.inputs.copy(), self.free.copy()
        primitive, domain = draw(self.options.row)
        try:
            operands = self.operands(primitive, domain)
            result = self.result(primitive, domain, operands)
        except _Unfit:
            self.inputs, self.free = inputs, free
        else:
            self.results.append(result)
            self.used.update(operands, *[operand.operands for operand in operands])

    def operands(self, primitive: Primitive, domain: Domain) -> list[_Member]:
        intervals = domain.intervals
        if domain.several:
            intervals *= self.draw(st.integers(1, MOST_OPERANDS))
        operands: list[_Member] = []
        to_come = sum(not interval.held for interval in intervals)
        depends = False
        for interval in intervals:
            if interval is CONDITION:
                operands.append(self.condition())
            elif interval.held:
                operands.append(self.constant(interval))
            else:
                to_come -= 1
                # x**2.0 and 2.0**x are other primitives than x**y
                may_be_constant = (depends or to_come > 0) and primitive.name != "**"
                operand = self.operand(domain, interval, may_be_constant)
                depends = depends or not operand.is_constant
                operands.append(operand)
        return operands

    def operand(self, domain: Domain, interval: Interval, may_be_constant: bool) -> _Member:
        """Draw an input, an earlier result or a constant that fits into an interval."""
        way = self.draw(WAYS)
        if way == "constant" and may_be_constant and self.options.constants:
            return self.constant(interval)
        fit = [x for x in self.inputs + self.results[::-1] if self.fits(interval, x)]
        unused = [x for x in fit if x not in self.used]
        among = unused if unused and way == "unused" else fit
        if not among:
            raise _Unfit
        node = among[self.draw(INDICES) % len(among)]
        return self.settle(node, domain, interval) if node in self.free else node

    def fits(self, interval: Interval, node: _Member) -> bool:
        x = node.numbers[0]
        margin = max(self.margin(interval), CURVATURE * node.reach)
        return node in self.free or (x in interval and interval.from_edge(x) >= margin)

    def settle(self, node: _Member, domain: Domain, interval: Interval) -> _Member:
        """Return an input in place of a free one, with a number that suits its first use."""
        i = self.inputs.index(node)
        x = self.fold(node.numbers[0], interval)
        is_only_operand = domain.takes(1) and not domain.several
        if self.options.smooth and is_only_operand and domain.from_kink(x) < CURVATURE * RADIUS:
            x = self.fold(x + type(x)(OFF_KINK), interval)
        self.inputs[i] = self.input(i, x)
        self.free.remove(node)
        return self.inputs[i]

    def margin(self, interval: Interval) -> float:
        """Return how far an operand stays from the ends of an interval, however narrow it is."""
        return min(FROM_EDGE, (interval.high - interval.low) / 4) if self.options.smooth else 0.0

    def fold(self, x: float, interval: Interval) -> float:
        """Return a number that is inside an interval, or mirror it at the ends until it is."""
        margin = self.margin(interval)
        low, high = interval.low + margin, interval.high - margin
        if low <= x <= high:
            return x
        exactly = type(x)
        if not math.isfinite(high - low):
            return 2 * exactly(low if math.isfinite(low) else high) - x
        low, width = exactly(low), exactly(high - low)
        return low + width - abs((x - low) % (2 * width) - width)

    def number(self, usual: float) -> float:
        """Draw a number, which shrinks to the usual one if the program is to be smooth."""
        x: float = self.draw(NUMBERS[self.options.exact])
        return x if self.draw(AS_DRAWN) or not self.options.smooth else x + type(x)(usual)

    def at_rest(self, x: float) -> list[float]:
        """Return a number that is the same at the point and at all its neighbours."""
        return [x] + [float(x)] * (2 * self.options.max_inputs if self.options.smooth else 0)

    def input(self, i: int, x: float) -> _Member:
        numbers = self.at_rest(x)
        if self.options.smooth:
            numbers[2 * i + 1] -= RADIUS
            numbers[2 * i + 2] += RADIUS
        return _Member(numbers)

    def constant(self, interval: Interval) -> _Member:
        x = self.fold(self.number(USUAL_CONSTANT), interval)
        return _Member(self.at_rest(x), write=lambda: repr(x))

    def condition(self) -> _Member:
        """Draw two numbers to compare, so far apart that the neighbours compare alike."""
        anywhere = Domain(REAL, REAL)
        left = self.operand(anywhere, REAL, may_be_constant=True)
        right = self.operand(anywhere, REAL, may_be_constant=not left.is_constant)
        gap = abs(left.numbers[0] - right.numbers[0])
        if self.options.smooth and gap <= CURVATURE * (left.reach + right.reach):
            raise _Unfit
        numbers: list[float] = list(map(operator.gt, left.numbers, right.numbers))
        return _Member(numbers, "{} > {}".format, (left, right))

    def result(self, primitive: Primitive, domain: Domain, operands: list[_Member]) -> _Member:
        """Return a primitive's result, if it is smooth and not large."""
        xs = [operand.numbers[0] for operand in operands]
        reach = CURVATURE * max(operand.reach for operand in operands)
        from_edge = max(reach, min(map(self.margin, domain.intervals)))
        from_kink = max(reach, RADIUS) if self.options.smooth else 0.0
        if (
            not domain.contains(*xs)
            or domain.from_edge(*xs) < from_edge
            or domain.from_kink(*xs) < from_kink
        ):
            raise _Unfit
        rows = [operand.numbers for operand in operands]
        try:
            numbers = [primitive(*xs) for xs in zip(*rows, strict=True)]
        except OverflowError:
            raise _Unfit from None
        node = _Member(numbers, partial(python_call, primitive), tuple(operands))
        if self.options.exact:
            self.require_exact(primitive, numbers[0])
        # The first node is kept however large: else a primitive of large numbers would have none.
        if self.results and not (abs(numbers[0]) <= LARGEST and node.reach <= LARGEST * RADIUS):
            raise _Unfit
        return node

    def require_exact(self, primitive: Primitive, x: float) -> None:
        if not isinstance(x, Fraction):
            raise TypeError(
                f"exact programs need primitives that turn Fractions into Fractions, but "
                f"{primitive.name} gave {x!r}; draw from those in RATIONAL"
            )
        if max(abs(x.numerator), x.denominator) > LONGEST:
            raise _Unfit

    def source(self) -> str:
        """Return as Python the result that depends on most nodes, with these, and the point."""
        live = max(map(_ancestors, self.results), key=len)
        inputs = [node for node in self.inputs if node in live]
        idle = [node for node in self.inputs if node not in live]
        inputs += idle[: max(self.options.min_inputs - len(inputs), 0)]
        names = {node: f"x{i}" for i, node in enumerate(inputs)}

        def write(node: _Member) -> str:
            if node in names or node.write is None:
                return names[node]
            return node.write(*map(write, node.operands))

        lines = []
        for i, node in enumerate([node for node in self.results if node in live]):
            lines.append(f"t{i} = {write(node)}")
            names[node] = f"t{i}"
        point = tuple([node.numbers[0] for node in inputs])
        return source_of([names[node] for node in inputs], lines, point)


def _ancestors(node: _Member) -> set[_Member]:
    """Return a node and all that it depends on."""
    found: set[_Member] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += node.operands
    return found
