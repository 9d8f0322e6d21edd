"""The gradient check is checked: it must not accuse what is right, and must catch what is wrong."""

import math
import random
import struct
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import MLP, Module, Primitive, Value, relu, sigmoid
from microgrid.core.primitive import exponential, power, round_to
from microgrid.testing import GradientReport, check_gradients
from microgrid.testing.gradients import subject
from microgrid.testing.gradients.differences import (
    KINK,
    LOSES,
    NOISY,
    OUTSIDE,
    RIGHT,
    WRONG,
    examine,
)
from microgrid.testing.gradients.sides import LEAP, Side, steps
from tests.search import LONG

# The error that the check promises to catch.
CAUGHT = 1e-4

MEMBERS = [
    *(power(n) for n in (-2, 0, 1, 2, 3, 0.5, 1.5)),
    *(exponential(b) for b in (2, 0.3)),
    *(round_to(digits) for digits in (0, 1, -1)),
    *(microgrid.functional.leaky_relu_by(slope) for slope in (0, 0.1)),
    microgrid.functional.elu_by(0.5),
    microgrid.functional.clip_to(-1, 2),
]
# stop_gradient is not what it claims to be derived as, and the exponent of **k is a constant.
UNLIKE = ("constant", "stop_gradient", "**k")
PRIMITIVES = [
    op
    for op in [*Primitive.registry.values(), *MEMBERS]
    if op.partials.__module__.startswith("microgrid.") and op.name not in UNLIKE
]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", "==", "compare"]
OPERANDS = {"where": 3, **dict.fromkeys(OPERATORS, 2)}
OPERANDS |= {
    "atan2": 2,
    "sech2": 2,
    "power_slope": 2,
    "power_log": 2,
    "direction": 2,
} | dict.fromkeys(["sum", "prod", "max", "min", "hypot", "logsumexp"], 3)
OPERANDS |= {"dot": 5, "share": 2, "log_share": 2}

each_primitive = pytest.mark.parametrize("op", PRIMITIVES, ids=lambda op: op.name)


def arity(op):
    return OPERANDS.get(op.name, 1)


def kinds(f, *point, **options):
    return [verdict.kind for verdict in check_gradients(f, *point, **options)]


def wrong(op, change):
    """Return a primitive like op, but for its partials."""
    return Primitive(
        f"wrong {op.name}",
        op.forward,
        lambda out, *xs: change(op.partials(out, *xs), out, *xs),
        made_by=(wrong, (op, change)),  # as a family's member, it takes no name
    )


def accusation(f, *point, **options):
    with pytest.raises(AssertionError) as caught:
        check_gradients(f, *point, **options)
    return str(caught.value)


# ---- what is right is not accused


AWKWARD = [
    0.0,
    -0.0,
    1e-300,
    -1e-300,
    1e-9,
    -1e-9,
    1e-5,
    0.3,
    0.5,
    1.0,
    -1.0,
    1 - 1e-9,
    math.pi / 2,
]
AWKWARD += [1.5, 2.0, 2.5, 2 + 1e-9, 2 - 1e-6, 40.0, -40.0, 700.0, -700.0, 12877.0, 1e8, 1e100]


@each_primitive
def test_no_primitive_is_accused_wherever_it_is_asked(op):
    chance = random.Random(op.name)
    points = [[x] + [chance.choice(AWKWARD[2:20]) for _ in range(arity(op) - 1)] for x in AWKWARD]
    points += [[chance.uniform(-3, 3) for _ in range(arity(op))] for _ in range(5)]
    if op.name == "//":  # with more steps than there are floats, stairs are a slope
        points = [point for point in points if abs(point[0]) < 1e6 and abs(point[1]) > 1e-3]
    # in the default run each number is asked of a fifth of the primitives
    for point in points if LONG else points[chance.randrange(5) :: 5]:
        check_gradients(op, *point)


