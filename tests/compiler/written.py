"""Functions with loops over scalars, as their authors write them, and what compiles of them.

`structured` draws random ones; these are the networks, recurrences, integrators and algorithms that
people know, in sizes that are large enough for loops and soon compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import microgrid as mg

from .structured import OUTPUTS, Numbers, Structured

Function = Callable[[Sequence[Any], Sequence[Any]], Numbers]


def affine(w: Sequence[Any], xs: Sequence[Any], n: int) -> Numbers:
    """Return n sums of products, each with a number to start from; the weights are in rows."""
    k = len(xs) + 1
    return [mg.dot(w[k * j : k * j + k - 1], xs) + w[k * j + k - 1] for j in range(n)]


def classifier(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the cross-entropies of a network 8-12-5 for each class."""
    hidden = [mg.relu(a) for a in affine(w, x, 12)]
    scores = affine(w[108:], hidden, 5)
    total = mg.logsumexp(scores)
    return [total - s for s in scores]


def autoencoder(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the errors of a network whose weights are used on the way back as well."""
    code = [mg.tanh(a) for a in affine(w, x, 4)]
    back = [sum(w[9 * j + i] * code[j] for j in range(4)) for i in range(8)]
    return [b - a for a, b in zip(x, back, strict=True)]


def convolutions(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return a readout of 6 x 6 numbers: two channels of 3 x 3, the greatest of 2 x 2, again."""
    readout = []
    for c in range(2):
        *kernel, bias = w[10 * c : 10 * c + 10]
        planes = [
            [
                mg.relu(
                    mg.dot(kernel, [x[6 * (i + p) + j + q] for p in range(3) for q in range(3)])
                    + bias
                )
                for j in range(4)
            ]
            for i in range(4)
        ]
        readout += [
            mg.max([planes[i + p][j + q] for p in range(2) for q in range(2)])
            for i in (0, 2)
            for j in (0, 2)
        ]
    return affine(w[20:], readout, 3)


def memory_cells(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the last state of an LSTM of 3 units over 12 numbers."""
    state, cells = [0.0] * 3, [0.0] * 3
    for number in x:
        gates = affine(w, [*state, number], 12)
        forget, write, read = ([mg.sigmoid(g) for g in gates[k : k + 3]] for k in (0, 3, 6))
        new = [mg.tanh(g) for g in gates[9:]]
        cells = [f * c + i * n for f, c, i, n in zip(forget, cells, write, new, strict=True)]
        state = [o * mg.tanh(c) for o, c in zip(read, cells, strict=True)]
    return state


def hidden_states(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the log-likelihood of a hidden Markov model of 3 states and normal observations."""
    logs = [-0.5 * (x[0] - w[9 + s]) ** 2 for s in range(3)]
    for number in x[1:]:
        logs = [
            mg.logsumexp([logs[r] + w[3 * r + s] for r in range(3)])
            - 0.5 * (number - w[9 + s]) ** 2
            for s in range(3)
        ]
    return [mg.logsumexp(logs)]


def kalman_filter(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the mean, the variance and the log-likelihood of a random walk that is observed."""
    q, r = mg.exp(w[0]), mg.exp(w[1])
    mean, variance, total = w[2], mg.exp(w[3]), 0.0
    for number in x:
        variance = variance + q
        spread = variance + r
        gain = variance / spread
        total = total - 0.5 * (mg.log(spread) + (number - mean) ** 2 / spread)
        mean, variance = mean + gain * (number - mean), (1 - gain) * variance
    return [mean, variance, total]


def leapfrog(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return a pendulum with friction after 60 steps."""
    angle, speed, h = x[0], x[1], 0.05
    for _ in range(60):
        speed = speed - h / 2 * (w[0] * mg.sin(angle) + w[1] * speed)
        angle = angle + h * speed
        speed = speed - h / 2 * (w[0] * mg.sin(angle) + w[1] * speed)
    return [angle, speed]


def gravity(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return where 4 bodies in a plane are after 5 steps."""
    places = [(x[2 * i], x[2 * i + 1]) for i in range(4)]
    speeds = [(0.0, 0.0)] * 4
    for _ in range(5):
        forces = []
        for i, (px, py) in enumerate(places):
            fx = fy = 0.0
            for j, (qx, qy) in enumerate(places):
                if i != j:
                    cube = ((qx - px) ** 2 + (qy - py) ** 2 + 0.1) ** 1.5
                    fx, fy = fx + w[j] * (qx - px) / cube, fy + w[j] * (qy - py) / cube
            forces.append((fx, fy))
        speeds = [(a + 0.1 * f, b + 0.1 * g) for (a, b), (f, g) in zip(speeds, forces, strict=True)]
        places = [(p + 0.1 * a, q + 0.1 * b) for (p, q), (a, b) in zip(places, speeds, strict=True)]
    return [number for place in places for number in place]


def cholesky(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the logarithm of a normal density of 6 numbers, whose covariances decay."""
    scale, noise = mg.exp(w[0]), mg.exp(w[1])
    n, lower = len(x), []
    for i in range(n):
        row: Numbers = []
        for j in range(i):
            entry = mg.exp(-scale * abs(i - j)) - mg.dot(row[:j], lower[j][:j])
            row.append(entry / lower[j][j])
        row.append(mg.sqrt(1 + noise - mg.dot(row, row)))
        lower.append(row)
    whitened: Numbers = []
    for i in range(n):
        whitened.append((x[i] - mg.dot(lower[i][:i], whitened)) / lower[i][i])
    return [-0.5 * mg.dot(whitened, whitened) - mg.sum([mg.log(lower[i][i]) for i in range(n)])]


def attention(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return what 4 words of 3 numbers become in a head that attends to all of them."""
    words = [x[3 * i : 3 * i + 3] for i in range(4)]
    queries, keys, values = ([affine(w[12 * k :], word, 3) for word in words] for k in range(3))
    outs = []
    for query in queries:
        scores = [mg.dot(query, key) / 3**0.5 for key in keys]
        total = mg.logsumexp(scores)
        shares = [mg.exp(score - total) for score in scores]
        outs += [mg.dot(shares, [value[k] for value in values]) for k in range(3)]
    return outs


def mixture(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the log-density of a mixture of 6 normal distributions of 3 numbers."""
    parts = []
    for k in range(6):
        mean, logs, share = w[7 * k : 7 * k + 3], w[7 * k + 3 : 7 * k + 6], w[7 * k + 6]
        terms = [
            0.5 * ((a - m) * mg.exp(-s)) ** 2 + s for a, m, s in zip(x, mean, logs, strict=True)
        ]
        parts.append(share - mg.sum(terms))
    return [mg.logsumexp(parts) - mg.logsumexp(w[6::7])]


def optimizer(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return where 40 steps of Adam arrive, whose corrections differ from step to step."""
    place, mean, square = x[0], 0.0, 0.0
    for t in range(1, 41):
        slope = 2 * (place - w[0])
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope * slope
        place = place - w[1] * (mean / (1 - 0.9**t)) / (mg.sqrt(square / (1 - 0.99**t)) + 1e-8)
    return [place]


def graph_network(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
    """Return the numbers of 9 nodes after 3 rounds of messages along edges without any order."""
    edges = [(i, (i * i + 3 * k) % 9) for i in range(9) for k in range(1, 1 + i % 3)]
    nodes = list(x)
    for _ in range(3):
        nodes = [
            mg.tanh(w[0] * nodes[i] + w[1] * mg.sum([nodes[b] for a, b in edges if a == i]))
            for i in range(9)
        ]
    return nodes


SIZES: dict[Function, tuple[int, int]] = {  # the numbers of weights and of inputs
    **{classifier: (173, 8), autoencoder: (36, 8), convolutions: (47, 36), memory_cells: (60, 12)},
    **{hidden_states: (12, 15), kalman_filter: (4, 20), leapfrog: (2, 2), gravity: (4, 8)},
    **{cholesky: (2, 6), attention: (36, 12), mixture: (42, 3), optimizer: (2, 1)},
    **{graph_network: (2, 9)},
}


def written(function: Function, outputs: str) -> Structured:
    """Return a function, and what is computed of it, with the numbers of its arguments."""
    text = f"{outputs} of {function.__name__}"
    return Structured(text, OUTPUTS[outputs](function), *SIZES[function])
