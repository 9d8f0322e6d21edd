"""What a training is compiled from: its loss, its clipping and its rule, traced as programs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from weakref import ref

from ...calculus import gradients
from ...core.graph import topological_order
from ...derivatives.trees import flatten
from ...engine import Value
from ...fitting.examples import Target
from ...fitting.task import Task
from ...fitting.trainer import require_dependence, require_value
from ...guards.interrupts import uninterrupted
from ...optim import Optimizer
from ..passes import optimize
from ..program import Program
from ..trace import Traced, nothing_swallowed, unknown

__all__ = ["trace_clip", "trace_loss", "trace_rule", "width_of"]


def trace_loss(task: Task, predicts: bool) -> tuple[Program, Any]:
    """Return the program of a row's loss, its gradients and the numbers of its prediction.

    Besides, return the prediction with their indices for numbers; without any if not `predicts`.
    """
    program, template, nodes = _trace_once(task, predicts)
    if any(node() is not None for node in nodes):
        gc.collect()  # a recursive function is a cycle, and may hold a node
    if any(node() is not None for node in nodes):
        raise TypeError("the model or the loss keeps what it computes, which has no value here")
    return program, template


def _trace_once(task: Task, predicts: bool) -> tuple[Program, Any, list[ref[Value]]]:
    """Return what `trace_loss` does, and nodes of which none should be left."""
    parameters, width = task.optimizer.parameters, width_of(task.examples.targets[0])
    row: list[Any] = [Traced(f"x{i}") for i in range(len(task.examples.rows[0]))]
    target = [Traced(f"y{i}") for i in range(width or 1)]
    with unknown(parameters):
        with _without_draws(), nothing_swallowed():
            prediction = task.model(list(row))
            y = target[0] if width is None else list(target)
            loss = require_value(task.loss(prediction, y))
        require_dependence(loss, parameters)
        scalars, structure = flatten(prediction) if predicts else ([], None)
        order = topological_order(loss, *[x for x in scalars if isinstance(x, Value)])
        inner = [node for node in order if node.is_traced and node.parents]
        slopes = gradients(loss, parameters)
        program = Program.from_values([loss, *slopes, *scalars], [*parameters, *row, *target])
    template = structure.result(list(range(len(scalars)))) if structure else []
    return optimize(program), template, [ref(node) for node in [*row, *target, *inner]]


def trace_clip(task: Task) -> Program | None:
    """Return the program of the clipping, if there is any."""
    if not task.clip:
        return None
    gradients = [Traced(f"g{i}") for i in range(len(task.optimizer.parameters))]
    with _without_draws():
        clipped = task.clip_gradients(gradients)
    return optimize(Program.from_values(clipped, gradients))


def trace_rule(optimizer: Optimizer) -> Program:
    """Return the program of an optimizer's rule, for one parameter."""
    names = ["p", "g", *(f"state{i}" for i in range(optimizer.slots)), "lr", "step"]
    p, g, *state, rate, step = inputs = [Traced(name) for name in names]
    with _without_draws():
        answer = optimizer.update(p, g, tuple(state), rate, step)
    optimizer.require_update(answer)
    new, new_state = answer
    return optimize(Program.from_values([new, *new_state], inputs))


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