@pytest.mark.parametrize(
    ("f", "x", "kind"),
    [
        (microgrid.relu, 0.0, KINK),
        (microgrid.relu, 1e-9, RIGHT),
        (microgrid.relu, -1e-9, RIGHT),
        (abs, 0.0, KINK),
        (abs, 1e-9, RIGHT),
        (abs, -1e-300, RIGHT),
        (lambda x: 1 + abs(x), 1e-6, RIGHT),
        (lambda x: microgrid.max([x, 3.0]), 3.0, KINK),
        (lambda x: x * abs(x), 0.0, RIGHT),
        (microgrid.elu, 0.0, RIGHT),
        (microgrid.sqrt, 1e-8, RIGHT),
        (microgrid.sqrt, 1e-300, RIGHT),
        (microgrid.log, 1e-8, RIGHT),
        (microgrid.log, 1e-300, RIGHT),
        (lambda x: 1 / x, 1e-5, RIGHT),
        (lambda x: x**1.5, 0.0, RIGHT),
        (lambda x: microgrid.sqrt(1 - x) * (1 - x), 0.999, RIGHT),
        (microgrid.sin, 1e4, RIGHT),
        (microgrid.sin, 1e8, RIGHT),
        (lambda x: microgrid.sin(1e6 * x), 1.0, RIGHT),
        (lambda x: microgrid.sin(2048 * math.pi * x), 0.25, RIGHT),  # whole periods in round steps
        (microgrid.cos, 0.0, RIGHT),
        (microgrid.sigmoid, 40.0, RIGHT),
        (microgrid.tanh, 400.0, RIGHT),
        (lambda x: 1e30 + 0 * x, 1.0, RIGHT),
        (lambda x: microgrid.maximum(x, 1e126), 1e-12, RIGHT),
        (lambda x: 1e-320 / x, 2.0, RIGHT),
        (lambda x: round(x, 6), 5e-324, RIGHT),
        (lambda x: microgrid.maximum(x, 5.0), 1e-6, RIGHT),
        (lambda x: microgrid.atan2(x, 1e-300), 1e-160, RIGHT),
        (lambda x: 1e10 + x, 1.0, RIGHT),
        (lambda x: (1e8 + x) - 1e8, 1.0, RIGHT),
        (lambda x: x * 1e300, 1e-200, RIGHT),
        (lambda x: x * x, 1e-200, RIGHT),
        (lambda x: x * x, 1e100, RIGHT),
        (lambda x: 0 * x + 5, 2.0, RIGHT),
        (lambda x: 7.0, 2.0, RIGHT),
        (microgrid.floor, 2.5, RIGHT),
        (microgrid.floor, 2 + 1e-9, RIGHT),
        (microgrid.floor, 2.0, KINK),
        (microgrid.sign, 0.0, KINK),
        (lambda x: round(x, 3), 1.2345678, RIGHT),
        (lambda x: microgrid.relu(x) - microgrid.relu(-x), 0.0, KINK),
        (microgrid.sqrt, 0.0, OUTSIDE),
        (microgrid.log, 0.0, OUTSIDE),
        (microgrid.log, -1.0, OUTSIDE),
        (microgrid.exp, 1000.0, OUTSIDE),
        (lambda x: x * x, 1e200, OUTSIDE),  # inf
        (microgrid.tanh, math.nan, OUTSIDE),
        (microgrid.tanh, math.inf, OUTSIDE),
        (lambda x: 1 / (x - 1), 1.0, OUTSIDE),
        (microgrid.sin, 1e16, NOISY),
        (lambda x: 1e10 + microgrid.sin(x), 1.0, NOISY),
        (microgrid.floor, 1e16, NOISY),
        (lambda x: microgrid.floor(microgrid.exp2(x)), 240.15, NOISY),
    ],
)
def test_the_verdict_where_differences_are_hard(f, x, kind):
    assert set(kinds(f, x)) == {kind}


@given(st.sampled_from([microgrid.erf, microgrid.sigmoid, microgrid.tanh]), st.floats(3, 50))
def test_a_slope_that_all_but_vanishes_in_the_last_digits_is_not_accused(f, x):
    check_gradients(f, x)


@given(st.floats(1e-5, 1e-3))
def test_digits_that_cosh_loses_are_not_missed(x):
    check_gradients(lambda x: microgrid.acosh(microgrid.cosh(x)), x)


def test_rounding_errors_of_what_is_claimed_are_not_accused():
    # 6000 - 6000, where 0 is the truth
    check_gradients(lambda x: microgrid.hypot(x, x, x), 9.706577414075014e-05, order=2)


SMOOTH = [
    lambda x: microgrid.tanh(x) * microgrid.exp(-x * x / 50),
    lambda x: microgrid.log(1 + x * x) / (2 + microgrid.cos(x)),
    lambda x: microgrid.softplus(3 * x) - microgrid.gelu(x),
    lambda x: microgrid.sqrt(1e-6 + x * x),
    lambda x: microgrid.maximum(x, x * x) + microgrid.leaky_relu(x - 1),
    lambda x: 1000 + microgrid.logsumexp([x, 2 * x, -1.0]),
]
anywhere = st.floats(-1e4, 1e4) | st.floats(-1e-3, 1e-3) | st.floats(-3, 3)


@given(st.sampled_from(SMOOTH), anywhere)
def test_a_composed_function_is_not_accused(f, x):
    check_gradients(f, x)


@given(st.sampled_from(SMOOTH), st.floats(-3, 3))
def test_second_derivatives_are_not_accused(f, x):
    check_gradients(f, x, order=2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 0 * relu(x) + math.exp(number(x)),
        lambda x: relu(x) - relu(-x) + math.exp(number(x)),
        lambda x: abs(x) + x * math.cos(number(x)) + 3 * number(x),
        lambda x: microgrid.max([x, 0, -x]) * 0 + microgrid.stop_gradient(x),
        lambda x: 0 * microgrid.sin(1e16 + x) + 2 * number(x),
    ],
)
def test_a_kink_excuses_only_what_it_explains(f):
    assert NO_EDGE in accusation(f, 0.0)


