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


def explore(
    root: object,
    names: GivenNames = None,
    *,
    before: Exploration | None = None,
    max_nodes: int | None = 250,
) -> Exploration:
    """Return the backward pass of a value, and the forward pass before it, to step through.

    A notebook shows the graph with buttons and a slider; `explore(loss).save("backprop.html")`
    writes it as one page, which needs no network and no Python. Each value appears; then, in the
    order of `backward`, each share of a gradient arrives: a line of the chain rule with its
    numbers.

    It can ask for each share before it is shown, to be typed or chosen, and says of a wrong answer
    what the right one is made of. Leaves can be changed there, or all moved against their gradients
    by a learning rate; then everything is recomputed, and compared with what it was. In a notebook
    with the package `anywidget` this changes the leaves themselves, and Python computes; a page
    computes by itself, as a kernel does. No `grad` is touched: the shares are those that `backward`
    would add. Nodes of your own engine are explored too: the shares are what its `backward` should
    add, and changes are made to a copy.

    Args:
        root: the value to differentiate; its gradient with respect to itself is 1.
        names: names for values without a label: a mapping such as `locals()`, or a model.
        before: an exploration of the same operations, made before a step of gradient descent, say:
            its numbers of that time stand beside the current ones, with their differences.
        max_nodes: the most values that the graph may have, None for any number.

    Raises:
        TypeError: the root is not a `Value`, or `before` no exploration.
        ValueError: the graph has too many values, `before` is of other operations, or a derivative
            does not exist.
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

    >>> first = explore(a * b)
    >>> a.data = 1.0
    >>> print(str(explore(a * b, before=first)).partition("before, now and change:")[2].strip())
    a: 2, 1, -1; gradient: -3, -3, 0
    b: -3, -3, 0; gradient: 2, 1, -1
    L: -6, -3, +3; gradient: 1, 1, 0
    """
    if before is not None and not isinstance(before, Exploration):
        raise TypeError(f"`before` must be what explore returned, got {quote(before)}")
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
    return Exploration(root, names, before)


class Exploration(Page):
    """The steps of a forward and a backward pass; `explore` makes it. As text they are its lines.

    >>> x = Value(3.0, label="x")
    >>> explore(x * x)
    Exploration of 2 values in 5 steps; print it, or save it as a page with save('backprop.html')
    """

    title = "Backpropagation, step by step"

    def __init__(
        self, root: Value, names: GivenNames = None, before: Exploration | None = None
    ) -> None:
        self._steps = Moments(root, names)
        # this raises here, and not when it is shown, if there is no derivative
        self._numbers_then = self._steps.numbers()
        if before is not None and before._steps.shape() != self._steps.shape():
            raise ValueError(
                f"`before` must be of the same operations on the same operands, got one of "
                f"{len(before._steps.order):,} values to compare with {len(self._steps.order):,}"
            )
        self._numbers_before = None if before is None else before._numbers_then

    def html(self) -> str:
        """Return the page, which is complete: it asks for no other file."""
        return assemble(
            f"Backpropagation of {self._steps.names[-1]}",
            STATIC / "explore.js",
            {
                **{"graph": self.graph, "numbers": self.numbers(), "before": self.before},
                **{"step": 0, "fixed": self.fixed},
            },
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
        value = self._steps.order[leaf]
        self._set({value: _finite(text, type(value.data), "a leaf")})

    def descend(self, rate: str) -> None:
        """Take a step of gradient descent: move each leaf by the rate in a text times its gradient.

        Raises:
            ValueError: the text is not a finite number.
            ArithmeticError, ValueError: the graph has no value or gradient there; it is as before.

        >>> x = Value(3.0)
        >>> explore(x * x).descend("0.25")
        >>> x.data
        1.5
        """
        steps = self._steps
        gradients = steps.exact_numbers()[len(steps.order) : 2 * len(steps.order)]
        moved = {}
        for value, gradient in zip(steps.order, gradients, strict=True):
            if gradient is not None and not value.parents and not value.is_constant:
                kind = type(value.data)
                step = _finite(rate, kind, "a learning rate") * gradient
                moved[value] = value.data - step
        self._set(moved)

    def _set(self, numbers: dict[Value, float]) -> None:
        """Set leaves to numbers, and recompute; all is as it was if that is impossible."""
        root, old = self._steps.order[-1], {leaf: leaf.data for leaf in numbers}
        with uninterrupted():
            try:
                for leaf, number in numbers.items():
                    leaf.data = number
                root.refresh()
                self._steps.numbers()
            except (ArithmeticError, ValueError):
                for leaf, number in old.items():
                    leaf.data = number
                root.refresh()
                raise

    def numbers(self) -> list[float | str | None]:
        """Return the numbers of the steps as the page reads them.

        >>> x = Value(3.0)
        >>> explore(x * x).numbers()[:3]  # of x, its square, and its gradient
        [3.0, 9.0, 6.0]
        """
        return [page_number(x) for x in self._steps.numbers()]

    @property
    def before(self) -> list[float | str | None] | None:
        """The numbers to compare with, as the page reads them, None if there are none."""
        then = self._numbers_before
        return None if then is None else [page_number(x) for x in then]

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
        lines = self._steps.lines()
        if self._numbers_before is not None:
            lines += ["before, now and change:", *self._steps.changes(self._numbers_before)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        values, steps = len(self._steps.order), len(self._steps.steps)
        return (
            f"Exploration of {values} value{'s' * (values != 1)} in {steps} steps; "
            "print it, or save it as a page with save('backprop.html')"
        )


def _finite(text: str, kind: type[float], what: str) -> float:
    """Return the number of a kind that a text says; raise `ValueError` if it is not finite.

    It may have a decimal comma and a minus sign, and be a fraction, as in the page without Python.

    >>> _finite("0,5", float, "a leaf"), _finite("−1/4", float, "a leaf")
    (0.5, -0.25)
    """
    above, slash, below = text.replace("−", "-").replace(",", ".").partition("/")
    try:
        number = kind(above) / kind(below) if slash else kind(above)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} needs a finite number, got {quote(text)}")
    return number
