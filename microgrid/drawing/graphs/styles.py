"""What every piece of a picture looks like, and the words on it."""

from __future__ import annotations

from collections.abc import Mapping

from ...engine import Value
from ..colours import Derivative, largest_size
from ..labels import (
    abridge,
    exact_text,
    html_text,
    number_text,
    printable,
    shorten,
    tooltip_text,
    width,
)
from ..names import LONGEST
from .modules import Block
from .plan import Junction

Look = dict[str, str]

__all__ = [
    *("CHOSEN", "EDGE", "GRAPH", "MORE", "MORE_EDGE", "NODE", "Look", "attributes", "box_look"),
    *("again_look", "frame_look", "operand_look", "operation_look", "pin", "plain_operand_look"),
    "value_look",
]

# White, as a notebook shows an SVG by itself and a dark theme would swallow the lines. Helvetica is
# a font whose widths all engines know, and SVG viewers have a substitute for.
GRAPH = {
    "bgcolor": "white",
    "fontcolor": "#595959",
    "fontname": "Helvetica",
    "fontsize": "10",
    "nodesep": "0.15",
    "pad": "0.1",
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
    "fontcolor": "#404040",
    "fontname": "Helvetica",
    "fontsize": "8",
    "labelangle": "0",  # on the line, which the number's white ground interrupts
    "labeldistance": "1.6",
}
# Shape, border and fill all differ, so that they tell apart in grey as well.
LEAF = {"color": "#1f5c99", "fillcolor": "#d9eafa", "style": "rounded,filled,bold"}
CONSTANT = {"color": "#595959", "fillcolor": "#e8e8e8", "shape": "note", "style": "filled,dashed"}
OPERATION = {"fillcolor": "#f7f7f7", "margin": "0", "style": "rounded,filled"}
RESULT = {"fillcolor": "#fff0b3"}
BOX = {"color": "#3d6b35", "fillcolor": "#dfeeda", "margin": "0", "shape": "box3d"}
FRAME = {
    "bgcolor": "#f4f8f2",
    "color": "#9db896",
    "fontcolor": "#3d6b35",
    "fontsize": "10",
    "labeljust": "r",  # operands come from the left
    "margin": "8",
    "style": "rounded",
}
AGAIN = {"color": "#595959", "fontsize": "9", "style": "rounded,filled,dashed"}
MORE = {"class": "more", "fontcolor": "#595959", "shape": "plaintext", "style": "solid"}
MORE_EDGE = {"class": "more", "style": "dotted", "arrowhead": "none"}
CHOSEN = {"color": "#c2006b", "penwidth": "3.5"}


PIN = 3  # points, at least, from operand to operand
MOST_PINS = 100
TABLE = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{}</table>'
GAP = "&#160;&#160;"  # with room for a wider font, where Helvetica has no substitute of its widths
NUMBER = '<tr><td bgcolor="white">{}</td></tr>'
GREY = '<font color="#595959" point-size="9">{}</font>'


def value_look(value: Value, name: str, is_given: bool, is_root: bool, ground: str | None) -> Look:
    """Return the attributes of a value's node; `ground` is the colour of its gradient.

    A name that was not given to it is small and grey.
    """
    numbers = {"data": value.data}
    if not value.is_constant:
        numbers["grad"] = value.grad
    label = printable(name)
    exact = ", ".join(f"{key} = {exact_text(x)}" for key, x in numbers.items())
    kind = "constant" if value.is_constant else "inner" if value.parents else "leaf"
    look = {"constant": CONSTANT, "inner": {}, "leaf": LEAF}[kind]
    title = _title(label, is_given)
    if is_root:
        look = {**(look or RESULT), "peripheries": "2"}
    return {
        "label": f"<{TABLE.format(title + _numbers(numbers, ground))}>",
        "tooltip": tooltip_text(f"{label}: {exact}" if label else exact),
        "class": f"value {kind}" + " root" * is_root,
        **look,
    }


def _title(label: str, is_given: bool = True) -> str:
    if not label:
        return ""
    short = abridge(label, LONGEST)
    if not is_given:
        return f'<tr><td colspan="2">{GREY.format(html_text(short))}</td></tr>'
    space = "" if label.isascii() else f' width="{width(short, size=11)}"'
    return f'<tr><td colspan="2"{space}><b>{html_text(short)}</b></td></tr>'


def _numbers(numbers: Mapping[str, float], ground: str | None) -> str:
    if len(numbers) == 1:  # a constant's
        return f'<tr><td colspan="2">{html_text(number_text(numbers["data"]))}</td></tr>'
    rows = ""
    for key, x in numbers.items():
        behind = f' bgcolor="{ground}"' if key == "grad" and ground else ""
        rows += (
            f'<tr><td align="left"{behind}>{GREY.format(key + GAP)}</td>'
            f'<td align="right"{behind}>{html_text(number_text(x))}</td></tr>'
        )
    return rows


def again_look(value: Value, name: str) -> Look:
    """Return the attributes of a value that stands once more beside an operation far from it."""
    data = number_text(value.data)
    label = printable(name)
    kind = "constant" if value.is_constant else "inner" if value.parents else "leaf"
    fill = {"constant": CONSTANT, "inner": NODE, "leaf": LEAF}[kind]["fillcolor"]
    return {
        "label": f"<{html_text(abridge(label, LONGEST) or data)}>",
        "tooltip": tooltip_text(f"{label or kind} again: data = {exact_text(value.data)}"),
        "class": f"again {kind}",
        **AGAIN,
        "fillcolor": fill,
    }


