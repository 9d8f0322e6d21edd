"""The layout engine: finding what lays DOT text out, and running it.

Graphviz's `dot` is used where it is installed, else graphviz-pure, which pip installs; in a browser
Viz.js, which is Graphviz too. Whoever sets `microgrid.drawing.engine` has another one used.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module, metadata
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from graphviz import ExecutableNotFound
from graphviz.backend.dot_command import command
from graphviz.backend.execute import CalledProcessError, run_check

from ..guards.checks import quote
from .labels import xml_text

__all__ = ["Engine", "LayoutTimeout", "effort", "engine", "find_engine", "lay_out", "turns_frames"]

#: A layout engine: a function of DOT text and a format, such as "svg", that returns the picture.
Engine = Callable[[str, str], str | bytes]

# The global names of the page, or of the worker, that runs Pyodide; None elsewhere.
PAGE: Any = import_module("js") if sys.platform == "emscripten" else None
MOST_SECONDS = 30  # that a layout may take
SMALL = 40  # values
refusals: list[str] = []  # the reasons why Viz.js could not be loaded
MISSING = "drawing a graph needs a layout engine, and none is installed: " + (
    "the page needs Viz.js, from npm's `@viz-js/viz`, as its global `Viz`"
    if sys.platform == "emscripten"
    else "install Graphviz (its `dot` must be on PATH), or `pip install graphviz-pure`, "
    "which the extra `microgrid-autodiff[draw]` brings"
)


class LayoutTimeout(RuntimeError):
    """A layout takes longer than it may."""


def engine(source: str, format: str) -> bytes:
    """Return DOT text as a picture, drawn by Graphviz: a program, or Viz.js in a browser.

    Set this name to draw graphs with something else: `microgrid.drawing.engine = function`. `draw`
    and `explain` will ask your function for "svg" and other formats, and `explore` for "plain", in
    which Graphviz lists the places of nodes and edges. Before the first graph with frames it is
    asked for a small one as "plain", to learn in which order it draws what is inside of a frame.
    It returns text or bytes; what it raises is told as the reason why there is no picture.
    `del microgrid.drawing.engine` brings this one back.

    In Pyodide the instance of Viz.js that the page has as its global `viz` draws, or one that is
    made of its module, the global `Viz`.

    Raises:
        ValueError: Graphviz knows no such format.
        graphviz.ExecutableNotFound: there is no layout engine; a `RuntimeError`.
        RuntimeError: the engine failed, or takes more than 30 seconds.

    >>> from microgrid import Value, draw, drawing
    >>> drawing.engine = lambda source, format: f"{source.split()[0]} as {format}"
    >>> draw(Value(2.0)).pipe("svg")
    b'digraph as svg'
    >>> del drawing.engine
    """
    return _by_graphviz(source, format, command("dot", format), MOST_SECONDS)


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
    own = _own_engine()
    # a method can be hashed, whatever it is of
    drawer = find_engine() if own is None else own.__call__  # type: ignore[operator]
    try:
        return _turns_frames(drawer, rankdir)
    except RuntimeError:  # which the picture itself will meet, and say
        return False


@lru_cache(8)  # what raises is asked again: Viz.js may still be being loaded
def _turns_frames(drawer: Engine | str | None, rankdir: str) -> bool:
    """Ask whatever draws now, which is `drawer`: the answer is kept for it alone."""
    source = f"digraph {{ rankdir={rankdir} subgraph cluster_frame {{ a b }} a -> c b -> c }}"
    text = lay_out(source, "plain")
    try:
        rows = [line.split() for line in text.decode().splitlines()]
        places = {row[1]: (float(row[2]), float(row[3])) for row in rows if row[0] == "node"}
        (x, y), (other_x, other_y) = places["a"], places["b"]
    except (ValueError, LookupError):  # it draws, but does not list
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
    arguments = command(
        engine, format, renderer=renderer, formatter=formatter, neato_no_op=neato_no_op
    )
    if (own := _own_engine()) is None:
        return _by_graphviz(source, format, arguments, seconds)
    return _ask(own, "the function microgrid.drawing.engine", source, format, arguments)


def _own_engine() -> Engine | None:
    """Return what somebody has set as `microgrid.drawing.engine`, or None."""
    function: Engine | None = vars(sys.modules[__package__]).get("engine", engine)
    if not callable(function):
        raise TypeError(
            "microgrid.drawing.engine must be a function of DOT text and a format, "
            f"got {quote(function)}; `del microgrid.drawing.engine` brings Graphviz back"
        )
    return None if function is engine else function


def _ask(function: Engine, name: str, source: str, format: str, arguments: list[str]) -> bytes:
    """Return a picture that a function draws, which has no options as Graphviz's programs have."""
    if arguments != command("dot", format):
        raise ValueError(
            "`engine`, `renderer`, `formatter` and `neato_no_op` are options of Graphviz's "
            f"programs, and graphs are drawn by {name}: leave them out"
        )
    try:
        picture = function(xml_text(source), format)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RuntimeError(f"{name} could not draw the graph as {format}: {reason}") from error
    if not isinstance(picture, str | bytes):
        raise RuntimeError(f"{name} must return a picture as text or bytes, got {quote(picture)}")
    return picture.encode() if isinstance(picture, str) else picture


def _by_graphviz(source: str, format: str, arguments: list[str], seconds: float) -> bytes:
    if (program := find_engine()) is not None:
        return _run([program, *arguments[1:]], source, format, seconds)
    if _has_viz():
        return _ask(_ask_viz, "Viz.js", source, format, arguments)
    error = ExecutableNotFound(["dot"])
    error.args = (MISSING,)
    raise error


def _has_viz() -> bool:
    """Return whether the page has Viz.js: an instance, `viz`, or the module, `Viz`.

    Of the module an instance is made, and is there when this cell has ended.
    """
    if not hasattr(PAGE, "viz") and hasattr(PAGE, "Viz"):
        PAGE.viz = None
        PAGE.Viz.instance().then(partial(setattr, PAGE, "viz"), _leave_viz)
    return hasattr(PAGE, "viz")


def _leave_viz(reason: object) -> None:
    """Keep the reason why no instance could be made; for the next picture it is tried again."""
    refusals.append(str(reason))
    del PAGE.viz


def _ask_viz(source: str, format: str) -> str:
    if PAGE.viz is None:
        failed = f"it could not be loaded: {refusals[-1]}; " if refusals else ""
        raise RuntimeError(f"{failed}it is being loaded, so run this cell again")
    picture: str = PAGE.viz.renderString(source, format=format)
    return picture


def _run(arguments: list[str], source: str, format: str, seconds: float) -> bytes:
    name = Path(arguments[0]).stem
    try:
        # quiet: what it says on stderr is about fonts, and would be a red block in a notebook
        drawn = run_check(
            arguments,
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
            f"{name} could not draw the graph as {format}: its layout takes more "
            f"than {seconds:g} seconds; draw a smaller part of it"
        ) from None
    except OSError as failure:
        reason = str(failure)
    else:
        picture: bytes = drawn.stdout
        return picture
    hint = "" if name == "dot" else "; Graphviz's `dot` is used if installed, and draws pdf and ps"
    raise RuntimeError(f"{name} could not draw the graph as {format}: {reason}{hint}")


_has_viz()  # which begins to load it
