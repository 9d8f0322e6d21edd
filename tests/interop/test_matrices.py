"""Weights as matrices: to PyTorch and back, and through files of safetensors."""

import random

import numpy as np
import pytest

from microgrid import MLP, Neuron
from microgrid.interop.matrices import matrices_of, set_matrices
from tests.packages import package

SIZES = [(1, [1]), (2, [3, 1]), (4, [2, 5, 3]), (3, [1, 1, 2])]
each_size = pytest.mark.parametrize(("nin", "nouts"), SIZES)
# A few dozen products and two libraries' tanh, each within 2 ulp.
CLOSE = 1e-13


@each_size
def test_matrices_are_the_weights_and_set_them(nin, nouts):
    model, twin = MLP(nin, nouts, seed=0), MLP(nin, nouts, seed=1)
    matrices = matrices_of(model)
    assert [*matrices] == [
        f"{2 * i}.{kind}" for i in range(len(nouts)) for kind in ("weight", "bias")
    ]
    row = np.array([0.5, -1.0, 2.0, 0.25][:nin])
    hidden = row
    for i in range(len(nouts)):
        hidden = matrices[f"{2 * i}.weight"] @ hidden + matrices[f"{2 * i}.bias"]
        hidden = np.maximum(hidden, 0.0) if i < len(nouts) - 1 else hidden
    outputs = np.ravel(model(row))
    assert np.allclose([x.data for x in outputs], hidden, rtol=CLOSE, atol=CLOSE)
    set_matrices(twin, {name.replace("0.", "first."): m for name, m in matrices.items()})
    assert twin.state_dict() == model.state_dict()


@each_size
def test_pytorch_computes_the_same_with_the_same_weights(nin, nouts):
    torch = package("torch")
    from microgrid.interop.torch import load_state_dict, state_dict

    def stack():
        layers = []
        for n_in, n_out in zip([nin, *nouts], nouts, strict=False):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.Tanh()]
        return torch.nn.Sequential(*layers[:-1]).double()

    model, row = MLP(nin, nouts, activation="tanh", seed=0), [random.random() for _ in range(nin)]
    theirs = stack()
    theirs.load_state_dict(state_dict(model))

    def difference(model):
        outputs = [x.data for x in np.ravel(model(row))]
        return np.abs(theirs(torch.tensor(row, dtype=torch.float64)).detach().numpy() - outputs)

    assert difference(model).max() < CLOSE
    theirs, twin = stack(), MLP(nin, nouts, activation="tanh")
    load_state_dict(twin, theirs.state_dict())
    assert difference(twin).max() < CLOSE
    assert {name: tensor.tolist() for name, tensor in theirs.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state_dict(twin).items()
    }


def test_a_file_of_safetensors_keeps_all_bits_and_is_pytorchs_too(tmp_path):
    package("safetensors")
    from microgrid.interop.safetensors import load_weights, save_weights

    nouts = [2] * 12 + [1]  # more layers than digits: "10." comes before "2." in a file
    model, twin = MLP(2, nouts, seed=0), MLP(2, nouts)
    path = save_weights(model, tmp_path / "new" / "weights.safetensors")
    load_weights(twin, path)
    assert twin.state_dict() == model.state_dict()
    package("torch")
    from safetensors.torch import load_file

    assert {name: tensor.tolist() for name, tensor in load_file(path).items()} == {
        name: matrix.tolist() for name, matrix in matrices_of(model).items()
    }


WRONG = {
    "must be of shape (3, 2), as in MLP(2, [3, 1], activation='relu'), got (2, 3)": {
        "0.weight": np.ones((2, 3))
    },
    "must have a bias for each of the 2 layers": {"4.bias": np.ones(1)},
    "must be of linear layers alone, got 1.running_mean": {"1.running_mean": np.ones(3)},
    "must be a number": {"2.bias": np.array(["no"])},
}


@pytest.mark.parametrize("error", WRONG)
def test_what_does_not_fit_is_refused_and_sets_nothing(error):
    model = MLP(2, [3, 1], seed=0)
    before = model.state_dict()
    with pytest.raises((TypeError, ValueError)) as refused:
        set_matrices(model, matrices_of(MLP(2, [3, 1], seed=1)) | WRONG[error])
    assert error in str(refused.value)
    assert model.state_dict() == before


def test_no_other_model_has_matrices():
    with pytest.raises(TypeError, match=r"taken from an MLP, and set in one, got Neuron"):
        matrices_of(Neuron(2))
    with pytest.raises(TypeError, match="a mapping from names to arrays, got 3"):
        set_matrices(MLP(2, [1]), 3)
