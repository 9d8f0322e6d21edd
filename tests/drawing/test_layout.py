"""Layout engines: one of your own draws every graph, and what is wrong with it is told."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from microgrid import Neuron, Value, draw, drawing, explore
from microgrid.drawing import layout

PNG = b"\x89PNG"


@pytest.fixture
def own_engine(monkeypatch):
    """Set an engine that writes down what it is asked, and return the list of that."""
    asked = []

    def engine(source, format):
        asked.append((source, format))
        return f"<svg >{format}</svg>"

    monkeypatch.setattr(drawing, "engine", engine)
    return asked


def test_an_engine_of_ones_own_draws_every_graph(own_engine, tmp_path):
    graph = draw(Value(1.0, label="é"))
    assert graph.pipe("png") == b"<svg >png</svg>"
    assert ">svg</svg>" in Path(graph.save(tmp_path / "graph.svg")).read_text()
    assert "image/svg+xml" in graph._repr_mimebundle_()
    assert own_engine == [(graph.source, format) for format in ("png", "svg", "svg")]
    assert b"svg" in drawing.Graph().pipe()


def test_a_page_says_why_there_is_no_picture_if_an_engine_draws_but_cannot_list(own_engine):
    note = explore(Value(1.0) * 2.0).graph["note"]
    assert own_engine[-1][1] == "plain"
    assert "no picture" in note
    assert "format `plain`, and gave '<svg >plain</svg>'" in note


def test_an_engine_may_return_bytes(monkeypatch):
    monkeypatch.setattr(drawing, "engine", lambda source, format: b"\x89PNG")
    assert draw(Value(1.0)).pipe("png") == b"\x89PNG"


@pytest.mark.dot
def test_the_usual_engine_is_there_to_be_called_and_is_brought_back(own_engine):
    graph = draw(Value(1.0, label="a"))
    usual = layout.engine
    assert usual(graph.source, "svg").startswith(b"<?xml")
    assert own_engine == []
    drawing.engine = lambda source, format: usual(source.replace("=LR", "=TB"), format)
    across = graph.pipe("plain")
    drawing.engine = usual
    assert graph.pipe("png", engine="neato").startswith(PNG)
    assert graph.pipe("plain") == usual(graph.source, "plain")
    assert isinstance(across, bytes)


@pytest.mark.parametrize("wrong", [None, "dot", 3])
def test_an_engine_is_a_function(monkeypatch, wrong):
    monkeypatch.setattr(drawing, "engine", wrong)
    message = f"microgrid.drawing.engine must be a function .*got {wrong!r}; `del "
    with pytest.raises(TypeError, match=message):
        draw(Value(1.0)).pipe("svg")


def out_of_ink(source, format):
    raise ArithmeticError("out of ink")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (
            out_of_ink,
            r"the function microgrid\.drawing\.engine could not draw .* as svg: out of ink$",
        ),
        (lambda source: "", r"could not draw the graph as svg: .* takes 1 positional argument"),
        (lambda source, format: None, r"must return a picture as text or bytes, got None$"),
    ],
)
def test_what_is_wrong_with_an_engine_is_told_and_no_file_is_written(
    monkeypatch, tmp_path, engine, message
):
    monkeypatch.setattr(drawing, "engine", engine)
    graph = draw(Value(1.0))
    with pytest.raises(RuntimeError, match=message):
        graph.save(tmp_path / "graph.svg")
    assert list(tmp_path.iterdir()) == []
    assert graph._repr_mimebundle_()["text/plain"].endswith(graph.source)


def test_an_engine_of_ones_own_has_no_options_of_graphviz(own_engine):
    for options in ({"engine": "neato"}, {"renderer": "cairo"}, {"neato_no_op": 2}):
        with pytest.raises(ValueError, match=r"drawn by the .*drawing\.engine: leave them out"):
            draw(Value(1.0)).pipe("svg", **options)
    assert own_engine == []


# ---- what the engine is asked for beside the picture: how it draws what is in a frame


@pytest.fixture
def framed():
    """Give a function that draws a graph with frames as "svg"."""
    neuron = Neuron(2)
    y = neuron([Value(1.0), Value(2.0)])
    return lambda: draw(y, names=neuron).pipe("svg")


def plain(source, *, turned):
    """List the three nodes of the small graph, a and b in the other order if it is turned."""
    low, high = (0, 1) if turned else (1, 0)
    return f"graph 1 2 2\nnode a 0 {low} 1 1\nnode b 0 {high} 1 1\nnode c 1 1 1 1\nstop\n"


@dataclass
class Spy:
    """An engine that cannot be hashed, as a dataclass cannot, and writes down what it is asked."""

    asked: list
    turned: bool = False
    fails: bool = False

    def __call__(self, source, format):
        self.asked.append(format)
        if self.fails and format == "plain":
            raise OSError("not yet")
        return plain(source, turned=self.turned) if format == "plain" else "<svg ></svg>"


def spies():
    """Return engines of different kinds, with the list of what each is asked."""
    for wrap in (lambda spy: spy, lambda spy: spy.__call__, lambda spy: partial(spy)):
        spy = Spy([])
        yield wrap(spy), spy.asked


def test_an_engine_is_asked_once_how_it_draws_frames(framed, monkeypatch):
    for engine, asked in spies():
        monkeypatch.setattr(drawing, "engine", engine)
        framed(), framed()
        assert asked == ["plain", "svg", "svg"]
    before = len(asked)
    draw(Value(1.0) * 2.0).pipe("svg")  # which has no frames
    assert asked[before:] == ["svg"]


def test_what_one_engine_answered_is_not_taken_for_anothers(monkeypatch):
    one, other = Spy([], turned=False), Spy([], turned=True)
    for engine in (one, other, one, other):
        monkeypatch.setattr(drawing, "engine", engine)
        assert layout.turns_frames("LR") == engine.turned
    assert one.asked == other.asked == ["plain"]


def test_an_engine_that_failed_is_asked_again_and_one_that_cannot_list_is_not(monkeypatch):
    spy = Spy([], turned=True, fails=True)
    monkeypatch.setattr(drawing, "engine", spy)
    assert not layout.turns_frames("LR")
    spy.fails = False
    assert layout.turns_frames("LR")
    asked = []
    monkeypatch.setattr(drawing, "engine", lambda *of: asked.append(of) or "<svg ></svg>")
    assert [layout.turns_frames("LR"), layout.turns_frames("LR")] == [False, False]
    assert len(asked) == 1


# ---- a page that runs Pyodide, with Viz.js


class Promise:
    """A promise that the test keeps or breaks."""

    def then(self, kept, broken):
        self.kept, self.broken = kept, broken


@pytest.fixture
def promises(no_engine, monkeypatch):
    """Stand in for a page with the module of Viz.js, and return the promises that it makes."""
    made = []
    module = SimpleNamespace(instance=lambda: made.append(Promise()) or made[-1])
    monkeypatch.setattr(layout, "PAGE", SimpleNamespace(Viz=module))
    monkeypatch.setattr(layout, "refusals", [])
    return made


def svg_or_reason():
    try:
        return draw(Value(1.0)).pipe("svg")
    except RuntimeError as error:
        return str(error)


def test_a_page_draws_once_viz_js_is_loaded(promises):
    assert "it is being loaded, so run this cell again" in svg_or_reason()
    assert "it is being loaded, so run this cell again" in svg_or_reason()
    (promise,) = promises
    promise.kept(SimpleNamespace(renderString=lambda source, format: f"<svg >{format}</svg>"))
    assert b">svg</svg>" in svg_or_reason()
    assert len(promises) == 1


def test_why_viz_js_cannot_be_loaded_is_told_and_it_is_tried_again(promises):
    svg_or_reason()
    promises[0].broken(RuntimeError("no WebAssembly here"))
    assert "it could not be loaded: no WebAssembly here; it is being loaded" in svg_or_reason()
    assert len(promises) == 2
    promises[1].broken(RuntimeError("nor here"))
    assert "nor here; it is being loaded, so run this cell again" in svg_or_reason()
    promises[2].kept(SimpleNamespace(renderString=lambda source, format: "<svg ></svg>"))
    assert b"<svg" in svg_or_reason()
