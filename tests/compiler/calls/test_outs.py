"""The laws of `out`: results that go into the caller's arrays are those that a call returns."""

import math
import random
from collections import OrderedDict

import numpy as np
import pytest

import microgrid as mg
from microgrid import Value
from microgrid.derivatives.trees import flatten
from tests.compiler.calls.test_compiled import EVERY_ARGUMENT, LAYOUTS, attempt, column

FUNCTIONS = {
    "number": lambda x, y: x * y + 1.0,
    "list": lambda x, y: [x * y, y, x * y, 2.0],
    "tuple": lambda x, y: (x * y, [x + y, (x,)]),
    "dict": lambda x, y: {"a": x * y, "b": OrderedDict(c=x, d=3.0)},
    "array": lambda x, y: np.array([[x, y], [x * y, 1.0]]),
    "both": lambda x, y: (np.array([x, x * y]), x * y),
    "derivatives": mg.value_and_grad(lambda x, y: mg.tanh(x * y), argnums=(0, 1)),
    "nothing": lambda x, y: [],
}
REDUCTIONS = [None, "sum", "mean"]
COMPILED = {
    (name, reduce): mg.compile(f, reduce=reduce)
    for name, f in FUNCTIONS.items()
    for reduce in REDUCTIONS
}

# Arrays for numbers, which are written over.
PLACES = {
    "contiguous": lambda shape: np.full(shape, -7.0),
    "of every second": lambda shape: np.full((*shape, 2), -7.0)[..., 0],
    "turned": lambda shape: np.full(shape[::-1], -7.0).T,
    "big-endian": lambda shape: np.full(shape, -7.0, ">f8"),
    "long double": lambda shape: np.full(shape, -7.0, np.longdouble),
    "complex": lambda shape: np.full(shape, -7.0, complex),
    "object": lambda shape: np.full(shape, -7.0, object),
    "subclass": lambda shape: np.full(shape, -7.0).view(np.recarray),
    "unaligned": lambda shape: (
        np.zeros(8 * math.prod(shape) + 1, "u1")[1:].view("f8").reshape(shape)
    ),
}


def leaves(tree):
    return flatten(tree, lambda x: isinstance(x, np.ndarray))[0]


def like(result, place):
    """Return a tree of arrays for a result."""
    if isinstance(result, dict):
        return {key: like(part, place) for key, part in result.items()}
    if isinstance(result, (list, tuple)):
        return type(result)(like(part, place) for part in result)
    return place(np.shape(result))


def same(out, result):
    """Return whether arrays hold the bits of a result."""
    held = [np.array(part.astype(complex).real) for part in leaves(out)]
    return [x.tobytes() for x in held] == [np.asarray(x).tobytes() for x in leaves(result)]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_written_is_what_is_returned(name, place):
    for reduce in REDUCTIONS:
        f = COMPILED[name, reduce]
        for x, y in [(column(9), 0.5), (column(6).reshape(2, 3), column(3)), (2.0, 3), (1.5, [])]:
            args = (x, y) if np.ndim(y) == 0 or len(y) else (x, np.zeros(0))
            result = f(*args)
            out = like(result, place)
            assert f(*args, out=out) is out
            assert same(out, result)


def test_what_can_be_computed_can_be_written_and_nothing_else():
    f = COMPILED["derivatives", None]
    for x in EVERY_ARGUMENT.values():
        if isinstance(x, Value):
            continue
        for y in [0.5, column(7), column(1), np.ma.zeros(7)]:
            right = attempt(f, x, y)
            is_wrong = isinstance(right, Exception)
            out = like((0.0, (0.0, 0.0)) if is_wrong else right, PLACES["contiguous"])
            found = attempt(f, x, y, out=out)
            if is_wrong:
                assert (type(found), str(found)) == (type(right), str(right))
                assert all(np.all(array == -7.0) for array in leaves(out))
            else:
                assert found is out
                assert same(out, right)


@pytest.mark.parametrize("rows", [1, 5, 8, 40, 100, 1500])
def test_arrays_that_are_read_and_written_at_once_give_the_right_result(rows):
    draw, f = random.Random(rows), COMPILED["tuple", None]

    def view(memory):
        step = draw.choice([1, 1, 1, 2, -1, -2])
        return memory[draw.randint(0, rows) + (3 * rows - 1 if step < 0 else 0) :: step][:rows]

    for _ in range(40):
        memory = column(4 * rows)
        x, y, out = (view(memory) for _ in range(3))
        product, *_ = f(x.copy(), y.copy())
        others = np.delete(memory, _places(memory, out))
        assert f(x, y, out=(out, None))[0] is out
        assert same(out, product)
        assert np.array_equal(others, np.delete(memory, _places(memory, out)))


