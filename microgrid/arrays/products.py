"""Products of vectors, matrices and more: each sum of products is one `dot`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..core.operators import Arithmetic, constant_beside
from ..core.primitive import why_single
from ..linalg import sum_of_products
from .elements import Like, Objects, objects, settle, store
from .protocol import UFUNCS, apply_ufunc, implements

__all__: list[str] = []


def _matmul(a: Objects, b: Objects) -> Any:
    if not a.ndim or not b.ndim:
        single = (b if a.ndim else a).item()
        raise ValueError(
            f"@ needs arrays of one dimension or more, got a single number{why_single(single)}; "
            "write *"
        )
    left = a[np.newaxis, :] if a.ndim == 1 else a
    right = b[:, np.newaxis] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(
            "a product needs as many columns on the left as rows on the right, got the shapes "
            f"{a.shape} and {b.shape}"
        )
    stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, stack + left.shape[-2:])
    right = np.broadcast_to(right, stack + right.shape[-2:])
    product = np.empty((*stack, left.shape[-2], right.shape[-1]), object)
    for index in np.ndindex(stack):
        rows = _constants_once(left[index], right[index], times=right.shape[-1]).tolist()
        columns = _constants_once(right[index], left[index], times=left.shape[-2]).T.tolist()
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                product[(*index, i, j)] = sum_of_products(row, column)
    if b.ndim == 1:
        product = product[..., 0]
    if a.ndim == 1:
        product = product[..., 0, :] if b.ndim > 1 else product[..., 0]
    return product if product.ndim else product.item()


def _constants_once(factor: Objects, other: Objects, times: int) -> Objects:
    """Return a factor with nodes for its plain numbers, where each of many products needs them."""
    node = next((x for x in other.ravel().tolist() if isinstance(x, Arithmetic)), None)
    if node is None or times == 1:
        return factor
    as_nodes: Any = np.frompyfunc(partial(constant_beside, node), 1, 1)
    nodes: Objects = as_nodes(factor)
    return nodes


def _matvec(a: Objects, b: Objects) -> object:
    return _matmul(a, b[..., np.newaxis])[..., 0]


def _vecmat(a: Objects, b: Objects) -> object:
    return _matmul(a[..., np.newaxis, :], b)[..., 0, :]


def _vecdot(a: Objects, b: Objects, axis: int = -1) -> object:
    a, b = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    product = _matmul(a[..., np.newaxis, :], b[..., :, np.newaxis])[..., 0, 0]
    return product if np.ndim(product) else objects(product).item()


UFUNCS[np.matmul] = _matmul
for _name, _product in {"matvec": _matvec, "vecmat": _vecmat, "vecdot": _vecdot}.items():
    if hasattr(np, _name):  # they are new in NumPy 2
        UFUNCS[getattr(np, _name)] = _product


@implements(np.dot)
def _dot(a: Like, b: Like, out: Objects | None = None) -> object:
    one, other = objects(a), objects(b)
    if not one.ndim or not other.ndim:
        product = apply_ufunc(np.multiply, "__call__", (a, b), {})
    else:
        product = _tensordot(one, other, (-1, -2 if other.ndim > 1 else -1))
    return store(product, out)


@implements(np.inner)
def _inner(a: Like, b: Like) -> object:
    if not np.ndim(a) or not np.ndim(b):
        return apply_ufunc(np.multiply, "__call__", (a, b), {})
    return _tensordot(a, b, (-1, -1))


@implements(np.vdot)
def _vdot(a: Like, b: Like) -> object:
    return _matmul(objects(a).ravel(), objects(b).ravel())


@implements(np.tensordot, *[np.linalg.tensordot] if hasattr(np.linalg, "tensordot") else [])
def _tensordot(a: Like, b: Like, /, axes: Any = 2) -> object:
    left, right = objects(a), objects(b)
    if isinstance(axes, int):
        axes = range(left.ndim - axes, left.ndim), range(axes)
    along = [
        [int(d) % x.ndim for d in np.ravel(own)] for x, own in zip((left, right), axes, strict=True)
    ]
    lengths = [[x.shape[d] for d in own] for x, own in zip((left, right), along, strict=True)]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"a product needs axes of one length to sum over, got the shapes {left.shape} and "
            f"{right.shape}"
        )
    others = [
        [d for d in range(x.ndim) if d not in own]
        for x, own in zip((left, right), along, strict=True)
    ]
    shapes = [[x.shape[d] for d in own] for x, own in zip((left, right), others, strict=True)]
    count, (rows, columns) = math.prod(lengths[0]), map(math.prod, shapes)
    product = _matmul(
        left.transpose(others[0] + along[0]).reshape(rows, count),
        right.transpose(along[1] + others[1]).reshape(count, columns),
    ).reshape(shapes[0] + shapes[1])
    return settle(product) if product.ndim else product.item()
