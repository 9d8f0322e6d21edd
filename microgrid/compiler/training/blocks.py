"""Trainings on rows that are elsewhere: their sums are computed there, and steps are taken here."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from random import Random
from typing import Protocol, cast

import numpy as np

from ...fitting.blocks import BLOCKS_NEED, BlockPiece, RowsInBlocks, batches
from ...fitting.examples import Examples, Target
from ...fitting.finiteness import name_place
from ...fitting.task import TrainingTask
from ...fitting.trainer import STEP_UNDONE, Bar, Epoch
from ...fitting.trial import try_loss
from ...guards.interrupts import uninterrupted
from .steps import Floats, NativeSteps, RowSums
from .trainer import NativeTrainer

__all__ = ["BlockTrainer", "SumsOfBlocks", "Totals"]

# Of some rows: the sums of loss and gradients; the predictions and the targets, if they are wanted,
# with a line for each number of a row.
Totals = tuple[Floats, Floats, Floats]


class SumsOfBlocks(RowsInBlocks, Protocol):
    """Rows in blocks, and what computes where they are."""

    def prepare(self, make: Callable[[], RowSums], predicts: bool) -> None:
        """Say what makes the kernel there, and whether the predictions are wanted."""

    def totals(self, parameters: Floats, pieces: Sequence[BlockPiece]) -> Totals:
        """Return the totals of a batch, whose pieces are added up in a fixed order."""

    def first_not_finite(
        self, parameters: Floats, pieces: Sequence[BlockPiece]
    ) -> tuple[int, Examples] | None:
        """Return the first row whose loss or gradient is not finite, after its number."""

    def as_targets(self, lines: Floats) -> list[Target]:
        """Return targets as the user has them, of a line for each of their numbers."""


class BlockTrainer(NativeTrainer):
    """Takes each step by the sums over the pieces of its batch, wherever these are computed.

    Args:
        task: what to do, with blocks that compute sums; all of it must be such that it can be
            compiled.
        end_steps, epochs, predicts, has_callbacks: as a `NativeTrainer` takes them.
        random: draws the order of the rows in each block; they keep their own if it is None.
    """

    need, has_fallback = BLOCKS_NEED, False

    def __init__(
        self,
        task: TrainingTask,
        end_steps: Callable[[Epoch], None],
        epochs: int,
        predicts: bool,
        has_callbacks: bool,
        random: Random | None,
    ) -> None:
        self.blocks, self.random = cast("SumsOfBlocks", task.blocks), random
        super().__init__(task, end_steps, epochs, predicts, has_callbacks, insists=True)

    def epochs(
        self, orders: Iterator[tuple[int, Sequence[int]]], bar: Bar
    ) -> Generator[Epoch, None, None]:
        """Go through all blocks in each of the numbered orders; yield the result of each epoch."""
        for number, order in orders:
            seeds = [self.random.getrandbits(32) if self.random else None for _ in order]
            losses: list[float] = []
            seen: list[Totals] = []
            cut = batches(self.blocks.sizes, order, seeds, self.task.batch_size)
            for place, batch in enumerate(cut, 1):
                rate = self.rate(self.steps)
                with name_place(f"epoch {number}, batch {place}", STEP_UNDONE):
                    totals = self.blocks.totals(self._now().parameters.copy(), batch)
                    with uninterrupted():
                        self.task.optimizer.lr = rate
                        losses.append(self._take_sums(totals, batch, rate))
                        seen += [totals] * self.predicts
                        if place == self.task.batches:
                            epoch = self._epoch(number, losses, rate, seen)
                            self.end_steps(epoch)
                bar.update(1)
            yield epoch
            if self.has_callbacks:
                self.native = self._unless_refused(self._look)

    def _compile(self) -> NativeSteps:
        steps = super()._compile()
        self.blocks.prepare(steps.sums_maker(self.effort), self.predicts)
        return steps

    def _now(self) -> NativeSteps:
        assert self.native  # as there is no fallback
        return self.native

    def _take_sums(self, totals: Totals, batch: Sequence[BlockPiece], rate: float) -> float:
        """Take a step; return the sum of the rows' losses. It raises what stands in the way."""
        steps, (sums, _, _) = self._now(), totals
        rows = sum(piece.stop - piece.start for piece in batch)
        if steps.take_sums(sums, rows, rate) is None:
            self.task.optimizer.zero_grad()
            self._take_sums_in_python(sums / rows, batch)
        else:
            steps.write()
            self.steps += 1
        return float(sums[0])

    def _take_sums_in_python(self, means: Floats, batch: Sequence[BlockPiece]) -> None:
        """Take a step in Python: it raises an error that names the operation, if it fails there."""
        if found := self.blocks.first_not_finite(self._now().parameters.copy(), batch):
            place, row = found
            try_loss(self.task, row, "y", place)
            self.derive(row)
        if not np.isfinite(means).all():
            raise FloatingPointError("the sum over its rows is not finite")
        self.move(self.task.clip_gradients(means[1:].tolist()))
        self._now().read()

    def _epoch(
        self, number: int, losses: Sequence[float], rate: float, seen: Sequence[Totals]
    ) -> Epoch:
        loss = math.fsum(losses) / self.task.rows
        if not seen:
            return Epoch(number, loss, rate)
        _, outs, targets = map(np.hstack, zip(*seen, strict=True))
        predictions = self._now().predictions(outs)
        return Epoch(number, loss, rate, predictions, self.blocks.as_targets(targets))
