"""Loops as LLVM IR: the function of a stage of families, a nest of loops over their turns.

A function computes a group of blocks of rows. Rows lie in the lanes of vectors, and numbers that
all rows share are broadcast. A tile of turns and blocks goes through lists together, so that each
number that was loaded is used several times. Sums over the rows stay in registers for all blocks of
the group, and then their lanes are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import NamedTuple

from ...core.primitive import Primitive, multiply
from ..loops.families import COLUMN, CONSTANTS, NO_USE, WRITTEN, Family
from ..loops.runs import Access, Affine, Run, one_by_one
from ..loops.stages import LoopStage
from ..lowering import START, Result, lower, lower_term
from .emitter import LoopEmitter
from .machine import Machine

__all__ = ["Places", "write_stages"]

Index = tuple[str | None, int]  # a position: what an instruction computes, if any does, and more
Offsets = tuple[int, ...]  # of a turn in a tile, loop by loop
Scope = dict[object, str]  # what has been computed, and can be used again


class Places(NamedTuple):
    """Where a kernel's numbers are.

    Args:
        shared: the first place of each family in the array of shared numbers.
        scratch: the first place of each family in a block's part of the scratch.
        scratch_size: the size of a block's part.
        constants: the numbers of the family of constants.
    """

    shared: Mapping[int, int]
    scratch: Mapping[int, int]
    scratch_size: int
    constants: Sequence[float]

    def are_shared(self, family: int) -> bool:
        """Return whether all rows have the same numbers of a family."""
        return family == CONSTANTS or family in self.shared


@dataclass
class Tile:
    """Turns of a stage's loops, and blocks of rows, that are computed at once.

    Args:
        indices: those of the loops, at the first of the turns.
        turns: how far each turn is from the first one.
        blocks: the blocks.
        scope: what has been computed that all may use.
        made: the numbers of families, by how they are accessed, and by turn and block.
    """

    indices: Sequence[str]
    turns: Sequence[Offsets]
    blocks: Sequence[Index]
    scope: Scope = field(default_factory=dict)
    made: dict[tuple[int, Access, Offsets, Index], Result] = field(default_factory=dict)

    @property
    def keys(self) -> list[tuple[Offsets, Index]]:
        """All pairs of a turn and a block."""
        return list(product(self.turns, self.blocks))


class _Reader:
    """Writes where numbers are, and loads them: each once in a scope."""

    def __init__(self, places: Places, stage: LoopStage, emitter: LoopEmitter, name: str) -> None:
        self.places, self.stage, self.emitter, self.name = places, stage, emitter, name
        self.tables: dict[tuple[int, ...], str] = {}

    def position(self, at: Access, tile: Tile, turn: Offsets) -> Index:
        """Return the position that an access leads to."""
        even = at if isinstance(at, Affine) else one_by_one(self.stage.counts)
        more = even.base + sum(x * stride for x, stride in zip(turn, even.strides, strict=True))
        index = self.combine(even.strides, tile.indices, tile.scope), more
        if isinstance(at, Affine):
            return index
        table = self.tables.setdefault(at.positions, f"@{self.name}.{len(self.tables)}")
        place = self.entry(table, index, "i32", tile.scope)
        entry = self.emitter.line(f"load i32, ptr {place}")
        return self.emitter.line(f"sext i32 {entry} to i64"), 0

    def combine(
        self,
        strides: Sequence[int],
        indices: Sequence[str],
        scope: Scope,
        start: str | None = None,
    ) -> str | None:
        """Return the sum of indices, each times its stride; None if there is nothing to add."""
        key = "sum", start, tuple(strides), tuple(indices)
        if key in scope:
            return scope[key]
        line, total = self.emitter.line, start
        for stride, index in zip(strides, indices, strict=True):
            if stride:
                term = index if stride == 1 else line(f"mul nsw i64 {index}, {stride}")
                total = term if total is None else line(f"add nsw i64 {total}, {term}")
        if total is not None:
            scope[key] = total
        return total

    def entry(self, array: str, index: Index, kind: str, scope: Scope) -> str:
        """Return the address of an entry of an array."""
        computed, more = index
        key = "entry", array, kind, index
        if key not in scope:
            near, step = array, computed or more
            if computed is not None and more:
                near, step = self.entry(array, (computed, 0), kind, scope), more
            scope[key] = self.emitter.line(f"getelementptr {kind}, ptr {near}, i64 {step}")
        return scope[key]

    def column(self, arrays: str, index: Index, scope: Scope) -> str:
        """Return the address of a column, or of an output."""
        key = "column", arrays, index
        if key not in scope:
            place = self.entry(arrays, index, "ptr", scope)
            scope[key] = self.emitter.line(f"load ptr, ptr {place}")
        return scope[key]

    def pointer(self, family: int, index: Index, scope: Scope) -> str:
        """Return where a number is that all rows share, or that of the first row."""
        computed, more = index
        if family == CONSTANTS:
            return self.entry("@constants", index, "double", scope)
        if family == COLUMN:
            return self.column("%ins", index, scope)
        if family in self.places.shared:
            place = computed, more + self.places.shared[family]
            return self.entry("%shared", place, "double", scope)
        place = computed, more + self.places.scratch[family]
        return self.entry("%scratch", place, self.emitter.type, scope)

    def of_block(self, pointer: str, is_column: bool, block: Index, scope: Scope) -> str:
        """Return where a block's numbers are, from where the first ones are."""
        size = 8 * self.emitter.width * (1 if is_column else self.places.scratch_size)
        computed, more = block
        distance = "distance", is_column, computed
        if distance not in scope:
            bytes_ = self.emitter.line(f"mul nsw i64 {computed}, {size}")
            if is_column:
                bytes_ = self.emitter.line(f"add nsw i64 {bytes_}, %begin.bytes")
            scope[distance] = bytes_
        first = self.entry(pointer, (scope[distance], 0), "i8", scope)
        if not more:
            return first
        return self.emitter.line(f"getelementptr i8, ptr {first}, i64 {more * size}")

    def load(self, family: int, index: Index, block: Index, scope: Scope) -> Result:
        """Return the numbers of a block that are at a position of a family."""
        if family == CONSTANTS and index[0] is None:
            return self.places.constants[index[1]]
        is_shared = self.places.are_shared(family)
        key = "numbers", family, index, None if is_shared else block
        if key not in scope:
            place = self.pointer(family, index, scope)
            if is_shared:
                scope[key] = self.emitter.broadcast(place)
            else:
                place = self.of_block(place, family == COLUMN, block, scope)
                scope[key] = self.emitter.line(f"load {self.emitter.type}, ptr {place}, align 8")
        return scope[key]

    def table_lines(self) -> list[str]:
        """Return the tables of positions."""
        return [
            f"{name} = internal constant [{len(positions)} x i32] "
            f"[{', '.join([f'i32 {x}' for x in positions])}]"
            for positions, name in self.tables.items()
        ]


