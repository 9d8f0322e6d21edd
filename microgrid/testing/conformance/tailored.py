"""Cases tailored to an engine: they depend on what it does, and on what it shows of a node."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress

from .cases import ERRORS, Case, Engine, run

__all__ = ["edges", "leaf_changes", "seeds"]

# A formula, a change after it, and (y.data, x.grad) as they are before it and after it.
CHANGES = [
    ("x * x", "x.data = 10.0", "(9, 6)", "(100, 20)"),
    ("x * w", "w.data = 10.0", "(6, 2)", "(30, 10)"),
    ("x / w", "w.data = 10.0", "(1.5, 0.5)", "(0.3, 0.1)"),
    ("w / x", "x.data = 10.0", "(2 / 3, -2 / 9)", "(0.2, -0.02)"),
    ("x ** 2", "x.data = 10.0", "(9, 6)", "(100, 20)"),
    ("x.log()", "x.data = 10.0", "(log(3), 1 / 3)", "(log(10), 0.1)"),
    ("x.exp()", "x.data = 10.0", "(exp(3), exp(3))", "(exp(10), exp(10))"),
    ("x.tanh()", "x.data = 10.0", "(tanh(3), 1 / cosh(3)**2)", "(tanh(10), 1 / cosh(10)**2)"),
    ("x.relu()", "x.data = -10.0", "(3, 1)", "(0, 0)"),
]
PARENTS = ["parents", "_parents", "_prev", "prev", "_children", "children", "inputs", "_inputs"]
SEEDS = ["seed", "grad", "gradient", "g", "upstream", "out_grad", "grad_output", "d_output", "init"]


def leaf_changes(engine: Engine) -> Iterator[Case]:
    """Yield programs that change a leaf before `backward`, if they are right without the change."""
    leaves, shown = "x = Value(3.0)\nw = Value(2.0)", "(y.data, x.grad)"
    for formula, change, before, after in CHANGES:
        lines = [leaves, f"y = {formula}", "y.backward()"]
        if not Case("\n".join(lines), ((shown, before),)).wrong(engine):
            lines.insert(2, change)
            yield Case("\n".join(lines), ((shown, f"{before} or {after} or error"),))


def edges(engine: Engine) -> Iterator[Case]:
    """Yield that a node has two edges, if it shows its parents under any of the usual names."""
    for formula in ("x * x", "x + x"):
        program = f"x = Value(3.0)\ny = {formula}"
        shown = []
        for name in PARENTS:
            with suppress(*ERRORS):
                [parents] = run(engine, program, f"y.{name}")
                if parents and isinstance(parents, tuple | list | set | frozenset):
                    shown.append((len(parents), f"len(y.{name})"))
        if shown:
            yield Case(program, ((max(shown)[1], "2"),))


def seeds(engine: Engine) -> Iterator[Case]:
    """Yield what a seed does, if `backward` takes one."""
    # there may be no such method yet, or one that does not say what it takes
    with suppress(AttributeError, TypeError, ValueError):
        names = list(inspect.signature(engine(1.0).backward).parameters)
        if names and names[0] in SEEDS:
            for formula, slope in (("x + x", 10), ("x * x", 30)):
                program = f"x = Value(3.0)\ny = {formula}\ny.backward(5.0)"
                yield Case(program, (("x.grad", str(slope)),))
