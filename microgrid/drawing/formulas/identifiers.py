"""How a name is written in a formula: as an identifier of Python, and in LaTeX."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable
from itertools import pairwise

__all__ = ["identifier", "latex_name", "short_names"]

GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|"
    "upsilon|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
# A word and its numbers: w1, w_1_2. And one letter with a word below it: x_max.
NUMBERED = re.compile(r"([A-Za-z]+)_?(\d+(?:_\d+)*)?")
LETTER_OF = re.compile(rf"([A-Za-z]|{GREEK.pattern})_([A-Za-z]+)")
# What LaTeX would read as its own, or HTML, in which a < within braces begins no tag.
SPECIAL = {
    **{character: rf"\{character}" for character in "{}%#&$_"},
    **{"\\": r"\backslash", "^": r"\wedge", "~": r"\sim", "<": "<", ">": ">"},
}


def identifier(name: str, reserved: Container[str] = ()) -> str:
    """Return the name as an identifier: what is neither a letter nor a digit becomes `_`.

    >>> identifier("layers.0.w"), identifier("2 <b>"), identifier("lambda")
    ('layers_0_w', '_2__b_', 'lambda_')
    """
    letters = unicodedata.normalize("NFKC", name)  # as Python reads identifiers
    text = "".join([c if f"_{c}".isidentifier() else "_" for c in letters])
    if not text.isidentifier():
        text = f"_{text}"
    return f"{text}_" if keyword.iskeyword(text) or text in reserved else text


def latex_name(name: str) -> str:
    r"""Return the name in LaTeX's mathematics, its numbers as subscripts.

    Any text is safe: no name ends a group, begins a command or a tag of HTML.

    >>> print(*map(latex_name, ["w1", "sigma_0", "x_max", "layers.0.b", "50%"]))
    w_{1} \sigma_{0} x_{\mathrm{max}} \mathrm{layers}_{0}.b \text{50}{\%}
    """
    if letter := LETTER_OF.fullmatch(name):
        return rf"{_word(letter[1])}_{{\mathrm{{{letter[2]}}}}}"
    # a path's numbers belong to the word before them
    words = [NUMBERED.fullmatch(word) for word in re.sub(r"\.(?=\d)", "_", name).split(".")]
    if all(words):
        return ".".join([_with_subscripts(*word.groups()) for word in words if word])
    plain = "".join([character if character.isprintable() else "?" for character in name])
    runs = re.findall(r"[^\\^~<>{}%#&$_]+|.", plain)
    return "".join([f"{{{SPECIAL[x]}}}" if x in SPECIAL else rf"\text{{{x}}}" for x in runs])


def _with_subscripts(word: str, numbers: str | None) -> str:
    return f"{_word(word)}_{{{numbers.replace('_', ',')}}}" if numbers else _word(word)


def _word(word: str) -> str:
    if GREEK.fullmatch(word):
        return rf"\{word}"
    return word if len(word) == 1 else rf"\mathrm{{{word}}}"


def short_names(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    r"""Return the short names, as text and in LaTeX, of those paths that have one of their own.

    It has a parameter's word and all numbers of its path, the last but one and what comes after as
    subscripts. Of several paths with one short name each keeps its own.

    >>> short_names(["layers.0.neurons.3.w.1", "layers.12.neurons.3.b"])["layers.0.neurons.3.w.1"]
    ('w0_3_1', 'w^{(0)}_{31}')
    """
    found = {path: _short(path) for path in paths}
    uses = Counter(short[0] for short in found.values() if short)
    return {path: short for path, short in found.items() if short and uses[short[0]] == 1}


def _short(path: str) -> tuple[str, str] | None:
    *words, last = re.findall(r"([^\W\d]\w*|\d+)(?:\.|$)", path) or [""]
    after: list[str] = []
    while words and last.isdecimal():
        after, last = [last, *after], words.pop()
    places = [word for word, following in pairwise([*words, ""]) if not following.isdecimal()]
    if not last.isidentifier() or not (places or after):
        return None
    is_place = bool(places) and places[-1].isdecimal()
    above, below = (places[:-1], [places[-1], *after]) if is_place else (places, after)
    marks = [*above, *below]
    text = f"{last}{'' if marks[0].isdecimal() else '_'}{'_'.join(marks)}"
    latex = latex_name(last)
    if above:
        marks = [mark if mark.isdecimal() else latex_name(mark) for mark in above]
        latex += rf"^{{({','.join(marks)})}}"
    if below:
        comma = "" if all(len(mark) == 1 for mark in below) else ","
        latex += f"_{{{comma.join(below)}}}"
    return text, latex
