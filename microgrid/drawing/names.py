"""The names of the values of a graph, the same in all its pictures, steps, paths and formulas.

A formula alone shortens the path of a parameter: see `microgrid.drawing.formulas.spelling`.

| value | name |
|---|---|
| a value with a label | the label |
| a variable or a parameter that `names` knows | the variable, or the path in the model |
| any other constant | its number |
| the root, if there is only one | `L`, for loss |
| any other leaf | `x1`, `x2`, … |
| any other value, which was computed | `v1`, `v2`, … |

They are numbered in the topological order of the graph, so that the numbers of `v` are those in the
listing of a compiled `Program`. If several values have one name, the second is `name_2`; a number
whose name is taken is skipped.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import count

from ..compiler.program import Distinct
from ..engine import Value
from ..guards.checks import quote
from ..nn import Module
from .labels import abridge, number_text, printable

__all__ = ["LONGEST", "GivenNames", "all_names", "models_of", "names_of"]

GivenNames = Mapping[str, object] | Module | None

LONGEST = 32  # letters of a name: a path such as layers.0.neurons.15.w.15 has 24


def all_names(
    order: Sequence[Value],
    names: GivenNames = None,
    *,
    root: Value | None = None,
    most: int | None = LONGEST,
) -> dict[Value, str]:
    """Return the name of each value of a graph in topological order, by the rules above.

    No two names are equal, except those of constants. Each has at most `most` letters, with … in
    the middle if it was longer; if `most` is None, it is as it was given.

    Raises:
        TypeError: `names` is neither a mapping nor a model.

    >>> from microgrid import topological_order
    >>> a, x = Value(2.0, label="a"), Value(3.0)
    >>> loss = (a * x + 1.0).tanh()
    >>> list(all_names(topological_order(loss), root=loss).values())
    ['a', 'x1', 'v1', '1', 'v2', 'L']
    """
    given = names_of(order, names)
    spelled = given if most is None else {v: abridge(printable(x), most) for v, x in given.items()}
    distinct = Distinct()
    unique = {value: distinct.add(name) for value, name in spelled.items()}
    leaves, inner = _free("x", distinct.taken), _free("v", distinct.taken)
    found: dict[Value, str] = {}
    for value in order:
        if value in unique:
            found[value] = unique[value]
        elif value.is_constant:
            found[value] = number_text(value.data)
        elif value is root and "L" not in distinct.taken:
            found[value] = "L"
        else:
            found[value] = next(inner if value.parents else leaves)
    return found


def _free(letter: str, taken: Container[str]) -> Iterator[str]:
    return (name for n in count(1) if (name := f"{letter}{n}") not in taken)


def models_of(names: GivenNames) -> dict[str, Module]:
    """Return the models among names, by their names: a model by itself has the name "".

    A part of another model is left out, and so are names that begin with an underscore.

    Raises:
        TypeError: `names` is neither a mapping nor a model.
    """
    if isinstance(names, Module):
        return {"": names}
    found = {name: x for name, x in _public(names).items() if isinstance(x, Module)}
    inside = {id(part) for x in found.values() for path, part in x.named_modules() if path}
    whole = {id(model): name for name, model in reversed(found.items()) if id(model) not in inside}
    return {name: model for name, model in found.items() if whole.get(id(model)) == name}


def names_of(values: Iterable[Value], names: GivenNames = None) -> dict[Value, str]:
    """Return the names that were given to those values that have one.

    A value's own label comes first. Then `names` are asked: a model, whose parameters have their
    paths, or a mapping such as `locals()`. Anything in it but `Value`s and models is skipped, and
    so are names that begin with an underscore, such as a notebook's own variables. If there are
    several models, and none is a part of another, the paths begin with the model's name.

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
    known = paths_of(names) | known
    found = {value: _label(value) or known.get(value, "") for value in values}
    return {value: name for value, name in found.items() if name}


def paths_of(names: GivenNames) -> dict[Value, str]:
    """Return the paths of the parameters of the models among names.

    If there are several models, and none is a part of another, they begin with a model's name.

    Raises:
        TypeError: `names` is neither a mapping nor a model.
    """
    paths: dict[Value, str] = {}
    models = models_of(names)
    for name, model in models.items():
        prefix = f"{name}." if len(models) > 1 else ""
        for path, parameter in model.named_parameters():
            paths.setdefault(parameter, prefix + path)
    return paths


def _label(value: Value) -> str:
    """Return a label that can be seen."""
    return value.label if value.label and not value.label.isspace() else ""


def _public(names: Mapping[str, object] | None) -> dict[str, object]:
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(
            f"`names` must be a mapping of names, such as locals(), or a model, got {quote(names)} "
            f"({type(names).__name__})"
        )
    named = {str(name): x for name, x in (names or {}).items()}
    return {name: x for name, x in named.items() if not name.startswith("_")}
