"""The compiled callable: a function of scalars that behaves like a NumPy ufunc.

It is traced when it is first called with arguments of a structure, and lowered to a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pickle import PicklingError
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ...calculus import OfNumbers, P, Vector
from ...core import graph
from ...core.array_rules import block_rules
from ...derivatives.trees import flatten
from ...derivatives.wrapping import Wrapped
from ...engine import Value
from ...functional import Number
from ...functional import sum as sum_
from ...guards.checks import quote, require_integers
from ...guards.garbage import collects_rarely
from ...guards.interrupts import uninterrupted
from ...guards.locks import compiling
from ..loops.listing import LoopProgram
from ..native.kernel import ArrayKernel, common_shape
from ..native.pointers import Pointers
from ..passes import optimize_graph
from ..program import Program
from ..trace import Trace, trace
from .arguments import Arguments, ArraysOfBlocks, CallArguments
from .entries import Direct, Entry
from .outs import Outs
from .parameters import Parameters, Place
from .results import Template, filler, template_of

__all__ = ["Compiled", "compile"]

REDUCTIONS = (None, "sum", "mean")
MOST_KERNELS = 64  # of one function: one for each structure of arguments
MOST_ON_STACK = 256  # inputs and outputs of a direct call: threads may have little stack

Function = Callable[..., object]
Output = TypeVar("Output", covariant=True)  # of the function
ForColumns = TypeVar("ForColumns", covariant=True)  # what a number becomes for columns
AnyColumn = TypeVar("AnyColumn", bound=NDArray[np.generic])
Shared = int | str | Iterable[int | str]
Total = Literal["sum", "mean"]


@overload
def compile(
    f: Wrapped[Output], *, shared: Shared = (), reduce: None = None, threads: int | None = 1
) -> Compiled[Output, NDArray[np.float64]]: ...
@overload
def compile(  # by a shared array the derivatives, and their sum, are an array
    f: Wrapped[Output], *, shared: Shared = (), reduce: Total, threads: int | None = 1
) -> Compiled[Output, Any]: ...
@overload
def compile(
    f: OfNumbers[P, Output], *, shared: Shared = (), reduce: None = None, threads: int | None = 1
) -> Compiled[Output, NDArray[np.float64]]: ...
@overload
def compile(
    f: OfNumbers[P, Output], *, shared: Shared = (), reduce: Total, threads: int | None = 1
) -> Compiled[Output, float]: ...
@overload
def compile(  # type: ignore[overload-cannot-match]  # it can: with no parameter by position
    f: Callable[..., Output], *, shared: Shared = (), reduce: None = None, threads: int | None = 1
) -> Compiled[Output, NDArray[np.float64]]: ...
@overload
def compile(  # type: ignore[overload-cannot-match]
    f: Callable[..., Output], *, shared: Shared = (), reduce: Total, threads: int | None = 1
) -> Compiled[Output, float]: ...
def compile(
    f: Function,
    *,
    shared: int | str | Iterable[int | str] = (),
    reduce: str | None = None,
    threads: int | None = 1,
) -> Compiled[object, object]:
    """Return a function that computes what f does, in a native kernel: with the extra `compile`.

    f takes numbers, and lists, tuples, dicts and models of them, and returns such; its derivatives
    and Taylor series compile as well. f is run once for each structure of arguments, on numbers
    that are not known yet: it must not branch on them (write `where`), nor read them. A `Value`
    from outside is a constant; when its data has changed, f is run and compiled again. Whatever
    else f reads, such as another attribute of a model, is read when f is run.

    The compiled function takes an array in place of any number. Arrays broadcast, and arrays come
    out, new ones or those of `out=`: f is computed for each row. A list stays a list, as in Python:
    for a column of rows pass `np.asarray(rows)`. In the kernel a number behaves like a NumPy
    double: log(0) is -inf, where Python raises. Every operation is rounded on its own, as in
    NumPy; but `dot`, `norm`, the sums of products in derivatives and the sums over rows are one
    operation each, in which a processor may round a product and a sum at once. Functions such as
    `exp`, and powers other than squares and roots, are within 4 units in the last place of the true
    number, as NumPy's are: the last digit may differ.

    Args:
        f: a function of numbers, or a `Program`.
        shared: the arguments, by position or name, that are the same for all rows, such as a
            model's parameters. An array among them is an array of numbers, not a column.
        reduce: "sum" or "mean" to add up every result over the rows, always in the same order,
            which is not that of the rows: the sum differs from theirs by rounding alone, for 1,000
            rows by at most some 1e-14 of the sum of the sizes.
        threads: how many threads may share the rows of a call; None for as many as there are
            processors. There are never more than pay off: each has at least 0.12 ms of work, such
            as 10,000 rows of a formula and its five derivatives. No bit depends on their number.

    Raises:
        ImportError: NumPy or llvmlite is not installed.
        TypeError: f is not a function, `shared` names no arguments, or `threads` is not an integer.
        ValueError: `reduce` is something else, or `threads` is less than 1.

    Raises when called:
        TypeError: f branches on a number or reads it, a primitive has no lowering, or an argument
            does not consist of real numbers.
        ValueError: the columns have shapes that do not broadcast.
        RuntimeError: the graph of a `Value` from outside has checkpoints.

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
        raise TypeError(f"compile needs a function, got {quote(f)} ({type(f).__name__})")
    if not (reduce is None or isinstance(reduce, str)) or reduce not in REDUCTIONS:
        raise ValueError(f'`reduce` must be "sum", "mean" or None, got {quote(reduce)}')
    if threads is not None:
        require_integers(threads=threads, instead="None for as many as there are processors")
        threads = int(threads)
    return Compiled(f, shared, reduce, threads)


