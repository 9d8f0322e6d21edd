"""The notebooks are lessons: each runs from top to bottom, and is stored without its outputs."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from microgrid.drawing.layout import find_engine
from microgrid.testing.exercises import EXERCISES

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_lessons_are_numbered_in_order():
    assert NOTEBOOKS
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{i + 1}-" for i in range(len(NOTEBOOKS))]


@each_notebook
def test_a_notebook_begins_with_its_title(path):
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")


@each_notebook
def test_a_notebook_stores_nothing_of_a_run(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]


def sources_of(path):
    """Return the text of a notebook: its cells, one after the other."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join(["", *("".join(cell["source"]) for cell in cells)])


@pytest.mark.parametrize("path", NOTEBOOKS[:8], ids=lambda path: path.stem)
def test_each_exercise_has_a_check_and_a_folded_solution_that_passes_it(path):
    *_, exercises, _, solutions = json.loads(path.read_text(encoding="utf-8"))["cells"]
    _, text = re.split(r"## Exercises|\*\*Exercises\*\*", "".join(exercises["source"]))
    numbers = [f"{path.name[0]}.{n}" for n in re.findall(r"^(\d)\. ", text, re.MULTILINE)]
    assert numbers == [name for name in EXERCISES if name[0] == path.name[0]]
    assert all(f'"{name}"' in text for name in numbers)
    solved = re.findall(r'^ *assert check\("(.*?)"', "".join(solutions["source"]), re.MULTILINE)
    assert solved == numbers
    assert {"hide-input", "solution"} == set(solutions["metadata"]["tags"])
    assert solutions["metadata"]["jupyter"]["source_hidden"]


# ---- the lessons in the site, whose Python has no more than some packages

LITE = runpy.run_path(str(NOTEBOOKS[0].parents[1] / "docs" / "lite.py"))


