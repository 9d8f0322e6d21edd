"""The source of the first infinity or nan: the operation, its operands and the line of code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import is_
from weakref import ref

from .core.failures import operation_error
from .core.graph import dependents
from .core.modes import Mode, watched
from .core.primitive import (
    Operand,
    Primitive,
    add,
    advice_on_branches,
    divide,
    log,
    multiply,
    operand_text,
    operands_text,
    pow_,
    pow_fixed,
    power,
)
from .engine import Value
from .functional import (
    Number,
    acos,
    asin,
    dot_,
    exp,
    log1p,
    log2,
    log10,
    share,
    sigmoid,
    split_dot,
    sqrt,
    sum_,
)
from .guards.callers import line_of_caller

__all__ = ["detect_anomaly"]

UNDEFINED_SOMEWHERE = {log, log1p, log2, log10, sqrt, asin, acos, divide, pow_, pow_fixed}
Links = Iterable[tuple[Value, Iterable[Value], Iterable[Number | None]]]


class detect_anomaly(Mode):
    """Raise at the first operation, forward or backward, that makes inf or nan of finite numbers.

    The error names the operation, its operands and the line that made the node, with advice where
    the cause is a known one; so do the errors that are raised anyway inside, such as that of 1 / 0.
    It is for this thread, can be nested, and is a decorator too. Outside, it costs nothing.

    Raises:
        FloatingPointError: an operation, or the chain rule behind it, made such a number.

    >>> from microgrid import sqrt
    >>> x = Value(0.0, label="x")
    >>> with detect_anomaly():
    ...     y = sqrt(x * x)
    ...     y.backward()
    Traceback (most recent call last):
        ...
    ZeroDivisionError: the derivative of sqrt of 0.0: ...division by zero
      made in line 2 of <doctest microgrid.anomaly.detect_anomaly[2]>: y = sqrt(x * x)
      sqrt is infinitely steep at 0: write abs(x) for the root of x * x, norm(xs) for that of a sum
    """

    _blocks = watched

    def _meaning(self, outer: _Watch | None) -> _Watch:
        return outer or _Watch()


class _Watch:
    """What `record`, `backward` and the transforms report to while they are watched."""

    def __init__(self) -> None:
        # by a node's identity, and as long as it lives: a WeakKeyDictionary would not find a nan,
        # which is not == itself
        self.lines: dict[int, tuple[str, ref[Value]]] = {}

    def check_node(self, node: Value, op: Primitive, operands: Sequence[Value]) -> None:
        """Remember the line that made a node; raise if it is not finite and its operands are."""
        line, key = line_of_caller(), id(node)
        self.lines[key] = line, ref(node, lambda _: self.lines.pop(key, None))
        if not _is_finite(node) and all(map(_is_finite, operands)):
            finding = f"{op.name} of {operands_text(operands)} gives {operand_text(node)}"
            raise _error(finding, line, advice(op, operands))

    def check_partials(self, node: Value, partials: Iterable[Number | None]) -> None:
        """Raise if a node's partials are not all finite, though it and its operands are."""
        if all(map(_is_finite, (node, *node.parents))):
            for i, partial in enumerate(partials):
                if not _is_finite(partial):
                    known = advice(node.op, node.parents, of_derivative=True)
                    raise self._error(node, f"with respect to operand {i} is {partial!r}", known)

    def check_sums(self, sums: Mapping[Value, Number | None]) -> None:
        """Raise if a sum of `backward` is not finite, of finite ones, at what depends on a leaf."""
        needed = dependents(sums, [node for node in sums if node.op is None])
        passed = [n for n in reversed([*sums]) if n.parents and sums[n] is not None]
        self.check_pull([(n, n.parents, n.partials()) for n in passed if n in needed], sums)

    def check_pull(self, links: Links, adjoint: Mapping[Value, Number | None]) -> None:
        """Raise if the chain rule made a gradient that is not finite of finite ones."""
        sums: dict[Value, bool] = {}  # whether all that was added up is finite
        for node, parents, partials in links:
            g = adjoint.get(node)
            if g is None:
                continue
            if _is_finite(g):
                self.check_partials(node, partials)
            for parent, partial in zip(parents, partials, strict=True):
                if partial is not None:
                    is_finite = _is_finite(g * partial)
                    if not is_finite and _is_finite(g) and _is_finite(partial):
                        raise self._error(
                            node,
                            f"is {partial!r}: times the gradient {g!r} from above it overflows",
                        )
                    sums[parent] = is_finite and sums.get(parent, True)
        for node, of_finite in sums.items():
            if of_finite and not _is_finite(adjoint[node]):
                finding = (
                    f"the gradients that come in at {operand_text(node)} overflow when added up"
                )
                raise _error(finding, self._line(node))

    def check_push(self, links: Links, tangents: Mapping[Value, Number]) -> None:
        """Raise if the chain rule made a tangent that is not finite of finite ones."""
        for node, parents, partials in links:
            of_finite = all(map(_is_finite, [*map(tangents.get, parents), *partials]))
            if of_finite and not _is_finite(tangents.get(node)):
                raise self._error(
                    node, f"times the tangents of its operands gives {tangents[node]!r}"
                )

    def explain(
        self,
        op: Primitive | str,
        operands: Sequence[Number],
        of_derivative: bool,
        node: Value | None,
    ) -> str:
        """Return the lines to add to an error that an operation, or its derivative, raised."""
        line = line_of_caller() if node is None else self._line(node)
        known = "" if isinstance(op, str) else advice(op, operands, of_derivative)
        return _lines(line, known)

    def _line(self, node: Value) -> str:
        return self.lines[id(node)][0] if id(node) in self.lines else ""

    def _error(self, node: Value, finding: str, known: str = "") -> Exception:
        name = node.op.name if node.op else "a leaf"
        subject = f"the derivative of {name} of {operands_text(node.parents)}"
        return _error(f"{subject} {finding}", self._line(node), known)


