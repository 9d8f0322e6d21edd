"""Gradients from many threads, and in forked children: every addition counts."""

import os
import threading
import time
from fractions import Fraction

import pytest

from microgrid import Value, no_grad, optim, zero_grad
from microgrid.core.graph import advance_clock
from tests.search import usual
from tests.threads import short_turns

ROUNDS = usual(500).max_examples


@pytest.fixture
def restless():
    """Let threads take turns as often as Python can."""
    with short_turns():
        yield


def at_once(count, work):
    """Call `work(i)` in so many threads, which begin together; raise what one of them raises."""
    start, errors = threading.Barrier(count), []

    def run(i):
        try:
            start.wait()
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("threads", [2, 4, 8])
@pytest.mark.parametrize("kind", [float, Fraction])
def test_what_threads_add_to_shared_leaves_is_all_there(threads, kind, restless):
    leaves = [Value(kind(i)) for i in range(5)]
    shared = leaves[0] * leaves[1]  # and a part of the graph

    def work(i):
        root = shared * (i + 1) + sum(leaf * (i + j) for j, leaf in enumerate(leaves))
        for _ in range(ROUNDS):
            root.backward()

    at_once(threads, work)
    for j, leaf in enumerate(leaves):  # whole numbers, whose sums are exact
        each = sum(i + j for i in range(threads))
        other = {0: 1, 1: 0}.get(j)  # the other factor of what is shared
        if other is not None:
            each += other * sum(i + 1 for i in range(threads))
        assert leaf.grad == ROUNDS * each


def test_threads_that_differentiate_one_graph_leave_it_whole(restless):
    x = Value(3.0)
    y = x * x
    z = y * y
    seeds = [1.0, 2.0, 4.0, 8.0]

    def work(i):
        for _ in range(ROUNDS):
            z.backward(seeds[i])

    at_once(4, work)
    assert x.grad == ROUNDS * 108 * sum(seeds)
    assert (z.grad, y.grad) in [(seed, 6 * 3 * seed) for seed in seeds]  # of one pass, both


def test_gradients_that_are_set_to_0_meanwhile_are_all_or_none(restless):
    leaves = [Value(1.0) for _ in range(50)]
    root = sum(leaves)

    def work(i):
        for _ in range(ROUNDS):
            if i == 0:
                root.backward()
            elif i == 1:
                zero_grad(leaves)
            else:
                optim.clip_grad_value_(leaves, 2.0)

    at_once(3, work)
    assert len({leaf.grad for leaf in leaves}) == 1


def test_threads_that_train_models_of_their_own_do_not_meet(restless):
    def train(i):
        w = Value(0.0)
        optimizer = optim.SGD([w], lr=0.25)
        for _ in range(ROUNDS):
            loss = (w - i) ** 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with no_grad():
                assert not ((w - i) ** 2).parents
        assert abs(w.data - i) < 1e-9

    at_once(6, train)


def test_the_clock_never_goes_back(restless):
    seen = [[] for _ in range(4)]

    def work(i):
        for _ in range(20 * ROUNDS):
            seen[i].append(advance_clock())

    at_once(4, work)
    assert len(set().union(*seen)) == sum(map(len, seen))
    assert all(each == sorted(each) for each in seen)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_differentiates_whatever_the_other_threads_were_at(restless):
    x, stop = Value(3.0), threading.Event()

    def work():
        own = Value(2.0)
        y = x * own
        while not stop.is_set():
            with no_grad():
                x * x
            y.backward()
            zero_grad([x, own])
            own.data = 2.0
            y.refresh()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        ends = [_child(x) for _ in range(max(10, ROUNDS // 10))]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(ends) == {0}


def _child(x):
    """Fork, and return 0 if the child could differentiate and its threads begin in no mode."""
    child = os.fork()
    if child == 0:
        plain = []

        def look():
            plain.append(bool((x * x).parents))

        try:
            x.grad = 0.0
            y = x * x
            y.backward()
            for _ in range(3):
                thread = threading.Thread(target=look)
                thread.start()
                thread.join()
            os._exit(0 if x.grad == 6.0 and plain == [True] * 3 else 1)
        finally:
            os._exit(2)
    for _ in range(1000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "it hangs"
