"""Native kernels, side by side with C, JAX, PyTorch, CasADi and micrograd in one process.

`python -m tests.benchmarks.native` prints medians and ratios, says which targets are met, and draws
how times grow; the guide quotes them. What is not installed is named and left out. Before anything
is timed, all sides must have computed the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np

import microgrid
from microgrid import MLP, fit, hessian, losses, optim, schedules, value_and_grad
from microgrid.fitting.examples import Examples
from microgrid.fitting.task import TrainingTask

from .growth import growth, large, pictures, threads
from .sides import (
    INPUTS,
    Side,
    by_row,
    c_step,
    flat,
    jax_price,
    jax_step,
    joined,
    joined_step,
    kernel_alone,
    market,
    matrices,
    matrix_loss,
    numbers_of,
    peer,
    price_with,
    signed_moons,
    step_of,
    torch_gradient_of_prices,
    torch_step,
)
from .table import Row, measure, parser_of, run_parts, same, tell_circumstances

PEERS = ("jax", "torch", "casadi", "micrograd")
SIZES = (2, 16, 16, 1)  # of micrograd's network


def gradient_of_a_network(rows: int) -> Iterator[Side]:
    """Yield the sides of the loss and gradient of micrograd's network."""
    X, target = signed_moons(104)
    x = np.ascontiguousarray(X.T)
    model = MLP(SIZES[0], SIZES[1:], seed=0)
    parameters = numbers_of(model)
    parts = matrices(parameters, SIZES)
    step = step_of(model)
    by_model = microgrid.compile(
        value_and_grad(lambda model, x, target: losses.hinge(model(x), target)),
        shared=0,
        reduce="mean",
    )
    step(parameters, list(x), target)
    kernel = kernel_alone(step, parameters, [*x, target])
    yield Side("microgrid's kernel", kernel, lambda sums: sums / len(target))
    yield Side("microgrid, called", lambda: step(parameters, list(x), target), flat)
    yield Side(
        "microgrid, called with a model",
        lambda: by_model(model, list(x), target),
        lambda result: np.array([result[0], *result[1].values()]),
    )
    if run := c_step(SIZES[1], parameters, [*x, target]):
        yield Side("C", run, flat)
    if peer("jax"):
        yield Side("JAX", jax_step(parts, X, target), joined_step)
    if peer("torch"):
        yield Side("PyTorch, 1 thread", torch_step(parts, X, target, 1), joined_step)
        yield Side("PyTorch, 2 threads", torch_step(parts, X, target, 2), joined_step)


# Training

STEPS, DECAY = 100, 2e-4  # the derivative of micrograd's penalty 1e-4 p² is 2e-4 p


def training(rows: int) -> Iterator[Side]:
    """Yield the sides of the training in micrograd's demo notebook."""
    X, target = signed_moons(100)
    inputs, targets = X.tolist(), target.tolist()
    start = MLP(SIZES[0], SIZES[1:], seed=0)
    initial, state = numbers_of(start), start.state_dict()
    parts = matrices(initial, SIZES)
    rates = [1.0 - 0.9 * k / STEPS for k in range(STEPS)]

    def fitted(steps: int) -> Any:
        model = MLP(SIZES[0], SIZES[1:])
        model.load_state_dict(state)
        sgd = optim.SGD(model.parameters(), lr=1.0, weight_decay=DECAY)
        history = fit(
            model, inputs, targets, loss=losses.hinge, optimizer=sgd, epochs=steps,
            schedule=schedules.linear(1.0, 0.1, STEPS), shuffle=False, progress=False, compile=True,
        )  # fmt: skip
        assert len(history) == steps
        return model

    memories = [
        import_module("microgrid.compiler.training.steps")._latest_kernels,
        import_module("microgrid.compiler.training.programs")._latest_derivations,
    ]

    def forget() -> None:
        for memory in memories:
            memory.cache_clear()

    yield Side("microgrid, its training alone", training_alone(start, inputs, targets, rates), flat)
    yield Side("microgrid, a whole fit again", lambda: fitted(STEPS), numbers_of)
    yield Side("microgrid, a first fit", lambda: forget() or fitted(STEPS), numbers_of)
    if peer("jax"):
        yield from jax_training(parts, X, target, rates)
    if peer("torch"):
        yield Side("PyTorch, 1 thread", torch_training(parts, X, target, rates), joined)
    if peer("micrograd"):
        steps = 2
        run = micrograd_training(initial, inputs, targets, rates[:steps])
        same(flat(run()), numbers_of(fitted(steps)), "micrograd")
        yield Side(f"micrograd, {steps} steps scaled up", run, None, steps / STEPS)