def test_a_kink_where_both_slopes_are_one_is_explained_by_the_primitive():
    report = check_gradients(lambda x: relu(x) - relu(-x) + microgrid.sin(x), 0.0)
    assert {verdict.kind for verdict in report} == {KINK}
    assert str(report).endswith("'relu' at 0.0 is at a kink, where the chain rule need not hold")


sinc = Primitive(
    "sinc",
    lambda x: microgrid.sin(x) / x,
    lambda out, x: ((microgrid.cos(x) - out) / x,),
    made_by=(abs, ()),
)


@pytest.mark.parametrize(
    ("f", "x", "where"),
    [
        (
            lambda x: (microgrid.exp(x) - 1) / x,
            1e-5,
            "'-' of 1.00001000005, 1.0 and in '+' of -100000.50000069648, 100001.000005 of the ",
        ),
        (sinc, 1e-6, "'-' of 0.9999999999995, 0.9999999999998334 of the gradient"),
        (sinc, 1e-8, "'-' of 1.0, 1.0 of the gradient"),
        (
            lambda x: microgrid.acosh(microgrid.cosh(x)),
            1e-6,
            "'-' of 1.0000000000005, 1.0 of the gradient",
        ),
    ],
)
def test_digits_that_cancel_are_lost_and_the_operation_is_named(f, x, where):
    report = check_gradients(f, x)
    assert {verdict.kind for verdict in report} == {LOSES}
    assert f" loses digits in {where}" in str(report)
    for factor in (-1, 1.1, 0):  # and what is off by more is still wrong
        op = wrong(microgrid.sin, each(lambda p, factor=factor: factor * p))
        assert "'wrong sin'" in accusation(lambda x, op=op: f(x) + op(x), x)


# ---- what is wrong is caught, and the primitive named


def each(change):
    """Return what changes all partials that there are."""
    return lambda partials, *rest: tuple([None if p is None else change(p) for p in partials])


ERRORS = {
    "1 part in 10000 more": each(lambda p: p * (1 + CAUGHT)),
    "1 part in 10000 less": each(lambda p: p * (1 - CAUGHT)),
    "twice": each(lambda p: 2 * p),
    "a trillion times": each(lambda p: 1e12 * p),
    "negated": each(lambda p: -p),
    "forgotten": each(lambda p: 0),
    "dropped": each(lambda p: None),
}
EVEN_OF_ZERO = {
    "off by 1": each(lambda p: p + 1),
    "nan": each(lambda p: math.nan),
    "infinite": each(lambda p: math.inf),
}


def regular_point(op):
    """Return a point where all partials are right, and 0 or large enough to be scaled."""
    chance = random.Random(op.name)
    while True:
        xs = [chance.uniform(0.1, 0.9) + chance.choice([-1, 0, 0, 1]) for _ in range(arity(op))]
        try:
            partials = op.partials(op.forward(*xs), *xs)
        except (ArithmeticError, ValueError):
            continue
        if all(not p or abs(p) > 1e-2 for p in partials) and set(kinds(op, *xs)) == {RIGHT}:
            return xs, partials


@each_primitive
def test_a_sabotaged_partial_is_caught_and_named(op):
    xs, partials = regular_point(op)
    for how, change in (ERRORS if any(partials) else {} | EVEN_OF_ZERO).items():
        told = accusation(wrong(op, change), *xs)
        assert f"the primitive to blame is 'wrong {op.name}': at " in told, how


@pytest.mark.parametrize("op", [op for op in PRIMITIVES if arity(op) == 2], ids=lambda op: op.name)
def test_swapped_partials_are_caught(op):
    xs, (first, second) = regular_point(op)
    if first != second:
        assert f"'wrong {op.name}'" in accusation(wrong(op, lambda ps, *rest: ps[::-1]), *xs)


NEARBY = [
    ("tanh", math.tanh, lambda out, x: (1 - out,), 0.5),
    ("tanh", math.tanh, lambda out, x: (1 - x * x,), 0.5),
    ("sigmoid", lambda x: 1 / (1 + math.exp(-x)), lambda out, x: (out,), 0.3),
    ("sine", math.sin, lambda out, x: (1 - x * x / 2,), 0.5),
    ("root", math.sqrt, lambda out, x: (1 / out,), 2.0),
    ("power", lambda x: x**3, lambda out, x: (3 * x,), 2.0),
    ("atan", math.atan, lambda out, x: (1 / (1 + x),), 0.5),
    ("log10", math.log10, lambda out, x: (1 / x,), 2.0),
    ("softsign", lambda x: x / (1 + abs(x)), lambda out, x: (1 / (1 + abs(x)),), -0.5),
    ("relu", lambda x: max(x, 0.0), lambda out, x: (1,), -3.0),
    ("relu", lambda x: max(x, 0.0), lambda out, x: (-1,), 0.0),  # no slope between 0 and 1
    ("abs", abs, lambda out, x: (1,), -1e-9),
    ("floor", math.floor, lambda out, x: (1,), 2.3),
    ("elu", lambda x: x if x > 0 else math.expm1(x), lambda out, x: (1 if x > 0 else out,), -0.5),
    ("exp", math.exp, lambda out, x: (out * (1 + 1e-4 * (x > 1)),), 1.5),  # wrong beyond 1 only
    ("naive", lambda x: math.exp(x) - 1, lambda out, x: (out,), 0.5),
    ("constant", lambda x: 5, lambda out, x: (1,), 2.0),
]


