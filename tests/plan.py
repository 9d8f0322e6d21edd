"""Makes the plan of the house, a page and a picture, from what is there: `python -m tests.plan`.

The sentences are those of the docstrings, the arrows those of the imports.
"""

import ast
from pathlib import Path

from microgrid.drawing import Graph
from microgrid.drawing.graphs.styles import EDGE, FRAME, GRAPH, NODE
from microgrid.files import write_file
from tests.house.test_imports import PACKAGE, ROOMS, imports

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "guide" / "house.md"
PICTURE = ROOT / "notebooks" / "pictures" / "house.svg"

FILES = sorted(file for file in PACKAGE.glob("*.py") if not file.name.startswith("__"))
FILE = {"fillcolor": "#d9eafa", "color": "#1f5c99", "style": "rounded,filled"}
PAGE_TEXT = """\
# Where things are

<!-- `python -m tests.plan` makes this page and its picture from the docstrings and the imports. -->

A file at the top of the package is what you import; a folder is how it is done. The files at the
top, and the folders `guards`, `core`, `derivatives` and `fitting`, need the standard library alone;
what needs a third-party package is in another folder.

![The package's files and rooms, each above what it imports](../../notebooks/pictures/house.svg)

An arrow leads from what imports to what is imported; arrows that follow from others are left out.
There is no cycle, and a room holds at most nine files: tests read the imports and enforce it.

## What you import

{}

## How it is done

{}

## Words

[The engine's words](engine.md#words) are those of the whole library. In its rooms, these mean what
is said here; one that has several meanings has them all here:

{}

## File by file

{}
"""

# word -> what it means, and the file that it is at home in
WORDS = {
    "operand": (
        "what an operation is applied to: a `Value`, a traced number, a series",
        "core/primitive.py",
    ),
    "mode": ("a block of code in which a thread works differently", "core/modes.py"),
    "walk": ("the way back through a graph that `backward` takes", "core/graph.py"),
    "stretch": (
        "a computation that is one node, and is run again for its derivative",
        "derivatives/checkpoints.py",
    ),
    "structure": ("how nested numbers are put together", "derivatives/trees.py"),
    "slot": ("the number of an input, a constant or a step of a program", "compiler/program.py"),
    "step": (
        "of a program, a primitive applied to slots; of a training, a move of the "
        "parameters; of a loop, a function that takes a carry on",
        "compiler/program.py",
    ),
    "part": ("steps that are one function of a kernel", "compiler/loops/partition.py"),
    "family": (
        "steps that differ in nothing but the positions of their operands; of primitives, "
        "those that differ in a constant, as `x**3` and `x**4` do",
        "compiler/loops/families.py",
    ),
    "array": (
        "in loops, the members of a family, or of several: what positions of operands count",
        "compiler/loops/families.py",
    ),
    "run": ("positions that loops go through", "compiler/loops/runs.py"),
    "stage": ("families that one nest of loops computes", "compiler/loops/stages.py"),
    "repeat": (
        "steps that come again, turn after turn: a loop over time",
        "compiler/loops/repeats.py",
    ),
    "turn": ("one pass through a loop", "compiler/loops/repeats.py"),
    "tile": ("turns and blocks that are computed at once", "compiler/ir/nests.py"),
    "block": (
        "as many rows as a vector has lanes; of rows that are elsewhere, those that one task reads",
        "compiler/ir/text.py",
    ),
    "group": (
        "blocks for which one part of a kernel runs before the next one",
        "compiler/ir/text.py",
    ),
    "chunk": (
        "rows that are computed and added up on their own, by one thread",
        "compiler/native/rows.py",
    ),
    "record": (
        "what machine code is told of a kernel; of a training, what was measured of an epoch; "
        "to record an operation is to make it a node",
        "compiler/native/records.py",
    ),
    "entry": ("what was compiled for arguments of one structure", "compiler/calls/entries.py"),
    "plan": ("the values to draw, and what stands between them", "drawing/graphs/plan.py"),
    "moment": (
        "what is seen at once when a page steps through backpropagation",
        "drawing/stepper/moments.py",
    ),
    "law": ("a claim about an engine, and the cases that test it", "testing/conformance/laws.py"),
    "domain": (
        "where a primitive is defined, and where it has kinks",
        "testing/programs/domains.py",
    ),
}


