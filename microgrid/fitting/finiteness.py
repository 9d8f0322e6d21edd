"""Where in a training a number stopped being finite: the batch, and the first operation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.failures import failure_of
from ..core.graph import topological_order
from ..core.primitive import operand_text, operands_text
from ..engine import Value

__all__ = ["is_of_numbers", "name_place", "origin"]


@contextmanager
def name_place(place: str, then: str) -> Iterator[None]:
    """Raise `FloatingPointError` with the place in the training for an error of the numbers.

    >>> with name_place("epoch 1, batch 2", "Nothing was changed."):
    ...     (Value(1.0) / 0.0)
    Traceback (most recent call last):
        ...
    FloatingPointError: training stopped in epoch 1, batch 2: / of ... Nothing was changed.
    """
    try:
        yield
    except (ArithmeticError, ValueError) as error:
        if not is_of_numbers(error):
            raise
        raise FloatingPointError(f"training stopped in {place}: {error}. {then}") from error


def is_of_numbers(error: Exception) -> bool:
    """Return whether the numbers caused an error, not a mistake in the model or the loss."""
    return isinstance(error, FloatingPointError) or failure_of(error) is not None


def origin(loss: Value) -> str:
    """Return the first operation, forward or else backward, that made inf or nan of numbers.

    >>> x = Value(1e200)
    >>> print(origin(x * x))
    first in `*` of 1e+200, 1e+200
    """
    order = topological_order(loss)
    for node in order:
        if not math.isfinite(node.data):
            if not node.parents:
                return f"from {operand_text(node)}"
            return f"first in {_operation_text(node)}"
    for node in reversed(order):
        if not all(math.isfinite(share or 0) for share in node.chain(node.grad)):
            return f"first in the derivative of {_operation_text(node)}"
    return "in the sum of several shares"


def _operation_text(node: Value) -> str:
    return f"`{node.op.name if node.op else ''}` of {operands_text(node.parents)}"
