"""The laws of the transforms: all ways to a derivative agree, nest, and detach nothing silently.

Most laws are stated on random programs of Fractions, where both sides are equal to the last digit.
"""

import functools
import gc
import inspect
import math
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from mpmath import mp
from scipy import optimize

import microgrid as mg
from microgrid import (
    MLP,
    Primitive,
    Value,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    sin,
    sqrt,
    stop_gradient,
    tanh,
    taylor,
    topological_order,
    value_and_grad,
    vjp,
    where,
)
from microgrid.core.modes import current, unrecorded
from microgrid.derivatives import linearization
from microgrid.testing import check_gradients
from microgrid.testing.strategies import programs
from tests.search import LONG, usual

# Eight operations on numbers of at most 100, and their slopes, round off less.
ROUNDING = {"rel": 1e-10, "abs": 1e-10}
# So do the slopes of the slopes, which are sums of hundreds of products of these.
ROUNDING_TWICE = {"rel": 1e-6, "abs": 1e-6}
# An order-10 derivative adds up hundreds of terms that are a hundred times larger than the sum.
ORDER_TEN = {"rel": 1e-12, "abs": 1e-12}

FRACTIONS = st.fractions(-3, 3, max_denominator=7)
DIRECTIONS = st.lists(FRACTIONS, min_size=3, max_size=3)
EXACT = programs(max_size=6, exact=True)
OF_ONE = programs(max_inputs=1, max_size=4, exact=True)


def repeated(transform, f, times):
    for _ in range(times):
        f = transform(f)
    return f


def everywhere(program):
    """Return the numbers of all arguments."""
    return tuple(range(len(program.point)))


def product(xs, ys):
    return sum(x * y for x, y in zip(xs, ys, strict=True))


def plain(x):
    return x.data if isinstance(x, Value) else x


# ---- one variable is not another


def test_a_derivative_inside_a_function_that_is_derived_is_right():
    assert grad(lambda x: x * grad(lambda y: x + y)(3.0))(2.0) == 1
    assert grad(lambda x: grad(lambda y: x * y * y)(2.0))(5.0) == 4
    assert grad(lambda x: grad(lambda y: x * y)(x))(3.0) == 1
    assert grad(grad(grad(lambda x: x**3)))(2.0) == 6


def by_gradients(f):
    """Return f's derivative by a node that is made by hand."""

    def derivative(x):
        node = 1 * x if isinstance(x, Value) else Value(x)
        return gradients(f(node), node)

    return derivative


# Ways to the first derivative of a function of one number, and to the second.
FIRST = {
    "grad": grad,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "gradients": by_gradients,
    "jacobian": jacobian,
    "jvp": lambda f: lambda x: jvp(f, (x,), (1,))[1],
    "vjp": lambda f: lambda x: vjp(f, x)[1](1)[0],
    "taylor": lambda f: lambda x: taylor(f, x, 1)[1],
}
SECOND = {
    "hessian": hessian,
    "hvp": lambda f: lambda x: hvp(f, (x,), (1,)),
    "taylor": lambda f: lambda x: 2 * taylor(f, x, 2)[2],
}


