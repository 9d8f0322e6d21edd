"""A picture: a matplotlib figure that shows itself in a notebook, once, and saves itself."""

from __future__ import annotations

import os
from io import BytesIO

from matplotlib.figure import Figure

from .files import format_of, write_file

__all__ = ["Picture", "format_of_picture"]


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
        format = format_of_picture(path)
        return write_file(path, self._drawn(format))

    def _drawn(self, format: str) -> bytes:
        content = BytesIO()
        self.figure.savefig(content, format=format)
        return content.getvalue()

    def _repr_png_(self) -> bytes:
        return self._drawn("png")


def format_of_picture(path: str | os.PathLike[str]) -> str:
    """Return the format of a picture's file by its suffix, or raise `ValueError`."""
    return format_of(path, "a picture", ("png", "svg", "pdf"))
