import json
import math
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import graphviz
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

import microgrid
from microgrid import Primitive, Value, dot, drawing, explore, no_grad, topological_order
from microgrid.drawing import (
    Graph,
    Picture,
    draw,
    draw_dot,
    layout,
    plot_decision_boundary,
    plot_history,
)
from microgrid.drawing.labels import (
    abridge,
    html_text,
    isolate,
    number_text,
    printable,
    shorten,
)
from microgrid.drawing.names import LONGEST
from microgrid.drawing.notebook import DARK
from tests.colours import how_many
from tests.drawing.training.test_boundary import CORNERS, curved
from tests.drawing.training.test_curves import RECORDS
from tests.search import LONG, usual

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
PNG = b"\x89PNG\r\n\x1a\n"


def chain(nodes):
    value = Value(1.0)
    for _ in range(nodes - 1):
        value = value.tanh()
    return value


def program(choices):
    """Return a random graph: each choice combines two earlier values, that may be the same."""
    values = [Value(1.5, label="x"), Value(-0.5)]
    for operation, first, second in choices:
        x, y = values[first % len(values)], values[second % len(values)]
        values.append([x + y, x - y, x * y, x * 0.5, x.tanh(), dot([x, y], [y, x], 1.0)][operation])
    return values[-1]


def structure(graph):
    """Return the nodes and the edges, as Graphviz's own syntax has them one a line."""
    lines = [line.strip() for line in graph.body]
    edges = [ends(line.split(" [")[0]) for line in lines if " -> " in line]
    nodes = [line.split(" [")[0] for line in lines if " -> " not in line and line[0] == "n"]
    return nodes, edges


def ends(edge):
    """Return the nodes at the ends of an edge, without the pin of an operation that it ends at."""
    tail, head = edge.split(" -> ")
    return tail, head.partition(":")[0]


def texts(svg):
    """Return the texts that an SVG shows, and its tooltips; a hard space counts as a space."""
    root = ET.fromstring(svg)
    shown = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    tooltips = [link.get(f"{XLINK}title") for link in root.iter(f"{SVG}a")]
    return [soft(text) for text in shown], [soft(text) for text in tooltips]


def soft(text):
    return text.replace("\xa0", " ")


def pretend_engine(folder, name, script):
    """Write an executable that stands in for a layout engine."""
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@contextmanager
def primitive(name, *rule):
    """Declare a primitive for a while: others' tests walk over all that there are."""
    try:
        yield Primitive(name, *rule)
    finally:
        del Primitive.registry[name]


posix = pytest.mark.skipif(os.name == "nt", reason="a script is executable by itself on POSIX only")
graphs = st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=12).map(program)


# The graph


@given(graphs)
def test_every_value_is_one_node_and_every_operand_an_edge_in_order(root):
    order = topological_order(root)
    names = {value: f"n{place}" for place, value in enumerate(order)}
    nodes, edges = structure(draw(root))
    assert [node for node in nodes if not node.endswith("op")] == list(names.values())
    expected = []
    for value in order:
        operation = f"{names[value]}op"
        expected += [(names[parent], operation) for parent in value.parents]
        expected += [(operation, names[value])] if value.parents else []
    assert edges == expected
    assert sum(node.endswith("op") for node in nodes) == sum(bool(v.parents) for v in order)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=12))
def test_the_same_graph_gives_the_same_source(choices):
    assert draw(program(choices)).source == draw(program(choices)).source


def test_x_times_x_is_drawn_with_two_edges():
    x = Value(3.0)
    assert structure(draw(x * x))[1] == [("n0", "n1op"), ("n0", "n1op"), ("n1op", "n1")]


def test_a_value_that_two_roots_share_is_drawn_once():
    x = Value(3.0)
    graph = draw(x * 2, x + 1)
    assert graph.values == 5
    assert graph.source.count("peripheries=2") == 2


