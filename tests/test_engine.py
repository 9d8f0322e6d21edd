"""The laws of `Value`: Python's arithmetic, exact gradients, no silent way out of the graph."""

import cmath
import math
import operator
import struct
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, stop_gradient, topological_order, where
from tests.nodes import same
from tests.search import usual

# ---- a Value computes as Python's float does

BINARY = [
    *[operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv],
    *[operator.mod, divmod, operator.pow],
]
ORDER = [operator.lt, operator.le, operator.gt, operator.ge]
COMPARISONS = [*ORDER, operator.eq, operator.ne]
ZEROS_AND_LIMITS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, math.inf, -math.inf])
FLOATS = ZEROS_AND_LIMITS | st.floats()
PLAIN = FLOATS | st.integers(-5, 5) | st.integers() | st.booleans()

by_name = {"ids": lambda function: function.__name__}


def outcome(function, *args):
    """Return the bits of what a function returns, or the type of what it raises."""
    try:
        result = function(*args)
    except (ArithmeticError, ValueError) as error:
        return type(error)
    if isinstance(result, complex):
        return ValueError  # never complex: the negative base of a power is refused
    results = result if isinstance(result, tuple) else (result,)
    return [bits(x.data if isinstance(x, Value) else x) for x in results]


def bits(x):
    if isinstance(x, bool):
        return x
    return "nan" if x != x else struct.pack("d", x)


@pytest.mark.parametrize("function", BINARY, **by_name)
def test_an_operator_agrees_with_floats_to_the_bit(function):
    @given(FLOATS, FLOATS)
    def law(x, y):
        assert outcome(function, Value(x), Value(y)) == outcome(function, x, y)

    law()


@pytest.mark.parametrize("function", BINARY, **by_name)
def test_an_operator_with_a_plain_number_agrees_with_floats_to_the_bit(function):
    @given(FLOATS, PLAIN)
    @example(-8.0, 1 / 3)
    @example(3.0, -0.0)
    def law(x, y):
        assert outcome(function, Value(x), y) == outcome(function, x, y)
        if function is operator.pow and y == 0:
            y = 0.0  # a base of -0.0 is the constant 0 too: constants are cached by equality
        assert outcome(function, y, Value(x)) == outcome(function, y, x)

    law()


@pytest.mark.parametrize("compare", COMPARISONS, **by_name)
def test_a_comparison_agrees_with_floats(compare):
    @given(FLOATS, PLAIN | st.fractions())
    def law(x, y):
        assert compare(Value(x), y) is compare(x, y)
        assert compare(y, Value(x)) is compare(y, x)
        if abs(y) < 2**53:
            assert compare(Value(x), Value(y)) is compare(x, float(y) if type(y) is int else y)

    law()


@given(FLOATS)
def test_signs_and_truth_agree_with_floats(x):
    for function in (operator.neg, operator.pos, operator.abs):
        assert outcome(function, Value(x)) == outcome(function, x)
    assert bool(Value(x)) is bool(x)


@given(st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(-5, 5))
def test_round_agrees_with_floats(x, digits):
    rounded = round(Value(x), digits) if digits else round(Value(x))
    assert rounded.data == (round(x, digits) if digits else round(x))


@given(FLOATS, st.sampled_from([".3f", "10.2e", "+g", "%", "015.4f", "<9"]))
def test_a_format_agrees_with_floats(x, spec):
    assert format(Value(x), spec) == format(x, spec)


def test_a_format_without_a_spec_is_the_repr():
    x = Value(2.0, label="x")
    assert f"{x}" == str(x) == repr(x) == "Value(data=2.0, grad=0.0, label='x')"
    assert repr(Value(Fraction(1, 3))) == "Value(data=Fraction(1, 3), grad=Fraction(0, 1))"
    assert f"{Value(Fraction(1, 3)):.3f}" == "0.333"
    with pytest.raises(ValueError, match="format code 'd'"):
        f"{x:d}"


