"""Comments in C: texts that no label can end, and lists of inputs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

__all__ = ["comment", "escape", "list_names"]


def comment(*paragraphs: str) -> str:
    """Return a comment of paragraphs, in lines that a screen can show."""
    lines = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(escape(paragraph), 92, break_on_hyphens=False) or [""]
    if len(lines) == 1:
        return f"/* {lines[0]} */"
    inner = [f" * {line}".rstrip() for line in lines[1:]]
    return "\n".join([f"/* {lines[0]}", *inner, " */"])


def escape(text: str) -> str:
    """Return a text as one line that cannot end a comment, nor begin one or a trigraph."""
    printable = "".join([c if c.isprintable() else " " for c in text])
    return re.sub(r"([*/?\\])(?=[*/?\\])", r"\1 ", printable).rstrip("\\")


def list_names(names: Sequence[str], in_short: bool) -> str:
    """Return names with their places; in short, those that count up as the first and the last.

    >>> list_names(["x0", "x1", "x2", "y"], False), list_names(["x0", "x1", "x2", "y"], True)
    ('0:x0, 1:x1, 2:x2, 3:y', '0:x0 to 2:x2, 3:y')
    """
    texts = [f"{i}:{name}" for i, name in enumerate(names)]
    begins = [i for i in range(len(names)) if not i or not in_short or not _counts_up(names, i)]
    ends = [*begins[1:], len(names)]
    listed = [
        texts[begin] if end == begin + 1 else f"{texts[begin]} to {texts[end - 1]}"
        for begin, end in zip(begins, ends, strict=False)
    ]
    return ", ".join(listed) or "nothing"


def _counts_up(names: Sequence[str], i: int) -> bool:
    """Return whether a name is the one before it, except for a last number that is one more."""
    before, here = (
        re.fullmatch(r"(.*?)([0-9]{1,9})(\D*)", name, re.DOTALL) for name in names[i - 1 : i + 1]
    )
    if before is None or here is None or before[1] != here[1] or before[3] != here[3]:
        return False
    return int(here[2]) == int(before[2]) + 1
