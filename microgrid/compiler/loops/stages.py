"""Stages: families that one nest of loops computes, and where the numbers wait that others need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from .families import SUMMED, Family
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
        return self.families[0].use == SUMMED

    def takes(self, family: Family) -> bool:
        """Return whether a family can be computed in the same turns; then its loops are these."""
        size = sum(len(each.sources) for each in (*self.families, family))
        are_alike = family.is_shared == self.is_shared and prod(family.counts) == prod(self.counts)
        if family.is_list or family.use == SUMMED or self.is_sum or not are_alike:
            return False
        own = {each.number for each in self.families}
        moved = []
        for at in (*family.accesses, family.places):
            if (here := _loop_through(at, family.counts, self.counts)) is None:
                return False
            moved.append(here)
        in_turn = one_by_one(self.counts)
        are_made = all(
            at == in_turn for x, at in zip(family.sources, moved, strict=False) if x in own
        )
        if size > MOST_OPERANDS or not are_made:
            return False
        family.counts, family.accesses, family.places = self.counts, tuple(moved[:-1]), moved[-1]
        self.families.append(family)
        return True


def _loop_through(at: Access, counts: tuple[int, ...], others: tuple[int, ...]) -> Access | None:
    """Return how other loops get at the same positions; None where even steps would become odd."""
    if counts == others or not isinstance(at, Affine):
        return at
    moved = access(read_run(counts, at), others)
    return moved if isinstance(moved, Affine) else None


def find_stages(families: Sequence[Family]) -> list[Stage]:
    """Return the stages that compute families, in an order in which they can run.

    A plain family joins the first stage that takes it and does not need a later one; a list begins
    a stage, and so does what is added up over the rows.
    """
    stages: list[Stage] = []
    home: dict[int, int] = {}
    by_size: dict[int, list[int]] = {}
    for family in families:
        begin = max([home[x] for x in family.reads if x in home], default=0)
        alike = by_size.setdefault(prod(family.counts), [])
        for i in alike:
            if i >= begin and stages[i].takes(family):
                break
        else:
            i = len(stages)
            stages.append(Stage(family.counts, [family]))
            alike.append(i)
        home[family.number] = i
    return stages


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
