"""Elementary functions of vectors, for C libraries that have none: plain operations, lane by lane.

A function is written once, with operators, and an emitter writes down the operations. Each of them
is rounded separately, and none looks at another lane: a function gives the same result at any place
in a vector of any width, on every processor that can add to a product and round once. All are
within 3 ulp; where they give 0, an infinity or nan, so does the C library.

The methods are old, the coefficients are this library's own (`coefficients`). An argument is
reduced by a multiple of a constant in parts, the greatest of which is subtracted exactly (Cody and
Waite, Software Manual for the Elementary Functions, 1980); where no digit may be lost, a sum or a
product is kept with its rounding error (Dekker, A Floating-Point Technique for Extending the
Available Precision, 1971); the rest is a polynomial, by Horner's rule. A logarithm is composed from
its parts, and tanh from expm1, as in FDLIBM (Sun Microsystems, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..lowering import Emitter, Result
from .coefficients import COS, ERF, ERFC, EXP, EXP2, HALF_PI, LN2, LOG, LOG_TAIL, SIN, THIRD

__all__ = ["FARTHEST", "VECTOR_FUNCTIONS", "Lanes"]

FRACTION = (1 << 52) - 1  # the bits of a number below its sign and exponent
ONE, ROOT_HALF = 1023 << 52, 0x3FE6A09E667F3BCD  # the bits of 1 and of sqrt(1/2)
TO_52 = 1075 << 52  # the bits of 2.0**52: a number in the lowest ones is added to it
NEAREST = 1.5 * 2.0**52  # beside it there is room for whole numbers alone, in the lowest bits


def _operator(operation: str) -> Callable[[Lanes, Lanes | float], Lanes]:
    return lambda lanes, other: lanes.emit(operation, other)


def _unary(operation: str) -> Callable[[Lanes], Lanes]:
    return lambda lanes: lanes.emit(operation)


class Lanes:
    """The numbers in a vector, or conditions on them: each operator writes an operation down.

    `<< >> ^`, and the methods named for bits, are of the bits of numbers; `& | ~` of conditions.
    """

    def __init__(self, m: Emitter, result: Result) -> None:
        self.m, self.result = m, result

    def emit(self, operation: str, *others: Lanes | float) -> Lanes:
        """Write an operation on these and others down."""
        results = [x.result if isinstance(x, Lanes) else x for x in others]
        return Lanes(self.m, self.m.emit(operation, (self.result, *results)))

    __add__, __sub__ = _operator("add"), _operator("sub")
    __mul__, __truediv__ = _operator("mul"), _operator("div")
    __neg__, __abs__, floor = _unary("neg"), _unary("abs"), _unary("floor")
    __lt__, equals, with_sign_of = _operator("less"), _operator("equal"), _operator("copysign")
    __and__, __or__, __invert__ = _operator("both"), _operator("either"), _unary("not")
    __lshift__, __rshift__ = _operator("shift_left"), _operator("shift_right")
    bits_of, or_bits, __xor__ = _operator("bit_and"), _operator("bit_or"), _operator("bit_xor")
    add_to_bits, subtract_bits = _operator("bit_add"), _operator("bit_sub")

    def constant(self, x: float) -> Lanes:
        """Return a number as that of every lane."""
        return Lanes(self.m, x)

    def times(self, factor: Lanes | float, plus: Lanes | float) -> Lanes:
        """Return the product with a factor, plus something, rounded once."""
        return self.emit("exact_fma", factor, plus)

    def polynomial(self, coefficients: Sequence[float]) -> Lanes:
        """Return the polynomial of some coefficients, the constant one first."""
        *others, last = coefficients
        total = self.constant(last)
        for coefficient in reversed(others):
            total = total.times(self, coefficient)
        return total


def _where(condition: Lanes, x: Lanes | float, y: Lanes | float) -> Lanes:
    return condition.emit("select", x, y)


def _at_most(limit: float, x: Lanes) -> Lanes:
    """Return the limit where x is beyond it. It leaves nan."""
    return _where(x.constant(limit) < x, limit, x)


# ---- numbers and their rounding errors


def _sum(x: Lanes, y: Lanes | float) -> tuple[Lanes, Lanes]:
    """Return a sum and its rounding error."""
    total = x + y
    of_y = total - x
    return total, (x - (total - of_y)) - (of_y - y)


def _sum_in_order(x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """Return a sum and its rounding error, where x is 0 or y's exponent is no greater than x's."""
    total = x + y
    return total, y - (total - x)


def _product(x: Lanes, y: Lanes | float) -> tuple[Lanes, Lanes]:
    """Return a product and its rounding error."""
    product = x * y
    return product, x.times(y, -product)


# ---- exponentials


def _power_of_two(n: Lanes) -> Lanes:
    """Return 2**n for whole numbers n from -1022 to 1023, and 0 for -1023."""
    return (n + (2.0**52 + 1023.0)) << 52


def _reduce(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return n + NEAREST, n and r, with x = n LN2[0] + r: r is small, and exact."""
    magic = x.times(1 / LN2[0], NEAREST)
    n = magic - NEAREST
    return magic, n, n.times(-LN2[0], x)


