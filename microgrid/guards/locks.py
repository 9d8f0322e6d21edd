"""Locks that every process finds free when it is forked."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any

from .interrupts import uninterrupted

__all__ = ["compiling", "loading", "lock_across_forks"]


def lock_across_forks() -> Any:
    """Return a re-entrant lock that is taken while a process forks.

    A child has the thread alone that forked: a lock that another one had would never be released
    there, and what it was about to change would stay half changed.

    >>> lock = lock_across_forks()
    >>> with lock, lock:
    ...     pass
    """
    lock = RLock()

    def take() -> None:
        with uninterrupted():
            lock.acquire()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=take, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


# Modules are loaded one at a time: a part of one cannot always be loaded again.
loading = lock_across_forks()
# One trace at a time changes what others see, and LLVM is asked by one thread at a time. A function
# that is traced may call, or load, another compiled one.
compiling = lock_across_forks()
