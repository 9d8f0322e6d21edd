"""A page to type a formula into: its graph, its steps, and the formulas of all its derivatives."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from unicodedata import normalize

from ...core.reals import number
from ...guards.checks import quote
from ..page import Page, assemble
from .table import Data, make_table, public_functions

__all__ = ["FormulaPage", "formula_page"]

STATIC = Path(__file__).parent / "static"
CONSTANTS = {"pi", "e", "inf", "nan"}


def formula_page(
    text: str = "tanh(w*x + b)", values: Mapping[str, float] | None = None
) -> FormulaPage:
    """Return a page to type a formula into, which differentiates it without Python.

    It shows the graph, steps through the forward and the backward pass, and writes the formulas of
    the first and second derivatives beside their numbers. The syntax is Python's, with this
    library's functions, `abs`, `round`, `pi`, `e`, `inf` and `nan`; every other name is a number to
    differentiate with respect to. A mistake is shown at its place. The page knows derivatives from
    the library's table, which is written into it; a list may have at most 6 numbers there.

    Args:
        text: the formula to begin with.
        values: numbers for its names; the page chooses those of others.

    Raises:
        TypeError: the formula is not a text, or a value not a real number.
        ValueError: the formula is not an expression in Python's syntax, or a value is not finite or
            not that of a name in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = formula_page("tanh(w*x + b)", {"w": 0.5}).save(f"{folder}/formula.html")
    """
    return FormulaPage(text, {} if values is None else values)


class FormulaPage(Page):
    """A page of a formula and its derivatives; `formula_page` makes it.

    >>> formula_page("x**2")
    FormulaPage of x**2; show it in a notebook, or save('formula.html')
    """

    title = "A formula and its derivatives"

    def __init__(self, text: str, values: Mapping[str, float]) -> None:
        if not isinstance(text, str):
            raise TypeError(
                f"formula_page needs a formula as a text, got {quote(text)} ({type(text).__name__})"
            )
        self.text, names = text.strip(), names_in(text)
        if not isinstance(values, Mapping):
            raise TypeError(f"`values` must be a mapping of numbers by names, got {quote(values)}")
        self.values = {
            normalize("NFKC", str(name)): float(
                number(x, f"the value of {name} must be a real number")
            )
            for name, x in values.items()
        }
        for name, x in self.values.items():
            if name not in names:
                raise ValueError(
                    f"`values` needs names of the formula, {quote(names)}, got {quote(name)}"
                )
            if not math.isfinite(x):
                raise ValueError(f"the value of {name} must be finite, got {x}")

    def html(self) -> str:
        """Return the page, which is complete: it asks for no other file."""
        return assemble(
            self.title,
            STATIC / "formula.js",
            {"table": table(), "text": self.text, "values": self.values},
        )

    def __repr__(self) -> str:
        return f"FormulaPage of {self.text}; show it in a notebook, or save('formula.html')"


@cache
def table() -> Data:
    """Return the table of primitives, which is the same in each page."""
    return make_table()


def names_in(text: str) -> list[str]:
    """Return the names of the numbers in a formula, in their order.

    >>> names_in("tanh(w*x + b) / pi")
    ['w', 'x', 'b']
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (RecursionError, MemoryError):
        raise ValueError(
            f"a formula needs fewer operations and brackets inside each other, got {quote(text)}"
        ) from None
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"a formula needs Python's syntax, as tanh(w*x + b), got {quote(text)}: {error.args[0]}"
        ) from None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = [function.id for function in calls if isinstance(function, ast.Name)]
    others = {*called, *public_functions(), *CONSTANTS}
    return [name for name in dict.fromkeys(node.id for node in found) if name not in others]
