"""A formula is right if a stranger to this library, SymPy, computes the value from its text.

Both sides are computed with many digits: the graph by the formulas that mpmath has for primitives,
the text by SymPy. So nothing has to be allowed for the rounding of floats.
"""

import math
import re
import sys
from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from mpmath import mp, mpf
from sympy.parsing.sympy_parser import parse_expr, rationalize, standard_transformations

import microgrid
from microgrid import (
    MLP,
    Primitive,
    Value,
    datasets,
    family,
    formula,
    gradients,
    losses,
    no_grad,
    topological_order,
)
from microgrid.drawing.formulas import meanings, notation, to_sympy
from microgrid.drawing.formulas.spelling import identifier, latex_name, short_names
from microgrid.testing import strategies
from tests.formulas import FAMILY_FORMULAS, FORMULAS
from tests.search import LONG, usual

DIGITS = 80
# What is left of the digits after cancellation, in programs of moderate numbers.
SAME = mpf(10) ** -40
# Of the floats themselves, which cancel too: only that the right thing was compared.
ROUNDING = 1e-6

less, equal = Primitive.named("<"), Primitive.named("==")


# ---- SymPy reads the text


def choice(condition, x, y):
    if isinstance(condition, sympy.logic.boolalg.BooleanAtom | bool):
        return x if condition else y
    return x if abs(sympy.N(condition, DIGITS)) > SAME else y


# The functions of the text that SymPy has by another name, or not at all.
SYMPY = {
    "max": sympy.Max,
    "min": sympy.Min,
    "ceil": sympy.ceiling,
    "log2": lambda x: sympy.log(x, 2),
    "log10": lambda x: sympy.log(x, 10),
    "relu": lambda x: sympy.Max(x, 0),
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "leaky_relu": lambda x, slope: choice(x > 0, x, slope * x),
    "elu": lambda x, alpha=1: choice(x > 0, x, alpha * (sympy.exp(x) - 1)),
    "clip": lambda x, low, high: sympy.Min(sympy.Max(x, low), high),
    "round": lambda x, digits=0: nearest(x, digits),
    "where": choice,
    "lgamma": lambda x: sympy.log(abs(sympy.gamma(x))),
    "sinc": lambda x: sympy.sinc(sympy.pi * x),
    "sinc_by": to_sympy.FUNCTIONS["sinc_by"],
    "inf": sympy.oo,
    "cbrt": lambda x: sympy.sign(x) * sympy.cbrt(abs(x)),
}


def nearest(x, digits):
    scale = sympy.Integer(10) ** digits
    return sympy.floor(x * scale + sympy.Rational(1, 2)) / scale


def read(shown, number):
    """Return what SymPy computes from a formula's text, its leaves being numbers of that kind."""
    known = SYMPY | {name: number(leaf.data) for name, leaf in shown.symbols.items()}
    for name, text in [*reversed(shown.parts.items()), ("", shown.expression)]:
        known[name] = parse_expr(text, known, (*standard_transformations, rationalize))
    return known[""]


def many_digits(x):
    return sympy.Float(x, DIGITS)


def exactly(x):
    """Return a number for SymPy, which would look for the roots of a fraction for ever."""
    return sympy.Integer(x) if x == math.floor(x) else many_digits(x)


# ---- SymPy is given the formula itself

MEMBERS = [member for choice in strategies.LIBRARY for member in strategies._members(choice)]
# SymPy has no derivative of floor, and that of 0**x is for it a product with log(0); that of sinc
# cancels next to 0.
UNDERIVED = {
    "floor",
    "ceil",
    "//",
    "%",
    "0**",
    "sinc(0)",
    *(x.name for x in MEMBERS if "round" in x.name),
}


@pytest.mark.parametrize("primitive", MEMBERS, ids=lambda primitive: primitive.name)
@given(data=st.data())
@usual(4)
def test_of_every_primitive_sympy_has_the_value_and_the_derivatives(primitive, data):
    numbers = data.draw(strategies.numbers(primitive))
    leaves = [Value(x, label=f"a{i}") for i, x in enumerate(numbers)]
    root = primitive(*leaves)
    shown = formula(root).sympy()
    point = {sympy.Symbol(x.label, real=True): exactly(x.data) for x in leaves}

    def computed(expression):
        return float(sympy.N(expression.subs(point), 40))

    assert computed(shown) == pytest.approx(root.data, rel=1e-12, abs=1e-12)
    for symbol, leaf, partial in zip(point, leaves, root.partials(), strict=True):
        expected = pytest.approx(partial or 0.0, rel=1e-12, abs=1e-12)
        assert computed(formula(root, by=leaf).sympy()) == expected
        if primitive.name not in UNDERIVED and partial is not None:
            assert computed(shown.diff(symbol)) == expected


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (microgrid.relu, 0),
        (abs, 0),
        (microgrid.sign, 0),
        (lambda x: microgrid.leaky_relu(x, 0.1), sympy.Rational(1, 10)),
        (lambda x: microgrid.elu(x, 2.0), 2),
        (lambda x: microgrid.clip(x, 0, 1), 1),
        (lambda x: microgrid.maximum(x, 0.0), sympy.Rational(1, 2)),
        (lambda x: microgrid.minimum(x, 0.0), sympy.Rational(1, 2)),
    ],
)
def test_at_a_kink_sympy_has_the_slope_of_this_library(function, slope):
    symbol = sympy.Symbol("x", real=True)
    shown = formula(function(Value(0.5, label="x"))).sympy()
    assert shown.diff(symbol).subs(symbol, 0) == slope