@pytest.mark.parametrize("nodes", [1, 50, 700, 5_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_graphs_of_any_size_are_drawn_without_recursion(nodes):
    graph = draw(chain(nodes), max_nodes=None)
    assert graph.values == nodes
    assert len(structure(graph)[1]) == 2 * (nodes - 1)


def test_operands_are_numbered_where_their_order_matters():
    x, y = Value(1.0), Value(2.0)
    with primitive("first", lambda x, y: x, lambda out, x, y: (1, 0)) as first:
        for ordered in (x - y, x / y, x**y, dot([x], [y]), microgrid.atan2(x, y), first(x, y)):
            assert draw(ordered).source.count("headlabel") == 2
    for symmetric in (x + y, x * y, microgrid.sum([x, y]), microgrid.maximum(x, y), x.exp()):
        assert "headlabel" not in draw(symmetric).source


def test_leaves_constants_inner_values_and_roots_differ_in_shape_fill_and_border():
    inner = Value(1.0) * 2.0
    source = draw(inner.exp()).source
    leaf, constant, product, root = (
        next(line for line in source.splitlines() if line.strip().startswith(f"n{place} ["))
        for place in range(4)
    )
    looks = [
        tuple(word in line for word in ("rounded", "bold", "note", "dashed", "peripheries"))
        for line in (leaf, constant, product, root)
    ]
    assert len(set(looks)) == 4
    fills = {line.partition("fillcolor=")[2][:9] for line in (leaf, constant, product, root)}
    assert len(fills) == 4


def test_a_constant_has_no_gradient_and_a_result_of_no_grad_is_a_constant():
    with no_grad():
        result = Value(2.0) * 3.0
    source = draw(result).source
    assert "grad" not in source
    assert structure(draw(result)) == (["n0"], [])


def test_a_line_asks_for_backward_as_long_as_every_gradient_is_0():
    x = Value(2.0)
    y = x * 3.0
    assert "was backward() called?" in draw(y).source
    y.backward()
    assert "was backward() called?" not in draw(y).source


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (2.0, "2"),
        (-0.0, "0"),
        (12345.678, "12346"),
        (1234567.0, "1234567"),
        (1.5e-5, "1.5e-5"),
        (1e-300, "1e-300"),
        (-1e20, "-1e20"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (Fraction(-22, 7), "-22/7"),
        (Fraction(6), "6"),
        (Fraction(10**9, 3 * 10**9 + 1), "≈0.3333"),
        (Fraction(10**5000, 7), "≈1.429e4999"),
        (None, "None"),
    ],
)
def test_numbers_are_short_and_readable(number, text):
    assert number_text(number) == text


@given(st.floats(-1e308, 1e308))  # 1.79769e308, rounded up, is none
def test_a_shown_number_is_right_to_4_digits_and_at_most_11_characters(number):
    text = number_text(number)
    assert float(text) == pytest.approx(number, rel=5.1e-4, abs=0)  # half a unit of the 4th digit
    assert len(text) <= len("-1.234e-300")


def test_a_gradient_that_is_none_is_drawn_as_that():
    x = Value(1.0)
    x.grad = None
    assert "None" in draw(x).source


def test_a_fraction_too_long_to_print_is_drawn():
    assert "≈1e9999" in draw(Value(Fraction(10**9999, 1)) * 1).source


def test_micrograds_draw_dot_takes_micrograds_arguments():
    x = Value(1.0)
    assert draw_dot(x, "png", "TB").format == "png"
    assert draw_dot(x, format="svg", rankdir="TB").source == draw(x, rankdir="TB").source
    assert microgrid.draw_dot is draw_dot
    assert microgrid.draw is draw


def test_a_copy_of_a_graph_keeps_how_many_values_it_has():
    graph = draw(chain(20), max_nodes=12).copy()
    assert (graph.values, graph.left_out) == (20, 8)


# What draw refuses


def test_draw_needs_a_value():
    with pytest.raises(TypeError, match="at least one Value, got none"):
        draw()


def test_draw_names_what_is_no_value():
    with pytest.raises(TypeError, match=r"draw needs Values, got 2\.0 \(float\)$"):
        draw(Value(1.0), 2.0)


def test_draw_says_how_to_pass_a_list_of_values():
    with pytest.raises(TypeError, match=r"got \[Value.* \(list\); .* draw\(\*values\)"):
        draw([Value(1.0)])


def test_an_unknown_rankdir_is_refused():
    with pytest.raises(ValueError, match=r"unknown rankdir 'up' \(must be one of LR, TB, BT, RL\)"):
        draw(Value(1.0), rankdir="up")


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="unknown format: 'docx'"):
        draw(Value(1.0), format="docx")


