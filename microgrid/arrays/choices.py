"""Functions of NumPy that choose between numbers, or tell what holds of them."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..core import primitive
from ..functional import sin
from .elements import Array, adopted, any_traced, each, known, lanes, objects, settled, stored
from .protocol import apply_ufunc, implements
from .rules import RULES, all_of, both, chosen, clip, data_of, is_finite, is_nan, is_traced

__all__: list[str] = []

_either, _rint = RULES[np.logical_or], RULES[np.rint]
SMALL = 0.5  # below which the series of sin(x) / x has all its digits with few terms


@implements(np.where)
def _where(condition: Any, *choices: Any) -> Any:
    if len(choices) != 2:
        places = known(condition, "the places where it holds", "write np.where(x > 0, a, b)")
        return np.where(places, *choices)
    x, y = map(objects, choices)
    if any_traced(condition):
        return each(
            lambda c, a, b: primitive.where(c, a, b) if is_traced(c) else a if c else b,
            condition,
            x,
            y,
        )
    picked = np.where(known(condition, "the condition") != 0, x, y)
    return settled(picked) if picked.ndim else picked.item()


@implements(np.clip)
def _clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    clipped = each(clip, a, low, high)
    return stored(clipped, out)


@implements(np.select)
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"select needs a choice for each condition, got {len(choicelist)} for {len(condlist)}"
        )
    result = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = _where(condition, choice, result)
    return result


@implements(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
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
            places, result = known(condition, "it").astype(bool), objects(result).view(Array)
            if callable(function):
                function = function(elements[places], *args, **kwargs)
            result[places] = function
    return result if np.ndim(result) else adopted(objects(result))


@implements(np.isclose)
def _isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    def close(x: Any, y: Any, rtol: Any, atol: Any) -> Any:
        near = abs(x - y) <= atol + rtol * abs(y)
        near = _either(both(is_finite(y), near), x == y)
        return _either(near, both(is_nan(x), is_nan(y))) if equal_nan else near

    return each(close, a, b, rtol, atol)


@implements(np.allclose)
def _allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    return lanes(lambda close: all_of(*close), _isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    return np.shape(a1) == np.shape(a2) and _all_equal(a1, a2, equal_nan)


@implements(np.array_equiv)
def _array_equiv(a1: Any, a2: Any) -> Any:
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return _all_equal(a1, a2)


def _all_equal(a: Any, b: Any, equal_nan: bool = False) -> Any:
    def equal(x: Any, y: Any) -> Any:
        same = x == y
        return _either(same, both(is_nan(x), is_nan(y))) if equal_nan else same

    return lanes(lambda same: all_of(*same), each(equal, a, b))


@implements(np.isposinf)
def _isposinf(x: Any) -> Any:
    return each(lambda x: x == math.inf, x)


@implements(np.isneginf)
def _isneginf(x: Any) -> Any:
    return each(lambda x: x == -math.inf, x)


@implements(np.nan_to_num)
def _nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    largest = float(np.finfo(float).max)
    above, below = largest if posinf is None else posinf, -largest if neginf is None else neginf

    def finite(x: Any, nan: Any, above: Any, below: Any) -> Any:
        x = chosen(is_nan(x), nan, x)
        return chosen(x == math.inf, above, chosen(x == -math.inf, below, x))

    result = each(finite, x, nan, above, below)
    if not copy and isinstance(x, np.ndarray):
        x[...] = result
        return x
    return result


@implements(np.round, np.around)
def _round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    scale = 10.0 ** abs(operator.index(decimals))

    def rounded(x: Any) -> Any:
        if decimals == 0:
            return _rint(x)
        return _rint(x * scale) / scale if decimals > 0 else _rint(x / scale) * scale

    result = each(rounded, a)
    return stored(result, out)


@implements(np.fix)
def _fix(x: Any, out: Any = None) -> Any:
    return apply_ufunc(np.trunc, "__call__", (x,), {} if out is None else {"out": (out,)})


@implements(np.sinc)
def _sinc(x: Any) -> Any:
    return each(_sinc_of_number, x)


def _sinc_of_number(x: Any) -> Any:
    """Return sin(pi x) / (pi x), of which the series has the derivatives at 0 too."""
    angle = math.pi * x
    is_small = abs(angle) < SMALL
    if not is_traced(x):
        return _series(angle) if is_small else sin(angle) / angle
    far = primitive.where(is_small, 1.0, angle)
    near = primitive.where(is_small, angle, 0.0)
    return primitive.where(is_small, _series(near), sin(far) / far)


def _series(x: Any) -> Any:
    total: Any = 1.0
    for n in range(16, 0, -2):
        total = 1.0 - x * x / (n * (n + 1)) * total
    return total


@implements(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
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
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
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

    def interpolated(x: Any) -> Any:
        if not any(map(is_traced, (x, *points))):
            return _in_its_piece(x, points, values, first, last)
        y = values[-1]
        for i in range(len(points) - 2, -1, -1):
            if is_traced(points[i]) or is_traced(points[i + 1]) or points[i] < points[i + 1]:
                y = chosen(x < points[i + 1], _on_line(x, points, values, i), y)
        y = chosen(x < points[0], first, chosen(x > points[-1], last, y))
        return chosen(is_nan(x), x, y)

    return each(interpolated, x)


def _in_its_piece(x: Any, points: list[Any], values: list[Any], first: Any, last: Any) -> Any:
    at, places = data_of(x), [data_of(point) for point in points]
    if at != at:
        return x
    if at < places[0]:
        return first
    if at >= places[-1]:
        return last if at > places[-1] else values[-1]
    return _on_line(x, points, values, bisect_right(places, at) - 1)


def _on_line(x: Any, points: list[Any], values: list[Any], i: int) -> Any:
    slope = (values[i + 1] - values[i]) / (points[i + 1] - points[i])
    return slope * (x - points[i]) + values[i]


def _in_one_period(
    x: Any, points: list[Any], values: list[Any], period: float
) -> tuple[Any, list[Any], list[Any]]:
    points = [point % period for point in points]
    places = known(points, "an order of points")
    order = np.argsort(places).tolist()
    points, values = [points[i] for i in order], [values[i] for i in order]
    return (
        np.mod(objects(x).view(Array), period),
        [points[-1] - period, *points, points[0] + period],
        [values[-1], *values, values[0]],
    )
