"""The laws of loops recovered from straight-line programs: what is found, and kernels' bits."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid.compiler.ir.loops import LoopText, text_of
from microgrid.compiler.ir.machine import this_machine
from microgrid.compiler.ir.nests import fit_turns, row_tile
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.loops.runs import (
    Affine,
    Run,
    access,
    find_runs,
    join_cycles,
    one_by_one,
)
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.passes import optimize
from microgrid.compiler.program import Goal
from microgrid.compiler.trace import trace
from tests.compiler.native.test_kernel import ROWS, same, straight
from tests.ieee import MACHINES
from tests.search import usual


def traced(f, names):
    return optimize(trace(f, list(names), lambda xs: (xs, {}))[0])


# ---- runs

counts = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@st.composite
def nests(draw):
    """Return the counts of loops, and two columns of positions that they go through evenly."""
    turns = draw(st.lists(st.integers(2, 4), max_size=3).map(tuple))
    evens = [
        Affine(draw(st.integers(0, 50)), tuple(draw(st.integers(-9, 9)) for _ in turns))
        for _ in range(2)
    ]
    return turns, np.transpose([even.read(turns) for even in evens])


@usual(100)
@given(nests())
def test_positions_that_loops_go_through_are_one_run_which_leads_to_them(nest):
    turns, positions = nest
    items = find_runs(np.zeros((len(positions), 1), int), positions)
    assert len(items) == 1
    (run, base) = items[0]
    for k, begin in enumerate(base):
        even = Affine(begin, tuple(strides[k] for strides in run.strides))
        assert (even.read(run.counts) == positions[:, k]).all()
    for column in positions.T:
        at = access(column, turns)
        assert isinstance(at, Affine)
        assert (at.read(turns) == column).all()


@usual(100)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_runs_are_the_entries_in_their_order_whatever_these_are(entries):
    entries = np.array(entries, int).reshape(-1, 3)
    found = []
    for run, base in find_runs(entries[:, :1], entries[:, 1:]):
        columns = [
            Affine(begin, tuple(strides[k] for strides in run.strides)).read(run.counts)
            for k, begin in enumerate(base)
        ]
        found += [(*run.label, *turn) for turn in np.transpose(columns).tolist()]
    assert found == list(map(tuple, entries.tolist()))


@st.composite
def cycles(draw):
    """Return the labels and positions of entries, of which a few may repeat evenly far apart."""
    entries = []
    for _ in range(draw(st.integers(1, 3))):
        each = draw(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=3))
        for turn in range(draw(st.integers(1, 5))):
            entries += [(label, place + turn * move) for label, place, move in each]
    odd = draw(st.integers(0, 2 * len(entries)))
    return [(label, place + (i == odd)) for i, (label, place) in enumerate(entries)]


@usual(100)
@given(cycles())
def test_cycles_are_the_entries_in_their_order_whatever_these_are(entries):
    found = []
    for run, base in join_cycles([(Run((), (), (label,)), (place,)) for label, place in entries]):
        for turn in np.ndindex(run.counts):
            moved = np.add(base, np.array(turn) @ np.reshape(run.strides, (len(turn), len(base))))
            found += zip(run.label, moved.astype(int).tolist(), strict=True)
    assert found == entries


@usual(50)
@given(counts, st.data())
def test_an_access_leads_to_all_positions_evenly_if_it_can(turns, data):
    size = int(np.prod(turns))
    positions = np.array(data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    at = access(positions, turns)
    assert at.base == positions[0]
    for by in (0, 3):
        assert (at.shift(by).read(turns) == positions + by).all()
    assert access(np.arange(size), turns) == access(one_by_one(turns).read(turns), turns)


# ---- kernels

NETWORK = 4, 6, 3


def network(w, x, y):
    """Return the loss of a network, of which `w` are the weights."""
    inputs, hidden, outputs = NETWORK
    rows = [w[i * (inputs + 1) : (i + 1) * (inputs + 1)] for i in range(hidden)]
    h = [mg.tanh(mg.dot(row[:-1], x, row[-1])) for row in rows]
    rest = w[hidden * (inputs + 1) :]
    logits = [mg.dot(rest[i * hidden : (i + 1) * hidden], h) for i in range(outputs)]
    return mg.logsumexp(logits) - mg.dot(logits, y)


def gradients_of_network():
    inputs, hidden, outputs = NETWORK
    size = hidden * (inputs + 1) + outputs * hidden
    names = [f"w{i}" for i in range(size)] + [f"x{i}" for i in range(inputs + outputs)]

    def arguments(xs):
        return (xs[:size], xs[size : size + inputs], xs[size + inputs :]), {}

    return optimize(trace(mg.value_and_grad(network), names, arguments)[0]), size


@pytest.mark.parametrize(
    ("kind", "reduce"),
    [(kind, None) for kind in MACHINES]
    + [(kind, "sum") for kind in ("this", "2 wide") if kind in MACHINES],
)
def test_a_network_in_loops_has_the_bits_of_its_straight_line_form(kind, reduce):
    program, size = gradients_of_network()
    draw = np.random.default_rng(3)
    weights, machine = draw.normal(size=size), MACHINES[kind]
    loops, written_out = (
        ArrayKernel(program, range(size), reduce, machine, write=write)
        for write in (LoopText, KernelText)
    )
    for rows in (1, 2, 5, 8, 16, 31, 129):
        columns = list(draw.normal(size=(len(program.inputs) - size, rows)))
        found, expected = loops(weights, columns), written_out(weights, columns)
        if reduce is None:
            assert same(found, expected)
        else:
            each = ArrayKernel(program, range(size), None, machine)(weights, columns)
            sizes = np.array([np.abs(rows).sum() for rows in each])
            assert (np.abs(found - expected) <= 4e-15 * sizes).all()


@pytest.mark.parametrize("reduce", [None, "sum"])
@pytest.mark.parametrize("kind", MACHINES)
def test_columns_that_are_put_side_by_side_give_the_same_bits_in_any_number_of_groups(kind, reduce):
    inputs, units = 17, 7

    def loss(w, x):
        rows = [w[i * inputs : (i + 1) * inputs] for i in range(units)]
        return mg.logsumexp([mg.tanh(mg.dot(row, x)) for row in rows])

    size = inputs * units
    names = [f"w{i}" for i in range(size)] + [f"x{i}" for i in range(inputs)]
    gradient = mg.value_and_grad(loss)
    program = optimize(trace(gradient, names, lambda xs: ((xs[:size], xs[size:]), {}))[0])
    loops, written_out, each = (
        ArrayKernel(program, range(size), how, MACHINES[kind], write=write)
        for how, write in ((reduce, LoopText), (reduce, KernelText), (None, KernelText))
    )
    assert loops.text.packs
    group = loops.kernel.record.group_blocks * loops.text.machine.width
    draw = np.random.default_rng(5)
    weights = draw.normal(size=size)
    for rows in (group - 1, group, 2 * group + 5):
        columns = list(draw.normal(size=(inputs, rows)))
        found, expected = loops(weights, columns), written_out(weights, columns)
        if reduce is None:
            assert same(found, expected)
        else:
            sizes = np.array([np.abs(rows).sum() for rows in each(weights, columns)])
            assert (np.abs(found - expected) <= 1e-14 * sizes).all()  # as `compile` says


def test_tiles_that_overlap_cover_all_turns_and_compute_few_twice():
    turns, _ = row_tile(this_machine())
    for count in range(1, 200):
        size = min(fit_turns(count, turns), count)
        begins = [min(i, count - size) for i in range(0, count, size)]
        assert {i + k for i in begins for k in range(size)} == set(range(count))
        assert 5 * (len(begins) * size - count) <= count


@usual(30)
@given(straight(), st.sampled_from(list(MACHINES)))
def test_random_programs_in_loops_have_the_bits_of_their_straight_line_form(drawn, kind):
    program, shared = drawn
    numbers = [0.5 + i for i in sorted(shared)]
    columns = [ROWS[i] for i in range(len(program.inputs)) if i not in shared]
    results = [
        ArrayKernel(program, shared, None, MACHINES[kind], write=write)(numbers, columns)
        for write in (LoopText, KernelText)
    ]
    assert same(*results)


def test_numbers_that_a_sum_reads_in_two_orders_are_each_computed():
    def f(*xs):
        numbers = [mg.tanh(x) for x in xs]
        return [x - y for x, y in zip(numbers, reversed(numbers), strict=True)]

    program, columns = traced(f, [f"x{i}" for i in range(12)]), np.eye(12, 9)
    found, expected = (
        ArrayKernel(program, (), "sum", write=write)([], list(columns))
        for write in (LoopText, KernelText)
    )
    assert (np.abs(found - expected) <= 4e-15).all()


def test_a_long_logsumexp_or_hypot_among_loops_has_the_bits_of_its_straight_line_form():
    def f(w, x):
        h = [mg.dot(w, x[i:] + x[:i]) for i in range(40)]
        total = mg.logsumexp(h)
        return [*(y - total for y in h), mg.hypot(*w)]

    given = lambda xs: ((xs[:40], xs[40:]), {})  # noqa: E731
    program = optimize(trace(f, [f"x{i}" for i in range(80)], given)[0])
    draw = np.random.default_rng(4)
    numbers, columns = draw.normal(size=40), list(draw.normal(size=(40, 9)))
    kernels = [
        ArrayKernel(program, range(40), None, write=write) for write in (LoopText, KernelText)
    ]
    assert same(*[kernel(numbers, columns) for kernel in kernels])


def test_loops_are_chosen_where_they_pay():
    def layer(n):
        def f(*xs):
            return [mg.tanh(mg.dot(xs[i * n : (i + 1) * n], xs[:n])) for i in range(n)]

        return traced(f, [f"x{i}" for i in range(n * n)])

    def chosen(program):
        return type(text_of(Goal(program, written=range(len(program.outputs))), this_machine()))

    assert chosen(layer(40)) is LoopText
    assert chosen(layer(4)) is KernelText  # it is small

    def slopes(count):
        return traced(lambda *xs: mg.gradients(mg.prod(xs), xs), [f"x{i}" for i in range(count)])

    assert chosen(slopes(100)) is KernelText
    assert chosen(slopes(1000)) is LoopText  # which step by step repeats nothing

    def pairs(*xs):
        return [mg.sin(x - y) * (x + y) for x in xs for y in xs if x is not y]

    names = [f"x{i}" for i in range(40)]
    assert chosen(traced(pairs, names)) is KernelText  # loops would go through tables
    irregular = traced(lambda x, y: [x * y + mg.sin(x) / mg.exp(y)], "xy")
    assert chosen(irregular) is KernelText


@pytest.mark.parametrize(("rows", "terms"), list(product((10, 100), (10, 100))))
def test_the_code_of_a_layer_is_as_long_whatever_its_size(rows, terms):
    def text(rows, terms):
        def f(*xs):
            w, x = xs[:-terms], xs[-terms:]
            return [mg.dot(w[i * terms : (i + 1) * terms], x) for i in range(rows)]

        program = traced(f, [f"x{i}" for i in range(rows * terms + terms)])
        return LoopText(Goal(program, range(rows * terms), range(rows)), this_machine()).ir()

    small, large = text(8, 8).count("\n"), text(rows, terms).count("\n")
    assert small / 2 <= large <= 2 * small


@pytest.mark.parametrize("units", [6, 7, 11, 13, 64])
def test_a_layer_of_any_size_is_written_in_tiles_of_one_shape(units):
    def f(*xs):
        return [mg.dot(xs[8 * i : 8 * i + 8], xs[-8:]) for i in range(units)]

    program = traced(f, [f"x{i}" for i in range(8 * units + 8)])
    text = LoopText(Goal(program, range(8 * units), range(units)), this_machine()).ir()
    turns, blocks = row_tile(this_machine())
    assert text.count(" call ") <= turns * (blocks + 1)  # of fma: some blocks at once, or one


@pytest.mark.parametrize("f", [mg.logsumexp, mg.prod])
@pytest.mark.parametrize("count", [64, 100, 250])
def test_the_code_of_slopes_by_all_others_grows_slower_than_these(f, count):
    def text(count):
        names = [f"x{i}" for i in range(count)]
        program = traced(lambda *xs: mg.gradients(f(xs), xs), names)
        return LoopText(Goal(program, written=range(count)), this_machine()).ir()

    assert text(count).count("\n") < text(10).count("\n") * math.log2(count) / 2


@pytest.mark.parametrize("kind", ["this", *(kind for kind in ("2 wide",) if kind in MACHINES)])
def test_sums_over_rows_have_the_same_bits_wherever_the_rows_are(kind):
    program = traced(lambda *xs: [x * y for x in xs[:2] for y in xs[2:]], "abcd")
    kernel = ArrayKernel(program, (), "sum", MACHINES[kind], write=LoopText)
    assert len(kernel.text.parts) == 1  # which adds to the sums itself
    for rows in (5, 256, 257, 600, 1024, 2500):
        columns = np.random.default_rng(6).normal(size=(4, rows))
        apart = np.ascontiguousarray(columns.T).T
        assert same(kernel([], list(columns)), kernel([], list(apart)))
