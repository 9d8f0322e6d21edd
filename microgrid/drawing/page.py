"""Pages: each is one file of HTML, which asks for no other file, no network and no Python."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Protocol
from urllib.parse import quote

from .files import format_of, save_drawn
from .notebook import NotebookOutput, kernel_shell

__all__ = ["Page", "assemble", "style_of", "with_imports"]

STATIC = Path(__file__).parent / "static"
TEMPLATE, STYLE = STATIC / "page.html", STATIC / "page.css"
IMPORT = re.compile(r'^((?:import|export) .* from |import )"(\.{1,2}/[\w./-]+\.js)";$', re.M)
SHEET_IMPORT = re.compile(r'^@import "([\w./-]+\.css)";$', re.M)
# Of ASCII, a data URL needs "%" and "#" in other signs, and keeps no line feed or tab.
PLAIN = "".join(map(chr, range(32, 127))).replace("%", "").replace("#", "")
# What is left of an iframe where a notebook is not trusted; a browser that shows it hides this.
UNTRUSTED = "The page is shown where this notebook is trusted: run the cell again."
FRAME = '<iframe srcdoc="{}" title="{}" style="border: 0; width: 100%; height: 600px">{}</iframe>'


class Answers(Protocol):
    """A widget, which knows when a front end has loaded it."""

    def when_ready(self, show: Callable[[], None]) -> None:
        """Call a function once a front end has loaded the widget."""

    def view(self) -> tuple[Mapping[str, str], Mapping[str, object]]:
        """Return what a notebook's output says to show it, and what Colab asks for beside it."""


class Page:
    """What shows itself as a page: in a frame of a notebook, and in a file of its own.

    `title` is what the frame is called.

    >>> from microgrid import Value, explore
    >>> isinstance(explore(Value(2.0)), Page)
    True
    """

    title = "Page"

    def html(self) -> str:
        """Return the page, which is complete: it asks for no other file.

        >>> from microgrid import Value, explore
        >>> explore(Value(3.0) * 2.0).html().split()[0:2]
        ['<!doctype', 'html>']
        """
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page to a .html file, and return its path. Folders are made.

        Raises:
            ValueError: the suffix is another one.
            OSError: the file cannot be written, and is as it was.

        >>> import tempfile
        >>> from microgrid import Value, explore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = explore(Value(3.0) * 2.0).save(f"{folder}/backprop.html")
        """
        format_of(path, "a page", ["html", "htm"])
        return save_drawn(path, lambda: self.html().encode())

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return the page in a frame, which every notebook and every page made of one shows."""
        page = FRAME.format(html.escape(self.html()), self.title, UNTRUSTED)
        return {"text/plain": str(self), "text/html": page}

    @property
    def widget(self) -> Answers | None:
        """The Jupyter widget that shows the same, None where there is none."""
        return None

    def _ipython_display_(self) -> None:
        """Show the page, and the widget in its place as soon as a front end answers for it.

        If no front end answers, as when nbconvert runs a notebook, the page stays: it needs neither
        a kernel nor a network, and the widget would be blank.
        """
        if kernel_shell() is None or self.widget is None:
            raise NotImplementedError  # whereupon IPython asks for the bundle
        output, page = NotebookOutput(), self._repr_mimebundle_()
        output.show(page)
        view, metadata = self.widget.view()
        self.widget.when_ready(lambda: output.show({**view, **page}, metadata))


def assemble(title: str, main: Path, state: object) -> str:
    """Return a page of a JavaScript module, which calls its `page(element, state)`.

    Modules are written by hand and stay as they are. Those that `main` imports, by relative paths
    and each import in a line of its own, are in the page as data, by an import map; they run in
    Node.js as they are. Their files have different names. The page looks as `style_of` says. The
    state is anything that JSON can say.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     main = Path(folder, "main.js")
    ...     _ = main.write_text("export function page(element, state) {}")
    ...     assemble("A page", main, {"x": 1}).split()[:2]
    ['<!doctype', 'html>']
    """
    embedded = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    known = {main: "main"}
    modules = {
        f"microgrid/{name}": data_url(by_names(path), name)
        for path, name in imports_of(main, known)
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        style=style_of(main),
        imports=import_map(modules),
        state=embedded.replace("<", r"\u003c"),  # a label's </script> would end the script
        module=by_names(main),
    )


def import_map(modules: dict[str, str]) -> str:
    """Return the element that says what the names of modules stand for, or nothing."""
    if not modules:
        return ""
    text = json.dumps({"imports": modules}).replace("<", r"\u003c")
    return f'<script type="importmap">{text}</script>\n'


def imports_of(main: Path, known: dict[Path, str]) -> list[tuple[Path, str]]:
    """Return all modules that a module needs, with their names, and note them as known.

    Raises:
        ValueError: two of them have the same name.
    """
    found = []
    for _, target in IMPORT.findall(main.read_text(encoding="utf-8")):
        path = main.parent.joinpath(target).resolve()
        if path in known:
            continue
        if path.name in known.values():
            raise ValueError(f"the modules of a page need names of their own, got two {path.name}")
        known[path] = path.name
        found += [(path, path.name), *imports_of(path, known)]
    return found


def by_names(module: Path) -> str:
    """Return the text of a module that imports others by the names that the import map has."""
    return IMPORT.sub(
        lambda line: f'{line[1]}"microgrid/{Path(line[2]).name}";',
        module.read_text(encoding="utf-8"),
    )


def with_imports(module: Path) -> str:
    """Return the text of a module in which those that it imports are URLs that contain them.

    A notebook has no import map. A module that several others import is loaded once, as its URL is
    the same in each.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "one.js").write_text("export const one = 1;")
    ...     _ = Path(folder, "main.js").write_text('import { one } from "./one.js";')
    ...     with_imports(Path(folder, "main.js"))[:42]
    'import { one } from "data:text/javascript;'
    """

    def embed(line: re.Match[str]) -> str:
        path = module.parent.joinpath(line[2]).resolve()
        return f"{line[1]}{json.dumps(data_url(with_imports(path), path.name))};"

    return IMPORT.sub(embed, module.read_text(encoding="utf-8"))


def style_of(main: Path) -> str:
    """Return the style of the page of a module: that of all pages, then its own, if it has one.

    Its own is the sheet beside the module that has its name. What that imports, by relative paths
    and each import in a line of its own, is in its place.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "one.css").write_text("p { margin: 0; }")
    ...     _ = Path(folder, "main.css").write_text('@import "one.css";')
    ...     style_of(Path(folder, "main.js"))[-16:]
    'p { margin: 0; }'
    """
    own = main.with_suffix(".css")
    return with_sheets(STYLE) + (with_sheets(own) if own.exists() else "")


def with_sheets(sheet: Path) -> str:
    """Return the text of a style sheet in which those that it imports stand for their imports."""
    return SHEET_IMPORT.sub(
        lambda line: with_sheets(sheet.parent / line[1]), sheet.read_text(encoding="utf-8")
    )


def data_url(text: str, name: str) -> str:
    """Return a module's text as a URL that contains it."""
    return "data:text/javascript;charset=utf-8," + quote(
        f"{text}//# sourceURL={name}\n", safe=PLAIN
    )
