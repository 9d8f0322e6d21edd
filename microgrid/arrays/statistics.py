"""Functions of NumPy that sort, or leave out nan; those that only add up are its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import numpy as np

from ..core.primitive import Operand, data_of, where
from ..functional import Number, max_, min_, stop_gradient, sum_
from ..guards.checks import quote
from .elements import Array, Axis, Floats, Like, Objects, floats_of, lanes, objects, settle, store
from .protocol import implements
from .rules import all_of, any_of, is_nan, is_traced, pick

__all__: list[str] = []

OfNumbers = Callable[[list[Number]], Number]

MOST_SORTED = 64  # in a trace, where the steps grow as the square


def _any_traced(numbers: list[Number]) -> bool:
    return any(map(is_traced, numbers))


# ---- in order


@implements(np.sort)
def _sort(
    a: Like, axis: Axis = -1, kind: object = None, order: object = None, *, stable: object = None
) -> object:
    """Sort; elements that are equal share the gradients of their places evenly."""
    elements = objects(a)
    if axis is None:
        elements, axis = elements.ravel(), 0
    result = np.empty(elements.shape, object)
    before, after = np.moveaxis(elements, axis, -1), np.moveaxis(result, axis, -1)
    for index in np.ndindex(before.shape[:-1]):
        after[index] = _in_order(before[index].tolist())
    return settle(result)


@implements(np.partition)
def _partition(
    a: Like, kth: Like, axis: Axis = -1, kind: object = "introselect", order: object = None
) -> object:
    return _sort(a, axis)  # in which every place is right


def _in_order(numbers: list[Number]) -> list[Number]:
    """Return numbers from the least to the greatest, then nan."""
    if _any_traced(numbers):
        return _in_order_of_a_kernel(numbers)
    n = len(numbers)
    ordered = sorted(numbers, key=lambda x: (data_of(x) != data_of(x), data_of(x)))
    result: list[Number] = []
    for _, group in groupby(ordered, key=data_of):
        tied = list(group)
        result += [max_(*tied)] * len(tied) if len(tied) > 1 else tied
    missing = sum(1 for x in numbers if is_nan(x))
    if missing:
        result[n - missing :] = [max_(*numbers)] * missing  # which is nan
    return result


def _in_order_of_a_kernel(numbers: list[Number]) -> list[Number]:
    """Do the same by comparisons that are the same for all rows.

    Which number is the k-th is found without derivatives, by a network. It is then the greatest of
    all that are not above it: so those that tie share its gradient.
    """
    n = len(numbers)
    if n > MOST_SORTED:
        raise TypeError(
            f"a compiled function sorts {MOST_SORTED} numbers at most, got {n}: it takes more than "
            "their square in steps; sort in Python, outside of the function"
        )
    finite = [where(is_nan(x), math.inf, x) for x in numbers]
    ordered = [stop_gradient(x) for x in finite]
    for i, k in _comparisons(n):
        swap, x, y = ordered[k] < ordered[i], ordered[i], ordered[k]
        ordered[i], ordered[k] = where(swap, y, x), where(swap, x, y)
    known_numbers = n - sum_(*[_one_if(is_nan(x)) for x in numbers])
    least, any_nan = min_(*finite), max_(*numbers)
    result: list[Number] = []
    for k, place in enumerate(ordered):
        at_most = max_(*[where(x <= place, x, -math.inf) for x in finite])
        found = where(place <= -math.inf, least, at_most)
        result.append(where(k < known_numbers, found, any_nan))
    return result


def _one_if(condition: Number) -> Number:
    return condition if is_traced(condition) else float(condition)


def _comparisons(n: int) -> list[tuple[int, int]]:
    """Return the places to compare for n numbers to be in order (Batcher 1968, Knuth 5.2.2 M)."""
    found: list[tuple[int, int]] = []
    top = 1 << (n - 1).bit_length() - 1 if n > 1 else 0
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            found += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return found


# ---- quantiles


@implements(np.median)
def _median(
    a: Like,
    axis: Axis = None,
    out: Objects | None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> object:
    return store(lanes(_median_of, a, axis, keepdims), out)


@implements(np.nanmedian)
def _nanmedian(
    a: Like,
    axis: Axis = None,
    out: Objects | None = None,
    overwrite_input: bool = False,
    keepdims: object = False,
) -> object:
    return store(lanes(_without_nan(_middle), a, axis, keepdims is True), out)


def _median_of(numbers: list[Number]) -> Number:
    return _unless_nan(numbers, _middle)


def _middle(ordered: list[Number]) -> Number:
    n = len(ordered)
    if n % 2:
        return ordered[n // 2]
    return (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def _unless_nan(numbers: list[Number], of_ordered: OfNumbers) -> Number:
    """Apply a function to numbers in order; return nan if one of them is nan."""
    if not numbers:
        return math.nan
    has_nan = any_of(*map(is_nan, numbers))
    if is_traced(has_nan):
        return where(has_nan, max_(*numbers), of_ordered(_in_order(numbers)))
    return max_(*numbers) if has_nan else of_ordered(_in_order(numbers))


def _without_nan(of_ordered: OfNumbers) -> OfNumbers:
    """Return the function that applies another to those numbers, in order, that are not nan."""

    def of_numbers(numbers: list[Number]) -> Number:
        ordered = _in_order(numbers)
        if not _any_traced(numbers):
            there = [x for x in ordered if not is_nan(x)]
            return of_ordered(there) if there else math.nan
        result: Number = math.nan
        for count in range(1, len(ordered) + 1):  # how many are there is known to the kernel alone
            result = where(is_nan(ordered[count - 1]), result, of_ordered(ordered[:count]))
        return result

    return of_numbers


@implements(np.quantile)
def _quantile(
    a: Like,
    q: Like,
    axis: Axis = None,
    out: Objects | None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    **others: object,
) -> object:
    return store(_quantiles(a, q, axis, method, keepdims, _unless_nan, others), out)


@implements(np.percentile)
def _percentile(a: Like, q: Like, *args: Any, **kwargs: Any) -> object:
    return _quantile(a, _fractions(q) / 100, *args, **kwargs)


@implements(np.nanquantile)
def _nanquantile(
    a: Like,
    q: Like,
    axis: Axis = None,
    out: Objects | None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: object = False,
    **others: object,
) -> object:
    def of_numbers(numbers: list[Number], of_ordered: OfNumbers) -> Number:
        return _without_nan(of_ordered)(numbers)

    return store(_quantiles(a, q, axis, method, keepdims is True, of_numbers, others), out)


@implements(np.nanpercentile)
def _nanpercentile(a: Like, q: Like, *args: Any, **kwargs: Any) -> object:
    return _nanquantile(a, _fractions(q) / 100, *args, **kwargs)


def _fractions(q: object) -> Floats:
    return floats_of(q, "a quantile of itself", "give plain numbers")


# method -> where the least and the greatest stand, of Hyndman & Fan 1996
QUANTILES = {
    "linear": (1.0, 1.0),
    "weibull": (0.0, 0.0),
    "hazen": (0.5, 0.5),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
    "interpolated_inverted_cdf": (0.0, 1.0),
}
NEIGHBOURS: dict[str, Callable[[float], float]] = {
    "lower": math.floor,
    "higher": math.ceil,
    "nearest": round,
    "midpoint": lambda place: (math.floor(place) + math.ceil(place)) / 2,
}


def _quantiles(
    a: object,
    q: object,
    axis: Axis,
    method: str,
    keepdims: bool,
    of_numbers: Callable[[list[Number], OfNumbers], Number],
    others: Mapping[str, object],
) -> object:
    fractions = _fractions(q)
    if not ((fractions >= 0) & (fractions <= 1)).all():
        raise ValueError("quantiles must be between 0 and 1, percentiles between 0 and 100")
    if method not in {*QUANTILES, *NEIGHBOURS} or any(x is not None for x in others.values()):
        raise TypeError(
            f"quantiles of Values have no weights, and are {', '.join([*QUANTILES, *NEIGHBOURS])}; "
            f"got method = {quote(method)}"
        )

    def at(fraction: float) -> object:
        def quantile(ordered: list[Number]) -> Number:
            return _at_place(ordered, _place(len(ordered), fraction, method))

        return lanes(lambda numbers: of_numbers(numbers, quantile), a, axis, keepdims)

    found = [objects(at(fraction)) for fraction in fractions.ravel().tolist()]
    shape = np.shape(found[0]) if found else ()
    result = np.empty((len(found), *shape), object)
    for i, own in enumerate(found):
        result[i, ...] = own
    result = result.reshape((*fractions.shape, *shape))
    return settle(result) if result.ndim else result.item()


def _place(n: int, fraction: float, method: str) -> float:
    if method in NEIGHBOURS:
        return NEIGHBOURS[method](fraction * (n - 1))
    alpha, beta = QUANTILES[method]
    place = n * fraction + (alpha + fraction * (1 - alpha - beta)) - 1
    return min(max(place, 0.0), n - 1.0)


def _at_place(ordered: list[Number], place: float) -> Number:
    """Return the number at a place that may be between two."""
    below = math.floor(place)
    share = place - below
    if share == 0:
        return ordered[below]
    low, high = ordered[below], ordered[below + 1]
    step = high - low
    return low + step * share if share < 0.5 else high - step * (1 - share)


# ---- without nan


def _instead_of_nan(a: object, fill: float) -> object:
    def replace(x: Number) -> Number:
        missing = is_nan(x)
        return where(missing, fill, x) if is_traced(missing) else fill if missing else x

    elements = objects(a)
    result = np.empty(elements.shape, object)
    result[...] = np.frompyfunc(replace, 1, 1)(elements)
    return settle(result)


def _of_filled(function: Callable[..., object], fill: float) -> Callable[..., object]:
    def of_filled(a: object, *args: object, **kwargs: object) -> object:
        return function(_instead_of_nan(a, fill), *args, **kwargs)

    return of_filled


for _without, _function, _fill in (
    (np.nansum, np.sum, 0.0),
    (np.nanprod, np.prod, 1.0),
    (np.nancumsum, np.cumsum, 0.0),
    (np.nancumprod, np.cumprod, 1.0),
):
    implements(_without)(_of_filled(_function, _fill))


def _extremum(operation: Callable[..., Number], fill: float) -> Callable[..., object]:
    def extremum(
        a: object, axis: Axis = None, out: Objects | None = None, keepdims: object = False
    ) -> object:
        return store(lanes(of_numbers, a, axis, keepdims is True), out)

    def of_numbers(numbers: list[Number]) -> Number:
        if not numbers:
            raise ValueError("an extremum needs one number at least, got an empty array")
        there = _there(numbers)
        if not _any_traced(there):
            return operation(*there) if there else math.nan
        found = operation(*[where(is_nan(x), fill, x) for x in there])
        missing = all_of(*map(is_nan, there))
        return where(missing, math.nan, found)

    return extremum


implements(np.nanmax)(_extremum(max_, -math.inf))
implements(np.nanmin)(_extremum(min_, math.inf))


def _there(numbers: list[Number]) -> list[Number]:
    return [x for x in numbers if is_traced(x) or not is_nan(x)]


def _if_there(x: Number, y: Number) -> Number:
    """Return y where x is a number, 0 where it is nan."""
    return where(x <= x, y, 0.0) if is_traced(x) else y


def _mean_of(numbers: list[Number]) -> Number:
    there = _there(numbers)
    count = sum_(*[_if_there(x, 1.0) for x in there]) if there else 0.0
    return sum_(*[_if_there(x, x) for x in there]) / count if there else math.nan


def _variance_of(numbers: list[Number], ddof: float) -> Number:
    there, mean = _there(numbers), _mean_of(numbers)
    if not _any_traced(there) and len(there) <= ddof:
        return math.nan
    freedom = sum_(*[_if_there(x, 1.0) for x in there]) - ddof
    squares = [_if_there(x, (x - mean) * (x - mean)) for x in there]
    return pick(freedom <= 0, math.nan, sum_(*squares) / freedom)


@implements(np.nanmean)
def _nanmean(
    a: Like,
    axis: Axis = None,
    dtype: object = None,
    out: Objects | None = None,
    keepdims: object = False,
) -> object:
    return store(lanes(_mean_of, a, axis, keepdims is True), out)


@implements(np.nanvar)
def _nanvar(
    a: Like,
    axis: Axis = None,
    dtype: object = None,
    out: Objects | None = None,
    ddof: float = 0,
    keepdims: object = False,
) -> object:
    return store(lanes(lambda row: _variance_of(row, ddof), a, axis, keepdims is True), out)


@implements(np.nanstd)
def _nanstd(a: Like, *args: Any, **kwargs: Any) -> object:
    return np.sqrt(objects(_nanvar(a, *args, **kwargs)).view(Array))


@implements(np.var)
def _var(a: Like, *args: Any, **kwargs: object) -> object:
    return np.atleast_1d(objects(a)).view(Array).var(*args, **_with_ddof(kwargs))


@implements(np.std)
def _std(a: Like, *args: Any, **kwargs: object) -> object:
    return np.atleast_1d(objects(a)).view(Array).std(*args, **_with_ddof(kwargs))


def _with_ddof(kwargs: dict[str, object]) -> dict[str, Any]:
    """Return keywords with the array API's `correction` under its older name."""
    return {"ddof" if name == "correction" else name: x for name, x in kwargs.items()}


