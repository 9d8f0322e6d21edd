"""A random program: Python source, which prints, runs and can be pasted."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from ... import functional, special
from ...core.primitive import Primitive

__all__ = ["SourceProgram", "python_call", "source_of"]


class SourceProgram:
    """A function and a point, held as Python source that can be pasted and run.

    Calling it calls the source's `program`, on whatever its operations take: floats, Fractions,
    Values. `str(program)` is the source, and `repr(program)` makes the program again.

    Args:
        source: Python that defines `program`, a function of numbers, and `point`, a tuple of them.

    Raises:
        ValueError: the source does not define these.

    >>> program = SourceProgram('''
    ... def program(x0):
    ...     t0 = 2.0 * x0
    ...     return t0
    ...
    ... point = (1.5,)
    ... ''')
    >>> program(*program.point)
    3.0
    """

    def __init__(self, source: str) -> None:
        self.source = inspect.cleandoc(source)
        names: dict[str, object] = {}
        exec(compile(self.source, "<program>", "exec"), names)
        function, point = names.get("program"), names.get("point")
        if not callable(function) or not isinstance(point, tuple):
            raise ValueError(
                "a SourceProgram's source defines `program`, a function, and `point`, a tuple, "
                f"got\n{self.source}"
            )
        self.function: Callable[..., object] = function
        self.point: tuple[float, ...] = point
        update_wrapper(self, self.function)  # its name, and those of its inputs

    def __call__(self, *inputs: object) -> object:
        """Return the output at given inputs."""
        return self.function(*inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceProgram) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f'SourceProgram("""\n{self.source}\n""")'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # at once: a printer would indent the lines of the source


def source_of(inputs: Sequence[str], lines: Sequence[str], point: tuple[float, ...]) -> str:
    """Return the source of a `SourceProgram` from the names of its inputs and its assignments.

    >>> print(source_of(["x0"], ["t0 = -x0"], (1.0,)))
    def program(x0):
        t0 = -x0
        return t0
    <BLANKLINE>
    <BLANKLINE>
    point = (1.0,)
    """
    output = lines[-1].partition(" = ")[0]
    body = [f"def program({', '.join(inputs)}):", *[f"    {line}" for line in lines]]
    text = "\n".join([*body, f"    return {output}", "", "", f"point = {point!r}"])
    imports = {"Fraction(": "from fractions import Fraction", "mg.": "import microgrid as mg"}
    needed = [line for use, line in imports.items() if use in text]
    return "\n".join([*needed, "", "", text] if needed else [text])


# What is not a function of `microgrid` by its own name, as Python.
CALLS = {
    **{name: f"{{}} {name} {{}}" for name in ("+", "-", "*", "/", "//", "%", "**")},
    "neg": "-{}",
    "abs": "abs({})",
    "where": "mg.where({}, {}, {})",
}
FAMILY_CALLS: dict[str, Callable[..., str]] = {
    "power": lambda x, n: f"{x} ** {n!r}",
    "exponential": lambda x, base: f"{base!r} ** {x}",
    "round_to": lambda x, digits: f"round({x}, {digits!r})",
    "leaky_relu_by": lambda x, slope: f"mg.leaky_relu({x}, {slope!r})",
    "elu_by": lambda x, alpha: f"mg.elu({x}, {alpha!r})",
    "polygamma_by": lambda x, n: f"mg.polygamma({n!r}, {x})",
    "mills_by": lambda x, n: f"mg.special.mills_by({n!r})({x})",
    "sinc_by": lambda x, n: f"mg.special.sinc_by({n!r})({x})",
    "clip_to": lambda x, *bounds: f"mg.clip({x}, {', '.join(map(_bound, bounds))})",
}


def _bound(x: float) -> str:
    return repr(x) if math.isfinite(x) else "None"


def _list(operands: Sequence[str]) -> str:
    return f"[{', '.join(operands)}]"


def python_call(primitive: Primitive, *operands: str) -> str:
    """Return a call of a primitive in Python, on operands that are given as Python.

    >>> python_call(Primitive.named("max"), "x0", "2.0"), python_call(Primitive.named("tanh"), "x0")
    ('mg.max([x0, 2.0])', 'mg.tanh(x0)')
    """
    name, listed = primitive.name, ", ".join(operands)
    if family := primitive.family:
        constants = primitive.constants
        if family in FAMILY_CALLS:
            return FAMILY_CALLS[family](*operands, *constants)
        return f"mg.Primitive.families[{family!r}]({', '.join(map(repr, constants))})({listed})"
    if name in CALLS:
        return CALLS[name].format(*operands)
    if name in ("sum", "prod", "max", "min", "logsumexp"):
        return f"mg.{name}({_list(operands)})"
    if name == "dot":
        left, right, start = functional.split_dot(operands)
        return f"mg.dot({', '.join([_list(left), _list(right), *start])})"
    is_public = any(
        name in module.__all__ and getattr(module, name) is primitive
        for module in (functional, special)
    )
    return f"mg.{name}({listed})" if is_public else f"mg.Primitive.named({name!r})({listed})"
