"""How long tests search, as a part of what Hypothesis's profile allows."""

from hypothesis import settings

LONG = settings().max_examples >= 60  # as in the CI
THOROUGH = settings().max_examples > 100


def usual(percent):
    """Return settings with so many of each hundred examples that a law usually has."""
    return settings(max_examples=max(1, settings().max_examples * percent // 100))


def thinned(points):
    """Return every fifth of many points in the default run; all in those that search longer."""
    return points if LONG else points[:: 5 if len(points) > 30 else 1]
