"""Losses of one row, `(prediction, target)`: how far a prediction is from its target.

If the prediction is a list, the loss is the mean over its numbers (except for `cross_entropy`).
"""

# mypy: disable-error-code="overload-overlap,overload-cannot-match"
# A list of floats is one of floats or `Value`s too: the first overload says what it gives.

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import SupportsIndex, overload

from .core.array_rules import Numeric
from .core.primitive import as_operand, equal, why_single
from .core.sequences import (
    entries,
    instead_of,
    is_number,
    is_ordered,
    is_sequence,
    require_all_numbers,
    single,
)
from .engine import Value
from .functional import Number, Scalar, clip, compose, floor, logsumexp, mean, relu, softplus, where
from .guards.checks import quote, require_numbers

__all__ = [
    "absolute_error",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "squared_error",
]

Numbers = Number | Iterable[Number]
OfTwo = Callable[[Numeric, Numeric], Number]

ROWS = "; a loss is of one row: mean([loss(p, t) for p, t in zip(predictions, targets)])"


@overload
def squared_error(
    prediction: Scalar | Iterable[Scalar], target: float | Iterable[float]
) -> Scalar: ...
@overload
def squared_error(prediction: Numbers, target: Numbers) -> Value: ...
def squared_error(prediction: object, target: object) -> Number:
    """Return (prediction - target)².

    >>> squared_error(3.0, 1.0), squared_error([3.0, 1.0], [1.0, 1.0])
    (4.0, 2.0)
    """
    return _elementwise("squared_error", lambda p, t: (p - t) ** 2, prediction, target)


@overload
def absolute_error(
    prediction: Scalar | Iterable[Scalar], target: float | Iterable[float]
) -> Scalar: ...
@overload
def absolute_error(prediction: Numbers, target: Numbers) -> Value: ...
def absolute_error(prediction: object, target: object) -> Number:
    """Return |prediction - target|; the derivative is 0 where they are equal.

    >>> absolute_error(3.0, 1.0)
    2.0
    """
    return _elementwise("absolute_error", lambda p, t: abs(p - t), prediction, target)


@overload
def huber(
    prediction: Scalar | Iterable[Scalar], target: float | Iterable[float], delta: float = 1.0
) -> Scalar: ...
@overload
def huber(prediction: Numbers, target: Numbers, delta: float = 1.0) -> Value: ...
def huber(prediction: object, target: object, delta: float = 1.0) -> Number:
    """Return half the squared error up to an error of `delta`, and a line from there (Huber 1964).

    Raises:
        ValueError: `delta` is not positive.

    >>> huber(0.5, 0.0), huber(3.0, 0.0)
    (0.125, 2.5)
    """
    require_numbers(delta=delta, above=0, finite=False)

    def of_two(p: Numeric, t: Numeric) -> Numeric:
        error = p - t
        held = clip(error, -delta, delta)
        return held * (error - held / 2)  # error² / 2 inside, delta * (|error| - delta / 2) outside

    return _elementwise("huber", of_two, prediction, target)


@overload
def hinge(prediction: Scalar | Iterable[Scalar], target: float | Iterable[float]) -> Scalar: ...
@overload
def hinge(prediction: Numbers, target: Numbers) -> Value: ...
def hinge(prediction: object, target: object) -> Number:
    """Return max(0, 1 - target * prediction) for a target of -1 or 1: 0 beyond the margin.

    Raises:
        ValueError: a target is another number.

    >>> hinge(0.25, 1), hinge(2.0, 1), hinge(2.0, -1)
    (0.75, 0.0, 3.0)
    """

    def of_two(p: Number, t: Number) -> Number:
        if not isinstance(t, Value) and t not in (-1, 1):
            raise ValueError(
                f"hinge needs a target of -1 or 1, got {quote(t)}; use 2 * target - 1 for 0 and 1"
            )
        return relu(1 - t * p)

    return _elementwise("hinge", of_two, prediction, target)


@overload
def binary_cross_entropy(
    logit: Scalar | Iterable[Scalar], target: float | Iterable[float]
) -> Scalar: ...
@overload
def binary_cross_entropy(logit: Numbers, target: Numbers) -> Value: ...
def binary_cross_entropy(logit: object, target: object) -> Number:
    """Return -log(p) of a target 1, -log(1 - p) of a target 0, where p is sigmoid(logit).

    A target between 0 and 1 is a probability. Finite for every finite logit.

    Raises:
        ValueError: a target is less than 0 or greater than 1.

    >>> binary_cross_entropy(1000.0, 1), binary_cross_entropy(1000.0, 0)
    (0.0, 1000.0)
    """

    def of_two(x: Number, t: Number) -> Number:
        if not isinstance(t, Value) and not 0 <= t <= 1:
            raise ValueError(
                f"binary_cross_entropy needs a target from 0 to 1, got {quote(t)}"
                + "; use (target + 1) / 2 for -1 and 1" * (t == -1)
            )
        return t * softplus(-x) + (1 - t) * softplus(x)

    return _elementwise("binary_cross_entropy", of_two, logit, target)


