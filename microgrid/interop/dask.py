"""Dask's arrays and frames: compiled functions of them, and trainings on them, block by block.

There is nothing to import: a compiled function takes Dask's arrays, and columns of Dask's frames,
as NumPy's ufuncs do. Each result is an array of Dask's, in blocks, of which nothing is computed
yet. What `shared` names is in the graph once, whether it is known or lazy itself. With `reduce` the
sums of the blocks are added up in a tree, eight at a time, in the order of the blocks: the bits
depend on the chunks alone, not on the workers.

>>> import dask.array as da, microgrid
>>> error = microgrid.value_and_grad(lambda w, x, y: (w[0] * x + w[1] - y) ** 2)
>>> mean = microgrid.compile(error, shared="w", reduce="mean")
>>> x = da.linspace(0.0, 1.0, 101, chunks=10)
>>> loss, slopes = mean([2.0, 1.0], x, 2.0 * x)
>>> loss
dask.array<getitem, shape=(), dtype=float64, chunksize=(), chunktype=numpy.ndarray>
>>> float(loss), [float(slope) for slope in slopes]
(1.0, [1.0, 2.0])

`fit` takes rows and targets as Dask's arrays and frames, on the `distributed` client that is
current, or else on Dask's default scheduler. For each step the workers add up loss and gradients
over the blocks of its batch, natively; the optimizer, the history and callbacks are here. What
cannot be compiled is refused.

An epoch goes through the blocks one by one, and a batch takes its rows across their borders. With
`shuffle` each epoch draws an order of the blocks, and one of the rows in each block;
without it, they are taken as they come. The pieces of a batch are added up in a tree, eight
at a time, in this order: the bits depend on chunks, batch size and seed alone.

A block that a border between batches cuts is kept on the workers until the last of these. One that
lies in one batch is computed when it is needed, in every epoch: persist what fits in their memory.
A number that is missing or not finite is found when its block is read; the weights are then those
of the step before. With `metrics` the predictions for all rows come here, and rows for validation
do in any case.

>>> from microgrid import MLP, fit, losses, optim
>>> X, y = da.stack([x, x * x], axis=1), x > 0.5
>>> model = MLP(2, [4, 1], activation="tanh", seed=0)
>>> adam = optim.Adam(model.parameters(), lr=0.05)
>>> history = fit(model, X, y, loss=losses.binary_cross_entropy, optimizer=adam, epochs=20,
...               batch_size=25)
>>> len(history), history[-1]["loss"] < history[0]["loss"]
(20, True)

Workers and scheduler need this package, and workers llvmlite, but neither your functions nor their
modules: they are sent what these were traced to, with the data that `Value`s from outside have at
the call. Your own primitives must be declared on the workers as well.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import isfinite, isnan, prod
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast

import cloudpickle
import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from numpy.typing import ArrayLike, NDArray

from ..core.array_rules import is_frame_of_blocks, is_of_blocks
from ..core.sequences import as_list, names_of_columns, require_one_length
from ..derivatives.trees import flatten
from ..fitting.blocks import BlockPiece
from ..fitting.examples import (
    Examples,
    Target,
    examples,
    require_numbers,
    rows_of_numbers,
    targets_of_numbers,
)
from ..guards.checks import quote
from ..guards.locks import lock_across_forks

if TYPE_CHECKING:  # so that a worker without llvmlite can say that it lacks it
    from ..compiler.calls.arguments import Arguments, CallArguments
    from ..compiler.calls.compiled import Compiled
    from ..compiler.calls.entries import Entry
    from ..compiler.calls.results import ArrayTemplate
    from ..compiler.native.kernel import ArrayKernel
    from ..compiler.training.steps import RowSums

__all__ = ["call", "rows"]

AT_ONCE = 8  # sums of blocks that one task adds up
FIRST_ROWS = 4  # on which a training is tried out here
REAL = "biuf"  # the kinds of NumPy's types for real numbers

Made = TypeVar("Made")
DaskCollection: TypeAlias = da.Array  # or a frame; mypy sees Any for both
Data: TypeAlias = DaskCollection  # or NumPy's array
BlockParts: TypeAlias = tuple[DaskCollection, ...]  # what `_read` takes, or what it returned alone


class Shipped(Generic[Made]):
    """What a worker makes for itself, once in each process, of what is pickled here.

    What carries it, as Dask's scheduler does, need not be able to unpickle it.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self.dump: bytes = cloudpickle.dumps(make)

    def load(self) -> Made:
        """Return what it makes.

        Raises:
            ImportError: this process lacks a package that is needed for it.
        """
        with _loading:
            return cast("Made", _load(self.dump))

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, self.dump


