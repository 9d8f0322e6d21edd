"""The laws of `fit(compile=True)`: Python's steps, history and errors, many steps in a call."""

import gc
import itertools
import math
import random
import re
import signal
import sys
import threading
from collections import Counter
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from unittest.mock import patch
from weakref import ref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import (
    MLP,
    History,
    Module,
    Primitive,
    Value,
    accuracy,
    cos,
    datasets,
    detect_anomaly,
    exp,
    fit,
    log,
    losses,
    no_grad,
    optim,
    schedules,
    sin,
    sqrt,
    tanh,
    training,
    where,
)
from microgrid import sum as mg_sum
from microgrid.compiler import lowers
from microgrid.compiler.ir.machine import this_machine
from microgrid.compiler.trace import Traced
from microgrid.compiler.training import programs, steps, trainer
from microgrid.compiler.training.stretch import EpochStretch
from microgrid.fitting.trainer import Trainer
from microgrid.nn import ACTIVATIONS
from tests.search import usual

# What is promised after 100 steps. A kernel's functions and sums differ from Python's by some ulp,
# 1e-16 of a number, and smooth networks of this size let that grow a thousandfold at most.
CLOSE = 1e-9
STEPS = 100
FEWER_STEPS = 30  # two epochs or more, whatever the batch

WIDTH = this_machine().width
ROWS = 19  # two blocks or more of a kernel, whose width is 2, 4 or 8, and some rows over
X, Y = datasets.moons(ROWS, seed=3)
X[0] = [0.0, 0.0]  # with biases of 0, where relu has its kink
SIGNS = [2 * y - 1 for y in Y]
PAIRS = [[x[0] - x[1], float(y)] for x, y in zip(X, Y, strict=True)]


class Line(Module):
    """The model `(w * x + b) * scale` of the first column."""

    def __init__(self, w=0.5, b=0.0):
        self.w, self.b, self.scale = Value(w), Value(b), 1.0

    def __call__(self, row):
        return (self.w * row[0] + self.b) * self.scale


class Of(Line):
    """A function of a line's answer."""

    def __init__(self, function, w=0.5, b=0.0):
        super().__init__(w, b)
        self.function = function

    def __call__(self, row):
        return self.function(super().__call__(row))


def network(sizes=(3, 1), activation="tanh", seed=0):
    return MLP(2, sizes, activation=activation, seed=seed)


def trained(compile, model=network, *, kind=optim.SGD, lr=0.1, moves=None, **options):
    """Train a new model; return it, its optimizer, and the history."""
    model = model() if isinstance(model, type) or not isinstance(model, Module) else model
    given = {name: options.pop(name) for name in list(options) if name in OPTIONS}
    optimizer = kind(moves(model) if moves else model.parameters(), lr=lr, **given)
    options = {"X": X, "y": Y, "batch_size": 4, "epochs": 20, "loss": losses.squared_error,
               "progress": False} | options  # fmt: skip
    rows, targets = options.pop("X"), options.pop("y")
    history = fit(model, rows, targets, optimizer=optimizer, compile=compile, **options)
    return model, optimizer, history


OPTIONS = {"momentum", "dampening", "weight_decay", "nesterov", "maximize", "betas", "eps",
           "amsgrad", "alpha", "centered"}  # fmt: skip


class Kept:
    """A kind of optimizer of which the one that was made is at hand even if its training fails."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, *given, **options):
        self.made = self.kind(*given, **options)
        return self.made

    def now(self):
        return now(self.made), self.made.lr


def now(optimizer):
    return [p.data for p in optimizer.parameters], optimizer.state, optimizer.steps


def state(model, optimizer, history):
    """Return all that a training changes, as one tree."""
    return {
        "parameters": [p.data for p in model.parameters()],
        "gradients": [p.grad for p in optimizer.parameters],
        "optimizer": optimizer.state_dict(),
        "history": history.records,
        "ended": history.ended,
    }


def assert_close(one, other, path=""):
    """Assert that two trees of numbers differ by rounding only."""
    if isinstance(one, dict):
        assert list(one) == list(other), path
        for name in one:
            assert_close(one[name], other[name], f"{path}.{name}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), path
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_close(*pair, f"{path}[{i}]")
    elif isinstance(one, float):
        assert abs(one - other) <= CLOSE * max(1.0, abs(one)), f"{path}: {one!r}, {other!r}"
    else:
        assert one == other, path


@contextmanager
def python_steps():
    """Give a list with an entry for every step that is taken in Python meanwhile."""
    taken, derive = [], Trainer.derive

    def counted(self, *given):
        taken.append(self.steps)
        return derive(self, *given)

    with patch.object(Trainer, "derive", counted):
        yield taken


def assert_same(steps=STEPS, **options):
    """Assert that a native training, without a step in Python, comes to what Python's comes to."""
    with python_steps() as taken:
        native = state(*trained(True, **options))
    assert taken == []
    assert_close(native, state(*trained(False, **options)))
    assert native["optimizer"]["steps"] >= steps
    return native


# ---- the same as in Python


def case(name, **options):
    return pytest.param(options, id=name)


def vectors(name, **options):
    options = {"model": lambda: network([3, 2]), "y": PAIRS} | options
    return case(f"{name} of two", **options)


class Logits(Line):
    """Two logits, of which one is the same for every row."""

    def __call__(self, row):
        return [super().__call__(row), self.b, 0.5]


class Penalised(Line):
    """A line, and what its slope shall cost."""

    def __call__(self, row):
        return [super().__call__(row), self.w * self.w]