@given(strategies.programs(max_size=5))
@usual(20)
def test_sympy_has_the_whole_of_a_program_whatever_is_left_out(program):
    root, leaves = traced(program)
    with mp.workdps(DIGITS):
        for shown, value in (
            (formula(root, max_terms=1), root),
            (formula(root, by=leaves[0], max_terms=1), gradients(root, leaves[0])),
        ):
            point = {
                sympy.Symbol(name, real=True): sympy.Rational(leaf.data)
                for name, leaf in shown.symbols.items()
            }
            found = mpf(str(sympy.N(shown.sympy().subs(point), DIGITS)))
            assert abs(found - exact(value)) <= SAME * max(1, abs(exact(value)))


def test_a_name_that_means_something_in_sympy_is_a_symbol():
    leaves = [Value(2.0, label=label) for label in ("I", "E", "S", "beta", "N", "gamma")]
    shown = formula(microgrid.prod(leaves)).sympy()
    assert shown == sympy.prod([sympy.Symbol(x.label, real=True) for x in leaves])


@pytest.mark.usefixtures("own_names")
def test_a_primitive_of_a_users_own_is_an_undefined_function_of_sympy():
    cube = Primitive("third power", lambda x: x**3, lambda out, x: (3 * x**2,))
    assert str(formula(cube(x) + 1).sympy()) == "third_power(x) + 1"


def test_without_sympy_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    monkeypatch.delitem(sys.modules, "microgrid.drawing.formulas.to_sympy", raising=False)
    with pytest.raises(ImportError, match="pip install sympy"):
        formula(x * y).sympy()


def test_what_is_nested_too_deeply_for_sympy_is_refused():
    deep = formula(repeated(microgrid.tanh, 3000))
    with pytest.raises(RecursionError, match="SymPy recurses"):
        deep.sympy()


# ---- mpmath computes the graph

# Floats that stand for a number with a name.
NAMED = {
    **{math.log(n): lambda n=n: mp.log(n) for n in range(2, 11)},
    **{1 / math.log(n): lambda n=n: 1 / mp.log(n) for n in (2, 10)},
    math.pi: lambda: mp.pi,
    math.tau: lambda: 2 * mp.pi,
    math.e: lambda: mp.e,
    math.sqrt(2): lambda: mp.sqrt(2),
    math.sqrt(math.tau): lambda: mp.sqrt(2 * mp.pi),
    2 / math.sqrt(math.pi): lambda: 2 / mp.sqrt(mp.pi),
}


def decimal(x):
    """Return a constant as the number that it prints as."""
    if abs(x) in NAMED:
        return math.copysign(1, x) * NAMED[abs(x)]()
    return mpf(repr(x))


def exact(root):
    """Return what a graph computes, with many digits."""
    found = {}
    for node in topological_order(root):
        operands = [found[parent] for parent in node.parents]
        if not operands:
            found[node] = decimal(node.data) if node.is_constant else mpf(node.data)
        elif node.op.family:
            make = FAMILY_FORMULAS[node.op.family]
            found[node] = make(*map(decimal, node.op.constants))(*operands)
        else:
            found[node] = FORMULAS[node.op.name](*operands)
    return found[root]


def check(shown, root):
    with mp.workdps(DIGITS):
        expected = exact(root)
        assert abs(expected - root.data) <= ROUNDING * max(1, abs(expected))
        found = mpf(str(sympy.N(read(shown, many_digits), DIGITS)))
        assert abs(found - expected) <= SAME * max(1, abs(expected)), f"{shown}\n{found} {expected}"


def traced(program):
    leaves = [Value(x) for x in program.point]
    root = program(*leaves)
    assume(isinstance(root, Value))
    return root, leaves


@given(strategies.programs(max_size=8))
@usual(60)
def test_sympy_computes_the_value_from_the_text(program):
    root, _ = traced(program)
    check(formula(root), root)


@given(strategies.programs(max_size=8))
@usual(60)
def test_sympy_computes_every_gradient_from_its_text(program):
    root, leaves = traced(program)
    for leaf in leaves:
        check(formula(root, by=leaf), gradients(root, leaf))


