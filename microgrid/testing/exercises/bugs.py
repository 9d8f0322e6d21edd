"""Engines with one wrong line each, to be found: what they get wrong, and whether a line is it."""

from __future__ import annotations

import linecache
import operator
from dataclasses import dataclass
from functools import cached_property

from ...guards.checks import quote
from ..conformance.cases import Case, Engine
from .replies import Reply

__all__ = ["BUGS", "Bug"]

SOURCE = """\
import math


class Value:
    def __init__(self, data, children=(), op=""):
        self.data, self.grad = float(data), 0.0
        self._prev, self._op = children, op
        self._backward = lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other), "+")

        def step():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = step
        return out

    def __sub__(self, other):
        out = Value(self.data - other.data, (self, other), "-")

        def step():
            self.grad += out.grad
            other.grad -= out.grad

        out._backward = step
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other), "*")

        def step():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = step
        return out

    def tanh(self):
        out = Value(math.tanh(self.data), (self,), "tanh")

        def step():
            self.grad += (1.0 - out.data**2) * out.grad

        out._backward = step
        return out

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, operands_done = stack.pop()
            if operands_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(operand, False) for operand in node._prev]
        for node in order:
            node.grad = 0.0 if node._prev else node.grad
        self.grad += 1.0
        for node in reversed(order):
            node._backward()
"""
# A right line and the wrong one in its place, a program that shows it, where to look, and why.
ROWS = [
    (
        "            other.grad -= out.grad",
        "            other.grad += out.grad",
        "x = 5, w = 2: y = x - w -> w' = -1",
        "Which operation gives a gradient whose sign is wrong, and for which operand?",
        "the difference rises when w does",
    ),
    (
        "            self.grad += other.data * out.grad",
        "            self.grad += self.data * out.grad",
        "x = 2, w = 3: y = x * w -> x' = 3",
        "Which operation has a wrong slope for an operand?",
        "the slope with respect to x is x, instead of w",
    ),
    (
        "            self.grad += (1.0 - out.data**2) * out.grad",
        "            self.grad += (1.0 - self.data**2) * out.grad",
        "x = 2: y = x.tanh() -> x' = 1 / cosh(2)**2",
        "Where is the number right, and the slope not?",
        "the slope is computed from the operand, instead of the result",
    ),
    (
        "            self.grad += out.grad",
        "            self.grad = out.grad",
        "x = 3, w = 2: p = x + w; y = p * x -> x' = 8",
        "Each slope is right by itself. What becomes of the share that came first?",
        "the share of a sum wipes out what had come before",
    ),
    (
        "        for node in reversed(order):",
        "        for node in order:",
        "x = 2, w = 3, v = 10: p = x * w; y = p * v -> x' = 30",
        "One operation alone is right, and two in a row are not. Who comes first?",
        "leaves take their step before what lies above them",
    ),
    (
        "            node.grad = 0.0 if node._prev else node.grad",
        "            node.grad = node.grad if node._prev else 0.0",
        "x = 3, w = 4: p = x + w; y = p * w; y.backward(); y.backward() -> x.grad = 8",
        "One pass is right, and the second is not. What is left from the first?",
        "nodes in the middle go on from the last pass, and leaves begin at 0",
    ),
]


@dataclass(frozen=True, repr=False)
class Bug:
    """An engine with one wrong line; printed, it is the source with numbered lines.

    `engine` is the class, to draw and to run. `program` shows what it gets wrong.

    >>> print(BUGS[0].program)
    x = Value(5.0)
    w = Value(2.0)
    y = x - w
    y.backward()
    print(w.grad)  # wanted -1, got 1.0
    """

    number: int
    right: str
    wrong: str
    case: Case
    hint: str
    meaning: str

    @property
    def source(self) -> str:
        """The program of the engine."""
        return SOURCE.replace(self.right, self.wrong, 1)

    @property
    def line(self) -> int:
        """The number of the wrong line, from 1."""
        pairs = zip(SOURCE.splitlines(), self.source.splitlines(), strict=True)
        return next(n for n, (right, wrong) in enumerate(pairs, 1) if right != wrong)

    @cached_property
    def engine(self) -> Engine:
        """The class, made of the source."""
        file = f"<bug {self.number}>"
        linecache.cache[file] = len(self.source), None, self.source.splitlines(True), file
        names: dict[str, object] = {"__name__": "bug"}
        exec(compile(self.source, file, "exec"), names)
        engine: Engine = names["Value"]  # type: ignore[assignment]
        return engine

    @cached_property
    def program(self) -> str:
        """A program that shows what the engine gets wrong, with what is wanted."""
        wrong = self.case.wrong(self.engine)
        assert wrong
        comment = f"wanted {wrong.wanted}, got {wrong.got}"
        return f"{self.case.program}\nprint({wrong.shown})  # {comment}"

    def judge(self, answer: object) -> Reply:
        """Return whether an answer is the wrong line: its number, or the line, as it is printed.

        >>> bool(BUGS[0].judge(6)), bool(BUGS[0].judge("other.grad += out.grad"))
        (False, False)
        """
        lines = self.source.splitlines()
        number = self._number_of(answer, lines)
        if not 0 < number <= len(lines):
            return Reply(
                False,
                f"An answer is the number of a line, from 1 to {len(lines)}, or a line that is "
                f"there once, got {quote(answer)} ({type(answer).__name__}).",
            )
        if number == self.line:
            return Reply(True, f"Right: it is line {number}. With it, {self.meaning}.")
        text = lines[number - 1].strip()
        return Reply(False, f"Not line {number}, `{text}`: it is as it should be. {self.hint}")

    def _number_of(self, answer: object, lines: list[str]) -> int:
        """Return the number of the line that an answer names, 0 if it names none, or several."""
        if isinstance(answer, str):
            printed = zip(lines, repr(self).splitlines(), strict=True)
            names = [{str(n), *map(str.strip, texts)} for n, texts in enumerate(printed, 1)]
            alike = [n for n, known in enumerate(names, 1) if answer.strip() in known]
            return alike[0] if len(alike) == 1 else 0
        try:
            return 0 if isinstance(answer, bool) else operator.index(answer)  # type: ignore[arg-type]
        except TypeError:
            return 0

    def __repr__(self) -> str:
        return "\n".join(f"{n:2}  {line}" for n, line in enumerate(self.source.splitlines(), 1))


#: The engines, each with one wrong line.
BUGS: tuple[Bug, ...] = tuple(
    [
        Bug(number, right, wrong, Case.parse(case), hint, meaning)
        for number, (right, wrong, case, hint, meaning) in enumerate(ROWS, 1)
    ]
)
