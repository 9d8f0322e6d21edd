"""A tiny engine that is right, and engines that differ from it by one mistake each.

The mistakes are those that engines of this kind are known for. `BROKEN` names, for each of them,
the laws of `conformance` that find it out, those and no others: so the laws themselves are tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["BROKEN", "Tiny"]

BROKEN: dict[type[Tiny], set[str]] = {}


def breaks(*names: str) -> Callable[[type[Tiny]], type[Tiny]]:
    """Enter an engine into `BROKEN`, with the names of the laws that it breaks."""

    def enter(engine: type[Tiny]) -> type[Tiny]:
        BROKEN[engine] = set(names)
        return engine

    return enter


def of_nodes(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make a node of the other operand; what is no number may have its own way with a node."""

    @wraps(method)
    def operation(x: Any, y: Any) -> Any:
        y = type(x)(y) if isinstance(y, int | float) else y
        return method(x, y) if isinstance(y, Tiny) else NotImplemented

    return operation


class Tiny:
    """A right engine, in which a node keeps its parents, and the partial derivative by each.

    >>> x = Tiny(3.0)
    >>> (x * x + x).backward()
    >>> x.grad
    7.0
    """

    def __init__(self, data: Any, *edges: tuple[Any, Any]) -> None:
        self.data, self.grad = float(data), 0.0
        self.parents = tuple([parent for parent, _ in edges])
        self.partials = tuple([partial for _, partial in edges])

    def order(self) -> list[Any]:
        """Return every node that this one depends on, parents first."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *[(parent, False) for parent in node.parents]]
        return order

    def backward(self) -> None:
        """Add the derivative of this node by each leaf to the leaf's gradient."""
        order = self.order()
        for node in order:
            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            node.hand_on()

    def hand_on(self) -> None:
        """Add to each parent its share of the gradient."""
        for parent, partial in zip(self.parents, self.partials, strict=True):
            parent.grad += self.grad * partial

    @of_nodes
    def __add__(self, y: Any) -> Any:
        return type(self)(self.data + y.data, (self, 1.0), (y, 1.0))

    @of_nodes
    def __sub__(self, y: Any) -> Any:
        return type(self)(self.data - y.data, (self, 1.0), (y, -1.0))

    @of_nodes
    def __mul__(self, y: Any) -> Any:
        return type(self)(self.data * y.data, (self, y.data), (y, self.data))

    @of_nodes
    def __truediv__(self, y: Any) -> Any:
        out = self.data / y.data
        return type(self)(out, (self, 1.0 / y.data), (y, -out / y.data))

    @of_nodes
    def __pow__(self, y: Any) -> Any:
        x, n = self.data, y.data
        by_base = n * math.pow(x, n - 1.0) if n else 0.0
        by_exponent = math.pow(x, n) * math.log(x) if x > 0.0 else 0.0
        return type(self)(math.pow(x, n), (self, by_base), (y, by_exponent))

    @of_nodes
    def __radd__(self, y: Any) -> Any:
        return y + self

    @of_nodes
    def __rsub__(self, y: Any) -> Any:
        return y - self

    @of_nodes
    def __rmul__(self, y: Any) -> Any:
        return y * self

    @of_nodes
    def __rtruediv__(self, y: Any) -> Any:
        return y / self

    def __neg__(self) -> Any:
        return type(self)(-self.data, (self, -1.0))

    def exp(self) -> Any:
        """Return e to the power of this number."""
        out = math.exp(self.data)
        return type(self)(out, (self, out))

    def log(self) -> Any:
        """Return the natural logarithm."""
        return type(self)(math.log(self.data), (self, 1.0 / self.data))

    def tanh(self) -> Any:
        """Return the hyperbolic tangent."""
        out = math.tanh(self.data)
        return type(self)(out, (self, 1.0 - out * out))

    def relu(self) -> Any:
        """Return the number where it is positive, else 0."""
        return type(self)(0.0 if self.data < 0.0 else self.data, (self, float(self.data > 0.0)))

    def clip(self, low: float, high: float) -> Any:
        """Return the number held between two bounds."""
        out = low if self.data < low else high if self.data > high else self.data
        return type(self)(out, (self, float(low <= self.data <= high)))


