"""Why a gradient has its value: the paths that it is a sum over, the largest first."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...core.graph import topological_order
from ...core.reals import number
from ...derivatives.checkpoints import require_whole
from ...derivatives.foreign import CLOSE, Translation
from ...derivatives.paths import Path, all_paths, edges_between, largest_paths
from ...engine import Value
from ...guards.checks import quote, require_integers
from ..graphs.diagram import draw
from ..graphs.digraph import Graph
from ..graphs.modules import homes_of
from ..labels import abridge, columns, exact_text, isolate, number_text, printable, shorten
from ..names import GivenNames, all_names, models_of, names_of
from .words import places_to_show, words_of, wrap

__all__ = ["Explanation", "Rest", "explain"]

WIDTH = 80  # columns of a terminal
NODES = 12  # of a path, and of one that takes several lines
FEWER = 8
LETTERS, TITLE = 12, 32  # of an operation, and of a module's name
TITLES = ("gradient", "path", "factors")
# A notebook would take dollars in a name for the beginning of a formula. There are no colours: a
# page has its own, light or dark.
TABLE = (
    '<table class="tex2jax_ignore mathjax_ignore"><caption style="text-align:left">{}</caption>'
    "<thead>{}</thead><tbody>{}</tbody></table>"
)
CELL = '<{0} style="padding:0.2em 0.8em;text-align:{1};vertical-align:baseline">{2}</{0}>'


def explain(output: object, input: object, names: GivenNames = None, most: int = 10) -> Explanation:
    """Return the gradient of an output as a sum over the paths from an input, largest first.

    Along each path the partials are multiplied, which is the chain rule. The graph's `grad` is
    neither read nor touched. Nodes of your own engine are explained too: if the gradient of such a
    node differs from the sum, the text says so.

    Args:
        output: the value to differentiate, such as a loss.
        input: what to differentiate with respect to: a leaf, or any node that is not a constant.
        names: the names of nodes without a label: a mapping such as `locals()`, or a model.
        most: how many paths to list; the rest are summed.

    Raises:
        TypeError: the output or the input is not a `Value`, or `names` is neither a mapping nor a
            model.
        ValueError: the input is a constant, or `most` is less than 1.
        RuntimeError: a leaf has changed since it was used, or a path has checkpoints.
        ArithmeticError, ValueError: a partial does not exist, as that of sqrt at 0.

    >>> w, x = Value(0.5), Value(2.0)
    >>> h = (w * x).tanh()
    >>> loss = (h - 1) ** 2 + w**2 / 10
    >>> explain(loss, w, names=locals())
    ∂loss/∂w = -0.3005, the sum over 2 paths
      -0.4005  w → v1(*) → h → v2(-) → v3(**2) → loss  = 2 · 0.42 · 1 · -0.4768 · 1
          0.1  w → v4(**2) → v5(/) → loss              = 1 · 0.1 · 1
    """
    translate = Translation([output, input])
    is_own = not (isinstance(output, Value) and isinstance(input, Value))
    output, input, names = translate(output), translate(input), translate.names(names)
    for role, value in (("output", output), ("input", input)):
        if not isinstance(value, Value):
            raise TypeError(
                f"explain needs a Value as its {role}, got {quote(value)} ({type(value).__name__})"
            )
    assert isinstance(output, Value)
    assert isinstance(input, Value)
    if input.is_constant:
        raise ValueError(
            f"explain needs a Value to differentiate with respect to, got the constant {input!r}"
        )
    require_integers(most=most)
    edges = edges_between(output, input)
    require_whole(edges, "explain", "build it without them")
    gradient, total = all_paths(edges, output, input)
    paths = largest_paths(edges, output, input, int(most))
    order = [*dict.fromkeys([*topological_order(output), input])]
    given = names_of(order, names)
    homes = homes_of(order, models_of(names))
    return Explanation(
        output,
        input,
        gradient,
        paths,
        _rest(gradient, total, paths),
        all_names(order, names, root=output),
        {
            node: shorten(printable(node.op.name), LETTERS)
            for node in order
            if node.op and node.parents and node not in given
        },
        {node: abridge(printable(home.title), TITLE) for node, home in homes.items()},
        names,
        _claim(input, gradient) if is_own and output.grad == 1 else None,
    )


def _claim(node: Value, gradient: float) -> float | None:
    """Return what a node of another engine says its gradient is, if that is not so."""
    said = 0.0 if node.grad is None else node.grad
    return None if math.isclose(said, gradient, rel_tol=CLOSE, abs_tol=CLOSE) else said


@dataclass(frozen=True, repr=False)
class Rest:
    """The paths that are not listed: how many there are, and the sum of their gradients.

    The sum is the exact difference between the gradient and those of the listed paths, rounded
    once. So it includes what `backward` rounds off, and only that if every path is listed; for
    Fractions it is exact. Beside an infinity it is unknown, and may be nan.

    >>> x = Value(2.0)
    >>> explain(x * x * x, x, most=1).rest
    Rest(2 paths, gradient=8.0)
    """

    number: int
    gradient: float

    def __repr__(self) -> str:
        return f"Rest({_count_text(self.number, 'path')}, gradient={self.gradient!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A gradient as a sum over paths: what `explain` returns.

    `gradient` is the derivative of `output` with respect to `input`, as `backward` computes it.
    `paths` has the largest paths, the largest first, and `rest` all others. `names` has the names
    of all values of the graph, as in its pictures, `operations` the operations of the nodes without
    a given name, and `homes` the names of the modules that nodes are in; `named_by` is the `names`
    that `explain` was given. `claim` is the gradient of a node of another engine if it is not
    the sum.

    It prints as text, a notebook shows it as a table, and `draw` emphasises a path in the picture
    of the graph. A node without a given name has its operation beside it, and a module of a model
    is named where a path enters it. Where a node is several operands of the next one, the arrow has
    the operand's number.

    >>> x = Value(2.0, label="x")
    >>> explain(x * x, x)
    ∂L/∂x = 4, the sum over 2 paths
      2  x →₁ L(*)  = 2
      2  x →₂ L(*)  = 2
    """

    output: Value
    input: Value
    gradient: float
    paths: list[Path]
    rest: Rest
    names: dict[Value, str]
    operations: dict[Value, str]
    homes: dict[Value, str]
    named_by: GivenNames
    claim: float | None = None

    def draw(self, path: int = 0, **options: Any) -> Graph:
        """Return the picture of the graph with one of `paths` emphasised.

        `path` is its place in the list. The options are those of the function `draw`; `names` are
        those of the explanation unless they are given.

        Raises:
            TypeError: `path` is not an integer.
            IndexError: there is no path in that place.

        >>> x = Value(2.0, label="x")
        >>> explain(x * x, x).draw(path=1)
        Graph of 2 values
        """
        if not isinstance(path, int) or isinstance(path, bool):
            raise TypeError(f"draw needs the place of a path, from 0, got {quote(path)}")
        if not -len(self.paths) <= path < len(self.paths):
            raise IndexError(
                f"draw needs the place of a path, from 0; {len(self.paths)} are listed, "
                f"got {quote(path)}"
            )
        nodes = self.paths[path].nodes
        return draw(self.output, **({"names": self.named_by, "highlight": nodes} | options))

    def __str__(self) -> str:
        """Show every path on a line, or on several where they do not all fit."""
        rows = self._rows(NODES)
        wide = [
            max([columns(text) for text in texts], default=0)
            for texts in (
                [gradient for gradient, _, _ in rows],
                [" ".join(way) for _, way, _ in rows],
                [_product(factors) for _, _, factors in rows],
            )
        ]
        lines = wrap(self._head(), WIDTH)
        beside = sum(wide) + 6 <= WIDTH
        for gradient, way, factors in rows if beside else self._rows(FEWER):
            start, room = f"  {_padding(gradient, wide[0])}{gradient}  ", WIDTH - wide[0] - 4
            under = " " * columns(start)
            if beside:
                path, product = " ".join(way), _product(factors)
                lines.append(f"{start}{path}{_padding(path, wide[1])}  {product}".rstrip())
            else:
                first, *others = wrap(way, room)
                lines += [start + first, *[under + line for line in others]]
                lines += [under + line for line in wrap(_product(factors).split(), room)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        entries: list[Path | Rest] = [*self.paths, self.rest]  # which may have no row
        rows = zip(self._rows(NODES), entries, strict=False)
        body = "".join(
            _row("td", (gradient, " ".join(way), " · ".join(factors)), exact_text(entry.gradient))
            for (gradient, way, factors), entry in rows
        )
        return TABLE.format(html.escape(" ".join(self._head())), _row("th", TITLES), body)

    def _head(self) -> list[str]:
        """Return which gradient is the sum over how many paths, in words to wrap into lines."""
        output, input = [isolate(self.names[value]) for value in (self.output, self.input)]
        gradient = [f"∂{output}/∂{input}", "=", number_text(self.gradient)]
        if gradient[-1].startswith("≈"):
            gradient[1:] = ["≈", gradient[-1][1:]]
        total = len(self.paths) + self.rest.number
        if not total:
            return [
                *gradient[:-1],
                f"{gradient[-1]}:",
                output,
                *["does", "not", "depend", "on"],
                input,
            ]
        return [
            *gradient[:-1],
            f"{gradient[-1]},",
            "the",
            "sum",
            "over",
            *_count_text(total, "path").split(),
            *self._objection(),
        ]

    def _objection(self) -> list[str]:
        """Return, where a node of another engine has another gradient, what it has."""
        if self.claim is None:
            return []
        return ["—", "but", "the", "node", "has", number_text(self.claim)]

    def _rows(self, most: int) -> list[tuple[str, list[str], list[str]]]:
        """Return the gradient, the words and the factors of each path, then those of the rest."""
        rows = [
            (
                number_text(path.gradient),
                *words_of(path, places, self.names, self.operations, self.homes),
            )
            for path, places in zip(self.paths, places_to_show(self.paths, most), strict=True)
        ]
        if self.rest.number:
            others = _count_text(self.rest.number, "other path").split()
            rows.append((number_text(self.rest.gradient), others, []))
        elif number_text(self.gradient - self.rest.gradient) != number_text(self.gradient):
            rounded = ["rounded", "off", "by", "the", "sum"]
            rows.append((number_text(self.rest.gradient), rounded, []))
        return rows


def _rest(gradient: float, total: int, paths: list[Path]) -> Rest:
    missing, listed = total - len(paths), [path.gradient for path in paths]
    try:
        exact = [Fraction(number(x)) for x in listed]
        rest: float | Fraction = Fraction(number(gradient)) - sum(exact)
    except (OverflowError, ValueError):  # one is an infinity or a nan
        rest = gradient - sum(listed) if missing else 0
    return Rest(missing, type(gradient)(rest))


def _row(tag: str, texts: Iterable[str], tooltip: str = "") -> str:
    cells = [
        CELL.format(tag, align, html.escape(text))
        for align, text in zip(("right", "left", "left"), texts, strict=True)
    ]
    return f'<tr title="{tooltip}">{"".join(cells)}</tr>'


def _product(factors: list[str]) -> str:
    return f"= {' · '.join(factors)}" if factors else ""


def _count_text(n: int, what: str) -> str:
    text = f"{n:,}" if n < 10**9 else number_text(Fraction(n))  # Python prints no 5000 digits
    return f"{text} {what}{'s' * (n != 1)}"


def _padding(text: str, width: int) -> str:
    return " " * (width - columns(text))
