"""Results into arrays that the caller has: `out`, as NumPy's ufuncs have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...derivatives.trees import like
from ...guards.checks import quote
from ..native.rows import DOUBLE
from .results import ArrayTemplate, Template, filler

__all__ = ["Outs", "is_ready"]


class OutArray(NamedTuple):
    """An array to write into: its name in errors, and what goes into it."""

    name: str
    what: int | ArrayTemplate
    array: NDArray[np.generic]

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The array's dimensions behind those of the rows."""
        return () if isinstance(self.what, int) else self.what.places.shape


class Outs:
    """The arrays that the results of a call go into, in the tree that the function returns.

    There may be None in place of any part of it. An array has the dimensions of the rows, and
    behind them those of an array that the function returns; without the rows', if they are added
    up. The only result may be in a tuple, too.

    Raises:
        TypeError: it is another tree, it has something else than arrays, or one that cannot hold
            floating-point numbers.
        ValueError: an array is read-only, or has memory in common with another one.
    """

    def __init__(self, template: Template, out: object) -> None:
        if isinstance(template, (int, ArrayTemplate)) and isinstance(out, tuple) and len(out) == 1:
            out = out[0]
        self._template, self._tree = template, out
        self.targets = list(_match(template, out, "out"))
        for target in self.targets:
            _require_numbers(target)
        if len(self.targets) > 1:
            _require_apart(self.targets)

    def shape(self, shape: tuple[int, ...], is_added_up: bool) -> tuple[int, ...]:
        """Return the shape of the rows, from that of the columns, which broadcast to it.

        Raises:
            ValueError: an array has another shape.
        """
        rows = shape
        if self.targets and not is_added_up:
            first = self.targets[0]
            own = first.array.shape
            rows = own[: len(own) - len(first.dimensions)]
            if rows != shape and not _broadcasts(shape, rows):
                rows = shape
        for name, what, array in self.targets:
            right = () if is_added_up else rows
            right += () if isinstance(what, int) else what.places.shape
            if array.shape != right:
                raise ValueError(f"{name} must have the shape {right}, got {array.shape}")
        return rows

    def ready(self, rows: tuple[int, ...], columns: Sequence[object]) -> dict[int, NDArray[Any]]:
        """Return the arrays that a kernel can fill itself while it reads columns, by output."""
        found: dict[int, NDArray[Any]] = {}
        for _, what, array in self.targets:
            if isinstance(what, int) and array.shape == rows and is_ready(array, columns):
                found.setdefault(what, array)
        return found

    def fill(self, outputs: Sequence[Any], filled: Mapping[int, NDArray[np.generic]]) -> object:
        """Write outputs into all arrays that are not filled yet; return what the call returns."""
        for _, what, array in self.targets:
            output = outputs[what] if isinstance(what, int) else what.fill(outputs)
            if array is not output:
                np.copyto(array, output, casting="same_kind")
        return _complete(self._template, self._tree, outputs, set(filled))


def is_ready(array: NDArray[np.generic], arguments: Iterable[object]) -> bool:
    """Return whether a kernel can fill an array itself while it reads its arguments."""
    if type(array) is not np.ndarray or array.dtype is not DOUBLE or not array.flags.carray:
        return False
    arrays = [x for x in arguments if isinstance(x, np.ndarray)]
    return not any(np.may_share_memory(array, x) for x in arrays)


def _match(template: Template, out: object, name: str) -> Iterator[OutArray]:
    """Yield the arrays of a tree, each with what goes into it."""
    if out is None:
        return
    if isinstance(template, (int, ArrayTemplate)):
        if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
            raise TypeError(
                f"{name} must be an array without a mask, or None, got {quote(out)} "
                f"({type(out).__name__})"
            )
        yield OutArray(name, template, out)
    elif isinstance(template, Mapping):
        if not isinstance(out, Mapping) or out.keys() != template.keys():
            keys = ", ".join(map(repr, template))
            raise TypeError(f"{name} must be a dict with the keys {keys}, got {quote(out)}")
        for key, part in template.items():
            yield from _match(part, out[key], f"{name}[{key!r}]")
    else:
        if not isinstance(out, (list, tuple)) or len(out) != len(template):
            raise TypeError(
                f"{name} must be a list or tuple of {len(template)}, as the function returns, "
                f"got {quote(out)}"
            )
        for i, part in enumerate(template):
            yield from _match(part, out[i], f"{name}[{i}]")


def _require_numbers(target: OutArray) -> None:
    name, array = target.name, target.array
    if array.dtype is not DOUBLE and not np.can_cast(DOUBLE, array.dtype, "same_kind"):
        raise TypeError(f"{name} must hold floating-point numbers, got dtype {array.dtype}")
    if not array.flags.writeable:
        raise ValueError(f"{name} must be writable, got a read-only array")


def _require_apart(targets: Sequence[OutArray]) -> None:
    """Raise `ValueError` if two arrays have memory in common."""
    spans = sorted((*_span(target.array), i) for i, target in enumerate(targets))
    for k, (_, end, i) in enumerate(spans):
        for begin, _, j in spans[k + 1 :]:
            if begin >= end:
                break
            if np.shares_memory(targets[i].array, targets[j].array):
                first, second = sorted([i, j])
                raise ValueError(
                    f"{targets[first].name} and {targets[second].name} must be two arrays, "
                    "got some of the same memory"
                )


def _span(array: NDArray[np.generic]) -> tuple[int, int]:
    """Return where an array's memory begins and ends."""
    begin = end = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return begin, begin + array.nbytes
    for length, step in zip(array.shape, array.strides, strict=True):
        if length == 0:
            return begin, begin
        begin += min(0, (length - 1) * step)
        end += max(0, (length - 1) * step)
    return begin, end + array.itemsize


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _complete(template: Template, out: Any, outputs: Sequence[object], seen: set[int]) -> object:
    """Return a tree of arrays as it is; with results of its own where it has None."""
    if out is None:
        return filler(template, seen)(outputs)
    if isinstance(template, (int, ArrayTemplate)):
        return out
    keys = list(template) if isinstance(template, Mapping) else range(len(template))
    parts = {key: _complete(template[key], out[key], outputs, seen) for key in keys}
    return out if all(parts[key] is out[key] for key in keys) else like(out, parts)
