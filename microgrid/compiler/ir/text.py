"""LLVM IR of a `Program`: a kernel over rows, in blocks as wide as the processor's vectors.

Each part of the program is a function of its own, and a driver (driver.ll, the same for all) calls
one after another for some blocks, then for the next ones. It packs what is not contiguous, and the
last rows that fill no block, into a small buffer, so that the parts see whole vectors only.

Nothing is fused except the terms of a dot, and a product that is only added up over the rows, which
is a dot of two columns.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from ..loops.partition import Part, partition
from ..program import Goal
from .emitter import LoopEmitter
from .machine import Machine
from .turns import TurnsWriter
from .writer import Use, Writer

__all__ = ["FunctionsText", "KernelText"]

MOST_COPIES = 100  # of one function: with more, LLVM takes longer for each


class FunctionsText:
    """What a kernel's caller has to know about its functions, which subclasses write.

    `columns` are the inputs with a number for each row, to be put side by side if it `packs` them.
    The array of shared numbers starts with the shared inputs, and has room for `room` numbers;
    after a call those are in it that `shared_places` lists. A block of rows has `scratch_size`
    places for what waits between parts; `lane_totals` of the totals are added up lane by lane.
    `once` and `parts` are the names of the functions, in the order in which they are to be called.
    Each runs for a group of at most `most_blocks`, whose columns and scratch take at most
    `most_bytes`, before the next one: what processors keep close by.

    Args:
        goal: what is to be computed.
        machine: what to make code for.
    """

    room: int
    shared_places: dict[int, int]
    scratch_size: int
    lane_totals: int
    packs: bool
    once: list[str]
    parts: list[str]
    most_blocks, most_bytes = 16, 2**20

    def __init__(self, goal: Goal, machine: Machine) -> None:
        self.program, self.machine = goal.program, machine
        self.written, self.totals = list(goal.written), list(goal.totals)
        shared = set(goal.shared_inputs)
        self.columns = [slot for slot in range(len(goal.program.inputs)) if slot not in shared]

    def number_of(self, k: int, shared: NDArray[np.float64]) -> float:
        """Return output k, which all rows share, from the array of shared numbers after a call."""
        slot = self.program.outputs[k]
        constant = self.program.constant_at(slot)
        return float(shared[self.shared_places[slot]]) if constant is None else constant

    def ir(self) -> str:
        """Return the IR."""
        raise NotImplementedError


class KernelText(FunctionsText):
    """The IR of a kernel's functions step by step, each of bounded size.

    Raises:
        TypeError: a primitive has no lowering.
    """

    def __init__(self, goal: Goal, machine: Machine) -> None:
        roles = {**dict.fromkeys(goal.written, False), **dict.fromkeys(goal.totals, True)}
        self.partition = partition(goal.program, goal.shared_inputs, roles=roles)
        super().__init__(goal._replace(program=self.partition.program), machine)
        self.packs = False  # as each column is read once, or few times
        self.shared_places = self.partition.shared_places
        self.room = len(self.shared_places)
        self.uses: dict[int, list[Use]] = defaultdict(list)
        for in_total, positions in ((False, self.written), (True, self.totals)):
            for place, k in enumerate(positions):
                self.uses[self.program.outputs[k]].append(Use(in_total, place))
        computed = {slot for part in self.partition.rows for slot in part.slots}
        # outputs that no part computes: inputs, and what is shared
        loose = [(x, use) for x, uses in self.uses.items() if x not in computed for use in uses]
        self.loose = [loose[i : i + MOST_COPIES] for i in range(0, len(loose), MOST_COPIES)]
        self.once = [f"once{i}" for i in range(len(self.partition.once))]
        count = max(len(self.partition.rows), len(self.loose))
        self.parts = [f"rows{i}" for i in range(count)]
        self.scratch_size, self.lane_totals = self.partition.scratch_size, len(self.totals)

    def ir(self) -> str:
        """Return the IR."""
        declared: dict[str, str] = {}
        functions = [*map(partial(self._once, declared), self.once, self.partition.once)]
        shares = zip_longest(self.partition.rows, self.loose)
        for name, (part, loose) in zip(self.parts, shares, strict=True):
            functions.append(self._rows(declared, name, part or Part(range(0), []), loose or []))
        return "\n".join([*declared.values(), *functions])

    def _once(self, declared: dict[str, str], name: str, part: Part) -> str:
        """Return the function that computes what all rows share."""
        writer = Writer(self, {}, LoopEmitter(self.machine, 1, declared))
        self._write(writer, name, part)
        return writer.function(f"{name}(ptr %shared)")

    def _rows(
        self, declared: dict[str, str], name: str, part: Part, loose: list[tuple[int, Use]]
    ) -> str:
        """Return the function that computes block after block of rows."""
        emitter = LoopEmitter(self.machine, self.machine.width, declared)
        emitter.block = "block"
        writer = Writer(self, self.uses, emitter)
        self._write(writer, name, part)
        for slot, use in loose:
            writer.deliver(slot, use)
        return writer.loop(
            f"{name}(ptr %ins, ptr %outs, ptr noalias readonly %shared, ptr noalias %scratch, "
            "ptr noalias %totals, i64 %begin, i64 %end, ptr %sums, i64 %left)"
        )

    def _write(self, writer: Writer, name: str, part: Part) -> None:
        """Write the steps of a part, and what they leave to others."""
        if part.turns:
            TurnsWriter(writer, part.turns, name).write()
            return
        for slot in part.slots:
            writer.keep(writer.compute(slot), *writer.home(slot))
            for use in writer.uses.get(slot, ()):
                writer.deliver(slot, use)
