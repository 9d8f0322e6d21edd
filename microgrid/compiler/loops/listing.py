"""The listing of a long program in loops: each family is one line, as a reader would write it.

    v1[j] = relu(Σ_i w[j][i]·x[i] + b[j]) for j in 64, i in 784

A family that only one other reads, turn by turn, is written inside that one's line. A loop over
time, whose turns depend on one another, has a line of its own, with its families below:

    for t in 998:
        v1[t + 1] = v1[t] + 0.01·v2[t]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, islice, repeat
from math import prod

import numpy as np

from ...core.primitive import CONSTANT, Primitive
from ..names import Names
from ..passes import lists_of
from ..program import Program, expression
from .families import COLUMN, CONSTANTS, NO_USE, Family, Uses, count_operands, find_families
from .rolling import join_turns
from .runs import (
    Affine,
    Item,
    access,
    find_cycle,
    find_runs,
    one_by_one,
)
from .steps import Integers, Steps

__all__ = ["Listing", "LoopProgram"]

SHORT = 60  # operations: a program is read as it is
LEAST_SAVING = 4  # operands of the program, for each one that its listing in loops shows
MOST_WRITTEN = 80  # characters of a family inside another one's line
MOST_ENTRIES = 8  # of a table, before an ellipsis
SUM, FOLD, PRODUCT, POWER, ATOM = range(5)  # how tightly an expression holds together
LEVELS = {  # of the result, and the least ones of its operands
    **dict.fromkeys(["+", "-"], (SUM, SUM, FOLD)),
    **dict.fromkeys(["*", "/"], (PRODUCT, PRODUCT, POWER)),
    "neg": (SUM, POWER),
}
SIGNS = {"+": "Σ", "sum": "Σ", "dot": "Σ", "prod": "Π"}

Written = tuple[str, int]  # an expression, and its level
Group = tuple[int, list[tuple[int, Integers]]]  # times, families with positions


class LoopProgram(Program):
    """A `Program` that is printed in loops where it is long and they are few."""

    @classmethod
    def of(cls, program: Program) -> LoopProgram:
        """Return a program that is printed so."""
        made = cls.of_parts(program.inputs, program.steps, program.outputs, program.labels)
        assert isinstance(made, cls)
        return made

    def __repr__(self) -> str:
        if len(self) > SHORT and (listing := Listing(self)).is_short:
            return listing.text()
        return super().__repr__()


class Listing:
    """The lines that print a program in loops, and the names in them.

    Args:
        program: the computation.
        most_entries: how many entries of a table are written out.
    """

    def __init__(self, program: Program, most_entries: int = MOST_ENTRIES) -> None:
        self.program, self.most_entries = program, most_entries
        first, size = len(program.inputs), len(program.inputs) + len(program.steps)
        uses, steps = Uses([NO_USE] * size, [0] * size, size), Steps.of(program.steps)
        found = find_families(program, steps, uses, (), anyway=True)
        assert found
        self.families = join_turns(found.families)
        self.arrays: dict[int, list[Family]] = defaultdict(list)
        for family in self.families:
            self.arrays[family.number].append(family)
        self.shapes = {number: _shape_of(members) for number, members in self.arrays.items()}
        self.constants = [repr(x) for x in found.constants]
        self.inputs = Names(program.inputs)
        self.fresh = {letter: self.inputs.make_fresh(letter) for letter in ("v", "t")}
        self.time = [*self.inputs.leave_out("ts"), next(self.inputs.make_fresh("t_"))][0]
        self.outer = [*self.inputs.leave_out("jklmnpqr"), *(f"j_{i}" for i in range(9))]
        self.inner = [*self.inputs.leave_out("iabcdefg"), *(f"i_{i}" for i in range(99))]
        self.names: dict[int, str] = {}
        self.inside = set[Family]()  # that are written inside another one's line
        self.tables: dict[tuple[str, ...], str] = {}
        self.lines: list[str] = []
        self.home = np.zeros((size, 2), np.int64)  # of each slot: the family, and where in it
        constants = [op is CONSTANT for op, _ in program.steps]
        members = [(x.number, np.array(x.slots), x.positions) for x in self.families]
        of_constants = first + np.flatnonzero(constants)
        members += [(COLUMN, np.arange(first), np.arange(first))]
        members += [(CONSTANTS, of_constants, np.arange(len(of_constants)))]
        for number, slots, positions in members:
            self.home[slots, 0], self.home[slots, 1] = number, positions
        self.given, self.returned = self._divide(range(first)), self._divide(program.outputs)
        self.readers: dict[int, list[tuple[Family, Integers]]] = defaultdict(list)
        for family in self.families:
            for source, positions in _read(family):
                self.readers[source].append((family, positions))

    @property
    def is_short(self) -> bool:
        """Whether there is much less to read than in a listing of steps."""
        read = sum(map(len, self.readers.values())) + len(self.given) + len(self.returned)
        return LEAST_SAVING * read <= count_operands(self.program) + len(self.home)

    def text(self) -> str:
        """Return the listing."""
        names = ", ".join(self._write_items(self.given))
        self._write_families()
        results = ", ".join(self._write_items(self.returned)) or "nothing"
        head = f"program({names}):  # {len(self.program)} operations"
        return "\n    ".join([head, *self.lines, f"return {results}"])

    def _write_families(self) -> None:
        """Write a line for each family that is not inside another one's."""
        for number, group in groupby(self.families, key=lambda family: family.repeat):
            families = list(group)
            if number is None:
                for family in families:
                    self.lines += self._define(family)
                continue
            lines = [line for family in families for line in self._define(family)]
            self.lines.append(f"for {self.time} in {families[0].counts[0]}:")
            self.lines += [f"    {line}" for line in lines]

    def _define(self, family: Family) -> list[str]:
        """Return the line that computes a family; none if it is inside another one's."""
        depth = len(family.counts) - (family.repeat is not None)
        variables = [*[self.time] * (family.repeat is not None), *self.outer[:depth]]
        loops = dict(zip(self.outer, family.counts[-depth:] if depth else (), strict=False))
        text, _ = self._express(family, variables, loops)
        if len(text) <= MOST_WRITTEN and self._has_one_reader(family):
            self.inside.add(family)
            return []
        if family.number not in self.names:
            self.names[family.number] = next(self.fresh["v"])
        index = self._index_of(family.number, family.positions.reshape(family.counts), variables)
        return [f"{self.names[family.number]}{index} = {text}{_write_loops(loops)}"]

    def _has_one_reader(self, family: Family) -> bool:
        """Return whether a family is read once, by one other, in the loops that compute it."""
        own = family.positions
        readers = self.readers[family.number]
        if len(self.arrays[family.number]) > 1:
            readers = list(islice((x for x in readers if np.isin(x[1], own).any()), 2))
        return (
            len(readers) == 1
            and family.number not in self.home[list(self.program.outputs), 0]
            and readers[0][0].repeat == family.repeat
            and readers[0][1].shape == family.counts
            and bool((readers[0][1].ravel() == own).all())
        )

    def _express(self, family: Family, variables: Sequence[str], loops: dict[str, int]) -> Written:
        """Return what computes a turn of a family, and enter the loops of its lists."""
        operands, name = iter(_read(family)), family.op.name
        terms: list[Written] = []
        for run in family.runs:
            within = [x for x in self.inner if x not in loops][: len(run.counts)]
            loops.update(zip(within, run.counts, strict=True))
            read = [self._refer(*next(operands), [*variables, *within], loops) for _ in run.label]
            if not family.is_list:
                return _apply(family.op, read)
            if run.width > 1:
                factors = [_enclose(x, ATOM) for x in read]
                places = range(0, len(read), run.width)
                read = [("·".join(factors[k : k + run.width]), FOLD) for k in places]
            if not within:
                terms += read
                continue
            folds = "".join(f"{SIGNS.get(name, name)}_{x} " for x in within)
            text = _enclose(_combine(name, read), FOLD if run.width > 1 else PRODUCT)
            terms.append((folds + text, FOLD))
        terms += [self._refer(*rest, variables, loops) for rest in operands]
        return _combine(name, terms)

    def _refer(
        self, source: int, positions: Integers, variables: Sequence[str], loops: dict[str, int]
    ) -> Written:
        """Return what a reader at these positions of a family reads, turn by turn."""
        if source == CONSTANTS:
            text = self._choose([self.constants[k] for k in positions.flat], positions, variables)
            return text, SUM if text.startswith("-") else ATOM
        if source == COLUMN:
            return self._name_inputs(positions, variables), ATOM
        for family in self.arrays[source]:
            if family in self.inside and np.array_equal(positions.ravel(), family.positions):
                return self._express(family, variables, loops)
        return self.names[source] + self._index_of(source, positions, variables), ATOM

    def _index_of(self, number: int, positions: Integers, variables: Sequence[str]) -> str:
        """Return the index by which turns get at positions of an array."""
        if not (shape := self.shapes[number]):
            return ""
        places = np.unravel_index(positions, shape)
        return f"[{', '.join(self._index(place, variables) for place in places)}]"

    def _name_inputs(self, positions: Integers, variables: Sequence[str]) -> str:
        """Return the names of inputs; all parts of these but the numbers may be the same."""
        if (name := self.inputs.find_common(positions)) is None:
            names = [self.inputs.spell(k) for k in positions.ravel().tolist()]
            return self._choose(names, positions, variables)
        (text, *others), numbers = name
        for column, after in zip(numbers, others, strict=True):
            number = self._index(column, variables)
            is_index = text.endswith(("[", ", ")) and after.startswith(("]", ", "))
            text += (number if is_index or number.isdigit() else f"[{number}]") + after
        return text

    def _index(self, positions: Integers, variables: Sequence[str]) -> str:
        """Return positions as a formula of the loops' variables, or as a table."""
        at = access(positions.ravel(), positions.shape)
        if not isinstance(at, Affine):
            return self._choose([str(k) for k in positions.flat], positions, variables)
        moves = [(n, x) for n, x in zip(at.strides, variables, strict=True) if n]
        terms = [("-" if n < 0 else "+", x if abs(n) == 1 else f"{abs(n)}*{x}") for n, x in moves]
        if at.base or not terms:  # before what is subtracted, after what is added
            terms.insert(0 if any(n < 0 for n, _ in moves) else len(terms), ("+", str(at.base)))
        return " ".join(f"{sign} {term}" for sign, term in terms).removeprefix("+ ")

    def _choose(self, entries: list[str], shape: Integers, variables: Sequence[str]) -> str:
        """Return which of the entries a turn takes: the only one, or one of a table."""
        lattice = np.array(entries, object).reshape(shape.shape)
        for axis in range(lattice.ndim):
            first = lattice.take([0], axis)
            lattice = first if (lattice == first).all() else lattice
        if lattice.size == 1:
            return str(lattice.flat[0])
        key = tuple(lattice.flat)
        if key not in self.tables:
            self.tables[key] = next(self.fresh["t"])
            cut = ", …" if len(key) > self.most_entries else ""
            self.lines.append(f"{self.tables[key]} = ({', '.join(key[: self.most_entries])}{cut})")
        turns = one_by_one(lattice.shape).read(lattice.shape).reshape(lattice.shape)
        return f"{self.tables[key]}[{self._index(turns, variables)}]"

    def _divide(self, slots: Sequence[int]) -> list[Group]:
        """Return inputs or results as runs; a few of these may repeat together."""
        homes = self.home[list(slots)].reshape(-1, 2)
        sources, positions = homes.T
        deepest = max(map(len, self.shapes.values()), default=0)
        deepest = max(deepest, self.inputs.numbers.shape[1])
        labels, places = np.zeros_like(homes), np.zeros((len(homes), 1 + deepest), np.int64)
        labels[:, 0], places[:, 0] = sources, positions * (sources == CONSTANTS)
        for source in set(sources.tolist()) - {CONSTANTS}:
            members = sources == source
            at = positions[members]
            if source == COLUMN:
                labels[members, 1] = self.inputs.patterns[at]
                columns = list(self.inputs.numbers[at].T)
            else:
                columns = list(np.unravel_index(at, self.shapes[source] or (1,)))
            for axis, column in enumerate(columns, 1):
                places[members, axis] = column
        return _find_groups(find_runs(labels, places), homes)

    def _write_items(self, groups: Sequence[Group]) -> Iterator[str]:
        """Yield the text of each group of inputs or results."""
        for times, items in groups:
            loops = {self.outer[0]: times} if times > 1 else {}
            texts = []
            for source, positions in items:
                own = self.outer[len(loops) :][: positions.ndim - len(loops)]
                text, _ = self._refer(source, positions, [*loops, *own], {})
                within = dict(zip(own, positions.shape[len(loops) :], strict=True))
                texts.append(f"({text}{_write_loops(within)})" if within else text)
            text = ", ".join(texts)
            yield f"({text}{_write_loops(loops)})" if loops else text


