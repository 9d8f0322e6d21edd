"""The steps of `fit`, natively: each a few calls of kernels, on arrays that are allocated once.

Each program of a training becomes a kernel: the loss of a row and its gradients, the clipping, and
the optimizer's rule, which runs over the parameters as over rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...core.graph import set_data, set_gradients
from ...fitting.examples import Examples
from ...fitting.task import TrainingTask
from ...guards.interrupts import uninterrupted
from ..ir.loops import LoopText, text_of
from ..ir.machine import this_machine
from ..lowering import LOWERINGS, Lowering
from ..native.kernel import Kernel
from ..program import Goal, Program
from .programs import derivation_of, fill, trace_clip, trace_loss, trace_rule, width_of

__all__ = ["Effort", "NativeSteps", "RowSums"]

Floats = NDArray[np.float64]


class Batch(NamedTuple):
    """Arrays for a batch, with a line for each column, and the call that goes through them."""

    columns: Floats
    predictions: Floats
    compute: Callable[[], None]


class Effort(NamedTuple):
    """LLVM's level of optimisation, see `Code`: of straight-line code, and of loops."""

    of_steps: int
    of_loops: int


OPTIMISED = Effort(1, 1)


class NativeSteps:
    """The steps of a training, compiled.

    It works on its own copy of the parameters and of the optimizer's state: `read` takes them from
    the optimizer, and `write` puts them back.

    Args:
        task: what the steps are to do.
        predicts: whether the predictions are wanted too.
        effort: LLVM's.

    Raises:
        TypeError: something cannot be compiled; it says what, and what to write instead.
        Unmoved: the loss does not depend on the parameters.
    """

    def __init__(self, task: TrainingTask, predicts: bool, effort: Effort = OPTIMISED) -> None:
        self.task, self.predicts, self.optimizer = task, predicts, task.optimizer
        self.target_width = width_of(task.examples.targets[0])
        count, slots = len(self.optimizer.parameters), self.optimizer.slots
        self.forward, self.template = trace_loss(task, predicts)
        self.rule, self.clipping = trace_rule(self.optimizer), trace_clip(task)
        self.derivation = derivation_of(self.forward, count)
        self.program = self.derivation.program
        outs = range(1 + count, len(self.program.outputs))
        self.outs = len(outs)
        self._loss = _kernel(self.program, effort, range(count), outs, range(1 + count))
        self.taken = 0  # steps, ever
        # the gradients, the state and the parameters, in a row, as a step makes them; and beyond
        # the parameters, what else is shared by all rows
        numbers = np.zeros((1 + slots) * count + self._loss.text.room)
        self._now, self._next = numbers[: (2 + slots) * count], np.zeros((2 + slots) * count)
        self._shared = numbers[(1 + slots) * count :]
        self.gradients, self.state = self._now[:count], self._now[count:-count]
        self.parameters = self._shared[:count]
        self._sums = np.zeros(1 + count)
        self._slopes = self._sums[1:]
        self._batches: dict[int, Batch] = {}  # by the number of their rows
        self._clip = Clipping(self.clipping, effort) if self.clipping is not None else None
        self._bind_rule(slots, effort)
        self.read()

    def columns(self, examples: Examples) -> Floats:
        """Return rows and targets as an array with a line for each column."""
        if any(width_of(target) != self.target_width for target in examples.targets):
            raise TypeError("to be compiled, all targets must be of one length")
        flat = [t if isinstance(t, list) else [t] for t in examples.targets]
        return np.ascontiguousarray(np.hstack([np.array(examples.rows), np.array(flat, float)]).T)

    def take(self, columns: Floats, places: NDArray[np.int64], rate: float) -> float | None:
        """Take a step on the rows in some places of the columns; return their mean loss.

        If it would leave a number that is not finite, it is not taken, and None is returned.
        """
        rows = len(places)
        batch = self._batches.get(rows) or self._bind(rows)
        columns.take(places, 1, batch.columns, "clip")  # the quick mode: all places are there
        batch.compute()
        return self._step(rows, rate)

    def take_sums(self, sums: Floats, rows: int, rate: float) -> float | None:
        """Take a step by the sums of loss and gradients over rows, as `take` does."""
        self._sums[:] = sums
        return self._step(rows, rate)

    def _step(self, rows: int, rate: float) -> float | None:
        settings, loss = self._settings, self._sums.data[0] / rows
        settings[0], settings[1], settings[2] = rate, self.taken + 1, rows
        if self._clip:
            self._clip(self._slopes, rows)
            settings[2] = 1  # it has divided by them
        self._move()
        if self._nothing[0] != 0 or not math.isfinite(loss):
            return None
        self._now[:] = self._next
        self.taken += 1
        return loss

    def sums_maker(self, effort: Effort) -> Callable[[], RowSums]:
        """Return what makes the kernel of loss and gradients again, in another process."""
        return partial(RowSums, self.program, len(self.parameters), effort)

    def predictions_of(self, rows: int) -> Floats:
        """Return the numbers of the predictions in the last step, given how many rows it took."""
        return self._batches[rows].predictions

    def measure(self, columns: Floats) -> tuple[float, Floats]:
        """Return the mean loss of all rows of the columns, and the predictions, without a step."""
        rows = columns.shape[1]
        outs = np.empty((self.outs, rows))
        self._call(columns, outs)()
        return self._sums.data[0] / rows, outs

    def predictions(self, outs: Floats) -> list[object]:
        """Return the predictions of rows as the model gave them, of plain numbers."""
        if not self.outs:
            return []
        if type(self.template) is int:
            return list(outs[0].tolist())
        return [fill(self.template, numbers) for numbers in outs.T.tolist()]

    def read(self) -> None:
        """Take the parameters and their state from the optimizer."""
        self.parameters[:] = [parameter.data for parameter in self.optimizer.parameters]
        if self.optimizer.slots:
            self.state[:] = np.array(self.optimizer.state, float).T.ravel()
        self.taken = self._written = self.optimizer.steps

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
            set_data(optimizer.parameters, self.parameters.tolist())
            set_gradients(optimizer.parameters, self.gradients.tolist())
            optimizer.state, optimizer.steps = state, self.taken
            self._written = self.taken

    def is_current(self) -> bool:
        """Return whether model, loss, clipping and rule still are what was compiled.

        A callback may have changed them; and what counts its calls differs at every run.
        """
        forward, template = trace_loss(self.task, self.predicts)
        if (forward, template) != (self.forward, self.template):
            return False
        program = derivation_of(forward, len(self.parameters)).program
        return program == self.program and self.moves_as_compiled()

    def moves_as_compiled(self) -> bool:
        """Return whether clipping and rule still are what was compiled."""
        return (trace_clip(self.task), trace_rule(self.optimizer)) == (self.clipping, self.rule)

    def _bind(self, rows: int) -> Batch:
        """Return arrays for batches of a number of rows; a training has few such numbers."""
        columns = np.empty((len(self._loss.text.columns), rows))
        predictions = np.empty((self.outs, rows))
        batch = Batch(columns, predictions, self._call(columns, predictions))
        self._batches[rows] = batch
        return batch

    def _call(self, columns: Floats, outs: Floats) -> Callable[[], None]:
        """Return the call that computes the sums, and the predictions, of rows in an array."""
        places = [(address, 8) for address in _addresses(columns)]
        rows = columns.shape[1]
        return self._loss.bind(rows, places, _addresses(outs), self._shared, self._sums)

    def _bind_rule(self, slots: int, effort: Effort) -> None:
        """Make ready the optimizer's rule, which has the parameters for rows."""
        count, columns, outs = len(self.parameters), range(3 + slots), range(2 + slots)
        shared, check = range(len(columns), len(columns) + 3), range(len(outs), len(outs) + 1)
        self._rule = _kernel(self.rule, effort, shared, outs, check)
        settings, nothing = np.zeros(self._rule.text.room), np.zeros(1)
        # as memoryviews, in which one number is read or set in a third of the time
        self._settings, self._nothing = cast("Any", settings.data), nothing.data
        slopes = self._clip.clipped if self._clip else self._slopes
        given = [self.parameters, slopes, *self.state.reshape(slots, count), self._slopes]
        places, ends = [(x.ctypes.data, 8) for x in given], self._next.reshape(-1, count)
        self._move = self._rule.bind(count, places, _addresses(ends), settings, nothing)