@pytest.mark.parametrize("outer", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize("inner", FIRST.values(), ids=FIRST)
def test_transforms_tell_their_variables_apart(outer, inner):
    assert plain(outer(lambda x: x * inner(lambda y: x + y)(Fraction(3)))(Fraction(2))) == 1
    assert plain(outer(lambda x: inner(lambda y: x * y * y)(Fraction(2)))(Fraction(5))) == 4
    assert plain(outer(lambda x: inner(lambda y: x * y)(x))(Fraction(3))) == 1
    assert plain(outer(lambda x: x * inner(lambda y: x * y)(Fraction(1)))(Fraction(3))) == 6


def test_variables_of_closures_are_told_apart_at_any_depth():
    def scaled(depth, outer):
        """Return 3**depth * outer**3: d/dt of (t * outer)**3 at t = 1, depth times."""
        if depth == 0:
            return outer * outer * outer
        return grad(lambda t: scaled(depth - 1, t * outer))(1.0)

    for depth in range(4):
        assert scaled(depth, 2.0) == 8 * 3**depth
        assert grad(functools.partial(scaled, depth))(2.0) == 12 * 3**depth


def test_a_variable_that_stands_at_two_depths_is_right():
    def f(x):
        # d/dz is x * y + 2 * x * z, at z = x * y; its derivative by y is x + 2 * x * x
        return grad(lambda y: grad(lambda z: x * y * z + x * z**2)(x * y))(x)

    assert f(3.0) == 3 + 2 * 9
    assert grad(f)(3.0) == 1 + 4 * 3


def test_a_transform_works_inside_where_and_comprehensions():
    def f(x):
        slopes = [grad(lambda y, n=n: x * y**n)(2.0) for n in range(4)]  # 0, x, 4x and 12x
        return where(slopes[1] > 0, sum(slopes) * x, grad(lambda y: y * x)(x))

    assert (f(3.0), grad(f)(3.0), grad(f)(-3.0)) == (17 * 9, 17 * 6, 1)


def test_one_value_in_two_places_is_two_variables():
    x = Value(3.0)
    assert [d.data for d in grad(lambda a, b: a**2 * b, argnums=(0, 1))(x, x)] == [18, 9]
    assert [d.data for d in grad(lambda xs: xs[0] ** 2 * xs[1])([x, x])] == [18, 9]
    assert jvp(lambda a, b: a**2 * b, (x, x), (1.0, 0.0))[1].data == 18
    table = hessian(lambda xs: xs[0] ** 2 * xs[1])([x, x])
    assert [[d.data for d in row] for row in table] == [[6, 6], [6, 0]]


def test_a_vjp_that_outlives_the_function_around_it_still_works():
    pulls = []

    def f(x):
        pulls.append(vjp(lambda y: x * y * y, 2.0)[1])
        return pulls[-1](x)[0]  # 4 * x * x

    assert grad(f)(3.0) == 24
    assert pulls[0](1.0) == (12.0,)


# ---- all ways agree


@given(programs(max_size=8), DIRECTIONS)
@usual(60)
def test_reverse_mode_forward_mode_and_backward_agree(program, direction):
    leaves = [Value(x) for x in program.point]
    program(*leaves).backward()
    wanted = [leaf.grad for leaf in leaves]
    value, gradient = value_and_grad(program, everywhere(program))(*program.point)
    assert value == program(*program.point)
    assert gradient == pytest.approx(wanted, **ROUNDING)
    assert vjp(program, *program.point)[1](1.0) == gradient
    assert jacobian(program, everywhere(program))(*program.point) == gradient
    tangents = [float(v) for v in direction[: len(wanted)]]
    forward = jvp(program, program.point, tangents)
    assert forward == (value, pytest.approx(product(gradient, tangents), **ROUNDING))


@given(EXACT, DIRECTIONS)
@usual(40)
def test_all_first_derivatives_of_fractions_are_equal(program, direction):
    leaves = [Value(x) for x in program.point]
    output = program(*leaves)
    by_nodes = gradients(output, leaves)
    output.backward()
    gradient = grad(program, everywhere(program))(*program.point)
    assert {type(d) for d in gradient} == {Fraction}
    assert list(gradient) == [leaf.grad for leaf in leaves] == [d.data for d in by_nodes]
    direction = direction[: len(gradient)]
    assert jvp(program, program.point, direction)[1] == product(gradient, direction)
    c = direction[0]
    assert vjp(program, *program.point)[1](c) == tuple([c * d for d in gradient])


@given(programs(max_size=6))
@usual(50)
def test_derivatives_of_order_two_are_differences_of_order_one(program):
    verdicts = check_gradients(program, *program.point, order=2)  # which raises if one is wrong
    assert {verdict.order for verdict in verdicts} == {1, 2}


@given(programs(max_size=8))
@usual(40)
def test_a_hessian_is_symmetric_and_the_jacobian_of_the_gradient(program):
    by = everywhere(program)
    table = np.array(hessian(program, by)(*program.point))
    units = np.eye(len(by)).tolist()
    forward = [jvp(grad(program, by), program.point, unit)[1] for unit in units]
    leaves = [Value(x) for x in program.point]
    rows = [gradients(d, leaves) for d in gradients(program(*leaves), leaves)]
    by_nodes = np.array([[d.data for d in row] for row in rows])
    for other in (table.T, jacobian(grad(program, by), by)(*program.point), forward, by_nodes):
        assert table == pytest.approx(np.array(other), **ROUNDING_TWICE)


@given(EXACT, DIRECTIONS)
@usual(40)
def test_all_second_derivatives_of_fractions_are_equal(program, direction):
    by, point = everywhere(program), program.point
    direction = tuple(direction[: len(point)])
    table = hessian(program, by)(*point)
    assert table == jacobian(grad(program, by), by)(*point)
    assert table == tuple(zip(*table, strict=True))
    wanted = tuple([product(row, direction) for row in table])
    times_direction = hvp(program, point, direction)
    assert (times_direction if len(by) > 1 else (times_direction,)) == wanted
    assert jvp(grad(program, by), point, direction)[1] == wanted
    assert grad(lambda *xs: jvp(program, xs, direction)[1], by)(*point) == wanted
    assert vjp(grad(program, by), *point)[1](direction) == wanted
    assert jvp(lambda *xs: vjp(program, *xs)[1](1), point, direction)[1] == wanted
    moves = [*zip(point, direction, strict=True)]
    along = taylor(lambda t: program(*[x + t * v for x, v in moves]), Fraction(), 2)
    assert 2 * along[2] == product(wanted, direction)


@given(OF_ONE, *[st.sampled_from(list(FIRST.values()))] * 3)
@usual(60)
def test_transforms_nest_in_any_order(program, first, second, third):
    x = program.point[0]
    wanted = grad(grad(grad(program)))(x)
    assert type(wanted) is Fraction
    assert plain(first(second(third(program)))(x)) == wanted


@given(OF_ONE, st.sampled_from(list(SECOND.values())), st.sampled_from(list(FIRST.values())))
@usual(60)
def test_second_derivatives_nest_with_first_ones_and_with_each_other(program, second, first):
    x = program.point[0]
    derivatives = [repeated(grad, program, order)(x) for order in range(5)]
    assert plain(second(program)(x)) == derivatives[2]
    assert plain(first(second(program))(x)) == plain(second(first(program))(x)) == derivatives[3]
    assert plain(second(second(program))(x)) == derivatives[4]


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_a_jacobian_is_the_same_by_rows_and_by_columns(outputs):
    def f(x):
        return [x[0] ** k * x[1] + k * x[2] for k in range(outputs)]

    point = [Fraction(1, 2), Fraction(3), Fraction(-1)]
    table = jacobian(f)(point)
    pull = vjp(f, point)[1]
    units = np.eye(outputs, dtype=int).tolist()
    assert table == [pull(unit)[0] for unit in units]
    columns = [jvp(f, (point,), (unit,))[1] for unit in np.eye(3, dtype=int).tolist()]
    assert table == [list(row) for row in zip(*columns, strict=True)]
    assert table == [
        [k * point[0] ** max(k - 1, 0) * point[1], point[0] ** k, k] for k in range(outputs)
    ]


def test_third_derivatives_by_many_inputs_are_symmetric():
    third = jacobian(hessian(lambda x: x[0] ** 2 * x[1] * x[2] + x[1] ** 3))([2.0, 3.0, 5.0])
    assert third[0] == [[0, 10, 6], [10, 0, 4], [6, 4, 0]]
    assert np.array_equal(third, np.transpose(third, (1, 2, 0)))


# ---- the rules of differentiation


@given(OF_ONE, OF_ONE, FRACTIONS, FRACTIONS)
@usual(30)
def test_differentiation_is_linear(f, g, a, b):
    x = f.point[0]
    try:
        wanted = a * grad(f)(x) + b * grad(g)(x)
    except ZeroDivisionError:
        reject()  # a pole of g
    assert grad(lambda x: a * f(x) + b * g(x))(x) == wanted
    assert jvp(lambda x: a * f(x) + b * g(x), (x,), (1,))[1] == wanted


@given(OF_ONE, OF_ONE)
@usual(30)
def test_the_product_rule_holds_up_to_order_three(f, g):
    x = f.point[0]
    try:
        fs, gs = ([repeated(grad, h, order)(x) for order in range(4)] for h in (f, g))
    except ZeroDivisionError:
        reject()
    for order in (1, 2, 3):  # Leibniz's rule
        wanted = sum(math.comb(order, k) * fs[k] * gs[order - k] for k in range(order + 1))
        assert repeated(grad, lambda x: f(x) * g(x), order)(x) == wanted


@given(OF_ONE, OF_ONE)
@usual(30)
def test_the_chain_rule_holds(f, g):
    x = g.point[0]
    try:
        wanted = grad(f)(g(x)) * grad(g)(x)
    except ZeroDivisionError:
        reject()
    assert grad(lambda x: f(g(x)))(x) == wanted
    assert jvp(lambda x: f(g(x)), (x,), (1,))[1] == wanted


# ---- numbers in, numbers out, and nothing is detached

ALL = {
    "grad": lambda f, x: [grad(f)(x)],
    "value_and_grad": lambda f, x: [*value_and_grad(f)(x)],
    "jacobian": lambda f, x: [jacobian(f)(x)],
    "hessian": lambda f, x: [hessian(f)(x)],
    "hvp": lambda f, x: [hvp(f, (x,), (1,))],
    "jvp": lambda f, x: [*jvp(f, (x,), (1,))],
    "vjp": lambda f, x: [vjp(f, x)[0], *vjp(f, x)[1](1)],
    "taylor": lambda f, x: taylor(f, x, 3),
}
every_transform = pytest.mark.parametrize("transform", ALL.values(), ids=ALL)


@every_transform
@pytest.mark.parametrize("x", [2.0, 2, np.float64(2), np.int64(2), np.float32(2)], ids=repr)
def test_numbers_give_floats(transform, x):
    for f in (lambda x: x**3 + sin(x), lambda x: 3 * x, lambda x: x, lambda x: 3, lambda x: 3.0):
        assert {type(y) for y in transform(f, x)} == {float}


@every_transform
def test_fractions_give_fractions(transform):
    for f in (
        lambda x: x**3 / (1 + x * x) - 2 * abs(x),
        lambda x: 3 * x,
        lambda x: x,
        lambda x: Fraction(1, 3),
    ):
        assert {type(y) for y in transform(f, Fraction(2, 7))} == {Fraction}


@every_transform
def test_values_give_values_that_depend_on_them(transform):
    def f(x):
        return x**4

    x = Value(2.0)
    for i, result in enumerate(transform(f, x)):
        assert isinstance(result, Value)
        assert result.data == transform(f, 2.0)[i]
        assert gradients(result, x).data == grad(lambda x, i=i: transform(f, x)[i])(2.0) != 0


@every_transform
@pytest.mark.parametrize("x", [Value(2.0), Value(2.0).detach()], ids=["a leaf", "a constant"])
def test_values_give_values_whatever_the_function(transform, x):
    for f in (lambda x: x**3, lambda x: 3 * x, lambda x: x, lambda x: 3.0):
        results = transform(f, x)
        assert all(isinstance(result, Value) for result in results)
        assert [result.data for result in results] == transform(f, 2.0)


@every_transform
def test_what_depends_on_a_value_from_outside_stays_connected_to_it(transform):
    w = Value(5.0)
    results = transform(lambda x: w * x**3, 2.0)
    for result, share in zip(results, transform(lambda x: x**3, 2.0), strict=True):
        assert isinstance(result, Value)
        assert gradients(result, w).data == share != 0


@every_transform
def test_what_depends_on_no_value_from_outside_is_a_number(transform):
    w, c = Value(5.0), Value(5.0).detach()

    def f(x):
        return c * x**3 + w.data * x + stop_gradient(x) * grad(lambda y: x * y**2)(3.0)

    assert {type(result) for result in transform(f, 2.0)} == {float}


def test_tangents_and_cotangents_may_be_values_and_stay_connected():
    v = Value(5.0)
    for result in (
        jvp(lambda x: x**3, (2.0,), (v,))[1],
        hvp(lambda x: x**3, (2.0,), (v,)),
        *vjp(lambda x: x**3, 2.0)[1](v),
    ):
        assert (result.data, gradients(result, v).data) == (60, 12)


@every_transform
def test_no_grad_of_any_value_is_touched(transform):
    x, w = Value(2.0), Value(3.0)
    y = w * x
    y.backward()
    before = (x.grad, w.grad, y.grad)
    transform(lambda t: t * y * w + x, x)
    assert (x.grad, w.grad, y.grad) == before


def test_the_gradient_of_a_gradient_is_there_for_backward():
    x = Value(2.0)
    derivative = grad(lambda t: t**3)(x)
    derivative.backward()
    assert (derivative.data, x.grad) == (12, 12)


def test_a_label_is_kept_for_errors():
    with pytest.raises(ZeroDivisionError, match=r"/ of 1\.0, distance = 0\.0"):
        grad(lambda x: 1 / x)(Value(0.0, label="distance"))


# ---- structures: lists, tuples, dicts, arrays and models


def test_a_gradient_has_the_structure_of_the_argument():
    def f(p):
        return p["a"] * p["b"][0] + p["b"][1][0] ** 2

    point = {"a": 2.0, "b": [3.0, (5.0,)]}
    assert grad(f)(point) == {"a": 3.0, "b": [2.0, (10.0,)]}
    assert jvp(f, (point,), (point,)) == (31.0, 62.0)
    assert vjp(f, point)[1](1.0) == (grad(f)(point),)
    assert hvp(f, (point,), (point,)) == {"a": 3.0, "b": [2.0, (10.0,)]}
    assert hessian(f)(point)["b"][0] == {"a": 1.0, "b": [0.0, (0.0,)]}
    assert hessian(f)(point)["b"][1][0] == {"a": 0.0, "b": [0.0, (2.0,)]}


def test_a_jacobian_has_the_outputs_structure_and_in_it_the_inputs():
    table = jacobian(lambda x: {"sum": x[0] + x[1], "both": (x[0] * x[1], 3.0)})([2.0, 5.0])
    assert table == {"sum": [1.0, 1.0], "both": ([5.0, 2.0], [0.0, 0.0])}


def test_an_output_may_stand_in_several_places():
    def f(x):
        y = x * x
        return [y, [y], x]

    assert jacobian(f)(3.0) == [6, [6], 1]
    for x in (3.0, Value(3.0)):
        assert plain(vjp(f, x)[1]([1, [10], 100])[0]) == 166


def test_tangents_are_matched_by_key_and_not_by_order():
    point = {"a": 2.0, "b": 3.0}
    assert jvp(lambda p: p["a"] * p["b"] ** 2, (point,), ({"b": 1.0, "a": 10.0},))[1] == 102
    pull = vjp(lambda x: {"one": x, "two": 2 * x}, 1.0)[1]
    assert pull({"two": 1.0, "one": 10.0}) == (12.0,)


def test_structures_without_numbers_are_as_good_as_others():
    for empty in ([], (), {}, [[], {}]):
        assert grad(lambda p: 3.0)(empty) == empty
        assert value_and_grad(lambda p: 3.0)(empty) == (3.0, empty)
        assert hessian(lambda p: 3.0)(empty) == empty
        assert jacobian(lambda p: [1.0, 2.0])(empty) == [empty, empty]
        assert jvp(lambda p: 3.0, (empty,), (empty,)) == (3.0, 0.0)
    assert jacobian(lambda x: [])([1.0]) == []
    assert jvp(lambda: 3.0, (), ()) == (3.0, 0.0)
    assert hvp(lambda: 3.0, (), ()) == vjp(lambda: 3.0)[1](1.0) == ()


def test_arguments_are_not_changed_by_a_function_that_changes_its_own():
    def f(p):
        p[0] = p[0] * 2
        return p[0] * p[1]

    array, numbers = np.array([1.0, 2.0]), [1.0, 2.0]
    assert grad(f)(array).tolist() == grad(f)(numbers) == [4.0, 2.0]
    assert array.tolist() == numbers == [1.0, 2.0]


A = np.array([[2.0, 1.0], [1.0, 3.0]])
X = np.array([1.0, 2.0])


def test_a_numpy_vector_gives_numpy_vectors_and_matrices():
    def f(x):
        return x @ A @ x

    for result, wanted in [
        (grad(f)(X), 2 * A @ X),
        (hessian(f)(X), 2 * A),
        (hvp(f, (X,), ([1.0, 0.0],)), 2 * A[0]),
        (jacobian(lambda x: A @ x)(X), A),
        (jacobian(lambda x: np.exp(x) * x[::-1])(np.zeros(2)), [[0, 1], [1, 0]]),
        (jvp(lambda x: A @ x, (X,), (np.array([1, 0]),))[1], A[:, 0]),
        (vjp(lambda x: A @ x, X)[1](np.array([1.0, 0.0]))[0], A[0]),
        (vjp(lambda x: A @ x, X)[0], A @ X),
    ]:
        assert isinstance(result, np.ndarray)
        assert result.dtype == float
        assert np.array_equal(result, wanted)


def test_arrays_of_any_shape_and_kind_of_number_are_taken():
    square = np.arange(4.0).reshape(2, 2)
    assert np.array_equal(grad(lambda p: (p @ p).sum())(square), [[3, 7], [5, 9]])
    assert jacobian(lambda p: p @ p)(square).shape == (2, 2, 2, 2)
    assert grad(lambda p: p[0] * p[1])(np.array([2, 3])).tolist() == [3.0, 2.0]
    assert grad(lambda p: p[0] * p[1])(np.array([2, 3], np.float32)).tolist() == [3.0, 2.0]
    thirds = np.array([Fraction(1, 3), Fraction(2, 3)])
    assert grad(lambda p: p[0] * p[1])(thirds).tolist() == [Fraction(2, 3), Fraction(1, 3)]
    values = grad(lambda p: p[0] * p[1])(np.array([Value(2.0), 3.0]))
    assert [v.data for v in values] == [3.0, 2.0]
    assert grad(lambda p: 3.0)(np.array([])).shape == (0,)


def test_an_array_without_dimensions_is_a_number_to_the_function():
    result = grad(mg.sin)(np.array(0.0))
    assert (result.shape, result.item()) == ((), 1.0)
    assert jvp(mg.sin, (np.array(0.0),), (2.0,)) == (0.0, 2.0)
    assert grad(lambda x: np.array(x * x))(3.0) == 6.0


def test_arrays_stand_among_other_structures():
    def f(p):
        return {"u": p["w"] * p["x"][0], "v": [p["x"] * 2]}

    table = jacobian(f)({"w": 2.0, "x": np.array([3.0, 4.0])})
    assert table["u"]["w"] == 3.0
    assert table["u"]["x"].tolist() == [2.0, 0.0]
    assert table["v"][0]["w"].tolist() == [0.0, 0.0]
    assert table["v"][0]["x"].tolist() == [[2.0, 0.0], [0.0, 2.0]]


def squared_error(model, x, target):
    return (model(x) - target) ** 2


def test_a_model_as_argument_gives_a_dict_by_path():
    model = MLP(2, [3, 1], activation="tanh", seed=0)
    derivatives = grad(squared_error)(model, [1.0, 2.0], 0.5)
    squared_error(model, [1.0, 2.0], 0.5).backward()
    assert {path: d.data for path, d in derivatives.items()} == {
        path: pytest.approx(p.grad, **ROUNDING) for path, p in model.named_parameters()
    }
    value, tangent = jvp(lambda m: squared_error(m, [1.0, 2.0], 0.5), (model,), (derivatives,))
    assert value.data == squared_error(model, [1.0, 2.0], 0.5).data
    assert tangent.data == pytest.approx(sum(d.data**2 for d in derivatives.values()), **ROUNDING)


def test_a_model_with_other_parameters_is_a_function_of_them():
    model = MLP(2, [3, 1], activation="tanh", seed=0)

    def loss(parameters):
        return squared_error(model.with_parameters(parameters), [1.0, 2.0], 0.5)

    loss(model.parameters()).backward()
    wanted = pytest.approx([p.grad for p in model.parameters()], **ROUNDING)
    assert [d.data for d in grad(loss)(model.parameters())] == wanted
    assert list(grad(loss)(model.state_dict()).values()) == wanted
    assert grad(loss)(np.array([p.data for p in model.parameters()])) == wanted


def test_a_model_inside_a_function_is_a_value_from_outside():
    model = MLP(1, [1], seed=0).with_parameters([w := Value(3.0), Value(1.0)])
    (slope,) = grad(lambda x: model(x) ** 2)([2.0])
    assert (slope.data, gradients(slope, w).data) == (42, 26)  # 2 * w * (2 * w + 1), 8 * w + 2


# ---- which arguments


def test_argnums_choose_the_arguments():
    def f(x, y, z=1.0):
        return x * y**2 * z

    assert grad(f)(2.0, 3.0) == grad(f, 0)(2.0, 3.0) == grad(f, -2)(2.0, 3.0) == 9
    assert grad(f, argnums=1)(2.0, 3.0) == grad(f, argnums=-1)(2.0, 3.0) == 12
    assert grad(f, argnums=(1, 0))(2.0, 3.0) == (12, 9)
    assert grad(f, argnums=[0])(2.0, 3.0) == (9,)
    assert grad(f, argnums=())(2.0, 3.0) == ()
    assert grad(f, argnums=np.int64(1))(2.0, 3.0) == 12
    assert value_and_grad(f, argnums=(0, -1))(2.0, 3.0) == (18, (9, 12))
    assert hessian(f, argnums=(0, 1))(2.0, 3.0) == ((0, 6), (6, 4))
    assert jacobian(f, argnums=(0, 1))(2.0, 3.0) == (9, 12)
    assert hvp(f, (2.0, 3.0), (1.0, 0.0)) == (0, 6)


def test_keyword_arguments_and_others_are_passed_on_as_they_are():
    def f(x, name, /, *rest, scale, data=None):
        assert (name, rest, data) == ("text", (None, {1}), [object])
        return scale * x**2

    for transform, wanted in [(grad, 60), (jacobian, 60), (hessian, 20)]:
        assert transform(f)(3.0, "text", None, {1}, scale=10.0, data=[object]) == wanted
    assert value_and_grad(f)(3.0, "text", None, {1}, scale=10.0, data=[object]) == (90, 60)


def test_an_auxiliary_output_is_passed_on_beside_the_gradient():
    def f(x):
        y = x * x
        return y * x, {"square": y, "text": "kept", "list": [x, None], "array": np.array([y, 1.0])}

    derivative, aux = grad(f, has_aux=True)(3.0)
    (value, again), same = value_and_grad(f, has_aux=True)(3.0)
    assert (value, derivative, same) == (27, 27, 27)
    for shown in (aux, again):
        assert {type(shown["square"]), type(shown["list"][0])} == {float}
        assert (shown["square"], shown["text"], shown["list"]) == (9, "kept", [3.0, None])
        assert shown["array"].tolist() == [9.0, 1.0]


def test_an_auxiliary_output_stays_connected_to_values_from_outside():
    w = Value(5.0)
    _, aux = grad(lambda x: (x, w * x), has_aux=True)(3.0)
    assert gradients(aux, w).data == 3
    assert grad(lambda x: grad(lambda y: (y, x * y), has_aux=True)(2.0)[1])(3.0) == 2


def test_a_transform_has_the_name_and_the_signature_of_the_function():
    def energy(x, y=2.0):
        """Return the energy."""
        return x * y

    for transform in (grad, value_and_grad, jacobian, hessian):
        transformed = transform(energy)
        assert (transformed.__name__, transformed.__doc__) == ("energy", "Return the energy.")
        assert inspect.signature(transformed) == inspect.signature(energy)
    assert grad(functools.partial(energy, y=3.0))(1.0) == 3
    assert grad(MLP(1, [1], seed=0).with_parameters([3.0, 1.0]))(2.0) == 3
    assert grad(abs)(-2.0) == -1
    assert grad(tanh)(0.0) == 1


# ---- errors say what must hold, what was got, and what to do instead


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: grad(3.0), TypeError, r"a transform needs a function, got 3\.0 \(float\)"),
        (lambda: jvp(3.0, (1.0,), (1.0,)), TypeError, r"needs a function, got 3\.0"),
        (lambda: vjp(3.0, 1.0), TypeError, r"needs a function, got 3\.0"),
        (lambda: hvp(3.0, (1.0,), (1.0,)), TypeError, r"needs a function, got 3\.0"),
        (lambda: taylor(3.0, 1.0, 1), TypeError, r"needs a function, got 3\.0"),
        (
            lambda: grad(lambda x: [x, x, x])(1.0),
            TypeError,
            r"^grad needs a function with one scalar output, got a list of 3; use jacobian$",
        ),
        (lambda: grad(lambda x: [x])(1.0), TypeError, r"one scalar output, got a list of 1"),
        (lambda: grad(lambda x: {"a": x})(1.0), TypeError, r"got a dict of 1; use jacobian"),
        (lambda: grad(lambda x: x)(X), TypeError, r"got Array\(.*\(Array\); use jacobian"),
        (lambda: value_and_grad(lambda x: (x, x))(1.0), TypeError, r"got a tuple of 2"),
        (lambda: hessian(lambda x: [x])(1.0), TypeError, r"^hessian needs a function with one"),
        (lambda: hvp(lambda x: [x], (1.0,), (1.0,)), TypeError, r"^hvp needs a function with"),
        (
            lambda: grad(lambda x: None)(1.0),
            TypeError,
            r"grad needs a function that returns a number, got None \(NoneType\)",
        ),
        (lambda: jacobian(lambda x: "a")(1.0), TypeError, r"that returns a number, got 'a' \(str"),
        (lambda: jvp(lambda x: 1j, (1.0,), (1.0,)), TypeError, r"a number, got 1j \(complex\)"),
        (
            lambda: grad(abs)("text"),
            TypeError,
            r"an argument to differentiate with respect to must be a number, .* got 'text' \(str\)",
        ),
        (lambda: grad(abs)([1.0, None]), TypeError, r"must be a number, .* got None \(NoneType\)"),
        (lambda: grad(abs)({1.0}), TypeError, r"must be a number, .* got \{1\.0\} \(set\)"),
        (lambda: grad(abs)(1j), TypeError, r"must be a number, .* got 1j \(complex\)"),
        (lambda: grad(sum)(np.array(["a"])), TypeError, r"a real number, got 'a' \(str\)"),
        (
            lambda: grad(abs, argnums=1)(1.0),
            IndexError,
            r"grad by argument 1, counted from 0, needs more positional arguments, got 1",
        ),
        (lambda: hessian(abs, argnums=-2)(1.0), IndexError, r"hessian by argument -2.* got 1"),
        (lambda: grad(abs)(x=1.0), IndexError, r"needs more positional arguments, got 0"),
        (lambda: grad(abs, argnums="x")(1.0), TypeError, r"argnums must be an integer.*'x'"),
        (lambda: grad(abs, argnums=0.0)(1.0), TypeError, r"argnums must be .*, got 0\.0"),
        (lambda: grad(abs, argnums=(0, "x"))(1.0), TypeError, r"argnums must be .*\(0, 'x'\)"),
        (lambda: grad(max, argnums=(0, 0))(1.0, 2.0), ValueError, r"each argument once.*\(0, 0\)"),
        (lambda: grad(max, argnums=(0, -2))(1.0, 2.0), ValueError, r"each argument once"),
        (
            lambda: grad(abs, has_aux=True)(1.0),
            TypeError,
            r"grad with has_aux needs a function that returns a pair \(output, aux\), got Value",
        ),
        (
            lambda: value_and_grad(lambda x: [x, x], has_aux=True)(1.0),
            TypeError,
            r"value_and_grad with has_aux .* got a list of 2",
        ),
        (
            lambda: jvp(abs, 1.0, (1.0,)),
            TypeError,
            r"jvp needs primals in a tuple, one for each argument .* got 1\.0; write \(primal,\)",
        ),
        (lambda: jvp(abs, (1.0,), 1.0), TypeError, r"tangents in a tuple.*write \(tangent,\)"),
        (lambda: hvp(abs, X, (X,)), TypeError, r"hvp needs primals in a tuple, .* got array"),
        (
            lambda: jvp(abs, (1.0,), (1.0, 2.0)),
            ValueError,
            r"the tangents must have the structure .* for each of \[0\]; got \[0\], \[1\]",
        ),
        (lambda: jvp(sum, ([1.0],), ({"a": 1.0},)), ValueError, r"of \[0\]\[0\]; got \[0\]\['a'\]"),
        (lambda: jvp(sum, (np.ones(9),), (1.0,)), ValueError, r"\[0\]\[3\] and 5 more; got \[0\]"),
        (lambda: jvp(abs, (1.0,), ("a",)), TypeError, r"must be a number, .* got 'a'"),
        (
            lambda: vjp(lambda x: [x, x], 1.0)[1](1.0),
            ValueError,
            r"the cotangent must have the structure .* of \[0\], \[1\]; got the number",
        ),
        (lambda: vjp(abs, 1.0)[1]([]), ValueError, r"each of the number; got nothing"),
        (lambda: gradients([Value(1.0)], Value(1.0)), TypeError, r"one scalar.* a list of 1"),
        (lambda: gradients(None, Value(1.0)), TypeError, r"one scalar to differentiate, got None"),
        (
            lambda: gradients(Value(1.0), 2.0),
            TypeError,
            r"Values to differentiate with respect to, got the number 2\.0",
        ),
        (
            lambda: gradients(Value(1.0), [Value(2.0).detach()]),
            ValueError,
            r"Values to differentiate with respect to, got the constant Value\(data=2\.0",
        ),
        (lambda: grad(math.sin)(1.0), TypeError, r"stay in the graph with `v\.exp\(\)`"),
    ],
)
def test_errors_say_what_was_got_and_what_to_do(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_arguments_are_checked_before_the_function_is_called():
    def f(*args):
        raise AssertionError("was called")

    with pytest.raises(IndexError):
        grad(f, argnums=2)(1.0)
    with pytest.raises(TypeError, match="must be a number"):
        grad(f)("text")
    with pytest.raises(ValueError, match="structure"):
        jvp(f, (1.0,), ([1.0],))
    with pytest.raises(ValueError, match="structure"):
        hvp(f, (1.0,), ([1.0],))
    with pytest.raises(ValueError, match="`order` must be an integer, at least 0, got -1"):
        taylor(f, 1.0, -1)


def test_a_derivative_that_does_not_exist_names_its_operation():
    for transform in ALL.values():
        with pytest.raises(ZeroDivisionError, match=r"^the derivative of sqrt of 0\.0"):
            transform(sqrt, 0.0)


@pytest.mark.parametrize(
    ("name", "partials", "kind", "message"),
    [
        ("too few", lambda out, x, y: (1,), ValueError, "a tuple of 2, one for each operand"),
        ("no tuple", lambda out, x, y: [1, 1], TypeError, "a tuple of 2, one for each operand"),
        ("no number", lambda out, x, y: (1, "a"), TypeError, "got 'a' .str. for operand 1"),
    ],
)
@every_transform
def test_partials_of_the_wrong_number_or_kind_are_refused(
    monkeypatch, transform, name, partials, kind, message
):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    odd = Primitive(name, lambda x, y: x * y, partials)
    with pytest.raises(kind, match=f"the partials of {name} must be .*{message}"):
        transform(lambda x: odd(x, x), 1.0)
    with pytest.raises(kind, match=f"the partials of {name} must be .*{message}"):
        transform(lambda x: odd(x, x), Value(1.0))


def test_a_rule_may_call_a_transform_itself(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    outside = Value(3.0)
    tripled = Primitive(  # the slope does not depend on x, though x may be the same Value
        "tripled",
        lambda x: 6 * x,
        lambda out, x: (grad(lambda t: t * t)(outside),),
    )
    square = Primitive("own square", lambda x: x * x, lambda out, x: (grad(lambda t: t * t)(x),))
    assert plain(grad(tripled)(outside)) == 6
    assert plain(hessian(tripled)(outside)) == 0
    assert [repeated(grad, square, n)(5.0) for n in range(4)] == [25, 10, 2, 0]
    assert hessian(square)(5.0) == 2


@pytest.mark.parametrize("name", ["grad", "jacobian", "jvp", "vjp"])
def test_infinities_follow_the_rules_of_floats_whether_as_numbers_or_as_graphs(name):
    def f(x):
        return mg.floor(x) * math.inf  # 0 times infinity is nan, and not 0

    assert math.isnan(ALL[name](f, 2.0)[-1])
    assert math.isnan(ALL[name](f, Value(2.0))[-1].data)


# ---- no_grad, exceptions and threads


@every_transform
def test_a_transform_differentiates_inside_no_grad_too(transform):
    w, x = Value(5.0), Value(2.0)
    for f, at in [(lambda x: x**4, 2.0), (lambda x: w * x**4, 2.0), (lambda x: x**4, x)]:
        wanted = [plain(result) for result in transform(f, at)]
        with no_grad():
            results = transform(f, at)
            assert not (x * x).parents
        assert [plain(result) for result in results] == wanted
        assert all(not isinstance(r, Value) or r.is_constant for r in results)


@every_transform
def test_a_no_grad_inside_the_function_is_respected(transform):
    def f(x):
        with no_grad():
            c = x * x
        return c * x**2

    assert transform(f, 3.0) == transform(lambda x: 9.0 * x**2, 3.0)


def test_gradients_inside_no_grad_are_constants():
    x = Value(3.0)
    y = x**3
    with no_grad():
        derivative = gradients(y, x)
    assert (derivative.data, derivative.is_constant) == (27, True)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@every_transform
def test_an_exception_leaves_no_state_behind(transform, error):
    def f(x):
        with no_grad():
            raise error

    with pytest.raises(error):
        transform(f, 2.0)
    assert (Value(1.0) * 2).parents
    with no_grad():
        with pytest.raises(error):
            transform(f, 2.0)
        assert not (Value(1.0) * 2).parents
    assert current(unrecorded) is None
    assert transform(lambda x: x**3, 2.0) == transform(lambda x: x * x * x, 2.0)


def test_threads_differentiate_at_the_same_time_without_meeting():
    def f(x):
        for _ in range(10):
            x = sin(x) + grad(lambda y, x=x: x * y)(2.0) / 2
        return x

    def work(i):
        x = 1 / (i + 1)
        with no_grad():
            return grad(f)(x), hessian(f)(x), taylor(f, x, 2)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [work(i) for i in range(16)]
    assert not any(block.is_on() for block in unrecorded.values())


# ---- a leaf that changed since it was used

STALE = r"the leaf Value\(.*label='w'\) has changed since; call refresh\(\)"


@every_transform
def test_a_graph_whose_leaf_has_changed_is_refused(transform):
    w = Value(2.0, label="w")
    square = w * w
    w.data = 3.0
    with pytest.raises(RuntimeError, match=STALE):
        transform(lambda x: x * square, 2.0)
    with pytest.raises(RuntimeError, match=STALE):
        transform(lambda x: x * x, square)
    square.refresh()
    assert plain(transform(lambda x: x * square, 1.0)[0]) in (9, 0)


def test_gradients_of_a_graph_whose_leaf_has_changed_are_refused():
    w = Value(2.0, label="w")
    y = w**3
    w.data = 3.0
    with pytest.raises(RuntimeError, match=STALE):
        gradients(y, w)
    y.refresh()
    assert gradients(y, w).data == 27


def test_a_pull_is_refused_once_a_leaf_from_outside_has_changed():
    w = Value(2.0, label="w")
    square = w * w
    _, pull = vjp(lambda x: square * (w * x), 3.0)
    assert plain(pull(1.0)[0]) == 8
    w.data = 5.0  # the partials at hand are 4, of before, and w, of now
    with pytest.raises(RuntimeError, match=STALE):
        pull(1.0)


# ---- gradients, of nodes


def test_gradients_have_the_structure_of_the_inputs_and_are_zero_where_unreachable():
    x, y, z = Value(2.0), Value(3.0), Value(5.0)
    result = gradients(x**2 * y, {"x": x, "rest": [y, (z,)]})
    assert result["x"].data == 12
    assert [result["rest"][0].data, result["rest"][1][0].data] == [4, 0]
    assert gradients(result["x"], [x, y])[1].data == 4
    assert gradients(result["rest"][1][0], x).data == 0
    assert [d.data for d in gradients(x * y, np.array([x, y]))] == [3, 2]
    assert gradients(7.0, x).data == 0


def test_gradients_by_inner_nodes_by_the_output_itself_and_twice_by_one():
    x = Value(3.0)
    inner = x * x
    y = inner * x
    assert [d.data for d in gradients(y, [inner, x, y, x])] == [3, 27, 1, 27]
    assert gradients(inner, y).data == 0


def test_a_node_to_derive_by_is_not_what_a_rule_computes_alike(monkeypatch):
    x = Value(3.0)
    inner = x**2
    by_x = gradients(inner * x**3, x)  # 3 * x**2 * inner + 2 * x * x**3, where x**2 is not inner
    assert (by_x.data, gradients(by_x, inner).data) == (405, 27)

    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    volume = Primitive("volume", lambda r, h: r * r * h, lambda out, r, h: (2 * r * h, r * r))
    height = x * x
    by_height = gradients(volume(x, height), height)
    assert (by_height.data, gradients(by_height, height).data) == (9, 0)


def test_gradients_of_gradients_reach_any_order():
    x = Value(0.7)
    y = x
    for order in range(1, 6):
        y = gradients(sin(x) if order == 1 else y, x)
        assert y.data == pytest.approx(math.sin(0.7 + order * math.pi / 2), **ROUNDING)


def test_gradients_by_a_model():
    model = MLP(1, [1], seed=0)
    result = gradients(model([3.0]), model)
    assert {path: d.data for path, d in result.items()} == {
        "layers.0.neurons.0.w.0": 3,
        "layers.0.neurons.0.b": 1,
    }


def test_constants_and_results_of_inner_no_grad_have_no_gradient():
    x = Value(3.0)
    with no_grad():
        y = x * x
    assert gradients(y * x, x).data == 9
    assert gradients(y * 2.0, x).data == 0
    with pytest.raises(ValueError, match="the constant"):
        gradients(x, y)


def test_a_constant_of_the_user_may_change_after_gradients_were_made():
    x, c = Value(3.0), Value(2.0).detach()
    first = gradients(x**2 * c, x)  # 2 * x * c: its 2 is not the user's
    c.data = 5.0
    second = gradients(x**2, x)
    assert second.data == 6
    assert gradients(second, x).data == 2
    first.refresh()
    assert first.data == 30


# ---- what it costs


@pytest.fixture
def asked(monkeypatch):
    """Return two primitives, a square and a product, and how often their partials were asked."""
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    count = Counter()

    def counting(name, partials):
        def counted(*operands):
            count[name] += 1
            return partials(*operands)

        return counted

    square = Primitive("square", lambda x: x * x, counting("square", lambda out, x: (2 * x,)))
    times = Primitive("times", lambda x, y: x * y, counting("times", lambda out, x, y: (y, x)))
    return square, times, count


def test_a_first_derivative_asks_each_node_once_for_its_partials(asked):
    square, times, count = asked

    def f(x):
        y = x[0]
        for other in x[1:]:
            y = times(square(y), other)  # 2**n paths lead from the output to x[0]
        return y

    x = [1.0] * 31
    for transform in (
        grad(f),
        value_and_grad(f),
        jacobian(f),
        lambda x: jvp(f, (x,), (x,)),
        lambda x: vjp(f, x)[1](1.0),
    ):
        count.clear()
        transform(x)
        assert count == {"square": 30, "times": 30}


def test_a_pull_asks_for_no_partials_again(asked):
    square, _, count = asked
    _, pull = vjp(lambda x: square(square(x)), 2.0)
    assert [pull(float(k)) for k in range(5)] == [(32.0 * k,) for k in range(5)]
    assert count == {"square": 2}


def test_a_hessian_of_many_inputs_asks_a_node_for_its_partials_twice(asked):
    square, _, count = asked

    def f(x):
        return sum(square(b - square(a)) for a, b in pairwise(x))

    for n in (5, 20):
        count.clear()
        hessian(f)([0.1 * i for i in range(n)])
        assert count["square"] <= 2 * 2 * (n - 1)


def test_what_is_behind_a_partial_of_none_is_not_asked(asked):
    square, _, count = asked

    def f(x):
        return where(x > 0, x, square(x)) * stop_gradient(square(x))

    for transform in ALL.values():
        transform(f, 2.0)
    assert not count


def multiplications(monkeypatch, call):
    """Return how often a call multiplies Fractions."""
    count = 0
    multiply = Fraction.__mul__, Fraction.__rmul__

    def counted(rule):
        def method(self, other):
            nonlocal count
            count += 1
            return rule(self, other)

        return method

    with monkeypatch.context() as patch:
        patch.setattr(Fraction, "__mul__", counted(multiply[0]))
        patch.setattr(Fraction, "__rmul__", counted(multiply[1]))
        call()
    return count


@pytest.mark.parametrize("n", [4, 12])
def test_a_gradient_costs_a_few_times_the_function_and_a_hessian_n_gradients(monkeypatch, n):
    def f(x):
        y = x[0]
        for a, b in pairwise(x):
            y = y * b + a * a * b
        return y

    x = [Fraction(k + 1, 3) for k in range(n)]

    def cost(transform):
        return multiplications(monkeypatch, lambda: transform(x))

    assert cost(grad(f)) <= 4 * cost(f)
    assert cost(lambda x: jvp(f, (x,), (x,))) <= 4 * cost(f)
    assert cost(lambda x: hvp(f, (x,), (x,))) <= 4 * cost(grad(f))
    assert cost(hessian(f)) <= 4 * n * cost(grad(f))
    assert cost(hessian(f)) >= n * n / 2  # the counter works


def nodes(*roots):
    return len(topological_order(*roots))


def rosenbrock(x):
    return mg.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x)])


