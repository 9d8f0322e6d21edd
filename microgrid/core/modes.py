"""Modes: blocks of code in which a thread works differently, as in `with no_grad():`.

A mode must end with its block, whatever happens. Python looks for signals before the first line of
an `__exit__`, and Ctrl-C there would leave the mode on. It does not look on the way into a method
that is written in C, as those of a lock are. So a mode is on as long as a lock is held, its
`__enter__` and `__exit__` are the lock's own, and there is nothing else to undo: what belongs to a
lock that is free is forgotten when somebody next looks.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Generator
from functools import wraps
from threading import Lock, local
from typing import TYPE_CHECKING, Any, ClassVar, Never, TypeVar

__all__ = ["Mode", "current", "expanded", "unrecorded", "watched"]

CO_GENERATOR, CO_ASYNC = 0x20, 0x80 | 0x200  # as in `inspect`, which takes long to load
Function = TypeVar("Function", bound=Callable[..., Any])


class _Entered:
    """A block that a thread has entered, and may have left: `is_on` tells."""

    __slots__ = ("is_on", "meaning", "outer")

    def __init__(self, is_on: Callable[[], bool], meaning: object, outer: _Entered | None) -> None:
        self.is_on, self.meaning, self.outer = is_on, meaning, outer


GeneratorSteps = Generator[Any, Any, Any]  # of a generator, which may yield and take anything
Blocks = dict[int, _Entered]  # thread -> the innermost block that it has entered
unrecorded: Blocks = {}  # means True in `no_grad`, False in a `recording` inside of one
expanded: Blocks = {}  # means True in `expanding`
watched: Blocks = {}  # means the watch of `detect_anomaly`


def current(blocks: Blocks) -> Any:
    """Return what the innermost block that this thread is in means: None if it is in none.

    Blocks that it has left are forgotten here. So `if blocks and current(blocks)` costs next to
    nothing where there are none, which is where nearly all code runs: the call alone would make
    every operation a tenth slower.
    """
    thread = get_ident()
    block = innermost = blocks.get(thread)
    while block is not None and not block.is_on():
        block = block.outer
    if block is None:
        blocks.pop(thread, None)
        return None
    if block is not innermost:
        blocks[thread] = block
    return block.meaning


class _LockMethod:
    """The `__enter__` or `__exit__` of a mode: its lock's own, which Python is given to call."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, mode: Mode | None, owner: type | None = None) -> Callable[..., object]:
        if mode is None:  # an `ExitStack` asks the class
            return lambda mode, *error: self.__get__(mode)(*error)
        lock, blocks, thread = mode._lock, mode._blocks, get_ident()
        method: Callable[..., object] = getattr(lock, self.name)
        if not lock.locked():
            meaning = mode._meaning(current(blocks) if blocks else None)
            if meaning is not None:
                # This stands last: before the lock is taken nobody else runs, to find a block that
                # is not on and forget it. Both methods do it, as either may be looked up first.
                blocks[thread] = _Entered(lock.locked, meaning, blocks.get(thread))
        elif self.name == "__enter__":
            name = f"{type(mode).__name__}()"
            raise RuntimeError(f"this {name} is entered already: write {name} again inside of it")
        return method


class Mode(local):
    """What `no_grad` and its like share: `with mode():`, and `@mode()` before a function.

    A mode belongs to a thread: even where threads share the object, each has a lock of its own.
    """

    _blocks: ClassVar[Blocks]

    def __init__(self, *given: Never) -> None:
        if given:
            name = type(self).__name__
            raise TypeError(
                f"{name}() takes no argument, got one of the type {type(given[0]).__name__}: "
                f"write `with {name}():`, or `@{name}()` before a function"
            )
        self._lock = Lock()
        _here.ending  # noqa: B018 (asking makes it)

    if TYPE_CHECKING:

        def __enter__(self) -> object: ...
        def __exit__(self, *error: object) -> None: ...
    else:
        __enter__, __exit__ = _LockMethod(), _LockMethod()

    def __reduce__(self) -> tuple[type[Mode], tuple[()]]:
        return type(self), ()  # none is on elsewhere; what it decorates takes it along

    def _meaning(self, outer: Any) -> object:
        """Return what the block means inside of one that means `outer`; None if it is the same."""
        raise NotImplementedError

    def __call__(self, function: Function) -> Function:
        """Return a function that runs in a block of its own each time that it is called.

        So does each step of a generator; between its steps the mode is off.

        Raises:
            TypeError: it is a class, or an async function, whose code runs outside of the block.
        """
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if not callable(function) or isinstance(function, type) or flags & CO_ASYNC:
            name, wrong = type(self).__name__, type(function).__name__
            raise TypeError(
                f"@{name}() stands before a function that is neither a class nor async, "
                f"got {getattr(function, '__qualname__', f'one of the type {wrong}')}: "
                f"write `with {name}():` inside of it"
            )
        if flags & CO_GENERATOR:

            @wraps(function)
            def generating(*args: object, **options: object) -> Any:
                return (yield from _go_through(function(*args, **options), type(self)))

            return generating  # type: ignore[return-value]

        @wraps(function)
        def inside(*args: object, **options: object) -> object:
            with type(self)():
                return function(*args, **options)

        return inside  # type: ignore[return-value]


def _go_through(generator: GeneratorSteps, mode: type[Mode]) -> GeneratorSteps:
    """Go through a generator, each step of it in a block of its own."""
    step: Callable[[Any], Any] = generator.send
    given: Any = None
    while True:
        try:
            with mode():
                item = step(given)
        except StopIteration as end:
            return end.value
        try:
            step, given = generator.send, (yield item)
        except GeneratorExit:
            with mode():
                generator.close()
            raise
        except BaseException as error:  # which its caller throws into it
            step, given = generator.throw, error


class _Ending:
    """Takes a thread's blocks along when it ends: the next may get its number."""

    def __init__(self) -> None:
        self.thread, self.tables = get_ident(), (unrecorded, expanded, watched)

    def __del__(self) -> None:
        for blocks in self.tables:
            blocks.pop(self.thread, None)


class _Here(local):
    def __init__(self) -> None:
        self.ending = _Ending()


_here = _Here()
