"""NumPy's protocol: its functions, applied to arrays and numbers, some of them `Value`s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import functional, special
from ..core.operators import NUMBERS
from ..core.primitive import Operand
from ..functional import Number
from ..guards.checks import quote
from .elements import Array, Axis, Objects, as_arrays, floats_of, lanes, objects, settle
from .rules import LANES, RULES, is_traced

__all__ = [
    "UFUNCS", "apply_function", "apply_named", "apply_ufunc", "as_is", "implements", "of_parts",
]  # fmt: skip

Own = TypeVar("Own", bound=Callable[..., object])
Function = Callable[..., object]

FUNCTIONS: dict[Function, Function] = {}  # of NumPy -> what they are here
AS_IS: set[Function] = set()  # those that move elements, or are made of others alone
OF_PARTS: dict[Function, int] = {}  # those of whole arrays -> how many operands must be arrays
SINGLE = (Operand, *NUMBERS)
UFUNCS: dict[np.ufunc, Function] = {}  # those of more than single numbers, as `@`
LOOPS: dict[np.ufunc, np.ufunc] = {  # ufuncs over objects, with NumPy's broadcasting and methods
    ufunc: np.frompyfunc(rule, ufunc.nin, ufunc.nout) for ufunc, rule in RULES.items()
}

# What to write instead of a function that there is not for arrays of `Value`s.
OWN_NAMES = {"expit": "sigmoid", "log_expit": "log_sigmoid", "gammaln": "lgamma", "psi": "digamma"}
OF_NUMBERS = "take the numbers, as in [v.data for v in x]: its result has no derivatives"
INSTEAD = {
    name: advice
    for names, advice in {
        "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn": (
            "multiply by the real and the imaginary part of np.fft.fft(np.eye(n)), one by one"
        ),
        "eig eigh eigvals eigvalsh svd svdvals qr cond": (
            "write microgrid.root of the equations that its result solves, as of "
            "np.linalg.det(a - x * np.eye(n)) for an eigenvalue"
        ),
        "lstsq pinv": "write np.linalg.solve(a.T @ a, a.T @ b)",
        "tensorsolve tensorinv": "write np.linalg.solve or inv of a.reshape(n, n)",
        "polyfit": "write np.linalg.solve(v.T @ v, v.T @ y) with v = np.vander(x, degree + 1)",
        "polymul": "write np.convolve",
        "poly": "write np.convolve of [1.0, -root] for each root",
        "roots polydiv": "write microgrid.root of np.polyval, one root after the other",
        "angle": "write np.arctan2 of the imaginary and the real part, as a Value is a real number",
        "imag": "write 0.0, as a Value is a real number",
        "sort_complex": "write np.sort, as a Value is a real number",
        "i0": "write its series in microgrid's functions, or a microgrid.Primitive of your own",
    }.items()
    for name in names.split()
}

_numpys_own = np.ndarray.__array_function__


def implements(*functions: Function) -> Callable[[Own], Own]:
    """Declare what some functions of NumPy are on arrays of `Value`s."""

    def declare(own: Own) -> Own:
        FUNCTIONS.update(dict.fromkeys(functions, own))
        return own

    return declare


def of_parts(module: ModuleType, names: str, operands: int = 1) -> None:
    """Declare that functions go through the elements of their first operands."""
    found = [getattr(module, name) for name in names.split() if hasattr(module, name)]
    OF_PARTS.update(dict.fromkeys(found, operands))


def as_is(module: ModuleType, names: str) -> None:
    """Declare that NumPy's own code is right for functions; not every NumPy has all of them."""
    AS_IS.update([getattr(module, name) for name in names.split() if hasattr(module, name)])


