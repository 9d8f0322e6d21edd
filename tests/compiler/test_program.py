"""The laws of programs, of tracing, and of the passes: the same numbers by fewer steps."""

import copy
import inspect
import math
import operator
import pickle
import re
import struct
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Value
from microgrid.compiler import Program, lowers
from microgrid.compiler.passes import (
    drop_unused,
    fold,
    merge,
    optimize,
    optimize_graph,
    rewrite,
    simplify,
    skip,
)
from microgrid.compiler.trace import trace
from microgrid.core.primitive import CONSTANT, Primitive, exponential, power, round_to
from microgrid.testing.strategies import programs
from tests.search import usual

INF, NAN = math.inf, math.nan
SPECIAL = [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 2.0, 0.5, 5e-324, 1e308, 800.0]
# A traced gradient adds the same terms up in another order than one of numbers.
OTHER_ORDER = 1e-10
NEUTRAL = [0.0, -0.0, 1.0]  # of one operation or another
NUMBERS = st.sampled_from(NEUTRAL) | st.sampled_from(SPECIAL) | st.floats(-3, 3)

# `drop_unused` alone drops a step that might raise
KEEP_ALL_STEPS = [partial(rewrite, rule=rule) for rule in (fold, skip, merge, simplify)]
PASSES = [*KEEP_ALL_STEPS, drop_unused, optimize]


def bits(x):
    """Return what tells a float from all others; one nan is as good as another."""
    return "nan" if x != x else struct.pack("d", x)


def outcome(program, xs):
    """Return the bits of a program's outputs, or the error that it raises."""
    try:
        outputs = program(*xs)
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error)
    return [bits(x.data if isinstance(x, Value) else x) for x in outputs]


def traced(f, *names):
    """Return the program of a function of numbers."""
    return trace(f, names or parameters(f), lambda xs: (xs, {}))[0]


def parameters(f):
    return list(inspect.signature(f).parameters)


# ---- random programs, of steps that a person would not write

ARITHMETIC = [(Primitive.named(name), 2) for name in ["+", "-", "*", "/"]]
OPERATIONS = [
    *[(Primitive.named(name), 2) for name in ["**", "<", "<=", "==", "compare"]],
    *[(Primitive.named(name), 1) for name in ["neg", "abs", "exp", "log", "sqrt", "sign", "relu"]],
    *[(Primitive.named(name), 1) for name in ["argument", "stop_gradient", "max", "prod", "sum"]],
    *[(Primitive.named(name), 3) for name in ["where", "where", "max", "min", "prod", "dot"]],
    *[(op, 1) for op in [power(1), power(2), power(-1), exponential(2), round_to(1)]],
]


@st.composite
def steps_of_any_kind(draw):
    """Draw a program with many constants, repetitions, unused steps and chances to simplify."""
    inputs = ["x", "y"]
    steps = []
    for slot in range(len(inputs), len(inputs) + draw(st.integers(1, 12))):
        if draw(st.booleans()):
            steps.append((CONSTANT, (draw(st.sampled_from(NEUTRAL) | st.sampled_from(SPECIAL)),)))
        else:
            op, arity = draw(st.sampled_from(ARITHMETIC) | st.sampled_from(OPERATIONS))
            slots = st.integers(0, 1) | st.integers(max(0, slot - 4), slot - 1)
            steps.append((op, tuple(draw(st.lists(slots, min_size=arity, max_size=arity)))))
    last = len(inputs) + len(steps) - 1
    return Program(inputs, steps, [last, *draw(st.lists(st.integers(0, last), max_size=2))])


# ---- programs of graphs


@given(programs(smooth=False))
@usual(50)
def test_the_program_of_a_graph_computes_the_graphs_data_again(program):
    inputs = [Value(x) for x in program.point]
    output = program(*inputs)
    compiled = Program.from_values([output], inputs)
    assert outcome(compiled, program.point) == [bits(float(getattr(output, "data", output)))]


@given(programs(smooth=False), st.data())
@usual(60)
def test_a_trace_does_bit_for_bit_what_the_function_does(program, data):
    names = parameters(program)
    whole = traced(program)
    assert outcome(whole, program.point) == [bits(float(program(*program.point)))]
    xs = data.draw(st.tuples(*[NUMBERS for _ in names]))

    def eager(*numbers):
        return [program(*map(Value, numbers))]

    expected = outcome(eager, xs)
    if isinstance(expected, list):
        assert outcome(whole, xs) == expected
    else:  # where several operations fail, that is told of which comes first
        assert not isinstance(outcome(whole, xs), list)


@given(programs())
@usual(30)
def test_a_trace_of_a_gradient_is_the_gradient(program):
    gradient = mg.grad(program, argnums=tuple(range(len(program.point))))
    expected = gradient(*program.point)
    found = traced(gradient, *parameters(program))(*program.point)
    scale = max([1.0, *map(abs, expected)])
    assert found == pytest.approx(expected, rel=OTHER_ORDER, abs=OTHER_ORDER * scale)


