"""The graph: a `Value` is a number that remembers how it was computed, and can be differentiated.

Every operation makes a node that points to its operands, so that the last one holds the whole
graph. `backward` goes through it from the end. By the chain rule each node passes its own gradient
on to its parents, times the derivative with respect to each; shares that reach a node along several
paths are added up. Parents come before their children in the order of the graph, so that in reverse
all the shares of a node are there before it passes its gradient on.

The derivatives themselves are rows of the table in `core.primitive` and `functional`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never, TypeVar, final

from .core import graph
from .core.array_rules import apply_to_arrays, has_elements
from .core.copying import deepcopy_node, reduce_node, walk_over_copy
from .core.graph import MOVED, NONE, Node, Walk, no_grad, topological_order, zero_grad
from .core.modes import current, unrecorded, watched
from .core.operators import Arithmetic, set_quick_operators
from .core.primitive import CONSTANT, Operand, Primitive, family, locate
from .core.reals import Real, number, number_beside, number_of_kind
from .guards import mistakes
from .guards.locks import is_held
from .guards.mistakes import Absent, Checked, Fixed, guard

__all__ = ["Primitive", "Value", "family", "no_grad", "topological_order", "zero_grad"]

blank = object.__new__

Share = TypeVar("Share", float, Arithmetic)


@final
class Value(Node):
    """A real number that remembers how it was computed.

    `data` is the number: a float, or a `Fraction`, which stays exact. `op` is the `Primitive` that
    made it and `parents` are its operands. A leaf has no parents, and no `op` unless it is a
    constant. `grad` is the derivative that `backward` stored here. It computes, compares and
    formats as a float does. But its hash is its identity: a set or a dict finds a node; `in` a list
    finds the first equal number. For a node in a list write `any(item is node for item in items)`.

    Raises:
        TypeError: the data is not a real number, or the label is not a string.

    >>> a, b = Value(2.0, label="a"), Value(-3.0)
    >>> (a * b + 10.0).backward()
    >>> a, b
    (Value(data=2.0, grad=-3.0, label='a'), Value(data=-3.0, grad=2.0))
    >>> a == 2.0, a in [Value(2.0)], a in {Value(2.0)}, a.conjugate() is a
    (True, True, False, True)
    >>> a.data = 5.0; a.refresh(); a.item(), a.detach().is_constant
    (5.0, True)
    """

    __slots__ = ()
    label: Checked[str | None] = guard("_label", mistakes.require_label, "A name, or None.")

    __reduce__, __deepcopy__ = reduce_node, deepcopy_node

    def __init_subclass__(cls) -> None:
        mistakes.refuse_subclass(cls)

    def __init__(self, data: Real, label: str | None = None, *more: Never, **named: Never) -> None:
        if more or named or (label is not None and not isinstance(label, str)):
            mistakes.refuse(data, label, more, named)
        self._real = data if type(data) is float else number(data)
        self._grad: float = 0.0 if type(data) is float else type(self._real)()
        self.parents: tuple[Value, ...] = ()
        self.op: Primitive | None = None
        self._label = label
        self._stamp = graph.clock
        self._walk = NONE  # that `backward` came by on last; `_sum` is what came in then

    def record(self, op: Primitive, operands: tuple[Any, ...]) -> Value:
        """Return the node of applying `op` to operands, plain numbers among them made constants."""
        try:
            numbers = [parent._real for parent in operands]
        except AttributeError:
            for operand in operands:
                if isinstance(operand, Operand):
                    if operand.is_traced or not isinstance(operand, Value):
                        return operand.record(op, operands)  # type: ignore[return-value]  # or that
                elif type(operand) is not float and has_elements(operand):
                    elements: Value = apply_to_arrays(op, operands)
                    return elements
            operands = tuple([x if isinstance(x, Value) else self._constant(x) for x in operands])
            numbers = [parent._real for parent in operands]
        try:
            data = op.forward(*numbers)
        except (ArithmeticError, ValueError) as error:
            raise locate(error, op, operands) from None
        return self._node(op, operands, data)

    def _node(self, op: Primitive, operands: tuple[Any, ...], data: object) -> Value:
        if type(data) is float and not unrecorded and not watched:
            node = blank(Value)  # skips the checks of __init__, which are for the user's data
            node._real = data
            node._grad = 0.0
            node.parents = operands
            node.op = op
            node._label = None
            node._walk = NONE
            node._stamp = graph.clock
            return node
        node = self._constant(number(data))
        if not (unrecorded and current(unrecorded)):
            node.parents, node.op = operands, op
        if watched and (watch := current(watched)):
            watch.check_node(node, op, operands)
        return node

    def _constant(self, x: object) -> Value:
        constant = blank(Value)
        constant._real = data = x if type(x) is float else number_beside(x, type(self._real))
        constant._grad = 0.0 if type(data) is float else type(data)()
        constant.parents, constant.op = (), CONSTANT
        constant._label, constant._walk, constant._stamp = None, NONE, graph.clock
        return constant

    @property
    def data(self) -> float:
        """The number. A leaf's may be set at any time, an inner node's never."""
        return self._real

    @data.setter
    def data(self, data: Real) -> None:
        if self.parents:
            raise AttributeError("only a leaf's data can be set; set a leaf's, then call refresh()")
        walk = self._walk if self._walk is NONE else MOVED
        self._real, self._stamp, self._walk = number(data), graph.advance_clock(), walk  # in one go

    @property
    def grad(self) -> float:
        """What `backward` stored here; None if it was set to None."""
        if self.parents and self._walk.done <= graph.clock:
            return type(self._real)() if self._sum is None else self._sum
        return self._grad

    @grad.setter
    def grad(self, g: float | None) -> None:
        mistakes.require_gradient(g)
        if self.parents:
            self._walk = NONE
        self._grad = g  # type: ignore[assignment]  # it may be None, of which hints say nothing

    @property
    def is_constant(self) -> bool:
        """Whether this is a leaf without gradient: a plain number, or one computed in `no_grad`."""
        return self.op is CONSTANT

    def item(self) -> float:
        """Return the number, without its graph."""
        return self._real

    def detach(self) -> Value:
        """Return a constant with the same data."""
        return self._constant(self._real)

    def partials(self) -> tuple[float | None, ...]:
        """Return the derivatives with respect to the parents, at their current data.

        >>> (Value(2.0) * Value(3.0)).partials()
        (3.0, 2.0)
        """
        op, parents = self.op, self.parents
        if op is None or not parents:
            return ()
        try:
            if len(parents) == 1:  # to unpack a list takes five times as long
                partials = op.partials(self._real, parents[0]._real)
            else:
                partials = op.partials(self._real, *[parent._real for parent in parents])
        except (ArithmeticError, ValueError) as error:
            raise locate(error, op, parents, of_derivative=True, node=self) from None
        if type(partials) is not tuple or len(partials) != len(parents):
            op.require_partials(partials, len(parents))
        return partials

    def chain(self, g: Share) -> list[Share | None]:
        """Return each parent's share of an upstream gradient: `g` times its partial.

        >>> (Value(2.0) * Value(3.0)).chain(10.0)
        [30.0, 20.0]
        """
        g = g if isinstance(g, (float, Operand)) else number_of_kind(g, type(self._real))
        return [None if partial is None else g * partial for partial in self.partials()]

    def backward(self, seed: float = 1.0) -> None:
        """Accumulate d(self)/d(leaf) times the seed into each leaf's `grad`; set inner nodes' own.

        Constants get no gradient. After an exception every `grad` is as it was.

        Raises:
            RuntimeError: a leaf has changed since it was used, or all leaves are constants.

        >>> x = Value(3.0)
        >>> y = x**3
        >>> y.backward(); y.backward()
        >>> x.grad
        54.0
        """
        total = number_of_kind(seed, type(self._real))
        if is_held(graph.changing):  # by a walk that a signal's handler, or a rule, has come amid
            walk_over_copy(self, total)
            return
        with graph.changing:  # one walk at a time, as it keeps its sums in the nodes
            walk = Walk()
            try:
                walk.gather(self)
                self._pass_back(total, walk)
                mistakes.warn_of_stale(walk.stale(), len(walk.moved))
                walk.finish()
            except BaseException:
                walk.abandon()
                raise

    def _pass_back(self, seed: float, walk: Walk) -> None:
        """Add up in each node's `_sum` what comes in from above."""
        now, self._sum = graph.clock, seed
        for node in reversed(walk.inner):
            g, parents = node._sum, node.parents
            if g is None:
                continue  # nothing has come in
            try:
                if len(parents) == 2:  # as most have: in half of the time, without a list
                    x, y = parents
                    partials = node.op.partials(node._real, x._real, y._real)
                    if type(partials) is tuple:
                        by_x, by_y = partials
                        if by_x is not None:
                            share, total = g * by_x, x._sum
                            x._sum = share if total is None else total + share
                        if by_y is not None:
                            share, total = g * by_y, y._sum
                            y._sum = share if total is None else total + share
                        continue
                shares = node.chain(g)
            except (ArithmeticError, ValueError):
                if node in graph.dependents(walk.inner, walk.leaves):
                    node.partials()  # which says where it was
                    raise
                continue  # only constants are behind it
            except TypeError:
                graph.require_plain_partials(walk.inner)
                raise
            for parent, share in zip(parents, shares):  # noqa: B905 (takes longer)
                if share is not None:
                    total = parent._sum
                    parent._sum = share if total is None else total + share
        if watched and (watch := current(watched)):
            watch.check_sums({node: node._sum for node in topological_order(self)})
        if graph.clock != now:  # a signal's handler, or a rule, has set a leaf
            graph.require_fresh(topological_order(self))

    def refresh(self) -> None:
        """Compute again, in place, the nodes that are older than the leaves they depend on.

        If it raises, all data is as it was.
        """
        fresh: dict[Value, float] = {}
        for node in topological_order(self):
            if node.op and any(p in fresh or p._stamp > node._stamp for p in node.parents):
                numbers = [fresh.get(p, p._real) for p in node.parents]
                try:
                    fresh[node] = number(node.op.forward(*numbers))
                except (ArithmeticError, ValueError) as error:
                    labels = [parent.label for parent in node.parents]
                    raise locate(error, node.op, [*map(Value, numbers, labels)]) from None
        graph.set_data(fresh, fresh.values())

    def conjugate(self) -> Value:
        """Return this, which is real, as np.var asks for its conjugate."""
        return self

    def __format__(self, spec: str) -> str:
        return format(float(self._real), spec) if spec else repr(self)

    def __repr__(self) -> str:
        label = "" if self.label is None else f", label={self.label!r}"
        return f"Value(data={self._real!r}, grad={self.grad!r}{label})"

    # micrograd's drawing code, which lives in people's notebooks, reads these two.
    _prev = property(lambda self: set(self.parents))
    _op = property(lambda self: self.op.name if self.parents else "")
    if not TYPE_CHECKING:
        _backward = Fixed(graph.step_back, "its step is its op's; write a Primitive of your own")
        requires_grad = Absent("every leaf has a gradient; v.detach() is a constant, without one")
        numpy = Absent("read its number as v.data")
        zero_grad = Absent("write v.grad = 0.0, or zero_grad(leaves)")

    def __dir__(self) -> list[str]:
        hidden = Absent, Fixed
        return [x for x in dir(type(self)) if not isinstance(vars(Value).get(x), hidden)]


set_quick_operators(Value)
