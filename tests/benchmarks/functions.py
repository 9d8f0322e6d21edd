"""Elementary functions on arrays: the C library's vectors, this library's, and the C library's.

`python -m tests.benchmarks.functions` prints nanoseconds for each number, on warm arrays, for
vectors of each width, and the milliseconds that each kernel takes to compile.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgrid import Primitive
from microgrid.compiler.ir.machine import Machine, this_machine
from microgrid.compiler.ir.vectors import VECTOR_FUNCTIONS
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.trace import trace

ROWS = 1024
RANGES = {
    **{"exp": (-20, 20), "expm1": (-3, 3), "log": (0.1, 100), "log1p": (-0.5, 10)},
    **{"pow": (0.1, 20), "sin": (-100, 100), "cos": (-100, 100), "tanh": (-4, 4), "erf": (-3, 3)},
}
MOST_OF_LIBMVEC, LEAST_OF_SCALAR = 1.5, 2.0  # what the functions are to reach


class LaneByLane(Machine):
    """A machine of which the compiler thinks that it has C's functions of single numbers alone."""

    fuses = False


def sides(width: int) -> dict[str, Machine]:
    """Return the machines to make code for: with libmvec, without, and lane by lane."""
    here = this_machine()
    if width < here.width:
        here = replace(here, width=width)
    own = replace(here, vector_library=False)
    return {
        "libmvec": here,
        "microgrid": own,
        "libm": LaneByLane(own.name, own.features, own.width, vector_library=False),
    }


def works(
    function: str, machines: Sequence[Machine]
) -> tuple[list[Callable[[], Any]], list[float]]:
    """Return calls that fill an array with a function, and the seconds to compile each."""
    rng = np.random.default_rng(0)
    primitive = Primitive.named("**" if function == "pow" else function)
    columns = [rng.uniform(*RANGES[function], ROWS)]
    if function == "pow":
        columns.append(rng.uniform(-5, 5, ROWS))
    program = trace(lambda *xs: primitive(*xs), "xy"[: len(columns)], lambda xs: (xs, {}))[0]
    runs, seconds = [], []
    for machine in machines:
        out, none = np.empty(ROWS), np.empty(0)
        ArrayKernel(program, (), None, machine)  # the driver is compiled once
        start = time.perf_counter()
        kernel = ArrayKernel(program, (), None, machine).kernel
        seconds.append(time.perf_counter() - start)
        places = [(column.ctypes.data, 8) for column in columns]
        run = kernel.bind(ROWS, places, [out.ctypes.data], none, none)
        runs.append(lambda run=run, kept=(kernel, columns, out): run())
    return runs, seconds


def least_times(runs: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Return the least seconds of each call, taken in turns: the one that nothing disturbed."""
    least = [math.inf] * len(runs)
    for _ in range(rounds):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            least[i] = min(least[i], time.perf_counter() - start)
    return least


def show(function: str, machines: dict[str, Machine], rounds: int) -> None:
    """Print a row of the table."""
    runs, seconds = works(function, list(machines.values()))
    lib, own, scalar = [1e9 * least / ROWS for least in least_times(runs, rounds)]
    has_vectors = machines["libmvec"].vector_name(function) is not None
    of_libmvec = own / lib if has_vectors else math.nan
    missed = of_libmvec > MOST_OF_LIBMVEC or scalar / own < LEAST_OF_SCALAR
    print(
        f"{function:6}{lib:10.2f}{own:10.2f}{scalar:10.2f}{of_libmvec:10.2f}{scalar / own:10.2f}  ",
        *[f"{1e3 * each:6.1f}" for each in seconds],
        "  MISSED" if missed else "",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.functions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=1500, help="how often each is timed")
    options = parser.parse_args(arguments)
    here = this_machine()
    print(f"{here.name}; load at the beginning {os.getloadavg()[0]:.1f}: should be near 0")
    for width in [w for w in (8, 4, 2) if w <= here.width]:
        print(
            f"\nvectors of {width}: ns for a number, ratios, and ms to compile; MISSED where more"
        )
        print(
            f"than {MOST_OF_LIBMVEC} of libmvec's time, or not {LEAST_OF_SCALAR} x as fast as libm"
        )
        print(f"{'':9}libmvec microgrid    libm  /libmvec   libm/   compiled in ms")
        for function in VECTOR_FUNCTIONS:
            show(function, sides(width), options.rounds)


if __name__ == "__main__":
    main()
