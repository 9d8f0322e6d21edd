"""What the tests keep to: rooms like the package's, laws instead of long strings, no clock."""

import ast
import importlib
from functools import cache
from pathlib import Path

from tests import plan

TESTS = Path(__file__).parents[1]
MOST = 9  # files of a room, as in the package
# Folders that are of no room: they measure, look at the repository itself, or hold figures.
OWN = {"pyodide", "benchmarks", "house", "recorded"}
# Files of no file at the top: the whole is compared with micrograd, with other libraries and with
# exact numbers, and its conventions are listed.
WHOLE = {"conventions", "micrograd", "precision", "recorded"}

FILES = sorted(TESTS.rglob("test_*.py"))
FOLDERS = [init.parent for init in sorted(TESTS.rglob("*/__init__.py"))]
ROOMS = {
    folder.relative_to(TESTS).as_posix(): folder
    for folder in FOLDERS
    if folder.relative_to(TESTS).parts[0] not in OWN
}


# ---- rooms


def stems_of(folder):
    return {file.stem.removeprefix("test_") for file in folder.glob("test_*.py")}


def test_every_room_of_the_package_has_a_room_of_tests_and_there_is_no_other():
    assert ROOMS.keys() == {room.relative_to(plan.PACKAGE).as_posix() for room in plan.ROOMS}
    assert [name for name, folder in ROOMS.items() if not stems_of(folder)] == []


def test_every_test_is_in_a_folder_that_is_known():
    known = {TESTS, *ROOMS.values(), *(TESTS / name for name in OWN)}
    assert {file.parent for file in FILES} <= known


def test_a_test_at_the_top_is_of_a_file_at_the_top_or_of_the_whole():
    files = {file.stem.strip("_") for file in plan.PACKAGE.glob("*.py")}
    assert stems_of(TESTS) - WHOLE <= files
    assert stems_of(TESTS) >= WHOLE


def test_no_room_of_tests_holds_too_many_files():
    sizes = {name: len([*folder.glob("[!_]*.py")]) for name, folder in ROOMS.items()}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}


@cache
def syntax_of(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def imports_without_a_target(file):
    """Return what a file imports at its top of the package and of the tests, but is not there.

    What needs a package that is not installed is passed over.
    """
    lacking = []
    for node in syntax_of(file).body:
        if not isinstance(node, ast.ImportFrom) or node.level:
            continue
        if node.module.partition(".")[0] not in ("microgrid", "tests"):
            continue
        for name in [alias.name for alias in node.names]:
            try:
                if not hasattr(importlib.import_module(node.module), name):
                    importlib.import_module(f"{node.module}.{name}")
            except ImportError as error:
                if not error.name or error.name.startswith(("microgrid", "tests")):
                    lacking.append((file.name, node.module, name))
    return lacking


def test_what_the_tests_import_is_there():
    """With doctests that need extras left out, pytest passes over a file that it cannot import."""
    assert [lacking for file in FILES for lacking in imports_without_a_target(file)] == []


def test_imports_of_what_is_not_there_are_found(tmp_path):
    file = tmp_path / "test_example.py"
    file.write_text("from microgrid.compiler import passes, none\nfrom microgrid.nowhere import x")
    assert [name for *_, name in imports_without_a_target(file)] == ["none", "x"]


# ---- what is asserted

# Where what a reader sees is the very thing that is promised, and no law says it better.
GOLDEN = {
    "test_a_text_has_a_line_for_each_path_in_columns": "the table of paths, with its arrows",
    "test_a_line_of_the_chain_rule_shows_names_and_numbers": "the lines that a lesson goes through",
    "test_the_error_tells_the_function_the_numbers_and_the_primitive": "the error, as it is read",
    "test_the_report_is_a_table_of_all_verdicts": "the table, with all of its columns",
    "test_the_random_program_that_is_found_is_small_and_the_same_each_time": "the smallest program",
}
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}


@cache
def functions_of(file):
    """Return the functions of a file that are tests."""
    parts = ast.walk(syntax_of(file))
    return [
        part for part in parts if isinstance(part, ast.FunctionDef) and part.name[:5] == "test_"
    ]


def lines_in(node):
    """Return how many lines of text an expression has: a string, or a list of lines."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return len(node.value.splitlines())
    if isinstance(node, ast.JoinedStr):
        return ast.unparse(node).count("\\n") + 1
    return 0


def pinned(test):
    """Return the lines of the longest text that a test compares something with."""
    found = [0]
    for part in ast.walk(test):
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Eq):
            sides = [part.left, *part.comparators]
            found += map(lines_in, sides)
            if any(ast.unparse(side).endswith(".splitlines()") for side in sides):
                lists = [side for side in sides if isinstance(side, ast.List)]
                found += [len([*filter(lines_in, side.elts)]) for side in lists]
    return max(found)


def test_no_text_of_three_lines_is_pinned_but_where_it_is_what_is_promised():
    long = {test.name for file in FILES for test in functions_of(file) if pinned(test) > 2}
    assert long == GOLDEN.keys()


def reads_a_clock(node):
    """Return whether an expression calls one of Python's clocks."""
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return any(getattr(call, "attr", getattr(call, "id", "")) in CLOCKS for call in calls)


def names_in(node, context):
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, context)}


def asserts_a_time(test):
    """Return whether a test asserts something of a clock, or of what it set by one."""
    parts = [*ast.walk(test)]
    set_ = [part for part in parts if isinstance(part, ast.Assign) and reads_a_clock(part.value)]
    times = set().union(*[names_in(part, ast.Store) for part in set_])
    asserted = [part.test for part in parts if isinstance(part, ast.Assert)]
    return any(reads_a_clock(each) or times & names_in(each, ast.Load) for each in asserted)


def test_no_test_asserts_how_long_something_takes():
    tests = [test for file in FILES for test in functions_of(file)]
    assert [test.name for test in tests if asserts_a_time(test)] == []


def test_what_asserts_a_time_is_found():
    code = (
        "def test_f():\n    begin = time.perf_counter()\n    took = {} - begin\n    assert took < 1"
    )
    (timed,) = ast.parse(code.format("time.perf_counter()")).body
    (counted,) = ast.parse(code.replace("time.perf_counter()", "count()").format(2)).body
    assert asserts_a_time(timed)
    assert not asserts_a_time(counted)
