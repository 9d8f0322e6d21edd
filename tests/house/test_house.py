"""The house is as its plan says, and every public name has an example that runs."""

import doctest
import html
import importlib
import inspect
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType

import pytest

import microgrid
from microgrid import Primitive, functional
from tests import conftest, plan

ROOT = Path(__file__).parents[2]
REMAKE = "make the page and its picture again: python -m tests.plan"


# ---- what is public: the names that the reference shows

MODULES = sorted(
    module
    for page in (ROOT / "docs" / "reference").glob("*.md")
    for module in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    # a file of `interop` has the name of its package, which may not be here
    if "interop" not in module or find_spec(module.rpartition(".")[2])
)


@cache
def functions_and_classes():
    """Return the public functions and classes, by the module that lists them and their name."""
    return {
        f"{module}.{name}".removeprefix("microgrid."): thing
        for module in MODULES
        for name, thing in listed(importlib.import_module(module))
        if isinstance(thing, type | Primitive) or inspect.isfunction(thing)
    }


def listed(module):
    return [(name, getattr(module, name)) for name in module.__all__]


def methods():
    """Return the methods that the public classes define, as pairs of class and name."""
    return {
        f"{name}.{attribute}": (cls, attribute)
        for name, cls in functions_and_classes().items()
        if isinstance(cls, type)
        for attribute, part in vars(cls).items()
        if isinstance(part, FunctionType | classmethod | staticmethod)
        and not attribute.startswith("_")
        and getattr(functional, attribute, None) is not part  # there it is described
    }


def example(thing):
    """Return the code of a docstring's examples, without what is skipped."""
    lines = re.findall(r"^ *(?:>>>|\.\.\.) (.*)$", thing.__doc__ or "", re.MULTILINE)
    return "\n".join(line for line in lines if "+SKIP" not in line)


def is_shown(cls, attribute):
    """Return whether an example calls a method: its own, or one of a class that it belongs to."""
    family = [cls, *(base for base in cls.__mro__ if attribute in vars(base))]
    return any(
        example(getattr(base, attribute)) or re.search(rf"\.{attribute}\(", example(base))
        for base in family
    )


def test_every_file_at_the_top_has_a_page_in_the_reference():
    assert {f"microgrid.{file.stem}" for file in plan.FILES} <= {*MODULES}


def test_every_public_function_and_class_has_an_example():
    assert [name for name, thing in functions_and_classes().items() if not example(thing)] == []


def test_every_public_method_has_an_example_of_its_own_or_in_its_class():
    wordless = [name for name, method in methods().items() if not inspect.getdoc(getattr(*method))]
    assert wordless == []
    assert [name for name, method in methods().items() if not is_shown(*method)] == []


def test_every_public_property_says_in_a_sentence_what_it_is():
    wordless = [
        f"{name}.{attribute}"
        for name, cls in functions_and_classes().items()
        if isinstance(cls, type)
        for attribute, part in vars(cls).items()
        if isinstance(part, property) and not attribute.startswith("_")
        if not re.match(r"[A-Z][^.]*\.", part.__doc__ or "")
    ]
    assert wordless == []


def test_the_examples_of_primitives_run():  # pytest finds those of functions and classes
    names, runner = vars(microgrid) | {"microgrid": microgrid}, doctest.DocTestRunner()
    for name, op in functions_and_classes().items():
        if isinstance(op, Primitive):
            test = doctest.DocTestParser().get_doctest(op.__doc__, names, name, None, None)
            assert runner.run(test, clear_globs=False).failed == 0


# ---- the page and the picture of the house


PLACES = [*plan.FILES, *plan.ROOMS, *(file for room in plan.ROOMS for file in plan.files_of(room))]


def test_every_file_and_every_room_says_in_a_sentence_what_it_is_for():
    assert [plan.name_of(place) for place in PLACES if not plan.sentence(place).endswith(".")] == []


def test_no_file_or_room_stands_in_a_circle_of_imports():
    found = plan.arrows()
    assert [plan.name_of(place) for place in found if place in plan.reached(place, found)] == []


def test_the_page_says_what_the_docstrings_say():
    assert plan.PAGE.read_text(encoding="utf-8") == plan.page(), REMAKE


def test_each_word_is_used_in_the_file_that_it_is_at_home_in():
    texts = {word: plan.PACKAGE / home for word, (_, home) in plan.WORDS.items()}
    unused = {word for word, file in texts.items() if word not in file.read_text("utf-8").lower()}
    assert unused == set()


def test_the_picture_shows_the_imports():
    picture = html.unescape(plan.PICTURE.read_text(encoding="utf-8"))
    arrows = re.findall(r"<title>(\S+?)(?::\w+)?->(\S+?)(?::\w+)?</title>", picture)
    names = [(plan.name_of(place), plan.name_of(other)) for place, other in plan.essential_arrows()]
    assert sorted(arrows) == sorted(names), REMAKE


def test_limits_are_as_they_were_after_a_test_whose_fixture_fails(request):
    teardown = conftest.pytest_runtest_teardown(request.node)
    next(teardown)
    sys.setrecursionlimit(conftest.LIMITS[0] + 1000)
    with pytest.raises(AssertionError, match="leaves the limits"):
        teardown.throw(RuntimeError("a fixture fails"))
    assert sys.getrecursionlimit() == conftest.LIMITS[0]
