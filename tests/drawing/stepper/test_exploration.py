"""The laws of stepping through: what is shown is what `backward` leaves, computed anywhere."""

import itertools
import json
import math
import re
import sys
from fractions import Fraction
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import microgrid as mg
from microgrid import MLP, Primitive, Value, explore, formula, topological_order
from microgrid.compiler.lowering import FUNCTIONS, lowering_of
from microgrid.compiler.trace import Traced
from microgrid.drawing import layout
from microgrid.drawing.formulas.partials import Spaced, write_partials
from microgrid.drawing.labels import number_text
from microgrid.drawing.stepper.exploration import STATIC
from microgrid.drawing.stepper.moments import Moments
from microgrid.drawing.stepper.recomputing import listing
from microgrid.drawing.unnumbered import Unnumbered
from microgrid.testing.programs.domains import DOMAINS, FAMILIES, LIBRARY
from microgrid.testing.strategies import programs
from tests.ieee import magnitude
from tests.javascript import needs_node, run_module
from tests.search import usual

# A function of JavaScript or of C is within 1 ulp of the true number, and a lowering calls up to
# two and rounds a few times more; erfc's continued fraction ends within 8.
ULPS = 16
# A random program has up to 10 nodes, numbers up to 100, and slopes up to 100.
OF_PROGRAMS = 1e-9

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--",
    "\"double\" 'single' `back`",
    "{braces} ${x} $title $state %s {0}",
    "🎉 你好 ∂L/∂x",
    "two\nlines\tand\x00nul",
    "\\N \\u003c &lt; &amp;",
    "]]>",
    "-3",
    " = ",
    "x" * 100,
]


def small():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + a) * 4.0
    loss.label = "L"
    return a, b, loss


def many_nodes():
    """Return the loss of a network, a graph of about 60 values."""
    model = MLP(2, [4, 4, 1], seed=0)
    return (model([0.5, -1.0]) - 1.0) ** 2, model


def state_of(page):
    """Return what a page embeds."""
    (embedded,) = re.findall(r'<script type="application/json" id="state">(.*)</script>', page)
    return json.loads(embedded)


def in_node(folder, expression, given):
    """Return what an expression of explore.js gives, for each item of a list of data."""
    module = folder / "explore.mjs"
    module.write_text((STATIC / "explore.js").read_text(encoding="utf-8"), encoding="utf-8")
    script = f"""
        import * as explore from {json.dumps(module.as_uri())};
        import {{ readFileSync }} from "node:fs";
        const plain = (x) => typeof x === "number" && !Number.isFinite(x) ? String(x) : x;
        const each = (given) => {{
          try {{ return {expression} }} catch (error) {{ return error.message }}
        }};
        const all = JSON.parse(readFileSync(0, "utf8")).map(each);
        console.log(JSON.stringify(all, (_, x) => plain(x)));
    """
    return run_module(script, given)


def random_programs(most):
    drawn = {}

    @settings(max_examples=most, phases=[Phase.generate], database=None, deadline=None)
    @given(programs())
    def draw(program):
        drawn[program] = None

    draw()
    return list(drawn)


# ---- what is shown


@usual(100)
@given(programs(smooth=False))
def test_the_shares_add_up_to_the_very_gradients_that_backward_leaves(program):
    root = program(*map(Value, program.point))
    try:
        root.backward()
    except (ArithmeticError, ValueError):
        with pytest.raises((ArithmeticError, ValueError)):
            explore(root)
        return
    steps = Moments(root)
    n, m = len(steps.order), len(steps.edges)
    numbers = steps.numbers()
    gradients, sums = numbers[n : 2 * n], numbers[2 * n + 2 * m :]
    for value, gradient in zip(steps.order, gradients, strict=True):
        if not value.is_constant:
            assert repr(gradient or 0.0) == repr(value.grad or 0.0)
    last = {edge.parent: total for edge, total in zip(steps.edges, sums, strict=True)}
    assert all(repr(gradients[at]) == repr(total) for at, total in last.items())


@usual(50)
@given(programs(smooth=False))
def test_every_value_and_every_share_has_a_step_in_the_order_of_backward(program):
    root = program(*map(Value, program.point))
    steps = Moments(root)
    order = topological_order(root)
    forward = [order[step.node] for step in steps.steps if step.edge is None]
    assert forward == [value for value in order if not value.is_constant] + [root]
    edges = [steps.edges[step.edge] for step in steps.steps if step.edge is not None]
    assert edges == steps.edges
    places = [(-edge.child, edge.operand) for edge in edges]
    assert places == sorted(places)
    passed = [
        (value, i)
        for value in reversed(order)
        for i, parent in enumerate(value.parents)
        if not parent.is_constant
    ]
    told = {(order[edge.child], edge.operand) for edge in edges}
    assert told <= set(passed)


