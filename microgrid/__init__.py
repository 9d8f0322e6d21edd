"""microgrid: a scalar reverse-mode automatic-differentiation engine.

A `Value` remembers how it was computed; `backward()` leaves every gradient where it belongs.

>>> from microgrid import Value, tanh
>>> a, b = Value(2.0), Value(-3.0)
>>> loss = tanh(a * b + 6.5)
>>> loss.backward()
>>> round(a.grad, 4), round(b.grad, 4)
(-2.3593, 1.5729)
"""

import builtins
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import copying as copying  # teaches copy and pickle about graphs
from . import engine, functional
from .engine import *  # noqa: F403  (what its __all__ names)
from .functional import *  # noqa: F403

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import drawing as drawing
    from . import losses as losses
    from . import metrics as metrics
    from . import nn as nn
    from . import optim as optim
    from . import schedules as schedules
    from . import training as training
    from .drawing import draw as draw
    from .drawing import draw_dot as draw_dot
    from .history import History as History
    from .metrics import accuracy as accuracy
    from .nn import *  # noqa: F403
    from .training import *  # noqa: F403

_LAZY = {  # name -> the module that it is in, or is
    **dict.fromkeys(["draw", "draw_dot"], "drawing"),
    **dict.fromkeys(["MLP", "Layer", "Module", "Neuron"], "nn"),
    "History": "history",
    "accuracy": "metrics",
    "fit": "training",
    **{
        name: name
        for name in ["datasets", "drawing", "losses", "metrics", "nn", "optim", "schedules"]
    },
    "training": "training",
}
# `from microgrid import *` leaves Python's own max, min and sum in their places.
_FUNCTIONS = [name for name in functional.__all__ if not hasattr(builtins, name)]
__all__ = [*engine.__all__, *_FUNCTIONS, *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LAZY[name]}", __name__)
    return module if name == _LAZY[name] else getattr(module, name)


def __dir__() -> list[str]:
    return [*engine.__all__, *functional.__all__, *_LAZY]
