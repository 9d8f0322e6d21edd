"""What a classifier of two inputs has learnt: the regions in which it sees each class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite, log
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex, to_rgb
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch
from numpy.typing import NDArray

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
from ...fitting.examples import Examples, Target, examples
from ...fitting.task import Model
from ...guards.checks import LONGEST, quote, require_functions, require_integers
from ...guards.interrupts import comes_from_handler
from ...nn import Module
from ..colours import COLOURS
from ..picture import Picture, plottable_labels

__all__ = [
    "RESOLUTION",
    "SIZE",
    "Boundary",
    "drawable_rows",
    "numbers_behind",
    "plot_decision_boundary",
]

MARKERS = "os^DvPX*"
RESOLUTION = 60  # a small model answers in about 0.2 ms: 0.7 s for 60 x 60 points in Python
SIZE = (5.0, 4.7)  # inches
SURE = (0.6, 0.7, 0.8, 0.9)  # probabilities of the class at which its colour gets stronger
SHADES = (0.1, 0.2, 0.3, 0.4, 0.5)  # of its colour, on white: up to the first of them, and so on

Floats = NDArray[np.float64]
KernelCall = Callable[[Sequence[float] | None, Floats, Floats], object]


def plot_decision_boundary(
    model: Model,
    X: Iterable[Iterable[object]],
    y: Iterable[object],
    *,
    resolution: int = RESOLUTION,
) -> Picture:
    """Return a picture of the regions in which a classifier of two inputs sees each class.

    A region's colour is the stronger the surer the model is, in five shades that change where the
    probability of the class is 0.6, 0.7, 0.8 and 0.9: the softmax of the logits, for two classes
    the sigmoid of their difference. A line is where two classes are equally probable. If the model
    was trained with another loss than cross-entropy, its scores are read as logits too: a stronger
    shade then means a larger lead, which was never fitted to probabilities.

    The rows `X` are drawn as points, marked by their labels `y`, which are 0, 1, …; for two classes
    also -1 and 1. A frame's columns give the axes their names. `model([x1, x2])` returns a number,
    whose sign tells class 1 from class 0, or a list of logits, one for each class. It is asked at
    `resolution` x `resolution` points, under `no_grad()`; a `Module` that can be compiled is asked
    natively, with the extra `compile`.

    Raises:
        ValueError: a row does not have 2 inputs, X and y differ in length or are empty, a number is
            missing, a label is not a class, the resolution is less than 2, or the model answers
            with nan or infinity.
        TypeError: X or y, or the model's answer, holds something that is not a number.

    >>> plot_decision_boundary(lambda x: x[0] - x[1], [[0, 1], [1, 0]], [0, 1], resolution=9)
    Picture(5 x 4.7 inches)
    """
    require_functions(model=model, takes="of a row")
    boundary = Boundary(X, y, resolution)
    figure = Figure(figsize=SIZE, layout="constrained")
    boundary.draw_on(figure, *boundary.logits(model))
    return Picture(figure, boundary.describe())


class Boundary:
    """The data that a classifier is drawn with, and the points at which it is asked."""

    def __init__(self, X: Iterable[Iterable[object]], y: Iterable[object], resolution: int) -> None:
        names = names_of_columns(X) or ["x₁", "x₂"]
        points, labels = drawable_rows(X, y)
        if len(points[0]) != 2:
            raise ValueError(f"`X` must have 2 columns to be drawn, got {len(points[0])}")
        self.points, self.names = points, plottable_labels("columns", names, 2)
        self.labels = [_label(label, i) for i, label in enumerate(labels)]
        require_integers(resolution=resolution, least=2, largest=LONGEST)
        self.classes = sorted(set(self.labels))
        self.signed = self.classes[0] < 0
        if self.signed and not {-1, 1}.issuperset(self.classes):
            raise ValueError(f"labels must be 0, 1, … or -1 and 1, got {self.classes}")
        columns = zip(*self.points, strict=True)
        self.across, self.down = (_axis(column, resolution) for column in columns)

    def logits(
        self, model: Model, states: Iterable[Sequence[float] | None] = (None,)
    ) -> Iterator[Floats]:
        """Yield the logit of each class at each point; a model's single number has 0 before it.

        It does so for each of `states`, the numbers of a module's parameters; None: as it is.
        """
        kernel = _compile(model)
        for state in states:
            logits = kernel and _native_logits(kernel, state, self.across, self.down)
            if logits is None:
                kernel, asked = None, model
                if state is not None and isinstance(model, Module):
                    asked = model.with_parameters(map(Value, state))
                logits = _logits(asked, self.across, self.down)
            count = len(logits)
            if self.classes[-1] >= count or (self.signed and count > 2):
                raise ValueError(
                    f"labels must be classes of the model, which has {count}, got {self.classes}"
                )
            yield logits

    def describe(self) -> str:
        """Return in words what there is to see."""
        counts = [f"{self.labels.count(label)} of class {label}" for label in self.classes]
        return (
            f"Decision boundary: the regions in which a model sees each class, the stronger in "
            f"colour the surer it is, and "
            f"{len(self.points)} points, {', '.join(counts)}."
        )

    def draw_on(self, figure: FigureBase, logits: Floats) -> Axes:
        """Draw the regions and the data on a figure."""
        axes = figure.add_subplot()
        axes.set_xlabel(self.names[0], parse_math=False)
        axes.set_ylabel(self.names[1], parse_math=False)
        _plot_regions(axes, self.across, self.down, logits)
        for label in self.classes:
            place = int(label > 0) if self.signed else label
            pairs = zip(self.points, self.labels, strict=True)
            inside = [point for point, other in pairs if other == label]
            axes.scatter(
                [x1 for x1, _ in inside],
                [x2 for _, x2 in inside],
                s=36 if len(self.points) <= 300 else 14,
                color=_take(COLOURS, place),
                marker=_take(MARKERS, place),
                edgecolors="#222222",
                linewidths=0.6,
                label=f"class {label}",
                zorder=3,
            )
        figure.legend(loc="outside upper center", ncols=min(len(self.classes), 4), frameon=False)
        # Typed as anything: matplotlib's types do not know of several patches with one label.
        shades: Any = tuple(Patch(facecolor=_shade(COLOURS[0], k)) for k in range(len(SHADES)))
        figure.legend(
            [shades],
            [f"probability up to {', '.join(f'{100 * p:.0f}' for p in (*SURE, 1))} %"],
            handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
            loc="outside lower center",
            handlelength=4,
            frameon=False,
        )
        return axes


def drawable_rows(X: Iterable[Iterable[object]], y: Iterable[object]) -> Examples:
    """Return rows and their labels as `examples` does, with the number of each `Value`."""
    return examples(numbers_behind("X", X), numbers_behind("y", y))


def numbers_behind(name: str, data: Iterable[Any]) -> Iterable[Any]:
    """Return rows or targets with the number of each `Value` among them in its place.

    >>> numbers_behind("X", [[Value(1.0), 2.0]])
    [[1.0, 2.0]]
    """
    if names_of_columns(data):
        return data
    rows = as_list(data, f"`{name}` must be a list or an array, with an entry for each row")
    return [[*map(_data, as_list(row, "a row"))] if is_ordered(row) else _data(row) for row in rows]


def _data(x: object) -> object:
    return x.data if isinstance(x, Value) else x


def _label(label: Target, row: int) -> int:
    if isinstance(label, list) or label % 1:
        raise ValueError(
            f"row {row} of `y` must be an integer, a class, got {quote(label)}{instead_of(label)}"
        )
    return int(label)


def _take(looks: Sequence[str], place: int) -> str:
    """Return the colour or the marker of a class; when there are no more, they begin again."""
    return looks[place % len(looks)]


def _axis(column: Sequence[float], resolution: int) -> Floats:
    """Return evenly spaced numbers from a little below the least to a little above the greatest."""
    low, high = min(column), max(column)
    margin = (high - low) / 10 or 1.0
    return np.linspace(low - margin, high + margin, resolution)


def _compile(model: Model) -> KernelCall | None:
    """Return what asks a module natively, None without the extra `compile`.

    It takes the numbers of the module's parameters, None for its own, and the points' coordinates.
    """
    if not isinstance(model, Module):
        return None  # nobody knows what else a function's answer depends on
    try:
        from ...compiler import compile
    except ImportError:
        return None
    kernel = compile(lambda p, x1, x2: model.with_parameters(p)([x1, x2]), shared="p")

    def ask(state: Sequence[float] | None, across: Floats, down: Floats) -> object:
        numbers = [p.data for p in model.parameters()] if state is None else list(state)
        return kernel(numbers, across, down[:, None])

    return ask


def _native_logits(
    kernel: KernelCall, state: Sequence[float] | None, across: Floats, down: Floats
) -> Floats | None:
    """Return the logits, or None where Python has to find them, or to say what is wrong."""
    try:
        answer = kernel(state, across, down)
        logits = np.array(answer if isinstance(answer, (list, tuple)) else [answer], dtype=float)
    except Exception as error:  # a model may raise anything of numbers that are not known yet
        if comes_from_handler(error):
            raise
        return None
    if logits.ndim != 3 or not np.isfinite(logits).all():
        return None
    return np.array([np.zeros_like(logits[0]), *logits]) if len(logits) == 1 else logits


def _logits(model: Model, across: Floats, down: Floats) -> Floats:
    with no_grad():
        answers = [[_answer(model, float(x1), float(x2)) for x1 in across] for x2 in down]
    return np.moveaxis(np.array(answers), -1, 0)


def _answer(model: Model, x1: float, x2: float) -> list[float]:
    answer = single(model([x1, x2]))
    must = f"the model must return a number or a list of logits at {[x1, x2]}"
    numbers = [answer] if is_number(answer) else entries(answer, must)
    if not numbers or not all(map(is_number, numbers)):
        raise TypeError(f"{must}, got {quote(answer)}")
    logits = [float(x.data if isinstance(x, Value) else x) for x in numbers]
    if not all(map(isfinite, logits)):
        raise ValueError(f"the model must return finite numbers, got {logits} at {[x1, x2]}")
    return [0.0, *logits] if len(logits) == 1 else logits


def _plot_regions(axes: Axes, across: Floats, down: Floats, logits: Floats) -> None:
    tints = [_shade(_take(COLOURS, place), 0) for place in range(len(logits))]
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
        others = np.delete(logits, place, axis=0)
        lead = logits[place] - others.max(axis=0)
        if lead.max() > 0:
            axes.contourf(across, down, lead, levels=[0, lead.max()], colors=[tint])
        odds = logits[place] - np.logaddexp.reduce(others, axis=0)  # their logarithm
        for k, sure in enumerate(SURE, start=1):  # one upon the other, so that no gap is between
            if (least := log(sure / (1 - sure))) < odds.max():
                shade = _shade(_take(COLOURS, place), k)
                axes.contourf(across, down, odds, levels=[least, odds.max()], colors=[shade])
        if lead.min() < 0 < lead.max() and place < len(tints) - 1:  # the last has no line left
            axes.contour(across, down, lead, levels=[0], colors="#333333", linewidths=1.3)
    axes.set(xlim=ends[:2], ylim=ends[2:])


def _shade(colour: str, k: int) -> str:
    red, green, blue = (SHADES[k] * part + 1 - SHADES[k] for part in to_rgb(colour))
    return to_hex((red, green, blue))
