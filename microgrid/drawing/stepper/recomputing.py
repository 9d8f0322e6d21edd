"""The program by which a page recomputes a graph without Python.

It is written from the table of lowerings, as native code and C are: explore.js has a row for each
operation of an `Emitter`, and none for any primitive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...compiler.lowering import Emitter, lower
from ...compiler.program import Program
from ...core.primitive import CONSTANT
from ...engine import Value

__all__ = ["CONDITIONS", "listing", "page_number"]

CONDITIONS = frozenset(
    ["less", "less_equal", "equal", "not_zero", "is_nan", "both", "either", "not"]
)


def page_number(x: float | None) -> float | str | None:
    """Return a number as JSON has it, and JavaScript reads it: JSON has no inf and no nan.

    >>> [page_number(x) for x in (0.5, -math.inf, math.nan, None)]
    [0.5, '-Infinity', 'NaN', None]
    """
    if x is None or math.isfinite(x):
        return x
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


class Slot:
    """The place of a result. It equals no number, as lowerings compare operands with constants."""

    __slots__ = ("is_condition", "place")

    def __init__(self, place: int, is_condition: bool = False) -> None:
        self.place, self.is_condition = place, is_condition


class ListEmitter(Emitter):
    """Writes operations down as a list of names and operands.

    An operand is the place of an earlier result, the inputs being the first, or a constant as text.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs, self.steps = inputs, list[list[object]]()

    def is_condition(self, x: object) -> bool:
        """Return whether x is the result of a comparison."""
        return type(x) is Slot and x.is_condition

    def emit(self, operation: str, operands: tuple[object, ...]) -> object:
        """Write an operation down; return where its result will be."""
        slot = Slot(self.inputs + len(self.steps), operation in CONDITIONS)
        self.steps.append([operation, *map(reference, operands)])
        return slot


def reference(x: Any) -> int | str:
    """Return an operand as it is listed."""
    return x.place if type(x) is Slot else str(page_number(float(x)))


def listing(outputs: Sequence[Any], inputs: Sequence[Value]) -> dict[str, object]:
    """Return what computes the outputs from the inputs: `steps`, and the operands to return.

    Raises:
        TypeError: a primitive has no lowering.

    >>> x = Value(2.0)
    >>> listing([x * x + 1.0], [x])
    {'steps': [['mul', 0, 0], ['add', 1, '1.0']], 'outputs': [2]}
    """
    program = Program.from_values(outputs, inputs)
    emitter = ListEmitter(len(inputs))
    slots: list[Any] = [Slot(i) for i in range(len(inputs))]
    for op, operands in program.steps:
        if op is CONSTANT:
            slots.append(float(operands[0]))
        else:
            slots.append(lower(emitter, op, [slots[operand] for operand in operands]))
    returned = [reference(emitter.number(slots[slot])) for slot in program.outputs]
    return {"steps": emitter.steps, "outputs": returned}
