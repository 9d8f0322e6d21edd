"""The playground in a real browser: what it computes is what Python does, and how it is used."""

import io
import json
import math
import re

import pytest

import microgrid as mg
from microgrid import MLP, fit, losses, optim
from microgrid.drawing import playground
from microgrid.drawing.labels import number_text
from tests.browser import opened, watched
from tests.colours import contrast

pytestmark = pytest.mark.browser

# Each step rounds in another order than Python's, and its functions' last bits are others.
OF_WEIGHTS = 2.0**-46
X, Y = mg.datasets.moons(40, seed=3)


def network():
    return MLP(2, [4, 3, 1], activation="tanh", init="xavier", seed=2)


def status(page):
    return page.locator(".status").inner_text()


def steps(page):
    return int(re.match(r"step (\d+)", status(page))[1])


def heads(page):
    """Return the sizes of the hidden layers that the page shows."""
    return page.locator(".heads output").all_inner_texts()


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def middle(page, sizes, layer, neuron, to):
    """Return the middle of the line of a weight, on the page."""
    box = page.locator("canvas.network").bounding_box()
    column = box["width"] / len(sizes)
    ends = [(layer, to), (layer + 1, neuron)]
    x = sum((c + 0.5) * column for c, _ in ends) / 2
    y = sum((i + 0.5) / sizes[c] * box["height"] for c, i in ends) / 2
    return box["x"] + x, box["y"] + y


def saved(page):
    with page.expect_download() as download:
        button(page, "Save the weights as JSON, for load_state_dict").click()
    return json.loads(download.value.path().read_text())


@pytest.mark.parametrize("rule", ["SGD", "SGD, momentum 0.9"])
def test_steps_of_the_page_are_the_steps_of_fit(page, tmp_path, rule):
    model = network()
    opened(page, playground(model, X, Y), tmp_path)
    page.get_by_label("Optimizer").select_option(rule)
    momentum = 0.9 if "momentum" in rule else 0.0
    sgd = optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    loss = losses.binary_cross_entropy
    history = fit(model, X, Y, loss=loss, optimizer=sgd, epochs=12, shuffle=False, compile=False)
    page.locator(".microgrid-playground").focus()
    for k, record in enumerate(history):
        assert status(page).startswith(
            f"step {k} · epoch {k} · loss {number_text(record['loss'])} "
        )
        page.keyboard.press("ArrowRight")
    weights = saved(page)
    assert weights.keys() == model.state_dict().keys()
    for path, number in model.state_dict().items():
        assert math.isclose(weights[path], number, rel_tol=OF_WEIGHTS, abs_tol=OF_WEIGHTS)


def test_a_weight_that_is_clicked_says_why(page, tmp_path):
    model = network()
    opened(page, playground(model, X, Y), tmp_path)
    page.mouse.click(*middle(page, [2, 4, 3, 1], 1, 2, 0))
    total = mg.sum([losses.binary_cross_entropy(model(x), t) for x, t in zip(X, Y, strict=True)])
    leaf = model.layers[1].neurons[2].w[0]
    explanation = mg.explain(total / 40, leaf, most=8)
    why = page.locator(".why").inner_text()
    assert "layers.1.neurons.2.w.0" in why
    assert f" = {number_text(explanation.gradient)}, the sum over 40 paths" in why
    shown = page.locator(".why button .number").all_inner_texts()
    assert shown == [number_text(path.gradient) for path in explanation.paths]
    first = page.locator(".why button").first
    first.click()
    assert first.get_attribute("aria-pressed") == "true"
    page.get_by_role("combobox", name="From").select_option("its bias")
    assert "layers.1.neurons.2.b" in page.locator(".why").inner_text()
    page.get_by_role("combobox", name="Layer").select_option("2")
    assert "layers.2.neurons.0.w.0" in page.locator(".why").inner_text()


def test_plus_and_minus_change_the_network_and_keep_its_weights(page, tmp_path):
    opened(page, playground(network(), X, Y), tmp_path)
    before = saved(page)
    button(page, "Add a neuron to layer 0").click()
    assert heads(page) == ["5", "3"]
    wider = saved(page)
    assert {path: wider[path] for path in before} == before
    button(page, "Add a layer").click()
    assert heads(page) == ["5", "3", "3"]
    assert len(saved(page)) == (2 + 1) * 5 + (5 + 1) * 3 + (3 + 1) * 3 + 4
    for _ in range(3):
        button(page, "Remove a layer").click()
    assert heads(page) == []
    assert button(page, "Remove a layer").is_disabled()
    button(page, "Step").or_(button(page, "One step (→)")).first.click()
    assert steps(page) == 1
    for _ in range(6):
        button(page, "Add a layer").click()
    assert button(page, "Add a layer").is_disabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 900


