"""Ctrl-C is held back where something must be done whole, and delivered after it."""

import functools
import re
import signal
import sys
import threading
from itertools import repeat
from pathlib import Path

import pytest

import microgrid
from microgrid import Value
from microgrid.guards import interrupts
from microgrid.guards.interrupts import (
    call_each,
    comes_from_handler,
    interrupted_once,
    uninterrupted,
)
from tests.interrupts import failing, in_files_of, signalled, traversed


@pytest.fixture
def came():
    """Let SIGINT be noted down, instead of raising; give the list of what came."""
    signals = []
    before = signal.signal(signal.SIGINT, lambda number, frame: signals.append(number))
    yield signals
    signal.signal(signal.SIGINT, before)


def test_what_comes_inside_is_delivered_once_at_the_end_of_the_outermost(came):
    with uninterrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert came == []
        signal.raise_signal(signal.SIGINT)
        assert came == []
    assert came == [signal.SIGINT]


def _interrupted_and_failed():
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("inside")


def test_the_handler_is_as_it_was_whatever_happens_inside():
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        pass
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ValueError, match="inside"), uninterrupted():
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt) as caught:
        _interrupted_and_failed()
    assert isinstance(caught.value.__context__, ValueError)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_that_python_does_not_handle_is_left_alone(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_off_the_main_thread_it_does_nothing(came):
    handler, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT) is handler)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]


def test_no_other_file_touches_signals():
    package = Path(microgrid.__file__).parent
    touching = [
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if re.search(r"^ *(import|from) _?signal\b", file.read_text(encoding="utf-8"), re.M)
    ]
    assert touching == ["guards/interrupts.py"]


def test_calls_in_one_go_are_not_parted_by_a_signal():
    value, seen, count = Value(0.0), [], 1_000_000
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(value.grad))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
        call_each(Value._grad.__set__, repeat(value, count), map(float, range(1, count + 1)))
        after = len(seen)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert after > 0
    assert set(seen) <= {0.0, float(count)}


# ---- the tracers, by which other tests cut their way through the package


HERE = in_files_of(test_calls_in_one_go_are_not_parted_by_a_signal)


def _noted(log):
    log.append(1)
    with lock:
        log.append(2)
        with uninterrupted():
            log.append(3)
            log.append(4)
    for i in (5, 6):
        log.append(i)
    return log


lock = threading.Lock()


@pytest.mark.parametrize("event", ["line", "opcode"])
def test_a_signal_arrives_at_each_point_and_is_handled_where_python_looks_for_it(event):
    ends = []
    for point in range(traversed(lambda: _noted([]), HERE, event)):
        log = []
        run = signalled(lambda log=log: _noted(log), {point}, HERE, event)
        assert isinstance(run.error, KeyboardInterrupt), point
        assert not lock.locked(), point
        ends.append(len(log))
    # As a call begins, Python looks for signals; 3.12 calls the tracer first, which lets it pass.
    begins = set() if sys.version_info[:2] == (3, 12) else {0}
    assert set(ends) == begins | {1, 2, 4, 5, 6}  # all of them, but not between 3 and 4
    if event == "line":
        assert ends == sorted(ends)


def test_two_signals_arrive_one_after_the_other():
    def twice(log):
        try:
            _noted(log)
        finally:
            log.append("first")
            log.append("second")

    ends = []
    for first in range(traversed(lambda: twice([]), HERE) - 1):
        for gap in (1, 2, 3, 4):
            log = []
            run = signalled(lambda log=log: twice(log), {first, first + gap}, HERE)
            assert isinstance(run.error, KeyboardInterrupt)
            ends.append(log)
    assert [1, 2, "first"] in ends  # the second cut the clean-up after the first
    assert [1, 2, 3, 4, "first"] in ends
    assert [1, 2, 3, "first"] not in ends


def test_an_exception_is_raised_at_each_line_that_is_not_held():
    logs = [[] for _ in range(traversed(lambda: _noted([]), HERE))]
    runs = [
        failing(lambda log=log: _noted(log), i, HERE, MemoryError) for i, log in enumerate(logs)
    ]
    cut = [log for run, log in zip(runs, logs, strict=True) if run.error]
    assert {len(log) for log in cut} == {0, 1, 2, 4, 5, 6}
    assert all(isinstance(run.error, MemoryError) or run.result is not None for run in runs)
    assert not lock.locked()


