"""The laws of the table of derivatives: each row against its formula, twice, and how rows are made.

A row's formula is written here a second time, for complex numbers, in the words of `cmath`. The
complex step f(x + ih).imag / h is then its derivative to the last bits: no difference is taken, so
nothing cancels, however small h is.
"""

import cmath
import math
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, family
from microgrid.primitive import exponential, located, number, power, rounded, whole

# Both sides round a handful of operations, on numbers of size 0.1 to 1000.
ROUNDING = 1e-13
# Five-point differences with this step are off by h**4 times a fifth derivative, which the domains
# below keep under 10**4 times the size of the numbers, and by rounding over h, 1e-13.
STEP = 1e-3
DIFFERENCE = 1e-8
COMPLEX_STEP = 1e-30


def within(low, high):
    return st.floats(low, high, allow_nan=False)


def either_sign(low, high):
    return within(low, high) | within(-high, -low)


def operands(*each):
    return st.tuples(*each)


BETWEEN = st.builds(lambda whole, part: whole + part, st.integers(-5, 5), within(0.1, 0.9))
ANY = within(-3, 3)
POSITIVE = within(0.5, 5)
NONZERO = either_sign(0.5, 5)
SEVERAL = st.lists(NONZERO, min_size=1, max_size=4).map(tuple)
DISTINCT = st.lists(st.integers(-20, 20), min_size=1, max_size=4, unique=True).map(
    lambda quarters: tuple([n / 4 for n in quarters])
)
DIVISIONS = st.builds(lambda quotient, y: (quotient * y, y), BETWEEN, either_sign(0.5, 3))


def erf(z):
    return 2 / math.sqrt(math.pi) * sum_of_series(z)


def sum_of_series(z):
    return sum((-1) ** n * z ** (2 * n + 1) / (math.factorial(n) * (2 * n + 1)) for n in range(50))


def angle(y, x):
    if abs(x.real) > abs(y.real):
        return cmath.atan(y / x) + (math.copysign(math.pi, y.real) if x.real < 0 else 0)
    return math.copysign(math.pi / 2, y.real) - cmath.atan(x / y)


def highest(*zs):
    return max(zs, key=lambda z: z.real)


def lowest(*zs):
    return min(zs, key=lambda z: z.real)


def dot(*zs):
    n = len(zs) // 2
    return sum(zs[i] * zs[n + i] for i in range(n)) + sum(zs[2 * n :])


def sign(z):
    return math.copysign(1.0, z.real)


