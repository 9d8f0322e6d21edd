"""Rows a second of a training's steps on Dask's arrays: `python -m tests.benchmarks.dask`.

The same steps are taken by one process, by `fit` on clusters of one and of two processes, and by
plain Dask with the same gradient in NumPy's matrices. All must reach the same weights. What a row,
a piece of a batch and a step cost says how many workers pay: docs/guide/tools.md has the rule.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask
import dask.array as da
import distributed
import numpy as np

from microgrid import MLP, fit, losses, optim
from microgrid.compiler.training.steps import Effort, NativeSteps
from microgrid.fitting.examples import Examples
from microgrid.fitting.task import TrainingTask

SIZES = (8, 16, 1)  # of the network: 161 parameters
ROWS = (10_000, 100_000, 1_000_000)  # of a step
RATE, STEPS, ROUNDS = 1e-3, 8, 3
PIECES, MORE = 2, 32  # blocks of a batch; and those with which the cost of a piece is measured
AGREEMENT = 1e-9  # the sides sum in different orders, and have another tanh


def data(rows: int) -> tuple[Any, Any]:
    """Return rows and targets as NumPy's arrays."""
    X = np.random.default_rng(0).normal(size=(rows, SIZES[0]))
    return X, np.tanh(X.sum(axis=1))


def network() -> tuple[MLP, optim.SGD]:
    """Return the network with which all begin, and what moves it."""
    model = MLP(SIZES[0], SIZES[1:], activation="tanh", seed=0)
    return model, optim.SGD(model.parameters(), lr=RATE)


def weights_of(model: MLP) -> Any:
    """Return the weights as an array."""
    return np.array([p.data for p in model.parameters()])


def one_process(X: Any, y: Any) -> tuple[float, Any]:
    """Return the seconds of the quickest step, and the weights after all steps."""
    (model, sgd), places = network(), np.arange(len(y))
    examples = Examples(X.tolist(), y.tolist())
    task = TrainingTask(model, losses.squared_error, sgd, examples, len(y))
    steps = NativeSteps(task, False, Effort(1, 1))
    columns, ends = steps.columns(examples), [time.perf_counter()]
    for _ in range(STEPS):
        steps.take(columns, places, RATE)
        ends.append(time.perf_counter())
    steps.write()
    return min(np.diff(ends)), weights_of(model)


def fit_on_dask(X: Any, y: Any) -> tuple[float, Any]:
    """Return the same for `fit`, whose schedule is asked before every step."""
    begins: list[float] = []

    def schedule(step: int) -> float:
        begins.append(time.perf_counter())
        return RATE

    model, sgd = network()
    options = {"epochs": STEPS, "shuffle": False, "schedule": schedule}
    fit(model, X, y, loss=losses.squared_error, optimizer=sgd, **options)
    return min(np.diff(begins)), weights_of(model)


def gradient(weights: list[Any], X: Any, y: Any) -> list[Any]:
    """Return the sums over rows of the gradients by the matrices of the network."""
    V, b, w, c = weights
    hidden = np.tanh(X @ V + b)
    delta = 2.0 * (hidden @ w + c - y)
    inner = np.outer(delta, w) * (1.0 - hidden * hidden)
    return [X.T @ inner, inner.sum(axis=0), hidden.T @ delta, delta.sum()]


def numpy_on_dask(X: Any, y: Any) -> tuple[float, Any]:
    """Return the same for a loop over steps in which the gradient of a block is a task."""
    flat = weights_of(network()[0])
    layer, (*w, c) = flat[: -SIZES[1] - 1].reshape(SIZES[1], -1), flat[-SIZES[1] - 1 :]
    weights = [layer[:, :-1].T, layer[:, -1], np.array(w), c]
    pairs = [*zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)]
    ends = []
    for _ in range(STEPS):
        shared = dask.delayed(weights, traverse=False)
        parts = dask.compute(*[dask.delayed(gradient)(shared, *pair) for pair in pairs])
        means = [sum(each) / len(y) for each in zip(*parts, strict=True)]
        weights = [w - RATE * mean for w, mean in zip(weights, means, strict=True)]
        ends.append(time.perf_counter())
    V, b, w, c = weights
    return min(np.diff(ends)), np.array([*np.column_stack([V.T, b]).ravel(), *w, c])


def in_blocks(X: Any, y: Any, count: int) -> list[Any]:
    """Return rows and targets as Dask's arrays of so many blocks."""
    return [da.from_array(x, chunks=(len(y) // count, *x.shape[1:])) for x in (X, y)]


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Run a cluster of so many processes of one thread each; yield its client."""
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


def table(rows: tuple[int, ...], rounds: int) -> dict[tuple[str, int], float]:
    """Return the seconds of the quickest step, by side and rows; the sides take turns."""
    seconds: dict[tuple[str, int], float] = {}
    with ExitStack() as stack:
        clients = {workers: stack.enter_context(cluster(workers)) for workers in (1, 2)}
        for count in rows:
            X, y = data(count)
            blocks = in_blocks(X, y, PIECES)
            sides = {"one process": (one_process, None, (X, y))}
            for workers, client in clients.items():
                own = client.persist(blocks)
                sides[f"fit, workers: {workers}"] = fit_on_dask, client, own
                sides[f"NumPy, workers: {workers}"] = numpy_on_dask, client, own
            own = clients[1].persist(in_blocks(X, y, MORE))
            sides[f"fit, {MORE} blocks"] = fit_on_dask, clients[1], own
            weights = None
            for name, (run, client, given) in [*sides.items()] * rounds:
                with dask.config.set(scheduler=client):
                    taken, found = run(*given)
                weights = found if weights is None else weights
                np.testing.assert_allclose(found, weights, rtol=0, atol=AGREEMENT)
                seconds[name, count] = min(taken, seconds.get((name, count), taken))
    return seconds


def main() -> None:
    """Print the table, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="rows of a step")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often all take turns")
    options = parser.parse_args()
    seconds = table(tuple(options.rows), options.rounds)
    print(f"{'million rows a second':22}" + "".join(f"{count:>12,}" for count in options.rows))
    for name in dict.fromkeys(name for name, _ in seconds):
        rates = [count / seconds[name, count] / 1e6 for count in options.rows]
        print(f"{name:22}" + "".join(f"{rate:12.3f}" for rate in rates))
    few, many = min(options.rows), max(options.rows)
    least, most = (seconds["fit, workers: 1", count] for count in (few, many))
    row, piece = (most - least) / (many - few), seconds[f"fit, {MORE} blocks", few] - least
    print(
        f"a row takes {row * 1e6:.3f} µs, a piece {piece / (MORE - PIECES) * 1e3:.2f} ms, "
        f"a step of {PIECES} {(least - few * row) * 1e3:.1f} ms beside its rows"
    )


if __name__ == "__main__":
    main()
