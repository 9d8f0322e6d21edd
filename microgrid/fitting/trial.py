"""What can be tried out before the first step: whether model, loss, metrics and targets suit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import losses
from ..core.graph import no_grad
from ..guards.interrupts import comes_from_handler
from ..metrics import Metric, measure
from .examples import Examples, Target
from .finiteness import is_of_numbers
from .task import TrainingTask
from .trainer import Trainer, require_value

__all__ = ["try_loss", "try_out"]

# Losses that take every number, and refuse a target for its form alone.
OF_ANY_NUMBERS = (losses.squared_error, losses.absolute_error, losses.huber)


def try_out(task: TrainingTask, metrics: Mapping[str, Metric]) -> None:
    """Raise an error for rows that do not suit the model, and targets that loss or metrics refuse.

    Raises:
        TypeError, ValueError: what the model, the loss or a metric raises, or they give no number.
    """
    with no_grad():
        try_loss(task, task.examples, "y")
        if task.held_out:
            try_loss(task, task.held_out, "validation y")
    if metrics:
        _try_metrics(task, metrics)


def try_loss(task: TrainingTask, examples: Examples, name: str, start: int = 0) -> None:
    """Ask the loss about every target that it may tell apart, beside the first row's prediction.

    Errors count the rows from `start` on.
    """
    try:
        prediction = task.model(list(task.examples.rows[0]))
    except (ArithmeticError, ValueError) as error:
        if is_of_numbers(error):
            return  # the training will say where
        raise ValueError(f"row 0 of `X` does not suit the model: {error}") from error
    first: dict[str, int] = {}  # where a target stands first, by how it is written: 1 is not 1.0
    by_form = any(task.loss is own for own in OF_ANY_NUMBERS)
    for i, target in enumerate(examples.targets):
        first.setdefault(_form(target) if by_form else repr(target), i)
    for i in first.values():
        target = examples.targets[i]
        try:
            result = task.loss(prediction, target)
        except (ArithmeticError, TypeError, ValueError) as error:
            if is_of_numbers(error):
                continue
            kind = TypeError if isinstance(error, TypeError) else ValueError
            own = getattr(task.loss, "__module__", None) == losses.__name__
            takes = "" if own else "; a loss takes the prediction and the target of one row"
            raise kind(
                f"row {start + i} of `{name}` does not suit the loss: {error}{takes}"
            ) from error
        require_value(result)


def _form(target: Target) -> str:
    return f"{len(target)} numbers" if isinstance(target, list) else "a number"


def _try_metrics(task: TrainingTask, metrics: Mapping[str, Metric]) -> None:
    """Ask the metrics about every target, beside the prediction of the first row.

    That is quick; only if one refuses it, beside each row's own.
    """
    first = _predictions(task, task.examples.at([0]))
    for examples in filter(None, [task.examples, task.held_out] if first else []):
        try:
            measure(metrics, [*first] * len(examples.rows), examples.targets)
        except Exception as error:
            if comes_from_handler(error):
                raise
            if predictions := _predictions(task, examples):
                measure(metrics, predictions, examples.targets)


def _predictions(task: TrainingTask, examples: Examples) -> Sequence[object]:
    """Return predictions; none if there is an error, of which the training will say where."""
    try:
        return Trainer(task, lambda epoch: None).measure(examples).predictions
    except (ArithmeticError, ValueError):
        return []
