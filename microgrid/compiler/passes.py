"""Passes over a `Program`: each returns another one that computes the same bits.

`optimized` runs those that make it smaller. None reorders arithmetic; what holds for real numbers
alone, such as x + 0 = x, which is wrong for x = -0.0, is left out. `divided` makes ready to lower.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ..core.primitive import CONSTANT, Primitive
from ..functional import dot_, split_dot
from .program import Program, Step

__all__ = ["divided", "folded", "live", "optimized", "shared", "simplified"]

COMMUTATIVE = frozenset(["+", "*"])
TREES = frozenset(["hypot", "logsumexp"])
CHAINS = frozenset(["sum", "prod", "max", "min"])
MOST_TERMS = 24  # of a step, once it is divided: measured, see `tests.benchmarks.native large`
IDENTITIES = frozenset(["argument", "stop_gradient", "constant"])
# Members of families, by name and constants; 2 and 2.0 are equal here.
FIRST_POWER = "power", (1,)
ALWAYS_ONE = ("power", (0,)), ("exponential", (1,))  # x**0 and 1**x: of nan too, in C as in Python


def optimized(program: Program) -> Program:
    """Return the program after all passes, on which none of them has anything left to do."""

    def rule(draft: _Draft, op: Primitive, operands: tuple[int, ...]) -> int:
        # all at each step: what one pass makes of its operands is a chance for the others
        for one in (_folded_step, _repeated_step):
            if (slot := one(draft, op, operands)) is not None:
                return slot
        return _shared_step(draft, op, operands)

    return live(_rewritten(program, rule))


def folded(program: Program) -> Program:
    """Compute at once the steps of constants alone, and x**0; not what Python refuses, as log(0).

    >>> from microgrid import Value
    >>> x = Value(2.0, label="x")
    >>> folded(Program.from_values([x + Value(3.0).detach().exp()], [x]))
    program(x):  # 1 operation
        v1 = x + 20.085536923187668
        return v1
    """
    return _rewritten(program, _folded_step)


def shared(program: Program) -> Program:
    """Compute equal sub-expressions once; x * y and y * x are equal.

    >>> from microgrid import Value
    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> shared(Program.from_values([(x * y) / (y * x)], [x, y]))
    program(x, y):  # 2 operations
        v1 = x * y
        v2 = v1 / v1
        return v2
    """
    return _rewritten(program, _shared_step)


def simplified(program: Program) -> Program:
    """Remove steps that return one of their operands, bit for bit.

    >>> from microgrid import Value
    >>> x = Value(2.0, label="x")
    >>> simplified(Program.from_values([x * 1.0 - 0.0, x + 0.0], [x]))
    program(x):  # 1 operation
        v1 = x + 0.0
        return x, v1
    """
    return _rewritten(program, _repeated_step)


def live(program: Program) -> Program:
    """Drop the steps that no output depends on; the inputs stay.

    >>> from microgrid import Value
    >>> x = Value(2.0, label="x")
    >>> whole = Program.from_values([x + 1.0, x * 2.0], [x])
    >>> live(Program(whole.inputs, whole.steps, whole.outputs[:1]))
    program(x):  # 1 operation
        v1 = x + 1.0
        return v1
    """
    first = len(program.inputs)
    needed = set(program.outputs)
    for slot in range(first + len(program.steps) - 1, first - 1, -1):
        op, operands = program.steps[slot - first]
        if slot in needed and op is not CONSTANT:
            needed.update(operands)
    return _rewritten(program, lambda draft, op, operands: None, needed)


def divided(program: Program, most: int = MOST_TERMS) -> Program:
    """Compute long dots, sums, products and extrema in several steps, each going on from the last.

    A long hypot or logsumexp is that of its pieces': there alone the last bits may differ.

    Dots of one list with many others, as those of a layer's neurons are, take turns: what a piece
    of the list is multiplied with stands together. A long chain is slow to compile.

    >>> from microgrid import Value, dot
    >>> x = [Value(1.0, label=name) for name in "abcd"]
    >>> divided(Program.from_values([dot(x[:2], x[2:])], x), most=1)
    program(a, b, c, d):  # 2 operations
        v1 = dot(a, c)
        v2 = dot(b, d, v1)
        return v2
    """
    draft = _Draft(program)
    at = {slot: slot for slot in range(draft.first)}
    steps = dict(enumerate(program.steps, start=draft.first))
    for slot, (op, operands) in steps.items():
        if op is CONSTANT:
            at[slot] = draft.constant(operands[0])
    groups = _taking_turns(steps, most)
    for slot, (op, operands) in steps.items():
        for begin in range(0, _terms(op, operands), most) if slot in groups else ():
            for k in groups[slot]:
                piece = _piece(*steps[k], slice(begin, begin + most))
                before = [at[k]] if begin else [at[x] for x in _start(*steps[k])]
                terms = [at[x] for x in piece]
                at[k] = draft.step(op, (*terms, *before) if op is dot_ else (*before, *terms))
        if slot not in at:
            moved = tuple([at[x] for x in operands])
            while op.name in TREES and len(moved) > most > 1:
                parts = [moved[begin : begin + most] for begin in range(0, len(moved), most)]
                moved = tuple([draft.step(op, part) for part in parts])
            at[slot] = draft.step(op, moved)
    labels = {at[slot]: label for slot, label in program.labels.items()}
    return Program(program.inputs, draft.steps, [at[slot] for slot in program.outputs], labels)


def _terms(op: Primitive, operands: tuple[Any, ...]) -> int:
    """Return how many operations on two or three numbers a step is, if it can be divided."""
    if op is dot_:
        return len(split_dot(operands)[0])
    return len(operands) if op.name in CHAINS else 0


def _piece(op: Primitive, operands: tuple[int, ...], part: slice) -> tuple[int, ...]:
    """Return the operands of some of a step's terms."""
    if op is not dot_:
        return operands[part]
    left, right, _ = split_dot(operands)
    return left[part] + right[part]