@given(strategies.programs(max_size=5, max_inputs=2))
@usual(20)
def test_sympy_computes_second_derivatives_from_their_text(program):
    root, leaves = traced(program)
    by = (leaves[0], leaves[-1])
    check(formula(root, by=by), gradients(gradients(root, by[0]), by[1]))


@given(strategies.programs(max_size=8, exact=True))
@usual(60)
def test_of_fractions_the_text_is_exactly_the_value(program):
    root, leaves = traced(program)
    assert read(formula(root), sympy.Rational) == sympy.Rational(root.data)
    by = leaves[0]
    expected = gradients(root, by).data
    assert read(formula(root, by=by), sympy.Rational) == sympy.Rational(expected)


def test_the_text_is_python_of_this_library():
    a, b = Value(0.5, label="a"), Value(2.0, label="b")
    y = microgrid.maximum(a, b) * a**1.5 / (3.0 + b) + microgrid.where(a, abs(b), a) - 0.1
    names = {**vars(microgrid), "a": a, "b": b, "max": max, "abs": abs}
    assert eval(str(formula(y)), names).data == pytest.approx(y.data, rel=1e-15)


# ---- what a teacher would write

a, b, c, x, y, z = (Value(0.5 + i / 8, label=name) for i, name in enumerate("abcxyz"))
PI = math.pi
SIMPLE = {
    "x": 1.0 * x + 0.0,
    "2*x": x + x,
    "x**3": x * x * x,
    "x**6": (x**2) ** 3,
    "x + y": x - -y,
    "y - x": -x + y,
    "-x - y": -(x + y),
    "x - (y + z)*(a + b)": x - (y + z) * (a + b),
    "0": 2.0 * x - x - x,
    "1": x / x,
    "3*x": x * 3.0,
    "0.3*x": 0.1 * x * 3.0,
    "x/3": x / 3.0,
    "2*x/3": x / 3.0 * 2.0,
    "(a + b)/2": microgrid.mean([a, b]),
    "a/(b*c)": a / b / c,
    "a*c/b": a / (b / c),
    "1/x": x**-1,
    "1/(2*x)": 1.0 / (2.0 * x),
    "4*x**2": (2.0 * x) ** 2,
    "sqrt(x)": x**0.5,
    "sqrt(x*y)": microgrid.sqrt(x * y),
    "x**1.5": x**1.5,
    "x**(y + 1)": x ** (y + 1),
    "x**y": x**y,
    "2**x": 2**x,
    "a*b + c*x + y": microgrid.dot([a, c], [b, x], y),
    "a*b*c": microgrid.prod([a, b, c]),
    "3 + x": 1 + (x + 2),
    "1 - x": -(x - 1),
    "2*pi*x": 2 * PI * x,
    "x**2/(2*pi)": x * x / math.tau,
    "exp(x) - 1": microgrid.expm1(x),
    "log(1 + x)": microgrid.log1p(x),
    "log(exp(x) + exp(y))": microgrid.logsumexp([x, y]),
    "exp(x)/(exp(x) + exp(y))": microgrid.softmax([x, y])[0],
    "x - log(exp(x) + exp(y))": microgrid.log_softmax([x, y])[0],
    "exp(x)/exp(max(x, y)) + y": microgrid.exp(x - microgrid.maximum(x, y)) + y,
    "sqrt(x**2 + y**2)": microgrid.hypot(x, y),
    "floor(x/y)": x // y,
    "x % y": x % y,
    "2*(x % y)": x % y * 2.0,
    "round(x)": round(x),
    "round(x, 1)": round(x, 1),
    "max(x, 0)": microgrid.clip(x, 0),
    "clip(x, -1, 1)": microgrid.clip(x, -1, 1),
    "leaky_relu(x, 0.1)": microgrid.leaky_relu(x, 0.1),
    "elu(x)": microgrid.elu(x),
    "where(x < y, 1, 0)": less(x, y),
    "where(x - y, 0, 1)": equal(x, y),
    "where(x - y, b, a)": microgrid.where(equal(x, y), a, b),
    "where(x < y, x, y)": microgrid.where(less(x, y), x, y),
    "where(x < y, 2, 3)": 3 - less(x, y),
    "where(x < y, b, a)": microgrid.where(1 - less(x, y), a, b),
    "z": microgrid.where(less(x, y), z, z),
    "-x**101": (-x) ** 101,
    "x/(sqrt(2)*y)": x / (math.sqrt(2) * y),
    "2*sqrt(2)*x": Value(math.sqrt(2)).detach() ** 3 * x * Value(1.0).detach() ** y,
    "x + y + z": microgrid.sum([x, y]) + z,
    "inf": Value(math.inf).detach() + 0.0 * x,
    "x + 1e+300": x + 1e300,
    "x/7": x * Value(Fraction(1, 7)).detach(),
    "x - 1/3": x - Value(Fraction(1, 3)).detach(),
}
SLOPES = {  # the value, and what to differentiate with respect to
    "1": (x + y, x),
    "0": (x + y, z),
    "2*x": (x * x, x),
    "b*(1 - tanh(a*b + c)**2)": (microgrid.tanh(a * b + c), a),
    "1/(2*sqrt(x))": (microgrid.sqrt(x), x),
    "1.5*sqrt(x)": (x**1.5, x),
    "y*x**(y - 1)": (x**y, x),
    "x**y*log(x)": (x**y, y),
    "2**x*log(2)": (2**x, x),
    "1/(x*log(10))": (microgrid.log10(x), x),
    "2*exp(-x**2)/sqrt(pi)": (microgrid.erf(x), x),
    "-x/y**2": (x / y, y),
    "where(x > 0, 1, 0)": (microgrid.relu(x), x),
    "where(1 - x > 0, -1, 0)": (microgrid.relu(1 - x), x),
    "sign(x)": (abs(x), x),
    "-exp(y)*exp(x)/(exp(x) + exp(y))**2": (microgrid.softmax([x, y])[0], y),
    "where(x - clip(x, -1, 1), 0, 1)": (microgrid.clip(x, -1, 1), x),
    "exp(x)/(exp(x) + exp(y))": (microgrid.logsumexp([x, y]), x),
    "-exp(y)/(exp(x) + exp(y))": (-microgrid.log_softmax([x, y])[0], x),
    "x/sqrt(x**2 + y**2)": (microgrid.norm([x, y]), x),
    "-sigmoid(-x)": (losses.binary_cross_entropy(x, 1), x),
    "6": (x**3, (x, x, x)),
}


