"""The exercises of lesson 1: gradients by hand, a primitive, Newton's rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from ...core.primitive import Primitive
from ...engine import Value, topological_order
from .replies import (
    Reply,
    compare,
    near,
    not_yet,
    numbers_in,
    values_of,
    words_of,
    wrong_function,
    wrong_kind,
)

__all__ = ["FIRST"]


def _by_hand(answer: object) -> Reply:
    return compare(
        answer,
        (6.0, -2.0),
        "two numbers, the gradients of a and of b",
        "The product is a² - b², whose slopes are 2a and -2b.",
        [
            (lambda got: got[0] == -2.0 and got[1] == 6.0, "Which of the two is that of a?"),
            (
                lambda got: got[0] in (2.0, 4.0) and got[1] in (2.0, -4.0),
                "That is one share of each. Each of a and b is used twice: add up both shares.",
            ),
            (lambda got: got[1] > 0, "In a - b and in a + b, what does b do if it rises?"),
            (lambda got: True, "Each of a and b is used twice: add up both shares."),
        ],
    )


def _second_root(answer: object) -> Reply:
    asked = "a function of x and y that returns what `x.grad` is after both passes"
    points = [(2.0, 3.0), (-1.0, 0.5), (4.0, -2.0)]
    got = values_of(answer, points)
    if got is None:
        return wrong_function(asked, answer, points)
    if near(got, [y + 1 for _, y in points]):
        return Reply(False, "Not yet. That is after the first pass: what does the second one add?")
    if near(got, [y for _, y in points]):
        return Reply(False, "Not yet. That is the second pass alone: a leaf adds up all of them.")
    if near(got, [3 * y + 1 for _, y in points]):
        return Reply(False, "Not yet. A leaf adds up both passes, but u begins each one at 0.")
    if not near(got, [2 * y + 1 for _, y in points]):
        return Reply(False, "Not yet. What are the slopes of v and of w with respect to x?")
    return Reply(True, "Right. The leaf has the slopes of v and of w, one after the other.")


def _sigmoid(answer: object) -> Reply:
    asked = "a function of one Value that returns a Value"
    for at in (0.5, -2.0, 0.0):  # at 0, σ(-x) is right, too
        x = Value(at)
        try:
            y = answer(x)  # type: ignore[operator]
        except Exception:  # the answer may be any program
            y = None
        if not isinstance(y, Value):
            return wrong_function(asked, answer, [(x,)])
        wanted = 1 / (1 + math.exp(-at))
        if math.isclose(y.data, 1 - wanted, rel_tol=1e-9) and at:
            return not_yet(f"At {at} the value is that at {-at}. Is the sign of x right?")
        if not math.isclose(y.data, wanted, rel_tol=1e-9):
            words = "Is it one half at 0, and nearly 1 far above it?"
            return not_yet(f"At {at} the value is another. {words}")
        try:
            y.backward()
        except Exception as error:  # the answer may be any program
            return not_yet(f"At {at} the value is right, and `backward` {words_of(error)}.")
        if x.grad == 0.0:
            return not_yet("The value is right, but no gradient reaches x: is all of it a graph?")
        if not math.isclose(x.grad, wanted * (1 - wanted), rel_tol=1e-9):
            return not_yet(
                f"The value is right at {at}, and the slope is not: is a part of it no graph?"
            )
    return Reply(True, "Right. Value and slope agree with σ and σ(1 - σ) at three points.")


def _downhill(answer: object) -> Reply:
    return compare(
        answer,
        (math.sqrt(2),),
        "one number, where the steps end",
        "There f' = 3x² - 6 is 0, and the curve bends upwards.",
        [
            (lambda got: abs(got[0] + math.sqrt(2)) < 1e-3, "There the slope is 0, on a hill."),
            (lambda got: 1 < got[0] < 2, "Near: take more steps, and give four digits or more."),
            (
                lambda got: near(got, [2 - 4 * math.sqrt(2)], 1e-2),
                "That is how deep the valley is. Where is it?",
            ),
            (lambda got: True, "Where is the slope, 3x² - 6, 0, and which way does it bend?"),
        ],
        within=1e-3,
    )


SHAPE = "It takes r and h; its partials take `out`, r and h, and return one for each, as a tuple."


def _can(answer: object) -> Reply:
    if not isinstance(answer, Primitive):
        return wrong_kind("a Primitive of r and h", answer)
    for r, h in ((2.0, 3.0), (0.5, 4.0)):
        try:
            surface = answer(r, h)
            found = numbers_in([surface, *answer.partials(surface, r, h)], 3)
        except Exception as error:  # the answer may be any program
            return not_yet(f"At r = {r}, h = {h} it {words_of(error)}. {SHAPE}")
        if found is None:
            return not_yet(SHAPE)
        area, by_r, by_h = 2 * math.pi * r * (r + h), 2 * math.pi * (2 * r + h), 2 * math.pi * r
        if not near(found[:1], [area]):
            return not_yet(f"The surface of the can r = {r}, h = {h} is another.")
        if near(found[1:], [by_h, by_r]):
            return not_yet("Which of the two partials is that of r, the first operand?")
        if not near(found[2:], [by_h]):
            return not_yet("For h: how much more metal does a taller can need?")
        if not near(found[1:2], [by_r]):
            return not_yet("For r: r is in two factors.")
    return Reply(True, "Right. The surface and both partials are those of the can.")


def _exact(answer: object) -> Reply:
    if not isinstance(answer, Fraction):
        return wrong_kind("a Fraction, the last of Newton's steps", answer)
    if abs(answer**3 - 10) > Fraction(1, 10**12):
        return Reply(False, "Not yet. Its cube is not 10 to twelve digits: take another step.")
    return Reply(True, "Right. With each step, the number of right digits doubles.")


def _hides(answer: object) -> Reply:
    if not isinstance(answer, Value):
        return wrong_kind("a Value, the root of a graph", answer)
    order = topological_order(answer)
    uses = [parent for node in order for parent in node.parents]
    if len(order) != 3:
        return Reply(False, f"Not yet. Three nodes were asked for, and it has {len(order)}.")
    if len(uses) != len(set(uses)):
        return Reply(False, "Not yet. A node is used twice: which share would be overwritten?")
    return Reply(True, "Right. Nothing can be overwritten where each node is used once.")


#: What judges the answers to the exercises of lesson 1.
FIRST: dict[str, Callable[[object], Reply]] = {
    "1.1": _by_hand,
    "1.2": _second_root,
    "1.3": _sigmoid,
    "1.4": _downhill,
    "1.5": _can,
    "1.6": _exact,
    "1.7": _hides,
}
