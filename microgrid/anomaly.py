"""Where the first infinity or nan comes from: the operation, its operands and the line of code."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import ref

from .core.graph import dependent
from .core.modes import Mode, watched
from .core.primitive import Primitive, of_branches, operand_text, operands_text
from .engine import Value
from .functional import split_dot
from .guards.callers import line_of_caller

__all__ = ["detect_anomaly"]

Links = Iterable[tuple[Value, Iterable[Value], Iterable[Any]]]


class detect_anomaly(Mode):
    """Raise at the first operation, forward or backward, that makes inf or nan of finite numbers.

    The error names the operation, its operands and the line that made the node, with advice where
    the cause is a known one; so do, inside, the errors that are raised anyway, such as that of
    1 / 0. It is for this thread, can be nested, and is a decorator too. It costs nothing outside.

    Raises:
        FloatingPointError: an operation, or the chain rule behind it, made such a number.

    >>> from microgrid import sqrt
    >>> x = Value(0.0, label="x")
    >>> with detect_anomaly():
    ...     y = sqrt(x * x)
    ...     y.backward()
    Traceback (most recent call last):
        ...
    ZeroDivisionError: the derivative of sqrt of 0.0: float division by zero
      made in line 2 of <doctest microgrid.anomaly.detect_anomaly[2]>: y = sqrt(x * x)
      sqrt is infinitely steep at 0: write abs(x) for the root of x * x, norm(xs) for that of a sum
    """

    _blocks = watched

    def _meaning(self, outer: Any) -> Any:
        return outer or _Watch()


class _Watch:
    """What `record`, `backward` and the transforms report to while they are watched."""

    def __init__(self) -> None:
        # by a node's identity, and as long as it lives: a WeakKeyDictionary would not find a nan,
        # which is not == itself
        self.lines: dict[int, tuple[str, ref[Value]]] = {}

    def made(self, node: Value, op: Primitive, operands: tuple[Value, ...]) -> None:
        """Remember the line that made a node; raise if it is not finite and its operands are."""
        line, key = line_of_caller(), id(node)
        self.lines[key] = line, ref(node, lambda _: self.lines.pop(key, None))
        if not _finite(node) and all(map(_finite, operands)):
            raise FloatingPointError(
                f"{op.name} of {operands_text(operands)} gives {operand_text(node)}"
                f"{_told(line)}{_told(advice(op.name, operands))}"
            )

    def explanation(self, what: str, operands: tuple[Any, ...], node: Value | None) -> str:
        """Return the lines to add to an error that an operation, or its derivative, raised."""
        line = line_of_caller() if node is None else self._line(node)
        return _told(line) + _told(advice(what, operands))

    def asked(self, node: Value, partials: Iterable[Any]) -> None:
        """Raise if a node's partials are not all finite, though it and its operands are."""
        if all(map(_finite, (node, *node.parents))):
            for i, partial in enumerate(partials):
                if not _finite(partial):
                    known = advice(f"the derivative of {_name(node)}", node.parents)
                    raise self._error(node, f"by operand {i} is {partial!r}", known)

    def collected(self, order: list[Value], sums: Mapping[Value, Any]) -> None:
        """Raise if a sum of `backward` is not finite, of finite ones, at what depends on a leaf."""
        needed = dependent(order)
        passed = [n for n in reversed(order) if n.parents and sums[n] is not None]
        self.pulled([(n, n.parents, n.partials()) for n in passed if n in needed], sums)

    def pulled(self, links: Links, adjoint: Mapping[Value, Any]) -> None:
        """Raise if the chain rule made a gradient that is not finite of finite ones."""
        sums: dict[Value, bool] = {}  # whether all that was added up is finite
        for node, parents, partials in links:
            g = adjoint.get(node)
            if g is None:
                continue
            if _finite(g):
                self.asked(node, partials)
            for parent, partial in zip(parents, partials, strict=True):
                if partial is not None:
                    share = _finite(g * partial)
                    if not share and _finite(g) and _finite(partial):
                        raise self._error(
                            node,
                            f"is {partial!r}: times the gradient {g!r} from above it overflows",
                        )
                    sums[parent] = share and sums.get(parent, True)
        for node, finite in sums.items():
            if finite and not _finite(adjoint[node]):
                raise FloatingPointError(
                    f"the gradients that come in at {operand_text(node)} overflow when added up"
                    f"{_told(self._line(node))}"
                )

    def pushed(self, links: Links, tangents: Mapping[Value, Any]) -> None:
        """Raise if the chain rule made a tangent that is not finite of finite ones."""
        for node, parents, partials in links:
            finite = all(_finite(tangents.get(p)) for p in parents) and all(map(_finite, partials))
            if finite and not _finite(tangents.get(node)):
                raise self._error(
                    node, f"times the tangents of its operands gives {tangents[node]!r}"
                )

    def _line(self, node: Value) -> str | None:
        return self.lines[id(node)][0] if id(node) in self.lines else None

    def _error(self, node: Value, finding: str, known: str | None = None) -> FloatingPointError:
        name = node.op.name if node.op else "a leaf"
        return FloatingPointError(
            f"the derivative of {name} of {operands_text(node.parents)} {finding}"
            f"{_told(self._line(node))}{_told(known)}"
        )


