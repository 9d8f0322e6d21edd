"""Pictures of a training: the curves of its loss and metrics, and what a classifier has learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, isfinite
from numbers import Real
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..engine import Value, no_grad
from .picture import Picture

__all__ = ["plot_decision_boundary", "plot_history"]

# Okabe and Ito's colours, which the colour-blind tell apart; in grey, markers and dashes do.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
MARKERS = "os^DvPX*"
RESOLUTION = 60  # a small model answers in about 0.2 ms: 0.7 s for 60 x 60 points
MANY_EPOCHS = 30  # markers on more epochs than these run into each other
LOG_RANGE = 30.0  # a loss that falls further than this is all in the curve's first bend


class HasRecords(Protocol):
    """What has a record for each epoch, as a `History` does."""

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records."""


def plot_history(history: HasRecords | Iterable[Mapping[str, Any]]) -> Picture:
    """Return the curves of the loss and of each metric over the epochs, validation dashed.

    `history` is a `History` or a list of records such as `{"epoch": 1, "loss": 0.9, "val_loss":
    1.0, "accuracy": 0.5}`: `val_` marks what was measured on validation data; "lr" is not drawn.
    A loss that falls by more than a factor of 30 has a logarithmic axis.

    Raises:
        TypeError: a record is no dict.
        ValueError: there is no record, or no number to draw in any.

    >>> plot_history([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}])
    Picture(4.5 x 3 inches)
    """
    found: Any = getattr(history, "records", history)
    records = list(found)
    for record in records:
        if not isinstance(record, Mapping):
            raise TypeError(f"plot_history needs records that are dicts, got {record!r}")
    if not records:
        raise ValueError("plot_history needs at least one epoch, got an empty history")
    names = dict.fromkeys(key.removeprefix("val_") for record in records for key in record)
    curves = {name: _curves(records, name) for name in names if name not in ("epoch", "lr")}
    panels = sorted((name for name in curves if curves[name]), key=lambda name: name != "loss")
    if not panels:
        raise ValueError(f"plot_history found no loss and no metric in the records {records[:2]!r}")

    columns = min(len(panels), 3)
    rows = ceil(len(panels) / columns)
    figure = Figure(figsize=(4.5 * columns, 3 * rows), layout="constrained")
    for place, name in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        _plot_curves(axes, curves[name])
        axes.set_ylabel(name, parse_math=False)  # a $ in a name is a $
        values = [value for curve in curves[name].values() for _, value in curve]
        if name == "loss" and min(values) > 0 and max(values) > LOG_RANGE * min(values):
            axes.set_yscale("log")
    return Picture(figure)


