"""What each primitive gives in IEEE arithmetic: its row written a second time, for NumPy arrays.

Where Python has an answer, it is that one, to a few ulp; where Python raises, it is inf or nan. Of
a zero the sign is right too.
"""

import math
import platform
from dataclasses import replace
from functools import reduce

import numpy as np
from scipy import special

from microgrid.compiler.machine import Machine, this_machine
from microgrid.testing.domains import family_name


def magnitude(primitive, xs, result):
    """Return the greatest number that a primitive has to round: operands may cancel."""
    if primitive.name == "dot":
        return math.fsum(abs(x * y) for x, y in zip(xs, [*xs[len(xs) // 2 :], 1.0], strict=False))
    if primitive.name in ("sum", "logsumexp"):
        return max(map(abs, [*xs, result]))
    return abs(result)


def folded(f, *start):
    return lambda *xs: reduce(f, xs, *start)


def dot(*xs):
    n = len(xs) // 2
    start = xs[-1] if len(xs) % 2 else 0.0
    return reduce(np.add, [x * y for x, y in zip(xs[:n], xs[n : 2 * n], strict=True)], start)


def extremum(keeps):
    """Return what the first of several numbers is that no other one beats; nan beats all."""

    def further(best, x):
        return np.where(np.isnan(best) | keeps(best, x), best, x)

    return folded(further)


def hypot(*xs):
    """Infinity is the length whatever the others are, and nan else if there is one."""
    length = reduce(np.hypot, xs, 0.0)
    any_nan, any_infinite = (sum(map(ask, xs)) > 0 for ask in (np.isnan, np.isinf))
    return np.where(any_infinite, np.inf, np.where(any_nan, np.nan, length))


def compare(x, y):
    ordered = (x <= y) | (x > y)
    return np.where(ordered, (x > y) * 1.0 - (x < y), x + y)


def python_round(x, digits):
    finite = np.isfinite(x)
    rounded = np.vectorize(lambda x: float(round(float(x), digits)), otypes=[float])
    return np.where(finite, rounded(np.where(finite, x, 0.0)), x)


IEEE = {
    "<": lambda x, y: (x < y) * 1.0,
    "<=": lambda x, y: (x <= y) * 1.0,
    "where": lambda c, x, y: np.where(c != 0, x, y),
    "sign": lambda x: np.where(x == 0, x, np.sign(x)),
    "compare": compare,
    **{"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "neg": np.negative},
    **{"abs": np.abs, "//": np.floor_divide, "%": np.remainder, "**": np.power, "**k": np.power},
    **dict.fromkeys(("argument", "constant", "stop_gradient"), lambda x: x),
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log2", "log10")},
    **{name: getattr(np, name) for name in ("log1p", "sqrt", "cbrt", "sin", "cos", "tan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh", "floor", "ceil")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "tan2")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sinh", "cosh", "tanh")},
    "erf": special.erf,
    "erfc": special.erfc,
    "relu": lambda x: np.where(x < 0, 0.0, x),
    "sigmoid": lambda x: np.where(x < 0, np.exp(x), 1.0) / (1.0 + np.exp(-np.abs(x))),
    "sech2": lambda y, x: (1 - y) * (1 + y),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sum": folded(np.add, 0.0),
    "prod": folded(np.multiply),
    "dot": dot,
    "max": extremum(lambda best, x: x <= best),
    "min": extremum(lambda best, x: best <= x),
    "hypot": hypot,
    "direction": lambda x, y: np.where(y == 0, x * y, x / y),
    "logsumexp": folded(np.logaddexp),
}
# Of each family: a function of its constants that returns the member's.
FAMILY_IEEE = {
    # NumPy takes the square root for 0.5, which C's pow does not at -0.0 and -inf
    "power": lambda n: lambda x: np.power(x, np.full_like(x, n)),
    "exponential": lambda base: lambda x: np.power(float(base), x),
    "rounded": lambda digits: lambda x: python_round(x, digits),
    "leaky_relu_by": lambda slope: lambda x: np.where(x > 0, x, slope * x),
    "elu_by": lambda alpha: lambda x: np.where(x > 0, x, alpha * np.expm1(x)),
    "clip_to": lambda low, high: lambda x: np.where(x < low, low, np.where(x > high, high, x)),
}


def ieee(primitive):
    """Return the function of arrays that a primitive is."""
    if not primitive.made_by:
        return IEEE[primitive.name]
    maker, constants = primitive.made_by
    return FAMILY_IEEE[family_name(maker)](*constants)


# ---- the processors to make code for, of which this one can run all

HERE = this_machine()
IS_X86 = platform.machine() in ("x86_64", "AMD64")
MACHINES = {"this": HERE, "this without libmvec": replace(HERE, vector_library=False)}
if IS_X86:
    MACHINES["2 wide"] = Machine("x86-64", "", 2)
    MACHINES["2 wide without libmvec"] = Machine("x86-64", "", 2, vector_library=False)
if IS_X86 and HERE.width >= 4:
    MACHINES["4 wide"] = Machine("haswell", "", 4)
if IS_X86 and HERE.width >= 8:
    MACHINES["8 wide"] = Machine("skylake-avx512", "", 8)