def advice(what: str, operands: tuple[Any, ...]) -> str | None:
    """Return what to do about a known cause, or None.

    >>> from microgrid import exp
    >>> advice("log", ((1 + exp(Value(1.0))),))
    'write softplus(x) for log(1 + exp(x)): it neither overflows nor underflows'
    """
    name, x = what.removeprefix("the derivative of "), operands[0]
    made_by = [_name(x), *map(_name, getattr(x, "parents", ()))]
    stable = "it neither overflows nor underflows"
    if name == "log" and made_by[0] in ("/", "share") and "exp" in made_by[1:]:
        return f"write log_softmax(xs) for the log of a softmax: {stable}"
    if name == "log" and made_by[0] == "sigmoid":
        return f"write log_sigmoid(x) for log(sigmoid(x)): {stable}"
    if name == "log" and made_by[0] == "+" and "exp" in made_by[1:]:
        return f"write softplus(x) for log(1 + exp(x)): {stable}"
    if name == "log" and made_by[0] == "sum" and "exp" in made_by[1:]:
        return f"write logsumexp(xs) for the log of a sum of powers: {stable}"
    if name == "exp":
        return (
            "exp overflows above 709: take logsumexp, log_softmax, softplus or sigmoid where they "
            "say the same"
        )
    if what in ("the derivative of sqrt", "the derivative of **0.5") and _is_square(x):
        return (
            f"{name} is infinitely steep at 0: write abs(x) for the root of x * x, norm(xs) for "
            "that of a sum"
        )
    if what.startswith("the derivative of"):
        return (
            "if the result is multiplied by 0 to leave it out, choose by where(condition, x, y) "
            "instead: it asks for no slope of what it leaves out, and 0 times infinity is nan"
        )
    if name in ("log", "sqrt", "/", "log2", "log10", "log1p", "asin", "acos") or name[:2] == "**":
        return of_branches(name)
    return None


def _is_square(x: Any) -> bool:
    if _name(x) in ("+", "sum"):
        return all(map(_is_square, x.parents))
    if _name(x) == "dot":
        left, right, start = split_dot(x.parents)
        return not start and all(map(operator.is_, left, right))
    return _name(x) == "**2" or (_name(x) == "*" and x.parents[0] is x.parents[1])


def _name(x: Any) -> str:
    return x.op.name if isinstance(x, Value) and x.op else ""


def _finite(x: Any) -> bool:
    number = x.data if isinstance(x, Value) else x
    return number is None or number - number == 0  # a Fraction may be too large for a float


def _told(text: str | None) -> str:
    return f"\n  {text}" if text else ""