def test_a_line_of_the_chain_rule_shows_names_and_numbers():
    a, b, loss = small()
    loss.backward()
    assert str(explore(loss)).splitlines() == [
        "a = 2",
        "b = -3",
        "v1 = a · b = 2 · -3 = -6",
        "v2 = v1 + a = -6 + 2 = -4",
        "L = v2 · 4 = -4 · 4 = -16",
        "∂L/∂L = 1",
        "∂L/∂v2 += ∂L/∂L · 4 = 1 · 4 = 4",
        "∂L/∂v1 += ∂L/∂v2 · 1 = 4 · 1 = 4",
        "∂L/∂a += ∂L/∂v2 · 1 = 4 · 1 = 4",
        "∂L/∂a += ∂L/∂v1 · b = 4 · -3 = -12; ∂L/∂a = 4 + -12 = -8",
        "∂L/∂b += ∂L/∂v1 · a = 4 · 2 = 8",
    ]
    assert (a.grad, b.grad) == (-8.0, 8.0)


@pytest.mark.parametrize(
    ("function", "value", "partial"),
    [
        (lambda a, b: a - b, "a - b = 2 - (-3)", "(-1)"),
        (lambda a, b: (a + b) * a, "v1 · a", "a"),
        (lambda a, b: a / b, "a / b = 2 / (-3)", "(1 / b)"),
        (lambda a, b: b**2, "b**2 = (-3)**2", "(2 · b)"),
        (lambda a, b: b**3, "b**3 = (-3)**3", "(3 · b**2)"),
        (lambda a, b: 2**a, "2**a = 2**2", "(L · log(2))"),
        (lambda a, b: -b, "-b = -(-3)", "(-1)"),
        (lambda a, b: abs(b), "|b| = |-3|", "sign(b)"),
        (lambda a, b: mg.tanh(a), "tanh(a) = tanh(2)", "(1 - L**2)"),
        (lambda a, b: mg.log(a), "log(a) = log(2)", "(1 / a)"),
        (lambda a, b: mg.sqrt(a), "sqrt(a) = sqrt(2)", "(1 / (2 · sqrt(a)))"),
        (lambda a, b: mg.dot([a], [b], 1.0), "a · b + 1 = 2 · -3 + 1", "b"),
        (lambda a, b: mg.sum([a] * 9), "a + a + … + a = 2 + 2 + … + 2", "1"),
        (lambda a, b: mg.prod([a, b]), "a · b = 2 · -3", "b"),
        (lambda a, b: mg.leaky_relu(b, 0.1), "leaky_relu(b, 0.1)", "where(b > 0, 1, 0.1)"),
        (lambda a, b: mg.maximum(a, b), "max(a, b) = max(2, -3)", "∂L/∂a"),
        (lambda a, b: a**b, "a**b = 2**(-3)", "(b · a**(b - 1))"),
        (lambda a, b: a // b, "a // b = 2 // (-3)", "0"),
    ],
)
def test_an_operation_and_its_partial_are_written_as_on_a_board(function, value, partial):
    a, b, _ = small()
    lines = str(explore(function(a, b))).splitlines()
    assert any(f" = {value} = " in line for line in lines)
    assert any(f" · {partial} = " in line for line in lines)


LIBRARY_PRIMITIVES = [
    primitive
    for name in LIBRARY
    if name != "constant"
    for primitive in (
        [Primitive.families[name](*constants) for constants in FAMILIES[name].constants]
        if name in FAMILIES
        else [Primitive.named(name)]
    )
]


def factors(text):
    """Return a formula's factors, as what has a name stands before what has none."""
    return sorted(re.split(r"(?<!\*)\*(?!\*)", text.replace(" · ", "*").replace(" / ", "/")))


@pytest.mark.parametrize("primitive", LIBRARY_PRIMITIVES, ids=lambda primitive: primitive.name)
def test_a_local_derivative_is_written_as_its_formula_is(primitive):
    count = 1 if primitive.family else min(n for n in (1, 2, 3) if DOMAINS[primitive.name].takes(n))
    order = [Traced(name) for name in "xyz"[:count]]
    made = primitive(*order)
    steps = Unnumbered([*order, made])
    names = dict(zip([*steps.stand_in.values()], [*"xyz"[:count], "L"], strict=True))
    shown = write_partials(steps.stand_in[made], steps.partials[made], names, Spaced)
    whole = str(formula(made))
    for x, partial, written in zip(order, steps.partials[made], shown, strict=True):
        if written is not None:
            expected = formula(made, by=x).expression
            assert factors(written[0].replace("L", whole)) == factors(expected)
        else:
            by_x = formula(made, by=x)
            assert partial is None or len("".join([by_x.expression, *by_x.parts.values()])) > 40


def test_a_share_that_there_is_not_is_told():
    x = Value(0.0, label="x")
    loss = mg.where(x, mg.sqrt(x), x + 1)  # sqrt has no derivative at 0, and is not asked
    lines = str(explore(loss)).splitlines()
    assert "∂L/∂v1 gets no share: L does not depend on it through L" in lines
    assert "∂L/∂x gets no share: L does not depend on it through v1" in lines
    assert "∂L/∂x += ∂L/∂v2 · 1 = 1 · 1 = 1" in lines


def test_names_are_labels_variables_or_the_paths_of_a_model():
    loss, model = many_nodes()
    assert "layers.0.neurons.0.w.0 = " in str(explore(loss, model))
    x = Value(2.0)
    assert str(explore(x * x, {"speed": x, "other": 3})).startswith("speed = 2\nL = speed · speed")
    v1, taken = Value(1.0, label="v1"), Value(2.0, label="L")
    assert "v2 = v1 + L" in str(explore(v1 + taken))


def test_a_leaf_alone_is_explored():
    assert str(explore(Value(1.5))) == "L = 1.5\n∂L/∂L = 1"


def test_fractions_are_shown_as_decimals():
    x = Value(Fraction(1, 3), label="x")
    assert "L = x · x = 0.3333 · 0.3333 = 0.1111" in str(explore(x * x))


def test_no_gradient_is_touched():
    a, b, loss = small()
    exploration = explore(loss)
    exploration.html(), str(exploration)
    assert [value.grad for value in (a, b, loss)] == [0.0, 0.0, 0.0]


# ---- what is refused


def test_what_cannot_be_explored_says_why():
    with pytest.raises(TypeError, match=r"explore needs a Value, got 3\.0 \(float\)"):
        explore(3.0)
    with pytest.raises(RuntimeError, match="a graph of constants alone"):
        explore(Value(2.0).detach() * 3.0)
    x = Value(0.0, label="x")
    with pytest.raises(ZeroDivisionError, match=r"the derivative of sqrt of x = 0\.0"):
        explore(mg.sqrt(x))
    y = x * 2.0
    x.data = 1.0
    with pytest.raises(RuntimeError, match=r"label='x'.* has changed since; call refresh"):
        explore(y)


@pytest.mark.parametrize("count", [251, 50_000])
def test_a_large_graph_says_what_to_do(count):
    value = Value(1.0)
    for _ in range(count - 1):
        value = value + 1.0 if value.parents else value.tanh()
    with pytest.raises(ValueError, match=r"at most max_nodes = 250 .*explore a smaller part"):
        explore(value)


def test_the_limit_can_be_moved():
    value = Value(1.0)
    for _ in range(300):
        value = value.tanh()
    assert len(str(explore(value, max_nodes=None)).splitlines()) == 602


# ---- leaves that change


def test_a_change_is_computed_by_python_and_kept_by_the_leaf():
    a, _, loss = small()
    exploration = explore(loss)
    exploration.change(0, "5")
    assert (a.data, loss.data) == (5.0, -40.0)
    assert "∂L/∂b += ∂L/∂v1 · a = 4 · 5 = 20" in str(exploration)


@pytest.mark.parametrize("text", ["", "two", "nan", "inf", "1/0"])
@pytest.mark.parametrize("number", [2.0, Fraction(2)])
def test_what_is_no_number_is_refused(text, number):
    x = Value(number)
    with pytest.raises(ValueError, match="a leaf needs a finite number, got"):
        explore(x * x).change(0, text)
    assert x.data == number


@pytest.mark.parametrize(
    ("function", "text", "error"),
    [(mg.log, "-1", ValueError), (mg.sqrt, "0", ZeroDivisionError), (mg.exp, "1e9", OverflowError)],
)
def test_a_change_without_a_result_leaves_everything_as_it_was(function, text, error):
    x = Value(2.0, label="x")
    y = function(x)
    before, exploration = y.data, explore(y)
    with pytest.raises(error, match="x = "):
        exploration.change(0, text)
    assert (x.data, y.data) == (2.0, before)
    y.backward()  # nothing is stale


def test_a_fraction_stays_one():
    x = Value(Fraction(1, 3))
    y = x * x
    explore(y).change(0, "2/5")
    assert y.data == Fraction(4, 25)


# ---- the page


class Scripts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_is_a_text_in_every_output(label):
    plain = Value(2.0, label="plain") * 1.0
    hostile = Value(2.0, label=label) * 1.0
    plain.label, hostile.label = "root", label
    page = explore(hostile).html()
    assert Scripts(page).tags == Scripts(explore(plain).html()).tags
    assert Scripts(page).links == []
    shown = state_of(page)["graph"]["names"]
    assert shown[-1] == f"{shown[0]}_2"
    assert shown[0].startswith(label.replace("\n", "␊").replace("\t", "␉").replace("\0", "␀")[:15])
    frame = explore(hostile)._repr_mimebundle_()["text/html"]
    assert Scripts(frame).tags == ["iframe"]


@usual(30)
@given(st.text())
@example("half \ud800")
def test_any_text_is_a_label_and_the_name_of_a_primitive(label):
    x = Value(2.0, label=label)
    named = Primitive(label, lambda x: x, lambda out, x: (1,), made_by=(Primitive, ()))
    page = explore(named(x)).html()
    assert page.count("</script>") == 2
    page.encode()
    state_of(page)


def test_a_page_is_one_file_of_which_nothing_leads_out(tmp_path):
    path = explore(small()[2]).save(tmp_path / "new" / "backprop.html")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["backprop.html"]
    page = (tmp_path / "new" / "backprop.html").read_text(encoding="utf-8")
    assert path == str(tmp_path / "new" / "backprop.html")
    assert page == explore(small()[2]).html()
    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[\w./-]*", page)) == {"http://www.w3.org/2000/svg"}


def test_pages_are_small():
    loss, model = many_nodes()
    assert len(topological_order(loss)) > 50
    assert len(explore(loss, model).html().encode()) < 80_000
    wide = MLP(2, [13, 10, 1], seed=0)
    largest = wide([0.5, -1.0])
    assert 200 < len(topological_order(largest)) <= 250
    assert len(explore(largest, wide).html().encode()) < 200_000


def test_infinities_and_nan_are_in_a_page():
    x = Value(math.inf, label="x")
    numbers = state_of(explore(x - x).html())["numbers"]
    assert numbers[:2] == ["Infinity", "NaN"]


def test_without_a_layout_engine_the_steps_are_shown_without_a_picture(monkeypatch):
    monkeypatch.setattr(layout, "find_engine", lambda: None)
    exploration = explore(small()[2])
    graph = state_of(exploration.html())["graph"]
    assert graph["picture"] is None
    assert graph["note"].startswith("There is no picture, as drawing a graph needs a layout engine")
    assert "∂L/∂b += " in str(exploration)


@pytest.mark.dot
def test_every_value_has_a_box_and_every_operand_its_curve():
    if layout.find_engine() is None:
        pytest.skip("there is no layout engine")
    x = Value(3.0)
    picture = explore(x * x + 1.0).graph["picture"]
    assert [("oval" in value, len(value.get("operands", []))) for value in picture["values"]] == [
        *((False, 0), (True, 2), (False, 0), (True, 2))
    ]
    one, other = picture["values"][1]["operands"]
    assert one != other
    width, height = picture["size"]
    for value in picture["values"]:
        across, down = value["box"][:2]
        assert 0 < across < width
        assert 0 < down < height


@pytest.mark.dot
def test_what_is_used_all_along_a_chain_stands_beside_its_operations_again():
    x = y = Value(0.5, label="x")
    for _ in range(60):
        y = (y * 0.9 + x).tanh()
    order = topological_order(y)
    places = {value: place for place, value in enumerate(order)}
    values = explore(y).graph["picture"]["values"]
    again = [place for value in values for place, _ in value.get("again", ())]
    assert set(again) == {places[x]}
    assert 20 < len(again) < 60
    for drawn, value in zip(values, order, strict=True):
        boxes = dict(drawn.get("again", ()))
        starts = [curve[:2] for curve in drawn.get("operands", ())]
        heights = [curve[-1] for curve in drawn.get("operands", ())]
        assert heights == sorted(heights)  # operands come in from above to below, in their order
        for parent, (left, top) in zip(value.parents, starts, strict=True):
            place = places[parent]
            across, down, width, height = boxes.get(place, values[place]["box"])
            assert abs(left - across) <= width / 2 + 1
            assert abs(top - down) <= height / 2 + 1


def test_without_anywidget_a_notebook_shows_the_page_in_a_frame(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "microgrid.drawing.stepper.widget", raising=False)
    bundle = explore(small()[2])._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/html"].startswith("<iframe srcdoc=")
    assert bundle["text/plain"].startswith("a = 2\n")


class Shell:
    """Stands in for the shell of a notebook's kernel, and keeps what is published."""

    kernel = None

    def __init__(self):
        self.shown, self.display_pub = [], self

    def publish(self, data, metadata, transient, update):
        self.metadata = metadata or {}
        self.shown.append((transient["display_id"], update, data))


VIEW = "application/vnd.jupyter.widget-view+json"


def test_a_notebook_shows_the_page_until_a_front_end_answers_for_the_widget(monkeypatch):
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    shell = Shell()
    monkeypatch.setattr("microgrid.drawing.notebook.kernel_shell", lambda: shell)
    monkeypatch.setattr("microgrid.drawing.page.kernel_shell", lambda: shell)
    exploration = explore(small()[2])
    exploration._ipython_display_()
    page = exploration._repr_mimebundle_()
    ((first, update, data),) = shell.shown
    assert (update, data) == (False, page)
    assert VIEW not in page
    exploration.widget._handle_custom_msg({"ready": True}, [])
    _, (second, update, data) = shell.shown
    assert (second, update) == (first, True)
    assert data[VIEW]["model_id"] == exploration.widget.model_id
    assert data["text/html"] == page["text/html"]
    exploration._ipython_display_()  # a second output, of the same widget
    assert [update for _, update, _ in shell.shown] == [False, True, False, True]
    assert len({place for place, *_ in shell.shown}) == 2


def test_in_colab_the_widget_says_which_manager_shows_it(monkeypatch):
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    manager = SimpleNamespace(_installed_url="https://colab/manager.js")
    colab = SimpleNamespace(enable_custom_widget_manager=lambda: None, _widgets=manager)
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)  # which anywidget looks for
    widget = explore(small()[2]).widget
    shell = Shell()
    monkeypatch.setattr("microgrid.drawing.notebook.kernel_shell", lambda: shell)
    monkeypatch.setattr("microgrid.drawing.page.kernel_shell", lambda: shell)
    widget._exploration._ipython_display_()
    assert shell.metadata == {}  # of the page
    widget._handle_custom_msg({"ready": True}, [])
    assert shell.metadata[VIEW]["colab"]["custom_widget_manager"]["url"] == manager._installed_url


