"""Python's operators on anything that records what is done to it.

Each operator is a row of the table of derivatives, made a method: `x + 2` records `add` on x and a
constant. NumPy's functions find their way here too, by the two methods that NumPy asks for and by
those that its loops call on each element of an array of objects.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from ..guards.checks import is_masked, is_of_dates, quote
from ..guards.mistakes import warn_of_rebinding
from . import primitive
from .array_rules import AnyArray, Numeric, array_rules, as_array, has_elements, is_array
from .primitive import Operand, Primitive
from .reals import Real, as_constant

__all__ = ["NUMBERS", "Arithmetic", "by_ufunc"]

NUMBERS = (float, int, numbers.Real)  # the last, which is abstract, is slow to ask
Self = TypeVar("Self", bound="Arithmetic")
Compare = Callable[[object, object], bool]
Method = Callable[..., object]


def _number_in(other: object) -> object:
    """Return the number in a tensor without dimensions; for all else, which computes itself, None.

    Raises:
        TypeError: it remembers how it was computed, or is NumPy's masked, which would compute with
            the number behind its mask.
    """
    if is_masked(other):
        raise TypeError("an operand must be a real number, got a masked one; write x.filled(nan)")
    if is_array(other) or getattr(other, "ndim", None) != 0 or not has_elements(other):
        return None
    number: object = as_array(other, "an operand must be a real number").item()
    return number if isinstance(number, NUMBERS) else None


def _operator(op: Primitive) -> Callable[[Self, object], object]:
    """Return the method for `operand op other`."""

    def method(self: Self, other: object) -> object:
        if isinstance(other, Operand):
            return self.record(op, (self, other))
        if not isinstance(other, NUMBERS) and (other := _number_in(other)) is None:
            return NotImplemented
        return self.record(op, (self, self._constant(other)))

    return method


def _reverse(op: Primitive) -> Callable[[Self, object], object]:
    """Return the method for `number op operand`."""

    def method(self: Self, other: object) -> object:
        if not isinstance(other, NUMBERS) and (other := _number_in(other)) is None:
            return NotImplemented
        return self.record(op, (self._constant(other), self))

    return method


def _in_place(op: Primitive, plain: Method) -> Method:
    """Return the method for `operand op= other`: a new node, as Python has it for numbers."""

    def method(self: Any, other: object) -> object:
        if type(other) is not type(self) and isinstance(other, NUMBERS):
            warn_of_rebinding(self, op.name)
        return plain(self, other)

    return method


def apply_to_one(op: Primitive, operand: Numeric) -> Numeric:
    """Return `operand.record(op, (operand,))`, sooner for one that holds a number."""
    try:
        data = op.forward(operand._real)
        return operand._node(op, (operand,), data)
    except (ArithmeticError, AttributeError, ValueError):
        return operand.record(op, (operand,))


def method_of(op: Primitive) -> Callable[[Self], Self]:
    """Return an operation of one operand as a method."""

    def method(self: Self) -> Self:
        result: Self = apply_to_one(op, self)
        return result

    update_wrapper(method, op, updated=())
    return method


def _order(compare: Compare) -> Callable[[Operand, object], object]:
    def method(self: Operand, other: object) -> object:
        if isinstance(other, Operand):
            return compare(self._real, other._real)
        if type(other) is float or (isinstance(other, NUMBERS) and not is_of_dates(other)):
            return compare(self._real, other)
        number = None if is_masked(other) else _number_in(other)
        return NotImplemented if number is None else compare(self._real, number)

    return method


def _equality(compare: Compare) -> Callable[[Operand, object], object]:
    """Return the method that asks of anything what a float would: an array, pytest's approx."""

    def method(self: Operand, other: object) -> object:
        return compare(self._real, other._real if isinstance(other, Operand) else other)

    return method


def by_ufunc(ufunc: str) -> Callable[..., object]:
    """Return the method that does what a ufunc does."""

    def method(self: Operand, *others: object) -> object:
        return array_rules().apply_named(ufunc, (self, *others))

    return method


