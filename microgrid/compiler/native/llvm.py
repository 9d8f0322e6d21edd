"""LLVM IR of a `Program`: a kernel over rows, in blocks as wide as the processor's vectors.

The text is written directly. Each part of the program is a function of its own, and a driver
(driver.ll, the same for all) calls one after another for some blocks, then for the next ones. It
packs what is not contiguous, and the last rows that fill no block, into a small buffer, so that the
parts see whole vectors only.

Every operation is rounded for itself: no instruction has a flag that would let LLVM fuse a product
with a sum, as x * x - y * y would then not be 0 where x is y. What may be fused is written so: the
terms of a dot, and a product that is only added up over the rows, which is a dot of two columns.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.primitive import multiply
from ..lowering import FUNCTIONS, Emitter, Result, lower
from ..partition import Part, partition
from ..passes import divide
from ..program import Program
from .machine import Machine, require
from .vectors import FARTHEST, VECTOR_FUNCTIONS, Lanes

__all__ = ["KernelText"]

_FORMS = {
    **{"add": "fadd {type} {0}, {1}", "sub": "fsub {type} {0}, {1}"},
    **{"mul": "fmul {type} {0}, {1}", "div": "fdiv {type} {0}, {1}", "neg": "fneg {type} {0}"},
    "select": "select {bits} {0}, {type} {1}, {type} {2}",
}
_CONDITIONS = {
    **{"less": "fcmp olt {type} {0}, {1}", "less_equal": "fcmp ole {type} {0}, {1}"},
    **{"equal": "fcmp oeq {type} {0}, {1}", "not_zero": "fcmp une {type} {0}, {zero}"},
    **{"is_nan": "fcmp uno {type} {0}, {zero}", "not": "xor {bits} {0}, {true}"},
    **{"both": "and {bits} {0}, {1}", "either": "or {bits} {0}, {1}"},
}
_INTRINSICS = {
    **{"fma": "fmuladd", "exact_fma": "fma", "abs": "fabs", "sqrt": "sqrt", "floor": "floor"},
    **{"ceil": "ceil", "rint": "nearbyint", "copysign": "copysign"},
}
_OF_BITS = {
    **{"bit_and": "and", "bit_or": "or", "bit_xor": "xor", "bit_add": "add", "bit_sub": "sub"},
    **{"shift_left": "shl", "shift_right": "lshr"},
}

MOST_COPIES = 100  # of one function: with more, LLVM takes longer for each


class Use(NamedTuple):
    """An output that a slot is: the place of one for each row, or of a total over the rows."""

    in_total: bool
    place: int


class Condition(str):
    """The name of a vector of bits."""

    __slots__ = ()


class LLVMEmitter(Emitter):
    """Writes operations as LLVM IR, on single doubles or on vectors of them.

    There are more than an emitter must have, for `vectors`: those on the bits of numbers.
    """

    def __init__(self, machine: Machine, width: int, declared: dict[str, str]) -> None:
        self.machine, self.width, self.declared = machine, width, declared
        self.type = "double" if width == 1 else f"<{width} x double>"
        self.suffix = "f64" if width == 1 else f"v{width}f64"
        self.words = {
            "type": self.type,
            "bits": "i1" if width == 1 else f"<{width} x i1>",
            "true": "true" if width == 1 else "splat (i1 true)",
            "zero": self.constant(0.0),
        }
        self.lines: list[str] = []
        self.primitive = ""  # the name of what is being written down

    def is_condition(self, x: Result) -> bool:
        """Return whether x is the result of a comparison."""
        return type(x) is Condition

    def line(self, text: str) -> str:
        """Write the instruction that computes something; return the name of it."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, x: float) -> str:
        """Return a number as IR writes it, bit for bit."""
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"
        return bits if self.width == 1 else f"splat (double {bits})"

    def emit(self, operation: str, operands: tuple[Result, ...]) -> str:
        """Write an operation down; return the name of its result."""
        xs = [self.constant(x) if type(x) is float else x for x in operands]
        if operation in _FORMS:
            return self.line(_FORMS[operation].format(*xs, **self.words))
        if operation in _CONDITIONS:
            return Condition(self.line(_CONDITIONS[operation].format(*xs, **self.words)))
        if operation in _INTRINSICS:
            return self.call(f"@llvm.{_INTRINSICS[operation]}.{self.suffix}", xs)
        if operation in FUNCTIONS:
            return self.c_call(operation, xs)
        if operation in _OF_BITS:
            return self.on_bits(_OF_BITS[operation], xs)
        raise NotImplementedError(f"LLVM IR for {operation!r}")

    def on_bits(self, operation: str, xs: Sequence[Result]) -> str:
        """Write an operation on the bits of vectors, and whole numbers, as a vector of doubles."""
        integers = f"<{self.width} x i64>"
        bits = [
            f"splat (i64 {x})"
            if type(x) is int
            else self.line(f"bitcast {self.type} {x} to {integers}")
            for x in xs
        ]
        result = self.line(f"{operation} {integers} {', '.join(bits)}")
        return self.line(f"bitcast {integers} {result} to {self.type}")

    def call(self, function: str, xs: Sequence[Result], convention: str = "") -> str:
        """Write a call of a function of vectors; return the name of its result."""
        types = ", ".join([self.type] * len(xs))
        self.declared.setdefault(function, f"declare {convention}{self.type} {function}({types})")
        given = ", ".join([f"{self.type} {x}" for x in xs])
        return self.line(f"call {convention}{self.type} {function}({given})")

    def c_call(self, function: str, xs: Sequence[Result]) -> str:
        """Write a call of a C function: of a vector version, if the C library or this one has it.

        Raises:
            NotImplementedError: the C library has no such function.
        """
        if self.width > 1 and (name := self.machine.vector_name(function)):
            return self.call(f"@{name}", xs, self.machine.convention())
        require(function, self.primitive)
        types = ", ".join(["double"] * len(xs))
        self.declared[f"@{function}"] = f"declare double @{function}({types})"
        if self.width == 1:
            return self.line(f"call double @{function}({', '.join(f'double {x}' for x in xs)})")
        if self.machine.fuses and function in VECTOR_FUNCTIONS:
            return self.call_beside(f"@vectors.{function}", partial(_vector_function, function), xs)
        return self.call_beside(f"@lanes.{function}", partial(_lane_by_lane, function), xs)

    def call_beside(self, name: str, body: Body, xs: Sequence[Result]) -> str:
        """Write a call of a function of vectors that is defined, once, in the same text."""
        if name not in self.declared:
            self.declared[name] = _FunctionEmitter(self, name).define(body, len(xs))
        return self.call(name, xs)


