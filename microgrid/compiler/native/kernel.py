"""A kernel in memory, and the arrays that it runs over."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..partition import find_shared
from ..program import Program
from .llvm import KernelText
from .machine import Code, Machine, this_machine
from .records import ADDRESS, COUNT, Record, ir_of

__all__ = ["ArrayKernel", "Kernel", "driver"]

CHUNK = 1024  # rows that are converted at once, where a column is not of doubles in even steps
DOUBLE = np.dtype(np.float64)

Floats = NDArray[np.float64]
Column = NDArray[Any]  # of real numbers of any dtype
Numbers = ctypes.Array[ctypes.c_double]
Strided = tuple[int, int]  # the address of a column's first row, and the bytes to the next one


class KernelRecord(Record):
    """What the driver is told of a kernel, as driver.ll reads it."""

    _fields_ = (
        *[(f"{what}_count", COUNT) for what in ("column", "out", "total", "scratch", "part")],
        *(("parts", ADDRESS), ("once_count", COUNT), ("once", ADDRESS), ("room", COUNT)),
    )


@cache
def driver(machine: Machine) -> Code:
    """Return the code of driver.ll, which all kernels of a machine share."""
    lanes = ", ".join(f"i64 {lane}" for lane in range(machine.width))
    sizes = {"W": machine.width, "BYTES": 8 * machine.width, "LANES": lanes}
    return Code(ir_of(__package__, "driver.ll", KernelRecord, **sizes), machine)


class Kernel:
    """The machine code of a kernel's text, and the record that the driver runs it by."""

    def __init__(self, text: KernelText) -> None:
        self.text = text
        self.code = code = Code(text.ir(), text.machine)
        parts = [code.address(name) for name in text.parts]
        once = [code.address(name) for name in text.once]
        self.record = KernelRecord(
            code,
            column_count=len(text.columns),
            out_count=len(text.written),
            total_count=len(text.totals),
            scratch_count=text.partition.scratch_size,
            part_count=len(parts),
            parts=np.array(parts, np.int64),
            once_count=len(once),
            once=np.array(once, np.int64),
            room=text.room,
        )
        self._run = driver(text.machine).function("kernel", ADDRESS, COUNT, *[ADDRESS] * 6)

    def bind(
        self,
        rows: int,
        columns: Sequence[Strided],
        outs: Sequence[int],
        shared: Floats,
        sums: Floats,
        lanes: Floats | None = None,
    ) -> Callable[[], None]:
        """Return a call that computes rows. All arrays must live as long as it is used.

        Args:
            rows: how many.
            columns: where the rows of each column are.
            outs: the addresses of the arrays to fill.
            shared: the shared numbers, with room for all that are kept.
            sums: an array for the totals.
            lanes: the totals of earlier rows, lane by lane, which go on here; None if there are
                none.
        """
        count = len(columns)
        return partial(
            self._run,
            self.record.address,
            rows,
            (ADDRESS * count)(*[address for address, _ in columns]),
            (COUNT * count)(*[step for _, step in columns]),
            (ADDRESS * len(outs))(*outs),
            shared.ctypes.data if len(shared) else None,
            sums.ctypes.data if len(sums) else None,
            None if lanes is None else lanes.ctypes.data,
        )


