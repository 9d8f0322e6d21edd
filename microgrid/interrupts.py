"""Ctrl-C, held back while something must be done whole. No other file touches signals."""

from __future__ import annotations

# `signal` wraps these, and looks every handler up in an enum: 3 µs a call, these take 0.2
from _signal import SIGINT, getsignal, signal  # type: ignore[import-not-found]
from collections import deque
from collections.abc import Callable, Iterable
from threading import current_thread, main_thread
from typing import Any

__all__ = ["call_each", "uninterrupted"]


class uninterrupted:
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

    __slots__ = ("_came", "_handler")

    def __enter__(self) -> None:
        self._came: tuple[Any, ...] = ()
        self._handler: Callable[..., Any] | None = None
        if current_thread() is not main_thread():
            return
        handler = getsignal(SIGINT)
        holds = isinstance(getattr(handler, "__self__", None), uninterrupted)
        if callable(handler) and not holds:
            self._handler = handler
            signal(SIGINT, self._hold)

    def _hold(self, *signal_and_frame: Any) -> None:
        self._came = signal_and_frame

    def __exit__(self, *error: object) -> None:
        if self._handler is not None:
            signal(SIGINT, self._handler)
            if self._came:
                self._handler(*self._came)


def call_each(function: Callable[..., Any], *arguments: Iterable[Any]) -> None:
    """Call a function written in C for each set of arguments, in one go.

    Python looks for signals, and changes threads, between its own instructions alone. There is none
    here, so that all calls are made or none, without a handler to be changed.

    >>> from microgrid import Value
    >>> nodes = [Value(1.0), Value(2.0)]
    >>> call_each(Value.grad.__set__, nodes, [3.0, 4.0])
    >>> [node.grad for node in nodes]
    [3.0, 4.0]
    """
    deque(map(function, *arguments), maxlen=0)