def test_a_gradient_as_a_graph_has_a_few_times_the_nodes_of_the_function():
    for n in (5, 50):
        x = [Value(0.1 * k) for k in range(n)]
        y = rosenbrock(x)
        first = gradients(y, x)
        assert nodes(*first) <= 2 * nodes(y)
        assert nodes(*gradients(mg.dot(first, first), x)) <= 5 * nodes(y)
    model = MLP(3, [8, 8, 1], activation="tanh", seed=0)
    loss = model([0.1, 0.2, 0.3]) ** 2
    assert nodes(*gradients(loss, model.parameters())) <= 3 * nodes(loss)


@pytest.mark.parametrize(
    "f", [lambda x: tanh(x * x), lambda x: exp(-x * x), lambda x: x**x, lambda x: sin(x) / x]
)
def test_equal_parts_of_high_derivatives_are_made_once(f):
    x = Value(0.7)
    y = f(x)
    for _ in range(6):
        y = gradients(y, x)
    assert nodes(y) < 400
    assert nodes(repeated(grad, f, 6)(x)) < 2000


DEEP = 10_000 if LONG else 2000  # calls may not nest so deeply


@pytest.mark.parametrize(
    ("transform", "length"),
    [
        (grad, DEEP),
        pytest.param(grad, 100_000, marks=pytest.mark.slow),
        (lambda f: lambda x: hvp(f, (x,), (1.0,)), DEEP),
        (lambda f: lambda x: jvp(f, (x,), (1.0,))[1], DEEP),
        (lambda f: lambda x: grad(f)(Value(x)).data, DEEP),
        (lambda f: lambda x: grad(grad(f))(x), DEEP),
    ],
)
def test_a_long_chain_is_no_harder_than_a_short_one(transform, length):
    def f(x, length):
        for _ in range(length):
            x = -x
        return x**3

    wanted = transform(functools.partial(f, length=10))(2.0)
    assert transform(functools.partial(f, length=length))(2.0) == wanted