class ArrayKernel:
    """A program as machine code, over arrays.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows; the others are
            columns.
        reduce: "sum" or "mean" to add up every output over the rows, or None.
        machine: what to make code for; the processor that this runs on, if None.
    """

    def __init__(
        self,
        program: Program,
        shared_inputs: Collection[int] = (),
        reduce: str | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.program, self.reduce = program, reduce
        positions = range(len(program.outputs))
        is_shared = find_shared(program, shared_inputs)
        # a sum of what is shared needs no loop over the rows
        totals = [k for k in positions if reduce and not is_shared[program.outputs[k]]]
        # a constant needs no code
        self.constants = [program.constant_at(slot) for slot in program.outputs]
        written = [k for k in positions if not reduce and self.constants[k] is None]
        self.text = KernelText(program, shared_inputs, written, totals, machine or this_machine())
        self.kernel = Kernel(self.text)

    def single(self) -> tuple[type[Numbers], Callable[[Numbers], None]]:
        """Return the type of an array of all inputs and outputs, and what fills in the outputs.

        It is for one row, and where nothing is shared.
        """
        fill = driver(self.text.machine).function("single", ADDRESS, ADDRESS)
        numbers = ctypes.c_double * (len(self.program.inputs) + len(self.text.written))
        return numbers, partial(fill, ctypes.byref(self.kernel.record))

    def __call__(
        self, shared: Floats | Sequence[float], columns: Sequence[Column]
    ) -> list[Floats | float] | Floats:
        """Return the outputs: a list of arrays or numbers; an array, where rows are added up.

        Raises:
            ValueError: the columns are of shapes that do not broadcast.
        """
        shape = _common_shape(columns)
        rows = prod(shape)
        numbers = np.empty(self.text.room)
        numbers[: len(shared)] = shared
        outs = [np.empty(rows) for _ in self.text.written]
        sums = np.empty(len(self.text.totals))
        even, odd = _sort(columns, shape)
        if odd:
            self._run_in_chunks(rows, even, odd, outs, numbers, sums)
        else:
            places = [even[j] for j in range(len(columns))]
            self.kernel.bind(rows, places, [x.ctypes.data for x in outs], numbers, sums)()
        if self.reduce:
            return self._total(rows, sums, numbers)
        filled = iter(outs)
        results = [next(filled) if c is None else np.full(rows, c) for c in self.constants]
        return [out.reshape(shape) if shape else float(out[0]) for out in results]

    def _run_in_chunks(
        self,
        rows: int,
        even: Mapping[int, Strided],
        odd: Mapping[int, Column],
        outs: Sequence[Floats],
        numbers: Floats,
        sums: Floats,
    ) -> None:
        """Compute rows, of which some columns are converted piece by piece."""
        lanes = np.zeros((len(sums), self.text.machine.width))
        for begin in range(0, max(rows, 1), CHUNK):
            count = min(CHUNK, rows - begin)
            chunks = {
                j: np.ascontiguousarray(column.flat[begin : begin + count], DOUBLE)
                for j, column in odd.items()
            }
            places = {j: (address + begin * step, step) for j, (address, step) in even.items()}
            places |= {j: (chunk.ctypes.data, 8) for j, chunk in chunks.items()}
            ordered = [places[j] for j in range(len(places))]
            ends = [out.ctypes.data + 8 * begin for out in outs]
            self.kernel.bind(count, ordered, ends, numbers, sums, lanes)()

    def _total(self, rows: int, sums: Floats, numbers: Floats) -> Floats:
        """Return the sums or means of all outputs: no rows have the sum 0 and the mean nan."""
        is_mean = self.reduce == "mean"
        if not rows:
            return np.full(len(self.program.outputs), np.nan if is_mean else 0.0)
        totals = sums / rows if is_mean else sums
        if len(totals) == len(self.program.outputs):
            return totals
        results = np.empty(len(self.program.outputs))
        results[self.text.totals] = totals
        for k in set(range(len(results))) - set(self.text.totals):
            results[k] = self.text.number_of(k, numbers) * (1 if is_mean else rows)
        return results


def _common_shape(columns: Sequence[Column]) -> tuple[int, ...]:
    """Return the shape that columns broadcast to."""
    shapes = {column.shape for column in columns} - {()}
    if len(shapes) > 1:
        return np.broadcast_shapes(*shapes)
    return shapes.pop() if shapes else ()


def _sort(
    columns: Sequence[Column], shape: tuple[int, ...]
) -> tuple[dict[int, Strided], dict[int, Column]]:
    """Return where the columns of doubles in even steps are, and the other columns."""
    even: dict[int, Strided] = {}
    odd: dict[int, Column] = {}
    for j, column in enumerate(columns):
        if column.dtype != DOUBLE:
            odd[j] = np.broadcast_to(column, shape)
        elif column.size == 1:
            even[j] = column.ctypes.data, 0
        elif column.shape == shape and column.flags.c_contiguous:
            even[j] = column.ctypes.data, 8
        elif column.shape == shape and column.ndim == 1:
            even[j] = column.ctypes.data, column.strides[0]
        else:
            odd[j] = np.broadcast_to(column, shape)
    return even, odd
