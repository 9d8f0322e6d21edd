"""Colours by sign and size, that tell apart in grey and for the colour-blind."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isfinite, isnan, nan, sqrt
from numbers import Real

__all__ = ["ABOVE", "BELOW", "COLOURS", "ColourScale", "largest_size"]

# Okabe and Ito's colours, which the colour-blind tell apart; in grey, markers and dashes do.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")

# Brewer's orange and purple; in grey the purple is darker, and its lines are dashed.
GROUND = {1: ("#fff1de", "#f7ab52"), -1: ("#efecf6", "#a692d4")}  # of numbers, in black
LINE = {1: "#b35806", -1: "#542788"}
# From the largest negative number to the largest, without the middle; one side is as dark as the
# other, so that in grey one sees how large a number is.
BELOW, ABOVE = ("#512684", "#9778c9"), ("#cf6d1f", "#742100")

Derivative = float | Fraction | None


class ColourScale:
    """Colours of gradients, from 0 to the largest; there are none where all are 0.

    >>> scale = ColourScale([4.0, -1.0])
    >>> scale.ground(4.0), scale.ground(-1.0), scale.ground(0.0)
    ('#f7ab52', '#cabfe5', None)
    """

    def __init__(self, gradients: Iterable[Derivative]) -> None:
        self.largest = largest_size(gradients)

    def _strength(self, x: float) -> float:
        if not self.largest or isnan(x):
            return 0.0
        return sqrt(min(abs(x) / self.largest, 1.0))  # what is 100 times smaller shows as a tenth

    def ground(self, gradient: Derivative) -> str | None:
        """Return the colour behind a gradient's number, None for one of 0."""
        x = _number(gradient)
        if not (strength := self._strength(x)):
            return None
        pale, full = (_parts(colour) for colour in GROUND[1 if x > 0 else -1])
        mixed = (round(p + (f - p) * strength) for p, f in zip(pale, full, strict=True))
        return "#" + "".join(f"{part:02x}" for part in mixed)

    def line(self, share: Derivative) -> dict[str, str]:
        """Return the look of an edge that brings back a share of a gradient."""
        x = _number(share)
        if not self.largest or isnan(x):
            return {}
        if not (strength := self._strength(x)):
            return {"color": "#8c8c8c", "penwidth": "0.6"}
        style = {} if x > 0 else {"style": "dashed"}
        width = f"{0.8 + 2 * strength:.2g}"
        return {"color": LINE[1 if x > 0 else -1], "penwidth": width, **style}


def largest_size(gradients: Iterable[Derivative]) -> float:
    """Return the largest size of a finite gradient, 0 if there is none.

    >>> largest_size([1.0, -2.0, None, float("inf")])
    2.0
    """
    sizes = (abs(_number(gradient)) for gradient in gradients)
    return max((size for size in sizes if isfinite(size)), default=0.0)


def _number(x: Derivative) -> float:
    """Return a gradient as a float: nan if it is not a number, inf of a large `Fraction`."""
    if not isinstance(x, Real):  # None, or the rows of numbers of steps whose graph was not kept
        return nan
    try:
        return float(x)
    except OverflowError:
        return inf if x > 0 else -inf


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
