"""Turns of families: what goes through a sequence with many units is loops inside of a loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.compiler.ir.loops import LoopText, text_of
from microgrid.compiler.ir.machine import this_machine
from microgrid.compiler.loops.rolling import families_of
from microgrid.compiler.program import Goal
from tests.compiler.kernels import in_families, in_turns, straight
from tests.compiler.sequences import CELLS, elman, gradients, integrators, lstm, sequence, sequences
from tests.compiler.structured import Structured, numbers_for
from tests.search import usual

from .test_structured import assert_is_python_s, kernels_of, results_of


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_each_kind_of_sequence_has_the_bits_of_its_straight_line_form(cell):
    drawn = gradients(CELLS[cell], 3, 6)
    weights, columns = numbers_for(drawn, 5)
    given = drawn.program(), range(drawn.weights)
    results_of([straight(*given), in_families(*given)], weights, columns)


def test_turns_that_all_read_what_the_first_one_computes_read_it_after_that():
    drawn = sequence(elman, 6, 5)  # of shared numbers, whose turns are units, off by one step
    weights, columns = numbers_for(drawn, 1)
    given = drawn.program(), range(drawn.weights + drawn.inputs)
    numbers = [*weights, *[column[0] for column in columns]]
    results_of([straight(*given), in_turns(*given)], numbers, [])


def test_turns_that_are_alike_from_amid_an_array_on_are_a_loop_from_the_next_one_on():
    def function(w, xs):
        h = w[12:]
        for turn, x in enumerate(xs):
            first = (0, 2, 4) if turn == 2 else (0, 1, 2)  # the others are families of their own
            pushes = [mg.sin(w[i] * x) for i in (*first, 8, 9, 10)]
            h = [mg.tanh(p + push) for p, push in zip(h, pushes, strict=True)]
        return h

    drawn = Structured("an odd part of a turn", function, 18, 12)
    weights, columns = numbers_for(drawn, 9)
    given = drawn.program(), range(drawn.weights)
    results_of([straight(*given), in_families(*given)], weights, columns)


@usual(10)
@given(sequences(), st.booleans())
def test_what_goes_through_a_sequence_has_the_bits_of_its_straight_line_form(drawn, is_shared):
    weights, columns = numbers_for(drawn, 9)
    shared = range(drawn.weights if is_shared else len(columns) + drawn.weights)
    numbers = weights if is_shared else [*weights, *[column[0] for column in columns]]
    kernels = kernels_of(drawn.program(), shared)
    found = results_of(kernels, numbers, columns if is_shared else [])
    if is_shared:
        assert_is_python_s(drawn, found, weights, columns, [0, 8])


def families(drawn):
    """Return the families that a kernel of a drawn function has, even if these are small."""
    goal = Goal(drawn.program(), range(drawn.weights), totals=range(1 + drawn.weights))
    return families_of(goal, anyway=True).families


@pytest.mark.parametrize("returned", ["last", "each turn"])
@pytest.mark.parametrize("cell", [elman, lstm, integrators])
def test_as_many_families_go_through_a_sequence_whatever_its_turns_and_its_units(cell, returned):
    sizes = [(5, 10), (5, 14), (8, 10)]
    counts = {len(families(gradients(cell, *size, returned=returned))) for size in sizes}
    assert len(counts) == 1


@pytest.mark.parametrize("planted", [{}, {"odd_turn": 15}, {"odd_unit": 3}], ids=str)
def test_turns_are_loops_around_what_is_between_irregularities(planted):
    found = families(gradients(elman, 6, 30, **planted))
    loops = {family.repeat for family in found} - {None}
    assert len(loops) == (4 if "odd_turn" in planted else 2)  # there and back
    assert all(family.counts[0] >= 10 for family in found if family.repeat is not None)


@pytest.mark.parametrize(("units", "is_wide"), [(16, True), (4, False)])
def test_a_wide_network_goes_through_a_sequence_in_families_and_a_narrow_one_does_not(
    units, is_wide
):
    drawn = gradients(elman, units, 15)
    goal = Goal(drawn.program(), range(drawn.weights), totals=range(1 + drawn.weights))
    assert isinstance(text_of(goal, this_machine()), LoopText) == is_wide


@pytest.mark.parametrize(("turns", "are_joined"), [(5, False), (6, True)])
def test_wide_turns_that_become_no_loop_over_time_are_families_only_if_these_are_asked_for(
    turns, are_joined
):
    units = 16

    def function(w, h):
        for _ in range(turns):
            h = [mg.tanh(mg.dot(w[i : i + units], h)) for i in range(0, units**2, units)]
        return h

    program = Structured("the same layer again and again", function, units**2, units).program()
    goal = Goal(program, range(units**2), written=range(units))
    asked = families_of(goal, anyway=True).families
    assert any(family.repeat is not None for family in asked) == are_joined
    for narrow in (False, True):
        assert (families_of(goal, narrow=narrow) is not None) == are_joined
