"""Walks over the graph: its order, what stands in the way of a derivative, where gradients go.

The order of a graph is found with a list in place of Python's own stack, so that a chain of a
million nodes is walked as one of three is. And time is a number: `clock` counts the changes of
leaves, every node keeps the time at which its data was computed, and a node that is older than one
of its parents is stale. That is asked of a graph before it is differentiated.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Container, Iterable
from typing import Any, Self, TypeVar

from ..guards.checks import quote
from ..guards.garbage import unlink
from ..guards.interrupts import call_each
from ..guards.locks import lock_across_forks
from .modes import Mode, unrecorded
from .operators import Arithmetic
from .primitive import CONSTANT, Operand, Primitive
from .reals import number

__all__ = [
    "MOVED",
    "NONE",
    "Node",
    "Walk",
    "advance_clock",
    "dependents",
    "find_changed_leaf",
    "has_mark",
    "is_older",
    "mark",
    "no_grad",
    "node_of",
    "numbers_of",
    "order_beyond",
    "recording",
    "require_fresh",
    "require_leaf",
    "require_plain_partials",
    "set_data",
    "set_gradients",
    "step_back",
    "topological_order",
    "was_passed",
    "zero_grad",
]

clock = 0  # counts the changes of leaves
changing = lock_across_forks()  # held from where something shared is read to where it is set


class Walk:
    """A walk back through a graph, as `backward` takes it; `done` is when it was, by the clock.

    `inner` are the inner nodes, parents first, and `leaves` the leaves but constants, until it is
    over. It keeps what comes in at a node as its `_sum`. That is the gradient of an inner node from
    when the walk is done: of all at once, whoever looks meanwhile and whatever ends it before.
    """

    done = math.inf

    def __init__(self) -> None:
        self.inner: list[Any] = []
        self.leaves: list[Node] = []
        self.moved: list[Node] = []  # the leaves whose data has been set since a walk has come by

    def gather(self, root: Node) -> None:
        """Find what the root depends on, and note the walk down at each node, its sum being None.

        This is `topological_order` once more, in half of the time, as no set has to be kept of what
        it has seen. The order is the same, so that sums have the bits that they have elsewhere.

        Raises:
            RuntimeError: all leaves are constants, or one has changed since it was used.
        """
        is_old = self._gather(root) if root.parents else self._add_leaf(root)
        require_leaf(self.leaves)
        if is_old:
            require_fresh(topological_order(root))

    def _add_leaf(self, leaf: Node) -> bool:
        if leaf._walk is MOVED:
            self.moved.append(leaf)
        if leaf.op is None:
            self.leaves.append(leaf)
        elif leaf.op is not CONSTANT:
            require_parents([leaf])
        leaf._walk, leaf._sum = self, None
        return False

    def _gather(self, root: Node) -> bool:
        """Do so for an inner node; return whether any of them was there before `clock`."""
        is_old, now = False, clock
        stack: list[Any] = [root]
        push, pop = stack.append, stack.pop
        place, add_leaf = self.inner.append, self.leaves.append
        try:
            while stack:
                node = pop()
                if node is None:  # all that the node below depends on is in place
                    place(pop())
                    continue
                if (last := node._walk) is self:
                    continue
                if last is not NONE:
                    node._grad = node.grad  # which it keeps if this walk does not finish
                node._walk, node._sum = self, None
                is_old = is_old or node._stamp < now
                waits = 0
                for parent in node.parents:
                    if (last := parent._walk) is not self:
                        if parent.parents:
                            if waits:  # below the first, which is the next to be taken
                                stack.insert(len(stack) - waits + 1, parent)
                            else:
                                first = parent
                                push(node)
                                push(None)
                            waits += 1
                        elif last is MOVED or parent.op is not None:
                            self._add_leaf(parent)
                        else:  # as most are: it takes a third of the time of a call
                            parent._walk, parent._sum = self, None
                            add_leaf(parent)
                if waits:
                    push(first)
                else:
                    place(node)
        except (AttributeError, TypeError):
            topological_order(root)  # which says what is wrong
            raise
        return is_old

    def finish(self) -> None:
        """Add the sums of leaves to their gradients, and let inner nodes have theirs, in one go."""
        leaves = self.leaves
        try:
            grads = [leaf._grad + leaf._sum for leaf in leaves]
        except TypeError:  # of some that have no gradient yet, or at which nothing has come in
            leaves = [leaf for leaf in leaves if leaf._sum is not None]
            grads = [x._sum if x._grad is None else x._grad + x._sum for x in leaves]
        if {*map(type, grads)} != {float}:
            require_plain_partials(self.inner)
        names = ["_grad"] * len(grads) + ["done"]
        call_each(setattr, [*leaves, self], names, [*grads, clock])
        self.inner, self.leaves, self.moved = [], [], []

    def stale(self) -> list[Node]:
        """Return the leaves that have moved since their gradients were collected."""
        return [leaf for leaf in self.moved if leaf._grad]

    def abandon(self) -> None:
        """Leave every gradient as it was."""
        for leaf in self.moved:
            leaf._walk = MOVED
        self.inner, self.leaves, self.moved = [], [], []


NONE = Walk()  # the walk of a node that none has come by
MOVED = Walk()  # that of a leaf whose data has been set since one has
MOVED.done = 0


class Node(Arithmetic):
    """What walks, copies and operators know of a `Value`, which is the engine's.

    Its slots are for `core`, and for classes that inherit from this: `_real` is the number, `_grad`
    and `_label` what `grad` and `label` check, `_stamp` the time at which the number was computed
    or set, `_walk` the walk that came by last, and `_sum` what came in then.
    """

    __slots__ = (
        *("__weakref__", "_grad", "_label", "_real", "_stamp", "_sum", "_walk", "op", "parents"),
    )

    op: Primitive | None
    parents: tuple[Self, ...]
    _real: float
    _grad: object
    _label: str | None
    _stamp: int
    _walk: Walk
    _sum: Any

    if sys.platform == "emscripten":
        __del__ = unlink

    @property
    def grad(self) -> float | None:
        """What `backward` stored here."""
        raise NotImplementedError

    def partials(self) -> tuple[float | None, ...]:
        """Return the derivative with respect to each parent."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the number, its gradient, and what it was made of."""
        from html import escape  # which takes as long to load as half of the core

        lines = {"label": visible(self._label)} if self._label else {}
        lines |= {"data": str(self._real), "grad": str(self.grad)}
        if self.op and self.parents:
            operands = [node._operand_text() for node in self.parents[:4]]
            hidden = ["…"] * (len(self.parents) > 4)
            lines |= {"operation": visible(self.op.name), "operands": ", ".join(operands + hidden)}
        text = "\n".join(f"{name:9}  {words}" for name, words in lines.items())
        return f"<pre>{escape(text)}</pre>"  # in the theme's own colours

    def _operand_text(self) -> str:
        return f"{visible(self._label)} = {self._real}" if self._label else str(self._real)

    def _node(self, op: Primitive, operands: tuple[Any, ...], data: object) -> Self:
        """Return the node of `op` applied to operands, of which this is one; data is the result."""
        raise NotImplementedError

    def _pass_back(self, seed: float, walk: Walk) -> None:
        """Add up what comes in from this."""
        raise NotImplementedError