def arrive():
    signal.raise_signal(signal.SIGINT)


def test_after_an_interrupt_others_are_held_back_for_a_second_and_dropped(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(interrupts, "monotonic", lambda: now[0])
    with interrupted_once():
        with pytest.raises(KeyboardInterrupt):
            arrive()
        now[0] += 0.9
        arrive()
        now[0] += 0.2
        with pytest.raises(KeyboardInterrupt):  # who waits can interrupt what hangs
            arrive()
        arrive()


def test_what_begins_to_be_left_is_not_interrupted_for_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(interrupts, "monotonic", lambda: now[0])
    with interrupted_once() as interrupted:
        interrupted.hold()
        arrive()
        now[0] += 1.1
        with pytest.raises(KeyboardInterrupt):
            arrive()


def test_a_handler_that_raises_nothing_is_told_of_every_signal(came):
    handler = signal.getsignal(signal.SIGINT)
    with interrupted_once():
        arrive()
        with uninterrupted():
            arrive()
            assert came == [signal.SIGINT]
        assert came == [signal.SIGINT] * 2
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_is_uninterrupted_inside_is_whole_and_interrupted_once():
    done = []

    def work():
        with uninterrupted():
            arrive()
            done.append("whole")
        done.append("never")

    before = signal.getsignal(signal.SIGINT)
    with interrupted_once():
        with pytest.raises(KeyboardInterrupt):
            work()
        arrive()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is before


# ---- signals other than Ctrl-C, of which a handler may raise something


class TooLong(Exception):
    """What a handler raises of SIGALRM."""


@pytest.fixture
def limited():
    """Let SIGALRM raise `TooLong`."""

    def stop(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.signal(signal.SIGALRM, before)


def _two_come(first, last, done):
    with uninterrupted():
        signal.raise_signal(first)
        signal.raise_signal(last)
        done.append("whole")


def test_any_signal_is_held_back_and_each_is_delivered_in_its_order(limited):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    done = []
    for first, last in [(signal.SIGINT, signal.SIGALRM), (signal.SIGALRM, signal.SIGINT)]:
        with pytest.raises((TooLong, KeyboardInterrupt)) as caught:
            _two_come(first, last, done)
        errors = [type(caught.value), type(caught.value.__context__)]
        kinds = {signal.SIGINT: KeyboardInterrupt, signal.SIGALRM: TooLong}
        assert errors == [kinds[last], kinds[first]]
    assert len(done) == 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == handlers


def test_a_signal_is_not_held_for_good_if_another_ends_the_block_as_it_is_left(limited):
    """Ctrl-C that comes as soon as it is handled again, before SIGALRM is."""
    block, handler = uninterrupted(), signal.getsignal(signal.SIGALRM)

    class Late(dict):
        def items(self):
            yield signal.SIGINT, self[signal.SIGINT]
            arrive()

    block.__enter__()
    block._handlers = Late(block._handlers)
    with pytest.raises(KeyboardInterrupt):
        block.__exit__(None, None, None)
    with pytest.raises(TooLong):
        signal.raise_signal(signal.SIGALRM)
    with uninterrupted():
        pass
    assert signal.getsignal(signal.SIGALRM) is handler


class Called:
    """What is called as a function is."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        self.function(*arguments)


@pytest.mark.parametrize("wrap", [lambda f: f, functools.partial, Called])
def test_what_a_handler_raises_is_told_from_what_it_came_amid(wrap):
    def fail(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, wrap(fail))
    try:
        with pytest.raises(TooLong) as caught:
            signal.raise_signal(signal.SIGALRM)
    finally:
        told = comes_from_handler(caught.value)
        signal.signal(signal.SIGALRM, before)
    assert told
    with pytest.raises(TooLong) as caught:
        raise TooLong
    assert not comes_from_handler(caught.value)


def test_a_limit_of_time_that_strikes_as_others_are_waited_for_gives_sigint_back():
    def limit(number, frame):
        raise TimeoutError

    def work():
        with interrupted_once():
            with pytest.raises(KeyboardInterrupt):
                arrive()
            signal.setitimer(signal.ITIMER_REAL, 0.01)

    before = signal.signal(signal.SIGALRM, limit)
    try:
        with pytest.raises(TimeoutError):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
