"""Functions of NumPy that choose between numbers, or test conditions on them."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..core import primitive
from ..core.primitive import data_of
from ..functional import Number
from ..special import sinc
from .elements import (
    Array,
    Like,
    Objects,
    any_traced,
    as_arrays,
    each,
    floats_of,
    lanes,
    objects,
    settle,
    store,
)
from .protocol import apply_ufunc, implements
from .rules import (
    all_of,
    both,
    clip,
    either,
    is_finite,
    is_nan,
    is_traced,
    magnitude,
    pick,
    rint,
)

__all__: list[str] = []


@implements(np.where)
def _where(condition: object, *choices: Any) -> object:
    if len(choices) != 2:
        places = floats_of(condition, "the places where it holds", "write np.where(x > 0, a, b)")
        return np.where(places, *choices)
    x, y = map(objects, choices)
    if any_traced(condition):
        return each(
            lambda c, a, b: primitive.where(c, a, b) if is_traced(c) else a if c else b,
            condition,
            x,
            y,
        )
    picked = np.where(floats_of(condition, "the condition") != 0, x, y)
    return settle(picked) if picked.ndim else picked.item()


@implements(np.clip)
def _clip(
    a: Like,
    a_min: object = None,
    a_max: object = None,
    out: Objects | None = None,
    *,
    min: object = None,
    max: object = None,
) -> object:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    clipped = each(clip, a, low, high)
    return store(clipped, out)


@implements(np.select)
def _select(
    condlist: Sequence[object], choicelist: Sequence[object], default: object = 0.0
) -> object:
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"select needs a choice for each condition, got {len(choicelist)} for {len(condlist)}"
        )
    result = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = _where(condition, choice, result)
    return result


@implements(np.piecewise)
def _piecewise(
    x: object, condlist: Any, funclist: Sequence[object], *args: object, **kwargs: object
) -> object:
    elements = objects(x).view(Array)
    if not isinstance(condlist, (list, tuple)) and np.ndim(condlist) == elements.ndim:
        condlist = [condlist]
    conditions: list[Any] = [
        np.broadcast_to(objects(c), elements.shape).view(Array) for c in condlist
    ]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        conditions.append(np.logical_not(reduce(lambda x, y: np.logical_or(x, y), conditions)))
    if len(functions) != len(conditions):
        raise ValueError(
            f"piecewise needs a function for each condition, and one more at most, got "
            f"{len(functions)} for {len(conditions)}"
        )
    result: Any = np.zeros(elements.shape)
    for condition, function in zip(conditions, functions, strict=True):
        if any_traced(condition):
            own = function(elements, *args, **kwargs) if callable(function) else function
            result = _where(condition, own, result)
        else:
            places, result = floats_of(condition, "it").astype(bool), objects(result).view(Array)
            if callable(function):
                function = function(elements[places], *args, **kwargs)
            result[places] = function
    return result if np.ndim(result) else as_arrays(objects(result))


@implements(np.isclose)
def _isclose(
    a: Like, b: Like, rtol: Like = 1e-5, atol: Like = 1e-8, equal_nan: bool = False
) -> object:
    def close(x: Number, y: Number, rtol: Number, atol: Number) -> Number:
        is_close = magnitude(x - y) <= atol + rtol * magnitude(y)
        near = either(both(is_finite(y), is_close), x == y)
        return either(near, both(is_nan(x), is_nan(y))) if equal_nan else near

    return each(close, a, b, rtol, atol)


@implements(np.allclose)
def _allclose(
    a: Like, b: Like, rtol: Like = 1e-5, atol: Like = 1e-8, equal_nan: bool = False
) -> object:
    return lanes(lambda close: all_of(*close), _isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def _array_equal(a1: Like, a2: Like, equal_nan: bool = False) -> object:
    return np.shape(a1) == np.shape(a2) and _all_equal(a1, a2, equal_nan)


@implements(np.array_equiv)
def _array_equiv(a1: Like, a2: Like) -> object:
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return _all_equal(a1, a2)


def _all_equal(a: object, b: object, equal_nan: bool = False) -> object:
    def equal(x: Number, y: Number) -> Number:
        same = x == y
        return either(same, both(is_nan(x), is_nan(y))) if equal_nan else same

    return lanes(lambda same: all_of(*same), each(equal, a, b))


@implements(np.isposinf)
def _isposinf(x: Like) -> object:
    return each(lambda x: x == math.inf, x)


@implements(np.isneginf)
def _isneginf(x: Like) -> object:
    return each(lambda x: x == -math.inf, x)


@implements(np.nan_to_num)
def _nan_to_num(
    x: Like,
    copy: bool = True,
    nan: Number = 0.0,
    posinf: Number | None = None,
    neginf: Number | None = None,
) -> object:
    largest = float(np.finfo(float).max)
    above, below = largest if posinf is None else posinf, -largest if neginf is None else neginf

    def finite(x: Number, nan: Number, above: Number, below: Number) -> Number:
        x = pick(is_nan(x), nan, x)
        return pick(x == math.inf, above, pick(x == -math.inf, below, x))

    result = each(finite, x, nan, above, below)
    if not copy and isinstance(x, np.ndarray):
        x[...] = result
        return x
    return result


@implements(np.round, np.around)
def _round(a: Like, decimals: int = 0, out: Objects | None = None) -> object:
    scale = 10.0 ** abs(operator.index(decimals))

    def round_number(x: Number) -> Number:
        if decimals == 0:
            return rint(x)
        return rint(x * scale) / scale if decimals > 0 else rint(x / scale) * scale

    result = each(round_number, a)
    return store(result, out)


@implements(np.fix)
def _fix(x: Like, out: Objects | None = None) -> object:
    return apply_ufunc(np.trunc, "__call__", (x,), {} if out is None else {"out": (out,)})


@implements(np.sinc)
def _sinc(x: Like) -> object:
    return each(sinc, x)


@implements(np.unwrap)
def _unwrap(
    p: Like, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi
) -> object:
    phases = np.moveaxis(objects(p).view(Array), axis, -1)
    least = period / 2 if discont is None else max(discont, period / 2)
    steps = np.diff(phases, axis=-1)
    wrapped = np.mod(steps + period / 2, period) - period / 2
    wrapped = np.where(
        np.logical_and(np.equal(wrapped, -period / 2), np.greater(steps, 0)), period / 2, wrapped
    )
    corrections = np.where(np.less(np.absolute(steps), least), 0.0, wrapped - steps)
    turned = phases[..., 1:] + np.cumsum(corrections, axis=-1)
    return np.moveaxis(np.concatenate([phases[..., :1], turned], axis=-1), -1, axis)


@implements(np.interp)
def _interp(
    x: object,
    xp: object,
    fp: object,
    left: Number | None = None,
    right: Number | None = None,
    period: float | None = None,
) -> object:
    """Interpolate; at a point of `xp` the slope is that of the piece on its right."""
    points, values = objects(xp).ravel().tolist(), objects(fp).ravel().tolist()
    if len(points) != len(values) or not points:
        raise ValueError(
            f"interp needs as many values as points, and one at least, got {len(values)} values "
            f"for {len(points)} points"
        )
    if period is not None:
        x, points, values = _in_one_period(x, points, values, float(period))
        left = right = None
    first, last = (values[0] if left is None else left), (values[-1] if right is None else right)

    def interpolate(x: Number) -> Number:
        if not any(map(is_traced, (x, *points))):
            return _in_its_piece(x, points, values, first, last)
        y = values[-1]
        for i in range(len(points) - 2, -1, -1):
            if is_traced(points[i]) or is_traced(points[i + 1]) or points[i] < points[i + 1]:
                y = pick(x < points[i + 1], _on_line(x, points, values, i), y)
        y = pick(x < points[0], first, pick(x > points[-1], last, y))
        return pick(is_nan(x), x, y)

    return each(interpolate, x)


def _in_its_piece(
    x: Number, points: list[Number], values: list[Number], first: Number, last: Number
) -> Number:
    at, places = data_of(x), [data_of(point) for point in points]
    if at != at:
        return x
    if at < places[0]:
        return first
    if at >= places[-1]:
        return last if at > places[-1] else values[-1]
    return _on_line(x, points, values, bisect_right(places, at) - 1)


def _on_line(x: Number, points: list[Number], values: list[Number], i: int) -> Number:
    slope = (values[i + 1] - values[i]) / (points[i + 1] - points[i])
    return slope * (x - points[i]) + values[i]


def _in_one_period(
    x: object, points: list[Number], values: list[Number], period: float
) -> tuple[object, list[Number], list[Number]]:
    points = [point % period for point in points]
    places = floats_of(points, "an order of points")
    order = np.argsort(places).tolist()
    points, values = [points[i] for i in order], [values[i] for i in order]
    return (
        np.mod(objects(x).view(Array), period),
        [points[-1] - period, *points, points[0] + period],
        [values[-1], *values, values[0]],
    )
