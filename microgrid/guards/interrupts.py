"""Signals, held back while something must be done as a whole. No other file touches them.

Python runs a signal's handler between any two of its instructions, and Ctrl-C's raises there. What
must not be cut in two is protected in one of two ways. A block of code has the handlers replaced by
one that only notes what came, and passes it on at the end. A single step, such as setting the data
of all parameters, is made one call to a function written in C, inside of which Python has no chance
to look for signals, or to change to another thread.
"""

from __future__ import annotations

import math
import os

# `signal` wraps these, and looks every handler up in an enum: 3 µs a call, these take 0.2
from _signal import SIGINT, getsignal, signal, valid_signals  # type: ignore[import-not-found]
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Iterable
from itertools import compress
from threading import current_thread, main_thread
from time import monotonic, sleep
from types import CodeType, FrameType
from typing import Any, ClassVar, Self

__all__ = ["call_each", "comes_from_handler", "interrupted_once", "kill_group", "uninterrupted"]

ALL = tuple(valid_signals())
SAME = 1.0  # seconds: Ctrl-C again so soon is the same one, not somebody who waits in vain
BURST = 0.05  # seconds in which what belongs to an interrupt comes, from a terminal or a parent


class _Handled:
    """A block inside which `_hold` handles those signals for which Python has a handler.

    That is on the main thread alone. A signal that ends the process or is ignored still does or is.
    A block that an exception of one signal leaves may still be the handler of others: it then
    passes them on.
    """

    __slots__ = ("_handlers", "_thread", "is_open")

    numbers: ClassVar[tuple[int, ...]]

    def __enter__(self) -> Self:
        self._handlers: dict[int, Callable[..., object]] = {}
        self.is_open = True
        if current_thread() is main_thread():
            self._thread = get_ident()
            handlers = list(map(getsignal, self.numbers))
            for number, handler in compress(zip(self.numbers, handlers, strict=True), handlers):
                inner = _without(handler, number, lambda block: not block.is_open)
                if callable(inner) and not self._is_held_by(inner):
                    self._handlers[number] = inner
            try:
                for number in self._handlers:
                    signal(number, self._handle)
            except BaseException:  # of one that is not yet handled here
                self.is_open = False
                self.give_back()
                raise
        return self

    def _is_held_by(self, handler: Callable[..., object]) -> bool:
        return False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_open:
            self._hold(number, frame)
        else:
            self._handlers[number](number, frame)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError

    def give_back(self) -> None:
        """Give the signals their handlers back, of which one may raise before all are given."""
        try:
            for number, handler in self._handlers.items():
                signal(number, handler)
        finally:
            self.is_open = False  # no call: Python does not look for signals before it


class uninterrupted(_Handled):
    """Hold back the signals that come inside, and hand them to their handlers at the end.

    Not only Ctrl-C raises an exception: `SIGTERM` or `SIGALRM` do so too where a program lets them
    end it, or limit its time.

    A block inside another one does nothing, as the outermost delivers. Nor does one in a thread
    other than the main one, which Python never interrupts. However often a signal came, it is
    delivered once, as an operating system does with a blocked signal.

    >>> import signal
    >>> done = []
    >>> try:
    ...     with uninterrupted():
    ...         signal.raise_signal(signal.SIGINT)
    ...         done.append("all of it")
    ... except KeyboardInterrupt:
    ...     done.append("then Ctrl-C")
    >>> done
    ['all of it', 'then Ctrl-C']
    """

    __slots__ = ("_came",)

    numbers = ALL

    def __enter__(self) -> Self:
        self._came: dict[int, FrameType | None] = {}
        return super().__enter__()

    def _is_held_by(self, handler: Callable[..., object]) -> bool:
        return isinstance(getattr(handler, "__self__", None), uninterrupted)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._came[number] = frame

    def __exit__(self, *error: object) -> None:
        if self._handlers:
            try:
                self.give_back()
            finally:
                self._deliver()

    def _deliver(self) -> None:
        """Call the handlers of what came, in this order: each, though others may raise."""
        if self._came:
            number = next(iter(self._came))
            try:
                self._handlers[number](number, self._came.pop(number))
            finally:
                self._deliver()


