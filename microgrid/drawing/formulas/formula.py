"""A `Value` as the formula that it was computed by, and its gradients as theirs.

What occurs more than once, and what would make a line too long or too deeply nested to be read, is
a part with a name of its own and a line below the formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, groupby
from math import ceil
from typing import Any

from ...calculus import gradients
from ...core.graph import recording, topological_order
from ...core.primitive import Primitive
from ...engine import Value
from ...guards.checks import require_whole_numbers, shown
from ..names import Distinct, Names, all_names, names_of, paths_of
from ..unnumbered import stand_ins
from .algebra import COMPARISONS, SHORT, Algebra, Expression
from .identifiers import identifier, latex_name, short_names
from .notation import WORDS, Latex, Text
from .reading import expressions

__all__ = ["Formula", "formula"]

DEEP = 12  # brackets within brackets: of more nobody sees which belong together
LONG = 60  # symbols in a line
GIVEN = {"pi": ("pi", r"\pi"), "inf": ("inf", r"\infty"), "nan": ("nan", r"\text{nan}")}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Formula:
    r"""A formula as text and in LaTeX, which a notebook shows.

    The text is Python: with the names of microgrid's functions, and Python's own `max`, `min`,
    `abs` and `round`, it computes the value again, if nothing is left out. `sympy()` is the same
    for SymPy. A number is the decimal that it prints as, or the number with a name that it is
    nearest to, as 3.141592653589793 is pi.

    Args:
        value: what the formula is of.
        by: what to derive by, in turn.
        names: as for `formula`.
        max_terms: as for `formula`.

    Attributes:
        name: the left side: the value's name, or its derivative's; "" if it has none.
        expression: the right side.
        parts: the expressions of the parts by their names, each before those that it is made of. A
            part that is a value of the graph is called as in its pictures, any other u1, u2, ….
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
        found = expressions((derivative,), Algebra(), nodes, held=by)
        root = found[derivative]
        order = topological_order(root)  # type: ignore[type-var]  # it has parents too
        parts = _parts(order, max_terms)
        known = [*dict.fromkeys([*topological_order(value), *by])]
        given, called = names_of(known, names), all_names(known, names, root=value, most=None)
        origin: dict[Expression, Value] = {}
        for copy, node in sorted(nodes.items(), key=lambda pair: pair[1] not in given):
            if copy in found and not node.is_constant:
                origin.setdefault(found[copy], node)

        spelled = _Spelling(
            [called[x] for x in known if not x.is_constant], short_names(paths_of(names).values())
        )
        leaves = [x.name for x in order if isinstance(x.name, Value)]
        spelled.add({leaf: called[leaf] for leaf in [*leaves, *by]}, "")
        spelled.add({x.name: x.name.name for x in order if isinstance(x.name, Primitive)}, "g")
        if by or (value in given and root.name is not value):
            spelled.add({value: called[value]}, "")
            self.name = _left_side(spelled.text[value], [spelled.text[x] for x in by])
        else:
            self.name = ""
        for part in parts:
            if origin.get(part) in spelled.text:
                spelled.share(origin[part], part)
        spelled.add({part: called[origin[part]] if part in origin else "" for part in parts}, "u")

        self._order, self._spelled = order, spelled.text
        self.symbols: dict[str, Value] = {spelled.text[leaf]: leaf for leaf in leaves}
        shown = _ends(parts, max_terms)
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
                gap = rf"& \ldots\text{{ {self.left_out:,} more parts }}\ldots"
                lines.insert(ceil(len(shown) / 2), gap)
            first = self.latex if self.name else f"& {self.latex}"
            rows = r" \\ ".join([first, *lines])
            self.latex = rf"\begin{{aligned}} {rows} \end{{aligned}}"

    def sympy(self) -> Any:
        """Return the right side as an expression of SymPy, whole whatever is left out here.

        Its symbols are real, and called as in `symbols`. Its numbers are exact, a float being the
        decimal that it prints as. What SymPy has no function for, or none that it can derive, is
        written out, `relu(x)` as a `Piecewise`; a primitive of a user's own is an undefined
        function.

        Raises:
            ImportError: SymPy is not installed.
            RecursionError: the formula is nested too deeply for SymPy.

        >>> x = Value(0.5, label="x")
        >>> shown = formula(x.sigmoid() + x**2).sympy()  # doctest: +SKIP
        >>> shown.diff(sympy.Symbol("x", real=True))  # doctest: +SKIP
        2*x + exp(-x)/(1 + exp(-x))**2
        """
        try:
            from .symbolic import symbolic
        except ModuleNotFoundError as error:
            raise ImportError(
                "sympy() needs sympy, which is not installed: pip install sympy"
            ) from error
        try:
            return symbolic(self._order, self._spelled)
        except RecursionError:
            raise RecursionError(
                "SymPy recurses, and cannot hold a formula that is nested so deeply; ask for that "
                "of an inner value"
            ) from None

    def __str__(self) -> str:
        lines = [f"      {name} = {text}" for name, text in self.parts.items()]
        if self.parts:
            lines[0] = f"where{lines[0][5:]}"
        if self.left_out:
            gap = f"      … {self.left_out:,} more parts: max_terms=None shows them all"
            lines.insert(ceil(len(lines) / 2), gap)
        first = f"{self.name} = {self.expression}" if self.name else self.expression
        return "\n".join([first, *lines])

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex}$"