@pytest.mark.parametrize(("name", "forward", "partials", "x"), NEARBY)
def test_the_derivative_of_something_else_is_caught_and_named(name, forward, partials, x):
    op = Primitive(name, forward, partials, made_by=(abs, ()))
    for f in (op, lambda x: 3 * op(x) + x * x, lambda x: op(x) * microgrid.exp(x)):
        assert f"the primitive to blame is {name!r}: at " in accusation(f, x)


@given(st.integers(0, 10**6), st.sampled_from([1 + 1e-3, 0.5, -1.0]))
def test_a_wrong_primitive_deep_in_a_function_is_named(seed, factor):
    chance = random.Random(seed)
    a, b, x = chance.uniform(0.5, 2), chance.uniform(-1, 1), chance.uniform(-2, 2)
    op = wrong(microgrid.sin, each(lambda p: factor * p))

    def f(x, y):
        inner = op(a * x + b) + microgrid.tanh(y)
        return microgrid.softplus(inner) * y + inner * x

    if (
        set(kinds(lambda x: microgrid.sin(a * x + b), x)) == {RIGHT}
        and abs(math.cos(a * x + b)) > 0.1
    ):
        assert "to blame is 'wrong sin': at " in accusation(f, x, chance.uniform(0.5, 1.5))


def test_all_wrong_primitives_are_named():
    sin, exp = wrong(microgrid.sin, each(lambda p: -p)), wrong(microgrid.exp, each(lambda p: 2 * p))
    told = accusation(lambda x: sin(x) + exp(x), 0.5)
    assert (
        "'wrong sin': at 0.5 its partial for operand 0 is -0.87758256, should be 0.87758256" in told
    )
    assert "'wrong exp': at 0.5 its partial for operand 0 is 3.2974425, should be 1.6487213" in told


def test_an_innocent_primitive_beside_a_wrong_one_is_not_named():
    op = wrong(microgrid.sin, each(lambda p: -p))
    told = accusation(lambda x: microgrid.relu(x) * op(x) * microgrid.stop_gradient(2.0), 0.5)
    assert told.count("to blame") == 1


# ---- of higher order


def number(x):
    return x.data if isinstance(x, Value) else x


def test_partials_that_cannot_be_derived_are_caught_at_order_2():
    def taken_out(out, x):
        return (2 * number(x),)

    op = Primitive("square", lambda x: x * x, taken_out, made_by=(abs, ()))
    check_gradients(op, 1.5)
    told = accusation(op, 1.5, order=2)
    assert "∂²square/∂x∂x" in told
    accused = "to blame is 'square': at 1.5 the derivative of its partial for operand 0 "
    assert f"{accused}with respect to operand 0 is " in told
    assert told.endswith("is 0, should be 2")


def test_a_primitive_that_only_a_derivative_uses_is_named():
    cosine = wrong(microgrid.cos, each(lambda p: -p))
    sine = Primitive("sine", math.sin, lambda out, x: (cosine(x),), made_by=(abs, ()))
    check_gradients(lambda x: sine(x) * x, 0.7)
    assert "to blame is 'wrong cos': at 0.7 its partial" in accusation(
        lambda x: sine(x) * x, 0.7, order=2
    )


def test_each_derivative_of_each_order_has_a_verdict_in_each_mode():
    report = check_gradients(lambda x, y: x**3 * microgrid.exp(y), 1.1, 0.3, order=3)
    assert len(report) == (2 + 4 + 8) * 2
    assert {verdict.kind for verdict in report} == {RIGHT}
    assert [(v.derivative, v.input, v.order, v.mode) for v in report][:6] == [
        ("∂f/∂x", "x", 1, "reverse"),
        ("∂f/∂x", "x", 1, "forward"),
        ("∂f/∂y", "y", 1, "reverse"),
        ("∂f/∂y", "y", 1, "forward"),
        ("∂²f/∂x∂x", "x", 2, "reverse"),
        ("∂²f/∂x∂x", "x", 2, "forward"),
    ]
    assert math.isclose(report[4].claimed, 6 * 1.1 * math.exp(0.3))


def test_kinks_and_edges_of_higher_order_are_no_error():
    assert kinds(lambda x: x * abs(x), 0.0, order=2, modes=["reverse"]) == [RIGHT, KINK]
    assert kinds(microgrid.relu, 0.0, order=2, modes=["reverse"]) == [KINK, KINK]
    assert kinds(microgrid.sqrt, 0.0, order=2, modes=["reverse"]) == [OUTSIDE, OUTSIDE]


