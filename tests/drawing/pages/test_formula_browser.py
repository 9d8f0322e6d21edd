"""The page of a formula in a real browser: typed into, moved, stepped through, at three widths."""

import re

import pytest

from microgrid import Value, explore
from microgrid.drawing import formula_page
from microgrid.drawing.labels import number_text
from tests.browser import watched
from tests.drawing.pages.test_formula_page import PYTHON, of_python

pytestmark = pytest.mark.browser

WIDTHS = [400, 900, 1600]
LEAST_TARGET = 36  # pixels, of what a finger must meet; WCAG 2.2 asks for 24


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    values = {"w": 0.5, "x": -1.5, "b": 0.25}
    folder = tmp_path_factory.mktemp("pages")
    return f"file://{formula_page('tanh(w*x + b)', values).save(folder / 'formula.html')}"


@pytest.fixture
def page(page, path):
    page.goto(path)
    return page


def type_formula(page, text):
    page.locator("#formula").fill(text)
    page.locator("#formula").press("Enter")


def numbers_of(page):
    """Return the numbers of all derivatives, as they are shown."""
    return [text.removeprefix("= ") for text in page.locator(".answer").all_inner_texts()]


def test_numbers_are_those_of_python_at_any_values(page):
    def expected(values):
        return [number_text(x) for x in of_python("tanh(w*x + b)", values, "wxb")]

    assert numbers_of(page) == expected({"w": 0.5, "x": -1.5, "b": 0.25})
    page.get_by_role("textbox", name="x", exact=True).fill("7.5")
    page.get_by_role("textbox", name="x", exact=True).press("Enter")
    assert numbers_of(page) == expected({"w": 0.5, "x": 7.5, "b": 0.25})
    page.get_by_label("w, slider").fill("-0.25")
    assert numbers_of(page) == expected({"w": -0.25, "x": 7.5, "b": 0.25})
    assert page.get_by_role("textbox", name="w", exact=True).input_value() == "-0.25"
    assert page.locator(".result").inner_text() == f"L = {numbers_of(page)[0]}"


def test_the_keys_step_through_the_lines_of_explore(page):
    w, x, b = (Value(v, label=n) for n, v in (("w", 0.5), ("x", -1.5), ("b", 0.25)))
    lines = str(explore(PYTHON["tanh"](w * x + b))).splitlines()
    page.get_by_label("Backpropagation, step by step").focus()
    seen = [page.locator("p.line").inner_text()]
    for _ in lines[1:]:
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("p.line").inner_text())
    assert seen == lines


def test_a_typed_formula_is_read_while_it_is_typed(page):
    page.locator("#formula").fill("")
    page.locator("#formula").type("a*a + 3")
    page.get_by_label("a, slider").wait_for()
    assert page.get_by_label("w, slider").count() == 0
    page.get_by_role("textbox", name="a", exact=True).fill("2")
    page.get_by_role("textbox", name="a", exact=True).press("Enter")
    assert numbers_of(page) == ["7", "4", "2"]
    page.get_by_label("as Python", exact=True).check()
    lines = page.locator(".derivative pre").all_inner_texts()
    assert lines == ["L = a**2 + 3", "∂L/∂a = 2*a", "∂²L/∂a² = 2"]


def test_a_mistake_has_a_caret_and_leaves_the_page_as_it_was(page):
    before = numbers_of(page)
    type_formula(page, "tanh(w*x + b")
    text, caret = page.locator(".mistake pre").inner_text().splitlines()
    assert text[caret.index("^")] == "("
    assert "expected ) to close the ( here" in page.get_by_role("alert").first.inner_text()
    assert page.locator("#formula").get_attribute("aria-invalid") == "true"
    assert numbers_of(page) == before
    type_formula(page, "tanh(w*x) + b")
    assert page.locator(".mistake").inner_text() == ""
    assert page.locator("#formula").get_attribute("aria-invalid") == "false"


def test_values_without_a_result_say_why_until_others_have_one(page):
    type_formula(page, "log(x)")
    page.get_by_label("x, slider").fill("-2")
    assert "log of x = -2 has no finite value" in page.locator(".error").first.inner_text()
    page.get_by_label("x, slider").fill("1")
    assert page.locator(".error").first.inner_text() == ""
    assert numbers_of(page) == ["0", "1", "-1"]


def test_a_new_formula_begins_where_it_can_be_computed(page):
    for text in ("acosh(q)", "log(q - 1)", "atanh(p) + sqrt(-q)", "erfinv(p)/q"):
        type_formula(page, text)
        assert "not finite here" not in numbers_of(page)


