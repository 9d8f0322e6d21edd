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
        first, *_, last = EXERCISES
        known = f"check knows the exercises of lessons {first[0]} to {last[0]}, such as {first}"
        if own := [name for name in EXERCISES if name[0] == exercise.partition(".")[0]]:
            known = f"lesson {own[0][0]} has the exercises {own[0]} to {own[-1]}"
        raise ValueError(f"{known}, got {quote(exercise)}")
    return EXERCISES[exercise](answer)


#: What judges an answer to each exercise, by the number of the lesson and of the exercise in it.
EXERCISES: dict[str, Callable[[object], Reply]] = dict(
    sorted(
        {
            **FIRST,
            **SECOND,
            **NETWORKS,
            **DERIVATIVES,
            **PROGRAMS,
            **{f"9.{bug.number}": bug.judge for bug in BUGS},
        }.items()
    )
)
