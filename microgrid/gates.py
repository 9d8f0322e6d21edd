"""Shares of a gradient that flow only where a condition holds, while nobody knows yet if it does.

In Python `where` passes all the gradient to the branch that was chosen, and the other is not asked.
A trace has both branches, and 0 times the infinite slope of the one not chosen would be nan. So
there a share is gated: it is `where(condition, share, 0)`, and stays so on its whole way back.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from .engine import Value
from .functional import sum_
from .primitive import where

__all__ = ["gated_product", "gated_sum", "is_gated"]


def is_gated(x: Any) -> bool:
    """Return whether x is `where(condition, …, 0)` of a traced condition."""
    if not isinstance(x, Value) or x.op is not where or not x.parents[0].is_traced:
        return False
    other = x.parents[2]
    return other.is_constant and other.data == 0


def gated_product(x: Any, y: Any) -> Any:
    """Return x * y, of which at least one is gated: 0 where a condition does not hold."""
    conditions = [factor.parents[0] for factor in (x, y) if is_gated(factor)]
    return where(reduce(_both, conditions), _product(_behind(x), _behind(y)), 0)


def gated_sum(terms: list[Any]) -> Any:
    """Return the sum of gated terms, gated by whether any of their conditions holds."""
    conditions = list(dict.fromkeys([term.parents[0] for term in terms]))
    if len(conditions) == 1:
        return where(conditions[0], sum_(*map(_behind, terms)), 0)
    if any(_denied(condition) in conditions for condition in conditions):
        return sum_(*terms)  # one of the two always holds
    return where(reduce(_either, conditions), sum_(*terms), 0)


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
