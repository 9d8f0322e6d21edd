"""The laws of `compile`: arrays as in a NumPy ufunc, one of scalars in any structure."""

import copy
import functools
import gc
import inspect
import math
import operator
import pickle
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict, namedtuple
from fractions import Fraction

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import MLP, Value
from microgrid.compiler import Compiled, Program
from microgrid.compiler.calls.results import Sums, filler
from microgrid.compiler.ir.machine import this_machine
from microgrid.compiler.native import rows as native_rows
from microgrid.compiler.native.kernel import are_alike
from microgrid.derivatives import wrapping
from microgrid.derivatives.trees import flatten
from tests.memory import kept_by
from tests.search import usual

Point = namedtuple("Point", "x y")

# libmvec's functions are within 4 ulp of the exact result, and NumPy's own within 4.
MOST_ULP = 8
# Derivatives by the kernel and by Python: the same formulas, functions that differ by some ulp.
SLOPE_ERROR = 1e-12
# Some pages that nobody gave back; a hundred kernels, if they were kept, would take 80 MB.
MOST_BYTES_KEPT = 500_000

WIDTH = this_machine().width
COUNTS = [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5, 1023, 1024, 1025, 100_000]

# ---- what is compiled once and called by many tests
#
# A kernel may compute x * y + 1 with one rounding, as NumPy does not: where bits are compared, the
# numbers are quarters of whole ones, so that nothing is rounded.


def affine_formula(x, y):
    return x * y + 1.0


affine = mg.compile(affine_formula)
functions = mg.compile(lambda x: [mg.exp(x), mg.sin(x), mg.log(abs(x) + 1.0), mg.tanh(x)])
total = mg.compile(affine_formula, reduce="sum")
average = mg.compile(affine_formula, reduce="mean")
first_plus_second = mg.compile(lambda p: p[0] + p[1] * 2.0)
line = mg.compile(lambda w, x: w[0] * x + w[1], shared="w")


def column(rows, kind="f8", seed=0):
    numbers = np.random.default_rng(seed).integers(-100, 100, rows)
    return (numbers / 4 if kind[-2] == "f" else abs(numbers)).astype(kind)


def unaligned(x):
    room = np.zeros(x.nbytes + 1, np.uint8)
    moved = room[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


def read_only(x):
    frozen = x.copy()
    frozen.flags.writeable = False
    return frozen


LAYOUTS = {
    "contiguous": lambda x: x,
    "strided": lambda x: np.repeat(x, 3)[::3],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "a column of a table": lambda x: np.stack([x, -x, x], axis=1)[:, 1] * -1.0 if x.size else x,
    "a field of records": lambda x: np.rec.fromarrays([x, x], names="a,b").b,
    "read-only": read_only,
    "unaligned": unaligned,
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "every second of a big-endian": lambda x: np.repeat(x, 2).astype(">f4")[::2],
    "of its own dtype": lambda x: x.astype(np.dtype("f8", metadata={"unit": "m"})),
}


def same(a, b):
    """Return whether two trees of arrays have one structure, equal shapes and equal bits."""
    if isinstance(a, (list, tuple, dict)):
        keys = list(a) if isinstance(a, dict) else range(len(a))
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and (not isinstance(a, dict) or keys == list(b))
            and all(same(a[k], b[k]) for k in keys)
        )
    return (
        np.shape(a) == np.shape(b)
        and np.asarray(b).dtype == np.float64
        and np.array_equal(a, b, equal_nan=True)
    )


# ---- arrays


@pytest.mark.parametrize("rows", COUNTS)
def test_all_layouts_of_a_column_give_the_same_bits(rows):
    x, y = column(rows), column(rows, seed=1)
    expected = x * y + 1.0
    for name, layout in LAYOUTS.items():
        assert same(affine(layout(x), y), expected), name
        assert same(affine(x, layout(y)), expected), name
        assert same(affine(layout(x), layout(y)), expected), name


@pytest.mark.parametrize("kind", ["i1", "u1", "<i2", ">i4", "i8", "u8", "?", "f2", "f4", "f8"])
def test_numbers_of_all_kinds_are_floats(kind):
    x = column(50, kind) if kind != "?" else column(50) > 0
    assert same(affine(x, 0.5), x.astype(float) * 0.5 + 1.0)
    assert same(affine(x[0], x[1]), float(x[0]) * float(x[1]) + 1.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((), ()),
        ((1,), ()),
        ((1,), (1,)),
        ((1, 1), (1,)),
        ((5,), ()),
        ((5,), (1,)),
        ((3, 5), (5,)),
        ((3, 1), (5,)),
        ((3, 1), (1, 5)),
        ((2, 1, 4), (3, 1)),
        ((1, 1, 1), (5,)),
        ((0,), ()),
        ((0,), (1,)),
        ((0, 3), (3,)),
        ((3, 0), (1, 1)),
        ((2, 0, 4), (1, 4)),
    ],
)
def test_shapes_broadcast_as_in_numpy(one, other):
    x, y = column(math.prod(one)).reshape(one), column(math.prod(other), seed=1).reshape(other)
    expected = x * y + 1.0
    assert same(affine(x, y), expected)
    assert same(affine(y, x), expected)
    assert same(affine(x.astype("f4"), y), expected)
    assert same(affine(x, y.astype(">f8")), expected)


@given(st.data())
@usual(50)
def test_any_view_of_any_array_is_computed_as_numpy_does(data):
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple))
    x = column(math.prod(shape)).reshape(shape).astype(data.draw(st.sampled_from(["f8", "f4"])))
    x = x.transpose(data.draw(st.permutations(range(len(shape)))))
    x = x[tuple(slice(None, None, data.draw(st.sampled_from([1, 2, -1, -2]))) for _ in shape)]
    y = np.asarray(x[data.draw(st.sampled_from([slice(None), slice(0, 1)]))], float) - 3.0
    assert same(affine(x, y), x.astype(float) * y + 1.0)


@pytest.mark.parametrize(
    "x",
    [
        np.asfortranarray(np.arange(2200.0).reshape(40, 55)),
        np.arange(2200.0).reshape(40, 55).T,
        np.arange(4400.0).reshape(40, 110)[:, ::2],
        np.broadcast_to(np.arange(55.0), (40, 55)),
        np.broadcast_to(2.0, (40, 55)),
        np.diagonal(np.arange(3600.0).reshape(60, 60)),
        np.arange(24.0).reshape(2, 3, 4).swapaxes(0, 2),
    ],
    ids=lambda x: str(x.strides),
)
@pytest.mark.parametrize("way", ["at once", "piece by piece"])
def test_arrays_of_more_dimensions_keep_their_places(monkeypatch, way, x):
    if way == "piece by piece":
        monkeypatch.setattr(native_rows, "LARGEST", 0)
    assert same(affine(x, 0.5), x * 0.5 + 1.0)
    assert affine(x, 0.5).flags.c_contiguous
    assert affine(x, 0.5).flags.writeable


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_columns_that_are_broadcast_at_once_or_piece_by_piece_give_the_same_bits(
    monkeypatch, reduce, threads
):
    f = mg.compile(lambda x, y: mg.sin(x) * y, reduce=reduce, threads=threads)
    x, y = column(70).astype("f4"), column(50).reshape(50, 1)
    at_once = f(x, y)
    monkeypatch.setattr(native_rows, "LARGEST", 0)
    assert same(f(x, y), at_once)


def sum_error(rows):
    """Return how far a sum may be from the exact one, as a part of the sum of absolute values.

    Each lane of a vector adds its rows one after another, then the lanes are added up, and the rest
    of the rows; each addition rounds by half an ulp, and so do a product and a sum in every row.
    """
    return (rows / WIDTH + 2 * WIDTH + 2) * 2**-53


def ulps(a, b):
    return np.max(np.abs(a - b) / np.spacing(np.maximum(np.abs(a), np.abs(b))), initial=0.0)


@pytest.mark.parametrize("rows", COUNTS)
def test_functions_are_numpys_to_a_few_ulp(rows):
    x = column(rows) / 10
    expected = [np.exp(x), np.sin(x), np.log(np.abs(x) + 1.0), np.tanh(x)]
    for found, right in zip(functions(x), expected, strict=True):
        assert ulps(found, right) <= MOST_ULP


