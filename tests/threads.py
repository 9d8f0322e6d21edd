"""Calls in another thread, where a lock that somebody still holds shows: it would be waited for."""

import threading

PATIENCE = 60  # seconds until something hangs


def in_a_thread(function):
    """Call a function in another thread; return what it returns, or fail if it hangs or raises."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert results, "the thread hangs, or has failed"
    return results[0]
