"""Training watched: the live plot, the boundary's movie and the network's picture."""

import math
import random
import types
from inspect import signature
from itertools import pairwise
from pathlib import Path

import IPython
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipykernel.zmqshell import ZMQDisplayPublisher
from PIL import Image

from microgrid import MLP, Layer, Module, Neuron, Value, accuracy, fit, losses, optim
from microgrid.datasets import moons
from microgrid.drawing import BoundaryMovie, LivePlot, plot_decision_boundary, plot_network
from microgrid.drawing.training import boundary, live, movie
from microgrid.drawing.training.network import GRADIENTS, WIDEST
from tests.colours import lightness
from tests.search import usual

X, Y = moons(12, seed=0)
PNG = b"\x89PNG\r\n\x1a\n"


def trained(*callbacks, model=None, epochs=3, **options):
    model = model or MLP(2, [3, 1], activation="tanh", seed=1)
    sgd = optim.SGD(model.parameters(), lr=0.5)
    options = {"loss": losses.binary_cross_entropy, "batch_size": 4, "compile": False} | options
    history = fit(model, X, Y, optimizer=sgd, epochs=epochs, callbacks=callbacks, **options)
    return model, history


class Shell:
    """Stands in for the shell of a notebook's kernel, and keeps what is published."""

    kernel = "a kernel"

    def __init__(self):
        self.display_pub = self
        self.shown = []

    def publish(self, *arguments, **options):
        given = signature(ZMQDisplayPublisher.publish).bind(self, *arguments, **options).arguments
        self.shown.append((given["transient"]["display_id"], given["update"], given["data"]))


@pytest.fixture
def notebook(monkeypatch):
    shell = Shell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    return shell


@pytest.fixture
def quick(monkeypatch):
    """Ask models at few points, in Python: what is drawn matters little here."""
    monkeypatch.setattr(live, "RESOLUTION", 4)
    monkeypatch.setattr(boundary, "_compile", lambda model: None)


# ---- the live plot


class Dropout(Module):
    """A model that draws random numbers of its own, and from Python's generator."""

    def __init__(self):
        self.inner = MLP(2, [3, 1], seed=1)
        self.random = random.Random(0)

    def __call__(self, x):
        return self.inner(x) * (self.random.random() < 0.8)


@pytest.mark.parametrize("compile", [False, True])
def test_what_is_learnt_is_the_same_to_the_last_bit_watched_or_not(compile, notebook):
    if compile:
        pytest.importorskip("llvmlite", reason="training natively needs the extra `compile`")
    options = {"validation": (X, Y), "metrics": [accuracy], "compile": compile, "epochs": 2}
    model, history = trained(**options)
    watched, seen = trained(LivePlot(X, Y, every=0), BoundaryMovie(X, Y), **options)
    assert watched.state_dict() == model.state_dict()
    assert seen.records == history.records
    assert not seen.ended
    assert len(notebook.shown) > 1


def test_a_model_that_draws_numbers_draws_the_same_watched_or_not(notebook, quick):
    model, _ = trained(model=Dropout())
    watched, _ = trained(LivePlot(X, Y, every=0), model=Dropout())
    assert watched.state_dict() == model.state_dict()
    assert watched.random.random() == model.random.random()


def test_a_notebook_has_one_output_that_changes_and_ends_with_the_last_epoch(notebook, quick):
    plot = LivePlot(X, Y, every=0)
    for _ in range(2):
        notebook.shown.clear()
        trained(plot, epochs=2)
        ids, updates, data = zip(*notebook.shown, strict=True)
        assert len(set(ids)) == 1
        assert updates == (False, *[True] * (len(ids) - 1))
        assert set(data[0]) == {"text/plain"}
        assert all(each["image/png"].startswith(PNG) for each in data[1:])


