"""The laws of the playground: it trains as `fit` does, and gives reasons as `explain` does."""

import json
import math
import random
import sys

import pytest

import microgrid as mg
from microgrid import MLP, fit, losses, optim
from microgrid.drawing import playground
from microgrid.drawing.pages.playground import CLASSES, STATIC
from microgrid.drawing.pages.programs import activation_program, loss_program, rule_program
from microgrid.nn import ACTIVATIONS
from tests.javascript import needs_node, run_module

ULP = 2.0**-52
# The functions of JavaScript and C differ in their last bit, and sums are added in another order;
# steps carry that on. Adam divides by the size of a gradient, which may have lost digits.
OF_GRADIENTS, OF_WEIGHTS, OF_ADAM = 64 * ULP, 64 * ULP, 2.0**16 * ULP
EPOCHS = 3
RULES = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
}


def in_node(script, given):
    """Return what a script logs, which has some data as `given`."""
    names = {
        "{ Network, Pass, Training }": "network",
        "{ largestPaths }": "paths",
        "{ axesOf, generator, noisy }": "data",
    }
    imports = "".join(
        f"import {what} from {json.dumps((STATIC / f'{file}.js').as_uri())};\n"
        for what, file in names.items()
    )
    head = 'import { readFileSync } from "node:fs";\n'
    head += 'const given = JSON.parse(readFileSync(0, "utf8"));'
    return run_module(f"{imports}{head}\n{script}", given)


def random_case(draw):
    """Return a model, a loss, data, a rule and a size of batches."""
    hidden = [draw.randint(1, 5) for _ in range(draw.randint(0, 3))]
    outputs, rows = draw.randint(1, 4), draw.randint(2, 12)
    activation = draw.choice([*ACTIVATIONS])
    model = MLP(
        2, [*hidden, outputs], activation=activation, init="xavier", seed=draw.randint(0, 99)
    )
    X = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(rows)]
    y = [draw.randrange(max(outputs, 2)) for _ in range(rows)]
    loss = losses.binary_cross_entropy if outputs == 1 else losses.cross_entropy
    return model, loss, X, y, draw.choice([*RULES]), draw.choice([1, 3, rows])


def sizes_of(model):
    return [2, *[len(layer.neurons) for layer in model.layers]]


def mean_loss(model, loss, X, y):
    return mg.sum([loss(model(x), target) for x, target in zip(X, y, strict=True)]) / len(y)


TRAIN = """
console.log(JSON.stringify(given.map(({ sizes, weights, data, batch, epochs, options }) => {
  const network = new Network(sizes);
  network.load(weights);
  const training = new Training(network, data, { ...options, rate: 0.1 });
  const gradients = network.state(network.gradients);
  const losses = [];
  const rows = data.y.map((_, r) => r);
  for (let epoch = 0; epoch < epochs; epoch++) {
    let sum = 0;
    for (let start = 0; start < rows.length; start += batch) {
      const places = rows.slice(start, start + batch);
      const isWhole = places.length === rows.length;
      sum += places.length * (isWhole ? training.step() : training.stepOn(places));
    }
    losses.push(sum / rows.length);
  }
  return { gradients, losses, weights: network.state() };
})));
"""


@needs_node
def test_it_trains_as_fit_does_to_a_few_ulps():
    draw = random.Random(0)
    cases = [random_case(draw) for _ in range(16)]
    given = [
        {
            "sizes": sizes_of(model),
            "weights": model.state_dict(),
            "data": {"X": X, "y": y},
            "batch": batch,
            "epochs": EPOCHS,
            "options": {
                "activation": activation_program(model.layers[0].neurons[0].activation),
                "loss": loss_program(sizes_of(model)[-1]),
                "optimizer": rule_program(RULES[rule]([mg.Value(0.0)])),
            },
        }
        for model, _, X, y, rule, batch in cases
    ]
    # of a network without hidden layers, the activation is never asked
    for (model, loss, X, y, rule, batch), found in zip(cases, in_node(TRAIN, given), strict=True):
        model.zero_grad()
        mean_loss(model, loss, X, y).backward()
        gradients = {path: p.grad for path, p in model.named_parameters()}
        near(found["gradients"], gradients, OF_GRADIENTS)
        history = fit(
            *(model, X, y),
            loss=loss,
            optimizer=RULES[rule](model.parameters()),
            epochs=EPOCHS,
            batch_size=batch,
            shuffle=False,
            compile=False,
        )
        tolerance = OF_ADAM if rule == "Adam" else OF_WEIGHTS
        expected = dict(enumerate(record["loss"] for record in history))
        near(dict(enumerate(found["losses"])), expected, tolerance)
        near(found["weights"], model.state_dict(), tolerance)