class _FunctionEmitter(LLVMEmitter):
    """Writes a function of vectors, with its constants in a table.

    In code that may be anywhere in memory, each constant is two or three instructions, on ARM five.
    LLVM must not know where the table is, or each address in it is as many.
    """

    def __init__(self, caller: LLVMEmitter, name: str) -> None:
        self.name, self.loaded = name, dict[str, str]()
        super().__init__(caller.machine, caller.width, caller.declared)

    def constant(self, x: float) -> str:
        """Return the name of a number that is loaded, or 0 as IR writes it."""
        bits = super().constant(x)
        if x == 0:
            return bits
        if bits not in self.loaded:
            place = self.line(f"getelementptr {self.type}, ptr %table, i64 {len(self.loaded)}")
            self.loaded[bits] = self.line(f"load {self.type}, ptr {place}")
        return self.loaded[bits]

    def define(self, body: Body, arity: int) -> str:
        """Return the function, after its table."""
        names = [f"%x{i}" for i in range(arity)]
        result = body(self, names)
        typed = ", ".join([f"{self.type} {x}" for x in names])
        head = f"define internal {self.type} {self.name}({typed}) {{"
        lines = [head, *self.lines, f"  ret {self.type} {result}", "}"]
        if self.loaded:
            numbers = ", ".join([f"{self.type} {x}" for x in self.loaded])
            table = f"[{len(self.loaded)} x {self.type}] [{numbers}]"
            lines.insert(1, f"  %table = load ptr, ptr {self.name}.at")
            lines.insert(0, f"{self.name}.at = internal global ptr {self.name}.table")
            lines.insert(0, f"{self.name}.table = internal constant {table}")
        return "\n".join(lines)


Body = Callable[[LLVMEmitter, Sequence[str]], str]  # writes a function's body; returns its result


def _lane_by_lane(function: str, m: LLVMEmitter, xs: Sequence[str]) -> str:
    """Write calls of a C function for each lane."""
    result = "poison"
    for lane in range(m.width):
        numbers = [m.line(f"extractelement {m.type} {x}, i64 {lane}") for x in xs]
        given = ", ".join([f"double {x}" for x in numbers])
        number = m.line(f"call double @{function}({given})")
        result = m.line(f"insertelement {m.type} {result}, double {number}, i64 {lane}")
    return result


def _vector_function(function: str, m: LLVMEmitter, xs: Sequence[str]) -> str:
    """Write a function of `vectors`; in lanes that are too far from 0 for it, the C function."""
    result = VECTOR_FUNCTIONS[function](*[Lanes(m, x) for x in xs]).result
    if function in FARTHEST:
        far = m.emit("less", (FARTHEST[function], m.emit("abs", (xs[0],))))
        reduce, bits = f"@llvm.vector.reduce.or.v{m.width}i1", f"<{m.width} x i1>"
        m.declared[reduce] = f"declare i1 {reduce}({bits})"
        is_any = m.line(f"call i1 {reduce}({bits} {far})")
        m.lines += [f"  br i1 {is_any}, label %far, label %near", "far:"]
        exact = m.call_beside(f"@lanes.{function}", partial(_lane_by_lane, function), xs)
        m.lines += [f"  ret {m.type} {m.emit('select', (far, exact, result))}", "near:"]
    return str(result)


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
            "ptr noalias %totals, i64 %begin, i64 %end)"
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
