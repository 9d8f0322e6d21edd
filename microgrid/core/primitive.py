"""The table of derivatives, and its rows of arithmetic: a name, a forward value, the partials.

The whole of differentiation stands on one choice. The partials of a row are not numbers but an
expression, `lambda out, x, y: (y, x)` for a product, written with the library's own operations. So
whatever the operands are decides what the derivative is. Called with floats a row gives numbers,
which is the backward pass; called with the nodes of a graph it gives nodes, and the derivative is a
graph itself, to be differentiated again, drawn or compiled; called with power series it gives power
series. There is no second set of rules anywhere, and a new operation is one row.

An operation with a constant of its own, as `x**3`, is made by a `family`: a function that returns
the row for the constant, and keeps it, so that every `x**3` is the same operation.

The rows of arithmetic stand here; `functional` adds the elementary functions, and users their own.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import MethodType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, overload

from ..guards.checks import is_real, quote
from .array_rules import AnyArray, ArrayType, Numeric, apply_to_arrays, has_elements
from .failures import failure_of, operation_error
from .modes import current, watched
from .reals import number, plain_numbers

__all__ = ["Operand", "Primitive", "family", "is_traced"]

Forward = Callable[..., float]
Slopes = tuple[Numeric, ...]  # for each operand the partial derivative, None for a constant
Partials = Callable[..., Slopes]
Row = tuple[str, Forward, Partials]
Scalar = TypeVar("Scalar")
AnyOperand = TypeVar("AnyOperand", bound="Operand")
Constants = ParamSpec("Constants")

CO_VARARGS = 0x04  # as in `inspect`, which takes long to load


class Operand:
    """What operations are recorded on: a primitive knows no more than this of graphs.

    A `Value` computes what it records and remembers its parents, a traced number remembers them and
    computes nothing, a power series makes another one. `operators` adds Python's operators.

    `_real` is the number to compare by, which `data_of` returns. Nothing else may have a `_real`,
    as operands are known by it: `_data` is what masked arrays hide.
    """

    __slots__ = ()
    _real: float
    why_single = ""  # what an error adds where this stands in place of a sequence

    def record(self, op: Primitive, operands: tuple[Any, ...]) -> Self:
        """Return the result of applying `op` to operands, of which this is one.

        >>> from microgrid import Value
        >>> x = Value(3.0)
        >>> x.record(multiply, (x, 2.0))
        Value(data=6.0, grad=0.0)
        """
        raise NotImplementedError

    @property
    def is_traced(self) -> bool:
        """Whether this stands for a number that is not known before a compiled function runs."""
        return False

    @property
    def is_constant(self) -> bool:
        """Whether nothing can be differentiated with respect to this."""
        return False


def why_single(x: object) -> str:
    """Return what an error adds for a number that stands in place of a sequence."""
    return x.why_single if isinstance(x, Operand) else ""


def data_of(x: Operand | float) -> float:
    """Return the number that an operand is compared by, and a plain number as it is.

    >>> from microgrid import Value
    >>> data_of(Value(2.0)), data_of(3.0)
    (2.0, 3.0)
    """
    return x._real if isinstance(x, Operand) else x


def is_traced(x: object) -> bool:
    """Return whether x stands for a number that is not known before a compiled function runs."""
    return isinstance(x, Operand) and x.is_traced


class Primitive:
    """An operation: its name, its forward value and its partial derivatives.

    `forward(*operands)` takes and returns plain numbers. `partials(out, *operands)` returns one
    derivative for each operand; written with operators and this library's functions, it works on
    numbers and on `Value`s alike. A partial of `None` says that the result does not depend on that
    operand at all: nothing behind it is asked for a derivative. `made_by` is for a `family`: its
    members have its name as their `family`, and their `constants`, which are (3,) for x**3.

    Raises:
        ValueError: the name is taken by a primitive of the library or another module.
        TypeError: the name is not a string, or forward or partials is not a function.

    >>> from microgrid import Value
    >>> cube = Primitive("cube", lambda x: x * x * x, lambda out, x: (3 * x * x,))
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> cube(2.0), x.grad
    (8.0, 12.0)
    """

    registry: ClassVar[dict[str, Primitive]] = {}
    families: ClassVar[dict[str, Callable[..., Primitive]]] = {}

    def __init__(
        self,
        name: str,
        forward: Forward,
        partials: Partials,
        made_by: tuple[Callable[..., Primitive], tuple[Any, ...]] | None = None,
    ) -> None:
        if not isinstance(name, str) or not callable(forward) or not callable(partials):
            raise TypeError(
                "a primitive needs a name and two functions, forward and partials, "
                f"got {quote(name)}, {quote(forward)} and {quote(partials)}"
            )
        self.name, self.forward, self.partials, self.made_by = name, forward, partials, made_by
        self.family = getattr(made_by[0], "__name__", "") if made_by else ""
        self.constants = made_by[1] if made_by else ()
        self._taken: set[int] = set()  # the numbers of operands that it was found to take
        self.__name__, self.__doc__ = name, forward.__doc__
        if made_by is None:
            taken = Primitive.registry.get(name)
            # a notebook's cell may be run twice, and declare its primitive again
            if taken and taken.partials.__module__ != "__main__":
                raise ValueError(
                    f"a primitive needs a name of its own, got {name!r}, which is taken"
                )
            Primitive.registry[name] = self

    @overload
    def __call__(self, *operands: float) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *operands: AnyOperand | float) -> AnyOperand: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *operands: ArrayType | float) -> ArrayType: ...
    @overload
    def __call__(self, *operands: AnyArray | Operand | float) -> Any: ...  # an array of objects
    def __call__(self, *operands: Numeric) -> Numeric:
        """Return a number if every operand is one, else a `Value` that has them as its parents."""
        as_floats = True
        for operand in operands:
            if type(operand) is not float:
                if isinstance(operand, Operand):
                    return operand.record(self, operands)
                as_floats = False
        if not as_floats:
            if any(map(has_elements, operands)):
                return apply_to_arrays(self, operands)
            operands = plain_numbers(operands, f"{self.name} needs real numbers")
        try:
            out = self.forward(*operands)
        except (ArithmeticError, ValueError) as error:
            raise locate(error, self, operands) from None
        return out if type(out) is float else number(out)

    @property
    def __text_signature__(self) -> str | None:
        """The operands, named as by the partials: what `help` and `inspect.signature` show."""
        code = getattr(self.partials, "__code__", None)
        if code is None:
            return None
        names = code.co_varnames[1 : code.co_argcount]
        if code.co_flags & CO_VARARGS:
            return (
                f"({''.join(f'{name}, ' for name in names)}*{code.co_varnames[code.co_argcount]})"
            )
        return f"({', '.join(names)}, /)"

    def require_operands(self, count: int) -> None:
        """Raise `TypeError` unless the partials take so many operands.

        >>> multiply.require_operands(3)
        Traceback (most recent call last):
            ...
        TypeError: * takes 2 operands, got 3
        """
        if count in self._taken:
            return
        code = getattr(self.partials, "__code__", None)
        if code is None or isinstance(self.partials, MethodType) or code.co_flags & CO_VARARGS:
            return  # it takes any number, or does not say
        most = code.co_argcount - 1
        least = most - len(getattr(self.partials, "__defaults__", None) or ())
        if not least <= count <= most:
            raise TypeError(f"{self.name} takes {most} operand{'s' * (most != 1)}, got {count}")
        self._taken.add(count)

    def require_partials(self, partials: object, count: int) -> None:
        """Raise an error unless `partials` is a tuple of `count` numbers, one for each operand.

        >>> multiply.require_partials((1.0,), 2)
        Traceback (most recent call last):
            ...
        ValueError: the partials of * must be a tuple of 2, one for each operand, got (1.0,)
        """
        if type(partials) is not tuple or len(partials) != count:
            kind = ValueError if type(partials) is tuple else TypeError
            must = f"the partials of {self.name} must be a tuple of {count}"
            raise kind(f"{must}, one for each operand, got {quote(partials)}")
        kinds = set(map(type, partials))  # few, where operands may be thousands
        if all(issubclass(kind, (float, int, Operand, type(None))) for kind in kinds):
            return
        for i, partial in enumerate(partials):
            if not (partial is None or is_real(partial) or isinstance(partial, Operand)):
                raise TypeError(
                    f"the partials of {self.name} must be real numbers, or None, "
                    f"got {quote(partial)} ({type(partial).__name__}) for operand {i}"
                )

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind as a function does, so that a primitive can be a method: `v.tanh()`."""
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"Primitive({self.name!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return self.made_by or (Primitive.named, (self.name,))

    @staticmethod
    def named(name: str) -> Primitive:
        """Return the primitive of that name; raise `ValueError` if this process has none.

        >>> Primitive.named("*") is multiply
        True
        """
        if not isinstance(name, str) or name not in Primitive.registry:
            raise ValueError(
                f"no primitive is named {quote(name)}: declare it before what uses it loads"
            )
        return Primitive.registry[name]


