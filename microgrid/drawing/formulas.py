"""A `Value` as the formula that it was computed by, and its gradients as theirs.

What is long and occurs more than once is a part with a name of its own, told below the formula; so
is what would be nested too deeply to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, count, groupby
from numbers import Integral
from typing import Any

from ..calculus import gradients
from ..compiler.trace import Traced
from ..engine import Value
from ..graph import recording, topological_order
from ..primitive import Primitive
from .algebra import COMPARISONS, SHORT, Algebra, Expression
from .names import Names, names_of
from .notation import WORDS, Latex, Text
from .reading import expressions
from .spelling import distinct, identifier, latex_name

__all__ = ["Formula", "formula"]

DEEP = 12  # brackets within brackets: of more nobody sees which belong together
LONG = 100  # symbols in a line
GIVEN = {"pi": ("pi", r"\pi"), "inf": ("inf", r"\infty"), "nan": ("nan", r"\text{nan}")}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Formula:
    r"""A formula as text and in LaTeX, which a notebook shows.

    The text is Python. With the names of microgrid's functions, and Python's own `max`, `min`,
    `abs` and `round`, it computes the value again; SymPy reads it, given the few functions that it
    has not (`relu`, `sigmoid`, `where(condition, x, y)`, …). A number is the decimal that it prints
    as, or the number with a name that it is nearest to, as 3.141592653589793 is pi.

    Args:
        value: what the formula is of.
        by: what to derive by, in turn.
        names: as for `formula`.
        max_terms: as for `formula`.

    Attributes:
        name: the left side: the value's name, or its derivative's; "" if it has none.
        expression: the right side.
        parts: the expressions of the parts by their names, each before those that it is made of.
        symbols: the leaves by the names that they have here.
        left_out: how many parts are not shown.
        latex: all of it in LaTeX, for mathematics mode.

    >>> x = Value(2.0, label="x")
    >>> shown = formula(x * x + 3.0 * x)
    >>> shown
    x**2 + 3*x
    >>> print(shown.latex)
    x^{2} + 3\,x
    """

    def __init__(
        self,
        value: Value,
        by: Sequence[Value] = (),
        names: Names = None,
        max_terms: int | None = None,
    ) -> None:
        derivative, nodes = _derivative(value, by)
        found = expressions(derivative, Algebra(), nodes, held=by)
        root = found[derivative]
        order: list[Any] = topological_order(root)  # type: ignore[arg-type]  # it has parents too
        parts = _parts(order)
        labels = names_of([*nodes.values(), *found], names)
        origin = {
            found[copy]: node for copy, node in nodes.items() if node in labels and copy in found
        }

        spelled = _Spelled([labels[node] for node in nodes.values() if node in labels])
        leaves = [x.name for x in order if isinstance(x.name, Value)]
        spelled.add({leaf: labels.get(leaf, "") for leaf in [*leaves, *by]}, "x")
        spelled.add({x.name: x.name.name for x in order if isinstance(x.name, Primitive)}, "g")
        if by or (value in labels and root.name is not value):
            spelled.add({value: labels.get(value, "")}, "f")
            self.name = _left_side(spelled.text[value], [spelled.text[x] for x in by])
        else:
            self.name = ""
        for part in parts:
            if origin.get(part) is value:
                spelled.share(value, part)
        spelled.add({part: labels[origin[part]] if part in origin else "" for part in parts}, "u")

        self.symbols: dict[str, Value] = {spelled.text[leaf]: leaf for leaf in leaves}
        shown = parts[:max_terms]
        self.left_out = len(parts) - len(shown)
        text = Text(spelled.text.__getitem__, set(parts), max_terms)
        self.expression = text.line(root)
        self.parts = {spelled.text[part]: text.line(part) for part in shown}
        latex = Latex(spelled.latex.__getitem__, set(parts), max_terms)
        self.latex = latex.line(root)
        if self.name:
            left = _latex_left_side(spelled.latex[value], [spelled.latex[x] for x in by])
            self.latex = f"{left} {'&' * bool(parts)}= {self.latex}"
        if parts:
            lines = [rf"{spelled.latex[part]} &= {latex.line(part)}" for part in shown]
            lines[0] = rf"\text{{where}}\quad {lines[0]}"
            if self.left_out:
                lines.append(rf"& \ldots\text{{ {self.left_out:,} more parts}}")
            first = self.latex if self.name else f"& {self.latex}"
            rows = r" \\ ".join([first, *lines])
            self.latex = rf"\begin{{aligned}} {rows} \end{{aligned}}"

    def __str__(self) -> str:
        lines = [f"{self.name} = {self.expression}" if self.name else self.expression]
        lines += [f"      {name} = {text}" for name, text in self.parts.items()]
        if self.parts:
            lines[1] = f"where{lines[1][5:]}"
        if self.left_out:
            lines.append(f"      … {self.left_out:,} more parts: max_terms=None shows them all")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex}$"


def formula(
    value: Value,
    names: Names = None,
    *,
    by: Value | Sequence[Value] = (),
    max_terms: int | None = 100,
) -> Formula:
    """Return the formula of a value, or of its derivative, simplified as one would by hand.

    Constants are numbers. Leaves are called by their labels, or as `names` says: a model, or a
    mapping such as `locals()`; without either they are x1, x2, …. Nothing but the graph is asked:
    where a condition was a plain `True` or `False`, the branch that was taken is shown. Of
    conventions at single points, such as the slope 0 of `norm` at the origin, nothing is said, nor
    of what guards against overflow: the formula of a softmax is that of the textbook.

    Args:
        value: a node of a graph.
        names: what the values without a label are called.
        by: what to derive by; several, to derive by one after the other: `by=(x, y)` is ∂²/∂x∂y.
        max_terms: the most terms, factors, operands and parts to show; None shows all.

    Raises:
        TypeError: the value is no `Value`, or what to derive by is none or a constant.
        ValueError: `max_terms` is less than 1.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> formula((a * b + 6.5).tanh(), by=a)
    ∂f/∂a = b*(1 - tanh(a*b + 6.5)**2)
    """
    if not isinstance(value, Value):
        raise TypeError(f"formula needs a Value, got {value!r} ({type(value).__name__})")
    is_whole = isinstance(max_terms, Integral) and not isinstance(max_terms, bool)
    if max_terms is not None and not (is_whole and max_terms >= 1):
        raise ValueError(
            f"max_terms must be a whole number of at least 1, or None for all, got {max_terms!r}"
        )
    inputs = tuple(by) if isinstance(by, Sequence) else (by,)
    for x in inputs:
        if not isinstance(x, Value) or x.is_constant:
            raise TypeError(f"formula needs Values to derive by, no constants, got {x!r}")
    return Formula(value, inputs, names, max_terms)


def _derivative(value: Value, by: Sequence[Value]) -> tuple[Value, dict[Value, Value]]:
    """Return the graph of a derivative, and which of its nodes stand for which of the value's.

    It is derived from a copy without numbers: a rule that branches, as leaky_relu's does, then
    keeps both branches.
    """
    order = topological_order(value, *by)
    if not by:
        return value, {node: node for node in order}
    copies: dict[Value, Value] = {}
    with recording():
        for node in order:
            if node.op and node.parents:
                copies[node] = node.op(*[copies[parent] for parent in node.parents])
            else:
                copies[node] = node if node.is_constant else Traced(node.label or "")
        try:
            return _derived(copies[value], [copies[x] for x in by]), {
                copy: node for node, copy in copies.items()
            }
        except TypeError:  # a user's own rule asks for a number, and shows one branch
            return _derived(value, by), {node: node for node in order}


def _derived(value: Value, by: Sequence[Value]) -> Value:
    for x in by:
        value = gradients(value, x)
    return value


def _parts(order: Sequence[Expression]) -> list[Expression]:
    """Return what has a name of its own, as it occurs, and before what it is made of."""
    uses = Counter([parent for x in order for parent in x.parents])
    sizes: dict[Expression, int] = {}
    depths: dict[Expression, int] = {}
    parts: set[Expression] = set()
    for x in order[:-1]:
        sizes[x] = x.own_size + sum([sizes[parent] for parent in x.parents])
        depths[x] = 1 + max([depths[parent] for parent in x.parents], default=0)
        is_long = depths[x] > DEEP or sizes[x] > (SHORT if uses[x] > 1 else LONG)
        if is_long and x.name not in COMPARISONS:
            parts.add(x)
            sizes[x] = depths[x] = 1
    told = [order[-1]]
    for x in told:
        for parent in x.parents:
            uses[parent] -= 1
            if not uses[parent]:
                told.append(parent)
    return [x for x in told if x in parts]


class _Spelled:
    """The names of leaves, parts and functions in text and in LaTeX, of which no two are equal."""

    def __init__(self, labels: Iterable[str]) -> None:
        # what has no label must not be called as a leaf is, be it one that has dropped out
        self._labels = {identifier(label, WORDS) for label in labels}
        self.text: dict[Any, str] = {thing: text for thing, (text, _) in GIVEN.items()}
        self.latex: dict[Any, str] = {thing: latex for thing, (_, latex) in GIVEN.items()}
        self._taken = {*self.text.values(), *self.latex.values()}

    def add(self, labels: dict[Any, str], letter: str) -> None:
        """Name things by their labels, and those that have none by a letter with a number."""
        new = {thing: label for thing, label in labels.items() if thing not in self.text}
        unnamed = [thing for thing, label in new.items() if not label]
        for thing, label in new.items():
            if label:
                self._name(thing, label)
        numbered: Iterator[str] = (f"{letter}{n}" for n in count(1))
        for thing in unnamed:
            candidates = chain([letter], numbered) if len(unnamed) == 1 else numbered
            taken = self._taken | self._labels
            self._name(thing, next(name for name in candidates if name not in taken))

    def share(self, thing: Hashable, other: Hashable) -> None:
        """Call another thing the same."""
        self.text[other], self.latex[other] = self.text[thing], self.latex[thing]

    def _name(self, thing: Hashable, label: str) -> None:
        text = distinct(identifier(label, WORDS), self._taken)
        latex, n = latex_name(label), 1
        while latex in self._taken and latex != text:
            n += 1
            latex = latex_name(f"{label}_{n}")
        self.text[thing], self.latex[thing] = text, latex
        self._taken |= {text, latex}


def _left_side(value: str, by: Sequence[str]) -> str:
    """Return a derivative's name.

    >>> _left_side("L", ["x", "x", "y"])
    '∂³L/∂x²∂y'
    """
    if not by:
        return value
    runs = [(name, len([*run])) for name, run in groupby(by)]
    below = "".join([f"∂{name}{_superscript(n)}" for name, n in runs])
    return f"∂{_superscript(len(by))}{value}/{below}"


def _superscript(n: int) -> str:
    return str(n).translate(SUPERSCRIPTS) if n > 1 else ""


def _latex_left_side(value: str, by: Sequence[str]) -> str:
    if not by:
        return value
    runs = [(name, len([*run])) for name, run in groupby(by)]
    below = r"\,".join([rf"\partial {name}{_raised(n)}" for name, n in runs])
    return rf"\frac{{\partial{_raised(len(by))} {value}}}{{{below}}}"


def _raised(n: int) -> str:
    return f"^{{{n}}}" if n > 1 else ""
