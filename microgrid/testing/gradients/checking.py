"""Are the derivatives of a function right? What the library computes, against differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from ...calculus import OfNumbers, P
from ...guards.checks import LONGEST, quote, require_integers
from .blame import blame
from .differences import KINK, NOISY, OUTSIDE, RIGHT, WRONG, Finding
from .excuses import blame_no_primitive, excuse
from .report import BY_SEVERITY, DerivativeVerdict, GradientReport
from .subject import WAYS, Subject, by_graph, claims
from .sweeps import number

__all__ = ["DerivativeVerdict", "GradientReport", "check_gradients"]


def check_gradients(
    f: OfNumbers[P, object],
    *point: object,
    order: int = 1,
    modes: Sequence[str] = ("reverse", "forward"),
) -> GradientReport:
    """Compare the derivatives of f at a point with differences of f, and return the verdicts.

    f takes numbers, lists, dicts, arrays or models, as with `grad`, and returns one scalar. Each
    input gets a verdict for each mode: "reverse" is `backward()` and `vjp`, "forward" is `jvp`.
    With an order of 2 the derivatives of the gradient are checked as well, and so on. There is no
    step to choose and no tolerance; the module `differences` describes the method.

    Differences have an error of their own, whose bound follows from how well they agree and from
    the rounding of f: a part in ten million of the slope where f is smooth and known to its last
    digits. A derivative is right if it is within the bound, and the bound is at most 2.5e-5 of the
    slope (of the slopes nearby, where it all but vanishes): an error of 1e-4 is never called right.
    A derivative is wrong if it is further off, and neither rounding nor a kink explains it:

    - "at a kink": it lies between the slopes to the left and to the right, of which one is infinite
      at a jump; or a primitive inside f is at its kink, and on either side of the point the
      derivative is right;
    - "loses digits": it is off by no more than its own rounding, as where large numbers cancel;
      `note` names the operation;
    - "outside the domain": f or the derivative is undefined, or overflows on the way;
    - "too noisy to tell": rounding hides the slope.

    None of these is an error, unless a primitive inside f has a wrong partial at its own operands.
    With an order of 2 or more, a derivative is also compared with differences of f itself, as the
    gradient may be right at the point by chance; and so are the gradients that are graphs.

    Raises:
        AssertionError: a derivative is wrong. The primitive to blame is found by checking the
            partials of each node of f's graph at its own operands.
        TypeError: f does not return a single scalar, or has no number to differentiate with respect
            to.
        ValueError: there is no such order or mode; f returns another number when called again, or
            computes with a `Value` itself that was given for an argument.

    >>> import microgrid
    >>> print(check_gradients(lambda x: microgrid.relu(x - 2), 2.0))
    gradients of f: 1 at a kink
    <BLANKLINE>
    derivative  mode              verdict    claimed  left  right  remainder
    ∂f/∂x       reverse, forward  at a kink  0        0     1      h^1.00
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    _require_order_and_modes(order, modes)
    subject = Subject(f, point)
    subject.require_pure()
    verdicts: list[DerivativeVerdict] = []
    for n in range(1, order + 1):
        found, reason = _judge_order(subject, n, modes, verdicts, deeper=n < order)
        verdicts += found
        if reason:
            raise AssertionError(GradientReport(subject.name, tuple(verdicts), reason).failure())
    return GradientReport(subject.name, tuple(verdicts))


def _require_order_and_modes(order: int, modes: Sequence[str]) -> None:
    require_integers(order=order, largest=LONGEST)
    if not isinstance(modes, (list, tuple)) or not modes or not all(m in [*WAYS] for m in modes):
        raise ValueError(f"the modes must be a list of some of {[*WAYS]}, got {quote(modes)}")


def _judge_order(
    subject: Subject,
    order: int,
    modes: Sequence[str],
    lower: Sequence[DerivativeVerdict],
    deeper: bool,
) -> tuple[list[DerivativeVerdict], str]:
    """Return the verdicts on the derivatives of one order, and what is to blame if one is wrong.

    `lower` are those of the orders below. If there are `deeper` ones, the graphs that are
    differentiated there must hold the right numbers as well.
    """
    verdicts = _outside(subject, order, modes) or _compare(subject, order, modes, lower, deeper)
    verdicts = _accuse(subject, order, verdicts)
    if not _wrong(verdicts):
        return verdicts, ""
    below = {k: subject.graph(k) for k in (order - 1, 1) if 0 < k < order}
    if reason := blame(subject.graph(order), *below.values()):
        return verdicts, reason
    verdicts = excuse(subject, verdicts)
    wrong = _wrong(verdicts)
    return verdicts, blame_no_primitive(subject, wrong[0]) if wrong else ""


