"""Rows of numbers as images, and the confusion matrix."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import AxesImage

from microgrid import Value, datasets
from microgrid.drawing import plot_confusion_matrix, plot_images
from microgrid.drawing.training import confusion
from microgrid.drawing.training.images import FAINT, SIGNED
from tests.colours import contrast, lightness
from tests.search import usual

numbers = st.floats(-8, 8).map(lambda x: round(x, 2))


printable = st.characters(min_codepoint=32, max_codepoint=126)


def drawn(picture):
    """Return the colours of each image's pixels, line by line, and the place of each image."""
    images = picture.figure.axes[0].images
    colours = [image.get_array().reshape(-1, 4)[:, :3] for image in images]
    return colours, [image.get_extent() for image in images]


@usual(30)
@given(st.lists(st.lists(numbers.map(abs), min_size=6, max_size=6), min_size=1, max_size=4))
def test_a_pixel_is_as_dark_as_its_number_is_large_in_all_images(rows):
    colours, _ = drawn(plot_images(rows, width=3))
    pairs = sorted(
        (number, -lightness(colour))
        for row, image in zip(rows, colours, strict=True)
        for number, colour in zip(row, image, strict=True)
    )
    assert [darkness for _, darkness in pairs] == sorted(darkness for _, darkness in pairs)
    assert all(np.ptp(c) == 0 for image in colours for c in image)  # it is grey
    if pairs[-1][0] > 0:
        assert pairs[-1][1] > -10
    assert all(darkness == pytest.approx(-100) for number, darkness in pairs if number == 0)


@usual(30)
@given(st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=1, max_size=4))
def test_a_negative_pixel_is_purple_and_has_a_dash_and_a_positive_one_is_orange(rows):
    rows[0][0] = -1.0
    picture = plot_images(rows, width=3)
    colours, places = drawn(picture)
    largest = max(abs(x) for row in rows for x in row)
    expected = []
    for row, image, (left, right, low, top) in zip(rows, colours, places, strict=True):
        for i, (number, (red, _, blue)) in enumerate(zip(row, image, strict=True)):
            assert number * (red - blue) > 0 or abs(number) < largest / 50
            assert number or red == blue == 1
            if number < -FAINT * largest:
                x, y = (i % 3 + 0.5) / 3, (i // 3 + 0.5) / 2
                expected.append((left + x * (right - left), top - y * (top - low)))
    dashes = [line.mean(axis=0) for line in picture.figure.axes[0].collections[1].get_segments()]
    assert np.allclose(dashes, expected)


def test_in_grey_a_weight_is_as_dark_as_it_is_large_whatever_its_sign():
    sizes = np.linspace(0, 0.5, 20)
    below, above = ([lightness(SIGNED(0.5 + s * d)) for d in sizes] for s in (-1, 1))
    assert (np.diff(below) < 0).all()
    assert (np.diff(above) < 0).all()
    assert np.abs(np.subtract(below, above)).max() < 3  # of 100


def test_an_image_is_read_line_by_line_from_the_top_left():
    picture = plot_images([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]], width=3)
    (image,) = picture.figure.axes[0].images
    assert image.get_array().shape == (2, 3, 4)
    assert image.origin == "upper"
    left, right, low, top = image.get_extent()
    assert (right - left) / (top - low) == pytest.approx(3 / 2)


@usual(30)
@given(
    labels=st.lists(st.text(printable, max_size=30), min_size=1, max_size=9),
    columns=st.integers(1, 10),
    negative=st.booleans(),
)
def test_no_image_and_no_label_meets_another_or_leaves_the_picture(labels, columns, negative):
    images = [[1.0 - 2.0 * negative], *[[0.5]] * 8][: len(labels)]
    figure = plot_images(images, labels=labels, columns=columns).figure
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    boxes += [image.get_window_extent() for image in axes.images]
    across, up = figure.bbox.size
    assert all(0 <= b.x0 <= b.x1 <= across and 0 <= b.y0 <= b.y1 <= up for b in boxes)
    for one, other in combinations(boxes, 2):
        apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
        assert apart
    for text, image in zip(axes.texts, axes.images, strict=True):
        assert text.get_position()[0] == image.get_extent()[0]
    places = [(-top, left) for left, _, _, top in map(AxesImage.get_extent, axes.images)]
    assert places == sorted(places)
    assert len({left for _, left in places}) == min(columns, len(labels))