def test_where_no_kernel_is_ipython_asks_for_the_bundle():
    with pytest.raises(NotImplementedError):
        explore(small()[2])._ipython_display_()


@pytest.mark.slow  # it starts a kernel
def test_a_notebook_that_is_run_without_a_front_end_keeps_the_page():
    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell(
        "from microgrid import Value, explore\nexplore(Value(2.0, label='a').exp())"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == {"text/html", "text/plain"}
    assert output.data["text/html"].startswith("<iframe srcdoc=")


def test_with_anywidget_what_is_typed_is_computed_by_python():
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    a, _, loss = small()
    widget = explore(loss).widget
    assert widget.graph["names"] == ["a", "b", "v1", "v2", "4", "L"]
    sent = []
    widget.send = sent.append
    widget._handle_custom_msg({"leaf": 0, "text": "5"}, [])
    assert (a.data, widget.numbers[0], sent) == (5.0, 5.0, [])
    widget._handle_custom_msg({"leaf": 0, "text": "five"}, [])
    assert sent == [{"error": "a leaf needs a finite number, got 'five'"}]
    assert (a.data, widget.numbers[0]) == (5.0, 5.0)


def test_what_a_page_cannot_compute_is_said_there():
    own = Primitive("own!", math.sin, lambda out, x: (mg.cos(x),))
    asks = Primitive("asks!", lambda x: abs(x), lambda out, x: (1.0 if x > 0 else -1.0,))
    try:
        x = Value(2.0, label="x")
        for op, why in ((own, "'own!' has no lowering"), (asks, "the partials of 'asks!' ask")):
            exploration = explore(op(x) * 2.0)
            assert why in exploration.fixed
            assert exploration.graph["program"] is None
            assert str(exploration).splitlines()[-1].startswith("∂L/∂x += ∂L/∂v1 · ")
            exploration.change(0, "3")  # Python can
    finally:
        del Primitive.registry["own!"], Primitive.registry["asks!"]
    assert explore(small()[2]).fixed == ""


# ---- the same in JavaScript


APPLIED = [
    (primitive, n)
    for primitive in LIBRARY_PRIMITIVES
    for n in (1, 2, 3)
    if (n == 1 if primitive.family else DOMAINS[primitive.name].takes(n))
]


def listed(primitive, count):
    inputs = [Traced(name) for name in "xyz"[:count]]
    return listing([primitive(*inputs)], inputs)


@needs_node
def test_javascript_has_each_operation_that_lowerings_use(tmp_path):
    (names,) = in_node(tmp_path, "Object.keys(explore.OPERATIONS)", [None])
    used = {step[0] for primitive, n in APPLIED for step in listed(primitive, n)["steps"]} | set(
        FUNCTIONS
    )
    assert used <= set(names)
    assert all(lowering_of(primitive) for primitive in LIBRARY_PRIMITIVES)


MODERATE = [x / 8 for x in range(-60, 61, 7)]
SPECIAL = [0.0, 1.0, 0.96875, 0.5, 2.5, 5.5, 26.0, 1e-310, 5e-324, 1e-5, 3.0, 100.25, 1e300]
SPECIAL = [*SPECIAL, *(-x for x in SPECIAL)]


@needs_node
def test_every_primitive_is_in_javascript_what_it_is_in_python(tmp_path):
    few = SPECIAL[::3]
    rows = {1: [(x,) for x in [*SPECIAL, *MODERATE]], 3: [*itertools.product(few, repeat=3)]}
    rows[2] = [*itertools.product(SPECIAL, repeat=2), *itertools.product(MODERATE, repeat=2)]
    given_ = [[listed(primitive, n), rows[n]] for primitive, n in APPLIED]
    got = in_node(tmp_path, "given[1].map((xs) => explore.run(given[0], xs)[0])", given_)
    compared = set()
    for (primitive, n), results in zip(APPLIED, got, strict=True):
        for xs, result in zip(rows[n], results, strict=True):
            try:
                python = float(primitive(*xs))
            except (ArithmeticError, ValueError):
                assert not math.isfinite(float(result)), (primitive, xs)
                continue
            if math.isfinite(python):
                bound = ULPS * math.ulp(magnitude(primitive, xs, python))
                assert abs(float(result) - python) <= bound, (primitive, xs, result, python)
                compared.add(primitive)
    assert compared == set(LIBRARY_PRIMITIVES)


@needs_node
def test_a_page_computes_anew_what_python_does(tmp_path):
    asked, expected = [], []
    for program in random_programs(min(2 * settings().max_examples, 200)):
        leaves = [*map(Value, program.point)]
        exploration = explore(program(*leaves))
        graph = exploration.graph | {"picture": None}
        assert exploration.fixed == ""
        for i, kind in enumerate(graph["kinds"]):
            if kind == "leaf":
                leaf = exploration._steps.order[i]
                exploration.change(i, repr(leaf.data + 1 / 256))
        own = [v for v in exploration._steps.order if not v.parents and not v.is_constant]
        asked.append([graph, [leaf.data for leaf in own]])
        expected.append(exploration._steps.numbers())
    got = in_node(tmp_path, "explore.recomputed(...given)", asked)
    for program, theirs, ours in zip(asked, got, expected, strict=True):
        assert len(theirs) == len(ours), (theirs, program)
        for x, y in zip(theirs, ours, strict=True):
            assert (x is None) == (y is None), program
            assert x is None or math.isclose(float(x), y, rel_tol=OF_PROGRAMS, abs_tol=OF_PROGRAMS)


@needs_node
@pytest.mark.parametrize(
    ("function", "at", "message"),
    [
        (mg.log, -1.0, "log of x = -1 has no finite value"),
        (mg.exp, 1000.0, "exp of x = 1000 has no finite value"),
        (lambda x: 1 / x, 0.0, "/ of 1, x = 0 has no finite value"),
        (
            mg.sqrt,
            0.0,
            "the derivative of sqrt with respect to operand 1 at x = 0 has no finite value",
        ),
    ],
)
def test_a_page_refuses_what_python_raises_for(tmp_path, function, at, message):
    graph = explore(function(Value(2.0, label="x"))).graph
    assert in_node(tmp_path, "explore.recomputed(...given)", [[graph, [at]]]) == [message]


@needs_node
def test_a_page_does_not_ask_for_a_derivative_behind_the_branch_that_was_not_chosen(tmp_path):
    x = Value(2.0, label="x")
    exploration = explore(mg.where(x, mg.sqrt(x), x + 1.0))
    (numbers,) = in_node(tmp_path, "explore.recomputed(...given)", [[exploration.graph, [0.0]]])
    exploration.change(0, "0")
    assert numbers == exploration._steps.numbers()


NUMBERS = [0.0, -0.0, 0.0625 + 1, 12344.5, 12345.5, 9999.5, 9999.7, 9999999.5, 1e7, 1e-4, 2.5e-5]
NUMBERS += [0.00009999951, 1e16, 123456789.0, 5e-324, 1.7e308, math.inf, -math.inf, math.nan, 10.0]


@needs_node
@usual(10)
@given(st.lists(st.floats() | st.integers(-(10**6), 10**6).map(lambda x: x / 64), max_size=300))
def test_numbers_look_as_they_do_in_python(tmp_path_factory, numbers):
    numbers = [*numbers, *NUMBERS, *(-x for x in NUMBERS)]
    texts = [repr(x).replace("inf", "Infinity").replace("nan", "NaN") for x in numbers]
    folder = tmp_path_factory.mktemp("numbers")
    shown = in_node(folder, "explore.numberText(Number(given))", texts)
    assert shown == [number_text(x) for x in numbers]


@needs_node
def test_a_page_shows_the_lines_that_python_prints(tmp_path):
    loss, model = many_nodes()
    exploration = explore(loss, model)
    state = state_of(exploration.html())
    numbers = state["numbers"]
    asked = [[text, numbers] for _, _, text in state["graph"]["steps"]]
    shown = in_node(tmp_path, "explore.sentence(given[0], given[1])", asked)
    assert shown == str(exploration).splitlines()


def test_a_name_from_right_to_left_does_not_turn_a_line_around():
    word = "\u05e9\u05dc\u05d5\u05dd"
    lines = str(explore(Value(3.0, label=word) * Value(2.0, label="b"))).splitlines()
    assert lines[0] == f"\u2068{word}\u2069 = 3"
    turning = str(explore(Value(3.0, label="\u202eevil") * 2.0))
    assert "\u202e" not in turning
    assert str(explore(Value(3.0, label="  ") * 2.0)).startswith("x1 = 3")


# ---- questions


def questions(folder, exploration):
    """Return the page's question about each step, None where there is none, and the steps."""
    state = state_of(exploration.html())
    numbers, graph = [float(x or 0) for x in state["numbers"]], state["graph"]
    asked = [[graph, numbers, k] for k in range(len(graph["steps"]))]
    return in_node(folder, "explore.question(...given)", asked)


@needs_node
def test_each_share_is_asked_for_and_nothing_else(tmp_path):
    loss, model = many_nodes()
    exploration = explore(loss, model)
    steps, numbers = exploration._steps, exploration._steps.numbers()
    first = 2 * len(steps.order) + len(steps.edges)
    asked = questions(tmp_path, exploration)
    assert [found is not None for found in asked] == [step.edge is not None for step in steps.steps]
    for found, step in zip(asked, steps.steps, strict=True):
        if found:
            share = numbers[first + step.edge]
            assert found["share"] == share
            assert found["options"].count(number_text(share)) == 1
            assert 2 <= len(found["options"]) == len(set(found["options"])) <= 4
            assert found["line"] == "".join(step.text[:5]) + " = ?"


@needs_node
def test_the_right_answer_is_right_and_a_wrong_one_is_told_what_it_is(tmp_path):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b) * 4.0
    found = questions(tmp_path, explore(loss))[-2]  # of a: 4 · -3
    assert (found["line"], found["share"]) == ("∂L/∂a += ∂L/∂v1 · b = ?", -12)
    made = (
        "the gradient that has arrived at v1, ∂L/∂v1 = 4, times the derivative of v1 with respect "
        "to a, b = -3."
    )
    replies = {
        "-12": f"Right: -12, {made}",
        " -12.0 ": f"Right: -12, {made}",
        "−12.02": f"Right: -12, {made}",
        "-12.1": f"Not -12.1. The share is {made}",
        "-3": f"Not -3: that is the derivative alone. The share is {made}",
        "4": f"Not 4: that is what has arrived, not yet multiplied. The share is {made}",
        "1": f"Not 1: the two are multiplied, not added. The share is {made}",
        "12": f"Not 12: its sign is the other one. The share is {made}",
        "twelve": 'Not a number: "twelve".',
    }
    got = in_node(tmp_path, "explore.judged(...given)", [[found, answer] for answer in replies])
    assert [reply["words"] for reply in got] == list(replies.values())
    assert [reply["isRight"] for reply in got] == [True] * 3 + [False] * 6
    assert not any("-12" in words for words in list(replies.values())[4:])  # it is not given away


