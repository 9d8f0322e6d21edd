"""The laws of Taylor series: their coefficients are the derivatives, for every primitive."""

import functools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import microgrid as mg
from microgrid import Primitive, Value, exp, grad, gradients, sin, sqrt, taylor, where
from microgrid.testing.strategies import programs
from tests.formulas import FAMILY_FORMULAS, FORMULAS
from tests.search import usual

# A coefficient is a sum of up to 30 products of coefficients, each of which is such a sum. Those of
# a function that is even or odd cancel to 0, which is as exact as their neighbours are.
ROUNDING = {"rel": 1e-12, "abs": 1e-14}

# Where a primitive of one operand is expanded, if not at 0.7.
POINTS = {"acosh": 1.7, "round_to": 1.3}
# Primitives of other operands, as functions of one number.
CURVES = {
    "where": lambda f, x: f(1, x * x, x),
    "+": lambda f, x: f(x * x, 3 * x),
    "-": lambda f, x: f(x * x, 3 * x),
    "*": lambda f, x: f(x * x + 1, x - 3),
    "/": lambda f, x: f(x - 3, x * x + 1),
    "//": lambda f, x: f(x * x + 7, x + 1),
    "%": lambda f, x: f(x * x + 7, x + 1),
    "**": lambda f, x: f(x * x + 1, x - 3),
    "**k": lambda f, x: f(x * x + 1, 2.5),
    "power_slope": lambda f, x: f(x * x + 1, x - 3),
    "power_log": lambda f, x: f(x * x + 1, x - 3),
    "<": lambda f, x: f(x * x, x),
    "<=": lambda f, x: f(x * x, x),
    "==": lambda f, x: f(x * x, x),
    "compare": lambda f, x: f(x * x, x),
    "atan2": lambda f, x: f(x * x + 1, x - 3),
    "sech2": lambda f, x: f(x * x, 2),
    "sum": lambda f, x: f(x * x, x, 3),
    "prod": lambda f, x: f(x * x, x - 1, 3, x),
    "dot": lambda f, x: f(x * x, 2, x, x + 1, x),
    "max": lambda f, x: f(x * x, x, x - 1),
    "min": lambda f, x: f(x * x, x, x - 1),
    "hypot": lambda f, x: f(x * x, 2, x - 3),
    "direction": lambda f, x: f(x - 3, x * x + 1),
    "share": lambda f, x: f(x * x, x + 1),
    "log_share": lambda f, x: f(x - 3, x * x),
    "logsumexp": lambda f, x: f(x * x, 2, x - 3),
}
CONSTANTS = [
    *[("power", n) for n in (3, -2, 0, 1, 0.5, -1.5)],
    *[("exponential", base) for base in (2, 0.3, 1)],
    *[("round_to", digits) for digits in (0, 1)],
    ("leaky_relu_by", 0.1),
    ("elu_by", 0.5),
    ("clip_to", -1, 2),
    ("clip_to", 1, 2),
]


def expansion(formula, x, order):
    with mp.workdps(60):
        return [float(c) if abs(c) > 1e-30 else 0.0 for c in mp.taylor(formula, mp.mpf(x), order)]


def nested(f, x, order):
    for _ in range(order):
        f = grad(f)
    return f(x)


# ---- the coefficients are right


@pytest.mark.parametrize("name", sorted(FORMULAS.keys() - {"stop_gradient", "constant"}))
def test_every_primitive_has_the_series_of_its_formula(name):
    curve, x = CURVES.get(name, lambda f, x: f(x)), POINTS.get(name, 0.7)
    wanted = expansion(functools.partial(curve, FORMULAS[name]), x, 12)
    primitive = Primitive.named(name)
    assert taylor(functools.partial(curve, primitive), x, 12) == pytest.approx(wanted, **ROUNDING)


@pytest.mark.parametrize(("name", "constants"), [(name, rest) for name, *rest in CONSTANTS])
def test_every_member_of_a_family_has_the_series_of_its_formula(name, constants):
    x = POINTS.get(name, 0.7)
    wanted = expansion(FAMILY_FORMULAS[name](*constants), x, 12)
    member = Primitive.families[name](*constants)
    assert taylor(member, x, 12) == pytest.approx(wanted, **ROUNDING)


