"""How an expression is written: as text, which is Python, and in LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from decimal import Decimal  # which has no limit of digits, as str(int) has
from typing import TypeVar

from .algebra import COMPARISONS, HALF, MINUS, UNIT, ExactNumber, Expression

__all__ = ["CALLS", "ENCLOSED", "POWER", "RESERVED", "LatexNotation", "PythonNotation", "Written"]

# How strongly a written expression holds together; where it is too weak, it needs parentheses.
LOOSE, SUM, PRODUCT, POWER, ATOM = range(5)
Written = tuple[str, int]

T = TypeVar("T")
W = TypeVar("W")


class Notation:
    """A way to write expressions.

    Args:
        name_of: returns what a symbol, a part or a user's own primitive is called.
        parts: the expressions that are written by name.
        most: the greatest number of terms, factors or operands to write; None for all.
    """

    left, right, more = "(", ")", "… {} more …"

    def __init__(
        self,
        name_of: Callable[[Hashable], str],
        parts: Container[Expression],
        most: int | None = None,
    ) -> None:
        self.name_of, self.parts, self.most = name_of, parts, most

    def line(self, expression: Expression) -> str:
        """Return an expression written out, even if it is a part that has a name."""
        return self.write_out(expression)[0]

    def write_out(self, expression: Expression) -> Written:
        """Write an expression by what it is made of."""
        if expression.kind == "symbol":
            return self.name_of(expression.name), ATOM
        if expression.kind == "call":
            return self.call(expression)
        if expression.kind == "sum":
            return self.sum(expression)
        return self.product(UNIT, [*expression.pairs()])

    def write(self, expression: Expression) -> Written:
        """Write an expression within another one."""
        if expression in self.parts:
            return self.name_of(expression), ATOM
        return self.write_out(expression)

    def write_within(self, expression: Expression, least: int) -> str:
        """Write an expression where it must hold together at least so strongly."""
        return self.parenthesize(self.write(expression), least)

    def parenthesize(self, written: Written, least: int) -> str:
        """Return a written expression, in parentheses if it would fall apart without them."""
        text, level = written
        return text if level >= least else f"{self.left}{text}{self.right}"

    def write_some(
        self,
        items: Sequence[T],
        write: Callable[[T], W],
        as_item: Callable[[str], W],
    ) -> list[W]:
        """Write items; of too many, the first and the last, and between them how many more."""
        if self.most is None or len(items) <= self.most:
            return [write(item) for item in items]
        last = len(items) - self.most // 2
        first = self.most - self.most // 2
        more = as_item(self.more.format(f"{last - first:,}"))
        return [*map(write, items[:first]), more, *map(write, items[last:])]

    def write_operands(self, operands: Sequence[Expression]) -> str:
        """Write the operands of a function, with commas."""
        return ", ".join(self.write_some(operands, lambda operand: self.write(operand)[0], str))

    def sum(self, expression: Expression) -> Written:
        """Write a sum, with a positive term first if it has one."""
        terms = [*expression.pairs()]
        if not terms:
            return "0", ATOM
        first = next((i for i, (_, weight) in enumerate(terms) if weight.value > 0), 0)
        terms.insert(0, terms.pop(first))
        if len(terms) == 1 and terms[0][1].value > 0:
            part, weight = terms[0]
            return self.term(weight, part)
        text = "".join(self.write_some(terms, self._term_with_sign, " + {}".format))
        return (text[3:] if text.startswith(" + ") else f"-{text[3:]}"), SUM

    def _term_with_sign(self, term: tuple[Expression, ExactNumber]) -> str:
        part, weight = term
        if weight.value == 1 and part.kind == "sum" and part not in self.parts:
            inner, _ = self.sum(part)  # a sum in a sum needs no parentheses
            return f" - {inner[1:]}" if inner.startswith("-") else f" + {inner}"
        magnitude = weight._replace(value=abs(weight.value))
        sign = "-" if weight.value < 0 else "+"
        return f" {sign} {self.parenthesize(self.term(magnitude, part), PRODUCT)}"

    def term(self, coefficient: ExactNumber, part: Expression) -> Written:
        """Write a positive number times an expression."""
        is_product = part.kind == "product" and part not in self.parts
        return self.product(coefficient, [*part.pairs()] if is_product else [(part, UNIT)])

    def product(
        self, coefficient: ExactNumber, factors: list[tuple[Expression, ExactNumber]]
    ) -> Written:
        """Write a positive number times factors; those with negative exponents divide."""
        above, below = self.numerals(coefficient)
        factors.sort(key=self._place)
        dividing = [factor for factor in factors if factor[1].value < 0]
        multiplying = [factor for factor in factors if factor[1].value > 0]
        above += self.write_some(multiplying, self._factor, _as_atom)
        below += self.write_some(dividing, self._factor, _as_atom)
        return self.ratio(above, below)

    def numerals(self, number: ExactNumber) -> tuple[list[Written], list[Written]]:
        """Return a positive number's numerator and denominator as factors, without a 1."""
        if number.is_decimal and number.is_float:
            return [self.decimal(float(number.value))], []
        above, below = [
            [(str(Decimal(n)), ATOM)] if n != 1 else [] for n in number.value.as_integer_ratio()
        ]
        return above, below

    def _place(self, factor: tuple[Expression, ExactNumber]) -> int:
        """Return where a factor stands: numbers, leaves, parts, functions, and sums at the end."""
        base = factor[0]
        if base.number is not None or base.kind == "symbol":
            return base.kind == "symbol"
        return 2 if base in self.parts else 4 if base.kind == "sum" else 3

    def _factor(self, factor: tuple[Expression, ExactNumber]) -> Written:
        base, exponent = factor
        exponent = exponent._replace(value=abs(exponent.value))
        return self.write(base) if exponent.value == 1 else self.power(base, exponent)

    def exponent(self, number: ExactNumber) -> Written:
        """Write a positive exponent, a fraction in one line."""
        above, below = self.numerals(number)
        numerator = above[0] if above else ("1", ATOM)
        return (f"{numerator[0]}/{below[0][0]}", PRODUCT) if below else numerator

    def decimal(self, x: float) -> Written:
        """Write a float that is not negative."""
        raise NotImplementedError

    def power(self, base: Expression, exponent: ExactNumber) -> Written:
        """Write a power with a positive exponent that is not 1."""
        raise NotImplementedError

    def ratio(self, above: list[Written], below: list[Written]) -> Written:
        """Write a product over a product."""
        raise NotImplementedError

    def call(self, expression: Expression) -> Written:
        """Write a function of its operands, an operation or a comparison."""
        raise NotImplementedError


