"""From values to a picture: what every value, operation and operand looks like."""

from __future__ import annotations

from typing import Any

from ..engine import Value, topological_order
from ..functional import hypot, logsumexp_, max_, min_, prod_, sum_
from ..graph import changed_leaf
from ..primitive import add, multiply
from .graph import Graph
from .labels import exact_text, html_text, number_text, printable, shortened, tooltip_text, width

__all__ = ["draw", "draw_dot"]

DIRECTIONS = ("LR", "TB", "BT", "RL")
SYMMETRIC = {add, multiply, sum_, prod_, max_, min_, hypot, logsumexp_}  # of operands in any order

# White, as a notebook shows an SVG by itself and a dark theme would swallow the lines. Helvetica is
# a font whose widths all engines know, and SVG viewers have a substitute for.
GRAPH = {
    "bgcolor": "white",
    "fontcolor": "#595959",
    "fontname": "Helvetica",
    "fontsize": "10",
    "nodesep": "0.15",
    "ranksep": "0.35",
}
NODE = {
    "fillcolor": "white",
    "fontname": "Helvetica",
    "fontsize": "11",
    "height": "0",
    "margin": "0.11,0.04",
    "shape": "box",
    "style": "filled",
    "width": "0",
}
EDGE = {
    "arrowsize": "0.6",
    "color": "#595959",
    "fontname": "Helvetica",
    "fontsize": "8",
    "labelangle": "0",  # on the line, which the number's white ground interrupts
    "labeldistance": "1.6",
}
# Shape, border and fill all differ, so that they tell apart in grey as well.
LEAF = {"color": "#1f5c99", "fillcolor": "#c9e2f8", "style": "rounded,filled,bold"}
CONSTANT = {"color": "#595959", "fillcolor": "#e8e8e8", "shape": "note", "style": "filled,dashed"}
OPERATION = {"fillcolor": "#f7f7f7", "margin": "0.05,0.02", "shape": "oval"}
RESULT = {"fillcolor": "#ffe3a6"}
TABLE = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{}</table>'
GAP = "&#160;&#160;"  # with room for a wider font, where Helvetica has no substitute of its widths
NUMBER = '<tr><td bgcolor="white">{}</td></tr>'


def draw(
    *roots: Value, format: str = "svg", rankdir: str = "LR", max_nodes: int | None = 500
) -> Graph:
    """Return a picture of all that the roots depend on, with data and gradients.

    A notebook shows it; `draw(loss).save("graph.svg")` writes it, as svg, png, pdf or dot.

    A leaf is a rounded box with a bold border, a constant a dashed note, any other value a plain
    box, and a root has a double border. An operation is an oval between its operands and its
    result; two or three are numbered where their order matters. Numbers have 4 digits here, and
    all of them in a node's tooltip. A constant has no gradient. A line below says so if every
    gradient is 0, as before `backward`, or if a leaf has changed since the rest was computed.

    The format is that of `graph.render()` and `graph.pipe()`, rankdir the way that the arrows go:
    "LR", "TB", "BT" or "RL". A graph of more than `max_nodes` values shows a text instead, as
    laying it out may take minutes; None draws any.

    Raises:
        TypeError: a root is no `Value`, or there is none.
        ValueError: there is no such rankdir or format.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> draw(a * b + 10.0)
    Graph of 5 values
    """
    if not roots:
        raise TypeError("draw needs at least one Value, got none")
    for root in roots:
        if not isinstance(root, Value):
            hint = "; pass its values one by one: draw(*values)" if _holds_values(root) else ""
            raise TypeError(f"draw needs Values, got {root!r} ({type(root).__name__}){hint}")
    if rankdir not in DIRECTIONS:
        raise ValueError(f"unknown rankdir {rankdir!r} (must be one of {', '.join(DIRECTIONS)})")
    order = topological_order(*roots)
    graph = Graph(
        values=len(order),
        max_nodes=max_nodes,
        format=format,
        graph_attr={**GRAPH, "rankdir": rankdir},
        node_attr=NODE,
        edge_attr=EDGE,
    )
    gradients = [value.grad for value in order if not value.is_constant]
    if (changed := changed_leaf(order)) is not None:
        name = "a leaf" if changed.label is None else tooltip_text(shortened(changed.label))
        graph.attr(label=f"{name} has changed since: refresh() computes the rest again")
    elif gradients and all(grad == 0 for grad in gradients):
        graph.attr(label="every grad is 0: was backward() called?")
    names = {value: f"n{place}" for place, value in enumerate(order)}
    ends = set(roots)
    for value, name in names.items():
        _draw_value(graph, name, value, value in ends)
        if value.parents:
            _draw_operation(graph, name, value, [names[parent] for parent in value.parents])
    return graph


def draw_dot(root: Value, format: str = "svg", rankdir: str = "LR") -> Graph:
    """Return `draw(root)`: micrograd's name for it, with micrograd's arguments.

    >>> draw_dot(Value(2.0) * 3.0)
    Graph of 3 values
    """
    return draw(root, format=format, rankdir=rankdir)


def _holds_values(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and any(isinstance(item, Value) for item in x)


def _draw_value(graph: Graph, name: str, value: Value, is_root: bool) -> None:
    numbers = (
        {"data": value.data} if value.is_constant else {"data": value.data, "grad": value.grad}
    )
    exact = ", ".join(f"{key} = {exact_text(x)}" for key, x in numbers.items())
    label = printable(value.label or "")
    look = CONSTANT if value.is_constant else {} if value.parents else LEAF
    if is_root:
        look = {**(look or RESULT), "peripheries": "2"}
    graph.node(
        name,
        f"<{TABLE.format(_rows(label, value, numbers))}>",
        tooltip=tooltip_text(f"{label}: {exact}" if label else exact),
        **look,
    )


def _rows(label: str, value: Value, numbers: dict[str, Any]) -> str:
    rows = ""
    if label:
        short = shortened(label)
        space = "" if label.isascii() else f' width="{width(short, size=11)}"'
        rows = f'<tr><td colspan="2"{space}><b>{html_text(short)}</b></td></tr>'
    if value.is_constant:
        return f'{rows}<tr><td colspan="2">{html_text(number_text(value.data))}</td></tr>'
    for key, x in numbers.items():
        rows += (
            f'<tr><td align="left"><font color="#595959" point-size="9">{key}{GAP}</font></td>'
            f'<td align="right">{html_text(number_text(x))}</td></tr>'
        )
    return rows


def _draw_operation(graph: Graph, name: str, value: Value, operands: list[str]) -> None:
    assert value.op is not None
    operation = f"{name}op"
    symbol = printable(value.op.name)
    graph.node(
        operation,
        f"<{html_text(shortened(symbol)) or ' '}>",
        tooltip=tooltip_text(symbol),
        **OPERATION,
    )
    # a dot product's many numbers would lie on top of each other
    numbered = 1 < len(operands) <= 3 and value.op not in SYMMETRIC
    for place, operand in enumerate(operands, start=1):
        number = f"<{TABLE.format(NUMBER.format(place))}>"
        graph.edge(operand, operation, headlabel=number if numbered else None)
    graph.edge(operation, name)
