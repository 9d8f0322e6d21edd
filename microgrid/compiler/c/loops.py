"""A C function's statements in loops: families are arrays, and their turns are loops over these."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from ...core.primitive import CONSTANT
from ..loops.families import COLUMN, CONSTANTS, SHARED, SUMMED, WRITTEN, Families, Family
from ..loops.runs import Access, Affine, Run, access, find_runs, one_by_one
from ..loops.stages import LoopStage, find_places, find_sizes, find_stages, group_turns
from ..lowering import START, Result, lower, lower_term
from ..program import Goal
from .comments import comment
from .operations import CEmitter, Variable, mark_used, text

__all__ = ["LoopBody"]

OWN = -1  # in place of a family, that of the outputs that are added up over the rows


class CIndex(NamedTuple):
    """A position in an array: a whole number, and terms that are added to it."""

    base: int
    terms: tuple[tuple[int, str], ...] = ()  # what a term is multiplied with, and the term

    def plus(self, strides: Sequence[int], indices: Sequence[str]) -> CIndex:
        """Return the position that is some strides further."""
        more = [(stride, i) for stride, i in zip(strides, indices, strict=True) if stride]
        return CIndex(self.base, (*self.terms, *more))

    def __str__(self) -> str:
        signed = [(k > 0, i if abs(k) == 1 else f"{abs(k)} * {i}") for k, i in self.terms]
        if self.base or not signed:
            signed.append((self.base >= 0, str(abs(self.base))))
        (sign, first), *others = sorted(signed, key=lambda term: not term[0])
        rest = [f" {'+' if sign else '-'} {term}" for sign, term in others]
        return "".join(["" if sign else "-", first, *rest])


class LoopBody:
    """The statements of a function whose program has families.

    Args:
        found: the families.
        goal: what the function computes; what is written is written for a single row.
    """

    def __init__(self, found: Families, goal: Goal) -> None:
        self.found, self.shared_inputs, self.totals = found, goal.shared_inputs, goal.totals
        self.stages, self.own = find_stages(found.families), {*goal.written, *goal.totals}
        self.where = self._find_outputs()
        asked = {slot for k, slot in enumerate(found.program.outputs) if k not in self.own}
        stored = [
            *find_places(self.stages, asked, True, 0)[0],
            *find_places(self.stages, set(), False, 0)[0],
        ]
        self.arrays = {SHARED: "shared", COLUMN: "in", CONSTANTS: "constants"}
        self.arrays |= {number: f"v{i}" for i, number in enumerate(sorted(stored), start=1)}
        self.sizes = find_sizes(found.families)
        self.places: dict[tuple[int, ...], str] = {}
        self.read = set[str]()  # the arrays that are read
        self.numbers = count(1)

    # ---- parts of the function

    def once(self) -> list[str]:
        """Return what is computed once, before all rows."""
        return self._write(is_shared=True)

    def of_row(self) -> list[str]:
        """Return what is computed for each row, and what is done with the outputs."""
        return self._write(is_shared=False)

    def reads(self, array: str) -> bool:
        """Return whether what has been written reads an array."""
        return array in self.read

    def tables(self) -> list[str]:
        """Return the tables that what has been written reads."""
        lines = []
        if self.reads("constants"):
            lines += _table("double constants", [text(x) for x in self.found.constants])
        for positions, name in self.places.items():
            lines += _table(f"int {name}", [str(x) for x in positions])
        return lines

    def for_outputs(self, own: str | None, shared: str | None) -> list[str]:
        """Return a statement for each output, {out}, that is {x}; see the body without loops."""
        entries = []
        for k, slot in enumerate(self.found.program.outputs):
            label, position = (OWN, 0) if k in self.own else self.where[slot]
            if own if label == OWN else shared:
                entries.append((label, k, position))
        table = np.array(entries, np.int64).reshape(-1, 3)
        lines = []
        for run, begin in find_runs(table[:, :1], table[:, 1:]):
            indices = _indices(0, len(run.counts))
            at, place = [
                CIndex(base).plus([each[axis] for each in run.strides], indices)
                for axis, base in enumerate(begin)
            ]
            if run.label[0] == OWN:
                line = (own or "").format(out=f"out[{at}]")
            else:
                line = (shared or "").format(
                    out=f"out[{at}]", x=text(self._load(run.label[0], place))
                )
            lines += _nest([line], run.counts, indices)
        return lines

    def _find_outputs(self) -> dict[int, tuple[int, int]]:
        """Return the families of what all rows share, by slots, and the positions in these."""
        where = {slot: (SHARED, i) for i, slot in enumerate(self.shared_inputs)}
        constants = [slot for slot, op, _ in self.found.program.walk() if op is CONSTANT]
        where |= {slot: (CONSTANTS, i) for i, slot in enumerate(constants)}
        for family in self.found.families:
            if family.is_shared:
                places = zip(family.slots, family.positions.tolist(), strict=True)
                where |= {slot: (family.number, i) for slot, i in places}
        return where

    # ---- a stage

    def _write(self, is_shared: bool) -> list[str]:
        """Return the loops of stages, after the arrays that they write into."""
        lines, declared = list[str](), set[int]()
        for stages in group_turns([x for x in self.stages if x.is_shared == is_shared]):
            numbers = [x.number for stage in stages for x in stage.families]
            fresh = [x for x in dict.fromkeys(numbers) if x in self.arrays and x not in declared]
            arrays = [f"double {self._entry(x, str(self.sizes[x]))};" for x in fresh]
            declared.update(fresh)
            if stages[0].repeat is None:
                told, loops = self._stage(stages[0], _indices(0, len(stages[0].counts)))
                lines += [*told, *arrays, *loops]
                continue
            turns, within = stages[0].counts[0], []
            for stage in stages:
                told, loops = self._stage(stage, ["t", *_indices(0, len(stage.counts) - 1)])
                within += [*told, *loops]
            told = [comment(f"{turns} turns, one after another")]
            lines += [*told, *arrays, *_nest(within, [turns], ["t"])]
        return lines

    def _stage(self, stage: LoopStage, indices: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return a comment on a stage, and its loops, except for the one over time."""
        inside = stage.repeat is not None
        emitter, lists, depth = CEmitter(), list[str](), len(indices) - inside
        made: dict[tuple[int, Access], Result] = {}
        for family in stage.families:
            begins = [self._index(at, stage.counts, indices) for at in family.accesses]
            if family.is_list:
                made[family.number, family.own] = self._fold(family, begins, depth, lists)
                continue
            reads = zip(family.sources, family.accesses, begins, strict=True)
            made[family.number, family.own] = lower(
                emitter,
                family.op,
                [
                    made[source, at] if (source, at) in made else self._load(source, begin)
                    for source, at, begin in reads
                ],
            )
        stores = []
        for family in stage.families:
            for target in self._targets(family, stage.counts, indices):
                stores.append((target, emitter.number(made[family.number, family.own])))
        mark_used(emitter.pending, [x for _, x in stores])
        lines = [*lists, *self._define(emitter), *[f"{to} {text(x)};" for to, x in stores]]
        names = ", ".join(dict.fromkeys([family.op.name for family in stage.families]))
        counts = stage.counts[inside:]
        told = comment(f"{names}: {' x '.join(map(str, counts))} turns" if counts else names)
        return told.splitlines(), _nest(lines, counts, indices[inside:])

    def _targets(self, family: Family, counts: Sequence[int], indices: Sequence[str]) -> list[str]:
        """Return what the members are assigned to, or added to, with the sign that does so."""
        targets = []
        if family.number in self.arrays:
            own = str(self._index(family.own, counts, indices))
            targets.append(f"{self._entry(family.number, own)} =")
        if family.use == WRITTEN:
            targets.append(f"out[{self._index(family.places, counts, indices)}] =")
        if family.use == SUMMED:
            outs = access(np.array(self.totals)[family.places.read(counts)], counts)
            targets.append(f"out[{self._index(outs, counts, indices)}] +=")
        return targets

    def _fold(
        self, family: Family, begins: Sequence[CIndex], depth: int, lines: list[str]
    ) -> Variable:
        """Write the loops over lists; return what they come to."""
        total = Variable("")
        total.name = f"t{next(self.numbers)}"
        start: Result = START[family.op.name]
        if family.has_start:
            start = self._load(family.sources[-1], begins[-1])
        lines.append(f"double {total.name} = {text(start)};")
        first = 0
        for run in family.runs:
            here = begins[first : first + len(run.label)]
            lines += self._fold_run(family, run, here, total, depth)
            first += len(run.label)
        return total

    def _fold_run(
        self, family: Family, run: Run, begins: Sequence[CIndex], total: Variable, depth: int
    ) -> list[str]:
        """Return the loops of a run."""
        emitter, indices = CEmitter(), _indices(depth, len(run.counts))
        terms = [
            self._load(source, begin.plus([each[k] for each in run.strides], indices))
            for k, (source, begin) in enumerate(zip(run.label, begins, strict=True))
        ]
        body = []
        for k in range(0, len(terms), run.width):
            result = lower_term(emitter, family.op, total, terms[k : k + run.width])
            assert isinstance(result, Variable)
            last = emitter.pending.pop()
            assert result is last
            mark_used(emitter.pending, last.operands)
            body += [*self._define(emitter), f"{total.name} = {last.expression()};"]
            emitter.pending = []
        return _nest(body, run.counts, indices)

    # ---- numbers and where they are

    def _define(self, emitter: CEmitter) -> list[str]:
        """Name what was computed; return the statements that define it."""
        used = [variable for variable in emitter.pending if variable.is_used]
        for variable in used:
            variable.name = f"t{next(self.numbers)}"
        return [variable.definition() for variable in used]

    def _index(self, at: Access, counts: Sequence[int], indices: Sequence[str]) -> CIndex:
        """Return the position that an access leads to."""
        even = at if isinstance(at, Affine) else one_by_one(counts)
        index = CIndex(even.base).plus(even.strides, indices)
        if isinstance(at, Affine):
            return index
        name = self.places.setdefault(at.positions, f"places{len(self.places) + 1}")
        return CIndex(0, ((1, f"{name}[{index}]"),))

    def _load(self, family: int, index: CIndex) -> Result:
        """Return a number of a family."""
        if family == CONSTANTS and not index.terms:
            return self.found.constants[index.base]
        self.read.add(self.arrays[family])
        loaded = Variable("")
        loaded.name = self._entry(family, str(index))
        return loaded

    def _entry(self, family: int, index: str) -> str:
        """Return an entry of a family's array; a single member is a variable."""
        name = self.arrays[family]
        return name if self.sizes.get(family) == 1 else f"{name}[{index}]"


def _indices(depth: int, number: int) -> list[str]:
    """Return the names of the indices of some loops, which are inside others."""
    return ["ijklmn"[k] if k < 6 else f"i{k}" for k in range(depth, depth + number)]


def _nest(lines: Sequence[str], counts: Sequence[int], indices: Sequence[str]) -> list[str]:
    """Return statements inside loops, the outermost first."""
    nested = list(lines)
    for turns, i in reversed(list(zip(counts, indices, strict=True))):
        inner = [f"    {line}" for line in nested]
        nested = [f"for (int {i} = 0; {i} < {turns}; {i}++) {{", *inner, "}"]
    return nested


def _table(name: str, entries: Sequence[str]) -> list[str]:
    """Return the definition of a table, in lines that a screen can show."""
    lines = textwrap.wrap(", ".join(entries), 88, break_on_hyphens=False)
    return [f"static const {name}[{len(entries)}] = {{", *[f"    {line}" for line in lines], "};"]
