"""How the times of compiling and of running grow, with nodes, rows and parameters.

Part of `python -m tests.benchmarks.native`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import microgrid
from microgrid import MLP, value_and_grad

from .sides import (
    INPUTS,
    c_function,
    c_step,
    in_turns,
    jax_price,
    kernel_alone,
    length,
    market,
    matrices,
    matrix_loss,
    numbers_of,
    peer,
    price_with,
    signed_moons,
    step_of,
    torch_gradient_of_prices,
    verdict,
)

HIDDEN = (14, 20, 41, 76, 126, 140)  # sizes of layers: 1,000 to 100,000 scalar operations
BIG = 126  # the network of 80,000 scalar operations
MOST_SECONDS, MOST_MEGABYTES = 8.0, 1024.0  # of compiling it
MOST_SPREAD = 2.0  # of the time of an operation, as programs grow: linear, nearly
MOST_OF_TWO_THREADS = 1 / 1.7  # of the time of one, on many rows
MEGABYTE = 2**20
MANY_VALUES, MOST_DRAWING = 5_000, 3.0  # seconds of drawing so many values


class Point(NamedTuple):
    """The seconds of compiling and of a run, at a number of nodes, rows or parameters."""

    name: str
    at: int
    compile: float
    run: float


def median_of(run: Callable[[], Any]) -> float:
    """Return the median of the seconds of a few runs."""
    return statistics.median(in_turns([run], 3)[0])


def built(name: str, at: int, build: Callable[[], Callable[[], Any]]) -> Point:
    """Return how long it takes to build what can run, and to run it.

    What is built soon is built three times: the first time wakes up what others find awake.
    """
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < 1.0:
        start = time.perf_counter()
        run = build()
        seconds.append(time.perf_counter() - start)
    return Point(name, at, statistics.median(seconds), median_of(run))


def ours(f: Callable[..., Any], arguments: Sequence[Any]) -> Callable[[], Callable[[], Any]]:
    """Return what builds a function with microgrid."""

    def build() -> Callable[[], Any]:
        compiled = microgrid.compile(f)
        compiled.prepare(*arguments)
        return lambda: compiled(*arguments)

    return build


def in_jax(f: Callable[..., Any], arguments: Sequence[Any]) -> Callable[[], Callable[[], Any]]:
    """Return what builds a function with JAX."""
    jax = peer("jax")
    given = jax.device_put(arguments)

    def build() -> Callable[[], Any]:
        jax.clear_caches()
        compiled = jax.jit(f).lower(*given).compile()
        return lambda: jax.block_until_ready(compiled(*given))

    return build


# Large programs


def scalar_operations(program: Any) -> int:
    """Return the number of operations on two numbers that a program's steps stand for."""
    return sum(max(1, len(operands) - 1) for op, operands in program.steps if op.name != "constant")


def compile_networks(sizes: Sequence[int]) -> None:
    """Print as JSON what networks of these sizes cost to compile; for a process of its own."""
    microgrid.compile(lambda x: x * x)(1.0)  # wakes LLVM up
    X, target = signed_moons(104)
    x = list(np.ascontiguousarray(X.T))
    before = resident("VmRSS")
    for hidden in sizes:
        model = MLP(2, [hidden, hidden, 1], seed=0)
        parameters = numbers_of(model)
        step = step_of(model)
        start = time.perf_counter()
        step(parameters, x, target)
        seconds = time.perf_counter() - start
        size = {"hidden": hidden, "parameters": len(parameters), "compile": seconds}
        size["memory"] = (resident("VmHWM") - before) / MEGABYTE
        size["operations"] = scalar_operations(step.program)
        size["run"] = median_of(kernel_alone(step, parameters, [*x, target]))
        print(json.dumps(size), flush=True)


