"""What a lesson asks for is checked: the stages of an engine of your own."""

from __future__ import annotations

from .conformance.cases import Engine
from .conformance.stages.grading import StageReport, check_stage

__all__ = ["check"]


def check(
    stage: int,
    engine: Engine,
    *,
    data: str | None = None,
    grad: str | None = None,
    parents: str | None = None,
) -> StageReport:
    """Return what your own engine makes of the eight stages of writing one, up to a stage.

    It says what holds, what to write next, and for what is wrong the smallest program that shows it
    and a hint. The class may be half written: what it raises, or that it has no end, is part of the
    report. What a node calls its number, its gradient and its operands is found, or given.

    Args:
        stage: from 1, a number that remembers, to 8, training on moons.
        engine: your class.
        data: what it calls a node's number, if that is not found.
        grad: what it calls a node's gradient.
        parents: what it calls a node's operands.

    Raises:
        TypeError: the stage is no whole number, or there is no class.
        ValueError: there is no such stage.

    >>> class Value:
    ...     def __init__(self, data, children=(), op=""):
    ...         self.data, self.grad, self._prev = data, 0.0, children
    ...
    ...     def __add__(self, other):
    ...         return Value(self.data + other.data, (self, other), "+")
    >>> check(2, Value)
    Value: 9 of 10 points up to stage 2, + and *
    <BLANKLINE>
      1  a number that remembers               passed
      2  + and *                               6 of 7
    <BLANKLINE>
    WRITE NEXT: `__mul__(self, other)`, which returns a new node
    """
    return check_stage(stage, engine, data=data, grad=grad, parents=parents)
