"""The laws of `fit`: the bits of a hand-written loop, whole steps only, errors that say where."""

import contextlib
import importlib.util
import io
import itertools
import json
import math
import os
import random
import re
import signal
import statistics
import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import (
    MLP,
    History,
    Module,
    Value,
    accuracy,
    datasets,
    exp,
    fit,
    log,
    losses,
    optim,
    schedules,
    sqrt,
    training,
)
from microgrid import sum as mg_sum
from microgrid.fitting.examples import examples
from microgrid.fitting.task import TrainingTask
from microgrid.fitting.trial import try_out
from microgrid.metrics import confusion_matrix

X, Y = datasets.moons(10, seed=3)
# Means of a few numbers, added up in another order.
ROUNDING = {"rel": 1e-14, "abs": 1e-15}


class Line(Module):
    """The model `w * x + b` of the first column; it keeps the rows it was asked for."""

    def __init__(self, w=0.5, b=0.0):
        self.w, self.b, self.asked = Value(w), Value(b), []

    def __call__(self, row):
        self.asked.append(row)
        return self.w * row[0] + self.b


class Watched(optim.SGD):
    """SGD that keeps all that a step changes, from the start and after each step."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, **options)
        self.seen = [self.now()]

    def now(self):
        return [p.data for p in self.parameters], self.state, self.steps

    def step(self):
        super().step()
        self.seen.append(self.now())


def network(seed=0):
    return MLP(2, [3, 1], activation="tanh", seed=seed)


def trained(model=None, rows=X, targets=Y, *, kind=optim.SGD, lr=0.1, **options):
    """Train by the usual options; return the model, the optimizer and the history."""
    model = network() if model is None else model
    optimizer = options.pop("optimizer", None) or kind(model.parameters(), lr=lr)
    options = {"loss": losses.binary_cross_entropy, "epochs": 2, "progress": False} | options
    history = fit(model, rows, targets, optimizer=optimizer, **options)
    return model, optimizer, history


def by_hand(model, optimizer, *, epochs=2, batch_size=None, shuffle=True, seed=0, schedule=None,
            clip=None, loss=losses.binary_cross_entropy):  # fmt: skip
    """Train as a user would write it, with the library's parts."""
    generator, step = random.Random(seed), 0
    for _ in range(epochs):
        size = batch_size or len(X)
        for rows, targets in datasets.batches(X, Y, size, shuffle=shuffle, seed=generator):
            optimizer.lr = schedule(step) if schedule else optimizer.lr
            model.zero_grad()
            pairs = zip(rows, targets, strict=True)
            mg_sum([loss(model(row), target) for row, target in pairs]).backward()
            gradients = [p.grad / len(rows) for p in optimizer.parameters]
            gradients = clip(gradients) if clip else gradients
            for p, gradient in zip(optimizer.parameters, gradients, strict=True):
                p.grad = gradient
            optimizer.step()
            step += 1


# ---- what it computes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"epochs": 1},
        {"epochs": 5},
        {"batch_size": 1},
        {"batch_size": 3},
        {"batch_size": 10},
        {"batch_size": 11},
        {"batch_size": 10**6},
        {"batch_size": np.int64(4)},
        {"batch_size": 3, "shuffle": False},
        {"batch_size": 3, "seed": 7},
        {"loss": losses.squared_error},
        {"batch_size": 4, "schedule": schedules.cosine(0.3, 5)},
        {"batch_size": 4, "schedule": schedules.warmup(schedules.constant(0.5), 3)},
        {"clip": optim.clip_norm(0.01)},
        {"clip": optim.clip_value(0.001), "batch_size": 2},
    ],
    ids=lambda options: ", ".join(options) or "no options",
)
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam], ids=lambda kind: kind.__name__)
def test_fit_has_the_bits_of_a_hand_written_loop(kind, options):
    model, optimizer, _ = trained(kind=kind, **options)
    other = network()
    others = kind(other.parameters(), lr=0.1)
    by_hand(other, others, **options)
    assert model.state_dict() == other.state_dict()
    assert optimizer.state_dict() == others.state_dict()
    assert model.state_dict() != network().state_dict()


def test_the_same_seed_gives_the_same_bits():
    options = {"batch_size": 3, "metrics": [accuracy], "validation": (X, Y)}
    model, _, history = trained(seed=5, **options)
    other, _, same = trained(seed=5, **options)
    third, _, again = trained(seed=random.Random(5), **options)
    assert model.state_dict() == other.state_dict() == third.state_dict()
    assert history.records == same.records == again.records


@pytest.mark.parametrize("seed", [6, None])
def test_another_seed_gives_another_order(seed):
    model, other = Line(), Line()
    trained(model, seed=5, epochs=1)
    trained(other, seed=seed, epochs=1)
    assert model.asked != other.asked
    assert sorted(model.asked) == sorted(other.asked)


def test_the_order_of_rows_is_the_only_thing_a_seed_changes():
    model, _, _ = trained(seed=5, shuffle=False)
    other, _, _ = trained(seed=6, shuffle=False)
    assert model.state_dict() == other.state_dict()


def test_what_is_measured_does_not_change_what_is_learnt():
    model, _, _ = trained(batch_size=3)
    other, _, _ = trained(
        batch_size=3, metrics=[accuracy], validation=(X[:4], Y[:4]), callbacks=[lambda m, h: None]
    )
    assert model.state_dict() == other.state_dict()


PROGRAM = """
import json
from microgrid import *
from microgrid import datasets, losses, optim
model = MLP(2, [4, 2], activation="tanh", seed=1)
X, y = datasets.moons(20)
history = fit(model, X, y, loss=losses.cross_entropy, optimizer=optim.Adam(model.parameters()),
              epochs=3, batch_size=6, metrics=[accuracy], validation=(X[:5], y[:5]))
print(json.dumps([model.state_dict(), history.records]))
"""


HERE = {"PYTHONPATH": str(Path(training.__file__).parents[1])}