def _combine(name: str, terms: Sequence[Written]) -> Written:
    """Return what the terms of a list come to."""
    if len(terms) == 1:
        return terms[0]
    if SIGNS.get(name) == "Σ":
        return " + ".join(_enclose(term, FOLD) for term in terms), SUM
    return f"{name}({', '.join(text for text, _ in terms)})", ATOM


def _apply(op: Primitive, operands: Sequence[Written]) -> Written:
    """Return an operation on expressions, with parentheses where they need them."""
    if op.name == "dot":
        (left, right), start = lists_of(op, tuple(range(len(operands))))
        terms = [
            f"{_enclose(operands[i], ATOM)}·{_enclose(operands[k], ATOM)}"
            for i, k in zip(left, right, strict=True)
        ]
        return " + ".join([*terms, *[_enclose(operands[i], FOLD) for i in start]]), SUM
    texts = [text for text, _ in operands]
    if expression(op, ["x"] * len(texts)).startswith(f"{op.name}("):
        return expression(op, texts), ATOM
    level, *least = LEVELS.get(op.name, (POWER, ATOM, ATOM))
    parts = [_enclose(x, at) for x, at in zip(operands, least, strict=False)]
    return expression(op, parts), level


def _find_groups(items: Sequence[Item], homes: Integers) -> list[Group]:
    """Return items that repeat, a few together and evenly far apart, as groups."""
    sizes = [prod(run.counts) for run, _ in items]
    begins = [0, *accumulate(sizes)]
    groups: list[Group] = []
    k = 0
    while k < len(items):
        times, each = find_cycle(items, k)
        group, period = [], begins[k + each] - begins[k]
        for i in range(k, k + each):
            counts = (*[times] * (times > 1), *items[i][0].counts)
            at = np.add.outer(period * np.arange(times), begins[i] + np.arange(sizes[i]))
            found = homes[at.reshape(counts)]
            group.append((int(found[..., 0].flat[0]), found[..., 1]))
        groups.append((times, group))
        k += times * each
    return groups