# Functions, the same for mpmath, a point, and an order.
PUBLISHED = {
    "exp(-x**2)": (lambda x: exp(-x * x), lambda x: mp.exp(-x * x), 0.7, 30),
    "1 / (1 + x**2)": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x), -2.0, 30),
    "tan": (mg.tan, mp.tan, -1.0, 30),
    "sin(x) / x": (lambda x: sin(x) / x, mp.sinc, 3.0, 10),
    "erf": (mg.erf, mp.erf, -1.5, 30),
    "x**x": (lambda x: x**x, lambda x: x**x, 0.5, 30),
    "sqrt(1 + x)": (lambda x: sqrt(1 + x), lambda x: mp.sqrt(1 + x), -0.5, 30),
    "tanh(x**2)": (lambda x: mg.tanh(x * x), lambda x: mp.tanh(x * x), -1.0, 30),
    "gelu": (mg.gelu, lambda x: x * mp.ncdf(x), 0.7, 30),
    "x**2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), 2.0, 30),
    "softmax": (
        lambda x: mg.softmax([x, 1.0, x * x])[0],
        lambda x: mp.exp(x) / (mp.exp(x) + mp.e + mp.exp(x * x)),
        0.4,
        12,
    ),
}


@pytest.mark.parametrize(("f", "formula", "x", "order"), PUBLISHED.values(), ids=PUBLISHED)
def test_series_of_published_functions_are_exact_to_high_orders(f, formula, x, order):
    assert taylor(f, x, order) == pytest.approx(expansion(formula, x, order), **ROUNDING)


@given(programs(max_inputs=1, max_size=5, exact=True))
@usual(40)
def test_coefficients_of_fractions_are_the_nested_derivatives_exactly(program):
    x = program.point[0]
    series = taylor(program, x, 4)
    assert {type(c) for c in series} == {Fraction}
    assert series == [nested(program, x, k) / math.factorial(k) for k in range(5)]


@given(programs(max_inputs=1, max_size=6), st.integers(0, 4))
@usual(40)
def test_a_longer_series_begins_with_the_shorter_one(program, order):
    x = program.point[0]
    assert taylor(program, x, 6)[: order + 1] == taylor(program, x, order)


def test_a_polynomial_is_its_own_series_at_zero():
    coefficients = [Fraction(1, k) for k in range(1, 8)]

    def horner(x):
        y = Fraction(0)
        for c in reversed(coefficients):
            y = y * x + c
        return y

    assert taylor(horner, Fraction(0), 9) == [*coefficients, 0, 0, 0]


def test_a_rational_function_of_a_fraction_has_an_exact_series():
    x = Fraction(1, 2)
    assert taylor(lambda x: 1 / (1 + x), x, 20) == [
        (-1) ** k * Fraction(2, 3) ** (k + 1) for k in range(21)
    ]


def test_order_zero_is_the_value_and_asks_for_no_derivative():
    assert taylor(sqrt, 0.0, 0) == [0.0]
    assert taylor(lambda x: 3, 1.0, 0) == [3.0]


def test_the_series_of_the_variable_and_of_a_constant():
    assert taylor(lambda x: x, 2.0, 3) == [2.0, 1.0, 0.0, 0.0]
    assert taylor(lambda x: 7.0, 2.0, 3) == [7.0, 0.0, 0.0, 0.0]


def test_equal_nodes_share_a_series():
    def doubled(x, n):
        return x if n == 0 else doubled(x, n - 1) + doubled(x, n - 1)

    assert taylor(lambda x: sin(doubled(x, 5)), 0.0, 3) == [
        0.0,
        32.0,
        0.0,
        pytest.approx(-(32**3) / 6),
    ]


# ---- at zeros and kinks


@pytest.mark.parametrize(
    ("f", "x", "wanted"),
    [
        (lambda x: x**3, 0.0, [0, 0, 0, 1, 0]),
        (lambda x: x**0, 0.0, [1, 0, 0, 0, 0]),
        (lambda x: x ** Value(3.0).detach(), 0.0, [0, 0, 0, 1, 0]),
        (lambda x: x ** Value(2.0).detach(), -1.0, [1, -2, 1, 0, 0]),
        (lambda x: mg.prod([x, x, x]), 0.0, [0, 0, 0, 1, 0]),
        (mg.asinh, 0.0, [0, 1, 0, -1 / 6, 0]),
        (lambda x: 0**x, 1.0, [0, 0, 0, 0, 0]),
        (mg.relu, 0.0, [0, 0, 0, 0, 0]),
        (abs, 0.0, [0, 0, 0, 0, 0]),
        (lambda x: mg.maximum(x, x * x), 1.0, [1, 1.5, 0.5, 0, 0]),
        (lambda x: mg.clip(x, 0, 1) * x, 1.0, [1, 2, 1, 0, 0]),
        (lambda x: mg.leaky_relu(x, 0.1), 0.0, [0, 0.1, 0, 0, 0]),
        (lambda x: mg.floor(x) * x, 1.5, [1.5, 1, 0, 0, 0]),
        (lambda x: x % 2.0, 3.5, [1.5, 1, 0, 0, 0]),
        (lambda x: mg.stop_gradient(x) * x * x, 3.0, [27, 18, 3, 0, 0]),
    ],
)
def test_a_series_is_that_of_nested_derivatives_at_zeros_and_kinks(f, x, wanted):
    assert taylor(f, x, 4) == wanted
    for order in range(3):
        value = nested(f, x, order)
        assert getattr(value, "data", value) == wanted[order] * math.factorial(order)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: where(x > 0, sqrt(x), x + 1),
        lambda x: where(x > 0, mg.sum([sqrt(x), x]), x + 1),
        lambda x: x + 1 + 0 * mg.stop_gradient(sqrt(x)),
    ],
)
def test_a_slope_that_is_not_needed_is_not_asked_for(f):
    assert taylor(f, 0.0, 3) == [1, 1, 0, 0]