def training_alone(
    model: MLP, rows: Any, targets: Any, rates: Sequence[float]
) -> Callable[[], Any]:
    """Return the native steps of a fit that has compiled already; they always start anew.

    As the sides that keep their numbers in arrays, it begins with an array of parameters.
    """
    steps_type = import_module("microgrid.compiler.training.steps").NativeSteps
    sgd = optim.SGD(model.parameters(), lr=1.0, weight_decay=DECAY)
    examples = Examples(rows, targets)
    steps = steps_type(TrainingTask(model, losses.hinge, sgd, examples, len(rows)), predicts=False)
    columns, places = steps.columns(examples), np.arange(len(rows))
    start = steps.parameters.copy()

    def run() -> Any:
        steps.parameters[:] = start
        for rate in rates:
            assert steps.take(columns, places, rate) is not None
        return steps.parameters

    return run


def jax_update() -> Callable[..., Any]:
    """Return one step of the training in JAX, not compiled, made anew."""
    jax = peer("jax")
    loss_of = matrix_loss(jax.nn.relu)

    def update(parts: Any, rate: Any, X: Any, target: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parts, X, target)
        return loss, [p - rate * (g + DECAY * p) for p, g in zip(parts, slopes, strict=True)]

    return update


def jax_training(parts: Any, X: Any, target: Any, rates: Sequence[float]) -> Iterator[Side]:
    """Yield JAX's two ways to train: all steps in one call, and one call for each."""
    jax = peer("jax")
    update = jax_update()
    given = jax.device_put((list(parts), X, target, np.array(rates)))

    @jax.jit
    def scanned(parts: Any, X: Any, target: Any, rates: Any) -> Any:
        def one(parts: Any, rate: Any) -> Any:
            return update(parts, rate, X, target)[::-1]

        return jax.lax.scan(one, parts, rates)

    one_step = jax.jit(update)

    def stepped() -> Any:
        parts, X, target, _ = given
        for rate in rates:
            _, parts = one_step(parts, rate, X, target)
        return jax.block_until_ready(parts)

    yield Side("JAX, scan", lambda: jax.block_until_ready(scanned(*given))[0], joined)
    yield Side("JAX, step by step", stepped, joined)


def torch_training(parts: Any, X: Any, target: Any, rates: Sequence[float]) -> Callable[[], Any]:
    """Return the training in PyTorch, with its own optimizer."""
    torch = peer("torch")
    X, target = torch.tensor(X), torch.tensor(target)
    loss_of = matrix_loss(torch.relu)

    def run() -> Any:
        torch.set_num_threads(1)
        leaves = [torch.tensor(part, requires_grad=True) for part in parts]
        sgd = torch.optim.SGD(leaves, lr=1.0, weight_decay=DECAY)
        for rate in rates:
            sgd.param_groups[0]["lr"] = rate
            sgd.zero_grad()
            loss_of(leaves, X, target).backward()
            sgd.step()
        return [leaf.detach().numpy() for leaf in leaves]

    return run


