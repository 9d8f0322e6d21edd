"""The steps of a loop in kernels: several in each, forward, and back through them again.

A step is traced as a function of the numbers in its carry, of those in its x, and of the `Value`s
from outside that it uses. Several successive steps are one program, so that the cost of calling a
kernel is shared by all of them. The program that goes back through them takes them again, from the
carry of the first one: nothing in between is kept. The gradients of the `Value`s from outside are
added up afterwards, over the calls as over the rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...core import graph
from ...core.graph import order_beyond, recording
from ...core.modes import current, expanded, unrecorded, watched
from ...core.primitive import argument
from ...derivatives.checkpoints import Stretch, frontier
from ...derivatives.linearization import Linearization
from ...derivatives.trees import Structure, flatten
from ...engine import Value
from ...functional import Number
from ...guards.locks import compiling, is_held
from ..native.kernel import ArrayKernel
from ..passes import optimize_graph
from ..program import Program, as_values
from ..trace import Traced, nothing_swallowed, unknown
from .compiled import MOST_KERNELS, MOST_ON_STACK, Compiled, compile

__all__ = ["Loop", "single_numbers", "take_steps"]

MOST_OPERANDS = 400  # of the steps in one program: beside them, the call of a kernel costs little

StepFunction = Callable[..., Any]
KernelCall = Callable[[list[float], list[float]], list[float]]
_loops: WeakKeyDictionary[Compiled[object, object], dict[object, Loop]] = WeakKeyDictionary()


class Given(NamedTuple):
    """What a loop is given: the numbers in the carry and in the xs, and their structures.

    `of_x` is None if there are no xs, and `are_alike` says that all have its structure.
    """

    state: list[Number]
    of_carry: Structure
    inputs: list[Number]
    of_x: Structure | None
    are_alike: bool


def single_numbers(carry: object, xs: Sequence[object] | None) -> Given | None:
    """Return what a loop is given; None if there are arrays, which stand for rows, or no numbers.

    >>> single_numbers([1.0, 2.0], [3.0, 4.0]).inputs, single_numbers(None, [3.0])
    ([3.0, 4.0], None)
    """
    try:
        state, of_carry = flatten(carry)
        inputs, of_x = flatten(xs[0]) if xs else ([], None)
        are_alike = True
        if xs and all(isinstance(x, (float, int, Value)) for x in xs):
            inputs = [*xs]
        else:
            for x in (xs or [])[1:]:
                more, own = flatten(x)
                inputs += more
                are_alike &= of_x is not None and own.paths == of_x.paths
    except TypeError:
        return None  # the function itself refuses it, in better words
    if _has_arrays(of_carry) or (of_x and _has_arrays(of_x)):
        return None
    return Given(state, of_carry, inputs, of_x, are_alike)


def take_steps(
    f: Compiled[object, object], step: StepFunction, given: Given, count: int
) -> tuple[Any, list[object]] | None:
    """Return the last carry of a loop and its ys; None if kernels must not take its steps.

    They must not if every step is looked at, or is part of what is traced.

    Args:
        f: the compiled function.
        step: takes a step in Python.
        given: the numbers to begin with.
        count: how many steps there are, at least one.
    """
    looks = (expanded and current(expanded)) or (watched and current(watched))
    state, of_carry, inputs, of_x, are_alike = given
    if looks or not are_alike or is_held(compiling) or _has_traced([*state, *inputs]):
        return None
    loop = _loop_of(f, step, of_carry, of_x)
    if _has_traced(loop.body.captured):
        return None
    last, ys = loop.run(state, inputs, count)
    return of_carry.argument(last), loop.body.trees_of(ys)


def _has_arrays(structure: Structure) -> bool:
    """Return whether there is an array in a tree, which stands for rows in a compiled function."""
    return any(dimensions is not None for dimensions in structure.dimensions)


def _has_traced(numbers: Sequence[Number]) -> bool:
    return any(isinstance(x, Value) and x.is_traced for x in numbers)


def _loop_of(
    f: Compiled[object, object], step: StepFunction, of_carry: Structure, of_x: Structure | None
) -> Loop:
    """Return the kernels for trees of these structures, made if there are none."""
    known = _loops.setdefault(f, {})
    trees = [of.argument([0.0] * len(of.paths)) if of else None for of in (of_carry, of_x)]
    key = repr(trees)
    if key not in known:
        loop = Loop(Body(step, of_carry, of_x))
        if any(x.parents for x in loop.body.captured):
            return loop  # another call may not find the same nodes
        if len(known) >= MOST_KERNELS:
            known.clear()
        known[key] = loop
    return known[key]


class Body:
    """The body of a loop: a step, as a function of numbers.

    `size`, `width` and `height` are how many numbers a carry, an x and a y have, and `captured` are
    the `Value`s from outside that the step uses. `operands` says how long it is.

    Args:
        step: makes a carry and a y of a carry and an x.
        of_carry: the structure of a carry.
        of_x: the structure of an x; None if there is none.
    """

    def __init__(self, step: StepFunction, of_carry: Structure, of_x: Structure | None) -> None:
        self.step, self.of_carry, self.of_x = step, of_carry, of_x
        self.of_y: Structure | None = None
        self.size, self.width = len(of_carry.paths), len(of_x.paths) if of_x else 0
        start = graph.advance_clock()
        inputs, roots = self.trace(1)
        old = [x for x in roots if graph.is_older(x, start) and not x.is_constant]
        self.captured = [*dict.fromkeys([*old, *frontier(roots, start)])]
        self.height = len(roots) - self.size
        made = order_beyond({*inputs, *self.captured}, *roots)
        self.operands = sum(len(node.parents) for node in made) or 1

    def trace(self, count: int) -> tuple[list[Value], list[Value]]:
        """Return the traced numbers that some steps get, and what they make of them."""
        state: list[Value] = [Traced(f"carry{path}") for path in self.of_carry.paths]
        paths = self.of_x.paths if self.of_x else []
        xs: list[Value] = [Traced(f"x{path}") for _ in range(count) for path in paths]
        with nothing_swallowed():
            return [*state, *xs], as_values(self.take(state, xs, count))

    def take(self, state: Sequence[Number], xs: Sequence[Number], count: int) -> list[Number]:
        """Take steps in Python; return the numbers of the last carry and those of all ys."""
        carry: object = self.of_carry.argument(state)
        ys: list[Number] = []
        for i in range(count):
            x = self.of_x.argument(self.part_of(xs, i, 1)) if self.of_x else None
            carry, y = self.step(carry, x)
            if y is not None:
                numbers, self.of_y = flatten(y)
                ys += numbers
        return [*flatten(carry)[0], *ys]

    def part_of(self, xs: Sequence[Number], begin: int, count: int) -> Sequence[Number]:
        """Return the numbers that some steps get as their xs."""
        return xs[begin * self.width : (begin + count) * self.width]

    def trees_of(self, ys: list[Number]) -> list[object]:
        """Return the ys that have these numbers."""
        if self.of_y is None:
            return []
        places = range(0, len(ys), self.height)
        return [self.of_y.argument(ys[place : place + self.height]) for place in places]

    def collect(self, state: list[Number], xs: list[Number] | None) -> tuple[object, object]:
        """Take a step that has the carry that it gets as its y."""
        return self.take(state, xs or [], 1)[: self.size], state

    def go_back(self, sums: list[Number], row: list[Number]) -> tuple[object, object]:
        """Return the gradients of a step's carry and x from those of its result.

        The carry has the totals for the captured values beside it.
        """
        g, totals = sums[: self.size], sums[self.size :]
        count = self.size + self.width
        nodes = [
            x.record(argument, (x,)) if isinstance(x, Value) else Value(x) for x in row[:count]
        ]
        roots = as_values(self.take(nodes[: self.size], nodes[self.size :], 1))
        map = Linearization(roots, [*nodes, *self.captured], as_graphs=True, is_cut=True)
        found = map.pull([*g, *row[count:]])
        added = [total + by for total, by in zip(totals, found[count:], strict=True)]
        return [*found[: self.size], *added], found[self.size : count] or None


class Loop:
    """A loop of steps that kernels take, `many` in each, and one by one what is left over."""

    def __init__(self, body: Body) -> None:
        self.body = body
        room = MOST_ON_STACK - 3 * body.size - len(body.captured)
        most = min(MOST_OPERANDS // body.operands, room // (2 * body.width + body.height or 1))
        self.one, self.many = StepKernels(body, 1), StepKernels(body, max(most, 1))
        self._derivative: tuple[Loop, Loop] | None = None

    def run(
        self, state: Sequence[Number], inputs: Sequence[Number], count: int
    ) -> tuple[Sequence[Number], list[Number]]:
        """Return the numbers in the last carry, and in the ys of `count` steps."""
        body = self.body
        values = [x for x in (*state, *inputs, *body.captured) if isinstance(x, Value)]
        is_recorded = not (unrecorded and current(unrecorded))
        size = count
        if is_recorded and not all(x.is_constant for x in values):
            size = self.many.count * (isqrt(count // self.many.count) + 1)
        ys: list[Number] = []
        for begin in range(0, count, size):
            inside = body.part_of(inputs, begin, size)
            part = LoopPart(self, state, inside, min(size, count - begin))
            results = part.results(is_recorded)
            state = results[: body.size]
            ys += results[body.size :]
        if values and not is_recorded:
            state, ys = as_values(state), [*as_values(ys)]
        return state, ys

    def pieces(self, count: int) -> Iterator[tuple[StepKernels, int]]:
        """Yield the kernels that together take some steps, each with the number of its first."""
        whole = count - count % self.many.count
        for begin in range(0, whole, self.many.count):
            yield self.many, begin
        for begin in range(whole, count):
            yield self.one, begin

    def derivative(self) -> tuple[Loop, Loop]:
        """Return two loops: one collects the carry of each step, one goes back through them."""
        if self._derivative is None:
            body = self.body
            xs = _of_list(body.width) if body.of_x else None
            rows = _of_list(body.size + body.width + body.height)
            sums = _of_list(body.size + len(body.captured))
            collect = Body(body.collect, _of_list(body.size), xs)
            self._derivative = Loop(collect), Loop(Body(body.go_back, sums, rows))
        return self._derivative


def _of_list(count: int) -> Structure:
    return flatten([0.0] * count)[1]


class LoopPart:
    """A part of a loop, from one checkpoint to the next one.

    Args:
        loop: the loop.
        state: the numbers in the carry of its first step.
        xs: the numbers in the xs of its steps.
        count: how many steps it has.
    """

    def __init__(
        self, loop: Loop, state: Sequence[Number], xs: Sequence[Number], count: int
    ) -> None:
        self.loop, self.state, self.xs, self.count = loop, state, xs, count
        self.start, self.inputs, self.captured = map(_numbers, (state, xs, loop.body.captured))

    def results(self, is_recorded: bool) -> list[Number]:
        """Return the numbers in the last carry and in the ys, as nodes if there are operands."""
        given = (*self.state, *self.xs, *self.loop.body.captured)
        operands = [
            *dict.fromkeys([x for x in given if isinstance(x, Value) and not x.is_constant])
        ]
        numbers = self.forward()
        if not operands or not is_recorded:
            return [*numbers]

        def again() -> list[Value]:
            return as_values(self.loop.body.take(self.state, self.xs, self.count))

        def pull(cotangents: Sequence[Number]) -> list[Number]:
            return add_up(self.pull(_numbers(cotangents)))

        def pull_as_graph(cotangents: Sequence[Number]) -> list[Number]:
            return add_up(self.pull_as_graph(cotangents))

        def add_up(derivatives: Sequence[Number]) -> list[Number]:
            totals: dict[Value, Number] = dict.fromkeys(operands, 0.0)
            for x, derivative in zip(given, derivatives, strict=True):
                if isinstance(x, Value) and x in totals:
                    totals[x] += derivative
            return [*totals.values()]

        return [*Stretch(again, operands, numbers, pull, pull_as_graph).results()]

    def forward(self) -> list[float]:
        """Return the numbers in the last carry and in the ys."""
        size, state = self.loop.body.size, self.start
        ys: list[float] = []
        for steps, xs, _ in self.pieces():
            results = steps.forward([*state, *xs], self.captured)
            state = results[:size]
            ys += results[size:]
        return [*state, *ys]

    def pieces(self) -> Iterator[tuple[StepKernels, list[float], slice]]:
        """Yield the kernels that take the steps, the numbers in their xs, and the place of ys."""
        width, height = self.loop.body.width, self.loop.body.height
        for steps, begin in self.loop.pieces(self.count):
            end = begin + steps.count
            yield (
                steps,
                self.inputs[begin * width : end * width],
                slice(begin * height, end * height),
            )

    def pull(self, cotangents: list[float]) -> list[float]:
        """Return a weighted sum's derivatives: for the carry, the xs and what is captured."""
        size, state = self.loop.body.size, self.start
        under_way = []
        for steps, xs, place in self.pieces():
            under_way.append((steps, xs, place, state))
            state = steps.forward([*state, *xs], self.captured)[:size]
        g, by_ys = cotangents[:size], cotangents[size:]
        by_xs: list[list[float]] = []
        rows: dict[StepKernels, list[list[float]]] = {}
        for steps, xs, place, state in reversed(under_way):
            row = [*state, *xs, *g, *by_ys[place]]
            rows.setdefault(steps, []).append(row)
            results = steps.backward(row, self.captured)
            g = results[:size]
            by_xs.append(results[size:])
        totals = np.zeros(len(self.captured))
        for steps, own in rows.items():
            totals += steps.totals(own, self.captured)
        return [*g, *[x for part in reversed(by_xs) for x in part], *totals.tolist()]

    def pull_as_graph(self, cotangents: Sequence[Number]) -> list[Number]:
        """Return them as a graph, by loops whose steps kernels take."""
        loop = self.loop
        size, width, height = loop.body.size, loop.body.width, loop.body.height
        collect, go_back = loop.derivative()
        states = collect.run(self.state, self.xs, self.count)[1]
        parts = [(states, size), (self.xs, width), (cotangents[size:], height)]
        rows: list[Number] = []
        for i in reversed(range(self.count)):
            rows += [x for numbers, many in parts for x in numbers[i * many : (i + 1) * many]]
        start = [*cotangents[:size], *[0.0] * len(loop.body.captured)]
        sums, by_xs = go_back.run(start, rows, self.count)
        places = reversed(range(0, len(by_xs), width or 1))
        return [*sums[:size], *[x for i in places for x in by_xs[i : i + width]], *sums[size:]]


