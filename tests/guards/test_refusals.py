"""A law of what teaches: wrong arguments are refused with what must hold and what was got.

The mistakes are a beginner's: data of another shape or type, arguments in another order. None may
end in an error from within, which names what only the library knows.
"""

import math
import re
from itertools import product

import numpy as np
import pytest

import microgrid as mg
from microgrid import MLP, Layer, Neuron, Value, accuracy, datasets, fit, losses, optim, schedules
from microgrid.metrics import confusion_matrix

X, Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
v = Value(0.5)
leaf = [Value(1.0)]
constant = schedules.constant(0.1)

# What an error from within says. Such as the last come of a wrong number of arguments alone.
WITHIN = re.compile(
    r"zip\(\)|unary|operand type|subscriptable|unhashable|has no len|not iterable|not supported "
    r"between|float\(\)|could not convert|object has no attribute|positional argument|max\(\)"
)
SAYS = re.compile(r"must|needs?\b|takes|says", re.IGNORECASE)

LOSSES = [
    losses.squared_error, losses.absolute_error, losses.huber, losses.hinge,
    losses.binary_cross_entropy,
]  # fmt: skip
UNEQUAL = [
    *[([[v], [v]], [1, 1]), ([[v], [v]], [[1], [1]]), (v, "1"), ("1", 1), (v, [1]), ([v], 1)],
    *[([v], ["a"]), (v, None), ({0: v}, {0: 1}), ({v}, [1]), ([None], [1]), (v, {1}), (v, 1j)],
    *[([v, v], "10"), (abs, 1), ([v], [[1]]), ([v, v, v], 0), ([v], []), ([], [])],
    (np.array([[1.0], [2.0]]), np.array([1.0, 1.0])),
]
NO_CLASSES = [
    *[1.0, [0, 1], [0.0, 1.0], np.array([0, 1]), "b", "cat", np.float64(1.0), None, v, [1], 2, -1],
    *[[0], 0.5],
]
NO_LOGITS = [[[v], [v]], "ab", {0: v, 1: v}, v, [], [None, v], ["a", "b"], {v}, np.ones((1, 2))]
NO_PAIRS = [
    *[([1.0, 2.0], [1]), ([1.0], [1, 0]), (1.0, 1), ([1.0], 1), (1.0, [1]), ([], []), (["a"], [1])],
    *[([1.0], ["a"]), ([[1.0, 2.0]], ["a"]), ([[1.0, 2.0]], [[0, 1]]), ([[1.0, 2.0]], [2])],
    *[([[1.0, 2.0]], [-1]), ([[]], [0]), ([1.0], [2]), ([1.0], [[1]]), ([[1.0]], [1])],
    *[(None, [1]), ([None], [1]), (["ab"], [1]), ({1.0}, [1]), ([1.0], {1}), ([["a", "b"]], [0])],
    *[({"a": 1}, {"a": 1}), ([[[1.0, 2.0]]], [0]), ([1.0], [None]), ([1.0], [math.nan])],
    *[([1.0], [0.5]), ([[1.0, 2.0]], [0.5]), ("ab", [1, 1])],
]
NO_ROWS = [
    *[[1.0], [1.0, 2.0, 3.0], 1.0, v, "ab", ["a", "b"], [[1.0, 2.0]], X, None, [None, 1.0]],
    *[np.zeros((2, 2)), np.zeros(3), {1.0, 2.0}, {0: 1.0, 1: 2.0}, [1j, 1.0], (), abs, b"ab"],
    *[np.array(["a", "b"]), [[1.0], [2.0]], [v, [v]]],
]
NO_TABLES = [
    *[None, 5, "ab", [], [1, 2], [[1], [1, 2]], [["a"]], [[None]], [[math.nan]], [[]], [{1, 2}]],
    *[{1: 2}, [{0: 1}], [[1j]], [[v]], ["12"], [[[1]]], np.zeros(3), np.zeros((2, 2, 2))],
]
NO_PARAMETERS = [
    *[None, v, MLP(2, [1]), [], [1.0], "ab", [v + 1], [[v]], {v}, {"v": v}, 5, [None], MLP],
    *[MLP(2, [1]).parameters, MLP(2, [1]).state_dict(), [Value(1.0).detach()]],
]
NO_RATES = ["a", None, -1, math.nan, math.inf, [0.1], 1j, constant, v, True]
NO_COUNTS = ["a", 0, 1.5, None, True, [1], -3]
OPTIMIZERS = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop]