def formula(
    value: Value,
    names: Names = None,
    *,
    by: Value | Sequence[Value] = (),
    max_terms: int | None = 12,
) -> Formula:
    """Return the formula of a value, or of its derivative, simplified as one would by hand.

    Constants are numbers. Leaves are called by their labels, or as `names` says: a model, or a
    mapping such as `locals()`; without either they are x1, x2, …. A parameter of a model has a
    short name: `layers.0.neurons.3.w.1` is w0_3_1, and in LaTeX w^{(0)}_{31}.

    Nothing but the graph is asked: where a condition was a plain `True` or `False`, the branch that
    was taken is shown. Of conventions at single points, such as the slope 0 of `norm` at the
    origin, nothing is said, nor of what guards against overflow: the formula of a softmax is that
    of the textbook.

    Args:
        value: a node of a graph.
        names: what the values without a label are called.
        by: what to derive by; several, to derive by one after the other: `by=(x, y)` is ∂²/∂x∂y.
        max_terms: the most terms, factors, operands and parts to show, of more the first and the
            last; None shows all.

    Raises:
        TypeError: the value is no `Value`, or what to derive by is none or a constant.
        ValueError: `max_terms` is less than 1.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> formula((a * b + 6.5).tanh(), by=a)
    ∂L/∂a = b*(1 - tanh(a*b + 6.5)**2)
    """
    if not isinstance(value, Value):
        raise TypeError(f"formula needs a Value, got {shown(value)} ({type(value).__name__})")
    if max_terms is not None:
        require_whole_numbers(max_terms=max_terms, instead="None for all")
    inputs = tuple(by) if isinstance(by, (list, tuple)) else (by,)
    for x in inputs:
        if not isinstance(x, Value) or x.is_constant:
            raise TypeError(f"formula needs Values to derive by, no constants, got {shown(x)}")
    return Formula(value, inputs, names, max_terms)


def _derivative(value: Value, by: Sequence[Value]) -> tuple[Value, dict[Value, Value]]:
    """Return the graph of a derivative, and which of its nodes stand for which of the value's.

    It is that of a copy without numbers, in which a rule that branches keeps both branches.
    """
    order = topological_order(value, *by)
    if not by:
        return value, {node: node for node in order}
    copies = stand_ins(order)
    with recording():
        try:
            return _differentiate(copies[value], [copies[x] for x in by]), {
                copy: node for node, copy in copies.items()
            }
        except TypeError:  # a user's own rule asks for a number, and shows one branch
            return _differentiate(value, by), {node: node for node in order}


