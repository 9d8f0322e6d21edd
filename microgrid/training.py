"""Training: `fit` moves a model's parameters towards less loss, and measures how that goes."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.util import find_spec
from typing import Any, NamedTuple

from . import losses
from .core.graph import set_gradients
from .core.primitive import operand_text, operands_text
from .core.sequences import is_ordered, listed
from .datasets import order_of_rows
from .engine import Value, no_grad, topological_order
from .fitting.examples import examples
from .functional import sum as sum_
from .guards.checks import (
    is_bool,
    is_finite,
    is_real,
    require_bools,
    require_functions,
    require_whole_numbers,
    shown,
)
from .guards.interrupts import interrupted_once, raised_by_handler, uninterrupted
from .guards.locks import loading
from .guards.seeding import Seed, generator
from .history import History, Record
from .metrics import Metric, measured, metrics_by_name
from .optim import Optimizer
from .schedules import Schedule

__all__ = ["fit"]

NOT_MOVED = (
    "The parameters are as they were before this step. A lower learning rate, standardised "
    "inputs or `clip` may help."
)
NOT_BEGUN = "interrupted before the first epoch"
WORTH_COMPILING = 200  # rows: going through so many in Python takes longer than compiling does
MOVED = "The parameters are as this epoch's steps left them."


def fit(
    model: Callable[[list[float]], Any],
    X: Iterable[Any],
    y: Iterable[Any],
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: Seed = 0,
    validation: tuple[Iterable[Any], Iterable[Any]] | None = None,
    metrics: Sequence[Metric] = (),
    schedule: Schedule | None = None,
    clip: Callable[[Sequence[float]], Sequence[float]] | None = None,
    callbacks: Sequence[Callable[[Any, History], Any]] = (),
    progress: bool = True,
    compile: bool | None = None,
) -> History:
    """Train a model on rows `X` and their targets `y`; return what was measured.

    Args:
        model: takes a row, a list of floats, and returns a prediction: a Value or a list of them.
        X: a list, an array, a frame or any iterable of rows of one width, all numbers finite.
        y: as many targets, each a number or a list of numbers.
        loss: `(prediction, target) -> Value`, of one row; a batch's is the mean.
        optimizer: moves the parameters that it was made with.
        epochs: how often all rows are gone through.
        batch_size: rows to a step; all of them if None.
        shuffle: whether the rows of every epoch come in another order, drawn from `seed`.
        seed: an integer or a `random.Random`; the same seed gives the same bits.
        validation: rows and targets to measure on after every epoch, as `val_loss` and so on.
        metrics: functions `(predictions, targets) -> float`, such as `accuracy`. On the training
            rows they, like the loss, are of the predictions made while training.
        schedule: the learning rate by the step, which counts from 0; the optimizer's own if None.
        clip: changes the gradients before a step: `optim.clip_norm(1.0)`, `optim.clip_value(1.0)`.
        callbacks: each is called with the model and the history after every epoch; the training
            ends if it returns True. One that is a context manager is entered before the first step
            and left when the training has ended, however it did.
        progress: whether to show a bar in a terminal or a notebook (with the extra `train`).
        compile: whether to train natively, with the extra `compile`; the weights are the same to
            the last few digits. If None, where it is installed, there is enough to do, and what is
            given can be compiled; True insists, and False stays in Python. Natively the schedule is
            asked for many steps ahead, and while model and loss are traced, for a moment, no other
            thread can compute with the parameters.

    Ctrl-C ends the training: the weights are those of the last whole step, and the history of the
    epochs that were finished, and measured, is returned. Ctrl-C again within a second is the same
    one; after that, it cuts short what a callback still does as it is left.

    An exception that ends it, of a callback or of a signal such as `SIGALRM` that limits the time,
    leaves the weights of the last whole step too, and has the history so far as its `history`.

    Raises:
        TypeError, ValueError: an argument is wrong, found before the first step.
        ImportError: `compile` is True, and the extra is not installed.
        FloatingPointError: the loss, a gradient or a parameter stopped being finite. The parameters
            are as they were before that step.

    >>> from microgrid import MLP, accuracy, datasets, losses, optim
    >>> X, y = datasets.xor(40)
    >>> model = MLP(2, [8, 1], activation="tanh", seed=1)
    >>> adam = optim.Adam(model.parameters(), lr=0.05)
    >>> history = fit(model, X, y, loss=losses.binary_cross_entropy, optimizer=adam, epochs=20,
    ...               batch_size=10, metrics=[accuracy])
    >>> len(history), history[-1]["accuracy"]
    (20, 1.0)
    """
    history = None
    try:
        with interrupted_once() as interrupts:
            history = History(ended=NOT_BEGUN)
            _train(
                *(history, interrupts, model, X, y, loss, optimizer, epochs, batch_size, shuffle),
                *(seed, validation, metrics, schedule, clip, callbacks, progress, compile),
            )
            return history
    except KeyboardInterrupt:
        return History(ended=NOT_BEGUN) if history is None else history
    except BaseException as error:
        if history is not None and history.ended != NOT_BEGUN:
            with suppress(AttributeError):
                error.history = history  # type: ignore[attr-defined]
        raise


def _train(
    history: History,
    interrupts: interrupted_once,
    model: Any,
    X: Any,
    y: Any,
    loss: Any,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    seed: Seed,
    validation: Any,
    metrics: Sequence[Metric],
    schedule: Schedule | None,
    clip: Any,
    callbacks: Sequence[Any],
    progress: bool,
    compile: bool | None,
) -> None:
    """Do what `fit` says, and note down what is measured."""
    _check_arguments(epochs, batch_size, optimizer, callbacks, compile)
    require_bools(shuffle=shuffle, progress=progress)
    require_functions(model=model, takes="of a row", count=1)
    require_functions(loss=loss, takes="of a prediction and a target")
    if schedule is not None:
        require_functions(schedule=schedule, takes="of the step", count=1)
    if clip is not None:
        require_functions(clip=clip, takes="of a list of gradients", count=1)
    named_metrics = metrics_by_name(metrics)
    rows, targets = examples(X, y)
    held_out = _held_out(validation, len(rows[0]))
    _try_out(model, loss, rows[0], targets, "y")
    if held_out:
        _try_out(model, loss, rows[0], held_out[1], "validation y")
    random = generator(seed)
    size = len(rows) if batch_size is None else batch_size
    orders = (order_of_rows(len(rows), shuffle, random) for _ in range(epochs))
    measures = bool(named_metrics or held_out)
    trainer: Any = Trainer(
        *(model, loss, optimizer, schedule, clip, (rows, targets), size, history, not measures)
    )
    if named_metrics:
        _try_out_metrics(trainer, named_metrics, held_out)
    if compile or (compile is None and epochs * len(rows) >= WORTH_COMPILING):
        trainer = _compiled(trainer, held_out, bool(metrics), bool(callbacks), bool(compile))

    def train() -> None:
        with _bar(progress, epochs, epochs * math.ceil(len(rows) / size)) as bar:
            trainer.bar = bar
            for outcome in trainer.epochs(orders, 1):
                epoch, record = outcome.epoch, outcome.record()
                record |= measured(named_metrics, outcome.predictions, outcome.targets)
                if held_out:
                    with no_grad(), _placed(f"epoch {epoch}, validation", MOVED):
                        record["val_loss"], predictions = trainer.measure(*held_out)
                    record |= measured(named_metrics, predictions, held_out[1], prefix="val_")
                if measures:
                    history.records.append(record)
                if bar:
                    bar.show(epoch, record)
                if _called(callbacks, model, history):
                    history.ended = f"a callback ended it after epoch {epoch}"
                    break

    try:
        history.ended = ""
        entered = [c for c in callbacks if isinstance(c, AbstractContextManager)]
        _inside(entered, train, interrupts)
    except KeyboardInterrupt:
        history.ended = f"interrupted in epoch {min(len(history) + 1, epochs)}"
    except BaseException as error:
        history.ended = f"{type(error).__name__} in epoch {min(len(history) + 1, epochs)}"
        raise


def _inside(
    entered: Sequence[Any], train: Callable[[], None], interrupts: interrupted_once
) -> None:
    """Train inside of context managers; hold Ctrl-C back as each begins to be left."""
    try:
        if not entered:
            train()
        else:
            with entered[0]:  # no stack, which an interrupt may come to between enter and push
                _inside(entered[1:], train, interrupts)
    finally:
        interrupts.hold()


def _compiled(
    trainer: Trainer, held_out: Any, predicts: bool, has_callbacks: bool, insists: bool
) -> Any:
    """Return a trainer that takes the same steps natively; the given one, if there can be none."""
    missing = [name for name in ("llvmlite", "numpy") if find_spec(name) is None]
    if missing and insists:
        raise ImportError(
            f"compile=True needs {' and '.join(missing)}: pip install 'microgrid-autodiff[compile]'"
        )
    if missing:
        return trainer
    with loading, uninterrupted():
        from .compiler.training.fitting import NativeTrainer

    try:
        return NativeTrainer(trainer, held_out, predicts, has_callbacks, insists)
    except Exception as error:  # a model may raise anything of numbers that are not known yet
        if raised_by_handler(error):
            raise
        if insists and not isinstance(error, Unmoved):
            raise not_compiled(error) from error
        return trainer  # which raises what is wrong, if anything is


def not_compiled(error: Exception) -> TypeError:
    """Return what to raise of an error in compiling, if somebody insists on it."""
    what = str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"
    return TypeError(f"compile=True needs what can be compiled: {what}")


def _called(
    callbacks: Sequence[Callable[[Any, History], Any]], model: Any, history: History
) -> bool:
    """Call every callback; return whether one asks for the end."""
    answers = [callback(model, history) for callback in callbacks]
    # NumPy's bools too, but not the number of characters that a callback has written
    return any(is_bool(answer) and answer for answer in answers)


class Outcome(NamedTuple):
    """What an epoch came to: the mean loss, the last rate, the predictions and their targets."""

    epoch: int
    loss: float
    lr: float
    predictions: Sequence[Any] = ()
    targets: Sequence[Any] = ()

    def record(self) -> Record:
        """Return what the history says of it, before anything else is measured."""
        return {"epoch": self.epoch, "loss": self.loss, "lr": self.lr}


class Trainer:
    """What takes the steps of a training, and counts them."""

    def __init__(
        self,
        model: Callable[[list[float]], Any],
        loss: Callable[[Any, Any], Any],
        optimizer: Optimizer,
        schedule: Schedule | None,
        clip: Callable[[Sequence[float]], Sequence[float]] | None,
        examples: tuple[Sequence[list[float]], Sequence[Any]],
        batch_size: int,
        history: History,
        notes: bool,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.schedule, self.clip = schedule, clip
        self.history, self.notes = history, notes
        self.rows, self.targets = examples
        self.batch_size = batch_size
        self.steps = 0
        self.bar: Any = None

    def epochs(self, orders: Iterable[Sequence[int]], first: int) -> Generator[Outcome, None, None]:
        """Go through all rows in each of the given orders; yield what each epoch came to.

        `first` is the number of the first of these epochs.
        """
        for epoch, order in enumerate(orders, start=first):
            losses, predictions = [], []
            targets = [self.targets[i] for i in order]
            for place, start in enumerate(range(0, len(order), self.batch_size), start=1):
                part = order[start : start + self.batch_size]
                self.optimizer.lr = self.rate(self.steps)
                with self.placed(epoch, place):
                    loss, outputs, gradients = self.derive(part)
                    with uninterrupted():
                        self.move(gradients)
                        losses += [loss] * len(part)
                        predictions += outputs
                        if len(losses) == len(order):
                            mean_loss = math.fsum(losses) / len(losses)
                            rate = self.optimizer.lr
                            outcome = Outcome(epoch, mean_loss, rate, predictions, targets)
                            self.note(outcome)
                self.advance(1)
            yield outcome

    def note(self, outcome: Outcome) -> None:
        """Note an epoch down, as its last step is taken: unless more is to be measured of it."""
        if self.notes:
            self.history.records.append(outcome.record())

    def advance(self, steps: int) -> None:
        """Show that steps were taken."""
        if self.bar:
            self.bar.update(steps)

    def placed(self, epoch: int, place: int) -> AbstractContextManager[None]:
        """Say of an error of the numbers which batch it comes of."""
        return _placed(f"epoch {epoch}, batch {place}", NOT_MOVED)

    def measure(
        self, rows: Sequence[list[float]], targets: Sequence[Any]
    ) -> tuple[float, list[Any]]:
        """Return the mean loss and the predictions, without a step."""
        total, predictions = self.forward(rows, targets)
        return total.data / len(rows), predictions

    def forward(
        self, rows: Sequence[list[float]], targets: Sequence[Any]
    ) -> tuple[Value, list[Any]]:
        """Return the sum of the rows' losses, and the predictions as plain numbers."""
        predictions = [self.model(list(row)) for row in rows]  # which it may change
        pairs = zip(predictions, targets, strict=True)
        total = sum_([value_of(self.loss(prediction, target)) for prediction, target in pairs])
        if not math.isfinite(total.data):
            raise FloatingPointError(f"the loss is {total.data}: {_first_not_finite(total)}")
        return total, [_plain(prediction) for prediction in predictions]

    def rate(self, step: int) -> float:
        """Return the rate of a step: the schedule's, or else the optimizer's own."""
        if not self.schedule:
            return self.optimizer.lr
        rate = self.schedule(step)
        if not is_real(rate) or is_bool(rate) or not (is_finite(rate) and rate >= 0):
            raise ValueError(f"`schedule` must return a rate of at least 0, got {shown(rate)}")
        return float(rate)

    def derive(self, part: Sequence[int]) -> tuple[float, list[Any], list[float]]:
        """Return the loss, the predictions and the gradients of a batch: rows of these numbers."""
        rows, targets = [self.rows[i] for i in part], [self.targets[i] for i in part]
        total, predictions = self.forward(rows, targets)
        parameters = self.optimizer.parameters
        self.optimizer.zero_grad()
        total.backward()
        if self.steps == 0:
            require_dependence(total, parameters)
        # divided after they are summed: shares of 1 and -1 cancel, of 1/n and -1/n only nearly,
        # and some optimizers would blow up what is left
        gradients = [parameter.grad / len(rows) for parameter in parameters]
        if not all(map(math.isfinite, gradients)):
            raise FloatingPointError(f"a gradient is not finite: {_first_not_finite(total)}")
        if self.clip:
            clipped = self.clip(gradients)
            fits = isinstance(clipped, Sequence) and len(clipped) == len(gradients)
            if not fits or not all(is_real(g) for g in clipped):
                raise TypeError(
                    f"`clip` must return {len(gradients)} gradients, got {shown(clipped)}"
                )
            gradients = list(clipped)
        return total.data / len(rows), predictions, gradients

    def move(self, gradients: Sequence[float]) -> None:
        """Take a step by these gradients."""
        set_gradients(self.optimizer.parameters, gradients)
        self.optimizer.step()
        self.steps += 1


