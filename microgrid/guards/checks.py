"""What an argument must be: a switch, an integer, a number in a range, a function, a path.

Each kind of argument is checked here and nowhere else, so that it is refused in the same words all
over the library: what must hold, and what was got.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Collection
from numbers import Integral, Real
from reprlib import Repr
from typing import SupportsFloat, TypeGuard

__all__ = [
    "LONGEST",
    "integer_from",
    "is_bool",
    "is_finite",
    "is_masked",
    "is_of_dates",
    "is_real",
    "quote",
    "quote_names",
    "require_bools",
    "require_functions",
    "require_integers",
    "require_numbers",
    "require_paths",
]

LONGEST = sys.maxsize  #: as many entries a list can have at most


def is_bool(x: object) -> TypeGuard[bool]:
    """Return whether x is a truth value of Python or of NumPy, which has no abstract class."""
    return isinstance(x, bool) or (type(x).__module__, type(x).__name__[:4]) == ("numpy", "bool")


def require_bools(*, instead: str = "", **switches: object) -> None:
    """Raise `TypeError` unless every switch is True or False.

    `instead` names what else a switch may be.

    >>> require_bools(shuffle="no")
    Traceback (most recent call last):
        ...
    TypeError: `shuffle` must be True or False, got 'no' (str)
    """
    for name, x in switches.items():
        if not is_bool(x):
            raise _wrong_kind(name, f"True, False or {instead}" if instead else "True or False", x)


def integer_from(least: int) -> str:
    """Return how errors describe an integer of at least so much.

    >>> integer_from(1)
    'an integer, at least 1'
    """
    return f"an integer, at least {least}"


def require_integers(
    *, least: int = 1, largest: int | None = None, instead: str = "", **counts: object
) -> None:
    """Raise `TypeError` unless these are integers, `ValueError` if one is out of range.

    `instead` names what else would do.

    >>> require_integers(epochs=0)
    Traceback (most recent call last):
        ...
    ValueError: `epochs` must be an integer, at least 1, got 0
    """
    must = integer_from(least) + (f", or {instead}" if instead else "")
    for name, x in counts.items():
        # a bool is an int to Python, and a slip here: batches(X, y, True)
        if not isinstance(x, Integral) or is_bool(x) or is_of_dates(x):
            raise _wrong_kind(name, must, x)
        if int(x) < least:
            raise ValueError(f"`{name}` must be {must}, got {quote(x)}")
        if largest is not None and int(x) > largest:
            raise ValueError(f"`{name}` must be an integer, at most {largest}, got {quote(x)}")


def require_numbers(
    *,
    least: float = 0,
    above: float | None = None,
    below: float | None = None,
    finite: bool = True,
    **numbers: object,
) -> None:
    """Raise `TypeError` unless these are real numbers, `ValueError` if one is out of range.

    `above` takes the place of `least` if it is given.

    >>> require_numbers(alpha=1.5, below=1)
    Traceback (most recent call last):
        ...
    ValueError: `alpha` must be a finite number, at least 0 and below 1, got 1.5
    """
    limits = [
        f"above {above:g}" if above is not None else f"at least {least:g}" * (least > -math.inf),
        f"below {below:g}" if below is not None else "",
    ]
    among = " and ".join(filter(None, limits))
    must = f"a {'finite ' * finite}number" + f", {among}" * bool(among)
    for name, x in numbers.items():
        if not is_real(x) or is_bool(x):
            raise _wrong_kind(name, must, x)
        is_high_enough = x >= least if above is None else x > above
        is_allowed = is_finite(x) or not finite
        if not (is_allowed and is_high_enough and (below is None or x < below)):
            raise ValueError(f"`{name}` must be {must}, got {quote(x)}")


def require_functions(*, takes: str, count: int | None = None, **functions: object) -> None:
    """Raise `TypeError` unless these are functions of `count` arguments, which `takes` describes.

    >>> require_functions(schedule=0.1, takes="of the step")
    Traceback (most recent call last):
        ...
    TypeError: `schedule` must be a function of the step, got 0.1 (float)
    """
    for name, x in functions.items():
        if not callable(x) or isinstance(x, type):
            raise _wrong_kind(name, f"a function {takes}", x)
        if count is not None and not _takes(x, count):
            raise TypeError(
                f"`{name}` must be a function {takes}, got {quote(x)}, which does not take {count} "
                f"argument{'s' * (count > 1)}"
            )


def _takes(function: Callable[..., object], count: int) -> bool:
    from inspect import signature  # which takes long to load

    try:
        signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True  # some functions that are written in C do not say what they take
    return True


def require_paths(**paths: object) -> None:
    """Raise `TypeError` unless these are paths.

    >>> require_paths(path=5)
    Traceback (most recent call last):
        ...
    TypeError: `path` must be a path, such as 'folder/graph.svg', got 5 (int)
    """
    for name, x in paths.items():
        if not isinstance(os.fspath(x) if isinstance(x, os.PathLike) else x, str):
            raise _wrong_kind(name, "a path, such as 'folder/graph.svg'", x)


def is_finite(x: SupportsFloat) -> bool:
    """Return whether a real number is finite as a float, which cannot hold the largest ints.

    >>> is_finite(1e308), is_finite(10**400)
    (True, False)
    """
    try:
        return math.isfinite(x)
    except OverflowError:
        return False


def is_real(x: object) -> TypeGuard[float]:
    """Return whether x is a real number of Python or of NumPy, and not a duration.

    >>> import numpy as np
    >>> is_real(1), is_real(np.float32(1)), is_real(1j), is_real(np.timedelta64(1, "s"))
    (True, True, False, False)
    """
    return type(x) is float or (isinstance(x, Real) and not is_of_dates(x))


def is_of_dates(x: object) -> bool:
    """Return whether x holds dates or durations of NumPy, which take themselves for whole numbers.

    >>> import numpy as np
    >>> is_of_dates(np.timedelta64(1, "ns")), is_of_dates(np.int64(1))
    (True, False)
    """
    return getattr(getattr(x, "dtype", None), "kind", "") in ("m", "M")


def is_masked(x: object) -> bool:
    """Return whether x is a masked number of NumPy, which must not be computed with.

    >>> import numpy as np
    >>> is_masked(np.ma.masked), is_masked(np.ma.array([1.0, 2.0], mask=[True, False])[1])
    (True, False)
    """
    return getattr(x, "ndim", 1) == 0 and bool(getattr(x, "mask", False))


def quote(x: object) -> str:
    """Return an argument as an error quotes it: its repr in one line, shortened where it is long.

    >>> quote("no"), quote([0.0] * 100), quote(10**400)
    ("'no'", '[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ...]', 'an int of 401 digits')
    """
    return " ".join(_short.repr(x).split())


def quote_names(names: Collection[object]) -> str:
    """Return the first of some names as an error quotes them, and how many more there are.

    >>> quote_names({"w", "b"}), quote_names(range(9)), quote_names([])
    ('b, w', '0, 1, 2 and 6 more', 'none')
    """
    first = sorted(str(name)[:60] for name in names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"


class _Short(Repr):
    def repr_int(self, x: int, level: int) -> str:
        digits = int(math.log10(abs(x) or 1)) + 1
        return repr(x) if digits <= 40 else f"an int of {digits} digits"

    def repr_instance(self, x: object, level: int) -> str:
        try:
            return super().repr_instance(x, level)
        except RecursionError:
            return object.__repr__(x)


_short = _Short()
_short.maxstring = _short.maxother = 120


def _wrong_kind(name: str, must: str, x: object) -> TypeError:
    return TypeError(f"`{name}` must be {must}, got {quote(x)} ({type(x).__name__})")
