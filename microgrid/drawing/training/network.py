"""A network as a picture: each weight a line, as wide as it is large, in its gradient's colour."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Literal, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from ...engine import Value
from ...guards.checks import require_integers
from ...nn import MLP, Layer, Module, Neuron
from ..colours import ABOVE, BELOW
from ..labels import number_text, width
from ..picture import Picture, plottable, plottable_labels

__all__ = ["plot_network"]

# The middle is grey, to be seen on white.
GRADIENTS = LinearSegmentedColormap.from_list("gradients", [*BELOW, "#c8c8c8", *ABOVE])
INK = "#444444"
WIDEST = 5.0  # points, of the largest parameter; the others in proportion
DASH, GAP = 10.0, 4.0  # points
HAIR = 0.02  # points: a thinner line is not seen
ACROSS = 2.0  # inches from layer to layer
DOWN = (0.36, 0.8)  # inches from neuron to neuron, at least and at most
HEIGHT = 4.0  # inches, of many neurons that are not too many for it
LINES = 64  # between two layers, as between two of 8 neurons: more are a thicket
RADIUS = 0.13  # of a neuron, in inches as all that follow
MARGIN = 0.45  # beside the outermost neurons, with their layer's heading above them
HEADING, LEGEND, COLOUR_BAR = 0.45, 0.4, 1.0
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

Parameter = Value | float  # a number where a model computes with other ones
Place = tuple[float, float]
Style = Literal["solid"] | tuple[float, tuple[float, float]]  # of a line, or its dashes and gaps
Column = dict[int | None, Place]  # where a layer's neurons are; None: those left out


def plot_network(
    model: Module,
    *,
    inputs: Iterable[object] | None = None,
    outputs: Iterable[object] | None = None,
    most: int = 20,
    lines: int | None = LINES,
) -> Picture:
    """Return a picture of a network's neurons, with lines for its weights.

    A line is as wide as the weight is large, dashed where it is negative, in the colour of its
    gradient; a neuron's ring shows its bias in the same way. After `fit`, the gradients are those
    of the last step. `inputs` and `outputs` are labels, one for each. In a layer of more than
    `most` neurons only the first and the last are drawn, and its heading says how many. Of more
    weights than `lines` between two layers, the largest are drawn, and the picture says so; None
    draws all.

    Raises:
        TypeError: the model is not an `MLP`, a `Layer` or a `Neuron`.
        ValueError: there are too few or too many labels, `most` is less than 3, `lines` less than
            1, or a parameter or its gradient is not finite.

    >>> from microgrid import MLP
    >>> plot_network(MLP(2, [4, 1], seed=0), inputs=["length", "depth"])
    Picture(6.4 x 4 inches)
    """
    layers = _layers(model)
    require_integers(most=most, least=3)
    if lines is not None:
        require_integers(lines=lines, instead="None")
    for path, parameter in model.named_parameters():
        if not (isfinite(parameter.data) and isfinite(parameter.grad)):
            raise ValueError(f"{path} must have finite data and gradient, got {parameter!r}")
    sizes = [len(layers[0][0].w), *map(len, layers)]
    if inputs is None:
        inputs = [f"x{str(i + 1).translate(SUBSCRIPTS)}" for i in range(sizes[0])]
    names = [
        plottable_labels("inputs", inputs, sizes[0]),
        plottable_labels("outputs", outputs, sizes[-1]),
    ]

    columns = _place_neurons(sizes, most)
    figure, axes = _make_figure(columns, names)
    _plot_headings(axes, layers, columns)
    _plot_labels(axes, names, columns)
    note = _plot_parameters(figure, axes, layers, columns, lines)
    neurons = ", ".join(map(str, sizes[1:]))
    parameters = len(model.parameters())
    return Picture(
        figure,
        f"Network of {sizes[0]} inputs, layers of {neurons} neurons, {parameters:,} parameters."
        + f" {note}." * bool(note),
    )


def _layers(model: object) -> list[list[Neuron]]:
    if isinstance(model, MLP):
        return [layer.neurons for layer in model.layers]
    if isinstance(model, Layer):
        return [model.neurons]
    if isinstance(model, Neuron):
        return [[model]]
    raise TypeError(
        f"plot_network needs an MLP, a Layer or a Neuron, got {type(model).__name__}; "
        "of a model of your own, draw one of its parts"
    )


def _neurons_to_show(size: int, most: int) -> list[int | None]:
    """Return the neurons of a layer to draw, with None in place of those left out.

    >>> _neurons_to_show(3, 5), _neurons_to_show(9, 5)
    ([0, 1, 2], [0, 1, None, 7, 8])
    """
    if size <= most:
        return list(range(size))
    return [*range(most // 2), None, *range(size - (most - 1) // 2, size)]


def _place_neurons(sizes: Iterable[int], most: int) -> list[Column]:
    """Return where the neurons of each layer are drawn, of layers of these sizes."""
    shown = [_neurons_to_show(size, most) for size in sizes]
    down = min(max(DOWN[0], HEIGHT / max(map(len, shown))), DOWN[1])
    return [
        {neuron: (x * ACROSS, ((len(rows) - 1) / 2 - y) * down) for y, neuron in enumerate(rows)}
        for x, rows in enumerate(shown)
    ]


def _neurons_of(column: Column) -> list[tuple[int, Place]]:
    return [(neuron, place) for neuron, place in column.items() if neuron is not None]


def _top(columns: Sequence[Column]) -> float:
    """Return where the headings stand: above the tallest layer."""
    return max(y for column in columns for _, y in column.values()) + 3 * RADIUS


def _make_figure(columns: Sequence[Column], names: Sequence[Sequence[str]]) -> tuple[Figure, Axes]:
    """Return a figure with room for the neurons, their labels and all that says what they mean."""
    left, right = (MARGIN + max(width(text, 10) for text in texts) / 72 for texts in names)
    top = _top(columns)
    ends = (-left, ACROSS * (len(columns) - 1) + right, -top, top + HEADING)
    across, up = ends[1] - ends[0] + COLOUR_BAR, ends[3] - ends[2] + LEGEND
    figure = Figure(figsize=(round(across, 1), round(up, 1)), layout="constrained")
    axes = figure.add_subplot(aspect="equal", xlim=ends[:2], ylim=ends[2:])
    axes.set_axis_off()
    return figure, axes


def _plot_headings(
    axes: Axes, layers: Sequence[Sequence[Neuron]], columns: Sequence[Column]
) -> None:
    """Say of each layer how many neurons it has, of what kind, and how many are shown."""
    inputs = len(layers[0][0].w)
    headings = ["1 input" if inputs == 1 else f"{inputs} inputs"]
    for neurons in layers:
        function = neurons[0].activation
        name = getattr(function, "__name__", type(function).__name__)
        headings.append(f"{len(neurons)} {plottable(name, 12)}")
    top = _top(columns)
    for x, (heading, column) in enumerate(zip(headings, columns, strict=True)):
        if None in column:
            heading += f"\n{len(column) - 1} shown"
            axes.text(*column[None], "⋮", ha="center", va="center", color=INK, fontsize=14)
        axes.text(x * ACROSS, top, heading, ha="center", color=INK, parse_math=False)


def _plot_labels(axes: Axes, names: Sequence[Sequence[str]], columns: Sequence[Column]) -> None:
    """Write the inputs' labels to the left of them, and the outputs' to the right."""
    for texts, column, side, align in zip(
        names, (columns[0], columns[-1]), (-1.6, 1.6), ("right", "left"), strict=True
    ):
        for neuron, (x, y) in _neurons_of(column):
            at = x + side * RADIUS
            axes.text(at, y, texts[neuron], ha=align, va="center", parse_math=False)


class _Looks(TypedDict):
    linewidths: list[float]
    linestyles: list[Style]
    edgecolors: NDArray[np.float64]


class _Ranges:
    """How large the numbers and gradients of a network are, and how a parameter looks by them."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.largest = max(abs(_data(p)) for p in parameters)
        self.steepest = max(abs(_grad(p)) for p in parameters)
        self.norm = Normalize(-self.steepest or -1.0, self.steepest or 1.0)

    def looks_of(self, parameters: Sequence[Parameter]) -> _Looks:
        """Return the widths, dashes and colours of parameters."""
        widths = [WIDEST * abs(_data(p)) / (self.largest or 1.0) for p in parameters]
        return {
            "linewidths": widths,
            "linestyles": [_style(_data(p), w) for p, w in zip(parameters, widths, strict=True)],
            "edgecolors": np.asarray(GRADIENTS(self.norm([_grad(p) for p in parameters]))),
        }