@pytest.mark.parametrize("shift", [0.0, 0.7], ids=["a result", "an error"])
@every_transform
def test_a_graph_is_freed_with_its_result_and_without_the_garbage_collector(transform, shift):
    def call(x):
        with suppress(ZeroDivisionError):
            transform(lambda t: sin(t) * exp(t) + sqrt(x - shift), x)
            transform(lambda t: sin(t) * exp(t) + sqrt(t - shift), x)
        return weakref.ref(x)

    gc.collect(0)
    gc.disable()
    try:
        x = call(Value(0.7))
        assert x() is None
        assert gc.collect(0) == 0  # of what is new: to look through all takes a second
    finally:
        gc.enable()


def test_what_rules_made_is_remembered_until_it_is_freed_and_no_longer():
    gc.collect(0)
    before = len(linearization._own)
    x, y = Value(0.7), Value(0.3)
    slopes = gradients(sin(x * y) * exp(x), [x, y])
    assert len(linearization._own) > before
    del slopes
    assert len(linearization._own) == before


# ---- published functions


# The derivatives 0, 1, 2, … of a function at a point: as in the On-Line Encyclopedia of Integer
# Sequences, where there is a number.
SEQUENCES = {
    "tan, A009006": (mg.tan, 0, [0, 1, 0, 2, 0, 16, 0, 272, 0, 7936, 0]),
    "sec, A000364": (lambda x: 1 / mg.cos(x), 0, [1, 0, 1, 0, 5, 0, 61, 0, 1385, 0, 50521]),
    "exp(exp(x) - 1), A000110": (
        lambda x: exp(exp(x) - 1),
        0,
        [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975],
    ),
    "exp(sin(x)), A002017": (
        lambda x: exp(sin(x)),
        0,
        [1, 1, 1, 0, -3, -8, -3, 56, 217, 64, -2951],
    ),
    "x**x, A005727": (lambda x: x**x, 1, [1, 1, 2, 3, 8, 10, 54, -42, 944, -5112, 47160]),
    "exp(-x**2), Hermite": (
        lambda x: exp(-x * x),
        0,
        [1, 0, -2, 0, 12, 0, -120, 0, 1680, 0, -30240],
    ),
    "asin, A001818": (mg.asin, 0, [0, 1, 0, 1, 0, 9, 0, 225, 0, 11025, 0]),
    "atan": (mg.atan, 0, [0, 1, 0, -2, 0, 24, 0, -720, 0, 40320, 0]),
    "1 / (1 + x**2), Runge": (
        lambda x: 1 / (1 + x * x),
        0,
        [1, 0, -2, 0, 24, 0, -720, 0, 40320, 0, -3628800],
    ),
    "log(1 + x)": (mg.log1p, 0, [0, 1, -1, 2, -6, 24, -120, 720, -5040, 40320, -362880]),
    "sigmoid": (
        mg.sigmoid,
        0,
        [0.5, 0.25, 0, -0.125, 0, 0.25, 0, -1.0625, 0, 7.75, 0],
    ),
    "x * exp(x)": (lambda x: x * exp(x), 0, list(range(11))),
}


