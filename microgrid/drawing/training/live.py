"""A training while it runs: curves and decision boundary, in one output of a notebook or a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from copy import deepcopy
from time import perf_counter
from typing import Self

from matplotlib.figure import Figure

from ...files import require_writable
from ...fitting.task import Model
from ...guards.checks import require_numbers
from ...guards.interrupts import comes_from_handler
from ..notebook import NotebookOutput, kernel_shell
from ..picture import Picture, format_of_picture
from .boundary import RESOLUTION, SIZE, Boundary, drawable_rows
from .curves import Curves, HasRecords, plot_history

__all__ = ["LivePlot"]

CURVES, PANEL = 4.5, 2.2  # inches: across the curves beside a boundary, and down one panel
PAUSE = 4  # times as long as the last picture took: drawing takes at most a fifth of the time


class LivePlot:
    """Shows curves and a decision boundary while `fit` runs, as one of its `callbacks`.

    A notebook shows one picture, which changes in place; the last one stays. Anywhere else, give
    the `path` of a .png, .svg or .pdf file: without it nothing is drawn. The file is replaced each
    time, which many viewers notice, and always holds a whole picture.

    The boundary is drawn if `X` and `y` are given and the rows have two inputs; labels are those of
    `plot_decision_boundary`. There is at most one picture in `every` seconds, and drawing takes at
    most a fifth of the time; the first epoch and the last are always drawn. What is learnt stays
    the same to the last bit. If drawing fails, it warns and stops, and the training goes on.

    In a loop of your own, call it with the model and the history after each epoch, in a `with`.

    Raises:
        TypeError: only one of X and y is given, or `every` is not a number.
        ValueError: rows of two inputs, or their labels, cannot be drawn, the path has another
            suffix, or `every` is negative or nan.
        OSError: the file cannot be written, which is checked now and again before the first step.

    >>> from microgrid import MLP, datasets, fit, losses, optim
    >>> X, y = datasets.moons(20)
    >>> model = MLP(2, [4, 1], seed=0)
    >>> history = fit(model, X, y, loss=losses.binary_cross_entropy, epochs=5,
    ...               optimizer=optim.Adam(model.parameters()), callbacks=[LivePlot(X, y)])
    """

    def __init__(
        self,
        X: Iterable[Iterable[object]] | None = None,
        y: Iterable[object] | None = None,
        *,
        every: float = 0.5,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        if (X is None) != (y is None):
            raise TypeError("LivePlot needs both X and y, or neither for the curves alone")
        require_numbers(every=every, finite=False)
        self.every, self.path = every, path
        if path is not None:
            format_of_picture(path)
        self.boundary: Boundary | None = None
        if X is not None and y is not None:
            rows, labels = drawable_rows(X, y)
            if len(rows[0]) == 2:
                self.boundary = Boundary(rows, labels, RESOLUTION)
        self._start()

    def _start(self) -> None:
        if self.path is not None:
            require_writable(self.path)
        self._output = NotebookOutput() if kernel_shell() else None
        self._latest: tuple[Model, HasRecords] | None = None  # not drawn yet
        self._due = 0.0
        self._failed = False

    def __enter__(self) -> Self:
        """Begin: take the place in the notebook, above the progress bar."""
        self._start()
        if self._output:
            self._output.show({"text/plain": "(a picture comes after the first epoch)"})
        return self

    def __call__(self, model: Model, history: HasRecords) -> None:
        """Show how the training stands, unless the last picture was only just drawn."""
        self._latest = model, history
        if perf_counter() >= self._due:
            self._draw()

    def __exit__(self, *error: object) -> None:
        """Show how the training ended."""
        self._draw()

    def _draw(self) -> None:
        if self._latest is None or self._failed or not (self._output or self.path):
            return
        model, history = self._latest
        begin = perf_counter()
        try:
            picture = self._picture(model, history)
            if self.path:
                picture.save(self.path)
            if self._output:
                self._output.show(*picture._repr_mimebundle_())
        except Exception as error:  # a picture is not worth the weights
            if comes_from_handler(error):
                raise
            self._failed = True
            message = f"LivePlot stopped after epoch {len(history.records)}, the training goes on: "
            warnings.warn(f"{message}{type(error).__name__}: {error}", RuntimeWarning, stacklevel=3)
        self._latest = None  # only now: interrupted before this, it is drawn at the end
        end = perf_counter()
        self._due = end + max(self.every, PAUSE * (end - begin))

    def _picture(self, model: Model, history: HasRecords) -> Picture:
        if not self.boundary:
            return plot_history(history)
        curves = Curves(history)
        # a copy is asked: a model may draw random numbers of its own, or count its calls
        (logits,) = self.boundary.logits(deepcopy(model))
        height = max(SIZE[1], PANEL * len(curves.panels))
        figure = Figure(figsize=(CURVES + SIZE[0], height), layout="constrained")
        ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(CURVES, SIZE[0]))
        curves.draw_on(left, columns=1)
        self.boundary.draw_on(right, logits)
        return Picture(figure, f"{curves.describe()} {self.boundary.describe()}")
