"""The laws of the elementary functions and of what is composed of them, on floats and on values."""

import cmath
import math
import re
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import (
    Value,
    clip,
    compile,
    dot,
    elu,
    gelu,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    logsumexp,
    losses,
    maximum,
    mean,
    minimum,
    norm,
    prod,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    stop_gradient,
    where,
)
from microgrid.core.graph import topological_order
from tests.nodes import same

# A few roundings, each of at most 1.1e-16, of numbers of the size of the result.
ROUNDING = 1e-14
# A shift by up to 100 loses 7 bits of each operand before the function is taken.
SHIFTED = 1e-12
# The last bit of a number near 1000 is worth 1e-13, and the exponential makes that relative.
FAR_OUT = 1e-12
# As for the primitives: the complex step is exact, a composed derivative a dozen roundings.
DERIVATIVE = 1e-12
COMPLEX_STEP = 1e-30

NUMBERS = st.floats(-30, 30)
LISTS = st.lists(NUMBERS, min_size=1, max_size=6)

of_one = [
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "clip", "cos", "cosh"),
    *("elu", "erf", "erfc", "exp", "exp2", "expm1", "floor", "gelu", "leaky_relu", "log", "log10"),
    *("log1p", "log2", "log_sigmoid", "relu", "sigmoid", "sign", "silu", "sin", "sinh", "softplus"),
    *("softsign", "sqrt", "stop_gradient", "tan", "tanh"),
]
of_two = ["atan2", "hypot", "maximum", "minimum"]
of_many = ["sum", "prod", "mean", "max", "min", "norm", "logsumexp"]
of_many_to_many = ["softmax", "log_softmax"]
the_others = ["dot", "where"]


def gradient(function, *numbers):
    """Return the derivative of a function of several numbers by each of them."""
    leaves = list(map(Value, numbers))
    function(*leaves).backward()
    return [leaf.grad for leaf in leaves]


def answer(f, xs):
    """Return what f makes of numbers, or the type of what it raises."""
    try:
        return f(*xs)
    except (ArithmeticError, ValueError) as error:
        return type(error)


def close(actual, expected, tolerance):
    return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)


def all_close(actual, expected, tolerance):
    return all(close(a, e, tolerance) for a, e in zip(actual, expected, strict=True))


def test_every_function_is_named_in_this_file():
    named = {*of_one, *of_two, *of_many, *of_many_to_many, *the_others}
    assert set(microgrid.functional.__all__) == named


# ---- floats and values alike


@pytest.mark.parametrize("name", of_one)
def test_a_function_of_a_float_is_the_data_of_the_function_of_a_value(name):
    function, x = getattr(microgrid, name), 1.5 if name == "acosh" else 0.75
    assert type(function(x)) is float
    assert function(Value(x)).data == function(x)


@pytest.mark.parametrize("name", [name for name in of_one if name != "stop_gradient"])
def test_a_function_of_one_number_is_a_method_too(name):
    function, x = getattr(microgrid, name), Value(1.5 if name == "acosh" else 0.75)
    assert getattr(x, name)().data == function(x).data
    if name in ("acos", "acosh", "asin", "asinh", "atan", "atanh"):
        assert getattr(x, f"arc{name[1:]}")().data == function(x).data


@pytest.mark.parametrize("name", of_two)
@pytest.mark.parametrize("xs", [(0.75, 2.0), (-1.5, 0.25), (2.0, -3.0)])
def test_a_function_of_two_floats_is_the_data_of_that_of_values(name, xs):
    function, (x, y) = getattr(microgrid, name), xs
    expected = function(x, y)
    assert type(expected) is float
    for a in (x, Value(x)):
        for b in (y, Value(y)):
            result = function(a, b)
            assert (result.data if isinstance(result, Value) else result) == expected


