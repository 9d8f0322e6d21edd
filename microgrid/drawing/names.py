"""What the values of a graph are called: by their labels, by variables, by a model's paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..engine import Value
from ..nn import Module

__all__ = ["Names", "models_of", "names_of"]

Names = Mapping[str, Any] | Module | None


def models_of(names: Names) -> dict[str, Module]:
    """Return the models among names, by their names: a model by itself has the name "".

    A part of another of them is left out, and so is what begins with an underscore.

    Raises:
        TypeError: `names` is neither a mapping nor a model.
    """
    if isinstance(names, Module):
        return {"": names}
    found = {name: x for name, x in _public(names).items() if isinstance(x, Module)}
    inside = {id(part) for x in found.values() for path, part in x.named_modules() if path}
    whole = {id(model): name for name, model in reversed(found.items()) if id(model) not in inside}
    return {name: model for name, model in found.items() if whole.get(id(model)) == name}


def names_of(values: Iterable[Value], names: Names = None) -> dict[Value, str]:
    """Return the names of those values that have one.

    A value's own label comes first. Then `names` are asked: a model, whose parameters have their
    paths, or a mapping such as `locals()`. What is no `Value` and no model in it is passed over,
    and so is what begins with an underscore, as a notebook's own variables do. If there are several
    models, and none is a part of another, the paths begin with the name of theirs.

    Raises:
        TypeError: `names` is neither a mapping nor a model.

    >>> a, b = Value(2.0), Value(3.0, label="rate")
    >>> list(names_of([a, b], {"a": a, "b": b, "limit": 10}).values())
    ['a', 'rate']
    """
    known: dict[Value, str] = {}
    for name, x in ({} if isinstance(names, Module) else _public(names)).items():
        if isinstance(x, Value):
            known.setdefault(x, name)
    models = models_of(names)
    for name, model in models.items():
        prefix = f"{name}." if len(models) > 1 else ""
        for path, parameter in model.named_parameters():
            known.setdefault(parameter, prefix + path)
    found = {value: _label(value) or known.get(value, "") for value in values}
    return {value: name for value, name in found.items() if name}


def _label(value: Value) -> str:
    """Return a label that can be seen."""
    return value.label if value.label and not value.label.isspace() else ""


def _public(names: Mapping[str, Any] | None) -> dict[str, Any]:
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(
            f"`names` must be a mapping of names, such as locals(), or a model, got {names!r} "
            f"({type(names).__name__})"
        )
    named = {str(name): x for name, x in (names or {}).items()}
    return {name: x for name, x in named.items() if not name.startswith("_")}
