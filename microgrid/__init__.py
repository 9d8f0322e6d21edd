"""microgrid: a scalar reverse-mode automatic-differentiation engine.

A `Value` remembers how it was computed; `backward()` leaves every gradient where it belongs.

>>> from microgrid import Value, tanh
>>> a, b = Value(2.0), Value(-3.0)
>>> loss = tanh(a * b + 6.5)
>>> loss.backward()
>>> round(a.grad, 4), round(b.grad, 4)
(-2.3593, 1.5729)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import copying as copying  # teaches copy and pickle about graphs
from . import engine, functional
from .engine import *  # noqa: F403  (what its __all__ names)
from .functional import *  # noqa: F403

if TYPE_CHECKING:
    from . import datasets, drawing, losses, nn, optim, schedules, training
    from .drawing import draw, draw_dot
    from .nn import MLP, Layer, Module, Neuron
    from .training import History, fit

_LAZY = {  # name -> the module that it is in, or is
    **dict.fromkeys(["draw", "draw_dot"], "drawing"),
    **dict.fromkeys(["MLP", "Layer", "Module", "Neuron"], "nn"),
    **dict.fromkeys(["History", "fit"], "training"),
    **{name: name for name in ["datasets", "drawing", "losses", "nn", "optim", "schedules"]},
    "training": "training",
}
__all__ = [*engine.__all__, *functional.__all__, *_LAZY]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LAZY[name]}", __name__)
    return module if name == _LAZY[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
