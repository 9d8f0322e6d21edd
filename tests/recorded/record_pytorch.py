"""Record what PyTorch's optimizers, schedules and losses do, so that the tests need no PyTorch.

Run it in an environment with torch (float64, CPU, one thread; it takes a few seconds):

    python tests/recorded/record_pytorch.py

It writes pytorch.json beside itself, which holds, by section:

- problem, optimizers: the parameters after every step on one small problem, whose gradient is
  written below in plain Python floats, so that a test can use the very same formulas;
- clipping: gradients before and after clipping, by norm (with the norm) and by value;
- schedules: the learning rate at step 0, 1, 2, ...;
- losses: value and gradient by the predictions (the mean over the examples).

Options are the keyword arguments that were passed; what is not named has PyTorch's default. The
figures are exact to the bit in the file, but PyTorch's vector math differs in the last bits from
one processor to another, so a second recording need not be identical.
"""

import json
import math
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler

Record = dict[str, Any]
Options = dict[str, Any]

LINE_WIDTH = 300  # what fits stays on one line: a record, or a row of a trajectory

# ------------------------------------------------------------------------------------ optimizers

LOSS = "(1 - a)**2 + 10*(b - a**2)**2 + sin(3*c)/2 + c**2 + a*c/4"
START = [-0.5, 0.8, 0.3]
STEPS = 100
STEPS_UPHILL = 20  # the loss has no maximum: further up, the quartic term overflows

OPTIMIZERS: list[tuple[str, Options]] = [
    ("SGD", {"lr": 0.01}),
    ("SGD", {"lr": 0.01, "momentum": 0.9}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.01, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.001, "maximize": True}),
    ("SGD", {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95]}),
    ("Adam", {"lr": 0.05, "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.001, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "amsgrad": True}),
    ("AdamW", {"lr": 0.001, "weight_decay": 0.3, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9}),
    ("RMSprop", {"lr": 0.01, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.01, "centered": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.001, "maximize": True}),
]


def loss_gradient(a: float, b: float, c: float) -> list[float]:
    """Return the gradient of LOSS; a test that repeats these three lines has it bit for bit."""
    return [
        -2.0 * (1.0 - a) - 40.0 * a * (b - a * a) + c / 4.0,
        20.0 * (b - a * a),
        1.5 * math.cos(3.0 * c) + 2.0 * c + a / 4.0,
    ]


def with_gradients(values: list[float], gradients: list[float]) -> list[Tensor]:
    """Return one scalar parameter per value, holding its gradient."""
    parameters = [torch.tensor(value, requires_grad=True) for value in values]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    return parameters


def record_optimizer(name: str, options: Options) -> Record:
    """Return the parameters after every step from START."""
    parameters = with_gradients(START, loss_gradient(*START))
    optimizer = getattr(torch.optim, name)(parameters, **options)
    trajectory: list[list[float]] = []
    for _ in range(STEPS_UPHILL if options.get("maximize") else STEPS):
        optimizer.step()
        trajectory.append([parameter.item() for parameter in parameters])
        for parameter, gradient in zip(parameters, loss_gradient(*trajectory[-1]), strict=True):
            parameter.grad = torch.tensor(gradient)
    return {"class": name, "options": options, "trajectory": trajectory}


# -------------------------------------------------------------------------------------- clipping

CLIPPED_BY_NORM: list[tuple[float, list[float]]] = [  # max_norm, gradients
    (1.0, [0.3, -0.4, 0.1]),  # below the limit
    (10.0, [3.0, 4.0]),
    (1.0, [3.0, 4.0]),  # above it
    (2.5, [1.0, -2.0, 3.0, -4.0]),
    (0.1, [-7.5]),
    (1.0, [1e8, -1e-8, 0.0, 123.456]),
    (1e-3, [0.25, 0.5]),
    (5.0, [3.0, 4.0]),  # exactly at it
    (1.0, [0.0, 0.0, 0.0]),
]
CLIPPED_BY_VALUE: list[tuple[float, list[float]]] = [  # clip_value, gradients
    (1.0, [0.3, -0.4, 0.1]),
    (0.5, [3.0, -4.0, 0.25, 0.5, -0.5]),
    (2.5, [1e8, -1e8, 2.5, -2.4999]),
    (1.0, [0.0, 0.0]),
]


def record_clipping(name: str, options: Options, gradients: list[float]) -> Record:
    """Return the gradients after clipping and, when clipped by norm, the norm before."""
    parameters = with_gradients([0.0] * len(gradients), gradients)
    record: Record = {"name": name, "options": options, "gradients": gradients}
    if name == "clip_grad_norm_":
        record["total_norm"] = clip_grad_norm_(parameters, **options).item()
    else:
        clip_grad_value_(parameters, **options)
    return record | {"clipped": [p.grad.item() for p in parameters if p.grad is not None]}


# ------------------------------------------------------------------------------------- schedules

BASE_LR = 0.1

SCHEDULES: list[tuple[str, Options, int]] = [  # class, options, last step
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 30}, 50),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 10}, 50),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.0}, 40),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.001}, 40),
    ("ExponentialLR", {"gamma": 0.9}, 50),
    ("StepLR", {"step_size": 7, "gamma": 0.5}, 50),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 40}, 39),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 25, "pct_start": 0.5, "div_factor": 10.0}, 24),
]


