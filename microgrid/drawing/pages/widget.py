"""The playground as a Jupyter widget, which gives the weights back to Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import traitlets

from ..stepper.widget import PageWidget

__all__ = ["PlaygroundWidget"]

STATIC = Path(__file__).parent / "static"


class PlaygroundWidget(PageWidget):
    """A view of a playground: playground.js trains, and sends the weights here when it is asked to.

    >>> from microgrid.drawing import playground
    >>> PlaygroundWidget(playground().state, print).state["sizes"]
    [2, 8, 8, 1]
    """

    module = STATIC / "playground.js"
    state: traitlets.Dict[str, object] = traitlets.Dict().tag(sync=True)

    def __init__(
        self, state: Mapping[str, object], take: Callable[[Mapping[str, object]], object]
    ) -> None:
        super().__init__(state=dict(state))
        self._take = take

    def hear(self, message: dict[str, object]) -> None:
        """Take the weights that the page gives, and let it say so."""
        self._take(message)
        self.send({"text": "Python has the weights: state_dict(), load_into(model), to_model()"})