AnyNode = TypeVar("AnyNode", bound=Node)


def visible(text: str) -> str:
    r"""Return text as it is, or as Python writes it if a character of it cannot be seen.

    >>> visible("θ"), visible("a\nb")
    ('θ', "'a\\nb'")
    """
    return text if text.isprintable() else repr(text)


def numbers_of(nodes: Iterable[Node]) -> list[float]:
    """Return the data of many nodes, in a quarter of the time that asking each for it takes.

    >>> from microgrid import Value
    >>> numbers_of([Value(2.0), Value(3.0)])
    [2.0, 3.0]
    """
    return [node._real for node in nodes]


def is_older(node: Node, time: int) -> bool:
    """Return whether a node's data was there, as it is now, before a time of the clock.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> is_older(x, advance_clock()), is_older(x * x, clock)
    (True, False)
    """
    return node._stamp < time


def was_passed(node: Node) -> bool:
    """Return whether a `backward` that finished has come by a node.

    >>> from microgrid import Value
    >>> x, y = Value(2.0), Value(3.0)
    >>> (x * x).backward(); was_passed(x), was_passed(y)
    (True, False)
    """
    return node._walk.done < math.inf


def mark(node: Node, sign: object) -> None:
    """Leave a sign at a traced node, which no `backward` comes by, in place of its sum."""
    node._sum = sign


def has_mark(node: Node, sign: object) -> bool:
    """Return whether a traced node has this sign."""
    return node._sum is sign


