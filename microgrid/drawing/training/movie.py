"""How a decision boundary moves, from the untrained model to the last epoch, as an animation."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ...fitting.task import Model
from ...guards.checks import quote, require_integers, require_numbers, require_paths
from ...nn import Module
from ..files import format_of, save_drawn
from .boundary import RESOLUTION, SIZE, Boundary
from .curves import HasRecords

__all__ = ["BoundaryMovie"]

HOLD = 2000  # milliseconds that the last frame stays before the first comes again

Pixels = NDArray[np.uint8]


class Snapshot(NamedTuple):
    """What is kept of an epoch: its number, its loss, and the model's parameters after it.

    There is no loss of epoch 0, before the training.
    """

    epoch: int
    loss: float | None
    parameters: array[float]

    @property
    def title(self) -> str:
        """What stands above its frame."""
        measured = "before the training" if self.loss is None else f"loss {self.loss:.3g}"
        return f"epoch {self.epoch}, {measured}"


class BoundaryMovie:
    """Keeps a model's parameters before the first epoch of `fit` and after each, as a callback.

    `save("boundary.gif")` then draws the decision boundary of each, as `plot_decision_boundary`
    does. `X` and `y` are the rows, of two inputs, and the labels to draw. A new training begins a
    new movie. In a loop of your own, `begin(model)` keeps the untrained model.

    Raises:
        ValueError: X and y cannot be drawn; see `plot_decision_boundary`.
        TypeError: when called, of a model that is not a `Module`.

    >>> from microgrid import MLP, datasets, fit, losses, optim
    >>> X, y = datasets.moons(20)
    >>> model, movie = MLP(2, [4, 1], seed=0), BoundaryMovie(X, y)
    >>> history = fit(model, X, y, loss=losses.binary_cross_entropy, epochs=5,
    ...               optimizer=optim.Adam(model.parameters()), callbacks=[movie])
    >>> movie
    BoundaryMovie of 5 epochs
    """

    def __init__(
        self, X: Iterable[Iterable[object]], y: Iterable[object], *, resolution: int = RESOLUTION
    ) -> None:
        self.boundary = Boundary(X, y, resolution)
        self.model: Model | None = None
        self.epochs: list[Snapshot] = []

    def __enter__(self) -> Self:
        """Begin a new movie."""
        self.epochs = []
        return self

    def __call__(self, model: Model, history: HasRecords) -> None:
        """Keep a copy of the parameters."""
        numbers = _parameters(model)
        if not isinstance(history, HasRecords) or not history.records:
            raise TypeError(f"BoundaryMovie needs a History of an epoch, got {quote(history)}")
        self.model, record = model, history.records[-1]
        self.epochs.append(Snapshot(int(record["epoch"]), record["loss"], numbers))

    def begin(self, model: Model, history: HasRecords | None = None) -> None:
        """Keep a copy of the parameters from before the training.

        Raises:
            TypeError: the model is not a `Module`.

        >>> from microgrid import MLP
        >>> movie = BoundaryMovie([[0.0, 1.0], [1.0, 0.0]], [0, 1])
        >>> movie.begin(MLP(2, [1], seed=0))
        >>> [kept.title for kept in movie.epochs]
        ['epoch 0, before the training']
        """
        if isinstance(history, HasRecords) and history.records:
            self(model, history)  # it goes on
        else:
            self.epochs.append(Snapshot(0, None, _parameters(model)))
            self.model = model

    def __exit__(self, *error: object) -> None:
        """Keep the movie, to be saved."""

    def __repr__(self) -> str:
        epochs = sum(kept.loss is not None for kept in self.epochs)
        return f"BoundaryMovie of {epochs} epoch{'s' * (epochs != 1)}"

    def save(self, path: str | os.PathLike[str], *, frames: int = 60, seconds: float = 6.0) -> str:
        """Write a .gif file, and return its path. Folders are made.

        Of more epochs than `frames`, evenly spaced ones are shown, the untrained model and the last
        epoch among them. They take so many seconds in all; then the last stays for two more.

        Raises:
            ValueError: no epoch was kept, the suffix is another one, there are fewer than 2 frames,
                `seconds` is not above 0, or the model cannot be drawn; see
                `plot_decision_boundary`.
            OSError: the file cannot be written, and is as it was.

        >>> from microgrid import MLP, History
        >>> movie = BoundaryMovie([[0.0, 1.0], [1.0, 0.0]], [0, 1], resolution=9)
        >>> movie(MLP(2, [1], seed=0), History([{"epoch": 1, "loss": 0.7}]))
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = movie.save(f"{folder}/boundary.gif")
        """
        require_paths(path=path)
        name = Path(path).name
        films = f"; other programs make films of it: ffmpeg -i {Path(name).stem}.gif {name}"
        format_of(path, "a movie", ["gif"], hint=films)
        require_integers(frames=frames, least=2)
        require_numbers(seconds=seconds, above=0)
        model, epochs = self.model, self.epochs
        if model is None or not epochs:
            raise ValueError("no epoch was kept: train with fit(…, callbacks=[movie]) first")

        def draw() -> bytes:
            pixels = self._frames(model, [epochs[i] for i in _spread(len(epochs), frames)])
            return _gif(pixels, round(1000 * seconds / len(pixels)))

        return save_drawn(path, draw)

    def _frames(self, model: Model, epochs: list[Snapshot]) -> list[Pixels]:
        """Return the pixels of each epoch's picture."""
        figure = Figure(figsize=SIZE, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)  # whose methods have no types
        answers = self.boundary.logits(model, [epoch.parameters for epoch in epochs])
        pixels: list[Pixels] = []
        for kept, logits in zip(epochs, answers, strict=True):
            figure.clear()
            axes = self.boundary.draw_on(figure, logits)
            axes.set_title(kept.title, fontsize="medium")
            if not pixels:  # the axes of all frames stand where the first frame's do
                figure.draw_without_rendering()
                figure.set_layout_engine("none")
                place = axes.get_position()
            axes.set_position(place)
            canvas.draw()
            pixels.append(np.array(canvas.buffer_rgba())[..., :3])
        return pixels


def _parameters(model: Model) -> array[float]:
    """Return a copy of a model's parameters."""
    if not isinstance(model, Module):
        raise TypeError(f"BoundaryMovie needs a Module, which has parameters, got {quote(model)}")
    return array("d", [parameter.data for parameter in model.parameters()])


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` places of `count`, evenly spaced, with the first and the last.

    >>> _spread(10, 4), _spread(3, 60)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _gif(pixels: list[Pixels], duration: int) -> bytes:
    # One palette for all, or a colour would flicker; without dither, which does not compress.
    some = Image.fromarray(np.concatenate([pixels[0], pixels[len(pixels) // 2], pixels[-1]]))
    palette = some.quantize(dither=Image.Dither.NONE)
    images = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in pixels
    ]
    content = BytesIO()
    images[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[duration] * (len(images) - 1) + [duration + HOLD],
        loop=0,
    )
    return content.getvalue()
