"""Training: `fit` lowers a model's loss by moving its parameters, and measures the progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from random import Random
from typing import Any, cast

from .core.array_rules import block_rules, is_of_blocks
from .datasets import order_of_rows
from .fitting.blocks import BLOCKS_NEED, RowsInBlocks
from .fitting.examples import examples, validation_examples
from .fitting.journal import Journal
from .fitting.task import Clip, Loss, Model, TrainingTask, require_parts
from .fitting.trainer import Bar, Epoch, Trainer
from .fitting.trial import try_out
from .guards.checks import (
    is_bool,
    quote,
    require_bools,
    require_functions,
    require_integers,
)
from .guards.interrupts import interrupted_once, uninterrupted
from .guards.locks import loading
from .guards.seeding import Seed, generator
from .history import History, Record
from .metrics import Metric, metrics_by_name
from .optim import Optimizer
from .schedules import Schedule

__all__ = ["fit"]

NOT_BEGUN = "interrupted before the first epoch"
WORTH_COMPILING = 200  # rows: going through so many in Python takes longer than compiling does

Callback = Callable[[Any, History], object]
Orders = Iterator[tuple[int, Sequence[int]]]


def fit(
    model: Model,
    X: Iterable[object],
    y: Iterable[object],
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: Seed = 0,
    validation: tuple[Iterable[object], Iterable[object]] | None = None,
    metrics: Sequence[Metric] = (),
    schedule: Schedule | None = None,
    clip: Clip | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    compile: bool | None = None,
    history: History | None = None,
) -> History:
    """Train a model on rows `X` and their targets `y`; return what was measured.

    Args:
        model: takes a row, a list of floats, and returns a prediction: a Value or a list of them.
        X: a list, an array, a frame or any iterable of rows of one width, all numbers finite. Of
            Dask's the blocks are taken one by one, where they are: see `microgrid.interop.dask`.
        y: as many targets, each a number or a list of numbers.
        loss: `(prediction, target) -> Value`, for one row; the loss of a batch is the mean.
        optimizer: moves the parameters that it was made with.
        epochs: how often to go through all rows.
        batch_size: how many rows a step takes; all of them if None.
        shuffle: whether every epoch takes the rows in another order, drawn from `seed`.
        seed: an integer or a `random.Random`; the same seed gives the same bits.
        validation: rows and targets to measure on after every epoch, as `val_loss` and so on.
        metrics: functions `(predictions, targets) -> float`, such as `accuracy`. For the training
            rows they, like the loss, use the predictions made while training.
        schedule: the learning rate by the step, which counts from 0; the optimizer's own if None.
        clip: changes the gradients before a step: `optim.clip_norm(1.0)`, `optim.clip_value(1.0)`.
        callbacks: each is called with the model and the history after every epoch; the training
            ends if it returns True. One that is a context manager is entered before the first step
            and left when the training ends, however that happens. One that has a method `begin` is
            told the model and the history by it, before the first step.
        progress: whether to show a bar in a terminal or a notebook (with the extra `train`).
        compile: whether to train natively, with the extra `compile`; the weights are the same to
            the last few digits. None does so where the extra is installed, there is enough to do,
            and everything can be compiled; True insists, and False stays in Python. Natively the
            schedule is asked for many steps ahead; and for a moment, while model and loss are
            traced, no other thread can compute with the parameters.
        history: what to write the measurements into; a new `History` if None. Pass your own to keep
            it however the training ends. If it has records, epoch numbers continue from them; the
            schedule counts from 0 in every call.

    Ctrl-C ends the training: the weights are those of the last whole step, and the history of the
    epochs that were finished, and measured, is returned. Ctrl-C again within a second counts as the
    same one; after that, it cuts short what a callback still does as it is left.

    An exception that ends the training, from a callback or from a signal such as `SIGALRM` that
    limits its time, leaves the weights of the last whole step too. To keep what was measured until
    then, pass a `history`.

    Raises:
        TypeError, ValueError: an argument is wrong; this is found before the first step.
        ImportError: `compile` is True, or there are Dask's arrays, and the extra is not installed.
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
    >>> len(fit(model, X, y, loss=losses.binary_cross_entropy, optimizer=adam, epochs=5,
    ...         history=history)), history[-1]["epoch"]
    (25, 25)
    """
    has_begun, interrupts = False, None
    try:
        with (interrupts := interrupted_once()):
            history = _history_to_fill(history)
            require_parts(model, loss, optimizer, schedule, clip)
            _require_options(epochs, batch_size, shuffle, callbacks, progress, compile)
            named_metrics, random = metrics_by_name(metrics), generator(seed)
            blocks = _rows_in_blocks(X, y, compile)
            data = blocks.head if blocks else examples(X, y)
            held_out = validation_examples(validation, width=len(data.rows[0]))
            rows = sum(blocks.sizes) if blocks else len(data.rows)
            size = rows if batch_size is None else batch_size
            parts = model, loss, optimizer, data, size, held_out, schedule, clip, blocks
            task = TrainingTask(*parts)
            try_out(task, {} if blocks else named_metrics)  # a metric may need more than a few rows
            journal = Journal(history, named_metrics, held_out)
            make = partial(_trainer, task, journal.end_steps, epochs, bool(metrics), compile)
            trainer = make(bool(callbacks), random if shuffle else None)
            numbers = range(len(history) + 1, len(history) + epochs + 1)
            count = len(blocks.sizes) if blocks else rows
            orders = ((number, order_of_rows(count, shuffle, random)) for number in numbers)
            open_bar = partial(_progress_bar, progress, numbers, epochs * task.batches)
            train = partial(_train, trainer, orders, open_bar, journal, callbacks, history)
            history.ended, has_begun = NOT_BEGUN, True
            _run(train, callbacks, history, numbers, interrupts)
            return history
    except KeyboardInterrupt:
        kept = history if isinstance(history, History) else History()
        if not has_begun:
            kept.ended = NOT_BEGUN
        return kept
    except BaseException:
        if interrupts is not None:  # which a signal's handler may have kept from its own end
            interrupts.is_open = False  # no call, before which Python would look for signals
            interrupts.give_back()
        raise


def _history_to_fill(history: History | None) -> History:
    """Return the caller's history, or else a new one."""
    if history is None:
        return History()
    if not isinstance(history, History):
        raise TypeError(f"`history` must be a History to write into, or None, got {quote(history)}")
    return history