def name_of(place: Path) -> str:
    """Return what a file or a room is called: `engine.py`, `drawing/graphs/`."""
    return place.relative_to(PACKAGE).as_posix() + "/" * place.is_dir()


def sentence(place: Path) -> str:
    """Return the first paragraph of a file's or a room's docstring, on one line."""
    file = place / "__init__.py" if place.is_dir() else place
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def place_of(module: str) -> Path | None:
    """Return the file at the top, or the room, that a module of the package is in."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    if path in ROOMS:
        return path
    file = path.with_suffix(".py")
    return file if file in FILES else path.parent if path.parent in ROOMS else None


def arrows() -> dict[Path, set[Path]]:
    """Return what each file at the top, and each room, imports of the others."""
    found: dict[Path, set[Path]] = {}
    for place in [*FILES, *ROOMS]:
        inside = files_of(place) if place.is_dir() else [place]
        modules = [module for file in inside for _, module, *_ in imports(file)]
        places = {place_of(module) for module in modules if module.startswith("microgrid.")}
        found[place] = {other for other in places if other and other != place}
    return found


def reached(place: Path, found: dict[Path, set[Path]]) -> set[Path]:
    """Return all that a place stands on, by however many arrows."""
    seen, waiting = set(), [*found[place]]
    while waiting:
        if (other := waiting.pop()) not in seen:
            seen.add(other)
            waiting.extend(found[other])
    return seen


def essential_arrows() -> list[tuple[Path, Path]]:
    """Return the arrows that do not follow from others."""
    found = arrows()
    below = {place: reached(place, found) for place in found}
    return [
        (place, other)
        for place, others in found.items()
        for other in sorted(others)
        if not any(other in below[between] for between in others)
    ]


def picture() -> Graph:
    """Return the plan as a graph: what stands on what, the rooms of a folder in one frame."""
    graph = Graph(graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
    graph.description = "the package's files and rooms, each above those that it imports"
    for place in [*FILES, *ROOMS]:
        folder = place if any(room.parent == place for room in ROOMS) else place.parent
        name = f"cluster_{folder.name}" if folder != PACKAGE else ""
        frame = Graph(name, graph_attr=FRAME | {"label": name_of(folder)})
        look = FILE if place in FILES else {}
        label = place.name + "/" * place.is_dir()
        frame.node(name_of(place), label, tooltip=sentence(place), **look)
        graph.subgraph(frame)
    graph.edges((name_of(place), name_of(other)) for place, other in essential_arrows())
    return graph


def page() -> str:
    """Return the page: a sentence for each file at the top, each room, and each file in a room."""
    inside = [f"### `{name_of(room)}`\n\n{table('file', files_of(room))}" for room in ROOMS]
    words = [f"| **{word}** | {meaning} | `{home}` |" for word, (meaning, home) in WORDS.items()]
    glossary = "\n".join(["| word | | at home in |", "|---|---|---|", *words])
    files, rooms = table("file", FILES), table("room", ROOMS)
    return PAGE_TEXT.format(files, rooms, glossary, "\n\n".join(inside))


def table(head: str, places: list[Path]) -> str:
    """Return a table of places and their sentences."""
    rows = [f"| `{name_of(place)}` | {sentence(place)} |" for place in places]
    return "\n".join([f"| {head} | |", "|---|---|", *rows])


def files_of(room: Path) -> list[Path]:
    """Return the files of a room, in alphabetical order."""
    return sorted(room.glob("[!_]*.py"))


def main() -> None:
    """Write the page and the picture."""
    print(write_file(PAGE, page()))
    print(picture().save(PICTURE))


if __name__ == "__main__":
    main()
