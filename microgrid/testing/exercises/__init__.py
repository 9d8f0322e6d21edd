"""The exercises of the lessons: whether an answer is right, and why, without giving it away."""

from .answers import EXERCISES, judge
from .bugs import BUGS, Bug
from .replies import Reply

__all__ = ["BUGS", "EXERCISES", "Bug", "Reply", "judge"]