def _run(
    train: Callable[[], None],
    callbacks: Sequence[Callback],
    history: History,
    numbers: range,
    interrupts: interrupted_once,
) -> None:
    """Train inside of the callbacks that are context managers; write down what ended it."""
    managers: list[Any] = [c for c in callbacks if isinstance(c, AbstractContextManager)]
    try:
        history.ended = ""
        _call_inside(managers, train, interrupts)
    except KeyboardInterrupt:
        history.ended = f"interrupted in epoch {min(len(history) + 1, numbers[-1])}"
    except BaseException as error:
        history.ended = f"{type(error).__name__} in epoch {min(len(history) + 1, numbers[-1])}"
        raise


def _call_inside(
    managers: Sequence[AbstractContextManager[object]],
    train: Callable[[], None],
    interrupts: interrupted_once,
) -> None:
    """Call `train` inside of context managers; hold Ctrl-C back as each begins to be left."""
    try:
        if not managers:
            train()
        else:
            with managers[0]:  # no stack, which an interrupt may come to between enter and push
                _call_inside(managers[1:], train, interrupts)
    finally:
        interrupts.hold()


def _train(
    trainer: Trainer,
    orders: Orders,
    open_bar: Callable[[], AbstractContextManager[Bar]],
    journal: Journal,
    callbacks: Sequence[Callback],
    history: History,
) -> None:
    """Train epoch after epoch: measure each, write it down, show it, and call the callbacks."""
    for callback in callbacks:
        if callable(begin := getattr(callback, "begin", None)):
            begin(trainer.task.model, history)
    with open_bar() as bar:
        for epoch in trainer.epochs(orders, bar):
            bar.show(epoch.number, journal.end_epoch(epoch, trainer))
            answers = [callback(trainer.task.model, history) for callback in callbacks]
            # NumPy's bools too, but not the number of characters that a callback has written
            if any(is_bool(answer) and answer for answer in answers):
                history.ended = f"a callback ended it after epoch {epoch.number}"
                break


