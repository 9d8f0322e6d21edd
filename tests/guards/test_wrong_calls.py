"""A law of all that is public: a wrong argument is refused in words of the library, or is none.

Each function is called as it should be, but for one argument, in whose place stands everything that
somebody may pass by mistake. The call returns, or it raises a built-in exception from a line of the
library that raises it on purpose: none from within, none that is long, and nothing has moved.
"""

import functools
import importlib
import inspect
import linecache
import math
import operator
import re
import warnings
from decimal import Decimal
from fractions import Fraction
from numbers import Integral
from pathlib import Path

import numpy as np
import pytest

import microgrid as mg
from microgrid import (
    MLP,
    History,
    Layer,
    Neuron,
    Primitive,
    Value,
    accuracy,
    arrays,
    calculus,
    compiler,
    datasets,
    drawing,
    fit,
    functional,
    losses,
    metrics,
    optim,
    schedules,
    testing,
)
from microgrid.compiler.trace import Traced
from microgrid.guards.checks import is_bool, is_real

PACKAGE = Path(mg.__file__).parent
LONG = 700  # characters of a message that nobody reads to its end

X, Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]


@functools.cache
def nested(depth):
    x = []
    for _ in range(depth):
        x = [x]
    return x


def in_itself():
    x = [1.0]
    x.append(x)
    return x


WRONG = {  # what may stand in the place of an argument, made anew for each call
    "None": lambda: None,
    "True": lambda: True,
    "'x'": lambda: "x",
    "10**400": lambda: 10**400,
    "nan": lambda: math.nan,
    "[None]": lambda: [None],
    "object": object,
    "-1": lambda: -1,
    "1.5": lambda: 1.5,
    "a set": lambda: {1, 2},
    "an array": lambda: np.array([1.0, 2.0]),
    "a function": lambda: lambda: 1,
    "b'x'": lambda: b"x",
    "''": lambda: "",
    "'1.5'": lambda: "1.5",
    "0": lambda: 0,
    "inf": lambda: math.inf,
    "-10**400": lambda: -(10**400),
    "a large fraction": lambda: Fraction(10**400),
    "a decimal": lambda: Decimal("1.5"),
    "1j": lambda: 1j,
    "[]": list,
    "()": tuple,
    "{}": dict,
    "a class": lambda: int,
    "no entries": lambda: np.array([]),
    "no dimensions": lambda: np.array(1.0),
    "a matrix": lambda: np.ones((2, 2)),
    "texts": lambda: np.array(["a"]),
    "objects": lambda: np.array([None, "a"], object),
    "np.nan": lambda: np.float64("nan"),
    "np.int64": lambda: np.int64(3),
    "masked": lambda: np.ma.masked,
    "a date": lambda: np.datetime64("2020"),
    "a duration": lambda: np.timedelta64(1, "s"),  # a whole number, to Python
    "a Value": lambda: Value(0.5),
    "a result": lambda: Value(0.5) * 2,
    "a traced number": lambda: Traced("t"),
    "a generator": lambda: (i for i in range(3)),
    "['a']": lambda: ["a"],
    "[[]]": lambda: [[]],
    "[[None]]": lambda: [[None, 1.0]],
    "[10**400]": lambda: [10**400],
    "[nan]": lambda: [math.nan],
    "[1, 2]": lambda: [1, 2],
    "{'a': 1}": lambda: {"a": 1},
    "bytes in memory": lambda: memoryview(b"ab"),
    "a model": lambda: MLP(2, [1], seed=0),
    "a module": lambda: math,
    "...": lambda: ...,
    "an error": lambda: ValueError("v"),
    "a long text": lambda: "a" * 100_000,
    "deep": lambda: [nested(100_000)],  # what is below is made once, which takes long
    "in itself": in_itself,
}
FIRST = 12  # so many are tried in every run, the others in turn


class Call:
    """A function, how it is called right, and what must not move."""

    def __init__(self, make, moves=lambda: None, **right):
        self.make, self.moves, self.right = make, moves, right

    def with_wrong(self, name, x):
        """Call it with one argument replaced."""
        function = self.make()
        arguments = {key: x if key == name else right() for key, right in self.right.items()}
        parameters = self.parameters
        if parameters is None:
            return function(*arguments.values())
        parameters = parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return function(**arguments)
        by_name = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
        if any(p.kind is p.VAR_POSITIONAL for p in parameters) and not set(arguments) & by_name:
            by_name = set()
        given = [x for key, x in arguments.items() if key not in by_name]
        named = {key: x for key, x in arguments.items() if key in by_name}
        return function(*given, **named)

    @functools.cached_property
    def parameters(self):
        """The parameters of the function, by name; None where Python cannot tell them."""
        try:
            return inspect.signature(self.make()).parameters
        except (TypeError, ValueError):
            return None


