"""Files that pictures and pages are written to: their format is that of the suffix."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ..files import require_writable, write_file
from ..guards.checks import require_paths

__all__ = ["format_of", "save_drawn"]


def format_of(
    path: str | os.PathLike[str],
    what: str,
    formats: Sequence[str],
    *,
    rare: Collection[str] = (),
    hint: str = "",
) -> str:
    """Return the format that a file has by its suffix; no message lists the rare ones.

    Raises:
        TypeError: it is not a path.
        ValueError: the suffix is missing, or is that of no format.

    >>> format_of("curves.PNG", "a picture", ["png", "svg"])
    'png'
    >>> format_of("curves", "a picture", ["png", "svg", "pdf"])
    Traceback (most recent call last):
      ...
    ValueError: a picture is saved as .png, .svg or .pdf, got 'curves'
    """
    require_paths(path=path)
    format = Path(path).suffix.removeprefix(".").lower()
    if format not in formats and format not in rare:
        *others, last = (f".{name}" for name in formats)
        known = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{what} is saved as {known}, got {os.fspath(path)!r}{hint}")
    return format


def save_drawn(path: str | os.PathLike[str], draw: Callable[[], bytes]) -> str:
    """Write what a function draws, and return the file's path; it draws if that can be written."""
    require_writable(path)
    return write_file(path, draw())
