"""Walks over the graph: its order, what stands in the way of a derivative, where gradients go.

The order of a graph is found with a list in the place of Python's own stack, so that a chain of a
million nodes is walked as one of three is. And time is a number: `clock` counts the changes of
leaves, every node keeps the time at which its data was computed, and a node that is older than one
of its parents is stale. That is asked of a graph before it is differentiated.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from itertools import repeat
from typing import Any, Protocol, Self, TypeVar

from ..guards.checks import quote
from ..guards.interrupts import call_each
from ..guards.locks import lock_across_forks
from ..guards.mistakes import warn_of_stale
from .modes import Mode, unrecorded
from .primitive import CONSTANT, Operand, Primitive
from .reals import number

__all__ = [
    "Node",
    "advance_clock",
    "dependents",
    "find_changed_leaf",
    "no_grad",
    "recording",
    "require_fresh",
    "require_leaf",
    "require_plain_partials",
    "set_data",
    "set_gradients",
    "topological_order",
    "zero_grad",
]

clock = 0  # counts the changes of leaves
changing = lock_across_forks()  # held from where something shared is read to where it is set


class Node(Protocol):
    """What a walk asks of a `Value`."""

    op: Primitive | None
    parents: tuple[Self, ...]
    _real: float
    _grad: float | None
    _label: str | None
    _stamp: int
    _collected: float

    def partials(self) -> tuple[float | None, ...]:
        """Return the derivative with respect to each parent."""


AnyNode = TypeVar("AnyNode", bound=Node)


def topological_order(*roots: AnyNode, known: Container[AnyNode] = ()) -> list[AnyNode]:
    """Return the roots and all that they depend on, each node once, parents first.

    Known nodes, and what only they depend on, are left out.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> [node.data for node in topological_order(x * x + x)]
    [2.0, 4.0, 6.0]
    """
    order: list[AnyNode] = []
    seen: set[AnyNode] = set()
    stack: list[Any] = list(roots[::-1])
    try:
        while stack:
            node = stack.pop()
            if node is None:  # all that the node below depends on is in place
                order.append(stack.pop())
            elif node not in seen and node not in known:
                seen.add(node)
                parents = node.parents
                if seen.issuperset(parents):
                    order.append(node)
                else:
                    stack += node, None
                    stack += parents[::-1]
    except (AttributeError, IndexError, TypeError):
        for root in roots:
            if not isinstance(root, Operand):
                raise TypeError(f"topological_order takes Values, got {quote(root)}") from None
        for node in seen:
            parents = getattr(node, "parents", ())
            if not isinstance(parents, tuple) or not all(isinstance(p, Operand) for p in parents):
                raise TypeError(
                    "the `parents` of a Value must stay the tuple of Values that it was computed "
                    f"from, got {quote(parents)}"
                ) from None
        raise TypeError(f"`known` must be a container of Values, got {quote(known)}") from None
    return order


def find_changed_leaf(order: list[AnyNode], now: float = math.inf) -> AnyNode | None:
    """Return a leaf of a graph that has changed since it was used, or None if all data is fresh.

    `now` is when a leaf, of any graph, changed last.
    """
    oldest = min([node._stamp for node in order if node.parents], default=math.inf)
    if oldest >= now or max([node._stamp for node in order], default=0) <= oldest:
        return None  # the common case, without a look at every edge
    for node in order:
        for parent in node.parents:
            if parent._stamp > node._stamp:
                leaves = [leaf for leaf in topological_order(parent) if not leaf.parents]
                return max(leaves, key=lambda leaf: leaf._stamp)
    return None


def dependents(order: Iterable[AnyNode], inputs: Iterable[AnyNode]) -> set[AnyNode]:
    """Return the inputs and those nodes of a graph, given parents first, that depend on one.

    >>> from microgrid import Value
    >>> x, y = Value(2.0), Value(3.0)
    >>> len(dependents(topological_order(x * y + y * y), [x]))
    3
    """
    found = set(inputs)
    for node in order:
        if not found.isdisjoint(node.parents):
            found.add(node)
    return found


def require_leaf(order: Iterable[Node]) -> None:
    """Raise `RuntimeError` if a graph has no leaf but constants."""
    if all(node.parents or node.op is CONSTANT for node in order):
        raise RuntimeError(
            "backward() needs a leaf to differentiate with respect to, got a graph of constants "
            "alone: plain numbers, detached values or what was computed under no_grad()"
        )


def require_fresh(order: list[AnyNode], now: float = math.inf) -> None:
    """Raise `RuntimeError` if a leaf of a graph has changed since it was used, up to now."""
    if (changed := find_changed_leaf(order, now)) is not None:
        raise RuntimeError(
            "a derivative needs the data that the graph was computed with, but the leaf "
            f"{changed!r} has changed since; call refresh() on the root, or build the graph again"
        )


def require_plain_partials(order: Iterable[Node]) -> None:
    """Raise an error that names the operation if one of a graph's partials is no plain number."""
    for node in order:
        if node.op and node.parents:
            partials = node.partials()
            node.op.require_partials(partials, len(partials))
            if any(isinstance(partial, Operand) for partial in partials):
                raise TypeError(
                    f"the partials of {node.op.name} must be numbers where its operands are, "
                    f"got {quote(partials)}"
                )