def test_functions_of_two_are_methods_too():
    x, y = Value(3.0), Value(4.0)
    assert (x.hypot(y).data, x.atan2(y).data, x.arctan2(y).data) == (
        5.0,
        math.atan2(3, 4),
        math.atan2(3, 4),
    )
    assert (x.clip(0, 1).data, x.leaky_relu(0.5).data, (-x).elu(2.0).data) == (
        1.0,
        3.0,
        2 * math.expm1(-3.0),
    )


@pytest.mark.parametrize("name", [*of_many, *of_many_to_many])
@given(numbers=LISTS)
def test_a_function_of_a_list_of_floats_is_the_data_of_that_of_values(name, numbers):
    function = getattr(microgrid, name)
    on_floats, on_values = function(numbers), function(list(map(Value, numbers)))
    if name in of_many:
        on_floats, on_values = [on_floats], [on_values]
    assert [v.data for v in on_values] == on_floats
    assert {type(x) for x in on_floats} == {float}


@pytest.mark.parametrize("name", [*of_many, *of_many_to_many])
def test_any_iterable_will_do_and_plain_numbers_among_its_values(name):
    function, numbers = getattr(microgrid, name), [0.5, 2.0, 1.0]
    expected = function(numbers)
    mixed = [Value(0.5), 2.0, 1]
    for xs in (mixed, tuple(mixed), (x for x in mixed), dict.fromkeys(mixed).keys()):
        result = function(xs)
        if name in of_many:
            assert result.data == expected
        else:
            assert [x.data for x in result] == expected


OTHER_TYPES = [
    *[int, bool, Fraction, np.bool_, np.int8, np.uint8, np.int64, np.uint64],
    *[np.float16, np.float32, np.float64, np.longdouble],
]
# Each public function as one of three numbers.
OF_THREE = (
    {name: partial(lambda f, x, y, z: f(x), getattr(microgrid, name)) for name in of_one}
    | {name: partial(lambda f, x, y, z: f(x, y), getattr(microgrid, name)) for name in of_two}
    | {name: partial(lambda f, *xs: f(xs), getattr(microgrid, name)) for name in of_many}
    | {name: partial(lambda f, *xs: f(xs)[1], getattr(microgrid, name)) for name in of_many_to_many}
    | {
        "clip": lambda x, y, z: clip(x, 0.2, 0.7),
        "clip by them": lambda x, y, z: clip(z, x, y),
        "dot": lambda x, y, z: dot([x, y], [y, z], start=x),
        "where": where,
        "elu by them": lambda x, y, z: elu(x, y),
        "leaky_relu by them": lambda x, y, z: leaky_relu(x, y),
        "squared_error": lambda x, y, z: losses.squared_error([x, y], [z, x]),
        "absolute_error": lambda x, y, z: losses.absolute_error([x, y], [z, x]),
        "huber": lambda x, y, z: losses.huber(x, z, delta=0.5),
        "hinge": lambda x, y, z: losses.hinge([x], [1]),
        "binary_cross_entropy": lambda x, y, z: losses.binary_cross_entropy([x], [1]),
        "cross_entropy": lambda x, y, z: losses.cross_entropy([x, y, z], 1),
    }
)
NUMERATORS = [(1, 3, 200), (0, 1, 1), (100, 100, 0), (0, 0, 0), (1, 1, 0)]


def held_by(kind, x):
    """Return x as a number of that type, which may be another one."""
    return kind(x % 128 if kind is np.int8 else x)


@pytest.mark.parametrize("name", OF_THREE)
def test_a_function_of_a_number_of_any_type_is_that_of_the_float(name):
    f = OF_THREE[name]
    for kind in OTHER_TYPES:
        for row in NUMERATORS:
            others = [held_by(kind, x) for x in row]
            expected = answer(f, [*map(float, others)])
            found = answer(f, others)
            assert found == expected or close(found, expected, ROUNDING), (kind, row)
            assert type(found) in (float, type) or kind is Fraction
            if "by them" not in name:  # a slope or a bound is no Value
                of_values = answer(f, [Value(x) for x in others])
                assert getattr(of_values, "data", of_values) == found


