"""NumPy's functions on arrays of `Value`s: number, derivative and kernel are what NumPy's are."""

import numpy as np
import pytest

from microgrid import Value, grad
from microgrid import compile as compiled
from microgrid.arrays import array

ROUNDING = {"rtol": 1e-12, "atol": 1e-13}  # of some operations in another order
STEP = 1e-6
DIFFERENCES = {"rtol": 1e-6, "atol": 1e-7}  # what a central difference of that step leaves

V = np.array([0.13, -0.71, 1.23, -1.9, 0.58, 0.42])
POSITIVE = abs(V) + 0.1
BELOW_ONE = V / 2
M = np.array([[0.3, -1.2, 0.7], [1.9, 0.4, -0.6], [-0.2, 2.3, 1.1], [0.9, -0.8, -1.7]])
S = M[:3] + np.diag([0.0, 1.0, -1.0])
LARGE = np.sin(np.arange(49.0) ** 2).reshape(7, 7)


def of_values(x):
    """Return an array of `Value`s of these numbers."""
    return array([Value(float(t)) for t in np.ravel(x)]).reshape(np.shape(x))


def numbers(result):
    """Return what a function of an array gave, as floats."""
    elements = np.asarray(result, object)
    data = [t.data if isinstance(t, Value) else float(t) for t in elements.ravel().tolist()]
    return np.array(data, float).reshape(elements.shape)


def weighted(f):
    """Return a sum of what f returns in which no two parts have one weight."""

    def total(x):
        result = f(x)
        return (np.reshape(result, -1) * np.cos(np.arange(np.size(result)))).sum()

    return total


def differences(f, x):
    steps = [STEP * unit.reshape(x.shape) for unit in np.eye(x.size)]
    slopes = [(f(x + step) - f(x - step)) / (2 * STEP) for step in steps]
    return np.reshape(slopes, x.shape)


def ufuncs(names, point):
    return {name: (getattr(np, name), point) for name in names.split()}


def each_side(name, point=V):
    ufunc, other = getattr(np, name), point[::-1]
    return {
        f"{name}(x, y)": (lambda x: ufunc(x, other), point),
        f"{name}(y, x)": (lambda x: ufunc(other, x), point),
        f"{name}(x, x)": (lambda x: ufunc(x[:3], x[3:]), point),
    }


def written(lines, point):
    """Return the functions of x that are written in lines."""
    return {
        line: (eval(f"lambda x: {line}", globals()), point)
        for line in map(str.strip, lines.strip().splitlines())
    }


