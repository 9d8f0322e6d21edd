"""Callbacks for `fit`: stop or slow down when nothing improves, and keep the best weights."""

from __future__ import annotations

import json
import os
from typing import Self

from .files import require_writable, write_file
from .guards.checks import (
    quote,
    require_bools,
    require_integers,
    require_numbers,
    require_paths,
)
from .history import History
from .nn import Module
from .optim import Optimizer

__all__ = ["Checkpoint", "EarlyStopping", "ReduceOnPlateau"]


class _Best:
    """The best epoch of a training so far, by one of its measurements."""

    def __init__(self, monitor: str | None, highest: bool, min_delta: float = 0.0) -> None:
        if monitor is not None and not isinstance(monitor, str):
            raise TypeError(f"`monitor` must name a column of a history, got {quote(monitor)}")
        require_bools(highest=highest)
        require_numbers(min_delta=min_delta)
        self.monitor, self.highest, self.min_delta = monitor, highest, min_delta
        self.epoch: int = 0
        self.measured: float | None = None

    def improves(self, history: History) -> bool:
        """Return whether the last epoch is the best one, and remember it if so."""
        record = history[-1]
        name = self.monitor or ("val_loss" if "val_loss" in record else "loss")
        measured = history[name][-1]
        gain = 0.0 if self.measured is None else measured - self.measured
        if not self.highest:
            gain = -gain
        is_best = measured == measured and (self.measured is None or gain > self.min_delta)
        if is_best:
            self.epoch, self.measured = len(history), measured
        return is_best


class EarlyStopping:
    """Ends a training once nothing improves, and gives the model its best weights back.

    Args:
        monitor: the column of the history to look at: "val_loss" if None, or "loss" where there is
            no validation.
        patience: how many epochs in a row may fail to improve.
        min_delta: by how much an epoch must improve on the best one before it to count.
        highest: whether higher is better, as for an accuracy.
        restore: whether the model has the weights of the best epoch when the training ends, however
            that happens; otherwise it has the last ones.

    `best_epoch` counts from 1; before the first epoch it is 0. Each `fit` starts over.

    Raises when called:
        KeyError: the history has no such column.
        TypeError: the model is not a `Module`, whose weights can be kept.

    >>> from microgrid import MLP, datasets, fit, losses, optim
    >>> X, y = datasets.moons(40)
    >>> model, stopping = MLP(2, [4, 1], seed=0), EarlyStopping(patience=2)
    >>> sgd = optim.SGD(model.parameters(), lr=4.0)
    >>> history = fit(model, X, y, loss=losses.squared_error, optimizer=sgd, epochs=100,
    ...               callbacks=[stopping])
    >>> len(history) - stopping.best_epoch, history.ended[:19]
    (2, 'a callback ended it')
    """

    def __init__(
        self,
        monitor: str | None = None,
        *,
        patience: int = 5,
        min_delta: float = 0.0,
        highest: bool = False,
        restore: bool = True,
    ) -> None:
        require_integers(patience=patience)
        require_bools(restore=restore)
        self.patience, self.restore = patience, restore
        self._options = monitor, highest, min_delta
        self._best = _Best(*self._options)
        self._kept: tuple[Module, dict[str, float]] | None = None

    @property
    def best_epoch(self) -> int:
        """The number of the best epoch so far."""
        return self._best.epoch

    def __call__(self, model: object, history: History) -> bool:
        """Return whether the training has gone on for long enough without improving."""
        if self._best.improves(history) and self.restore:
            self._kept = (module := _require_module(model)), module.state_dict()
        return len(history) - self._best.epoch >= self.patience

    def __enter__(self) -> Self:
        self._best, self._kept = _Best(*self._options), None
        return self

    def __exit__(self, *error: object) -> None:
        if self._kept:
            model, state = self._kept
            model.load_state_dict(state)