@pytest.mark.parametrize("text", SIMPLE)
def test_a_formula_is_simple(text):
    assert str(formula(SIMPLE[text])) == text


@pytest.mark.parametrize("text", SLOPES)
def test_a_gradient_is_simple(text):
    value, by = SLOPES[text]
    assert formula(value, by=by).expression == text


def test_a_maximum_shares_its_slope_among_those_that_tie():
    by_x = formula(microgrid.maximum(x, y), by=x)
    is_x, is_y = (f"where({name} - max(x, y), 0, 1)" for name in "xy")
    assert by_x.expression == f"{is_x}/({is_x} + {is_y})"


def test_a_gradient_says_what_it_is_of():
    loss = x * x * y
    assert str(formula(loss, by=y)) == "∂L/∂y = x**2"
    loss.label = "loss"
    assert formula(loss, by=(x, y)).name == "∂²loss/∂x∂y"
    assert formula(loss, by=(x, x, y)).name == "∂³loss/∂x²∂y"
    assert str(formula(loss)) == "loss = x**2*y"
    assert formula(loss, by=(x, x)).latex.startswith(
        r"\frac{\partial^{2} \mathrm{loss}}{\partial x^{2}} = "
    )


def test_what_is_derived_by_stands_under_its_own_name():
    d = a * b + c
    d.label = "d"
    assert str(formula(d**2, by=d)) == "∂L/∂d = 2*d"
    assert str(formula(d, by=d)) == "∂d/∂d = 1"
    assert formula((d + x) ** 2, by=d).expression == "2*(d + x)"


def test_no_grad_is_touched():
    leaf = Value(2.0)
    root = leaf * leaf
    root.backward()
    formula(root, by=leaf)
    assert leaf.grad == 4.0


def test_of_a_condition_that_was_a_plain_number_the_branch_is_shown():
    assert str(formula(microgrid.where(x > 0, x, y))) == "x"


def test_a_gradient_keeps_both_branches_of_its_rule():
    assert formula(microgrid.leaky_relu(x, 0.1), by=x).expression == "where(x > 0, 1, 0.1)"
    assert formula(microgrid.elu(-x), by=x).expression == "-where(-x > 0, 1, exp(-x))"


@pytest.mark.usefixtures("own_names")
def test_a_rule_that_asks_for_the_number_shows_the_branch_that_it_takes():
    half = Primitive("half", lambda x: abs(x) / 2, lambda out, x: (0.5 if x.data > 0 else -0.5,))
    assert formula(half(x) * y, by=x).expression == "0.5*y"


@pytest.mark.usefixtures("own_names")
def test_a_rule_keeps_a_condition_that_holds_at_more_than_a_point():
    bent = Primitive(
        "bent",
        lambda x: x if x <= 0 else 2 * x,
        lambda out, x: (microgrid.where(x**3 <= 0, 1, 2),),
    )
    assert formula(bent(x), by=x).expression == "where(x**3 <= 0, 1, 2)"


