"""The collector of cycles looks rarely while something large is built, and then as it did."""

import gc
import sys
import threading

import pytest

import microgrid as mg
from microgrid.guards import garbage
from microgrid.guards.garbage import RARE, collects_rarely, unlink
from tests.guards.test_locks import can_fork, forked
from tests.interrupts import signalled


@pytest.fixture(autouse=True)
def usual():
    """Give the usual thresholds, which must be there again at the end."""
    before = gc.get_threshold()
    gc.set_threshold(600, 5, 5)
    yield (600, 5, 5)
    after = gc.get_threshold()
    gc.set_threshold(*before)
    assert after == (600, 5, 5)


def fail():
    raise ArithmeticError


def test_the_threshold_is_high_inside_and_as_it_was_afterwards(usual):
    assert collects_rarely(gc.get_threshold)() == (RARE, 5, 5)
    assert gc.get_threshold() == usual
    with pytest.raises(ArithmeticError):
        collects_rarely(fail)()


def test_a_block_inside_of_another_does_not_end_it():
    def outer():
        collects_rarely(gc.get_threshold)()
        return gc.get_threshold()

    assert collects_rarely(outer)() == (RARE, 5, 5)


def test_who_has_switched_the_collector_off_is_not_contradicted():
    gc.disable()
    try:
        assert not collects_rarely(gc.isenabled)()
        assert not gc.isenabled()
        gc.enable()
        collects_rarely(gc.disable)()
        assert not gc.isenabled()
    finally:
        gc.enable()
    gc.set_threshold(0)
    never = gc.get_threshold()
    assert collects_rarely(gc.get_threshold)() == never == gc.get_threshold()
    gc.set_threshold(600, 5, 5)


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 traces instructions from the next call on"
)
def test_a_signal_at_any_moment_leaves_it_as_it_was(usual):
    def is_watched(code):
        return code.co_filename in (garbage.__file__, __file__)

    def work():
        return collects_rarely(gc.get_threshold)()

    points = signalled(work, (), is_watched, "opcode").points
    assert points > 20
    for point in range(points):
        signalled(work, (point,), is_watched, "opcode")
        assert gc.get_threshold() == usual


def test_of_two_threads_one_waits_for_the_other(usual):
    begun, seen = threading.Event(), []

    def work():
        with garbage.compiling:  # so that the other one is in the middle of it
            begun.set()
            seen.append(collects_rarely(gc.get_threshold)())

    def first():
        thread = threading.Thread(target=work)
        thread.start()
        assert not begun.wait(0.02)
        seen.append(gc.get_threshold())
        return thread

    collects_rarely(first)().join()
    assert seen == [(RARE, 5, 5)] * 2


@can_fork
def test_a_child_that_another_thread_forks_has_the_usual_threshold(usual):
    answers = []

    def fork():
        answers.append(forked(gc.get_threshold))

    def first():
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join(0.02)
        return thread

    collects_rarely(first)().join()
    assert answers == [usual]


def test_a_trace_is_not_held_up_by_the_collector():
    phases = []

    def function(x):
        gc.callbacks.append(see)
        for _ in range(3000):
            x = x * x
        gc.callbacks.remove(see)
        return mg.tanh(x)

    def see(phase, info):
        phases.append(phase)

    pytest.importorskip("llvmlite", reason="compiling needs the extra `compile`")
    mg.compile(lambda x: [function(x), x][1])(1.0)
    assert phases == []
    function(mg.Value(1.0))
    assert phases != []


class Link:
    """Counts those that are there, and how deep in one another they are freed."""

    alive = depth = deepest = 0

    def __init__(self, *parents):
        self.parents = parents
        Link.alive += 1

    def __del__(self):
        Link.alive -= 1
        Link.depth += 1
        Link.deepest = max(Link.deepest, Link.depth)
        unlink(self)
        Link.depth -= 1


def test_what_unlinks_is_freed_at_once_and_without_recursion():
    Link.deepest = 0
    link = first = Link()
    for _ in range(2_000):
        link = Link(link, first)
    del link
    assert (Link.alive, Link.deepest) == (1, 2)
    del first
    assert Link.alive == 0


def test_what_unlinks_keeps_what_others_need():
    shared = Link(Link())
    other = Link(shared)
    del shared
    assert (Link.alive, len(other.parents), len(other.parents[0].parents)) == (3, 1, 1)
    del other
    assert Link.alive == 0


def test_what_was_never_made_whole_is_freed_in_silence():
    link = object.__new__(Link)
    Link.alive += 1
    del link  # any exception in a `__del__` is a warning, and so an error here
    assert Link.alive == 0
