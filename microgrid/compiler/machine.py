"""The processor and its C library: how wide a vector is, which vector functions there are.

Everything that llvmlite is asked for is asked here.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from .lowering import FUNCTIONS

__all__ = ["Code", "Machine", "require", "this_machine"]


@dataclass(frozen=True)
class Machine:
    """A kind of processor: what code is made for.

    Args:
        name: what LLVM calls the processor.
        features: what it can do, in LLVM's notation; "" for all that the name implies.
        width: the number of doubles in a vector.
        vector_library: whether glibc's libmvec may be called.
    """

    name: str
    features: str
    width: int
    vector_library: bool = True

    def vector_name(self, function: str) -> str | None:
        """Return the name of a vector version of a C function, None if there is none.

        The names are those of the vector function ABI: `_ZGVeN8v_exp` is exp of 8 doubles.
        """
        isa = _ISAS.get((llvm.get_default_triple().partition("-")[0], self.width))
        if not self.vector_library or isa is None or function == "fmod":
            return None
        name = f"_ZGV{isa}N{self.width}{'v' * FUNCTIONS[function]}_{function}"
        return name if _is_there(name) else None

    def convention(self) -> str:
        """Return the calling convention of vector functions, as LLVM writes it."""
        return "aarch64_vector_pcs " if llvm.get_default_triple().startswith("aarch64") else ""


_ISAS = {
    ("x86_64", 8): "e",
    ("x86_64", 4): "d",
    ("x86_64", 2): "b",
    ("aarch64", 2): "n",
    ("arm64", 2): "n",
}


@cache
def this_machine() -> Machine:
    """Return the processor that this runs on."""
    _set_up()
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512dq"):
        width = 8
    elif features.get("avx2") and features.get("fma"):
        width = 4
    else:
        width = 2
    return Machine(llvm.get_host_cpu_name(), features.flatten(), width)


# LLVM closes its libraries as the process ends, while a thread may still be inside of one.
_HELD: list[ctypes.CDLL] = []


@cache
def _set_up() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    names = ["libmvec.so.1", "libm.so.6"] if sys.platform == "linux" else []
    for name in [*names, ctypes.util.find_library("m")]:
        try:
            llvm.load_library_permanently(name)
            _HELD.append(ctypes.CDLL(name))
        except (OSError, RuntimeError, TypeError):
            continue  # not on this system: its functions are looked for one by one


@cache
def _is_there(name: str) -> bool:
    _set_up()
    return llvm.address_of_symbol(name) is not None


def require(function: str, primitive: str) -> None:
    """Raise `NotImplementedError` unless the C library has a function, which a primitive calls."""
    if not _is_there(function):
        raise NotImplementedError(
            f"this system's C library has no {function}, so the primitive {primitive!r} cannot be "
            "compiled here"
        )


class Code:
    """Machine code in memory, for as long as this lives."""

    def __init__(self, ir: str, machine: Machine) -> None:
        _set_up()
        module = llvm.parse_assembly(ir, llvm.create_context())
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=machine.name, features=machine.features, opt=1, jit=True
        )
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()
        # Were the engine freed by Python's collector, with whatever cycle this is in, it might be
        # freed after its context, and crash.
        finalizer = weakref.finalize(self, self._engine.close)
        finalizer.atexit = False  # a thread may still run the code then

    def function(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        """Return a function of the code, of the given ctypes; a call releases the GIL."""
        function = ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
        function.code = self  # type: ignore[attr-defined]  # it must not outlive its code
        return function

    def address(self, name: str) -> int:
        """Return where a function begins."""
        address: int = self._engine.get_function_address(name)
        return address
