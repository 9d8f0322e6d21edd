"""`Array`, NumPy's array of objects for `Value`s, and functions that go through elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.array_rules import Numeric
from ..core.operators import NUMBERS, Arithmetic
from ..core.primitive import Operand, data_of
from ..engine import Value
from ..functional import Number
from ..guards.checks import is_of_dates, quote
from .rules import is_traced

__all__ = [
    "Array", "Axis", "Floats", "Like", "Objects", "any_traced", "array", "as_arrays", "as_numpy",
    "axes_of", "each", "floats_of", "lanes", "map_elements", "objects", "rows", "settle", "store",
]  # fmt: skip


Objects = NDArray[np.object_]
Floats = NDArray[np.float64]
Like = ArrayLike  # what NumPy makes an array of, or a `Value`
Axis = int | tuple[int, ...] | None


def _method(function: Callable[..., object]) -> Callable[..., Any]:
    """Return the method that calls a function of NumPy."""
    name = function.__name__

    def method(self: Array, *args: object, **kwargs: object) -> object:
        return function(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"Array.{name}"
    method.__doc__ = f"Do as `np.{name}`."
    return method


class Array(np.ndarray[Any, Any]):
    """An array of `Value`s and numbers, which NumPy's functions treat by this library's rules.

    Transforms and `compile` pass it to the functions that they are given; `array` makes one.

    >>> from microgrid import Value
    >>> x = array([Value(3.0), 1.0])
    >>> x, (x * x).sum()
    (Array([3., 1.]), Value(data=10.0, grad=0.0))
    >>> x.clip(0.0, 2.0), x.round(1), x.dot(x).data
    (Array([2., 1.]), Array([3., 1.]), 10.0)
    >>> x.argsort(), x.argpartition(0), int(x.argmax()), int(x.argmin())
    (array([1, 0]), array([1, 0]), 0, 1)
    >>> x.partition(0); x.sort(); int(x.searchsorted(2.0)), x
    (1, Array([1., 3.]))
    """

    __array_ufunc__: Any = Arithmetic.__array_ufunc__
    __array_function__: Any = Arithmetic.__array_function__
    __array_priority__ = 2000.0  # above those of PyTorch and JAX, which NumPy would let compute

    def __getitem__(self, index: Any) -> Any:
        try:
            return _getitem(self, index)
        except IndexError:
            _require_known_index(index)
            raise

    def __setitem__(self, index: Any, item: object) -> None:
        try:
            _setitem(self, index, item)
        except IndexError:
            _require_known_index(index)
            raise

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist()) if self.ndim == 1 else _iter(self)

    argmax, argmin = _method(np.argmax), _method(np.argmin)
    argsort, argpartition = _method(np.argsort), _method(np.argpartition)
    searchsorted, round, dot = _method(np.searchsorted), _method(np.round), _method(np.dot)

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place."""
        self[...] = np.sort(self, *args, **kwargs)

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place."""
        self[...] = np.partition(self, *args, **kwargs)

    def clip(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.clip`."""
        if not args and not {"a_min", "a_max"} & kwargs.keys():
            args = kwargs.pop("min", None), kwargs.pop("max", None)
        return np.clip(self, *(args if len(args) > 1 else (*args, None)), **kwargs)

    def __repr__(self) -> str:
        return self._text(np.array_repr)

    def __str__(self) -> str:
        return self._text(np.array_str)

    def _text(self, show: Callable[[NDArray[Any]], str]) -> str:
        if self.dtype == object:
            try:
                return show(floats_of(self, "its text").view(Array))
            except TypeError:
                names = np.empty(self.shape, object)
                names[...] = np.frompyfunc(_name, 1, 1)(objects(self))
                with np.printoptions(formatter={"object": str}):
                    return show(names.view(Array)).replace(", dtype=object", "")
        return show(self.view(np.ndarray))


_getitem, _setitem, _iter = np.ndarray.__getitem__, np.ndarray.__setitem__, np.ndarray.__iter__


def _name(x: Number) -> str:
    if isinstance(x, Value) and x.is_traced:
        return x.label or repr(x)
    return repr(data_of(x))


def array(numbers: object) -> Array:
    """Return an array of numbers and `Value`s, from one or from nested lists of them.

    `np.array` makes an array for NumPy's own loops: they know nothing about derivatives, and
    `np.maximum`, for example, hides nan.

    Raises:
        TypeError: something in it is neither a number nor a `Value`.

    >>> import numpy as np
    >>> from microgrid import Value
    >>> x = Value(1.0)
    >>> np.maximum(array([x, 2.0]), 1.0).sum().backward()
    >>> x.grad  # the number 1.0 ties with it, and has the other half
    0.5
    """
    if isinstance(numbers, np.ma.MaskedArray):
        numbers = numbers.tolist()  # with None for what is masked
    made = np.array(numbers, object)
    for x in [numbers] if is_of_dates(numbers) else made.ravel().tolist():
        if not isinstance(x, (Operand, *NUMBERS, np.bool_)) or is_of_dates(x):
            raise TypeError(
                f"an array is of numbers and Values, got {quote(x)} ({type(x).__name__})"
            )
    return made.view(Array)


