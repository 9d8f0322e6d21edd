"""The laws of the table of derivatives: each row against its formula, twice, and how rows are made.

The formulas are those of `formulas`, and differences of numbers with hundreds of digits are their
derivatives. Operands are moderate here; `test_precision` goes to the ends of the floats.
"""

import copy
import functools
import inspect
import itertools
import math
import operator
import os
import pickle
import pydoc
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, family, functional
from microgrid.core.failures import failure_of
from microgrid.core.primitive import exponential, locate, power, round_to
from microgrid.core.reals import as_constant, number
from microgrid.testing.programs.domains import FAMILIES, domain_of
from microgrid.testing.strategies import LIBRARY, numbers
from tests.formulas import FAMILY_FORMULAS, FORMULAS, HELD, MODERATE, derivative
from tests.search import usual

# Our side rounds a handful of operations, on numbers of size 0.1 to 1000, and for a second
# derivative a dozen; the formula's digits are exact.
ROUNDING = 1e-13
ROUNDING_TWICE = 1e-12


DECLARED_AT_FIRST = [*Primitive.registry.values()]
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


def members(name):
    """Return a primitive with its formula; of a family, those of its members worth testing."""
    if name in FORMULAS:
        return [(Primitive.named(name), FORMULAS[name])]
    maker, formula = Primitive.families[name], FAMILY_FORMULAS[name]
    return [(maker(*cs), formula(*cs)) for cs in FAMILIES[name].constants]


ROWS = [
    (primitive, formula, numbers(primitive, from_edge=0.3, max_magnitude=3))
    for name in LIBRARY
    for primitive, formula in members(name)
]
each_primitive = pytest.mark.parametrize(
    ("primitive", "formula", "domain"), ROWS, ids=[primitive.name for primitive, *_ in ROWS]
)
# There are sixty rows: a quarter of the usual number of examples each is still a wide search.
a_few = usual(25)


def close(actual, formula, xs, *by, tolerance=ROUNDING):
    expected = float(derivative(formula, xs, *by, bits=MODERATE))
    return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)


def asked(primitive, xs):
    """Return the indices of the operands that a primitive does not hold constant."""
    return [i for i in range(len(xs)) if i not in HELD.get(primitive.name, ())]


def assert_partials_agree(primitive, formula, xs):
    partials = primitive.partials(primitive(*xs), *xs)
    assert len(partials) == len(xs), primitive
    for i in asked(primitive, xs):
        assert close(partials[i] or 0, formula, xs, i), f"{primitive}: the partial by operand {i}"


def test_every_primitive_and_family_has_a_domain_and_a_formula():
    names, families = declared()
    assert names | families == set(LIBRARY)
    assert (names, families) == (set(FORMULAS), set(FAMILY_FORMULAS))


# ---- the laws of a row: each is asked of the same operands


def forward_is_the_formula(primitive, formula, xs):
    assert close(primitive(*xs), formula, xs)


def forward_of_values_is_forward_of_floats(primitive, formula, xs):
    leaves = tuple(map(Value, xs))
    node = primitive(*leaves)
    assert node.data == primitive(*xs)
    assert type(node.data) is float
    assert (node.op, node.parents) == (primitive, leaves)


def partials_of_values_are_partials_of_floats(primitive, formula, xs):
    leaves = tuple(map(Value, xs))
    by_floats = primitive.partials(primitive(*xs), *xs)
    by_values = primitive.partials(primitive(*leaves), *leaves)
    assert [p.data if isinstance(p, Value) else p for p in by_values] == [*by_floats]


def partials_of_values_can_be_differentiated(primitive, formula, xs):
    for i in asked(primitive, xs):
        leaves = tuple(map(Value, xs))
        partial = primitive.partials(primitive(*leaves), *leaves)[i]
        if isinstance(partial, Value):
            partial.backward()
        for j in asked(primitive, xs):
            assert close(leaves[j].grad, formula, xs, i, j, tolerance=ROUNDING_TWICE), (i, j)


def backward_multiplies_the_partials_by_the_seed(primitive, xs, seed):
    leaves = tuple(map(Value, xs))
    node = primitive(*leaves)
    partials = primitive.partials(node.data, *xs)
    assert node.chain(seed) == [None if p is None else seed * p for p in partials]
    if primitive.name != "constant":  # a constant is its own graph's end
        node.backward(seed)
        assert [leaf.grad for leaf in leaves] == [seed * (p or 0) for p in partials]


@each_primitive
def test_a_row_keeps_every_law(primitive, formula, domain):
    @a_few
    @given(domain, st.floats(-3, 3))
    def laws(xs, seed):
        forward_is_the_formula(primitive, formula, xs)
        forward_of_values_is_forward_of_floats(primitive, formula, xs)
        assert_partials_agree(primitive, formula, xs)
        partials_of_values_are_partials_of_floats(primitive, formula, xs)
        partials_of_values_can_be_differentiated(primitive, formula, xs)
        backward_multiplies_the_partials_by_the_seed(primitive, xs, seed)

    laws()


