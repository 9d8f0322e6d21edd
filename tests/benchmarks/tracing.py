"""What it takes to make a program of a Python function, before any code is made of it.

`python -m tests.benchmarks.tracing` prints the best times for networks from small to large: their
loss and its gradient are traced and optimised. It should take the same for each parameter.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from microgrid import MLP, dot, logsumexp, value_and_grad
from microgrid.compiler import Program
from microgrid.compiler.calls.arguments import Arguments
from microgrid.compiler.calls.parameters import Parameters
from microgrid.compiler.passes import optimize_graph
from microgrid.compiler.trace import trace
from microgrid.guards.garbage import collects_rarely

NETWORKS = ((2, 16, 16, 2), (64, 32, 10), (784, 16, 10), (784, 64, 10), (784, 128, 10))
ROUNDS = 5


def cross_entropy(model: Any, x: Sequence[Any], y: Sequence[Any]) -> Any:
    """Return the loss of a network for an example of several classes."""
    scores = model(x)
    return logsumexp(scores) - dot(scores, y)


@collects_rarely
def program_of(*arguments: Any) -> Program:
    """Return the program of the loss and its gradient, as a call with these arguments makes it."""
    function = value_and_grad(cross_entropy)
    call = Arguments(arguments, {}, Parameters(function, 0))
    names, _ = call.inputs()
    return trace(function, names, call.rebuild, optimize_graph).program


def main() -> None:
    """Print the table."""
    print(f"{'network':>12} {'parameters':>11} {'operations':>11} {'ms':>8} {'µs/parameter':>13}")
    for first, *rest in NETWORKS:
        model, seconds = MLP(first, rest, seed=0), []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            program = program_of(model, [0.5] * first, [1.0] + [0.0] * (rest[-1] - 1))
            seconds.append(time.perf_counter() - start)
        count = sum((n + 1) * m for n, m in pairwise((first, *rest)))
        each = min(seconds) / count
        sizes = "-".join(map(str, (first, *rest)))
        print(
            f"{sizes:>12} {count:11,} {len(program):11,} "
            f"{min(seconds) * 1e3:8.1f} {each * 1e6:13.1f}"
        )


if __name__ == "__main__":
    main()