@pytest.mark.parametrize("other", ["1", None, 1j, [1.0], object()], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("function", [*BINARY, *ORDER], **by_name)
def test_what_is_no_real_number_is_no_operand(function, other):
    for args in [(Value(1.0), other), (other, Value(1.0))]:
        if function is operator.mod and isinstance(args[0], str):
            continue  # "1" % x formats a string
        with pytest.raises(TypeError, match="Value"):
            function(*args)


def test_a_third_operand_of_pow_is_refused_as_by_floats():
    with pytest.raises(TypeError, match="__pow__"):
        pow(Value(2.0), 3, 5)


def test_sorting_and_choosing_work_by_data():
    a, b, c = Value(2.0), Value(-1.0), Value(0.5)
    assert sorted([a, b, c]) == [b, c, a]
    assert (max(a, b, c), min(a, b, c)) == (a, b)


class Anything:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


@pytest.mark.parametrize(
    "other",
    [
        *[None, "a", "2.0", object(), [2.0], (2.0,), {2.0}, ..., Value, Anything()],
        *[2 + 0j, 2 + 1j, Decimal(2), Decimal("2.5"), Fraction(2), np.True_],
    ],
    ids=lambda x: type(x).__name__,
)
@pytest.mark.parametrize("compare", [operator.eq, operator.ne], **by_name)
def test_equality_with_anything_is_that_of_a_float(compare, other):
    for number in (2.0, 1.0, math.nan):
        assert bool(compare(Value(number), other)) is bool(compare(number, other))
        assert bool(compare(other, Value(number))) is bool(compare(other, number))


@pytest.mark.parametrize("compare", COMPARISONS, **by_name)
def test_an_array_is_compared_number_by_number(compare):
    numbers = np.array([1.0, 2.0, 3.0])
    values = np.array([Value(x) for x in numbers])
    expected = compare(numbers, 2.0).tolist()
    for left, right in [(values, 2.0), (values, Value(2.0)), (numbers, Value(2.0))]:
        assert compare(left, right).tolist() == expected
    assert compare(Value(2.0), values).tolist() == compare(2.0, numbers).tolist()


def test_approx_takes_the_number_of_what_stands_before_it():
    x = Value(2.0 + 1e-9)
    assert x == pytest.approx(2.0)
    assert (x != pytest.approx(2.0)) is False
    assert x != pytest.approx(2.1)
    assert x == pytest.approx(Value(2.0 + 1e-9))
    assert [x, Value(3.0)] == [pytest.approx(2.0), pytest.approx(3.0)]
    # To the left, and of lists, a pytest may ask for the type: then it wants the very number.
    assert pytest.approx(2.0 + 1e-9) == x
    assert pytest.approx([2.0 + 1e-9]) == [x]


def test_in_index_and_remove_find_a_number():
    x, y, z = Value(2.0), Value(1.0), Value(2.0)
    nodes = [y, x]
    assert (z in nodes, nodes.index(z), nodes.count(2.0)) == (True, 1, 1)
    assert any(node is x for node in nodes)
    assert not any(node is z for node in nodes)
    nodes.remove(z)
    assert [*map(id, nodes)] == [id(y)]


def test_a_set_and_a_dict_find_a_node():
    x, y, nan = Value(2.0), Value(2.0), Value(math.nan)
    assert hash(x) != hash(y)
    assert len({x, y, nan, x, nan}) == 3
    assert y not in {x}
    assert nan in {nan}
    assert 2.0 not in {x}
    names = {x: "x", y: "y", nan: "nan"}
    assert [names[node] for node in (x, y, nan)] == ["x", "y", "nan"]
    assert {x, y} - {y} == {x}
    assert [*map(id, dict.fromkeys([x, y, x]))] == [id(x), id(y)]


def test_a_function_that_branches_by_equality_takes_the_branch_of_its_number():
    f = microgrid.value_and_grad(lambda k: 1.0 if k == 1 else 5 * k)
    assert (f(1.0), f(2.0)) == ((1.0, 0.0), (10.0, 5.0))
    f = microgrid.value_and_grad(lambda k: 5 * k if k != Value(1.0) else k * k)
    assert (f(1.0), f(2.0)) == ((1.0, 2.0), (10.0, 5.0))
    assert microgrid.hessian(lambda k: k**3 if k in [1, 2] else k)(2.0) == 12.0
    assert microgrid.taylor(lambda k: k**3 if k == 2 else k, 2.0, 3) == [8.0, 12.0, 6.0, 1.0]


def test_an_augmented_assignment_rebinds():
    x = y = Value(2.0)
    x += 1
    assert (x.data, y.data) == (3.0, 2.0)
    assert x.parents[0] is y


# ---- how it is recorded


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda a, b: a + b, "+"),
        (lambda a, b: a - b, "-"),
        (lambda a, b: a * b, "*"),
        (lambda a, b: a / b, "/"),
        (lambda a, b: a // b, "//"),
        (lambda a, b: a % b, "%"),
        (lambda a, b: a**b, "**"),
        (lambda a, b: -a, "neg"),
        (lambda a, b: abs(a), "abs"),
        (lambda a, b: a**3, "**3"),
        (lambda a, b: a**3.0, "**3"),
        (lambda a, b: a**0.5, "**0.5"),
        (lambda a, b: 2**a, "2**"),
        (lambda a, b: round(a, 1), "round(1)"),
        (lambda a, b: microgrid.sum([a, b, a]), "sum"),
        (lambda a, b: microgrid.dot([a, b], [b, a]), "dot"),
        (lambda a, b: microgrid.dot([a, b], [b, a], start=a), "dot"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_an_operation_is_one_node(function, name):
    a, b = Value(2.0), Value(3.0)
    node = function(a, b)
    assert set(node.parents) <= {a, b}
    assert (node.op.name, node._op) == (name, name)
    assert node._prev == set(node.parents)


def test_a_division_is_one_true_division():
    assert (Value(5.0) / 3).data == 5 / 3 != 5 * 3**-1
    assert (Value(1e-310) / Value(1e-310)).data == 1.0  # 1e-310**-1 overflows
    assert (0 / Value(4.0)).data == 0.0


def test_a_leaf_has_neither_parents_nor_operation():
    x = Value(2, label="x")
    assert (x.parents, x.op, x._prev, x._op, x.label) == ((), None, set(), "", "x")
    assert x.chain(1.0) == []
    assert (x.item(), x.is_constant) == (2.0, False)


def test_a_plain_operand_becomes_a_constant():
    x = Value(2.0)
    two = (x * 3).parents[1]
    assert two.is_constant
    assert (two.data, two.parents) == (3.0, ())
    assert not (x * 3).is_constant


def test_an_operand_that_is_used_twice_is_recorded_twice():
    x = Value(3.0)
    assert same((x * x).parents, (x, x))
    assert (+x) is x


@pytest.mark.parametrize("label", [5, b"x", ["x"]])
def test_a_label_is_a_string(label):
    x = Value(1.0, label="x")
    with pytest.raises(TypeError, match=r"a label must be a string, got .+ \(\w+\)"):
        Value(1.0, label=label)
    with pytest.raises(TypeError, match=r"a label must be a string, got .+ \(\w+\)"):
        x.label = label
    assert x.label == "x"
    x.label = None
    assert x.label is None


# ---- gradients, exactly

RATIONALS = st.fractions(-3, 3, max_denominator=7)


@dataclass
class Dual:
    """A number and its derivatives by every leaf: forward mode, for comparison."""

    real: Fraction
    dual: list[Fraction]

    def along(self, real, *slopes_and_others):
        dual = [Fraction(0)] * len(self.dual)
        for slope, other in slopes_and_others:
            dual = [d + slope * o for d, o in zip(dual, other.dual, strict=True)]
        return Dual(real, dual)


def step(n):
    return Fraction((n > 0) - (n < 0))


def share(x, y):
    return Fraction(1, 2) if x == y else Fraction(x > y)


# name: on values; on dual numbers, with the derivative written out
RATIONAL_STEPS = {
    "+": (lambda x, y: x + y, lambda x, y: x.along(x.real + y.real, (1, x), (1, y))),
    "-": (lambda x, y: x - y, lambda x, y: x.along(x.real - y.real, (1, x), (-1, y))),
    "*": (lambda x, y: x * y, lambda x, y: x.along(x.real * y.real, (y.real, x), (x.real, y))),
    "neg": (lambda x, y: -x, lambda x, y: x.along(-x.real, (-1, x))),
    "constant": (lambda x, y: 3 * x - 1, lambda x, y: x.along(3 * x.real - 1, (3, x))),
    "half": (lambda x, y: x / 2, lambda x, y: x.along(x.real / 2, (Fraction(1, 2), x))),
    "/": (
        lambda x, y: x / (y * y + 1),
        lambda x, y: x.along(
            x.real / (y.real**2 + 1),
            (1 / (y.real**2 + 1), x),
            (-2 * x.real * y.real / (y.real**2 + 1) ** 2, y),
        ),
    ),
    "**3": (lambda x, y: x**3, lambda x, y: x.along(x.real**3, (3 * x.real**2, x))),
    "relu": (
        lambda x, y: microgrid.relu(x),
        lambda x, y: x.along(max(x.real, Fraction(0)), (Fraction(x.real > 0), x)),
    ),
    "abs": (lambda x, y: abs(x), lambda x, y: x.along(abs(x.real), (step(x.real), x))),
    "maximum": (
        lambda x, y: microgrid.maximum(x, y),
        lambda x, y: x.along(
            max(x.real, y.real), (share(x.real, y.real), x), (share(y.real, x.real), y)
        ),
    ),
    "minimum": (
        lambda x, y: microgrid.minimum(x, y),
        lambda x, y: x.along(
            min(x.real, y.real), (share(y.real, x.real), x), (share(x.real, y.real), y)
        ),
    ),
    "clip": (
        lambda x, y: microgrid.clip(x, -1, 2),
        lambda x, y: x.along(
            min(max(x.real, Fraction(-1)), Fraction(2)), (Fraction(-1 <= x.real <= 2), x)
        ),
    ),
    "sum": (
        lambda x, y: microgrid.sum([x, y, x, 1]),
        lambda x, y: x.along(2 * x.real + y.real + 1, (2, x), (1, y)),
    ),
    "builtin sum": (
        lambda x, y: sum([x, y]),
        lambda x, y: x.along(x.real + y.real, (1, x), (1, y)),
    ),
    "dot": (
        lambda x, y: microgrid.dot([x, y], [y, 2], start=x),
        lambda x, y: x.along(
            x.real * y.real + 2 * y.real + x.real, (y.real + 1, x), (x.real + 2, y)
        ),
    ),
    "prod": (
        lambda x, y: microgrid.prod([x, y, x]),
        lambda x, y: x.along(x.real**2 * y.real, (2 * x.real * y.real, x), (x.real**2, y)),
    ),
    "mean": (
        lambda x, y: microgrid.mean([x, y, y]),
        lambda x, y: x.along((x.real + 2 * y.real) / 3, (Fraction(1, 3), x), (Fraction(2, 3), y)),
    ),
    "%": (
        lambda x, y: x % (y * y + 1),
        lambda x, y: x.along(
            x.real % (y.real**2 + 1), (1, x), (-2 * y.real * (x.real // (y.real**2 + 1)), y)
        ),
    ),
    "//": (lambda x, y: x // 2, lambda x, y: x.along(Fraction(x.real // 2))),
    "where": (
        lambda x, y: where(x > 0, x, y),
        lambda x, y: x.along(x.real, (1, x)) if x.real > 0 else y.along(y.real, (1, y)),
    ),
    "detach": (lambda x, y: x * y.detach(), lambda x, y: x.along(x.real * y.real, (y.real, x))),
}


# There are two dozen steps to combine, and a program is run in a millisecond.
many = usual(300)


@st.composite
def programs(draw, steps, numbers):
    """Draw leaves, and steps that each name an operation and two earlier results."""
    leaves = draw(st.lists(numbers, min_size=1, max_size=3))
    names = draw(st.lists(st.sampled_from(steps), min_size=1, max_size=10))
    return leaves, [
        (name, draw(st.integers(0, len(leaves) + i - 1)), draw(st.integers(0, len(leaves) + i - 1)))
        for i, name in enumerate(names)
    ]


def run(program, leaves, functions):
    results = list(leaves)
    for name, i, j in program:
        results.append(functions[name](results[i], results[j]))
    return results


@many
@given(programs(sorted(RATIONAL_STEPS), RATIONALS), RATIONALS)
def test_gradients_of_fractions_are_exact(drawn, seed):
    numbers, program = drawn
    duals = [
        Dual(x, [Fraction(i == j) for j in range(len(numbers))]) for i, x in enumerate(numbers)
    ]
    expected = run(program, duals, {name: dual for name, (_, dual) in RATIONAL_STEPS.items()})[-1]
    leaves = list(map(Value, numbers))
    *_, root = run(program, leaves, {name: value for name, (value, _) in RATIONAL_STEPS.items()})
    assert root.data == expected.real
    assert type(root.data) is Fraction
    assume(any(node.op is None for node in topological_order(root)))
    root.backward(seed)
    assert [leaf.grad for leaf in leaves] == [seed * slope for slope in expected.dual]
    assert {type(leaf.grad) for leaf in leaves} == {Fraction}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: 2 // x, Fraction(0)),
        (lambda x: x // Fraction(1, 3), Fraction(15)),
        (lambda x: divmod(x, 3)[0], Fraction(1)),
        (lambda x: x**-2, Fraction(1, 25)),
        (lambda x: round(x), Fraction(5)),
        (lambda x: microgrid.floor(x), Fraction(5)),
        (lambda x: microgrid.ceil(x), Fraction(5)),
        (lambda x: microgrid.sign(x), Fraction(1)),
        (lambda x: microgrid.softsign(x), Fraction(5, 6)),
        (lambda x: microgrid.leaky_relu(-x, Fraction(1, 10)), Fraction(-1, 2)),
        (lambda x: microgrid.floor(x * 10**400), Fraction(5 * 10**400)),
        (lambda x: (x * 10**30 + 1) // 1, Fraction(5 * 10**30 + 1)),
    ],
)
def test_rational_operations_keep_fractions(function, expected):
    got = function(Value(Fraction(5))).data
    assert got == expected
    assert type(got) is Fraction


def test_fractions_reproduce_hand_algebra():
    # d/dx (x**2 + 1) / (x - 3) = (x**2 - 6 x - 1) / (x - 3)**2, at 1/2: (-15/4) / (25/4)
    x = Value(Fraction(1, 2))
    y = (x**2 + 1) / (x - 3)
    y.backward()
    assert (y.data, x.grad) == (Fraction(-1, 2), Fraction(-3, 5))
    y.backward(Fraction(1, 3))
    assert x.grad == Fraction(-3, 5) * Fraction(4, 3)


def test_a_float_among_fractions_makes_a_float():
    x = Value(Fraction(1, 3))
    assert type((x * 2.0).data) is float
    assert type((x * Value(2.0)).data) is float
    assert type((x**0.5).data) is float
    assert type(x.exp().data) is float


# ---- backward


def test_backward_twice_adds_to_the_leaves():
    x = Value(3.0)
    y = x**3
    y.backward()
    assert x.grad == 27.0
    y.backward()
    assert x.grad == 54.0


FLOAT_STEPS = {
    "+": lambda x, y: x + y,
    "*": lambda x, y: x * y,
    "-": lambda x, y: x - y,
    "/": lambda x, y: x / (1 + y * y),
    "tanh": lambda x, y: microgrid.tanh(x),
    "sin": lambda x, y: microgrid.sin(3 * x),
    "maximum": lambda x, y: microgrid.maximum(x, y),
    "prod": lambda x, y: microgrid.prod([x, y, x]),
    "softmax": lambda x, y: microgrid.softmax([microgrid.tanh(x), microgrid.tanh(y)])[0],
    "stop": lambda x, y: x * stop_gradient(y),
}
GRAPHS = programs(sorted(FLOAT_STEPS), st.floats(-2, 2))


@many
@given(GRAPHS)
def test_backward_twice_doubles_the_leaves_and_leaves_inner_nodes(drawn):
    numbers, program = drawn
    leaves = list(map(Value, numbers))
    *_, root = run(program, leaves, FLOAT_STEPS)
    inner = [node for node in topological_order(root) if node.parents]
    root.backward()
    first, of_inner = [leaf.grad for leaf in leaves], [node.grad for node in inner]
    assert root.grad == 1.0
    root.backward()
    assert [leaf.grad for leaf in leaves] == [2 * grad for grad in first]
    assert [node.grad for node in inner] == of_inner


@given(GRAPHS)
def test_a_power_of_two_as_seed_scales_every_gradient_exactly(drawn):
    numbers, program = drawn
    gradients = []
    for seed in (1.0, -4.0):
        leaves = list(map(Value, numbers))
        *_, root = run(program, leaves, FLOAT_STEPS)
        root.backward(seed)
        gradients.append([leaf.grad for leaf in leaves])
    assert [-4.0 * grad for grad in gradients[0]] == gradients[1]


@many
@given(programs(sorted(RATIONAL_STEPS), RATIONALS))
def test_the_gradient_of_a_sum_is_the_sum_of_the_gradients(drawn):
    numbers, program = drawn
    functions = {name: value for name, (value, _) in RATIONAL_STEPS.items()}
    together, apart = list(map(Value, numbers)), list(map(Value, numbers))
    results = run(program, together, functions)
    (results[-1] + results[0] + results[-2]).backward()
    results = run(program, apart, functions)
    for root in (results[-1], results[0], results[-2]):
        if any(node.op is None for node in topological_order(root)):
            root.backward()
    assert [x.grad for x in together] == [x.grad for x in apart]


def test_two_roots_over_a_shared_node_add_up():
    x = Value(3.0)
    a = x * x
    (a * 2).backward()
    (a * 3).backward()
    assert x.grad == 30.0


def test_zeroing_the_leaves_alone_is_enough_between_passes():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    x.grad = 0.0
    y.backward()
    assert x.grad == 27.0


def test_a_root_may_be_an_inner_node_of_another_graph():
    x = Value(3.0)
    a = x * x
    b = a * 5
    b.backward()
    assert (a.grad, x.grad) == (5.0, 30.0)
    a.backward()
    assert (a.grad, x.grad) == (1.0, 36.0)
    b.backward()
    assert (b.grad, a.grad, x.grad) == (1.0, 5.0, 66.0)


def test_a_leaf_is_its_own_graph():
    x = Value(3.0)
    x.backward()
    x.backward(2.5)
    assert x.grad == 3.5


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: x + x, 2.0),
        (lambda x: x * x, 6.0),
        (lambda x: x - x, 0.0),
        (lambda x: x / x, 0.0),
        (lambda x: (x + x) + (x + x), 4.0),
        (lambda x: x * x + (x * x + x * x * 2), 24.0),
        (lambda x: microgrid.sum([x, x, x]), 3.0),
        (lambda x: microgrid.dot([x, x], [x, 2]), 8.0),
        (lambda x: microgrid.maximum(x, x), 1.0),
        (lambda x: 2 - x, -1.0),
        (lambda x: 6 / x, -2 / 3),
        (lambda x: 7 % x, -2.0),
    ],
)
def test_a_value_used_more_than_once_collects_every_share(function, slope):
    x = Value(3.0)
    function(x).backward()
    assert x.grad == slope


def test_two_variables_in_a_power_both_get_their_share():
    x, y = Value(2.0), Value(3.0)
    (x**y).backward()
    assert (x.grad, y.grad) == (12.0, 8.0 * math.log(2.0))
    x = Value(2.0)
    (x**x).backward()
    assert x.grad == 4.0 * (1.0 + math.log(2.0))


def test_what_the_root_does_not_depend_on_keeps_its_gradient():
    x, y = Value(2.0), Value(3.0)
    other = x * y
    other.backward()
    (x * 4).backward()
    assert (x.grad, y.grad, other.grad) == (7.0, 2.0, 1.0)


def test_an_inner_node_out_of_the_gradients_reach_is_set_to_zero():
    x = Value(2.0)
    a = x * 3
    (a * 5).backward()
    assert a.grad == 5.0
    (stop_gradient(a) + x).backward()
    assert (a.grad, x.grad) == (0.0, 16.0)


@pytest.mark.parametrize("seed", ["1", None, 1j, [1.0]])
def test_a_seed_is_a_real_number(seed):
    x = Value(2.0)
    with pytest.raises(TypeError, match="a real number, got"):
        (x * x).backward(seed)
    assert x.grad == 0.0


@pytest.mark.parametrize("seed", [2, True + 1, np.float32(2), np.int8(2), Fraction(2)])
def test_a_seed_may_be_any_real_number(seed):
    x = Value(3.0)
    (x * x).backward(seed)
    assert x.grad == 12.0
    assert type(x.grad) is float


def test_constants_never_get_a_gradient():
    x = Value(2.0)
    three, c, d = Value(3.0).detach(), x.detach(), (x * 3).detach()
    y = x * three + c * x + d * 4 + 5
    y.backward()
    assert x.grad == 5.0
    assert [node.grad for node in topological_order(y) if node.is_constant] == [0.0] * 5


def test_a_detached_value_feeds_nothing():
    x = Value(2.0, label="x")
    x.grad = 7.0
    c = x.detach()
    assert (c.data, c.grad, c.label, c.parents, c.is_constant) == (2.0, 0.0, None, (), True)
    (c * x).backward()
    assert (x.grad, c.grad) == (9.0, 0.0)


@pytest.mark.parametrize(
    "root",
    [
        lambda: Value(3.0).detach(),
        lambda: Value(3.0).detach() * 2,
        lambda: microgrid.no_grad()(lambda x: x * x)(Value(3.0)),
    ],
)
def test_a_graph_of_constants_has_nothing_to_derive_by(root):
    with pytest.raises(
        RuntimeError,
        match="needs a leaf to differentiate with respect to, got a graph of constants",
    ):
        root().backward()


def test_the_chain_rule_of_a_node_can_be_asked():
    assert (Value(2.0) * Value(3.0)).chain(10.0) == [30.0, 20.0]
    assert stop_gradient(Value(2.0)).chain(10.0) == [None]
    assert where(True, Value(2.0), Value(3.0)).chain(10.0) == [None, 10.0, None]


# ---- a partial of None asks nothing of what is behind it


def broken(x):
    """Return a node whose derivative raises when asked for."""
    return microgrid.sqrt(x * 0)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: where(x > 0, x, broken(x)), 1.0),
        (lambda x: where(False, broken(x), x * x), 4.0),
        (lambda x: where(x * 0, broken(x), x + 1), 1.0),
        (lambda x: where(broken(x), x, 3 * x), 3.0),
        (lambda x: stop_gradient(broken(x)) + x, 1.0),
        (lambda x: x * broken(x).detach(), 0.0),
    ],
)
def test_what_is_not_chosen_is_not_asked_for_a_derivative(function, slope):
    x = Value(2.0)
    with pytest.raises(ZeroDivisionError):
        broken(x).backward()
    function(x).backward()
    assert x.grad == slope


