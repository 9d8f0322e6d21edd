"""What is computed when: the steps of a `Program` in order, cut into functions of bounded size.

Steps that depend on shared inputs alone run once per call, on single numbers; all others run for
every block of rows. A compiler's time grows faster than a function's length, so a long program is
cut; what a later function needs of an earlier one waits in a scratch, whose places are used again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.primitive import CONSTANT
from .program import Program

__all__ = ["Part", "Partition", "find_shared", "partition"]

MOST_OPERANDS = 500  # of the steps of one function: measured, see tests/benchmarks/native.py


@dataclass
class Part:
    """The steps of one function, by slot, and the number of their operands."""

    slots: list[int] = field(default_factory=list)
    size: int = 0


@dataclass
class Partition:
    """The steps of a program in the order they run, in parts.

    Args:
        once: the parts that run once per call.
        rows: the parts that run for every block of rows.
        shared_places: the slots of shared numbers that another part or the caller needs, and their
            places in the array of shared numbers.
        scratch_places: the slots of a block's numbers that a later part needs, and their places in
            the scratch.
        scratch_size: the number of places in the scratch.
    """

    once: list[Part]
    rows: list[Part]
    shared_places: dict[int, int]
    scratch_places: dict[int, int]
    scratch_size: int


def partition(
    program: Program, shared_inputs: Collection[int], most: int = MOST_OPERANDS
) -> Partition:
    """Divide the steps of a program among functions, of at most so many operands."""
    is_shared = find_shared(program, shared_inputs)
    once, rows = [Part()], [Part()]
    for slot in _order(program):
        parts = once if is_shared[slot] else rows
        size = len(program.operands_at(slot))
        if parts[-1].size and parts[-1].size + size > most:
            parts.append(Part())
        parts[-1].slots.append(slot)
        parts[-1].size += size
    shared_places = {slot: place for place, slot in enumerate(sorted(shared_inputs))}
    used_by_rows = {x for part in rows for slot in part.slots for x in program.operands_at(slot)}
    for slot in _crossing(program, once, set(program.outputs) | used_by_rows):
        shared_places.setdefault(slot, len(shared_places))
    scratch_places, scratch_size = _allocate_scratch(program, rows)
    once = [part for part in once if part.slots]
    return Partition(once, rows, shared_places, scratch_places, scratch_size)


def find_shared(program: Program, shared_inputs: Collection[int]) -> list[bool]:
    """Return for each slot whether it has one number for all rows.

    It has if it depends on shared inputs and constants alone.
    """
    shared = set(shared_inputs)
    for slot, op, operands in program.walk():
        if op is CONSTANT or shared.issuperset(operands):
            shared.add(slot)
    return [slot in shared for slot in range(len(program.inputs) + len(program.steps))]


def _order(program: Program) -> list[int]:
    """Return the slots of all operations in the order to compute them.

    An output that no other step uses comes right after the last of its operands: a product that is
    only added to a total is best computed while its factors are in registers.
    """
    used = {operand for slot, *_ in program.walk() for operand in program.operands_at(slot)}
    after: dict[int, list[int]] = defaultdict(list)
    for slot in dict.fromkeys(program.outputs):
        if slot not in used and (operands := program.operands_at(slot)):
            after[max(operands)].append(slot)
    moved = {slot for slots in after.values() for slot in slots}
    order = [slot for x in range(len(program.inputs)) for slot in after[x]]
    for slot, op, _ in program.walk():
        if slot not in moved:
            order += [slot] * (op is not CONSTANT) + after[slot]
    return order


def _crossing(program: Program, parts: Sequence[Part], also: Collection[int]) -> list[int]:
    """Return the slots of parts that another part uses, or that are among `also`."""
    home = _homes(parts)
    crossing = home.keys() & also
    crossing |= {x for x, _ in _later_uses(program, parts, home)}
    return sorted(crossing)


def _allocate_scratch(program: Program, parts: Sequence[Part]) -> tuple[dict[int, int], int]:
    """Return a place for each slot that a later part uses, and how many places there are."""
    home = _homes(parts)
    last_use = dict(_later_uses(program, parts, home))
    begins, ends = defaultdict(list), defaultdict(list)
    for slot, end in last_use.items():
        begins[home[slot]].append(slot)
        ends[end].append(slot)
    places: dict[int, int] = {}
    free: list[int] = []
    size = 0
    for i in range(len(parts)):
        for slot in sorted(begins[i]):
            if free:
                places[slot] = free.pop()
            else:
                places[slot], size = size, size + 1
        free += [places[slot] for slot in ends[i]]  # a part reads before the next one writes
    return places, size


def _homes(parts: Sequence[Part]) -> dict[int, int]:
    """Return the part that computes each slot."""
    return {slot: i for i, part in enumerate(parts) for slot in part.slots}


def _later_uses(
    program: Program, parts: Sequence[Part], home: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """Return each slot that a part uses and an earlier one computes, with the part that uses it."""
    for i, part in enumerate(parts):
        for slot in part.slots:
            for x in program.operands_at(slot):
                if home.get(x, i) != i:
                    yield x, i
