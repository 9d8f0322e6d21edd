"""The laws of `threads`: no bit shows who computed which rows, and nobody works on afterwards."""

import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import microgrid as mg
from microgrid.compiler import threads
from microgrid.compiler.native import rows
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.native.rows import LEAST, MOST, WHOLE, chunk_of, chunks_of
from microgrid.compiler.threads import share
from tests.interrupts import failing, in_files_of, one_of_each_line, signalled
from tests.threads import PATIENCE, in_a_thread

ROWS = [0, 1, LEAST, 2 * LEAST - 1, 2 * LEAST, 2 * LEAST + 9, 7 * LEAST + 1, MOST * LEAST + 37]
REDUCTIONS = [None, "sum", "mean"]


@pytest.fixture
def eager(monkeypatch):
    """Let eight threads share whatever has two chunks."""
    monkeypatch.setattr(threads, "processors", lambda: 8)
    monkeypatch.setattr(threads, "WORTH", 1e-12)
    monkeypatch.setattr(threads, "SPAN", 1e-12)


def formulas(a, x, y):
    return [mg.sin(a * x) * y, x, mg.exp(-x * x) / (2 + y), 2.5, a * a]


LAYOUTS = {
    "columns": lambda x, y: (x, y),
    "of every second": lambda x, y: (np.repeat(x, 2)[::2], y[::-1].copy()[::-1]),
    "one for all": lambda x, y: (x, 0.75),
    "converted": lambda x, y: (x.astype(np.float32), y),
    "turned": lambda x, y: (x.reshape(-1, 1).T, y.reshape(1, -1)),
    "broadcast": lambda x, y: (x.reshape(-1, 1) * np.ones(2), np.ones(2)),
}


def same(one, other):
    return np.shape(one) == np.shape(other) and np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_no_column_of_numbers_is_none_for_threads_either(eager, count, reduce):
    f = mg.compile(lambda x, y: x * y, reduce=reduce, threads=count)
    good, out = np.ones(5 * LEAST), np.zeros(5 * LEAST)
    f(good, good)
    f(good, good, out=out if reduce is None else None)
    for kind in (complex, "M8[s]", "S1", object):
        bad = np.zeros(len(good), kind)
        for args in [(good, bad), (bad, good), (bad, 2.0)]:
            with pytest.raises(TypeError, match=r"a column must be of real numbers, got [xy] of"):
                f(*args)
            with pytest.raises(TypeError, match=r"a column must be of real numbers, got [xy] of"):
                f(*args, out=out)
    with pytest.raises(TypeError):
        f(good)
    assert reduce or np.array_equal(out, good)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_no_bit_depends_on_the_number_of_threads(eager, monkeypatch, reduce, layout):
    compiled = {
        count: mg.compile(formulas, shared="a", reduce=reduce, threads=count)
        for count in (1, 2, 3, 8, None)
    }
    rng = np.random.default_rng(0)
    for count_of_rows in ROWS:
        columns = LAYOUTS[layout](*rng.normal(size=(2, count_of_rows)))
        expected = compiled[1](0.5, *columns)
        for count, f in compiled.items():
            # a first call, and one that knows how long rows take, and converts them piece by piece
            for largest in (rows.LARGEST, 0):
                with monkeypatch.context() as patch:
                    patch.setattr(rows, "LARGEST", largest)
                    found = f(0.5, *columns)
                assert all(map(same, found, expected)), (count_of_rows, count)


@pytest.mark.parametrize("count", [1, 2])
def test_results_in_arrays_of_the_caller_s_are_the_same(eager, count):
    x = np.random.default_rng(1).normal(size=9 * LEAST + 5)
    f = mg.compile(mg.value_and_grad(mg.tanh), threads=count)
    outs = np.empty_like(x), np.empty_like(x)
    f(x, out=outs)
    assert same(outs, mg.compile(mg.value_and_grad(mg.tanh))(x))