@pytest.mark.parametrize("name", OF_THREE)
def test_a_compiled_function_of_a_number_of_any_type_is_that_of_the_float(name):
    if "by them" in name:
        return
    f = compile(OF_THREE[name])
    row = (3, 1, 2) if name in ("acosh", "hinge") else (1, 1, 0)
    for kind in OTHER_TYPES:
        others = [held_by(kind, x) for x in row]
        with np.errstate(all="ignore"):
            assert f(*others) == f(*map(float, others)), kind


@pytest.mark.parametrize("name", OF_THREE)
def test_a_function_of_what_is_no_number_is_refused(name):
    told = "real number|not supported|sequence of numbers|two numbers|a condition"
    for x in (Decimal(1), 1j, "1", None):
        try:
            got = OF_THREE[name](x, x, x)
        except (TypeError, ValueError) as error:
            got = str(error)
        assert re.search(told, str(got)), (x, got)


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "norm", "logsumexp"])
def test_a_reduction_is_one_node(name):
    xs = list(map(Value, [0.5, 2.0, 1.0]))
    assert same(getattr(microgrid, name)(xs).parents, xs)


@pytest.mark.parametrize("name", [*of_many, *of_many_to_many])
@pytest.mark.parametrize("xs", [3.0, Value(3.0), None])
def test_what_is_no_sequence_is_refused(name, xs):
    with pytest.raises(TypeError, match=f"{name} needs a sequence of numbers, got "):
        getattr(microgrid, name)(xs)


@pytest.mark.parametrize("name", ["mean", "max", "min", "logsumexp", *of_many_to_many])
def test_of_no_numbers_there_is_no(name):
    with pytest.raises(ValueError, match=f"{name} needs at least one number, got an empty"):
        getattr(microgrid, name)([])


def test_the_empty_sum_product_dot_and_norm_are_neutral():
    assert (microgrid.sum([]), prod([]), dot([], []), norm([])) == (0.0, 1.0, 0.0, 0.0)
    assert dot([], [], start=2.0) == 2.0
    x = Value(3.0)
    dot([], [], start=x).backward()
    assert x.grad == 1.0


# ---- dot


@given(LISTS, st.data())
def test_dot_is_the_sum_of_the_products(x, data):
    y = data.draw(st.lists(NUMBERS, min_size=len(x), max_size=len(x)))
    assert close(dot(x, y), math.fsum(map(float.__mul__, x, y)), ROUNDING * 30 * 30 * len(x))
    assert dot(x, y) == dot(y, x)
    n = len(x)
    assert gradient(lambda *z: dot(z[:n], z[n:]), *x, *y) == y + x
    assert gradient(lambda *z: dot(z[:n], z[n:-1], start=z[-1]), *x, *y, 5.0) == [*y, *x, 1.0]


