"""The parameters of a function that is compiled, and those of them that `shared` names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from numbers import Integral

from ...guards.checks import is_of_dates, quote
from ..program import Program

__all__ = ["Parameters", "Place"]

Place = int | str  # the position of an argument, or its name


class Parameters:
    """The names of a function's parameters, as far as they are known, and which are `shared`.

    `names` are those of the positional ones. `is_open` says that it takes others as well.

    Raises:
        TypeError: `shared` holds something else than positions or names of arguments.
    """

    def __init__(self, f: Callable[..., object], shared: object = ()) -> None:
        self.names, self._by_name, self.is_open = _parameters_of(f)
        self.shared = self._require_places(shared)
        self._are_shared = [*map(self._is_shared, range(len(self.names)))]

    def name(self, position: int) -> str:
        """Return the name of a positional argument."""
        return self.names[position] if position < len(self.names) else f"x{position}"

    def leaves(self, name: str) -> bool:
        """Return whether a name is free: no parameter has it."""
        return name not in self.names and name not in self._by_name

    def require_known(self, names: Iterable[str]) -> None:
        """Raise `TypeError` for a name that Python would not pass: Polars asks so for a keyword."""
        for name in [] if self.is_open else filter(self.leaves, names):
            raise TypeError(f"a compiled function got an unexpected keyword argument {name!r}")

    def are_shared(self, count: int, names: Collection[str]) -> list[bool]:
        """Return for each argument of a call whether it is shared: first those without names."""
        if count <= len(self.names) and not names:
            return self._are_shared[:count]
        return [*map(self._is_shared, (*range(count), *names))]

    def _is_shared(self, argument: Place) -> bool:
        if isinstance(argument, str):
            if argument in self.shared or argument not in self.names:
                return argument in self.shared
            return self.names.index(argument) in self.shared
        return argument in self.shared or self.name(argument) in self.shared

    def _require_places(self, shared: object) -> frozenset[Place]:
        places: Iterable[object] = [shared]
        if isinstance(shared, Iterable) and not isinstance(shared, str):
            places = shared if getattr(shared, "ndim", 1) else places  # NumPy's scalars are one
        found = [self._find(place) for place in places]
        known = frozenset([place for place in found if place is not None])
        if None in found:
            there = ", ".join([*self.names, *self._by_name]) or "none"
            raise TypeError(
                f"`shared` must be positions or names of arguments, got {quote(shared)}; "
                f"there are: {there}"
            )
        return known

    def _find(self, place: object) -> Place | None:
        """Return a place, with its position counted from the first argument, or None."""
        if isinstance(place, str):
            is_known = self.is_open or place in {*self.names, *self._by_name}
            return place if is_known else None
        if isinstance(place, bool) or not isinstance(place, Integral) or is_of_dates(place):
            return None
        position, count = int(place), len(self.names)
        if position < 0:
            position += count
            return position if position >= 0 else None
        return position if self.is_open or position < count else None


def _parameters_of(f: Callable[..., object]) -> tuple[list[str], list[str], bool]:
    if isinstance(f, Program):
        return list(f.inputs), [], False
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return [], [], True  # some functions written in C do not say
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return (
        [p.name for p in parameters if p.kind in positional],
        [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY],
        any(p.kind in several for p in parameters),
    )
