"""A picture: a matplotlib figure that shows itself in a notebook, once, and saves itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from io import BytesIO

from matplotlib.figure import Figure

from ..core.sequences import as_list
from ..guards.checks import quote
from .files import format_of, save_drawn
from .labels import printable, shorten, xml_text
from .notebook import image_by_theme

__all__ = ["Picture", "format_of_picture", "plottable", "plottable_labels"]

# control characters, and one that matplotlib leaves out of a PDF and then does not find there
UNPLOTTABLE = re.compile("[\x00-\x1f\x7f\ufeff]")
LARGEST = 400_000  # bytes of an SVG in a notebook; beyond it, pixels are shown, on white


class Picture:
    """A picture of a training: shown in a notebook, saved with `save`, changed through `figure`.

    `figure` is a `matplotlib.figure.Figure`, made without pyplot: nothing is kept open.
    `alternative` is its description in words.

    >>> Picture(Figure(figsize=(4, 3)))
    Picture(4 x 3 inches)
    """

    def __init__(self, figure: Figure, alternative: str = "") -> None:
        self.figure = figure
        self.alternative = xml_text(alternative) or repr(self)

    def __repr__(self) -> str:
        across, down = self.figure.get_size_inches()
        return f"Picture({across:g} x {down:g} inches)"

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write a .png, .svg or .pdf file, by the suffix, and return its path; make its folders.

        Raises:
            ValueError: the suffix is another one.
            OSError: the file cannot be written, and is as it was.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Picture(Figure()).save(f"{folder}/curves.svg")
        """
        format = format_of_picture(path)
        return save_drawn(path, lambda: self._render(format))

    def _render(self, format: str) -> bytes:
        content = BytesIO()
        metadata: dict[str, str | None] = {"Title": self.alternative}
        if format == "svg":
            metadata["Date"] = None  # the same picture is the same text
        self.figure.savefig(content, format=format, metadata=metadata)
        drawn = content.getvalue()
        return number_ids(xml_text(drawn.decode())).encode() if format == "svg" else drawn

    def _repr_png_(self) -> bytes:
        return self._render("png")

    def _repr_mimebundle_(
        self, **_: object
    ) -> tuple[dict[str, str | bytes], dict[str, dict[str, str]]]:
        """Return what a notebook shows, and its text for those who cannot see it."""
        data: dict[str, str | bytes] = {"image/png": self._repr_png_(), "text/plain": repr(self)}
        if len(svg := self._render("svg").decode()) <= LARGEST:
            data["text/html"] = image_by_theme(svg, self.alternative)
        return data, {"image/png": {"alt": self.alternative}}


def number_ids(svg: str) -> str:
    """Return an SVG of matplotlib with numbers in place of the ids that it draws at random.

    >>> number_ids('<a id="p0123456789"/><b clip-path="url(#p0123456789)"/>')
    '<a id="n1"/><b clip-path="url(#n1)"/>'
    """
    found = dict.fromkeys(re.findall(r'id="([A-Za-z]+[0-9a-f]{10})"', svg))
    numbers = {name: f"n{i}" for i, name in enumerate(found, start=1)}
    return re.sub(
        r'(?<=[#"])[A-Za-z]+[0-9a-f]{10}(?=[")])', lambda name: numbers.get(name[0], name[0]), svg
    )


def plottable(text: str, most: int = 24) -> str:
    r"""Return text shortened to one line, without what matplotlib's fonts and SVG do not have.

    >>> plottable("two\nlines")
    'two lines'
    """
    return shorten(printable(UNPLOTTABLE.sub("�", " ".join(text.split()))), most)


def plottable_labels(name: str, labels: Iterable[object] | None, count: int) -> list[str]:
    """Return `count` labels as plottable text; all are empty if there are none.

    Raises:
        ValueError: there are more labels, or fewer.
        TypeError: they are not a list, or contain themselves.

    >>> plottable_labels("outputs", ["a", 1], 2)
    ['a', '1']
    """
    if labels is None:
        return [""] * count
    given = as_list(labels, f"`{name}` must be a list of labels")
    if len(given) != count:
        raise ValueError(f"`{name}` must be {count} labels, one for each, got {quote(given)}")
    try:
        return [plottable(str(label)) for label in given]
    except RecursionError:
        raise TypeError(f"`{name}` must be strings or numbers, got {quote(given)}") from None


def format_of_picture(path: str | os.PathLike[str]) -> str:
    """Return the format of a picture's file by its suffix, or raise `ValueError`."""
    return format_of(path, "a picture", ("png", "svg", "pdf"))
