"""Pictures: the graph of a computation, and how a training went.

Each name is loaded when first touched: drawing a graph does not wait for matplotlib, nor needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .diagram import draw, draw_dot
    from .graph import Graph
    from .picture import Picture
    from .training import plot_decision_boundary, plot_history

__all__ = ["Graph", "Picture", "draw", "draw_dot", "plot_decision_boundary", "plot_history"]

_FILES = {  # name -> the file that it is in
    **dict.fromkeys(["draw", "draw_dot"], "diagram"),
    "Graph": "graph",
    "Picture": "picture",
    **dict.fromkeys(["plot_decision_boundary", "plot_history"], "training"),
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_FILES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("graphviz", "matplotlib", "numpy"):
            raise
        package = "graphviz" if missing == "graphviz" else "'microgrid-autodiff[train]'"
        raise ImportError(
            f"{name} needs {missing}, which is not installed: pip install {package}"
        ) from error


def __dir__() -> list[str]:
    return __all__
