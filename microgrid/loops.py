"""Loops over time: a step, repeated many times, differentiated as a whole.

A loop that is written in Python keeps the graph of all of its steps. That is right for hundreds of
them, and too much for a million. `scan` and `repeat` are the same loops as functions, so that they
can keep less: with checkpoints they hold the carry of every √n-th step, and the graphs of the steps
between two of these while they are differentiated. For a compiled step they hold no graph.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import isqrt
from numbers import Real
from typing import Any, TypeVar, overload

from .core.array_rules import is_array
from .core.graph import order_beyond
from .core.sequences import entries, is_ordered
from .derivatives.checkpoints import run_without_graph, values_in
from .derivatives.trees import like, map_values
from .engine import Value
from .guards.checks import LONGEST, quote, require_bools, require_functions, require_integers

__all__ = ["repeat", "scan"]

MOST_TRACED = 300_000  # operations of a loop in a compiled function: half a minute to compile it

NUMBERS = {float, int, Value}
FEW = 1000  # steps at most that are traced without a look at their size

Carry = TypeVar("Carry")
Next = TypeVar("Next")  # the carry after a step: a Value, where a number was the first
X = TypeVar("X")
StepFunction = Callable[..., tuple[Any, object]]


@overload
def scan(  # xs in a tuple or dict, or none
    f: Callable[[Carry, Any], tuple[Next, object]],
    carry: Carry,
    xs: tuple[object, ...] | Mapping[Any, object] | None = None,
    length: int | None = None,
    *,
    reverse: bool = False,
    checkpoint: bool = False,
) -> tuple[Next, Any]: ...
@overload
def scan(
    f: Callable[[Carry, X], tuple[Next, object]],
    carry: Carry,
    xs: Iterable[X],
    length: int | None = None,
    *,
    reverse: bool = False,
    checkpoint: bool = False,
) -> tuple[Next, Any]: ...
def scan(
    f: Callable[..., object],
    carry: object,
    xs: object = None,
    length: int | None = None,
    *,
    reverse: bool = False,
    checkpoint: bool = False,
) -> tuple[object, object]:
    """Take a step for each of the xs: `carry, y = f(carry, x)`; return the last carry and all ys.

    This is the loop that JAX calls `jax.lax.scan`, on numbers in any structure. The xs are a list,
    an array or anything else with an order, or a tuple or dict of such; then each step gets a tuple
    or dict of entries. The ys are a list; or a tuple or dict of lists, if each y is a tuple or
    dict; or None, if every y is None; or [], if there are no steps.

    With `checkpoint` the graph of the loop is not kept, but only the carry of every √n-th step;
    where a derivative is asked for, of any order, the steps between two of these are taken again. A
    loop of n steps then needs memory for the graph of √n, and takes about three times as long
    (Griewank & Walther 2008, *Evaluating Derivatives*, chapter 12). So f must do the same when it
    is called again. What goes through every node, as `explain` and `explore` do, asks for a graph
    without checkpoints.

    If f is compiled, `scan(compile(f), carry, xs)`, kernels take the steps of a carry and xs of
    single numbers, and gradients of any order go back through them: a million short steps take less
    than a second. There are checkpoints in any case; `jvp`, `hvp` and `taylor` take the steps in
    Python. The `Value`s that f uses are not constants here: gradients reach them. In a compiled
    function that calls a loop, each step is a part of its program.

    Args:
        f: takes a carry and an x; returns a pair, the next carry, of the same structure, and a y.
        carry: what the first step gets: a number, or numbers in lists, tuples, dicts and arrays.
        xs: what the steps get; None if they get None.
        length: how many steps there are, if that is not known from the xs.
        reverse: whether the steps go from the last x to the first; the ys are in the order of xs.
        checkpoint: whether memory is saved at the cost of time.

    Raises:
        TypeError: f does not return a pair, or the xs are not lists.
        ValueError: f returns a carry of another structure than the one that it got, the xs and the
            length do not agree, or a loop in a compiled function has too many steps for it.

    >>> scan(lambda total, x: (total + x, total * x), 0.0, [1.0, 2.0, 3.0])
    (6.0, [0.0, 2.0, 9.0])
    >>> rate = Value(0.5)
    >>> level, levels = scan(lambda v, x: (v + rate * (x - v), v), 0.0, [1.0] * 9, checkpoint=True)
    >>> level.backward(); round(level.data, 4), len(levels), round(rate.grad, 4)
    (0.998, 9, 0.0352)
    """
    require_functions(takes="of a carry and an x", count=2, f=f)
    require_bools(reverse=reverse, checkpoint=checkpoint)
    steps, count = _steps_of(xs, length)
    steps = steps[::-1] if steps and reverse else steps
    carry, ys = _run(f, _step, carry, steps, count, checkpoint)
    return carry, None if count and not ys else _unzip(ys[::-1] if reverse else ys)


def repeat(f: Callable[[Carry], Carry], carry: Carry, n: int, *, checkpoint: bool = False) -> Carry:
    """Return the carry after n steps: `carry = f(carry)`, n times over.

    The carry and `checkpoint` are those of `scan`, which also serves for steps with a counter:
    `scan(lambda carry, i: (f(i, carry), None), carry, range(n))`.

    Raises:
        TypeError, ValueError: n is not an integer of at least 0.
        ValueError: f returns a carry of another structure than the one that it got.

    >>> repeat(lambda x: (x + 2.0 / x) / 2.0, 1.0, 6)
    1.414213562373095
    >>> from microgrid import grad
    >>> grad(grad(lambda x: repeat(lambda x: x * x, x, 3, checkpoint=True)))(1.0)  # x**8
    56.0
    """
    require_functions(takes="of a carry", count=1, f=f)
    require_integers(n=n, least=0, largest=LONGEST)
    require_bools(checkpoint=checkpoint)
    return _run(f, _step_without_x, carry, None, int(n), checkpoint)[0]


def _run(
    f: Any, step: StepFunction, carry: Carry, xs: list[Any] | None, count: int, checkpoint: bool
) -> tuple[Carry, list[object]]:
    """Return the last carry, and the ys that are not None, in the order of the steps."""
    if count and _is_compiled(f) and f.function and not f.shared and not f.reduce:
        from .compiler.calls.kernel_steps import single_numbers, take_steps

        if given := single_numbers(carry, xs):
            compiled, f = f, f.function  # a kernel of its own would take a Value for a constant
            if taken := take_steps(compiled, partial(step, f), given, count):
                return taken
    size = isqrt(count - 1) + 1 if checkpoint and count else count
    ys: list[object] = []
    for begin in range(0, count, size or 1):
        end = min(begin + size, count)
        part = [None] * (end - begin) if xs is None else xs[begin:end]
        stretch = partial(_take_steps, partial(step, f), carry, part, count)
        carry, more = run_without_graph(stretch) if checkpoint else stretch()
        ys += more
    if ys and len(ys) < count:
        raise ValueError(
            "the step of a loop must return a y each time, or None each time, got None for "
            f"{count - len(ys)} of {count} steps"
        )
    return carry, ys


def _take_steps(
    step: StepFunction, carry: Carry, xs: list[object], count: int
) -> tuple[Carry, list[object]]:
    """Take some of a number of steps, likewise."""
    carry = map_values(lambda x: x, carry)  # of which a step may change the lists
    ys: list[object] = []
    for i, x in enumerate(xs):
        before = carry
        carry, y = step(carry, x)
        if i == 0:
            _require_traceable([before, x], [carry, y], count)
        if y is not None:
            ys.append(y)
    return carry, ys


def _step(f: Callable[..., object], carry: object, x: object) -> tuple[object, object]:
    """Take one step, and check what f returns."""
    result = f(carry, x)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"the step of a loop must return a pair (carry, y), got {quote(result)} "
            f"({type(result).__name__}); where there is nothing to collect, y is None"
        )
    _require_alike(carry, result[0])
    return result


def _step_without_x(f: Callable[..., object], carry: object, x: object) -> tuple[object, None]:
    result = f(carry)
    _require_alike(carry, result)
    return result, None


def _require_alike(before: object, after: object) -> None:
    if not _are_alike(before, after):
        raise ValueError(
            "the step of a loop must return a carry of the structure of the one that it gets, "
            f"{_structure(before)}, got {_structure(after)}"
        )


def _require_traceable(before: object, after: object, count: int) -> None:
    """Raise `ValueError` if a compiled function would have too many operations in it."""
    values = values_in(after)
    if count < FEW or not any(x.is_traced for x in values):
        return
    size = len(order_beyond({*values_in(before)}, *values))
    if size * count > MOST_TRACED:
        raise ValueError(
            f"a compiled function holds at most {MOST_TRACED:,} operations of a loop, got "
            f"{count:,} steps of about {size:,}; compile the step, and not what calls the loop: "
            "scan(compile(f), carry, xs)"
        )


def _is_compiled(f: object) -> bool:
    """Return whether f is what `compile` returns, which nobody needs to load for that."""
    module = sys.modules.get(f"{__package__}.compiler.calls.compiled")
    return module is not None and isinstance(f, module.Compiled)


def _steps_of(xs: object, length: object) -> tuple[list[object] | None, int]:
    """Return what each step gets, and how many steps there are."""
    if length is not None:
        require_integers(length=length, least=0, largest=LONGEST)
    if xs is None:
        if length is None:
            raise ValueError("a loop without xs needs its length: scan(f, carry, length=10)")
        return None, int(length)  # type: ignore[call-overload]  # it is a whole number
    steps = _zip(xs, "xs")
    if length is not None and len(steps) != length:
        raise ValueError(f"`length` must be that of the xs, {len(steps)}, got {quote(length)}")
    return steps, len(steps)


def _zip(xs: object, name: str) -> list[object]:
    """Return the entries of a list, or tuples and dicts with one entry of each of their lists."""
    is_list = isinstance(xs, tuple) and not any(isinstance(x, Mapping) or is_ordered(x) for x in xs)
    if is_list or not isinstance(xs, (tuple, Mapping)):
        if is_array(xs) and xs.ndim > 1:
            return list(xs)  # of arrays
        return entries(xs, f"`{name}` must be a list, or a tuple or dict of lists")
    keys = [*xs] if isinstance(xs, Mapping) else [*range(len(xs))]
    parts = {key: _zip(xs[key], f"{name}[{key!r}]") for key in keys}
    lengths = {key: len(part) for key, part in parts.items()}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{count} in [{key!r}]" for key, count in lengths.items())
        raise ValueError(f"the lists in `{name}` must be of one length, got {found or 'none'}")
    rows = zip(*parts.values(), strict=True)
    return [like(xs, dict(zip(keys, row, strict=True))) for row in rows]


def _unzip(ys: list[Any], name: str = "y") -> object:
    """Return a list of tuples or dicts as a tuple or dict of lists; any other as it is."""
    first = ys[0] if ys else None
    if not isinstance(first, (tuple, Mapping)):
        return ys
    keys = [*first] if isinstance(first, Mapping) else [*range(len(first))]
    for y in ys:
        if type(y) is not type(first) or len(y) != len(first):
            raise ValueError(
                f"`{name}` must have the same structure at each step, got {_structure(first)} and "
                f"{_structure(y)}"
            )
    return like(first, {key: _unzip([y[key] for y in ys], f"{name}[{key!r}]") for key in keys})


def _are_alike(tree: Any, other: Any) -> bool:
    """Return whether two trees have the same structure; of lists of numbers, without its text."""
    kind = type(tree)
    if kind in NUMBERS and type(other) in NUMBERS:
        return True
    if kind is type(other) and (kind is list or kind is tuple):
        return len(tree) == len(other) and all(map(_are_alike, tree, other))
    return _structure(tree) == _structure(other)


def _structure(tree: object) -> str:
    """Return a tree as text, with a star for each number.

    >>> _structure({"a": 1.0, "b": [Value(2.0), None]})
    "{'a': *, 'b': [*, None]}"
    """
    if isinstance(tree, (Value, float, Real)):
        return "*"
    if isinstance(tree, Mapping):
        inside = ", ".join([f"{key!r}: {_structure(part)}" for key, part in tree.items()])
        return f"{{{inside}}}"
    if isinstance(tree, (list, tuple)):
        inside = ", ".join([*map(_structure, tree)])
        return f"[{inside}]" if isinstance(tree, list) else f"({inside})"
    if is_array(tree):
        return f"an array of shape {tree.shape}"
    return "None" if tree is None else f"one of the type {type(tree).__name__}"
