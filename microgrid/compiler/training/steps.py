"""Training without Python: many steps of `fit` in one native call.

The loss of a row and its gradients, the clipping and the optimizer's rule are traced and compiled.
The rule is the same for every parameter, and runs over the parameters as over rows.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from ...calculus import gradients
from ...core.graph import set_data, set_gradients, topological_order
from ...derivatives.trees import flatten
from ...engine import Value
from ...fitting.examples import Examples, Target
from ...fitting.task import Task
from ...fitting.trainer import require_dependence, require_value
from ...guards.checks import shown
from ...guards.interrupts import uninterrupted
from ..lowering import LOWERINGS, Lowering
from ..native.kernel import Kernel, driver
from ..native.llvm import KernelText
from ..native.machine import Code, this_machine
from ..native.records import ADDRESS, COUNT, Record, addresses_of, ir_of
from ..passes import optimize
from ..program import Program
from ..trace import Traced, nothing_swallowed, unknown

__all__ = ["NativeSteps"]

Array = NDArray[np.float64]


class TrainingRecord(Record):
    """What machine code is told of a training, as steps.ll reads it."""

    _fields_ = (
        *[(name, ADDRESS) for name in ("kernel", "loss_record", "clip_record", "rule_record")],
        *(("parameters", COUNT), ("made_count", COUNT)),
        *(("columns", COUNT), ("columns_from", ADDRESS), ("columns_now", ADDRESS)),
        *(("strides", ADDRESS), ("outs", COUNT), ("outs_from", ADDRESS), ("outs_now", ADDRESS)),
        *[(name, ADDRESS) for name in ("shared", "sums", "gradients")],
        *[(name, ADDRESS) for name in ("clip_shared", "clip_places")],
        *[(f"rule_{name}", ADDRESS) for name in ("columns", "strides", "outs", "shared")],
        *[(name, ADDRESS) for name in ("made", "state", "firsts", "sizes", "rates", "losses")],
        ("taken", COUNT),
    )
    taken: int


class NativeSteps:
    """The steps of a training, compiled.

    It works on its own copy of the parameters and of what the optimizer remembers: `read` takes
    them from the optimizer, and `write` puts them back.

    Args:
        task: what the steps are of.
        predicts: whether the predictions are wanted too.

    Raises:
        TypeError: something cannot be compiled: it says what, and what to write instead.
        ValueError: the loss does not depend on the parameters.
    """

    def __init__(self, task: Task, predicts: bool) -> None:
        self.task, self.predicts = task, predicts
        self.optimizer = task.optimizer
        self.width = len(task.examples.rows[0])
        self.target_width = _target_width(task.examples.targets[0])
        count, slots = len(self.optimizer.parameters), self.optimizer.slots
        self.program, self.template = self._trace()
        outs = range(1 + count, len(self.program.outputs))
        self._loss = _kernel(self.program, range(count), outs, range(1 + count))
        text, self.outs = self._loss.text, len(outs)
        self._train = _loop().function("train", ADDRESS, COUNT)
        columns = len(text.columns)
        self.shared = np.zeros(text.room)
        self.sums, self.gradients = _with_room(1 + count), _with_room(count)
        self.made, self.state = _with_room((1 + slots) * count), np.zeros(slots * count)
        strides = np.full(max(columns, 2 + slots), 8, np.int64)
        at = [self.shared, self.gradients, *np.split(self.state, slots or 1)[:slots]]
        self._record = TrainingRecord(
            kernel=driver(this_machine()).address("kernel"),
            loss_record=self._loss.record.address,
            parameters=count,
            made_count=len(self.made),
            columns=columns,
            columns_now=np.zeros(columns, np.int64),
            strides=strides,
            outs=self.outs,
            outs_now=np.zeros(self.outs, np.int64),
            shared=self.shared,
            sums=self.sums,
            gradients=self.gradients,
            rule_columns=addresses_of(at),
            rule_strides=strides,
            rule_outs=addresses_of(np.split(self.made, 1 + slots)),
            made=self.made,
            state=self.state,
        )
        self.rule = self._trace_rule()
        self._compile_rule()
        self.clipping = self._trace_clip()
        if self.clipping is not None:
            self._compile_clip(self.clipping)
        self.read()

    def columns(self, examples: Examples) -> Array:
        """Return rows and targets as an array with a line for each column."""
        if any(_target_width(target) != self.target_width for target in examples.targets):
            raise TypeError("to be compiled, all targets must be of one length")
        flat = [t if isinstance(t, list) else [t] for t in examples.targets]
        return np.ascontiguousarray(np.hstack([np.array(examples.rows), np.array(flat, float)]).T)

    def room_for_predictions(self, columns: Array) -> Array:
        """Return an array for the predictions of rows, with a line for each of their numbers."""
        return np.empty((self.outs, columns.shape[1]))

    def run(
        self,
        columns: Array,
        outs: Array,
        firsts: Sequence[int],
        sizes: Sequence[int],
        rates: Sequence[float],
        losses: Array | None = None,
    ) -> list[float]:
        """Take steps on batches of the columns; return their losses, and fill in predictions.

        There are fewer losses than steps if one would have left a number that is not finite: it is
        not taken. After a Ctrl-C meanwhile all are taken: `losses`, an array to fill, has theirs.
        """
        losses = np.zeros(len(sizes)) if losses is None else losses
        self._record.set(
            columns_from=addresses_of(columns),
            outs_from=addresses_of(outs),
            firsts=np.array(firsts, np.int64),
            sizes=np.array(sizes, np.int64),
            rates=np.array(rates, float),
            losses=losses,
        )
        before = self.taken
        self._train(self._record.address, len(sizes))
        taken: list[float] = losses[: self.taken - before].tolist()
        return taken

    def measure(self, columns: Array) -> tuple[float, Array]:
        """Return the mean loss of all rows of the columns, and the predictions, without a step."""
        rows = columns.shape[1]
        outs = self.room_for_predictions(columns)
        places = [(column.ctypes.data, 8) for column in columns]
        ends = [out.ctypes.data for out in outs]
        self._loss.bind(rows, places, ends, self.shared, self.sums)()
        return float(self.sums[0]) / rows, outs

    def predictions(self, outs: Array) -> list[object]:
        """Return the predictions of rows as the model gave them, of plain numbers."""
        if not self.outs:
            return []
        if type(self.template) is int:
            return list(outs[0].tolist())
        return [_fill(self.template, numbers) for numbers in outs.T.tolist()]

    def read(self) -> None:
        """Take the parameters and what the optimizer remembers of them from the optimizer."""
        count = len(self.optimizer.parameters)
        self.shared[:count] = [parameter.data for parameter in self.optimizer.parameters]
        if self.optimizer.slots:
            self.state[:] = np.array(self.optimizer.state, float).T.ravel()
        self._record.set(taken=self.optimizer.steps)
        self._written = self.taken
        rule = self._trace_rule()
        if rule != self.rule:  # an option was set
            self.rule = rule
            self._compile_rule()

    def write(self) -> None:
        """Put the parameters, their gradients and what is remembered back into the optimizer.

        If no step was taken since, nothing is changed: somebody else may have set them.
        """
        if self.taken == self._written:
            return
        optimizer = self.optimizer
        count, slots, state = len(optimizer.parameters), optimizer.slots, optimizer.state
        if slots:
            state = list(zip(*self.state.reshape(slots, count).tolist(), strict=True))
        with uninterrupted():
            set_data(optimizer.parameters, self.shared[:count].tolist())
            set_gradients(optimizer.parameters, self.gradients.tolist())
            optimizer.state, optimizer.steps = state, self.taken
            self._written = self.taken

    def is_current(self) -> bool:
        """Return whether model, loss, clipping and rule still are what was compiled.

        A callback may have changed them; and what counts its calls differs at every run.
        """
        now = self._trace()[0], self._trace_clip(), self._trace_rule()
        return now == (self.program, self.clipping, self.rule)

    @property
    def taken(self) -> int:
        """The number of steps ever taken, which the machine code counts."""
        return self._record.taken

    def _trace(self) -> tuple[Program, Any]:
        """Return the program of a row's loss, its gradients and the predictions."""
        program, template, nodes = self._trace_once()
        if any(node() is not None for node in nodes):
            gc.collect()  # a recursive function is a cycle, and may hold a node
        if any(node() is not None for node in nodes):
            raise TypeError("the model or the loss keeps what it computes, which has no value here")
        return program, template

    def _trace_once(self) -> tuple[Program, Any, list[ref[Value]]]:
        """Return the program, where the predictions go, and nodes of which none should be left."""
        parameters = self.optimizer.parameters
        row: list[Any] = [Traced(f"x{i}") for i in range(self.width)]
        target = [Traced(f"y{i}") for i in range(self.target_width or 1)]
        with unknown(parameters):
            with _without_draws(), nothing_swallowed():
                prediction = self.task.model(list(row))
                y = target[0] if self.target_width is None else list(target)
                loss = require_value(self.task.loss(prediction, y))
            require_dependence(loss, parameters)
            scalars, structure = flatten(prediction) if self.predicts else ([], None)
            order = topological_order(loss, *[x for x in scalars if isinstance(x, Value)])
            made = [node for node in order if node.is_traced and node.parents]
            slopes = gradients(loss, parameters)
            program = Program.from_values([loss, *slopes, *scalars], [*parameters, *row, *target])
        template = structure.result(list(range(len(scalars)))) if structure else []
        return optimize(program), template, [ref(node) for node in [*row, *target, *made]]

    def _trace_rule(self) -> Program:
        """Return the program of the optimizer's rule, for one parameter."""
        names = ["p", "g", *(f"state{i}" for i in range(self.optimizer.slots)), "lr", "step"]
        p, g, *state, rate, step = inputs = [Traced(name) for name in names]
        with _without_draws():
            moved = self.optimizer.update(p, g, tuple(state), rate, step)
        self.optimizer.require_update(moved)
        new, remembered = moved
        return optimize(Program.from_values([new, *remembered], inputs))

    def _trace_clip(self) -> Program | None:
        """Return the program of the clipping, if there is any."""
        if not self.task.clip:
            return None
        gradients = [Traced(f"g{i}") for i in range(len(self.optimizer.parameters))]
        with _without_draws():
            clipped = self.task.clip(gradients)
        if not isinstance(clipped, Sequence) or len(clipped) != len(gradients):
            raise TypeError(f"`clip` must return {len(gradients)} gradients, got {shown(clipped)}")
        return optimize(Program.from_values(clipped, gradients))

    def _compile_rule(self) -> None:
        """Make the kernel of the optimizer's rule, which has the parameters for rows."""
        slots = self.optimizer.slots
        self._rule = _kernel(self.rule, range(2 + slots, 4 + slots), range(1 + slots))
        self._record.set(
            rule_record=self._rule.record.address, rule_shared=np.zeros(self._rule.text.room)
        )

    def _compile_clip(self, program: Program) -> None:
        count = len(program.inputs)
        self._clip = _kernel(program, range(count))
        text, program = self._clip.text, self._clip.text.program
        # all is shared, and so in its place after the call; constants wait behind these places
        constants = [slot for slot in program.outputs if slot not in text.shared_places]
        self.clip_shared = np.zeros(text.room + len(constants))
        places = {slot: text.room + i for i, slot in enumerate(constants)}
        for slot, place in places.items():
            self.clip_shared[place] = program.steps[slot - count][1][0]
        self._clip_places = np.array(
            [text.shared_places.get(slot, places.get(slot)) for slot in program.outputs], np.int64
        )
        self._record.set(
            clip_record=self._clip.record.address,
            clip_shared=self.clip_shared,
            clip_places=self._clip_places,
        )


