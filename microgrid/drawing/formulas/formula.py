"""The formula of a `Value`, and of its derivatives.

An expression that occurs more than once, or makes a line too long or too deeply nested to read, is
a part: it has a name of its own, and a line below the formula.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from ...calculus import gradients
from ...core.graph import recording, topological_order
from ...core.primitive import Primitive
from ...engine import Value
from ...guards.checks import quote, require_integers
from ..names import GivenNames, all_names, names_of, paths_of
from ..unnumbered import stand_ins
from .algebra import Algebra, Expression
from .meanings import expressions_of
from .notation import LatexNotation, PythonNotation
from .parts import choose_parts, ends
from .spelling import FormulaNames, short_names

if TYPE_CHECKING:
    import sympy

__all__ = ["Formula", "formula"]

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Formula:
    r"""A formula as text and in LaTeX, which a notebook shows.

    The text is Python: with the names of microgrid's functions, and Python's own `max`, `min`,
    `abs` and `round`, it computes the value again, if nothing is left out. `sympy()` is the same
    for SymPy. A number is the decimal that it prints as; the float nearest to a number that has a
    name is written by that name: 3.141592653589793 is pi.

    Args:
        value: a node of a graph.
        by: what to differentiate it with respect to, one after another.
        names: as for `formula`.
        max_terms: as for `formula`.

    Attributes:
        name: the left side: the name of the value or of its derivative, "" if it has none.
        expression: the right side.
        parts: the expressions of the parts by their names, each before those that it is made of. A
            part that is a value of the graph has the name that it has in pictures; the others are
            u1, u2, ….
        symbols: the leaves by their names in the formula.
        left_out: how many parts are not shown.
        latex: the whole in LaTeX, for mathematics mode.

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
        names: GivenNames = None,
        max_terms: int | None = None,
    ) -> None:
        derivative, nodes = _derivative(value, by)
        found = expressions_of((derivative,), Algebra(), nodes, held=by)
        root = found[derivative]
        self._order = topological_order(root)  # type: ignore[type-var]  # it has parents too
        parts = choose_parts(self._order, max_terms)

        known = [*dict.fromkeys([*topological_order(value), *by])]
        given = names_of(known, names)
        has_name = bool(by) or (value in given and root.name is not value)
        left = (value, *by) if has_name else ()
        called = all_names(known, names, root=value, most=None)
        spelling = FormulaNames(
            [called[x] for x in known if not x.is_constant], short_names(paths_of(names).values())
        )
        _spell_symbols(spelling, self._order, left, called)
        _spell_parts(spelling, parts, _origins(found, nodes, given), called)

        self._spelled = spelling.text
        self.symbols = {spelling.text[leaf]: leaf for leaf in _leaves(self._order)}
        shown = ends(parts, max_terms)
        self.left_out = len(parts) - len(shown)
        text = PythonNotation(spelling.text.__getitem__, set(parts), max_terms)
        self.name = _left_side(*[spelling.text[x] for x in left]) if left else ""
        self.expression = text.line(root)
        self.parts = {spelling.text[part]: text.line(part) for part in shown}
        latex = LatexNotation(spelling.latex.__getitem__, set(parts), max_terms)
        self.latex = _align(
            _latex_left_side(*[spelling.latex[x] for x in left]) if left else "",
            latex.line(root),
            {spelling.latex[part]: latex.line(part) for part in shown},
            self.left_out,
        )

    def sympy(self) -> sympy.Expr:
        """Return the right side as an expression of SymPy, with nothing left out.

        Its symbols are real, with the names in `symbols`. Its numbers are exact: a float is the
        decimal that it prints as. Where SymPy has no function, or none that it can differentiate,
        the expression is written out, such as `relu(x)` as a `Piecewise`; a user's own primitive is
        an undefined function.

        Raises:
            ImportError: SymPy is not installed.
            RecursionError: the formula is nested too deeply for SymPy.

        >>> x = Value(0.5, label="x")
        >>> shown = formula(x.sigmoid() + x**2).sympy()
        >>> shown.diff(*shown.free_symbols)
        2*x + exp(-x)/(1 + exp(-x))**2
        """
        try:
            from .to_sympy import to_sympy
        except ModuleNotFoundError as error:
            raise ImportError(
                "sympy() needs sympy, which is not installed: pip install sympy"
            ) from error
        try:
            return to_sympy(self._order, self._spelled)
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
    names: GivenNames = None,
    *,
    by: Value | Sequence[Value] = (),
    max_terms: int | None = 12,
) -> Formula:
    """Return the formula of a value, or of its derivative, simplified as one would by hand.

    Constants are numbers. Leaves have the names of their labels, or those that `names` gives them,
    a model or a mapping such as `locals()`; without either they are x1, x2, …. A parameter of a
    model has a short name: `layers.0.neurons.3.w.1` is w0_3_1, and in LaTeX w^{(0)}_{31}.

    The formula knows only the graph: where a condition was a plain `True` or `False`, it has the
    branch that was taken. It leaves out conventions at single points, such as the slope 0 of `norm`
    at the origin, and guards against overflow: the formula of a softmax is that of the textbook.

    Args:
        value: a node of a graph.
        names: what the values without a label are called.
        by: what to differentiate with respect to; of several, one after another: `by=(x, y)` is
            ∂²/∂x∂y.
        max_terms: the greatest number of terms, factors, operands and parts to show; where there
            are more, the first and the last are shown. None shows all.

    Raises:
        TypeError: `value` is not a `Value`, or something in `by` is not one or is a constant.
        ValueError: `max_terms` is less than 1.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> formula((a * b + 6.5).tanh(), by=a)
    ∂L/∂a = b*(1 - tanh(a*b + 6.5)**2)
    """
    if not isinstance(value, Value):
        raise TypeError(f"formula needs a Value, got {quote(value)} ({type(value).__name__})")
    if max_terms is not None:
        require_integers(max_terms=max_terms, instead="None for all")
    inputs = tuple(by) if isinstance(by, (list, tuple)) else (by,)
    for x in inputs:
        if not isinstance(x, Value) or x.is_constant:
            raise TypeError(
                "formula needs Values to differentiate with respect to, not constants, "
                f"got {quote(x)}"
            )
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


