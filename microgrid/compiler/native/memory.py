"""Memory for large results, which they return to when they are freed.

The system hands out memory that nobody has touched, and maps it page by page when it is written:
that takes longer than many a kernel. So what the arrays of earlier results had is kept for later
ones, so much of it and for so long as `Pool` says; and what is new is cut, where the system lets a
program ask for that, from areas of large pages, which are mapped in half the time.

Arrays are freed anywhere, in any thread and inside of any line. So there is no lock: whatever
changes is one dict or list, by steps that are each a single call of a function written in C.
"""

from __future__ import annotations

import gc
import mmap
import os
from contextlib import suppress
from itertools import count
from math import prod
from time import monotonic
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pool", "empty"]

LARGE = 16_384  # doubles, 128 KiB: from there on the system maps memory anew for an array
MOST = 2**25  # doubles that wait to be used again, 256 MiB
AFTER = 5.0  # seconds for which they wait
PARTS = 256  # that wait, at most: all are looked at whenever an array is freed
SLACK = 1.25  # times as long as an array its memory may be
LARGE_PAGE = 2**21  # bytes
AREA = 2**25  # bytes of an area
IN_AREA = 2**24  # bytes that are cut from one, at most: for more, NumPy asks for large pages itself
HAS_LARGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")

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
        self._waiting: dict[int, tuple[float, _Part]] = {}  # what waits longest comes first
        self._keys = count()
        self._areas: list[_Area] = []  # with room left; more than one for threads at once

    def empty(self, shape: tuple[int, ...], size: int) -> Floats:
        """Return an array of a shape and so with a size, with any numbers in it."""
        return np.asarray(_Loan(self, self._take(size) or self._cut(size), shape))

    def waiting(self) -> int:
        """Return how many doubles wait to be used again."""
        return sum(len(part.numbers) for _, part in self._waiting.copy().values())

    def give(self, part: _Part) -> None:
        """Let memory wait to be used again."""
        self._waiting[next(self._keys)] = monotonic(), part
        self.trim()
        if self._waiting and self._after_collection not in gc.callbacks:
            gc.callbacks.append(self._after_collection)

    def trim(self) -> None:
        """Give back to the system what has waited for too long, or is too much."""
        since, total, parts = monotonic() - self.after, 0, 0
        for key, (begin, part) in reversed(self._waiting.copy().items()):
            size = len(part.numbers)
            if begin >= since and total + size <= self.most and parts < PARTS:
                total, parts = total + size, parts + 1
            elif self._waiting.pop(key, None) is not None:
                part.give_back()

    def clear(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()

    def _take(self, size: int) -> _Part | None:
        """Return memory that waits and is nearly filled; None if there is none."""
        for key, (_, part) in reversed(self._waiting.copy().items()):
            fits = size <= len(part.numbers) <= SLACK * size
            if fits and self._waiting.pop(key, None) is not None:
                return part
        return None

    def _cut(self, size: int) -> _Part:
        """Return memory that is new."""
        if not HAS_LARGE_PAGES or 8 * size > IN_AREA:
            return _Part(np.empty(size))
        part = None
        with suppress(IndexError):
            area = self._areas.pop()
            part = area.cut(size)
        if part is None:
            try:
                area = _Area()
            except OSError:  # of a process that may have no more; NumPy says so, or finds some
                return _Part(np.empty(size))
            part = area.cut(size) or _Part(np.empty(size))
        self._areas.append(area)
        return part

    def _after_collection(self, phase: str, info: object) -> None:
        if phase == "stop":
            self.trim()
            if not self._waiting:
                gc.callbacks.remove(self._after_collection)


class _Area:
    """Memory in large pages, of which parts are cut; it is the system's again when all are gone."""

    def __init__(self) -> None:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._map = mmap.mmap(-1, AREA + LARGE_PAGE, flags=private)
        with suppress(OSError):  # of a system that has been built without them
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._begin = -self._bytes.ctypes.data % LARGE_PAGE

    def cut(self, size: int) -> _Part | None:
        """Return a part of whole pages; None if there is no room for it."""
        begin, end = self._begin, self._begin + 8 * size
        if end > len(self._bytes):
            return None
        self._begin += -(-8 * size // mmap.PAGESIZE) * mmap.PAGESIZE
        return _Part(self._bytes[begin:end].view(np.float64), self, begin)

    def give_back(self, begin: int, length: int) -> None:
        """Let the system have the pages of a part, whoever uses the others."""
        self._map.madvise(mmap.MADV_DONTNEED, begin, length)


class _Part(NamedTuple):
    """Memory for an array: some of an area's, or NumPy's own."""

    numbers: Floats
    area: _Area | None = None
    begin: int = 0

    def give_back(self) -> None:
        """Let the system have it, which nobody uses any more."""
        if self.area:
            self.area.give_back(self.begin, self.numbers.nbytes)


class _Loan:
    """What arrays have memory of the pool from: the base of all of them."""

    __slots__ = ("__array_interface__", "_part", "_pool")

    def __init__(self, pool: Pool, part: _Part, shape: tuple[int, ...]) -> None:
        self._pool, self._part = pool, part
        self.__array_interface__ = part.numbers.__array_interface__ | {"shape": shape}

    def __del__(self) -> None:
        self._pool.give(self._part)


_POOL = Pool(MOST, AFTER)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.clear)  # what waits is for the parent


def empty(shape: tuple[int, ...]) -> Floats:
    """Return an array of a shape, with any numbers in it."""
    size = prod(shape)
    return np.empty(shape) if size < LARGE else _POOL.empty(shape, size)
