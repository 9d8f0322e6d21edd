"""Functions made of other functions: what transforms and `compile` return.

Such a function has the name, text and signature of the one it is made of, and is bound to an
instance as a method is.

It goes through `pickle` as well, though pickle stores of a function nothing but its name. Where it
decorates a function, as in `@grad`, the name is its own, and finding it by that is enough. Anywhere
else it is stored as its maker and what it is made of, a function that needs a name again. If that
has none, as a lambda, only cloudpickle can store it, which is asked if it is there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from types import MethodType, ModuleType
from typing import Any, Generic, Self, TypeVar

__all__ = ["Wrapped", "require_picklable"]

# Where cloudpickle is, which takes functions as they are. Joblib brings a copy of it.
BY_VALUE = ("cloudpickle", "joblib.externals.cloudpickle")


Output = TypeVar("Output", covariant=True)  # of a call with plain numbers


class Wrapped(Generic[Output]):
    """A function made of another one, which is its `function`.

    A subclass says in `options` with which other arguments it is made again.
    """

    def __init__(self, f: Callable[..., object]) -> None:
        self.function: Any = f
        update_wrapper(self, f, updated=())  # f may be a model, whose attributes are its own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what it makes of the function and of arguments."""
        raise NotImplementedError

    def options(self) -> tuple[object, ...]:
        """Return what it is made with beside the function."""
        raise NotImplementedError

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        """Bind to an instance, as a function in a class does."""
        return self if instance is None else MethodType(self, instance)

    def __copy__(self) -> Self:
        return self  # as of a function, a copy is the function itself

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> str | tuple[object, ...]:
        module, name = self.__module__, getattr(self, "__qualname__", "")
        is_decorated = _lookup(module, name) is self
        # another process has another __main__, in which the name may not be
        if is_decorated and not (module == "__main__" and _by_value()):
            return name
        function = require_picklable(self.function)
        if is_decorated:
            return _find_or_make, (module, name, type(self), function, *self.options())
        return type(self), (function, *self.options())


def require_picklable(f: Callable[..., object]) -> Callable[..., object] | _Dumped:
    """Return what pickle can take in place of a function, and gives the function back.

    Raises:
        PicklingError: there is nothing, and cloudpickle, which takes any function, is not loaded.
    """
    import pickle

    try:
        pickle.dumps(f)
    except Exception as error:  # which a part of a model may raise of any type
        if cloudpickle := _by_value():
            return _Dumped(cloudpickle.dumps(f))
        if isinstance(f, Wrapped):  # which has said so of its own function
            raise
        inner = f
        while hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        name = getattr(inner, "__qualname__", repr(inner))
        raise pickle.PicklingError(
            f"pickle finds a function by its name, and did not find {name} of {inner.__module__} "
            f"({error}); define it at the top level of a module, or pickle with cloudpickle"
        ) from error
    return f


class _Dumped:
    """Something that comes back from a pickle as what is in the pickle that it holds."""

    def __init__(self, dump: bytes) -> None:
        self.dump = dump

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        from pickle import loads

        return loads, (self.dump,)


def _by_value() -> ModuleType | None:
    """Return cloudpickle if it is loaded, as it is where it does the pickling."""
    return next((sys.modules[name] for name in BY_VALUE if name in sys.modules), None)


def _find_or_make(module: str, qualname: str, make: type[Wrapped[Any]], *args: Any) -> object:
    found = _lookup(module, qualname)
    return found if isinstance(found, make) else make(*args)


def _lookup(module: str, qualname: str) -> object:
    """Return what has a qualified name in a module that is loaded; None if nothing has."""
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
