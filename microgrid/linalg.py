"""Small dense linear systems, in lists of numbers and `Value`s: solutions, inverses, determinants.

Everything is elimination in the library's arithmetic, so that there are derivatives of any order.
Where the numbers are known the pivot is the greatest of all that are left. In a trace, where the
pivot may differ from row to row of a batch, it is the greatest of its column, and `where` exchanges
the rows. NumPy's functions of the same names do the same for arrays of `Value`s.
"""

# mypy: disable-error-code="overload-overlap,overload-cannot-match"

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations
from typing import NamedTuple, TypeVar, overload

from .core.failures import failure_of
from .core.primitive import Operand, data_of, is_traced, where
from .core.sequences import as_list, require_all_numbers, single
from .engine import Value
from .functional import Number, Scalar, dot_, prod_
from .guards.checks import quote

__all__ = ["det", "inv", "solve"]

MOST_ROWS = 32  # of a matrix in a trace, where exchanging rows takes n**3 choices
NEED = "{} needs a matrix, a list of rows"
MOST_BY_MINORS = 6  # rows of a determinant without a division, which is also right where it is 0

Matrix = list[list[Number]]
T = TypeVar("T")
Rows = Iterable[Iterable[T]]


class SingularMatrix(ZeroDivisionError):
    """Says that a system has no solution, or many."""


class Triangular(NamedTuple):
    """A linear system after elimination: a triangle, and the right-hand sides beside it.

    `columns` is the order that its columns are in, and `sign` the sign of all exchanges.
    """

    triangle: Matrix
    beside: Matrix
    columns: list[int]
    sign: Number


def magnitude(x: Number) -> Number:
    """Return |x|."""
    return abs(x)  # type: ignore[return-value]  # mypy joins both kinds to an object


def sum_of_products(xs: list[Number], ys: list[Number]) -> Number:
    """Return the sum of products of two lists as one node."""
    if len(xs) == 1:
        return xs[0] * ys[0]
    return dot_(*xs, *ys) if xs else 0.0


def eliminate(matrix: Matrix, beside: Matrix) -> Triangular:
    """Return a triangular system with the same solutions."""
    n = len(matrix)
    sign: Number = 1.0
    rows = [[*left, *right] for left, right in zip(matrix, beside, strict=True)]
    columns = list(range(n))
    traced = any(is_traced(x) for row in matrix for x in row)
    for k in range(n):
        if traced:
            sign = _exchange_by_where(rows, k, sign)
        else:
            i, j = max(
                [(i, j) for i in range(k, n) for j in range(k, n)],
                key=lambda at: abs(data_of(rows[at[0]][at[1]])),
            )
            sign *= (-1.0) ** ((i != k) + (j != k))
            rows[k], rows[i] = rows[i], rows[k]
            for row in rows:
                row[k], row[j] = row[j], row[k]
            columns[k], columns[j] = columns[j], columns[k]
            if data_of(rows[k][k]) == 0:
                break  # so is all that is left
        for row in rows[k + 1 :]:
            factor = -(row[k] / rows[k][k])
            row[k + 1 :] = [
                dot_(factor, y, x) for x, y in zip(row[k + 1 :], rows[k][k + 1 :], strict=True)
            ]
    return Triangular([row[:n] for row in rows], [row[n:] for row in rows], columns, sign)


def _exchange_by_where(rows: Matrix, k: int, sign: Number) -> Number:
    """Bring the row with the greatest number in column k to place k; return the sign of it all."""
    for i in range(k + 1, len(rows)):
        above, below = rows[k], rows[i]
        swap = magnitude(above[k]) < magnitude(below[k])
        rows[k] = above[:k] + [where(swap, y, x) for x, y in zip(above[k:], below[k:], strict=True)]
        rows[i] = below[:k] + [where(swap, x, y) for x, y in zip(above[k:], below[k:], strict=True)]
        sign = where(swap, -sign, sign)
    return sign


def solve_system(matrix: Matrix, beside: Matrix) -> Matrix:
    """Return the solutions of a system, one for each column beside it.

    Raises:
        SingularMatrix: it has no solution, or many.
    """
    triangle, right, columns, _ = eliminate(matrix, beside)
    n = len(triangle)
    if any(not is_traced(row[k]) and data_of(row[k]) == 0 for k, row in enumerate(triangle)):
        raise SingularMatrix("the matrix is singular")
    solution: Matrix = [[] for _ in range(n)]
    for c in range(len(right[0]) if right else 0):
        found: list[Number] = []  # from the last to the first
        for k in reversed(range(n)):
            rest = sum_of_products(triangle[k][:k:-1], found)
            found.append(((right[k][c] - rest) if found else right[k][c]) / triangle[k][k])
        for k, x in zip(columns, reversed(found), strict=True):
            solution[k].append(x)
    return solution


def determinant(matrix: Matrix) -> Number:
    """Return the determinant: of a small matrix by minors, of a larger one by elimination."""
    if len(matrix) <= MOST_BY_MINORS:
        return _by_minors(matrix)
    triangle, _, _, sign = eliminate(matrix, [[] for _ in matrix])
    return sign * prod_(*[row[k] for k, row in enumerate(triangle)])


def _by_minors(matrix: Matrix) -> Number:
    """Return the determinant, from those of the last rows and any columns (Laplace)."""
    n = len(matrix)
    minors: dict[tuple[int, ...], Number] = {(): 1.0}
    for size in range(1, n + 1):
        row = matrix[n - size]
        minors = {
            columns: _alternating(
                [row[c] for c in columns],
                [minors[columns[:i] + columns[i + 1 :]] for i in range(size)],
            )
            for columns in combinations(range(n), size)
        }
    return minors[tuple(range(n))]


