"""Dask's arrays and frames: compiled functions of them, block by block.

There is nothing to import: a compiled function takes Dask's arrays, and columns of Dask's frames,
as NumPy's ufuncs do. Each result is an array of Dask's, in blocks, of which nothing is computed
yet. What `shared` names is in the graph once, be it known or lazy itself. With `reduce` the sums of
the blocks are added up in a tree, eight at a time, in the order of the blocks: the bits depend on
the chunks alone, not on the workers.

Workers and scheduler need this package, and workers llvmlite, but neither your function nor its
module: they are sent what it was traced to, with the data that `Value`s from outside have at the
call. Your own primitives must be declared on the workers as well.

>>> import dask.array as da, microgrid
>>> error = microgrid.value_and_grad(lambda w, x, y: (w[0] * x + w[1] - y) ** 2)
>>> mean = microgrid.compile(error, shared="w", reduce="mean")
>>> x = da.linspace(0.0, 1.0, 101, chunks=10)
>>> loss, slopes = mean([2.0, 1.0], x, 2.0 * x)
>>> loss
dask.array<getitem, shape=(), dtype=float64, chunksize=(), chunktype=numpy.ndarray>
>>> float(loss), [float(slope) for slope in slopes]
(1.0, [1.0, 2.0])
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isnan, prod
from typing import TYPE_CHECKING, Any

import cloudpickle
import dask
import dask.array as da
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.array_rules import is_of_blocks
from ..derivatives.trees import flatten

if TYPE_CHECKING:  # so that a worker without llvmlite can say that it lacks it
    from ..compiler.calls.arguments import Arguments, CallArguments
    from ..compiler.calls.compiled import Compiled
    from ..compiler.calls.entries import Entry
    from ..compiler.calls.results import ArrayTemplate
    from ..compiler.native.kernel import ArrayKernel

__all__ = ["call"]

AT_ONCE = 8  # sums of blocks that one task adds up


class Shipped:
    """What a worker makes for itself, once in each process, of what is pickled here.

    What carries it, as Dask's scheduler does, need not be able to unpickle it.
    """

    def __init__(self, make: Callable[[], object]) -> None:
        self.dump: bytes = cloudpickle.dumps(make)

    def load(self) -> ArrayKernel:
        """Return what it makes.

        Raises:
            ImportError: this process lacks a package that is needed for it.
        """
        return _load(self.dump)

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, self.dump


@lru_cache(maxsize=16)
def _load(dump: bytes) -> ArrayKernel:
    try:
        made: ArrayKernel = pickle.loads(dump)()
        return made
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        raise ImportError(
            f"compiled functions need {missing} on every worker of Dask, got a worker without it: "
            "pip install 'microgrid-autodiff[dask]' there"
        ) from error


def call(
    f: Compiled[object, object],
    take_apart: Callable[[CallArguments], tuple[Arguments, Entry | None]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> object:
    """Return what a compiled function gives for arguments with Dask's arrays among them.

    That is arrays of Dask's, in blocks as the columns are after Dask has aligned them. With a
    `Value` among the arguments, the arrays are computed, as its graph is made here.

    Raises:
        TypeError, ValueError: what a call with NumPy's arrays of these types and shapes raises.

    >>> import dask.array as da, microgrid
    >>> x = da.arange(6.0, chunks=2)
    >>> squares = microgrid.compile(lambda x: x * x)(x)
    >>> squares
    dask.array<getitem, shape=(6,), dtype=float64, chunksize=(2,), chunktype=numpy.ndarray>
    >>> squares.compute()
    array([ 0.,  1.,  4.,  9., 16., 25.])
    """
    parts, structure = flatten([list(args), dict(kwargs)], _is_part)
    lazy = [_as_array(part) if is_of_blocks(part) else None for part in parts]
    samples = [x if a is None else _sample(a) for x, a in zip(parts, lazy, strict=True)]
    of_sample = {id(s): a for s, a in zip(samples, lazy, strict=True) if a is not None}
    positional, named = structure.argument(samples)
    taken, entry = take_apart((tuple(positional), named))
    if entry is None:  # a graph of Values is made here
        numbers = [x if a is None else a.compute() for x, a in zip(parts, lazy, strict=True)]
        positional, named = structure.argument(numbers)
        return f(*positional, **named)
    columns = [of_sample.get(id(x), x) for x in taken.columns]
    shared = [of_sample.get(id(x), x) for x in taken.shared_parts]
    _require_known_sizes(shared)
    size = len(entry.kernel.program.outputs)
    make = entry.kernel_maker(f.reduce and "sum", f.threads)
    blocks = _blocks(make, size, bool(f.reduce), shared, columns)
    if f.reduce:
        sums = blocks.sum(axis=tuple(range(1, blocks.ndim)), split_every=AT_ONCE)
        is_mean, none = f.reduce == "mean", np.empty(0)
        blocks = sums.map_blocks(_total, is_mean, chunks=((size,),), meta=none)
    places, outer = flatten(entry.template, _is_part)
    return outer.result([_result(blocks, place) for place in places])


def _is_part(x: object) -> bool:
    return not isinstance(x, (Mapping, list, tuple))


def _as_array(x: Any) -> da.Array:
    """Return an array or a frame of blocks as Dask's array."""
    return x.to_dask_array() if hasattr(type(x), "to_dask_array") else da.asarray(x)


