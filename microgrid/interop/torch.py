"""Weights to and from PyTorch: an `MLP`'s are those of a stack of `nn.Linear` and activations."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..nn import MLP
from .matrices import matrices_of, set_matrices

__all__ = ["load_state_dict", "state_dict"]


def state_dict(model: MLP) -> dict[str, torch.Tensor]:
    """Return an `MLP`'s weights as the `state_dict` of an `nn.Sequential`, in doubles.

    >>> from torch import nn
    >>> model = MLP(2, [3, 1], activation="tanh", seed=0)
    >>> stack = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    >>> stack.load_state_dict(state_dict(model))
    <All keys matched successfully>
    >>> round(stack(torch.tensor([0.5, -1.0]).double()).item() - model([0.5, -1.0]).data, 12)
    0.0
    """
    return {name: torch.from_numpy(matrix) for name, matrix in matrices_of(model).items()}


def load_state_dict(model: MLP, state: Mapping[str, torch.Tensor]) -> None:
    """Set an `MLP`'s weights to those of linear layers, in the order of a `state_dict`.

    The layers may have any names. Nothing is set if one does not fit.

    Raises:
        ValueError: there are names other than weights and biases, more or fewer layers than the
            model has, or one of another shape.
        TypeError: the model is not an `MLP`, or the state is not a mapping to tensors.

    >>> from torch import nn
    >>> stack = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> model = MLP(2, [3, 1], activation="tanh")
    >>> load_state_dict(model, stack.state_dict())
    >>> model.layers[0].neurons[0].b.data == stack[0].bias[0].item()
    True
    """
    set_matrices(model, state)
