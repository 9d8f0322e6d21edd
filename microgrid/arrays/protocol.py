"""The array: NumPy's, of objects, whose functions go by this library's rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import functional
from ..operators import NUMBERS, Operand
from ..primitive import Primitive
from .rules import LANES, RULES, data_of, is_traced

__all__ = [
    "UFUNCS", "Array", "adopted", "any_traced", "apply_function", "apply_named", "apply_ufunc",
    "array", "as_is", "axes_of", "each", "implements", "known", "lanes", "mapped", "objects",
    "of_parts", "rows", "settled", "stored",
]  # fmt: skip

FUNCTIONS: dict[Any, Callable[..., Any]] = {}  # of NumPy, as they are here
AS_IS: set[Any] = set()  # functions of NumPy that move elements, or are made of others alone
SINGLE = (Operand, *NUMBERS)
OF_PARTS: dict[Any, int] = {}  # functions that a single number is no operand for -> how many it has
UFUNCS: dict[Any, Callable[..., Any]] = {}  # those of more than single numbers, as `@`
LOOPS: dict[Any, Any] = {  # ufuncs over objects, with NumPy's broadcasting and methods
    ufunc: np.frompyfunc(rule, ufunc.nin, ufunc.nout) for ufunc, rule in RULES.items()
}


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what some functions of NumPy are on arrays of `Value`s."""

    def declare(own: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, own))
        return own

    return declare


def of_parts(module: Any, names: str, operands: int = 1) -> None:
    """Declare that functions go through the elements of their first operands."""
    found = [getattr(module, name) for name in names.split() if hasattr(module, name)]
    OF_PARTS.update(dict.fromkeys(found, operands))


def as_is(module: Any, names: str) -> None:
    """Declare that NumPy's own code is right for functions; not every NumPy has all of them."""
    AS_IS.update([getattr(module, name) for name in names.split() if hasattr(module, name)])