def test_a_trace_differentiates_by_an_argument_and_by_what_it_stands_for_at_once():
    def by_argument_and_leaf(x):
        return mg.grad(lambda y: mg.sum(mg.gradients(y * x * y, [y, x])))(x)

    def by_arguments(x):  # of which one depends on the other
        def inner(y):
            return mg.grad(lambda z: mg.sum(mg.gradients(z * z * y, [z, y])))(y * y)

        return mg.grad(inner)(x)

    assert traced(by_argument_and_leaf)(3.0) == [by_argument_and_leaf(Value(3.0)).data]
    assert traced(by_arguments)(3.0) == [by_arguments(Value(3.0)).data] == [38.0]


def test_leaves_that_are_no_inputs_are_constants_of_their_data_now():
    x, w = Value(2.0, label="x"), Value(3.0, label="w")
    program = Program.from_values([x * w], [x])
    w.data = 5.0
    assert program(10.0) == [30.0]
    assert Program.from_values([x * w], [x])(10.0) == [50.0]


def test_an_inner_node_may_be_an_input():
    x = Value(2.0)
    y = x * x
    assert Program.from_values([y + 1.0], [y])(7.0) == [8.0]
    assert len(Program.from_values([y + 1.0], [y])) == 1


def test_outputs_may_be_inputs_numbers_and_one_node_twice():
    x = Value(2.0, label="x")
    program = Program.from_values([x, 3, x, x + 1.0], [x])
    assert program(5.0) == [5.0, 3.0, 5.0, 6.0]
    assert Program.from_values([], [x])(1.0) == []


