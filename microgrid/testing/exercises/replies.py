"""What is said of an answer: whether it is right, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...engine import Value
from ...guards.checks import is_finite, is_real, quote

__all__ = ["Reply", "compare", "numbers_in", "wrong_kind"]

CLOSE = 1e-6  # of an answer that is computed in another way, or rounded by hand


@dataclass(frozen=True, repr=False)
class Reply:
    """What is said of an answer: whether it is right, and why; it is true if it is right.

    >>> bool(Reply(True, "Right.")), Reply(True, "Right.")
    (True, Right.)
    """

    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.words


def numbers_in(answer: object, count: int) -> list[float] | None:
    """Return the numbers of an answer, of which there must be so many, else None.

    >>> numbers_in((1, Value(2.0)), 2), numbers_in("one", 1), numbers_in(3.0, 1)
    ([1.0, 2.0], None, [3.0])
    """
    items = list(answer) if isinstance(answer, list | tuple) else [answer]
    found = [item.data if isinstance(item, Value) else item for item in items]
    if len(found) != count or not all(map(_is_number, found)):
        return None
    return [float(x) for x in found]  # type: ignore[arg-type]


def wrong_kind(asked: str, answer: object) -> Reply:
    """Return what is said of an answer of another kind than was asked for.

    >>> wrong_kind("one number", "x")
    An answer is one number, got 'x' (str).
    """
    return Reply(False, f"An answer is {asked}, got {quote(answer)} ({type(answer).__name__}).")


def _is_number(x: object) -> bool:
    return is_real(x) and not isinstance(x, bool) and is_finite(x)


def compare(
    answer: object,
    wanted: Sequence[float],
    asked: str,
    why: str,
    mistakes: Sequence[tuple[Callable[[Sequence[float]], bool], str]] = (),
    within: float = CLOSE,
) -> Reply:
    """Return what is said of an answer in numbers; `mistakes` are those that one knows by it.

    >>> compare("x", [4.0], "one number", "2 + 2 is 4.")
    An answer is one number, got 'x' (str).
    >>> compare(4, [4.0], "one number", "2 + 2 is 4.")
    Right. 2 + 2 is 4.
    """
    got = numbers_in(answer, len(wanted))
    if got is None:
        return wrong_kind(asked, answer)
    wrong = [
        place
        for place, (x, w) in enumerate(zip(got, wanted, strict=True), 1)
        if not math.isclose(x, w, rel_tol=within, abs_tol=within)
    ]
    if not wrong:
        return Reply(True, f"Right. {why}")
    known = next((words for is_it, words in mistakes if is_it(got)), "")
    which = "" if len(wanted) == 1 else f" Look at number {' and '.join(map(str, wrong))}."
    return Reply(False, f"Not yet.{which} {known}".rstrip())
