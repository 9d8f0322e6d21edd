"""Calls in other threads, where a lock that somebody still holds shows: it would be waited for."""

import sys
import threading
from contextlib import contextmanager

PATIENCE = 60  # seconds until something hangs


def in_a_thread(function):
    """Call a function in another thread; return what it returns, or fail if it hangs or raises."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert results, "the thread hangs, or has failed"
    return results[0]


@contextmanager
def short_turns(seconds=1e-6):
    """Let threads take turns as often as Python can: what can go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def all_at_once(function, count):
    """Call a function in so many threads that take short turns; fail if one of them hangs."""
    threads = [threading.Thread(target=function, daemon=True) for _ in range(count)]
    with short_turns():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread hangs"
