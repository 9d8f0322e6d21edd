"""Laws, read from the book: each a claim with its cases, and the failure of an engine at it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from unittest import SkipTest

from . import book
from .cases import Case, Engine, evaluate
from .features import features, offers
from .random_programs import random_programs
from .tailored import edges, leaf_changes, seeds

__all__ = ["LAWS", "MANNERS", "Failure", "Law"]


@dataclass(frozen=True)
class Law:
    """A claim, a sentence for the one who breaks it, and the cases that test an engine on it.

    >>> print(LAWS[0])
    a node used twice gets both shares
    """

    name: str
    explanation: str
    cases: Callable[[Engine], Iterable[Case]]

    def check(self, engine: Engine) -> None:
        """Raise if an engine breaks the law.

        Raises:
            AssertionError: it does; the message has the smallest program that shows it.
            unittest.SkipTest: it offers nothing that the law is about; pytest counts a skip.

        >>> from microgrid import Value
        >>> LAWS[0].check(Value)
        """
        if failure := self.failure(engine):
            raise AssertionError(str(failure))

    def failure(self, engine: Engine) -> Failure | None:
        """Return the first case that an engine gets wrong, None if it keeps the law.

        Raises:
            unittest.SkipTest: it offers nothing that the law is about.

        >>> from microgrid import Value
        >>> LAWS[0].failure(Value) is None
        True
        """
        is_offered = cache(partial(offers, engine))
        offered = False
        for case in self.cases(engine):
            if all(map(is_offered, features(case))):
                offered = True
                if wrong := case.wrong(engine):
                    return Failure(self, case, *wrong)
        if not offered:
            raise SkipTest(f"not offered: {self.name}")
        return None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Failure:
    """A law that an engine breaks, and the smallest case that shows it: the claim and the truth.

    `has_end` is false if the case was stopped, since the engine had no end.

    >>> case = Case.parse("x = 3: y = x + x -> x' = 2")
    >>> print(Failure(LAWS[0], case, "x.grad", wanted="2", got="1.0").reproducer)
    x = Value(3.0)
    y = x + x
    y.backward()
    print(x.grad)  # wanted 2, got 1.0
    """

    law: Law
    case: Case
    shown: str
    wanted: str
    got: str
    has_end: bool = True

    @property
    def reproducer(self) -> str:
        """The program to paste and run, with what is wanted and what was got."""
        wanted = re.sub("error$", "an error", self.wanted)
        result = f"print({self.shown})  # wanted {wanted}, got {self.got}"
        return "\n".join(filter(None, [self.case.program, result]))

    def as_dict(self) -> dict[str, str]:
        """Return the sentence and the program, as JSON has them.

        >>> case = Case.parse("x = 3: y = x + x -> x' = 2")
        >>> Failure(LAWS[0], case, "x.grad", wanted="2", got="1.0").as_dict()["hint"][:12]
        'Each use of '
        """
        return {"hint": self.law.explanation, "program": self.reproducer}

    def __str__(self) -> str:
        sentence = textwrap.fill(self.law.explanation, 96)
        return f"{self.law.name}\n{sentence}\n\n{textwrap.indent(self.reproducer, '    ')}"


def _law(name: str, explanation: str, lines: Iterable[str]) -> Law:
    """Return a law that has the same cases for every engine."""
    cases = [Case.parse(line) for line in lines]
    return Law(name, explanation, lambda engine: cases)


def _read(text: str) -> list[Law]:
    """Read laws as they are written in `book`."""
    laws = []
    for block in text.strip().split("\n\n"):
        name, *lines = block.splitlines()
        explanation = " ".join([line for line in lines if not line.startswith("    ")])
        cases = [line.strip() for line in lines if line.startswith("    ")]
        laws.append(_law(name, explanation, cases))
    return laws


def _function_law(row: str) -> Law:
    """Read a row of the table of functions."""
    name, value, derivative, points = re.split(r"  +", row, maxsplit=3)
    table = [
        (point, float(evaluate(value, x=float(point))), float(evaluate(derivative, x=float(point))))
        for point in points.split()
    ]
    lines = [f"x = {at}: y = x.{name}() -> y = {y!r}, x' = {slope!r}" for at, y, slope in table]
    at, _, slope = table[0]
    lines.append(f"x = {at}: p = x.{name}(); y = p + x -> x' = {slope + 1!r}")
    explanation = (
        f"The value is {value}, and the derivative is {derivative}, which goes into the gradient "
        "of x times the node's own, added with `+=`."
    )
    return _law(f"x.{name}() has its derivative", explanation, lines)


#: The laws of every engine, from the simplest on.
LAWS: tuple[Law, ...] = (
    *_read(book.LAWS),
    *map(_function_law, book.FUNCTIONS.strip().splitlines()),
    Law(
        "a gradient belongs to the numbers it was computed with",
        "The chain rule mixed a number from before the leaf was changed with one from after it: "
        "keep the partial derivatives of the forward pass, or raise if data has changed since.",
        leaf_changes,
    ),
    Law(
        "backward(seed) multiplies every gradient",
        "The seed is the gradient that the root itself begins with, in place of 1.",
        seeds,
    ),
    Law(
        "x * x has two edges",
        "The node shows one parent for two operands, as a set of parents does, which loses their "
        "order too: keep a tuple.",
        edges,
    ),
    Law(
        "random programs have their exact gradients",
        "Operators that are right by themselves give a wrong gradient together: the mistake is in "
        "how `backward` walks the graph, or in an operator at other numbers than 2 and 4.",
        random_programs,
    ),
)
#: What a small engine may do without.
MANNERS: tuple[Law, ...] = tuple(_read(book.MANNERS))
