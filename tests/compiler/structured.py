"""Random functions that have structure, as people write them: with loops over lists of numbers.

`programs` of `microgrid.testing` are formulas in which no two parts are alike. Here are layers,
convolutions, recurrences, integrators, triangles and reductions, one after another, and in some of
them something is planted that is not like the rest: one odd neuron, an edge that is missing, a
constant among numbers, a weight that is used twice, inputs in another order.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import microgrid as mg
from microgrid.compiler import Program
from microgrid.compiler.passes import optimize_graph
from microgrid.compiler.trace import trace

Numbers = list[Any]
MOST_NUMBERS = 12  # on their way from a stage to the next one
MOST_STAGES = 3


class Weights:
    """Numbers that all rows share, handed out one after another; without a list they are counted.

    Those of `reused` are given a second time in the place of the next one.
    """

    def __init__(self, numbers: Sequence[Any] | None = None, reused: Sequence[int] = ()) -> None:
        self.numbers, self.reused, self.count, self.calls = numbers, set(reused), 0, 0

    def take(self, n: int) -> Numbers:
        """Return the next n numbers."""
        return [self._next() for _ in range(n)]

    def _next(self) -> Any:
        self.calls += 1
        self.count += self.count == 0 or self.calls not in self.reused
        return 0.5 if self.numbers is None else self.numbers[self.count - 1]


Apply = Callable[[Numbers, Weights], Numbers]


class Stage(NamedTuple):
    """A part of a function: `apply` makes numbers of numbers. `text` tells what it is."""

    text: str
    apply: Apply


class Structured(NamedTuple):
    """A function of a list of weights and a list of inputs, which returns a list; and how many."""

    text: str
    function: Callable[[Sequence[Any], Sequence[Any]], Numbers]
    weights: int
    inputs: int

    def program(self) -> Program:
        """Return what `compile` makes of it: the inputs are the weights, then the others."""
        names = [*(f"w{i}" for i in range(self.weights)), *(f"x{i}" for i in range(self.inputs))]
        given = lambda xs: ((xs[: self.weights], xs[self.weights :]), {})  # noqa: E731
        return trace(self.function, names, given, optimize_graph).program

    def __repr__(self) -> str:
        return f"{self.text}, of {self.weights} weights and {self.inputs} inputs"


# ---- what stages are made of


def identity(x: Any) -> Any:
    return x


ACTIVATIONS = {
    **{"": identity, "tanh": mg.tanh, "relu": mg.relu, "sigmoid": mg.sigmoid, "sin": mg.sin},
    **{"softplus": mg.softplus, "leaky_relu": mg.leaky_relu, "square": lambda x: x * x / 2},
}
# How somebody writes a sum of products and maybe a number to start from.
COMBINATIONS: dict[str, Callable[..., Any]] = {
    "dot": lambda ws, xs, *start: mg.dot(ws, xs, *start),
    "dot +": lambda ws, xs, *start: reduce(operator.add, start, mg.dot(ws, xs)),
    "sum": lambda ws, xs, *start: mg.sum([*start, *map(operator.mul, ws, xs)]),
    "+ from the left": lambda ws, xs, *start: sum(map(operator.mul, ws, xs), *start),
    "+ from the right": lambda ws, xs, *start: sum([*map(operator.mul, ws, xs)][::-1], *start),
}


def activations():
    return st.sampled_from(sorted(ACTIVATIONS))


def combinations():
    return st.sampled_from(sorted(COMBINATIONS))


def sums_of_squares(xs: Numbers) -> Any:
    return mg.sum([x * x for x in xs])


# ---- stages: each returns its text, and from numbers and weights makes numbers


@st.composite
def layers(draw) -> Stage:
    """Draw a layer of neurons, one of which may lack an edge, be odd or have a constant bias."""
    n, how, name = draw(st.integers(1, 7)), draw(combinations()), draw(activations())
    by_input = draw(st.booleans())  # where the weights of an input are together
    bias = draw(st.sampled_from(["each", "one", "none"]))
    planted = draw(st.sampled_from(["", "", "edge", "odd", "constant"]))
    which = draw(st.integers(0, n - 1))

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        m = len(xs)
        matrix = weights.take(n * m)
        rows = [matrix[j::n] if by_input else matrix[j * m : (j + 1) * m] for j in range(n)]
        biases = {"each": n, "one": 1, "none": 0}[bias]
        starts = [weights.take(1) for _ in range(biases)] * (n if biases == 1 else 1) or [[]] * n
        outs = []
        for j, (row, start) in enumerate(zip(rows, starts, strict=True)):
            is_planted, own, ins, f = j == which, row, xs, ACTIVATIONS[name]
            if is_planted and planted == "edge" and m > 1:
                own, ins = row[:-1], xs[:-1]
            if is_planted and planted == "constant":
                start = [0.25]
            if is_planted and planted == "odd":
                f = mg.cos
            outs.append(f(COMBINATIONS[how](own, ins, *start)))
        return outs

    text = f"{n} neurons {name} by {how}, bias {bias}{', weights by input' * by_input}"
    return Stage(text + (f", {planted} at {which}" if planted else ""), apply)


@st.composite
def convolutions(draw) -> Stage:
    """Draw a convolution along the numbers, whose weights all places share."""
    width, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stride, how, name = draw(st.integers(1, 2)), draw(combinations()), draw(activations())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        taps = min(width, len(xs))
        outs = []
        for _ in range(channels):
            kernel, bias = weights.take(taps), weights.take(1)
            for i in range(0, len(xs) - taps + 1, stride):
                outs.append(ACTIVATIONS[name](COMBINATIONS[how](kernel, xs[i : i + taps], *bias)))
        return outs

    return Stage(f"convolution {width} x {channels}, stride {stride}, {name} by {how}", apply)


@st.composite
def elementwise(draw) -> Stage:
    """Draw what is done to each number, with a weight or a constant of its own."""
    name = draw(activations())
    operand = draw(st.sampled_from(["nothing", "weights", "constants", "one constant", "weight"]))
    op = draw(st.sampled_from([operator.add, operator.mul, operator.sub]))
    is_left = draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        n = len(xs)
        others = {
            "weights": lambda: weights.take(n),
            "weight": lambda: weights.take(1) * n,
            "constants": lambda: [0.5 + i / 8 for i in range(n)],
            "one constant": lambda: [0.75] * n,
        }
        if operand in others:
            pairs = list(zip(xs, others[operand](), strict=True))
            xs = [op(x, y) if is_left else op(y, x) for x, y in pairs]
        return [ACTIVATIONS[name](x) for x in xs]

    return Stage(f"{name} of each {op.__name__} {operand}{' on the right' * is_left}", apply)


@st.composite
def recurrences(draw) -> Stage:
    """Draw a recurrent network, whose weights all steps share, and of which all states may stay."""
    units, all_states = draw(st.integers(1, 3)), draw(st.booleans())
    how, name = draw(combinations()), draw(st.sampled_from(["tanh", "sin", "sigmoid"]))
    starts_at_0 = draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        rows, biases = [weights.take(units + 1) for _ in range(units)], weights.take(units)
        state = [0.0] * units if starts_at_0 else weights.take(units)
        outs = []
        for x in xs:
            state = [
                ACTIVATIONS[name](COMBINATIONS[how](row, [*state, x], bias))
                for row, bias in zip(rows, biases, strict=True)
            ]
            outs += state
        return outs if all_states else state

    states = "all states" if all_states else "the last state"
    return Stage(f"recurrence of {units} {name} by {how}, {states}", apply)


@st.composite
def integrators(draw) -> Stage:
    """Draw steps of a method for differential equations, of two numbers."""
    steps, all_states = draw(st.integers(2, 12)), draw(st.booleans())
    order = draw(st.sampled_from([1, 2]))

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        a, b, c = weights.take(3)
        p, q, rest = xs[0], xs[-1], xs[1:-1]
        outs = []

        def slope(p: Any, q: Any) -> tuple[Any, Any]:
            return a * p - b * p * q, c * p * q - q

        for _ in range(steps):
            dp, dq = slope(p, q)
            if order == 2:
                dp, dq = slope(p + 0.025 * dp, q + 0.025 * dq)
            p, q = p + 0.05 * dp, q + 0.05 * dq
            outs += [p, q]
        return rest + (outs if all_states else [p, q])

    states = "all states" if all_states else "the last state"
    return Stage(f"{steps} steps of order {order}, {states}", apply)


@st.composite
def triangles(draw) -> Stage:
    """Draw sums of the first number, of two, of three and so on."""
    how, own, name = draw(combinations()), draw(st.booleans()), draw(activations())
    upper = draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        n = len(xs)
        ends = range(n) if upper else range(1, n + 1)
        parts = [xs[i:] if upper else xs[:i] for i in ends]
        row = weights.take(n)
        outs = [
            COMBINATIONS[how](weights.take(len(part)) if own else row[: len(part)], part)
            for part in parts
        ]
        return [ACTIVATIONS[name](x) for x in outs]

    rows = "weights of their own" if own else "one list of weights"
    return Stage(f"{'upper' * upper or 'lower'} triangle {name} by {how}, {rows}", apply)


@st.composite
def pairs(draw) -> Stage:
    """Draw what each two numbers do: products, and forces that are added up for each."""
    forces = draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        xs = xs[:5]
        bodies = list(zip(xs, weights.take(len(xs)), strict=True))
        if not forces:
            return [x * w for x in xs for _, w in bodies]
        return [
            mg.sum([w * (y - x) / (1 + (y - x) ** 2) for y, w in bodies[:i] + bodies[i + 1 :]])
            for i, x in enumerate(xs)
        ]

    return Stage("forces of pairs" if forces else "outer product", apply)


@st.composite
def stencils(draw) -> Stage:
    """Draw steps of an equation in time and space, with fixed ends or none, and their sizes."""
    steps, is_ring = draw(st.integers(1, 5)), draw(st.booleans())
    shrinks = draw(st.booleans())  # the steps, of constants that differ from step to step

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        rate, n = weights.take(1)[0], len(xs)
        for t in range(steps):
            h = 0.25 / (1 + t * shrinks)
            left, right = [xs[i - 1] for i in range(n)], [xs[(i + 1) % n] for i in range(n)]
            if not is_ring:
                left[0], right[-1] = 0.0, 1.0
            triples = zip(left, xs, right, strict=True)
            xs = [x + h * rate * (a - 2 * x + b) for a, x, b in triples]
        return xs

    ends = "a ring" if is_ring else "fixed ends"
    return Stage(f"{steps} steps of a stencil, {ends}{', that shrink' * shrinks}", apply)


@st.composite
def polynomials(draw) -> Stage:
    """Draw a polynomial of each number, by Horner's rule, or of the number and the one before."""
    degree, own, goes_on = draw(st.integers(1, 5)), draw(st.booleans()), draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        coefficients, outs = weights.take(degree + 1), []
        for x in xs:
            first, *others = weights.take(degree + 1) if own else coefficients
            value = first * outs[-1] if goes_on and outs else first
            for c in others:
                value = value * mg.sin(x) + c
            outs.append(value)
        return outs

    kinds = f"{'own coefficients' if own else 'shared ones'}{', each with the last' * goes_on}"
    return Stage(f"polynomials of degree {degree}, {kinds}", apply)