def test_a_gradient_has_a_formula_where_it_has_no_value():
    zero = Value(0.0, label="x")
    assert formula(microgrid.sqrt(zero), by=zero).expression == "1/(2*sqrt(x))"
    assert formula(microgrid.norm([zero, y]), by=zero).expression == "x/sqrt(x**2 + y**2)"
    assert formula(zero**y, by=y).expression == "x**y*log(x)"


def test_a_users_own_choice_at_a_point_is_kept():
    chosen = Primitive.named("where")(Primitive.named("<=")(abs(x), 0.0), y, x)
    assert str(formula(chosen)) == "where(abs(x) <= 0, y, x)"
    assert formula(chosen * z, by=z).expression == "where(abs(x) <= 0, y, x)"


def test_a_leaf_that_changed_does_not_matter():
    leaf = Value(2.0, label="x")
    root = leaf * leaf
    leaf.data = 5.0
    assert formula(root, by=leaf).expression == "2*x"


def test_a_number_may_have_any_number_of_digits():
    huge = Fraction(10**5000 + 1, 7)
    assert (
        str(formula(Value(Fraction(1), label="x") * Value(huge).detach())) == f"1{'0' * 4999}1*x/7"
    )


def test_under_no_grad_a_gradient_has_a_formula_too():
    square = x * x
    with no_grad():
        assert formula(square, by=x).expression == "2*x"


def test_what_was_computed_under_no_grad_is_a_number():
    with no_grad():
        constant = Value(2.0) * 3.0
    assert str(formula(x * constant)) == "6*x"


# ---- every primitive


def test_every_primitive_of_the_library_has_a_way_to_be_written():
    rules = {*meanings.RULES, *meanings.SUMS, *meanings.PRODUCTS, *meanings.FAMILIES}
    kept = set(strategies.LIBRARY) - rules
    assert kept - {"%"} <= notation.CALLS.keys() | notation.ENCLOSED.keys()
    assert {Primitive.named(name).partials.__module__ for name in kept} <= set(meanings.LIBRARY)


@pytest.fixture
def own_names(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", Primitive.registry.copy())
    monkeypatch.setattr(Primitive, "families", Primitive.families.copy())


@pytest.mark.usefixtures("own_names")
def test_a_primitive_of_a_users_own_is_a_function_of_its_name():
    cube = Primitive("third power", lambda x: x**3, lambda out, x: (3 * x**2,))
    odd = Primitive("half {of} x_<b>", lambda x: x / 2, lambda out, x: (0.5,))
    clip = Primitive("clip", lambda x: x, lambda out, x: (1,))  # the library's is called clip_to

    @family
    def tanh(scale):
        return "tanh", lambda x: x * scale, lambda out, x: (scale,)

    assert str(formula(cube(x) * cube(x))) == "third_power(x)**2"
    assert formula(cube(x), by=x).expression == "3*x**2"
    assert str(formula(odd(x))) == "half__of__x__b_(x)"
    assert balanced(formula(odd(x)).latex)
    assert str(formula(clip(x))) == "clip_(x)"
    assert str(formula(tanh(2.0)(x))) == "tanh_(x)"


# ---- names


def test_names_are_labels_then_variables_then_paths_then_numbers():
    model = MLP(1, [1], seed=0)
    inside, other = Value(1.0), Value(2.0)
    shown = formula(model([inside]) + other * x, {"model": model, "inside": inside})
    assert list(shown.symbols) == ["w0_0_0", "inside", "b0_0", "x1", "x"]
    assert str(shown) == "w0_0_0*inside + b0_0 + x1*x"
    assert shown.latex == r"w^{(0)}_{00}\,\mathrm{inside} + b^{(0)}_{0} + x_{1}\,x"


def test_leaves_without_a_name_are_numbered():
    p, q = Value(1.0), Value(2.0)
    assert str(formula(p * q)) == "x1*x2"
    assert str(formula(p * p)) == "x1**2"
    assert str(formula(p * q * x)) == "x1*x2*x"
    assert str(formula(p * Value(1.0, label="x1"))) == "x2*x1"
    assert formula((p * x).exp() * q, by=q).name == "∂L/∂x2"


HOSTILE = [
    *(
        "<script>alert(1)</script>",
        "_",
        "__",
        "{}",
        "}{",
        "\\",
        "\\input{x}",
        "$",
        "%",
        "&lt;",
        "#",
    ),
    *(
        "^",
        "~",
        "🙂",
        "two words",
        "two\nlines",
        "lambda",
        "None",
        "exp",
        "max",
        "pi",
        "x",
        "x ",
        "1",
    ),
    *(
        "2x",
        "ﬁ",
        "fi",
        "ﬀ",
        "w_1",
        "w1",
        "w.1",
        "a--b",
        "x'",
        '"',
        "`",
        "\\right)",
        "é",
        "λ",
        "where",
    ),
]


def test_hostile_names_are_told_apart_and_harmless():
    leaves = [Value(float(i + 1), label=label) for i, label in enumerate(HOSTILE)]
    root = microgrid.sum([leaf.tanh() for leaf in leaves])
    shown = formula(root, max_terms=None)
    assert all(name.isidentifier() for name in shown.symbols)
    assert len(shown.symbols) == len(HOSTILE)
    check(shown, root)
    assert balanced(shown.latex)
    assert "<s" not in shown.latex
    assert "</" not in shown.latex
    assert "\n" not in shown.latex
    written = re.findall(r"\\tanh\\left\((.*?)\\right\)", shown.latex)
    assert len(set(written)) == len(HOSTILE)


def test_two_leaves_of_one_label_are_two():
    first, second = Value(1.0, label="w1"), Value(2.0, label="w1")
    shown = formula(first - second)
    assert str(shown) == "w1 - w1_2"
    assert shown.latex == "w_{1} - w_{1,2}"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("w1", "w_{1}"),
        ("w_1_2", "w_{1,2}"),
        ("alpha", r"\alpha"),
        ("sigma2", r"\sigma_{2}"),
        ("x_max", r"x_{\mathrm{max}}"),
        ("loss", r"\mathrm{loss}"),
        ("layers.0.neurons.3.w.1", r"\mathrm{layers}_{0}.\mathrm{neurons}_{3}.w_{1}"),
        ("a b", r"\text{a b}"),
        ("learning_rate", r"\text{learning}{\_}\text{rate}"),
        ("<b>", r"{<}\text{b}{>}"),
    ],
)
def test_a_name_in_latex(name, latex):
    assert latex_name(name) == latex


