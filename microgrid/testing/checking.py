"""Are the derivatives of a function right? What the library computes, against differences."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import cache, partial
from itertools import product
from numbers import Real
from typing import Any

from ..calculus import gradients, jvp, vjp
from ..engine import Value
from ..graph import no_grad, topological_order
from ..nn import Module
from ..trees import flatten
from .blame import blame, undecided
from .differences import KINK, NOISY, OUTSIDE, WRONG, Finding, examine
from .report import BY_SEVERITY, GradientReport, Verdict
from .slopes import EPSILON

__all__ = ["GradientReport", "Verdict", "check_gradients"]

NO_PRIMITIVE = (
    "the partials of all primitives are right: to blame is the chain rule that joins them, or an "
    "edge that is missing, as where a `.data` is read or stop_gradient called"
)
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Claims = list[list[float]]  # for each output, its derivatives by the inputs


def check_gradients(
    f: Callable[..., Any],
    *point: Any,
    order: int = 1,
    modes: Sequence[str] = ("reverse", "forward"),
) -> GradientReport:
    """Compare the derivatives of f at a point with differences of f, and return the verdicts.

    f takes what `grad` can derive by: numbers, lists, dicts, arrays, models. It returns one scalar.
    Each input gets a verdict for each mode: "reverse" is `backward()` and `vjp`, "forward" is
    `jvp`. With an order of 2 the derivatives of the gradient are checked as well, and so on. There
    is no step to choose and no tolerance: `microgrid.testing.differences` tells the method.

    A derivative is right if five digits or more of it are; where slopes all but vanish, of those
    nearby. It is at a kink if it lies between the slopes to the left and to the right, of which one
    is infinite at a jump; outside the domain if f or the derivative is undefined; too noisy to tell
    if rounding hides the slope. None of these is an error.

    Raises:
        AssertionError: a derivative is wrong. The primitive to blame is found by checking the
            partials of each node of f's graph at its own operands.
        TypeError: f returns no single scalar, or there is nothing to derive by.
        ValueError: there is no such order or mode; f returns another number when called again, or
            computes with a `Value` itself that was given for an argument.

    >>> import microgrid
    >>> print(check_gradients(lambda x: microgrid.relu(x - 2), 2.0))
    gradients of f: 1 at a kink
    <BLANKLINE>
    derivative  mode              verdict    claimed  measured  left  right  remainder
    ∂f/∂x       reverse, forward  at a kink  0        -         0     1      h^1.00
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    _require_order_and_modes(order, modes)
    subject = _Subject(f, point)
    _require_pure(subject)
    verdicts: list[Verdict] = []
    for n in range(1, order + 1):
        found = _outside(subject, n, modes) or _verdicts(subject, n, modes)
        if wrong := {verdict.input for verdict in found if verdict.kind == WRONG}:
            inputs, outputs = subject.graph(n)
            reason = blame((inputs, outputs), subject.graph(n - 1) if n > 1 else None)
            moving = [x for x, name in zip(inputs, subject.inputs, strict=True) if name in wrong]
            excuse = {} if reason else undecided((moving, outputs))
            if not excuse:
                report = GradientReport(subject.name, (*verdicts, *found), reason or NO_PRIMITIVE)
                raise AssertionError(report.failure())
            found = [_excused(verdict, excuse) for verdict in found]
        verdicts += found
    return GradientReport(subject.name, tuple(verdicts))


def _require_order_and_modes(order: int, modes: Sequence[str]) -> None:
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise ValueError(f"the order must be a whole number from 1 on, got {order!r}")
    if isinstance(modes, str) or not modes or not set(modes) <= set(WAYS):
        raise ValueError(f"the modes must be a list of some of {[*WAYS]}, got {modes!r}")


