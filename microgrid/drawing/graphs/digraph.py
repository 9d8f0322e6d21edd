"""A graph as DOT text that shows itself in a notebook and saves itself as a picture."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import graphviz

from ...files import require_writable
from ...guards.checks import require_paths
from ..files import format_of, save_drawn
from ..labels import xml_text
from ..layout import MOST_SECONDS, LayoutTimeout, lay_out
from ..notebook import FIT, image_by_theme

__all__ = ["Graph"]

PATIENCE = 1.0  # seconds that a layout may take if there is a simpler one
TEXT_FORMATS = ("dot", "gv")  # the DOT text as it is: no engine is needed
FORMATS = ("svg", "png", "pdf", *TEXT_FORMATS)  # the usual ones; Graphviz has more


class Graph(graphviz.Digraph):  # type: ignore[misc]  # graphviz ships no types
    """A `graphviz.Digraph` that finds its layout engine, and shows something useful without one.

    As the last expression of a notebook's cell it is shown; where no engine is installed, a text
    says what to do. `save("graph.svg")` writes a picture. `values` is the number of values in the
    graph, `left_out` the number of those that are not drawn. `simpler` makes the graph to show
    instead if the layout takes long, without numbers on the edges or with fewer values; it says
    what it leaves out.

    >>> graph = Graph(values=2)
    >>> graph.edge("a", "b")
    >>> graph
    Graph of 2 values
    """

    def __init__(
        self,
        *args: object,
        values: int = 0,
        left_out: int = 0,
        description: str = "",
        simpler: Callable[[], Graph] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.values, self.left_out = values, left_out
        self.description, self.simpler = description, simpler
        self._drawn = 0

    def write(self, lines: Iterable[str], simpler: Callable[[], Graph] | None = None) -> None:
        """Add lines of DOT text, and what to show instead if their layout takes long.

        >>> graph = Graph(values=2)
        >>> graph.write(["a -> b"])
        >>> graph.source.split()
        ['digraph', '{', 'a', '->', 'b', '}']
        """
        self.body += [f"\t{line}\n" for line in lines]
        self.simpler, self._drawn = simpler, len(self.body)

    def _copy_kwargs(self, **kwargs: object) -> dict[str, object]:
        return {
            **super()._copy_kwargs(**kwargs),
            "values": self.values,
            "left_out": self.left_out,
            "description": self.description,
            "simpler": self.simpler,
        }

    def __repr__(self) -> str:
        left_out = f", {self.left_out:,} of them not drawn" if self.left_out else ""
        return f"Graph of {self.values:,} value{'s' * (self.values != 1)}{left_out}"

    @property
    def alternative(self) -> str:
        """What to read instead of looking at the picture."""
        return f"{self!r}: {self.description}" if self.description else repr(self)

    def pipe(
        self,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = True,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> bytes | str:
        """Return the picture as bytes, or as a string if an encoding is given.

        The arguments are those of `graphviz.Digraph.pipe`; it is always quiet.

        Raises:
            ValueError: there is no such format.
            graphviz.ExecutableNotFound: there is no layout engine; a `RuntimeError`.
            RuntimeError: the engine failed.
        """
        options: dict[str, Any] = {
            "engine": engine or self.engine,
            "renderer": renderer or self.renderer,
            "formatter": formatter or self.formatter,
            "neato_no_op": neato_no_op,
        }
        format = format or self.format
        try:
            seconds = PATIENCE if self.simpler else MOST_SECONDS
            picture = lay_out(self.source, format, seconds=seconds, **options)
        except LayoutTimeout:
            if self.simpler is None:
                raise
            simpler = self.simpler()
            simpler.body += self.body[self._drawn :]  # what was added to the graph
            return simpler.pipe(format, encoding=encoding, **options)
        if format == "svg":
            picture = _add_description(picture, self.alternative)
        return picture if encoding is None else picture.decode(encoding)

    def save(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        skip_existing: bool | None = False,
    ) -> str:
        """Write a file in the format of its suffix, and return its path.

        A .svg, .png, .pdf or other picture is laid out; .dot and .gv are the DOT text. Folders are
        made; if the layout fails no file is.

        Raises:
            ValueError: the suffix is that of no format.
            RuntimeError: a picture needs a layout engine, and there is none or it failed.
            OSError: the file cannot be written, and is as it was.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Graph(values=2).save(f"{folder}/graph.dot")
        """
        path = self._path(directory, filename or self.filename)
        format = format_of(path, "a graph", FORMATS, rare=graphviz.FORMATS)
        if skip_existing and path.exists():
            return str(path)
        return self._write(path, format)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        *,
        outfile: str | os.PathLike[str] | None = None,
        quiet_view: bool = False,
        **options: object,
    ) -> str:
        """Write DOT text and the picture beside it, as graphviz does; return the picture's path.

        `render("g", format="png")` writes g and g.png; `render(outfile="g.png")` writes g.gv and
        g.png, where a `directory` is that of the text alone. `cleanup` leaves the DOT text out;
        `view` opens the picture. The other options are those of `pipe`. Shorter is `save`.

        Raises:
            ValueError: there is no such format.
            RuntimeError: there is no layout engine, or it failed; then nothing is written.
            OSError: a file cannot be written, and is as it was.
        """
        if outfile is None:
            text = self._path(directory, filename or self.filename)
            format = format or self.format
            picture = text.with_name(f"{text.name}.{format}")
        else:
            picture = self._path("." if directory else None, outfile)
            text = picture.with_suffix(".gv")
            if directory or filename:
                text = self._path(directory, filename or text)
            format = format or picture.suffix.removeprefix(".").lower() or self.format
        written = {picture: format}
        if not cleanup:
            written.setdefault(text, "gv")
        for path in written:
            require_writable(path)
        for path, format in written.items():
            self._write(path, format, **options)
        if view or quiet_view:
            graphviz.view(picture, quiet=quiet_view)
        return str(picture)

    def _path(
        self, directory: str | os.PathLike[str] | None, filename: str | os.PathLike[str]
    ) -> Path:
        directory = directory or self.directory
        require_paths(directory=directory, filename=filename)
        path = Path(directory, filename)
        if not path.name:
            raise ValueError(f"a graph needs the name of a file, got {str(filename)!r}")
        return path

    def _write(self, path: Path, format: str, **options: Any) -> str:
        def draw() -> bytes:
            if format in TEXT_FORMATS:
                return xml_text(self.source).encode()
            picture = self.pipe(format, **options)
            assert isinstance(picture, bytes)
            return picture

        return save_drawn(path, draw)

    def _repr_mimebundle_(
        self,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        **_: object,
    ) -> dict[str, Any]:
        """Return what a notebook shows: the picture, or why there is none. It never raises."""
        try:
            bundle: dict[str, Any] = super()._repr_mimebundle_(include, exclude)
        except (RuntimeError, ValueError) as error:
            return self._text_instead(str(error))
        if "image/svg+xml" in bundle and "text/html" not in (exclude or ()):
            bundle["text/html"] = image_by_theme(bundle["image/svg+xml"], self.alternative, "graph")
        return bundle

    def _text_instead(self, why: str) -> dict[str, str]:
        note = why[0].upper() + why[1:] + "."
        return {
            "text/plain": f"{note}\n\n{self.source}",
            "text/html": f"<p>{html.escape(note)}</p><details><summary>The graph as DOT text"
            f"</summary><pre>{html.escape(self.source)}</pre></details>",
        }


def _add_description(svg: bytes, words: str) -> bytes:
    """Return an SVG with a description in words, and no wider than a page."""
    said = html.escape(xml_text(words))
    head = f'<svg role="img" aria-label="{said}" style="{FIT}" '
    before, svg_begins, after = svg.partition(b"<svg ")
    attributes, ends, inside = after.partition(b">")
    if not (svg_begins and ends):
        return svg
    return before + head.encode() + attributes + f">\n<desc>{said}</desc>".encode() + inside
