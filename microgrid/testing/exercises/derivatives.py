"""The exercises of lessons 4 and 5: wrong derivatives, and derivatives of any order."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, exp, isclose, log1p, sin

from ...engine import Value
from ..conformance.cases import Engine
from ..conformance.report import check
from .replies import (
    Reply,
    compare,
    near,
    not_yet,
    numbers_in,
    right,
    values_of,
    wrong_function,
    wrong_kind,
)

__all__ = ["DERIVATIVES"]


# ---- lesson 4: gradients that are tested


def _partial_at(answer: object, x: float) -> tuple[float, float] | None:
    """Return a primitive's value and partial at a number, None if it has none."""
    try:
        value = answer(x)  # type: ignore[operator]
        (partial,) = answer.partials(value, x)  # type: ignore[attr-defined]
    except Exception:  # the answer may be any program
        return None
    numbers = numbers_in([value, partial], 2)
    return (numbers[0], numbers[1]) if numbers else None


def _a_little_wrong(answer: object) -> Reply:
    shares = []
    for x in (0.5, -0.25, 3.0, -2.0):
        found = _partial_at(answer, x)
        if found is None:
            return wrong_kind("your changed primitive of one number", answer)
        value, partial = found
        if not near([value], [x * x / 2 if abs(x) <= 1 else abs(x) - 0.5]):
            return not_yet(f"At {x} the value is another than huber's: change the derivative only.")
        shares.append(abs(partial / min(max(x, -1.0), 1.0) - 1.0))
    if max(shares) < 1e-9:
        return not_yet("Its derivative is still the right one.")
    if not near(shares, [1e-4] * 4, 2e-6):
        return not_yet("At some point it is off by another share than one in ten thousand.")
    return right(
        "It is noticed: however little wrong, the remainder falls as h in the end, and not as h². "
        "A comparison at one step and with a tolerance of a thousandth would let it pass."
    )


def _softplus(answer: object) -> Reply:
    for x in (0.5, -3.0, 5.0):
        found = _partial_at(answer, x)
        if found is None:
            return wrong_kind("your primitive of one number", answer)
        value, partial = found
        out = log1p(exp(x))
        if not near([value], [out]):
            return not_yet(f"At {x} the value is another: softplus is the logarithm of 1 + eˣ.")
        if near([partial], [out / (1 + out)]):
            return not_yet(
                "The verdict on that derivative is *wrong*, at every point. It is eˣ / (1 + eˣ), "
                "and `out` is not eˣ: what is eˣ, if `out` is given?"
            )
        if near([partial], [1 / (1 + exp(x))]):
            return not_yet("Its derivative is that at -x: is the sign of x right?")
        if not near([partial], [1 / (1 + exp(-x))]):
            return not_yet(f"The value is right, and the derivative at {x} is not.")
    return right("It is the sigmoid of x, which `out` alone gives.")


def _verdicts(answer: object) -> Reply:
    words = list(answer) if isinstance(answer, list | tuple) else []
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        asked = "two verdicts in words, on the first derivative and on the second"
        return wrong_kind(asked, answer)
    first, second = (word.strip().lower() for word in words)
    if "kink" in first:
        return not_yet("The first: what are the slopes of x |x| to the left and right of 0?")
    if first != "right":
        return not_yet("The first: has x |x| a slope at 0, and is it what is claimed?")
    if "kink" not in second:
        return not_yet("The second: how does the slope, 2 |x|, go through 0? Read its own row.")
    return right(
        "The slope is 2 |x|. It has no jump, so the first is right; it has a kink, where its own "
        "slope is -2 on one side and 2 on the other."
    )


