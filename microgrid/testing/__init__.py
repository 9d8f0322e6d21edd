"""Proof that gradients are right: checks, strategies for Hypothesis, and the laws of an engine.

Each name is loaded when first touched: checking a gradient does not need Hypothesis.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import conformance as conformance
    from . import strategies as strategies
    from .checking import GradientReport as GradientReport
    from .checking import check_gradients as check_gradients

__all__ = ["GradientReport", "check_gradients", "conformance", "strategies"]

_FILES = {  # name -> the module that it is in, or is
    **dict.fromkeys(["GradientReport", "check_gradients"], "checking"),
    "conformance": "conformance",
    "strategies": "strategies",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f".{_FILES[name]}", __name__)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ImportError(
            f"{name} needs hypothesis, which is not installed: "
            "pip install 'microgrid-autodiff[test]'"
        ) from error
    return module if name == _FILES[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
