"""Layout engines: one of your own draws every graph, and what is wrong with it is told."""

from pathlib import Path

import pytest

from microgrid import Value, draw, drawing, explore
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
