"""A real browser for tests: Debian's chromium, driven by Playwright."""

import shutil
from contextlib import contextmanager
from urllib.parse import urlparse

import pytest

CHROMIUM = shutil.which("chromium")
# Without these it calls home when it starts; and no sandbox, as CI runs as root.
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
HERE = ("", "127.0.0.1", "localhost")


@contextmanager
def browser():
    """Give a browser, or skip the test and say what is missing."""
    reason = "a browser is driven by playwright, from the extra `browser`"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@contextmanager
def watched(browser, **options):
    """Give a page; raise afterwards if it wrote an error or asked for something far away."""
    page = browser.new_page(**options)
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}") or dialog.dismiss())
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert errors == []
    assert [url for url in asked if (urlparse(url).hostname or "") not in HERE] == []