@needs_node
def test_no_choice_is_right_but_the_share(tmp_path):
    asked = [
        found
        for x in (0.04, 1e-3, 5.0, 800.0, 0.0)
        for found in questions(tmp_path, explore(Value(x, label="x").tanh() * 2.0))
        if found
    ]
    given = [[found, answer] for found in asked for answer in found["options"]]
    replies = iter(in_node(tmp_path, "explore.judged(...given)", given))
    for found in asked:
        right = [answer for answer in found["options"] if next(replies)["isRight"]]
        assert right == [number_text(found["share"])]


@needs_node
def test_a_mistake_is_told_at_the_digits_that_make_an_answer_right(tmp_path):
    found = questions(tmp_path, explore(Value(0.04, label="x").tanh()))[-1]
    given = [[found, "-0.998"], [{**found, "share": "Infinity"}, "5"]]
    judged = "explore.judged({ ...given[0], share: Number(given[0].share) }, given[1])"
    sign, infinite = in_node(tmp_path, judged, given)
    assert sign["words"].startswith("Not -0.998: its sign is the other one.")
    assert not infinite["isRight"]


# ---- what is typed

TYPED = {
    "0,5": 0.5,
    " 0.5 ": 0.5,
    "−0,25": -0.25,
    "1/3": 1 / 3,
    "-1 / 4": -0.25,
    "1e-3": 1e-3,
    "1/−2": -0.5,
    **dict.fromkeys(["", " ", "1/", "/2", "1/2/3", "1,000.5", "x", "nan"]),
}


