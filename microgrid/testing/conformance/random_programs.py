"""Random programs, whose gradients are known from exact arithmetic."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from random import Random

from .cases import Case, Engine

__all__ = ["FORMULAS", "random_programs", "straight_line"]

PROGRAMS = 25  # random ones of each size: of all sizes, a walk in a wrong order fails one in ten
SIZES = range(1, 13)
FORMULAS = [
    *("{0} + {1}", "{0} * {1}", "{0} - {1}", "{0} / {1}") * 3,  # only these can share a node
    *("{0} + 1.0", "2.0 * {0}", "3.0 - {0}", "{0} / 2.0", "4.0 / {0}"),
    *("-{0}", "{0} ** 2", "{0} ** 3", "{0}.relu()"),
]
NUMBERS = [2.0, 3.0, -1.0, 0.5, -4.0, 0.0]
Instruction = tuple[str, int, int]  # a formula and its operands, counted back from the newest name
Draws = tuple[int, ...]  # which number or, with its operands, which formula


class _Dual:
    """A fraction and its derivative with respect to each leaf, in forward mode: without a graph."""

    def __init__(self, data: float | Fraction, slopes: dict[_Dual, Fraction] | None = None) -> None:
        self.data = Fraction(data)
        self.slopes = {self: Fraction(1)} if slopes is None else slopes

    def linear(self, data: Fraction, *terms: tuple[_Dual, Fraction]) -> _Dual:
        """Return a result of operands, each of which comes with its partial derivative."""
        slopes: dict[_Dual, Fraction] = {}
        for operand, partial in terms:
            for leaf, slope in operand.slopes.items():
                slopes[leaf] = slopes.get(leaf, Fraction(0)) + partial * slope
        return _Dual(data, slopes)

    def __add__(self, other: _Dual | float) -> _Dual:
        y = _dual(other)
        return self.linear(self.data + y.data, (self, Fraction(1)), (y, Fraction(1)))

    def __mul__(self, other: _Dual | float) -> _Dual:
        y = _dual(other)
        return self.linear(self.data * y.data, (self, y.data), (y, self.data))

    def __pow__(self, n: int) -> _Dual:
        return self.linear(self.data**n, (self, n * self.data ** (n - 1)))

    def relu(self) -> _Dual:
        if self.data == 0:
            raise ArithmeticError("relu has no derivative at 0")
        return self * int(self.data > 0)

    def __neg__(self) -> _Dual:
        return self * -1

    def __sub__(self, other: _Dual | float) -> _Dual:
        return self + _dual(other) * -1

    def __truediv__(self, other: _Dual | float) -> _Dual:
        return self * _dual(other) ** -1

    def __rsub__(self, other: float) -> _Dual:
        return _dual(other) - self

    def __rtruediv__(self, other: float) -> _Dual:
        return _dual(other) / self

    __rmul__ = __mul__

    def is_float(self) -> bool:
        """Return whether floats compute with the number and its slopes without rounding them."""
        return all(
            abs(n) < 2**20 and n.denominator < 2**20 and n.denominator.bit_count() == 1
            for n in [self.data, *self.slopes.values()]
        )


def _dual(x: _Dual | float) -> _Dual:
    return x if isinstance(x, _Dual) else _Dual(x, {})


@lru_cache(maxsize=4096)  # engines that have the same operators run the same programs
def straight_line(numbers: tuple[float, ...], instructions: tuple[Instruction, ...]) -> Case:
    """Return a program with its exact gradients.

    An instruction is left out if floats would round it or if it has no derivative: no engine has
    an excuse for what is left.

    >>> print(straight_line((2.0,), (("{0} * {1}", 0, 0),)).program)
    a = Value(2.0)
    b = a * a
    b.backward()
    """
    letters = iter(string.ascii_lowercase)
    values = {next(letters): _Dual(number) for number in numbers}
    leaves = dict(values)
    lines = [f"{name} = Value({float(value.data)})" for name, value in leaves.items()]
    for formula, first, second in instructions:
        names = list(values)[::-1]
        text = formula.format(names[first % len(names)], names[second % len(names)])
        with suppress(ArithmeticError):
            value = eval(text, {}, values)
            if value.is_float():
                name = next(letters)
                values[name] = value
                lines.append(f"{name} = {text}")
    root, value = values.popitem()
    if root in leaves:
        return Case("\n".join(lines), ((f"{root}.data", repr(float(value.data))),))
    claims = [(f"{root}.data", value.data)]
    claims += [
        (f"{name}.grad", value.slopes.get(leaf, Fraction(0))) for name, leaf in leaves.items()
    ]
    return Case(
        "\n".join([*lines, f"{root}.backward()"]),
        tuple([(shown, repr(float(number))) for shown, number in claims]),
    )


def _program_of(formula: str) -> Case:
    return straight_line((2.0, 4.0), ((formula, 1, 0),))


def random_programs(engine: Engine) -> Iterator[Case]:
    """Yield a program of one instruction, and the smallest random one that is wrong, if any is.

    An operator that is wrong by itself breaks another law, and is not used.
    """
    right = [formula for formula in FORMULAS if not _program_of(formula).wrong(engine)]
    if not right:
        return
    yield _program_of(right[0])

    def case(draws: list[Draws]) -> Case:
        numbers = tuple([NUMBERS[i] for i, *operands in draws if not operands])
        instructions = tuple([(right[i], *operands) for i, *operands in draws if operands])
        return straight_line(numbers, instructions)

    def is_wrong(draws: list[Draws]) -> bool:
        return case(draws).wrong(engine) is not None

    random = Random(0)  # so that every run is the same
    for size in [size for size in SIZES for _ in range(PROGRAMS)]:
        draws: list[Draws] = [
            (random.randrange(len(NUMBERS)),) for _ in range(random.randint(1, 3))
        ]
        # A formula takes the newest names, so that little of a program is computed for nothing.
        draws += [tuple(map(random.randrange, (len(right), 3, 5))) for _ in range(size)]
        if is_wrong(draws):
            yield case(_smallest(draws, is_wrong))
            return


def _smallest(draws: list[Draws], is_wrong: Callable[[list[Draws]], bool]) -> list[Draws]:
    """Return draws that are still wrong, as few after the first, and as low, as can be."""
    for i, draw in enumerate(draws):
        instead: list[list[Draws]] = [[]] if i else []
        for k, most in enumerate(draw):
            instead += [[(*draw[:k], lower, *draw[k + 1 :])] for lower in range(most)]
        for simpler in instead:
            if is_wrong(found := [*draws[:i], *simpler, *draws[i + 1 :]]):
                return _smallest(found, is_wrong)
    return draws