def node_of(op: Primitive, operands: tuple[AnyNode, ...], data: float) -> AnyNode:
    """Return the node of an operation whose result is known already."""
    return operands[0]._node(op, operands, data)


def topological_order(*roots: AnyNode, known: Container[AnyNode] = ()) -> list[AnyNode]:
    """Return the roots and all that they depend on, each node once, parents first.

    Known nodes, and what only they depend on, are left out.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> [node.data for node in topological_order(x * x + x)]
    [2.0, 4.0, 6.0]
    """
    return order_beyond(set(), *roots, known=known)


def order_beyond(seen: set[Any], *roots: AnyNode, known: Container[AnyNode] = ()) -> list[AnyNode]:
    """Return the order of what has not been seen, which then has been.

    What was seen is asked for all parents of a node at once; known nodes are looked up one by one.

    >>> from microgrid import Value
    >>> x = Value(2.0)
    >>> seen = {x}
    >>> y = x * x
    >>> [node.data for node in order_beyond(seen, y)], len(seen), order_beyond(seen, y, x)
    ([4.0], 2, [])
    """
    order: list[AnyNode] = []
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
        require_parents(seen)
        raise TypeError(f"`known` must be a container of Values, got {quote(known)}") from None
    return order


def require_parents(nodes: Iterable[Node]) -> None:
    """Raise `TypeError` if somebody has set the parents of a node to what they cannot be."""
    for node in nodes:
        parents: object = getattr(node, "parents", ())
        if not isinstance(parents, tuple) or not all(isinstance(p, Operand) for p in parents):
            raise TypeError(
                "the `parents` of a Value must stay the tuple of Values that it was computed "
                f"from, got {quote(parents)}"
            ) from None


def find_changed_leaf(order: list[AnyNode]) -> AnyNode | None:
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


def require_leaf(leaves: Iterable[Node]) -> None:
    """Raise `RuntimeError` if there is no leaf, or none but constants."""
    if all(leaf.parents or leaf.op is CONSTANT for leaf in leaves):
        raise RuntimeError(
            "backward() needs a leaf to differentiate with respect to, got a graph of constants "
            "alone: plain numbers, detached values or what was computed under no_grad()"
        )


def require_fresh(order: list[AnyNode]) -> None:
    """Raise `RuntimeError` if a leaf of a graph has changed since it was used."""
    if (changed := find_changed_leaf(order)) is not None:
        raise RuntimeError(
            "a derivative needs the data that the graph was computed with, but the leaf "
            f"{changed!r} has changed since; call refresh() on the root, or build the graph again"
        )


def require_plain_partials(order: Iterable[Node]) -> None:
    """Raise an error that names the operation if a partial of a graph is not a plain number."""
    for node in order:
        if node.op and node.parents:
            partials = node.partials()
            node.op.require_partials(partials, len(partials))
            if any(isinstance(partial, Node) for partial in partials):
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
    nodes, numbers = list(nodes), list(data)
    if not {float}.issuperset(map(type, numbers)):
        numbers = list(map(number, numbers))
    count = len(nodes)
    names = ["_real"] * count + ["_stamp"] * count + ["_walk"] * count
    walks = [x._walk if x.parents or x._walk is NONE else MOVED for x in nodes]
    call_each(setattr, nodes * 3, names, numbers + [advance_clock()] * count + walks)


def set_gradients(nodes: Iterable[Node], gradients: Iterable[float]) -> None:
    """Set the gradients of many nodes, all in one go: numbers, which are not checked again."""
    nodes, numbers = list(nodes), list(gradients)
    inner = [node for node in nodes if node.parents]
    names = ["_walk"] * len(inner) + ["_grad"] * len(nodes)
    with changing:
        call_each(setattr, inner + nodes, names, [NONE] * len(inner) + numbers)


def step_back(node: Any) -> None:
    """Add to each parent's gradient its share of the node's own: a step of `backward`, by hand.

    >>> from microgrid import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> y.grad = 1.0; y._backward(); x.grad
    6.0
    """
    if node.parents:
        for parent, share in zip(node.parents, node.chain(node.grad), strict=True):
            if share is not None and parent.op is not CONSTANT:
                parent.grad += share


def zero_grad(leaves: Iterable[Node]) -> None:
    """Set the `grad` of every given `Value` to 0.

    Raises:
        TypeError: it is not a list of Values.

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