@pytest.mark.parametrize("length", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_chain_of_many_steps_needs_no_recursion(length):
    def chain(x):
        for _ in range(length):
            x = x + 1.0
        return x

    program = traced(chain)
    assert len(program) == length
    best = optimize(program)
    assert program(0.5) == best(0.5) == [length + 0.5]
    assert len(pickle.loads(pickle.dumps(best))) == length
    assert repr(best).count("\n") == length + 1


def test_a_program_runs_on_values_with_gradients():
    program = traced(lambda x, y: mg.log(x) * y + 1.0)
    x, y = Value(2.0), Value(3.0)
    (z,) = program(x, y)
    z.backward()
    assert (z.data, x.grad, y.grad) == (math.log(2.0) * 3.0 + 1.0, 1.5, math.log(2.0))


def test_a_program_can_be_traced_as_a_function():
    program = traced(lambda x, y: [x * y, x - y])
    assert traced(program, "x", "y") == program


def test_plain_numbers_of_all_kinds_run_as_floats():
    program = traced(lambda x: x / 3.0)
    for x in [2, 2.0, True, Fraction(5, 2), np.float32(2.5), np.int8(3)]:
        (y,) = program(x)
        assert type(y) is float
        assert y == float(x) / 3.0


# ---- what is no program


def test_wrong_numbers_of_inputs_are_refused_with_the_inputs_names():
    program = traced(lambda speed, time: speed * time)
    for xs in [(), (1.0,), (1.0, 2.0, 3.0)]:
        with pytest.raises(TypeError, match=rf"2 numbers \(speed, time\), got {len(xs)}"):
            program(*xs)


@pytest.mark.parametrize("x", ["1.5", None, 1j, [1.0], np.array([1.0])], ids=repr)
def test_inputs_that_are_no_real_numbers_are_refused(x):
    with pytest.raises(TypeError, match=r"real number, got"):
        traced(lambda x: x + 1.0)(x)


@pytest.mark.parametrize(
    ("steps", "outputs"),
    [
        ([("+", (0, 1))], [0]),  # itself
        ([("+", (0, 2)), ("neg", (0,))], [1]),  # what comes later
        ([("neg", (-1,))], [0]),
        ([("neg", (0,))], [2]),
        ([("neg", (0,))], [-1]),
        ([], [1]),
    ],
)
def test_slots_without_a_number_are_refused(steps, outputs):
    steps = [(Primitive.named(name), operands) for name, operands in steps]
    with pytest.raises(ValueError, match=r"slot"):
        Program(["x"], steps, outputs)


@pytest.mark.parametrize("constant", [(Fraction(1, 3),), (1,), ("1",), (), (1.0, 2.0), (None,)])
def test_constants_that_are_no_single_float_are_refused(constant):
    with pytest.raises(TypeError, match="constant must be one float"):
        Program([], [(CONSTANT, constant)], [0])


def test_a_fraction_in_a_graph_becomes_a_float():
    x = Value(Fraction(2))
    program = Program.from_values([x * Fraction(1, 3)], [x])
    assert [type(s[1][0]) for s in program.steps if s[0] is CONSTANT] == [float]
    assert program(2.0) == [2.0 * (1 / 3)]


def test_one_input_twice_is_refused_and_a_number_as_an_input_too():
    x = Value(2.0)
    with pytest.raises(ValueError, match="twice"):
        Program.from_values([x], [x, x])
    with pytest.raises(TypeError, match=r"inputs must be Values, got 2\.0"):
        Program.from_values([x], [2.0])
    with pytest.raises(TypeError, match="real number"):
        Program.from_values(["x"], [x])


def test_an_operation_that_python_refuses_is_named_with_its_operands():
    with pytest.raises(ValueError, match=r"log of -1\.0: "):
        traced(lambda x: mg.log(x))(-1.0)
    with pytest.raises(ZeroDivisionError, match=r"/ of 1\.0, 0\.0: "):
        traced(lambda x: 1 / x)(0.0)


# ---- equality


def constant_program(x):
    return Program([], [(CONSTANT, (x,))], [0])


def test_programs_are_equal_by_content():
    one, other = (traced(lambda x, y: x * y + 2.0) for _ in range(2))
    assert one == other
    assert one is not other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1
    for different in [
        traced(lambda x, y: x * y + 3.0),
        traced(lambda x, y: y * x + 2.0),
        traced(lambda x, z: x * z + 2.0),
        traced(lambda x, y: [x * y + 2.0, x]),
        "program",
    ]:
        assert one != different


def test_constants_are_equal_by_their_bits():
    assert constant_program(0.0) != constant_program(-0.0)
    assert constant_program(NAN) == constant_program(float("nan"))
    assert hash(constant_program(NAN)) == hash(constant_program(float("nan")))
    assert constant_program(INF) != constant_program(-INF)


def test_labels_play_no_part_in_equality():
    program = traced(lambda x: x + 1.0)
    labelled = Program(program.inputs, program.steps, program.outputs, {2: "y"})
    assert labelled == program
    assert hash(labelled) == hash(program)
    assert repr(labelled) != repr(program)


@given(steps_of_any_kind())
@usual(30)
def test_pickles_and_copies_are_the_same_program(program):
    for twin in [pickle.loads(pickle.dumps(program)), copy.copy(program), copy.deepcopy(program)]:
        assert twin == program
        assert hash(twin) == hash(program)
        assert repr(twin) == repr(program)
        assert all(a is b for (a, _), (b, _) in zip(twin.steps, program.steps, strict=True))


def test_labels_survive_pickling():
    program = traced(lambda x: labelled(x * 2.0, "twice") + 1.0)
    assert "twice = x * 2.0" in repr(pickle.loads(pickle.dumps(program)))


# ---- the listing


def labelled(x, label):
    x.label = label
    return x


def test_the_listing_is_python_in_the_users_names():
    def f(speed, time):
        way = labelled(speed * time, "way")
        return labelled(way.exp(), "growth") + 1.0

    text = repr(traced(f))
    exec(f"def {text}", names := {"exp": math.exp})
    assert names["program"](2.0, 3.0) == math.exp(6.0) + 1.0
    assert [*inspect.signature(names["program"]).parameters] == ["speed", "time"]
    assert re.findall(r"^    (\w+) = ", text, re.MULTILINE) == ["way", "growth", "v1"]
    assert "# 3 operations" in text


def test_the_listing_calls_parts_of_arguments_by_their_paths():
    compiled = mg.compile(lambda w, p: w[0] * p["a"] + w[1])
    program = compiled.prepare([1.0, 2.0], {"a": 3.0})
    assert program.inputs == ("w[0]", "w[1]", "p['a']")
    assert "v1 = w[0] * p['a']" in repr(program)


def test_names_that_are_taken_are_not_given_again():
    def f(v1, x):
        y = labelled(v1 * x, "v2")
        z = labelled(v1 + y, "x")  # an input's name
        return labelled(y - z, "v2") * 2.0

    program = traced(f)
    names = program.names()
    variables = [n for n, s in zip(names[2:], program.steps, strict=True) if s[0] is not CONSTANT]
    assert len({*variables, *names[:2]}) == len(variables) + 2
    assert "v2 = v1 * x" in repr(program)


def test_equal_labels_of_inputs_are_told_apart():
    xs = [Value(1.0, label="x"), Value(2.0, label="x"), Value(3.0), Value(4.0, label="x_2")]
    inputs = Program.from_values(xs, xs).inputs
    assert inputs[0] == "x"
    assert len(set(inputs)) == 4


@pytest.mark.parametrize(
    ("f", "line"),
    [
        (lambda x, y: x // y, "v1 = x // y"),
        (lambda x, y: x < y, "v1 = x < y"),
        (lambda x, y: -x, "v1 = -x"),
        (lambda x, y: x**3, "v1 = x**3"),
        (lambda x, y: 2**x, "v1 = 2**x"),
        (lambda x, y: x**y, "v1 = x ** y"),
        (lambda x, y: mg.where(x > 0, x, y), "where(v1, x, y)"),
        (lambda x, y: mg.max([x, y, 2]), "max(x, y, 2.0)"),
        (lambda x, y: mg.sum([x]), "v1 = sum(x)"),
        (lambda x, y: round(x, 2), "v1 = round(2)(x)"),
        (lambda x, y: [], "return nothing"),
    ],
)
def test_the_listing_writes_operations_as_mathematics_does(f, line):
    assert line in repr(traced(f))


@given(steps_of_any_kind())
@usual(30)
def test_the_listing_is_stable_and_has_a_line_for_each_operation(program):
    listing = repr(program)
    twin = Program(program.inputs, program.steps, program.outputs)
    assert repr(program) == listing == repr(twin)
    assert listing.count("\n") == len(program) + 1
    assert len(program) == sum(op is not CONSTANT for op, _ in program.steps)


def test_one_operation_is_no_operations():
    assert "# 1 operation\n" in repr(traced(lambda x: x + 1.0))
    assert "# 0 operations\n" in repr(traced(lambda x: x))


# ---- passes


@pytest.mark.parametrize("run", KEEP_ALL_STEPS)
@given(program=steps_of_any_kind(), x=NUMBERS, y=NUMBERS)
@usual(60)
def test_a_pass_keeps_the_outputs_and_the_errors(run, program, x, y):
    expected, found = outcome(program, (x, y)), outcome(run(program), (x, y))
    if isinstance(expected, tuple):
        assert found[0] is expected[0]
    else:
        assert found == expected


@given(
    lefts=st.sets(st.integers(0, 5)),
    rights=st.sets(st.integers(0, 5)),
    odd=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=2),
    xs=st.lists(NUMBERS, min_size=6, max_size=6),
    conditions=st.lists(st.sampled_from([0.0, -0.0, 1.0, NAN]), min_size=2, max_size=2),
    other=st.sampled_from([0.0, -0.0, 1.0]),
    returns_products=st.booleans(),
)
@usual(150)
def test_gated_products_become_products_of_gated_factors_where_these_are_fewer(
    lefts, rights, odd, xs, conditions, other, returns_products
):
    """To the last bit, whatever the numbers; a product that is used elsewhere stays."""

    def f(*numbers):
        *factors, c, d = numbers
        products = [factors[i] * factors[j] for i in lefts for j in rights]
        chosen = [mg.where(c, product, other) for product in products]
        chosen += [mg.where(d, factors[i] * factors[j], other) for i, j in odd]
        return chosen + products * returns_products

    program = traced(f, *"uvwxyzcd")
    best = optimize(program)
    assert outcome(best, (*xs, *conditions)) == outcome(program, (*xs, *conditions))
    plain = rewrite(program, simplify)
    kept = drop_unused(plain)
    assert len(best) <= len(kept)
    if other != 0 or math.copysign(1, other) < 0 or returns_products:
        assert best == kept
    assert optimize(best) == best


def chosen_by_ends(scores, y):
    chosen = scores[-1]
    for k in reversed(range(len(scores) - 1)):
        chosen = mg.where(y <= k, scores[k], chosen)
    return chosen


def chosen_by_equality(scores, y):
    chosen = scores[0]
    for k, score in enumerate(scores):
        chosen = mg.where(y == k, score, chosen)
    return chosen


# Losses that choose by the class, which comes as a number, and whether each of the scores has a
# slope whatever is chosen.
CHOICES = {
    "some": (
        lambda scores, y: mg.logsumexp([mg.where(y <= k, x, 0.0) for k, x in enumerate(scores)]),
        False,
    ),
    "cross entropy": (mg.losses.cross_entropy, True),
    "by ends": (lambda scores, y: mg.logsumexp(scores) - chosen_by_ends(scores, y), True),
    "by equality": (lambda scores, y: -chosen_by_equality(mg.log_softmax(scores), y), True),
    "one of two": (lambda scores, y: mg.where(y > 0, scores[0], scores[1] + scores[2]), False),
    "in steps": (
        lambda scores, y: mg.where(y < 1, scores[0], mg.where(y != 1, *scores[1:])),
        False,
    ),
}


@pytest.mark.parametrize(("choice", "needs_all"), CHOICES.values(), ids=CHOICES)
def test_the_gradient_by_a_layer_has_a_product_for_each_weight(choice, needs_all):
    """Some more steps choose, for each neuron; none where all scores have slopes."""

    def steps_of(neurons):
        def loss(model, row, y):
            return choice(model(row), y)

        def gradient(*numbers):
            model = mg.MLP(20, [neurons, 3], seed=0)
            count = len(model.parameters())
            model = model.with_parameters(numbers[:count])
            return mg.grad(loss)(model, list(numbers[count:-1]), numbers[-1])

        count = 20 * neurons + neurons + 3 * neurons + 3
        names = [f"x{i}" for i in range(count + 21)]
        return Counter(op.name for op, _ in optimize(traced(gradient, *names)).steps)

    few, many = steps_of(4), steps_of(8)
    assert many["*"] - few["*"] >= 80
    assert many["where"] - few["where"] <= (0 if needs_all else 8 * 4)


@pytest.mark.parametrize("run", [drop_unused, optimize])
@given(program=steps_of_any_kind(), x=NUMBERS, y=NUMBERS)
@usual(60)
def test_a_pass_that_drops_steps_keeps_all_outputs(run, program, x, y):
    expected = outcome(program, (x, y))
    if isinstance(expected, list):
        assert outcome(run(program), (x, y)) == expected


@pytest.mark.parametrize("run", PASSES)
@given(program=programs(smooth=False))
@usual(30)
def test_a_pass_keeps_the_numbers_of_random_formulas(run, program):
    whole = traced(program)
    assert outcome(run(whole), program.point) == outcome(whole, program.point)


@pytest.mark.parametrize("run", PASSES)
@given(program=steps_of_any_kind())
@usual(60)
def test_a_pass_has_nothing_left_to_do_after_itself_and_never_grows(run, program):
    once = run(program)
    assert run(once) == once
    assert len(once) <= len(program)
    assert len(once.steps) <= len(program.steps)
    assert once.inputs == program.inputs
    assert len(once.outputs) == len(program.outputs)


@pytest.mark.parametrize("run", PASSES)
@given(program=steps_of_any_kind())
@usual(30)
def test_what_a_pass_makes_would_stand_the_check_that_is_left_out(run, program):
    once = run(program)
    again = Program(once.inputs, once.steps, once.outputs, once.labels)
    assert (again, repr(again)) == (once, repr(once))


def test_the_program_of_a_graph_is_refused_where_an_operation_takes_other_operands():
    x = Value(2.0)
    total = mg.sum([x, x, x])
    total.op = Primitive.named("*")
    with pytest.raises(TypeError, match=r"^\* takes 2 operands, got 3$"):
        Program.from_values([total], [x])


@given(steps_of_any_kind())
@usual(60)
def test_after_all_passes_none_has_anything_to_do(program):
    best = optimize(program)
    for run in PASSES:
        assert run(best) == best


@given(programs(smooth=False), st.booleans())
@usual(60)
def test_what_is_written_straight_from_a_graph_is_what_the_passes_make_of_its_program(f, labelled):
    def labels(*xs):
        y, *slopes = gradient(*xs)
        if labelled:
            same = [x * 1.0 for x in xs]
            for i, z in enumerate([y, *same, *slopes]):
                if isinstance(z, Value):
                    z.label = f"z{i % 2}\n"
            slopes += same
        return [y, slopes, xs]

    def gradient(*xs):
        y = f(*xs)
        return [y, *(mg.gradients(y, list(xs)) if isinstance(y, Value) and y.parents else [])]

    names = parameters(f)
    straight = trace(labels, names, lambda xs: (xs, {}), optimize_graph).program
    best = optimize(traced(labels, *names))
    assert (straight, repr(straight)) == (best, repr(best))
    assert straight.labels == best.labels


@given(steps_of_any_kind())
@usual(30)
def test_passes_leave_the_program_that_they_get_as_it_is(program):
    before, listing = pickle.loads(pickle.dumps(program)), repr(program)
    for run in PASSES:
        run(program)
    assert program == before
    assert repr(program) == listing


def test_what_one_pass_makes_is_a_chance_for_all_others():
    def f(x, y):
        zero = mg.where(Value(1.0).detach(), Value(3.0).detach(), x) - 3.0
        return mg.where(y > 0, x * y - zero, y * x)

    assert optimize(traced(f)) == traced(lambda x, y: x * y)


def test_folding_computes_what_constants_alone_go_into():
    program = traced(lambda x: x * mg.exp(Value(0.0)) + (Value(2.0) * 3.0) ** 2)
    assert len(program) == 5
    assert "v1 = x * 1.0" in repr(rewrite(program, fold))
    assert "v2 = v1 + 36.0" in repr(rewrite(program, fold))


@pytest.mark.parametrize(
    "refused",
    [
        [(CONSTANT, (0.0,)), (mg.log, (1,))],
        [(CONSTANT, (1.0,)), (CONSTANT, (0.0,)), (Primitive.named("/"), (1, 2))],
        [(CONSTANT, (1000.0,)), (mg.exp, (1,))],
        [(CONSTANT, (-1.0,)), (mg.sqrt, (1,))],
        [(CONSTANT, (-8.0,)), (CONSTANT, (0.5,)), (Primitive.named("**"), (1, 2))],
        [(CONSTANT, (0.0,)), (power(-1), (1,))],
    ],
    ids=lambda steps: steps[-1][0].name,
)
def test_folding_never_hides_what_python_refuses(refused):
    program = Program(["x"], refused, [len(refused)])
    assert len(rewrite(program, fold)) == len(optimize(program)) == 1
    with pytest.raises((ArithmeticError, ValueError)):
        optimize(program)(1.0)


@pytest.mark.parametrize("f", [lambda x: x**0, lambda x: x**0.0, lambda x: 1**x, lambda x: 1.0**x])
def test_folding_knows_what_is_1_whatever_the_number_is(f):
    program = rewrite(traced(f), fold)
    assert len(program) == 0
    for x in (0.0, -0.0, 2.0, -3.0, INF, -INF, NAN):
        assert program(x) == [1.0] == traced(f)(x)


def test_sharing_computes_equal_subexpressions_once():
    program = traced(lambda x, y: mg.sin(x * y) - mg.sin(y * x))
    assert len(program) == 5
    assert len(rewrite(program, merge)) == 3


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: (x - y) * (y - x),
        lambda x, y: (x / y) + (y / x),
        lambda x, y: [mg.maximum(x, y), mg.maximum(y, x)],  # of 0.0 and -0.0 the first is taken
        lambda x, y: [mg.minimum(x, y), mg.minimum(y, x)],
        lambda x, y: [mg.sum([x, y, 1e300]), mg.sum([y, x, 1e300])],
        lambda x, y: [(x + y) + 0.1, x + (y + 0.1)],
        lambda x, y: [(x * y) * 0.1, x * (y * 0.1)],
        lambda x, y: [mg.hypot(x, y), mg.hypot(y, x)],
        lambda x, y: [x + 0.0, x + -0.0 * 1.0, x - 0.0 * y],
    ],
)
def test_sharing_takes_nothing_for_equal_that_may_differ(f):
    assert len(rewrite(traced(f), merge)) == len(traced(f))


