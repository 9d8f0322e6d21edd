"""The rows of a call: chunks of them, and columns that a kernel does not take as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .memory import LARGEST, empty

__all__ = [
    *("DOUBLE", "PIECE", "CallRows", "Column", "Floats"),
    *("chunk_of", "chunks_of", "rows_of"),
]

LEAST = 512  # rows of a chunk
MOST = 64  # chunks
WHOLE = 16  # rows fill whole vectors, however wide these are
PIECE = 1024  # rows that are converted at once, where a column is not of doubles in even steps
DOUBLE = np.dtype(np.float64)

Floats = NDArray[np.float64]
Column = NDArray[np.generic] | float  # of real numbers of any dtype


def chunk_of(rows: int) -> int:
    """Return how many rows are a chunk, which is added up, and computed, on its own.

    That depends on the number of rows alone: so the bits of a sum do not depend on who computes
    which chunks.
    """
    if rows < 2 * LEAST:
        return 2 * LEAST
    count = min(rows // LEAST, MOST)
    return -(-rows // (count * WHOLE)) * WHOLE


def chunks_of(rows: int) -> int:
    """Return how many chunks there are; no rows are one chunk."""
    if rows < 2 * LEAST:
        return 1
    return max(-(-rows // chunk_of(rows)), 1)


class CallRows(NamedTuple):
    """The rows of a call, any chunks of which can be computed alone.

    Args:
        run: what computes rows: `of_more_arrays` of a kernel.
        chunk: how many rows are a chunk.
        numbers: the numbers that all rows share, computed already.
        lanes: the size of what is added up for a chunk, lane by lane.
        sums: a line for each chunk, or None if nothing is added up.
        outs: the arrays to fill, with one row after another.
        columns: as `rows_of` returns them.
    """

    run: Callable[..., bool]
    chunk: int
    numbers: Floats
    lanes: tuple[int, int]
    sums: Floats | None
    outs: Sequence[Floats]
    columns: Sequence[Any]

    def compute(self, begin: int, end: int) -> None:
        """Compute the rows of whole chunks, from one row on to another one."""
        if all(type(x) is float or _is_of_doubles(x) for x in self.columns):
            self._run(begin, end, self._sums_from(begin), None)
            return
        for first in range(begin, max(end, 1), self.chunk):
            lanes, sums = np.zeros(self.lanes), self._sums_from(first)
            if sums is not None:
                sums[0] = 0.0  # what the pieces add up goes on from here
            last = min(first + self.chunk, end)
            for piece in range(first, max(last, 1), PIECE):
                self._run(piece, min(piece + PIECE, last), sums, lanes)

    def _sums_from(self, row: int) -> Floats | None:
        return None if self.sums is None else self.sums[row // self.chunk :]

    def _run(self, begin: int, end: int, sums: Floats | None, lanes: Floats | None) -> None:
        here = slice(begin, end)
        columns = [x if type(x) is float else _doubles(x[here]) for x in self.columns]
        outs = [out[here] for out in self.outs]
        has_run = self.run(end - begin, self.chunk, self.numbers, sums, lanes, *outs, *columns)
        assert has_run


def rows_of(column: Column, shape: tuple[int, ...]) -> object:
    """Return a column as a number for all rows, or as something whose slices are rows.

    It becomes an array of doubles, unless it is so long that a copy is better made piece by piece.
    """
    if isinstance(column, float) or column.size == 1:
        return float(column if isinstance(column, float) else column.item())
    is_in_order = column.shape == shape and (column.ndim == 1 or column.flags.c_contiguous)
    if prod(shape) <= LARGEST and not (is_in_order and column.dtype is DOUBLE):
        rows = empty(shape)
        rows[...] = column
        return rows.reshape(-1)
    return np.asarray(column).reshape(-1) if is_in_order else np.broadcast_to(column, shape).flat


def _is_of_doubles(rows: object) -> TypeGuard[Floats]:
    """Return whether a slice of rows is what a kernel takes."""
    return type(rows) is np.ndarray and rows.dtype is DOUBLE


def _doubles(rows: Any) -> Floats:
    """Return rows as a kernel takes them."""
    if _is_of_doubles(rows):
        return rows
    numbers = np.empty(len(rows))
    numbers[:] = rows  # np.array keeps a dtype that is equal, but another one
    return numbers