def test_other_threads_do_take_part(eager):
    names = set()

    def work(i):
        names.add(threading.current_thread().name)
        time.sleep(0.01)

    deadline = time.monotonic() + PATIENCE
    while len(names) < 2 and time.monotonic() < deadline:
        share(work, 8, 2)
    assert names == {threading.current_thread().name, "microgrid"}


def test_a_short_call_is_not_shared(monkeypatch):
    monkeypatch.setattr(threads, "share", None)
    monkeypatch.setattr(threads, "WORTH", 1e9)
    f = mg.compile(lambda x: x + 1.0, threads=2)
    x = np.arange(8.0 * LEAST)
    assert same(f(x), x + 1.0)
    assert same(f(x), x + 1.0)


# ---- chunks


def test_chunks_depend_on_the_number_of_rows_alone_and_are_neither_short_nor_many():
    for size in [*range(4 * LEAST), 10**5, 10**6 + 1, 10**9]:
        chunk, count = chunk_of(size), chunks_of(size)
        assert chunk % WHOLE == 0
        assert (count - 1) * chunk < max(size, 1) <= count * chunk
        assert 1 <= count <= MOST
        assert count == 1 or chunk >= LEAST
        assert count > 1 or size < 2 * LEAST


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_sum_is_that_of_its_chunks_one_after_another(eager, count, dtype):
    f = mg.compile(lambda x: (mg.sin(x), x * x), reduce="sum", threads=count)
    x = np.random.default_rng(2).normal(size=5 * LEAST + 3).astype(dtype)
    chunk = chunk_of(len(x))
    parts = [f(x[begin : begin + chunk]) for begin in range(0, len(x), chunk)]
    assert len(parts) > 2
    total = np.zeros(2)
    for part in parts:
        total = total + part
    assert same(f(x), total)


def test_what_all_rows_share_is_not_computed_again_for_more_rows():
    program = mg.compile(lambda a, x: mg.sin(a) * x, shared="a").prepare(0.5, 1.0)
    kernel = ArrayKernel(program, (0,))
    numbers, out, x = np.zeros(kernel.text.room), np.empty(3), np.arange(3.0)
    numbers[0] = 0.5
    assert kernel.kernel.of_arrays(3, 3, numbers, None, None, out, x)
    assert same(out, np.sin(0.5) * x)
    numbers[1:] = 2.0  # instead of the sine
    assert kernel.kernel.of_more_arrays(3, 3, numbers, None, None, out, x)
    assert same(out, 2.0 * x)


# ---- what a call leaves behind


class Calls:
    """Calls to share, which say when they begin and end."""

    def __init__(self, error=None):
        self.begun, self.ended, self.error = [], [], error

    def __call__(self, i):
        self.begun.append(i)
        time.sleep(0.0005)
        self.ended.append(i)
        if self.error and i == 3:
            raise self.error

    def check(self):
        begun = sorted(self.begun)
        assert begun == sorted(self.ended)
        assert len(set(begun)) == len(begun)
        time.sleep(0.002)
        assert sorted(self.begun) == begun


@pytest.mark.parametrize("cut", [signalled, failing])
def test_after_ctrl_c_nobody_works_on_and_the_next_call_is_right(cut):
    is_watched = in_files_of(threads)
    share(Calls(), 6, 3)
    first = cut(lambda: share(Calls(), 6, 3), () if cut is signalled else -1, is_watched)
    stopped = 0
    for point in one_of_each_line(first, 6):
        calls = Calls()
        run = cut(
            lambda calls=calls: share(calls, 6, 3),
            {point} if cut is signalled else point,
            is_watched,
        )
        calls.check()
        stopped += len(calls.begun) < 6
        assert run.error is not None or sorted(calls.begun) == [*range(6)]
        after = Calls()
        in_a_thread(lambda after=after: share(after, 6, 3) or True)
        assert sorted(after.ended) == [*range(6)]
    assert stopped