def _more_laws(answer: object) -> Reply:
    asked = "your class, with `data` and `backward`, that is made of a number"
    if not isinstance(answer, type) or issubclass(answer, Value):
        return wrong_kind(asked, answer)
    try:
        report = check(answer)
    except Exception:  # the answer may be any program
        return wrong_kind(asked, answer)
    missing = _missing(answer)
    if missing:
        return not_yet(f"It does not offer {missing} yet, so some laws are not asked of it.")
    if report.failures:
        return not_yet(
            f"A law is broken: *{next(iter(report.failures))}*. See `conformance.check`."
        )
    return right(f"{len(report.holds)} laws are kept, those of constants and powers among them.")


def _missing(engine: Engine) -> str:
    """Return what a class does not offer, of a number on either side and of powers."""
    uses: dict[str, Callable[[], object]] = {
        "a plain number as the second operand": lambda: engine(2.0) + 1.0,
        "a plain number as the first operand, in `__radd__`": lambda: 1.0 + engine(2.0),
        "powers, in `__pow__`": lambda: engine(2.0) ** 2,
    }
    for use, program in uses.items():
        try:
            program()
        except Exception:  # the answer may be any program
            return use
    return ""


def _three_inputs(answer: object) -> Reply:
    return compare(
        answer,
        (3.0,),
        "one number, the inputs of the program that `find` ends with",
        "It drops what is not asked for. Three inputs are, so two stay that the bug does not need.",
        [
            (
                lambda got: got[0] == 1,
                "That is how many the bug needs. How many did you ask for?",
            ),
            (lambda got: True, "May it drop an input that is asked for, or add another?"),
        ],
    )


# ---- lesson 5: second derivatives


def _four_orders(answer: object) -> Reply:
    return compare(
        answer,
        (2.0, 12.0, 24.0, 24.0, 5.0),
        "five numbers, four derivatives and the order from which on all are 0",
        "Each derivative has one power less, and the coefficients of `taylor` end there, too.",
        [
            (lambda got: near(got[:4], (2, 6, 4, 1)), "Are those f⁽ᵏ⁾, or what `taylor` gives?"),
            (lambda got: got[0] == -1, "Is the first f itself, which is order 0?"),
            (lambda got: got[0] == 4, "What is the slope of -2x?"),
            (
                lambda got: near(got[:4], (2, 12, 24, 24)),
                "Which is the order of the last one that is not 0?",
            ),
            (lambda got: True, "The derivative of xⁿ is n xⁿ⁻¹."),
        ],
    )


def _grad_in_grad(answer: object) -> Reply:
    return compare(
        answer,
        (1.0,),
        "one number",
        "The inner slope is 1, whatever x is: each `grad` has a variable of its own.",
        [
            (
                lambda got: got[0] == 2,
                "Is that the value at 2, or the slope? And is x + y steeper where x moves?",
            ),
            (
                lambda got: True,
                "What is the slope of x + y with respect to y, and what is left then?",
            ),
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
            (lambda got: got[0] > got[1], "Which order should reach further?"),
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
        return wrong_function("a function of r, θ and φ that returns a number", answer, points)
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
            (
                lambda got: near(got, (0, 0, 1, 1), 1e-3),
                "Both ends are right. Which start belongs to which?",
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
        return not_yet("Those are variances: how is a standard error made of one?")
    if not near(errors, (0.6871, 1.4904), 0.02):
        return not_yet("The loss is right. The errors are in the inverse of the Hessian, in order.")
    return right(
        "The loss falls to a third, and the errors grow: the species are so far apart along the "
        "two that many lines between them are as good."
    )


#: What judges the answers to the exercises of lessons 4 and 5.
DERIVATIVES: dict[str, Callable[[object], Reply]] = {
    "4.1": _a_little_wrong,
    "4.2": _softplus,
    "4.3": _verdicts,
    "4.4": _more_laws,
    "4.5": _three_inputs,
    "5.1": _four_orders,
    "5.2": _grad_in_grad,
    "5.3": _sine,
    "5.4": _spherical,
    "5.5": _monkey,
    "5.6": _mistake,
    "5.7": _second_measurement,
}
