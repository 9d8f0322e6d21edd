"""Primitives that are wrong, in all company, and functions that are right, and hard to check."""

import math

import pytest

import microgrid as mg
from microgrid import Primitive, Value
from microgrid.testing import check_gradients
from tests.search import LONG, thinned


def op(name, forward, *partials):
    """Return a primitive that takes no name; each partial is given out and the operands."""
    return Primitive(
        name, forward, lambda out, *xs: tuple([p(out, *xs) for p in partials]), made_by=(op, ())
    )


def plain(x):
    return x.data if isinstance(x, Value) else x


def on_values(x, by_floats, by_values):
    return by_values if isinstance(x, Value) else by_floats


def smooth_step(x):
    return x * x * (3 - 2 * x)


# name, primitive, where, and the order at which it is found
WRONG = [
    # the derivative of something else
    (
        op("log_sigmoid", lambda x: -math.log1p(math.exp(-x)), lambda out, x: mg.sigmoid(x)),
        [0.7],
        1,
    ),
    (op("cos", math.cos, lambda out, x: mg.sin(x)), [2.1], 1),
    (op("asinh", math.asinh, lambda out, x: 1 / mg.sqrt(1 + x)), [0.4], 1),
    (op("exp2", lambda x: 2.0**x, lambda out, x: out), [1.3], 1),
    (op("square", lambda x: x * x, lambda out, x: x), [-40.0], 1),
    (op("gauss", lambda x: math.exp(-x * x), lambda out, x: -2 * x * out * out), [0.3], 1),
    # off by little, or in one place
    (op("sin", math.sin, lambda out, x: mg.cos(x) * (1 + 2e-5)), [0.2], 1),
    (op("tan", math.tan, lambda out, x: 1.0001 + out * out), [-0.6], 1),
    (op("abs", abs, lambda out, x: 1), [-1e-7], 1),
    (
        op(
            "huber",
            lambda x: x * x / 2 if abs(x) < 1 else abs(x) - 0.5,
            lambda out, x: mg.clip(x, -1, 2),
        ),
        [1.5],
        1,
    ),
    # of two operands
    (op("minus", lambda x, y: x - y, lambda out, x, y: 1, lambda out, x, y: 1), [0.7, 0.2], 1),
    (
        op("over", lambda x, y: x / y, lambda out, x, y: 1 / y, lambda out, x, y: -x / y),
        [3.0, 0.5],
        1,
    ),
    (op("times", lambda x, y: x * y, lambda out, x, y: y, lambda out, x, y: None), [3.0, 0.5], 1),
    (
        op("power", lambda x, y: x**y, lambda out, x, y: y * x ** (y - 1), lambda out, x, y: out),
        [2.0, 1.7],
        1,
    ),
    (
        op(
            "atan2",
            math.atan2,
            lambda out, y, x: x / (x * x + y * y),
            lambda out, y, x: y / (x * x + y * y),
        ),
        [0.4, 1.3],
        1,
    ),
    # steep, and far out
    (op("steep", lambda x: math.tanh(1e5 * x), lambda out, x: 1e5 * (1 - out)), [1e-5], 1),
    (op("near", lambda x: math.log(x), lambda out, x: 1 / (x + 1e-13)), [1e-9], 1),
    # right at the point by chance
    (op("softplus", lambda x: math.log1p(math.exp(x)), lambda out, x: mg.sigmoid(-x)), [0.0], 2),
    (op("cube", lambda x: x**3, lambda out, x: 3 * x), [1.0], 2),
    (op("sin", math.sin, lambda out, x: 1), [0.0], 3),
    (op("sinh", math.sinh, lambda out, x: 1 + x * x), [0.0], 3),
    # right on floats
    (op("square", lambda x: x * x, lambda out, x: on_values(x, 2 * x, 2.1 * x)), [1.5], 2),
    (op("exp", math.exp, lambda out, x: plain(out)), [0.5], 2),
    (op("log", math.log, lambda out, x: 1 / plain(x)), [3.0], 2),
    (
        op("product", lambda x, y: x * y, lambda out, x, y: plain(y), lambda out, x, y: x),
        [1.5, 2.0],
        2,
    ),
    (
        op("product", lambda x, y: x * y, lambda out, x, y: out / plain(x), lambda out, x, y: x),
        [0.2, 3.0],
        2,
    ),
]

