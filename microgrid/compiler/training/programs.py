"""What a training is compiled from: its loss, its clipping and its rule, traced as programs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType
from typing import Any
from weakref import ref

from ...calculus import gradients
from ...core.graph import order_beyond
from ...derivatives.trees import flatten
from ...engine import Value
from ...fitting.examples import Target
from ...fitting.task import TrainingTask
from ...fitting.trainer import require_dependence, require_value
from ...functional import sum as sum_
from ...guards.garbage import collects_rarely
from ...guards.interrupts import uninterrupted
from ...optim import Optimizer
from ..passes import optimize, optimize_graph
from ..program import Draft, Program, as_values
from ..trace import Traced, nothing_swallowed, unknown

__all__ = [
    "Derivation", "derivation_of", "fill", "trace_clip", "trace_loss", "trace_rule", "width_of",
]  # fmt: skip

OWN = __name__.removesuffix("compiler.training.programs")  # how this package's modules begin


def trace_loss(task: TrainingTask, predicts: bool) -> tuple[Program, object]:
    """Return the program of a row's loss and of the numbers of its prediction.

    Besides, return the prediction with their indices for numbers; without any if not `predicts`.
    """
    program, template, nodes = _trace_once(task, predicts)
    if any(node() is not None for node in nodes):
        gc.collect()  # a recursive function is a cycle, and may hold a node
    if any(node() is not None for node in nodes):
        raise TypeError("the model or the loss keeps what it computes, which has no value here")
    return program, template


@collects_rarely
def _trace_once(task: TrainingTask, predicts: bool) -> tuple[Program, object, list[ref[Value]]]:
    """Return what `trace_loss` does, and nodes of which none should be left."""
    parameters, width = task.optimizer.parameters, width_of(task.examples.targets[0])
    row: list[Any] = [Traced(f"x{i}") for i in range(len(task.examples.rows[0]))]
    target = [Traced(f"y{i}") for i in range(width or 1)]
    with unknown(parameters):
        with _without_draws(), nothing_swallowed():
            prediction = task.model(list(row))
            y = target[0] if width is None else list(target)
            loss = require_value(task.loss(prediction, y))
        scalars, structure = flatten(prediction) if predicts else ([], None)
        inputs, roots = [*parameters, *row, *target], as_values([loss, *scalars])
        order = order_beyond(set(inputs), *roots)
        inner = [node for node in order if node.is_traced and node.parents]
        program = Draft.of_graph(roots, inputs, order)
    places = list(range(len(scalars)))
    template = fill(structure.result(places), places) if structure else []
    return program, template, [ref(node) for node in [*row, *target, *inner]]


def fill(template: Any, numbers: Sequence[float]) -> object:
    """Return a tree of numbers, in which the template has their places."""
    if type(template) is int:
        return numbers[template]
    if isinstance(template, Mapping):
        return {name: fill(part, numbers) for name, part in template.items()}
    return [fill(part, numbers) for part in template]


class Derivation:
    """What follows from the program of a row's loss: one that computes its gradients as well.

    `program` computes the loss, its gradient for the parameters, and the prediction. `is_trusted`
    says that the loss was traced twice, and came out the same: then it does not draw numbers or
    count its calls, nor does anything that is traced to be the same later.
    """

    def __init__(self, forward: Program, parameters: int) -> None:
        inputs = [Traced(name) for name in forward.inputs]
        loss, *prediction = as_values(forward(*inputs))
        require_dependence(loss, inputs[:parameters])
        roots = as_values([loss, *gradients(loss, inputs[:parameters]), *prediction])
        order = order_beyond(set(inputs), *roots)
        self.program = optimize_graph(roots, inputs, order)
        self.is_trusted = False


@collects_rarely
def derivation_of(forward: Program, parameters: int) -> Derivation:
    """Return what follows from the program of a loss: once for all if it is one of the latest.

    That is so for this package's own operations. A rule from elsewhere may give another derivative
    every time, so what follows from it is found again.

    Raises:
        Unmoved: the loss does not depend on the parameters, which are the first inputs.
    """
    rules = [op.partials for op in {op for op, _ in forward.steps}]
    are_own = all(str(getattr(rule, "__module__", "")).startswith(OWN) for rule in rules)
    return (_latest_derivations if are_own else Derivation)(forward, parameters)


_latest_derivations = lru_cache(maxsize=16)(Derivation)


def trace_clip(task: TrainingTask) -> Program | None:
    """Return the program of the clipping, if there is any."""
    if not task.clip:
        return None
    gradients = [Traced(f"g{i}") for i in range(len(task.optimizer.parameters))]
    with _without_draws():
        clipped = task.clip_gradients(gradients)
    return optimize(Program.from_values(clipped, gradients))


def trace_rule(optimizer: Optimizer) -> Program:
    """Return the program of an optimizer's rule, for one parameter.

    Its inputs are the parameter, the sum of its gradients, clipped if they are, its state, that sum
    as it was, and for all parameters the rate, the number of the step and that of the rows. Its
    outputs are the mean gradient, the new state and parameter, and a number which is 0 if they and
    the sum are finite, else nan.
    """
    names = ["p", "sum", *(f"state{i}" for i in range(optimizer.slots)), "unclipped"]
    inputs = [Traced(name) for name in [*names, "lr", "step", "rows"]]
    p, total, *state, unclipped, rate, step, rows = inputs
    g = (
        total / rows
    )  # not each of them: 1 + 2 - 3 is 0, as in Python, and 1/10 + 2/10 - 3/10 is not
    with _without_draws():
        answer = optimizer.update(p, g, tuple(state), rate, step)
    optimizer.require_update(answer)
    new, new_state = answer
    made = g, *new_state, new
    nothing = sum_([x - x for x in (*made, unclipped)])
    return optimize(Program.from_values([*made, nothing], inputs))


def width_of(target: Target) -> int | None:
    """Return how many numbers a target is a list of; None if it is a number."""
    return len(target) if isinstance(target, list) else None


@contextmanager
def _without_draws() -> Iterator[None]:
    """Raise `TypeError` before a number is drawn from one of Python's generators.

    That two programs are equal does not tell: a unit that is rarely dropped is there in both.
    NumPy's generators cannot be watched.
    """

    def watch(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and "random" in type(getattr(called, "__self__", None)).__module__:
            raise TypeError("what draws random numbers differs every time")

    if sys.getprofile():  # somebody else watches, and is not to be disturbed
        yield
        return
    with uninterrupted():
        try:
            sys.setprofile(watch)
            yield
        finally:
            sys.setprofile(None)
