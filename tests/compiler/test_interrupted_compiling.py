"""Whatever hits the first call of a compiled function, the next one is right, in any thread."""

import contextlib
import functools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import microgrid as mg
from microgrid import Module, Value, losses, no_grad, optim
from microgrid.fitting.examples import Examples
from microgrid.fitting.task import TrainingTask
from microgrid.guards.locks import compiling, loading
from tests.interrupts import failing, one_of_each_line, signalled
from tests.memory import kept_by
from tests.threads import PATIENCE, all_at_once, in_a_thread

np = pytest.importorskip("numpy", reason="compiling needs the extra `compile`")
pytest.importorskip("llvmlite", reason="compiling needs the extra `compile`")

from microgrid.compiler.training.steps import NativeSteps  # noqa: E402  # after the skips

PACKAGE = f"{Path(mg.__file__).parent}{os.sep}"
ROOT = Path(PACKAGE).parent
MOST_KEPT = 2**20  # bytes: far less than a few for each call, as many as allocators may keep
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def is_watched(code):
    return code.co_filename.startswith(PACKAGE)


def check(where):
    """Assert that nothing is left on, or held."""
    assert sys.getprofile() is None, where
    assert (Value(1.0) * 2.0).parents, where
    for lock in (compiling, loading):
        assert in_a_thread(lambda lock=lock: lock.acquire(timeout=PATIENCE) and not lock.release())


# ---- the first call


def line(w, x):
    return mg.tanh(w[0] * x + w[1]) * 0.5


class First:
    """A compiled function that was never called, and its first call with some arguments."""

    def __init__(self, kind):
        given, options = KINDS[kind]
        function = mg.value_and_grad(line) if kind == "gradient" else line
        self.kind, self.call = kind, functools.partial(mg.compile(function, **options), *given)

    def is_right(self, result):
        return repr(result) == expected(self.kind)


W = [0.3, -0.1]
COLUMN = np.arange(5.0)
KINDS = {
    "numbers": ((W, 2.0), {}),
    "column": ((W, COLUMN), {}),
    "gradient": ((W, COLUMN), {"shared": "w", "reduce": "mean"}),
}


@functools.cache
def expected(kind):
    return repr(First(kind).call())


@functools.cache
def points_of(kind, cut=signalled):
    run = cut(First(kind).call, () if cut is signalled else -1, is_watched)
    return one_of_each_line(run, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_in_a_first_call(kind):
    cut = 0
    for point in points_of(kind):
        first = First(kind)
        run = signalled(first.call, {point}, is_watched)
        cut += run.result is None
        assert run.result is None or first.is_right(run.result), point
        assert first.is_right(first.call()), point
        assert first.is_right(in_a_thread(first.call)), point
        check(point)
    print(f"{cut} of {len(points_of(kind))} first calls were cut")
    assert cut


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_exception_in_a_first_call(error, kind):
    for point in points_of(kind, failing):
        first = First(kind)
        run = failing(first.call, point, is_watched, error)
        assert run.error is None or isinstance(run.error, error), point
        assert first.is_right(first.call()), point
        check(point)


# ---- the steps of a training


class Line(Module):
    """The model `w * x + b`."""

    def __init__(self):
        self.w, self.b = Value(0.5), Value(0.0)

    def __call__(self, row):
        return self.w * row[0] + self.b


ROWS, TARGETS = [[1.0], [2.0], [-1.0]], [1.0, 0.0, 0.5]


def steps_of(model):
    adam = optim.Adam(model.parameters(), lr=0.1)
    task = TrainingTask(model, losses.squared_error, adam, Examples(ROWS, TARGETS), len(ROWS))
    return NativeSteps(task, predicts=False)


def take(steps, count):
    """Take steps on all rows, and hand over what they leave."""
    columns, places = steps.columns(Examples(ROWS, TARGETS)), np.arange(len(ROWS))
    for _ in range(count):
        steps.take(columns, places, 0.1)
        steps.write()
        steps.read()


def state(steps):
    adam = steps.optimizer
    return [(p.data, p.grad) for p in adam.parameters], adam.state, adam.steps


@pytest.mark.parametrize("cut", [signalled, failing])
def test_what_native_steps_hand_over_is_of_one_step(cut):
    def begun():
        steps = steps_of(Line())
        return steps, functools.partial(take, steps, 3)

    states = []
    for count in range(4):
        steps, _ = begun()
        take(steps, count)
        states.append(state(steps))
    nowhere = () if cut is signalled else -1
    for point in one_of_each_line(cut(begun()[1], nowhere, is_watched), 6):
        steps, call = begun()
        cut(call, {point} if cut is signalled else point, is_watched)
        assert state(steps) == states[steps.optimizer.steps], point
        steps.read()  # and goes on from there
        take(steps, 3 - steps.optimizer.steps)
        assert state(steps) == states[3], point


@pytest.mark.parametrize("cut", [signalled, failing])
def test_what_traces_a_model_leaves_its_parameters_numbers(cut):
    nowhere = () if cut is signalled else -1
    for point in one_of_each_line(cut(lambda: steps_of(Line()), nowhere, is_watched), 5):
        model = Line()
        call = functools.partial(steps_of, model)
        cut(call, {point} if cut is signalled else point, is_watched)
        assert {type(p) for p in model.parameters()} == {Value}, point
        assert [p.data for p in model.parameters()] == [0.5, 0.0], point
        check(point)


# ---- threads


def test_threads_compile_and_call_at_the_smallest_switch_interval():
    functions = [mg.compile(lambda x, k=k: mg.sin(x) * k + 1.0) for k in range(4)]
    expected = [[f(x) for x in (0.5, 2.0)] for f in functions]
    fresh = [mg.compile(lambda x, k=k: mg.sin(x) * k + 1.0) for k in range(4)]
    begin, wrong = threading.Barrier(6), []

    def work():
        begin.wait()
        for _ in range(20):
            for f, results in zip(fresh, expected, strict=True):
                if [f(x) for x in (0.5, 2.0)] != results:
                    wrong.append(results)
                with no_grad():
                    if list(f(np.array([0.5, 2.0]))) != results:
                        wrong.append(results)

    all_at_once(work, 6)
    assert wrong == []


def test_code_that_is_gone_is_closed_by_who_compiles_next():
    f = mg.compile(lambda x: x * 17.0)
    assert f(1.0) == 17.0
    engine = f._latest.kernel.kernel.code._engine
    del f
    assert not engine.closed
    assert mg.compile(lambda x: x * 19.0)(1.0) == 19.0
    assert engine.closed


# ---- as in earnest, in processes of their own, which may crash

BOMBARDED = """
import random, signal, sys, threading, time
import microgrid as mg
from tests.interrupts import struck
signals, seed = int(sys.argv[1]), int(sys.argv[2])
draw = random.Random(seed)
mg.compile(lambda x: x + 0.5)(1.0)
begin = time.perf_counter()
mg.compile(lambda x: mg.tanh(x) * 0.25)(1.0)
duration = time.perf_counter() - begin
cut = hung = wrong = 0
for k in range(signals):
    f = mg.compile(lambda x, k=k: mg.tanh(x) * (k + seed / 7))
    run = struck(lambda: f(1.0), [draw.uniform(0, duration)])
    cut += run.error is not None
    results = []
    g = mg.compile(lambda x, k=k: x * (k + 0.5))
    thread = threading.Thread(target=lambda: results.append((g(2.0), f(1.0))), daemon=True)
    thread.start()
    thread.join(30)
    hung += not results
    wrong += results != [(2.0 * (k + 0.5), f(1.0))]
    wrong += abs(f(1.0) - 0.7615941559557649 * (k + seed / 7)) > 1e-12 * (k + 1)
print(cut, hung, wrong)
"""

IMPORTED = """
import random, sys, time
import microgrid as mg
from tests.interrupts import struck
run = struck(lambda: mg.compile(lambda x: x * 2.0)(3.0), [float(sys.argv[1])])
assert mg.compile(lambda x: x * 2.0)(3.0) == 6.0
print(run.error is not None)
"""


def processes(code, arguments):
    """Run a program with each of some arguments; return what each says."""
    told = []
    for given in arguments:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *map(str, given)],
            cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        told.append(run.stdout.split())
    return told