def test_after_ctrl_c_in_a_shared_call_the_next_one_is_right(eager):
    x = np.random.default_rng(5).normal(size=4 * LEAST)
    expected = mg.compile(mg.tanh, reduce="sum")(x)
    f = mg.compile(mg.tanh, reduce="sum", threads=3)
    is_watched = in_files_of(threads, rows)
    f(x)
    stopped = 0
    for point in one_of_each_line(signalled(lambda: f(x), (), is_watched), 6):
        run = signalled(lambda: f(x), {point}, is_watched)
        stopped += run.result is None
        assert run.result in (None, expected), point
        assert f(x) == expected, point
    assert stopped


@pytest.mark.parametrize("helpers", [0, 1, 2])
@pytest.mark.parametrize("error", [ValueError("one"), MemoryError(), SystemExit(3)])
def test_an_error_passes_through_once_all_calls_are_over(error, helpers):
    for _ in range(5):
        calls = Calls(error)
        with pytest.raises(type(error)) as caught:
            share(calls, 64, 1 + helpers)
        assert caught.value is error
        calls.check()
        assert len(calls.begun) < 64


def test_nothing_is_kept_alive_after_a_call_even_if_no_thread_had_time_for_it():
    begun, end = threading.Semaphore(0), threading.Event()

    def work(i):
        begun.release()
        assert end.wait(PATIENCE)

    share(Calls(), 2, 3)
    busy = threading.Thread(target=share, args=(work, 3, 3))
    busy.start()
    for _ in range(3):
        assert begun.acquire(timeout=PATIENCE)
    calls = Calls()
    share(calls, 2, 3)
    dead = weakref.ref(calls)
    del calls
    gc.collect()
    try:
        assert dead() is None
    finally:
        end.set()
        busy.join()


def test_calls_from_many_threads_at_once_are_right(eager):
    f = mg.compile(formulas, shared="a", reduce="sum", threads=3)
    x = np.random.default_rng(3).normal(size=(2, 6 * LEAST))
    expected = f(0.5, *x)
    wrong = []

    def work():
        wrong.extend(1 for _ in range(20) if f(0.5, *x) != expected)

    crowd = [threading.Thread(target=work) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in crowd)
    assert not wrong


# ---- processes

SETUP = f"""
import os, sys, threading
import numpy as np
import microgrid as mg
from microgrid.compiler import threads

threads.processors, threads.WORTH = lambda: 3, 1e-12
f = mg.compile(mg.value_and_grad(mg.tanh), threads=None)
x = np.linspace(-3, 3, {8 * LEAST})
expected = mg.compile(mg.value_and_grad(mg.tanh))(x)
right = lambda: all(map(np.array_equal, f(x), expected))
working = lambda: [t for t in threading.enumerate() if t.name == "microgrid"]
assert right() and right() and len(working()) == 2
"""


FORKS = """
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # that threads and forks are seldom friends
for _ in range(3):
    child = os.fork()
    if not child:
        assert not working()
        assert right() and len(working()) == 2
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert right() and len(working()) == 2
"""


def test_threads_end_with_the_process_and_a_forked_child_has_its_own():
    code = SETUP + FORKS * hasattr(os, "fork") + "print(len(working()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


# ---- the argument


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "2", [2]])
def test_what_is_no_number_of_threads_is_refused(count):
    error = ValueError if type(count) is int else TypeError
    message = (
        "`threads` must be an integer, at least 1, or None for as many as there are processors"
    )
    with pytest.raises(error, match=message):
        mg.compile(formulas, threads=count)


@pytest.mark.parametrize("count", [1, 2, None, np.int64(3)])
def test_a_copy_of_a_compiled_function_has_as_many_threads(count):
    f = mg.compile(scaled, threads=count)
    assert f.options() == (frozenset(), None, count)
    assert pickle.loads(pickle.dumps(f)).options() == f.options()
    unnamed = mg.compile(lambda x: x * 2.0, threads=count)
    unnamed(1.0)
    twin = pickle.loads(pickle.dumps(unnamed))
    assert twin.options() == unnamed.options()
    assert same(twin(np.arange(3.0)), [0.0, 2.0, 4.0])


def scaled(x):
    return x * 2.0