class Unmoved(ValueError):
    """The optimizer's parameters have no influence on the loss."""


def require_dependence(loss: Value, parameters: Iterable[Value]) -> None:
    """Raise `Unmoved` if the optimizer's parameters have no influence on the loss."""
    if not set(topological_order(loss)) & set(parameters):
        raise Unmoved(
            "the optimizer must move the model's parameters, got one of parameters that the "
            "loss does not depend on"
        )


def _plain(prediction: Any) -> Any:
    """Return a prediction in plain numbers: a dict stays one, other parts come in lists."""
    if isinstance(prediction, Value):
        return prediction.data
    if isinstance(prediction, Mapping):
        return {name: _plain(part) for name, part in prediction.items()}
    if not is_ordered(prediction):
        return prediction
    return [_plain(part) for part in listed(prediction, "a prediction must be a list")]


def value_of(loss: Any) -> Value:
    """Return a loss; raise `TypeError` if it is no `Value`."""
    if not isinstance(loss, Value):
        raise TypeError(f"the loss must be a Value that depends on parameters, got {shown(loss)}")
    return loss


def _first_not_finite(loss: Value) -> str:
    """Return the first operation, forward or else backward, that made inf or nan of numbers."""
    order = topological_order(loss)
    for node in order:
        if not math.isfinite(node.data):
            return f"first in {_made(node)}" if node.parents else f"from {operand_text(node)}"
    for node in reversed(order):
        if not all(math.isfinite(share or 0) for share in node.chain(node.grad)):
            return f"first in the derivative of {_made(node)}"
    return "in the sum of several shares"