class _Subject:
    """A function at a point, as a function of a flat list of numbers: the inputs."""

    def __init__(self, f: Callable[..., Any], point: tuple[Any, ...]) -> None:
        if not callable(f):
            raise TypeError(f"check_gradients needs a function, got {f!r} ({type(f).__name__})")
        self.f = f
        self.name = getattr(f, "__name__", type(f).__name__).replace("<lambda>", "f")
        self.given, self.structure = flatten(point)
        if not self.given:
            raise TypeError("check_gradients needs numbers to derive by after the function")
        self.numbers = [_number(leaf) for leaf in self.given]
        self.inputs = _names(f, point)

    def outputs(self, inputs: Sequence[Any], order: int, arguments: Any = None) -> list[Any]:
        """Return what this order derives: f, its gradient, the rows of its Hessian, and so on."""
        output = self.f(*(arguments or self.structure.argument(inputs)))
        if not isinstance(output, (Value, Real)):
            told = f"a list of {len(output)}" if isinstance(output, list) else repr(output)
            raise TypeError(f"check_gradients needs a function with one scalar output, got {told}")
        outputs = [output]
        for _ in range(order - 1):
            outputs = [d for output in outputs for d in gradients(output, list(inputs))]
        return outputs

    def graph(self, order: int) -> tuple[list[Value], list[Any]]:
        """Return fresh inputs, and the outputs that depend on them."""
        inputs = [Value(x) for x in self.numbers]
        return inputs, self.outputs(inputs, order)

    def along(self, order: int) -> Callable[[int, float], list[float]]:
        """Return the function that computes the outputs with another number in the i-th input."""
        inputs = [Value(x) for x in self.numbers]
        arguments = self.structure.argument(inputs)

        @cache
        def outputs(i: int, x: float) -> list[float]:
            inputs[i].data = x
            try:
                with no_grad() if order == 1 else nullcontext():
                    return [_number(y) for y in self.outputs(inputs, order, arguments)]
            finally:
                inputs[i].data = self.numbers[i]

        return outputs

    def derivatives(self, order: int) -> list[tuple[str, str]]:
        """Return the name of each derivative of this order, with that of the last input."""
        power = str(order).translate(SUPERSCRIPT) if order > 1 else ""
        return [
            (f"∂{power}{self.name}/" + "".join(f"∂{name}" for name in names), names[-1])
            for names in product(self.inputs, repeat=order)
        ]


def _names(f: Callable[..., Any], point: tuple[Any, ...]) -> list[str]:
    """Return the names of the inputs: those of f's parameters, and the way from there."""
    try:
        signature = inspect.signature(f)
    except ValueError:  # a function written in C may not tell
        signature = inspect.signature(lambda *x: None)
    names: list[str] = []
    for name, argument in signature.bind(*point).arguments.items():
        for path in flatten(argument)[1].paths:
            names.append(name + (f".{path[2:-2]}" if isinstance(argument, Module) else path))
    return names


def _require_pure(subject: _Subject) -> None:
    """Raise `ValueError` unless the value of f depends on its arguments alone."""
    try:
        inputs, (output,) = subject.graph(1)
    except (ArithmeticError, ValueError):
        return  # where f is undefined there is no value to ask
    (again,) = subject.along(1)(0, subject.numbers[0])
    if again != _number(output) and not math.isnan(again):
        raise ValueError(
            f"{subject.name} must return one number, however often it is called, "
            f"got {_number(output)!r} and {again!r}; seed its random numbers in it"
        )
    nodes = set(_nodes(output))
    for name, given, own in zip(subject.inputs, subject.given, inputs, strict=True):
        if isinstance(given, Value) and given in nodes and own not in nodes:
            raise ValueError(
                f"{subject.name} must compute with its arguments, but it uses the Value that was "
                f"given for {name} itself; for a model, write "
                "check_gradients(lambda model: loss(model), model)"
            )


def _outside(subject: _Subject, order: int, modes: Sequence[str]) -> list[Verdict]:
    """Return the verdicts where what this order derives is undefined; none where it is not."""
    try:
        outputs = [_number(output) for output in subject.graph(order)[1]]
    except (ArithmeticError, ValueError) as error:
        reason = str(error)
    else:
        if any(map(math.isfinite, outputs)):
            return []
        reason = f"there is no finite value, but {outputs[0]!r}"
    return [
        Verdict(derivative, name, order, mode, OUTSIDE, note=reason)
        for derivative, name in subject.derivatives(order)
        for mode in modes
    ]


