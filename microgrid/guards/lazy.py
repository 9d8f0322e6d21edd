"""Names that are loaded when they are first used, so that unused ones cost no time.

Python asks a module's `__getattr__` for each name that the module lacks; the one made here imports
the submodule that has the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from .interrupts import uninterrupted
from .locks import loading

__all__ = ["lazy"]


def lazy(
    package: str, places: Mapping[str, str], extras: Mapping[str, str] | None = None
) -> Callable[[str], object]:
    """Return a `__getattr__` for a package.

    Args:
        package: its name.
        places: the names, and the module of the package that each is in, or is.
        extras: third-party packages that a name may turn out to need, and what to install then.

    >>> lazy("microgrid", {"fit": "training"})("fit").__name__
    'fit'
    """
    needs = extras or {}

    def attribute(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            with loading, uninterrupted():
                module = import_module(f".{places[name]}", package)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in needs:
                raise
            raise ImportError(
                f"{name} needs {missing}, which is not installed: pip install {needs[missing]}"
            ) from error
        return module if name == places[name] else getattr(module, name)

    return attribute
