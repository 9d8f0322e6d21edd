"""Records: what machine code is told of a kernel, as one structure in memory."""

from __future__ import annotations

import ctypes
import re
from importlib.resources import files
from string import Template

import numpy as np
from numpy.typing import NDArray

__all__ = ["ADDRESS", "COUNT", "NativeRecord", "ir_of"]

# The kinds of fields: both have 8 bytes.
COUNT = ctypes.c_int64
ADDRESS = ctypes.c_void_p
_IR_TYPES = {COUNT: "i64", ADDRESS: "ptr"}
_REPEATS = re.compile(r"; (\d+) times:\n(.*?); end\.\n", re.DOTALL)


class NativeRecord(ctypes.Structure):
    """Named counts and addresses, for machine code that `ir_of` made for the same type of record.

    An array in place of an address is the address of its data. The record keeps it alive, and
    what else it is given to keep.

    >>> class Pair(NativeRecord):
    ...     _fields_ = (("count", COUNT), ("numbers", ADDRESS))
    >>> Pair(count=3).count
    3
    """

    def __init__(self, *kept_alive: object, **values: int | NDArray[np.generic]) -> None:
        super().__init__()
        self.address = ctypes.addressof(self)
        self._kept_alive = kept_alive
        self._arrays: dict[str, NDArray[np.generic]] = {}
        self.set(**values)

    def set(self, **values: int | NDArray[np.generic]) -> None:
        """Set some of the fields."""
        for name, x in values.items():
            if isinstance(x, np.ndarray):
                self._arrays[name] = x
                x = x.ctypes.data
            setattr(self, name, x)


def ir_of(room: str, file: str, record: type[NativeRecord], **values: object) -> str:
    """Return the IR of a file in a room, with `$LOADS` where a function loads its record.

    The record's address is %record, and its field `column_count` is loaded into %column.count.
    Lines between `; 4 times:` and `; end.` are written four times, `#` being 0, 1, 2 and 3.
    """
    loads = []
    for i, (name, kind, *_) in enumerate(record._fields_):
        variable = f"%{name.replace('_', '.')}"
        loads.append(f"  {variable}.field = getelementptr i64, ptr %record, i64 {i}")
        loads.append(f"  {variable} = load {_IR_TYPES[kind]}, ptr {variable}.field")
    text = Template((files(room) / file).read_text())
    return _REPEATS.sub(_repeat, text.substitute(values, LOADS="\n".join(loads)))


def _repeat(lines: re.Match[str]) -> str:
    return "".join([lines[2].replace("#", str(i)) for i in range(int(lines[1]))])
