"""The law of stages: whatever a turn of a loop reads has been computed before."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.compiler.loops.rolling import families_of
from microgrid.compiler.loops.runs import Affine
from microgrid.compiler.loops.stages import find_stages, group_turns
from microgrid.compiler.program import Goal
from tests.compiler.sequences import ring, row, sequence, sequences
from tests.compiler.structured import OUTPUTS, structured
from tests.search import usual


def reads_of(family):
    """Return what each turn of a family reads: arrays, and positions in them."""
    lists = [
        Affine(0, tuple([step[k] for step in run.strides])).read(run.counts)
        for run in family.runs
        for k in range(len(run.label))
    ]
    lists += [np.zeros(1, int)] * (len(family.sources) - len(lists))  # what they start from
    turns = [set() for _ in family.slots]
    for source, within, at in zip(family.sources, lists, family.accesses, strict=True):
        begins = at.read(family.counts)
        for turn, begin in zip(turns, begins, strict=True):
            turn.update((source, begin + k) for k in within.tolist())
    return turns


def assert_computed_before_read(stages):
    """Follow stages turn by turn. Of one stage, a turn may read what it has computed itself."""
    computed = {family.number for stage in stages for family in stage.families}
    known = set()
    for group in group_turns(stages):
        times = 1 if group[0].repeat is None else group[0].counts[0]
        looks = [[(x, reads_of(x), x.positions) for x in stage.families] for stage in group]
        for time in range(times):
            for stage, families in zip(group, looks, strict=True):
                new, size = set(), prod(stage.counts) // times
                for turn in range(time * size, (time + 1) * size):
                    own = set()
                    for family, reads, places in families:
                        needed = {one for one in reads[turn] if one[0] in computed}
                        assert needed <= known | own
                        own.add((family.number, places[turn]))
                    new |= own
                known |= new


def check(drawn, is_sum):
    program = drawn.program()
    outputs = range(len(program.outputs))
    asked = ((), outputs) if is_sum else (outputs, ())
    found = families_of(Goal(program, range(drawn.weights), *asked), anyway=True)
    assert_computed_before_read(find_stages(found.families) if found else [])


@usual(30)
@given(st.one_of(structured(8, 2), sequences()), st.booleans())
def test_whatever_a_turn_reads_has_been_computed_before(drawn, is_sum):
    check(drawn, is_sum)


@pytest.mark.parametrize("is_sum", [False, True])
@pytest.mark.parametrize("cell", [ring, row])
def test_an_array_of_several_families_is_there_when_the_last_of_them_is(cell, is_sum):
    drawn = sequence(cell, 2, 5)
    check(drawn._replace(function=OUTPUTS["gradients"](drawn.function)), is_sum)