def run(program, **environment):
    """Run a program with its output in a pipe; return what it wrote to stdout and stderr."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
        env=os.environ | HERE | environment,
    )
    return ran.stdout, ran.stderr


def test_another_process_computes_the_same_bits():
    outputs = {run(PROGRAM, PYTHONHASHSEED=seed) for seed in ["1", "2"]}
    assert len(outputs) == 1
    ((output, _),) = outputs
    assert len(json.loads(output)[0]) == 22


# ---- batches


@pytest.mark.parametrize("size", [1, 3, 5, 10, 11, 1000, None])
def test_every_row_is_seen_once_in_an_epoch(size):
    model = Line()
    _, optimizer, _ = trained(model, batch_size=size, epochs=3)
    assert optimizer.steps == 3 * math.ceil(len(X) / (size or len(X)))
    seen = model.asked[-3 * len(X) :]
    for epoch in range(3):
        assert sorted(seen[epoch * len(X) : (epoch + 1) * len(X)]) == sorted(X)


def test_every_epoch_has_an_order_of_its_own_unless_told():
    shuffled, kept = Line(), Line()
    trained(shuffled, epochs=3)
    trained(kept, epochs=3, shuffle=False)
    assert kept.asked[-3 * len(X) :] == X * 3
    seen = shuffled.asked[-3 * len(X) :]
    assert len({str(seen[i : i + len(X)]) for i in (0, len(X), 2 * len(X))}) == 3


def test_rows_and_targets_stay_together():
    pairs = []

    def loss(prediction, target):
        pairs.append((prediction.data, target))
        return losses.squared_error(prediction, target)

    trained(Line(1.0, 0.0), [[i] for i in range(9)], list(range(9)), loss=loss, batch_size=2)
    trained_on = pairs[-18:]  # those before are the trial of every target
    assert [prediction for prediction, _ in trained_on] == [target for _, target in trained_on]


# ---- what it measures


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("loss", [losses.binary_cross_entropy, losses.squared_error])
def test_with_a_rate_of_nothing_the_record_is_the_models_loss_and_metrics(size, loss):
    model, held_out = network(), datasets.moons(6, seed=9)
    wanted = {}
    for prefix, (rows, targets) in {"": (X, Y), "val_": held_out}.items():
        predictions = [model(row).data for row in rows]
        each = [loss(p, t) for p, t in zip(predictions, targets, strict=True)]
        wanted[f"{prefix}loss"] = math.fsum(each) / len(each)
        right = [(p > 0) == (t > 0) for p, t in zip(predictions, targets, strict=True)]
        wanted[f"{prefix}accuracy"] = sum(right) / len(right)
    before = model.state_dict()
    _, _, history = trained(
        model, lr=0.0, loss=loss, batch_size=size, metrics=[accuracy], validation=held_out
    )
    assert model.state_dict() == before
    for record in history:
        assert record["lr"] == 0.0
        for name, number in wanted.items():
            assert record[name] == pytest.approx(number, **ROUNDING)


def test_the_columns_of_a_record():
    def error(predictions, targets):
        return 0.25

    _, _, history = trained(metrics=[accuracy, error], validation=(X, Y), epochs=3)
    names = ["epoch", "loss", "lr", "accuracy", "error", "val_loss", "val_accuracy", "val_error"]
    assert [list(record) for record in history] == [names] * 3
    assert history["epoch"] == [1, 2, 3]
    assert history["val_error"] == [0.25] * 3
    assert history.ended == ""


def test_validation_is_measured_after_the_epoch():
    model, _, history = trained(validation=(X[:3], Y[:3]), epochs=4)
    pairs = zip(X[:3], Y[:3], strict=True)
    after = [losses.binary_cross_entropy(model(row).data, target) for row, target in pairs]
    assert history[-1]["val_loss"] == pytest.approx(math.fsum(after) / 3, **ROUNDING)


def test_the_training_loss_is_that_of_the_predictions_made_while_training():
    model = Line()
    _, _, history = trained(
        model, [[1.0], [2.0]], [1, 1], loss=losses.squared_error, epochs=1, batch_size=1,
        shuffle=False, lr=0.25,
    )  # fmt: skip
    first = (0.5 - 1) ** 2
    w = 0.5 - 0.25 * 2 * (0.5 - 1)
    b = w - 0.5
    assert history["loss"] == [(first + (2 * w + b - 1) ** 2) / 2]


def test_a_short_last_batch_counts_by_its_rows():
    _, _, history = trained(
        Line(0.0), [[0.0]] * 3, [1, 1, 4], loss=losses.squared_error, lr=0.0, batch_size=2,
        shuffle=False,
    )  # fmt: skip
    assert history["loss"] == [6.0, 6.0]


def test_metrics_are_given_plain_numbers():
    kinds = []

    def kind(predictions, targets):
        kinds.append({type(x) for x in [*predictions, *targets]})
        return 0.0

    trained(metrics=[kind], validation=(X, Y))
    assert kinds == [{float, int}] * 6  # twice before the first step


def test_metrics_of_logits_are_given_lists_of_plain_numbers():
    kinds = []

    def kind(predictions, targets):
        kinds.append({type(x) for prediction in predictions for x in prediction})
        return 0.0

    trained(MLP(2, [2], seed=0), loss=losses.cross_entropy, metrics=[kind], validation=(X, Y))
    assert kinds == [{float}] * 6


def test_metrics_of_arrays_are_given_plain_numbers():
    kinds, inner = [], MLP(2, [2], seed=0)

    def kind(predictions, targets):
        kinds.append({type(x) for prediction in predictions for x in prediction})
        return 0.0

    optimizer = optim.SGD(inner.parameters())
    targets = [[0.0, 1.0]] * len(X)
    trained(lambda row: np.array(inner(row)), X, targets, loss=losses.squared_error,
            optimizer=optimizer, metrics=[kind])  # fmt: skip
    assert kinds == [{float}] * 3


def test_validation_records_no_graph():
    recorded = []

    class Spy(Line):
        def __call__(self, row):
            out = super().__call__(row)
            recorded.append((row, bool(out.parents)))
            return out

    trained(Spy(), [[1.0], [2.0]], [0, 1], validation=([[7.0]], [1]), epochs=2)
    assert {graph for row, graph in recorded if row == [7.0]} == {False}
    assert sum(graph for row, graph in recorded if row != [7.0]) == 4  # 2 rows, 2 epochs


def test_recording_goes_on_after_a_training():
    trained(validation=(X, Y))
    assert (Value(2.0) * 3).parents


def named(name):
    def metric(predictions, targets):
        return 99.0

    metric.__name__ = name
    return metric


@pytest.mark.parametrize(
    "names", [["<lambda>", "<lambda>"], ["loss"], ["lr"], ["epoch"], ["val_loss"]], ids=", ".join
)
def test_a_metric_does_not_hide_another_nor_the_loss(names):
    with pytest.raises(ValueError, match=f"`metrics` must .*{names[0]}"):
        trained(metrics=[named(name) for name in names], validation=(X, Y))


@pytest.mark.parametrize("answer", [None, "good", [1.0], np.array([1.0]), 1j], ids=repr)
@pytest.mark.parametrize("compile", [False, True])
def test_a_metric_that_answers_with_no_number_is_named_before_the_first_step(answer, compile):
    def agreement(predictions, targets):
        return answer

    model = Line()
    before = model.state_dict()
    with pytest.raises(TypeError, match="the metric agreement must return a number, got"):
        trained(model, metrics=[agreement], compile=compile)
    assert model.state_dict() == before


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("which", ["y", "validation"])
def test_a_target_that_a_metric_refuses_is_named_before_the_first_step(which, compile):
    wrong, loss = [*Y[:-1], 2], losses.squared_error
    model = Line()
    before = model.state_dict()
    y, validation = (wrong, None) if which == "y" else (Y, (X, wrong))
    with pytest.raises(ValueError, match=f"the target 2 in row {len(Y) - 1}"):
        trained(model, X, y, loss=loss, metrics=[accuracy], compile=compile, validation=validation)
    assert model.state_dict() == before


def test_a_metric_that_needs_other_predictions_is_tried_out_with_all():
    seen = []

    def agreement(predictions, targets):
        seen.append(len(set(predictions)))
        return statistics.correlation(predictions, targets)  # of equal ones there is none

    trained(metrics=[agreement], epochs=1)
    assert seen[0] == 1 < seen[1]
    assert len(seen) == 3


@pytest.mark.parametrize("option", ["schedule", "clip", "callbacks", "metrics", "model"])
def test_a_function_of_other_arguments_is_refused_before_the_first_step(option):
    model = Line()
    before, adam = model.state_dict(), optim.Adam(model.parameters())
    several = option in ("callbacks", "metrics")
    wrong = {option: [lambda: None] if several else lambda: None}
    with pytest.raises(TypeError, match=f"`{option}` must be a function of .* does not take"):
        trained(wrong.pop("model", model), optimizer=adam, **wrong)
    assert (model.state_dict(), adam.steps) == (before, 0)


@pytest.mark.parametrize(
    "option", ["model", "loss", "optimizer", "schedule", "clip", "metrics", "callbacks", "seed"]
)
def test_rows_are_not_read_before_the_other_arguments_are_right(option):
    rows, model = iter(X), Line()
    right = {"loss": losses.squared_error, "optimizer": optim.SGD([model.w]), "epochs": 1}
    options = {"model": model} | right | {option: "wrong"}
    with pytest.raises(TypeError, match=option):
        fit(X=rows, y=Y, **options)
    assert len([*rows]) == len(X)


def test_a_model_that_changes_the_row_it_is_given_changes_no_data():
    def changing(row):
        row.append(row[0])
        row[0] = math.nan
        return line(row[2], row[1])

    def line(x1, x2):
        return w[0] * x1 + w[1] * x2

    trained = []
    for model in (changing, lambda row: line(*row)):
        w = [Value(0.5), Value(-0.5)]
        history = fit(
            model, [[1.0, 2.0], [3.0, 4.0]], [0, 1], loss=losses.squared_error, epochs=3,
            optimizer=optim.SGD(w, lr=0.01), validation=([[5.0, 6.0]], [1]), compile=False,
        )  # fmt: skip
        trained.append((history.records, [p.data for p in w]))
    assert trained[0] == trained[1]


# ---- accuracy


def test_accuracy_of_numbers_is_by_their_sign():
    assert accuracy([2.0, -1.0, 0.5, -0.5], [1, 0, 0, 1]) == 0.5
    assert accuracy([2.0, -1.0, 0.5, -0.5], [1, -1, -1, 1]) == 0.5
    assert accuracy([0.0], [0]) == accuracy([0.0], [-1]) == 1.0


def test_accuracy_of_logits_is_by_the_greatest():
    logits = [[0.1, 0.9, 0.0], [3.0, -1.0, 2.0], [0.0, 1.0, 2.0]]
    assert accuracy(logits, [1, 0, 2]) == 1.0
    assert accuracy(logits, [1, 2, 0]) == pytest.approx(1 / 3)
    assert accuracy([tuple(row) for row in logits], [1, 0, 1]) == pytest.approx(2 / 3)


def test_accuracy_takes_values():
    assert accuracy([Value(2.0), Value(-1.0)], [1, 1]) == 0.5
    assert accuracy([[Value(2.0), Value(-1.0)]], [0]) == 1.0
    assert accuracy([Value(2.0), [Value(2.0), Value(-1.0)]], [Value(1.0), Value(0.0)]) == 1.0


def test_accuracy_takes_arrays():
    assert accuracy(np.array([2.0, -1.0]), np.array([1, 1])) == 0.5
    assert accuracy(np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([0, 0])) == 0.5


def test_accuracy_needs_as_many_targets_as_predictions():
    with pytest.raises(ValueError, match=r"zip|length"):
        accuracy([1.0, 2.0], [1])


def test_accuracy_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        accuracy([], [])


# ---- the confusion matrix


@given(st.data())
def test_a_confusion_matrix_counts_the_rows_of_each_class_by_the_class_they_were_taken_for(data):
    classes = data.draw(st.integers(2, 5), label="classes")
    pair = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1))
    pairs = data.draw(st.lists(pair, min_size=1), label="class and answer")
    logits = [[float(k == said) for k in range(classes)] for _, said in pairs]
    targets = [right for right, _ in pairs]
    matrix = confusion_matrix(logits, targets)
    assert matrix == [[pairs.count((i, j)) for j in range(classes)] for i in range(classes)]
    assert accuracy(logits, targets) == sum(matrix[i][i] for i in range(classes)) / len(pairs)
    if classes == 2:
        signs = [no_less - no_more for no_more, no_less in logits]
        for no in (0, -1):
            assert confusion_matrix(signs, [right or no for right in targets]) == matrix


def test_confusion_matrix_says_in_which_row_it_finds_no_class():
    with pytest.raises(ValueError, match="needs predictions that are numbers, got nan in row 1"):
        confusion_matrix([[0.0, 1.0], [math.nan, 1.0]], [0, 1])
    with pytest.raises(ValueError, match="as many logits in row 1 as in the first, 2, got 3"):
        confusion_matrix([1.0, [1.0, 2.0, 3.0]], [0, 1])


# ---- schedule, clip, callbacks


def test_a_schedule_is_asked_at_every_step_from_0():
    asked = []

    def schedule(step):
        asked.append(step)
        return 0.1 / (step + 1)

    _, optimizer, history = trained(schedule=schedule, batch_size=4, epochs=3)
    assert asked == list(range(9))
    assert optimizer.lr == 0.1 / 9
    assert history["lr"] == [0.1 / 3, 0.1 / 6, 0.1 / 9]


def test_a_clip_sees_all_gradients_and_its_answer_is_what_moves():
    seen = []

    def clip(gradients):
        seen.append(list(gradients))
        return [0.5, -0.25]

    model, _, _ = trained(Line(1.0, 2.0), lr=1.0, clip=clip, epochs=2)
    assert [len(gradients) for gradients in seen] == [2, 2]
    assert (model.w.data, model.b.data) == (0.0, 2.5)


@pytest.mark.parametrize("answer", [[0.0], [0.0, 0.0, 0.0], None], ids=repr)
def test_a_clip_must_answer_with_as_many_gradients(answer):
    model = Line()
    with pytest.raises((TypeError, ValueError), match="`clip`"):
        trained(model, clip=lambda gradients: answer)
    assert model.state_dict() == Line().state_dict()


def test_a_callback_is_called_after_every_epoch_with_model_and_history():
    called = []

    def callback(model, history):
        called.append((model, history, len(history), history[-1]["epoch"]))

    model, _, history = trained(callbacks=[callback, callback], epochs=3)
    assert [what[:2] for what in called] == [(model, history)] * 6
    assert [what[2:] for what in called] == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3, 3)]


@pytest.mark.parametrize("true", [True, np.True_], ids=repr)
def test_a_callback_that_returns_true_ends_the_training(true):
    called = []
    _, optimizer, history = trained(
        epochs=5,
        callbacks=[lambda m, h: true if len(h) == 2 else False, lambda m, h: called.append(len(h))],
    )
    assert len(history) == optimizer.steps == 2
    assert called == [1, 2]  # the others are still called
    assert history.ended == "a callback ended it after epoch 2"


@pytest.mark.parametrize("answer", [None, False, 0, "stop", 5], ids=repr)
def test_a_callback_that_returns_something_else_does_not(answer):
    _, _, history = trained(callbacks=[lambda m, h: answer], epochs=3)
    assert (len(history), history.ended) == (3, "")


class Visit:
    """A callback that is a context manager, and notes down what happens to it."""

    def __init__(self, at_epoch_2):
        self.at_epoch_2, self.seen = at_epoch_2, []

    def __enter__(self):
        self.seen.append("entered")

    def __call__(self, model, history):
        self.seen.append(len(history))
        return self.at_epoch_2() if len(history) == 2 else None

    def __exit__(self, kind, *_):
        self.seen.append(kind)


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(
    ("at_epoch_2", "then"),
    [
        (lambda: None, [3, None]),
        (lambda: True, [None]),
        (raising(KeyboardInterrupt), [KeyboardInterrupt]),
        (raising(RuntimeError), [RuntimeError]),
    ],
)
def test_a_context_manager_among_the_callbacks_is_left_however_the_training_ends(
    at_epoch_2, then, compile
):
    if compile:
        pytest.importorskip("llvmlite", reason="training natively needs the extra `compile`")
    visit = Visit(at_epoch_2)
    with contextlib.suppress(RuntimeError):
        trained(callbacks=[visit], epochs=3, compile=compile)
    assert visit.seen == ["entered", 1, 2, *then]


def test_callbacks_are_entered_in_order_and_left_in_reverse():
    seen = []

    class Named(Visit):
        def __init__(self, name):
            super().__init__(lambda: None)
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *_):
            seen.append(self.name)

    trained(callbacks=[Named("a"), lambda m, h: None, Named("b")])
    assert "".join(seen) == "abba"


def weights(model):
    return [p.data for p in model.parameters()]


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("then", [lambda: None, raising(KeyboardInterrupt)])
def test_a_callback_with_a_beginning_hears_of_the_model_before_the_first_step(compile, then):
    if compile:
        pytest.importorskip("llvmlite", reason="training natively needs the extra `compile`")

    class Beginning(Visit):
        def begin(self, model, history):
            self.seen.append(weights(model))
            then()

    visit = Beginning(lambda: None)
    begun = weights(network())
    model, _, history = trained(callbacks=[visit], epochs=1, compile=compile)
    interrupted = ["entered", begun, KeyboardInterrupt]
    assert visit.seen == (interrupted if not len(history) else ["entered", begun, 1, None])
    assert (weights(model) == begun) == (not len(history))


def test_an_exception_in_a_callback_comes_out():
    def callback(model, history):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        trained(callbacks=[callback])


# ---- Ctrl-C

STEPS = 4  # of the small training: 2 epochs of 2 batches of 2 rows
TRIED_OUT = {"model": 3, "loss": 6, "metric": 2}  # calls before the first step


class Interrupt:
    """A function that is interrupted by Ctrl-C at its k-th call."""

    def __init__(self, k):
        self.left = k

    def __call__(self, *_):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


class Interrupted(Line):
    """A line that calls an interrupt first."""

    def __init__(self, interrupt):
        super().__init__()
        self.interrupt = interrupt

    def __call__(self, row):
        self.interrupt()
        return super().__call__(row)


def small(interrupt=lambda *_: None, kind=Watched):
    """Return a model, an optimizer, and a training of them with an interrupt at one place."""

    def train(place="none"):
        model.interrupt = interrupt if place == "model" else lambda: None
        options = {
            "loss": {"loss": lambda p, t: interrupt() or losses.squared_error(p, t)},
            "metric": {"metrics": [accuracy, lambda p, t: interrupt() or 0.0]},
            "schedule": {"schedule": lambda step: interrupt() or 0.25},
            "clip": {"clip": lambda gradients: interrupt() or gradients},
            "callback": {"callbacks": [interrupt]},
        }.get(place, {})
        defaults = {"loss": losses.squared_error, "metrics": [accuracy], "progress": False}
        return fit(
            model,
            [[1.0], [2.0], [-1.0], [0.5]],
            [1, 1, 0, 0],
            optimizer=optimizer,
            epochs=2,
            batch_size=2,
            validation=([[0.5]], [1]),
            **defaults | options,
        )

    model = Interrupted(None)
    optimizer = kind(model.parameters(), lr=0.25, momentum=0.5)
    return train, optimizer


def state(optimizer):
    return [p.data for p in optimizer.parameters], optimizer.state, optimizer.steps


@pytest.mark.parametrize("place", ["model", "loss", "metric", "schedule", "clip", "callback"])
def test_ctrl_c_returns_the_history_so_far_and_the_weights_of_whole_steps(place):
    train, optimizer = small()
    whole, steps = train(), optimizer.seen
    for k in itertools.count(1 + TRIED_OUT.get(place, 0)):
        train, optimizer = small(interrupt := Interrupt(k))
        try:
            history = train(place)
        except KeyboardInterrupt:  # which would end the whole test run
            pytest.fail(f"Ctrl-C came out of fit at call {k} of the {place}")
        if interrupt.left > 0:
            break
        assert state(optimizer) == optimizer.seen[-1] == steps[optimizer.steps]
        assert history["loss"] == whole["loss"][: len(history)]
        finished = optimizer.steps // 2
        # a metric runs before the record is made, a callback after
        assert len(history) in {"metric": [finished - 1]}.get(place, [finished - 1, finished])
        assert re.fullmatch("interrupted in epoch [12]", history.ended)
    assert k > 2
    assert (len(history), history.ended) == (2, "")


def test_one_can_go_on_after_ctrl_c():
    train, optimizer = small(Interrupt(2))
    train("callback")
    before = optimizer.steps
    assert len(train()) == 2
    assert optimizer.steps == before + STEPS


# ---- numbers that are no numbers any more


class Of(Line):
    """A function of a line's answer, which does nothing for its first calls."""

    def __init__(self, function, calls=0):
        super().__init__()
        self.function, self.calls = function, calls

    def __call__(self, row):
        self.calls -= 1
        out = super().__call__(row)
        return out if self.calls >= 0 else self.function(out)


