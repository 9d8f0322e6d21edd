"""Random functions that go through a sequence, turn after turn, with many units in each.

The units are those of a recurrent network, or bodies that move; one turn may be unlike the others,
and so may one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

import microgrid as mg

from .structured import OUTPUTS, Numbers, Structured, Weights

Cell = Callable[[Numbers, Numbers, Any, Weights], tuple[Numbers, Numbers]]

# ---- cells: from the state, which is two lists, an input and the weights to the next state


def elman(h: Numbers, c: Numbers, x: Any, weights: Weights) -> tuple[Numbers, Numbers]:
    """Return the state of a plain recurrent network, and what it was before."""
    n = len(h)
    rows = [weights.take(n + 2) for _ in range(n)]
    return [mg.tanh(mg.dot(row[:n], h) + row[n] * x + row[n + 1]) for row in rows], h


def lstm(h, c, x, weights):
    """Return the state of a network with gates, and its memory."""
    n = len(h)

    def gate(f):
        rows = [weights.take(n + 2) for _ in range(n)]
        return [f(mg.dot(row[:n], h, row[n]) + row[n + 1] * x) for row in rows]

    kept, taken, given, new = gate(mg.sigmoid), gate(mg.sigmoid), gate(mg.sigmoid), gate(mg.tanh)
    c = [a * b + p * q for a, b, p, q in zip(kept, c, taken, new, strict=True)]
    return [g * mg.tanh(m) for g, m in zip(given, c, strict=True)], c


def integrators(h, c, x, weights):
    """Return a step of pendulums that do not know of one another: place and speed."""
    rates = weights.take(len(h))
    c = [v - 0.1 * mg.sin(k * p) + 0.01 * x for k, p, v in zip(rates, h, c, strict=True)]
    return [p + 0.1 * v for p, v in zip(h, c, strict=True)], c


def ring(h, c, x, weights):
    """Return a step of bodies in a ring, each between two springs."""
    return between(h[-1], h, h[0], c, x, weights)


def row(h, c, x, weights):
    """Return a step of bodies in a row: those at the ends are unlike the others."""
    return between(0.0, h, 0.0, c, x, weights)


def between(first, h, last, c, x, weights):
    (k,), places = weights.take(1), [first, *h, last]
    pull = [k * (a - 2 * b + c) for a, b, c in zip(places, places[1:], places[2:], strict=False)]
    c = [0.9 * v + 0.1 * a + 0.01 * x for v, a in zip(c, pull, strict=True)]
    return [p + v for p, v in zip(h, c, strict=True)], c


def mirrored(h: Numbers, c: Numbers, x: Any, weights: Weights) -> tuple[Numbers, Numbers]:
    """Return a state in which each unit reads what has just been computed for another one."""
    new = [mg.tanh(w * p + x) for w, p in zip(weights.take(len(h)), h, strict=True)]
    return [mg.sin(p - q) + r for p, q, r in zip(new, new[::-1], c, strict=True)], new


CELLS = {cell.__name__: cell for cell in (elman, lstm, integrators, ring, row, mirrored)}


def sequence(cell, units, turns, odd_turn=None, odd_unit=None, returned="last"):
    """Return a function that goes through a sequence; one turn and one unit may be unlike others.

    In the odd turn the state is another function of itself first, and so is the odd unit's in each.
    """

    def function(w, xs):
        start = Weights(w).take(2 * units)
        h, c, seen = start[:units], start[units:], []
        for t, x in enumerate(xs):
            if t == odd_turn:
                h = [mg.sin(p) * 0.5 for p in h]
            if odd_unit is not None:
                h = [mg.cos(p) if i == odd_unit else p for i, p in enumerate(h)]
            weights = Weights(w)
            weights.take(2 * units)
            h, c = cell(h, c, x, weights)
            count[0] = max(count[0], weights.count)
            seen.append(h)
        ends = {"last": h, "first units": [each[0] for each in seen]}
        return ends.get(returned) or [mg.dot(each, start[:units]) for each in seen]

    count = [0]
    counted = [0.5] * (2 * units + 8 * units * (units + 2))
    function(counted, [0.5] * turns)
    text = f"{units} units, {cell.__name__}, {turns} turns, {returned} returned"
    planted = f", odd turn {odd_turn}, odd unit {odd_unit}"
    return Structured(text + planted, function, count[0], turns)


@st.composite
def sequences(draw):
    """Draw what goes through a sequence, and what is computed of it."""
    units, turns = draw(st.integers(2, 6)), draw(st.integers(5, 12))
    drawn = sequence(
        CELLS[draw(st.sampled_from(sorted(CELLS)))],
        units,
        turns,
        draw(st.sampled_from([None, None, 0, turns // 2, turns - 1])),
        draw(st.sampled_from([None, None, 0, units - 1])),
        draw(st.sampled_from(["last", "first units", "each turn"])),
    )
    outputs = draw(st.sampled_from(["values", "loss and gradient", "gradients"]))
    return drawn._replace(
        text=f"{outputs} of {drawn.text}", function=OUTPUTS[outputs](drawn.function)
    )


def gradients(cell, units, turns, **planted):
    """Return the program of a loss and its gradients, and how many of its inputs are weights."""
    drawn = sequence(cell, units, turns, **planted)
    return drawn._replace(function=OUTPUTS["loss and gradient"](drawn.function))