# ---- an exception in backward leaves every gradient as it was


@pytest.fixture
def interrupted(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))

    def raises(error):
        def partials(out, x):
            raise error

        return Primitive(f"raises {error!r}", lambda x: x, partials)

    return raises


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), RuntimeError("no"), MemoryError(), SystemExit(), ValueError("no")],
    ids=repr,
)
def test_an_exception_in_backward_changes_no_gradient(error, interrupted):
    x, y = Value(2.0), Value(3.0)
    a, b = x * y, x + y
    middle = interrupted(error)(a * b)
    root = middle * y + x
    (a * b).backward()
    nodes = topological_order(root)
    for i, node in enumerate(nodes):
        node.grad = float(i)
    with pytest.raises(type(error)):
        root.backward()
    assert [node.grad for node in nodes] == [float(i) for i in range(len(nodes))]


def test_after_an_exception_in_backward_the_graph_still_works():
    x = Value(0.0)
    y = microgrid.sqrt(x) + x * 3
    with pytest.raises(ZeroDivisionError):
        y.backward()
    x.data = 4.0
    y.refresh()
    y.backward()
    assert x.grad == 3.25


def test_an_error_in_backward_names_its_operands_and_nothing_of_its_own():
    x = Value(0.0, label="distance")
    x.grad = 2.5
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of sqrt of distance = 0\.0: \w"):
        microgrid.sqrt(x).backward()


