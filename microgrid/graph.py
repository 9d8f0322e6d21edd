"""Walks over the graph: its order, what stands in the way of a derivative, when it is recorded."""

from __future__ import annotations

import math
from _thread import get_ident
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .checks import shown
from .primitive import CONSTANT

if TYPE_CHECKING:
    from .engine import Value

__all__ = [
    "changed_leaf",
    "no_grad",
    "recording",
    "require_fresh",
    "require_leaf",
    "require_numbers",
    "topological_order",
    "zero_grad",
]

unrecorded: dict[int, int] = {}  # thread -> the number of `no_grad` blocks that it is inside


def topological_order(*roots: Value, known: Container[Value] = ()) -> list[Value]:
    """Return all that the roots depend on and the roots, each node once, parents first.

    Known nodes, and what only they depend on, are left out.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> [node.data for node in topological_order(x * x + x)]
    [2.0, 4.0, 6.0]
    """
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = list(roots[::-1])
    try:
        while stack:
            node = stack.pop()
            if node is None:  # all that the node below depends on is in place
                order.append(stack.pop())
            elif node not in seen and node not in known:
                seen.add(node)
                if seen.issuperset(node.parents):
                    order.append(node)
                else:
                    stack += (node, None, *node.parents[::-1])
    except (AttributeError, IndexError, TypeError):
        for root in roots:
            if not hasattr(root, "parents"):
                raise TypeError(f"topological_order takes Values, got {shown(root)}") from None
        raise TypeError(f"`known` must be a container of Values, got {shown(known)}") from None
    return order


def changed_leaf(order: list[Value]) -> Value | None:
    """Return a leaf of a graph that has changed since it was used, or None if all data is fresh."""
    oldest = min([node._stamp for node in order if node.parents], default=math.inf)
    if max([node._stamp for node in order], default=0) <= oldest:
        return None  # the common case, without a look at every edge
    for node in order:
        for parent in node.parents:
            if parent._stamp > node._stamp:
                leaves = [leaf for leaf in topological_order(parent) if not leaf.parents]
                return max(leaves, key=lambda leaf: leaf._stamp)
    return None


def require_leaf(order: list[Value]) -> None:
    """Raise `RuntimeError` if a graph has no leaf to derive by."""
    if all(node.parents or node.op is CONSTANT for node in order):
        raise RuntimeError(
            "backward() needs a leaf to derive by, got a graph of constants alone: "
            "plain numbers, detached values or what was computed under no_grad()"
        )


def require_fresh(order: list[Value]) -> None:
    """Raise `RuntimeError` if a leaf of a graph has changed since it was used."""
    if (changed := changed_leaf(order)) is not None:
        raise RuntimeError(
            "a derivative needs the data that the graph was computed with, but the leaf "
            f"{changed!r} has changed since; call refresh() on the root, or build it anew"
        )


def require_numbers(order: list[Value]) -> None:
    """Raise an error that names the operation if one of a graph's partials is no plain number."""
    for node in order:
        if node.op and node.parents:
            partials = node.partials()
            node.op.require_partials(partials, len(partials))
            if any(hasattr(partial, "record") for partial in partials):
                raise TypeError(
                    f"the partials of {node.op.name} must be numbers where its operands are, "
                    f"got {shown(partials)}"
                )


def zero_grad(leaves: Iterable[Value]) -> None:
    """Set the `grad` of every given `Value` to 0."""
    if not isinstance(leaves, Iterable) or getattr(leaves, "ndim", 1) == 0:
        raise TypeError(
            f"zero_grad needs a list of Values, got {shown(leaves)}; write zero_grad([x])"
        )
    leaves = list(leaves)
    for leaf in leaves:
        if not hasattr(leaf, "record"):
            raise TypeError(f"zero_grad needs a list of Values, got {shown(leaf)} in it")
    for leaf in leaves:
        leaf.grad = type(leaf.data)()


@contextmanager
def no_grad() -> Iterator[None]:
    """Record no graph in this thread: what is computed inside is constant. Also a decorator.

    The asyncio tasks of a thread share it: do not await inside.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (4.0, ())
    """
    thread = get_ident()
    unrecorded[thread] = unrecorded.get(thread, 0) + 1
    try:
        yield
    finally:
        unrecorded[thread] -= 1
        if not unrecorded[thread]:
            del unrecorded[thread]


@contextmanager
def recording() -> Iterator[None]:
    """Record graphs in this thread, even inside `no_grad()`: a transform differentiates there too.

    >>> from microgrid import Value
    >>> with no_grad(), recording():
    ...     y = Value(2.0) * 3.0
    >>> len(y.parents)
    2
    """
    blocks = unrecorded.pop(get_ident(), 0)
    try:
        yield
    finally:
        if blocks:
            unrecorded[get_ident()] = blocks
