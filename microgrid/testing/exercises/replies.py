"""Replies to an answer: whether it is right, and why."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...engine import Value
from ...guards.checks import is_finite, is_real, quote

__all__ = [
    "Reply",
    "compare",
    "near",
    "not_yet",
    "numbers_in",
    "right",
    "values_of",
    "words_of",
    "wrong_function",
    "wrong_kind",
]

CLOSE = 1e-6  # of an answer that is computed in another way, or rounded by hand


@dataclass(frozen=True, repr=False)
class Reply:
    """A reply to an answer: whether it is right, and why; it is true if it is right.

    >>> bool(Reply(True, "Right.")), Reply(True, "Right.")
    (True, Right.)
    """

    right: bool
    words: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.words


def right(words: str) -> Reply:
    """Return what is said of a right answer.

    >>> right("2 + 2 is 4.")
    Right. 2 + 2 is 4.
    """
    return Reply(True, f"Right. {words}")


def not_yet(words: str) -> Reply:
    """Return what is said of a wrong answer of the right kind.

    >>> not_yet("Which of the two is that of a?")
    Not yet. Which of the two is that of a?
    """
    return Reply(False, f"Not yet. {words}")


def numbers_in(answer: object, count: int | None = None) -> list[float] | None:
    """Return the numbers of an answer, `count` of them if given; None if it has others.

    Lists, tuples and arrays of them are taken apart, once.

    >>> numbers_in((1, Value(2.0)), 2), numbers_in("one", 1), numbers_in([(3.0, 4.0), 5.0])
    ([1.0, 2.0], None, [3.0, 4.0, 5.0])
    """
    items = [item for part in _parts(answer) for item in _parts(part)]
    found = [item.data if isinstance(item, Value) else item for item in items]
    if count not in (None, len(found)) or not all(map(_is_finite_number, found)):
        return None
    return [float(x) for x in found]  # type: ignore[arg-type]


def _parts(answer: object) -> list[object]:
    to_list = getattr(answer, "tolist", None)  # of an array
    if callable(to_list) and not isinstance(answer, type):
        answer = to_list()
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def values_of(function: object, points: Iterable[tuple[object, ...]]) -> list[float] | None:
    """Return what a function gives at points; None if it does not give a number at each.

    >>> values_of(lambda x, y: x + y, [(1.0, 2.0), (3.0, 4.0)]), values_of(len, [(1.0,)])
    ([3.0, 7.0], None)
    """
    if not callable(function):
        return None
    try:
        found = [function(*point) for point in points]
        return numbers_in(found, len(found))
    except Exception:  # the answer may be any program
        return None


def near(got: Iterable[float], wanted: Iterable[float], within: float = CLOSE) -> bool:
    """Return whether numbers are those that are wanted, nearly.

    >>> near([1.0, 2.0], [1.0, 2.0000001]), near([1.0, 2.0], [1.0, 2.1])
    (True, False)
    """
    pairs = zip(got, wanted, strict=True)
    return all(math.isclose(x, w, rel_tol=within, abs_tol=within) for x, w in pairs)


def wrong_kind(asked: str, answer: object) -> Reply:
    """Return what is said of an answer of another kind than was asked for.

    >>> wrong_kind("one number", "x")
    An answer is one number, got 'x' (str).
    """
    return Reply(False, f"An answer is {asked}, got {quote(answer)} ({type(answer).__name__}).")


def words_of(error: Exception) -> str:
    """Return what is said of an error of an answer.

    >>> words_of(ValueError("no luck."))
    'raises ValueError, no luck'
    """
    said = textwrap.shorten(str(error), 200).rstrip(".") or "without a word"
    return f"raises {type(error).__name__}, {said}"


def wrong_function(asked: str, answer: object, points: Sequence[tuple[object, ...]]) -> Reply:
    """Return what is said where a function was asked for that returns something else at points.

    It names the first of the points where the function returns no number, or else the last.

    >>> wrong_function("a function of x", 5, [(2.0,)])
    An answer is a function of x, got 5 (int).
    >>> wrong_function("a function of x", lambda x: [x, "x"], [(2.0,)])
    An answer is a function of x: at 2.0 yours returns [2.0, 'x'].
    """
    if not callable(answer) or isinstance(answer, type):
        return wrong_kind(asked, answer)
    words = ""
    for point in points:
        at = f"at {', '.join(map(quote, point))} yours"
        try:
            found = answer(*point)
        except Exception as error:  # the answer may be any program
            words = f"{at} {words_of(error)}"
            break
        words = f"{at} returns {quote(found)}"
        if numbers_in(found, 1) is None:
            break
    return Reply(False, f"An answer is {asked}: {words}.")


def _is_finite_number(x: object) -> bool:
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
    >>> compare((4, 5, 6), [0.0, 1.0, 2.0], "three numbers", "")
    Not yet. Look at numbers 1, 2 and 3.
    """
    got = numbers_in(answer, len(wanted))
    if got is None:
        return wrong_kind(asked, answer)
    wrong = [
        place
        for place, (x, w) in enumerate(zip(got, wanted, strict=True), 1)
        if not near([x], [w], within)
    ]
    if not wrong:
        return right(why)
    known = next((words for is_it, words in mistakes if is_it(got)), "")
    *others, last = map(str, wrong)
    numbers = f"numbers {', '.join(others)} and {last}" if others else f"number {last}"
    which = "" if len(wanted) == 1 else f" Look at {numbers}."
    return Reply(False, f"Not yet.{which} {known}".rstrip())