def later(function):
    """Return a model that is a plain line when it is tried out, and for the first 4 steps."""
    return Of(function, calls=5)


def itself(prediction, _):
    return prediction


def up(prediction, _):
    return -prediction


def nothing(x):
    """Return 0, with the slope of x."""
    return x - x.detach()


# what happens: the model, the loss, the rate, what the message names
DISASTERS = {
    "a rate too large": (Line, losses.squared_error, 1e160, r"\*\*2 of .*e\+\d+.*: "),
    "an overflow of exp": (lambda: Of(exp), up, 1.0, r"exp of .*1\d\d\d\..*: math range error"),
    "a logarithm of less than 0": (
        lambda: Of(log),
        itself,
        0.1,
        r"log of .*-.*: math domain error",
    ),
    "a division by 0": (
        lambda: later(lambda x: 1 / (x - x)),
        itself,
        0.1,
        r"/ of 1.0, .*division by zero|/ of .*data=1.0.*division by zero",
    ),
    "a product that overflows": (
        lambda: later(lambda x: x * x * 1e200 * 1e200),
        itself,
        0.1,
        r"the loss is inf: first in `\*` of .*e\+\d\d\d.*, .*1e\+200",
    ),
    "nan in the model's own data": (
        lambda: later(lambda x: x * math.nan),
        itself,
        0.1,
        r"the loss is nan: .*nan",
    ),
    "an infinite slope": (
        lambda: later(lambda x: sqrt(x - x)),
        itself,
        0.1,
        r"the derivative of sqrt of .*0\.0.*: .*division by zero",
    ),
    "a gradient that overflows": (
        lambda: later(lambda x: x * 1e-300 * 1e200 * 1e200),
        itself,
        0.1,
        r"a gradient is not finite: first in the derivative of `\*` of",
    ),
    "a step too large": (
        lambda: later(lambda x: nothing(x) * 1e300),
        itself,
        1e10,
        r"the step must leave every parameter finite, got -inf for the one at 0",
    ),
}


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("disaster", DISASTERS)
def test_where_the_numbers_end_is_said_and_no_such_step_is_taken(disaster, momentum):
    make, loss, lr, message = DISASTERS[disaster]
    model = make()
    optimizer, history = Watched(model.parameters(), lr=lr, momentum=momentum), History()
    with pytest.raises(FloatingPointError, match=message) as caught:
        trained(
            model, [[1.0], [2.0]], [1, 1], loss=loss, optimizer=optimizer, epochs=50, batch_size=1,
            shuffle=False, history=history,
        )  # fmt: skip
    steps = optimizer.steps
    assert steps > 0
    assert state(optimizer) == optimizer.seen[steps]
    place = f"training stopped in epoch {steps // 2 + 1}, batch {steps % 2 + 1}: "
    assert str(caught.value).startswith(place)
    assert "The parameters are as they were before this step." in str(caught.value)
    assert history["epoch"] == list(range(1, steps // 2 + 1))
    assert history.ended == f"FloatingPointError in epoch {steps // 2 + 1}"


def test_gradients_that_are_finite_but_not_their_sum_are_said_to_be():
    w = Value(0.0)
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 1: .* in the sum of several"):
        trained(lambda row: w * 1e308 + w * 1e308, loss=itself, optimizer=optim.SGD([w]))
    assert w.data == 0.0


def test_a_gradient_that_is_not_finite_moves_nothing_even_if_clipped():
    model = Of(lambda x: sqrt(x * 0.0), calls=1)
    with pytest.raises(FloatingPointError, match="epoch 1, batch 1: the derivative of sqrt"):
        trained(model, loss=itself, clip=optim.clip_value(1.0))
    assert model.state_dict() == Line().state_dict()


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (Of(lambda x: log(-abs(x))), losses.squared_error),
        (Of(lambda x: exp(x + 1000)), losses.squared_error),
        (Of(lambda x: -abs(x)), lambda p, t: -t * log(p)),
        (Of(lambda x: x + 1000), lambda p, t: exp(p)),
    ],
    ids=["log in the model", "exp in the model", "log in the loss", "exp in the loss"],
)
def test_numbers_that_end_at_once_are_said_to(model, loss):
    before = model.state_dict()
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 1: (log|exp) of "):
        trained(model, loss=loss)
    assert model.state_dict() == before


