"""The native side of `fit`: whole epochs of native steps, unless a callback looks in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice

from ...core.graph import numbers_of
from ...core.modes import current, unrecorded, watched
from ...engine import Value
from ...fitting.finiteness import name_place
from ...fitting.task import TrainingTask
from ...fitting.trainer import STEP_UNDONE, Bar, Epoch, Measurement, Trainer, Unmoved
from ...guards.interrupts import comes_from_handler, uninterrupted
from ...optim import Optimizer
from .steps import Effort, NativeSteps
from .stretch import EpochStretch

__all__ = ["NativeTrainer"]

SECONDS = 0.05  # about how long steps are taken at once: Ctrl-C and the bar wait for their end
FIRST_ROWS = 4  # whose loss is compared with Python's
AGREEMENT = 1e-6  # far more than rounding makes, far less than another number would
WORTH_OPTIMISING = 10**6  # rows to go through: of fewer, LLVM takes longer than it saves
# Rows times parameters: the code of loops does not grow with these. It is kept, and pays by the
# tenth training alike.
WORTH_OPTIMISING_LOOPS = 2 * 10**7
MOST_ROWS = 2**18  # of all epochs whose orders are drawn at once


class NativeTrainer(Trainer):
    """Takes the steps of a task natively, and those that a kernel cannot take in Python.

    Args:
        task, end_steps: as a `Trainer` takes them.
        epochs: how often all rows are gone through, at most.
        predicts: whether the predictions are wanted too.
        has_callbacks: whether somebody may look at the model after every epoch, and change it.
        insists: whether to raise an error where something cannot be compiled; else Python goes on.

    Raises:
        TypeError: something cannot be compiled, and `insists` is True.
    """

    need = "compile=True needs"  # begins the error where somebody insists
    has_fallback = True  # whether Python can take a first step, and say what is wrong

    def __init__(
        self,
        task: TrainingTask,
        end_steps: Callable[[Epoch], None],
        epochs: int,
        predicts: bool,
        has_callbacks: bool,
        insists: bool,
    ) -> None:
        super().__init__(task, end_steps)
        self.predicts, self.has_callbacks, self.insists = predicts, has_callbacks, insists
        rows, parameters = epochs * task.rows, len(task.optimizer.parameters)
        self.effort = Effort(
            int(rows >= WORTH_OPTIMISING), int(rows * parameters >= WORTH_OPTIMISING_LOOPS)
        )
        self.most_steps = 1  # at once, until one has been measured
        self.native = self._unless_refused(self._begin)  # None where Python takes the steps

    def epochs(
        self, orders: Iterator[tuple[int, Sequence[int]]], bar: Bar
    ) -> Generator[Epoch, None, None]:
        """Go through all rows in each of the numbered orders; yield the result of each epoch."""
        while self.native and (some := list(islice(orders, self._epochs_at_once()))):
            stretch = EpochStretch(self.task, self.native, self.columns, some)
            for e in range(len(some)):
                while len(stretch.epochs) <= e:
                    self._take(stretch, bar)
                yield stretch.epochs[e]
            if self.has_callbacks:
                self.native = self._unless_refused(self._look)
        yield from super().epochs(orders, bar)

    def validate(self, epoch: int) -> Measurement | None:
        """Measure the held-out examples after an epoch; return None if there are none."""
        if self.native and self.held_out is not None and self.task.held_out:
            loss, outs = self.native.measure(self.held_out)
            if math.isfinite(loss):
                return Measurement(loss, self.native.predictions(outs), self.task.held_out.targets)
        return super().validate(epoch)  # which says what is wrong

    def _unless_refused(self, compile: Callable[[], NativeSteps]) -> NativeSteps | None:
        """Return compiled steps, or None if Python has to take them, unless somebody insists."""
        try:
            return compile()
        except Exception as error:  # a model may raise anything of numbers that are not known yet
            is_unmoved = isinstance(error, Unmoved)
            if comes_from_handler(error) or (is_unmoved and not self.has_fallback):
                raise
            if self.insists and not (is_unmoved and self.steps == 0):
                what = f"{type(error).__name__}: {error}"
                what = str(error) if isinstance(error, TypeError) else what
                raise TypeError(f"{self.need} what can be compiled: {what}") from error
            return None  # and Python says what is wrong, if anything is

    def _begin(self) -> NativeSteps:
        task, steps = self.task, self._compile()
        self.columns = steps.columns(task.examples)
        self.held_out = steps.columns(task.held_out) if task.held_out else None
        return steps

    def _look(self) -> NativeSteps:
        """Go on from what a callback may have left."""
        _require_plain(self.task.optimizer)
        if self.native:
            self.native.read()
            if self.native.is_current():
                return self.native
        return self._compile()

    def _compile(self) -> NativeSteps:
        _require_plain(self.task.optimizer)
        steps = NativeSteps(self.task, self.predicts, self.effort)
        is_trusted = steps.derivation.is_trusted
        if not (steps.moves_as_compiled() if is_trusted else steps.is_current()):
            raise TypeError("what draws numbers, or counts its calls, differs every time")
        self._require_agreement(steps)
        steps.derivation.is_trusted = True
        return steps

    def _require_agreement(self, steps: NativeSteps) -> None:
        """Raise `TypeError` if Python computes something else of the first rows.

        It does where a model draws numbers from a generator that cannot be watched.
        """
        first = self.task.examples.at(range(min(FIRST_ROWS, len(self.task.examples.rows))))
        try:
            mean = self.measure(first).loss
        except (ArithmeticError, ValueError):
            return  # the training will say where
        compiled = steps.measure(steps.columns(first))[0]
        if not math.isclose(mean, compiled, rel_tol=AGREEMENT, abs_tol=AGREEMENT):
            raise TypeError(
                f"the mean loss of the first {len(first.rows)} rows is {mean} in Python, but "
                f"{compiled} as it was compiled: a model must not draw numbers, nor change from "
                "call to call"
            )

    def _epochs_at_once(self) -> int:
        if self.predicts or self.has_callbacks or self.task.held_out:
            return 1
        most_epochs = MOST_ROWS // len(self.task.examples.rows)
        return max(1, min(self.most_steps // self.task.batches, most_epochs))

    def _take(self, stretch: EpochStretch, bar: Bar) -> None:
        """Take steps natively; if not one can be taken, take it in Python."""
        optimizer, rates, done = self.task.optimizer, stretch.rates, stretch.done
        if len(rates) == done:
            rates += self._rates(min(self.most_steps, stretch.count - done))
        end = min(done + self.most_steps, len(rates))
        with uninterrupted():
            begin = time.perf_counter()
            stretch.run(end)
            elapsed = time.perf_counter() - begin
            taken = stretch.done - done
            optimizer.lr = rates[min(done + taken, len(rates) - 1)]
            if taken:
                stretch.steps.write()
                self.steps += taken
                self._finish(stretch)
            if taken < end - done:
                optimizer.zero_grad()  # the kernel may have left nan or inf
        if taken:
            self.most_steps = max(1, min(int(SECONDS * taken / max(elapsed, 1e-9)), 2**20))
            bar.update(taken)
        else:
            self._take_in_python(stretch, bar)

    def _take_in_python(self, stretch: EpochStretch, bar: Bar) -> None:
        """Take a step in Python: it raises an error that names the operation, if it fails there."""
        k = stretch.done
        epoch, place, batch = stretch.batch(k)
        with name_place(f"epoch {epoch}, batch {place}", STEP_UNDONE):
            loss, predictions, gradients = self.derive(batch)
            with uninterrupted():
                self.move(gradients)
                stretch.steps.read()
                stretch.add(loss, predictions if self.predicts else [])
                self._finish(stretch)
        bar.update(1)

    def _finish(self, stretch: EpochStretch) -> None:
        """End the epochs whose last step was taken."""
        for epoch in stretch.finish():
            self.end_steps(epoch)

    def _rates(self, count: int) -> list[float]:
        """Return the rates of the next steps, up to one for which the schedule raises an error."""
        rates: list[float] = []
        try:
            for step in range(self.steps, self.steps + count):
                rates.append(self.rate(step))
        except Exception as error:
            if not rates or comes_from_handler(error):
                raise
        return rates


def _require_plain(optimizer: Optimizer) -> None:
    """Raise `TypeError` for what only Python does."""
    for name in ("step", "_compute_update", "zero_grad"):
        own = getattr(getattr(optimizer, name), "__func__", None)
        if own is not getattr(Optimizer, name):
            raise TypeError(f"{type(optimizer).__name__} has a `{name}` of its own")
    parameters = optimizer.parameters
    if not (
        {Value}.issuperset(map(type, parameters))
        and {float}.issuperset(map(type, numbers_of(parameters)))
    ):
        raise TypeError("a kernel computes with floats, and not every parameter is one")
    if current(watched) or current(unrecorded):
        raise TypeError("under detect_anomaly() or no_grad() every node is made in Python")