@pytest.mark.parametrize("rows", [WIDTH - 1, 3 * WIDTH + 5, 1025])
def test_a_row_has_the_same_bits_wherever_it_stands(rows):
    # in a vector, in the rest behind the last vector, alone among equal ones: one kernel's own code
    x = column(rows) / 10
    for found, mirrored in zip(functions(x), functions(x[::-1].copy()), strict=True):
        assert np.array_equal(found, mirrored[::-1])


def test_special_numbers_are_numpys():
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0, 5e-324, 1e308])
    with np.errstate(all="ignore"):
        expected = [np.log(x), 1 / x, np.sqrt(x), np.exp(x), x - x, x * 0]
    found = mg.compile(lambda x: [mg.log(x), 1 / x, mg.sqrt(x), mg.exp(x), x - x, x * 0])(x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_max_ulp(one, other, MOST_ULP)
        assert np.array_equal(np.signbit(one), np.signbit(other)) or np.isnan(other).any()


def test_what_comes_in_is_not_changed_and_what_comes_out_is_ones_own():
    x = np.arange(5.0)
    both = mg.compile(lambda x: [x, x, 3.0, 3.0])
    results = both(x)
    for i, result in enumerate(results):
        for other in [x, *results[:i]]:
            assert not np.shares_memory(result, other)
        result[:] = -1.0
    assert x.tolist() == [0, 1, 2, 3, 4]
    assert both(x)[0].tolist() == [0, 1, 2, 3, 4]


# The columns of a list: of one shape or not, of doubles or not, numbers among them.
ONE_BY_ONE = [
    *(np.full(shape, 1.5) for shape in [(), (1,), (4,), (2, 1), (2, 4), (4, 2), (8,), (0,)]),
    *(np.arange(4), np.arange(4.0)[::-1], np.arange(8.0, dtype="f4"), 2.5, np.array(["a"])),
]


@given(st.lists(st.sampled_from(ONE_BY_ONE), max_size=12), st.sampled_from(ONE_BY_ONE))
@usual(100)
def test_arrays_are_alike_if_they_are_of_doubles_and_of_one_shape(others, one):
    for parts in ([one] * (len(others) + 1), [*others, one], [one, *others]):
        of_doubles = all(type(x) is np.ndarray and x.dtype == float for x in parts)
        assert are_alike(parts) == (of_doubles and len({x.shape for x in parts}) == 1)


@pytest.mark.parametrize("odd", [None, *ONE_BY_ONE[:-1]], ids=lambda x: str(np.shape(x)))
@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_many_columns_broadcast_as_few_do(shape, odd):
    columns = [k + column(math.prod(shape)).reshape(shape) for k in range(20)]
    many = mg.compile(lambda xs: xs[0] + xs[11] * 2.0)
    one, other = columns[0], columns[11] if odd is None else odd
    columns[11] = other
    try:
        expected = one + other * 2.0
    except ValueError:
        with pytest.raises(ValueError, match="columns must have shapes that broadcast"):
            many(columns)
    else:
        assert same(many(columns), expected)


# ---- outputs that are equal, or constants

REPEATED = {
    "list": lambda w, x: [x, x * w, x, 3.0, w, 3.0, 0.0, -0.0, x * w, w],
    "dict": lambda w, x: {"a": x + w, "b": (x + w, [x + w, 2.0]), "c": 2.0},
    "array": lambda w, x: np.array([[x, 0.0, x * w], [0.0, x, 0.0]]),
    "array of one": lambda w, x: np.array([[x, x], [x, x]]),
    "array without equals": lambda w, x: np.array([[x, w], [x * w, 5.0]]),
    "both": lambda w, x: (np.array([x, x]), x, np.array([x + w, x, 1.0]), 1.0, x + w),
    "constants": lambda w, x: [1.0, [2.0, 1.0], np.array([1.0, 2.0])],
    "a constant": lambda w, x: 7.0,
}


def leaves(tree):
    return flatten(tree, lambda x: isinstance(x, np.ndarray))[0]


@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
@pytest.mark.parametrize("f", REPEATED.values(), ids=REPEATED)
def test_equal_outputs_are_each_in_their_place_and_ones_own(f, reduce):
    compiled = mg.compile(f, shared="w", reduce=reduce)
    for x in [2.0, np.arange(5.0), np.arange(6.0).reshape(2, 3)]:
        rows = [leaves(f(0.5, number)) for number in np.ravel(x)]
        found = compiled(0.5, x)
        for k, part in enumerate(leaves(found)):
            expected = np.array([row[k] for row in rows], float)
            if reduce:
                expected = expected.sum(axis=0) / (len(rows) if reduce == "mean" else 1)
            else:
                expected = expected.reshape(np.shape(x) + expected.shape[1:])
            assert same(part, np.array(expected) if np.ndim(expected) else float(expected))
            assert reduce or np.array_equal(np.signbit(part), np.signbit(expected))
        arrays = [part for part in leaves(found) if isinstance(part, np.ndarray)]
        for i, array in enumerate(arrays):
            assert not any(np.shares_memory(array, other) for other in [x, *arrays[:i]])
            array[...] = -1.0
        assert repr(compiled(0.5, x)) == repr(mg.compile(f, shared="w", reduce=reduce)(0.5, x))


def test_equal_outputs_and_constants_need_no_code():
    one = mg.compile(lambda x: [x * x] + [x * x] * 3 + [0.0] * 3)
    many = mg.compile(
        lambda x: [x * x] + [x * x] * 3000 + [0.0] * 3000 + list(map(float, range(99)))
    )
    assert one(3.0) == [9.0] * 4 + [0.0] * 3
    assert many(3.0) == [9.0] * 3001 + [0.0] * 3000 + list(range(99))
    assert many.source("llvm") == one.source("llvm")
    assert len(many.program.outputs) == 6100


def test_a_sparse_jacobian_costs_its_operations():
    f = mg.jacobian(lambda x: [x[i] * x[i + 1] * mg.sin(x[i + 2]) for i in range(98)])
    x = [1.0 + i / 8 for i in range(100)]
    compiled = mg.compile(f)
    for row, expected in zip(compiled(x), f(x), strict=True):
        assert row == pytest.approx(expected, rel=SLOPE_ERROR)
    assert len(compiled.program.outputs) == 9800
    assert compiled.source("llvm").count("  store ") == 3 * 98


def test_no_function_of_a_kernel_is_long_however_many_inputs_are_outputs():
    n = 1000
    f = mg.compile(lambda xs, w: [xs, w, 2.0 * w[0]], shared="w")
    xs, w = list(map(float, range(n))), [float(-i) for i in range(n)]
    assert f(xs, w) == [xs, w, 0.0]
    assert max(text.count("\n") for text in f.source("llvm").split("define")) < n


# ---- single numbers


@pytest.mark.parametrize(
    "x",
    [
        *[2.0, 2, True, Fraction(2), 10**30, np.float64(2), np.float32(2), np.float16(2)],
        *[np.int8(2), np.uint64(2**64 - 1), np.True_, np.array(2.0), np.array(2, "i2")],
        *[np.array(True), type("Float", (float,), {})(2.0)],
    ],
    ids=lambda x: f"{type(x).__name__} {x}",
)
def test_single_numbers_of_all_kinds_give_a_float(x):
    result = affine(x, 0.5)
    assert type(result) is float
    assert result == float(x) * 0.5 + 1.0
    assert type(affine(0.5, x)) is float


def test_a_number_beside_an_array_is_for_all_rows():
    numbers = [2.0, 2, Fraction(2), np.int8(2)]
    arrays = [np.array(2.0), np.array([2.0]), np.array(2.0, ">f8"), np.array([[2]], ">i4")[0]]
    for number in [*numbers, *arrays]:
        assert same(affine(number, np.arange(2000.0)), 2.0 * np.arange(2000.0) + 1.0)


def test_results_that_depend_on_no_input_have_the_shape_of_the_rows():
    f = mg.compile(lambda x: [3, x])
    assert same(f(np.arange(3.0)), [np.full(3, 3.0), np.arange(3.0)])
    assert f(1.0) == [3.0, 1.0]
    assert mg.compile(lambda: 3.0)() == 3.0
    assert mg.compile(lambda x: [])(np.arange(3.0)) == []


EVERY_ARGUMENT = {
    **{name: layout(column(7)) for name, layout in LAYOUTS.items()},
    **{"table": column(6).reshape(2, 3), "turned": column(6).reshape(2, 3).T, "none": column(0)},
    **{"one": column(1), "one of two dimensions": column(1).reshape(1, 1), "0-d": np.array(2.0)},
    **{"subclass": column(7).view(np.recarray), "row": column(7).reshape(1, 7)},
    **{"float": 2.0, "int": 2, "bool": True, "Fraction": Fraction(1, 3), "huge": 10**30},
    **{"float32": np.float32(0.1), "uint64": np.uint64(2**64 - 1), "nan": math.nan},
    **{"None": None, "text": "2", "too large": 10**400, "masked": np.ma.array([1.0], mask=[True])},
    **{"complex": np.zeros(7, complex), "dates": np.zeros(7, "M8[s]"), "Value": Value(2.0)},
}


def outcome(f, *args, **kwargs):
    """Return what comes of a call: the type of the result or error, its shape, and its bits."""
    try:
        result = f(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    parts = result if isinstance(result, list) else [result]
    return [(type(x), np.shape(x), x.hex() if type(x) is float else bits(x)) for x in parts]


def bits(x):
    return x.tobytes() if isinstance(x, np.ndarray) and x.dtype == float else repr(x)


@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
@pytest.mark.parametrize("f", [affine_formula, lambda x, y: [x * y + 1.0, y]], ids=["one", "two"])
def test_the_way_of_a_call_shows_in_nothing(f, reduce):
    # arguments may go to the machine code as they are; else they are taken apart
    compiled, detour = mg.compile(f, reduce=reduce), mg.compile(f, reduce=reduce)
    for one in (compiled, detour):
        one(1.0, 2.0)
        one(x=1.0, y=2.0)
        assert list(one._direct) == [(), ("x", "y")]
    detour._direct.clear()
    for x in EVERY_ARGUMENT.values():
        for y in EVERY_ARGUMENT.values():
            right = outcome(detour, x, y)
            assert outcome(compiled, x, y) == right
            assert outcome(compiled, x=x, y=y) == right
    assert not detour._direct
    for args in [(), (1.0,), (np.arange(3.0),), (1.0, 2.0, 3.0), (np.arange(3.0), 2.0, 3.0)]:
        assert outcome(compiled, *args) == (TypeError, str(attempt(f, *args)))


def attempt(f, *args, **kwargs):
    """Return what comes of a call: its result, or an error."""
    try:
        return f(*args, **kwargs)
    except Exception as error:
        return error


# ---- structures


LISTS = [[3.0, 1.0], (3.0, 1.0), [True, 2], [[3.0, 1.0], [2.0, 5.0]], [np.int8(3), 2.5], [], ()]
OF_LISTS = {  # of two lists, as Python computes it
    "squared_error": mg.losses.squared_error,
    "first": lambda x, y: x[:1],
    "joined": lambda x, y: x + x,
    "repeated": lambda x, y: x * 2,
    "dot": lambda x, y: mg.dot(x, y) if x and not isinstance(x[0], list) else 0.0,
    "length": lambda x, y: float(len(x) + 10 * len(y)),
    "pairs": lambda x, y: list(zip(x, y, strict=True)),
}


@pytest.mark.parametrize("f", OF_LISTS.values(), ids=OF_LISTS)
@pytest.mark.parametrize("x", LISTS, ids=repr)
def test_a_list_is_a_list_as_in_python(f, x):
    compiled = mg.compile(f)
    try:
        expected = f(x, x)
    except (TypeError, ValueError) as error:  # of nested lists, or of none
        with pytest.raises(type(error)):
            compiled(x, x)
    else:
        for _ in range(2):
            assert compiled(x, x) == expected


def test_lists_of_two_lengths_are_two_structures():
    f = mg.compile(lambda u, v: u[0] * 2)
    assert f([1.0, 2.0], [3.0, 4.0, 5.0]) == 2.0
    assert f([4.0], []) == 8.0


@pytest.mark.parametrize(
    ("f", "args", "names"),
    [
        (affine_formula, ([1.0, 2.0], 3.0), ["x"]),
        (affine_formula, ([1.0, 2.0], (3.0, 4.0)), ["x", "y"]),
        (affine_formula, (1.0, ([[1.0], [2.0]])), ["y"]),
        (lambda x, y: x - 1.0, ([1.0, 2.0], 3.0), ["x"]),
        (lambda x, y: -x, ([1.0, 2.0], 3.0), ["x"]),
        (lambda x, y: x / y, ([], 3.0), ["x"]),
        (lambda x, y: x.mean(), ((1.0, 2.0), 3.0), ["x"]),
        (lambda x, y: mg.exp(x), ([1.0, 2.0], 3.0), ["x"]),
        (lambda x, y: y["a"] - x, (1.0, {"a": [1.0, 2.0]}), [r"y\['a'\]"]),
        (lambda x, y: x[0] - y, (([1.0, 2.0], [1.0]), 2.0), [r"x\[0\]", r"x\[1\]"]),
    ],
)
def test_a_list_in_the_place_of_a_column_says_what_to_pass(f, args, names):
    compiled = mg.compile(f)
    for name in names:
        with pytest.raises((AttributeError, TypeError), match=rf"pass np\.asarray\({name}\)"):
            compiled(*args)


@pytest.mark.parametrize(
    "x", [1.0, np.zeros(3), [np.zeros(3)], {"a": 1.0}, Point(1.0, 2.0)], ids=repr
)
def test_nothing_is_said_of_what_is_no_list_of_numbers(x):
    with pytest.raises(TypeError) as caught:
        mg.compile(lambda x: x - "text")(x)
    assert not hasattr(caught.value, "__notes__")


def test_arguments_of_other_kinds_are_other_structures():
    f = mg.compile(lambda p: p)
    x = np.arange(2.0)
    for tree in [[x, 1.0], (x, 1.0), Point(x, 1.0), {"x": x}, OrderedDict(x=x), {"y": x}, [[x]]]:
        rows = np.ones(2)
        atoms = [x, rows] if len(tree) == 2 else [x]
        structure = flatten(tree, lambda leaf: isinstance(leaf, np.ndarray))[1]
        assert same(f(tree), structure.result(atoms))


def test_lists_that_the_function_takes_apart_are_lists():
    x = np.arange(3.0)
    assert first_plus_second([1.0, 2.0]) == 5.0
    assert same(first_plus_second([x, 2.0]), x + 4.0)
    assert same(first_plus_second((x, np.array([1, 1, 2]))), x + np.array([2.0, 2.0, 4.0]))
    assert same(first_plus_second([x, x[:, None]]), x + 2.0 * x[:, None])


@pytest.mark.parametrize(
    ("f", "tree"),
    [
        (lambda p: p["a"] * p["b"][0], {"a": 2.0, "b": [3.0, 1.0]}),
        (lambda p: p.x * p.y, Point(2.0, 3.0)),
        (lambda p: p[0].x * p[1]["k"][0], (Point(2.0, 3.0), {"k": (3.0,)})),
        (lambda p: p["b"] - p["a"], OrderedDict(b=2.0, a=1.0)),
        (lambda p: p["b"] - p[1], {1: 2.0, "b": 1}),
    ],
)
def test_trees_of_numbers_are_taken_apart_and_of_arrays_too(f, tree):
    compiled, x = mg.compile(f), np.arange(3.0)
    scalars, structure = flatten(tree)
    assert compiled(tree) == f(tree)
    for i in range(len(scalars)):
        columns = [x if k == i else number for k, number in enumerate(scalars)]
        rows = [
            f(structure.argument([*scalars[:i], float(number), *scalars[i + 1 :]])) for number in x
        ]
        atoms = iter(columns)
        moved = flatten(tree)[1]
        assert same(compiled(moved.as_argument(list(atoms))), np.array(rows))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: [x, x + 1],
        lambda x: (x, (x + 1, [x])),
        lambda x: {"a": x, "b": {"c": x + 1}},
        lambda x: Point(x, x + 1),
        lambda x: OrderedDict(z=x, a=x),
        lambda x: [x],
        lambda x: (),
    ],
)
def test_results_have_the_functions_own_structure(f):
    x, compiled = np.arange(4.0), mg.compile(f)
    assert same(compiled(x), f(x))
    assert same(compiled(2.0), f(2.0))
    assert type(compiled(x)) is type(f(x))


