"""What the benchmarks of native kernels time: the same work, done by microgrid and by others.

What is not installed is None or left out. All use doubles.
"""

from __future__ import annotations

import ctypes
import gc
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import microgrid
from microgrid import MLP, datasets, losses, value_and_grad

LEAST_SAMPLE = 1e-2  # seconds: what takes less is timed several times over, to be warm


class Side(NamedTuple):
    """One of those that do some work.

    `run` does the `share` of it. `numbers` makes an array of what it returns; it is None for what
    was compared already.
    """

    name: str
    run: Callable[[], Any]
    numbers: Callable[[Any], Any] | None
    share: float = 1.0


@cache
def peer(name: str) -> Any:
    """Return a package that may be missing; None if it is."""
    if find_spec(name) is None:
        return None
    if name == "jax":
        jax = import_module("jax")
        jax.config.update("jax_enable_x64", True)
        return jax
    return import_module(name)


def flat(result: Any) -> Any:
    """Return all numbers of a result, one after the other."""
    return np.concatenate([np.ravel(leaf) for leaf in _leaves(result)])


def by_row(result: Any) -> Any:
    """Return the numbers of a result of equally long arrays, those of a row together."""
    return np.stack([np.ravel(leaf) for leaf in _leaves(result)], axis=-1).ravel()


def _leaves(result: Any) -> Iterator[Any]:
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from _leaves(part)
    else:
        yield np.asarray(result)


