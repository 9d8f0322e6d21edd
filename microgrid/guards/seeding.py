"""Where randomness comes from: a seed or a generator that is passed in, never the global one."""

from __future__ import annotations

from random import Random

from .checks import require_integers

__all__ = ["Seed", "generator"]

Seed = int | Random | None


def generator(seed: Seed) -> Random:
    """Return the generator of a seed: itself, that of an integer, or a fresh one for `None`.

    Raises:
        TypeError: the seed is something else.
        ValueError: it is negative.

    >>> generator(1).random() == generator(1).random()
    True
    """
    if seed is None or isinstance(seed, Random):
        return seed or Random()
    # Python's generator drops the sign, so that -1 would be the same seed as 1.
    require_integers(seed=seed, least=0, instead="a random.Random or None")
    return Random(int(seed))