def test_a_value_of_the_user_is_never_replaced(browser, page, tmp_path):
    path = formula_page("sqrt(x)*w", {"x": -1.0, "w": 3.0}).save(tmp_path / "page.html")
    values = page.locator(".name input[type=text]")
    page.goto(f"file://{path}")
    assert [value.input_value() for value in values.all()] == ["-1", "3"]
    assert "sqrt of x = -1 has no finite value" in page.locator(".error").first.inner_text()
    type_formula(page, "a*x")
    page.get_by_label("a, slider").fill("-3")
    type_formula(page, "log(a)*x + q")
    assert [value.input_value() for value in values.all()][:2] == ["-3", "-1"]
    assert "log of a = -3 has no finite value" in page.locator(".error").first.inner_text()


def test_a_value_may_have_a_decimal_comma_and_one_that_is_wrong_is_told(page):
    x = page.get_by_role("textbox", name="x", exact=True)
    for text, number in {"0,25": "0.25", "1/4": "0.25", "−2": "-2"}.items():
        x.fill(text)
        x.press("Enter")
        assert x.input_value() == number
    x.fill("two")
    x.press("Enter")
    assert x.input_value() == "-2"
    error = page.locator(".error").first
    assert error.inner_text() == 'x needs a finite number, got "two"'
    x.fill("1")
    x.press("Enter")
    assert error.inner_text() == ""


def test_a_formula_that_has_the_letter_l_has_another_result(page):
    type_formula(page, "L*x")
    assert page.locator(".result").inner_text().startswith("v1 = ")
    names = [row.get_attribute("data-name") for row in page.locator(".derivative").all()]
    assert names[:3] == ["v1", "∂v1/∂L", "∂v1/∂x"]
    assert page.locator(".mathematics").first.get_attribute("aria-label") == "v1 = L*x"


def test_the_result_of_an_earlier_formula_fades_below_a_mistake(page):
    faded = "getComputedStyle(document.querySelector('.result')).opacity < 1"
    assert not page.evaluate(faded)
    type_formula(page, "(" * 5000)
    assert "expected fewer operations and brackets" in page.locator(".mistake").inner_text()
    assert page.evaluate(faded)


def test_examples_and_functions_are_buttons(page):
    for button in page.locator(".examples button").all():
        button.click()
        assert page.locator(".mistake").inner_text() == ""
        assert page.locator(".derivative math").count() >= 3
    type_formula(page, "")
    page.locator(".functions summary").click()
    page.get_by_label("insert tanh(x)", exact=True).click()
    assert page.locator("#formula").input_value() == "tanh(x)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_clipped_and_fingers_meet_what_they_want(browser, path, width, scheme):
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with watched(browser, **options) as page:
        page.goto(path)
        type_formula(page, "where(x > 0, x, a*(exp(x) - 1)) + lgamma(y)/(x**2 + y**2)**3")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        targets = page.locator("button, input, summary").all()
        boxes = [target.bounding_box() for target in targets if target.is_visible()]
        assert all(box["height"] >= 16 for box in boxes)
        buttons = [x.bounding_box() for x in page.locator("button").all() if x.is_visible()]
        assert min(min(box["height"], box["width"]) for box in buttons) >= LEAST_TARGET
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        for row in page.locator(".derivative").all():
            box = row.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


BOXES = """[...document.querySelectorAll(".value rect, .operation ellipse")].map((box) => {
    const { x, y, width, height } = box.getBBox();
    return [x, y, x + width, y + height];
})"""
WOVEN = ["log_softmax([a, b, c])[0]", "x*y + x*z + y*z + sin(x*y*z) + x*x", "dot([a, b], [b, a])"]


@pytest.mark.parametrize("text", WOVEN)
def test_no_box_of_the_picture_overlaps_another(page, text):
    type_formula(page, text)
    boxes = page.evaluate(BOXES)
    for i, (left, top, right, low) in enumerate(boxes):
        for other in boxes[:i]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= low


def test_a_screen_reader_is_told_of_steps_results_and_mistakes(page):
    assert page.locator("[aria-live=polite]").count() >= 2
    rows = page.locator(".mathematics").all()
    labels = [row.get_attribute("aria-label") for row in rows]
    assert labels[1] == "∂L/∂w = x*(1 - tanh(w*x + b)**2)"
    names = [box.get_attribute("aria-label") for box in page.locator("input").all()]
    assert re.search("w, slider", " ".join(filter(None, names)))
