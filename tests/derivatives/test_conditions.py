"""The laws of conditions: what is sure of them holds everywhere, and what does is found."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.compiler.trace import Traced
from microgrid.core.primitive import equal, less, less_equal, where
from microgrid.derivatives.conditions import always_one_holds, are_opposite, implies, same
from tests.search import usual

BOUNDS = [-math.inf, -0.0, 0.0, 1.0, math.inf, math.nan]
NUMBERS = [*BOUNDS, -1.0, 0.5, 2.0]  # with one between each two bounds, and beyond them
X, Y = Traced("x"), Traced("y")


def conditions(*numbers):
    """Return a strategy for conditions: nodes, and what they say of the numbers' values."""
    comparisons = st.builds(compared, st.sampled_from(numbers), st.sampled_from(BOUNDS),
                            st.sampled_from([less, less_equal, equal]), st.booleans())  # fmt: skip
    simple = comparisons | st.sampled_from(numbers).map(lambda x: (x, lambda values: values[x]))
    constants = st.sampled_from([0.0, -0.0, 1.0, 2.0]).map(lambda x: (x, lambda _: x))
    return st.recursive(
        simple, lambda inner: st.builds(chosen, inner, inner | constants, inner | constants)
    )


def compared(x, bound, op, is_first):
    pair = (x, bound) if is_first else (bound, x)
    return op(*pair), lambda values: op(*[values.get(part, part) for part in pair])


def chosen(*parts):
    (_, if_), (_, then), (_, otherwise) = parts
    node = where(*[node for node, _ in parts])
    return node, lambda values: then(values) if if_(values) else otherwise(values)


def tables(drawn, values):
    """Return for each condition at which of the numbers' values it holds."""
    return [[bool(holds(given)) for given in values] for _, holds in drawn]


@given(st.lists(conditions(X), min_size=2, max_size=4))
@usual(200)
def test_what_is_sure_of_conditions_on_one_number_is_what_holds_everywhere(drawn):
    nodes = [node for node, _ in drawn]
    columns = tables(drawn, [{X: x} for x in NUMBERS])
    assert always_one_holds(nodes) == all(map(any, zip(*columns, strict=True)))
    pairs = [*zip(columns[0], columns[1], strict=True)]
    assert are_opposite(*nodes[:2]) == all(a != b for a, b in pairs)
    assert implies(*nodes[:2]) == all(a <= b for a, b in pairs)
    assert same(*nodes[:2]) == all(a == b for a, b in pairs)


@given(st.lists(conditions(X, Y), min_size=2, max_size=4))
@usual(100)
def test_nothing_is_sure_of_conditions_on_several_numbers_that_fails_somewhere(drawn):
    nodes = [node for node, _ in drawn]
    columns = tables(drawn, [{X: x, Y: y} for x in NUMBERS for y in NUMBERS])
    assert always_one_holds(nodes) <= all(map(any, zip(*columns, strict=True)))
    pairs = [*zip(columns[0], columns[1], strict=True)]
    assert are_opposite(*nodes[:2]) <= all(a != b for a, b in pairs)
    assert implies(*nodes[:2]) <= all(a <= b for a, b in pairs)
    assert same(*nodes[:2]) <= all(a == b for a, b in pairs)


def test_conditions_as_deep_as_you_like_are_looked_at():
    deep = X <= 0
    for _ in range(10_000):
        deep = where(deep, X < 2, 0.0)
    assert same(deep, deep)
    assert not always_one_holds([deep, X > 0])


@pytest.mark.parametrize("count", [10, 300])
def test_as_many_conditions_as_you_like_are_looked_at(count):
    """Of which one always holds, and of which none does between 0 and 1."""
    ends = [k >= X for k in range(count)]
    between = [where(before, 0.0, end) for before, end in pairwise(ends)]
    assert always_one_holds([ends[0], *between, where(ends[-1], 0.0, 1.0)])
    assert not always_one_holds([ends[0], *between[1:], where(ends[-1], 0.0, 1.0)])