class RowSums:
    """The loss, its gradients and the predictions, compiled for rows that are elsewhere.

    Args:
        program: computes the loss, its gradients, and the predictions.
        parameters: how many, which are its first inputs.
        effort: LLVM's.
    """

    def __init__(self, program: Program, parameters: int, effort: Effort) -> None:
        sums = range(1 + parameters)
        outs = range(len(sums), len(program.outputs))
        self.count, self.outs = len(sums), len(outs)
        self.kernel = _kernel(program, effort, range(parameters), outs, sums)

    def __call__(self, parameters: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """Return the sums over rows, and the predictions.

        `columns` has a line for each column; it is fast where the rows of a line lie side by side.
        """
        shared, rows = np.zeros(self.kernel.text.room), columns.shape[1]
        shared[: len(parameters)] = parameters
        sums, outs = np.zeros(self.count), np.empty((self.outs, rows))
        places = [(address, columns.strides[1]) for address in _addresses(columns)]
        self.kernel.bind(rows, places, _addresses(outs), shared, sums)()
        return sums, outs


class Clipping:
    """The clipping of all gradients, compiled: a kernel without rows, which shares all numbers."""

    def __init__(self, program: Program, effort: Effort) -> None:
        count = len(program.inputs)
        self.kernel = _kernel(program, effort, range(count))
        text, program = self.kernel.text, self.kernel.text.program
        # what it computes is in a place after the call; constants wait behind these places
        constants = [slot for slot in program.outputs if slot not in text.shared_places]
        places = text.shared_places | {slot: text.room + i for i, slot in enumerate(constants)}
        self.numbers = np.zeros(text.room + len(constants))
        for slot in constants:
            self.numbers[places[slot]] = program.constant_at(slot)
        self.places = np.array([places[slot] for slot in program.outputs], np.int64)
        self.given, self.clipped = self.numbers[:count], np.zeros(count)
        self.compute = self.kernel.bind(0, [], [], self.numbers, np.zeros(0))

    def __call__(self, sums: Floats, rows: int) -> None:
        """Clip the mean gradients, whose sums over a number of rows are given."""
        np.divide(sums, rows, self.given)
        self.compute()
        self.numbers.take(self.places, 0, self.clipped, "clip")


def _addresses(lines: Floats) -> list[int]:
    """Return the addresses of the lines of an array, which must be kept alive besides."""
    return [lines.ctypes.data + k * lines.strides[0] for k in range(len(lines))]


def _kernel(program: Program, effort: Effort, shared: range, *outputs: range) -> Kernel:
    """Return a kernel, one of the latest if it is there: networks are often trained again.

    The outputs are those that are written, and those that are added up.
    """
    return _latest_kernels(program, effort, shared, outputs, tuple(LOWERINGS.values()))


@lru_cache(maxsize=16)
def _latest_kernels(
    program: Program,
    effort: Effort,
    shared: range,
    outputs: tuple[range, ...],
    lowerings: tuple[Lowering, ...],
) -> Kernel:
    written, totals = outputs or ((), ())
    text = text_of(Goal(program, shared, written, totals), this_machine())
    return Kernel(text, effort.of_loops if isinstance(text, LoopText) else effort.of_steps)
