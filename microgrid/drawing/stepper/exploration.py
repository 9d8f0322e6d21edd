"""Backpropagation to step through: in a notebook, and as a page of its own."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...derivatives.foreign import Translation
from ...engine import Value, topological_order
from ...guards.checks import quote, require_integers
from ...guards.interrupts import uninterrupted
from ..graphs.arrangement import arrange, symbol_of
from ..names import GivenNames
from ..page import Page, assemble
from .moments import Moments
from .recomputing import listing, page_number

if TYPE_CHECKING:
    from .widget import Widget

__all__ = ["Exploration", "explore"]

STATIC = Path(__file__).parent / "static"


def explore(root: object, names: GivenNames = None, *, max_nodes: int | None = 250) -> Exploration:
    """Return the backward pass of a value, and the forward pass before it, to step through.

    A notebook shows the graph with a slider; `explore(loss).save("backprop.html")` writes it as one
    page, which needs no network and no Python. Each value appears; then, in the order of
    `backward`, each share of a gradient arrives: a line of the chain rule with its numbers.

    Leaves can be changed there, and everything is recomputed. In a notebook with the package
    `anywidget` this changes the leaves themselves, and Python computes; a page computes by itself,
    as a kernel does. No `grad` is touched: the shares are those that `backward` would add. Nodes of
    your own engine are explored too: the shares are what its `backward` should add, and changes
    are made to a copy.

    Args:
        root: the value to differentiate; its gradient with respect to itself is 1.
        names: names for values without a label: a mapping such as `locals()`, or a model.
        max_nodes: the most values that the graph may have, None for any number.

    Raises:
        TypeError: the root is not a `Value`.
        ValueError: the graph has too many values, or a derivative does not exist.
        RuntimeError: a leaf has changed since it was used, there is no leaf, or the graph has
            checkpoints.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> print(explore(a * b))
    a = 2
    b = -3
    L = a · b = 2 · -3 = -6
    ∂L/∂L = 1
    ∂L/∂a += ∂L/∂L · b = 1 · -3 = -3
    ∂L/∂b += ∂L/∂L · a = 1 · 2 = 2
    """
    translate = Translation([root])
    root, names = translate(root), translate.names(names)
    if not isinstance(root, Value):
        raise TypeError(f"explore needs a Value, got {quote(root)} ({type(root).__name__})")
    if max_nodes is not None:
        require_integers(max_nodes=max_nodes, instead="None")
    count = len(topological_order(root))
    if max_nodes is not None and count > max_nodes:
        raise ValueError(
            f"explore needs a graph of at most max_nodes = {max_nodes:,} values, got {count:,}, "
            "which nobody would step through; explore a smaller part, such as one neuron, the loss "
            "of one row or an inner value"
        )
    return Exploration(root, names)


class Exploration(Page):
    """The steps of a forward and a backward pass; `explore` makes it. As text they are its lines.

    >>> x = Value(3.0, label="x")
    >>> explore(x * x)
    Exploration of 2 values in 5 steps; print it, or save it as a page with save('backprop.html')
    """

    title = "Backpropagation, step by step"

    def __init__(self, root: Value, names: GivenNames = None) -> None:
        self._steps = Moments(root, names)
        self._steps.numbers()  # raises here, and not when it is shown, if there is no derivative

    def html(self) -> str:
        """Return the page, which is complete: it asks for no other file."""
        return assemble(
            f"Backpropagation of {self._steps.names[-1]}",
            STATIC / "explore.js",
            [STATIC / "explore.css"],
            {"graph": self.graph, "numbers": self.numbers(), "step": 0, "fixed": self.fixed},
        )

    def change(self, leaf: int, text: str) -> None:
        """Set a leaf, given by its place among the values, to the number in a text.

        Raises:
            ValueError: the text is not a finite number.
            ArithmeticError, ValueError: the graph has no value or gradient there; it is as before.

        >>> x = Value(3.0)
        >>> explore(x * x).change(0, "5")
        >>> x.data
        5.0
        """
        value, root = self._steps.order[leaf], self._steps.order[-1]
        before = value.data
        try:
            number = type(before)(text)
        except (ValueError, ZeroDivisionError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"a leaf needs a finite number, got {quote(text)}")
        with uninterrupted():
            value.data = number
            try:
                root.refresh()
                self._steps.numbers()
            except (ArithmeticError, ValueError):
                value.data = before
                root.refresh()
                raise

    def numbers(self) -> list[float | str | None]:
        """Return the numbers of the steps as the page reads them.

        >>> x = Value(3.0)
        >>> explore(x * x).numbers()[:3]  # of x, its square, and its gradient
        [3.0, 9.0, 6.0]
        """
        return [page_number(x) for x in self._steps.numbers()]

    @cached_property
    def graph(self) -> dict[str, object]:
        """All that the page shows but the numbers."""
        steps = self._steps
        picture, note = None, ""
        try:
            picture = arrange(steps.order, steps.names)
        except RuntimeError as error:
            note = f"There is no picture, as {error}."
        return {
            "names": steps.names,
            "kinds": [
                "constant" if value.is_constant else "inner" if value.parents else "leaf"
                for value in steps.order
            ],
            "operands": [[steps.place[parent] for parent in v.parents] for v in steps.order],
            "symbols": [symbol_of(value) for value in steps.order],
            "edges": [[edge.child, edge.operand, edge.parent] for edge in steps.edges],
            "steps": [[step.node, step.edge, step.text] for step in steps.steps],
            "picture": picture,
            "note": note,
            "program": self._program[0],
        }

    @property
    def fixed(self) -> str:
        """Why a page cannot recompute this graph, empty if it can."""
        return self._program[1]

    @cached_property
    def _program(self) -> tuple[dict[str, object] | None, str]:
        try:
            return listing(*self._steps.results()), ""
        except TypeError as error:
            return None, f"A page cannot recompute this graph: {error}."

    @cached_property
    def widget(self) -> Widget | None:
        """The Jupyter widget, None where the package anywidget is not installed."""
        try:
            from .widget import Widget
        except ModuleNotFoundError:
            return None
        return Widget(self)

    def __str__(self) -> str:
        return "\n".join(self._steps.lines())

    def __repr__(self) -> str:
        values, steps = len(self._steps.order), len(self._steps.steps)
        return (
            f"Exploration of {values} value{'s' * (values != 1)} in {steps} steps; "
            "print it, or save it as a page with save('backprop.html')"
        )
