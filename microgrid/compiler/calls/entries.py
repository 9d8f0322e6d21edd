"""What was compiled for arguments of one structure, and the calls that need nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import graph
from ...engine import Value
from ..native.kernel import NO_ARRAYS, NOTHING, ArrayKernel
from ..native.memory import LARGE, empty
from ..native.pointers import Pointers
from ..native.rows import DOUBLE
from ..program import Program
from .outs import is_ready
from .results import Fill, Sums, Template, filler

__all__ = ["Direct", "Entry"]

NUMBERS = {int, bool, *(np.dtype(code).type for code in "?bBhHiIlLqQefdg")}  # that are no `Value`


@dataclass(eq=False, slots=True)
class Entry:
    """What was compiled for arguments of one structure.

    `kernel` computes each number once that the program returns, and `template` says where they are
    in what f returned. `captured` are leaves from outside that became constants, with the data that
    they had at a time: `clock`. `fill` makes what f returns of the outputs. `pointers` are the same
    as functions of C.
    """

    program: Program
    shared_inputs: tuple[int, ...]
    template: Template
    kernel: ArrayKernel
    captured: tuple[Value, ...] = ()
    clock: int = 0
    fill: Fill = field(init=False)
    pointers: Pointers | None = None  # once they are asked for

    def __post_init__(self) -> None:
        self.fill = filler(self.template)

    def is_current(self) -> bool:
        """Return whether no captured leaf has changed."""
        if self.clock != graph.clock:
            if not all(graph.is_older(leaf, self.clock + 1) for leaf in self.captured):
                return False
            self.clock = graph.clock
        return True

    def outputs(
        self,
        shared: NDArray[Any] | Sequence[float],
        columns: Sequence[NDArray[np.generic] | float],
        shape: tuple[int, ...],
        outs: Mapping[int, NDArray[np.float64]] = NO_ARRAYS,
    ) -> Sequence[object]:
        """Return the outputs of the kernel, each an array of a shape or a number."""
        found = self.kernel(shared, columns, shape, outs)
        return Sums(found) if isinstance(found, np.ndarray) else found

    def kernel_maker(self, reduce: str | None, threads: int | None) -> Callable[[], ArrayKernel]:
        """Return what makes its kernel, in another process too, with a `reduce` of its own."""
        program, shared = self.kernel.program, self.shared_inputs
        return partial(ArrayKernel, program, shared, reduce, threads=threads)


class Direct:
    """The commonest calls, without any detour: with numbers, and with arrays of doubles alike.

    It is for an entry whose arguments are single numbers, not shared, and whose outputs depend on
    them, or are added up. It takes a call's arguments, and returns None if they are others.
    """

    __slots__ = (
        *("_count", "_has_team", "_is_alone", "_is_of_rows", "_of_arrays", "_of_floats"),
        "entry",
    )

    def __init__(self, entry: Entry) -> None:
        kernel = entry.kernel.kernel
        self.entry, self._count = entry, len(kernel.text.written)
        self._is_of_rows = not entry.kernel.reduce
        self._is_alone = self._is_of_rows and type(entry.template) is int  # and in no list
        self._of_floats, self._of_arrays = kernel.of_floats, kernel.of_arrays
        self._has_team = entry.kernel.team is not None

    def __call__(self, args: tuple[object, ...]) -> object:
        """Return the result; None if it takes a detour."""
        if self.entry.clock != graph.clock and not self.entry.is_current():
            return None
        outputs = self._of_floats(*args) if self._is_of_rows else None
        if outputs is None:
            columns = _alike(args)
            if columns is None:
                return None
            outputs = self._of_columns(*columns)
            if outputs is None:
                return None
        if self._is_alone:
            return outputs
        return self.entry.fill((outputs,) if self._count == 1 else outputs)

    def _of_columns(self, shape: tuple[int, ...], columns: list[Any]) -> Any:
        """Return the only output, or all of them; None if it takes a detour."""
        if not self._is_of_rows:
            are_all = len(columns) == len(self.entry.program.inputs)
            return self.entry.outputs((), columns, shape) if are_all else None
        if not shape:
            return self._of_floats(*columns)
        rows = prod(shape)
        if self._has_team and self.entry.kernel.team_for(rows):
            outs = [empty(shape) for _ in range(self._count)]
            has_run = self._in_team(shape, outs, columns)
            return (outs[0] if self._count == 1 else outs) if has_run else None
        if self._count == 1:
            out = empty(shape)
            return out if self._of_arrays(rows, rows, None, None, None, out, *columns) else None
        outs = [empty(shape) for _ in range(self._count)]
        return outs if self._of_arrays(rows, rows, None, None, None, *outs, *columns) else None

    def _in_team(
        self, shape: tuple[int, ...], outs: list[NDArray[np.float64]], columns: list[Any]
    ) -> bool:
        """Fill arrays by several threads; return False, with nothing done, for a detour."""
        are_all = len(columns) == len(self.entry.program.inputs)
        if are_all:
            self.entry.kernel.compute(shape, NOTHING, None, outs, columns)
        return are_all

    def into(self, out: object, args: tuple[object, ...]) -> bool:
        """Write the only result into an array; return False, with nothing done, for a detour."""
        if type(out) is not np.ndarray or not self._is_alone or not is_ready(out, args):
            return False
        if self.entry.clock != graph.clock and not self.entry.is_current():
            return False
        shape, columns = _alike(args) or ((), [])
        rows = out.size
        if not shape or out.shape != shape:
            return False
        if self._has_team and self.entry.kernel.team_for(rows):
            return self._in_team(shape, [out], columns)
        has_run: bool = self._of_arrays(rows, rows, None, None, None, out, *columns)
        return has_run


def _alike(args: tuple[Any, ...]) -> tuple[tuple[int, ...], list[object]] | None:
    """Return the shape that all arrays have, and the arguments; None if it takes a detour."""
    shape: tuple[int, ...] = ()
    columns: list[Any] = []
    for x in args:
        kind = type(x)
        if kind is np.ndarray:
            if x.shape != shape:
                if shape:
                    return None
                shape = x.shape
            if x.dtype is not DOUBLE:
                if x.dtype.kind not in "biuf":
                    return None
                x = x.astype(DOUBLE) if x.size < LARGE else x
        elif kind is not float:
            if kind not in NUMBERS:
                return None
            try:
                x = float(x)
            except OverflowError:
                return None
        columns.append(x)
    return shape, columns
