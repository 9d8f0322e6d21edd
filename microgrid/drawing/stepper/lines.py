"""How a mathematician writes an operation, with names or with numbers.

A text is a list of parts. A string stands for itself, and a sign such as " + " is one on its own. A
whole number is a hole: the place of the number to be put there, in a list that comes later; in a
tuple it gets brackets if it is negative. So a text written once says what holds after any change.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.primitive import Primitive
from ...functional import split_dot
from ..labels import number_text, printable

__all__ = [
    "ATOM",
    "PRODUCT",
    "Piece",
    "Written",
    "fill_in",
    "operation",
]

Piece = str | int | tuple[int]
Written = tuple[list[Piece], int]  # with how tightly it holds together

SUM, PRODUCT, POWER, ATOM = range(4)
INFIX: dict[str, tuple[str, int]] = {
    **{"<": (" < ", SUM), "<=": (" ≤ ", SUM), "==": (" = ", SUM)},
    **{"+": (" + ", SUM), "-": (" - ", SUM)},
    **{"*": (" · ", PRODUCT), "/": (" / ", PRODUCT), "//": (" // ", PRODUCT)},
    **{"%": (" % ", PRODUCT), "direction": (" / ", PRODUCT)},
    **{"**": ("**", POWER), "**k": ("**", POWER)},
}
ASSOCIATIVE = ("+", "*")
LISTS = {"sum": (" + ", SUM), "prod": (" · ", PRODUCT)}
MOST_TERMS = 4


def operation(op: Primitive, operands: Sequence[Written]) -> Written:
    """Return how an operation on operands is written.

    >>> from microgrid.core.primitive import add, multiply
    >>> a, b, c = [([name], ATOM) for name in "abc"]
    >>> parts, _ = operation(multiply, [a, operation(add, [b, c])])
    >>> fill_in(parts, [])
    'a · (b + c)'
    """
    if op.name in INFIX and len(operands) == 2:
        sign, level = INFIX[op.name]
        left = within(operands[0], level + (level == POWER))
        right = within(operands[1], level + (op.name not in ASSOCIATIVE))
        return [*left, sign, *(_sign(right) if op.name == "-" else right)], level
    if op.name == "neg":
        return ["-", *within(operands[0], POWER)], PRODUCT
    if op.name == "abs":
        return ["|", *operands[0][0], "|"], ATOM
    if op.name == "sech2":  # its second operand adds digits, and nothing to the formula
        square = within(operands[0], PRODUCT)
        return ["1 - ", *square, " · ", *square], SUM
    if op.name in LISTS:
        sign, level = LISTS[op.name]
        return _list([within(x, level) for x in operands], sign), level
    if op.name == "dot":
        return _dot(operands), SUM
    if op.family == "power":
        n = op.constants[0]
        return operands[0] if n == 1 else ([*within(operands[0], ATOM), "**", f"{n}"], POWER)
    if op.family == "exponential":
        return [f"{op.constants[0]}", "**", *within(operands[0], ATOM)], POWER
    name, constants = printable(op.name), ""
    if op.family:
        name, _, constants = name.partition("(")  # leaky_relu(0.1) is called with x first
    inside = _list([x for x, _ in operands], ", ")
    return [f"{name}(", *inside, f", {constants}" if constants else ")"], ATOM


def within(written: Written, level: int) -> list[Piece]:
    """Return an operand of what binds so tightly, in brackets where it needs them."""
    parts, own = written
    if own < level:
        return ["(", *parts, ")"]
    return _sign(parts) if level >= POWER else parts


def _sign(parts: list[Piece]) -> list[Piece]:
    return [(x,) if isinstance(x, int) else x for x in parts]


def _list(terms: Sequence[list[Piece]], sign: str) -> list[Piece]:
    """Return terms with a sign between them, the middle of many left out."""
    shown: Sequence[list[Piece]] = terms
    if len(terms) > MOST_TERMS:
        shown = [*terms[: MOST_TERMS - 2], ["…"], terms[-1]]
    return [part for term in shown for part in (sign, *term)][1:]


def _dot(operands: Sequence[Written]) -> list[Piece]:
    left, right, start = split_dot(tuple(operands))
    pairs = zip(left, right, strict=True)
    terms = [[*within(x, PRODUCT), " · ", *within(y, PRODUCT)] for x, y in pairs]
    return _list([*terms, *[text for text, _ in start]], " + ")


def fill_in(parts: Sequence[Piece], numbers: Sequence[float | None]) -> str:
    """Return a text with its numbers put in.

    >>> fill_in(["2 - ", (0,), " = ", 1], [-3.0, 5.0])
    '2 - (-3) = 5'
    """
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            (place,) = part if isinstance(part, tuple) else (part,)
            shown = number_text(numbers[place] or 0.0)
            text += f"({shown})" if isinstance(part, tuple) and shown.startswith("-") else shown
    return text
