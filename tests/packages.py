"""Packages that some tests need: such a test is skipped, by the package's name, without it."""

from importlib.util import find_spec

import pytest

__all__ = ["INTEROP", "package"]

# What the extra `interop` brings, by the names that programs import.
INTEROP = ("dask", "jax", "numba", "pandas", "polars", "pyarrow", "safetensors", "sklearn", "torch")


def package(name):
    """Return a package; skip the test, or the file of tests, that asks for one that is missing."""
    if not find_spec(name):
        reason = f"{name} is not installed: the extra `interop` brings it"
        pytest.skip(reason, allow_module_level=True)
    return pytest.importorskip(name)