_loading = lock_across_forks()  # of threads that come at once, one makes what all wait for


@lru_cache(maxsize=16)
def _load(dump: bytes) -> object:
    try:
        made: object = pickle.loads(dump)()
        return made
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("llvmlite", "numpy"):
            raise
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
        TypeError, ValueError: what a call with NumPy's arrays of these types and shapes raises, or
            an array has a mask. A block that is not as its array says is found as it is computed.

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
        known = [x if a is None else a for x, a in zip(parts, lazy, strict=True)]
        positional, named = structure.argument(dask.compute(*known, traverse=False))
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


def _as_array(x: DaskCollection) -> da.Array:
    """Return an array, a column or a lazy number as Dask's array; raise an error for a mask."""
    if is_frame_of_blocks(x) and not x.ndim:
        return da.from_delayed(x.to_delayed(), (), dtype=float)
    array = x.to_dask_array() if is_frame_of_blocks(x) else da.asarray(x)
    _require_no_mask(da.utils.meta_from_array(array))
    return array


def _require_no_mask(x: ArrayLike) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            "an array of blocks must have a number in every place, got one with a mask; write "
            "dask.array.ma.filled(x, nan)"
        )


def _sample(array: da.Array) -> NDArray[np.generic]:
    """Return an array of that type and shape that takes no memory, whatever its shape."""
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
    numbers = [np.ravel(_as_numbers(part)) for part in parts]
    return np.concatenate([np.zeros(0), *numbers])


def _as_numbers(block: ArrayLike) -> NDArray[np.generic]:
    """Return a block as NumPy's array, which its array may have promised wrongly.

    Raises:
        TypeError: it has a mask, or holds something else than real numbers.
    """
    array = np.asanyarray(block)
    _require_no_mask(array)
    if array.dtype.kind not in REAL:
        raise TypeError(
            f"an array of blocks must be of real numbers, got a block of dtype {array.dtype}"
        )
    return np.asarray(array)