def right_at_the_point_alone(name, forward, partials):
    return Primitive(name, forward, partials, made_by=(abs, ()))


@pytest.mark.parametrize(
    ("op", "x", "order", "told"),
    [
        (
            right_at_the_point_alone(
                "softplus", lambda x: math.log1p(math.exp(x)), lambda out, x: (sigmoid(-x),)
            ),
            *(0.0, 2, "-0.25    0.25 ± "),
        ),
        (
            right_at_the_point_alone("square", lambda x: x**2, lambda out, x: (x * x,)),
            2.0,
            2,
            "4  ",
        ),
        (right_at_the_point_alone("sine", math.sin, lambda out, x: (1,)), 0.0, 3, "0        -1 ± "),
        (
            right_at_the_point_alone("cube", lambda x: x**3, lambda out, x: (3 * abs(x),)),
            *(-1.0, 2, "-3       -6 ± "),
        ),
    ],
)
def test_a_partial_that_is_right_at_the_point_by_chance_is_caught_at_a_higher_order(
    op, x, order, told
):
    assert set(kinds(op, x, order=order - 1)) == {RIGHT}
    for f in (op, lambda x: op(x) + microgrid.exp(-x), lambda x: 3 * op(1 * x)):
        text = accusation(f, x, order=order)
        assert (
            f"the primitive to blame is {op.name!r}: at {x} its partials are right, but at" in text
        )
    assert told in accusation(op, x, order=order)


def test_a_partial_that_differs_on_values_is_caught_where_it_is_derived():
    def partials(out, x):
        return (2 * x if isinstance(x, float) else 2.1 * x,)

    op = right_at_the_point_alone("square", lambda x: x * x, partials)
    assert set(kinds(op, 1.5)) == {RIGHT}
    for modes in (["reverse"], ["forward"]):
        told = accusation(lambda x: op(x) * 2, 1.5, order=2, modes=modes)
        assert "'square': at 1.5 its partial for operand 0 is 3 on floats and 3.15 on Val" in told


# ---- the engine is checked too

CHAIN_RULE = "no primitive is to blame, but the chain rule that joins their partials"
NO_EDGE = "no primitive is to blame, nor the chain rule, but an edge that the graph lacks:\n"


def test_a_sign_off_in_the_chain_rule_is_caught_and_no_primitive_blamed(monkeypatch):
    right = Value.partials
    monkeypatch.setattr(Value, "partials", lambda v: (*right(v)[:1], *[-p for p in right(v)[1:]]))
    told = accusation(lambda x, y: x * y + x / y, 1.5, 0.5)
    assert f"{CHAIN_RULE}, which should give 2.5" in told


def test_an_edge_that_backward_drops_is_caught(monkeypatch):
    right = Value.partials
    monkeypatch.setattr(Value, "partials", lambda v: (*right(v)[:1], *[None for p in right(v)[1:]]))
    assert f"{CHAIN_RULE}, which should give 1.5" in accusation(lambda x, y: x * y, 1.5, 0.5)


def special_case(x):
    return microgrid.sin(x) if x.data else Value(0.0)


@pytest.mark.parametrize(
    ("f", "x", "how"),
    [
        (lambda x: x * Value(x.data), 1.5, "the constant 1.5 in '*' of 1.5, 1.5 changes"),
        (lambda x: x * x.detach(), 1.5, "the constant 1.5 in '*' of 1.5, 1.5 changes"),
        (lambda x: x * number(x), 1.5, "the constant 1.5 in '*' of 1.5, 1.5 changes"),
        (lambda x: x * math.sin(number(x)), 0.5, "the constant 0.479425538604203 in '*' of 0.5, "),
        (lambda x: number(x) ** 2, 1.5, "the output is the plain number 2.25"),
        (lambda x: x * microgrid.stop_gradient(x), 1.5, "stop_gradient of 1.5 cuts it off"),
        (lambda x: special_case(Value(number(x))), 0.0, "nearby, the function takes another bran"),
        (lambda x: x * 0 + microgrid.where(x > 0, x, 0) - microgrid.where(x < 0, -x, 0), 0.0, "`w"),
    ],
)
def test_an_edge_that_the_function_drops_is_caught_and_shown(f, x, how):
    told = accusation(f, x)
    assert NO_EDGE in told
    assert how in told


def test_each_mode_is_checked_by_itself(monkeypatch):
    jvp = subject.jvp
    monkeypatch.setattr(subject, "jvp", lambda *given: (0, [-t for t in jvp(*given)[1]]))
    assert kinds(microgrid.sin, 0.5, modes=["reverse"]) == [RIGHT]
    told = accusation(microgrid.sin, 0.5)
    assert "gradients of sin: 1 wrong, 1 right" in told
    assert "∂sin/∂x     forward  wrong    -0.87758256" in told


