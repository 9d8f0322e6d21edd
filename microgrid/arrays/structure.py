"""Functions of NumPy whose own code is right: they move elements, or only call other functions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.array_rules import Numeric
from ..guards.checks import quote
from .elements import Array, Axis, Like, as_arrays, objects
from .protocol import as_is, implements, of_parts

__all__: list[str] = []

Shape = int | tuple[int, ...] | None

as_is(
    np,
    # what moves elements about, or writes them
    "append apply_along_axis apply_over_axes array_split astype atleast_1d atleast_2d atleast_3d "
    "block broadcast_arrays broadcast_to choose column_stack compress concat concatenate copy "
    "copyto delete diag diag_indices_from diagflat diagonal dsplit dstack expand_dims extract "
    "fill_diagonal flip fliplr flipud hsplit hstack insert ix_ matrix_transpose meshgrid moveaxis "
    "permute_dims place put put_along_axis putmask ravel repeat reshape resize roll rollaxis rot90 "
    "split squeeze stack swapaxes take take_along_axis tile transpose tril tril_indices_from triu "
    "triu_indices_from unstack vsplit vstack "
    # what asks for anything but the numbers
    "array2string array_repr array_str can_cast common_type iscomplex iscomplexobj isreal "
    "isrealobj may_share_memory ndim real real_if_close result_type shape shares_memory size "
    "empty_like "
    # what is made of sums, products and what is declared elsewhere
    "all amax amin any convolve correlate cross cumprod cumsum "
    "cumulative_prod cumulative_sum diff ediff1d einsum einsum_path kron max mean min "
    "outer polyadd polyder polyint polysub polyval prod ptp sum trace "
    "trapezoid trapz vander",
)
of_parts(
    np,
    "all amax amin any argmax argmin argsort average cumprod cumsum cumulative_prod cumulative_sum "
    "diff max mean median min nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian "
    "nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar percentile prod ptp quantile "
    "sort std sum trapezoid trapz var",
)
of_parts(np, "convolve dot inner outer tensordot vdot", operands=2)
of_parts(np.linalg, "det inv norm slogdet solve")
as_is(
    np.linalg,
    "cross diagonal matmul matrix_transpose multi_dot outer trace vecdot",
)
as_is(np.fft, "fftshift ifftshift")
as_is(np.lib.stride_tricks, "sliding_window_view")


@implements(np.zeros_like)
def _zeros_like(
    a: Like, dtype: DTypeLike | None = None, *_: object, shape: Shape = None, **__: object
) -> object:
    return _full(a, 0.0, dtype, shape)


@implements(np.ones_like)
def _ones_like(
    a: Like, dtype: DTypeLike | None = None, *_: object, shape: Shape = None, **__: object
) -> object:
    return _full(a, 1.0, dtype, shape)


@implements(np.full_like)
def _full_like(
    a: Like,
    fill_value: object,
    dtype: DTypeLike | None = None,
    *_: object,
    shape: Shape = None,
    **__: object,
) -> object:
    return _full(a, fill_value, dtype, shape)


def _full(a: Like, fill: object, dtype: DTypeLike | None, shape: Shape) -> object:
    """Return an array of one number that can hold `Value`s, unless a dtype is asked for."""
    full = np.empty(np.shape(a) if shape is None else shape, object if dtype is None else dtype)
    full[...] = objects(fill) if full.dtype == object else fill
    return full.view(Array) if full.dtype == object else full


@implements(np.pad)
def _pad(array: object, pad_width: Any, mode: Any = "constant", **kwargs: object) -> object:
    if mode in ("maximum", "minimum", "median"):
        raise TypeError(f"np.pad of Values cannot take the {mode}; pad with np.concatenate")
    return as_arrays(np.pad(objects(array), pad_width, mode, **kwargs))


# ---- differences, and numbers at even distances


@implements(np.gradient)
def _gradient(f: object, *varargs: Like, axis: Axis = None, edge_order: int = 1) -> object:
    values = objects(f).view(Array)
    axes = range(values.ndim) if axis is None else np.atleast_1d(axis).tolist()
    steps = list(varargs) or [1.0]
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes) or edge_order not in (1, 2):
        raise TypeError(
            f"np.gradient needs one distance, or one for each of {len(axes)} axes, and an edge "
            f"order of 1 or 2; got {len(steps)} and {quote(edge_order)}"
        )
    slopes = [
        np.moveaxis(_slopes(np.moveaxis(values, a, 0), step, edge_order), 0, a)
        for a, step in zip(axes, steps, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slopes(y: Numeric, step: Numeric, edge_order: int) -> Array:
    """Return the slopes along the first axis: those of parabolas, at the edges of lines."""
    if len(y) < edge_order + 1:
        raise ValueError(f"np.gradient needs {edge_order + 1} elements or more, got {len(y)}")
    if np.ndim(step) == 0:
        gaps = [step] * (len(y) - 1)
        inner = [(after - before) / (2.0 * step) for before, after in zip(y, y[2:], strict=False)]
    else:
        points = objects(step).tolist()
        if len(points) != len(y):
            raise ValueError(f"np.gradient needs {len(y)} points, got {len(points)}")
        gaps = [after - before for before, after in pairwise(points)]
        inner = [
            before * (-h / (g * (g + h))) + at * ((h - g) / (g * h)) + after * (g / (h * (g + h)))
            for before, at, after, g, h in zip(y, y[1:], y[2:], gaps, gaps[1:], strict=False)
        ]
    if edge_order == 1:
        first, last = (y[1] - y[0]) / gaps[0], (y[-1] - y[-2]) / gaps[-1]
    else:
        first = _slope_at_edge(y[0], y[1], y[2], *gaps[:2])
        last = _slope_at_edge(y[-1], y[-2], y[-3], -gaps[-1], -gaps[-2])
    return np.stack([objects(slope) for slope in (first, *inner, last)]).view(Array)


def _slope_at_edge(y0: Numeric, y1: Numeric, y2: Numeric, g: Numeric, h: Numeric) -> Numeric:
    """Return the slope at y0 of the parabola through it and the two at distances g and g + h."""
    return (
        y0 * (-(2 * g + h) / (g * (g + h))) + y1 * ((g + h) / (g * h)) + y2 * (-g / (h * (g + h)))
    )


@implements(np.linspace)
def _linspace(
    start: Like,
    stop: Like,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: object = None,
    axis: int = 0,
    **device: object,
) -> object:
    if num < 0:
        raise ValueError(f"the number of samples must be at least 0, got {num}")
    pieces = num - 1 if endpoint else num
    first, last = np.broadcast_arrays(objects(start), objects(stop))
    width = np.subtract(first.view(Array), last.view(Array)) * -1.0
    step = width / pieces if pieces > 0 else width * np.nan
    between = objects(step if pieces > 0 else width)
    places = [i * between + first for i in range(num)]
    if endpoint and num > 1:
        places[-1] = last
    if not num:
        return np.empty((0, *first.shape))
    result = np.stack([objects(place) for place in places], axis)
    return (as_arrays(result), step) if retstep else as_arrays(result)


@implements(np.logspace)
def _logspace(
    start: Like,
    stop: Like,
    num: int = 50,
    endpoint: bool = True,
    base: Like = 10.0,
    dtype: object = None,
    axis: int = 0,
) -> object:
    exponents: Numeric = _linspace(start, stop, num, endpoint, axis=axis)
    return np.power(base, exponents)


@implements(np.geomspace)
def _geomspace(
    start: Like,
    stop: Like,
    num: int = 50,
    endpoint: bool = True,
    dtype: object = None,
    axis: int = 0,
) -> object:
    sign = np.sign(objects(start).view(Array))
    first, last = [np.log10(np.absolute(objects(x).view(Array))) for x in (start, stop)]
    numbers: Numeric = _logspace(first, last, num, endpoint, axis=axis)
    return sign * numbers