def test_a_derivative_that_does_not_exist_names_its_operation():
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of sqrt of 0\.0: "):
        taylor(sqrt, 0.0, 1)
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of sqrt of y = 0\.0: "):
        taylor(lambda x: sqrt(x), Value(0.0, label="y"), 1)
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of \*\*0\.5 of 0\.0: "):
        taylor(lambda x: x**2.5, 0.0, 3)
    assert taylor(lambda x: x**2.5, 0.0, 2) == [0, 0, 0]
    assert taylor(lambda x: mg.norm([x, x]), 0.0, 1) == [0, 0]
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of direction .+ dot\(x, x\)"):
        taylor(lambda x: mg.norm([x, x]), 0.0, 2)


# ---- Values


def test_values_give_values_to_differentiate_again():
    x = Value(0.7)
    series = taylor(lambda t: exp(t) * sin(t), x, 5)
    assert all(isinstance(c, Value) for c in series)
    numbers = taylor(lambda t: exp(t) * sin(t), 0.7, 6)
    assert [c.data for c in series] == pytest.approx(numbers[:6], **ROUNDING)
    for k in range(5):  # the derivative of c[k] is (k + 1) * c[k + 1]
        slope = gradients(series[k], x)
        assert slope.data == pytest.approx((k + 1) * numbers[k + 1], **ROUNDING)
    series[2].backward()
    assert x.grad == pytest.approx(3 * numbers[3], **ROUNDING)


def test_a_series_depends_on_values_from_outside():
    w = Value(Fraction(3))
    series = taylor(lambda t: 1 / (1 - w * t), Fraction(0), 4)
    assert [c.data for c in series] == [1, 3, 9, 27, 81]
    assert [gradients(c, w).data for c in series] == [0, 1, 6, 27, 108]


# ---- long and deep


def test_a_long_chain_has_a_series():
    def f(x):
        for _ in range(20_000):
            x = -x
        return sin(x)

    assert taylor(f, 0.0, 3) == [0, 1, 0, pytest.approx(-1 / 6)]


def test_an_order_of_hundreds_does_not_recurse():
    # Each slope of x**2.5 is a power of its own; at 1 the coefficients are binomial.
    wanted = functools.reduce(lambda c, k: c * (2.5 - k) / (k + 1), range(150), 1.0)
    assert taylor(lambda x: x**2.5, 1.0, 150)[-1] == pytest.approx(wanted, **ROUNDING)


# ---- what is refused


@pytest.mark.parametrize("order", [-1, 1.5, 2.0, "2", None, True])
def test_an_order_is_a_whole_number(order):
    with pytest.raises((TypeError, ValueError), match=r"`order` must be .* at least 0, got"):
        taylor(sin, 0.0, order)


@pytest.mark.parametrize("x", [[1.0], "1", None, 1j, {"x": 1.0}])
def test_the_point_is_a_single_number(x):
    with pytest.raises(TypeError, match=r"taylor needs a single number or Value to expand at, got"):
        taylor(sin, x, 2)


def test_the_function_returns_a_single_number():
    with pytest.raises(TypeError, match=r"taylor needs a function with one scalar output"):
        taylor(lambda x: [x], 0.0, 2)


def test_numbers_that_are_equal_and_not_the_same_are_told_apart_in_a_rule():
    def turn(x):  # across the cut of atan2, where the sign of a zero is half a turn
        return mg.atan2(0.0, x) - mg.atan2(-0.0, x)

    wound = Primitive("wound", lambda x: turn(x) * x, lambda out, x: (turn(x),), made_by=(abs, ()))
    assert mg.taylor(wound, -1.0, 2) == [-math.tau, math.tau, 0.0]
