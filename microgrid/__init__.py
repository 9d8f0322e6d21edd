"""microgrid: a scalar reverse-mode automatic-differentiation engine.

A `Value` remembers how it was computed; `backward()` stores every derivative in `.grad`.

>>> from microgrid import Value, tanh
>>> a, b = Value(2.0), Value(-3.0)
>>> loss = tanh(a * b + 6.5)
>>> loss.backward()
>>> round(a.grad, 4), round(b.grad, 4)
(-2.3593, 1.5729)
"""

import builtins
from typing import TYPE_CHECKING, Any

from . import engine, functional, special
from .core.array_rules import (
    ArrayRules,
    BlockRules,
    provide_array_rules,
    provide_block_rules,
)
from .engine import *  # noqa: F403  (what its __all__ names)
from .functional import *  # noqa: F403
from .guards import mistakes
from .guards.lazy import lazy
from .guards.mistakes import *  # noqa: F403
from .special import *  # noqa: F403

if TYPE_CHECKING:
    from . import anomaly as anomaly
    from . import arrays as arrays
    from . import calculus as calculus
    from . import callbacks as callbacks
    from . import compiler as compiler
    from . import datasets as datasets
    from . import drawing as drawing
    from . import implicit as implicit
    from . import linalg as linalg
    from . import loops as loops
    from . import losses as losses
    from . import metrics as metrics
    from . import nn as nn
    from . import optim as optim
    from . import schedules as schedules
    from . import testing as testing
    from . import training as training
    from .anomaly import detect_anomaly as detect_anomaly
    from .calculus import *  # noqa: F403
    from .compiler import compile as compile
    from .drawing import draw as draw
    from .drawing import draw_dot as draw_dot
    from .drawing import explain as explain
    from .drawing import explore as explore
    from .drawing import formula as formula
    from .history import History as History
    from .implicit import *  # noqa: F403
    from .loops import *  # noqa: F403
    from .metrics import accuracy as accuracy
    from .nn import *  # noqa: F403
    from .training import *  # noqa: F403

    __version__: str

_LAZY = {  # name -> the module that it is in, or is
    name: module
    for module, names in {
        "anomaly": "detect_anomaly",
        "arrays": "",
        "compiler": "compile",
        "callbacks": "",
        "calculus": "grad gradients hessian hvp jacobian jvp taylor value_and_grad vjp",
        "datasets": "",
        "drawing": "draw draw_dot explain explore formula",
        "history": "History",
        "loops": "repeat scan",
        "implicit": "minimum_of root",
        "linalg": "",
        "losses": "",
        "metrics": "accuracy",
        "nn": "Layer MLP Module Neuron",
        "optim": "",
        "schedules": "",
        "testing": "",
        "training": "fit",
    }.items()
    for name in [module, *names.split()]
}
# `from microgrid import *` leaves Python's own max, min, sum and compile in their places.
__all__ = [*engine.__all__, *mistakes.__all__] + [
    name for name in (*functional.__all__, *special.__all__, *_LAZY) if not hasattr(builtins, name)
]

_lazily = lazy(__name__, _LAZY)


def _array_rules() -> ArrayRules:
    from .arrays import tables

    return tables


def _block_rules() -> BlockRules:
    from .interop import dask

    return dask


provide_array_rules(_array_rules)
provide_block_rules(_block_rules)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # which takes as long to load as all else here
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("microgrid-autodiff")
        except PackageNotFoundError:
            raise AttributeError("microgrid has a __version__ where it is installed") from None
    return _lazily(name)


def __dir__() -> list[str]:
    return [
        *engine.__all__, *functional.__all__, *special.__all__, *mistakes.__all__, *_LAZY
    ]  # fmt: skip
