"""The graph: a `Value` is a number that remembers how it was computed, and can be differentiated.

Every operation makes a node that points to its operands, so that the last one holds the whole
graph. `backward` goes through it from the end. By the chain rule each node passes its own gradient
on to its parents, times the derivative with respect to each; shares that reach a node along several
paths are added up. Parents come before their children in the order of the graph, so that in reverse
all the shares of a node are there before it passes its gradient on.

The derivatives themselves are rows of the table in `core.primitive` and `functional`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Never, TypeVar, final

from .core import graph
from .core.array_rules import apply_to_arrays, is_array
from .core.copying import deepcopy_node, reduce_node
from .core.graph import (
    advance_clock,
    collect,
    dependents,
    no_grad,
    require_fresh,
    require_leaf,
    require_plain_partials,
    set_data,
    topological_order,
    zero_grad,
)
from .core.modes import current, unrecorded, watched
from .core.operators import Arithmetic
from .core.primitive import CONSTANT, Operand, Primitive, family, locate
from .core.reals import Real, number, number_beside, number_of_kind
from .guards.mistakes import (
    Absent,
    Checked,
    guard,
    refuse,
    refuse_subclass,
    require_gradient,
    require_label,
)

__all__ = ["Primitive", "Value", "family", "no_grad", "topological_order", "zero_grad"]

blank = object.__new__

Share = TypeVar("Share", float, Arithmetic)


@final
class Value(Arithmetic):
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

    __slots__ = ("__weakref__", "_collected", "_grad", "_label", "_real", "_stamp", "op", "parents")
    grad: Checked[float] = guard("_grad", require_gradient, "What `backward` has left here.")
    label: Checked[str | None] = guard("_label", require_label, "A name, or None.")

    if TYPE_CHECKING:  # `functional` makes its functions methods

        def acos(self) -> Value:
            """Return acos of this number; those below likewise."""

        acosh = asin = asinh = atan = atanh = cbrt = ceil = cos = cosh = erf = erfc = exp = acos
        exp2 = expm1 = floor = gelu = log = log10 = log1p = log2 = log_sigmoid = relu = acos
        sigmoid = sign = silu = sin = sinh = softplus = softsign = sqrt = tan = tanh = acos

        def atan2(self, x: Value | float) -> Value:
            """Return the angle of the point (x, this)."""

        def hypot(self, *others: Value | float) -> Value:
            """Return the length of the vector of this and others."""

        def clip(self, min: float | None = None, max: float | None = None) -> Value:
            """Return this, held between two constants."""

        def elu(self, alpha: float = 1.0) -> Value:
            """Return this where positive, else alpha * (exp(this) - 1)."""

        def leaky_relu(self, negative_slope: float = 0.01) -> Value:
            """Return this where positive, else negative_slope * this."""

    __reduce__, __deepcopy__ = reduce_node, deepcopy_node

    def __init_subclass__(cls) -> None:
        refuse_subclass(cls)

    def __init__(
        self, data: Real, label: str | None = None, *more: Never, **options: Never
    ) -> None:
        if more or options or (label is not None and not isinstance(label, str)):
            refuse(data, label, more, options)
        self._real = number(data)
        self._grad: float | None = type(self._real)()
        self.parents: tuple[Value, ...] = ()
        self.op: Primitive | None = None
        self._label = label
        self._stamp = graph.clock
        self._collected = math.inf  # when `backward` last came by: it has not yet

    def record(self, op: Primitive, operands: tuple[Any, ...]) -> Value:
        """Return the node of applying `op` to operands, plain numbers among them made constants."""
        try:
            numbers = [parent._real for parent in operands]
        except AttributeError:
            for operand in operands:
                if isinstance(operand, Value):
                    if operand.is_traced:
                        return operand.record(op, operands)
                elif type(operand) is not float and is_array(operand):
                    elements: Value = apply_to_arrays(op, operands)
                    return elements
            operands = tuple([x if isinstance(x, Value) else self._constant(x) for x in operands])
            numbers = [parent._real for parent in operands]
        try:
            data = op.forward(*numbers)
        except (ArithmeticError, ValueError) as error:
            raise locate(error, op, operands) from None
        if unrecorded and current(unrecorded):
            node = self._constant(data)
        else:
            node = blank(Value)  # skips the checks of __init__, which are for the user's data
            node._real = data if type(data) is float else number(data)
            node._grad = 0.0 if type(data) is float else type(node._real)()
            node.parents = operands
            node.op = op
            node._label = None
            node._stamp = graph.clock
        if watched and (watch := current(watched)):
            watch.check_node(node, op, operands)
        return node

    def _constant(self, x: object) -> Value:
        constant = blank(Value)
        constant._real = data = x if type(x) is float else number_beside(x, type(self._real))
        constant._grad, constant.parents, constant.op = type(data)(), (), CONSTANT
        constant._label, constant._stamp = None, graph.clock
        return constant

    @property
    def data(self) -> float:
        """The number. A leaf's may be set at any time, an inner node's never."""
        return self._real

    @data.setter
    def data(self, data: Real) -> None:
        if self.parents:
            raise AttributeError("only a leaf's data can be set; set a leaf's, then call refresh()")
        self._real, self._stamp = number(data), advance_clock()  # no signal parts them

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
        try:  # most have one or two parents; to unpack a list takes five times as long
            if len(parents) == 2:
                x, y = parents
                partials = op.partials(self._real, x._real, y._real)
            elif len(parents) == 1:
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
        now, order = graph.clock, topological_order(self)
        require_leaf(order)
        require_fresh(order, now)
        sums: dict[Value, float | None] = dict.fromkeys(order)  # None: nothing has come in yet
        sums[self] = number_of_kind(seed, type(self._real))
        try:
            for node in reversed(order):
                g, parents = sums[node], node.parents
                if parents and g is not None:
                    try:
                        partials = node.partials()
                    except (ArithmeticError, ValueError):
                        if node in dependents(order, [x for x in order if x.op is None]):
                            raise
                        continue  # only constants are behind it
                    # as `chain` does, but without the list, which costs a third of the time
                    for parent, partial in zip(parents, partials):  # noqa: B905 (takes longer)
                        if partial is not None:
                            share, total = g * partial, sums[parent]
                            sums[parent] = share if total is None else total + share
            if not {*map(type, sums.values())} <= {float, type(None)}:
                require_plain_partials(order)
        except TypeError:
            require_plain_partials(order)
            raise
        if watched and (watch := current(watched)):
            watch.check_sums(order, sums)
        if graph.clock != now:  # another thread, or a signal's handler, has set a leaf
            require_fresh(order)
        collect(sums, graph.clock)

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
        set_data(fresh, fresh.values())

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
        _backward = Absent("call backward() on the root, or node.chain(node.grad) for its shares")
        requires_grad = Absent("every leaf has a gradient; v.detach() is a constant, without one")
        numpy = Absent("read its number as v.data")
        zero_grad = Absent("write v.grad = 0.0, or zero_grad(leaves)")

    def __dir__(self) -> list[str]:
        return [name for name in dir(type(self)) if not isinstance(vars(Value).get(name), Absent)]