class ReduceOnPlateau:
    """Lowers an optimizer's learning rate when nothing improves any more.

    Give `fit` no `schedule` then, which would set the rate again.

    Args:
        optimizer: whose rate it is.
        factor: what the rate is multiplied by.
        patience: how many epochs in a row may fail to improve before that.
        monitor: the column of the history to look at: "val_loss" if None, or "loss" where there is
            no validation.
        min_delta: by how much an epoch must improve on the best one before it to count.
        highest: whether higher is better, as for an accuracy.
        least: the lowest rate.

    Raises when called:
        KeyError: the history has no such column.

    >>> from microgrid import History, Value, optim
    >>> sgd = optim.SGD([Value(0.0)], lr=1.0)
    >>> slower = ReduceOnPlateau(sgd, factor=0.5, patience=1)
    >>> history, rates = History(), []
    >>> for loss in [3.0, 2.0, 2.0, 2.0, 1.0]:
    ...     history.records.append({"loss": loss})
    ...     slower(None, history)
    ...     rates.append(sgd.lr)
    >>> rates
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        factor: float = 0.1,
        patience: int = 10,
        monitor: str | None = None,
        min_delta: float = 0.0,
        highest: bool = False,
        least: float = 0.0,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"`optimizer` must be an optimizer, got {quote(optimizer)}")
        require_numbers(factor=factor, above=0, below=1)
        require_integers(patience=patience, least=0)
        require_numbers(least=least)
        self.optimizer, self.factor, self.patience, self.least = optimizer, factor, patience, least
        self._options = monitor, highest, min_delta
        self._best, self._waited = _Best(*self._options), 0

    def __call__(self, model: object, history: History) -> None:
        """Lower the rate if the last epochs have not improved."""
        self._waited = 0 if self._best.improves(history) else self._waited + 1
        if self._waited > self.patience:
            self.optimizer.lr = max(self.optimizer.lr * self.factor, self.least)
            self._waited = 0

    def __enter__(self) -> Self:
        self._best, self._waited = _Best(*self._options), 0
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the rate as it is."""


class Checkpoint:
    """Writes a model's weights to a file after every epoch that is the best so far.

    The file holds the `state_dict` as JSON. At every moment it is whole: the weights of one epoch
    or of a better one, whenever the program is interrupted or killed.

    Args:
        path: where the file is; its folder is created if necessary.
        monitor: the column of the history to look at: "val_loss" if None, or "loss" where there is
            no validation.
        highest: whether higher is better, as for an accuracy.

    Raises:
        OSError: the file cannot be written, as `fit` finds out before the first step.

    Raises when called:
        KeyError: the history has no such column.
        TypeError: the model is not a `Module`.

    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from microgrid import MLP, datasets, fit, losses, optim
    >>> X, y = datasets.moons(20)
    >>> model, twin = MLP(2, [4, 1], seed=0), MLP(2, [4, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "best.json")
    ...     sgd = optim.SGD(model.parameters(), lr=0.1)
    ...     _ = fit(model, X, y, loss=losses.squared_error, optimizer=sgd, epochs=5,
    ...             callbacks=[Checkpoint(path)])
    ...     twin.load_state_dict(json.loads(path.read_text()))
    """

    def __init__(
        self, path: str | os.PathLike[str], monitor: str | None = None, *, highest: bool = False
    ) -> None:
        require_paths(path=path)
        self.path = path
        self._options = monitor, highest
        self._best = _Best(*self._options)

    def __call__(self, model: object, history: History) -> None:
        """Write the model's weights if the last epoch is the best one."""
        if self._best.improves(history):
            write_file(self.path, json.dumps(_require_module(model).state_dict()))

    def __enter__(self) -> Self:
        require_writable(self.path)
        self._best = _Best(*self._options)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the file as it is."""


def _require_module(model: object) -> Module:
    if not isinstance(model, Module):
        raise TypeError(f"only a Module has weights that can be kept, got {quote(model)}")
    return model