# name: the formula, and operands away from kinks, jumps and poles
DOMAINS = {
    "where": (lambda c, x, y: x if c.real else y, operands(st.sampled_from([0.0, 1.0]), ANY, ANY)),
    "sign": (sign, operands(NONZERO)),
    "log": (cmath.log, operands(POSITIVE)),
    "abs": (lambda z: z * sign(z), operands(NONZERO)),
    "neg": (lambda z: -z, operands(ANY)),
    "+": (lambda z, w: z + w, operands(ANY, ANY)),
    "-": (lambda z, w: z - w, operands(ANY, ANY)),
    "*": (lambda z, w: z * w, operands(ANY, ANY)),
    "/": (lambda z, w: z / w, operands(ANY, NONZERO)),
    "//": (lambda z, w: math.floor(z.real / w.real), DIVISIONS),
    "%": (lambda z, w: z - w * math.floor(z.real / w.real), DIVISIONS),
    "**": (lambda z, w: cmath.exp(w * cmath.log(z)), operands(POSITIVE, ANY)),
    "**k": (lambda z, w: cmath.exp(w.real * cmath.log(z)), operands(POSITIVE, ANY)),
    "constant": (lambda z: z, operands(ANY)),
    "exp": (cmath.exp, operands(ANY)),
    "exp2": (lambda z: cmath.exp(z * math.log(2)), operands(ANY)),
    "expm1": (lambda z: cmath.exp(z) - 1, operands(ANY)),
    "log2": (lambda z: cmath.log(z) / math.log(2), operands(POSITIVE)),
    "log10": (lambda z: cmath.log(z) / math.log(10), operands(POSITIVE)),
    "log1p": (lambda z: cmath.log(1 + z), operands(within(-0.5, 5))),
    "sqrt": (cmath.sqrt, operands(POSITIVE)),
    "cbrt": (lambda z: sign(z) * (z * sign(z)) ** (1 / 3), operands(NONZERO)),
    "sin": (cmath.sin, operands(ANY)),
    "cos": (cmath.cos, operands(ANY)),
    "tan": (cmath.tan, operands(within(-1, 1))),
    "asin": (cmath.asin, operands(within(-0.7, 0.7))),
    "acos": (cmath.acos, operands(within(-0.7, 0.7))),
    "atan": (cmath.atan, operands(ANY)),
    "sinh": (cmath.sinh, operands(ANY)),
    "cosh": (cmath.cosh, operands(ANY)),
    "tanh": (cmath.tanh, operands(ANY)),
    "asinh": (lambda z: cmath.log(z + cmath.sqrt(z * z + 1)), operands(ANY)),
    "acosh": (lambda z: cmath.log(z + cmath.sqrt(z * z - 1)), operands(within(1.5, 5))),
    "atanh": (lambda z: cmath.log((1 + z) / (1 - z)) / 2, operands(within(-0.7, 0.7))),
    "erf": (erf, operands(within(-2, 2))),
    "erfc": (lambda z: 1 - erf(z), operands(within(-2, 2))),
    "floor": (lambda z: math.floor(z.real), operands(BETWEEN)),
    "ceil": (lambda z: math.ceil(z.real), operands(BETWEEN)),
    "relu": (lambda z: z if z.real > 0 else 0, operands(NONZERO)),
    "sigmoid": (lambda z: 1 / (1 + cmath.exp(-z)), operands(ANY)),
    "softplus": (lambda z: cmath.log(1 + cmath.exp(z)), operands(ANY)),
    "compare": (lambda z, w: sign(z - w), DISTINCT.filter(lambda xs: len(xs) == 2)),
    "atan2": (angle, operands(NONZERO, NONZERO)),
    "stop_gradient": (lambda z: z.real, operands(ANY)),
    "sum": (lambda *zs: sum(zs), SEVERAL),
    "prod": (lambda *zs: math.prod(zs), SEVERAL),
    "dot": (dot, SEVERAL),
    "max": (highest, DISTINCT),
    "min": (lowest, DISTINCT),
    "hypot": (lambda *zs: cmath.sqrt(sum(z * z for z in zs)), SEVERAL),
    "logsumexp": (lambda *zs: cmath.log(sum(map(cmath.exp, zs))), SEVERAL),
}
# name: (constants, the formula, operands), as often as there are cases
FAMILIES = {
    "power": [
        ((3,), lambda z: z * z * z, operands(ANY)),
        ((-2,), lambda z: 1 / (z * z), operands(NONZERO)),
        ((0,), lambda z: 1, operands(ANY)),
        ((1,), lambda z: z, operands(ANY)),
        ((0.5,), cmath.sqrt, operands(POSITIVE)),
        ((-1.5,), lambda z: 1 / (z * cmath.sqrt(z)), operands(POSITIVE)),
    ],
    "exponential": [
        ((2,), lambda z: cmath.exp(z * math.log(2)), operands(ANY)),
        ((0.3,), lambda z: cmath.exp(z * math.log(0.3)), operands(ANY)),
        ((1,), lambda z: 1, operands(ANY)),
        ((0,), lambda z: 0, operands(POSITIVE)),
    ],
    "rounded": [
        ((0,), lambda z: math.floor(z.real + 0.5), operands(BETWEEN.map(lambda x: x + 0.5))),
        ((1,), lambda z: round(z.real * 10) / 10, operands(BETWEEN.map(lambda x: x / 10 + 0.05))),
        ((-1,), lambda z: round(z.real / 10) * 10, operands(BETWEEN.map(lambda x: x * 10 + 5))),
    ],
    "leaky_relu_by": [
        ((0.1,), lambda z: z if z.real > 0 else 0.1 * z, operands(NONZERO)),
        ((0,), lambda z: z if z.real > 0 else 0, operands(NONZERO)),
    ],
    "elu_by": [
        ((1,), lambda z: z if z.real > 0 else cmath.exp(z) - 1, operands(NONZERO)),
        ((0.5,), lambda z: z if z.real > 0 else (cmath.exp(z) - 1) / 2, operands(NONZERO)),
    ],
    "clip_to": [
        ((-1, 2), lambda z: lowest(highest(z, -1), 2), operands(BETWEEN)),
        ((-math.inf, 0.0), lambda z: lowest(z, 0.0), operands(BETWEEN)),
        ((1.0, 1.0), lambda z: 1, operands(BETWEEN)),
    ],
}

