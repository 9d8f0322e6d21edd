"""Every number and every slope to the last bits, up to the ends of the floats.

Each primitive's number, each of its partials, and those of what is composed of them, are compared
with the formula in `formulas` wherever that has a derivative: at zeros, subnormals, edges and huge
numbers. At kinks, jumps and ties it has none; see `test_conventions`.
"""

import functools
import itertools
import math
import sys

import numpy as np
import pytest
from mpmath import mp, mpf

import microgrid as mg
from microgrid import Primitive, Value, losses
from microgrid.calculus import gradients
from microgrid.testing.programs.domains import domain_of
from tests.formulas import FAMILY_FORMULAS, FORMULAS, HELD, MODERATE, derivative
from tests.ieee import magnitude
from tests.search import LONG, THOROUGH, thinned

# Units in the last place: a few roundings, of which each is half of one or, in C's library, one.
ULPS = 4
# Below the least normal float numbers have fewer digits: the last bit of such a one is lost, and
# what it is multiplied by is at most 100 here.
SUBNORMAL = 100 * math.ulp(0.0)
# A kernel calls C's functions of vectors, for which 4 more are stated.
OF_A_KERNEL = 2 * ULPS

# ---- where more is lost, and why


def of_exp_of_a_square(x):
    # exp(-x * x): the square is rounded, which is as if x were, by half of its own last place
    return ULPS + x * x


def of_a_power(x, y):
    # x**(y - 1): y - 1 is rounded, which is as if y were; a row without it is in `power`, where
    # the exponent is known
    return ULPS + abs(math.log(abs(x))) * max(1.0, abs(y)) if x else ULPS


def of_a_slope_of_a_power(x, y):
    # 1 + y * log(x) cancels where x is close to exp(-1 / y)
    turned = y * math.log(abs(x)) if x else 0.0
    return of_a_power(x, y) + 2 * (1 + abs(turned)) / abs(1 + turned)


def of_a_sum_of_powers(*xs):
    # exp(x - greatest): so is the difference, of which exp makes a part of the result
    return ULPS * (1 + max(xs) - min(xs))


def of_a_subnormal_length(*xs):
    # a length that has few bits has a slope of as few
    length = math.hypot(*xs)
    return ULPS + (math.ulp(0.0) / length / sys.float_info.epsilon if length else 0)


def of_exp_of_a_square_above_0(x):
    return of_exp_of_a_square(max(x, 0.0))


def of_exp_of_the_result_s_square(y):
    # exp(out * out): what is off in the result is in its square, twice
    out = mp.erfinv(y)
    return ULPS + 4 * float(out * out)


def of_powers(x):
    # the derivative of digamma of order n has powers of 1 + n factors, and n is at most 6 here
    return ULPS + 6


# The ulps of a row's partials, as a function of the operands.
LOST = {
    "erf": of_exp_of_a_square,
    "erfc": of_exp_of_a_square,
    "log_ndtr": of_exp_of_a_square,
    "polygamma_by": of_powers,
    "mills_by": lambda x: of_exp_of_a_square(x) + 30 * (-1 <= x < 0) if x >= -4 else ULPS + 6,
    "erfinv": of_exp_of_the_result_s_square,
    "**": of_a_power,
    "**k": of_a_power,
    "power_slope": of_a_slope_of_a_power,
    "power_log": of_a_slope_of_a_power,
    "logsumexp": of_a_sum_of_powers,
    "hypot": of_a_subnormal_length,
}
# The ulps of a row's number.
LOST_BY_A_NUMBER = {
    "mills_by": lambda x: of_exp_of_a_square(x) if x >= -4 else ULPS + 5,
    "log_ndtr": of_exp_of_a_square_above_0,
    "power_slope": of_a_power,
    "power_log": of_a_power,
}
# Rows whose slope vanishes a little before the subnormals do: x * x, or a hypotenuse, is inf before
# 1 / (x * x) is 0.
VANISHES = {"atan", "atan2", "softsign"}
# A higher derivative is a sum of terms of size 1 or more, which may cancel: the second of asin at
# 1e-8 is 1e-8, what is left of two terms of size 1.
HIGHER = 1e-12