def test_images_of_values_are_those_of_their_numbers_and_are_said_in_words():
    X, y = datasets.digits()
    picture = plot_images([[*map(Value, row)] for row in X[:3]], labels=y[:3])
    assert picture.alternative == "3 images of 8 × 8 pixels, labelled 0, 1, 2."
    for image, other in zip(*[drawn(p)[0] for p in (picture, plot_images(X[:3]))], strict=True):
        assert (image == other).all()
    assert plot_images([[0.0] * 4]).alternative == "1 image of 2 × 2 pixels."


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([], {}, ValueError, "`images` must have at least one row, got none"),
        ([[1.0] * 5], {}, ValueError, "`images` must be square, or have a `width`, got 5 pixels"),
        ([[1.0] * 6], {"width": 4}, ValueError, "`width` must divide the 6 pixels .* got 4"),
        ([[1.0] * 6], {"width": 0}, ValueError, "`width` must be an integer, at least 1, or None"),
        ([[1.0]], {"columns": 0}, ValueError, "`columns` must be an integer, at least 1, got 0"),
        ([[1.0]], {"labels": ["a", "b"]}, ValueError, "`labels` must be 1 labels, one for each"),
        ([[1.0], [math.nan]], {}, ValueError, "row 1, column 0 of `images` must be a finite"),
        (
            [[[1.0, 2.0], [3.0, 4.0]]],
            {},
            TypeError,
            r"row 0 of `images` must .* of lines; write \[\[x for line in image",
        ),
        (np.zeros((2, 8, 8)), {}, TypeError, "row 0 of `images` must .*, got a list of lines"),
        ([[1e301]], {}, ValueError, r"`images` must have numbers up to 1e\+300 in size, got 1e"),
        ([[1.0]] * 1001, {}, ValueError, "`images` must be at most 1000 images, got 1001"),
    ],
)
def test_what_are_no_images_is_refused(images, options, error, message):
    with pytest.raises(error, match=message):
        plot_images(images, **options)


# ---- the confusion matrix


def squares(most):
    def square(size):
        line = st.lists(st.integers(0, most), min_size=size, max_size=size)
        return st.lists(line, min_size=size, max_size=size)

    return st.integers(1, 4).flatmap(square).filter(lambda matrix: any(map(any, matrix)))


@usual(30)
@given(squares(most=1000))
def test_every_count_but_0_stands_in_its_cell_and_can_be_read(matrix):
    axes = plot_confusion_matrix(matrix).figure.axes[0]
    colours = axes.images[0].get_array()
    told = {text.get_position()[::-1]: text for text in axes.texts}
    assert {place: text.get_text() for place, text in told.items()} == {
        (i, j): str(count) for i, row in enumerate(matrix) for j, count in enumerate(row) if count
    }
    for place, text in told.items():
        assert contrast(text.get_color(), colours[place]) > 4.5
        red, _, blue = colours[place]
        assert (blue > red) == (place[0] == place[1])
    for i, row in enumerate(matrix):
        for j, k in combinations([j for j, count in enumerate(row) if j != i], 2):
            light, other = lightness(colours[i, j]), lightness(colours[i, k])
            assert (row[j] > row[k]) == (light < other) or math.isclose(light, other)
    assert (colours[np.array(matrix) == 0] == 1).all()


@pytest.mark.parametrize("share", np.linspace(0.001, 1, 23))
def test_a_count_can_be_read_on_every_colour(share):
    rest = 1000 - round(1000 * share)
    counts = np.array([[1000 - rest, rest], [rest, 1000 - rest]])
    for colour in confusion._colours(counts).reshape(-1, 3):
        assert contrast(confusion._ink(colour), colour) > 4.5


def test_a_confusion_matrix_is_said_in_words():
    assert plot_confusion_matrix([[8, 2], [1, 9]], classes=["no", "yes"]).alternative == (
        "Confusion matrix: 17 of 20 rows are right; "
        "most often no is taken for yes, in 2 of 10 rows."
    )
    assert plot_confusion_matrix([[1, 0], [0, 1]]).alternative == (
        "Confusion matrix: 2 of 2 rows are right."
    )


def test_names_of_classes_are_shown_as_they_are_and_stay_in_the_picture():
    names = ["$x^2$ <b>", "a rather long name", "b"]
    figure = plot_confusion_matrix([[1, 0, 0], [0, 1, 0], [0, 0, 1]], classes=names).figure
    figure.draw_without_rendering()
    axes = figure.axes[0]
    across, up = figure.bbox.size
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == names
        for box in [label.get_window_extent() for label in labels]:
            assert 0 <= box.x0 <= box.x1 <= across
            assert 0 <= box.y0 <= box.y1 <= up


@pytest.mark.parametrize(
    ("matrix", "options", "error", "message"),
    [
        ([[1, 2]], {}, ValueError, "`matrix` must be square, .* got 1 rows of 2 columns"),
        ([[1] * 101] * 101, {}, ValueError, "with at most 100 classes, got 101 rows"),
        ([[1, -1], [0, 1]], {}, ValueError, "row 0, column 1 of `matrix` must be a count, .* -1"),
        ([[1, 0], [0.5, 1]], {}, ValueError, "row 1, column 0 of `matrix` must be a count"),
        ([[0, 0], [0, 0]], {}, ValueError, "`matrix` must count at least one row, got zeros"),
        ([[1]], {"classes": ["a", "b"]}, ValueError, "`classes` must be 1 labels"),
        ([["a"]], {}, TypeError, "row 0, column 0 of `matrix` must be a plain number"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(matrix, options, error, message):
    with pytest.raises(error, match=message):
        plot_confusion_matrix(matrix, **options)
