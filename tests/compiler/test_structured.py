"""The laws of kernels of functions that have structure, and of the irregularities in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.compiler.ir.loops import LoopText
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.native.kernel import ArrayKernel
from tests.search import LONG, THOROUGH, usual

from .structured import MOST_STAGES, OUTPUTS, STAGES, numbers_for, structured
from .written import SIZES, written

# Of the largest number: some hundred operations, each a few units in the last place off.
AGREEMENT = 1e-12
# Of the sum of the sizes of what is added up, in any order, in 8 lanes of 17 rows each.
OTHER_ORDER = 4e-15
FEW = (1, 2, 3, 5, 7, 9)  # rows, which fill no vector
ROWS = 129  # a chunk of blocks of any width, and one row more


def kernels_of(program, shared, reduce=None):
    """Return all kernels of a program: they are to compute the same bits."""
    return [ArrayKernel(program, shared, reduce, write=write) for write in (KernelText, LoopText)]


def assert_same_bits(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    is_nan = np.isnan(expected)
    assert np.array_equal(np.isnan(found), is_nan)
    assert np.array_equal(found[~is_nan].view(np.int64), expected[~is_nan].view(np.int64))


def of_kernels(program, shared, weights, columns):
    """Return the outputs for rows; weights that are not shared are columns like the others."""
    numbers = weights if shared else []
    rows = len(columns[0])
    given = columns if shared else [*(np.full(rows, w) for w in weights), *columns]
    results = [np.array(kernel(numbers, given)) for kernel in kernels_of(program, shared)]
    for result in results[1:]:
        assert_same_bits(result, results[0])
    return results[0]


def assert_is_python_s(drawn, found, weights, columns, rows):
    """Compare some rows with what the engine computes of plain numbers."""
    points = np.transpose(columns)[rows]
    expected = [drawn.function(weights.tolist(), point.tolist()) for point in points]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(
        found[:, rows].T, expected, rtol=AGREEMENT, atol=AGREEMENT * scale, err_msg=repr(drawn)
    )


def assert_totals_are_of_rows(program, shared, weights, columns, found):
    """Compare sums over the rows with the rows."""
    size = OTHER_ORDER * np.abs(found).sum(axis=1)
    for kernel in kernels_of(program, shared, "sum"):
        total = kernel(weights, columns)
        assert (np.abs(total - found.sum(axis=1)) <= size).all()


def assert_rows_are_alone(program, shared, weights, columns, found):
    """Compare the rows with those of calls of fewer rows, and of a call with others beside them."""
    for rows in FEW:
        few = [column[:rows].copy() for column in columns]
        assert_same_bits(of_kernels(program, shared, weights, few), found[:, :rows])
    others = np.array(columns)
    others[:, 1::3], others[0, 2::3] = np.inf, np.nan
    beside = of_kernels(program, shared, weights, list(others))
    assert_same_bits(beside[:, ::3], found[:, ::3])


def check(drawn):
    program, shared = drawn.program(), range(drawn.weights)
    weights, columns = numbers_for(drawn, ROWS)
    found = of_kernels(program, shared, weights, columns)
    assert_is_python_s(drawn, found, weights, columns, [0, 7, ROWS - 1])
    assert_rows_are_alone(program, shared, weights, columns, found)
    assert_totals_are_of_rows(program, shared, weights, columns, found)
    if LONG:
        unshared = of_kernels(program, (), weights, columns)
        assert_is_python_s(drawn, unshared, weights, columns, [1, ROWS - 1])


@usual(30)
@given(structured())
def test_a_kernel_of_what_has_structure_computes_what_python_does_row_by_row(drawn):
    check(drawn)


@pytest.mark.slow
@pytest.mark.parametrize("stage", sorted(STAGES))
@usual(25)
@given(data=st.data())
def test_a_kernel_of_each_kind_of_structure_computes_what_python_does(stage, data):
    check(data.draw(structured(40, MOST_STAGES, stage)))


@pytest.mark.slow
@pytest.mark.parametrize("outputs", sorted(OUTPUTS) if THOROUGH else ["gradients", "values"])
@pytest.mark.parametrize("function", SIZES, ids=lambda function: function.__name__)
def test_a_kernel_of_what_authors_write_computes_what_python_does(function, outputs):
    check(written(function, outputs))