class _StageWriter(_Reader):
    """Writes the function of a stage; subclasses say where its loops lie in those over rows.

    Tiles that `may_overlap` compute some turns twice, with the same results.
    """

    may_overlap = False

    HEAD = (
        "{}(ptr %ins, ptr %outs, ptr noalias readonly %shared, ptr noalias %scratch, "
        "ptr noalias %totals, i64 %begin, i64 %end, ptr noalias %sums, i64 %left)"
    )

    def function(self) -> str:
        """Return the function, after its tables."""
        self.write()
        turn = ", i64 %turn" * (self.stage.repeat is not None)
        head = f"define void @{self.HEAD.format(self.name)[:-1]}{turn}) {{"
        lines = [*self.opening(), *self.emitter.lines]
        return "\n".join([*self.table_lines(), head, "entry:", *lines, "  ret void", "}"])

    def opening(self) -> list[str]:
        """Return what is computed before all loops."""
        return [
            "  %rows = sub i64 %end, %begin",
            f"  %blocks = udiv i64 %rows, {self.emitter.width}",
            "  %begin.bytes = mul i64 %begin, 8",
        ]

    def write(self) -> None:
        """Write all loops."""
        raise NotImplementedError

    def cover(
        self,
        sizes: Sequence[int],
        body: Callable[[Sequence[str], list[Offsets]], None],
        indices: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> None:
        """Write the loops over all turns, in tiles of these sizes.

        Where they do not divide the turns evenly, the last tile is smaller; if tiles `may_overlap`,
        it is a whole one that begins earlier, as each shape of tile is written out. A loop over
        time, if there is one, is around the function: see `write_stages`.
        """
        if not indices and self.stage.repeat is not None:
            indices, shape = ("%turn",), (1,)
        depth = len(indices)
        if depth == len(self.stage.counts):
            body(indices, list(product(*map(range, shape))))
            return
        count = self.stage.counts[depth]
        size = min(sizes[depth], count)
        full = count if self.may_overlap else count - count % size
        for begin, end, step in ((0, full, size), (full, count, count - full)):
            if begin < end:

                def turn(i: str, _: list[str], step: int = step, end: int = end) -> list[str]:
                    first = i if not end % step else self.emitter.at_most(i, end - step)
                    self.cover(sizes, body, (*indices, first), (*shape, step))
                    return []

                self.emitter.loop(begin, end, step, turn)

    # ---- the families of a tile

    def compute(self, tile: Tile) -> None:
        """Write what the families make in a tile, and the stores of what others need."""
        for family in self.stage.families:
            self.emitter.primitive = family.op.name
            begins = self.begins(family, tile)
            if family.is_list:
                self.go_through(family, tile, begins)
                continue
            for turn, block in tile.keys:
                operands = self.operands(family, tile, begins[turn], turn, block)
                tile.made[family.number, family.own, turn, block] = lower(
                    self.emitter, family.op, operands
                )
        for family in self.stage.families:
            self.keep(family, tile)

    def begins(self, family: Family, tile: Tile) -> dict[Offsets, list[Index]]:
        """Return for each turn where its operands stand, or begin."""
        return {
            turn: [self.position(at, tile, turn) for at in family.accesses] for turn in tile.turns
        }

    def operands(
        self, family: Family, tile: Tile, places: Sequence[Index], turn: Offsets, block: Index
    ) -> list[Result]:
        """Return the operands of a plain step: just made, or loaded."""
        return [
            tile.made[source, at, turn, block]
            if (source, at, turn, block) in tile.made
            else self.load(source, place, block, tile.scope)
            for source, at, place in zip(family.sources, family.accesses, places, strict=True)
        ]

    def go_through(
        self, family: Family, tile: Tile, begins: Mapping[Offsets, Sequence[Index]]
    ) -> None:
        """Write the loops over lists, in which all of a tile take each turn together."""
        vector, scope = self.emitter.vector, tile.scope
        totals = [self.emitter.constant(START[family.op.name])] * len(tile.keys)
        if family.has_start:
            start = family.sources[-1]
            totals = [
                vector(self.load(start, begins[turn][-1], block, scope))
                for turn, block in tile.keys
            ]
        first = 0
        for run in family.runs:
            last = first + len(run.label)
            here = {turn: places[first:last] for turn, places in begins.items()}
            totals = self.fold_run(family.op, run, tile, here, totals, scope)
            first = last
        for (turn, block), total in zip(tile.keys, totals, strict=True):
            tile.made[family.number, family.own, turn, block] = total

    def fold_run(
        self,
        op: Primitive,
        run: Run,
        tile: Tile,
        begins: Mapping[Offsets, Sequence[Index]],
        totals: Sequence[str],
        scope: Scope,
        inner: tuple[str, ...] = (),
    ) -> list[str]:
        """Write the loops of a run that are inside others; return what the totals become."""
        depth = len(inner)
        if depth < len(run.counts):

            def deeper(i: str, carried: list[str]) -> list[str]:
                return self.fold_run(op, run, tile, begins, carried, dict(scope), (*inner, i))

            return self.emitter.loop(0, run.counts[depth], 1, deeper, totals)
        results = []
        for (turn, block), total in zip(tile.keys, totals, strict=True):
            terms = []
            for k, (computed, more) in enumerate(begins[turn]):
                strides = [each[k] for each in run.strides]
                index = self.combine(strides, inner, scope, computed), more
                terms.append(self.load(run.label[k], index, block, scope))
            for k in range(0, len(terms), run.width):
                added = lower_term(self.emitter, op, total, terms[k : k + run.width])
                total = self.emitter.vector(added)
            results.append(total)
        return results

    def keep(self, family: Family, tile: Tile) -> None:
        """Write the stores of what other stages or the caller need."""
        number, is_shared = family.number, family.number in self.places.shared
        for turn, block in tile.keys:
            places = []
            if is_shared or number in self.places.scratch:
                place = self.pointer(number, self.position(family.own, tile, turn), tile.scope)
                if not is_shared:
                    place = self.of_block(place, False, block, tile.scope)
                places.append(place)
            if family.use == WRITTEN:
                index = self.position(family.places, tile, turn)
                out = self.column("%outs", index, tile.scope)
                places.append(self.of_block(out, True, block, tile.scope))
            for place in places:
                numbers = self.emitter.vector(tile.made[number, family.own, turn, block])
                text = f"  store {self.emitter.type} {numbers}, ptr {place}, align 8"
                self.emitter.lines.append(text)


class OnceStage(_StageWriter):
    """Writes a stage of what all rows share: single numbers."""

    HEAD = "{}(ptr %shared)"

    def opening(self) -> list[str]:
        """Return what is computed before all loops."""
        return []

    def write(self) -> None:
        """Write all loops."""
        sizes = [1] * len(self.stage.counts)
        self.cover(sizes, lambda indices, turns: self.compute(Tile(indices, turns, [(None, 0)])))


# The totals of a tile take three quarters of the registers; operands are in the others.


def row_tile(machine: Machine) -> tuple[int, int]:
    """Return how many turns, and blocks of rows, go through lists together."""
    return 6, machine.registers // 8


def sum_tile(machine: Machine) -> tuple[int, int]:
    """Return how many turns of the two innermost loops are added up over the rows together.

    Along the outer one of these, sums follow one another: there, they fill whole vectors.
    """
    return machine.registers // 4, 3


def fit_turns(count: int, most: int) -> int:
    """Return how many of a loop's turns a tile has, so that tiles which overlap are quick.

    A tile costs about half a turn more than its turns.
    """
    return min(range(most, most // 2, -1), key=lambda size: -(-count // size) * (size + 0.5))


class RowStage(_StageWriter):
    """Writes a stage of what each row has: turns inside blocks of rows."""

    may_overlap = True

    def write(self) -> None:
        """Write all loops."""
        if not any(family.is_list for family in self.stage.families):
            self.go_over("0", "%blocks", 1, 1)
            return
        turns, blocks = row_tile(self.emitter.machine)
        self.emitter.lines.append(f"  %full = and i64 %blocks, {-blocks}")
        for begin, end, size in (("0", "%full", blocks), ("%full", "%blocks", 1)):
            some = partial(self.go_over, begin, end, size, turns)
            self.emitter.unless_equal(begin, end, some)

    def go_over(self, begin: str, end: str, blocks: int, turns: int) -> None:
        """Write a loop over blocks, some at once, and inside it one over turns, some at once."""
        *outer, inner = self.stage.counts or (1,)
        sizes = [*[1] * len(outer), fit_turns(inner, turns)]

        def some_blocks(block: str, _: list[str]) -> list[str]:
            here = [(block, k) for k in range(blocks)]
            self.cover(sizes, lambda indices, offsets: self.compute(Tile(indices, offsets, here)))
            return []

        self.emitter.loop(begin, end, blocks, some_blocks)


class SumStage(_StageWriter):
    """Writes a stage of what is only added up over the rows: blocks inside tiles of turns."""

    def opening(self) -> list[str]:
        """Return what is computed before all loops."""
        width = self.emitter.width
        vector, lanes = f"<{width} x i64>", ", ".join([f"i64 {lane}" for lane in range(width)])
        zeros = f"<{width} x i32> zeroinitializer"
        return [
            *super().opening(),
            f"  %left.one = insertelement {vector} poison, i64 %left, i64 0",
            f"  %left.all = shufflevector {vector} %left.one, {vector} poison, {zeros}",
            f"  %is.row = icmp ult {vector} <{lanes}>, %left.all",
        ]

    def write(self) -> None:
        """Write all loops."""
        depth = len(self.stage.counts)
        inner = min(depth - (self.stage.repeat is not None), 2)
        tile = sum_tile(self.emitter.machine)[:inner]
        self.cover([*[1] * (depth - inner), *tile], self.sum_rows)

    def sum_rows(self, indices: Sequence[str], turns: list[Offsets]) -> None:
        """Write the loop over blocks for a tile of turns, and add what it leaves to the sums."""
        tile = Tile(indices, turns, [])
        begins = [self.begins(family, tile) for family in self.stage.families]
        for family, of_turns in zip(self.stage.families, begins, strict=True):
            self.prepare(family, of_turns, tile.scope)

        def add_block(block: str, totals: list[str]) -> list[str]:
            here = Tile(indices, turns, [(block, 0)], dict(tile.scope))
            return [
                self.add_turn(here, [places[turn] for places in begins], turn, total)
                for turn, total in zip(turns, totals, strict=True)
            ]

        zeros = [self.emitter.constant(0.0)] * len(turns)
        totals = self.emitter.loop(0, "%blocks", 1, add_block, zeros)
        places, width = self.stage.families[-1].places, self.emitter.width
        left = {self.position(places, tile, x): y for x, y in zip(turns, totals, strict=True)}
        while left:
            computed, more = min(left, key=lambda index: index[1])
            run: list[str] = []  # of what is added to sums that follow one another
            while len(run) < width and (computed, more + len(run)) in left:
                run.append(left.pop((computed, more + len(run))))
            place = self.entry("%sums", (computed, more), "double", tile.scope)
            self.emitter.add_lanes(run, place)

    def prepare(
        self, family: Family, begins: Mapping[Offsets, Sequence[Index]], scope: Scope
    ) -> None:
        """Write what does not change with the blocks."""
        own = {each.number for each in self.stage.families}
        for source, place in [
            each for places in begins.values() for each in zip(family.sources, places, strict=True)
        ]:
            if self.places.are_shared(source):
                self.load(source, place, (None, 0), scope)
            elif source not in own:
                self.pointer(source, place, scope)

    def add_turn(
        self, tile: Tile, begins: Sequence[Sequence[Index]], turn: Offsets, total: str
    ) -> str:
        """Write a turn, whose result is added up: a product and its sum are one, as in a dot."""
        (block,), m, made = tile.blocks, self.emitter, total
        for family, places in zip(self.stage.families, begins, strict=True):
            m.primitive = family.op.name
            operands = self.operands(family, tile, places, turn, block)
            if family.use == NO_USE:
                tile.made[family.number, family.own, turn, block] = lower(m, family.op, operands)
            elif family.op is multiply:
                made = m.vector(m.fma(*[m.number(x) for x in operands], total))
            else:
                made = m.vector(m.add(total, m.number(lower(m, family.op, operands))))
        return made


def write_stages(
    name: str,
    stages: Sequence[LoopStage],
    places: Places,
    machine: Machine,
    declared: dict[str, str],
) -> str:
    """Return the function of a stage, or of all stages of a loop over time, which calls theirs.

    Args:
        name: that of the function.
        stages: one stage, or those of one loop.
        places: where the kernel's numbers are.
        machine: what to make code for.
        declared: what the text declares, to which this adds.
    """
    kinds = [OnceStage if x.is_shared else SumStage if x.is_sum else RowStage for x in stages]
    width = 1 if stages[0].is_shared else machine.width
    writers = [
        kind(places, stage, LoopEmitter(machine, width, declared), f"{name}.of{k}")
        for k, (kind, stage) in enumerate(zip(kinds, stages, strict=True))
    ]
    if stages[0].repeat is None:
        writers[0].name = name
        return writers[0].function()
    caller, head = LoopEmitter(machine, 1, declared), writers[0].HEAD

    def call_all(turn: str, _: list[str]) -> list[str]:
        caller.lines += [
            f"  call void @{head.format(writer.name)[:-1]}, i64 {turn})" for writer in writers
        ]
        return []

    caller.loop(0, stages[0].counts[0], 1, call_all)
    lines = [f"define void @{head.format(name)} {{", "entry:", *caller.lines, "  ret void", "}"]
    return "\n".join([*[writer.function() for writer in writers], *lines])