def near(found, expected, tolerance):
    """Assert that numbers differ by a share of the largest, or of 1."""
    assert found.keys() == expected.keys()
    scale = max(1.0, *map(abs, expected.values()))
    for name, number in expected.items():
        assert abs(found[name] - number) <= tolerance * scale, (name, found[name], number)


REASONS = """
console.log(JSON.stringify(given.map(({ sizes, weights, data, options, place }) => {
  const network = new Network(sizes);
  network.load(weights);
  const training = new Training(network, data, options);
  return largestPaths(training.pass, place, 8);
})));
"""


@needs_node
def test_a_gradient_is_the_sum_over_the_paths_that_explain_finds():
    draw = random.Random(1)
    given, expected = [], []
    while len(given) < 12:
        model, loss, X, y, *_ = random_case(draw)
        sizes = sizes_of(model)
        layer = draw.randrange(len(sizes) - 1)
        neuron = draw.randrange(sizes[layer + 1])
        place = {"layer": layer, "neuron": neuron, "input": draw.randint(-1, sizes[layer] - 1)}
        activation = model.layers[0].neurons[0].activation
        if sizes[-1] > 1 or activation in (mg.silu, mg.gelu):
            continue  # these branch where the page has one slope as a whole
        one = model.layers[layer].neurons[neuron]
        leaf = one.b if place["input"] < 0 else one.w[place["input"]]
        explanation = mg.explain(mean_loss(model, loss, X, y), leaf, most=8)
        options = {"activation": activation_program(activation), "loss": loss_program(1)}
        options |= {"optimizer": rule_program(RULES["SGD"]([mg.Value(0.0)])), "rate": 0.1}
        data = {"X": X, "y": y}
        given.append(
            {"sizes": sizes, "weights": model.state_dict(), "data": data, "place": place}
            | {"options": options}
        )
        expected.append((explanation, whole_paths(explanation)))
    for (explanation, largest), found in zip(expected, in_node(REASONS, given), strict=True):
        assert math.isclose(found["gradient"], explanation.gradient, rel_tol=1e-12, abs_tol=1e-15)
        sums = [path["gradient"] for path in found["paths"]]
        for path in found["paths"]:
            product = math.prod(factor["number"] for factor in path["factors"])
            assert math.isclose(path["gradient"], product, rel_tol=1e-12)
        assert math.isclose(sum(sums) + found["rest"], found["gradient"], abs_tol=1e-14)
        assert len(sums) >= len(largest)
        for mine, theirs in zip(sums, largest, strict=False):
            assert math.isclose(mine, theirs, rel_tol=1e-12)


def whole_paths(explanation):
    """Return the gradients of the largest paths; of two ways into a loss, one is nothing."""
    return [path.gradient for path in explanation.paths if path.gradient]


@needs_node
def test_noise_scales_the_same_draws_and_has_the_right_size():
    (large, small, axes) = in_node(
        """
        const X = Array.from({ length: 4000 }, () => [1, -2]);
        const moved = (by) => noisy({ X, y: [] }, by, 3).X.map((row) => [row[0] - 1, row[1] + 2]);
        console.log(JSON.stringify([moved(1), moved(0.25), axesOf([[0, 5], [10, 5]])]));
        """,
        None,
    )
    for a, b in zip(large, small, strict=True):
        assert all(
            math.isclose(x, 4 * z, rel_tol=1e-9, abs_tol=1e-14) for x, z in zip(a, b, strict=True)
        )
    numbers = [x for row in large for x in row]
    assert abs(sum(numbers) / 8000) < 5 / math.sqrt(8000)
    assert abs(sum(x * x for x in numbers) / 8000 - 1) < 5 * math.sqrt(2 / 8000)
    assert axes == [[-1, 11], [4, 6]]


@needs_node
def test_weights_stay_where_a_network_grows():
    model = MLP(2, [3, 2, 1], seed=0)
    state, wider = in_node(
        """
        const [network, wider] = [new Network([2, 3, 2, 1]), new Network([2, 4, 2, 1])];
        network.load(given);
        wider.draw(generator(0));
        wider.keep(network, 3);
        console.log(JSON.stringify([network.state(), wider.state()]));
        """,
        model.state_dict(),
    )
    assert state == model.state_dict()
    assert {name: wider[name] for name in state} == state
    assert wider.keys() == MLP(2, [4, 2, 1]).state_dict().keys()


