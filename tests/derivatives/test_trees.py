"""The laws of trees: taken apart and put together again, they are as before."""

import math
import weakref
from collections import Counter, OrderedDict, UserDict, defaultdict, namedtuple
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import MLP, Module, Value
from microgrid.derivatives.trees import flatten, map_values
from tests.search import usual

Point = namedtuple("Point", "x y")

NUMBERS = st.floats(-10, 10) | st.integers(-10, 10) | st.fractions(-3, 3)
ARRAYS = st.lists(st.integers(0, 3), max_size=3).map(
    lambda shape: np.arange(math.prod(shape), dtype=float).reshape(shape)
)
TREES = st.recursive(
    NUMBERS | ARRAYS,
    lambda trees: (
        st.lists(trees, max_size=3)
        | st.lists(trees, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), trees, max_size=3)
        | st.builds(Point, trees, trees)
    ),
    max_leaves=8,
)


def same(a, b):
    """Return whether two trees have one structure and equal numbers."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) == np.shape(b) and bool(np.all(a == b))
    if type(a) is not type(b) or not isinstance(a, (list, tuple, dict)):
        return type(a) is type(b) and a == b
    if isinstance(a, dict):
        return list(a) == list(b) and same(list(a.values()), list(b.values()))
    return len(a) == len(b) and all(map(same, a, b))


# ---- apart and together


@given(TREES)
@usual(60)
def test_what_is_taken_apart_and_put_together_is_the_same(tree):
    scalars, structure = flatten(tree)
    assert same(structure.result(scalars), tree)
    assert len(structure.paths) == len(set(structure.paths)) == len(scalars)


@given(TREES)
@usual(60)
def test_other_scalars_come_in_the_same_places(tree):
    scalars, structure = flatten(tree)
    others = [Fraction(k, 7) for k in range(len(scalars))]
    again, same_structure = flatten(structure.result(others))
    assert again == others
    assert same_structure.paths == structure.paths


@given(TREES)
@usual(60)
def test_a_path_leads_to_its_scalar(tree):
    scalars, structure = flatten(tree)
    for path, scalar in zip(structure.paths, scalars, strict=True):
        assert eval(f"tree{path}") == scalar


@given(TREES, TREES)
@usual(60)
def test_a_table_has_the_columns_in_the_place_of_each_scalar_of_the_rows(rows, columns):
    (upper, above), (lower, along) = flatten(rows), flatten(columns)
    cells = [[Fraction(i, 7) + j for j in range(len(lower))] for i in range(len(upper))]
    table, _ = flatten(above.table(cells, along))
    assert sorted(table) == sorted(cell for row in cells for cell in row)


def test_an_array_by_an_array_is_a_matrix_and_by_a_number_an_array():
    _, matrix = flatten(np.zeros((2, 3)))
    _, vector = flatten(np.zeros(4))
    _, number = flatten(1.0)
    assert matrix.table([[1.0] * 4] * 6, vector).shape == (2, 3, 4)
    assert matrix.table([[1.0]] * 6, number).shape == (2, 3)
    assert number.table([[1.0] * 4], vector).shape == (4,)
    assert number.table([[1.0]], number) == 1.0
    cells = [[float(10 * i + j) for j in range(4)] for i in range(6)]
    assert matrix.table(cells, vector)[1, 2].tolist() == [50, 51, 52, 53]


# ---- kinds of trees


@pytest.mark.parametrize(
    "tree",
    [
        OrderedDict(b=2.0, a=1.0),
        UserDict(b=2.0, a=1.0),
        defaultdict(list, b=2.0, a=1.0),
        Counter(b=2, a=1),
        Point(2.0, 1.0),
        {1: 2.0, "1": 1.0},
    ],
)
def test_a_container_keeps_its_type_and_its_order(tree):
    scalars, structure = flatten(tree)
    assert scalars == [2.0, 1.0]
    for put_together in (structure.result, structure.argument):
        again = put_together([3.0, 4.0])
        assert type(again) is type(tree)
        assert list(again.values() if hasattr(again, "values") else again) == [3.0, 4.0]
        assert list(again) == (list(tree) if hasattr(tree, "values") else [3.0, 4.0])
    assert flatten(tree)[0] == [2.0, 1.0]


@given(TREES)
@usual(60)
def test_a_structure_keeps_no_number_alive(tree):
    """A compiled function keeps the structure of what it returns, and not the trace's graph."""
    numbers, structure = flatten(tree)
    nodes = structure.result([Value(1.0) for _ in numbers])
    others, again = flatten(nodes)
    kept = [weakref.ref(node) for node in others]
    del nodes, others
    assert [node() for node in kept] == [None] * len(kept)
    assert again.paths == structure.paths