BELOW_ONE, ABOVE_ONE = math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0)
LEAST, LARGEST = sys.float_info.min, 1.7e308  # the least of the normal floats


def signed(*sizes):
    return [sign * size for size in sizes for sign in (1, -1)]


def alone(xs):
    return [(x,) for x in xs]


def pairs(xs, ys):
    return list(itertools.product(xs, ys))


OF_TWO = ("+", "-", "*", "/", "//", "%", "**", "**k", "<", "<=", "==", "compare", "atan2")
OF_TWO += ("sech2", "direction", "share", "log_share")
OF_MANY = ("sum", "prod", "dot", "max", "min", "hypot", "logsumexp")

# The ends of the floats, and what lies between; those of one operand if no other are named.
SIZES = [5e-324, 1e-310, 1e-300, 1e-8, 0.5, 1.0, 3.0, 1e150, LARGEST]
EXTREME_ONE = alone(
    signed(0.0, 5e-324, 1e-310, LEAST, 1e-8, 0.5, 1 - 1e-8, BELOW_ONE, 1.0, ABOVE_ONE, 6.5, 20.0)
    + signed(1.5, 19.1, 36.9, 354.0, 1e17)
    + signed(40.0, 700.0, 745.0, 1e8, 1.4e154, LARGEST)
)
if THOROUGH:
    EXTREME_ONE += alone(signed(1e-200, 1e-100, 1e-50, 1e-16, 1e-5, 0.1, 0.3, 0.7, 0.9, 1.1, 5.0))
    EXTREME_ONE += alone(signed(8.0, 10.0, 15.0, 18.0, 27.0, 30.0, 37.1, 100.0, 300.0, 370.0))
    EXTREME_ONE += alone(signed(709.5, 710.2, 740.0, 1e3, 1e5, 1e10, 1e16, 1e50, 1e100, 1e300))
