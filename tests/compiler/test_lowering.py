"""The laws of the table of lowerings: every primitive, as every kind of processor computes it.

Where Python has a finite answer the kernel's is the same to a few ulp. Where Python raises, and
where an operand is inf or nan, it is what IEEE arithmetic gives, by NumPy (`ieee`).
"""

import contextlib
import functools
import itertools
import math
import re
import subprocess
import sys
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from mpmath import mp, mpf
from scipy import special

import microgrid as mg
from microgrid import Primitive, optim
from microgrid.compiler import lowers
from microgrid.compiler.c.source import c_source
from microgrid.compiler.ir import machine
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.lowering import FUNCTIONS, LOWERINGS, lowering_of
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.program import Goal
from microgrid.compiler.trace import trace
from microgrid.core.primitive import CONSTANT
from microgrid.testing.programs.domains import DOMAINS, FAMILIES, LIBRARY, domain_of, family_name
from tests.compiler.c.test_source import each_row, library, needs_c
from tests.formulas import FAMILY_FORMULAS, FORMULAS
from tests.ieee import HERE, MACHINES, by_ieee, cancelling, exact_programs, ieee, same_bits
from tests.search import LONG, usual

# In the default run this one, and the narrowest without the C library's functions of vectors.
KINDS = [*MACHINES] if LONG else [*MACHINES][::3]
each_machine = pytest.mark.parametrize("kind", [MACHINES[kind] for kind in KINDS], ids=KINDS)

# ---- bounds, in ulp of the exact result

# IEEE arithmetic rounds to the nearest number; so do fmod and sqrt.
ROUNDED_ONCE = 0.5
# glibc states 4 ulp for its functions of vectors, and for the worst of the others, cbrt.
OF_FUNCTION = 4
# A lowering that calls two functions, or multiplies several times.
OF_SEVERAL = 8

EXACT = {
    *("+", "-", "*", "/", "//", "%", "<", "<=", "==", "neg", "abs", "where", "sign", "compare"),
    *("sqrt", "floor", "ceil", "relu", "argument", "stop_gradient", "max", "min", "clip_to"),
    "leaky_relu_by",
}
SEVERAL = {"log_share", "sigmoid", "softplus", "logsumexp", "elu_by", "sum", "prod", "dot"}
SEVERAL |= {"polygamma_by", "mills_by", "sinc_by", "log_ndtr", "erfinv"}


def name_of(primitive):
    return family_name(primitive.made_by[0]) if primitive.made_by else primitive.name


def most_ulps(primitive):
    name = name_of(primitive)
    return ROUNDED_ONCE if name in EXACT else OF_SEVERAL if name in SEVERAL else OF_FUNCTION


def cancelled(primitive, xs):
    """Return the greatest numbers that an algorithm of `special` adds up, or the like of them."""
    name, (x, *_) = name_of(primitive), xs
    n, *_ = primitive.constants or (0,)
    with np.errstate(all="ignore"):
        if name == "lgamma":  # which is 0 at 1 and 2, and at points below 0
            return [1.0]
        if name == "polygamma_by":
            return [4.0 * (n == 0), np.where(x < 0, special.polygamma(n, 1 + np.abs(x)), 0.0)]
        if name == "sinc_by" and n:
            return [1 / (1 + n + np.abs(x))]
        if name == "mills_by":
            near = np.clip(x, 0.0, 37.0)  # whose square is rounded, and a power of exp's
            above = np.exp(near * near / 2) * (1 + near) ** (n + 2)
            return [np.where(x >= -4, np.where(x < 0, 30.0**n, above), 0.0)]
        if name == "log_ndtr":  # erfc of x / sqrt(2), which is rounded
            near = np.clip(x, 0.0, 40.0)
            return [np.where(x > 0, np.exp(-near * near / 2) * (1 + near * near), 0.0)]
    return []


def magnitude(primitive, xs, result):
    """Return the size of the greatest number that a primitive has to round: operands may cancel."""
    parts = [result]
    if primitive.name == "dot":
        n = len(xs) // 2
        parts += [x * y for x, y in zip(xs[:n], xs[n : 2 * n], strict=True)] + list(xs[2 * n :])
    if primitive.name in ("sum", "logsumexp"):
        parts += xs
    return np.max(
        np.abs(np.broadcast_arrays(*parts, *map(np.abs, cancelled(primitive, xs)))), axis=0
    )


