"""Arrays, columns and frames of other libraries are NumPy's arrays wherever numbers go in."""

import itertools
import operator

import numpy as np
import pytest

import microgrid as mg
from microgrid import MLP, Value, datasets, functional, losses, optim, special
from tests.packages import package

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5], [-2.0, 3.0, 0.25], [0.0, 1.0, 4.0]])
Y = np.array([0, 1, 1, 0])


class Lent:
    """What has nothing but DLPack's two methods, by which libraries lend each other memory."""

    def __init__(self, data):
        self.array = np.array(data)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def pandas(x):
    pd = package("pandas")
    return pd.DataFrame(x, columns=list("abc")) if x.ndim == 2 else pd.Series(x)


def pandas_of_nullables(x):
    made = pandas(x)
    return made.astype("Float64" if x.dtype == float else "Int64")


def polars(x):
    pl = package("polars")
    return pl.DataFrame(x, schema=list("abc")) if x.ndim == 2 else pl.Series(x)


def arrow(x):
    pa = package("pyarrow")
    return pa.table(dict(zip("abc", x.T, strict=True))) if x.ndim == 2 else pa.array(x)


def torch(x):
    return package("torch").tensor(x)


def jax(x):
    with package("jax").enable_x64(True):
        return package("jax").numpy.asarray(x)


def dask(x):
    package("dask")
    import dask.array

    return dask.array.from_array(x, chunks=-1)  # sums of blocks have other last digits


LIBRARIES = [Lent, pandas, pandas_of_nullables, polars, arrow, torch, jax, dask]
library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)


def scale(w, x):
    return mg.dot(w, x)


def energy(x):
    return mg.sum([mg.sin(item) * item for item in np.ravel(x)])


def wave(x):
    return x * mg.sin(x)


# Calls with an array in the place of another, which must give what they give for NumPy's.
CALLS = {
    "grad": mg.grad(energy),
    "grad of a matrix": lambda x: mg.grad(energy)(x),
    "grad of a part": lambda x: mg.grad(lambda p: energy(p["w"][0]))({"w": [x, 1.0]}),
    "value_and_grad": mg.value_and_grad(energy),
    "hessian": mg.hessian(energy),
    "jacobian": mg.jacobian(wave),
    "jvp": lambda x: mg.jvp(energy, (x,), (x,)),
    "hvp": lambda x: mg.hvp(energy, (x,), (x,)),
    "vjp": lambda x: mg.vjp(wave, x)[1](x),
    "compile": lambda x: mg.compile(wave)(x),
    "compile beside a number": lambda x: mg.compile(lambda x, y: [x * y])(x, 2.0),
    "compile in a list": lambda x: mg.compile(lambda xs: xs[0] * xs[1])([x, 2.0]),
    "compile, by name": lambda x: mg.compile(wave)(x=x),
    "compile with the sum": lambda x: mg.compile(wave, reduce="sum")(x),
    "compile of grad": lambda x: mg.compile(mg.grad(wave))(x),
    "compile with Values": lambda x: mg.compile(lambda a, x: a * x)(Value(2.0), x),
}
# Of one dimension only.
SHARED = {
    "shared": lambda x: mg.compile(scale, shared="w")(x, [1.0, 2.0, 3.0]),
    "dot": lambda x: mg.dot(x, x),
    "a model": MLP(3, [1], seed=0),
}


def parts(result):
    """Return what is in a result, to compare: the types, and the numbers."""
    if isinstance(result, dict):
        return {key: parts(part) for key, part in result.items()}
    if hasattr(result, "compute"):  # what compiled functions make of Dask's arrays
        return parts(result.compute())
    if isinstance(result, (list, tuple)):
        return [parts(part) for part in result]
    if isinstance(result, np.ndarray) and result.dtype == object:
        return [type(result), [parts(x) for x in result.ravel().tolist()]]
    if isinstance(result, np.ndarray):
        return [type(result), result.shape, result.tobytes()]
    return result.data if isinstance(result, Value) else result


@library
def test_they_go_where_numpys_go_and_numpys_come_back(library):
    for name, call in (CALLS | SHARED).items():
        assert parts(call(library(X[0]))) == parts(call(X[0])), name
    for name, call in CALLS.items():
        assert parts(call(library(X))) == parts(call(X)), name


def each_function_of_numbers():
    """Give each function that goes through the elements of arrays, and arrays that it takes."""
    small, large = X[1:3] ** 2 / 10, 1 + X[1:3] ** 2
    for name in (*functional.__all__, *special.__all__):
        function = getattr(mg, name)
        for arrays in itertools.product([small, large], repeat=3):
            for count in (1, 2, 3):
                try:
                    assert function(*arrays[:count]).shape == small.shape
                except (ArithmeticError, AttributeError, TypeError, ValueError):
                    continue
                yield name, function, arrays[:count]
                break
            else:
                continue
            break


FUNCTIONS = list(each_function_of_numbers())


@library
def test_each_function_takes_them_alone_and_beside_values(library):
    for name, function, arrays in FUNCTIONS:
        expected = function(*arrays)
        assert parts(function(*map(library, arrays))) == parts(expected), name
        for place in range(len(arrays)):
            beside = [library(x) if i == place else Value(x[0, 1]) for i, x in enumerate(arrays)]
            plain = [x if i == place else Value(x[0, 1]) for i, x in enumerate(arrays)]
            assert parts(function(*beside)) == parts(function(*plain)), name
    names = {name for name, *_ in FUNCTIONS}
    assert {"sin", "where", "maximum", "clip", "gelu", "xlogy", "sinc", "lgamma", "acosh"} <= names


