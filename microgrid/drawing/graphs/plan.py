"""The part of a graph to draw: operations, whole modules as one, and as many values as fit."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from math import ceil
from typing import NamedTuple

from ...core.graph import recording
from ...core.primitive import multiply
from ...engine import Value
from ...functional import dot_, split_dot, sum_
from .modules import Block

__all__ = ["Junction", "Plan", "far_operands", "make_plan", "nearest"]

FEW = 8  # operands of one operation that are drawn before others come
LONG = 200  # junctions that all lines together may pass by; a layout engine makes room at each
EMPTY: Mapping[Value, Block] = {}


class Junction(NamedTuple):
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
    """The values that can be drawn, parents first, and the junction that makes each."""

    values: list[Value]
    junctions: dict[Value, Junction]


def make_plan(
    order: Sequence[Value],
    roots: Set[Value],
    boxes: Mapping[Value, Block] = EMPTY,
    expand_dot: bool = False,
) -> Plan:
    """Return the plan of a graph in which some values are inside of boxes.

    Inside, only the roots and the values used outside are drawn: the results of the box.

    >>> x = Value(1.0)
    >>> y = x * x
    >>> make_plan([x, y], {y}).junctions[y].operands == (x, x)
    True
    """
    collapsed = _collapse(order, roots, boxes) if boxes else {}
    plan = Plan([], {})
    for value in order:
        if value in collapsed:
            plan.junctions[value] = collapsed[value]
        elif value in boxes:
            continue
        elif value.op is dot_ and expand_dot:
            total, products = _expand_dot(value)
            for product in products:
                plan.values.append(product)
                plan.junctions[product] = Junction(product.parents, [product], product)
            plan.junctions[value] = Junction(total.parents, [value], total, products)
        elif value.parents:
            plan.junctions[value] = Junction(value.parents, [value], value)
        plan.values.append(value)
    return plan


def _collapse(
    order: Sequence[Value], roots: Set[Value], boxes: Mapping[Value, Block]
) -> dict[Value, Junction]:
    """Return the junction that makes each value which comes out of a box."""
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
    junctions: dict[Value, Junction] = {}
    for box, values in inside.items():
        out = [value for value in values if value in results]
        junction = Junction([*operands[box]], out, block=box, inside=set(values))
        junctions |= dict.fromkeys(out, junction)
    return junctions


def _expand_dot(value: Value) -> tuple[Value, list[Value]]:
    """Return the sum that a dot product stands for, and its products with their gradients."""
    left, right, start = split_dot(value.parents)
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
    >>> nearest(make_plan([x, y.parents[0], y], {y}), [y], 2) == {y, y.parents[0]}
    True
    """
    soon, later = deque(first), deque[Value]()
    chosen: set[Value] = set()
    while (soon or later) and len(chosen) < most:
        value = (soon or later).popleft()
        if value not in chosen:
            chosen.add(value)
            if value in plan.junctions:
                operands = plan.junctions[value].operands
                soon.extend(operands[:: ceil(len(operands) / FEW) or 1])
                later.extend(operands)
    return chosen


def far_operands(plan: Plan, shown: Set[Value]) -> set[tuple[Value, Value]]:
    """Return the pairs of a junction's first result and an operand too far away for a line to it.

    The longest lines go first, all of one length together. A layout takes time and room for every
    junction that a line passes by: where one leaf is used all along a chain, that is the square of
    the chain's length.

    >>> x = Value(1.0)
    >>> y = x * x
    >>> far_operands(make_plan([x, y], {y}), {x, y})
    set()
    """
    lengths: dict[int, list[tuple[Value, Value]]] = defaultdict(list)
    ranks = _ranks(plan, shown)
    junctions = {id(plan.junctions[value]): value for value in ranks if value in plan.junctions}
    for value in junctions.values():
        for operand in plan.junctions[value].operands:
            if operand in shown:
                ends = plan.junctions[value].results[0], operand
                lengths[ranks[value] - ranks[operand] - 1].append(ends)
    passed = sum(length * len(ends) for length, ends in lengths.items())
    far: set[tuple[Value, Value]] = set()
    for length in sorted(lengths, reverse=True):
        if passed <= LONG:
            break
        passed -= length * len(lengths[length])
        far.update(lengths[length])
    return far


def _ranks(plan: Plan, shown: Set[Value]) -> dict[Value, int]:
    """Return how many junctions lead to each value; a leaf is just before its first use."""
    ranks: dict[Value, int] = {}
    first: dict[Value, int] = {}
    for value in plan.values:
        if value not in shown or value not in plan.junctions:
            continue
        operands = [operand for operand in plan.junctions[value].operands if operand in shown]
        ranks[value] = 1 + max((ranks.get(operand, 0) for operand in operands), default=0)
        for operand in operands:
            first[operand] = min(first.get(operand, ranks[value]), ranks[value])
    return {value: ranks.get(value, first.get(value, 1) - 1) for value in shown}