def resident(which: str) -> int:
    """Return this process's memory in bytes, now ("VmRSS") or at its peak ("VmHWM").

    `resource` knows a peak only, and it may be that of the process that started this one: it is for
    systems without /proc.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[which].split()[0]) * 1024


@cache
def networks(quick: bool) -> list[dict[str, Any]]:
    """Return what `compile_networks` prints, in a new process."""
    sizes = HIDDEN[:3] if quick else HIDDEN
    code = f"from tests.benchmarks.growth import compile_networks; compile_networks({sizes})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.splitlines()]


def large(options: argparse.Namespace) -> None:
    """Print what large programs cost to compile."""
    print("\nlarge: compiling the hinge loss and gradient of MLPs 2-n-n-1, in a new process")
    print("  operations  parameters   compiling   an operation   memory   a run on 104 rows")
    found = networks(options.quick)
    costs = [size["compile"] / size["operations"] for size in found]
    for size, cost in zip(found, costs, strict=True):
        print(
            f"  {size['operations']:10,}  {size['parameters']:10,}  {length(size['compile'])}"
            f"     {length(cost)}  {size['memory']:4.0f} MB          {length(size['run'])}"
        )
    growth = max([cost / min(costs[: i + 1]) for i, cost in enumerate(costs)])
    print("  target: an operation over one of a smaller program", verdict(growth, MOST_SPREAD))
    for size in found:
        if size["hidden"] == BIG:
            print(f"  target: {size['operations']:,} operations", end=" ")
            print(verdict(size["compile"], MOST_SECONDS, " s"), end="; ")
            print(verdict(size["memory"], MOST_MEGABYTES, " MB"))


# Pictures


def reused(values: int) -> microgrid.Value:
    """Return a chain of about so many values, each of which uses one leaf again."""
    x = y = microgrid.Value(0.5)
    for _ in range(values // 4):
        y = (y * 0.9 + x).tanh()
    return y


def straight(values: int) -> microgrid.Value:
    """Return a chain of so many values."""
    y = microgrid.Value(0.5)
    for _ in range(values - 1):
        y = y.tanh()
    return y


def pictures(options: argparse.Namespace) -> None:
    """Print what it takes from a graph to its SVG."""
    print("\npictures: from a graph to its SVG, as a notebook shows it")
    print("  values     a chain   a leaf used all along it")
    for values in (500, 5_000, 50_000):
        seconds = []
        for build in (straight, reused):
            root = build(values)
            seconds.append(median_of(lambda root=root: microgrid.draw(root).pipe("svg")))
        print(f"  {values:6,}  {length(seconds[0])}                 {length(seconds[1])}")
        if values <= MANY_VALUES:
            print(f"  target: {values:,} values", verdict(max(seconds), MOST_DRAWING, " s"))


# Curves


def chained(n: int, module: Any) -> Callable[..., Any]:
    """Return a function of two numbers that is a chain of n nodes."""

    def chain(x: Any, w: Any) -> Any:
        y = x
        for _ in range(n // 2):
            y = module.sin(y * w)
        return y

    return chain


def by_nodes(options: argparse.Namespace) -> Iterator[Point]:
    """Yield what a chain of nodes and its gradient cost, on 1,000 rows."""
    x = np.linspace(0.1, 0.9, 1000)
    arguments = x, np.full_like(x, 1.25)
    sizes = (100, 300, 1000, 3000)
    for n in sizes[:2] if options.quick else sizes:
        f = value_and_grad(chained(n, microgrid), argnums=(0, 1))
        yield built("microgrid", n, ours(f, arguments))
        if (jax := peer("jax")) and n <= 1000:  # of more it takes too long
            f = jax.value_and_grad(chained(n, import_module("jax.numpy")), argnums=(0, 1))
            yield built("JAX", n, in_jax(jax.vmap(f), arguments))


def by_rows(options: argparse.Namespace) -> Iterator[Point]:
    """Yield what the price and its derivatives cost."""
    for n in [10**k for k in range(7) if 10**k <= options.rows]:
        columns = market(n)
        f = value_and_grad(price_with(microgrid), argnums=INPUTS)
        yield built("microgrid", n, ours(f, columns))
        if jax := peer("jax"):
            f = jax.vmap(jax.value_and_grad(jax_price(), argnums=INPUTS))
            yield built("JAX", n, in_jax(f, columns))
        if peer("torch"):
            yield Point("PyTorch", n, 0.0, median_of(torch_gradient_of_prices(columns, 2)))


def by_parameters(options: argparse.Namespace) -> Iterator[Point]:
    """Yield what a network's step costs, on 104 rows."""
    X, target = signed_moons(104)
    x = np.ascontiguousarray(X.T)
    for size in networks(options.quick):
        hidden, count = size["hidden"], size["parameters"]
        yield Point("microgrid", count, size["compile"], size["run"])
        parameters = numbers_of(MLP(2, [hidden, hidden, 1], seed=0))
        if run := c_step(hidden, parameters, [*x, target]):
            yield Point("C", count, c_function(hidden)[1], median_of(run))
        if jax := peer("jax"):
            parts = matrices(parameters, (2, hidden, hidden, 1))
            f = jax.value_and_grad(matrix_loss(jax.nn.relu))
            yield built("JAX", count, in_jax(f, (parts, X, target)))


