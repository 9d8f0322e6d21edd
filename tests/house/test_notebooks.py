"""The notebooks are lessons: each runs from top to bottom, and is stored without its outputs."""

import json
import re
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