def _wrong(verdicts: Sequence[DerivativeVerdict]) -> list[DerivativeVerdict]:
    return [verdict for verdict in verdicts if verdict.kind == WRONG]


def _outside(subject: Subject, order: int, modes: Sequence[str]) -> list[DerivativeVerdict]:
    """Return the verdicts where what is differentiated is undefined; none where it is not."""
    try:
        outputs = [number(output) for output in subject.graph(order)[1]]
    except (ArithmeticError, ValueError) as error:
        reason = str(error)
    else:
        if any(map(math.isfinite, outputs)):
            return []
        reason = f"there is no finite value, but {outputs[0]!r}"
    return [
        DerivativeVerdict(name, subject.inputs[places[-1]], order, mode, OUTSIDE, note=reason)
        for name, places in subject.derivatives(order).items()
        for mode in modes
    ]


def _compare(
    subject: Subject,
    order: int,
    modes: Sequence[str],
    lower: Sequence[DerivativeVerdict],
    deeper: bool,
) -> list[DerivativeVerdict]:
    """Return the verdicts on what each mode computes, the worst of all the ways that it has."""
    ways = {mode: [*WAYS[mode], *([by_graph] if deeper else [])] for mode in modes}
    claimed = {mode: [claims(way, subject, order) for way in ways[mode]] for mode in modes}
    judge = _judge(subject, order, {verdict.input for verdict in lower if verdict.kind != RIGHT})
    verdicts = []
    for name, places in subject.derivatives(order).items():
        row, column = subject.row(places), places[-1]
        for mode in modes:
            by_ways = []
            for rows, note in claimed[mode]:
                claim = rows[row][column] if rows else None
                finding = Finding(OUTSIDE) if claim is None else judge(places, claim)
                key = (name, subject.inputs[column], order, mode)
                by_ways.append(DerivativeVerdict(*key, claimed=claim, note=note, **asdict(finding)))
            verdicts.append(max(by_ways, key=lambda verdict: BY_SEVERITY.index(verdict.kind)))
    return verdicts


def _judge(
    subject: Subject, order: int, unsettled: set[str]
) -> Callable[[tuple[int, ...], float], Finding]:
    """Return a function that tells what differences say about derivatives for given inputs.

    From order 2, differences of f itself may call wrong what those of its gradient call right,
    unless an input is `unsettled`: if a derivative of lower order is not right.
    """
    by_graphs = subject.judge(order)
    by_function = subject.judge_mixed() if order > 1 else None

    def judge(places: tuple[int, ...], claim: float) -> Finding:
        finding = by_graphs(subject.row(places), places[-1], claim)
        names = [subject.inputs[i] for i in places]
        if by_function and finding.kind == RIGHT and unsettled.isdisjoint(names):
            mixed = by_function(tuple(sorted(places)), claim)
            return mixed if mixed.kind == WRONG else finding
        return finding

    return judge


def _accuse(
    subject: Subject, order: int, verdicts: list[DerivativeVerdict]
) -> list[DerivativeVerdict]:
    """Return the verdicts, "wrong" for what is in doubt and goes through a wrong primitive.

    Seen from outside of f its kink may be too near, or its noise too loud, to tell.
    """
    doubtful = {verdict.input for verdict in verdicts if verdict.kind in (KINK, NOISY)}
    inputs, outputs = subject.graph(order) if doubtful else ([], [])
    values = dict(zip(subject.inputs, inputs, strict=False))
    if not doubtful or not blame(([values[name] for name in doubtful], outputs)):
        return verdicts
    wrong = {name for name in doubtful if blame(([values[name]], outputs))}
    return [
        replace(verdict, kind=WRONG)
        if verdict.kind in (KINK, NOISY) and verdict.input in wrong
        else verdict
        for verdict in verdicts
    ]