# What a primitive is part of: its operands come from two inputs, used again elsewhere.
COMPANY = {
    "alone": lambda op, *xs: op(*xs),
    "in a sum": lambda op, *xs: op(*xs) + mg.sin(xs[0]) * 0.3,
    "in a chain": lambda op, *xs: mg.exp(op(*[1 * x for x in xs]) / 10),
    "in a product": lambda op, *xs: op(*xs) * (2 + mg.cos(xs[-1])),
    "beside a kink": lambda op, *xs: op(*xs) + mg.relu(xs[0] - plain(xs[0])) * 0,
    "by a neuron": lambda op, *xs: mg.asinh(
        mg.dot([op(*xs), *xs], [0.5, 0.25, -0.125][: 1 + len(xs)])
    ),
    "twice": lambda op, *xs: mg.dot([op(*xs), 2.0], [xs[0] + 3, op(*xs)]),
}


@pytest.mark.parametrize(
    ("primitive", "point", "order", "company"),
    thinned([(*wrong, company) for wrong in WRONG for company in COMPANY]),
    ids=lambda x: getattr(x, "name", x if isinstance(x, str) else ""),
)
def test_a_planted_error_is_caught_and_named_in_all_company(primitive, point, order, company):
    def f(*xs):
        return COMPANY[company](primitive, *xs)

    if order > 1 and company == "alone":
        check_gradients(f, *point, order=order - 1)
    with pytest.raises(AssertionError) as caught:
        check_gradients(f, *point, order=order)
    told = str(caught.value)
    assert "  reverse, forward  wrong  " in told
    assert f"the primitive to blame is {primitive.name!r}: at " in told


def kahan(x):
    """Return log(1 + x) by a formula that keeps the digits though it looks as if it lost them."""
    u = 1 + x
    return mg.log(u) * x / (u - 1)


def newton_root(x):
    y = 0.5 * (1 + x)
    for _ in range(8):
        y = (y + x / y) / 2
    return y


def continued_fraction(x):
    y = x * 0 + 1
    for k in range(20, 0, -1):
        y = 2 * k - 1 + x * x / y if k > 1 else x / (1 + x * x / y)
    return y


def softmax_of_far(x):
    return mg.softmax([x, 1000.0, -1000.0])[0]


def variance(x):
    xs = [1e6 + x, 1e6 + 2 * x, 1e6 - x]
    return mg.mean([y * y for y in xs]) - mg.mean(xs) ** 2


def deep(x):
    for _ in range(200):
        x = mg.sin(x) + x / 2
    return x


def huber(x):
    return x * x / 2 if abs(x) < 1 else abs(x) - 0.5


def kepler(x):
    y = x
    for _ in range(12):
        y = y - (y - 0.9 * mg.sin(y) - x) / (1 - 0.9 * mg.cos(y))
    return y