def record_schedule(name: str, options: Options, last_step: int) -> Record:
    """Return the learning rates at steps 0 to last_step."""
    optimizer = torch.optim.SGD([torch.tensor(0.0, requires_grad=True)], lr=BASE_LR)
    schedule = getattr(lr_scheduler, name)(optimizer, **options)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(last_step):
        optimizer.step()  # PyTorch warns when a schedule moves before its optimizer
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return {"class": name, "options": options, "base_lr": BASE_LR, "lr": rates}


# ---------------------------------------------------------------------------------------- losses

REGRESSION: list[tuple[list[float], Any]] = [  # prediction, target
    ([0.0], [0.0]),
    ([0.5], [0.5]),
    ([0.5], [-1.5]),
    ([0.0, 1.0], [1.0, 0.0]),  # off by exactly 1: the kink of Huber's loss with delta 1
    ([0.3, -0.3, 0.0], [0.0, 0.0, 0.3]),  # and with delta 0.3
    ([1.5, -0.25, 2.0], [1.5, 0.75, -1.0]),
    ([0.1, 0.2, 0.3, 0.4], [0.4, 0.2, 0.1, -0.3]),
    ([1000.0, -1000.0, 0.0, 1e-8, 3.25], [-1000.0, -1000.0, 1e-8, 0.0, 3.0]),
]
MARGINS: list[tuple[list[float], Any]] = [  # the target is -1 or 1
    ([0.0], [1.0]),
    ([0.0], [-1.0]),
    ([1.0], [1.0]),  # a margin of exactly 1, the kink
    ([-1.0, 1.0], [-1.0, -1.0]),
    ([0.3, -0.7, 2.5], [1.0, 1.0, 1.0]),
    ([0.3, -0.7, 2.5, -1.5], [-1.0, -1.0, -1.0, -1.0]),
    ([1000.0, -1000.0, 1000.0, -1000.0, 1.0], [1.0, 1.0, -1.0, -1.0, 1.0]),
]
LOGITS: list[tuple[list[float], Any]] = [  # the target is 0, 1 or a probability between
    ([0.0], [0.0]),
    ([0.0], [1.0]),
    ([0.0, 0.0], [0.5, 0.25]),
    ([0.7, -1.3, 2.2], [1.0, 0.0, 0.3]),
    ([30.0, -30.0, 40.0, -40.0], [1.0, 0.0, 0.0, 1.0]),
    ([1000.0, -1000.0], [1.0, 0.0]),
    ([1000.0, -1000.0, 0.1], [0.0, 1.0, 0.9]),
    ([1000.0, -1000.0, 1000.0, -1000.0, 0.5], [0.5, 0.5, 0.0, 0.0, 1.0]),
]
CLASSES: list[tuple[list[float], Any]] = [  # the target is the index of the right class
    ([0.0, 0.0], 0),
    ([1.5, -0.5], 1),
    ([1000.0, -1000.0], 0),
    ([1000.0, -1000.0], 1),
    ([0.2, -1.1, 0.7], 0),
    ([0.2, -1.1, 0.7], 2),
    ([1000.0, -1000.0, 0.0], 0),
    ([1000.0, -1000.0, 0.0], 1),
    ([1000.0, -1000.0, 0.0], 2),
    ([1000.0, 1000.0, 1000.0], 1),
    ([3.0, 3.0, -2.0, 0.5], 0),
    ([0.1, 0.2, 0.3, 0.4, 0.5], 4),
    ([-5.0, 2.5, 0.0, 7.25, -1.0], 2),
]


