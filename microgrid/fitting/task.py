"""What a training has to do: all of `fit`'s arguments that a step depends on, checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import Value
from ..guards.checks import is_real, quote, require_functions
from ..optim import Optimizer
from ..schedules import Schedule
from .blocks import RowsInBlocks
from .examples import Examples

__all__ = ["Clip", "Loss", "Model", "TrainingTask", "require_parts"]

Model = Callable[[list[float]], object]
Loss = Callable[[Any, Any], object]
Clip = Callable[[Sequence[Any]], Sequence[object]]


@dataclass(frozen=True)
class TrainingTask:
    """A model and its loss, what they are trained on, and how each step moves the parameters.

    `held_out` is measured after every epoch, if there is any; `blocks` are the rows if these are
    elsewhere, and `examples` then the first few; `fit` explains the rest. The parts have passed
    `require_parts`.
    """

    model: Model
    loss: Loss
    optimizer: Optimizer
    examples: Examples
    batch_size: int
    held_out: Examples | None = None
    schedule: Schedule | None = None
    clip: Clip | None = None
    blocks: RowsInBlocks | None = None

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return sum(self.blocks.sizes) if self.blocks else len(self.examples.rows)

    @property
    def batches(self) -> int:
        """How many batches, and so steps, an epoch has."""
        return math.ceil(self.rows / self.batch_size)

    def clip_gradients(self, gradients: Sequence[Any]) -> list[Any]:
        """Return what `clip` makes of gradients, known or traced; without it, these themselves."""
        if not self.clip:
            return list(gradients)
        clipped = self.clip(gradients)
        fits = isinstance(clipped, Sequence) and len(clipped) == len(gradients)
        if not fits or not all(
            is_real(g) or (isinstance(g, Value) and g.is_traced) for g in clipped
        ):
            count = f"{len(gradients)} gradient{'s' * (len(gradients) != 1)}"
            raise TypeError(f"`clip` must return {count} as plain numbers, got {quote(clipped)}")
        return list(clipped)


def require_parts(
    model: object, loss: object, optimizer: object, schedule: object, clip: object
) -> None:
    """Raise an error unless a task can be made of these parts, before any rows are read.

    Raises:
        TypeError: a part is not what it must be.
        ValueError: the optimizer's options or its state are out of their range.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "`optimizer` must be made with the parameters to move, such as "
            f"optim.Adam(model.parameters(), lr=0.01), got {quote(optimizer)}"
        )
    optimizer.require_options(optimizer.current_options())
    optimizer.require_state()
    require_functions(model=model, takes="of a row", count=1)
    require_functions(loss=loss, takes="of a prediction and a target")
    if schedule is not None:
        require_functions(schedule=schedule, takes="of the step", count=1)
    if clip is not None:
        require_functions(clip=clip, takes="of a list of gradients", count=1)