# What the library itself declares: this process may hold the primitives of other tests too.
DECLARED = """
import importlib, pkgutil, microgrid
for module in pkgutil.iter_modules(microgrid.__path__):
    if not module.ispkg and module.name != "__main__":
        importlib.import_module(f"microgrid.{module.name}")
print(*microgrid.Primitive.registry, sep="\\n", end="\\n\\n")
print(*microgrid.Primitive.families, sep="\\n")
"""


def declared():
    """Return the names of the library's primitives and of its families."""
    package = Path(microgrid.__file__).parent.parent
    printed = subprocess.run(
        [sys.executable, "-c", DECLARED],
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    primitives, families = printed.split("\n\n")
    return set(primitives.split()), set(families.split())


ROWS = [(Primitive.named(name), *row) for name, row in DOMAINS.items()] + [
    (Primitive.families[name](*constants), formula, domain)
    for name, cases in FAMILIES.items()
    for constants, formula, domain in cases
]
each_primitive = pytest.mark.parametrize(
    ("primitive", "formula", "domain"), ROWS, ids=[primitive.name for primitive, *_ in ROWS]
)
# There are sixty rows: a quarter of the usual number of examples each is still a wide search.
a_few = settings(max_examples=settings().max_examples // 4)


def close(actual, expected, tolerance):
    return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)


def derivative(formula, xs, i):
    """Return the partial derivative of a formula by its operand i, by the complex step."""
    step = [complex(x, COMPLEX_STEP if j == i else 0) for j, x in enumerate(xs)]
    return complex(formula(*step)).imag / COMPLEX_STEP


def second_derivative(formula, xs, i, j):
    """Return the derivative by operand j of `derivative`, by five-point differences."""
    slopes = [
        derivative(formula, [x + n * STEP * (k == j) for k, x in enumerate(xs)], i)
        for n in (-2, -1, 1, 2)
    ]
    return (slopes[0] - 8 * slopes[1] + 8 * slopes[2] - slopes[3]) / (12 * STEP)


def assert_partials_agree(primitive, formula, xs):
    partials = primitive.partials(primitive(*xs), *xs)
    assert len(partials) == len(xs), primitive
    for i, partial in enumerate(partials):
        expected = derivative(formula, xs, i)
        assert close(partial or 0, expected, ROUNDING), f"{primitive}: the partial by operand {i}"


def test_every_primitive_and_family_has_a_domain():
    assert declared() == (set(DOMAINS), set(FAMILIES))


@each_primitive
def test_forward_is_the_formula(primitive, formula, domain):
    @a_few
    @given(domain)
    def law(xs):
        assert close(primitive(*xs), complex(formula(*map(complex, xs))).real, ROUNDING)

    law()


@each_primitive
def test_forward_of_values_is_forward_of_floats(primitive, formula, domain):
    @a_few
    @given(domain)
    def law(xs):
        leaves = tuple(map(Value, xs))
        node = primitive(*leaves)
        assert node.data == primitive(*xs)
        assert type(node.data) is float
        assert (node.op, node.parents) == (primitive, leaves)

    law()


@each_primitive
def test_partials_are_derivatives_of_the_formula(primitive, formula, domain):
    @a_few
    @given(domain)
    def law(xs):
        assert_partials_agree(primitive, formula, xs)

    law()


@each_primitive
def test_partials_of_values_are_partials_of_floats(primitive, formula, domain):
    @a_few
    @given(domain)
    def law(xs):
        leaves = tuple(map(Value, xs))
        by_floats = primitive.partials(primitive(*xs), *xs)
        by_values = primitive.partials(primitive(*leaves), *leaves)
        assert [p.data if isinstance(p, Value) else p for p in by_values] == [*by_floats]

    law()


@each_primitive
def test_partials_of_values_can_be_differentiated(primitive, formula, domain):
    @a_few
    @given(domain)
    def law(xs):
        for i in range(len(xs)):
            leaves = tuple(map(Value, xs))
            partial = primitive.partials(primitive(*leaves), *leaves)[i]
            if isinstance(partial, Value):
                partial.backward()
            for j, leaf in enumerate(leaves):
                expected = second_derivative(formula, xs, i, j)
                assert close(leaf.grad, expected, DIFFERENCE), (i, j)

    law()


@each_primitive
def test_backward_multiplies_the_partials_by_the_seed(primitive, formula, domain):
    @a_few
    @given(domain, within(-3, 3))
    def law(xs, seed):
        leaves = tuple(map(Value, xs))
        node = primitive(*leaves)
        partials = primitive.partials(node.data, *xs)
        assert node.chain(seed) == [None if p is None else seed * p for p in partials]
        if primitive.name != "constant":  # a constant is its own graph's end
            node.backward(seed)
            assert [leaf.grad for leaf in leaves] == [seed * (p or 0) for p in partials]

    law()


# ---- the tester is tested


@pytest.fixture
def own_names(monkeypatch):
    """Let a test declare primitives and families of its own, and forget them after it."""
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    monkeypatch.setattr(Primitive, "families", dict(Primitive.families))


@pytest.mark.usefixtures("own_names")
@pytest.mark.parametrize(
    "partials",
    [
        lambda out, x: (2.001 * x,),
        lambda out, x: (-2 * x,),
        lambda out, x: (x,),
        lambda out, x: (None,),
        lambda out, x: (),
    ],
)
def test_a_wrong_partial_is_caught_and_named(partials):
    wrong = Primitive("wrong square", lambda x: x * x, partials)
    with pytest.raises(AssertionError, match="wrong square"):
        assert_partials_agree(wrong, lambda z: z * z, (1.5,))


@pytest.mark.usefixtures("own_names")
def test_an_added_primitive_without_a_domain_is_found():
    Primitive("added", lambda x: x, lambda out, x: (1,))
    assert "added" in set(Primitive.registry) - set(DOMAINS)


# ---- making primitives


@pytest.mark.usefixtures("own_names")
def test_a_declared_primitive_works_on_numbers_and_values_alike():
    cube = Primitive("cube of ours", lambda x: x * x * x, lambda out, x: (3 * x * x,))
    x = Value(2.0)
    cube(x).backward()
    assert (cube(2.0), x.grad) == (8.0, 12.0)
    assert cube(Fraction(1, 2)) == Fraction(1, 8)
    assert Primitive.named("cube of ours") is cube
    assert repr(cube) == "Primitive('cube of ours')"


@pytest.mark.usefixtures("own_names")
def test_a_declared_primitive_may_be_bound_as_a_method():
    class Number(Value):
        twice = Primitive("twice", lambda x: 2 * x, lambda out, x: (2,))

    assert Number(3.0).twice().data == 6.0
    assert Number.twice(3.0) == 6.0


@pytest.mark.parametrize("name", ["*", "exp", "where"])
def test_a_name_is_taken_once(name):
    with pytest.raises(ValueError, match=r"a name of its own, got '.+', which is taken"):
        Primitive(name, lambda x: x, lambda out, x: (1,))


@pytest.mark.usefixtures("own_names")
def test_a_familys_name_is_taken_once():
    def rounded(n):
        return f"ours({n})", lambda x: x + n, lambda out, x: (1,)

    with pytest.raises(ValueError, match="a name of its own, got 'rounded', which is taken"):
        family(rounded)


@pytest.mark.usefixtures("own_names")
def test_a_familys_members_are_made_once_for_each_constant():
    calls = []

    @family
    def shifted(by):
        calls.append(by)
        return f"shifted({by})", lambda x: x + by, lambda out, x: (1,)

    assert shifted(2)(3.0) == 5.0
    assert shifted(2) is shifted(2)
    assert shifted(2) is not shifted(3)
    assert shifted(0.5) is not shifted(Fraction(1, 2))  # equal, but only one of them is exact
    assert calls == [2, 3, 0.5, Fraction(1, 2)]
    assert shifted(2).name == "shifted(2)"


@pytest.mark.parametrize("x", [2, 2.0, True + 1, np.float64(2), np.int8(2), Fraction(2)])
def test_a_whole_exponent_makes_the_same_node_in_any_type(x):
    assert (Value(3.0) ** x).op is power(2)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no primitive is named 'never declared'"):
        Primitive.named("never declared")


@pytest.mark.parametrize(
    "primitive",
    [*Primitive.registry.values(), power(3), power(0.5), exponential(2), rounded(1)],
    ids=lambda primitive: primitive.name,
)
def test_a_primitive_is_pickled_as_itself(primitive):
    assert pickle.loads(pickle.dumps(primitive)) is primitive


@pytest.mark.usefixtures("own_names")
@pytest.mark.parametrize(
    "partials", [lambda out, x, y: (x,), lambda out, x, y: (x, y, x), lambda out, x, y: ()]
)
def test_a_wrong_number_of_partials_names_the_primitive(partials):
    lopsided = Primitive("lopsided", lambda x, y: x, partials)
    with pytest.raises(ValueError, match="lopsided must be a tuple of 2, one for each operand"):
        lopsided(Value(1.0), Value(2.0)).backward()


@pytest.mark.usefixtures("own_names")
def test_a_partial_that_is_no_tuple_names_the_primitive():
    bare = Primitive("bare", lambda x: x, lambda out, x: 1.0)
    with pytest.raises(TypeError, match=r"bare must be a tuple of 1, .+ got 1\.0"):
        bare(Value(1.0)).backward()


# ---- numbers at the door


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (2, 2.0),
        (True, 1.0),
        (2.5, 2.5),
        (Fraction(1, 3), Fraction(1, 3)),
        *[(getattr(np, t)(2.5), 2.5) for t in ("float16", "float32", "float64", "longdouble")],
        *[(getattr(np, t)(7), 7.0) for t in ("int8", "int16", "int32", "int64")],
        *[(getattr(np, t)(7), 7.0) for t in ("uint8", "uint16", "uint32", "uint64")],
    ],
    ids=lambda x: f"{type(x).__name__}",
)
def test_numbers_become_floats_but_fractions_stay(given_, kept):
    for x in (number(given_), Value(given_).data):
        assert x == kept
        assert type(x) is type(kept)