@pytest.mark.parametrize("name", HELD)
def test_what_a_primitive_holds_constant_has_no_partial(name):
    primitive, xs = Primitive.named(name), [2.0, 3.0, 4.0]
    xs = xs[: primitive.forward.__code__.co_argcount]
    partials = primitive.partials(primitive(*xs), *xs)
    assert all(partials[i] is None for i in HELD[name])


# ---- plain numbers of other types

OTHER_TYPES = [
    *[int, bool, Fraction, np.bool_, np.int8, np.uint8, np.int64, np.uint64],
    *[np.float16, np.float32, np.float64, np.longdouble],
]
SMALL = [0.0, 1.0, 2.0, 3.0, -2.0, 100.0, 0.5]


def answer(f, xs):
    """Return what f makes of numbers, or the type of what it raises."""
    try:
        return f(*xs)
    except (ArithmeticError, ValueError) as error:
        return type(error)


def slopes(primitive, *xs):
    return primitive(*xs).partials()


def holds(kind, x):
    try:
        return float(kind(x)) == x
    except OverflowError:  # an unsigned number is not negative
        return False


def rows_of(primitive, kind):
    """Return small operands of a primitive that numbers of a type can hold."""
    domain, small = domain_of(primitive), [x for x in SMALL if holds(kind, x)]
    for n in (1, 2, 3):
        if domain.takes(n):
            rows = [xs for xs in itertools.product(small, repeat=n) if domain.contains(*xs)]
            yield from rows if n < 3 else rows[::17]


@each_primitive
def test_plain_numbers_of_any_type_are_operands_as_values_hold_them(primitive, formula, domain):
    for kind in OTHER_TYPES:
        for xs in rows_of(primitive, kind):
            others = [*map(kind, xs)]
            as_held = answer(primitive.forward, [Value(x).data for x in others])
            assert answer(primitive, others) == as_held, others
            if kind is not Fraction:
                assert as_held == answer(primitive, xs)
            for mixed in [others, [others[0], *xs[1:]], [*xs[:-1], others[-1]]]:
                found = answer(primitive, mixed)
                of_values = answer(primitive, [*map(Value, mixed)])
                assert found == getattr(of_values, "data", of_values), mixed
                assert type(found) in (float, type, Fraction), mixed


def test_a_partial_by_fractions_is_that_by_floats():
    for primitive, *_ in ROWS:
        for xs in rows_of(primitive, float):
            by_fractions = answer(slopes, [primitive, *[Value(Fraction(x)) for x in xs]])
            by_floats = answer(slopes, [primitive, *map(Value, xs)])
            where = f"{primitive} at {xs}: by fractions {by_fractions}, by floats {by_floats}"
            if isinstance(by_floats, type):
                assert by_fractions is by_floats, where
            else:
                for exact, rounded in zip(by_fractions, by_floats, strict=True):
                    right = exact == rounded or math.isclose(exact, rounded, rel_tol=ROUNDING)
                    assert right, where


def test_ints_beside_fractions_are_exact():
    third = Fraction(1, 3)
    for x in (third, Value(third)):
        for y in (
            microgrid.prod([2, x]),
            microgrid.maximum(1, x) * x * 2,
            microgrid.sum([0, x, x]),
        ):
            exact = y.data if isinstance(y, Value) else y
            assert (exact, type(exact)) == (Fraction(2, 3), Fraction)


def test_what_is_no_number_is_refused_by_name():
    for primitive, *_ in ROWS:
        n = next(n for n in (1, 2, 3) if domain_of(primitive).takes(n))
        for x in (Decimal("0.5"), 0.5j, "0.5", None, b"1", object()):
            try:
                got = primitive(*[x] * n)
            except TypeError as error:
                got = str(error)
            assert str(got).startswith(f"{primitive.name} needs real numbers, got "), (x, got)


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
    added = Primitive("added", lambda x: x, lambda out, x: (1,))
    with pytest.raises(ValueError, match="added needs a domain, and the table has none"):
        numbers(added)


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
def test_a_declared_primitive_may_be_bound_as_a_method(monkeypatch):
    twice = Primitive("twice", lambda x: 2 * x, lambda out, x: (2,))
    monkeypatch.setattr(Value, "twice", twice, raising=False)
    assert Value(3.0).twice().data == 6.0
    assert Value.twice(3.0) == 6.0


