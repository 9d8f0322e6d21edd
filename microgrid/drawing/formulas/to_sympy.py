"""A formula as an expression of SymPy, in functions whose derivatives SymPy knows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import sympy
from sympy.logic.boolalg import Boolean

from ...core.primitive import Primitive
from .algebra import ExactNumber, Expression

__all__ = ["FUNCTIONS", "to_sympy"]

ONE_HALF, ONE_THIRD = sympy.Rational(1, 2), sympy.Rational(1, 3)


def _piecewise(condition: Boolean, x: sympy.Expr | int, y: sympy.Expr | int) -> sympy.Expr:
    return sympy.Piecewise((x, condition), (y, True))


def _nearest(x: sympy.Expr, digits: sympy.Expr | int = 0) -> sympy.Expr:
    """Return x rounded as Python does: of two numbers that are equally near, to the even one."""
    scaled = x * sympy.Integer(10) ** digits + ONE_HALF
    is_tie_to_odd = sympy.Eq(scaled - 2 * sympy.floor(scaled / 2), 1)
    return (sympy.floor(scaled) - _piecewise(is_tie_to_odd, 1, 0)) / sympy.Integer(10) ** digits


def _mean_wave(n: sympy.Expr, z: sympy.Expr) -> sympy.Expr:
    """Return the n-th derivative of sin(z) / z, which is the mean of cos(t * z) for t up to 1."""
    t = sympy.Dummy("t", real=True)
    return sympy.Integral(t**n * sympy.cos(t * z + n * sympy.pi / 2), (t, 0, 1))


# fmt: off
# SymPy does not know that log(x) is real, and then `Abs` and `sign` have no plain derivative.
# The slopes at kinks are the library's.
FUNCTIONS: dict[str, Callable[..., sympy.Basic]] = {
    **{name: getattr(sympy, name) for name in (
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh",
        "atanh", "atan2", "exp", "log", "erf", "erfc", "erfinv", "digamma", "polygamma",
        "floor")},
    "lgamma": lambda x: sympy.log(sympy.Abs(sympy.gamma(x))),
    "sinc": lambda x: sympy.sinc(sympy.pi * x),
    "sinc_by": lambda n, z: _mean_wave(n, z),
    "max": sympy.Max,
    "min": sympy.Min,
    "abs": lambda x: sympy.Piecewise((x, x > 0), (-x, x < 0), (0, True)),
    "sign": lambda x: sympy.Piecewise((1, x > 0), (-1, x < 0), (0, True)),
    "ceil": sympy.ceiling,
    "log2": lambda x: sympy.log(x, 2),
    "log10": lambda x: sympy.log(x, 10),
    "cbrt": lambda x: _piecewise(x >= 0, x**ONE_THIRD, -((-x) ** ONE_THIRD)),
    "%": lambda x, y: x - y * sympy.floor(x / y),
    "**": lambda x, y: x**y,
    "round": _nearest,
    "relu": lambda x: _piecewise(x > 0, x, 0),
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "leaky_relu": lambda x, slope: _piecewise(x > 0, x, slope * x),
    "elu": lambda x, alpha=1: _piecewise(x > 0, x, alpha * (sympy.exp(x) - 1)),
    "clip": lambda x, low, high: sympy.Piecewise((low, x < low), (high, x > high), (x, True)),
    "where": lambda condition, x, y: _piecewise(_holds(condition), x, y),
    "<": sympy.StrictLessThan,
    "<=": sympy.LessThan,
    ">": sympy.StrictGreaterThan,
    ">=": sympy.GreaterThan,
}
# fmt: on
GIVEN = {"pi": sympy.pi, "inf": sympy.oo, "nan": sympy.nan}


def _holds(condition: sympy.Basic) -> Boolean:
    is_number = isinstance(condition, sympy.Expr)  # a symbol is both, to SymPy
    return sympy.Ne(condition, 0) if is_number else condition


def to_sympy(order: Sequence[Expression], names: Mapping[Hashable, str]) -> sympy.Expr:
    """Return SymPy's form of the last of `order`, which has each expression after its parts.

    `names` are those of leaves and of a user's own primitives.
    """
    made: dict[Expression, sympy.Basic] = {}
    for x in order:
        parts = [made[parent] for parent in x.parents]
        if x.kind == "symbol":
            known = GIVEN.get(x.name) if isinstance(x.name, str) else None
            # real, for with symbols that might be complex SymPy takes for ever
            made[x] = sympy.Symbol(names[x.name], real=True) if known is None else known
        elif x.kind == "call":
            named = isinstance(x.name, Primitive)
            make = sympy.Function(names[x.name], real=True) if named else FUNCTIONS[str(x.name)]
            made[x] = make(*parts)
        else:
            weights = [_rational(weight) for weight in x.weights]
            pairs = zip(parts, weights, strict=True)
            if x.kind == "sum":
                made[x] = sympy.Add(*[part * weight for part, weight in pairs])
            else:
                made[x] = sympy.Mul(*[part**weight for part, weight in pairs])
    return made[order[-1]]


def _rational(number: ExactNumber) -> sympy.Rational:
    return sympy.Rational(number.value.numerator, number.value.denominator)
