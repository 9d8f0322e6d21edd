"""Why a gradient is what it is: the paths that it is a sum of, the largest first."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import Any

from ..engine import Value
from ..paths import Path, all_paths, edges_between, largest_paths
from ..primitive import number
from .diagram import draw
from .graph import Graph
from .labels import exact_text, number_text, printable, shortened
from .names import Names, names_of

__all__ = ["Explanation", "Rest", "explain"]

WIDTH = 80  # columns of a terminal
# How many nodes of a path, how many letters of a name, and whether the factors are below the path
# instead of beside it: of these the first that fits is taken.
LAYOUTS = [(12, 24, False), *((nodes, 24, True) for nodes in range(12, 1, -1)), (2, 6, True)]
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
TITLES = ("gradient", "path", "factors")
# A notebook would take dollars in a name for the beginning of a formula. There are no colours: a
# page has its own, light or dark.
TABLE = (
    '<table class="tex2jax_ignore mathjax_ignore"><caption style="text-align:left">{}</caption>'
    "<thead>{}</thead><tbody>{}</tbody></table>"
)
CELL = '<{0} style="padding:0.2em 0.8em;text-align:{1};vertical-align:baseline">{2}</{0}>'


def explain(output: Value, input: Value, names: Names = None, most: int = 10) -> Explanation:
    """Return an output's gradient by an input as a sum over the paths between them, largest first.

    Along each path the partials are multiplied, which is the chain rule. The graph's `grad` is
    neither read nor touched.

    Args:
        output: what is derived, such as a loss.
        input: what it is derived by: a leaf, or any other node that is no constant.
        names: what nodes without a label are called: a mapping such as `locals()`, or a model.
        most: how many paths to list; the rest are summed.

    Raises:
        TypeError: the output or the input is no `Value`, or `names` neither a mapping nor a model.
        ValueError: the input is a constant, or `most` no whole number from 1 on.
        RuntimeError: a leaf has changed since it was used.
        ArithmeticError, ValueError: a partial does not exist, as that of sqrt at 0.

    >>> w, x = Value(0.5), Value(2.0)
    >>> h = (w * x).tanh()
    >>> loss = (h - 1) ** 2 + w**2 / 10
    >>> explain(loss, w, names=locals())
    ∂loss/∂w = -0.3005, the sum over 2 paths
      -0.4005  w → * → h → - → **2 → loss  = 2 · 0.42 · 1 · -0.4768 · 1
          0.1  w → **2 → / → loss          = 1 · 0.1 · 1
    """
    for role, value in (("output", output), ("input", input)):
        if not isinstance(value, Value):
            raise TypeError(
                f"explain needs a Value as its {role}, got {value!r} ({type(value).__name__})"
            )
    if input.is_constant:
        raise ValueError(f"explain needs a Value to derive by, got the constant {input!r}")
    if not isinstance(most, Integral) or isinstance(most, bool) or most < 1:
        raise ValueError(f"`most` must be a whole number of paths from 1 on, got {most!r}")
    edges = edges_between(output, input)
    gradient, total = all_paths(edges, output, input)
    paths = largest_paths(edges, output, input, int(most))
    shown = {output, input}.union(*[path.nodes for path in paths])
    return Explanation(
        output,
        input,
        gradient,
        paths,
        _rest(gradient, total, paths),
        names_of(shown, names),
        names,
    )


@dataclass(frozen=True, repr=False)
class Rest:
    """The paths that are not listed: how many there are, and the sum of their gradients.

    The sum is the exact difference between the gradient and the listed ones, rounded once. So it
    has in it what `backward` rounds off, and is that alone where no path is missing; of Fractions
    it is exact. Beside an infinity it may be nan: it cannot be told.

    >>> x = Value(2.0)
    >>> explain(x * x * x, x, most=1).rest
    Rest(2 paths, gradient=8.0)
    """

    number: int
    gradient: Any

    def __repr__(self) -> str:
        return f"Rest({_counted(self.number, 'path')}, gradient={self.gradient!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A gradient as a sum over paths: what `explain` returns.

    `gradient` is the derivative of `output` by `input`, as `backward` computes it. `paths` are the
    largest, the largest first, and `rest` all others; `names` are those of the nodes that have one,
    by their labels and `named_by`, which is what `explain` was given.

    It prints as a text, shows as a table in a notebook, and `draw` emphasises a path in the picture
    of the graph. Where a node is several operands of the next, the arrow has the operand's number.

    >>> x = Value(2.0, label="x")
    >>> explain(x * x, x)
    ∂output/∂x = 4, the sum over 2 paths
      2  x →₁ *  = 2
      2  x →₂ *  = 2
    """

    output: Value
    input: Value
    gradient: Any
    paths: list[Path]
    rest: Rest
    names: dict[Value, str]
    named_by: Names

    def draw(self, path: int = 0, **options: Any) -> Graph:
        """Return the picture of the graph with the path of that place in `paths` emphasised.

        The options are those of `draw`; `names` are those of the explanation unless given.

        Raises:
            IndexError: there is no such path.
        """
        try:
            nodes = self.paths[path].nodes
        except IndexError:
            raise IndexError(
                f"draw needs the place of a path, from 0; {len(self.paths)} are listed, got {path}"
            ) from None
        return draw(self.output, **({"names": self.named_by, "highlight": nodes} | options))

    def __str__(self) -> str:
        """Show every path on a line, or two, its middle left out where it is too long."""
        for nodes, letters, stacked in LAYOUTS:
            rows = self._rows(nodes, letters)
            wide = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
            lines = [self._head(letters)]
            for gradient, path, factors in rows:
                lines.append(f"  {_padding(gradient, wide[0])}{gradient}  {path}")
                if factors and stacked:
                    lines.append(f"  {' ' * wide[0]}  = {factors}")
                elif factors:
                    lines[-1] += f"{_padding(path, wide[1])}  = {factors}"
            if max(map(_columns, lines)) <= WIDTH:
                break
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        entries: list[Path | Rest] = [*self.paths, self.rest]  # which may have no row
        rows = zip(self._rows(nodes=12, letters=24), entries, strict=False)
        body = "".join(_row("td", texts, exact_text(entry.gradient)) for texts, entry in rows)
        return TABLE.format(html.escape(self._head(letters=24)), _row("th", TITLES), body)

    def _head(self, letters: int) -> str:
        """Return what is summed over how many paths."""
        output, input = [
            shortened(printable(self.names.get(value, word)), letters)
            for value, word in ((self.output, "output"), (self.input, "input"))
        ]
        gradient = f"∂{output}/∂{input} = {number_text(self.gradient)}".replace("= ≈", "≈ ")
        total = len(self.paths) + self.rest.number
        if not total:
            return f"{gradient}: {output} does not depend on {input}"
        return f"{gradient}, the sum over {_counted(total, 'path')}"

    def _rows(self, nodes: int, letters: int) -> list[tuple[str, str, str]]:
        """Return the gradient, the way and the factors of each path, then what the rest is."""
        rows = [
            (
                number_text(path.gradient),
                self._way(path, nodes, letters),
                " · ".join(_thinned(path.factors, nodes - 1, number_text, "…")) or "1",
            )
            for path in self.paths
        ]
        if self.rest.number:
            others = _counted(self.rest.number, "other path")
            rows.append((number_text(self.rest.gradient), others, ""))
        elif number_text(self.gradient - self.rest.gradient) != number_text(self.gradient):
            rows.append((number_text(self.rest.gradient), "rounded off by the sum", ""))
        return rows

    def _way(self, path: Path, nodes: int, letters: int) -> str:
        """Return the names of a path's nodes, and by which operand where there are several."""

        def step(i: int) -> str:
            node, parent = path.nodes[i], path.nodes[i - 1]
            symbol = node.op.name if node.op and node.parents else "input"
            name = shortened(printable(self.names.get(node, symbol)), letters)
            if i == 0:
                return name
            several = sum([operand is parent for operand in node.parents]) > 1
            return f"→{str(path.places[i - 1] + 1).translate(SUBSCRIPTS) * several} {name}"

        return " ".join(_thinned(range(len(path.nodes)), nodes, step, "→ … {:,} more …"))


