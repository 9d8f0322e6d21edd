"""What a type checker sees of the public names: no Any, and nothing missing."""

import ast
import re
from pathlib import Path

import pytest

import microgrid
from microgrid import engine, functional

PROGRAM = """
from microgrid import MLP, GradientWarning, Layer, Neuron, Primitive, Value, exp, sin
from microgrid import topological_order, zero_grad

x = Value(2.0, label="x")
y = {methods}
reveal_type(y)
reveal_type(x + 1)
reveal_type(2.0 / x)
reveal_type(-x ** 2)
reveal_type(x == 2.0)
reveal_type(x < x)
reveal_type(sin(2.0))
reveal_type(exp(x))
reveal_type(Neuron(2)([x, 1.0]))
reveal_type(Layer(2, 2)([x, 1.0]))
reveal_type(MLP(2, [2, 1])([x, 1.0]))
reveal_type(topological_order(y))
reveal_type(y.backward())
Value(1.0, requires_grad=True)
x.numpy()
class Named(Value): ...
"""
REVEALED = [
    *["Value"] * 4,
    *["bool"] * 2,
    *["float", "Value", "Value"],
    *["Value | list[Value]"] * 2,
    *["list[Value]", "None"],
]
REFUSED = ['"requires_grad" to "Value"', 'no attribute "numpy"', "final class"]


def methods():
    return [name for name in functional._METHODS if name not in ("atan2", "hypot", "clip")]


def test_every_function_that_is_a_method_is_declared():
    tree = ast.parse(Path(engine.__file__).read_text(encoding="utf-8"))
    (value,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Value"]
    (typed,) = [n for n in value.body if isinstance(n, ast.If) and "not" not in ast.unparse(n.test)]
    declared = {n.name for n in typed.body if isinstance(n, ast.FunctionDef)}
    for node in typed.body:
        if isinstance(node, ast.Assign):
            declared |= {target.id for target in node.targets}
    assert declared == set(functional._METHODS)


@pytest.mark.slow  # mypy reads the whole package: 10 s without its cache
def test_a_users_program_is_typed_to_the_last_method(tmp_path):
    api = pytest.importorskip("mypy.api", reason="mypy comes with the extra `dev`")
    program = tmp_path / "program.py"
    calls = ", ".join([*(f"x.{name}()" for name in methods()), "x.clip(0, max=1)", "x.hypot(1, x)"])
    program.write_text(PROGRAM.format(methods=f"[{calls}, x.atan2(1.0)][0]"), encoding="utf-8")
    root = Path(microgrid.__file__).parent.parent
    cache = root / ".mypy_cache"
    text, _, _ = api.run(["--strict", "--cache-dir", str(cache), str(program)])
    revealed = re.findall(r'Revealed type is "(.*)"', text)
    assert [re.sub(r"[\w.]+\.", "", kind) for kind in revealed] == REVEALED
    errors = re.findall(r"error: (.*)", text)
    for error, part in zip(errors, REFUSED, strict=True):
        assert part in error
