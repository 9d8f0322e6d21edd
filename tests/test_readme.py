"""The README is a promise: its code runs, and its picture is what the library draws."""

import doctest
import html
import re
from pathlib import Path

import pytest

from tests.pictures import FOLDER, pictures

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_the_examples_show_what_they_print():
    session = "".join(block for block in BLOCKS if block.startswith(">>>"))
    assert session
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", "README.md", 0)
    report: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


def test_the_first_example_runs_and_draws_the_first_picture():
    (first,) = [block for block in BLOCKS if not block.startswith(">>>")]
    names: dict[str, object] = {}
    exec(first, names)
    assert names["draw"](names["loss"]).source == pictures()["graph.svg"].source


@pytest.mark.parametrize("name", pictures())
def test_the_pictures_are_those_that_the_library_draws(name):
    picture = html.unescape((FOLDER / name).read_text(encoding="utf-8"))
    for number in re.findall(r">((?:∂ )?-?\d[\d.e-]*)<", pictures()[name].source):
        assert f">{number}<" in picture, "make the pictures again: python -m tests.pictures"


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!https?:)[^)#]+)\)", README))
def test_a_link_leads_somewhere(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("module", re.findall(r"`(\w+\.py|\w+/)`", README))
def test_a_file_that_is_named_exists(module):
    assert (ROOT / "microgrid" / module).exists()


def test_the_commands_are_those_that_the_ci_follows():
    commands = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith(".venv/bin/python -m microgrid\n")
    assert commands[1] == ".venv/bin/python -m pytest\n"
