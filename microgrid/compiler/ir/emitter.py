"""Operations as LLVM IR, on single doubles or on vectors of them.

The text is written directly. Every operation is rounded for itself: no instruction has a flag that
would let LLVM fuse a product with a sum, as x * x - y * y would then not be 0 where x is y.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest

from ..lowering import FUNCTIONS, Emitter, Result
from .machine import Machine, require
from .vectors import FARTHEST, VECTOR_FUNCTIONS, Lanes

__all__ = ["LLVMEmitter", "LoopEmitter", "bits_of"]

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

    def broadcast(self, place: str) -> str:
        """Return the number at an address, in all lanes."""
        if self.width == 1:
            return self.line(f"load double, ptr {place}")
        one = self.line(f"load <1 x double>, ptr {place}, align 8")
        lanes = f"<{self.width} x i32> zeroinitializer"
        return self.line(f"shufflevector <1 x double> {one}, <1 x double> poison, {lanes}")

    def vector(self, x: Result) -> str:
        """Return a result as IR writes a number, or a vector of them."""
        number = self.number(x)
        return self.constant(number) if type(number) is float else str(number)

    def constant(self, x: float) -> str:
        """Return a number as IR writes it, bit for bit."""
        return bits_of(x) if self.width == 1 else f"splat (double {bits_of(x)})"

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

    def call_beside(self, name: str, body: VectorBody, xs: Sequence[Result]) -> str:
        """Write a call of a function of vectors that is defined, once, in the same text."""
        if name not in self.declared:
            self.declared[name] = _FunctionEmitter(self, name).define(body, len(xs))
        return self.call(name, xs)


class LoopEmitter(LLVMEmitter):
    """Writes operations in loops, and knows the block of code that it is in."""

    block = "entry"  # the label of what is being written

    def begin(self, label: str) -> None:
        """Begin a block of instructions, to which others jump."""
        self.lines.append(f"{label}:")
        self.block = label

    def loop(
        self,
        begin: int | str,
        end: int | str,
        step: int,
        body: Callable[[str, list[str]], Sequence[str]],
        carried: Sequence[str] = (),
    ) -> list[str]:
        """Write a loop of one turn at least; return what its last turn leaves.

        Args:
            begin: the index of the first turn.
            end: the index that no turn has.
            step: how far the index goes from turn to turn.
            body: writes a turn, from its index and what is carried; returns what is carried on.
            carried: what the first turn begins with.
        """
        number, before = len(self.lines), self.block
        index, names = f"%i{number}", [f"%c{number}.{k}" for k in range(len(carried))]
        self.lines.append(f"  br label %turn{number}")
        self.begin(f"turn{number}")
        head = len(self.lines)
        self.lines += [""] * (1 + len(names))  # what they are is known at the end of the turn
        results = list(body(index, names))
        self.lines += [
            f"  {index}.next = add nuw nsw i64 {index}, {step}",
            f"  {index}.more = icmp slt i64 {index}.next, {end}",
            f"  br i1 {index}.more, label %turn{number}, label %after{number}",
        ]
        phis = [("i64", index, begin, f"{index}.next")]
        phis += [(self.type, *each) for each in zip(names, carried, results, strict=True)]
        for k, (kind, name, first, later) in enumerate(phis):
            text = f"  {name} = phi {kind} [ {first}, %{before} ], [ {later}, %{self.block} ]"
            self.lines[head + k] = text
        self.begin(f"after{number}")
        return results

    def at_most(self, x: str, limit: int) -> str:
        """Return a whole number, or the limit if it is beyond that."""
        is_less = self.line(f"icmp slt i64 {x}, {limit}")
        return self.line(f"select i1 {is_less}, i64 {x}, i64 {limit}")

    def unless_equal(self, x: str, y: str, body: Callable[[], None]) -> None:
        """Write what happens unless two whole numbers are equal."""
        number = len(self.lines)
        self.lines.append(f"  %differ{number} = icmp ne i64 {x}, {y}")
        self.lines.append(f"  br i1 %differ{number}, label %then{number}, label %after{number}")
        self.begin(f"then{number}")
        body()
        self.lines.append(f"  br label %after{number}")
        self.begin(f"after{number}")

    def add_lanes(self, vectors: Sequence[str], place: str) -> None:
        """Write that the lanes with rows are added to numbers in memory, one for each vector.

        The numbers are one after the other, and at most as many as lanes; %is.row tells the lanes.
        """
        zero, bits = self.constant(0.0), f"<{self.width} x i1>"
        rows = [
            self.line(f"select {bits} %is.row, {self.type} {vector}, {self.type} {zero}")
            for vector in vectors
        ]
        numbers, totals = f"<{len(rows)} x double>", self.sums_of_lanes(rows)
        before = self.line(f"load {numbers}, ptr {place}, align 8")
        after = self.line(f"fadd {numbers} {before}, {totals}")
        self.lines.append(f"  store {numbers} {after}, ptr {place}, align 8")

    def sums_of_lanes(self, vectors: Sequence[str]) -> str:
        """Return the sum of each vector's lanes, as a vector of these.

        Half of the lanes are added to the others, of two vectors at once, until one is left: that
        takes fewer steps than one vector after the other, and adds up in the same order.
        """
        count, size, width = len(vectors), self.width, self.width
        while size > 1:
            size //= 2
            lower = [k for k in range(2 * width) if k % (2 * size) < size]
            halves = [
                [self.shuffle(pair, [k + more for k in lower]) for more in (0, size)]
                for pair in zip_longest(vectors[::2], vectors[1::2], fillvalue="poison")
            ]
            vectors = [self.line(f"fadd {self.type} {one}, {other}") for one, other in halves]
        return self.shuffle((vectors[0], "poison"), range(count))

    def shuffle(self, pair: Sequence[str], lanes: Sequence[int]) -> str:
        """Return these lanes of a pair of vectors, which are counted through."""
        one, other = (f"{self.type} {vector}" for vector in pair)
        places = ", ".join([f"i32 {lane}" for lane in lanes])
        return self.line(f"shufflevector {one}, {other}, <{len(lanes)} x i32> <{places}>")


def bits_of(x: float) -> str:
    """Return a single number as IR writes it, bit for bit."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


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

    def define(self, body: VectorBody, arity: int) -> str:
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


# writes a function's body; returns its result
VectorBody = Callable[[LLVMEmitter, Sequence[str]], str]


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