def calls():
    """Yield each function with wrong arguments for it."""
    yield from [(loss, pair) for loss, pair in product(LOSSES, UNEQUAL)]
    yield from [(losses.huber, (v, 1.0, delta)) for delta in ["1", None, [1], 0, -1, math.nan, v]]
    yield from [(losses.cross_entropy, ([v, v], target)) for target in NO_CLASSES]
    yield from [(losses.cross_entropy, (logits, 0)) for logits in NO_LOGITS]
    yield from [(metric, pair) for metric in (accuracy, confusion_matrix) for pair in NO_PAIRS]
    yield (confusion_matrix, ([[1.0, 2.0], [1.0, 2.0, 3.0]], [0, 1]))
    models = Neuron(2, seed=0), Layer(2, 2, seed=0), MLP(2, [2, 1], seed=0)
    yield from [(model, (x,)) for model, x in product(models, NO_ROWS)]
    yield from [(Neuron, (size,)) for size in NO_COUNTS]
    yield from [(Layer, (2, size)) for size in NO_COUNTS] + [(Neuron, (2, "relu"))]
    wrong = [
        0,
        [0],
        [1.5],
        ["1"],
        "16",
        [[16]],
        16,
        None,
        {3, 1},
        {3: 1},
        np.array([3, 1], "m8[ns]"),
        [],
        [True],
        [-1],
    ]
    yield from [(MLP, (2, sizes)) for sizes in wrong]
    yield from [
        (MLP, first) for first in [([2, 16, 1],), (2,), ("2", [1]), (2.0, [1]), (True, [1])]
    ]
    yield from [
        (lambda option=option: MLP(2, [1], **option), ())
        for option in [
            *[{"activation": x} for x in ("rlu", None, ["relu"], 1.0)],
            *[{"init": x} for x in ("x", None, 0.5)],
            *[{"seed": x} for x in ("a", 1.5, -1)],
        ]
    ]
    yield from [(Neuron(2).load_state_dict, (x,)) for x in (None, [1], "a", {"x": 1}, {}, 5)]
    yield from [
        (Neuron(2).load_state_dict, ({"w.0": x, "w.1": 1, "b": 1},)) for x in ("a", None, [1], v)
    ]
    yield from [(Neuron(2).with_parameters, (x,)) for x in (None, 5, "abc", [1], [1, 2, "a"], v)]
    yield from [(Neuron(2).with_parameters, (x,)) for x in ({1, 2, 3}, {"w.0": 1})]
    yield from [(kind, (x, 0.1)) for kind, x in product(OPTIMIZERS, NO_PARAMETERS)]
    yield from [(kind, (leaf, lr)) for kind, lr in product(OPTIMIZERS, NO_RATES)]
    yield from [
        (lambda kind=kind, option=option: kind(leaf, 0.1, **option), ())
        for kind, option in [
            *[(optim.SGD, {name: "no"}) for name in ("momentum", "nesterov", "maximize")],
            *[(optim.SGD, {"momentum": -1}), (optim.SGD, {"nesterov": True})],
            *[(optim.Adam, {"betas": x}) for x in (0.9, (0.9,), ("a", "b"), None, (0.9, 1.0))],
            *[(optim.Adam, {"eps": "a"}), (optim.Adam, {"amsgrad": "x"})],
            *[(optim.RMSprop, {"alpha": 1}), (optim.RMSprop, {"centered": "x"})],
        ]
    ]
    clips = [optim.clip_norm, optim.clip_value]
    yield from [(clip, (x,)) for clip, x in product(clips, ["a", None, -1, math.nan, [1], v, True])]
    clips = [optim.clip_grad_norm_, optim.clip_grad_value_]
    yield from [(clip, (x, 1.0)) for clip, x in product(clips, [MLP(2, [1]), None, [1.0], "ab", v])]
    yield from [(clip, (leaf, x)) for clip, x in product(clips, ["a", None, -1])]
    yield from [(schedules.constant, (x,)) for x in NO_RATES]
    for make in (schedules.linear, lambda start, end, steps: schedules.cosine(start, steps, end)):
        yield from [(make, (x, 0.0, 5)) for x in NO_RATES] + [(make, (1.0, x, 5)) for x in NO_RATES]
        yield from [(make, (1.0, 0.0, x)) for x in ("5", 0, None, [5], -1, math.nan, True)]
    yield from [(schedules.exponential, pair) for x in NO_RATES for pair in [(x, 0.5), (1.0, x)]]
    yield from [(schedules.warmup, (x, 5)) for x in (0.1, None, "a")]
    yield from [(schedules.warmup, (constant, x)) for x in ("5", None, 0, constant)]
    yield from [(schedules.warmup, (constant, 5, x)) for x in ("a", None, -1)]
    for make in (datasets.moons, datasets.circles, datasets.spirals, datasets.xor, datasets.blobs):
        yield from [(make, (x,)) for x in NO_COUNTS]
        yield from [(lambda make=make, x=x: make(seed=x), ()) for x in ("a", 1.5, -1)]
    for make in (datasets.moons, datasets.xor):
        yield from [(make, (4, x)) for x in ("a", -1, None, math.nan, [1], True)]
    yield from [(datasets.blobs, (4, x)) for x in [*NO_TABLES, 2.5, 0] if not is_count(x)]
    yield from [(datasets.circles, (4, 0.1, x)) for x in ("a", 0, 1, None)]
    wrong = [None, 5, "abcd", b"abcd", set(Y), {0: 1}, X[:1], iter(X[:1])]
    for make in (datasets.split, lambda X, y: datasets.batches(X, y, 2)):
        yield from [(make, (X, x)) for x in wrong] + [(make, (x, Y)) for x in wrong]
    yield from [(datasets.split, (X, Y, x)) for x in (2, "a", None, True, 0)]
    yield from [(datasets.split, (X, Y, 0.5, 0, x)) for x in ("no", 5, None)]
    yield (datasets.split, (X, [[y] for y in Y], 0.5, 0, True))
    yield from [(datasets.batches, (X, Y, x)) for x in NO_COUNTS]
    yield (datasets.batches, (X, Y, 2, "no"))
    fitted = datasets.StandardScaler().fit([[1.0], [2.0]])
    for method in (datasets.StandardScaler().fit, fitted.transform, fitted.inverse_transform):
        yield from [(method, (x,)) for x in NO_TABLES]


