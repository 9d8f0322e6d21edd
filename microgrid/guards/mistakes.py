"""Mistakes that everybody makes once: warnings and errors that say what to write instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MethodType
from typing import Any, Never, NoReturn, Protocol, TypeVar

from .checks import is_bool, is_finite, is_real, quote

__all__ = ["GradientWarning"]

Kind = TypeVar("Kind")


class GradientWarning(UserWarning):
    """A gradient is stale or missing, or does not move the leaf that it should.

    `backward` warns if it adds to a gradient that was collected before its leaf moved; `p -= x` of
    a plain number, if p is a leaf with a gradient; and an optimizer's `step`, if no `backward` came
    before it.

    >>> import warnings
    >>> warnings.simplefilter("error", GradientWarning)  # or "ignore", or "always"
    """


def warn_of_stale(stale: Sequence[Any], moved: int) -> None:
    """Warn that `backward` adds to gradients collected before their leaves, some of many, moved."""
    # Whoever sets most gradients to 0 knows: the others are of inputs, or are not trained.
    if len(stale) <= moved - len(stale):
        return
    it, s = ("it", "") if len(stale) == 1 else ("they", "s")
    more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
    name = "a leaf" if stale[0].label is None else stale[0].label
    warnings.warn(
        f"backward() adds to the gradient{s} of {name}{more}, collected before {it} moved: "
        "call zero_grad() before it",
        GradientWarning,
        stacklevel=3,
    )


def warn_of_rebinding(leaf: Any, sign: str) -> None:
    """Warn that `leaf -= number` does not move it, if it is a leaf with a gradient."""
    is_leaf = getattr(leaf, "op", leaf) is None and not leaf.is_traced
    if not is_leaf or not getattr(leaf, "grad", 0):
        return
    name = leaf.label if leaf.label and leaf.label.isidentifier() else "p"
    warnings.warn(
        f"`{name} {sign}= number` makes a new node and leaves the leaf as it is: write "
        f"`{name}.data {sign}= number` to move it, or `{name} {sign} number` for a new node",
        GradientWarning,
        stacklevel=3,
    )


def warn_of_no_backward() -> None:
    """Warn that an optimizer's step has no gradient to follow."""
    warnings.warn(
        "step() has no gradient to follow: call backward() on the loss before it",
        GradientWarning,
        stacklevel=3,
    )


def refuse(
    data: object, label: object, more: Sequence[object], options: Mapping[str, object]
) -> NoReturn:
    """Raise `TypeError` for arguments that no `Value` is made of."""
    if isinstance(label, (tuple, set)) or more or {"_children", "_op"} & options.keys():
        why = "only computing gives it parents: write x + y, or a Primitive of your own"
    elif "requires_grad" in options:
        why = "every Value has a gradient; Value(x).detach() is a constant, which has none"
    elif options:
        why = f"it has no option {', '.join(options)}"
    else:
        require_label(label)
    raise TypeError(f"a Value is made of a number and a label: {why}")


def require_label(label: object) -> None:
    """Raise `TypeError` unless this is a label: a string, or None."""
    if label is not None and not isinstance(label, str):
        raise TypeError(f"a label must be a string, got {quote(label)} ({type(label).__name__})")


def require_gradient(g: object) -> None:
    """Raise an error unless this is a gradient: a real number, or None if there is none yet."""
    if g is not None and not is_real(g) and not is_bool(g):
        raise TypeError(
            f"a `grad` must be a real number or None, got {quote(g)} ({type(g).__name__})"
        )
    if isinstance(g, int) and not is_finite(g):
        raise OverflowError(f"a `grad` must be a number that a float can hold, got {quote(g)}")


class Checked(Protocol[Kind]):
    """An attribute of some type that takes no wrong value."""

    def __get__(self, instance: object, owner: type | None = None) -> Kind: ...

    def __set__(self, instance: object, x: Kind) -> None: ...


def guard(slot: str, require: Callable[[object], None], doc: str) -> Any:
    """Return an attribute, described by `doc`, whose slot `require` keeps free of wrong things."""

    def set_checked(instance: object, x: object) -> None:
        require(x)
        setattr(instance, slot, x)

    return property(attrgetter(slot), set_checked, doc=doc)


def refuse_subclass(kind: type) -> None:
    """Raise `TypeError` for a subclass of `Value` outside of the library."""
    if kind.__module__.partition(".")[0] != __name__.partition(".")[0]:
        raise TypeError(
            f"Value has no subclasses, got {kind.__name__}: an operation would return a plain "
            "Value; write a function, or a class that holds Values"
        )


class Absent:
    """An attribute that other engines have: reading it raises an error that says what to write."""

    def __init__(self, instead: str) -> None:
        self.instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Never:
        raise AttributeError(f"a Value has no {self.name}: {self.instead}")

    def __set__(self, instance: object, value: object) -> None:
        self.__get__(instance)


class Fixed:
    """A method that other engines set in each node: setting it says what to write instead."""

    def __init__(self, method: Callable[..., None], instead: str) -> None:
        self.method, self.instead = method, instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self if instance is None else MethodType(self.method, instance)

    def __set__(self, instance: object, value: object) -> None:
        raise AttributeError(f"a Value's {self.name} cannot be set: {self.instead}")