@implements(np.average)
def _average(
    a: Like,
    axis: Axis = None,
    weights: Like | None = None,
    returned: bool = False,
    *,
    keepdims: object = False,
) -> object:
    elements = objects(a).view(Array)
    shares = objects(1.0 if weights is None else weights)
    if shares.ndim and shares.shape != elements.shape:
        if shares.ndim != 1 or axis is None or isinstance(axis, tuple):
            raise TypeError(
                "np.average needs weights of the shape of what they weigh, or one for each place "
                f"along an axis; got the shapes {shares.shape} and {elements.shape}"
            )
        shares = shares.reshape(
            [-1 if i == axis % elements.ndim else 1 for i in range(elements.ndim)]
        )
    shares = np.broadcast_to(shares, elements.shape).view(Array)
    total = shares.sum(axis, keepdims=keepdims is True)
    mean = (elements * shares).sum(axis, keepdims=keepdims is True) / total
    return (mean, total) if returned else mean


@implements(np.cov)
def _cov(
    m: Like,
    y: Like | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: float | None = None,
    fweights: object = None,
    aweights: object = None,
    **dtype: object,
) -> object:
    if fweights is not None or aweights is not None:
        raise TypeError("np.cov of Values takes no weights; write sums with them out")
    variables = [_variables(x, rowvar) for x in (m, y) if x is not None]
    if len({v.shape[1] for v in variables}) > 1:
        raise ValueError("np.cov needs as many observations of all variables")
    table = np.concatenate(variables).view(Array)
    freedom = table.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    deviations = table - table.mean(axis=1, keepdims=True)
    covariances = deviations @ deviations.T / freedom
    return covariances if len(table) > 1 else covariances[0, 0]