def as_numpy(x: Any) -> Any:
    """Return an array of another library as NumPy's; NumPy's own, and its numbers, as it is."""
    if isinstance(x, (np.ndarray, np.generic)):
        return x
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    made = np.asarray(x) if hasattr(x, "__array__") else x.to_numpy()
    # pandas' numbers that may be missing become objects, unless one asks for floats
    return np.asarray(x, float) if made.dtype == object and hasattr(x, "__array__") else made


def objects(x: object) -> Objects:
    """Return a number, an array or nested lists of them as NumPy's own array of objects."""
    if type(x) is Array:
        return x.view(np.ndarray)
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("a masked array has no number in some places; write x.filled(nan)")
    made = np.empty((), object)
    if isinstance(x, Operand):
        made[()] = x
        return made
    try:
        made = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"an array must have rows of one length, got {quote(x)}: {error}"
        ) from None
    if made.dtype.kind not in "biufO":
        raise TypeError(
            f"an array must be of real numbers, got one of dtype {made.dtype}: {quote(x)}"
        )
    return made.astype(object, copy=False)


def settle(result: object) -> Any:
    """Return an array of objects by what is in it: as bools, as floats, or as an `Array`."""
    if isinstance(result, tuple):
        return tuple(map(settle, result))
    if not isinstance(result, np.ndarray) or result.dtype != object:
        return result
    kinds = set(map(type, result.ravel().tolist()))
    if kinds <= {float}:
        return result.astype(float)
    if kinds <= {bool, np.bool_}:
        return result.astype(bool)
    return result.view(Array)


def as_arrays(result: object) -> Any:
    """Return a result of NumPy's own code, with an `Array` for each array of objects in it."""
    if isinstance(result, (list, tuple)):
        parts = [as_arrays(part) for part in result]
        is_named = hasattr(result, "_fields")
        return type(result)(*parts) if is_named else type(result)(parts)
    if isinstance(result, np.ndarray) and result.dtype == object:
        if not result.ndim:
            return result.item()
        return result if type(result) is Array else result.view(Array)
    return result


def any_traced(*xs: object) -> bool:
    """Return whether arrays hold a number that is not known yet."""
    return any(any(map(is_traced, objects(x).ravel().tolist())) for x in xs)


def floats_of(
    x: object, use: str, instead: str = "leave it to Python, outside of the function"
) -> Floats:
    """Return the numbers in an array as floats; raise `TypeError` where they are not known yet."""
    elements = objects(x)
    if any_traced(elements):
        raise TypeError(
            f"a compiled function must not ask for {use}: it depends on numbers that have no value "
            f"until the kernel runs; {instead}"
        )
    numbers = list(map(data_of, elements.ravel().tolist()))
    return np.array(numbers, float).reshape(elements.shape)


def map_elements(function: Callable[..., object], operands: Sequence[object]) -> Any:
    """Apply a function of numbers to each element of arrays, which broadcast.

    >>> from microgrid import hypot
    >>> map_elements(hypot, (np.array([3.0, 6.0]), np.array([[4.0], [8.0]])))
    array([[ 5.        ,  7.21110255],
           [ 8.54400375, 10.        ]])
    """
    with np.errstate(all="ignore"):  # the numbers of Python warn of nothing
        return settle(np.frompyfunc(function, len(operands), 1)(*map(objects, operands)))


def each(function: Callable[..., object], *operands: object) -> Numeric:
    """Do as `map_elements`, with operands that are given one by one."""
    return map_elements(function, operands)


def rows(x: object, axis: Axis = None) -> Objects:
    """Return an array with the elements along an axis, several, or all as its last dimension."""
    elements = objects(x)
    if axis is None:
        return elements.ravel()
    axes = [_axis(a, elements.ndim) for a in axes_of(axis)]
    kept = [a for a in range(elements.ndim) if a not in axes]
    shape = [elements.shape[a] for a in kept]
    count = math.prod([elements.shape[a] for a in axes])
    return elements.transpose(kept + axes).reshape((*shape, count))


def lanes(
    function: Callable[[list[Number]], object], x: object, axis: Axis = None, keepdims: bool = False
) -> object:
    """Apply a function to each list of elements along an axis or several, or to that of all."""
    elements = rows(x, axis)
    result = np.empty(elements.shape[:-1], object)
    for index in np.ndindex(result.shape):
        result[index] = function(elements[index].tolist())
    if keepdims:
        shape = objects(x).shape
        over = range(len(shape)) if axis is None else [_axis(a, len(shape)) for a in axes_of(axis)]
        result = result.reshape([1 if i in over else n for i, n in enumerate(shape)])
    return settle(result) if result.ndim else result.item()


def store(result: object, out: Objects | None) -> object:
    """Return a result, written into the array that the caller gave for it, if any."""
    if out is None:
        return result
    out[...] = result
    return out


def axes_of(axis: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return one axis or several as a tuple."""
    return axis if isinstance(axis, tuple) else (axis,)


def _axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return int(axis) % ndim


def _require_known_index(index: object) -> None:
    """Raise `TypeError` for a condition on numbers that are not known yet."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, Array) and any_traced(part) for part in parts):
        raise TypeError(
            "a compiled function must not choose elements by a condition: how many there are would "
            "depend on numbers that have no value until the kernel runs; write np.where(x > 0, x, "
            "0.0) for x[x > 0], and x = np.where(x > 0, x, 0.0) for x[x <= 0] = 0.0"
        )
