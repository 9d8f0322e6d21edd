"""Is a number the derivative of a function of one number? Asked of differences at every scale.

The Taylor remainder R(h) = f(x + h) - f(x) - h * g falls as h**2 where g is the derivative, and as
h where it is not (the Taylor test: Farrell, Ham, Funke & Rognes 2013, *Automated derivation of the
adjoint of high-level transient finite element programs*). Right is then what makes R(h) / h, the
difference quotient less g, go to 0; and where the quotients to the left and to the right of x tend
to two slopes, what lies between them.

No step is chosen. The steps shrink until the verdict is clear, or until rounding hides the slope.
What f does within the last digit of x stays unseen: at 1e16, floor(x) is x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

from .sides import DIGITS, EPSILON, LOOSE, RATIO, Function, Side, Slope, steps, value

__all__ = [
    *("KINK", "LOSES", "NOISY", "OUTSIDE", "RIGHT", "WRONG"),
    *("Finding", "examine", "examine_mixed"),
]

RIGHT, WRONG = "right", "wrong"
KINK, OUTSIDE, NOISY = "at a kink", "outside the domain", "too noisy to tell"
LOSES = "loses digits"

# The first step, in units of x: no round number, which would be a multiple of round periods.
FIRST = 0.1123
FAR = 4.0**16  # times that, where rounding hides the slope: 1e10 + x needs large steps

# These are bounds of an error, as parts of the slope or, where it vanishes, of the slopes nearby.
SHARP = 1e-6  # proves a derivative right at once
TIGHT = 2.5e-5  # proves it right at the end: a quarter of the error that must be caught
HIDDEN = 1e-9  # grows too large in the steps from the first to the last that are needed

# And these are parts of f(x).
NOTHING = 8 * EPSILON  # over x, is a slope that may be what rounding leaves of 0
FAINT = 1e-6  # over x, are the slopes to measure that by
NIL = 1e-30  # over x, is a slope that is as good as 0
LEAST = 2.0**-1000  # so is this: numbers close to the smallest there are lose their digits

WHOLE = 2.0**52  # above it, all floats are whole numbers


@dataclass(frozen=True, slots=True)
class Finding:
    """What differences say about a claimed derivative.

    `measured` is the slope found and `bound` its greatest error; both are None where the slopes to
    the `left` and to the `right` differ. All are None where f is undefined, and where the slopes do
    not settle. `decay` is the power of h by which the Taylor remainder falls, None where it is all
    rounding. `step` is the smallest on which the measured slope rests.
    """

    kind: str
    measured: float | None = None
    bound: float | None = None
    left: float | None = None
    right: float | None = None
    decay: float | None = None
    step: float | None = None

    def error(self, claimed: float) -> float:
        """Return by how much a claimed number is off at least: inf if it is not a number.

        >>> Finding(WRONG, measured=2.0, bound=0.25).error(3.0)
        0.75
        """
        if not math.isfinite(claimed):
            return math.inf
        if self.measured is not None:
            return abs(claimed - self.measured) - (self.bound or 0.0)
        slopes = [slope for slope in (self.left, self.right) if slope is not None]
        return max(min(slopes) - claimed, claimed - max(slopes)) if slopes else math.inf


def examine(f: Function, x: float, claimed: float, rounding: float = 0.0) -> Finding:
    """Return whether the claimed number is the derivative of f at x.

    Where f is undefined it raises `ValueError` or `ArithmeticError`, or returns nan or inf.
    `rounding` is the error of f(x) from rounding, where that exceeds the last digit of f(x).

    >>> examine(math.sin, 1.0, math.cos(1.0)).kind
    'right'
    >>> examine(math.sin, 1.0, 1.0001 * math.cos(1.0)).kind
    'wrong'
    >>> examine(abs, 0.0, 0.5)
    Finding(kind='at a kink', measured=None, bound=None, left=-1.0, right=1.0, decay=1.0, step=None)
    """
    error = rounding if math.isfinite(rounding) else 0.0
    return _examine(f, x, claimed, lambda h: error)


def examine_mixed(
    f: Callable[[Sequence[float]], float],
    point: Sequence[float],
    places: Sequence[int],
    claimed: float,
    rounding: float = 0.0,
) -> Finding:
    """Return whether the claimed number is the mixed derivative of f by the inputs at some places.

    The error of central differences is a series of even powers of the step, so that this takes
    the square of the step for the step (Romberg 1955, *Vereinfachte numerische Integration*).
    `rounding` is the error of f at the point.

    >>> examine_mixed(lambda x: x[0] * x[1] ** 2, [1.0, 2.0], [0, 1], 4.0).kind
    'right'
    >>> examine_mixed(lambda x: math.sin(x[0]), [0.0], [0, 0, 0], 0.0).kind
    'wrong'
    """
    order, units = len(places), [max(1.0, abs(x)) for x in point]
    scale = math.prod([units[i] for i in places])
    difference = _central_difference(f, point, places, rounding)

    def times_square(square: float) -> float:
        """Return a function of the square of a step whose slope at 0 is the mixed derivative."""
        h = math.sqrt(abs(square))
        return difference(h)[0] / h**order * square / scale if square else 0.0

    def error(square: float) -> float:
        h = math.sqrt(square)
        return 2 * difference(h)[1] / h**order * square / scale

    finding = _examine(times_square, 0.0, claimed, error)
    if finding.step is None:
        return finding
    return replace(finding, step=math.sqrt(finding.step) * units[places[-1]])


def _central_difference(
    f: Callable[[Sequence[float]], float],
    point: Sequence[float],
    places: Sequence[int],
    rounding: float,
) -> Callable[[float], tuple[float, float]]:
    """Return the product of central differences, before divisions, and a bound of its error."""
    units = [max(1.0, abs(x)) for x in point]
    signs = [*product((-1, 1), repeat=len(places))]

    @cache
    def difference(h: float) -> tuple[float, float]:
        total, values = 0.0, []
        for directions in signs:
            there = list(point)
            for i, direction in zip(places, directions, strict=True):
                there[i] += direction * h * units[i]
            values.append(value(partial(_constantly, f, there), 0.0))
            total += math.prod(directions) * values[-1]
        of_outputs = max(rounding, EPSILON * max(map(abs, values)))
        # to round an input moves f by so much of what it moves all the way
        of_inputs = sum(math.ulp(abs(point[i]) / units[i] + h) / h for i in {*places})
        error = of_outputs + of_inputs * (max(values) - min(values))
        return total / len(signs), error

    return difference


def _constantly(f: Callable[[Sequence[float]], float], point: Sequence[float], _: float) -> float:
    return f(point)


def _examine(f: Function, x: float, claimed: float, rounding: Function) -> Finding:
    y = value(f, x)
    if not math.isfinite(y):
        return Finding(OUTSIDE)
    sides = [Side(f, x, y, direction, rounding) for direction in (-1, 1)]
    finding = _walk(sides, claimed, FIRST)
    if finding.kind == NOISY and all(map(_is_hidden, sides)):
        far_sides = [Side(f, x, y, direction, rounding) for direction in (-1, 1)]
        far = _walk(far_sides, claimed, FIRST * FAR)
        if far.kind != WRONG or not _denies(sides, far, claimed):
            sides, finding = far_sides, far
    quotients = [slope.quotient for side in sides for slope in side.slopes]
    if not quotients:
        return Finding(OUTSIDE)
    if finding.kind == NOISY and not any([claimed, *quotients]):
        return replace(finding, kind=RIGHT)  # x does nothing, near and far
    if finding.kind == WRONG and claimed == 0 and all(map(_may_be_stairs, sides)):
        return replace(finding, kind=NOISY)
    return finding


def _walk(sides: list[Side], claimed: float, first: float) -> Finding:
    """Take smaller and smaller steps on both sides, as many as are needed, and judge."""
    for h in steps(sides[0].x, first):
        for side, other in (sides, sides[::-1]):
            side.take(h, other.steepest)
        steepest = max(side.steepest for side in sides)
        defined = [side for side in sides if side.slopes]
        if defined and all(_proves(side, claimed) for side in defined):
            return _judge(sides, [side.latest for side in sides], claimed)
        if defined and min(side.slopes[-1].noise for side in defined) > steepest > 0:
            break  # rounding hides all that smaller steps would show
    by_all = _judge(sides, [side.limit() for side in sides], claimed)
    by_large = _judge(sides, [side.limit(DIGITS) for side in sides], claimed)
    return _reconcile(by_all, by_large)


def _proves(side: Side, claimed: float) -> bool:
    """Return whether the latest step on this side is enough to prove a claimed slope right."""
    slope = side.latest
    if slope is None or not abs(slope.value - claimed) <= slope.bound < math.inf:
        return False
    if claimed == slope.scale == 0 and abs(slope.step) <= side.near:
        return slope.noise <= SHARP  # nothing moves
    return slope.bound <= SHARP * max(abs(claimed), abs(slope.value))


def _is_hidden(side: Side) -> bool:
    """Return whether rounding hides the slope from the first step on, if there is one."""
    return all(slope.noise > HIDDEN * abs(slope.quotient) for slope in side.slopes[:1])


def _denies(sides: list[Side], far: Finding, claimed: float) -> bool:
    """Return whether differences near x speak for a claimed slope, against that of large steps.

    A wave on a slope is seen by large steps as the slope alone.
    """
    if far.measured is None:
        return False
    gap = abs(claimed - far.measured)
    clear = [slope for side in sides for slope in side.slopes if slope.noise < gap / 4]
    return any(
        abs(slope.quotient - claimed) < abs(slope.quotient - far.measured) for slope in clear
    )


def _may_be_stairs(side: Side) -> bool:
    """Return whether f may be flat between steps that are too small to be seen."""
    return abs(side.x) > WHOLE or (side.whole and abs(side.y) < WHOLE)


def _reconcile(by_all: Finding, by_large: Finding) -> Finding:
    """Return the verdict of all steps, unless those that change most of f's digits contradict it.

    Smaller ones may see a slope that f has in a small place, or digits that f has lost: 1 - cos(x),
    or a result of 32 bits, does not change with small steps at all.
    """
    if by_large.left is None and by_large.right is None:
        return by_all
    if by_all.measured is not None and by_large.measured is not None:
        bounds = (by_all.bound or 0) + (by_large.bound or 0)
        if abs(by_all.measured - by_large.measured) <= bounds:
            return by_all
    if by_all.kind == WRONG:
        return by_large
    return replace(by_all, kind=NOISY) if by_large.kind == WRONG else by_all


def _judge(sides: list[Side], found: list[Slope | None], claimed: float) -> Finding:
    """Return the verdict by the slopes that were found to the left and to the right."""
    unit = abs(sides[0].y) / sides[0].near
    least = FAINT * unit if abs(claimed) <= NOTHING * unit else 0.0
    slack = NIL * unit + LEAST
    if math.isfinite(claimed):
        slack += _relative_rounding(sides[0]) * abs(claimed)
        least = max(least, abs(claimed))
    found = [s if s and s.bound <= LOOSE * s.size(least) else None for s in found]
    slopes = sorted([slope for slope in found if slope], key=lambda slope: slope.value)
    if not slopes:
        return Finding(NOISY)
    best = None if _differ(slopes, slack) else min(slopes, key=lambda slope: slope.bound)
    if best:
        kind = _kind_at(best, slopes, claimed, slack, least)
    else:
        kind = _kind_between(slopes[0], slopes[-1], claimed, slack)
    unsettled = any(side.slopes and not slope for side, slope in zip(sides, found, strict=True))
    left, right = [slope.value if slope else None for slope in found]
    powers = [_decay(side.slopes, slope, claimed) for side, slope in zip(sides, found, strict=True)]
    return Finding(
        NOISY if kind == WRONG and unsettled else kind,
        best.value if best else None,
        best.bound if best else None,
        left,
        right,
        min((power for power in powers if power is not None), default=None),
        abs(best.step) if best else None,
    )


def _relative_rounding(side: Side) -> float:
    """Return the part of itself by which f is off: the derivative may be so too."""
    return min(TIGHT, 2 * side.rounding(0.0) / abs(side.y)) if side.y else 0.0


def _differ(slopes: list[Slope], slack: float) -> bool:
    """Return whether there are two slopes, or none that is finite."""
    low, high = slopes[0], slopes[-1]
    return math.isinf(low.value) or high.value - low.value > low.bound + high.bound + slack


def _kind_between(low: Slope, high: Slope, claimed: float, slack: float) -> str:
    """Return the verdict where the slopes to the left and to the right differ."""
    if math.isinf(low.value) and math.isinf(high.value):
        return KINK  # and no number is to be called wrong
    if math.isfinite(high.value - low.value):
        slack += SHARP * (high.value - low.value)
    between = low.value - low.bound - slack <= claimed <= high.value + high.bound + slack
    return KINK if between else WRONG


def _kind_at(best: Slope, slopes: list[Slope], claimed: float, slack: float, least: float) -> str:
    """Return the verdict where there is one slope."""
    error = abs(claimed - best.value) - slack
    if error <= best.bound:
        return RIGHT if best.bound <= TIGHT * max(best.size(least), abs(claimed)) else NOISY
    allowed = any(abs(claimed - slope.value) <= slope.bound for slope in slopes)
    return NOISY if allowed and error <= 4 * best.bound else WRONG


def _decay(slopes: list[Slope], found: Slope | None, claimed: float) -> float | None:
    """Return the power of h by which the remainder falls on the last steps above the rounding."""
    if found is None or not math.isfinite(claimed):
        return None
    largest = abs(found.step) * RATIO**2.5  # from where on the extrapolation settled
    clear = [
        slope
        for slope in slopes
        if abs(slope.step) < largest and abs(slope.quotient - claimed) > 4 * slope.noise
    ][-4:]
    if len(clear) < 2:
        return None
    ratio = (clear[-1].quotient - claimed) / (clear[0].quotient - claimed)
    return 1 + math.log(abs(ratio)) / math.log(clear[-1].step / clear[0].step)