@needs_node
def test_a_number_is_read_as_people_type_it(tmp_path):
    found = in_node(tmp_path, "explore.typedNumber(given)", list(TYPED))
    assert [None if x == "NaN" else x for x in found] == list(TYPED.values())


@pytest.mark.parametrize("text", TYPED)
def test_python_reads_it_as_the_page_does(text):
    x = Value(7.0)
    exploration = explore(x * x)
    if TYPED[text] is None:
        with pytest.raises(ValueError, match="a leaf needs a finite number, got"):
            exploration.change(0, text)
    else:
        exploration.change(0, text)
        assert x.data == TYPED[text]


# ---- two runs


def test_two_runs_are_compared_by_their_numbers_then_and_now():
    a, b, loss = small()
    first = explore(loss)
    a.data, b.data = 5.0, -1.0
    loss.refresh()
    second = explore(loss, before=first)
    numbers = state_of(second.html())
    assert numbers["before"] == state_of(explore(small()[2]).html())["numbers"]
    assert numbers["numbers"] == second.numbers() != numbers["before"]
    text = str(second)
    assert text.startswith("\n".join(second._steps.lines()))
    assert "\na: 2, 5, +3; gradient: -8, 0, +8\n" in text
    assert "compare" not in str(explore(loss))


@needs_node
def test_a_page_says_the_differences_that_python_prints(tmp_path):
    loss, model = many_nodes()
    first = explore(loss, model)
    first.descend("0.5")
    second = explore(loss, model, before=first)
    state = state_of(second.html())
    numbers = [state["before"], state["numbers"]]
    (rows,) = in_node(
        tmp_path,
        "explore.changes(...given).map(({ name, data, gradient }) => [name, "
        "...[data, gradient].map((pair) => [...pair.map(explore.numberText), "
        "explore.difference(pair)].join(', '))])",
        [[state["graph"], *numbers]],
    )
    shown = [f"{name}: {data}; gradient: {gradient}" for name, data, gradient in rows]
    assert shown == str(second).partition("change:\n")[2].splitlines()