def _as_atom(text: str) -> Written:
    return text, ATOM


class PythonNotation(Notation):
    """Python's own notation."""

    times, over = "*", "/"

    def decimal(self, x: float) -> Written:
        """Write a float that is not negative."""
        return repr(x), ATOM

    def power(self, base: Expression, exponent: ExactNumber) -> Written:
        """Write a power with a positive exponent that is not 1."""
        if exponent.value == HALF.value:
            return f"sqrt({self.write(base)[0]})", ATOM
        return (
            f"{self.write_within(base, ATOM)}**{self.parenthesize(self.exponent(exponent), ATOM)}",
            POWER,
        )

    def ratio(self, above: list[Written], below: list[Written]) -> Written:
        """Write a product over a product."""
        if len(above) < 2 and not below:
            return above[0] if above else ("1", ATOM)
        numerator = self.times.join([self.parenthesize(factor, PRODUCT) for factor in above]) or "1"
        if not below:
            return numerator, PRODUCT
        denominator = self.times.join([self.parenthesize(factor, POWER) for factor in below])
        divisor = denominator if len(below) == 1 else f"({denominator})"
        return f"{numerator}{self.over}{divisor}", PRODUCT

    def call(self, expression: Expression) -> Written:
        """Write a function of its operands, an operation or a comparison."""
        name, operands = expression.name, expression.parents
        if name == "**":
            return "**".join([self.write_within(operand, ATOM) for operand in operands]), POWER
        if name == "%":
            return " % ".join([self.write_within(operand, ATOM) for operand in operands]), SUM
        if name in COMPARISONS:
            return f" {name} ".join(
                [self.write_within(operand, SUM) for operand in operands]
            ), LOOSE
        function = name if isinstance(name, str) else self.name_of(name)
        return f"{function}({self.write_operands(operands)})", ATOM


# A comparison in LaTeX, and what holds where it does not.
RELATIONS = {"<": ("<", r"\geq"), "<=": (r"\leq", ">"), ">": (">", r"\leq"), ">=": (r"\geq", "<")}

TRIGONOMETRIC = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
NAMED = ("relu", "sigmoid", "softplus", "elu", "erf", "erfc", "erfinv", "clip", "round", "atan2")
# How LaTeX writes the functions that it has, and those that have a form of their own.
CALLS = {
    **{name: rf"\{name}" for name in (*TRIGONOMETRIC, "max", "min")},
    **{f"a{name}": rf"\arc{name}" for name in TRIGONOMETRIC[:3]},
    **{f"a{name}": rf"\operatorname{{ar{name}}}" for name in TRIGONOMETRIC[3:]},
    **{name: rf"\operatorname{{{name}}}" for name in NAMED},
    "lgamma": r"\ln\left|\Gamma\right|",
    "digamma": r"\psi",
    "polygamma": r"\operatorname{polygamma}",
    "sinc": r"\operatorname{sinc}",
    "sinc_by": r"\operatorname{sinc\_by}",
    "leaky_relu": r"\operatorname{leaky\,relu}",
    "sign": r"\operatorname{sgn}",
    "log": r"\ln",
    "log2": r"\log_{2}",
    "log10": r"\log_{10}",
}
ENCLOSED = {
    "exp": (r"\mathrm{e}^{", "}", POWER),
    "cbrt": (r"\sqrt[3]{", "}", ATOM),
    "abs": (r"\left|", r"\right|", ATOM),
    "floor": (r"\left\lfloor ", r"\right\rfloor", ATOM),
    "ceil": (r"\left\lceil ", r"\right\rceil", ATOM),
}
# What means something in a formula's text: nothing else has such a name.
RESERVED = frozenset(["sqrt", "where", "pi", "inf", "nan", *CALLS, *ENCLOSED])