def _require_options(
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    callbacks: Sequence[Callback],
    progress: bool,
    compile: bool | None,
) -> None:
    """Raise `TypeError` or `ValueError` for options that `fit` cannot have."""
    require_integers(epochs=epochs, batch_size=1 if batch_size is None else batch_size)
    require_bools(shuffle=shuffle, progress=progress)
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"`callbacks` must be a list of functions, got {quote(callbacks)}")
    for callback in callbacks:
        require_functions(callbacks=callback, takes="of the model and the history", count=2)
    if compile is not None:
        require_bools(compile=compile, instead="None")


def _rows_in_blocks(X: object, y: object, compile: bool | None) -> RowsInBlocks | None:
    """Return rows and targets that are made of blocks, such as Dask's arrays; None of others."""
    if not (is_of_blocks(X) or is_of_blocks(y)):
        return None
    if compile is False:
        raise ValueError(
            "`compile` must be True or None for arrays in blocks, whose sums come from kernels, "
            "got False"
        )
    _require_compiler(BLOCKS_NEED, extra="dask")
    return cast("RowsInBlocks", block_rules().rows(X, y))


def _require_compiler(need: str, extra: str = "compile") -> bool:
    """Return whether what compiles is there; if not, raise the error that `need` begins, if any."""
    missing = [name for name in ("llvmlite", "numpy") if find_spec(name) is None]
    if missing and need:
        raise ImportError(
            f"{need} {' and '.join(missing)}: pip install 'microgrid-autodiff[{extra}]'"
        )
    return not missing


def _trainer(
    task: TrainingTask,
    end_steps: Callable[[Epoch], None],
    epochs: int,
    predicts: bool,
    compile: bool | None,
    has_callbacks: bool,
    random: Random | None,
) -> Trainer:
    """Return what takes the steps, natively or in Python; `random` draws orders within blocks."""
    pays = compile is None and epochs * task.rows >= WORTH_COMPILING
    need = "compile=True needs" * bool(compile)
    if not (task.blocks or ((compile or pays) and _require_compiler(need))):
        return Trainer(task, end_steps)
    with loading, uninterrupted():
        from .compiler.training.blocks import BlockTrainer
        from .compiler.training.trainer import NativeTrainer
    if task.blocks:
        own = random and Random(random.getrandbits(64))
        return BlockTrainer(task, end_steps, epochs, predicts, has_callbacks, own)
    return NativeTrainer(task, end_steps, epochs, predicts, has_callbacks, bool(compile))


class _NoBar:
    """The bar where nobody would see one."""

    def update(self, steps: int) -> None:
        """Show nothing."""

    def show(self, epoch: int, record: Record) -> None:
        """Show nothing."""


def _progress_bar(progress: bool, numbers: range, steps: int) -> AbstractContextManager[Bar]:
    """Return a progress bar in a terminal or a notebook; without tqdm, or into a pipe, none."""
    shell = sys.modules.get("IPython")  # a notebook's output is not a terminal, but is seen
    seen = sys.stdout and (sys.stdout.isatty() or (shell and shell.get_ipython()))
    if not (progress and seen):
        return nullcontext(_NoBar())
    if find_spec("tqdm") is None:
        print("(for a progress bar: pip install 'microgrid-autodiff[train]')")
        return nullcontext(_NoBar())
    with loading, uninterrupted():
        from .drawing.training.progress import ProgressBar

        bar: AbstractContextManager[Bar] = ProgressBar(numbers, steps)
        return bar
