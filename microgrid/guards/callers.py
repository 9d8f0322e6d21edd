"""The user's code that is being executed: the frames outside of this package."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

__all__ = ["calls_where", "line_of_caller"]

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


def line_of_caller() -> str:
    """Return the line of code outside of this package, and of NumPy, that is being executed."""
    frame = next(_outside(), None)
    if frame is None:
        return ""
    name, number = frame.f_code.co_filename, frame.f_lineno
    code = linecache.getline(name, number, frame.f_globals).strip()
    return f"made in line {number} of {name}" + (f": {code}" if code else "")


def calls_where() -> bool:
    """Return whether the function that calls this package has a `where`, or one of its callers.

    A caller counts as long as it is a function of the same file.
    """
    file = None
    for frame in _outside():
        code = frame.f_code
        if file and (code.co_filename != file or code.co_name == "<module>"):
            return False
        if "where" in (*code.co_names, *code.co_varnames, *code.co_freevars):
            return True
        file = code.co_filename
    return False


def _outside() -> Iterator[FrameType]:
    """Yield the frames outside of this package and of NumPy, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        module = str(frame.f_globals.get("__name__"))
        if not frame.f_code.co_filename.startswith(PACKAGE) and not module.startswith("numpy."):
            yield frame
        frame = frame.f_back
