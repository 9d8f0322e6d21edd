"""Names of inputs that differ only in numbers, such as those of a model's weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

__all__ = ["Names"]

Whole = NDArray[np.int64]

NUMBER = re.compile(r"(?<!\d)(0|[1-9]\d{0,8})(?!\d)")
PATH = re.compile(r"\['([\w.\0]+)'\]")  # with \0 for numbers
STEP = re.compile(r"\.\0")


class Names:
    """Names, each a pattern, which is what stands around its numbers, and the numbers.

    Paths are written as in Python: model['a.0.b'] is model.a[0].b.

    >>> names = Names(["x[0]", "x[1]", "net['layers.2.w']"])
    >>> names.patterns.tolist(), names.numbers.tolist()
    ([0, 0, 1], [[0], [1], [2]])
    >>> names.spell(2), names.find_common(np.array([0, 1]))
    ('net.layers[2].w', (('x[', ']'), [array([0, 1])]))
    """

    def __init__(self, names: Sequence[str]) -> None:
        found: dict[tuple[str, ...], int] = {}
        parts = [NUMBER.split(name) for name in names]
        kinds = [found.setdefault(tuple(part[::2]), len(found)) for part in parts]
        self.patterns = np.array(kinds, np.int64)
        self.numbers = np.zeros((len(names), max(map(len, found), default=1) - 1), np.int64)
        for row, part in zip(self.numbers, parts, strict=True):
            row[: len(part) // 2] = [int(number) for number in part[1::2]]
        readable = [_write_as_python(pattern) for pattern in found]
        self.pieces = readable if len(set(readable)) == len(found) else list(found)
        self.words = set(re.findall(r"[^\W\d]+", " ".join(chain.from_iterable(self.pieces))))

    def spell(self, k: int) -> str:
        """Return a name."""
        first, *others = self.pieces[int(self.patterns[k])]
        numbers: list[int] = self.numbers[k].tolist()
        return first + "".join([f"{n}{x}" for n, x in zip(numbers, others, strict=False)])

    def find_common(self, at: Whole) -> tuple[tuple[str, ...], list[Whole]] | None:
        """Return what names have in common, and each of their numbers; None if they differ."""
        patterns = self.patterns[at]
        if (patterns != patterns.flat[0]).any():
            return None
        pieces = self.pieces[int(patterns.flat[0])]
        return pieces, [self.numbers[at, i] for i in range(len(pieces) - 1)]

    def leave_out(self, words: Iterable[str]) -> list[str]:
        """Return those words that are in no name."""
        return [word for word in words if word not in self.words]

    def make_fresh(self, stem: str) -> Iterator[str]:
        """Yield names that are none of these, such as v1, v2 and so on."""
        while stem in self.words:
            stem += "_"
        return (f"{stem}{k}" for k in count(1))


def _write_as_python(pattern: Sequence[str]) -> tuple[str, ...]:
    path = PATH.sub(lambda found: STEP.sub("[\0]", f".{found[1]}"), "\0".join(pattern))
    return tuple(path.split("\0"))