def in_turns(works: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Return for each of some works the seconds that it takes, again and again, in turns."""
    repeats = []
    for work in works:
        work()
        start = time.perf_counter()
        work()
        repeats.append(max(1, int(LEAST_SAMPLE / (time.perf_counter() - start))))
    times: list[list[float]] = [[] for _ in works]
    gc.collect()
    for _ in range(rounds):
        for work, count, seconds in zip(works, repeats, times, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                work()
            seconds.append((time.perf_counter() - start) / count)
    return times


def length(seconds: float) -> str:
    """Return a time with a unit that suits it."""
    units = {"s ": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, size in units.items() if seconds >= size), "ns")
    return f"{seconds / units[unit]:7.2f} {unit}"


def verdict(number: float, target: float, unit: str = "") -> str:
    """Return a number, its target, and whether it is met."""
    shown = [f"{x:.3f}" if x < 10 else f"{x:,.0f}" for x in (number, target)]
    met = "met" if number <= target else "MISSED"
    return f"{shown[0]}{unit}, at most {shown[1]}{unit}: {met}"


# The perceptron


def signed_moons(n: int) -> tuple[Any, Any]:
    """Return n moons as an array, and their classes as -1 and 1."""
    rows, labels = datasets.moons(n, seed=1)
    return np.array(rows), 2.0 * np.array(labels) - 1


def step_of(model: MLP, threads: int = 1) -> Any:
    """Return the compiled mean loss of a model, and its gradient, by parameters and rows."""

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        return losses.hinge(model.with_parameters(parameters)(x), target)

    return microgrid.compile(value_and_grad(loss), shared=0, reduce="mean", threads=threads)


def numbers_of(model: MLP) -> Any:
    """Return a model's parameters as an array."""
    return np.array([parameter.data for parameter in model.parameters()])


def matrices(parameters: Any, sizes: Sequence[int]) -> list[Any]:
    """Return a perceptron's parameters as weights, biases, weights and so on."""
    parts, begin = [], 0
    for n_in, n_out in pairwise(sizes):
        layer = parameters[begin : begin + n_out * (n_in + 1)].reshape(n_out, n_in + 1)
        parts += [layer[:, :-1].copy(), layer[:, -1].copy()]
        begin += n_out * (n_in + 1)
    return parts


def joined(parts: Sequence[Any]) -> Any:
    """Return the array of parameters that `matrices` were made of."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return np.concatenate([np.column_stack([w, b]).ravel() for w, b in pairs])


def joined_step(result: Any) -> Any:
    """Return a loss and matrices as one array."""
    loss, parts = result
    return np.concatenate([[float(loss)], joined([np.asarray(part) for part in parts])])


def matrix_loss(relu: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the mean hinge loss of a perceptron as JAX and PyTorch write it."""

    def loss(parts: Sequence[Any], X: Any, target: Any) -> Any:
        *hidden, w, b = parts
        for weights, bias in zip(hidden[::2], hidden[1::2], strict=True):
            X = relu(X @ weights.T + bias)
        return relu(1 - target * (X @ w.T + b)[:, 0]).mean()

    return loss


def kernel_alone(compiled: Any, parameters: Any, columns: Sequence[Any]) -> Callable[[], Any]:
    """Return the machine code of a compiled mean over rows, without the call around it."""
    return code_alone(compiled._latest.kernel.kernel, parameters, columns)


def code_alone(kernel: Any, parameters: Any, columns: Sequence[Any]) -> Callable[[], Any]:
    """Return the machine code of a kernel that adds up over rows."""
    numbers = np.zeros(kernel.text.room)
    numbers[: len(parameters)] = parameters
    sums = np.zeros(len(kernel.text.totals))
    places = [(column.ctypes.data, column.strides[0]) for column in columns]
    call = kernel.bind(len(columns[0]), places, [], numbers, sums)
    alive = (kernel, numbers, columns)

    def run() -> Any:
        call()
        return sums if alive else None

    return run


@cache
def c_library(name: str, *options: str) -> tuple[ctypes.CDLL, float] | None:
    """Return a file of C code compiled, and the seconds that took; None without cc."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        source = Path(__file__).with_name(f"{name}.c")
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", *options]
        start = time.perf_counter()
        subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
        seconds = time.perf_counter() - start
        return ctypes.CDLL(str(library)), seconds


def c_function(hidden: int) -> tuple[Any, float] | None:
    """Return mlp.c compiled for layers of a size, and the seconds that took; None without cc."""
    found = c_library("mlp", f"-DK={hidden}")
    if found is None:
        return None
    function = found[0].mlp
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * 5]
    return function, found[1]


def c_step(hidden: int, parameters: Any, columns: Sequence[Any]) -> Callable[[], Any] | None:
    """Return the step in C, with all its pointers made."""
    found = c_function(hidden)
    if found is None:
        return None
    gradient = np.zeros(len(parameters))
    alive = (parameters, *columns, gradient)
    given = len(columns[0]), *[array.ctypes.data for array in alive]

    def run() -> Any:
        return found[0](*given), alive[-1]

    return run


def jax_step(parts: Sequence[Any], X: Any, target: Any) -> Callable[[], Any]:
    """Return the step in JAX."""
    jax = peer("jax")
    step = jax.jit(jax.value_and_grad(matrix_loss(jax.nn.relu)))
    given = jax.device_put((list(parts), X, target))
    return lambda: jax.block_until_ready(step(*given))


def torch_step(parts: Sequence[Any], X: Any, target: Any, threads: int) -> Callable[[], Any]:
    """Return the step in PyTorch."""
    torch = peer("torch")
    leaves = [torch.tensor(part, requires_grad=True) for part in parts]
    X, target = torch.tensor(X), torch.tensor(target)
    loss_of = matrix_loss(torch.relu)

    def run() -> Any:
        torch.set_num_threads(threads)
        loss = loss_of(leaves, X, target)
        return loss.detach(), torch.autograd.grad(loss, leaves)

    return run


# Black and Scholes's price of a call, and its derivatives, for many options

INPUTS = (0, 1, 2, 3, 4)


def price_with(module: Any) -> Callable[..., Any]:
    """Return the price as a function of S, K, r, sigma and T, with a module's functions."""

    def price(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:
        deviation = sigma * module.sqrt(T)
        d1 = (module.log(S / K) + (r + sigma * sigma / 2) * T) / deviation
        d2 = d1 - deviation

        def below(x: Any) -> Any:
            return (1 + module.erf(x * 0.5**0.5)) / 2

        return S * below(d1) - K * module.exp(-r * T) * below(d2)

    return price


def market(n: int) -> list[Any]:
    """Return the five inputs of n options."""
    draw = np.random.default_rng(0)
    spans = [(80, 120), (80, 120), (0.01, 0.05), (0.1, 0.5), (0.25, 2.0)]
    return [draw.uniform(low, high, n) for low, high in spans]


def jax_price() -> Callable[..., Any]:
    """Return the price in JAX."""
    jnp, special = import_module("jax.numpy"), import_module("jax.scipy.special")
    return price_with(SimpleNamespace(sqrt=jnp.sqrt, log=jnp.log, exp=jnp.exp, erf=special.erf))


def torch_gradient_of_prices(columns: Sequence[Any], threads: int) -> Callable[[], Any]:
    """Return the price and its derivatives in PyTorch."""
    torch = peer("torch")
    leaves = [torch.tensor(column, requires_grad=True) for column in columns]
    price_of = price_with(torch)

    def run() -> Any:
        torch.set_num_threads(threads)
        price = price_of(*leaves)
        return price.detach(), torch.autograd.grad(price.sum(), leaves)

    return run
