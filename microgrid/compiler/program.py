"""The straight-line form of a computation: primitives applied to numbered slots, one after another.

A `Program` is data. It holds no `Value`, no Python function and no machine code, so it can be
printed, compared, hashed, pickled, rewritten (`passes`), run in Python and lowered (`lowering`).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, overload

from ..core.array_rules import Numeric
from ..core.graph import order_beyond
from ..core.primitive import CONSTANT, Operand, Primitive
from ..core.reals import number, number_of_kind
from ..engine import Value
from ..guards.checks import quote

__all__ = ["Distinct", "Draft", "Goal", "Program", "Step", "as_values", "expression", "find_shared"]

# A primitive and the slots of its operands; a constant's one operand is its number.
Step = tuple[Primitive, tuple[Any, ...]]


class Distinct:
    """Makes names of which no two are equal, by a number at the end, which begins with `first`.

    >>> names = Distinct()
    >>> [names.add(name) for name in ("x", "x_2", "x", "x", "y")]
    ['x', 'x_2', 'x_3', 'x_4', 'y']
    """

    def __init__(self, taken: Iterable[str] = (), first: int = 2) -> None:
        self.taken, self._first = set(taken), first
        self._numbers: dict[str, Iterator[int]] = {}

    def add(self, name: str) -> str:
        """Return the name if it is free, else the first of `name_2`, `name_3` … that is."""
        candidate = name
        while candidate in self.taken:
            numbers = self._numbers.setdefault(name, count(self._first))
            candidate = f"{name}_{next(numbers)}"
        self.taken.add(candidate)
        return candidate


class Program:
    """A straight-line computation of numbers from numbers.

    The slots 0, 1, … are the inputs, and after them what each of the `steps` computes. `outputs`
    are the slots of the results.

    Args:
        inputs: the inputs' names.
        steps: primitives, each with the slots of its operands, which come before its own.
        outputs: the slots of the results.
        labels: the user's names for slots. They are printed, and play no part in comparisons.

    Raises:
        TypeError: a constant is not a float.
        ValueError: a step or an output uses a slot that has no number yet.

    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> program = Program.from_values([(x * y).exp()], [x, y])
    >>> program
    program(x, y):  # 2 operations
        v1 = x * y
        v2 = exp(v1)
        return v2
    >>> program(0.0, 1.0), len(program)
    ([1.0], 2)
    >>> program.names(), program.step_at(2), program.constant_at(3)
    (['x', 'y', 'v1', 'v2'], (Primitive('*'), (0, 1)), None)
    >>> [slot for slot, op, operands in program.walk()]
    [2, 3]
    """

    def __init__(
        self,
        inputs: Iterable[str],
        steps: Iterable[Step],
        outputs: Iterable[int],
        labels: Mapping[int, str] | None = None,
    ) -> None:
        _require_lists(inputs=inputs, steps=steps, outputs=outputs)
        self.inputs, self.steps, self.outputs = tuple(inputs), tuple(steps), tuple(outputs)
        if not all(isinstance(step, tuple) and len(step) == 2 for step in self.steps):
            raise TypeError(
                f"a program's steps must be pairs of a primitive and operands, got {quote(steps)}"
            )
        if not all(isinstance(name, str) for name in self.inputs):
            raise TypeError(f"a program's inputs must be names, got {quote(self.inputs)}")
        if not all(isinstance(slot, int) for slot in self.outputs):
            raise TypeError(f"a program's outputs must be slots, got {quote(self.outputs)}")
        if labels is not None and not isinstance(labels, Mapping):
            raise TypeError(f"a program's labels must be a mapping, got {quote(labels)}")
        self.labels = dict(labels or {})
        self._known_key: tuple[object, ...] | None = None
        self._require_operands()
        count = len(self.inputs) + len(self.steps)
        if not all(0 <= slot < count for slot in self.outputs):
            raise ValueError(f"outputs must be among the {count} slots, got {quote(self.outputs)}")

    def _require_operands(self) -> None:
        """Raise an error unless each step's operands are there before it."""
        for slot, op, operands in self.walk():
            if op is CONSTANT:
                if not (len(operands) == 1 and isinstance(operands[0], float)):
                    raise TypeError(f"a constant must be one float, got {operands} in slot {slot}")
            elif not isinstance(op, Primitive):
                raise TypeError(f"a step's operation must be a primitive, got {quote(op)}")
            elif not all(0 <= operand < slot for operand in operands):
                raise ValueError(
                    f"a step needs operands from slots before its own, got {op.name} of {operands} "
                    f"in slot {slot}"
                )
            else:
                op.require_operands(len(operands))

    @classmethod
    def from_values(cls, outputs: Sequence[Value | float], inputs: Sequence[Value]) -> Program:
        """Return the program of a graph, which computes the outputs from the inputs.

        Leaves that are not inputs become constants, with their current data. Labels become names.

        Raises:
            TypeError: an output is not a number, or an input not a `Value`.
            ValueError: an input is given twice.

        >>> x = Value(2.0)
        >>> Program.from_values([x + 1.0], [x])(3.0)
        [4.0]
        """
        _require_lists(inputs=inputs, outputs=outputs)
        for x in inputs:
            if not isinstance(x, Value):
                raise TypeError(f"a program's inputs must be Values, got {quote(x)}")
        if len(set(inputs)) < len(inputs):
            raise ValueError("a program's inputs must be different Values, got one of them twice")
        roots = as_values(outputs)
        return Draft.of_graph(roots, inputs, order_beyond(set(inputs), *roots))

    @classmethod
    def of_parts(
        cls,
        inputs: Iterable[str],
        steps: Iterable[Step],
        outputs: Iterable[int],
        labels: dict[int, str],
    ) -> Program:
        """Return a program of parts that need no check: they are those of a graph or a program.

        >>> Program.of_parts(["x"], [], [0, 0], {})
        program(x):  # 0 operations
            return x, x
        """
        program = cls.__new__(cls)
        program.inputs, program.steps, program.outputs = tuple(inputs), tuple(steps), tuple(outputs)
        program.labels, program._known_key = labels, None
        return program

    @overload
    def __call__(self, *numbers: float) -> list[float]: ...
    @overload
    def __call__(self, *numbers: Operand | float) -> list[Any]: ...
    def __call__(self, *numbers: Operand | float) -> list[Numeric]:
        """Compute the outputs in Python: floats from plain numbers, `Value`s from `Value`s.

        Raises:
            TypeError: there are too few numbers, or too many, or one is not a number.
            ArithmeticError, ValueError: an operation has no result, as in Python.
        """
        if len(numbers) != len(self.inputs):
            names = ", ".join(self.inputs)
            raise TypeError(
                f"the program takes {len(self.inputs)} numbers ({names}), got {len(numbers)}"
            )
        slots: list[Numeric] = [x if isinstance(x, Operand) else float(number(x)) for x in numbers]
        for op, operands in self.steps:
            constant = op is CONSTANT
            slots.append(operands[0] if constant else op(*[slots[i] for i in operands]))
        return [slots[slot] for slot in self.outputs]

    def __len__(self) -> int:
        """Return the number of operations; constants do not count."""
        return sum(op is not CONSTANT for op, _ in self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.inputs, self.steps, self.outputs, self.labels)

    @property
    def _key(self) -> tuple[object, ...]:
        # kept without `cached_property`, whose lock a forked child may find held in Python 3.11
        if self._known_key is None:
            # constants by their bits: 0.0 is not -0.0, and nan is itself
            steps = [
                (op, struct.pack("d", *operands)) if op is CONSTANT else (op, operands)
                for op, operands in self.steps
            ]
            self._known_key = self.inputs, tuple(steps), self.outputs
        return self._known_key

    def walk(self) -> Iterator[tuple[int, Primitive, tuple[Any, ...]]]:
        """Yield the slot, the primitive and the operands of each step.

        >>> x = Value(2.0)
        >>> list(Program.from_values([x * 3.0], [x]).walk())
        [(1, Primitive('constant'), (3.0,)), (2, Primitive('*'), (0, 1))]
        """
        for slot, (op, operands) in enumerate(self.steps, start=len(self.inputs)):
            yield slot, op, operands

    def step_at(self, slot: int) -> Step | None:
        """Return the step that computes a slot, None if it is an input.

        >>> x = Value(2.0)
        >>> program = Program.from_values([x * x], [x])
        >>> program.step_at(0), program.step_at(1)
        (None, (Primitive('*'), (0, 0)))
        """
        first = len(self.inputs)
        return self.steps[slot - first] if slot >= first else None

    def constant_at(self, slot: int) -> float | None:
        """Return the number of a slot that holds a constant, else None.

        >>> x = Value(2.0)
        >>> [Program.from_values([x * 3.0], [x]).constant_at(slot) for slot in range(3)]
        [None, 3.0, None]
        """
        op, operands = self.step_at(slot) or (None, ())
        return operands[0] if op is CONSTANT else None

    def names(self) -> list[str]:
        """Return the name of each slot in the listing; that of a constant is its number.

        >>> x = Value(2.0, label="x")
        >>> Program.from_values([x * 3.0], [x]).names()
        ['x', '3.0', 'v1']
        """
        names = list(self.inputs)
        taken, used, count = {*names, *self.labels.values()}, set(names), 0
        for slot, op, operands in self.walk():
            if op is CONSTANT:
                names.append(repr(operands[0]))
                continue
            name = self.labels.get(slot, "")
            if not name or name in used:
                count += 1
                while (name := f"v{count}") in taken:
                    count += 1
            used.add(name)
            names.append(name)
        return names

    def __repr__(self) -> str:
        names = self.names()
        count = f"{len(self)} operation{'s' * (len(self) != 1)}"
        lines = [f"program({', '.join(self.inputs)}):  # {count}"]
        for slot, op, operands in self.walk():
            if op is not CONSTANT:
                lines.append(f"    {names[slot]} = {expression(op, [names[i] for i in operands])}")
        returned = ", ".join(names[slot] for slot in self.outputs) or "nothing"
        return "\n".join([*lines, f"    return {returned}"])


