"""Signals, held back while something must be done whole. No other file touches them."""

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
from typing import Any, ClassVar, Self

__all__ = ["call_each", "comes_from_handler", "interrupted_once", "uninterrupted"]

ALL = tuple(valid_signals())
SAME = 1.0  # seconds: Ctrl-C again so soon is the same one, not somebody who waits in vain
BURST = 0.05  # seconds in which what belongs to an interrupt comes, from a terminal or a parent


class _Handled:
    """A block inside which signals are handled by `_hold`: on the main thread, if Python does it.

    Where a signal ends the process or is ignored, so it stays. A block that is left by an exception
    of one signal may still be the handler of others: it then hands them on.
    """

    __slots__ = ("_handlers", "_thread", "is_open")

    numbers: ClassVar[tuple[int, ...]]

    def __enter__(self) -> Self:
        self._handlers: dict[int, Callable[..., Any]] = {}
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
                self._give_back()
                raise
        return self

    def _is_held_by(self, handler: Callable[..., Any]) -> bool:
        return False

    def _handle(self, number: int, frame: Any) -> None:
        if self.is_open:
            self._hold(number, frame)
        else:
            self._handlers[number](number, frame)

    def _hold(self, number: int, frame: Any) -> None:
        raise NotImplementedError

    def _give_back(self) -> None:
        """Let signals be handled as before, though one that is may raise before others are."""
        try:
            for number, handler in self._handlers.items():
                signal(number, handler)
        finally:
            self.is_open = False  # no call: Python does not look for signals before it


class uninterrupted(_Handled):
    """Hold signals back inside, and hand them to their handlers at the end, if they came.

    Ctrl-C is not alone in raising an exception: `SIGTERM` or `SIGALRM` do so where a program lets
    them end it, or limit its time.

    Inside another such block nothing is done, so the outermost delivers. Nothing is done off the
    main thread either, which Python never interrupts, nor of signals that end the process or are
    ignored. However often one came, it is delivered once, as a system does with a blocked signal.

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
        self._came: dict[int, Any] = {}
        return super().__enter__()

    def _is_held_by(self, handler: Callable[..., Any]) -> bool:
        return isinstance(getattr(handler, "__self__", None), uninterrupted)

    def _hold(self, number: int, frame: Any) -> None:
        self._came[number] = frame

    def __exit__(self, *error: object) -> None:
        if self._handlers:
            try:
                self._give_back()
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
    """Let SIGINT end what is inside, whole: after the first one, others are held back for a second.

    So they do not cut short what the first one leaves to be done: they are the same one to it. But
    who waits for longer can interrupt that too. What is held back is dropped; and as nothing may be
    left to be done, the end waits for what comes together with the first.

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

    def __enter__(self) -> Self:
        self._from = 0.0  # the time from when on SIGINT is delivered as it comes
        self._burst = 0.0  # the time until when others come together with one that raised
        return super().__enter__()

    def hold(self) -> None:
        """Hold SIGINT back for a second from now on."""
        self._from = monotonic() + SAME

    def _hold(self, number: int, frame: Any) -> None:
        now = monotonic()
        if now >= self._from:
            self._from, self._burst = now + SAME, now + BURST
            self._handlers[number](number, frame)
            self._from = self._burst = now  # it has not raised, and may count them

    def __exit__(self, *error: object) -> None:
        if not self._handlers:
            return
        if (left := self._burst - monotonic()) > 0:
            sleep(left)
        try:
            self._from = math.inf
            self._give_back()
        except KeyboardInterrupt:
            return  # it came when all was done


def _without(handler: Any, number: int, is_over: Callable[[_Handled], bool]) -> Any:
    """Return the handler that a signal has without those blocks on top that are over."""
    while isinstance(block := getattr(handler, "__self__", None), _Handled) and is_over(block):
        handler = block._handlers[number]
    return handler


def _forget_other_threads() -> None:
    """Undo what blocks of other threads have done to signals: a forked child has not got them."""
    for number in ALL:
        before = getsignal(number)
        handler = _without(before, number, lambda block: block._thread != get_ident())
        if handler is not before:
            signal(number, handler)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def comes_from_handler(error: BaseException) -> bool:
    """Whether a signal's handler raised an error, which then says nothing of what it came amid.

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


def _code(handler: Any) -> Any:
    handler = getattr(handler, "func", handler)  # of a partial
    return getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)


def call_each(function: Callable[..., Any], *arguments: Iterable[Any]) -> None:
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
