"""The weights of an `MLP` as matrices, named as those of PyTorch's `nn.Sequential`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..core.array_rules import as_array
from ..guards.checks import quote
from ..nn import MLP

__all__ = ["matrices_of", "set_matrices"]

Matrices = dict[str, NDArray[np.float64]]


def matrices_of(model: MLP) -> Matrices:
    """Return `0.weight`, `0.bias`, `2.weight`, …: an activation stands between two layers.

    A weight's lines are neurons, its columns their inputs.
    """
    matrices: Matrices = {}
    for i, layer in enumerate(_require_mlp(model).layers):
        matrices[f"{2 * i}.weight"] = np.array([[w.data for w in n.w] for n in layer.neurons])
        matrices[f"{2 * i}.bias"] = np.array([neuron.b.data for neuron in layer.neurons])
    return matrices


def set_matrices(model: MLP, matrices: Mapping[str, object]) -> None:
    """Set the weights of a model, layer by layer in the mapping's order; none if one does not fit.

    Names must end in `weight` or `bias`; arrays may be of any library.

    Raises:
        ValueError: there are other names, more or fewer layers, or matrices of another shape.
        TypeError: the model is not an `MLP`, or the matrices are not a mapping to arrays.
    """
    own = matrices_of(model)
    if not isinstance(matrices, Mapping):
        raise TypeError(f"weights must be a mapping from names to arrays, got {quote(matrices)}")
    given = dict(matrices)
    for kind in ("weight", "bias"):
        names = [name for name in given if str(name).rpartition(".")[2] == kind]
        wanted = [name for name in own if name.endswith(kind)]
        if len(names) != len(wanted):
            raise ValueError(
                f"weights must have a {kind} for each of the {len(wanted)} layers, got {names}"
            )
        for name, its in zip(names, wanted, strict=True):
            array = as_array(given.pop(name), f"{name} must be an array")
            if np.shape(array) != own[its].shape:
                raise ValueError(
                    f"{name} must be of shape {own[its].shape}, as in {model!r}, "
                    f"got {np.shape(array)}"
                )
            own[its] = np.asarray(array)
    if given:
        raise ValueError(
            f"weights must be of linear layers alone, got {', '.join(map(str, given))}"
        )
    state: dict[str, float] = {}
    for i in range(len(model.layers)):
        weight, bias = own[f"{2 * i}.weight"].tolist(), own[f"{2 * i}.bias"].tolist()
        for j, (row, b) in enumerate(zip(weight, bias, strict=True)):
            path = f"layers.{i}.neurons.{j}"
            state |= {f"{path}.w.{k}": w for k, w in enumerate(row)} | {f"{path}.b": b}
    model.load_state_dict(state)


def _require_mlp(model: object) -> MLP:
    if not isinstance(model, MLP):
        raise TypeError(f"weights are taken from an MLP, and set in one, got {quote(model)}")
    return model
