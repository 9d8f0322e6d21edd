"""Memory for large results, which they return to when they are freed.

The system hands out memory that nobody has touched, and maps it page by page when it is written:
that takes longer than many a kernel. So the memory of earlier results is kept for later ones,
within the limits that `Pool` sets; and new memory is cut from areas of large pages, which are
mapped in half the time, where the system lets a program ask for these.

Arrays are freed anywhere, in any thread and inside any line, and a signal that came in Python code
there would be lost. So all that happens then is one call of a function written in C, which notes
that an array is gone; the next large result looks at the notes. Nor is there a lock: threads meet
in such calls alone.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections import deque
from contextlib import suppress
from itertools import count
from math import prod
from time import monotonic

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGE", "LARGEST", "Pool", "empty"]

LARGE = 2**14  # doubles, 128 KiB: beyond that the system maps fresh memory for each array
LARGEST = 2**21  # doubles, 16 MiB: more is the system's again at once
MOST = 2**25  # doubles that wait to be used again, 256 MiB
PARTS = 32  # that wait, and that are noted to be gone
AFTER = 5.0  # seconds for which they wait
SLACK = 1.25  # times as long as an array its memory may be
LARGE_PAGE = 2**21  # bytes
AREA = 2**24  # bytes of an area
SWEEP = 1.0  # seconds from one look at all areas to the next one, unless one more is needed
HAS_LARGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")

Floats = NDArray[np.float64]


class Pool:
    """Memory that waits to be used again: `most` doubles at most, each for about `after` seconds.

    It is looked after at each large result, and where that is due, at others.

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
        self._gone: deque[_Note] = deque(maxlen=PARTS)
        self._waiting: dict[int, tuple[float, Floats]] = {}  # what waits longest comes first
        self._keys = count()
        self._areas: list[_Area] = []
        self._open: list[_Area] = []  # of these, what has room; a thread that cuts takes it out
        self._due = self._swept = 0.0

    def empty(self, shape: tuple[int, ...], size: int) -> Floats:
        """Return an array of a shape and so with a size, with any numbers in it."""
        self.trim()
        memory = self._take(size)
        if memory is None:
            memory = self._cut(size)
        return np.asarray(_Loan(memory, shape, self._gone))

    def waiting(self) -> int:
        """Return how many doubles wait to be used again."""
        self.trim()
        return sum(len(memory) for _, memory in self._waiting.copy().values())

    def tend(self) -> None:
        """Trim, if that is due."""
        if (self._gone or self._waiting) and monotonic() >= self._due:
            self.trim()

    def trim(self) -> None:
        """Let what is gone wait, but neither for too long nor too much of it."""
        now = monotonic()
        self._due = now + self.after
        with suppress(IndexError):
            while True:
                self._waiting[next(self._keys)] = now, self._gone.popleft().memory
        total, parts = 0, 0
        for key, (begin, memory) in reversed(self._waiting.copy().items()):
            size = len(memory)
            if now - begin <= self.after and total + size <= self.most and parts < PARTS:
                total, parts = total + size, parts + 1
            else:
                self._waiting.pop(key, None)
        if now - self._swept > SWEEP:
            self.sweep()

    def sweep(self) -> None:
        """Let the system have the pages of all memory that is neither in use nor waits."""
        self._swept = monotonic()
        for area in self._areas.copy():
            area.sweep()
        self._areas = [area for area in self._areas if area.parts or area in self._open]

    def clear(self) -> None:
        """Forget all that waits."""
        self._gone.clear()
        self._waiting.clear()

    def _take(self, size: int) -> Floats | None:
        """Return memory that waits and is nearly filled; None if there is none."""
        for key, (_, memory) in reversed(self._waiting.copy().items()):
            fits = size <= len(memory) <= SLACK * size
            if fits and self._waiting.pop(key, None) is not None:
                return memory
        return None

    def _cut(self, size: int) -> Floats:
        """Return memory that is new."""
        memory = None
        if HAS_LARGE_PAGES:
            with suppress(IndexError):
                area = self._open.pop()
                memory = area.cut(size)
            if memory is None:
                self.sweep()
                try:
                    area = _Area()
                except OSError:  # of a process that may have no more: NumPy finds some, or says so
                    return np.empty(size)
                memory = area.cut(size)
                self._areas.append(area)
            self._open.append(area)
        return np.empty(size) if memory is None else memory


class _Area:
    """Memory in large pages, cut into parts; it is the system's again when all are gone."""

    def __init__(self) -> None:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._map = mmap.mmap(-1, AREA + LARGE_PAGE, flags=private)
        with suppress(OSError):  # of a system that has been built without them
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._begin = -self._bytes.ctypes.data % LARGE_PAGE
        self.parts: dict[int, tuple[weakref.ref[Floats], int]] = {}

    def cut(self, size: int) -> Floats | None:
        """Return a part of whole pages; None if there is no room for it."""
        begin, end = self._begin, self._begin + 8 * size
        if end > len(self._bytes):
            return None
        self._begin += -(-8 * size // mmap.PAGESIZE) * mmap.PAGESIZE
        part: Floats = self._bytes[begin:end].view(np.float64)
        self.parts[begin] = weakref.ref(part), end - begin
        return part

    def sweep(self) -> None:
        """Return the pages of parts that are gone to the system, even while others are in use."""
        for begin, (part, length) in self.parts.copy().items():
            if part() is None and self.parts.pop(begin, None) is not None:
                self._map.madvise(mmap.MADV_DONTNEED, begin, length)


class _Note(weakref.ref["_Loan"]):
    """The note that a loan is over, with its memory."""

    __slots__ = ("memory",)

    memory: Floats


class _Loan:
    """What arrays have memory of the pool from: the base of all of them."""

    __slots__ = ("__array_interface__", "__weakref__", "_note")

    def __init__(self, memory: Floats, shape: tuple[int, ...], gone: deque[_Note]) -> None:
        self._note = _Note(self, gone.append)
        self._note.memory = memory
        # without the strides, which are None: NumPy 2.4 forgets to let go of it
        interface = memory.__array_interface__
        self.__array_interface__ = {
            **{key: interface[key] for key in ("data", "typestr", "version")},
            "shape": shape,
        }


_POOL = Pool(MOST, AFTER)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.clear)  # what waits is for the parent


def empty(shape: tuple[int, ...]) -> Floats:
    """Return an array of a shape, with any numbers in it."""
    size = prod(shape)
    if LARGE <= size <= LARGEST:
        return _POOL.empty(shape, size)
    _POOL.tend()
    return np.empty(shape)
