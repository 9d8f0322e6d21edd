"""The exploration as a Jupyter widget: Python recomputes what is edited in the notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import anywidget
import traitlets

from ..page import style_of, with_imports

__all__ = ["PageWidget", "Widget"]

STATIC = Path(__file__).parent / "static"


class PageWidget(anywidget.AnyWidget):
    """A widget that knows when a front end has loaded it, and hears what that sends.

    It is shown by a module, as a page is, and looks like its page.
    """

    module: ClassVar[Path]

    def __init_subclass__(cls) -> None:
        if "module" in vars(cls):  # traits that are added later make another subclass, without it
            cls._esm, cls._css = with_imports(cls.module), style_of(cls.module)
        super().__init_subclass__()

    def __init__(self, **state: object) -> None:
        super().__init__(**state)
        self._is_ready, self._waiting = False, list[Callable[[], None]]()
        self.on_msg(self._answer)

    def hear(self, message: dict[str, Any]) -> None:
        """Act on what the page sends."""
        raise NotImplementedError

    def when_ready(self, show: Callable[[], None]) -> None:
        """Call a function once a front end has loaded the widget."""
        if self._is_ready:
            show()
        else:
            self._waiting.append(show)

    def _answer(self, _: object, message: dict[str, Any], __: object) -> None:
        if "ready" not in message:
            self.hear(message)
            return
        self._is_ready = True
        while self._waiting:
            self._waiting.pop()()

    def view(self) -> tuple[dict[str, str], dict[str, object]]:
        """Return what a notebook's output says to show it, and what Colab asks for beside it."""
        return self._repr_mimebundle_() or ({}, {})


class Explored(Protocol):
    """What a widget shows: an exploration, whose leaves can be changed."""

    @property
    def graph(self) -> dict[str, object]:
        """All that the page shows but the numbers."""

    def numbers(self) -> list[float | str | None]:
        """Return the numbers of the steps."""

    def change(self, leaf: int, text: str) -> None:
        """Set a leaf, by its place, to the number that a text says."""

    def descend(self, rate: str) -> None:
        """Move each leaf by a rate times its gradient."""

    @property
    def before(self) -> list[float | str | None] | None:
        """The numbers to compare with, None if there are none."""


class Widget(PageWidget):
    """A view of an exploration: explore.js shows it, and sends what is typed into a leaf here.

    >>> from microgrid import Value, explore
    >>> exploration = explore(Value(2.0).exp())
    >>> Widget(exploration).numbers[0]
    2.0
    """

    module = STATIC / "explore.js"
    graph: traitlets.Dict[str, object] = traitlets.Dict().tag(sync=True)
    numbers: traitlets.List[float | str | None] = traitlets.List().tag(sync=True)
    before: traitlets.List[float | str | None] | None = traitlets.List(allow_none=True).tag(
        sync=True
    )
    step = traitlets.Int().tag(sync=True)

    def __init__(self, exploration: Explored) -> None:
        super().__init__(
            graph=exploration.graph, numbers=exploration.numbers(), before=exploration.before
        )
        self._exploration = exploration

    def hear(self, message: dict[str, Any]) -> None:
        """Change the leaf that was edited, or all of them by a rate, or say why that cannot be."""
        try:
            if "rate" in message:
                self._exploration.descend(message["rate"])
            else:
                self._exploration.change(message["leaf"], message["text"])
        except (ArithmeticError, ValueError) as error:
            self.send({"error": str(error)})
        else:
            self.numbers = self._exploration.numbers()