def family(maker: Callable[Constants, Row]) -> Callable[Constants, Primitive]:
    """Turn `maker(*constants) -> (name, forward, partials)` into a cached maker of primitives.

    Raises:
        TypeError: the maker is not a function with a name.
        ValueError: its name is taken by another family.

    >>> power(3) is power(3), power(3)(2.0)
    (True, 8.0)
    """
    if not callable(maker) or not hasattr(maker, "__qualname__"):
        raise TypeError(f"a family needs a function with a name, got {quote(maker)}")

    @lru_cache(maxsize=1024, typed=True)
    def member(*constants: object) -> Primitive:
        make: Callable[..., object] = maker
        row = make(*constants)
        if not isinstance(row, tuple) or len(row) != 3:
            raise TypeError(
                f"the family {maker.__name__} must return a tuple of a name and two functions, "
                f"forward and partials, got {quote(row)}"
            )
        return Primitive(*row, made_by=(member, constants))

    taken = Primitive.families.get(maker.__name__)
    if taken and taken.__module__ != "__main__":
        raise ValueError(
            f"a family needs a name of its own, got {maker.__name__!r}, which is taken"
        )
    member.__module__, member.__qualname__ = maker.__module__, maker.__qualname__  # for pickle
    member.__name__ = maker.__name__
    Primitive.families[maker.__name__] = member
    return member  # type: ignore[return-value]  # `lru_cache` forgets the parameters


