"""Special functions, with their rows of derivatives: of factorials, probabilities, tables.

Names and meanings are those of SciPy and NumPy. They take what the elementary functions take, and
have derivatives of any order. An algorithm that is not in Python's `math` is written once, in
operators and the functions of `Functions`, for numbers and for kernels alike. Its accuracy is given
in ulp, units in the last place of the result, or of the greatest term if the result is a sum.
"""

# mypy: disable-error-code="overload-overlap,overload-cannot-match"

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, overload

from .core.array_rules import AnyArray, ArrayType, Numeric, apply_to_arrays, has_elements
from .core.primitive import (
    Primitive,
    Row,
    as_operand,
    choose,
    family,
    is_traced,
    log,
    where,
)
from .core.sequences import as_lists, require_all_numbers, single
from .engine import Value
from .functional import ERF, SQRT2, Number, Scalar, compose, dot_, erfc, exp, log1p, logsumexp_
from .guards.checks import quote, require_integers

__all__ = [
    "digamma", "erfinv", "interp", "lgamma", "log_ndtr", "logaddexp", "logit", "ndtr", "polygamma",
    "sinc", "xlogy",
]  # fmt: skip


SQRT_TAU = math.sqrt(math.tau)


if TYPE_CHECKING:
    from typing import Protocol  # which takes long to make at run time

    class Functions(Protocol):
        """What algorithms are written in, besides operators: Python's functions, or a kernel's."""

        def log(self, x: float, /) -> float: ...
        def log1p(self, x: float, /) -> float: ...
        def exp(self, x: float, /) -> float: ...
        def sqrt(self, x: float, /) -> float: ...
        def sin(self, x: float, /) -> float: ...
        def cos(self, x: float, /) -> float: ...
        def tan(self, x: float, /) -> float: ...
        def erf(self, x: float, /) -> float: ...
        def erfc(self, x: float, /) -> float: ...
        def rint(self, x: float, /) -> float: ...

        def choose(
            self, condition: bool, x: Callable[[], float], y: Callable[[], float], /
        ) -> float:
            """Return x() where the condition holds, else y(); a kernel computes both."""


class _Python:
    log, log1p, exp, sqrt = math.log, math.log1p, math.exp, math.sqrt
    sin, cos, tan, erf, erfc = math.sin, math.cos, math.tan, math.erf, math.erfc

    def rint(self, x: float, /) -> float:
        return float(round(x))

    def choose(self, condition: bool, x: Callable[[], float], y: Callable[[], float], /) -> float:
        return x() if condition else y()


PYTHON: Functions = _Python()  # type: ignore[assignment]  # built-in functions bind to nothing

# ---- factorials


@cache
def bernoulli(count: int) -> tuple[float, ...]:
    """Return the first of the Bernoulli numbers B2, B4, B6 and so on (from B0 by their recurrence).

    >>> bernoulli(3)[:2], round(1 / bernoulli(3)[2], 10)
    ((0.16666666666666666, -0.03333333333333333), 42.0)
    """
    from fractions import Fraction  # which only this needs

    found = [Fraction(1)]
    for n in range(1, 2 * count + 1):
        total = sum((math.comb(n + 1, k) * b for k, b in enumerate(found)), Fraction(0))
        found.append(-total / (n + 1))
    return tuple(map(float, found[2::2]))


TERMS = 10  # of the asymptotic series, which has all digits from 10 + n on


def polygamma_of(n: int, x: float, m: Functions) -> float:
    """Return the n-th derivative of digamma, within n + 4 ulp, or of the greatest term.

    Above 0 it is brought from x to 10 + n + x by the recurrence, and there an asymptotic series
    (Abramowitz & Stegun 1964, 6.3.18 and 6.4.11); below 0 it is reflected (6.3.7 and 6.4.7).
    """
    is_below = x < 0
    mirrored = m.choose(is_below, lambda: 1.0 - x, lambda: x)
    above = _digamma_above_0(mirrored, m) if n == 0 else _polygamma_above_0(n, mirrored)
    beyond = m.choose(is_below, lambda: x - m.rint(x), lambda: 0.25)
    turned = _cotangent_slope(n, _cotangent(beyond, m)) * math.pi ** (n + 1)
    return m.choose(is_below, lambda: (-above if n % 2 else above) - turned, lambda: above)


