"""Objects that nobody needs any more: cycles are looked for seldom, and chains freed in a loop."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from .locks import compiling

__all__ = ["collects_rarely", "unlink"]

RARE = 1_000_000  # new objects; usual are some hundreds

Passed = ParamSpec("Passed")
Result = TypeVar("Result")


def collects_rarely(function: Callable[Passed, Result]) -> Callable[Passed, Result]:
    """Return a function during which the collector looks a thousand times less often for cycles.

    A graph has none, and the collector would go through all of it time and again: that takes half
    of the time in which a large function is traced. It is not switched off: what other threads drop
    is found, and if it has been switched off, even meanwhile, it stays off. Its threshold is
    that of the whole process, so one thread at a time has it, and no child is forked with it.

    >>> import gc
    >>> before = gc.get_threshold()
    >>> collects_rarely(gc.get_threshold)()[0], gc.get_threshold() == before
    (1000000, True)
    """

    @wraps(function)
    def call(*args: Passed.args, **kwargs: Passed.kwargs) -> Result:
        with compiling:
            usual = gc.get_threshold()
            if not 0 < usual[0] < RARE:  # it never looks, or this is a block inside of another
                return function(*args, **kwargs)
            try:
                gc.set_threshold(RARE, *usual[1:])
                return function(*args, **kwargs)
            finally:  # Python looks for signals before an `__exit__`, and does not before this
                gc.set_threshold(*usual)

    return call


class Linked(Protocol):
    """A node of a graph that holds those before it."""

    parents: tuple[Linked, ...]


unlinked: list[object] = []  # the parents of nodes that are being freed
is_emptying = False


def unlink(node: Linked) -> None:
    """Free the parents of a node that is being freed, in a loop: this is its `__del__`.

    Python frees a chain by recursion, and puts off the rest when the stack runs out. On emscripten,
    as in a browser, Python 3.13 and later do not notice that, and 3,000 nodes crash it.

    >>> class Link:
    ...     __del__ = unlink
    ...     def __init__(self, *parents: Link) -> None:
    ...         self.parents = parents
    >>> chain = Link(Link(Link()))
    >>> del chain
    """
    global is_emptying
    unlinked.append(getattr(node, "parents", ()))  # it has none yet if `__init__` raised
    node.parents = ()
    if not is_emptying:
        is_emptying = True
        try:
            while unlinked:
                unlinked.pop()  # frees nodes whose `__del__` adds their parents
        finally:
            is_emptying = False