class Clock:
    """A clock that goes only when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now


def pictured(monkeypatch, clock=None, drawing_takes=0):
    """Return a list of the epochs that are drawn, which grows; drawing itself is left out."""
    drawn, clock = [], clock or Clock()

    def picture(plot, model, history):
        clock.now += drawing_takes
        drawn.append(len(history))
        return types.SimpleNamespace(_repr_mimebundle_=lambda: ({}, {}))

    monkeypatch.setattr(live, "perf_counter", clock)
    monkeypatch.setattr(LivePlot, "_picture", picture)
    return drawn


@pytest.mark.parametrize(
    ("drawing_takes", "every", "expected"),
    [
        (0, 0.5, list(range(1, 21))),
        (0, 5, [1, 6, 11, 16, 20]),
        (2, 0.5, [1, 9, 17, 20]),  # 8 seconds of training to 2 of drawing
        (0, math.inf, [1, 20]),
    ],
)
def test_pictures_come_so_often_and_take_a_fifth_of_the_time(
    drawing_takes, every, expected, notebook, monkeypatch
):
    clock = Clock()

    def second_passes(model, history):
        clock.now += 1

    drawn = pictured(monkeypatch, clock, drawing_takes)
    trained(second_passes, LivePlot(every=every), epochs=20)
    assert drawn == expected


def test_the_last_picture_is_of_what_an_interrupted_training_came_to(notebook, monkeypatch):
    def interrupt(model, history):
        if len(history) == 3:
            raise KeyboardInterrupt

    drawn = pictured(monkeypatch)
    _, history = trained(LivePlot(every=math.inf), interrupt, epochs=9)
    assert history.ended.startswith("interrupted")
    assert drawn == [1, 3]


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()], ids=["none", "a terminal's"])
def test_without_a_notebook_and_a_path_nothing_is_drawn(shell, monkeypatch, capfd):
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(LivePlot, "_picture", lambda *_: pytest.fail("it draws"))
    trained(LivePlot(X, Y, every=0), progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_path_has_the_last_picture(tmp_path, quick):
    path = tmp_path / "new" / "live.png"
    trained(LivePlot(X, Y, path=path))
    assert path.read_bytes().startswith(PNG)


def test_in_a_loop_of_ones_own_it_stands_in_a_with(notebook, quick):
    model, history = trained()
    with LivePlot(X, Y) as plot:
        assert plot(model, history) is None
    assert [update for _, update, _ in notebook.shown] == [False, True]


def test_curves_stand_beside_the_boundary_of_two_inputs_and_alone_without(quick):
    model, history = trained(metrics=[accuracy], validation=(X, Y))
    both = LivePlot(X, Y)._picture(model, history).figure
    assert [axes.get_ylabel() for axes in both.get_axes()] == ["loss", "accuracy", "x₂"]
    wide = [[*row, 0.0] for row in X]
    for alone in (LivePlot(), LivePlot(wide, Y)):
        figure = alone._picture(model, history).figure
        assert [axes.get_ylabel() for axes in figure.get_axes()] == ["loss", "accuracy"]


def test_a_picture_that_fails_warns_once_and_the_training_goes_on(notebook, monkeypatch):
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(LivePlot, "_picture", fail)
    with pytest.warns(RuntimeWarning, match="after epoch 1, .* goes on: RuntimeError: no") as told:
        model, history = trained(LivePlot(X, Y, every=0))
    assert len(told) == 1
    assert (len(history), model.state_dict()) == (3, trained()[0].state_dict())


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([X], {}, TypeError, "needs both X and y"),
        ([X, Y[:3]], {}, ValueError, "one length, got 12 and 3"),
        ([X, [0.5] * 12], {}, ValueError, "row 0 of `y` must be an integer, a class, got 0.5"),
        ([], {"path": "live.gif"}, ValueError, "saved as .png, .svg or .pdf, got 'live.gif'"),
    ],
)
def test_what_a_live_plot_cannot_draw_is_refused_before_the_training(
    arguments, options, error, message
):
    with pytest.raises(error, match=message):
        LivePlot(*arguments, **options)


# ---- models are asked natively


class Branching(Module):
    """A model that cannot be compiled."""

    def __init__(self):
        self.w = Value(2.0)

    def __call__(self, x):
        return self.w * x[0] if x[1] > 0 else self.w * x[1]


class Constant(Module):
    def __call__(self, x):
        return [1.0, Value(0.5)]


@pytest.mark.parametrize(
    "model",
    [MLP(2, [5, 1], seed=0), MLP(2, [5, 3], activation="tanh", seed=0), Branching(), Constant()],
    ids=["a number", "logits", "branching", "constant"],
)
def test_natively_a_model_answers_as_in_python(model, monkeypatch):
    asked = boundary.Boundary(X, Y, 7)
    (native,) = asked.logits(model)
    monkeypatch.setattr(boundary, "_compile", lambda model: None)
    (python,) = asked.logits(model)
    assert native.shape == python.shape
    np.testing.assert_allclose(native, python, rtol=1e-12, atol=1e-12)  # sums in another order


def test_what_is_not_finite_natively_is_said_as_in_python():
    model = MLP(2, [1], seed=0)
    model.layers[0].neurons[0].b.data = math.inf
    with pytest.raises(ValueError, match="the model must return finite numbers, got"):
        plot_decision_boundary(model, X, Y)


class Nested(Module):
    def __call__(self, x):
        return [[x[0]], [x[1]]]


def test_what_is_no_list_of_logits_natively_is_said_as_in_python():
    with pytest.raises(TypeError, match=r"must return a number or a list of logits at .*, got"):
        plot_decision_boundary(Nested(), X, Y)


@pytest.mark.parametrize("natively", [False, True])
def test_a_model_is_asked_with_any_parameters_and_keeps_its_own(natively, monkeypatch):
    if natively:
        pytest.importorskip("llvmlite", reason="it is asked natively with the extra `compile`")
        monkeypatch.setattr(boundary, "_logits", lambda *_: pytest.fail("it was asked in Python"))
    else:
        monkeypatch.setattr(boundary, "_compile", lambda model: None)
    models = [MLP(2, [3, 1], seed=seed) for seed in range(3)]
    states = [[p.data for p in model.parameters()] for model in models]
    asked = boundary.Boundary(X, Y, 5)
    for model, logits in zip(models, asked.logits(models[0], states), strict=True):
        (own,) = asked.logits(model)
        assert (logits == own).all()
    assert [p.data for p in models[0].parameters()] == states[0]


# ---- the movie


def frames_of(path):
    """Return the pixels and the durations of a movie's frames."""
    pixels, durations = [], []
    with Image.open(path) as image:
        for i in range(image.n_frames):
            image.seek(i)
            pixels.append(np.array(image.convert("RGB")).astype(int))
            durations.append(image.info["duration"])
    return pixels, durations


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Return a movie of 9 epochs, its file of 4 frames, and the model before and after each."""
    model, film = MLP(2, [3, 1], activation="tanh", seed=1), BoundaryMovie(X, Y, resolution=20)
    states = [model.state_dict()]
    trained(film, lambda m, h: states.append(m.state_dict()), model=model, epochs=9)
    before = model.state_dict()
    path = film.save(tmp_path_factory.mktemp("movie") / "new" / "b.gif", frames=4, seconds=2)
    assert model.state_dict() == before
    return film, path, states


def test_the_first_frame_is_of_the_untrained_model_and_the_last_of_the_last_epoch(filmed):
    film, path, states = filmed
    pixels, _ = frames_of(path)
    assert len(pixels) == 4
    inside = (slice(80, -60), slice(100, -20))

    def of_class_0(frame):
        return frame[inside][..., 2] > frame[inside][..., 0]  # blue, not yellow

    for frame, state in ((pixels[0], states[0]), (pixels[-1], states[-1])):
        model = MLP(2, [3, 1], activation="tanh", seed=7)
        model.load_state_dict(state)
        only = BoundaryMovie(X, Y, resolution=20)
        (expected,) = only._frames(model, [film.epochs[states.index(state)]])
        assert (of_class_0(frame) == of_class_0(expected.astype(int))).mean() > 0.99
    assert (of_class_0(pixels[0]) != of_class_0(pixels[-1])).mean() > 0.02


@pytest.mark.parametrize("compile", [False, True])
def test_a_movie_keeps_the_model_before_the_training_and_after_each_epoch(compile):
    if compile:
        pytest.importorskip("llvmlite", reason="it trains natively with the extra `compile`")
    model, film = MLP(2, [3, 1], seed=1), BoundaryMovie(X, Y)
    begun = [p.data for p in model.parameters()]
    _, history = trained(film, model=model, epochs=2, compile=compile)
    assert [kept.epoch for kept in film.epochs] == [0, 1, 2]
    assert list(film.epochs[0].parameters) == begun
    assert list(film.epochs[-1].parameters) == [p.data for p in model.parameters()]
    assert film.epochs[0].title == "epoch 0, before the training"
    last = list(film.epochs[-1].parameters)
    trained(film, model=model, epochs=1, compile=compile, history=history)  # it goes on
    assert [kept.epoch for kept in film.epochs] == [2, 3]
    assert list(film.epochs[0].parameters) == last
    assert film.epochs[0].title == f"epoch 2, loss {history[1]['loss']:.3g}"


def test_all_frames_have_the_same_axes_and_colours(filmed):
    pixels, _ = frames_of(filmed[1])
    left, bottom, legend = np.s_[70:, :66], np.s_[-70:], np.s_[:30]
    for frame in pixels[1:]:
        for part in (left, bottom, legend):
            assert (frame[part] == pixels[0][part]).all()
    tints = set()
    for frame in pixels:
        inside = frame[80:-60, 100:-20].reshape(-1, 3)
        inside = inside[np.ptp(inside, axis=1) > 0]  # lines and the ground are grey
        colours, counts = np.unique(inside @ [65536, 256, 1], return_counts=True)
        tints |= set(colours[counts > 500])
    assert 6 <= len(tints) <= 2 * len(boundary.SHADES)  # of the two regions


def test_a_movie_takes_its_time_and_holds_at_the_end(filmed):
    _, durations = frames_of(filmed[1])
    assert durations == [500, 500, 500, 500 + movie.HOLD]


@usual(50)
@given(st.integers(1, 500), st.integers(2, 80))
def test_frames_are_spread_evenly_from_the_first_epoch_to_the_last(count, most):
    places = movie._spread(count, most)
    gaps = {after - before for before, after in pairwise(places)}
    assert len(places) == min(count, most)
    assert (places[0], places[-1]) == (0, count - 1)
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)


class Counting(MLP):
    calls = 0

    def __call__(self, x):
        Counting.calls += 1
        return super().__call__(x)


def test_all_frames_are_asked_of_one_kernel(tmp_path):
    pytest.importorskip("llvmlite", reason="it is asked natively with the extra `compile`")
    film = BoundaryMovie(X, Y)
    trained(film, model=Counting(2, [3, 1], seed=1))
    Counting.calls = 0
    film.save(tmp_path / "b.gif")
    assert Counting.calls == 1


def test_another_training_is_another_movie():
    film = BoundaryMovie(X, Y)
    trained(film, epochs=5)
    trained(film, epochs=2)
    assert repr(film) == "BoundaryMovie of 2 epochs"
    assert [kept.epoch for kept in film.epochs] == [0, 1, 2]


def test_a_movie_that_cannot_be_drawn_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "b.gif"
    path.write_text("the last one")
    film = BoundaryMovie(X, Y, resolution=4)
    trained(film)
    film.epochs[-1][2][0] = math.nan
    with pytest.raises(ValueError, match="finite"):
        film.save(path)
    assert path.read_text() == "the last one"


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("b.mp4", {}, "saved as .gif, got 'b.mp4'; .* ffmpeg -i b.gif b.mp4"),
        ("b.gif", {"frames": 1}, "`frames` must be an integer, at least 2, got 1"),
        ("b.gif", {"seconds": 0}, "`seconds` must be a finite number, above 0, got 0"),
        ("b.gif", {}, "no epoch was kept: train with"),
    ],
)
def test_what_is_no_movie_is_refused(path, options, message):
    with pytest.raises(ValueError, match=message):
        BoundaryMovie(X, Y).save(path, **options)


def test_a_movie_is_of_a_model_with_parameters():
    with pytest.raises(TypeError, match="needs a Module, which has parameters, got <function"):
        BoundaryMovie(X, Y)(lambda x: x[0], [])


# ---- the network


def small_network():
    """Return a network whose weights and gradients are small integers, of both signs and 0."""
    model = MLP(2, [3, 2], seed=0)
    for i, parameter in enumerate(model.parameters()):
        parameter.data = float((-1) ** i * (i % 5))
        parameter.grad = float(i % 7 - 3)
    return model


def lines_of(picture):
    """Return, by (data, grad), the width, the dashes and the colour of each line and ring."""
    weights, _, biases = picture.figure.axes[0].collections
    model = small_network()
    w = [p for layer in model.layers for neuron in layer.neurons for p in neuron.w]
    w.sort(key=lambda p: abs(p.grad))
    b = [neuron.b for layer in model.layers for neuron in layer.neurons]
    for parameters, drawn in ((w, weights), (b, biases)):
        assert len(parameters) == len(drawn.get_linewidths())
        for parameter, width, (_, dashes), colour in zip(
            parameters, drawn.get_linewidths(), drawn.get_linestyles(), drawn.get_edgecolors(),
            strict=True,
        ):  # fmt: skip
            yield parameter, width, dashes, tuple(colour)


def test_a_line_is_as_wide_as_its_weight_is_large_and_dashed_if_that_is_negative():
    for parameter, width, dashes, _ in lines_of(plot_network(small_network())):
        assert width == pytest.approx(WIDEST * abs(parameter.data) / 4)
        assert (dashes is not None) == (parameter.data < 0)


def test_a_weight_too_small_to_be_seen_has_no_dashes_without_end(tmp_path):
    model = MLP(2, [2], seed=0)
    tiny = [1.0, -5e-324, -1e-9, -1e-3, -0.0, 0.0]
    model.load_state_dict(dict(zip(model.state_dict(), tiny, strict=True)))
    path = plot_network(model).save(tmp_path / "network.svg")
    assert "inf" not in Path(path).read_text(encoding="utf-8")


def test_equal_gradients_have_equal_colours_and_others_have_others():
    colours = {}
    for parameter, _, _, colour in lines_of(plot_network(small_network())):
        colours.setdefault(parameter.grad, set()).add(colour)
    assert all(len(each) == 1 for each in colours.values())
    assert len(set.union(*colours.values())) == len(colours) == 7


def test_in_grey_a_gradient_is_as_dark_as_it_is_large_whatever_its_sign():
    sizes = np.linspace(0, 0.5, 20)
    below, above = ([lightness(GRADIENTS(0.5 + s * d)) for d in sizes] for s in (-1, 1))
    assert (np.diff(below) < 0).all()
    assert (np.diff(above) < 0).all()
    assert np.abs(np.subtract(below, above)).max() < 3  # of 100


def test_the_largest_gradients_lie_on_top():
    picture = plot_network(small_network())
    weights = picture.figure.axes[0].collections[0]
    darkness = [-lightness(colour) for colour in weights.get_edgecolors()]
    assert darkness[0] == min(darkness)
    assert darkness[-1] == pytest.approx(max(darkness), abs=3)


def words(picture):
    return [text.get_text() for text in picture.figure.axes[0].texts]


def test_labels_are_shown_as_they_are(tmp_path):
    hostile = ["$x^2$ <b>", "a\nb \\frac{", "$"]
    picture = plot_network(MLP(3, [2], seed=0), inputs=hostile, outputs=["100 $", "%s {}"])
    assert {"$x^2$ <b>", "a b \\frac{", "$", "100 $", "%s {}"} <= set(words(picture))
    assert not any(
        text.get_parse_math() for text in picture.figure.axes[0].texts if text.get_text()
    )
    picture.save(tmp_path / "network.svg")


@pytest.mark.parametrize("size", [(6, 4), (3, 2)])
def test_no_word_leaves_the_picture(size):
    labels = ["a rather long label", "b", "c"]
    picture = plot_network(MLP(3, [40, 2], seed=0), inputs=labels, outputs=labels[:2])
    figure = picture.figure
    figure.draw_without_rendering()
    across, up = figure.bbox.size
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= across  # noqa: PT018  (a picture has two sides)
        assert box.y0 >= 0 and box.y1 <= up  # noqa: PT018


def test_long_labels_widen_the_picture_and_leave_the_network_as_large():
    for labels in (["a", "b"], ["a label as long as it gets", "b"]):
        figure = plot_network(MLP(2, [3, 2], seed=0), inputs=labels, outputs=labels).figure
        figure.draw_without_rendering()
        (x0, _), (x1, _) = figure.axes[0].transData.transform([(0, 0), (1, 0)])
        assert (x1 - x0) / figure.dpi == pytest.approx(1, rel=0.15)  # an inch is an inch


def test_a_large_layer_is_thinned_and_says_so():
    picture = plot_network(MLP(2, [50, 1], seed=0), most=8)
    assert "50 relu\n7 shown" in words(picture)
    assert "⋮" in words(picture)
    weights, neurons, rings = picture.figure.axes[0].collections
    counts = [len(each.get_paths()) for each in (weights, neurons, rings)]
    assert counts == [2 * 7 + 7, 2 + 7 + 1, 7 + 1]


def test_of_many_weights_the_largest_between_two_layers_are_drawn_and_that_is_said():
    model = MLP(5, [6, 3], seed=0)  # 30 weights, then 18
    drawn = [len(plot_network(model, lines=n).figure.axes[0].collections[0].get_paths())
             for n in (None, 30, 29, 10, 1)]  # fmt: skip
    assert drawn == [48, 48, 29 + 18, 20, 2]
    picture = plot_network(model, lines=10)
    shown = sorted(picture.figure.axes[0].collections[0].get_linewidths())
    sizes = [
        sorted(abs(w.data) for neuron in layer.neurons for w in neuron.w)[-10:]
        for layer in model.layers
    ]
    largest = max(abs(p.data) for p in model.parameters())
    assert shown == pytest.approx(sorted(WIDEST * w / largest for gap in sizes for w in gap))
    note = "Of the weights between two layers, the 10 largest are drawn"
    assert picture.figure.legends[0].get_title().get_text() == note
    assert note in picture.alternative
    whole = plot_network(model, lines=None)
    assert whole.figure.legends[0].get_title().get_text() == ""
    assert "largest" not in whole.alternative


@pytest.mark.parametrize(
    "model", [MLP(1, [1]), Layer(3, 2), Neuron(2), MLP(2, [2]).with_parameters([1.0] * 6)]
)
def test_a_layer_and_a_neuron_have_pictures_and_without_gradients_it_is_said(model):
    figure = plot_network(model).figure
    assert "every gradient is 0" in figure.get_suptitle()
    assert len(figure.axes) == 1  # no colour bar


def test_a_network_of_zeros_has_no_lines():
    model = MLP(2, [2], seed=0)
    model.load_state_dict(dict.fromkeys(model.state_dict(), 0.0))
    weights = plot_network(model).figure.axes[0].collections[0]
    assert set(weights.get_linewidths()) == {0}


def infinite():
    model = MLP(2, [2], seed=0)
    model.layers[0].neurons[1].w[0].grad = math.inf
    return model


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (Branching(), {}, TypeError, "an MLP, a Layer or a Neuron, got Branching; .* its parts"),
        (MLP(2, [1]), {"inputs": ["a"]}, ValueError, r"`inputs` must be 2 labels, .* got \['a'\]"),
        (MLP(2, [1]), {"outputs": ["a", "b"]}, ValueError, "`outputs` must be 1 labels"),
        (
            MLP(2, [1]),
            {"most": 2},
            ValueError,
            "`most` must be an integer, at least 3, got 2",
        ),
        (MLP(2, [1]), {"most": 3.5}, TypeError, "`most` must be an integer"),
        (infinite(), {}, ValueError, r"layers.0.neurons.1.w.0 must have finite .* grad=inf"),
    ],
)
def test_what_is_no_network_is_refused(model, options, error, message):
    with pytest.raises(error, match=message):
        plot_network(model, **options)


@pytest.mark.parametrize("every", ["1", None, -1.0, math.nan])
def test_what_is_no_number_of_seconds_is_refused_before_the_training(every):
    with pytest.raises((TypeError, ValueError), match="`every` must be a number, at least 0, got"):
        LivePlot(every=every)
