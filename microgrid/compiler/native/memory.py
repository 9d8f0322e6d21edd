"""Memory for large results, which they return to when they are freed.

The system hands out memory that nobody has touched, and maps it page by page when it is written:
that takes longer than many a kernel. So what the arrays of earlier results had is kept for later
ones, so much of it and for so long as `Pool` says.

Arrays are freed anywhere, in any thread and inside of any line. So there is no lock: whatever
changes is one dict, by steps that are each a single call of a function written in C.
"""

from __future__ import annotations

import gc
import os
from itertools import count
from math import prod
from time import monotonic

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pool", "empty"]

LARGE = 16_384  # doubles, 128 KiB: from there on the system maps memory anew for an array
MOST = 2**25  # doubles that wait to be used again, 256 MiB
AFTER = 5.0  # seconds for which they wait
SLACK = 1.25  # times as long as an array its memory may be

Floats = NDArray[np.float64]


class Pool:
    """Memory that waits to be used again: `most` doubles at most, each for about `after` seconds.

    The time is looked at when arrays are made and freed, and by Python's cyclic collector.

    >>> pool = Pool(most=1000, after=60.0)
    >>> results = pool.empty((10, 50), 500)
    >>> row = results[3]
    >>> del results
    >>> pool.waiting()
    0
    >>> del row
    >>> pool.waiting()
    500
    """

    def __init__(self, most: int, after: float) -> None:
        self.most, self.after = most, after
        self._waiting: dict[int, tuple[float, Floats]] = {}  # what waits longest comes first
        self._keys = count()

    def empty(self, shape: tuple[int, ...], size: int) -> Floats:
        """Return an array of a shape and so with a size, with any numbers in it."""
        memory = self._take(size)
        return np.asarray(_Loan(self, np.empty(size) if memory is None else memory, shape))

    def waiting(self) -> int:
        """Return how many doubles wait to be used again."""
        return sum(len(memory) for _, memory in self._waiting.copy().values())

    def give(self, memory: Floats) -> None:
        """Let memory wait to be used again."""
        self._waiting[next(self._keys)] = monotonic(), memory
        self.trim()
        if self._waiting and self._after_collection not in gc.callbacks:
            gc.callbacks.append(self._after_collection)

    def trim(self) -> None:
        """Give back to the system what has waited for too long, or is too much."""
        since, total = monotonic() - self.after, 0
        for key, (begin, memory) in reversed(self._waiting.copy().items()):
            total += len(memory)
            if begin < since or total > self.most:
                self._waiting.pop(key, None)

    def clear(self) -> None:
        """Give back to the system all that waits."""
        self._waiting.clear()

    def _take(self, size: int) -> Floats | None:
        for key, (_, memory) in reversed(self._waiting.copy().items()):
            if size <= len(memory) <= SLACK * size and self._waiting.pop(key, None) is not None:
                return memory
        return None

    def _after_collection(self, phase: str, info: object) -> None:
        if phase == "stop":
            self.trim()
            if not self._waiting:
                gc.callbacks.remove(self._after_collection)


class _Loan:
    """What arrays have memory of the pool from: the base of all of them."""

    __slots__ = ("__array_interface__", "_memory", "_pool")

    def __init__(self, pool: Pool, memory: Floats, shape: tuple[int, ...]) -> None:
        self._pool, self._memory = pool, memory
        self.__array_interface__ = memory.__array_interface__ | {"shape": shape}

    def __del__(self) -> None:
        self._pool.give(self._memory)


_POOL = Pool(MOST, AFTER)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.clear)  # what waits is for the parent


def empty(shape: tuple[int, ...]) -> Floats:
    """Return an array of a shape, with any numbers in it."""
    size = prod(shape)
    return np.empty(shape) if size < LARGE else _POOL.empty(shape, size)