def _numbers(given: Sequence[Number]) -> list[float]:
    return [float(x.data) if isinstance(x, Value) else float(x) for x in given]


class StepKernels:
    """The kernels of some steps of a loop, which follow each other.

    `forward` takes the numbers in a carry and in xs, and those of what is captured; it returns the
    numbers in a carry and in ys. `backward` takes, beside these, cotangents of what `forward`
    returns; it returns the derivatives with respect to the carry and the xs.
    """

    def __init__(self, body: Body, count: int) -> None:
        self.body, self.count = body, count
        self._forward: KernelCall | None = None
        self._back: tuple[KernelCall, ArrayKernel] | None = None

    @property
    def forward(self) -> KernelCall:
        """The kernel that takes the steps."""
        if self._forward is None:
            captured = self.body.captured
            with unknown(captured):
                inputs, roots = self.body.trace(self.count)
                self._forward = _kernel(_program(roots, [*inputs, *captured]), len(captured))
        return self._forward

    @property
    def backward(self) -> KernelCall:
        """The kernel that goes back through them."""
        return self._kernels()[0]

    def totals(self, rows: list[list[float]], captured: list[float]) -> NDArray[np.float64]:
        """Return the derivatives for what is captured, added up over arguments of `backward`."""
        columns = np.array(rows).T.copy()
        return np.asarray(self._kernels()[1](captured, [*columns], (len(rows),)))

    def _kernels(self) -> tuple[KernelCall, ArrayKernel]:
        if self._back is None:
            captured = self.body.captured
            with unknown(captured), recording():
                inputs, roots = self.body.trace(self.count)
                cotangents = [Traced(f"by_result{i}") for i in range(len(roots))]
                map = Linearization(roots, [*inputs, *captured], as_graphs=True, is_cut=True)
                found = as_values(map.pull(cotangents))
                count, given = len(inputs), [*inputs, *cotangents, *captured]
                back, totals = (_program(part, given) for part in (found[:count], found[count:]))
            shared = range(len(given) - len(captured), len(given))
            self._back = _kernel(back, len(captured)), ArrayKernel(totals, shared, "sum")
        return self._back


