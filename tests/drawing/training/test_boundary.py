"""The regions of a decision boundary are of the classes that the model answers."""

import math
import random
from functools import cache

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from microgrid import Value
from microgrid.drawing import Picture, plot_decision_boundary
from microgrid.drawing.training.boundary import SHADES, SURE
from tests.colours import how_many

CORNERS = [[-2.0, -1.0], [3.0, -1.0], [3.0, 2.0], [-2.0, 2.0]]
CENTRES = [(-1.0, -0.5), (2.0, 0.0), (0.0, 1.5), (2.5, 1.8)]


def curved(x):
    return x[1] - 0.5 - math.sin(2 * x[0])


def nearest(x):
    return [-((x[0] - a) ** 2) - (x[1] - b) ** 2 for a, b in CENTRES]


def in_values(x):
    return (Value(x[0]) * 2.0 - x[1]).tanh()


def of(answer):
    """Return the class of an answer, by how much it leads, and its probability by the softmax."""
    logits = answer if isinstance(answer, list) else [0.0, getattr(answer, "data", answer)]
    parts = [math.exp(logit - max(logits)) for logit in logits]
    first, second = sorted(logits)[:-3:-1]
    return logits.index(first), first - second, max(parts) / sum(parts)


@pytest.mark.parametrize(
    ("model", "labels"),
    [(curved, [0, 1, 0, 1]), (in_values, [-1, 1, -1, 1]), (nearest, [3, 1, 0, 2])],
)
def test_a_region_is_of_the_class_that_the_model_answers_and_its_shade_of_the_probability(
    model, labels
):
    """The data is at the corners, so that away from there and the lines only regions are seen."""
    picture = plot_decision_boundary(model, CORNERS, labels)
    canvas = FigureCanvasAgg(picture.figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    axes = picture.figure.axes[0]
    points = axes.collections[-len(set(labels)) :]  # in the order of the classes
    seen = set()
    generator = random.Random(0)
    for _ in range(500):
        x = [generator.uniform(-1.8, 2.8), generator.uniform(-0.8, 1.8)]
        answer, lead, p = of(model(x))
        # further from the line than it is wide, and from the shades' edges than they are inexact
        if lead > 0.2 and min(abs(p - sure) for sure in SURE) > 0.01:
            across, up = axes.transData.transform(x)
            colour = pixels[pixels.shape[0] - 1 - int(up), int(across), :3] / 255
            strength = SHADES[sum(p > sure for sure in SURE)]
            shade = 1 - strength * (1 - points[answer].get_facecolor()[0, :3])
            assert colour == pytest.approx(shade, abs=1 / 255)
            seen.add((answer, strength))
    assert {answer for answer, _ in seen} == set(range(len(points)))
    assert len({strength for _, strength in seen}) >= 3


def test_the_boundary_is_where_the_model_answers_0():
    axes = plot_decision_boundary(curved, CORNERS, [0, 1, 0, 1]).figure.axes[0]
    lines = [path.vertices for contour in axes.collections for path in contour.get_paths()]
    longest = max((line for line in lines if len(line) > 20), key=lambda line: len(line))
    on_it = [line for line in lines if max(abs(curved(x)) for x in line) < 0.01]
    assert len(longest) > 20
    assert on_it


def test_labels_of_0_and_1_and_of_signs_are_drawn_in_the_same_colours():
    def faces(labels):
        picture = plot_decision_boundary(curved, CORNERS, labels)
        points = picture.figure.axes[0].collections[-2:]
        return [tuple(some.get_facecolor()[0]) for some in points], [
            text.get_text() for text in picture.figure.legends[0].get_texts()
        ]

    assert faces([0, 1, 0, 1])[0] == faces([-1, 1, -1, 1])[0] == faces([-1.0, True, -1, 1])[0]
    assert faces([0, 1, 0, 1])[1] == ["class 0", "class 1"]
    assert faces([-1, 1, -1, 1])[1] == ["class -1", "class 1"]


def test_data_may_be_arrays_and_values():
    X, y = np.array(CORNERS), np.array([0, 1, 0, 1])
    assert how_many(plot_decision_boundary(curved, X, y, resolution=9)) > 20
    rows = [[Value(x1), x2] for x1, x2 in CORNERS]
    assert isinstance(plot_decision_boundary(in_values, rows, map(Value, y)), Picture)


def test_the_model_is_asked_without_recording_a_graph():
    recorded = []

    def model(x):
        score = Value(1.0) * x[0]
        recorded.append(score.parents)
        return [score, score * -1]

    plot_decision_boundary(model, CORNERS, [0, 1, 0, 1], resolution=3)
    assert recorded == [()] * 9


@pytest.mark.parametrize("model", [lambda x: 1.0, lambda x: [-1.0], lambda x: [0.0, 0.0, 0.0]])
def test_a_model_that_sees_one_class_everywhere_has_one_region(model):
    picture = plot_decision_boundary(model, [[0, 0]], [0], resolution=5)
    assert picture._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0, 2.0, 3.0]], [0], "`X` must have 2 columns to be drawn, got 3"),
        ([[0.0, 0.0], [1.0]], [0, 1], "row 1 of `X` must have 2 columns, .* got 1"),
        ([[0.0, math.nan]], [0], "row 0, column 1 of `X` must be a finite number, got nan"),
        ([[0.0, 0.0]], [0, 1], "of one length, got 1 and 2"),
        ([], [], "at least one row, got none"),
        ([[0.0, 0.0]], [0.5], "row 0 of `y` must be an integer, a class, got 0.5"),
        ([[0.0, 0.0]], [[0]], r"row 0 of `y` must be an integer, .* write numpy\.ravel"),
        ([[0.0, 0.0]] * 2, [-1, 0], r"0, 1, … or -1 and 1, got \[-1, 0\]"),
        ([[0.0, 0.0]] * 2, [0, 2], r"classes of the model, which has 2, got \[0, 2\]"),
    ],
)
def test_data_that_does_not_fit_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        plot_decision_boundary(curved, X, y)


