"""The native side of `fit`: epochs of native steps, as long as nobody looks in between."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ...core.graph import no_grad
from ...core.modes import current, unrecorded, watched
from ...derivatives.trees import flatten
from ...engine import Value
from ...guards.interrupts import raised_by_handler, uninterrupted
from ...optim import Optimizer
from ...training import Outcome, Trainer, not_compiled
from .steps import NativeSteps

__all__ = ["NativeTrainer"]

SECONDS = 0.05  # of one native call, about: Ctrl-C and the bar wait for its end
SECONDS_PER_OPERATION = 1e-8  # at most, for a row; a first guess, until a call was measured
FIRST_ROWS = 4  # of which the loss is compared with Python's
AGREEMENT = 1e-6  # far more than rounding, far less than what another number would make
MOST_ROWS = 2**18  # that are put in order for one native call


class NativeTrainer:
    """Takes the steps of a `Trainer` natively, and gives back to it those that go wrong.

    Args:
        trainer: what it stands for.
        held_out: rows and targets that `measure` is called with after every epoch, or None.
        predicts: whether the predictions are wanted too.
        has_callbacks: whether somebody may look at the model after every epoch, and change it.
        insists: whether to raise if what a callback leaves cannot be compiled, or go on in Python.

    Raises:
        TypeError: something cannot be compiled; what is traced may raise any other error too.
        Unmoved: the loss does not depend on the optimizer's parameters.
    """

    def __init__(
        self, trainer: Trainer, held_out: Any, predicts: bool, has_callbacks: bool, insists: bool
    ) -> None:
        self.trainer, self.predicts, self.has_callbacks = trainer, predicts, has_callbacks
        self.insists, self.one_by_one = insists, bool(predicts or has_callbacks or held_out)
        steps = self._compiled()
        self.steps: NativeSteps | None = steps  # None once it goes on in Python
        self.columns = steps.columns(trainer.rows, trainer.targets)
        self.held_out = steps.columns(*held_out) if held_out else None
        work = max(1, len(steps.program)) * min(trainer.batch_size, len(trainer.rows))
        self.most_steps = max(1, int(SECONDS / (work * SECONDS_PER_OPERATION)))
        self.bar: Any = None

    def epochs(self, orders: Iterable[Sequence[int]], first: int) -> Generator[Outcome, None, None]:
        """Go through all rows in each of the given orders; yield what each epoch came to."""
        self.trainer.bar = self.bar
        orders = iter(orders)
        while self.steps and (some := list(islice(orders, self._epochs_at_once()))):
            epochs = _Epochs(self, self.steps, some, first)
            for e in range(len(some)):
                while len(epochs.outcomes) <= e:
                    self._take(epochs)
                yield epochs.outcomes[e]
            first += len(some)
            if self.has_callbacks:
                self._look()
        yield from self.trainer.epochs(orders, first)

    def measure(self, rows: Sequence[list[float]], targets: Sequence[Any]) -> tuple[float, Any]:
        """Return the mean loss and the predictions, without a step."""
        if self.steps:
            loss, outs = self.steps.measure(self.held_out)
            if math.isfinite(loss):
                return loss, self.steps.predictions(outs)
        return self.trainer.measure(rows, targets)  # which says what is wrong

    def _compiled(self) -> NativeSteps:
        t = self.trainer
        _require_plain(t.optimizer)
        steps = NativeSteps(t.model, t.loss, t.optimizer, t.clip, t.rows, t.targets, self.predicts)
        if not steps.is_current():
            raise TypeError("what draws numbers, or counts its calls, differs every time")
        _require_agreement(t, steps)
        return steps

    def _epochs_at_once(self) -> int:
        if self.one_by_one:
            return 1
        rows = len(self.trainer.rows)
        steps = math.ceil(rows / self.trainer.batch_size)
        return max(1, min(self.most_steps // steps, MOST_ROWS // rows))

    def _take(self, epochs: _Epochs) -> None:
        """Take steps natively; if not one can be taken, take it in Python."""
        done, rates, trainer = epochs.done, epochs.rates, self.trainer
        if len(rates) == done:
            rates += self._rates(min(self.most_steps, len(epochs.sizes) - done))
        end = min(done + self.most_steps, len(rates))
        with uninterrupted():
            begin = time.perf_counter()
            taken = epochs.run(done, end)
            elapsed = time.perf_counter() - begin
            trainer.optimizer.lr = rates[min(done + taken, len(rates) - 1)]
            if taken:
                epochs.steps.write()
                trainer.steps += taken
                epochs.note()
            if taken < end - done:
                trainer.optimizer.zero_grad()  # the kernel has left what may be no numbers
        if taken:
            self.most_steps = max(1, min(int(SECONDS * taken / max(elapsed, 1e-9)), 2**20))
            trainer.advance(taken)
        else:
            self._replay(epochs, done)

    def _replay(self, epochs: _Epochs, k: int) -> None:
        """Take step k in Python: it raises an error that names the operation, if it fails there."""
        epoch, place, batch = epochs.batch(k)
        with self.trainer.placed(epoch, place):
            loss, predictions, gradients = self.trainer.derive(batch)
            with uninterrupted():
                self.trainer.move(gradients)
                epochs.steps.read()
                epochs.set(k, loss, predictions if self.predicts else [])
                epochs.note()
        self.trainer.advance(1)

    def _rates(self, count: int) -> list[float]:
        """Return the rates of the next steps, up to one for which the schedule raises."""
        rates: list[float] = []
        taken = self.trainer.steps
        try:
            for step in range(taken, taken + count):
                rates.append(self.trainer.rate(step))
        except Exception as error:
            if not rates or raised_by_handler(error):
                raise
        return rates

    def _look(self) -> None:
        """Go on from what a callback may have left."""
        try:
            _require_plain(self.trainer.optimizer)
            if self.steps:
                self.steps.read()
            if not (self.steps and self.steps.is_current()):
                self.steps = self._compiled()
        except Exception as error:  # a model may raise anything of numbers that are not known yet
            if raised_by_handler(error):
                raise
            if self.insists:
                raise not_compiled(error) from error
            self.steps = None


class _Epochs:
    """Some epochs: which rows their steps take, and what came of them."""

    def __init__(
        self, native: NativeTrainer, steps: NativeSteps, orders: list[Sequence[int]], first: int
    ) -> None:
        self.trainer, self.steps, self.orders, self.first = native.trainer, steps, orders, first
        self.predicts = native.predicts
        rows, size = len(self.trainer.rows), self.trainer.batch_size
        self.starts = range(0, rows, size)
        self.columns, step_to_next = native.columns, 0
        if not all(isinstance(order, range) for order in orders):
            self.columns = np.ascontiguousarray(self.columns[:, np.concatenate(orders)])
            step_to_next = rows
        self.outs = steps.room_for_predictions(self.columns)
        self.firsts = [e * step_to_next + at for e in range(len(orders)) for at in self.starts]
        self.sizes = [min(size, rows - at) for at in self.starts] * len(orders)
        self.rates: list[float] = []  # as far as the schedule was asked
        self.losses = np.zeros(len(self.sizes))
        self.outcomes: list[Outcome] = []  # of the epochs that are finished
        self.before = steps.taken

    @property
    def done(self) -> int:
        """The number of steps that were taken."""
        return self.steps.taken - self.before

    def run(self, begin: int, end: int) -> int:
        """Take steps natively; return how many could be taken."""
        part = slice(begin, end)
        given = self.firsts[part], self.sizes[part], self.rates[part], self.losses[part]
        return len(self.steps.run(self.columns, self.outs, *given))

    def batch(self, k: int) -> tuple[int, int, Sequence[int]]:
        """Return of a step the epoch, the number of its batch in it, and the rows."""
        e, place = divmod(k, len(self.starts))
        start = self.starts[place]
        return self.first + e, place + 1, self.orders[e][start : start + self.sizes[k]]

    def set(self, k: int, loss: float, predictions: Sequence[Any]) -> None:
        """Set what came of a step that was taken elsewhere."""
        self.losses[k] = loss
        for i, prediction in enumerate(predictions, start=self.firsts[k]):
            self.outs[:, i] = flatten(prediction)[0]

    def note(self) -> None:
        """Note down what the epochs came to that are finished now."""
        for e in range(len(self.outcomes), self.done // len(self.starts)):
            self.outcomes.append(self._outcome(e))
            self.trainer.note(self.outcomes[e])

    def _outcome(self, e: int) -> Outcome:
        own = slice(e * len(self.starts), (e + 1) * len(self.starts))
        losses = zip(self.losses[own].tolist(), self.sizes[own], strict=True)
        loss = math.fsum(loss * rows for loss, rows in losses) / len(self.trainer.rows)
        targets = [self.trainer.targets[i] for i in self.orders[e]] if self.predicts else []
        predictions = self.steps.predictions(self.outs)
        return Outcome(self.first + e, loss, self.rates[own][-1], predictions, targets)


def _require_agreement(trainer: Trainer, steps: NativeSteps) -> None:
    """Raise `TypeError` if Python computes something else of the first rows.

    So it is if a model draws numbers that cannot be watched.
    """
    rows, targets = trainer.rows[:FIRST_ROWS], trainer.targets[:FIRST_ROWS]
    try:
        with no_grad():
            mean = trainer.measure(rows, targets)[0]
    except (ArithmeticError, ValueError):
        return  # the training will say where
    compiled = steps.measure(steps.columns(rows, targets))[0]
    if not math.isclose(mean, compiled, rel_tol=AGREEMENT, abs_tol=AGREEMENT):
        raise TypeError(
            f"the mean loss of the first {len(rows)} rows is {mean} in Python, but {compiled} as "
            "it was compiled: a model must not draw numbers, nor change from call to call"
        )


def _require_plain(optimizer: Optimizer) -> None:
    """Raise `TypeError` for what only Python does."""
    for name in ("step", "_moved", "zero_grad"):
        own = getattr(getattr(optimizer, name), "__func__", None)
        if own is not getattr(Optimizer, name):
            raise TypeError(f"{type(optimizer).__name__} has a `{name}` of its own")
    if not all(type(p) is Value and type(p.data) is float for p in optimizer.parameters):
        raise TypeError("a kernel computes with floats, and a parameter is none")
    if current(watched) or current(unrecorded):
        raise TypeError("under detect_anomaly() or no_grad() every node is made in Python")
