"""Proof that gradients are right: checks, strategies for Hypothesis, and the laws of an engine.

Each name is loaded when first touched: checking a gradient does not need Hypothesis.
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from . import conformance as conformance
    from . import exercises as exercises
    from . import strategies as strategies
    from .gradients.checking import GradientReport as GradientReport
    from .gradients.checking import check_gradients as check_gradients
    from .lessons import check as check

__all__ = ["GradientReport", "check", "check_gradients", "conformance", "exercises", "strategies"]

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(["GradientReport", "check_gradients"], "gradients.checking"),
        "check": "lessons",
        "conformance": "conformance",
        "exercises": "exercises",
        "strategies": "strategies",
    },
    {"hypothesis": "'microgrid-autodiff[test]'"},
)


def __dir__() -> list[str]:
    return __all__
