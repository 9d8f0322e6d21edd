"""Networks as scikit-learn's estimators: in pipelines, grid searches and cross-validation.

They are `MLP` and `fit` behind scikit-learn's methods, with scikit-learn's own input checks. Scale
the columns first, for example with `sklearn.preprocessing.StandardScaler`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ..compiler import compile
from ..engine import Value
from ..losses import cross_entropy, squared_error
from ..nn import MLP, Activation
from ..optim import Adam, Optimizer
from ..training import fit

__all__ = ["MLPClassifier", "MLPRegressor"]

Numbers = NDArray[np.generic]


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network that `fit` trains, on rows and targets that scikit-learn has checked.

    After `fit`, `model_` is the network and `history_` the `History` of its training.
    """

    _loss: ClassVar[Callable[..., Value]]

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (16,),
        *,
        activation: Activation = "relu",
        optimizer: Callable[..., Optimizer] = Adam,
        lr: float = 0.01,
        epochs: int = 200,
        batch_size: int | None = 32,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def _train(self, X: Numbers, y: Numbers, outputs: int) -> Self:
        random = Random(int(check_random_state(self.random_state).randint(2**31 - 1)))
        sizes = [*self.hidden_layer_sizes, outputs]
        self.model_ = MLP(X.shape[1], sizes, activation=self.activation, init="he", seed=random)
        self.history_ = fit(
            self.model_,
            X,
            y,
            loss=type(self)._loss,
            optimizer=self.optimizer(self.model_.parameters(), lr=self.lr),
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=random,
            progress=False,
        )
        self._outputs = compile(self.model_)
        return self

    def _answers(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the network's outputs for rows, one column for each."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=float)
        return np.atleast_2d(self._outputs(list(rows.T))).T


class MLPClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A classifier: an `MLP` with a logit for each class, trained on their cross-entropy.

    Args:
        hidden_layer_sizes: how many neurons each layer has, except the last one.
        activation: that of the hidden layers, as in `MLP`.
        optimizer: a class of `optim`, or a function of the parameters and `lr` that makes one.
        lr: the learning rate.
        epochs, batch_size: as in `fit`.
        random_state: an integer for the same weights and order of rows every time, or as
            scikit-learn has it.

    After `fit`, `model_` is the network, `history_` the `History` of its training, and `classes_`
    are the labels, sorted.

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from microgrid import datasets
    >>> X, y, _, names, _ = datasets.penguins()
    >>> network = MLPClassifier([8], epochs=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, [names[i] for i in y])
    >>> str(model.predict(X[:1])[0]), model.score(X, [names[i] for i in y]) > 0.98
    ('Adelie', True)
    >>> network.predict_proba([[0.0] * 4]).shape, network.decision_function([[0.0] * 4]).shape
    ((1, 3), (1, 3))
    """

    _loss = staticmethod(cross_entropy)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train a new network on rows and their labels; return the estimator itself."""
        rows, labels = validate_data(self, X, y, dtype=float)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        return self._train(rows, numbers, outputs=max(2, len(self.classes_)))

    def predict(self, X: ArrayLike) -> Numbers:
        """Return the label of each row's most probable class."""
        answers = self._logits(X)
        labels: Numbers = self.classes_[answers.argmax(axis=1)]
        return labels

    def _logits(self, X: ArrayLike) -> NDArray[np.float64]:
        return self._answers(X)[:, : len(self.classes_)]  # a single class has another beside it

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return each row's probabilities of the classes."""
        answers = self._logits(X)
        odds = np.exp(answers - answers.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return probabilities

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits of the classes; for two, the second logit minus the first."""
        answers = self._logits(X)
        return answers[:, 1] - answers[:, 0] if len(self.classes_) == 2 else answers


class MLPRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A regressor: an `MLP` with one output, which `fit` trains on the squared error.

    The arguments, `model_` and `history_` are those of `MLPClassifier`. Scale the targets too, to a
    size of about 1, for example with `sklearn.compose.TransformedTargetRegressor`.

    >>> X = [[x / 10] for x in range(-20, 20)]
    >>> network = MLPRegressor([16], activation="tanh", lr=0.03, random_state=0)
    >>> network.fit(X, [x**2 for [x] in X]).score(X, [x**2 for [x] in X]) > 0.9
    True
    >>> network.predict([[0.0], [1.0]]).shape
    (2,)
    """

    _loss = staticmethod(squared_error)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train a new network on rows and their targets; return the estimator itself."""
        rows, targets = validate_data(self, X, y, dtype=float, y_numeric=True)
        return self._train(rows, targets, outputs=1)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the target that the network expects for each row."""
        return self._answers(X)[:, 0]
