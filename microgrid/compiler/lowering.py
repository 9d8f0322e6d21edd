"""The table of lowerings: each primitive in terms of what a processor does.

A row is a function of an `Emitter` and the operands. The emitter writes operations down, as LLVM IR
(`llvm`) or as C (`c`), so that both say the same. Operands are what an emitter returned, or plain
floats. What holds in Python for finite numbers holds here; where Python raises, the result is what
IEEE arithmetic and the C library give: inf or nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from .. import special
from ..core.primitive import Primitive, where
from ..functional import LOG_FAR, split_dot
from ..guards.checks import quote

if TYPE_CHECKING:
    from ..implicit import System

__all__ = ["FUNCTIONS", "LOWERINGS", "Emitter", "lower", "lowering_of", "lowers"]

# The functions of the C library that lowerings call, with their numbers of operands.
FUNCTIONS = {
    **dict.fromkeys(
        ["acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "erf", "erfc"], 1
    ),
    **dict.fromkeys(["exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "sin", "sinh"], 1),
    **dict.fromkeys(["lgamma", "tan", "tanh"], 1),
    **dict.fromkeys(["atan2", "fmod", "hypot", "pow"], 2),
}


# The result of an operation, as the emitter that wrote it down knows it; or a plain float.
Result = object


class Emitter:
    """What writes operations down, one after another.

    `emit(operation, operands)` returns the result; `m.add(x, y)` is short for
    `m.emit("add", (x, y))`. The operations are add, sub, mul,
    div, fma (rounded once where that is fast, else twice), exact_fma (rounded once), neg, abs,
    sqrt, floor, ceil, rint (half to even), copysign, select, and the `FUNCTIONS`; and those that
    give conditions, which both, either, not and the first operand of select take: less, less_equal,
    equal, not_zero, is_nan, both, either, not. Nothing else may be fused.
    """

    def emit(self, operation: str, operands: tuple[Result, ...]) -> Result:
        """Write an operation down; return its result."""
        raise NotImplementedError

    def __getattr__(self, operation: str) -> Callable[..., Result]:
        return lambda *operands: self.emit(operation, operands)

    def number(self, x: Result) -> Result:
        """Return x as a number: a condition is 1 where it holds, else 0."""
        return self.select(x, 1.0, 0.0) if self.is_condition(x) else x

    def condition(self, x: Result) -> Result:
        """Return x as a condition: a number holds unless it is 0."""
        return x if self.is_condition(x) else self.emit("not_zero", (x,))

    def is_condition(self, x: Result) -> bool:
        """Return whether x is the result of a comparison."""
        raise NotImplementedError


Lowering = Callable[..., Result]
LOWERINGS: dict[str, Lowering] = {}  # by the name of a primitive, or of a family


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Return a decorator that enters a lowering for primitives or families of the given names.

    A family's lowering takes its constants after the emitter, before the operands. For a primitive
    of your own:

    >>> cube = Primitive("cubed!", lambda x: x * x * x, lambda out, x: (3 * x * x,))
    >>> @lowers("cubed!")
    ... def _(m, x):
    ...     return m.mul(m.mul(x, x), x)
    """
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"a lowering is entered by names, as @lowers('cubed'), got {quote(names)}")

    def enter(lowering: Lowering) -> Lowering:
        if not callable(lowering):
            raise TypeError(f"a lowering must be a function, got {quote(lowering)}")
        for name in names:
            LOWERINGS[name] = lowering
        return lowering

    return enter


def lowering_of(op: Primitive) -> Lowering:
    """Return the function `(emitter, *operands)` that writes a primitive down.

    Raises:
        TypeError: the primitive has no lowering.
    """
    name = op.family or op.name
    if name not in LOWERINGS:
        raise TypeError(
            f"the primitive {op.name!r} has no lowering, so it cannot be compiled; write it with "
            "operators and microgrid's functions, or enter a lowering with "
            "microgrid.compiler.lowers"
        )
    row, constants = LOWERINGS[name], op.constants
    return (lambda m, *operands: row(m, *constants, *operands)) if constants else row


