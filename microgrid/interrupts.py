"""Ctrl-C, held back while something must be done whole. No other file touches signals."""

from __future__ import annotations

import os

# `signal` wraps these, and looks every handler up in an enum: 3 µs a call, these take 0.2
from _signal import SIGINT, getsignal, signal  # type: ignore[import-not-found]
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Iterable
from threading import current_thread, main_thread
from time import monotonic, sleep
from typing import Any, Self

__all__ = ["call_each", "interrupted_once", "uninterrupted"]

SAME = 1.0  # seconds: Ctrl-C again so soon is the same one, not somebody who waits in vain
BURST = 0.05  # seconds in which what belongs to an interrupt comes, from a terminal or a parent


class _Handled:
    """A block inside which SIGINT is handled by `_handle`: on the main thread, if Python does it.

    Where SIGINT ends the process or is ignored, so it stays.
    """

    __slots__ = ("_came", "_handler", "_thread")

    def __enter__(self) -> Self:
        self._came: tuple[Any, ...] = ()
        self._handler: Callable[..., Any] | None = None
        if current_thread() is main_thread():
            handler = getsignal(SIGINT)
            if callable(handler) and not self._is_held_by(handler):
                self._handler, self._thread = handler, get_ident()
                signal(SIGINT, self._handle)
        return self

    def _is_held_by(self, handler: Callable[..., Any]) -> bool:
        return False

    def _handle(self, *signal_and_frame: Any) -> None:
        raise NotImplementedError


class uninterrupted(_Handled):
    """Hold SIGINT back inside, and hand it to its handler at the end, if it came.

    Inside another such block nothing is done, so the outermost delivers. Nothing is done off the
    main thread either, which Python never interrupts, nor where SIGINT ends the process or is
    ignored. However often it came, it is delivered once, as a system does with a blocked signal.

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

    __slots__ = ()

    def _is_held_by(self, handler: Callable[..., Any]) -> bool:
        return isinstance(getattr(handler, "__self__", None), uninterrupted)

    def _handle(self, *signal_and_frame: Any) -> None:
        self._came = signal_and_frame

    def __exit__(self, *error: object) -> None:
        if self._handler is not None:
            signal(SIGINT, self._handler)
            if self._came:
                self._handler(*self._came)


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

    def __enter__(self) -> Self:
        self._from = 0.0  # the time from when on SIGINT is delivered as it comes
        self._burst = 0.0  # the time until when others come together with one that raised
        return super().__enter__()

    def hold(self) -> None:
        """Hold SIGINT back for a second from now on."""
        self._from = monotonic() + SAME

    def _handle(self, *signal_and_frame: Any) -> None:
        assert self._handler is not None
        now = monotonic()
        if now >= self._from:
            self._from, self._burst = now + SAME, now + BURST
            self._handler(*signal_and_frame)
            self._from = self._burst = now  # it has not raised, and may count them

    def __exit__(self, *error: object) -> None:
        if self._handler is None:
            return
        if (left := self._burst - monotonic()) > 0:
            sleep(left)
        try:
            signal(SIGINT, self._handler)
        except KeyboardInterrupt:
            return  # it came when all was done


def _forget_other_threads() -> None:
    """Undo what blocks of other threads have done to SIGINT: a forked child has not got them."""
    before = handler = getsignal(SIGINT)
    while isinstance(block := getattr(handler, "__self__", None), _Handled):
        if block._thread == get_ident():
            break
        handler = block._handler
    if handler is not before:
        signal(SIGINT, handler)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def call_each(function: Callable[..., Any], *arguments: Iterable[Any]) -> None:
    """Call a function written in C for each set of arguments, in one go.

    Python looks for signals, and changes threads, between its own instructions alone. There is none
    here, so that all calls are made or none, without a handler to be changed.

    >>> from microgrid import Value
    >>> nodes = [Value(1.0), Value(2.0)]
    >>> call_each(Value._grad.__set__, nodes, [3.0, 4.0])
    >>> [node.grad for node in nodes]
    [3.0, 4.0]
    """
    deque(map(function, *arguments), maxlen=0)