@needs_node
def test_epochs_count_the_rows_whatever_the_batches_were():
    model = MLP(2, [2, 1], seed=0)
    X, y = mg.datasets.moons(20)
    epochs = in_node(
        """
        const network = new Network([2, 2, 1]);
        network.load(given.weights);
        const training = new Training(network, given.data, given.options);
        training.rate = 0.1;
        training.random = Math.random;
        const epochs = [];
        for (const batch of [20, 20, 15, 15, 5, 5, 5, 20]) {
          training.batch = batch;
          training.order = [];
          training.step();
          epochs.push(training.epochs);
        }
        training.rate = Infinity;
        training.step(); // which is not taken
        console.log(JSON.stringify([...epochs, training.epochs]));
        """,
        {
            "weights": model.state_dict(),
            "data": {"X": X, "y": y},
            "options": {
                "activation": activation_program(mg.relu),
                "loss": loss_program(1),
                "optimizer": rule_program(RULES["SGD"]([mg.Value(0.0)])),
            },
        },
    )
    assert epochs == [1, 2, 2, 3, 3, 4, 4, 5, 5]


# ---- Python


def test_a_page_is_one_small_file():
    X, y = mg.datasets.spirals(300, arms=CLASSES)
    for page in (playground(), playground(None, X, y)):
        assert len(page.html().encode()) < 300_000
        assert page.html().count("http") == page.html().count("http-equiv") + page.html().count(
            "http://www.w3.org/2000/svg"
        )


def test_a_model_may_have_classes_without_a_row():
    X = [[0.0, 1.0], [1.0, 0.0]]
    assert playground(MLP(2, [3]), X, [1, 2]).state["datasets"]["yours"]["y"] == [1, 2]
    for y in ([1, 1], [0, 0], [-1, -1]):
        assert playground(None, X, y).state["sizes"] == [2, 8, 8, 1]


def test_labels_of_two_classes_may_be_signs():
    X = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]
    data = playground(None, X, [-1, 1, -1]).state["datasets"]
    assert data["yours"] == {"X": X, "y": [0, 1, 0], "noise": 0.0}
    assert [*data] == ["yours", "moons", "circles", "spirals", "xor"]
    assert playground(None, X, [0, 1, 2]).state["sizes"] == [2, 8, 8, 3]


def test_drawn_data_are_those_of_datasets_without_noise():
    data = playground().state["datasets"]
    for name in ("moons", "circles", "spirals", "xor"):
        X, y = getattr(mg.datasets, name)(100, noise=0.0)
        assert data[name]["y"] == y
        for shown, row in zip(data[name]["X"], X, strict=True):
            assert max(abs(a - b) for a, b in zip(shown, row, strict=True)) <= 5e-7


def test_an_activation_of_ones_own_is_shown_too():
    def bump(x):
        return mg.exp(-x * x)

    model = MLP(2, [3, 1], activation=bump, seed=0)
    page = playground(model)
    assert page.state["activation"] == "bump"
    assert repr(page.to_model().layers[0].neurons[0].activation) == repr(bump)
    page.load_into(model)


def test_an_activation_of_ones_own_may_have_the_name_of_a_known_one():
    def tanh(x):
        return 2.0 * x

    for activation, name, own in [(tanh, "your tanh", "your tanh"), (mg.tanh, "tanh", None)]:
        model = MLP(2, [3, 1], activation=activation, seed=0)
        page = playground(model)
        assert (page.state["activation"], page.state["own"]) == (name, own)
        assert page.state["activations"][name] == activation_program(activation)
        assert page.state["activations"]["tanh"] == activation_program(mg.tanh)
        assert page.to_model().layers[0].neurons[0].activation is activation
        page.load_into(model)