def _origins(
    found: Mapping[Value, Expression], nodes: Mapping[Value, Value], given: Container[Value]
) -> dict[Expression, Value]:
    """Return the node of each expression; of several, one that was given a name."""
    origins: dict[Expression, Value] = {}
    for copy, node in sorted(nodes.items(), key=lambda pair: pair[1] not in given):
        if copy in found and not node.is_constant:
            origins.setdefault(found[copy], node)
    return origins


def _leaves(order: Iterable[Expression]) -> list[Value]:
    return [x.name for x in order if isinstance(x.name, Value)]


def _spell_symbols(
    spelling: FormulaNames,
    order: Iterable[Expression],
    left: Sequence[Value],
    called: Mapping[Value, str],
) -> None:
    """Name the leaves, a user's own functions, and the values on the left side."""
    spelling.add({leaf: called[leaf] for leaf in [*_leaves(order), *left[1:]]}, "")
    functions = [x.name for x in order if isinstance(x.name, Primitive)]
    spelling.add({function: function.name for function in functions}, "g")
    spelling.add({value: called[value] for value in left[:1]}, "")


def _spell_parts(
    spelling: FormulaNames,
    parts: Sequence[Expression],
    origins: Mapping[Expression, Value],
    called: Mapping[Value, str],
) -> None:
    """Name each part as the node that it is the formula of; the others are u1, u2, …."""
    for part in parts:
        if part in origins and origins[part] in spelling.text:
            spelling.share(origins[part], part)
    spelling.add({part: called[origins[part]] if part in origins else "" for part in parts}, "u")


def _left_side(value: str, *by: str) -> str:
    """Return a derivative's name.

    >>> _left_side("L", "x", "x", "y")
    '∂³L/∂x²∂y'
    """
    if not by:
        return value
    runs = [(name, len([*run])) for name, run in groupby(by)]
    below = "".join([f"∂{name}{_superscript(n)}" for name, n in runs])
    return f"∂{_superscript(len(by))}{value}/{below}"


def _superscript(n: int) -> str:
    return str(n).translate(SUPERSCRIPTS) if n > 1 else ""


def _latex_left_side(value: str, *by: str) -> str:
    if not by:
        return value
    runs = [(name, len([*run])) for name, run in groupby(by)]
    below = r"\,".join([rf"\partial {name}{_latex_superscript(n)}" for name, n in runs])
    return rf"\frac{{\partial{_latex_superscript(len(by))} {value}}}{{{below}}}"


def _latex_superscript(n: int) -> str:
    return f"^{{{n}}}" if n > 1 else ""


def _align(left: str, right: str, parts: Mapping[str, str], left_out: int) -> str:
    """Return a formula in LaTeX with its parts below it, aligned at the equals signs."""
    if not parts:
        return f"{left} = {right}" if left else right
    lines = [f"{name} &= {part}" for name, part in parts.items()]
    lines[0] = rf"\text{{where}}\quad {lines[0]}"
    if left_out:
        gap = rf"& \ldots\text{{ {left_out:,} more parts }}\ldots"
        lines.insert(ceil(len(parts) / 2), gap)
    first = f"{left} &= {right}" if left else f"& {right}"
    rows = r" \\ ".join([first, *lines])
    return rf"\begin{{aligned}} {rows} \end{{aligned}}"
