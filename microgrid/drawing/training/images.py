"""Rows of numbers as images beside each other: handwritten digits, or the weights of neurons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from ...core.sequences import is_ordered
from ...fitting.examples import rows_of_numbers
from ...guards.checks import require_integers
from ..colours import ABOVE, BELOW
from ..picture import Picture, plottable_labels
from .boundary import numbers_behind

__all__ = ["plot_images"]

INK = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#111111"])
# An odd number of colours has white in the middle. In grey, dashes tell the sides apart.
SIGNED = LinearSegmentedColormap.from_list("signed", [*BELOW, "#ffffff", *ABOVE], N=257)
FRAME = "#999999"
FONT = FontProperties(size=9)
MOST = 1000  # images: nobody looks at more
LARGEST = 1e300  # numbers; a range of twice the largest float is infinite
SIDE, GAP, LABEL = 0.8, 0.1, 0.2  # inches: across an image, between two, and down a label
BAR = 0.75  # inches, across the bar that says how large a number is
FAINT = 0.1  # of the largest number: what is smaller has no dash

Pixels = NDArray[np.float64]
Place = tuple[float, float, float, float]  # left, right, bottom and top, in inches


def plot_images(
    images: Iterable[Iterable[object]],
    *,
    width: int | None = None,
    labels: Iterable[object] | None = None,
    columns: int = 8,
) -> Picture:
    """Return a picture of rows of numbers as images, so many columns of them, in the same colours.

    Each row holds the pixels of an image, line by line from the top left; a line has `width` of
    them, or as many as there are lines if None. The larger a number, the darker: 0 is white; on the
    dark ground of a notebook, the lighter. If some are negative, those are purple with dashes, the
    positive ones are orange, and a bar says how large they are. `labels`, one for each image, stand
    above them.

    Raises:
        ValueError: there are no images or more than 1,000, their pixels fill no square or no lines
            of that width, a number is missing or above 1e300 in size, or there are more or fewer
            labels.
        TypeError: an image holds something that is not a number.

    >>> from microgrid import datasets
    >>> X, y = datasets.digits()
    >>> plot_images(X[:16], labels=y[:16])
    Picture(7.3 x 2.3 inches)
    """
    images = numbers_behind("images", images)
    _require_rows(images)
    rows = rows_of_numbers("images", images)
    if len(rows) > MOST:
        raise ValueError(f"`images` must be at most {MOST} images, got {len(rows)}")
    lines, width = _shape(len(rows[0]), width)
    texts = plottable_labels("labels", labels, len(rows))
    require_integers(columns=columns)
    pixels = np.array(rows).reshape(-1, lines, width)
    places = _places(texts, columns, SIDE * lines / width)
    is_signed = bool(pixels.min() < 0)
    figure, axes = _figure(places, texts, is_signed)
    largest = float(np.abs(pixels).max()) or 1.0
    if largest > LARGEST:
        raise ValueError(f"`images` must have numbers up to {LARGEST:g} in size, got {largest:g}")
    scale = Normalize(-largest if is_signed else 0.0, largest)
    colours = ScalarMappable(scale, SIGNED if is_signed else INK)
    for image, text, place in zip(pixels, texts, places, strict=True):
        axes.imshow(colours.to_rgba(image), extent=place, aspect="auto", interpolation="nearest")
        axes.text(
            place[0], place[3] + 0.03, text, fontproperties=FONT, va="bottom", parse_math=False
        )
    frames = [Rectangle((left, low), right - left, top - low) for left, right, low, top in places]
    axes.add_collection(
        PatchCollection(frames, facecolors="none", edgecolors=FRAME, linewidths=0.6)
    )
    if is_signed:
        _plot_dashes(axes, pixels / largest, places)
        figure.colorbar(colours, cax=figure.axes[1])
    many = "1 image" if len(rows) == 1 else f"{len(rows)} images"
    words = f", labelled {', '.join(texts)}" if any(texts) else ""
    return Picture(figure, f"{many} of {width} × {lines} pixels{words}.")


def _require_rows(images: object) -> None:
    """Raise `TypeError` if images are lists of lines, and not of pixels."""
    for i, image in enumerate(images if isinstance(images, list) else ()):
        if isinstance(image, list) and image and all(map(is_ordered, image)):
            raise TypeError(
                f"row {i} of `images` must be a list of all pixels of an image, got a list of "
                "lines; write [[x for line in image for x in line] for image in images]"
            )


def _shape(pixels: int, width: int | None) -> tuple[int, int]:
    """Return how many lines an image of so many pixels has, and how long they are."""
    if width is None:
        width = isqrt(pixels)
        if width * width != pixels:
            raise ValueError(f"`images` must be square, or have a `width`, got {pixels} pixels")
    require_integers(width=width, instead="None")
    if pixels % width:
        raise ValueError(f"`width` must divide the {pixels} pixels of an image, got {width}")
    return pixels // width, width


def _places(texts: Sequence[str], columns: int, down: float) -> list[Place]:
    """Return where images with these labels stand, in columns from the top left."""
    steps = (_across(texts) + GAP, down + GAP + LABEL * any(texts))
    last = (len(texts) - 1) // columns
    places = []
    for i in range(len(texts)):
        left, low = GAP + i % columns * steps[0], GAP + (last - i // columns) * steps[1]
        places.append((left, left + SIDE, low, low + down))
    return places


def _across(texts: Sequence[str]) -> float:
    """Return how wide an image is together with its label."""
    width = text_to_path.get_text_width_height_descent
    longest = max(width(text, FONT, ismath=False)[0] for text in texts) / 72
    return max(SIDE, longest + GAP)


def _figure(places: Sequence[Place], texts: Sequence[str], has_bar: bool) -> tuple[Figure, Axes]:
    """Return a figure with axes in inches, and others for the bar."""
    across = max(left for left, *_ in places) + _across(texts) + GAP
    up = max(top for *_, top in places) + GAP + LABEL * any(texts)
    whole = across + BAR * has_bar
    figure = Figure(figsize=(whole, up))
    axes = figure.add_axes((0, 0, across / whole, 1), xlim=(0, across), ylim=(0, up))
    axes.set_axis_off()
    axes.set_autoscale_on(False)
    if has_bar:
        height = min(up, 4.0) - 2 * GAP
        figure.add_axes((across / whole, 1 - (GAP + height) / up, 0.12 / whole, height / up))
    return figure, axes


def _plot_dashes(axes: Axes, pixels: Pixels, places: Sequence[Place]) -> None:
    """Draw a dash on every pixel that is negative, and not as good as 0."""
    width = pixels.shape[2]
    half = 0.2 * SIDE / width
    dashes, colours = [], []
    for i, line, column in np.argwhere(pixels < -FAINT):
        left, _, _, top = places[i]
        x, y = left + (column + 0.5) * SIDE / width, top - (line + 0.5) * SIDE / width
        dashes.append([(x - half, y), (x + half, y)])
        colours.append("white" if pixels[i, line, column] < -0.5 else SIGNED(0.0))
    axes.add_collection(LineCollection(dashes, colors=colours, linewidths=72 * half / 2))
