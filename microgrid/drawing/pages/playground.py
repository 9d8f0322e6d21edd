"""A playground: a page in which a small network trains, and every gradient says why it is so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ... import datasets
from ...engine import Value
from ...fitting.examples import examples
from ...guards.checks import quote
from ...nn import ACTIVATIONS, MLP, linear
from ...optim import SGD, Adam, Optimizer
from ..colours import COLOURS
from ..page import Page, assemble
from .programs import activation_program, loss_program, rule_program

if TYPE_CHECKING:
    from .widget import PlaygroundWidget

__all__ = ["Playground", "playground"]

STATIC = Path(__file__).parent / "static"
LAYERS, NEURONS = 6, 32  # hidden ones at most: more are not told apart in the picture
CLASSES = 6  # that have colours and marks of their own, on white and on black
ROWS = 2000
SIZES = [8, 8]  # of an untrained network's hidden layers
POINTS = 100  # of a data set that is drawn, as in micrograd's demo
RATE = 0.1
YOURS = "yours"

Function = Callable[[Value], Value]


class Points(TypedDict):
    """A data set of a page: rows of two numbers, their classes, and the noise to begin with."""

    X: list[list[float]]
    y: list[int]
    noise: float


def playground(
    model: MLP | None = None,
    X: Iterable[Iterable[object]] | None = None,
    y: Iterable[object] | None = None,
) -> Playground:
    """Return a playground: a page in which a network of two inputs trains, step by step or running.

    It shows the regions of the classes, shaded by how sure the network is, the loss and the
    accuracy, and the network: each weight as wide as it is large, in the colour of its gradient,
    each neuron with its own boundary. Layers, neurons, activation, optimizer, learning rate, batch
    and noise are changed there. A weight that is chosen says why its gradient is so: the largest
    of the paths that it is a sum over.

    A notebook shows the page; `playground().save("playground.html")` writes it as one file, which
    needs no network and no Python. In a notebook with the package `anywidget` a button gives the
    weights back: `load_into` and `state_dict` have them then.

    Args:
        model: the network to begin with, which is not changed; an untrained one if None. The page
            trains it as a classifier, by `binary_cross_entropy` if it has one output, else by
            `cross_entropy`.
        X: rows of two numbers, at most 2,000; without them there are the drawn data sets alone.
        y: the rows' classes: 0, 1, …; for two also -1 and 1.

    Raises:
        TypeError: the model is not an `MLP`, X comes without y, or something is not a number.
        ValueError: the model does not have 2 inputs, is too large to be shown, has a weight that is
            not finite, a hidden layer of another activation than the others, or a last one with an
            activation; or the rows do not have 2 numbers, or there are too many, or a label is not
            one of the model's classes, or without a model no row has a class below the largest.

    >>> playground()
    Playground of a network 2-8-8-1 with tanh; show it in a notebook, or save('playground.html')
    """
    if model is not None and not isinstance(model, MLP):
        raise TypeError(
            f"playground needs an MLP of 2 inputs first, got {quote(model)}; for rows alone write "
            "playground(X=X, y=y)"
        )
    if (X is None) is not (y is None):
        raise TypeError("playground needs X and y together, got one of them alone")
    given = None if X is None or y is None else _points(X, y)
    if model is None:
        classes = 2 if given is None else _count_of_classes(given["y"])
        sizes = [*SIZES, 1 if classes == 2 else classes]
        model = MLP(2, sizes, activation="tanh", init="xavier", seed=0)
    return Playground(model, given)


class Playground(Page):
    """A page with a network that trains in it; `playground` makes it.

    >>> sorted(playground().state_dict())[:2]
    ['layers.0.neurons.0.b', 'layers.0.neurons.0.w.0']
    """

    title = "Playground of networks"

    def __init__(self, model: MLP, given: Points | None = None) -> None:
        sizes = _sizes(model)
        activation = _activation_of(model)
        weights = _weights(model)
        names = [name for name, known in ACTIVATIONS.items() if known is activation]
        own = getattr(activation, "__name__", "its own")
        name = names[0] if names else f"your {own}" if own in ACTIVATIONS else own
        self._activations = {name: activation, **ACTIVATIONS}
        self._programs = {known: _program(known, f) for known, f in self._activations.items()}
        self._data = _datasets(sizes[-1], given)
        self._weights, self._sizes, self._activation = weights, sizes, name
        self._begun: dict[str, object] = {"weights": weights, "sizes": sizes, "activation": name}
        self._begun["own"] = None if names else name  # which an MLP does not take by its name
        self._loss = loss_program(sizes[-1])

    @cached_property
    def state(self) -> dict[str, object]:
        """All that the page begins with."""
        return {
            **self._begun,
            "activations": self._programs,
            "loss": self._loss,
            "optimizers": {name: rule_program(kind) for name, kind in _optimizers().items()},
            "optimizer": "SGD",
            "rate": RATE,
            "datasets": self._data,
            "dataset": next(iter(self._data)),
            "colours": COLOURS[:CLASSES],
            "limits": {"layers": LAYERS, "neurons": NEURONS},
            "seed": 0,
        }

    def html(self) -> str:
        """Return the page, which is complete: it asks for no other file."""
        return assemble(self.title, STATIC / "playground.js", self.state)

    def state_dict(self) -> dict[str, float]:
        """Return the weights that the notebook's page gave last, by their paths; before, the first.

        >>> from microgrid import MLP
        >>> model = MLP(2, [1], seed=0)
        >>> playground(model).state_dict() == model.state_dict()
        True
        """
        return dict(self._weights)

    def load_into(self, model: MLP) -> None:
        """Set a model's parameters to the weights that the notebook's page gave last.

        Raises:
            ValueError: the network in the page has other sizes than the model, or another
                activation; `to_model` makes one that fits.

        >>> from microgrid import MLP
        >>> model = MLP(2, [8, 8, 1], activation="tanh")
        >>> playground().load_into(model)
        >>> model.state_dict() == playground().state_dict()
        True
        """
        sizes, name = _sizes(model), self._activation
        if sizes != self._sizes:
            raise ValueError(
                f"the playground's network has the sizes {_join(self._sizes)}, the model has "
                f"{_join(sizes)}; make one that fits with to_model()"
            )
        if len(sizes) > 2 and _activation_of(model) is not self._activations[name]:
            raise ValueError(
                f"the playground's network has the activation {name}, the model has another one; "
                "make one that fits with to_model()"
            )
        model.load_state_dict(self._weights)

    def to_model(self) -> MLP:
        """Return a new model of the sizes, activation and weights that the page gave last.

        >>> playground().to_model()
        MLP(2, [8, 8, 1], activation='tanh')
        """
        name = self._activation
        activation = name if name in ACTIVATIONS else self._activations[name]
        model = MLP(2, self._sizes[1:], activation=activation, seed=0)
        model.load_state_dict(self._weights)
        return model

    def _take(self, result: Mapping[str, object]) -> None:
        """Take the weights, sizes and activation that a page gives.

        Raises:
            KeyError, TypeError, ValueError: they belong to a network that no page has.
        """
        sizes, weights, activation = (result[name] for name in ("sizes", "weights", "activation"))
        must = "a page must give sizes, weights by their paths, and the name of an activation"
        if not (isinstance(sizes, list) and isinstance(weights, dict)):
            raise TypeError(f"{must}, got {quote(result)}")
        if not isinstance(activation, str) or activation not in self._activations:
            raise ValueError(f"{must}, got {quote(activation)}")
        model = MLP(2, sizes[1:], seed=0)
        model.load_state_dict(weights)  # raises unless they fit
        self._weights, self._sizes, self._activation = model.state_dict(), sizes, activation

    @cached_property
    def widget(self) -> PlaygroundWidget | None:
        """The Jupyter widget, None where the package anywidget is not installed."""
        try:
            from .widget import PlaygroundWidget
        except ModuleNotFoundError:
            return None
        return PlaygroundWidget(self.state, self._take)

    def __repr__(self) -> str:
        return (
            f"Playground of a network {_join(self._sizes)} with {self._activation}; "
            "show it in a notebook, or save('playground.html')"
        )


def _join(sizes: list[int]) -> str:
    return "-".join(map(str, sizes))


def _sizes(model: object) -> list[int]:
    """Return the sizes of a model's layers, the inputs first, if a page can show it."""
    if not isinstance(model, MLP):
        raise TypeError(f"playground needs an MLP of 2 inputs, got {quote(model)}")
    layers = [layer.neurons for layer in model.layers]
    sizes = [len(layers[0][0].w), *map(len, layers)]
    if sizes[0] != 2:
        raise ValueError(
            f"playground needs a model of 2 inputs, which it shows as a plane, got {sizes[0]}"
        )
    *hidden, outputs = sizes[1:]
    if outputs > CLASSES:
        raise ValueError(f"playground needs a model of at most {CLASSES} outputs, got {outputs}")
    if len(hidden) > LAYERS or max(hidden, default=1) > NEURONS:
        raise ValueError(
            f"playground needs at most {LAYERS} hidden layers of at most {NEURONS} neurons, "
            f"got {hidden}"
        )
    paths = MLP(2, sizes[1:], seed=0).state_dict().keys()
    if (own := model.state_dict()).keys() != paths:
        raise ValueError(
            "playground needs a model whose every weight and bias is a parameter of its own, "
            f"got {len(own)} parameters instead of {len(paths)}"
        )
    return sizes