@overload
def cross_entropy(logits: Scalar | Iterable[Scalar], target: SupportsIndex) -> Scalar: ...
@overload
def cross_entropy(logits: Numbers, target: SupportsIndex) -> Value: ...
def cross_entropy(logits: object, target: SupportsIndex) -> Number:
    """Return -log(softmax(logits)[target]): the target is the index of the right class.

    Finite if the differences of the logits are. In a kernel, an invalid target gives nan, where
    Python raises.

    Raises:
        TypeError: the logits are not a sequence, or the target is not an integer.
        ValueError: the target is not the index of a logit.

    >>> cross_entropy([1000.0, -1000.0], 0), cross_entropy([1000.0, -1000.0], 1)
    (0.0, 2000.0)
    """
    given = entries(logits, "cross_entropy needs a list of logits, one for each class")
    if not given:
        raise ValueError("cross_entropy needs at least one logit, got none")
    require_all_numbers("cross_entropy: entry {} of the logits", given, ROWS)
    xs: list[Number] = [*map(as_operand, given)]
    if not (isinstance(target, Value) and target.is_traced):
        target = _require_class(target, len(xs))
    if len(xs) == 1:
        return xs[0] - xs[0]
    if isinstance(target, Value):
        return _cross_entropy_at(target, xs)
    right = xs[operator.index(target)]
    # of differences, as -log(softmax) would lose the last digits of a small loss at large logits;
    # the right one's is 0, and has no slope, beside whose 1 the others' digits would be lost
    return logsumexp([0.0 if i == target else x - right for i, x in enumerate(xs)])


def _require_class(target: SupportsIndex, count: int) -> int:
    """Return a target as the index of one of so many classes."""
    try:
        index = operator.index(target)
    except TypeError:
        raise TypeError(
            "cross_entropy needs an integer target, the index of the right class, "
            f"got {quote(target)}{instead_of(target)}"
        ) from None
    if not 0 <= index < count:
        raise ValueError(
            f"cross_entropy needs a target from 0 to {count - 1}, got {index}"
            + "; classes count from 0" * (index == count)
        )
    return index


def _cross_entropy_at(index: Value, xs: Sequence[Number]) -> Number:
    """Return the cross-entropy of logits for a traced index of the right one.

    It is nan if the index is invalid, where Python raises.
    """
    whole = where(equal(floor(index), index), index, math.nan)
    ends = [whole <= i for i in range(-1, len(xs))]  # whether it is at most -1, 0, 1, …
    right: Number = math.nan
    for end, x in zip(ends[::-1], [*xs[::-1], math.nan], strict=True):
        right = where(end, x, right)
    are_right = [where(before, 0.0, end) for before, end in pairwise(ends)]
    return logsumexp([where(c, 0.0, x - right) for c, x in zip(are_right, xs, strict=True)])


def _elementwise(
    name: str,
    of_two: OfTwo,
    prediction: object,
    target: object,
) -> Number:
    """Return the loss of two numbers, or the mean of those of two sequences of one length."""
    p, t = prediction, target
    if not (is_number(p) and is_number(t)):  # unless they are in arrays of no dimension
        p, t = single(p), single(t)
    if is_number(p) and is_number(t):
        return compose(name, of_two, p, t)
    if is_ordered(p) and is_ordered(t):
        ps, ts = (entries(xs, "it must be a list") for xs in (p, t))
        if len(ps) == len(ts):
            require_all_numbers(f"{name}: entry {{}} of the prediction", ps, ROWS)
            require_all_numbers(f"{name}: entry {{}} of the target", ts, ROWS)
            pairs = zip(ps, ts, strict=True)
            return mean([compose(name, of_two, *pair) for pair in pairs])
    raise ValueError(
        f"{name}: prediction and target must be two numbers or two sequences of one length, "
        f"got {quote(p)} and {quote(t)}{_advice(p, t)}"
    )


def _advice(prediction: object, target: object) -> str:
    """Return what to write for a prediction and a target of different shapes, if that is clear."""
    if is_number(target) and is_sequence(prediction):
        alone = len(prediction) == 1
        write = "write prediction[0]" if alone else "for the index of a class take cross_entropy"
        return why_single(target) or f"; {write}"
    return why_single(prediction) or instead_of(target) if is_number(prediction) else ""