def _cotangent(turn: float, m: Functions) -> float:
    """Return cot(pi * turn), for a turn from -0.5 to 0.5; it is 0 at both ends."""
    return m.choose(
        abs(turn) < 0.25,
        lambda: 1.0 / m.tan(math.pi * turn),
        lambda: m.tan(math.pi * (m.choose(turn < 0, lambda: -0.5, lambda: 0.5) - turn)),
    )


def _digamma_above_0(x: float, m: Functions) -> float:
    far = x + 10.0
    square = 1.0 / far * (1.0 / far)
    series = 0.0
    for j in range(TERMS, 0, -1):
        series = (series + bernoulli(TERMS)[j - 1] / (2 * j)) * square
    total = series + 0.5 / far
    for k in range(9, 0, -1):
        total = total + 1.0 / (x + float(k))
    return m.log(far) - (total + 1.0 / x)  # x + 0.0 would have no sign at -0.0


def _polygamma_above_0(n: int, x: float) -> float:
    steps = 10 + n
    share = 1.0 / (x + float(steps))
    square = share * share
    series = 0.0
    for j in range(TERMS, 0, -1):
        weight = bernoulli(TERMS)[j - 1] * (math.factorial(2 * j + n - 1) / math.factorial(2 * j))
        series = (series + weight) * square
    factorial = float(math.factorial(n))
    total = _whole_power(share, n) * (factorial / n + factorial / 2 * share + series)
    rest = 0.0
    for k in range(steps - 1, 0, -1):
        rest = rest + _whole_power(1.0 / (x + float(k)), n + 1)
    total = total + factorial * (rest + _whole_power(1.0 / x, n + 1))
    return total if n % 2 else -total


def _whole_power(x: float, n: int) -> float:
    power = x
    for _ in range(n - 1):
        power = power * x
    return power


def _cotangent_slope(n: int, c: float) -> float:
    """Return the n-th derivative of cot, a polynomial in c = cot: the first is -(1 + c * c)."""
    weights = [0, 1]  # of c**0, c**1, ...
    for _ in range(n):
        slopes = [k * weight for k, weight in enumerate(weights)][1:]
        by = [*slopes, 0, 0]
        weights = [-by[k] - (by[k - 2] if k > 1 else 0) for k in range(len(by))]
    result = float(weights[-1])
    for weight in weights[-2::-1]:
        result = result * c + float(weight)
    return result


@family
def polygamma_by(n: int) -> Row:
    """Return the row of the n-th derivative of digamma, of which the next one is the slope."""

    def forward(x: float) -> float:
        x = float(x)
        if x == -math.inf or (x <= 0 and x == math.floor(x)):
            raise ValueError("there is a pole at 0 and at each negative whole number")
        return polygamma_of(n, x, PYTHON)

    name = f"polygamma({n})" if n else "digamma"
    return name, forward, lambda out, x: (polygamma_by(n + 1)(x),)


lgamma = Primitive("lgamma", math.lgamma, lambda out, x: (polygamma_by(0)(x),))
lgamma.__doc__ = """Return log(|gamma(x)|); gamma(x) is (x - 1) factorial for a whole x above 0.

There is a pole at 0 and at each negative integer.

>>> round(lgamma(5.0), 4), round(log(24.0), 4)
(3.1781, 3.1781)
"""


@overload
def digamma(x: Scalar) -> Scalar: ...
@overload
def digamma(x: ArrayType) -> ArrayType: ...
def digamma(x: Numeric) -> Numeric:
    """Return the derivative of `lgamma`; its own is polygamma(1, x), also called trigamma.

    It is within 4 ulp of the result, or of 4 near its zeros, where it is a sum that cancels.

    >>> round(digamma(1.0), 4)
    -0.5772
    """
    return polygamma_by(0)(x)


@overload
def polygamma(n: int, x: Scalar) -> Scalar: ...
@overload
def polygamma(n: int, x: ArrayType) -> ArrayType: ...
def polygamma(n: int, x: Numeric) -> Numeric:
    """Return the n-th derivative of `digamma`, for an integer n from 0 to 100.

    It is within n + 4 ulp of the result; below 0, where it is a sum, of the greater part of it.

    Raises:
        TypeError, ValueError: n is not an integer from 0 to 100.

    >>> round(polygamma(1, 1.0), 4)
    1.6449
    """
    require_integers(least=0, largest=100, n=n)
    return polygamma_by(int(n))(x)