def micrograd_training(
    initial: Any, rows: Any, targets: Any, rates: Sequence[float]
) -> Callable[[], Any]:
    """Return steps of the notebook's loop in micrograd."""
    engine, nn = import_module("micrograd.engine"), import_module("micrograd.nn")

    def run() -> Any:
        model = nn.MLP(SIZES[0], list(SIZES[1:]))
        for p, x in zip(model.parameters(), initial.tolist(), strict=True):
            p.data = x
        for rate in rates:
            scores = [model(list(map(engine.Value, row))) for row in rows]
            margins = [(1 + -yi * score).relu() for yi, score in zip(targets, scores, strict=True)]
            penalty = 1e-4 * sum(p * p for p in model.parameters())
            total = sum(margins) * (1.0 / len(margins)) + penalty
            model.zero_grad()
            total.backward()
            for p in model.parameters():
                p.data -= rate * p.grad
        return [p.data for p in model.parameters()]

    return run


def casadi_side(columns: Sequence[Any], second: bool) -> Side:
    """Return CasADi's side, on some of the rows."""
    casadi = peer("casadi")
    rows = min(10_000, len(columns[0]))
    x = casadi.SX.sym("x", len(INPUTS))
    price = price_with(casadi)(*casadi.vertsplit(x))
    matrix, slopes = casadi.hessian(price, x)
    outputs = [price, *casadi.vertsplit(slopes)]
    outputs += casadi.vertsplit(casadi.vec(matrix)) if second else []
    function = casadi.Function("f", [x], [casadi.vertcat(*outputs)]).map(rows)
    given = casadi.DM(np.array([column[:rows] for column in columns]))
    share = rows / len(columns[0])
    name = "CasADi" if share == 1 else f"CasADi, {rows:,} rows scaled up"
    return Side(name, lambda: function(given), lambda result: np.array(result).T.ravel(), share)


def gradient_of_prices(rows: int) -> Iterator[Side]:
    """Yield the sides of the price and its five derivatives."""
    columns = market(rows)
    compiled = microgrid.compile(value_and_grad(price_with(microgrid), argnums=INPUTS))
    yield Side("microgrid", lambda: compiled(*columns), by_row)
    if jax := peer("jax"):
        vectored = jax.jit(jax.vmap(jax.value_and_grad(jax_price(), argnums=INPUTS)))
        given = jax.device_put(columns)
        yield Side("JAX", lambda: jax.block_until_ready(vectored(*given)), by_row)
    if peer("torch"):
        for threads in (1, 2):
            run = torch_gradient_of_prices(columns, threads)
            yield Side(f"PyTorch, {threads} thread{'s' * (threads > 1)}", run, by_row)
    if peer("casadi"):
        yield casadi_side(columns, second=False)


def hessian_of_prices(rows: int) -> Iterator[Side]:
    """Yield the sides of the price, its five derivatives and their 25 derivatives."""
    columns = market(rows)
    price, places = price_with(microgrid), INPUTS

    def ours(*x: Any) -> Any:
        return value_and_grad(price, argnums=places)(*x), hessian(price, argnums=places)(*x)

    compiled = microgrid.compile(ours)
    yield Side("microgrid", lambda: compiled(*columns), by_row)
    if jax := peer("jax"):
        theirs = jax_price()

        def whole(*x: Any) -> Any:
            first = jax.value_and_grad(theirs, argnums=places)
            return first(*x), jax.hessian(theirs, argnums=places)(*x)

        given = jax.device_put(columns)
        for name, f, numbers in [
            ("JAX", whole, by_row),
            ("JAX, the Hessian alone", jax.hessian(theirs, argnums=places), None),
        ]:
            vectored = jax.jit(jax.vmap(f))
            yield Side(name, lambda f=vectored: jax.block_until_ready(f(*given)), numbers)
    if peer("casadi"):
        yield casadi_side(columns, second=True)


# A small call, and the time until there is one


def ten_operations(module: Any) -> Callable[..., Any]:
    """Return a function of ten operations, with a module's functions."""
    return lambda x, y, z: module.tanh(x * y + z) * module.exp(-x) + module.sqrt(y * y + 1)


