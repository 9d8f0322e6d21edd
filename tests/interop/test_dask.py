"""Dask's arrays and frames in compiled functions, on one machine and on a cluster."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.testing.strategies import programs
from tests.packages import package
from tests.search import usual

dask = package("dask")
cloudpickle, da = pytest.importorskip("cloudpickle"), pytest.importorskip("dask.array")
Shipped = pytest.importorskip("microgrid.interop.dask").Shipped

error = mg.value_and_grad(lambda w, x, y: (w[0] * mg.tanh(w[1] * x) - y) ** 2)
W = [1.5, -0.5]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 1000))


def bits(results):
    return [np.asarray(x, float).tobytes() for x in results]


def blocks(x, chunks):
    return da.from_array(x, chunks=chunks)


# ---- block by block


@usual(50)
@given(programs(), st.data())
def test_the_blocks_have_the_bits_of_the_whole(program, data):
    f = mg.compile(program)
    rows = np.stack([np.linspace(x, x + 1 / 128, 12) for x in map(float, program.point)])
    chunks = st.integers(1, 12)
    columns = [blocks(row, data.draw(chunks)) for row in rows]
    found = dask.compute(f(*columns), scheduler="sync")[0]
    assert bits([found]) == bits([f(*rows)])


def test_columns_broadcast_as_numpys_do():
    f, square = mg.compile(lambda x, y: [x * y, x]), RNG.normal(size=(30, 1000))
    of_square = blocks(square, (7, 300))
    for mine, numpys in [
        ((of_square, blocks(Y, 250)), (square, Y)),
        ((of_square, Y[:1]), (square, Y[:1])),
        ((blocks(square.T, (300, 7)), blocks(square[:, :1].T, 4)), (square.T, square[:, :1].T)),
        ((of_square, 2.0), (square, 2.0)),
        ((blocks(np.array(1.5), ()), 2.0), (1.5, 2.0)),
        ((of_square[:, :0], 2.0), (square[:, :0], 2.0)),
    ]:
        lazy, wanted = f(*mine), f(*numpys)
        assert [x.shape for x in lazy] == [np.shape(x) for x in wanted]
        for x, y in zip(lazy, wanted, strict=True):
            da.utils.assert_eq(x, y)  # which looks at types, shapes and chunks too


def test_what_a_function_returns_keeps_its_form():
    f = mg.compile(lambda x: {"pair": (x, 2.0 * x), "matrix": np.array([[x, 1.0], [x * x, x]])})
    lazy, wanted = f(blocks(X, 300)), f(X)
    found = dask.compute(lazy)[0]
    assert type(found["pair"]) is tuple
    assert lazy["matrix"].shape == wanted["matrix"].shape == (1000, 2, 2)
    assert bits([*found["pair"], found["matrix"]]) == bits([*wanted["pair"], wanted["matrix"]])


def test_nothing_is_computed_before_it_is_asked_for():
    seen = []
    x = blocks(X, 500).map_blocks(lambda block: seen.append(1) or block, meta=np.empty(0))
    result = mg.compile(mg.exp)(x)
    assert seen == []
    assert len(result.blocks[0].compute()) == 500
    assert seen == [1]


def test_what_rows_share_may_be_lazy_itself():
    f = mg.compile(error, shared="w")
    lazy = blocks(np.array(W), 1)
    found = dask.compute(f(lazy, blocks(X, 100), Y))[0]
    assert bits(found) == bits(f(np.array(W), X, Y))


def test_what_rows_share_is_in_the_graph_once():
    f, weights = mg.compile(lambda w, x: w[0] * x, shared="w"), np.ones(10_000)

    def size(chunks):  # each task is pickled for itself, as a scheduler does
        (result,) = dask.optimize(f(weights, da.zeros(100, chunks=chunks)))
        return sum(len(cloudpickle.dumps(task)) for task in dict(result.dask).values())

    assert weights.nbytes < size(100)
    assert size(5) - size(100) < weights.nbytes  # 19 blocks more


def test_arrays_of_other_libraries_stay_beside_blocks_whichever_comes_first():
    pandas = package("pandas")
    f, shared = mg.compile(lambda x, y: x - y), mg.compile(lambda w, x: w[0] * x, shared="w")
    for call, args in [(f, (X, Y)), (f, (Y, X)), (shared, (np.array(W), X))]:
        for lazy in range(2):
            mine = [blocks(x, 100) if i == lazy else pandas.Series(x) for i, x in enumerate(args)]
            found = call(*mine)
            assert isinstance(found, da.Array)
            assert bits([found.compute()]) == bits([call(*args)])


def test_beside_a_value_what_arrays_share_is_computed_once():
    seen = []
    source = blocks(X[:10], 5).map_blocks(lambda x: seen.append(1) or x, meta=np.empty(0))
    f = mg.compile(lambda v, x, y: v * x - y)
    found = f(mg.Value(2.0), source + 1.0, source * 3.0)
    assert [v.data for v in found] == [2.0 * (x + 1.0) - x * 3.0 for x in X[:10].tolist()]
    assert len(seen) == 2


def test_a_lazy_number_of_a_frame_is_a_number():
    pandas, frames = package("pandas"), pytest.importorskip("dask.dataframe")
    column = frames.from_pandas(pandas.DataFrame({"x": X}), npartitions=3)["x"]
    for shared in ((), "w"):
        f = mg.compile(lambda w, x: w * x, shared=shared)
        mean = float(column.mean().compute())
        assert bits([f(column.mean(), column).compute()]) == bits([f(mean, X)])
    text = frames.from_pandas(pandas.Series(["1.5", "2.5"]), npartitions=1)
    with pytest.raises(TypeError, match="an array of blocks must be of real numbers"):
        mg.compile(lambda w: 2.0 * w)(text.max()).compute()


def test_frames_go_by_their_columns():
    pandas, frames = package("pandas"), pytest.importorskip("dask.dataframe")
    frame = frames.from_pandas(pandas.DataFrame({"x": X, "y": Y}), npartitions=3)
    f = mg.compile(error, shared="w", reduce="mean")
    lazy = f(W, frame["x"], frame["y"])
    ends = np.cumsum(frame.map_partitions(len).compute())[:-1]
    of_parts = mg.compile(error, shared="w", reduce="sum")
    sums = [of_parts(W, x, y) for x, y in zip(np.split(X, ends), np.split(Y, ends), strict=True)]
    totals = np.sum([[loss, *slopes] for loss, slopes in sums], axis=0) / len(X)
    loss, slopes = dask.compute(lazy)[0]
    assert bits([loss, *slopes]) == bits(totals)


# ---- sums


SUMS = {reduce: mg.compile(error, shared="w", reduce=reduce) for reduce in ("sum", "mean")}


@given(st.integers(1, 100), st.integers(1, 100))
def test_the_sum_of_one_block_is_that_of_numpys_and_of_more_differs_by_rounding(size, other):
    x, y = X[:100], Y[:100]
    for reduce, f in SUMS.items():
        wanted = f(W, x, y)
        whole = dask.compute(f(W, blocks(x, -1), y), scheduler="sync")[0]
        assert bits([whole[0], *whole[1]]) == bits([wanted[0], *wanted[1]])
        loss, slopes = f(W, blocks(x, size), blocks(y, other))
        found = dask.compute([loss, *slopes], scheduler="sync")[0]
        scale = 1e-14 * (len(x) if reduce == "sum" else 1) * 10.0
        np.testing.assert_allclose(found, [wanted[0], *wanted[1]], rtol=0, atol=scale)


def test_of_no_rows_the_sum_is_zero_and_the_mean_nan():
    none = blocks(X[:0], -1)
    assert mg.compile(lambda x: x, reduce="sum")(none).compute() == 0.0
    assert math.isnan(mg.compile(lambda x: x, reduce="mean")(none).compute())


def test_the_bits_of_a_sum_depend_on_the_chunks_alone(client):
    f = mg.compile(error, shared="w", reduce="sum")
    for chunks in (30, (700, 1, 299)):
        loss, slopes = f(W, blocks(X, chunks), blocks(Y, chunks))
        seen = {
            tuple(bits(dask.compute([loss, *slopes], scheduler=scheduler)[0]))
            for scheduler in ("sync", "threads", client, client)
        }
        assert len(seen) == 1


# ---- on workers


def test_workers_need_neither_the_function_nor_its_module(client):
    weight = mg.Value(2.0)  # a constant, with the data that it has now
    result = mg.compile(lambda x: weight.data * x)(blocks(X, 100))
    weight.data = 3.0
    assert bits([result.compute(scheduler=client)]) == bits([2.0 * X])


def test_threads_that_come_at_once_make_a_kernel_once(monkeypatch):
    made, init = [], ArrayKernel.__init__

    def count(self, *args, **kwargs):
        made.append(1)
        time.sleep(0.05)  # in which the other threads come
        init(self, *args, **kwargs)

    result = mg.compile(lambda x: x + 13.75)(blocks(X, 100))
    monkeypatch.setattr(ArrayKernel, "__init__", count)
    result.compute(scheduler="threads", num_workers=4)
    assert len(made) == 1


def test_the_error_for_a_missing_package_speaks_of_those_that_kernels_need():
    def fail(name):
        raise ImportError(f"there is no {name}", name=name)

    with pytest.raises(ImportError, match="need llvmlite on every worker"):
        Shipped(lambda: fail("llvmlite.binding")).load()
    for name in (None, "of_the_user"):
        with pytest.raises(ImportError, match=f"^there is no {name}$"):
            Shipped(lambda name=name: fail(name)).load()


def test_a_worker_without_llvmlite_says_what_to_install(client):
    def forget():
        import sys

        kept = {name: sys.modules.pop(name) for name in [*sys.modules] if is_ours(name)}
        sys.modules["llvmlite"] = None
        sys.forgotten = kept

    def remember():
        import sys

        sys.modules.update(sys.forgotten)

    def is_ours(name):
        return name.partition(".")[0] in ("llvmlite", "microgrid")

    result = mg.compile(lambda x: x + 12.25)(blocks(X, 100))  # which no worker has made yet
    client.run(forget)
    try:
        with pytest.raises(ImportError, match=r"need llvmlite on every worker.*\[dask\]' there"):
            result.compute(scheduler=client)
    finally:
        client.run(remember)


# ---- what is refused


def test_what_a_mask_hides_is_never_computed_with():
    masked = da.ma.masked_greater(blocks(X, 100), 1.0)
    unsaid = blocks(X, 100).map_blocks(lambda x: np.ma.masked_greater(x, 1.0), meta=np.empty(0))
    f = mg.compile(lambda x: x, reduce="mean")
    shared = mg.compile(lambda w, x: w[0] * x, shared="w")
    message = r"must have a number in every place, got one with a mask; write dask.array.ma.filled"
    for call in (f, lambda x: shared(x, 1.0), lambda x: f([1.0, x])):
        with pytest.raises(TypeError, match=message):
            call(masked)  # before anything is computed
    for lazy in (f(unsaid), shared(unsaid, 1.0)):
        with pytest.raises(TypeError, match=message):
            lazy.compute()
    mean = masked.mean()  # a number
    assert f(mean).compute() == mean.compute()
    assert math.isnan(f(da.ma.filled(masked, np.nan)).compute())


def test_a_block_of_something_else_than_its_array_says_is_refused():
    for kind in (str, object, complex, "M8[s]"):
        x = blocks(X, 100).map_blocks(lambda x, kind=kind: x.astype(kind), meta=np.empty(0))
        with pytest.raises(TypeError, match="must be of real numbers, got a block of dtype"):
            mg.compile(lambda x: 2.0 * x)(x).compute()


def test_what_cannot_be_done_with_blocks_is_refused_before_anything_is_computed():
    f, x = mg.compile(lambda x, y: x * y), blocks(X, 100)
    with pytest.raises(ValueError, match=r"columns must have shapes that broadcast, got x \(1000,"):
        f(x, np.ones(3))
    with pytest.raises(TypeError, match="a column must be of real numbers, got x of dtype complex"):
        f(x.astype(complex), 1.0)
    with pytest.raises(TypeError, match=r"got dask.array.*; compute it first"):
        f(x, 1.0, out=np.empty(1000))
    with pytest.raises(TypeError, match=r"got dask.array.*; compute it first"):
        f.prepare(x, 1.0)
    with pytest.raises(ValueError, match="a shared array must have a known size"):
        mg.compile(lambda w, x: w[0] * x, shared="w")(x[x > 0.0], x)
