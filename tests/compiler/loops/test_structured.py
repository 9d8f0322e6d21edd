"""The laws of kernels of functions that have structure, and of the irregularities in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.passes import optimize_graph
from microgrid.compiler.trace import trace
from microgrid.testing.strategies import programs
from tests.compiler.kernels import in_families, in_turns, straight
from tests.compiler.structured import MOST_STAGES, OUTPUTS, STAGES, numbers_for, structured
from tests.compiler.written import SIZES, written
from tests.ieee import MACHINES
from tests.search import LONG, THOROUGH, usual

# Of the largest number: some hundred operations, each a few units in the last place off.
AGREEMENT = 1e-12
# Of the sum of the sizes of what is added up, in any order, in 8 lanes of 33 rows each.
OTHER_ORDER = 4e-15
FEW = (1, 2, 3, 5, 7, 9)  # rows, which fill no vector
ROWS = 32 * 8 + 1  # a group of blocks of any width, and one row more


def kernels_of(program, shared, reduce=None, machine=None, threads=1):
    """Return all kernels of a program: they are to compute the same bits."""
    ways = straight, in_turns, in_families
    return [write(program, shared, reduce, machine, threads) for write in ways]


def assert_same_bits(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    is_nan = np.isnan(expected)
    assert np.array_equal(np.isnan(found), is_nan)
    assert np.array_equal(found[~is_nan].view(np.int64), expected[~is_nan].view(np.int64))


def results_of(kernels, numbers, columns):
    """Return the outputs for rows, which are the same bits of all kernels."""
    expected, *others = [np.array(kernel(numbers, columns)) for kernel in kernels]
    for found in others:
        assert_same_bits(found, expected)
    return expected


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


def assert_rows_are_alone(kernels, weights, columns, found):
    """Compare the rows with those of calls of fewer rows, and of a call with others beside them."""
    for rows in FEW:
        few = [column[:rows].copy() for column in columns]
        assert_same_bits(results_of(kernels, weights, few), found[:, :rows])
    others = np.array(columns)
    others[:, 1::3], others[0, 2::3] = np.inf, np.nan
    beside = results_of(kernels, weights, list(others))
    assert_same_bits(beside[:, ::3], found[:, ::3])


def check(drawn):
    program, shared = drawn.program(), range(drawn.weights)
    weights, columns = numbers_for(drawn, ROWS)
    kernels = kernels_of(program, shared)
    found = results_of(kernels, weights, columns)
    assert_is_python_s(drawn, found, weights, columns, [0, 7, ROWS - 1])
    assert_rows_are_alone(kernels, weights, columns, found)
    assert_totals_are_of_rows(program, shared, weights, columns, found)
    if LONG:
        inputs = [*(np.full(ROWS, w) for w in weights), *columns]
        unshared = results_of(kernels_of(program, ()), [], inputs)
        assert_is_python_s(drawn, unshared, weights, columns, [1, ROWS - 1])


@usual(30)
@given(structured(8, 2))
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


@pytest.mark.slow
@usual(200)
@given(
    drawn=structured(30),
    rows=st.sampled_from([*FEW, ROWS, 1000, 2500]),
    shared=st.sets(st.integers(0, 200)),
    machine=st.sampled_from(sorted(MACHINES)),
    threads=st.integers(1, 2),
)
def test_no_bit_of_what_has_structure_depends_on_how_its_kernel_is_written(
    drawn, rows, shared, machine, threads
):
    weights, columns = numbers_for(drawn, rows)
    inputs = [*(np.full(rows, w) for w in weights), *columns]
    shared = sorted(i for i in shared if i < len(inputs) - 1)
    numbers = [inputs[i][0] for i in shared]
    columns = [column for i, column in enumerate(inputs) if i not in shared]
    results_of(
        kernels_of(drawn.program(), shared, None, MACHINES[machine], threads), numbers, columns
    )


@usual(50)
@given(programs())
def test_what_has_no_structure_is_not_written_in_loops(drawn):
    names = [f"x{i}" for i in range(len(drawn.point))]
    program = trace(lambda *xs: [drawn(*xs)], names, lambda xs: (xs, {}), optimize_graph).program
    text = ArrayKernel(program).text
    assert isinstance(text, KernelText)
    assert not any(part.turns for part in (*text.partition.once, *text.partition.rows))