def advice(op: Primitive | None, operands: Sequence[Number], of_derivative: bool = False) -> str:
    """Return what to do where an operation, or its derivative, fails for a known cause, or "".

    >>> advice(log, [1 + exp(Value(1.0))])
    'write softplus(x) for log(1 + exp(x)): it neither overflows nor underflows'
    """
    if op is None:
        return ""
    x, instead = operands[0], _instead_of_log(operands[0]) if op is log else ""
    if instead:
        return f"{instead}: it neither overflows nor underflows"
    if op is exp:
        return (
            "exp overflows above 709: take logsumexp, log_softmax, softplus or sigmoid where they "
            "say the same"
        )
    if of_derivative and (op is sqrt or _exponent(op) == 0.5) and _is_square(x):
        return (
            f"{op.name} is infinitely steep at 0: write abs(x) for the root of x * x, norm(xs) for "
            "that of a sum"
        )
    if of_derivative:
        return (
            "if the result is multiplied by 0 to leave it out, choose by where(condition, x, y) "
            "instead: it asks for no slope of what it leaves out, and 0 times infinity is nan"
        )
    if op in UNDEFINED_SOMEWHERE or _exponent(op) is not None:
        return advice_on_branches(op.name)
    return ""


def _instead_of_log(x: Number) -> str:
    """Return which function to write for the log of x, "" if there is none."""
    if not isinstance(x, Value):
        return ""
    of_exp = exp in [parent.op for parent in x.parents]
    if x.op in (divide, share) and of_exp:
        return "write log_softmax(xs) for the log of a softmax"
    if x.op is sigmoid:
        return "write log_sigmoid(x) for log(sigmoid(x))"
    if x.op is add and of_exp:
        return "write softplus(x) for log(1 + exp(x))"
    if x.op is sum_ and of_exp:
        return "write logsumexp(xs) for the log of a sum of powers"
    return ""


def _is_square(x: Number) -> bool:
    if not isinstance(x, Value) or x.op is None:
        return False
    if x.op in (add, sum_):
        return all(map(_is_square, x.parents))
    if x.op is dot_:
        left, right, start = split_dot(x.parents)
        return not start and all(map(is_, left, right))
    return _exponent(x.op) == 2 or (x.op is multiply and x.parents[0] is x.parents[1])


def _exponent(op: Primitive) -> float | None:
    """Return the exponent of x to a constant power; None of any other operation."""
    exponent: float | None = op.constants[0] if op.family == power.__name__ else None
    return exponent


def _is_finite(x: Number | None) -> bool:
    if isinstance(x, Operand) and not isinstance(x, Value):
        return True  # a row of a matrix: its numbers are looked at where they are multiplied
    number = x.data if isinstance(x, Value) else x
    return number is None or number - number == 0  # a Fraction may be too large for a float


def _error(finding: str, *advice: str) -> Exception:
    return operation_error(FloatingPointError, finding, _lines(*advice))


def _lines(*texts: str) -> str:
    return "\n  ".join(filter(None, texts))
