"""C source of a `Program`: one function, which needs nothing but the C library.

It computes what the native kernel computes, operation by operation, because both are written from
the same table of lowerings. Neither fuses a product with a sum, except in a dot where the processor
does so fast; the text tells the C compiler so, as many fuse whatever they like otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ...core.primitive import CONSTANT
from ..loops.rolling import families_of
from ..lowering import Result, lower
from ..passes import drop_unused
from ..program import Goal, Program, find_shared
from .comments import comment, escape, list_names
from .identifiers import ConstantNames, function_name
from .loops import LoopBody
from .operations import CEmitter, Variable, mark_used, text

__all__ = ["c_source"]


def c_source(
    program: Program,
    shared_inputs: Collection[int],
    reduce: str | None,
    name: str,
    in_loops: bool | None = None,
) -> str:
    """Write a program as one function in C99, to be compiled without this library.

    Without `reduce` it is `void name(const double in[], double out[])`: a single row, with the
    inputs in the program's order. With "sum" or "mean" it is `void name(size_t rows, const double
    *shared, const double *data, double *out)`: `shared` are the inputs that all rows share, `data`
    the others, row after row, and `out` are the sums or means over the rows.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows.
        reduce: "sum", "mean" or None.
        name: the function's name; it is changed where C does not allow it.
        in_loops: whether families are arrays, and loops go over them; None where that pays, as in
            kernels, and over the turns of what recurs.

    Raises:
        TypeError: a primitive has no lowering.

    >>> from microgrid import Value
    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> print(c_source(Program.from_values([(x * y).exp()], [x, y]), [], None, "f"))
    /* f: 2 operations on doubles. Written by microgrid.
     *
     * Compile it with cc -std=c99 -O2 -c f.c and link with -lm.
     * Do without -ffast-math: inf and nan have a meaning here.
     *
     * in: 0:x, 1:y
     * out: 1 number
     */
    #include <math.h>
    <BLANKLINE>
    /* Every operation is rounded for itself: no product is fused with a sum. */
    #if defined(__GNUC__) && !defined(__clang__)
    #pragma GCC optimize ("fp-contract=off")
    #else
    #pragma STDC FP_CONTRACT OFF
    #endif
    <BLANKLINE>
    void f(const double in[2], double out[1]) {
        const double x = in[0];
        const double y = in[1];
        const double v1 = x * y;
        const double v2 = exp(v1);
        out[0] = v2;
    }
    <BLANKLINE>
    """
    name = function_name(name)
    if reduce:
        function = _over_rows(program, shared_inputs, reduce, in_loops)
    else:
        function = _of_one_row(program, in_loops)
    head_comment = comment(
        f"{name}: {_count(len(program), 'operation')} on doubles. Written by microgrid.",
        "",
        f"Compile it with cc -std=c99 -O2 -c {name}.c and link with -lm.",
        "Do without -ffast-math: inf and nan have a meaning here.",
        "",
        *[
            f"{array}: {list_names([program.inputs[slot] for slot in slots], function.in_loops)}"
            for array, slots in function.arrays.items()
        ],
        f"out: {function.out}",
    )
    has_fused = any("MULTIPLY_ADD" in line for line in function.statements)
    rounding = [_ROUNDING, "", _MULTIPLY_ADD] if has_fused else [_ROUNDING]
    head = f"void {name}({function.parameters}) {{"
    body = [head, *_indent(function.statements), "}", ""]
    return "\n".join([head_comment, *function.includes, "", *rounding, "", *body])


class _Signature(NamedTuple):
    """What distinguishes a function of one row from one over rows.

    `arrays` has the slots that are in each array of inputs, `out` says what comes out, and
    `in_loops` whether the statements have loops.
    """

    parameters: str
    includes: list[str]
    arrays: dict[str, Sequence[int]]
    out: str
    statements: list[str]
    in_loops: bool


def _of_one_row(program: Program, in_loops: bool | None) -> _Signature:
    inputs, outputs = range(len(program.inputs)), range(len(program.outputs))
    body = _loops(Goal(program, written=outputs), in_loops) or _Statements(
        program, {"in": inputs}, [False] * (len(inputs) + len(program.steps)), "="
    )
    statements = [*body.once(), *body.of_row()]
    is_used = {"in": body.reads("in"), "out": bool(outputs)}
    parameters = [
        _declare("const double", "in", len(inputs)),
        _declare("double", "out", len(outputs)),
    ]
    return _Signature(
        ", ".join(parameters),
        ["#include <math.h>"],
        {"in": inputs},
        _count(len(outputs), "number"),
        [*_void(is_used), *body.tables(), *statements],
        isinstance(body, LoopBody),
    )


def _over_rows(
    program: Program, shared_inputs: Collection[int], reduce: str, in_loops: bool | None
) -> _Signature:
    shared = sorted(shared_inputs)
    columns = sorted(set(range(len(program.inputs))).difference(shared))
    is_shared = find_shared(program, shared)
    totals = [k for k, slot in enumerate(program.outputs) if not is_shared[slot]]
    body = _loops(Goal(program, shared, totals=totals), in_loops) or _Statements(
        program, {"shared": shared, "in": columns}, is_shared, "+="
    )
    return _Signature(
        "size_t rows, const double *shared, const double *data, double *out",
        ["#include <math.h>", "#include <stddef.h>"],
        {"shared": shared, "data": columns},
        f"{len(program.outputs)} {'sums' if reduce == 'sum' else 'means'} over the rows",
        _reduce(body, len(columns), bool(totals), bool(program.outputs), reduce),
        isinstance(body, LoopBody),
    )


def _loops(goal: Goal, in_loops: bool | None) -> LoopBody | None:
    """Return the body of a function in loops; None where they do not pay, or are not asked for."""
    if in_loops is False:
        return None
    goal = goal._replace(program=drop_unused(goal.program))
    found = families_of(goal, anyway=in_loops is True, narrow=True)
    return LoopBody(found, goal) if found else None


def _reduce(
    body: _Statements | LoopBody, columns: int, has_totals: bool, has_outputs: bool, reduce: str
) -> list[str]:
    """Return the statements that add the outputs up over the rows."""
    lines = body.once()
    if has_totals:
        of_row = body.of_row()
        if body.reads("in"):
            of_row.insert(0, f"const double *in = data + row * {columns};")
        lines += body.for_outputs("{out} = 0.0;", None)
        lines += ["for (size_t row = 0; row < rows; row++) {", *_indent(of_row), "}"]
    if reduce == "sum":
        lines += body.for_outputs(None, "{out} = rows ? {x} * (double)rows : 0.0;")
    else:
        lines += body.for_outputs("{out} /= (double)rows;", "{out} = rows ? {x} : NAN;")
    is_used = {
        "rows": has_outputs,
        "shared": body.reads("shared"),
        "data": body.reads("in"),
        "out": has_outputs,
    }
    return [*_void(is_used), *body.tables(), *lines]


def _void(is_used: Mapping[str, bool]) -> list[str]:
    """Return statements that tell a compiler of parameters without a use."""
    return [f"(void){parameter};" for parameter, used in is_used.items() if not used]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _declare(kind: str, name: str, size: int) -> str:
    # C has no arrays without entries
    return f"{kind} {name}[{size}]" if size else f"{kind} *{name}"


# gcc does not know the pragma of the standard, and fuses across statements unless told by its own
_ROUNDING = """\
/* Every operation is rounded for itself: no product is fused with a sum. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize ("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif"""
_MULTIPLY_ADD = """\
/* But those that a dot or a length adds up, where the processor does both at once as fast. */
#ifndef MULTIPLY_ADD
#ifdef FP_FAST_FMA
#define MULTIPLY_ADD(x, y, z) fma(x, y, z)
#else
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#endif
#endif"""


# ---- the function's body


class _Statements:
    """The operations of a program, those that all rows share apart from the others.

    Args:
        program: what to compute.
        arrays: the names of the function's arrays of inputs, and the slots that are in them.
        is_shared: for each slot, whether it is computed once, before all rows.
        sign: what a row does to its outputs, "=" or "+=".
    """

    def __init__(
        self,
        program: Program,
        arrays: dict[str, Sequence[int]],
        is_shared: Sequence[bool],
        sign: str,
    ) -> None:
        self.program, self.arrays, self.is_shared = program, arrays, is_shared
        self.sign, self.emitter = sign, CEmitter()
        self.parts: dict[bool, list[Variable]] = {True: [], False: []}
        self.loaded = {
            slot: Variable(f"{array}[{i}]")
            for array, slots in arrays.items()
            for i, slot in enumerate(slots)
        }
        listing = program.names()
        self.names = ConstantNames(program, listing)
        results: list[Result] = []
        for slot in range(len(is_shared)):
            result = self._write(slot, results)
            if type(result) is Variable and not result.name:
                result.name = self.names.of_slot[slot]
                if result.name != listing[slot]:
                    result.comment = f" /* {escape(listing[slot])} */"
            results.append(result)
            self._place(slot)
        self.outputs: list[Result] = []
        for slot in program.outputs:
            self.outputs.append(self.emitter.number(results[slot]))
            self._place(slot)
        mark_used([*self.parts[True], *self.parts[False]], self.outputs)

    def _write(self, slot: int, results: Sequence[Result]) -> Result:
        """Write an input or a step down; return its result."""
        step = self.program.step_at(slot)
        if step is None:
            self.emitter.pending.append(self.loaded[slot])
            return self.loaded[slot]
        op, operands = step
        if op is CONSTANT:
            return float(operands[0])
        return lower(self.emitter, op, [results[operand] for operand in operands])

    def _place(self, slot: int) -> None:
        """Name the pending variables of a slot, and put them where they belong."""
        for variable in self.emitter.pending:
            variable.name = variable.name or self.names.add(self.names.of_slot[slot])
        self.parts[self.is_shared[slot]] += self.emitter.pending
        self.emitter.pending = []

    def tables(self) -> list[str]:
        """Return the tables that statements read: none."""
        return []

    def once(self) -> list[str]:
        """Return what is computed once, before all rows."""
        return [x.definition() for x in self.parts[True] if x.is_used]

    def of_row(self) -> list[str]:
        """Return what is computed for each row, and what is done with the outputs."""
        computed = [x.definition() for x in self.parts[False] if x.is_used]
        return [*computed, *self.for_outputs(f"{{out}} {self.sign} {{x}};", None)]

    def for_outputs(self, own: str | None, shared: str | None) -> list[str]:
        """Return a statement for each output, {out}, that is {x}.

        Args:
            own: that for an output of each row's own; None if it has none.
            shared: that for an output that all rows share.
        """
        lines = []
        for k, (slot, x) in enumerate(zip(self.program.outputs, self.outputs, strict=True)):
            statement = shared if self.is_shared[slot] else own
            if statement:
                lines.append(statement.format(out=f"out[{k}]", x=text(x)))
        return lines

    def reads(self, array: str) -> bool:
        """Return whether an array of inputs is read at all."""
        return any(self.loaded[slot].is_used for slot in self.arrays[array])


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