def _kernel(
    program: Program, shared: range, written: range = range(0), totals: range = range(0)
) -> Kernel:
    """Return a kernel, one of the latest if it is there: networks are often trained again."""
    return _latest_kernels(program, shared, written, totals, tuple(LOWERINGS.values()))


@lru_cache(maxsize=16)
def _latest_kernels(
    program: Program, shared: range, written: range, totals: range, lowerings: tuple[Lowering, ...]
) -> Kernel:
    return Kernel(KernelText(program, shared, written, totals, this_machine()))


@cache
def _loop() -> Code:
    """Return the code of steps.ll."""
    return Code(ir_of(__package__, "steps.ll", TrainingRecord), this_machine())


@contextmanager
def _without_draws() -> Iterator[None]:
    """Raise `TypeError` before a number is drawn from one of Python's generators.

    That two programs are equal does not tell: a unit that is rarely dropped is there in both.
    NumPy's generators cannot be watched.
    """

    def watch(frame: Any, event: str, called: Any) -> None:
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


def _with_room(count: int) -> Array:
    """Return an array of zeros that machine code may read, and fill, eight at a time."""
    return np.zeros(count + 7)[:count]


def _target_width(target: Target) -> int | None:
    """Return how many numbers a target is a list of; None if it is a number."""
    return len(target) if isinstance(target, list) else None


def _fill(template: Any, numbers: Sequence[float]) -> Any:
    """Return a tree of numbers, in which the template has their places."""
    if type(template) is int:
        return numbers[template]
    if isinstance(template, Mapping):
        return {name: _fill(part, numbers) for name, part in template.items()}
    return [_fill(part, numbers) for part in template]