def locate(
    error: Exception,
    op: Primitive | str,
    operands: Sequence[object],
    *,
    of_derivative: bool = False,
    node: Operand | None = None,
) -> Exception:
    """Return an error of the same built-in type that names the operation and its operands.

    `of_derivative` says that the derivative was asked for, of `node` if there is one. Where the
    code that asked has a `where`, the error says that both branches are computed.

    >>> from microgrid import Value
    >>> locate(ValueError("math domain error"), "log", [Value(-1.0, label="x")])
    ValueError('log of x = -1.0: math domain error')
    """
    from ..guards.callers import calls_where  # which only an error needs

    name = "the derivative of " * of_derivative + (op if isinstance(op, str) else op.name)
    name = name if len(name) < 200 else f"{name[:100]}…"  # a Fraction's digits
    if failure := failure_of(error):
        reason = failure.finding
    else:
        reason = str(error.args[-1]).partition("\n")[0] if error.args else type(error).__name__
    advice = ""
    if watch := current(watched):
        advice = watch.explain(op, operands, of_derivative, node)
    elif not of_derivative and calls_where():
        advice = advice_on_branches(name)
    return operation_error(type(error), f"{name} of {operands_text(operands)}: {reason}", advice)


def advice_on_branches(name: str) -> str:
    """Return what to write where an operation fails in the branch of a `where` not chosen."""
    return (
        f"both branches of a where are computed: if {name} stands in the one that is not chosen, "
        "give it an operand that is safe there, as in log(where(x > 0, x, 1))"
    )


