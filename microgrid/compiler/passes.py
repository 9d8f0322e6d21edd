"""Passes over a `Program`: each returns another one that computes the same bits.

`optimize` makes a program smaller, by rules, and `divide` makes it ready to lower. Neither reorders
arithmetic; what holds for real numbers alone, such as x + 0 = x, which is wrong for x = -0.0, is
left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import chain

from ..core.primitive import CONSTANT, Primitive, argument, multiply, where
from ..engine import Value
from ..functional import dot_, split_dot
from .program import Draft, Program, Step

__all__ = [
    "MOST_TERMS",
    "divide",
    "drop_unused",
    "fold",
    "gate_factors",
    "lists_of",
    "merge",
    "optimize",
    "optimize_graph",
    "rewrite",
    "simplify",
    "skip",
]

COMMUTATIVE = frozenset(["+", "*"])
ARITHMETIC = frozenset(["+", "-", "*", "/", "dot", "sum"])  # of these none but constants matter
TREES = frozenset(["hypot", "logsumexp"])
CHAINS = frozenset(["sum", "prod", "max", "min"])
MOST_TERMS = 24  # of a step, once it is divided: measured, see `tests.benchmarks.native large`
IDENTITIES = frozenset(["argument", "stop_gradient", "constant"])
# Members of families, by name and constants; 2 and 2.0 are equal here.
FIRST_POWER = "power", (1,)
ALWAYS_ONE = ("power", (0,)), ("exponential", (1,))  # x**0 and 1**x: of nan too, in C as in Python

Slots = tuple[int, ...]


def optimize(program: Program) -> Program:
    """Apply all rules, and drop what no output depends on: then none of them has anything to do.

    >>> from microgrid import Value, exp
    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> optimize(Program.from_values([(x * y) / (y * x) * 1.0 + exp(Value(0.0))], [x, y]))
    program(x, y):  # 3 operations
        v1 = x * y
        v2 = v1 / v1
        v3 = v2 + 1.0
        return v3
    """
    return gate_factors(drop_unused(rewrite(program, simplify)))


def optimize_graph(
    roots: Sequence[Value], inputs: Sequence[Value], order: Iterable[Value]
) -> Program:
    """Return the program of a graph after `optimize`, written at once: see `Draft.of_graph`.

    >>> from microgrid import Value
    >>> x = Value(2.0, label="x")
    >>> one = x * 1.0
    >>> optimize_graph([one], [x], [one.parents[1], one])
    program(x):  # 0 operations
        return x
    """
    return gate_factors(drop_unused(Optimized.of_graph(roots, inputs, order)))


def gate_factors(program: Program) -> Program:
    """Compute where(c, x * y, 0) as where(c, x, 0) * where(c, y, 0), if that makes fewer steps.

    That is the same bit for bit, as 0 * 0 is 0. A row's gradient for a layer's weights, which is
    gated where the loss chooses, thus consists of products again, which a sum over the rows takes.

    >>> from microgrid import Value, where
    >>> a, b, c, x, y = [Value(1.0, label=name) for name in "abcxy"]
    >>> gated = [where(c, left * right, 0.0) for left in (a, b) for right in (x, y, a)]
    >>> program = Program.from_values(gated, [a, b, c, x, y])
    >>> len(program), len(gate_factors(program))
    (12, 10)
    """
    gated = _find_gated_products(program)
    if not gated:
        return program  # as most are
    groups: dict[int, list[Slots]] = {}
    for condition, *factors in gated.values():
        groups.setdefault(condition, []).append(tuple(factors))
    chosen = {c for c, pairs in groups.items() if len(set(chain(*pairs))) < len(pairs)}
    if not chosen:
        return program
    draft = Frugal(program.inputs)
    at = {slot: slot for slot in range(draft.first)}
    for slot, op, operands in program.walk():
        if op is CONSTANT:
            at[slot] = draft.constant(operands[0])
        elif slot in gated and operands[0] in chosen:
            condition, *factors = [at[x] for x in gated[slot]]
            gates = [merge(draft, where, (condition, x, at[operands[2]])) for x in factors]
            at[slot] = merge(draft, multiply, tuple(gates))
        else:
            at[slot] = merge(draft, op, tuple([at[x] for x in operands]))
    return gate_factors(drop_unused(draft.finish(program, at)))


def _find_gated_products(program: Program) -> dict[int, Slots]:
    """Return the slots of all where(c, x * y, 0), with c, x and y, if nothing else uses x * y."""
    first = len(program.inputs)
    gates: dict[int, Slots] = {}
    products: dict[int, Slots] = {}
    for slot in [i for i, (op, _) in enumerate(program.steps, start=first) if op is where]:
        _, operands = program.steps[slot - first]
        if _is_zero(program.constant_at(operands[2]), sign=1):
            inner, factors = program.step_at(operands[1]) or (None, ())
            if inner is multiply:
                gates[slot], products[operands[1]] = operands, factors
    uses = Counter(program.outputs)
    for op, operands in program.steps if products else ():
        if op is not CONSTANT and not products.keys().isdisjoint(operands):
            uses.update(operands)
    return {
        slot: (condition, *products[product])
        for slot, (condition, product, _) in gates.items()
        if uses[product] == 1
    }


def drop_unused(program: Program) -> Program:
    """Drop the steps that no output depends on; the inputs stay.

    >>> from microgrid import Value
    >>> x = Value(2.0, label="x")
    >>> whole = Program.from_values([x + 1.0, x * 2.0], [x])
    >>> drop_unused(Program(whole.inputs, whole.steps, whole.outputs[:1]))
    program(x):  # 1 operation
        v1 = x + 1.0
        return v1
    """
    first = len(program.inputs)
    last = first + len(program.steps)
    used = {*range(first), *program.outputs}
    used.update(*[operands for op, operands in program.steps if op is not CONSTANT])
    constants = [operands[0].hex() for op, operands in program.steps if op is CONSTANT]
    if len(used) == last and len(set(constants)) == len(constants):
        return program  # as most are, once they are optimised
    needed = set(program.outputs)
    for slot in range(last - 1, first - 1, -1):
        op, operands = program.steps[slot - first]
        if slot in needed and op is not CONSTANT:
            needed.update(operands)
    return rewrite(program, None, needed)


class Frugal(Draft):
    """A program that is being written, with one slot for each constant."""

    def __init__(self, inputs: Iterable[str]) -> None:
        super().__init__(inputs)
        self.constants: dict[str, int] = {}  # the slots of constants, by their bits
        self.numbers: dict[int, float] = {}  # of the slots of constants
        self.constant_slots = self.numbers.keys()
        self.merged: dict[Step, int] = {}  # the slots of the steps that `merge` has seen

    def constant(self, x: float) -> int:
        """Return the slot of a constant, which is written unless it is there."""
        bits = x.hex()
        if bits not in self.constants:
            self.constants[bits] = slot = super().constant(x)
            self.numbers[slot] = x
        return self.constants[bits]

    def finish(self, old: Program, at: Mapping[int, int]) -> Program:
        """Return the program, with the outputs and labels of one whose slots are now in `at`."""
        kept = {at[k]: label for k, label in old.labels.items() if at.get(k, -1) >= self.first}
        self.labels = kept
        return self.program([at[slot] for slot in old.outputs])


# ---- rules: of a step whose operands are in the draft, each returns the slot that replaces it, or
# None where it does not apply

Rule = Callable[[Frugal, Primitive, Slots], int | None]


def rewrite(program: Program, rule: Rule | None, needed: Container[int] | None = None) -> Program:
    """Replace each step by the slot that a rule returns, where it applies.

    Args:
        program: what to rewrite.
        rule: see `simplify`, `fold`, `skip` and `merge`; None copies all steps.
        needed: the slots of the steps to keep; all of them if None.
    """
    draft = Frugal(program.inputs)
    at = {slot: slot for slot in range(draft.first)}
    for slot, (op, operands) in enumerate(program.steps, start=draft.first):
        if needed is not None and slot not in needed:
            continue
        if op is CONSTANT:
            at[slot] = draft.constant(operands[0])
            continue
        moved = tuple(map(at.__getitem__, operands))
        new = rule(draft, op, moved) if rule else None
        at[slot] = draft.append(op, moved) if new is None else new
    return draft.finish(program, at)


def simplify(draft: Frugal, op: Primitive, operands: Slots) -> int:
    """Apply all rules: what one makes of the operands is a chance for the others."""
    is_plain = op.name in ARITHMETIC and operands and draft.constant_slots.isdisjoint(operands)
    if not is_plain:
        for rule in (skip, fold):
            if (slot := rule(draft, op, operands)) is not None:
                return slot
    return merge(draft, op, operands)


class Optimized(Frugal):
    """A draft in which each step is simplified as it is written."""

    aliases = frozenset([argument])
    step = simplify


def fold(draft: Frugal, op: Primitive, operands: Slots) -> int | None:
    """Replace a step of constants alone by its number, and x**0 by 1.

    What Python refuses, such as log(0), stays.
    """
    if (op.family, op.constants) in ALWAYS_ONE:
        return draft.constant(1.0)
    numbers = [draft.numbers.get(operand) for operand in operands]
    if None in numbers:
        return None
    try:
        return draft.constant(float(op.forward(*numbers)))
    except (ArithmeticError, ValueError):
        return None  # a kernel gives inf or nan


def merge(draft: Frugal, op: Primitive, operands: Slots) -> int:
    """Replace a step by an equal one that was there before; x * y and y * x are equal."""
    key = step = op, operands
    if op.name in COMMUTATIVE and operands[0] > operands[1]:
        key = op, operands[::-1]
    new = draft.first + len(draft.steps)
    slot = draft.merged.setdefault(key, new)
    if slot == new:
        draft.steps.append(step)
    return slot


def skip(draft: Frugal, op: Primitive, operands: Slots) -> int | None:
    """Replace a step that returns one of its operands, bit for bit, by that operand."""
    if not operands:
        return None
    name, first = op.name, operands[0]
    if name in IDENTITIES or (name in ("prod", "max", "min") and len(operands) == 1):
        return first
    numbers = [draft.numbers.get(operand) for operand in operands]
    if name == "*" and 1 in numbers:
        return operands[1 - numbers.index(1)]
    if (name == "/" and numbers[1] == 1) or (op.family, op.constants) == FIRST_POWER:
        return first
    if name == "-" and _is_zero(numbers[1], sign=1):
        return first
    if name == "+":
        for zero, other in zip(numbers, operands[::-1], strict=True):
            if _is_zero(zero, sign=-1):  # x + 0.0 is not -0.0 where x is
                return other
    if name == "neg" and first >= draft.first:
        inner, inner_operands = draft.steps[first - draft.first]
        if inner.name == "neg":
            return int(inner_operands[0])
    if name == "where":
        if numbers[0] is not None:
            return operands[1] if numbers[0] else operands[2]
        if operands[1] == operands[2]:
            return operands[1]
    return None


def _is_zero(x: float | None, sign: int) -> bool:
    return x is not None and x == 0 and math.copysign(1, x) == sign


# ---- long steps


def divide(program: Program, most: int = MOST_TERMS, trees_alone: bool = False) -> Program:
    """Compute long dots, sums, products and extrema in several steps, each going on from the last.

    A long hypot or logsumexp is that of its pieces': there alone the last bits may differ.

    Dots of one list with many others, as those of a layer's neurons are, take turns: what a piece
    of the list is multiplied with stands together. A long chain is slow to compile. With
    `trees_alone`, hypot and logsumexp alone are divided, as loops go through all others.

    >>> from microgrid import Value, dot
    >>> x = [Value(1.0, label=name) for name in "abcd"]
    >>> divide(Program.from_values([dot(x[:2], x[2:])], x), most=1)
    program(a, b, c, d):  # 2 operations
        v1 = dot(a, c)
        v2 = dot(b, d, v1)
        return v2
    """
    long = [op.name for op, operands in program.steps if len(operands) > most]
    if TREES.isdisjoint(long) and (trees_alone or not long):
        return program
    draft = Frugal(program.inputs)
    at = {slot: slot for slot in range(draft.first)}
    steps = dict(enumerate(program.steps, start=draft.first))
    for slot, (op, operands) in steps.items():
        if op is CONSTANT:
            at[slot] = draft.constant(operands[0])
    groups = {} if trees_alone else _group(steps, most)
    for slot, (op, operands) in steps.items():
        for begin in range(0, _count_terms(op, operands), most) if slot in groups else ():
            for k in groups[slot]:
                lists, start = lists_of(*steps[k])
                terms = [at[x] for xs in lists for x in xs[begin : begin + most]]
                before = [at[k]] if begin else [at[x] for x in start]
                at[k] = draft.append(op, (*terms, *before) if op is dot_ else (*before, *terms))
        if slot not in at:
            moved = tuple([at[x] for x in operands])
            while op.name in TREES and len(moved) > most > 1:
                parts = [moved[begin : begin + most] for begin in range(0, len(moved), most)]
                moved = tuple([draft.append(op, part) for part in parts])
            at[slot] = draft.append(op, moved)
    return draft.finish(program, at)


def lists_of(op: Primitive, operands: Slots) -> tuple[tuple[Slots, ...], Slots]:
    """Return the lists that a step goes through term by term, and what a dot starts from.

    A dot has two lists, a chain has one, and a step that cannot be divided so has none.
    """
    if op is dot_:
        left, right, start = split_dot(operands)
        return (left, right), start
    return ((operands,) if op.name in CHAINS else ()), ()


def _count_terms(op: Primitive, operands: Slots) -> int:
    lists, _ = lists_of(op, operands)
    return len(lists[0]) if lists else 0


def _group(steps: Mapping[int, Step], most: int) -> dict[int, list[int]]:
    """Group long steps, by the first of each group: dots with a list in common, others alone."""
    long = {slot: step for slot, step in steps.items() if _count_terms(*step) > most}
    dots = [operands for op, operands in long.values() if op is dot_]
    uses = Counter([xs for operands in dots for xs in split_dot(operands)[:2]])
    groups: dict[int, list[int]] = {}
    leaders: dict[Slots, int] = {}
    for slot, (op, operands) in long.items():
        leader = slot
        if op is dot_:
            common = max(split_dot(operands)[:2], key=lambda xs: uses[xs])
            leader = leaders.setdefault(common, slot)
            if any(x >= leader and steps[x][0] is not CONSTANT for x in operands):
                leader = leaders[common] = slot
        groups.setdefault(leader, []).append(slot)
    return groups
