"""What imports what: the plan of the house, most of which stands on the standard library alone."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import microgrid

PACKAGE = Path(microgrid.__file__).parent
TOP = sorted(PACKAGE.glob("*.py"))
FOLDERS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
IN_FOLDERS = sorted(file for folder in FOLDERS for file in (PACKAGE / folder).rglob("*.py"))
# The other folders are extras: each needs a third-party package or two.
PLAIN_FOLDERS = ["guards", "core", "derivatives", "fitting"]
PLAIN = [*TOP, *(file for folder in PLAIN_FOLDERS for file in (PACKAGE / folder).glob("*.py"))]

CORE = [
    *("array_rules", "copying", "failures", "graph", "modes", "operators", "primitive", "reals"),
    "sequences",
]
# What `import microgrid` may load; the rest waits until it is touched.
EAGER = {"microgrid", "microgrid.engine", "microgrid.functional", "microgrid.special"} | {
    f"microgrid.{folder}{module}"
    for folder, modules in {
        "guards": ["", ".checks", ".garbage", ".interrupts", ".lazy", ".locks", ".mistakes"],
        "core": ["", *(f".{name}" for name in CORE)],
    }.items()
    for module in modules
}
THIRD_PARTY = [
    *("IPython", "anywidget", "graphviz", "graphviz_pure", "hypothesis", "llvmlite"),
    *("matplotlib", "numpy", "pandas", "scipy", "sympy", "torch", "tqdm"),
]


def name_of(file):
    return ".".join(["microgrid", *file.relative_to(PACKAGE).with_suffix("").parts])


@cache
def imports(file):
    """Return every import of a file: line, module, whether a function does it, or only types."""
    found = []

    def visit(node, in_function, for_types):
        if isinstance(node, ast.Import):
            found.extend((node.lineno, a.name, in_function, for_types) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            for module in targets(node, name_of(file)):
                found.append((node.lineno, module, in_function, for_types))
        in_function = in_function or isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.body:
                visit(child, in_function, True)
            for child in node.orelse:
                visit(child, in_function, for_types)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, in_function, for_types)

    visit(ast.parse(file.read_text(encoding="utf-8")), False, False)
    return found


def targets(node, importer):
    """Return the full names of the modules that `from … import …` reads."""
    base = importer.split(".")
    stem = base[: len(base) - node.level] if node.level else []
    module = ".".join([*stem, *([node.module] if node.module else [])])
    names = [f"{module}.{a.name}" for a in node.names]
    modules = [name for name in names if is_module(name)]
    return modules if len(modules) == len(names) else [*modules, module]


def is_module(name):
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def top(module):
    return module.partition(".")[0]


def is_third_party(module):
    return top(module) not in sys.stdlib_module_names and top(module) != "microgrid"


def folder_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "microgrid" and parts[1] in FOLDERS else None


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


# ---- what is read


def test_the_engine_and_what_is_made_of_it_import_only_the_standard_library():
    third_party = [
        (name_of(file), line, module)
        for file in PLAIN
        for line, module, *_ in imports(file)
        if is_third_party(module)
    ]
    assert third_party == []


def test_an_extra_is_imported_only_inside_a_function():
    at_the_top = [
        (name_of(file), line, module)
        for file in PLAIN
        for line, module, in_function, for_types in imports(file)
        if folder_of(module) not in [None, *PLAIN_FOLDERS] and not in_function and not for_types
    ]
    assert at_the_top == []


def test_a_folder_imports_third_party_packages_at_the_top_of_a_file_alone():
    hidden = [
        (name_of(file), line, module)
        for file in IN_FOLDERS
        for line, module, in_function, _ in imports(file)
        if in_function and is_third_party(module)
    ]
    assert hidden == []


def graph_of_imports():
    return {
        name_of(file).removesuffix(".__init__"): {
            module for _, module, *_ in imports(file) if top(module) == "microgrid"
        }
        for file in [*TOP, *IN_FOLDERS]
    }


def in_circles(imported):
    """Return the modules that import themselves, by way of others."""
    found = []
    for module in imported:
        reached, front = set(), {module}
        while front:
            front = {name for one in front for name in imported.get(one, ())} - reached
            reached |= front
        if module in reached:
            found.append(module)
    return found


def test_no_module_stands_in_a_circle_even_if_it_imports_in_functions_or_for_types():
    assert in_circles(graph_of_imports()) == []


def test_circles_are_found():
    assert in_circles({"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": set()}) == ["b", "c"]


ROOMS = sorted({file.parent for file in IN_FOLDERS})
INNER_ROOMS = [room for room in ROOMS if room.parent != PACKAGE]


def room_of(module):
    """Return the room that a module is in, a folder of a folder, or None if it is in none."""
    room = PACKAGE.joinpath(*module.split(".")[1:3])
    return room if room in INNER_ROOMS else None


def rooms_of(folder):
    return [room for room in INNER_ROOMS if room.parent == folder]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(PACKAGE).as_posix())
def test_a_room_holds_at_most_nine_files(room):
    files = [file.name for file in room.glob("*.py") if not file.name.startswith("__")]
    assert len(files) <= 9, files


def test_rooms_import_each_other_one_way_alone_and_share_what_imports_no_room():
    read = {
        (name_of(file), file.parent, module)
        for file in IN_FOLDERS
        for _, module, *_ in imports(file)
        if file.name != "__init__.py"
    }
    arrows = {(parent, room_of(module)) for _, parent, module in read if room_of(module)}
    assert [(a, b) for a, b in arrows if a != b and (b, a) in arrows] == []
    above = {name for name, parent, module in read if room_of(module) in rooms_of(parent)}
    assert [(name, b) for name, parent, b in read if parent in INNER_ROOMS and b in above] == []


def core(*names):
    return {f"core.{name}" for name in names}


@pytest.mark.parametrize(
    ("module", "below"),
    [
        ("guards.checks", set()),
        ("guards.mistakes", {"guards.checks"}),
        ("core.modes", set()),
        ("core.array_rules", {"guards.checks"}),
        ("core.failures", set()),
        ("core.reals", {"guards.checks"}),
        # callers: when it has an error to explain
        (
            "core.primitive",
            {"guards.checks", "guards.callers"} | core("array_rules", "failures", "modes", "reals"),
        ),
        (
            "core.operators",
            {"guards.checks", "guards.mistakes"} | core("array_rules", "primitive", "reals"),
        ),
        (
            "core.graph",
            {f"guards.{name}" for name in ("checks", "garbage", "interrupts", "locks", "mistakes")}
            | core("modes", "operators", "primitive", "reals"),
        ),
        ("core.copying", {"guards.interrupts"} | core("graph", "primitive")),
        ("core.sequences", {"guards.checks"} | core("array_rules", "primitive")),
        (
            "engine",
            {"guards.locks", "guards.mistakes"}
            | core("array_rules", "copying", "graph", "modes", "operators", "primitive", "reals"),
        ),
        (
            "functional",
            {"guards.checks", "engine"}
            | core("array_rules", "operators", "primitive", "reals", "sequences"),
        ),
    ],
)
def test_the_engine_stands_on_what_is_below_it_alone(module, below):
    read = {
        name.removeprefix("microgrid.")
        for _, name, _, for_types in imports(
            PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        )
        if top(name) == "microgrid" and not for_types
    }
    assert read <= below


def test_every_third_party_package_is_declared():
    pyproject = PACKAGE.parent / "pyproject.toml"
    if not pyproject.exists():
        pytest.skip("the package is installed without its pyproject.toml")
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.match(r"[\w-]+", r)[0].replace("-", "_") for group in groups for r in group}
    used = {top(m) for file in IN_FOLDERS for _, m, *_ in imports(file) if is_third_party(m)}
    # IPython is there where it is asked for, in a notebook; PIL comes with matplotlib; sklearn is
    # scikit-learn's
    assert used <= declared | {"IPython", "PIL", "sklearn"}


# ---- what is loaded


def test_importing_the_package_loads_the_engine_and_no_third_party_package():
    loaded = python(
        "import sys; before = set(sys.modules); import microgrid\n"
        "print(*set(sys.modules) - before, sep='\\n')"
    ).split()
    assert {module for module in loaded if top(module) == "microgrid"} == EAGER
    assert {top(module) for module in loaded if is_third_party(module)} == set()


def test_training_a_value_loads_no_third_party_package():
    loaded = python(
        "import sys, microgrid\n"
        "x = microgrid.Value(2.0)\n"
        "y = microgrid.tanh(x * x) + 2 ** x\n"
        "y.backward(); x.data = 3.0; y.refresh(); repr(y); f'{y:.3f}'\n"
        f"print(*[name for name in {THIRD_PARTY} if name in sys.modules])"
    ).split()
    assert loaded == []


def test_a_first_call_with_numbers_loads_no_rules_for_arrays_and_nothing_that_starts_programs():
    loaded = python(
        "import sys, numpy, llvmlite.binding; before = set(sys.modules); import microgrid as mg\n"
        "assert mg.compile(lambda x, y: x * mg.exp(y))(2.0, 0.0) == 2.0\n"
        "print(*set(sys.modules) - before, sep='\\n')"
    ).split()
    assert {name for name in loaded if name.startswith("microgrid.arrays")} == set()
    # to ask a compiler or ldconfig where the C library is takes longer than to compile
    assert sys.platform != "linux" or "subprocess" not in loaded


@pytest.mark.parametrize("name", ["datasets", "losses", "nn", "optim", "schedules"])
def test_a_module_is_loaded_when_it_is_first_touched(name):
    printed = python(
        f"import sys, microgrid; print('microgrid.{name}' in sys.modules)\n"
        f"print(microgrid.{name}.__name__, 'microgrid.{name}' in sys.modules)\n"
        f"print(*[name for name in {THIRD_PARTY} if name in sys.modules])"
    )
    assert printed.split() == ["False", f"microgrid.{name}", "True"]


def test_the_version_is_that_of_the_installed_package(monkeypatch):
    assert microgrid.__version__ == importlib.metadata.version("microgrid-autodiff")

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert not hasattr(microgrid, "__version__")  # run from a folder, without pip


def test_the_public_names_are_there_and_listed():
    assert set(microgrid.engine.__all__) | set(microgrid.functional.__all__) <= set(dir(microgrid))
    assert len(set(microgrid.__all__)) == len(microgrid.__all__)
    assert set(dir(microgrid)) - set(microgrid.__all__) == {"compile", "max", "min", "sum"}
    for name in microgrid.__all__:
        assert getattr(microgrid, name) is not None


NEEDS = {
    "compile needs llvmlite.* 'microgrid-autodiff.compile.'": ("llvmlite", "microgrid.compile"),
    "compile needs numpy.* 'microgrid-autodiff.compile.'": ("numpy", "microgrid.compile"),
    "Compiled needs llvmlite.*autodiff.compile.'": ("llvmlite", "microgrid.compiler.Compiled"),
    "strategies needs hypothesis.*.test.'": ("hypothesis", "microgrid.testing.strategies"),
    "plot_history needs matplotlib.*train": ("matplotlib", "microgrid.drawing.plot_history"),
}
ASK_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({packages}))
import microgrid
from microgrid import *
for package, use in {needs}:
    for other in {packages}:
        sys.modules.pop(other, None)
    sys.modules[package] = None
    try:
        eval(use)
    except ImportError as error:
        print(error)
"""


