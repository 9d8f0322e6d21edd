"""The compiler: scalar code, and any derivative of it, at the speed of the machine.

A function is traced into a `Program` (`trace`, `program`), which is made smaller (`passes`),
lowered (`lowering`, `schedule`) to LLVM IR or to C (`llvm`, `c`), and called with numbers or arrays
(`kernel`, `compiled`). `fit` trains by it (`fitting`, `training`).
"""

from .compiled import Compiled as Compiled
from .compiled import compile as compile
from .lowering import lowers as lowers
from .program import Program as Program

__all__ = ["Compiled", "Program", "compile", "lowers"]
