"""The compiler: scalar code, and any derivative of it, at the speed of the machine.

A function is traced into a `Program` (`trace`, `program`), which is made smaller (`passes`),
put in order, with the loops that it was written with (`loops`), and lowered (`lowering`) to C (`c`)
or to a kernel in machine code (`ir`, `native`), which is called with numbers or arrays (`calls`).
`fit` trains with it (`training`).
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from .calls.compiled import Compiled as Compiled
    from .calls.compiled import compile as compile
    from .lowering import lowers as lowers
    from .program import Program as Program

__all__ = ["Compiled", "Program", "compile", "lowers"]

__getattr__ = lazy(
    __name__,
    {
        **dict.fromkeys(["Compiled", "compile"], "calls.compiled"),
        "lowers": "lowering",
        "Program": "program",
    },
    dict.fromkeys(["llvmlite", "numpy"], "'microgrid-autodiff[compile]'"),
)


def __dir__() -> list[str]:
    return __all__
