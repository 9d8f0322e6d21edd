"""The engine in Python, side by side with micrograd: in one process, in turns, and each in its own.

`python -m tests.benchmarks.eager` prints the tables that the guide quotes: the best and the median
of each engine, and the ratio of the best. The best is what the code takes where nothing disturbs
it. micrograd comes with the extra `test`; without it microgrid's own figures are printed.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import random
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import count, pairwise
from types import ModuleType
from typing import Any

from microgrid import datasets

Step = Callable[[], Any]

ENGINES = ("microgrid", "micrograd")
# nodes -> the sizes of a network, and of how many rows the outputs are added up
NETWORKS = {
    24: ([2, 4, 1], 1),
    640: ([3, 16, 16, 1], 1),
    9_600: ([3, 16, 16, 1], 15),
    84_400: ([3, 16, 16, 1], 132),
}
AT_LEAST = {24: 1.25, 640: 1.8, 9_600: 2.1, 84_400: 3.5}
SECONDS = 2.0  # of each measurement
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "a * b": lambda a, b: a * b,
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a / b": lambda a, b: a / b,
    "a * 2.0": lambda a, b: a * 2.0,
    "2.0 * a": lambda a, b: 2.0 * a,
    "a**2": lambda a, b: a**2,
    "-a": lambda a, b: -a,
    "a.relu()": lambda a, b: a.relu(),
    "a.tanh()": lambda a, b: a.tanh(),
    "a.exp()": lambda a, b: a.exp(),
    "a.log()": lambda a, b: a.log(),
    "Value(1.5)": lambda a, b: type(a)(1.5),
}


def plain_step(engine: ModuleType, nodes: int) -> Step:
    """Return a pass forward and back through a network written with `*` and `+` alone."""
    draw = random.Random(1)
    sizes, row_count = NETWORKS[nodes]
    layers = [
        [[engine.Value(draw.uniform(-1, 1)) for _ in range(n_in + 1)] for _ in range(n_out)]
        for n_in, n_out in pairwise(sizes)
    ]
    rows = [[draw.gauss(0, 1) for _ in range(sizes[0])] for _ in range(row_count)]

    def step() -> Any:
        total = None
        for row in rows:
            x = [engine.Value(number) for number in row]
            for layer in layers:
                outputs = []
                for *weights, bias in layer:
                    activation = bias
                    for w, xi in zip(weights, x, strict=True):
                        activation = activation + w * xi
                    outputs.append(activation)
                x = outputs
            total = x[0] if total is None else total + x[0]
        total.backward()
        return total

    return step


def demo_step(engine: ModuleType, nn: ModuleType) -> Step:
    """Return the training step of micrograd's demo notebook, line by line, on its network."""
    rows, labels = datasets.moons(100, seed=1)
    signs = [2 * label - 1 for label in labels]
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])

    def loss() -> Any:
        inputs = [list(map(engine.Value, row)) for row in rows]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(signs, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        return data_loss + 1e-4 * sum(p * p for p in model.parameters())

    def step() -> Any:
        total = loss()
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad
        return total

    return step


def seconds_of(steps: Iterable[Step], repeats: int = 1) -> list[list[float]]:
    """Return the times of each step, taken in turns, for some seconds and three turns at least.

    As in a training loop a step's graph lives until the next one is built, and has to be cleared
    away then: a turn begins with two steps that are not timed, and without the other's garbage.
    """
    steps = list(steps)
    times: list[list[float]] = [[] for _ in steps]
    end = time.perf_counter() + SECONDS * len(steps)
    turns = 0
    while time.perf_counter() < end or turns < 3:
        turns += 1
        for step, taken in zip(steps, times, strict=True):
            gc.collect()
            turn = time.perf_counter() + SECONDS / 40
            alive: Any = None
            for i in count():
                start = time.perf_counter()
                for _ in range(repeats):
                    alive = step()
                now = time.perf_counter()
                if i >= 2:
                    taken.append((now - start) / repeats)
                    if now > turn:
                        break
            del alive
    return times


def report(name: str, times: list[list[float]], unit: float, least: float | None) -> None:
    """Print a row: best and median of each engine, and the ratio of the best."""
    figures = [f"{min(t) / unit:10.1f} {statistics.median(t) / unit:10.1f}" for t in times]
    ratio = f"{min(times[1]) / min(times[0]):8.2f}" if len(times) > 1 else ""
    target = "" if least is None else f"   (at least {least})"
    print(f"  {name:>12} {'   '.join(figures)} {ratio}{target}", flush=True)


def in_processes(nodes: int, engines: list[str]) -> list[list[float]]:
    """Return the times of a network's steps, each engine three times in a process of its own."""
    times: list[list[float]] = [[] for _ in engines]
    for _ in range(3):
        for name, taken in zip(engines, times, strict=True):
            command = [sys.executable, "-m", "tests.benchmarks.eager", name, str(nodes)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            taken += [float(text) for text in answer.split()]
    return times


def bytes_per_node(engine: ModuleType) -> float:
    """Return the memory of a live graph over the number of its nodes."""
    leaves = [engine.Value(float(i)) for i in range(2)]
    gc.collect()
    tracemalloc.start()
    y = leaves[0]
    for i in range(5000):
        y = (y + leaves[i % 2]) * leaves[1 - i % 2]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / 10_000


def seconds_per_node(engine: ModuleType, n: int) -> float:
    """Return the time of building a chain of n nodes and walking back through it, over n."""
    x = engine.Value(1.0)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        y = x
        for _ in range(n // 2):
            y = (y + x) * x
        y.backward()
        times.append((time.perf_counter() - start) / n)
        del y
    return min(times)


def import_seconds() -> float:
    """Return how much longer an interpreter takes that imports microgrid than one that does not."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    bare, full = [], []
    for _ in range(11):
        bare.append(run("pass"))
        full.append(run("import microgrid"))
    return statistics.median(full) - statistics.median(bare)


def print_networks(names: list[str], engines: list[ModuleType]) -> None:
    """Print what a node takes in networks of several sizes, and the demo step."""
    print("a network written with * and + alone, forward and back: nanoseconds a node")
    for nodes in NETWORKS:
        print(f" {nodes:,} nodes")
        report("apart", in_processes(nodes, names), nodes * 1e-9, AT_LEAST[nodes])
        steps = [plain_step(engine, nodes) for engine in engines]
        report("in turns", seconds_of(steps), nodes * 1e-9, AT_LEAST[nodes])
    print("\nmicrograd's demo step (100 moons, MLP 2-16-16-1, hinge + L2): milliseconds")
    nns = [importlib.import_module(f"{name}.nn") for name in names]
    demos = [demo_step(engine, nn) for engine, nn in zip(engines, nns, strict=True)]
    report("in turns", seconds_of(demos), 1e-3, 50)


def print_operations(engines: list[ModuleType]) -> None:
    """Print what single operations take."""
    print("\na single operation, forward, in turns: nanoseconds")
    for name, operation in OPERATIONS.items():
        pairs = [(engine.Value(1.5), engine.Value(2.5)) for engine in engines]
        method = re.match(r"a\.(\w+)", name)
        pairs = [pair for pair in pairs if not method or hasattr(pair[0], method[1])]
        steps = [lambda a=a, b=b, f=operation: f(a, b) for a, b in pairs]
        report(name, seconds_of(steps, repeats=50), 1e-9, 1.1 if len(pairs) > 1 else None)


def print_own(engine: ModuleType) -> None:
    """Print what is asked of microgrid alone."""
    print(f"\nbytes a node of a live graph: {bytes_per_node(engine):.0f}   (at most 190)")
    per_node = {n: seconds_per_node(engine, n) for n in (10**3, 10**4, 10**5, 10**6)}
    print("forward and back along a chain, microseconds a node")
    for n, seconds in per_node.items():
        print(f"  {n:>9,} nodes {seconds * 1e6:6.2f}")
    print(f"import microgrid over a bare interpreter: {import_seconds() * 1e3:.0f} ms (at most 30)")


def main() -> None:
    """Print the tables; or, given an engine and a number of nodes, the times of its steps."""
    if sys.argv[1:]:
        name, nodes = sys.argv[1:]
        engine = importlib.import_module(f"{name}.engine")
        print(*seconds_of([plain_step(engine, int(nodes))])[0])
        return
    names = [name for name in ENGINES if importlib.util.find_spec(name)]
    engines = [importlib.import_module(f"{name}.engine") for name in names]
    print(f"Python {sys.version.split()[0]}; of each engine the best and the median: {names}")
    if len(names) == 1:
        print("micrograd is not installed (extra `test`): no comparison")
    print_networks(names, engines)
    print_operations(engines)
    print_own(engines[0])


if __name__ == "__main__":
    main()