def test_help_shows_a_primitives_operands_and_a_sentence():
    assert str(inspect.signature(microgrid.sin)) == "(x, /)"
    assert str(inspect.signature(microgrid.atan2)) == "(y, x, /)"
    assert str(inspect.signature(microgrid.hypot)) == "(*xs)"
    assert str(inspect.signature(Value(1.0).tanh)) == "()"
    text = pydoc.render_doc(Value.tanh, renderer=pydoc.plaintext)
    assert "tanh(x, /)\n    Return the hyperbolic tangent of x." in text
    for name in functional.__all__:
        function = getattr(microgrid, name)
        assert [*inspect.signature(function).parameters], name
        assert re.match(r"Return .*\.", function.__doc__), name


def test_a_primitive_whose_partials_have_no_names_is_called_all_the_same():
    unnamed = Primitive("unnamed", operator.neg, functools.partial(lambda out, x: (-1,)))
    assert unnamed.__text_signature__ is None
    assert unnamed(2.0) == -2.0


@pytest.mark.parametrize("name", ["*", "exp", "where"])
def test_a_name_is_taken_once(name):
    with pytest.raises(ValueError, match=r"a name of its own, got '.+', which is taken"):
        Primitive(name, lambda x: x, lambda out, x: (1,))


@pytest.mark.usefixtures("own_names")
def test_a_familys_member_declares_the_family_and_its_constants():
    clip_to = Primitive.families["clip_to"]
    members = [power(3), (Value(2.0) ** 0.5).op, clip_to(-1.0, 2.0), Primitive.named("sin")]
    assert [(op.family, op.constants) for op in members] == [
        ("power", (3,)),
        ("power", (0.5,)),
        ("clip_to", (-1.0, 2.0)),
        ("", ()),
    ]


def test_a_familys_name_is_taken_once():
    def round_to(n):
        return f"ours({n})", lambda x: x + n, lambda out, x: (1,)

    with pytest.raises(ValueError, match="a name of its own, got 'round_to', which is taken"):
        family(round_to)


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


def test_a_primitive_is_pickled_as_itself():
    for primitive in [
        *Primitive.registry.values(),
        power(3),
        power(0.5),
        exponential(2),
        round_to(1),
    ]:
        assert pickle.loads(pickle.dumps(primitive)) is primitive, primitive.name


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
    with pytest.raises(OverflowError, match="that a float can hold, got an int of 401 digits"):
        Value(10**400)


@given(st.floats() | st.integers() | st.fractions())
def test_whole_never_changes_the_number(x):
    if isinstance(x, float) or abs(x) < 2**1000:
        kept = as_constant(x)
        assert kept == number(x) or kept != kept
        assert isinstance(kept, int) == (x % 1 == 0 and abs(x) < 2**53)


# ---- errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ZeroDivisionError("float division by zero"), ZeroDivisionError),
        (OverflowError(34, "Numerical result out of range"), OverflowError),
        (FloatingPointError("trap"), FloatingPointError),
        (ValueError("math domain error"), ValueError),
        (UnicodeEncodeError("ascii", "é", 0, 1, "reason"), ValueError),
        (ValueError(), ValueError),
    ],
)
def test_a_located_error_is_of_the_same_builtin_type(error, kind):
    told = locate(error, "log", [Value(-1.0, label="a"), 2.0])
    reason = error.args[-1] if error.args else "ValueError"
    message = f"log of a = -1.0, 2.0: {reason}"
    for each in (told, pickle.loads(pickle.dumps(told)), copy.deepcopy(told)):
        assert type(each) is kind
        assert (str(each), each.args, repr(each)) == (message, (message,), repr(kind(message)))
        assert failure_of(each).finding == message


def test_an_error_inside_of_an_operation_is_told_with_advice_for_the_outer_one_alone():
    def inner(x):
        return microgrid.where(x < 0, microgrid.log(x), x)  # the error says what to write

    op = Primitive("outer", inner, lambda out, x: (1 / x,), made_by=(power, ()))
    with pytest.raises(ValueError, match=r"^outer of -1.0: log of -1.0: [^\n]*$"):
        op(Value(-1.0))


def test_a_located_error_leaves_most_of_many_operands_out():
    told = str(locate(ValueError("no"), "sum", range(100)))
    assert told == "sum of 0, 1, 2, … 95 more …, 98, 99: no"
    assert str(locate(ValueError("no"), "sum", range(6))) == "sum of 0, 1, 2, 3, 4, 5: no"


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


@pytest.mark.parametrize("row", [None, "abc", (), ("a", abs), ["a", abs, abs], 5], ids=repr)
def test_a_family_must_return_a_name_and_two_functions(row):
    def odd(k):
        return row

    made = family(odd)
    try:
        with pytest.raises(TypeError, match=r"the family odd must return a tuple of .*, got"):
            made(1)
    finally:
        del Primitive.families["odd"]