# ---- data


def test_inner_data_cannot_be_set():
    x = Value(2.0)
    y = x * x
    with pytest.raises(AttributeError, match=r"only a leaf's data can be set.*refresh"):
        y.data = 5.0
    assert y.data == 4.0


@pytest.mark.parametrize("data", ["1", None, [1.0], 1j, Value(1.0)], ids=repr)
def test_data_is_set_to_real_numbers_only(data):
    x = Value(2.0)
    with pytest.raises(TypeError, match="a Value holds a real number"):
        x.data = data
    assert x.data == 2.0


@pytest.mark.parametrize(
    ("data", "kept"), [(3, 3.0), (np.float32(0.5), 0.5), (Fraction(1, 3), Fraction(1, 3))]
)
def test_data_that_is_set_is_kept_as_at_the_start(data, kept):
    x = Value(2.0)
    x.data = data
    assert x.data == kept
    assert type(x.data) is type(kept)


def test_a_value_has_no_other_attributes():
    with pytest.raises(AttributeError, match="dta"):
        Value(1.0).dta = 2.0


# ---- no silent way out of the graph

WAYS_OUT = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.exp": math.exp,
    "math.sqrt": math.sqrt,
    "math.isnan": math.isnan,
    "math.fsum": lambda x: math.fsum([x]),
    "math.pow": lambda x: math.pow(x, 2),
    "cmath.exp": cmath.exp,
    "percent": lambda x: "%.2f".__mod__(x),
    "np.float64": np.float64,
    "np.asarray": lambda x: np.asarray([x], float),
    "np.array.astype": lambda x: np.array([x]).astype(float),
    "np item": lambda x: np.zeros(2).__setitem__(0, x),
}


