"""The steps of a training, taken in Python: batch after batch, each step whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..core.graph import no_grad, set_gradients, topological_order
from ..core.sequences import as_list, is_ordered
from ..engine import Value
from ..functional import sum as sum_
from ..guards.checks import is_bool, is_finite, is_real, quote
from ..guards.interrupts import uninterrupted
from ..history import Record
from .examples import Examples, Target
from .finiteness import name_place, origin
from .task import TrainingTask

__all__ = [
    "Bar",
    "Epoch",
    "Measurement",
    "Trainer",
    "Unmoved",
    "require_dependence",
    "require_value",
]

STEP_UNDONE = (
    "The parameters are as they were before this step. A lower learning rate, standardised "
    "inputs or `clip` may help."
)
STEPS_KEPT = "The parameters are as this epoch's steps left them."


class Bar(Protocol):
    """Shows how far a training is."""

    def update(self, steps: int) -> object:
        """Show that steps were taken."""

    def show(self, epoch: int, record: Record) -> object:
        """Show what was measured of an epoch."""


class Measurement(NamedTuple):
    """A mean loss, and the predictions beside their targets."""

    loss: float
    predictions: Sequence[object]
    targets: Sequence[Target]


class Epoch(NamedTuple):
    """The result of an epoch: the mean loss, the last rate, the predictions and their targets."""

    number: int
    loss: float
    lr: float
    predictions: Sequence[object] = ()
    targets: Sequence[Target] = ()

    def record(self) -> Record:
        """Return what the history says of it, before anything else is measured."""
        return {"epoch": self.number, "loss": self.loss, "lr": self.lr}


class Trainer:
    """Takes the steps of a task, and counts them.

    `end_steps` is called with each epoch in one piece with its last step: a signal comes before
    both, or after both.
    """

    def __init__(self, task: TrainingTask, end_steps: Callable[[Epoch], None]) -> None:
        self.task, self.end_steps = task, end_steps
        self.steps = 0  # that were taken

    def epochs(
        self, orders: Iterator[tuple[int, Sequence[int]]], bar: Bar
    ) -> Generator[Epoch, None, None]:
        """Go through all rows in each of the numbered orders; yield the result of each epoch."""
        task = self.task
        for number, order in orders:
            losses: list[float] = []
            predictions: list[object] = []
            for batch_number, start in enumerate(range(0, len(order), task.batch_size), 1):
                batch = task.examples.at(order[start : start + task.batch_size])
                task.optimizer.lr = self.rate(self.steps)
                with name_place(f"epoch {number}, batch {batch_number}", STEP_UNDONE):
                    loss, outputs, gradients = self.derive(batch)
                    with uninterrupted():
                        self.move(gradients)
                        losses += [loss] * len(outputs)
                        predictions += outputs
                        if len(losses) == len(order):
                            mean_loss, rate = math.fsum(losses) / len(losses), task.optimizer.lr
                            targets = task.examples.at(order).targets
                            epoch = Epoch(number, mean_loss, rate, predictions, targets)
                            self.end_steps(epoch)
                bar.update(1)
            yield epoch

    def rate(self, step: int) -> float:
        """Return the rate of a step: the schedule's, or else the optimizer's own."""
        if not self.task.schedule:
            return self.task.optimizer.lr
        rate = self.task.schedule(step)
        if not is_real(rate) or is_bool(rate) or not (is_finite(rate) and rate >= 0):
            raise ValueError(f"`schedule` must return a rate of at least 0, got {quote(rate)}")
        return float(rate)

    def derive(self, batch: Examples) -> tuple[float, list[object], list[float]]:
        """Return the mean loss of a batch, its predictions, and the gradients to move by."""
        total, predictions = self.forward(batch)
        parameters = self.task.optimizer.parameters
        self.task.optimizer.zero_grad()
        total.backward()
        if self.steps == 0:
            require_dependence(total, parameters)
        # divided after they are summed: 1 + 2 - 3 is 0, while 1/10 + 2/10 - 3/10 is 6e-17, which
        # some optimizers would blow up
        gradients = [parameter.grad / len(predictions) for parameter in parameters]
        if not all(map(math.isfinite, gradients)):
            raise FloatingPointError(f"a gradient is not finite: {origin(total)}")
        return total.data / len(predictions), predictions, self.task.clip_gradients(gradients)

    def forward(self, batch: Examples) -> tuple[Value, list[object]]:
        """Return the sum of the rows' losses, and the predictions in plain numbers."""
        predictions = [
            self.task.model(list(row)) for row in batch.rows
        ]  # copies, which it may change
        pairs = zip(predictions, batch.targets, strict=True)
        total = sum_([require_value(self.task.loss(*pair)) for pair in pairs])
        if not math.isfinite(total.data):
            raise FloatingPointError(f"the loss is {total.data}: {origin(total)}")
        return total, [_plain_numbers(prediction) for prediction in predictions]

    def move(self, gradients: Sequence[float]) -> None:
        """Take a step by these gradients."""
        set_gradients(self.task.optimizer.parameters, gradients)
        self.task.optimizer.step()
        self.steps += 1

    def validate(self, epoch: int) -> Measurement | None:
        """Measure the held-out examples after an epoch; return None if there are none."""
        if not self.task.held_out:
            return None
        with name_place(f"epoch {epoch}, validation", STEPS_KEPT):
            return self.measure(self.task.held_out)

    def measure(self, examples: Examples) -> Measurement:
        """Measure examples, without a step."""
        with no_grad():
            total, predictions = self.forward(examples)
        return Measurement(total.data / len(predictions), predictions, examples.targets)


class Unmoved(ValueError):
    """The optimizer's parameters have no influence on the loss."""


def require_dependence(loss: Value, parameters: Iterable[Value]) -> None:
    """Raise `Unmoved` if the optimizer's parameters have no influence on the loss."""
    if not set(topological_order(loss)) & set(parameters):
        raise Unmoved(
            "the optimizer must move the model's parameters, got one of parameters that the "
            "loss does not depend on"
        )


def require_value(loss: object) -> Value:
    """Return a loss; raise `TypeError` if it is not a `Value`."""
    if not isinstance(loss, Value):
        raise TypeError(f"the loss must be a Value that depends on parameters, got {quote(loss)}")
    return loss


def _plain_numbers(prediction: object) -> object:
    """Return a prediction in plain numbers: a dict stays one, other parts come in lists."""
    if isinstance(prediction, Value):
        return prediction.data
    if isinstance(prediction, Mapping):
        return {name: _plain_numbers(part) for name, part in prediction.items()}
    if not is_ordered(prediction):
        return prediction
    return [_plain_numbers(part) for part in as_list(prediction, "a prediction must be a list")]
