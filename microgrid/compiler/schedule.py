"""What is computed when: the steps of a `Program` in order, cut into functions of bounded size.

Steps that depend on shared inputs alone run once per call, on single numbers; all others run for
every block of rows. A compiler's time grows faster than a function's length, so a long program is
cut; what a later function needs of an earlier one waits in a scratch, whose places are used again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ..core.primitive import CONSTANT
from .program import Program

__all__ = ["Part", "Schedule", "scheduled", "shared_slots"]

MOST_OPERANDS = 500  # of the steps of one function: measured, see tests/benchmarks/native.py


@dataclass
class Part:
    """A function's share of a program: its steps, by slot, and what it leaves to later ones."""

    slots: list[int] = field(default_factory=list)
    size: int = 0


@dataclass
class Schedule:
    """The steps of a program in the order they run.

    Args:
        once: what runs once per call.
        rows: what runs for every block of rows.
        is_shared: for each slot, whether it has one number for all rows.
        kept: the slots of shared numbers that another part or the caller needs, and their places.
        scratch: the slots of numbers of a block that a later part needs, and their places.
        width: the number of places in the scratch.
    """

    once: list[Part]
    rows: list[Part]
    is_shared: list[bool]
    kept: dict[int, int]
    scratch: dict[int, int]
    width: int


def scheduled(
    program: Program, shared: Collection[int], outputs: Sequence[int], most: int = MOST_OPERANDS
) -> Schedule:
    """Return the order in which to compute a program whose inputs `shared` are.

    `outputs` are the slots of what is written out as soon as it is known.
    """
    first = len(program.inputs)
    is_shared = shared_slots(program, shared)
    used = {i for op, operands in program.steps if op is not CONSTANT for i in operands}
    once, rows = [Part()], [Part()]
    for slot in _order(program, [slot for slot in outputs if slot not in used and slot >= first]):
        op, operands = program.steps[slot - first]
        if op is not CONSTANT:
            parts = once if is_shared[slot] else rows
            if parts[-1].size and parts[-1].size + len(operands) > most:
                parts.append(Part())
            parts[-1].slots.append(slot)
            parts[-1].size += len(operands)
    kept = {slot: place for place, slot in enumerate(sorted(shared))}
    for slot in _crossing(program, once, set(outputs) | _of_rows(program, rows)):
        kept.setdefault(slot, len(kept))
    scratch, width = _places(program, rows)
    once = [part for part in once if part.slots]
    return Schedule(once, rows, is_shared, kept, scratch, width)


def shared_slots(program: Program, shared: Collection[int]) -> list[bool]:
    """Return for each slot whether it depends on shared inputs and constants alone."""
    own = set(shared)
    is_shared = [slot in own for slot in range(len(program.inputs))]
    for op, operands in program.steps:
        is_shared.append(op is CONSTANT or all(is_shared[operand] for operand in operands))
    return is_shared


def _order(program: Program, last: Sequence[int]) -> list[int]:
    """Return the steps' slots, those in `last` moved to right after the last of their operands.

    A product that is only added to a total is best made while its factors are in registers.
    """
    first = len(program.inputs)
    after: dict[int, list[int]] = defaultdict(list)
    for slot in dict.fromkeys(last):
        op, operands = program.steps[slot - first]
        after[-1 if op is CONSTANT else max(operands)].append(slot)
    moved = set(last)
    order = [slot for at in range(-1, first) for slot in after[at]]
    for slot in range(first, first + len(program.steps)):
        if slot not in moved:
            order += [slot, *after[slot]]
    return order


def _of_rows(program: Program, rows: list[Part]) -> set[int]:
    """Return the slots that the parts for rows use."""
    first = len(program.inputs)
    return {i for part in rows for slot in part.slots for i in program.steps[slot - first][1]}


def _crossing(program: Program, parts: list[Part], also: set[int]) -> list[int]:
    """Return the slots of parts that another part uses, or that are among `also`."""
    first = len(program.inputs)
    home = {slot: i for i, part in enumerate(parts) for slot in part.slots}
    crossing = {slot for slot in home if slot in also}
    for i, part in enumerate(parts):
        for slot in part.slots:
            crossing.update(x for x in program.steps[slot - first][1] if home.get(x, i) != i)
    return sorted(crossing)


def _places(program: Program, parts: list[Part]) -> tuple[dict[int, int], int]:
    """Return a place for each slot that crosses parts, and how many there are."""
    first = len(program.inputs)
    home = {slot: i for i, part in enumerate(parts) for slot in part.slots}
    last_use: dict[int, int] = {}
    for i, part in enumerate(parts):
        for slot in part.slots:
            for x in program.steps[slot - first][1]:
                if home.get(x, i) != i:
                    last_use[x] = i
    begins, ends = defaultdict(list), defaultdict(list)
    for slot, end in last_use.items():
        begins[home[slot]].append(slot)
        ends[end].append(slot)
    places: dict[int, int] = {}
    free: list[int] = []
    width = 0
    for i in range(len(parts)):
        for slot in sorted(begins[i]):
            if free:
                places[slot] = free.pop()
            else:
                places[slot], width = width, width + 1
        free += [places[slot] for slot in ends[i]]  # a part reads before the next one writes
    return places, width