EXTREME_TWO = pairs(signed(0.0, *SIZES), signed(0.0, *SIZES))
# No running product overflows or vanishes, no length overflows, and none are tied.
EXTREME_MANY = [
    *itertools.combinations([0.0, 5e-324, -1e-300, 1e-8, -3.0, 1e80], 2),
    *[(5e-324,), (-1e300,), (3.0, 4.0, -5.0), (0.0, 2.0, 3.0), (0.0, -0.0, 3.0)],
    *[(1e-310, 2e-310, 3e-310), (1e-300, 1e300, -2e-300), (1e150, -1e150, 1e-300)],
    *[(1e8, 1e8 + 1, -3.0), (1e3, -1e3, 0.0), (700.0, 710.0, -745.0), (1e16, 1e16 + 2)],
    *[(1e150, 1e-150, 2e150, 2e-150), (0.0, 1e150, 1e100, 1e-300)],
]
# Of a larger quotient the jumps are closer together than the floats are.
DIVISIONS = [(x, y) for x, y in EXTREME_TWO if abs(x) < 2**53 * abs(y)]
# Of a subnormal base x**(y - 1) may overflow, and so raise, where y times that would be a float.
POWERS = pairs(
    signed(0.0, LEAST, 1e-8, 0.5, BELOW_ONE, 1.0, 3.0, 1e150, LARGEST),
    signed(0.0, 1e-300, 1e-8, 0.5, 1.0, 2.5, 3.0, 40.0, 1e15),
)
POWERS_OFF_0 = [(x, y) for x, y in POWERS if x > 1e-300]
# The formula knows one zero only, and so one side of the cut.
ANGLES = pairs([0.0, *SIZES], [0.0, *signed(*SIZES)]) + pairs([-3.0, -1e-310], SIZES)
EXTREME = (
    dict.fromkeys(OF_TWO, EXTREME_TWO)
    | dict.fromkeys(OF_MANY, EXTREME_MANY)
    | dict.fromkeys(["power_slope", "power_log"], POWERS_OFF_0)
    | {"share": [(x, y) for x, y in EXTREME_TWO if x > 0 and y >= 0 and x + y < math.inf]}
    | {"log_share": pairs(signed(0.0, 1e-8, 0.5, 3.0, 40.0, 300.0), [0.0, *SIZES[:-1]])}
    | {"direction": [(x, y) for x, y in EXTREME_TWO if y]}  # 0 at the origin, by convention
    | {"//": DIVISIONS, "%": DIVISIONS, "**": POWERS, "**k": POWERS, "atan2": ANGLES}
    | {"where": [(c, *xs) for c in (0.0, 1.0) for xs in EXTREME_TWO[::7]]}
    # what is defined by a series, which takes mpmath long where its numbers are large or small
    | {"lgamma": alone([0.3, 1.0, 2.0, 20.0, -3.5])}
    | {"polygamma_by": alone([1e-8, 0.3, 1.5, 3.0, 20.0, -0.3, -3.6])}
    | {"erfinv": alone([0.0, *signed(1e-8, 0.3, 0.5, 0.7, 0.999), 1.0, -2.0])}
    | {"log_ndtr": alone(signed(0.0, 1e-8, 0.5, 1.0, 3.0, 3.9, 4.1, 6.0, 20.0, 40.0))}
    | {"mills_by": alone([-40.0, -6.0, -4.1, -3.9, -1.5, -1.05, -1.0, -1e-8, 0.0, 0.5, 20.0, 36.0])}
    | {"sinc_by": alone(signed(0.0, 1e-310, 1e-8, 0.5, 1.0, 3.1, 20.0))}
)

# For the higher derivatives: operands of which no small power leaves the floats.
MODEST_ONE = alone(signed(0.0, 1e-8, 0.5, BELOW_ONE, 1.0, ABOVE_ONE, 2.0, 3.0, 20.0, 40.0, 1e8))
MODEST_SPECIAL = alone([0.5, 1.5, 3.0, -0.5, 20.0])
MODEST_TWO = pairs([0.0, 0.5, 2.0, -2.0, 40.0], [-0.0, 0.5, 1.0, 2.0, -3.0])
MODEST_MANY = [(2.0,), (3.0, 4.0), (0.0, -4.0), (0.0, 0.0, 3.0), (3.0, 4.0, -5.0), (1e3, -1e3)]
# By a variable exponent too: its partial is a log, which a negative base has not.
POSITIVE_POWERS = [
    *pairs([0.5, 1.0, 2.0, 20.0], signed(0.0, 0.5, 1.0, 2.0, 3.0)),
]
MODEST = (
    dict.fromkeys(OF_TWO, MODEST_TWO)
    | dict.fromkeys(OF_MANY, MODEST_MANY)
    | dict.fromkeys(["power_slope", "power_log"], POSITIVE_POWERS)
    | {"share": pairs([0.5, 1.0, 3.0], [0.0, 0.5, 40.0])}
    | {"log_share": pairs(signed(0.0, 0.5, 3.0), [0.0, 0.5, 40.0])}
    | {"**": [*POSITIVE_POWERS, (0.0, 3.0)]}
    | {"where": [(1.0, 2.0, 3.0), (0.0, 2.0, 3.0)]}
    | dict.fromkeys(["lgamma", "polygamma_by", "mills_by", "erfinv", "log_ndtr"], MODEST_SPECIAL)
    | {"sinc_by": [(0.0,), *MODEST_SPECIAL]}
)

