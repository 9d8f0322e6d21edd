"""How light a colour is, how well one is read on another, and how many a picture has."""

from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imread


def luminance(colour):
    """Return the relative luminance of WCAG 2's definition."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def lightness(colour):
    """Return the luminance on a scale that the eye has: CIE L*, about 0 to 100."""
    return 116 * luminance(colour) ** (1 / 3) - 16


def contrast(colour, other):
    """Return the contrast ratio of WCAG 2, from 1 to 21; text needs 4.5."""
    below, above = sorted([luminance(colour), luminance(other)])
    return (above + 0.05) / (below + 0.05)


def how_many(picture):
    """Return how many colours the pixels of a picture have."""
    pixels = imread(BytesIO(picture._repr_png_()))
    return len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0))