def is_count(x):
    return isinstance(x, int) and x > 0


@pytest.mark.parametrize("name", sorted({getattr(f, "__qualname__", repr(f)) for f, _ in calls()}))
def test_a_wrong_argument_is_refused_with_what_must_hold_and_what_was_got(name):
    for function, arguments in calls():
        if getattr(function, "__qualname__", repr(function)) == name:
            with pytest.raises((TypeError, ValueError)) as refused:
                pytest.fail(f"{name}{arguments} is {function(*arguments)}")
            message = str(refused.value)
            assert SAYS.search(message), (arguments, message)
            assert " got" in message or "missing" in message, (arguments, message)
            assert not WITHIN.search(message), (arguments, message)


# ---- what to write instead

ADVICE = [
    (lambda: MLP([2, 16, 1]), r"write MLP\(2, \[16, 1\]\)$"),
    (lambda: losses.binary_cross_entropy([[v], [v]], [1, 1]), "a loss is of one row"),
    (lambda: losses.binary_cross_entropy(v, -1), r"use \(target \+ 1\) / 2 for -1 and 1"),
    (lambda: losses.squared_error(v, [1.0]), r"write numpy\.ravel\(y\), or \[t for \[t\] in y\]"),
    (lambda: losses.squared_error([v], 1.0), r"write prediction\[0\]"),
    (lambda: losses.binary_cross_entropy([v, v], 1), "for the index of a class take cross_entropy"),
    (lambda: losses.cross_entropy([v, v], 1.0), r"write int\(y\)"),
    (lambda: losses.cross_entropy([v, v], [0, 1]), r"write y\.index\(1\)"),
    (lambda: losses.cross_entropy([v, v], [1]), r"write numpy\.ravel\(y\)"),
    (lambda: losses.cross_entropy([v, v], "cat"), "number the classes"),
    (lambda: losses.cross_entropy([v, v], 2), "classes count from 0"),
    (lambda: accuracy([1.0, 2.0], [1]), "of one length, got 2 and 1"),
    (lambda: accuracy([[1.0, 2.0]], [[0, 1]]), r"write y\.index\(1\)"),
    (lambda: accuracy([1, 0], [[1.0, 2.0], [2.0, 1.0]]), "predictions come before targets"),
    (lambda: accuracy([1.0], [[1]]), r"write numpy\.ravel\(y\)"),
    (lambda: accuracy([1.0], ["cat"]), "number the classes"),
    (lambda: accuracy([[1.0]], [1]), "a logit for each class, at least two, or a single number"),
    (lambda: accuracy([[1.0], [2.0]], [1, 1]), r"take \[p for \[p\] in predictions\]"),
    (lambda: MLP(2, [1])(X), r"\[model\(row\) for row in X\]"),
    (lambda: schedules.warmup(0.1, 5), r"such as constant\(0\.1\)"),
    (lambda: datasets.split(X, [[y] for y in Y], 0.5, stratify=True), r"write numpy\.ravel\(y\)"),
]