@st.composite
def choices(draw) -> Stage:
    """Draw what a comparison with a weight, a constant or the next number decides."""
    other = draw(st.sampled_from(["weights", "weight", "constant", "next"]))

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        n = len(xs)
        others = {
            "weights": lambda: weights.take(n),
            "weight": lambda: weights.take(1) * n,
            "constant": lambda: [0.125] * n,
            "next": lambda: [*xs[1:], 0.5],
        }[other]()
        pairs = zip(xs, others, strict=True)
        return [mg.where(x < y, x * x - y, mg.maximum(x, 2.0 * y)) for x, y in pairs]

    return Stage(f"choices by {other}", apply)


@st.composite
def attentions(draw) -> Stage:
    """Draw means of all numbers for each, with weights of a softmax, past ones alone or all."""
    is_causal = draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        xs, (query, value) = xs[:5], weights.take(2)
        outs = []
        for i, x in enumerate(xs):
            seen = xs[: i + 1] if is_causal else xs
            scores = [query * x * y for y in seen]
            total = mg.logsumexp(scores)
            outs.append(mg.dot([mg.exp(s - total) for s in scores], [value * y for y in seen]))
        return outs

    return Stage(f"{'causal ' * is_causal}attention", apply)


REDUCTIONS: dict[str, Callable[[Numbers], Any]] = {
    **{"logsumexp": mg.logsumexp, "max": mg.max, "min": mg.min, "sum": mg.sum},
    "prod": lambda xs: mg.prod([mg.sin(x) for x in xs]),
    "norm": lambda xs: mg.sqrt(1 + sums_of_squares(xs)),
    "mean": lambda xs: mg.sum(xs) / len(xs),
}