def kept(f):
    """Return whether simplification leaves all operations of a function of x and y."""
    program = traced(f, "x", "y")
    return len(rewrite(program, skip)) == len(program)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x * 1,
        lambda x, y: 1 * x,
        lambda x, y: x / 1,
        lambda x, y: x - 0.0,
        lambda x, y: x + -0.0,
        lambda x, y: -0.0 + x,
        lambda x, y: Primitive.named("neg")(-x),
        lambda x, y: x**1,
        lambda x, y: mg.stop_gradient(x),
        lambda x, y: x.detach(),
        lambda x, y: mg.where(y, x, x),
        lambda x, y: mg.max([x]),
        lambda x, y: mg.min([x]),
        lambda x, y: mg.prod([x]),
        lambda x, y: mg.where(Value(1.0).detach(), x, y),
        lambda x, y: mg.where(Value(NAN).detach(), x, y),  # nan holds, in Python as in C
        lambda x, y: mg.where(Value(0.0).detach(), y, x),
        lambda x, y: mg.where(Value(-0.0).detach(), y, x),
    ],
)
def test_simplification_removes_what_repeats_an_operand(f):
    assert rewrite(traced(f), skip).outputs == (0,)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x + 0.0,  # 0.0 for x = -0.0
        lambda x, y: 0.0 + x,
        lambda x, y: x - -0.0,  # 0.0 for x = -0.0
        lambda x, y: 0 - x,  # 0.0 for x = 0.0, where -x is -0.0
        lambda x, y: -0.0 - x,
        lambda x, y: x * 0,  # nan for inf, -0.0 for -1
        lambda x, y: x * -1,
        lambda x, y: x - x,  # nan for inf
        lambda x, y: x / x,  # nan for 0
        lambda x, y: 0 / x,
        lambda x, y: 1 / (1 / x),
        lambda x, y: x**0,
        lambda x, y: x**2,
        lambda x, y: 1**x,
        lambda x, y: mg.maximum(x, x),
        lambda x, y: mg.maximum(x, -INF),
        lambda x, y: mg.minimum(x, INF),
        lambda x, y: mg.sum([x]),  # 0.0 for x = -0.0
        lambda x, y: mg.norm([x]),
        lambda x, y: abs(abs(x)),
        lambda x, y: mg.where(x, y, x),
        lambda x, y: mg.where(x <= y, x, y),
        lambda x, y: mg.exp(mg.log(x)),
        lambda x, y: (x + y) - y,
        lambda x, y: (x * y) / y,
        lambda x, y: x < x,
        lambda x, y: x <= x,  # 0 for nan
        lambda x, y: x // 1,
        lambda x, y: x % 1,
    ],
)
def test_simplification_leaves_what_holds_for_real_numbers_alone(f):
    assert kept(f)


