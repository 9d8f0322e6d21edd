"""The laws of the memory of large results: nobody shares it, nobody waits for it, it goes back."""

import gc
import os
import random
import subprocess
import sys
import weakref

import numpy as np
import pytest

import microgrid as mg
from microgrid.compiler.native import memory
from microgrid.compiler.native.memory import LARGE, PARTS, Pool
from tests.memory import resident_bytes
from tests.threads import all_at_once

VIEWS = [
    lambda x: x[1:],
    lambda x: x[::-3],
    lambda x: x.reshape(2, -1).T,
    lambda x: x.view(np.int64),
    lambda x: np.frombuffer(x),
    lambda x: memoryview(x),
    lambda x: np.broadcast_to(x, (3, len(x))),
    lambda x: x.view(np.recarray),
    lambda x: x.flat,
]


def use(pool, seed, failures):
    """Make arrays, let them and their views go, and look whether all that are left are whole."""
    draw = random.Random(seed)
    held = []
    for step in range(300):
        number = seed * 1e6 + step
        array = pool.empty((size := draw.choice([100, 110, 200]),), size)
        array.fill(number)
        held.append((number, draw.choice([lambda x: x, *VIEWS])(array)))
        del array
        while len(held) > draw.randint(0, 12):
            number, view = held.pop(draw.randrange(len(held)))
            found = np.asarray(view).reshape(-1)
            if not np.all((found if found.dtype == float else found.view(float)) == number):
                failures.append(number)
            del view, found


@pytest.mark.parametrize("after", [60.0, 0.0])
def test_no_two_results_that_are_in_use_share_memory(after):
    failures = []
    pool = Pool(most=1000, after=after)
    use(pool, 1, failures)
    assert failures == []
    assert 0 < pool.waiting() <= 1000 or not after


def test_threads_may_make_and_free_results_at_once():
    failures, pool = [], Pool(most=1000, after=60.0)
    numbers = iter(range(4))
    all_at_once(lambda: use(pool, next(numbers), failures), 4)
    assert failures == []
    assert 0 < pool.waiting() <= 1000


@pytest.mark.parametrize("view", VIEWS)
def test_memory_goes_back_when_the_last_view_is_gone(view):
    pool = Pool(most=1000, after=60.0)
    array = pool.empty((10, 10), 100).reshape(-1)
    part = view(array)
    del array
    gc.collect()
    assert pool.waiting() == 0
    del part
    gc.collect()
    assert pool.waiting() == 100


def test_what_is_too_much_or_waits_for_too_long_waits_no_more():
    pool = Pool(most=250, after=60.0)
    arrays = [pool.empty((100,), 100) for _ in range(5)]
    gone = [weakref.ref(array.base._note.memory) for array in arrays]
    del arrays
    assert pool.waiting() == 200
    assert [memory() is None for memory in gone].count(True) == 3
    pool.after = 0.0
    assert pool.waiting() == 0
    assert all(memory() is None for memory in gone)
    pool.most, pool.after = 10**6, 60.0
    many = [pool.empty((10,), 10) for _ in range(3 * PARTS)]
    gone = [weakref.ref(array.base._note.memory) for array in many]
    del many
    assert [memory() is None for memory in gone].count(False) == PARTS  # before anybody looks
    assert pool.waiting() == 10 * PARTS
    too_large = pool.empty((10**6 + 1,), 10**6 + 1)
    del too_large
    assert pool.waiting() == 10 * PARTS


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_what_goes_back_is_the_systems_though_a_part_of_it_is_in_use():
    pool, size = Pool(most=2**24, after=60.0), 2**17
    arrays = [pool.empty((size,), size) for _ in range(40)]  # of 1 MiB, in more than one area
    for i, array in enumerate(arrays):
        array.fill(i)
    before = resident_bytes()
    kept = arrays[::10]
    del arrays, array
    assert pool.waiting() == PARTS * size
    pool.after = 0.0
    assert pool.waiting() == 0
    pool.sweep()
    assert before - resident_bytes() > 30 * 2**20
    assert [set(array.tolist()) for array in kept] == [{0.0}, {10.0}, {20.0}, {30.0}]


def test_no_python_code_runs_while_arrays_are_freed():
    # a signal that came in it would be lost, as what its handler raises reaches nobody
    pool, called = Pool(most=1000, after=60.0), []
    arrays = [pool.empty((10,), 10) for _ in range(3 * PARTS)]
    sys.setprofile(lambda frame, event, arg: called.append((event, frame.f_code.co_name)))
    try:
        del arrays
    finally:
        sys.setprofile(None)
    assert [name for event, name in called if event == "call"] == []
    assert pool.waiting() > 0


