"""What somebody writes with loops over scalars, for `loops`: beside JAX's arrays and C's loops."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np

import microgrid
from microgrid import dot, relu, tanh, value_and_grad
from tests.compiler.kernels import straight

from .sides import Side, c_library, code_alone, flat, kernel_alone, peer

STRAIGHT = "without loops"


def convolution(w: Sequence[Any], image: Sequence[Any], target: Any) -> Any:
    """Return the loss of a convolution 3 x 3 of 12 x 12 numbers into 4 channels, and a readout."""
    features = []
    for channel in range(4):
        *kernel, bias = w[10 * channel : 10 * channel + 10]
        for i in range(10):
            for j in range(10):
                patch = [image[12 * (i + p) + j + q] for p in range(3) for q in range(3)]
                features.append(relu(dot(kernel, patch) + bias))
    return (dot(w[40:440], features) - target) ** 2


def recurrence_of(units: int) -> Callable[..., Any]:
    """Return the loss of a recurrent network of some units."""

    def recurrence(w: Sequence[Any], xs: Sequence[Any], target: Any) -> Any:
        state, each = [0.0] * units, units + 2
        rows = [w[each * j : each * (j + 1)] for j in range(units)]
        for x in xs:
            state = [tanh(dot(row[:units], state) + row[-2] * x + row[-1]) for row in rows]
        return (dot(w[each * units :], state) - target) ** 2

    return recurrence


recurrence, wide_recurrence = recurrence_of(8), recurrence_of(32)
SIZES = {convolution: (440, 144), recurrence: (8 * 11, 40), wide_recurrence: (32 * 35, 40)}


def inputs_of(function: Callable[..., Any], rows: int) -> tuple[Any, list[Any], Any]:
    """Return weights, columns and targets for a convolution or a recurrence."""
    weights, columns = SIZES[function]
    draw = np.random.default_rng(0)
    return (
        draw.normal(size=weights) / weights**0.5,
        list(draw.uniform(size=(columns, rows))),
        draw.normal(size=rows),
    )


def compiled(function: Callable[..., Any]) -> Any:
    """Return the compiled sum of a loss and its gradient by the weights."""
    return microgrid.compile(value_and_grad(function), shared=0, reduce="sum")


def program_of(function: Callable[..., Any], *given: Any) -> Any:
    """Return the program of the compiled loss and its gradient."""
    return compiled(function).prepare(*given)


def loss_sides(function: Callable[..., Any], rows: int) -> Iterator[Side]:
    """Yield the sides of the loss and gradient of a convolution or a recurrence."""
    w, x, target = inputs_of(function, rows)
    step = compiled(function)
    step(w, x, target)
    yield Side("microgrid's kernel", kernel_alone(step, w, [*x, target]), np.array)
    yield Side("microgrid, called", lambda: step(w, x, target), flat)
    whole = straight(step.program, range(len(w)), "sum").kernel
    yield Side(STRAIGHT, code_alone(whole, w, [*x, target]), None)
    if jax := peer("jax"):
        loss = jax_convolution if function is convolution else jax_recurrence
        both = jax.jit(jax.value_and_grad(loss))
        given = jax.device_put((w, np.transpose(x), target))
        yield Side("JAX", lambda: jax.block_until_ready(both(*given)), flat)


def jax_convolution(w: Any, images: Any, target: Any) -> Any:
    """Return the sum of the convolution's losses in JAX."""
    jax, count = peer("jax"), len(images)
    kernels, readout = w[:40].reshape(4, 10), w[40:]
    found = jax.lax.conv(
        images.reshape(count, 1, 12, 12), kernels[:, :9].reshape(4, 1, 3, 3), (1, 1), "VALID"
    )
    features = jax.nn.relu(found + kernels[:, 9, None, None]).reshape(count, 400)
    return ((features @ readout - target) ** 2).sum()


def jax_recurrence(w: Any, rows: Any, target: Any) -> Any:
    """Return the sum of the recurrence's losses in JAX."""
    jax, jnp = peer("jax"), import_module("jax.numpy")
    units = int(len(w) ** 0.5) - 1  # of which each has as many weights, and three
    matrix, readout = w[: units * (units + 2)].reshape(units, units + 2), w[units * (units + 2) :]

    def one(state: Any, x: Any) -> Any:
        inside = state @ matrix[:, :units].T + x[:, None] * matrix[:, -2] + matrix[:, -1]
        return jnp.tanh(inside), None

    state, _ = jax.lax.scan(one, jnp.zeros((len(rows), units)), rows.T)
    return ((state @ readout - target) ** 2).sum()


STEP = 0.01  # of the integrator


def predator_and_prey(steps: int) -> Callable[..., Any]:
    """Return the first number of a model of Lotka and Volterra after some steps of RK4."""

    def value(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
        def slope(x: Any, y: Any) -> tuple[Any, Any]:
            return (a - b * y) * x, (d * x - c) * y

        h = STEP
        for _ in range(steps):
            p1, q1 = slope(x, y)
            p2, q2 = slope(x + h / 2 * p1, y + h / 2 * q1)
            p3, q3 = slope(x + h / 2 * p2, y + h / 2 * q2)
            p4, q4 = slope(x + h * p3, y + h * q3)
            x = x + h / 6 * (p1 + 2 * p2 + 2 * p3 + p4)
            y = y + h / 6 * (q1 + 2 * q2 + 2 * q3 + q4)
        return x

    return value


def derived(steps: int) -> Callable[..., Any]:
    """Return the function of the value and its six derivatives."""
    return value_and_grad(predator_and_prey(steps), argnums=tuple(range(6)))


START = (1.1, 0.4, 0.4, 0.1, 5.0, 3.0)


def populations() -> list[Any]:
    """Return what 8 rows of the model start with."""
    return [x * (1 + 0.01 * np.arange(8)) for x in START]


def c_rk4(steps: int) -> Callable[[], Any] | None:
    """Return the integrator and its derivatives in C."""
    found = c_library("rk4")
    if found is None:
        return None
    function = found[0].rk4
    function.argtypes = [ctypes.c_int64, ctypes.c_double, *[ctypes.c_void_p] * 3]
    arrays = np.array(populations()), np.empty((2 * steps, 8)), np.empty((7, 8))
    given = steps, STEP, *[array.ctypes.data for array in arrays]

    def run() -> Any:
        function(*given)
        return arrays[-1]

    return run


def integrator_sides(steps: int, rows: int) -> Iterator[Side]:
    """Yield the sides of an integrator's value and six derivatives."""
    columns = populations()
    function = microgrid.compile(derived(steps))
    function(*columns)
    yield Side("microgrid", lambda: function(*columns), flat)
    if run := c_rk4(steps):
        yield Side("C", run, np.ravel)
