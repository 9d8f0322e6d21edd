"""Training without Python: many steps of `fit` in one native call.

Each of a training's programs becomes a kernel: of the loss of a row and its gradients, of the
clipping, and of the optimizer's rule, which runs over the parameters as over rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.graph import set_data, set_gradients
from ...fitting.examples import Examples
from ...fitting.task import Task
from ...guards.interrupts import uninterrupted
from ..lowering import LOWERINGS, Lowering
from ..native.kernel import Kernel, driver
from ..native.llvm import KernelText
from ..native.machine import Code, this_machine
from ..native.records import ADDRESS, COUNT, Record, addresses_of, ir_of
from ..program import Program
from .programs import trace_clip, trace_loss, trace_rule, width_of

__all__ = ["NativeSteps"]

Array = NDArray[np.float64]


class TrainingRecord(Record):
    """What machine code knows of a training, as steps.ll reads it."""

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

    It works on its own copy of the parameters and of the optimizer's state: `read` takes them from
    the optimizer, and `write` puts them back.

    Args:
        task: what the steps are to do.
        predicts: whether the predictions are wanted too.

    Raises:
        TypeError: something cannot be compiled; it says what, and what to write instead.
        Unmoved: the loss does not depend on the parameters.
    """

    def __init__(self, task: Task, predicts: bool) -> None:
        self.task, self.predicts, self.optimizer = task, predicts, task.optimizer
        self.target_width = width_of(task.examples.targets[0])
        self.program, self.template = trace_loss(task, predicts)
        count, slots = len(self.optimizer.parameters), self.optimizer.slots
        outs = range(1 + count, len(self.program.outputs))
        self.outs = len(outs)
        self._loss = _kernel(self.program, range(count), outs, range(1 + count))
        self._train = _loop().function("train", ADDRESS, COUNT)
        self.shared = np.zeros(self._loss.text.room)
        self.sums, self.gradients = _with_room(1 + count), _with_room(count)
        self.made, self.state = _with_room((1 + slots) * count), np.zeros(slots * count)
        self._record = self._new_record(count, slots)
        self.rule, self.clipping = trace_rule(self.optimizer), trace_clip(task)
        self._compile_rule()
        if self.clipping is not None:
            self._compile_clip(self.clipping)
        self.read()

    def columns(self, examples: Examples) -> Array:
        """Return rows and targets as an array with a line for each column."""
        if any(width_of(target) != self.target_width for target in examples.targets):
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

        There are fewer losses than steps if a step would have left a number that is not finite: it
        is not taken. `losses`, if given, is filled too, also if Ctrl-C comes before this returns.
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
        """Take the parameters, their state and the rule's options from the optimizer."""
        count = len(self.optimizer.parameters)
        self.shared[:count] = [parameter.data for parameter in self.optimizer.parameters]
        if self.optimizer.slots:
            self.state[:] = np.array(self.optimizer.state, float).T.ravel()
        self._record.set(taken=self.optimizer.steps)
        self._written = self.taken
        rule = trace_rule(self.optimizer)
        if rule != self.rule:  # an option was set
            self.rule = rule
            self._compile_rule()

    def write(self) -> None:
        """Put the parameters, their gradients and their state back into the optimizer.

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
        program, _ = trace_loss(self.task, self.predicts)
        now = program, trace_clip(self.task), trace_rule(self.optimizer)
        return now == (self.program, self.clipping, self.rule)

    @property
    def taken(self) -> int:
        """The number of steps ever taken, which the machine code counts."""
        return self._record.taken

    def _new_record(self, count: int, slots: int) -> TrainingRecord:
        """Return the record of these arrays, without the kernels of rule and clipping."""
        columns = len(self._loss.text.columns)
        strides = np.full(max(columns, 2 + slots), 8, np.int64)
        state = np.split(self.state, slots or 1)[:slots]
        return TrainingRecord(
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
            rule_columns=addresses_of([self.shared, self.gradients, *state]),
            rule_strides=strides,
            rule_outs=addresses_of(np.split(self.made, 1 + slots)),
            made=self.made,
            state=self.state,
        )

    def _compile_rule(self) -> None:
        """Make the kernel of the optimizer's rule, which has the parameters for rows."""
        slots = self.optimizer.slots
        self._rule = _kernel(self.rule, range(2 + slots, 4 + slots), range(1 + slots))
        self._record.set(
            rule_record=self._rule.record.address, rule_shared=np.zeros(self._rule.text.room)
        )

    def _compile_clip(self, program: Program) -> None:
        """Make the kernel of the clipping, which has no rows: all its numbers are shared."""
        count = len(program.inputs)
        self._clip = _kernel(program, range(count))
        text, program = self._clip.text, self._clip.text.program
        # what it computes is in a place after the call; constants wait behind these places
        constants = [slot for slot in program.outputs if slot not in text.shared_places]
        places = text.shared_places | {slot: text.room + i for i, slot in enumerate(constants)}
        shared = np.zeros(text.room + len(constants))
        for slot in constants:
            shared[places[slot]] = program.steps[slot - count][1][0]
        self._record.set(
            clip_record=self._clip.record.address,
            clip_shared=shared,
            clip_places=np.array([places[slot] for slot in program.outputs], np.int64),
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


def _with_room(count: int) -> Array:
    """Return an array of zeros that machine code may read, and fill, eight at a time."""
    return np.zeros(count + 7)[:count]


def _fill(template: Any, numbers: Sequence[float]) -> Any:
    """Return a tree of numbers, in which the template has their places."""
    if type(template) is int:
        return numbers[template]
    if isinstance(template, Mapping):
        return {name: _fill(part, numbers) for name, part in template.items()}
    return [_fill(part, numbers) for part in template]
