"""The layout engine: finding a program that lays DOT text out, and running it.

Graphviz's `dot` is used where it is installed, else graphviz-pure, which pip installs.
"""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from subprocess import TimeoutExpired

from graphviz import ExecutableNotFound
from graphviz.backend.dot_command import command
from graphviz.backend.execute import CalledProcessError, run_check

__all__ = ["effort", "find_engine", "lay_out"]

MOST_SECONDS = 30  # that a layout may take: a graph that reuses a leaf all over can take hours
SMALL = 40  # values
MISSING = (
    "drawing a graph needs a layout engine, and none is installed: "
    "install Graphviz (its `dot` must be on PATH), or `pip install graphviz-pure`, "
    "which the extra `microgrid-autodiff[draw]` brings"
)


def find_engine() -> str | None:
    """Return the program that lays graphs out, or None: `dot` on PATH, else graphviz-pure.

    It is looked for each time, so that one installed in the middle of a notebook is found.
    """
    return shutil.which("dot") or _bundled() or shutil.which("graphviz-pure")


def _bundled() -> str | None:
    """Return the program in this environment; a notebook's PATH often lacks its folder."""
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return None
    programs = [Path(str(file.locate())) for file in files if file.stem == "graphviz-pure"]
    # what was installed with `pip install --target` records a path at which nothing is
    return next((str(program) for program in programs if program.is_file()), None)


def effort(values: int) -> dict[str, str]:
    """Return how hard the engine is to try, as attributes of a graph of so many values.

    For all but small ones it is a sixth of the time, and the picture is as clear.

    >>> effort(10)
    {}
    """
    return {"mclimit": "0.2", "nslimit": "0.2", "nslimit1": "0.5"} if values > SMALL else {}


def lay_out(
    source: str,
    format: str,
    *,
    engine: str = "dot",
    renderer: str | None = None,
    formatter: str | None = None,
    neato_no_op: bool | int | None = None,
) -> bytes:
    """Return a picture of DOT text in a format: "svg", "png" and others, with `dot` "pdf" too.

    Raises:
        ValueError: Graphviz knows no such format, engine or renderer.
        graphviz.ExecutableNotFound: there is no layout engine; a `RuntimeError`.
        RuntimeError: the engine failed; what it wrote to stderr is part of the message.
    """
    _, *options = command(
        engine, format, renderer=renderer, formatter=formatter, neato_no_op=neato_no_op
    )
    program = find_engine()
    if program is None:
        error = ExecutableNotFound(["dot"])
        error.args = (MISSING,)
        raise error
    try:
        # quiet: what it says on stderr is about fonts, and would be a red block in a notebook
        drawn = run_check(
            [program, *options],
            input=source.encode(),
            capture_output=True,
            quiet=True,
            timeout=MOST_SECONDS,
        )
    except CalledProcessError as failure:
        said = failure.stderr.decode(errors="replace").strip()
        reason = said or f"it ended with exit status {failure.returncode}"
    except TimeoutExpired:
        reason = f"its layout takes more than {MOST_SECONDS} seconds; draw a smaller part of it"
    except OSError as failure:
        reason = str(failure)
    else:
        picture: bytes = drawn.stdout
        return picture
    name = Path(program).stem
    hint = "" if name == "dot" else "; Graphviz's `dot` is used if installed, and draws pdf and ps"
    raise RuntimeError(f"{name} could not draw the graph as {format}: {reason}{hint}")