@pytest.mark.parametrize(
    "options",
    [
        *(case(loss.__name__, loss=loss)
          for loss in (losses.squared_error, losses.absolute_error, losses.huber,
                       losses.binary_cross_entropy)),
        *(vectors(loss.__name__, loss=loss)
          for loss in (losses.squared_error, losses.absolute_error, losses.huber)),
        case("huber of another delta", loss=lambda p, t: losses.huber(p, t, 0.25)),
        case("hinge", loss=losses.hinge, y=SIGNS),
        vectors("hinge", loss=losses.hinge, y=[[s, -s] for s in SIGNS]),
        vectors("binary cross entropy", loss=losses.binary_cross_entropy,
                y=[[y, 0.25] for y in Y]),
        case("cross entropy", loss=losses.cross_entropy, model=lambda: network([3, 3]),
             y=[i % 3 for i in range(ROWS)]),
        case("cross entropy of constants", loss=losses.cross_entropy, model=Logits,
             y=[i % 3 for i in range(ROWS)]),
        case("with a penalty", model=Penalised,
             loss=lambda p, t: losses.squared_error(p[0], t) + 1e-3 * p[1]),
        case("a loss of one's own", loss=lambda p, t: log(1 + exp(p)) * abs(t - 0.5) + p * p),
    ],
)  # fmt: skip
def test_every_loss(options):
    assert_same(**options)


@pytest.mark.parametrize(
    "options",
    [
        *(case(f"SGD {' '.join(map(str, options.values()))}", kind=optim.SGD, **options)
          for options in (
              {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
              {"momentum": 0.5, "dampening": 0.5}, {"maximize": True, "lr": 1e-4},
              {"lr": 1}, {"lr": Fraction(1, 8), "momentum": Fraction(1, 2)})),
        *(case(f"{kind.__name__} {options}", kind=kind, lr=0.02, **options)
          for kind in (optim.Adam, optim.AdamW)
          for options in ({}, {"amsgrad": True, "betas": (0.5, 0.9)}, {"weight_decay": 0.1},
                          {"maximize": True, "eps": 1e-3})),
        case("Adam without a memory", kind=optim.Adam, betas=(0.0, 0.0)),
        *(case(f"RMSprop {options}", kind=optim.RMSprop, **{"lr": 0.01} | options)
          for options in ({}, {"momentum": 0.5}, {"weight_decay": 0.1, "alpha": 0.5},
                          {"centered": True, "momentum": 0.5, "eps": 1e-4},
                          {"maximize": True, "lr": 1e-4})),
    ],
)  # fmt: skip
def test_every_optimizer(options):
    assert_same(**options)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.constant(0.2),
        schedules.linear(0.2, 0.0, STEPS // 2),
        schedules.cosine(0.2, STEPS, end=0.01),
        schedules.exponential(0.2, 0.97),
        schedules.warmup(schedules.cosine(0.2, STEPS), 20),
        lambda step: [0, 1e-3, Fraction(1, 10)][step % 3],
        lambda step: np.float64(0.1),
    ],
    ids=["constant", "linear", "cosine", "exponential", "warmup", "of any numbers", "of NumPy's"],
)
def test_every_schedule(schedule):
    assert_same(schedule=schedule, momentum=0.5)


@pytest.mark.parametrize(
    "options",
    [
        case("norm", clip=optim.clip_norm(0.05)),
        case("a norm that is met at times", clip=optim.clip_norm(0.3)),
        case("value", clip=optim.clip_value(0.02)),
        case("a value that all reach", clip=optim.clip_value(1e-6), kind=optim.Adam),
        case("one's own", clip=lambda gs: [g * 0.5 + 0.01 * tanh(gs[0]) for g in gs]),
        case("in another order", clip=lambda gs: list(reversed(gs))),
        case("a tuple with constants", clip=lambda gs: (0.25, *gs[1:-1], 0.25)),
        case("all the same", clip=lambda gs: [mg_sum(gs)] * len(gs)),
        case("of a gradient of 0", clip=optim.clip_norm(0.5), loss=losses.hinge,
             y=SIGNS, X=[[10.0 * s, 0.0] for s in SIGNS], model=lambda: Line(1.0)),
    ],
)  # fmt: skip
def test_every_clipping(options):
    assert_same(**options)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    "size", [1, WIDTH - 1, WIDTH, WIDTH + 1, ROWS - 1, ROWS, ROWS + 1, 10**30, None, np.int64(3)]
)
def test_every_batch_size(size, shuffle):
    epochs = math.ceil(FEWER_STEPS / math.ceil(ROWS / (size or ROWS)))
    options = {"batch_size": size, "shuffle": shuffle, "epochs": epochs}
    assert_same(FEWER_STEPS, **options, kind=optim.Adam, lr=0.02)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, lambda x: where(x > 0.25, sin(x), x * x)])
def test_every_activation(activation):
    assert_same(model=lambda: network(activation=activation), lr=0.05)


W = Value(0.5)  # of the functions below; a test sets it first