def operands_text(operands: Iterable[object]) -> str:
    """Return operands as an error shows them, the middle of many left out.

    >>> operands_text(range(33))
    '0, 1, 2, … 28 more …, 31, 32'
    """
    texts = [operand_text(operand) for operand in operands]
    if len(texts) > 6:
        texts[3:-2] = [f"… {len(texts) - 5} more …"]
    return ", ".join(texts)


def operand_text(x: object) -> str:
    """Return a number as an error shows it, with its label if it is a `Value` that has one."""
    if not isinstance(x, Operand):
        return quote(x)
    if x.is_traced:
        return repr(x)
    label, data = getattr(x, "label", None), quote(x._real)
    return data if label is None else f"{label} = {data}"


def as_operand(x: Scalar) -> Scalar:
    """Return what a function computes with: NumPy's small ints would wrap around."""
    if type(x) is float or isinstance(x, Operand):
        return x
    if has_elements(x):
        floats: Scalar = apply_to_arrays(as_operand, [x])
        return floats
    exact: Numeric = number(x, "an operand must be a real number")
    return exact  # type: ignore[no-any-return]


def _sign(x: float) -> float:
    """Return 1, 0 or -1 with the sign of x; the derivative is 0."""
    return type(x)(1 if x > 0 else -1) if x > 0 or x < 0 else x  # zeros and nan are their own sign


def _floordiv(x: float, y: float) -> float:
    out = x // y
    return out if isinstance(out, float) else type(x)(out)  # Fractions give an int


def _pow(x: float, y: float) -> float:
    if type(out := x**y) is float:
        return out
    if isinstance(out, complex):
        raise ValueError("a negative number has real powers only where the exponent is whole")
    return out if type(out) is not int else type(y)(out)  # of an int to the power of a Fraction


def _where_partials(out: Numeric, c: Numeric, x: Numeric, y: Numeric) -> Slopes:
    if is_traced(c):  # in forms that gates know: 0 times an infinite slope would be nan
        return None, where(c, 1, 0), where(where(c, 0, 1), 1, 0)
    return (None, 1, None) if c else (None, None, 1)


def choose(condition: Numeric, x: Callable[[], Numeric], y: Callable[[], Numeric]) -> Numeric:
    """Return `where` for a rule: if the choice is known, only what is chosen is computed."""
    if is_traced(condition):
        return where(condition, x(), y())
    return x() if condition else y()


def _is_at_0(x: Numeric) -> Numeric:
    return abs(x) <= 0


# x**y at x = 0: 0**0 has slopes 0 by choice, and every 0**y with y > 0 is flat in y. The mixed
# derivative exists only for y > 1: next to x = 0 it goes to -inf, and in y it jumps at y = 1.
def _power_slope(x: float, y: float) -> float:
    return y * _pow(x, y - 1) if x or y else 0 * abs(y)


def _power_slope_partials(out: Numeric, x: Numeric, y: Numeric) -> Slopes:
    by_x = choose(_is_at_0(abs(x) + abs(y)), lambda: 0, lambda: y * power_slope(x, y - 1))
    return by_x, _cross_partial(x, y)


def _power_log(x: float, y: float) -> float:
    return _pow(x, y) * (math.log(x) if x else 0)


def _power_log_partials(out: Numeric, x: Numeric, y: Numeric) -> Slopes:
    return _cross_partial(x, y), out * log(choose(_is_at_0(x), lambda: 1, lambda: x))


def _cross_partial(x: Numeric, y: Numeric) -> Numeric:
    """Return the mixed derivative of x**y, with respect to x and y."""
    if not (is_traced(x) or is_traced(y)) and _is_at_0(x) and y <= 1:
        raise ZeroDivisionError("at x = 0, x**y has a mixed derivative only if y > 1")
    at_0 = choose(y <= 1, lambda: math.nan, lambda: 0)
    return choose(_is_at_0(x), lambda: at_0, lambda: pow_(x, y - 1) * (1 + y * log(x)))


