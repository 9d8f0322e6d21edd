"""Checks for the lessons: your engine, stage by stage, and the exercises."""

from __future__ import annotations

from typing import overload

from ..guards.checks import require_integers
from .conformance.cases import Engine
from .conformance.stages.grading import StageReport, check_stage
from .conformance.stages.tasks import STAGES
from .exercises.answers import judge
from .exercises.replies import Reply

__all__ = ["check"]


@overload
def check(
    task: int,
    answer: Engine,
    *,
    data: str | None = None,
    grad: str | None = None,
    parents: str | None = None,
) -> StageReport: ...
@overload
def check(task: str, answer: object) -> Reply: ...
def check(
    task: int | str,
    answer: object,
    *,
    data: str | None = None,
    grad: str | None = None,
    parents: str | None = None,
) -> StageReport | Reply:
    """Return what your own engine makes of the eight stages of writing one, up to a stage.

    It says what holds, what to write next, and for each mistake the smallest program that shows it
    and a hint. The class may be half written: if it raises, or does not end, the report says so.
    The names of a node's number, gradient and operands are found, or given.

    An exercise is named as "1.3", the third of lesson 1: then it says whether the answer is right,
    and why, without the answer itself.

    Args:
        task: the stage, from 1, a number that remembers, to 8, training on moons; or an exercise.
        answer: your class, or your answer to the exercise.
        data: the name of a node's number in your class, if it is not found.
        grad: the name of a node's gradient.
        parents: the name of a node's operands.

    Raises:
        TypeError: the stage is not an integer, or there is no class.
        ValueError: there is no such stage, or no exercise of that name that has a check.

    >>> check("1.1", (6.0, -2.0))
    Right. The product is a² - b², whose slopes are 2a and -2b.
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
    if isinstance(task, str):
        return judge(task, answer)
    require_integers(task=task, largest=len(STAGES), instead="the name of an exercise")
    return check_stage(task, answer, data=data, grad=grad, parents=parents)