@pytest.mark.parametrize("way", [*WAYS_OUT])
def test_no_conversion_loses_the_graph_silently(way):
    with pytest.raises(TypeError, match=r"`v\.data`.*`v\.exp\(\)`"):
        WAYS_OUT[way](Value(2.0))


def test_a_value_is_no_index():
    with pytest.raises(TypeError, match="not Value"):
        [1, 2, 3][Value(1.0)]
    with pytest.raises(TypeError, match="'Value' object"):
        range(Value(1.0))


def test_math_floor_and_ceil_stay_in_the_graph():
    x = Value(1.5)
    assert (math.floor(x).data, math.ceil(x).data) == (1.0, 2.0)
    assert same(math.floor(x).parents, (x,))
    assert math.prod([x, x]).data == 2.25


# ---- NumPy

FLOAT_TYPES = [np.float16, np.float32, np.float64, np.longdouble]
INT_TYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.mark.parametrize("dtype", [*FLOAT_TYPES, *INT_TYPES, np.bool_], **by_name)
@pytest.mark.parametrize("function", BINARY, **by_name)
def test_numpy_scalars_are_operands_on_either_side(function, dtype):
    scalar, plain = dtype(1 if dtype is np.bool_ else 3), (1.0 if dtype is np.bool_ else 3.0)
    for left, right in [(Value(2.5), scalar), (scalar, Value(2.5))]:
        numbers = [2.5 if isinstance(x, Value) else plain for x in (left, right)]
        results, expected = function(left, right), function(*numbers)
        if function is not divmod:
            results, expected = (results,), (expected,)
        assert [type(result) for result in results] == [Value] * len(results)
        assert [result.data for result in results] == [*expected]