def _sample(array: da.Array) -> NDArray[np.generic]:
    """Return an array of that type and shape, for which there is no memory."""
    shape = tuple(1 if isnan(size) else size for size in array.shape)
    return np.broadcast_to(np.zeros((), array.dtype), shape)


def _require_known_sizes(shared: Sequence[object]) -> None:
    for part in shared:
        if isinstance(part, da.Array) and any(map(isnan, part.shape)):
            raise ValueError(
                "a shared array must have a known size, got one of blocks whose sizes are not "
                "known; write x.compute_chunk_sizes()"
            )


def _blocks(
    make: Callable[[], object],
    outputs: int,
    are_sums: bool,
    shared: Sequence[object],
    columns: Sequence[object],
) -> da.Array:
    """Return the outputs of a kernel as an array of Dask's, whose first axis goes through them.

    Of sums it has an entry for each block, and one output more: how many rows there are.
    """
    arrays = [x if isinstance(x, float) else da.asarray(x) for x in columns]
    rows = range(max((x.ndim for x in arrays if not isinstance(x, float)), default=0))
    pairs = [(x, None if isinstance(x, float) else rows[len(rows) - x.ndim :]) for x in arrays]
    return da.blockwise(
        _compute_block,
        (-1, *rows),
        *[x for pair in pairs for x in pair],
        new_axes={-1: outputs + are_sums},
        adjust_chunks=dict.fromkeys(rows, 1) if are_sums else None,
        meta=np.empty((0,) * (1 + len(rows))),
        kernel=dask.delayed(Shipped(make), pure=True),
        shared=dask.delayed(_join)(shared, pure=True),
    )


def _join(parts: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return all shared numbers, one after the other."""
    return np.concatenate([np.zeros(0), *[np.ravel(np.asarray(part, float)) for part in parts]])


def _compute_block(
    *columns: ArrayLike, kernel: Shipped, shared: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a kernel's outputs for one block of the columns."""
    native = kernel.load()
    arrays = [x if isinstance(x, float) else np.asarray(x) for x in columns]
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    outputs = np.array(native(shared, arrays, shape))
    if native.reduce:
        return np.append(outputs, prod(shape)).reshape(-1, *[1] * len(shape))
    return outputs.reshape(len(outputs), *shape)


def _total(sums: NDArray[np.float64], is_mean: bool) -> NDArray[np.float64]:
    """Return what sums, the last of which counts the rows, come to: of no rows the mean is nan."""
    with np.errstate(invalid="ignore"):
        return sums[:-1] / sums[-1] if is_mean else sums[:-1]


def _result(blocks: da.Array, place: int | ArrayTemplate) -> object:
    """Return an output, or an array of some."""
    if isinstance(place, int):
        return blocks[place]
    if not place.outputs:
        return place.fill([])
    entries = np.array(place.outputs)[place.places]
    picked = da.moveaxis(blocks[entries.ravel()], 0, -1)
    return picked.reshape((*picked.shape[:-1], *entries.shape)) if entries.ndim > 1 else picked