@pytest.mark.parametrize("has_none", [True, False])
def test_without_areas_memory_is_numpys(monkeypatch, has_none):
    def refuse(*args, **kwargs):
        raise OSError("cannot allocate memory")

    monkeypatch.setattr(memory, "HAS_LARGE_PAGES", not has_none)
    monkeypatch.setattr(memory.mmap, "mmap", refuse)
    failures, pool = [], Pool(most=1000, after=60.0)
    use(pool, 1, failures)
    assert failures == []
    assert pool._areas == []


def test_memory_is_used_again_for_what_nearly_fills_it():
    pool = Pool(most=1000, after=60.0)
    address = pool.empty((100,), 100).ctypes.data
    assert pool.empty((5, 18), 90).ctypes.data == address
    assert pool.empty((70,), 70).ctypes.data != address
    assert pool.empty((101,), 101).ctypes.data != address


@pytest.mark.parametrize("rows", [LARGE - 1, LARGE, 3 * LARGE])
def test_a_large_result_is_an_ordinary_array(rows):
    x = np.arange(float(rows))
    f = mg.compile(lambda x, y: [x + y, 3.0, x + y, np.array([x, x + y])])
    for _ in range(3):  # in fresh memory, and in that of earlier results
        results = f(x, 2.0)
        for result in results:
            assert type(result) is np.ndarray
            assert result.dtype == float
            assert result.flags.writeable
            assert result.flags.c_contiguous
            assert result.flags.aligned
        for result, right in zip(results, [x + 2, np.full(rows, 3.0), x + 2], strict=False):
            assert np.array_equal(result, right)
        assert np.array_equal(results[3], np.stack([x, x + 2], axis=-1))
        assert not any(np.shares_memory(a, b) for a in results for b in results if a is not b)
        results[0].fill(-1.0)
        assert np.array_equal(results[2], x + 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process forks on POSIX alone")
def test_a_forked_process_has_its_own_memory():
    code = f"""
import os, sys, numpy as np
from microgrid.compiler.native.memory import _POOL, empty
kept, dropped = empty(({LARGE},)), empty(({LARGE},))
kept.fill(1.0)
del dropped
assert _POOL.waiting() == {LARGE}
child = os.fork()
if child == 0:
    assert _POOL.waiting() == 0
    kept.fill(2.0)
    empty(({LARGE},)).fill(3.0)
    assert _POOL.waiting() == {LARGE}
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0
assert _POOL.waiting() == {LARGE} and np.all(kept == 1.0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_process_that_ends_with_large_results_says_nothing():
    code = f"""
from microgrid.compiler.native.memory import empty
kept, cycle = empty(({LARGE},)), [empty(({LARGE},))]
cycle.append(cycle)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ended.stderr == ""


def test_calls_with_many_rows_keep_no_more_than_the_pool_may(monkeypatch):
    pool = Pool(most=4 * LARGE, after=60.0)
    monkeypatch.setattr(memory, "_POOL", pool)
    f = mg.compile(lambda x: (x + 1.0, x * 2.0, x * 3.0))
    for i in range(60):
        rows = LARGE + 997 * (i % 7)
        held = f(np.zeros(rows))
        assert np.array_equal(held[0], np.ones(rows))
        assert pool.waiting() <= 4 * LARGE
    del held
    assert pool.waiting() > 2 * LARGE


def test_small_results_look_whether_large_ones_have_waited_for_too_long(monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr(memory, "monotonic", lambda: seconds[0])
    pool = Pool(most=10**6, after=2.0)
    monkeypatch.setattr(memory, "_POOL", pool)
    f = mg.compile(lambda x: x + 1.0)
    f(np.zeros(LARGE))  # which is noted to be gone
    for held in [{"_gone": 1, "_waiting": 0}, {"_gone": 0, "_waiting": 1}]:
        f(np.zeros(3))
        assert {name: len(getattr(pool, name)) for name in held} == held
        seconds[0] += 3.0
    f(np.zeros(3))
    assert not pool._gone
    assert not pool._waiting


def test_areas_go_with_the_last_of_their_parts(monkeypatch):
    pool = Pool(most=0, after=60.0)
    monkeypatch.setattr(memory, "_POOL", pool)
    f, x, held = mg.compile(lambda x: (x + 1.0, x * 2.0, x * 3.0)), np.zeros(2 * LARGE), []
    for i in range(400):  # of 1.5 MiB a call
        held.append(f(x[: LARGE + 16 * i])[i % 3])
        held = held[-7:]
        assert len(pool._areas) <= 3
    assert [np.max(array) for array in held] == [(1.0, 0.0, 0.0)[i % 3] for i in range(393, 400)]


def test_large_results_leave_no_reference_behind():
    pool = Pool(most=1000, after=60.0)
    before = sys.getrefcount(None)
    for _ in range(1000):
        pool.empty((100,), 100)
    assert abs(sys.getrefcount(None) - before) < 100