# Any text


@pytest.mark.dot
@usual(150)
@given(st.text(st.characters() | st.sampled_from('\\NGETHLnlr<>&;#"[]{}|: \n')))
@example(" ")  # which nobody sees
@example("two  spaces")
def test_any_label_is_shown_as_it_is(label):
    value = Value(1.0, label=label)
    value.grad = 1.0
    shown, tooltips = texts(draw(value).pipe("svg"))
    name = printable(label) if label and not label.isspace() else "L"
    assert shown == [soft(abridge(name, LONGEST)), "data  ", "1", "grad  ", "1"]
    assert tooltips == [soft(f"{name}: ") + "data = 1.0, grad = 1.0"]


HOSTILE = [
    '"quoted"',
    r"\n \N \G \l \\ \" \\N",
    "{a|b}<c>",
    "n1:port",
    "<script>alert(1)</script>",
    "<b>html</b>",
    "&amp; &lt;",
    "]]>",
    "-->",
    "😀 ∂L/∂w₁",
    "two\nlines",
    "\x00\x1b\ud800\uffff",
]


@pytest.mark.dot
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_and_primitives_are_shown_and_nothing_else(text):
    with primitive(text, lambda x: x, lambda out, x: (1,)) as operation:
        svg = draw(operation(Value(1.0, label=text))).pipe("svg", encoding="utf-8")
    shown, tooltips = texts(svg)
    assert abridge(printable(text), LONGEST) in shown
    assert shorten(printable(text)) in shown
    assert printable(text) in tooltips
    assert {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()} <= {
        *("svg", "g", "title", "desc", "a", "text", "path", "polygon", "polyline", "ellipse"),
    }


def test_a_bracket_is_escaped_as_dot_2_43_fails_at_a_final_one():
    assert "]" not in html_text("]")


@given(st.text(), st.integers(1, 30))
def test_a_shortened_text_is_a_beginning_and_short_enough(text, most):
    short = shorten(text, most)
    assert len(short) <= most
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@pytest.mark.dot
def test_a_long_label_is_whole_in_the_tooltip():
    shown, tooltips = texts(draw(Value(1.0, label="very " * 20 + "long")).pipe("svg"))
    assert "very very very …y very very long" in shown
    assert tooltips[0].startswith("very " * 20 + "long: data = 1.0")


# The layout engine


@posix
def test_dot_on_path_comes_before_graphviz_pure(no_engine, monkeypatch):
    installed = pretend_engine(no_engine, "graphviz-pure", "")
    assert layout.find_engine() == str(installed)
    monkeypatch.setattr(layout, "_find_installed", lambda: "bundled")
    assert layout.find_engine() == "bundled"
    dot_program = pretend_engine(no_engine, "dot", "")
    assert layout.find_engine() == str(dot_program)


@pytest.mark.dot
def test_graphviz_pure_is_found_though_it_is_not_on_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    if layout.find_engine() is None:
        pytest.skip("graphviz-pure is not installed, as on platforms that it has no wheel for")
    assert Path(layout.find_engine()).is_file()
    assert draw(Value(1.0)).pipe("png").startswith(PNG)


def test_a_record_of_a_program_that_is_not_there_is_no_engine(monkeypatch, tmp_path):
    class Recorded(type(Path())):
        def locate(self):
            return tmp_path / self

    monkeypatch.setattr(layout.metadata, "files", lambda name: [Recorded("bin/graphviz-pure")])
    assert layout._find_installed() is None
    (tmp_path / "bin").mkdir()
    pretend_engine(tmp_path / "bin", "graphviz-pure", "")
    assert layout._find_installed() == str(tmp_path / "bin" / "graphviz-pure")


