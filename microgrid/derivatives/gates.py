"""Shares of a gradient that flow only where a condition holds, before anybody knows if it does.

In Python `where` passes all the gradient to the branch that was chosen, and the other is not asked.
A trace has both branches, and 0 times the infinite slope of the one not chosen would be nan. So
there a share is gated: it is `where(condition, share, 0)`, and a product with a gated share is the
gated product of what is behind the gate. The 0 thus stays outermost on the whole way back, and
whatever the slopes of the branch not chosen are, they are never multiplied by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TypeGuard
from weakref import WeakValueDictionary

from ..core.primitive import where
from ..engine import Value
from ..functional import Number, sum_
from .conditions import always_one_holds, are_opposite, implies, same

__all__ = ["is_gated", "multiply_gated", "sum_gated"]


# The shares that were gated here. A user's own where(c, x, 0) is a number like any other: times nan
# it is nan, whether c holds or not. They are found by identity; a WeakSet would compare by ==.
_gates: WeakValueDictionary[int, Value] = WeakValueDictionary()


def is_gated(x: Number | None) -> TypeGuard[Value]:
    """Return whether x is a share, or the partial of a `where`: 1 if a traced condition holds."""
    if not isinstance(x, Value) or x.op is not where or not x.parents[0].is_traced:
        return False
    _, share, other = x.parents
    is_partial = share.is_constant and share.data == 1
    return (id(x) in _gates or is_partial) and other.is_constant and bool(other.data == 0)


def multiply_gated(x: Number, y: Number) -> Value:
    """Return x * y, of which at least one is gated: 0 where a condition does not hold."""
    conditions = [factor.parents[0] for factor in (x, y) if is_gated(factor)]
    return _gate(reduce(_both, conditions), _product(_behind(x), _behind(y)))


def sum_gated(terms: Sequence[Value]) -> Value:
    """Return the sum of gated terms, gated by whether any of their conditions holds.

    If one of these always does there is no gate, and everything further back is as if computed
    without a choice: for example when one of many is chosen by an index.
    """
    first, *others = [term.parents[0] for term in terms]
    if all(same(first, other) for other in others):
        return _gate(first, sum_(*map(_behind, terms)))
    if len(terms) == 2 and are_opposite(first, others[0]):
        return where(first, *map(_behind, terms))
    if always_one_holds([first, *others]):
        return sum_(*terms)
    return _gate(reduce(_either, dict.fromkeys(others), first), sum_(*terms))


def _gate(condition: Value, share: Number) -> Value:
    gate = where(condition, share, 0)
    _gates[id(gate)] = gate
    return gate


def _behind(x: Number) -> Number:
    """Return what the gate lets through, a constant as a plain number."""
    if is_gated(x):
        x = x.parents[1]
    return x.data if isinstance(x, Value) and x.is_constant else x


def _product(x: Number, y: Number) -> Number:
    """Return x * y, without a node where one is a plain 1."""
    if not isinstance(x, Value) and x == 1:
        return y
    return x if not isinstance(y, Value) and y == 1 else x * y


def _both(one: Value, other: Value) -> Value:
    if implies(one, other):
        return one
    return other if implies(other, one) else where(one, other, 0)


def _either(one: Value, other: Value) -> Value:
    return where(one, 1, other)