def _places(memory, view):
    begin = memory.__array_interface__["data"][0]
    first = view.__array_interface__["data"][0]
    return [(first - begin + i * view.strides[0]) // 8 for i in range(len(view))]


def test_an_output_may_be_an_input_itself():
    for f in [COMPILED["number", None], mg.compile(lambda x, y: mg.sin(x) * mg.exp(y) + x / 3)]:
        for rows in (1, 5, 8, 1000, 5000):
            x, y = column(rows) / 8, column(rows, seed=1) / 8
            right = f(x, y)
            assert f(x, y, out=x) is x
            assert np.array_equal(x, right)


def test_any_part_may_be_left_to_the_call():
    x, y = column(5), column(5, seed=1)
    for name, f in COMPILED.items():
        result = f(x, y)
        assert repr(f(x, y, out=None)) == repr(result)
        parts = leaves(result)
        for k in range(len(parts)):
            wanted = iter([i == k for i in range(len(parts))])
            out = like(result, lambda shape, one=wanted: np.empty(shape) if next(one) else None)
            given = [part for part in _arrays(out) if part is not None]
            found = f(x, y, out=out)
            assert same([np.asarray(part) for part in leaves(found)], result)
            assert [id(a) for a in leaves(found) if any(a is b for b in given)] == [id(given[0])]
            arrays = [part for part in leaves(found) if isinstance(part, np.ndarray)]
            for i, array in enumerate(arrays):
                assert not any(np.shares_memory(array, other) for other in arrays[:i]), name


def _arrays(tree):
    parts = tree.values() if isinstance(tree, dict) else tree
    if isinstance(tree, (list, tuple, dict)):
        return [array for part in parts for array in _arrays(part)]
    return [tree]


SHAPES = [(), (1,), (3,), (5,), (2, 3), (1, 3), (3, 1), (0,), (2, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_fits_where_it_fits_numpys_ufuncs(shape):
    f = mg.compile(lambda x, y: x + y)
    for one in SHAPES:
        for other in SHAPES:
            x, y = column(math.prod(one)).reshape(one), column(math.prod(other)).reshape(other)
            out, right = np.full(shape, -7.0), np.full(shape, -7.0)
            try:
                np.add(x, y, out=right)
            except ValueError:
                with pytest.raises(ValueError, match="must have"):
                    f(x, y, out=out)
            else:
                assert f(x, y, out=out) is out
            assert np.array_equal(out, right)


@pytest.mark.parametrize("kind", [*"?bBhHiIlLqQefdgFDGOSUMm", ">f8", "f8,f8"])
def test_an_array_holds_what_it_holds_of_numpys_ufuncs(kind):
    f, out, right = mg.compile(lambda x: x + 0.1), np.zeros(3, kind), np.zeros(3, kind)
    try:
        np.add(column(3), 0.1, out=right)
    except TypeError:
        with pytest.raises(TypeError, match=r"out must hold floating-point numbers, got dtype"):
            f(column(3), out=out)
    else:
        f(column(3), out=out)
    assert out.tolist() == right.tolist()


X = column(3)
SHARED = np.zeros(3)
BAD = {  # `out` for a pair of results
    "an array": (np.zeros(3), TypeError, "out must be a list or tuple of 2, as the function"),
    "three": ((None, None, None), TypeError, "out must be a list or tuple of 2"),
    "a dict": ({"a": None}, TypeError, "out must be a list or tuple of 2"),
    "a list": (([0.0] * 3, None), TypeError, r"out\[0\] must be an array without a mask, or None"),
    "a number": ((1.0, None), TypeError, r"out\[0\] must be an array"),
    "masked": ((np.ma.zeros(3), None), TypeError, r"out\[0\] must be an array without a mask"),
    "a shape": (
        (np.zeros(3), np.zeros(4)),
        ValueError,
        r"out\[1\] must have the shape \(3,\), got",
    ),
    "read-only": ((np.zeros(3), LAYOUTS["read-only"](X)), ValueError, r"out\[1\] must be writable"),
    "one twice": ((SHARED, SHARED), ValueError, r"out\[0\] and out\[1\] must be two arrays"),
    "overlapping": ((SHARED[1:], SHARED[:-1]), ValueError, "got some of the same memory"),
    "whole numbers": ((np.zeros(3), np.zeros(3, int)), TypeError, "got dtype int64"),
}


@pytest.mark.parametrize(("out", "error", "message"), BAD.values(), ids=BAD)
def test_nothing_is_written_if_anything_is_wrong(out, error, message):
    f = mg.compile(lambda x: (x + 1.0, x + 2.0))
    arrays = [part for part in _arrays(out) if isinstance(part, np.ndarray)]
    before = [array.tolist() for array in arrays]
    for _ in range(2):  # whether or not it has been compiled
        with pytest.raises(error, match=message):
            f(X[: len(SHARED) - 1] if message.startswith("got some") else X, out=out)
        assert [array.tolist() for array in arrays] == before
    with pytest.raises(TypeError, match="out must be a dict with the keys 'a'"):
        mg.compile(lambda x: {"a": x})(X, out={"b": SHARED})


def test_arrays_side_by_side_may_be_written_at_once():
    table = np.zeros((5, 4))
    f = mg.compile(lambda x: [x, x + 1.0, x + 2.0, x + 3.0])
    f(np.arange(5.0), out=list(table.T))
    assert np.array_equal(table, np.arange(5.0)[:, None] + np.arange(4.0))


def test_the_only_result_may_be_in_a_tuple_as_in_numpy():
    out = np.zeros(3)
    assert COMPILED["number", None](X, 2.0, out=(out,)) is out
    assert np.array_equal(out, X * 2.0 + 1.0)


def test_a_parameter_of_that_name_is_the_functions_own():
    f = mg.compile(lambda x, out: x + out)
    assert f(1.0, out=2.0) == f(1.0, 2.0) == 3.0
    assert mg.compile(lambda x, *, out=1.0: x + out)(1.0, out=3.0) == 4.0
    g = mg.compile(lambda **numbers: numbers["x"] * 2.0)
    out = np.zeros(3)
    assert g(x=X, out=out) is out
    assert np.array_equal(out, X * 2.0)


def test_values_have_no_results_for_arrays():
    with pytest.raises(TypeError, match="`out` is for numbers, got Values"):
        COMPILED["number", None](Value(1.0), 2.0, out=np.zeros(()))
