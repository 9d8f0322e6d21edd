"""What all tests share: which files are programs and no tests, and how long Hypothesis searches."""

import gc
import signal
import sys
from importlib.abc import MetaPathFinder

import pytest
from hypothesis import Phase, settings

collect_ignore = ["benchmarks", "recorded"]

# To explain an example takes longer than to find and to shrink it: the longer profiles do so.
found = [phase for phase in Phase if phase != Phase.explain]
settings.register_profile("short", max_examples=20, derandomize=True, deadline=None, phases=found)
settings.register_profile("ci", max_examples=60, derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("short")  # `pytest --hypothesis-profile=thorough` searches longer


def pytest_configure(config):
    """Let Ctrl-C interrupt, and keep what is compiled of tests in pytest's cache if nowhere else.

    What a shell starts in the background ignores Ctrl-C. Where Python may write no bytecode beside
    the tests, each worker takes seconds to rewrite their assertions.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cache = getattr(config, "cache", None)
    if sys.dont_write_bytecode and cache:
        sys.meta_path.insert(0, _OwnBytecode(str(cache.mkdir("bytecode"))))


class _OwnBytecode(MetaPathFinder):
    """Finds nothing, but has the bytecode of the tests and of the package kept in a folder.

    That of libraries stays where it was put when they were installed.
    """

    def __init__(self, folder):
        self.folder = folder

    def find_spec(self, name, path, target=None):
        own = name.partition(".")[0] in ("microgrid", "tests")
        sys.pycache_prefix, sys.dont_write_bytecode = self.folder if own else None, not own


# Limits of the whole process, where a test that changes them affects those that follow: how deeply
# calls may nest, how often the garbage collector runs, and whether it does.
LIMITS = sys.getrecursionlimit(), gc.get_threshold(), gc.isenabled()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """Look for examples in the docstrings of the package alone: no test is documented by one."""
    collectors = yield
    return [each for each in collectors if type(each) is pytest.Module]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep the tests, which stay, out of the garbage collector's walks, which would be long.

    It is not switched off: Dask notes as it is imported whether it is on, and leaves it so.
    """
    gc.set_threshold(0)
    result = yield
    gc.set_threshold(*LIMITS[1])
    gc.collect()
    gc.freeze()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Fail the test that leaves SIGINT or Python's limits changed, and not those after it."""
    try:
        return (yield)
    finally:  # even where a fixture fails
        left = signal.signal(signal.SIGINT, signal.default_int_handler)
        limits = sys.getrecursionlimit(), gc.get_threshold(), gc.isenabled()
        sys.setrecursionlimit(LIMITS[0])
        gc.set_threshold(*LIMITS[1])
        gc.enable()
        assert left is signal.default_int_handler, f"{item.nodeid} leaves SIGINT to {left}"
        assert limits == LIMITS, f"{item.nodeid} leaves the limits at {limits}"


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    """Hide every layout engine, and give the only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("microgrid.drawing.layout._find_installed", lambda: None)
    return tmp_path
