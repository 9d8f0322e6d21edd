"""Measurements of a training beside the loss: functions `(predictions, targets) -> float`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .core.sequences import as_lists, entries, instead_of, is_number, single
from .guards.checks import is_real, quote, require_functions

__all__ = ["Metric", "accuracy", "measure", "metrics_by_name"]

#: A number for predictions and targets, both lists over the same rows.
Metric = Callable[[Sequence[Any], Sequence[Any]], float]


def accuracy(predictions: Iterable[object], targets: Iterable[object]) -> float:
    """Return the share of rows whose class is right.

    A prediction that is a number says class 1 where it is positive, else class 0 (or -1); a list of
    logits says the class of the greatest. Both go by position.

    Raises:
        ValueError: there are no rows, or not as many targets, or a target is not a class.
        TypeError: a prediction is neither a number nor a list of numbers.

    >>> accuracy([2.0, -1.0, 0.5], [1, 0, 0]), accuracy([[0.1, 0.9]], [1])
    (0.6666666666666666, 1.0)
    """
    rows, right = as_lists("predictions", predictions, "targets", targets)
    if not rows:
        raise ValueError("accuracy needs at least one row, got none")
    pairs = enumerate(zip(rows, right, strict=True))
    return sum(_is_right(i, single(p), single(t)) for i, (p, t) in pairs) / len(rows)


def _is_right(i: int, prediction: Any, target: Any) -> bool:
    """Return whether a row's prediction says the class of its target."""
    if is_number(prediction):
        if not is_number(target) or target not in (-1, 0, 1):
            raise ValueError(
                "accuracy: a number says class 1, or else 0 or -1; got the target "
                f"{quote(target)} in row {i}{instead_of(target)}"
            )
        return bool(prediction > 0 if target > 0 else prediction <= 0)  # nan is neither
    need = f"accuracy: the prediction of row {i} must be a number or a list of logits"
    logits = entries(prediction, need)
    if not all(map(is_number, logits)):
        raise TypeError(f"{need}, got {quote(prediction)}")
    if len(logits) < 2:
        raise ValueError(
            "accuracy needs a logit for each class, at least two, or a single number, "
            f"got {quote(prediction)} in row {i}"
            + "; of numbers in a column take [p for [p] in predictions]"
            * (len(logits) == 1)
        )
    if not is_number(target) or target not in range(len(logits)):
        raise ValueError(
            f"accuracy needs a target from 0 to {len(logits) - 1}, the index of the right "
            f"class, got {quote(target)} in row {i}{instead_of(target)}"
        )
    if any(not x <= x for x in logits):  # nan is the greatest of nothing
        return False
    return bool(max(range(len(logits)), key=logits.__getitem__) == target)


def metrics_by_name(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Return metrics by the names that their columns will have.

    Raises:
        TypeError: they are not a list of functions.
        ValueError: two have one name, or one has that of another column.

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
    """Return what each metric says; raise `TypeError` if one says no number.

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
