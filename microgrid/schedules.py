"""Learning rates over a training: functions of the step, which counts from 0.

A schedule is any function `step -> learning rate`; these are the common ones, with the names of
optax and the curves of PyTorch's schedulers. A rate or a number of steps that is not a number
raises `TypeError` at once; a negative rate, or less than one step, raises `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from numbers import Real

from .guards.checks import quote, require_functions, require_integers, require_numbers

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "exponential",
    "linear",
    "one_cycle",
    "staircase",
    "warmup",
]

#: The learning rate by the step, which counts from 0.
Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Return the same rate at every step.

    >>> constant(0.1)(1000)
    0.1
    """
    require_numbers(lr=lr)
    return partial(_rate_of_all, lr)


def linear(start: float, end: float, steps: int) -> Schedule:
    """Go in a straight line from `start` to `end` in `steps` steps, and stay there.

    >>> [linear(1.0, 0.5, steps=2)(step) for step in range(4)]
    [1.0, 0.75, 0.5, 0.5]
    """
    require_numbers(start=start, end=end)
    require_numbers(steps=steps, least=1)
    return _OfSteps(partial(_linear_rate, start, end, steps))


def cosine(start: float, steps: int, end: float = 0.0) -> Schedule:
    """Go along half a cosine from `start` to `end` in `steps` steps, and stay there.

    From Loshchilov & Hutter 2016, without restarts.

    >>> [round(cosine(1.0, steps=2)(step), 9) for step in range(4)]
    [1.0, 0.5, 0.0, 0.0]
    """
    require_numbers(start=start, end=end)
    require_numbers(steps=steps, least=1)
    return _OfSteps(partial(_cosine_rate, start, end, steps))


def exponential(start: float, gamma: float) -> Schedule:
    """Multiply the rate by `gamma` at every step.

    >>> exponential(1.0, gamma=0.5)(3)
    0.125
    """
    require_numbers(start=start, gamma=gamma)
    return _OfSteps(partial(_exponential_rate, start, gamma))


def staircase(start: float, gamma: float, steps: int) -> Schedule:
    """Multiply the rate by `gamma` after every `steps` steps, all at once.

    >>> [staircase(1.0, gamma=0.5, steps=2)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    require_numbers(start=start, gamma=gamma)
    require_integers(steps=steps)
    return _OfSteps(partial(_staircase_rate, start, gamma, steps))


def one_cycle(
    peak: float, steps: int, rise: float = 0.3, start: float = 1 / 25, end: float = 1 / 250_000
) -> Schedule:
    """Rise to the rate `peak` in a share `rise` of the steps, then fall until the last; stay there.

    Each way is half a cosine. `start` and `end` are the first and the last rate, as shares of the
    peak. From Smith & Topin 2017, with PyTorch's defaults.

    >>> [round(one_cycle(1.0, steps=5, rise=0.6, start=0.5, end=0.0)(step), 9) for step in range(6)]
    [0.5, 0.75, 1.0, 0.5, 0.0, 0.0]
    """
    require_numbers(peak=peak, start=start, end=end)
    require_numbers(rise=rise, above=0, below=1)
    require_numbers(steps=steps, least=1)
    return _OfSteps(
        partial(_one_cycle_rate, peak, peak * start, peak * end, rise * steps - 1, steps)
    )


def warmup(schedule: Schedule, steps: int, start: float = 0.1) -> Schedule:
    """Rise to a schedule's first rate in `steps` steps, from a share `start` of it; then follow it.

    >>> [round(warmup(constant(1.0), steps=2, start=0.5)(step), 9) for step in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """
    if not callable(schedule) or isinstance(schedule, type):
        such = schedule if isinstance(schedule, Real) else 0.1
        raise TypeError(
            f"warmup needs a schedule, such as constant({such!r}), got {quote(schedule)}"
        )
    require_functions(schedule=schedule, takes="of the step", count=1)
    require_numbers(start=start)
    require_numbers(steps=steps, least=1)
    return _OfSteps(partial(_warmup_rate, schedule, linear(start, 1.0, steps), steps))


# Functions in a module go through any pickle, to other processes too, as those in functions do not.


def _rate_of_all(lr: float, step: int) -> float:
    return lr


def _linear_rate(start: float, end: float, steps: int, step: int) -> float:
    return end if step >= steps else start + (end - start) * (step / steps)


def _cosine_rate(start: float, end: float, steps: float, step: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2


def _exponential_rate(start: float, gamma: float, step: int) -> float:
    rate: float = start * gamma**step
    return rate


def _staircase_rate(start: float, gamma: float, steps: int, step: int) -> float:
    rate: float = start * gamma ** (step // steps)
    return rate


def _one_cycle_rate(
    peak: float, first: float, last: float, top: float, steps: int, step: int
) -> float:
    if step < top:
        return _cosine_rate(first, peak, top, step)
    left = steps - 1 - top
    return _cosine_rate(peak, last, left, step - top) if left > 0 else last


def _warmup_rate(schedule: Schedule, rise: Schedule, steps: int, step: int) -> float:
    return schedule(0) * rise(step) if step < steps else schedule(step - steps)


class _OfSteps:
    """A schedule that says what it takes where it is given something else."""

    def __init__(self, rate: Schedule) -> None:
        self.rate = rate

    def __call__(self, step: float) -> float:
        if type(step) is not int:  # a rate between those of two steps, or the last one for inf
            require_numbers(step=step, least=-math.inf, finite=False)
        try:
            return self.rate(step)  # type: ignore[arg-type]
        except (OverflowError, TypeError, ValueError) as error:
            raise TypeError(
                f"a schedule takes the number of a step, counted from 0, got {quote(step)}: {error}"
            ) from error