@given(st.text(min_size=1))
def test_any_text_is_an_identifier(name):
    assert identifier(name).isidentifier()


# ---- LaTeX


def balanced(latex):
    """Return whether all groups, delimiters and environments are closed in their order."""
    pairs = {"}": "{", r"\right": r"\left", r"\end": r"\begin"}
    opened = []
    for token in re.findall(r"\\[A-Za-z]+|\\.|[{}]", latex):
        if token in pairs.values():
            opened.append(token)
        elif token in pairs and (not opened or opened.pop() != pairs[token]):
            return False
    return not opened


PARSER = MathTextParser("path")


def set_by_mathtext(latex):
    """Set each line, without what mathtext has not: environments, and ampersands."""
    latex = latex.replace(r"\&", "and")
    for line in re.sub(r"\\(begin|end)\{(aligned|cases)\}|\\\\| & |&(?==)", "", latex).split("\n"):
        PARSER.parse(f"${line}$", prop=FontProperties())


@given(strategies.programs(max_size=8))
@usual(30)
def test_latex_is_balanced_and_can_be_set(program):
    root, leaves = traced(program)
    for shown in (formula(root), formula(root, by=leaves[0])):
        assert balanced(shown.latex)
        set_by_mathtext(shown.latex)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_can_be_set(name):
    assert balanced(latex_name(name))
    set_by_mathtext(latex_name(name))


@pytest.mark.parametrize(
    ("value", "latex"),
    [
        (a / 2 + b, r"\frac{a}{2} + b"),
        ((a + b) / (a - b), r"\frac{a + b}{a - b}"),
        (a * (b + c) ** 2, r"a\,\left(b + c\right)^{2}"),
        (microgrid.tanh(x) ** 2, r"\tanh^{2}\left(x\right)"),
        (microgrid.log(x), r"\ln\left(x\right)"),
        (microgrid.exp(-x), r"\mathrm{e}^{-x}"),
        (microgrid.sqrt(x) + microgrid.cbrt(x), r"\sqrt{x} + \sqrt[3]{x}"),
        (abs(x), r"\left|x\right|"),
        (x // y, r"\left\lfloor \frac{x}{y}\right\rfloor"),
        (x**1.5, "x^{1.5}"),
        (x * microgrid.hypot(x, y) ** 3, r"x\,\left(x^{2} + y^{2}\right)^{3/2}"),
        (2**x * 0.3, r"0.3 \cdot 2^{x}"),
        (1e-7 * x, r"10^{-7}\,x"),
        (2.5e-7 * x, r"2.5 \cdot 10^{-7}\,x"),
        (less(x, y) * 1.0, r"\mathbf{1}\left[x < y\right]"),
        (1 - less(x, y), r"\mathbf{1}\left[x \geq y\right]"),
        (equal(x, y) * 1.0, r"\mathbf{1}\left[x = y\right]"),
        (1 - equal(x, y), r"\mathbf{1}\left[x \neq y\right]"),
        (
            microgrid.sign(abs(microgrid.sign(x - microgrid.exp(y)))),
            r"\operatorname{sgn}\left(\mathbf{1}\left[x \neq \mathrm{e}^{y}\right]\right)",
        ),
        (
            microgrid.where(less(x, y), x, 2 * y),
            r"\begin{cases} x & \text{if } x < y \\ 2\,y & \text{otherwise} \end{cases}",
        ),
    ],
)
def test_a_value_in_latex(value, latex):
    assert formula(value).latex == latex


def test_a_notebook_shows_it():
    shown = formula(x * y)
    data, _ = DisplayFormatter().format(shown)
    assert data["text/latex"] == r"$\displaystyle x\,y$"
    assert data["text/plain"] == repr(shown) == str(shown) == "x*y"


# ---- networks


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("layers.0.neurons.3.w.1", ("w0_3_1", "w^{(0)}_{31}")),
        ("layers.1.neurons.12.w.1", ("w1_12_1", "w^{(1)}_{12,1}")),
        ("layers.1.neurons.2.b", ("b1_2", "b^{(1)}_{2}")),
        ("neurons.3.w.1", ("w3_1", "w_{31}")),
        ("w.0", ("w0", "w_{0}")),
        ("b", None),
        ("hidden.neurons.2.w.0", ("w_hidden_2_0", r"w^{(\mathrm{hidden})}_{20}")),
        ("out.b", ("b_out", r"b^{(\mathrm{out})}")),
    ],
)
def test_a_path_in_a_model_has_a_short_name(path, short):
    assert short_names([path]).get(path) == short


