"""C source of a `Program`: one function, which needs nothing but the C library.

It computes what the native kernel computes, operation by operation, because both are written from
the same table of lowerings. Neither fuses a product with a sum, but in a dot where the processor
does so fast; the text asks the compiler for that, as many fuse what they like if nobody objects.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from ..core.primitive import CONSTANT
from .lowering import FUNCTIONS, Emitter, lower
from .program import Program
from .schedule import scheduled

__all__ = ["c_source"]


def c_source(program: Program, shared: Sequence[int], reduce: str | None, name: str) -> str:
    """Return a program as one function in C99, to be compiled without this library.

    Without `reduce` it is `void name(const double in[], double out[])`: a single row, with the
    inputs in the program's order. With "sum" or "mean" it is `void name(size_t rows, const double
    *shared, const double *data, double *out)`: `shared` are the inputs that all rows share, `data`
    the others, row after row, and `out` are the sums or means over the rows.

    Args:
        program: what to compute.
        shared: the slots of the inputs that have one number for all rows.
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
    # what is no identifier in Python, such as <lambda>, is no name
    name = _identifier(name if name.isidentifier() else "f", "f", _RESERVED | _LIBRARY)
    own = sorted(shared) if reduce else []
    columns = sorted(set(range(len(program.inputs))) - set(own))
    if reduce:
        is_shared = scheduled(program, own, program.outputs).is_shared
        body = _Body(program, {"shared": own, "in": columns}, is_shared)
        code, arguments = _over_rows(body, reduce), {"shared": own, "data": columns}
        head = f"void {name}(size_t rows, const double *shared, const double *data, double *out)"
        what = "sums" if reduce == "sum" else "means"
        out = f"{len(program.outputs)} {what} over the rows"
        includes = "#include <math.h>\n#include <stddef.h>"
    else:
        everywhere = [False] * (len(program.inputs) + len(program.steps))
        body = _Body(program, {"in": columns}, everywhere)
        code, arguments = _of_one_row(body), {"in": columns}
        head = f"void {name}({_array('const double', 'in', columns)}, "
        head += f"{_array('double', 'out', program.outputs)})"
        out = _counted(len(program.outputs), "number")
        includes = "#include <math.h>"
    lists = [f"{array}: {_listed(program, slots)}" for array, slots in arguments.items()]
    comment = _comment(
        f"{name}: {_counted(len(program), 'operation')} on doubles. Written by microgrid.",
        "",
        f"Compile it with cc -std=c99 -O2 -c {name}.c and link with -lm.",
        "Do without -ffast-math: inf and nan have a meaning here.",
        "",
        *lists,
        f"out: {out}",
    )
    if any("MULTIPLY_ADD" in line for line in code):
        rounding = f"{_ROUNDING}\n\n{_MULTIPLY_ADD}"
    else:
        rounding = _ROUNDING
    text = [comment, includes, "", rounding, "", f"{head} {{", *_indented(code), "}", ""]
    return "\n".join(text)


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


class Result:
    """What one operation computes: a constant of the C function.

    Args:
        form: the expression, with a pair of braces for each operand.
        operands: results, and plain floats.
        is_condition: whether it is an int, which says whether something holds.
    """

    __slots__ = ("comment", "form", "is_condition", "is_used", "name", "operands")

    def __init__(
        self, form: str, operands: tuple[Any, ...] = (), is_condition: bool = False
    ) -> None:
        self.form, self.operands, self.is_condition = form, operands, is_condition
        self.name = self.comment = ""
        self.is_used = False

    def definition(self) -> str:
        """Return the statement that computes it."""
        kind = "int" if self.is_condition else "double"
        text = self.form.format(*map(_text, self.operands))
        return f"const {kind} {self.name} = {text};{self.comment}"


class CEmitter(Emitter):
    """Writes operations as expressions of C, each to be named."""

    def __init__(self) -> None:
        self.made: list[Result] = []

    def is_condition(self, x: Any) -> bool:
        """Return whether x is the result of a comparison."""
        return type(x) is Result and x.is_condition

    def emit(self, operation: str, operands: tuple[Any, ...]) -> Any:
        """Write an operation down; return its result."""
        if operation == "neg" and type(operands[0]) is float:
            return -operands[0]  # C reads two minus signs as another operator
        if operation in _CONDITIONS:
            result = Result(_CONDITIONS[operation], operands, is_condition=True)
        elif operation in _FORMS:
            result = Result(_FORMS[operation], operands)
        else:
            raise NotImplementedError(f"C for {operation!r}")
        self.made.append(result)
        return result


def _text(x: Any) -> str:
    """Return an operand as C writes it."""
    if type(x) is Result:
        return x.name
    if math.isnan(x):
        return "NAN"
    return repr(float(x)).replace("inf", "INFINITY")


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
        self.program, self.is_shared = program, is_shared
        self.emitter = CEmitter()
        self.parts: dict[bool, list[Result]] = {True: [], False: []}
        listing = program.names()
        self.names = _Names(program, listing)
        self.arrays = arrays
        self.loaded = {
            slot: Result(f"{array}[{i}]")
            for array, slots in arrays.items()
            for i, slot in enumerate(slots)
        }
        values: list[Any] = []
        for slot in range(len(is_shared)):
            values.append(self._value(slot, values))
            if type(values[-1]) is Result and not values[-1].name:
                values[-1].name = self.names.of_slot[slot]
                if self.names.of_slot[slot] != listing[slot]:
                    values[-1].comment = f" /* {_harmless(listing[slot])} */"
            self._enter(slot)
        self.outputs = []
        for slot in program.outputs:
            self.outputs.append(self.emitter.number(values[slot]))
            self._enter(slot)
        self._mark_used()

    def _value(self, slot: int, values: Sequence[Any]) -> Any:
        """Write an input or a step down; return its result."""
        if slot in self.loaded:
            self.emitter.made.append(self.loaded[slot])
            return self.loaded[slot]
        op, operands = self.program.steps[slot - len(self.program.inputs)]
        if op is CONSTANT:
            return float(operands[0])
        return lower(self.emitter, op, [values[operand] for operand in operands])

    def _enter(self, slot: int) -> None:
        """Name what was made for a slot, and put it where it belongs."""
        for result in self.emitter.made:
            result.name = result.name or self.names.distinct(self.names.of_slot[slot])
        self.parts[self.is_shared[slot]] += self.emitter.made
        self.emitter.made = []

    def _mark_used(self) -> None:
        """Find what the outputs depend on: a compiler warns of all else."""
        for x in self.outputs:
            if type(x) is Result:
                x.is_used = True
        for result in reversed([*self.parts[True], *self.parts[False]]):
            if result.is_used:
                for x in result.operands:
                    if type(x) is Result:
                        x.is_used = True

    def statements(self, shared: bool) -> list[str]:
        """Return what is computed once, or for each row."""
        return [x.definition() for x in self.parts[shared] if x.is_used]

    def reads(self, array: str) -> bool:
        """Return whether an array of inputs is read at all."""
        return any(self.loaded[slot].is_used for slot in self.arrays[array])


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _unused(is_used: dict[str, bool]) -> list[str]:
    """Return statements that tell a compiler of parameters without a use."""
    return [f"(void){parameter};" for parameter, used in is_used.items() if not used]


def _of_one_row(body: _Body) -> list[str]:
    return [
        *_unused({"in": body.reads("in"), "out": bool(body.outputs)}),
        *body.statements(False),
        *[f"out[{k}] = {_text(x)};" for k, x in enumerate(body.outputs)],
    ]


def _over_rows(body: _Body, reduce: str) -> list[str]:
    outputs = list(zip(body.program.outputs, body.outputs, strict=True))
    totals = {k: x for k, (slot, x) in enumerate(outputs) if not body.is_shared[slot]}
    is_used = {
        "rows": bool(outputs),
        "shared": body.reads("shared"),
        "data": body.reads("in"),
        "out": bool(outputs),
    }
    lines = [*_unused(is_used), *body.statements(True)]
    if totals:
        of_row = [f"const double *in = data + row * {len(body.arrays['in'])};"]
        of_row = [*(of_row if is_used["data"] else []), *body.statements(False)]
        of_row += [f"out[{k}] += {_text(x)};" for k, x in totals.items()]
        lines += [f"out[{k}] = 0.0;" for k in totals]
        lines += ["for (size_t row = 0; row < rows; row++) {", *_indented(of_row), "}"]
    for k, (_, x) in enumerate(outputs):
        if k not in totals and reduce == "sum":
            lines.append(f"out[{k}] = rows ? {_text(x)} * (double)rows : 0.0;")
        elif k not in totals:
            lines.append(f"out[{k}] = rows ? {_text(x)} : NAN;")
        elif reduce == "mean":
            lines.append(f"out[{k}] /= (double)rows;")
    return lines


# ---- names


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of C99 and of later C, and those that compilers add.
_KEYWORDS = _words("""
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while alignas alignof asm bool constexpr false nullptr static_assert
    thread_local true typeof typeof_unqual far i386 linux near unix
""")
_MATH = _words("""
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2
    logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round
    scalbln scalbn sin sinh sqrt tan tanh tgamma trunc
""")
_MACROS = _words("""
    double_t float_t fpclassify isfinite isgreater isgreaterequal isinf isless islessequal
    islessgreater isnan isnormal isunordered math_errhandling offsetof ptrdiff_t signbit size_t
    wchar_t INFINITY MAXFLOAT MULTIPLY_ADD NAN NULL
""")
_MACRO_PREFIXES = ("DBL_", "FLT_", "FP_", "HUGE_VAL", "LDBL_", "MATH_", "M_")
# What no constant in the function may be called.
_RESERVED = (
    _KEYWORDS
    | _MACROS
    | {f"{name}{kind}" for name in _MATH for kind in ("", "f", "l")}
    | {"in", "out", "shared", "data", "row", "rows"}
)
# What the function itself may not be called besides: other functions of C libraries. Whoever calls
# these, be it the library itself, would get the function instead.
_LIBRARY = _words("""
    abort abs asctime atexit atof atoi atol atoll bsearch calloc clearerr clock ctime difftime div
    exit fclose feof ferror fflush fgetc fgetpos fgets fopen fprintf fputc fputs fread free freopen
    fscanf fseek fsetpos ftell fwrite getc getchar getenv gets gmtime isalnum isalpha isblank
    iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit labs ldiv llabs lldiv
    localeconv localtime longjmp main malloc mblen memchr memcmp memcpy memmove memset mktime perror
    printf putc putchar puts qsort raise rand realloc remove rename rewind scanf setbuf setjmp
    setlocale setvbuf signal snprintf sprintf srand sscanf strcat strchr strcmp strcpy strlen strstr
    strtod strtok strtol system time tmpfile tmpnam tolower toupper ungetc vprintf

    cabs cacos cacosh carg casin casinh catan catanh ccos ccosh cexp cimag clog clog10 conj cpow
    cproj creal csin csinh csqrt ctan ctanh

    alloca imaxabs imaxdiv iseqsig issignaling iszero strcoll strcspn strdup strncat strncmp strncpy
    strndup strpbrk strrchr strspn strtof strtold strtoll strtoull strxfrm toascii wcscpy wcslen
    iswalnum iswalpha iswcntrl iswdigit iswgraph iswlower iswprint iswpunct iswspace iswupper
    iswxdigit towlower towupper

    acospi asinpi atan2pi atanpi bcmp bcopy bzero canonicalize close compoundn connect cospi drem
    exp10 exp10m1 exp2m1 fadd fdiv ffma ffs finite fmaximum fminimum fmul fork fromfp fsqrt fsub
    gamma getpayload index j0 j1 jn kill link llogb log10p1 log2p1 logp1 nextdown nextup open pipe
    poll pow10 pown powr read recv rindex rootn roundeven rsqrt scalb select send setpayload signgam
    significand sincos sinpi sleep stat tanpi totalorder wait write y0 y1 yn
""")

LONGEST = 60  # a compiler need not tell names apart by more than 63 characters


def _identifier(name: str, otherwise: str, reserved: frozenset[str]) -> str:
    """Return a name as C allows it, the other one if nothing is left of it."""
    if not _is_plain(name):
        name = re.sub(r"\W+", "_", name, flags=re.ASCII)[:LONGEST].strip("_") or otherwise
        name = f"v_{name}" if name[0].isdigit() else name
    return f"{name}_" if name in reserved or name.startswith(_MACRO_PREFIXES) else name


def _is_plain(name: str) -> bool:
    return len(name) <= LONGEST and bool(re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII))


class _Names:
    """The names of a function's constants: those of the listing, as far as C allows them.

    `of_slot` has one for each slot.
    """

    def __init__(self, program: Program, listing: Sequence[str]) -> None:
        first = len(program.inputs)
        wanted = [
            _identifier(name, "x" if slot < first else "v", _RESERVED)
            for slot, name in enumerate(listing)
        ]
        self.taken = set(_RESERVED)
        self.taken |= {x for x, name in zip(wanted, listing, strict=True) if x == name}
        self.counts: dict[str, int] = {}
        self.of_slot = [
            x if x == name or _is_constant(program, slot) else self.distinct(x)
            for slot, (x, name) in enumerate(zip(wanted, listing, strict=True))
        ]

    def distinct(self, name: str) -> str:
        """Return a name that nothing else has: if x is taken, x_1."""
        candidate, count = name, self.counts.get(name, 0)
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        self.counts[name] = count
        self.taken.add(candidate)
        return candidate


def _is_constant(program: Program, slot: int) -> bool:
    first = len(program.inputs)
    return slot >= first and program.steps[slot - first][0] is CONSTANT


# ---- the comment above the function


def _comment(*paragraphs: str) -> str:
    """Return a comment of paragraphs, in lines that a screen can show."""
    lines = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(_harmless(paragraph), 92, break_on_hyphens=False) or [""]
    inner = [f" * {line}".rstrip() for line in lines[1:]]
    return "\n".join([f"/* {lines[0]}", *inner, " */"])


def _harmless(text: str) -> str:
    """Return a text that is one line and cannot end a comment, nor begin one or a trigraph."""
    printable = "".join([c if c.isprintable() else " " for c in text])
    return re.sub(r"([*/?\\])(?=[*/?\\])", r"\1 ", printable).rstrip("\\")


def _listed(program: Program, slots: Sequence[int]) -> str:
    return ", ".join(f"{i}:{program.inputs[slot]}" for i, slot in enumerate(slots)) or "nothing"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _array(kind: str, name: str, entries: Sequence[Any]) -> str:
    # C has no arrays without entries
    return f"{kind} {name}[{len(entries)}]" if entries else f"{kind} *{name}"
