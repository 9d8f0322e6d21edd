"""How long Hypothesis searches, as a part of what the profile allows."""

from hypothesis import settings


def usual(percent):
    """Return settings with so many of each hundred examples that a law usually has."""
    return settings(max_examples=max(1, settings().max_examples * percent // 100))