def _activation_of(model: MLP) -> Function:
    """Return the activation that the hidden layers share; of a model without any, tanh."""
    *hidden, last = [{neuron.activation for neuron in layer.neurons} for layer in model.layers]
    if last != {linear}:
        raise ValueError("playground needs a last layer without an activation, as of logits")
    found = set().union(*hidden)
    if len(found) > 1:
        raise ValueError(
            f"playground needs one activation in all hidden layers, got {quote(list(found))}"
        )
    return found.pop() if found else ACTIVATIONS["tanh"]


def _weights(model: MLP) -> dict[str, float]:
    weights = {path: float(x) for path, x in model.state_dict().items()}
    for path, x in weights.items():
        if not math.isfinite(x):
            raise ValueError(
                f"playground needs finite weights, got {path} = {x}; begin with a fresh model"
            )
    return weights


def _program(name: str, activation: Function) -> dict[str, object]:
    try:
        return activation_program(activation)
    except TypeError as error:
        raise TypeError(
            f"playground needs an activation of this library's functions, got {name}: {error}"
        ) from error


def _points(X: Iterable[Iterable[object]], y: Iterable[object]) -> Points:
    """Return rows of two numbers and their classes from 0, as a page has them."""
    rows, targets = examples(X, y)
    if len(rows[0]) != 2:
        raise ValueError(f"`X` must have 2 columns to be shown, got {len(rows[0])}")
    if len(rows) > ROWS:
        raise ValueError(
            f"playground needs at most {ROWS:,} rows, got {len(rows):,}; pass some of them, as "
            "datasets.split gives"
        )
    signed = -1 in targets
    known = {-1: 0, 1: 1} if signed else {label: label for label in range(CLASSES)}
    classes = []
    for i, target in enumerate(targets):
        if isinstance(target, list) or target not in known:
            must = "-1 or 1" if signed else f"a class, from 0 to {CLASSES - 1}"
            raise ValueError(f"row {i} of `y` must be {must}, got {quote(target)}")
        classes.append(known[int(target)])
    return {"X": rows, "y": classes, "noise": 0.0}