def hinge(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean hinge loss of scores against targets of -1 or 1."""
    return torch.relu(1 - target * prediction).mean()


LOSSES: list[tuple[str, Callable[..., Tensor], Options, list[tuple[list[float], Any]]]] = [
    ("mse_loss", functional.mse_loss, {}, REGRESSION),
    ("l1_loss", functional.l1_loss, {}, REGRESSION),
    ("huber_loss", functional.huber_loss, {"delta": 1.0}, REGRESSION),
    ("huber_loss", functional.huber_loss, {"delta": 0.3}, REGRESSION),
    ("hinge", hinge, {}, MARGINS),
    (
        "binary_cross_entropy_with_logits",
        functional.binary_cross_entropy_with_logits,
        {},
        LOGITS,
    ),
    ("cross_entropy", functional.cross_entropy, {}, CLASSES),
]


def record_loss(
    name: str,
    function: Callable[..., Tensor],
    options: Options,
    prediction: list[float],
    target: list[float] | int,
) -> Record:
    """Return the loss and its gradient by each prediction."""
    predictions = torch.tensor(prediction, requires_grad=True)
    value = function(predictions, torch.tensor(target), **options)
    (gradient,) = torch.autograd.grad(value, predictions)
    return {
        "name": name,
        "options": options,
        "prediction": prediction,
        "target": target,
        "value": value.item(),
        "gradient": gradient.tolist(),
    }


# ---------------------------------------------------------------------------------- the recording


def record_all() -> Record:
    """Return everything that is written to the file."""
    return {
        "versions": {"torch": str(torch.__version__), "python": platform.python_version()},
        "problem": {"loss": LOSS, "start": START},
        "optimizers": [record_optimizer(name, options) for name, options in OPTIMIZERS],
        "clipping": [
            *(record_clipping("clip_grad_norm_", {"max_norm": n}, g) for n, g in CLIPPED_BY_NORM),
            *(
                record_clipping("clip_grad_value_", {"clip_value": v}, g)
                for v, g in CLIPPED_BY_VALUE
            ),
        ],
        "schedules": [record_schedule(*row) for row in SCHEDULES],
        "losses": [
            record_loss(name, function, options, prediction, target)
            for name, function, options, examples in LOSSES
            for prediction, target in examples
        ],
    }


def render(value: Any, indent: str = "") -> str:
    """Return value as JSON, broken over lines where it is wider than LINE_WIDTH."""
    line = json.dumps(value, allow_nan=False)  # floats as repr writes them: they round-trip
    if not isinstance(value, dict | list) or len(indent) + len(line) <= LINE_WIDTH:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {render(item, inner)}" for key, item in value.items()]
    else:
        parts = [render(item, inner) for item in value]
    body = ",\n".join(inner + part for part in parts)
    return f"{line[0]}\n{body}\n{indent}{line[-1]}"


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    Path(__file__).with_name("pytorch.json").write_text(render(record_all()) + "\n")
