"""Weights in safetensors files, as the matrices that other libraries read and write."""

from __future__ import annotations

import os

from safetensors.numpy import load_file, save

from ..files import write_file
from ..guards.checks import require_paths
from ..nn import MLP
from .matrices import matrices_of, set_matrices

__all__ = ["load_weights", "save_weights"]


def save_weights(model: MLP, path: str | os.PathLike[str]) -> str:
    """Write an `MLP`'s weights to a file, and return its path; `write_file` says how.

    They have the names of PyTorch's `nn.Sequential`: `0.weight`, `0.bias`, `2.weight`, and so on.

    >>> import tempfile
    >>> model, twin = MLP(2, [3, 1], seed=0), MLP(2, [3, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_weights(twin, save_weights(model, f"{folder}/model.safetensors"))
    >>> twin.state_dict() == model.state_dict()
    True
    """
    return write_file(path, save(matrices_of(model)))


def load_weights(model: MLP, path: str | os.PathLike[str]) -> None:
    """Set an `MLP`'s weights to those in a file, layer by layer, or none if one does not fit.

    A file does not keep the order of its arrays: they are taken in the order of the numbers in
    their names.

    Raises:
        ValueError: the file has names other than weights and biases, more or fewer layers than the
            model, or one of another shape.
        OSError: there is no such file.

    >>> load_weights(MLP(2, [1]), "nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: No such file or directory: nowhere.safetensors
    """
    require_paths(path=path)
    set_matrices(model, dict(sorted(load_file(path).items(), key=lambda item: _numbers(item[0]))))


def _numbers(name: str) -> list[tuple[bool, int | str]]:
    """Return the parts of a name to sort by: numbers as such, and before words."""
    return [(not part.isdigit(), int(part) if part.isdigit() else part) for part in name.split(".")]
