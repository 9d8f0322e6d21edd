"""What type checkers see of the public names: the types in `typed_uses`, which are true as well."""

import ast
import inspect
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType

import numpy as np
import pytest

import microgrid
from microgrid import Value, engine, functional

from . import typed_uses

USES = Path(typed_uses.__file__)
ROOT = Path(microgrid.__file__).parent.parent


def test_every_function_that_is_a_method_is_declared():
    tree = ast.parse(Path(engine.__file__).read_text(encoding="utf-8"))
    (value,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Value"]
    (typed,) = [n for n in value.body if isinstance(n, ast.If) and "not" not in ast.unparse(n.test)]
    declared = {n.name for n in typed.body if isinstance(n, ast.FunctionDef)}
    for node in typed.body:
        if isinstance(node, ast.Assign):
            declared |= {target.id for target in node.targets}
    assert declared == set(functional._METHODS)


# ---- what the checkers find


def test_mypy_finds_the_types_of_all_uses():
    api = pytest.importorskip("mypy.api", reason="mypy comes with the extra `dev`")
    text, errors, status = api.run(
        ["--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(USES)]
    )
    assert status == 0, text + errors


@pytest.mark.slow  # it is a program for node, which is downloaded when it first runs
def test_pyright_finds_the_types_of_all_uses():
    pytest.importorskip("pyright", reason="pyright comes with the extra `dev`")
    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(USES)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


# ---- whether they are true


def has_type(x, kind):
    """Return whether x is what a type says, its parts too; of a function only that it is one."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is typing.Any:
        return True
    if kind is float:  # an int is one to a checker
        return isinstance(x, float | int) and not isinstance(x, bool)
    if origin in (typing.Union, UnionType):
        return any(has_type(x, part) for part in parts)
    if origin is list:
        return type(x) is list and all(has_type(item, parts[0]) for item in x)
    if origin is tuple:
        if parts[-1] is Ellipsis:
            parts = parts[:1] * len(x)
        return type(x) is tuple and len(x) == len(parts) and all(map(has_type, x, parts))
    if origin is dict:
        return type(x) is dict and all(
            has_type(key, parts[0]) and has_type(item, parts[1]) for key, item in x.items()
        )
    if origin is typing.Literal:
        return any(type(x) is type(part) and x == part for part in parts)
    if origin is np.ndarray:
        return type(x) is np.ndarray and x.dtype == parts[1].__args__[0]
    if origin is not None:
        return isinstance(x, Callable if origin is Callable else origin)
    return isinstance(x, NoneType if kind is None else kind)


def test_the_types_of_all_uses_are_true(monkeypatch):
    lines = set()

    def assert_type(x, kind):
        assert has_type(x, kind), f"{x!r} is no {kind}"
        lines.add(sys._getframe(1).f_lineno)
        return x

    monkeypatch.setattr(typed_uses, "assert_type", assert_type)
    for name, use in vars(typed_uses).items():
        if name.startswith("use_"):
            use()
    assert len(lines) == USES.read_text(encoding="utf-8").count("assert_type(")


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (True, float),
        ("1", float),
        (Value(1.0), float),
        ([1.0, Value(1.0)], list[float]),
        ((1.0,), tuple[float, float]),
        ({"a": Value(1.0)}, dict[str, float]),
        (None, Value | float),
    ],
)
def test_a_type_that_is_not_true_is_found(x, kind):
    assert not has_type(x, kind)


# ---- whether they are all


OF_NUMPY = {"apply_function", "apply_ufunc", "mapped"}  # what NumPy has called by its own functions


def public_names():
    """Yield the names of the package, and of its public modules."""
    for name in microgrid.__all__:
        if inspect.ismodule(part := getattr(microgrid, name)):
            yield from part.__all__
        else:
            yield name


def test_every_public_name_is_used():
    named = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(ast.parse(USES.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert set(public_names()) - named == OF_NUMPY
