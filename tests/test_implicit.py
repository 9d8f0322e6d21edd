"""Implicit functions beside closed forms, to any order, in Python and in kernels."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import microgrid as mg
from microgrid import Value, grad, gradients, minimum_of, root
from tests.search import usual

# A solution is within a few ulp; each derivative divides once more by the slope, which is 1 or so.
CLOSE = 1e-11


def nth(f, order):
    for _ in range(order):
        f = grad(f)
    return f


def square_root(a):
    return root(lambda x, a: x * x - a, 1.0, a)


def lambert(a):
    return root(lambda x, a: x * mg.exp(x) - a, 0.5, a)


def cosine_s(a):
    return root(lambda x, a: a * mg.cos(x) - x, 0.5, a)


@pytest.mark.parametrize(
    ("f", "formula"), [(square_root, mp.sqrt), (lambert, mp.lambertw)], ids=["sqrt", "lambertw"]
)
def test_derivatives_of_any_order_are_those_of_the_closed_form(f, formula):
    points = [0.5, 2.0, 30.0]
    kernels = mg.compile(lambda a: [nth(f, order)(a) for order in range(3)])(np.array(points))
    for order in range(6):
        exact = [float(mp.re(mp.diff(formula, a, order))) for a in points]
        assert [nth(f, order)(a) for a in points] == pytest.approx(exact, rel=CLOSE)
        if order < len(kernels):
            assert kernels[order] == pytest.approx(exact, rel=CLOSE)
    assert mg.taylor(f, 2.0, 5) == pytest.approx(mp.taylor(formula, 2, 5), rel=CLOSE)


@given(st.floats(0.1, 2.0))
@usual(30)
def test_what_f_closes_over_is_differentiated_too(a):
    given_ = Value(a)
    x = root(lambda x: given_ * mg.cos(x) - x, 0.5)
    (second,) = [gradients(gradients(x, given_), given_)]
    assert x.data == pytest.approx(cosine_s(a))
    assert second.data == pytest.approx(nth(cosine_s, 2)(a), rel=CLOSE)


def circle_and_line(a, b):
    return root(lambda x, a, b: [x[0] * x[0] + x[1] * x[1] - a, x[1] - b * x[0]], [1.0, 1.0], a, b)


def by_hand(a, b):
    x = mg.sqrt(a / (1 + b * b))
    return [x, b * x]


@pytest.mark.parametrize("k", [0, 1])
def test_several_numbers_are_a_function_of_several(k):
    point, both = (2.0, 0.75), [0, 1]
    for wrap in (lambda f: f, mg.compile):
        for transform in (grad, mg.hessian):
            found = wrap(transform(lambda *xs: circle_and_line(*xs)[k], both))(*point)
            expected = transform(lambda *xs: by_hand(*xs)[k], both)(*point)
            assert np.array(found) == pytest.approx(np.array(expected), rel=CLOSE)
    tangent = mg.jvp(lambda *xs: circle_and_line(*xs)[k], point, (1.0, 0.5))
    assert tangent == pytest.approx(mg.jvp(lambda *xs: by_hand(*xs)[k], point, (1.0, 0.5)))


def test_backward_adds_to_the_leaves_of_both_arguments_and_closures():
    a, b = Value(2.0), Value(0.75)
    x, y = circle_and_line(a, b)
    (x * y).backward()
    c, d = Value(2.0), Value(0.75)
    u, v = by_hand(c, d)
    (u * v).backward()
    assert (a.grad, b.grad) == pytest.approx((c.grad, d.grad), rel=CLOSE)


def test_numbers_alone_give_numbers():
    assert type(root(lambda x: x * x - 2.0, 1.0)) is float
    assert root(lambda x: [x[0] - 1.0, x[1] * 2.0], [0.0, 3.0]) == [1.0, 0.0]


# ---- minima


def softened(a):
    return minimum_of(lambda x, a: (x - a) ** 2 / 2 + mg.exp(x), 0.0, a)


def test_a_minimum_is_the_root_of_its_gradient():
    def of_root(a):
        return root(lambda x, a: x - a + mg.exp(x), 0.0, a)

    for a in (-1.0, 0.5, 3.0):
        for order in range(4):
            assert nth(softened, order)(a) == pytest.approx(nth(of_root, order)(a), rel=CLOSE)
    kernel = mg.compile(nth(softened, 2))(np.array([-1.0, 0.5]))
    assert kernel == pytest.approx([nth(softened, 2)(a) for a in (-1.0, 0.5)], rel=CLOSE)


def test_the_weights_of_a_ridge_regression_are_a_function_of_its_penalty():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(6, 2)), rng.normal(size=6)

    def loss(w, penalty):
        errors = [mg.dot(row, w) - y for row, y in zip(rows.tolist(), targets, strict=True)]
        return mg.dot(errors, errors) + penalty * mg.dot(w, w)

    found = mg.jacobian(lambda penalty: minimum_of(loss, [0.0, 0.0], penalty))(0.5)
    inverse = np.linalg.inv(rows.T @ rows + 0.5 * np.eye(2))
    assert found == pytest.approx(-inverse @ inverse @ rows.T @ targets, rel=CLOSE)


def test_rosenbrocks_valley_is_walked_to_its_end():
    def valley(x, a):
        return (a - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2

    found = minimum_of(valley, [-1.2, 1.0], 1.0)
    assert found == pytest.approx([1.0, 1.0], rel=1e-9)
    slopes = mg.jacobian(lambda a: minimum_of(valley, [-1.2, 1.0], a))(1.0)
    assert slopes == pytest.approx([1.0, 2.0], rel=1e-7)


def test_a_saddle_is_no_minimum_and_a_flat_valley_is_one():
    with pytest.raises(RuntimeError, match=r"got a saddle .* at x = \[0.0, 0.0\]"):
        minimum_of(lambda x: x[0] * x[0] - x[1] * x[1], [1.0, 0.0])
    with pytest.raises(RuntimeError, match=r"a maximum at x = \[0\.0\]"):
        minimum_of(lambda x: mg.cos(x), 0.0)
    assert minimum_of(lambda x: x[0] ** 4 + (x[1] - 1.0) ** 2, [0.0, 0.0]) == [0.0, 1.0]
    assert minimum_of(lambda x: (x[0] - x[1]) ** 2, [1.0, 1.0]) == [1.0, 1.0]


# ---- what has no answer


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: root(lambda x: x * x + 1.0, 1.0), RuntimeError, "root .* within 200 steps"),
        (lambda: root(lambda x: x * x - 2.0, 0.0), ValueError, r"a singular one at x = \[0.0\]"),
        (lambda: root(lambda x: [x, x], 1.0), ValueError, "as many results of f .* 1, got 2"),
        (lambda: root(lambda x: x, []), ValueError, "at least one number as x0"),
        (lambda: root(lambda x: math.inf * x, 1.0), ValueError, "are finite, got x0"),
        (lambda: root(3, 1.0), TypeError, "`f` must be a function"),
        (lambda: root(lambda x: "x", 1.0), TypeError, "root"),
        (lambda: minimum_of(lambda x: -x * x, 1.0), RuntimeError, "minimum_of did not converge"),
        (lambda: minimum_of(lambda x: [x], 1.0), ValueError, "a single number from f"),
    ],
)
def test_an_error_says_what_is_needed(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_division_by_zero_in_f_is_its_own_whatever_it_says():
    def f(x):
        raise ZeroDivisionError("a singular case")

    with pytest.raises(ZeroDivisionError, match=r"^a singular case"):
        root(f, 1.0)


def test_in_a_kernel_nan_says_that_there_is_no_root():
    found = mg.compile(square_root)(np.array([4.0, -1.0]))
    assert found[0] == 2.0
    assert math.isnan(found[1])


def test_a_step_into_the_undefined_is_shortened():
    assert root(lambda x: mg.log(x), 3.0) == pytest.approx(1.0)  # the first step goes below 0
    assert mg.compile(lambda a: root(lambda x: mg.log(x) - a, 3.0))(0.0) == pytest.approx(1.0)


def test_there_is_c_source_of_a_root_and_its_derivatives():
    compiled = mg.compile(grad(square_root))
    compiled(2.0)
    assert "sqrt" not in compiled.source("c")


# ---- what else reads a graph


def test_a_solution_is_copied_and_pickled_and_draws_as_any_node():
    a = Value(2.0, label="a")
    x = square_root(a)
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        other.backward()
        assert (other.data, other.parents[-1].grad) == (x.data, nth(square_root, 1)(2.0))
    assert mg.formula(x * 3.0, by=a).expression.startswith("3/(2*root(")
    assert "root" in str(mg.explain(x * 3.0, a))


def test_a_solution_is_not_taken_for_that_of_other_numbers():
    a = Value(2.0, label="a")
    x = square_root(a) * 3.0
    assert "recomputed by Python alone" in mg.explore(x).fixed
    a.data = 3.0
    with pytest.raises(RuntimeError, match=r"a root of other numbers: call root again"):
        x.refresh()


def test_nan_is_no_other_number():
    assert math.isnan(mg.compile(square_root)(math.nan))
    with pytest.raises(ValueError, match="are finite"):
        square_root(math.nan)
