"""What a classifier of two inputs has learnt: the regions in which it sees each class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure, FigureBase

from ...core.sequences import (
    as_list,
    entries,
    instead_of,
    is_number,
    is_ordered,
    names_of_columns,
    single,
)
from ...engine import Value, no_grad
from ...fitting.examples import examples
from ...guards.checks import LONGEST, require_functions, require_whole_numbers, shown
from ...guards.interrupts import comes_from_handler
from ...nn import Module
from ..picture import Picture
from .curves import COLOURS

__all__ = ["RESOLUTION", "SIZE", "Boundary", "drawable_rows", "plot_decision_boundary"]

MARKERS = "os^DvPX*"
RESOLUTION = 60  # a small model answers in about 0.2 ms: 0.7 s for 60 x 60 points in Python
SIZE = (5.0, 4.4)  # inches

Model = Callable[[list[float]], Any]


def plot_decision_boundary(
    model: Model,
    X: Iterable[Iterable[Any]],
    y: Iterable[Any],
    *,
    resolution: int = RESOLUTION,
) -> Picture:
    """Return the regions in which a classifier of two inputs sees each class, and the data.

    `model([x1, x2])` returns a number, whose sign tells class 1 from class 0, or a list of logits,
    one for each class. It is asked at `resolution` x `resolution` points, under `no_grad()`; a
    `Module` that can be compiled natively, with the extra `compile`.
    Labels are 0, 1, …; with two classes also -1 and 1.

    Raises:
        ValueError: a row has not 2 inputs, X and y differ in length or are empty, a number is
            missing, a label is no class, the resolution is less than 2, or the model answers with
            nan or infinity.
        TypeError: X or y holds, or the model answers with, what is no number.

    >>> plot_decision_boundary(lambda x: x[0] - x[1], [[0, 1], [1, 0]], [0, 1], resolution=9)
    Picture(5 x 4.4 inches)
    """
    require_functions(model=model, takes="of a row")
    boundary = Boundary(X, y, resolution)
    figure = Figure(figsize=SIZE, layout="constrained")
    boundary.draw_on(figure, *boundary.logits(model))
    return Picture(figure, boundary.describe())


class Boundary:
    """The data that a classifier is drawn with, and where it is asked: `plot_decision_boundary`."""

    def __init__(self, X: Iterable[Iterable[Any]], y: Iterable[Any], resolution: int) -> None:
        points, labels = drawable_rows(X, y)
        if len(points[0]) != 2:
            raise ValueError(f"`X` must have 2 columns to be drawn, got {len(points[0])}")
        self.points: list[list[float]] = points
        self.labels = [_label(label, i) for i, label in enumerate(labels)]
        require_whole_numbers(resolution=resolution, least=2, largest=LONGEST)
        self.classes = sorted(set(self.labels))
        self.signed = self.classes[0] < 0
        if self.signed and not {-1, 1}.issuperset(self.classes):
            raise ValueError(f"labels must be 0, 1, … or -1 and 1, got {self.classes}")
        columns = zip(*self.points, strict=True)
        self.across, self.down = (_axis(column, resolution) for column in columns)

    def logits(
        self, model: Model, states: Iterable[Sequence[float] | None] = (None,)
    ) -> Iterator[Any]:
        """Yield the logit of each class at each point; of a single number, 0 and it.

        `states` are numbers for the model's parameters, one after the other; None: its own.
        """
        kernel = _kernel(model)
        for state in states:
            logits = kernel and _native_logits(kernel, model, state, self.across, self.down)
            if logits is None:
                kernel, asked = None, model
                if state is not None:
                    asked = model.with_parameters(map(Value, state))  # type: ignore[attr-defined]
                logits = _logits(asked, self.across, self.down)
            count = len(logits)
            if self.classes[-1] >= count or (self.signed and count > 2):
                raise ValueError(
                    f"labels must be classes of the model, which has {count}, got {self.classes}"
                )
            yield logits

    def describe(self) -> str:
        """Return in words what is to be seen."""
        counts = [f"{self.labels.count(label)} of class {label}" for label in self.classes]
        return (
            f"Decision boundary: the regions in which a model sees each class, and "
            f"{len(self.points)} points, {', '.join(counts)}."
        )

    def draw_on(self, figure: FigureBase, logits: Any) -> Axes:
        """Draw the regions and the data on a figure."""
        axes = figure.add_subplot(xlabel="x₁", ylabel="x₂")
        _plot_regions(axes, self.across, self.down, logits)
        for label in self.classes:
            place = int(label > 0) if self.signed else label
            pairs = zip(self.points, self.labels, strict=True)
            inside = [point for point, other in pairs if other == label]
            axes.scatter(
                [x1 for x1, _ in inside],
                [x2 for _, x2 in inside],
                s=36 if len(self.points) <= 300 else 14,
                color=_of(COLOURS, place),
                marker=_of(MARKERS, place),
                edgecolors="#222222",
                linewidths=0.6,
                label=f"class {label}",
                zorder=3,
            )
        figure.legend(loc="outside upper center", ncols=min(len(self.classes), 4), frameon=False)
        return axes


def drawable_rows(X: Iterable[Iterable[Any]], y: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return rows and their labels as `examples` does, with the numbers of `Value`s among them."""
    return examples(_numbers("X", X), _numbers("y", y))


