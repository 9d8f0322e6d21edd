"""Loops over time: what repeats in a program is one loop in its kernel, and no bit tells."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Primitive
from microgrid.compiler import Program
from microgrid.compiler.ir.machine import this_machine
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.loops import chains, repeats
from microgrid.compiler.loops import partition as partitions
from microgrid.compiler.loops.steps import Steps
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.passes import optimize_graph
from microgrid.compiler.program import Goal
from microgrid.compiler.trace import trace
from tests.search import usual

PARAMETERS = 3  # of a recurrence; its state and its inputs come after them


def traced(f, count):
    """Return the optimised program of a function of so many numbers."""
    names = [f"x{i}" for i in range(count)]
    return trace(f, names, lambda xs: (xs, {}), optimize_graph).program


def kernels(program, **options):
    """Return a program's kernel with loops, however little repeats, and its kernel without."""
    with (
        patch.object(repeats, "STEP_SCALE", repeats.STEP_SCALE._replace(least=8, many=6)),
        patch.object(chains, "MOST_TERMS", 3),
        patch.object(partitions, "MOST_TERMS", 3),
    ):
        rolled = ArrayKernel(program, write=KernelText, **options)
    with patch.object(partitions, "find_repeats", lambda *_: []):
        straight = ArrayKernel(program, write=KernelText, **options)
    return rolled, straight


def loops(kernel):
    """Return the loops of a kernel, those over what all rows share as well."""
    parts = kernel.text.partition
    return [part.turns for part in (*parts.once, *parts.rows) if part.turns]


# ---- random recurrences

OPERATIONS = {
    "x + y": lambda x, y, k: x + y,
    "x - ky": lambda x, y, k: x - k * y,
    "x * y": lambda x, y, k: x * y,
    "x / (2 + yy)": lambda x, y, k: x / (2.0 + y * y),
    "tanh": lambda x, y, k: mg.tanh(x + k),
    "sin": lambda x, y, k: mg.sin(x) * y,
    "dot": lambda x, y, k: mg.dot([x, y, k], [y, k, x]),
    "where": lambda x, y, k: mg.where(x < y, x * k, y),
    "max": lambda x, y, k: mg.maximum(x, y) - k,
}


