"""Runs: lists of positions that loops go through, such as the rows of a matrix, or a window."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .steps import Integers

__all__ = [
    "Access",
    "Affine",
    "Run",
    "Table",
    "access",
    "find_cycle",
    "find_runs",
    "join_cycles",
    "nest_runs",
    "one_by_one",
]

LONGEST_CYCLE = 8  # items: cycles are looked for up to this length
FEWEST_TIMES = 3  # a cycle that repeats less often is left as single items


class Run(NamedTuple):
    """A nest of loops over positions, wherever it begins.

    Args:
        counts: the number of turns of each loop, the outermost first; a single entry has none.
        strides: for each loop, how far each position moves from turn to turn.
        label: what all entries have in common.
        terms: how many terms of a list an entry is, each of as many positions.
    """

    counts: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    label: Any
    terms: int = 1

    @property
    def width(self) -> int:
        """How many positions a term has."""
        return len(self.label) // self.terms


Item = tuple[Run, tuple[int, ...]]  # a run, and the positions that it begins at


def find_runs(labels: Integers, positions: Integers) -> list[Item]:
    """Return entries, one a line, as runs in the same order: as few as were found.

    A run's entries have one label in common, and are a constant difference apart.

    >>> for run in find_runs(np.zeros((4, 1), int), np.array([[3], [5], [7], [0]])):
    ...     print(run)
    (Run(counts=(3,), strides=((2,),), label=(0,), terms=1), (3,))
    (Run(counts=(), strides=(), label=(0,), terms=1), (0,))
    """
    items, count = [], len(positions)
    if count > 1:
        steps = np.diff(positions, axis=0)
        is_same = (labels[1:] == labels[:-1]).all(1)
        turns = (~is_same[1:] | (steps[1:] != steps[:-1]).any(1)).nonzero()[0] + 1
        ends = [*turns.tolist(), count - 1]
        if ends[0] == 1 and count > 3 and 2 not in ends[:2]:
            is_same[0] = False  # the first one is odd, and no beginning of what follows
    begin = 0
    while begin < count:
        label, base = tuple(labels[begin].tolist()), tuple(positions[begin].tolist())
        if begin + 1 < count and is_same[begin]:
            end = ends[bisect_left(ends, begin + 1)] + 1
            run = Run((end - begin,), (tuple(steps[begin].tolist()),), label)
        else:
            end, run = begin + 1, Run((), (), label)
        items.append((run, base))
        begin = end
    return nest_runs(items)


def nest_runs(items: list[Item]) -> list[Item]:
    """Join neighbours that are alike and a constant difference apart, until none are left."""
    joined: list[Item] = []
    begin = 0
    while begin < len(items):
        run, base = items[begin]
        end = begin + 1
        if end < len(items) and items[end][0] == run:
            step = _difference(items, end)
            while end < len(items) and items[end][0] == run and _difference(items, end) == step:
                end += 1
            run = run._replace(counts=(end - begin, *run.counts), strides=(step, *run.strides))
        joined.append((run, base))
        begin = end
    return joined if len(joined) == len(items) else nest_runs(joined)


def _difference(items: list[Item], i: int) -> tuple[int, ...]:
    return tuple([x - y for x, y in zip(items[i][1], items[i - 1][1], strict=True)])


def join_cycles(items: Sequence[Item]) -> list[Item]:
    """Join single entries that repeat, a few in turn and evenly far apart: an entry is a cycle.

    >>> entries = [(Run((), (), (k % 2,)), (k // 2,)) for k in range(6)]
    >>> join_cycles(entries)
    [(Run(counts=(3,), strides=((1, 1),), label=(0, 1), terms=2), (0, 0))]
    """
    joined: list[Item] = []
    begin = 0
    while begin < len(items):
        times, each = find_cycle(items, begin)
        cycle, after = items[begin : begin + each], items[begin + each : begin + 2 * each]
        if times == 1 or any(run.counts for run, _ in cycle):
            joined.append(items[begin])
            begin += 1
            continue
        base, later = [tuple([x for _, at in some for x in at]) for some in (cycle, after)]
        step = tuple([y - x for x, y in zip(base, later, strict=True)])
        label = tuple([x for run, _ in cycle for x in run.label])
        joined.append((Run((times,), (step,), label, each), base))
        begin += times * each
    return joined


def find_cycle(items: Sequence[Item], begin: int) -> tuple[int, int]:
    """Return how often a cycle of items repeats from one item on, evenly spaced, and its length."""
    found = [(_count_repeats(items, begin, each), each) for each in range(2, LONGEST_CYCLE + 1)]
    enough = [(times, each) for times, each in found if times >= FEWEST_TIMES]
    return max(enough, key=lambda pair: pair[0] * pair[1], default=(1, 1))


def _count_repeats(items: Sequence[Item], begin: int, each: int) -> int:
    times, first = 1, None
    for k in range(begin + each, len(items) - each + 1, each):
        pairs = zip(items[k - each : k], items[k : k + each], strict=True)
        step = [
            np.subtract(y, x).tolist() if run == other else None for (run, x), (other, y) in pairs
        ]
        if None in step or step != (first or step):
            break
        times, first = times + 1, step
    return times


class Affine(NamedTuple):
    """Positions that loops go through in even steps, from the first one, `base`, on."""

    base: int
    strides: tuple[int, ...]

    def read(self, counts: Sequence[int]) -> Integers:
        """Return the positions in the order of the loops' turns."""
        positions = np.array([self.base])
        for count, stride in zip(counts, self.strides, strict=True):
            positions = (positions[:, None] + stride * np.arange(count)).ravel()
        return positions

    def shift(self, by: int) -> Affine:
        """Return the positions that are so much further."""
        return Affine(self.base + by, self.strides)


class Table(NamedTuple):
    """Positions one by one, in the order of the turns."""

    positions: tuple[int, ...]

    @property
    def base(self) -> int:
        """The first position."""
        return self.positions[0]

    def read(self, counts: Sequence[int]) -> Integers:
        """Return the positions in the order of the loops' turns."""
        return np.array(self.positions)

    def shift(self, by: int) -> Table:
        """Return the positions that are so much further."""
        return Table(tuple([x + by for x in self.positions]))


Access = Affine | Table  # how loops get at positions


def one_by_one(counts: Sequence[int]) -> Affine:
    """Return the access to one position after another."""
    return Affine(0, tuple([prod(counts[k + 1 :]) for k in range(len(counts))]))


def access(positions: Integers, counts: Sequence[int]) -> Access:
    """Return how loops get at positions.

    >>> access(np.array([5, 6, 8, 9]), (2, 2)), access(np.array([1, 1, 1, 4]), (4,))
    (Affine(base=5, strides=(3, 1)), Table(positions=(1, 1, 1, 4)))
    """
    if len(positions) == 1:  # as most are where much is irregular
        return Affine(int(positions[0]), (0,) * len(counts))
    lattice = positions.reshape(tuple(counts))
    first = (0,) * lattice.ndim
    strides = []
    for axis, count in enumerate(counts):
        second = (*first[:axis], 1, *first[axis + 1 :])
        strides.append(int(lattice[second] - lattice[first]) if count > 1 else 0)
    even = Affine(int(lattice[first]), tuple(strides))
    return even if (even.read(counts) == positions).all() else Table(tuple(positions.tolist()))