def test_what_no_output_needs_is_dropped_and_the_inputs_stay():
    whole = traced(lambda x, y: [x * y, mg.log(x) + 2.0])
    part = drop_unused(Program(whole.inputs, whole.steps, whole.outputs[:1], whole.labels))
    assert part == traced(lambda x, y: [x * y])
    assert part(0.0, 1.0) == [0.0]  # no log(0) is asked for
    assert drop_unused(Program(whole.inputs, whole.steps, [])).steps == ()


def test_labels_of_steps_that_stay_are_kept():
    def f(x):
        waste = labelled(x * 1.0, "waste")
        return labelled(labelled(waste + 2.0, "sum") * mg.exp(Value(0.0)), "result") + 0.0

    listing = repr(optimize(traced(f)))
    assert "waste" not in listing
    assert "= x + 2.0" in listing
    assert "result" in listing or "sum" in listing


# ---- what a traced function must not do


@pytest.mark.parametrize(
    ("f", "advice"),
    [
        (lambda x: 1.0 if x > 0 else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: 1.0 if x else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: bool(x), r"branch .*where"),
        (lambda x: x > 0 and x < 1, r"branch .*where"),
        (lambda x: 0 < x < 1, r"branch .*where"),
        (lambda x: not x, r"branch .*where"),
        (lambda x: sorted([x, x + 1]), r"branch .*where"),
        (lambda x: max(x, 0.0), r"branch .*where"),
        (lambda x: 1.0 if x == 1 else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: 1.0 if np.float64(1) == x else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: 1.0 if x != x * 2 else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: 1.0 if Value(1.0) != x else 2.0, r"branch .*where\(condition, x, y\)"),
        (lambda x: x in [1.0, 2.0], r"branch .*where"),
        (lambda x: [1.0, 2.0].index(x), r"branch .*where"),
        (lambda x: [x + 1.0].remove(x), r"branch .*where"),
        (lambda x: x.data, r"read a number.*return it as one more output"),
        (lambda x: x.item(), r"read a number.*return it as one more output"),
        (lambda x: float(x), r"Python's own.*v\.exp\(\) for math\.exp\(v\)"),
        (lambda x: complex(x), r"Python's own"),
        (lambda x: math.exp(x), r"v\.exp\(\) for math\.exp\(v\)"),
        (lambda x: int(x), r"write floor\(x\)"),
        (lambda x: math.trunc(x), r"write floor\(x\)"),
        (lambda x: list(range(x)), r"count, index or repeat .*closure"),
        (lambda x: [1.0, 2.0][x], r"count, index or repeat .*closure"),
        (lambda x: [1.0] * x, r"count, index or repeat .*closure"),
        (lambda x: f"{x:.2f}", r"format a number.*return it as one more output"),
        (lambda x: (x * x).backward(), r"call backward.*gradients\(output, inputs\).*grad\(f\)"),
        (lambda x: x.grad, r"read a gradient.*gradients\(output, inputs\).*grad\(f\)"),
        (lambda x: (x * x).partials(), r"read derivatives.*gradients\(output, inputs\)"),
        (lambda x: (x * x).chain(1.0), r"read derivatives.*gradients\(output, inputs\)"),
        (lambda x: x.refresh(), r"refresh.*build the graph again"),
        (lambda x: x[0], r"no parts.*`shared`.*list of columns"),
        (lambda x: list(x), r"no parts.*`shared`.*list of columns"),
    ],
)
def test_what_needs_the_number_is_refused_with_what_to_write_instead(f, advice):
    with pytest.raises(TypeError, match=advice) as caught:
        traced(f, "speed")
    assert "the traced number" in str(caught.value)


