"""The body of a function: steps of a program, what they load, and where their results go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ...core.primitive import CONSTANT, multiply
from ..loops.partition import Partition
from ..lowering import Result, lower
from ..program import Step
from .emitter import LoopEmitter

__all__ = ["Index", "Layout", "Use", "Writer"]

Index = int | str  # a number, or the name of one in IR


class Use(NamedTuple):
    """The output that a slot becomes: its place among those of each row, or among the totals."""

    in_total: bool
    place: Index


class Layout(Protocol):
    """Where the numbers of a kernel are."""

    partition: Partition
    columns: list[int]


class Writer:
    """Writes steps into the body of a function, and loads what they need when they need it.

    Args:
        layout: where all numbers are.
        uses: the outputs that the function's steps are.
        emitter: what writes operations down.
    """

    def __init__(
        self, layout: Layout, uses: Mapping[int, Sequence[Use]], emitter: LoopEmitter
    ) -> None:
        self.partition, self.uses, self.emitter = layout.partition, uses, emitter
        self.program = layout.partition.program
        self.arrays: dict[str, Mapping[int, int]] = {
            "shared": self.partition.shared_places,
            "ins": {slot: j for j, slot in enumerate(layout.columns)},
            "scratch": self.partition.scratch_places,
        }
        self.local: dict[int, Result] = {}
        self.bases: dict[str, str] = {}  # the pointers to columns and outputs, loaded before rows

    def step(self, slot: int) -> Step:
        """Return what computes a slot: an input is a constant without a number."""
        return self.program.step_at(slot) or (CONSTANT, ())

    def compute(self, slot: int) -> Result:
        """Write a step down; return its result."""
        op, operands = self.step(slot)
        self.emitter.primitive = op.name
        self.local[slot] = lower(self.emitter, op, [self.value(operand) for operand in operands])
        return self.local[slot]

    def value(self, slot: int) -> Result:
        """Return a slot's number, loaded if it is not at hand."""
        if slot not in self.local:
            constant = self.program.constant_at(slot)
            self.local[slot] = self.load(*self.home(slot)) if constant is None else constant
        return self.local[slot]

    def home(self, slot: int) -> tuple[str, int]:
        """Return the array that has a slot's numbers, "" if none has, and their place in it."""
        for array, places in self.arrays.items():
            if slot in places:
                return array, places[slot]
        return "", 0

    def load(self, array: str, place: Index) -> str:
        """Return the numbers at a place of an array."""
        if array == "shared":
            return self.emitter.broadcast(self.place("%shared", place, "double"))
        address = self.row_of(array, place) if array == "ins" else self.place("%scratch.now", place)
        align = ", align 8" if array == "ins" else ""
        return self.emitter.line(f"load {self.emitter.type}, ptr {address}{align}")

    def place(self, array: str, index: Index, kind: str | None = None) -> str:
        """Return the address of an entry of an array."""
        return self.emitter.line(
            f"getelementptr {kind or self.emitter.type}, ptr {array}, i64 {index}"
        )

    def row_of(self, array: str, index: Index) -> str:
        """Return the address of the block's first row, in a column or an output."""
        if isinstance(index, str):
            base = self.emitter.line(f"load ptr, ptr {self.place(f'%{array}', index, 'ptr')}")
        else:
            base = f"%{array}{index}"
            self.bases[base] = (
                f"  {base}.at = getelementptr ptr, ptr %{array}, i64 {index}\n"
                f"  {base} = load ptr, ptr {base}.at"
            )
        return self.emitter.line(f"getelementptr double, ptr {base}, i64 %row")

    def store(self, result: Result, address: str, align: int | None = None) -> None:
        """Write a number, or a vector of them, to an address."""
        suffix = f", align {align}" if align else ""
        typed = f"{self.emitter.type} {self.emitter.vector(result)}"
        self.emitter.lines.append(f"  store {typed}, ptr {address}{suffix}")

    def keep(self, result: Result, array: str, place: Index) -> None:
        """Leave a result to other parts, at a place of an array; nowhere, if that is missing."""
        if array:
            address = self.place("%shared" if array == "shared" else "%scratch.now", place)
            self.store(result, address)

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
        op, operands = self.step(slot)
        if op is multiply:
            factors = [self.emitter.number(self.value(x)) for x in operands]
            return self.emitter.fma(*factors, total)
        return self.emitter.add(total, self.emitter.number(result))

    def function(self, head: str) -> str:
        """Return the function of what was written."""
        lines = [f"define void @{head} {{", "entry:", *self.emitter.lines, "  ret void"]
        return "\n".join([*lines, "}"])

    def loop(self, head: str) -> str:
        """Return the function that does what was written for each block of rows.

        What later parts need of a block waits in a scratch of the block's own.
        """
        kind, scratch = self.emitter.type, self.partition.scratch_size
        last = self.emitter.block
        return "\n".join(
            [
                f"define void @{head} {{",
                "entry:",
                *self.bases.values(),
                "  br label %block",
                "block:",
                f"  %row = phi i64 [ %begin, %entry ], [ %next, %{last} ]",
                f"  %scratch.now = phi ptr [ %scratch, %entry ], [ %scratch.next, %{last} ]",
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