CONSTANTS = {
    "power": alone([0, 1, 2, 3, 100, 0.5, 1 / 3, -1, -1.5]),
    "exponential": alone([0, 1, 2, 0.3, 1e-300]),
    "round_to": alone([0, 1, -1]),
    "leaky_relu_by": alone([0, 0.01, -1]),
    "elu_by": alone([1, 0.5]),
    "polygamma_by": alone([0, 1, 2, 5]),
    "mills_by": alone([0, 1, 2, 5]),
    "sinc_by": alone([0, 1, 2, 5]),
    "clip_to": [(-1, 2), (-math.inf, 0.0)],
}
# A primitive, its formula, the name of its row or family.
ROWS = [(Primitive.named(name), formula, name) for name, formula in FORMULAS.items()] + [
    (Primitive.families[name](*constants), formula(*constants), name)
    for name, formula in FAMILY_FORMULAS.items()
    for constants in CONSTANTS[name]
]
each_row = pytest.mark.parametrize(
    ("primitive", "formula", "name"), ROWS, ids=[primitive.name for primitive, *_ in ROWS]
)


def is_float(exact):
    return exact is not None and abs(exact) <= sys.float_info.max


def close(actual, exact, ulps=ULPS, error=SUBNORMAL):
    if math.isinf(actual):
        return not is_float(exact) and actual * exact > 0
    last_place = max(math.ulp(float(exact)), math.ulp(LEAST)) if is_float(exact) else math.inf
    return abs(mpf(actual) - exact) <= ulps * last_place + error


def asked(name, xs):
    """Return the indices of the operands that a primitive does not hold constant."""
    return [i for i in range(len(xs)) if i not in HELD.get(name, ())]


@each_row
def test_a_number_is_exact_and_what_raises_is_no_float(primitive, formula, name):
    for xs in thinned(EXTREME.get(name, EXTREME_ONE)):
        exact = derivative(formula, xs)
        try:
            out = primitive(*xs)
        except (ArithmeticError, ValueError):
            assert not is_float(exact), xs
        else:
            ulps = LOST_BY_A_NUMBER.get(name, lambda *_: ULPS)(*xs)
            size = magnitude(primitive, xs, out)  # of what is rounded, where operands cancel
            assert close(out, exact, ulps, ulps * math.ulp(size) + SUBNORMAL), (xs, out)


@each_row
def test_a_partial_is_exact_and_what_raises_is_no_float(primitive, formula, name):
    error = LEAST if name in VANISHES else SUBNORMAL
    for xs in thinned(EXTREME.get(name, EXTREME_ONE)):
        try:
            out = primitive(*xs)
        except (ArithmeticError, ValueError):
            continue
        exact = {i: derivative(formula, xs, i) for i in asked(name, xs)}
        try:
            partials = primitive.partials(out, *xs)
        except (ArithmeticError, ValueError):
            assert not all(map(is_float, exact.values())), xs
        else:
            for i, slope in exact.items():
                ulps = LOST.get(name, lambda *_: ULPS)(*xs)
                right = slope is None or close(partials[i] or 0, slope, ulps, error)
                assert right, (xs, i, partials)


def in_a_kernel(functions, rows):
    """Return each function's partials at each row, by all operands."""
    arity = len(rows[0])
    slopes = mg.compile(lambda *xs: [mg.grad(f, range(arity))(*xs) for f in functions])
    found = slopes(*[np.array(column) for column in zip(*rows, strict=True)])
    return [np.array([np.broadcast_to(x, len(rows)) for x in by]).T for by in found]


