"""Operations as expressions of C."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..lowering import FUNCTIONS, Emitter, Result

__all__ = ["CEmitter", "Variable", "mark_used", "text"]

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


class Variable:
    """The result of one operation: a constant of the C function.

    Args:
        form: the expression, with a pair of braces for each operand.
        operands: variables, and plain floats.
        is_condition: whether it is an int, which says whether something holds.
    """

    __slots__ = ("comment", "form", "is_condition", "is_used", "name", "operands")

    def __init__(
        self, form: str, operands: tuple[Result, ...] = (), is_condition: bool = False
    ) -> None:
        self.form, self.operands, self.is_condition = form, operands, is_condition
        self.name = self.comment = ""
        self.is_used = False

    def definition(self) -> str:
        """Return the statement that defines it."""
        kind = "int" if self.is_condition else "double"
        return f"const {kind} {self.name} = {self.expression()};{self.comment}"

    def expression(self) -> str:
        """Return what it is, of its operands."""
        return self.form.format(*map(text, self.operands))


class CEmitter(Emitter):
    """Writes operations as expressions of C, each to be named."""

    def __init__(self) -> None:
        self.pending: list[Variable] = []  # without a place in the function yet

    def is_condition(self, x: Result) -> bool:
        """Return whether x is the result of a comparison."""
        return type(x) is Variable and x.is_condition

    def emit(self, operation: str, operands: tuple[Result, ...]) -> Result:
        """Write an operation down; return its result."""
        x = operands[0]
        if operation == "neg" and type(x) is float:
            return -x  # C reads two minus signs as another operator
        if operation in _CONDITIONS:
            variable = Variable(_CONDITIONS[operation], operands, is_condition=True)
        elif operation in _FORMS:
            variable = Variable(_FORMS[operation], operands)
        else:
            raise NotImplementedError(f"C for {operation!r}")
        self.pending.append(variable)
        return variable


def text(x: Result) -> str:
    """Return an operand as C writes it."""
    if type(x) is Variable:
        return x.name
    assert type(x) is float
    if math.isnan(x):
        return "NAN"
    return repr(x).replace("inf", "INFINITY")


def mark_used(variables: Sequence[Variable], results: Sequence[Result]) -> None:
    """Find which variables results depend on: a compiler warns of all others."""
    for x in results:
        if type(x) is Variable:
            x.is_used = True
    for variable in reversed(variables):
        if variable.is_used:
            for x in variable.operands:
                if type(x) is Variable:
                    x.is_used = True