@pytest.mark.parametrize(("x", "y"), [([1.0], []), ([], [1.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_dot_needs_two_sequences_of_one_length(x, y):
    with pytest.raises(ValueError, match=f"of one length, got {len(x)} and {len(y)}"):
        dot(x, y)
    with pytest.raises(ValueError, match=f"of one length, got {len(x)} and {len(y)}"):
        dot(map(Value, x), map(Value, y), start=1.0)


@pytest.mark.parametrize(("x", "y"), [(1.0, [1.0]), ([1.0], 1.0), (Value(1.0), [1.0])])
def test_dot_needs_sequences(x, y):
    with pytest.raises(TypeError, match="dot needs a sequence of numbers"):
        dot(x, y)


# ---- softmax and its kin


@given(LISTS)
def test_softmax_is_positive_and_sums_to_one(xs):
    shares = softmax(xs)
    assert all(share >= 0 for share in shares)
    assert close(sum(shares), 1.0, ROUNDING)
    assert all_close(gradient(lambda *z: microgrid.sum(softmax(z)), *xs), [0] * len(xs), ROUNDING)


@given(LISTS, st.floats(-100, 100))
def test_softmax_does_not_change_by_a_shift_and_logsumexp_changes_by_it(xs, shift):
    shifted = [x + shift for x in xs]
    assert all_close(softmax(shifted), softmax(xs), SHIFTED)
    assert all_close(log_softmax(shifted), log_softmax(xs), SHIFTED)
    assert close(logsumexp(shifted), logsumexp(xs) + shift, SHIFTED)


@given(LISTS)
def test_log_softmax_is_the_logarithm_of_softmax(xs):
    assert all_close(map(math.exp, log_softmax(xs)), softmax(xs), ROUNDING)
    less = [x - logsumexp(xs) for x in xs]  # which loses the digits that the shift keeps
    assert all_close(log_softmax(xs), less, SHIFTED)


def test_log_softmax_keeps_its_digits_at_large_numbers():
    assert log_softmax([1000.0, 1000.0, 0.0])[:2] == log_softmax([0.0, 0.0, -1000.0])[:2]
    assert log_softmax([1e15, 1e15])[0] == -math.log(2)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 100])
def test_the_steps_of_a_softmax_are_few_and_not_in_a_row(n):
    nodes = topological_order(*softmax([Value(float(i)) for i in range(n)]))
    depth = dict[Value, int]()
    for node in nodes:
        depth[node] = 1 + max([depth[x] for x in node.parents], default=0)
    assert len(nodes) < 7 * n + 3
    assert max(depth.values()) <= 6 + 2 * math.log2(n)


@given(LISTS)
def test_softmax_is_the_gradient_of_logsumexp(xs):
    assert all_close(gradient(lambda *z: logsumexp(z), *xs), softmax(xs), ROUNDING)


@given(LISTS, st.data())
def test_the_gradient_of_softmax_is_its_closed_form(xs, data):
    i = data.draw(st.integers(0, len(xs) - 1))
    p = softmax(xs)
    expected = [p[i] * ((i == j) - p[j]) for j in range(len(xs))]
    assert all_close(gradient(lambda *z: softmax(z)[i], *xs), expected, ROUNDING)
    expected = [(i == j) - p[j] for j in range(len(xs))]
    assert all_close(gradient(lambda *z: log_softmax(z)[i], *xs), expected, ROUNDING)


@given(LISTS)
def test_logsumexp_lies_between_the_greatest_and_that_plus_log_n(xs):
    greatest = max(xs)
    assert greatest <= logsumexp(xs) <= greatest + math.log(len(xs)) + ROUNDING * 30
    assert logsumexp(xs[:1]) == xs[0]


# ---- stability: a thousand is beyond where exp overflows, the limits are exact

LIMITS = [
    # function, x, value, derivative
    (sigmoid, 1000.0, 1.0, 0.0),
    (sigmoid, -1000.0, 0.0, 0.0),
    (softplus, 1000.0, 1000.0, 1.0),
    (softplus, -1000.0, 0.0, 0.0),
    (log_sigmoid, 1000.0, 0.0, 0.0),
    (log_sigmoid, -1000.0, -1000.0, 1.0),
    (silu, 1000.0, 1000.0, 1.0),
    (silu, -1000.0, 0.0, 0.0),
    (gelu, 1000.0, 1000.0, 1.0),
    (gelu, -1000.0, 0.0, 0.0),
    (elu, 1000.0, 1000.0, 1.0),
    (elu, -1000.0, -1.0, 0.0),
    (softsign, 1e300, 1.0, 0.0),
    (microgrid.tanh, 1000.0, 1.0, 0.0),
    (microgrid.tanh, -1000.0, -1.0, 0.0),
    (microgrid.erf, 1000.0, 1.0, 0.0),
    (microgrid.erfc, 1000.0, 0.0, 0.0),
    (microgrid.erfc, -1000.0, 2.0, 0.0),
    (microgrid.exp, -1000.0, 0.0, 0.0),
    (microgrid.expm1, -1000.0, -1.0, 0.0),
    (microgrid.atan, 1e300, math.pi / 2, 0.0),
]


@pytest.mark.parametrize(
    ("function", "x", "value", "slope"),
    LIMITS,
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_far_out_a_function_is_its_limit(function, x, value, slope):
    leaf = Value(x)
    y = function(leaf)
    y.backward()
    assert (y.data, leaf.grad) == (value, slope)
    assert function(x) == value


@pytest.mark.parametrize(
    ("function", "xs", "values", "gradients"),
    [
        (logsumexp, [1000.0, 1000.0], 1000 + math.log(2), [0.5, 0.5]),
        (logsumexp, [-1000.0, -1000.0], math.log(2) - 1000, [0.5, 0.5]),
        (logsumexp, [1000.0, -1000.0], 1000.0, [1.0, 0.0]),
        (lambda z: softmax(z)[0], [1000.0, -1000.0, -1000.0], 1.0, [0.0, 0.0, 0.0]),
        (lambda z: softmax(z)[1], [1000.0, -1000.0, -1000.0], 0.0, [0.0, 0.0, 0.0]),
        (lambda z: softmax(z)[0], [-1000.0, -1000.0], 0.5, [0.25, -0.25]),
        (lambda z: log_softmax(z)[1], [1000.0, -1000.0], -2000.0, [-1.0, 1.0]),
        (lambda z: log_softmax(z)[0], [1000.0, -1000.0], 0.0, [0.0, 0.0]),
        (norm, [3e300, 4e300], 5e300, [0.6, 0.8]),
        (norm, [3e-300, 4e-300], 5e-300, [0.6, 0.8]),
    ],
)
def test_far_out_a_function_of_several_is_its_limit(function, xs, values, gradients):
    leaves = list(map(Value, xs))
    y = function(leaves)
    y.backward()
    assert all_close([y.data], [values], ROUNDING)
    assert all_close([leaf.grad for leaf in leaves], gradients, FAR_OUT)


@given(st.floats(-1e308, 1e308))
def test_no_activation_overflows(x):
    for function in (sigmoid, softplus, log_sigmoid, silu, gelu, elu, softsign, microgrid.tanh):
        leaf = Value(x)
        y = function(leaf)
        y.backward()
        assert math.isfinite(y.data)
        assert math.isfinite(leaf.grad)


@given(st.lists(st.floats(-1e307, 1e307), min_size=1, max_size=5))
def test_no_reduction_by_exponentials_overflows(xs):
    for function in (logsumexp, lambda z: softmax(z)[0], lambda z: log_softmax(z)[-1]):
        leaves = list(map(Value, xs))
        y = function(leaves)
        y.backward()
        assert all(map(math.isfinite, [y.data, *[leaf.grad for leaf in leaves]]))


# ---- closed forms of what is composed


def normal_distribution(z):
    """Return the cumulative probability by the series of the error function about 0."""
    z = z / math.sqrt(2)
    odd = ((-1) ** n * z ** (2 * n + 1) / (math.factorial(n) * (2 * n + 1)) for n in range(60))
    return (1 + 2 / math.sqrt(math.pi) * sum(odd)) / 2


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (gelu, lambda z: z * normal_distribution(z)),
        (silu, lambda z: z / (1 + cmath.exp(-z))),
        (log_sigmoid, lambda z: -cmath.log(1 + cmath.exp(-z))),
        (softsign, lambda z: z / (1 + z if z.real >= 0 else 1 - z)),
        (elu, lambda z: z if z.real > 0 else cmath.exp(z) - 1),
        (lambda x: elu(x, 0.5), lambda z: z if z.real > 0 else (cmath.exp(z) - 1) / 2),
        (leaky_relu, lambda z: z if z.real > 0 else 0.01 * z),
        (lambda x: x**3 / (1 + x * x), lambda z: z**3 / (1 + z * z)),
        (lambda x: microgrid.tanh(x) ** 2 - sigmoid(2 * x), None),
        (lambda x: norm([x, 1, x * x]), lambda z: cmath.sqrt(z * z + 1 + z**4)),
        (lambda x: mean([x, x * x, 1.0]), lambda z: (z + z * z + 1) / 3),
    ],
)
@given(x=st.floats(-3, 3))
def test_a_composed_function_is_its_closed_form_and_so_is_its_derivative(function, formula, x):
    if formula is None:

        def formula(z):
            return cmath.tanh(z) ** 2 - 1 / (1 + cmath.exp(-2 * z))

    assert close(function(x), complex(formula(complex(x))).real, ROUNDING)
    slope = complex(formula(complex(x, COMPLEX_STEP))).imag / COMPLEX_STEP
    if function not in (elu, leaky_relu) or x:  # there the formula has a kink
        assert close(gradient(function, x)[0], slope, DERIVATIVE)


@given(NUMBERS)
def test_identities_between_functions(x):
    assert close(sigmoid(x) + sigmoid(-x), 1.0, ROUNDING)
    assert close(softplus(x) - softplus(-x), x, ROUNDING)
    assert close(log_sigmoid(x), math.log(sigmoid(x)), ROUNDING)
    assert close(microgrid.tanh(x), 2 * sigmoid(2 * x) - 1, ROUNDING)
    assert microgrid.relu(x) == maximum(x, 0.0) == (x + abs(x)) / 2
    assert close(logsumexp([x, 0.0]), softplus(x), ROUNDING)
    assert close(softmax([x, 0.0])[0], sigmoid(x), ROUNDING)
    assert close(gelu(x) - gelu(-x), x, ROUNDING)
    assert close(microgrid.erf(x) + microgrid.erfc(x), 1.0, ROUNDING)


# ---- clip, where, maximum, norm


@given(NUMBERS, NUMBERS, NUMBERS)
def test_clip_holds_a_number_between_its_bounds(x, a, b):
    low, high = min(a, b), max(a, b)
    clipped = clip(x, low, high)
    assert clipped == min(max(x, low), high) == sorted([low, x, high])[1]
    assert clip(clipped, low, high) == clipped
    assert clip(x, min=low) == max(x, low)
    assert clip(x, max=high) == min(x, high)
    assert clip(x) == x
    assert gradient(lambda v: clip(v, low, high), x) == [float(low < high and low <= x <= high)]


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 0.0), (math.nan, 1.0), (0.0, math.nan), (math.nan, None)]
)
def test_clip_refuses_bounds_out_of_order(low, high):
    with pytest.raises(ValueError, match=r"clip needs min <= max, got min = .+ and max = "):
        clip(Value(0.5), low, high)