def _plot_parameters(
    figure: Figure,
    axes: Axes,
    layers: Sequence[Sequence[Neuron]],
    columns: Sequence[Column],
    lines: int | None,
) -> str:
    """Draw lines, neurons and rings, and what they mean; return what is said of lines left out."""
    scale = _Ranges([p for neurons in layers for neuron in neurons for p in (*neuron.w, neuron.b)])
    weights: list[tuple[Parameter, tuple[Place, Place]]] = []  # each, and where it is drawn
    biases: list[tuple[Parameter, Circle]] = []
    note = ""
    for neurons, before, column in zip(layers, columns, columns[1:], strict=False):
        between = []
        for j, end in _neurons_of(column):
            between += [(neurons[j].w[i], (begin, end)) for i, begin in _neurons_of(before)]
            biases.append((neurons[j].b, Circle(end, RADIUS)))
        if lines is not None and len(between) > lines:
            between = heapq.nlargest(lines, between, key=lambda pair: abs(_data(pair[0])))
            note = f"Of the weights between two layers, the {lines} largest are drawn"
        weights += between
    weights.sort(key=lambda pair: abs(_grad(pair[0])))  # the largest lie on top
    looks = scale.looks_of([weight for weight, _ in weights])
    axes.add_collection(LineCollection([line for _, line in weights], **looks, zorder=1))
    grounds = [Circle(place, RADIUS) for column in columns for _, place in _neurons_of(column)]
    axes.add_collection(
        PatchCollection(grounds, facecolors="white", edgecolors=INK, linewidths=0.6, zorder=2)
    )
    looks = scale.looks_of([bias for bias, _ in biases])
    rings = [ring for _, ring in biases]
    axes.add_collection(PatchCollection(rings, facecolors="none", **looks, zorder=3))
    _plot_legend(figure, axes, scale, note)
    return note


