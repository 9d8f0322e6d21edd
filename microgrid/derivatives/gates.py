"""Shares of a gradient that flow only where a condition holds, while nobody knows yet if it does.

In Python `where` passes all the gradient to the branch that was chosen, and the other is not asked.
A trace has both branches, and 0 times the infinite slope of the one not chosen would be nan. So
there a share is gated: it is `where(condition, share, 0)`, and stays so on its whole way back.
"""

from __future__ import annotations

from functools import reduce
from typing import Any
from weakref import WeakValueDictionary

from ..core.primitive import where
from ..engine import Value
from ..functional import sum_

__all__ = ["gated_product", "gated_sum", "is_gated"]


# The shares that were gated here. A user's own where(c, x, 0) is a number like any other: times nan
# it is nan, whether c holds or not. They are found by identity; a WeakSet would compare by ==.
_made: WeakValueDictionary[int, Value] = WeakValueDictionary()


def is_gated(x: Any) -> bool:
    """Return whether x is a share, or the partial of a `where`: 1 if a traced condition holds."""
    if not isinstance(x, Value) or x.op is not where or not x.parents[0].is_traced:
        return False
    _, share, other = x.parents
    is_partial = share.is_constant and share.data == 1
    return (id(x) in _made or is_partial) and other.is_constant and bool(other.data == 0)


def gated_product(x: Any, y: Any) -> Any:
    """Return x * y, of which at least one is gated: 0 where a condition does not hold."""
    conditions = [factor.parents[0] for factor in (x, y) if is_gated(factor)]
    return _gated(reduce(_both, conditions), _product(_behind(x), _behind(y)))


def gated_sum(terms: list[Any]) -> Any:
    """Return the sum of gated terms, gated by whether any of their conditions holds."""
    conditions = dict.fromkeys([term.parents[0] for term in terms])
    if len(conditions) == 1:
        return _gated(next(iter(conditions)), sum_(*map(_behind, terms)))
    if any(_denied(condition) in conditions for condition in conditions):
        return sum_(*terms)  # one of the two always holds
    return _gated(reduce(_either, conditions), sum_(*terms))


def _gated(condition: Any, share: Any) -> Any:
    gate = where(condition, share, 0)
    _made[id(gate)] = gate
    return gate


def _denied(condition: Any) -> Any:
    """Return the condition of which this one is the opposite, `where(c, 0, 1)`; else None."""
    opposite = condition.op is where and all(x.is_constant for x in condition.parents[1:])
    if opposite and [x.data for x in condition.parents[1:]] == [0, 1]:
        return condition.parents[0]
    return None


def _behind(x: Any) -> Any:
    """Return what the gate lets through, a constant as a plain number."""
    if is_gated(x):
        x = x.parents[1]
    return x.data if isinstance(x, Value) and x.is_constant else x


def _product(x: Any, y: Any) -> Any:
    """Return x * y, without a node where one is a plain 1."""
    if not isinstance(x, Value) and x == 1:
        return y
    return x if not isinstance(y, Value) and y == 1 else x * y


def _both(one: Any, other: Any) -> Any:
    return one if one is other else where(one, other, 0)


def _either(one: Any, other: Any) -> Any:
    return where(one, 1, other)
