"""The exercises of lesson 3: trainings, and the networks that come of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ... import datasets
from ...engine import Value
from .replies import Reply, compare, near, not_yet, numbers_in, right, values_of, wrong_kind

__all__ = ["NETWORKS"]

# The first losses of the loop of lesson 3, without the line that sets gradients to 0, and with it.
WITHOUT_THE_LINE = (0.7351234, 1.8317696, 0.5121092)
WITH_THE_LINE = (0.7351234, 1.8317696, 1.2031330)


def _missing_line(answer: object) -> Reply:
    got = numbers_in(answer)
    if got is None or len(got) < 3:
        return wrong_kind("the losses of your loop, a list of three or more numbers", answer)
    if near(got[:3], WITHOUT_THE_LINE, 1e-3):
        return right(
            "From the third loss on it is another training: the gradients of all steps add up, so "
            "each step goes all the old ways again, past the goal, and the loss does not settle."
        )
    if near(got[:3], WITH_THE_LINE, 1e-3):
        return not_yet("Those are the losses of the loop with the line in it.")
    if not near(got[:1], WITH_THE_LINE[:1], 1e-3):
        return not_yet("The first loss is that of the fresh network: seed 42, and all of the loss.")
    return not_yet("The first loss is right. Is the learning rate of each step that of the loop?")


def _straight(answer: object) -> Reply:
    rows, labels = datasets.moons(100, noise=0.1, seed=1)
    corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    got = values_of(answer, [(row,) for row in corners + rows])
    if got is None:
        return wrong_kind("your network, which returns a score of a row of two numbers", answer)
    (origin, by_x, by_y), scores = got[:3], got[3:]
    plane = [origin + (by_x - origin) * x + (by_y - origin) * y for x, y in rows]
    if not near(scores, plane):
        return not_yet("Its boundary has a bend. Which layers does it have, with an activation?")
    hits = sum((score > 0) == label for score, label in zip(scores, labels, strict=True))
    if hits < 50:
        return not_yet(f"It is right in {hits} of 100: on which side of the line is class 1?")
    if hits < 85:
        return not_yet(f"It is straight, but right in {hits} of 100 only. Train it for longer.")
    return right(f"{hits} of 100, and no straight line gets many more: the moons need a bend.")


def _few_parameters(answer: object) -> Reply:
    rows, labels = datasets.circles(200, seed=1)
    got = values_of(answer, [(row,) for row in rows])
    try:
        count = len(answer.parameters())  # type: ignore[attr-defined]
    except Exception:  # the answer may be any program
        got = None
    if got is None:
        return wrong_kind("your network, a model with one score, trained on the circles", answer)
    hits = sum((score > 0) == label for score, label in zip(got, labels, strict=True))
    if hits < 190:
        return not_yet(f"Of 200 new points of the circles, {hits} are on the right side.")
    if count > 17:
        return not_yet(
            f"It is good enough, and has {count} parameters. Each neuron of the first layer draws "
            "a line: how few of them can enclose something?"
        )
    return right(f"{count} parameters, {hits} of 200 new points: a few lines enclose the circle.")


def _two_measurements(answer: object) -> Reply:
    asked = "a function of a row of two measurements, in mm, that returns three scores"
    penguins = datasets.penguins()
    hits = 0
    for row, label in zip(penguins.X, penguins.y, strict=True):
        try:
            scores = numbers_in(answer(row[:2]), 3)  # type: ignore[operator]
        except Exception:  # the answer may be any program
            scores = None
        if scores is None:
            return wrong_kind(asked, answer)
        hits += scores.index(max(scores)) == label
    if hits < 308:
        return not_yet(
            f"It is right in {hits} of 342. Does a row in mm go through the scaler, before the "
            "training and after it, and were the epochs enough?"
        )
    return right(f"{hits} of 342: the two measurements of the bill are nearly enough.")


def _schedule(answer: object) -> Reply:
    return compare(
        answer,
        (120.0,),
        "one number: the steps of the training of section 7",
        "The schedule counts batches, and an epoch ends with a smaller one.",
        [
            (lambda got: got[0] == 20, "Those are the epochs. How many batches has each?"),
            (lambda got: got[0] in (5, 6), "That is one epoch: the schedule lasts for all."),
            (lambda got: 100 <= got[0] < 120, "What becomes of the rows of an unfilled batch?"),
            (lambda got: got[0] == 179 * 20, "A step takes a batch, and not a row."),
            (lambda got: True, "Count the rows that it learns from, the batches and the epochs."),
        ],
    )


def _own_loss(answer: object) -> Reply:
    points = [(-2.0, 1.0), (0.5, 1.0), (4.0, 1.0), (-0.5, -1.0), (3.0, -1.0), (-4.0, -1.0)]
    margins = [1 - t * s for s, t in points]
    got = values_of(answer, points)
    if got is None:
        return wrong_kind("a function of a score and a target that returns a number", answer)
    if near(got, [max(0.0, m) for m in margins]):
        return not_yet("That is the hinge itself.")
    if near(got, [m**2 for m in margins]):
        return not_yet("A row that is right by more than the margin costs something: should it?")
    if not near(got, [max(0.0, m) ** 2 for m in margins]):
        return not_yet("Its values are others. What is it if t s is above 1, and what below?")
    try:
        slopes = [_slope(answer, *point) for point in points]  # type: ignore[arg-type]
    except Exception:  # the answer may be any program
        return not_yet("Of numbers it is right. A training gives it a Value as the score.")
    if not near(slopes, [-2 * t * max(0.0, m) for (_, t), m in zip(points, margins, strict=True)]):
        return not_yet("The values are right, and the slopes are not: is all of it a graph?")
    return right("Values and slopes agree at six points; far rows pull more than near ones.")


def _slope(function: Callable[..., object], score: float, target: float) -> float:
    x = Value(score)
    y = function(x, target)
    if isinstance(y, Value):
        y.backward()
    return x.grad


def _chance(answer: object) -> Reply:
    got = numbers_in(answer, 5)
    if got is None:
        return wrong_kind("five numbers, the held-out accuracy of each of five splits", answer)
    if max(got) > 1 or min(got) < 0:
        return not_yet("Give them as shares of 1, and not in per cent.")
    if any(abs(share * 103 - round(share * 103)) > 0.1 for share in got):
        return not_yet("A share of the held-out rows is a whole number of them: how many are left?")
    if len(set(got)) == 1:
        return not_yet("All five are the same. Did the seed reach the split?")
    if min(got) < 0.85:
        return not_yet("One of them is low. Is the scaler fitted to the rows of its own split?")
    return right(_spread(got))


def _spread(shares: Sequence[float]) -> str:
    birds = round((max(shares) - min(shares)) * 103)
    return f"The splits differ by {birds} of 103: each is a per cent, so a decimal of it is luck."


#: What judges the answers to the exercises of lesson 3.
NETWORKS: dict[str, Callable[[object], Reply]] = {
    "3.1": _missing_line,
    "3.2": _straight,
    "3.3": _few_parameters,
    "3.4": _two_measurements,
    "3.5": _schedule,
    "3.6": _own_loss,
    "3.7": _chance,
}