# ---- mistakes in the walk over the graph


@breaks(
    "a node used twice gets both shares",
    "a node passes its gradient on once it is complete",
    "a shared node is walked once",
    "nodes with equal numbers are different nodes",
    "a leaf adds up the gradients of all graphs",
    "a second backward adds the same once more",
    "between two passes it is enough to zero the leaves",
    "two roots may share a node",
    "a root may stand inside another graph",
    "x - y has its derivatives",
    "x / y has its derivatives",
    "-x and +x have their derivatives",
    "a number may stand on the left",
    "x ** n has its derivative",
    "x ** y has both derivatives",
    "x.exp() has its derivative",
    "x.log() has its derivative",
    "x.relu() has its derivative",
    "x.tanh() has its derivative",
    "random programs have their exact gradients",
)
class KeepsTheLastShare(Tiny):
    """A share takes the place of the one before it: `=` for `+=`."""

    def hand_on(self) -> None:
        for parent, partial in zip(self.parents, self.partials, strict=True):
            parent.grad = self.grad * partial


@breaks(
    "a node passes its gradient on once it is complete",
    "a shared node is walked once",
    "a second backward adds the same once more",
    "between two passes it is enough to zero the leaves",
    "two roots may share a node",
    "a root may stand inside another graph",
    "a graph may be 5000 nodes deep",
    "random programs have their exact gradients",
)
class HandsOnWhatItHas(Tiny):
    """A node hands on what it has so far each time that a share comes in, shares and all."""

    def order(self) -> list[Any]:
        return [self]

    def hand_on(self) -> None:
        for parent, partial in zip(self.parents, self.partials, strict=True):
            parent.grad += self.grad * partial
            parent.hand_on()


@breaks("a shared node is walked once", "a graph may be 5000 nodes deep")
class TakesEveryPath(Tiny):
    """Every path from the root is walked by itself: right, but paths double at each node."""

    def order(self) -> list[Any]:
        return [self]

    def backward(self, gradient: float = 1.0) -> None:
        self.grad += gradient
        for parent, partial in zip(self.parents, self.partials, strict=True):
            parent.backward(gradient * partial)


@breaks(
    "a node passes its gradient on once it is complete",
    "random programs have their exact gradients",
)
class VisitsTheNearestFirst(Tiny):
    """Nodes hand on in the order of their distance from the root, before all shares are in."""

    def order(self) -> list[Any]:
        order: list[Any] = [self]
        for node in order:
            order += [parent for parent in dict.fromkeys(node.parents) if parent not in order]
        return order[::-1]


@breaks(
    "a second backward adds the same once more",
    "between two passes it is enough to zero the leaves",
    "two roots may share a node",
    "a root may stand inside another graph",
    "a leaf that is the root keeps what it had",
)
class AddsToOldGradients(Tiny):
    """A pass begins with what the last one left in inner nodes."""

    def backward(self) -> None:
        self.grad = 1.0
        for node in reversed(self.order()):
            node.hand_on()


@breaks(
    "a leaf adds up the gradients of all graphs",
    "a second backward adds the same once more",
    "two roots may share a node",
    "a root may stand inside another graph",
    "a leaf that is the root keeps what it had",
)
class ForgetsTheLastGraph(Tiny):
    """A pass begins with gradients of 0 in leaves too: the gradients of two graphs never add up."""

    def backward(self) -> None:
        for node in self.order():
            node.grad = 0.0
        super().backward()


@breaks("a leaf that is the root keeps what it had")
class OverwritesItsRoot(Tiny):
    """A root's gradient is set to 1, even that of a leaf, which is to be added to."""

    def backward(self) -> None:
        self.grad = 0.0
        super().backward()


