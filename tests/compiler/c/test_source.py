"""The laws of the C source: it computes what the native kernel does, bit for bit.

That takes a kernel that calls the C library's functions for one number at a time, as C does. What
calls none has the bits of every kernel, and of NumPy. A warning of the C compiler is an error here.
"""

import builtins
import contextlib
import ctypes
import itertools
import keyword
import math
import platform
import re
import shutil
import subprocess
from operator import itemgetter
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Primitive, Value, grad, hessian, value_and_grad
from microgrid.compiler import Program, compile
from microgrid.compiler.c.source import c_source
from microgrid.compiler.ir.machine import Machine
from microgrid.compiler.loops.listing import LoopProgram
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.passes import optimize
from microgrid.compiler.trace import trace
from microgrid.core.primitive import CONSTANT
from microgrid.testing.programs.domains import DOMAINS, FAMILIES, LIBRARY, domain_of
from microgrid.testing.strategies import programs
from tests.compiler.loops.test_repeats import adam, bodies, lotka_volterra, network, smoothing
from tests.compiler.loops.test_repeats import traced as of_recurrence
from tests.compiler.sequences import sequences
from tests.compiler.structured import structured
from tests.ieee import HERE, IS_X86, by_ieee, cancelling, exact_programs, magnitude
from tests.search import LONG, usual

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_c = pytest.mark.skipif(not COMPILER, reason="there is no C compiler")
needs_plain_kernel = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="this processor's kernels always use fma in a dot, where plain C rounds twice",
)
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]

# The oldest processor of its kind has no fma, and the functions of vectors are left out.
PLAIN = Machine("x86-64", "", 2, vector_library=False)

# The C library's functions are within 1 ulp of the true number, and Python's often are the same. A
# lowering calls up to two, and rounds a few times more.
ULPS = 4
# glibc's functions of vectors are within 4 ulp, of which a lowering calls up to two as well.
OF_VECTORS = 8
# A random program has up to 10 nodes, a number up to 100 in each, and slopes up to 100.
OF_PROGRAMS = 10 * 100 * ULPS * math.ulp(100.0)

SPECIAL = [0.0, 1.0, 0.5, 2.5, 1e-310, 5e-324, 1e300, math.inf]
SPECIAL = [*SPECIAL, *(-x for x in SPECIAL), math.nan, 3.0]


class Function(NamedTuple):
    """What is written in C: the arguments of `c_source`."""

    program: Program
    shared: tuple = ()
    reduce: str | None = None


def traced(f, *names):
    return optimize(trace(f, names, lambda xs: (xs, {}))[0])


def sources(functions):
    return [c_source(*function, name) for name, function in functions.items()]


