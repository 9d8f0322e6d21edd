"""What type checkers see of the public names: the types in `typed_uses`, which are true as well."""

import ast
import inspect
import pydoc
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType

import numpy as np
import pytest

import microgrid
from microgrid import Value, functional
from microgrid.core import operators

from . import typed_uses

USES = Path(typed_uses.__file__)
ROOT = Path(microgrid.__file__).parent.parent


def test_every_function_that_is_a_method_is_declared():
    tree = ast.parse(Path(operators.__file__).read_text(encoding="utf-8"))
    (kind,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Arithmetic"]
    (typed,) = [n for n in kind.body if isinstance(n, ast.If)]
    declared = {n.name for n in typed.body if isinstance(n, ast.FunctionDef)}
    for node in typed.body:
        if isinstance(node, ast.Assign):
            declared |= {target.id for target in node.targets}
    assert {name for name in declared if name[:2] != "__"} == set(functional._METHODS)


# ---- what the checkers find


# mypy reads the whole package, 10 s without its cache; pyright is a program for node, which is
# downloaded when it first runs. Each runs in a process of its own, as mypy changes limits of its
# process: calls may nest 16,384 deep there, and the garbage collector runs far less often.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("checker", "options"),
    [
        ("mypy", ["--strict", "--cache-dir", str(ROOT / ".mypy_cache")]),
        ("pyright", ["--pythonpath", sys.executable]),
    ],
)
def test_a_type_checker_finds_the_types_of_all_uses(checker, options):
    pytest.importorskip(checker, reason=f"{checker} comes with the extra `dev`")
    command = [sys.executable, "-m", checker, *options, str(USES)]
    run = subprocess.run(command, capture_output=True, text=True)
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
    if isinstance(origin, getattr(typing, "TypeAliasType", ())):  # NDArray, from Python 3.12 on
        return type(x) is np.ndarray and x.dtype == parts[0]
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


OF_NUMPY = {"apply_function", "apply_ufunc", "map_elements"}  # what NumPy's functions call


def public_names():
    """Yield what is public in the package, and in its public modules, with its path."""
    names = [*microgrid.__all__, "compile", "max", "min", "sum"]  # `import *` leaves out builtins
    for name in names:
        part = getattr(microgrid, name)
        if not inspect.ismodule(part):
            yield name, part
            continue
        for own in part.__all__:
            if own not in names:
                yield f"{name}.{own}", getattr(part, own)


def test_every_public_name_is_used():
    named = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(ast.parse(USES.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    public = {path.rpartition(".")[2] for path, _ in public_names()}
    assert public - named == OF_NUMPY


# Where a public signature says Any, and why.
ANY = {
    "an array of objects, which has no type without NumPy": [
        *("Primitive.__call__", "dot", "log_softmax", "logsumexp", "max", "maximum", "mean", "min"),
        *("minimum", "norm", "prod", "softmax", "sum", "where"),
    ],
    "the arguments' structure, or that of a function's result, with other numbers in it": [
        *("compiler.Compiled.__call__", "compiler.Program.__call__", "hvp", "jvp", "vjp"),
        *("compile", "grad", "hessian", "jacobian", "scan", "value_and_grad", "minimum_of"),
        "root",
    ],
    "the arguments of NumPy's own functions": [
        *[f"arrays.Array.{name}" for name in ("clip", "partition", "sort")],
        *("arrays.apply_function", "arrays.apply_ufunc", "arrays.map_elements"),
    ],
    "what a package without types takes or gives": [
        *("drawing.Explanation.draw", "drawing.Graph.__init__"),
        "drawing.Graph.render",
    ],
    "operands and constants, each of which has a type of its own": [
        *("Primitive.__init__", "Value.record"),
        "compiler.Program.walk",
    ],
    "options and states of optimizers, each of which has others": [
        *[f"optim.Optimizer.{name}" for name in ("current_options", "require_options")],
        *[f"optim.Optimizer.{name}" for name in ("state_dict", "load_state_dict")],
        *("optim.Optimizer.require_update", "optim.SGD.require_options"),
    ],
}
CALLED = ("__init__", "__call__")


def public_functions():
    """Yield the functions that users call, with their paths; those of classes too."""
    for path, part in public_names():
        methods = vars(part).items() if inspect.isclass(part) else [("", part)]
        for name, function in methods:
            function = function.fget if isinstance(function, property) else function
            if inspect.isfunction(function) and (name[:1] != "_" or name in CALLED):
                yield f"{path}.{name}".rstrip("."), function


def test_a_public_signature_says_any_where_there_is_a_reason_alone():
    functions = [*public_functions()]  # which loads all that they name
    modules = [part for name, part in sys.modules.items() if name.partition(".")[0] == "microgrid"]
    names = {name for part in modules for name, x in vars(part).items() if x is typing.Any}
    assert {"Any", "Numeric"} <= names  # which say the same to a type checker
    says_any = re.compile(rf"\b({'|'.join(names)})\b")
    found = {
        path
        for path, function in functions
        for form in typing.get_overloads(function) or [function]
        if any(says_any.search(str(kind)) for kind in form.__annotations__.values())
    }
    assert found <= {path for paths in ANY.values() for path in paths}


# ---- what a reader of a notebook sees


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (microgrid.sin, "(x, /)"),
        (microgrid.atan2, "(y, x, /)"),
        (microgrid.hypot, "(*xs)"),
        (Value.tanh, "(x, /)"),
        (Value(1.0).tanh, "()"),
        (Value(1.0).atan2, "(x, /)"),
    ],
)
def test_a_primitive_shows_its_operands(function, signature):
    assert str(inspect.signature(function)) == signature


@pytest.mark.parametrize("function", [microgrid.tanh, Value.tanh, Value(1.0).tanh])
def test_help_shows_the_operands_and_a_sentence(function):
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert "tanh(" in text
    assert "hyperbolic tangent of x" in text


def test_a_notebook_completes_the_methods_of_a_value():
    jedi = pytest.importorskip("jedi", reason="jedi comes with IPython")
    x = Value(1.0, label="x")
    names = {c.name for c in jedi.Interpreter("x.", [{"x": x}]).complete()}
    assert {*functional._METHODS, "backward", "data", "grad", "label"} <= names
