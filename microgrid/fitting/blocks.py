"""Rows that are elsewhere, in blocks, and the batches that are cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from .examples import Examples

__all__ = ["BLOCKS_NEED", "BlockPiece", "RowsInBlocks", "batches"]

BLOCKS_NEED = "arrays in blocks need"  # begins the error where something is lacking


class BlockPiece(NamedTuple):
    """Some rows of a block: those from `start` to `stop`, in an order that `seed` stands for.

    It is the block's own order if there is no seed. `is_whole` says that there are no other rows.
    """

    block: int
    start: int
    stop: int
    is_whole: bool
    seed: int | None = None


class RowsInBlocks(Protocol):
    """Rows and targets in blocks: how many rows each block has, and the first rows."""

    @property
    def sizes(self) -> Sequence[int]:
        """The numbers of rows of all blocks, one after the other."""

    @property
    def head(self) -> Examples:
        """The first rows and targets, checked; a training tries its parts out on them."""


def batches(
    sizes: Sequence[int], order: Sequence[int], seeds: Sequence[int | None], size: int
) -> Iterator[list[BlockPiece]]:
    """Yield batches of `size` rows, cut from blocks in an order; the last may be smaller.

    A batch goes on in the block in which the one before it ended, and then in the next block.
    `sizes` are those of all blocks, by their number; `seeds` go with `order`.

    >>> [[(piece.block, piece.start, piece.stop) for piece in batch]
    ...  for batch in batches([3, 4], [1, 0], [None, None], 5)]
    [[(1, 0, 4), (0, 0, 1)], [(0, 1, 3)]]
    """
    batch: list[BlockPiece] = []
    lacking = size
    for block, seed in zip(order, seeds, strict=True):
        start, end = 0, sizes[block]
        while start < end:
            stop = min(end, start + lacking)
            batch.append(BlockPiece(block, start, stop, stop - start == end, seed))
            lacking -= stop - start
            start = stop
            if not lacking:
                yield batch
                batch, lacking = [], size
    if batch:
        yield batch