def _made(node: Value) -> str:
    return f"`{node.op.name if node.op else ''}` of {operands_text(node.parents)}"


def _is_of_numbers(error: Exception) -> bool:
    """Whether an error came of the numbers, not of a mistake in the model or the loss."""
    return isinstance(error, FloatingPointError) or hasattr(error, "operation")


@contextmanager
def _placed(place: str, then: str) -> Iterator[None]:
    """Say where in the training a number stopped being finite."""
    try:
        yield
    except (ArithmeticError, ValueError) as error:
        if not _is_of_numbers(error):
            raise
        raise FloatingPointError(f"training stopped in {place}: {error}. {then}") from error


def _bar(progress: bool, epochs: int, steps: int) -> Any:
    """Return a progress bar in a terminal or a notebook; without tqdm, or into a pipe, none."""
    shell = sys.modules.get("IPython")  # a notebook's output is no terminal, but is seen
    seen = sys.stdout and (sys.stdout.isatty() or (shell and shell.get_ipython()))
    if not (progress and seen):
        return nullcontext()
    if find_spec("tqdm") is None:
        print("(for a progress bar: pip install 'microgrid-autodiff[train]')")
        return nullcontext()
    with loading, uninterrupted():
        from .drawing.training.progress import Bar

        return Bar(epochs, steps)