class interrupted_once(_Handled):
    """Let SIGINT end what is inside, but once: for a second after the first, others are held back.

    So they do not cut short what there is left to do after the first one, of which they are taken
    to be repetitions. Somebody who waits for longer can interrupt that as well. What is held back
    is dropped; and as there may be nothing left to do, the end waits for what comes together with
    the first one.

    Another signal, as one that limits the time, may raise as the block begins to be left, and so
    keep it open. Whoever catches the exception closes it, and gives SIGINT back.

    >>> import signal
    >>> done = []
    >>> with interrupted_once():
    ...     try:
    ...         signal.raise_signal(signal.SIGINT)
    ...     except KeyboardInterrupt:
    ...         signal.raise_signal(signal.SIGINT)
    ...         done.append("all that is left to do")
    >>> done
    ['all that is left to do']
    """

    __slots__ = ("_burst", "_from")

    numbers = (SIGINT,)

    def __init__(self) -> None:
        self._handlers, self.is_open = {}, False

    def __enter__(self) -> Self:
        self._from = 0.0  # the time from when on SIGINT is delivered as it comes
        self._burst = 0.0  # the time until when others come together with one that raised
        return super().__enter__()

    def hold(self) -> None:
        """Hold SIGINT back for a second from now on."""
        self._from = monotonic() + SAME

    def _hold(self, number: int, frame: FrameType | None) -> None:
        now = monotonic()
        if now >= self._from:
            self._from, self._burst = now + SAME, now + BURST
            self._handlers[number](number, frame)
            self._from = self._burst = now  # it has not raised, and may count them

    def __exit__(self, *error: object) -> None:
        if not self._handlers:
            return
        try:
            try:  # another signal's handler may raise meanwhile, as one that limits the time does
                if (left := self._burst - monotonic()) > 0:
                    sleep(left)
            finally:
                self._from = math.inf
                self.give_back()
        except KeyboardInterrupt:
            return  # it came when all was done


def _without(handler: object, number: int, is_over: Callable[[_Handled], bool]) -> object:
    """Return the handler of a signal, without those blocks on top of it that are over."""
    while isinstance(block := getattr(handler, "__self__", None), _Handled) and is_over(block):
        handler = block._handlers[number]
    return handler


def _forget_other_threads() -> None:
    """Undo what blocks of other threads, which a forked child has not got, have done to signals."""
    for number in ALL:
        before = getsignal(number)
        handler = _without(before, number, lambda block: block._thread != get_ident())
        if handler is not before:
            signal(number, handler)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def comes_from_handler(error: BaseException) -> bool:
    """Return whether a signal's handler raised an error, for which the code around is not to blame.

    >>> import signal
    >>> before = signal.signal(signal.SIGTERM, lambda *_: print(1 / 0))
    >>> try:
    ...     signal.raise_signal(signal.SIGTERM)
    ... except ZeroDivisionError as error:
    ...     comes_from_handler(error)
    True
    >>> signal.signal(signal.SIGTERM, before) and None
    """
    handlers = [handler for handler in map(getsignal, ALL) if callable(handler)]
    codes = {_code(handler) for handler in handlers}
    place = error.__traceback__
    while place and place.tb_frame.f_code not in codes:
        place = place.tb_next
    return place is not None


def _code(handler: object) -> CodeType | None:
    handler = getattr(handler, "func", handler)  # of a partial
    code: CodeType | None = getattr(handler, "__code__", None)
    return code or getattr(type(handler).__call__, "__code__", None)


def call_each(function: Callable[..., object], *arguments: Iterable[Any]) -> None:
    """Call a function written in C for each set of arguments, in one go.

    Python looks for signals, and changes threads, only between its own instructions. There are none
    here: all calls are made or none, and no handler has to be changed.

    >>> from microgrid import Value
    >>> nodes = [Value(1.0), Value(2.0)]
    >>> call_each(Value._grad.__set__, nodes, [3.0, 4.0])
    >>> [node.grad for node in nodes]
    [3.0, 4.0]
    """
    deque(map(function, *arguments), maxlen=0)


def kill_group(leader: int) -> None:
    """Kill the process that leads a group, and all that it has started.

    Raises:
        ProcessLookupError: there is none of them any more.
    """
    from _signal import SIGKILL  # which Windows has not; nor has it groups

    os.killpg(leader, SIGKILL)
