"""A graph without its numbers, so that its derivatives are formulas and not numbers either.

A rule that branches on a number, as that of leaky_relu does, then keeps both branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..compiler.trace import Traced
from ..core.graph import recording
from ..engine import Value
from ..guards.interrupts import comes_from_handler

__all__ = ["Unnumbered", "stand_ins"]


def stand_ins(order: Iterable[Value]) -> dict[Value, Value]:
    """Return what stands for each value of a graph, whose order is parents first.

    Constants keep their numbers, and nothing else has one.

    >>> x = Value(2.0, label="x")
    >>> stand_ins([x])[x].label
    'x'
    """
    found: dict[Value, Value] = {}
    with recording():
        for value in order:
            if value.op is not None and value.parents:
                found[value] = value.op(*[found[parent] for parent in value.parents])
            else:
                found[value] = value.detach() if value.is_constant else Traced(value.label or "")
    return found


class Unnumbered:
    """Stand-ins for the values of a graph, which have no number unless they are constants.

    `stand_in` has that of each value. `partials` has those of each inner value, as graphs of
    stand-ins, or None if its rule does not work without numbers.

    >>> a = Value(2.0)
    >>> y = a.tanh()
    >>> (partial,) = Unnumbered([a, y]).partials[y]
    >>> partial.op
    Primitive('sech2')
    """

    def __init__(self, order: Sequence[Value]) -> None:
        self.stand_in = stand_ins(order)
        self.partials: dict[Value, tuple[object, ...] | None] = {}
        with recording():
            for value, out in self.stand_in.items():
                if value.op is None or not value.parents:
                    continue
                try:
                    self.partials[value] = value.op.partials(out, *out.parents)
                except Exception as error:  # a rule may do anything with such an operand
                    if comes_from_handler(error):
                        raise
                    self.partials[value] = None