MODELS = {
    "a function of a Value": lambda row: W * row[0] + row[1],
    "the parameter itself": lambda row: W,
    "one with branches on what is known": lambda row: W * row[0] if len(row) == 2 else W,
    "of arrays": lambda row: (np.array(row) * W).sum(),
    "of primitives": lambda row: cos(W * row[0]) / (1 + abs(W)) ** 2 + sqrt(1 + W * W) ** row[1],
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", [losses.squared_error, lambda p, t: p], ids=["squared", "itself"])
def test_any_function_is_a_model(name, loss):
    results = []
    for compile in (True, False):
        W.data = 0.5
        sgd = optim.SGD([W], lr=0.01)
        history = fit(MODELS[name], X, Y, loss=loss, optimizer=sgd, epochs=STEPS, progress=False,
                      compile=compile, metrics=[mean])  # fmt: skip
        results.append([W.data, W.grad, history.records])
    assert_close(*results)
    assert results[0][0] != 0.5


def mean(predictions, targets):
    return math.fsum(predictions) / len(predictions)


def total(predictions, targets):
    """Return a number that tells predictions, their places, and their targets from others."""

    def of(x):
        x = list(x.values()) if isinstance(x, dict) else x
        return math.fsum((k + 1) * of(y) for k, y in enumerate(x)) if isinstance(x, list) else x

    pairs = enumerate(zip(predictions, targets, strict=True))
    return math.fsum(of(p) * (i + of(t)) for i, (p, t) in pairs)


class Nested(Line):
    def __call__(self, row):
        line = super().__call__(row)
        return [line, (self.w, [row[1], 2.0])]


class Named(Nested):
    def __call__(self, row):
        line, pair = super().__call__(row)
        return {"line": line, "pair": pair}


@pytest.mark.parametrize(
    "options",
    [
        case("a number", metrics=[accuracy, total], validation=(X[:5], Y[:5])),
        case("two", model=lambda: network([3, 2]), y=PAIRS, metrics=[total],
             validation=(X[:WIDTH], PAIRS[:WIDTH])),
        case("logits", model=lambda: network([3, 2]), loss=losses.cross_entropy,
             metrics=[accuracy, total], validation=(X, Y)),
        case("arrays", model=lambda: Of(lambda x: np.array([x, x * x])), y=PAIRS, metrics=[total]),
        case("nested", model=Nested, loss=lambda p, t: p[0] * p[0] * p[1][1][0], metrics=[total],
             lr=0.01),
        case("named", model=Named, loss=lambda p, t: p["line"] ** 2 * p["pair"][1][0], lr=0.01,
             metrics=[total, lambda ps, ts: float(ps[0].keys() == {"line", "pair"})]),
        case("validation alone", validation=(X[:1], Y[:1])),
        case("validation on more rows", validation=(X * 3, Y * 3), metrics=[total],
             shuffle=False),
    ],
)  # fmt: skip
def test_all_that_is_measured(options):
    record = assert_same(**options)["history"][-1]
    assert len(record) == 3 + len(options.get("metrics", [])) * (1 + ("validation" in options)) + (
        "validation" in options
    )


KINDS = {
    optim.SGD: {"momentum": st.sampled_from([0.0, 0.5]), "weight_decay": st.floats(0, 0.1)},
    optim.Adam: {"amsgrad": st.booleans(), "eps": st.floats(1e-6, 1e-2)},
    optim.AdamW: {"weight_decay": st.floats(0, 0.1)},
    optim.RMSprop: {"momentum": st.sampled_from([0.0, 0.5]), "eps": st.floats(1e-4, 1e-2)},
}


@usual(15)
@given(st.data())
def test_all_of_these_together(data):
    kind = data.draw(st.sampled_from(list(KINDS)))
    rows = data.draw(st.integers(1, ROWS))
    size = data.draw(st.integers(1, ROWS))
    epochs = math.ceil(30 / math.ceil(rows / size))
    number = st.floats(-2, 2).map(lambda x: round(x, 3))
    drawn = {
        "loss": st.sampled_from([losses.squared_error, losses.huber, losses.binary_cross_entropy]),
        "schedule": st.sampled_from([None, schedules.cosine(0.1, 20), lambda step: 0.01 * step]),
        "clip": st.sampled_from([None, optim.clip_norm(0.1), optim.clip_value(0.05)]),
        "X": st.lists(st.lists(number, min_size=2, max_size=2), min_size=rows, max_size=rows),
        "shuffle": st.booleans(),
        "metrics": st.sampled_from([[], [total]]),
        "validation": st.sampled_from([None, (X[:3], Y[:3])]),
        "callbacks": st.sampled_from([[], [lambda model, history: None]]),
        "seed": st.integers(0, 9),
    } | KINDS[kind]
    options = {name: data.draw(strategy, label=name) for name, strategy in drawn.items()}
    activation = data.draw(st.sampled_from(["tanh", "softplus", "silu", "gelu"]))
    sizes = data.draw(st.sampled_from([[1], [2, 1]]))
    assert_same(
        1, kind=kind, lr=0.02, y=Y[:rows], batch_size=size, epochs=epochs,
        model=lambda: network(sizes, activation), **options,
    )  # fmt: skip


# ---- bits


def test_the_same_seed_gives_the_same_bits():
    options = {"kind": optim.Adam, "metrics": [total], "validation": (X, Y)}
    first = state(*trained(True, seed=5, **options))
    assert first == state(*trained(True, seed=5, **options))
    assert first == state(*trained(True, seed=random.Random(5), **options))
    assert first["parameters"] != state(*trained(True, seed=6, **options))["parameters"]


@pytest.mark.parametrize(
    "limit",
    [("SECONDS", 0.0), ("MOST_ROWS", 1), ("WORTH_OPTIMISING", 1), ("WORTH_OPTIMISING_LOOPS", 1)],
    ids=str,
)
def test_how_many_steps_are_taken_at_once_and_llvms_effort_do_not_change_a_bit(limit, monkeypatch):
    options = {"kind": optim.Adam, "schedule": schedules.cosine(0.1, STEPS)}
    whole = state(*trained(True, **options))
    monkeypatch.setattr(trainer, *limit)
    assert state(*trained(True, **options)) == whole


@pytest.mark.parametrize(
    "options",
    [{"metrics": [total]}, {"validation": (X, Y)}, {"callbacks": [lambda model, history: None]}],
    ids=lambda options: next(iter(options)),
)
def test_what_looks_on_does_not_change_a_bit(options):
    alone, seen = state(*trained(True)), state(*trained(True, **options))
    assert seen["parameters"] == alone["parameters"]
    assert seen["optimizer"] == alone["optimizer"]
    assert [record["loss"] for record in seen["history"]] == [
        record["loss"] for record in alone["history"]
    ]


def test_many_steps_run_without_a_call_of_python():
    class Counting(Line):
        calls = 0

        def __call__(self, row):
            Counting.calls += 1
            return super().__call__(row)

    trained(True, Counting, epochs=1)  # of the first it is asked twice what it computes
    calls = []
    for epochs in (1, 1000):
        Counting.calls = 0
        trained(True, Counting, epochs=epochs, lr=1e-3)
        calls.append(Counting.calls)
    assert calls[0] == calls[1] < 10


def test_by_itself_it_trains_natively_where_there_is_enough_to_do():
    for epochs, native in [(1, False), (training.WORTH_COMPILING, True)]:
        with python_steps() as taken:
            trained(None, Line, epochs=epochs, lr=1e-3)
        assert (taken == []) == native


def test_one_can_go_on_where_a_training_ended():
    with_python = trained(False, kind=optim.Adam, lr=0.02, epochs=101, batch_size=None)
    for halves in itertools.product([True, False], repeat=2):
        model, optimizer, _ = trained(True, kind=optim.Adam, lr=0.02, epochs=1, batch_size=None)
        for compile in halves:
            history = fit(model, X, Y, loss=losses.squared_error, optimizer=optimizer, epochs=50,
                          compile=compile, progress=False)  # fmt: skip
        assert_close([p.data for p in model.parameters()],
                     [p.data for p in with_python[0].parameters()])  # fmt: skip
        assert_close(optimizer.state_dict(), with_python[1].state_dict())
        assert_close(history["loss"], with_python[2]["loss"][51:])


# ---- what is known of earlier trainings


@contextmanager
def counted_work():
    """Count how often, meanwhile, a gradient is derived and a kernel is compiled."""
    work = Counter()
    for_kernels, own_gradients = steps.text_of, programs.gradients

    def text(*given):
        work["kernels"] += 1
        return for_kernels(*given)

    def gradients(*given):
        work["gradients"] += 1
        return own_gradients(*given)

    with patch.object(steps, "text_of", text), patch.object(programs, "gradients", gradients):
        yield work


class Told(Line):
    """A line that counts how often it is called with numbers that are not known."""

    traces = 0

    def __call__(self, row):
        Told.traces += isinstance(row[0], Traced)
        return super().__call__(row) * 0.8125  # as no other model here does


def test_what_was_derived_and_compiled_before_is_not_again():
    counts = []
    for k in range(3):
        Told.traces = 0
        with counted_work() as work:
            model = Told(0.1 * k, 0.2)
            trained(True, model, X=[[x + k, y] for x, y in X], lr=0.01 + k / 100, epochs=1 + k)
        counts.append((Told.traces, work["gradients"], work["kernels"]))
    first, *others = counts
    assert first[:2] == (2, 1)  # traced twice, as nobody knows yet whether it counts its calls
    assert others == [(1, 0, 0)] * 2


def test_nothing_of_a_training_is_kept_alive():
    def loss(prediction, target):
        return losses.squared_error(prediction, target)

    model, rows = network(), Rows(X)
    told = [ref(model), ref(loss), ref(rows)]
    trained(True, model, X=rows, loss=loss)
    del model, loss, rows
    gc.collect()
    assert [x() for x in told] == [None] * 3
    for memory in (programs._latest_derivations, steps._latest_kernels):
        assert memory.cache_info().maxsize <= 16


class Rows(list):
    """A list that can be referred to weakly."""


SLOPE = [2.0]


class Slope:
    """A rule that is an object, and cannot be in a set."""

    __hash__ = None

    def __call__(self, out, x):
        return (SLOPE[0],)


TOLD_SLOPE = Primitive("with a slope that is told", lambda x: x, Slope())
COUNTED = Primitive("with a slope that is counted", lambda x: x, lambda out, x: (next(NUMBERS),))
for told in (TOLD_SLOPE, COUNTED):
    lowers(told.name)(lambda m, x: x)
NUMBERS = itertools.count(1)
OUTSIDE = Value(0.5)


def outside(of):
    OUTSIDE.data, OUTSIDE.grad = of, 0.0


def of_slope(slope):
    SLOPE[0] = slope


class Activated(Line):
    """A line with an activation that is an attribute of its class."""

    activation = tanh

    def __call__(self, row):
        return Activated.activation(super().__call__(row))


# what changes between two trainings: what is trained, how it is set, what to
BETWEEN = {
    "a Value outside": ({"loss": lambda p, t: losses.squared_error(p, t) * OUTSIDE}, outside, 0.75),
    "a rule": ({"model": lambda: Of(TOLD_SLOPE)}, of_slope, -1.5),
    "an activation": ({"model": Activated}, lambda f: setattr(Activated, "activation", f), sin),
}  # fmt: skip


@pytest.mark.parametrize("what", BETWEEN)
def test_what_changes_between_trainings_is_seen(what):
    options, change, other = BETWEEN[what]
    for setting in ({"a rule": 2.0, "an activation": tanh}.get(what, 0.5), other):
        change(setting)
        for _ in range(2):
            native = state(*trained(True, **{"model": Line, "lr": 0.01} | options))
            assert_close(native, state(*trained(False, **{"model": Line, "lr": 0.01} | options)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Calling(counted), "counts its calls"),
        (lambda: Of(COUNTED), "differs every time"),
        (lambda: at_zero(Calling(noise)), "differs every time"),
        (lambda: Drawing(random.Random(1).random), "draws random numbers"),
    ],
)
def test_what_was_trained_before_is_no_excuse(model, message):
    """A model that draws may come out as one that does not, which was trained before."""
    trained(True, lambda: Calling(lambda m, row: 1.0))
    trained(True, lambda: Of(lambda x: x))
    trained(True, lambda: Undrawn())
    for _ in range(3):
        with pytest.raises(TypeError, match=message):
            trained(True, model, lr=0.01)