def _alternating(xs: list[Number], ys: list[Number]) -> Number:
    """Return x1 * y1 - x2 * y2 + x3 * y3 - … for two lists."""
    added = sum_of_products(xs[::2], ys[::2])
    return added - sum_of_products(xs[1::2], ys[1::2]) if len(xs) > 1 else added


def require_few_rows(name: str, rows: int, numbers: Iterable[object]) -> None:
    """Raise `TypeError` if numbers in a trace are those of a matrix with too many rows."""
    if rows > MOST_ROWS and any(map(is_traced, numbers)):
        raise TypeError(
            f"a compiled function takes {name} of {MOST_ROWS} rows at most, got {rows}: "
            "which rows change places is not known before the kernel runs, and every choice is a "
            "step; solve in Python, outside of the function"
        )


def _as_matrix(a: object, name: str) -> Matrix:
    """Return a square matrix as lists."""
    rows = [_numbers(row, f"{name} needs rows of numbers") for row in as_list(a, NEED.format(name))]
    for i, row in enumerate(rows):
        if len(row) != len(rows):
            raise ValueError(
                f"{name} needs a square matrix, as many numbers in each row as there are rows, "
                f"got {len(rows)} rows and {len(row)} numbers in row {i}"
            )
        require_all_numbers(f"{name}: row {i}, entry {{}}", row)
    require_few_rows(name, len(rows), chain(*rows))
    return rows


def _numbers(row: object, need: str) -> list[Number]:
    return [*map(single, as_list(row, need))]


@overload
def solve(a: Rows[Scalar], b: Iterable[Scalar]) -> list[Scalar]: ...
@overload
def solve(a: Rows[Scalar], b: Rows[Scalar]) -> list[list[Scalar]]: ...
@overload
def solve(a: Rows[Value | float], b: Iterable[Value | float]) -> list[Value]: ...
@overload
def solve(a: Rows[Value | float], b: Rows[Value | float]) -> list[list[Value]]: ...
def solve(a: Rows[object], b: Iterable[object]) -> object:
    """Return the x for which a @ x is b: a list for a list b, and rows for rows, column by column.

    Args:
        a: a square matrix, a list of rows.
        b: a number for each row, or a row of numbers for each.

    Raises:
        ValueError: a is not square or is singular, or b has another number of rows.
        TypeError: an entry is not a number; or a traced matrix has more than 32 rows.

    >>> a = Value(3.0)
    >>> x = solve([[a, 1.0], [1.0, 2.0]], [9.0, 8.0])
    >>> x[0].backward(); [round(y.data, 6) for y in x], round(a.grad, 6)
    ([2.0, 3.0], -0.8)
    """
    matrix, right = _as_matrix(a, "solve"), as_list(b, NEED.format("solve"))
    if len(right) != len(matrix):
        raise ValueError(
            f"solve needs a right-hand side with a row for each row of the matrix, got "
            f"{len(right)} for {len(matrix)}"
        )
    right = [*map(single, right)]
    is_vector = not right or isinstance(right[0], Operand) or not hasattr(right[0], "__len__")
    if is_vector:
        require_all_numbers("solve: `b`[{}]", right)
        beside = [[x] for x in right]
    else:
        beside = [_numbers(row, "solve needs rows of numbers as `b`") for row in right]
        if len({len(row) for row in beside}) > 1:
            raise ValueError("solve needs rows of one length as `b`, got " + quote(b))
        for i, row in enumerate(beside):
            require_all_numbers(f"solve: row {i} of `b`, entry {{}}", row)
    solution = _solve_named("solve", matrix, beside)
    return [row[0] for row in solution] if is_vector else solution


def _solve_named(name: str, matrix: Matrix, beside: Matrix) -> Matrix:
    try:
        return solve_system(matrix, beside)
    except SingularMatrix:
        shown = quote([[data_of(x) for x in row] for row in matrix])
        raise ValueError(
            f"{name} needs a matrix that is not singular, got {shown}: some of its rows add up to "
            "another one, times numbers"
        ) from None
    except OverflowError as error:
        if failure_of(error):
            raise
        raise OverflowError(
            f"{name} needs numbers that a float can hold, got {quote(matrix)} and {quote(beside)}"
        ) from None


@overload
def inv(a: Rows[Scalar]) -> list[list[Scalar]]: ...
@overload
def inv(a: Rows[Value | float]) -> list[list[Value]]: ...
def inv(a: Rows[object]) -> object:
    """Return the inverse of a square matrix, a list of rows; `solve` is faster, and as exact.

    Raises:
        ValueError: a is not square, or is singular.
        TypeError: an entry is not a number; or a traced matrix has more than 32 rows.

    >>> inv([[2.0, 0.0], [1.0, 4.0]])
    [[0.5, 0.0], [-0.125, 0.25]]
    """
    matrix = _as_matrix(a, "inv")
    n = len(matrix)
    return _solve_named("inv", matrix, [[float(i == j) for j in range(n)] for i in range(n)])


@overload
def det(a: Rows[Scalar]) -> Scalar: ...
@overload
def det(a: Rows[Value | float]) -> Value: ...
def det(a: Rows[object]) -> object:
    """Return the determinant of a square matrix, a list of rows; 1.0 if there are none.

    For up to six rows it is made of products and sums alone, whose derivatives are right even where
    the matrix is singular.

    Raises:
        ValueError: a is not square.
        TypeError: an entry is not a number; or a traced matrix has more than 32 rows.

    >>> det([[2.0, 1.0], [3.0, 4.0]])
    5.0
    """
    return determinant(_as_matrix(a, "det"))