# ---- the normal distribution

# Below it, the probability is a continued fraction, which needs more levels the closer to 0 x is;
# above it, it needs none to be exact, but each derivative loses digits to those before it.
TAIL, LEVELS = -4.0, 32
TAIL_OF_DERIVATIVES, LEVELS_OF_DERIVATIVES = -1.0, 300


def mills_of(n: int, x: float, m: Functions) -> float:
    """Return the n-th derivative of the probability below x over the density at x (Mills's ratio).

    That is the integral of s**n * exp(x * s - s * s / 2) over all s above 0. Integrated by parts it
    is a recurrence, of which far below 0 a continued fraction is the stable form (Laplace). It is
    within 4 + n ulp there, and above within 4 + x * x ulp of the greatest term of the recurrence.
    """
    tail = TAIL_OF_DERIVATIVES if n else TAIL
    far = m.choose(x < tail, lambda: -x, lambda: -tail)
    near = m.choose(x < tail, lambda: tail, lambda: x)
    return m.choose(x < tail, lambda: _mills_in_the_tail(n, far), lambda: _mills_near(n, near, m))


def _mills_in_the_tail(n: int, distance: float) -> float:
    fraction, product = _tail(n, distance)
    return product / fraction


def _tail(n: int, distance: float) -> tuple[float, float]:
    """Return the density over the probability, and what its n-th derivative is in proportion to."""
    levels = LEVELS_OF_DERIVATIVES if n else LEVELS
    # It is distance + k / fraction at level k. All levels below come to about this, without which
    # more of them would be needed.
    fraction = distance / 2 + math.sqrt(levels)
    product = 1.0
    for level in range(levels, 0, -1):
        if level <= n:
            product = product * float(level) / fraction
        fraction = distance + float(level) / fraction
    return fraction, product


def _mills_near(n: int, x: float, m: Functions) -> float:
    ratio = m.erfc(-x / SQRT2) / 2 * (m.exp(x * x / 2) * SQRT_TAU)
    if n == 0:
        return ratio
    before, ratio = ratio, x * ratio + 1.0
    for k in range(1, n):
        before, ratio = ratio, x * ratio + float(k) * before
    return ratio


@family
def mills_by(n: int) -> Row:
    """Return the row of the n-th derivative of Mills's ratio: the next one is its slope."""
    return (
        f"mills({n})",
        lambda x: mills_of(n, float(x), PYTHON),
        lambda out, x: (mills_by(n + 1)(x),),
    )


def log_ndtr_of(x: float, m: Functions) -> float:
    """Return log_ndtr(x): within 4 ulp below 0, and above it within 4 + x * x, as ndtr(-x) is."""
    far = m.choose(x < TAIL, lambda: -x, lambda: -TAIL)
    beyond = m.choose(x < 0, lambda: -x, lambda: x) / SQRT2
    return m.choose(
        x < TAIL,
        lambda: -(x * x / 2 + m.log(SQRT_TAU * _tail(0, far)[0])),
        lambda: m.choose(
            x < 0,
            lambda: m.log(m.erfc(beyond) / 2),
            lambda: m.log1p(-(m.erfc(beyond) / 2)),
        ),
    )


def _log_ndtr_slope(x: Numeric) -> Numeric:
    """Return the density over the probability below x; above 0 Mills's ratio may be infinite."""
    below, above = choose(x < 0, lambda: x, lambda: 0), choose(x < 0, lambda: 0, lambda: x)
    return choose(
        x < 0,
        lambda: 1 / mills_by(0)(below),
        lambda: exp(-above * above / 2) / (SQRT_TAU * ndtr(above)),
    )


log_ndtr = Primitive(
    "log_ndtr", lambda x: log_ndtr_of(float(x), PYTHON), lambda out, x: (_log_ndtr_slope(x),)
)
log_ndtr.__doc__ = """Return log(ndtr(x)), which is finite where ndtr(x) is less than any float.

It is within 4 ulp below 0; above 0 it is -ndtr(-x), or close to that, and as exact.

>>> round(log_ndtr(-40.0), 4)
-804.6084
"""


@overload
def ndtr(x: Scalar) -> Scalar: ...
@overload
def ndtr(x: ArrayType) -> ArrayType: ...
def ndtr(x: Numeric) -> Numeric:
    """Return the probability that a number of the standard normal distribution is below x.

    It is within 4 + x * x ulp, as exp(-x * x / 2) is of a square that is rounded.

    >>> ndtr(0.0), round(ndtr(1.96), 4)
    (0.5, 0.975)
    """
    return compose("ndtr", lambda z: erfc(-z / SQRT2) / 2, x)


