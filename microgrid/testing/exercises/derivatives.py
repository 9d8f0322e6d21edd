"""The exercises of lesson 5: derivatives of any order, and what they are good for."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, isclose, sin

from .replies import Reply, compare, near, not_yet, numbers_in, right, values_of, wrong_kind

__all__ = ["DERIVATIVES"]


def _four_orders(answer: object) -> Reply:
    return compare(
        answer,
        (2.0, 12.0, 24.0, 24.0, 5.0),
        "five numbers, four derivatives and the order from which on all are 0",
        "Each derivative has one power less, and the coefficients of `taylor` end there, too.",
        [
            (lambda got: near(got[:4], (2, 6, 4, 1)), "Are those f⁽ᵏ⁾, or what `taylor` gives?"),
            (lambda got: got[0] == 4, "What is the slope of -2x?"),
            (lambda got: near(got[:4], (2, 12, 24, 24)), "Of which order is the last that is not?"),
            (lambda got: True, "The derivative of xⁿ is n xⁿ⁻¹."),
        ],
    )


def _grad_in_grad(answer: object) -> Reply:
    return compare(
        answer,
        (1.0,),
        "one number",
        "The inner slope is 1, whatever x is: each `grad` differentiates by its own variable.",
        [
            (
                lambda got: got[0] == 2,
                "The inner `grad` differentiates by y alone. Is x + y steeper where x moves, too?",
            ),
            (lambda got: True, "What is the slope of x + y by y, and what is left to be derived?"),
        ],
    )


def _sine(answer: object) -> Reply:
    return compare(
        answer,
        (3.2496, 7.0015),
        "two numbers above 0, for order 9 and for order 19",
        "Ten orders more reach hardly four units further.",
        [
            (lambda got: got[0] < 0 or got[1] < 0, "The series is as far off on either side of 0."),
            (lambda got: got[0] > got[1], "Which of the two goes with the series that knows more?"),
            (
                lambda got: True,
                "Compare `series` and `sin` at finer places: where does the error pass 0.01?",
            ),
        ],
        within=0.01,
    )


def _spherical(answer: object) -> Reply:
    points = [(2.0, 0.5, 1.0), (0.7, 1.2, -2.0), (3.0, 2.5, 0.3)]
    got = values_of(answer, points)
    if got is None:
        return wrong_kind("a function of r, θ and φ that returns a number", answer)
    if near(got, [r * r * sin(theta) for r, theta, _ in points]):
        return right("It is the size of a small box in space: dr times r dθ times r sin θ dφ.")
    known: dict[str, Callable[[float, float, float], float]] = {
        "Is the sign that of the columns in the order r, θ, φ?": lambda r, t, p: -r * r * sin(t),
        "θ is the angle from the pole, and φ goes around.": lambda r, t, p: r * r * sin(p),
        "Is θ the angle from the pole, or from the equator?": lambda r, t, p: r * r * cos(t),
        "One r is from θ. Is there none from φ?": lambda r, t, p: r * sin(t),
        "How long is a circle around the axis near the pole?": lambda r, t, p: r * r,
    }
    for words, formula in known.items():
        if near(got, [formula(*point) for point in points]):
            return not_yet(words)
    return not_yet("Compare with `np.linalg.det` of the `jacobian` at three places.")


def _monkey(answer: object) -> Reply:
    return compare(
        answer,
        (3.0,),
        "one number, the order of the first derivatives that tell",
        "The Hessian is 0, as if it were flat; three valleys meet there, for legs and a tail.",
        [
            (lambda got: got[0] in (1, 2), "Look at all of its numbers at (0, 0)."),
            (lambda got: True, "Which is the lowest power that the function is made of?"),
        ],
    )


def _mistake(answer: object) -> Reply:
    return compare(
        answer,
        (1.0, 1.0, 0.0, 0.0),
        "four numbers, x and y of both ends of Newton's steps",
        "A step goes to where the slope of the bowl is 0, be it a valley or a saddle; "
        "`trust-exact` looks whether it goes down, and ends in the valley from both.",
        [
            (
                lambda got: near(got, (1, 1, 1, 1), 1e-3),
                "That is what `minimize` finds. Does a Newton step ask whether it goes down?",
            ),
            (lambda got: True, "Take more steps, each to where g + H d = 0."),
        ],
        within=1e-3,
    )


def _second_measurement(answer: object) -> Reply:
    asked = "three numbers, the loss and the standard errors of the weights of length and depth"
    got = numbers_in(answer, 3)
    if got is None:
        return wrong_kind(asked, answer)
    loss, *errors = got
    if isclose(loss, 25.2552, rel_tol=0.01):
        return not_yet("That is the loss of the model of section 7, without the depth.")
    if not isclose(loss, 9.3457, rel_tol=0.01):
        return not_yet("The loss is another: a bias, two weights, 219 birds, and to the minimum.")
    if near(errors, (0.6871**2, 1.4904**2), 0.02):
        return not_yet("Those are variances: what is the standard error made of them?")
    if not near(errors, (0.6871, 1.4904), 0.02):
        return not_yet("The loss is right. The errors are in the inverse of the Hessian, in order.")
    return right(
        "The loss falls to a third, and the errors grow: the species are so far apart along the "
        "two that many lines between them are as good."
    )


#: What judges the answers to the exercises of lesson 5.
DERIVATIVES: dict[str, Callable[[object], Reply]] = {
    "5.1": _four_orders,
    "5.2": _grad_in_grad,
    "5.3": _sine,
    "5.4": _spherical,
    "5.5": _monkey,
    "5.6": _mistake,
    "5.7": _second_measurement,
}
