"""What is a convention: every row of the table in the design.

A convention is a choice where calculus leaves one (the derivative at a kink, at a tie, at the edge
of a domain) or where floats end. `test_recorded` compares with the choices of JAX and PyTorch.
"""

import math
import re

import pytest

import microgrid
from microgrid import (
    Value,
    clip,
    leaky_relu,
    log_sigmoid,
    logsumexp,
    maximum,
    minimum,
    no_grad,
    norm,
    prod,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    where,
)

LARGE = 1000.0


def at(function, *numbers):
    """Return a function's value and its derivative by each operand, at leaves named a to d."""
    leaves = [Value(x, label="abcd"[i]) for i, x in enumerate(numbers)]
    y = function(*leaves)
    y.backward()
    return y.data, [leaf.grad for leaf in leaves]


# ---- the table: function, operands, value, derivatives

TABLE = {
    "relu at 0": (relu, [0.0], 0.0, [0.0]),
    "abs at 0": (abs, [0.0], 0.0, [0.0]),
    "sign above": (microgrid.sign, [2.5], 1.0, [0.0]),
    "sign below": (microgrid.sign, [-2.5], -1.0, [0.0]),
    "sign at 0": (microgrid.sign, [0.0], 0.0, [0.0]),
    "floor": (microgrid.floor, [-2.5], -3.0, [0.0]),
    "floor at a jump": (microgrid.floor, [2.0], 2.0, [0.0]),
    "ceil": (microgrid.ceil, [-2.5], -2.0, [0.0]),
    "ceil at a jump": (microgrid.ceil, [2.0], 2.0, [0.0]),
    "round": (round, [2.4], 2.0, [0.0]),
    "round at a jump": (round, [2.5], 2.0, [0.0]),
    "leaky_relu at 0": (lambda x: leaky_relu(x, 0.1), [0.0], 0.0, [0.1]),
    "clip at its lower bound": (lambda x: clip(x, 0, 1), [0.0], 0.0, [1.0]),
    "clip at its upper bound": (lambda x: clip(x, 0, 1), [1.0], 1.0, [1.0]),
    "clip inside": (lambda x: clip(x, 0, 1), [0.5], 0.5, [1.0]),
    "clip between equal bounds": (lambda x: clip(x, 1, 1), [1.0], 1.0, [0.0]),
    "clip below": (lambda x: clip(x, 0, 1), [-1e-9], 0.0, [0.0]),
    "clip above": (lambda x: clip(x, 0, 1), [1 + 1e-9], 1.0, [0.0]),
    "maximum at a tie": (maximum, [2.0, 2.0], 2.0, [0.5, 0.5]),
    "minimum at a tie": (minimum, [2.0, 2.0], 2.0, [0.5, 0.5]),
    "maximum with a constant at a tie": (lambda x: maximum(x, 0), [0.0], 0.0, [0.5]),
    "maximum of 0 and -0": (maximum, [0.0, -0.0], 0.0, [0.5, 0.5]),
    "max at a tie of two": (lambda *z: microgrid.max(z), [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5]),
    "min at a tie of four": (lambda *z: microgrid.min(z), [1.0] * 4, 1.0, [0.25] * 4),
    "x**0 at 0": (lambda x: x**0, [0.0], 1.0, [0.0]),
    "x**1 at 0": (lambda x: x**1, [0.0], 0.0, [1.0]),
    "x**2 at 0": (lambda x: x**2, [0.0], 0.0, [0.0]),
    "x**y at 0, 0": (lambda x, y: x**y, [0.0, 0.0], 1.0, [0.0, 0.0]),
    "x**y at 0, 1": (lambda x, y: x**y, [0.0, 1.0], 0.0, [1.0, 0.0]),
    "x**y at 0, 2": (lambda x, y: x**y, [0.0, 2.0], 0.0, [0.0, 0.0]),
    "x**y at 0, 2.5": (lambda x, y: x**y, [0.0, 2.5], 0.0, [0.0, 0.0]),
    "x**y at 2, 0": (lambda x, y: x**y, [2.0, 0.0], 1.0, [0.0, math.log(2.0)]),
    "0**y by y": (lambda y: 0**y, [2.0], 0.0, [0.0]),
    "0**y at 0": (lambda y: 0**y, [0.0], 1.0, [0.0]),
    "(-2)**3 by its base": (lambda x: x**3, [-2.0], -8.0, [12.0]),
    "(-2)**3.0 by its base": (lambda x: x**3.0, [-2.0], -8.0, [12.0]),
    "(-2)**constant by its base": (lambda x: x ** Value(3.0).detach(), [-2.0], -8.0, [12.0]),
    "a / b": (lambda x, y: x / y, [1.0, 4.0], 0.25, [0.25, -0.0625]),
    "a / b where 1/b overflows": (lambda x, y: (x / y).detach() * x, [1e-310] * 2, 1e-310, [1, 0]),
    "where, true": (lambda x, y: where(True, x, y), [2.0, 3.0], 2.0, [1.0, 0.0]),
    "where, false": (lambda x, y: where(False, x, y), [2.0, 3.0], 3.0, [0.0, 1.0]),
    "where past a pole": (lambda x: where(x > 0, sqrt(x), 2 * x), [0.0], 0.0, [2.0]),
    "prod with a zero": (lambda *z: prod(z), [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
    "prod with two zeros": (lambda *z: prod(z), [0.0, 0.0, 3.0], 0.0, [0.0, 0.0, 0.0]),
    "norm at 0": (lambda *z: norm(z), [0.0, 0.0], 0.0, [0.0, 0.0]),
    "hypot at 0": (microgrid.hypot, [0.0, 0.0], 0.0, [0.0, 0.0]),
    "softsign at 0": (microgrid.softsign, [0.0], 0.0, [1.0]),
    "asinh at 0": (microgrid.asinh, [0.0], 0.0, [1.0]),
    "elu at 0": (lambda x: microgrid.elu(x, 0.5), [0.0], 0.0, [0.5]),
    "x % y by y": (lambda x, y: x % y, [7.0, 3.0], 1.0, [1.0, -2.0]),
    "x // y": (lambda x, y: x // y, [7.0, 3.0], 2.0, [0.0, 0.0]),
    "sigmoid, far above": (sigmoid, [LARGE], 1.0, [0.0]),
    "sigmoid, far below": (sigmoid, [-LARGE], 0.0, [0.0]),
    "softplus, far above": (softplus, [LARGE], LARGE, [1.0]),
    "softplus, far below": (softplus, [-LARGE], 0.0, [0.0]),
    "log_sigmoid, far above": (log_sigmoid, [LARGE], 0.0, [0.0]),
    "log_sigmoid, far below": (log_sigmoid, [-LARGE], -LARGE, [1.0]),
    "logsumexp, far apart": (lambda *z: logsumexp(z), [LARGE, -LARGE], LARGE, [1.0, 0.0]),
    "softmax, far apart": (lambda *z: softmax(z)[0], [LARGE, -LARGE], 1.0, [0.0, 0.0]),
    "softmax, of large ones": (lambda *z: softmax(z)[0], [LARGE, LARGE], 0.5, [0.25, -0.25]),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_row_of_the_table_holds(case):
    function, operands, value, derivatives = TABLE[case]
    assert at(function, *operands) == (value, derivatives)


@pytest.mark.parametrize("case", TABLE)
def test_a_row_of_the_table_holds_without_recording(case):
    function, operands, value, _ = TABLE[case]
    with no_grad():
        assert function(*map(Value, operands)).data == value


# ---- what raises: how the message starts, the function, its operands, (the value,) the exception

FORWARD_ERRORS = {
    "/ of a = 1.0, b = 0.0": (lambda x, y: x / y, [1.0, 0.0], ZeroDivisionError),
    "/ of 1.0, a = 0.0": (lambda x: 1 / x, [0.0], ZeroDivisionError),
    "// of a = 1.0, b = 0.0": (lambda x, y: x // y, [1.0, 0.0], ZeroDivisionError),
    "% of a = 1.0, b = 0.0": (lambda x, y: x % y, [1.0, 0.0], ZeroDivisionError),
    "**-1 of a = 0.0": (lambda x: x**-1, [0.0], ZeroDivisionError),
    "** of a = 0.0, b = -1.0": (lambda x, y: x**y, [0.0, -1.0], ZeroDivisionError),
    "log of a = 0.0": (microgrid.log, [0.0], ValueError),
    "log of a = -1.0": (microgrid.log, [-1.0], ValueError),
    "log2 of a = 0.0": (microgrid.log2, [0.0], ValueError),
    "log10 of a = 0.0": (microgrid.log10, [0.0], ValueError),
    "log1p of a = -1.0": (microgrid.log1p, [-1.0], ValueError),
    "sqrt of a = -1.0": (sqrt, [-1.0], ValueError),
    "asin of a = 2.0": (microgrid.asin, [2.0], ValueError),
    "acos of a = 2.0": (microgrid.acos, [2.0], ValueError),
    "acosh of a = 0.0": (microgrid.acosh, [0.0], ValueError),
    "atanh of a = 1.0": (microgrid.atanh, [1.0], ValueError),
    "sin of a = inf": (microgrid.sin, [math.inf], ValueError),
    "exp of a = 1000.0": (microgrid.exp, [LARGE], OverflowError),
    "exp2 of a = 2000.0": (microgrid.exp2, [2 * LARGE], OverflowError),
    "expm1 of a = 1000.0": (microgrid.expm1, [LARGE], OverflowError),
    "sinh of a = 1000.0": (microgrid.sinh, [LARGE], OverflowError),
    "cosh of a = 1000.0": (microgrid.cosh, [LARGE], OverflowError),
    "**2 of a = 1e+200": (lambda x: x**2, [1e200], OverflowError),
    "2** of a = 2000.0": (lambda x: 2**x, [2 * LARGE], OverflowError),
    "**0.25 of a = -8.0": (lambda x: x**0.25, [-8.0], ValueError),
    "** of a = -8.0, b = 0.25": (lambda x, y: x**y, [-8.0, 0.25], ValueError),
    "-8** of a = 0.25": (lambda y: (-8) ** y, [0.25], ValueError),
}
BACKWARD_ERRORS = {
    "sqrt of a = 0.0": (sqrt, [0.0], 0.0, ZeroDivisionError),
    "cbrt of a = 0.0": (microgrid.cbrt, [0.0], 0.0, ZeroDivisionError),
    "**0.5 of a = 0.0": (lambda x: x**0.5, [0.0], 0.0, ZeroDivisionError),
    "** of a = 0.0, b = 0.5": (lambda x, y: x**y, [0.0, 0.5], 0.0, ZeroDivisionError),
    "asin of a = 1.0": (microgrid.asin, [1.0], math.pi / 2, ZeroDivisionError),
    "acos of a = -1.0": (microgrid.acos, [-1.0], math.pi, ZeroDivisionError),
    "acosh of a = 1.0": (microgrid.acosh, [1.0], 0.0, ZeroDivisionError),
    "atan2 of a = 0.0, b = 0.0": (microgrid.atan2, [0.0, 0.0], 0.0, ZeroDivisionError),
    "** of a = -2.0, b = 3.0": (lambda x, y: x**y, [-2.0, 3.0], -8.0, ValueError),
    "-2** of a = 3.0": (lambda y: (-2) ** y, [3.0], -8.0, ValueError),
}


@pytest.mark.parametrize("told", FORWARD_ERRORS)
def test_what_python_refuses_raises_the_same_and_names_the_operands(told):
    function, operands, error = FORWARD_ERRORS[told]
    with pytest.raises(error, match=f"^{re.escape(told)}: ") as raised:
        at(function, *operands)
    assert type(raised.value) is error
    with no_grad(), pytest.raises(error, match=f"^{re.escape(told)}: "):
        at(function, *operands)


@pytest.mark.parametrize("told", BACKWARD_ERRORS)
def test_where_a_derivative_is_infinite_or_none_asking_for_it_names_the_operands(told):
    function, operands, value, error = BACKWARD_ERRORS[told]
    assert function(*map(Value, operands)).data == value
    with pytest.raises(error, match=f"^the derivative of {re.escape(told)}: ") as raised:
        at(function, *operands)
    assert type(raised.value) is error


def test_a_root_of_a_negative_number_says_why_it_is_none():
    with pytest.raises(ValueError, match="real powers only where the exponent is whole"):
        Value(-8.0) ** (1 / 3)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        ("log", 0.0),
        ("sqrt", -1.0),
        ("exp", LARGE),
        ("asin", 2.0),
        ("tan", math.inf),
        ("log1p", -2.0),
    ],
)
def test_a_plain_number_raises_as_the_math_module_does_with_its_name(function, x):
    with pytest.raises((ValueError, OverflowError)) as of_math:
        getattr(math, function)(x)
    with pytest.raises(type(of_math.value), match=rf"^{function} of {x}: "):
        getattr(microgrid, function)(x)


# ---- at the origin of a length: the slope is 0, and has no slope of its own

LENGTHS = {
    "norm": norm,
    "norm(x)**2": lambda x: norm(x) ** 2,
    "norm(x) * norm(x)": lambda x: norm(x) * norm(x),
    "hypot": lambda x: microgrid.hypot(*x),
    "hypot(x, 0)": lambda x: microgrid.hypot(x[0], 0.0) + x[1] ** 2,
    "hypot of one": lambda x: microgrid.hypot(x[0]) ** 2 + x[1] ** 2,
    "exp(norm)": lambda x: microgrid.exp(norm(x)),
    "norm of three": lambda x: norm([*x, x[0] * x[1]]),
}
ORIGIN = [0.0, 0.0]
no_second = pytest.mark.parametrize("name", LENGTHS)


@no_second
def test_at_the_origin_a_length_has_the_slope_0(name):
    f = LENGTHS[name]
    for function in (f, lambda x: microgrid.compile(f)(x)):
        assert microgrid.grad(f)(ORIGIN) == [0.0, 0.0]
        assert microgrid.compile(microgrid.grad(f))(ORIGIN) == [0.0, 0.0]
        assert microgrid.jvp(f, (ORIGIN,), ([1.0, 2.0],))[1] == 0.0
        assert function(ORIGIN) == f(ORIGIN)
    leaves = [Value(0.0), Value(0.0)]
    f(leaves).backward()
    assert [leaf.grad for leaf in leaves] == ORIGIN


@no_second
def test_at_the_origin_the_second_derivative_of_a_length_raises_by_name(name):
    f = LENGTHS[name]

    def second_by_gradients():
        leaves = [Value(0.0), Value(0.0)]
        slopes = microgrid.gradients(f(leaves), leaves)
        microgrid.sum(slopes).backward()

    for asked in (
        lambda: microgrid.hessian(f)(ORIGIN),
        lambda: microgrid.hvp(f, (ORIGIN,), ([1.0, 0.0],)),
        lambda: (
            microgrid.grad(lambda t: f([t, 2 * t]))(0.0)
            or microgrid.taylor(lambda t: f([t, 2 * t]), 0.0, 2)
        ),
        lambda: microgrid.jacobian(microgrid.grad(f))(ORIGIN),
        second_by_gradients,
    ):
        with pytest.raises(ZeroDivisionError) as raised:
            asked()
        assert str(raised.value).startswith("the derivative of direction of ")
        assert "no second derivative at the origin" in str(raised.value)
        assert "write dot(x, x)" in str(raised.value)
        with microgrid.detect_anomaly(), pytest.raises(ZeroDivisionError, match=r"dot\(x, x\)"):
            asked()


@no_second
def test_at_the_origin_the_second_derivative_of_a_length_is_nan_in_a_kernel(name):
    found = microgrid.compile(microgrid.hessian(LENGTHS[name]))(ORIGIN)
    assert math.isnan(found[0][0])


@no_second
def test_away_from_the_origin_a_kernels_second_derivative_is_pythons(name):
    compiled = microgrid.compile(microgrid.hessian(LENGTHS[name]))([3.0, -4.0])
    python = microgrid.hessian(LENGTHS[name])([3.0, -4.0])
    for mine, theirs in zip(compiled, python, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-14, abs=1e-15)


def test_the_square_of_a_length_has_its_second_derivative_as_a_dot():
    square = microgrid.hessian(lambda x: microgrid.dot(x, x))
    assert square(ORIGIN) == microgrid.compile(square)(ORIGIN) == [[2.0, 0.0], [0.0, 2.0]]


KINKS = {
    "abs": abs,
    "relu": relu,
    "maximum": lambda x: maximum(x, 0),
    "minimum": lambda x: minimum(x, 0),
    "clip": lambda x: clip(x, 0, 1),
    "leaky_relu": leaky_relu,
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_flat_beyond_the_first_order(name):
    f = KINKS[name]
    assert microgrid.hessian(lambda x: f(x[0]))([0.0]) == [[0.0]]
    assert microgrid.compile(microgrid.grad(microgrid.grad(f)))(0.0) == 0.0
    assert microgrid.taylor(f, 0.0, 4)[2:] == [0.0, 0.0, 0.0]
    assert microgrid.hvp(lambda x: f(x[0]), ([0.0],), ([1.0],)) == [0.0]
    assert microgrid.hessian(lambda x: f(x[0]) * x[1])([0.0, 3.0])[0][0] == 0.0


# ---- x**y at x = 0


def power_hessian(y):
    return lambda: microgrid.hessian(lambda x, y: x**y, (0, 1))(0.0, y)


@pytest.mark.parametrize("y", [2.0, 2.5, 3.0, 40.0])
def test_the_hessian_of_a_power_at_0_is_symmetric_where_there_is_one(y):
    expected = ((2.0 if y == 2 else 0.0, 0.0), (0.0, 0.0))
    assert power_hessian(y)() == expected
    assert microgrid.compile(microgrid.hessian(lambda x, y: x**y, (0, 1)))(0.0, y) == expected


@pytest.mark.parametrize("y", [0.0, 0.25, 0.5, 1.0, 1.5])
def test_where_a_power_at_0_has_no_hessian_asking_for_it_raises_and_names_the_power(y):
    with pytest.raises(ZeroDivisionError, match=r"power_(slope|log) of 0\.0, "):
        power_hessian(y)()
    found = microgrid.compile(microgrid.hessian(lambda x, y: x**y, (0, 1)))(0.0, y)
    assert repr(found[0][1]) == repr(found[1][0])
    assert not all(map(math.isfinite, [*found[0], *found[1]]))


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_where_a_power_at_0_has_no_mixed_derivative_the_error_says_from_where_on(y):
    with pytest.raises(ZeroDivisionError, match=r"x\*\*y has a mixed derivative only if y > 1"):
        power_hessian(y)()


@pytest.mark.parametrize(
    "asked",
    [
        lambda x, y: (x**y).backward(),
        lambda x, y: ((-2) ** y).backward(),
        lambda x, y: microgrid.gradients(x**y, [x, y]),
        lambda x, y: microgrid.gradients((-2) ** y, y),
        lambda x, y: microgrid.grad(lambda y: x**y)(2.0),
        lambda x, y: microgrid.taylor(lambda y: (-2) ** y, 2.0, 1),
    ],
)
def test_a_negative_base_has_no_derivative_by_the_exponent_and_the_error_says_what_to_do(asked):
    told = r"^the derivative of (-2)?\*\* of .+: a negative number has powers .+ or x\*\*y\.data"
    with pytest.raises(ValueError, match=told):
        asked(Value(-2.0), Value(2.0))