@pytest.mark.parametrize(("f", "x", "sequence"), SEQUENCES.values(), ids=SEQUENCES)
def test_derivatives_are_the_published_sequences(f, x, sequence):
    series = taylor(f, float(x), 10)
    assert [c * math.factorial(k) for k, c in enumerate(series)] == pytest.approx(
        sequence, **ORDER_TEN
    )
    for order in (1, 2, 5):
        assert repeated(grad, f, order)(float(x)) == pytest.approx(sequence[order], **ORDER_TEN)


# Functions, the same for mpmath, and a point.
PUBLISHED = {
    "exp(-x**2)": (lambda x: exp(-x * x), lambda x: mp.exp(-x * x), 0.7),
    "1 / (1 + x**2)": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x), -2.0),
    "tan": (mg.tan, mp.tan, 0.7),
    "sin(x) / x": (lambda x: sin(x) / x, mp.sinc, 3.0),
    "log(1 + x)": (lambda x: mg.log(1 + x), lambda x: mp.log(1 + x), 0.5),
    "x * exp(x)": (lambda x: x * exp(x), lambda x: x * mp.exp(x), -2.0),
    "erf": (mg.erf, mp.erf, 0.7),
    "x**x": (lambda x: x**x, lambda x: x**x, 0.5),
    "sqrt(1 + x)": (lambda x: sqrt(1 + x), lambda x: mp.sqrt(1 + x), -0.5),
    "sigmoid": (mg.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), 1.0),
    "tanh(x**2)": (lambda x: tanh(x * x), lambda x: mp.tanh(x * x), 0.7),
    "gelu": (mg.gelu, lambda x: x * mp.ncdf(x), 0.7),
}