def small_call(rows: int) -> Iterator[Side]:
    """Yield the sides of one call with numbers."""
    x, y, z = 0.3, 0.7, -0.2
    ours = microgrid.compile(ten_operations(microgrid))
    assert len(ours.program) == 10
    yield Side("microgrid", lambda: ours(x, y, z), flat)
    if casadi := peer("casadi"):
        symbols = [casadi.SX.sym(name) for name in "xyz"]
        f = casadi.Function("f", symbols, [ten_operations(casadi)(*symbols)])
        yield Side("CasADi", lambda: f(x, y, z), lambda result: flat(float(result)))
        buffer, evaluate = f.buffer()
        arrays = [np.array([number]) for number in (x, y, z, 0.0)]
        for i, array in enumerate(arrays[:3]):
            buffer.set_arg(i, memoryview(array))
        buffer.set_res(0, memoryview(arrays[3]))

        def buffered() -> Any:
            evaluate()
            return arrays[3] if buffer else None  # which must stay alive

        yield Side("CasADi, in buffers that stay", buffered, flat)
    in_numpy = ten_operations(np)
    yield Side("NumPy", lambda: in_numpy(x, y, z), flat)
    in_python = ten_operations(import_module("math"))
    yield Side("Python's math", lambda: in_python(x, y, z), flat)


def first_result(rows: int) -> Iterator[Side]:
    """Yield the sides of compiling the demo's step: from a new function to its first result."""
    X, target = signed_moons(100)
    x = list(np.ascontiguousarray(X.T))
    rate = 1.0

    def ours() -> Any:
        model = MLP(SIZES[0], SIZES[1:], seed=0)
        parameters = numbers_of(model)
        loss, slopes = step_of(model)(parameters, x, target)
        return loss, parameters - rate * (slopes + DECAY * parameters)

    yield Side("microgrid", ours, flat)
    if jax := peer("jax"):
        parts = matrices(numbers_of(MLP(SIZES[0], SIZES[1:], seed=0)), SIZES)

        def theirs() -> Any:
            jax.clear_caches()
            return jax.block_until_ready(jax.jit(jax_update())(parts, rate, X, target))

        yield Side("JAX", theirs, joined_step)


ROWS = [
    Row(
        "network",
        "loss and 337 gradients of an MLP 2-16-16-1, relu and hinge, 104 rows",
        gradient_of_a_network,
        "microgrid's kernel",
        ["C"],
        1 / 2,
    ),
    Row(
        "training",
        "micrograd's demo: 100 steps on 100 moons, hinge + L2, MLP 2-16-16-1",
        training,
        "microgrid, its training alone",
        ["JAX, scan"],
        1 / 2,
    ),
    Row(
        "gradient",
        "the Black-Scholes price and 5 derivatives, one thread",
        gradient_of_prices,
        "microgrid",
        ["PyTorch, 2 threads"],
        1 / 4,
    ),
    Row(
        "hessian",
        "the Black-Scholes price, 5 derivatives and 5 x 5 second ones, one thread",
        hessian_of_prices,
        "microgrid",
        ["JAX"],
        1 / 6,
    ),
    Row("call", "one call of ten operations on floats", small_call, "microgrid", ["CasADi"], 1),
    Row(
        "compile",
        "from the demo's step in Python to its first result",
        first_result,
        "microgrid",
        ["JAX"],
        1 / 2,
    ),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and draw the picture."""
    parts = {row.name: lambda options, row=row: measure(row, options) for row in ROWS}
    parts |= {"large": large, "pictures": pictures, "threads": threads, "growth": growth}
    parser = parser_of("native", __doc__, parts)
    options = parser.parse_args(arguments)
    options.rows = 10**5 if options.quick else 10**6
    tell_circumstances(PEERS)
    print(f"{options.rows:,} options in `gradient` and `hessian`; ", end="")
    print("microgrid on one thread, JAX on as many as it likes")
    run_parts(parser, parts, options)


if __name__ == "__main__":
    main()
