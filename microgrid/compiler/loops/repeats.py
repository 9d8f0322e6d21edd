"""Loops over time: stretches of steps that repeat, turn after turn, with a constant shift.

A recurrence that was written as a loop leaves the same steps for each of its turns, and so do its
derivatives, in the opposite direction. From turn to turn an operand stays the same, or moves on by
a constant number of steps or inputs: then one turn says how to compute them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import IntEnum
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .steps import Integers, Steps

__all__ = [
    "FEWEST_TURNS",
    "STEP_SCALE",
    "Repeat",
    "Scale",
    "Space",
    "Turns",
    "find_repeats",
    "is_recurrence",
]

GUESSES = 8  # periods to try
FEWEST_TURNS = 4
LONGEST_LAG = 2  # turns: what is from further back is read from memory, not from registers


class Space(IntEnum):
    """Kinds of operands: plain numbers, inputs, what all rows share, and what steps compute."""

    CONSTANTS, COLUMNS, SHARED, STEPS = range(4)


class Scale(NamedTuple):
    """How much there must be of what repeats.

    Args:
        gram: how many steps are compared at a time where periods are guessed.
        near: operands from fewer steps back move along with a turn, or it is found without them.
        least: how many operands are not written down again, for a loop to pay.
        many: how many turns pay even where they do not have to wait for one another.
    """

    gram: int
    near: int
    least: int
    many: int


STEP_SCALE = Scale(gram=8, near=64, least=500, many=100)  # measured


class Repeat(NamedTuple):
    """A stretch of `turns` turns, each of `period` steps, from the step `begin` on."""

    begin: int
    period: int
    turns: int

    @property
    def end(self) -> int:
        """The first step after it."""
        return self.begin + self.period * self.turns


def find_repeats(
    steps: Steps, space: Integers, number: Integers, scale: Scale | None = None
) -> list[Repeat]:
    """Find what repeats, in the order of the steps: where stretches overlap, the longest.

    The time it takes is that of sorting the steps.

    Args:
        steps: in the order in which they run.
        space: for each slot, what kind of number it holds, a `Space`, or any other that an operand
            must keep.
        number: for each slot, its number among those of its kind.
        scale: how much must repeat; `STEP_SCALE` if None.
    """
    scale = scale or STEP_SCALE
    if len(steps) < scale.gram or len(steps.operands) < scale.least:
        return []
    kind, place = space[steps.operands], number[steps.operands]
    place[kind == Space.CONSTANTS] = 0  # which may be any
    stretches = [
        (int(steps.starts[end] - steps.starts[begin]), begin, end, period)
        for period in _guess_periods(steps, kind, place, scale)
        for begin, end in _stretches(steps, kind, place, period)
    ]
    free = np.ones(len(steps), bool)
    repeats = []
    for _, begin, end, period in sorted(stretches, key=lambda s: (-s[0], s[3], s[1])):
        runs = [(begin + b, begin + e) for b, e in _runs(free[begin:end])]
        begin, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
        repeat = Repeat(begin, period, (end - begin) // period)
        if repeat.turns >= FEWEST_TURNS and _pays(repeat, steps, kind, place, scale):
            repeats.append(repeat)
            free[begin : repeat.end] = False
    return sorted(repeats)


def _pays(repeat: Repeat, steps: Steps, kind: Integers, place: Integers, scale: Scale) -> bool:
    """Return whether a loop is better than straight code, which is as fast and slow to compile.

    A few turns are better left to run side by side, unless they have to wait for one another.
    """
    saved = steps.starts[repeat.end - repeat.period] - steps.starts[repeat.begin]
    if saved < scale.least or repeat.turns >= scale.many:
        return bool(saved >= scale.least)
    return is_recurrence(repeat, steps, kind, place)


def is_recurrence(repeat: Repeat, steps: Steps, kind: Integers, place: Integers) -> bool:
    """Return whether a number goes from turn to turn, so that they have to wait for one another.

    Args:
        repeat: what repeats.
        steps: as of `find_repeats`.
        kind: for each operand, what kind of number it is.
        place: for each operand, its number among those of its kind.
    """
    begin = repeat.end - repeat.period
    last = slice(steps.starts[begin], steps.starts[repeat.end])
    before = slice(steps.starts[begin - repeat.period], steps.starts[begin])
    moves = (kind[last] == Space.STEPS) & (place[last] >= repeat.begin)
    moves &= place[last] - place[before] == repeat.period
    users = np.repeat(np.arange(repeat.period), steps.counts[begin : repeat.end])
    graph: dict[int, set[int]] = defaultdict(set)
    sources = (place[last] - begin) % repeat.period
    for user, source in zip(users[moves].tolist(), sources[moves].tolist(), strict=True):
        graph[user].add(source)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def _guess_periods(steps: Steps, kind: Integers, place: Integers, scale: Scale) -> list[int]:
    """Return the commonest distances between pieces of a few steps that look the same."""
    owners = steps.owners()
    back = owners - place
    letters = _spell(steps, np.where((kind == Space.STEPS) & (back < scale.near), back, -1 - kind))
    # in a row of the same, what tells turns apart is how far their operands are from each other
    is_row = np.concatenate(([False], letters[1:] == letters[:-1]))
    operands = np.flatnonzero(is_row[owners])
    moves = np.zeros_like(place)
    moves[operands] = place[operands] - place[operands - steps.counts[owners[operands]]]
    letters = _mix(letters + _spell(steps, moves))
    size = len(steps) - scale.gram + 1
    grams = np.zeros(size, np.uint64)
    for i in range(scale.gram):
        grams = _mix(grams + letters[i : i + size])
    order = np.argsort(grams, kind="stable")
    same = np.flatnonzero(grams[order[1:]] == grams[order[:-1]])
    gaps = order[same + 1] - order[same]
    saved = np.bincount(gaps, weights=steps.counts[order[same]], minlength=1)
    likely = np.argsort(-saved, kind="stable")[:GUESSES]
    return [int(period) for period in likely if saved[period] >= scale.least // 2]


def _spell(steps: Steps, of_operands: Integers) -> NDArray[np.uint64]:
    """Return a word for each step, of its kind and of a number for each of its operands."""
    rank = np.arange(len(of_operands)) - np.repeat(steps.starts[:-1], steps.counts)
    words = _mix(of_operands * 1_000_003 + rank)
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)))
    return _mix(sums[steps.starts[1:]] - sums[steps.starts[:-1]] + _mix(steps.kinds))


def _mix(words: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Return numbers that look random, equal where these are."""
    mixed = words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