OPERATORS = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod),
    *(operator.floordiv, divmod, operator.lt, operator.le, operator.gt, operator.ge, operator.iadd),
]


@pytest.mark.parametrize("library", [torch, jax, dask], ids=lambda each: each.__name__)
def test_those_without_dimensions_are_operands(library):
    for each in OPERATORS:
        x, number = Value(2.0), library(np.array(1.5))
        assert parts(each(x, number)) == parts(each(x, 1.5)), each
        assert parts(each(number, x)) == parts(each(1.5, x)), each

    def line(w, x):
        return (number * w - x) ** number

    plain = mg.grad(lambda w: (1.5 * w - 0.25) ** 1.5)(2.0)
    assert mg.grad(line)(2.0, library(np.array(0.25))) == plain
    assert mg.compile(mg.grad(line))(2.0, 0.25) == plain


IN_NUMPY = [pandas, polars, arrow, torch, jax, dask]  # which NumPy's own operators take


@pytest.mark.parametrize("library", IN_NUMPY, ids=lambda library: library.__name__)
def test_an_array_of_values_computes_with_them(library):
    values, other = mg.arrays.array([Value(x) for x in 1.0 + X[0] ** 2]), 0.5 + X[1] ** 2
    for each in [*OPERATORS[:-1], operator.matmul]:  # all but +=, which writes into the array
        assert parts(each(values, library(other))) == parts(each(values, other)), each
    assert parts(mg.grad(lambda x: (x * library(other)).sum())(X[0])) == parts(other)


@pytest.mark.parametrize("library", [Lent, torch, jax, dask], ids=lambda each: each.__name__)
def test_those_without_dimensions_are_numbers(library):
    number = library(np.array(1.5))
    assert parts(mg.grad(wave)(number)) == parts(mg.grad(wave)(np.array(1.5)))
    assert mg.compile(wave)(number) == mg.compile(wave)(1.5)
    if library is not Lent:  # which does not say that it has none
        state = dict.fromkeys(MLP(1, [1]).state_dict(), number)
        model = MLP(1, [1])
        model.load_state_dict(state)
        assert {*model.state_dict().values()} == {1.5}


@library
def test_they_are_rows_and_targets_of_a_training(library):
    def train(X, y):
        model = MLP(3, [2, 1], activation="tanh", seed=0)
        options = {"loss": losses.binary_cross_entropy, "epochs": 2, "compile": False}
        history = mg.fit(model, X, y, optimizer=optim.SGD(model.parameters(), 0.1), **options)
        return history["loss"], model.state_dict()

    if library is not dask:  # whose blocks are trained with by kernels, as tests/interop has it
        assert train(library(X), library(Y)) == train(X.tolist(), Y.tolist())
    assert datasets.split(library(X), library(Y)) == datasets.split(X.tolist(), Y.tolist())


@pytest.mark.parametrize("frame", [pandas, polars, arrow], ids=lambda each: each.__name__)
def test_errors_and_pictures_have_the_names_of_columns(frame):
    holed = X.copy()
    holed[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 2, column 1 \('b'\) of `X` must be a finite number"):
        datasets.StandardScaler().fit(frame(holed))
    from microgrid.drawing import plot_decision_boundary

    two = frame(X)[["a", "b"]] if frame is not arrow else frame(X).select(["a", "b"])
    (axes, *_) = plot_decision_boundary(lambda x: x[0] - x[1], two, Y, resolution=3).figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "b")


def test_a_gradient_of_another_library_is_not_dropped():
    weights = package("torch").ones(3, requires_grad=True)
    for call in TAKERS:
        with pytest.raises(
            TypeError, match=r"its gradient would get lost here: write x.detach\(\)"
        ):
            call(weights)


class Stream:
    """What lends its columns by Arrow's protocol, and has nothing for NumPy."""

    def __arrow_c_stream__(self, requested_schema=None):
        raise AssertionError


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (Stream, r"it gives NumPy no array: write pyarrow.table\(x\)"),
        (lambda: package("polars").LazyFrame({"a": [1.0]}), r"no rows yet: write x.collect\(\)"),
    ],
    ids=["stream", "lazy"],
)
def test_what_numpy_cannot_read_is_refused_with_what_to_write(frame, words):
    for call in [*TAKERS, mg.sum, lambda x: mg.maximum(Value(1.0), x)]:
        with pytest.raises(TypeError, match=words):
            call(frame())


def train(x):
    return mg.fit(MLP(3, [1]), x, Y, **FIT)


TAKERS = [mg.grad(energy), mg.compile(wave), mg.sin, mg.gelu, train]
FIT = {"loss": losses.squared_error, "optimizer": optim.SGD([Value(1.0)], 0.1), "epochs": 1}


def test_polars_maps_columns_with_compiled_functions():
    pl = package("polars")
    frame = pl.DataFrame({"a": X[0]}).select(
        pl.col("a").map_batches(mg.compile(wave), return_dtype=pl.Float64)
    )
    assert frame["a"].to_list() == mg.compile(wave)(X[0]).tolist()


def test_what_is_missing_is_nan_and_words_are_refused():
    pd, pl = package("pandas"), package("polars")
    for column in (pd.array([1, None], "Int64"), pl.Series([1, None])):
        assert np.isnan(mg.compile(wave)(column)).tolist() == [False, True]
        assert np.isnan(mg.grad(lambda x: wave(x[1]))(column)).tolist() == [False, True]
    for words in (pd.Series(["a", "b"]), pl.Series(["a", "b"])):
        for call in [mg.grad(energy), mg.compile(wave)]:
            with pytest.raises(TypeError, match=r"real numbers?, got|got a Series that cannot be"):
                call(words)
