"""What each primitive gives in IEEE arithmetic: its row written a second time, for NumPy arrays.

Where Python has an answer, it is that one, to a few ulp; where Python raises, it is inf or nan. Of
a zero the sign is right too. Programs of `EXACT` primitives have the same bits everywhere.
"""

import math
import platform
from dataclasses import replace
from functools import partial, reduce

import numpy as np
from hypothesis import strategies as st
from mpmath import mp
from numpy.polynomial import Polynomial
from scipy import special

from microgrid import Primitive
from microgrid.compiler.ir.machine import Machine, this_machine
from microgrid.compiler.program import Program
from microgrid.core.primitive import CONSTANT, power
from microgrid.testing.programs.domains import family_name
from tests import formulas


def magnitude(primitive, xs, result):
    """Return the greatest number that a primitive has to round: operands may cancel."""
    if primitive.name == "dot":
        return math.fsum(abs(x * y) for x, y in zip(xs, [*xs[len(xs) // 2 :], 1.0], strict=False))
    if primitive.name in ("sum", "logsumexp"):
        return max(map(abs, [*xs, result]))
    if primitive.name == "lgamma":  # for Python a sum, of terms as large as 6 (Lanczos)
        return max(abs(result), 6.0)
    if primitive.family == "polygamma_by" and (xs[0] < 0 or primitive.name == "digamma"):
        return max(abs(result), abs(primitive(1 + abs(xs[0]))), 4.0 * (primitive.name == "digamma"))
    if primitive.family == "mills_by" and -1 <= xs[0] < 0:  # whose recurrence cancels, term by term
        return abs(result) * 3.0 ** primitive.constants[0]
    if primitive.family == "sinc_by" and primitive.constants != (0,):
        return max(abs(result), 1 / (1 + primitive.constants[0] + abs(xs[0])))
    if primitive.name == "log_share" and xs[1] < 0:  # no share has such a rest: its log cancels
        return max(abs(result), 1 / abs(1 + xs[1] * math.exp(-xs[0])))
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


def polygamma(n, x):
    """SciPy's, but at poles the limit from the right, or at -0.0 from the left."""
    pole = (x <= 0) & (x == np.floor(x)) & np.isfinite(x)
    sign = np.where(np.signbit(x) & (x == 0) & (n % 2 == 0), 1, -1 if n % 2 == 0 else 1)
    below = x < 0
    mirrored = np.where(below, 1 - x, x)
    of_cot = Polynomial([0, 1])  # the n-th derivative of the cotangent, as a polynomial in it
    for _ in range(n):
        of_cot = of_cot.deriv() * Polynomial([-1, 0, -1])
    c = 1 / np.tan(np.pi * np.where(below & ~pole, x - np.round(x), 0.25))
    c = np.where(np.isinf(x) & below, np.nan, c)
    found = special.polygamma(n, np.where(pole, 1.0, mirrored))
    highest, *others = of_cot.coef[::-1]
    turned = reduce(lambda total, weight: total * c + weight, others, np.full_like(c, highest))
    reflected = (-1) ** n * found - np.pi ** (n + 1) * turned
    return np.where(pole, sign * np.inf, np.where(below, reflected, found))


def lgamma(x):
    try:
        return math.lgamma(x)
    except (OverflowError, ValueError):  # too large, or a pole; SciPy's is wrong at 1e-310 and -inf
        return math.inf


def mills(n, x):
    if not math.isfinite(x):
        return 0.0 if x < 0 else x
    if x < -1e6:
        return math.factorial(n) / abs(x) ** (n + 1) if abs(x) < 1e90 else 0.0
    return math.inf if x > 40 else float(formulas.mills(n)(mp.mpf(x)))


def wave(n, z):
    if not math.isfinite(z):
        return math.nan
    return float(formulas.wave(n)(mp.mpf(z)))


IEEE = {
    "<": lambda x, y: (x < y) * 1.0,
    "<=": lambda x, y: (x <= y) * 1.0,
    "==": lambda x, y: (x == y) * 1.0,
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
    "lgamma": np.vectorize(lgamma, otypes=[float]),
    "log_ndtr": special.log_ndtr,
    "erfinv": lambda y: np.copysign(special.erfinv(y), y),
    "relu": lambda x: np.where(x < 0, 0.0, x),
    "sigmoid": lambda x: np.where(x < 0, np.exp(x), 1.0) / (1.0 + np.exp(-np.abs(x))),
    "power_slope": lambda x, y: np.where((x == 0) & (y == 0), 0.0, y * np.power(x, y - 1)),
    "power_log": lambda x, y: np.power(x, y) * np.where(x == 0, 0.0, np.log(x)),
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
    "share": lambda x, rest: x / (x + rest),
    "log_share": lambda d, rest: np.where(
        d < -600, d - np.log(rest), 0.0 - np.log1p(rest * np.exp(-d))
    ),
    "logsumexp": folded(np.logaddexp, -np.inf),
}
# Of each family: a function of its constants that returns the member's.
FAMILY_IEEE = {
    # NumPy takes the square root for 0.5, which C's pow does not at -0.0 and -inf
    "power": lambda n: np.square if n == 2 else lambda x: np.power(x, np.full_like(x, n)),
    "exponential": lambda base: lambda x: np.power(float(base), x),
    "round_to": lambda digits: lambda x: python_round(x, digits),
    "leaky_relu_by": lambda slope: lambda x: np.where(x > 0, x, slope * x),
    "elu_by": lambda alpha: lambda x: np.where(x > 0, x, alpha * np.expm1(x)),
    "polygamma_by": lambda n: lambda x: polygamma(n, x),
    "mills_by": lambda n: np.vectorize(partial(mills, n), otypes=[float]),
    "sinc_by": lambda n: np.vectorize(partial(wave, n), otypes=[float]),
    "clip_to": lambda low, high: lambda x: np.where(x < low, low, np.where(x > high, high, x)),
}


def ieee(primitive):
    """Return the function of arrays that a primitive is."""
    if not primitive.made_by:
        return IEEE[primitive.name]
    maker, constants = primitive.made_by
    return FAMILY_IEEE[family_name(maker)](*constants)


# ---- programs whose every step is rounded once, so that their bits are known

EXACT = {
    **{name: Primitive.named(name) for name in ("+", "-", "*", "/", "//", "%", "neg", "abs")},
    **{name: Primitive.named(name) for name in ("sqrt", "floor", "relu", "<", "<=", "where")},
    **{name: Primitive.named(name) for name in ("max", "min")},
    "**2": power(2),
}
ARITIES = {"neg": 1, "abs": 1, "sqrt": 1, "floor": 1, "relu": 1, "where": 3, "**2": 1}


@st.composite
def exact_programs(draw, inputs=4, most=12):
    """Draw a program of `EXACT` steps, mostly of products and sums, and inputs that are shared."""
    steps = []
    for slot in range(inputs, inputs + draw(st.integers(1, most))):
        name = draw(st.sampled_from(["*", "+", "-"]) | st.sampled_from([*EXACT, "constant"]))
        if name == "constant":
            steps.append((CONSTANT, (draw(st.sampled_from([0.1, 3.0, -1.0, 0.0])),)))
        else:
            near = st.integers(max(0, slot - 5), slot - 1) | st.integers(0, slot - 1)
            operands = [draw(near) for _ in range(ARITIES.get(name, 2))]
            steps.append((EXACT[name], tuple(operands)))
    # a product that is an output as well is never fused
    used = {i for op, operands in steps if op is not CONSTANT for i in operands}
    outputs = [slot for slot in range(inputs, inputs + len(steps)) if slot not in used]
    shared = draw(st.sets(st.integers(0, inputs - 1), max_size=inputs - 1))
    return Program([f"x{i}" for i in range(inputs)], steps, outputs), sorted(shared)


def cancelling(rng, count):
    """Return four columns in which products and sums of some are others, but for their rounding."""
    x, y = rng.normal(size=(2, count)) * 10.0 ** rng.integers(-2, 3, (2, count))
    columns = np.array([x, y, x * y, rng.choice([x * x, y, x + y, np.sqrt(x * x + y * y)])])
    columns[rng.random(columns.shape) < 0.05] = rng.choice([0.0, -0.0, 1.0, math.inf, math.nan])
    return list(columns)


def by_ieee(program, columns):
    """Return a program's outputs as NumPy computes them, step by step."""
    slots = list(columns)
    with np.errstate(all="ignore"):
        for op, operands in program.steps:
            if op is CONSTANT:
                slots.append(np.full_like(columns[0], operands[0]))
            else:
                slots.append(ieee(op)(*[slots[i] for i in operands]))
    return [slots[i] for i in program.outputs]


def same_bits(xs, ys):
    """Return whether two arrays are the same numbers: -0.0 is not 0.0, and nan is nan."""
    return np.array_equal(xs, ys, equal_nan=True) and np.array_equal(
        np.signbit(xs) & ~np.isnan(xs), np.signbit(ys) & ~np.isnan(ys)
    )


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
