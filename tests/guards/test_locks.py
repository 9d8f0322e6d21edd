"""A forked child finds every lock free, SIGINT as it was, and compiles."""

import multiprocessing
import os
import signal
import threading
import time
import warnings

import pytest

import microgrid as mg
from microgrid.guards.interrupts import uninterrupted
from microgrid.guards.locks import lock_across_forks
from tests.threads import PATIENCE, in_a_thread, short_turns

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
pytestmark = can_fork


def forked(function, *arguments):
    """Return what a function returns in a forked child; fail if it hangs there."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=lambda: answers.put(function(*arguments)))
        child.start()
    child.join(PATIENCE)
    if child.is_alive():
        child.kill()
        pytest.fail("the child hangs")
    assert child.exitcode == 0
    return answers.get()


def is_free(lock):
    return in_a_thread(lambda: lock.acquire(blocking=False) and not lock.release())


def test_a_lock_is_free_in_a_child_and_in_the_parent_whoever_had_it():
    lock, begun, done = lock_across_forks(), threading.Event(), []

    def work():
        with lock:
            begun.set()
            time.sleep(0.05)
            done.append("whole")

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    assert forked(lambda: (is_free(lock), done)) == (True, ["whole"])
    thread.join()
    assert is_free(lock)


def test_who_holds_a_lock_may_fork():
    lock = lock_across_forks()
    with lock:
        assert (
            forked(lambda: is_free(lock)) is False
        )  # the child's thread holds it, as the parent's
        assert not is_free(lock)
    assert is_free(lock)


def test_a_child_of_a_thread_is_interrupted_though_the_main_thread_holds_it_back():
    def interrupted():
        try:
            signal.raise_signal(signal.SIGINT)
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            return True
        return False

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with uninterrupted():
            assert in_a_thread(lambda: forked(interrupted))
            assert not forked(lambda: signal.getsignal(signal.SIGINT) is before)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("children", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_children_compile_while_another_thread_compiles(children):
    pytest.importorskip("llvmlite", reason="compiling needs the extra `compile`")
    stop, compiled = threading.Event(), []

    def work():
        while not stop.is_set():
            k = float(len(compiled))
            compiled.append(mg.compile(lambda x, k=k: x * k + 1.0)(2.0) == 2 * k + 1)

    thread = threading.Thread(target=work)
    with short_turns():
        thread.start()
        try:
            for k in range(children):
                time.sleep(0.002 * k)
                assert forked(lambda k=k: mg.compile(lambda x: x * 3.0 + k)(2.0)) == 6.0 + k
        finally:
            stop.set()
    thread.join()
    assert all(compiled)
    print(f"{children} children compiled, while a thread compiled {len(compiled)} functions")