@pytest.mark.parametrize("arity", [1, 2])
def test_a_kernels_partials_are_pythons(arity):
    every_row = EXTREME_ONE if arity == 1 else EXTREME_TWO[::3]
    rows = [
        (primitive, name)
        for primitive, _, name in ROWS
        if domain_of(primitive).takes(arity) and not HELD.get(name)
    ]
    found = in_a_kernel([primitive for primitive, _ in rows], every_row)
    for (primitive, name), slopes in zip(rows, found, strict=True):
        kept = set(EXTREME.get(name, every_row))
        for xs, of_kernel in zip(every_row, slopes, strict=True):
            try:
                of_python = [p or 0 for p in primitive.partials(primitive(*xs), *xs)]
            except (ArithmeticError, ValueError):
                continue
            if xs in kept and all(map(math.isfinite, of_python)):
                for ours, theirs in zip(of_kernel.tolist(), of_python, strict=True):
                    ulps = LOST.get(name, lambda *_: ULPS)(*xs) + OF_A_KERNEL
                    assert close(ours, mpf(theirs), ulps, LEAST), (name, xs, ours, theirs)


# ---- what is composed of primitives: as a function of one number


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


COMPOSED = {
    "silu": (mg.silu, lambda x: x * sigmoid(x)),
    "log_sigmoid": (mg.log_sigmoid, lambda x: -mp.log1p(mp.exp(-x))),
    "elu": (mg.elu, lambda x: x if x > 0 else mp.expm1(x)),
    "binary_cross_entropy": (
        lambda x: losses.binary_cross_entropy(x, 1),
        lambda x: mp.log1p(mp.exp(-x)),
    ),
    "cross_entropy": (
        lambda x: losses.cross_entropy([x, 0.0, 1.0], 0),
        lambda x: mp.log1p((1 + mp.e) * mp.exp(-x)),
    ),
    "cross_entropy of others": (
        lambda x: losses.cross_entropy([0.0, x], 0),
        lambda x: mp.log1p(mp.exp(x)),
    ),
    "huber": (lambda x: losses.huber(x, 0.0), lambda x: x * x / 2 if abs(x) < 1 else abs(x) - 0.5),
    "3 / x": (lambda x: 3 / x, lambda x: 3 / x),
    "hypot(1, x)": (lambda x: mg.hypot(1.0, x), lambda x: mp.sqrt(1 + x * x)),
    "2**x": (lambda x: 2**x, lambda x: mpf(2) ** x),
    "softmax": (lambda x: mg.softmax([0.0, x])[1], sigmoid),
    "log_softmax": (lambda x: mg.log_softmax([x, 0.0])[0], lambda x: -mp.log1p(mp.exp(-x))),
    "softmax of three": (
        lambda x: mg.softmax([0.5, x, -1.0])[1],
        lambda x: 1 / (1 + (mp.exp(0.5) + mp.exp(-1)) * mp.exp(-x)),
    ),
    "logsumexp": (lambda x: mg.logsumexp([x, 0.0]), lambda x: mp.log1p(mp.exp(x))),
    "gelu": (mg.gelu, lambda x: x * (1 + mp.erf(x / mp.sqrt(2))) / 2),
}
# exp's operand is a difference, or a square, that is rounded as x would be; and where a slope goes
# through 0, as gelu's does at -0.75 and silu's at -1.28, what is left of its terms is rounded.
LOST_BY_COMPOSED = {
    "gelu": lambda x: ULPS + 8 * x * x,
}
COMPOSED_AT = thinned([x for (x,) in EXTREME_ONE if 1e-20 < abs(x) < 1e155])


@pytest.mark.parametrize("name", COMPOSED)
def test_a_composed_function_and_its_slope_are_exact(name):
    f, formula = COMPOSED[name]
    (kernel,) = in_a_kernel([f], alone(COMPOSED_AT))
    for x, of_kernel in zip(COMPOSED_AT, kernel[:, 0].tolist(), strict=True):
        exact, slope = derivative(formula, [x]), derivative(formula, [x], 0)
        if not is_float(exact) or not is_float(slope):
            continue
        ulps = LOST_BY_COMPOSED.get(name, lambda x: ULPS)(x)
        leaf = Value(x)
        out = f(leaf)
        out.backward()
        far = 1000 * SUBNORMAL  # a subnormal, times x
        assert close(out.data, exact, ulps, far), (x, out.data)
        for by in (leaf.grad, mg.gradients(f(leaf), leaf).data):
            assert close(by, slope, ulps, far), (x, by)
        assert close(of_kernel, slope, ulps + OF_A_KERNEL, far), (x, of_kernel)


