"""Whatever line of a training Ctrl-C hits, once or twice, what is left is whole, and goes on.

What is left after k steps is, to the last bit, what an uninterrupted training has after k steps.
"""

import contextlib
import functools
import io
import os
import signal
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

import microgrid
from microgrid import History, Module, Value, accuracy, fit, losses, optim
from microgrid.guards import interrupts, locks
from tests.interrupts import (
    ends_of_with,
    failing,
    one_of_each_line,
    signalled,
    spread,
    struck,
    traversed,
)
from tests.threads import PATIENCE

PACKAGE = f"{Path(microgrid.__file__).parent}{os.sep}"
X, Y = [[1.0], [2.0], [-1.0], [0.5]], [1, 1, 0, 0]
BATCHES, EPOCHS = 2, 2
STEPS = BATCHES * EPOCHS

# Python drops what is raised as it frees an object, such as a generator
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
watchers = pytest.mark.parametrize("watchers", ["nobody", "metrics", "callbacks"])
compiled = pytest.mark.parametrize("compile", [False, True], ids=["python", "native"])


def is_watched(code):
    return code.co_filename.startswith(PACKAGE)


class Line(Module):
    """The model `w * x + b`."""

    def __init__(self):
        self.w, self.b = Value(0.5), Value(0.0)

    def __call__(self, row):
        return self.w * row[0] + self.b


class Visit:
    """A callback that is entered and left, and says how often."""

    def __init__(self):
        self.inside = 0

    def __enter__(self):
        self.inside += 1

    def __call__(self, model, history):
        assert self.inside

    def __exit__(self, *error):
        self.inside -= 1


