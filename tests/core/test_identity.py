"""Nodes are told apart by identity: a graph of equal numbers is read as one of different ones."""

import copy
import pickle

import pytest

import microgrid as mg
from microgrid import Value, detect_anomaly, losses, no_grad, optim, topological_order
from microgrid.compiler.trace import Traced, trace
from microgrid.core.operators import Arithmetic
from microgrid.nn import Module
from microgrid.testing import check_gradients

NUMBERS = {"different": (0.5, 0.25, -0.75, 2.0), "equal": (0.5,) * 4, "zero": (0.0,) * 4}


@pytest.fixture(autouse=True)
def no_equality_of_nodes(monkeypatch):
    """Let the question fail whether one node equals another: nothing here may depend on it."""

    def refusing(compare):
        def method(self, other):
            if isinstance(other, Arithmetic):
                raise AssertionError(f"is {self!r} == {other!r}?")
            return compare(self, other)

        return method

    for kind in (Arithmetic, Traced):
        for name in ("__eq__", "__ne__"):
            monkeypatch.setattr(kind, name, refusing(getattr(kind, name)))


class Tied(Module):
    """A model with one parameter in two places, beside others of the same number."""

    def __init__(self, numbers):
        self.a, self.b, self.c, self.d = [Value(x) for x in numbers]
        self.rows = [[self.a, self.b], {"c": self.c, "again": self.a}]

    def __call__(self, x):
        (x,) = x if isinstance(x, list) else [x]
        hidden = mg.tanh(mg.dot([self.a, self.b, self.a], [x, self.c, self.d]) + self.b)
        return mg.logsumexp([hidden, self.a, self.b]) + mg.hypot(self.c, self.d, 1.0) * self.c


def shape(*roots):
    """Return a graph without its numbers: what each node is made by, and of which others."""
    places = {id(node): i for i, node in enumerate(topological_order(*roots))}
    return [
        (node.op and node.op.name, [places[id(parent)] for parent in node.parents])
        for node in topological_order(*roots)
    ]


def backward(model):
    loss = model(1.0)
    for _ in range(2):
        loss.backward()
    model.a.data = model.a.data
    loss.refresh()
    return shape(loss)


def derived(model):
    inputs = model.parameters()
    slopes = mg.gradients(model(1.0), inputs)
    with no_grad():
        slopes_of_slopes = mg.hessian(lambda p: model.with_parameters(p)(1.0))(inputs)
    series = mg.taylor(lambda a: model.with_parameters([a, *inputs[1:]])(1.0), model.a, 2)
    return len(slopes), len(slopes_of_slopes), len(series)


def copied(model):
    loss = model(1.0)
    graphs = [copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))]
    model, loss = pickle.loads(pickle.dumps((model, loss)))
    leaves = {*topological_order(loss)} & {*model.parameters()}
    return [shape(graph) for graph in [*graphs, loss]], len(leaves)


def named(model):
    parameters = [name for name, _ in model.named_parameters()]
    state = model.state_dict()
    model.load_state_dict(state)
    return parameters, [*state]


def drawn(model):
    loss = model(1.0)
    path = [model.d, next(n for n in topological_order(loss) if model.d in {*n.parents[1:]})]
    picture = mg.draw(loss, names=model, highlight=path)
    page = mg.explore(loss, names=model).graph
    return picture.source.count(" -> "), page["operands"], page["edges"]


def explained(model):
    loss = model(1.0)
    places = {node: i for i, node in enumerate(topological_order(loss))}
    found = mg.explain(loss, model.a, names=model, most=100)
    assert "→₁" in str(found)
    return sorted(([places[node] for node in path.nodes], path.places) for path in found.paths)


def written(model):
    loss = model(1.0)
    return [mg.formula(loss, by=by, names=model).expression for by in ((), model.a, [model.b] * 2)]


def compiled(model):
    def values(x, *parameters):
        loss = model.with_parameters(parameters)(x)
        loss = mg.where(loss >= x, mg.softplus(loss), mg.maximum(loss, parameters[0]))
        return [loss, *mg.gradients(loss, [p for p in parameters if isinstance(p, Value)])]

    program = trace(values, [*"xabcd"], lambda xs: (xs, {}))[0]
    native = mg.compile(values)
    return program, len(native(1.0, *model.parameters())), len(native(*[1.0] * 5))


def optimized(model):
    optimizer = optim.Adam([*model.parameters(), model.a], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(1.0).backward()
        optimizer.step()
    return len(optimizer.parameters), len(optimizer.state)


def fitted(model):
    rates = {model.a: 0.1, model.b: 0.2}  # a dict by parameters, as a training may hold one
    X, y = [[1.0], [2.0]], [0.5, -0.5]
    fit = {"loss": losses.squared_error, "optimizer": optim.SGD([*rates], lr=0.01)}
    histories = [mg.fit(model, X, y, **fit, epochs=2, compile=native) for native in (False, True)]
    return len(rates), [len(history) for history in histories]


def checked(model):
    zeros = [Value(0.0) for _ in range(4)]
    with detect_anomaly():
        model(1.0).backward()
        with pytest.raises(ZeroDivisionError, match=r"sqrt\(mg.dot"):
            mg.sqrt(mg.dot(zeros[:2], zeros[2:])).backward()
    return len([*check_gradients(mg.sin, model.a.data)])


READERS = [
    backward,
    copied,
    named,
    derived,
    drawn,
    explained,
    written,
    compiled,
    optimized,
    fitted,
    checked,
]


@pytest.mark.parametrize("kind", ["equal", "zero"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_graph_of_equal_numbers_is_read_as_one_of_different_numbers(reader, kind):
    assert reader(Tied(NUMBERS[kind])) == reader(Tied(NUMBERS["different"]))
