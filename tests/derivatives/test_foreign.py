"""Nodes of other engines are seen as `Value`s: the same numbers, operands, slopes and names."""

import math

import micrograd.engine
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import Value, topological_order
from microgrid.derivatives.foreign import Translation
from microgrid.drawing import as_values, draw, explain, explore
from tests.testing.conformance.stages.students import (
    RIGHT,
    Four,
    GoesForward,
    One,
    Six,
    Two,
    WithOtherNames,
)

OPERATIONS = [
    lambda x, y: x + y,
    lambda x, y: x * y,
    lambda x, y: x - y,
    lambda x, y: x * x,
    lambda x, y: (x * 0.1) ** 3 + y,
    lambda x, y: (x * 0.1).tanh() if hasattr(x, "tanh") else x.relu(),
]


class Sine(Six):
    """An operation that this library knows by another name."""

    def sine(self):
        return self.node(math.sin(self.data), "sine", (self, math.cos(self.data)))


@pytest.mark.parametrize("engine", [Six, micrograd.engine.Value])
@given(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=6))
def test_a_right_engines_graph_has_its_numbers_and_its_gradients(engine, operations):
    x, w = engine(1.5), engine(-0.5)
    nodes = [x, w]
    for operation in operations:
        nodes.append(operation(nodes[-1], nodes[-2]))
    nodes[-1].backward()
    translate = Translation([nodes[-1]])
    root = translate(nodes[-1])
    assert root.data == nodes[-1].data
    for value in topological_order(root):
        value.grad = 0.0
    root.backward()
    for leaf in (x, w):
        if isinstance(translate(leaf), Value):  # the root depends on it
            assert translate(leaf).grad == pytest.approx(leaf.grad, rel=1e-12, abs=1e-12)


def test_the_gradients_that_are_drawn_are_those_of_the_student():
    x = GoesForward(3.0)
    y = x * GoesForward(2.0) + x
    y.backward()
    root, leaf = as_values(y, x)[0], as_values(y, x)[1]
    assert leaf.grad == x.grad
    assert root.parents[0].op.name == "*"
    text = draw(y, names={"x": x, "y": y}).source
    assert "grad = 1.0" in text
    assert "<b>x</b>" in text


def test_an_unknown_operation_has_the_slopes_that_its_own_step_gives():
    x = Sine(1.0)
    y = x.sine()
    x.grad = 7.0
    [value] = as_values(y)
    assert (value.op.name, value.partials()) == ("sine", (math.cos(1.0),))
    assert (x.grad, y.grad) == (7.0, 0.0)  # as they were
    twice = Sine(2.0)
    product = twice.node(4.0, "square", (twice, 2.0), (twice, 2.0))
    assert as_values(product)[0].partials() == (2.0, 2.0)


def test_an_operation_that_is_not_what_its_name_says_is_not_taken_for_it():
    class Adds(Two):
        def __mul__(self, other):
            return type(self)(self.data + other.data, (self, other), "*")

    [value] = as_values(Adds(2.0) * Adds(3.0))
    assert value.data == 5.0
    assert all(map(math.isnan, value.partials()))  # there is no step to ask


def test_a_page_does_not_recompute_what_only_the_student_knows():
    x = Sine(1.0)
    exploration = explore(x.sine() * x)
    assert "cannot recompute this graph" in exploration.fixed
    with pytest.raises(ValueError, match="sine is an operation of your own, known at"):
        exploration.change(0, "2")


def test_an_explanation_says_where_the_node_has_another_gradient():
    x = Four(3.0, op="")
    y = x * x
    assert "but" not in str(explain(y, x))  # before backward, nothing is claimed
    y.backward()
    assert str(explain(y, x)).splitlines()[0] == (
        "∂L/∂x1 = 6, the sum over 2 paths — but the node has 3"
    )
    right = Six(3.0)
    square = right * right
    square.backward()
    assert "but" not in str(explain(square, right))


def test_the_steps_are_those_of_the_same_program_in_values():
    def program(number):
        a, b = number(2.0), number(-3.0)
        return a * b + a

    assert str(explore(program(Six))) == str(explore(program(Value)))


@pytest.mark.parametrize("student", RIGHT, ids=lambda student: student.__name__)
def test_engines_are_drawn_at_every_stage(student):
    x = student(3.0)
    y = x * student(2.0) + x if hasattr(student, "__add__") else x
    assert "Graph of" in repr(draw(y))


def test_names_that_are_not_found_are_given():
    x = WithOtherNames(2.0)
    y = x * x
    y.backpropagate()
    with pytest.raises(TypeError, match="give the names of its attributes"):
        as_values(y)
    root, leaf = as_values(y, x, grad="slope")
    assert (root.parents, leaf.grad) == ((leaf, leaf), 4.0)
    with pytest.raises(AttributeError, match="`grad` must be the name of an attribute"):
        as_values(y, grad="steepness")


def test_a_long_chain_is_translated_and_a_circle_is_refused():
    y = x = Two(1.0)
    for _ in range(5000):
        y = y + x
    assert len(topological_order(*as_values(y))) == 5001
    x._prev = (y,)
    with pytest.raises(ValueError, match="a graph must lead to leaves"):
        as_values(y)


def test_numbers_that_an_engine_leaves_plain_are_constants_and_other_things_are_refused():
    [value] = as_values(One(6.0, (One(2.0), 3.0), "*"))
    assert value.op.name == "*"
    assert [parent.is_constant for parent in value.parents] == [False, True]
    with pytest.raises(TypeError, match="a node's `data` must be a real number, got 'a'"):
        draw(One("a"))


def test_a_set_of_operands_has_no_order_and_an_operation_finds_it():
    for order in ([6.0, 2.0], [2.0, 6.0]):  # as a set may have them
        [value] = as_values(One(4.0, [One(number) for number in order], "-"))
        assert [parent.data for parent in value.parents] == [6.0, 2.0]
        assert value.op.name == "-"
