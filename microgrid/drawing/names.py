"""What the values of a graph are called: by their labels, by variables, by a model's paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..engine import Value
from ..nn import Module

__all__ = ["Names", "names_of"]

Names = Mapping[str, Any] | Module | None


def names_of(values: Iterable[Value], names: Names = None) -> dict[Value, str]:
    """Return the names of those values that have one.

    A value's own label comes first. Then `names` are asked: a model, whose parameters have their
    paths, or a mapping such as `locals()`. What is no `Value` and no model in it is passed over,
    and so is what begins with an underscore, as a notebook's own variables do. If there are several
    models, the paths begin with the name of theirs.

    Raises:
        TypeError: `names` is neither a mapping nor a model.

    >>> a, b = Value(2.0), Value(3.0, label="rate")
    >>> list(names_of([a, b], {"a": a, "b": b, "limit": 10}).values())
    ['a', 'rate']
    """
    known: dict[Value, str] = {}
    if isinstance(names, Module):
        _add_parameters(known, names, "")
    elif isinstance(names, Mapping):
        public = {name: x for name, x in names.items() if not str(name).startswith("_")}
        for name, x in public.items():
            if isinstance(x, Value):
                known.setdefault(x, str(name))
        models = {name: x for name, x in public.items() if isinstance(x, Module)}
        several = len({id(model) for model in models.values()}) > 1
        for name, model in models.items():
            _add_parameters(known, model, f"{name}." if several else "")
    elif names is not None:
        raise TypeError(
            f"`names` must be a mapping of names, such as locals(), or a model, got {names!r} "
            f"({type(names).__name__})"
        )
    found = {value: value.label or known.get(value, "") for value in values}
    return {value: name for value, name in found.items() if name}


def _add_parameters(known: dict[Value, str], model: Module, prefix: str) -> None:
    for path, parameter in model.named_parameters():
        known.setdefault(parameter, prefix + path)
