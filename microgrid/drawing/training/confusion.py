"""Which classes are mistaken for which: a confusion matrix as a table of counts in colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...fitting.examples import rows_of_numbers
from ...guards.checks import integer_from, quote
from ..colours import COLOURS
from ..labels import width
from ..picture import Picture, plottable_labels

__all__ = ["plot_confusion_matrix"]

RIGHT, WRONG = COLOURS[0], COLOURS[5]  # blue and vermilion
FAINTEST = 0.2  # of a colour: one row among thousands is still seen
MOST = 100  # classes: nobody reads more
LARGEST = 2**53  # of the counts that floats hold exactly
LINES = "#dddddd"  # between cells
CELL, MARGIN = 0.4, 0.5  # inches: a cell, and what lines and columns mean, beside their names

Counts = NDArray[np.int64]
Colours = NDArray[np.float64]  # the last axis is of red, green and blue


def plot_confusion_matrix(
    matrix: Iterable[Iterable[object]], *, classes: Iterable[object] | None = None
) -> Picture:
    """Return a picture of a confusion matrix, such as `metrics.confusion_matrix` returns.

    Every line is a class, every column an answer. A cell is blue where the answer is right, orange
    where it is wrong, and the darker the larger its share of its line. `classes` are their names;
    without them, they are numbered from 0.

    Raises:
        ValueError: the matrix is not square, or larger than 100 × 100, a count is not a whole
            number of at least 0, all are 0, or there are more or fewer names.
        TypeError: the matrix holds something that is not a number.

    >>> plot_confusion_matrix([[9, 1], [0, 10]], classes=["no", "yes"])
    Picture(1.6 x 1.6 inches)
    """
    counts = _counts(matrix)
    size = len(counts)
    names = plottable_labels("classes", range(size) if classes is None else classes, size)
    longest = max(width(name, 10) for name in names) / 72
    side = round(CELL * size + longest + MARGIN, 1)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot(xlabel="answer", ylabel="class")
    colours = _colours(counts)
    axes.imshow(colours, interpolation="nearest")
    for i, j in np.argwhere(counts):
        ink = _ink(colours[i, j])
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=ink, fontsize=9)
    _plot_names(axes, names, are_turned=longest > CELL)
    return Picture(figure, _describe(counts, names))


def _plot_names(axes: Axes, names: Sequence[str], are_turned: bool) -> None:
    """Write the classes beside lines and columns, with thin lines between the cells."""
    axes.set_xticks(range(len(names)), names, rotation=90 if are_turned else 0, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    between = np.arange(len(names) + 1) - 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color=LINES, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _counts(matrix: Iterable[Iterable[object]]) -> Counts:
    """Return the counts of a confusion matrix, checked."""
    rows = rows_of_numbers("matrix", matrix)
    if len(rows) != len(rows[0]) or len(rows) > MOST:
        raise ValueError(
            f"`matrix` must be square, with at most {MOST} classes, "
            f"got {len(rows)} rows of {len(rows[0])} columns"
        )
    for i, row in enumerate(rows):
        for j, count in enumerate(row):
            if count < 0 or count % 1 or count > LARGEST:
                raise ValueError(
                    f"row {i}, column {j} of `matrix` must be a count, {integer_from(0)}, "
                    f"got {quote(count)}"
                )
    counts = np.array(rows).astype(np.int64)
    if not counts.any():
        raise ValueError("`matrix` must count at least one row, got zeros alone")
    return counts


def _colours(counts: Counts) -> Colours:
    """Return a colour for each count: white for 0, and by its share of its line."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    strengths = np.where(counts > 0, FAINTEST + (1 - FAINTEST) * shares, 0.0)[..., None]
    is_right = np.eye(len(counts), dtype=bool)[..., None]
    full = np.where(is_right, to_rgb(RIGHT), to_rgb(WRONG))
    colours: Colours = 1 - strengths * (1 - full)
    return colours


def _ink(ground: Colours) -> str:
    """Return black or white, whichever is the easier to read on a colour."""
    luminance = ground**2.2 @ (0.2126, 0.7152, 0.0722)  # as WCAG 2 defines it, but near black
    return "black" if luminance > 0.179 else "white"


def _describe(counts: Counts, names: Sequence[str]) -> str:
    """Return in words how many rows are right, and which class is most often taken for another."""
    wrong = counts - np.diag(counts.diagonal())
    i, j = divmod(int(wrong.argmax()), len(wrong))
    words = f"Confusion matrix: {counts.trace()} of {counts.sum()} rows are right"
    if wrong.any():
        share = f"{wrong[i, j]} of {counts[i].sum()} rows"
        words += f"; most often {names[i]} is taken for {names[j]}, in {share}"
    return f"{words}."