# ---- what is compiled: each primitive, with so many operands

CONSTANTS = {name: set(family.constants) for name, family in FAMILIES.items()}
CONSTANTS["power"] |= {(n,) for n in [4, 5, 100, -3, -4, -5, -0.5, 1 / 3]}
CONSTANTS["exponential"] |= {(10,), (0.5,), (math.e,)}
CONSTANTS["round_to"] |= {(-2,), (3,), (22,), (-22,)}
CONSTANTS["clip_to"] |= {(-math.inf, math.inf), (0, 0)}
PRIMITIVES = [
    primitive
    for name in LIBRARY
    if name != "constant"  # it is of a number that is known
    for primitive in (
        [Primitive.families[name](*constants) for constants in sorted(CONSTANTS[name])]
        if name in FAMILIES
        else [Primitive.named(name)]
    )
]
ARITIES = (1, 2, 3, 5)


def takes(primitive, n):
    return n == 1 if primitive.made_by else DOMAINS[primitive.name].takes(n)


APPLIED = {n: [primitive for primitive in PRIMITIVES if takes(primitive, n)] for n in ARITIES}


def traced(f, names):
    return trace(f, names, lambda xs: (xs, {}))[0]


PROGRAMS = {
    n: traced(lambda *xs, n=n: [primitive(*xs) for primitive in APPLIED[n]], "abcde"[:n])
    for n in ARITIES
}


@functools.cache
def kernel(program, kind):
    return ArrayKernel(program, (), None, kind)


def computed(program, columns, kind):
    """Return the outputs of a kernel, row by row."""
    columns = [np.ascontiguousarray(column, float) for column in columns]
    return kernel(program, kind)([], columns)


def neighbours(*xs):
    return [float(y) for x in xs for y in (np.nextafter(x, -np.inf), x, np.nextafter(x, np.inf))]


def both_signs(xs):
    return [*sorted({sign * float(x) for x in xs for sign in (1, -1)}), -0.0]


LEAST, MOST = sys.float_info.min, sys.float_info.max
EXP_LIMIT = math.log(MOST)
# Zeros, subnormals, huge numbers, and both sides of each edge of a domain, jump and overflow.
SIZES = [0.0, 5e-324, 1e-310, LEAST, 1e-8, 20.0, 1e10, 1e150, 1.7e308, MOST, math.inf]
SIZES += neighbours(0.5, 1.0, 1.5, 2.0, 2.5, math.pi / 2, math.pi, 2.0**52, 2.0**53, 2.0**511.5)
SIZES += neighbours(EXP_LIMIT, EXP_LIMIT + math.log(2), 745.1332191019412, 1022.0, 1024.0, 1074.0)
SPECIAL = both_signs(SIZES)
FEW = both_signs([0.0, 5e-324, 1e-310, 1e-8, 0.5, 1.0, 1 - 2**-53, 2.0, 2.5, 3.0, 1e10, 1e150])
FEW += [1.7e308, -1.7e308, math.inf, -math.inf, math.nan]
FEWER = [0.0, -0.0, 1e-310, 1.0, -1.0, 3.0, 1.7e308, math.inf, -math.inf, math.nan]
ROWS = {
    1: [(x,) for x in [*SPECIAL, math.nan]],
    2: list(itertools.product(FEW, repeat=2)),
    3: list(itertools.product(FEW, repeat=3))[::5],
    5: list(itertools.product(FEWER, repeat=5))[::31],
}


def of_python(primitive, rows):
    """Return what Python gives for each row, nan where it raises."""
    numbers = []
    for xs in rows:
        try:
            numbers.append(float(primitive(*xs)))
        except (ArithmeticError, ValueError):
            numbers.append(math.nan)
    return np.array(numbers)