class Goal(NamedTuple):
    """What a kernel, or a function in C, is to compute.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows.
        written: the positions of the outputs to write for each row.
        totals: the positions of the outputs to add up over the rows.
    """

    program: Program
    shared_inputs: Collection[int] = ()
    written: Sequence[int] = ()
    totals: Sequence[int] = ()


def find_shared(program: Program, shared_inputs: Collection[int]) -> list[bool]:
    """Return for each slot whether it has one number for all rows.

    It has if it depends on shared inputs and constants alone.
    """
    shared = set(shared_inputs)
    for slot, (op, operands) in enumerate(program.steps, start=len(program.inputs)):
        if op is CONSTANT or shared.issuperset(operands):
            shared.add(slot)
    return [slot in shared for slot in range(len(program.inputs) + len(program.steps))]


def as_values(numbers: Iterable[Value | float]) -> list[Value]:
    """Return plain numbers as constants, and `Value`s as they are."""
    return [x if isinstance(x, Value) else Value(x).detach() for x in numbers]


class Draft:
    """A program that is being written. How `step` and `constant` do it, a subclass decides.

    `aliases` are the nodes of a graph that are not written: each equals its operand.
    """

    aliases: Collection[Primitive | None] = frozenset()

    def __init__(self, inputs: Iterable[str]) -> None:
        self.inputs = tuple(inputs)
        self.first = len(self.inputs)
        self.steps: list[Step] = []
        self.labels: dict[int, str] = {}

    @classmethod
    def of(cls, program: Program) -> Draft:
        """Return a draft that goes on from the steps of a program."""
        draft = cls(program.inputs)
        draft.steps, draft.labels = list(program.steps), program.labels
        return draft

    @classmethod
    def of_graph(
        cls, roots: Iterable[Value], inputs: Sequence[Value], order: Iterable[Value]
    ) -> Program:
        """Return the program of a graph, whose nodes, all but the inputs, are given in order.

        >>> x = Value(2.0, label="x")
        >>> y = x * x
        >>> Draft.of_graph([y, x], [x], [y])
        program(x):  # 1 operation
            v1 = x * x
            return v1, x
        """
        labels = [x.label for x in inputs]
        names = [(label and _in_one_line(label)) or f"x{i}" for i, label in enumerate(labels)]
        if len({*names}) < len(names):  # a large model's are all distinct: they are only counted
            names = [*map(Distinct().add, names)]
        draft = cls(names)
        slots = dict(zip(inputs, range(len(inputs)), strict=True))
        slot_of = slots.__getitem__
        step, aliases = draft.step, draft.aliases
        for node in order:
            if (op := node.op) in aliases:
                slots[node] = slot_of(node.parents[0])
            elif op and (parents := node.parents):
                if not node.is_traced:  # or it was asked when that was recorded
                    op.require_operands(len(parents))
                slots[node] = slot = step(op, tuple(map(slot_of, parents)))
                if (label := node.label) and slot >= draft.first:
                    draft.labels[slot] = _in_one_line(label)
            else:
                data = number_of_kind(node.data, float, "a constant is a real number")
                slots[node] = draft.constant(data)
        return draft.program([slots[root] for root in roots])

    def program(self, outputs: Iterable[int]) -> Program:
        """Return what was written, with these slots as its outputs."""
        return Program.of_parts(self.inputs, self.steps, outputs, self.labels)

    def step(self, op: Primitive, operands: tuple[int, ...]) -> int:
        """Return the slot of a step of a graph, which is written."""
        return self.append(op, operands)

    def constant(self, x: float) -> int:
        """Return the slot of a constant, which is written."""
        return self.append(CONSTANT, (x,))

    def append(self, op: Primitive, operands: tuple[object, ...]) -> int:
        """Write a step; return its slot."""
        self.steps.append((op, operands))
        return self.first + len(self.steps) - 1


_INFIX = frozenset(["+", "-", "*", "/", "//", "%", "**", "<", "<=", "=="])


def expression(op: Primitive, operands: Sequence[str]) -> str:
    """Return an operation as a mathematician writes it."""
    if op.name in _INFIX and len(operands) == 2:
        return f"{operands[0]} {op.name} {operands[1]}"
    if op.name == "neg":
        return f"-{operands[0]}"
    if op.family == "power":
        return f"{operands[0]}**{op.constants[0]}"
    if op.family == "exponential":
        return f"{op.constants[0]}**{operands[0]}"
    return f"{op.name}({', '.join(operands)})"


def _in_one_line(label: str) -> str:
    if label.isprintable() and " " not in label:
        return label  # as nearly all are, and of a model there are many
    return " ".join(label.split())


def _require_lists(**parts: object) -> None:
    for name, part in parts.items():
        is_text = isinstance(part, (str, bytes))
        if is_text or not isinstance(part, Iterable) or getattr(part, "ndim", 1) == 0:
            raise TypeError(f"a program's {name} must be a list, got {quote(part)}")