@pytest.mark.parametrize("bounds", [(Value(0.0), 1.0), (0.0, Value(1.0)), (None, Value(1.0))])
def test_clip_refuses_values_as_bounds(bounds):
    with pytest.raises(TypeError, match="plain numbers as bounds; use minimum"):
        clip(Value(0.5), *bounds)


@pytest.mark.parametrize("function", [leaky_relu, elu])
@pytest.mark.parametrize("constant", ["1", None, 1j, Value(0.1)], ids=repr)
def test_a_slope_is_a_real_number(function, constant):
    with pytest.raises(TypeError, match="real number"):
        function(Value(0.5), constant)


@given(NUMBERS, NUMBERS, st.booleans())
def test_where_returns_the_chosen_one_and_gives_it_all_of_the_gradient(x, y, condition):
    assert where(condition, x, y) == (x if condition else y)
    assert gradient(lambda a, b: where(condition, a, b), x, y) == [condition, not condition]
    assert gradient(lambda a, b: where(a < b, 2 * a, 3 * b), x, y) == ([2, 0] if x < y else [0, 3])


def test_a_condition_may_be_a_value_and_gets_no_gradient():
    c, x, y = Value(1.0), Value(2.0), Value(3.0)
    node = where(c, x, y)
    node.backward()
    assert (node.data, node.parents) == (2.0, (c, x, y))
    assert (c.grad, x.grad, y.grad) == (0.0, 1.0, 0.0)
    assert where(c * 0, x, y).data == 3.0


