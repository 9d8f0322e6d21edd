"""Right and wrong answers to the exercises of lessons 3 and 7."""

from microgrid import MLP, datasets, relu


class Inside:
    """A model by hand: how far a row is inside of a circle; it says how many parameters it has."""

    def __init__(self, parameters=1, radius=0.75):
        self.count, self.radius = parameters, radius

    def __call__(self, row):
        return self.radius**2 - row[0] ** 2 - row[1] ** 2

    def parameters(self):
        return [0.0] * self.count


class Outside(Inside):
    """The same, with the classes exchanged."""

    def __call__(self, row):
        return -super().__call__(row)


def by_centres(row):
    """Return how near a row of two measurements of a bill is to the centre of each species."""
    centres = [(38.8, 18.35), (48.8, 18.4), (47.5, 15.0)]
    return [-(((row[0] - x) / 5.45) ** 2) - ((row[1] - y) / 1.97) ** 2 for x, y in centres]


RIGHT = {
    "3.1": [(0.7351, 1.8318, 0.5121, 0.568)],
    "3.2": [lambda row: 0.5 + 0.5 * row[0] - 2.0 * row[1]],
    "3.3": [Inside()],
    "3.4": [by_centres],
    "3.5": [120],
    "3.6": [lambda s, t: relu(1 - t * s) ** 2, lambda s, t: max(0, 1 - t * s) ** 2],
    "3.7": [tuple(hits / 103 for hits in (102, 103, 103, 101, 103))],
    "7.1": [0.971],
    "7.2": [(0.436, 0.967)],
    "7.3": [0.987],
    "7.4": [(0.273, 0.951, 0.971, 0.973)],
    "7.5": [(0.1438, 0.142)],
    "7.6": [(22, 93)],
    "7.7": [(16.0, 0.0) * 30 + (3.0, 4.0, 5.0, 6.0)],
}
WRONG = {
    "3.1": {
        (0.7351, 1.8318, 1.2031): "the loop with the line",
        (0.9, 0.8, 0.7): "the fresh network",
        (0.7351, 0.7, 0.6): "learning rate",
        (0.7351,): "three or more",
    },
    "3.2": {
        (lambda row: row[0] ** 2 - row[1]): "is not linear",
        (lambda row: row[1] - 0.25): "on which side",
        (lambda row: row[0] - 0.5): "Train it for longer",
        MLP(3, [1]): "a row of two numbers",
    },
    "3.3": {
        Inside(129): "how few of them",
        Inside(radius=0.2): "trained to the end",
        Outside(): "above 0 for class 1",
        (lambda row: 1.0): "a model",
    },
    "3.4": {
        (lambda row: [row[0] - 45, 0.0, 1.0]): "through the scaler",
        (lambda row: 1): "three scores",
        (lambda row: [row[3], 0.0, 1.0]): "two measurements",
    },
    "3.5": {
        20: "Those are the epochs",
        100: "an unfilled batch",
        6: "That is one epoch",
        160: "and others validate",
        3580: "and not a row",
        7: "Count the rows",
    },
    "3.6": {
        (lambda s, t: relu(1 - t * s)): "the hinge itself",
        (lambda s, t: (1 - t * s) ** 2): "more than the margin",
        (lambda s, t: 0.5 * relu(1 - t * s) ** 2): "another factor",
        (lambda s, t: relu(1 + t * s) ** 2): "if t s is above 1",
        (lambda s, t: relu(1 - t * getattr(s, "data", s)) ** 2): "no gradient reaches the score",
        (
            lambda s, t: relu(1 - t * s) * relu(1 - t * getattr(s, "data", s))
        ): "the slopes are not: is a part of it",
        (lambda s, t: relu(1 - t * float(s)) ** 2): "a Value as the score",
    },
    "3.7": {
        (99.0, 100.0, 100.0, 98.1, 100.0): "not in per cent",
        (0.9, 0.9, 0.9, 0.9, 0.95): "a whole number of them",
        (102 / 103,) * 5: "reach the split",
        (102 / 103, 50 / 103, 1.0, 1.0, 1.0): "the rows of its own split",
    },
    "7.1": {
        0.1: "columns in another order",
        0.6: "which pixels are neighbours",
        97.1: "as a share",
    },
    "7.2": {
        (0.97, 0.97): "Was each line of eight moved",
        (0.967, 0.436): "Give it last",
        (0.3, 0.97): "leave at the right of its own line",
        (0.436, 0.5): "the copies beside the rows",
        (43.6, 96.7): "not in per cent",
    },
    "7.3": {
        1.0: "its own nearest",
        0.92: "the nearest of ten averages",
        0.7: "all 64 pixels",
        444: "as a share",
    },
    "7.4": {
        (0.971, 0.971, 0.971, 0.973): "have four neurons",
        (0.273, 0.5, 0.971, 0.973): "trained as in section 3",
        (27.3, 95.1, 97.1, 97.3): "not in per cent",
    },
    "7.5": {
        (0.0796, 0.142): "The weights have faded",
        (4.6, 32 * 0.142): "The corner is pixel 0",
        (0.1438, 0.5): "Is the second that of a fresh one",
        (0.32, 0.142): "The corner is pixel 0",
        (-0.01, 0.02): "`abs` of each weight",
    },
    "7.6": {
        (0.05, 0.2): "Count digits",
        (93, 22): "be less sure",
        (5, 93): "The first",
        (22, 40): "The second",
    },
    "7.7": {
        (-1.0,) * 64: "hold each pixel",
        (0.0,) * 64: "of one shade",
        (2.0, 0.0) * 32: "Go on",
        tuple(datasets.digits()[0][3]): "a handwritten digit",
        (0.0,) * 63: "64 pixels",
    },
}