@pytest.mark.parametrize("dtype", [*FLOAT_TYPES, *INT_TYPES], **by_name)
@pytest.mark.parametrize("compare", COMPARISONS, **by_name)
def test_numpy_scalars_compare_on_either_side(compare, dtype):
    assert bool(compare(Value(2.5), dtype(3))) is compare(2.5, 3)
    assert bool(compare(dtype(3), Value(2.5))) is compare(3, 2.5)
    assert bool(compare(Value(3.0), dtype(3))) is compare(3, 3)
    assert bool(compare(dtype(3), Value(3.0))) is compare(3, 3)


@pytest.mark.parametrize("function", [*BINARY[:6], operator.pow], **by_name)
def test_a_value_with_an_array_is_an_object_array(function):
    array, x = np.array([[1.0, 2.0, -3.0], [4, 5, 6]]), Value(2.5)
    for result, expected in [
        (function(x, array), function(2.5, array)),
        (function(np.abs(array), x), function(np.abs(array), 2.5)),
    ]:
        assert result.dtype == object
        assert result.shape == (2, 3)
        assert np.vectorize(lambda v: v.data)(result) == pytest.approx(expected, rel=1e-15)


def test_an_array_without_dimensions_is_an_operand():
    assert (Value(2.0) * np.array(3.0)).data == 6.0
    assert (np.array(3.0) - Value(2.0)).data == 1.0