class Compiled(Wrapped[Output], Generic[Output, ForColumns]):
    """A compiled function, as `compile` returns it: call it like the function itself.

    `program` is the listing of what it computes, `source("c")` and `source("llvm")` are the code.
    Calls from many threads run side by side; a fork waits while another thread compiles, so that
    its child can compile too. It can be pickled; if its function cannot, its programs are.

    >>> import microgrid
    >>> f = microgrid.compile(lambda x, y: x * y + 1.0)
    >>> f(2.0, 3.0)
    7.0
    >>> f.program
    program(x, y):  # 2 operations
        v1 = x * y
        v2 = v1 + 1.0
        return v2
    """

    def __init__(
        self, f: Function, shared: object, reduce: str | None, threads: int | None = 1
    ) -> None:
        super().__init__(f)
        self.parameters = Parameters(f, shared)
        self.shared, self.reduce = self.parameters.shared, reduce
        self.threads = threads
        self._entries: dict[tuple[object, ...], Entry] = {}
        self._latest: Entry | None = None
        self._direct: dict[tuple[str, ...], Direct] = {}  # by the names of arguments

    @overload
    def __call__(
        self: Compiled[Number, object], *args: object, out: AnyColumn, **kwargs: object
    ) -> AnyColumn: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # a float is a `Number` too
        self: Compiled[Number, object], *args: float, **kwargs: float
    ) -> float: ...
    @overload
    def __call__(self: Compiled[Number, object], *args: Number, **kwargs: Number) -> Value: ...
    @overload
    def __call__(
        self: Compiled[Number, ForColumns],
        *args: NDArray[np.generic] | float,
        **kwargs: NDArray[np.generic] | float,
    ) -> ForColumns: ...
    @overload
    def __call__(
        self: Compiled[tuple[Number, Number], object], *args: float, **kwargs: float
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: Compiled[tuple[Number, Number], ForColumns],
        *args: NDArray[np.generic] | float,
        **kwargs: NDArray[np.generic] | float,
    ) -> tuple[ForColumns, ForColumns]: ...
    @overload
    def __call__(
        self: Compiled[tuple[object, object], object], *args: object, **kwargs: object
    ) -> tuple[Any, Any]: ...
    @overload
    def __call__(self: Compiled[Vector, object], *args: float, **kwargs: float) -> list[float]: ...
    @overload
    def __call__(
        self: Compiled[Vector, ForColumns],
        *args: NDArray[np.generic] | float,
        **kwargs: NDArray[np.generic] | float,
    ) -> list[ForColumns]: ...
    @overload
    def __call__(self, *args: object, **kwargs: object) -> Any: ...
    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return what the function returns, for numbers or for each row of arrays.

        With `out`, an array, or what the function returns with arrays in it, the results are
        written there, and it is returned; if anything about it is wrong, nothing is written. It may
        also be an argument. A function that has a parameter of that name gets it.

        Raises:
            TypeError: an argument does not consist of real numbers, or `out` not of arrays that can
                hold the results; or what tracing the function raises.
            ValueError: the columns have shapes that do not broadcast, an array of `out` has
                another one or is read-only, or two share memory.

        >>> import microgrid, numpy as np
        >>> f = microgrid.compile(microgrid.value_and_grad(microgrid.exp))
        >>> y, slope = np.empty(2), np.empty(2)
        >>> f(np.array([0.0, -np.inf]), out=(y, slope)) and y
        array([1., 0.])
        """
        direct = self._direct.get(tuple(kwargs) if kwargs else ())
        if direct:
            result = direct((*args, *kwargs.values()) if kwargs else args)
            if result is not None:
                if self._latest is not direct.entry:
                    self._latest = direct.entry
                return result
        out = kwargs.pop("out") if "out" in kwargs and self.parameters.leaves("out") else None
        if out is not None:
            direct = self._direct.get(tuple(kwargs))
            if direct and direct.into(out, (*args, *kwargs.values())):
                self._latest = direct.entry
                return out
        try:
            call = Arguments(args, kwargs, self.parameters)
        except ArraysOfBlocks:
            if out is not None:
                raise
            return block_rules().call(self, self._take_apart, args, kwargs)
        if call.has_values:
            if out is not None:
                raise TypeError("`out` is for numbers, got Values, whose results are Values")
            return self._of_values(call)
        self._latest = entry = self._find(call.key) or self._compile(call)
        columns, shape = call.columns, _common_shape(call, entry)
        if out is None:
            return entry.fill(entry.outputs(call.join_shared(), columns, shape))
        outs = Outs(entry.template, out)
        shape = outs.shape(shape, self.reduce is not None)
        ready = {} if self.reduce else outs.ready(shape, columns)
        return outs.fill(entry.outputs(call.join_shared(), columns, shape, ready), ready)

    def prepare(self, *args: object, **kwargs: object) -> Program:
        """Trace and compile for arguments of this structure; return the program.

        Raises:
            TypeError: an argument is a `Value`; or what a call raises.

        >>> import microgrid
        >>> microgrid.compile(lambda xs: sum(xs)).prepare([0.0, 0.0])
        program(xs[0], xs[1]):  # 2 operations
            v1 = 0.0 + xs[0]
            v2 = v1 + xs[1]
            return v2
        """
        call = Arguments(args, kwargs, self.parameters)
        if call.has_values:
            raise TypeError("prepare needs plain numbers or arrays, got Values")
        self._latest = self._compile(call)
        return self._latest.program

    @property
    def program(self) -> Program:
        """The listing of what is computed for arguments of the latest structure.

        Before the first call it is the one for plain numbers. A long one is printed in loops, if it
        has any: one line for all operations that differ only in the positions of their operands,
        and "j in 64" for j from 0 to 63. A sum Σ_i may have been added up in another order of i.

        Raises:
            TypeError: the function does not take plain numbers; then it must be called first.
            RuntimeError: a `Value` from outside has changed since; then it must be called again.
        """
        return self._current().program

    def source(self, language: str) -> str:
        """Return the code as one C99 function, for "c", or as LLVM IR, for "llvm".

        The functions in LLVM IR compute blocks of rows; what calls them is the same for all.

        Raises:
            ValueError: the language is neither of the two.
            TypeError, RuntimeError: as for `program`.

        >>> import microgrid
        >>> print(microgrid.compile(lambda x: x * x).source("c").splitlines()[-2])
            out[0] = v1;
        """
        from ..c.source import c_source  # 2 ms, which a first call need not wait for

        if not isinstance(language, str) or language not in ("c", "llvm"):
            raise ValueError(f'the source is in "c" or in "llvm", got {quote(language)}')
        entry = self._current()
        if language == "llvm":
            return entry.kernel.text.ir()
        name = getattr(self, "__name__", "f")
        return c_source(entry.program, entry.shared_inputs, self.reduce, name)

    @property
    def address(self) -> int:
        """The address of a C function, `double f(double, …)`, that computes what a call does.

        It is for functions of plain numbers that return one, and lives as long as this does. A
        `Value` from outside is a constant with its current data. Any thread may call it, without
        Python.

        Raises:
            TypeError: the function takes or returns something else, or has shared arguments or a
                sum over rows.
        """
        return self.pointers().of_numbers

    @property
    def ctypes(self) -> Callable[..., float]:
        """The function at `address` for ctypes: for Numba, and for SciPy's `LowLevelCallable`.

        Raises:
            TypeError: as for `address`.
        """
        return self.pointers().function()

    def pointers(self) -> Pointers:
        """Return the machine code as functions of C; `address` and `ctypes` are one of them.

        Raises:
            TypeError: as for `address`.

        >>> import microgrid
        >>> f = microgrid.compile(lambda x, y: x * y)
        >>> f.pointers().count, f.ctypes(2.0, 3.0)
        (2, 6.0)
        """
        entry = None
        if not (self.shared or self.reduce or self.parameters.is_open):
            call = Arguments((0.0,) * len(self.parameters.names), {}, self.parameters)
            entry = self._find(call.key) or self._compile(call)
        if entry is None or type(entry.template) is not int:
            raise TypeError(
                "a function of C takes single numbers and returns one; none can share arguments or "
                f"add up rows, got {self!r}"
            )
        if entry.pointers is None:
            entry.pointers = Pointers(entry.kernel)
        return entry.pointers

    def _current(self) -> Entry:
        """Return the latest entry; compile for plain numbers if there is none yet."""
        if self._latest is None:
            try:
                if self.parameters.is_open and not self.parameters.names:
                    raise TypeError("it takes any number of arguments")
                self.prepare(*[0.0] * len(self.parameters.names))
            except Exception as error:  # which the function raises for plain numbers
                raise TypeError(
                    "there is no program yet, as it depends on the arguments: call the function "
                    f"once, or use prepare(…) ({error})"
                ) from error
        assert self._latest is not None
        if not self._latest.is_current():
            raise RuntimeError(
                "a Value that was compiled as a constant has changed since: call the function "
                "again, which recompiles it"
            )
        return self._latest

    def _python(self) -> Function:
        if self.function is None:
            raise RuntimeError(
                "this compiled function was pickled without its Python function, and takes only "
                "arguments of the structures that it was compiled for before; define that function "
                "at the top level of a module, or pickle with cloudpickle"
            )
        function: Function = self.function
        return function

    def _take_apart(self, arguments: CallArguments) -> tuple[Arguments, Entry | None]:
        """Return the arguments of a call, taken apart, and what is compiled for them.

        For `Value`s that is nothing. It raises what a call raises.
        """
        args, kwargs = arguments
        call = Arguments(args, kwargs, self.parameters)
        if call.has_values:
            return call, None
        self._latest = entry = self._compile(call)
        _common_shape(call, entry)
        return call, entry

    def _find(self, key: tuple[object, ...]) -> Entry | None:
        entry = self._entries.get(key)
        return entry if entry and entry.is_current() else None

    def _compile(self, call: Arguments) -> Entry:
        """Return the entry for arguments of this structure; trace and compile if there is none."""
        with compiling:
            return self._find(call.key) or self._enter(call)

    @collects_rarely
    def _enter(self, call: Arguments) -> Entry:
        clock = graph.clock
        names, positions = call.inputs()
        shared = tuple(positions)
        traced, structure, captured = self._trace(call, names)
        program = LoopProgram.of(traced)
        merged, places = _merge_outputs(program)
        template = template_of(structure, places)
        entries = self._entries.values()
        same = [e for e in entries if (e.program, e.shared_inputs) == (program, shared)]
        kernel = same[0].kernel if same else self._kernel(merged, shared)
        entry = Entry(program, shared, template, kernel, captured, clock)
        count, written = len(call.columns), len(kernel.text.written)
        is_plain = call.key == (call.names, *[None] * count) and not shared
        has_code = bool(self.reduce) or written == len(kernel.constants)
        is_direct = is_plain and has_code and count + written <= MOST_ON_STACK
        with uninterrupted():
            while len(self._entries) >= MOST_KERNELS:
                del self._entries[next(iter(self._entries))]
                self._direct.clear()
            self._entries[call.key] = entry
            if is_direct:
                self._direct[call.names] = Direct(entry)
        return entry

    def _kernel(self, program: Program, shared: tuple[int, ...]) -> ArrayKernel:
        return ArrayKernel(program, shared, self.reduce, threads=self.threads)

    def _trace(self, call: Arguments, names: Sequence[str]) -> Trace:
        try:
            return trace(self._python(), names, call.rebuild, optimize_graph)
        except (AttributeError, TypeError) as error:
            for name in call.could_be_arrays():
                error.add_note(
                    f"{name} is a sequence, as in Python: pass np.asarray({name}) for a column of "
                    "rows, or for an array of shared numbers"
                )
            raise

    def _of_values(self, call: Arguments) -> object:
        """Compute in Python, on `Value`s: for each row, and added up, as a kernel does."""
        from ...arrays.tables import as_arrays  # 8 ms, which a call with numbers need not wait for

        try:
            shape, rows = call.by_rows()
        except ValueError as error:
            raise ValueError(f"columns must have shapes that broadcast: {error}") from None
        if not shape:
            (args, kwargs), *_ = rows
            return self._python()(*args, **kwargs)
        results = [flatten(self._python()(*args, **kwargs)) for args, kwargs in rows]
        if results:
            structure = results[0][1]
        else:
            structure = trace(self._python(), call.inputs()[0], call.rebuild).structure
        outputs: list[object] = []
        for k in range(len(structure.paths)):
            column = np.empty(len(results), object)
            column[:] = [scalars[k] for scalars, _ in results]
            total = (
                _add_up(column, self.reduce) if self.reduce else as_arrays(column.reshape(shape))
            )
            outputs.append(total)
        return filler(template_of(structure, range(len(outputs))))(outputs)

    def options(self) -> tuple[frozenset[Place], str | None, int | None]:
        """Return the arguments, beside the function, that make it again.

        >>> import microgrid
        >>> microgrid.compile(lambda x, y: x * y, shared="y", reduce="sum").options()
        (frozenset({'y'}), 'sum', 1)
        """
        return self.shared, self.reduce, self.threads

    def __reduce__(self) -> str | tuple[object, ...]:
        if not self._entries:
            return super().__reduce__()
        try:
            return super().__reduce__()
        except PicklingError:
            entries = [
                (key, entry.program, entry.shared_inputs, entry.template)
                for key, entry in self._entries.items()
            ]
            return _of_programs, (self.parameters, *self.options(), entries)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self, '__qualname__', repr(self.function))}>"


def _common_shape(call: Arguments, entry: Entry) -> tuple[int, ...]:
    """Return the shape that the columns of a call broadcast to."""
    try:
        return common_shape(call.columns)
    except ValueError:
        names = [x for i, x in enumerate(call.inputs()[0]) if i not in entry.shared_inputs]
        shapes = [f"{name} {np.shape(x)}" for name, x in zip(names, call.columns, strict=True)]
        raise ValueError(
            f"columns must have shapes that broadcast, got {', '.join(shapes)}"
        ) from None


def _of_programs(
    parameters: Parameters,
    shared: frozenset[Place],
    reduce: str | None,
    threads: int | None,
    entries: Sequence[tuple[tuple[object, ...], Program, tuple[int, ...], Template]],
) -> Compiled[object, object]:
    """Return a compiled function with the programs of one whose function could not be pickled."""
    compiled: Compiled[object, object] = Compiled(_forgotten, (), reduce, threads)
    compiled.function, compiled.parameters, compiled.shared = None, parameters, shared
    for key, program, shared_inputs, template in entries:
        kernel = compiled._kernel(_merge_outputs(program)[0], shared_inputs)
        compiled._latest = Entry(program, shared_inputs, template, kernel)
        compiled._entries[key] = compiled._latest
    return compiled


def _forgotten(*args: object) -> None:
    """Stand in for a function that could not be pickled."""


def _add_up(column: NDArray[np.object_], reduce: str) -> Value | float:
    """Return the sum or the mean of some `Value`s and numbers."""
    if reduce == "sum":
        return sum_(column) if len(column) else 0.0
    return sum_(column) / len(column) if len(column) else float("nan")


def _merge_outputs(program: Program) -> tuple[Program, list[int]]:
    """Return the program with equal outputs once, and the position of each output among them."""
    position = {slot: i for i, slot in enumerate(dict.fromkeys(program.outputs))}
    merged = Program.of_parts(program.inputs, program.steps, position, program.labels)
    return merged, [position[slot] for slot in program.outputs]