def test_it_runs_and_resets_by_keyboard(page, tmp_path):
    model = network()
    opened(page, playground(model, X, Y), tmp_path)
    page.locator(".microgrid-playground").focus()
    page.keyboard.press("Space")
    page.get_by_text(re.compile("^step ([3-9]|[1-9][0-9]+) ")).wait_for()
    page.keyboard.press("Space")
    paused = steps(page)
    page.wait_for_timeout(100)
    assert steps(page) == paused
    assert page.locator("[role=status][aria-live=polite]").count() == 1
    page.keyboard.press("r")
    assert steps(page) == 0
    assert saved(page) == model.state_dict()
    for _ in range(40):  # Tab reaches every control
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.why button')"):
            break
    page.keyboard.press("Enter")
    assert page.locator(".why button[aria-pressed=true]").count() == 1


def test_reset_gives_back_the_weights_that_the_network_began_with(page, tmp_path):
    opened(page, playground(network(), X, Y), tmp_path)
    page.get_by_label("Batch").select_option("10")
    changes = ["One step (→)", "Draw new weights", "Add a layer", "Add a neuron to layer 1"]
    for name in [*changes, "Remove a neuron from layer 0", "Remove a layer"]:
        button(page, name).click()
        button(page, "Back to the weights that this network began with").click()
        first, trained = saved(page), []
        for rate in ("0.3", "0.1", "0.3"):
            page.get_by_label("Learning rate").select_option(rate)
            for _ in range(5):
                button(page, "One step (→)").click()
            trained.append(saved(page))
            button(page, "Back to the weights that this network began with").click()
            assert steps(page) == 0
            assert saved(page) == first
        assert trained[0] == trained[2] != trained[1]  # batches too are those of the first time


def test_reset_keeps_the_weights_that_are_drawn(page, tmp_path):
    model = network()
    opened(page, playground(model, X, Y), tmp_path)
    button(page, "Draw new weights").click()
    drawn = saved(page)
    button(page, "One step (→)").click()
    button(page, "Back to the weights that this network began with").click()
    assert saved(page) == drawn != model.state_dict()


def test_python_that_is_given_with_saved_weights_takes_them(page, tmp_path):
    opened(page, playground(network(), X, Y), tmp_path)
    button(page, "Add a layer").click()
    page.get_by_label("Activation").select_option("sigmoid")
    weights = saved(page)
    lines = page.locator(".note code").all_inner_texts()
    names = {"MLP": MLP, "json": json, "open": lambda name: io.StringIO(json.dumps(weights))}
    exec("\n".join(lines), names)
    assert repr(names["model"]) == "MLP(2, [4, 3, 3, 1], activation='sigmoid')"
    assert names["model"].state_dict() == weights


def test_python_that_is_given_leaves_an_activation_of_ones_own_to_its_owner(page, tmp_path):
    def bump(x):
        return mg.exp(-x * x)

    opened(page, playground(MLP(2, [3, 1], activation=bump, seed=0), X, Y), tmp_path)
    for name, python in [("bump", "…"), ("tanh", '"tanh"')]:
        page.get_by_label("Activation").select_option(name)
        saved(page)
        first = page.locator(".note code").first.inner_text()
        assert first == f"model = MLP(2, [3, 1], activation={python})"


def test_a_file_stays_until_the_browser_has_taken_it(page, tmp_path):
    opened(page, playground(network(), X, Y), tmp_path)
    page.evaluate(
        """() => {
          window.isGone = false;
          window.end = new Promise((resolve) => {
            URL.revokeObjectURL = () => resolve((window.isGone = true));
          });
        }"""
    )
    name = "Save the weights as JSON, for load_state_dict"
    with page.expect_download():
        assert not button(page, name).evaluate("button => { button.click(); return isGone; }")
    assert page.evaluate("end")


