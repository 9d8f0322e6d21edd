"""The layout engine: finding a program that lays DOT text out, and running it.

Graphviz's `dot` is used where it is installed, else graphviz-pure, which pip installs.
"""

from __future__ import annotations

import shutil
from functools import cache
from importlib import metadata
from pathlib import Path
from subprocess import TimeoutExpired

from graphviz import ExecutableNotFound
from graphviz.backend.dot_command import command
from graphviz.backend.execute import CalledProcessError, run_check

from .labels import xml_text

__all__ = ["LayoutTimeout", "effort", "find_engine", "lay_out", "turns_frames"]

MOST_SECONDS = 30  # that a layout may take
SMALL = 40  # values
MISSING = (
    "drawing a graph needs a layout engine, and none is installed: "
    "install Graphviz (its `dot` must be on PATH), or `pip install graphviz-pure`, "
    "which the extra `microgrid-autodiff[draw]` brings"
)


class LayoutTimeout(RuntimeError):
    """A layout takes longer than it may."""


def find_engine() -> str | None:
    """Return the program that lays graphs out, or None: `dot` on PATH, else graphviz-pure.

    It is looked for each time, so that one installed in the middle of a notebook is found.
    """
    return shutil.which("dot") or _find_installed() or shutil.which("graphviz-pure")


def _find_installed() -> str | None:
    """Return the program in this environment; a notebook's PATH often lacks its folder."""
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return None
    programs = [Path(str(file.locate())) for file in files if file.stem == "graphviz-pure"]
    # what was installed with `pip install --target` records a path at which nothing is
    return next((str(program) for program in programs if program.is_file()), None)


def turns_frames(rankdir: str) -> bool:
    """Return whether the engine draws what is inside of a frame in the opposite order.

    Where nothing crosses, nodes come in the order in which they are written; but inside of a frame
    some versions of Graphviz turn that around, for some directions of the arrows.
    """
    program = find_engine()
    return program is not None and _turns_frames(program, rankdir)


@cache
def _turns_frames(program: str, rankdir: str) -> bool:
    source = f"digraph {{ rankdir={rankdir} subgraph cluster_frame {{ a b }} a -> c b -> c }}"
    try:
        rows = [line.split() for line in lay_out(source, "plain").decode().splitlines()]
        places = {row[1]: (float(row[2]), float(row[3])) for row in rows if row[0] == "node"}
        (x, y), (other_x, other_y) = places["a"], places["b"]
    except (RuntimeError, ValueError, LookupError):  # which the picture itself will meet, and say
        return False
    return y < other_y if rankdir in ("LR", "RL") else x > other_x


def effort(values: int) -> dict[str, str]:
    """Return how hard the engine should try, as attributes of a graph with that many values.

    With more effort at crossings, operands would change places to no effect. For all but small
    graphs, less effort at lengths takes a sixth of the time, and the picture is as clear.

    >>> effort(10)
    {'mclimit': '0.2'}
    """
    most = {"nslimit": "0.2", "nslimit1": "0.5"} if values > SMALL else {}
    return {"mclimit": "0.2", **most}


def lay_out(
    source: str,
    format: str,
    *,
    engine: str = "dot",
    renderer: str | None = None,
    formatter: str | None = None,
    neato_no_op: bool | int | None = None,
    seconds: float = MOST_SECONDS,
) -> bytes:
    """Return a picture of DOT text in a format: "svg", "png" and others, with `dot` "pdf" too.

    Raises:
        ValueError: Graphviz knows no such format, engine or renderer.
        graphviz.ExecutableNotFound: there is no layout engine; a `RuntimeError`.
        LayoutTimeout: the layout takes longer than the limit; a `RuntimeError`.
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
            input=xml_text(source).encode(),
            capture_output=True,
            quiet=True,
            timeout=seconds,
        )
    except CalledProcessError as failure:
        said = failure.stderr.decode(errors="replace").strip()
        reason = said or f"it ended with exit status {failure.returncode}"
    except TimeoutExpired:
        raise LayoutTimeout(
            f"{Path(program).stem} could not draw the graph as {format}: its layout takes more "
            f"than {seconds:g} seconds; draw a smaller part of it"
        ) from None
    except OSError as failure:
        reason = str(failure)
    else:
        picture: bytes = drawn.stdout
        return picture
    name = Path(program).stem
    hint = "" if name == "dot" else "; Graphviz's `dot` is used if installed, and draws pdf and ps"
    raise RuntimeError(f"{name} could not draw the graph as {format}: {reason}{hint}")
