"""Stepping through in a real browser: what the page shows is what Python computes."""

import subprocess
import sys

import pytest

import microgrid as mg
from microgrid import Value, explore
from microgrid.drawing import layout
from microgrid.drawing.labels import number_text
from tests.browser import jupyter, opened, watched
from tests.drawing.stepper.test_exploration import HOSTILE, many_nodes, small

pytestmark = [pytest.mark.browser, pytest.mark.dot]


def line(page):
    return page.locator("p.line").inner_text()


def lines_by(page, press):
    """Return the lines of all steps, each reached from the one before it."""
    count = int(page.locator("input[type=range]").get_attribute("max")) + 1
    lines = [line(page)]
    for _ in range(count - 1):
        press()
        lines.append(line(page))
    return lines


def numbers_in_picture(page):
    """Return the data and the gradient that each value's box shows, by its name."""
    boxes = page.locator("g.value:not(.constant)").all()
    texts = [box.locator("text").all_text_contents() for box in boxes]
    return {name: tuple(numbers) for name, _, _, *numbers in texts}


def of_python(exploration):
    """Return the same by `backward`."""
    steps = exploration._steps
    mg.zero_grad(steps.order)
    steps.order[-1].backward()
    return {
        name: (number_text(value.data), number_text(value.grad))
        for name, value in zip(steps.names, steps.order, strict=True)
        if not value.is_constant
    }


def type_into(page, name, text):
    field = page.get_by_label(name, exact=True)
    field.fill(text)
    field.press("Enter")


# ---- the page alone


def test_every_way_of_stepping_shows_the_lines_that_python_prints(page, tmp_path):
    exploration = explore(small()[2])
    lines = str(exploration).splitlines()
    opened(page, exploration, tmp_path)
    assert lines_by(page, lambda: page.keyboard.press("ArrowRight")) == lines[:1] * len(lines)
    page.locator(".microgrid-explore").focus()
    assert lines_by(page, lambda: page.keyboard.press("ArrowRight")) == lines
    assert lines_by(page, lambda: page.keyboard.press("ArrowLeft")) == lines[::-1]
    assert lines_by(page, page.get_by_label("One step forward").click) == lines
    assert page.get_by_label("One step forward").is_disabled()
    assert lines_by(page, page.get_by_label("One step back").click) == lines[::-1]
    page.get_by_label("Step", exact=True).focus()
    assert lines_by(page, lambda: page.keyboard.press("ArrowRight")) == lines
    page.locator(".microgrid-explore").focus()
    page.keyboard.press("Home")
    assert line(page) == lines[0]
    page.keyboard.press("End")
    assert line(page) == lines[-1]
    page.get_by_text("All steps").click()
    assert page.locator("li").all_inner_texts() == lines
    page.locator("li").nth(3).click()
    assert line(page) == lines[3]


def test_numbers_appear_in_the_picture_one_step_at_a_time(page, tmp_path):
    exploration = explore(small()[2])
    opened(page, exploration, tmp_path)
    page.locator(".microgrid-explore").focus()
    seen = []
    for _ in str(exploration).splitlines():
        seen.append(numbers_in_picture(page))
        page.keyboard.press("ArrowRight")
    assert seen[0] == dict.fromkeys(seen[0], ("", "")) | {"a": ("2", "")}
    assert [shown["a"] for shown in seen] == [("2", "")] * 8 + [("2", "4")] + [("2", "-8")] * 2
    assert seen[-1] == of_python(exploration)


def test_what_a_step_is_about_is_lit(page, tmp_path):
    opened(page, explore(small()[2]), tmp_path)
    lit = page.locator(".is-lit")
    page.locator("input[type=range]").fill("9")  # a's second share, through v1
    assert line(page).startswith("∂L/∂a += ∂L/∂v1 · b")
    assert page.locator("g.value.is-lit text.name").all_text_contents() == ["a"]
    assert page.locator("g.value.is-source text.name").all_text_contents() == ["v1"]
    assert lit.count() == 4  # a's box, its edge to the operation, that, and the edge to v1
    page.locator("input[type=range]").fill("2")  # v1 appears
    assert page.locator("g.value.is-lit text.name").all_text_contents() == ["v1"]
    assert lit.count() == 5


def test_a_changed_leaf_changes_every_number_without_python(page, tmp_path):
    exploration = explore(small()[2])
    opened(page, exploration, tmp_path)
    type_into(page, "a", "0.7")
    type_into(page, "b", "1e-3")
    exploration.change(0, "0.7")
    exploration.change(1, "1e-3")
    page.locator(".microgrid-explore").focus()
    assert (
        lines_by(page, lambda: page.keyboard.press("ArrowRight")) == str(exploration).splitlines()
    )
    assert numbers_in_picture(page) == of_python(exploration)


