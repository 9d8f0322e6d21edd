"""Some epochs of a native training: which examples their steps take, and what came of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...derivatives.trees import flatten
from ...fitting.examples import Examples
from ...fitting.task import Task
from ...fitting.trainer import Epoch
from .steps import NativeSteps

__all__ = ["Stretch"]


class Stretch:
    """Epochs in a row, of which a native call takes as many steps as are asked of it."""

    def __init__(
        self,
        task: Task,
        steps: NativeSteps,
        columns: NDArray[np.float64],
        orders: Sequence[tuple[int, Sequence[int]]],
    ) -> None:
        self.task, self.steps, self.orders = task, steps, orders
        rows, size = len(task.examples.rows), task.batch_size
        self.starts = range(0, rows, size)
        self.columns, step_to_next = columns, 0
        if not all(isinstance(order, range) for _, order in orders):
            all_rows = np.concatenate([order for _, order in orders])
            self.columns, step_to_next = np.ascontiguousarray(columns[:, all_rows]), rows
        self.outs = steps.room_for_predictions(self.columns)
        self.firsts = [e * step_to_next + at for e in range(len(orders)) for at in self.starts]
        self.sizes = [min(size, rows - at) for at in self.starts] * len(orders)
        self.rates: list[float] = []  # as far as the schedule was asked
        self.losses = np.zeros(len(self.sizes))
        self.epochs: list[Epoch] = []  # those that are finished
        self._before = steps.taken

    @property
    def done(self) -> int:
        """The number of steps that were taken."""
        return self.steps.taken - self._before

    def run(self, begin: int, end: int) -> int:
        """Take steps natively; return how many could be taken."""
        part = slice(begin, end)
        given = self.firsts[part], self.sizes[part], self.rates[part], self.losses[part]
        return len(self.steps.run(self.columns, self.outs, *given))

    def batch(self, k: int) -> tuple[int, int, Examples]:
        """Return of a step the epoch, the number of its batch in it, and the batch."""
        e, place = divmod(k, len(self.starts))
        (epoch, order), start = self.orders[e], self.starts[place]
        return epoch, place + 1, self.task.examples.at(order[start : start + self.sizes[k]])

    def set(self, k: int, loss: float, predictions: Sequence[object]) -> None:
        """Set what came of a step that was taken elsewhere."""
        self.losses[k] = loss
        for i, prediction in enumerate(predictions, start=self.firsts[k]):
            self.outs[:, i] = flatten(prediction)[0]

    def finish(self) -> list[Epoch]:
        """Add to `epochs` those whose last step was taken; return them."""
        finished = range(len(self.epochs), self.done // len(self.starts))
        epochs = [self._epoch(e) for e in finished]
        self.epochs += epochs
        return epochs

    def _epoch(self, e: int) -> Epoch:
        number, order = self.orders[e]
        own = slice(e * len(self.starts), (e + 1) * len(self.starts))
        losses = zip(self.losses[own].tolist(), self.sizes[own], strict=True)
        loss = math.fsum(loss * rows for loss, rows in losses) / len(order)
        predictions = self.steps.predictions(self.outs)
        targets = self.task.examples.at(order).targets if self.steps.predicts else []
        return Epoch(number, loss, self.rates[own][-1], predictions, targets)
