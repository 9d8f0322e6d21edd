"""Locks that every forked process finds free.

A forked child has only the thread that forked. If another thread held a lock at that moment, the
child would wait for it for ever. So these locks are taken before a fork, whoever has them, and
released on both sides after it.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any

from .interrupts import uninterrupted

__all__ = ["compiling", "is_held", "loading", "lock_across_forks"]


def lock_across_forks() -> AbstractContextManager[bool]:
    """Return a re-entrant lock that is taken while a process forks.

    What it protects is thus never half changed in the child, either.

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


def is_held(lock: Any) -> bool:
    """Return whether this thread holds a re-entrant lock.

    >>> lock = lock_across_forks()
    >>> with lock:
    ...     is_held(lock)
    True
    """
    held: bool = lock._is_owned()  # by which `threading.Condition` asks too
    return held


# Modules are loaded one at a time: one that is left half loaded cannot always be loaded again.
loading = lock_across_forks()
# One trace at a time may change what others see, and LLVM serves one thread at a time. The function
# that is traced may call, or load, another compiled one, so the lock is re-entrant.
compiling = lock_across_forks()