def _stretches(
    steps: Steps, kind: Integers, place: Integers, period: int
) -> Iterator[tuple[int, int]]:
    """Yield where steps do the same as those a period later, with the same shift as there."""
    n = len(steps)
    if n < FEWEST_TURNS * period:
        return
    alike = np.zeros(n, bool)
    alike[: n - period] = steps.kinds[: n - period] == steps.kinds[period:]
    owners = steps.owners()
    # the same operand of the step a period later; where that is not alike, any
    later = np.arange(len(owners)) + steps.starts[np.minimum(owners + period, n - 1)]
    later -= steps.starts[owners]
    later[~alike[owners]] = 0
    shift = place[later] - place
    keeps = alike[owners] & (kind[later] == kind)
    keeps &= keeps[later] & (shift[later] == shift)
    broken = np.concatenate(([0], np.cumsum(~keeps)))
    alike &= broken[steps.starts[1:]] == broken[steps.starts[:-1]]
    for begin, end in _runs(alike):
        if end - begin >= (FEWEST_TURNS - 2) * period:
            yield begin, end + 2 * period


def _runs(holds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where something begins to hold, and where it ends."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], holds, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


class Turns:
    """What repeats, as tables with a line for each turn: `slots` of its steps and `operands`.

    Args:
        repeat: which stretch of the steps it is.
        steps: all steps in order.
        order: their slots.
        space: for each slot, what kind of number it holds, as `find_repeats` takes it.
        number: for each slot, its number among those of its kind.

    An operand, which is a column of `operands`, comes from the step `sources` of as many turns
    earlier as `lags` says, if all turns agree on that. If they do not, or no step of this order
    computes it, its lag is -1, and it is in memory.
    """

    def __init__(
        self, repeat: Repeat, steps: Steps, order: Integers, space: Integers, number: Integers
    ) -> None:
        begin, period, count = repeat
        self.repeat = repeat
        self.slots = order[begin : repeat.end].reshape(count, period)
        self.starts = steps.starts[begin : begin + period + 1] - steps.starts[begin]
        self.operands = steps.operands[steps.starts[begin] : steps.starts[repeat.end]]
        self.operands = self.operands.reshape(count, -1)
        at = number[self.operands] - begin - period * np.arange(count)[:, None]
        is_step = space[self.operands[0]] == Space.STEPS
        is_near = is_step & (at == at[0]).all(axis=0) & (at[0] >= -LONGEST_LAG * period)
        self.lags = np.where(is_near, -(at[0] // period), -1)
        self.sources = at[0] % period
        # the positions of steps that are read from memory, whichever part computed them
        self.from_memory = number[self.operands[:, is_step & ~is_near]].ravel()
        self.order = order

    @property
    def carried(self) -> dict[int, int]:
        """The steps that later turns use, and how many turns later at most."""
        carried: dict[int, int] = {}
        for source, lag in zip(self.sources.tolist(), self.lags.tolist(), strict=True):
            if lag > 0:
                carried[source] = max(lag, carried.get(source, 0))
        return carried

    def slot_before(self, step: int, lag: int) -> int:
        """Return the slot of a step as many turns before the first one."""
        return int(self.order[self.repeat.begin + step - lag * self.repeat.period])
