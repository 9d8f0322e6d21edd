"""A function at a point: its inputs, its graphs, and its derivatives as they are computed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import product
from numbers import Real
from typing import TypeGuard

from ...calculus import gradients, jvp, vjp
from ...core.failures import failure_of
from ...core.graph import no_grad, set_gradients
from ...derivatives.checkpoints import expanding
from ...derivatives.trees import flatten
from ...engine import Value
from ...functional import Number
from ...guards.checks import quote
from ...guards.interrupts import uninterrupted
from ...nn import Module
from .differences import NOISY, WRONG, Finding, examine, examine_mixed
from .rounding import first_order_rounding
from .sweeps import Sweep, nodes_of, number

__all__ = ["WAYS", "Subject", "backward", "by_graph", "claims"]

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Claims = list[list[float]]  # for each output, its derivative with respect to each input
Judge = Callable[[int, int, float], Finding]


class Subject:
    """A function at a point, as a function of a flat list of numbers: the inputs."""

    def __init__(self, f: Callable[..., object], point: tuple[object, ...]) -> None:
        if not callable(f):
            raise TypeError(
                f"check_gradients needs a function, got {quote(f)} ({type(f).__name__})"
            )
        self.f = f
        self.name = getattr(f, "__name__", type(f).__name__).replace("<lambda>", "f")
        self.given, self.structure = flatten(point)
        if not self.given:
            raise TypeError(
                "check_gradients needs numbers to differentiate with respect to, got none"
            )
        self.numbers = [number(leaf) for leaf in self.given]
        self.inputs = _names(f, point)

    def outputs(
        self, inputs: Sequence[Number], order: int, arguments: Sequence[object] = ()
    ) -> list[Number]:
        """Return what an order differentiates: f, its gradient, its Hessian's rows, and so on."""
        with expanding():  # who is to blame, only the whole graph can say
            output = self.f(*(arguments or self.structure.argument(inputs)))
        if not _is_scalar(output):
            got = f"a list of {len(output)}" if isinstance(output, list) else repr(output)
            raise TypeError(f"check_gradients needs a function with one scalar output, got {got}")
        outputs: list[Number] = [output]
        for _ in range(order - 1):
            outputs = [d for output in outputs for d in gradients(output, list(inputs))]
        return outputs

    def graph(self, order: int) -> Sweep:
        """Return fresh inputs, and the outputs that depend on them."""
        inputs = [Value(x) for x in self.numbers]
        return inputs, self.outputs(inputs, order)

    def at(self, i: int, x: float) -> Subject:
        """Return the same function at the point with another number in the i-th input."""
        other = copy(self)
        other.numbers = [*self.numbers[:i], x, *self.numbers[i + 1 :]]
        return other

    def judge(self, order: int) -> Judge:
        """Return a function that judges a claimed derivative by differences of the outputs.

        It takes the place of the output, that of the input, and the claim.
        """
        outputs = self.along(order)
        errors = [first_order_rounding(output) for output in self.graph(order)[1]]

        @cache
        def judge(row: int, column: int, claimed: float) -> Finding:
            x = self.numbers[column]
            return examine(lambda t: outputs(column, t)[row], x, claimed, errors[row])

        return judge

    def judge_mixed(self) -> Callable[[tuple[int, ...], float], Finding]:
        """Return one that does so by differences of f itself, from the places of the inputs."""
        f = self.values()
        error = first_order_rounding(self.graph(1)[1][0])

        @cache
        def judge(places: tuple[int, ...], claimed: float) -> Finding:
            finding = examine_mixed(f, self.numbers, places, claimed, error)
            if finding.measured is None or not finding.step or finding.kind != WRONG:
                return finding
            unit = max(1.0, abs(self.numbers[places[-1]]))
            by_gradient = self._quotient_of_gradient(places, finding.step / unit)
            if abs(by_gradient - finding.measured) < abs(claimed - finding.measured) / 2:
                return replace(finding, kind=NOISY)  # a kink is too near for such steps
            return finding

        return judge

    def _quotient_of_gradient(self, places: tuple[int, ...], h: float) -> float:
        """Return a derivative as `examine_mixed` finds it, but by differences of the gradient."""
        units = [max(1.0, abs(x)) for x in self.numbers]
        total = 0.0
        signs = [*product((-1, 1), repeat=len(places))]
        for directions in signs:
            there = copy(self)
            there.numbers = [*self.numbers]
            for i, direction in zip(places, directions, strict=True):
                there.numbers[i] += direction * h * units[i]
            try:
                inputs, (output,) = there.graph(1)
                slope = backward(output, inputs)[places[0]]
            except (ArithmeticError, ValueError):
                return math.nan
            total += math.prod(directions[1:]) * slope
        return total / len(signs) / math.prod([h * units[i] for i in places[1:]])

    def values(self) -> Callable[[Sequence[float]], float]:
        """Return f as a function of the numbers in its inputs."""
        inputs = [Value(x) for x in self.numbers]
        arguments = self.structure.argument(inputs)

        @cache
        def value(numbers: tuple[float, ...]) -> float:
            for node, x in zip(inputs, numbers, strict=True):
                node.data = x
            with no_grad():
                return number(self.outputs(inputs, 1, arguments)[0])

        return lambda numbers: value(tuple(numbers))

    def along(self, order: int) -> Callable[[int, float], list[float]]:
        """Return the function that computes the outputs with another number in the i-th input."""
        inputs = [Value(x) for x in self.numbers]
        arguments = self.structure.argument(inputs)

        @cache
        def outputs(i: int, x: float) -> list[float]:
            inputs[i].data = x
            try:
                with no_grad() if order == 1 else nullcontext():
                    return [number(y) for y in self.outputs(inputs, order, arguments)]
            finally:
                inputs[i].data = self.numbers[i]

        return outputs

    def derivatives(self, order: int) -> dict[str, tuple[int, ...]]:
        """Return the derivatives of this order: the name of each, and the places of its inputs."""
        power = str(order).translate(SUPERSCRIPT) if order > 1 else ""
        return {
            f"∂{power}{self.name}/" + "".join(f"∂{self.inputs[i]}" for i in places): places
            for places in product(range(len(self.inputs)), repeat=order)
        }

    def row(self, places: Sequence[int]) -> int:
        """Return which output of `graph` has a derivative as one of its own."""
        row = 0
        for i in places[:-1]:
            row = row * len(self.inputs) + i
        return row

    def require_pure(self) -> None:
        """Raise `ValueError` unless the value of f depends on its arguments alone."""
        try:
            inputs, (output,) = self.graph(1)
        except (ArithmeticError, ValueError):
            return  # where f is undefined there is no value to ask
        (again,) = self.along(1)(0, self.numbers[0])
        if again != number(output) and not math.isnan(again):
            raise ValueError(
                f"{self.name} must return one number, however often it is called, "
                f"got {number(output)!r} and {again!r}; seed its random numbers in it"
            )
        used = set(nodes_of(output))
        for name, given, own in zip(self.inputs, self.given, inputs, strict=True):
            if isinstance(given, Value) and given in used and own not in used:
                raise ValueError(
                    f"{self.name} must compute with its arguments, but it uses the Value that was "
                    f"given for {name} itself; for a model, write "
                    "check_gradients(lambda model: loss(model), model)"
                )


