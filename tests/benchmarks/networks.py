"""Networks of several classes and their training, for `loops`: by microgrid, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import microgrid
from microgrid import MLP, fit, losses, optim, value_and_grad

from .sides import (
    Side,
    flat,
    joined,
    joined_step,
    kernel_alone,
    matrices,
    matrix_loss,
    numbers_of,
    peer,
    signed_moons,
)

EPOCHS, BATCHES, BATCH, RATE = 10, 8, 128, 1e-3  # of a training


class Classification(NamedTuple):
    """A network, and rows of as many numbers as it takes, each of a class."""

    sizes: Sequence[int]
    model: MLP
    rows: Any
    classes: Any

    @classmethod
    def random(cls, sizes: Sequence[int], rows: int) -> Classification:
        """Return a network with random parameters, and random rows and classes."""
        draw = np.random.default_rng(0)
        X, classes = draw.uniform(size=(rows, sizes[0])), draw.integers(sizes[-1], size=rows)
        return cls(sizes, MLP(sizes[0], sizes[1:], init="he", seed=0), X, classes)

    def columns(self) -> tuple[list[Any], Any]:
        """Return the columns and the classes as a compiled function takes them."""
        return list(np.ascontiguousarray(self.rows.T)), self.classes.astype(float)

    def multiplications(self) -> int:
        """Return how many products a loss and its gradient add up, for each row."""
        products = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 3 * sum(products) - products[0]  # the rows themselves have no gradient


def compiled_step(model: MLP) -> Any:
    """Return the compiled sum of cross-entropies and its gradient, by parameters and rows."""

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return losses.cross_entropy(model.with_parameters(parameters)(x), y)

    return microgrid.compile(value_and_grad(loss), shared=0, reduce="sum")


def scores(parts: Sequence[Any], X: Any, relu: Callable[[Any], Any]) -> Any:
    """Return what a perceptron of matrices says of some rows."""
    *hidden, w, b = parts
    for weights, bias in zip(hidden[::2], hidden[1::2], strict=True):
        X = relu(X @ weights.T + bias)
    return X @ w.T + b


def jax_loss() -> Callable[..., Any]:
    """Return the sum of cross-entropies in JAX."""
    jax, jnp = peer("jax"), import_module("jax.numpy")

    def loss(parts: Sequence[Any], X: Any, y: Any) -> Any:
        logs = jax.nn.log_softmax(scores(parts, X, jax.nn.relu))
        return -jnp.take_along_axis(logs, y[:, None], axis=1).sum()

    return loss


def torch_step(task: Classification) -> Callable[[], Any]:
    """Return the sum of cross-entropies and its gradient in PyTorch."""
    torch = peer("torch")
    leaves = [torch.tensor(p, requires_grad=True) for p in matrices_of(task)]
    X, y = torch.tensor(task.rows), torch.tensor(task.classes)
    entropy = torch.nn.functional.cross_entropy

    def run() -> Any:
        torch.set_num_threads(1)
        loss = entropy(scores(leaves, X, torch.relu), y, reduction="sum")
        return loss.detach(), torch.autograd.grad(loss, leaves)

    return run


def matrices_of(task: Classification) -> list[Any]:
    """Return the parameters of a task's network as matrices."""
    return matrices(numbers_of(task.model), task.sizes)


def softmax(task: Classification) -> Iterator[Side]:
    """Yield the sides of the sum of cross-entropies and its gradient."""
    parameters, (x, y) = numbers_of(task.model), task.columns()
    step = compiled_step(task.model)
    step(parameters, x, y)
    yield Side("microgrid's kernel", kernel_alone(step, parameters, [*x, y]), np.array)
    yield Side("microgrid, called", lambda: step(parameters, x, y), flat)
    if jax := peer("jax"):
        both = jax.jit(jax.value_and_grad(jax_loss()))
        given = jax.device_put((matrices_of(task), task.rows, task.classes))
        yield Side("JAX", lambda: jax.block_until_ready(both(*given)), joined_step)
    if peer("torch"):
        yield Side("PyTorch", torch_step(task), joined_step)


