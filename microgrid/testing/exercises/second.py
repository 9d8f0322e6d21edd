"""The exercises of lesson 2: shares, orders and paths."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from ...engine import Value, topological_order
from .replies import Reply, compare, near, wrong_kind

__all__ = ["SECOND"]


def _on_paper(answer: object) -> Reply:
    return compare(
        answer,
        (2.0, 5.0),
        "two numbers, the gradients of a and of b",
        "b enters through both factors, so two shares meet in it.",
        [
            (lambda got: tuple(got) == (5.0, 2.0), "Which of the two is that of a?"),
            (lambda got: got[0] == 2.0, "b stands in both factors: add up both shares."),
            (
                lambda got: True,
                "The slope of a product with respect to one factor is the other factor.",
            ),
        ],
    )


def _change_of_sign(answer: object) -> Reply:
    names = re.findall(r"[^\s,]+", answer) if isinstance(answer, str) else answer
    asked = 'the signs of operations as in the picture, such as ["+", "exp"]'
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        return wrong_kind(asked, answer)
    found = {"neg" if name.strip() == "-" else name.strip() for name in names} - {"and"}
    if not found <= {"/", "neg", "+", "exp"}:
        return wrong_kind(asked, answer)
    if found == {"/", "neg"}:
        return Reply(True, "Right. It changes twice, so the gradient of x is positive again.")
    if found and found < {"/", "neg"}:
        return Reply(False, "Not yet. That is one; but the gradient of x is above 0 again.")
    return Reply(False, "Not yet. Which operations fall where their operand rises?")


def _paths(answer: object) -> Reply:
    return compare(
        answer,
        (4.0, 6.0, 4.0, 4.0),
        "four numbers: paths and edges of the first, paths and edges of the second",
        "There are as many paths, along fewer edges where a node is shared.",
        [
            (lambda got: got[:2] == [4, 6] and got[3] == 6, "x * x is one node, computed once."),
            (
                lambda got: got[:2] == [4, 6] and got[2] == 2,
                "Each of the two ways from the root to x * x goes on in two.",
            ),
            (lambda got: True, "Each product has an edge for each of its two operands."),
        ],
    )


def _orders(answer: object) -> Reply:
    if not isinstance(answer, Value):
        return wrong_kind("a Value, the root of a graph", answer)
    inner = [node for node in topological_order(answer) if node.parents and node is not answer]
    below = {node: set(topological_order(node)) for node in inner}  # sets ask who it is, not ==
    if any(x not in below[y] and y not in below[x] for x in inner for y in inner):
        return Reply(True, "Right. Neither of two of its nodes needs the other to be first.")
    if len(inner) < 2:
        return Reply(False, f"Not yet. Beside the root it has {len(inner)} inner nodes.")
    return Reply(False, "Not yet. Of any two of its inner nodes, one is made of the other.")


def _depth(answer: object) -> Reply:
    numbers, slopes = [2.0], [1.0]
    for _ in range(10):
        numbers.append(math.tanh(numbers[-1]))
        slopes.append(slopes[-1] * (1.0 - numbers[-1] ** 2))
    return compare(
        answer,
        (slopes[3],),
        "one number, the gradient of w with three of them",
        "It is the product of three slopes, each below 1.",
        [
            (
                lambda got: near(got, numbers[3:4], 1e-3),
                "That is the number at the root, and not the gradient of w.",
            ),
            (
                lambda got: any(near(got, [slope], 1e-4) for slope in slopes),
                "That is the gradient with more of them, or with fewer.",
            ),
            (
                lambda got: True,
                "Each slope is 1 - out², at the number that comes out of that tanh.",
            ),
        ],
        within=1e-3,
    )


def _friction(answer: object) -> Reply:
    if not isinstance(answer, str):
        return wrong_kind("a word, what it is called", answer)
    if "momentum" in answer.lower() or "heavy ball" in answer.lower():
        return Reply(True, "Right. A part of the last step is taken again.")
    return Reply(False, "Not yet. In mechanics, what does a rolling ball keep?")


def _all_off(answer: object) -> Reply:
    return compare(
        answer,
        (1.0,),
        "one number: how many parameters of the network still learn",
        "The bias of the last neuron meets no neuron that is off, and no number that is 0.",
        [
            (lambda got: got[0] == 0, "Which parameter is not multiplied by anything?"),
            (lambda got: True, "A weight of the last layer is multiplied by what a neuron gives."),
        ],
    )


def _logits(answer: object) -> Reply:
    return compare(
        answer,
        (0.0,),
        "one number, the sum of the gradients",
        "To add the same to all logits changes no probability, so the slope that way is 0.",
        [
            (
                lambda got: near(got, [1.0]),
                "That is the sum of the probabilities. Is each of them a gradient?",
            ),
            (lambda got: True, "What happens to the loss if all logits rise by the same?"),
        ],
    )


#: What judges the answers to the exercises of lesson 2.
SECOND: dict[str, Callable[[object], Reply]] = {
    "2.1": _on_paper,
    "2.2": _change_of_sign,
    "2.3": _paths,
    "2.4": _orders,
    "2.5": _depth,
    "2.6": _friction,
    "2.7": _all_off,
    "2.8": _logits,
}
