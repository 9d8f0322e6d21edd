"""The way of a decision boundary from the first epoch to the last, as an animation."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ...guards.checks import require_numbers, require_paths, require_whole_numbers, shown
from ...nn import Module
from ..files import format_of, save_drawn
from .boundary import RESOLUTION, SIZE, Boundary
from .curves import HasRecords

__all__ = ["BoundaryMovie"]

HOLD = 2000  # milliseconds that the last frame stays before the first comes again


class BoundaryMovie:
    """Keeps a model's parameters after every epoch of `fit`, of whose `callbacks` it is one.

    `save("boundary.gif")` then draws what `plot_decision_boundary` draws of them. `X` and `y` are
    the rows, of two inputs, and the labels to draw. A new training begins a new movie.

    Raises:
        ValueError: X and y cannot be drawn; see `plot_decision_boundary`.
        TypeError, when called: the model is no `Module`.

    >>> from microgrid import MLP, datasets, fit, losses, optim
    >>> X, y = datasets.moons(20)
    >>> model, movie = MLP(2, [4, 1], seed=0), BoundaryMovie(X, y)
    >>> history = fit(model, X, y, loss=losses.binary_cross_entropy, epochs=5,
    ...               optimizer=optim.Adam(model.parameters()), callbacks=[movie])
    >>> movie
    BoundaryMovie of 5 epochs
    """

    def __init__(
        self, X: Iterable[Iterable[Any]], y: Iterable[Any], *, resolution: int = RESOLUTION
    ) -> None:
        self.boundary = Boundary(X, y, resolution)
        self.model: Any = None
        self.epochs: list[tuple[int, float, array[float]]] = []  # number, loss, parameters

    def __enter__(self) -> Self:
        """Begin a new movie."""
        self.epochs = []
        return self

    def __call__(self, model: Any, history: HasRecords) -> None:
        """Keep the parameters as they are now."""
        if not isinstance(model, Module):
            raise TypeError(
                f"BoundaryMovie needs a Module, which has parameters, got {shown(model)}"
            )
        if not isinstance(history, HasRecords) or not history.records:
            raise TypeError(f"BoundaryMovie needs a History of an epoch, got {shown(history)}")
        self.model, record = model, history.records[-1]
        numbers = array("d", [parameter.data for parameter in model.parameters()])
        self.epochs.append((int(record["epoch"]), record["loss"], numbers))

    def __exit__(self, *error: object) -> None:
        """Keep the movie, to be saved."""

    def __repr__(self) -> str:
        return f"BoundaryMovie of {len(self.epochs)} epochs"

    def save(self, path: str | os.PathLike[str], *, frames: int = 60, seconds: float = 6.0) -> str:
        """Write a .gif file, and return its path. Folders are made.

        Of more epochs than `frames`, evenly spaced ones are shown, the first and the last among
        them. All pass in so many seconds; then the last stays for a while.

        Raises:
            ValueError: no epoch was kept, the suffix is another one, there are less than 2 frames
                or no seconds, or the model cannot be drawn; see `plot_decision_boundary`.
            OSError: the file cannot be written, and is as it was.

        >>> BoundaryMovie([[0.0, 1.0], [1.0, 0.0]], [0, 1]).save("boundary.gif")
        Traceback (most recent call last):
          ...
        ValueError: no epoch was kept: train with fit(…, callbacks=[movie]) first
        """
        require_paths(path=path)
        name = Path(path).name
        films = f"; other programs make films of it: ffmpeg -i {Path(name).stem}.gif {name}"
        format_of(path, "a movie", ["gif"], hint=films)
        require_whole_numbers(frames=frames, least=2)
        require_numbers(seconds=seconds, above=0)
        if not self.epochs:
            raise ValueError("no epoch was kept: train with fit(…, callbacks=[movie]) first")

        def draw() -> bytes:
            pixels = self._frames([self.epochs[i] for i in _spread(len(self.epochs), frames)])
            return _gif(pixels, round(1000 * seconds / len(pixels)))

        return save_drawn(path, draw)

    def _frames(self, epochs: list[tuple[int, float, array[float]]]) -> list[Any]:
        """Return the pixels of each epoch's picture."""
        figure = Figure(figsize=SIZE, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        way = self.boundary.logits(self.model, [numbers for *_, numbers in epochs])
        pixels: list[Any] = []
        for (epoch, loss, _), logits in zip(epochs, way, strict=True):
            figure.clear()
            axes = self.boundary.draw_on(figure, logits)
            axes.set_title(f"epoch {epoch}, loss {loss:.3g}", fontsize="medium")
            if not pixels:  # later the axes stay where the first frame has them
                figure.draw_without_rendering()
                figure.set_layout_engine("none")
                place = axes.get_position()
            axes.set_position(place)
            canvas.draw()
            pixels.append(np.array(canvas.buffer_rgba())[..., :3])
        return pixels


def _spread(count: int, most: int) -> list[int]:
    """Return at most so many of the first integers, evenly, with the first and the last.

    >>> _spread(10, 4), _spread(3, 60)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _gif(pixels: list[Any], duration: int) -> bytes:
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
