"""The native side of `fit`: epochs of native steps, as long as nobody looks in between."""

from __future__ import annotations

import math
import time
from _thread import get_ident
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..graph import unrecorded
from ..optim import Optimizer
from ..primitive import watched
from ..training import Outcome, Trainer
from .training import NativeSteps

__all__ = ["NativeTrainer"]

SECONDS = 0.05  # of one native call, about: Ctrl-C and the bar wait for its end
SECONDS_PER_OPERATION = 1e-8  # at most, for a row; a first guess, until a call was measured
MOST_ROWS = 2**18  # that are put in order for one native call


class NativeTrainer:
    """Takes the steps of a `Trainer` natively, and gives back to it those that go wrong.

    Args:
        trainer: what it stands for.
        predicts: whether the predictions are wanted too.
        has_callbacks: whether somebody may look at the model after every epoch, and change it.
        validates: whether `measure` is called after every epoch.

    Raises:
        TypeError: something cannot be compiled.
        ValueError: the loss does not depend on the optimizer's parameters.
    """

    def __init__(
        self, trainer: Trainer, predicts: bool, has_callbacks: bool, validates: bool
    ) -> None:
        self.trainer, self.predicts, self.has_callbacks = trainer, predicts, has_callbacks
        self.one_by_one = predicts or has_callbacks or validates
        _require_plain(trainer.optimizer)
        self.steps = self._compiled()
        if not self.steps.is_current():
            raise TypeError("a model that draws numbers, or counts its calls, differs every time")
        self.columns = self.steps.columns(trainer.rows, trainer.targets)
        work = len(self.steps.program) * trainer.batch_size
        self.most_steps = max(1, int(SECONDS / (work * SECONDS_PER_OPERATION)))
        self.bar: Any = None

    def _compiled(self) -> NativeSteps:
        t = self.trainer
        return NativeSteps(t.model, t.loss, t.optimizer, t.clip, t.rows, t.targets, self.predicts)

    def epochs(self, orders: Iterable[Sequence[int]]) -> Iterator[Outcome]:
        """Go through all rows in each of the given orders; yield what each epoch came to."""
        self.trainer.bar = self.bar
        orders, first = iter(orders), 1
        try:
            while group := list(islice(orders, self._epochs_at_once())):
                yield from self._group(group, first)
                first += len(group)
                if self.has_callbacks:
                    self._look()
        finally:
            self.steps.write()

    def measure(self, rows: Sequence[list[float]], targets: Sequence[Any]) -> tuple[float, Any]:
        """Return the mean loss and the predictions, without a step."""
        loss, outs = self.steps.measure(self.steps.columns(rows, targets))
        if not math.isfinite(loss):
            self.steps.write()
            return self.trainer.measure(rows, targets)  # which says what is wrong
        return loss, self.steps.predictions(outs)

    def _epochs_at_once(self) -> int:
        if self.one_by_one:
            return 1
        rows = len(self.trainer.rows)
        steps = math.ceil(rows / self.trainer.batch_size)
        return max(1, min(self.most_steps // steps, MOST_ROWS // rows))

    def _group(self, orders: list[Sequence[int]], first: int) -> Iterator[Outcome]:
        """Take the steps of some epochs, of which `first` is the first."""
        rows, size = len(self.trainer.rows), self.trainer.batch_size
        starts = range(0, rows, size)
        is_sorted = all(isinstance(order, range) for order in orders)
        columns = self.columns
        if not is_sorted:
            columns = np.ascontiguousarray(columns[:, np.concatenate(orders)])
        outs = self.steps.room_for_predictions(columns)
        firsts = [(0 if is_sorted else e * rows) + at for e in range(len(orders)) for at in starts]
        sizes = [min(size, rows - at) for at in starts] * len(orders)
        losses: list[float] = []
        rates: list[float] = []
        for e, order in enumerate(orders):
            while len(losses) < (e + 1) * len(starts):
                if self.steps.interrupted:
                    raise KeyboardInterrupt
                done = len(losses)
                rates[done:] = self._rates(min(self.most_steps, len(firsts) - done))
                part = slice(done, len(rates))
                losses += self._run(columns, outs, firsts[part], sizes[part], rates[part])
                if len(losses) == done and not self.steps.interrupted:
                    place = done - e * len(starts)
                    self.trainer.optimizer.lr = rates[done]
                    batch = order[starts[place] : starts[place] + size]
                    losses.append(self._replayed(batch, first + e, place))
            own = slice(e * len(starts), (e + 1) * len(starts))
            total = math.fsum(x * n for x, n in zip(losses[own], sizes[own], strict=True))
            if self.has_callbacks:
                self.steps.write()
            targets = [self.trainer.targets[i] for i in order] if self.predicts else []
            lr = rates[own][-1]
            yield Outcome(total / rows, lr, self.steps.predictions(outs), targets)

    def _run(
        self, columns: Any, outs: Any, firsts: list[int], sizes: list[int], rates: list[float]
    ) -> list[float]:
        """Take steps; return the losses of those that were taken."""
        begin = time.perf_counter()
        losses = self.steps.run(columns, outs, firsts, sizes, rates)
        elapsed = time.perf_counter() - begin
        if losses:
            self.most_steps = max(1, min(int(SECONDS * len(losses) / elapsed), 2**20))
        self.trainer.steps += len(losses)
        self.trainer.advance(len(losses))
        return losses

    def _replayed(self, part: Sequence[int], epoch: int, place: int) -> float:
        """Take a step in Python: it raises an error that names the operation, if it fails there."""
        self.steps.write()
        loss, _ = self.trainer.step_on(part, epoch, place + 1)
        self.trainer.advance(1)
        self.steps.read()
        return loss

    def _rates(self, count: int) -> list[float]:
        """Return the rates of the next steps, up to one for which the schedule raises."""
        rates: list[float] = []
        taken = self.trainer.steps
        try:
            for self.trainer.steps in range(taken, taken + count):
                self.trainer.set_rate()
                rates.append(self.trainer.optimizer.lr)
        except Exception:
            if not rates:
                raise
        finally:
            self.trainer.steps = taken
        return rates

    def _look(self) -> None:
        """Go on from what a callback may have left."""
        if self.steps.is_current():
            self.steps.read()
        else:
            self.steps = self._compiled()


def _require_plain(optimizer: Optimizer) -> None:
    """Raise `TypeError` for what only Python does."""
    for name in ("step", "_moved"):
        if getattr(type(optimizer), name) is not getattr(Optimizer, name):
            raise TypeError(f"{type(optimizer).__name__} has a `{name}` of its own")
    if not all(type(parameter.data) is float for parameter in optimizer.parameters):
        raise TypeError("a kernel computes with floats, and a parameter is none")
    if get_ident() in watched or get_ident() in unrecorded:
        raise TypeError("under detect_anomaly() or no_grad() every node is made in Python")