def _curves(
    records: Sequence[Mapping[str, Any]], name: str
) -> dict[str, list[tuple[float, float]]]:
    """Return the (epoch, value) points of training and of validation, where there are any."""
    curves = {}
    for what, key in (("training", name), ("validation", f"val_{name}")):
        points = [
            (float(record.get("epoch", place)), float(record[key]))
            for place, record in enumerate(records, start=1)
            if isinstance(record.get(key), Real) and isfinite(record[key])
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


def plot_decision_boundary(
    model: Callable[[list[float]], Any],
    X: Iterable[Iterable[Any]],
    y: Iterable[Any],
    *,
    resolution: int = RESOLUTION,
) -> Picture:
    """Return the regions in which a classifier of two inputs sees each class, and the data.

    `model([x1, x2])` returns a number, whose sign tells class 1 from class 0, or a list of logits,
    one for each class. It is asked at `resolution` x `resolution` points, under `no_grad()`.
    Labels are 0, 1, …; with two classes also -1 and 1.

    Raises:
        ValueError: a row has not 2 inputs, X and y differ in length or are empty, a label is no
            class, the resolution is less than 2, or the model answers with nan or infinity.
        TypeError: the model answers with what is neither a number nor a list of numbers.

    >>> plot_decision_boundary(lambda x: x[0] - x[1], [[0, 1], [1, 0]], [0, 1], resolution=9)
    Picture(5 x 4.4 inches)
    """
    points = [_point(row, place) for place, row in enumerate(X)]
    labels = [_label(label) for label in y]
    if len(points) != len(labels):
        raise ValueError(f"X and y must be of one length, got {len(points)} and {len(labels)}")
    if not points:
        raise ValueError("plot_decision_boundary needs at least one row, got none")
    if resolution < 2:
        raise ValueError(f"resolution must be at least 2, got {resolution!r}")
    signed = min(labels) < 0
    if signed and not {-1, 1}.issuperset(labels):
        raise ValueError(f"labels must be 0, 1, … or -1 and 1, got {sorted(set(labels))}")

    across, down = (_axis(column, resolution) for column in zip(*points, strict=True))
    logits = _logits(model, across, down)
    if max(labels) >= len(logits) or (signed and len(logits) > 2):
        raise ValueError(
            f"labels must be classes of the model, which has {len(logits)}, "
            f"got {sorted(set(labels))}"
        )
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot(xlabel="x₁", ylabel="x₂")
    _plot_regions(axes, across, down, logits)
    for label in sorted(set(labels)):
        place = int(label > 0) if signed else label
        inside = [point for point, other in zip(points, labels, strict=True) if other == label]
        axes.scatter(
            [x1 for x1, _ in inside],
            [x2 for _, x2 in inside],
            s=36 if len(points) <= 300 else 14,
            color=_of(COLOURS, place),
            marker=_of(MARKERS, place),
            edgecolors="#222222",
            linewidths=0.6,
            label=f"class {label}",
            zorder=3,
        )
    figure.legend(loc="outside upper center", ncols=min(len(set(labels)), 4), frameon=False)
    return Picture(figure)


def _point(row: Iterable[Any], place: int) -> list[float]:
    point = [_number(x) for x in row]
    if len(point) != 2 or not all(map(isfinite, point)):
        raise ValueError(f"each row of X must be 2 finite inputs, got {point} in row {place}")
    return point


def _label(label: Any) -> int:
    number = _number(label)
    if number % 1:
        raise ValueError(f"labels must be whole numbers, got {label!r}")
    return int(number)


def _number(x: Any) -> float:
    return float(x.data if isinstance(x, Value) else x)


def _of(looks: Sequence[str], place: int) -> str:
    return looks[place % len(looks)]


def _axis(column: Sequence[float], resolution: int) -> Any:
    """Return evenly spaced numbers from a little below the least to a little above the greatest."""
    low, high = min(column), max(column)
    margin = (high - low) / 10 or 1.0
    return np.linspace(low - margin, high + margin, resolution)


def _logits(model: Callable[[list[float]], Any], across: Any, down: Any) -> Any:
    """Return the logit of each class at each point of the grid; of a single number, 0 and it."""
    with no_grad():
        answers = [[_answer(model, float(x1), float(x2)) for x1 in across] for x2 in down]
    return np.moveaxis(np.array(answers), -1, 0)


def _answer(model: Callable[[list[float]], Any], x1: float, x2: float) -> list[float]:
    answer = model([x1, x2])
    try:
        logits = [_number(answer)] if isinstance(answer, (Value, Real)) else [*map(_number, answer)]
    except TypeError:
        raise TypeError(
            f"the model must return a number or a list of logits, got {answer!r} at {[x1, x2]}"
        ) from None
    if not all(map(isfinite, logits)):
        raise ValueError(f"the model must return finite numbers, got {logits} at {[x1, x2]}")
    return [0.0, *logits] if len(logits) == 1 else logits


def _plot_regions(axes: Axes, across: Any, down: Any, logits: Any) -> None:
    tints = [_tint(_of(COLOURS, place)) for place in range(len(logits))]
    ends = (across[0], across[-1], down[0], down[-1])
    # Squares first: where three regions meet, the smooth ones above leave a gap.
    axes.imshow(
        logits.argmax(axis=0),
        cmap=ListedColormap(tints),
        vmin=-0.5,
        vmax=len(tints) - 0.5,
        origin="lower",
        extent=ends,
        aspect="auto",
        interpolation="nearest",
    )
    for place, tint in enumerate(tints):
        lead = logits[place] - np.delete(logits, place, axis=0).max(axis=0)
        if lead.max() > 0:
            axes.contourf(across, down, lead, levels=[0, lead.max()], colors=[tint])
        if lead.min() < 0 < lead.max() and place < len(tints) - 1:  # the last has no line left
            axes.contour(across, down, lead, levels=[0], colors="#333333", linewidths=1.3)
    axes.set(xlim=ends[:2], ylim=ends[2:])


def _tint(colour: str) -> tuple[float, ...]:
    return tuple(0.3 * part + 0.7 for part in to_rgb(colour))
