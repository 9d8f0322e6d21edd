"""A student's class, loaded from a module or from a file, and errors in doing so."""

from __future__ import annotations

import importlib
import importlib.util
import operator
import sys
from pathlib import Path

from ..cases import ERRORS, Engine, error_text

__all__ = ["load"]


def load(text: str) -> Engine:
    """Return the class that `MODULE:CLASS` or `FILE.py:CLASS` names.

    Raises:
        ValueError: it is not named so, or cannot be loaded.
        MemoryError: it takes more memory than there is.

    >>> load("fractions:Fraction").__name__
    'Fraction'
    """
    module, _, name = text.rpartition(":")
    if not (module and name):
        raise ValueError(f"the class is named as MODULE:CLASS, as in student:Value, got {text!r}")
    found: object = None
    try:
        found = _module(module)
        engine: Engine = operator.attrgetter(name)(found)
    except MemoryError:
        raise
    except ERRORS as error:  # the module is someone's program: anything can go wrong in it
        raise ValueError(f"cannot load {text}: {error_text(error)}{_instead(found)}") from None
    return engine


def _instead(module: object) -> str:
    """Return which classes a module has of its own, for someone who looked for another."""
    kinds = [each for each in getattr(module, "__dict__", {}).values() if isinstance(each, type)]
    own = [each.__name__ for each in kinds if each.__module__ == getattr(module, "__name__", "")]
    return f"; it has {', '.join(own)}" if own else ""


def _module(name: str) -> object:
    path = Path(name)
    if path.suffix != ".py":
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no program of Python: {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # so that its classes know where they are from
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module
