"""The elementary functions, on numbers and `Value`s alike, and their rows of derivatives.

A few are primitives, the others are composed of them. The names are those of the array API, and of
PyTorch for activations. Those that take one number first are methods too: `v.tanh()`.

A row is right only if its digits are. So a derivative is written in terms of the result where that
has the digits (exp, tan), and of the operand where they would cancel: that of sigmoid is
out * sigmoid(-x), as 1 - out is 0 for x = 40. What would overflow on its way to a finite result is
a primitive of its own (softplus, logsumexp, share), whose slopes are written in the same way.
"""

# mypy: disable-error-code="overload-overlap,overload-cannot-match"
# A list of floats is one of floats or `Value`s too: the first overload says what it gives.

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from .core import primitive
from .core.array_rules import AnyArray, ArrayType, Numeric, has_elements, is_array
from .core.operators import method_of
from .core.primitive import (
    Primitive,
    Row,
    as_operand,
    choose,
    family,
    is_traced,
    locate,
    log,
    sign,
)
from .core.reals import as_constant, number
from .core.sequences import as_list, require_all_numbers, single
from .engine import Value
from .guards.checks import quote

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip", "cos",
    "cosh", "dot", "elu", "erf", "erfc", "exp", "exp2", "expm1", "floor", "gelu", "hypot",
    "leaky_relu", "log", "log1p", "log2", "log10", "log_sigmoid", "log_softmax", "logsumexp",
    "max", "maximum", "mean", "min", "minimum", "norm", "prod", "relu", "sigmoid", "sign", "silu",
    "sin", "sinh", "softmax", "softplus", "softsign", "sqrt", "stop_gradient", "sum", "tan", "tanh",
    "where",
]  # fmt: skip

Scalar = TypeVar("Scalar", float, Value)
Number = Value | float
T = TypeVar("T")


def compose(name: str, formula: Callable[..., T], *operands: object) -> T:
    """Return a formula of operands, named in the error if one is a Fraction beyond floats.

    >>> compose("half", lambda x: x / 2.0, 3)
    1.5
    """
    try:
        return formula(*map(as_operand, operands))
    except OverflowError as error:
        raise locate(error, name, operands) from None


def _relu(x: float) -> float:
    """Return x where it is positive, else 0; the derivative at 0 is 0."""
    return type(x)() if x < 0 else x  # nan is not less than 0: it comes through