def test_reverse_mode_is_both_backward_and_vjp(monkeypatch):
    def negative(*given):
        values, pull = vjp(*given)
        return values, lambda cotangent: [-d for d in pull(cotangent)]

    vjp, backward = subject.vjp, Value.backward
    monkeypatch.setattr(subject, "vjp", negative)
    assert "reverse  wrong    -0.87758256" in accusation(microgrid.sin, 0.5)
    monkeypatch.setattr(subject, "vjp", vjp)
    monkeypatch.setattr(Value, "backward", lambda v: backward(v, seed=2.0))
    assert "reverse  wrong    1.7551651" in accusation(microgrid.sin, 0.5)


def test_a_wrong_number_of_partials_is_not_taken_for_an_edge_of_the_domain():
    op = Primitive("lopsided", lambda x, y: x, lambda out, x, y: (1,), made_by=(abs, ()))
    with pytest.raises(ValueError, match="must be a tuple of 2"):
        check_gradients(op, 1.0, 2.0)


# ---- what it takes


class Line(Module):
    def __init__(self):
        self.slope, self.offset = Value(2.0), Value(1.0)

    def __call__(self, x):
        return self.slope * x + self.offset


@pytest.mark.parametrize(
    ("f", "point", "inputs"),
    [
        (lambda x, y: x * y, (2.0, 3.0), ["x", "y"]),
        (lambda x, k=2: x**k, (2.0,), ["x"]),
        (lambda *xs: microgrid.prod(xs), (0.0, 2, Fraction(1, 3)), ["xs[0]", "xs[1]", "xs[2]"]),
        (lambda xs: microgrid.norm(xs), ([3.0, 4.0],), ["xs[0]", "xs[1]"]),
        (lambda p: p["a"] * p["b"][0], ({"a": 1.0, "b": (2.0,)},), ["p['a']", "p['b'][0]"]),
        (
            lambda w, x: microgrid.sum(w @ x),
            (np.eye(2)[:1], np.ones(2)),
            ["w[0, 0]", "w[0, 1]", "x[0]", "x[1]"],
        ),
        (lambda x: x * x, (Value(3.0, label="of mine"),), ["x"]),
        (lambda x: x * x, (np.float32(3.0),), ["x"]),
        (lambda line: line(3.0) ** 2, (Line(),), ["line.slope", "line.offset"]),
        (lambda p: Line().with_parameters(p)(3.0), (Line().parameters(),), ["p[0]", "p[1]"]),
        (microgrid.atan2, (1.0, 2.0), ["y", "x"]),
        (lambda x: x.tanh(), (0.5,), ["x"]),
        (lambda x: 3 if x > 0 else x, (0.5,), ["x"]),
    ],
)
def test_inputs_of_every_structure_are_named(f, point, inputs):
    report = check_gradients(f, *point, modes=["forward"])
    assert [verdict.input for verdict in report] == inputs
    assert {verdict.kind for verdict in report} == {RIGHT}


def test_a_models_loss_is_checked_by_its_parameters():
    model = MLP(2, [3, 1], seed=1)
    data = [([0.5, -1.0], 1.0), ([-0.3, 0.8], -1.0), ([1.5, 0.1], 0.5)]

    def loss(model):
        return microgrid.mean([(model(x) - y) ** 2 for x, y in data])

    report = check_gradients(loss, model)
    assert [v.input for v in report][::2] == [f"model.{p}" for p, _ in model.named_parameters()]
    assert {verdict.kind for verdict in report} == {RIGHT}
    relu = wrong(microgrid.relu, each(lambda p: p * (1 + CAUGHT)))
    sabotaged = MLP(2, [3, 1], seed=1, activation=relu)
    told = accusation(loss, sabotaged)
    assert "the primitive to blame is 'wrong relu': at " in told
    assert "∂loss/∂model.layers.0.neurons.0.w.0  reverse, forward  wrong" in told


def test_nothing_is_left_changed():
    weight, x = Value(2.0), Value(3.0)
    outside = weight * 5
    outside.grad = weight.grad = x.grad = 7.0
    check_gradients(lambda x: outside * x * weight, x, order=2)
    assert (weight.grad, outside.grad, x.grad, x.data) == (7.0, 7.0, 7.0, 3.0)
    outside.backward()  # no leaf was changed for it to complain of


def test_a_function_that_uses_what_it_was_given_and_not_its_argument_is_refused():
    model = MLP(1, [1], seed=0)
    with pytest.raises(ValueError, match=r"it uses the Value that was given for p\[0\] itself"):
        check_gradients(lambda p: model([1.0]) ** 2, model.parameters())


def test_a_function_that_is_never_the_same_is_refused():
    chance = random.Random(0)
    with pytest.raises(ValueError, match=r"one number, however often it is called, got .+ and .+"):
        check_gradients(lambda x: x * chance.random(), 1.0)