def test_arrays_of_floats_take_no_values_silently():
    array = np.ones(2)
    with pytest.raises(TypeError, match="an array of dtype float64 cannot hold Values"):
        array *= Value(2.0)


UNARY_UFUNCS = {
    "positive": lambda x: x,
    "negative": lambda x: -x,
    "absolute": abs,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "floor": math.floor,
    "ceil": math.ceil,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arcsinh": math.asinh,
    "arctanh": math.atanh,
    **{
        name: getattr(math, name)
        for name in [
            *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt"),
            *("sin", "cos", "tan", "sinh", "cosh", "tanh"),
        ]
    },
}


@pytest.mark.parametrize("name", UNARY_UFUNCS)
def test_a_numpy_function_of_an_object_array_is_taken_of_each_value(name):
    numbers = [0.25, 0.5, 0.75]
    xs = np.array(list(map(Value, numbers)))
    results = getattr(np, name)(xs)
    assert [result.data for result in results] == [UNARY_UFUNCS[name](x) for x in numbers]
    np.sum(results).backward()
    assert all(isinstance(x.grad, float) for x in xs)


def test_the_numpy_functions_above_one_work_too():
    assert np.arccosh(np.array([Value(1.5)]))[0].data == math.acosh(1.5)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("hypot", math.hypot),
        ("arctan2", math.atan2),
        ("maximum", max),
        ("minimum", min),
        ("power", math.pow),
        ("mod", math.fmod),
        ("floor_divide", operator.floordiv),
    ],
)
def test_a_numpy_function_of_two_object_arrays_works_on_each_pair(name, function):
    xs, ys = np.array([Value(2.0), Value(0.5)]), np.array([Value(1.5), Value(0.75)])
    results = getattr(np, name)(xs, ys)
    assert [r.data for r in results] == [function(2.0, 1.5), function(0.5, 0.75)]