@st.composite
def reductions(draw) -> Stage:
    """Draw one number of all, alone or taken from each."""
    name, keep = draw(st.sampled_from(sorted(REDUCTIONS))), draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        total = REDUCTIONS[name](xs)
        return [x - total for x in xs] if keep else [total]

    return Stage(f"each minus the {name}" if keep else f"the {name}", apply)


@st.composite
def orders(draw) -> Stage:
    """Draw another order of the numbers: any, or that of a matrix by columns."""
    seed, by_columns = draw(st.integers(0, 9)), draw(st.booleans())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        if by_columns:
            return [x for i in range(2) for x in xs[i::2]]
        return [xs[i] for i in np.random.default_rng(seed).permutation(len(xs))]

    return Stage("by columns" if by_columns else f"order {seed}", apply)


@st.composite
def odd_numbers(draw) -> Stage:
    """Draw a change of one number alone: into a constant, a copy, or something of its own."""
    i, name = draw(st.integers(0, 9)), draw(st.sampled_from(["constant", "copy", "exp"]))
    change = {"constant": lambda xs: 0.5, "copy": lambda xs: xs[0]}.get(
        name, lambda xs: mg.exp(mg.sin(xs[i % len(xs)]))
    )

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        return [change(xs) if j == i % len(xs) else x for j, x in enumerate(xs)]

    return Stage(f"{name} at {i}", apply)


