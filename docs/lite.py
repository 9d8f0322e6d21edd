"""Adds the lessons to a site as notebooks that run in the browser, by JupyterLite and Pyodide.

`python docs/lite.py SITE PYODIDE VIZ MATHJAX WHEELS` writes the folder `lite` of a site, and what
shows its mathematics. The other folders are those of npm's packages `pyodide`, `@viz-js/viz` and
`mathjax`, and one with the wheels that notebooks can use: this library, IPython, and what they
need. The site asks for nothing from elsewhere.
"""

import ast
import dis
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import CodeType

LESSONS = Path(__file__).parent.parent / "notebooks"
KERNEL = "@jupyterlite/pyodide-kernel-extension"
OWN_WHEELS = Path(sys.prefix, "share", "jupyter", "labextensions", KERNEL, "static", "pypi")
LOAD_VIZ = 'import * as Viz from "./viz.js";\nglobalThis.viz = await Viz.instance();\n'
NOT_HERE = (
    "*This cell needs {}, which this site's Python does not have; install microgrid to run it.*"
)


def copy_pyodide(pyodide: Path, viz: Path, place: Path) -> None:
    """Copy Pyodide, which loads Viz.js before itself."""
    place.mkdir(parents=True)
    for file in pyodide.iterdir():
        if file.suffix in (".json", ".mjs", ".wasm", ".whl", ".zip"):
            shutil.copy(file, place)
    shutil.copy(viz / "dist" / "viz.js", place)
    entry = place / "pyodide.mjs"
    entry.write_text(LOAD_VIZ + entry.read_text(encoding="utf-8"), encoding="utf-8")


def write_lock(place: Path, wheels: list[Path]) -> list[str]:
    """Put wheels beside Pyodide, and all that is there into its lock; return the wheels' names."""
    file = place / "pyodide-lock.json"
    lock = json.loads(file.read_text(encoding="utf-8"))
    there = {path.name for path in place.iterdir()}
    kept = {key: x for key, x in lock["packages"].items() if x["file_name"] in there}
    entries = {entry["name"]: entry for entry in map(entry_of, wheels)}
    for wheel in wheels:
        shutil.copy(wheel, place)
    file.write_text(json.dumps({**lock, "packages": kept | entries}), encoding="utf-8")
    return sorted(entries)


def entry_of(wheel: Path) -> dict[str, object]:
    """Return what a lock says of a wheel of Python code alone."""
    name, version, *_ = wheel.name.split("-")
    with zipfile.ZipFile(wheel) as archive:
        tops = {path.partition("/")[0].removesuffix(".py") for path in archive.namelist()}
    return {
        "name": re.sub(r"[-_.]+", "-", name).lower(),
        "version": version,
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "imports": sorted(filter(str.isidentifier, tops)),
        "depends": [],  # all are loaded at the start
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
    }


def leave_out(notebook: dict, known: set[str]) -> None:
    """Let cells that import something unknown, or use what such cells define, only be read.

    JupyterLite runs nothing after a cell that raises an error, whatever the cell's tags say.
    """
    lost: dict[str, set[str]] = {}  # a name, and what would be needed to have it
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        bound, used = names_of(compile(source, "", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        needs = imported(ast.parse(source)) - known
        needs = needs.union(*(lost.get(name, ()) for name in used))
        if needs:
            note = NOT_HERE.format(" and ".join(sorted(needs)))
            cell.pop("outputs")
            cell.pop("execution_count")
            cell |= {"cell_type": "markdown", "source": f"{note}\n\n```python\n{source}\n```"}
            lost |= dict.fromkeys(bound, needs)
        else:
            lost = {name: packages for name, packages in lost.items() if name not in bound}


def names_of(code: CodeType) -> tuple[set[str], set[str]]:
    """Return the global names that code binds, and those that it uses before it binds them.

    Only compiled code says which names are global, and in what order they are bound and used.
    """
    bound, used = set(), set()
    for step in dis.get_instructions(code):
        if isinstance(step.argval, CodeType):  # of a function, say, or of a class
            used |= names_of(step.argval)[1] - bound
        elif step.opname in ("STORE_NAME", "STORE_GLOBAL"):
            bound.add(step.argval)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL", "DELETE_NAME"):
            used |= {step.argval} - bound
    return bound, used


def imported(tree: ast.AST) -> set[str]:
    """Return the packages that code imports, but those that it tries to."""
    modules = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:  # a relative import names none
            modules.add(node.module)
        elif not isinstance(node, ast.Try):
            modules |= imported(node)
    return {module.partition(".")[0] for module in modules}


def main(site: Path, pyodide: Path, viz: Path, mathjax: Path, wheels: Path) -> None:
    """Build the folder `lite` of the site, and copy MathJax to where `conf.py` says it is."""
    shutil.copy(mathjax / "es5" / "tex-svg.js", site / "_static" / "mathjax.js")
    with tempfile.TemporaryDirectory() as folder:
        lite = Path(folder)
        place, lessons = lite / "static" / "pyodide", lite / "lessons"
        copy_pyodide(pyodide, viz, place)
        own = [path for path in OWN_WHEELS.glob("*.whl") if not path.name.startswith("widgets")]
        packages = write_lock(place, [*own, *wheels.glob("*.whl")])
        settings = {
            "disablePyPIFallback": True,
            "loadPyodideOptions": {"packages": packages},
        }
        config = {
            "faviconUrl": "./static/favicons/favicon.ico",  # that of lab is not there
            "exposeAppInBrowser": True,  # for tests
            "litePluginSettings": {f"{KERNEL}:kernel": settings},
        }
        (lite / "jupyter-lite.json").write_text(
            json.dumps({"jupyter-lite-schema-version": 0, "jupyter-config-data": config}),
            encoding="utf-8",
        )
        lock = json.loads((place / "pyodide-lock.json").read_text(encoding="utf-8"))
        there = {name for entry in lock["packages"].values() for name in entry["imports"]}
        shutil.copytree(LESSONS, lessons)
        for path in lessons.glob("*.ipynb"):
            notebook = json.loads(path.read_text(encoding="utf-8"))
            leave_out(notebook, there | sys.stdlib_module_names)
            path.write_text(json.dumps(notebook), encoding="utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "jupyter", "lite", "build", "--no-sourcemaps"),
                *("--apps", "notebooks", "--apps", "tree", "--lite-dir", lite),
                *("--contents", lessons, "--output-dir", site / "lite"),
            ],
            check=True,
            cwd=lite,
        )


if __name__ == "__main__":
    main(*[Path(folder).resolve() for folder in sys.argv[1:]])
