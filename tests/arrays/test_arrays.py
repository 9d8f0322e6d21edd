"""NumPy's functions on arrays of `Value`s: number, derivative and kernel are what NumPy's are."""

import copy
import functools
import itertools
import math
import operator
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

import microgrid as mg
from microgrid import Value, grad, hessian, jacobian, value_and_grad
from microgrid import compile as compiled
from microgrid.arrays import Array, array, protocol, rules
from tests.search import thinned

ROUNDING = {"rtol": 1e-12, "atol": 1e-13}  # of some operations in another order
STEP = 1e-6
DIFFERENCES = {"rtol": 1e-6, "atol": 1e-7}  # what a central difference of that step leaves
AT_ONCE = 16  # cases in one kernel: each has a price of its own

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


def filled(write, x, *args, **kwargs):
    """Return an array after something was written into a copy of it."""
    twin = x.copy()
    write(twin, *args, **kwargs)
    return twin


def ufuncs(names, point):
    return {name: (getattr(np, name), point) for name in names.split()}


def each_side(name, point=V):
    ufunc, other = getattr(np, name), point[::-1]
    return {
        f"{name}(x, y)": (lambda x: ufunc(x, other), point),
        f"{name}(y, x)": (lambda x: ufunc(other, x), point),
        f"{name}(x, x)": (lambda x: ufunc(x[:3], x[3:]), point),
    }


def is_there(line):
    """Return whether this NumPy has the functions in a line: some are new in NumPy 2."""
    of_linalg = re.findall(r"np\.linalg\.(\w+)", line)
    return all(hasattr(np, name) for name in re.findall(r"np\.(\w+)", line)) and all(
        hasattr(np.linalg, name) for name in of_linalg
    )