ROWS = 3
QUARTERS = st.integers(-20, 20).map(lambda n: n / 4)
COLUMNS = st.lists(QUARTERS, min_size=ROWS, max_size=ROWS).map(np.array)
ARRAYS = st.lists(QUARTERS, min_size=1, max_size=4).map(np.array)


def trees_of(atoms):
    return st.recursive(
        atoms,
        lambda trees: (
            st.lists(trees, max_size=3)
            | st.lists(trees, max_size=3).map(tuple)
            | st.dictionaries(st.sampled_from(["a", "b", 1]), trees, max_size=3)
            | st.builds(Point, trees, trees)
        ),
        max_leaves=6,
    )


def as_python_does(structures):
    """Return a function that asks all numbers of two arguments, and gives back the second."""
    w, x = structures

    def f(shared, rows):
        weights, own = flatten(shared), flatten(rows)
        assert (weights[1].paths, own[1].paths) == (w.paths, x.paths)
        total = mg.sum([*weights[0], *own[0], 0.5])
        return own[1].argument([2.0 * number + 1.0 for number in own[0]]), total, {"pair": (total,)}

    return f


@given(trees_of(QUARTERS | ARRAYS), trees_of(QUARTERS | COLUMNS), st.booleans())
@usual(60)
def test_arguments_of_any_structure_are_computed_as_python_does_row_by_row(w, x, has_values):
    columns, structure = flatten(x, lambda part: isinstance(part, np.ndarray))
    has_columns = any(isinstance(column, np.ndarray) for column in columns)
    rows = [
        structure.argument([c[i] if isinstance(c, np.ndarray) else c for c in columns])
        for i in range(ROWS if has_columns else 1)
    ]
    f = as_python_does([flatten(w)[1], flatten(rows[0])[1]])
    expected = [flatten(f(w, row)) for row in rows]
    if has_values:
        numbers, outer = flatten(w)
        w = outer.argument([Value(number) for number in numbers])
    found, result = flatten(
        mg.compile(f, shared="shared")(w, x), lambda part: isinstance(part, np.ndarray)
    )
    zeros = [0.0] * len(found)
    assert result.result(zeros) == expected[0][1].result(zeros)
    for k, column in enumerate(found):
        numbers = [
            number.data if isinstance(number, Value) else number for number in np.ravel(column)
        ]
        assert np.shape(column) == ((ROWS,) if has_columns else ())
        assert numbers == [float(scalars[k]) for scalars, _ in expected]


