"""The exercises of lessons 6 and 8: functions that are compiled, and loops over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise, product
from math import exp, inf, isclose, log, pi, sqrt
from statistics import NormalDist
from typing import cast

from ...calculus import grad
from ...engine import Value, topological_order
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

__all__ = ["PROGRAMS"]


# ---- lesson 6: programs


def _predict(answer: object) -> Reply:
    return compare(
        answer,
        (3.0,),
        "one number, the operations of the compiler's program",
        "Only what the slope, 3x² - 6, depends on is left, and the constants are worked out.",
        [
            (lambda got: got[0] < 3, "Count each operation of 3x² - 6, and no input."),
            (lambda got: True, "Does the slope depend on the value of f, or on the 2 in it?"),
        ],
    )


def _order_by_order(answer: object) -> Reply:
    got = numbers_in(answer, 8)
    if got is None:
        asked = "eight numbers, the lengths for the function, for its six derivatives and of taylor"
        return wrong_kind(asked, answer)
    *orders, of_taylor = got
    if any(longer <= shorter for shorter, longer in pairwise(orders)):
        return not_yet("Each program is longer than the last. Did you take `grad` of the last one?")
    if not near(orders[:2], (2, 5), 0.25):
        return not_yet("Begin with the function itself: x * x, and tanh of it.")
    if not 55 <= orders[6] <= 95:
        return not_yet("The sixth derivative is six times `grad`, one around the other.")
    if not 0 < of_taylor < orders[6]:
        return not_yet("The last is one program. It is shorter than that of the sixth derivative.")
    return right(
        "The sixth derivative alone is longer than all seven coefficients of the series together: "
        "these share what they are made of."
    )


def _bend(answer: object) -> Reply:
    points = (0.5, -0.25, 3.0, -2.0)
    found = values_of(answer, [(e,) for e in points])
    if found is None:
        asked = "a function of one number, the error, that returns the loss"
        return wrong_function(asked, answer, [(e,) for e in points])
    if not near(found, [e * e / 2 if abs(e) <= 1 else abs(e) - 0.5 for e in points]):
        return not_yet("A value is another: look at both sides of -1 and of 1.")
    loss = cast("Callable[[Value], Value]", answer)
    try:
        graphs = [topological_order(loss(Value(e))) for e in points]
        slopes = [grad(loss)(e) for e in points]
        bends = [grad(grad(loss))(e) for e in points]
    except Exception:  # the answer may be any program
        return not_yet("It is right for numbers. Write it for Values: `where`, and no `math`.")
    if any([node.op for node in graph] != [node.op for node in graphs[0]] for graph in graphs):
        return not_yet("It is another program near 0 than far out, so it looks at the number.")
    if not any(slopes):
        return not_yet("The values are right, but no gradient reaches e: is all of it a graph?")
    if not near(slopes, [0.5, -0.25, 1.0, -1.0]) or not near(bends, [1.0, 1.0, 0.0, 0.0]):
        return not_yet("The values are right, and the derivatives are not: is all of it a graph?")
    return right("It is one program for all numbers; the slope has a kink, and its slope a jump.")


def _when_it_pays(answer: object) -> Reply:
    cases = [(0.1, 1e-6, 1e-5), (0.05, 2e-6, 4e-6), (0.2, 1e-4, 2e-4)]
    got = values_of(answer, cases)
    if got is None:
        asked = "a function of three times, of the first call, a later one, and one in Python"
        return wrong_function(asked, answer, cases)
    if all(
        isclose(x, first / python, rel_tol=1e-3) for x, (first, _, python) in _pairs(got, cases)
    ):
        return not_yet("A later call takes some time, too: what does each one save?")
    if any(
        abs(x - first / (python - later)) > 2 for x, (first, later, python) in _pairs(got, cases)
    ):
        return not_yet("After n calls, n times Python's time is that of the first and n - 1 later.")
    try:
        never = answer(0.1, 2e-6, 1e-6) in (None, inf)  # type: ignore[operator]
    except Exception:  # the answer may be any program
        never = False
    if not never:
        return not_yet("And if a later call takes longer than Python? Then say `math.inf`.")
    return right("For single numbers it may never pay; with columns it pays after a few calls.")


def _pairs(
    got: list[float], cases: list[tuple[float, float, float]]
) -> Iterable[tuple[float, tuple[float, float, float]]]:
    return zip(got, cases, strict=True)


# S, K, r, sigma and T of options whose K is near S.
OPTIONS = [
    (100.0, 100.0, 0.05, 0.2, 1.0),
    (100.0, 105.0, 0.02, 0.4, 0.5),
    (80.0, 75.0, 0.01, 0.15, 1.5),
    (120.0, 125.0, 0.08, 0.33, 2.0),
]
NORMAL = NormalDist()


def _ds(S: float, K: float, r: float, sigma: float, T: float) -> tuple[float, float]:
    d = (log(S / K) + (r + sigma**2 / 2) * T) / (sigma * sqrt(T))
    return d, d - sigma * sqrt(T)


def _gamma(answer: object) -> Reply:
    got = values_of(answer, OPTIONS)
    if got is None:
        asked = "a function of S, K, r, sigma and T that returns a number"
        return wrong_function(asked, answer, OPTIONS)
    firsts = [_ds(*option)[0] for option in OPTIONS]
    slopes = [exp(-d * d / 2) / sqrt(2 * pi) for d in firsts]
    if near(got, [NORMAL.cdf(d) for d in firsts]):
        return not_yet("That is delta, the first derivative.")
    by_sigma = [S * p * sqrt(T) for p, (S, *_, T) in zip(slopes, OPTIONS, strict=True)]
    if near(got, by_sigma, 1e-4):
        return not_yet("That is the first derivative with respect to sigma.")
    by_spot = zip(slopes, OPTIONS, strict=True)
    if not near(got, [p / (S * sigma * sqrt(T)) for p, (S, _, _, sigma, T) in by_spot]):
        return not_yet("Both derivatives are with respect to S, the first argument.")
    return right("It is the density at d₁ over S σ √T, and the equation holds in all rows.")


def _volatility(answer: object) -> Reply:
    cases = []
    for S, K, r, sigma, T in OPTIONS:
        d1, d2 = _ds(S, K, r, sigma, T)
        cases.append((S * NORMAL.cdf(d1) - K * exp(-r * T) * NORMAL.cdf(d2), S, K, r, T))
    got = values_of(answer, cases)
    if got is None:
        asked = "a function of the price, S, K, r and T that returns sigma"
        return wrong_function(asked, answer, cases)
    wanted = [sigma for *_, sigma, _ in OPTIONS]
    if near(got, [0.3] * len(OPTIONS)):
        return not_yet("That is where the rule begins, for each of them.")
    if near(got, wanted, 1e-8):
        return right(
            "Where K is far from S, the price hardly depends on sigma: the derivative is nearly 0, "
            "and a step divided by it goes anywhere."
        )
    if near(got, wanted, 0.05):
        return not_yet("Near. Are those ten rounds, and is each sigma the next one's start?")
    return not_yet("A step is the price's error over its derivative with respect to sigma.")


def _bytes(answer: object) -> Reply:
    got = numbers_in(answer, 1)
    if got is None or got[0] != round(got[0]):
        return wrong_kind("one integer, the bytes of the program", answer)
    if got[0] < 100:
        return not_yet("No program is that small. Give bytes, and not kilobytes.")
    if got[0] < 3_000:
        return not_yet("The text has so few. How large is the file that the compiler makes of it?")
    if got[0] > 3_000_000:
        return not_yet("That is more than a C library has. Is Python in it?")
    return right("The network is a small part of them. The rest is what any program in C has.")


# ---- lesson 8: loops


def _fibonacci(answer: object) -> Reply:
    return compare(
        answer,
        (21.0,),
        "one number, the derivative",
        "The tenth is 21 times the first and 34 times the second: numbers of his again.",
        [
            (
                lambda got: got[0] == 55,
                "So is the number itself. As a slope, it is 55 if the second rises with the first.",
            ),
            (lambda got: got[0] == 34, "Is it the tenth, and with respect to the first alone?"),
            (lambda got: got[0] == 13, "The ninth, it seems: how many steps lead to the tenth?"),
            (lambda got: True, "The first and the second are separate inputs; the first is 1."),
        ],
    )


def _worth_today(answer: object) -> Reply:
    points = [([10.0, 10.0, 10.0, 50.0], 0.03), ([0.0, 100.0], 0.1), ([5.0, 0.0, 7.0], 0.0)]
    got = values_of(answer, [(list(xs), rate) for xs, rate in points])
    if got is None:
        asked = "a function of the list of payments and the rate that returns what they are worth"
        return wrong_function(asked, answer, [(list(xs), rate) for xs, rate in points])

    def worth(power: Callable[[int, int], int]) -> list[float]:
        return [
            sum(x * (1 + rate) ** power(k, len(xs)) for k, x in enumerate(xs))
            for xs, rate in points
        ]

    if near(got, worth(lambda k, n: -k - 1)):
        return right("From the last year on, what is worth something later is worth less today.")
    if near(got, worth(lambda k, n: -k)):
        return not_yet("The first payment is at the end of the first year, so it is a year away.")
    if near(got, worth(lambda k, n: k - n)):
        return not_yet("The first payment is divided most often. In which direction do you go?")
    if near(got, worth(lambda k, n: k + 1)):
        return not_yet("Is a payment that comes later worth more today, or less?")
    if near(got, worth(lambda k, n: n - 1 - k)) or near(got, worth(lambda k, n: n - k)):
        return not_yet("That is what they are worth in the end. In which direction is today?")
    if near(got, worth(lambda k, n: 0)):
        return not_yet("That is the sum, as if money in ten years were as good as money today.")
    return not_yet("Compare with 100 in two years, at a rate of 0.1: it is 100 / 1.1², today.")


def _euler(answer: object) -> Reply:
    return compare(
        answer,
        (2.0,),
        "one number, the factor by which the error falls",
        "The error is proportional to the step: for a digit more, ten times the steps.",
        [
            (lambda got: got[0] > 10, "That is rk4's. Does the step look at one rate alone?"),
            (lambda got: 0 < got[0] < 1, "How many times smaller is it, and not which share?"),
            (lambda got: True, "Divide the error by that of twice the steps, both of them small."),
        ],
        within=0.2,
    )


def _chaos(answer: object) -> Reply:
    got = numbers_in(answer, 2)
    if got is None:
        return wrong_kind("two numbers, the derivatives for r = 3.2 and for r = 3.9", answer)
    calm, wild = map(abs, got)
    if wild == 0:
        return not_yet("At one half the map is flat, and 0 stays 0: begin at another number.")
    if calm > wild:
        return not_yet("Which of the two settles to two numbers that it takes in turns?")
    if calm > 1e-15:
        return not_yet(
            "The first: is that the hundredth number, and is it with respect to the first one?"
        )
    if wild < 1e12:
        return not_yet("The second: multiply the slopes of all the steps.")
    return right(
        "With 3.2 it forgets where it began. With 3.9 an error in the 16th digit is as large as "
        "everything in less than a hundred steps, so no forecast reaches further."
    )


def _friction(answer: object) -> Reply:
    got = numbers_in(answer, 2)
    if got is None:
        return wrong_kind("two numbers, the γ of your measurements and the one fitted", answer)
    true, fitted = got
    if true <= 0:
        return not_yet("A pendulum that loses speed has a γ above 0.")
    if isclose(true, fitted, rel_tol=1e-6):
        return not_yet("That is too good to be true: is there noise in the measurements?")
    if isclose(true, -fitted, rel_tol=0.3):
        return not_yet("Its sign is that of a pendulum that is pushed.")
    if not isclose(true, fitted, rel_tol=0.3):
        return not_yet(
            "They are far apart. Is there enough time to lose speed, and not more noise?"
        )
    return right("Near, and not equal: the rest is noise, and the Hessian says how much of it.")


def _parity(answer: object) -> Reply:
    series = [bits for n in range(1, 6) for bits in product((0.0, 1.0), repeat=n)]
    got = values_of(answer, [(list(bits),) for bits in series])
    if got is None:
        asked = "a function of a list of noughts and ones that returns a score"
        return wrong_function(asked, answer, [(list(bits),) for bits in series])
    hits = sum((score > 0) == sum(bits) % 2 for score, bits in zip(got, series, strict=True))
    if hits < 10:
        return not_yet("It is right about even numbers: a score above 0 says odd.")
    if all(score > 0 for score in got):
        return not_yet(
            "It says odd to everything. Are those probabilities? The score may be below 0."
        )
    if hits < 56:
        return not_yet(
            f"It is right about {hits} of the {len(series)} series of up to five. Train it on all "
            "series of five; if the loss stays where it is, begin with another seed."
        )
    return right(f"{hits} of {len(series)}: a bit of memory, turned over by each one.")


#: What judges the answers to the exercises of lessons 6 and 8.
PROGRAMS: dict[str, Callable[[object], Reply]] = {
    "6.1": _predict,
    "6.2": _order_by_order,
    "6.3": _bend,
    "6.4": _when_it_pays,
    "6.5": _gamma,
    "6.6": _volatility,
    "6.7": _bytes,
    "8.1": _fibonacci,
    "8.2": _worth_today,
    "8.3": _euler,
    "8.4": _chaos,
    "8.5": _friction,
    "8.6": _parity,
}
