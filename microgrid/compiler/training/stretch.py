"""Some epochs of a native training: which examples their steps take, and their results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...derivatives.trees import flatten
from ...fitting.examples import Examples
from ...fitting.task import TrainingTask
from ...fitting.trainer import Epoch
from .steps import NativeSteps

__all__ = ["EpochStretch"]


class EpochStretch:
    """Epochs in a row, whose steps are taken as many at once as is asked."""

    def __init__(
        self,
        task: TrainingTask,
        steps: NativeSteps,
        columns: NDArray[np.float64],
        orders: Sequence[tuple[int, Sequence[int]]],
    ) -> None:
        self.task, self.steps, self.orders = task, steps, orders
        self.columns, self.size = columns, task.batch_size
        self.starts = range(0, len(task.examples.rows), task.batch_size)
        self.places = [np.array(order, np.int64) for _, order in orders]
        self.outs = np.empty((steps.outs, columns.shape[1]))  # the predictions of an epoch
        self.count = len(orders) * len(self.starts)
        self.rates: list[float] = []  # as far as the schedule was asked
        self.losses: list[float] = []  # of the steps that were taken
        self.epochs: list[Epoch] = []  # those that are finished

    @property
    def done(self) -> int:
        """The number of steps that were taken."""
        return len(self.losses)

    def run(self, end: int) -> None:
        """Take the next steps natively, up to `end` or one that cannot be taken."""
        for k in range(self.done, end):
            e, place = divmod(k, len(self.starts))
            start = self.starts[place]
            places = self.places[e][start : start + self.size]
            loss = self.steps.take(self.columns, places, self.rates[k])
            if loss is None:
                break
            if self.steps.outs:
                self.outs[:, start : start + self.size] = self.steps.predictions_of(len(places))
            self.losses.append(loss)

    def batch(self, k: int) -> tuple[int, int, Examples]:
        """Return of a step the epoch, the number of its batch in it, and the batch."""
        e, place = divmod(k, len(self.starts))
        (epoch, order), start = self.orders[e], self.starts[place]
        return epoch, place + 1, self.task.examples.at(order[start : start + self.size])

    def add(self, loss: float, predictions: Sequence[object]) -> None:
        """Add the result of the next step, which was taken elsewhere."""
        start = self.starts[self.done % len(self.starts)]
        for i, prediction in enumerate(predictions, start=start):
            self.outs[:, i] = flatten(prediction)[0]
        self.losses.append(loss)

    def finish(self) -> list[Epoch]:
        """Add to `epochs` those whose last step was taken; return them."""
        finished = range(len(self.epochs), self.done // len(self.starts))
        epochs = [self._epoch(e) for e in finished]
        self.epochs += epochs
        return epochs

    def _epoch(self, e: int) -> Epoch:
        number, order = self.orders[e]
        own = slice(e * len(self.starts), (e + 1) * len(self.starts))
        sizes = [min(self.size, len(order) - start) for start in self.starts]
        losses = zip(self.losses[own], sizes, strict=True)
        loss = math.fsum(loss * rows for loss, rows in losses) / len(order)
        predictions = self.steps.predictions(self.outs)
        targets = self.task.examples.at(order).targets if self.steps.predicts else []
        return Epoch(number, loss, self.rates[own][-1], predictions, targets)
