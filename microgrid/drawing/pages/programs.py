"""What a training consists of, as programs that a page runs: activations, losses, rules of steps.

Each is the library's own, run once on numbers that are not known; none is written down here.
"""

from __future__ import annotations

from collections.abc import Callable

from ...calculus import gradients
from ...compiler.trace import Traced, nothing_swallowed
from ...core.graph import recording
from ...engine import Value
from ...losses import binary_cross_entropy, cross_entropy
from ...optim import Optimizer
from ..stepper.recomputing import listing

__all__ = ["activation_program", "loss_program", "rule_program"]


def activation_program(activation: Callable[[Value], Value]) -> dict[str, object]:
    """Return what computes an activation and its slope.

    Raises:
        TypeError: the activation cannot be traced, as it asks what number it was given.

    >>> from microgrid import tanh
    >>> activation_program(tanh)["steps"][0]
    ['tanh', 0]
    """
    (x,) = operands = _unknown(1)
    with nothing_swallowed(), recording():
        y = activation(x)
        outputs = [y, gradients(y, x)]
    return listing(outputs, operands)


def loss_program(outputs: int) -> dict[str, object]:
    """Return what computes a row's loss, and its derivatives with respect to the outputs.

    Of one output, a logit, the operands are that and the target; of more, the logits, the right
    one first.

    >>> len(loss_program(1)["outputs"]), len(loss_program(3)["outputs"])
    (2, 4)
    """
    operands = _unknown(max(outputs, 2))
    logits = operands[:outputs]
    with recording():
        loss = binary_cross_entropy(*operands) if outputs == 1 else cross_entropy(logits, 0)
        results = [loss, *gradients(loss, logits)]
    return listing(results, operands)


def rule_program(optimizer: Optimizer) -> dict[str, object]:
    """Return what computes a new parameter and its new state.

    The operands are the parameter, its gradient, the state, the rate and the number of the step.

    >>> from microgrid import Value, optim
    >>> rule_program(optim.SGD([Value(0.0)]))["outputs"][1:]  # no momentum, no memory
    [2]
    """
    p, g, *state, lr, step = operands = _unknown(optimizer.slots + 4)
    with recording():
        new, memory = optimizer.update(p, g, tuple(state), lr, step)
    return listing([new, *memory], operands)


def _unknown(count: int) -> list[Traced]:
    return [Traced(f"x{i}") for i in range(count)]
