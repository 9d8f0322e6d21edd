"""Expressions of SymPy as functions of this library, to differentiate and to compile.

Once this is imported, SymPy's own `lambdify(…, modules="microgrid")` knows the library too.
`formula(…).sympy()` leads the other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import sympy
from sympy.printing.pycode import PythonCodePrinter
from sympy.utilities.lambdify import MODULES

from .. import functional, special

__all__ = ["lambdify"]


def _gamma(x: functional.Number) -> functional.Number:
    """Return Γ(x), whose sign below 0 changes at every whole number."""
    sign = 1.0 - 2.0 * (functional.floor(functional.minimum(x, 0.0)) % 2.0)
    return sign * functional.exp(special.lgamma(x))


NAMES: dict[str, object] = {
    **{name: getattr(functional, name) for name in functional.__all__},
    **{name: getattr(special, name) for name in special.__all__},
    **{"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan},
    # as SymPy writes these
    "gamma": _gamma,
    "factorial": lambda n: _gamma(n + 1.0),
    "re": lambda x: x,
    "im": lambda x: 0.0 * x,
    "conjugate": lambda x: x,
    "DiracDelta": lambda x, order=0: 0.0 * x,  # a slope that the library takes for 0, as `sign`'s
    "ImmutableDenseMatrix": lambda rows: rows,
    "copysign": lambda one, x: functional.sign(x),
    "max": lambda *xs: functional.max(xs),
    "min": lambda *xs: functional.min(xs),
}
MODULES["microgrid"] = (NAMES, {}, {}, ())  # where SymPy looks up modules by name


def _is_flat(expr: sympy.Basic) -> bool:
    """Return whether this is a slope of steps, which SymPy leaves open."""
    steps = (sympy.floor, sympy.ceiling, sympy.sign)
    return isinstance(expr, sympy.Derivative) and isinstance(expr.args[0], steps)


class _Printer(PythonCodePrinter):  # type: ignore[misc]  # SymPy has no types
    """Writes choices as `where`, which a compiled function needs instead of `if`."""

    def _print_Piecewise(self, expr: sympy.Basic) -> str:
        text = "nan"
        for choice, condition in reversed(expr.args):
            chosen = self._print(choice)
            text = chosen if condition is sympy.true else self._where(condition, chosen, text)
        return text

    def _where(self, condition: object, chosen: str, other: str) -> str:
        return f"where({self._print(condition)}, {chosen}, {other})"

    def _print_ITE(self, expr: sympy.Basic) -> str:
        return f"where({', '.join(map(self._print, expr.args))})"

    def _print_And(self, expr: sympy.Basic) -> str:
        text = "True"
        for condition in expr.args:
            text = self._where(condition, text, "False")
        return text

    def _print_Or(self, expr: sympy.Basic) -> str:
        text = "False"
        for condition in expr.args:
            text = self._where(condition, "True", text)
        return text

    def _print_Not(self, expr: sympy.Basic) -> str:
        return self._where(expr.args[0], "False", "True")

    def _print_Derivative(self, expr: sympy.Basic) -> str:
        text: str = "0.0" if _is_flat(expr) else super()._print_Derivative(expr)
        return text

    def _print_Subs(self, expr: sympy.Basic) -> str:  # a slope at an expression
        text: str = "0.0" if _is_flat(expr.args[0]) else super()._print_Subs(expr)
        return text

    def _print_sign(self, expr: sympy.Basic) -> str:
        return f"sign({self._print(expr.args[0])})"


def lambdify(
    arguments: sympy.Symbol | Sequence[sympy.Symbol], expression: sympy.Expr
) -> Callable[..., Any]:
    """Return a SymPy expression as a function of numbers, `Value`s and traced numbers.

    It is for `grad`, `compile` and the like. Choices become `where`, which computes all branches;
    `sympy.lambdify(…, modules="microgrid")` writes `if`, which cannot be compiled. All numbers are
    taken for real, a matrix is a list of rows, and steps have the slope 0, as they have here.

    Raises when called:
        NameError: the expression has a function that the library does not have.

    >>> import sympy
    >>> from microgrid import compile, grad
    >>> x, y = sympy.symbols("x y", real=True)
    >>> f = lambdify([x, y], sympy.Piecewise((sympy.sin(x) * y, x > 0), (y**2, True)))
    >>> f(-1.0, 3.0), grad(f, argnums=1)(-1.0, 3.0), compile(f)(-1.0, 3.0)
    (9.0, 6.0, 9.0)
    """
    options = {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True}
    function: Callable[..., Any] = sympy.lambdify(
        arguments, expression, modules="microgrid", printer=_Printer(options)
    )
    return function
