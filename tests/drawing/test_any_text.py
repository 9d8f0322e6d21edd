"""Any text may be a label, a name, an operation's or a metric's: no picture or page is harmed."""

import json
import re
import warnings
import xml.etree.ElementTree as ET
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

import microgrid
from microgrid import (
    Layer,
    Neuron,
    Primitive,
    Value,
    draw,
    explain,
    explore,
    formula,
    topological_order,
)
from microgrid.drawing import Picture, plot_history, plot_network
from tests.search import LONG, usual

TEXTS = [
    *("a\0b", "\x01", "\x1b[31m", "\x7f", "\x85", "\x9f", "\n", "\r\n", "\t", "\v", "\u2028"),
    *("\u2029", "\ud800", "a\udfffb", "\ufdd0", "\ufffe", "\uffff", "\U0001fffe", "\ufeff"),
    *("\u061c", "\u200e", "\u202a", "\u202e", "\u2066", "\u2069", "\u200b", "\xad", "שלום"),
    *("]]>", "<![CDATA[", "-->", "<!--<script>", "</script>", "</title>", "</style>", "<b>"),
    *("&", "&#0;", '"', "'", "\\", "\\N", "\\G", "{|}", "[", "]", "$x$", "$\\frac{", "${title}"),
    *("%s{}", "`", "~^_", " ", "", "x" * 300, "漢字" * 30, "😀", "e\u0301", "__proto__", "=1+1"),
]
# XML has none of these; a page may have some, but nobody sees them, and some turn lines around
UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029]")
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066\u2067]")


@pytest.fixture(autouse=True)
def no_warnings_of_fonts():
    """Let characters be missing from matplotlib's font: it draws a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def graph_of(texts):
    """Return a value that depends on leaves and operations with these texts, and its leaves."""
    leaves = [Value(1.0 + i, label=text) for i, text in enumerate(texts)]
    made = [
        Primitive(text or "none", lambda x: x, lambda out, x: (1.0,), made_by=(Primitive, ()))(x)
        for text, x in zip(texts, leaves, strict=True)
    ]
    root = microgrid.sum(made)
    root.label = "".join(texts)
    root.backward()
    return root, leaves


def require_harmless(text):
    assert not UNSEEN.search(text)
    assert not TURNING.search(text)
    assert text.count("\u2068") == text.count("\u2069")  # each word by itself
    text.encode()


def require_svg(picture, folder):
    svg = Path(picture.save(folder / "a.svg")).read_text(encoding="utf-8")
    require_harmless(svg)
    tags = {element.tag.rpartition("}")[2].lower() for element in ET.fromstring(svg).iter()}
    assert not tags & {"script", "b", "foreignobject", "iframe"}
    require_harmless(picture.alternative)


@pytest.mark.dot
@pytest.mark.parametrize("named", [False, True])
def test_any_text_is_harmless_in_a_graph(named, tmp_path):
    root, leaves = graph_of(TEXTS)
    names = dict(zip(TEXTS, leaves, strict=True)) if named else None
    if named:
        for leaf in leaves:
            leaf.label = ""
    graph = draw(root, names=names, max_nodes=None)
    require_svg(graph, tmp_path)
    require_harmless(Path(graph.save(tmp_path / "a.dot")).read_text(encoding="utf-8"))
    require_harmless(graph._repr_mimebundle_()["text/html"])


@pytest.mark.dot
def test_any_text_is_harmless_as_the_name_of_a_model(tmp_path):
    for text in TEXTS:
        model = Layer(1, 1, seed=0)
        names = {text: model}
        output = model([1.0])
        output.backward()
        depth = None if text.startswith("_") else 0  # names that a notebook keeps for itself
        require_harmless(draw(output, names=names, depth=depth).source)
        require_harmless(explore(output, names).html())


@pytest.mark.dot
def test_what_is_added_to_a_graph_is_harmless_too(tmp_path):
    graph = draw(Value(1.0))
    for i, text in enumerate(["a\x00b", "\x01", "\x1b", "�", "\uffff"]):
        graph.node(f"mine{i}", label=text)
    svg = Path(graph.save(tmp_path / "a.svg")).read_text(encoding="utf-8")
    assert len(re.findall("<title>mine", svg)) == 5
    ET.fromstring(svg)
    graph.save(tmp_path / "a.dot")


def require_page(page):
    require_harmless(page)
    assert page.count("</script>") == 2
    (state,) = re.findall('<script type="application/json" id="state">(.*?)</script>', page, re.S)
    assert json.loads(state)["graph"]["names"]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[::-1]])
def test_any_text_is_harmless_in_a_page(texts, tmp_path):
    root, leaves = graph_of(texts)
    for exploration in (
        explore(root, max_nodes=None),
        explore(root, dict(zip(texts, leaves, strict=True)), max_nodes=None),
    ):
        require_page(Path(exploration.save(tmp_path / "a.html")).read_text(encoding="utf-8"))


@usual(30)
@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_texts_are_harmless_in_pages_and_in_what_a_notebook_shows(texts):
    root, leaves = graph_of(texts)
    require_page(explore(root).html())
    for leaf in leaves:
        require_harmless(explain(root, leaf)._repr_html_())
    for node in topological_order(root):
        require_harmless(node._repr_html_())
        ET.fromstring(node._repr_html_())
    require_harmless(formula(root)._repr_latex_())
    require_harmless(draw(root).source)


def test_any_text_is_harmless_in_explanations_and_formulas():
    root, leaves = graph_of(TEXTS)
    for leaf in leaves:
        require_harmless(explain(root, leaf)._repr_html_())
    for node in topological_order(root):
        require_harmless(node._repr_html_())
        ET.fromstring(node._repr_html_())
    require_harmless(formula(root)._repr_latex_())


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_any_text_is_harmless_in_a_picture_of_a_network(suffix, tmp_path):
    neuron = Neuron(len(TEXTS), seed=0)
    picture = plot_network(neuron, inputs=TEXTS, most=len(TEXTS))
    if suffix == "svg":
        require_svg(picture, tmp_path)
    picture.save(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("text", ["a\0b", "\n\x1b\ufeff", "\ud800]]>--", "\u202e$x"])
def test_any_name_of_an_activation_is_harmless(text, tmp_path):
    def function(x):
        return x

    function.__name__ = text
    require_svg(plot_network(Neuron(1, activation=function, seed=0)), tmp_path)


@pytest.mark.parametrize("start", range(0, 24, 8 if LONG else 16))
def test_any_name_of_a_metric_is_harmless(start, tmp_path):
    texts = [text for text in TEXTS[start::24] if text not in ("", "epoch", "lr")]
    records = [{"loss": 1.0, **{prefix + t: 2.0 for t in texts for prefix in ("", "val_")}}]
    picture = plot_history(records)
    require_svg(picture, tmp_path)
    picture.save(tmp_path / "a.pdf")
    with Image.open(BytesIO(picture._repr_png_())) as image:
        require_harmless(image.text["Title"])


def test_what_is_added_to_a_picture_is_harmless_too(tmp_path):
    picture = Picture(Figure(figsize=(3, 3)), "told\0\ud800")
    picture.figure.text(0.1, 0.1, "a\0b]]>-->")
    require_svg(picture, tmp_path)
