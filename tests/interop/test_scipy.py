"""Compiled functions as functions of C: in SciPy's integrals, in Numba's loops, and by ctypes."""

import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from scipy import integrate

import microgrid as mg
from microgrid.interop.scipy import low_level_callable
from microgrid.testing.strategies import programs
from tests.packages import package


def bell(x, scale):
    return mg.exp(-x * x / scale)


@given(programs())
def test_a_function_of_c_has_the_bits_of_a_call(program):
    f = mg.compile(program)
    args = [float(x) for x in program.point]
    assert same(f.ctypes(*args), f(*args))


def same(a, b):
    return np.array(a, float).tobytes() == np.array(b, float).tobytes()


def test_its_code_lives_as_long_as_the_function_of_ctypes():
    cube = mg.compile(lambda x: x**3).ctypes  # which nothing else keeps
    mg.compile(lambda x: x + 1.0)(2.0)
    assert cube(2.0) == 8.0
    f = mg.compile(bell)
    assert f.ctypes(0.5, 2.0) == pickle.loads(pickle.dumps(f)).ctypes(0.5, 2.0) == f(0.5, 2.0)
    assert f.address == f.address != 0


def test_a_constant_is_a_function_too_and_a_value_is_what_it_is_now():
    assert mg.compile(lambda x: 3.0).ctypes(1.0) == 3.0
    weight = mg.Value(2.0)
    f = mg.compile(lambda x: weight.data * x)
    before = f.ctypes
    assert before(3.0) == 6.0


def test_integrals_without_python_are_those_with_it():
    for f, options in [
        (mg.compile(mg.sin), {}),
        (mg.compile(mg.grad(bell)), {"args": (2.0,)}),
    ]:
        wanted = integrate.quad(f, 0.0, 1.5, **options)
        assert integrate.quad(low_level_callable(f), 0.0, 1.5, **options) == wanted
    ranges = [[0.0, 1.0], [1.0, 2.0]]
    f = mg.compile(bell)
    assert integrate.nquad(low_level_callable(f), ranges) == integrate.nquad(f, ranges)


def test_numba_calls_it():
    njit = package("numba").njit
    f = mg.compile(bell)
    of_c = f.ctypes

    @njit
    def total(xs):
        result = 0.0
        for x in xs:
            result += of_c(x, 2.0)
        return result

    xs = np.linspace(0.0, 1.0, 10)
    assert total(xs) == sum(f(x, 2.0) for x in xs.tolist())


def test_threads_may_call_it_at_once():
    of_c, results = mg.compile(bell).ctypes, []

    def call():
        results.append([of_c(k / 100, 2.0) for k in range(1000)])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    "f",
    [
        mg.compile(lambda x: [x]),
        mg.compile(lambda x: x, reduce="sum"),
        mg.compile(lambda w, x: w * x, shared="w"),
        mg.compile(lambda *xs: xs[0]),
    ],
)
def test_what_c_has_no_such_function_for_is_refused(f):
    for ask in [lambda: f.address, lambda: f.ctypes, lambda: low_level_callable(f)]:
        with pytest.raises(TypeError, match="a function of C takes single numbers and returns one"):
            ask()