def at_zero(model):
    """Return a model whose answers are the same, whatever it draws, until its first step."""
    for parameter in model.parameters():
        parameter.data = 0.0
    return model


class Undrawn(Line):
    """What a line comes out as that is dropped, but rarely."""

    def __call__(self, row):
        return self.w * row[0]


def test_predictions_come_in_the_form_of_now():
    """A callback changes how the model calls them, and nothing that is computed."""
    names = [[], []]
    for compile, seen in zip((True, False), names, strict=True):
        model = Entitled("one")
        trained(
            compile,
            lambda model=model: model,
            loss=lambda p, t: losses.squared_error(*p.values(), t),
            metrics=[lambda ps, ts, seen=seen: seen.append([*ps[0]]) or 0.0],
            callbacks=[at_epoch(2, lambda model: setattr(model, "name", "other"))],
            epochs=4,
        )
    assert names[0][-4:] == names[1][-4:] == [["one"]] * 2 + [["other"]] * 2


class Entitled(Line):
    """A line whose answer has a name."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def __call__(self, row):
        return {self.name: super().__call__(row)}


# ---- parameters


class Twice(Module):
    """Two models with one and the same line in them."""

    def __init__(self):
        self.one, self.other = Line(0.3), Line(0.2)
        self.other.w = self.one.w

    def __call__(self, row):
        return self.one(row) * self.other(row)


class Idle(Line):
    """A line with a parameter that it does not use."""

    def __init__(self):
        super().__init__()
        self.idle = Value(3.0)


@pytest.mark.parametrize(
    "options",
    [
        case("shared", model=Twice, lr=0.02),
        case("some of them", moves=lambda model: model.layers[1].parameters()),
        case("one of them", moves=lambda model: model.parameters()[4:5]),
        case("in another order", moves=lambda model: model.parameters()[::-1], momentum=0.5),
        case("one that is not used", model=Idle, weight_decay=0.1),
        case("labelled as the inputs are", model=lambda: labelled("x0", "y0")),
        case("labelled alike", model=lambda: labelled("p", "p")),
        case("one row", X=X[1:2], y=Y[1:2], epochs=STEPS),
    ],
)  # fmt: skip
def test_every_choice_of_parameters(options):
    assert_same(**options)


def labelled(*labels):
    model = Line()
    model.w.label, model.b.label = labels
    return model


def test_trainings_in_several_threads_do_not_meet():
    def train(seed, results):
        results[seed] = state(*trained(True, lambda: network(seed=seed), seed=seed))

    alone, together = {}, {}
    for seed in range(4):
        train(seed, alone)
    threads = [threading.Thread(target=train, args=(seed, together)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


# ---- callbacks


def at_epoch(k, change):
    """Return a callback that changes the model, the history's optimizer or more after an epoch."""
    return lambda model, history: change(model) if len(history) == k else None


