"""Records: what machine code is told of a program or a training, as one array in memory.

A field of a record is an address or a whole number. A name in capitals is that of a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

__all__ = ["Record", "addresses", "text_of"]


class Record:
    """Named fields of 8 bytes, for machine code that `text_of` made for the same fields.

    An array as a field is its address; the record keeps the array alive.

    >>> record = Record(("COUNT", "numbers"), COUNT=3)
    >>> record["COUNT"]
    3
    """

    def __init__(self, fields: Sequence[str], **values: Any) -> None:
        self._places = {name: i for i, name in enumerate(fields)}
        self._data = np.zeros(len(fields), np.int64)
        self._alive: dict[str, Any] = {}
        self.address: int = self._data.ctypes.data
        self.set(**values)

    def set(self, **values: Any) -> None:
        """Set some of the fields."""
        for name, x in values.items():
            self._alive[name] = x
            self._data[self._places[name]] = x.ctypes.data if isinstance(x, np.ndarray) else x

    def __getitem__(self, name: str) -> int:
        return int(self._data[self._places[name]])


def addresses(arrays: Any) -> Any:
    """Return the addresses of arrays, as an array; they must be kept alive besides."""
    return np.array([array.ctypes.data for array in arrays], np.int64)


def text_of(room: str, name: str, fields: Sequence[str], **values: Any) -> str:
    """Return the IR of a file in a room, with `$LOADS` where a function loads its record.

    The record's address is %record, and each field is loaded into its name in small letters.
    """
    loads = []
    for i, field in enumerate(fields):
        kind, variable = "i64" if field.isupper() else "ptr", f"%{field.lower()}"
        loads.append(f"  {variable}.field = getelementptr i64, ptr %record, i64 {i}")
        loads.append(f"  {variable} = load {kind}, ptr {variable}.field")
    text = Template((files(room) / name).read_text())
    return text.substitute(values, LOADS="\n".join(loads))