HARD = [
    # digits cancel
    (lambda x: (mg.exp(x) - 1) / x, [1e-5, 1e-7, 1e-9, -1e-6], 1),
    (lambda x: mg.sin(x) / x, [1e-6, 1e-8, 1e-4], 1),
    (lambda x: (1 - mg.cos(x)) / (x * x), [1e-3, 1e-4, 1e-6], 1),
    (lambda x: mg.acosh(mg.cosh(x)), [1e-6, 1e-5, 1e-7, 2e-8], 1),
    (lambda x: mg.sqrt(1 + x * x) - 1, [1e-4, 1e-7], 2),
    (lambda x: mg.log(mg.exp(x)), [1e-9, 30.0], 2),
    (lambda x: (x + 1e8) - 1e8, [0.3], 1),
    (lambda x: mg.tanh(x) - x, [1e-4, 1e-6], 1),
    (lambda x: 1 / (1 - mg.tanh(x)), [15.0, 10.0], 1),
    (lambda x, y: (x + y) ** 2 - x * x - 2 * x * y, [(1e5, 1e-5), (1e8, 1.0)], 1),
    (lambda x: mg.sin(x) ** 2 + mg.cos(x) ** 2, [0.7, 1e5], 2),
    (variance, [1e-2, 1.0], 1),
    (kahan, [1e-6, 1e-12], 1),
    # steep, flat, far, next to an end
    (lambda x: mg.tanh(1e8 * x), [1e-8, 1e-3, 0.0], 2),
    (lambda x: mg.exp(-x * x), [6.0, 20.0, 26.0], 1),
    (lambda x: mg.exp(-1 / x), [0.01, 0.002], 1),
    (lambda x: x**40, [1e-3, 1e3], 2),
    (mg.asin, [1 - 1e-12, -1 + 1e-9], 2),
    (lambda x: mg.sqrt(x) * mg.log(x), [1e-12, 1e-200], 2),
    (lambda x: x * mg.log(x), [1e-10, 1e-300], 2),
    (lambda x: 1e-200 * mg.sin(1e100 * x), [1e-100], 1),
    (lambda x: 1e150 * x * x, [1e-160, 1e120], 2),
    (softmax_of_far, [990.0, 1000.0, -5.0], 2),
    (lambda x: mg.sin(1e5 * x) / 1e5, [0.3, 2.0], 3),
    (lambda x: mg.atan(1e6 * x) + mg.atan(1 / (1e6 * x)), [1e-6, 1e-3], 2),
    (lambda x: mg.tanh(mg.atanh(x)), [1 - 1e-14, 1e-300], 2),
    (lambda x: mg.exp(x) - mg.exp(-x) - 2 * mg.sinh(x), [1.0, 20.0], 2),
    # too large for a float on the way to a derivative
    (lambda x: mg.atan2(x, x), [1.8e-252], 2),
    (mg.cbrt, [-6e-303], 2),
    (lambda x: abs(mg.logsumexp([mg.tanh(mg.log10(x))])), [8.66e-163], 2),
    # kinks, jumps and pieces
    (lambda x: mg.relu(x) - mg.relu(-x), [0.0, 1e-12], 2),
    (lambda x: abs(x) * x, [0.0, -1e-9], 3),
    (lambda x: mg.max([x, 2 * x, 3 * x]), [0.0, 1.0], 2),
    (lambda x, y: mg.relu(x * y), [(0.0, 0.0), (1.0, 0.0)], 2),
    (lambda x, y: abs(x) - abs(y) + mg.maximum(x, y), [(0.0, 0.0), (1.0, 1.0)], 2),
    (lambda x: mg.clip(x, 0, 1) ** 2 * mg.clip(1 - x, 0, 1), [0.0, 1.0, 0.5], 2),
    (lambda x: smooth_step(mg.clip(x, 0, 1)), [0.0, 1.0, 1 - 1e-9], 2),
    (lambda x: mg.clip(mg.cosh(x), 1, 1), [1e-9, 2e-188], 2),
    (lambda x: mg.where(x > 0, x * x, -x * x), [0.0, 1e-8], 2),
    (lambda x: x - mg.floor(x), [2.0, 2 - 1e-12, 0.3], 2),
    (lambda x: mg.floor(1e4 * x) / 1e4, [0.12345, 0.5], 2),
    (lambda x: (x % 0.1) * 3, [0.25, 0.2, 1e-9], 2),
    (lambda x: mg.atan2(-1747.6 % x % -1747.6, -2.9), [7.5e-7], 1),
    (lambda x: x // 1e-9, [0.3, 1e9 + 0.5], 2),
    (lambda x: 5.0 // x + x % 1e-9, [1e-9, 3e-7], 1),
    (lambda x: abs(mg.sin(x)) ** 3, [0.0, math.pi, 1.0], 3),
    (huber, [1 - 1e-9, 1 + 1e-12, -1 + 1e-6], 2),
    (lambda x, y: mg.tan(x // y), [(0.5, 1e-145), (-2.9, 1e-100), (-2.5, 1e-17)], 2),
    (lambda x, y: mg.tan(x % y), [(0.3, 1e-145), (3e10, -1e-10), (1.2, 5e-324)], 2),
    (lambda x, y: mg.erfc(mg.erfc(x)) % y, [(2.5e-5, 2.5e-5)], 2),
    (lambda x: mg.sin(round(x, 18)), [0.3], 2),
    (lambda x, y: mg.relu(x) * abs(y), [(2.7e-68, 2.4), (1e-9, -1e-9)], 2),
    (lambda x, y: mg.softsign(mg.elu(x, 0.5) * y), [(3e-253, 2.4), (1e-8, 1.0)], 2),
    # deep, wide and used often
    (deep, [0.5, 1e-3], 1),
    (newton_root, [2.0, 1e-3], 2),
    (kepler, [0.01, 3.14, 1e-8], 2),
    (continued_fraction, [0.7, 1e-6], 2),
    (lambda x: mg.sum([x * k for k in range(50)]) - 1225 * x, [0.37], 2),
    (lambda x: mg.prod([x - k for k in range(10)]), [3.0, 4.5], 3),
    (lambda x, y: mg.hypot(x, y) - mg.maximum(abs(x), abs(y)), [(3.0, 1e-3), (1e5, 1e-2)], 2),
    (lambda x: mg.logsumexp([x, x + 1e-9, 700 * x]), [0.0, 1.0], 2),
]  # fmt: skip


@pytest.mark.parametrize(("f", "points", "order"), HARD)
def test_what_is_right_and_hard_is_not_accused(f, points, order):
    for point in points if LONG else points[:1]:
        check_gradients(f, *(point if isinstance(point, tuple) else (point,)), order=order)
