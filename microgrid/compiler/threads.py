"""Threads that share the rows of a call.

They wait for work from the first call that needs them to the end of the process. A forked child has
none of them and starts its own.
"""

from __future__ import annotations

import atexit
import os
from _thread import LockType
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from time import perf_counter

from ..guards.interrupts import uninterrupted
from ..guards.locks import lock_across_forks

__all__ = ["Team", "processors", "share"]

WORTH = 1.2e-4  # seconds of work for which another thread is woken: that takes some 5e-5
SPAN = 5e-4  # seconds of work after which a thread asks for more: that takes some 2e-5


class Team:
    """Threads for the calls of one kernel: as many as pay off, judging by earlier calls.

    Args:
        most: how many at most; None for as many as there are processors.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._seconds = 0.0  # that a row took lately; 0 before the first call

    def divides(self, rows: int) -> bool:
        """Return whether rows are work for more than one thread; unknown before the first call."""
        return not self._seconds or rows * self._seconds >= 2 * WORTH

    def run(self, compute: Callable[[int, int], None], rows: int, chunk: int) -> None:
        """Compute the rows between two of them: spans of whole chunks, in any order."""
        times: list[float] = []  # that a row took

        def measure(begin: int, end: int) -> None:
            start = perf_counter()
            compute(begin, end)
            times.append(max(perf_counter() - start, 1e-9) / (end - begin))

        done = 0
        if not self._seconds:
            done = min(chunk, rows)
            measure(0, done)
            self._seconds = times[0]
        chunks = -(-(rows - done) // chunk)
        seconds = (rows - done) * self._seconds
        threads = min(processors(), self._most or chunks, chunks, int(seconds / WORTH))
        if threads > 1:
            # each has as many spans to compute
            count = max(min(int(seconds / SPAN), chunks) // threads, 1) * threads
            ends = [done + chunk * (chunks * i // count) for i in range(count)] + [rows]
            share(lambda i: measure(ends[i], ends[i + 1]), count, threads)
        elif chunks:
            measure(done, rows)
        self._seconds = min(times)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(work: Callable[[int], None], count: int, threads: int) -> None:
    """Call work(0), work(1) and so on, `count` times, on this thread and on others.

    All calls are over when this returns or raises. After an error of one, of this thread or of
    another, no other call begins; the first error is raised.

    >>> done = []
    >>> share(done.append, 5, threads=2)
    >>> sorted(done)
    [0, 1, 2, 3, 4]
    """
    job = _Job(work, count)
    try:
        if threads > 1:
            _employ(threads - 1)
            for _ in range(threads - 1):
                _jobs.put(job)
        job.take_part()
        job.finish()
    except BaseException:  # Ctrl-C too
        with uninterrupted():
            job.stop()
            job.finish()
        raise
    if job.errors:
        raise job.errors[0]


class _Job:
    """Calls that threads share: each makes those that no other has begun."""

    def __init__(self, work: Callable[[int], None], count: int) -> None:
        self._work: Callable[[int], None] | None = work
        self._left = iter(range(count))  # no two threads get the same step of it
        self._helping: list[LockType] = []  # each held until its thread is done
        self.errors: list[BaseException] = []

    def take_part(self) -> None:
        """Make calls, until all are made or begun by others."""
        if work := self._work:
            for i in self._left:
                work(i)

    def help(self) -> None:
        """Take part on another thread, if anything is left to do."""
        busy = Lock()  # which is quicker than an event
        busy.acquire()
        self._helping.append(busy)  # before it begins a call: see `finish`
        try:
            self.take_part()
        except BaseException as error:
            self.errors.append(error)
            self.stop()
        finally:
            busy.release()

    def stop(self) -> None:
        """See to it that no other call begins."""
        deque(self._left, maxlen=0)

    def finish(self) -> None:
        """Wait for those who help, once no other call can begin."""
        for busy in tuple(self._helping):
            with busy:
                pass
        self._work = None  # a thread that is busy still has this job before it: no arrays, though


_jobs: SimpleQueue[_Job | None] = SimpleQueue()
_workers: list[Thread] = []
_hiring = lock_across_forks()


def _employ(count: int) -> None:
    """Have at least this number of threads; fewer if the system has no more."""
    if len(_workers) < count:
        with _hiring, uninterrupted():
            while len(_workers) < count:
                worker = Thread(target=_serve, args=(_jobs,), name="microgrid", daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # those that are there do all, with the same bits
                    return
                _workers.append(worker)


def _serve(jobs: SimpleQueue[_Job | None]) -> None:
    """Help with one job after another, until there is None."""
    while _help_with_next(jobs):
        pass


def _help_with_next(jobs: SimpleQueue[_Job | None]) -> bool:
    """Help with the next job; return whether there was one. It is kept no longer than that."""
    job = jobs.get()
    if job is not None:
        job.help()
    return job is not None


@atexit.register
def _dismiss() -> None:
    """End all threads."""
    workers = tuple(_workers)
    _workers.clear()
    for _ in workers:
        _jobs.put(None)
    for worker in workers:
        worker.join()


def _forget() -> None:
    """Know nothing of the threads of the process that this one was forked from."""
    global _jobs
    _jobs = SimpleQueue()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