@pytest.fixture(scope="module")
def expected():
    """Return for each number of operands the columns, and what Python and NumPy give by them."""
    found = {}
    with np.errstate(all="ignore"):
        for n, rows in ROWS.items():
            columns = list(np.array(rows).T)
            python = [of_python(primitive, rows) for primitive in APPLIED[n]]
            arrays = [ieee(primitive)(*columns) for primitive in APPLIED[n]]
            found[n] = columns, python, [np.broadcast_to(x, len(rows)) for x in arrays]
    return found


# ---- the table


def test_no_lowering_is_missing_and_none_is_for_nothing():
    asked = """
from microgrid import Primitive
import microgrid, microgrid.losses, microgrid.nn, microgrid.optim
from microgrid.compiler.lowering import LOWERINGS
print(*{*Primitive.registry, *Primitive.families} ^ {*LOWERINGS})
"""
    # in a process of its own: other tests declare primitives as they like
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    of_each_solution = ["root_of"]  # whose primitives are made where an equation is solved
    assert (found.stdout.split(), found.stderr) == (of_each_solution, "")
    assert set(LIBRARY) <= set(LOWERINGS)


def test_every_primitive_is_compiled_here_with_all_numbers_of_operands():
    compiled = {name_of(primitive) for n in ARITIES for primitive in APPLIED[n]}
    assert compiled == set(LIBRARY) - {"constant"}
    several = [name for name, domain in DOMAINS.items() if domain.several and name in LIBRARY]
    for n in ARITIES:
        assert {p.name for p in APPLIED[n]} >= set(several)


@pytest.fixture
def own():
    """Return a primitive without a lowering."""
    primitive = Primitive("of test_lowering", lambda x, y: x * y + 1, lambda out, x, y: (y, x))
    yield primitive
    LOWERINGS.pop(primitive.name, None)
    del Primitive.registry[primitive.name]


def test_a_primitive_without_a_lowering_is_refused_by_name(own):
    with pytest.raises(TypeError, match=r"^the primitive 'of test_lowering' has no lowering"):
        mg.compile(lambda x: own(x, x))(1.0)
    with pytest.raises(TypeError, match=r"'of test_lowering' has no lowering.*compiler\.lowers"):
        lowering_of(own)


@needs_c
def test_a_lowering_of_ones_own_works_in_a_kernel_its_gradient_and_c(own, tmp_path):
    lowers(own.name)(lambda m, x, y: m.select(m.less(x, 1e9), m.add(m.mul(x, y), 1.0), x))
    assert mg.compile(own)(3.0, 4.0) == 13.0
    assert mg.compile(own)(1e9, 4.0) == 1e9
    assert mg.compile(mg.grad(own, (0, 1)))(3.0, 4.0) == (4.0, 3.0)
    c = library(tmp_path, [c_source(traced(own, "xy"), (), None, "own")])
    assert each_row(c.own, [[3.0, 4.0], [1e9, 4.0]], 1)[:, 0].tolist() == [13.0, 1e9]


def test_a_lowering_of_a_family_takes_the_constants_first():
    taken = []
    row = LOWERINGS["power"]
    try:
        lowers("power")(lambda m, n, x: taken.append(n) or m.add(x, float(n)))
        assert mg.compile(lambda x: x**7)(1.0) == 8.0
    finally:
        LOWERINGS["power"] = row
    assert taken == [7]


# ---- special numbers


def fused(primitive, columns):
    """Return the rows in which an fma may differ: a product that is rounded is out of range."""
    n = len(columns) // 2
    rows = np.zeros(len(columns[0]), bool)
    if primitive.name == "dot":
        for x, y in zip(columns[:n], columns[n : 2 * n], strict=True):
            rows |= np.isfinite(x) & np.isfinite(y) & np.isinf(x * y)
            rows |= (x != 0) & (y != 0) & (x * y == 0)
    return rows