@given(LISTS)
def test_the_greatest_and_the_least_share_their_gradient_evenly(xs):
    for function, extremum in [(microgrid.max, max(xs)), (microgrid.min, min(xs))]:
        assert function(xs) == extremum
        expected = [(x == extremum) / xs.count(extremum) for x in xs]
        assert gradient(lambda *z, f=function: f(z), *xs) == expected


@given(NUMBERS, NUMBERS)
def test_maximum_and_minimum_divide_their_operands_between_them(x, y):
    assert maximum(x, y) + minimum(x, y) == x + y
    assert maximum(x, y) == -minimum(-x, -y) == microgrid.max([x, y])
    shares = zip(gradient(maximum, x, y), gradient(minimum, x, y), strict=True)
    assert [sum(share) for share in shares] == [1.0, 1.0]


@given(LISTS)
def test_a_product_has_as_partials_the_products_of_the_others(xs):
    exact = list(map(Fraction, xs))
    assert gradient(lambda *z: prod(z), *exact) == [
        math.prod(exact[:i] + exact[i + 1 :]) for i in range(len(exact))
    ]
    assert close(prod(xs), math.prod(xs), ROUNDING)


@given(LISTS)
def test_a_mean_is_the_sum_over_the_number(xs):
    assert mean(xs) == microgrid.sum(xs) / len(xs)
    exact = list(map(Fraction, xs))
    assert gradient(lambda *z: mean(z), *exact) == [Fraction(1, len(xs))] * len(xs)
    assert mean(exact) == sum(exact) / len(xs)