def test_a_network_of_sixty_values_is_recomputed_as_python_does(page, tmp_path):
    loss, model = many_nodes()
    exploration = explore(loss, model)
    opened(page, exploration, tmp_path)
    name = "layers.0.neurons.0.w.0"
    type_into(page, name, "2.5")
    exploration.change(exploration._steps.names.index(name), "2.5")
    page.get_by_text("All steps").click()
    assert page.locator("li").all_inner_texts() == str(exploration).splitlines()
    page.locator("input[type=range]").press("End")
    shown, python = numbers_in_picture(page), of_python(exploration)
    reached = {exploration._steps.names[edge.parent] for edge in exploration._steps.edges}
    for name in reached:
        assert shown[name] == python[name]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("-1", "log of x = -1 has no finite value"),
        ("abc", 'a leaf needs a finite number, got "abc"'),
    ],
)
def test_what_has_no_result_is_said_and_the_old_number_is_back(page, tmp_path, typed, message):
    exploration = explore(mg.log(Value(2.0, label="x")))
    opened(page, exploration, tmp_path)
    for _ in range(2):
        type_into(page, "x", typed)
        assert page.get_by_role("alert").inner_text() == message
        assert page.get_by_label("x", exact=True).input_value() == "2"
    type_into(page, "x", "3")
    assert page.get_by_role("alert").inner_text() == ""
    exploration.change(0, "3")
    assert line(page) == str(exploration).splitlines()[0]


def test_keys_in_a_field_are_for_the_field(page, tmp_path):
    opened(page, explore(small()[2]), tmp_path)
    field = page.get_by_label("a", exact=True)
    field.fill("12")
    for key in ("Home", "ArrowRight", "Space"):
        field.press(key)
    assert field.input_value() == "1 2"
    assert line(page) == "a = 2"


def test_what_is_being_typed_stays_while_another_leaf_changes(page, tmp_path):
    opened(page, explore(small()[2]), tmp_path)
    page.get_by_label("b", exact=True).fill("7")
    page.get_by_label("a", exact=True).evaluate("a => a.value = '5'")
    page.get_by_label("a", exact=True).dispatch_event("change")
    assert line(page) == "a = 5"
    assert page.get_by_label("b", exact=True).input_value() == "7"


def test_it_plays_and_pauses(page, tmp_path):
    page.clock.install()
    opened(page, explore(small()[2]), tmp_path)
    page.locator(".microgrid-explore").focus()
    page.keyboard.press("Space")
    page.clock.run_for(3 * 1200)
    assert page.locator(".position").inner_text() == "4 / 11"
    page.get_by_label("Pause").click()
    page.clock.run_for(3 * 1200)
    assert page.locator(".position").inner_text() == "4 / 11"
    page.get_by_label("Play").click()
    page.clock.run_for(20 * 1200)
    assert page.locator(".position").inner_text() == "11 / 11"
    assert page.get_by_label("Play").count() == 1