class Array(np.ndarray[Any, Any]):
    """An array of `Value`s and numbers, which NumPy's functions treat by this library's rules.

    Transforms and `compile` hand it to the functions that they are given; `array` makes one.

    >>> from microgrid import Value
    >>> x = array([Value(3.0), 1.0])
    >>> x, (x * x).sum()
    (Array([3., 1.]), Value(data=10.0, grad=0.0))
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return apply_function(function, args, kwargs)

    def record(self, op: Primitive, operands: tuple[Any, ...]) -> Any:
        """Return what an operation makes of each element."""
        return mapped(op, operands)

    def __getitem__(self, index: Any) -> Any:
        try:
            return _getitem(self, index)
        except IndexError:
            _require_known_index(index)
            raise

    def __setitem__(self, index: Any, item: Any) -> None:
        try:
            _setitem(self, index, item)
        except IndexError:
            _require_known_index(index)
            raise

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist()) if self.ndim == 1 else _iter(self)

    def argmax(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.argmax`."""
        return np.argmax(self, *args, **kwargs)

    def argmin(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.argmin`."""
        return np.argmin(self, *args, **kwargs)

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.argsort`."""
        return np.argsort(self, *args, **kwargs)

    def argpartition(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.argpartition`."""
        return np.argpartition(self, *args, **kwargs)

    def searchsorted(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.searchsorted`."""
        return np.searchsorted(self, *args, **kwargs)

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

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.round`."""
        return np.round(self, *args, **kwargs)

    def dot(self, *args: Any, **kwargs: Any) -> Any:
        """Do as `np.dot`."""
        return np.dot(self, *args, **kwargs)

    def __repr__(self) -> str:
        return self._text(np.array_repr)

    def __str__(self) -> str:
        return self._text(np.array_str)

    def _text(self, show: Callable[[Any], str]) -> str:
        if self.dtype == object:
            try:
                return show(known(self, "its text").view(Array))
            except TypeError:
                names = np.empty(self.shape, object)
                names[...] = np.frompyfunc(_name, 1, 1)(objects(self))
                with np.printoptions(formatter={"object": str}):
                    return show(names.view(Array)).replace(", dtype=object", "")
        return show(self.view(np.ndarray))


_getitem, _setitem, _iter = np.ndarray.__getitem__, np.ndarray.__setitem__, np.ndarray.__iter__
_numpys_own = np.ndarray.__array_function__


def _name(x: Any) -> str:
    return str(x.label or repr(x)) if is_traced(x) else repr(data_of(x))


def array(numbers: Any) -> Array:
    """Return an array of numbers and `Value`s, from one or from nested lists of them.

    `np.array` of `Value`s makes an array on which NumPy's own loops work: they know nothing of
    derivatives, and `np.maximum`, for example, hides nan.

    Raises:
        TypeError: something in it is neither a number nor a `Value`.

    >>> import numpy as np
    >>> from microgrid import Value
    >>> x = Value(1.0)
    >>> np.maximum(array([x, 2.0]), 1.0).sum().backward()
    >>> x.grad  # the number 1.0 ties with it, and has the other half
    0.5
    """
    made = np.array(numbers, object)
    for x in made.ravel().tolist():
        if not isinstance(x, (Operand, *NUMBERS, np.bool_)):
            raise TypeError(f"an array is of numbers and Values, got {x!r} ({type(x).__name__})")
    return made.view(Array)


def objects(x: Any) -> Any:
    """Return a number, an array or nested lists of them as NumPy's own array of objects."""
    if type(x) is Array:
        return x.view(np.ndarray)
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("a masked array has no number in some places; write x.filled(nan)")
    made: Any = np.empty((), object)
    if isinstance(x, Operand):
        made[()] = x
        return made
    made = np.asarray(x)
    if made.dtype.kind not in "biufO":
        raise TypeError(f"an array must be of real numbers, got one of dtype {made.dtype}: {x!r}")
    return made.astype(object, copy=False)


def settled(result: Any) -> Any:
    """Return an array of objects as what it is: of truth values, of floats, or an `Array`."""
    if isinstance(result, tuple):
        return tuple(map(settled, result))
    if not isinstance(result, np.ndarray) or result.dtype != object:
        return result
    kinds = set(map(type, result.ravel().tolist()))
    if kinds <= {float}:
        return result.astype(float)
    if kinds <= {bool, np.bool_}:
        return result.astype(bool)
    return result.view(Array)


def adopted(result: Any) -> Any:
    """Return what code of NumPy made of arrays of objects, with `Array`s for them."""
    if isinstance(result, (list, tuple)):
        parts = [adopted(part) for part in result]
        is_named = hasattr(result, "_fields")
        return type(result)(*parts) if is_named else type(result)(parts)
    if isinstance(result, np.ndarray) and result.dtype == object:
        if not result.ndim:
            return result.item()
        return result if type(result) is Array else result.view(Array)
    return result


def any_traced(*xs: Any) -> bool:
    """Return whether a number somewhere in arrays is not known yet."""
    return any(any(map(is_traced, objects(x).ravel().tolist())) for x in xs)


def known(x: Any, use: str, instead: str = "leave it to Python, outside of the function") -> Any:
    """Return the numbers in an array as floats; raise `TypeError` if nobody knows them yet."""
    elements = objects(x)
    if any_traced(elements):
        raise TypeError(
            f"a compiled function must not ask for {use}: it depends on numbers that have no value "
            f"until the kernel runs; {instead}"
        )
    numbers = list(map(data_of, elements.ravel().tolist()))
    return np.array(numbers, float).reshape(elements.shape)


def mapped(function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Return what a function of numbers makes of each element of arrays, which broadcast.

    >>> mapped(functional.hypot, (np.array([3.0, 6.0]), np.array([[4.0], [8.0]])))
    array([[ 5.        ,  7.21110255],
           [ 8.54400375, 10.        ]])
    """
    with np.errstate(all="ignore"):  # the numbers of Python warn of nothing
        return settled(np.frompyfunc(function, len(operands), 1)(*map(objects, operands)))


def each(function: Callable[..., Any], *operands: Any) -> Any:
    """Return the same, of operands that are given one by one."""
    return mapped(function, operands)


def rows(x: Any, axis: Any = None) -> Any:
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
    function: Callable[[list[Any]], Any], x: Any, axis: Any = None, keepdims: bool = False
) -> Any:
    """Return what a function makes of the list of elements along an axis, several, or all."""
    elements = rows(x, axis)
    result = np.empty(elements.shape[:-1], object)
    for index in np.ndindex(result.shape):
        result[index] = function(elements[index].tolist())
    if keepdims:
        shape = np.shape(x)
        over = range(len(shape)) if axis is None else [_axis(a, len(shape)) for a in axes_of(axis)]
        result = result.reshape([1 if i in over else n for i, n in enumerate(shape)])
    return settled(result) if result.ndim else result.item()


def stored(result: Any, out: Any) -> Any:
    """Return a result, in the array for it if the caller gave one."""
    if out is None:
        return result
    out[...] = result
    return out


def axes_of(axis: Any) -> tuple[int, ...]:
    """Return one axis or several as a tuple."""
    return axis if isinstance(axis, tuple) else (axis,)


def _axis(axis: Any, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return int(axis) % ndim


def apply_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what a ufunc is on arrays and numbers of which some are `Value`s."""
    if method == "__call__" and not kwargs and ufunc in RULES:
        numbers = list(map(_plain, inputs))
        if not any(x is None for x in numbers):
            return RULES[ufunc](*numbers)
    if method not in ("__call__", "outer"):
        _require_parts([x for x in inputs[: ufunc.nin] if is_traced(x)])
    outs = kwargs.get("out", ())
    rest = {name: x for name, x in kwargs.items() if name != "out"}
    _require_floats(ufunc, rest)
    if method == "at":
        return _at(ufunc, *inputs)
    if method == "reduceat":
        inputs, rest = inputs[:1], {"indices": inputs[1]} | rest
    result = _computed(ufunc, method, [objects(x) for x in inputs], rest, outs)
    return _written(result, outs) if outs else settled(result)


def apply_named(name: str, operands: tuple[Any, ...]) -> Any:
    """Return what the ufunc of a name is on numbers."""
    return apply_ufunc(getattr(np, name), "__call__", operands, {})


def _computed(
    ufunc: Any, method: str, inputs: list[Any], kwargs: dict[str, Any], outs: tuple[Any, ...]
) -> Any:
    if ufunc in UFUNCS and method == "__call__":
        return UFUNCS[ufunc](*inputs, **kwargs)
    if _takes_objects_alone(ufunc):  # such as np.frompyfunc and np.vectorize make
        return getattr(ufunc, method)(*inputs, **kwargs)
    if ufunc not in LOOPS:
        raise TypeError(_no_rule(ufunc))
    if method == "reduce" and ufunc in LANES:
        return _reduced(ufunc, *inputs, **kwargs)
    if method == "accumulate" and ufunc in (np.maximum, np.minimum):
        return _accumulated(LANES[ufunc], *inputs, **kwargs)
    if method == "__call__" and "where" in kwargs:
        places = known(kwargs["where"], "a choice of places", "write np.where").astype(bool)
        kwargs = {"where": places, "out": tuple(map(_as_objects, outs)) or None}
    with np.errstate(all="ignore"):  # the numbers of Python warn of nothing
        return getattr(LOOPS[ufunc], method)(*inputs, **kwargs)


def _as_objects(out: Any) -> Any:
    return out.view(np.ndarray) if out.dtype == object else out.astype(object)


def _takes_objects_alone(ufunc: Any) -> bool:
    return all(set(types) <= {"O", "-", ">"} for types in ufunc.types)


def _no_rule(function: Any) -> str:
    name = function.__name__
    own = name if name in functional.__all__ else {"expit": "sigmoid"}.get(name)
    advice = f"; there is microgrid.{own}" if own else ""
    return f"{name} has no derivative here{advice}: it takes arrays of floats alone, not of Values"


def _require_floats(ufunc: Any, kwargs: dict[str, Any]) -> None:
    """Take away what says nothing of the numbers; raise `TypeError` for a dtype that does."""
    for name in ("casting", "order", "subok"):
        kwargs.pop(name, None)
    kind = kwargs.pop("dtype", None)
    if kind is not None and np.dtype(kind) not in (object, float, bool):
        raise TypeError(f"{ufunc.__name__} of Values gives floats, it cannot give {kind!r}")


def _plain(x: Any) -> Any:
    """Return NumPy's number as Python's, and None for an array.

    NumPy's own operators would ask the ufunc again.
    """
    if isinstance(x, np.ndarray) and not x.ndim:  # so NumPy compares its numbers
        x = x[()]
    if isinstance(x, np.generic):
        return float(x) if isinstance(x, np.floating) else x.item()
    return x if isinstance(x, SINGLE) else None


def _reduced(
    ufunc: Any,
    elements: Any,
    axis: Any = 0,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    operation, identity = LANES[ufunc], ufunc.identity
    first = [] if initial is None else [_plain(initial)]
    if where is not True:
        places = known(where, "a choice of places", "write np.where").astype(bool)
        places = np.broadcast_to(places, elements.shape)
        marked = np.empty(elements.shape, object)
        marked[...] = elements
        marked[~places] = _left_out
        elements = marked

    def reduce(numbers: list[Any]) -> Any:
        numbers = [*first, *[x for x in numbers if x is not _left_out]]
        if not numbers and identity is None:
            raise ValueError(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        if not numbers:
            return identity if isinstance(identity, bool) else float(identity)
        return operation(*numbers)

    return lanes(reduce, elements, axis, keepdims)


_left_out = object()  # stands for an element that a reduction shall not see


def _accumulated(operation: Callable[..., Any], elements: Any, axis: int = 0) -> Any:
    """Return the extremum of each element and all before it, of which those that tie share."""
    result = np.empty(elements.shape, object)
    along, out = np.moveaxis(elements, axis, -1), np.moveaxis(result, axis, -1)
    for index in np.ndindex(along.shape[:-1]):
        row = along[index].tolist()
        out[index] = [operation(*row[: i + 1]) for i in range(len(row))]
    return result


def _at(ufunc: Any, target: Any, index: Any, *operand: Any) -> None:
    if not isinstance(target, np.ndarray) or target.dtype != object:
        raise TypeError("an array of floats cannot hold Values: begin with np.zeros_like(x)")
    if ufunc not in LOOPS:
        raise TypeError(_no_rule(ufunc))
    LOOPS[ufunc].at(target.view(np.ndarray), index, *[objects(x) for x in operand])


def _written(result: Any, outs: tuple[Any, ...]) -> Any:
    """Write what was computed into arrays that the caller gave; return these."""
    results = result if isinstance(result, tuple) else (result,)
    written = []
    for own, out in zip(results, outs, strict=True):
        if out is None:
            written.append(settled(own))
            continue
        own = settled(objects(own))
        if out.dtype != object and own.dtype == object:
            raise TypeError(
                f"an array of dtype {out.dtype} cannot hold Values: write x = x + y for x += y, "
                "or begin with np.zeros_like of an array of Values"
            )
        out.view(np.ndarray)[...] = own
        written.append(out)
    return written[0] if len(written) == 1 else tuple(written)


def apply_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a function of NumPy is on arrays and numbers of which some are `Value`s."""
    if function in OF_PARTS:
        _require_parts(args[: OF_PARTS[function]])
    if own := FUNCTIONS.get(function):
        return own(*args, **kwargs)
    if function not in AS_IS:
        raise TypeError(_no_rule(function))
    args = tuple([_arrayed(x) for x in args])
    kwargs = {name: _arrayed(x) for name, x in kwargs.items()}
    return adopted(_numpys_own(np.empty(0), function, (np.ndarray,), args, kwargs))


def _arrayed(x: Any) -> Any:
    """Return an argument with arrays in the places of single `Value`s and of lists of them."""
    if isinstance(x, Operand):
        return objects(x).view(Array)
    if isinstance(x, (list, tuple)) and _holds(x, Operand):
        if not _holds(x, np.ndarray):
            return objects(x).view(Array)
        return type(x)([_arrayed(part) for part in x])
    return x


def _holds(x: Any, kind: type) -> bool:
    """Return whether something of a kind is in nested lists."""
    if isinstance(x, (list, tuple)):
        return any(_holds(part, kind) for part in x)
    return isinstance(x, kind)


def _require_parts(operands: Sequence[Any]) -> None:
    """Raise `TypeError` for a sum, or the like, of a number that stands for a column of them."""
    if any(map(is_traced, operands)) and not any(map(np.ndim, operands)):
        for x in filter(is_traced, operands):
            x[()]  # the error says what it is


def _require_known_index(index: Any) -> None:
    """Raise `TypeError` for a condition on numbers that nobody knows yet."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, Array) and any_traced(part) for part in parts):
        raise TypeError(
            "a compiled function must not choose elements by a condition: how many there are would "
            "depend on numbers that have no value until the kernel runs; write np.where(x > 0, x, "
            "0.0) for x[x > 0], and x = np.where(x > 0, x, 0.0) for x[x <= 0] = 0.0"
        )