def _check_arguments(
    epochs: Any, batch_size: Any, optimizer: Any, callbacks: Any, compile: Any
) -> None:
    require_whole_numbers(epochs=epochs, batch_size=1 if batch_size is None else batch_size)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "`optimizer` must be made with the parameters to move, such as "
            f"optim.Adam(model.parameters(), lr=0.01), got {shown(optimizer)}"
        )
    optimizer.require_options(optimizer.current_options())
    optimizer.require_state()
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"`callbacks` must be a list of functions, got {shown(callbacks)}")
    for callback in callbacks:
        require_functions(callbacks=callback, takes="of the model and the history", count=2)
    if compile is not None:
        require_bools(compile=compile, instead="None")


def _held_out(validation: Any, width: int) -> tuple[list[Any], list[Any]] | None:
    if validation is None:
        return None
    if not isinstance(validation, (list, tuple)) or len(validation) != 2:
        raise TypeError(f"`validation` must be a pair (X, y), got {shown(validation)}")
    X, y = validation
    rows, targets = examples(X, y, name="validation ")
    if len(rows[0]) != width:
        raise ValueError(f"`validation X` must have the {width} columns of `X`, got {len(rows[0])}")
    return rows, targets


def _try_out_metrics(trainer: Trainer, metrics: Mapping[str, Metric], held_out: Any) -> None:
    """Let a metric that gives no number, or refuses a target, fail before any step.

    It is asked about all targets beside the prediction of the first row, which is quick; only if it
    refuses that, beside each row's own.
    """
    data = [(trainer.rows, trainer.targets), *([held_out] if held_out else [])]
    first = _tried(trainer, trainer.rows[:1], trainer.targets[:1])
    for rows, targets in data if first else []:
        try:
            measured(metrics, first * len(rows), targets)
        except Exception as error:
            if raised_by_handler(error):
                raise
            if predictions := _tried(trainer, rows, targets):
                measured(metrics, predictions, targets)