def test_a_missing_graphviz_pure_is_no_engine(monkeypatch):
    def files(name):
        raise layout.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(layout.metadata, "files", files)
    assert layout._find_installed() is None


@posix
def test_the_engine_gets_the_source_and_the_format(no_engine):
    script = "import json; print(json.dumps([sys.argv[1:], sys.stdin.buffer.read().decode()]))"
    pretend_engine(no_engine, "dot", script)
    graph = draw(Value(1.0, label="é"))
    assert json.loads(graph.pipe("pdf")) == [["-Kdot", "-Tpdf"], graph.source]
    assert json.loads(graph.pipe("png", engine="neato"))[0] == ["-Kneato", "-Tpng"]


@posix
def test_what_an_engine_says_beside_its_picture_is_not_shown(no_engine, capfd):
    pretend_engine(no_engine, "dot", "print('a font'.upper(), file=sys.stderr); print('picture')")
    assert draw(Value(1.0)).pipe(encoding="utf-8") == "picture\n"
    assert capfd.readouterr() == ("", "")


def test_without_an_engine_pipe_says_what_to_install(no_engine):
    message = r"install Graphviz \(.*PATH\), or `pip install graphviz-pure`.*microgrid-autodiff\["
    with pytest.raises(graphviz.ExecutableNotFound, match=message):
        draw(Value(1.0)).pipe("svg")
    with pytest.raises(RuntimeError, match=message):
        draw(Value(1.0)).save(no_engine / "graph.svg")
    assert list(no_engine.iterdir()) == []


@posix
def test_a_failing_engine_is_an_error_with_its_words_and_no_file(no_engine):
    pretend_engine(no_engine, "dot", "print('half a pic'); sys.exit('out of ink')")
    kept = no_engine / "kept.svg"
    kept.write_text("a picture of before")
    graph = draw(Value(1.0))
    message = "dot could not draw the graph as svg: out of ink$"
    for write in (
        lambda: graph.save(kept),
        lambda: graph.save(no_engine / "new.svg"),
        lambda: graph.render(outfile=no_engine / "new.svg"),
        lambda: graph.render(no_engine / "new"),
    ):
        with pytest.raises(RuntimeError, match=message):
            write()
    assert kept.read_text() == "a picture of before"
    assert sorted(path.name for path in no_engine.iterdir()) == ["dot", "kept.svg"]


@posix
def test_an_engine_that_dies_in_silence_is_an_error(no_engine):
    pretend_engine(no_engine, "dot", "sys.exit(3)")
    with pytest.raises(RuntimeError, match="it ended with exit status 3"):
        draw(Value(1.0)).pipe()


@posix
def test_an_engine_that_cannot_be_run_is_an_error(no_engine):
    program = no_engine / "dot"
    program.write_bytes(b"\x00")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match=r"dot could not draw the graph as svg: .*rror"):
        draw(Value(1.0)).pipe()


@posix
def test_a_format_that_only_dot_draws_is_an_error_that_says_so(no_engine):
    pretend_engine(no_engine, "graphviz-pure", "sys.exit('Format: \"pdf\" not recognized.')")
    message = "graphviz-pure could not draw the graph as pdf: Format.*; Graphviz's `dot` is used if"
    with pytest.raises(RuntimeError, match=message):
        draw(Value(1.0)).save(no_engine / "graph.pdf")


# Showing


def test_without_an_engine_a_notebook_shows_a_note_and_the_source(no_engine):
    graph = draw(Value(1.0, label="</pre><script>"))
    bundle = graph._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Drawing a graph needs a layout engine")
    assert bundle["text/plain"].endswith(graph.source)
    assert "pip install graphviz-pure" in bundle["text/html"]
    assert "<script>" not in bundle["text/html"]


@pytest.mark.dot
def test_a_notebook_shows_a_graph_as_svg():
    shown, _ = DisplayFormatter().format(draw(Value(1.0, label="a")))
    assert "a" in texts(shown["image/svg+xml"])[0]
    assert draw(Value(1.0))._repr_mimebundle_(include={"image/png"})["image/png"].startswith(PNG)


