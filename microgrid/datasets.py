"""Small data sets to learn from, and the tools to prepare them: a split, batches, a scaler.

A data set is a pair `X, y`: `X` is a list of rows, each a list of floats, and `y` the list of their
classes, 0, 1, … The shapes are those that scikit-learn's functions draw; the penguins and the
digits are real.

In a drawn set the classes share the `n` points evenly, to within one, and come shuffled. `noise`,
finite and at least 0, is the standard deviation of the noise in every coordinate. `seed` is an
integer, the `random.Random` to draw from, or None for another draw each time; the same integer
gives the same bits. A wrong argument raises `ValueError`, or `TypeError` if it is of the wrong
kind, before anything is drawn.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from .core.sequences import (
    as_lists,
    entries,
    instead_of,
    is_missing,
    is_number,
    is_ordered,
    single,
)
from .fitting.examples import rows_of_numbers
from .guards.checks import LONGEST, quote, require_bools, require_integers, require_numbers
from .guards.seeding import Seed, generator

__all__ = [
    "Penguins",
    "StandardScaler",
    "batches",
    "blobs",
    "circles",
    "digits",
    "encode",
    "moons",
    "penguins",
    "spirals",
    "split",
    "xor",
]

Labelled: TypeAlias = tuple[list[list[float]], list[int]]
Matrix: TypeAlias = Iterable[Iterable[float]]
T = TypeVar("T")
U = TypeVar("U")

MUST_BE_CLASSES = "`classes` must be a list of labels"


def moons(n: int = 100, noise: float = 0.1, seed: Seed = 0) -> Labelled:
    """Draw two interleaving half circles of radius 1.

    Class 0 is the upper half of the circle around (0, 0), class 1 the lower half of the one around
    (1, 0.5). Raises `ValueError` unless `n` >= 1 and `noise` >= 0.

    >>> X, y = moons(6, noise=0)
    >>> sorted([round(value, 1) for value in row] for row, label in zip(X, y) if label == 1)
    [[0.0, 0.5], [1.0, -0.5], [2.0, 0.5]]
    """

    def point(label: int, i: int, size: int) -> list[float]:
        # Both ends of an arc belong to it, so there is one step fewer than points.
        t = math.pi * i / max(size - 1, 1)
        return [1 - math.cos(t), 0.5 - math.sin(t)] if label else [math.cos(t), math.sin(t)]

    return _scatter(point, n, 2, noise, seed)


def circles(n: int = 100, noise: float = 0.05, factor: float = 0.5, seed: Seed = 0) -> Labelled:
    """Draw a circle of radius `factor`, class 1, inside a circle of radius 1, class 0.

    Both are around (0, 0). Raises `ValueError` unless `n` >= 1, `noise` >= 0 and 0 < `factor` < 1.

    >>> X, y = circles(4, noise=0, factor=0.25)
    >>> sorted((label, math.hypot(*row)) for row, label in zip(X, y))
    [(0, 1.0), (0, 1.0), (1, 0.25), (1, 0.25)]
    """
    require_numbers(factor=factor, above=0, below=1)

    def point(label: int, i: int, size: int) -> list[float]:
        radius, t = float(factor) if label else 1.0, math.tau * i / size
        return [radius * math.cos(t), radius * math.sin(t)]

    return _scatter(point, n, 2, noise, seed)


def spirals(
    n: int = 100, arms: int = 2, turns: float = 1.0, noise: float = 0.02, seed: Seed = 0
) -> Labelled:
    """Draw spiral arms, one for each class, that wind from the origin out to radius 1.

    They are Archimedean: at radius r an arm has made `turns` * r turns. Raises `ValueError` unless
    `n` >= 1, `arms` >= 2, `turns` >= 0 and `noise` >= 0.

    >>> X, y = spirals(90, arms=3)
    >>> [y.count(label) for label in range(3)]
    [30, 30, 30]
    """
    require_integers(arms=arms, least=2, largest=LONGEST)
    require_numbers(turns=turns)

    def point(arm: int, i: int, size: int) -> list[float]:
        # The first point is already off the origin, which would belong to every arm.
        radius = (i + 1) / size
        t = math.tau * (float(turns) * radius + arm / arms)
        return [radius * math.cos(t), radius * math.sin(t)]

    return _scatter(point, n, arms, noise, seed)


def xor(n: int = 100, noise: float = 0.1, seed: Seed = 0) -> Labelled:
    """Draw the corners of the unit square, labelled with the exclusive or of their coordinates.

    Raises `ValueError` unless `n` >= 1 and `noise` >= 0.

    >>> X, y = xor(4, noise=0)
    >>> sorted(zip(X, y))
    [([0.0, 0.0], 0), ([0.0, 1.0], 1), ([1.0, 0.0], 1), ([1.0, 1.0], 0)]
    """
    return _scatter(lambda label, i, size: [i % 2, (i + label) % 2], n, 2, noise, seed)


def blobs(n: int = 100, centers: int | Matrix = 3, spread: float = 1.0, seed: Seed = 0) -> Labelled:
    """Draw round clouds of points around their centers, one for each class.

    `centers` is a list of points of any one dimension, or how many to draw evenly from the square
    [-10, 10]². `spread` is the standard deviation of every coordinate. Raises `ValueError` unless
    `n` >= 1, `spread` >= 0 and there is at least one center, all of them finite.

    >>> X, y = blobs(60, centers=[[0, 0, 0], [9, 9, 9]], spread=0.5)
    >>> all((sum(row) > 13.5) == label for row, label in zip(X, y))
    True
    """
    require_integers(n=n, largest=LONGEST)
    require_numbers(spread=spread)
    random = generator(seed)
    given: Any = centers
    if is_ordered(given):
        points = rows_of_numbers("centers", given)
    else:
        require_integers(centers=given, largest=LONGEST, instead="a list of points")
        points = [[random.uniform(-10, 10), random.uniform(-10, 10)] for _ in range(given)]
    return _scatter(lambda label, i, size: points[label], n, len(points), spread, random)


class Penguins(NamedTuple):
    """The rows, their classes, the names of columns and classes, and how many rows were dropped.

    >>> penguins().feature_names
    ('bill_length_mm', 'bill_depth_mm', 'flipper_length_mm', 'body_mass_g')
    """

    X: list[list[float]]
    y: list[int]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    dropped: int


def penguins() -> Penguins:
    """Return bill length, bill depth, flipper length (mm) and body mass (g) of three species.

    There are 342 penguins of the Palmer Archipelago, one species after another as in the file;
    `dropped` counts the rows left out because a measurement is missing. `X, y, *_ = penguins()`
    unpacks what training needs.

    From Gorman, Williams & Fraser (2014), PLoS ONE 9(3): e90081, by way of *palmerpenguins* (Horst,
    Hill & Gorman); CC-0, see `data/README.md`.

    >>> data = penguins()
    >>> data.class_names, data.X[0], data.y[0], data.dropped
    (('Adelie', 'Chinstrap', 'Gentoo'), [39.1, 18.7, 181.0, 3750.0], 0, 2)
    """
    features = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    table = list(csv.DictReader(_lines_of("penguins.csv")))
    species = tuple(sorted({row["species"] for row in table}))
    whole = [row for row in table if "NA" not in (row[name] for name in features)]
    X = [[float(row[name]) for name in features] for row in whole]
    y = [species.index(row["species"]) for row in whole]
    return Penguins(X, y, features, species, len(table) - len(whole))


def digits() -> Labelled:
    """Return 1,797 handwritten digits: images of 8 × 8 pixels, and which digit each of them is.

    A row holds the 64 pixels of an image, line by line from the top left; a pixel is a whole number
    from 0, paper, to 16, ink. Thirteen people wrote them, and the rows go from form to form.

    E. Alpaydin and C. Kaynak (1998), *Optical Recognition of Handwritten Digits*, UCI Machine
    Learning Repository, https://doi.org/10.24432/C50P49: its test set, unchanged. It is licensed
    under CC BY 4.0, https://creativecommons.org/licenses/by/4.0/; see `data/README.md`.

    >>> X, y = digits()
    >>> for line in range(0, 64, 8):
    ...     print("".join(" ░▒▓█"[int(pixel) // 4] for pixel in X[6][line : line + 8]).rstrip())
       ▓▓
      ░█▒
      ▓█
      ▓▓
      ▓▓░
      ▓█▓█
      ░█▒▓▒
       ▒▓▒
    >>> len(X), y[6]
    (1797, 6)
    """
    table = list(csv.reader(_lines_of("digits.csv.gz")))
    return [[*map(float, pixels)] for *pixels, _ in table], [int(digit) for *_, digit in table]


def _lines_of(name: str) -> list[str]:
    """Return the lines of a file in `data/`, which may be inside an archive."""
    from importlib.resources import files  # which takes long to load, as the next one does

    content = (files(__package__) / "data" / name).read_bytes()
    if name.endswith(".gz"):
        from gzip import decompress

        content = decompress(content)
    return content.decode().splitlines()


def encode(y: Iterable[T], classes: Iterable[T] | None = None) -> tuple[list[int], list[T]]:
    """Give each class in `y` a number, as `fit` needs it: return the numbers and the classes.

    `y` holds strings or any other labels, as a list, a column of a frame or another iterable. The
    classes are sorted; `classes` gives them in your own order, such as that of the training rows
    when others are encoded. `classes[number]` is the label again.

    Raises:
        ValueError: a label is missing, or not in `classes`, which has each once.
        TypeError: labels cannot be sorted, or have no hash.

    >>> y, classes = encode(["cat", "dog", "cat"])
    >>> y, classes, encode(["dog"], classes)[0]
    ([0, 1, 0], ['cat', 'dog'], [1])
    """
    labels = entries(y, "`y` must be a list or an array of labels")
    for row, label in enumerate(labels):
        if is_missing(label) or (is_number(label) and label != label):
            must = f"row {row} of `y` must be a label"
            raise ValueError(f"{must}, got {quote(label)}; drop or fill what is missing")
    try:
        order = sorted({*labels}) if classes is None else entries(classes, MUST_BE_CLASSES)
        numbers = {label: number for number, label in enumerate(order)}
        if len(numbers) < len(order):
            raise ValueError(f"{MUST_BE_CLASSES}, each once, got {quote(order)}")
        return [numbers[label] for label in labels], order
    except KeyError as unknown:
        (label,) = unknown.args
        raise ValueError(
            f"row {labels.index(label)} of `y` must be one of `classes`, {quote(order)}, "
            f"got {quote(label)}"
        ) from None
    except TypeError:
        must = "labels must be of one kind that can be sorted, such as strings"
        raise TypeError(f"{must}, got {quote(labels)}") from None


def split(
    X: Iterable[T], y: Iterable[U], test: float = 0.25, seed: Seed = 0, stratify: bool = False
) -> tuple[list[T], list[T], list[U], list[U]]:
    """Shuffle the rows and divide them into `X_train, X_test, y_train, y_test`.

    `X` and `y` are lists, arrays, data frames or other iterables, of anything; they go by position,
    and the rows of an array or a frame come as lists. `test` is the share of the test part, rounded
    up to a whole row. With `stratify` each class of `y` has that share of its rows there, to within
    one. Raises `ValueError` unless `X` and `y` are of one length, 0 < `test` < 1, and each part
    gets a row (with `stratify`: of every class), and `TypeError` if they have no order.

    >>> X_train, X_test, y_train, y_test = split(*moons(20), test=0.3, stratify=True)
    >>> len(X_train), len(X_test), y_test.count(0), y_test.count(1)
    (14, 6, 3, 3)
    """
    rows, targets = as_lists("X", X, "y", y)
    require_numbers(test=test, above=0, below=1)
    require_bools(stratify=stratify)
    n = len(rows)
    # 0.55 * 100 is 55.00000000000001, which but for the inner rounding would be 56 rows.
    n_test = math.ceil(round(test * n, 9))
    if not 0 < n_test < n:
        raise ValueError(f"`test` must leave each part a row, got test={test!r} of {n} rows")
    classes = _classes(targets) if stratify else [None] * n
    random = generator(seed)
    order = order_of_rows(n, True, random)
    tested = _choose_evenly(order, classes, n_test, random)
    train_part = [i for i in order if i not in tested]
    test_part = [i for i in order if i in tested]
    if alone := {classes[i] for i in train_part} ^ {classes[i] for i in test_part}:
        raise ValueError(
            "`stratify` must leave each part a row of every class, got a part with none of class "
            f"{min(alone, key=repr)!r}; change `test` or use stratify=False"
        )
    return (
        [rows[i] for i in train_part],
        [rows[i] for i in test_part],
        [targets[i] for i in train_part],
        [targets[i] for i in test_part],
    )


def _choose_evenly(
    order: Sequence[int], classes: Sequence[object], count: int, random: Random
) -> set[int]:
    """Return `count` of the rows in `order`, of each class in proportion, to within one row."""
    n = len(order)
    place = {classes[i]: k for k, i in enumerate(order)}
    grouped = sorted(order, key=lambda i: place[classes[i]])
    # Even steps through the rows grouped by class meet every class in proportion; from a random
    # start, because a fixed one would favour the class it falls in.
    start = random.randrange(n)
    return {grouped[(start + k * n) // count] for k in range(count)}


def batches(
    X: Iterable[T], y: Iterable[U], size: int, shuffle: bool = True, seed: Seed = 0
) -> Iterator[tuple[list[T], list[U]]]:
    """Yield the rows in batches of `size`, the last one perhaps shorter, each row exactly once.

    `X` and `y` are as in `split`. An integer `seed` gives the same order every time; for a new one
    in each epoch, make a `random.Random` once and pass that. Raises `ValueError` unless `X` and `y`
    are of one length and `size` >= 1.

    >>> [y_batch for X_batch, y_batch in batches([[5], [6], [7]], [0, 1, 2], 2, shuffle=False)]
    [[0, 1], [2]]
    """
    rows, targets = as_lists("X", X, "y", y)
    require_integers(size=size)
    require_bools(shuffle=shuffle)
    order = order_of_rows(len(rows), shuffle, generator(seed))
    parts = (order[start : start + size] for start in range(0, len(rows), size))
    return (([rows[i] for i in part], [targets[i] for i in part]) for part in parts)


def order_of_rows(n: int, shuffle: bool, random: Random) -> Sequence[int]:
    """Return the numbers from 0 to n - 1, in another order if `shuffle`.

    It is the order of `random.sample(range(n), n)`, in half the time.

    >>> order_of_rows(3, False, Random()), order_of_rows(3, True, Random(0))
    (range(0, 3), [1, 2, 0])
    """
    if not shuffle:
        return range(n)
    draw, rest, order = random.getrandbits, list(range(n)), []
    for count in range(n, 0, -1):
        bits = count.bit_length()
        while (k := draw(bits)) >= count:  # drawn again, so that all are as likely
            pass
        order.append(rest[k])
        rest[k] = rest[count - 1]
    return order


class StandardScaler:
    """Brings every column to mean 0 and standard deviation 1, as measured on the training rows.

    After `fit`, `mean` and `scale` hold the mean and the population standard deviation (over n, not
    n - 1) of each column; before, they are empty. A constant column has scale 1, so it becomes 0.
    Rows are lists, arrays, data frames or other iterables. Every method raises `ValueError` unless
    they are finite and of one length, that of the rows fitted, `TypeError` if something in them is
    not a number, and `OverflowError` if a result is too large for a float.

    >>> scaler = StandardScaler().fit([[1, 5], [3, 5]])
    >>> scaler.mean, scaler.scale, scaler.transform([[4, 5]])
    ([2.0, 5.0], [1.0, 1.0], [[2.0, 0.0]])
    >>> scaler.inverse_transform([[2.0, 0.0]]), scaler.fit_transform([[0], [4]])
    ([[4.0, 5.0]], [[-1.0], [1.0]])
    """

    def __init__(self) -> None:
        self.mean: list[float] = []
        self.scale: list[float] = []

    def fit(self, X: Matrix) -> Self:
        """Measure the columns of `X`, the training rows and no others; return the scaler itself."""
        columns = list(zip(*rows_of_numbers("X", X), strict=True))
        means, scales = [], []
        for j, column in enumerate(columns):
            try:
                mean = math.fsum(column) / len(column)
                deviation = math.dist(column, [mean] * len(column)) / math.sqrt(len(column))
            except OverflowError:
                deviation = math.inf
            if not math.isfinite(deviation):
                raise OverflowError(
                    f"column {j} of `X` must have a sum and a deviation that a float can hold, "
                    f"got numbers up to {max(map(abs, column))!r}; divide it first"
                )
            means.append(mean)
            # The mean of a constant may be off in its last bit: dividing by that would blow it up.
            scales.append(deviation if deviation > 4 * math.ulp(mean) else 1.0)
        self.mean, self.scale = means, scales
        return self

    def transform(self, X: Matrix) -> list[list[float]]:
        """Return (x - mean) / scale for every x; raises `RuntimeError` before `fit`."""
        return self._transform(X, lambda x, mean, scale: (x - mean) / scale)

    def fit_transform(self, X: Matrix) -> list[list[float]]:
        """Return the rows of `X` transformed by what was measured on them."""
        rows = rows_of_numbers("X", X)
        return self.fit(rows).transform(rows)

    def inverse_transform(self, X: Matrix) -> list[list[float]]:
        """Return x * scale + mean for every x, undoing `transform`; raises likewise."""
        return self._transform(X, lambda x, mean, scale: x * scale + mean)

    def _transform(
        self, X: Matrix, of_one: Callable[[float, float, float], float]
    ) -> list[list[float]]:
        """Return the rows with every x made `of_one(x, mean, scale)`."""
        if not self.mean:
            raise RuntimeError("`StandardScaler` must be fitted before use; call `fit` first")
        rows = rows_of_numbers("X", X)
        if len(rows[0]) != len(self.mean):
            raise ValueError(
                f"`X` must have the {len(self.mean)} columns that were fitted, got {len(rows[0])}"
            )
        result = [[*map(of_one, row, self.mean, self.scale)] for row in rows]
        for i, (row, new) in enumerate(zip(rows, result, strict=True)):
            if not all(map(math.isfinite, new)):
                raise OverflowError(
                    f"row {i} of `X` must be so near to the fitted rows that a float can hold the "
                    f"result, got {quote(row)}"
                )
        return result


def _scatter(
    point: Callable[[int, int, int], list[float]], n: int, classes: int, noise: float, seed: Seed
) -> Labelled:
    """Shuffle n noisy points; `point(label, i, size)` is the i-th of a class's `size` points."""
    require_integers(n=n, largest=LONGEST)
    require_numbers(noise=noise)
    random = generator(seed)
    sizes = [(n + label) // classes for label in range(classes)]
    places = [(label, i) for label in range(classes) for i in range(sizes[label])]
    random.shuffle(places)
    X = [
        [float(x + random.gauss(0, float(noise))) for x in point(label, i, sizes[label])]
        for label, i in places
    ]
    return X, [label for label, _ in places]


def _classes(y: Sequence[object]) -> list[object]:
    """Return the class of every target: the target itself, but all nans are one class."""
    classes = [math.nan if is_number(t) and t != t else t for t in map(single, y)]
    for i, target in enumerate(classes):
        try:
            hash(target)
        except TypeError:
            raise TypeError(
                "`stratify` needs classes in `y`, such as ints, "
                f"got {quote(target)} in row {i}{instead_of(target)}"
            ) from None
    return classes
