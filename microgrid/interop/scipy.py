"""Compiled functions as C functions that SciPy calls without Python."""

from __future__ import annotations

from scipy import LowLevelCallable

from ..compiler import Compiled

__all__ = ["low_level_callable"]


def low_level_callable(f: Compiled[object, object]) -> LowLevelCallable:
    """Return a compiled function for `scipy.integrate.quad`, `nquad` and the like.

    For SciPy a function of one number is `double f(double)`, one of several numbers
    `double f(int, double *)`: `quad` passes its `args` after the first.

    Raises:
        TypeError: the function takes anything but single numbers, or does not return one.

    >>> from math import pi
    >>> from scipy.integrate import quad
    >>> import microgrid
    >>> bell = microgrid.compile(lambda x, s: microgrid.exp(-x * x / (2 * s**2)))
    >>> total, error = quad(low_level_callable(bell), -20.0, 20.0, args=(2.0,))
    >>> abs(total - 2.0 * (2.0 * pi) ** 0.5) < 1e-9
    True
    """
    pointers = f.pointers()
    return LowLevelCallable(pointers.function(of_array=pointers.count != 1))