# ---- higher derivatives


def repeated(primitive, name, xs):
    """Return a function of indices: the derivative by those operands in turn, as it is here."""
    leaves = list(map(Value, xs))
    held = HELD.get(name, ())

    @functools.cache
    def node(*by):
        if by:
            return gradients(node(*by[:-1]), leaves[by[-1]])
        return primitive(*[leaf.detach() if i in held else leaf for i, leaf in enumerate(leaves)])

    return node


@each_row
def test_a_higher_derivative_is_exact(primitive, formula, name):
    for xs in MODEST.get(name, MODEST_ONE):
        exactly = functools.cache(functools.partial(derivative, formula, xs, bits=MODERATE))
        if not is_float(exactly()):
            continue
        node = repeated(primitive, name, xs)
        for order in (2, 3):
            every = itertools.product(asked(name, xs), repeat=order)
            # it is the same in any order: for third ones the longer run alone asks each
            some = itertools.combinations_with_replacement(asked(name, xs), order)
            for by in every if LONG or order == 2 else some:
                exact = exactly(*sorted(by))  # in any order it is the same
                if is_float(exact):
                    actual = node(*by).data
                    assert abs(actual - exact) <= HIGHER * max(1, abs(exact)), (xs, by, actual)


def test_a_power_at_0_is_flat_as_long_as_its_exponent_is_positive():
    x = Value(0.0)
    second = gradients(gradients(x**2.5, x), x)
    assert second.data == 0.0
    with pytest.raises(ZeroDivisionError, match=r"the derivative of \*\*0.5"):
        gradients(second, x)


# ---- the tester is tested


@pytest.mark.parametrize(
    ("name", "xs"),
    [
        *[("abs", [0.0]), ("relu", [-0.0]), ("floor", [2.0]), ("max", [3.0, 3.0]), ("log", [0.0])],
        *[("/", [0.0, 0.0]), ("sqrt", [0.0]), ("cbrt", [0.0]), ("asin", [1.0]), ("acosh", [1.0])],
        *[("log", [-1.0]), ("atanh", [2.0]), ("**", [-2.0, 0.5])],
    ],
)
def test_at_kinks_jumps_poles_and_ends_of_domains_there_is_no_derivative(name, xs):
    assert [derivative(FORMULAS[name], xs, i) for i in range(len(xs))] == [None] * len(xs)


NOTHING = mpf(10) ** -330  # beside the floats


@pytest.mark.parametrize(
    ("name", "xs", "expected"),
    [
        ("abs", [-5e-324], -1),
        ("cbrt", [0.125], 4 / mpf(3)),
        ("log", [5e-324], mpf(2) ** 1074),
        ("hypot", [0.0, 5e-324], 0),
        ("*", [1.7e308, 5e-324], mpf(2) ** -1074),
        ("tanh", [1e3], 0),
        ("asin", [BELOW_ONE], 1 / mpf(1 - BELOW_ONE**2) ** 0.5),
    ],
)
def test_close_to_them_there_is_one(name, xs, expected):
    assert abs(derivative(FORMULAS[name], xs, 0) - expected) <= 1e-14 * abs(expected) + NOTHING


@pytest.mark.parametrize(
    ("actual", "exact"),
    [
        *[(1 + 1.2e-15, 1), (1e-320, 0), (math.inf, 1e308), (-math.inf, mpf(10) ** 400)],
        *[(math.nan, 1), (0.0, 1e-300), (1.04e-16, 1e-16)],
    ],
)
def test_what_is_off_would_be_seen(actual, exact):
    assert not close(actual, mpf(exact))
