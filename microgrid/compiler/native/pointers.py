"""A kernel as functions of C, which other programs call: of doubles, and of an array of doubles."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ..ir.emitter import bits_of
from ..ir.machine import Code
from .kernel import ArrayKernel, driver

__all__ = ["Pointers"]


class Pointers:
    """`double of_numbers(double, …)` and `double of_array(int, double *)`, which are one function.

    They compute the only output of a kernel that has single numbers for columns, with the bits that
    it gives. Any thread may call them, without Python and its lock, for as long as this lives.
    """

    def __init__(self, kernel: ArrayKernel) -> None:
        self._code = Code(_ir(kernel), kernel.text.machine)
        self._alive = kernel
        self.count = len(kernel.text.columns)
        self.of_numbers, self.of_array = map(self._code.address, ("of_numbers", "of_array"))

    def function(self, *, of_array: bool = False) -> Callable[..., float]:
        """Return one of them for ctypes, and for what takes such functions; it keeps the code."""
        kinds: list[Any] = [ctypes.c_double] * self.count
        if of_array:
            kinds = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
        made: Any = ctypes.CFUNCTYPE(ctypes.c_double, *kinds)(
            self.of_array if of_array else self.of_numbers
        )
        made.alive = self
        function: Callable[..., float] = made
        return function


def _ir(kernel: ArrayKernel) -> str:
    """Return the IR of both functions: a call of the driver for one row, on the stack alone."""
    count, (constant,) = len(kernel.text.columns), kernel.constants
    run, record = driver(kernel.text.machine).address("bound"), kernel.kernel.record.address
    call = [f"i64 {record}", "i64 1", *("ptr %columns", "ptr %strides", "ptr %outs", "ptr %shared")]
    columns = [(f"x{k}", "%xs", "double", k) for k in range(count)]
    fields = [(f"call{k}", "%call", "i64", k) for k in range(len(call))]
    places = [(f"column{k}", "%columns", "ptr", k) for k in range(count)]
    stores = [(f"ptr %x{k}", f"%column{k}") for k in range(count)]
    stores += [(value, f"%call{k}") for k, value in enumerate(call)]
    result = bits_of(constant) if constant is not None else "%result"
    parameters = ", ".join(f"double %given{k}" for k in range(count))
    given = [(f"double %given{k}", f"%x{k}") for k in range(count)]
    return f"""
define double @of_array(i32 %count, ptr %xs) {{
  %columns = alloca [{count} x ptr]
  %strides = alloca [{count} x i64]
  %out = alloca double
  %outs = alloca ptr
  %shared = alloca [{kernel.text.room} x double]
  %call = alloca [8 x i64]
  store [{count} x i64] zeroinitializer, ptr %strides
  store [8 x i64] zeroinitializer, ptr %call
  store ptr %out, ptr %outs
{_elements(columns + places + fields)}
{_stores(stores)}
  %run = inttoptr i64 {run} to ptr
  call void %run(ptr %call)
  %result = load double, ptr %out
  ret double {result}
}}
define double @of_numbers({parameters}) {{
  %xs = alloca [{count} x double]
{_elements(columns)}
{_stores(given)}
  %result = call double @of_array(i32 {count}, ptr %xs)
  ret double %result
}}
"""


def _elements(places: list[tuple[str, str, str, int]]) -> str:
    return "\n".join(
        f"  %{name} = getelementptr {kind}, ptr {array}, i64 {k}" for name, array, kind, k in places
    )


def _stores(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"  store {value}, ptr {place}" for value, place in pairs)
