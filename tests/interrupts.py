"""Ctrl-C, or an exception, wherever it can come: what is called is cut one point later each time.

A point is a line, or an instruction, that is run in watched code. There are two ways to cut:
`signalled` lets a signal arrive, which Python hands on where it looks for one, as in earnest;
`failing` raises an exception at once, as if that line had failed.
"""

import ctypes
import dis
import functools
import gc
import signal
import sys
import threading
import time
from _signal import getsignal  # it is asked at every line: that of `signal` takes ten times as long
from contextlib import contextmanager
from dataclasses import dataclass, field

from microgrid.guards import garbage, interrupts
from microgrid.guards.interrupts import uninterrupted
from tests.search import LONG, THOROUGH
from tests.threads import short_turns


@dataclass
class Run:
    """What became of a call: its result, the exception that ended it, and how many points it met.

    It has both if the signal came too late to cut it. Of each point it has the file and the line.
    """

    result: object = None
    error: BaseException | None = None
    points: int = 0
    lines: list[tuple[str, int]] = field(default_factory=list)


def in_files_of(*parts):
    """Return a function that tells whether code is of the files of modules, classes, functions."""
    modules = [sys.modules.get(getattr(part, "__module__", None), part) for part in parts]
    files = {module.__file__ for module in modules}
    return lambda code: code.co_filename in files


def traversed(function, is_watched, event="line"):
    """Call a function; return how many lines, or instructions (`"opcode"`), of watched code ran."""
    return signalled(function, (), is_watched, event).points


def spread(points, count=10):
    """Return about so many of many points in the default run, thirty times as many in the CI.

    They are spread evenly, and not by a step that a loop of so many lines would share. The thorough
    profile has all of them.
    """
    if LONG:
        count = points if THOROUGH else 30 * count
    if points <= count:
        return range(points)
    return sorted({int(i * points / (count + 0.618)) for i in range(count)} | {points - 1})


def one_of_each_line(run, count):
    """Return of each line that ran the first point, in the default run of so many lines at most."""
    firsts = sorted({line: point for point, line in reversed(list(enumerate(run.lines)))}.values())
    if LONG:
        return firsts
    return [firsts[i] for i in spread(len(firsts), count)]


def interrupted(function, line, is_watched):
    """Call a function with Ctrl-C at the n-th line that it runs in watched code, if there is one.

    `is_watched` tells of a code object whether its lines count.
    """
    run = failing(function, line, is_watched)
    if run.error is not None:
        raise run.error
    return run.result


def failing(function, point, is_watched, error=KeyboardInterrupt):
    """Call a function, with an exception raised at the n-th line of watched code, if there is one.

    Lines that are run while SIGINT is held back do not count, nor those that hold it back, nor the
    end of a `with` statement, which is no call: nothing can be raised there.
    """
    run = Run()

    def trace(frame, event, _):
        if not is_watched(frame.f_code):
            return None
        if event != "line" or frame.f_lasti in ends_of_with(frame.f_code):
            return trace
        if frame.f_code.co_filename != interrupts.__file__ and not _is_held():
            run.points += 1
            run.lines.append((frame.f_code.co_filename, frame.f_lineno))
            if run.points - 1 == point:
                sys.settrace(None)
                raise error
        return trace

    with _tracing(trace):
        return _run(function, run)


def signalled(function, points, is_watched, event="line"):
    """Call a function, and let SIGINT arrive at these points that it meets in watched code.

    The handler is Python's own, which raises `KeyboardInterrupt`.
    """
    run, early, due = Run(), [], []

    def trace(frame, kind, _):
        if not is_watched(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        if kind == event:
            run.points += 1
            run.lines.append((frame.f_code.co_filename, frame.f_lineno))
            if run.points - 1 in points:
                early.append(frame)
                due.append(True)  # and not the frame, which would keep what it holds
        if early:
            early.clear()
            return _arrive  # from this instruction on, until it is handled
        return trace

    def handle(number, frame):
        if frame.f_code is trace.__code__:
            early.append(frame)  # Python looks for signals there, and might not in what is traced
            return
        back = frame
        while back is not None:
            if back.f_trace is _arrive:
                back.f_trace = trace
            back = back.f_back
        if not due:
            return  # Python 3.12 traces one more instruction like this than it was told
        due.pop()
        if frame.f_code is _run.__code__:
            run.error = KeyboardInterrupt()  # too late to cut anything
        else:
            signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, handle)
    try:
        with _tracing(trace):
            return _run(function, run)
    finally:
        signal.signal(signal.SIGINT, before)


def struck(function, delays):
    """Call a function, and let another thread send SIGINT after each of these delays in seconds.

    What comes when the call is over is let go.
    """
    run, calls, own = Run(), [], sys._getframe()

    def handle(number, frame):
        if calls and frame is not own:
            signal.default_int_handler(number, frame)

    def strike():
        for delay in delays:
            time.sleep(delay)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=strike)
    before = signal.signal(signal.SIGINT, handle)
    try:
        thread.start()
        with short_turns(1e-5), _without_callbacks():
            calls.append(function)
            try:
                run.result = function()
            except KeyboardInterrupt as error:
                run.error = error
            calls.clear()
            thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    return run


# A trace function that is C all the way: of one in Python the handler would be called there. What
# it is called with is left in the registers.
_arrive = ctypes.PYFUNCTYPE(None, ctypes.py_object, ctypes.py_object, ctypes.py_object)(
    ("PyErr_SetInterrupt", ctypes.pythonapi)
)


def _run(function, run):
    try:
        try:
            run.result = function()
        finally:
            sys.settrace(None)  # a signal that came at the very end is handled here
    except BaseException as error:
        run.error = error
    return run


@contextmanager
def _tracing(trace):
    outer = sys.gettrace()
    with _without_callbacks():
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(outer)


@contextmanager
def _without_callbacks():
    """Let the collector of cycles call nobody: in Hypothesis's function a signal would be lost."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    try:
        yield
    finally:
        gc.callbacks[:] = callbacks


def _is_held():
    block = getattr(getsignal(signal.SIGINT), "__self__", None)
    return isinstance(block, uninterrupted) and block.is_open


@functools.cache
def ends_of_with(code):
    """Return where a `with` statement hands three times None to `__exit__`, and gets ready to.

    Where nothing is done, as where a `try` begins, is no point either. Nor is any line of
    `collects_rarely`, whose `finally` is one call of C: Python looks for no signal before it.
    """
    found = list(dis.get_instructions(code))
    if code.co_filename == garbage.__file__:
        return {each.offset for each in found}
    ends = {each.offset for each in found if each.opname == "NOP"}
    for i, three in enumerate(zip(found, found[1:], found[2:], strict=False)):
        if all(each.opname == "LOAD_CONST" and each.argval is None for each in three):
            ends.add(three[0].offset)
            while found[i - 1].opname in ("SWAP", "NOP", "COPY"):
                i -= 1
                ends.add(found[i].offset)
    return ends
