"""A kernel in memory, and the arrays that it runs over."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from .llvm import KernelText
from .machine import Code, Machine, this_machine
from .program import Program
from .schedule import shared_slots

__all__ = ["NativeKernel"]

CHUNK = 1024  # rows that are converted at once, where a column is not of doubles in even steps
Pointers = Callable[[int], Any]


class NativeKernel:
    """A program as machine code, over rows.

    Args:
        program: what to compute.
        shared: the slots of the inputs that have one number for all rows; the others are columns.
        reduce: "sum" or "mean" to add up every output over the rows, or None.
        machine: what to make code for; the processor that this runs on, if None.
    """

    def __init__(
        self,
        program: Program,
        shared: Collection[int] = (),
        reduce: str | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.program, self.reduce = program, reduce
        positions = range(len(program.outputs))
        is_shared = shared_slots(program, shared)
        # a sum of what is shared needs no loop over the rows
        totals = [k for k in positions if reduce and not is_shared[program.outputs[k]]]
        written = [] if reduce else positions
        self.text = KernelText(program, shared, written, totals, machine or this_machine())
        self.code = Code(self.text.text(), self.text.machine)
        pointer = ctypes.c_void_p
        self._kernel = self.code.function("kernel", None, ctypes.c_int64, *[pointer] * 5)
        self._single = self.code.function("single", None, pointer)

    def single(self) -> tuple[Any, Callable[[Any], None]]:
        """Return the type of an array of all inputs and outputs, and what fills in the outputs.

        It is for one row, and where nothing is shared.
        """
        return ctypes.c_double * (len(self.program.inputs) + len(self.text.written)), self._single

    def __call__(self, shared: Sequence[float], columns: Sequence[Any]) -> list[Any]:
        """Return the outputs: arrays, or single numbers where the rows are added up or all is one.

        Raises:
            ValueError: the columns are of shapes that do not broadcast.
        """
        shape = np.broadcast_shapes(*[np.shape(column) for column in columns])
        rows = prod(shape)
        numbers = array("d", shared)
        numbers.extend([0.0] * (self.text.room - len(numbers)))
        outs = [np.empty(rows) for _ in self.text.written]
        sums = np.zeros(len(self.text.totals))
        even, odd = _sorted(columns, shape)
        if odd:
            for begin in range(0, rows, CHUNK):
                end = min(begin + CHUNK, rows)
                parts = {j: _chunk(column, begin, end) for j, column in odd.items()}
                moved = {j: (at + begin * step, step) for j, (at, step) in even.items()}
                moved |= {j: (part.ctypes.data, 8) for j, part in parts.items()}
                sums += self._run(end - begin, moved, [out[begin:] for out in outs], numbers)
        else:
            sums += self._run(rows, even, outs, numbers)
        return self._results(shape, rows, outs, sums, numbers)

    def _run(
        self,
        rows: int,
        columns: dict[int, tuple[int, int]],
        outs: list[Any],
        numbers: array[float],
    ) -> Any:
        count = len(self.text.columns)
        sums = np.zeros(len(self.text.totals))
        self._kernel(
            rows,
            (ctypes.c_void_p * count)(*[columns[j][0] for j in range(count)]),
            (ctypes.c_int64 * count)(*[columns[j][1] for j in range(count)]),
            (ctypes.c_void_p * len(outs))(*[out.ctypes.data for out in outs]),
            numbers.buffer_info()[0],
            sums.ctypes.data,
        )
        return sums

    def _results(
        self, shape: tuple[int, ...], rows: int, outs: list[Any], sums: Any, numbers: array[float]
    ) -> list[Any]:
        if not self.reduce:
            return [out.reshape(shape) if shape else float(out[0]) for out in outs]
        totals = dict(zip(self.text.totals, sums.tolist(), strict=True))
        results = []
        for k in range(len(self.program.outputs)):
            if k in totals:
                mean = totals[k] / rows if rows else np.nan
                results.append(totals[k] if self.reduce == "sum" else mean)
            else:
                number = self.text.shared_number(k, numbers)
                results.append(number * rows if self.reduce == "sum" else number)
        return results


def _sorted(
    columns: Sequence[Any], shape: tuple[int, ...]
) -> tuple[dict[int, tuple[int, int]], dict[int, Any]]:
    """Return the address and step of each column that has doubles in even steps, and the others."""
    even: dict[int, tuple[int, int]] = {}
    odd: dict[int, Any] = {}
    for j, column in enumerate(columns):
        if column.dtype == np.float64 and column.dtype.isnative and column.size == 1:
            even[j] = column.ctypes.data, 0
            continue
        whole = np.broadcast_to(column, shape)
        if column.dtype != np.float64 or not column.dtype.isnative:
            odd[j] = whole
        elif whole.flags.c_contiguous:
            even[j] = whole.ctypes.data, 8
        elif whole.ndim == 1:
            even[j] = whole.ctypes.data, whole.strides[0]
        else:
            odd[j] = whole
    return even, odd


def _chunk(column: Any, begin: int, end: int) -> Any:
    return np.ascontiguousarray(column.flat[begin:end], np.float64)