def operation_look(made: Value, operands: int, rankdir: str) -> Look:
    """Return the attributes of the operation that made a value."""
    assert made.op is not None
    symbol = printable(made.op.name)
    text = html_text(shorten(symbol)) or " "
    return {
        "label": _add_pins(text, 3, operands, rankdir),
        "tooltip": tooltip_text(symbol),
        "class": "operation",
        **OPERATION,
    }


def _add_pins(content: str, padding: int, operands: int, rankdir: str) -> str:
    """Return a label with a pin for each operand, at the side where the arrows come in.

    The pins are cells without text. A layout engine takes it for a crossing if operands are not in
    the order of their pins.
    """
    size = f'width="{PIN}" height="{PIN}"'
    names = dict.fromkeys(pin(place, operands) for place in range(operands))
    pins = [f'<td port="{name}" {size}></td>' for name in names] or ["<td></td>"]
    if rankdir in ("LR", "RL"):
        middle = f'<td rowspan="{len(pins)}" cellpadding="{padding}">{content}</td>'
        first = pins[0] + middle if rankdir == "LR" else middle + pins[0]
        rows = [first, *pins[1:]]
    else:
        middle = f'<td colspan="{len(pins)}" cellpadding="{padding}">{content}</td>'
        rows = ["".join(pins), middle] if rankdir == "TB" else [middle, "".join(pins)]
    return f"<{TABLE.format(''.join(f'<tr>{row}</tr>' for row in rows))}>"


def pin(place: int, operands: int) -> str:
    """Return what the pin for an operand is called; very many operands share them.

    >>> pin(1, operands=2), pin(999, operands=1000)
    ('o1', 'o99')
    """
    return f"o{place * MOST_PINS // operands if operands > MOST_PINS else place}"


def box_look(junction: Junction, has_gradients: bool, rankdir: str) -> Look:
    """Return the attributes of a collapsed module."""
    assert junction.block is not None
    gradients = [value.grad for value in junction.inside if not value.parents]
    last = f"{len(gradients):,} parameter{'s' * (len(gradients) != 1)}"
    if has_gradients:
        largest = largest_size(gradients)
        last += f", |grad| up to {number_text(largest)}" if largest else ", every grad is 0"
    title = printable(junction.block.title)
    lines = [junction.block.kind, f"{len(junction.inside):,} values inside", last]
    rows = "".join(
        f"<tr><td>{GREY.format(html_text(shorten(printable(line), 40)))}</td></tr>"
        for line in lines
    )
    words = TABLE.format(_title(title) + rows)
    return {
        "label": _add_pins(words, 7, len(junction.operands), rankdir),
        "tooltip": tooltip_text(printable("; ".join(filter(None, [title, *lines])))),
        "class": "module",
        **BOX,
    }


def frame_look(block: Block) -> Look:
    """Return the attributes of the frame around an open module."""
    words = printable("  ".join(filter(None, [block.title, block.kind])))
    return {
        "label": f"<{html_text(shorten(words, 60))}>",
        "tooltip": tooltip_text(words),
        "id": block.name,
        "class": "module",
        **FRAME,
    }


def operand_look(
    what: str, partial: Derivative | Exception, share: Derivative, place: int | None
) -> Look:
    """Return the attributes of an operand's edge: the partial, and what it brings back.

    The partial is None where the operation says that there is none, and an exception where it
    cannot be computed; the share of the gradient is None if it is not known, and the place where
    no number shall tell the operands apart.
    """
    if isinstance(partial, Exception):
        short, exact = "?", f"{what} cannot be computed: {partial}"
    elif partial is None:
        short, exact = "–", f"{what}: there is none"
    else:
        short, exact = number_text(partial), f"{what} = {exact_text(partial)}"
    if share is not None:
        exact += f", brings back {exact_text(share)}"
    around = 2 * GAP if place else ""  # keeps it apart from the place
    return {
        "label": f"<{TABLE.format(f'<tr><td>{around}∂ {html_text(short)}{around}</td></tr>')}>",
        "tooltip": tooltip_text(printable(exact)),
        **plain_operand_look(place),
    }


def plain_operand_look(place: int | None = None) -> Look:
    """Return the attributes of an operand's edge without a derivative, with its place on the line.

    >>> plain_operand_look()
    {'class': 'operand'}
    """
    number = {"headlabel": f"<{TABLE.format(NUMBER.format(place))}>"} if place else {}
    return {"class": "operand", **number}


def attributes(look: Look) -> str:
    """Return attributes as DOT text has them: an HTML-like label as it is, the rest quoted.

    >>> print(attributes({"label": "<<b>x</b>>", "tooltip": "a = 1", "penwidth": "2"}))
    label=<<b>x</b>> tooltip="a = 1" penwidth=2
    """
    return " ".join(f"{key}={_quote(key, x)}" for key, x in look.items())


def _quote(key: str, x: str) -> str:
    is_html = key.endswith("label") and x.startswith("<")
    is_number = x.isascii() and x.isdecimal()
    return x if is_html or is_number else '"' + x.replace('"', r"\"") + '"'