def apply_ufunc(
    ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Return the result of a ufunc on arrays and numbers, some of them `Value`s.

    >>> from microgrid import Value
    >>> apply_ufunc(np.maximum, "__call__", (Value(3.0), 2.0), {})
    Value(data=3.0, grad=0.0)
    """
    if method == "__call__" and not kwargs and ufunc in RULES:
        numbers = list(map(_plain, inputs))
        if not any(x is None for x in numbers):
            try:
                return RULES[ufunc](*numbers)
            except TypeError as error:
                _require_numbers(ufunc, inputs, error)
                raise
    if method not in ("__call__", "outer"):
        _require_parts([x for x in inputs[: ufunc.nin] if is_traced(x)])
    outs = kwargs.get("out", ())
    rest = {name: x for name, x in kwargs.items() if name != "out"}
    _require_floats(ufunc, rest)
    if method == "at":
        return _at(ufunc, *inputs)
    if method == "reduceat":
        inputs, rest = inputs[:1], {"indices": inputs[1]} | rest
    try:
        result = _compute(ufunc, method, [objects(x) for x in inputs], rest, outs)
    except TypeError as error:
        _require_numbers(ufunc, inputs, error)
        raise
    return _write(result, outs) if outs else settle(result)


def _require_numbers(ufunc: np.ufunc, inputs: tuple[object, ...], error: TypeError) -> None:
    """Raise a `TypeError` that names the operand that is not a number, if that caused an error."""
    for x in inputs:
        several = isinstance(x, (np.ndarray, list, tuple))
        for item in np.asarray(x, object).ravel().tolist() if several else [x]:
            if not isinstance(item, (Operand, *NUMBERS, np.bool_, list, tuple)):
                raise TypeError(
                    f"np.{ufunc.__name__} of Values takes real numbers, got {quote(item)} "
                    f"({type(item).__name__})"
                ) from error


def apply_named(name: str, operands: tuple[object, ...]) -> object:
    """Apply the ufunc of that name to numbers."""
    return apply_ufunc(getattr(np, name), "__call__", operands, {})


def _compute(
    ufunc: Any, method: str, inputs: list[Objects], kwargs: dict[str, Any], outs: tuple[Any, ...]
) -> object:
    if ufunc in UFUNCS and method == "__call__":
        return UFUNCS[ufunc](*inputs, **kwargs)
    if _takes_objects_alone(ufunc):  # such as np.frompyfunc and np.vectorize make
        return getattr(ufunc, method)(*inputs, **kwargs)
    if ufunc not in LOOPS:
        raise TypeError(_no_rule(ufunc))
    if method == "reduce" and ufunc in LANES:
        (elements,) = inputs
        return _reduce(ufunc, elements, **kwargs)
    if method == "accumulate" and ufunc in (np.maximum, np.minimum):
        (elements,) = inputs
        return _accumulate(LANES[ufunc], elements, **kwargs)
    if method == "__call__" and "where" in kwargs:
        places = floats_of(kwargs["where"], "a choice of places", "write np.where").astype(bool)
        kwargs = {"where": places, "out": tuple(map(_as_objects, outs)) or None}
    with np.errstate(all="ignore"):  # the numbers of Python warn of nothing
        return getattr(LOOPS[ufunc], method)(*inputs, **kwargs)


def _as_objects(out: NDArray[np.generic]) -> Objects:
    return out.view(np.ndarray) if out.dtype == object else out.astype(object)


def _takes_objects_alone(ufunc: np.ufunc) -> bool:
    return all(set(types) <= {"O", "-", ">"} for types in ufunc.types)


def _no_rule(function: Function) -> str:
    name = function.__name__
    own = OWN_NAMES.get(name, name)
    is_own = own in (*functional.__all__, *special.__all__)
    advice = f"write microgrid.{own}" if is_own else INSTEAD.get(name, OF_NUMBERS)
    return (
        f"{name} has no derivative here, it takes arrays of floats alone, not of Values; {advice}"
    )


def _require_floats(ufunc: np.ufunc, kwargs: dict[str, Any]) -> None:
    """Drop the options that do not affect numbers; raise `TypeError` for a dtype that does."""
    for name in ("casting", "order", "subok"):
        kwargs.pop(name, None)
    kind = kwargs.pop("dtype", None)
    if kind is not None and np.dtype(kind) not in (object, float, bool):
        raise TypeError(f"{ufunc.__name__} of Values gives floats, it cannot give {quote(kind)}")


def _plain(x: object) -> Any:
    """Return NumPy's number as Python's, and None for an array.

    NumPy's own operators would ask the ufunc again.
    """
    if isinstance(x, np.ndarray) and not x.ndim:  # so NumPy compares its numbers
        x = x[()]
    if isinstance(x, np.generic):
        return float(x) if isinstance(x, np.floating) else x.item()
    return x if isinstance(x, SINGLE) else None


def _reduce(
    ufunc: np.ufunc,
    elements: Objects,
    axis: Axis = 0,
    keepdims: bool = False,
    initial: object = None,
    where: object = True,
) -> object:
    operation, identity = LANES[ufunc], ufunc.identity
    first = [] if initial is None else [_plain(initial)]
    if where is not True:
        places = floats_of(where, "a choice of places", "write np.where").astype(bool)
        places = np.broadcast_to(places, elements.shape)
        marked = np.empty(elements.shape, object)
        marked[...] = elements
        marked[~places] = _left_out
        elements = marked

    def reduce(numbers: list[Number]) -> Number:
        numbers = [*first, *[x for x in numbers if x is not _left_out]]
        if not numbers and identity is None:
            raise ValueError(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        if not numbers:
            return identity if isinstance(identity, bool) else float(identity)
        return operation(*numbers)

    return lanes(reduce, elements, axis, keepdims)


_left_out = object()  # stands for an element that a reduction must not see


def _accumulate(operation: Callable[..., object], elements: Objects, axis: int = 0) -> Objects:
    """Return the extremum of each element and all before it; those that tie share its gradient."""
    result = np.empty(elements.shape, object)
    along, out = np.moveaxis(elements, axis, -1), np.moveaxis(result, axis, -1)
    for index in np.ndindex(along.shape[:-1]):
        row = along[index].tolist()
        out[index] = [operation(*row[: i + 1]) for i in range(len(row))]
    return result


def _at(ufunc: np.ufunc, target: object, index: Any, *operand: object) -> None:
    if not isinstance(target, np.ndarray) or target.dtype != object:
        raise TypeError("an array of floats cannot hold Values: begin with np.zeros_like(x)")
    if ufunc not in LOOPS:
        raise TypeError(_no_rule(ufunc))
    LOOPS[ufunc].at(target.view(np.ndarray), index, *[objects(x) for x in operand])


def _write(result: object, outs: tuple[NDArray[np.generic] | None, ...]) -> object:
    """Write a result into the arrays that the caller gave for it, and return these."""
    results = result if isinstance(result, tuple) else (result,)
    written = []
    for own, out in zip(results, outs, strict=True):
        if out is None:
            written.append(settle(own))
            continue
        own = settle(objects(own))
        if out.dtype != object and own.dtype == object:
            raise TypeError(
                f"an array of dtype {out.dtype} cannot hold Values: write x = x + y for x += y, "
                "or begin with np.zeros_like of an array of Values"
            )
        out.view(np.ndarray)[...] = own
        written.append(out)
    return written[0] if len(written) == 1 else tuple(written)


def apply_function(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    """Return the result of a NumPy function on arrays and numbers, some of them `Value`s.

    >>> from microgrid import Value
    >>> apply_function(np.max, ([Value(3.0), 2.0],), {})
    Value(data=3.0, grad=0.0)
    """
    if function in OF_PARTS:
        _require_parts(args[: OF_PARTS[function]])
    if own := FUNCTIONS.get(function):
        return own(*args, **kwargs)
    if function not in AS_IS:
        raise TypeError(_no_rule(function))
    args = tuple([_as_array(x) for x in args])
    kwargs = {name: _as_array(x) for name, x in kwargs.items()}
    return as_arrays(_numpys_own(np.empty(0), function, (np.ndarray,), args, kwargs))


def _as_array(x: object) -> object:
    """Return an argument with arrays in the places of single `Value`s and of lists of them."""
    if isinstance(x, Operand):
        return objects(x).view(Array)
    if isinstance(x, (list, tuple)) and _holds(x, Operand):
        if not _holds(x, np.ndarray):
            return objects(x).view(Array)
        return type(x)([_as_array(part) for part in x])
    return x


def _holds(x: object, kind: type) -> bool:
    """Return whether nested lists hold something of a kind."""
    if isinstance(x, (list, tuple)):
        return any(_holds(part, kind) for part in x)
    return isinstance(x, kind)


def _require_parts(operands: Sequence[Any]) -> None:
    """Raise `TypeError` for a sum, or the like, over a number that stands for a whole column."""
    if any(map(is_traced, operands)) and not any(map(np.ndim, operands)):
        for x in filter(is_traced, operands):
            x[()]  # the error says what it is
