"""Where the values and operations of a graph are placed: the layout engine is told sizes alone.

No label goes into its text and none comes out: whoever draws puts them in the boxes.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence

from ...engine import Value
from ...guards.checks import quote
from ..labels import number_text, printable, shorten, width
from ..layout import effort, lay_out
from .plan import far_operands, make_plan
from .styles import pin

__all__ = ["arrange", "symbol_of"]

POINTS = 72  # an inch has
SIZE = 11  # of the letters, in points
LINE = 15
INSET = 4  # points that an arrow may reach into the oval's corners
LEAST_WIDTH = 100  # "grad" and a number such as -0.1234


def arrange(order: Sequence[Value], names: Sequence[str]) -> dict[str, object]:
    """Return the places of all boxes and the paths of all edges, in points from the top left.

    Each value has its box, `[x of the middle, y of the middle, width, height]`, and if it was
    computed, the box of its operation, `oval`, the curves from its operands to that, and the last
    curve from there to the value. A curve is a start, then three points for each Bezier segment.
    Operands too far away for a line to the operation stand beside it `again`, in boxes by the place
    of the value.

    Raises:
        RuntimeError: there is no layout engine, or it failed.

    >>> x = Value(2.0)
    >>> picture = arrange([x, x * x], ["x", "y"])  # doctest: +SKIP
    >>> picture["values"][1]["operation"]["symbol"]  # doctest: +SKIP
    '*'
    """
    place = {value: i for i, value in enumerate(order)}
    far = far_operands(make_plan(order, {order[-1]}), set(order))
    lines = ["digraph {", 'rankdir="LR" nodesep="0.15" ranksep="0.35"', 'node [fixedsize="true"]']
    lines += ['edge [arrowsize="0.6"]']
    lines += [f'{name}="{limit}"' for name, limit in effort(len(order)).items()]
    for i, value in enumerate(order):
        lines.append(_box(f"n{i}", "box", *_size(value, names[i])))
        if value.parents:
            lines.append(_operation(i, value))
            tails = {}
            for parent in value.parents:
                tails[parent] = f"n{place[parent]}"
                if (value, parent) in far:
                    tails[parent] = f"n{i}again{place[parent]}"
            again = [parent for parent in tails if (value, parent) in far]
            lines += [_box(tails[parent], "box", *_small(names[place[parent]])) for parent in again]
            lines += [
                f"{tails[parent]} -> n{i}op:{pin(k, len(value.parents))}:w"
                for k, parent in enumerate(value.parents)
            ]
            lines.append(f"n{i}op -> n{i}")
    plain = lay_out("\n".join([*lines, "}"]), "plain").decode(errors="replace")
    try:
        return _read(plain, order, place)
    except (LookupError, StopIteration, ValueError):
        raise RuntimeError(
            f"the layout engine was asked for Graphviz's format `plain`, and gave {quote(plain)}"
        ) from None


def symbol_of(value: Value) -> str:
    """Return what the oval of a value's operation shows; a leaf has none."""
    return printable(shorten(value.op.name)) if value.op and value.parents else ""


def _size(value: Value, name: str) -> tuple[float, float]:
    if value.is_constant:
        return width(number_text(value.data), SIZE) + 12, LINE + 8
    return max(width(name, SIZE) + 14, LEAST_WIDTH), 3 * LINE + 8


def _small(name: str) -> tuple[float, float]:
    return width(name, SIZE) + 12, LINE + 4


def _operation(i: int, value: Value) -> str:
    """Return the oval of an operation, with a pin at its left for each operand, in their order."""
    across, down, operands = width(symbol_of(value), SIZE) + 16, 22, len(value.parents)
    size = f'width="{across - INSET}" height="{max(down // operands, 1)}"'
    pins = dict.fromkeys(pin(k, operands) for k in range(operands))
    rows = "".join(f'<tr><td port="{name}" {size}></td></tr>' for name in pins)
    look = 'border="0" cellborder="0" cellspacing="0" cellpadding="0"'
    label = f"<<table {look}>{rows}</table>>"
    return _box(f"n{i}op", "oval", across, down).replace("]", f" label={label}]")


def _box(name: str, shape: str, across: float, down: float) -> str:
    return f'{name} [shape="{shape}" width="{across / POINTS:.3f}" height="{down / POINTS:.3f}"]'


def _read(plain: str, order: Sequence[Value], place: dict[Value, int]) -> dict[str, object]:
    """Return what Graphviz's plain format says: https://graphviz.org/docs/outputs/plain/."""
    rows = [shlex.split(line) for line in plain.splitlines()]
    high = float(next(row[3] for row in rows if row[0] == "graph"))

    def points(numbers: Sequence[str]) -> list[float]:
        """Return coordinates, whose y grows downwards in a page."""
        flipped = [high - float(x) if i % 2 else float(x) for i, x in enumerate(numbers)]
        return [round(x * POINTS, 1) for x in flipped]

    boxes, curves = {}, defaultdict(list)
    for kind, *row in rows:
        if kind == "node":
            size = [round(float(x) * POINTS, 1) for x in row[3:5]]
            boxes[row[0]] = [*points(row[1:3]), *size]
        elif kind == "edge":
            ends = row[0], row[1].partition(":")[0]
            curves[ends].append(points(row[3 : 3 + 2 * int(row[2])]))
    values = []
    for i, value in enumerate(order):
        drawn: dict[str, object] = {"box": boxes[f"n{i}"]}
        if value.parents:
            drawn["symbol"] = symbol_of(value)
            drawn["oval"] = boxes[f"n{i}op"]
            tails = [f"n{place[parent]}" for parent in value.parents]
            copies = [f"n{i}again{place[parent]}" for parent in value.parents]
            drawn["operands"] = [
                curves[copy if copy in boxes else tail, f"n{i}op"].pop(0)
                for tail, copy in zip(tails, copies, strict=True)
            ]
            drawn["again"] = [
                [place[parent], boxes[copy]]
                for parent, copy in dict(zip(value.parents, copies, strict=True)).items()
                if copy in boxes
            ]
            (drawn["result"],) = curves[f"n{i}op", f"n{i}"]
        values.append(drawn)
    whole = next(row for row in rows if row[0] == "graph")
    size = [round(float(x) * POINTS, 1) for x in whole[2:4]]
    return {"size": size, "values": values}