def test_a_screen_reader_hears_each_step_in_words(page, tmp_path):
    opened(page, explore(small()[2]), tmp_path)
    said = page.locator("[aria-live=polite]")
    page.locator(".microgrid-explore").focus()
    heard = []
    for _ in range(11):
        heard.append(said.text_content())
        page.keyboard.press("ArrowRight")
    assert heard[2] == "Step 3 of 11: v1 equals a times b equals 2 times -3 equals -6"
    assert heard[9] == (
        "Step 10 of 11: the gradient of a gets the gradient of v1 times b equals 4 times -3 equals "
        "-12; in all the gradient of a equals 4 plus -12 equals -8"
    )
    assert page.locator("[aria-live=polite]").is_visible()  # what is hidden is not read out


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_is_shown_as_it_is(page, tmp_path, label):
    x = Value(2.0, label=label)
    exploration = explore(mg.tanh(x) * 1.0)
    opened(page, exploration, tmp_path)
    name = exploration._steps.names[0]
    assert page.locator("g.value text.name").first.text_content() == name
    assert page.locator("label span").text_content() == name
    page.get_by_text("All steps").click()
    assert page.locator("li").all_text_contents() == str(exploration).splitlines()
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("width", [400, 900, 1500])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_text_stands_out(browser, tmp_path, width, scheme):
    loss, model = many_nodes()
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with watched(browser, reduced_motion="reduce", **options) as page:
        opened(page, explore(loss, model), tmp_path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground, ink = page.evaluate(
            "(({backgroundColor, color}) => [backgroundColor, color])"
            "(getComputedStyle(document.querySelector('.microgrid-explore')))"
        )
        frame = page.locator(".picture").bounding_box()
        steps = explore(loss)._steps.steps
        for step in range(0, len(steps), 7):
            page.locator("input[type=range]").fill(str(step))
            lit = page.locator("g.value.is-lit").bounding_box()
            assert frame["x"] <= lit["x"]
            assert lit["x"] + lit["width"] <= frame["x"] + frame["width"]
            assert frame["y"] <= lit["y"]
            assert lit["y"] + lit["height"] <= frame["y"] + frame["height"]
        bright = [sum(map(int, c.strip("rgb()").split(","))) / 765 for c in (ground, ink)]
        assert (bright[0] > 0.9, bright[1] < 0.15) == (scheme == "light",) * 2
        assert abs(bright[0] - bright[1]) > 0.7


def test_no_number_reaches_out_of_its_box(page, tmp_path):
    x = Value(-1.2345e-300, label="x")
    opened(page, explore(x * 1.0 + -123456.0), tmp_path)
    page.locator("input[type=range]").press("End")
    for box in page.locator("g.value").all():
        (outer,) = [r.bounding_box() for r in box.locator("rect").all()]
        words = [text.bounding_box() for text in box.locator("text.what").all()]
        for text, left in [(text, outer["x"]) for text in box.locator("text").all()] + [
            (number, word["x"] + word["width"])
            for number, word in zip(box.locator("text.number").all(), words, strict=True)
        ]:
            inner = text.bounding_box()
            assert left <= inner["x"]
            assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


def test_without_a_picture_the_steps_are_listed(page, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "find_engine", lambda: None)
    exploration = explore(small()[2])
    opened(page, exploration, tmp_path)
    assert page.get_by_text("There is no picture, as drawing a graph needs").is_visible()
    assert page.locator("li").all_inner_texts() == str(exploration).splitlines()
    page.get_by_label("One step forward").click()
    assert page.locator("li.is-now").inner_text() == "b = -3"


def test_a_page_that_cannot_compute_says_so(page, tmp_path):
    own = mg.Primitive("own!", lambda x: x + 1.0, lambda out, x: (1,))
    try:
        opened(page, explore(own(Value(2.0, label="x"))), tmp_path)
    finally:
        del mg.Primitive.registry["own!"]
    assert page.get_by_label("x", exact=True).is_disabled()
    assert page.get_by_text("'own!' has no lowering").is_visible()


def test_a_leaf_alone_has_a_page(page, tmp_path):
    opened(page, explore(Value(1.5)), tmp_path)
    page.get_by_label("One step forward").click()
    assert line(page) == "∂L/∂L = 1"
    assert numbers_in_picture(page) == {"L": ("1.5", "1")}


# ---- questions, two runs and fingers


def at_the_backward_pass(page, exploration, folder):
    opened(page, exploration, folder)
    page.get_by_label("Predict").click()
    page.get_by_label("To the backward pass").click()
    return str(exploration).splitlines()


def test_a_share_is_asked_for_before_it_is_shown_and_a_right_answer_lights_up(page, tmp_path):
    lines = at_the_backward_pass(page, explore(small()[2]), tmp_path)
    assert line(page) == "∂L/∂L = 1"
    page.keyboard.press("b")  # from wherever the focus is inside
    page.get_by_label("One step forward").click()
    assert line(page) == "∂L/∂v2 += ∂L/∂L · 4 = ?"
    assert numbers_in_picture(page)["v2"] == ("-4", "")  # it is not given away
    assert page.locator(".position").inner_text() == "6 / 11"
    assert page.locator("g.value.is-lit text.name").all_text_contents() == ["v2"]
    page.get_by_role("button", name="5", exact=True).click()
    assert "multiplied, not added" in page.locator(".reply").inner_text()
    assert "multiplied, not added" in page.locator("[aria-live=polite]").text_content()
    assert not page.locator(".is-right").count()
    page.get_by_label("The share").fill("4.01")
    page.keyboard.press("Enter")
    assert line(page) == lines[6]
    assert page.locator(".microgrid-explore.is-right").count() == 1
    assert page.locator(".reply").inner_text().endswith("0 of 1 right at once.")
    page.locator(".microgrid-explore").focus()
    page.keyboard.press("ArrowRight")
    assert not page.locator(".is-right").count()
    options = page.locator(".options button").all_inner_texts()
    page.keyboard.press(str(options.index("4") + 1))
    assert line(page) == lines[7]
    assert page.locator(".reply").inner_text().endswith("1 of 2 right at once.")


def test_what_is_asked_can_be_shown_skipped_and_left(page, tmp_path):
    lines = at_the_backward_pass(page, explore(small()[2]), tmp_path)
    page.get_by_label("One step forward").click()
    page.get_by_role("button", name="Show it").click()
    assert line(page) == lines[6]
    page.locator(".microgrid-explore").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert line(page) == lines[7]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert line(page) == lines[6]
    page.keyboard.press("p")
    assert page.get_by_label("Predict").get_attribute("aria-pressed") == "false"
    page.keyboard.press("ArrowRight")
    assert line(page) == lines[7]
    assert page.locator(".asked").is_hidden()


def test_one_jumps_to_the_backward_pass_and_back_to_the_first_step(page, tmp_path):
    lines = str(explore(small()[2])).splitlines()
    opened(page, explore(small()[2]), tmp_path)
    assert page.locator(".compared").is_hidden()
    page.get_by_label("To the backward pass").click()
    assert line(page) == lines[5] == "∂L/∂L = 1"
    page.get_by_label("To the forward pass").click()
    assert line(page) == lines[0]


def rows_of(page):
    """Return the table's rows, by name."""
    texts = [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]
    lines = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    return {name: (data[1:], gradient[1:]) for [name], data, gradient in lines}


def test_a_step_of_gradient_descent_is_compared_with_what_was_before(page, tmp_path):
    loss = small()[2]
    first = explore(loss)
    opened(page, first, tmp_path)
    page.get_by_label("Learning rate").fill("0.125")
    page.get_by_role("button", name="Take a step").click()
    first.descend("0.125")
    after = explore(loss, before=first)
    in_page = rows_of(page)
    opened(page, after, tmp_path)
    assert in_page == rows_of(page)  # the page computes what Python does
    assert in_page["a"] == (["2", "3", "+1"], ["-8", "-12", "-4"])
    page.locator("input[type=range]").fill("9")
    then = str(explore(small()[2])).splitlines()[9]
    assert page.locator(".earlier").inner_text() == f"before: {then}"
    assert page.locator("tbody tr.is-now th").all_inner_texts() == ["a", "data", "grad"]
    page.get_by_role("button", name="Compare from here on").click()
    assert page.locator(".compared").is_hidden()
    type_into(page, "a", "5")
    assert rows_of(page)["a"][0] == ["3", "5", "+2"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_room_for_everything_and_targets_for_fingers(browser, tmp_path, scheme):
    loss, model = many_nodes()
    first = explore(loss, model)
    options = {"viewport": {"width": 400, "height": 800}, "color_scheme": scheme}
    with watched(browser, has_touch=True, is_mobile=True, **options) as page:
        at_the_backward_pass(page, explore(loss, model, before=first), tmp_path)
        page.get_by_label("One step forward").tap()
        page.get_by_text("All steps").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        for thing in page.locator("button, input, summary").all():
            box = thing.bounding_box()
            assert box["height"] >= 44
            assert box["width"] >= 44
        reply = page.locator(".options button").first
        reply.tap()
        assert page.locator(".reply").inner_text()


SWIPE = """([from, to]) => {
  const line = document.querySelector("p.line");
  for (const [type, clientX] of [["pointerdown", from], ["pointerup", to]]) {
    const where = { pointerType: "touch", clientX, clientY: 30, bubbles: true };
    line.dispatchEvent(new PointerEvent(type, where));
  }
}"""


def test_a_swipe_is_a_step_and_a_touch_is_not(page, tmp_path):
    lines = str(explore(small()[2])).splitlines()
    opened(page, explore(small()[2]), tmp_path)
    for swipe, k in (([300, 100], 1), ([300, 100], 2), ([100, 110], 2), ([100, 300], 1)):
        page.evaluate(SWIPE, swipe)
        assert line(page) == lines[k]


def test_every_step_is_a_button_in_the_list_of_which_one_is_current(page, tmp_path):
    opened(page, explore(small()[2]), tmp_path)
    page.get_by_text("All steps").click()
    page.locator("li button").nth(4).focus()
    page.keyboard.press("Enter")
    assert page.locator("[aria-current=step]").all_inner_texts() == [line(page)]
    assert page.get_by_role("table", name="Before and now").count() == 0
    type_into(page, "a", "5")
    assert page.get_by_role("rowheader", name="a", exact=True).count() == 1


# ---- JupyterLab

CELLS = [
    "from microgrid import Value, explore, log\n"
    "a, b = Value(2.0, label='a'), Value(-3.0, label='b')\n"
    "loss = (a * b + a) * 4.0\n"
    "explore(loss)",
    "print('python has', a.data, loss.data)",
    "from microgrid import MLP\n"
    "from microgrid.drawing import playground\n"
    "played = playground(MLP(2, [3, 1], activation='tanh', seed=0))\n"
    "played",
    "model = played.to_model()\n"
    "played.load_into(model)\n"
    "print('played', model, played.state_dict()['layers.1.neurons.0.b'] != 0.0)",
    "import sys\n"
    "sys.modules['anywidget'] = None\n"
    "del sys.modules['microgrid.drawing.stepper.widget']\n"
    "explore(log(a) * 1.0)",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start JupyterLab with these cells; give its address."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is in the extra `browser`")
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    with jupyter("jupyterlab", tmp_path_factory.mktemp("lab"), CELLS) as address:
        yield address


def test_in_jupyterlab_python_computes_and_without_anywidget_the_frame_does(browser, lab):
    expected = explore(small()[2])
    with watched(browser, viewport={"width": 1200, "height": 1000}) as page:
        page.set_default_timeout(60_000)
        page.goto(f"{lab}lab/tree/cells.ipynb?reset")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # else it asks for a kernel
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        widget = page.locator(".jp-OutputArea .microgrid-explore")
        widget.wait_for()
        widget.focus()
        assert (
            lines_by(widget, lambda: page.keyboard.press("ArrowRight"))
            == str(expected).splitlines()
        )
        type_into(widget, "a", "5")
        expected.change(0, "5")
        widget.get_by_text("∂L/∂b += ∂L/∂v1 · a = 4 · 5 = 20").first.wait_for()
        assert numbers_in_picture(widget) == of_python(expected)
        type_into(widget, "a", "five")
        widget.get_by_text("a leaf needs a finite number, got 'five'").wait_for()
        assert widget.get_by_label("a", exact=True).input_value() == "5"
        page.locator(".jp-CodeCell").nth(1).click()
        page.keyboard.press("Control+Enter")
        page.get_by_text("python has 5.0 -40.0").wait_for()

        played = page.locator(".jp-OutputArea .microgrid-playground")
        played.get_by_role("button", name="Add a neuron to layer 0").click()
        played.get_by_role("button", name="One step (→)").click()
        played.get_by_text("step 1 · epoch 1").wait_for()
        played.get_by_role("button", name="Give the weights to Python").click()
        played.get_by_text("Python has the weights: state_dict()").wait_for()
        page.locator(".jp-CodeCell").nth(3).click()
        page.keyboard.press("Control+Enter")
        page.get_by_text("played MLP(2, [4, 1], activation='tanh') True").wait_for()

        frame = page.frame_locator(".jp-OutputArea iframe")
        framed = frame.locator(".microgrid-explore")
        framed.get_by_label("One step forward").click()
        assert line(framed) == "v1 = log(a) = log(2) = 0.6931"
        type_into(framed, "a", "1")
        framed.get_by_text("v1 = log(a) = log(1) = 0").first.wait_for()
        assert frame.locator("h1").is_hidden()


def test_a_page_made_of_a_notebook_shows_the_steps_without_a_network(browser, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="it comes with the extra `test`")
    pytest.importorskip(
        "nbconvert", reason="nbconvert comes with JupyterLab, in the extra `browser`"
    )
    drawing = "from microgrid import draw\ndraw(loss, names=locals())"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (CELLS[0], drawing)]
    )
    nbformat.write(notebook, tmp_path / "steps.ipynb")
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "steps.ipynb"]
    subprocess.run(convert, cwd=tmp_path, check=True, capture_output=True)
    page = browser.new_page(viewport={"width": 800, "height": 1000})
    page.context.set_offline(True)
    page.goto(f"file://{tmp_path / 'steps.html'}")
    frame = page.frame_locator("iframe").locator(".microgrid-explore")
    frame.wait_for()
    frame.focus()
    lines = lines_by(frame, lambda: page.keyboard.press("ArrowRight"))
    assert lines == str(explore(small()[2])).splitlines()
    picture = page.locator("img[alt^='Graph of 6 values: loss = -16']")
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert picture.bounding_box()["width"] <= 800
    page.close()