def test_paths_of_one_short_name_keep_their_own():
    assert short_names(["a.0.w", "b.0.w", "c.1.w"]) == {"c.1.w": ("w1", "w_{1}")}


@pytest.mark.parametrize("widths", [[1], [4, 1], [16, 16, 1]])
@pytest.mark.parametrize("rows", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_formula_of_a_network_is_short_and_says_what_is_left_out(widths, rows):
    model = MLP(2, widths, seed=1)
    X, targets = datasets.moons(rows, seed=1)
    loss = losses.binary_cross_entropy([model(row) for row in X], targets)
    for by in ((), model.layers[0].neurons[0].b):
        shown = formula(loss, model, by=by)
        assert len(str(shown)) < 5000
        assert len(shown.latex) < 10_000
        assert bool(shown.left_out) == (f"{shown.left_out:,} more parts" in shown.latex)
        assert balanced(shown.latex)
        assert len(shown.expression) > 10
    whole = formula(loss, model, max_terms=None)
    assert "…" not in str(whole)
    assert set(map(id, whole.symbols.values())) == set(map(id, model.parameters()))
    lines = str(whole).splitlines()
    assert max(map(len, lines)) < (2000 if widths == [1] else 800)


# ---- parts


def test_what_is_long_and_shared_is_named_once():
    u = microgrid.tanh(a * b + c * x + y)
    root = u * u + u * z
    shown = formula(root)
    whole, where = str(shown).splitlines()
    assert shown.parts == {"v5": "tanh(a*b + c*x + y)"}
    assert where == f"where v5 = {shown.parts['v5']}"
    numbers = {value.label: value.data for value in (a, b, c, x, y, z)} | {"tanh": math.tanh}
    v5 = eval(shown.parts["v5"], numbers)
    assert eval(whole, numbers | {"v5": v5}) == pytest.approx(root.data, rel=1e-15)
    assert str(shown).count("tanh") == shown.latex.count(r"\tanh") == 1
    assert shown.latex.count("v_{5}") == 3
    assert r" \\ \text{where}\quad v_{5} &= \tanh\left(" in shown.latex
    assert balanced(shown.latex)


def test_a_part_has_the_users_name():
    o = microgrid.tanh(a * b + c * x + y)
    assert str(formula(o * o + o, {"o": o})).startswith("o**2 + o\nwhere o = ")
    o.label = "o"
    assert str(formula(o, by=a)) == "∂o/∂a = b*(1 - tanh(a*b + c*x + y)**2)"
    assert str(formula(o, by=(a, b))).startswith(
        "∂²o/∂a∂b = 1 - o**2 - 2*b*a*o*(1 - o**2)\nwhere o ="
    )


def test_named_parts_keep_their_parentheses():
    u, v = (microgrid.tanh(a * b + c * t + t) for t in (x, y))
    product, total = u * v, -u - v
    first = str(formula(x / product + y / product + u + v)).splitlines()[0]
    assert first == "x/(v5*v10) + y/(v5*v10) + v5 + v10"
    first = str(formula(z * total + (z + total).exp() + u * v)).splitlines()[0]
    assert first == "z*(-v5 - v11) + exp(z - v5 - v11) + v5*v11"


def test_a_condition_is_no_part():
    condition = less(a * b + c * x, y * z + a * x)
    shown = formula(microgrid.where(condition, x, y) + microgrid.where(condition, z, a))
    assert shown.parts == {}


def test_what_is_equal_is_one_though_it_was_computed_twice():
    assert str(formula((a * b).tanh() - (b * a).tanh())) == "0"


def repeated(step, times):
    value = Value(0.5, label="x")
    for _ in range(times):
        value = step(value)
    return value


def test_a_graph_with_2_to_the_100_paths_is_a_hundred_lines_at_most():
    root = repeated(lambda v: (v * v + v).sin(), 100)
    shown = formula(root, max_terms=None)
    assert 10 < len(shown.parts) <= 100
    assert len(str(shown)) < 10_000
    check(shown, root)
    by_x = formula(root, by=root.parents[0], max_terms=None)
    assert len(str(by_x)) < 10_000


@pytest.mark.parametrize(
    "step",
    [
        microgrid.tanh,
        lambda v: v + 1.0,
        lambda v: v * 0.9,
        lambda v: x - v / 2,
        lambda v: v**2,
        lambda v: v / (v + 1.0),
    ],
)
def test_a_deep_graph_has_a_formula(step):
    root = repeated(step, 3000 if LONG else 1200)  # deeper than calls may nest
    shown = formula(root)
    assert len(str(shown)) < 20_000
    assert bool(shown.left_out) == ("more parts: max_terms=None" in str(shown))
    assert bool(shown.left_out) == ("more parts" in shown.latex)


def test_of_a_long_chain_all_parts_can_be_had():
    shown = formula(repeated(microgrid.tanh, 2000), max_terms=None)
    assert shown.left_out == 0
    assert str(shown).count("tanh") == 2000
    assert max(map(len, str(shown).splitlines())) < 200


def test_of_a_wide_sum_the_ends_are_shown_and_how_many_are_not():
    leaves = [Value(float(i), label=f"x{i}") for i in range(1, 1001)]
    assert (
        str(formula(microgrid.sum(leaves), max_terms=4)) == "x1 + x2 + … 996 more … + x999 + x1000"
    )
    assert str(formula(microgrid.max(leaves), max_terms=1)) == "max(x1, … 999 more …)"
    assert str(formula(microgrid.prod(leaves), max_terms=2)) == "x1*… 998 more …*x1000"
    assert len(str(formula(microgrid.sum(leaves)))) < 1000
    assert "…" not in str(formula(microgrid.sum(leaves), max_terms=None))
    assert balanced(formula(microgrid.sum(leaves), max_terms=3).latex)


# ---- errors


@pytest.mark.parametrize(
    ("arguments", "options", "error", "told"),
    [
        ((2.0,), {}, TypeError, r"formula needs a Value, got 2.0 \(float\)"),
        (([x, y],), {}, TypeError, r"formula needs a Value, got \[.*\] \(list\)"),
        (
            (x,),
            {"by": [2.0]},
            TypeError,
            "formula needs Values to differentiate with respect to, not constants, got 2.0",
        ),
        (
            (x,),
            {"by": 2.0},
            TypeError,
            "formula needs Values to differentiate with respect to, not constants, got 2.0",
        ),
        (
            (x,),
            {"max_terms": 0},
            ValueError,
            "`max_terms` must be an integer, at least 1, or None for all, got 0",
        ),
        ((x,), {"names": [x]}, TypeError, "`names` must be a mapping"),
        ((x * 2.0,), {"by": (x * 2.0).parents[1]}, TypeError, "not constants, got Value"),
    ],
)
def test_an_error_says_what_must_hold_and_what_was_got(arguments, options, error, told):
    with pytest.raises(error, match=told):
        formula(*arguments, **options)


def test_what_has_no_label_is_not_called_as_a_leaf_that_dropped_out_is():
    x = Value(2.0, label="x")
    x1 = Value(4.0, label="x1")
    square, unnamed = x * x, Value(5.0)
    assert str(formula(square * unnamed + x1, by=square)) == "∂L/∂v1 = x2"
    loss = Value(1.0, label="L")
    assert str(formula(x * x + loss, by=x)).startswith("∂v2/∂x = 2*x")


@pytest.mark.parametrize("by", [0, (0, 1)])
def test_no_factor_is_one_over_something(by):
    x, y, z = (Value(data, label=name) for data, name in ((0.5, "x"), (-1.0, "y"), (2.0, "z")))
    inputs = [(x, y)[i] for i in (by if isinstance(by, tuple) else (by,))]
    length, power = microgrid.norm([x, y, z]), microgrid.exp(-(x * z + y * z))
    for value in [1 / length, microgrid.log(1 + power), 1 / (x + y * z)]:
        assert "*1/" not in str(formula(value, by=inputs))
