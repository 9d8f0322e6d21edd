"""README and guide are a promise: their code runs, and the pictures are the library's."""

import ast
import code
import html
import re
import runpy
import sys
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from tests.packages import INTEROP, package
from tests.pictures import FOLDER, pictures

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in [
        ROOT / "README.md",
        ROOT / ".github" / "CONTRIBUTING.md",
        *sorted((ROOT / "docs" / "guide").glob("*.md")),
    ]
}


def found(pattern, flags=0):
    """Return a test's parameters: the pages with what a pattern matches in each."""
    return [
        pytest.param(page, match, id=f"{page}-{i}")
        for page, text in PAGES.items()
        for i, match in enumerate(re.findall(pattern, text, flags))
    ]


BLOCKS = [
    pytest.param(*parameter.values[1:], id=parameter.id)
    for parameter in found(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
]
each_block = pytest.mark.parametrize("block", BLOCKS)
PROMISED = "#> "  # begins a line that the code above it prints


def promised(block):
    """Return what a block says that it prints."""
    lines = [line for line in block.splitlines() if line.startswith(PROMISED)]
    return "".join(line.removeprefix(PROMISED) + "\n" for line in lines)


def run_as_cell(block):
    """Run a block as a notebook's cell: the value of its last expression is shown."""
    body = ast.parse(block).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    names = {"__name__": "__main__"}  # as in a notebook, whose primitives may be declared again
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last:
        sys.displayhook(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return names


def require_packages(block):
    """Skip a test of a block that imports a package of the extra `interop` that is not there."""
    for name in re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE):
        if name in INTEROP:
            package(name)


@each_block
def test_a_block_pasted_into_a_cell_prints_what_it_says(block, capsys):
    require_packages(block)
    run_as_cell(block)
    assert capsys.readouterr().out == promised(block)


@each_block
def test_a_block_pasted_into_an_interpreter_prints_what_it_says(block, capsys):
    require_packages(block)
    console = code.InteractiveConsole({"__name__": "__main__"})
    for line in [*block.splitlines(), ""]:
        console.push(line)
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("Error")) == (promised(block), 0), printed.err


def test_no_block_stands_twice():
    lines = [
        {line for line in block.splitlines() if not line.startswith(("from ", "import ", PROMISED))}
        for (block,) in (parameter.values for parameter in BLOCKS)
    ]
    assert [sorted(a & b - {""}) for a, b in combinations(lines, 2) if len(a & b - {""}) > 2] == []


def test_the_first_block_draws_the_first_picture():
    names = run_as_cell(*BLOCKS[0].values)
    assert names["draw"](names["loss"]).source == pictures()["graph.svg"].source


@pytest.mark.parametrize("name", pictures())
def test_the_pictures_are_those_that_the_library_draws(name):
    picture = html.unescape((FOLDER / name).read_text(encoding="utf-8"))
    for number in re.findall(r">((?:∂ )?-?\d[\d.e-]*)<", pictures()[name].source):
        assert f">{number}<" in picture, "make the pictures again: python -m tests.pictures"


def test_every_link_leads_somewhere():
    links = [each.values for each in found(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)")]
    assert [link for link in links if not ((ROOT / link[0]).parent / link[1]).exists()] == []


def test_on_a_package_index_no_link_of_the_readme_is_relative():
    absolute = runpy.run_path(str(ROOT / "docs" / "absolute.py"))["absolute"]
    there = absolute(README, "https://example.org/o/n", "v1")
    targets = re.findall(r"\]\(([^)]*)\)", there)
    assert len(targets) == len(re.findall(r"\]\(", README)) > 20
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "![The graph" in there
    assert "(https://example.org/o/n/raw/v1/notebooks/pictures/graph.svg)" in there
    assert "(https://example.org/o/n/blob/v1/README.md#student)" in there
    assert "(https://example.org/o/n/blob/v1/docs/guide/engine.md#coming-from-micrograd)" in there


def test_a_package_index_is_told_where_the_project_is_and_which_versions_of_python_are_tested():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    with_urls = runpy.run_path(str(ROOT / "docs" / "absolute.py"))["with_urls"]
    there = tomllib.loads(with_urls(text, "https://example.org/o/n", "v1"))
    urls = there["project"].pop("urls")
    assert {url.startswith("https://example.org/o/n") for url in urls.values()} == {True}
    assert there == tomllib.loads(text)
    for url in urls.values():
        path = url.partition("/blob/v1/")[2]
        assert (ROOT / path).exists()
    classifiers = there["project"]["classifiers"]
    versions = [line.rpartition(" ")[2] for line in classifiers if ":: 3." in line]
    assert there["project"]["requires-python"] == f">={versions[0]}"
    assert {*versions} <= {*there["tool"]["tox"]["env_list"]}


@pytest.mark.parametrize(("page", "heading"), found(r"\]\((?!https?:)([^)#]*#[^)]+)\)"))
def test_a_link_leads_to_a_heading(page, heading):
    path, _, anchor = heading.partition("#")
    text = ((ROOT / page).parent / path if path else ROOT / page).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert anchor in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]


def test_every_file_that_is_named_exists():
    named = [each.values for each in found(r"`((?:\w+/)*\w+\.(?:py|md)|(?:\w+/)+)`")]
    assert len(named) > 100
    folders = (ROOT / "microgrid", ROOT)
    assert [each for each in named if not any((x / each[1]).exists() for x in folders)] == []


def test_the_commands_are_those_that_the_ci_follows():
    commands = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith(".venv/bin/python -m microgrid\n")
    assert commands[1] == ".venv/bin/python -m pytest\n"
