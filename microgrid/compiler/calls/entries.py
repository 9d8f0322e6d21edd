"""What was compiled for arguments of one structure, and the calls that need nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...core import graph
from ...engine import Value
from ..native.kernel import ArrayKernel
from ..program import Program
from .results import Template, fill

__all__ = ["Direct", "Entry"]


@dataclass(eq=False, slots=True)
class Entry:
    """What was compiled for arguments of one structure.

    `kernel` computes each number once that the program returns, and `template` says where they are
    in what f returned. `captured` are leaves from outside that became constants, with the data that
    they had at a time: `clock`.
    """

    program: Program
    shared_inputs: tuple[int, ...]
    template: Template
    kernel: ArrayKernel
    captured: tuple[Value, ...] = ()
    clock: int = 0

    def is_current(self) -> bool:
        """Return whether no captured leaf has changed."""
        if self.clock != graph.clock:
            if any(leaf._stamp > self.clock for leaf in self.captured):
                return False
            self.clock = graph.clock
        return True


class Direct:
    """The commonest calls, without any detour: with floats, or with arrays of doubles of one shape.

    It is for an entry whose arguments are single numbers, not shared, and whose outputs depend on
    them and are not added up. It takes a call's arguments, and returns None if they are others.
    """

    __slots__ = ("_count", "_of_arrays", "_of_floats", "_template", "entry")

    def __init__(self, entry: Entry) -> None:
        self.entry, self._count = entry, len(entry.kernel.text.written)
        # a single output stands alone
        self._template = None if type(entry.template) is int else entry.template
        self._of_floats, self._of_arrays = (
            entry.kernel.kernel.of_floats,
            entry.kernel.kernel.of_arrays,
        )

    def __call__(self, args: tuple[Any, ...]) -> Any:
        """Return the result; None if it takes a detour."""
        if self.entry.clock != graph.clock and not self.entry.is_current():
            return None
        floats = self._of_floats(*args)
        if floats is not None:
            if self._template is None:
                return floats
            return fill(self._template, floats if self._count > 1 else (floats,))
        shape: tuple[int, ...] = ()
        for x in args:
            if type(x) is np.ndarray:
                if x.shape != shape:
                    if shape:
                        return None
                    shape = x.shape
            elif type(x) is not float:
                return None
        outs = [np.empty(shape) for _ in range(self._count)]
        if not shape or not self._of_arrays(prod(shape), None, None, None, *outs, *args):
            return None
        return outs[0] if self._template is None else fill(self._template, outs)
