"""What NumPy's ufuncs are on single numbers, in this library's own functions and operators.

A truth value is a bool where the numbers are known; in a trace it is a traced number, 1 or 0.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np

from .. import functional
from ..core import primitive
from ..core.primitive import Operand, data_of, is_traced, where
from ..engine import Value
from ..functional import Number
from ..guards.checks import quote
from ..linalg import magnitude

__all__ = [
    "LANES",
    "RULES",
    "all_of",
    "any_of",
    "both",
    "clip",
    "either",
    "is_finite",
    "is_nan",
    "is_traced",
    "magnitude",
    "pick",
    "rint",
]

LN2 = math.log(2.0)
TRUTHS = frozenset(["<", "<=", "=="])  # the names of primitives that give 1 or 0


def pick(condition: Number, x: Number, y: Number) -> Number:
    """Return x where a condition holds, else y."""
    if is_traced(condition):
        return where(condition, x, y)
    return x if condition else y


def _is_truth(x: Number) -> bool:
    if isinstance(x, (bool, np.bool_)):
        return True
    if not isinstance(x, Value):
        return False
    if x.op is where:
        return all(map(_is_truth, x.parents[1:]))
    if x.is_constant:
        return data_of(x) in (0.0, 1.0)
    return is_traced(x) and x.op is not None and x.op.name in TRUTHS


def _truth(x: Number) -> Number:
    """Return whether a number is not 0, as a truth value."""
    if not is_traced(x):
        return bool(data_of(x))
    return x if _is_truth(x) else where(x, 1.0, 0.0)


def both(x: Number, y: Number) -> Number:
    """Return whether two truth values hold."""
    x, y = _truth(x), _truth(y)
    if is_traced(x):
        return where(x, y, 0.0)
    return y if x else False


def either(x: Number, y: Number) -> Number:
    """Return whether one of two truth values holds."""
    x, y = _truth(x), _truth(y)
    if is_traced(x):
        return where(x, 1.0, y)
    return True if x else y


def _not(x: Number) -> Number:
    x = _truth(x)
    return where(x, 0.0, 1.0) if is_traced(x) else not x


def _differ(x: Number, y: Number) -> Number:
    x, y = _truth(x), _truth(y)
    if is_traced(x):
        return where(x, _not(y), y)
    return _not(y) if x else y


def all_of(*xs: Number) -> Number:
    """Return whether all of some truth values hold."""
    result: Number = True
    for x in xs:
        result = both(result, x)
    return result


def any_of(*xs: Number) -> Number:
    """Return whether one of some truth values holds."""
    result: Number = False
    for x in xs:
        result = either(result, x)
    return result


def _of_truths(name: str, rule: Callable[..., Number]) -> Callable[..., Number]:
    """Return the rule of an operator on bits, which takes conditions alone here."""

    def of_truths(*xs: Number) -> Number:
        if not all(map(_is_truth, xs)):
            raise TypeError(f"{name} takes conditions here, such as x > 0, got {quote(xs)}")
        return rule(*xs)

    return of_truths


def is_nan(x: Number) -> Number:
    """Return whether x is not a number."""
    return x != x


def _size(x: Number) -> Number:
    return abs(functional.stop_gradient(x))  # a condition has no derivative, at nan neither


def is_finite(x: Number) -> Number:
    """Return whether x is neither nan nor inf."""
    return _size(x) < math.inf if is_traced(x) else math.isfinite(data_of(x))


def _is_inf(x: Number) -> Number:
    return math.inf <= _size(x) if is_traced(x) else math.isinf(data_of(x))


def _has_minus(x: Number) -> Number:
    """Return whether x is negative or -0; the sign of nan cannot be seen here."""
    if is_traced(x):
        return where(x < 0, 1.0, 1 / functional.stop_gradient(x) < 0)
    return math.copysign(1.0, data_of(x)) < 0


def _copysign(x: Number, y: Number) -> Number:
    return pick(_has_minus(y), -magnitude(x), magnitude(x))


def _power(x: Number, y: Number) -> Number:
    if isinstance(x, Operand) or isinstance(y, Operand):
        return x**y
    return primitive.pow_(x, y)


def _trunc(x: Number) -> Number:
    return pick(_has_minus(x), functional.ceil(x), functional.floor(x))


def rint(x: Number) -> Number:
    """Return the nearest whole number, the even one of two."""
    return primitive.round_to(0)(x)


def _fmod(x: Number, y: Number) -> Number:
    """Return the remainder of the sign of x, where `%` has that of y."""
    y = magnitude(y)
    if is_traced(x):
        return where(_has_minus(x), -(-x % y), x % y)
    return -(-x % y) if _has_minus(x) else x % y


def _modf(x: Number) -> tuple[Number, Number]:
    zero = _copysign(0.0, x)
    if is_traced(x):
        return where(_is_inf(x), zero, _fmod(x, 1.0)), _trunc(x)
    return zero if _is_inf(x) else _fmod(x, 1.0), _trunc(x)


def _heaviside(x: Number, at_zero: Number) -> Number:
    above = pick(x > 0, 1.0, functional.sign(x))  # which is nan, where x is
    return pick(x < 0, 0.0, pick(x == 0, at_zero, above))


def _fmax(x: Number, y: Number) -> Number:
    return pick(is_nan(x), y, pick(is_nan(y), x, functional.maximum(x, y)))


def _fmin(x: Number, y: Number) -> Number:
    return pick(is_nan(x), y, pick(is_nan(y), x, functional.minimum(x, y)))


def clip(x: Number, low: Number, high: Number) -> Number:
    """Return x held between two numbers; where they cross, the upper one holds."""
    if not isinstance(low, Operand) and not isinstance(high, Operand) and low <= high:
        return functional.clip(x, low, high)
    return functional.minimum(functional.maximum(x, low), high)


def _radians(x: Number) -> Number:
    return x * (math.pi / 180.0)


def _degrees(x: Number) -> Number:
    return x * (180.0 / math.pi)


def _ldexp(x: Number, n: int | Operand) -> Number:
    if isinstance(n, Operand):
        raise TypeError("ldexp needs an integer as exponent, got a Value; write x * 2.0**n")
    return x * math.ldexp(1.0, n)


# fmt: off
RULES: dict[np.ufunc, Callable[..., object]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul,
    np.divide: operator.truediv, np.floor_divide: operator.floordiv, np.remainder: operator.mod,
    np.divmod: divmod, np.negative: operator.neg, np.positive: operator.pos,
    np.absolute: operator.abs, np.fabs: operator.abs, np.conjugate: operator.pos,
    np.power: _power, np.float_power: _power,
    np.square: lambda x: x * x, np.reciprocal: lambda x: 1.0 / x,
    np.sign: lambda x: functional.sign(x) + 0.0,  # NumPy's sign of -0.0 is 0.0
    np.less: operator.lt, np.less_equal: operator.le, np.equal: operator.eq,
    np.greater: operator.gt, np.greater_equal: operator.ge,
    np.not_equal: operator.ne,
    np.logical_and: both, np.logical_or: either, np.logical_xor: _differ, np.logical_not: _not,
    np.bitwise_and: _of_truths("&", both), np.bitwise_or: _of_truths("|", either),
    np.bitwise_xor: _of_truths("^", _differ), np.invert: _of_truths("~", _not),
    np.isnan: is_nan, np.isfinite: is_finite, np.isinf: _is_inf, np.signbit: _has_minus,
    np.maximum: functional.maximum, np.minimum: functional.minimum,
    np.fmax: _fmax, np.fmin: _fmin,
    np.copysign: _copysign, np.heaviside: _heaviside, np.fmod: _fmod, np.modf: _modf,
    np.floor: functional.floor, np.ceil: functional.ceil, np.trunc: _trunc, np.rint: rint,
    np.ldexp: _ldexp, np.radians: _radians, np.deg2rad: _radians,
    np.degrees: _degrees, np.rad2deg: _degrees,
    np.exp: functional.exp, np.exp2: functional.exp2, np.expm1: functional.expm1,
    np.log: functional.log, np.log2: functional.log2, np.log10: functional.log10,
    np.log1p: functional.log1p, np.sqrt: functional.sqrt, np.cbrt: functional.cbrt,
    np.sin: functional.sin, np.cos: functional.cos, np.tan: functional.tan,
    np.arcsin: functional.asin, np.arccos: functional.acos, np.arctan: functional.atan,
    np.sinh: functional.sinh, np.cosh: functional.cosh, np.tanh: functional.tanh,
    np.arcsinh: functional.asinh, np.arccosh: functional.acosh, np.arctanh: functional.atanh,
    np.arctan2: functional.atan2, np.hypot: functional.hypot,
    np.logaddexp: functional.logsumexp_,
    np.logaddexp2: lambda x, y: functional.logsumexp_(x * LN2, y * LN2) / LN2,
}
# fmt: on

# How a ufunc goes through many numbers at once, where that is one operation of the library: a sum
# is one node, and all that tie for a maximum share its gradient evenly.
LANES: dict[np.ufunc, Callable[..., Number]] = {
    np.add: functional.sum_,
    np.multiply: functional.prod_,
    np.maximum: functional.max_,
    np.minimum: functional.min_,
    np.hypot: functional.hypot,
    np.logaddexp: functional.logsumexp_,
    np.logical_and: all_of,
    np.logical_or: any_of,
}
