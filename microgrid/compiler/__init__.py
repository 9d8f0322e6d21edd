"""The compiler: scalar code, and any derivative of it, at the speed of the machine.

A function is traced into a `Program` (`trace`, `program`), which is made smaller (`passes`),
lowered (`lowering`, `schedule`) to LLVM IR or to C (`llvm`, `c`), and called with numbers or arrays
(`machine`, `kernel`, `arguments`, `compiled`). `fit` trains by it (`fitting`, `steps`).
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from .compiled import Compiled as Compiled
    from .compiled import compile as compile
    from .lowering import lowers as lowers
    from .program import Program as Program

__all__ = ["Compiled", "Program", "compile", "lowers"]

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(["Compiled", "compile"], "compiled"),
        "lowers": "lowering",
        "Program": "program",
    },
    dict.fromkeys(["llvmlite", "numpy"], "'microgrid-autodiff[compile]'"),
)


def __dir__() -> list[str]:
    return __all__
