"""Every partial to twelve digits at the ends of the floats: zeros, subnormals, edges, huge numbers.

Each primitive's number, and each of its partials, is compared with its formula in `formulas`
wherever that has a derivative. At kinks, jumps and ties it has none; see `test_conventions`.
"""

import itertools
import math
import sys

import pytest
from mpmath import mpf

from microgrid import Primitive, Value
from microgrid.calculus import gradients
from tests.formulas import FAMILY_FORMULAS, FORMULAS, HELD, MODERATE, derivative

# A partial's error over the partial: floats have sixteen digits, a few operations lose some.
EXACT = 1e-12
# Below the least normal float numbers have fewer digits: the last bit of such a one is lost, and
# what it is multiplied by is at most 100 here.
SUBNORMAL = 100 * math.ulp(0.0)
# Rows whose error is in the size of a number larger than the partial. A formula without that would
# cost time in every step of a training, or be no lesson.
OTHERWISE = {
    # 1 - out * out keeps the digits of 1: tanh'(20) is 1.7e-17, which is 0 beside 1.
    "tanh": 2 * sys.float_info.epsilon,
    # out + alpha likewise, where out is close to -alpha.
    "elu_by": 2 * sys.float_info.epsilon,
    # x * x, or a hypotenuse, is inf before 1 / (x * x) is 0: it is below the normal floats there.
    "atan": sys.float_info.min,
    "atan2": sys.float_info.min,
}
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


OF_TWO = (
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "**k",
    "<",
    "<=",
    "compare",
    "atan2",
    "sech2",
    "direction",
)
OF_MANY = ("sum", "prod", "dot", "max", "min", "hypot", "logsumexp")

# The ends of the floats, and what lies between; those of one operand if no other are named.
SIZES = [5e-324, 1e-310, 1e-300, 1e-8, 0.5, 1.0, 3.0, 1e150, LARGEST]
EXTREME_ONE = alone(
    signed(0.0, 5e-324, 1e-310, LEAST, 1e-8, 0.5, 1 - 1e-8, BELOW_ONE, 1.0, ABOVE_ONE, 6.5, 20.0)
    + signed(40.0, 700.0, 745.0, 1e8, 1.4e154, LARGEST)
)
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
POWERS_OFF_0 = [(x, y) for x, y in POWERS if abs(x) > 1e-300]
# The formula knows one zero only, and so one side of the cut.
ANGLES = pairs([0.0, *SIZES], [0.0, *signed(*SIZES)]) + pairs([-3.0, -1e-310], SIZES)
EXTREME = (
    dict.fromkeys(OF_TWO, EXTREME_TWO)
    | dict.fromkeys(OF_MANY, EXTREME_MANY)
    | dict.fromkeys(["power_slope", "power_log"], POWERS_OFF_0)
    | {"direction": [(x, y) for x, y in EXTREME_TWO if y]}  # 0 at the origin, by convention
    | {"//": DIVISIONS, "%": DIVISIONS, "**": POWERS, "**k": POWERS, "atan2": ANGLES}
    | {"where": [(c, *xs) for c in (0.0, 1.0) for xs in EXTREME_TWO[::7]]}
)

# For the higher derivatives: operands of which no small power leaves the floats.
MODEST_ONE = alone(signed(0.0, 1e-8, 0.5, BELOW_ONE, 1.0, ABOVE_ONE, 2.0, 3.0, 20.0, 40.0, 1e8))
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
    | {"**": [*POSITIVE_POWERS, (0.0, 3.0)]}
    | {"where": [(1.0, 2.0, 3.0), (0.0, 2.0, 3.0)]}
)

CONSTANTS = {
    "power": alone([0, 1, 2, 3, 100, 0.5, 1 / 3, -1, -1.5]),
    "exponential": alone([0, 1, 2, 0.3, 1e-300]),
    "rounded": alone([0, 1, -1]),
    "leaky_relu_by": alone([0, 0.01, -1]),
    "elu_by": alone([1, 0.5]),
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


def close(actual, exact, error=SUBNORMAL):
    if math.isinf(actual):
        return not is_float(exact) and actual * exact > 0
    return abs(mpf(actual) - exact) <= EXACT * abs(exact) + error


def asked(name, xs):
    """Return the indices of the operands that a primitive does not hold constant."""
    return [i for i in range(len(xs)) if i not in HELD.get(name, ())]


@each_row
def test_a_number_is_exact_and_what_raises_is_no_float(primitive, formula, name):
    for xs in EXTREME.get(name, EXTREME_ONE):
        exact = derivative(formula, xs)
        try:
            out = primitive(*xs)
        except (ArithmeticError, ValueError):
            assert not is_float(exact), xs
        else:
            assert close(out, exact), (xs, out)


@each_row
def test_a_partial_is_exact_and_what_raises_is_no_float(primitive, formula, name):
    error = OTHERWISE.get(name, SUBNORMAL)
    for xs in EXTREME.get(name, EXTREME_ONE):
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
                assert slope is None or close(partials[i] or 0, slope, error), (xs, i, partials)


# ---- higher derivatives


def repeated(primitive, name, xs, by):
    """Return a derivative by the operands of those indices in turn, as this library has it."""
    leaves = list(map(Value, xs))
    held = HELD.get(name, ())
    node = primitive(*[leaf.detach() if i in held else leaf for i, leaf in enumerate(leaves)])
    for i in by:
        node = gradients(node, leaves[i])
    return node.data


@each_row
@pytest.mark.parametrize("order", [2, 3])
def test_a_higher_derivative_is_exact(primitive, formula, name, order):
    for xs in MODEST.get(name, MODEST_ONE):
        if not is_float(derivative(formula, xs, bits=MODERATE)):
            continue
        for by in itertools.product(asked(name, xs), repeat=order):
            exact = derivative(formula, xs, *by, bits=MODERATE)
            if is_float(exact):
                actual = repeated(primitive, name, xs, by)
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
    [(1 + 2e-12, 1), (1e-320, 0), (math.inf, 1e308), (-math.inf, mpf(10) ** 400), (math.nan, 1)],
)
def test_what_is_off_would_be_seen(actual, exact):
    assert not close(actual, mpf(exact))
