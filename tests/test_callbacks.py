"""Callbacks end a training where nothing gets better, and keep the best weights, whatever comes."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import MLP, History, Value, datasets, fit, losses, optim
from microgrid.callbacks import Checkpoint, EarlyStopping, ReduceOnPlateau

MEASURED = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]), min_size=1, max_size=12)


class Model(MLP):
    """A model whose weights say how often it was looked at."""

    def __init__(self):
        super().__init__(1, [1], seed=0)

    def step(self):
        for parameter in self.parameters():
            parameter.data += 1.0


def best_of(measured, highest, min_delta=0.0):
    """Return the number of the epoch that is best, told plainly."""
    best = 0
    for epoch, x in enumerate(measured, 1):
        gain = 0.0 if not best else x - measured[best - 1]
        if not math.isnan(x) and (not best or (gain if highest else -gain) > min_delta):
            best = epoch
    return best


@given(MEASURED, st.integers(1, 4), st.booleans(), st.sampled_from([0.0, 1.0]))
def test_a_training_ends_once_nothing_gets_better_and_has_its_best_weights(
    measured, patience, highest, min_delta
):
    model, history, states = Model(), History(), [None]
    options = {"patience": patience, "highest": highest, "min_delta": min_delta}
    with EarlyStopping("score", **options) as stopping:
        for epoch, x in enumerate(measured, 1):
            model.step()
            states.append(model.state_dict())
            history.records.append({"epoch": epoch, "score": x})
            best = best_of(measured[:epoch], highest, min_delta)
            ends = stopping(model, history)
            assert stopping.best_epoch == best
            assert ends == (epoch - best >= patience)
            if ends:
                break
    assert model.state_dict() == (states[best] or states[-1])


@given(MEASURED, st.booleans())
def test_the_file_holds_the_best_weights_so_far(tmp_path_factory, measured, highest):
    path = tmp_path_factory.mktemp("weights") / "new" / "best.json"
    model, history, states = Model(), History(), [None]
    with Checkpoint(path, "score", highest=highest) as keep:
        for epoch, x in enumerate(measured, 1):
            model.step()
            states.append(model.state_dict())
            history.records.append({"epoch": epoch, "score": x})
            assert keep(model, history) is None
            best = best_of(measured[:epoch], highest)
            written = json.loads(path.read_text()) if path.exists() else None
            assert written == states[best]


@given(MEASURED, st.integers(0, 3), st.booleans())
def test_the_rate_is_lowered_after_so_many_epochs_that_are_not_better(measured, patience, highest):
    sgd, history = optim.SGD([Value(0.0)], lr=1.0), History()
    slower = ReduceOnPlateau(
        sgd, factor=0.5, patience=patience, highest=highest, monitor="score", least=0.2
    )
    rate, since = 1.0, 0
    for epoch, x in enumerate(measured, 1):
        history.records.append({"score": x})
        slower(None, history)
        since = 0 if best_of(measured[:epoch], highest) == epoch else since + 1
        if since > patience:
            rate, since = max(rate / 2, 0.2), 0
        assert sgd.lr == rate


@pytest.mark.parametrize("compile", [False, True])
def test_fit_takes_the_lowered_rate(compile):
    X, y = datasets.moons(30, seed=1)
    model = MLP(2, [4, 1], activation="tanh", seed=0)
    sgd = optim.SGD(model.parameters(), lr=8.0)
    slower = ReduceOnPlateau(sgd, factor=0.5, patience=1)
    options = {"loss": losses.squared_error, "optimizer": sgd, "epochs": 20, "compile": compile}
    history = fit(model, X, y, callbacks=[slower], **options)
    assert history["lr"] == sorted(history["lr"], reverse=True)
    assert history["lr"][-1] < history["lr"][0] == 8.0
    waits = [r["epoch"] for r, s in pairwise(history) if s["lr"] < r["lr"]]
    best = [min(history["loss"][:epoch]) for epoch in waits]
    assert all(history["loss"][epoch - 1] > least for epoch, least in zip(waits, best, strict=True))


def training(callbacks, **options):
    X, y = datasets.moons(30, seed=1)
    model = MLP(2, [4, 1], activation="tanh", seed=0)
    sgd = optim.SGD(model.parameters(), lr=8.0)  # so large that the loss goes up and down
    options = {"epochs": 40, "loss": losses.squared_error, "progress": False, **options}
    return model, fit(model, X, y, optimizer=sgd, callbacks=callbacks, **options)


@pytest.mark.parametrize("compile", [False, True])
def test_fit_goes_back_to_the_weights_of_the_best_epoch(compile, tmp_path):
    states, stopping = [], EarlyStopping(patience=3)
    keep = Checkpoint(tmp_path / "best.json")
    note = lambda model, history: states.append(model.state_dict())  # noqa: E731
    for _ in range(2):  # and starts over in another training
        states.clear()
        model, history = training([note, stopping, keep], compile=compile)
        best = history["loss"].index(min(history["loss"]))
        assert stopping.best_epoch == best + 1
        assert len(history) == min(best + 4, 40)
        assert model.state_dict() == states[best] == json.loads(keep_text(keep))
    last, _ = training([note, EarlyStopping(patience=3, restore=False)], compile=compile)
    assert last.state_dict() == states[-1]


def keep_text(keep):
    return keep.path.read_text()


def test_an_interrupt_leaves_the_best_weights_too():
    states = []

    def interrupt(model, history):
        states.append(model.state_dict())
        if len(history) == 6:
            raise KeyboardInterrupt

    model, history = training([interrupt, EarlyStopping()], compile=False)
    best = history["loss"].index(min(history["loss"][:5]))  # the sixth was not looked at
    assert model.state_dict() == states[best]


def test_validation_is_looked_at_where_there_is_any():
    stopping = EarlyStopping(patience=40)
    _, history = training([stopping], validation=([[0.0, 0.0]], [1]))
    assert stopping.best_epoch == history["val_loss"].index(min(history["val_loss"])) + 1


SGD = optim.SGD([Value(0.0)])
WRONG = [
    (lambda path: EarlyStopping(patience=0), "`patience` must be an integer, at least 1"),
    (lambda path: EarlyStopping(3), "`monitor` must name a column of a history, got 3"),
    (lambda path: EarlyStopping(min_delta=-1.0), "`min_delta` must be a finite number, at least 0"),
    (lambda path: EarlyStopping(highest="yes"), "`highest` must be True or False"),
    (lambda path: EarlyStopping(restore=1), "`restore` must be True or False"),
    (lambda path: Checkpoint(3), "`path`"),
    (lambda path: ReduceOnPlateau(0.1), "`optimizer` must be an optimizer, got 0.1"),
    (lambda path: ReduceOnPlateau(SGD, factor=1.0), "`factor` must be a finite number, above 0"),
    (lambda path: ReduceOnPlateau(SGD, patience=-1), "`patience` must be an integer, at least 0"),
    (lambda path: training([Checkpoint(path)]), "Is a directory"),
    (lambda path: training([EarlyStopping("accuracy")]), "no column 'accuracy' in every record"),
    (lambda path: EarlyStopping()(lambda x: x, History([{"loss": 1.0}])), "only a Module has"),
]


@pytest.mark.parametrize(("wrong", "error"), WRONG)
def test_what_is_wrong_is_refused(wrong, error, tmp_path):
    with pytest.raises((KeyError, OSError, TypeError, ValueError), match=error):
        wrong(tmp_path)
