"""What is computed when: the steps of a `Program` in order, cut into functions of bounded size.

Steps that depend on shared inputs alone run once per call, on single numbers; all others run for
every block of rows. A stretch that repeats is one function, with a loop. A compiler's time grows
faster than a function's length, so other long stretches are cut; numbers that a later function
needs from an earlier one wait in a scratch, whose places are reused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..passes import MOST_TERMS, divide
from ..program import Draft, Program, find_shared
from .chains import cut_chains
from .repeats import Space, Turns, find_repeats, is_recurrence
from .steps import Integers, Steps

__all__ = ["MOST_OPERANDS", "Part", "Partition", "find_turn", "partition"]

# Of the steps of a function, or of a turn of a stage; measured, see tests/benchmarks/native.py.
MOST_OPERANDS = 500

Roles = Mapping[int, object]  # of outputs, by position: what is done with them
NO_ROLES: Roles = MappingProxyType({})


@dataclass
class Part:
    """The steps of one function, by position and by slot; if they repeat, those of all turns."""

    positions: range
    slots: list[int]
    turns: Turns | None = None

    def keep(self, is_needed: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
        """Return the slots to keep in memory: of all turns if one before the last is needed.

        Args:
            is_needed: whether each position is needed.

        First those that all turns keep, then those that one turn keeps, or that are in no turn.
        """
        needed = is_needed[self.positions.start : self.positions.stop]
        slots = np.array(self.slots, np.int64)
        if not self.turns:
            return [], slots[needed].tolist()
        table = needed.reshape(self.turns.slots.shape)
        by_turn = table[:-1].any(axis=0)
        last = table[-1] & ~by_turn
        return self.turns.slots[:, by_turn].ravel().tolist(), self.turns.slots[-1, last].tolist()


@dataclass
class Partition:
    """The steps of a program in the order they run, in parts.

    Args:
        program: the steps. Long ones are divided, and need not be in the order of slots.
        once: the parts that run once per call.
        rows: the parts that run for every block of rows.
        shared_places: the slots of shared numbers that another part or the caller needs, and their
            places in the array of shared numbers.
        scratch_places: the slots of a block's numbers that a later part needs, and their places in
            the scratch.
        scratch_size: the number of places in the scratch.

    For a step that repeats, all turns have places, or only the last, or none.
    """

    program: Program
    once: list[Part]
    rows: list[Part]
    shared_places: dict[int, int]
    scratch_places: dict[int, int]
    scratch_size: int

    def count_straight(self) -> int:
        """Return how many operands the steps have that are written one by one, in no loop."""
        first, steps = len(self.program.inputs), self.program.steps
        parts = [part for part in (*self.once, *self.rows) if not part.turns]
        return sum([len(steps[slot - first][1]) for part in parts for slot in part.slots])


def partition(
    program: Program,
    shared_inputs: Collection[int],
    most: int = MOST_OPERANDS,
    roles: Roles = NO_ROLES,
) -> Partition:
    """Divide the steps of a program among functions: loops, and others of at most `most` operands.

    Steps whose outputs have other roles are not turns of one loop.
    """
    shared = sorted(shared_inputs)
    program = divide(program, trees_alone=True)
    steps = Steps.of(program.steps)
    once, rows = _phases(program, shared, roles, steps, _order(program, shared, steps))
    if (steps.counts > MOST_TERMS).any():
        if once.repeats or rows.repeats:
            draft = Draft.of(program)
            orders = [cut_chains(draft, x.steps, x.slots, x.repeats) for x in (once, rows)]
            program = draft.program(program.outputs)
            steps = Steps.of(program.steps)
        else:
            program = divide(program)
            steps = Steps.of(program.steps)
            orders = _order(program, shared, steps)
        once, rows = _phases(program, shared, roles, steps, orders)
    first_parts, parts = once.parts(most), rows.parts(most)
    is_needed = once.last_uses(first_parts) >= 0
    wanted = np.concatenate((rows.steps.operands, np.array(program.outputs, np.int64)))
    is_needed[once.number[wanted[once.space[wanted] == Space.STEPS]]] = True
    shared_places = {slot: place for place, slot in enumerate(shared)}
    for part in first_parts:
        for slot in [x for slots in part.keep(is_needed) for x in slots]:
            shared_places[slot] = len(shared_places)
    places, size = _allocate_scratch(rows, parts)
    return Partition(
        program, first_parts, parts or [Part(range(0), [])], shared_places, places, size
    )


def find_turn(program: Program, shared_inputs: Collection[int], steps: Steps) -> int:
    """Return how many operands a program's longest turn has; 0 for one that hardly recurs.

    It recurs if most of it is turns that have to wait for one another.
    """
    order = len(program.inputs) + np.flatnonzero(steps.kinds >= 0)
    is_used = np.zeros(len(program.inputs) + len(steps), bool)
    is_used[steps.operands] = True
    if 2 * is_used[order].sum() < len(order):
        return 0  # of a layer's gradient, nearly all are outputs
    none = np.empty(0, np.int64)
    _, phase = _phases(program, sorted(shared_inputs), NO_ROLES, steps, (none, order))
    operands, starts = phase.steps.operands, phase.steps.starts
    numbers = phase.steps, phase.space[operands], phase.number[operands]
    found = [x for x in phase.repeats if is_recurrence(x, *numbers)]
    inside = [int(starts[x.end] - starts[x.begin]) for x in found]
    turns = [size // x.turns for size, x in zip(inside, found, strict=True)]
    return max(turns) if 2 * sum(inside) > len(operands) else 0


class _Phase:
    """Steps that run one after another: once per call, or for every block of rows."""

    def __init__(self, slots: Integers, steps: Steps, space: Integers, number: Integers) -> None:
        self.slots, self.space, self.number = slots, space.copy(), number.copy()
        self.steps = steps
        self.space[slots], self.number[slots] = Space.STEPS, np.arange(len(slots))
        self.repeats = find_repeats(steps, self.space, self.number)

    def parts(self, most: int) -> list[Part]:
        """Return the steps in functions: what repeats, and what is between."""
        parts: list[Part] = []
        done = 0
        for repeat in self.repeats:
            parts += self._straight(done, repeat.begin, most)
            done = repeat.end
            turns = Turns(repeat, self.steps, self.slots, self.space, self.number)
            parts.append(
                Part(range(repeat.begin, done), self.slots[repeat.begin : done].tolist(), turns)
            )
        return [*parts, *self._straight(done, len(self.slots), most)]

    def _straight(self, begin: int, end: int, most: int) -> Iterator[Part]:
        """Yield stretches of steps, each as long as a function may be, and at least a step."""
        while begin < end:
            full = self.steps.starts[begin] + most
            stop = max(int(np.searchsorted(self.steps.starts, full, side="right")) - 1, begin + 1)
            places = range(begin, min(stop, end))
            yield Part(places, self.slots[places.start : places.stop].tolist())
            begin = stop

    def last_uses(self, parts: Sequence[Part]) -> Integers:
        """Return for each step the last part that finds it in memory, -1 if none does."""
        home = np.repeat(np.arange(len(parts)), [len(part.slots) for part in parts])
        users = home[self.steps.owners()]
        is_step = self.space[self.steps.operands] == Space.STEPS
        sources, users = self.number[self.steps.operands[is_step]], users[is_step]
        leaves = home[sources] != users
        last = np.full(len(self.slots), -1)
        np.maximum.at(last, sources[leaves], users[leaves])
        for i, part in enumerate(parts):
            if part.turns:
                np.maximum.at(last, part.turns.from_memory, i)
        return last


def _phases(
    program: Program,
    shared: Sequence[int],
    roles: Roles,
    steps: Steps,
    orders: Sequence[Integers],
) -> tuple[_Phase, _Phase]:
    """Return the steps that run once, and those that run for rows, in the given orders."""
    first = len(program.inputs)
    space = np.full(first + len(steps), Space.CONSTANTS)
    space[:first] = Space.COLUMNS
    space[list(shared)] = Space.SHARED
    number = np.cumsum(space == Space.COLUMNS)
    number[list(shared)] = np.arange(len(shared))
    steps = Steps(steps.kinds + _roles_of_steps(program, roles), steps.counts, steps.operands)
    once = _Phase(orders[0], steps.take(orders[0] - first), space, number)
    space[orders[0]], number[orders[0]] = Space.SHARED, len(shared) + np.arange(len(orders[0]))
    return once, _Phase(orders[1], steps.take(orders[1] - first), space, number)


def _roles_of_steps(program: Program, roles: Roles) -> Integers:
    """Return for each step what to add to its kind: the same for those that are outputs alike."""
    first = len(program.inputs)
    by_slot: dict[int, tuple[object, ...]] = defaultdict(tuple)
    for k, role in roles.items():
        by_slot[program.outputs[k]] += (role,)
    kinds = {role: i << 48 for i, role in enumerate(dict.fromkeys(by_slot.values()), 1)}
    of_steps = np.zeros(len(program.steps), np.int64)
    for slot, role in by_slot.items():
        if slot >= first:
            of_steps[slot - first] = kinds[role]
    return of_steps


def _order(program: Program, shared: Sequence[int], steps: Steps) -> list[Integers]:
    """Return the slots of all operations in order: those of shared numbers, and the others.

    An output that no other step uses comes right after the last of its operands: a product that is
    only added to a total is best computed while its factors are in registers.
    """
    first = len(program.inputs)
    is_shared = np.array(find_shared(program, shared), bool)
    is_end = np.zeros(len(is_shared), bool)
    is_end[list(program.outputs)] = True
    is_end[steps.operands] = False
    last = steps.last()
    ends = np.flatnonzero(is_end[first:] & (last >= 0))
    keys = 2 * np.arange(first, len(is_shared))
    keys[ends] = 2 * last[ends] + 1
    order = np.argsort(keys, kind="stable")
    order = first + order[steps.kinds[order] >= 0]
    return [order[is_shared[order]], order[~is_shared[order]]]


def _allocate_scratch(rows: _Phase, parts: Sequence[Part]) -> tuple[dict[int, int], int]:
    """Return a place for each slot that a later part uses, and how many places there are.

    The turns of a step have places at equal distances.
    """
    last = rows.last_uses(parts)
    ends: dict[int, list[int]] = defaultdict(list)
    places: dict[int, int] = {}
    free: list[int] = []
    size = 0
    for i, part in enumerate(parts):
        all_turns, single = part.keep(last >= 0)
        for slot in all_turns:
            places[slot], size = size, size + 1
        for slot in single:
            if free:
                places[slot] = free.pop()
            else:
                places[slot], size = size, size + 1
        for slot in [*all_turns, *single]:
            ends[int(last[rows.number[slot]])].append(slot)
        free += [places[slot] for slot in ends[i]]  # a part reads before the next one writes
    return places, size