def set_weights(model):
    for parameter in model.parameters():
        parameter.data = 0.25


def rescale(model):
    model.scale = -0.5


def another(model):
    model.b = Value(0.75)


CHANGES = {"weights": set_weights, "an attribute": rescale, "a frozen parameter": another}


@pytest.mark.parametrize("k", [1, 9, 20])
@pytest.mark.parametrize("change", CHANGES)
def test_a_callback_may_change_the_model(change, k):
    native = assert_same(
        model=Line, callbacks=[at_epoch(k, CHANGES[change])], moves=lambda model: [model.w],
        momentum=0.5,
    )  # fmt: skip
    assert native["parameters"] != state(*trained(True, Line, momentum=0.5))["parameters"]


class Limited:
    """A clipping with a limit that can be set."""

    limit = 10.0

    def __call__(self, gradients):
        return optim.clip_value(self.limit)(gradients)


SETTINGS = {
    "lr": lambda optimizer, clip: setattr(optimizer, "lr", 0.003),
    "an option": lambda optimizer, clip: setattr(optimizer, "weight_decay", 0.5),
    "a kind of rule": lambda optimizer, clip: setattr(optimizer, "amsgrad", True),
    "its state": lambda optimizer, clip: optimizer.load_state_dict(
        {"lr": 0.01, "steps": 3, "state": [[0.1, 0.2, 0.3]] * 2}
    ),
    "the clipping": lambda optimizer, clip: setattr(clip, "limit", 1e-3),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_callback_may_change_the_optimizer_and_the_clipping(setting):
    def result(compile):
        model, clip = Line(), Limited()
        adam = optim.Adam(model.parameters(), lr=0.02)
        change = at_epoch(5, lambda model: SETTINGS[setting](adam, clip))
        with python_steps() as taken:
            history = fit(model, X, Y, loss=losses.squared_error, optimizer=adam, clip=clip,
                          epochs=20, batch_size=4, callbacks=[change], compile=compile,
                          progress=False)  # fmt: skip
        assert (taken == []) == compile
        return state(model, adam, history)

    assert_close(result(True), result(False))
    assert result(True) != state(*trained(True, Line, kind=optim.Adam, lr=0.02, clip=Limited()))


@pytest.mark.parametrize("then", [True, LookupError], ids=["True", "an error"])
def test_what_the_last_callback_leaves_is_what_stays(then):
    def restored(model, history):
        set_weights(model)
        if then is not True:
            raise then
        return True

    model = Line()
    with nullcontext() if then is True else pytest.raises(then):
        history = trained(True, model, callbacks=[restored])[2]
        assert (len(history), history.ended) == (1, "a callback ended it after epoch 1")
    assert [parameter.data for parameter in model.parameters()] == [0.25, 0.25]


def test_callbacks_and_metrics_see_the_weights_and_gradients_of_now():
    def seen(compile):
        rows, model = [], Line()

        def norm(predictions, targets):
            return math.hypot(*[p.data for p in model.parameters()])

        def look(model, history):
            rows.append([[p.data, p.grad] for p in model.parameters()])

        _, _, history = trained(compile, model, metrics=[norm], callbacks=[look])
        return rows + history["norm"]

    assert_close(seen(True), seen(False))


def branch(model):
    model.__class__ = Branching


class Branching(Line):
    def __call__(self, row):
        return self.w * row[0] if row[0] > 0 else self.b * row[1]


def draw(model):
    model.__class__ = Drawing
    model.draw = random.Random(1).random


class Drawing(Line):
    """A line that is dropped, but rarely."""

    def __init__(self, draw=None):
        super().__init__()
        self.draw = draw or random.Random(1).random

    def __call__(self, row):
        return (self.w if self.draw() > 0.01 else self.b) * row[0]


def fraction(model):
    model.w.data = Fraction(1, 3)


@pytest.mark.parametrize("change", [branch, draw, fraction], ids=lambda change: change.__name__)
def test_what_a_callback_leaves_that_cannot_be_compiled_goes_on_in_python(change):
    options = {"callbacks": [at_epoch(7, change)], "validation": (X[:4], Y[:4])}
    options |= {"metrics": [total], "schedule": schedules.cosine(0.2, STEPS)}
    with python_steps() as taken:
        mixed = state(*trained(None, Line, **options))
    assert taken == list(range(35, 100))
    assert_close(mixed, state(*trained(False, Line, **options)))
    with pytest.raises(TypeError, match="compile=True needs what can be compiled"):
        trained(True, Line, **options)


# ---- the bar


class Bar:
    """A bar that keeps what it is told."""

    def __init__(self):
        self.shown, self.steps = [], 0

    def update(self, steps):
        self.steps += steps

    def show(self, epoch, record):
        self.shown.append((epoch, self.steps, list(record)))


@pytest.mark.parametrize("options", [{}, {"metrics": [total]}], ids=["", "metrics"])
def test_a_bar_is_told_of_every_step_and_every_epoch(options, monkeypatch):
    bars = []
    for compile in (True, False):
        bars.append(bar := Bar())
        monkeypatch.setattr(training, "_progress_bar", lambda *_, bar=bar: nullcontext(bar))
        trained(compile, Line, **options)
    native, python = bars
    assert native.steps == python.steps == STEPS
    if options:
        assert native.shown == python.shown
    assert [row[::2] for row in native.shown] == [row[::2] for row in python.shown]


# ---- Ctrl-C


WATCHERS = {
    "nobody": {},
    "metrics and validation": {"metrics": [mean], "validation": (X[:3], Y[:3])},
    "callbacks": {"callbacks": [lambda model, history: None]},
}


@contextmanager
def ctrl_c_in_call(number):
    """Interrupt a native training from another thread, in one of its calls."""
    begun, own, calls = threading.Event(), EpochStretch.run, itertools.count(1)

    def run(self, *given):
        if next(calls) == number:
            begun.set()
        return own(self, *given)

    def interrupt():
        begun.wait()
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    gc.collect()
    gc.disable()  # Python loses a Ctrl-C that comes while it collects what was left by other tests
    thread.start()
    try:
        with patch.object(EpochStretch, "run", run):
            yield
    finally:
        gc.enable()
    thread.join()


@pytest.mark.parametrize("watchers", WATCHERS)
@pytest.mark.parametrize("call", [1, 3])
def test_ctrl_c_ends_the_training_with_weights_and_history_of_the_same_steps(
    call, watchers, monkeypatch
):
    monkeypatch.setattr(trainer, "MOST_ROWS", 10 * ROWS)
    options = {"lr": 1e-4, "schedule": schedules.cosine(1e-3, 10**6)} | WATCHERS[watchers]
    with ctrl_c_in_call(call):
        _, optimizer, history = trained(True, Line, kind=optim.Adam, epochs=10**5, **options)
    finished = optimizer.steps // 5
    assert history.ended == f"interrupted in epoch {len(history) + 1}"
    assert history["epoch"] == list(range(1, len(history) + 1))
    assert finished - len(history) in ((0, 1) if WATCHERS[watchers] else (0,))

    def until_then(step):
        return options["schedule"](step) if step < optimizer.steps else 1 / 0

    kept = Kept(optim.Adam)
    with pytest.raises(ZeroDivisionError):
        trained(True, Line, kind=kept, epochs=finished + 1, **options | {"schedule": until_then})
    assert now(kept.made) == now(optimizer)


# ---- what goes wrong in Python does so natively


def numbers_left_out(text):
    return re.sub(r"-?\b(\d+\.?\d*(e[+-]?\d+)?|inf|nan)\b", "#", text)


def up(prediction, target):
    return -prediction


def itself(prediction, target):
    return prediction


def nothing(x):
    """Return 0, with the slope of x."""
    return x - x.detach()


# what happens: what is trained, what the message names
DISASTERS = {
    "a rate too large": ({"model": Line, "lr": 1e100}, "**2 of"),
    "a rate that grows": ({"model": Line, "schedule": lambda step: 10.0 ** (9 * step)}, "**2 of"),
    "an overflow of exp": ({"model": lambda: Of(exp), "loss": up, "lr": 1.0}, "exp of"),
    "a logarithm of less than 0": ({"model": lambda: Of(log, 0.1, 2.0), "loss": itself}, "log of"),
    "a single row": ({"model": lambda: Of(lambda x: x, b=1.0), "loss": lambda p, t: p / (t + p)}
                     | {"y": [1.0, 1.0, -1.0] + [1.0] * (ROWS - 3), "X": [[0.0]] * ROWS},
                     "/ of"),
    "a row of data": ({"model": lambda: Logarithmic()}, "log of"),
    "a product that overflows": ({"model": lambda: Of(lambda x: x * 1e200 * 1e200)}, "`*` of"),
    "an infinite slope": ({"model": lambda: Of(lambda x: sqrt(x - x)), "loss": itself},
                          "the derivative of sqrt of"),
    "a gradient that overflows": (
        {"model": lambda: Of(lambda x: x * 1e-300 * 1e200 * 1e200 * 1e10), "loss": itself},
        "a gradient is not finite: first in the derivative of `*` of"),
    "a step too large": ({"model": lambda: Of(lambda x: nothing(x) * 1e300), "loss": itself,
                          "lr": 1e10, "momentum": 0.5}, "the step must leave every parameter"),
    "a rule that divides by 0": ({"model": Idle, "kind": optim.Adam, "eps": 0.0}, "division"),
    "a clipping that divides by 0": ({"model": Idle, "clip": lambda gs: [g / gs[-1] for g in gs]},
                                     "division"),
    "a validation": ({"model": lambda: Of(log, 0.0, 2.0), "loss": itself, "batch_size": None,
                      "validation": ([[1e3, 0.0]], [1]), "lr": 1e-2}, "log of"),
}  # fmt: skip


class Logarithmic(Line):
    def __call__(self, row):
        return self.w * log(row[0] + 0.5) + self.b


@pytest.mark.parametrize("watched", [{}, {"metrics": [mean]}], ids=["alone", "watched"])
@pytest.mark.parametrize("disaster", DISASTERS)
def test_where_the_numbers_end_is_said_as_in_python(disaster, watched):
    def end(compile):
        options = {"shuffle": False, "epochs": 50, "kind": optim.SGD} | given | watched
        model, kept, history = options.pop("model")(), Kept(options.pop("kind")), History()
        with python_steps() as taken, pytest.raises(ArithmeticError) as caught:
            trained(compile, model, kind=kept, history=history, **options)
        error, parameters = caught.value, model.parameters()
        assert message in str(error)
        assert not compile or len(taken) <= 1  # the step that says what is wrong
        assert {type(parameter) for parameter in parameters} == {Value}
        place, _, what = str(error).partition(": ")
        said = type(error), place, numbers_left_out(what), len(getattr(error, "__notes__", []))
        finite = [math.isfinite(parameter.grad) for parameter in parameters]
        return [*said, history.records, finite, *kept.now()]

    given, message = DISASTERS[disaster]
    assert_close(end(True), end(False))


FRAGILE = Primitive("fragile, natively", lambda x: x, lambda out, x: (1.0,))


@lowers("fragile, natively")
def _(m, x):
    return m.select(m.less(x, 1.0), x, math.nan)


def test_a_step_that_a_kernel_cannot_take_is_taken_in_python():
    """Its predictions come from there too, and the schedule is asked once for every step."""

    def result(compile):
        rates = iter([0.1 / (1 + k) for k in range(STEPS)])
        options = {"metrics": [total], "validation": (X, Y), "schedule": lambda step: next(rates)}
        with python_steps() as taken:
            result = state(*trained(compile, lambda: Of(FRAGILE), momentum=0.5, **options))
        assert 10 < len(taken) <= (90 if compile else STEPS)
        return result

    assert_close(result(True), result(False))


@pytest.mark.parametrize("end", [LookupError("mine"), None, -1.0, math.nan, "0.1"], ids=repr)
@pytest.mark.parametrize("k", [0, 5, 7, 99])
def test_what_is_wrong_with_a_schedule_is_said_when_its_step_comes(end, k):
    def schedule(step):
        if step < k:
            return 0.1 / (1 + step)
        if isinstance(end, Exception):
            raise end
        return end

    def ends(compile, watched):
        kept, seen = Kept(optim.Adam), []
        callbacks = [lambda model, history: seen.append(history[-1])] if watched else []
        with pytest.raises((LookupError, ValueError)) as caught:
            trained(compile, Line, kind=kept, schedule=schedule, callbacks=callbacks)
        assert len(seen) == (k // 5 if watched else 0)
        return repr(caught.value), seen, *kept.now()

    for watched in (True, False):
        assert_close(ends(True, watched), ends(False, watched))


# ---- what cannot be compiled


class Calling(Line):
    """A line whose answer goes through a function of the model and the row."""

    def __init__(self, function):
        super().__init__()
        self.function, self.calls, self.kept = function, 0, []

    def __call__(self, row):
        return super().__call__(row) * self.function(self, row)


def counted(model, row):
    model.calls += 1
    return 1.0 + 0.5 / model.calls


def noise(model, row):
    return 1.0 + 0.01 * GENERATOR.normal()


def kept(model, row):
    model.kept = [row[0] * model.w]
    return 1.0


def asserted(model, row):
    assert isinstance(row[0], float)
    return 1.0


class Own(optim.SGD):
    def step(self):
        super().step()


class OwnZero(optim.SGD):
    def zero_grad(self):
        super().zero_grad()


class OwnGenerator(optim.SGD):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.random = random.Random(3)


class Langevin(OwnGenerator):
    def update(self, p, g, state, lr, step):
        return super().update(p, g + 0.01 * self.random.gauss(), state, lr, step)


def patched(*given, **options):
    optimizer = optim.SGD(*given, **options)
    step = optimizer.step
    optimizer.step = lambda: step()
    return optimizer


def of_parameters(make):
    model = Line()
    model.w, model.b = make(0.5), make(0.25)
    return model


def noisy_loss(draw):
    return lambda prediction, target: prediction * prediction * draw.random()


def noisy():
    draw = random.Random(2)
    return lambda gradients: [g + draw.gauss(0.0, 0.01) for g in gradients]


ALONE = Primitive("without a lowering", lambda x: x, lambda out, x: (1.0,))
GENERATOR = np.random.default_rng(0)
TABLE = {x[0]: x[1] for x in X}
# what is trained, anew each time: what the refusal says
REFUSED = {
    "branches": (lambda: {"model": Branching}, "must not branch on a number"),
    "branches in the loss": (lambda: {"loss": lambda p, t: p * p if t > 0 else abs(p)}, "branch"),
    "branches in the clipping": (
        lambda: {"clip": lambda gs: [g if g < 1 else g / g for g in gs]}, "branch"),
    "a table": (lambda: {"model": Calling(lambda m, row: TABLE[row[0]])}, "the traced number x0"),
    "a list": (lambda: {"model": Calling(lambda m, row: [1.0, 2.0][row[0] > 0])}, "number"),
    "a float's method": (
        lambda: {"model": Calling(lambda m, row: 1 + row[0].is_integer())}, "is_integer"),
    "Python's functions": (lambda: {"model": Calling(lambda m, row: math.exp(row[0]))}, "v.exp()"),
    "asserts floats": (lambda: {"model": Calling(asserted)}, ""),
    "a generator": (lambda: {"model": Drawing()}, "draws random numbers"),
    # older ones show that they are called, and newer ones only that their numbers differ
    "NumPy's generator": (lambda: {"model": Calling(noise)}, "differs every time"),
    "the global generator": (
        lambda: random.seed(0) or {"model": Drawing(lambda: random.uniform(0, 1))}, "draws random"),
    "drawing in the loss": (
        lambda: {"loss": noisy_loss(random.Random(0))}, "draws random"),
    "drawing in the clipping": (lambda: {"clip": noisy()}, "draws random numbers"),
    "drawing in the rule": (lambda: {"kind": Langevin}, "draws random numbers"),
    "counts": (lambda: {"model": Calling(counted)}, "counts its calls"),
    "something else of floats": (
        lambda: {"model": Calling(lambda m, row: 2.0 if isinstance(row[0], float) else 1.0)},
        "the mean loss of the first 4 rows is"),
    "keeps": (lambda: {"model": Calling(kept)}, "keeps what it computes"),
    "a step of its own": (lambda: {"kind": Own}, "Own has a `step` of its own"),
    "a zero_grad of its own": (lambda: {"kind": OwnZero}, "OwnZero has a `zero_grad` of its own"),
    "a patched step": (lambda: {"kind": patched}, "SGD has a `step` of its own"),
    "Fractions": (lambda: {"model": of_parameters(lambda x: Value(Fraction(x)))}, "floats"),
    "no lowering": (lambda: {"model": Of(ALONE)}, "'without a lowering' has no lowering"),
    "targets of two lengths": (
        lambda: {"y": [*PAIRS[:-1], [0.0]], "loss": lambda p, t: p * p * t[-1]}, "of one length"),
    "targets of two kinds": (
        lambda: {"y": [*Y[:-1], [0.0]], "loss": lambda p, t: p * p}, "of one length"),
    "held-out targets of another length": (
        lambda: {"y": PAIRS, "loss": lambda p, t: p * t[-1], "validation": (X, [[1.0]] * ROWS)},
        "of one length"),
    "held-out targets of another kind": (
        lambda: {"y": PAIRS, "loss": lambda p, t: p * p, "validation": (X, Y)}, "of one length"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compiled_is_refused_if_one_insists_and_else_done_in_python(what):
    make, message = REFUSED[what]
    options = {"model": Line, "lr": 0.01} | make()
    model = options.pop("model")
    model = model() if isinstance(model, type) else model
    before = [(type(p), p.data, p.grad) for p in model.parameters()]
    with pytest.raises(
        TypeError, match=f"compile=True needs what can be compiled: .*{re.escape(message)}"
    ):
        trained(True, model, **options)
    assert [(type(p), p.data, p.grad) for p in model.parameters()] == before
    results = []
    for compile in (None, False):
        options = {"model": Line, "lr": 0.01} | make()
        model, optimizer, history = trained(compile, **options)
        results.append(state(model, optimizer, history))
        assert [type(p) for p in model.parameters()] == [kind for kind, _, _ in before]
    if what not in ("counts", "NumPy's generator"):  # which go on from where tracing left them
        assert results[0] == results[1]


def test_anomalies_are_looked_for_in_python():
    with detect_anomaly():
        with pytest.raises(TypeError, match=r"under detect_anomaly\(\)"):
            trained(True, Line)
        with python_steps() as taken:
            trained(None, Line)
    assert len(taken) == STEPS


def test_an_optimizer_of_others_is_refused_as_in_python():
    for compile in (True, None, False):
        w, other = Value(1.0), Value(2.0)
        with pytest.raises(ValueError, match=r"^the optimizer must move the model's parameters"):
            fit(lambda row, w=w: w * row[0], X, Y, loss=losses.squared_error, epochs=50,
                optimizer=optim.SGD([other]), compile=compile, progress=False)  # fmt: skip
        assert (w.data, other.data, type(w), type(other)) == (1.0, 2.0, Value, Value)


def test_without_recording_there_is_nothing_to_derive_natively_either():
    for compile in (True, None, False):
        with no_grad(), pytest.raises((TypeError, RuntimeError, ValueError)):
            trained(compile, Line)


@pytest.mark.parametrize("compile", ["yes", "", 1, 0, 0.0, [True]], ids=repr)
def test_whether_to_compile_is_yes_no_or_none(compile):
    model = Line()
    with pytest.raises(TypeError, match="`compile` must be True, False or None, got"):
        trained(compile, model)
    assert model.state_dict() == Line().state_dict()


@pytest.mark.parametrize("missing", ["llvmlite", "numpy"])
def test_without_the_extra_python_trains_and_insisting_says_what_to_install(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=f"{missing}: pip install 'microgrid-autodiff.compile.'"):
        trained(True, Line)
    with python_steps() as taken:
        trained(None, Line)
    assert len(taken) == STEPS
