"""C source of a `Program`: one function, which needs nothing but the C library.

It computes what the native kernel computes, operation by operation, because both are written from
the same table of lowerings. Neither fuses a product with a sum, except in a dot where the processor
does so fast; the text tells the C compiler so, as many fuse whatever they like otherwise.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ..core.primitive import CONSTANT
from .identifiers import ConstantNames, function_name
from .lowering import FUNCTIONS, Emitter, Result, lower
from .program import Program, find_shared

__all__ = ["c_source"]


def c_source(
    program: Program, shared_inputs: Collection[int], reduce: str | None, name: str
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
    function = _over_rows(program, shared_inputs, reduce) if reduce else _of_one_row(program)
    comment = _comment(
        f"{name}: {_count(len(program), 'operation')} on doubles. Written by microgrid.",
        "",
        f"Compile it with cc -std=c99 -O2 -c {name}.c and link with -lm.",
        "Do without -ffast-math: inf and nan have a meaning here.",
        "",
        *[f"{array}: {_list(program, slots)}" for array, slots in function.arrays.items()],
        f"out: {function.out}",
    )
    has_fused = any("MULTIPLY_ADD" in line for line in function.statements)
    rounding = [_ROUNDING, "", _MULTIPLY_ADD] if has_fused else [_ROUNDING]
    head = f"void {name}({function.parameters}) {{"
    body = [head, *_indent(function.statements), "}", ""]
    return "\n".join([comment, *function.includes, "", *rounding, "", *body])


class _Function(NamedTuple):
    """What distinguishes a function of one row from one over rows.

    `arrays` has the slots that are in each array of inputs, and `out` says what comes out.
    """

    parameters: str
    includes: list[str]
    arrays: dict[str, Sequence[int]]
    out: str
    statements: list[str]


def _of_one_row(program: Program) -> _Function:
    inputs = range(len(program.inputs))
    body = _Body(program, {"in": inputs}, [False] * (len(inputs) + len(program.steps)))
    parameters = [
        _declare("const double", "in", len(inputs)),
        _declare("double", "out", len(program.outputs)),
    ]
    statements = [
        *_void({"in": body.reads("in"), "out": bool(body.outputs)}),
        *body.statements(False),
        *[f"out[{k}] = {_text(x)};" for k, x in enumerate(body.outputs)],
    ]
    return _Function(
        ", ".join(parameters),
        ["#include <math.h>"],
        {"in": inputs},
        _count(len(program.outputs), "number"),
        statements,
    )


def _over_rows(program: Program, shared_inputs: Collection[int], reduce: str) -> _Function:
    shared = sorted(shared_inputs)
    columns = sorted(set(range(len(program.inputs))).difference(shared))
    is_shared = find_shared(program, shared)
    body = _Body(program, {"shared": shared, "in": columns}, is_shared)
    return _Function(
        "size_t rows, const double *shared, const double *data, double *out",
        ["#include <math.h>", "#include <stddef.h>"],
        {"shared": shared, "data": columns},
        f"{len(program.outputs)} {'sums' if reduce == 'sum' else 'means'} over the rows",
        _reduce(body, reduce),
    )


def _reduce(body: _Body, reduce: str) -> list[str]:
    """Return the statements that add the outputs up over the rows."""
    outputs = list(zip(body.program.outputs, body.outputs, strict=True))
    totals = {k: x for k, (slot, x) in enumerate(outputs) if not body.is_shared[slot]}
    is_used = {
        "rows": bool(outputs),
        "shared": body.reads("shared"),
        "data": body.reads("in"),
        "out": bool(outputs),
    }
    lines = [*_void(is_used), *body.statements(True)]
    if totals:
        of_row = [f"const double *in = data + row * {len(body.arrays['in'])};"]
        of_row = [*(of_row if is_used["data"] else []), *body.statements(False)]
        of_row += [f"out[{k}] += {_text(x)};" for k, x in totals.items()]
        lines += [f"out[{k}] = 0.0;" for k in totals]
        lines += ["for (size_t row = 0; row < rows; row++) {", *_indent(of_row), "}"]
    for k, (_, x) in enumerate(outputs):
        if k not in totals and reduce == "sum":
            lines.append(f"out[{k}] = rows ? {_text(x)} * (double)rows : 0.0;")
        elif k not in totals:
            lines.append(f"out[{k}] = rows ? {_text(x)} : NAN;")
        elif reduce == "mean":
            lines.append(f"out[{k}] /= (double)rows;")
    return lines


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


# ---- operations

_FORMS = {
    **{"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}"},
    **{"fma": "MULTIPLY_ADD({}, {}, {})", "exact_fma": "fma({}, {}, {})", "abs": "fabs({})"},
    **{"sqrt": "sqrt({})", "floor": "floor({})", "ceil": "ceil({})", "rint": "nearbyint({})"},
    **{"copysign": "copysign({}, {})", "select": "{} ? {} : {}"},
    **{name: f"{name}({', '.join(['{}'] * arity)})" for name, arity in FUNCTIONS.items()},
}
_CONDITIONS = {
    **{"less": "{} < {}", "less_equal": "{} <= {}", "equal": "{} == {}", "not_zero": "{} != 0.0"},
    **{"is_nan": "isnan({})", "both": "{} && {}", "either": "{} || {}", "not": "!{}"},
}


class Variable:
    """The result of one operation: a constant of the C function.

    Args:
        form: the expression, with a pair of braces for each operand.
        operands: variables, and plain floats.
        is_condition: whether it is an int, which says whether something holds.
    """

    __slots__ = ("comment", "form", "is_condition", "is_used", "name", "operands")

    def __init__(
        self, form: str, operands: tuple[Result, ...] = (), is_condition: bool = False
    ) -> None:
        self.form, self.operands, self.is_condition = form, operands, is_condition
        self.name = self.comment = ""
        self.is_used = False

    def definition(self) -> str:
        """Return the statement that defines it."""
        kind = "int" if self.is_condition else "double"
        text = self.form.format(*map(_text, self.operands))
        return f"const {kind} {self.name} = {text};{self.comment}"


class CEmitter(Emitter):
    """Writes operations as expressions of C, each to be named."""

    def __init__(self) -> None:
        self.pending: list[Variable] = []  # without a place in the function yet

    def is_condition(self, x: Result) -> bool:
        """Return whether x is the result of a comparison."""
        return type(x) is Variable and x.is_condition

    def emit(self, operation: str, operands: tuple[Result, ...]) -> Result:
        """Write an operation down; return its result."""
        x = operands[0]
        if operation == "neg" and type(x) is float:
            return -x  # C reads two minus signs as another operator
        if operation in _CONDITIONS:
            variable = Variable(_CONDITIONS[operation], operands, is_condition=True)
        elif operation in _FORMS:
            variable = Variable(_FORMS[operation], operands)
        else:
            raise NotImplementedError(f"C for {operation!r}")
        self.pending.append(variable)
        return variable


def _text(x: Result) -> str:
    """Return an operand as C writes it."""
    if type(x) is Variable:
        return x.name
    assert type(x) is float
    if math.isnan(x):
        return "NAN"
    return repr(x).replace("inf", "INFINITY")


# ---- the function's body


class _Body:
    """The operations of a program, those that all rows share apart from the others.

    Args:
        program: what to compute.
        arrays: the names of the function's arrays of inputs, and the slots that are in them.
        is_shared: for each slot, whether it is computed once, before all rows.
    """

    def __init__(
        self, program: Program, arrays: dict[str, Sequence[int]], is_shared: Sequence[bool]
    ) -> None:
        self.program, self.arrays, self.is_shared = program, arrays, is_shared
        self.emitter = CEmitter()
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
                    result.comment = f" /* {_escape(listing[slot])} */"
            results.append(result)
            self._place(slot)
        self.outputs: list[Result] = []
        for slot in program.outputs:
            self.outputs.append(self.emitter.number(results[slot]))
            self._place(slot)
        self._mark_used()

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
            variable.name = variable.name or self.names.distinct(self.names.of_slot[slot])
        self.parts[self.is_shared[slot]] += self.emitter.pending
        self.emitter.pending = []

    def _mark_used(self) -> None:
        """Find what the outputs depend on: a compiler warns of all else."""
        for x in self.outputs:
            if type(x) is Variable:
                x.is_used = True
        for variable in reversed([*self.parts[True], *self.parts[False]]):
            if variable.is_used:
                for x in variable.operands:
                    if type(x) is Variable:
                        x.is_used = True

    def statements(self, shared: bool) -> list[str]:
        """Return what is computed once, or for each row."""
        return [x.definition() for x in self.parts[shared] if x.is_used]

    def reads(self, array: str) -> bool:
        """Return whether an array of inputs is read at all."""
        return any(self.loaded[slot].is_used for slot in self.arrays[array])


# ---- the comment above the function


def _comment(*paragraphs: str) -> str:
    """Return a comment of paragraphs, in lines that a screen can show."""
    lines = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(_escape(paragraph), 92, break_on_hyphens=False) or [""]
    inner = [f" * {line}".rstrip() for line in lines[1:]]
    return "\n".join([f"/* {lines[0]}", *inner, " */"])


def _escape(text: str) -> str:
    """Return a text as one line that cannot end a comment, nor begin one or a trigraph."""
    printable = "".join([c if c.isprintable() else " " for c in text])
    return re.sub(r"([*/?\\])(?=[*/?\\])", r"\1 ", printable).rstrip("\\")


def _list(program: Program, slots: Sequence[int]) -> str:
    return ", ".join(f"{i}:{program.inputs[slot]}" for i, slot in enumerate(slots)) or "nothing"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
