# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Uses of everything public, with the type that each has: for type checkers, and to be run.

Both checkers must find the types that are written here; `test_typing` also runs the functions and
asks of each result whether it is what the checkers believe. What `refused` holds must be an error.
"""

from collections.abc import Callable
from typing import Any, assert_type

import microgrid as mg
from microgrid import Module, Value

Number = Value | float


class Line(Module):
    def __init__(self) -> None:
        self.slope, self.offset = Value(2.0), Value(1.0)

    def __call__(self, x: Number) -> Value:
        return self.slope * x + self.offset


def cube(x: Number) -> Number:
    return x**3


def scaled(x: Value, scale: Number, *, shift: Number = 0.0) -> Value:
    return x * scale + shift


def with_text(x: Value) -> tuple[Value, str]:
    return x * x, "squared"


def product(x: list[Value]) -> Value:
    return x[0] * x[1]


def doubled(x: list[Value]) -> list[Value]:
    return [2.0 * x[0], 2.0 * x[1]]


def error(model: Line, x: float) -> Value:
    return model(x) ** 2


def use_gradients() -> None:
    x = Value(2.0)
    assert_type(mg.gradients(x * x, x), Value)
    assert_type(mg.gradients(x * x, [x]), list[Value])
    assert_type(mg.gradients(x * x, {"x": x}), dict[str, Value])
    assert_type(mg.gradients(error(model := Line(), 2.0), model), dict[str, Value])


def use_gradient_functions() -> None:
    x = Value(2.0)
    assert_type(mg.grad(lambda x: x**3)(2.0), float)
    assert_type(mg.grad(mg.grad(lambda x: x**3))(2.0), float)
    assert_type(mg.grad(cube)(2), float)
    assert_type(mg.grad(cube)(x), Value)
    assert_type(mg.grad(mg.sin)(2.0), float)
    assert_type(mg.grad(mg.sin)(x), Value)
    assert_type(mg.grad(scaled)(2.0, 3.0, shift=1.0), float)
    assert_type(mg.grad(mg.grad(scaled))(2.0, scale=3.0), float)
    assert_type(mg.grad(product)([2.0, 3.0]), list[float])
    assert_type(mg.grad(product)([x, x]), list[Value])
    assert_type(mg.grad(error)(Line(), 2.0), dict[str, Value])
    assert_type(mg.grad(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.grad(with_text, has_aux=True)(x), tuple[Any, Any])
    assert_type(mg.value_and_grad(scaled)(2.0, 3.0), tuple[float, float])
    assert_type(mg.value_and_grad(scaled)(x, 3.0), tuple[Value, Value])
    assert_type(mg.value_and_grad(product)([2.0, 3.0]), tuple[float, list[float]])
    assert_type(mg.value_and_grad(product)([x, x]), tuple[Value, list[Value]])
    assert_type(mg.value_and_grad(error)(Line(), 2.0), tuple[Value, dict[str, Value]])
    assert_type(mg.value_and_grad(scaled, argnums=1)(x, 2.0), tuple[Any, Any])
    assert_type(mg.value_and_grad(with_text, has_aux=True)(x), tuple[tuple[Any, Any], Any])


def use_other_transforms() -> None:
    x = Value(2.0)
    assert_type(mg.jacobian(scaled)(2.0, 3.0), float)
    assert_type(mg.jacobian(product)([2.0, 3.0]), list[float])
    assert_type(mg.jacobian(doubled)([2.0, 3.0]), list[list[float]])
    assert_type(mg.jacobian(doubled)([x, x]), list[list[Value]])
    assert_type(mg.jacobian(lambda x: [x, x * x])(2.0), list[float])
    assert_type(mg.jacobian(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.hessian(scaled)(2.0, 3.0), float)
    assert_type(mg.hessian(cube)(x), Value)
    assert_type(mg.hessian(product)([2.0, 3.0]), list[list[float]])
    assert_type(mg.hessian(product)([x, x]), list[list[Value]])
    assert_type(mg.hessian(scaled, argnums=1)(x, 2.0), Any)
    assert_type(mg.hvp(product, ([2.0, 3.0],), ([1.0, 0.0],)), list[float])
    assert_type(mg.hvp(scaled, (2.0, 3.0), (1.0, 0.0)), tuple[float, ...])
    assert_type(mg.jvp(scaled, (2.0, 3.0), (1.0, 0.0)), tuple[float, float])
    assert_type(mg.jvp(scaled, (x, x), (1.0, 0.0)), tuple[Value, Value])
    assert_type(mg.jvp(doubled, ([2.0, 3.0],), ([1.0, 0.0],)), tuple[Any, Any])
    value, pull = mg.vjp(scaled, 2.0, 3.0)
    assert_type(value, float)
    assert_type(pull(1.0), tuple[float, ...])
    assert_type(mg.vjp(cube, x)[1](x), tuple[Value, ...])
    assert_type(mg.vjp(doubled, [2.0, 3.0]), tuple[Any, Callable[[Any], tuple[Any, ...]]])
    assert_type(mg.taylor(mg.exp, 0.0, 4), list[float])
    assert_type(mg.taylor(mg.exp, x, 4), list[Value])


def refused() -> None:
    x = Value(2.0)
    mg.gradients("x", x)  # type: ignore
    mg.grad(scaled)(2.0)  # type: ignore
    mg.grad(scaled)(2.0, "3")  # type: ignore
    mg.grad(scaled)(2.0, 3.0, shifts=1.0)  # type: ignore
    mg.value_and_grad(product)([2.0, 3.0], 1.0)  # type: ignore
    mg.taylor(mg.exp, 0.0, "4")  # type: ignore
