"""The partial derivatives of one operation as formulas, in the names of its operands and result."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from ...core.primitive import Primitive
from ...core.reals import number
from ...engine import Value
from ..labels import printable
from .algebra import Algebra, Expression
from .meanings import expressions_of
from .notation import PythonNotation, Written

__all__ = ["Spaced", "write_partials"]

MOST = 12  # symbols, numbers and functions in a formula; a longer one is not shown


class Spaced(PythonNotation):
    """The notation of a blackboard: dots and spaces where Python has an asterisk."""

    times, over = " · ", " / "


def write_partials(
    made: Value,
    partials: tuple[object, ...],
    names: Mapping[Value, str],
    notation: type[PythonNotation] = PythonNotation,
) -> list[Written | None]:
    """Return how each partial derivative of an operation is written, or None if it is too long.

    It is as `formula` writes it, except that the operation's result has a name. `made`, the result,
    and `partials` are graphs of the operands.

    >>> from microgrid.compiler.trace import Traced
    >>> x = Traced("x")
    >>> y = x.tanh()
    >>> write_partials(y, y.op.partials(y, x), {x: "x", y: "y"})
    [('1 - y**2', 1)]
    """
    algebra = Algebra()
    operands = dict.fromkeys(x for x in made.parents if not x.is_constant)
    asked = {
        i: x if isinstance(x, Value) else Value(number(x)).detach()
        for i, x in enumerate(partials)
        if x is not None
    }
    nodes = {**{operand: operand for operand in operands}, made: made}
    found = expressions_of((made, *asked.values()), algebra, nodes, held=operands)
    symbols = {found[made]: names[made]} if found[made].kind != "symbol" else {}

    def name_of(thing: Hashable) -> str:
        if isinstance(thing, Expression):
            return symbols[thing]
        if isinstance(thing, Primitive):
            return printable(thing.name)
        return names[thing] if isinstance(thing, Value) else str(thing)

    writer = notation(name_of, symbols)
    shown = {i: found[x] for i, x in asked.items() if found[x].size <= MOST}
    return [writer.write(shown[i]) if i in shown else None for i in range(len(partials))]
