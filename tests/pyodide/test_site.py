"""The site opened as readers do, with no network beyond it: lessons run in the browser."""

import os
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser import browser, watched

pytestmark = pytest.mark.site

LIMIT = 120_000  # milliseconds
# What a page of JupyterLite has open, with its kernel, and the cells of that notebook.
NOTEBOOK = "window.jupyterapp?.shell.currentWidget?.context"
KERNEL = f"{NOTEBOOK}?.sessionContext.session?.kernel?.status"
CELLS = "window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
RUN = "void window.jupyterapp.commands.execute('notebook:run-all-cells').catch(() => 0)"
COUNTS = f"{CELLS}.filter((cell) => cell.cell_type === 'code').map((cell) => cell.execution_count)"
FAILED = f"{CELLS}.some((cell) => cell.outputs?.some((output) => output.output_type === 'error'))"


class Quiet(SimpleHTTPRequestHandler):
    """A server of files, without a log, but with the icon that browsers ask every server for."""

    def log_message(self, *_):
        """Write nothing."""

    def do_GET(self):
        """Answer with a file."""
        if self.path == "/favicon.ico":
            self.path = "/lite/static/favicons/favicon.ico"
        super().do_GET()


@pytest.fixture(scope="module")
def address():
    """Give where the site is served that MICROGRID_SITE names."""
    folder = os.environ.get("MICROGRID_SITE")
    if not folder or not Path(folder, "lite").is_dir():
        pytest.skip("there is no site: .ci/run builds one, which MICROGRID_SITE names")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def lesson(address, name):
    """Give a page with a lesson of which all cells have run, and the cells' outputs."""
    with browser() as chromium, watched(chromium) as page:
        page.goto(f"{address}/lite/notebooks/index.html?path={name}.ipynb")
        page.wait_for_function(f"{NOTEBOOK}?.isReady && {KERNEL} === 'idle'", timeout=LIMIT)
        page.evaluate(RUN)
        page.wait_for_function(f"{FAILED} || {COUNTS}.every((count) => count)", timeout=LIMIT)
        page.wait_for_function(f"{KERNEL} === 'idle'", timeout=LIMIT)
        outputs = [cell.get("outputs", []) for cell in page.evaluate(CELLS)]
        yield page, [output for of_cell in outputs for output in of_cell]


def test_the_reference_leads_to_the_lessons(address):
    with browser() as chromium, watched(chromium) as page:
        page.goto(f"{address}/index.html")
        page.get_by_role("link", name="in your browser").click()
        page.get_by_text("1-a-value-and-its-gradient.ipynb").wait_for(timeout=LIMIT)


def test_the_pages_of_all_lessons_are_whole_without_a_network(
    address,
):
    with browser() as chromium:
        for number in range(1, 10):
            with watched(chromium) as page:
                page.goto(f"{address}/index.html")
                page.locator(f".toctree-wrapper a[href^='lessons/{number}-']").first.click()
                page.wait_for_load_state("load")
                assert page.locator("h1").count() > 0
                if page.locator(".math").count():
                    page.locator(".math mjx-container svg").first.wait_for(timeout=LIMIT)
                    assert page.locator("mjx-merror").count() == 0


def test_lesson_1_runs_to_its_end_with_pictures(address):
    with lesson(address, "1-a-value-and-its-gradient") as (_, outputs):
        assert [x["evalue"] for x in outputs if x["output_type"] == "error"] == []
        assert sum("image/svg+xml" in output.get("data", {}) for output in outputs) > 5
        red = [x for x in outputs if x.get("name") == "stderr"]
        assert red == []


def test_lesson_2_runs_to_its_end_and_steps_through_backpropagation(address):
    with lesson(address, "2-the-backward-pass-step-by-step") as (page, outputs):
        assert [x["evalue"] for x in outputs if x["output_type"] == "error"] == []
        stepper = page.frame_locator("iframe[title^='Backpropagation']")
        slider = stepper.locator("input[type=range]")
        slider.wait_for(timeout=LIMIT)
        assert stepper.locator("svg").count() >= 1
        before = slider.input_value()
        slider.press("ArrowRight")
        assert int(slider.input_value()) == int(before) + 1
