"""What keeps no graph is a matrix in the graph of the rest: rows and columns of it add up."""

import copy
import inspect
import pickle
import re

import pytest

from microgrid import Value, drawing, gradients, repeat, sin, tanh
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


def with_checkpoints(x):
    """Return a Value behind a loop without a graph, after a backward pass."""
    y = repeat(lambda state: tanh(state * x) + x, x, 9, checkpoint=True) * 2.0
    y.backward()
    return y


def slope_with_checkpoints(x):
    return gradients(with_checkpoints(x), x)


def refresh_after_change(y, x):
    x.data += 1.0
    y.refresh()


# what goes through a graph; of `drawing`, every function of a Value
READERS = {
    "backward": lambda y, x: y.backward(),
    "copy": lambda y, x: copy.copy(y),
    "deepcopy": lambda y, x: copy.deepcopy(y).backward(),
    "draw": lambda y, x: str(drawing.draw(y)),
    "draw_dot": lambda y, x: str(drawing.draw_dot(y)),
    "explain": drawing.explain,
    "explore": lambda y, x: drawing.explore(y),
    "formula": lambda y, x: str(drawing.formula(y, by=x)),
    "gradients": gradients,
    "pickle": lambda y, x: pickle.dumps(y),
    "refresh": lambda y, x: y.refresh(),
    "refresh after a change": refresh_after_change,
}
NEED_ALL = {"explain", "explore", "pickle", "refresh after a change"}


@pytest.mark.parametrize("make", [with_checkpoints, slope_with_checkpoints])
@pytest.mark.parametrize("reader", READERS)
def test_what_reads_a_graph_works_or_says_that_it_has_checkpoints(reader, make):
    x = Value(1.1, label="x")
    y = make(x)
    if reader in NEED_ALL:
        with pytest.raises((RuntimeError, pickle.PicklingError), match=r"with checkpoints.*: "):
            READERS[reader](y, x)
    else:
        READERS[reader](y, x)


def test_all_pictures_of_a_graph_are_among_the_readers():
    functions = [x for x in map(drawing.__getattr__, drawing.__all__) if inspect.isfunction(x)]
    firsts = {x.__name__: next(iter(inspect.signature(x).parameters.values())) for x in functions}
    nodes = {"output", "root", "roots", "value"}  # of any engine that has nodes
    of_values = {name for name, first in firsts.items() if first.name in nodes}
    assert of_values == {"draw", "draw_dot", "explain", "explore", "formula"} <= READERS.keys()


def test_the_picture_of_a_graph_with_checkpoints_has_the_shares_of_the_gradient():
    x = Value(1.1, label="x")
    text = str(drawing.draw(with_checkpoints(x)))
    shares = re.findall(r"∂v\d+/∂x = .*?, brings back ([-+.e\d]+)", text)
    assert sum(map(float, shares)) == pytest.approx(x.grad, rel=1e-15)


def test_what_does_not_go_through_checkpoints_is_explained():
    y = with_checkpoints(Value(1.1))
    assert drawing.explain(y, y.parents[0]).gradient == 2.0