def test_a_mistake_in_the_users_model_is_not_taken_for_an_end_of_numbers():
    def mistaken(x):
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match=r"^a mistake$"):
        trained(later(mistaken), loss=itself)


@pytest.mark.parametrize(
    ("function", "rows", "message"),
    [  # a bias of -1e291 or so is what the one step leaves
        (log, [[-2.0]], r"log of .*-2e\+291.*: math domain error"),
        (lambda x: x * 1e200 * 1e100, [[1.0]], "the loss is -inf"),
    ],
)
def test_numbers_that_end_in_the_validation_are_said_to(function, rows, message):
    model = Of(function)
    optimizer, history = Watched(model.parameters(), lr=1e-9), History()
    with pytest.raises(FloatingPointError, match=f"epoch 1, validation: {message}"):
        trained(
            model,
            [[1e-300]],
            [0],
            loss=itself,
            optimizer=optimizer,
            validation=(rows, [0] * len(rows)),
            history=history,
        )
    assert state(optimizer) == optimizer.seen[1]
    assert history.records == []
    assert (Value(2.0) * 3).parents  # recorded again


# ---- what is refused, before the first step

OTHER = optim.SGD([Value(1.0)])
MISTAKES = {
    "no epochs": ({"epochs": 0}, ValueError, "`epochs` must be an integer, at least 1, got 0"),
    "epochs less than 0": ({"epochs": -3}, ValueError, "`epochs` must be .* got -3"),
    "half an epoch": ({"epochs": 0.5}, TypeError, "`epochs` must be an integer"),
    "True epochs": ({"epochs": True}, TypeError, "`epochs` must be an integer.* got True"),
    "batches of none": ({"batch_size": 0}, ValueError, "`batch_size` must be .* got 0"),
    "batches of a half": ({"batch_size": 2.0}, TypeError, "`batch_size` must be an integer"),
    "a class for an optimizer": ({"optimizer": optim.SGD}, TypeError, "`optimizer` must be made"),
    "a name for an optimizer": ({"optimizer": "adam"}, TypeError, "`optimizer` must be made with"),
    "an optimizer of others": (
        {"optimizer": OTHER},
        ValueError,
        "must move the model's parameters",
    ),
    "a name for a loss": ({"loss": "mse"}, TypeError, "`loss` must be a function .* got 'mse'"),
    "a number for a loss": ({"loss": 0.5}, TypeError, "`loss` must be a function"),
    "a name for a model": ({"model": "MLP"}, TypeError, "`model` must be a function"),
    "a class for a model": ({"model": MLP, "optimizer": OTHER}, TypeError, "`model` must be"),
    "a name for a metric": ({"metrics": ["accuracy"]}, TypeError, "`metrics` must be .*'accuracy'"),
    "a metric in no list": ({"metrics": accuracy}, TypeError, "`metrics` must be"),
    "a callback in no list": ({"callbacks": print}, TypeError, "`callbacks` must be"),
    "a number for a callback": ({"callbacks": [1]}, TypeError, "`callbacks` must be .* got 1"),
    "a number for a schedule": ({"schedule": 0.1}, TypeError, "`schedule` must be"),
    "a number for a clip": ({"clip": 1.0}, TypeError, "`clip` must be"),
    "validation rows alone": ({"validation": X}, (TypeError, ValueError), "`validation` must be"),
    "validation of one": ({"validation": (X,)}, (TypeError, ValueError), "`validation` must be"),
    "of three": ({"validation": (X, Y, Y)}, (TypeError, ValueError), "`validation` must be"),
    "wider validation": (
        {"validation": ([[1.0, 2.0, 3.0]], [1])},
        ValueError,
        "`validation X` must have the 2 columns of `X`, got 3",
    ),
    "nan in the validation": (
        {"validation": ([[1.0, math.nan]], [1])},
        ValueError,
        "row 0, column 1 of `validation X` must be a finite number",
    ),
    "a wrong validation target": (
        {"validation": (X[:2], [1, 7])},
        ValueError,
        "row 1 of `validation y` does not suit the loss: .* from 0 to 1, got 7",
    ),
    "a negative seed": ({"seed": -1}, ValueError, "`seed` must be"),
    "a word for a seed": ({"seed": "one"}, TypeError, "`seed` must be"),
    "targets for another loss": (
        {"loss": losses.hinge},
        ValueError,
        r"row \d of `y` does not suit the loss: hinge needs a target of -1 or 1, got 0",
    ),
    "one output for many classes": (
        {"loss": losses.cross_entropy},
        TypeError,
        "row 0 of `y` does not suit the loss: cross_entropy needs a list of logits",
    ),
    "a class too many": (
        {
            "model": MLP(2, [2], seed=0),
            "loss": losses.cross_entropy,
            "targets": [0, 1] * 4 + [2, 0],
        },
        ValueError,
        "row 8 of `y` does not suit the loss: cross_entropy needs a target from 0 to 1, got 2",
    ),
    "rows of another width": (
        {"rows": [[1.0]] * 10},
        ValueError,
        "takes 2 inputs, got 1",
    ),
    "nan in a late row": (
        {"rows": [*X[:-1], [0.0, math.nan]]},
        ValueError,
        "row 9, column 1 of `X` must be a finite number, got nan",
    ),
    "None in a late target": ({"targets": [*Y[:-1], None]}, ValueError, "row 9 of `y` .* got None"),
    "too few targets": ({"targets": Y[:-1]}, ValueError, "must be of one length, got 10 and 9"),
    "a loss that is a float": (
        {"loss": lambda p, t: 0.5},
        TypeError,
        "the loss must be a Value that depends on parameters, got 0.5",
    ),
    "a loss that is None": ({"loss": lambda p, t: None}, TypeError, "the loss must be .* got None"),
    "a loss that is a list": ({"loss": lambda p, t: [p]}, TypeError, "the loss must be a Value"),
    "a class for a loss": (
        {"loss": type("L", (), {"__init__": lambda self, p, t: None})},
        TypeError,
        "`loss` must be a function",
    ),
    "a loss without gradient": (
        {"loss": lambda p, t: p.detach()},
        (RuntimeError, TypeError),
        "a graph of constants alone|a Value that depends on parameters",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_before_the_first_step(mistake):
    options, error, message = MISTAKES[mistake]
    options = dict(options)
    model = options.pop("model", None) or network()
    before = model.state_dict() if isinstance(model, Module) else None
    optimizer = options.pop("optimizer", None)
    if optimizer is None and before:
        optimizer = Watched(model.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(error, match=message):
        trained(model, optimizer=optimizer or OTHER, **options)
    if before:
        assert model.state_dict() == before
    if isinstance(optimizer, Watched):
        assert (optimizer.steps, optimizer.seen) == (0, [optimizer.now()])


# what a loss may tell apart: a target and one that is equal to it, or nearly
ALIKE = [(1, 1.0), (0.0, -0.0), (0, 0.0), (0.1, 0.1 + 2**-56), (2**53, 2**53 + 1),
         ([1, 2], [1, 2.0]), ([0.0], [-0.0]), (1, [1]), ([1], [1, 1])]  # fmt: skip


@pytest.mark.parametrize(("good", "bad"), [*ALIKE, *[pair[::-1] for pair in ALIKE]], ids=repr)
@pytest.mark.parametrize("at", [0, 700, 999])
def test_the_loss_is_tried_on_every_target_that_differs_and_on_equal_ones_once(good, bad, at):
    """Where the training comes to the rows of targets that it refuses does not matter."""

    def loss(prediction, target):
        tried.append(target)
        if repr(target) == repr(bad):
            raise ValueError("not this one")
        return prediction * prediction

    for refused in (True, False):
        tried, model = [], Line()
        targets = [good] * 1000
        targets[at:] = [bad if refused else good] * (1000 - at)
        task = TrainingTask(
            model, loss, optim.SGD([model.w]), examples([[1.0]] * 1000, targets), 1000
        )
        expected = pytest.raises(ValueError, match=f"^row {at} of")
        with expected if refused else contextlib.nullcontext():
            try_out(task, {})
        assert len(tried) == 1 + (refused and at > 0)


def trial_of(model, loss, targets):
    """Return what trying a loss on targets says is wrong; None if nothing is."""
    sgd = optim.SGD([Value(0.0)])
    task = TrainingTask(model, loss, sgd, examples([[1.0]] * len(targets), targets), len(targets))
    try:
        try_out(task, {})
    except (TypeError, ValueError) as error:
        return type(error), str(error).removesuffix(TAKES)


TAKES = "; a loss takes the prediction and the target of one row"  # of another's loss alone
FORMS = [0, 1, -2.5, 1e300, -1e308, 5e-324, [0.0], [1], [1.0, 2], [1e308, -1e308], [0.0] * 3, []]


@pytest.mark.parametrize("loss", [x for x in vars(losses).values() if callable(x)
                                  and getattr(x, "__name__", "") in losses.__all__])  # fmt: skip
@pytest.mark.parametrize("form", [1, [1], [1, 1], []], ids=repr)
def test_targets_that_a_loss_does_not_tell_apart_are_tried_as_all_are(loss, form):
    """A loss of one's own is tried on every one."""

    def model(row):
        return [W * 1.0 for _ in form] if isinstance(form, list) else W * 1.0

    draw = random.Random(0)
    for k in range(60):
        of_kind = [t for t in FORMS if isinstance(t, list) == isinstance(form, list)]
        targets = draw.choices(of_kind if k % 2 else FORMS, k=draw.randint(1, 5))
        own = trial_of(model, lambda p, t: loss(p, t), targets)
        assert trial_of(model, loss, targets) == own, targets


W = Value(0.5)


@pytest.mark.parametrize(
    ("rows", "targets"),
    [([[1.0], [math.nan]], [0, 1]), ([[1.0], [None]], [0, 1]), ([[1.0]], [0, 1]), ([], [])],
    ids=str,
)
def test_the_model_is_not_asked_before_its_rows_are_checked(rows, targets):
    model = Line()
    with pytest.raises(ValueError, match="`X`"):
        trained(model, rows, targets)
    assert model.asked == []


@pytest.mark.parametrize("kind", [list, np.array, iter, tuple], ids=lambda kind: kind.__name__)
def test_rows_come_in_any_form(kind):
    model, _, history = trained(rows=kind(X), targets=kind(Y), batch_size=3)
    other, _, same = trained(batch_size=3)
    assert model.state_dict() == other.state_dict()
    assert history.records == same.records


def test_a_loss_that_is_a_float_later_on_is_named():
    with pytest.raises(TypeError, match="the loss must be a Value that depends on parameters"):
        trained(Line(0.0), [[1.0]], [1], loss=lambda p, t: max(0.0, 1 - t * p), lr=1.0)


def test_any_function_is_a_model():
    w = Value(0.0)
    history = fit(
        lambda row: w * row[0], [[1.0], [2.0]], [3.0, 6.0], loss=losses.squared_error,
        optimizer=optim.SGD([w], lr=0.1), epochs=50, progress=False,
    )  # fmt: skip
    assert w.data == pytest.approx(3.0, abs=1e-6)  # the error shrinks by half in each epoch
    assert len(history) == 50


def test_an_optimizer_of_some_of_the_parameters_leaves_the_others():
    model = network()
    last = model.layers[-1].parameters()
    before = model.state_dict()
    trained(model, optimizer=optim.SGD(last, lr=0.1))
    moved = {name for name, number in model.state_dict().items() if number != before[name]}
    assert moved == {"layers.1.neurons.0.w.0", "layers.1.neurons.0.w.1", "layers.1.neurons.0.w.2",
                     "layers.1.neurons.0.b"}  # fmt: skip


def test_a_list_of_numbers_may_be_the_target():
    rows, targets = [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 2.0]]
    model, _, history = trained(
        MLP(2, [2], seed=0), rows, targets, loss=losses.squared_error, epochs=200, lr=0.5
    )
    assert history[-1]["loss"] < 1e-6
    assert [p.data for p in model([1.0, 0.0])] == pytest.approx([0.0, 2.0], abs=0.01)


# ---- the progress bar

PROGRESS = """
import sys
{before}
from microgrid import *
from microgrid import datasets, losses, optim
model = MLP(2, [3, 1], seed=1)
X, y = datasets.moons(20)
adam = optim.Adam(model.parameters())
history = fit(model, X, y, loss=losses.binary_cross_entropy, optimizer=adam, epochs=3, batch_size=5,
              metrics=[accuracy], validation=(X, y){option})
assert len(history) == 3 and not history.ended
"""
WITHOUT_TQDM = "sys.modules['tqdm'] = None"
has_tqdm = pytest.mark.skipif(
    importlib.util.find_spec("tqdm") is None, reason="the bar is tqdm's, an optional extra"
)


class Terminal(io.StringIO):
    """A place to write to that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("before", ["", WITHOUT_TQDM], ids=["with tqdm", "without tqdm"])
def test_into_a_pipe_nothing_is_written(before):
    options = ["", ", progress=True", ", progress=False"]
    assert run("".join(PROGRESS.format(before=before, option=each) for each in options)) == ("", "")


def test_without_an_output_it_trains():
    before = "sys.stdout = sys.stderr = None  # as under pythonw"
    assert run(PROGRESS.format(before=before, option="")) == ("", "")


@has_tqdm
def test_a_terminal_gets_a_bar_with_loss_and_metrics(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    _, _, history = trained(
        batch_size=4, epochs=3, metrics=[accuracy], validation=(X, Y), progress=True
    )
    last = terminal.getvalue().rstrip().rpartition("\r")[2]
    assert "epoch 3/3" in last
    for name in ["loss", "accuracy", "val_loss", "val_accuracy"]:
        assert f"{name}={history[-1][name]:.3g}" in last
    assert "lr=" not in last


@has_tqdm
def test_a_bar_ends_where_the_training_does(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    trained(batch_size=4, epochs=3, progress=True, callbacks=[lambda m, h: True])
    assert "epoch 1/3" in terminal.getvalue()
    assert "epoch 2/3" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


@has_tqdm
def test_a_notebook_gets_a_bar_too(monkeypatch):
    shell = types.SimpleNamespace(get_ipython=lambda: "a shell")
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setattr(sys, "stdout", cell := io.StringIO())
    trained(progress=True)
    assert "epoch 2/2" in cell.getvalue()


def test_a_program_that_only_imports_ipython_gets_no_bar(monkeypatch):
    shell = types.SimpleNamespace(get_ipython=lambda: None)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setattr(sys, "stdout", pipe := io.StringIO())
    trained(progress=True)
    assert pipe.getvalue() == ""


def test_without_tqdm_a_terminal_is_told_what_to_install_and_the_training_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    _, _, history = trained(progress=True)
    assert len(history) == 2
    assert re.fullmatch(r".*pip install 'microgrid-autodiff\[train\]'.*\n", terminal.getvalue())


def test_no_bar_no_word(monkeypatch):
    for tqdm in [{}, {"tqdm": None}]:
        for name, module in tqdm.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        trained(progress=False)
        assert terminal.getvalue() == ""


@has_tqdm
def test_a_bar_does_not_change_what_is_learnt(monkeypatch):
    options = {"batch_size": 3, "metrics": [accuracy], "validation": (X, Y)}
    model, _, history = trained(**options)
    monkeypatch.setattr(sys, "stdout", Terminal())
    other, _, same = trained(progress=True, **options)
    assert model.state_dict() == other.state_dict()
    assert history.records == same.records


def in_a_terminal(program, columns):
    """Run a program in a terminal of some columns; return the lines that it painted."""
    fcntl, termios = (pytest.importorskip(name) for name in ("fcntl", "termios"))
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    environment = {name: x for name, x in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | HERE,
    )
    os.close(theirs)
    painted = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(ours, 4096):
            painted += part
    os.close(ours)
    assert process.wait(timeout=60) == 0, painted.decode()
    return [line for line in re.split(r"[\r\n]+", painted.decode()) if line.strip()]


@has_tqdm
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_bar_keeps_to_the_width_of_its_terminal_and_cuts_no_number(columns):
    measured = "for name in history[-1]: print(f'{name}={history[-1][name]:.3g}')"
    lines = in_a_terminal(PROGRESS.format(before="", option="") + measured, columns)
    bars, numbers = lines[:-7], lines[-7:]
    assert len(bars) > 1
    assert max(map(len, bars)) <= columns
    last = bars[-1].rstrip()
    assert "epoch 3/3" in last
    shown = [pair for pair in re.split(r"[, ]+", last) if "=" in pair]
    assert set(shown) <= set(numbers)
    assert len(shown) >= {40: 1, 80: 2, 200: 4}[columns]
    assert shown[0].startswith("loss=")


def test_a_real_terminal_without_tqdm():
    lines = in_a_terminal(PROGRESS.format(before=WITHOUT_TQDM, option=""), 80)
    assert len(lines) == 1
    assert "pip install 'microgrid-autodiff[train]'" in lines[0]


# ---- what is learnt


@pytest.mark.parametrize(
    ("data", "sizes", "loss", "epochs"),
    [
        (datasets.moons(100), [8, 8, 1], losses.binary_cross_entropy, 25),
        (datasets.circles(60), [8, 1], losses.binary_cross_entropy, 25),
        (datasets.xor(40), [8, 1], losses.binary_cross_entropy, 20),
        (datasets.blobs(60, spread=0.5), [3], losses.cross_entropy, 25),
        (datasets.spirals(60, turns=0.75), [16, 16, 2], losses.cross_entropy, 60),
    ],
    ids=["moons", "circles", "xor", "blobs", "spirals"],
)
def test_a_small_network_learns(data, sizes, loss, epochs):
    model = MLP(2, sizes, activation="tanh", seed=1)
    _, _, history = trained(
        model, *data, kind=optim.Adam, lr=0.05, loss=loss, epochs=epochs, batch_size=10,
        metrics=[accuracy],
    )  # fmt: skip
    assert history[-1]["accuracy"] >= 0.97
    assert history[-1]["loss"] < history[0]["loss"] / 2


def test_penguins_are_told_apart():
    data = datasets.penguins()
    X_train, X_test, y_train, y_test = datasets.split(data.X, data.y, stratify=True)
    scaler = datasets.StandardScaler().fit(X_train)
    _, _, history = trained(
        MLP(4, [8, 3], activation="tanh", seed=1),
        scaler.transform(X_train),
        y_train,
        kind=optim.Adam,
        lr=0.02,
        loss=losses.cross_entropy,
        epochs=8,
        batch_size=16,
        metrics=[accuracy],
        validation=(scaler.transform(X_test), y_test),
    )
    assert history[-1]["val_accuracy"] > 0.95


def test_a_line_is_fitted_as_by_least_squares():
    rows = [[float(x)] for x in range(-5, 6)]
    targets = [3 * x[0] - 2 + (-1) ** i for i, x in enumerate(rows)]
    model, _, _ = trained(Line(), rows, targets, loss=losses.squared_error, lr=0.05, epochs=300)
    slope = sum(x[0] * y for x, y in zip(rows, targets, strict=True)) / sum(x[0] ** 2 for x in rows)
    found = [model.w.data, model.b.data]
    assert found == pytest.approx([slope, sum(targets) / 11], abs=1e-12)  # 0.9**300 is 2e-14


def test_a_model_that_the_optimizer_does_not_reach_is_refused():
    w, other = Value(1.0), Value(2.0)
    with pytest.raises(ValueError, match="must move the model's parameters"):
        trained(lambda row: w * row[0], loss=losses.squared_error, optimizer=optim.SGD([other]))
    assert (w.data, other.data) == (1.0, 2.0)


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf, None, "0.1", True], ids=repr)
def test_a_schedule_must_return_a_rate(rate):
    with pytest.raises(ValueError, match="`schedule` must return a rate of at least 0, got"):
        trained(schedule=lambda step: rate)


def test_a_mistake_in_a_schedule_is_not_taken_for_an_end_of_numbers():
    with pytest.raises(ZeroDivisionError):
        trained(schedule=lambda step: 1 / 0)


def test_a_callback_that_returns_a_number_does_not_end_the_training():
    _, _, history = trained(callbacks=[lambda m, h: 1], epochs=3)
    assert len(history) == 3


def test_accuracy_of_nan_is_never_right_and_of_other_classes_refused():
    assert accuracy([math.nan, math.nan], [0, 1]) == 0.0
    with pytest.raises(ValueError, match="got the target 2"):
        accuracy([3.0], [2])


def test_an_end_in_the_validation_does_not_say_that_a_step_was_undone():
    with pytest.raises(FloatingPointError, match=r"validation: .* as this epoch's steps left them"):
        trained(
            Line(1.0, 0.0),
            [[1.0]],
            [1.0],
            loss=lambda p, t: log(p),
            validation=([[-1.0]], [1.0]),
            lr=1e-9,
        )