def test_a_defaultdict_keeps_its_factory():
    _, structure = flatten(defaultdict(lambda: 5.0, a=1.0))
    assert structure.argument([2.0])["missing"] == 5.0


def test_a_mapping_that_cannot_be_changed_becomes_a_dict():
    scalars, structure = flatten(MappingProxyType({"a": 1.0}))
    assert structure.result(scalars) == {"a": 1.0}


def test_one_list_in_two_places_is_two():
    shared = [1.0]
    scalars, structure = flatten([shared, shared])
    result = structure.result([2.0, 3.0])
    assert (scalars, result, shared) == ([1.0, 1.0], [[2.0], [3.0]], [1.0])


@pytest.mark.parametrize("kind", [float, np.float32, int, np.uint8, bool, object])
def test_arrays_of_all_kinds_of_numbers_give_python_numbers(kind):
    scalars, structure = flatten(np.array([[1, 0]], dtype=kind))
    assert not any(isinstance(x, np.generic) for x in scalars)
    assert structure.paths == ["[0, 0]", "[0, 1]"]
    assert structure.result([1.5, 2.5]).dtype == float
    assert structure.result([Fraction(1), 2.5]).dtype == object


def test_arrays_of_values_hold_the_values_themselves():
    values = [Value(1.0), Value(2.0)]
    scalars, structure = flatten(np.array(values))
    assert scalars == values
    assert structure.argument(values).tolist() == values


def test_arrays_in_any_order_of_memory_are_read_by_rows():
    array = np.arange(6.0).reshape(2, 3)
    for view in (np.asfortranarray(array), array.T.copy().T, np.repeat(array, 2, axis=1)[:, ::2]):
        assert flatten(view)[0] == [0, 1, 2, 3, 4, 5]


def test_an_array_without_dimensions_is_a_number_to_a_function_and_an_array_in_a_result():
    scalars, structure = flatten(np.array(3))
    assert (scalars, structure.paths) == ([3], [""])
    assert structure.argument([2.5]) == 2.5
    assert type(structure.argument([2.5])) is float
    value = Value(1.0)
    assert structure.argument([value]) is value
    assert structure.result([2.5]).shape == ()


def test_a_model_is_called_with_other_parameters_and_answered_by_path():
    model = MLP(1, [2, 1], seed=0)
    scalars, structure = flatten(model)
    assert scalars == model.parameters()
    numbers = [float(k) for k in range(len(scalars))]
    assert type(structure.argument(numbers)) is MLP
    assert structure.result(numbers) == dict(zip(model.state_dict(), numbers, strict=True))
    assert structure.paths == [f"['{path}']" for path in model.state_dict()]


def test_models_in_lists_and_parameters_that_are_shared():
    class Tied(Module):
        def __init__(self):
            self.encode = self.decode = Value(2.0)

    scalars, structure = flatten([Tied(), 1.0, Tied()])
    assert len(scalars) == 3
    assert structure.result([1, 2, 3]) == [{"encode": 1}, 2, {"encode": 3}]
    argument = structure.argument(values := [Value(1.0), Value(2.0), Value(3.0)])
    assert argument[0].encode is argument[0].decode is values[0]


@pytest.mark.parametrize(
    "other", ["text", b"bytes", None, 1j, {1.0}, object(), iter([1.0]), range(3), len]
)
def test_what_is_no_tree_of_numbers_is_refused_at_any_depth(other):
    for tree in (other, [1.0, other], {"a": (other,)}):
        with pytest.raises(TypeError, match=r"must be a number, a Value, an array .*, got .*\("):
            flatten(tree)


# ---- values in trees


def test_every_value_of_a_tree_is_mapped_and_all_else_is_as_it_is():
    model, text = MLP(1, [1], seed=0), "text"
    tree = {
        "a": [Value(1.0), text, None],
        "b": Point(Value(2.0), model),
        "c": np.array([Value(3.0), 4.0]),
        "d": (floats := np.array([5.0])),
        "e": {6.0},
    }
    mapped = map_values(lambda v: v.data, tree)
    assert mapped["a"] == [1.0, text, None]
    assert mapped["b"] == Point(2.0, model)
    assert mapped["c"].tolist() == [3.0, 4.0]
    assert mapped["d"] is floats
    assert mapped["e"] == {6.0}
    assert isinstance(tree["a"][0], Value)
