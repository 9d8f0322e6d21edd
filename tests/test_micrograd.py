"""What was written for micrograd runs here, but for the import, and computes the same."""

import importlib.util
import operator
import random
from fractions import Fraction

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

import microgrid.engine
from microgrid import topological_order
from microgrid.datasets import moons
from microgrid.engine import Value
from microgrid.nn import MLP, Layer, Module, Neuron

# Both engines do the same few roundings, but a quotient is one of ours and two of micrograd's.
TWO_ENGINES = 1e-12
# Of a central difference: rounding 1e-16 / STEP of the value, and STEP**2 of third derivatives.
STEP, CENTRAL = 1e-5, 1e-6


def positive(x):
    return x.relu() if isinstance(x, Value) else max(x, 0)


# ---- the engine, as micrograd's own tests see it: few variables, each used again and again


def reused(x):
    """Products and sums in which x and what it makes come back, and a relu that is off."""
    z = 2 * x + 2 + x
    q = positive(z) + z * x
    h = positive(z * z)
    return h + q + q * x


def reassigned(a, b):
    """Every operator, with names that are bound anew as in a loop."""
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + positive(b + a)
    d += 3 * d + positive(b - a)
    e = c - d
    f = e**2
    g = f / 2
    g += 10 / f
    return g


@pytest.mark.parametrize(
    ("function", "at", "value", "gradient"),
    [
        # z = -10, q = 40, h = 100; dz = 3, dq = -22, dh = -60
        (reused, [-4], -20, [46]),
        # c = -1, d = 6, e = -7, dg/de = -7 + 20/343, de = (3 - 23, 4 - 97)
        (
            reassigned,
            [-4, 2],
            Fraction(49, 2) + Fraction(10, 49),
            [Fraction(20 * 2381, 343), Fraction(93 * 2381, 343)],
        ),
    ],
    ids=["reused", "reassigned"],
)
def test_value_and_gradient_are_those_worked_out_by_hand(function, at, value, gradient):
    exact = [Value(Fraction(x)) for x in at]
    y = function(*exact)
    y.backward()
    assert y.data == value
    assert [x.grad for x in exact] == gradient

    leaves = [Value(x) for x in at]
    y = function(*leaves)
    y.backward()
    assert y.data == pytest.approx(float(value), rel=1e-15)
    assert [x.grad for x in leaves] == pytest.approx([float(g) for g in gradient], rel=1e-15)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_gradients_are_differences_of_the_same_function_of_floats(x, y):
    assume(min(abs(3 * x + 2), abs(x + y), abs(y - x)) > 1e-3)  # the kinks
    for function, at in [(reused, [x]), (reassigned, [x, y])]:
        leaves = [Value(number) for number in at]
        try:
            out = function(*leaves)
        except ZeroDivisionError:  # 10 / e**2 at e = 0
            reject()
        squared = [n.parents[0].data for n in topological_order(out) if n._op == "**2"]
        assume(all(abs(e) > 1 for e in squared))  # 10 / e**2 is steep
        out.backward()
        for i, leaf in enumerate(leaves):
            above, below = [[*at[:i], at[i] + h, *at[i + 1 :]] for h in (STEP, -STEP)]
            slope = (function(*above) - function(*below)) / (2 * STEP)
            bound = CENTRAL * max(1.0, abs(out.data))
            assert leaf.grad == pytest.approx(slope, rel=CENTRAL, abs=bound)


def test_a_values_names_are_micrograds():
    a = Value(2.0)
    b = Value(-3.0)
    out = (a * b + 10).relu()
    out.backward()
    assert (out.data, a.grad, b.grad) == (4.0, -3.0, 2.0)
    assert (out._op, a._op) == ("relu", "")
    assert a._prev == set()
    (total,) = out._prev
    assert total._op == "+"
    assert repr(a).startswith("Value(data=2.0, grad=-3.0")


def test_sum_of_a_generator_begins_with_pythons_0():
    p = [Value(1.0), Value(2.0)]
    total = sum(x * x for x in p)
    total.backward()
    assert (total.data, [x.grad for x in p]) == (5.0, [2.0, 4.0])


def test_the_gradient_of_a_power_by_an_int_or_a_float():
    for n in [2, 3.0, -1, 0.5]:
        x = Value(4.0)
        (x**n).backward()
        assert x.grad == pytest.approx(n * 4.0 ** (n - 1), rel=1e-15)


# ---- networks, as in the demo notebook


def test_the_classes_take_what_micrograds_take():
    assert len(Neuron(3).w) == len(Neuron(3, nonlin=False).w) == 3
    assert Neuron(2, False)([1.0, 2.0])._op != "relu"
    assert len(Layer(3, 2, nonlin=False).neurons) == 2
    assert len(MLP(3, [4, 4, 1]).layers) == 3
    assert isinstance(MLP(3, [1]), Module)
    assert all(-1 <= w.data <= 1 for w in Neuron(100).w)
    assert Neuron(3).b.data == 0


@pytest.mark.parametrize(
    ("count", "width", "seed"),
    [(50, 8, 0), *[pytest.param(100, 16, seed, marks=pytest.mark.slow) for seed in (0, 1, 2)]],
)
def test_the_demo_notebook_separates_the_moons(count, width, seed):
    X, y = moons(count, noise=0.1, seed=seed)
    y = [2 * label - 1 for label in y]
    model = MLP(2, [width, width, 1], seed=seed)
    assert len(model.parameters()) == width * (width + 5) + 1

    def loss():
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        decay = 1e-4 * sum(p * p for p in model.parameters())
        right = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True)]
        return data_loss + decay, sum(right) / len(right)

    for k in range(60):
        total, accuracy = loss()
        if accuracy == 1.0:
            break
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad
    assert accuracy == 1.0
    assert total.data < 0.2


