"""Long dots and sums, cut where turns end, so that a loop adds them up turn by turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...functional import dot_
from ..passes import MOST_TERMS, lists_of
from ..program import Draft
from .repeats import FEWEST_TURNS, Repeat
from .steps import Integers, Steps

__all__ = ["cut_chains"]


def cut_chains(draft: Draft, steps: Steps, order: Integers, repeats: Sequence[Repeat]) -> Integers:
    """Divide the long steps of a draft; return the order with the new steps.

    Terms that the turns of another stretch compute are added at the end of each turn, in a step
    that goes on from that of the turn before; other long steps are divided where they are. New
    steps have the last slots, and are used before: the order alone says when they run.

    Args:
        draft: what is written in.
        steps: those that run, in their order.
        order: their slots.
        repeats: what repeats in that order.
    """
    position = np.full(draft.first + len(draft.steps), -1)
    position[order] = np.arange(len(order))
    homes = _homes(len(order), repeats)
    moved: list[tuple[int, int]] = []  # twice the position that a step comes after, and its slot
    for at in np.flatnonzero(steps.counts > MOST_TERMS).tolist():
        slot = int(order[at])
        op, operands = draft.steps[slot - draft.first]
        lists, before = lists_of(op, operands)
        if not lists or len(lists[0]) <= MOST_TERMS:
            continue
        ready = position[np.array([(*before, *xs) for xs in lists])].max(axis=0)
        ready = np.maximum.accumulate(np.maximum(ready, 0))[len(before) :]
        is_here = (homes[0, ready] == homes[0, at]) & (homes[0, at] >= 0)
        ends = np.where(is_here, at, homes[1, ready])
        for begin, end in _pieces(ends):
            terms = [x for xs in lists for x in xs[begin:end]]
            step = op, tuple([*terms, *before] if op is dot_ else [*before, *terms])
            is_last = end == len(ready)
            if is_last:
                draft.steps[slot - draft.first] = step
            before = (slot if is_last else draft.append(*step),)
            moved.append((min(2 * int(ends[end - 1]) + 1, 2 * at - 1 + is_last), *before))
    keys, slots = np.array(moved, np.int64).reshape(-1, 2).T
    stays = ~np.isin(order, slots)
    keys = np.concatenate((2 * position[order[stays]], keys))
    return np.concatenate((order[stays], slots))[np.argsort(keys, kind="stable")]


def _homes(size: int, repeats: Sequence[Repeat]) -> Integers:
    """Return which repeat each position is in, -1 if none, and where its turn or stretch ends."""
    homes = np.full((2, size), -1)
    begins = np.zeros(size + 1, bool)
    begins[size] = True
    for i, repeat in enumerate(repeats):
        homes[0, repeat.begin : repeat.end] = i
        begins[repeat.begin : repeat.end + 1 : repeat.period] = True
    after = np.flatnonzero(begins)
    homes[1] = after[np.searchsorted(after, np.arange(size), side="right")] - 1
    return homes


def _pieces(sections: Integers) -> list[tuple[int, int]]:
    """Return where pieces begin and end: each section's, if most have as many terms, else all's."""
    size = len(sections)
    edges = [0, *(np.flatnonzero(np.diff(sections)) + 1).tolist(), size]
    ((_, most),) = Counter([end - begin for begin, end in pairwise(edges)]).most_common(1)
    if len(edges) <= FEWEST_TURNS or 4 * most < 3 * (len(edges) - 1):
        edges = [0, size]
    return [
        (begin, min(begin + MOST_TERMS, end))
        for first, end in pairwise(edges)
        for begin in range(first, end, MOST_TERMS)
    ]