def _is_scalar(x: object) -> TypeGuard[Number]:
    return isinstance(x, (Value, Real))


def _names(f: Callable[..., object], point: tuple[object, ...]) -> list[str]:
    """Return the names of the inputs: those of f's parameters, and the path within each."""
    try:
        signature = inspect.signature(f)
    except ValueError:  # a function written in C may not tell
        signature = inspect.signature(lambda *x: None)
    names: list[str] = []
    for name, argument in signature.bind(*point).arguments.items():
        for path in flatten(argument)[1].paths:
            names.append(name + (f".{path[2:-2]}" if isinstance(argument, Module) else path))
    return names


def claims(way: Way, subject: Subject, order: int) -> tuple[Claims | None, str]:
    """Return the derivatives as the library computes them, or why it does not."""
    try:
        return way(subject, order), ""
    except (ArithmeticError, ValueError) as error:
        if failure_of(error) is None:  # it was not an operation that is undefined here
            raise
        return None, str(error)


def _by_backward(subject: Subject, order: int) -> Claims:
    inputs, outputs = subject.graph(order)
    return [backward(output, inputs) for output in outputs]


def by_graph(subject: Subject, order: int) -> Claims:
    """Return the derivatives that are graphs, which the next order differentiates."""
    inputs, outputs = subject.graph(order)
    return [[number(d) for d in gradients(output, inputs)] for output in outputs]


def _by_vjp(subject: Subject, order: int) -> Claims:
    values, pull = vjp(lambda *inputs: subject.outputs(inputs, order), *subject.numbers)
    return [[number(d) for d in pull(_unit(row, len(values)))] for row in range(len(values))]


def _by_jvp(subject: Subject, order: int) -> Claims:
    columns = []
    for column in range(len(subject.numbers)):
        direction = _unit(column, len(subject.numbers))
        _, tangents = jvp(
            lambda *inputs: subject.outputs(inputs, order), subject.numbers, direction
        )
        columns.append(map(number, tangents))
    return [list(row) for row in zip(*columns, strict=True)]


Way = Callable[[Subject, int], Claims]
WAYS: dict[str, list[Way]] = {"reverse": [_by_backward, _by_vjp], "forward": [_by_jvp]}


def backward(output: Number, inputs: Sequence[Value]) -> list[float]:
    """Return what `backward()` leaves in the inputs; it changes no `grad`."""
    order = nodes_of(output)
    if not isinstance(output, Value) or all(node.parents or node.is_constant for node in order):
        return [0.0] * len(inputs)
    before = [node.grad for node in order]
    with uninterrupted():
        try:
            output.backward()
            return [number(x.grad) for x in inputs]
        finally:
            set_gradients(order, before)


def _unit(i: int, size: int) -> list[float]:
    return [float(i == j) for j in range(size)]