@st.composite
def recurrences(draw):
    """Draw a function whose state goes through turns, and how many numbers it takes.

    A turn may use parameters, an input, a constant of its own, and what was two turns before; one
    turn may be unlike the others; and what is returned may be the state, at the end or turn by
    turn, or its derivatives.
    """
    size, turns = draw(st.integers(1, 3)), draw(st.integers(6, 16))
    names = draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=5))
    sources = draw(st.lists(st.tuples(*[st.integers(0, 99)] * 2), min_size=5, max_size=5))
    has_inputs, changes = draw(st.booleans()), draw(st.booleans())
    odd = draw(st.sampled_from([None, None, 0, turns // 2, turns - 1]))
    farther = draw(st.sampled_from([0.0, 0.25]))
    returned = draw(st.sampled_from(["last", "all", "every second", "sum", "gradient", "both"]))

    def outputs(*numbers):
        parameters, state = numbers[:PARAMETERS], list(numbers[PARAMETERS : PARAMETERS + size])
        inputs, before, kept = numbers[PARAMETERS + size :], list(state), []
        for turn in range(turns):
            last, known = list(state), [*parameters, *before, *state]
            known += [inputs[turn]] if has_inputs else []
            for name, (i, j) in zip(names, sources, strict=False):
                k = 0.5 + 0.25 * turn if changes else 0.75
                x, y = known[i % len(known)], known[-1 - j % 4]
                known.append(OPERATIONS[name](x, y, 0.5 * x if i % 7 == 6 else k))
            state = [
                0.5 * x + 0.25 * new + (farther * old if farther else 0.0)
                for x, new, old in zip(state, known[::-1], before, strict=False)
            ]
            if turn == odd:
                state[0] = mg.exp(-state[0] * state[0])
            before = last
            kept.append(state[0])
        ends = {"last": state, "all": kept, "every second": kept[::2]}
        return ends.get(returned, [mg.sum([*kept, *state])])

    def derived(*numbers):
        value, gradient = mg.value_and_grad(
            lambda *xs: outputs(*xs)[0], argnums=tuple(range(len(numbers)))
        )(*numbers)
        return [*gradient, value] if returned == "both" else list(gradient)

    count = PARAMETERS + size + turns * has_inputs
    return derived if returned in ("gradient", "both") else outputs, count


@usual(60)
@given(recurrences(), st.data())
def test_a_recurrence_has_the_same_bits_as_a_loop(drawn, data):
    f, count = drawn
    program = traced(f, count)
    shared = sorted(data.draw(st.sets(st.integers(0, count - 1)) | st.just(set(range(count)))))
    reduce = data.draw(st.sampled_from([None, "sum", "mean"]))
    rolled, straight = kernels(program, shared_inputs=shared, reduce=reduce)
    assert not loops(straight)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    numbers = rng.uniform(-1, 1, len(shared)).tolist()
    rows = data.draw(st.sampled_from([1, 8, 37, 300]))
    columns = list(rng.uniform(-1, 1, (count - len(shared), rows)))
    for a, b in zip(rolled(numbers, columns), straight(numbers, columns), strict=True):
        assert np.array_equal(a, b, equal_nan=True)


# ---- loops as their authors write them: what they take, and how many turns


def lotka_volterra(turns):
    def f(a, b, c, d, x, y, h=0.01):
        def rate(x, y):
            return a * x - b * x * y, d * x * y - c * y

        for _ in range(turns):
            k1, l1 = rate(x, y)
            k2, l2 = rate(x + h / 2 * k1, y + h / 2 * l1)
            k3, l3 = rate(x + h / 2 * k2, y + h / 2 * l2)
            k4, l4 = rate(x + h * k3, y + h * l3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            y = y + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
        return x + y

    return f, 6


def network(turns):
    def f(*numbers):
        w, xs, state = numbers[:24], numbers[24:], [0.0] * 4
        for x in xs:
            state = [
                mg.tanh(mg.dot(w[6 * i : 6 * i + 4], state) + w[6 * i + 4] * x + w[6 * i + 5])
                for i in range(4)
            ]
        return mg.sum(state)

    return f, 24 + turns


def adam(turns):
    def f(x, y, a):
        state, m, v = [x, y], [0.0, 0.0], [0.0, 0.0]
        for t in range(1, turns + 1):
            g = [2 * state[0] * a + state[1], 4 * state[1] + state[0]]
            m = [0.9 * mi + 0.1 * gi for mi, gi in zip(m, g, strict=True)]
            v = [0.999 * vi + 0.001 * gi * gi for vi, gi in zip(v, g, strict=True)]
            state = [
                s - 0.1 * (mi / (1 - 0.9**t)) / (mg.sqrt(vi / (1 - 0.999**t)) + 1e-8)
                for s, mi, vi in zip(state, m, v, strict=True)
            ]
        return state[0] * state[0] + state[1]

    return f, 3


def smoothing(turns):
    def f(alpha, first, *xs):
        level, loss = first, 0.0
        for x in xs:
            loss = loss + (x - level) ** 2
            level = alpha * x + (1 - alpha) * level
        return loss

    return f, 2 + turns


def continued_fraction(turns):
    def f(x, y):
        for k in range(turns, 0, -1):
            y = k + x / y
        return y

    return f, 2


def bodies(turns):
    def f(*numbers):
        p, v, h = list(numbers[:4]), list(numbers[4:8]), 0.01
        for _ in range(turns):
            dx, dy = p[2] - p[0], p[3] - p[1]
            w = (dx * dx + dy * dy + 0.01) ** -1.5
            pull = [w * dx, w * dy, -w * dx, -w * dy]
            v = [vi + h * ai for vi, ai in zip(v, pull, strict=True)]
            p = [xi + h * vi for xi, vi in zip(p, v, strict=True)]
        return mg.sum(p)

    return f, 8


@pytest.mark.parametrize(
    ("loop", "turns"),
    [
        *((lotka_volterra, 25), (network, 40), (adam, 30), (bodies, 25)),
        *((smoothing, 200), (continued_fraction, 200)),
    ],
)
def test_the_code_of_a_recurrence_and_its_gradient_does_not_grow_with_its_turns(loop, turns):
    def lines(turns):
        f, count = loop(turns)
        program = traced(mg.value_and_grad(f, argnums=tuple(range(min(count, 24)))), count)
        text = KernelText(Goal(program, written=range(len(program.outputs))), this_machine())
        return len(text.ir().splitlines())

    assert lines(2 * turns) <= 1.02 * lines(turns)


def layers(turns):
    def f(*numbers):
        rows, xs = numbers[: 8 * turns], numbers[8 * turns :]
        return mg.sum([mg.tanh(mg.dot(rows[8 * i : 8 * i + 8], xs)) for i in range(turns)])

    return f, 8 * turns + 8


@pytest.mark.parametrize(("loop", "waits"), [(lotka_volterra, True), (adam, True), (layers, False)])
def test_turns_that_wait_for_one_another_are_told_from_neurons_side_by_side(loop, waits):
    f, count = loop(60)
    for transform in (lambda f: f, mg.grad):
        program = traced(transform(f), count)
        assert (partitions.find_turn(program, (), Steps.of(program.steps)) > 0) == waits


def test_turns_of_steps_that_look_alike_are_told_by_what_they_use():
    add, neg, total = (Primitive.named(name) for name in ("+", "neg", "sum"))
    chain = [(add, (slot, 0)) for slot in range(1100)]
    used = np.cumsum([1, 2, 1, 3] * 150).tolist()  # of the chain, in four different steps
    last = 1 + len(chain) + len(used)
    steps = [*chain, *((neg, (slot,)) for slot in used), (total, tuple(range(last - 600, last)))]
    parts = partitions.partition(Program(["x"], steps, [last]), ())
    assert [part.turns.repeat.turns for part in parts.rows if part.turns][-1] >= 148
    assert sum(len(part.slots) for part in parts.rows if not part.turns) < 60


def test_a_loop_keeps_what_others_use_alone():
    def places(turns, transform):
        f, count = lotka_volterra(turns)
        program = traced(transform(f), count)
        text = KernelText(Goal(program, written=range(len(program.outputs))), this_machine())
        return text.partition.scratch_size

    assert places(20, lambda f: f) == places(40, lambda f: f) <= 10  # what is used at its end
    assert places(40, mg.grad) - places(20, mg.grad) <= 20 * 20  # and in its turns, on the way back