def written(lines, point):
    """Return the functions of x that are written in lines."""
    return {
        line: (eval(f"lambda x: {line}", globals()), point)
        for line in map(str.strip, lines.strip().splitlines())
        if is_there(line)
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
        np.linspace(x[0], x[1], 1)
        np.sort(x[:0])
        np.var(x, ddof=1)
        np.linspace(x[:2], 2.0, 4, endpoint=False)
        np.linspace(x[0], 1.0, 4, retstep=True)[1]
        np.logspace(x[0], x[1], 4)
        np.concatenate([x, x**2])
        np.stack([x, x])
        np.hstack([x, 1.0])
        np.vstack([x, V])
        np.column_stack([x, x])
        np.dstack([x, x])
        np.dsplit(x.reshape(1, 2, 3), 3)[1]
        np.hsplit(x, 2)[0]
        np.vsplit(x.reshape(2, 3), 2)[0]
        np.fliplr(x.reshape(2, 3))
        np.flipud(x)
        np.atleast_1d(x[0])
        np.atleast_3d(x)
        np.broadcast_arrays(x, M[:, :1])[0]
        np.fft.ifftshift(x)
        np.nanquantile(x, 0.4)
        np.polysub(x, V)
        np.rollaxis(x.reshape(2, 3), 1)
        np.tril(x.reshape(2, 3))
        np.amax(x) + np.amin(x)
        np.around(x, 1)
        np.matmul(x, x)
        np.invert(x > 0)
        np.bitwise_and(x > 0, x < 1)
        np.bitwise_or(x > 0, x < -1)
        np.bitwise_xor(x > 0, x < 1)
        np.greater(x, 0.2)
        np.less_equal(x, 0.2)
        filled(np.fill_diagonal, x.reshape(2, 3), 1.0)
        filled(np.put, x, [1, 2], [3.0, 4.0])
        filled(np.place, x, V > 0, [3.0])
        filled(np.putmask, x, V > 0, 3.0)
        filled(np.put_along_axis, x, np.array([1, 0]), 7.0, 0)
        filled(np.copyto, x, 2.0, where=V > 0)
        filled(np.copyto, np.empty_like(x), x)
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
        np.astype(x, object)
        np.concat([x, x])
        np.cumulative_prod(x)
        np.cumulative_sum(x)
        np.linalg.matrix_norm(x.reshape(2, 3))
        np.linalg.vector_norm(x)
        np.linalg.vector_norm(x.reshape(2, 3), axis=1)
        np.matrix_transpose(x.reshape(2, 3))
        np.matvec(x.reshape(2, 3), x[:3])
        np.permute_dims(x.reshape(2, 3), (1, 0))
        np.unstack(x)[1]
        np.vecdot(x, x)
        np.vecmat(x[:2], x.reshape(2, 3))
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
        np.linalg.cholesky(x @ x.T)
        np.linalg.cholesky(np.stack([x @ x.T, S.T @ S]))[1, 2]
        np.linalg.matrix_power(x, 0) + x
        np.linalg.matrix_power(x, 1)
        np.linalg.matrix_power(x, 3)
        np.linalg.matrix_power(x, -2)
        """,
        S,
    ),
    **written("np.geomspace(x[0], x[1], 4)", POSITIVE),
    **written("np.linalg.det(x)\nnp.linalg.inv(x[:5, :5])[0]", LARGE),
}

CHUNKS = [
    names[i : i + AT_ONCE]
    for _, group in itertools.groupby(CASES, key=lambda name: id(CASES[name][1]))
    for names in [list(group)]
    for i in range(0, len(names), AT_ONCE)
]


@functools.cache
def kernels(chunk):
    """Compile a chunk of the cases, which are at one point: name -> number and slopes."""
    functions = [CASES[name][0] for name in CHUNKS[chunk]]
    both = compiled(lambda x: [[f(x), grad(weighted(f))(x)] for f in functions], shared=0)
    return dict(zip(CHUNKS[chunk], both(CASES[CHUNKS[chunk][0]][1]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_number_derivative_and_kernel_are_those_of_numpy(name):
    f, x = CASES[name]
    wanted = np.asarray(f(x), float)
    found = numbers(f(of_values(x)))
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, **ROUNDING)
    slopes = grad(weighted(f))(x)
    assert np.allclose(slopes, differences(weighted(f), x), **DIFFERENCES)
    (chunk,) = [i for i, names in enumerate(CHUNKS) if name in names]
    if chunk in thinned(range(len(CHUNKS))):
        value, row = kernels(chunk)[name]
        assert np.shape(value) == wanted.shape
        assert np.allclose(value, wanted, **ROUNDING)
        assert np.allclose(row, slopes, rtol=1e-9, atol=1e-11)


# ---- at the ends: nan, inf, zeros of either sign, ties

ENDS = [-math.inf, -2.5, -1.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.5, math.inf, math.nan]
PAIRS = list(itertools.product(ENDS, ENDS))
# Of integers, of bits, and made from several numbers; and what NumPy itself has under two names.
OTHERWISE = {np.matmul, np.divmod, np.modf, np.ldexp, np.invert}
OTHERWISE |= {np.bitwise_and, np.bitwise_or, np.bitwise_xor}
RULED = sorted((ufunc for ufunc in rules.RULES if ufunc not in OTHERWISE), key=lambda u: u.__name__)
FUNCTIONS_OF_ENDS = {
    name: getattr(np, name)
    for name in ["fix", "sinc", "nan_to_num", "round", "isposinf", "isneginf"]
}
LANES = {
    **{
        name: getattr(np, name)
        for name in [
            *("max", "min", "sum", "prod", "mean", "var", "std", "ptp", "median", "sort", "cumsum"),
            *("cumprod", "nansum", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanmedian"),
            *("nanprod", "nancumsum", "nancumprod", "diff", "gradient", "unwrap", "argmax"),
            *("argmin", "argsort", "any", "all", "count_nonzero"),
        ]
    },
    "percentile": lambda x: np.percentile(x, 30),
    "nanpercentile": lambda x: np.nanpercentile(x, 30),
    "norm 1": lambda x: np.linalg.norm(x, 1),
    "norm inf": lambda x: np.linalg.norm(x, np.inf),
    "maximum.accumulate": np.maximum.accumulate,
    "fmax.reduce": np.fmax.reduce,
    "logaddexp.reduce": np.logaddexp.reduce,
    "clip": lambda x: np.clip(x, 0.0, 1.0),
    "clip to nan": lambda x: np.clip(x, np.nan, 1.0),
    "clip from 2 to 1": lambda x: np.clip(x, 2.0, 1.0),
    "clip by x": lambda x: np.clip(0.5, x, 1.0),
    "interp": lambda x: np.interp(x, [0.0, 1.0, 2.0], [1.0, 3.0, -1.0]),
    "isclose": lambda x: np.isclose(x, 1.0),
    "isclose nan": lambda x: np.isclose(x, [np.nan, 1.0, np.inf, -np.inf], equal_nan=True),
    "array_equal": lambda x: np.array_equal(x, x) * 1.0,
    "array_equal nan": lambda x: np.array_equal(x, x, equal_nan=True) * 1.0,
    "where": lambda x: np.where(x, 1.0, 2.0),
    "select": lambda x: np.select([x > 1], [x], 5.0),
    "piecewise": lambda x: np.piecewise(x, [x > 0], [1.0, 2.0]),
    "searchsorted": lambda x: np.searchsorted([0.0, 1.0, 2.0], x),
    "linspace": lambda x: np.linspace(x[0], x[1], 3),
    "round 2": lambda x: np.round(1.2345 * x, 2),
}
ROWS = [
    [1.0, 1.0, 1.0, 1.0],
    [2.0, 1.0, 2.0, 0.0],
    [math.nan, 1.0, 2.0, 1.0],
    [math.nan] * 4,
    [0.0, -0.0, 0.0, -0.0],
    [math.inf, 1.0, -math.inf, 2.0],
    [math.inf, math.inf, 1.0, 1.0],
    [-math.inf, math.nan, math.inf, 0.0],
]
WITHOUT_KERNEL = {"argmax", "argmin", "argsort", "count_nonzero", "searchsorted"}

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # NumPy's, of floats
    # which NumPy 2.5 deprecates, and still has
    pytest.mark.filterwarnings("ignore:.*numpy.fix.* is deprecated:DeprecationWarning"),
]


# Of -0.0 and 0.0, which are equal, these give either: NumPy too, by its version and the processor.
OF_EQUALS = {"max", "min", "nanmax", "nanmin", "maximum", "minimum", "fmax", "fmin", "fmax.reduce"}
OF_EQUALS |= {"sort", "maximum.accumulate", "median", "nanmedian", "percentile", "nanpercentile"}
OF_EQUALS |= {"clip", "clip by x"}


def same(got, wanted, name=""):
    """Return where numbers are the same to a few bits, zeros with their signs."""
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    signs = (got != 0) | (np.signbit(got) == np.signbit(wanted))
    equal = (got == wanted) & (signs | (name in OF_EQUALS))
    near = np.isfinite(got) & (got != 0) & (abs(got - wanted) <= 1e-14 * abs(wanted))
    return equal | near | (np.isnan(got) & np.isnan(wanted))


def or_refused(f, *args):
    """Return what f gives; None where Python refuses it, as log(0)."""
    try:
        return f(*args)
    except (ArithmeticError, ValueError):
        return None


@pytest.mark.parametrize("ufunc", [*RULED, *FUNCTIONS_OF_ENDS.values()], ids=lambda u: u.__name__)
def test_at_the_ends_number_and_kernel_are_those_of_numpy(ufunc):
    columns = list(np.array(PAIRS).T) if getattr(ufunc, "nin", 1) == 2 else [np.array(ENDS)]
    wanted = np.asarray(ufunc(*columns), float)
    assert same(compiled(lambda *xs: ufunc(*xs))(*columns), wanted, ufunc.__name__).all()
    for row, number in zip(zip(*columns, strict=True), wanted, strict=True):
        result = or_refused(ufunc, *[of_values([x]) for x in row])
        if result is None:
            assert not math.isfinite(number)
        else:
            assert same(numbers(result), number, ufunc.__name__)


@pytest.mark.parametrize("ufunc", RULED, ids=lambda u: u.__name__)
def test_at_the_ends_a_kernel_has_the_slopes_of_python(ufunc):
    points = PAIRS if ufunc.nin == 2 else [(x,) for x in ENDS]
    slopes = grad(lambda *xs: ufunc(*xs) * 1.0, argnums=range(ufunc.nin))
    table = np.stack(compiled(slopes)(*np.array(points).T), axis=-1)
    for point, row in zip(points, table, strict=True):
        wanted = or_refused(slopes, *point)
        assert wanted is None or np.allclose(wanted, row, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", LANES)
def test_at_ties_nan_and_inf_all_three_are_those_of_numpy(name):
    f = LANES[name]
    kernel = compiled(lambda x: [f(x), grad(weighted(f))(x)], shared=0)
    for row in map(np.array, ROWS):
        wanted = np.asarray(f(row), float)
        result = or_refused(f, of_values(row))
        assert result is not None or not np.isfinite(wanted).all()
        assert result is None or same(numbers(result), wanted, name).all()
        if name not in WITHOUT_KERNEL:
            value, slopes = kernel(row)
            assert same(value, wanted, name).all()
            python = or_refused(grad(weighted(f)), row)
            assert python is None or np.allclose(slopes, python, equal_nan=True)


TIES = {  # function -> its gradient at [1, 1, 0, 1]
    np.max: [1 / 3, 1 / 3, 0, 1 / 3],
    np.median: [1 / 3, 1 / 3, 0, 1 / 3],
    lambda x: np.min(-x): [-1 / 3, -1 / 3, 0, -1 / 3],
    lambda x: np.sort(x)[1]: [1 / 3, 1 / 3, 0, 1 / 3],
    lambda x: np.sort(x)[0]: [0, 0, 1, 0],
    lambda x: np.percentile(x, 100): [1 / 3, 1 / 3, 0, 1 / 3],
    lambda x: np.maximum(x, 1.0).sum(): [0.5, 0.5, 0, 0.5],
    lambda x: np.maximum(1.0, x).sum(): [0.5, 0.5, 0, 0.5],
    lambda x: np.fmax(x, 1.0).sum(): [0.5, 0.5, 0, 0.5],
    lambda x: np.maximum.accumulate(x)[3]: [1 / 3, 1 / 3, 0, 1 / 3],
    lambda x: np.clip(x, 0.0, 1.0).sum(): [1, 1, 1, 1],
    lambda x: np.linalg.norm(x, np.inf): [1 / 3, 1 / 3, 0, 1 / 3],
    lambda x: np.ptp(x): [1 / 3, 1 / 3, -1, 1 / 3],
}


@pytest.mark.parametrize("f", TIES)
def test_all_that_tie_share_the_gradient_evenly(f):
    x = np.array([1.0, 1.0, 0.0, 1.0])
    assert grad(f)(x).tolist() == pytest.approx(TIES[f])
    assert compiled(grad(f), shared=0)(x).tolist() == pytest.approx(TIES[f])


# ---- linear systems


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8])
def test_a_system_is_solved_in_each_row_of_a_batch_whatever_its_pivots_are(rows):
    rng = np.random.default_rng(rows)
    batch = rng.normal(size=(20, rows, rows)) * (rng.random((20, rows, rows)) < 0.6)
    batch += np.eye(rows)[rng.permutation(rows)]  # zeros on the diagonal, in most of them
    right = rng.normal(size=(20, rows))
    columns = [[batch[:, i, j] for j in range(rows)] for i in range(rows)]

    def solved(a, b):
        matrix = array([list(row) for row in a])
        return [np.linalg.solve(matrix, array(list(b))), np.linalg.det(matrix)]

    solutions, determinants = compiled(solved)(columns, list(right.T))
    assert np.allclose(determinants, np.linalg.det(batch), rtol=1e-9, atol=1e-12)
    for matrix, b, solution in zip(batch, right, solutions, strict=True):
        assert np.allclose(matrix @ solution, b, rtol=1e-8, atol=1e-8)
        assert np.allclose(numbers(np.linalg.solve(of_values(matrix), b)), solution)


@pytest.mark.parametrize("function", [np.linalg.inv, lambda a: np.linalg.solve(a, [1.0, 2.0])])
def test_a_singular_matrix_raises_in_python_and_is_not_finite_in_a_kernel(function):
    for matrix in (np.ones((2, 2)), np.zeros((2, 2)), np.array([[1.0, 2.0], [2.0, 4.0]])):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            function(of_values(matrix))
        assert not np.isfinite(compiled(lambda a: function(a), shared=0)(matrix)).any()


@pytest.mark.parametrize("matrix", [[[1, 2], [2, 4]], [[0, 1], [0, 2]], [[0, 0], [0, 0]]])
def test_the_derivative_of_a_determinant_is_the_adjugate_where_it_is_zero_too(matrix):
    (a, b), (c, d) = matrix
    wanted = [[d, -c], [-b, a]]
    assert value_and_grad(np.linalg.det)(np.array(matrix, float))[1].tolist() == wanted
    slopes = compiled(grad(np.linalg.det), shared=0)(np.array(matrix, float))
    assert slopes.tolist() == wanted


def test_a_matrix_without_a_root_raises_in_python_and_gives_nan_in_a_kernel():
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        np.linalg.cholesky(of_values(matrix))
    assert np.isnan(compiled(np.linalg.cholesky, shared=0)(matrix)[1, 1])


def test_a_large_singular_determinant_has_the_adjugate_too():
    matrix = np.diag([0.0, *range(1, 8)])
    wanted = np.zeros((8, 8))
    wanted[0, 0] = math.factorial(7)
    assert np.allclose(grad(np.linalg.det)(matrix), wanted)


def test_a_matrix_that_is_too_large_for_a_trace_is_refused():
    with pytest.raises(TypeError, match="solve of 32 rows at most, got 33"):
        compiled(lambda a: np.linalg.solve(a, np.ones(33)), shared=0)(np.eye(33))
    with pytest.raises(TypeError, match="sorts 64 numbers at most, got 65"):
        compiled(np.sort, shared=0)(np.ones(65))


# ---- every function of NumPy is treated, or refused


def functions_of_numpy():
    for module in (np, np.linalg, np.fft):
        for name in dir(module):
            function = getattr(module, name)
            if hasattr(function, "_implementation") or isinstance(function, np.ufunc):
                yield function


def test_a_function_that_is_not_known_here_is_refused_by_name():
    refused = [
        function
        for function in functions_of_numpy()
        if function not in {*protocol.FUNCTIONS, *protocol.AS_IS, *rules.RULES, *protocol.UFUNCS}
    ]
    assert len(refused) > 50
    for function in refused:
        operands = [of_values(V)] * getattr(function, "nin", 1)
        told = (
            rf"{function.__name__} has no derivative here, .* not of Values; (write|take|multiply)"
        )
        with pytest.raises(TypeError, match=told):
            call(function, operands)


def test_what_an_error_says_to_write_instead_is_right():
    a = of_values([[2.0, 0.5], [0.5, 1.0]])
    b = of_values([1.0, 2.0, -1.0])
    eigenvalue = mg.root(lambda x: np.linalg.det(a - x * np.eye(2)), 3.0)
    assert eigenvalue.data == pytest.approx(np.linalg.eigvalsh(numbers(a))[-1])
    fourier = np.fft.fft(np.eye(3))
    parts = numbers(fourier.real @ b), numbers(fourier.imag @ b)
    assert parts[0] + 1j * parts[1] == pytest.approx(np.fft.fft(numbers(b)))
    v = np.vander([0.0, 1.0, 3.0], 2)
    line = numbers(np.linalg.solve(v.T @ v, v.T @ b))
    assert line == pytest.approx(np.polyfit([0.0, 1.0, 3.0], numbers(b), 1))


def call(function, operands):
    if isinstance(function, np.ufunc):
        return function(*operands)
    return protocol.apply_function(function, operands, {})


ABOUT_ARRAYS = {  # they tell nothing of the numbers
    *("array2string", "array_repr", "array_str", "can_cast", "common_type", "diag_indices_from"),
    *("einsum_path", "iscomplex", "iscomplexobj", "isreal", "isrealobj", "may_share_memory"),
    *("ndim", "real_if_close", "result_type", "shape", "shares_memory", "size"),
    *("tril_indices_from", "triu_indices_from"),
}
OF_DATA = {  # they find places: `known` is tested for all at once
    *("argpartition", "argwhere", "digitize", "flatnonzero", "isin", "lexsort", "nanargmax"),
    *("nanargmin", "nonzero"),
}


def test_every_function_that_is_treated_is_in_a_law():
    told = set(re.findall(r"\w+", " ".join([*CASES, *LANES])))
    treated = {*protocol.FUNCTIONS, *protocol.UFUNCS, *protocol.AS_IS, *rules.RULES}
    assert {f.__name__ for f in treated} - told <= ABOUT_ARRAYS | OF_DATA


@pytest.mark.parametrize("name", sorted(OF_DATA))
def test_places_are_those_of_numpy(name):
    others = {"argpartition": [2], "digitize": [[0.0, 1.0]], "isin": [[0.58]]}.get(name, [])
    found = getattr(np, name)(of_values(V), *others)
    assert np.array_equal(found, getattr(np, name)(V, *others))
    with pytest.raises(TypeError, match=rf"a compiled function must not ask for np\.{name}"):
        compiled(lambda x: getattr(np, name)(x, *others), shared=0)(V)


# ---- the array


X = [1.0, 3.0, 2.0]


def test_a_transform_takes_and_returns_numpys_own_arrays():
    kinds = []

    def f(x):
        kinds.append(type(x))
        return (np.maximum(x, 1.0) ** 2).sum()

    for transform in (grad, jacobian, hessian):
        assert type(transform(f)(np.array(X))) is np.ndarray
        assert transform(f)(np.array(X)).dtype == float
    assert set(kinds) == {Array}


def test_derivatives_that_depend_on_a_value_come_in_an_array_of_them():
    v = Value(2.0)
    outer = grad(lambda x: (x * x * v).sum())(np.array(X))
    assert type(outer) is Array
    assert numbers(outer).tolist() == [4.0, 12.0, 8.0]
    inner = grad(lambda x: np.maximum(grad(lambda y: (y**3).sum())(x), 4.0).sum())
    assert inner(np.array(X)).tolist() == [0.0, 18.0, 12.0]


def test_a_compiled_function_of_values_gives_arrays_of_them():
    double = compiled(lambda x: [2.0 * x, np.maximum(x, 1.0)])
    for column in double(array([Value(1.0), 3.0])):
        assert type(column) is Array
    largest = compiled(lambda x: np.max(x), shared=0)
    tied = np.array([Value(1.0), Value(1.0)])  # which NumPy alone would not share evenly
    largest(tied).backward()
    assert [v.grad for v in tied] == [0.5, 0.5]


def test_comparisons_give_truth_values_where_numbers_are_known():
    x = of_values(X)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compare(x, 2.0).tolist() == compare(np.array(X), 2.0).tolist()
        assert compare(2.0, x).dtype == bool
    assert numbers(x[x > 1.0]).tolist() == [3.0, 2.0]
    x[x > 1.0] = 0.0
    assert numbers(x).tolist() == [1.0, 0.0, 0.0]


def test_elements_slices_and_views_are_those_of_numpy():
    x = of_values(np.arange(6.0)).reshape(2, 3)
    assert type(x[0]) is type(x.T) is type(x[:, [0, 2]]) is type(x.ravel()) is Array
    assert isinstance(x[1, 2], Value)
    x[0][1] = 7.0
    assert x[0, 1] == 7.0
    assert [type(row) for row in x] == [Array, Array]
    a, b, _ = x[1]
    assert (a.data, b.data) == (3.0, 4.0)
    assert np.shape(list(x)) == (2, 3)


def test_what_is_written_in_place_is_written():
    x = of_values(X)
    x += 1.0
    x *= x
    x[0] -= 4.0
    assert numbers(x).tolist() == [0.0, 16.0, 9.0]
    x.sort()
    assert numbers(x).tolist() == [0.0, 9.0, 16.0]
    out = np.zeros_like(x)
    assert np.add(x, 1.0, out=out) is out
    assert np.cumsum(x, out=out) is out
    assert numbers(out).tolist() == [0.0, 9.0, 25.0]
    np.add.at(out, [0, 0], 1.0)
    np.copyto(out, 5.0, where=numbers(out) > 20)
    assert numbers(out).tolist() == [2.0, 9.0, 5.0]
    with pytest.raises(TypeError, match="an array of dtype float64 cannot hold Values: write x ="):
        np.add(x, 1.0, out=np.zeros(3))


def test_a_copy_and_a_pickle_are_arrays_with_the_same_graph():
    x = of_values(X)
    y = x * x
    for twin in (copy.deepcopy([x, y]), pickle.loads(pickle.dumps([x, y]))):
        assert [type(part) for part in twin] == [Array, Array]
        assert numbers(twin[1]).tolist() == numbers(y).tolist()
        twin[1].sum().backward()
        assert [v.grad for v in twin[0]] == [2.0, 6.0, 4.0]
    assert copy.copy(x)[0] is x[0]
    assert [v.grad for v in x] == [0.0] * 3


def test_an_array_reads_as_its_numbers_or_names():
    assert repr(of_values(X)) == "Array([1., 3., 2.])"
    assert str(of_values(X)) == "[1. 3. 2.]"
    assert repr(of_values(X)[1]) == "Value(data=3.0, grad=0.0)"
    shown = []
    compiled(lambda x: shown.append(repr(x)) or x.sum(), shared=0)(np.array(X))
    assert shown == ["Array([x[0], x[1], x[2]])"]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ("a", r"an array is of numbers and Values, got 'a' \(str\)"),
        ([1.0, None], r"an array is of numbers and Values, got None \(NoneType\)"),
        ([1j], r"an array is of numbers and Values, got 1j \(complex\)"),
    ],
)
def test_an_array_is_made_of_numbers(numbers, message):
    with pytest.raises(TypeError, match=message):
        array(numbers)


def test_an_array_of_numpys_own_keeps_the_calls_of_its_loops():
    own = np.array([Value(1.25), Value(-2.5)])
    for name in ("fabs", "rint", "trunc", "radians", "deg2rad", "degrees", "rad2deg"):
        result = getattr(np, name)(own)
        assert [v.data for v in result] == getattr(np, name)([1.25, -2.5]).tolist()
    assert [v.data for v in np.fmod(own, 1.0)] == [0.25, -0.5]
    assert math.trunc(Value(-2.5)).data == -2.0
    # with one Value or Array beside it, it is treated as an Array is
    assert np.maximum(own, Value(math.nan))[0].data != np.maximum(own, Value(math.nan))[0].data


# ---- single numbers


@pytest.mark.parametrize(
    ("function", "wanted", "slope"),
    [
        (lambda v: np.maximum(v, 2.0), 2.0, 0.5),
        (lambda v: np.maximum(2.0, v), 2.0, 0.5),
        (lambda v: np.where(v > 0, v, 0), 2.0, 1.0),
        (lambda v: np.clip(v, 0, 2), 2.0, 1.0),
        (lambda v: np.clip(v, 0, v), 2.0, 1.0),
        (np.exp, math.exp(2.0), math.exp(2.0)),
        (lambda v: np.sum([1.0, v * 3, v]), 9.0, 4.0),
        (lambda v: np.stack([v, v, 1.0]).sum(), 5.0, 2.0),
        (lambda v: np.concatenate([array([v]), [v, 1.0]]).sum(), 5.0, 2.0),
        (lambda v: np.float64(3) * v - np.int8(1) / v, 5.5, 3.25),
        (lambda v: np.array(3.0) ** v, 9.0, 9 * math.log(3)),
        (lambda v: np.linspace(v, 4.0, 3)[1], 3.0, 0.5),
        (lambda v: np.dot(v, np.ones(2)).sum(), 4.0, 2.0),
        (lambda v: np.interp(v, [0.0, 4.0], [1.0, 3.0]), 2.0, 0.5),
        (lambda v: np.average(array([v, 1.0]), weights=[v, 1.0]), 5 / 3, 7 / 9),
        (lambda v: np.longdouble(3) * v, 6.0, 3.0),
    ],
)
def test_a_single_number_is_treated_as_an_array_is(function, wanted, slope):
    value, derivative = value_and_grad(lambda v: function(v) * 1.0)(2.0)
    assert value == pytest.approx(wanted)
    assert derivative == pytest.approx(slope)
    assert compiled(lambda v: function(v))(2.0) == pytest.approx(wanted)
    assert compiled(grad(function))(np.array([2.0]))[0] == pytest.approx(slope)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x > 1) & (x < 3),
        lambda x: (x < 2) | (x >= 3),
        lambda x: (x < 2) ^ (x < 3),
        lambda x: ~(x > 1) & True,
        lambda x: np.where((x > 1) & ~(x > 2.5), x, -x),
        lambda x: np.piecewise(x, [x > 2, x > 1], [lambda t: t * t, 7.0, lambda t: -t]),
        lambda x: np.select([x > 2, x > 1], [x, 2 * x], -1.0),
        lambda x: np.logical_xor(x > 1, x < 3),
    ],
)
def test_conditions_on_a_column_are_those_of_numpy(function):
    column = np.array([1.0, 3.0, 2.0, -1.0])
    assert compiled(lambda x: function(x))(column).tolist() == (function(column) * 1.0).tolist()


def test_bits_of_numbers_are_refused():
    for function in (lambda x: x & 1, lambda x: 1 | x, lambda x: ~x, lambda x: (x > 1) ^ x):
        with pytest.raises(TypeError, match="takes conditions here, such as x > 0"):
            compiled(lambda x: function(x))(2.0)  # noqa: B023 (it is called at once)


def test_a_comparison_of_a_numpy_number_with_a_value_is_a_bool():
    v = Value(2.0)
    assert (np.float64(1.0) < v) is True
    assert (np.float64(2.0) == v) is True
    assert (np.float32(2.0) != v) is False
    assert (np.array([1.0, 2.0]) == v).tolist() == [False, True]


# ---- in a trace


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.argmax, "must not ask for np.argmax: .* np.max and np.where choose without a place"),
        (np.argsort, "must not ask for np.argsort: .* np.sort gives the numbers in order"),
        (lambda x: x.argmin(), "must not ask for np.argmin"),
        (lambda x: np.searchsorted([1.0], x), "must not ask for np.searchsorted"),
        (np.nonzero, "must not ask for np.nonzero"),
        (np.count_nonzero, "must not ask for np.count_nonzero: .* np.sum"),
        (lambda x: np.where(x > 1), "must not ask for the places where it holds"),
        (lambda x: x[x > 1.0].sum(), r"must not choose elements by a condition: .* np.where\("),
        (lambda x: x.__setitem__(x > 1.0, 0.0), "must not choose elements by a condition"),
        (lambda x: 1.0 if np.all(x > 1) else 0.0, "must not branch on a number"),
        (lambda x: np.sum(x, where=x > 1.0), "must not ask for a choice of places"),
    ],
)
def test_what_needs_the_numbers_is_refused_in_a_trace(function, message):
    with pytest.raises(TypeError, match=f"a compiled function {message}"):
        compiled(lambda x: function(x), shared=0)(np.array(X))


@pytest.mark.parametrize(
    "function",
    [
        *(np.sum, np.max, np.sort, np.linalg.norm, np.add.reduce),
        *(lambda x: np.dot(x, x), lambda x: np.ones(3) @ x, lambda x: np.matmul(x, x)),
    ],
)
def test_a_column_is_no_array_to_sum_up(function):
    message = "of an array, a compiled function sees one number for each row"
    with pytest.raises((TypeError, ValueError), match=message):
        compiled(lambda x: function(x))(np.array(X))


# ---- the library's own functions


FUNCTIONS_OF_ONE = [
    *(
        "acos",
        "asin",
        "asinh",
        "atan",
        "atanh",
        "cbrt",
        "ceil",
        "clip",
        "cos",
        "cosh",
        "elu",
        "erf",
    ),
    *("erfc", "exp", "exp2", "expm1", "floor", "gelu", "leaky_relu", "log", "log10", "log1p"),
    *("log2", "log_sigmoid", "relu", "sigmoid", "sign", "silu", "sin", "sinh", "softplus"),
    *("softsign", "sqrt", "stop_gradient", "tan", "tanh"),
]
OF_ANY = ["exp", "silu", "gelu", "softsign", "log_sigmoid", "relu"]


@pytest.mark.parametrize("name", FUNCTIONS_OF_ONE)
def test_a_function_of_a_number_maps_over_arrays(name):
    function, table = getattr(mg, name), np.array([[0.25, 0.5], [0.75, 0.125]])
    wanted = [[function(x) for x in row] for row in table.tolist()]
    mapped = function(table)
    assert (type(mapped), mapped.dtype, mapped.tolist()) == (np.ndarray, float, wanted)
    for values in (of_values(table), np.array(of_values(table))):
        assert type(function(values)) is Array
        assert numbers(function(values)).tolist() == wanted
    traced = compiled(lambda x: function(x), shared=0)(table)
    assert np.allclose(traced, wanted, rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", OF_ANY)
def test_small_integers_do_not_wrap_around(name):
    function = getattr(mg, name)
    assert function(np.array([100, -100], np.int8)).tolist() == [function(100), function(-100)]


@pytest.mark.parametrize("name", ["maximum", "minimum", "atan2", "hypot"])
def test_a_function_of_two_numbers_broadcasts_arrays(name):
    function, row, column = getattr(mg, name), np.array(X), np.array([[2.0], [3.0]])
    wanted = [[function(x, y) for x in X] for y in (2.0, 3.0)]
    assert function(row, column).tolist() == wanted
    for operands in ((of_values(X), column), (row, of_values([[2.0], [3.0]]))):
        assert numbers(function(*operands)).tolist() == wanted
    assert numbers(function(Value(1.0), row)).tolist() == [function(1.0, y) for y in X]
    assert numbers(function(row, Value(1.0))).tolist() == [function(x, 1.0) for x in X]
    traced = compiled(lambda x: [function(x, row), function(row, x)])(1.0)
    assert np.allclose(traced[0], function(1.0, row), rtol=1e-15)
    assert np.allclose(traced[1], function(row, 1.0), rtol=1e-15)


def test_where_takes_arrays_of_conditions():
    x = np.array(X)
    assert mg.where(x > 1.5, x, 0.0).tolist() == [0.0, 3.0, 2.0]
    assert numbers(mg.where(x > 1.5, Value(5.0), x)).tolist() == [1.0, 5.0, 5.0]
    assert compiled(lambda x: mg.where(x > 1.5, x, 0.0), shared=0)(x).tolist() == [0.0, 3.0, 2.0]
    with pytest.raises(TypeError, match=r"where needs a condition, true or false, got \[True\]"):
        mg.where([True], 1.0, 2.0)


@pytest.mark.parametrize("function", ["sum", "prod", "mean", "max", "min", "norm", "logsumexp"])
def test_a_function_of_a_sequence_takes_an_array_of_one_dimension(function):
    of_sequence = getattr(mg, function)
    assert of_sequence(np.array(X)) == of_sequence(X)
    assert of_sequence(of_values(X)).data == of_sequence(X)
    for shape in ((3, 1), ()):
        with pytest.raises(TypeError, match=rf"{function} needs a sequence of numbers, got an arr"):
            of_sequence(np.reshape(np.array(X)[: math.prod(shape)], shape))


@pytest.mark.parametrize(
    "junk", [[0.5], "a", None, np.array(["a"]), np.array([1j]), np.ma.array([1.0], mask=[1])]
)
def test_what_is_no_number_is_refused_by_name(junk):
    for function in (mg.tanh, mg.relu, mg.silu, mg.sigmoid):
        with pytest.raises(TypeError, match=r"real number|masked array"):
            function(junk)


MASKED = {
    "masked": lambda: np.ma.masked,
    "a masked array": lambda: np.ma.array([1.0, 2.0], mask=[False, True]),
}


@pytest.mark.parametrize("masked", MASKED)
@pytest.mark.parametrize("op", ["maximum", "minimum", "hypot", "atan2", "where", "dot"])
def test_what_is_masked_is_not_taken_for_the_number_behind_the_mask(op, masked):
    function, x, missing = getattr(mg, op), Value(1.0), MASKED[masked]()
    calls = {
        "where": [lambda: function(x, missing, 1.0), lambda: function(missing, x, 1.0)],
        "dot": [lambda: function([x], [missing]), lambda: function([missing], [x])],
    }
    for call in calls.get(op, [lambda: function(x, missing), lambda: function(missing, x)]):
        with pytest.raises(TypeError, match=r"real number, got|masked array has no number"):
            call()


@pytest.mark.parametrize("model", [mg.Neuron(2), mg.MLP(2, [2, 1])])
def test_a_model_does_not_take_a_masked_input(model):
    with pytest.raises(TypeError, match="entry 1 of a model's row must be a real number"):
        model([Value(1.0), np.ma.masked])


def test_fractions_in_arrays_stay_exact():
    thirds = np.array([Fraction(1, 3), Fraction(-2, 3)])
    assert np.maximum(array(thirds), 0).tolist() == [Fraction(1, 3), Fraction(0)]
    assert grad(lambda x: (x @ x) + np.max(x))(thirds).tolist() == [Fraction(5, 3), Fraction(-4, 3)]
