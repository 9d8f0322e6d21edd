"""What is drawn of a graph: its operations, whole modules as one, and the part that fits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from math import ceil
from typing import NamedTuple

from ..engine import Value
from ..functional import dot_, sum_
from ..graph import recording
from ..primitive import multiply
from .modules import Block

__all__ = ["Plan", "Step", "nearest", "planned"]

FEW = 8  # operands of one operation that are drawn before others come
EMPTY: Mapping[Value, Block] = {}


class Step(NamedTuple):
    """What stands between operands and their results: an operation, or a collapsed module.

    `made` has the operation and its partials: it is the result, or if a `dot` is spelled out the
    sum of its `products`. A collapsed `block` has instead the values `inside`.
    """

    operands: Sequence[Value]
    results: Sequence[Value]
    made: Value | None = None
    products: Sequence[Value] = ()
    block: Block | None = None
    inside: Set[Value] = frozenset()


class Plan(NamedTuple):
    """The values that are drawn, parents first, and the step that makes each."""

    values: list[Value]
    steps: dict[Value, Step]


def planned(
    order: Sequence[Value],
    roots: Set[Value],
    boxes: Mapping[Value, Block] = EMPTY,
    expand_dot: bool = False,
) -> Plan:
    """Return the plan of a graph in which some values are inside of boxes.

    Of those inside only the roots and what is used outside are drawn: the results of the box.

    >>> x = Value(1.0)
    >>> y = x * x
    >>> planned([x, y], {y}).steps[y].operands == (x, x)
    True
    """
    collapsed = _collapsed(order, roots, boxes) if boxes else {}
    plan = Plan([], {})
    for value in order:
        if value in collapsed:
            plan.steps[value] = collapsed[value]
        elif value in boxes:
            continue
        elif value.op is dot_ and expand_dot:
            total, products = _spelled_out(value)
            for product in products:
                plan.values.append(product)
                plan.steps[product] = Step(product.parents, [product], product)
            plan.steps[value] = Step(total.parents, [value], total, products)
        elif value.parents:
            plan.steps[value] = Step(value.parents, [value], value)
        plan.values.append(value)
    return plan


def _collapsed(
    order: Sequence[Value], roots: Set[Value], boxes: Mapping[Value, Block]
) -> dict[Value, Step]:
    """Return the step that makes each value which comes out of a box."""
    inside: dict[Block, list[Value]] = {box: [] for box in boxes.values()}
    operands: dict[Block, dict[Value, None]] = {box: {} for box in inside}
    results = {value for value in roots if value in boxes}
    for value in order:
        box = boxes.get(value)
        if box:
            inside[box].append(value)
        for parent in value.parents:
            source = boxes.get(parent)
            if source and source is not box:
                results.add(parent)
            if box and source is not box:
                operands[box][parent] = None
    steps: dict[Value, Step] = {}
    for box, values in inside.items():
        out = [value for value in values if value in results]
        step = Step([*operands[box]], out, block=box, inside=set(values))
        steps |= dict.fromkeys(out, step)
    return steps


def _spelled_out(value: Value) -> tuple[Value, list[Value]]:
    """Return the sum that a dot product stands for, and its products with their gradients."""
    count = len(value.parents) // 2
    left, right, start = (value.parents[i * count : (i + 1) * count] for i in range(3))
    with recording():
        products = [multiply(x, y) for x, y in zip(left, right, strict=True)]
        total = sum_(*products, *start)
    for product in products:
        product.grad = value.grad
    return total, products


def nearest(plan: Plan, first: Iterable[Value], most: int) -> set[Value]:
    """Return so many of a plan's values that come first, or are nearest to them on the way back.

    Of many operands, a few that are spread over all come before the others: the sum over a batch
    would else be all that is seen.

    >>> x = Value(1.0)
    >>> y = (x * 2.0).exp()
    >>> nearest(planned([x, y.parents[0], y], {y}), [y], 2) == {y, y.parents[0]}
    True
    """
    soon, later = deque(first), deque[Value]()
    chosen: set[Value] = set()
    while (soon or later) and len(chosen) < most:
        value = (soon or later).popleft()
        if value not in chosen:
            chosen.add(value)
            if value in plan.steps:
                operands = plan.steps[value].operands
                soon.extend(operands[:: ceil(len(operands) / FEW) or 1])
                later.extend(operands)
    return chosen
