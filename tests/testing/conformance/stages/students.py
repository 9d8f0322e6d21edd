"""Engines as students write them, half done and wrong: what each is told at each stage.

The right ones grow from stage to stage. A wrong one names the stages that it passes all the same,
the first task that it gets wrong, and words of the hint that it is to be given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["RIGHT", "WRONG", "Told", "WithOtherNames"]


class Told(NamedTuple):
    """What a student is told of a class that is held against the stages up to one."""

    stage: int
    passed: tuple[int, ...]
    wrong: str
    hint: str
    missing: str = ""


RIGHT: dict[type, tuple[int, str]] = {}
WRONG: dict[type, Told] = {}


def reaches(stage: int, following: str) -> Callable[[type], type]:
    """Enter a class that is right up to a stage, and words of what it is told to write next."""

    def enter(kind: type) -> type:
        RIGHT[kind] = stage, following
        return kind

    return enter


def told(*words: Any, missing: str = "") -> Callable[[type], type]:
    """Enter a class with what its author is told."""

    def enter(kind: type) -> type:
        WRONG[kind] = Told(*words, missing=missing)
        return kind

    return enter


# ---- right, as far as they go


@reaches(1, "__add__")
class One:
    """A number that remembers: nothing else."""

    def __init__(self, data: Any, children: Any = (), op: str = "") -> None:
        self.data, self.grad, self._prev, self._op = data, 0.0, tuple(children), op

    def __repr__(self) -> str:
        return f"Value(data={self.data})"


@reaches(2, "_backward")
class Two(One):
    """With + and *."""

    def __add__(self, other: Any) -> Any:
        return type(self)(self.data + other.data, (self, other), "+")

    def __mul__(self, other: Any) -> Any:
        return type(self)(self.data * other.data, (self, other), "*")


@reaches(3, "backward(self)")
class Three(Two):
    """With a step back in each node; `=` in the place of `+=`, as in the lecture at first."""

    def __init__(self, data: Any, children: Any = (), op: str = "") -> None:
        super().__init__(data, children, op)
        self._backward = lambda: None

    def __add__(self, other: Any) -> Any:
        out = super().__add__(other)

        def step() -> None:
            self.grad, other.grad = out.grad, out.grad

        out._backward = step
        return out

    def __mul__(self, other: Any) -> Any:
        out = super().__mul__(other)

        def step() -> None:
            self.grad, other.grad = other.data * out.grad, self.data * out.grad

        out._backward = step
        return out


def order_of(root: Any) -> list[Any]:
    order: list[Any] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack += [(node, True), *[(parent, False) for parent in node._prev]]
    return order


@reaches(4, "")  # nothing is missing at stage 5, but `=` is wrong there
class Four(Three):
    """With `backward`, in an order that is right."""

    def backward(self) -> None:
        self.grad = 1.0
        for node in reversed(order_of(self)):
            node._backward()


@reaches(5, "make a node of `other`")
class Five(One):
    """With shares that add up; the slopes are kept, as the lecture's closures would keep them."""

    def __init__(self, data: Any, children: Any = (), op: str = "", slopes: Any = ()) -> None:
        super().__init__(data, children, op)
        self.slopes = slopes

    def node(self, data: float, op: str, *edges: tuple[Any, float]) -> Any:
        return type(self)(data, [node for node, _ in edges], op, [slope for _, slope in edges])

    def __add__(self, other: Any) -> Any:
        return self.node(self.data + other.data, "+", (self, 1.0), (other, 1.0))

    def __mul__(self, other: Any) -> Any:
        return self.node(self.data * other.data, "*", (self, other.data), (other, self.data))

    def _backward(self) -> None:
        for parent, slope in zip(self._prev, self.slopes, strict=True):
            parent.grad += slope * self.grad

    def backward(self) -> None:
        order = order_of(self)
        for node in order:
            node.grad = 0.0 if node._prev else node.grad
        self.grad += 1.0
        for node in reversed(order):
            node._backward()


