"""Expressions that are simplified as they are made, as a teacher would by hand.

There are four kinds: symbols, calls of functions, sums of terms with coefficients, and products of
factors with exponents. Equal expressions are one object, so all that is asked of one is asked once.
Every rule holds for all real numbers at which both sides are defined, and arithmetic is exact: a
float is the decimal that it prints as.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

__all__ = ["COMPARISONS", "HALF", "MINUS", "SHORT", "UNIT", "Algebra", "ExactNumber", "Expression"]

COMPARISONS = ("<", "<=", ">", ">=")
SHORT = 5  # symbols, numbers and calls: what has at most so many is written out wherever it is
MOST_POWER = 64  # a number to a higher power is not multiplied out: it has too many digits
MOST_SIZE = 10**9  # sizes count no further: a graph of n nodes can have 2**n symbols


class ExactNumber(NamedTuple):
    """A rational number, and whether it is written as a decimal, 0.5, or as a fraction, 1/2."""

    value: Fraction
    is_decimal: bool = False

    @classmethod
    def of(cls, x: float | Fraction) -> ExactNumber:
        """Return the number that x prints as.

        >>> ExactNumber.of(0.1)
        ExactNumber(value=Fraction(1, 10), is_decimal=True)
        """
        is_float = isinstance(x, float)
        return _number(Fraction(repr(x) if is_float else x), is_float)

    @property
    def is_whole(self) -> bool:
        """Whether it is an integer."""
        return self.value.denominator == 1

    @property
    def is_short(self) -> bool:
        """Whether it can be written in the digits of a float: if not, factors stay apart."""
        if max(self.value.numerator.bit_length(), self.value.denominator.bit_length()) <= 53:
            return not self.is_decimal or self.is_float
        return self.is_decimal and self.is_float

    @property
    def is_float(self) -> bool:
        """Whether a float prints as this decimal."""
        try:
            return Fraction(repr(float(self.value))) == self.value
        except (OverflowError, ValueError):  # it is too large, and would be inf
            return False

    def plus(self, other: ExactNumber) -> ExactNumber:
        """Return the sum."""
        return _number(self.value + other.value, self.is_decimal or other.is_decimal)

    def times(self, other: ExactNumber) -> ExactNumber:
        """Return the product."""
        return _number(self.value * other.value, self.is_decimal or other.is_decimal)

    def to_the(self, exponent: int) -> ExactNumber:
        """Return the power."""
        return _number(self.value**exponent, self.is_decimal)


def _number(value: Fraction, is_decimal: bool) -> ExactNumber:
    is_plain = value.denominator == 1 and abs(value) < 2**53  # 0.5 * 2 is 1, whoever asks
    return ExactNumber(value, is_decimal and not is_plain)


UNIT = ExactNumber(Fraction(1))
MINUS = ExactNumber(Fraction(-1))
HALF = ExactNumber(Fraction(1, 2))


class Expression:
    """An expression: its kind, the name of a symbol or function, its parts, and their weights.

    The weights are the coefficients of a sum's parts, or the exponents of a product's. `size` is
    the number of symbols, numbers and calls in it when it is written out, and `own_size` the number
    of those that are not in one of its parts.
    """

    size: int
    __slots__ = ("kind", "name", "own_size", "parents", "size", "weights")

    def __init__(
        self,
        kind: str,
        name: Hashable,
        parents: tuple[Expression, ...],
        weights: tuple[ExactNumber, ...],
    ) -> None:
        self.kind, self.name, self.parents, self.weights = kind, name, parents, weights
        self.own_size = sum([weight.value not in (1, -1) for weight in weights])
        self.own_size += kind in ("symbol", "call")
        self.size = min(self.own_size + sum([parent.size for parent in parents]), MOST_SIZE)

    @property
    def number(self) -> ExactNumber | None:
        """The number that this is, or None if it is not one."""
        if self.kind == "product":
            return None if self.parents else UNIT
        if self.kind != "sum" or len(self.parents) > 1:
            return None
        if not self.parents:
            return ExactNumber(Fraction(0))
        return self.weights[0] if self.parents[0].number == UNIT else None

    def term(self) -> tuple[ExactNumber, Expression]:
        """Return this as a coefficient and the rest."""
        if self.kind == "sum" and len(self.parents) == 1:
            return self.weights[0], self.parents[0]
        return UNIT, self

    def pairs(self) -> Iterator[tuple[Expression, ExactNumber]]:
        """Return the parts with their weights."""
        return zip(self.parents, self.weights, strict=True)


class Algebra:
    """Makes expressions, and returns the same object for equal ones.

    >>> algebra = Algebra()
    >>> x = algebra.symbol("x")
    >>> algebra.sum([(x, UNIT), (x, UNIT)]) is algebra.product([(algebra.of(2), UNIT), (x, UNIT)])
    True
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Expression] = {}
        self.one = self._make("product")
        self.zero = self._make("sum")

    def _make(
        self,
        kind: str,
        name: Hashable = None,
        weighted: Iterable[tuple[Expression, ExactNumber]] = (),
    ) -> Expression:
        pairs = tuple(weighted)
        key = (kind, name, pairs if kind == "call" else frozenset(pairs))
        if key not in self._made:
            parents, weights = tuple([x for x, _ in pairs]), tuple([w for _, w in pairs])
            self._made[key] = Expression(kind, name, parents, weights)
        return self._made[key]

    def symbol(self, name: Hashable) -> Expression:
        """Return the symbol of that name, which may be any object."""
        return self._make("symbol", name)

    def call(self, name: Hashable, *operands: Expression) -> Expression:
        """Return a function of operands, without simplifying it."""
        return self._make("call", name, [(operand, UNIT) for operand in operands])

    def of(self, x: float | Fraction) -> Expression:
        """Return a number."""
        return self.sum([(self.one, ExactNumber.of(x))])

    def sum(self, terms: Iterable[tuple[Expression, ExactNumber]]) -> Expression:
        """Return the sum of expressions times their coefficients, with equal terms collected."""
        total: dict[Expression, ExactNumber] = {}
        for expression, coefficient in terms:
            for part, weight in self._terms(expression, coefficient):
                if part in total and not total[part].plus(weight).is_short:
                    apart = (self._numeral(weight), UNIT)
                    part, weight = self._make("product", None, [apart, *_factors(part)]), UNIT
                _add(total, part, weight)
        _dissolve("sum", total)
        kept = {part: weight for part, weight in total.items() if weight.value}
        if len(kept) == 1 and UNIT in kept.values():
            (part,) = kept
            return part
        return (
            self._choose_numbers(kept)
            or self._take_scale_out(kept)
            or self._make("sum", None, kept.items())
        )

    def difference(self, x: Expression, y: Expression) -> Expression:
        """Return x - y with both as they are: in floats, too, it is 0 where they are equal."""
        if x is y or x.number is not None or y.number is not None:
            return self.sum([(x, UNIT), (y, MINUS)])
        return self._make("sum", None, [(x, UNIT), (y, MINUS)])

    def _terms(
        self, expression: Expression, coefficient: ExactNumber
    ) -> Iterable[tuple[Expression, ExactNumber]]:
        """Return a sum's terms if it may dissolve in another, else the expression itself."""
        if expression.kind == "sum":
            is_short = abs(coefficient.value) == 1 and expression.size <= SHORT
            if is_short or len(expression.parents) < 2:
                return [(part, weight.times(coefficient)) for part, weight in expression.pairs()]
        if expression.name == "where" and coefficient.value < 0:
            condition, *choice = expression.parents
            if choice == [self.one, self.zero] and condition.name not in COMPARISONS:
                # the share of an operand that is the maximum is 1: not 1 - 1 where it is not
                other = self.where(condition, self.zero, self.one)
                return [(self.one, coefficient), (other, coefficient.times(MINUS))]
        return [(expression, coefficient)]

    def _numeral(self, number: ExactNumber) -> Expression:
        return self._make("sum", None, [(self.one, number)])

    def _choose_numbers(self, terms: dict[Expression, ExactNumber]) -> Expression | None:
        """Return n + m * where(condition, k, l) as a choice between two numbers, if it is one."""
        choices = [part for part in terms if part.name == "where"]
        if len(choices) != 1 or not {self.one, *choices} >= terms.keys():
            return None
        shift, (choice,) = terms.get(self.one, ExactNumber(Fraction(0))), choices
        condition, *branches = choice.parents
        numbers = [branch.number for branch in branches]
        moved = [shift.plus(terms[choice].times(n)) for n in numbers if n is not None]
        if len(moved) < 2 or not all(n.is_short for n in moved):
            return None
        return self.where(condition, *[self.sum([(self.one, n)]) for n in moved])

    def _take_scale_out(self, terms: dict[Expression, ExactNumber]) -> Expression | None:
        """Return exp(m) times a sum, if m is a maximum and all terms have this factor.

        Softmax has it in every exponential, against overflow: outside of the sum it cancels.
        """
        split = [self._split(part) for part in terms]
        scale = split[0][0] if len(split) > 1 else []
        if not scale or any(other != scale for other, _ in split):
            return None
        rest = self.sum([(x, w) for (_, x), w in zip(split, terms.values(), strict=True)])
        return self.product([*scale, (rest, UNIT)])

    def _split(self, part: Expression) -> tuple[list[tuple[Expression, ExactNumber]], Expression]:
        """Return a product's factors exp(m), with m a maximum, and the rest."""
        factors = _factors(part)
        scale = [factor for factor in factors if is_scale(factor[0])]
        if not scale:
            return [], part
        rest = [factor for factor in factors if not is_scale(factor[0])]
        if len(rest) == 1 and rest[0][1] == UNIT:
            return scale, rest[0][0]
        return scale, self._make("product", None, rest)

    def product(self, factors: Iterable[tuple[Expression, ExactNumber]]) -> Expression:
        """Return the product of expressions to their exponents, with equal bases collected."""
        powers: dict[Expression, ExactNumber] = {}
        for base, exponent in factors:
            if base is self.zero and exponent.value > 0:
                return self.zero
            for part, power in self._powers(base, exponent):
                _add(powers, part, power)
        _dissolve("product", powers)
        coefficient, kept = UNIT, {}
        for base, exponent in powers.items():
            number, whole = base.number, int(exponent.value)  # 2**(3/2) is 2 * sqrt(2)
            if number is not None and number.value and abs(whole) < MOST_POWER:
                folded = coefficient.times(number.to_the(whole))
                as_given = abs(coefficient.value) == whole == 1 or abs(number.value) == 1
                if as_given or folded.is_short:
                    coefficient = folded
                    exponent = exponent._replace(value=exponent.value - whole)
            if exponent.value:
                kept[base] = exponent
        if len(kept) == 1 and UNIT in kept.values():
            (rest,) = kept
            if rest.number is None:
                return self.sum([(rest, coefficient)])
        return self.sum([(self._make("product", None, kept.items()), coefficient)])

    def _powers(
        self, base: Expression, exponent: ExactNumber
    ) -> Iterator[tuple[Expression, ExactNumber]]:
        """Yield a product's factors if it may dissolve in another, else the base itself.

        A root does not dissolve into roots: sqrt(x * y) exists where both factors are negative.
        """
        if not exponent.is_whole or base is self.zero:
            yield base, exponent
            return
        coefficient, rest = base.term()
        if coefficient.value < 0:
            yield self._numeral(MINUS), ExactNumber(exponent.value % 2)
        if abs(coefficient.value) != 1:
            yield self._numeral(coefficient._replace(value=abs(coefficient.value))), exponent
        scale, rest = self._split(rest)
        yield from [(part, weight.times(exponent)) for part, weight in scale]
        inner = [(part, weight.times(exponent)) for part, weight in _factors(rest)]
        is_short = rest.size <= SHORT or all(weight.value < 0 for _, weight in inner)
        if is_short and all(weight.is_short for _, weight in inner):
            yield from inner
        else:
            yield rest, exponent

    def power(self, base: Expression, exponent: Expression) -> Expression:
        """Return the base to an exponent that need not be a number."""
        if exponent.number is not None:
            return self.product([(base, exponent.number)])
        return self.one if base is self.one else self.call("**", base, exponent)

    def where(self, condition: Expression, x: Expression, y: Expression) -> Expression:
        """Return x if the condition, a comparison or any number, is not 0, else y."""
        if x is y:
            return x
        if condition.number is not None:
            return x if condition.number.value else y
        if condition.name == "where":
            inner, *choices = condition.parents
            holds = [choice.number is not None and choice.number.value != 0 for choice in choices]
            fails = [choice is self.zero for choice in choices]
            if holds[0] and fails[1]:
                condition = inner
            elif fails[0] and holds[1]:
                condition, x, y = inner, y, x
        return self.call("where", condition, x, y)


def _factors(expression: Expression) -> list[tuple[Expression, ExactNumber]]:
    return [*expression.pairs()] if expression.kind == "product" else [(expression, UNIT)]


def _add(weights: dict[Expression, ExactNumber], part: Expression, weight: ExactNumber) -> None:
    weights[part] = weights[part].plus(weight) if part in weights else weight


def _dissolve(kind: str, weights: dict[Expression, ExactNumber]) -> None:
    """Dissolve long sums, or products, within one that has a part in common: (x / y) / y."""
    for inner in [x for x in weights if x.kind == kind and 1 < len(x.parents) <= SHORT]:
        weight = weights[inner]
        simple = weight.is_whole if kind == "product" else abs(weight.value) == 1
        if simple and any(part in weights for part in inner.parents):
            del weights[inner]
            for part, own in inner.pairs():
                _add(weights, part, own.times(weight))


def is_scale(x: Expression) -> bool:
    """Return whether this is exp(m) of a maximum m."""
    return x.name == "exp" and x.parents[0].name == "max"