@pytest.mark.parametrize(("call", "advice"), ADVICE, ids=[advice for _, advice in ADVICE])
def test_a_refusal_says_what_to_write_instead(call, advice):
    with pytest.raises((TypeError, ValueError), match=advice):
        call()


ONE_HOT = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
FITS = {
    "a column": ({"y": [[y] for y in Y]}, r"row 0 of `y` .*write numpy\.ravel\(y\)"),
    "a column in an array": (
        {"y": np.reshape(Y, (-1, 1))},
        r"row 0 of `y` .*write numpy\.ravel\(y\)",
    ),
    "one-hot": ({"outs": 3, "y": ONE_HOT, "loss": losses.cross_entropy}, r"write y\.index\(1\)"),
    "float classes": (
        {"outs": 3, "y": [0.0, 1.0, 2.0, 1.0], "loss": losses.cross_entropy},
        r"row 0 of `y` .*write int\(y\)",
    ),
    "a column of classes": (
        {"outs": 3, "y": [[y] for y in Y], "loss": losses.cross_entropy},
        r"row 0 of `y` .*write numpy\.ravel\(y\)",
    ),
    "words": ({"y": ["a", "b", "b", "a"]}, "row 0 of `y` must be a plain number, .*number the cl"),
    "from 1": ({"outs": 3, "y": [1, 2, 3, 1], "loss": losses.cross_entropy}, "classes count from"),
    "many outputs": ({"outs": 3}, "row 0 of `y` .*for the index of a class take cross_entropy"),
    "a loss of all rows": (
        {"loss": lambda ps, ts: sum((p - t) ** 2 for p, t in zip(ps, ts, strict=True))},
        "a loss takes the prediction and the target of one row",
    ),
    "a loss of one argument": ({"loss": lambda p: p}, "a loss takes the prediction and the target"),
    "shuffle": ({"shuffle": "no"}, "`shuffle` must be True or False, got 'no'"),
    "progress": ({"progress": "no"}, "`progress` must be True or False, got 'no'"),
}


@pytest.mark.parametrize("mistake", FITS)
def test_fit_says_what_to_write_instead_before_the_first_step(mistake):
    options, advice = FITS[mistake]
    options = {"y": Y, "loss": losses.binary_cross_entropy, "progress": False, **options}
    model = MLP(2, [2, options.pop("outs", 1)], seed=0)
    before = model.state_dict()
    adam = optim.Adam(model.parameters())
    with pytest.raises((TypeError, ValueError), match=advice):
        fit(model, X, optimizer=adam, epochs=2, **options)
    assert (model.state_dict(), adam.steps) == (before, 0)


@pytest.mark.parametrize("answer", [None, [1.0], ["a"] * 3])
def test_what_clips_to_no_gradients_is_refused_with_no_step_taken(answer):
    model = MLP(2, [1], seed=0)
    before = model.state_dict()
    with pytest.raises(TypeError, match="`clip` must return 3 gradients as plain numbers, got"):
        fit(
            model, X, Y, loss=losses.squared_error, optimizer=optim.SGD(model.parameters()),
            epochs=1, clip=lambda gradients: answer, progress=False, compile=False,
        )  # fmt: skip
    assert model.state_dict() == before


def test_a_logit_that_is_nan_says_no_class():
    assert accuracy([[math.nan, 1.0], [1.0, math.nan]], [0, 0]) == 0.0
    assert accuracy([[mg.Value(math.nan), 1.0]], [1]) == 0.0
