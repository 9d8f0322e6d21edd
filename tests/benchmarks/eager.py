"""The engine in Python, side by side with micrograd in one process.

`python -m tests.benchmarks.eager` prints medians and ratios; the guide quotes them. micrograd
comes with the extra `test`; without it the rows that need it say so.
"""

from __future__ import annotations

import gc
import importlib.util
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import microgrid
import microgrid.engine
import microgrid.nn
from microgrid import datasets

ROUNDS = 7  # odd, so that the median was measured


def demo_step(engine: ModuleType, nn: ModuleType) -> Callable[[], Any]:
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


def plain_step(engine: ModuleType, nn: ModuleType) -> Callable[[], Any]:
    """Return a pass forward and back through such a network written with `*` and `+` alone."""
    draw = random.Random(1)
    sizes = [2, 16, 16, 1]
    layers = [
        [[engine.Value(draw.uniform(-1, 1)) for _ in range(n_in + 1)] for _ in range(n_out)]
        for n_in, n_out in pairwise(sizes)
    ]
    rows = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(20)]

    def step() -> Any:
        total = engine.Value(0.0)
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
            total = total + x[0]
        total.backward()
        return total

    return step


def side_by_side(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Return the median seconds of a step of both, run in turns.

    As in the notebook's loop a step's graph lives until the next one is built. Each turn begins
    without the other's garbage, and with two steps that are not timed.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for step, seconds in zip((ours, theirs), times, strict=True):
            gc.collect()
            alive = step()
            alive = step()
            start = time.perf_counter()
            alive = step()
            seconds.append(time.perf_counter() - start)
            del alive
    return statistics.median(times[0]), statistics.median(times[1])


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


def seconds_per_node(n: int) -> float:
    """Return the time of building a graph of n nodes and walking back through it, over n."""
    x = microgrid.Value(1.0)
    times = []
    for _ in range(3 if n >= 10**6 else ROUNDS):
        start = time.perf_counter()
        y = x
        for _ in range(n // 2):
            y = (y + x) * x
        y.backward()
        times.append((time.perf_counter() - start) / n)
        del y
    return statistics.median(times)


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


def main() -> None:
    """Print the table."""
    has_micrograd = importlib.util.find_spec("micrograd") is not None
    print(f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds in turns\n")
    if has_micrograd:
        import micrograd.engine
        import micrograd.nn

        for name, work, target in [
            ("micrograd's demo step (100 moons, MLP 2-16-16-1, hinge + L2)", demo_step, 40),
            ("such a network's forward and backward, * and + alone", plain_step, 2),
        ]:
            ours, theirs = side_by_side(
                work(microgrid.engine, microgrid.nn), work(micrograd.engine, micrograd.nn)
            )
            print(f"{name}")
            print(f"  microgrid {ours * 1e3:8.1f} ms   micrograd {theirs * 1e3:8.1f} ms", end="")
            print(f"   ratio {theirs / ours:6.1f} x   (at least {target} x)")
        theirs = bytes_per_node(micrograd.engine)
        print("bytes per node of a live graph")
        ours = bytes_per_node(microgrid.engine)
        print(f"  microgrid {ours:8.0f}      micrograd {theirs:8.0f}", end="")
        print(f"      ratio {theirs / ours:6.1f} x   (at most 200)")
    else:
        print("micrograd is not installed (extra `test`): no comparison")
        print(
            f"bytes per node of a live graph: {bytes_per_node(microgrid.engine):.0f} (at most 200)"
        )
    per_node = {n: seconds_per_node(n) for n in (10**3, 10**4, 10**5, 10**6)}
    print("forward and backward, microseconds per node")
    for n, seconds in per_node.items():
        print(f"  {n:>9,} nodes {seconds * 1e6:6.2f}")
    spread = max(per_node.values()) / min(per_node.values())
    print(f"  greatest over least {spread:.2f}   (at most 2)")
    print(f"import microgrid over a bare interpreter: {import_seconds() * 1e3:.0f} ms (at most 30)")


if __name__ == "__main__":
    main()