def _verdicts(subject: _Subject, order: int, modes: Sequence[str]) -> list[Verdict]:
    """Return the verdicts on the derivatives of this order, as each mode computes them."""
    claims = {mode: [_claims(way, subject, order) for way in WAYS[mode]] for mode in modes}
    outputs = subject.along(order)
    roundings = [_rounding(output) for output in subject.graph(order)[1]]
    verdicts = []
    for place, (derivative, name) in enumerate(subject.derivatives(order)):
        row, column = divmod(place, len(subject.numbers))
        x = subject.numbers[column]
        judge = cache(partial(_judge, outputs, row, column, x, roundings[row]))
        for mode in modes:
            found = []
            for rows, note in claims[mode]:
                claimed = rows[row][column] if rows else None
                finding = asdict(judge(claimed))
                found.append(
                    Verdict(derivative, name, order, mode, claimed=claimed, note=note, **finding)
                )
            verdicts.append(max(found, key=lambda verdict: BY_SEVERITY.index(verdict.kind)))
    return verdicts


def _excused(verdict: Verdict, primitives: dict[str, str]) -> Verdict:
    """Return a verdict that accuses nobody where a primitive inside of f is at a kink."""
    if verdict.kind != WRONG:
        return verdict
    name, why = next(iter(primitives.items()))
    note = f"{name!r} {why}, where the chain rule need not hold"
    return replace(verdict, kind=KINK if why.endswith(KINK) else NOISY, note=note)


def _judge(
    outputs: Callable[[int, float], list[float]],
    row: int,
    column: int,
    x: float,
    rounding: float,
    claimed: float | None,
) -> Finding:
    if claimed is None:
        return Finding(OUTSIDE)
    return examine(lambda t: outputs(column, t)[row], x, claimed, rounding)


def _claims(way: Way, subject: _Subject, order: int) -> tuple[Claims | None, str]:
    """Return the derivatives as the library computes them, or why it does not."""
    try:
        return way(subject, order), ""
    except (ArithmeticError, ValueError) as error:
        if not hasattr(error, "operation"):  # no operation at a point where it is undefined
            raise
        return None, str(error)


def _by_backward(subject: _Subject, order: int) -> Claims:
    inputs, outputs = subject.graph(order)
    return [_backward(output, inputs) for output in outputs]


def _by_vjp(subject: _Subject, order: int) -> Claims:
    values, pull = vjp(lambda *inputs: subject.outputs(inputs, order), *subject.numbers)
    return [[_number(d) for d in pull(_unit(row, values))] for row in range(len(values))]


def _by_jvp(subject: _Subject, order: int) -> Claims:
    columns = []
    for column in range(len(subject.numbers)):
        direction = _unit(column, subject.numbers)
        _, tangents = jvp(
            lambda *inputs: subject.outputs(inputs, order), subject.numbers, direction
        )
        columns.append(map(_number, tangents))
    return [list(row) for row in zip(*columns, strict=True)]


Way = Callable[[_Subject, int], Claims]
WAYS: dict[str, list[Way]] = {"reverse": [_by_backward, _by_vjp], "forward": [_by_jvp]}


def _backward(output: Any, inputs: Sequence[Value]) -> list[float]:
    """Return what `backward()` leaves in the inputs; it changes no `grad`."""
    nodes = _nodes(output)
    if all(node.parents or node.is_constant for node in nodes):
        return [0.0] * len(inputs)
    before = [node.grad for node in nodes]
    try:
        output.backward()
        return [_number(x.grad) for x in inputs]
    finally:
        for node, grad in zip(nodes, before, strict=True):
            node.grad = grad


def _rounding(output: Any) -> float:
    """Return a bound of the rounding error of an output.

    To first order, a node's goes into the output times the gradient: so reverse mode began
    (Linnainmaa 1976, *Taylor expansion of the accumulated rounding error*). The sizes of gradients
    are added up here, as errors need not cancel.
    """
    nodes = _nodes(output)
    sizes: dict[Value, float] = dict.fromkeys(nodes, 0.0)
    if nodes:
        sizes[output] = 1.0
    try:
        for node in reversed(nodes):
            for parent, share in zip(node.parents, node.chain(sizes[node]), strict=True):
                sizes[parent] += abs(share or 0.0)
    except (ArithmeticError, ValueError):
        return 0.0  # the derivative is undefined, and will be found to be so
    return EPSILON * sum(abs(_number(node)) * sizes[node] for node in nodes if node.parents)


def _nodes(output: Any) -> list[Value]:
    return topological_order(output) if isinstance(output, Value) else []


def _unit(i: int, like: Sequence[Any]) -> list[float]:
    return [float(i == j) for j in range(len(like))]


def _number(x: Any) -> float:
    return float(x.data if isinstance(x, Value) else x)
