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