def _program(roots: Sequence[Value], inputs: Sequence[Value]) -> Program:
    return optimize_graph(roots, inputs, order_beyond(set(inputs), *roots))


def _kernel(program: Program, captured: int) -> KernelCall:
    """Return what computes a program: by a kernel, each number once that is not a constant."""
    constants = [program.constant_at(slot) or 0.0 for slot in program.outputs]
    varying = dict.fromkeys(x for x in program.outputs if program.constant_at(x) is None)
    place = {slot: i for i, slot in enumerate(varying)}
    places = [place.get(slot, -1) for slot in program.outputs]
    rest = Program(program.inputs, program.steps, varying)
    compute = _computation(rest, captured) if varying else lambda given, captured: []
    if places == [*range(len(places))]:
        return compute

    def fill(given: list[float], captured: list[float]) -> list[float]:
        found = compute(given, captured)
        return [x if i < 0 else found[i] for x, i in zip(constants, places, strict=True)]

    return fill


def _computation(program: Program, captured: int) -> KernelCall:
    count = len(program.inputs)
    if count + len(program.outputs) <= MOST_ON_STACK:
        direct = compile(program)
        return lambda given, captured: direct(*given, *captured)
    kernel = ArrayKernel(program, range(count - captured, count))
    return lambda given, captured: [*kernel(captured, given, ())]
