"""A graph without its numbers, so that its derivatives are formulas and not numbers either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...compiler.trace import Traced
from ...core.graph import recording
from ...engine import Value
from ...guards.interrupts import raised_by_handler

__all__ = ["Unnumbered"]


class Unnumbered:
    """Stand-ins for the values of a graph, which have no number unless they are constants.

    `stand_in` has that of each value, and `partials` of each inner value its derivatives by its
    parents, as graphs of stand-ins; or None if its rule does not work without numbers.

    >>> a = Value(2.0)
    >>> y = a.tanh()
    >>> (partial,) = Unnumbered([a, y]).partials[y]
    >>> partial.op
    Primitive('sech2')
    """

    def __init__(self, order: Sequence[Value]) -> None:
        self.stand_in: dict[Value, Value] = {}
        self.partials: dict[Value, tuple[Any, ...] | None] = {}
        with recording():
            for value in order:
                operands = [self.stand_in[parent] for parent in value.parents]
                if value.is_constant:
                    self.stand_in[value] = value.detach()
                elif value.op is None or not operands:
                    self.stand_in[value] = Traced(value.label or "")
                else:
                    self.stand_in[value] = out = value.op(*operands)
                    try:
                        self.partials[value] = value.op.partials(out, *operands)
                    except Exception as error:  # a rule may do anything with such an operand
                        if raised_by_handler(error):
                            raise
                        self.partials[value] = None