def test_an_array_that_is_returned_has_its_dimensions_behind_those_of_the_rows():
    f = mg.compile(lambda x, y: np.array([[x, y], [y, x], [x, x]]))
    x = np.arange(5.0)
    found = f(x, 7.0)
    assert found.shape == (5, 3, 2)
    assert np.array_equal(found[:, 0, 0], x)
    assert np.array_equal(found[:, 1, 0], np.full(5, 7.0))


def test_numpy_on_arrays_of_numbers_inside_of_the_function():
    f = mg.compile(lambda w, x: np.tanh(w @ np.array([x, 2 * x])).sum(), shared="w")
    w, x = np.array([[1.0, 2.0], [3.0, -1.0]]), np.arange(5.0) / 8
    expected = np.tanh(w @ np.array([x, 2 * x])).sum(axis=0)
    assert ulps(f(w, x), expected) <= 2 * MOST_ULP  # a sum of two


def test_models_are_arguments_whose_parameters_are_read_at_each_call():
    model = MLP(2, [3, 1], rng=0) if "rng" in MLP.__init__.__code__.co_varnames else MLP(2, [3, 1])
    f = mg.compile(lambda model, x: model(x), shared="model")
    xs = [np.linspace(-1, 1, 7), 0.5]
    for _ in range(2):
        expected = [model([float(x), 0.5]).data for x in xs[0]]
        assert f(model, xs) == pytest.approx(expected, rel=SLOPE_ERROR)
        model.parameters()[0].data += 1.0
    gradient = mg.compile(mg.grad(lambda model, x: model(x)), shared=0)(model, [0.25, 0.5])
    eager = mg.grad(lambda model: model([0.25, 0.5]))(model)
    assert list(gradient) == list(eager)
    for name in eager:
        assert gradient[name] == pytest.approx(eager[name].data, rel=SLOPE_ERROR)


def test_keywords_and_defaults():
    f = mg.compile(lambda x, y=2.0, *more, scale=1.0, **others: (x * y) * scale + sum(more))
    x = np.arange(3.0)
    assert f(3.0) == 6.0
    assert f(3.0, 5.0) == 15.0
    assert f(3.0, 5.0, 1.0, 1) == 17.0
    assert f(y=4.0, x=3.0) == f(3.0, y=4.0) == 12.0
    assert same(f(3.0, scale=x), 6.0 * x)
    assert same(f(x, scale=2), 4.0 * x)
    assert same(f(x=x), 2.0 * x)
    assert f(3.0, other=1.0) == 6.0


# ---- values from outside


@pytest.mark.parametrize(
    "arguments",
    [(2.0,), (np.arange(3.0),), (2,)],
    ids=["float", "array", "int"],
)
def test_a_value_from_outside_is_what_it_is_at_the_call(arguments):
    w, calls = Value(3.0), []

    @mg.compile
    def f(x):
        calls.append(x)
        return w * x + w * w

    for data in (3.0, 5.0, -1.0, -1.0):
        w.data = data
        for _ in range(2):
            x = np.asarray(*arguments)
            assert np.array_equal(f(*arguments), data * x + data * data)
    assert len(calls) == 4  # what is set is not compared with what it was
    Value(1.0).data = 2.0
    f(*arguments)
    assert len(calls) == 4


def test_a_model_from_outside_computes_with_its_weights_of_the_moment():
    model = MLP(2, [3, 1], seed=0)
    predict = mg.compile(lambda x, y: model([x, y]))
    slope = mg.compile(mg.grad(lambda x, y: model([x, y])))
    for shift in (0.0, 0.5, -1.0):
        for parameter in model.parameters():
            parameter.data += shift
        assert predict(0.25, 0.5) == pytest.approx(model([0.25, 0.5]).data, rel=SLOPE_ERROR)
        eager = mg.grad(lambda x, y: model([x, y]))(0.25, 0.5)
        assert repr(model.parameters()[0].data) in predict.source("c")
        assert slope(0.25, 0.5) == pytest.approx(eager.data, rel=SLOPE_ERROR)


def test_a_value_from_outside_with_checkpoints_is_an_argument_or_a_number():
    x = Value(0.5)
    y = mg.repeat(lambda state: state * x, x, 9, checkpoint=True)
    with pytest.raises(RuntimeError, match="with checkpoints: pass it as an argument, or use its"):
        mg.compile(lambda z: y * z)(2.0)
    assert mg.compile(lambda z: y.data * z)(2.0) == y.data * 2.0
    mg.compile(lambda y, z: y * z)(y, 2.0).backward()
    assert x.grad == pytest.approx(20.0 * 0.5**9, rel=SLOPE_ERROR)


def test_an_old_listing_is_not_shown():
    w = Value(3.0)
    f = mg.compile(lambda x: w * x)
    assert "3.0 * x" in repr(f.program)
    w.data = 5.0
    for look in [lambda: f.program, lambda: f.source("c"), lambda: f.source("llvm")]:
        with pytest.raises(RuntimeError, match="has changed since: call the function again"):
            look()
    assert f(2.0) == 10.0
    assert "5.0 * x" in repr(f.program)


# ---- shared


@pytest.mark.parametrize(
    ("shared", "args", "kwargs"),
    [
        ("w", 2, {}),
        (0, 2, {}),
        (-2, 2, {}),
        (-2, 1, {"x": 0}),
        (-2, 0, {"w": 0, "x": 0}),
        (["w"], 2, {}),
        ((0,), 2, {}),
        ("w", 1, {"x": 0}),
        (0, 1, {"x": 0}),
        ("w", 0, {"w": 0, "x": 0}),
        ("w", 0, {"x": 0, "w": 0}),
        (0, 0, {"w": 0, "x": 0}),
        (0, 0, {"x": 0, "w": 0}),
    ],
)
def test_shared_arguments_are_named_by_name_and_by_position(shared, args, kwargs):
    given = {"w": np.array([2.0, 3.0]), "x": np.arange(4.0)}
    f = mg.compile(lambda w, x: w[0] * x + w[1], shared=shared)
    found = f(*list(given.values())[:args], **{name: given[name] for name in kwargs})
    assert same(found, 2.0 * given["x"] + 3.0)


