"""The special functions, each beside mpmath, NumPy or the law that it is named for."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

import microgrid as mg
from microgrid import Value, special
from microgrid.calculus import grad, gradients

DIGITS = 40
# Of a derivative: that of a sum whose terms may cancel is as far off as the greatest of them is.
OF_DERIVATIVES = 1e-11
SMALL = st.floats(-5, 5)


def nth(f, order):
    for _ in range(order):
        f = grad(f)
    return f


def close(x, y, tolerance=OF_DERIVATIVES):
    return abs(x - y) <= tolerance * max(1, abs(y))


EXACTLY = {
    "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "digamma": mp.digamma,
    "ndtr": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "log_ndtr": lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2),
    "erfinv": mp.erfinv,
    "logit": lambda x: mp.log(x / (1 - x)),
    "sinc": mp.sincpi,
}
POINTS = {
    "lgamma": [0.25, 1.0, 30.0, -2.25],
    "digamma": [0.25, 1.0, 30.0, -2.25],
    "ndtr": [-3.0, -0.5, 0.0, 2.0],
    "log_ndtr": [-40.0, -6.0, -4.0, -2.0, -1.0, 0.0, 1.5],
    "erfinv": [-0.875, 0.0, 0.25, 0.75],
    "logit": [0.125, 0.5, 0.875],
    "sinc": [0.125, 0.5, 1.25, -3.0, 7.5],
}


@pytest.mark.parametrize("name", EXACTLY)
def test_derivatives_of_any_order_are_mpmath_s_in_python_and_in_kernels(name):
    f = getattr(mg, name)
    for x in POINTS[name]:
        with mp.workdps(DIGITS):
            expected = [float(mp.diff(EXACTLY[name], mpf(x), order)) for order in range(5)]
        assert all(close(nth(f, order)(x), exact) for order, exact in enumerate(expected)), x
    kernels = mg.compile(lambda x: [nth(f, order)(x) for order in range(3)])(np.array(POINTS[name]))
    for order, kernel in enumerate(kernels):
        python = [nth(f, order)(x) for x in POINTS[name]]
        assert all(map(close, kernel.tolist(), python)), order


def test_polygamma_has_every_order():
    xs = np.array([0.3, 1.0, 2.5, 40.0, -0.75, -3.5])
    orders = (0, 1, 2, 3, 8)
    kernels = mg.compile(lambda x: [mg.polygamma(n, x) for n in orders])(xs)
    for n, kernel in zip(orders, kernels, strict=True):
        exact = [float(mp.psi(n, mpf(x))) for x in xs]
        assert all(map(close, kernel.tolist(), exact)), n
        assert all(map(close, [mg.polygamma(n, x) for x in xs.tolist()], exact)), n


def test_polygamma_refuses_an_order_that_is_none():
    with pytest.raises(ValueError, match="`n` must be an integer, at least 0, got -1"):
        mg.polygamma(-1, 2.0)
    with pytest.raises(TypeError, match="`n` must be an integer"):
        mg.polygamma(1.5, 2.0)
    with pytest.raises(ValueError, match="at most 100, got 101"):
        mg.polygamma(101, 2.0)


@given(st.floats(0.1, 20))
def test_lgamma_is_a_sum_of_logarithms(x):
    assert close(mg.lgamma(x + 1), mg.lgamma(x) + math.log(x))
    assert close(mg.digamma(x + 1), mg.digamma(x) + 1 / x)


def test_bernoulli_s_numbers_are_mpmath_s():
    expected = [float(mp.bernoulli(2 * j)) for j in range(1, 11)]
    assert special.bernoulli(10) == pytest.approx(expected, rel=1e-15)


@given(SMALL)
def test_a_probability_and_that_of_the_opposite_are_1_together(x):
    assert close(mg.ndtr(x) + mg.ndtr(-x), 1)
    assert close(mg.log_ndtr(x), math.log(mg.ndtr(x)))


def test_log_ndtr_is_right_where_the_probability_is_no_float_or_1():
    assert mg.log_ndtr(-40.0) == pytest.approx(-804.6084420137538, rel=1e-15)
    assert mg.log_ndtr(-1e5) == pytest.approx(-5000000012.431863, rel=1e-15)
    assert mg.log_ndtr(37.0) == pytest.approx(-5.725571222524579e-300, rel=1e-12)
    assert (mg.log_ndtr(40.0), mg.log_ndtr(math.inf), mg.log_ndtr(-math.inf)) == (0, 0, -math.inf)
    assert grad(mg.log_ndtr)(-1e5) == pytest.approx(100000.00001, rel=1e-15)
    assert grad(mg.log_ndtr)(40.0) == pytest.approx(mp.npdf(40), rel=1e-12)


@given(st.floats(-0.999, 0.999))
def test_erfinv_is_the_inverse_of_erf(y):
    assert close(math.erf(mg.erfinv(y)), y, 1e-15)


def test_at_the_ends_of_erfinv_python_raises_and_a_kernel_is_infinite():
    for y in (1.0, -1.0, 2.0):
        with pytest.raises(ValueError, match=r"erfinv of .*between -1 and 1"):
            mg.erfinv(y)
    found = mg.compile(mg.erfinv)(np.array([1.0, -1.0, 2.0, math.nan]))
    assert found.tolist()[:2] == [math.inf, -math.inf]
    assert np.isnan(found[2:]).all()


@given(SMALL, SMALL)
def test_logaddexp_is_numpys(x, y):
    assert close(mg.logaddexp(x, y), float(np.logaddexp(x, y)))


XLOGY = [(0.0, 3.0), (2.0, 3.0), (0.0, 0.0), (0.0, -1.0), (0.0, math.inf), (-2.0, 0.5)]


@pytest.mark.parametrize(("x", "y"), XLOGY)
def test_xlogy_is_0_at_0_whatever_it_is_times(x, y):
    expected = x * math.log(y) if x else 0.0
    by = (math.log(y) if 0 < y < math.inf else 0.0, x / y if x else 0.0)
    assert mg.xlogy(x, y) == expected
    assert grad(mg.xlogy, [0, 1])(x, y) == by
    assert mg.compile(mg.xlogy)(x, y) == pytest.approx(expected, rel=1e-15)
    assert mg.compile(grad(mg.xlogy, [0, 1]))(x, y) == pytest.approx(by, rel=1e-15)


def test_xlogy_hides_no_nan_and_takes_arrays():
    assert math.isnan(mg.xlogy(0.0, math.nan))
    assert math.isnan(mg.xlogy(math.nan, 2.0))
    ours = mg.xlogy(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    assert ours.tolist() == [0.0, math.log(2)]
    target = Value(0.0).detach()
    p = Value(0.0)
    mg.xlogy(target, p).backward()
    assert p.grad == 0.0


def test_logit_is_the_inverse_of_sigmoid():
    for x in (-30.0, -1.0, 0.0, 2.0, 10.0):
        assert close(mg.logit(mg.sigmoid(x)), x)
    assert mg.compile(mg.logit)(np.array([0.0, 1.0])).tolist() == [-math.inf, math.inf]


def test_sinc_is_numpys_and_smooth_at_0():
    xs = np.linspace(-4, 4, 33)
    assert mg.compile(mg.sinc)(xs) == pytest.approx(np.sinc(xs), rel=1e-15, abs=1e-16)
    assert [mg.sinc(x) for x in xs.tolist()] == pytest.approx(np.sinc(xs), rel=1e-15)
    expected = [1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5, 0, -(math.pi**6) / 7]
    assert [nth(mg.sinc, n)(0.0) for n in range(7)] == pytest.approx(expected, rel=1e-14)
    assert math.isnan(mg.sinc(math.nan))


# ---- tables

PLACES, HEIGHTS = [-1.0, 0.5, 2.0, 4.0], [3.0, -1.0, 0.1, 7.0]


def test_interp_is_numpys():
    xs = [-2.0, *PLACES, *[(x + y) / 3 for x, y in pairwise(PLACES)], 5.0, math.inf, -math.inf]
    expected = pytest.approx(np.interp(xs, PLACES, HEIGHTS), rel=1e-15)
    assert [mg.interp(x, PLACES, HEIGHTS) for x in xs] == expected
    assert mg.compile(lambda x: mg.interp(x, PLACES, HEIGHTS))(np.array(xs)) == expected
    assert [mg.interp(x, PLACES, HEIGHTS) for x in PLACES] == HEIGHTS
    assert math.isnan(mg.interp(math.nan, PLACES, HEIGHTS))
    assert mg.interp(7.0, [1.0], [5.0]) == 5.0


def test_the_slope_of_interp_at_a_point_is_that_of_the_line_after_it():
    def slope(x):
        return grad(lambda x: mg.interp(x, PLACES, HEIGHTS))(x)

    lines = np.diff(HEIGHTS) / np.diff(PLACES)
    assert [slope(x) for x in PLACES] == pytest.approx([*lines, 0.0], rel=1e-15)
    assert (slope(-1.5), slope(4.5)) == (0.0, 0.0)


def test_a_table_may_be_of_values():
    x, places, heights = Value(1.0), list(map(Value, PLACES)), list(map(Value, HEIGHTS))
    by_places, by_heights = gradients(mg.interp(x, places, heights), [places, heights])
    slope = (0.1 + 1.0) / 1.5
    assert [g.data for g in by_heights] == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert [g.data for g in by_places] == pytest.approx([0, -slope * 2 / 3, -slope / 3, 0])
    compiled = mg.compile(grad(lambda xs, ys, x: mg.interp(x, xs, ys)))(PLACES, HEIGHTS, 1.0)
    assert compiled == pytest.approx([g.data for g in by_places])


@pytest.mark.parametrize(
    ("places", "heights", "message"),
    [
        ([], [], "interp needs at least one point"),
        ([1.0, 2.0], [1.0], "must be of one length, got 2 and 1"),
        ([1.0, 1.0], [1.0, 2.0], "above the one before, got 1.0 and 1.0 as entries 0 and 1"),
        ([1.0, math.nan], [1.0, 2.0], "above the one before"),
    ],
)
def test_a_table_out_of_order_is_refused(places, heights, message):
    with pytest.raises(ValueError, match=message):
        mg.interp(0.5, places, heights)
