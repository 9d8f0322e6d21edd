"""From values to a picture of the graph that they depend on."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from graphviz import FORMATS

from ...core.graph import find_changed_leaf
from ...core.sequences import as_list
from ...derivatives.foreign import Translation
from ...engine import Value, topological_order
from ...guards.checks import quote, require_bools, require_integers
from ..labels import isolate, number_text, printable, shorten, tooltip_text
from ..layout import effort
from ..names import GivenNames, all_names, models_of, names_of
from .digraph import Graph
from .dot import DotWriter, Scene
from .modules import Block, homes_of
from .plan import Plan, make_plan, nearest
from .styles import EDGE, GRAPH, NODE

__all__ = ["draw", "draw_dot"]

DIRECTIONS = ("LR", "TB", "BT", "RL")
MANY_EDGES = 1000  # a layout makes room for each number on an edge: 4 seconds for 2,500 of them
MANY_VALUES = 200
FEW_VALUES = 50  # whose layout never takes long
MOST_ROOTS = 5  # that are told in words
FEWER = 10  # times as few are drawn if a layout takes long
ASKED = "draw(…, max_nodes=None) draws all"
# The notes are where one begins to read, and still legible when it all is made to fit a page.
LARGE = {"fontsize": "20", "labeljust": "l", "labelloc": "t"}


def draw(
    *roots: object,
    names: GivenNames = None,
    depth: int | None = None,
    expand_dot: bool = False,
    highlight: Iterable[object] = (),
    format: str = "svg",
    rankdir: str = "LR",
    max_nodes: int | None = 500,
) -> Graph:
    """Return a picture of the roots and of all that they depend on, with data and gradients.

    A notebook shows it; `draw(loss).save("graph.svg")` writes it, as svg, png, pdf or dot.

    A leaf is a rounded box with a bold border, a constant a dashed note, any other value a plain
    box; a root has a double border. A value that nobody named has a small grey name, the same as in
    `explain`, `explore` and `formula`: `microgrid.drawing.names` has the rules.

    An operation is a small round box between its operands and its result. Operands keep their
    order; two or three are numbered where it matters. If the line to an operand would be too long,
    the operand stands beside the operation once more, dashed. The edge from an operand shows
    the local derivative, ∂result/∂operand, unless that layout takes long. Numbers have 4 digits
    here, and all of their digits in tooltips. A constant has no gradient. A line below the picture
    says so if every gradient is 0, as before `backward`, or if a leaf has changed since the rest
    was computed.

    Colours show gradients, orange those above 0 and purple those below, the stronger the larger:
    on a node its own, on an edge the share that it carries back. The larger that share, the thicker
    the edge; it is dashed where the share is below 0, and thin and grey where the share is 0. The
    pieces of the SVG have ids and classes to build on, which `microgrid.drawing.graphs.dot` lists.

    Nodes of your own engine are drawn too, as `microgrid.drawing.as_values` finds them.

    Args:
        *roots: The values to draw; what they share is drawn once.
        names: Names for values without a label: a mapping such as `locals()`, or a model, whose
            parameters are named by their paths. A model's modules are framed, each once however
            many rows went through it.
        depth: How far a model is opened: 0 draws it as one box, 1 its layers as boxes, 2 their
            neurons. None opens as much as `max_nodes` allows.
        expand_dot: Whether a `dot` is drawn as products and their sum, instead of as one operation.
        highlight: Values to emphasise, and the edges between each and the next.
        format: That of `graph.render()` and `graph.pipe()`.
        rankdir: The direction of the arrows: "LR", "TB", "BT" or "RL".
        max_nodes: The most values to draw, those nearest to the roots first. A line says how many
            are left out, and dotted stubs show where the graph goes on. None draws all of them, if
            the layout takes no more than some seconds.

    Raises:
        TypeError: a root, or a value to highlight, is not a `Value`; there is no root; or `names`
            is neither a mapping nor a model.
        ValueError: there is no such rankdir or format; `depth` is below 0, or there is no model
            among the names; `max_nodes` is below 1; or no root depends on a value to highlight.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> draw(a * b + 10.0, names=locals())
    Graph of 5 values
    """
    translate = Translation(roots)
    names = translate.names(names)
    values = _require_values([translate(root) for root in roots])
    _require_options(format, rankdir, expand_dot, depth, max_nodes)
    models = models_of(names)
    if depth is not None and not models:
        raise ValueError("depth says how deep a model is open, and needs one: draw(…, names=model)")
    order = topological_order(*values)
    path = _path(highlight, order, translate)
    homes = homes_of(order, models)
    plan, boxes = _open_modules(order, set(values), homes, depth, expand_dot, max_nodes)
    given = names_of(order, names)
    scene = Scene(
        plan=plan,
        ids={value: f"n{place}" for place, value in enumerate(order)},
        names=_names_to_show(order, names, given, values),
        given=given,
        frames={v: boxes[v].parent if v in boxes else home for v, home in homes.items()},
        roots=set(values),
        path=path,
        rankdir=rankdir,
    )
    drawing = _Drawing(scene, order, [*values, *path], _state(order), format)
    return drawing.draw(len(plan.values) if max_nodes is None else max_nodes)


def draw_dot(root: object, format: str = "svg", rankdir: str = "LR") -> Graph:
    """Return `draw(root)`: micrograd's name for it, with micrograd's arguments.

    >>> draw_dot(Value(2.0) * 3.0)
    Graph of 3 values
    """
    return draw(root, format=format, rankdir=rankdir)


def _require_values(roots: Sequence[object]) -> list[Value]:
    if not roots:
        raise TypeError("draw needs at least one Value, got none")
    for root in roots:
        if not isinstance(root, Value):
            hint = "; pass its values one by one: draw(*values)" if _holds_values(root) else ""
            raise TypeError(f"draw needs Values, got {quote(root)} ({type(root).__name__}){hint}")
    return [root for root in roots if isinstance(root, Value)]


def _require_options(
    format: str, rankdir: str, expand_dot: bool, depth: int | None, max_nodes: int | None
) -> None:
    if not isinstance(format, str) or format.lower() not in FORMATS:
        raise ValueError(
            f"unknown format: {quote(format)} (must be one of {', '.join(sorted(FORMATS))})"
        )
    if not isinstance(rankdir, str) or rankdir not in DIRECTIONS:
        raise ValueError(
            f"unknown rankdir {quote(rankdir)} (must be one of {', '.join(DIRECTIONS)})"
        )
    require_bools(expand_dot=expand_dot)
    if depth is not None:
        require_integers(depth=depth, least=0, instead="None")
    if max_nodes is not None:
        require_integers(max_nodes=max_nodes, instead="None")


class _Drawing(NamedTuple):
    """A scene to draw; how much of it is drawn depends on how long its layout takes.

    `first` are the values that are drawn before others, and `state` is what to say of numbers.
    """

    scene: Scene
    order: Sequence[Value]
    first: Sequence[Value]
    state: str
    format: str

    def draw(self, most: int, derivatives: bool = True, why: str = ASKED) -> Graph:
        """Return the picture of so many values at most, with or without numbers on its edges."""
        plan, notes = self.scene.plan, [self.state]
        graph = Graph(
            values=len(self.order),
            description=self._results(),
            format=self.format,
            graph_attr={**GRAPH, "rankdir": self.scene.rankdir},
            node_attr=NODE,
            edge_attr=EDGE,
        )
        shown = set(plan.values)
        if len(shown) > most:
            shown = nearest(plan, [x for x in self.first if x in shown], most)
            graph.left_out = len(plan.values) - len(shown)
            left_out = f"{graph.left_out:,} more values are left out, where dotted lines lead"
            notes.append(f"{left_out}: {why}")
        junctions = [plan.junctions[value] for value in shown if value in plan.junctions]
        edges = sum(len(junction.operands) for junction in junctions if not junction.block)
        derivatives = derivatives and edges <= MANY_EDGES
        if edges and not derivatives:
            notes.append("so many local derivatives are in the edges' tooltips alone")
        writer = DotWriter(self.scene, shown, derivatives)
        if writer.far:
            notes.append("operands from far away stand beside their operation again, dashed")
        if len(shown) > MANY_VALUES:
            graph.attr(**LARGE)
        graph.attr(**effort(len(shown)))
        if any(notes):
            graph.attr(label="\\n".join(filter(None, notes)))
        simpler = None
        if derivatives and len(shown) > FEW_VALUES:
            simpler = partial(self.draw, most, derivatives=False, why=why)
        elif len(shown) > FEW_VALUES:
            fewer = max(FEW_VALUES, len(shown) // FEWER)
            simpler = partial(
                self.draw, fewer, derivatives=False, why="the layout of all takes too long"
            )
        graph.write(writer.write(), simpler)
        return graph

    def _results(self) -> str:
        """Return what the first roots are called, and their numbers."""
        roots = [value for value in self.first if value in self.scene.roots][:MOST_ROOTS]
        names = [printable(self.scene.names.get(root, "the result")) for root in roots]
        return ", ".join(
            f"{isolate(shorten(name))} = {number_text(root.data)}"
            for name, root in zip(names, roots, strict=True)
        )


def _names_to_show(
    order: list[Value], names: GivenNames, given: Container[Value], roots: Sequence[Value]
) -> dict[Value, str]:
    """Return what values are called, but constants that are just numbers."""
    root = roots[0] if len(roots) == 1 else None
    called = all_names(order, names, root=root, most=None)
    return {x: name for x, name in called.items() if x in given or not x.is_constant}


def _holds_values(x: object) -> bool:
    return isinstance(x, (list, tuple)) and any(isinstance(item, Value) for item in x)


def _path(
    highlight: Iterable[object], order: Sequence[Value], translate: Translation
) -> list[Value]:
    if isinstance(highlight, Value):
        raise TypeError(f"highlight needs a list of Values, got {quote(highlight)}; write [value]")
    known, path = set(order), list[Value]()
    for value in map(translate, as_list(highlight, "highlight needs a list of Values")):
        if not isinstance(value, Value):
            raise TypeError(
                "highlight needs a list of Values, "
                f"got {quote(value)} ({type(value).__name__}) in it"
            )
        if value not in known:
            raise ValueError(f"what to highlight must be in the graph, got {quote(value)}")
        path.append(value)
    return path


def _state(order: list[Value]) -> str:
    """Return what to say of numbers that are not what one may take them for."""
    if (changed := find_changed_leaf(order)) is not None:
        label = printable(shorten(changed.label or ""))
        name = tooltip_text(label) if label else "a leaf"
        return f"{name} has changed since: refresh() computes the rest again"
    gradients = [value.grad for value in order if not value.is_constant]
    if gradients and all(grad == 0 for grad in gradients):
        return "every grad is 0: was backward() called?"
    return ""


def _open_modules(
    order: Sequence[Value],
    roots: set[Value],
    homes: dict[Value, Block],
    depth: int | None,
    expand_dot: bool,
    max_nodes: int | None,
) -> tuple[Plan, dict[Value, Block]]:
    """Return the plan of a graph with modules open to a depth, and the box of each value in one."""
    deepest = max((home.depth for home in homes.values()), default=-1) + 1
    for opened in range(deepest, -1, -1) if depth is None else (depth,):
        boxes = {value: home.at(opened) for value, home in homes.items() if home.depth >= opened}
        plan = make_plan(order, roots, boxes, expand_dot)
        if max_nodes is None or len(plan.values) <= max_nodes:
            break
    return plan, boxes