def test_a_shared_position_counts_from_the_end_of_the_parameters():
    f = mg.compile(lambda w, x=2.0: w * x, shared=-1, reduce="sum")
    assert f(np.arange(4.0)) == 12.0
    assert f(np.arange(4.0), 3.0) == 18.0
    with pytest.raises(TypeError, match="`shared` must be"):
        mg.compile(lambda *xs: xs[0], shared=-1)


def test_a_list_stands_beside_a_column():
    f = mg.compile(lambda w, x: mg.sum(w) * x)
    x = np.array([3.0, 4.0])
    assert same(f([1.0, 2.0], x), np.array([9.0, 12.0]))
    assert same(f([x, 2.0], 2.0), np.array([10.0, 12.0]))
    assert mg.compile(lambda v, w: mg.sum(v) * mg.sum(w))([3.0, 4.0], [1.0, 2.0]) == 21.0


def test_shared_numbers_may_be_lists_tuples_arrays_and_columns_take_any_rows():
    for w in [[2.0, 3.0], (2, 3), np.array([2, 3]), np.array([2, 3], ">f4")]:
        for rows in [0, 1, 5, 1025]:
            assert same(line(w, np.arange(float(rows))), 2.0 * np.arange(float(rows)) + 3.0)
        assert line(w, 4.0) == 11.0


def test_shared_numbers_are_left_alone_in_whatever_layout_they_are():
    x = np.arange(2.0)
    for layout in LAYOUTS.values():
        w = layout(np.array([2.0, 3.0]))
        before = w.copy()
        assert same(line(w, x), np.array([3.0, 5.0]))
        assert w.tolist() == before.tolist()
    ends = mg.compile(lambda w, x: w[0] * x + w[-1], shared="w")
    w = np.arange(100.0, 140.0)  # into which results go, while later rows need it
    assert same(ends(w, np.arange(40.0), out=w), 100.0 * np.arange(40.0) + 139.0)


def test_calls_of_one_structure_are_traced_once():
    calls = []
    f = mg.compile(lambda w, x: calls.append(1) or w[0] * x, shared="w")
    for x in [1.0, 2, np.arange(3.0), np.zeros((2, 2)), np.float32(1), Fraction(1)]:
        for weights in [[2.0], [2], [np.float64(2.0)]]:
            f(weights, x)
    assert len(calls) == 1


# ---- sums and means over the rows


@pytest.mark.parametrize("rows", COUNTS)
def test_a_sum_is_that_of_fsum_and_the_same_at_each_run(rows):
    x, y = np.random.default_rng(rows).normal(size=(2, rows))
    terms = x * y + 1.0
    found = total(x, y)
    assert type(found) is float
    assert abs(found - math.fsum(terms)) <= sum_error(rows) * math.fsum(abs(x * y) + 1.0)
    assert {total(x, y) for _ in range(5)} == {found}
    if rows:
        assert average(x, y) == found / rows
    else:
        assert found == 0.0
        assert math.isnan(average(x, y))


@pytest.mark.parametrize("rows", [1, WIDTH + 1, 1023, 1024])
def test_a_sum_has_the_same_bits_however_the_rows_are_passed(rows):
    sum_in_all_layouts(rows)


@pytest.mark.parametrize("rows", [2500, 5000])
def test_a_sum_of_more_rows_has_the_same_bits_however_they_are_passed(rows):
    sum_in_all_layouts(rows)


def sum_in_all_layouts(rows):
    x = column(rows).astype("f2").astype("f8")  # which every layout holds exactly
    for seed in range(20):
        y = np.random.default_rng(seed).normal(size=rows)
        expected = total(x, y)
        for name, layout in LAYOUTS.items():
            assert total(layout(x), y) == expected, name
        if rows % 4 == 0:
            square = x.reshape(4, -1)
            for form in [square, np.asfortranarray(square), np.repeat(square, 2, axis=1)[:, ::2]]:
                assert total(form, y.reshape(4, -1)) == expected


def test_sums_of_shared_numbers_count_the_rows():
    f = mg.compile(lambda w, x: (w * 2, 7.0, x), shared="w", reduce="sum")
    assert f(3.0, np.arange(5.0)) == (30.0, 35.0, 10.0)
    assert f(3.0, 1.0) == (6.0, 7.0, 1.0)
    assert f(3.0, np.zeros((2, 3))) == (36.0, 42.0, 0.0)
    g = mg.compile(lambda w, x: (w * 2, 7.0, x), shared="w", reduce="mean")
    assert g(3.0, np.arange(5.0)) == (6.0, 7.0, 2.0)
    assert g(0.1, np.arange(7.0))[0] == 0.2  # exactly, not the rounded seventh of a sum


def test_shared_numbers_over_no_rows_are_as_others():
    f = mg.compile(lambda w, x: (w, w * x), shared="w", reduce="sum")
    assert f(math.inf, np.zeros(0)) == (0.0, 0.0)
    g = mg.compile(lambda w, x: (w, w * x), shared="w", reduce="mean")
    assert all(map(math.isnan, g(2.0, np.zeros(0))))


def test_gradients_of_a_mean_loss_are_the_means_of_gradients():
    loss = mg.value_and_grad(lambda w, x, y: (w[0] * x + w[1] - y) ** 2)
    f = mg.compile(loss, shared="w", reduce="mean")
    x, y = np.random.default_rng(0).normal(size=(2, 300))
    w = [0.5, -1.0]
    error = w[0] * x + w[1] - y
    value, gradient = f(w, x, y)
    assert value == pytest.approx(np.mean(error**2), rel=SLOPE_ERROR)
    expected = [np.mean(2 * error * x), np.mean(2 * error)]
    assert gradient == pytest.approx(expected, rel=SLOPE_ERROR)


def test_gradients_added_up_have_the_structure_of_the_argument():
    loss = mg.value_and_grad(lambda w, x: (w[0] * x + w[1]) ** 2)
    x = np.arange(5.0) / 4
    for reduce in ["sum", "mean"]:
        f = mg.compile(loss, shared="w", reduce=reduce)
        value, slopes = f([0.5, -1.0], x)
        assert (type(value), type(slopes), type(slopes[0])) == (float, list, float)
        again, array = f(np.array([0.5, -1.0]), x)
        assert type(array) is np.ndarray
        assert (again, array.tolist()) == (value, slopes)
        square = f(np.array([[0.5], [-1.0]])[:, 0], x)[1]
        assert same(square, array)
    model = MLP(1, [1], seed=0)
    f = mg.compile(mg.grad(lambda model, x: model([x]) ** 2), shared=0, reduce="mean")
    found = f(model, x)
    assert list(found) == list(model.state_dict())
    assert {type(slope) for slope in found.values()} == {float}


# ---- what is refused


WRONG = [
    (1j, "x"),
    (np.array([1j]), "x of dtype complex128"),
    (np.array([1.0, None]), r"x of dtype object.*astype\(float\)"),
    ("text", "x = 'text'"),
    (np.array(["text"]), "x of dtype <U4"),
    (np.array(["2020-01-01"], "M8[D]"), "x of dtype datetime64"),
    (None, "x = None"),
    ({1.0}, "x = {1.0}"),
    (["a", "b"], r"x\[0\] = 'a'"),
    ([1.0, None], r"x\[1\] = None"),
    ({"k": "text"}, r"x\['k'\] = 'text'"),
    (iter([1.0]), "x = <list_iterator"),
]


@pytest.mark.parametrize(("x", "told"), WRONG, ids=[told for _, told in WRONG])
def test_arguments_that_are_no_numbers_are_refused_by_name(x, told):
    calls = []
    f = mg.compile(lambda x, y: calls.append(1) or x)
    for args in [(x, 1.0), (x, np.arange(3.0))]:
        with pytest.raises(TypeError, match=rf"got {told}" if told != "x" else "got x"):
            f(*args)
    with pytest.raises(TypeError, match=told):
        mg.compile(lambda x: x, shared="x")(x)
    assert f(1.0, 2.0) == 1.0