def advance_clock(least: int = 0) -> int:
    """Move the clock on by one, and past `least`; return it."""
    global clock
    with changing:  # or a thread that read it long ago would turn it back
        clock = now = (clock if clock > least else least) + 1
    return now


def set_data(nodes: Iterable[Node], data: Iterable[float]) -> None:
    """Set the data of many nodes, all in one go; what was computed from the old is stale then."""
    nodes, numbers = list(nodes), list(map(number, data))
    names = ["_real"] * len(nodes) + ["_stamp"] * len(nodes)
    call_each(setattr, nodes * 2, names, numbers + [advance_clock()] * len(nodes))


def set_gradients(nodes: Iterable[Node], gradients: Iterable[float]) -> None:
    """Set the gradients of many nodes, all in one go: numbers, which are not checked again."""
    with changing:
        call_each(setattr, nodes, repeat("_grad"), gradients)


def collect(sums: Mapping[AnyNode, float | None], now: int) -> None:
    """Add the sums of `backward` to the `grad` of leaves, and make them that of inner nodes.

    It is done in one go, and right from any number of threads. The sum of a node that no gradient
    has come in at is None.
    """
    totals = [(node, x) for node, x in sums.items() if node.op is None and x is not None]
    leaves = [leaf for leaf, _ in totals]
    warn_of_stale([(leaf, leaf._grad) for leaf in leaves])
    inner = [node for node in sums if node.parents]
    grads = [type(x._real)() if (total := sums[x]) is None else total for x in inner]
    with changing:
        grads += [x if leaf._grad is None else leaf._grad + x for leaf, x in totals]
        names = ["_grad"] * len(grads) + ["_collected"] * len(leaves)
        call_each(setattr, inner + leaves * 2, names, grads + [now] * len(leaves))


def zero_grad(leaves: Iterable[Node]) -> None:
    """Set the `grad` of every given `Value` to 0.

    Raises:
        TypeError: it is no list, or there is something else in it.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> (x * x).backward(); zero_grad([x]); x.grad
    0.0
    """
    if not isinstance(leaves, Iterable) or getattr(leaves, "ndim", 1) == 0:
        raise TypeError(
            f"zero_grad needs a list of Values, got {quote(leaves)}; write zero_grad([x])"
        )
    leaves = list(leaves)
    for leaf in leaves:
        if not isinstance(leaf, Operand):
            raise TypeError(f"zero_grad needs a list of Values, got {quote(leaf)} in it")
    set_gradients(leaves, [type(leaf._real)() for leaf in leaves])


class no_grad(Mode):
    """Record no graph in this thread: what is computed inside is constant. Also a decorator.

    The asyncio tasks of a thread share it: do not await inside.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (4.0, ())
    """

    _blocks = unrecorded

    def _meaning(self, outer: bool | None) -> bool | None:
        return True


class recording(Mode):
    """Record graphs in this thread, even inside `no_grad()`: a transform differentiates there too.

    >>> from microgrid import Value
    >>> with no_grad(), recording():
    ...     y = Value(2.0) * 3.0
    >>> len(y.parents)
    2
    """

    _blocks = unrecorded

    def _meaning(self, outer: bool | None) -> bool | None:
        return None if outer is None else False
