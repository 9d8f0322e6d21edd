"""Where randomness comes from: a seed or a generator that the user passes, never the global one."""

from __future__ import annotations

from numbers import Integral
from random import Random

__all__ = ["Seed", "generator"]

Seed = int | Random | None


def generator(seed: Seed) -> Random:
    """Return the generator of a seed: itself, that of an integer, or a fresh one for `None`.

    Raises:
        TypeError, ValueError: the seed is none of these, or negative.

    >>> generator(1).random() == generator(1).random()
    True
    """
    if seed is None or isinstance(seed, Random):
        return seed or Random()
    # Python's generator drops the sign, so that -1 would be the same seed as 1.
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or seed < 0:
        error = ValueError if whole else TypeError
        raise error(
            "`seed` must be an integer, at least 0, a `random.Random` or None, "
            f"got {seed!r} ({type(seed).__name__})."
        )
    return Random(int(seed))
