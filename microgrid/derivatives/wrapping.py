"""Functions made of other functions: what transforms and `compile` return.

Such a function has the name, text and signature of the one it is made of, is bound to an instance
as a method is, and goes through `pickle`, which takes functions by name alone, as far as it can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

__all__ = ["Wrapped", "require_picklable"]

# Where cloudpickle is, which takes functions as they are. Joblib brings a copy of it.
BY_VALUE = ("cloudpickle", "joblib.externals.cloudpickle")


class Wrapped:
    """A function made of another one, which is its `function`.

    A subclass says in `options` with which other arguments it is made again.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.function: Any = f
        update_wrapper(self, f, updated=())  # f may be a model, whose attributes are its own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what it makes of the function and of arguments."""
        raise NotImplementedError

    def options(self) -> tuple[Any, ...]:
        """Return what it is made with beside the function."""
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as a function in a class does."""
        return self if instance is None else MethodType(self, instance)

    def __copy__(self) -> Any:
        return self  # as of a function, a copy is the function itself

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        module, name = self.__module__, getattr(self, "__qualname__", "")
        is_decorated = _found(module, name) is self
        # another process has another __main__, in which the name may not be
        if is_decorated and not (module == "__main__" and _by_value()):
            return name
        function = require_picklable(self.function)
        if is_decorated:
            return _again, (module, name, type(self), function, *self.options())
        return type(self), (function, *self.options())


def require_picklable(f: Any) -> Any:
    """Return what pickle can take in the place of a function, and gives it back.

    Raises:
        PicklingError: there is nothing, and cloudpickle, which takes any function, is not loaded.
    """
    import pickle

    try:
        pickle.dumps(f)
    except Exception as error:  # which a part of a model may raise of any type
        if cloudpickle := _by_value():
            return _Dumped(cloudpickle.dumps(f))
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

    def __reduce__(self) -> Any:
        from pickle import loads

        return loads, (self.dump,)


def _by_value() -> Any:
    """Return cloudpickle if it is loaded, as it is where it does the pickling."""
    return next((sys.modules[name] for name in BY_VALUE if name in sys.modules), None)


def _again(module: str, qualname: str, make: type[Wrapped], *args: Any) -> Any:
    found = _found(module, qualname)
    return found if isinstance(found, make) else make(*args)


def _found(module: str, qualname: str) -> Any:
    """Return what has a qualified name in a module that is loaded; None if nothing has."""
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
