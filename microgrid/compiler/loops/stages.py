"""Stages: families that one nest of loops computes, and where their numbers wait for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod

from .families import NO_USE, SUMMED, Family
from .partition import MOST_OPERANDS
from .runs import Access, Affine, access, one_by_one

__all__ = ["LoopStage", "find_places", "find_sizes", "find_stages", "group_turns"]


@dataclass(eq=False)
class LoopStage:
    """Families whose loops are the same: a turn computes a member of each, one after another.

    If it has a `repeat`, the first of the loops is one over time, and goes around all stages of it.
    """

    counts: tuple[int, ...]
    families: list[Family] = field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        """Whether all rows have the same numbers."""
        return self.families[0].is_shared

    @property
    def repeat(self) -> int | None:
        """The loop over time that it is in."""
        return self.families[0].repeat

    @property
    def is_sum(self) -> bool:
        """Whether everything here is added up over the rows."""
        return self.families[-1].use == SUMMED

    def takes(self, family: Family) -> bool:
        """Return whether a family can be computed in the same turns; then its loops are these."""
        size = sum(len(each.sources) for each in (*self.families, family))
        are_alike = family.is_shared == self.is_shared and not self.is_sum
        are_alike &= family.repeat == self.repeat
        if family.is_list or family.use == SUMMED or not are_alike or size > MOST_OPERANDS:
            return False
        moved = _loop_through(family, self.counts)
        if not moved or not all(map(self._can_read, family.sources, moved)):
            return False
        self.add(family, moved)
        return True

    def makes(self, source: int, at: Access) -> bool:
        """Return whether what a turn reads of a family is what it has just made."""
        return any(source == each.number and at == each.own for each in self.families)

    def _can_read(self, source: int, at: Access) -> bool:
        """Return whether a turn can read a family: just made, made by an earlier turn, or others'.

        Of loops around one another, time alone has earlier turns, as others may be in tiles.
        """
        own = [each for each in self.families if each.number == source]
        if not own or self.makes(source, at):
            return True
        if self.repeat is None or not isinstance(at, Affine):
            return False
        size = own[0].own.strides[0]
        ends = [max(0, k * (n - 1)) for k, n in zip(at.strides, self.counts, strict=True)]
        return at.strides[0] <= size and at.base + sum(ends[1:]) < own[0].first

    def add(self, family: Family, accesses: Sequence[Access]) -> None:
        """Let the turns compute a family, whose accesses, and that to its places, become these."""
        *family.accesses, family.places = accesses
        family.counts = self.counts
        self.families.append(family)


def _loop_through(family: Family, counts: tuple[int, ...]) -> list[Access] | None:
    """Return how other loops get at what a family reads, and at its places.

    It is None if positions in even steps would no longer be so.
    """
    if prod(family.counts) != prod(counts):
        return None
    if family.repeat is not None and family.counts[0] != counts[0]:
        return None
    found: list[Access] = []
    for at in (*family.accesses, family.places):
        moved = at
        if isinstance(at, Affine) and counts != family.counts:
            moved = access(at.read(family.counts), counts)
            if not isinstance(moved, Affine):
                return None
        found.append(moved)
    return found


def find_stages(families: Sequence[Family]) -> list[LoopStage]:
    """Return the stages that compute families, in an order in which they can run.

    A plain family joins the first stage that takes it and does not need a later one. A list begins
    a stage, and so does what is added up over the rows, with all that is computed for it alone.
    """
    stages: list[LoopStage] = []
    home: dict[int, int] = {}
    by_size: dict[int, list[int]] = {}
    alone = _find_alone(families)
    inner = {each for group in alone.values() for each in group}
    for family in families:
        if family in inner:
            continue
        group = [*alone.get(family, ()), family]
        begin = max([home[x] for each in group for x in each.reads if x in home], default=0)
        alike = by_size.setdefault(prod(family.counts), [])
        for i in alike:
            if i >= begin and stages[i].takes(family):
                break
        else:
            i = len(stages)
            stages.append(LoopStage(max([each.counts for each in group], key=len)))
            alike.append(i)
            for each in group:
                stages[i].add(each, _loop_through(each, stages[i].counts) or [])
        home[family.number] = max(i, home.get(family.number, 0))
    return stages


def group_turns(stages: Sequence[LoopStage]) -> list[list[LoopStage]]:
    """Return stages in their order, those of a loop over time together, what is shared first."""

    def kind(stage: LoopStage) -> tuple[bool, object]:
        return not stage.is_shared, stage if stage.repeat is None else stage.repeat

    in_order = sorted(stages, key=lambda stage: not stage.is_shared)
    return [list(group) for _, group in groupby(in_order, key=kind)]


def _find_alone(families: Sequence[Family]) -> dict[Family, list[Family]]:
    """Return for what is added up over the rows the families that are computed for that alone."""
    place = {family: i for i, family in enumerate(families)}
    makers = {family.number: family for family in families}
    readers = Counter(
        source
        for family in families
        for source, _ in set(zip(family.sources, family.accesses, strict=True))
    )
    alone: dict[Family, list[Family]] = {}
    for family in families:
        group, counts = [family], family.counts
        for reader in group if family.use == SUMMED else ():  # which grows on the way
            for source, at in zip(reader.sources, reader.accesses, strict=True):
                each = makers.get(source)
                if not each or each in group or readers[source] > 1 or not _is_plain(each):
                    continue
                deeper = max(counts, each.counts, key=len)
                in_turn = Affine(each.first, one_by_one(reader.counts).strides)
                is_together = at == in_turn and each.repeat == family.repeat
                if is_together and all(_loop_through(x, deeper) for x in (*group, each)):
                    group.append(each)
                    counts = deeper
        if len(group) > 1:
            alone[family] = sorted(group[1:], key=place.__getitem__)
    return alone


def _is_plain(family: Family) -> bool:
    """Return whether a family can be a part of what is added up."""
    return family.use == NO_USE and not family.is_list and not family.is_shared


def find_places(
    stages: Sequence[LoopStage], also: set[int], is_shared: bool, first: int
) -> tuple[dict[int, int], int]:
    """Return where the members of families wait for other stages: each family from a place on.

    Args:
        stages: all stages.
        also: the slots that the caller asks for.
        is_shared: whether to place what all rows share, or what each row has.
        first: the first place that is free.
    """
    read = set[int]()
    for stage in stages:
        for family in stage.families:
            for source, at in zip(family.sources, family.accesses, strict=True):
                if family.is_list or not stage.makes(source, at):
                    read.add(source)
            if not also.isdisjoint(family.slots):
                read.add(family.number)
    alike = [x for stage in stages for x in stage.families if x.is_shared == is_shared]
    places: dict[int, int] = {}
    for number, size in find_sizes(alike).items():
        if number in read:
            places[number] = first
            first += size
    return places, first


def find_sizes(families: Sequence[Family]) -> dict[int, int]:
    """Return how many members each array has, those of all its families."""
    sizes = Counter[int]()
    for family in families:
        sizes[family.number] += len(family.slots)
    return sizes