def test_a_refusal_names_the_input_or_the_operation():
    with pytest.raises(TypeError, match="the traced number speed has no value"):
        traced(lambda speed: speed.data)
    with pytest.raises(TypeError, match=r"the traced number \(the result of `exp`\)"):
        traced(lambda speed: speed.exp().data)
    with pytest.raises(TypeError, match=r"the traced number way \(the result of `\*`\)"):
        traced(lambda speed: labelled(speed * 2, "way").data)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("text", r"'text' \(str\)"),
        (None, r"None \(NoneType\)"),
        ([1.0, None], "None"),
        ({1.0}, "set"),
        (1j, "complex"),
        (math, "module"),
    ],
    ids=repr,
)
def test_what_is_no_number_cannot_be_returned(returned, told):
    with pytest.raises(TypeError, match=rf"must return numbers, or lists, tuples.*{told}"):
        traced(lambda x: returned)


@pytest.mark.parametrize("other", ["a", 1j, None, [1.0]], ids=repr)
def test_what_is_no_number_cannot_be_compared_with_or_added(other):
    for f in [lambda x: x + other, lambda x: other * x, lambda x: x < other, lambda x: x**other]:
        with pytest.raises(TypeError):
            traced(f)


# ---- what a traced function may do


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: round(x), 3.0),
        (lambda x: round(x, 1), 2.7),
        (lambda x: math.floor(x), 2.0),
        (lambda x: math.ceil(x), 3.0),
        (lambda x: np.exp(x), math.exp(2.7)),
        (lambda x: np.sqrt(np.array([x, x]))[0], math.sqrt(2.7)),
        (lambda x: np.float64(2) * x, 5.4),
        (lambda x: sum([x, x]), 5.4),
        (lambda x: abs(-x), 2.7),
        (lambda x: +x, 2.7),
        (lambda x: divmod(x, 2)[0], 1.0),
        (lambda x: x // 2, 1.0),
        (lambda x: x > 2, 1.0),
        (lambda x: x < 2, 0.0),
        (lambda x: x >= 2.7, 1.0),
        (lambda x: mg.where(x > 2, x, 0), 2.7),
        (lambda x: {x: 5.0}[x], 5.0),
        (lambda x: 1.0 if x is None or x == "a" else x, 2.7),
        (lambda x: x + len(f"{x}" + str(x) + repr(x)) * 0, 2.7),
        (lambda x: x + Fraction(1, 2), 3.2),
        (lambda x: 7, 7.0),
    ],
)
def test_python_and_numpy_that_need_no_number_work(f, expected):
    assert traced(f, "x")(2.7) == [expected]


