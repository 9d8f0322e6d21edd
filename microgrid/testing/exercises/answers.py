"""The exercises that have a check: those of lessons 1 to 8, and the bugs of lesson 9."""

from __future__ import annotations

from collections.abc import Callable

from ...guards.checks import quote
from .bugs import BUGS
from .derivatives import DERIVATIVES
from .first import FIRST
from .networks import NETWORKS
from .programs import PROGRAMS
from .replies import Reply
from .second import SECOND

__all__ = ["EXERCISES", "judge"]


def judge(exercise: str, answer: object) -> Reply:
    """Return whether an answer to an exercise is right, and why, without the answer itself.

    Raises:
        ValueError: no exercise of that name has a check.

    >>> judge("1.1", (6.0, 2.0))
    Not yet. Look at number 2. In a - b and in a + b, what does b do if it rises?
    """
    if exercise not in EXERCISES:
        raise ValueError(f"check knows the exercises {', '.join(EXERCISES)}, got {quote(exercise)}")
    return EXERCISES[exercise](answer)


#: What judges an answer to each exercise, by the number of the lesson and of the exercise in it.
EXERCISES: dict[str, Callable[[object], Reply]] = {
    **FIRST,
    **SECOND,
    **NETWORKS,
    **DERIVATIVES,
    **PROGRAMS,
    **{f"9.{bug.number}": bug.judge for bug in BUGS},
}