class Arithmetic(Operand):
    """An operand with Python's operators and the methods that NumPy calls."""

    __slots__ = ()

    def _constant(self, x: object) -> object:
        """Return what a plain number becomes beside this."""
        return x

    if TYPE_CHECKING:  # what the operators below take and return

        @overload
        def __add__(self, other: AnyArray) -> Any: ...  # an array of objects
        @overload
        def __add__(self: Self, other: Operand | Real) -> Self: ...
        def __add__(self: Self, other: object) -> object: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __add__

        @overload
        def __lt__(self, other: AnyArray) -> Any: ...  # an array of bools
        @overload
        def __lt__(self, other: Operand | Real) -> bool: ...
        def __lt__(self, other: object) -> object: ...

        __le__ = __gt__ = __ge__ = __lt__

        def __eq__(self, other: object) -> bool: ...

        # what `functional` makes methods of a `Value`

        def acos(self: Self) -> Self:
            """Return acos of this number; those below likewise."""

        acosh = asin = asinh = atan = atanh = cbrt = ceil = cos = cosh = erf = erfc = exp = acos
        exp2 = expm1 = floor = gelu = log = log10 = log1p = log2 = log_sigmoid = relu = acos
        sigmoid = sign = silu = sin = sinh = softplus = softsign = sqrt = tan = tanh = acos

        def atan2(self: Self, x: Self | float) -> Self:
            """Return the angle of the point (x, this)."""

        def hypot(self: Self, *others: Self | float) -> Self:
            """Return the length of the vector of this and others."""

        def clip(self: Self, min: float | None = None, max: float | None = None) -> Self:
            """Return this, held between two constants."""

        def elu(self: Self, alpha: float = 1.0) -> Self:
            """Return this where positive, else alpha * (exp(this) - 1)."""

        def leaky_relu(self: Self, negative_slope: float = 0.01) -> Self:
            """Return this where positive, else negative_slope * this."""

    else:
        __add__, __radd__ = _operator(primitive.add), _reverse(primitive.add)
        __sub__, __rsub__ = _operator(primitive.subtract), _reverse(primitive.subtract)
        __mul__, __rmul__ = _operator(primitive.multiply), _reverse(primitive.multiply)
        __truediv__, __rtruediv__ = _operator(primitive.divide), _reverse(primitive.divide)
        __iadd__ = _in_place(primitive.add, __add__)
        __isub__ = _in_place(primitive.subtract, __sub__)
        __imul__ = _in_place(primitive.multiply, __mul__)
        __itruediv__ = _in_place(primitive.divide, __truediv__)
        __floordiv__, __rfloordiv__ = _operator(primitive.floordiv), _reverse(primitive.floordiv)
        __mod__, __rmod__ = _operator(primitive.remainder), _reverse(primitive.remainder)
        __lt__, __le__ = _order(operator.lt), _order(operator.le)
        __gt__, __ge__ = _order(operator.gt), _order(operator.ge)
        __eq__, __ne__ = _equality(operator.eq), _equality(operator.ne)

    __hash__ = object.__hash__  # equal numbers are different nodes in a set or a dict
    __neg__, __abs__ = method_of(primitive.negative), method_of(primitive.absolute)

    def __pos__(self: Self) -> Self:
        return self

    @overload
    def __pow__(self, exponent: AnyArray) -> Any: ...
    @overload
    def __pow__(self: Self, exponent: Operand | Real) -> Self: ...
    def __pow__(self: Self, exponent: object) -> object:
        if type(exponent) is not int:
            if isinstance(exponent, Operand):
                op = primitive.pow_fixed if exponent.is_constant else primitive.pow_
                return self.record(op, (self, exponent))
            if not isinstance(exponent, NUMBERS) and (exponent := _number_in(exponent)) is None:
                return NotImplemented
        return apply_to_one(primitive.power(as_constant(exponent)), self)

    @overload
    def __rpow__(self, base: AnyArray) -> Any: ...
    @overload
    def __rpow__(self: Self, base: Operand | Real) -> Self: ...
    def __rpow__(self: Self, base: object) -> object:
        if not isinstance(base, NUMBERS) and (base := _number_in(base)) is None:
            return NotImplemented
        return self.record(primitive.exponential(as_constant(base)), (self,))

    def __divmod__(self: Self, other: Numeric) -> tuple[Self, Self]:
        return self // other, self % other

    def __rdivmod__(self: Self, other: Numeric) -> tuple[Self, Self]:
        return other // self, other % self

    def __round__(self: Self, digits: int | None = None) -> Self:
        try:
            places = 0 if digits is None else operator.index(digits)
        except TypeError:
            raise TypeError(f"round needs an integer as `ndigits`, got {quote(digits)}") from None
        return self.record(primitive.round_to(places), (self,))

    def __bool__(self) -> bool:
        return bool(self._real)

    def __array_ufunc__(
        self, ufunc: object, method: str, *inputs: object, **kwargs: object
    ) -> object:
        return array_rules().apply_ufunc(ufunc, method, inputs, kwargs)

    # NumPy's loops over arrays of objects call these on each element.
    fabs, fmod, rint = by_ufunc("fabs"), by_ufunc("fmod"), by_ufunc("rint")
    radians, deg2rad = by_ufunc("radians"), by_ufunc("deg2rad")
    degrees, rad2deg = by_ufunc("degrees"), by_ufunc("rad2deg")
    trunc = __trunc__ = by_ufunc("trunc")

    def __array_function__(
        self, function: object, types: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        return array_rules().apply_function(function, args, kwargs)

    def __float__(self) -> NoReturn:
        raise TypeError("read a Value's number as `v.data`, or stay in the graph with `v.exp()`")

    __int__ = __complex__ = __float__


# ---- the same for operands that hold numbers: `forward` is called here, without a list of them,
# which takes half of the time. What is not as simple is left to the methods above.

OPERATORS = {
    **{"add": primitive.add, "sub": primitive.subtract},
    **{"mul": primitive.multiply, "truediv": primitive.divide},
}


def constant_beside(node: Arithmetic, x: object) -> object:
    """Return what a plain number becomes beside a node; an operand is returned as it is.

    >>> from microgrid import Value
    >>> constant_beside(Value(2.0), 3.0).is_constant
    True
    """
    return x if isinstance(x, Arithmetic) else node._constant(x)


def set_quick_operators(kind: type[Arithmetic]) -> None:
    """Give a class of operands that have `_real` and `_node` quick methods of these operators."""
    for name, op in OPERATORS.items():
        plain = _quick(op, getattr(Arithmetic, f"__{name}__"))
        setattr(kind, f"__{name}__", plain)
        setattr(kind, f"__r{name}__", _quick_reverse(op, getattr(Arithmetic, f"__r{name}__")))
        setattr(kind, f"__i{name}__", _in_place(op, plain))


def set_plain_operators(kind: type[Arithmetic]) -> None:
    """Give a class the operators of `Arithmetic` again."""
    for name in OPERATORS:
        for full in (f"__{name}__", f"__r{name}__", f"__i{name}__"):
            setattr(kind, full, getattr(Arithmetic, full))


def _quick(op: Primitive, otherwise: Method) -> Method:
    forward = op.forward

    def method(self: Any, other: Any) -> object:
        kind = type(other)
        if kind is float or kind is int:
            other = self._constant(other)
        try:
            data = forward(self._real, other._real)
        except (ArithmeticError, AttributeError, ValueError):
            return otherwise(self, other)
        return self._node(op, (self, other), data)

    return method


def _quick_reverse(op: Primitive, otherwise: Method) -> Method:
    forward = op.forward

    def method(self: Any, other: object) -> object:
        kind = type(other)
        if kind is not float and kind is not int:
            return otherwise(self, other)
        constant = self._constant(other)
        try:
            data = forward(constant._real, self._real)
        except (ArithmeticError, AttributeError, ValueError):
            return otherwise(self, other)
        return self._node(op, (constant, self), data)

    return method