def test_results_keep_their_structure():
    program, structure, _ = trace(lambda x: {"a": [x, 1], "b": (x,)}, ["x"], lambda xs: (xs, {}))
    assert structure.result(program(2.0)) == {"a": [2.0, 1.0], "b": (2.0,)}


def test_a_function_is_run_once():
    calls = []
    traced(lambda x: calls.append(x) or x)
    assert len(calls) == 1


def test_what_is_computed_without_gradient_has_a_value_and_no_derivative():
    def half(x):
        with mg.no_grad():
            factor = x * x
        return factor * x

    for f in [half, lambda x: mg.stop_gradient(x * x) * x, lambda x: (x * x).detach() * x]:
        assert traced(f, "x")(3.0) == [27.0]
        assert traced(mg.grad(f), "x")(3.0) == [9.0] == [mg.grad(f)(3.0)]
        assert traced(mg.grad(mg.grad(f)), "x")(3.0) == [mg.grad(mg.grad(f))(3.0)]


def test_a_transform_derives_inside_of_no_grad():
    def f(x):
        with mg.no_grad():
            return mg.grad(lambda y: y**3)(x) * x

    assert traced(f)(2.0) == [24.0]
    assert traced(mg.grad(f), "x")(2.0) == [0.0]


def cube(x):
    return x**3