def library(folder, texts, standard="c99", flags=()):
    """Return a library of C functions, compiled from the text of each in one file."""
    folder = Path(mkdtemp(dir=folder))  # a library that is loaded stays so under its name
    file = folder / "functions.c"
    file.write_text("\n".join(texts), encoding="utf-8")
    made = folder / "functions.so"
    done = subprocess.run(
        [
            COMPILER,
            f"-std={standard}",
            *FLAGS,
            *flags,
            "-shared",
            "-fPIC",
            str(file),
            "-o",
            str(made),
            "-lm",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(made))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def each_row(c_function, rows, count):
    """Return the outputs of a C function of one row, for each row."""
    rows = np.ascontiguousarray(rows, float)
    outs = np.empty((len(rows), count))
    for row, out in zip(rows, outs, strict=True):
        c_function(pointer(row), pointer(out))
    return outs


def over_rows(c_function, shared, rows, count):
    """Return what a C function adds up over the rows."""
    shared, rows = np.array(shared, float), np.ascontiguousarray(rows, float)
    out = np.full(count, 123.0)
    c_function(ctypes.c_size_t(len(rows)), pointer(shared), pointer(rows), pointer(out))
    return out


def of_kernel(program, rows, machine=PLAIN):
    """Return the outputs of the native kernel, for each row."""
    columns = list(np.ascontiguousarray(np.array(rows, float).T))
    outs = ArrayKernel(program, (), None, machine)([], columns)
    return np.stack([np.broadcast_to(out, len(rows)) for out in outs], axis=-1)


def different(xs, ys):
    """Return where two arrays are not the same numbers: -0.0 is not 0.0, and nan is nan."""
    same = (xs.view(np.int64) == ys.view(np.int64)) | (np.isnan(xs) & np.isnan(ys))
    return np.argwhere(~same)


def assert_same(program, rows, xs, ys):
    places = different(np.ascontiguousarray(xs), np.ascontiguousarray(ys))
    told = [
        f"output {k} at {rows[i]}: {xs[i, k].hex()}, not {ys[i, k].hex()}" for i, k in places[:5]
    ]
    assert not told, "\n".join([*told, repr(program)])


# ---- functions that are compiled together


RANDOM = min(2 * settings().max_examples, 100)  # programs: their kernels take the time


def drawn_from(strategy, count):
    """Return so many examples of a strategy, no two the same."""
    drawn = {}

    @settings(max_examples=3 * count, phases=[Phase.generate], database=None, deadline=None)
    @given(strategy)
    def draw(example):
        drawn[example] = None
        if len(drawn) >= count:
            raise StopIteration

    with contextlib.suppress(StopIteration):
        draw()
    return list(drawn)[:count]


def takes(primitive, n):
    return n == 1 if primitive.made_by else DOMAINS[primitive.name].takes(n)


LIBRARY_PRIMITIVES = [
    primitive
    for name in LIBRARY
    if name != "constant"  # it is of a number that is known
    for primitive in (
        [Primitive.families[name](*constants) for constants in FAMILIES[name].constants]
        if name in FAMILIES
        else [Primitive.named(name)]
    )
]
# Each of them with one operand, two and three, as far as it takes so many.
APPLIED = [
    (primitive, n) for primitive in LIBRARY_PRIMITIVES for n in (1, 2, 3) if takes(primitive, n)
]
EVERY_PRIMITIVE = traced(lambda *xs: [primitive(*xs[:n]) for primitive, n in APPLIED], *"xyz")


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def kinked(x, y):
    chosen = mg.where(x > y, mg.max([x * y, y, 1.0]), mg.logsumexp([x, y, -y]))
    return chosen * mg.clip(x % y, 0.25, 0.5) + mg.hypot(x, y, x - y) + abs(x) ** y


def rich(x, y):
    return mg.prod([mg.sin(x), mg.sigmoid(y), mg.atan2(x, y)]) + mg.softplus(x / y) + mg.erf(x * y)


SMOOTH_OR_NOT = [rosenbrock, kinked, rich]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return the functions of this section by name, random programs, and the library in C."""
    drawn = drawn_from(programs(smooth=False), RANDOM)
    functions = {"every_primitive": Function(EVERY_PRIMITIVE)}
    for i, program in enumerate(drawn):
        names = [f"x{k}" for k in range(len(program.point))]
        of_all = tuple(range(len(names)))
        function = trace(value_and_grad(program, of_all), names, lambda xs: (xs, {}))[0]
        functions[f"random_{i}"] = Function(optimize(function))
    for f in SMOOTH_OR_NOT:
        functions[f"grad_{f.__name__}"] = Function(traced(grad(f, (0, 1)), "x", "y"))
        functions[f"hessian_{f.__name__}"] = Function(traced(hessian(f, (0, 1)), "x", "y"))
    # gcc would know sinh(2.0) to the last bit, where a branch leads to it; the C library need not
    c = library(tmp_path_factory.mktemp("together"), sources(functions), flags=["-fno-builtin"])
    return functions, drawn, c


# ---- numbers

MODERATE = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 2.0, 4.0]


@needs_c
@needs_plain_kernel
def test_every_primitive_has_the_kernel_s_bits_at_special_numbers(together):
    _, _, c = together
    rows = [*itertools.product(SPECIAL, repeat=3), *MODERATE.tolist()]
    got = each_row(c.every_primitive, rows, len(APPLIED))
    assert_same(EVERY_PRIMITIVE, rows, got, of_kernel(EVERY_PRIMITIVE, rows))


@needs_c
def test_every_primitive_is_what_python_gives_where_that_is_finite(together):
    _, _, c = together
    rows = [*itertools.product(SPECIAL, repeat=3), *MODERATE.tolist()]
    got = each_row(c.every_primitive, rows, len(APPLIED))
    compared = set()
    for (primitive, n), column in zip(APPLIED, got.T.tolist(), strict=True):
        for xs, y in {
            repr(row[:n]): (row[:n], y) for row, y in zip(rows, column, strict=True)
        }.values():
            try:
                python = float(primitive(*xs))
            except (ArithmeticError, ValueError):
                continue
            if math.isfinite(python):
                bound = ULPS * math.ulp(magnitude(primitive, xs, python))
                assert abs(y - python) <= bound, (primitive, xs)
                compared.add(primitive)
    assert compared == set(LIBRARY_PRIMITIVES)


@needs_c
def test_every_primitive_is_what_this_machine_s_kernel_gives_to_a_few_ulp(together):
    _, _, c = together
    got = each_row(c.every_primitive, MODERATE, len(APPLIED))
    native = of_kernel(EVERY_PRIMITIVE, MODERATE, None)
    assert np.array_equal(np.isfinite(got), np.isfinite(native))
    compared = set()
    for (primitive, n), ours, theirs in zip(APPLIED, got.T, native.T, strict=True):
        domain = domain_of(primitive)  # outside of which a function need not be well-conditioned
        for xs, x, y in zip(MODERATE, ours.tolist(), theirs.tolist(), strict=True):
            if math.isfinite(x) and domain.contains(*xs[:n].tolist()):
                compared.add(primitive)
                bound = OF_VECTORS * math.ulp(magnitude(primitive, xs[:n].tolist(), x))
                assert abs(x - y) <= bound, (primitive, xs[:n])
    assert compared == set(LIBRARY_PRIMITIVES)


@needs_c
@needs_plain_kernel
def test_random_programs_and_their_gradients_have_the_kernel_s_bits(together):
    functions, drawn, c = together
    for i, program in enumerate(drawn):
        function, point = functions[f"random_{i}"].program, np.array(program.point)
        rows = [point, point + 0.25, -point, 0 * point, 1000 * point, np.full(len(point), np.nan)]
        got = each_row(c[f"random_{i}"], rows, len(function.outputs))
        assert_same(function, rows, got, of_kernel(function, rows))


@needs_c
def test_random_programs_are_what_python_computes(together):
    _, drawn, c = together
    assert len(drawn) == RANDOM
    for i, program in enumerate(drawn):
        value = each_row(c[f"random_{i}"], [program.point], 1 + len(program.point))[0, 0]
        python = program(*program.point)
        bound = OF_PROGRAMS + ULPS * math.ulp(python)
        assert value == python or abs(value - python) <= bound, program  # inf is what inf is


@needs_c
@needs_plain_kernel
@pytest.mark.parametrize("f", SMOOTH_OR_NOT, ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivative", ["grad", "hessian"])
def test_derivatives_have_the_kernel_s_bits(together, f, derivative):
    functions, _, c = together
    name = f"{derivative}_{f.__name__}"
    program = functions[name].program
    rows = [*itertools.product(SPECIAL, repeat=2), *MODERATE[:, :2].tolist()]
    got = each_row(c[name], rows, len(program.outputs))
    assert_same(program, rows, got, of_kernel(program, rows))


@needs_c
def test_a_trained_network_in_c_predicts_what_it_does_in_python(tmp_path):
    data = [([x / 4, y / 4], float(x * y > 0)) for x in range(-4, 5) for y in range(-4, 5)]
    model = mg.MLP(2, [4, 1], seed=0)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(3):
        loss = mg.mean([(model(xs) - y) ** 2 for xs, y in data])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    predict = compile(lambda x, y: model([x, y]))
    predict.__name__ = "predict"
    predict(0.5, 0.5)
    c = library(tmp_path, [predict.source("c")])
    rows = [xs for xs, _ in data]
    got = each_row(c.predict, rows, 1)[:, 0]
    # sums of a few numbers of size 1
    assert np.abs(got - [model(xs).data for xs in rows]).max() <= ULPS * 4 * math.ulp(1.0)
    assert np.ptp(got) > 0.01


@needs_c
def test_round_takes_the_decimal_that_python_takes_where_two_seem_as_near(tmp_path):
    texts, by_digits = [], {digits: f"to_{digits + 9}_digits" for digits in (-2, -1, 1, 2, 3)}
    for digits, name in by_digits.items():
        program = traced(lambda x, digits=digits: round(x, digits), "x")
        texts.append(c_source(program, (), None, name))
    c = library(tmp_path, texts)
    for digits, name in by_digits.items():
        middles = [(k + 0.5) / 10**digits for k in range(-200, 200)]
        middles += [math.nextafter(x, x + side) for x in middles for side in (-1, 1)]
        got = each_row(c[name], np.reshape(middles, (-1, 1)), 1)[:, 0]
        assert not different(got, np.array([round(x, digits) for x in middles])).size


@needs_c
def test_operations_on_constants_alone_are_what_python_gives(tmp_path):
    numbers = [2.5, 0.5, -1.5]
    applied = [(p, xs) for p, n in APPLIED for xs in itertools.permutations(numbers, n)]
    steps = [(CONSTANT, (x,)) for x in numbers]
    steps += [(p, tuple([numbers.index(x) for x in xs])) for p, xs in applied]
    program = Program([], steps, range(len(numbers), len(steps)))
    c = library(tmp_path, [c_source(program, (), None, "constants")])
    got = each_row(c.constants, np.empty((1, 0)), len(applied))[0].tolist()
    for (primitive, xs), y in zip(applied, got, strict=True):
        try:
            python = primitive(*xs)
        except (ArithmeticError, ValueError):
            continue
        assert abs(y - python) <= ULPS * math.ulp(magnitude(primitive, xs, python)), (primitive, xs)


@needs_c
@usual(5)
@given(st.lists(st.floats(), min_size=1, max_size=200))
def test_constants_keep_their_bits(tmp_path_factory, numbers):
    numbers = [*numbers, *SPECIAL]
    program = Program([], [(CONSTANT, (x,)) for x in numbers], range(len(numbers)))
    c = library(tmp_path_factory.mktemp("constants"), [c_source(program, (), None, "constants")])
    got = each_row(c.constants, np.empty((1, 0)), len(numbers))
    assert not different(got[0], np.array(numbers)).size


# ---- rounding: each operation for itself, whatever the compiler would like

HOW = {
    "as the comment says": ("c99", []),
    "by default": ("gnu17", []),
    "for this processor": ("gnu17", ["-O3", "-march=native"]),
    "with contraction": ("gnu17", ["-O3", "-march=native", "-ffp-contract=fast"]),
    "with contraction, in one program": ("c99", ["-march=native", "-ffp-contract=fast", "-flto"]),
}


@pytest.fixture(scope="module")
def exact():
    """Return programs without functions of the C library, rows for them, and what they give."""
    rows = np.transpose(cancelling(np.random.default_rng(7), 40))
    drawn = drawn_from(exact_programs().map(itemgetter(0)), RANDOM)
    return drawn, rows, [np.transpose(by_ieee(program, rows.T)) for program in drawn]


@needs_c
@pytest.mark.parametrize("how", HOW if LONG else [*HOW][::2])
def test_the_c_source_has_the_bits_of_numpy_and_every_kernel(exact, how, tmp_path):
    drawn, rows, expected = exact
    assert len(drawn) == RANDOM
    texts = [c_source(program, (), None, f"exact_{i}") for i, program in enumerate(drawn)]
    c = library(tmp_path, texts, *HOW[how])
    for i, (program, right) in enumerate(zip(drawn, expected, strict=True)):
        got = each_row(c[f"exact_{i}"], rows, len(program.outputs))
        assert_same(program, rows, got, right)


@needs_c
def test_a_dot_in_c_is_fused_as_a_kernel_s_where_the_processor_does_it_fast(tmp_path):
    program = traced(
        lambda x, y, z: [mg.dot([x, y, z], [y, z, x], 0.1), mg.hypot(x, y, z), x * y - z], *"xyz"
    )
    c = library(tmp_path, [c_source(program, (), None, "fused")], "gnu17", ["-march=native"])
    got = each_row(c.fused, MODERATE, 3)
    assert_same(program, MODERATE, got, of_kernel(program, MODERATE, HERE))
    if IS_X86:  # whose oldest processor has no fma
        old = library(tmp_path, [c_source(program, (), None, "rounded")])
        got = each_row(old.rounded, MODERATE, 3)
        assert_same(program, MODERATE, got, of_kernel(program, MODERATE))


# ---- loops

STRUCTURED, SEQUENCES = 6, 2  # programs: the C compiler takes the time
NETWORK = 8, 24, 10  # inputs, hidden units, and outputs


class Written(NamedTuple):
    """A program that has structure, rows for it, and what it gives without loops."""

    program: Program
    shared: range
    rows: np.ndarray
    each: np.ndarray
    reduced: dict

    def over_rows(self, c, name):
        """Return by "sum" or "mean" and number of rows what a library computes over rows."""
        numbers = self.rows[0, list(self.shared)]
        columns = np.delete(self.rows, list(self.shared), axis=1)
        return {
            (reduce, n): over_rows(
                c[f"{name}_{reduce}"], numbers, columns[:n], len(self.program.outputs)
            )
            for reduce in ("sum", "mean")
            for n in (0, 1, len(columns))
        }


# The compiler would know functions of constants to the last bit, where it finds these out.
WITH_LOOPS = ["-fno-builtin"]


def in_each_way(programs, in_loops):
    return [
        c_source(program, shared, reduce, f"f{i}_{reduce}", in_loops)
        for i, (program, shared, *_) in enumerate(programs)
        for reduce in (None, "sum", "mean")
    ]


@pytest.fixture(scope="module")
def straight_line(tmp_path_factory):
    """Return programs that have structure, and what they give when they are written out."""
    random = np.random.default_rng(5)
    drawn = [
        Written(each.program(), range(each.weights), random.normal(size=(4, n)) / 2, None, {})
        for strategy, count in ((structured(6, 2), STRUCTURED), (sequences(), SEQUENCES))
        for each in drawn_from(strategy, count)
        for n in (each.weights + each.inputs,)
    ]
    texts, flags = in_each_way(drawn, False), ["-O0", *WITH_LOOPS]
    c = library(tmp_path_factory.mktemp("straight_line"), texts, flags=flags)
    return [
        each._replace(
            each=each_row(c[f"f{i}_None"], each.rows, len(each.program.outputs)),
            reduced=each.over_rows(c, f"f{i}"),
        )
        for i, each in enumerate(drawn)
    ]


@needs_c
@pytest.mark.parametrize("level", ["-O0", "-O2"] if LONG else ["-O2"])
def test_the_c_source_in_loops_has_the_bits_of_the_straight_line_one(
    straight_line, level, tmp_path
):
    c = library(tmp_path, in_each_way(straight_line, True), flags=[level, *WITH_LOOPS])
    for i, each in enumerate(straight_line):
        got = each_row(c[f"f{i}_None"], each.rows, len(each.program.outputs))
        assert_same(each.program, each.rows, got, each.each)
        for how, found in each.over_rows(c, f"f{i}").items():
            assert not different(found, each.reduced[how]).size, (how, each.program)


@needs_c
@needs_plain_kernel
def test_what_the_c_source_in_loops_gives_has_the_kernel_s_bits(straight_line):
    for program, _, rows, each, _ in straight_line[:4]:
        assert_same(program, rows, each, of_kernel(program, rows))


def digits(inputs, hidden, outputs):
    """Return a compiled network whose weights are constants."""
    model = mg.MLP(inputs, [hidden, outputs], seed=0)

    def predict(xs):
        logits = model(xs)
        total = mg.logsumexp(logits)
        return [logit - total for logit in logits]

    compiled = compile(predict)
    compiled.prepare([0.0] * inputs)
    return compiled, predict


@needs_c
def test_a_network_in_c_is_as_long_whatever_its_size_but_for_its_weights(tmp_path):
    def count_lines(text):
        return sum(not re.fullmatch(r"[-0-9.e, ]+", line) for line in text.splitlines())

    compiled, predict = digits(*NETWORK)
    small, large = compiled.source("c"), digits(40, 48, 10)[0].source("c")
    assert "double v1[" in small
    assert count_lines(small) / 2 < count_lines(large) < 2 * count_lines(small)
    assert max(map(len, large.splitlines())) <= 100
    c = library(tmp_path, [small])
    rows = np.random.default_rng(2).normal(size=(5, NETWORK[0]))
    got = each_row(c.predict, rows, NETWORK[-1])
    # sums of a few numbers of size 1
    expected = [[y.data for y in predict(row.tolist())] for row in rows]
    assert np.abs(got - expected).max() <= ULPS * 32 * math.ulp(1.0)


RECURRENCES = {lotka_volterra: 15, adam: 25, bodies: 20, smoothing: 200, network: 40}


@pytest.fixture(scope="module")
def recurring(tmp_path_factory):
    """Return recurrences and their gradients as programs, and what they give step by step."""
    programs = [
        of_recurrence(transform(loop(turns)[0]), loop(turns)[1])
        for loop, turns in RECURRENCES.items()
        for transform in (lambda f: lambda *xs: [f(*xs)], grad)
    ]
    texts = [c_source(p, (), None, f"f{i}", in_loops=False) for i, p in enumerate(programs)]
    c = library(tmp_path_factory.mktemp("recurring"), texts, flags=["-O0", *WITH_LOOPS])
    random = np.random.default_rng(6)
    rows = [random.uniform(0.2, 1.0, size=(3, len(p.inputs))) for p in programs]
    return [
        (p, own, each_row(c[f"f{i}"], own, len(p.outputs)))
        for i, (p, own) in enumerate(zip(programs, rows, strict=True))
    ]


@needs_c
def test_a_recurrence_in_c_is_loops_over_time_with_the_bits_of_its_steps(recurring, tmp_path):
    texts = [c_source(p, (), None, f"f{i}") for i, (p, *_) in enumerate(recurring)]
    assert all("for (int t = 0; t < " in text for text in texts)
    c = library(tmp_path, texts, flags=["-O0", *WITH_LOOPS])
    for i, (program, rows, expected) in enumerate(recurring):
        assert_same(program, rows, each_row(c[f"f{i}"], rows, len(program.outputs)), expected)


@pytest.mark.parametrize("loop", [lotka_volterra, smoothing])
def test_the_source_and_the_listing_of_a_recurrence_do_not_grow_with_its_turns(loop):
    def count_lines(turns):
        f, count = loop(turns)
        program = of_recurrence(grad(f), count)
        return len(c_source(program, (), None, "f").splitlines()), listed(program)

    def listed(program):
        listing = repr(LoopProgram.of(program))
        assert "for t in " in listing
        return len(listing.splitlines())

    assert count_lines(RECURRENCES[loop]) == count_lines(RECURRENCES[loop] + 6)


# ---- sums and means over rows


def mixed(a, b, x, y):
    """Return numbers that depend on all inputs, on shared ones, on columns, and on none."""
    return [mg.exp(a * x) - b * y, a / b, x > a, mg.where(a > b, a, x), 2.5, a < b, a, x]


MIXED = traced(mixed, *"abxy")
OF_ROWS = [k for k, slot in enumerate(MIXED.outputs) if k in (0, 2, 3, 7)]


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """Return a library of functions that add up `MIXED`, and of those with nothing to add up."""
    none, no_data = traced(lambda x: [], "x"), traced(lambda a, b: [a + b, a < b], "a", "b")
    no_inputs = traced(lambda: [2.5, -0.0])
    functions = {
        "one_row": Function(MIXED),
        "sums": Function(MIXED, (0, 1), "sum"),
        "means": Function(MIXED, (0, 1), "mean"),
        "all_data": Function(MIXED, (), "sum"),
        "last_shared": Function(MIXED, (3, 1), "sum"),
        "empty": Function(none),
        "empty_sum": Function(none, (), "sum"),
        "empty_mean": Function(none, (0,), "mean"),
        "no_data": Function(no_data, (0, 1), "sum"),
        "no_data_mean": Function(no_data, (0, 1), "mean"),
        "no_inputs": Function(no_inputs),
        "no_inputs_sum": Function(no_inputs, (), "sum"),
        "constant_for_each_row": Function(traced(lambda x: x**0, "x"), (), "sum"),
    }
    return functions, library(tmp_path_factory.mktemp("reduced"), sources(functions))


@needs_c
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), max_size=9), st.floats(-9, 9))
@usual(50)
def test_a_sum_is_of_what_the_rows_give_in_their_order(reduced, rows, a):
    _, c = reduced
    shared, rows = [a, 0.75], np.reshape(rows, (-1, 2))
    each = each_row(c.one_row, [[*shared, *row] for row in rows], 8)
    sums, means = (over_rows(f, shared, rows, 8) for f in (c.sums, c.means))
    added = [list(itertools.accumulate(each[:, k].tolist(), initial=0.0))[-1] for k in OF_ROWS]
    assert list(sums[OF_ROWS]) == added
    own = each_row(c.one_row, [[*shared, 0.0, 0.0]], 8)[0]
    for k in range(8):
        if not len(rows):
            assert sums[k] == 0.0
            assert math.isnan(means[k])
        elif k in OF_ROWS:
            assert means[k] == sums[k] / len(rows)
        else:
            assert (sums[k], means[k]) == (own[k] * len(rows), own[k])


@needs_c
@pytest.mark.parametrize("name", ["sums", "means", "all_data", "last_shared"])
@pytest.mark.parametrize("count", [0, 1, 2, 37])
def test_sums_and_means_are_the_kernel_s(reduced, name, count):
    functions, c = reduced
    program, shared, reduce = functions[name]
    # on these numbers every sum is exact, in whatever order
    table = np.random.default_rng(1).integers(-4, 5, size=(count, 4)) / 4
    table[:, list(shared)] = [[0.0, 2.0, 0.0, -0.5][i] for i in shared]
    table[:, 0] = 0.0
    own = sorted(shared)
    columns = [i for i in range(4) if i not in own]
    numbers = [[0.0, 2.0, 0.0, -0.5][i] for i in own]
    got = over_rows(c[name], numbers, table[:, columns], 8)
    kernel = ArrayKernel(program, shared, reduce, PLAIN)
    expected = kernel(numbers, list(np.ascontiguousarray(table[:, columns].T)))
    if not count and reduce == "mean":
        assert np.isnan(got).all()
    assert not different(got, np.array(expected, float)).size


@needs_c
def test_programs_without_inputs_or_outputs_or_columns_are_functions_too(reduced):
    _, c = reduced
    nothing = np.empty((3, 0))
    assert list(over_rows(c.no_data, [1.5, 2.0], nothing, 2)) == [10.5, 3.0]
    assert list(over_rows(c.no_data_mean, [1.5, 2.0], nothing, 2)) == [3.5, 1.0]
    assert list(over_rows(c.no_inputs_sum, [], nothing, 2)) == [7.5, 0.0]
    assert list(each_row(c.no_inputs, np.empty((1, 0)), 2)[0]) == [2.5, 0.0]
    assert list(over_rows(c.constant_for_each_row, [], np.ones((3, 1)), 1)) == [3.0]
    c.empty(None, None)
    for function in (c.empty_sum, c.empty_mean):
        function(ctypes.c_size_t(3), None, None, None)


# ---- names

HOSTILE = [
    *("*/ evil", "/* evil", "a\nb", "a\\\nb", "a\\", "??/\n", "*??/\n/", "é", "", " ", "x y", "*"),
    *(
        "in",
        "out",
        "row",
        "data",
        "double",
        "int",
        "exp",
        "pow",
        "isnan",
        "NAN",
        "I",
        "_Bool",
        "M_PI",
    ),
    *("v1", "v2", "v1_1", "x", "x_1", "w[0]", "w[1]", "w_0", "2x", "_x", "__x", "_", "σ", "\u202e"),
    *(
        "linux",
        "NULL",
        "restrict",
        "bool",
        "true",
        "lambda",
        "%s",
        "{}",
        '"',
        "'",
        "\x00",
        "\ud800",
    ),
    *("x" * 200, "x" * 200 + "y", "x" * 60, "*/" * 50, "/" * 99, "trailing_", "main", "size_t"),
]
NAMES = [
    *("<lambda>", "f", "sums", "σ", "größe", "main", "linux", "", "2x", "_x", "M_PI", "FP_NAN"),
    *("double", "conj", "gamma", "y0", "expf", "fmal", "isnan", "NAN", "size_t", "in", "rows"),
    *("restrict", "index", "memset", "strlen", "printf", "rsqrt", "exp10"),
    *(name for module in (math, builtins, keyword) for name in dir(module)),
    *keyword.kwlist,
]


def labelled(labels):
    """Return a program in which the inputs, and steps of one operation and of many, have labels."""
    xs = [Value(1.0, label=label) for label in labels]
    steps = [x % 2.0 if i % 2 else x + 1.0 for i, x in enumerate(xs)]
    for step, label in zip(steps, reversed(labels), strict=True):
        step.label = label
    return Program.from_values(steps, xs)


def as_read(text):
    """Return C without its comments, as a compiler sees it."""
    for trigraph, character in {"??/": "\\", "??'": "^", "??-": "~", "??!": "|"}.items():
        text = text.replace(trigraph, character)
    return re.sub(r"/\*.*?\*/", " ", text.replace("\\\n", ""), flags=re.DOTALL)


STATEMENT = re.compile(
    r" *(const (double|int) [A-Za-z]\w* = [\w .+*/<=!?:&|(),\[\]-]+;|out\[\d+\] = [\w.-]+;) *",
    re.ASCII,
)


def names_in(text):
    return re.findall(r"^ *const (?:double|int) (\w+) = ", as_read(text), re.MULTILINE)


@needs_c
@pytest.mark.parametrize("standard", ["c99", "gnu11"])
def test_no_label_breaks_the_c_source(tmp_path, standard):
    program = labelled(HOSTILE)
    text = c_source(program, (), None, "hostile")
    c = library(tmp_path, [text], standard)
    count = len(HOSTILE)
    got = each_row(c.hostile, [range(count)], count)[0]
    assert list(got) == [i % 2.0 if i % 2 else i + 1.0 for i in range(count)]


UNLABELLED = re.search(
    r"<math.h>(.*)void f\(", as_read(c_source(labelled([]), (), None, "f")), re.DOTALL
)[1]


@usual(50)
@given(st.lists(st.text(st.sampled_from("*/?\\\n\r a1_é\u2028'\"%{}")) | st.text(), max_size=9))
def test_a_comment_ends_where_it_should_whatever_the_labels_are(labels):
    text = c_source(labelled(labels), (), None, "f")
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    head, _, body = as_read(text).partition("{\n")
    # between the two stands what the rounding needs, the same for every function
    parts = re.fullmatch(r"\s*#include <math.h>(.*)void f\([\w *,\[\]]+\) ", head, re.DOTALL)
    assert parts[1] == UNLABELLED
    statements = body.rstrip().removesuffix("}").splitlines()
    assert all(STATEMENT.fullmatch(line) for line in statements if "(void)" not in line)
    names = names_in(text)
    assert len(set(names)) == len(names)


def test_constants_have_the_names_of_the_listing_where_c_allows_them():
    x, rate = Value(2.0, label="x"), Value(3.0, label="learning_rate")
    loss = (x * rate).tanh() % 2.0
    loss.label = "loss"
    last = loss + 1.0
    last.label = "double"
    text = c_source(Program.from_values([last], [x, rate]), (), None, "f")
    names = names_in(text)
    assert [name for name in names if not name.startswith("loss_")] == [
        *("x", "learning_rate", "v1", "v2", "loss", "double_")
    ]
    assert "= loss + 1.0; /* double */\n" in text


def test_inputs_are_listed_by_index_in_lines_that_a_screen_can_show():
    program = Program([f"weights[{i}]" for i in range(200)], [], [7])
    text = c_source(program, (), None, "f")
    comment = " ".join(line.removeprefix(" * ") for line in text.partition("*/")[0].splitlines())
    assert "in: " + ", ".join(f"{i}:weights[{i}]" for i in range(200)) in comment
    assert max(map(len, text.splitlines())) <= 100
    text = c_source(program, [1, 3], "sum", "f")
    assert " * shared: 0:weights[1], 1:weights[3]\n * data: 0:weights[0], 1:weights[2], 2:" in text


@needs_c
@pytest.mark.parametrize("standard", ["c99", "gnu11"])
def test_a_function_may_have_any_name_in_python(tmp_path, standard):
    program = traced(lambda x: x, "x")
    texts = {name: c_source(program, (), None, name) for name in NAMES}
    names = {
        name: re.search(r"^void (\w+)\(", text, re.MULTILINE)[1] for name, text in texts.items()
    }
    assert (names["<lambda>"], names["f"], names["exp"], names["double"]) == (
        *("f", "f", "exp_", "double_"),
    )
    once = {names[name]: text for name, text in texts.items()}
    c = library(tmp_path, once.values(), standard, ["-O0"])
    assert all(each_row(c[name], [[2.5]], 1) == 2.5 for name in once)


# ---- what is left out, and what is refused


def test_what_no_output_depends_on_is_left_out():
    x, y = Value(2.0, label="x"), Value(3.0, label="y")
    program = Program.from_values([x * 2.0, (x * y).exp()], [x, y])
    text = c_source(Program(program.inputs, program.steps, program.outputs[:1]), (), None, "f")
    assert (names_in(text), "exp" in text) == (["x", "v1"], False)


def test_what_all_rows_share_is_computed_before_them():
    text = c_source(traced(lambda a, x: mg.exp(a) * x, "a", "x"), (0,), "sum", "f")
    assert text.index("exp(a)") < text.index("for (") < text.index("* x")


def test_a_condition_is_no_number_on_its_way_to_where():
    text = c_source(traced(lambda x, y: mg.where(x < y, x, y), "x", "y"), (), None, "f")
    assert "const int v1 = x < y;\n    const double v2 = v1 ? x : y;\n" in text


def test_a_primitive_without_a_lowering_is_refused():
    own = Primitive("of test_c_source", lambda x: x, lambda out, x: (1,))
    try:
        with pytest.raises(TypeError, match=r"^the primitive 'of test_c_source' has no lowering"):
            c_source(Program(["x"], [(own, (0,))], [1]), (), None, "f")
    finally:
        del Primitive.registry[own.name]


def test_a_compiled_function_shows_its_c_source():
    source = compile(rosenbrock).source("c")
    assert "void rosenbrock(const double in[2], double out[1]) {" in source
    mean = compile(rosenbrock, shared="x", reduce="mean")
    assert (
        "void rosenbrock(size_t rows, const double *shared, const double *data, double *out) {"
        in (mean.source("c"))
    )