@pytest.mark.parametrize(("f", "formula", "x"), PUBLISHED.values(), ids=PUBLISHED)
def test_ten_nested_grads_are_as_exact_as_rounding_allows(f, formula, x):
    with mp.workdps(50):
        wanted = [float(d) for d in mp.diffs(formula, mp.mpf(x), 10)]
    for order in (4, 10):
        assert repeated(grad, f, order)(x) == pytest.approx(wanted[order], **ORDER_TEN)


def beale(x, y):
    return sum(
        (c - x + x * y**k) ** 2
        for k, c in ((1, Fraction(3, 2)), (2, Fraction(9, 4)), (3, Fraction(21, 8)))
    )


# Moré, Garbow & Hillstrom 1981, "Testing Unconstrained Optimization Software", and Himmelblau 1972:
# a function, a point, the value, the gradient and the Hessian.
OPTIMIZATION = {
    "Rosenbrock": (
        lambda x, y: 100 * (y - x**2) ** 2 + (1 - x) ** 2,
        (Fraction(-6, 5), 1),
        Fraction(121, 5),
        (Fraction(-1078, 5), -88),
        ((1330, 480), (480, 200)),
    ),
    "Beale": (
        beale,
        (1, 1),
        Fraction(909, 64),
        (0, Fraction(111, 4)),
        ((0, Fraction(111, 4)), (Fraction(111, 4), Fraction(137, 2))),
    ),
    "Himmelblau": (
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        (3, 2),
        0,
        (0, 0),
        ((74, 20), (20, 34)),
    ),
    "Powell": (
        lambda a, b, c, d: (
            (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4
        ),
        (3, -1, 0, 1),
        215,
        (306, -144, -2, -310),
        ((482, 20, 0, -480), (20, 212, -24, 0), (0, -24, 58, -10), (-480, 0, -10, 490)),
    ),
}


@pytest.mark.parametrize(
    ("f", "point", "value", "gradient", "table"), OPTIMIZATION.values(), ids=OPTIMIZATION
)
def test_gradients_and_hessians_are_the_published_ones(f, point, value, gradient, table):
    point = tuple(map(Fraction, point))
    by = tuple(range(len(point)))
    assert value_and_grad(f, by)(*point) == (value, gradient)
    assert hessian(f, by)(*point) == table
    assert tuple([hvp(f, point, unit) for unit in np.eye(len(by), dtype=int).tolist()]) == table


# ---- with SciPy


def test_scipy_minimizes_with_our_gradient_and_hessian_as_written():
    def f(x):
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    x0 = np.array([-1.2, 1.0])
    for method, more in [
        ("BFGS", {}),
        ("L-BFGS-B", {}),
        ("trust-exact", {"hess": hessian(f)}),
        ("Newton-CG", {"hess": hessian(f)}),
        ("Newton-CG", {"hessp": lambda x, v: hvp(f, (x,), (v,))}),
    ]:
        found = optimize.minimize(value_and_grad(f), x0, jac=True, method=method, **more)
        assert found.success
        assert found.x == pytest.approx([1, 1], abs=1e-4)
    found = optimize.minimize(value_and_grad(f), x0, jac=True)
    assert found.x == pytest.approx([1, 1], abs=1e-4)


def test_scipys_own_derivatives_of_rosenbrock_are_ours():
    x = np.array([-1.2, 1.0, 0.5, 2.0])
    assert grad(rosenbrock)(x) == pytest.approx(optimize.rosen_der(x), **ROUNDING)
    assert hessian(rosenbrock)(x) == pytest.approx(optimize.rosen_hess(x), **ROUNDING)
    assert hvp(rosenbrock, (x,), (x,)) == pytest.approx(optimize.rosen_hess_prod(x, x), **ROUNDING)


def test_scipy_finds_roots_with_our_jacobian():
    def f(x):
        return [x[0] ** 2 - x[1], x[0] + sin(x[1])]

    assert optimize.root(f, [1.0, 2.0], jac=jacobian(f)).x == pytest.approx([0, 0], abs=1e-9)
    found = optimize.least_squares(f, [1.0, 2.0], jac=jacobian(f))
    assert found.cost == pytest.approx(0, abs=1e-12)
    halley = optimize.newton(
        lambda x: x * x - 2,
        1.0,
        fprime=grad(lambda x: x * x - 2),
        fprime2=hessian(lambda x: x * x - 2),
    )
    assert halley == pytest.approx(math.sqrt(2))
