"""The measurements of a training, epoch by epoch, and the one place that writes them down."""

from __future__ import annotations

from collections.abc import Mapping

from ..history import History, Record
from ..metrics import Metric, measure
from .examples import Examples
from .trainer import Epoch, Trainer

__all__ = ["Journal"]


class Journal:
    """Measures epochs, and writes each into a history when all is known of it.

    An epoch of which the loss alone is measured is written down in one piece with its last step: a
    signal comes before both, or after both.
    """

    def __init__(
        self, history: History, metrics: Mapping[str, Metric], held_out: Examples | None
    ) -> None:
        self._history, self._metrics = history, metrics
        self._measures_more = bool(metrics or held_out)

    def end_steps(self, epoch: Epoch) -> None:
        """Write an epoch down at its last step, unless something remains to be measured."""
        if not self._measures_more:
            self._history.records.append(epoch.record())

    def end_epoch(self, epoch: Epoch, trainer: Trainer) -> Record:
        """Return all that is measured of an epoch; write it down if that is more than the loss."""
        record = epoch.record()
        if self._measures_more:
            record |= measure(self._metrics, epoch.predictions, epoch.targets)
            if validation := trainer.validate(epoch.number):
                record["val_loss"], predictions, targets = validation
                record |= measure(self._metrics, predictions, targets, prefix="val_")
            self._history.records.append(record)
        return record
