# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Uses of everything public, with the type that each has: for type checkers, and to be run.

Both checkers must find the types that are written here; `test_typing` also runs the functions and
asks of each result whether it is what the checkers believe. What `refused` holds must be an error.
"""

import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any, assert_type

import numpy as np
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

import microgrid as mg
from microgrid import Module, Primitive, Value

Number = Value | float
Row = NDArray[np.float64]


def numbers() -> Row:
    return np.full(2, 0.5)


class Line(Module):
    def __init__(self) -> None:
        self.slope, self.offset = Value(2.0), Value(1.0)

    def __call__(self, x: Number) -> Value:
        return self.slope * x + self.offset


def cube(x: Number) -> Number:
    return x**3


def scaled(x: Value, scale: Number, *, shift: Number = 0.0) -> Value:
    return x * scale + shift


def scaled_part(x: Any, scale: float) -> Any:
    return x["a"] * scale


@mg.grad
def slope(x: Value) -> Value:
    return x**3


def with_text(x: Value) -> tuple[Value, str]:
    return x * x, "squared"


def both(x: Value) -> tuple[Value, Value]:
    return x, x * x


def with_list(x: Value) -> tuple[Value, list[Value]]:
    return x, [x * x]


def powers(x: Value) -> list[Value]:
    return [x, x * x]


def product(x: list[Value]) -> Value:
    return x[0] * x[1]


def doubled(x: list[Value]) -> list[Value]:
    return [2.0 * x[0], 2.0 * x[1]]


def error(model: Line, x: float) -> Value:
    return model(x) ** 2


def use_value() -> None:
    x, y = Value(2.0, label="x"), Value(3)
    assert_type(x.data, float)
    assert_type(x.item(), float)
    assert_type(x.grad, float)
    assert_type(x.label, str | None)
    assert_type(x.op, Primitive | None)
    assert_type((x * y).parents, tuple[Value, ...])
    assert_type((x * y).partials(), tuple[float | None, ...])
    assert_type((x * y).chain(1.0), list[float | None])
    assert_type(Value(Fraction(1, 3)), Value)
    assert_type(x.is_constant, bool)
    assert_type(x.detach(), Value)
    assert_type((x * 3).backward(), None)
    assert_type((x * 3).refresh(), None)
    assert_type(f"{x:.3f}", str)
    x.data, x.grad, x.label = 3, 0.0, "y"
    x.data -= 0.1 * x.grad


def use_operators() -> None:
    x, row = Value(2.0), numbers()
    for result in [x + x, x + 1, 1 + x, x - 1, 1.0 - x, x * 2, 2 * x, x / 2, 2 / x, x // 2, x % 2]:
        assert_type(result, Value)
    assert_type(-(x**2), Value)
    assert_type(2**x, Value)
    assert_type(x**x, Value)
    assert_type(abs(x), Value)
    assert_type(round(x, 2), Value)
    assert_type(divmod(x, 2), tuple[Value, Value])
    assert_type(x * Fraction(1, 2), Value)
    assert_type(x * np.float32(2), Value)
    assert_type(x + row, Any)
    assert_type(x == 2.0, bool)
    assert_type(x < x, bool)
    assert_type(x >= 2, bool)
    assert_type(x < row, Any)
    x += 1
    assert_type(x, Value)


def use_methods() -> None:
    x = Value(0.5)
    for result in [x.acos(), x.asin(), x.asinh(), x.atan(), x.atanh(), x.cbrt(), x.ceil(), x.cos()]:
        assert_type(result, Value)
    for result in [x.cosh(), x.elu(), x.erf(), x.erfc(), x.exp(), x.exp2(), x.expm1(), x.floor()]:
        assert_type(result, Value)
    for result in [x.gelu(), x.leaky_relu(), x.log(), x.log10(), x.log1p(), x.log2(), x.relu()]:
        assert_type(result, Value)
    for result in [x.log_sigmoid(), x.sigmoid(), x.sign(), x.silu(), x.sin(), x.sinh(), x.tanh()]:
        assert_type(result, Value)
    for result in [x.softplus(), x.softsign(), x.sqrt(), x.tan(), (x + 1).acosh(), x.atan2(1.0)]:
        assert_type(result, Value)
    assert_type(x.hypot(1.0, x), Value)
    assert_type(x.clip(0, max=1), Value)
    assert_type(x.leaky_relu(negative_slope=0.1), Value)
    assert_type(x.elu(alpha=2.0), Value)


def use_functions_of_one_number() -> None:
    x, row = Value(0.5), numbers()
    of_one = [mg.acos, mg.asin, mg.asinh, mg.atan, mg.atanh, mg.cbrt, mg.ceil, mg.cos, mg.cosh]
    of_one += [mg.erf, mg.erfc, mg.exp, mg.exp2, mg.expm1, mg.floor, mg.log, mg.log1p, mg.log2]
    of_one += [mg.log10, mg.relu, mg.sigmoid, mg.sign, mg.sin, mg.sinh, mg.softplus, mg.softsign]
    of_one += [mg.sqrt, mg.stop_gradient, mg.tan, mg.tanh]
    for f in of_one:
        assert_type(f, Primitive)
        assert_type(f(0.5), float)
        assert_type(f(x), Value)
        assert_type(f(row), Row)
    assert_type(mg.acosh(x + 1), Value)
    assert_type(mg.log_sigmoid(0.5), float)
    assert_type(mg.log_sigmoid(x), Value)
    assert_type(mg.silu(0.5), float)
    assert_type(mg.silu(x), Value)
    assert_type(mg.silu(row), Row)
    assert_type(mg.gelu(0.5), float)
    assert_type(mg.gelu(x), Value)
    assert_type(mg.elu(0.5, alpha=2), float)
    assert_type(mg.elu(x), Value)
    assert_type(mg.leaky_relu(0.5), float)
    assert_type(mg.leaky_relu(x, 0.1), Value)
    assert_type(mg.clip(0.5, 0, 1), float)
    assert_type(mg.clip(x, max=1.0), Value)


def use_functions_of_several_numbers() -> None:
    x, row = Value(0.5), numbers()
    for f in [mg.maximum, mg.minimum]:
        assert_type(f(0.5, 2), float)
        assert_type(f(x, 2), Value)
        assert_type(f(0, x), Value)
        assert_type(f(row, 0.3), Any)
    assert_type(mg.hypot(3.0, 4.0), float)
    assert_type(mg.hypot(3.0, x, x), Value)
    assert_type(mg.atan2(3.0, 4.0), float)
    assert_type(mg.atan2(x, 4.0), Value)
    assert_type(mg.where(x > 0, 1.0, 2.0), float)
    assert_type(mg.where(x > 0, x, 0), Value)
    assert_type(mg.where(x, 1.0, 2.0), Value)
    assert_type(mg.where(row > 0.3, row, 0.0), Any)


def use_special_functions() -> None:
    x, row = Value(0.5), numbers()
    for f in [mg.lgamma, mg.log_ndtr, mg.erfinv]:
        assert_type(f(0.5), float)
        assert_type(f(x), Value)
        assert_type(f(row), Row)
    assert_type(mg.digamma(0.5), float)
    assert_type(mg.digamma(x), Value)
    assert_type(mg.digamma(row), Row)
    assert_type(mg.polygamma(2, x), Value)
    assert_type(mg.ndtr(0.5), float)
    assert_type(mg.ndtr(x), Value)
    assert_type(mg.logit(x), Value)
    assert_type(mg.sinc(0.5), float)
    assert_type(mg.sinc(x), Value)
    for g in [mg.logaddexp, mg.xlogy]:
        assert_type(g(0.5, 2), float)
        assert_type(g(x, 2), Value)
        g(row, x)
    assert_type(mg.interp(0.5, [0, 1], [2, 3]), float)
    assert_type(mg.interp(x, [0, 1], [2.0, 3.0]), Value)
    assert_type(mg.interp(0.5, [0, 1], [x, 3.0]), Value)


def use_solutions() -> None:
    x = Value(0.5)
    assert_type(mg.root(lambda x: x * x - 2, 1.0), float)
    assert_type(mg.root(mg.sin, 3), float)
    assert_type(mg.root(lambda x: [x[0] - 2], (1.0,)), list[float])
    assert_type(mg.root(lambda x, a: x - a, 1.0, x), Value)
    assert_type(mg.root(lambda x, a, b: [x[0] - a + b], [1.0], x, 2.0), list[Value])
    assert_type(mg.root(lambda x, a: [x[0] - a], [1.0], 2.0), Any)
    assert_type(mg.minimum_of(lambda x: x * x, 1.0), float)
    assert_type(mg.minimum_of(lambda x: x[0] * x[0], [1.0]), list[float])
    assert_type(mg.minimum_of(lambda x, a: x * x - a * x, 1.0, x), Value)
    assert_type(mg.minimum_of(lambda x, a: x[0] * x[0] - a * x[0], [1.0], x), list[Value])
    assert_type(mg.minimum_of(lambda x, a: x * x - a, 1.0, 2.0), Any)
    assert_type(mg.linalg.solve([[2.0, 1.0], [1.0, 3.0]], [1.0, 2.0]), list[float])
    assert_type(mg.linalg.solve([[2.0]], [[1.0]]), list[list[float]])
    assert_type(mg.linalg.solve([[x, 1.0], [1.0, 3.0]], [1.0, 2.0]), list[Value])
    assert_type(mg.linalg.inv([[x]]), list[list[Value]])
    assert_type(mg.linalg.det([[x]]), Value)


def use_functions_of_a_sequence() -> None:
    x = Value(0.5)
    floats, mixed = [1.0, 2.0], list[Number]([1.0, x])
    for f in [mg.sum, mg.prod, mg.mean, mg.max, mg.min, mg.norm, mg.logsumexp]:
        assert_type(f(floats), float)
        assert_type(f([x, x]), Value)
    for result in [mg.sum(mixed), mg.prod(mixed), mg.mean(mixed), mg.max(mixed), mg.min(mixed)]:
        assert_type(result, Value)
    assert_type(mg.norm(mixed), Value)
    assert_type(mg.logsumexp(mixed), Value)
    assert_type(mg.sum(x * k for k in range(3)), Value)
    assert_type(mg.sum([1, x]), Value)
    assert_type(mg.sum(numbers()), Any)
    assert_type(mg.sum([numbers(), x]), Any)
    assert_type(mg.dot(floats, floats), float)
    assert_type(mg.dot(floats, [x, x]), Value)
    assert_type(mg.dot(floats, floats, start=x), Value)
    assert_type(mg.softmax(floats), list[float])
    assert_type(mg.softmax([x, 1.0]), list[Value])
    assert_type(mg.log_softmax(floats), list[float])
    assert_type(mg.log_softmax([x, x]), list[Value])


def use_gradients() -> None:
    x = Value(2.0)
    assert_type(mg.gradients(x * x, x), Value)
    assert_type(mg.gradients(x * x, [x]), list[Value])
    assert_type(mg.gradients(x * x, {"x": x}), dict[str, Value])
    assert_type(mg.gradients(error(model := Line(), 2.0), model), dict[str, Value])


def use_gradient_functions() -> None:
    x = Value(2.0)
    assert_type(mg.grad(lambda x: x**3)(2.0), float)
    assert_type(mg.grad(mg.grad(lambda x: x**3))(2.0), float)
    assert_type(mg.grad(cube)(2), float)
    assert_type(mg.grad(cube)(x), Value)
    assert_type(mg.grad(mg.sin)(2.0), float)
    assert_type(mg.grad(mg.sin)(x), Value)
    assert_type(mg.grad(scaled)(2.0, 3.0, shift=1.0), float)
    assert_type(mg.grad(mg.grad(scaled))(2.0, scale=3.0), float)
    assert_type(mg.grad(product)([2.0, 3.0]), list[float])
    assert_type(mg.grad(product)([x, x]), list[Value])
    assert_type(mg.grad(error)(Line(), 2.0), dict[str, Value])
    assert_type(mg.grad(scaled_part)({"a": 1.0}, scale=2.0), dict[str, float])
    assert_type(slope(2.0), float)
    assert_type(mg.grad(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.grad(with_text, has_aux=True)(x), tuple[Any, Any])
    assert_type(mg.value_and_grad(scaled)(2.0, 3.0), tuple[float, float])
    assert_type(mg.value_and_grad(scaled)(x, 3.0), tuple[Value, Value])
    assert_type(mg.value_and_grad(product)([2.0, 3.0]), tuple[float, list[float]])
    assert_type(mg.value_and_grad(product)([x, x]), tuple[Value, list[Value]])
    assert_type(mg.value_and_grad(error)(Line(), 2.0), tuple[Value, dict[str, Value]])
    assert_type(mg.value_and_grad(scaled, argnums=1)(x, 2.0), tuple[Any, Any])
    assert_type(mg.value_and_grad(with_text, has_aux=True)(x), tuple[tuple[Any, Any], Any])


def use_other_transforms() -> None:
    x = Value(2.0)
    assert_type(mg.jacobian(scaled)(2.0, 3.0), float)
    assert_type(mg.jacobian(product)([2.0, 3.0]), list[float])
    assert_type(mg.jacobian(doubled)([2.0, 3.0]), list[list[float]])
    assert_type(mg.jacobian(doubled)([x, x]), list[list[Value]])
    assert_type(mg.jacobian(lambda x: [x, x * x])(2.0), list[float])
    assert_type(mg.jacobian(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.hessian(scaled)(2.0, 3.0), float)
    assert_type(mg.hessian(cube)(x), Value)
    assert_type(mg.hessian(product)([2.0, 3.0]), list[list[float]])
    assert_type(mg.hessian(product)([x, x]), list[list[Value]])
    assert_type(mg.hessian(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.hvp(product, ([2.0, 3.0],), ([1.0, 0.0],)), list[float])
    assert_type(mg.hvp(scaled, (2.0, 3.0), (1.0, 0.0)), tuple[float, ...])
    assert_type(mg.jvp(scaled, (2.0, 3.0), (1.0, 0.0)), tuple[float, float])
    assert_type(mg.jvp(scaled, (x, x), (1.0, 0.0)), tuple[Value, Value])
    assert_type(mg.jvp(doubled, ([2.0, 3.0],), ([1.0, 0.0],)), tuple[Any, Any])
    value, pull = mg.vjp(scaled, 2.0, 3.0)
    assert_type(value, float)
    assert_type(pull(1.0), tuple[float, ...])
    assert_type(mg.vjp(cube, x)[1](x), tuple[Value, ...])
    assert_type(mg.vjp(doubled, [2.0, 3.0]), tuple[Any, Callable[[Any], tuple[Any, ...]]])
    assert_type(mg.taylor(mg.exp, 0.0, 4), list[float])
    assert_type(mg.taylor(mg.exp, x, 4), list[Value])


def use_loops() -> None:
    def step(carry: list[Number], x: Number) -> tuple[list[Number], Number]:
        return [carry[0] + x, carry[1] * 0.5], carry[0]

    start: list[Number] = [1.0, 2.0]
    assert_type(mg.scan(step, start, [1.0, 2.0]), tuple[list[Number], Any])
    assert_type(mg.scan(lambda n, _: (n + 1, n), 0, length=3), tuple[int, Any])
    assert_type(mg.scan(lambda total, x: (total + x, x), 0.0, [1.0, 2.0]), tuple[float, Any])
    rate = Value(0.5)
    assert_type(mg.scan(lambda v, x: (v + rate * x, v), 0.0, [1.0, 2.0]), tuple[Value, Any])
    assert_type(mg.scan(lambda v, xs: (v + xs[0], v), 0.0, ([1.0], [2.0]))[1], Any)
    assert_type(mg.repeat(lambda x: x * x, Value(0.5), 3, checkpoint=True), Value)
    assert_type(mg.repeat(mg.sin, 0.5, 3), float)


def steep(slope: float) -> tuple[str, Callable[..., float], Callable[..., tuple[float, ...]]]:
    def forward(x: float) -> float:
        return slope * x

    def partials(out: Number, x: Number) -> tuple[float]:
        return (slope,)

    return f"steep({slope})", forward, partials


def use_primitives_and_graphs() -> None:
    x = Value(2.0)
    assert_type(mg.topological_order(x * x), list[Value])
    assert_type(mg.zero_grad([x]), None)
    assert_type(mg.engine.Primitive.named("sin"), Primitive)
    assert_type(mg.family(steep)(2.0), Primitive)
    with mg.no_grad():
        assert_type(square_without_graph(x), Value)
    with mg.detect_anomaly():
        assert_type(mg.log(x), Value)
    assert_type(mg.GradientWarning("stale"), mg.GradientWarning)
    assert_type(mg.__version__, str)


@mg.no_grad()
def square_without_graph(x: Value) -> Value:
    return x * x


def use_models() -> None:
    neuron, layer, model = mg.Neuron(2), mg.Layer(2, 2), mg.MLP(2, [2, 1])
    row = [1.0, Value(2.0)]
    assert_type(neuron(row), Value)
    assert_type(layer(row), Value | list[Value])
    assert_type(model(row), Value | list[Value])
    assert_type(model.parameters(), list[Value])
    assert_type(dict(model.named_parameters()), dict[str, Value])
    assert_type(dict(model.named_modules()), dict[str, Module])
    assert_type(model.state_dict(), dict[str, float])
    assert_type(model.load_state_dict(model.state_dict()), None)
    assert_type(model.with_parameters(model.parameters()), mg.MLP)
    assert_type(model.zero_grad(), None)


def use_losses() -> None:
    x = Value(0.5)
    for loss in [mg.losses.squared_error, mg.losses.absolute_error]:
        assert_type(loss(0.5, 1), float)
        assert_type(loss(x, 1), Value)
        assert_type(loss([0.5], [1.0]), float)
        assert_type(loss([x], [1.0]), Value)
        assert_type(loss(mg.Layer(1, 1)(x), 1.0), Value)
    assert_type(mg.losses.huber(x, 1.0, delta=0.5), Value)
    assert_type(mg.losses.hinge(x, 1), Value)
    assert_type(mg.losses.binary_cross_entropy(0.5, 1), float)
    assert_type(mg.losses.binary_cross_entropy(x, x), Value)
    assert_type(mg.losses.cross_entropy([1.0, 2.0], 1), float)
    assert_type(mg.losses.cross_entropy([x, x], 1), Value)
    assert_type(mg.losses.cross_entropy(mg.MLP(1, [3])(x), 1), Value)


def use_training() -> None:
    X, y = mg.datasets.moons(20)
    model = mg.MLP(2, [1])
    adam = mg.optim.Adam(model.parameters(), lr=0.01)
    history = mg.fit(
        *(model, X, y),
        loss=mg.losses.binary_cross_entropy,
        optimizer=adam,
        epochs=2,
        metrics=[mg.accuracy],
        schedule=mg.schedules.cosine(0.1, 10),
        clip=mg.optim.clip_norm(1.0),
        callbacks=[lambda model, history: len(history) > 1],
        progress=False,
        history=mg.History(),
    )
    assert_type(history, mg.History)
    assert_type([history.to_csv(os.devnull), model.summary()], list[str])
    stopping = mg.callbacks.EarlyStopping(patience=3)
    slower, keep = mg.callbacks.ReduceOnPlateau(adam), mg.callbacks.Checkpoint(os.devnull)
    assert_type(stopping.best_epoch, int)
    assert_type(stopping(model, history), bool)
    slower(model, history)
    assert_type(mg.schedules.one_cycle(0.1, 10), mg.schedules.Schedule)
    assert_type(mg.schedules.staircase(0.1, 0.5, 10), mg.schedules.Schedule)
    keep(model, history)
    record: mg.history.Record = history[-1]
    assert_type(record["loss"], float)
    assert_type(history[-1], dict[str, float])
    assert_type(history["loss"], list[float])
    assert_type(history.records, list[dict[str, float]])
    assert_type(len(history), int)
    assert_type(history.ended, str)
    assert_type([record["loss"] for record in history], list[float])
    assert_type(history.plot(), mg.drawing.Picture)
    assert_type(mg.accuracy([0.5], [1]), float)
    assert_type(mg.metrics.confusion_matrix([0.5], [1]), list[list[int]])
    metric: mg.metrics.Metric = mg.accuracy
    by_name = mg.metrics.metrics_by_name([metric])
    assert_type(mg.metrics.measure(by_name, [0.5], [1]), dict[str, float])
    assert_type(adam.step(), None)
    assert_type(adam.zero_grad(), None)
    assert_type(adam.state_dict(), dict[str, Any])
    assert_type(mg.optim.SGD([Value(1.0)], lr=0.1), mg.optim.SGD)
    assert_type(mg.optim.AdamW([Value(1.0)], lr=0.1), mg.optim.AdamW)
    assert_type(mg.optim.RMSprop([Value(1.0)], lr=0.1), mg.optim.RMSprop)
    assert_type(mg.optim.clip_norm(1.0)([3.0, 4.0]), list[float])
    assert_type(mg.optim.clip_value(1.0)([3.0, 4.0]), list[float])
    assert_type(mg.optim.clip_grad_norm_([Value(1.0)], 1.0), float)
    assert_type(mg.optim.clip_grad_value_([Value(1.0)], 1.0), None)
    optimizer: mg.optim.Optimizer = adam
    assert_type(optimizer.step(), None)
    schedule: mg.schedules.Schedule = mg.schedules.linear(0.1, 0.0, 10)
    assert_type(schedule(3), float)
    assert_type(mg.schedules.exponential(0.1, 0.9)(3), float)
    assert_type(mg.schedules.warmup(mg.schedules.constant(0.1), 3)(3), float)


def use_datasets() -> None:
    datasets = mg.datasets
    for data in [datasets.circles(6), datasets.xor(6), datasets.blobs(6), datasets.spirals(6)]:
        assert_type(data, tuple[list[list[float]], list[int]])
    X, y = datasets.moons(6)
    assert_type(datasets.digits(), tuple[list[list[float]], list[int]])
    assert_type(datasets.penguins(), mg.datasets.Penguins)
    assert_type(datasets.penguins().X, list[list[float]])
    assert_type(
        datasets.split(X, y), tuple[list[list[float]], list[list[float]], list[int], list[int]]
    )
    assert_type(datasets.encode(["a", "b"]), tuple[list[int], list[str]])
    for rows, targets in datasets.batches(X, y, 2):
        assert_type(rows, list[list[float]])
        assert_type(targets, list[int])
    scaler = datasets.StandardScaler()
    assert_type(scaler.fit(X).transform(X), list[list[float]])
    assert_type(scaler.fit_transform(X), list[list[float]])
    assert_type(scaler.inverse_transform(X), list[list[float]])


def use_compiled_functions() -> None:
    row, x = numbers(), Value(2.0)
    compiled = mg.compile(scaled)
    assert_type(compiled, mg.compiler.Compiled[Value, Row])
    assert_type(mg.compiler.lowers(), Callable[[Callable[..., object]], Callable[..., object]])
    assert_type(compiled(2.0, 3.0, shift=1.0), float)
    assert_type(compiled(x, 3.0), Value)
    assert_type(compiled(row, 3.0), Row)
    assert_type(compiled(row, 3.0, out=row), Row)
    assert_type(mg.compile(cube)(2.0), float)
    assert_type(mg.compile(cube, threads=None)(2.0), float)
    assert_type(mg.compile(scaled, reduce="mean", threads=2)(row, 3.0), float)
    assert_type(mg.compile(product, shared=0)([2.0, 3.0]), Any)
    assert_type(mg.compile(powers)(2.0), list[float])
    assert_type(mg.compile(powers)(row), list[Row])
    assert_type(mg.compile(both)(2.0), tuple[float, float])
    assert_type(mg.compile(both)(row), tuple[Row, Row])
    assert_type(mg.compile(with_list)(2.0), tuple[Any, Any])
    assert_type(compiled.prepare(2.0, 3.0, shift=1.0), mg.compiler.Program)
    assert_type(compiled.program, mg.compiler.Program)
    assert_type(compiled.source("c"), str)


def use_compiled_derivatives() -> None:
    row, x = numbers(), Value(2.0)
    slope = mg.compile(mg.grad(scaled))
    assert_type(slope, mg.compiler.Compiled[float, Row])
    assert_type(slope(2.0, 3.0, shift=1.0), float)
    assert_type(slope(row, 3.0), Row)
    assert_type(slope(x, 3.0), Value)
    assert_type(mg.compile(mg.grad(mg.grad(cube)))(2.0), float)
    assert_type(mg.compile(mg.grad(product))([2.0, 3.0]), Any)
    assert_type(mg.compile(mg.grad(scaled), reduce="sum")(row, 3.0), Any)
    assert_type(mg.compile(mg.value_and_grad(scaled))(2.0, 3.0), tuple[float, float])
    assert_type(mg.compile(mg.value_and_grad(scaled))(row, 3.0), tuple[Row, Row])
    assert_type(mg.compile(mg.value_and_grad(scaled), reduce="sum")(row, 3.0), tuple[Any, Any])
    assert_type(mg.compile(mg.value_and_grad(product))([2.0, 3.0]), tuple[Any, Any])
    assert_type(mg.compile(mg.hessian(cube))(2.0), float)
    assert_type(mg.compile(mg.hessian(cube))(row), Row)
    assert_type(mg.compile(mg.jacobian(cube))(2.0), float)
    assert_type(mg.compile(mg.jacobian(powers))(2.0), list[float])
    assert_type(mg.compile(mg.jacobian(powers))(row), list[Row])


def use_pictures() -> None:
    x = Value(2.0, label="x")
    y = mg.tanh(x * x)
    assert_type(mg.draw(y), mg.drawing.Graph)
    assert_type(mg.draw_dot(y), mg.drawing.Graph)
    assert_type(mg.draw(y).values, int)
    mg.drawing.engine = lambda source, format: source + format
    del mg.drawing.engine
    assert_type(mg.formula(y), mg.drawing.Formula)
    assert_type(mg.formula(y, by=x).latex, str)
    assert_type(mg.explain(y, x), mg.drawing.Explanation)
    assert_type(mg.explain(y, x).gradient, float)
    assert_type(mg.explore(y, before=mg.explore(y)), mg.drawing.Exploration)
    page: mg.drawing.Page = mg.explore(y)
    assert_type(mg.drawing.formula_page("w*x", {"w": 2}), mg.drawing.FormulaPage)
    assert_type(page.html(), str)
    assert_type(mg.drawing.plot_network(mg.MLP(2, [1]), lines=None), mg.drawing.Picture)
    assert_type(mg.drawing.plot_history([{"epoch": 1, "loss": 0.5}]), mg.drawing.Picture)
    assert_type(mg.drawing.plot_images([[0.5, y], [x, 0]], width=2), mg.drawing.Picture)
    assert_type(mg.drawing.plot_confusion_matrix([[1, 0], [0, 1]]), mg.drawing.Picture)
    X, t = mg.datasets.moons(4)
    model = mg.MLP(2, [1])
    assert_type(mg.drawing.plot_decision_boundary(model, X, t, resolution=2), mg.drawing.Picture)
    assert_type(mg.drawing.LivePlot(X, t), mg.drawing.LivePlot)
    assert_type(mg.drawing.playground(model, X, t), mg.drawing.Playground)
    assert_type(mg.drawing.playground().to_model(), mg.MLP)
    assert_type(mg.drawing.BoundaryMovie(X, t), mg.drawing.BoundaryMovie)


def use_testing() -> None:
    assert_type(mg.testing.check_gradients(scaled, 2.0, 3.0), mg.testing.GradientReport)
    assert_type(mg.testing.check_gradients(cube, 2.0).failure(), str)
    assert_type(mg.testing.strategies.numbers("sin"), SearchStrategy[tuple[float, ...]])
    assert_type(mg.testing.strategies.primitives(), SearchStrategy[Primitive])
    assert_type(mg.testing.conformance.LAWS[0], mg.testing.conformance.Law)
    assert_type(mg.testing.conformance.STAGES[0], mg.testing.conformance.Stage)
    assert_type(mg.drawing.as_values(Value(2.0), data="data"), list[Value])
    assert_type(mg.testing.check(4, Value), mg.testing.conformance.StageReport)
    assert_type(mg.testing.check("1.1", (6.0, -2.0)), mg.testing.exercises.Reply)
    assert_type(mg.testing.exercises.BUGS[0].judge(25).right, bool)
    assert_type(mg.testing.check(1, Value).failures, dict[str, mg.testing.conformance.Failure])


def use_arrays() -> None:
    x = Value(2.0)
    assert_type(mg.arrays.array([x, 1.0]), mg.arrays.Array)
    assert_type(mg.arrays.array([x, 1.0]).max(), Any)


def use_lambdas() -> None:  # whose first parameter is known to be for anything
    assert_type(mg.compile(lambda x: x * x)(2.0), float)
    assert_type(mg.compile(lambda x: x * x, reduce="sum")(np.ones(2)), float)
    assert_type(mg.compile(lambda: 2.0)(), float)
    mg.jvp(lambda x: x * x, (2.0,), (1.0,))
    mg.vjp(lambda x: x * x, Value(2.0))
    assert_type(mg.hvp(lambda x: x[0] * x[0], ([2.0],), ([1.0],)), list[float])
    assert_type(mg.taylor(lambda x: x * x, 2.0, 3), list[float])
    mg.testing.check_gradients(lambda x: x * x, 2.0)


def refused() -> None:
    x = Value(2.0)
    Value("2.0")  # type: ignore
    Value(1.0, requires_grad=True)  # type: ignore
    x.numpy()  # type: ignore
    x.data = "2.0"  # type: ignore
    x + "2.0"  # type: ignore
    x.clip(x, 1.0)  # type: ignore
    mg.sin("2.0")  # type: ignore
    mg.maximum(x, "2.0")  # type: ignore
    mg.sum(x)  # type: ignore
    mg.where(x > 0, x, "2.0")  # type: ignore
    mg.losses.squared_error(x, "2.0")  # type: ignore
    mg.family(steep)("2")  # type: ignore
    mg.compile(scaled, reduce="max")  # type: ignore
    mg.compile(scaled, threads="all")  # type: ignore
    mg.fit(mg.MLP(2, [1]), [[1.0]], [1])  # type: ignore

    class Named(Value):  # type: ignore
        pass

    mg.gradients("x", x)  # type: ignore
    mg.grad(scaled)(2.0)  # type: ignore
    mg.grad(scaled)(2.0, "3")  # type: ignore
    mg.grad(scaled)(2.0, 3.0, shifts=1.0)  # type: ignore
    mg.value_and_grad(product)([2.0, 3.0], 1.0)  # type: ignore
    mg.taylor(mg.exp, 0.0, "4")  # type: ignore
