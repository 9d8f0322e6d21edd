"""A table of benchmarks: in each row several sides that do the same work, timed in turns.

Before anything is timed, all sides must have computed the same numbers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .sides import Side, in_turns, length, peer, verdict

ROUNDS = 9  # at most; odd, so that the median was measured
SECONDS_OF_A_ROW = 16.0  # about: a slow one has fewer rounds, but three
AGREEMENT = 1e-9  # relative: the sides sum in different orders, and have other exp and log

Part = Callable[[argparse.Namespace], None]


class Row(NamedTuple):
    """A row: `ours` is to take at most `target` times as long as the fastest of `peers`, if any.

    `sides` takes the number of rows, where there are many.
    """

    name: str
    title: str
    sides: Callable[[int], Iterator[Side]]
    ours: str
    peers: Sequence[str] = ()
    target: float = 1.0


def same(numbers: Any, expected: Any, name: str) -> None:
    """Raise `AssertionError` unless numbers, maybe fewer, are those expected."""
    numbers, expected = np.asarray(numbers), np.asarray(expected)[: len(numbers)]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        numbers, expected, rtol=AGREEMENT, atol=AGREEMENT * scale, err_msg=name
    )


def checked(sides: Sequence[Side]) -> float:
    """Run each side once, and compare what they compute; return the seconds of all together."""
    expected, total = None, 0.0
    for side in sides:
        start = time.perf_counter()
        result = side.run()
        total += time.perf_counter() - start
        if side.numbers:
            numbers = side.numbers(result)
            if expected is None:
                expected = numbers.copy()
            same(numbers, expected, side.name)
    return total


class Times(NamedTuple):
    """The median, the least and the greatest of some seconds."""

    median: float
    least: float
    most: float


def measure(row: Row, options: argparse.Namespace) -> dict[str, Times]:
    """Print the lines of a row; return the times of its sides."""
    print(f"\n{row.name}: {row.title}", flush=True)
    sides = list(row.sides(options.rows))
    rounds = int(SECONDS_OF_A_ROW / checked(sides))
    rounds = min(max(rounds, 3), 3 if options.quick else ROUNDS)
    measured = in_turns([side.run for side in sides], rounds - (rounds + 1) % 2)
    times = {}
    for side, seconds in zip(sides, measured, strict=True):
        whole = [t / side.share for t in seconds]
        times[side.name] = Times(statistics.median(whole), min(whole), max(whole))
    ours = times[row.ours]
    for name, own in times.items():
        print(f"  {name:<32} {length(own.median)} {own.median / ours.median:12,.2f} x", end="")
        print(f"   ({length(own.least)} to {length(own.most)})")
    if row.peers:
        tell_target(row, times)
    return times


def tell_target(row: Row, times: Mapping[str, Times]) -> None:
    """Print whether a row's target is met, by the median and by the best of all rounds."""
    ours = times[row.ours]
    if missing := [name for name in row.peers if name not in times]:
        print(f"  missing: {', '.join(missing)}")
    if found := [name for name in row.peers if name in times]:
        fastest = min(found, key=lambda name: times[name].median)
        print(f"  target: {row.ours} over {fastest}", end=" ")
        print(verdict(ours.median / times[fastest].median, row.target), end="")
        print(f" (best over best {ours.least / min(times[name].least for name in found):.3f})")
    else:
        print(f"  target: at most {row.target:.3f}")


# Programs


def parser_of(name: str, text: str | None, parts: Mapping[str, Part]) -> argparse.ArgumentParser:
    """Return what reads the arguments of a program that prints a table of these parts."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=text)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"these alone: {', '.join(parts)}")
    parser.add_argument("--quick", action="store_true", help="few rounds, sizes and rows")
    parser.add_argument(
        "--picture",
        type=Path,
        default=Path(f"microgrid-out/{name}.png"),
        metavar="PATH",
        help=f"where the curves go (default: microgrid-out/{name}.png)",
    )
    return parser


def tell_circumstances(peers: Sequence[str]) -> None:
    """Print what is measured with what, and what is missing."""
    missing = [name for name in peers if peer(name) is None]
    missing += [] if shutil.which("cc") else ["cc"]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors", end=", ")
    print(", ".join(f"{name} {version(name)}" for name in peers if name not in missing))
    print(f"missing, so left out: {', '.join(missing) or 'none'}")
    print(f"medians of up to {ROUNDS} rounds in turns")
    print(f"load at the beginning {os.getloadavg()[0]:.1f}: should be near 0")


def run_parts(
    parser: argparse.ArgumentParser, parts: Mapping[str, Part], options: argparse.Namespace
) -> None:
    """Run the parts that are named, or all of them."""
    if unknown := set(options.names) - set(parts):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    if options.quick:
        print("--quick: the targets are meant for more rows, and for more rounds")
    begin = time.perf_counter()
    for name, part in parts.items():
        if not options.names or name in options.names:
            part(options)
    print(f"\n{time.perf_counter() - begin:.0f} s in all")