def test_shapes_that_do_not_broadcast_are_named():
    for x, y, told in [
        (np.zeros(3), np.zeros(4), r"x \(3,\), y \(4,\)"),
        (np.zeros((2, 3)), np.zeros(2), r"x \(2, 3\), y \(2,\)"),
        (np.zeros(0), np.zeros(2), r"x \(0,\), y \(2,\)"),
    ]:
        with pytest.raises(ValueError, match=rf"broadcast, got {told}"):
            affine(x, y)
    assert affine(1.0, 2.0) == 3.0


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ((1.0,), {}, "missing 1 required positional argument: 'y'"),
        ((1.0, 2.0, 3.0), {}, "takes 2 positional arguments but 3 were given"),
        ((1.0, 2.0), {"z": 1.0}, "unexpected keyword argument 'z'"),
        ((1.0, 2.0), {"z": "1"}, "unexpected keyword argument 'z'"),
        ((1.0, 2.0), {"x": 1.0}, "multiple values for argument 'x'"),
        ((np.zeros(2),), {}, "missing 1 required positional argument: 'y'"),
    ],
)
def test_wrong_numbers_of_arguments_are_pythons_own_errors(args, kwargs, told):
    with pytest.raises(TypeError, match=told):
        affine(*args, **kwargs)
    assert affine(1.0, 2.0) == 3.0


@pytest.mark.parametrize("reduce", ["max", "", 0, sum, ["sum"], True])
def test_an_unknown_reduction_is_refused_at_once(reduce):
    with pytest.raises(ValueError, match=r'`reduce` must be "sum", "mean" or None, got '):
        mg.compile(affine_formula, reduce=reduce)


@pytest.mark.parametrize("shared", [True, [1.5], [None], [("x",)]])
def test_what_names_no_argument_is_refused_at_once(shared):
    with pytest.raises(TypeError, match="`shared` must be positions or names of arguments, got"):
        mg.compile(affine_formula, shared=shared)


@pytest.mark.parametrize("shared", ["z", 2, -3, ["x", "z"], "x, y", None, 1.5])
def test_a_shared_argument_that_is_not_there_is_refused_at_once(shared):
    with pytest.raises(TypeError, match="`shared`"):
        mg.compile(affine_formula, shared=shared)


@pytest.mark.parametrize("f", [3, None, "x", [abs]], ids=repr)
def test_what_is_no_function_is_refused_at_once(f):
    with pytest.raises(TypeError, match="compile needs a function, got"):
        mg.compile(f)


def test_a_function_that_cannot_be_traced_is_refused_at_each_call():
    f = mg.compile(lambda x: 1.0 if x > 0 else 2.0)
    for x in [1.0, np.zeros(3), 2]:
        with pytest.raises(TypeError, match="must not branch on a number"):
            f(x)
    assert f(Value(1.0)) == 1.0  # Python's own may branch


def test_a_branch_that_is_refused_is_not_swallowed():
    def careful(x):
        try:
            return x if x > 0 else -x
        except TypeError:
            return x * 100.0

    f = mg.compile(careful)
    for _ in range(2):
        with pytest.raises(TypeError, match="must not branch on a number"):
            f(2.0)

    def by_number(x):
        try:
            return x * float(x)
        except TypeError:
            return x * x  # as NumPy and others ask what kind of number they got

    assert mg.compile(by_number)(3.0) == 9.0


def test_a_masked_array_is_refused():
    x = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
    with pytest.raises(TypeError, match=r"a number in every row, got x with a mask.*filled\(nan\)"):
        mg.compile(lambda x: x, reduce="sum")(x)


def test_a_number_beyond_all_floats_is_refused_by_name():
    with pytest.raises(OverflowError, match=r"x is too large for a float"):
        affine(10**400, 1.0)
    with pytest.raises(OverflowError, match=r"w\[0\] is too large"):
        line([10**400, 1], 1.0)


def test_the_error_of_an_operation_on_constants_is_its_own():
    with pytest.raises(ValueError, match=r"\*\* of -2\.0, the traced number x: a negative number"):
        mg.compile(mg.grad(lambda x: Value(-2.0) ** x))(2.0)


def test_a_copy_inside_of_the_function_is_a_number_of_its_own():
    model = MLP(1, [1], seed=0)
    f = mg.compile(lambda m, x: copy.deepcopy(m)([x]) + copy.copy(x))
    assert f(model, 0.5) == pytest.approx(model([0.5]).data + 0.5, rel=SLOPE_ERROR)
    assert mg.compile(mg.grad(lambda x: copy.deepcopy(x) * x))(3.0) == 3.0


W = [1.0, 2.0, 3.0]
AS_AN_ARRAY = {  # what may be done with a whole array, and not with one of its numbers
    **{"[]": lambda x: x[0], "[:]": lambda x: x[:2], "mask": lambda x: x[x > 0.0]},
    **{"[] =": lambda x: x.__setitem__(0, 1.0), "del": lambda x: x.__delitem__(0)},
    **{"for": lambda x: [y + 1.0 for y in x], "*": lambda x: max(*x), "in": lambda x: 1.0 in x},
    **{"len": len, "list": list, "sorted": sorted, "reversed": lambda x: list(reversed(x))},
    **{"zip": lambda x: list(zip(W, x, strict=True)), "range": lambda x: x[range(len(x))]},
    **{"builtin": sum, "max": max, "fsum": math.fsum, "x @ x": lambda x: x @ x},
    **{"list @ x": lambda x: W @ x, "x @ list": lambda x: x @ W},
    **{"array @ x": lambda x: np.array(W) @ x, "x @ array": lambda x: x @ np.array(W)},
    **{f.__name__: f for f in [mg.sum, mg.mean, mg.prod, mg.max, mg.norm, mg.softmax]},
    **{"dot": lambda x: mg.dot(W, x), "dot x": lambda x: mg.dot(x, x)},
    **{f"np.{f.__name__}": f for f in [np.sum, np.mean, np.max, np.var, np.cumsum, np.prod]},
    **{"np.dot": lambda x: np.dot(x, x), "np.linalg.norm": np.linalg.norm},
    **{"model": MLP(3, [2, 1]), "neuron": mg.Neuron(3), "layer": mg.Layer(3, 2)},
    "loss": lambda x: mg.losses.squared_error(x, W),
    "loss of targets": lambda x: mg.losses.squared_error(W, x),
    "cross_entropy": lambda x: mg.losses.cross_entropy(x, 0),
    "accuracy": lambda x: mg.accuracy(x, [0, 1, 1]),
    "in grad": mg.grad(lambda x: mg.dot(x, x)),
    "in hessian": mg.hessian(lambda x: x[0] ** 2),
    "of a result": lambda x: mg.sum(2.0 * x),
    **{f".{a}": operator.attrgetter(a) for a in ["shape", "T", "ndim", "size", "dtype", "sum"]},
    **{f".{m}()": operator.methodcaller(m) for m in ["mean", "max", "any", "copy", "tolist"]},
}


@pytest.mark.parametrize("f", AS_AN_ARRAY.values(), ids=AS_AN_ARRAY)
def test_a_column_that_is_taken_for_an_array_is_told_of_shared(f):
    told = "of an array, a compiled function sees one number for each row; .* `shared`"
    with pytest.raises((AttributeError, TypeError, ValueError), match=told):
        mg.compile(f)(np.array(W))


def test_a_traced_number_has_the_attributes_of_a_value_alone():
    def f(x):
        assert not hasattr(x, "shape")
        assert getattr(x, "__len__", None) is not None
        return getattr(x, "speed", 2.0) * x

    assert mg.compile(f)(3.0) == 6.0


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ((1.0,), TypeError),
        ((None, 1.0), TypeError),
        ((np.zeros(2), np.zeros(3)), ValueError),
        ((1.0, "a"), TypeError),
        (([None], 1.0), TypeError),
        (([0.0, 1.0], 2.0), TypeError),
        (([0.0, 1.0],), TypeError),
        (([[0.0], [0.0, 1.0]], 2.0), TypeError),
    ],
    ids=repr,
)
def test_a_call_that_failed_leaves_no_trace(bad, error):
    f = mg.compile(affine_formula)
    with pytest.raises(error):
        f(*bad)
    assert f(1.0, 2.0) == 3.0
    assert same(f(np.arange(2.0), 2.0), np.array([1.0, 3.0]))
    with pytest.raises(error):
        f(*bad)
    assert f(1.0, 2.0) == 3.0


