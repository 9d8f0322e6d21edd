"""The exercises of lessons 3 and 7: trainings, and the networks that result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ... import datasets
from ...engine import Value
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
    points = [(row,) for row in corners + rows]
    got = values_of(answer, points)
    if got is None:
        asked = "your network, which returns a score of a row of two numbers"
        return wrong_function(asked, answer, points)
    (origin, by_x, by_y), scores = got[:3], got[3:]
    plane = [origin + (by_x - origin) * x + (by_y - origin) * y for x, y in rows]
    if not near(scores, plane):
        return not_yet(
            "Its score is not linear in the row. Is there another layer, or an activation?"
        )
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
        side = "Is the score above 0 for class 1?" if hits < 50 else "Was it trained to the end?"
        return not_yet(f"Of 200 new points of the circles, {hits} are on the right side. {side}")
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
            return wrong_function(asked, answer, [(row[:2],)])
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
            (
                lambda got: got[0] in (140, 160, 200, 220),
                "It learns from a part only: some rows are held out, and others validate.",
            ),
            (lambda got: got[0] == 179 * 20, "A step takes a batch, and not a row."),
            (lambda got: True, "Count the rows that it learns from, the batches and the epochs."),
        ],
    )


def _own_loss(answer: object) -> Reply:
    points = [(-2.0, 1.0), (0.5, 1.0), (4.0, 1.0), (-0.5, -1.0), (3.0, -1.0), (-4.0, -1.0)]
    margins = [1 - t * s for s, t in points]
    got = values_of(answer, points)
    if got is None:
        asked = "a function of a score and a target that returns a number"
        return wrong_function(asked, answer, points)
    if near(got, [max(0.0, m) for m in margins]):
        return not_yet("That is the hinge itself.")
    if near(got, [m**2 for m in margins]):
        return not_yet("A row that is right by more than the margin costs something: should it?")
    wanted = [max(0.0, m) ** 2 for m in margins]
    if not near(got, wanted):
        if got[0] and near([x * wanted[0] / got[0] for x in got], wanted):
            return not_yet("It has another factor. The formula has none before the square.")
        return not_yet("Its values are others. What is it if t s is above 1, and what below?")
    try:
        slopes = [_slope(answer, *point) for point in points]  # type: ignore[arg-type]
    except Exception:  # the answer may be any program
        return not_yet("It is right for numbers. A training gives it a Value as the score.")
    if not any(slopes):
        return not_yet(
            "The values are right, but no gradient reaches the score: is all of it a graph?"
        )
    if not near(slopes, [-2 * t * max(0.0, m) for (_, t), m in zip(points, margins, strict=True)]):
        return not_yet("The values are right, and the slopes are not: is a part of it no graph?")
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


# ---- lesson 7: digits


def _shuffle(answer: object) -> Reply:
    got = numbers_in(answer, 1)
    if got is None:
        return wrong_kind("one number, the held-out accuracy with shuffled pixels", answer)
    if got[0] > 1:
        return not_yet("Give it as a share of 1, and not in per cent.")
    if got[0] < 0.3:
        return not_yet(
            "That is the accuracy of a network that has learned from columns in another order than "
            "it is given. Is the order the same in all rows, including the held-out ones?"
        )
    if not 0.955 <= got[0] <= 0.985:
        return not_yet("Does a network of this kind know which pixels are neighbours?")
    return right(
        "As good as before: the network never knew which pixels are neighbours. To us the digits "
        "are noise now, and so are the weights, drawn as images; put back in order, they are not."
    )


def _one_to_the_right(answer: object) -> Reply:
    asked = "two numbers, the accuracy on moved digits, and that after training with copies"
    got = numbers_in(answer, 2)
    if got is None:
        return wrong_kind(asked, answer)
    before, after = got
    if max(got) > 1:
        return not_yet("Give them as shares of 1, and not in per cent.")
    if before > 0.9 and after < 0.5:
        return not_yet("Which of the two is after the training with copies? Give it last.")
    if before > 0.9:
        return not_yet("The first is high. Was each line of eight moved, and by paper at its left?")
    if not 0.38 <= before <= 0.49:
        return not_yet("The first is another. Does a pixel leave at the right of its own line?")
    if after < 0.93:
        return not_yet("The second is low: are the copies beside the rows, with labels of both?")
    return right(
        "It had learned places, and not shapes: noughts, sixes and eights are lost by a single "
        "pixel. It reads what it has seen, so show it what it must read."
    )


def _neighbours(answer: object) -> Reply:
    got = numbers_in(answer, 1)
    if got is None:
        return wrong_kind("one number, the share that the nearest training rows get right", answer)
    if got[0] > 1:
        return not_yet("Give it as a share of 1.")
    if got[0] == 1:
        return not_yet("Each row is its own nearest. Are the held-out rows among the others?")
    if near(got, [0.92], 0.005):
        return not_yet("That is the nearest of ten averages. Take the nearest of all the rows.")
    if not 0.98 <= got[0] < 0.995:
        return not_yet("It gets more or less than that: compare all 64 pixels, as section 2 did.")
    return right(
        "More than the network. But that is 2,410 numbers, and answers at once; the rows are "
        "68,928, and each answer goes through them all."
    )


def _how_many(answer: object) -> Reply:
    got = numbers_in(answer, 4)
    if got is None:
        return wrong_kind("four numbers, the accuracies with 4, 8, 16 and 64 neurons", answer)
    if max(got) > 1:
        return not_yet("Give them as shares of 1, and not in per cent.")
    if got[0] > 0.85:
        return not_yet("The first is high. Does the network have four neurons in its first layer?")
    if not 0.9 <= got[1] <= 0.97 or min(got[2:]) < 0.955:
        return not_yet("With eight it is nearly as good as with 32. Is it trained as in section 3?")
    return right("From four to eight it pays most, and beyond sixteen hardly at all.")


def _no_decay(answer: object) -> Reply:
    asked = "two numbers, the mean size of the corner's 32 weights after training, and before it"
    got = numbers_in(answer, 2)
    if got is None:
        return wrong_kind(asked, answer)
    after, before = got
    if min(got) < 0:
        return not_yet("The mean of sizes is above 0: take `abs` of each weight first.")
    if after > 1.2 * before or not 0.1 < before < 0.2:
        return not_yet("The corner is pixel 0 of `neuron.w`. Is the second that of a fresh one?")
    if after < 0.8 * before:
        return not_yet("The weights have faded: `train` of the lesson has a decay of its own.")
    return right(
        "Nearly what it was drawn as. The corner is the same in all rows, so it acts like a bias "
        "and is hardly pulled at; nothing else moves it where there is no decay."
    )


def _doubts(answer: object) -> Reply:
    got = numbers_in(answer, 2)
    if got is None:
        return wrong_kind("two numbers, the digits declined of known and of unknown hands", answer)
    known, unknown = got
    if any(x != round(x) for x in got):
        return not_yet("Count digits, of 450 and of 510.")
    if known > unknown:
        return not_yet("Of which hands should it be less sure?")
    if not 10 <= known <= 35:
        return not_yet("The first: decline the least sure until 99 of 100 of the rest are right.")
    if not 65 <= unknown <= 125:
        return not_yet("The second: train with the first ten forms, and judge by the last four.")
    return right(
        "Of unknown hands it has to decline many more: it is too sure of what it has not learned."
    )


def _clearest(answer: object) -> Reply:
    got = numbers_in(answer, 64)
    if got is None:
        return wrong_kind("an image, a list of 64 pixels from 0, paper, to 16, ink", answer)
    if min(got) < 0 or max(got) > 16:
        return not_yet("Paper is 0 and ink is 16: hold each pixel between them in every step.")
    if len(set(got)) == 1:
        return not_yet("That is an image of one shade: has it followed the gradient?")
    if any(got == list(row) for row in datasets.digits()[0]):
        return not_yet("That is a handwritten digit. Begin with an empty image.")
    ends = sum(x in (0.0, 16.0) for x in got)
    if ends < 48:
        return not_yet("Go on: where the score still grows, most pixels have some way to go.")
    return right(
        f"{ends} of 64 pixels are at an end. Its score is above that of every digit that a hand "
        "wrote: what the network likes best is not what it has seen."
    )


#: What judges the answers to the exercises of lessons 3 and 7.
NETWORKS: dict[str, Callable[[object], Reply]] = {
    "3.1": _missing_line,
    "3.2": _straight,
    "3.3": _few_parameters,
    "3.4": _two_measurements,
    "3.5": _schedule,
    "3.6": _own_loss,
    "3.7": _chance,
    "7.1": _shuffle,
    "7.2": _one_to_the_right,
    "7.3": _neighbours,
    "7.4": _how_many,
    "7.5": _no_decay,
    "7.6": _doubts,
    "7.7": _clearest,
}