X, Y = [[0.0, 1.0], [1.0, 0.0]], [0, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((lambda x: x[0],), TypeError, "playground needs an MLP of 2 inputs first, got <function"),
        (
            (X, [0, 1]),
            TypeError,
            r"first, got \[\[0.*; for rows alone write playground\(X=X, y=y\)",
        ),
        ((MLP(3, [1]),), ValueError, "a model of 2 inputs, which it shows as a plane, got 3"),
        ((MLP(2, [4, 7]),), ValueError, "at most 6 outputs, got 7"),
        ((MLP(2, [33, 1]),), ValueError, r"of at most 32 neurons, got \[33\]"),
        ((MLP(2, [1] * 8),), ValueError, "at most 6 hidden layers"),
        ((None, X), TypeError, "X and y together, got one of them alone"),
        ((None, None, Y), TypeError, "X and y together, got one of them alone"),
        ((None, [[1.0], [2.0]], Y), ValueError, "`X` must have 2 columns to be shown, got 1"),
        ((None, X, [0, 0.5]), ValueError, r"row 1 of `y` must be a class, from 0 to 5, got 0\.5"),
        ((None, X, [-1, 0]), ValueError, "row 1 of `y` must be -1 or 1, got 0"),
        ((None, X * 1001, Y * 1001), ValueError, "at most 2,000 rows, got 2,002; pass some"),
        (
            (MLP(2, [1]), X, [0, 2]),
            ValueError,
            "must be from 0 to 1, as the model has 2 classes, got 2",
        ),
        ((None, X, [1, 2]), ValueError, "all classes from 0 to 2, got no row of 0; number the"),
        ((None, X * 2, [0, 1, 3, 3]), ValueError, "no row of 2; .* pass a model of 4 outputs"),
    ],
)
def test_what_cannot_be_shown_says_why(arguments, error, message):
    with pytest.raises(error, match=message):
        playground(*arguments)


def test_a_model_that_is_no_plain_mlp_says_why():
    mixed, tied, bent = MLP(2, [2, 2, 1]), MLP(2, [2, 1]), MLP(2, [2, 1])
    mixed.layers[1].neurons[0].activation = mg.tanh
    with pytest.raises(ValueError, match="one activation in all hidden layers"):
        playground(mixed)
    tied.layers[0].neurons[0].b = tied.layers[0].neurons[1].b
    with pytest.raises(ValueError, match="a parameter of its own, got 8 parameters instead of 9"):
        playground(tied)
    bent.layers[1].neurons[0].activation = mg.tanh
    with pytest.raises(ValueError, match="a last layer without an activation"):
        playground(bent)
    with pytest.raises(TypeError, match="activation of this library's functions, got asks: "):
        playground(MLP(2, [2, 1], activation=asks))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_not_finite_is_named(number):
    model = MLP(2, [2, 1], seed=0)
    model.layers[0].neurons[1].w[0].data = number
    message = rf"got layers\.0\.neurons\.1\.w\.0 = {number}; begin with a fresh model$"
    with pytest.raises(ValueError, match=message):
        playground(model)


def asks(x):
    return x if x > 0 else 0.1 * x


def test_weights_go_into_a_model_that_fits_alone():
    page, model = playground(), MLP(2, [8, 8, 1], activation="tanh", seed=5)
    before = model.state_dict()
    for other, message in [
        (MLP(2, [8, 1], activation="tanh"), "the sizes 2-8-8-1, the model has 2-8-1; make one"),
        (MLP(2, [8, 8, 1]), "the activation tanh, the model has another one; make one"),
    ]:
        with pytest.raises(ValueError, match=message):
            page.load_into(other)
    page.load_into(model)
    assert model.state_dict() == page.state_dict() != before


def test_a_widget_gives_the_weights_back():
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    page, told = playground(), []
    page.widget.send = told.append
    trained = MLP(2, [3, 1], activation="relu", seed=1)
    page.widget._handle_custom_msg(
        {"weights": trained.state_dict(), "sizes": [2, 3, 1], "activation": "relu"}, []
    )
    assert "Python has the weights" in told[0]["text"]
    assert page.state_dict() == trained.state_dict()
    assert page.to_model().state_dict() == trained.state_dict()
    assert page.to_model()([1.0, 2.0]).data == trained([1.0, 2.0]).data
    with pytest.raises(ValueError, match="exactly the parameters"):
        page._take({"weights": {}, "sizes": [2, 3, 1], "activation": "relu"})
    assert page.state_dict() == trained.state_dict()


def test_without_anywidget_there_is_the_page(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for name in ("microgrid.drawing.pages.widget", "microgrid.drawing.stepper.widget"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    page = playground()
    assert page.widget is None
    assert page._repr_mimebundle_()["text/html"].startswith("<iframe srcdoc=")