def _start(op: Primitive, operands: tuple[int, ...]) -> tuple[int, ...]:
    """Return what a dot starts from, in a tuple of one or none."""
    return split_dot(operands)[2] if op is dot_ else ()


def _taking_turns(steps: Mapping[int, Step], most: int) -> dict[int, list[int]]:
    """Return groups of long steps by their first ones: alone, or dots that share a list."""
    long = {slot: step for slot, step in steps.items() if _terms(*step) > most}
    uses = Counter(
        [half for op, operands in long.values() if op is dot_ for half in split_dot(operands)[:2]]
    )
    groups: dict[int, list[int]] = {}
    leaders: dict[Any, int] = {}
    for slot, (op, operands) in long.items():
        leader = slot
        if op is dot_:
            shared = max(split_dot(operands)[:2], key=lambda half: uses[half])
            leader = leaders.setdefault(shared, slot)
            if any(x >= leader and steps[x][0] is not CONSTANT for x in operands):
                leader = leaders[shared] = slot
        groups.setdefault(leader, []).append(slot)
    return groups


def _folded_step(draft: _Draft, op: Primitive, operands: tuple[int, ...]) -> int | None:
    """Return the slot of the number that a step has whatever the inputs are, or None."""
    if (op.family, op.constants) in ALWAYS_ONE:
        return draft.constant(1.0)
    numbers = [draft.constant_at(operand) for operand in operands]
    if None in numbers:
        return None
    try:
        return draft.constant(float(op.forward(*numbers)))
    except (ArithmeticError, ValueError):
        return None  # a kernel gives inf or nan


def _shared_step(draft: _Draft, op: Primitive, operands: tuple[int, ...]) -> int:
    """Return the slot of an equal step that was there before, or of this one."""
    key = op, tuple(sorted(operands)) if op.name in COMMUTATIVE else operands
    if key not in draft.known:
        draft.known[key] = draft.step(op, operands)
    return draft.known[key]


def _repeated_step(draft: _Draft, op: Primitive, operands: tuple[int, ...]) -> int | None:
    """Return the slot whose number a step only repeats, or None."""
    name, first = op.name, operands[0]
    numbers = [draft.constant_at(operand) for operand in operands]
    if name in IDENTITIES or (name in ("prod", "max", "min") and len(operands) == 1):
        return first
    if name == "*" and 1 in numbers:
        return operands[1 - numbers.index(1)]
    if (name == "/" and numbers[1] == 1) or (op.family, op.constants) == FIRST_POWER:
        return first
    if name == "-" and _is_zero(numbers[1], sign=1):
        return first
    if name == "+":
        for zero, other in zip(numbers, operands[::-1], strict=True):
            if _is_zero(zero, sign=-1):  # x + 0.0 is no -0.0 where x is
                return other
    if name == "neg":
        inner = draft.step_at(first)
        if inner and inner[0].name == "neg":
            return int(inner[1][0])
    if name == "where":
        if numbers[0] is not None:
            return operands[1] if numbers[0] else operands[2]
        if operands[1] == operands[2]:
            return operands[1]
    return None


def _is_zero(x: float | None, sign: int) -> bool:
    return x is not None and x == 0 and math.copysign(1, x) == sign


class _Draft:
    """A program that is being written, with one slot for each constant."""

    def __init__(self, program: Program) -> None:
        self.first = len(program.inputs)
        self.steps: list[Step] = []
        self.constants: dict[str, int] = {}
        self.known: dict[Any, int] = {}  # what is shared: a primitive with its operands -> its slot

    def step(self, op: Primitive, operands: tuple[Any, ...]) -> int:
        self.steps.append((op, operands))
        return self.first + len(self.steps) - 1

    def constant(self, x: float) -> int:
        bits = x.hex()
        if bits not in self.constants:
            self.constants[bits] = self.step(CONSTANT, (x,))
        return self.constants[bits]

    def step_at(self, slot: int) -> Step | None:
        return self.steps[slot - self.first] if slot >= self.first else None

    def constant_at(self, slot: int) -> float | None:
        step = self.step_at(slot)
        return step[1][0] if step and step[0] is CONSTANT else None


Rule = Callable[[_Draft, Primitive, tuple[int, ...]], int | None]


def _rewritten(program: Program, rule: Rule, kept: set[int] | None = None) -> Program:
    """Return the program with each step replaced by the slot that a rule gives, if it gives one."""
    draft = _Draft(program)
    at = list(range(draft.first))
    for slot, (op, operands) in enumerate(program.steps, start=draft.first):
        if kept is not None and slot not in kept:
            at.append(-1)
        elif op is CONSTANT:
            at.append(draft.constant(operands[0]))
        else:
            moved = tuple([at[operand] for operand in operands])
            new = rule(draft, op, moved)
            at.append(draft.step(op, moved) if new is None else new)
    labels = {at[slot]: label for slot, label in program.labels.items() if at[slot] >= draft.first}
    return Program(program.inputs, draft.steps, [at[slot] for slot in program.outputs], labels)