class Training:
    """A small training, as often as it is called, and the laws of what it leaves."""

    def __init__(self, compile, watchers="nobody"):
        if compile:
            pytest.importorskip("llvmlite", reason="training natively needs the extra `compile`")
        self.compile, self.watchers = compile, watchers
        self.model, self.visit = Line(), Visit()
        self.adam = optim.Adam(self.model.parameters(), lr=0.1)

    def __call__(self, **options):
        return self.call(**options)()

    def call(self, **options):
        """Return a call of `fit`, without a line of Python around it."""
        watching = {
            "nobody": {},
            "metrics": {"metrics": [accuracy], "validation": ([[0.5]], [1])},
            "callbacks": {"callbacks": [self.visit, self.visit]},
        }
        given = {"epochs": EPOCHS, "batch_size": len(X) // BATCHES, "progress": False}
        given |= {"compile": self.compile, "loss": losses.squared_error, "optimizer": self.adam}
        return functools.partial(fit, self.model, X, Y, **given | watching[self.watchers] | options)

    def state(self):
        weights = [parameter.data for parameter in self.adam.parameters]
        return weights, self.adam.state, self.adam.steps

    def check(self, history, where):
        """Assert that what is left is whole; the history is None if an error came out of `fit`."""
        whole, states = uninterrupted(self.compile, self.watchers)
        assert self.state() == states[self.adam.steps], where
        assert self.visit.inside == 0, where
        assert sys.getprofile() is None, where
        assert {type(parameter) for parameter in self.adam.parameters} == {Value}, where
        if history is not None:
            unmeasured = self.adam.steps // BATCHES - len(history)
            assert unmeasured in ((0, 1) if self.watchers == "metrics" else (0,)), where
            assert history.records == whole[: len(history)], where
            assert history.ended or len(history) == EPOCHS, where
            begun = "before the first epoch" in history.ended
            assert not (begun and self.adam.steps), where


@functools.cache
def uninterrupted(compile, watchers):
    """Return the records of a whole training, and all that it changes after each step."""
    states = []
    for steps in range(STEPS + 1):
        training = Training(compile, watchers)
        with contextlib.suppress(ZeroDivisionError):
            whole = training(schedule=lambda step, steps=steps: 0.1 if step < steps else 1 / 0)
        states.append(training.state())
    return whole.records, states


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """Let a training that was interrupted not wait for what comes together with the first."""
    monkeypatch.setattr(interrupts, "BURST", 0.0)


@functools.cache
def points_of(compile, watchers, cut=signalled):
    """Return where a training is cut: at each of its lines, in the long run; else at a few."""
    Training(compile, watchers)()  # what is made once is made now
    nowhere = () if cut is signalled else -1
    run = cut(Training(compile, watchers).call(), nowhere, is_watched)
    return one_of_each_line(run, 3 if compile else 6)


@watchers
@compiled
@pytest.mark.parametrize(
    "apart",
    [0, 1, pytest.param(40, marks=pytest.mark.slow)],
    ids=["once", "again at once", "again later"],
)
def test_ctrl_c_at_any_line(apart, compile, watchers):
    ends = []
    points = points_of(compile, watchers)
    for point in some(points) if apart else points:
        training = Training(compile, watchers)
        run = signalled(training.call(), {point, point + apart}, is_watched)
        if run.result is None:
            # the first came before anything was begun, and the second while that was said
            assert training.adam.steps == 0, point
            assert apart, point
        else:
            ends.append(run.result.ended)
        training.check(run.result, point)
    print(f"{len(ends)} interrupted trainings: {count(ends)}")


@compiled
def test_ctrl_c_at_any_instruction(compile):
    ends = []
    Training(compile)()
    points = spread(traversed(Training(compile).call(), is_watched, "opcode"), 2)
    for point in points[:: len(points) // 300 + 1]:
        training = Training(compile)
        run = signalled(training.call(), {point}, is_watched, "opcode")
        assert run.result is not None, point
        ends.append(run.result.ended)
        training.check(run.result, point)
    print(f"{len(ends)} interrupted trainings: {count(ends)}")


@watchers
@compiled
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_exception_at_any_line(error, compile, watchers):
    ends = []
    points = points_of(compile, watchers, failing)
    for point in points if watchers == "nobody" else some(points):
        training = Training(compile, watchers)
        run = failing(training.call(), point, is_watched, error)
        assert run.error is None or error in kinds(run.error), point
        if error is KeyboardInterrupt and run.result is None:
            assert training.adam.steps == 0, point
        ends.append(run.result.ended if run.result is not None else error.__name__)
        training.check(run.result, point)
    print(f"{len(ends)} trainings that failed: {count(ends)}")


@compiled
def test_after_ctrl_c_one_goes_on_at_once(compile):
    for point in points_of(compile, "nobody")[::3]:
        training, other = Training(compile), Training(compile)
        history = signalled(training.call(), {point}, is_watched).result
        other.adam.load_state_dict(training.adam.state_dict())
        for own, copied in zip(training.adam.parameters, other.adam.parameters, strict=True):
            copied.data = own.data
        assert training().records == other().records, (point, history)
        assert training.state() == other.state(), point
    assert is_free(locks.compiling)
    assert is_free(locks.loading)


def is_free(lock):
    """Whether another thread can take a lock."""
    taken = []

    def take():
        if lock.acquire(timeout=PATIENCE):
            lock.release()
            taken.append(lock)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken == [lock]


def some(points):
    """Return each fourth of many points: where others are like those that all are tried of."""
    return points[::4] if len(points) > 50 else points


def kinds(error):
    """Return the kinds of an error and of what it was raised from."""
    return {type(error), type(error.__cause__)}


def count(ends):
    return {end: ends.count(end) for end in dict.fromkeys(ends)}


# ---- what is not a line of `fit`


def arrive():
    signal.raise_signal(signal.SIGINT)


class Arriving(list):
    """Rows that Ctrl-C comes with."""

    def __iter__(self):
        arrive()
        return super().__iter__()


def test_ctrl_c_in_the_checks_returns_an_empty_history():
    training = Training(False)
    history = fit(
        *(training.model, Arriving(X), Y),
        **{"loss": losses.squared_error, "optimizer": training.adam, "epochs": EPOCHS},
    )
    assert len(history) == 0
    assert history.ended == "interrupted before the first epoch"
    training.check(history, "in the checks")


class Hanging(Visit):
    """A callback that does not come to an end, once it is left, unless it is interrupted."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.held = clock, 0

    def __exit__(self, *error):
        super().__exit__()
        while True:
            self.clock[0] += 0.3
            arrive()
            self.held += 1


@compiled
@pytest.mark.parametrize("at", [1, 2])
def test_only_who_waits_for_a_second_cuts_short_what_a_callback_does_at_its_end(
    at, compile, monkeypatch
):
    clock = [100.0]
    monkeypatch.setattr(interrupts, "monotonic", lambda: clock[0])
    training, hanging, outer = Training(compile), Hanging(clock), Visit()

    def interrupt(model, history):
        if len(history) == at:
            arrive()

    history = training(callbacks=[outer, hanging, interrupt])
    assert hanging.held == 3
    assert (outer.inside, hanging.inside) == (0, 0)
    assert (len(history), history.ended) == (at, f"interrupted in epoch {min(at + 1, EPOCHS)}")
    training.check(history, "as a callback is left")


def test_ctrl_c_as_a_callback_is_entered_leaves_those_that_were_entered():
    class Refusing(Visit):
        def __enter__(self):
            arrive()

    training, refusing = Training(False), Refusing()
    history = training(callbacks=[training.visit, refusing])
    assert (training.visit.inside, refusing.inside) == (0, 0)
    assert history.ended == "interrupted in epoch 1"
    training.check(history, "as a callback is entered")


def test_who_catches_an_interrupt_in_a_callback_goes_on():
    def caught(model, history):
        with pytest.raises(KeyboardInterrupt):
            arrive()
        arrive()  # of the same second

    training = Training(False)
    history = training(callbacks=[caught], epochs=1)
    assert (len(history), history.ended) == (1, "")


def test_an_interrupted_training_inside_another_ends_alone():
    inner = Training(False)

    def nested(model, history):
        if len(history) == 1:
            told.append(inner(callbacks=[lambda *_: arrive()]).ended)

    told, training = [], Training(False)
    history = training(callbacks=[nested])
    assert told == ["interrupted in epoch 2"]
    assert (len(history), history.ended) == (EPOCHS, "")


def test_a_handler_of_ones_own_may_raise_what_it_likes():
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    training = Training(False)
    before = signal.signal(signal.SIGINT, stop)
    try:
        with pytest.raises(Stop):
            training(callbacks=[training.visit, lambda *_: arrive()])
        assert signal.getsignal(signal.SIGINT) is stop
    finally:
        signal.signal(signal.SIGINT, before)
    training.check(None, "in a handler")


class TooLong(Exception):
    """What a handler of SIGALRM raises."""


@watchers
@pytest.mark.parametrize("chosen", [False, True, None], ids=["python", "native", "either"])
def test_a_limit_of_time_is_kept_and_leaves_all_whole(chosen, watchers, monkeypatch):
    """SIGALRM, at any line, of which the handler raises what only its user knows."""
    monkeypatch.setattr("microgrid.training.WORTH_COMPILING", 0)
    compile = chosen is not False
    points = points_of(compile, watchers)

    def stop(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    ends = []
    try:
        for point in some(points):
            training, history = Training(compile, watchers), History(ended="before")
            met = iter(range(point + 1))

            def trace(frame, event, _, met=met, point=point):
                if not is_watched(frame.f_code):
                    return None
                is_point = event == "line" and frame.f_lasti not in ends_of_with(frame.f_code)
                if is_point and next(met, None) == point:
                    signal.raise_signal(signal.SIGALRM)
                return trace

            sys.settrace(trace)
            try:
                training(compile=chosen, history=history)
            except TooLong:
                sys.settrace(None)
                assert history.ended != "before" or training.adam.steps == 0, point
                training.check(history, point)
                ends.append(history.ended)
            else:
                assert next(met, None) is not None, f"the limit was lost at {point}"
            finally:
                sys.settrace(None)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(ends) > len(some(points)) / 2
    print(f"{len(ends)} trainings took too long: {count(ends)}")


@compiled
def test_a_callback_that_fails_leaves_the_history(compile):
    def fail(model, history):
        if len(history) == EPOCHS:
            raise OSError("the disk is full")

    training, history = Training(compile), History()
    with pytest.raises(OSError, match="full") as caught:
        training(callbacks=[fail], history=history)
    assert len(history) == EPOCHS
    assert history.ended == f"OSError in epoch {EPOCHS}"
    assert vars(caught.value) == {}  # it is the callback's own, and nothing hangs on it


@watchers
@compiled
def test_a_second_training_goes_on_with_the_history_of_the_first(compile, watchers):
    training, whole, history = Training(compile, watchers), Training(compile, watchers), History()
    for _ in range(EPOCHS):
        assert training(epochs=1, history=history, shuffle=False) is history
    assert history.records == whole(shuffle=False).records
    assert (training.state(), history.ended) == (whole.state(), "")
    with pytest.raises(TypeError, match="`history` must be a History"):
        training(history=history.records)
    assert (training.state(), len(history)) == (whole.state(), EPOCHS)


class Terminal(io.StringIO):
    """What is written, as to a terminal."""

    def isatty(self):
        return True


def test_ctrl_c_leaves_the_lock_of_all_bars_free(monkeypatch):
    tqdm = pytest.importorskip("tqdm", reason="a bar needs the extra `train`")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)

    def work():
        with microgrid.training._progress_bar(True, range(1, EPOCHS + 1), STEPS) as bar:
            for epoch in range(EPOCHS):
                bar.update(BATCHES)
                bar.show(epoch, {"epoch": epoch, "loss": 1.0})

    def is_of_a_bar(code):
        return code.co_filename.startswith((os.path.dirname(tqdm.__file__), PACKAGE))

    def take():
        with tqdm.tqdm.get_lock():
            taken.append(point)

    work()
    for point in spread(traversed(work, is_of_a_bar), 8):
        signalled(work, {point}, is_of_a_bar)
        taken = []
        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert taken == [point]


# ---- as in earnest


@compiled
@pytest.mark.parametrize(
    ("signals", "apart"),
    [
        (12, None),
        (6, 1e-5),
        pytest.param(500, None, marks=pytest.mark.slow),
        pytest.param(200, 1e-5, marks=pytest.mark.slow),
    ],
)
def test_signals_at_random_times(signals, apart, compile, monkeypatch):
    monkeypatch.undo()  # of the pause: here it is needed
    random, epochs = Random(0), 40

    def train(training, **options):
        return training(epochs=epochs, **options)

    train(Training(compile))
    begin = time.perf_counter()
    whole = train(Training(compile))
    duration = time.perf_counter() - begin

    @functools.cache
    def state_after(steps):
        training = Training(compile)
        with contextlib.suppress(ZeroDivisionError):
            train(training, schedule=lambda step: 0.1 if step < steps else 1 / 0)
        return training.state()

    ends = []
    for k in range(signals):
        training = Training(compile)
        delays = [random.uniform(0, duration)] + [apart] * (apart is not None)
        run = struck(training.call(epochs=epochs), delays)
        assert run.error is None, k
        assert training.state() == state_after(training.adam.steps), k
        assert run.result.records == whole.records[: training.adam.steps // BATCHES], k
        assert run.result.ended or len(run.result) == epochs, k
        ends.append(run.result.ended.rstrip("0123456789"))
    print(f"{signals} {'pairs' if apart else 'signals'}: {count(ends)}")
