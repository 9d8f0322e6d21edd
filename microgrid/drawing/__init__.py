"""Pictures of a computation, of the paths behind a gradient, of a training and of a network.

Each name is loaded when first touched: drawing a graph does not wait for matplotlib, nor needs it.
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from ..derivatives.foreign import as_values
    from .formulas.formula import Formula, formula
    from .graphs.diagram import draw, draw_dot
    from .graphs.digraph import Graph
    from .layout import Engine
    from .page import Page
    from .pages.formula_page import FormulaPage, formula_page
    from .pages.playground import Playground, playground
    from .paths.explanation import Explanation, explain
    from .picture import Picture
    from .stepper.exploration import Exploration, explore
    from .training.boundary import plot_decision_boundary
    from .training.confusion import plot_confusion_matrix
    from .training.curves import plot_history
    from .training.images import plot_images
    from .training.live import LivePlot
    from .training.movie import BoundaryMovie
    from .training.network import plot_network

    engine: Engine

__all__ = [
    "BoundaryMovie",
    "Explanation",
    "Exploration",
    "Formula",
    "FormulaPage",
    "Graph",
    "LivePlot",
    "Page",
    "Picture",
    "Playground",
    "as_values",
    "draw",
    "draw_dot",
    "engine",
    "explain",
    "explore",
    "formula",
    "formula_page",
    "playground",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_history",
    "plot_images",
    "plot_network",
]

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(["draw", "draw_dot"], "graphs.diagram"),
        **dict.fromkeys(["Explanation", "explain"], "paths.explanation"),
        **dict.fromkeys(["Exploration", "explore"], "stepper.exploration"),
        **dict.fromkeys(["Formula", "formula"], "formulas.formula"),
        "engine": "layout",
        "as_values": ".derivatives.foreign",
        "Graph": "graphs.digraph",
        "Page": "page",
        **dict.fromkeys(["FormulaPage", "formula_page"], "pages.formula_page"),
        **dict.fromkeys(["Playground", "playground"], "pages.playground"),
        "Picture": "picture",
        "BoundaryMovie": "training.movie",
        "LivePlot": "training.live",
        "plot_confusion_matrix": "training.confusion",
        "plot_decision_boundary": "training.boundary",
        "plot_history": "training.curves",
        "plot_images": "training.images",
        "plot_network": "training.network",
    },
    {
        "graphviz": "graphviz",
        **dict.fromkeys(["PIL", "matplotlib", "numpy"], "'microgrid-autodiff[train]'"),
    },
)


def __dir__() -> list[str]:
    return __all__
