"""Pictures of a notebook in a real browser: they follow its theme, and are read on both grounds."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from microgrid import MLP, Value, draw
from microgrid.drawing import (
    plot_confusion_matrix,
    plot_decision_boundary,
    plot_history,
    plot_images,
    plot_network,
)
from tests.browser import watched
from tests.colours import contrast

pytestmark = [pytest.mark.browser, pytest.mark.dot]

GROUNDS = {"light": "#ffffff", "dark": "#1a1a1a"}


def product():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = a * b
    loss.backward()
    return loss


PICTURES = {
    "graph": lambda: draw(product()),
    "curves": lambda: plot_history([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}]),
    "network": lambda: plot_network(MLP(2, [3, 1], seed=0)),
    "boundary": lambda: plot_decision_boundary(
        lambda x: x[0] - x[1], [[0, 1], [1, 0]], [0, 1], resolution=9
    ),
    "images": lambda: plot_images([[0.0, 0.5, 0.7, 1.0]], labels=["seven"]),
    "confusion": lambda: plot_confusion_matrix([[9, 1], [0, 10]], classes=["no", "yes"]),
}


def html_of(picture):
    bundle = picture._repr_mimebundle_()
    return (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]


def photograph(page, html, body=""):
    """Return the pixels of a picture in a notebook's page whose body has such attributes."""
    page.set_content(f"<!doctype html><body {body}>{html}")
    image = page.locator("img")
    image.evaluate("image => image.decode()")
    return imread(BytesIO(image.screenshot()))[..., :3]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_themes_ground_and_its_words_stand_out(browser, name):
    html = html_of(PICTURES[name]())
    for scheme, ground in GROUNDS.items():
        with watched(browser, color_scheme=scheme) as page:
            pixels = photograph(page, html)
        assert contrast(tuple(pixels[1, 1]), ground) < 1.01
        dark = scheme == "dark"
        words = sorted(pixels.reshape(-1, 3).tolist(), key=sum, reverse=dark)[20]
        assert contrast(words, ground) > 7  # WCAG's AAA


def test_colours_keep_their_hue_in_the_dark(browser):
    """Gradients above 0 are orange and those below purple, in words and on either ground."""
    html, found = html_of(PICTURES["graph"]()), {}
    for scheme in GROUNDS:
        with watched(browser, color_scheme=scheme) as page:
            red, green, blue = np.moveaxis(photograph(page, html), -1, 0)
        orange = (red > green + 0.15) & (green > blue + 0.15)
        purple = (blue > red + 0.1) & (red > green + 0.05)
        found[scheme] = [orange.sum(), purple.sum()]
        assert min(found[scheme]) > 200
    assert found["dark"] == pytest.approx(found["light"], rel=0.5)


@pytest.mark.parametrize(
    ("body", "scheme"),
    [
        ('data-jp-theme-light="false"', "dark"),
        ('data-jp-theme-light="true"', "light"),
        ('class="vscode-dark"', "dark"),
        ('class="vscode-light"', "light"),
        ('data-theme="dark"', "dark"),
        ('data-theme="light"', "light"),
    ],
)
def test_a_front_end_says_what_its_theme_is_whatever_the_system_prefers(browser, body, scheme):
    html = html_of(PICTURES["curves"]())
    for preferred in GROUNDS:
        with watched(browser, color_scheme=preferred) as page:
            ground = photograph(page, html, body)[1, 1]
        assert contrast(tuple(ground), GROUNDS[scheme]) < 1.01
