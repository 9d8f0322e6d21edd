"""What each primitive computes, written a second time for mpmath, and its derivatives to any digit.

A derivative here is a difference of numbers with hundreds of digits: nothing rounds off, nothing
underflows, and no rule of the library is used.
"""

from functools import cache

from mpmath import mp, mpf

# Differences reach this many bits below 1: past the least float, 2**-1074, by 128 digits.
ANYWHERE = 1500
# For operands of size 1e-9 to 25, and 0, this reaches as far: rounding does past 2**-1074, and the
# step, squared, does too.
NEAR = 750
# For operands of size 0.1 to 100 this is as exact, and ten times as fast.
MODERATE = 120


def dot(*xs):
    n = len(xs) // 2
    return mp.fdot(xs[:n], xs[n : 2 * n]) + mp.fsum(xs[2 * n :])


def nearest(digits):
    return lambda x: mp.nint(x * mpf(10) ** digits) / mpf(10) ** digits


def polygamma(n):
    """Return the derivative of digamma of that order: below 0 that of the reflected function."""
    n = int(n)
    slope = [0, 1]  # of cot, in powers of cot
    for _ in range(n):
        by = [k * weight for k, weight in enumerate(slope)][1:]
        slope = [-sum(pair) for pair in zip([*by, 0, 0], [0, 0, *by], strict=True)]

    def of(x):
        if x > -30:
            return mp.psi(n, x)
        return (-1) ** n * mp.psi(n, 1 - x) - mp.pi ** (n + 1) * mp.polyval(
            slope[::-1], mp.cot(mp.pi * x)
        )

    return of


def wave(n):
    """Return the n-th derivative of sin(z) / z: a series at 0, elsewhere sums of products."""
    n = int(n)

    def of(z):
        if abs(z) < mpf(1e-3):
            return mp.fsum(
                (-1) ** k * mp.rf(2 * k - n + 1, n) * z ** (2 * k - n) / mp.factorial(2 * k + 1)
                for k in range((n + 1) // 2, n + mp.prec // 16)
            )
        s, c = mp.sin(z), mp.cos(z)
        result = s / z
        for k in range(1, n + 1):
            result = ((s, c, -s, -c)[k % 4] - k * result) / z
        return result

    return of


def log_ndtr(x):
    if x < -1e50:  # for which mpmath's erfc takes x * x as a float; the rest is less than 1 / x**2
        return -(x**2) / 2 - mp.log(-x * mp.sqrt(2 * mp.pi))
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def mills(n):
    """Return the n-th derivative of the normal probability below x, over the density there."""
    n = int(n)

    def of(x):
        if x < -50:  # where the recurrence would cancel
            fraction, product = -x, mpf(1)
            for level in range(300, 0, -1):
                product *= level / fraction if level <= n else 1
                fraction = level / fraction - x
            return product / fraction
        before, ratio = mpf(1), mp.erfc(-x / mp.sqrt(2)) / 2 * mp.sqrt(2 * mp.pi) * mp.exp(x**2 / 2)
        for k in range(n):
            before, ratio = ratio, x * ratio + (k or 1) * before
        return ratio

    return of


FORMULAS = {
    "<": lambda x, y: mpf(x < y),
    "<=": lambda x, y: mpf(x <= y),
    "==": lambda x, y: mpf(x == y),
    "where": lambda c, x, y: x if c else y,
    "sign": mp.sign,
    "log": mp.log,
    "abs": abs,
    "neg": lambda x: -x,
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: mp.floor(x / y),
    "%": lambda x, y: x - y * mp.floor(x / y),
    "**": lambda x, y: x**y,
    "**k": lambda x, y: x**y,
    "power_slope": lambda x, y: y * x ** (y - 1),
    "power_log": lambda x, y: x**y * mp.log(x),
    "constant": lambda x: x,
    "argument": lambda x: x,
    "exp": mp.exp,
    "exp2": lambda x: mpf(2) ** x,
    "expm1": mp.expm1,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": lambda x: mp.log(1 + x),
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "sech2": lambda y, x: 1 - y * y,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "erf": mp.erf,
    "erfc": lambda x: 1 - mp.erf(x),
    "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "log_ndtr": log_ndtr,
    "erfinv": lambda y: mp.erfinv(y) if abs(y) < 1 else mp.nan,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "relu": lambda x: max(x, mpf(0)),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "compare": lambda x, y: mp.sign(x - y),
    "atan2": mp.atan2,
    "stop_gradient": lambda x: x,
    "sum": lambda *xs: mp.fsum(xs),
    "prod": lambda *xs: mp.fprod(xs),
    "dot": dot,
    "max": lambda *xs: max(xs),
    "min": lambda *xs: min(xs),
    "hypot": lambda *xs: mp.sqrt(mp.fsum(xs, squared=True)),
    "direction": lambda x, y: x / y,
    "share": lambda x, rest: x / (x + rest),
    "log_share": lambda d, rest: -mp.log1p(rest * mp.exp(-d)),
    "logsumexp": lambda *xs: mp.log(mp.fsum(map(mp.exp, xs))),
}
# Of each family: a function of its constants that returns the member's formula.
FAMILY_FORMULAS = {
    "power": lambda n: lambda x: x ** mpf(n),
    "exponential": lambda base: lambda x: mpf(base) ** x,
    "round_to": nearest,
    "leaky_relu_by": lambda slope: lambda x: x if x > 0 else mpf(slope) * x,
    "elu_by": lambda alpha: lambda x: x if x > 0 else mpf(alpha) * mp.expm1(x),
    "polygamma_by": polygamma,
    "mills_by": mills,
    "sinc_by": wave,
    "clip_to": lambda low, high: lambda x: min(max(x, mpf(low)), mpf(high)),
}
# The operands that a primitive holds constant, whatever its formula's derivative by them.
HELD = {"where": {0}, "**k": {1}, "sech2": {1}, "stop_gradient": {0}}


def derivative(formula, xs, *by, bits=None):
    """Return the exact derivative at floats by the operands of those indices in turn, if any.

    It is None where differences from both sides do not agree. At a kink or a jump they differ; at
    a pole they grow as the step shrinks, which is half as long on one side; at the end of a domain
    one is no real number.
    """
    at = cache(formula)
    bits = bits or (NEAR if all(x == 0 or 1e-9 < abs(x) < 25 for x in xs) else ANYWHERE)
    # A difference of each order loses as many bits as the step, 2**-bits, is small.
    with mp.workprec(len(by) * bits + 3 * bits // 2):
        numbers, step = [mpf(x) for x in xs], mp.ldexp(1, -bits)
        for order in range(len(by) + 1):
            try:
                after = difference(at, numbers, by[:order], step)
                before = difference(at, numbers, by[:order], -step / 2)
            except ZeroDivisionError:
                return None
            if not is_real(after) or not is_real(before):
                return None
            # Where a derivative is 0 the differences are as far from it as the step is long.
            if abs(after - before) > mp.ldexp(max(abs(after), abs(before), 1e-10), -60):
                return None
        return (after + 2 * before) / 3  # what is in proportion to the step cancels


def difference(formula, xs, by, step):
    if not by:
        return formula(*xs)
    i, *rest = by
    shifted = [*xs[:i], xs[i] + step, *xs[i + 1 :]]
    return (difference(formula, shifted, rest, step) - difference(formula, xs, rest, step)) / step


def is_real(x):
    return isinstance(x, mpf) and mp.isfinite(x)
