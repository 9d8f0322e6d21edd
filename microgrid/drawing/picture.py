"""A picture: a matplotlib figure that shows itself in a notebook, once, and saves itself."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["Picture", "format_of"]

FORMATS = ("png", "svg", "pdf")


class Picture:
    """A picture of a training: shown in a notebook, saved with `save`, changed through `figure`.

    `figure` is a `matplotlib.figure.Figure`, made without pyplot: nothing is kept open.

    >>> Picture(Figure(figsize=(4, 3)))
    Picture(4 x 3 inches)
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def __repr__(self) -> str:
        across, down = self.figure.get_size_inches()
        return f"Picture({across:g} x {down:g} inches)"

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write a .png, .svg or .pdf file, by the suffix, and return its path. Folders are made.

        Raises:
            ValueError: the suffix is another one.
        """
        content = self._drawn(format_of(path))  # in memory: a failure leaves no file half-written
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def _drawn(self, format: str) -> bytes:
        content = BytesIO()
        self.figure.savefig(content, format=format)
        return content.getvalue()

    def _repr_png_(self) -> bytes:
        return self._drawn("png")


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format of a picture's file by its suffix, or raise `ValueError`."""
    format = Path(path).suffix.removeprefix(".").lower()
    if format not in FORMATS:
        raise ValueError(f"a picture is saved as .png, .svg or .pdf, got {str(path)!r}")
    return format