def test_what_needs_an_extra_that_is_not_there_says_which():
    needs = [*NEEDS.values()]
    packages = sorted({package for package, _ in needs})
    printed = python(ASK_WITHOUT.format(packages=packages, needs=needs)).splitlines()
    for line, advice in zip(printed, NEEDS, strict=True):
        assert re.match(advice, line)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'microgrid' has no attribute 'Tensor'"):
        microgrid.Tensor  # noqa: B018 (asking is the point)


# ---- the reader of imports is tested


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import numpy as np", [(1, "numpy", False, False)]),
        ("import os.path, tqdm", [(1, "os.path", False, False), (1, "tqdm", False, False)]),
        ("def f():\n    import numpy", [(2, "numpy", True, False)]),
        ("class A:\n    import numpy", [(2, "numpy", False, False)]),
        ("try:\n    from tqdm import tqdm\nexcept ImportError: ...", [(2, "tqdm", False, False)]),
        ("if TYPE_CHECKING:\n    from . import nn", [(2, "microgrid.nn", False, True)]),
        (
            "from . import engine, nn",
            [(1, f"microgrid.{m}", False, False) for m in ("engine", "nn")],
        ),
        ("from .engine import Value", [(1, "microgrid.engine", False, False)]),
        ("from microgrid.engine import Value", [(1, "microgrid.engine", False, False)]),
        ("from microgrid import Value", [(1, "microgrid", False, False)]),
        ("from . import Value", [(1, "microgrid", False, False)]),
    ],
)
def test_imports_are_found_wherever_they_stand(code, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "name_of", lambda file: "microgrid.example")
    file = tmp_path / "example.py"
    file.write_text(code)
    assert imports(file) == expected
