"""Steps of a program as arrays, so that a hundred thousand are looked at in one go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ...core.primitive import CONSTANT
from ..program import Step

__all__ = ["Integers", "Steps"]

Integers = NDArray[np.int64]


class Steps:
    """Steps one after another; constants have no operands here.

    Args:
        kinds: numbers that are equal for steps of the same primitive with as many operands; -1 for
            constants.
        counts: the numbers of operands.
        operands: the slots of all operands. Those of step i begin at `starts[i]`.
    """

    def __init__(self, kinds: Integers, counts: Integers, operands: Integers) -> None:
        self.kinds, self.counts, self.operands = kinds, counts, operands
        self.starts = np.concatenate(([0], np.cumsum(counts)))

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Steps:
        """Return steps as arrays."""
        primitives = [op for op, _ in steps]
        lists = [() if op is CONSTANT else operands for op, operands in steps]
        ids = {op: i for i, op in enumerate(dict.fromkeys(primitives))}
        counts = np.fromiter(map(len, lists), np.int64, len(lists))
        operands = np.fromiter(chain.from_iterable(lists), np.int64, int(counts.sum()))
        numbers = np.fromiter(map(ids.__getitem__, primitives), np.int64, len(lists))
        kinds = np.where(numbers == ids.get(CONSTANT), -1, (numbers << 32) + counts)
        return cls(kinds, counts, operands)

    def __len__(self) -> int:
        return len(self.kinds)

    def owners(self) -> Integers:
        """Return the step of each operand."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take(self, order: Integers) -> Steps:
        """Return some steps, in an order."""
        counts = self.counts[order]
        starts = np.cumsum(counts) - counts
        moved = np.arange(counts.sum()) + np.repeat(self.starts[order] - starts, counts)
        return Steps(self.kinds[order], counts, self.operands[moved])

    def with_copies(self, slots: Integers) -> Steps:
        """Return these, and after them copies of slots: steps of a kind of their own."""
        count = len(slots)
        kinds = np.full(count, self.kinds.max(initial=0) + 1)
        counts = np.ones(count, np.int64)
        parts = (self.kinds, kinds), (self.counts, counts), (self.operands, slots)
        return Steps(*map(np.concatenate, parts))

    def last(self) -> Integers:
        """Return the last slot among the operands of each step, -1 where there are none."""
        last = np.full(len(self), -1)
        some = np.flatnonzero(self.counts)
        if len(some):
            last[some] = np.maximum.reduceat(self.operands, self.starts[some])
        return last