@each_machine
@pytest.mark.parametrize("n", ARITIES)
def test_at_special_numbers_a_kernel_is_python_where_that_is_finite_else_ieee(kind, n, expected):
    columns, pythons, numpys = expected[n]
    outs = computed(PROGRAMS[n], columns, kind)
    with np.errstate(all="ignore"):
        for primitive, out, python, numpy in zip(APPLIED[n], outs, pythons, numpys, strict=True):
            right = np.where(np.isfinite(python), python, numpy)
            size = magnitude(primitive, columns, right)
            # both are off by so much, and not at all if they round the exact result once
            bound = most_ulps(primitive) // 1 * 2 * np.spacing(np.where(size < MOST, size, MOST))
            good = (out == right) | (np.isnan(out) & np.isnan(right)) | (abs(out - right) <= bound)
            zero_of_wrong_sign = (out == 0) & (right == 0) & (np.signbit(out) != np.signbit(numpy))
            wrong = (~good | zero_of_wrong_sign) & ~fused(primitive, columns)
            told = [(ROWS[n][i], out[i], right[i]) for i in np.flatnonzero(wrong)[:5]]
            assert not told, (primitive, told)


def test_nan_is_hidden_nowhere_but_where_c_says_so():
    # pow(x, 0), pow(1, x), hypot with inf, and what is not chosen or not computed by
    known = {"**", "**k", "power", "exponential", "where", "hypot", "<", "<=", "==", "sech2"}
    for n in ARITIES:
        for position in range(n):
            columns = [np.full(1, math.nan if i == position else 2.0) for i in range(n)]
            outs = computed(PROGRAMS[n], columns, HERE)
            for primitive, out in zip(APPLIED[n], outs, strict=True):
                assert np.isnan(out[0]) or name_of(primitive) in known, (primitive, position)


DERIVATIVES = [
    *[(mg.sqrt, 0.0, math.inf), (mg.cbrt, 0.0, math.inf), (mg.log, 0.0, math.inf)],
    *[(mg.log, -0.0, -math.inf), (lambda x: 1 / x, 0.0, -math.inf), (mg.asin, 1.0, math.inf)],
    *[(mg.acos, -1.0, -math.inf), (mg.atanh, 1.0, math.inf), (mg.acosh, 1.0, math.inf)],
    *[(mg.exp, 1000.0, math.inf), (mg.sqrt, -1.0, math.nan), (mg.sin, math.inf, math.nan)],
    *[(mg.log1p, -1.0, math.inf), (mg.relu, math.nan, math.nan), (abs, math.nan, math.nan)],
]


def test_derivatives_that_python_has_not_are_those_of_ieee_arithmetic():
    for f, x, slope in DERIVATIVES:
        found = mg.compile(mg.grad(f))(x)
        assert found == slope or (math.isnan(found) and math.isnan(slope)), (f, x, found)


# ---- accuracy

BITS = 250
# What `formulas` writes for hundreds of digits more.
log_ndtr = FORMULAS["log_ndtr"]
BY_MPMATH = FORMULAS | {
    "erfc": lambda x: mp.erfc(x) if abs(x) < 40 else mpf(2 * (x < 0)),  # else its series is long
    "log1p": mp.log1p,
    "log_ndtr": lambda x: (
        mp.log1p(-mp.erfc(min(x, 1e3) / mp.sqrt(2)) / 2) if x > 0 else log_ndtr(x)
    ),
    "logsumexp": lambda x, *xs: x + mp.log1p(mp.fsum([mp.exp(y - x) for y in xs])),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
}
# Large arguments, and both sides of where functions change their algorithm or overflow.
CHOSEN = [1e10, 1e22, 1e300, 709.7, -745.0, -700.0, 0.5, 1.0, -0.5, 26.0, -26.0, 1e-300, math.pi]


def formula_of(primitive):
    if primitive.made_by:
        return FAMILY_FORMULAS[name_of(primitive)](*primitive.made_by[1])
    return BY_MPMATH[primitive.name]


