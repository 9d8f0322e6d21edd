"""What keeps no graph is a matrix in the graph of the rest: rows and columns of it add up."""

import pytest

from microgrid import Value, sin
from microgrid.derivatives.checkpoints import Stretch, run_without_graph


def partial_of(result):
    (partial,) = result.partials()
    return partial


def test_sums_and_multiples_of_results_are_rows():
    x, y = Value(2.0), Value(3.0)
    first, second = Stretch(lambda: [x * y, x + y], [x, y], [6.0, 5.0]).results()
    row = 3.0 * partial_of(first) + 4.0 * partial_of(first) + partial_of(second) * 2.0
    assert row.weights() == [7.0, 2.0]
    by_x, by_y = first.parents[0].partials()
    assert (row * by_x, row * by_y) == (7.0 * 3.0 + 2.0, 7.0 * 2.0 + 2.0)
    column = 10.0 * by_x + by_y
    assert (column * partial_of(first), column * partial_of(second)) == (32.0, 11.0)


def test_what_is_not_linear_is_refused():
    x = Value(2.0)
    y = run_without_graph(lambda: x * x)
    with pytest.raises(TypeError, match="is not linear"):
        sin(partial_of(y))
