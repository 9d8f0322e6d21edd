"""What derivatives cost, in units of the function that is derived.

`python -m tests.benchmarks.transforms` prints medians and ratios; the guide quotes them. All times
of a line are taken in turns, in one process.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from microgrid import (
    MLP,
    Value,
    datasets,
    detect_anomaly,
    dot,
    grad,
    gradients,
    hessian,
    hvp,
    losses,
    tanh,
    topological_order,
)

ROUNDS = 9  # odd, so that the median was measured


def in_turns(*works: Callable[[], Any]) -> list[float]:
    """Return the median seconds of each."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]


def network_loss() -> tuple[Callable[..., Any], list[float]]:
    """Return the loss of a network on 50 moons as a function of its 337 parameters, and a point."""
    X, y = datasets.moons(50, seed=0)
    model = MLP(2, [16, 16, 1], activation="tanh", seed=0)

    def loss(parameters: list[Any]) -> Any:
        return losses.binary_cross_entropy(list(map(model.with_parameters(parameters), X)), y)

    return loss, [parameter.data for parameter in model.parameters()]


def chained(x: list[Any]) -> Any:
    """Return a function of n numbers, each of which meets its neighbours."""
    return dot([tanh(a * b) for a, b in pairwise(x)], x[1:])


def order_of_nodes(order: int) -> int:
    """Return the number of nodes of a derivative of tanh(x * x)."""
    x = Value(0.7)
    y = tanh(x * x)
    for _ in range(order):
        y = gradients(y, x)
    return len(topological_order(y))


def main() -> None:
    """Print the table."""
    print(f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds in turns\n")
    loss, point = network_loss()
    plain, gradient, graph = in_turns(
        lambda: loss([Value(x) for x in point]),
        lambda: grad(loss)(point),
        lambda: grad(loss)([Value(x) for x in point]),
    )
    print("the loss of an MLP 2-16-16-1 on 50 moons, by its 337 parameters")
    print(f"  a gradient in numbers        {gradient / plain:5.1f} x the function")
    print(f"  a gradient to derive again   {graph / plain:5.1f} x the function")

    print("a Hessian of n inputs, over n gradients of the same function")
    for n in (8, 32, 128):
        x = [0.1 + i / n for i in range(n)]
        whole, one, product = in_turns(
            lambda x=x: hessian(chained)(x),
            lambda x=x: grad(chained)(x),
            lambda x=x: hvp(chained, (x,), ([1.0] * len(x),)),
        )
        print(f"  n = {n:>3}   {whole / one / n:5.2f}     (times a vector: {product / one:4.1f} x)")

    print("nodes of the derivatives of tanh(x * x)")
    print("  " + "   ".join(f"order {n}: {order_of_nodes(n):,}" for n in (1, 2, 4, 6, 8, 10)))

    def forward_and_back() -> None:
        loss([Value(x) for x in point]).backward()

    watch = detect_anomaly()(forward_and_back)
    off, on = in_turns(forward_and_back, watch)
    print(f"detect_anomaly: forward and backward take {on / off:.1f} x as long inside")


if __name__ == "__main__":
    main()