def test_a_resolution_of_1_is_refused():
    with pytest.raises(ValueError, match="`resolution` must be an integer, at least 2, got 1"):
        plot_decision_boundary(curved, CORNERS, [0, 1, 0, 1], resolution=1)


def test_signs_as_labels_are_for_two_classes():
    with pytest.raises(ValueError, match=r"which has 4, got \[-1, 1\]"):
        plot_decision_boundary(nearest, CORNERS, [-1, 1, -1, 1], resolution=3)


def test_a_model_that_answers_with_nan_is_refused():
    with pytest.raises(ValueError, match=r"must return finite numbers, got \[nan\] at \["):
        plot_decision_boundary(lambda x: math.nan, CORNERS, [0, 1, 0, 1])


def test_a_model_that_answers_with_no_number_is_refused():
    for answer in (None, "12", {1.0, 2.0}, {0: 1.0}, [], [None, 1.0], ["1", "2"], [[1.0, 2.0]]):
        with pytest.raises(TypeError, match=r"a number or a list of logits at \[.*\], got"):
            plot_decision_boundary(lambda x, answer=answer: answer, CORNERS, [0, 1, 0, 1])


@pytest.mark.parametrize("kind", [tuple, iter, np.array, lambda xs: np.array(xs, object)])
def test_a_model_may_answer_in_any_form(kind):
    assert pictured(lambda x: kind([curved(x), 0.0])) == pictured(of_two_classes)
    assert pictured(lambda x: np.array(curved(x))) == pictured(curved)


@cache
def pictured(model):
    """Return what is drawn: of each region, line and point its corners and its colours."""
    (axes,) = plot_decision_boundary(model, CORNERS, [0, 1, 0, 1], resolution=5).figure.axes
    return [
        (
            [path.vertices.tolist() for path in drawn.get_paths()],
            np.asarray(drawn.get_offsets()).tolist(),
            drawn.get_facecolor().tolist(),
            drawn.get_edgecolor().tolist(),
        )
        for drawn in axes.collections
    ]


def of_two_classes(x):
    return [curved(x), 0.0]
