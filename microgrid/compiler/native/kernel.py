"""A kernel in memory, and the arrays that it runs over."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np

from ...core.primitive import CONSTANT
from ..ir.loops import text_of
from ..ir.machine import Code, Machine, this_machine
from ..ir.text import FunctionsText
from ..program import Goal, Program, find_shared
from ..threads import Team
from .memory import empty
from .objects import LAYOUT, builtin
from .records import ADDRESS, COUNT, NativeRecord, ir_of
from .rows import DOUBLE, CallRows, Column, Floats, chunk_of, chunks_of, rows_of

__all__ = ["NOTHING", "NO_ARRAYS", "ArrayKernel", "Kernel", "are_alike", "common_shape", "driver"]

MANY = 8  # columns, which machine code looks at sooner than Python
NOTHING = np.empty(0)
NO_ARRAYS: Mapping[int, Floats] = {}

Strided = tuple[int, int]  # the address of a column's first row, and the bytes to the next one


class KernelRecord(NativeRecord):
    """What the driver is told of a kernel, as driver.ll reads it."""

    _fields_ = (
        *[(f"{what}_count", COUNT) for what in ("column", "out", "total", "scratch", "part")],
        *(("parts", ADDRESS), ("once_count", COUNT), ("once", ADDRESS), ("room", COUNT)),
        *(("group_blocks", COUNT), ("sum_count", COUNT), ("total_places", ADDRESS)),
        ("pack", COUNT),
    )


@cache
def driver(machine: Machine) -> Code:
    """Return the code of driver.ll and objects.ll, which all kernels of a machine share."""
    width = machine.width
    lanes = ", ".join(f"i64 {lane}" for lane in range(width))
    sizes = {"W": width, "LAST_LANE": width - 1, "BYTES": 8 * width, "LANES": lanes}
    files = (("driver.ll", sizes), ("objects.ll", LAYOUT))
    ir = "".join(ir_of(__package__, file, KernelRecord, **values) for file, values in files)
    return Code(ir, machine, effort=0)


@cache
def _alike() -> Callable[..., bool]:
    return builtin(driver(this_machine()), "are_alike", 0)


def are_alike(parts: Iterable[object]) -> bool:
    """Return whether all are arrays of doubles, and of one shape.

    >>> are_alike([np.ones(2), np.ones(2)]), are_alike([np.ones(2), np.ones(3)])
    (True, False)
    """
    return _alike()(*parts)


def common_shape(columns: Sequence[Column]) -> tuple[int, ...]:
    """Return the shape that columns broadcast to.

    Raises:
        ValueError: they are of shapes that do not broadcast.
    """
    arrays: Sequence[Any] = columns  # as `isinstance`, which checkers know, takes half of the time
    if len(arrays) >= MANY and are_alike(arrays):
        return tuple(arrays[0].shape)
    shape: tuple[int, ...] = ()
    for column in arrays:
        own = () if type(column) is float else column.shape
        if own != shape:
            if shape and own:
                return np.broadcast_shapes(*{x.shape for x in arrays if type(x) is not float})
            shape = shape or own
    return shape


class Kernel:
    """The machine code of a kernel's text, and the record that the driver runs it by.

    `of_floats` and `of_arrays` are functions of objects.ll, which say there what they take, and
    `of_more_arrays` is `of_arrays` for when the numbers that all rows share are computed already.
    `effort` is that of `Code`, and changes no bit of what is computed.
    """

    def __init__(self, text: FunctionsText, effort: int = 1) -> None:
        self.text = text
        self.code = code = Code(text.ir(), text.machine, effort)
        parts = [code.address(name) for name in text.parts]
        once = [code.address(name) for name in text.once]
        self.record, more = (
            KernelRecord(
                code,
                column_count=len(text.columns),
                out_count=len(text.written),
                total_count=text.lane_totals,
                sum_count=len(text.totals),
                pack=text.packs,
                total_places=np.arange(len(text.totals)),
                scratch_count=text.scratch_size,
                part_count=len(parts),
                parts=np.array(parts, np.int64),
                once_count=once_count,
                once=np.array(once, np.int64),
                room=text.room,
                group_blocks=_blocks_of(text),
            )
            for once_count in (len(once), 0)
        )
        shared_code = driver(text.machine)
        self._run = shared_code.function("bound", ADDRESS)
        self.of_floats, self.of_arrays, self.of_more_arrays = (
            builtin(shared_code, name, record.address, record)
            for name, record in [
                ("of_floats", self.record),
                ("of_arrays", self.record),
                ("of_arrays", more),
            ]
        )

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
        lists = (
            (ADDRESS * count)(*[address for address, _ in columns]),
            (COUNT * count)(*[step for _, step in columns]),
            (ADDRESS * len(outs))(*outs),
        )
        numbers = [0 if x is None or not len(x) else x.ctypes.data for x in (shared, sums, lanes)]
        given = (self.record.address, rows, *[ctypes.addressof(x) for x in lists], *numbers)
        call: Any = (COUNT * len(given))(*given)
        call.alive = lists
        return partial(self._run, call)


class ArrayKernel:
    """A program as machine code, over arrays.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows; the others are
            columns.
        reduce: "sum" or "mean" to add up every output over the rows, or None.
        machine: what to make code for; the processor that this runs on, if None.
        threads: how many threads share the rows, at most; None for as many as there are processors.
        write: what writes the IR: `text_of`, or the class of a text.
    """

    def __init__(
        self,
        program: Program,
        shared_inputs: Collection[int] = (),
        reduce: str | None = None,
        machine: Machine | None = None,
        threads: int | None = 1,
        write: Callable[[Goal, Machine], FunctionsText] = text_of,
    ) -> None:
        self.program, self.reduce = program, reduce
        self.team = None if threads == 1 else Team(threads)
        positions = range(len(program.outputs))
        # a sum of what is shared needs no loop over the rows
        is_shared = find_shared(program, shared_inputs) if reduce else []
        totals = [k for k in positions if reduce and not is_shared[program.outputs[k]]]
        # a constant needs no code
        numbers = {slot: x[0] for slot, op, x in program.walk() if op is CONSTANT}
        self.constants: list[float | None] = [numbers.get(slot) for slot in program.outputs]
        written = [k for k in positions if not reduce and self.constants[k] is None]
        goal = Goal(program, shared_inputs, written, totals)
        self.text = write(goal, machine or this_machine())
        self.kernel = Kernel(self.text)

    def __call__(
        self,
        shared: Floats | Sequence[float],
        columns: Sequence[Column],
        shape: tuple[int, ...] | None = None,
        outs: Mapping[int, Floats] = NO_ARRAYS,
    ) -> list[Floats | float] | Floats:
        """Return the outputs: a list of arrays or numbers; an array, where rows are added up.

        Args:
            shared: the numbers that all rows share.
            columns: the other inputs.
            shape: the shape of the rows; that of the columns, if None.
            outs: the arrays for some outputs, by position: of doubles in C order, of that shape,
                which have no memory in common with columns.

        Raises:
            ValueError: the columns are of shapes that do not broadcast.
        """
        shape = common_shape(columns) if shape is None else shape
        rows = prod(shape)
        numbers = self._numbers(shared, is_safe=not outs)
        sums = empty((chunks_of(rows), len(self.text.totals))) if self.reduce else None
        written = [outs[k] if k in outs else empty(shape) for k in self.text.written]
        self.compute(shape, numbers, sums, written, columns)
        if sums is not None:
            return self._total(rows, sums, numbers)
        results: list[Floats | float] = [*written]
        if len(written) < len(self.constants):
            filled = iter(written)
            results = [next(filled) if c is None else _full(shape, c) for c in self.constants]
        return results if shape else [*map(float, results)]

    def _numbers(self, shared: Floats | Sequence[float], is_safe: bool) -> Floats:
        """Return the numbers that all rows share, with room for all that are kept.

        It is safe to take an array as it is if no results go into arrays that the caller has.
        """
        if not (room := self.text.room):
            return NOTHING
        if is_safe and type(shared) is np.ndarray and shared.dtype is DOUBLE:
            flags = shared.flags
            if len(shared) == room and flags.c_contiguous and flags.aligned:
                return shared
        numbers = np.array(shared, float)  # of a list, the quickest way
        if len(numbers) < room:
            numbers.resize(room, refcheck=False)
        return numbers

    def team_for(self, rows: int) -> Team | None:
        """Return the threads that share a number of rows; None if one thread computes them."""
        team = self.team
        return team if team and chunks_of(rows) > 1 and team.divides(rows) else None

    def compute(
        self,
        shape: tuple[int, ...],
        numbers: Floats,
        sums: Floats | None,
        outs: Sequence[Floats],
        columns: Sequence[Column],
    ) -> None:
        """Fill the arrays for sums and outputs, with one thread, or with as many as pay off.

        Args:
            shape: the shape of the rows.
            numbers: the numbers that all rows share, with room for all that are kept.
            sums: an array with a line for each chunk; None if nothing is added up.
            outs: an array in C order for each output.
            columns: all columns.
        """
        rows, run = prod(shape), self.kernel.of_arrays
        chunk, team = chunk_of(rows), self.team and self.team_for(rows)
        if not team and run(rows, chunk, numbers, sums, None, *outs, *columns):
            return
        parts = [rows_of(column, shape) for column in columns]
        if not team and run(rows, chunk, numbers, sums, None, *outs, *parts):
            return
        lanes = self.text.lane_totals, self.text.machine.width
        flat = [out.reshape(-1) for out in outs]
        call = CallRows(run, chunk, numbers, lanes, sums, flat, parts)
        if team:
            team.run(call.compute, rows, chunk)
        else:
            call.compute(0, rows)

    def _total(self, rows: int, sums: Floats, numbers: Floats) -> Floats:
        """Return the sums or means of all outputs: no rows have the sum 0 and the mean nan."""
        is_mean = self.reduce == "mean"
        if not rows:
            return np.full(len(self.program.outputs), np.nan if is_mean else 0.0)
        totals: Floats = sums[0]
        if len(sums) > 1:  # then they get memory of their own, as they may be results
            totals = np.add(totals, sums[1], out=empty(totals.shape))
            for chunk in sums[2:]:  # a sum along an axis may take another order
                totals += chunk
        if is_mean:
            totals /= rows
        if len(totals) == len(self.program.outputs):
            return totals
        results = np.empty(len(self.program.outputs))
        results[self.text.totals] = totals
        for k in set(range(len(results))) - set(self.text.totals):
            results[k] = self.text.number_of(k, numbers) * (1 if is_mean else rows)
        return results


def _blocks_of(text: FunctionsText) -> int:
    """Return how many blocks a part runs for before the next one starts."""
    numbers = max(text.scratch_size + len(text.columns), 1)
    most = text.most_bytes // (8 * text.machine.width * numbers)
    most = min(max(most, 1), text.most_blocks)
    return 1 << (most.bit_length() - 1)  # a power of two: rows that come in pieces are whole groups


def _full(shape: tuple[int, ...], number: float) -> Floats:
    array = empty(shape)
    array.fill(number)
    return array
