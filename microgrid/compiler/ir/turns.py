"""Loops over time: the steps of one turn, with what changes from turn to turn by an index."""

from __future__ import annotations

from collections.abc import Sequence

from ..loops.repeats import Turns
from ..lowering import Result
from ..program import Step
from .emitter import bits_of
from .writer import Index, Use, Writer

__all__ = ["TurnsWriter"]

MOST_HELD = 16  # numbers that stay the same over all turns, and are loaded before


class TurnsWriter(Writer):
    """Writes what repeats as a loop, inside the function that another writer writes.

    Here a step is known by its number in a turn, and operand number c of a turn as ~c.
    """

    def __init__(self, outside: Writer, turns: Turns, name: str) -> None:
        vars(self).update(vars(outside))
        self.outside, self.turns, self.name = outside, turns, name
        self.local = {}
        self.indices: dict[tuple[int, ...], Index] = {}
        self.loaded: dict[tuple[int, ...], Result] = {}
        self.turn = ""  # the index of a turn
        self.before: dict[tuple[int, int], str] = {}  # by step and how many turns back

    def write(self) -> None:
        """Write the loop: values that go from turn to turn are in registers."""
        turns, vector = self.turns, self.emitter.vector
        carried = [
            (step, lag)
            for step, farthest in turns.carried.items()
            for lag in range(1, farthest + 1)
        ]
        first = [vector(self.outside.value(turns.slot_before(*each))) for each in carried]
        held = [int(xs[0]) for xs in turns.operands.T[turns.lags < 0] if (xs == xs[0]).all()]
        own = set(turns.slots.ravel().tolist())  # such as what the first turn leaves to all others
        for slot in [x for x in dict.fromkeys(held) if x not in own][:MOST_HELD]:
            self.outside.value(slot)
        after: list[tuple[str, int]] = []

        def write_turn(turn: str, names: list[str]) -> list[str]:
            self.turn, self.before = turn, dict(zip(carried, names, strict=True))
            after.extend([self._write_step(step) for step in range(turns.slots.shape[1])])
            last = {(step, 1): vector(self.local[step]) for step in turns.carried}
            return [last.get((step, lag)) or self.before[step, lag - 1] for step, lag in carried]

        self.emitter.loop(0, len(turns.slots), 1, write_turn, first)
        for step, (array, place) in enumerate(after):
            self.keep(self.local[step], array, place)

    def _write_step(self, step: int) -> tuple[str, int]:
        """Write a step; return where the result of the last turn goes, if it alone is kept."""
        result = self.compute(step)
        slots = self.turns.slots[:, step].tolist()
        uses = [self.uses[slot] for slot in slots] if slots[0] in self.uses else []
        for same in zip(*uses, strict=True):
            places = [int(use.place) for use in same]
            self.deliver(step, Use(same[0].in_total, self._index(places)))
        array, _ = self.home(slots[0])
        if not array:
            return self.home(slots[-1])
        self.keep(result, array, self._index([self.arrays[array][slot] for slot in slots]))
        return "", 0

    def step(self, slot: int) -> Step:
        """Return a step with its operands."""
        op, _ = super().step(int(self.turns.slots[0, slot]))
        begin, end = self.turns.starts[slot : slot + 2].tolist()
        return op, tuple([~c for c in range(begin, end)])

    def value(self, slot: int) -> Result:
        """Return the result of a step of this turn, or an operand."""
        if slot >= 0:
            return self.local[slot]
        turns, c = self.turns, ~slot
        source, lag = int(turns.sources[c]), int(turns.lags[c])
        if lag >= 0:
            return self.before[source, lag] if lag else self.local[source]
        slots = tuple(turns.operands[:, c].tolist())
        if slots not in self.loaded:
            self.loaded[slots] = self._fetch(slots)
        return self.loaded[slots]

    def _fetch(self, slots: Sequence[int]) -> Result:
        """Return the number of the slot that a turn reads: a constant, or one from memory."""
        if len(set(slots)) == 1 and slots[0] in self.outside.local:
            return self.outside.local[slots[0]]
        numbers = [x for slot in slots if (x := self.program.constant_at(slot)) is not None]
        if not numbers:
            array, _ = self.home(slots[0])
            return self.load(array, self._index([self.arrays[array][slot] for slot in slots]))
        if len(set(slots)) == 1:
            return numbers[0]
        table = self._table("double", [bits_of(x) for x in numbers])
        return self.emitter.broadcast(self.place(table, self.turn, "double"))

    def _index(self, places: Sequence[int]) -> Index:
        """Return the place that a turn reads, as an index: one of these, turn by turn."""
        key = tuple(places)
        if key not in self.indices:
            self.indices[key] = self._write_index(places)
        return self.indices[key]

    def _write_index(self, places: Sequence[int]) -> Index:
        line, first, step = self.emitter.line, places[0], places[1] - places[0]
        if list(places) == [first + step * turn for turn in range(len(places))]:
            if not step:
                return first
            return line(f"add i64 {line(f'mul i64 {self.turn}, {step}')}, {first}")
        table = self._table("i32", list(map(str, places)))
        place = line(f"load i32, ptr {self.place(table, self.turn, 'i32')}")
        return line(f"zext i32 {place} to i64")

    def _table(self, kind: str, numbers: Sequence[str]) -> str:
        """Return the name of a table with a number for each turn."""
        declared = self.emitter.declared
        name = f"@{self.name}.table{len(declared)}"
        entries = ", ".join([f"{kind} {x}" for x in numbers])
        declared[name] = f"{name} = internal constant [{len(numbers)} x {kind}] [{entries}]"
        return name
