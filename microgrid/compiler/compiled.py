"""The compiled callable: a function that behaves as a NumPy ufunc does, from one of scalars.

It is traced when it is first called with arguments of a structure, and lowered to a kernel.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import update_wrapper
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from ..trees import like
from .arguments import Arguments, as_column, parameter_names
from .c import c_source
from .kernel import NativeKernel
from .passes import optimized
from .program import Program
from .trace import trace

__all__ = ["Compiled", "compile"]

REDUCTIONS = (None, "sum", "mean")
MOST_KERNELS = 64  # of one function: for arguments of so many structures

Function = Callable[..., Any]


def compile(
    f: Function, *, shared: int | str | Iterable[int | str] = (), reduce: str | None = None
) -> Compiled:
    """Return a function that computes what f does, by a native kernel: with the extra `compile`.

    f takes numbers, and lists, tuples, dicts and models of them, and returns such; derivatives and
    Taylor series of it compile as well. It is run once for each structure of arguments, on numbers
    that are not known yet: it must not branch on them (write `where`), nor read them.

    The compiled function takes an array in the place of every number. Arrays broadcast, and arrays
    come out: f is computed for each row. In the kernel a number behaves as a NumPy double does:
    log(0) is -inf, where Python raises.

    Args:
        f: a function of numbers, or a `Program`.
        shared: the arguments, by position or name, that are the same for all rows, as a model's
            parameters are. An array in them is no column, but an array of numbers.
        reduce: "sum" or "mean" to add up every result over the rows, always in the same order.

    Raises:
        ImportError: NumPy or llvmlite is not installed.
        TypeError: f is no function, or `shared` names no arguments.
        ValueError: `reduce` is something else.

    Raises, when called:
        TypeError: f branches on a number or reads it, a primitive has no lowering, or an argument
            is not of real numbers.
        ValueError: columns are of shapes that do not broadcast.

    >>> import microgrid, numpy as np
    >>> f = microgrid.compile(lambda x, y: microgrid.log(x) * y)
    >>> f(1.0, 2.0), f(np.array([0.0, 1.0]), 2.0)
    (0.0, array([-inf,   0.]))
    >>> squared_error = lambda w, x, y: (w[0] * x + w[1] - y) ** 2
    >>> g = microgrid.compile(microgrid.value_and_grad(squared_error), shared="w", reduce="mean")
    >>> g([1.0, 0.0], np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    (0.5, [-1.0, -1.0])
    """
    if not callable(f):
        raise TypeError(f"compile needs a function, got {f!r} ({type(f).__name__})")
    if reduce not in REDUCTIONS:
        raise ValueError(f'`reduce` must be "sum", "mean" or None, got {reduce!r}')
    named: list[Any] = [shared] if isinstance(shared, (int, str)) else list(shared)
    for place in named:
        if not isinstance(place, (Integral, str)) or isinstance(place, bool):
            raise TypeError(f"`shared` must be positions or names of arguments, got {shared!r}")
    return Compiled(f, frozenset(named), reduce)


class _Entry(NamedTuple):
    """What was made for arguments of one structure."""

    program: Program
    shared: tuple[int, ...]  # the inputs that are shared
    template: Any  # what f returned, with the position of an output in the place of each number
    kernel: NativeKernel


class Compiled:
    """A compiled function, as `compile` returns it: call it as the function itself.

    `program` is the listing of what it computes, `source("c")` and `source("llvm")` are the code.
    Calls from many threads run side by side. It can be pickled; where its function cannot, the
    programs that it has are.
    """

    def __init__(self, f: Function, shared: frozenset[Any], reduce: str | None) -> None:
        self.function: Function | None = f
        self.shared, self.reduce = shared, reduce
        self.parameters = list(f.inputs) if isinstance(f, Program) else parameter_names(f)
        self._entries: dict[Any, _Entry] = {}
        self._latest: _Entry | None = None
        self._columns: dict[int, bool] = {}  # position -> whether a list in it is a column
        self._fast: Any = None
        update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function does, of numbers or for each row of arrays."""
        if self._fast and not kwargs and len(args) == self._fast[0]:
            # plain floats in and one out, the commonest small call, without any detour
            for x in args:
                if type(x) is not float:
                    break
            else:
                count, numbers_of, fill = self._fast
                numbers = numbers_of(*args)
                fill(numbers)
                return numbers[count]
        call, entry = self._prepared(args, kwargs)
        if entry is None:
            return self._python()(*args, **kwargs)
        own = set(call.shared)
        shared = [as_column(call.names[i], call.leaves[i]).item() for i in call.shared]
        places = [i for i in range(len(call.leaves)) if i not in own]
        columns = [as_column(call.names[i], call.leaves[i]) for i in places]
        try:
            outputs = entry.kernel(shared, columns)
        except ValueError:
            shapes = [f"{call.names[i]} {x.shape}" for i, x in zip(places, columns, strict=True)]
            raise ValueError(
                f"columns must have shapes that broadcast, got {', '.join(shapes)}"
            ) from None
        return _filled(entry.template, outputs)

    def prepare(self, *args: Any, **kwargs: Any) -> Program:
        """Trace and compile for arguments of this structure; return the program."""
        entry = self._prepared(args, kwargs)[1]
        if entry is None:
            raise TypeError("prepare needs plain numbers or arrays, got Values")
        return entry.program

    @property
    def program(self) -> Program:
        """The listing of what is computed for the arguments of the latest structure.

        Before the first call it is that for plain numbers.
        """
        return self._shown().program

    def source(self, language: str) -> str:
        """Return the code as one C99 function, for "c", or as LLVM IR, for "llvm"."""
        entry = self._shown()
        if language == "llvm":
            return entry.kernel.text.text()
        if language == "c":
            name = getattr(self, "__name__", "f")
            return c_source(entry.program, entry.shared, self.reduce, name)
        raise ValueError(f'the source is in "c" or in "llvm", got {language!r}')

    def _shown(self) -> _Entry:
        if self._latest is None:
            # TypeError and the like, for a function of lists: it has to be called first
            self.prepare(*[0.0] * len(self.parameters))
        assert self._latest is not None
        return self._latest

    def _python(self) -> Function:
        if self.function is None:
            raise RuntimeError(
                "this compiled function was pickled without its Python function, and takes "
                "arguments of the structures alone that it was compiled for before"
            )
        return self.function

    def _prepared(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Arguments, _Entry | None]:
        """Return the arguments taken apart and what is compiled for them, nothing for `Value`s."""
        args = self._with_columns(args)
        call = Arguments(args, kwargs, self.parameters, self.shared)
        if call.has_values:
            return call, None
        undecided = [i for i in call.lists() if i not in self._columns]
        if call.key not in self._entries and undecided:
            self._columns |= dict.fromkeys(undecided, True)
            try:
                return self._prepared(args, kwargs)
            except Exception as error:
                self._columns |= dict.fromkeys(undecided, False)
                if getattr(error, "is_refusal", False):
                    raise
        if call.key not in self._entries:
            self._enter(call)
        self._latest = self._entries[call.key]
        return call, self._latest

    def _with_columns(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments with an array for each list that is known to be a column."""
        if not any(self._columns.values()):
            return args
        return tuple(
            [
                np.asarray(x) if isinstance(x, (list, tuple)) and self._columns.get(i) else x
                for i, x in enumerate(args)
            ]
        )

    def _enter(self, call: Arguments) -> None:
        program, structure = trace(self._python(), call.names, call.rebuilt)
        program, shared = optimized(program), tuple(call.shared)
        template = structure.result(list(range(len(program.outputs))))
        known = [e for e in self._entries.values() if (e.program, e.shared) == (program, shared)]
        kernel = known[0].kernel if known else NativeKernel(program, shared, self.reduce)
        while len(self._entries) >= MOST_KERNELS:
            del self._entries[next(iter(self._entries))]
        self._entries[call.key] = _Entry(program, shared, template, kernel)
        plain = all(isinstance(x, Real) for x in call.args) and not call.kwargs
        if plain and template == 0 and not shared and not self.reduce:
            self._fast = (len(call.args), *kernel.single())

    def __reduce__(self) -> Any:
        try:
            pickle.dumps(self.function)
            function = self.function
        except Exception:  # what pickle raises for a function that it cannot find again
            function = None
        programs = [
            (key, entry.program, entry.shared, entry.template)
            for key, entry in self._entries.items()
        ]
        options = self.shared, self.reduce, self.parameters, self._columns
        return _unpickled, (function, options, programs if function is None else [])

    def __repr__(self) -> str:
        return f"<compiled {getattr(self, '__qualname__', repr(self.function))}>"


def _unpickled(function: Function | None, options: Any, programs: list[Any]) -> Compiled:
    compiled = Compiled(function or _forgotten, options[0], options[1])
    compiled.function, (compiled.parameters, compiled._columns) = function, options[2:]
    for key, program, shared, template in programs:
        kernel = NativeKernel(program, shared, compiled.reduce)
        compiled._entries[key] = compiled._latest = _Entry(program, shared, template, kernel)
    return compiled


def _forgotten(*args: Any) -> None:
    """Stand in for a function that could not be pickled."""


def _filled(template: Any, outputs: Sequence[Any]) -> Any:
    """Return what a function returned, with the outputs in the places of their positions."""
    if type(template) is int:
        return outputs[template]
    if isinstance(template, np.ndarray):
        parts = np.stack([outputs[i] for i in template.ravel()], axis=-1)
        return parts.reshape(*parts.shape[:-1], *template.shape)
    if isinstance(template, Mapping):
        return like(template, {key: _filled(part, outputs) for key, part in template.items()})
    return like(template, dict(enumerate(_filled(part, outputs) for part in template)))
