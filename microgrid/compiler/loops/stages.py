"""Stages: families that one nest of loops computes, and where the numbers wait that others need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from .families import NO_USE, SUMMED, Family
from .runs import Access, Affine, access, one_by_one, read_run

__all__ = ["Stage", "find_places", "find_stages"]

MOST_OPERANDS = 500  # of the families of a stage: a compiler's time grows faster than a loop's body


@dataclass(eq=False)
class Stage:
    """Families whose loops are the same: a turn computes a member of each, one after another."""

    counts: tuple[int, ...]
    families: list[Family] = field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        """Return whether all rows have the same numbers."""
        return self.families[0].is_shared

    @property
    def is_sum(self) -> bool:
        """Return whether everything here is added up over the rows."""
        return self.families[-1].use == SUMMED

    def takes(self, family: Family) -> bool:
        """Return whether a family can be computed in the same turns; then its loops are these."""
        size = sum(len(each.sources) for each in (*self.families, family))
        are_alike = family.is_shared == self.is_shared and not self.is_sum
        if family.is_list or family.use == SUMMED or not are_alike or size > MOST_OPERANDS:
            return False
        moved = _loop_through(family, self.counts)
        in_turn, own = one_by_one(self.counts), {each.number for each in self.families}
        if not moved or any(
            at != in_turn for x, at in zip(family.sources, moved, strict=False) if x in own
        ):
            return False
        self.add(family, moved)
        return True

    def add(self, family: Family, accesses: Sequence[Access]) -> None:
        """Let the turns compute a family, whose accesses, and that to its places, become these."""
        *family.accesses, family.places = accesses
        family.counts = self.counts
        self.families.append(family)


def _loop_through(family: Family, counts: tuple[int, ...]) -> list[Access] | None:
    """Return how other loops get at what a family reads, and at its places.

    That is None where what was even would become odd.
    """
    if prod(family.counts) != prod(counts):
        return None
    found: list[Access] = []
    for at in (*family.accesses, family.places):
        moved = at
        if isinstance(at, Affine) and counts != family.counts:
            moved = access(read_run(family.counts, at), counts)
            if not isinstance(moved, Affine):
                return None
        found.append(moved)
    return found


def find_stages(families: Sequence[Family]) -> list[Stage]:
    """Return the stages that compute families, in an order in which they can run.

    A plain family joins the first stage that takes it and does not need a later one. A list begins
    a stage, and so does what is added up over the rows, with all that is computed for it alone.
    """
    stages: list[Stage] = []
    home: dict[int, int] = {}
    by_size: dict[int, list[int]] = {}
    alone = _find_alone(families)
    inner = {each.number for group in alone.values() for each in group}
    for family in families:
        if family.number in inner:
            continue
        group = [*alone.get(family.number, ()), family]
        begin = max([home[x] for each in group for x in each.reads if x in home], default=0)
        alike = by_size.setdefault(prod(family.counts), [])
        for i in alike:
            if i >= begin and stages[i].takes(family):
                break
        else:
            i = len(stages)
            stages.append(Stage(max([each.counts for each in group], key=len)))
            alike.append(i)
            for each in group:
                stages[i].add(each, _loop_through(each, stages[i].counts) or [])
        home[family.number] = i
    return stages


def _find_alone(families: Sequence[Family]) -> dict[int, list[Family]]:
    """Return for what is added up over the rows the families that are computed for that alone."""
    by_number = {family.number: family for family in families}
    readers = Counter([source for family in families for source in family.reads])
    alone: dict[int, list[Family]] = {}
    for family in families:
        group, counts = [family], family.counts
        for reader in group if family.use == SUMMED else ():  # which grows on the way
            for source, at in zip(reader.sources, reader.accesses, strict=False):
                each = by_number.get(source)
                if not each or each in group or readers[source] > 1 or not _is_plain(each):
                    continue
                deeper = max(counts, each.counts, key=len)
                in_turn = one_by_one(reader.counts)
                if at == in_turn and all(_loop_through(x, deeper) for x in (*group, each)):
                    group.append(each)
                    counts = deeper
        if len(group) > 1:
            alone[family.number] = sorted(group[1:], key=lambda each: each.number)
    return alone


def _is_plain(family: Family) -> bool:
    """Return whether a family can be a part of what is added up."""
    return family.use == NO_USE and not family.is_list and not family.is_shared


def find_places(
    stages: Sequence[Stage], also: set[int], is_shared: bool, first: int
) -> tuple[dict[int, int], int]:
    """Return where the members of families wait for other stages: each family from a place on.

    Args:
        stages: all stages.
        also: the slots that the caller asks for.
        is_shared: whether to place what all rows share, or what each row has.
        first: the first place that is free.
    """
    home = {family.number: stage for stage in stages for family in stage.families}
    read = {
        source
        for stage in stages
        for family in stage.families
        for source in family.reads
        if home.get(source, stage) is not stage
    }
    places: dict[int, int] = {}
    for stage in stages:
        for family in stage.families:
            is_asked = not also.isdisjoint(family.slots)
            if stage.is_shared == is_shared and (family.number in read or is_asked):
                places[family.number] = first
                first += len(family.slots)
    return places, first
