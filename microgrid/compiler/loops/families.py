"""Families: the steps of a program that differ only in the positions of their operands.

Scalar code repeats itself: the neurons of a layer are dots of the same inputs with row after row of
weights. Steps are taken level by level, a level being all that can be computed once the earlier
levels are. Two steps of a level belong to one family if they have the same primitive, and operands
that are members of the same families. They differ in the positions of their operands within those
families; ordered by these, the members of a family are the turns of a few nested loops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.primitive import CONSTANT, Primitive, add, multiply
from ..passes import COMMUTATIVE, lists_of
from ..program import Program
from .runs import Access, Affine, Run, access, find_runs, one_by_one
from .steps import Integers, Steps

__all__ = [
    "COLUMN", "CONSTANTS", "COPY", "LEAST_OPERANDS", "NO_USE", "SHARED", "SUMMED", "WRITTEN",
    "Families", "Family", "Uses", "count_operands", "find_families",
]  # fmt: skip

SHARED, COLUMN, CONSTANTS = range(3)  # the families that are there before the first step
NO_USE, WRITTEN, SUMMED, COPIED = range(4)  # COPIED is added to the others
COPY = Primitive.named("argument")  # what makes a slot of its own for an output
LEAST_OPERANDS = 64  # for each family: its loops take as long to compile as these, written out
LEAST_TERMS = 4  # of a list that a loop goes through
MOST_PIECES = 4  # that the members of what could be one family are divided into


@dataclass(eq=False)
class Family:
    """Steps that the turns of a few loops compute.

    Args:
        number: that of all members of an array, by which operands tell whose members they are.
        op: the primitive.
        slots: the members, in the order of the turns.
        counts: the number of turns of each loop, the outermost first.
        runs: loops over the operands, one after another; the label of a run has the families of
            the operands that an entry has. A plain step has one run, of a single entry.
        has_start: whether the last operand is what a list starts from, and in no run.
        sources: the families of the operands that runs begin with, and of the start.
        accesses: where in these families those stand, turn by turn.
        use: whether the members are results for each row (WRITTEN), are added up over the rows
            (SUMMED), or are operands alone (NO_USE).
        places: where among the results, or the sums, they stand, turn by turn.
        is_shared: whether all rows have the same numbers.
        first: the position of the first member in the array, which may be of several families:
            each a nest of loops, or of some of the turns of a loop over time.
        repeat: the loop over time that the first of the loops is a part of, if any is.
        turn_size: how many members of the array each of its turns has.
    """

    number: int
    op: Primitive
    slots: list[int]
    counts: tuple[int, ...]
    runs: tuple[Run, ...]
    has_start: bool
    sources: tuple[int, ...]
    accesses: Sequence[Access]
    use: int
    places: Access
    is_shared: bool
    first: int = 0
    repeat: int | None = None
    turn_size: int = 0

    @property
    def is_list(self) -> bool:
        """Whether the members go through lists of operands."""
        return self.has_start or len(self.runs) > 1 or bool(self.runs[0].counts)

    def count_plain(self) -> int:
        """Return how many operands are in no list, nor in sums over the rows."""
        is_plain = not self.is_list and self.use != SUMMED
        return len(self.slots) * len(self.sources) * is_plain

    @property
    def reads(self) -> set[int]:
        """The numbers of the families that operands are from."""
        return set(self.sources)

    @property
    def own(self) -> Affine:
        """How the loops get at the members."""
        strides = one_by_one(self.counts).strides
        return Affine(self.first, (self.turn_size, *strides[1:]) if self.turn_size else strides)

    @property
    def positions(self) -> Integers:
        """Where in the array the members are, in their order."""
        return self.own.read(self.counts)


class Families(NamedTuple):
    """The families of a program, each after those of its operands, and its constants in order."""

    program: Program
    families: list[Family]
    constants: list[float]


class Uses(NamedTuple):
    """What becomes of each slot: the use that a `Family` has, and the place.

    The slots from `first_copy` on are copies, for each row, of what may be shared by all.
    """

    kinds: Sequence[int]
    places: Sequence[int]
    first_copy: int


def find_families(
    program: Program,
    steps: Steps,
    uses: Uses,
    shared_inputs: Collection[int],
    anyway: bool = False,
) -> Families | None:
    """Return the families of a program; None if there are so many that loops cannot pay.

    Args:
        program: the computation.
        steps: its steps as arrays.
        uses: what becomes of slots.
        shared_inputs: the slots of the inputs that have one number for all rows.
        anyway: whether to return them even then.
    """
    search = _Finder(program, steps, uses, shared_inputs)
    groups = search.group()
    if not anyway and sum(map(len, groups.values())) * LEAST_OPERANDS > count_operands(program):
        return None
    for level in sorted(groups):
        for (op, count), slots in groups[level].items():
            if count:
                search.add_plain(op, slots)
            else:
                search.add_lists(op, slots)
    return Families(program, search.families, search.constants)


def count_operands(program: Program) -> int:
    """Return how many operands the steps of a program have."""
    return sum([len(operands) for op, operands in program.steps if op is not CONSTANT])


# Slots of steps: by level, then by primitive and number of operands, 0 for lists.
Groups = dict[int, dict[tuple[Primitive, int], list[int]]]


class _Finder:
    """The state of a search: which slots are members of which families, and where in these."""

    def __init__(
        self, program: Program, steps: Steps, uses: Uses, shared_inputs: Collection[int]
    ) -> None:
        self.program, self.table, self.uses = program, steps, uses
        self.first, self.steps = len(program.inputs), program.steps
        size = self.first + len(self.steps)
        self.place, self.kind = np.array(uses.places[:size]), np.array(uses.kinds[:size])
        self.kind[uses.first_copy :] += COPIED
        self.family, self.position = np.zeros(size, np.int64), np.zeros(size, np.int64)
        is_shared = np.zeros(self.first, bool)
        is_shared[list(shared_inputs)] = True
        for number, members in ((SHARED, is_shared), (COLUMN, ~is_shared)):
            self.family[: self.first][members] = number
            self.position[: self.first][members] = np.arange(members.sum())
        self.families: list[Family] = []
        self.shared = {SHARED, CONSTANTS}  # the families that all rows share
        at = np.flatnonzero(steps.kinds < 0)
        self.family[self.first + at], self.position[self.first + at] = CONSTANTS, range(len(at))
        self.constants: list[float] = [self.steps[i][1][0] for i in at.tolist()]
        self.lists = dict[int, Lists]()

    def group(self) -> Groups:
        """Return the steps in groups, and keep what lists go through in `lists`."""
        joined, inner = _join_terms(self.program, self.table, self.uses)
        levels = [0] * len(self.family)
        level_of = levels.__getitem__
        groups: Groups = defaultdict(lambda: defaultdict(list))
        is_end = self._find_ends(joined)
        is_other = ~is_end & (self.table.kinds >= 0)
        for slot in (self.first + np.flatnonzero(is_other)).tolist():
            if slot in inner:
                continue
            op, operands = self.steps[slot - self.first]
            count = len(operands)
            if count >= LEAST_TERMS or slot in joined:
                lists, start = joined.get(slot) or lists_of(op, operands)
                if lists and len(lists[0]) >= LEAST_TERMS:
                    self.lists[slot] = lists, start
                    operands, count = (*chain(*lists), *start), 0
            levels[slot] = level = 1 + max(map(level_of, operands), default=0)
            groups[level][op, count].append(slot)
        self._group_ends(np.flatnonzero(is_end), np.array(levels), groups)
        return groups

    def _find_ends(self, joined: Collection[int]) -> NDArray[np.bool_]:
        """Return for each step whether it is plain, and no other reads it.

        Most of a large gradient is such steps.
        """
        counts = self.table.counts
        is_end = np.ones(len(self.family), bool)
        is_end[self.table.operands] = False
        is_end[list(joined)] = False  # which are lists
        return is_end[self.first :] & (counts > 0) & (counts < LEAST_TERMS)

    def _group_ends(self, ends: Integers, levels: Integers, groups: Groups) -> None:
        """Add the steps at some places, which no other reads, to the groups all at once."""
        if not len(ends):
            return
        own = self.table.take(ends)
        level = 1 + np.maximum.reduceat(levels[own.operands], own.starts[:-1])
        for part in _divide(own.kinds, level):
            op, operands = self.steps[ends[part[0]]]
            groups[int(level[part[0]])][op, len(operands)] += (self.first + ends[part]).tolist()

    def add_plain(self, op: Primitive, slots: list[int]) -> None:
        """Divide steps of a level among families, by those of their operands."""
        if len(slots) == 1:  # as most are where much is irregular, or goes from turn to turn
            read = self.steps[slots[0] - self.first][1]
            pairs = [(int(self.family[x]), int(self.position[x])) for x in read]
            if op.name in COMMUTATIVE:
                pairs.sort(key=itemgetter(0))
            found = tuple([source for source, _ in pairs])
            accesses = tuple([Affine(place, ()) for _, place in pairs])
            self._enter(op, slots, (), (Run((), (), found),), False, found, accesses)
            return
        members = np.array(slots)
        own = self.table.take(members - self.first)
        operands = own.operands.reshape(len(slots), -1)
        sources, positions = self.family[operands], self.position[operands]
        if op.name in COMMUTATIVE:
            sources, positions = _turn(sources, positions)
        for part in _divide(*sources.T, self.kind[members]):
            label = tuple(sources[part[0]].tolist())
            self._add(op, (Run((), (), label),), False, label, members[part], positions[part])

    def add_lists(self, op: Primitive, slots: list[int]) -> None:
        """Divide steps of a level that go through lists among families, by the runs in them."""
        groups: dict[Any, list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
        for slot in slots:
            lists, start = self.lists.pop(slot)
            operands = np.array(lists).T
            sources, positions = self.family[operands], self.position[operands]
            if len(lists) == 2:
                sources, positions = _turn(sources, positions)
            items = find_runs(sources, positions)
            label = tuple([source for run, _ in items for source in run.label])
            base = tuple([position for _, begin in items for position in begin])
            runs = tuple([run for run, _ in items])
            ends = [(int(self.family[x]), int(self.position[x])) for x in start]
            label += tuple([source for source, _ in ends])
            base += tuple([position for _, position in ends])
            groups[runs, bool(start), label, int(self.kind[slot])].append((slot, base))
        for (runs, has_start, label, _), members in groups.items():
            at = np.array([slot for slot, _ in members])
            positions = np.array([base for _, base in members])
            self._add(op, runs, has_start, label, at, positions)

    def _add(
        self,
        op: Primitive,
        runs: tuple[Run, ...],
        has_start: bool,
        sources: tuple[int, ...],
        members: Integers,
        positions: Integers,
    ) -> None:
        """Enter steps as an array, of a family or of a few, each of which is a nest of loops."""
        nests: list[tuple[int, ...]] = [()]
        if len(members) > 1:
            order = np.lexsort(positions.T[::-1])
            members, positions = members[order], positions[order]
            items = find_runs(np.zeros((len(members), 1), int), positions)
            nests = [run.counts for run, _ in items]
            if len(items) > MOST_PIECES:
                nests = [(len(members),)]
        begin, number = 0, None
        for counts in nests:
            part = slice(begin, begin + prod(counts))
            accesses = tuple([access(column, counts) for column in positions[part].T])
            slots = members[part].tolist()
            given = op, slots, counts, runs, has_start, sources, accesses
            number = self._enter(*given, begin, number)
            begin = part.stop

    def _enter(
        self,
        op: Primitive,
        slots: list[int],
        counts: tuple[int, ...],
        runs: tuple[Run, ...],
        has_start: bool,
        sources: tuple[int, ...],
        accesses: tuple[Access, ...],
        first: int = 0,
        number: int | None = None,
    ) -> int:
        """Enter a family, into an array of its own if none is given; return the array."""
        number = number or CONSTANTS + 1 + len(self.families)
        is_shared = self.shared.issuperset(sources) and slots[0] < self.uses.first_copy
        places = access(self.place[slots], counts)
        family = Family(
            number, op, slots, counts, runs, has_start, sources, accesses,
            self.uses.kinds[slots[0]], places, is_shared, first,
        )  # fmt: skip
        if is_shared:
            self.shared.add(number)
        self.family[slots], self.position[slots] = number, range(first, first + len(slots))
        self.families.append(family)
        return number


def _divide(*keys: Integers) -> list[Integers]:
    """Return where entries are that have the same keys: an array for each group, in order."""
    order = np.lexsort(keys)
    changes = np.zeros(len(order) - 1, bool)
    for key in keys:
        changes |= np.diff(key[order]) != 0
    return np.split(order, 1 + np.flatnonzero(changes))


def _turn(sources: Integers, positions: Integers) -> tuple[Integers, Integers]:
    """Put the two factors of each product, or terms of a sum, in the order of their families."""
    swap = (sources[:, 0] > sources[:, 1])[:, None]
    return np.where(swap, sources[:, ::-1], sources), np.where(swap, positions[:, ::-1], positions)


Lists = tuple[tuple[Sequence[int], ...], Sequence[int]]  # see `lists_of`


def _join_terms(program: Program, table: Steps, uses: Uses) -> tuple[dict[int, Lists], set[int]]:
    """Return long sums that are written as a + b + c + …, and the steps inside them.

    Backpropagation writes such sums, often of products. An inner step has no other use. What is
    added up over the rows is not a list, but one of its terms may be.
    """
    first, steps = len(program.inputs), program.steps
    sums = [slot for slot, (op, _) in enumerate(steps, first) if op is add]
    joined: dict[int, Lists] = {}
    inner = set[int]()
    if len(sums) < LEAST_TERMS - 1:
        return joined, inner
    read = np.concatenate((table.operands, np.array(program.outputs, np.int64)))
    counts = np.bincount(read, minlength=first + len(steps)).tolist()

    def is_inner(slot: int, op: Primitive) -> bool:
        return slot >= first and steps[slot - first][0] is op and counts[slot] == 1

    for slot in reversed(sums):
        if slot in inner or uses.kinds[slot] == SUMMED:
            continue
        within, terms, rest = [], [], slot
        while rest == slot or is_inner(rest, add):
            within.append(rest)
            # the rest of the sum is one of the operands
            rest, term = sorted(steps[rest - first][1], key=lambda x: not is_inner(x, add))
            terms.append(term)
        terms = [rest, *reversed(terms)]
        if len(terms) < LEAST_TERMS:
            continue
        inner.update(within[1:])
        joined[slot] = (terms,), ()
        if all(is_inner(term, multiply) for term in terms):
            inner.update(terms)
            left, right = zip(*[steps[term - first][1] for term in terms], strict=True)
            joined[slot] = (left, right), ()
    return joined, inner