@pytest.mark.parametrize("x", ["1.0", b"1", None, [1.0], 1j, np.complex128(1), object, Value(1.0)])
def test_what_is_no_real_number_is_refused(x):
    with pytest.raises(TypeError, match=r"a Value holds a real number, got .+ \(\w+\)"):
        Value(x)


def test_an_int_beyond_floats_is_refused_as_float_does():
    with pytest.raises(OverflowError, match="too large"):
        Value(10**400)


@given(st.floats() | st.integers() | st.fractions())
def test_whole_never_changes_the_number(x):
    if isinstance(x, float) or abs(x) < 2**1000:
        kept = whole(x)
        assert kept == number(x) or kept != kept
        assert isinstance(kept, int) == (x % 1 == 0 and abs(x) < 2**53)


# ---- errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ZeroDivisionError("float division by zero"), ZeroDivisionError),
        (OverflowError(34, "Numerical result out of range"), OverflowError),
        (FloatingPointError("trap"), ArithmeticError),
        (ValueError("math domain error"), ValueError),
        (UnicodeEncodeError("ascii", "é", 0, 1, "reason"), ValueError),
        (ValueError(), ValueError),
    ],
)
def test_a_located_error_is_of_the_same_builtin_type(error, kind):
    told = located(error, "log", [Value(-1.0, label="a"), 2.0])
    assert type(told) is kind
    reason = error.args[-1] if error.args else "ValueError"
    assert str(told) == f"log of a = -1.0, 2.0: {reason}"


def test_a_located_error_leaves_most_of_many_operands_out():
    told = str(located(ValueError("no"), "sum", range(100)))
    assert told == "sum of 0, 1, 2, … 95 more …, 98, 99: no"
    assert str(located(ValueError("no"), "sum", range(6))) == "sum of 0, 1, 2, 3, 4, 5: no"


def test_a_notebooks_cell_may_declare_its_primitive_and_its_family_again():
    cell = (
        "from microgrid import Primitive, Value, family\n"
        "for slope in (2, 3):\n"
        "    line = Primitive('line', abs, lambda out, x: (slope,))\n"
        "    @family\n"
        "    def steep(by): return f'steep {by}', abs, lambda out, x: (slope * by,)\n"
        "x = Value(1.0)\n"
        "(line(x) + steep(10)(x)).backward()\n"
        "print(x.grad, Primitive.registry['line'] is line)\n"
        "Primitive('sin', abs, lambda out, x: (1,))\n"
    )
    done = subprocess.run([sys.executable, "-c", cell], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["33.0", "True"]
    assert "got 'sin', which is taken" in done.stderr
