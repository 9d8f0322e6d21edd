"""Small linear systems in lists: the laws of a solution, beside NumPy, in Python and in kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Value, linalg
from microgrid.calculus import grad, hessian, jacobian

# A random matrix here has a condition number below 1e4.
CLOSE = 1e-10


@st.composite
def systems(draw):
    n = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    while np.linalg.cond(matrix := rng.normal(size=(n, n))) > 1e4:
        pass
    return matrix.tolist(), rng.normal(size=n).tolist()


@given(systems())
def test_solutions_inverses_and_determinants_are_numpys(system):
    a, b = system
    assert linalg.solve(a, b) == pytest.approx(np.linalg.solve(a, b), rel=CLOSE, abs=CLOSE)
    columns = [[x, 2 * x] for x in b]
    assert np.array(linalg.solve(a, columns)) == pytest.approx(
        np.linalg.solve(a, columns), rel=CLOSE, abs=CLOSE
    )
    assert np.array(linalg.inv(a)) == pytest.approx(np.linalg.inv(a), rel=CLOSE, abs=CLOSE)
    assert linalg.det(a) == pytest.approx(np.linalg.det(a), rel=CLOSE, abs=CLOSE)


@given(systems())
def test_the_derivative_of_a_determinant_is_that_times_the_transposed_inverse(system):
    a, _ = system
    expected = np.linalg.det(a) * np.linalg.inv(a).T
    assert np.array(grad(linalg.det)(a)) == pytest.approx(expected, rel=CLOSE, abs=CLOSE)


def test_kernels_choose_pivots_row_by_row_and_differentiate_to_any_order():
    def first(t):  # for t = 0 the rows must change places
        return linalg.solve([[t, 1.0, 2.0], [1.0, t, 0.0], [3.0, 1.0, t]], [1.0, 2.0, t])[0]

    ts = np.array([0.0, 1.0, -2.5, 10.0])
    for f in (first, grad(first), grad(grad(first))):
        assert mg.compile(f)(ts) == pytest.approx([f(t) for t in ts.tolist()], rel=CLOSE)
    assert np.array(jacobian(linalg.inv)([[2.0]])).ravel() == pytest.approx([-0.25])
    matrix = [[2.0, 1.0], [0.5, 3.0]]
    found = mg.compile(hessian(lambda a: linalg.solve(a, [1.0, 2.0])[1]))(matrix)
    expected = hessian(lambda a: linalg.solve(a, [1.0, 2.0])[1])(matrix)
    assert np.array(found) == pytest.approx(np.array(expected), rel=CLOSE)


def test_the_derivative_of_a_determinant_is_right_where_it_is_0():
    assert grad(linalg.det)([[1.0, 2.0], [2.0, 4.0]]) == [[4.0, -2.0], [-2.0, 1.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]), "solve needs .* singular"),
        (lambda: linalg.inv([[0.0]]), r"inv needs .* singular, got \[\[0.0\]\]"),
        (lambda: linalg.det([[1.0, 2.0]]), "det needs a square matrix, .* got 1 rows and 2"),
        (lambda: linalg.solve([[1.0]], [1.0, 2.0]), "got 2 for 1"),
    ],
)
def test_what_has_no_answer_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_value_in_a_matrix_gets_its_gradient():
    a = Value(4.0)
    (x,) = linalg.solve([[a]], [2.0])
    x.backward()
    assert (x.data, a.grad) == (0.5, -0.125)
