"""Right and wrong answers to the exercises of lessons 4 and 5."""

import math

import numpy as np

from microgrid import Primitive, Value, clip, exp


def huber(factor):
    """Return Huber's function as a primitive, and its slope times a factor."""
    return Primitive(
        f"huber times {factor}",
        lambda x: x * x / 2 if abs(x) <= 1 else abs(x) - 0.5,
        lambda out, x: (factor * clip(x, -1, 1),),
    )


def softplus(name, partial):
    return Primitive(name, lambda x: math.log1p(math.exp(x)), lambda out, x: (partial(out),))


class Sums:
    """An engine that adds, on the side where it is asked."""

    def __init__(self, data, parents=(), slopes=()):
        self.data, self.grad = data, 0.0
        self.parents, self.slopes = parents, slopes

    def node(self, data, parents, slopes):
        return type(self)(data, parents, slopes)

    def __add__(self, other):
        if not isinstance(other, Sums):
            other = type(self)(other)
        return self.node(self.data + other.data, (self, other), (1.0, 1.0))

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *[(parent, False) for parent in node.parents]]
        for node in order:
            node.grad = 0.0 if node.parents else node.grad
        self.grad += 1.0
        for node in reversed(order):
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                parent.grad += node.grad * slope


class SumsOfNumbers(Sums):
    __radd__ = Sums.__add__


class Powers(SumsOfNumbers):
    def __pow__(self, n):
        slope = n * math.pow(self.data, n - 1) if n else 0.0
        return self.node(math.pow(self.data, n), (self,), (slope,))


class PowersNotAtZero(SumsOfNumbers):
    def __pow__(self, n):
        return self.node(math.pow(self.data, n), (self,), (n * math.pow(self.data, n - 1),))


right_softplus = softplus("softplus, right", lambda out: 1 - exp(-out))
RIGHT = {
    "4.1": [huber(1.0001), huber(0.9999)],
    "4.2": [right_softplus],
    "4.3": [("right", "at a kink")],
    "4.4": [Powers],
    "4.5": [3],
    "5.1": [(2.0, 12.0, 24.0, 24.0, 5), np.array([2, 12, 24, 24, 5])],
    "5.2": [1.0],
    "5.3": [(3.25, 7.0)],
    "5.4": [lambda r, theta, phi: r**2 * math.sin(theta)],
    "5.5": [3],
    "5.6": [(1.0, 1.0, 1e-9, 0.0), [np.ones(2), np.zeros(2)]],
    "5.7": [(9.346, 0.687, 1.49)],
}
WRONG = {
    "4.1": {
        huber(1.0): "still the right one",
        huber(1.01): "by another share",
        right_softplus: "the value is another",
        (lambda x: x * x / 2): "your changed primitive",
    },
    "4.2": {
        softplus("softplus, wrong", lambda out: out / (1 + out)): "`out` is not eˣ",
        softplus("softplus, flat", lambda out: 0.5 * out): "the derivative at 0.5 is not",
        softplus("softplus, turned", lambda out: exp(-out)): "is the sign of x right",
        huber(0.5): "the logarithm of 1 + eˣ",
    },
    "4.3": {
        ("at a kink", "at a kink"): "The first",
        ("wrong", "at a kink"): "has x |x| a slope",
        ("right", "right"): "The second",
        "right": "two verdicts",
    },
    "4.4": {
        Sums: "__radd__",
        SumsOfNumbers: "__pow__",
        PowersNotAtZero: "A law is broken",
        Value: "your class",
    },
    "4.5": {1: "many the bug needs", 2: "or add another"},
    "5.1": {
        (2.0, 6.0, 4.0, 1.0, 5): "what `taylor` gives",
        (-1.0, 2.0, 12.0, 24.0, 5): "the first f itself",
        (4.0, 12.0, 24.0, 24.0, 5): "the slope of -2x",
        (2.0, 12.0, 24.0, 24.0, 4): "of the last one that is not 0",
        (2.0, 3.0, 24.0, 24.0, 5): "Look at number 2.",
    },
    "5.2": {2.0: "steeper where x moves", 3.0: "what is left"},
    "5.3": {
        (-3.25, 7.0): "on either side",
        (7.0, 3.25): "reach further",
        (3.25, 9.0): "Look at number 2.",
    },
    "5.4": {
        (lambda r, theta, phi: -(r**2) * math.sin(theta)): "the order r, θ, φ",
        (lambda r, theta, phi: r**2 * math.sin(phi)): "φ goes around",
        (lambda r, theta, phi: r**2 * math.cos(theta)): "from the equator",
        (lambda r, theta, phi: r * math.sin(theta)): "none from φ",
        (lambda r, theta, phi: r**2): "near the pole",
        (lambda r, theta, phi: r**3): "np.linalg.det",
        (lambda r, theta: r): "yours raises TypeError",
    },
    "5.5": {2: "all of its numbers", 4: "the lowest power"},
    "5.6": {
        (1, 1, 1, 1): "what `minimize` finds",
        (0, 0, 1, 1): "Which start",
        (1.0, 1.0, 0.5, 0.5): "Take more steps",
    },
    "5.7": {
        (25.2552, 7.783, 0.178): "without the depth",
        (12.0, 0.7, 1.5): "to the minimum",
        (9.3457, 0.4721, 2.2212): "Those are variances",
        (9.3457, 1.4904, 0.6871): "in order",
    },
}