@pytest.mark.parametrize(
    "f",
    [
        mg.grad(cube),
        mg.grad(mg.grad(cube)),
        mg.grad(mg.grad(mg.grad(cube))),
        mg.value_and_grad(cube),
        mg.hessian(cube),
        mg.jacobian(lambda x: [x, x * x]),
        lambda x: mg.jvp(cube, (x,), (1.0,)),
        lambda x: mg.vjp(cube, x)[1](2.0),
        lambda x: mg.hvp(cube, (x,), (1.0,)),
        lambda x: mg.taylor(mg.exp, x, 3),
        lambda x: mg.grad(lambda y: mg.grad(lambda z: z * z * y)(x) * y)(x),
        lambda x: mg.gradients(cube(x), x),
        mg.grad(lambda x: mg.jvp(cube, (x,), (x,))[1]),
        mg.grad(lambda x: mg.taylor(mg.exp, x, 3)[2]),
    ],
)
def test_transforms_inside_and_outside_of_a_trace_are_those_of_python(f):
    def scalars(tree):
        if isinstance(tree, (list, tuple)):
            return [y for part in tree for y in scalars(part)]
        return [tree.data if isinstance(tree, Value) else tree]

    eager = scalars(f(Value(1.25)))
    assert traced(f, "x")(1.25) == eager
    assert optimize(traced(f, "x"))(1.25) == eager


def test_gradients_of_a_branch_do_not_ask_the_other_one():
    f = mg.grad(lambda x: mg.where(x > 0, mg.sqrt(x), x * 2.0))
    program = traced(f, "x")
    assert program(4.0) == [0.25]
    assert mg.compile(f)(0.0) == 2.0
    assert f(0.0) == 2.0


SPECIAL = [0.0, -0.0, 1.0, 1.0 + 2**-52, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("compare", [operator.eq, operator.ne], ids=["==", "!="])
def test_equality_is_compiled_as_python_has_it(compare):
    native = mg.compile(
        lambda x, y: [mg.where(compare(x, y), x, 2.0), compare(1, x), compare(x, x)]
    )
    x, y = map(np.ravel, np.meshgrid(SPECIAL, SPECIAL))
    chosen, is_1, is_itself = native(x, y)
    np.testing.assert_array_equal(chosen, np.where(compare(x, y), x, 2.0))
    assert is_1.tolist() == compare(1, x).tolist()
    assert is_itself.tolist() == compare(x, x).tolist()


def test_equality_is_flat_and_its_branches_are_derived():
    f = mg.grad(lambda x: mg.where(x == 0, mg.sqrt(x), mg.where(x != 1, x * x, 5 * x)))
    native = mg.compile(mg.grad(lambda x: mg.where(x == 0, 3 * x, mg.where(x != 1, x * x, 5 * x))))
    assert [f(1.0), f(3.0)] == [native(1.0), native(3.0)] == [5.0, 6.0]
    assert native(0.0) == 3.0
    series = mg.compile(lambda x: mg.taylor(lambda t: mg.where(t == 2, t**3, t), x, 2))
    assert [*series(2.0)] == [8.0, 12.0, 6.0]
    assert [*series(3.0)] == [3.0, 1.0, 0.0]


def test_what_is_no_number_equals_no_traced_number():
    native = mg.compile(lambda x: [x == None, x == "a", x != None, x != "a", x in {1.0}])  # noqa: E711
    assert [*native(1.0)] == [0.0, 0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("x", [1j, Decimal(1)], ids=repr)
def test_a_number_that_is_not_real_is_not_compared_with_a_traced_one(x):
    for f in (lambda speed: speed == x, lambda speed: x != speed):
        with pytest.raises(TypeError, match="holds a real number, got"):
            traced(f)


def test_values_from_outside_are_constants_of_the_moment_of_the_trace():
    w = Value(3.0, label="w")
    program = traced(lambda x: x * w + (w * w))
    w.data = 100.0
    assert program(2.0) == [15.0]
    assert w.grad == 0.0


def test_an_error_of_the_function_itself_comes_through():
    def f(x):
        raise LookupError("my own")

    with pytest.raises(LookupError, match="my own"):
        traced(f)


@pytest.mark.parametrize("op", [mg.sin, Primitive.named("+"), mg.atan2, power(3)], ids=str)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_step_has_as_many_operands_as_its_primitive(op, count):
    takes = 2 if op.name in ("+", "atan2") else 1
    if count == takes:
        assert Program(["x"], [(op, (0,) * count)], [1])(0.5) == [op(*[0.5] * count)]
        return
    with pytest.raises(TypeError, match=rf"takes {takes} operands?, got {count}"):
        Program(["x"], [(op, (0,) * count)], [1])


@pytest.mark.parametrize("op", ["sin", None, math.sin], ids=repr)
def test_a_step_that_is_no_primitive_is_refused(op):
    with pytest.raises(TypeError, match="a step's operation must be a primitive, got"):
        Program(["x"], [(op, (0,))], [1])


def test_a_lowering_is_a_function_entered_by_names():
    with pytest.raises(TypeError, match="a lowering must be a function, got 5"):
        lowers("no such primitive")(5)
    with pytest.raises(TypeError, match=r"a lowering is entered by names, .*, got \(Primitive"):
        lowers(mg.sin)