def _by_exponent(x: Numeric, y: Numeric) -> Numeric:
    if not is_traced(x) and x < 0:
        raise ValueError(NO_SLOPE)
    return power_log(x, y)


def _exponential_slope(out: Numeric, base: float) -> Numeric:
    if base < 0:
        raise ValueError(NO_SLOPE)
    return out * log(base) if base else 0


NO_SLOPE = (
    "a negative number has powers only where the exponent is whole, and so no derivative with "
    "respect to it: hold the exponent constant, as in x**2 or x**y.data"
)
pow_: Primitive
power_log: Primitive
power_slope: Primitive
pow_fixed: Primitive

# Partials are made of operators and primitives and branch by `choose` alone, so that they can be
# differentiated and compiled. Their constants are ints, which leave a Fraction exact.
# fmt: off
where     = Primitive("where", lambda c, x, y: x if c else y, _where_partials)
less      = Primitive("<",    lambda x, y: type(x)(x < y),   lambda out, x, y: (0, 0))
less_equal = Primitive("<=",  lambda x, y: type(x)(x <= y),  lambda out, x, y: (0, 0))
equal     = Primitive("==",   lambda x, y: type(x)(x == y),  lambda out, x, y: (0, 0))
sign      = Primitive("sign", _sign,              lambda out, x: (0,))
log       = Primitive("log",  lambda x: math.log(x), lambda out, x: (1 / x,))  # takes no base
absolute  = Primitive("abs",  operator.abs,       lambda out, x: (sign(x),))
negative  = Primitive("neg",  operator.neg,       lambda out, x: (-1,))
add       = Primitive("+",    operator.add,       lambda out, x, y: (1, 1))
subtract  = Primitive("-",    operator.sub,       lambda out, x, y: (1, -1))
multiply  = Primitive("*",    operator.mul,       lambda out, x, y: (y, x))
divide    = Primitive("/",    operator.truediv,   lambda out, x, y: (1 / y, -out / y))
floordiv  = Primitive("//",   _floordiv,          lambda out, x, y: (0, 0))
remainder = Primitive("%",    operator.mod,       lambda out, x, y: (1, -(x // y)))
pow_      = Primitive("**",   _pow,     lambda out, x, y: (power_slope(x, y), _by_exponent(x, y)))
# The exponent k is a constant, and so is that of the slope: `**` would ask for log(x) where x < 0.
pow_fixed = Primitive("**k",  _pow,     lambda out, x, k: (
    k * pow_fixed(x, choose(_is_at_0(abs(x) + abs(k)), lambda: 0, lambda: k - 1)), None))
power_slope = Primitive("power_slope", _power_slope, _power_slope_partials)  # by x, of x**y
power_log   = Primitive("power_log",   _power_log,   _power_log_partials)    # by y
CONSTANT  = Primitive("constant", lambda x: x,    lambda out, x: (1,))  # the `op` of a plain number
argument  = Primitive("argument", lambda x: x,    lambda out, x: (1,))  # an input of a transform
# fmt: on


@family
def power(n: float) -> Row:
    """`x**n` by a constant n: exact for a whole n, and flat at 0 for n = 0."""

    def partials(out: Numeric, x: Numeric) -> Slopes:
        if n - 1 + 1 == n:
            return (n * x ** (n - 1) if n else 0,)
        # n - 1 is rounded, as for 1/3: a power so large or small as x is would show it
        return (n * choose(_is_at_0(x), lambda: 1 / abs(x), lambda: out / x),)

    def forward(x: float) -> float:
        return out if type(out := x**n) is float else _pow(x, n)

    return f"**{n}", forward, partials


@family
def exponential(base: float) -> Row:
    """`base**x` by a constant base, which is never asked for a derivative of its own."""
    return f"{base}**", lambda x: _pow(base, x), lambda out, x: (_exponential_slope(out, base),)


@family
def round_to(digits: int) -> Row:
    """`round(x, digits)`, of the type of x."""
    return f"round({digits})", lambda x: round(x, digits), lambda out, x: (0,)
