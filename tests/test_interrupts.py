"""Ctrl-C is held back where something must be done whole, and delivered after it."""

import re
import signal
import threading
from itertools import repeat
from pathlib import Path

import pytest

import microgrid
from microgrid import Value
from microgrid.interrupts import call_each, uninterrupted


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
    assert touching == ["interrupts.py"]


def test_calls_in_one_go_are_not_parted_by_a_signal():
    value, seen, count = Value(0.0), [], 1_000_000
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(value.grad))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
        call_each(Value.grad.__set__, repeat(value, count), map(float, range(1, count + 1)))
        after = len(seen)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert after > 0
    assert set(seen) <= {0.0, float(count)}