@breaks("a graph may be 5000 nodes deep")
class CallsItself(Tiny):
    """The walk is recursive, and ends where Python's stack does."""

    def order(self) -> list[Any]:
        order: dict[Any, None] = {}

        def visit(node: Any) -> None:
            if node not in order:
                for parent in node.parents:
                    visit(parent)
                order[node] = None

        visit(self)
        return list(order)


@breaks(
    "nodes with equal numbers are different nodes", "random programs have their exact gradients"
)
class MergesEqualNumbers(Tiny):
    """Nodes are equal where their numbers are, so the walk visits one of them."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tiny) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)


@breaks(
    "nodes with equal numbers are different nodes",
    "a graph may be 5000 nodes deep",
    "random programs have their exact gradients",
)
class LooksForNodesInAList(Tiny):
    """A set of nodes would do, but a list asks each whether its number is equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tiny) and self.data == other.data

    __hash__ = object.__hash__

    def order(self) -> list[Any]:
        order, seen, stack = list[Any](), list[Any](), [(self, False)]
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                order.append(node)
            elif node not in seen:
                seen.append(node)
                stack += [(node, True), *[(parent, False) for parent in node.parents]]
        return order


@breaks("x * x has two edges")
class KeepsASetOfParents(Tiny):
    """The parents are a set, in which `x * x` has one, and `x - y` no order."""

    def __init__(self, data: Any, *edges: tuple[Any, Any]) -> None:
        super().__init__(data)
        self._edges = edges
        self.parents = {parent for parent, _ in edges}  # type: ignore[assignment]

    def hand_on(self) -> None:
        for parent, partial in self._edges:
            parent.grad += self.grad * partial


# ---- mistakes in operators


@breaks("x - y has its derivatives", "a number may stand on the left")
class SubtractsWithTheWrongSign(Tiny):
    """The derivative of x - y by y is 1."""

    @of_nodes
    def __sub__(self, y: Any) -> Any:
        return type(self)(self.data - y.data, (self, 1.0), (y, 1.0))


@breaks("a number may stand on the left")
class SubtractsFromTheLeft(Tiny):
    """`2 - x` is x - 2."""

    @of_nodes
    def __rsub__(self, y: Any) -> Any:
        return self - y


@breaks("a number may stand on the left", "sum() adds up nodes")
class AddsFromTheRightForEver(Tiny):
    """`2 + x` is written as itself."""

    def __radd__(self, other: Any) -> Any:
        return other + self


@breaks("division is one true division")
class DividesByAPower(Tiny):
    """`x / y` is x * y**-1, which is rounded twice."""

    @of_nodes
    def __truediv__(self, y: Any) -> Any:
        return self * y**-1


@breaks("a number may stand on the left")
class DividesTheOtherWay(Tiny):
    """`2 / x` is one over x / 2: there is no `0 / x`."""

    @of_nodes
    def __rtruediv__(self, y: Any) -> Any:
        return (self / y) ** -1


@breaks("x ** 0, x ** 1 and x ** 2 are smooth at 0")
class HasNoPowerAtZero(Tiny):
    """The derivative of x**n is n * x**(n - 1) for every n, 0 as well."""

    @of_nodes
    def __pow__(self, y: Any) -> Any:
        x, n = self.data, y.data
        by_exponent = math.pow(x, n) * math.log(x) if x > 0.0 else 0.0
        return type(self)(math.pow(x, n), (self, n * math.pow(x, n - 1.0)), (y, by_exponent))


@breaks("a negative base never turns complex")
class TurnsComplex(Tiny):
    """A power is computed by `**`, which makes complex numbers."""

    @of_nodes
    def __pow__(self, y: Any) -> Any:
        if self.data >= 0.0:
            return super().__pow__(y)
        x, n = self.data, y.data
        out = type(self)(0.0, (self, n * x ** (n - 1.0)), (y, 0.0))
        out.data = x**n
        return out


