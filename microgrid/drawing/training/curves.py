"""How a training went: the curves of its loss and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Protocol, runtime_checkable

from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from ...core.reals import number
from ...core.sequences import as_list, is_number
from ...guards.checks import is_finite, is_real, quote
from ..colours import COLOURS
from ..labels import number_text
from ..picture import Picture, plottable

__all__ = ["Curves", "HasRecords", "plot_history"]

MANY_EPOCHS = 30  # markers on more epochs than these run into each other
LOG_RANGE = 30.0  # a loss that falls further than this is all in the curve's first bend
NO_EPOCH = "an epoch must be a finite number"


@runtime_checkable
class HasRecords(Protocol):
    """Anything that has a record for each epoch, as a `History` does."""

    @property
    def records(self) -> Sequence[Mapping[str, float]]:
        """The records, which hold numbers by name."""


def plot_history(history: HasRecords | Iterable[Mapping[str, object]]) -> Picture:
    """Return a picture of the loss and of each metric over the epochs, validation dashed.

    `history` is a `History` or a list of records such as `{"epoch": 1, "loss": 0.9, "val_loss":
    1.0, "accuracy": 0.5}`: `val_` marks what was measured on validation data; "lr" is not drawn.
    A loss that falls by more than a factor of 30 has a logarithmic axis.

    Raises:
        TypeError: a record is not a dict, its names are not strings, or an epoch is not a number.
        ValueError: there are no records, or they hold no number to draw.

    >>> plot_history([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}])
    Picture(4.5 x 3 inches)
    """
    curves = Curves(history)
    columns = min(len(curves.panels), 3)
    rows = ceil(len(curves.panels) / columns)
    figure = Figure(figsize=(4.5 * columns, 3 * rows), layout="constrained")
    curves.draw_on(figure, columns)
    return Picture(figure, curves.describe())


class Curves:
    """The curves of a history, a panel for each metric: see `plot_history`."""

    def __init__(self, history: HasRecords | Iterable[Mapping[str, object]]) -> None:
        found = history.records if isinstance(history, HasRecords) else history
        records = as_list(found, "plot_history needs a history or a list of records")
        for record in records:
            if not isinstance(record, Mapping):
                raise TypeError(f"plot_history needs records that are dicts, got {quote(record)}")
            if not all(isinstance(key, str) for key in record):
                raise TypeError(f"plot_history needs strings as names, got {quote(record)}")
            if not is_number(record.get("epoch", 0)) or not is_finite(record.get("epoch", 0)):
                raise TypeError(f"{NO_EPOCH}, got {quote(record['epoch'])}")
        if not records:
            raise ValueError("plot_history needs at least one epoch, got an empty history")
        names = dict.fromkeys(key.removeprefix("val_") for record in records for key in record)
        curves = {name: _curves(records, name) for name in names if name not in ("epoch", "lr")}
        some = sorted((name for name in curves if curves[name]), key=lambda name: name != "loss")
        if not some:
            raise ValueError(
                f"plot_history found no loss and no metric in the records, got {quote(records)}"
            )
        self.panels = {name: curves[name] for name in some}

    def draw_on(self, figure: FigureBase, columns: int) -> None:
        """Draw the panels on a figure, in so many columns."""
        rows = ceil(len(self.panels) / columns)
        for place, (name, curves) in enumerate(self.panels.items(), start=1):
            axes = figure.add_subplot(rows, columns, place)
            _plot_curves(axes, curves)
            axes.set_ylabel(plottable(name), parse_math=False)  # a $ in a name is a $
            values = [value for curve in curves.values() for _, value in curve]
            if name == "loss" and min(values) > 0 and max(values) > LOG_RANGE * min(values):
                axes.set_yscale("log")

    def describe(self) -> str:
        """Return in words where each curve begins and ends."""
        courses = [
            f"{plottable(name)}{' of ' + what if len(curves) > 1 else ''} "
            f"from {number_text(curve[0][1])} to {number_text(curve[-1][1])}"
            for name, curves in self.panels.items()
            for what, curve in curves.items()
        ]
        return f"Curves over the epochs: {', '.join(courses)}."


def _curves(
    records: Sequence[Mapping[str, object]], name: str
) -> dict[str, list[tuple[float, float]]]:
    """Return the (epoch, value) points of training and of validation, where there are any."""
    curves = {}
    for what, key in (("training", name), ("validation", f"val_{name}")):
        points = [
            (number(record.get("epoch", place), NO_EPOCH), float(value))
            for place, record in enumerate(records, start=1)
            if is_real(value := record.get(key)) and is_finite(value)
        ]
        if points:
            curves[what] = points
    return curves


def _plot_curves(axes: Axes, curves: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    looks = {"training": (COLOURS[0], "o-"), "validation": (COLOURS[5], "s--")}
    for what, points in curves.items():
        colour, line = looks[what]
        size = 4 if len(points) <= MANY_EPOCHS else 0
        axes.plot(*zip(*points, strict=True), line, color=colour, label=what, markersize=size)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        axes.legend(frameon=False)
