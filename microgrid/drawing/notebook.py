"""What a notebook shows: an output that changes in place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

__all__ = ["NotebookOutput", "kernel_shell"]


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


def kernel_shell() -> Any:
    """Return IPython's shell if a notebook's kernel runs it, else None, as in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None
