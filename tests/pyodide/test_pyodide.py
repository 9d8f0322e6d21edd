"""The wheel in Pyodide, which is Python for browsers, here in Node.js: the tests of `inside`."""

import ast
import json
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSIDE = HERE / "inside.py"
NAMES = [
    node.name
    for node in ast.parse(INSIDE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
]
LIMIT = 300  # seconds

pytestmark = pytest.mark.pyodide


def pack(package, folder):
    """Return an archive of an installed package, of Python code alone."""
    path = folder / f"{package}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in metadata.files(package):
            if file.suffix == ".py" or "dist-info" in file.parts[0]:
                archive.write(file.locate(), file.as_posix())
    return path


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Give the wheel of this library, and archives of what it can use in a browser."""
    folder = tmp_path_factory.mktemp("wheels")
    root = HERE.parent.parent
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, root],
        check=True,
        capture_output=True,
        timeout=LIMIT,
    )
    return [*folder.glob("*.whl"), pack("graphviz", folder), pack("tqdm", folder)]


@pytest.fixture(scope="session", params=["3.13", "3.14"])
def errors(request, packages):
    """Give what each test said inside of Pyodide, by its name."""
    home = HERE / "node_modules" / f"pyodide-{request.param}"
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js: apt-get install nodejs npm")
    if not home.is_dir():
        pytest.skip("there is no Pyodide: npm install --no-package-lock --prefix tests/pyodide")
    run = subprocess.run(
        ["node", HERE / "run.mjs", home, INSIDE, *packages],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith('{"test"')]
    said = {line["test"]: line["error"] for line in map(json.loads, lines)}
    ended = "\n".join(line[:200] for line in run.stderr.splitlines())
    return {name: said.get(name, f"Pyodide ended before: {ended}") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_in_pyodide(errors, name):
    assert not errors[name], errors[name]
