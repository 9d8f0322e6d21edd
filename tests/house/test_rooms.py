"""The tests mirror the package's rooms, so that who changes a room finds its tests by its name."""

from pathlib import Path

from tests import plan

TESTS = Path(__file__).parents[1]
MOST = 9  # files of a room, as in the package
# Folders that are of no room: they measure, look at the repository itself, or hold figures.
OWN = {"benchmarks", "house", "recorded"}
# Files of no file at the top: the whole is compared with micrograd, with other libraries and with
# exact numbers, and its conventions are listed.
WHOLE = {"conventions", "micrograd", "precision", "recorded"}

FOLDERS = [init.parent for init in sorted(TESTS.rglob("*/__init__.py"))]
ROOMS = {
    folder.relative_to(TESTS).as_posix(): folder
    for folder in FOLDERS
    if folder.relative_to(TESTS).parts[0] not in OWN
}


def stems_of(folder):
    return {file.stem.removeprefix("test_") for file in folder.glob("test_*.py")}


def test_every_room_of_the_package_has_a_room_of_tests_and_there_is_no_other():
    assert ROOMS.keys() == {room.relative_to(plan.PACKAGE).as_posix() for room in plan.ROOMS}
    assert [name for name, folder in ROOMS.items() if not stems_of(folder)] == []


def test_every_test_is_in_a_folder_that_is_known():
    known = {TESTS, *ROOMS.values(), *(TESTS / name for name in OWN)}
    assert {file.parent for file in TESTS.rglob("test_*.py")} <= known


def test_a_test_at_the_top_is_of_a_file_at_the_top_or_of_the_whole():
    files = {file.stem.strip("_") for file in plan.PACKAGE.glob("*.py")}
    assert stems_of(TESTS) - WHOLE <= files
    assert stems_of(TESTS) >= WHOLE


def test_no_room_of_tests_holds_too_many_files():
    sizes = {name: len([*folder.glob("[!_]*.py")]) for name, folder in ROOMS.items()}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}
