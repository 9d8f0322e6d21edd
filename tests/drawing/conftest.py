"""What the tests in a real browser share: the browser, and a page that must write no error."""

import pytest

from tests import browser as browsers


@pytest.fixture(scope="module")  # and no longer: while it is open, no test can start an event loop
def browser():
    """Give a browser, or skip the test."""
    with browsers.browser() as opened:
        yield opened


@pytest.fixture
def page(browser):
    """Give a page of a usual size; fail the test if it wrote an error or asked for what is far."""
    with browsers.watched(browser, viewport={"width": 900, "height": 900}) as page:
        yield page