def constant(x):
    return lambda: x


def model():
    return MLP(2, [2, 1], seed=0)


def of_the_playground():
    return MLP(2, [8, 8, 1], activation="tanh")


def with_gradients(kind=optim.Adam):
    made = kind(model().parameters())
    for parameter in made.parameters:
        parameter.grad = 0.5
    return made


def setting(name):
    """Return a function that sets an attribute of a leaf."""
    return lambda: lambda x: setattr(Value(1.0), name, x)


class Fitting:
    """Trains a small model, and raises if a refused training has moved it."""

    def __init__(self, name):
        self.name = name

    def __call__(self, x):
        own = model()
        adam = optim.Adam(own.parameters())
        options = {
            **{"model": own, "X": X, "y": Y, "loss": losses.binary_cross_entropy, "epochs": 1},
            **{"optimizer": adam, "compile": False, "progress": False, self.name: x},
        }
        before = own.state_dict(), adam.state_dict()
        try:
            fit(**options)
        except Exception:
            assert (own.state_dict(), adam.state_dict()) == before, "something has moved"
            raise


def loading(kind, key=None):
    """Return a function that loads a state, or one with another entry, and moves nothing else."""

    def load(x):
        optimizer = with_gradients(kind)
        before = optimizer.state_dict()
        try:
            optimizer.load_state_dict(x if key is None else before | {key: x})
        except Exception:
            assert optimizer.state_dict() == before, "something has moved"
            raise

    return lambda: load


def stepping(kind, name):
    """Return a function that takes a step after something was set."""

    def step(x):
        optimizer = with_gradients(kind)
        setattr(optimizer if name == "lr" else optimizer.parameters[0], name, x)
        before = [p.data for p in optimizer.parameters]
        try:
            optimizer.step()
        except Exception:
            assert [p.data for p in optimizer.parameters] == before, "something has moved"
            raise

    return lambda: step


