"""Training without Python: many steps of `fit` in one native call.

The loss of a row and its gradients, the clipping and the optimizer's rule are traced and compiled.
The rule is the same for every parameter, and runs over the parameters as over rows.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from ..calculus import gradients
from ..optim import Optimizer
from ..training import require_dependence, value_of
from ..trees import flatten
from .llvm import KernelText
from .machine import Code, this_machine
from .passes import optimized
from .program import Program
from .trace import Traced, unknown

__all__ = ["NativeSteps"]

Clip = Callable[[Sequence[Any]], Sequence[Any]]
Function = Callable[..., Any]

# The fields of %layout in training.ll, in their order; integers have names in capitals.
FIELDS = (
    *("loss.kernel", "clip.kernel", "rule.kernel", "PARAMETERS", "MADE.COUNT"),
    *("COLUMNS", "columns.from", "columns.now", "strides", "OUTS", "outs.from", "outs.now"),
    *("shared", "sums", "gradients", "clip.shared", "clip.places"),
    *("rule.columns", "rule.strides", "rule.outs", "rule.shared", "made", "state"),
    *("firsts", "sizes", "rates", "losses", "TAKEN"),
)


class NativeSteps:
    """The steps of a training, compiled.

    It works on its own copy of the parameters and of what the optimizer remembers: `read` takes
    them from the optimizer, and `write` puts them back.

    Args:
        model: of a row, a list of numbers.
        loss: of a prediction and a target.
        optimizer: moves the parameters that it was made with.
        clip: changes the gradients before a step, or None.
        rows: rows of the training's width.
        targets: their targets, numbers or lists of numbers, all of one length.
        predicts: whether the predictions are wanted too.

    Raises:
        TypeError: something cannot be compiled: it says what, and what to write instead.
        ValueError: the loss does not depend on the parameters.
    """

    def __init__(
        self,
        model: Function,
        loss: Function,
        optimizer: Optimizer,
        clip: Clip | None,
        rows: Sequence[Sequence[float]],
        targets: Sequence[Any],
        predicts: bool,
    ) -> None:
        self.optimizer, self.model, self.loss, self.clip = optimizer, model, loss, clip
        self.width, self.target_width = len(rows[0]), _target_width(targets)
        self.predicts = predicts
        count, slots = len(optimizer.parameters), optimizer.slots
        self.program, self.template = self._traced()
        self.options = self._options()
        machine = this_machine()
        outs = range(1 + count, len(self.program.outputs))
        text = KernelText(self.program, range(count), outs, range(1 + count), machine)
        self.outs = len(outs)
        self._loss = Code(text.text(), machine)
        self._train = _loop().function("train", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
        columns = len(text.columns)
        self.shared = np.zeros(text.room)
        self.sums, self.gradients = np.zeros(1 + count), np.zeros(count)
        self.made, self.state = np.zeros((1 + slots) * count), np.zeros(slots * count)
        self._strides = np.full(max(columns, 2 + slots), 8, np.int64)
        self._now = np.zeros(columns, np.int64), np.zeros(self.outs, np.int64)
        rule = self._rule_text()
        self._rule, self.rule_shared = Code(rule.text(), machine), np.zeros(rule.room)
        at = [self.shared, self.gradients, *np.split(self.state, slots or 1)[:slots]]
        self._rule_columns = _addresses(at)
        self._rule_outs = _addresses(np.split(self.made, 1 + slots))
        self._layout = np.zeros(len(FIELDS), np.int64)
        self._set(
            **{"loss.kernel": self._loss.address("kernel"), "strides": self._strides},
            **{"rule.kernel": self._rule.address("kernel"), "PARAMETERS": count},
            **{"MADE.COUNT": len(self.made), "COLUMNS": columns, "OUTS": self.outs},
            **{"columns.now": self._now[0], "outs.now": self._now[1], "shared": self.shared},
            **{"sums": self.sums, "gradients": self.gradients, "made": self.made},
            **{"rule.columns": self._rule_columns, "rule.strides": self._strides},
            **{"rule.outs": self._rule_outs, "rule.shared": self.rule_shared, "state": self.state},
        )
        if clip:
            self._compile_clip(clip)
        self.interrupted = False
        self.read()

    def columns(self, rows: Sequence[Sequence[float]], targets: Sequence[Any]) -> Any:
        """Return rows and targets as an array with a line for each column."""
        flat = [list(t) if self.target_width is not None else [t] for t in targets]
        if any(len(t) != len(flat[0]) for t in flat):
            raise TypeError("to be compiled, all targets must be of one length")
        return np.ascontiguousarray(np.hstack([np.array(rows), np.array(flat, float)]).T)

    def room_for_predictions(self, columns: Any) -> Any:
        """Return an array for the predictions of rows, with a line for each of their numbers."""
        return np.empty((self.outs, columns.shape[1]))

    def run(
        self,
        columns: Any,
        outs: Any,
        firsts: Sequence[int],
        sizes: Sequence[int],
        rates: Sequence[float],
    ) -> list[float]:
        """Take steps on batches of the columns; return their losses, and fill in predictions.

        There are fewer losses than steps if one would have left a number that is not finite: it is
        not taken. After a Ctrl-C meanwhile, `interrupted` is true.
        """
        losses = np.zeros(len(sizes))
        steps = [np.array(firsts, np.int64), np.array(sizes, np.int64), np.array(rates, float)]
        given = [_addresses(columns), _addresses(outs)]
        self._set(
            **{"columns.from": given[0], "outs.from": given[1], "losses": losses},
            **{"firsts": steps[0], "sizes": steps[1], "rates": steps[2]},
        )
        before = self._taken()
        self.interrupted = False
        try:
            self._train(self._layout.ctypes.data, len(sizes))
        except KeyboardInterrupt:
            self.interrupted = True  # the steps are taken: their losses must not be lost
        taken: list[float] = losses[: self._taken() - before].tolist()
        return taken

    def measure(self, columns: Any) -> tuple[float, Any]:
        """Return the mean loss of all rows of the columns, and the predictions, without a step."""
        rows = columns.shape[1]
        outs = self.room_for_predictions(columns)
        given = [_addresses(columns), self._strides, _addresses(outs), self.shared, self.sums]
        kernel = self._loss.function("kernel", None, ctypes.c_int64, *[ctypes.c_void_p] * 5)
        kernel(rows, *[array.ctypes.data for array in given])
        return float(self.sums[0]) / rows, outs

    def predictions(self, outs: Any) -> list[Any]:
        """Return the predictions of rows as the model gave them, of plain numbers."""
        if not self.outs:
            return []
        if type(self.template) is int:
            return list(outs[0].tolist())
        return [_in_places(self.template, numbers) for numbers in outs.T.tolist()]

    def read(self) -> None:
        """Take the parameters and what the optimizer remembers of them from the optimizer."""
        count = len(self.optimizer.parameters)
        self.shared[:count] = [parameter.data for parameter in self.optimizer.parameters]
        if self.optimizer.slots:
            self.state[:] = np.array(self.optimizer.state, float).T.ravel()
        self._set(TAKEN=self.optimizer.steps)
        if self._options() != self.options:
            self.options, rule = self._options(), self._rule_text()
            self._rule, self.rule_shared = Code(rule.text(), this_machine()), np.zeros(rule.room)
            self._set(
                **{"rule.kernel": self._rule.address("kernel"), "rule.shared": self.rule_shared}
            )

    def write(self) -> None:
        """Put the parameters, their gradients and what is remembered back into the optimizer."""
        optimizer = self.optimizer
        count, slots = len(optimizer.parameters), optimizer.slots
        numbers = self.shared[:count].tolist()
        for parameter, x, g in zip(
            optimizer.parameters, numbers, self.gradients.tolist(), strict=True
        ):
            parameter.data, parameter.grad = x, g
        if slots:
            optimizer.state = list(zip(*self.state.reshape(slots, count).tolist(), strict=True))
        optimizer.steps = self._taken()

    def is_current(self) -> bool:
        """Return whether the model, the loss and the clipping still are what was compiled.

        A callback may have changed them; and one that draws numbers differs at every run.
        """
        return self._traced()[0] == self.program

    def _taken(self) -> int:
        return int(self._layout[FIELDS.index("TAKEN")])

    def _set(self, **fields: Any) -> None:
        for name, x in fields.items():
            number = x.ctypes.data if isinstance(x, np.ndarray) else x
            self._layout[FIELDS.index(name)] = number

    def _traced(self) -> tuple[Program, Any]:
        """Return the program of a row's loss, its gradients and the predictions."""
        parameters = self.optimizer.parameters
        row = [Traced(f"x{i}") for i in range(self.width)]
        target = [Traced(f"y{i}") for i in range(self.target_width or 1)]
        with unknown(parameters):
            prediction = self.model(list(row))
            loss = self.loss(prediction, target[0] if self.target_width is None else list(target))
            require_dependence(value_of(loss), parameters)
            scalars, structure = flatten(prediction) if self.predicts else ([], None)
            slopes = gradients(loss, parameters)
            program = Program.from_values([loss, *slopes, *scalars], [*parameters, *row, *target])
        template = structure.result(list(range(len(scalars)))) if structure else []
        return optimized(program), template

    def _rule_text(self) -> KernelText:
        """Return the kernel of the optimizer's rule, which has the parameters for rows."""
        slots = self.optimizer.slots
        names = ["p", "g", *(f"state{i}" for i in range(slots)), "lr", "step"]
        p, g, *state, rate, step = inputs = [Traced(name) for name in names]
        new, remembered = self.optimizer.update(p, g, tuple(state), rate, step)
        program = optimized(Program.from_values([new, *remembered], inputs))
        outs = range(1 + slots)
        return KernelText(program, [2 + slots, 3 + slots], outs, (), this_machine())

    def _compile_clip(self, clip: Clip) -> None:
        gradients = [Traced(f"g{i}") for i in range(len(self.optimizer.parameters))]
        clipped = clip(gradients)
        if not isinstance(clipped, Sequence) or len(clipped) != len(gradients):
            raise TypeError(f"`clip` must return {len(gradients)} gradients, got {clipped!r}")
        program = optimized(Program.from_values(clipped, gradients))
        text = KernelText(program, range(len(gradients)), (), (), this_machine())
        self._clip = Code(text.text(), this_machine())
        # all is shared, and so in its place after the call; constants wait behind these places
        constants = [slot for slot in program.outputs if slot not in text.kept]
        self.clip_shared = np.zeros(text.room + len(constants))
        places = {slot: text.room + i for i, slot in enumerate(constants)}
        for slot, place in places.items():
            self.clip_shared[place] = program.steps[slot - len(gradients)][1][0]
        self._clip_places = np.array(
            [text.kept.get(slot, places.get(slot)) for slot in program.outputs], np.int64
        )
        self._set(
            **{"clip.kernel": self._clip.address("kernel"), "clip.shared": self.clip_shared},
            **{"clip.places": self._clip_places},
        )

    def _options(self) -> dict[str, Any]:
        """Return what the rule's program depends on."""
        changing = ("parameters", "lr", "steps", "state")
        return {name: x for name, x in vars(self.optimizer).items() if name not in changing}


@cache
def _loop() -> Code:
    """Return the code of training.ll."""
    loads = []
    for i, name in enumerate(FIELDS):
        kind = "i64" if name.isupper() else "ptr"
        field = f"%{name.lower()}"
        loads.append(f"  {field}.field = getelementptr %layout, ptr %layout, i32 0, i32 {i}")
        loads.append(f"  {field} = load {kind}, ptr {field}.field")
    text = Template((files(__package__) / "training.ll").read_text())
    return Code(text.substitute(LOADS="\n".join(loads)), this_machine())


def _target_width(targets: Sequence[Any]) -> int | None:
    """Return how many numbers a target is a list of; None if it is a number."""
    return len(targets[0]) if isinstance(targets[0], list) else None


def _addresses(arrays: Any) -> Any:
    return np.array([array.ctypes.data for array in arrays], np.int64)


def _in_places(template: Any, numbers: Sequence[float]) -> Any:
    if type(template) is int:
        return numbers[template]
    return [_in_places(part, numbers) for part in template]
