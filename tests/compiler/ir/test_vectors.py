"""The laws of the functions of vectors that stand in for a C library's."""

import math
import re
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from mpmath import mp, mpf

from microgrid import Primitive
from microgrid.compiler.ir import coefficients
from microgrid.compiler.ir.machine import Machine
from microgrid.compiler.ir.vectors import FARTHEST, VECTOR_FUNCTIONS
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.trace import trace
from tests.compiler.ir.coefficients import FITS, derive
from tests.formulas import FORMULAS
from tests.ieee import HERE, IS_X86, same_bits
from tests.search import LONG

MOST_ULP = 3  # what the functions promise
MOST = sys.float_info.max
BITS = 160  # of the exact results; mpmath adds those that an argument needs
CASES = 3000 if LONG else 250  # of a kind

KINDS = {"this": replace(HERE, vector_library=False)}
if IS_X86 and HERE.fuses:
    KINDS["2 wide"] = Machine("haswell", "+fma", 2, vector_library=False)
if IS_X86 and HERE.width >= 4:
    KINDS["4 wide"] = Machine("haswell", "", 4, vector_library=False)
FUNCTIONS = sorted(VECTOR_FUNCTIONS) if HERE.fuses else []  # without, they are not called
each_function = pytest.mark.parametrize("function", FUNCTIONS)


def columns_of(function):
    return "xy" if function == "pow" else "x"


@cache
def kernel(function, kind):
    primitive = Primitive.named("**" if function == "pow" else function)
    names = columns_of(function)
    program = trace(lambda *xs: primitive(*xs), names, lambda xs: (xs, {}))[0]
    return ArrayKernel(program, (), None, KINDS[kind])


def computed(function, columns, kind="this"):
    return kernel(function, kind)([], columns)[0]


# ---- a sample of all doubles, and more of where a function changes


def of_all_sizes(rng, count):
    """Return numbers of every binade, the subnormal ones too, of both signs."""
    exponents = np.linspace(-1074.0, 1023.0, count)
    return np.ldexp(rng.uniform(1, 2, count), exponents.astype(int)) * rng.choice(
        [-1.0, 1.0], count
    )


def near(*xs):
    return [float(y) for x in xs for y in (np.nextafter(x, -np.inf), x, np.nextafter(x, np.inf))]


# Where the range ends, and where one formula ends and another begins.
WHOLE = np.unique(np.geomspace(1, 2**29, 60).astype(int)).tolist()
HALVES_OF_LOG_2 = [n * math.log(2) / 2 for n in (-5, -3, -2, -1, 1, 2, 3, 5, 101, 1001)]
EDGES = {
    "exp": near(-745.1332191019412, -708.3964185322641, 709.782712893384, *HALVES_OF_LOG_2),
    "expm1": near(-40.0, 709.782712893384, *HALVES_OF_LOG_2),
    "tanh": near(22.0, *[x / 2 for x in HALVES_OF_LOG_2]),
    "log": near(1.0, *[math.sqrt(2.0**n) for n in (-1074, -1022, -3, -1, 1, 3, 1023)]),
    "log1p": near(0.0, -1 + 2**-52, math.sqrt(0.5) - 1, math.sqrt(2) - 1, 1.0, 2.0**53, 2.0**54),
    "erf": near(1.25, 5.9, 6.0),
    "sin": near(*[n * math.pi / 2 for n in WHOLE], *[n * math.pi / 4 for n in WHOLE], 2.0**30),
    "cos": near(*[n * math.pi / 2 for n in WHOLE], *[n * math.pi / 4 for n in WHOLE], 2.0**30),
}
RANGES = {
    **{"exp": [(-746, 710), (-1, 1)], "expm1": [(-40, 710), (-2, 2)], "tanh": [(-23, 23), (-1, 1)]},
    **{"log": [(0.5, 2), (0, 100)], "log1p": [(-1, 2), (-0.1, 0.1)], "erf": [(-6, 6), (1, 2)]},
    **{"sin": [(-4, 4), (-(2**31), 2**31)], "cos": [(-4, 4), (-(2**31), 2**31)]},
}


def sample(function):
    """Return the columns of numbers at which a function is looked at."""
    rng = np.random.default_rng(0)
    if function == "pow":
        return powers(rng)
    uniform = [rng.uniform(low, high, CASES) for low, high in RANGES[function]]
    edges = np.array(EDGES[function])
    xs = np.concatenate([of_all_sizes(rng, CASES), *uniform, edges, -edges])
    return [rng.permutation(xs)]


def powers(rng):
    """Return bases and exponents, most of which give a number that is neither 0 nor infinite."""
    bases = np.concatenate(
        [of_all_sizes(rng, CASES), rng.uniform(0.5, 2, CASES), 1 + rng.normal(size=CASES) * 1e-9]
    )
    bases[np.abs(bases) == 1] = 2.0
    reach = rng.uniform(-746, 710, len(bases)) * rng.choice([1, 0.1, 1e-5], len(bases))
    exponents = reach / np.log(np.abs(bases))
    whole = bases < 0
    exponents[whole] = np.rint(exponents[whole])
    return [bases, exponents]


def exact(function, xs):
    """Return a function of floats in so many bits; None where it has no number."""
    with mp.workprec(BITS):
        if function == "log1p":
            return mp.log1p(xs[0]) if xs[0] > -1 else None
        if function == "log" and xs[0] <= 0:
            return None
        return FORMULAS["**" if function == "pow" else function](*map(mpf, xs))