@pytest.mark.parametrize(
    ("runs", "signals"), [(1, 25), pytest.param(10, 100, marks=pytest.mark.slow)]
)
def test_signals_at_random_times_in_first_calls(runs, signals):
    told = processes(BOMBARDED, [(signals, seed) for seed in range(runs)])
    cut, hung, wrong = (sum(map(int, column)) for column in zip(*told, strict=True))
    print(f"{runs * signals} signals: {cut} calls cut, {hung} hung, {wrong} wrong, 0 aborts")
    assert (hung, wrong) == (0, 0)
    assert cut


@pytest.mark.parametrize("runs", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_signal_while_numpy_and_llvmlite_are_loaded(runs):
    told = processes(IMPORTED, [(0.3 * (k + 0.5) / runs,) for k in range(runs)])
    print(f"{runs} signals: {told.count(['True'])} calls cut")


# ---- memory


MODEL = mg.MLP(1, [2, 1], seed=0)
KEPT = Value(1.0)
FUNCTION, GRADIENT = mg.compile(lambda x, y: mg.sin(x) * y), mg.grad(lambda x: mg.sin(x) * x)
OF_KEPT = mg.compile(lambda x: x * KEPT)


def train(compile):
    mg.fit(
        *(MODEL, ROWS, TARGETS),
        **{"loss": losses.squared_error, "optimizer": optim.Adam(MODEL.parameters())},
        **{"epochs": 2, "compile": compile, "progress": False},
    )


def compile_anew():
    KEPT.data += 1.0
    assert OF_KEPT(2.0) == 2.0 * KEPT.data


def refused():
    with contextlib.suppress(TypeError):
        mg.compile(lambda x: 1.0 if x > 0 else 2.0)(1.0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
@pytest.mark.parametrize(
    ("call", "times"),
    [
        pytest.param(lambda: FUNCTION(1.0, 2.0), 100_000, id="compiled, of numbers"),
        pytest.param(lambda: FUNCTION(COLUMN, y=2.0), 100_000, id="compiled, of a column"),
        pytest.param(lambda: GRADIENT(1.0), 100_000, id="grad"),
        pytest.param(lambda: (KEPT * 2.0).tanh().backward(), 100_000, id="backward"),
        pytest.param(functools.partial(train, False), 2000, id="fit"),
        pytest.param(functools.partial(train, True), 500, id="fit, natively"),
        pytest.param(compile_anew, 200, id="compiled anew"),
        pytest.param(refused, 5000, id="refused"),
    ],
)
def test_what_is_called_again_and_again_keeps_no_memory(call, times):
    def many(times):
        for _ in range(times):
            call()

    many(times // 20)
    kept = kept_by(lambda: many(times), MOST_KEPT)
    print(f"{times} calls keep {kept / 1024:.0f} KiB")
    assert kept < MOST_KEPT