def erfinv_of(y: float, m: Functions) -> float:
    """Return erfinv(y) within 4 ulp: three steps by Halley from what Winitzki (2008) gives."""
    size = m.choose(y < 0, lambda: -y, lambda: y)
    height = m.log1p(-size * size)
    middle = 2 / (math.pi * 0.147) + height / 2
    x = m.sqrt(m.sqrt(middle * middle - height / 0.147) - middle)
    for _ in range(3):
        x = _halley(x, size, m)
    x = m.choose(size < 1.0, lambda: x, lambda: -height)  # inf at 1, and nan beyond
    return m.choose(y < 0, lambda: -x, lambda: m.choose(y > 0, lambda: x, lambda: y))


def _halley(x: float, size: float, m: Functions) -> float:
    off = m.choose(size < 0.5, lambda: m.erf(x) - size, lambda: (1.0 - size) - m.erfc(x))
    step = off / (ERF * m.exp(-x * x))
    return x - step / (1.0 + x * step)


def _erfinv(y: float) -> float:
    if abs(y) >= 1:
        raise ValueError("erf(x) is between -1 and 1")
    return erfinv_of(float(y), PYTHON)


erfinv = Primitive("erfinv", _erfinv, lambda out, y: (exp(out * out) / ERF,))
erfinv.__doc__ = """Return the number whose error function `erf` is y, for y in (-1, 1).

It is within 4 ulp.

>>> round(erfinv(0.5), 4)
0.4769
"""

# ---- waves


def sinc_of(n: int, z: float, m: Functions) -> float:
    """Return the n-th derivative of sin(z) / z, within 4 ulp of it or of its greatest near there.

    The product z * sin(z) / z, differentiated, is a recurrence, upward for z above n and downward
    below, where that is the way in which errors shrink.
    """
    s, c = m.sin(z), m.cos(z)
    turned = [s, c, -s, -c]  # sin(z) after so many derivatives, modulo 4

    def upward() -> float:
        wave = m.choose(abs(z) < 1e-9, lambda: 1.0, lambda: s / z)
        for k in range(1, n + 1):
            wave = (turned[k % 4] - float(k) * wave) / z
        return wave

    def downward() -> float:
        wave = turned[(3 * n + 20) % 4] / (3 * n + 21)
        for k in range(3 * n + 20, n, -1):
            wave = (turned[k % 4] - z * wave) / k
        return wave

    return m.choose(abs(z) > n, upward, downward) if n else upward()


@family
def sinc_by(n: int) -> Row:
    """Return the row of the n-th derivative of sin(z) / z, of which the next one is the slope."""
    return (
        f"sinc({n})",
        lambda z: sinc_of(n, float(z), PYTHON),
        lambda out, z: (sinc_by(n + 1)(z),),
    )


@overload
def sinc(x: Scalar) -> Scalar: ...
@overload
def sinc(x: ArrayType) -> ArrayType: ...
def sinc(x: Numeric) -> Numeric:
    """Return sin(pi * x) / (pi * x), and 1 at 0: NumPy's, which is 0 at all other whole numbers.

    It is smooth at 0, where all its derivatives are right. As pi * x is rounded, it is within 4 + x
    ulp of the height of the wave. The other function of this name, without pi, is sinc(x / pi).

    >>> sinc(0.0), round(sinc(0.5), 4)
    (1.0, 0.6366)
    """
    return compose("sinc", lambda z: sinc_by(0)(math.pi * z), x)


# ---- sums, products and odds of logarithms


@overload
def logaddexp(x: float, y: float) -> float: ...
@overload
def logaddexp(x: Value | float, y: Value | float) -> Value: ...
@overload
def logaddexp(x: AnyArray | Value | float, y: AnyArray | Value | float) -> AnyArray: ...
def logaddexp(x: AnyArray | Value | float, y: AnyArray | Value | float) -> object:
    """Return log(exp(x) + exp(y)) without overflow: `logsumexp` of two.

    >>> logaddexp(1000.0, 1000.0)
    1000.6931471805599
    """
    return logsumexp_(x, y)


