"""Names that C allows and that mean nothing else there, for functions and the constants in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..program import Distinct, Program

__all__ = ["ConstantNames", "function_name"]

LONGEST = 60  # a compiler need not tell names apart by more than 63 characters


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words of C99 and of later C, and those that compilers add.
KEYWORDS = _split("""
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while alignas alignof asm bool constexpr false nullptr static_assert
    thread_local true typeof typeof_unqual far i386 linux near unix
""")
MATH = _split("""
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2
    logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round
    scalbln scalbn sin sinh sqrt tan tanh tgamma trunc
""")
MACROS = _split("""
    double_t float_t fpclassify isfinite isgreater isgreaterequal isinf isless islessequal
    islessgreater isnan isnormal isunordered math_errhandling offsetof ptrdiff_t signbit size_t
    wchar_t INFINITY MAXFLOAT MULTIPLY_ADD NAN NULL
""")
MACRO_PREFIXES = ("DBL_", "FLT_", "FP_", "HUGE_VAL", "LDBL_", "MATH_", "M_")
# What no constant in the function may be called.
RESERVED = (
    KEYWORDS
    | MACROS
    | {f"{name}{kind}" for name in MATH for kind in ("", "f", "l")}
    | {"in", "out", "shared", "data", "row", "rows"}
)
# Further names that the function must not have: other functions of C libraries. Any caller of
# these, even the library itself, would get the function instead.
LIBRARY = _split("""
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


def function_name(name: str) -> str:
    """Return the name of a Python function as C allows it.

    >>> function_name("loss"), function_name("malloc"), function_name("<lambda>")
    ('loss', 'malloc_', 'f')
    """
    # what is not an identifier in Python either, such as <lambda>, is not a name
    return _identifier(name if name.isidentifier() else "f", "f", RESERVED | LIBRARY)


class ConstantNames(Distinct):
    """The names of a function's constants: those of the listing, as far as C allows them.

    `of_slot` has one for each slot.
    """

    def __init__(self, program: Program, listing: Sequence[str]) -> None:
        first = len(program.inputs)
        wanted = [
            _identifier(name, "x" if slot < first else "v", RESERVED)
            for slot, name in enumerate(listing)
        ]
        allowed = [x for x, name in zip(wanted, listing, strict=True) if x == name]
        super().__init__({*RESERVED, *allowed}, first=1)
        self.of_slot = [
            x if x == name or program.constant_at(slot) is not None else self.add(x)
            for slot, (x, name) in enumerate(zip(wanted, listing, strict=True))
        ]


def _identifier(name: str, otherwise: str, reserved: frozenset[str]) -> str:
    """Return a name as C allows it, the other one if nothing is left of it."""
    if not _is_plain(name):
        name = re.sub(r"\W+", "_", name, flags=re.ASCII)[:LONGEST].strip("_") or otherwise
        name = f"v_{name}" if name[0].isdigit() else name
    return f"{name}_" if name in reserved or name.startswith(MACRO_PREFIXES) else name


def _is_plain(name: str) -> bool:
    return len(name) <= LONGEST and bool(re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII))