def ulps(found, number):
    """Return how far a float is from an exact number, in ulp; beyond the greatest, inf is right."""
    if math.isinf(found):
        return 0.0 if found * number > 0 and abs(number) > MOST else math.inf
    return float(abs(mpf(found) - number) / mpf(math.ulp(min(float(abs(number)), MOST))))


@each_function
def test_a_function_is_within_3_ulp_of_the_exact_one_over_all_doubles(function):
    columns = sample(function)
    looked_at = 0
    for *xs, found in zip(*columns, computed(function, columns), strict=True):
        number = exact(function, [float(x) for x in xs])
        if number is not None:
            looked_at += 1
            assert ulps(float(found), number) <= MOST_ULP, (function, xs, found)
    assert looked_at >= CASES


@each_function
def test_a_number_has_the_same_bits_at_any_place_of_a_vector_of_any_width(function):
    columns = sample(function)
    right = computed(function, columns)
    for kind, machine in KINDS.items():
        for places in (0, 1, machine.width - 1):
            moved = [np.roll(column, places) for column in columns]
            assert same_bits(np.roll(computed(function, moved, kind), -places), right)


# ---- numbers that stand out

SPECIAL = [0.0, 5e-324, 1e-310, 0.5, 1 - 2**-53, 1.0, 2.0, 2.5, 3.0, 2.0**53 - 1, 2.0**53]
SPECIAL = [sign * x for x in [*SPECIAL, 1e300, MOST, math.inf, math.nan] for sign in (1.0, -1.0)]


@each_function
def test_zeros_infinities_and_nan_come_out_where_they_should_with_their_sign(function):
    columns = [np.array(SPECIAL)]
    if function == "pow":
        columns = [x.ravel() for x in np.meshgrid(SPECIAL, SPECIAL)]
    with np.errstate(all="ignore"):
        if function == "erf":
            right = np.array([math.erf(x) for x in SPECIAL])
        else:
            right = getattr(np, {"pow": "power"}.get(function, function))(*columns)
    out = computed(function, columns)
    stands_out = ~np.isfinite(right) | (right == 0) | (abs(right) == 1)
    assert same_bits(out[stands_out], right[stands_out])
    assert np.isfinite(out[~stands_out]).all()


@each_function
def test_a_nan_of_any_bits_is_nan(function):
    rng = np.random.default_rng(2)
    bits = rng.integers(1, 1 << 52, 64) | rng.choice([0x7FF, 0xFFF], 64) << 52
    nan = bits.astype(np.uint64).view(float)
    assert np.isnan(nan).all()
    columns = [[nan, np.full(64, 2.5)], [np.full(64, 2.5), nan]] if function == "pow" else [[nan]]
    for each in columns:
        assert np.isnan(computed(function, each)).all()


def test_what_is_exact_is_exact():
    tens = np.arange(23.0)
    assert computed("pow", [np.full(23, 10.0), tens]).tolist() == [10.0**n for n in range(23)]
    x = of_all_sizes(np.random.default_rng(1), CASES)
    assert same_bits(computed("pow", [x, np.ones(CASES)]), x)
    assert same_bits(computed("pow", [x[:99], np.zeros(99)]), np.ones(99))
    squares = np.arange(1.0, 1000.0)
    assert same_bits(computed("pow", [squares * squares, np.full(999, 0.5)]), squares)
    for function in ("expm1", "log1p", "sin", "tanh"):  # of what is tiny, that itself
        tiny = x[abs(x) < 1e-20]
        assert same_bits(computed(function, [tiny]), tiny)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f in ("sin", "cos", "tanh", "erf")])
def test_what_is_at_most_1_is_never_more(function):
    x = np.concatenate([*sample(function), np.linspace(-7, 7, 100_001)])
    assert (abs(computed(function, [x])) <= 1).all()


# ---- when they are called


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f in FARTHEST])
def test_lanes_beyond_the_limit_are_the_c_function_s_and_others_are_not(function):
    limit = FARTHEST[function]
    x = np.linspace(-3, 3, 64)
    near_ones = computed(function, [x])
    far = np.arange(64) % 5 == 0
    x[far] = np.geomspace(limit, 1e300, far.sum()) * 1.5
    out = computed(function, [x])
    assert same_bits(out[~far], near_ones[~far])
    assert out[far].tolist() == [getattr(math, function)(t) for t in x[far].tolist()]


def calls(function, machine):
    """Return the functions that a kernel's loop calls."""
    program = kernel(function, "this").program
    text = ArrayKernel(program, (), None, machine).text.ir()
    return set(re.findall(r"call .*@([\w.]+)\(", text[text.index("define void") :]))


@each_function
def test_they_are_called_where_the_c_library_has_none_and_an_fma_is_fast(function):
    assert calls(function, KINDS["this"]) == {f"vectors.{function}"}
    assert calls(function, HERE) == {HERE.vector_name(function) or f"vectors.{function}"}
    if IS_X86:
        plain = Machine("x86-64", "", 2, vector_library=False)
        assert calls(function, plain) == {f"lanes.{function}"}


# ---- their numbers


@pytest.mark.parametrize("name", coefficients.__all__)
def test_the_coefficients_are_those_of_the_best_fit(name):
    assert getattr(coefficients, name) == derive(name)


def test_no_coefficient_is_left_out():
    assert sorted(coefficients.__all__) == sorted(FITS)
