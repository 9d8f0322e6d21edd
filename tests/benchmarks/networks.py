"""Networks of several classes and their training, for `loops`: by microgrid, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    numbers_of,
    peer,
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


def by_model() -> Any:
    """Return the same, as it is written for a model, not compiled for any yet."""
    return microgrid.compile(
        value_and_grad(lambda model, x, y: losses.cross_entropy(model(x), y)),
        shared=0,
        reduce="sum",
    )


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


def first_results(task: Classification) -> Iterator[Side]:
    """Yield the sides of compiling the step: from a new function to its first result."""
    x, y = task.columns()

    def ours() -> Any:
        loss, slopes = by_model()(task.model, x, y)
        return np.array([loss, *slopes.values()])

    yield Side("microgrid", ours, np.array)
    if jax := peer("jax"):
        given = jax.device_put((matrices_of(task), task.rows, task.classes))

        def theirs() -> Any:
            jax.clear_caches()
            return jax.block_until_ready(jax.jit(jax.value_and_grad(jax_loss()))(*given))

        yield Side("JAX", theirs, joined_step)


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
