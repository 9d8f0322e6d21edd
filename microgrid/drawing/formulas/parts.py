"""Which expressions within a formula have a name and a line of their own.

They occur more than once, or would make a line too long or too deeply nested to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

from .algebra import COMPARISONS, SHORT, Expression

__all__ = ["choose_parts", "ends"]

DEEP = 12  # brackets within brackets: with more, no reader sees which belong together
LONG = 60  # symbols in a line


def choose_parts(order: Sequence[Expression], most: int | None) -> list[Expression]:
    """Return the expressions to name, in the order in which a reader comes across them.

    `order` has each expression after its parts; the last is the formula. Of more than `most` parts
    of an expression only the ends are shown, and count.
    """
    uses = Counter([parent for x in order for parent in x.parents])
    sizes: dict[Expression, int] = {}
    depths: dict[Expression, int] = {}
    parts: set[Expression] = set()
    for x in order:
        sizes[x] = x.own_size + sum([sizes[p] for p in ends(x.parents, most)])
        for part, around in _nameable(x, most, sizes) if sizes[x] > LONG else ():
            if sizes[x] > LONG:
                parts.add(part)
                for whole in around:
                    sizes[whole] -= sizes[part] - 1
        depths[x] = 1 + max([depths[p] for p in x.parents if p not in parts], default=0)
        is_long = depths[x] > DEEP or (sizes[x] > SHORT and uses[x] > 1)
        if is_long and x is not order[-1] and x.name not in COMPARISONS:
            parts.add(x)
            sizes[x] = 1
    read = [order[-1]]
    for x in read:
        for parent in x.parents:
            uses[parent] -= 1
            if not uses[parent]:
                read.append(parent)
    return [x for x in read if x in parts]


def ends(parts: Sequence[Expression], most: int | None) -> list[Expression]:
    """Return the parts to show: where there are more than `most`, the first and the last."""
    if most is None or len(parts) <= most:
        return [*parts]
    return [*parts[: ceil(most / 2)], *parts[len(parts) - most // 2 :]]


def _nameable(
    x: Expression, most: int | None, sizes: Mapping[Expression, int]
) -> list[tuple[Expression, set[Expression]]]:
    """Return what may have a name within x, longest first, each with what gets shorter by it.

    In a product it is a factor: what a weight is multiplied by is what a reader knows, a neuron.
    """
    found = []
    for parent in ends(x.parents, most):
        if sizes[parent] <= SHORT or parent.name in COMPARISONS:
            continue
        factors = [p for p in parent.parents if sizes[p] > SHORT and p.name not in COMPARISONS]
        if parent.kind == "product" and factors:
            found += [(factor, {x, parent}) for factor in factors]
        else:
            found.append((parent, {x}))
    return sorted(found, key=lambda pair: sizes[pair[0]], reverse=True)