def _plot_legend(figure: Figure, axes: Axes, scale: _Ranges, note: str) -> None:
    """Say what widths, dashes, rings and colours mean, and which lines there are."""
    size = number_text(scale.largest)
    solid = Line2D([], [], color=INK, linewidth=WIDEST, label=f"weight {size}")
    dashed = Line2D([], [], color=INK, linewidth=WIDEST, label=f"−{size}")
    dashed.set_linestyle(_style(-scale.largest, WIDEST))
    bias = Line2D([], [], color=INK, linestyle="", marker="o", markersize=10, label="bias")
    bias.set(markerfacecolor="white", markeredgewidth=2.5)
    figure.legend(
        handles=[solid, dashed, bias],
        title=note or None,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        handlelength=2.6,
    )
    if scale.steepest:
        colours = ScalarMappable(scale.norm, GRADIENTS)
        figure.colorbar(colours, ax=axes, label="gradient", shrink=0.8, aspect=30, pad=0.02)
    else:
        figure.suptitle("every gradient is 0: was backward() called?", fontsize=10, color=INK)


def _style(data: float, width: float) -> Style:
    if data >= 0 or width < HAIR:
        return "solid"
    return (0, (DASH / width, GAP / width))  # matplotlib's unit is the line's width


def _data(parameter: Parameter) -> float:
    return float(parameter.data if isinstance(parameter, Value) else parameter)


def _grad(parameter: Parameter) -> float:
    return float(parameter.grad if isinstance(parameter, Value) else 0.0)  # a number has none