@pytest.mark.parametrize(
    ("f", "point", "options", "error", "match"),
    [
        (lambda x: [x, x], (1.0,), {}, TypeError, "one scalar output, got a list of 2"),
        (lambda x: None, (1.0,), {}, TypeError, "one scalar output, got None"),
        (lambda x: x, (), {}, TypeError, "numbers to differentiate with respect to"),
        (lambda x: x, ([],), {}, TypeError, "numbers to differentiate with respect to"),
        (lambda x: x, ("1",), {}, TypeError, "must be a number"),
        (lambda x, y: x, (1.0,), {}, TypeError, "missing a required argument: 'y'"),
        (3.0, (1.0,), {}, TypeError, "needs a function, got 3.0"),
        (lambda x: x, (1.0,), {"order": 0}, ValueError, "an integer, at least 1, got 0"),
        (lambda x: x, (1.0,), {"order": 1.0}, TypeError, "an integer, at least 1, got 1.0"),
        (lambda x: x, (1.0,), {"modes": "reverse"}, ValueError, "a list of some of"),
        (lambda x: x, (1.0,), {"modes": ["backward"]}, ValueError, "a list of some of"),
        (lambda x: x, (1.0,), {"modes": []}, ValueError, "a list of some of"),
    ],
)
def test_what_cannot_be_checked_is_refused(f, point, options, error, match):
    with pytest.raises(error, match=match):
        check_gradients(f, *point, **options)


# ---- what it tells


def test_the_error_tells_the_function_the_numbers_and_the_primitive():
    cube = Primitive("cube", lambda x: x**3, lambda out, x: (2 * x,), made_by=(abs, ()))

    def energy(x, weights):
        return cube(x) * weights[0] + weights[1]

    assert accusation(energy, 1.2, [2.0, 3.0]) == (
        "gradients of energy: 1 wrong, 2 right\n"
        "\n"
        "derivative  mode              verdict  claimed  measured      remainder\n"
        "∂energy/∂x  reverse, forward  wrong    4.8      8.64 ± 9e-07  h^1.00\n"
        "\n"
        "the primitive to blame is 'cube': at 1.2 its partial for operand 0 is 2.4, should be 4.32"
    )


def test_the_report_is_a_table_of_all_verdicts():
    report = check_gradients(lambda x, y: microgrid.sin(x) + abs(y), 0.5, 0.0, modes=["reverse"])
    assert isinstance(report, GradientReport)
    assert str(report) == (
        "gradients of f: 1 at a kink, 1 right\n"
        "\n"
        "derivative  mode     verdict    claimed     measured            left  right  remainder\n"
        "∂f/∂x       reverse  right      0.87758256  0.87758256 ± 1e-07  -     -      h^2.00\n"
        "∂f/∂y       reverse  at a kink  0           -                   -1    1      h^1.00"
    )
    assert (len(report), report[1].input, report.wrong) == (2, "y", ())


def test_an_edge_of_the_domain_is_explained():
    text = str(check_gradients(lambda x, y: microgrid.sqrt(x) + y, 0.0, 1.0))
    *_, last = text.split("\n\n")
    assert last.removesuffix("division by zero") in (
        "the derivative of sqrt of 0.0: float ",
        "the derivative of sqrt of 0.0: ",  # from Python 3.14 on
    )
    assert "no finite value, but inf" in str(check_gradients(lambda x: x * x, 1e200))


def test_of_many_wrong_derivatives_the_error_shows_a_few():
    op = wrong(microgrid.sin, each(lambda p: -p))
    told = accusation(lambda xs: microgrid.sum([op(x) for x in xs]), [0.5] * 50)
    assert told.startswith("gradients of f: 50 wrong\n")
    assert "… and 40 more" in told
    assert len(told.splitlines()) < 20


@given(st.floats(0.1, 3), st.sampled_from([microgrid.exp, microgrid.log, microgrid.atan]))
def test_the_remainder_falls_as_the_square_of_the_step_only_if_the_derivative_is_right(x, f):
    (right,) = check_gradients(f, x, modes=["reverse"])
    assert right.decay > 1.9
    assert right.left == pytest.approx(right.claimed, rel=CAUGHT)
    assert right.right == pytest.approx(right.claimed, rel=CAUGHT)
    assert abs(right.measured - right.claimed) <= right.bound <= CAUGHT * abs(right.claimed)
    off = examine(f, x, right.claimed * (1 + CAUGHT))
    assert off.kind == WRONG
    assert off.decay == pytest.approx(1.0, abs=0.1)


# ---- differences of functions that nothing else is known of


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def shaken(size):
    return lambda x: math.sin(x) + size * (random.Random(x).random() - 0.5)


LITTLE_NOISE = [
    (lambda x: math.exp(x) - 1, 1e-5, math.exp(1e-5)),
    (lambda x: math.log(1 + x), 1e-6, 1 / (1 + 1e-6)),
    (lambda x: (1e8 + x) - 1e8, 1.0, 1.0),
    (lambda x: float32(math.sin(x)), 1.0, math.cos(1.0)),
    (lambda x: float32(x) ** 2, 1.3, 2.6),
    (lambda x: (1 - math.cos(x)) / x**2, 1e-3, -1e-3 / 12),
    *((shaken(size), x, math.cos(x)) for size in (1e-14, 1e-12, 1e-10) for x in (0.3, 1.0, 2.0)),
]
MUCH_NOISE = [(shaken(size), x, math.cos(x)) for size in (1e-6, 1e-2) for x in (0.3, 1.0, 2.0)]