def left_out(*sources):
    """Return which cells of a notebook can only be read where the standard library is all."""
    cells = [
        {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
        for source in sources
    ]
    LITE["leave_out"]({"cells": cells}, set(sys.stdlib_module_names))
    return [i for i, cell in enumerate(cells) if cell["cell_type"] == "markdown"]


def test_a_cell_that_cannot_run_in_the_site_is_shown_and_says_what_it_needs():
    cell = {"cell_type": "code", "source": ["import torch\n", "import numpy as np"]}
    cell |= {"outputs": [], "execution_count": None, "metadata": {"tags": ["solution"]}}
    LITE["leave_out"]({"cells": [cell]}, {"math"})
    note, _, code = cell.pop("source").partition("\n\n")
    assert note.startswith("*This cell needs numpy and torch, which this site")
    assert code.splitlines()[1:-1] == ["import torch", "import numpy as np"]
    assert cell == {"cell_type": "markdown", "metadata": {"tags": ["solution"]}}


@pytest.mark.parametrize(
    "use",
    [
        "print(x)",
        "x = x + 1",  # it is used, and only then bound
        "x += 1",
        "x: int = x",
        "del x",
        "def g(y=x): x = y",
        "def g(): return x",
        "class G:\n    x = x",
        "[x for x in x]",
        "(lambda: [y for y in [1] if x])()",
        "from math import pi as y, e; y = x; x = 1",
        "import torch.nn",
        "def g():\n    from torch import nn",
    ],
)
def test_a_cell_is_left_out_that_uses_what_is_not_there(use):
    assert left_out("import torch; x = torch.ones(2)", "x", use) == [0, 1, 2]


def test_what_a_cell_binds_is_lost_if_the_cell_is_left_out():
    uses = ["print(x)", "f()", "G", "math", "y"]
    assert left_out(
        "import torch, math; x = torch.ones(2)\ndef f(): ...\nclass G: ...\nfor y in [1]: ...",
        *uses,
    ) == [0, 1, 2, 3, 4, 5]
    assert left_out("import torch; x = 1", "x = x + 1; print(x)", "print(x)") == [0, 1, 2]


@pytest.mark.parametrize(
    "use",
    [
        "x = 1; print(x)",
        "import math as x; x",
        "for x in [1]: print(x)",
        "def g(x): return x",
        "def g():\n    x = 1\n    return x",
        "[x for x in [1]]",
        "{x: 1 for x in [1]}",
        "class G:\n    x = 1\n    y = x",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        "from . import a",  # which no package would bring
    ],
)
def test_a_cell_is_kept_that_uses_only_what_is_there(use):
    assert left_out("import torch; x = torch.ones(2)", use) == [0]


def test_a_lost_name_is_there_again_once_a_cell_has_bound_it():
    first = "import torch; x = 1"
    assert left_out(first, "x = 2", "x += 1; print(x)") == [0]
    assert left_out(first, "[x for x in [1]]", "x") == [0, 2]  # a name of the comprehension's own
    assert left_out(first, "def g(x): ...", "x") == [0, 2]


# ---- the teacher's page: paths, and where misconceptions are met

TEACHING = (NOTEBOOKS[0].parents[1] / "docs" / "guide" / "teaching.md").read_text(encoding="utf-8")


def rows_under(heading):
    """Return the rows of the first table under a heading, each a list of its cells."""
    _, _, text = TEACHING.partition(f"{heading}\n")
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def numbers_after(word, text):
    """Return the numbers that follow a word: 1, 2 and 3 of "stages 1 to 3", or of "1, 2, 3"."""
    found = []
    for ranges in re.findall(rf"\b{word}s? ((?:\d+\.?\d*(?:, | to | and )?)+)", text):
        for low, high in re.findall(r"([\d.]*\d)(?: to ([\d.]*\d))?", ranges):
            found += range(int(low), int(high) + 1) if high else [low]
    return [str(number) for number in found]


@pytest.mark.parametrize("path", ["A first evening", "A course of six weeks", "For engineers"])
def test_the_minutes_of_a_path_add_up_to_those_it_says(path):
    head, _, *rows, total = rows_under(f"### {path}")
    for column, name in enumerate(head):
        if name == "minutes":
            assert sum(int(row[column]) for row in rows) == int(total[column])


MINUTES_OF = {
    "an hour": 60,
    "an hour and twenty minutes": 80,
    "an hour and a half": 90,
    "two hours": 120,
}


def minutes_of(lesson):
    """Return how many minutes a lesson takes, as it says at its beginning."""
    said = re.search(r"It takes ([a-z ]+)", sources_of(NOTEBOOKS[lesson - 1]))[1]
    return MINUTES_OF[said.removesuffix(" and the exercises")]


def test_a_lesson_takes_the_minutes_on_a_path_that_it_says_itself():
    for row in rows_under("### For engineers")[2:-1]:
        assert int(row[1]) == minutes_of(int(row[0].removeprefix("lesson ")[0])), row
    taken = {}
    for row in rows_under("### A course of six weeks")[2:-1]:
        parts = [re.fullmatch(r"(\w+ \d).* \((\d+)\)", part) for part in row[1].split("; ")]
        assert sum(int(part[2]) for part in parts) == int(row[2]), row
        for part in parts:
            taken[part[1]] = taken.get(part[1], 0) + int(part[2])
    lessons = {name[-1]: minutes for name, minutes in taken.items() if name[:6] == "lesson"}
    assert lessons == {number: minutes_of(int(number)) for number in "12347"}


def test_the_readme_says_how_long_the_paths_are():
    readme = (NOTEBOOKS[0].parents[1] / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| path \|.*\n(?:\|.*\n)+", readme, re.MULTILINE)[0]
    evening, weeks, engineers = (line.split(" | ")[2] for line in table.splitlines()[2:])
    assert in_minutes(evening) == int(rows_under("### A first evening")[-1][1])
    each = rows_under("### A course of six weeks")[2:-1]
    assert {row[2] for row in each} == {str(in_minutes(weeks.partition(",")[0]))}
    assert max(int(row[4]) for row in each) == in_minutes(weeks.partition(",")[0])
    _, lessons, _, exercises = rows_under("### For engineers")[-1]
    assert [in_minutes(part) for part in engineers.split(", ")] == [int(lessons), int(exercises)]


def in_minutes(text):
    """Return the minutes of a time, such as 4 hours and 20 minutes, or 2½ hours."""
    hours = re.search(r"(\d+)(½?) hours?", text)
    minutes = re.search(r"(\d+) minutes", text)
    whole = 60 * int(hours[1]) + 30 * len(hours[2]) if hours else 0
    return whole + (int(minutes[1]) if minutes else 0)


def test_the_paths_name_what_there_is_and_leave_out_no_stage():
    sections = {
        path.name[0]: re.findall(r"^## (\d+)\. ", sources_of(path), re.MULTILINE)
        for path in NOTEBOOKS
    }
    for heading in ("A first evening", "A course of six weeks", "For engineers"):
        for row in rows_under(f"### {heading}")[2:]:
            for part in re.split(r"(?=lesson)", " ".join(row)):
                if lesson := re.match(r"lesson (\d)", part):
                    assert set(numbers_after("section", part)) <= set(sections[lesson[1]]), part
    evening, weeks = (
        "\n".join(" | ".join(row) for row in rows_under(f"### {path}"))
        for path in ("A first evening", "A course of six weeks")
    )
    assert numbers_after("stage", evening) == [str(n) for n in range(1, 9)]
    assert sorted(numbers_after("stage", weeks)) == [str(n) for n in range(1, 9)]
    named = re.findall(r"\d\.\d", TEACHING.partition("## Three paths")[2])
    assert len(named) > 30
    assert set(named) <= set(EXERCISES)


def test_the_misconceptions_are_where_the_page_says():
    _, _, *rows = rows_under("## Misconceptions, and where the lessons meet them")
    for *_, where in rows:
        for place in where.split("; "):
            lesson, numbers = re.fullmatch(r"lesson (\d), ([\d and]+)", place).groups()
            text = sources_of(NOTEBOOKS[int(lesson) - 1])
            for number in numbers.split(" and "):
                assert f"\n## {number}. " in text


@pytest.mark.slow
@pytest.mark.dot
@each_notebook
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="running a notebook needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="running a notebook needs nbformat")
    pytest.importorskip("ipykernel", reason="running a notebook needs a kernel")
    pytest.importorskip("matplotlib", reason="the lessons plot")
    pytest.importorskip("scipy", reason="the lessons minimise")
    if find_engine() is None:
        pytest.skip("the lessons draw, and no layout engine is installed")
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # nobody's profile, nor startup files
    # Without folders to search, "python3" is the interpreter that runs the tests, whatever other
    # kernel of that name the user has.
    here = KernelSpecManager(kernel_dirs=[])
    client = nbclient.NotebookClient(
        nbformat.read(path, as_version=4),
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=here),
        resources={"metadata": {"path": str(tmp_path)}},
        timeout=120,
    )
    failure = ""
    try:
        client.execute(cleanup_kc=True)
    except nbclient.exceptions.CellExecutionError as error:
        failure = str(error)  # the cell and its traceback, without nbclient's own
    if failure:
        pytest.fail(failure, pytrace=False)