def _sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), for any x without overflow."""
    if x < 0:  # exp(-x) would overflow for x < -709
        return math.exp(x) / (1 + math.exp(x))
    return 1 / (1 + math.exp(-x))


def _softplus(x: float) -> float:
    """Return log(1 + exp(x)), for any x without overflow; the derivative is sigmoid(x)."""
    return builtins.max(x, 0.0) + math.log1p(math.exp(-abs(x)))  # log(1 + exp(x)) would overflow


def _sech2(y: float, x: float) -> float:
    """Return 1 - y * y, which is 1 / cosh(x)**2 if y is tanh(x), and has all its digits then."""
    if abs(y) < TANH_1:
        return 1 - y * y
    if y != math.tanh(x):
        return (1 - y) * (1 + y)
    power = math.exp(-2 * abs(x))
    return 4 * power / (1 + power) ** 2


def _softsign(x: float) -> float:
    """Return x / (1 + |x|)."""
    return x / (1 + abs(x))


def _floor(x: float) -> float:
    """Return the greatest whole number that is not above x, as a float; the derivative is 0."""
    if x - x != 0:
        return x  # inf and nan are their own
    return type(x)(math.floor(x)) or 0 * x  # an int has no -0.0


def _ceil(x: float) -> float:
    """Return the least whole number that is not below x, as a float; the derivative is 0."""
    return (type(x)(math.ceil(x)) or 0 * x) if x - x == 0 else x


def _stop(x: float) -> float:
    """Return x, as if it were a constant: no gradient goes through."""
    return x


def _compare(x: float, y: float) -> float:
    return type(x)((x > y) - (x < y)) if x <= y or x > y else x + y  # nan compares as nan


def _max(*xs: float) -> float:
    return next((x for x in xs if x != x), builtins.max(xs))


def _min(*xs: float) -> float:
    return next((x for x in xs if x != x), builtins.min(xs))


def _extremum_partials(out: Scalar, *xs: Scalar) -> tuple[Scalar, ...]:
    tied = [1 - abs(compare(x, out)) for x in xs]  # 1 where x is the extremum, else 0
    total = sum(tied)
    return tuple([t / total for t in tied])


def _logsumexp(*xs: float) -> float:
    highest: float = _max(*xs)
    if not math.isfinite(highest):
        return highest
    at = xs.index(highest)  # its own exp is 1, and log1p keeps the digits of small others
    rest = [math.exp(x - highest) for i, x in enumerate(xs) if i != at]
    return highest + math.log1p(builtins.sum(rest))


def _log_share(d: float, rest: float) -> float:
    """Return log(share(exp(d), rest)), which keeps its digits where the share is close to 1."""
    if d < LOG_FAR:  # exp(-d) would overflow, and exp(d) is nothing beside the rest
        return d - math.log(rest)
    return 0.0 - math.log1p(rest * math.exp(-d))


def _share_partials(out: Scalar, x: Scalar, rest: Scalar) -> tuple[Scalar, ...]:
    total = x + rest
    return rest / total / total, -out / total


def _log_share_partials(out: Scalar, d: Scalar, rest: Scalar) -> tuple[Scalar, ...]:
    total = exp(d) + rest
    return rest / total, -1 / total


def _direction(x: float, length: float) -> float:
    """Return x / length, or 0 at the origin, where that is the least of all slopes."""
    return x / length if length else x * length


def _direction_partials(out: Scalar, x: Scalar, length: Scalar) -> tuple[Scalar, ...]:
    if not is_traced(length) and abs(length) <= 0:
        raise ZeroDivisionError(
            "hypot and norm have no second derivative at the origin; for the square of a length "
            "write dot(x, x)"
        )
    return 1 / length, -out / length


def split_dot(operands: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...], tuple[T, ...]]:
    """Return the two lists that a dot multiplies, and what it starts from: one operand, or none.

    >>> split_dot((1, 2, 3, 4, 5))
    ((1, 2), (3, 4), (5,))
    """
    n = len(operands) // 2
    return operands[:n], operands[n : 2 * n], operands[2 * n :]


def _dot(*xs: float) -> float:
    n = len(xs) // 2
    product: Callable[[float, float], float] = operator.mul
    if len(xs) % 2:
        return builtins.sum(map(product, xs, xs[n:-1]), xs[-1])
    return builtins.sum(map(product, xs, xs[n:]))


def _dot_partials(out: Scalar, *xs: Scalar) -> tuple[Scalar | int, ...]:
    left, right, start = split_dot(xs)
    return right + left + (1,) * len(start)


def _square_of_cbrt(out: Scalar, x: Scalar) -> Scalar:
    # out * out would double the error of out, which the C library does not round exactly
    square: Scalar = choose(abs(x) <= 0, lambda: x * x, lambda: x / out)
    return square


LN2, LN10, SQRT2 = math.log(2), math.log(10), math.sqrt(2)
ERF = 2 / math.sqrt(math.pi)
LOG_FAR = -600
TANH_1 = math.tanh(1)  # up to there 1 - out * out has its digits

cos: Primitive
cosh: Primitive
hypot: Primitive
direction: Primitive
sech2: Primitive
sigmoid: Primitive

# fmt: off
exp   = Primitive("exp",   math.exp,   lambda out, x: (out,))
exp2  = Primitive("exp2",  math.exp2,  lambda out, x: (LN2 * out,))
expm1 = Primitive("expm1", math.expm1, lambda out, x: (exp(x),))
log2  = Primitive("log2",  math.log2,  lambda out, x: (1 / LN2 / x,))
log10 = Primitive("log10", math.log10, lambda out, x: (1 / LN10 / x,))  # LN10 * x can be inf
log1p = Primitive("log1p", math.log1p, lambda out, x: (1 / (1 + x),))
sqrt  = Primitive("sqrt",  math.sqrt,  lambda out, x: (1 / (2 * out),))
cbrt  = Primitive("cbrt",  math.cbrt,  lambda out, x: (1 / (3 * _square_of_cbrt(out, x)),))
sin   = Primitive("sin",   math.sin,   lambda out, x: (cos(x),))
cos   = Primitive("cos",   math.cos,   lambda out, x: (-sin(x),))
tan   = Primitive("tan",   math.tan,   lambda out, x: (1 + out * out,))
asin  = Primitive("asin",  math.asin,  lambda out, x: (1 / sqrt((1 - x) * (1 + x)),))
acos  = Primitive("acos",  math.acos,  lambda out, x: (-1 / sqrt((1 - x) * (1 + x)),))
atan  = Primitive("atan",  math.atan,  lambda out, x: (1 / (1 + x * x),))
sinh  = Primitive("sinh",  math.sinh,  lambda out, x: (cosh(x),))
cosh  = Primitive("cosh",  math.cosh,  lambda out, x: (sinh(x),))
tanh  = Primitive("tanh",  math.tanh,  lambda out, x: (sech2(out, x),))
sech2 = Primitive("sech2", _sech2,     lambda out, y, x: (-2 * y, None))  # x adds digits alone
asinh = Primitive("asinh", math.asinh, lambda out, x: (1 / hypot(1, x),))
acosh = Primitive("acosh", math.acosh, lambda out, x: (1 / (sqrt(x - 1) * sqrt(x + 1)),))
atanh = Primitive("atanh", math.atanh, lambda out, x: (1 / ((1 - x) * (1 + x)),))
erf   = Primitive("erf",   math.erf,   lambda out, x: (ERF * exp(-x * x),))
erfc  = Primitive("erfc",  math.erfc,  lambda out, x: (-ERF * exp(-x * x),))
floor = Primitive("floor", _floor,     lambda out, x: (0,))
ceil  = Primitive("ceil",  _ceil,      lambda out, x: (0,))
relu     = Primitive("relu",     _relu,     lambda out, x: (sign(out),))
sigmoid  = Primitive("sigmoid",  _sigmoid,  lambda out, x: (out * sigmoid(-x),))  # 1 - out cancels
softplus = Primitive("softplus", _softplus, lambda out, x: (sigmoid(x),))
softsign = Primitive("softsign", _softsign, lambda out, x: ((1 / (1 + abs(x))) ** 2,))
compare  = Primitive("compare",  _compare,  lambda out, x, y: (0, 0))
atan2    = Primitive("atan2",    math.atan2, lambda out, y, x: (x / hypot(y, x) / hypot(y, x),
                                                                -y / hypot(y, x) / hypot(y, x)))
stop_gradient = Primitive("stop_gradient", _stop, lambda out, x: (None,))

sum_       = Primitive("sum",  lambda *xs: builtins.sum(xs), lambda out, *xs: (1,) * len(xs))
prod_      = Primitive("prod", lambda *xs: math.prod(xs),
                       lambda out, *xs: tuple(_of_others(operator.mul, xs, 1)))  # out / 0 fails
dot_       = Primitive("dot",  _dot, _dot_partials)
max_       = Primitive("max",  _max, _extremum_partials)
min_       = Primitive("min",  _min, _extremum_partials)
hypot      = Primitive("hypot", math.hypot, lambda out, *xs: tuple([direction(x, out) for x in xs]))
direction  = Primitive("direction", _direction, _direction_partials)
# A share of a whole, whose rest is an operand of its own: 1 - out would cancel in the slopes.
share      = Primitive("share", lambda x, rest: x / (x + rest), _share_partials)
log_share  = Primitive("log_share", _log_share, _log_share_partials)
logsumexp_ = Primitive("logsumexp", _logsumexp, lambda out, *xs: tuple(softmax(xs)))
for op, what, operands, answer in (  # rounded to four digits
    (exp, "e to the power of x", "1.0", 2.7183),
    (exp2, "2 to the power of x", "3.0", 8.0),
    (expm1, "exp(x) - 1, with all its digits where x is close to 0", "1.0", 1.7183),
    (log, "the natural logarithm of x, for x > 0", "2.0", 0.6931),
    (log2, "the logarithm of x to base 2, for x > 0", "8.0", 3.0),
    (log10, "the logarithm of x to base 10, for x > 0", "1000.0", 3.0),
    (log1p, "log(1 + x), with all its digits where x is close to 0, for x > -1", "1.0", 0.6931),
    (sqrt, "the square root of x, for x >= 0", "9.0", 3.0),
    (cbrt, "the cube root of x, of any sign", "-27.0", -3.0),
    (sin, "the sine of x, an angle in radians", "1.0", 0.8415),
    (cos, "the cosine of x, an angle in radians", "1.0", 0.5403),
    (tan, "the tangent of x, an angle in radians", "1.0", 1.5574),
    (asin, "the angle in [-pi/2, pi/2] whose sine is x, for x in [-1, 1]", "1.0", 1.5708),
    (acos, "the angle in [0, pi] whose cosine is x, for x in [-1, 1]", "-1.0", 3.1416),
    (atan, "the angle in [-pi/2, pi/2] whose tangent is x", "1.0", 0.7854),
    (atan2, "the angle in [-pi, pi] of the point (x, y), whose y comes first", "1.0, -1.0", 2.3562),
    (sinh, "the hyperbolic sine of x", "1.0", 1.1752),
    (cosh, "the hyperbolic cosine of x", "1.0", 1.5431),
    (tanh, "the hyperbolic tangent of x", "1.0", 0.7616),
    (asinh, "the number whose hyperbolic sine is x", "1.0", 0.8814),
    (acosh, "the number >= 0 whose hyperbolic cosine is x, for x >= 1", "2.0", 1.317),
    (atanh, "the number whose hyperbolic tangent is x, for x in (-1, 1)", "0.5", 0.5493),
    (erf, "the error function: 2 / sqrt(pi) * exp(-t*t) integrated from 0 to x", "1.0", 0.8427),
    (erfc, "1 - erf(x), with all its digits where erf(x) is close to 1", "1.0", 0.1573),
    (hypot, "the length of a vector, the root of the sum of its squares", "3.0, 4.0", 5.0),
    (sign, "1, 0 or -1 as x is positive, zero or negative", "-2.5", -1.0),
    (floor, "the greatest whole number that is not above x, as a float", "-2.5", -3.0),
    (ceil, "the least whole number that is not below x, as a float", "-2.5", -2.0),
    (relu, "x where it is positive, else 0; the derivative at 0 is 0", "-2.0", 0.0),
    (sigmoid, "1 / (1 + exp(-x)), without overflow", "1.0", 0.7311),
    (softplus, "log(1 + exp(x)), without overflow; its derivative is sigmoid(x)", "1.0", 1.3133),
    (softsign, "x / (1 + |x|)", "3.0", 0.75),
    (stop_gradient, "x as if it were a constant: no gradient goes through", "2.0", 2.0),
):
    op.__doc__ = f"Return {what}.\n\n>>> round({op.name}({operands}), 4)\n{answer}\n"
# fmt: on


@family
def leaky_relu_by(slope: float) -> Row:
    """`x` where positive, else `slope * x`; the derivative at 0 is the slope."""
    return (
        f"leaky_relu({slope})",
        lambda x: x if x > 0 else slope * x,
        lambda out, x: (choose(x > 0, lambda: 1, lambda: slope),),
    )


@family
def elu_by(alpha: float) -> Row:
    """`x` where positive, else `alpha * (exp(x) - 1)`."""
    return (
        f"elu({alpha})",
        lambda x: x if x > 0 else alpha * math.expm1(x),
        lambda out, x: (choose(x > 0, lambda: 1, lambda: alpha * exp(x)),),
    )


@family
def clip_to(low: float, high: float) -> Row:
    """`x` held in the closed interval, where the derivative is 1, unless that is a point."""
    return (
        f"clip({low}, {high})",
        lambda x: type(x)(low) if x < low else type(x)(high) if x > high else x,
        lambda out, x: (1 - abs(compare(x, out)) if low < high else 0,),
    )


@overload
def where(condition: float, x: float, y: float) -> float: ...
@overload
def where(condition: Value | float, x: Value | float, y: Value | float) -> Value: ...
@overload
def where(
    condition: AnyArray | Value | float, x: AnyArray | Value | float, y: AnyArray | Value | float
) -> Any: ...
def where(condition: object, x: object, y: object) -> object:
    """Return x if the condition holds, else y; all the gradient goes to the one chosen.

    >>> x = Value(0.0)
    >>> where(x > 0, sqrt(x), x + 1).backward()  # sqrt's infinite slope at 0 is not asked for
    >>> x.grad
    1.0
    """
    if not isinstance(condition, Value) and not has_elements(condition):
        condition = bool(number(condition, "where needs a condition, true or false"))
    return primitive.where(condition, x, y)


@overload
def clip(x: Scalar, min: float | None = None, max: float | None = None) -> Scalar: ...
@overload
def clip(x: ArrayType, min: float | None = None, max: float | None = None) -> ArrayType: ...
def clip(x: Numeric, min: float | None = None, max: float | None = None) -> Numeric:
    """Return x held between two constants, either of which may be left out.

    The derivative is 1 on the closed interval, so a parameter at its bound can leave it; where the
    bounds are equal it is 0.

    Raises:
        ValueError: min is greater than max, or nan.
        TypeError: a bound is a `Value`; it would get no gradient here.

    >>> clip(1.5, 0, 1)
    1.0
    """
    low, high = -math.inf if min is None else min, math.inf if max is None else max
    if any(isinstance(bound, Value) or has_elements(bound) for bound in (low, high)):
        raise TypeError("clip needs plain numbers as bounds; use minimum(maximum(x, low), high)")
    low = as_constant(low, "clip needs a real number as `min`")
    high = as_constant(high, "clip needs a real number as `max`")
    if not low <= high:
        raise ValueError(f"clip needs min <= max, got min = {quote(min)} and max = {quote(max)}")
    return clip_to(low, high)(x)


@overload
def leaky_relu(x: Scalar, negative_slope: float = 0.01) -> Scalar: ...
@overload
def leaky_relu(x: ArrayType, negative_slope: float = 0.01) -> ArrayType: ...
def leaky_relu(x: Numeric, negative_slope: float = 0.01) -> Numeric:
    """Return x where it is positive, else `negative_slope * x`; the slope at 0 is the negative one.

    >>> leaky_relu(-2.0, 0.1)
    -0.2
    """
    return leaky_relu_by(as_constant(negative_slope, "`negative_slope` must be a real number"))(x)


@overload
def elu(x: Scalar, alpha: float = 1.0) -> Scalar: ...
@overload
def elu(x: ArrayType, alpha: float = 1.0) -> ArrayType: ...
def elu(x: Numeric, alpha: float = 1.0) -> Numeric:
    """Return x where it is positive, else `alpha * (exp(x) - 1)` (Clevert et al. 2015).

    >>> elu(-1000.0)
    -1.0
    """
    return elu_by(as_constant(alpha, "`alpha` must be a real number"))(x)


@overload
def log_sigmoid(x: Scalar) -> Scalar: ...
@overload
def log_sigmoid(x: ArrayType) -> ArrayType: ...
def log_sigmoid(x: Numeric) -> Numeric:
    """Return log(sigmoid(x)), finite for every finite x.

    >>> log_sigmoid(-1000.0)
    -1000.0
    """
    return -softplus(-as_operand(x))


@overload
def silu(x: Scalar) -> Scalar: ...
@overload
def silu(x: ArrayType) -> ArrayType: ...
def silu(x: Numeric) -> Numeric:
    """Return x * sigmoid(x), also called swish (Elfwing et al. 2017).

    >>> silu(0.0)
    0.0
    """
    return as_operand(x) * sigmoid(x)


@overload
def gelu(x: Scalar) -> Scalar: ...
@overload
def gelu(x: ArrayType) -> ArrayType: ...
def gelu(x: Numeric) -> Numeric:
    """Return x times the normal distribution's cumulative probability at x (Hendrycks et al. 2016).

    >>> gelu(100.0), gelu(-100.0)
    (100.0, -0.0)
    """
    return compose("gelu", lambda z: z * (erfc(-z / SQRT2) / 2), x)


@overload
def maximum(x: float, y: float) -> float: ...
@overload
def maximum(x: Value | float, y: Value | float) -> Value: ...
@overload
def maximum(x: AnyArray | Value | float, y: AnyArray | Value | float) -> Any: ...
def maximum(x: AnyArray | Value | float, y: AnyArray | Value | float) -> object:
    """Return the greater of two numbers; where they tie each gets half of the gradient.

    >>> a, b = Value(1.0), Value(1.0)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (0.5, 0.5)
    """
    return max_(x, y)


@overload
def minimum(x: float, y: float) -> float: ...
@overload
def minimum(x: Value | float, y: Value | float) -> Value: ...
@overload
def minimum(x: AnyArray | Value | float, y: AnyArray | Value | float) -> Any: ...
def minimum(x: AnyArray | Value | float, y: AnyArray | Value | float) -> object:
    """Return the lesser of two numbers; where they tie each gets half of the gradient.

    >>> minimum(2.0, 3.0)
    2.0
    """
    return min_(x, y)


def _operands(xs: object, function: str, at_least: int = 0) -> tuple[Numeric, ...]:
    if is_array(xs) and xs.ndim != 1:
        raise TypeError(
            f"{function} needs a sequence of numbers, got an array of {xs.ndim} dimensions; "
            "write x.ravel() for all of its numbers"
        )
    operands = tuple(as_list(xs, f"{function} needs a sequence of numbers"))
    if not _PLAIN.issuperset(map(type, operands)):
        operands = tuple(map(single, operands))
        require_all_numbers(f"{function}: entry {{}}", operands, or_arrays=True)
    if len(operands) < at_least:
        raise ValueError(f"{function} needs at least one number, got an empty sequence")
    return operands


_PLAIN = frozenset([float, Value])


@overload
def sum(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def sum(xs: Iterable[Value | float]) -> Value: ...
@overload
def sum(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def sum(xs: Iterable[object]) -> object:
    """Return the sum of a sequence as a single node, 0.0 if it is empty.

    >>> a, b = Value(1.0), Value(2.0)
    >>> sum([a, b, 3.0]).parents[:2] == (a, b)
    True
    """
    operands = _operands(xs, "sum")
    return sum_(*operands) if operands else 0.0


@overload
def prod(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def prod(xs: Iterable[Value | float]) -> Value: ...
@overload
def prod(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def prod(xs: Iterable[object]) -> object:
    """Return the product of a sequence, 1.0 if it is empty; its derivative is right at zeros too.

    >>> x = [Value(0.0), Value(2.0), Value(3.0)]
    >>> prod(x).backward()
    >>> [v.grad for v in x]
    [6.0, 0.0, 0.0]
    """
    operands = _operands(xs, "prod")
    return prod_(*operands) if operands else 1.0


@overload
def mean(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def mean(xs: Iterable[Value | float]) -> Value: ...
@overload
def mean(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def mean(xs: Iterable[object]) -> object:
    """Return the mean of a sequence that is not empty.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    operands = _operands(xs, "mean", at_least=1)
    return sum_(*operands) / len(operands)