def _tried(trainer: Trainer, rows: Sequence[list[float]], targets: Sequence[Any]) -> list[Any]:
    """Return predictions; none if there is an error, of which the training will say where."""
    try:
        with no_grad():
            return trainer.measure(rows, targets)[1]
    except (ArithmeticError, ValueError):
        return []


def _try_out(
    model: Callable[[list[float]], Any],
    loss: Callable[[Any, Any], Any],
    row: list[float],
    targets: Sequence[Any],
    name: str,
) -> None:
    """Let a model of other rows, and targets that the loss refuses, fail before any step."""
    with no_grad():
        try:
            prediction = model(list(row))
        except (ArithmeticError, ValueError) as error:
            if _is_of_numbers(error):
                return  # the training will say where
            raise ValueError(f"row 0 of `X` does not suit the model: {error}") from error
        for i, target in enumerate(targets):
            try:
                result = loss(prediction, target)
            except (ArithmeticError, TypeError, ValueError) as error:
                if _is_of_numbers(error):
                    continue
                kind = TypeError if isinstance(error, TypeError) else ValueError
                own = getattr(loss, "__module__", None) == losses.__name__
                takes = "" if own else "; a loss takes the prediction and the target of one row"
                raise kind(f"row {i} of `{name}` does not suit the loss: {error}{takes}") from error
            value_of(result)
