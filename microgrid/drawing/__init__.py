"""Pictures: the graph of a computation, why a gradient is so, how a training goes, a network.

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
    from .live import LivePlot
    from .movie import BoundaryMovie
    from .network import plot_network
    from .picture import Picture

__all__ = [
    "BoundaryMovie",
    "Explanation",
    "Exploration",
    "Formula",
    "Graph",
    "LivePlot",
    "Picture",
    "draw",
    "draw_dot",
    "explain",
    "explore",
    "formula",
    "plot_decision_boundary",
    "plot_history",
    "plot_network",
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
        "BoundaryMovie": "movie",
        "LivePlot": "live",
        "plot_decision_boundary": "boundary",
        "plot_history": "curves",
        "plot_network": "network",
    },
    {
        "graphviz": "graphviz",
        **dict.fromkeys(["PIL", "matplotlib", "numpy"], "'microgrid-autodiff[train]'"),
    },
)


def __dir__() -> list[str]:
    return __all__