@posix
def test_a_notebook_shows_why_an_engine_failed(no_engine):
    pretend_engine(no_engine, "dot", "sys.exit('out of ink')")
    assert "out of ink" in draw(Value(1.0))._repr_mimebundle_()["text/plain"]


def test_the_repr_of_a_graph_has_no_address():
    assert repr(draw(Value(1.0))) == "Graph of 1 value"
    assert repr(Graph(values=1234)) == "Graph of 1,234 values"
    assert repr(draw(chain(501))) == "Graph of 501 values, 1 of them not drawn"


# Files


@pytest.mark.dot
@pytest.mark.parametrize(
    ("suffix", "beginning"), [("svg", b"<?xml"), ("png", PNG), ("dot", b"digraph"), ("gv", b"digr")]
)
def test_save_and_render_write_the_format_of_the_suffix(tmp_path, suffix, beginning):
    graph = draw(Value(1.0) * 2.0)
    saved = graph.save(tmp_path / "new folder" / f"a.{suffix}")
    assert saved == str(tmp_path / "new folder" / f"a.{suffix}")
    rendered = graph.render(outfile=tmp_path / f"b.{suffix}", cleanup=True)
    for path in (saved, rendered):
        assert Path(path).read_bytes().startswith(beginning)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"b.{suffix}", "new folder"]


@pytest.mark.dot
def test_render_writes_the_source_too_as_graphviz_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = draw(Value(1.0))
    assert graph.render("gout") == "gout.svg"
    assert graph.render("other", directory="folder", format="png", cleanup=True) == str(
        Path("folder", "other.png")
    )
    assert graph.render(outfile="o.svg") == "o.svg"
    assert graph.render() == "Graph.gv.svg"
    beside = Path("folder", "beside.svg")  # where the picture is, so is its source
    assert graph.render(outfile=beside) == str(beside)
    assert graph.render(outfile="a.svg", directory="text") == "a.svg"
    written = {str(path) for path in Path().rglob("*") if path.is_file()}
    assert written == {
        *("gout", "gout.svg", str(Path("folder", "other.png"))),
        *("o.gv", "o.svg", "Graph.gv", "Graph.gv.svg"),
        *(str(beside), str(beside.with_suffix(".gv"))),
        *("a.svg", str(Path("text", "a.gv"))),
    }
    assert Path("gout").read_text(encoding="utf-8") == graph.source


@posix
def test_render_opens_the_picture_when_asked_to(no_engine, monkeypatch):
    pretend_engine(no_engine, "dot", "print('picture')")
    opened = []
    monkeypatch.setattr(graphviz, "view", lambda path, quiet: opened.append((path.name, quiet)))
    draw(Value(1.0)).render(outfile=no_engine / "a.svg", view=True)
    draw(Value(1.0)).view(no_engine / "b", quiet_view=True)
    assert opened == [("a.svg", False), ("b.svg", True)]


def test_the_suffix_of_dot_text_may_be_in_capitals(tmp_path):
    graph = draw(Value(1.0))
    assert Path(graph.save(tmp_path / "graph.DOT")).read_text(encoding="utf-8") == graph.source


SAVED = {
    "a graph is saved as .svg, .png, .pdf, .dot or .gv": draw(Value(1.0)),
    "a page is saved as .html or .htm": explore(Value(1.0).exp()),
    "a picture is saved as .png, .svg or .pdf": plot_history([{"epoch": 1, "loss": 1.0}]),
    "a movie is saved as .gif": drawing.BoundaryMovie([[0, 1]], [0]),
}


def test_whatever_can_be_saved_is_known_here():
    with_save = {x for x in map(drawing.__getattr__, drawing.__all__) if hasattr(x, "save")}
    unlike_pages = {kind for kind in with_save if not issubclass(kind, drawing.Page)}
    assert unlike_pages | {drawing.Exploration} == {type(thing) for thing in SAVED.values()}


