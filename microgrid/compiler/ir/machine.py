"""The processor and its C library: how wide a vector is, which vector functions there are.

All questions to llvmlite are asked here.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache, wraps
from typing import TypeVar

import llvmlite.binding as llvm

from ...guards.interrupts import uninterrupted
from ...guards.locks import compiling
from ..lowering import FUNCTIONS

__all__ = ["Code", "Machine", "require", "this_machine"]


Answer = TypeVar("Answer")


def _ask_once(question: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return a function that asks llvmlite a question, and remembers the answer.

    One thread asks at a time, and is not interrupted: llvmlite would leave its own lock held, or
    free memory twice.
    """

    @cache
    @wraps(question)
    def ask(*arguments: Hashable) -> Answer:
        with compiling, uninterrupted():
            return question(*arguments)

    return ask


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
        isa = _ISAS.get((_triple().partition("-")[0], self.width))
        if not self.vector_library or isa is None or function == "fmod":
            return None
        name = f"_ZGV{isa}N{self.width}{'v' * FUNCTIONS[function]}_{function}"
        return name if _is_there(name) else None

    @property
    def fuses(self) -> bool:
        """Whether one instruction adds to a product, and rounds once."""
        is_arm = _triple().startswith(("aarch64", "arm64"))
        return is_arm or self.width > 2 or "+fma" in self.features.split(",")

    @property
    def registers(self) -> int:
        """How many vectors the processor has at hand."""
        return 32 if _triple().startswith(("aarch64", "arm64")) or self.width > 4 else 16

    def convention(self) -> str:
        """Return the calling convention of vector functions, as LLVM writes it."""
        return "aarch64_vector_pcs " if _triple().startswith("aarch64") else ""


_ISAS = {
    ("x86_64", 8): "e",
    ("x86_64", 4): "d",
    ("x86_64", 2): "b",
    ("aarch64", 2): "n",
    ("arm64", 2): "n",
}


@_ask_once
def _triple() -> str:
    """Return what LLVM calls this processor, its vendor and its system."""
    triple: str = llvm.get_default_triple()
    return triple


@_ask_once
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


# LLVM closes its libraries as the process ends, while a thread may still be inside one.
_HELD: list[ctypes.CDLL] = []

# What objects.ll calls of Python's stable interface, which not every system finds by itself.
_OF_PYTHON = (
    *("PyBool_FromLong", "PyEval_RestoreThread", "PyEval_SaveThread", "PyFloat_FromDouble"),
    *("PyLong_AsSsize_t", "PyLong_AsVoidPtr", "PyTuple_GetItem", "PyTuple_New", "PyTuple_SetItem"),
    "Py_IncRef",
)


@_ask_once
def _target() -> llvm.Target:
    return llvm.Target.from_triple(_triple())


@_ask_once
def _set_up() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for function in _OF_PYTHON:
        llvm.add_symbol(function, ctypes.cast(ctypes.pythonapi[function], ctypes.c_void_p).value)
    for name in _libraries():
        try:
            llvm.load_library_permanently(name)
            _HELD.append(ctypes.CDLL(name))
        except (OSError, RuntimeError):
            continue  # not on this system: its functions are looked for one by one


def _libraries() -> Iterator[str]:
    """Yield the names of the libraries of mathematical functions that may be on this system."""
    if sys.platform == "linux":
        yield from ("libmvec.so.1", "libm.so.6")
    if not _HELD:  # glibc is not here
        from ctypes.util import find_library  # runs other programs, for 10 ms

        if name := find_library("m"):
            yield name


@_ask_once
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


_abandoned: deque[llvm.ExecutionEngine] = deque()  # engines of code that is gone, to be closed


class Code:
    """Machine code in memory, for as long as this lives.

    Args:
        ir: the IR of its functions.
        machine: what to make code for.
        effort: LLVM's level of optimisation: at 1 and above, values stay in registers from block to
            block, which takes LLVM four times as long as 0.
    """

    def __init__(self, ir: str, machine: Machine, effort: int = 1) -> None:
        with compiling, uninterrupted():
            _set_up()
            while _abandoned:
                _abandoned.popleft().close()
            module = llvm.parse_assembly(ir, llvm.create_context())
            target = _target().create_target_machine(
                cpu=machine.name, features=machine.features, opt=effort, jit=True
            )
            self._engine = llvm.create_mcjit_compiler(module, target)
            self._engine.finalize_object()
            # Were the engine freed by Python's collector, with whatever cycle this is in, it might
            # be freed after its context, and crash; were it closed there, in whatever thread and
            # at whatever line that is, an interrupt would be lost, or LLVM's lock be waited for.
            finalizer = weakref.finalize(self, _abandoned.append, self._engine)
            finalizer.atexit = False  # a thread may still run the code then

    def function(
        self, name: str, *parameters: type[ctypes.c_int64] | type[ctypes.c_void_p]
    ) -> Callable[..., None]:
        """Return a function of the code, which it must not outlive; a call releases the GIL."""
        return ctypes.CFUNCTYPE(None, *parameters)(self.address(name))

    def address(self, name: str) -> int:
        """Return where a function begins."""
        with compiling, uninterrupted():
            address: int = self._engine.get_function_address(name)
        return address
