"""LLVM IR of a `Program`: a kernel over rows, in blocks as wide as the processor's vectors.

Each part of the program is a function of its own, and a driver
(driver.ll, the same for all) calls one after another for some blocks, then for the next ones. It
packs what is not contiguous, and the last rows that fill no block, into a small buffer, so that the
parts see whole vectors only.

Nothing is fused but what is written so: the terms of a dot, and a product that is only added up
over the rows, which is a dot of two columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.primitive import multiply
from ..lowering import Result, lower
from ..partition import Part, partition
from ..passes import divide
from ..program import Program
from .emitter import LLVMEmitter
from .machine import Machine

__all__ = ["KernelText"]

MOST_COPIES = 100  # of one function: with more, LLVM takes longer for each


class Use(NamedTuple):
    """An output that a slot is: the place of one for each row, or of a total over the rows."""

    in_total: bool
    place: int


class KernelText:
    """The IR of a kernel's functions, of bounded size, and what its caller has to know.

    `columns` are the inputs with a number for each row. The array of shared numbers starts with the
    shared inputs, and has room for `room` numbers: after a call those are in it that
    `shared_places` lists.
    `once` and `parts` are the names of the functions, in the order in which they are to be called.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows.
        written: the positions of the outputs to write for each row.
        totals: the positions of the outputs to add up over the rows.
        machine: what to make code for.

    Raises:
        TypeError: a primitive has no lowering.
    """

    def __init__(
        self,
        program: Program,
        shared_inputs: Collection[int],
        written: Sequence[int],
        totals: Sequence[int],
        machine: Machine,
    ) -> None:
        self.program, self.machine = divide(program), machine
        self.partition = partition(self.program, shared_inputs)
        self.shared_places = self.partition.shared_places
        self.room = len(self.shared_places)
        self.written, self.totals = list(written), list(totals)
        shared = set(shared_inputs)
        self.columns = [slot for slot in range(len(program.inputs)) if slot not in shared]
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

    def number_of(self, k: int, shared: NDArray[np.float64]) -> float:
        """Return output k, which all rows share, from the array of shared numbers after a call."""
        slot = self.program.outputs[k]
        constant = self.program.constant_at(slot)
        return float(shared[self.shared_places[slot]]) if constant is None else constant

    def ir(self) -> str:
        """Return the IR."""
        declared: dict[str, str] = {}
        functions = [*map(partial(self._once, declared), self.once, self.partition.once)]
        shares = zip_longest(self.partition.rows, self.loose)
        for name, (part, loose) in zip(self.parts, shares, strict=True):
            functions.append(self._rows(declared, name, part or Part(), loose or []))
        return "\n".join([*declared.values(), *functions])

    def _once(self, declared: dict[str, str], name: str, part: Part) -> str:
        """Return the function that computes what all rows share."""
        writer = _Writer(self, LLVMEmitter(self.machine, 1, declared))
        for slot in part.slots:
            result = writer.compute(slot)
            if slot in self.shared_places:
                writer.store(result, writer.place("%shared", self.shared_places[slot]))
        return writer.function(f"{name}(ptr %shared)")

    def _rows(
        self, declared: dict[str, str], name: str, part: Part, loose: list[tuple[int, Use]]
    ) -> str:
        """Return the function that computes block after block of rows."""
        writer = _Writer(self, LLVMEmitter(self.machine, self.machine.width, declared))
        scratch_places = self.partition.scratch_places
        for slot in part.slots:
            result = writer.compute(slot)
            if slot in scratch_places:
                writer.store(result, writer.place("%scratch.now", scratch_places[slot]))
            for use in self.uses.get(slot, ()):
                writer.deliver(slot, use)
        for slot, use in loose:
            writer.deliver(slot, use)
        return writer.loop(
            f"{name}(ptr %ins, ptr %outs, ptr noalias readonly %shared, ptr noalias %scratch, "
            "ptr noalias %totals, i64 %begin, i64 %end, ptr %sums, i64 %left)"
        )


class _Writer:
    """Writes the body of one function of a kernel, and loads what it needs when it needs it."""

    def __init__(self, kernel: KernelText, emitter: LLVMEmitter) -> None:
        self.kernel, self.program, self.emitter = kernel, kernel.program, emitter
        self.column = {slot: j for j, slot in enumerate(kernel.columns)}
        self.local: dict[int, Result] = {}
        self.bases: dict[str, str] = {}  # the pointers to columns and outputs, loaded before rows

    def compute(self, slot: int) -> Result:
        """Write a step down; return its result."""
        op, operands = self.program.steps[slot - len(self.program.inputs)]
        self.emitter.primitive = op.name
        self.local[slot] = lower(self.emitter, op, [self.value(operand) for operand in operands])
        return self.local[slot]

    def value(self, slot: int) -> Result:
        """Return a slot's number, loaded if it is not at hand."""
        if slot not in self.local:
            constant = self.program.constant_at(slot)
            self.local[slot] = self._load(slot) if constant is None else constant
        return self.local[slot]

    def _load(self, slot: int) -> str:
        line, width, kind = self.emitter.line, self.emitter.width, self.emitter.type
        if slot in self.kernel.shared_places:
            place = self.place("%shared", self.kernel.shared_places[slot], "double")
            if width == 1:
                return line(f"load double, ptr {place}")
            one = line(f"load <1 x double>, ptr {place}, align 8")
            lanes = f"<{width} x i32> zeroinitializer"
            return line(f"shufflevector <1 x double> {one}, <1 x double> poison, {lanes}")
        if slot in self.column:
            return line(f"load {kind}, ptr {self.row_of('ins', self.column[slot])}, align 8")
        place = self.place("%scratch.now", self.kernel.partition.scratch_places[slot])
        return line(f"load {kind}, ptr {place}")

    def place(self, array: str, index: int, kind: str | None = None) -> str:
        """Return the address of an entry of an array."""
        return self.emitter.line(
            f"getelementptr {kind or self.emitter.type}, ptr {array}, i64 {index}"
        )

    def row_of(self, array: str, index: int) -> str:
        """Return the address of the block's first row, in a column or an output."""
        base = f"%{array}{index}"
        self.bases[base] = (
            f"  {base}.at = getelementptr ptr, ptr %{array}, i64 {index}\n"
            f"  {base} = load ptr, ptr {base}.at"
        )
        return self.emitter.line(f"getelementptr double, ptr {base}, i64 %row")

    def store(self, result: Result, address: str, align: int | None = None) -> None:
        """Write a number, or a vector of them, to an address."""
        number = self.emitter.number(result)
        if type(number) is float:
            number = self.emitter.constant(number)
        suffix = f", align {align}" if align else ""
        self.emitter.lines.append(f"  store {self.emitter.type} {number}, ptr {address}{suffix}")

    def deliver(self, slot: int, use: Use) -> None:
        """Write a slot's numbers into an output that it is, or add them to its total."""
        result = self.value(slot)
        if use.in_total:
            address = self.place("%totals", use.place)
            total = self.emitter.line(f"load {self.emitter.type}, ptr {address}")
            self.store(self._add(total, slot, result), address)
        else:
            self.store(result, self.row_of("outs", use.place), align=8)

    def _add(self, total: str, slot: int, result: Result) -> Result:
        """Add a slot's numbers to a total: a product and the sum are one operation, as in a dot."""
        op, operands = self.program.step_at(slot) or (None, ())
        if op is multiply:
            factors = [self.emitter.number(self.value(x)) for x in operands]
            return self.emitter.fma(*factors, total)
        return self.emitter.add(total, self.emitter.number(result))

    def function(self, head: str) -> str:
        """Return the function of what was written."""
        lines = [f"define void @{head} {{", *self.emitter.lines, "  ret void"]
        return "\n".join([*lines, "}"])

    def loop(self, head: str) -> str:
        """Return the function that does what was written for each block of rows.

        What later parts need of a block waits in a scratch of the block's own.
        """
        kind, scratch = self.emitter.type, self.kernel.partition.scratch_size
        return "\n".join(
            [
                f"define void @{head} {{",
                "entry:",
                *self.bases.values(),
                "  br label %block",
                "block:",
                "  %row = phi i64 [ %begin, %entry ], [ %next, %block ]",
                "  %scratch.now = phi ptr [ %scratch, %entry ], [ %scratch.next, %block ]",
                *self.emitter.lines,
                f"  %next = add i64 %row, {self.emitter.width}",
                f"  %scratch.next = getelementptr {kind}, ptr %scratch.now, i64 {scratch}",
                "  %more = icmp ult i64 %next, %end",
                "  br i1 %more, label %block, label %done",
                "done:",
                "  ret void",
                "}",
            ]
        )