@pytest.mark.parametrize(("f", "x", "slope"), LITTLE_NOISE + MUCH_NOISE)
def test_noise_is_not_taken_for_an_error(f, x, slope):
    assert examine(f, x, slope).kind in (RIGHT, NOISY, KINK)


@pytest.mark.parametrize(("f", "x", "slope"), LITTLE_NOISE)
def test_errors_are_seen_through_noise(f, x, slope):
    assert examine(f, x, -slope).kind == WRONG
    assert examine(f, x, 2 * slope).kind == WRONG


@given(st.floats(15, 300))
def test_a_wave_that_is_shorter_than_the_last_digit_of_x_is_too_noisy_to_tell(magnitude):
    x = 10**magnitude
    assert examine(math.sin, x, math.cos(x)).kind in (NOISY, KINK)


@pytest.mark.parametrize("where", [10.0**-n for n in range(1, 13)])
@pytest.mark.parametrize(
    ("f", "kink", "left", "right"),
    [
        (abs, 0.0, -1, 1),
        (lambda x: max(x, 0.0), 0.0, 0, 1),
        (lambda x: max(1 - x, 0.0), 1.0, -1, 0),
        (lambda x: x if x > 0 else math.expm1(x) / 2, 0.0, 0.5, 1),
    ],
)
def test_a_kink_nearby_is_not_taken_for_a_kink_here(f, kink, left, right, where):
    for x, slope, other in ((kink - where, left, right), (kink + where, right, left)):
        if f is abs or slope in (0, 1, -1):
            assert examine(f, x, slope).kind == RIGHT
            assert examine(f, x, other).kind == WRONG


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-3, 3))
def test_at_a_kink_exactly_what_lies_between_the_slopes_is_allowed(left, right, claimed):
    low, high = min(left, right), max(left, right)
    gap = high - low
    if gap > 1e-3:
        found = examine(lambda x: 1 + (left * x if x < 0 else right * x), 0.0, claimed)
        assert (found.left, found.right) == pytest.approx((left, right), abs=CAUGHT * gap)
        if low <= claimed <= high:
            assert found.kind == KINK
        elif not low - CAUGHT * gap < claimed < high + CAUGHT * gap:
            assert found.kind == WRONG


def test_what_f_is_beyond_a_gap_tells_nothing():
    def f(x):
        if 0 < abs(x) < 2:
            raise ValueError("there is nothing here")
        return x

    assert examine(f, 0.0, 5.0).kind == OUTSIDE


@pytest.mark.parametrize(
    ("f", "x", "claimed"),
    [
        (math.floor, 2 + 1e-13, 1.0),  # not the slope of the stairs, seen from far
        (lambda x: round(x, 3), 1.2345678, 1.0),
    ],
)
def test_the_slope_of_stairs_is_not_that_of_a_step(f, x, claimed):
    assert examine(f, x, claimed).kind in (WRONG, NOISY)


def test_a_large_number_is_not_taken_for_a_step_as_it_is_whole():
    assert examine(lambda x: x * x, 1e10, 0.0).kind == WRONG


def test_steps_stop_where_rounding_hides_what_they_show():
    calls = []
    examine(lambda x: calls.append(x) or math.cos(x), 0.0, 0.0)
    assert len(calls) < 60


def test_a_clear_case_takes_a_dozen_steps_and_no_graph():
    graphs = []

    def f(x):
        graphs.append((x * 1).parents)
        return microgrid.tanh(x)

    check_gradients(f, 0.5)
    assert len(graphs) < 24
    assert len([parents for parents in graphs if parents]) < 9


def test_what_is_known_of_rounding_is_used():
    def f(x):
        return (1e8 + x) - 1e8

    assert examine(f, 1.0, 0.0, rounding=2.0**-26).kind == WRONG


def test_steps_begin_at_the_size_of_x_and_end_at_its_last_digits():
    for x in (0.0, 1e-300, 1.0, -3e7):
        sizes = [*steps(x, 0.1)]
        assert sizes[0] == 0.1 * max(1.0, abs(x))
        assert all(a > b > 0 for a, b in pairwise(sizes))
        assert sizes[-1] <= LEAP * math.ulp(x)


@given(st.floats(-3, 3), st.sampled_from([-1, 1]))
def test_a_bound_holds_the_slope(x, direction):
    side = Side(math.sin, x, math.sin(x), direction)
    for h in steps(x, 0.1):
        side.take(h)
        if side.latest and side.latest.bound < math.inf:
            assert abs(side.latest.value - math.cos(x)) <= side.latest.bound