def _compute_block(
    *columns: ArrayLike, kernel: Shipped[ArrayKernel], shared: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a kernel's outputs for one block of the columns."""
    native = kernel.load()
    arrays = [x if isinstance(x, float) else _as_numbers(x) for x in columns]
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


class BlockRows:
    """Rows and targets of a training as Dask's arrays, with the tasks that add them up.

    They are read, checked and added up on the workers; a block that lies in several batches waits
    there until it is not needed any more.
    """

    def __init__(self, X: object, y: object) -> None:
        self._columns = [*map(names_of_columns, (X, y))]
        data = _read_once("X", X, rows_of_numbers), _read_once("y", y, _targets_of_one_form)
        inputs, targets = _tables(data)
        require_one_length("X", range(inputs.shape[0]), "y", range(targets.shape[0]))
        self.head = examples(_first(data[0], inputs), _first(data[1], targets))
        self.sizes: Sequence[int] = inputs.chunks[0]
        self._begins = [0, *accumulate(self.sizes)]
        self._width, self._has_integers = inputs.shape[1], targets.dtype.kind in "iub"
        by_rows = inputs.rechunk({1: -1}), targets.rechunk((self.sizes, *targets.shape[1:]))
        self._blocks = [*zip(*[x.to_delayed().ravel() for x in by_rows], strict=True)]
        self._kept: dict[tuple[int, int | None], Delayed] = {}  # blocks for several batches

    def prepare(self, make: Callable[[], RowSums], predicts: bool) -> None:
        """Say what makes the kernel, and whether predictions and targets are wanted."""
        (self._kernel,) = dask.persist(dask.delayed(Shipped(make), pure=True))
        self._predicts = predicts

    def totals(
        self, parameters: NDArray[np.float64], pieces: Sequence[BlockPiece]
    ) -> tuple[NDArray[np.float64], ...]:
        """Return the sums of loss and gradients over some pieces, predictions and targets.

        The pieces are added up in a tree, in their order.
        """
        needed = {(piece.block, piece.seed) for piece in pieces}
        self._kept = {key: kept for key, kept in self._kept.items() if key in needed}
        shared, width = dask.delayed(parameters), self._width if self._predicts else None
        parts = [self._task(_sums, shared, piece, width) for piece in pieces]
        while len(parts) > AT_ONCE:
            parts = [
                dask.delayed(_add)(parts[i : i + AT_ONCE]) for i in range(0, len(parts), AT_ONCE)
            ]
        return _add(dask.compute(*parts))

    def first_not_finite(
        self, parameters: NDArray[np.float64], pieces: Sequence[BlockPiece]
    ) -> tuple[int, Examples] | None:
        """Return the first row whose loss or gradient is not finite, after its number."""
        shared = dask.delayed(parameters)
        parts = [self._task(_first_not_finite, shared, piece) for piece in pieces]
        for piece, found in zip(pieces, dask.compute(*parts), strict=True):
            if found is not None:
                place, line = found
                if not piece.is_whole:
                    place = int(_order(self.sizes[piece.block], piece.seed)[place])
                row = line[: self._width].tolist()
                target = self.as_targets(line[self._width :, None])
                return self._begins[piece.block] + place, Examples([row], target)
        return None

    def as_targets(self, lines: NDArray[np.float64]) -> list[Target]:
        """Return targets as the user has them, of a line for each of their numbers."""
        kind = int if self._has_integers else float
        targets: list[Target]
        if isinstance(self.head.targets[0], list):
            targets = lines.T.astype(kind).tolist()
        else:
            targets = lines[0].astype(kind).tolist()
        return targets

    def _task(
        self, function: Callable[..., object], shared: Delayed, piece: BlockPiece, *more: int | None
    ) -> Delayed:
        """Return the task that calls a function with the lines of a piece.

        It reads a whole block itself; one for several batches is read by a task of its own.
        """
        block, start, stop, is_whole, seed = piece
        key = block, None if is_whole else seed
        reading = (*self._blocks[block], self._begins[block], self._columns, key[1])
        if not is_whole and key not in self._kept:
            (self._kept[key],) = dask.persist(dask.delayed(_read)(*reading))
        lines = (self._kept[key],) if key in self._kept else reading
        return dask.delayed(function)(self._kernel, shared, lines, start, stop, *more)


def rows(X: DaskCollection, y: DaskCollection) -> BlockRows:
    """Return rows and targets in blocks, as `fit` takes them; one of the two is Dask's.

    Raises:
        TypeError, ValueError: what `fit` raises of the first rows, or there are not as many targets
            as rows.

    >>> import dask.array as da
    >>> blocks = rows(da.zeros((5, 2), chunks=2), da.arange(5))
    >>> blocks.sizes, blocks.head.targets
    ((2, 2, 1), [0, 1, 2, 3])
    """
    return BlockRows(X, y)


def _read_once(
    name: str, x: DaskCollection, read: Callable[[str, Iterable[object]], Sequence[object]]
) -> Data:
    """Return what is in blocks, and an array of real numbers, as it is; read all else into one."""
    is_plain = type(x) is np.ndarray and x.dtype.kind in REAL
    if (is_plain or is_of_blocks(x)) and x.ndim:
        return x
    array = np.asarray(read(name, x))
    return array.astype(float) if array.dtype == object else array  # of ints that no type holds


def _targets_of_one_form(name: str, y: Iterable[object]) -> list[Target]:
    targets = targets_of_numbers(name, y)
    forms = [len(target) if isinstance(target, list) else None for target in targets]
    for i, form in enumerate(forms):
        if form != forms[0]:
            raise ValueError(
                f"row {i} of `{name}` must have the form of the rows before it, as `X` is in "
                f"blocks, got {quote(targets[i])} after {quote(targets[0])}"
            )
    return targets


def _tables(data: Iterable[Data]) -> list[da.Array]:
    """Return rows and targets as arrays of Dask's, with blocks of known sizes.

    The lengths of frames are read together: columns of one frame load it once.
    """
    counts = iter(dask.compute(*[x.map_partitions(len) for x in data if is_frame_of_blocks(x)]))
    tables = []
    for x in data:
        if is_frame_of_blocks(x):
            tables.append(x.to_dask_array(lengths=next(counts).tolist()))
        else:
            array = da.asarray(x)
            if any(map(isnan, array.shape)):
                array = array.copy().compute_chunk_sizes()
            tables.append(array)
    return tables


def _first(x: Data, table: da.Array) -> Sequence[object]:
    """Return the first rows of an array or a frame, of NumPy or pandas."""
    first: Sequence[object]
    if is_frame_of_blocks(x):
        blocks = sum(end < FIRST_ROWS for end in accumulate(table.chunks[0])) + 1
        first = x.head(FIRST_ROWS, npartitions=min(blocks, x.npartitions))
    else:
        first = table[:FIRST_ROWS].compute() if is_of_blocks(x) else x[:FIRST_ROWS]
    return first


def _read(
    X: ArrayLike, y: ArrayLike, begin: int, columns: Sequence[Sequence[object]], seed: int | None
) -> NDArray[np.float64]:
    """Return a block with a line for each column, its rows in an order drawn from a seed.

    Raises:
        ValueError, TypeError: a number is missing, or not finite, or none.
    """
    parts = [
        np.atleast_2d(_numbers(name, block, begin, names).T)
        for name, block, names in zip("Xy", (X, y), columns, strict=True)
    ]
    lines = np.empty((sum(map(len, parts)), parts[0].shape[1]))  # in C's order, unlike theirs
    np.concatenate(parts, out=lines)
    return lines if seed is None else lines[:, _order(lines.shape[1], seed)]


def _lines(block: BlockParts) -> NDArray[np.float64]:
    """Return the lines of a block, which may have to be read."""
    return _read(*block) if len(block) > 1 else block[0]


def _numbers(
    name: str, block: ArrayLike, begin: int, names: Sequence[object]
) -> NDArray[np.float64]:
    numbers = np.asanyarray(block)
    is_right = numbers.dtype.kind in REAL and not isinstance(numbers, np.ma.MaskedArray)
    if is_right:
        with np.errstate(all="ignore"):  # a sum is quickly looked at, and may be too large
            is_right = bool(isfinite(numbers.sum()) or np.isfinite(numbers).all())
    if not is_right:
        require_numbers(name, names, as_list(numbers, "a block must be an array"), begin)
    return np.asarray(numbers, float)


def _order(rows: int, seed: int | None) -> NDArray[np.int64]:
    """Return an order of rows, by a generator that NumPy never changes."""
    return np.arange(rows) if seed is None else np.random.RandomState(seed).permutation(rows)


def _sums(
    kernel: Shipped[RowSums],
    parameters: NDArray[np.float64],
    block: BlockParts,
    start: int,
    stop: int,
    width: int | None,
) -> tuple[NDArray[np.float64], ...]:
    """Return the sums over some rows of a block, predictions, and the lines from `width` on."""
    own = _lines(block)[:, start:stop]
    sums, outs = kernel.load()(parameters, own)
    return sums, outs, own[len(own) if width is None else width :]


def _add(parts: Sequence[tuple[NDArray[np.float64], ...]]) -> tuple[NDArray[np.float64], ...]:
    """Return the totals of several parts, added up one after the other."""
    sums = parts[0][0].copy()
    for other, *_ in parts[1:]:
        sums += other
    return sums, *(np.hstack([part[k] for part in parts]) for k in (1, 2))


def _first_not_finite(
    kernel: Shipped[RowSums],
    parameters: NDArray[np.float64],
    block: BlockParts,
    start: int,
    stop: int,
) -> tuple[int, NDArray[np.float64]] | None:
    """Return the place of the first row in a block whose sums are not finite, and the row."""
    lines = _lines(block)

    def is_finite(start: int, stop: int) -> bool:
        return bool(np.isfinite(kernel.load()(parameters, lines[:, start:stop])[0]).all())

    if is_finite(start, stop):
        return None
    while stop - start > 1:  # one of these is not finite, or only their sum is too large
        middle = (start + stop) // 2
        start, stop = (middle, stop) if is_finite(start, middle) else (start, middle)
    return None if is_finite(start, stop) else (start, lines[:, start].copy())
