"""How much memory a process has, and whether calls leave it more."""

import gc
from pathlib import Path

ROUNDS = 4


def resident_bytes():
    """Return how many bytes of memory the process has, once what is garbage is gone."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def kept_by(calls, most):
    """Return how many bytes calls keep, asked again while it is more than so many.

    What leaks does so in every round; an arena that Python or the C library begins is there once.
    """
    for _ in range(ROUNDS):
        before = resident_bytes()
        calls()
        kept = resident_bytes() - before
        if kept < most:
            break
    return kept