@pytest.mark.parametrize("name", ["no suffix", "a.txt", "a.svg.bak", "a.svg.html.gif.docx", ".svg"])
@pytest.mark.parametrize(("message", "thing"), SAVED.items())
def test_a_wrong_suffix_is_refused_before_any_work(message, thing, name, tmp_path, no_engine):
    with pytest.raises(ValueError, match=re.escape(message)):
        thing.save(tmp_path / "folder" / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "which"), [("a.svg", 1), ("a.html", 0), ("a.png", 3), ("a.gif", 2)]
)
def test_what_is_a_format_of_another_thing_is_refused(name, which, tmp_path):
    with pytest.raises(ValueError, match="is saved as"):
        [*SAVED.values()][which].save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_save_can_leave_an_existing_file_alone(tmp_path):
    path = tmp_path / "graph.svg"
    path.write_text("as it was")
    assert draw(Value(1.0)).save("graph.svg", tmp_path, skip_existing=True) == str(path)
    assert path.read_text() == "as it was"


# Imports


def test_neither_the_core_nor_the_folder_loads_a_third_party_library():
    code = (
        "import sys, microgrid, microgrid.drawing\n"
        "print(sorted({'graphviz', 'matplotlib', 'numpy'} & sys.modules.keys()))\n"
        "microgrid.draw(microgrid.Value(1.0))\n"
        "print(sorted({'graphviz', 'matplotlib', 'numpy'} & sys.modules.keys()))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "['graphviz']"]


@pytest.mark.parametrize(
    "name",
    [
        *("BoundaryMovie", "LivePlot", "Picture"),
        *("plot_confusion_matrix", "plot_decision_boundary", "plot_history", "plot_images"),
        "plot_network",
    ],
)
def test_without_matplotlib_pictures_say_what_to_install(name, monkeypatch):
    own = ("microgrid.drawing.picture", "microgrid.drawing.training")
    for module in list(sys.modules):
        if module.startswith(own) or module.partition(".")[0] == "matplotlib":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = rf"{name} needs matplotlib.*: pip install 'microgrid-autodiff\[train\]'"
    with pytest.raises(ImportError, match=message):
        getattr(drawing, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        drawing.paint  # noqa: B018  (the access is the test)


def test_all_names_are_there():
    assert set(drawing.__all__) == set(dir(drawing))
    assert all(getattr(drawing, name).__name__ == name for name in drawing.__all__)


# ---- pictures of a training


def test_a_picture_shows_itself_as_a_png_with_something_on_it():
    picture = plot_history(RECORDS)
    shown, _ = DisplayFormatter().format(picture)
    assert shown["image/png"].startswith(PNG)
    assert how_many(picture) > 20
    assert repr(picture) == "Picture(9 x 3 inches)"


@pytest.mark.parametrize(
    ("suffix", "beginning"), [("png", PNG), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", PNG)]
)
def test_a_picture_is_saved_in_the_format_of_the_suffix(tmp_path, suffix, beginning):
    path = tmp_path / "new folder" / f"curves.{suffix}"
    assert plot_history(RECORDS).save(path) == str(path)
    assert path.read_bytes().startswith(beginning)


def test_a_picture_refuses_other_suffixes(tmp_path):
    with pytest.raises(ValueError, match=r"saved as \.png, \.svg or \.pdf, got '.*curves\.docx'"):
        plot_history(RECORDS).save(tmp_path / "curves.docx")
    assert list(tmp_path.iterdir()) == []


ODD = [*HOSTILE, "a\0b", "very " * 40 + "long", "שלום", "\u202egnp.", "$\\frac{"]


@pytest.mark.parametrize("texts", [*zip(ODD), ODD] if LONG else [ODD])
def test_pictures_of_any_text_are_well_formed(texts, tmp_path):
    count, few = len(texts), texts[:3]  # of these each needs axes or many cells
    records = [{"loss": 1.0, **dict.fromkeys(few, 2.0), **{f"val_{text}": 1.0 for text in few}}]
    neuron, layer = microgrid.Neuron(count, seed=0), microgrid.Layer(1, count, seed=0)
    for picture in (
        plot_history(records),
        drawing.plot_network(neuron, inputs=texts, outputs=texts[:1], most=max(3, count)),
        drawing.plot_network(layer, inputs=texts[:1], outputs=texts, most=max(3, count)),
        drawing.plot_images([[0.0]] * count, labels=texts),
        drawing.plot_confusion_matrix([[1] * len(few)] * len(few), classes=few),
    ):
        svg = Path(picture.save(tmp_path / "a.svg")).read_text(encoding="utf-8")
        assert ET.fromstring(svg).find(f"{SVG}title").text == picture.alternative


def test_pictures_say_in_words_what_is_to_be_seen():
    assert plot_history(RECORDS).alternative == (
        "Curves over the epochs: loss of training from 0.9 to 0.3, loss of validation from 1 to "
        "0.8, accuracy of training from 0.5 to 0.9, accuracy of validation from 0.4 to 0.5."
    )
    assert plot_decision_boundary(curved, CORNERS, [0, 1, 0, 1], resolution=3).alternative == (
        "Decision boundary: the regions in which a model sees each class, the stronger in colour "
        "the surer it is, and 4 points, "
        "2 of class 0, 2 of class 1."
    )
    network = drawing.plot_network(microgrid.MLP(2, [3, 1], seed=0))
    said = "Network of 2 inputs, layers of 3, 1 neurons, 13 parameters."
    assert network.alternative == said
    shown, metadata = DisplayFormatter().format(network)
    assert shown["image/png"].startswith(PNG)
    assert metadata["image/png"] == {"alt": said}
    assert Picture(network.figure).alternative == repr(network)


@pytest.mark.dot
@pytest.mark.parametrize("text", ODD)
def test_a_graph_says_in_words_what_is_to_be_seen_and_is_no_wider_than_a_notebook(text):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = a * b + 6.5
    loss.label = text
    graph = draw(loss, a)
    said = f"Graph of 5 values: {isolate(shorten(printable(text)))} = 0.5, a = 2"
    bundle = graph._repr_mimebundle_()
    for svg in (bundle["image/svg+xml"], graph.pipe("svg")):
        root = ET.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.find(f"{SVG}desc").text == said
        assert root.get("style") == "max-width: 100%; height: auto"
        assert root.get("viewBox")
    alternative, style, svg = image_of(bundle)
    assert alternative == said
    assert "max-width: 100%" in style
    assert svg.replace(DARK, "") == bundle["image/svg+xml"]


def image_of(bundle):
    """Return the alternative, the style and the SVG of the image that a notebook shows."""
    _, tag, image = bundle["text/html"].partition("<img ")
    image = ET.fromstring(f"{tag}{image}".replace(">", "/>"))
    head, _, content = image.get("src").partition(",")
    assert head == "data:image/svg+xml;base64"
    return image.get("alt"), image.get("style"), b64decode(content).decode()


def test_a_notebook_shows_a_picture_as_an_svg_with_its_words_and_pixels_where_html_is_not_shown(
    monkeypatch,
):
    picture = plot_history(RECORDS)
    bundle, metadata = picture._repr_mimebundle_()
    alternative, _, svg = image_of(bundle)
    assert alternative == picture.alternative == metadata["image/png"]["alt"]
    assert svg.count(DARK) == 1
    assert ET.fromstring(svg.replace(DARK, "")).find(f"{SVG}title").text == alternative
    assert bundle["image/png"].startswith(b"\x89PNG")
    again = plot_history(RECORDS)._repr_mimebundle_()[0]
    assert again == bundle  # to the last byte, as notebooks are compared
    monkeypatch.setattr("microgrid.drawing.picture.LARGEST", len(svg.encode()) // 2)
    assert set(picture._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_a_stale_graph_says_so_and_names_the_leaf():
    x = Value(3.0, label="<width>")
    y = x * x
    y.backward()
    assert "has changed" not in draw(y).source
    x.data = 4.0
    assert "<width> has changed since: refresh() computes the rest again" in draw(y).source
    y.refresh()
    assert "has changed" not in draw(y).source
