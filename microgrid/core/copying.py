"""Copies and pickles of graphs of any depth; following parents one by one would overflow the stack.

A copy is made parents first. For a pickle each `Value` is asked how to store it: a leaf as it is,
any other node as its place in a flat list of all that it depends on. The next node that is asked
finds that list as long as the pickler (its memo) holds it, so what was shared stays shared.
"""

from __future__ import annotations

import math
import operator
import threading
from typing import Any
from weakref import ref

from ..guards.interrupts import call_each
from .graph import NONE, AnyNode, Node, Walk, advance_clock, topological_order
from .primitive import Primitive

__all__ = ["deepcopy_node", "reduce_node", "walk_over_copy"]


class _KnownPlaces(threading.local):
    """Where this thread's flat lists that are alive hold which node."""

    def __init__(self) -> None:
        self.of: dict[Node, tuple[ref[_FlatGraph], int]] = {}


_places = _KnownPlaces()


class _FlatGraph:
    """The nodes that a root depends on, parents first, except leaves and those in other lists."""

    def __init__(self, root: Node) -> None:
        self.places = _places.of  # kept, as another thread may be the last to hold this list
        order = topological_order(root, known=self.places)
        self.nodes = [node for node in order if node.op]
        here = ref(self)
        self.places.update((node, (here, place)) for place, node in enumerate(self.nodes))

    def __del__(self) -> None:
        for node in self.nodes:
            del self.places[node]

    def __getitem__(self, place: int) -> Node:
        return self.nodes[place]  # a shallow copy of an inner node is that node

    def __reduce__(self) -> tuple[object, ...]:
        index = {node: place for place, node in enumerate(self.nodes)}
        outside: list[Node] = []  # what the nodes depend on beside each other
        wiring: list[int] = []
        for node in self.nodes:
            wiring.append(len(node.parents))
            for parent in node.parents:
                if parent not in index:
                    outside.append(parent)
                    index[parent] = -len(outside)
                wiring.append(index[parent])
        fields = [[getattr(node, name) for node in self.nodes] for name in _FIELDS]
        return _rebuild, (type(self.nodes[-1]), outside, wiring, *fields)


_FIELDS = ("_real", "grad", "_label", "op", "_stamp")


def _restore(
    kind: type[AnyNode], data: float, grad: Any, label: str | None, op: Primitive | None, stamp: int
) -> AnyNode:
    node = kind.__new__(kind)  # without the checks of __init__, which are for the user's data
    node._real, node._grad, node._label, node.op, node._stamp = data, grad, label, op, stamp
    node.parents, node._walk = (), NONE
    return node


def _restore_leaf(kind: type[AnyNode], *fields: Any) -> AnyNode:
    leaf = _restore(kind, *fields)
    advance_clock(leaf._stamp)  # of the process that stored it: a change from now on must be later
    return leaf


def _rebuild(
    kind: type[AnyNode], outside: list[AnyNode], wiring: list[int], *fields: list[Any]
) -> list[AnyNode]:
    nodes: list[AnyNode] = []
    advance_clock(max(fields[_FIELDS.index("_stamp")]))
    numbers = iter(wiring)
    for row in zip(*fields, strict=True):
        indices = [next(numbers) for _ in range(next(numbers))]
        node = _restore(kind, *row)
        node.parents = tuple([nodes[i] if i >= 0 else outside[-1 - i] for i in indices])
        nodes.append(node)
    return nodes


def reduce_node(node: Node) -> tuple[object, ...]:
    """Return how to make a node again, as `__reduce__` does."""
    if not node.op:
        return _restore_leaf, (type(node), *[getattr(node, name) for name in _FIELDS])
    if node not in _places.of:
        graph = _FlatGraph(node)  # kept alive by the tuple below
        return operator.getitem, (graph, len(graph.nodes) - 1)
    where, place = _places.of[node]
    return operator.getitem, (where(), place)


class _Copies:
    """The nodes that a deepcopy's memo holds, which it keeps by their identity."""

    def __init__(self, memo: dict[int, object]) -> None:
        self.memo = memo

    def __contains__(self, node: object) -> bool:
        return id(node) in self.memo


def deepcopy_node(node: AnyNode, memo: dict[int, Any]) -> AnyNode:
    """Return a copy of a node and of all that it depends on, as `__deepcopy__` does."""
    for original in topological_order(node, known=_Copies(memo)):
        copied = _restore(type(node), *[getattr(original, name) for name in _FIELDS])
        copied.parents = tuple([memo[id(parent)] for parent in original.parents])
        memo[id(original)] = copied
    root: AnyNode = memo[id(node)]
    return root


def walk_over_copy(root: Node, seed: float) -> None:
    """Do what `backward` does amid another walk, whose sums in the nodes must stay as they are."""
    copies: dict[int, Any] = {}
    copy, walk = deepcopy_node(root, copies), Walk()
    walk.gather(copy)
    copy._pass_back(seed, walk)
    sums = {node: copies[id(node)]._sum for node in topological_order(root)}
    new: list[tuple[Node, str, Any]] = []
    for node, total in sums.items():
        if node.parents:
            total = type(node._real)() if total is None else total
            new.append((node, "_grad", total))
            if node._walk.done < math.inf:
                new.append((node, "_sum", total))
        elif node.op is None and total is not None:
            new.append((node, "_grad", total if node._grad is None else node._grad + total))
    call_each(setattr, *zip(*new, strict=True))
