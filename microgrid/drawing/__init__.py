"""Pictures: the graph of a computation, why a gradient is so, and how a training went.

Each name is loaded when first touched: drawing a graph does not wait for matplotlib, nor needs it.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .boundary import plot_decision_boundary
    from .curves import plot_history
    from .diagram import draw, draw_dot
    from .explanation import Explanation, explain
    from .exploration import Exploration, explore
    from .formulas import Formula, formula
    from .graph import Graph
    from .picture import Picture

__all__ = [
    "Explanation",
    "Exploration",
    "Formula",
    "Graph",
    "Picture",
    "draw",
    "draw_dot",
    "explain",
    "explore",
    "formula",
    "plot_decision_boundary",
    "plot_history",
]

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(["draw", "draw_dot"], "diagram"),
        **dict.fromkeys(["Explanation", "explain"], "explanation"),
        **dict.fromkeys(["Exploration", "explore"], "exploration"),
        **dict.fromkeys(["Formula", "formula"], "formulas"),
        "Graph": "graph",
        "Picture": "picture",
        "plot_decision_boundary": "boundary",
        "plot_history": "curves",
    },
    {
        "graphviz": "graphviz",
        **dict.fromkeys(["matplotlib", "numpy"], "'microgrid-autodiff[train]'"),
    },
)


def __dir__() -> list[str]:
    return __all__