@given(LISTS, st.floats(0, 100))
def test_a_norm_scales_and_its_gradient_is_the_direction(xs, factor):
    assert close(norm([factor * x for x in xs]), factor * norm(xs), SHIFTED)
    length = norm(xs)
    expected = [x / length if length else 0.0 for x in xs]
    assert all_close(gradient(lambda *z: norm(z), *xs), expected, ROUNDING)


@given(NUMBERS)
def test_stop_gradient_is_the_number_without_its_derivative(x):
    leaf = Value(x)
    y = stop_gradient(leaf) * leaf
    y.backward()
    assert (y.data, leaf.grad) == (x * x, x)
    assert stop_gradient(x) == x


# ---- nan is never hidden


def of_nan(name):
    function = getattr(microgrid, name)
    if name in of_two:
        return [lambda x: function(x, 1.0), lambda x: function(1.0, x), lambda x: function(x, x)]
    if name in of_many:
        return [lambda x: function([x]), lambda x: function([1.0, x]), lambda x: function([x, 1.0])]
    if name in of_many_to_many:
        return [lambda x, i=i: function([x, 1.0])[i] for i in (0, 1)]
    return [function]


@pytest.mark.parametrize("name", [*of_one, *of_two, *of_many, *of_many_to_many])
def test_nan_goes_through_every_function(name):
    for function in of_nan(name):
        assert math.isnan(function(math.nan))
        assert math.isnan(function(Value(math.nan)).data)


OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: x**y,
    "dot": lambda x, y: dot([x, 1.0], [1.0, y]),
    "clip": lambda x, y: clip(x, -1, 1) * y,
    "leaky_relu": lambda x, y: leaky_relu(x, 0.1) * y,
    "elu": lambda x, y: elu(x, 0.5) * y,
    "round": lambda x, y: round(x, 2) * y,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_nan_goes_through_every_operation(name):
    for x, y in [(math.nan, 2.0), (2.0, math.nan)]:
        assert math.isnan(OPERATORS[name](Value(x), Value(y)).data)
    assert math.isnan(OPERATORS[name](Value(math.nan), 2.0).data)
    assert math.isnan(OPERATORS[name](2.0, Value(math.nan)).data)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: microgrid.exp(-x), 0.0),
        (microgrid.log, math.inf),
        (microgrid.sqrt, math.inf),
        (microgrid.relu, math.inf),
        (lambda x: microgrid.relu(-x), 0.0),
        (lambda x: abs(-x), math.inf),
        (sigmoid, 1.0),
        (lambda x: sigmoid(-x), 0.0),
        (softplus, math.inf),
        (lambda x: softplus(-x), 0.0),
        (microgrid.tanh, 1.0),
        (microgrid.erf, 1.0),
        (microgrid.atan, math.pi / 2),
        (microgrid.floor, math.inf),
        (lambda x: microgrid.ceil(-x), -math.inf),
        (round, math.inf),
        (microgrid.sign, 1.0),
        (lambda x: clip(x, -1, 1), 1.0),
        (lambda x: maximum(x, 1.0), math.inf),
        (lambda x: minimum(x, 1.0), 1.0),
        (lambda x: elu(-x), -1.0),
        (lambda x: leaky_relu(-x), -math.inf),
        (lambda x: logsumexp([x, 1.0]), math.inf),
        (lambda x: logsumexp([-x, 1.0]), 1.0),
        (lambda x: logsumexp([-x, -x]), -math.inf),
        (lambda x: softmax([-x, 1.0])[1], 1.0),
        (lambda x: microgrid.sum([x, 1.0]), math.inf),
        (lambda x: norm([-x, 1.0]), math.inf),
        (lambda x: 1 / x, 0.0),
        (lambda x: x**-1, 0.0),
        (lambda x: 0.5**x, 0.0),
    ],
)
def test_infinity_goes_through_by_the_rules_of_floats(function, expected):
    assert function(Value(math.inf)).data == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x,
        lambda x: x * 0,
        lambda x: x / x,
        lambda x: x % 2,
        lambda x: x // 2,
        lambda x: softmax([x, x])[0],
    ],
)
def test_where_floats_have_no_limit_either_infinity_becomes_nan(function):
    assert math.isnan(function(math.inf))
    assert math.isnan(function(Value(math.inf)).data)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x,
        microgrid.exp,
        microgrid.sin,
        microgrid.tanh,
        sigmoid,
        softplus,
        microgrid.relu,
        abs,
        elu,
        lambda x: maximum(x, 1.0),
        lambda x: clip(x, -1, 1),
        lambda x: norm([x, 1.0]),
        lambda x: logsumexp([x, 1.0]),
        lambda x: x**2,
        lambda x: 2**x,
    ],
)
def test_the_derivative_at_nan_is_nan(function):
    assert math.isnan(gradient(function, math.nan)[0])


@pytest.mark.parametrize("extremum", [microgrid.max, microgrid.min])
def test_the_slopes_of_an_extremum_are_as_many_nodes_as_its_operands(extremum):
    def nodes(n):
        leaves = [Value(float(i)) for i in range(n)]
        out = extremum(leaves)
        return len(microgrid.topological_order(*out.op.partials(out, *out.parents)))

    assert nodes(200) < 2.2 * nodes(100)


@pytest.mark.parametrize("size", [1e3, 1e15, 1e17])
def test_the_slopes_of_logsumexp_are_exact_at_any_size(size):
    x = [Value(size), Value(size)]
    microgrid.logsumexp(x).backward()
    assert [v.grad for v in x] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("f", "x", "zero"),
    [
        (microgrid.floor, -0.0, -0.0),
        (microgrid.floor, 0.75, 0.0),
        (microgrid.ceil, -0.75, -0.0),
        (microgrid.ceil, -0.0, -0.0),
        (microgrid.ceil, 0.0, 0.0),
    ],
)
def test_a_zero_of_floor_and_ceil_has_the_sign_of_its_operand(f, x, zero):
    assert repr(f(x)) == repr(f(Value(x)).data) == repr(zero)
    assert type(f(Fraction(1, 2))) is Fraction