@overload
def xlogy(x: float, y: float) -> float: ...
@overload
def xlogy(x: Value | float, y: Value | float) -> Value: ...
@overload
def xlogy(x: AnyArray | Value | float, y: AnyArray | Value | float) -> AnyArray: ...
def xlogy(x: AnyArray | Value | float, y: AnyArray | Value | float) -> object:
    """Return x * log(y), which is 0 for x = 0, also where y has no logarithm, as at 0.

    There both derivatives are 0 by choice, as in PyTorch; close to it the one with respect to x
    grows without bound.

    >>> xlogy(0.0, 0.0), round(xlogy(2.0, 3.0), 4)
    (0.0, 2.1972)
    """
    if has_elements(x) or has_elements(y):
        return apply_to_arrays(xlogy, [x, y])
    return compose(
        "xlogy",
        lambda x, y: x * log(choose(abs(x) <= 0, lambda: _with_a_logarithm(y), lambda: y)),
        *(x, y),
    )


def _with_a_logarithm(y: Numeric) -> Numeric:
    """Return y where it is nan or has a finite logarithm, else 1."""
    return where(y <= 0, 1.0, where(math.inf <= y, 1.0, y))


@overload
def logit(x: Scalar) -> Scalar: ...
@overload
def logit(x: ArrayType) -> ArrayType: ...
def logit(x: Numeric) -> Numeric:
    """Return log(x / (1 - x)), whose inverse is `sigmoid`, for x in (0, 1).

    It is within 2 ulp of the result, or of 1 next to its zero at 0.5.

    >>> round(logit(0.75), 4)
    1.0986
    """
    x = as_operand(x)
    return log(x) - log1p(-x)


# ---- tables


@overload
def interp(x: Scalar, xp: Iterable[float], fp: Iterable[float]) -> Scalar: ...
@overload
def interp(x: Value | float, xp: Iterable[Value | float], fp: Iterable[Value | float]) -> Value: ...
@overload
def interp(x: AnyArray, xp: Iterable[Value | float], fp: Iterable[Value | float]) -> AnyArray: ...
def interp(x: Numeric, xp: Iterable[object], fp: Iterable[object]) -> object:
    """Interpolate a table at x: along straight lines between its points, flat beyond its ends.

    The points are at `xp`, which must increase, and have the values `fp`; both may hold `Value`s.
    At a point the slope is that of the line after it; the one after the last point is flat.

    Raises:
        ValueError: xp does not increase, is empty, or is not as long as fp.

    >>> x = Value(1.5)
    >>> y = interp(x, [0.0, 1.0, 3.0], [0.0, 10.0, 14.0])
    >>> y.backward(); y.data, x.grad
    (11.0, 2.0)
    """
    places, heights = [list(map(single, xs)) for xs in as_lists("xp", xp, "fp", fp)]
    for name, numbers in (("xp", places), ("fp", heights)):
        require_all_numbers(f"interp: `{name}`[{{}}]", numbers)
    if not places:
        raise ValueError("interp needs at least one point, got empty lists")
    for i, (before, after) in enumerate(pairwise(places)):
        if not is_traced(before < after) and not before < after:
            raise ValueError(
                f"interp needs points in order, each `xp` above the one before, got "
                f"{quote(before)} and {quote(after)} as entries {i} and {i + 1}: sort both lists"
            )
    if has_elements(x):
        return apply_to_arrays(lambda one: _interpolate(one, places, heights), [x])
    return _interpolate(as_operand(x), places, heights)


def _interpolate(x: Numeric, places: list[Number], heights: list[Number]) -> Numeric:
    """Return the number at x; between points it is a weighted mean, exact at both."""
    if len(places) == 1:
        return where(x == x, heights[0], x)
    lines = [[*ends] for ends in zip(places, places[1:], heights, heights[1:], strict=False)]
    if is_traced(x) or any(map(is_traced, places)):
        line = lines[0]
        for after in lines[1:]:
            is_after = after[0] <= x
            line = [where(is_after, new, old) for new, old in zip(after, line, strict=True)]
    else:
        line = lines[max(0, min(bisect_right(places, x) - 1, len(lines) - 1))]
    x0, x1, y0, y1 = line
    share = compose("interp", lambda x: (x - x0) / (x1 - x0), x)
    inner = dot_(1.0 - share, share, y0, y1)
    return where(x < places[0], heights[0], where(places[-1] <= x, heights[-1], inner))