@reaches(8, "")
class Six(Five):
    """With the other operations, from which neurons and trainings follow."""

    def of(self, x: Any) -> Any:
        return x if isinstance(x, One) else type(self)(x)

    def __add__(self, other: Any) -> Any:
        return super().__add__(self.of(other))

    def __mul__(self, other: Any) -> Any:
        return super().__mul__(self.of(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Any:
        return self * -1.0

    def __sub__(self, other: Any) -> Any:
        return self + -self.of(other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        y = self.of(other)
        out = self.data / y.data
        return self.node(out, "/", (self, 1.0 / y.data), (y, -out / y.data))

    def __rtruediv__(self, other: Any) -> Any:
        return self.of(other) / self

    def __pow__(self, n: Any) -> Any:
        assert isinstance(n, int | float), "a power needs a plain number"
        slope = n * math.pow(self.data, n - 1) if n else 0.0
        return self.node(math.pow(self.data, n), f"**{n}", (self, slope))

    def tanh(self) -> Any:
        out = math.tanh(self.data)
        return self.node(out, "tanh", (self, 1.0 - out * out))


# ---- wrong at stage 1


class Empty:
    """The empty class that a lesson begins with."""


WRONG[Empty] = Told(1, (), "a node is made from a number", "What does `__init__` ask for", "data")


@told(1, (), "a node is made from a number", "What does `__init__` ask for", missing="keeps the")
class AsksForTwo:
    """`__init__` asks for more than a number."""

    def __init__(self, data: Any, label: str) -> None:
        self.data, self.label, self.grad, self._prev = data, label, 0.0, ()


@told(1, (), "a node keeps its number", "what `__init__` does with its argument")
class KeepsTheFirst(One):
    """The number is kept in the class: all nodes share it."""

    def __init__(self, data: Any, children: Any = ()) -> None:
        type(self).data = data
        self.grad, self._prev = 0.0, children


@told(1, (), "a node has a gradient, 0 to begin with", "Nobody has asked for a gradient yet")
class BeginsWithOne(One):
    """Every gradient begins with 1."""

    def __init__(self, data: Any, children: Any = (), op: str = "") -> None:
        super().__init__(data, children, op)
        self.grad = 1.0


# ---- wrong at stage 2


@told(2, (1,), "a sum has its number", "what does it return?")
class ReturnsNumbers(Two):
    """An operation returns a plain number."""

    def __add__(self, other: Any) -> Any:
        return super().__add__(other).data

    def __mul__(self, other: Any) -> Any:
        return super().__mul__(other).data


@told(2, (1,), "a sum has its number", "what does it return?")
class ForgetsToReturn(Two):
    """`__add__` makes the node and returns nothing."""

    def __add__(self, other: Any) -> Any:
        super().__add__(other)


@told(2, (1,), "a product has its number", "Which numbers does your method multiply")
class AddsForTimes(Two):
    """The method was copied, and its sign was not changed."""

    def __mul__(self, other: Any) -> Any:
        return type(self)(self.data + other.data, (self, other), "*")


@told(2, (1,), "an operation leaves its operands as they are", "Where does your method put")
class ChangesItself(Two):
    """The sum is put into the left operand."""

    def __add__(self, other: Any) -> Any:
        self.data += other.data
        return self


@told(2, (1,), "a result remembers its operands", "What does the new node know")
class RemembersOne(Two):
    """The node knows its left operand alone."""

    def __add__(self, other: Any) -> Any:
        return type(self)(self.data + other.data, (self,), "+")


@told(2, (1,), "a sum has its number", "Which numbers does your method add")
class MisspellsAnAttribute(Two):
    """`other.dat` is a slip of the pen."""

    def __add__(self, other: Any) -> Any:
        return type(self)(self.data + other.dat, (self, other), "+")


# ---- wrong at stage 3


@told(3, (1, 2), "a product passes its gradient on", "by how much does x * w rise")
class SwapsTheOperands(Three):
    """The slope by an operand is that operand."""

    def __mul__(self, other: Any) -> Any:
        out = super().__mul__(other)

        def step() -> None:
            self.grad, other.grad = self.data * out.grad, other.data * out.grad

        out._backward = step
        return out


@told(3, (1, 2), "a step takes into account what came from above", "where does your step use it")
class ForgetsWhatCame(Three):
    """The local slope, without the node's own gradient."""

    def __mul__(self, other: Any) -> Any:
        out = super().__mul__(other)

        def step() -> None:
            self.grad, other.grad = other.data, self.data

        out._backward = step
        return out


@told(3, (1, 2), "a sum passes its gradient on", "Raise x by a little")
class NeverSetsTheStep(Three):
    """The step is written, and not kept in the node."""

    def __add__(self, other: Any) -> Any:
        return Two.__add__(self, other)


@told(3, (1, 2), "a sum passes its gradient on", "Raise x by a little")
class CallsTheStepAtOnce(Three):
    """`out._backward = step()`: the step is taken when it is made, and None is kept."""

    def __add__(self, other: Any) -> Any:
        out = super().__add__(other)
        out._backward = out._backward()
        return out


# ---- wrong at stage 4


@told(4, (1, 2, 3), "backward goes all the way back", "Write down the order")
class GoesForward(Four):
    """The order is not turned round."""

    def backward(self) -> None:
        self.grad = 1.0
        for node in order_of(self):
            node._backward()


@told(4, (1, 2, 3), "backward goes all the way back", "A leaf was not reached")
class ForgetsTheOne(Four):
    """The root's gradient is left at 0."""

    def backward(self) -> None:
        for node in reversed(order_of(self)):
            node._backward()


@told(4, (1, 2, 3), "backward goes all the way back", "A leaf was not reached")
class GoesOneStep(Four):
    """The operands are reached, and nothing below them."""

    def backward(self) -> None:
        self.grad = 1.0
        self._backward()


@told(4, (1, 2, 3), "a graph may be 5000 nodes deep", "Does your walk call itself")
class CallsItself(Four):
    """The walk is recursive."""

    def backward(self) -> None:
        order: list[Any] = []
        seen = set()

        def visit(node: Any) -> None:
            if node not in seen:
                seen.add(node)
                for child in node._prev:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()


@told(4, (1, 2, 3), "backward goes all the way back", "A leaf was not reached")
class HasNoEnd(Four):
    """The list of nodes still to visit never gets shorter."""

    def backward(self) -> None:
        stack = [self]
        while stack:
            node = stack[-1]
            node._backward()


# ---- wrong at stage 5


WRONG[Four] = Told(5, (1, 2, 3, 4), "a node used twice gets both shares", "The second share has")


@told(5, (1, 2, 3, 4), "a node passes its gradient on once it is complete", "In which order")
class NearestFirst(Five):
    """Breadth first from the root: a node may be taken before all that use it."""

    def backward(self) -> None:
        order, seen = [self], {self}
        for node in order:
            new = [parent for parent in dict.fromkeys(node._prev) if parent not in seen]
            order += new
            seen.update(new)
        for node in order:
            node.grad = 0.0 if node._prev else node.grad
        self.grad += 1.0
        for node in order:
            node._backward()


@told(5, (1, 2, 3, 4), "nodes with equal numbers are different nodes", "find out whether it")
class EqualByNumber(Five):
    """`__eq__` compares numbers, and so does the set of nodes that were seen."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, One) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def backward(self) -> None:
        seen = dict.fromkeys(order_of(self))
        for node in seen:
            node.grad = 0.0 if node._prev else node.grad
        self.grad += 1.0
        for node in reversed(seen):
            node._backward()


@told(5, (1, 2, 3, 4), "a second backward adds the same once more", "nodes in the middle")
class KeepsInnerGradients(Five):
    """The second pass begins with what the first left in the middle."""

    def backward(self) -> None:
        self.grad = 1.0
        for node in reversed(order_of(self)):
            node._backward()


# ---- wrong at stage 6 and later


@told(6, (1, 2, 3, 4, 5), "x - y has its derivatives", "different parts in a difference")
class SubtractsWithPlus(Six):
    """Both slopes of a difference are 1."""

    def __sub__(self, other: Any) -> Any:
        y = self.of(other)
        return self.node(self.data - y.data, "-", (self, 1.0), (y, 1.0))


@told(6, (1, 2, 3, 4, 5), "x ** n has its derivative", "Take the cube")
class ForgetsTheExponent(Six):
    """The slope of a power is the power below, without its factor."""

    def __pow__(self, n: Any) -> Any:
        return self.node(math.pow(self.data, n), f"**{n}", (self, math.pow(self.data, n - 1)))


@told(6, (1, 2, 3, 4, 5), "a number may stand on the left", "Which of the two is subtracted from")
class TurnsTheDifferenceRound(Six):
    """`2 - x` is x - 2."""

    def __rsub__(self, other: Any) -> Any:
        return self - other


@told(6, (1, 2, 3, 4, 5), "division is one true division", "How many operations")
class DividesByAPower(Six):
    """A quotient is a product with a power."""

    def __truediv__(self, other: Any) -> Any:
        return self * self.of(other) ** -1


@told(7, (1, 2, 3, 4, 5), "a function that bends", "may you use the result itself")
class SlopeOfTheOperand(Six):
    """The slope of tanh is 1 - x**2 here."""

    def tanh(self) -> Any:
        return self.node(math.tanh(self.data), "tanh", (self, 1.0 - self.data**2))


@told(8, (1, 2, 3, 4, 5, 6, 7), "a gradient belongs to the numbers", "Which numbers does each")
class ReadsLate(Six):
    """The slopes of a product are read when `backward` comes by."""

    def __mul__(self, other: Any) -> Any:
        y = self.of(other)
        out = super().__mul__(y)

        def step() -> None:
            self.grad += y.data * out.grad
            y.grad += self.data * out.grad

        out._backward = step
        return out


class WithOtherNames:
    """Stages 1 to 5 in other words: `number`, `slope`, `operands` and `backpropagate`."""

    def __init__(self, number: float, operands: Any = (), slopes: Any = ()) -> None:
        self.number, self.slope, self.operands, self.slopes = number, 0.0, operands, slopes

    def __add__(self, other: Any) -> Any:
        return WithOtherNames(self.number + other.number, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Any:
        slopes = other.number, self.number
        return WithOtherNames(self.number * other.number, (self, other), slopes)

    def backpropagate(self) -> None:
        order: list[Any] = []
        stack: list[tuple[Any, bool]] = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in order:
                stack += [(node, True), *[(operand, False) for operand in node.operands]]
        order = list(dict.fromkeys(order))
        for node in order:
            node.slope = 0.0 if node.operands else node.slope
        self.slope += 1.0
        for node in reversed(order):
            for operand, slope in zip(node.operands, node.slopes, strict=True):
                operand.slope += slope * node.slope
