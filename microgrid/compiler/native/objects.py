"""Python's objects as machine code sees them, and machine code as functions that Python calls.

A call through `ctypes` takes 0.3 µs, and 0.1 more for each argument; one of a built-in function
written in C takes 0.05. So objects.ll has functions of that kind.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.machine import Code

__all__ = ["LAYOUT", "builtin"]

# What objects.ll must know: where an object's own fields begin, and objects that it meets.
LAYOUT = {
    "HEADER": object.__basicsize__,
    **{"NONE": id(None), "FLOAT": id(float)},
    **{"NDARRAY": id(np.ndarray), "DOUBLE": id(np.dtype(np.float64))},
}

FASTCALL = 0x80  # METH_FASTCALL: the arguments come as an array of objects


class Definition(ctypes.Structure):
    """A function for Python: PyMethodDef of its C headers."""

    _fields_ = (
        *(("name", ctypes.c_char_p), ("address", ctypes.c_void_p)),
        *(("flags", ctypes.c_int), ("text", ctypes.c_char_p)),
    )


_make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


def builtin(code: Code, name: str, address: int, *alive: object) -> Callable[..., Any]:
    """Return a function of objects.ll, for the record at an address.

    What must live as long as the function is the rest of the arguments.
    """
    definition = Definition(name.encode(), code.address(name), FASTCALL, None)
    bound = (address, code, definition, *alive)
    function: Callable[..., Any] = _make(ctypes.addressof(definition), bound, None)
    return function
