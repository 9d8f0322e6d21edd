"""Copies and pickles of graphs of any depth; following parents one by one would overflow the stack.

A copy is made parents first. For a pickle each `Value` is asked how to store it: a leaf as it is,
any other node as its place in a flat list of all that it depends on. The next node that is asked
finds that list as long as the pickler (its memo) holds it, so what was shared stays shared.
"""

from __future__ import annotations

import copyreg
import math
import operator
import threading
from typing import Any
from weakref import ref

from ..engine import Value, advance_clock
from .graph import topological_order

__all__: list[str] = []


class _Places(threading.local):
    """Where this thread's flat lists that are alive hold which node."""

    def __init__(self) -> None:
        self.of: dict[Value, tuple[ref[_FlatGraph], int]] = {}


_places = _Places()


class _FlatGraph:
    """The nodes that a root depends on, parents first, but for leaves and those in other lists."""

    def __init__(self, root: Value) -> None:
        self.places = _places.of  # kept, as another thread may be the last to hold this list
        order = topological_order(root, known=self.places)
        self.nodes = [node for node in order if node.op]
        here = ref(self)
        self.places.update((node, (here, place)) for place, node in enumerate(self.nodes))

    def __del__(self) -> None:
        for node in self.nodes:
            del self.places[node]

    def __getitem__(self, place: int) -> Value:
        return self.nodes[place]  # a shallow copy of an inner node is that node

    def __reduce__(self) -> tuple[Any, ...]:
        index = {node: place for place, node in enumerate(self.nodes)}
        outside: list[Value] = []  # what the nodes depend on beside each other
        wiring: list[int] = []
        for node in self.nodes:
            wiring.append(len(node.parents))
            for parent in node.parents:
                if parent not in index:
                    outside.append(parent)
                    index[parent] = -len(outside)
                wiring.append(index[parent])
        fields = [[getattr(n, name) for n in self.nodes] for name in _FIELDS]
        return _rebuild, (outside, wiring, *fields)


_FIELDS = ("_real", "_grad", "_label", "op", "_stamp")


def _restore(data: Any, grad: Any, label: str | None, op: Any, stamp: int) -> Value:
    node = Value.__new__(Value)
    node._real, node._grad, node._label, node.op, node._stamp = data, grad, label, op, stamp
    node.parents, node._collected = (), math.inf
    return node


def _restore_leaf(data: Any, grad: Any, label: str | None, op: Any, stamp: int) -> Value:
    advance_clock(stamp)  # of the process that stored it: a change from now on must be later
    return _restore(data, grad, label, op, stamp)


def _rebuild(outside: list[Value], wiring: list[int], *fields: list[Any]) -> list[Value]:
    nodes: list[Value] = []
    advance_clock(max(fields[_FIELDS.index("_stamp")]))
    numbers = iter(wiring)
    for row in zip(*fields, strict=True):
        indices = [next(numbers) for _ in range(next(numbers))]
        node = _restore(*row)
        node.parents = tuple([nodes[i] if i >= 0 else outside[-1 - i] for i in indices])
        nodes.append(node)
    return nodes


def _reduce(value: Value) -> tuple[Any, ...]:
    if not value.op:
        return _restore_leaf, tuple(getattr(value, name) for name in _FIELDS)
    if value not in _places.of:
        graph = _FlatGraph(value)  # kept alive by the tuple below
        return operator.getitem, (graph, len(graph.nodes) - 1)
    where, place = _places.of[value]
    return operator.getitem, (where(), place)


class _Copied:
    """The nodes that a deepcopy's memo holds, which it keeps by their identity."""

    def __init__(self, memo: dict[int, Any]) -> None:
        self.memo = memo

    def __contains__(self, node: object) -> bool:
        return id(node) in self.memo


def _deepcopy(value: Value, memo: dict[int, Any]) -> Value:
    for node in topological_order(value, known=_Copied(memo)):
        copied = _restore(*[getattr(node, name) for name in _FIELDS])
        copied.parents = tuple([memo[id(parent)] for parent in node.parents])
        memo[id(node)] = copied
    root: Value = memo[id(value)]
    return root


copyreg.pickle(Value, _reduce)
Value.__deepcopy__ = _deepcopy  # type: ignore[attr-defined]  # the engine need not know of copies