# ---- values and traced numbers as arguments


def test_values_run_the_python_function_and_have_gradients():
    x, y = Value(2.0), Value(3.0)
    z = affine(x, y)
    assert isinstance(z, Value)
    z.backward()
    assert (z.data, x.grad, y.grad) == (7.0, 3.0, 2.0)
    assert affine(x, 4.0).data == 9.0
    assert affine(y=x, x=4.0).data == 9.0
    assert first_plus_second([x, 1.0]).data == 4.0
    assert line([x, 1.0], 10.0).data == 21.0


def test_arrays_of_values_are_values():
    x = np.array([Value(2.0), Value(3.0)])
    z = affine(x, 10.0)
    assert [v.data for v in z] == [21.0, 31.0]
    z.sum().backward()
    assert [v.grad for v in x] == [10.0, 10.0]
    found = line(np.array([Value(2.0), 1.0]), 10.0)
    assert found.data == 21.0


def test_transforms_of_a_compiled_function_are_those_of_the_function():
    for transform in [mg.grad, mg.value_and_grad, mg.hessian, mg.jacobian]:
        assert transform(affine)(2.0, 3.0) == transform(affine_formula)(2.0, 3.0)
    assert mg.jvp(affine, (2.0, 3.0), (1.0, 10.0)) == (7.0, 23.0)


def test_a_compiled_function_inside_of_another_is_traced():
    outer = mg.compile(lambda x, y: affine(x, y) * affine(y, y))
    x = np.arange(4.0)
    assert same(outer(x, 2.0), (x * 2.0 + 1.0) * 5.0)
    assert "affine" not in repr(outer.program)
    assert len(outer.program) == 5
    assert same(mg.compile(affine)(x, 2.0), affine(x, 2.0))
    assert same(mg.compile(mg.grad(affine))(x, 2.0), np.full(4, 2.0))


def test_values_are_added_up_over_the_rows_too():
    f = mg.compile(lambda w, x: w * x, shared="w", reduce="mean")
    assert mg.grad(f)(2.0, np.arange(3.0)) == 1.0


def test_a_program_can_be_compiled():
    x, y = Value(1.0, label="x"), Value(1.0, label="y")
    f = mg.compile(Program.from_values([x * y + 1.0, x], [x, y]))
    assert f(2.0, 3.0) == [7.0, 2.0]
    assert same(f(np.arange(3.0), 2.0), [np.arange(3.0) * 2 + 1, np.arange(3.0)])
    g = mg.compile(f.program, shared="x", reduce="sum")
    assert g(2.0, np.arange(3.0)) == [9.0, 6.0]
    with pytest.raises(TypeError, match=r"takes 2 numbers \(x, y\), got 1"):
        f(1.0)


# ---- transforms, compiled


def wave(x, y):
    return mg.sin(x) * mg.exp(x * y) + y**3


@pytest.mark.parametrize(
    "f",
    [
        mg.grad(wave),
        mg.grad(wave, argnums=(0, 1)),
        mg.value_and_grad(wave, argnums=(1, 0)),
        mg.grad(mg.grad(wave), argnums=1),
        mg.hessian(wave, argnums=(0, 1)),
        mg.jacobian(lambda x, y: {"a": wave(x, y), "b": [x, y]}, argnums=(0, 1)),
        lambda x, y: mg.jvp(wave, (x, y), (1.0, y)),
        lambda x, y: mg.vjp(wave, x, y)[1](2.0),
        lambda x, y: mg.hvp(wave, (x, y), (1.0, 2.0)),
        lambda x, y: mg.taylor(lambda t: wave(t, 0.5), x, 4),
        lambda x, y: mg.grad(lambda t: mg.taylor(lambda u: wave(u, t), x, 2)[2])(y),
        mg.value_and_grad(lambda x, y: (wave(x, y), {"sum": x + y}), has_aux=True),
    ],
)
def test_derivatives_of_rows_are_derivatives_of_numbers(f):
    xs, ys = np.linspace(-1, 1, 11), np.linspace(0.5, 2, 11)
    found = flatten(mg.compile(f)(xs, ys), lambda x: isinstance(x, np.ndarray))
    for i in (0, 4, 10):
        eager, structure = flatten(f(float(xs[i]), float(ys[i])))
        assert [column[i] for column in found[0]] == pytest.approx(eager, rel=SLOPE_ERROR)
        assert structure.paths == found[1].paths


def twice(x):
    return [x, x]


