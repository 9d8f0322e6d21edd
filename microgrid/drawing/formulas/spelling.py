"""How names are written in a formula, as Python's identifiers and in LaTeX, no two alike."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from itertools import chain, count, pairwise

from ...compiler.program import Distinct
from .notation import RESERVED

__all__ = ["FormulaNames", "identifier", "latex_name", "short_names"]

CONSTANTS = {"pi": ("pi", r"\pi"), "inf": ("inf", r"\infty"), "nan": ("nan", r"\text{nan}")}

GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|"
    "upsilon|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
# A word and its numbers: w1, w_1_2. And one letter with a word below it: x_max.
NUMBERED = re.compile(r"([A-Za-z]+)_?(\d+(?:_\d+)*)?")
LETTER_OF = re.compile(rf"([A-Za-z]|{GREEK.pattern})_([A-Za-z]+)")
# What LaTeX or HTML would read as its own; a < within braces does not begin a tag.
SPECIAL = {
    **{character: rf"\{character}" for character in "{}%#&$_"},
    **{"\\": r"\backslash", "^": r"\wedge", "~": r"\sim", "<": "<", ">": ">"},
}


def identifier(name: str, reserved: Container[str] = ()) -> str:
    """Return the name as an identifier: a character that is neither letter nor digit becomes `_`.

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


class FormulaNames:
    """The names of leaves, parts and functions, as text and in LaTeX, no two of them equal."""

    def __init__(self, labels: Iterable[str], short: Mapping[str, tuple[str, str]]) -> None:
        # nothing else may have a leaf's name, even if the leaf has dropped out of the formula
        self._labels = {identifier(label, RESERVED) for label in labels}
        self._short = short
        self.text: dict[Hashable, str] = {thing: text for thing, (text, _) in CONSTANTS.items()}
        self.latex: dict[Hashable, str] = {thing: latex for thing, (_, latex) in CONSTANTS.items()}
        self._texts, self._latexes = Distinct(self.text.values()), {*self.latex.values()}

    def add(self, labels: Mapping[Hashable, str], letter: str) -> None:
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
        """Give another thing the same name."""
        self.text[other], self.latex[other] = self.text[thing], self.latex[thing]

    def _name(self, thing: Hashable, label: str) -> None:
        text, latex = self._short.get(label) or (identifier(label, RESERVED), latex_name(label))
        self.text[thing] = self._texts.add(text)
        n = 1
        while latex in self._latexes:
            n += 1
            latex = latex_name(f"{label}_{n}")
        self.latex[thing] = latex
        self._latexes.add(latex)