@st.composite
def shared_parts(draw) -> Stage:
    """Draw factors that all rows share, and that are computed from weights."""
    name = draw(activations())

    def apply(xs: Numbers, weights: Weights) -> Numbers:
        ws, more = weights.take(len(xs)), weights.take(1)
        factors = [ACTIVATIONS[name](w * more[0]) + w for w in ws]
        return [x * y for x, y in zip(xs, factors, strict=True)]

    return Stage(f"times {name} of weights", apply)


STAGES = {
    **{"layer": layers, "convolution": convolutions, "recurrence": recurrences},
    **{"integrator": integrators, "triangle": triangles, "pairs": pairs, "each": elementwise},
    **{"reduction": reductions, "order": orders, "odd": odd_numbers, "shared": shared_parts},
    **{"stencil": stencils, "polynomial": polynomials, "choice": choices},
    "attention": attentions,
}


def stages() -> st.SearchStrategy[Stage]:
    """Return a strategy for stages of any kind; half of them have the loops of a network."""
    networks = st.one_of(layers(), layers(), convolutions(), recurrences())
    return networks | st.one_of([strategy() for strategy in STAGES.values()])


# ---- functions


# From a function of weights and inputs that returns a list: what is computed of it.
OUTPUTS: dict[str, Callable[[Callable[..., Numbers]], Callable[..., Any]]] = {
    "values": lambda f: f,
    "values, some twice": lambda f: lambda w, x: [*f(w, x), *f(w, x)[:2], *w[:1], 0.5],
    "loss": lambda f: lambda w, x: [sums_of_squares(f(w, x))],
    "loss and gradient": lambda f: lambda w, x: of_loss(f, mg.value_and_grad, 0)(w, x),
    "gradients": lambda f: lambda w, x: of_loss(f, mg.grad, (0, 1))(w, x),
    "gradient by inputs": lambda f: lambda w, x: of_loss(f, mg.grad, 1)(w, x),
    "values and gradient": lambda f: lambda w, x: [*f(w, x), *of_loss(f, mg.grad, 0)(w, x)],
    "gradient of the gradient's square": lambda f: (
        lambda w, x: mg.grad(lambda w: sums_of_squares(of_loss(f, mg.grad, 1)(w, x)))(w)
    ),
    "along the inputs": lambda f: lambda w, x: flat(mg.jvp(lambda x: f(w, x), (x,), (x,))),
}


def of_loss(f: Callable[..., Numbers], transform: Any, argnums: Any) -> Callable[..., Numbers]:
    """Return a derivative of the sum of squares, as a list."""
    derivative = transform(lambda w, x: sums_of_squares(f(w, x)), argnums=argnums)
    return lambda w, x: flat(derivative(w, x))


def flat(tree: Any) -> Numbers:
    """Return the numbers of a list of lists."""
    if isinstance(tree, (list, tuple)):
        return [x for part in tree for x in flat(part)]
    return [tree]


@st.composite
def structured(
    draw,
    most_numbers: int = MOST_NUMBERS,
    most_stages: int = MOST_STAGES,
    stage: str | None = None,
) -> Structured:
    """Draw some stages, one after another, and what is computed of them.

    With the name of a stage, that one is among them.
    """
    inputs = draw(st.integers(1, most_numbers))
    chain = draw(st.lists(stages(), min_size=stage is None, max_size=most_stages))
    if stage:
        chain.insert(draw(st.integers(0, len(chain))), draw(STAGES[stage]()))
    is_added = draw(st.booleans())  # what comes out of the first stage to what comes out at last
    reused = draw(st.sampled_from([(), (), (2,), (5, 9)]))
    outputs = draw(st.sampled_from(sorted(OUTPUTS)))

    def run(weights: Weights, xs: Sequence[Any]) -> Numbers:
        numbers = first = chain[0].apply(list(xs), weights)[:most_numbers]
        for stage in chain[1:]:
            numbers = stage.apply(numbers, weights)[:most_numbers]
        return [*map(operator.add, first, numbers)] if is_added else numbers

    counted = Weights(reused=reused)
    run(counted, [0.5] * inputs)

    def function(w: Sequence[Any], x: Sequence[Any]) -> Numbers:
        return run(Weights(w, reused), x)

    text = f"{outputs} of " + ", then ".join(stage.text for stage in chain)
    text += ", added to the first" * is_added + f", weights {reused} twice" * bool(reused)
    return Structured(text, OUTPUTS[outputs](function), max(counted.count, 1), inputs)


def numbers_for(drawn: Structured, rows: int, seed: int = 0) -> tuple[Any, list[Any]]:
    """Return weights, smaller where there are many, and columns of so many rows."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=drawn.weights) / drawn.weights**0.25
    return weights, list(random.normal(size=(drawn.inputs, rows)))
