"""Programs rolled up: their families, with those that repeat turn after turn joined into one.

A network that goes through a sequence has the same families in each of its turns. In the order in
which they were written, they repeat like the steps of any loop over time: a family that reads one
of the turn before does so in each turn. Then they become one family, whose outermost loop is the
time; and lists that go through the families of all turns go through that one in a loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..passes import divide, lists_of
from ..program import Draft, Goal, Program, find_shared
from .families import (
    CONSTANTS,
    COPY,
    LEAST_OPERANDS,
    NO_USE,
    SUMMED,
    WRITTEN,
    Families,
    Family,
    Uses,
    count_operands,
    find_families,
)
from .partition import find_turn
from .repeats import FEWEST_TURNS, Repeat, Scale, Space, find_repeats
from .runs import Access, Affine, access, join_cycles, nest_runs
from .stages import find_sizes
from .steps import Steps

__all__ = ["families_of", "join_turns"]

LONG = 20_000  # operands: a straight-line form takes a second to compile
MUCH_SHORTER = 32  # operands of a straight-line form, for each of loops or of their tables
WIDE = 200  # operands: a turn has at least a few families of the least size
# For families, each as long as many steps; what is before all turns is near to the first ones.
FAMILY_SCALE = Scale(gram=3, near=0, least=8, many=FEWEST_TURNS)


def families_of(
    goal: Goal, anyway: bool = False, narrow: bool = False, plain: bool = False
) -> Families | None:
    """Return the families of what a kernel, or a function in C, computes.

    Turns of few steps have families of few members: as a kernel they are better written step by
    step, with what goes from turn to turn in registers, but not to be read.

    Args:
        goal: what is to be computed.
        anyway: whether to return them even where loops do not pay, instead of None.
        narrow: whether to return those of turns as well, however few steps these have, if they
            were joined into loops over time.
        plain: whether short loops pay even where few operands are in lists or sums.
    """
    goal = goal._replace(program=divide(goal.program, trees_alone=True))
    steps = Steps.of(goal.program.steps)
    turn = find_turn(goal.program, goal.shared_inputs, steps)
    is_asked = anyway or (narrow and turn > 0)  # whether loops pay or not
    if 0 < turn < WIDE and not is_asked:
        return None
    found = find_families(*_copy_outputs(goal, steps), goal.shared_inputs, is_asked)
    if not found:
        return None
    rolled = found._replace(families=join_turns(found.families))
    turns = max([x.counts[0] for x in rolled.families if x.repeat is not None], default=1)
    is_joined = turns > 1 or not turn  # straight code is better for turns that no loop computes
    if anyway or (is_joined and (is_asked or _loops_pay(rolled, turns, plain))):
        return rolled
    return None


def _loops_pay(found: Families, turns: int, plain: bool) -> bool:
    """Return whether loops over families pay.

    They do not where families are small. Where few operands are in lists or sums, loops are quicker
    to compile, but take longer to run, as straight-line code keeps more in registers: they pay only
    where that, which is a turn of loops over time, is very long; or, if `plain`, where loops are
    much shorter.
    """
    operands = count_operands(found.program)
    alone = sum([family.count_plain() for family in found.families])
    are_small = len(found.families) * LEAST_OPERANDS > operands
    is_long = operands // turns >= LONG
    if plain:
        ats = [at for family in found.families for at in family.accesses]
        # loops over tables run slower, as those over pairs of bodies do
        written_out = sum([1 if isinstance(at, Affine) else len(at.positions) for at in ats])
        is_long |= MUCH_SHORTER * written_out <= operands
    return not are_small and (2 * alone <= operands or is_long)


def _copy_outputs(goal: Goal, steps: Steps) -> tuple[Program, Steps, Uses]:
    """Return a program of which no slot is two of the outputs asked for, and what slots are.

    What is written or added up for each row must be a step of rows. What is added up is computed
    for that alone, as its loop goes through all rows before the next turn.
    """
    program, shared_inputs, written, totals = goal
    draft, is_shared = Draft(program.inputs), find_shared(program, shared_inputs)
    draft.steps += program.steps
    asked = np.array([program.outputs[k] for k in (*written, *totals)], np.int64)
    reads = np.bincount(np.concatenate((steps.operands, asked)), minlength=len(is_shared))
    is_alone = (reads == 1) & ~_are_lists(program, steps)
    is_first = np.zeros(len(asked), bool)
    is_first[np.unique(asked, return_index=True)[1]] = True
    is_free = is_first & (asked >= draft.first) & ~np.array(is_shared, bool)[asked]
    is_free &= is_alone[asked] | (np.arange(len(asked)) < len(written))
    copied = asked[~is_free]
    draft.steps += [(COPY, (slot,)) for slot in copied.tolist()]
    asked[~is_free] = len(is_shared) + np.arange(len(copied))
    kinds = np.full(len(is_shared) + len(copied), NO_USE)
    places = np.zeros(len(kinds), np.int64)
    kinds[asked] = [*[WRITTEN] * len(written), *[SUMMED] * len(totals)]
    places[asked] = [*range(len(written)), *range(len(totals))]
    uses = Uses(kinds.tolist(), places.tolist(), len(is_shared))
    return draft.program(program.outputs), steps.with_copies(copied), uses


def _are_lists(program: Program, steps: Steps) -> NDArray[np.bool_]:
    """Return for each slot whether it is a step that goes through lists."""
    _, examples, kinds = np.unique(steps.kinds, return_index=True, return_inverse=True)
    found = [bool(lists_of(*program.steps[i])[0]) for i in examples.tolist()]
    return np.concatenate((np.zeros(len(program.inputs), bool), np.array(found, bool)[kinds]))


# ---- turns of families


def join_turns(families: list[Family]) -> list[Family]:
    """Return families, those of the turns of loops over time as one; the same if there are none.

    They are in an order in which they can be computed, turn by turn.
    """
    begins = dict[int, int]()
    for family in families:
        begins[family.number] = min(*family.slots, begins.get(family.number, family.slots[0]))
    order = sorted(families, key=lambda family: (begins[family.number], family.first))
    loops = _Loops(order)
    return loops.join() if loops.repeats else families


class _Loops:
    """Families in their order, and the loops over time that were found in it.

    Args:
        order: the families. A member has operands in all arrays that the others' operands are in,
            so that with the first members in order each array comes after those that it reads.

    `repeats` are stretches whose turns are alike, and `turns` those of each that are in a loop:
    what they read can be said for all of them at once.
    """

    def __init__(self, order: list[Family]) -> None:
        self.order = order
        self.index = {x.number: i for i, x in reversed(list(enumerate(order)))}
        self.sizes = find_sizes(order)
        kinds = dict[object, int]()
        counts, spaces, numbers = [], [], []
        for family in order:
            own = family.number, Affine(family.first, ())
            reads = *zip(family.sources, family.accesses, strict=True), own, (-1, family.places)
            looks = _look(family), *[at.shift(-at.base) for _, at in reads]
            counts.append((kinds.setdefault(looks, len(kinds)), 2 * len(reads)))
            for source, at in reads:
                index = self.index.get(source)
                spaces += [-1 - source if index is None else Space.STEPS]
                spaces += [Space.CONSTANTS if source == CONSTANTS else Space.COLUMNS]
                numbers += [index or 0, at.base]
        kinds_of, sizes = np.array(counts, np.int64).reshape(-1, 2).T
        steps = Steps(kinds_of, sizes, np.arange(len(spaces)))
        found = find_repeats(steps, np.array(spaces), np.array(numbers), FAMILY_SCALE)
        self.repeats = [x for x in map(self._begin_with_array, found) if x.turns >= FEWEST_TURNS]
        self.turns: list[range] = []
        while self.repeats:
            self.turns = [self._turns_together(repeat) for repeat in self.repeats]
            good = [len(turns) >= FEWEST_TURNS for turns in self.turns]
            if all(good):
                break
            self.repeats = [x for x, is_good in zip(self.repeats, good, strict=True) if is_good]

    def _begin_with_array(self, repeat: Repeat) -> Repeat:
        """Return what repeats from where an array begins, not amid its families."""
        begin, period, turns = repeat
        while self.index[self.order[begin].number] != begin:
            begin += 1
        return Repeat(begin, period, turns - (begin > repeat.begin))

    def _turns_together(self, repeat: Repeat) -> range:
        """Return the turns that read from one and the same array, wherever what they read moves."""
        turns = np.arange(repeat.turns)
        are_good = np.ones(len(turns), bool)
        for i in range(repeat.begin, repeat.begin + repeat.period):
            pairs = zip(self.order[i].sources, self.order[i + repeat.period].sources, strict=True)
            for first, second in pairs:
                if first == second:
                    continue
                begin, step = self.index[first], self.index[second] - self.index[first]
                read = begin + step * turns
                middle = read[len(turns) // 2]
                homes = [x for x in self.repeats if x.begin <= middle < x.end]
                if not homes or step % homes[0].period:
                    return range(0)
                are_good &= (read >= homes[0].begin) & (read < homes[0].end)
        good = np.flatnonzero(are_good)
        return range(int(good[0]), int(good[-1]) + 1) if len(good) else range(0)

    def join(self) -> list[Family]:
        """Return the families, with one for all turns of a loop."""
        arrays: dict[int, tuple[int, int]] = {}  # of each family of turns, and where it begins
        inside: dict[int, tuple[int, range]] = {}  # at the first turn of a loop: its number, and it
        for number, (repeat, turns) in enumerate(zip(self.repeats, self.turns, strict=True)):
            for i in range(repeat.begin, repeat.end):
                turn, step = divmod(i - repeat.begin, repeat.period)
                array = self.order[repeat.begin + step].number
                arrays[self.order[i].number] = array, turn * self.sizes[array]
            begin, end = [repeat.begin + repeat.period * x for x in (turns.start, turns.stop)]
            inside[begin] = number, range(begin, end)
        joined: list[Family] = []
        i = 0
        while i < len(self.order):
            if i not in inside:
                joined.append(_rename(self.order[i], arrays))
                i += 1
                continue
            number, places = inside[i]
            period = self.repeats[number].period
            for step in range(period):
                family = _join([self.order[k] for k in places[step::period]], arrays)
                size = self.sizes[family.number]
                joined.append(replace(family, repeat=number, turn_size=size))
            i = places.stop
        return [_nest_lists(family) for family in joined]


def _look(family: Family) -> object:
    """Return what the families of all turns have in common."""
    runs = tuple([(run.counts, run.strides, len(run.label)) for run in family.runs])
    return family.op, family.counts, runs, family.has_start, family.use, family.is_shared


def _rename(family: Family, arrays: Mapping[int, tuple[int, int]]) -> Family:
    """Return a family that is in an array, and reads from arrays."""
    homes = [arrays.get(source, (source, 0)) for source in family.sources]
    names = iter(homes)
    runs = [run._replace(label=tuple([next(names)[0] for _ in run.label])) for run in family.runs]
    number, before = arrays.get(family.number, (family.number, 0))
    return replace(
        family, number=number, first=before + family.first, runs=tuple(runs),
        sources=tuple([source for source, _ in homes]),
        accesses=[at.shift(by) for at, (_, by) in zip(family.accesses, homes, strict=True)],
    )  # fmt: skip


def _join(turns: Sequence[Family], arrays: Mapping[int, tuple[int, int]]) -> Family:
    """Return the family of all turns of a loop, of the families of each."""
    family = _rename(turns[0], arrays)
    counts = (len(turns), *family.counts)

    def over_time(first: Access, bases: Sequence[int]) -> Access:
        within = first.read(family.counts) - first.base
        return access(np.add.outer(bases, within).ravel(), counts)

    accesses = []
    for k, at in enumerate(family.accesses):
        homes = [arrays.get(each.sources[k], (0, 0)) for each in turns]
        bases = [x.accesses[k].base + by for x, (_, by) in zip(turns, homes, strict=True)]
        accesses.append(over_time(at, bases))
    places = over_time(family.places, [each.places.base for each in turns])
    slots = [slot for each in turns for slot in each.slots]
    return replace(family, counts=counts, slots=slots, accesses=accesses, places=places)


def _nest_lists(family: Family) -> Family:
    """Return a family whose lists go through arrays in as few runs as there are."""
    if len(family.runs) < 2:
        return family
    accesses = iter(family.accesses)
    items = []
    for run in family.runs:
        ats = [next(accesses) for _ in run.label]
        shapes = [at.shift(-at.base) for at in ats]
        label = tuple(zip(run.label, shapes, strict=True))
        items.append((run._replace(label=label), tuple([at.base for at in ats])))
    runs, found = [], []
    for run, base in join_cycles(nest_runs(items)):
        runs.append(run._replace(label=tuple([source for source, _ in run.label])))
        found += [(source, at.shift(by)) for (source, at), by in zip(run.label, base, strict=True)]
    found += zip(family.sources[-1:], accesses, strict=False)  # what the list starts from
    sources, moved = zip(*found, strict=True)
    return replace(family, runs=tuple(runs), sources=sources, accesses=moved)