CASES = {
    **ufuncs("absolute negative positive fabs square reciprocal sign exp exp2 expm1 sin cos", V),
    **ufuncs("tan arctan sinh cosh tanh arcsinh floor ceil trunc rint fix cbrt conjugate", V),
    **ufuncs("radians deg2rad degrees rad2deg signbit isnan isfinite isinf logical_not", V),
    **ufuncs("sinc nan_to_num round isposinf isneginf", V),
    **ufuncs("arcsin arccos arctanh", BELOW_ONE),
    **ufuncs("log log2 log10 log1p sqrt", POSITIVE),
    **ufuncs("arccosh", POSITIVE + 1),
    **each_side("add"),
    **each_side("subtract"),
    **each_side("multiply"),
    **each_side("divide"),
    **each_side("floor_divide"),
    **each_side("remainder"),
    **each_side("maximum"),
    **each_side("minimum"),
    **each_side("fmax"),
    **each_side("fmin"),
    **each_side("copysign"),
    **each_side("heaviside"),
    **each_side("fmod"),
    **each_side("arctan2"),
    **each_side("hypot"),
    **each_side("logaddexp"),
    **each_side("logaddexp2"),
    **each_side("less"),
    **each_side("greater_equal"),
    **each_side("equal"),
    **each_side("not_equal"),
    **each_side("logical_and"),
    **each_side("logical_or"),
    **each_side("logical_xor"),
    **each_side("power", POSITIVE),
    **each_side("float_power", POSITIVE),
    **written(
        """
        2.0 ** x
        x ** 3
        x // 1
        x % 1
        np.divmod(x, 0.3)[0]
        np.divmod(x, 0.3)[1]
        np.modf(3 * x)[0]
        np.modf(3 * x)[1]
        np.ldexp(x, 3)
        np.max(x)
        np.min(x)
        np.sum(x)
        np.prod(x)
        np.mean(x)
        np.var(x)
        np.std(x)
        np.ptp(x)
        np.median(x)
        np.median(x[:5])
        np.percentile(x, 30)
        np.percentile(x, [10, 50, 90])
        np.quantile(x, 0.37, method="hazen")
        np.quantile(x, 0.4, method="nearest")
        np.quantile(x, 0.4, method="midpoint")
        np.quantile(x, 0.4, method="lower")
        np.sort(x)
        np.partition(x, 2)[2]
        np.cumsum(x)
        np.cumprod(x)
        np.diff(x)
        np.diff(x, n=2)
        np.ediff1d(x)
        np.gradient(x)
        np.gradient(x, 0.5, edge_order=2)
        np.gradient(x, np.array([0.0, 1, 3, 4, 7, 9]))
        np.gradient(x, np.array([0.0, 1, 3, 4, 7, 9]), edge_order=2)
        np.clip(x, -0.5, 0.5)
        np.clip(x, None, 0.2)
        x.clip(0)
        x.clip(max=0.1)
        np.average(x, weights=[1, 2, 3, 4, 5, 6])
        np.average(x)
        x.round(1)
        np.round(x, 2)
        np.round(1000 * x, -2)
        x.dot(x)
        x @ x
        np.dot(x, V)
        np.inner(x, x)
        np.outer(x, x)
        np.vdot(x, V)
        np.convolve(x, [1.0, 2, 3])
        np.convolve(x, x, "same")
        np.correlate(x, V, "full")
        np.polyval([1.0, 2, 3], x)
        np.polyval(x, 2.0)
        np.polyadd(x, V)
        np.polyder(x)
        np.polyint(x)
        np.unwrap(4 * x)
        np.interp(x, [-1.0, 0, 1], [0.0, 2, 1])
        np.interp(0.3, np.sort(x), x)
        np.interp(x, [-1.0, 0, 1], [0.0, 2, 1], left=-3, right=x[0])
        np.interp(5 * x, [0.0, 1, 2], [3.0, 1, 2], period=3.0)
        np.where(x > 0, x, 0)
        np.where(x > 0, 2.0, 3 * x)
        np.select([x > 1, x > 0], [x, x**2], x**3)
        np.select([x > 1], [x])
        np.piecewise(x, [x < 0, x >= 0.5], [lambda t: -t, lambda t: t * t, 7.0])
        np.isclose(x, V)
        np.allclose(x, V) * 1.0
        np.array_equal(x, V) * 1.0
        np.array_equal(x, V[:3]) * 1.0
        np.array_equiv(x, V) * 1.0
        np.linspace(x[0], x[1], 5)
        np.linspace(x[:2], 2.0, 4, endpoint=False)
        np.linspace(x[0], 1.0, 4, retstep=True)[1]
        np.logspace(x[0], x[1], 4)
        np.concatenate([x, x**2])
        np.stack([x, x])
        np.hstack([x, 1.0])
        np.vstack([x, V])
        np.column_stack([x, x])
        np.block([[x, x]])
        np.tile(x, 2)
        np.repeat(x, 2)
        np.roll(x, 1)
        np.flip(x)
        np.append(x, x[0])
        np.insert(x, 1, x[2])
        np.delete(x, 1)
        np.resize(x, 8)
        np.pad(x, 2)
        np.pad(x, 1, mode="edge")
        np.pad(x, 2, mode="reflect")
        np.cross(x[:3], x[3:])
        np.kron(x[:2], x[2:])
        np.vander(x, 3)
        np.nansum(x)
        np.nanmax(x)
        np.nanmin(x)
        np.nanmean(x)
        np.nanvar(x)
        np.nanstd(x)
        np.nanmedian(x)
        np.nanpercentile(x, 40)
        np.nanprod(x)
        np.nancumsum(x)
        np.nancumprod(x)
        np.maximum.reduce(x)
        np.add.reduce(x)
        np.multiply.reduce(x)
        np.logaddexp.reduce(x)
        np.hypot.reduce(x)
        np.subtract.reduce(x)
        np.maximum.accumulate(x)
        np.minimum.accumulate(x)
        np.add.accumulate(x)
        np.subtract.outer(x, V)
        np.maximum.outer(x, V)
        np.add.reduceat(x, [0, 2, 4])
        getattr(np, "trapezoid", getattr(np, "trapz", None))(x)
        np.meshgrid(x, V)[0]
        np.take(x, [0, 2])
        np.take_along_axis(x, np.array([1, 0]), 0)
        np.choose([0, 1, 0, 1, 0, 1], [x, V])
        np.compress(V > 0, x)
        np.extract(V > 0, x)
        np.ix_(x)[0]
        x[[1, 1]]
        x[::-1]
        x[V > 0]
        x.reshape(2, 3).T
        x.mean()
        x.sum()
        x.max()
        x.min()
        x.prod()
        x.std()
        x.var()
        x.cumsum()
        x.cumprod()
        x.repeat(2)
        x.flatten()
        np.array_split(x, 3)[1]
        np.split(x, 2)[1]
        np.triu(x.reshape(2, 3))
        np.atleast_2d(x)
        np.squeeze(x[None])
        np.expand_dims(x, 0)
        np.moveaxis(x.reshape(2, 3), 0, 1)
        np.rot90(x.reshape(2, 3))
        np.diag(x)
        np.diagflat(x)
        np.real(x)
        np.any(x > 0) * 1.0
        np.all(x > 0) * 1.0
        np.any(x) * 1.0
        np.sum(x > 0)
        np.mean(x > 0)
        np.sum(x, where=V > 0)
        np.max(x, initial=0.3)
        np.max(x, where=V > 0, initial=-9.0)
        np.sum(x, initial=2.0)
        np.ravel(x)
        np.copy(x)
        np.zeros_like(x) + x
        np.ones_like(x) * x
        np.full_like(x, 2.0) * x
        np.linalg.norm(x)
        np.linalg.norm(x, 1)
        np.linalg.norm(x, np.inf)
        np.linalg.norm(x, -np.inf)
        np.linalg.norm(x, 3)
        np.linalg.norm(x, 0)
        np.apply_along_axis(lambda r: r * r.sum(), 0, x)
        np.vectorize(lambda t: t * t)(x)
        np.frompyfunc(lambda t: t * t, 1, 1)(x)
        np.fft.fftshift(x)
        np.lib.stride_tricks.sliding_window_view(x, 2)
        np.broadcast_to(x, (2, 6))
        np.cov(x, V)
        np.cov(x)
        np.cov(x, V, bias=True)
        np.corrcoef(x, V)[0, 1]
        (x > 0) * x
        (x > 0) & (x < 1)
        (x > 0) | (x < -1)
        (x > 0) ^ (x < 1)
        ~(x > 0)
        np.einsum("i,i->", x, V)
        np.einsum("i,j->ij", x, x)
        """,
        V,
    ),
    **written(
        """
        x.sum(axis=0)
        x.sum(axis=1, keepdims=True)
        np.max(x, axis=0)
        np.min(x, axis=1)
        x.max(axis=(0, 1))
        np.max(x, axis=-1, keepdims=True)
        x.mean(axis=0)
        x.var(axis=1)
        x.std(axis=0, ddof=1)
        np.median(x, axis=0)
        np.median(x, axis=(0, 1))
        np.percentile(x, [20, 60], axis=1)
        np.percentile(x, 50, axis=(0, 1), keepdims=True)
        np.sort(x, axis=0)
        np.sort(x, axis=None)
        np.ptp(x, axis=0)
        np.any(x > 0, axis=0)
        x @ x.T
        x @ V[:3]
        V[:4] @ x
        np.dot(x, x.T)
        np.inner(x, x)
        np.tensordot(x, x, 2)
        np.tensordot(x, x, ([0], [0]))
        np.einsum("ij,ik->jk", x, x)
        np.einsum("ij->j", x)
        np.trace(x)
        x.trace()
        x.diagonal()
        np.linalg.norm(x)
        np.linalg.norm(x, 1)
        np.linalg.norm(x, np.inf)
        np.linalg.norm(x, -1)
        np.linalg.norm(x, axis=0)
        np.linalg.norm(x, axis=1, keepdims=True)
        np.linalg.norm(x, 1, axis=(0, 1))
        np.linalg.multi_dot([x.T, x, x.T])
        np.cumsum(x)
        np.cumsum(x, axis=0)
        np.prod(x, axis=1)
        np.gradient(x)[0]
        np.gradient(x, axis=1)
        np.diff(x, axis=0)
        np.unwrap(4 * x, axis=0)
        np.average(x, axis=0, weights=[1, 2, 3, 4])
        np.cov(x)
        np.corrcoef(x)
        np.cross(x, x[::-1])
        np.maximum.accumulate(x, axis=1)
        np.maximum.reduce(x, axis=1)
        np.nanmean(x, axis=0)
        np.nanmax(x, axis=1)
        np.nansum(x, axis=0)
        np.apply_over_axes(np.sum, x, [0])
        np.transpose(x)
        np.swapaxes(x, 0, 1)
        np.concatenate([x, x], axis=1)
        np.roll(x, 1, axis=0)
        x[1]
        x[:, 1]
        x[-1, ...]
        """,
        M,
    ),
    **written(
        """
        np.linalg.solve(x, [1.0, 2, 3])
        np.linalg.solve(x, np.eye(3)[:, :2])
        np.linalg.solve(S.T, x[0])
        np.linalg.solve(np.stack([x, S.T]), np.ones((2, 3, 1)))
        np.linalg.inv(x)
        np.linalg.det(x)
        np.linalg.det(np.stack([x, S.T]))
        np.linalg.slogdet(x)[0]
        np.linalg.slogdet(x)[1]
        np.linalg.matrix_power(x, 3)
        np.linalg.matrix_power(x, -2)
        """,
        S,
    ),
    **written("np.geomspace(x[0], x[1], 4)", POSITIVE),
    **written("np.linalg.det(x)\nnp.linalg.inv(x)[0]", LARGE),
}


@pytest.mark.parametrize("name", CASES)
def test_number_derivative_and_kernel_are_those_of_numpy(name):
    f, x = CASES[name]
    wanted = np.asarray(f(x), float)
    assert numbers(f(of_values(x))).shape == wanted.shape
    assert np.allclose(numbers(f(of_values(x))), wanted, **ROUNDING)
    slopes = grad(weighted(f))(x)
    assert np.allclose(slopes, differences(weighted(f), x), **DIFFERENCES)
    value, row = compiled(lambda x: [f(x), grad(weighted(f))(x)], shared=0)(x)
    assert np.shape(value) == wanted.shape
    assert np.allclose(value, wanted, **ROUNDING)
    assert np.allclose(row, slopes, rtol=1e-9, atol=1e-11)