def test_the_demo_notebooks_labels_may_be_numpys():
    numpy = pytest.importorskip("numpy")
    model = MLP(2, [3, 1], seed=0)
    for label in numpy.array([-1, 1]):
        score = model(list(map(Value, numpy.array([0.5, -1.0]))))
        hinge = (1 + -label * score).relu()
        assert isinstance(hinge, Value)
        assert hinge.data == max(0.0, 1 - int(label) * score.data)


# ---- drawing, as in the trace_graph notebook


def traced(root):
    """Return nodes and edges as the notebook's helper does, which reads `_prev` alone."""
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for parent in v._prev:
                edges.add((parent, v))
                build(parent)

    build(root)
    return nodes, edges


def test_the_notebooks_helper_sees_the_graph():
    x = Value(1.0)
    y = (x * 2 + 1).relu()
    nodes, edges = traced(y)
    assert nodes == set(topological_order(y))
    assert len(edges) == 5
    assert sorted(n._op for n in nodes) == ["", "", "", "*", "+", "relu"]
    assert {f"{n.data:.4f} {n.grad:.4f}" for n in nodes} >= {"3.0000 0.0000", "1.0000 0.0000"}


def test_the_notebooks_helper_sees_a_neuron():
    neuron = Neuron(2, seed=0)
    y = neuron([Value(1.0), Value(-2.0)])
    y.backward()
    nodes, edges = traced(y)
    assert set(neuron.parameters()) <= nodes
    assert len(nodes) == 3 + 2 + 2
    assert len(edges) == 5 + 1


# ---- the two engines side by side

has_micrograd = pytest.mark.skipif(
    importlib.util.find_spec("micrograd") is None,
    reason="micrograd, to compare with, is in the extra `test`",
)
OPERATIONS = {
    "+": (operator.add, 2),
    "-": (operator.sub, 2),
    "*": (operator.mul, 2),
    "/": (operator.truediv, 2),
    "neg": (operator.neg, 1),
    "relu": (lambda x: x.relu(), 1),
    "square": (lambda x: x**2, 1),
    "cube": (lambda x: x**3, 1),
    "inverse": (lambda x: x**-1, 1),
    "root": (lambda x: (x * x + 1) ** 0.5, 1),
    "from 2": (lambda x: 2 - x, 1),
    "2 by": (lambda x: 2 / x, 1),
    "3 times": (lambda x: 3.0 * x, 1),
    "plus 1": (lambda x: x + 1, 1),
}
LINE = st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 100), st.integers(0, 100))


def computed(engine, leaves, program):
    """Run a program: each line is an operation and the places of its operands, from the last."""
    values = [engine(x) for x in leaves]
    for name, *places in program:
        function, operands = OPERATIONS[name]
        values.append(function(*[values[-1 - p % len(values)] for p in places[:operands]]))
    return values


@has_micrograd
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.lists(LINE, min_size=1, max_size=20))
def test_two_engines_agree_on_any_expression(leaves, program):
    from micrograd.engine import Value as MicrogradsValue

    try:
        values = computed(Value, leaves, program)
        theirs = computed(MicrogradsValue, leaves, program)
    except (ZeroDivisionError, OverflowError):
        assume(False)
    for node in topological_order(values[-1]):
        assume(abs(node.data) < 1e3)
        if node.op and node.op.name == "relu":
            assume(abs(node.parents[0].data) > 1e-6)  # the kink, which a rounding may cross
        if node.op and node.op.name in ("/", "**-1"):
            assume(abs(node.parents[-1].data) > 0.1)  # near the pole roundings grow
    values[-1].backward()
    theirs[-1].backward()
    largest = max(abs(v.grad) for v in topological_order(values[-1]))
    for our, their in zip(values, theirs, strict=True):
        assert our.data == pytest.approx(their.data, rel=TWO_ENGINES, abs=TWO_ENGINES)
        if our in topological_order(values[-1]):
            assert our.grad == pytest.approx(their.grad, rel=TWO_ENGINES, abs=TWO_ENGINES * largest)


@has_micrograd
@pytest.mark.parametrize("sizes", [[1], [4, 1], [3, 3, 2]], ids=str)
def test_two_engines_agree_on_a_network(sizes):
    from micrograd.engine import Value as MicrogradsValue
    from micrograd.nn import MLP as MicrogradsMLP

    draw = random.Random(0)
    ours, theirs = MLP(2, sizes), MicrogradsMLP(2, sizes)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        p.data = q.data = draw.uniform(-1, 1)
    for row in [[0.5, -1.5], [2.0, 1.0]]:
        total = []
        for model, value in [(ours, Value), (theirs, MicrogradsValue)]:
            out = model(list(map(value, row)))
            total.append(sum(out if isinstance(out, list) else [out]) ** 2)
            total[-1].backward()
        assert total[0].data == pytest.approx(total[1].data, rel=TWO_ENGINES)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.grad == pytest.approx(q.grad, rel=TWO_ENGINES, abs=TWO_ENGINES)


def test_the_module_names_are_micrograds():
    assert microgrid.engine.Value is Value
    assert MLP.__module__ == "microgrid.nn"