@breaks("x ** y has both derivatives")
class ForgetsTheExponent(Tiny):
    """The derivative of x**y by y is 0: an exponent that is learned never moves."""

    @of_nodes
    def __pow__(self, y: Any) -> Any:
        out = super().__pow__(y)
        return type(self)(out.data, (self, out.partials[0]), (y, 0.0))


@breaks("x += 1 leaves the old node as it is")
class AddsInPlace(Tiny):
    """`x += 1` changes the node that x was, and what was computed from it is wrong."""

    def __iadd__(self, other: Any) -> Any:
        self.data += other.data if isinstance(other, Tiny) else other
        return self


@breaks("comparisons compare the numbers")
class ComparesNodes(Tiny):
    """`x < y` is a node, which is true whatever it holds."""

    @of_nodes
    def __lt__(self, y: Any) -> Any:
        return type(self)(self.data < y.data)


# ---- mistakes in functions


@breaks("far out a function comes to its limit", "x.tanh() has its derivative")
class DerivesTanhByItsOperand(Tiny):
    """The derivative of tanh is 1 - x**2, where it is 1 - tanh(x)**2."""

    def tanh(self) -> Any:
        return type(self)(math.tanh(self.data), (self, 1.0 - self.data**2))


@breaks("far out a function comes to its limit")
class OverflowsFarOut(Tiny):
    """tanh is a quotient of exponentials, which overflow."""

    def tanh(self) -> Any:
        power = math.exp(2.0 * self.data)
        out = (power - 1.0) / (power + 1.0)
        return type(self)(out, (self, 1.0 - out * out))


@breaks("a pole is an error or infinite", "x.log() has its derivative")
class KeepsOffThePole(Tiny):
    """log is that of a number a little greater, so that there is one of 0."""

    def log(self) -> Any:
        near = self.data + 1e-8
        return type(self)(math.log(near), (self, 1.0 / near))


@breaks("nan is not hidden")
class HidesNaN(Tiny):
    """relu makes 0 of what is no number."""

    def relu(self) -> Any:
        return type(self)(max(0.0, self.data), (self, float(self.data > 0.0)))


@breaks("a clamp is flat outside of its bounds")
class PassesTheClamp(Tiny):
    """The gradient goes through a clamp where the number was cut off."""

    def clip(self, low: float, high: float) -> Any:
        return type(self)(super().clip(low, high).data, (self, 1.0))


# ---- mistakes in what a node is


@breaks("a gradient belongs to the numbers it was computed with")
class ReadsDataLate(Tiny):
    """The partial derivatives of a product are read when the pass comes by."""

    @of_nodes
    def __mul__(self, y: Any) -> Any:
        return type(self)(self.data * y.data, (self, lambda: y.data), (y, lambda: self.data))

    def hand_on(self) -> None:
        for parent, partial in zip(self.parents, self.partials, strict=True):
            parent.grad += self.grad * (partial() if callable(partial) else partial)


@breaks("there is no silent way out of the graph")
class LeaksThroughFloat(Tiny):
    """`float(x)` works, and `math.exp(x)` gives a number without a gradient."""

    def __float__(self) -> float:
        return self.data


@breaks("a copy keeps its number", "a copied graph feeds the copied leaf")
class CopiesWithoutItsNumber(Tiny):
    """A copy is made of nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (0.0,)


@breaks("data that is not a number is refused")
class TakesAnything(Tiny):
    """A node is made of whatever comes."""

    def __init__(self, data: Any, *edges: tuple[Any, Any]) -> None:
        super().__init__(0.0, *edges)
        self.data = data


@breaks("a graph is freed with its last name")
class RefersToItself(Tiny):
    """A node keeps a function of its own, and with that itself."""

    def __init__(self, data: Any, *edges: tuple[Any, Any]) -> None:
        super().__init__(data, *edges)
        self.step = self.hand_on