class First(NamedTuple):
    """What is to be compiled: a loss of a model, given some rows and their targets.

    Compiled anew by `ours`, and by JAX from `theirs`, the loss of matrices.
    """

    name: str
    model: MLP
    columns: list[Any]
    targets: Any
    ours: Callable[[], Any]
    theirs: Callable[[], Callable[..., Any]]

    @classmethod
    def of_classes(cls, sizes: Sequence[int]) -> First:
        """Return the sum of cross-entropies of a network."""
        task = Classification.random(sizes, BATCH)
        step = partial(step_by_model, losses.cross_entropy, "sum")
        return cls("-".join(map(str, sizes)), task.model, *task.columns(), step, jax_loss)

    @classmethod
    def of_signs(cls, hidden: int) -> First:
        """Return the mean hinge loss of a network 2-n-n-1."""
        X, signs = signed_moons(BATCH)
        model, columns = MLP(2, [hidden, hidden, 1], seed=0), list(np.ascontiguousarray(X.T))
        step = partial(step_by_model, losses.hinge, "mean")
        theirs = lambda: matrix_loss(peer("jax").nn.relu)  # noqa: E731
        return cls(f"2-{hidden}-{hidden}-1", model, columns, signs, step, theirs)

    def run(self) -> Any:
        """Compile and call."""
        return self.ours()(self.model, self.columns, self.targets)

    def sides(self, rows: int) -> Iterator[Side]:
        """Yield the sides of compiling: from a new function to its first result."""
        yield Side("microgrid", self.run, lambda result: np.array([result[0], *result[1].values()]))
        if jax := peer("jax"):
            sizes = (len(self.columns), *(len(layer.neurons) for layer in self.model.layers))
            parts = matrices(numbers_of(self.model), sizes)
            kind = int if self.theirs is jax_loss else float
            given = jax.device_put(
                (parts, np.transpose(self.columns), np.asarray(self.targets, kind))
            )

            def theirs() -> Any:
                jax.clear_caches()
                return jax.block_until_ready(jax.jit(jax.value_and_grad(self.theirs()))(*given))

            yield Side("JAX", theirs, joined_step)


def step_by_model(loss: Callable[..., Any], reduce: Any) -> Any:
    """Return a loss and its gradient by a model, compiled for none yet."""
    derived = value_and_grad(lambda model, x, y: loss(model(x), y))
    return microgrid.compile(derived, shared=0, reduce=reduce)


# Training


def training(task: Classification) -> Iterator[Side]:
    """Yield the sides of a whole training with Adam, everything included."""
    yield Side("microgrid, a fit again", lambda: fitted(task), numbers_of)
    if peer("torch"):
        yield Side("PyTorch", torch_training(task), joined)


def fitted(task: Classification) -> MLP:
    """Return a task's network, trained natively."""
    model = MLP(task.sizes[0], task.sizes[1:], init="he", seed=0)
    fit(
        model, task.rows, task.classes, loss=losses.cross_entropy, epochs=EPOCHS, batch_size=BATCH,
        optimizer=optim.Adam(model.parameters(), lr=RATE), shuffle=False, progress=False,
        compile=True,
    )  # fmt: skip
    return model


def torch_training(task: Classification) -> Callable[[], Any]:
    """Return the training in PyTorch, with its own optimizer."""
    torch = peer("torch")
    X, y = torch.tensor(task.rows), torch.tensor(task.classes)
    entropy = torch.nn.functional.cross_entropy

    def run() -> Any:
        torch.set_num_threads(1)
        leaves = [torch.tensor(part, requires_grad=True) for part in matrices_of(task)]
        adam = torch.optim.Adam(leaves, lr=RATE)
        losses_of_epochs = []
        for _ in range(EPOCHS):
            total = 0.0
            for begin in range(0, len(X), BATCH):
                batch = slice(begin, begin + BATCH)
                adam.zero_grad()
                loss = entropy(scores(leaves, X[batch], torch.relu), y[batch])
                loss.backward()
                adam.step()
                total += loss.item()
            losses_of_epochs.append(total / BATCHES)
        return [leaf.detach().numpy() for leaf in leaves]

    return run
