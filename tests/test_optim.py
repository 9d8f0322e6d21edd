"""Optimizers and clipping take the same way as PyTorch's, whose figures are recorded."""

import json
import math
from pathlib import Path

import pytest

from microgrid import Value, optim

RECORDED = json.loads((Path(__file__).parent / "recorded" / "pytorch.json").read_text())
# Both round differently, and the path through the curved valley carries roundings on.
TRAJECTORY = {"rel_tol": 1e-12, "abs_tol": 1e-12}
ONE_STEP = {"rel_tol": 1e-15, "abs_tol": 0.0}


def slopes(a, b, c):
    """The gradient of the recorded problem, in the order of operations that it was recorded with."""
    return [
        -2.0 * (1.0 - a) - 40.0 * a * (b - a * a) + c / 4.0,
        20.0 * (b - a * a),
        1.5 * math.cos(3.0 * c) + 2.0 * c + a / 4.0,
    ]


def descend(optimizer, steps):
    for _ in range(steps):
        gradients = slopes(*[p.data for p in optimizer.parameters])
        for parameter, gradient in zip(optimizer.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        yield [p.data for p in optimizer.parameters]


def named(record):
    options = ", ".join(f"{name}={value}" for name, value in record["options"].items())
    return f"{record['class']}({options})"


@pytest.mark.parametrize("record", RECORDED["optimizers"], ids=named)
def test_a_trajectory_is_pytorchs(record):
    parameters = [Value(x) for x in RECORDED["problem"]["start"]]
    optimizer = getattr(optim, record["class"])(parameters, **record["options"])
    for step, (got, want) in enumerate(
        zip(descend(optimizer, len(record["trajectory"])), record["trajectory"], strict=True)
    ):
        for g, w in zip(got, want, strict=True):
            assert math.isclose(g, w, **TRAJECTORY), (step, got, want)
