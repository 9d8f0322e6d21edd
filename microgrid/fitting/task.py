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
from .examples import Examples

__all__ = ["Clip", "Loss", "Model", "Task"]

Model = Callable[[list[float]], object]
Loss = Callable[[Any, Any], object]
Clip = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class Task:
    """A model and its loss, what they are trained on, and how each step moves the parameters.

    `held_out` is measured after every epoch, if there is any; `fit` explains the rest.

    Raises:
        TypeError: a part is not what it must be.
        ValueError: the optimizer's options or its state are out of their range.
    """

    model: Model
    loss: Loss
    optimizer: Optimizer
    examples: Examples
    batch_size: int
    held_out: Examples | None = None
    schedule: Schedule | None = None
    clip: Clip | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(
                "`optimizer` must be made with the parameters to move, such as "
                f"optim.Adam(model.parameters(), lr=0.01), got {quote(self.optimizer)}"
            )
        self.optimizer.require_options(self.optimizer.current_options())
        self.optimizer.require_state()
        require_functions(model=self.model, takes="of a row", count=1)
        require_functions(loss=self.loss, takes="of a prediction and a target")
        if self.schedule is not None:
            require_functions(schedule=self.schedule, takes="of the step", count=1)
        if self.clip is not None:
            require_functions(clip=self.clip, takes="of a list of gradients", count=1)

    @property
    def batches(self) -> int:
        """How many batches, and so steps, an epoch has."""
        return math.ceil(len(self.examples.rows) / self.batch_size)

    def clip_gradients(self, gradients: Sequence[Any]) -> list[Any]:
        """Return what `clip` makes of gradients, known or traced; without it, these themselves."""
        if not self.clip:
            return list(gradients)
        clipped = self.clip(gradients)
        fits = isinstance(clipped, Sequence) and len(clipped) == len(gradients)
        if not fits or not all(
            is_real(g) or (isinstance(g, Value) and g.is_traced) for g in clipped
        ):
            raise TypeError(f"`clip` must return {len(gradients)} gradients, got {quote(clipped)}")
        return list(clipped)