def _differentiate(value: Value, by: Sequence[Value]) -> Value:
    for x in by:
        value = gradients(value, x)
    return value


def _parts(order: Sequence[Expression], most: int | None) -> list[Expression]:
    """Return what has a name of its own, as it occurs, and before what it is made of."""
    uses = Counter([parent for x in order for parent in x.parents])
    sizes: dict[Expression, int] = {}
    depths: dict[Expression, int] = {}
    parts: set[Expression] = set()
    for x in order:
        sizes[x] = x.own_size + sum([sizes[p] for p in _ends(x.parents, most)])
        for part, around in _nameable(x, most, sizes) if sizes[x] > LONG else ():
            if sizes[x] > LONG:
                parts.add(part)
                for whole in around:
                    sizes[whole] -= sizes[part] - 1
        depths[x] = 1 + max([depths[p] for p in x.parents if p not in parts], default=0)
        is_long = depths[x] > DEEP or (sizes[x] > SHORT and uses[x] > 1)
        if is_long and x is not order[-1] and x.name not in COMPARISONS:
            parts.add(x)
            sizes[x] = 1
    told = [order[-1]]
    for x in told:
        for parent in x.parents:
            uses[parent] -= 1
            if not uses[parent]:
                told.append(parent)
    return [x for x in told if x in parts]


def _ends(parts: Sequence[Expression], most: int | None) -> list[Expression]:
    """Return what is shown of parts: the first and the last of more than so many."""
    if most is None or len(parts) <= most:
        return [*parts]
    return [*parts[: ceil(most / 2)], *parts[len(parts) - most // 2 :]]


def _nameable(
    x: Expression, most: int | None, sizes: Mapping[Expression, int]
) -> list[tuple[Expression, set[Expression]]]:
    """Return what may have a name within x, the longest first, and what gets shorter by that.

    Of a product it is a factor: that of a weight is what a reader knows, a neuron.
    """
    found = []
    for parent in _ends(x.parents, most):
        if sizes[parent] <= SHORT or parent.name in COMPARISONS:
            continue
        factors = [p for p in parent.parents if sizes[p] > SHORT and p.name not in COMPARISONS]
        if parent.kind == "product" and factors:
            found += [(factor, {x, parent}) for factor in factors]
        else:
            found.append((parent, {x}))
    return sorted(found, key=lambda pair: sizes[pair[0]], reverse=True)


class _Spelling:
    """The names of leaves, parts and functions in text and in LaTeX, of which no two are equal."""

    def __init__(self, labels: Iterable[str], short: Mapping[str, tuple[str, str]]) -> None:
        # what has no label must not be called as a leaf is, be it one that has dropped out
        self._labels = {identifier(label, WORDS) for label in labels}
        self._short = short
        self.text: dict[Any, str] = {thing: text for thing, (text, _) in GIVEN.items()}
        self.latex: dict[Any, str] = {thing: latex for thing, (_, latex) in GIVEN.items()}
        self._texts, self._latexes = Distinct(self.text.values()), {*self.latex.values()}

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
            taken = self._texts.taken
            free = (x for x in candidates if x not in taken and x not in self._labels)
            self._name(thing, next(free))

    def share(self, thing: Hashable, other: Hashable) -> None:
        """Call another thing the same."""
        self.text[other], self.latex[other] = self.text[thing], self.latex[thing]

    def _name(self, thing: Hashable, label: str) -> None:
        text, latex = self._short.get(label) or (identifier(label, WORDS), latex_name(label))
        self.text[thing] = self._texts.add(text)
        n = 1
        while latex in self._latexes:
            n += 1
            latex = latex_name(f"{label}_{n}")
        self.latex[thing] = latex
        self._latexes.add(latex)


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
    below = r"\,".join([rf"\partial {name}{_latex_superscript(n)}" for name, n in runs])
    return rf"\frac{{\partial{_latex_superscript(len(by))} {value}}}{{{below}}}"


def _latex_superscript(n: int) -> str:
    return f"^{{{n}}}" if n > 1 else ""
