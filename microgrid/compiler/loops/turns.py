"""The turns of what repeats: where their steps find operands, and which of them memory keeps."""

from __future__ import annotations

import numpy as np

from .repeats import STEPS, Repeat
from .steps import Integers, Steps

__all__ = ["Turns"]

FARTHEST = 2  # turns back, from where numbers stay in registers


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
        is_step = space[self.operands[0]] == STEPS
        is_near = is_step & (at == at[0]).all(axis=0) & (at[0] >= -FARTHEST * period)
        self.lags = np.where(is_near, -(at[0] // period), -1)
        self.sources = at[0] % period
        # the positions of steps that are found in memory, whoever computed them
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
