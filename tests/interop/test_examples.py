"""The examples in the docstrings of adapters: pytest cannot load those whose package is missing."""

import doctest
import importlib
import pkgutil

import pytest

from microgrid import interop
from tests.packages import INTEROP, package

ADAPTERS = sorted(found.name for found in pkgutil.iter_modules(interop.__path__))


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_examples_of_an_adapter_hold(name):
    if name in INTEROP:
        package(name)
    assert not doctest.testmod(importlib.import_module(f"microgrid.interop.{name}")).failed
