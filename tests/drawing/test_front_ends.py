"""What is shown where: each kind of output, in each front end that can be tried here."""

import pytest

from tests.browser import jupyter, marimo

pytestmark = [pytest.mark.browser, pytest.mark.dot]

BEGIN = """\
import microgrid as mg
a, b = mg.Value(2.0, label="a"), mg.Value(-3.0, label="b")
loss = mg.tanh(a * b + 6.5)
loss.backward()"""
RECORDS = "[{'epoch': 1, 'loss': 0.5}, {'epoch': 2, 'loss': 0.25}]"
TEXTS = {  # what a cell ends with, and what is read there
    "loss": "operation  tanh",
    "mg.MLP(2, [4, 1])": "Layer(2, 4, activation='relu')",
    f"mg.History({RECORDS})": "0.2500",
    "mg.explain(loss, a)": "the sum over 1 path",
}
PICTURES = ["mg.draw(loss)", f"mg.History({RECORDS}).plot()"]
CELLS = [BEGIN, *TEXTS, *PICTURES, "mg.formula(loss)", "mg.explore(loss)"]


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1000, "height": 6000})  # cells are shown when seen
    page.set_default_timeout(60_000)
    yield page
    page.close()


def require_shown(outputs):
    for text in TEXTS.values():
        outputs.get_by_text(text, exact=False).first.wait_for()
    images = outputs.locator("img")
    images.nth(len(PICTURES) - 1).wait_for()
    assert all(image.evaluate("image => image.naturalWidth") for image in images.all())


def test_notebook_7_shows_all_and_the_widget(page, tmp_path):
    pytest.importorskip("notebook", reason="Jupyter Notebook is in the extra `browser`")
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    with jupyter("notebook", tmp_path, CELLS) as address:
        page.goto(f"{address}notebooks/cells.ipynb")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        outputs = page.locator(".jp-OutputArea-output")
        require_shown(outputs)
        outputs.locator("mjx-container").first.wait_for()
        widget = outputs.locator(".microgrid-explore")
        widget.get_by_label("a", exact=True).fill("3")
        widget.get_by_label("a", exact=True).press("Enter")
        widget.get_by_text("v1 = a · b = 3 · -3 = -9").first.wait_for(state="attached")


def test_marimo_shows_all_and_the_page_and_the_widget_where_asked(page, tmp_path):
    pytest.importorskip("marimo", reason="marimo is in the extra `browser`")
    pytest.importorskip("anywidget", reason="the widget is anywidget's")
    asked = "import marimo\nmarimo.ui.anywidget(mg.explore(loss).widget)"
    with marimo(tmp_path, [*CELLS, asked]) as address:
        page.goto(address)
        outputs = page.locator(".output")
        require_shown(outputs)
        outputs.locator("marimo-tex .katex").first.wait_for()
        framed = page.frame_locator("iframe").locator(".microgrid-explore")
        for stepper in (framed, page.locator(".output .microgrid-explore")):
            stepper.get_by_label("a", exact=True).fill("3")
            stepper.get_by_label("a", exact=True).press("Enter")
            stepper.get_by_text("v1 = a · b = 3 · -3 = -9").first.wait_for(state="attached")
