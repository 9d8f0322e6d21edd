"""The slope of a function on one side of a point, from differences with ever smaller steps.

The quotients (f(x + h) - f(x)) / h are extrapolated to h = 0 by polynomials through the last few of
them, and how far these disagree bounds the error (Ridders 1982, *Accurate computation of F'(x) and
F'(x)F''(x)*). Rounding adds noise / h.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter

__all__ = ["DIGITS", "EPSILON", "LOOSE", "RATIO", "Function", "Side", "Slope", "steps", "value"]

Function = Callable[[float], float]

EPSILON = 2.0**-53
RATIO = 4.0  # of a step to the next
LEAP = 256.0  # the same below EPSILON, down to the size of an x next to 0
COLUMNS = 5  # of the extrapolation, whose error is of order h**5

SAFETY = 2.0  # of bounds, which are estimates
EXACT = 1e-7  # of the slope: no bound is taken to be closer
LOOSE = 0.02  # of the slope: no wider one makes an estimate
UNSEEN = 1e4  # times smaller than x may be what f does before it is seen to move
CLEAR = 50.0  # times its bound: how far a slope must be off another to deny it

GRAINS = 2.0**5  # times the last digit of x: in smaller steps any wave may look like a line
DIGITS = 2.0**-26  # half of the digits of f(x): a smaller change may be what f makes of lost ones
LONG = 8  # steps in which noise shows, or an infinite slope
STEEPER = 1.2  # an infinite slope grows by more with every step: by 4**p for h**-p


@dataclass(frozen=True, slots=True)
class Slope:
    """An estimate of the slope on one side of x.

    `quotient` is the difference over the step, `value` what the quotients tend to, and `bound` its
    greatest error, of which `noise` is rounding. `scale` is the steepest quotient so far.
    """

    step: float
    quotient: float
    value: float
    bound: float
    noise: float
    scale: float

    def size(self, least: float = 0.0) -> float:
        """Return the slope that errors are measured by: where it vanishes, the slopes nearby.

        >>> Slope(step=0.1, quotient=2.0, value=1e-9, bound=1e-12, noise=0.0, scale=3.0).size()
        3.0
        """
        finite = abs(self.value) if math.isfinite(self.value) else 0.0
        return max(max(self.scale, finite) or 1.0, least)  # 1 is as good as any where all is flat


def value(f: Function, x: float) -> float:
    """Return f(x), which is nan where f is undefined.

    >>> value(math.log, 1.0), value(math.log, -1.0)
    (0.0, nan)
    """
    try:
        return float(f(x)) if math.isfinite(x) else math.nan
    except (ArithmeticError, ValueError):
        return math.nan


def steps(x: float, first: float) -> Iterator[float]:
    """Yield steps from the first, in units of x or 1, down to those that do not change x.

    >>> [round(h, 3) for h in steps(1.0, 0.1)][:4]
    [0.1, 0.025, 0.006, 0.002]
    """
    unit = max(1.0, abs(x))
    h = min(first * unit, sys.float_info.max)
    while x + h != x or x - h != x:
        yield h
        h /= RATIO if h > EPSILON * unit or h < abs(x) else LEAP


def _none(h: float) -> float:
    return 0.0


class Side:
    """The slopes of f from x in one direction, -1 or 1, step by step.

    `y` is f(x), and `rounding(h)` the error of f(x ± h) that goes beyond its last digit.

    >>> right = Side(math.exp, 0.0, 1.0, direction=1)
    >>> for h in steps(0.0, 0.1):
    ...     right.take(h)
    >>> round(right.limit().value, 9)
    1.0
    """

    def __init__(
        self, f: Function, x: float, y: float, direction: int, rounding: Function = _none
    ) -> None:
        self.f, self.x, self.y, self.direction, self.rounding = f, x, y, direction, rounding
        self.near = max(1.0, abs(x))
        self.whole = y.is_integer()
        self.steepest = 0.0
        self.latest: Slope | None = None
        self._forget()

    def _forget(self) -> None:
        self.slopes: list[Slope] = []
        self._steps: deque[float] = deque(maxlen=COLUMNS)
        self._rows: deque[list[float]] = deque(maxlen=3)

    def take(self, h: float, scale: float = 0.0) -> None:
        """Take one more step, and add a slope if it gives one: else there is no `latest`.

        `scale` is the steepest quotient so far on the other side.
        """
        self.latest = None
        end = self.x + self.direction * h
        step = end - self.x  # what rounding made of h
        if step == 0 or (self._steps and abs(step) >= abs(self._steps[-1])):
            return
        y = value(self.f, end)
        quotient = (y - self.y) / step
        self.whole = self.whole and y.is_integer()
        if not math.isfinite(y):
            self._forget()  # x lies behind a gap
        if not math.isfinite(quotient):
            return
        self._steps.append(step)
        self._rows.append(self._row(quotient))
        if h <= self.near:  # what f does further away is not its scale here
            self.steepest = max(self.steepest, abs(quotient))
        limit, error = self._closest()
        noise = 2 * (self.rounding(abs(step)) + math.ulp(y) + math.ulp(self.y)) / abs(step)
        bound = self._bound(h, quotient, limit, error, noise)
        self.latest = Slope(step, quotient, limit, bound, noise, max(scale, self.steepest))
        self.slopes.append(self.latest)

    def _bound(self, h: float, quotient: float, limit: float, error: float, noise: float) -> float:
        """Return a bound of the error of a limit: inf if it says nothing."""
        if error > max(noise, LOOSE * max(abs(limit), self.steepest)):
            return math.inf  # the quotients do not tend to anything yet
        bound = SAFETY * error + noise + EXACT * abs(limit)
        if abs(quotient) <= noise:  # f may be flat, or bend within its last digits
            size = abs(self.x) if abs(self.x) > sys.float_info.min else math.inf
            bound = max(bound, noise * h / min(size, self.near / UNSEEN))
        return bound

    def _row(self, quotient: float) -> list[float]:
        """Return a row of Neville's table: the polynomials through the last quotients, at step 0.

        The first goes through the last quotient alone, and each other one through one more.
        """
        row = [quotient]
        if self._rows:
            earlier = list(self._steps)[-2::-1]
            for step, without_the_last in zip(earlier, self._rows[-1], strict=False):
                shrunk = step / self._steps[-1]
                row.append(row[-1] + (row[-1] - without_the_last) / (shrunk - 1))
        return row

    def _closest(self) -> tuple[float, float]:
        """Return the polynomial's value that agrees best with those of less data, and how well.

        One of these lacks the last two quotients. Where rounding rules its error is 16 times less,
        so that no chance makes the two agree.
        """
        row = self._rows[-1]
        if len(self._rows) < 3:
            return row[-1], math.inf
        older, old, _ = self._rows
        errors = [
            max(abs(x - row[i - 1]), abs(x - old[i - 1]), abs(x - older[i - 2]))
            for i, x in enumerate(row[2:], 2)
        ]
        error = min(errors)
        return row[2 + errors.index(error)], error

    def limit(self, digits: float = 0.0) -> Slope | None:
        """Return the slope that the quotients tend to: the surest that no smaller step denies.

        Only those steps are asked on which f, at its steepest, changes by that part of itself.
        """
        if infinite := self._infinite():
            return infinite
        slopes = [
            (slope, self._wide_bound(i))
            for i, slope in enumerate(self.slopes)
            if slope.bound < math.inf
            and abs(slope.step) >= GRAINS * math.ulp(self.x)
            and abs(slope.step) * slope.scale >= digits * abs(self.y)
        ]
        surest = None
        while slopes:
            best, least = min(slopes, key=itemgetter(1))
            surest = replace(best, bound=least)
            slopes = [
                (slope, bound)
                for slope, bound in slopes
                if abs(slope.step) < abs(best.step)
                and abs(slope.value - best.value) > CLEAR * bound
            ]
        return surest

    def _wide_bound(self, i: int) -> float:
        """Return a slope's bound, with room for the noise that smaller steps make visible."""
        slope = self.slopes[i]
        smaller = self.slopes[i + 1 : i + 1 + LONG]
        noise = max([abs(s.value - slope.value) * abs(s.step) for s in smaller], default=0.0)
        return max(slope.bound, SAFETY * noise / abs(slope.step))

    def _infinite(self) -> Slope | None:
        """Return an infinite slope if the quotients grow to the end, as at a jump.

        A change of f in its last digits alone is not a jump, but noise.
        """
        greatest = max((abs(slope.quotient) for slope in self.slopes), default=0.0)
        tail = [slope for slope in self.slopes if slope.noise < greatest / 10][-LONG:]
        if len(tail) < LONG or abs(tail[-1].quotient * tail[-1].step) < DIGITS * abs(self.y):
            return None
        sign = math.copysign(1.0, tail[-1].quotient)
        sizes = [sign * slope.quotient for slope in tail]
        if not all(b > STEEPER * a for a, b in pairwise([0.0, *sizes])):
            return None
        return replace(tail[-1], value=sign * math.inf, bound=0.0)