def defaults(function, **right):
    """Return how a function is called right: as given, and else by its defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: right.get(p.name, constant(p.default)) for p in parameters}


def movie():
    kept = drawing.BoundaryMovie(X, Y, resolution=5)
    kept(model(), History([{"epoch": 1, "loss": 1.0}]))
    return kept


a, b = Value(2.0, label="a"), Value(-3.0, label="b")
product = mg.compile(lambda x, y: x * y)
one, square = constant(1.0), constant(lambda x: x * x)
numbers = constant([0.5, Value(1.0)])
ELEMENTARY = [f for f in vars(functional).values() if isinstance(f, Primitive)]
SEQUENCES = [
    *("sum", "prod", "mean", "max", "min", "norm", "logsumexp", "log_softmax", "softmax"),
]
SHAPES = [datasets.moons, datasets.circles, datasets.spirals, datasets.xor, datasets.blobs]
KINDS = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop]
TRANSFORMS = [calculus.grad, calculus.value_and_grad, calculus.jacobian, calculus.hessian]

CALLS = {
    "Value": Call(lambda: Value, data=one, label=constant("a")),
    "Value.backward": Call(lambda: (Value(1.0) * 2).backward, seed=one),
    "Value.chain": Call(lambda: (Value(1.0) * 2).chain, g=one),
    "Value.clip": Call(lambda: Value(1.0).clip, min=constant(0), max=constant(1)),
    "Value.elu": Call(lambda: Value(1.0).elu, alpha=one),
    "Value.leaky_relu": Call(lambda: Value(1.0).leaky_relu, negative_slope=one),
    "Value.label =": Call(setting("label"), x=constant(None)),
    "Value.grad =": Call(setting("grad"), x=one),
    "Value.data =": Call(setting("data"), x=one),
    "round": Call(lambda: lambda digits: round(Value(1.0), digits), digits=constant(1)),
    **{
        f"Value {name}": Call(lambda f=f: lambda x: f(Value(1.0), x), x=one)
        for name, f in vars(operator).items()
        if name in ("add", "sub", "mul", "truediv", "pow", "floordiv", "mod", "lt")
    },
    "np.fmod": Call(lambda: lambda x: np.fmod(Value(1.0), x), x=one),
    "Primitive.named": Call(lambda: Primitive.named, name=constant("sin")),
    "family": Call(lambda: mg.family, maker=constant(lambda n: (f"n{n}", abs, lambda o, x: (1,)))),
    "topological_order": Call(lambda: mg.topological_order, root=lambda: Value(1.0) * 2),
    "zero_grad": Call(lambda: mg.zero_grad, leaves=lambda: [Value(1.0)]),
    **{
        op.name: Call(lambda op=op: op, **dict.fromkeys(["x", "y"][: 1 + (op.name in PAIRS)], half))
        for PAIRS, half in [(("atan2", "hypot", "compare"), constant(0.5))]
        for op in ELEMENTARY
        if op.name in functional.__all__
    },
    **{
        name: Call(lambda name=name: getattr(functional, name), x=constant(0.5))
        for name in ("log_sigmoid", "silu", "gelu")
    },
    **{
        name: Call(lambda name=name: getattr(mg, name), x=constant(0.5))
        for name in ("lgamma", "digamma", "ndtr", "log_ndtr", "logit", "sinc")
    },
    "erfinv": Call(lambda: mg.erfinv, y=constant(0.5)),
    "polygamma": Call(lambda: mg.polygamma, n=constant(1), x=one),
    "logaddexp": Call(lambda: mg.logaddexp, x=one, y=one),
    "xlogy": Call(lambda: mg.xlogy, x=one, y=one),
    "interp": Call(lambda: mg.interp, x=one, xp=constant([0.0, 2.0]), fp=constant([1.0, 3.0])),
    "solve": Call(lambda: mg.linalg.solve, a=constant([[2.0]]), b=constant([1.0])),
    "inv": Call(lambda: mg.linalg.inv, a=constant([[2.0]])),
    "det": Call(lambda: mg.linalg.det, a=constant([[2.0]])),
    "root": Call(lambda: mg.root, f=constant(lambda x: x * x - 2), x0=one),
    "minimum_of": Call(lambda: mg.minimum_of, f=constant(lambda x: x * x - x), x0=one),
    "clip": Call(lambda: mg.clip, x=one, min=constant(0), max=constant(1)),
    "leaky_relu": Call(lambda: mg.leaky_relu, x=one, negative_slope=one),
    "elu": Call(lambda: mg.elu, x=one, alpha=one),
    "maximum": Call(lambda: mg.maximum, x=one, y=one),
    "minimum": Call(lambda: mg.minimum, x=one, y=one),
    **{
        name: Call(lambda name=name: getattr(functional, name), xs=numbers)
        for name in [
            "sum",
            "prod",
            "mean",
            "max",
            "min",
            "norm",
            "logsumexp",
            "log_softmax",
            "softmax",
        ]
    },
    "dot": Call(lambda: mg.dot, x=numbers, y=constant([1.0, 2.0]), start=one),
    "where": Call(lambda: mg.where, condition=constant(True), x=one, y=one),
    "gradients": Call(lambda: mg.gradients, output=lambda: a * b, inputs=lambda: a),
    **{f"{t.__name__} made": Call(lambda t=t: t, **defaults(t, f=square)) for t in TRANSFORMS},
    **{
        f"{t.__name__} called": Call(lambda t=t: t(lambda x, y: x * y), x=one, y=one)
        for t in TRANSFORMS
    },
    **{
        f"{t.__name__} of what returns": Call(lambda t=t: lambda x: t(lambda _: x)(1.0), x=one)
        for t in TRANSFORMS
    },
    "hvp": Call(lambda: mg.hvp, f=square, primals=constant((1.0,)), tangents=constant((1.0,))),
    "jvp": Call(lambda: mg.jvp, f=square, primals=constant((1.0,)), tangents=constant((1.0,))),
    "vjp": Call(lambda: lambda f, x: mg.vjp(f, x)[1](1.0), f=square, x=one),
    "what vjp pulls": Call(lambda: mg.vjp(lambda x: x * x, 1.0)[1], cotangent=one),
    "taylor": Call(lambda: mg.taylor, f=square, x=one, order=constant(2)),
    "scan": Call(
        lambda: mg.scan,
        f=constant(lambda carry, x: (carry, x)),
        **{"carry": one, "xs": numbers, "length": constant(2)},
        **{"reverse": constant(False), "checkpoint": constant(False)},
    ),
    "repeat": Call(
        lambda: mg.repeat,
        **{
            "f": constant(lambda carry: carry),
            "carry": one,
            "n": constant(2),
            "checkpoint": constant(True),
        },
    ),
    "draw": Call(
        lambda: lambda root, **options: mg.draw(root, **options),
        root=lambda: a * b,
        names=constant(None),
        depth=constant(None),
        expand_dot=constant(False),
        highlight=constant(()),
        format=constant("svg"),
        rankdir=constant("LR"),
        max_nodes=constant(9),
    ),
    "explain": Call(
        lambda: mg.explain,
        **defaults(mg.explain, output=lambda: a * b, input=lambda: a),
    ),
    "explore": Call(
        lambda: mg.explore,
        **defaults(mg.explore, root=lambda: a * b, before=lambda: mg.explore(a * b)),
    ),
    "formula_page": Call(
        lambda: mg.drawing.formula_page, text=constant("w*x"), values=lambda: {"w": 2.0}
    ),
    "formula": Call(lambda: mg.formula, **defaults(mg.formula, value=lambda: a * b)),
    "Explanation.draw": Call(lambda: mg.explain(a * b, a).draw, path=constant(0)),
    "History": Call(lambda: History, records=lambda: [{"epoch": 1}], ended=constant("")),
    "a record's entry": Call(lambda: lambda x: repr(History([{"epoch": x}])), x=constant(1)),
    "plot_history": Call(
        lambda: drawing.plot_history, history=lambda: [{"epoch": 1, "loss": 1.0, "lr": 0.1}]
    ),
    "an init's answer": Call(lambda: lambda x: Neuron(2, init=lambda *_: x), x=one),
    "History[…]": Call(lambda: History([{"epoch": 1}]).__getitem__, key=constant(0)),
    "accuracy": Call(lambda: accuracy, predictions=lambda: [1.0], targets=lambda: [1]),
    "confusion_matrix": Call(
        lambda: metrics.confusion_matrix, predictions=lambda: [1.0], targets=lambda: [1]
    ),
    "Neuron": Call(lambda: Neuron, **defaults(Neuron, nin=constant(2))),
    "Layer": Call(lambda: Layer, **defaults(Layer, nin=constant(2), nout=constant(2))),
    "MLP": Call(
        lambda: MLP,
        nin=constant(2),
        nouts=lambda: [2, 1],
        activation=constant("relu"),
        init=constant("he"),
        seed=constant(0),
    ),
    **{
        f"{type(made()).__name__} called": Call(made, x=lambda: [1.0, 2.0])
        for made in (model, lambda: Neuron(2), lambda: Layer(2, 2))
    },
    "Module.load_state_dict": Call(lambda: model().load_state_dict, state=model().state_dict),
    "Module.with_parameters": Call(
        lambda: Neuron(1).with_parameters, parameters=lambda: [1.0, 2.0]
    ),
    **{
        f"fit {name}": Call(lambda name=name: Fitting(name), x=constant(right))
        for name, right in {
            **{"model": lambda row: a, "X": X, "y": Y, "loss": losses.squared_error, "epochs": 1},
            **{"optimizer": None, "batch_size": 2, "shuffle": True, "seed": 0, "progress": False},
            **{"validation": (X, Y), "metrics": (), "schedule": None, "clip": None},
            **{"callbacks": (), "compile": False},
        }.items()
    },
    "a schedule's rate": Call(
        lambda: lambda x: Fitting("schedule")(lambda step: x), x=constant(0.1)
    ),
    "a metric's answer": Call(lambda: lambda x: Fitting("metrics")([lambda p, t: x]), x=one),
    "what a clip returns": Call(
        lambda: lambda x: Fitting("clip")(lambda g: x), x=lambda: [0.0] * 9
    ),
    "a row": Call(lambda: lambda x: Fitting("X")([x] * 4), x=constant([1.0, 2.0])),
    "an input": Call(lambda: lambda x: Fitting("X")([[x, 1.0]] * 4), x=one),
    "a target": Call(lambda: lambda x: Fitting("y")([x] * 4), x=constant(1)),
    **{
        kind.__name__: Call(lambda kind=kind: kind, **defaults(kind, parameters=lambda: [Value(1)]))
        for kind in KINDS
    },
    **{f"{kind.__name__}.load_state_dict": Call(loading(kind), x=constant({})) for kind in KINDS},
    **{
        f"{kind.__name__}'s {key}": Call(loading(kind, key), x=constant(right))
        for kind in KINDS
        for key, right in with_gradients(kind).state_dict().items()
    },
    **{f"{kind.__name__} by lr": Call(stepping(kind, "lr"), x=constant(0.1)) for kind in KINDS},
    "Optimizer": Call(lambda: optim.Optimizer, parameters=lambda: [Value(1.0)], lr=one),
    "clip_norm": Call(lambda: optim.clip_norm, max_norm=one),
    "clip_value": Call(lambda: optim.clip_value, limit=one),
    "clip_norm called": Call(lambda: optim.clip_norm(1.0), gradients=lambda: [1.0]),
    "clip_value called": Call(lambda: optim.clip_value(1.0), gradients=lambda: [1.0]),
    "clip_grad_norm_": Call(
        lambda: optim.clip_grad_norm_, parameters=lambda: [Value(1.0)], max_norm=one
    ),
    "clip_grad_value_": Call(
        lambda: optim.clip_grad_value_, parameters=lambda: [Value(1.0)], limit=one
    ),
    "constant": Call(lambda: schedules.constant, lr=one),
    "linear": Call(lambda: schedules.linear, start=one, end=one, steps=constant(3)),
    "cosine": Call(lambda: schedules.cosine, start=one, end=one, steps=constant(3)),
    "exponential": Call(lambda: schedules.exponential, start=one, gamma=one),
    "staircase": Call(lambda: schedules.staircase, start=one, gamma=one, steps=constant(3)),
    "one_cycle": Call(lambda: schedules.one_cycle, peak=one, steps=constant(3)),
    "warmup": Call(
        lambda: schedules.warmup,
        schedule=lambda: schedules.constant(0.1),
        steps=constant(3),
        start=one,
    ),
    **{
        f"{name} called": Call(constant(schedule), step=constant(1))
        for name, schedule in {
            "linear": schedules.linear(1.0, 0.1, 3),
            "cosine": schedules.cosine(1.0, 3),
            "exponential": schedules.exponential(1.0, 0.5),
            "warmup": schedules.warmup(schedules.constant(0.1), 3),
        }.items()
    },
    **{f.__name__: Call(lambda f=f: f, **defaults(f, n=constant(8))) for f in SHAPES},
    "split": Call(
        lambda: datasets.split,
        **defaults(datasets.split, X=constant(X), y=constant(Y), test=constant(0.5)),
    ),
    "batches": Call(
        lambda: datasets.batches,
        **defaults(datasets.batches, X=constant(X), y=constant(Y), size=constant(2)),
    ),
    "StandardScaler.fit": Call(lambda: datasets.StandardScaler().fit, X=constant(X)),
    "StandardScaler.fit_transform": Call(
        lambda: datasets.StandardScaler().fit_transform, X=constant(X)
    ),
    "StandardScaler.transform": Call(
        lambda: datasets.StandardScaler().fit(X).transform, X=constant(X)
    ),
    "StandardScaler.inverse_transform": Call(
        lambda: datasets.StandardScaler().fit(X).inverse_transform, X=constant(X)
    ),
    **{
        f.__name__: Call(lambda f=f: f, prediction=one, target=one)
        for f in (losses.squared_error, losses.absolute_error, losses.hinge)
    },
    "huber": Call(lambda: losses.huber, prediction=one, target=one, delta=one),
    "binary_cross_entropy": Call(lambda: losses.binary_cross_entropy, logit=one, target=one),
    "cross_entropy": Call(lambda: losses.cross_entropy, logits=numbers, target=constant(0)),
    "metrics_by_name": Call(lambda: metrics.metrics_by_name, metrics=lambda: [accuracy]),
    "measure": Call(
        lambda: metrics.measure,
        metrics=lambda: {"accuracy": accuracy},
        predictions=lambda: [1.0],
        targets=lambda: [1],
        prefix=constant(""),
    ),
    "compile": Call(lambda: mg.compile, **defaults(mg.compile, f=square)),
    "compiled": Call(lambda: product, x=one, y=one),
    "compiled of what returns": Call(lambda: lambda x: mg.compile(lambda _: x)(1.0), x=one),
    "Compiled.prepare": Call(lambda: product.prepare, x=one, y=one),
    "Compiled.source": Call(lambda: product.source, language=constant("c")),
    "Program": Call(
        lambda: compiler.Program,
        inputs=lambda: ["x"],
        steps=lambda: [],
        outputs=lambda: [0],
        labels=constant(None),
    ),
    "Program.from_values": Call(
        lambda: compiler.Program.from_values, outputs=lambda: [a * b], inputs=lambda: [a]
    ),
    "array": Call(lambda: arrays.array, numbers=lambda: [1.0, Value(1.0)]),
    "plot_network": Call(
        lambda: drawing.plot_network,
        **defaults(drawing.plot_network, model=model, most=constant(5), lines=constant(9)),
    ),
    "plot_images": Call(
        lambda: drawing.plot_images,
        **{"images": constant(X), "width": constant(1), "labels": constant("abcd")},
        columns=constant(3),
    ),
    "plot_confusion_matrix": Call(
        lambda: drawing.plot_confusion_matrix,
        **{"matrix": lambda: [[1, 2], [0, 3]], "classes": constant("ab")},
    ),
    "plot_decision_boundary": Call(
        lambda: drawing.plot_decision_boundary,
        **{"model": model, "X": constant(X), "y": constant(Y), "resolution": constant(5)},
    ),
    "playground": Call(lambda: drawing.playground, model=model, X=constant(X), y=constant(Y)),
    "Playground.load_into": Call(lambda: drawing.playground().load_into, model=of_the_playground),
    "BoundaryMovie": Call(
        lambda: drawing.BoundaryMovie, X=constant(X), y=constant(Y), resolution=constant(5)
    ),
    "BoundaryMovie called": Call(
        movie, model=model, history=lambda: History([{"epoch": 1, "loss": 1.0}])
    ),
    "LivePlot": Call(lambda: drawing.LivePlot, X=constant(X), y=constant(Y), every=constant(0.5)),
    "check_gradients": Call(
        lambda: lambda f, x, order, modes: testing.check_gradients(f, x, order=order, modes=modes),
        **{"f": square, "x": one, "order": constant(1), "modes": constant(("reverse",))},
    ),
}
RIGHT = {  # what is no mistake, though it looks like one
    "fit epochs": {"x = 10**400"},  # for whoever ends it by Ctrl-C
    "cross_entropy": {"target = True", "target = a traced number"},  # a truth value is a class
    **{
        name: {"steps = 1.5"} for name in ("linear", "cosine", "one_cycle", "warmup")
    },  # ends between two steps
}

TOLD = re.compile(  # what was got, or what to do about it
    r"\bgot\b|missing:|\bwrite\b|\buse\b|\bread a Value's|has no value until|does not suit|"
    r"both X and y"
)

# What Python says itself, of the user's own function, or of its operators.
OF_PYTHON = re.compile(
    r"takes .*positional arguments? but|missing \d+ required|unsupported operand type|"
    r"can't multiply sequence by non-int|can only concatenate|can't concat|not supported between|"
    r"too many positional arguments|string formatting"
)


def outcome(name, call, argument, wrong):
    """Return what is wrong with what a wrong call says; None if it is refused well, or is right."""
    x = WRONG[wrong]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call.with_wrong(argument, x)
    except AssertionError as error:
        return str(error)
    except Exception as error:
        return fault(error)
    parameters = call.parameters or {}
    if argument in parameters and not fits(parameters[argument].annotation, x):
        return f"is taken for {parameters[argument].annotation}"
    return None


def fault(error):
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    file = traceback.tb_frame.f_code.co_filename
    line = linecache.getline(file, traceback.tb_lineno).strip()
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    told = f"{type(error).__name__} at {file}:{traceback.tb_lineno}: {text[:200]}"
    if len(text) > LONG:
        return f"long: {told}"
    if not issubclass(type(error), (TypeError, ValueError, ArithmeticError, LookupError, OSError,
                                    RuntimeError, AttributeError)):  # fmt: skip
        return f"no built-in exception: {told}"
    is_ours = Path(file).is_relative_to(PACKAGE) and line.startswith("raise")
    if is_ours and isinstance(error, TypeError) and not TOLD.search(text):
        return f"what was got, or what to write, is not told: {told}"
    if is_ours or OF_PYTHON.search(text) or hasattr(error, "__notes__"):
        return None
    return f"from within: {told}"


TYPES = {
    "bool": is_bool,
    "int": lambda x: isinstance(x, Integral) and not is_bool(x),
    "float": lambda x: is_real(x) or is_bool(x),
    "str": lambda x: isinstance(x, str),
    "None": lambda x: x is None,
}


def fits(annotation, x):
    """Return whether an argument is of a type that is written down, if that is one known here."""
    kinds = str(getattr(annotation, "__name__", annotation)).split(" | ")
    return not set(kinds) <= set(TYPES) or any(TYPES[kind](x) for kind in kinds)


def faults(name, chosen):
    call = CALLS[name]
    found = {}
    for argument in call.right:
        for wrong in chosen:
            if f"{argument} = {wrong}" not in RIGHT.get(name, ()):
                what = outcome(name, call, argument, wrong)
                if what:
                    found[f"{argument} = {wrong}"] = what
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_refused_in_words_of_the_library(name):
    others = [*WRONG][FIRST:]
    turn = sum(map(ord, name))
    chosen = [*WRONG][turn % 3 : FIRST : 3] + others[turn % 11 :: 11]
    assert faults(name, chosen) == {}


@pytest.mark.slow  # some 12,000 calls, in a minute
@pytest.mark.parametrize("name", CALLS)
def test_every_wrong_argument_is_refused_in_words_of_the_library(name):
    assert faults(name, WRONG) == {}


@pytest.mark.parametrize(
    "name",
    [
        "Value.grad =",
        "Value lt",
        "SGD",
        "huber",
        "compiled",
        "a metric's answer",
        "split",
        "linear",
    ],
)
def test_a_duration_is_no_number(name):
    assert faults(name, ["a duration"]) == {}
    argument = next(iter(CALLS[name].right if name != "split" else ["test"]))
    if name not in ("SGD", "huber"):
        with pytest.raises(TypeError):
            CALLS[name].with_wrong(argument, WRONG["a duration"]())


@pytest.mark.parametrize("name", CALLS)
def test_too_many_and_unknown_arguments_are_refused(name):
    call = CALLS[name]
    if name.split()[-1] not in ("called", "returns") and not name.startswith("fit"):
        function = call.make()
        right = {key: make() for key, make in call.right.items()}
        with pytest.raises((TypeError, ValueError)):
            function(**right, no_such_option=1)


MODULES = [
    *("anomaly", "arrays", "calculus", "compiler", "datasets", "drawing", "functional", "history"),
    *("implicit", "linalg", "losses", "metrics", "nn", "optim", "schedules", "special", "testing"),
    "training",
]


def public():
    """Yield the name of each public function, class and method."""
    modules = [mg, *[importlib.import_module(f"microgrid.{name}") for name in MODULES]]
    seen = set()
    for module in modules:
        for name in [*module.__all__, *(["compile"] if module is mg else [])]:
            thing = getattr(module, name)
            if callable(thing) and not inspect.ismodule(thing) and id(thing) not in seen:
                seen.add(id(thing))
                yield name


# Without an argument, or whose arguments are others' own: NumPy's, Graphviz's.
NOT_CALLED = {
    *(
        "Array",
        "Exploration",
        "Explanation",
        "Formula",
        "FormulaPage",
        "Graph",
        "Page",
        "Picture",
        "Playground",
        "GradientReport",
    ),
    *("GradientWarning", "Metric", "Module", "Penguins", "Record", "Schedule", "StandardScaler"),
    *("apply_function", "apply_ufunc", "detect_anomaly", "lowers", "map_elements", "no_grad"),
    *("Compiled", "Primitive", "digits", "draw_dot", "engine", "penguins"),
    # nodes and answers of any kind are translated or judged, and labels of any kind numbered
    *("as_values", "check", "encode"),
}


def test_every_public_function_is_called_wrong():
    called = {re.split(r"[ .\['=]", name)[0] for name in CALLS}
    assert set(public()) - called - NOT_CALLED == set()


def within():
    return [][1]


def ours():
    return mg.softmax([None])


def test_the_law_sees_an_error_from_within():
    for function, told in [(within, "from within: IndexError"), (ours, "None")]:
        with pytest.raises((IndexError, TypeError)) as raised:
            function()
        assert str(fault(raised.value)).startswith(told)
    assert not fits("bool", "no")
    assert fits("int | None", None)