def lower(emitter: Emitter, op: Primitive, operands: Sequence[Result]) -> Result:
    """Write a primitive of operands down, and return its result.

    Raises:
        TypeError: the primitive has no lowering.
    """
    if op is not where:  # which alone takes a condition
        operands = [emitter.number(x) for x in operands]
    return lowering_of(op)(emitter, *operands)


# What a list of terms comes to before the first of them.
START = {"sum": 0.0, "dot": 0.0, "+": -0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


def lower_term(emitter: Emitter, op: Primitive, total: Result, terms: Sequence[Result]) -> Result:
    """Write down that a term of a list joins what the earlier ones came to.

    A term of a dot, and of a sum of products, is two factors.
    """
    terms = [emitter.number(x) for x in terms]
    if op.name == "dot":
        return emitter.fma(*terms, total)
    if op.name in ("+", "sum"):
        return emitter.add(total, emitter.mul(*terms) if len(terms) == 2 else terms[0])
    return lower(emitter, op, (total, *terms))


# ---- arithmetic and comparisons

for _name, _operation in {
    **{"+": "add", "-": "sub", "*": "mul", "/": "div", "neg": "neg", "abs": "abs"},
    **{"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "**": "pow", "**k": "pow"},
    **{"<": "less", "<=": "less_equal", "==": "equal"},
    **{name: name for name in FUNCTIONS if name not in ("pow", "fmod", "hypot")},
}.items():
    LOWERINGS[_name] = lambda m, *xs, operation=_operation: m.emit(operation, xs)


@lowers("argument", "constant", "stop_gradient")
def _same(m: Emitter, x: Result) -> Result:
    return x


@lowers("root_of")
def _solution(m: Emitter, system: System, k: int, *operands: Result) -> Result:
    """Return a number of a solution: one of the operands, by which there are no derivatives."""
    if system.numbers is not None:
        raise TypeError(
            f"a {system.name} that was found for given numbers can be recomputed by Python alone"
        )
    return operands[k]


@lowers("where")
def _where(m: Emitter, c: Result, x: Result, y: Result) -> Result:
    condition = m.condition(c)
    # a choice between conditions is a condition, without a detour through numbers
    if m.is_condition(x) and _is_false(y):
        return m.both(condition, x)
    if m.is_condition(y) and x == 1.0:
        return m.either(condition, y)
    if _is_false(x) and y == 1.0:
        return m.emit("not", (condition,))
    return m.select(condition, m.number(x), m.number(y))


def _is_false(x: Result) -> bool:
    """Return whether x is the plain number of a condition that does not hold: not -0.0."""
    return type(x) is float and x == 0 and math.copysign(1.0, x) > 0


@lowers("sign")
def _sign(m: Emitter, x: Result) -> Result:
    return m.select(m.less(0.0, x), 1.0, m.select(m.less(x, 0.0), -1.0, x))


@lowers("compare")
def _compare(m: Emitter, x: Result, y: Result) -> Result:
    known = m.select(m.equal(x, y), 0.0, m.add(x, y))  # nan, where one is
    return m.select(m.less(y, x), 1.0, m.select(m.less(x, y), -1.0, known))


@lowers("%")
def _remainder(m: Emitter, x: Result, y: Result) -> Result:
    """Write a remainder, which has the sign of the divisor, as in Python."""
    rest = m.fmod(x, y)
    other_side = m.less(m.mul(m.copysign(1.0, rest), m.copysign(1.0, y)), 0.0)
    moved = m.select(other_side, m.add(rest, y), rest)
    return m.select(m.equal(rest, 0.0), m.copysign(0.0, y), moved)


@lowers("//")
def _floor_division(m: Emitter, x: Result, y: Result) -> Result:
    rest = m.fmod(x, y)
    quotient = m.div(m.sub(x, rest), y)
    other_side = m.less(m.mul(m.copysign(1.0, rest), m.copysign(1.0, y)), 0.0)
    below = m.both(other_side, m.emit("not_zero", (rest,)))
    quotient = m.select(below, m.sub(quotient, 1.0), quotient)
    floor = m.floor(quotient)
    near = m.select(m.less(0.5, m.sub(quotient, floor)), m.add(floor, 1.0), floor)
    exact = m.div(x, y)
    signed = m.select(m.equal(quotient, 0.0), m.copysign(0.0, exact), near)
    return m.select(m.equal(y, 0.0), exact, signed)


# ---- powers and rounding


@lowers("power")
def _power(m: Emitter, n: float, x: Result) -> Result:
    if n in (-4, -3, -2, -1, 0, 1, 2, 3, 4):
        return _product(m, int(n), x)
    if n == 0.5:  # pow gives 0.0 for -0.0 and inf for -inf, where sqrt gives -0.0 and nan
        root = m.sqrt(m.add(x, 0.0))
        return m.select(m.equal(x, -math.inf), math.inf, root)
    return m.pow(x, float(n))


def _product(m: Emitter, n: int, x: Result) -> Result:
    """Return x**n by a few products, which are within 4 ulp and far faster than pow.

    To divide by x again rounds once; the square of 1 / x has twice the error of 1 / x.
    """
    if n == 0:
        return 1.0
    one = x if n > 0 else m.div(1.0, x)
    if abs(n) == 1:
        return one
    square = m.mul(x, x) if n > 0 else m.div(one, x)
    return square if abs(n) == 2 else m.mul(square, one if abs(n) == 3 else square)


@lowers("power_slope")
def _power_slope(m: Emitter, x: Result, y: Result) -> Result:
    at_origin = m.both(m.equal(x, 0.0), m.equal(y, 0.0))
    return m.select(at_origin, 0.0, m.mul(y, m.pow(x, m.sub(y, 1.0))))


@lowers("power_log")
def _power_log(m: Emitter, x: Result, y: Result) -> Result:
    return m.mul(m.pow(x, y), m.select(m.equal(x, 0.0), 0.0, m.log(x)))


@lowers("exponential")
def _exponential(m: Emitter, base: float, x: Result) -> Result:
    return m.exp2(x) if base == 2 else m.pow(float(base), x)


MOST_DIGITS = 22  # 10**22 is the greatest power of ten that is a float


@lowers("round_to")
def _round(m: Emitter, digits: int, x: Result) -> Result:
    """Round as Python does: to the decimal nearest to x itself, half to even if x is halfway.

    The product with the power of ten is rounded too, and may seem to be halfway where x is
    not: an fma tells what was lost.
    """
    if digits == 0:
        return m.rint(x)
    if abs(digits) > MOST_DIGITS:
        raise TypeError(
            f"round(x, {digits}) cannot be compiled: the digits must be from -{MOST_DIGITS} to "
            f"{MOST_DIGITS}"
        )
    scale = 10.0 ** abs(digits)
    if digits > 0:
        scaled = m.mul(x, scale)
        lost = m.exact_fma(x, scale, m.neg(scaled))
    else:
        scaled = m.div(x, scale)
        lost = m.exact_fma(m.neg(scaled), scale, x)
    nearest = m.rint(scaled)
    beyond = m.sub(scaled, nearest)
    # where it seems halfway, what was lost decides; where nothing was, half to even is right
    up = m.both(m.equal(m.abs(beyond), 0.5), m.less(0.0, lost))
    down = m.both(m.equal(m.abs(beyond), 0.5), m.less(lost, 0.0))
    floor = m.floor(scaled)
    nearest = m.select(up, m.add(floor, 1.0), m.select(down, floor, nearest))
    rounded = m.div(nearest, scale) if digits > 0 else m.mul(nearest, scale)
    rounded = m.copysign(rounded, x)
    if digits < 0:
        return m.select(m.equal(m.abs(x), math.inf), x, rounded)
    whole = m.less_equal(2.0**52, m.abs(scaled))  # it has no digits to round, or is inf
    return m.select(whole, x, rounded)


# ---- activations


@lowers("relu")
def _relu(m: Emitter, x: Result) -> Result:
    return m.select(m.less(x, 0.0), 0.0, x)


@lowers("leaky_relu_by")
def _leaky_relu(m: Emitter, slope: float, x: Result) -> Result:
    return m.select(m.less(0.0, x), x, m.mul(float(slope), x))


@lowers("elu_by")
def _elu(m: Emitter, alpha: float, x: Result) -> Result:
    return m.select(m.less(0.0, x), x, m.mul(float(alpha), m.expm1(x)))


@lowers("clip_to")
def _clip(m: Emitter, low: float, high: float, x: Result) -> Result:
    above = m.select(m.less(float(high), x), float(high), x) if high < math.inf else x
    return m.select(m.less(x, float(low)), float(low), above) if low > -math.inf else above


@lowers("sigmoid")
def _sigmoid(m: Emitter, x: Result) -> Result:
    power = m.exp(m.neg(m.abs(x)))  # at most 1
    return m.div(m.select(m.less(x, 0.0), power, 1.0), m.add(1.0, power))


@lowers("softplus")
def _softplus(m: Emitter, x: Result) -> Result:
    positive = m.select(m.less(x, 0.0), 0.0, x)
    return m.add(positive, m.log1p(m.exp(m.neg(m.abs(x)))))


@lowers("softsign")
def _softsign(m: Emitter, x: Result) -> Result:
    return m.div(x, m.add(1.0, m.abs(x)))


@lowers("sech2")
def _sech2(m: Emitter, y: Result, x: Result) -> Result:
    power = m.exp(m.mul(-2.0, m.abs(x)))  # at most 1
    beyond = m.add(1.0, power)
    of_x = m.div(m.mul(4.0, power), m.mul(beyond, beyond))
    return m.select(m.equal(y, m.tanh(x)), of_x, m.mul(m.sub(1.0, y), m.add(1.0, y)))


# ---- any number of operands


@lowers("sum")
def _sum(m: Emitter, *xs: Result) -> Result:
    return reduce(m.add, [0.0, *xs])  # from 0.0, as in Python: the sum of -0.0 is 0.0


@lowers("prod")
def _prod(m: Emitter, *xs: Result) -> Result:
    return reduce(m.mul, xs)


@lowers("dot")
def _dot(m: Emitter, *xs: Result) -> Result:
    left, right, start = split_dot(xs)
    total = start[0] if start else 0.0
    for x, y in zip(left, right, strict=True):
        total = m.fma(x, y, total)
    return total


def _extremum(
    m: Emitter, keeps: Callable[[Result, Result], Result], xs: tuple[Result, ...]
) -> Result:
    def further(best: Result, x: Result) -> Result:
        # a comparison with nan does not hold: x is taken if it is nan, but a nan is never left
        chosen = m.select(keeps(best, x), best, x)
        return m.select(m.is_nan(best), best, chosen)

    return reduce(further, xs)


@lowers("max")
def _max(m: Emitter, *xs: Result) -> Result:
    return _extremum(m, lambda best, x: m.less_equal(x, best), xs)


@lowers("min")
def _min(m: Emitter, *xs: Result) -> Result:
    return _extremum(m, lambda best, x: m.less_equal(best, x), xs)


@lowers("hypot")
def _hypot(m: Emitter, *xs: Result) -> Result:
    if len(xs) == 1:
        return m.abs(xs[0])
    if len(xs) == 2:
        return m.hypot(*xs)
    sizes = [m.abs(x) for x in xs]
    greatest = reduce(lambda best, x: m.select(m.less(best, x), x, best), sizes)
    scale = m.select(m.less(0.0, greatest), greatest, 1.0)
    shares = [m.div(size, scale) for size in sizes]
    length = m.mul(scale, m.sqrt(reduce(lambda s, x: m.fma(x, x, s), [0.0, *shares])))
    infinite = reduce(m.either, [m.equal(size, math.inf) for size in sizes])
    return m.select(infinite, math.inf, length)


@lowers("direction")
def _direction(m: Emitter, x: Result, length: Result) -> Result:
    return m.select(m.equal(length, 0.0), m.mul(x, length), m.div(x, length))


@lowers("share")
def _share(m: Emitter, x: Result, rest: Result) -> Result:
    return m.div(x, m.add(x, rest))


@lowers("log_share")
def _log_share(m: Emitter, d: Result, rest: Result) -> Result:
    near = m.sub(0.0, m.log1p(m.mul(rest, m.exp(m.neg(d)))))
    return m.select(m.less(d, float(LOG_FAR)), m.sub(d, m.log(rest)), near)


@lowers("logsumexp")
def _logsumexp(m: Emitter, *xs: Result) -> Result:
    """Write log(1 + rest): 1 is of the greatest, and log1p keeps the digits of small others."""
    if len(xs) == 1:
        return m.add(xs[0], 0.0)  # the log of 1 is 0.0, of whatever zero it is the power
    greatest = _max(m, *xs)
    rest: Result = 0.0
    counted = None  # whether the greatest has been met: of several, one alone is the 1
    for x in xs:
        power = m.exp(m.sub(x, greatest))
        is_greatest = m.equal(x, greatest)
        first = is_greatest if counted is None else m.both(is_greatest, m.emit("not", (counted,)))
        counted = is_greatest if counted is None else m.either(counted, is_greatest)
        rest = m.add(rest, m.select(first, 0.0, power))
    finite = m.less(m.abs(greatest), math.inf)
    return m.select(finite, m.add(greatest, m.log1p(rest)), greatest)


# ---- special functions, whose algorithms are written for numbers


class Emitted:
    """A result that is computed with as a number is: its operators write down what they do."""

    def __init__(self, m: Emitter, result: Result) -> None:
        self.m, self.result = m, result

    def _operate(self, operation: str, *operands: Emitted | float) -> Emitted:
        results = [x.result if isinstance(x, Emitted) else float(x) for x in operands]
        return Emitted(self.m, self.m.emit(operation, tuple(results)))

    def __add__(self, other: Emitted | float) -> Emitted:
        return self._operate("add", self, other)

    def __radd__(self, other: float) -> Emitted:
        return self._operate("add", other, self)

    def __sub__(self, other: Emitted | float) -> Emitted:
        return self._operate("sub", self, other)

    def __rsub__(self, other: float) -> Emitted:
        return self._operate("sub", other, self)

    def __mul__(self, other: Emitted | float) -> Emitted:
        return self._operate("mul", self, other)

    def __rmul__(self, other: float) -> Emitted:
        return self._operate("mul", other, self)

    def __truediv__(self, other: Emitted | float) -> Emitted:
        return self._operate("div", self, other)

    def __rtruediv__(self, other: float) -> Emitted:
        return self._operate("div", other, self)

    def __lt__(self, other: Emitted | float) -> Emitted:
        return self._operate("less", self, other)

    def __gt__(self, other: float) -> Emitted:
        return self._operate("less", other, self)

    def __neg__(self) -> Emitted:
        return self._operate("neg", self)

    def __abs__(self) -> Emitted:
        return self._operate("abs", self)


class EmittedFunctions:
    """The functions of `special.Functions`, written down by an emitter."""

    def __init__(self, m: Emitter) -> None:
        self._m = m

    def __getattr__(self, operation: str) -> Callable[[Emitted], Emitted]:
        return lambda x: x._operate(operation, x)

    def choose(
        self, condition: Emitted, x: Callable[[], Emitted], y: Callable[[], Emitted]
    ) -> Emitted:
        """Return the choice between two results, both of which are computed."""
        return condition._operate("select", condition, x(), y())


def _lower_algorithm(name: str, algorithm: Callable[..., object]) -> None:
    """Enter an algorithm of `special` as the lowering of a primitive, or of a family."""

    @lowers(name)
    def lowering(m: Emitter, *constants_and_operand: Result) -> Result:
        *constants, x = constants_and_operand
        written = algorithm(*constants, Emitted(m, x), EmittedFunctions(m))
        return written.result if isinstance(written, Emitted) else written


_lower_algorithm("polygamma_by", special.polygamma_of)
_lower_algorithm("sinc_by", special.sinc_of)
_lower_algorithm("mills_by", special.mills_of)
_lower_algorithm("log_ndtr", special.log_ndtr_of)
_lower_algorithm("erfinv", special.erfinv_of)
