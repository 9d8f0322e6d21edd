"""What all tests share: which files are programs and no tests, and how long Hypothesis searches."""

from hypothesis import settings

collect_ignore = ["benchmarks", "recorded"]

settings.register_profile("ci", max_examples=60, derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("ci")  # `pytest --hypothesis-profile=thorough` searches longer
