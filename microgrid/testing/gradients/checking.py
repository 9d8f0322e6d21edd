"""Are the derivatives of a function right? What the library computes, against differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ...guards.checks import LONGEST, require_whole_numbers, shown
from .blame import blame
from .differences import KINK, NOISY, OUTSIDE, RIGHT, WRONG, Finding
from .excuses import excused, no_primitive
from .report import BY_SEVERITY, GradientReport, Verdict
from .subject import WAYS, Subject, by_graph, claims, number

__all__ = ["GradientReport", "Verdict", "check_gradients"]


def check_gradients(
    f: Callable[..., Any],
    *point: Any,
    order: int = 1,
    modes: Sequence[str] = ("reverse", "forward"),
) -> GradientReport:
    """Compare the derivatives of f at a point with differences of f, and return the verdicts.

    f takes what `grad` can derive by: numbers, lists, dicts, arrays, models. It returns one scalar.
    Each input gets a verdict for each mode: "reverse" is `backward()` and `vjp`, "forward" is
    `jvp`. With an order of 2 the derivatives of the gradient are checked as well, and so on. There
    is no step to choose and no tolerance: the module `differences`, beside this one, describes the
    method.

    Differences have an error of their own, bounded by how well they agree and by the rounding of f:
    it is a part in ten million of the slope where f is smooth and known to its last digits. A
    derivative is right if it is within the bound, and the bound is at most 2.5e-5 of the slope (of
    the slopes nearby, where it all but vanishes): what is off by 1e-4 is never called right. It is
    wrong if it is further off, and neither rounding nor a kink explains it:

    - "at a kink": it lies between the slopes to the left and to the right, of which one is infinite
      at a jump; or a primitive inside of f is at its kink, and beside the point, on either side,
      the derivative is right;
    - "loses digits": it is off by no more than its own rounding, as where large numbers cancel;
      `note` names the operation;
    - "outside the domain": f or the derivative is undefined, or too large for a float on the way;
    - "too noisy to tell": rounding hides the slope.

    None of these is an error, unless a primitive inside of f has a wrong partial at its own
    operands. With an order of 2 or more, that derivative is also compared with differences of f of
    the same order, as the gradient may be right at the point by chance; and the gradient that is a
    graph is checked like that on floats.

    Raises:
        AssertionError: a derivative is wrong. The primitive to blame is found by checking the
            partials of each node of f's graph at its own operands.
        TypeError: f returns no single scalar, or there is nothing to derive by.
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
    verdicts: list[Verdict] = []
    for n in range(1, order + 1):
        found = _outside(subject, n, modes) or _verdicts(subject, n, modes, verdicts, n < order)
        found = _accused(subject, n, found)
        if any(verdict.kind == WRONG for verdict in found):
            below = {k: subject.graph(k) for k in (n - 1, 1) if 0 < k < n}
            reason = blame(subject.graph(n), *below.values())
            found = found if reason else excused(subject, found)
            if wrong := [verdict for verdict in found if verdict.kind == WRONG]:
                reason = reason or no_primitive(subject, wrong[0])
                report = GradientReport(subject.name, (*verdicts, *found), reason)
                raise AssertionError(report.failure())
        verdicts += found
    return GradientReport(subject.name, tuple(verdicts))


def _require_order_and_modes(order: int, modes: Sequence[str]) -> None:
    require_whole_numbers(order=order, largest=LONGEST)
    if not isinstance(modes, (list, tuple)) or not modes or not all(m in [*WAYS] for m in modes):
        raise ValueError(f"the modes must be a list of some of {[*WAYS]}, got {shown(modes)}")


def _accused(subject: Subject, order: int, verdicts: list[Verdict]) -> list[Verdict]:
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


def _outside(subject: Subject, order: int, modes: Sequence[str]) -> list[Verdict]:
    """Return the verdicts where what this order derives is undefined; none where it is not."""
    try:
        outputs = [number(output) for output in subject.graph(order)[1]]
    except (ArithmeticError, ValueError) as error:
        reason = str(error)
    else:
        if any(map(math.isfinite, outputs)):
            return []
        reason = f"there is no finite value, but {outputs[0]!r}"
    return [
        Verdict(name, subject.inputs[places[-1]], order, mode, OUTSIDE, note=reason)
        for name, places in subject.derivatives(order).items()
        for mode in modes
    ]


def _verdicts(
    subject: Subject, order: int, modes: Sequence[str], lower: Sequence[Verdict], deeper: bool
) -> list[Verdict]:
    """Return the verdicts on the derivatives of this order, as each mode computes them.

    `lower` are those of the orders below. If there are `deeper` ones, the graphs that these derive
    must hold the right numbers as well.
    """
    ways = {mode: [*WAYS[mode], *([by_graph] if deeper else [])] for mode in modes}
    claimed = {mode: [claims(way, subject, order) for way in ways[mode]] for mode in modes}
    by_graphs = subject.judge(order)
    by_function = subject.judge_mixed() if order > 1 else None
    unsettled = {verdict.input for verdict in lower if verdict.kind != RIGHT}

    def judged(places: tuple[int, ...], claim: float | None) -> Finding:
        if claim is None:
            return Finding(OUTSIDE)
        finding = by_graphs(subject.row(places), places[-1], claim)
        names = [subject.inputs[i] for i in places]
        if by_function and finding.kind == RIGHT and unsettled.isdisjoint(names):
            mixed = by_function(tuple(sorted(places)), claim)
            return mixed if mixed.kind == WRONG else finding
        return finding

    verdicts = []
    for name, places in subject.derivatives(order).items():
        row, column = subject.row(places), places[-1]
        for mode in modes:
            found = []
            for rows, note in claimed[mode]:
                claim = rows[row][column] if rows else None
                found.append(
                    Verdict(
                        *(name, subject.inputs[column], order, mode),
                        claimed=claim,
                        note=note,
                        **asdict(judged(places, claim)),
                    )
                )
            verdicts.append(max(found, key=lambda verdict: BY_SEVERITY.index(verdict.kind)))
    return verdicts