# Threads


def threads(options: argparse.Namespace) -> None:
    """Print what two threads gain, on rows of a formula and on gradients of networks."""
    print("\nthreads: the time of one thread over that of two, best of some rounds in turns")
    price = value_and_grad(price_with(microgrid), argnums=INPUTS)
    one, two = [microgrid.compile(price, threads=count) for count in (1, 2)]
    gain = 0.0
    for rows in [10**k for k in range(3, 7) if 10**k <= options.rows]:
        columns = market(rows)
        outs = np.empty(rows), tuple(np.empty(rows) for _ in INPUTS)
        gain = gained(one, two, lambda f, c=columns, out=outs: f(*c, out=out))
        print(f"  {rows:9,} rows of the price and 5 derivatives      {gain:5.2f} x")
    print(f"  target: two threads over one {verdict(1 / gain, MOST_OF_TWO_THREADS)}")
    for hidden in (16, 41, 76):
        model = MLP(2, [hidden, hidden, 1], seed=0)
        one, two = step_of(model), step_of(model, threads=2)
        for rows in (1040, 10400):
            X, target = signed_moons(rows)
            given = numbers_of(model), list(np.ascontiguousarray(X.T)), target
            gain = gained(one, two, lambda f, given=given: f(*given))
            print(f"  {rows:9,} rows of a gradient of {len(given[0]):6,} parameters {gain:5.2f} x")


def gained(one: Any, two: Any, call: Callable[[Any], Any]) -> float:
    """Return the least time of a call of one function over that of another."""
    times = in_turns([lambda: call(one), lambda: call(two)], 15)
    return min(times[0]) / min(times[1])


Panels = Mapping[str, Callable[[argparse.Namespace], Iterator[Point]]]
PANELS: Panels = {
    "nodes of a chain and its gradient, 1,000 rows": by_nodes,
    "rows, Black-Scholes price and 5 derivatives": by_rows,
    "parameters of an MLP 2-n-n-1, 104 rows": by_parameters,
}
LOOKS = {"microgrid": ("#0072b2", "o-"), "JAX": ("#d55e00", "s--"), "C": ("#555555", "^:")}
LOOKS |= {"PyTorch": ("#009e73", "d-.")}


def growth(options: argparse.Namespace) -> None:
    """Print and draw how the times of compiling and of running grow."""
    draw_growth(PANELS, options)


def draw_growth(panels: Panels, options: argparse.Namespace) -> None:
    """Print and draw the points of some panels, each a pair of a run's time and of compiling's."""
    print("\ngrowth: compiling, and a run")
    microgrid.compile(lambda x: x * x)(1.0)  # wakes LLVM up
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    axes = figure.subplots(2, len(panels), sharex="col")
    for (above, below), (title, points_of) in zip(axes.T, panels.items(), strict=True):
        print(f"  by {title}", flush=True)
        points = []
        for point in points_of(options):
            points.append(point)
            compiling = length(point.compile) if point.compile else f"{'-':>10}"
            print(
                f"    {point.name:<10} {point.at:>9,} {compiling} {length(point.run)}", flush=True
            )
        for name in dict.fromkeys(point.name for point in points):
            own = [point for point in points if point.name == name]
            _plot(above, name, [(point.at, point.run) for point in own])
            _plot(below, name, [(point.at, point.compile) for point in own if point.compile])
        for axis in (above, below):
            axis.set(xscale="log", yscale="log")
            axis.grid(color="#dddddd", linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
            axis.legend(frameon=False)
        below.set_xlabel(title)
    axes[0][0].set_ylabel("seconds of a run")
    axes[1][0].set_ylabel("seconds of compiling")
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.picture)
    print(f"  drawn in {options.picture}")


def _plot(axis: Any, name: str, points: Sequence[tuple[int, float]]) -> None:
    if points:
        colour, line = LOOKS[name]
        axis.plot(*zip(*points, strict=True), line, color=colour, label=name, markersize=4)
