"""Expressions of SymPy as functions of the library, and the formulas that lead there and back."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given

import microgrid as mg
from microgrid.drawing import formula
from microgrid.interop.sympy import lambdify
from microgrid.testing.strategies import programs

x, y = sympy.symbols("x y", real=True)
EXPRESSIONS = [
    sympy.sin(x) * sympy.cos(y) + sympy.tan(x),
    sympy.exp(x) / (1 + sympy.log(x)),
    sympy.sqrt(x) + sympy.cbrt(y) + x ** sympy.Rational(2, 7),
    sympy.asin(x / 2) + sympy.acos(x / 2) + sympy.atan(y) + sympy.atan2(x, y),
    sympy.sinh(x) + sympy.cosh(y) - sympy.tanh(x * y) + sympy.asinh(x) + sympy.acosh(1 + y),
    sympy.erf(x) + sympy.erfc(y),
    sympy.log(x, 2) + sympy.log(y, 10) + sympy.pi * sympy.E**y,
    sympy.Max(x, y, 1) * sympy.Min(x, 2 * y),
    sympy.Abs(x - y) + sympy.sign(x - y) * x + sympy.Heaviside(y - x) * y,
    sympy.floor(x) * y + sympy.ceiling(y) * x + sympy.Mod(x * 3, y),
    sympy.sec(x) + sympy.cot(y) + sympy.coth(x),
    sympy.Piecewise((x**2, (x > 0) & (y < 1)), (y**2, ~(x > 3) | (y > 5)), (x, True)),
    sympy.Piecewise((x, sympy.ITE(x > y, x > 1, y > 1)), (y, True)),
    sympy.loggamma(x) + sympy.digamma(y) * sympy.polygamma(2, x) + sympy.erfinv(y / 5),
    sympy.gamma(x) + sympy.gamma(-y) * sympy.gamma(-x - 1),
    sympy.Integer(7) * x**3 - sympy.Rational(1, 3) * x * y + sympy.Float("0.25"),
]
POINTS = [(0.75, 0.5), (1.5, 2.25)]
# SymPy evaluates with 15 digits here; the expressions are a dozen operations on numbers near 1.
CLOSE = {"rel_tol": 1e-12, "abs_tol": 1e-12}


# SymPy's forms cancel digits that the library's keep, such as those of log(1 + exp(x)).
ROUGH = {"rel_tol": 1e-6, "abs_tol": 1e-6}


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
@pytest.mark.parametrize("make", [lambdify, lambda a, e: sympy.lambdify(a, e, modules="microgrid")])
def test_values_and_slopes_are_sympys(expression, make):
    f = make([x, y], expression)
    for point in POINTS:
        at = dict(zip((x, y), point, strict=True))
        assert math.isclose(f(*point), float(expression.subs(at)), **CLOSE)
        if expression.has(sympy.floor, sympy.ceiling):
            continue  # SymPy leaves their slopes open
        slopes = mg.grad(f, argnums=(0, 1))(*point)
        for slope, symbol in zip(slopes, (x, y), strict=True):
            assert math.isclose(slope, float(expression.diff(symbol).subs(at).doit()), **CLOSE)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_all_can_be_compiled(expression):
    f = lambdify([x, y], expression)
    compiled = mg.compile(f)
    columns = np.array(POINTS).T
    for result, point in zip(compiled(*columns), POINTS, strict=True):
        assert math.isclose(result, f(*point), **CLOSE)


@given(programs(max_size=6))
def test_a_formula_leads_to_sympy_and_back(program):
    inputs = [mg.Value(number, label=f"v{i}") for i, number in enumerate(program.point)]
    output = program(*inputs)
    expression = formula(output).sympy()
    symbols = sorted(expression.free_symbols, key=str)
    at = {f"v{i}": value.data for i, value in enumerate(inputs)}
    numbers = [at[str(symbol)] for symbol in symbols]
    back = sympy.lambdify(symbols, expression, modules="microgrid")
    assert math.isclose(back(*numbers), output.data, **ROUGH)
    if symbols:  # what is not chosen may have no value in Python, and is nan in a kernel
        compiled = mg.compile(lambdify(symbols, expression))
        assert math.isclose(compiled(*numbers), output.data, **ROUGH)


STEPS = sympy.floor(x * y + 0.3) * y + sympy.ceiling(x / y) * x + sympy.sign(x - y) ** 2 * x


@pytest.mark.parametrize(
    "expression", [STEPS, *[e for e in EXPRESSIONS if not e.has(sympy.Mod)]], ids=str
)
def test_slopes_that_sympy_finds_are_those_of_the_function(expression):
    slopes = [expression.diff(symbol) for symbol in (x, y)]
    found = lambdify([x, y], sympy.Matrix([slopes, slopes]))
    for point in POINTS:
        wanted = mg.grad(lambdify([x, y], expression), argnums=(0, 1))(*point)
        for row in (*found(*point), mg.compile(found)(*point)[1]):
            assert np.allclose(row, wanted, rtol=1e-12, atol=1e-12)


def test_a_matrix_is_a_list_of_rows():
    bowl = sympy.exp(x * y) * sympy.sin(x)
    hessian = lambdify([x, y], sympy.hessian(bowl, (x, y)))
    f = lambdify([x, y], bowl)
    wanted = mg.hessian(lambda p: f(*p))([0.75, 0.5])
    assert np.allclose(hessian(0.75, 0.5), wanted, rtol=1e-12)
    assert np.allclose(mg.compile(hessian)(0.75, 0.5), wanted, rtol=1e-12)


def test_a_number_as_a_condition_is_whether_it_is_not_0():
    c, a = mg.Value(0.5, label="c"), mg.Value(2.0, label="a")
    expression = formula(mg.where(c, a, -a)).sympy()
    symbols = {str(symbol): symbol for symbol in expression.free_symbols}
    for number, result in [(0.5, 2.0), (0.0, -2.0), (-1.0, 2.0)]:
        assert expression.subs({symbols["c"]: number, symbols["a"]: 2.0}) == result


def test_factorials_and_parts_of_real_numbers_are_known():
    z = sympy.Symbol("z")  # which SymPy takes for complex
    f = lambdify(z, sympy.factorial(z) + sympy.re(z) * sympy.conjugate(z) + sympy.im(z))
    assert math.isclose(f(3.0), 15.0, **CLOSE)
    lgamma = sympy.log(sympy.Abs(sympy.gamma(x)))
    assert math.isclose(lambdify(x, lgamma.diff(x))(1.5), mg.digamma(1.5), **CLOSE)


def test_a_function_that_the_library_lacks_is_named():
    with pytest.raises(NameError, match="besselj"):
        lambdify(x, sympy.besselj(0, x))(1.0)