def _in_range(x: Lanes) -> Lanes:
    """Return x, or a number as far as exp is inf or 0, if x is further."""
    return _where(x < -746.0, -746.0, _at_most(710.0, x))


def _scale(x: Lanes, magic: Lanes) -> Lanes:
    """Return x 2**n by two factors, as n may be 1024, or less than -1022."""
    half = (magic >> 1) << 52  # of n, rounded down, as a change of an exponent
    return x * half.add_to_bits(ONE) * (magic << 52).subtract_bits(half).add_to_bits(ONE)


def _expm1_of_small(n: Lanes, r: Lanes) -> Lanes:
    """Return expm1 of what is left of a number that was reduced to n and r."""
    r = n.times(-LN2[1], r)
    return (r * r).times(r.polynomial(EXP), r)


def _exp(x: Lanes) -> Lanes:
    magic, n, r = _reduce(_in_range(x))
    return _scale(_expm1_of_small(n, r) + 1.0, magic)


def _exp_of_sum(x: Lanes, rest: Lanes) -> Lanes:
    """Return exp of a sum, which is the nearest number nearly always.

    Of 1 + r + r**2 (1/2 + r/6 + …), the sum of the first two is kept with its rounding error.
    """
    magic, n, r = _reduce(_in_range(x))
    rest = n.times(-LN2[1], rest)
    above, lost = _sum_in_order(r.constant(1.0), r)
    r = r + rest
    return _scale(above + (r * r).times(r.polynomial(EXP), lost + rest), magic)


def _expm1_from(x: Lanes) -> Lanes:
    """Return expm1 of numbers from -40 to 710; that of -0 is 0."""
    _, n, r = _reduce(x)
    small, half = _expm1_of_small(n, r), _power_of_two(n - 1.0)
    return _where(n.equals(0.0), small, small.times(half, half - 0.5) * 2.0)


def _expm1(x: Lanes) -> Lanes:
    return _expm1_from(_where(x < -40.0, -40.0, _at_most(710.0, x))).with_sign_of(x)


def _tanh(x: Lanes) -> Lanes:
    y = _expm1_from(_at_most(22.0, abs(x)) * 2.0)  # beyond, it is 1
    return (y / (y + 2.0)).with_sign_of(x)


# ---- logarithms and powers


