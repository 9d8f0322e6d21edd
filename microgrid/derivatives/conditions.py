"""Conditions as sets of real numbers, to decide if one implies another.

Without the numbers, it can still be certain that one of several conditions holds: x > 0 or x <= 0,
`index != 0` or `index != 1`. So a condition that compares one number with constants is a set of
numbers, and conditions made from such conditions are unions and intersections. A condition of any
other kind is itself a number, which must differ from 0.

>>> index = Value(2.0)
>>> is_0, is_1, is_small = equal(index, 0.0), equal(index, 1.0), less(index, 3.0)
>>> is_not_0, is_not_1 = where(is_0, 0.0, 1.0), where(is_1, 0.0, 1.0)
>>> always_one_holds([is_0, is_not_1]), always_one_holds([is_not_0, is_not_1])
(False, True)
>>> implies(is_1, where(is_not_0, is_small, 0.0)), implies(is_small, is_not_0)
(True, False)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import accumulate
from typing import NamedTuple
from weakref import ref

from ..core.primitive import equal, less, less_equal, where
from ..engine import Value

__all__ = ["always_one_holds", "are_opposite", "implies", "same"]

# A set is the places at which it begins and ends, on a line that nan comes first on: (x, 0) is just
# before x, and (x, 1) just after it.
Bound = tuple[float, int]
Bounds = frozenset[Bound]
START, LEAST, END = (-math.inf, -1), (-math.inf, 0), (math.inf, 1)
NOTHING: Bounds = frozenset()
EVERYTHING: Bounds = frozenset([START])
NOT_ZERO: Bounds = frozenset([START, (0.0, 0), (0.0, 1)])  # nan holds, in Python as in C
DEEPEST = 100  # conditions in conditions that are looked through
MOST = 32  # bounds of a set: more would take too long, of one condition after another


class Region(NamedTuple):
    """A number, and where it must be for a condition to hold."""

    number: Value
    places: Bounds


def always_one_holds(conditions: Iterable[Value]) -> bool:
    """Return whether one of several conditions certainly holds."""
    changes: dict[Value, Counter[Bound]] = defaultdict(Counter)  # of how many hold
    for number, places in map(_region, conditions):
        for k, place in enumerate(sorted(places)):
            changes[number][place] += -1 if k % 2 else 1
    return any(map(_is_covered, changes.values()))


def _is_covered(changes: Counter[Bound]) -> bool:
    counts = accumulate([changes[place] for place in sorted(changes)])
    return START in changes and all(count > 0 for count in counts)


def are_opposite(one: Value, other: Value) -> bool:
    """Return whether one condition certainly holds where the other does not."""
    left, right = _region(one), _region(other)
    return left.number is right.number and left.places ^ right.places == EVERYTHING


def implies(one: Value, other: Value) -> bool:
    """Return whether one condition certainly holds only where the other does."""
    left, right = _region(one), _region(other)
    if left.number is not right.number:
        return False
    return _combine(left.places, right.places, bool.__and__) == left.places


def same(one: Value, other: Value) -> bool:
    """Return whether two conditions certainly hold at the same numbers."""
    left, right = _region(one), _region(other)
    return left.number is right.number and left.places == right.places


# The regions of conditions of conditions; None where that is not sure. They are found by identity
# until they are freed, as the nodes in `linearization` are.
_known: dict[int, tuple[ref[Value], Region | None]] = {}


def _region(condition: Value, depth: int = DEEPEST) -> Region:
    """Return a condition's set of numbers, and the number that must be in it."""
    own = Region(condition, NOT_ZERO)
    if condition.op in (less, less_equal, equal):
        return _of_comparison(condition) or own
    if condition.op is not where or not depth:
        return own
    if id(condition) not in _known:
        forget = partial(_known.pop, id(condition))
        _known[id(condition)] = ref(condition, forget), _of_choice(condition, depth - 1)
    return _known[id(condition)][1] or own


def _of_comparison(condition: Value) -> Region | None:
    """Return where a number is on one side of a constant, or equal to it."""
    op, (left, right) = condition.op, condition.parents
    if not (left.is_constant or right.is_constant):
        return None
    is_upper = right.is_constant
    number, bound = (left, right.data) if is_upper else (right, left.data)
    before, after = (bound, 0), (bound, 1)
    if math.isnan(bound):
        places: set[Bound] = set()
    elif op is equal:
        places = {before, after}
    elif is_upper:  # number < bound or number <= bound
        places = {LEAST} ^ {before if op is less else after}
    else:
        places = {after if op is less else before}
    return Region(number, frozenset(places - {END}))


def _of_choice(choice: Value, depth: int) -> Region | None:
    """Return where a `where` of constants and conditions on one number is not 0; None if unsure."""
    condition, *parts = choice.parents
    number, inside = _region(condition, depth)
    branches: list[Bounds] = []
    for branch in parts:
        if branch.is_constant:
            branches.append(NOTHING if branch.data == 0 else EVERYTHING)
        else:
            region = _region(branch, depth)
            if region.number is not number:
                return None
            branches.append(region.places)
    chosen = _combine(inside, branches[0], bool.__and__)
    others = _combine(inside ^ EVERYTHING, branches[1], bool.__and__)
    places = chosen ^ others
    return Region(number, places) if len(places) <= MOST else None


def _combine(one: Bounds, other: Bounds, op: Callable[[bool, bool], bool]) -> Bounds:
    """Return the set of what is in both sets, or in one of them, as the operation says."""
    places, is_in_one, is_in_other, is_in = set(), False, False, False
    for place in sorted(one | other):
        is_in_one ^= place in one
        is_in_other ^= place in other
        if op(is_in_one, is_in_other) != is_in:
            is_in = not is_in
            places.add(place)
    return frozenset(places)
