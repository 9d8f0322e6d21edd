"""The words on a graph: any text and any number, short, and harmless to the layout engine."""

from __future__ import annotations

import html
import re
import unicodedata
from decimal import Context, Decimal
from fractions import Fraction
from typing import SupportsFloat

import graphviz

__all__ = [
    "abridge",
    "columns",
    "exact_text",
    "html_text",
    "isolate",
    "number_text",
    "printable",
    "shorten",
    "tooltip_text",
    "width",
    "xml_text",
]

# XML has no such characters; a control character has a picture of its own, as ␊ for a line feed
CONTROL_PICTURES = {**{code: 0x2400 + code for code in range(32)}, 0x7F: 0x2421}
UNPRINTABLE = re.compile("[\x80-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# they turn around what is written beside them
DIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def number_text(x: SupportsFloat) -> str:
    """Return a number to 4 significant digits, and a small `Fraction` exactly.

    What is not a number is returned as its shortened repr.

    >>> [number_text(x) for x in (0.1 + 0.2, 12345.6, 1e-300, -0.0, Fraction(1, 3))]
    ['0.3', '12346', '1e-300', '0', '1/3']
    """
    if isinstance(x, Fraction):
        return _fraction_text(x)
    try:
        number = float(x) + 0.0  # no -0: it looks like a mistake
    except (TypeError, ValueError, OverflowError):
        return shorten(repr(x), 16)
    text = f"{number:.4g}"
    if "e" in text and 1 <= abs(number) < 1e7:
        return f"{number:.0f}"
    return _without_padding(text)


def _fraction_text(x: Fraction) -> str:
    if _bits(x) < 16:
        return str(x)
    # a float would overflow at 1e308
    near = Context(prec=4).divide(Decimal(x.numerator), Decimal(x.denominator))
    return "≈" + _without_padding(f"{near.normalize():g}")


def _bits(x: Fraction) -> int:
    return max(x.numerator.bit_length(), x.denominator.bit_length())


def _without_padding(text: str) -> str:
    """Return '1.5e-5' for '1.5e-05', and '1e20' for '1e+20'."""
    return re.sub(r"e\+?(-?)0*", r"e\1", text)


def exact_text(x: object) -> str:
    """Return a number with all its digits, unless it is a `Fraction` of hundreds of them.

    >>> exact_text(0.1 + 0.2)
    '0.30000000000000004'
    """
    if isinstance(x, Fraction):
        return str(x) if _bits(x) < 1000 else number_text(x)
    return repr(x)


def shorten(text: str, most: int = 24) -> str:
    """Return text of at most `most` characters, cut with … if it was longer.

    >>> shorten("activation", 6)
    'activ…'
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> columns("漢a")
    3
    """
    return len(text) + sum([unicodedata.east_asian_width(character) in "WF" for character in text])


def abridge(text: str, most: int) -> str:
    """Return text of so many columns, cut in the middle: what tells names apart is at their end.

    >>> abridge("generator.layers.0.neurons.3.w.1", 20)
    'generator…rons.3.w.1'
    """
    if columns(text) <= most:
        return text
    last = len(text)
    while columns(text[last - 1 :]) <= most // 2:
        last -= 1
    first = 0
    while columns(text[: first + 1]) < most - columns(text[last:]):
        first += 1
    return f"{text[:first]}…{text[last:]}"


def printable(text: str) -> str:
    r"""Return text without characters that XML has not, nor lines of its own.

    Line feeds and other control characters show as their pictures, and half a surrogate pair as �.

    >>> printable("two\nlines")
    'two␊lines'
    """
    return DIRECTIONAL.sub("�", UNPRINTABLE.sub("�", text.translate(CONTROL_PICTURES)))


def xml_text(text: str) -> str:
    r"""Return text without characters that no XML has, not even escaped: the last door of an SVG.

    >>> xml_text("a\0b\n")
    'a�b\n'
    """
    return NOT_XML.sub("�", text)


def isolate(text: str) -> str:
    """Return a word as it is, or such that one from right to left does not turn the line around.

    >>> isolate("a"), len(isolate("שלום"))
    ('a', 6)
    """
    turns = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"\u2068{text}\u2069" if turns else text


def html_text(text: str) -> str:
    """Return what shows exactly this printable text inside of an HTML-like label.

    >>> html_text("<b>R&D</b>")
    '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    # A backslash starts an escape here too: \N would be the name of the node. And dot 2.43 takes a
    # final ] for the beginning of XML's ]]> and gives up.
    return html.escape(text).replace("\\", r"\\").replace("]", "&#93;")


def tooltip_text(text: str) -> str:
    r"""Return what shows exactly this printable text as a tooltip.

    >>> print(tooltip_text(r"\N"))  # the engines undo escapes twice
    \\\\N
    """
    escaped: str = graphviz.escape(text.replace("&", "&amp;").replace("\\", r"\\"))
    return escaped


def width(text: str, size: int) -> int:
    """Return about how many points wide a text is at a font size, generously.

    The layout engines know the widths of ASCII characters; others they may take to be as narrow as
    a space.
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return round(size * (1.3 * wide + 0.65 * (len(text) - wide)))