def test_every_setting_is_taken(page, tmp_path):
    opened(page, playground(), tmp_path)
    seen = set()
    for label, choice in [
        ("Data", "spirals"),
        ("Data", "circles"),
        ("Data", "xor"),
        ("Activation", "relu"),
        ("Noise", "0.4"),
    ]:
        field = page.get_by_label(label)
        field.fill(choice) if label == "Noise" else field.select_option(choice)
        seen.add(status(page))
    assert len(seen) == 5
    page.get_by_label("Batch").select_option("25")
    page.get_by_label("Optimizer").select_option("Adam")
    page.get_by_label("Learning rate").select_option("0.03")
    for _ in range(8):
        button(page, "One step (→)").click()
    assert status(page).startswith("step 8 · epoch 2 · ")
    button(page, "Draw new weights").click()
    assert steps(page) == 0


def test_adam_learns_spirals(page, tmp_path):
    data = mg.datasets.spirals(100)
    model = MLP(2, [12, 12, 1], activation="tanh", init="xavier", seed=0)
    opened(page, playground(model, *data), tmp_path)
    page.get_by_label("Optimizer").select_option("Adam")
    page.get_by_label("Learning rate").select_option("0.03")
    page.get_by_label("Speed").select_option("10 steps per frame")
    button(page, "Run").click()
    page.get_by_text(re.compile("· (9[5-9].*|100) % right")).wait_for()


def test_a_step_too_far_is_not_taken_and_said(page, tmp_path):
    opened(page, playground(network(), [[1e200, 0.0], [0.0, 1e200]], [0, 1]), tmp_path)
    before = saved(page)
    page.get_by_label("Learning rate").select_option("3")
    page.get_by_label("Activation").select_option("linear")
    button(page, "One step (→)").click()
    button(page, "One step (→)").click()
    assert "take a lower learning rate" in page.get_by_role("alert").inner_text()
    assert all(map(math.isfinite, saved(page).values()))
    assert before.keys() == saved(page).keys()


def test_several_classes_have_regions_of_their_own(page, tmp_path):
    data = mg.datasets.blobs(60, centers=[[0, 0], [4, 4], [0, 4]], spread=0.5)
    opened(page, playground(None, *data), tmp_path)
    page.get_by_label("Speed").select_option("10 steps per frame")
    button(page, "Run").click()
    page.get_by_text("· 100 % right").wait_for()
    colours = page.evaluate(
        """() => {
          const canvas = document.querySelector(".regions canvas");
          const { width, height } = canvas;
          const context = canvas.getContext("2d");
          const at = (x, y) => [...context.getImageData(x * width, y * height, 1, 1).data];
          return [at(0.03, 0.97), at(0.97, 0.03), at(0.03, 0.03)];
        }"""
    )
    greatest = [max(range(3), key=colour.__getitem__) for colour in colours]
    assert greatest == [2, 0, 1]  # blue, orange, green


@pytest.mark.parametrize("width", [400, 900, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_text_stands_out(browser, tmp_path, width, scheme):
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with watched(browser, **options) as page:
        opened(page, playground(MLP(2, [16, 16, 1], seed=0), X, Y), tmp_path)
        button(page, "One step (→)").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for element in page.locator("button, select, .heads > *, canvas").all():
            box = element.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert element.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
        targets = [b.bounding_box() for b in page.locator("button, select").all()]
        assert min(min(box["width"], box["height"]) for box in targets) >= 24
        ground, *words = colours(page, "ground", "ink", "quiet", "now", "above", "below")
        assert min(contrast(word, ground) for word in words) >= 4.5


def colours(page, *names):
    """Return colours of the page by their names, each as its red, green and blue from 0 to 1."""
    return page.evaluate(
        """(names) => {
          const root = document.querySelector(".microgrid-playground");
          const probe = root.appendChild(document.createElement("i"));
          return names.map((name) => {
            probe.style.color = `var(--${name})`;
            return getComputedStyle(probe).color.match(/\\d+/g).map((part) => part / 255);
          });
        }""",
        names,
    )


def test_a_finger_chooses_a_weight(browser, tmp_path):
    options = {"viewport": {"width": 400, "height": 900}, "has_touch": True, "is_mobile": True}
    with watched(browser, **options) as page:
        opened(page, playground(network(), X, Y), tmp_path)
        page.locator("canvas.network").scroll_into_view_if_needed()
        x, y = middle(page, [2, 4, 3, 1], 2, 0, 2)
        page.touchscreen.tap(x, y + 3)
        page.get_by_text("layers.2.neurons.0.w.2").wait_for()
        button(page, "Add a neuron to layer 0").tap()
        assert heads(page) == ["5", "3"]