def _split(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return k and m, with x = 2**k m, and m between sqrt(1/2) and sqrt(2).

    It is for numbers that are positive and not subnormal.
    """
    above = x.add_to_bits(ONE - ROOT_HALF)  # m is 1 where x is sqrt(1/2), so that k is an exponent
    k = (above >> 52).or_bits(TO_52) - (2.0**52 + 1023.0)
    return k, above.bits_of(FRACTION).add_to_bits(ROOT_HALF)


def _split_any(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return k and m of positive numbers, subnormal ones too."""
    is_subnormal = x < 2.0**-1022
    k, m = _split(_where(is_subnormal, x * 2.0**54, x))
    return _where(is_subnormal, k - 54.0, k), m


def _log_of_parts(k: Lanes, f: Lanes) -> Lanes:
    """Return k log(2) + log(1 + f), where the last is f - f**2 / 2 + s (f**2 / 2 + …)."""
    s = f / (f + 2.0)
    z, half = s * s, f * f * 0.5
    beyond = s.times(z.times(z.polynomial(LOG), half), k * LN2[1])
    return k.times(LN2[0], f - (half - beyond))


def _at_edges(x: Lanes, log: Lanes) -> Lanes:
    """Return the log of x: one that was computed, or that of 0, a negative number, inf or nan."""
    of_none = _where(x.equals(0.0), -math.inf, math.nan)
    return _where(x.constant(0.0) < x, _where(x < math.inf, log, x), of_none)


def _log(x: Lanes) -> Lanes:
    k, m = _split_any(x)
    return _at_edges(x, _log_of_parts(k, m - 1.0))


def _log1p(x: Lanes) -> Lanes:
    """Return log(1 + x): what the sum loses is added to what is left of it, on the same scale."""
    above, lost = _sum(x, 1.0)
    k, m = _split(above)
    twice = (k.constant(2.0**52 + 1024.0) - k) << 52  # 2**(1 - k), and 0 for the greatest k
    f = lost.times(twice * 0.5, m - 1.0)
    return _at_edges(above, _log_of_parts(k, f)).with_sign_of(x)


def _log_in_two(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return the log of a positive number and its error: their sum is within 2**-64 of it.

    For s = f / (2 + f), it is k log(2) + 2 s + 2 s t, and t is s**2 / 3 + s**4 / 5 + ….
    """
    k, m = _split_any(x)
    f = m - 1.0
    divisor, lost = _sum_in_order(m.constant(1.0), m)
    inverse = m.constant(1.0) / divisor
    s = f * inverse
    s_rest = (-s).times(lost, (-s).times(divisor, f)) * inverse
    z, z_rest = _product(s, s)
    s = s + s
    z_rest, s_rest = s.times(s_rest, z_rest), s_rest + s_rest
    t, t_rest = _product(z, THIRD[0])
    t_rest = z_rest.times(THIRD[0], z.times(THIRD[1], t_rest))
    t_rest = (z * z).times(z.polynomial(LOG_TAIL), t_rest)
    scaled, scaled_rest = _product(k, LN2[0])
    product, product_rest = _product(s, t)
    total, first = _sum_in_order(scaled, s)
    total, second = _sum_in_order(total, product)
    small = s.times(t_rest, s_rest.times(t, product_rest)) + k.times(LN2[1], scaled_rest)
    return _sum_in_order(total, first + second + (s_rest + small))


def _pow(x: Lanes, y: Lanes) -> Lanes:
    size = abs(x)
    log, rest = _log_in_two(size)
    log = _where(size.equals(0.0), -math.inf, _where(size < math.inf, log, size))
    finite = _where(y < -1e300, -1e300, _at_most(1e300, y))  # beside the log of 1, which is 0
    power, lost = _product(log, finite)
    is_near = abs(power) < 1000.0  # beyond, it is 0 or inf, and what was lost may be nan
    result = _exp_of_sum(power, _where(is_near, rest.times(finite, lost), 0.0))
    half = y * 0.5
    is_whole = y.floor().equals(y)
    is_odd = is_whole & ~half.floor().equals(half)
    result = _where(is_odd, result.with_sign_of(x), result)
    result = _where((x < 0.0) & (size < math.inf) & ~is_whole, math.nan, result)
    return _where(x.equals(1.0) | y.equals(0.0), 1.0, result)


# ---- sine, cosine and the error function


def _circular(x: Lanes, quarters: float) -> Lanes:
    """Return the sine of x and some quarters of a turn."""
    magic = x.times(1 / HALF_PI[0], NEAREST)
    n, r = magic - NEAREST, x
    for part in HALF_PI:
        r = n.times(-part, r)
    z = r * r
    sine, cosine = (r * z).times(z.polynomial(SIN), r), z.polynomial((1.0, -0.5, *COS))
    turned = magic + quarters  # its lowest bit chooses the function, the next one the sign
    is_odd = (turned << 63).or_bits(ONE) < 0.0
    return _where(is_odd, cosine, sine) ^ ((turned >> 1) << 63)


def _sin(x: Lanes) -> Lanes:
    return _where(x.equals(0.0), x, _circular(x, 0.0))


def _cos(x: Lanes) -> Lanes:
    return _circular(x, 1.0)


def _erf(x: Lanes) -> Lanes:
    size, z = _at_most(6.0, abs(x)), x * x  # beyond, it is 1
    power = size.polynomial(ERFC)
    n = power + NEAREST - NEAREST
    large = (-(power - n).polynomial(EXP2)).times(_power_of_two(n), 1.0)
    return _where(size < 1.25, x.times(z.polynomial(ERF), x), large.with_sign_of(x))


# The size of a first operand beyond which lanes are left to the C function.
FARTHEST = {"sin": 2.0**30, "cos": 2.0**30}  # HALF_PI has no further parts
VECTOR_FUNCTIONS: dict[str, Callable[..., Lanes]] = {
    **{"exp": _exp, "expm1": _expm1, "log": _log, "log1p": _log1p, "pow": _pow},
    **{"sin": _sin, "cos": _cos, "tanh": _tanh, "erf": _erf},
}