def _variables(x: object, rowvar: bool) -> Objects:
    table = objects(x)
    if table.ndim > 2:
        raise ValueError("np.cov needs arrays of one or two dimensions")
    return table.reshape(1, -1) if table.ndim < 2 else table if rowvar else table.T


@implements(np.corrcoef)
def _corrcoef(x: Like, y: Like | None = None, rowvar: bool = True, **kwargs: Any) -> object:
    covariance: Any = _cov(x, y, rowvar, **kwargs)
    if not np.ndim(covariance):
        return covariance / covariance
    deviation = np.sqrt(np.diag(covariance))
    return np.clip(covariance / deviation[:, np.newaxis] / deviation, -1.0, 1.0)


# ---- places and counts, which have no derivative


def _of_data(function: Callable[..., object], use: str, instead: str) -> None:
    @implements(function)
    def of_data(*args: object, **kwargs: object) -> object:
        return function(*[_floats_or_same(x, use, instead) for x in args], **kwargs)


def _floats_or_same(x: object, use: str, instead: str) -> object:
    if isinstance(x, Operand) or (isinstance(x, np.ndarray) and x.dtype == object):
        return floats_of(x, use, instead)
    if isinstance(x, (list, tuple)):
        return type(x)([_floats_or_same(part, use, instead) for part in x])
    return x


for _name, _instead in {
    **dict.fromkeys(("argmax", "nanargmax"), "np.max and np.where choose without a place"),
    **dict.fromkeys(("argmin", "nanargmin"), "np.min and np.where choose without a place"),
    **dict.fromkeys(("argsort", "argpartition", "lexsort"), "np.sort gives the numbers in order"),
    **dict.fromkeys(("searchsorted", "digitize"), "np.sum(x > points) counts those below x"),
    **dict.fromkeys(("nonzero", "flatnonzero", "argwhere"), "write np.where(x > 0, x, 0)"),
    **dict.fromkeys(("count_nonzero",), "np.sum(x > 0) counts"),
    **dict.fromkeys(("isin",), "np.any(x[:, None] == y, axis=1) compares"),
}.items():
    _of_data(getattr(np, _name), f"np.{_name}", _instead)
