"""Measurements of a training besides the loss: functions `(predictions, targets) -> float`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .core.sequences import as_lists, entries, instead_of, is_number, is_sequence, single
from .guards.checks import is_real, quote, require_functions

__all__ = ["Metric", "accuracy", "confusion_matrix", "measure", "metrics_by_name"]

#: A number for predictions and targets, both lists over the same rows.
Metric = Callable[[Sequence[Any], Sequence[Any]], float]


def accuracy(predictions: Iterable[object], targets: Iterable[object]) -> float:
    """Return the share of rows whose class is right.

    A prediction that is a number means class 1 if it is positive, else class 0 (or -1); a list of
    logits means the class of the greatest. Rows are matched by position.

    Raises:
        ValueError: there are no rows, or not as many targets, or a target is not a class.
        TypeError: a prediction is neither a number nor a list of numbers.

    >>> accuracy([2.0, -1.0, 0.5], [1, 0, 0]), accuracy([[0.1, 0.9]], [1])
    (0.6666666666666666, 1.0)
    """
    answers = [*_answers("accuracy", predictions, targets)]
    return sum(said == right for said, right, _ in answers) / len(answers)


def confusion_matrix(predictions: Iterable[object], targets: Iterable[object]) -> list[list[int]]:
    """Return how often each class was predicted as each: entry [i][j] counts class i taken for j.

    Predictions and targets are those of `accuracy`, in its order. Rows that are right count on the
    diagonal. If predictions are numbers there are two classes, the second one being 1.

    Raises:
        ValueError: as `accuracy`; also where a prediction is nan, or has fewer or more logits than
            the first.
        TypeError: as `accuracy`.

    >>> confusion_matrix([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 0, 0])
    [[1, 1], [0, 1]]
    """
    counts: list[list[int]] = []
    for i, (said, right, classes) in enumerate(_answers("confusion_matrix", predictions, targets)):
        counts = counts or [[0] * classes for _ in range(classes)]
        if classes != len(counts):
            raise ValueError(
                f"confusion_matrix needs as many logits in row {i} as in the first, {len(counts)}, "
                f"got {classes}"
            )
        if said is None:
            raise ValueError(
                f"confusion_matrix needs predictions that are numbers, got nan in row {i}"
            )
        counts[right][said] += 1
    return counts


def _answers(
    asked_by: str, predictions: Iterable[object], targets: Iterable[object]
) -> Iterator[tuple[int | None, int, int]]:
    """Yield for each row the class that is predicted, the right one, and how many there are.

    A prediction with a nan predicts no class: None.
    """
    rows, right = as_lists("predictions", predictions, "targets", targets)
    if not rows:
        raise ValueError(f"{asked_by} needs at least one row, got none")
    for i, (prediction, target) in enumerate(
        zip(map(single, rows), map(single, right), strict=True)
    ):
        if not is_number(prediction):
            logits = _logits(asked_by, i, prediction)
            classes = range(len(logits))
            if not is_number(target) or target not in classes:
                raise ValueError(
                    f"{asked_by} needs a target from 0 to {len(logits) - 1}, the index of the "
                    f"right class, got {quote(target)} in row {i}{instead_of(target)}"
                )
            is_said = all(x <= x for x in logits)  # nan is the greatest of nothing
            greatest = max(classes, key=logits.__getitem__)
            yield greatest if is_said else None, classes.index(target), len(classes)
        elif not is_number(target) or target not in (-1, 0, 1):
            # scikit-learn has them in the other order
            is_swapped = is_sequence(target) and len(target) > 1
            swapped = "; predictions come before targets" * is_swapped
            raise ValueError(
                f"{asked_by}: a number says class 1, or else 0 or -1; got the target "
                f"{quote(target)} in row {i}{swapped}{instead_of(target)}"
            )
        else:
            is_said = prediction <= prediction
            yield int(prediction > 0) if is_said else None, int(target > 0), 2


def _logits(asked_by: str, i: int, prediction: Any) -> list[Any]:
    """Return the logits of a row, of two classes or more."""
    need = f"{asked_by}: the prediction of row {i} must be a number or a list of logits"
    logits = entries(prediction, need)
    if not all(map(is_number, logits)):
        raise TypeError(f"{need}, got {quote(prediction)}")
    if len(logits) < 2:
        raise ValueError(
            f"{asked_by} needs a logit for each class, at least two, or a single number, "
            f"got {quote(prediction)} in row {i}"
            + "; of numbers in a column take [p for [p] in predictions]"
            * (len(logits) == 1)
        )
    return logits


def metrics_by_name(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Return metrics by the names that their columns will have.

    Raises:
        TypeError: they are not a list of functions.
        ValueError: two have the same name, or one has that of another column.

    >>> list(metrics_by_name([accuracy]))
    ['accuracy']
    """
    if not isinstance(metrics, (list, tuple)):
        raise TypeError(f"`metrics` must be a list of functions, got {quote(metrics)}")
    named: dict[str, Metric] = {}
    for metric in metrics:
        require_functions(metrics=metric, takes="of predictions and targets", count=2)
        name = getattr(metric, "__name__", type(metric).__name__)
        if name in {"epoch", "loss", "lr", *named} or name.startswith("val_"):
            raise ValueError(
                "`metrics` must have names of their own, none of epoch, loss, lr or val_…, "
                f"got {name} among {[*named, name]}"
            )
        named[name] = metric
    return named


def measure(
    metrics: Mapping[str, Metric],
    predictions: Sequence[object],
    targets: Sequence[object],
    prefix: str = "",
) -> dict[str, float]:
    """Return what each metric gives; raise `TypeError` if one does not give a number.

    >>> measure({"accuracy": accuracy}, [2.0, -1.0], [1, 1], prefix="val_")
    {'val_accuracy': 0.5}
    """
    if not isinstance(metrics, Mapping) or not isinstance(prefix, str):
        raise TypeError(
            "metrics must be a mapping from names, and the prefix a string, "
            f"got {quote(metrics)} and {quote(prefix)}"
        )
    numbers: dict[str, float] = {}
    for name, metric in metrics.items():
        if not callable(metric):
            raise TypeError(f"the metric {name} must be a function, got {quote(metric)}")
        number = metric(predictions, targets)
        if not is_real(number):
            raise TypeError(f"the metric {name} must return a number, got {quote(number)}")
        numbers[f"{prefix}{name}"] = number
    return numbers