def operands(rng, n, count):
    """Return columns of numbers: of all sizes, moderate, between -1 and 1, and close to 1."""
    shape = count // 4, n
    sign = rng.choice([-1.0, 1.0], shape)
    parts = [
        sign * 10.0 ** rng.uniform(-300, 300, shape),
        rng.uniform(-40, 40, shape),
        rng.uniform(-1, 1, shape),
        1 + sign * 10.0 ** rng.uniform(-15, 0, shape),
    ]
    table = np.concatenate([*parts, np.array(CHOSEN)[rng.integers(0, len(CHOSEN), (13, n))]])
    # each operand of a row is of another kind than the one before
    return [np.roll(table[:, i], i * (count // 4)) for i in range(n)]


def exact(primitive, columns):
    """Return the rows in which a primitive has a number, and the number in so many bits."""
    rows, numbers = [], []
    formula, domain = formula_of(primitive), domain_of(primitive)
    for i, xs in enumerate(zip(*[column.tolist() for column in columns], strict=True)):
        if domain.contains(*xs):
            with mp.workprec(BITS):
                number = formula(*map(mpf, xs))
                if abs(number) <= MOST:
                    rows.append(i)
                    numbers.append(number)
    return rows, numbers


# Held to Python's own instead, which are exact: they would need a thousand digits.
BY_PYTHON = ("//", "%", "round_to")


@pytest.fixture(scope="module")
def accurate():
    """Return for each number of operands the columns, and what each primitive must give by them.

    That is a list of rows, each with the exact result and how far from it a kernel's may be.
    """
    rng = np.random.default_rng(0)
    found = {}
    for n, count in {1: 240, 2: 200, 3: 80, 5: 40}.items():
        columns = operands(rng, n, count)
        with np.errstate(all="ignore"):
            found[n] = columns, [bounded(primitive, columns) for primitive in APPLIED[n]]
    return found


def bounded(primitive, columns):
    if name_of(primitive) in BY_PYTHON:
        return []
    rows, numbers = exact(primitive, columns)
    assert len(rows) >= 9, primitive
    sizes = magnitude(primitive, [column[rows] for column in columns], np.array(numbers, float))
    # half an ulp of a power of 2 is a whole one below it
    most = [
        mpf(most_ulps(primitive) * (1 + 1e-9)) * mpf(math.ulp(min(size, MOST)))
        for size in sizes.tolist()
    ]
    return list(zip(rows, numbers, most, strict=True))


@each_machine
@pytest.mark.parametrize("n", ARITIES)
def test_a_function_is_as_accurate_as_its_bound_says(kind, n, accurate):
    columns, exacts = accurate[n]
    outs = computed(PROGRAMS[n], columns, kind)
    for primitive, out, rows in zip(APPLIED[n], outs, exacts, strict=True):
        for i, number, most in rows:
            off = abs(mpf(float(out[i])) - number)
            assert off <= most, (primitive, [column[i] for column in columns], out[i], float(off))


def scattered(rng, count):
    return rng.normal(size=count) * 10.0 ** rng.uniform(-300, 300, count)


@each_machine
def test_remainders_and_floor_divisions_are_python_s_bit_for_bit(kind):
    rng = np.random.default_rng(1)
    wholes = (rng.integers(-99, 99, 500) / 4, (rng.integers(-99, 99, 500) + 0.5) / 4)
    near = rng.normal(size=(2, 500)) * 10.0 ** rng.uniform(-5, 5, (2, 500))
    pairs = [wholes, near, (scattered(rng, 500), scattered(rng, 500))]
    x, y = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
    outs = computed(traced(lambda x, y: [x // y, x % y], "xy"), [x, y], kind)
    assert outs[0].tolist() == [a // b for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert outs[1].tolist() == [a % b for a, b in zip(x.tolist(), y.tolist(), strict=True)]


@each_machine
def test_round_is_python_s_where_two_decimals_seem_as_near(kind):
    digits = range(-22, 23)
    rng = np.random.default_rng(2)
    xs = []
    for d in digits:
        middles = (rng.integers(-10000, 10000, 40) + 0.5) / 10.0**d
        xs.append([*neighbours(*middles), *scattered(rng, 40), *rng.normal(size=40)])
    program = traced(lambda x: [round(x, d) for d in digits], "x")
    for d, x, out in zip(digits, xs, computed(program, [np.ravel(xs)], kind), strict=True):
        found = out.reshape(len(xs), -1)[d + 22]
        right = np.array([round(number, d) for number in map(float, x)])
        # the decimal is the right one; how it is written as a float may be off in the last bit
        assert (abs(found - right) <= np.spacing(abs(right))).all(), d
        assert (np.signbit(found) == np.signbit(right)).all(), d


def test_round_to_digits_that_no_float_has_is_refused():
    with pytest.raises(TypeError, match=r"round\(x, 23\) cannot be compiled: .* -22 to 22"):
        mg.compile(lambda x: round(x, 23))(1.0)


@each_machine
def test_a_choice_of_signed_zeros_and_conditions_is_what_python_gives(kind):
    numbers = [0.0, -0.0, 1.0, -1.0, 2.0]

    def choices(x, y):
        conditions = [x > 0, y > 0, mg.where(x > 0, y > 0, 0.0), mg.where(x > 0, 0.0, 1.0), x]
        parts = [*numbers, y > 0, y]
        return [mg.where(c, a, b) for c in conditions for a in parts for b in parts]

    rows = list(itertools.product([1.0, -1.0, 0.0, -0.0, math.nan], repeat=2))
    outs = computed(traced(choices, "xy"), list(np.array(rows).T), kind)
    for i, xs in enumerate(rows):
        found, python = [float(out[i]) for out in outs], [float(z) for z in choices(*xs)]
        assert list(map(repr, found)) == list(map(repr, python)), xs


# ---- rounding: each operation for itself

FLAGS = re.compile(r"\b(fast|nnan|ninf|nsz|arcp|afn|reassoc|contract)\b")


def flags_of(text):
    lines = [line.partition(";")[0] for line in text.splitlines()]
    return [(flag, line) for line in lines for flag in FLAGS.findall(line)]


def test_kernels_leave_the_compiler_no_freedom():
    for kind in MACHINES.values():
        for n in ARITIES:
            every = range(len(PROGRAMS[n].outputs))
            for written, totals in ((every, []), ([], every)):
                text = KernelText(Goal(PROGRAMS[n], (), written, totals), kind).ir()
                assert not flags_of(text)
                assert "fp-math" not in text


@each_machine
def test_a_kernel_has_the_bits_of_numpy_and_python_whatever_may_cancel(kind):
    rng = np.random.default_rng(5)

    @usual(40)
    @given(exact_programs())
    def search(drawn):
        program, shared = drawn
        columns = cancelling(rng, 19)
        for i in shared:
            columns[i] = np.full(19, columns[i][0])
        own = [column for i, column in enumerate(columns) if i not in shared]
        outs = ArrayKernel(program, shared, None, kind)([columns[i][0] for i in shared], own)
        for slot, out, right in zip(program.outputs, outs, by_ieee(program, columns), strict=True):
            assert same_bits(out, right), (slot, out.tolist(), right.tolist())
        for i, xs in enumerate(np.transpose(columns).tolist()):
            with contextlib.suppress(ArithmeticError, ValueError):
                for slot, out, right in zip(program.outputs, outs, program(*xs), strict=True):
                    square = depends_on_a_power(program, slot)
                    assert square or same_bits(out[i], np.float64(right)), (slot, xs)

    search()


def depends_on_a_power(program, slot):
    """Return whether a slot depends on a square, which Python has pow compute: it may be off."""
    op, operands = program.steps[slot - len(program.inputs)]
    first = len(program.inputs)
    return op is not CONSTANT and (
        name_of(op) == "power"
        or any(depends_on_a_power(program, i) for i in operands if i >= first)
    )


CANCELLING = {
    "root": (lambda x, y: mg.sqrt(x * x - y * y), (0.1, 0.1), 0.0),
    "floor": (lambda a, b, c: mg.floor(a * b - c), (0.1, 3.0, 0.1 * 3.0), 0.0),
    "sum": (lambda a, b, c: a * b + c, (0.1, 3.0, -(0.1 * 3.0)), 0.0),
    "negated": (lambda a, b, c: c - a * b, (0.1, 3.0, 0.1 * 3.0), 0.0),
    "sign": (lambda a, b, c: mg.sign(a * b - c), (0.1, 3.0, 0.1 * 3.0), 0.0),
    "chosen": (lambda a, b, c: mg.where(a * b > c, 1.0, 0.0), (0.1, 3.0, 0.1 * 3.0), 0.0),
    "square": (lambda x, y: mg.sqrt(x**2 - y**2), (0.1, 0.1), 0.0),
    "whole": (lambda a, b, c: (a * b - c) // 1e-20, (0.1, 3.0, 0.1 * 3.0), 0.0),
}


def all_that_cancels(*xs):
    """Return what each function gives of operands of its own: one kernel is made for them all."""
    rest = iter(xs)
    return [f(*itertools.islice(rest, len(operands))) for f, operands, _ in CANCELLING.values()]


@each_machine
def test_what_cancels_is_zero_and_not_what_was_rounded_away(kind):
    operands = [operands for _, operands, _ in CANCELLING.values()]
    xs, right = [x for each in operands for x in each], [right for *_, right in CANCELLING.values()]
    assert all_that_cancels(*xs) == right
    program = traced(all_that_cancels, [f"x{i}" for i in range(len(xs))])
    firsts = [0, *itertools.accumulate(map(len, operands))][:-1]
    for shared in ((), firsts, range(len(xs))):
        columns = [np.full(13, x) for i, x in enumerate(xs) if i not in shared]
        found = ArrayKernel(program, shared, None, kind)([xs[i] for i in shared], columns)
        named = zip(CANCELLING, found, right, strict=True)
        assert [name for name, out, r in named if not np.all(out == r)] == []
        total = ArrayKernel(program, shared, "sum", kind)([xs[i] for i in shared], columns)
        assert columns == [] or list(total) == [13 * r for r in right]


@each_machine
def test_a_dot_is_one_operation_and_a_sum_of_products_over_the_rows_is_one(kind):
    a, b = 0.1, 3.0
    lost = float(Fraction(a) * Fraction(b) - Fraction(a * b))  # what rounding the product loses
    program = traced(lambda a, b, c: mg.dot([1.0, a], [-c, b]), "abc")
    assert computed(program, [np.full(9, x) for x in (a, b, a * b)], kind)[0][0] in (0.0, lost)
    rows = np.zeros((16, 2))
    rows[[0, 8]] = (-(a * b), 1.0), (a, b)  # in the same lane, and in no last block
    columns = list(np.ascontiguousarray(rows.T))
    total = ArrayKernel(traced(lambda x, y: x * y, "xy"), (), "sum", kind)([], columns)
    assert total[0] in (0.0, lost)
    if kind is HERE and "fma" in HERE.features:
        assert total[0] == lost


RULES = [
    optim.SGD,
    lambda p, lr: optim.SGD(p, lr, momentum=0.9, dampening=0.1, weight_decay=0.01, maximize=True),
    lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True),
    *(optim.Adam, lambda p, lr: optim.Adam(p, lr, weight_decay=0.1, amsgrad=True)),
    *(optim.AdamW, lambda p, lr: optim.RMSprop(p, lr, momentum=0.9, centered=True)),
]


@each_machine
@pytest.mark.parametrize("make", RULES)
def test_an_optimizer_s_rule_has_the_same_bits_in_python(kind, make):
    optimizer = make([mg.Value(0.0)], 0.03)
    rng = np.random.default_rng(6)
    slots = optimizer.slots
    names = ["p", "g", *(f"state{i}" for i in range(slots)), "lr", "step"]

    def rule(p, g, *rest):
        new, state = optimizer.update(p, g, rest[:slots], *rest[slots:])
        return [new, *state]

    columns = [*rng.normal(size=(2, 37)), *abs(rng.normal(size=(slots, 37)))]
    kernel = ArrayKernel(traced(rule, names), range(2 + slots, 4 + slots), None, kind)
    for step in (1.0, 2.0, 17.0):
        outs = kernel([0.03, step], columns)
        for i, xs in enumerate(np.transpose(columns).tolist()):
            assert [float(out[i]) for out in outs] == rule(*xs, 0.03, int(step))


def test_no_other_sum_is_reordered_than_the_one_of_the_lanes():
    rooms = [files(f"microgrid.compiler.{room}") for room in ("native", "training")]
    files_of_ir = [file for room in rooms for file in room.iterdir() if file.name.endswith(".ll")]
    texts = [file.read_text() for file in files_of_ir]
    found = [pair for text in texts for pair in flags_of(text)]
    assert [flag for flag, _ in found] == ["reassoc"]
    assert "@llvm.vector.reduce.fadd" in found[0][1]


@each_machine
def test_what_holds_for_real_numbers_alone_changes_nothing(kind):
    def formulas(x, y):
        return [(x + y) - y, (x * y) / y, x / y * y, x - x, 0.0 * x, x + 0.0, (x - y) + (y - x)]

    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=99), [math.inf, math.nan, -0.0, 5e-324]])
    y = np.concatenate([rng.normal(size=99) * 1e9, [3.0, 3.0, 3.0, 0.1]])
    outs = computed(traced(formulas, "xy"), [x, y], kind)
    with np.errstate(all="ignore"):
        for out, right in zip(outs, formulas(x, y), strict=True):
            np.testing.assert_array_equal(out, right)
            assert (np.signbit(out) == np.signbit(right))[out == 0].all()


# ---- libraries


def without(monkeypatch, *missing):
    known = machine._is_there
    monkeypatch.setattr(
        machine, "_is_there", lambda name: known(name) and not any(x in name for x in missing)
    )


def test_vector_functions_are_the_c_library_s_where_it_has_them_and_else_our_own(monkeypatch):
    program = traced(lambda x, y: [mg.exp(x), mg.tanh(y), x**y, mg.exp(x + y)], "xy")

    def called(kind):
        text = ArrayKernel(program, (), None, kind).text.ir()
        names = set(re.findall(r"call .*@([\w.]+)\(", text))
        return {name for name in names if name in FUNCTIONS or name.startswith(("_ZGV", "vectors"))}

    own = {f: f"vectors.{f}" if HERE.fuses else f for f in ("exp", "tanh", "pow")}
    assert called(MACHINES["this without libmvec"]) == set(own.values())
    names = {f: HERE.vector_name(f) or own[f] for f in own}
    assert called(HERE) == set(names.values())
    without(monkeypatch, "_tanh", "_pow")
    assert called(HERE) == {names["exp"], own["tanh"], own["pow"]}
    x = np.linspace(0.1, 5, 37)
    outs = computed(program, [x, x], HERE)
    for out, right in zip(outs, [np.exp(x), np.tanh(x), x**x, np.exp(x + x)], strict=True):
        assert (abs(out - right) <= 2 * OF_FUNCTION * np.spacing(abs(right))).all()


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_that_the_c_library_has_not_is_refused_by_name(monkeypatch, function):
    calling = {
        **{"pow": lambda x: x**2.5, "fmod": lambda x: x % 3.0, "hypot": lambda x: mg.hypot(x, 1.0)},
        "atan2": lambda x: mg.atan2(x, 2.0),
    }
    f = calling.get(function) or Primitive.named(function)
    name = {"pow": r"\*\*2\.5", "fmod": "%"}.get(function, function)
    without(monkeypatch, function)
    told = rf"^this system's C library has no {function}, so the primitive '{name}' cannot be"
    with pytest.raises(NotImplementedError, match=told):
        mg.compile(f)(1.0)
    with pytest.raises(NotImplementedError, match=told):  # of single numbers, once per call
        mg.compile(lambda a, x: f(a) * x, shared="a")(1.0, 1.0)
    assert mg.compile(lambda x: x + 1.0)(1.0) == 2.0


FIXED = [  # those of the library that take so many operands and no other number
    op
    for op in Primitive.registry.values()
    if op.partials.__module__.startswith("microgrid") and not op.partials.__code__.co_flags & 0x04
]


@pytest.mark.parametrize("op", FIXED, ids=lambda op: op.name)
def test_a_traced_operation_takes_as_many_operands_as_an_eager_one(op):
    count = op.partials.__code__.co_argcount - 1
    for wrong in {count + 1, count - 1} - {0}:
        with pytest.raises(TypeError, match=rf"takes {count} operands?, got {wrong}"):
            mg.compile(lambda *operands: op(*operands)).prepare(*[0.5] * wrong)
        with pytest.raises(TypeError):
            op(*[0.5] * wrong)
