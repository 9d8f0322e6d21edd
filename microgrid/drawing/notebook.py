"""What a notebook shows: an output that changes in place."""

from __future__ import annotations

import html
import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

__all__ = ["FIT", "NotebookOutput", "image_by_theme", "kernel_shell"]

FIT = "max-width: 100%; height: auto"
# On a dark ground a picture is light where it was dark, with colours of about the same hue; so what
# stands out from its ground does so on either. The ground is the picture's own, as a front end may
# say the wrong thing about its theme, or nothing.
DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    "svg { background: #1a1a1a } svg > g { filter: invert(0.9) hue-rotate(180deg) }"
    "}</style>"
)
# Front ends that do not tell a page by color-scheme what their theme is, but by an attribute.
HOSTS = {
    "light": ('[data-jp-theme-light="true"]', ".vscode-light", '[data-theme="light"]'),
    "dark": ('[data-jp-theme-light="false"]', ".vscode-dark", '[data-theme="dark"]'),
}
SCHEMES = "".join(
    f"body:is({', '.join(hosts)}) .microgrid-picture {{ color-scheme: {scheme} }}"
    for scheme, hosts in HOSTS.items()
)


class NotebookOutput:
    """An output of a notebook that is changed in place."""

    def __init__(self) -> None:
        self.id = uuid4().hex
        self.is_there = False

    def show(
        self, data: Mapping[str, str | bytes], metadata: Mapping[str, object] | None = None
    ) -> None:
        """Show data by MIME type, instead of what was shown before."""
        publish = kernel_shell().display_pub.publish
        publish(data, metadata, transient={"display_id": self.id}, update=self.is_there)
        self.is_there = True


def image_by_theme(svg: str, alternative: str, kind: str = "plot") -> str:
    """Return HTML that shows an SVG as wide as there is room, light or dark as the notebook is.

    >>> image_by_theme("<svg><g/></svg>", "a picture")[:60]
    '<style>body:is([data-jp-theme-light="true"], .vscode-light, '
    """
    start = svg.index(">", svg.index("<svg")) + 1
    source = b64encode(f"{svg[:start]}{DARK}{svg[start:]}".encode()).decode()
    return (
        f'<style>{SCHEMES}</style><img class="microgrid-picture microgrid-{kind}" '
        f'src="data:image/svg+xml;base64,{source}" alt="{html.escape(alternative)}" style="{FIT}">'
    )


def kernel_shell() -> Any:
    """Return IPython's shell if a notebook's kernel runs it, else None, as in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None