def _shape_of(families: Sequence[Family]) -> tuple[int, ...]:
    """Return the counts of the loops that go through an array: its size, unless it is a lattice."""
    size = sum([len(family.slots) for family in families])
    if len(families) == 1:
        return families[0].counts
    for family in families:
        if family.repeat is not None:
            inner, each = family.counts[1:], family.turn_size
            return (size // each, *(inner if prod(inner) == each else (each,)))
    return (size,)


def _read(family: Family) -> Iterator[tuple[int, Integers]]:
    """Yield for each operand its family, and the positions that the turns of all loops read."""
    operands = iter(zip(family.sources, family.accesses, strict=True))
    for run in family.runs:
        strides = zip(*run.strides, strict=True) if run.counts else repeat(())
        for _, moves in zip(run.label, strides, strict=False):
            source, at = next(operands)
            moved = np.add.outer(at.read(family.counts), Affine(0, moves).read(run.counts))
            yield source, moved.reshape((*family.counts, *run.counts))
    for source, at in operands:
        yield source, at.read(family.counts).reshape(family.counts)


def _write_loops(loops: Mapping[str, int]) -> str:
    return " for " * bool(loops) + ", ".join(f"{x} in {times}" for x, times in loops.items())


def _enclose(text: Written, least: int) -> str:
    return text[0] if text[1] >= least else f"({text[0]})"