@pytest.mark.parametrize("transform", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
@pytest.mark.parametrize(
    ("f", "argnums"),
    [
        (wave, 0),
        (wave, (1, 0)),
        (lambda x, y: x * mg.grad(lambda z: z * y * x)(y), 0),  # y is held, and derived by as well
        (lambda x, y: mg.grad(wave, argnums=1)(y, x) * x, (0, 1)),
        (mg.grad(lambda x, y: wave(x, y) * x, argnums=1), 0),
        (lambda x, y: wave(*twice(x)) + y, 0),
        (lambda x, y: x, (0, 1)),
        (lambda x, y: 2.0, 1),
    ],
)
def test_a_transform_is_compiled_as_what_calls_it(transform, f, argnums):
    """As itself it takes the trace's own numbers, and nodes of its own in another function."""
    itself = transform(f, argnums=argnums)
    program = mg.compile(itself).prepare(0.5, 0.25)
    assert program == mg.compile(lambda x, y: itself(x, y)).prepare(0.5, 0.25)
    numbers, _ = flatten(itself(0.5, 0.25))
    assert program(0.5, 0.25) == pytest.approx(numbers, rel=SLOPE_ERROR)


def test_a_hessian_by_an_array_is_a_matrix_for_each_row():
    f = mg.hessian(lambda w, x: (w[0] * w[1] * x) ** 2)
    w, x = np.array([2.0, 3.0]), np.arange(3.0)
    found = mg.compile(f, shared="w")(w, x)
    assert found.shape == (3, 2, 2)
    assert np.allclose(found, [f(w, float(number)) for number in x], rtol=SLOPE_ERROR, atol=0)


def test_an_array_may_be_returned_for_plain_numbers():
    f = mg.compile(lambda x, y: np.array([x, y]))
    assert same(f(1.0, 2.0), np.array([1.0, 2.0]))
    assert mg.compile(lambda x: np.array(x))(1.0) == 1.0
    assert mg.compile(lambda x: np.zeros((0, 2)))(1.0).shape == (0, 2)


def test_a_function_of_many_numbers_needs_little_stack():
    numbers, results = [1.0] * 20_000, []
    f = mg.compile(lambda *xs: xs[0] + xs[-1])
    f(*numbers)
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(f(*numbers)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert results == [2.0]


# ---- what there is to see


def test_a_compiled_function_has_the_functions_name_signature_and_text():
    def speed(way, time=1.0):
        """Return how fast."""
        return way / time

    f = mg.compile(speed)
    assert (f.__name__, f.__doc__, f.__wrapped__) == ("speed", "Return how fast.", speed)
    assert inspect.signature(f) == inspect.signature(speed)
    assert "speed" in repr(f)
    assert isinstance(f, Compiled)


def test_the_program_before_any_call_is_that_of_plain_numbers():
    f = mg.compile(affine_formula)
    assert f.program.inputs == ("x", "y")
    assert len(f.program) == 2
    assert f.program(2.0, 3.0) == [f(2.0, 3.0)]


@pytest.mark.parametrize(
    "f",
    [lambda w, x: w[0] * x, lambda w: len(w), lambda *xs: sum(xs), MLP(2, [1])],
    ids=["w[0]", "len", "*xs", "model"],
)
def test_a_function_of_lists_has_no_program_before_it_is_called(f):
    with pytest.raises(TypeError, match=r"call it first|prepare"):
        _ = mg.compile(f).program


def test_prepare_gives_the_program_without_a_call():
    f = mg.compile(lambda w, x: w[0] * x + w[1], shared="w")
    program = f.prepare([0.0, 0.0], 0.0)
    assert program.inputs == ("w[0]", "w[1]", "x")
    assert f.program is program
    with pytest.raises(TypeError, match="plain numbers or arrays, got Values"):
        f.prepare([Value(1.0), 0.0], 0.0)


def test_the_source_in_llvm_parses():
    line([1.0, 2.0], 3.0)
    for f in [affine, total, functions, line]:
        llvm.parse_assembly(f.source("llvm")).verify()
    with pytest.raises(ValueError, match=r'"c" or in "llvm", got \'fortran\''):
        affine.source("fortran")


# ---- copies


def cubed(x):
    return x * x * x


@pytest.mark.parametrize(
    "f", [cubed, mg.exp, MLP(2, [2, 1])], ids=["function", "primitive", "model"]
)
def test_what_can_be_pickled_comes_back_whole(f):
    compiled = mg.compile(f)
    args = ([0.25, 0.5],) if isinstance(f, MLP) else (0.25,)
    before = pickle.loads(pickle.dumps(compiled))
    expected = compiled(*args)
    after = pickle.loads(pickle.dumps(compiled))
    for twin in [before, after, copy.copy(compiled), copy.deepcopy(compiled)]:
        assert twin(*args) == expected
        assert repr(twin.program) == repr(compiled.program)


LOCAL = [lambda x: x * 3.0, mg.grad(lambda x: x**3), functools.partial(lambda a, x: a * x, 2.0)]


@pytest.mark.parametrize("f", LOCAL, ids=["lambda", "grad", "partial"])
def test_of_a_function_that_cannot_be_pickled_the_programs_are(f, monkeypatch):
    monkeypatch.setattr(wrapping, "BY_VALUE", ())
    compiled = mg.compile(f)
    x = np.arange(3.0)
    with pytest.raises(pickle.PicklingError, match=r"did not find .*<lambda>.* of .*; define it"):
        pickle.dumps(compiled)
    expected = compiled(x)
    twin = pickle.loads(pickle.dumps(compiled))
    assert same(twin(x), expected)
    assert twin(2.0) == compiled(2.0)
    assert twin.program == compiled.program
    with pytest.raises(RuntimeError, match="pickled without its Python function"):
        twin(x, x)


def test_options_and_columns_survive_pickling():
    f = mg.compile(lambda w, x: w[0] * x, shared="w", reduce="sum")
    x = np.array([1.0, 2.0])
    expected = f([2.0], x)
    twin = pickle.loads(pickle.dumps(f))
    assert twin([2.0], x) == expected == 6.0
    assert (twin.shared, twin.reduce) == (f.shared, f.reduce)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_in_this_process_keeps_its_function(copied):
    assert copied(mg.compile(lambda x: x * 3.0))(2.0) == 6.0


@mg.compile
def decorated(x):
    return x * 5.0


def test_a_decorated_function_can_be_pickled():
    assert pickle.loads(pickle.dumps(decorated))(2.0) == 10.0


# ---- threads and memory


def test_threads_may_call_one_function_at_once():
    failures = []

    def work(seed):
        x = column(2000, seed=seed)
        expected, sums = x * float(seed) + 1.0, total(x, float(seed))
        for _ in range(30):
            if not np.array_equal(affine(x, float(seed)), expected):
                failures.append(seed)
            if total(x, float(seed)) != sums or affine(2.0, float(seed)) != 2.0 * seed + 1:
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class Interrupted(Compiled):
    """A compiled function that another thread calls too, always at the worst moment."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "_latest" and value is not None and not getattr(self, "is_other", False):
            self.is_other = True
            assert self(1) == 2.0
            self.is_other = False


def test_a_call_of_another_thread_in_between_changes_nothing():
    f = Interrupted(lambda *xs: mg.sum(xs) * 2.0, frozenset(), None)
    assert f(1, 1, 1) == 6.0


def test_the_process_may_end_while_a_thread_computes():
    code = """
import threading, time
import numpy as np
import microgrid
f = microgrid.compile(lambda x: microgrid.sum([microgrid.sin(x * i) for i in range(200)]))
f(1.0)
threading.Thread(target=f, args=(np.arange(3e6),), daemon=True).start()
time.sleep(0.1)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_code_lives_as_long_as_anything_that_calls_it():
    call = mg.compile(lambda x: x * 7.0).__call__
    results = mg.compile(lambda x: x * 9.0)(np.arange(100.0))
    gc.collect()
    assert call(2.0) == 14.0
    assert same(call(np.arange(3.0)), np.arange(3.0) * 7.0)
    assert same(results, np.arange(100.0) * 9.0)


def test_a_compiled_function_in_a_cycle_is_freed_with_it():
    class Scale:
        def __init__(self):
            self.scaled = mg.compile(lambda x: x * 3.0)
            self.scaled.owner = self

    cycles = [Scale() for _ in range(5)]
    assert [cycle.scaled(2.0) for cycle in cycles] == [6.0] * 5
    code = weakref.ref(cycles[0].scaled)
    del cycles
    gc.collect()  # which frees the parts of a cycle in no particular order
    assert code() is None


def test_a_call_that_failed_keeps_nothing_alive():
    f = mg.compile(affine_formula)
    alive = weakref.ref(f)
    with pytest.raises(TypeError):
        f([[1.0], [2.0]], "a")
    with pytest.raises(TypeError):
        f([1.0, 2.0])
    gc.disable()
    try:
        del f
        assert alive() is None
    finally:
        gc.enable()


def test_a_compiled_function_in_a_class_is_a_method():
    class Line(mg.Module):
        def __init__(self):
            self.slope = Value(2.0)

        @mg.compile
        def __call__(self, x):
            return self.slope * x

    line = Line()
    assert same(line(np.arange(3.0)), 2.0 * np.arange(3.0))
    line.slope.data = 3.0
    assert line(2.0) == 6.0


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_calls_keep_no_memory():
    x, out = np.arange(100.0), np.zeros(100)
    calls = [lambda: affine(2.0, 3.0), lambda: affine(x, 2), lambda: total(x, x)]
    calls += [lambda: affine(x, x, out=out), lambda: affine(y=x, x=x.astype("f4")[::-1])]
    calls += [lambda: line([1.0, 2.0], x), lambda: first_plus_second([1.0, x])]

    def many(times):
        for _ in range(times):
            for call in calls:
                call()

    many(100)
    assert kept_by(lambda: many(2000), MOST_BYTES_KEPT) < MOST_BYTES_KEPT  # of 7 calls


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_functions_that_are_gone_keep_no_memory():
    def compile_one(i):
        assert mg.compile(lambda x: x * float(i) + 1.5)(2.0) == 2.0 * i + 1.5

    def compile_many(count):
        for i in range(count):
            compile_one(i)

    compile_many(20)
    assert kept_by(lambda: compile_many(100), MOST_BYTES_KEPT) < MOST_BYTES_KEPT


def test_sums_are_numbers_one_by_one_and_arrays_where_arrays_were():
    w, x = np.arange(6.0).reshape(2, 3), np.arange(4.0)

    def f(w, x):
        return w * x, [w[0, 1] * x, w[1, 2] * x, x], w[::-1, ::2] * x

    table, (a, b, c), part = mg.compile(f, shared="w", reduce="sum")(w, x)
    assert same(table, w * 6.0)
    assert same(part, w[::-1, ::2] * 6.0)
    assert [(type(k), k) for k in (a, b, c)] == [(float, 6.0), (float, 30.0), (float, 6.0)]
    table[...] = -1.0
    assert part[0, 0] == 18.0


@pytest.mark.parametrize("rows", [5, 5000])
def test_a_small_array_of_sums_keeps_no_large_one_in_memory(rows):
    def f(w, x):
        return w[:2] + x, w * x, w * x

    small, large, twin = mg.compile(f, shared="w", reduce="sum")(np.ones(100), np.ones(rows))
    assert not any(map(np.shares_memory, (small, large, twin), (large, twin, small)))
    assert memory_of(small) == 2
    assert memory_of(large) <= 2 * large.size
    assert memory_of(twin) == twin.size


def memory_of(x):
    """Return how many numbers are in the memory that an array is a part of."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x.size


def test_sums_become_a_list_once_however_many_lists_they_go_into():
    sums = Sums(np.arange(6.0))
    nested = filler([[0, 1], [2, 3], (4, 5)])
    assert nested(sums) == [[0.0, 1.0], [2.0, 3.0], (4.0, 5.0)]
    assert sums.numbers() is sums.numbers()