def test_sums_and_products_of_object_arrays_carry_gradients():
    x, w = np.array([Value(1.0), Value(2.0)]), np.array([[1.0, 2.0], [3.0, 4.0]])
    y = w @ x
    assert [v.data for v in y] == [5.0, 11.0]
    total = np.sum(y) + np.dot(x, x) + np.mean(x) + np.prod(x)
    total.backward()
    assert [v.grad for v in x] == [4 + 2 + 0.5 + 2, 6 + 4 + 0.5 + 1]


def test_an_object_array_compares_by_data():
    x = np.array([Value(1.0), Value(3.0)])
    assert (x > 2).tolist() == [False, True]
    assert x.max().data == 3.0
    assert [v.data for v in np.sort(x[::-1])] == [1.0, 3.0]


# ---- micrograd's own tests, with figures worked out by hand


def test_micrograds_sanity_check():
    # z = 3 x + 2, q = relu(z) + z x, y = relu(z**2) + q + q x; at -4: z = -10, q = 40
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert y.data == -20.0
    assert x.grad == 46.0  # 2 z 3 + (3 x + z) (1 + x) + q


@pytest.mark.parametrize("number", [Fraction, float])
def test_micrograds_more_ops(number):
    # e = -7 with the slopes -20 by a and -93 by b; dg/de = e - 20 / e**3
    a, b = Value(number(-4)), Value(number(2))
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2
    g += 10 / f
    g.backward()
    rounding = 0 if number is Fraction else 1e-15  # a few operations on floats
    for got, exact in [
        (g.data, Fraction(2421, 98)),
        (a.grad, Fraction(47620, 343)),
        (b.grad, Fraction(221433, 343)),
    ]:
        assert abs(got - exact) <= rounding * exact