def _count_of_classes(y: list[int]) -> int:
    """Return how many classes there are, at least 2; of more, each must have a row."""
    largest = max(y)
    missing = sorted({*range(largest)} - {*y})
    if largest > 1 and missing:
        raise ValueError(
            f"without a model `y` must have rows of all classes from 0 to {largest}, got no row of "
            f"{missing[0]}; number the classes from 0, or pass a model of {largest + 1} outputs"
        )
    return max(largest + 1, 2)


def _datasets(outputs: int, given: Points | None) -> dict[str, Points]:
    """Return the data sets that a model of so many outputs can learn, yours first, by name."""
    found: dict[str, Points] = {}
    count = max(outputs, 2)
    if given is not None:
        if max(given["y"]) >= count:
            raise ValueError(
                f"labels must be from 0 to {count - 1}, as the model has {count} classes, got "
                f"{max(given['y'])}"
            )
        found[YOURS] = given
    drawn = {"spirals": (datasets.spirals(POINTS, arms=count, noise=0.0), 0.02)}
    if count == 2:
        drawn = {
            "moons": (datasets.moons(POINTS, noise=0.0), 0.1),
            "circles": (datasets.circles(POINTS, noise=0.0), 0.05),
            **drawn,
            "xor": (datasets.xor(POINTS, noise=0.0), 0.1),
        }
    for name, ((X, y), noise) in drawn.items():
        found[name] = {"X": [[round(x, 6) for x in row] for row in X], "y": y, "noise": noise}
    return found


def _optimizers() -> dict[str, Optimizer]:
    one = [Value(math.nan)]  # whose rules alone are wanted
    return {"SGD": SGD(one), "SGD, momentum 0.9": SGD(one, momentum=0.9), "Adam": Adam(one)}