def test_a_step_of_gradient_descent_moves_every_leaf_and_nothing_else():
    a, b, loss = small()
    first = explore(loss)
    numbers = dict(
        zip(first._steps.names, first._steps.numbers()[len(first._steps.order) :], strict=False)
    )
    first.descend("0.125")
    assert (a.data, b.data) == (2 - numbers["a"] / 8, -3 - numbers["b"] / 8)
    assert loss.data == pytest.approx(small_at(a.data, b.data))
    x = Value(Fraction(1, 3))
    explore(x * x).descend("1/2")
    assert x.data == 0
    with pytest.raises(ValueError, match="a learning rate needs a finite number, got 'fast'"):
        first.descend("fast")


def small_at(a, b):
    return (a * b + a) * 4.0


def test_a_step_to_where_there_is_no_value_leaves_everything_as_it_was():
    x, y = Value(0.5, label="x"), Value(2.0, label="y")
    loss = mg.log(x) * y
    before, exploration = loss.data, explore(loss)
    with pytest.raises(ValueError, match="log"):
        exploration.descend("100")
    assert (x.data, y.data, loss.data) == (0.5, 2.0, before)
    loss.backward()  # nothing is stale


def test_runs_of_other_operations_are_not_compared():
    x = Value(2.0)
    with pytest.raises(
        ValueError, match=r"`before` must be of the same operations .* 3 values .* 2"
    ):
        explore(x * x, before=explore(x + 1.0))
    with pytest.raises(TypeError, match="`before` must be what explore returned, got 1"):
        explore(x * x, before=1)


def test_with_anywidget_python_takes_the_step_of_gradient_descent():
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    a, _, loss = small()
    widget = explore(loss, before=explore(loss)).widget
    assert widget.before == widget.numbers
    sent = []
    widget.send = sent.append
    widget._handle_custom_msg({"rate": "0.25"}, [])
    assert (a.data, widget.numbers[0]) == (4.0, 4.0)
    widget._handle_custom_msg({"rate": "much"}, [])
    assert sent == [{"error": "a learning rate needs a finite number, got 'much'"}]