def _rest(gradient: Any, total: int, paths: list[Path]) -> Rest:
    missing, listed = total - len(paths), [path.gradient for path in paths]
    try:
        rest: Any = Fraction(number(gradient)) - sum(Fraction(number(x)) for x in listed)
    except (OverflowError, ValueError):  # one is an infinity or a nan
        rest = gradient - sum(listed) if missing else 0
    return Rest(missing, type(gradient)(rest))


def _row(tag: str, texts: Iterable[str], tooltip: str = "") -> str:
    cells = [
        CELL.format(tag, align, html.escape(text))
        for align, text in zip(("right", "left", "left"), texts, strict=True)
    ]
    return f'<tr title="{tooltip}">{"".join(cells)}</tr>'


def _thinned(items: Any, most: int, text: Callable[[Any], str], gap: str) -> list[str]:
    """Return texts of items, the middle of more than so many left out."""
    if len(items) <= most:
        return [text(item) for item in items]
    last = most // 2
    shown = [text(item) for item in (*items[: most - last], *items[len(items) - last :])]
    return [*shown[: most - last], gap.format(len(items) - most), *shown[most - last :]]


def _counted(n: int, what: str) -> str:
    text = f"{n:,}" if n < 10**9 else number_text(Fraction(n))  # Python prints no 5000 digits
    return f"{text} {what}{'s' * (n != 1)}"


def _padding(text: str, width: int) -> str:
    return " " * (width - _columns(text))


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)
