"""The package and its documents speak plain English: phrases that stumble are not in them.

Everything that is read is looked at: docstrings, errors, comments, guides and lessons.
"""

import io
import json
import re
import tokenize

import pytest

from tests import plan

ROOT = plan.PACKAGE.parent
READ = [
    *sorted(plan.PACKAGE.rglob("*.py")),
    *sorted(plan.PACKAGE.rglob("*.js")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / ".github" / "CONTRIBUTING.md",
]

# What to write instead, and a sentence that has the phrase.
STUMBLES = {
    r"anew": ("again, or a verb with re-", "It is computed anew."),
    r"of (now|then)": ("current, earlier", "The numbers of now."),
    r"from (\d+|zero|one) on": ("of at least, beyond", "A whole number from 1 on."),
    r"(?<!there )(is|are) none(?! of)": ("is not one", "An operand where it is none."),
    r"(deriv(e[sd]?|atives?)|partials?|slopes?) by(?! (hand|one|differences|central))": (
        "with respect to",
        "The derivative by x.",
    ),
    r"differentiated? by(?! (hand|one|`))": ("with respect to", "We differentiate by x."),
    r"gradients? by (each|every|its|the|all|x|y)": (
        "with respect to",
        "The gradient by its inputs.",
    ),
    r"held against": ("checked against, compared with", "It is held against the laws."),
    r"hands? (it|them|(its|a|the) gradient) on": ("passes on", "A sum hands its gradient on."),
    r"(is|are|was) to be (least|0|written|shared|measured|added|had)": (
        "must be",
        "What is to be 0.",
    ),
    r"(?<!there )(is|are) no (?!longer|more|greater|less|better|worse|faster|slower)\w+": (
        "is not a",
        "The target is no class.",
    ),
    r"com(e|es|ing) of (it|them|that)|came of (it|the)": ("from", "The errors that come of it."),
    r"who has (written|switched|done)": (
        "if you have, once you have",
        "Who has written an engine.",
    ),
}


# What is read of JavaScript: lines of comments that follow each other, longer comments and texts.
IN_JAVASCRIPT = re.compile(
    r"""//[^\n]*(?:\n\s*//[^\n]*)*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`""", re.DOTALL
)


def sentences(path):
    """Return the texts of a file that people read, each on one line."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        found = ["".join(cell["source"]) for cell in json.loads(source)["cells"]]
    elif path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        parts = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", None)}
        found = [token.string for token in tokens if token.type in parts]
    elif path.suffix == ".js":
        found = IN_JAVASCRIPT.findall(source)
    else:
        found = source.split("\n\n")
    return [" ".join(re.sub(r"\n\s*(?:#|//|\*)", "\n", text).split()) for text in found]


def stumbles(texts, phrase):
    """Return where a phrase is in texts, but for `None`, which is a word of Python's."""
    pattern = re.compile(rf"(?i)\b(?:{phrase})\b")
    hits = [hit for text in texts for hit in pattern.finditer(text)]
    return [
        hit.string[max(0, hit.start() - 50) : hit.end() + 20]
        for hit in hits
        if not hit[0].endswith("None")
    ]


@pytest.mark.parametrize("path", READ, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_phrase_stumbles(path):
    texts = sentences(path)
    found = [(write, stumbles(texts, phrase)) for phrase, (write, _) in STUMBLES.items()]
    assert [(write, where) for write, where in found if where] == []


def test_what_is_read_of_a_page_are_its_comments_and_texts(tmp_path):
    page = tmp_path / "page.js"
    page.write_text(
        "begin({ anew: true });\n// computed\n  // anew\n"
        'write("by \\"x\\"", `${a} b`); /* one\n * two */\n'
    )
    texts = ["// computed anew", r'"by \"x\""', "`${a} b`", "/* one two */"]
    assert sentences(page) == texts


@pytest.mark.parametrize("phrase", STUMBLES)
def test_a_phrase_that_stumbles_is_found(phrase):
    assert stumbles([STUMBLES[phrase][1]], phrase)


def test_plain_words_are_let_through():
    plain = "By hand there is none, and it is None; derivatives by differences are no longer slow."
    assert [phrase for phrase in STUMBLES if stumbles([plain], phrase)] == []