class LatexNotation(Notation):
    """The notation of LaTeX's mathematics, as MathJax reads it in notebooks."""

    left, right, more = r"\left(", r"\right)", r"\ldots\text{{ {} more }}\ldots"

    def decimal(self, x: float) -> Written:
        """Write a float that is not negative."""
        digits, _, exponent = repr(x).partition("e")
        if not exponent:
            return digits, ATOM
        power = f"10^{{{int(exponent)}}}"
        return (power, POWER) if digits == "1" else (rf"{digits} \cdot {power}", PRODUCT)

    def power(self, base: Expression, exponent: ExactNumber) -> Written:
        """Write a power with a positive exponent that is not 1."""
        if exponent.value == HALF.value:
            return rf"\sqrt{{{self.write(base)[0]}}}", ATOM
        raised = f"^{{{self.exponent(exponent)[0]}}}"
        is_spelled_out = base not in self.parts
        if base.name in TRIGONOMETRIC and exponent.is_whole and is_spelled_out:  # tanh²(x)
            return f"{CALLS[str(base.name)]}{raised}{self._operands(base)}", ATOM
        return f"{self.write_within(base, ATOM)}{raised}", POWER

    def ratio(self, above: list[Written], below: list[Written]) -> Written:
        """Write a product over a product."""
        if not below:
            if len(above) < 2:
                return above[0] if above else ("1", ATOM)
            return self._side_by_side(above), PRODUCT
        sides = [self._side_by_side(side) if side else "1" for side in (above, below)]
        return r"\frac{{{}}}{{{}}}".format(*sides), PRODUCT

    def _side_by_side(self, factors: list[Written]) -> str:
        if len(factors) == 1:
            return factors[0][0]
        texts = [self.parenthesize(factor, PRODUCT) for factor in factors]
        product = texts[0]
        for text in texts[1:]:
            product += (r" \cdot " if text[0].isdigit() else r"\,") + text
        return product

    def call(self, expression: Expression) -> Written:
        """Write a function of its operands, an operation or a comparison."""
        name, operands = expression.name, expression.parents
        if name == "where":
            return self._choice(*operands)
        if name == "**":
            base, exponent = operands
            return f"{self.write_within(base, ATOM)}^{{{self.write(exponent)[0]}}}", POWER
        if name == "%":
            return r"\;\mathrm{mod}\;".join(
                [self.write_within(operand, ATOM) for operand in operands]
            ), SUM
        if name in COMPARISONS:
            return self._condition(expression, holds=True), LOOSE
        if name in ENCLOSED:
            before, after, level = ENCLOSED[str(name)]
            return f"{before}{self.write(operands[0])[0]}{after}", level
        function = CALLS[name] if isinstance(name, str) else self.name_of(name)
        return f"{function}{self._operands(expression)}", ATOM

    def _operands(self, call: Expression) -> str:
        return rf"\left({self.write_operands(call.parents)}\right)"

    def _choice(self, condition: Expression, x: Expression, y: Expression) -> Written:
        for one, other, holds in ((x, y, True), (y, x, False)):
            if one.number == UNIT and other.number is not None and other.number.value == 0:
                return rf"\mathbf{{1}}\left[{self._condition(condition, holds)}\right]", ATOM
        rows = rf"{self.write(x)[0]} & \text{{if }} {self._condition(condition, holds=True)} \\ "
        rows += rf"{self.write(y)[0]} & \text{{otherwise}}"
        return rf"\begin{{cases}} {rows} \end{{cases}}", SUM

    def _condition(self, condition: Expression, holds: bool) -> str:
        """Write that a comparison holds, or a number is not 0; or the opposite."""
        if condition.name in COMPARISONS:
            symbol, opposite = RELATIONS[str(condition.name)]
            x, y = condition.parents
            return f"{self.write(x)[0]} {symbol if holds else opposite} {self.write(y)[0]}"
        symbol = r"\neq" if holds else "="
        is_difference = condition.kind == "sum" and condition.weights == (UNIT, MINUS)
        if is_difference and condition not in self.parts:
            x, y = condition.parents
            return f"{self.write(x)[0]} {symbol} {self.write_within(y, PRODUCT)}"
        return f"{self.write(condition)[0]} {symbol} 0"
