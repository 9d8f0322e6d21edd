"""Linear systems, determinants and norms of arrays: those of `linalg`, matrix by matrix."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from ..core.primitive import data_of
from ..functional import Number, hypot, log, max_, min_, prod_, sign, sqrt, sum_
from ..guards.checks import quote
from ..linalg import (
    SingularMatrix,
    determinant,
    eliminate,
    require_few_rows,
    solve_system,
    sum_of_products,
)
from .elements import Array, Axis, Like, Objects, axes_of, lanes, objects, settle
from .protocol import implements
from .rules import is_traced, magnitude

__all__: list[str] = []

Matrix = list[list[Number]]
OfNumbers = Callable[[list[Number]], Number]


def _solve_system(matrix: Matrix, beside: Matrix) -> Matrix:
    try:
        return solve_system(matrix, beside)
    except SingularMatrix:
        raise np.linalg.LinAlgError("Singular matrix") from None


def _matrices(a: object, name: str) -> Objects:
    elements = objects(a)
    if elements.ndim < 2 or elements.shape[-1] != elements.shape[-2]:
        raise np.linalg.LinAlgError(
            f"{name} needs a square matrix, or several in the last two dimensions, got the shape "
            f"{elements.shape}"
        )
    require_few_rows(name, elements.shape[-1], elements.ravel().tolist())
    return elements


@implements(np.linalg.solve)
def _solve(a: Like, b: Like) -> object:
    matrices, right = _matrices(a, "solve"), objects(b)
    is_vector = right.ndim == 1
    right = right[:, np.newaxis] if is_vector else right
    n = matrices.shape[-1]
    if right.ndim < 2 or right.shape[-2] != n:
        raise ValueError(
            f"solve needs a right-hand side with a row for each row of the matrix, got the shapes "
            f"{matrices.shape} and {np.shape(b)}"
        )
    stack = np.broadcast_shapes(matrices.shape[:-2], right.shape[:-2])
    matrices = np.broadcast_to(matrices, (*stack, n, n))
    right = np.broadcast_to(right, (*stack, *right.shape[-2:]))
    solutions = np.empty(right.shape, object)
    for index in np.ndindex(stack):
        solution = _solve_system(matrices[index].tolist(), right[index].tolist())
        solutions[index] = np.array(solution, object).reshape(right.shape[-2:])
    return settle(solutions[..., 0] if is_vector else solutions)


@implements(np.linalg.inv)
def _inv(a: Like) -> object:
    return _solve(_matrices(a, "inv"), np.eye(np.shape(a)[-1]))


@implements(np.linalg.matrix_power)
def _matrix_power(a: object, n: SupportsIndex) -> object:
    exponent = operator.index(n)
    matrices: Any = _matrices(a, "matrix_power").view(Array)
    if exponent < 0:
        matrices, exponent = _inv(matrices), -exponent
    if not exponent:
        return np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape).copy()
    result = matrices
    for bit in f"{exponent:b}"[1:]:
        result = result @ result
        if bit == "1":
            result = result @ matrices
    return result


@implements(np.linalg.cholesky)
def _cholesky(a: Like, /, *, upper: bool = False) -> object:
    matrices = _matrices(a, "cholesky")
    if upper:
        matrices = np.swapaxes(matrices, -1, -2)
    factors = np.empty(matrices.shape, object)
    for index in np.ndindex(matrices.shape[:-2]):
        factors[index] = np.array(_root(matrices[index].tolist()), object)
    return settle(np.swapaxes(factors, -1, -2) if upper else factors)


def _root(matrix: Matrix) -> Matrix:
    """Return the lower triangle that gives a matrix, times its transpose (Cholesky)."""
    rows: Matrix = []
    for i, row in enumerate(matrix):
        own: list[Number] = []
        for j in range(i):
            rest = row[j] - sum_of_products(own, rows[j][:j])
            own.append(rest / rows[j][j])
        square = row[i] - sum_of_products(own, own)
        if not is_traced(square) and not data_of(square) > 0:
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        rows.append([*own, sqrt(square), *[0.0] * (len(matrix) - i - 1)])
    return rows


@implements(np.linalg.det)
def _det(a: Like) -> object:
    matrices = _matrices(a, "det")
    return _of_each(determinant, matrices)


def _of_each(function: Callable[[Matrix], Number], matrices: Objects) -> object:
    result = np.empty(matrices.shape[:-2], object)
    for index in np.ndindex(result.shape):
        result[index] = function(matrices[index].tolist())
    return settle(result) if result.ndim else result.item()


@implements(np.linalg.slogdet)
def _slogdet(a: Like) -> object:
    matrices = _matrices(a, "slogdet")
    signs, logarithms = (np.empty(matrices.shape[:-2], object) for _ in range(2))
    for index in np.ndindex(signs.shape):
        triangle, _, _, exchanges = eliminate(matrices[index].tolist(), [[]] * matrices.shape[-1])
        pivots = [row[k] for k, row in enumerate(triangle)]
        signs[index] = prod_(exchanges, *map(sign, pivots))
        logarithms[index] = sum_(0.0, *[log(magnitude(pivot)) for pivot in pivots])
    kind = type(np.linalg.slogdet(np.eye(1)))
    return kind(*[settle(x) if x.ndim else x.item() for x in (signs, logarithms)])


@implements(np.linalg.norm)
def _norm(x: Like, ord: object = None, axis: Axis = None, keepdims: bool = False) -> object:
    dimensions = np.ndim(x)
    if axis is None and (ord is None or dimensions == 1):
        return lanes(_vector_norm(ord), x, None, keepdims)
    axes = tuple(range(dimensions)) if axis is None else axes_of(axis)
    if len(axes) == 1:
        return lanes(_vector_norm(ord), x, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"a norm needs vectors or matrices, got {len(axes)} dimensions")
    return lanes(_matrix_norm(ord, np.shape(x)[axes[1]]), x, axes, keepdims)


def _vector_norm(ord: Any) -> OfNumbers:
    def norm(xs: list[Number]) -> Number:
        if ord in (None, 2):
            return hypot(*xs) if xs else 0.0
        sizes = list(map(magnitude, xs))
        if ord == math.inf:
            return max_(*sizes)
        if ord == -math.inf:
            return min_(*sizes)
        if ord == 1:
            return sum_(*sizes) if xs else 0.0
        if ord == 0:
            return sum_(*[magnitude(sign(x)) for x in xs]) if xs else 0.0
        return sum_(*[size**ord for size in sizes]) ** (1 / ord) if xs else 0.0

    if isinstance(ord, str):
        raise ValueError(f"the norm of a vector has a number as its order, got {quote(ord)}")
    return norm


def _matrix_norm(ord: Any, width: int) -> OfNumbers:
    def norm(xs: list[Number]) -> Number:
        if ord in (None, "fro"):
            return hypot(*xs)
        rows = [xs[at : at + width] for at in range(0, len(xs), width)]
        lines = rows if abs(ord) == math.inf else zip(*rows, strict=True)
        sums = [sum_(*map(magnitude, line)) for line in lines]
        return max_(*sums) if ord > 0 else min_(*sums)

    if ord not in (None, "fro", 1, -1, math.inf, -math.inf):
        raise TypeError(
            f"the norm of a matrix of Values has the order 'fro', 1, -1, inf or -inf, "
            f"got {quote(ord)}: the others need singular values"
        )
    return norm


if hasattr(np.linalg, "vector_norm"):

    @implements(np.linalg.vector_norm)
    def _of_vectors(
        x: Like, /, *, axis: Axis = None, keepdims: bool = False, ord: object = 2
    ) -> object:
        if axis is None or isinstance(axis, tuple):
            return lanes(_vector_norm(ord), x, axis, keepdims)
        return _norm(x, ord, axis, keepdims)

    @implements(np.linalg.matrix_norm)
    def _of_matrices(x: Like, /, *, keepdims: bool = False, ord: object = "fro") -> object:
        return _norm(x, ord, (-2, -1), keepdims)