@overload
def dot(x: Iterable[Scalar], y: Iterable[Scalar], start: Scalar | None = None) -> Scalar: ...
@overload
def dot(
    x: Iterable[Value | float], y: Iterable[Value | float], start: Value | float | None = None
) -> Value: ...
@overload
def dot(
    x: Iterable[AnyArray | Value | float],
    y: Iterable[AnyArray | Value | float],
    start: AnyArray | Value | float | None = None,
) -> Any: ...
def dot(x: Iterable[object], y: Iterable[object], start: object = None) -> object:
    """Return x1 * y1 + x2 * y2 + … as a single node, added to `start` if one is given.

    Raises:
        ValueError: x and y have different lengths.

    >>> dot([1.0, 2.0], [3.0, 4.0], start=0.5)
    11.5
    """
    left, right = _operands(x, "dot"), _operands(y, "dot")
    if len(left) != len(right):
        raise ValueError(f"dot needs two sequences of one length, got {len(left)} and {len(right)}")
    operands = left + right if start is None else (*left, *right, start)
    return dot_(*operands) if operands else 0.0


@overload
def max(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def max(xs: Iterable[Value | float]) -> Value: ...
@overload
def max(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def max(xs: Iterable[object]) -> object:
    """Return the greatest of a sequence; where several tie they share the gradient evenly.

    >>> max([1.0, 3.0, 2.0])
    3.0
    """
    return max_(*_operands(xs, "max", at_least=1))


@overload
def min(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def min(xs: Iterable[Value | float]) -> Value: ...
@overload
def min(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def min(xs: Iterable[object]) -> object:
    """Return the least of a sequence; where several tie they share the gradient evenly.

    >>> min([1.0, 3.0, 2.0])
    1.0
    """
    return min_(*_operands(xs, "min", at_least=1))


@overload
def norm(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def norm(xs: Iterable[Value | float]) -> Value: ...
@overload
def norm(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def norm(xs: Iterable[object]) -> object:
    """Return the Euclidean length of a vector; its gradient at the origin is 0.

    That gradient has no derivative at the origin: it raises. The length's square is `dot(x, x)`.
    A vector with an infinite number is infinitely long, even if another one is nan, as of `hypot`.

    >>> norm([3.0, 4.0])
    5.0
    """
    operands = _operands(xs, "norm")
    return hypot(*operands) if operands else 0.0


@overload
def logsumexp(xs: Iterable[Scalar]) -> Scalar: ...
@overload
def logsumexp(xs: Iterable[Value | float]) -> Value: ...
@overload
def logsumexp(xs: Iterable[AnyArray | Value | float]) -> Any: ...
def logsumexp(xs: Iterable[object]) -> object:
    """Return log(exp(x1) + exp(x2) + …) without overflow.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    return logsumexp_(*_operands(xs, "logsumexp", at_least=1))


@overload
def log_softmax(xs: Iterable[Scalar]) -> list[Scalar]: ...
@overload
def log_softmax(xs: Iterable[Value | float]) -> list[Value]: ...
@overload
def log_softmax(xs: Iterable[AnyArray | Value | float]) -> list[Any]: ...
def log_softmax(xs: Iterable[object]) -> Sequence[object]:
    """Return the logarithms of `softmax`, finite where it underflows.

    >>> log_softmax([1000.0, -1000.0])
    [0.0, -2000.0]
    """
    operands = _operands(xs, "log_softmax", at_least=1)
    highest = stop_gradient(max_(*operands))  # without it large numbers lose digits: 1000 - 1000.69
    shifted = [as_operand(x) - highest for x in operands]
    return [*map(log_share, shifted, _rests([exp(x) for x in shifted]))]


@overload
def softmax(xs: Iterable[Scalar]) -> list[Scalar]: ...
@overload
def softmax(xs: Iterable[Value | float]) -> list[Value]: ...
@overload
def softmax(xs: Iterable[AnyArray | Value | float]) -> list[Any]: ...
def softmax(xs: Iterable[object]) -> Sequence[object]:
    """Return exp(x) for each x, divided by their sum: positive numbers that sum to 1.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    operands = _operands(xs, "softmax", at_least=1)
    highest = stop_gradient(max_(*operands))  # exp(x) would overflow for x > 709
    powers = [exp(as_operand(x) - highest) for x in operands]
    return [*map(share, powers, _rests(powers))]


def _rests(xs: list[Numeric]) -> list[Numeric]:
    """Return for each number the sum of the others."""
    return _of_others(operator.add, xs, 0.0)


def _of_others(op: Callable[[T, T], T], xs: Sequence[T], of_none: T) -> list[T]:
    """Return for each number the sum, or the product, of all others.

    They are taken in pairs, and in pairs of pairs: the others are the partner, and all that is
    outside of the pair. That takes as many steps as running totals from both ends, but their depth
    grows with the logarithm of how many numbers there are.
    """
    if len(xs) < 2:
        return [of_none] * len(xs)
    if len(xs) == 2:
        return [xs[1], xs[0]]
    even = len(xs) // 2 * 2
    pairs = [op(xs[i], xs[i + 1]) for i in range(0, even, 2)]
    rests = _of_others(op, [*pairs, *xs[even:]], of_none)
    return [*[op(xs[i ^ 1], rests[i // 2]) for i in range(even)], *rests[even // 2 :]]


_METHODS = [
    *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip", "cos"),
    *("cosh", "elu", "erf", "erfc", "exp", "exp2", "expm1", "floor", "gelu", "hypot", "leaky_relu"),
    *("log", "log10", "log1p", "log2", "log_sigmoid", "relu", "sigmoid", "sign", "silu", "sin"),
    *("sinh", "softplus", "softsign", "sqrt", "tan", "tanh"),
]
for _name in _METHODS:
    _method = globals()[_name]
    if isinstance(_method, Primitive) and _name not in ("atan2", "hypot"):
        _method = method_of(_method)
    setattr(Value, _name, _method)
    if _name[0] == "a":  # np.arcsin calls v.arcsin() on every Value of an array
        setattr(Value, f"arc{_name[1:]}", _method)
    if _name in ("floor", "ceil"):  # as math.floor and np.floor call them
        setattr(Value, f"__{_name}__", _method)
