"""Tracing: a Python function, run once on numbers that are not known yet, becomes a `Program`.

A `Traced` is a `Value` without a number. Whatever is done to it is recorded, and its derivatives
are graphs like those of any `Value`; what would need its number is refused.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from typing import Any, NamedTuple, NoReturn, TypeAlias

from ..calculus import Transform
from ..core import graph
from ..core.array_rules import Numeric, apply_to_arrays, has_elements
from ..core.graph import order_beyond
from ..core.modes import current, unrecorded
from ..core.operators import OPERATORS, by_ufunc, set_plain_operators
from ..core.primitive import (
    CONSTANT,
    Operand,
    Primitive,
    equal,
    less,
    less_equal,
    where,
)
from ..core.reals import number_of_kind
from ..derivatives.checkpoints import require_whole
from ..derivatives.trees import Structure, flatten
from ..engine import Value
from ..guards.checks import quote
from ..guards.interrupts import uninterrupted
from ..guards.locks import compiling
from .program import Draft, Program, as_values

__all__ = ["Traced", "nothing_swallowed", "trace", "unknown"]

blank = object.__new__


class Trace(NamedTuple):
    """A function's program, and the structure of what it returned.

    `captured` are the leaves from outside, which are constants of the program, with the data that
    they had.
    """

    program: Program
    structure: Structure
    captured: tuple[Value, ...]


def trace(
    f: Callable[..., object],
    names: Sequence[str],
    arguments: Callable[[list[Traced]], tuple[Sequence[object], Mapping[str, object]]],
    write: Callable[[Sequence[Value], Sequence[Value], Iterable[Value]], Program] = Draft.of_graph,
) -> Trace:
    """Run a function once on traced numbers, and return its trace.

    Args:
        f: what to trace.
        names: one for each traced number.
        arguments: makes the positional and the named arguments of f from the traced numbers.
        write: makes the program of a graph: `Draft.of_graph`, or `optimize_graph`.

    Raises:
        TypeError: f branches on a traced number, reads it, or returns something other than numbers
            in lists, tuples and dicts.

    >>> program, *_ = trace(lambda x, y: [x * y, x], ["x", "y"], lambda xs: (xs, {}))
    >>> program
    program(x, y):  # 1 operation
        v1 = x * y
        return v1, x
    """
    inputs = [Traced(name) for name in names]
    args, kwargs = arguments(inputs)
    with nothing_swallowed():
        result = (f.owning() if isinstance(f, Transform) else f)(*args, **kwargs)
    try:
        outputs, structure = flatten(result)
    except TypeError:
        raise TypeError(
            "a compiled function must return numbers, or lists, tuples and dicts of them, got "
            f"{quote(result)} ({type(result).__name__})"
        ) from None
    roots = as_values(outputs)
    order = order_beyond(set(inputs), *roots)
    outside = [x for x in order if not x.is_traced]
    require_whole(
        outside,
        "a compiled function that uses a Value from outside",
        "pass it as an argument, or use its data",
    )
    captured = tuple([x for x in outside if not x.parents and not x.is_constant])
    return Trace(write(roots, inputs, order), structure, captured)


_branches: dict[int, Exception] = {}  # thread -> the first branch that was refused in its trace


@contextmanager
def nothing_swallowed() -> Iterator[None]:
    """Raise the refusal of a branch inside, even if the function has caught it.

    What a function does then is not what it does with numbers.
    """
    _branches.pop(get_ident(), None)
    try:
        yield
    finally:
        error = _branches.pop(get_ident(), None)
    if error:
        raise error


def _refusal(x: Traced, use: str, instead: str) -> TypeError:
    """Return the error that says why a traced number cannot be used so, and what to do instead."""
    return TypeError(
        f"a compiled function must not {use}: {x!r} has no value until the kernel runs; {instead}"
    )


def _refuse(use: str, instead: str) -> Callable[..., NoReturn]:
    """Return a method that raises the refusal of a use."""

    def method(self: Traced, *_: object) -> NoReturn:
        raise _refusal(self, use, instead)

    return method


_KEEP = "leave it in the computation, or return it as one more output"

# Comparing traced numbers gives another one. Comparisons of a `Value` give a bool, and a
# type checker wants no less of those of its subclass.
Comparison: TypeAlias = Any


class Traced(Value):  # type: ignore[misc]  # the only subclass
    """A number that is known only when the compiled function runs: what a traced function sees."""

    __slots__ = ()
    is_traced = True

    def __init__(self, name: str) -> None:
        self.op: Primitive | None = None
        self.parents: tuple[Value, ...] = ()
        self._label: str | None = name
        self._sum: Numeric = None
        self._stamp = graph.clock

    def record(self, op: Primitive, operands: tuple[object, ...]) -> Numeric:
        """Return the node of applying `op` to operands, without computing it."""
        if not VALUES.issuperset(map(type, operands)):
            for x in operands:
                if isinstance(x, Operand) and not isinstance(x, Value):
                    return x.record(op, operands)  # a power series of traced numbers
                if has_elements(x):
                    return apply_to_arrays(op, operands)
            operands = tuple([x if isinstance(x, Value) else _constant(x) for x in operands])
        op.require_operands(len(operands))  # which nothing else does, as nothing is computed
        node = _node(op, operands)
        return node.detach() if unrecorded and current(unrecorded) else node

    def detach(self) -> Traced:
        """Return the same number as a constant, with respect to which nothing is differentiated."""
        return _node(Primitive.named("stop_gradient"), (self,))

    def _constant(self, x: object) -> Value:
        return _constant(x)

    def __lt__(self, other: object) -> Comparison:
        return self._compare(less, self, other)

    def __le__(self, other: object) -> Comparison:
        return self._compare(less_equal, self, other)

    def __gt__(self, other: object) -> Comparison:
        return self._compare(less, other, self)

    def __ge__(self, other: object) -> Comparison:
        return self._compare(less_equal, other, self)

    def __eq__(self, other: object) -> Comparison:
        return self._compare(equal, self, other)

    def __ne__(self, other: object) -> Comparison:
        is_equal = self.__eq__(other)
        return is_equal if is_equal is NotImplemented else where(is_equal, 0, 1)

    # of conditions, as in (x > 0) & (x < 1)
    __and__ = __rand__ = by_ufunc("bitwise_and")
    __or__ = __ror__ = by_ufunc("bitwise_or")
    __xor__ = __rxor__ = by_ufunc("bitwise_xor")
    __invert__ = by_ufunc("invert")

    __hash__ = Value.__hash__

    def _compare(self, op: Primitive, left: object, right: object) -> object:
        if all(isinstance(x, (Operand, Number)) for x in (left, right)):
            return self.record(op, (left, right))
        return NotImplemented

    def __repr__(self) -> str:
        is_made = self.op is not None and self.op.name != "argument"  # as a transform's own is not
        made = f" (the result of `{self.op.name}`)" if is_made and self.op else ""
        return f"the traced number{f' {self.label}' if self.label else ''}{made}"

    def __format__(self, spec: str) -> str:
        return repr(self) if not spec else self._formatted(spec)

    def __bool__(self) -> NoReturn:
        error = _refusal(
            self,
            "branch on a number",
            "write where(condition, x, y) for `x if condition else y`, maximum(x, y) for max(x, y)",
        )
        _branches.setdefault(get_ident(), error)
        raise error

    def __copy__(self) -> Traced:
        return self.detach()  # a copy of a leaf is another leaf

    def __deepcopy__(self, memo: object) -> Traced:
        return self.detach()

    _formatted = _refuse("format a number", _KEEP)
    __float__ = __complex__ = _refuse(
        "turn a number into Python's own", f"write v.exp() for math.exp(v), or {_KEEP}"
    )
    __int__ = __trunc__ = _refuse("turn a number into a whole one of Python's", "write floor(x)")
    __index__ = _refuse(
        "count, index or repeat a list by a number",
        "the number of steps must not depend on an argument: let a closure hold it",
    )
    partials = chain = _refuse("read derivatives", "call gradients(output, inputs)")
    item = _refuse("read a number", _KEEP)
    data = property(item, item)
    grad = property(
        _refuse("read a gradient", "call gradients(output, inputs), or compile grad(f)")
    )
    backward = _refuse("call backward", "call gradients(output, inputs), or compile grad(f)")
    refresh = _refuse("call refresh", "build the graph again")

    # what an error adds where this stands in place of a sequence
    why_single = (
        ": of an array, a compiled function sees one number for each row; name the argument in "
        "`shared` for an array of numbers, or pass a list of columns"
    )

    def __getitem__(self, *_: object) -> NoReturn:
        raise TypeError(f"{self!r} has no parts{self.why_single}")

    __len__ = __setitem__ = __delitem__ = __reversed__ = __matmul__ = __rmatmul__ = __getitem__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # which NumPy asks for by the thousand, and nobody reads
            raise AttributeError(name=name, obj=self)
        why = "" if name.startswith("_") else self.why_single
        raise AttributeError(f"{self!r} has no attribute {name!r}{why}", name=name, obj=self)


VALUES = {Value, Traced}


def _node(op: Primitive, parents: tuple[Any, ...]) -> Traced:
    node = blank(Traced)
    node.op, node.parents, node._label, node._sum = op, parents, None, None
    node._stamp = graph.clock
    return node


def _quick(op: Primitive, otherwise: Callable[[Any, Any], object]) -> Callable[..., object]:
    """Return the method of an operator, in half of the time for what most operands are."""

    def method(self: Traced, other: object) -> object:
        if unrecorded or type(other) not in VALUES:
            return otherwise(self, other)
        return _node(op, (self, other))

    return method


set_plain_operators(Traced)
for name, op in OPERATORS.items():
    setattr(Traced, f"__{name}__", _quick(op, getattr(Traced, f"__{name}__")))


@contextmanager
def unknown(leaves: Iterable[Value]) -> Iterator[None]:
    """Turn leaves, or inner nodes, into traced numbers, while a function that holds them is traced.

    >>> x = Value(2.0, label="x")
    >>> with unknown([x]):
    ...     program = Program.from_values([x * 3.0], [x])
    >>> program(5.0), x.data
    ([15.0], 2.0)
    """
    with compiling, uninterrupted():
        data = {leaf: leaf._real for leaf in leaves}
        try:
            for leaf in data:
                sum: object = getattr(leaf, "_sum", None)  # which is there from a walk alone
                leaf._sum = sum
                del leaf._real
                leaf.__class__ = Traced
            yield
        finally:
            for leaf, number in data.items():
                leaf.__class__ = Value
                leaf._real = number


def _constant(x: object) -> Value:
    constant = Value(
        x if type(x) is float else number_of_kind(x, float, "a Value holds a real number")
    )
    constant.op = CONSTANT
    return constant