def _numbers(name: str, data: Iterable[Any]) -> Iterable[Any]:
    if names_of_columns(data):
        return data
    rows = as_list(data, f"`{name}` must be a list or an array, with an entry for each row")
    return [[*map(_data, as_list(row, "a row"))] if is_ordered(row) else _data(row) for row in rows]


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def _label(label: Any, row: int) -> int:
    if isinstance(label, list) or label % 1:
        raise ValueError(
            f"row {row} of `y` must be a whole number, a class, "
            f"got {shown(label)}{instead_of(label)}"
        )
    return int(label)


def _of(looks: Sequence[str], place: int) -> str:
    return looks[place % len(looks)]


def _axis(column: Sequence[float], resolution: int) -> Any:
    """Return evenly spaced numbers from a little below the least to a little above the greatest."""
    low, high = min(column), max(column)
    margin = (high - low) / 10 or 1.0
    return np.linspace(low - margin, high + margin, resolution)


def _kernel(model: Model) -> Any:
    """Return what asks a model of any parameters natively, or None: without the extra `compile`."""
    if not isinstance(model, Module):
        return None  # of a function it is not known what else its answer depends on
    try:
        from ...compiler import compile
    except ImportError:
        return None
    return compile(lambda p, x1, x2: model.with_parameters(p)([x1, x2]), shared="p")


def _native_logits(
    kernel: Any, model: Any, state: Sequence[float] | None, across: Any, down: Any
) -> Any:
    """Return the logits, or None where they are for Python to find, or to say what is wrong."""
    try:
        numbers = [p.data for p in model.parameters()] if state is None else list(state)
        answer = kernel(numbers, across, down[:, None])
        logits = np.array(answer if isinstance(answer, (list, tuple)) else [answer], dtype=float)
    except Exception as error:  # a model may raise anything of numbers that are not known yet
        if comes_from_handler(error):
            raise
        return None
    if logits.ndim != 3 or not np.isfinite(logits).all():
        return None
    return np.array([np.zeros_like(logits[0]), *logits]) if len(logits) == 1 else logits


def _logits(model: Model, across: Any, down: Any) -> Any:
    with no_grad():
        answers = [[_answer(model, float(x1), float(x2)) for x1 in across] for x2 in down]
    return np.moveaxis(np.array(answers), -1, 0)


def _answer(model: Model, x1: float, x2: float) -> list[float]:
    answer = single(model([x1, x2]))
    must = f"the model must return a number or a list of logits at {[x1, x2]}"
    numbers = [answer] if is_number(answer) else entries(answer, must)
    if not numbers or not all(map(is_number, numbers)):
        raise TypeError(f"{must}, got {shown(answer)}")
    logits = [float(_data(x)) for x in numbers]
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
