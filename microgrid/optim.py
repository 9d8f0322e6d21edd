"""Optimizers: how gradients become new parameters.

Names, options and rules are PyTorch's. A rule is written once, on scalars: `update` takes a
parameter, its gradient and its state to new ones, by operators and this library's functions alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from .core.graph import changing, set_data, set_gradients, was_passed
from .core.reals import number
from .core.sequences import as_list, is_number, is_ordered, is_sequence
from .engine import Value, zero_grad
from .functional import Number, Scalar, clip, maximum, minimum, norm, relu, sqrt, where
from .guards.checks import (
    LONGEST,
    quote,
    quote_names,
    require_bools,
    require_integers,
    require_numbers,
)
from .guards.interrupts import uninterrupted
from .guards.mistakes import warn_of_no_backward

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_norm",
    "clip_value",
]

State = tuple[Number, ...]
Options = Mapping[str, Callable[..., None]]


class Optimizer:
    """What the optimizers share: the parameters, each once, their state, and the step.

    A kind of optimizer is an `update` rule. It remembers `slots` numbers for every parameter, which
    start at 0; those at the places `squares` are never less. `options` has a function for each
    option, which refuses a wrong one; the options become attributes.

    Raises:
        TypeError: a parameter is not a Value, or an option has another type than it must have.
        ValueError: there are no parameters, one is not a leaf, or an option is out of its range.

    >>> from microgrid import sign
    >>> class Signs(Optimizer):
    ...     def update(self, p, g, state, lr, step):
    ...         return p - lr * sign(g), state
    >>> x = Value(1.0)
    >>> optimizer = Signs([x], lr=0.25)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> optimizer.zero_grad()
    >>> x.data, x.grad, optimizer.current_options()
    (0.75, 0.0, {'lr': 0.25})
    """

    slots = 0
    squares: ClassVar[tuple[int, ...]] = ()
    options: ClassVar[Options] = {"lr": require_numbers}

    def __init__(self, parameters: Iterable[Value], lr: float, **options: object) -> None:
        given = _require_parameters(parameters)
        for parameter in given:
            if parameter.op is not None:
                raise ValueError(f"parameters must be leaves, got the result of {parameter.op!r}")
        if not given:
            raise ValueError("an optimizer needs at least one parameter, got none")
        self.require_options({"lr": lr, **options})
        self.parameters = list(dict.fromkeys(given))
        self.lr = lr
        vars(self).update(options)
        self.steps = 0
        self.state: list[State] = [(0.0,) * self.slots] * len(self.parameters)

    def current_options(self) -> dict[str, Any]:
        """Return the current options by their names."""
        return {name: getattr(self, name) for name in self.options}

    def require_options(self, options: Mapping[str, Any]) -> None:
        """Raise `TypeError` or `ValueError` for options that this kind of optimizer cannot have.

        >>> SGD([Value(1.0)]).require_options({"speed": 1.0})
        Traceback (most recent call last):
            ...
        TypeError: SGD has no option speed
        """
        for name, option in options.items():
            if name not in self.options:
                raise TypeError(f"{type(self).__name__} has no option {name}")
            self.options[name](**{name: option})

    def update(
        self, p: Number, g: Number, state: State, lr: Number, step: Number
    ) -> tuple[Number, State]:
        """Return the new parameter and state for a gradient; `step` counts from 1.

        >>> SGD([Value(1.0)]).update(1.0, 2.0, (0.0,), lr=0.25, step=1)
        (0.5, (0.0,))
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no rule: write its `update`, or use SGD, Adam or another"
        )

    def require_update(self, answer: Any) -> None:
        """Raise `TypeError` unless `update` has returned a parameter and its state.

        >>> SGD([Value(1.0)]).require_update(0.5)
        Traceback (most recent call last):
            ...
        TypeError: `update` of SGD must return a parameter and its state, a tuple of 1 numbers, ...
        """
        is_pair = is_sequence(answer) and len(answer) == 2
        if not is_pair or not is_sequence(answer[1]) or len(answer[1]) != self.slots:
            must = f"a parameter and its state, a tuple of {self.slots} numbers"
        elif not all(map(_is_plain, (answer[0], *answer[1]))):
            must = "plain numbers"
        else:
            return
        name = type(self).__name__
        raise TypeError(f"`update` of {name} must return {must}, got {quote(answer)}")

    def require_state(self) -> None:
        """Raise `TypeError` or `ValueError` if `steps` or `state` are as no training leaves them.

        >>> optimizer = SGD([Value(1.0)])
        >>> optimizer.steps = -1
        >>> optimizer.require_state()
        Traceback (most recent call last):
            ...
        ValueError: `steps` must be an integer, at least 0, got -1
        """
        require_integers(steps=self.steps, least=0, largest=LONGEST)
        self._require_states(self.state)

    def step(self) -> None:
        """Move every parameter by its `grad`: all of them, or after an exception none.

        It warns with a `GradientWarning` if no `backward` has reached the parameters.

        Raises:
            FloatingPointError: a parameter or its state would not be finite.
        """
        self.require_options(self.current_options())
        require_integers(steps=self.steps, least=0, largest=LONGEST)
        _gradients(_require_parameters(self.parameters))
        before = [parameter.data for parameter in self.parameters]
        if not is_sequence(self.state) or len(self.state) != len(before):
            self.require_state()
        if not any(p.grad or was_passed(p) for p in self.parameters):
            warn_of_no_backward()
        updates = [self._compute_update(i) for i in range(len(before))]
        for i, update in enumerate(updates):
            try:
                p, state = update
                is_finite = all(map(math.isfinite, (p, *state)))
            except (OverflowError, TypeError, ValueError):
                is_finite = False
            if not is_finite or len(state) != self.slots:
                self.require_update(update)
                raise FloatingPointError(
                    f"the step must leave every parameter finite, got {quote(p)} for the one at "
                    f"{i}, of {before[i]!r} and the gradient {self.parameters[i].grad!r}, and the "
                    f"state {quote(state)}"
                )
        data, states = [p for p, _ in updates], [state for _, state in updates]
        with uninterrupted():
            set_data(self.parameters, data)
            self.state, self.steps = states, self.steps + 1

    def _compute_update(self, i: int) -> tuple[Any, State]:
        """Return what `update` makes of a parameter."""
        p, g = self.parameters[i].data, self.parameters[i].grad
        try:
            return self.update(p, g, self.state[i], self.lr, self.steps + 1)
        except ArithmeticError as error:
            error.add_note(f"in the step of parameter {i}, {p!r} with the gradient {g!r}")
            raise
        except (TypeError, ValueError):
            self.require_state()
            raise

    def zero_grad(self) -> None:
        """Set every parameter's gradient to 0."""
        zero_grad(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Return what a later training needs to continue from here, ready for JSON.

        That is the kind of optimizer, its options, the number of steps, and each parameter's state.

        >>> SGD([Value(1.0)], lr=0.1, momentum=0.9).state_dict()["momentum"]
        0.9
        """
        options = self.current_options().items()
        return {
            "kind": type(self).__name__,
            **{name: list(x) if isinstance(x, tuple) else x for name, x in options},
            "steps": self.steps,
            "state": [list(state) for state in self.state],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, with its options; those that it does not name stay.

        Raises:
            ValueError, TypeError: the state belongs to another kind of optimizer or to other
                parameters, or no training could have left it; then nothing is changed.

        >>> optimizer = SGD([Value(1.0)])
        >>> optimizer.load_state_dict({"lr": 0.5, "steps": 3, "state": [[0.0]]})
        >>> optimizer.lr, optimizer.steps
        (0.5, 3)
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"the state must be a mapping, as of state_dict(), got {quote(state)}")
        own, kind = type(self).__name__, state.get("kind", type(self).__name__)
        if not isinstance(kind, str) or kind != own:
            raise ValueError(f"the state must be that of the kind {own}, got {quote(kind)}")
        needed = {"lr", "steps", "state"}
        missing, unexpected = needed - state.keys(), state.keys() - self.options - needed - {"kind"}
        if missing or unexpected:
            raise ValueError(
                f"the state must have lr, steps, state and at most the options of {own}; "
                f"missing: {quote_names(missing)}; unexpected: {quote_names(unexpected)}"
            )
        given = {name: state.get(name, x) for name, x in self.current_options().items()}
        options = {name: tuple(x) if type(x) is list else x for name, x in given.items()}
        self.require_options(options)
        require_integers(steps=state["steps"], least=0, largest=LONGEST)
        states = self._require_states(state["state"])
        vars(self).update(options, steps=int(state["steps"]), state=states)

    def _require_states(self, states: Any) -> list[State]:
        """Return the state of each parameter; raise an error if no training can leave it so."""
        if self._are_as_left(states):
            return list(states)
        must = f"must have {self.slots} numbers for each of {len(self.parameters)} parameters"
        if not is_sequence(states) or not all(map(is_sequence, states)):
            raise TypeError(f"`state` {must}, got {quote(states)}")
        if [len(state) for state in states] != [self.slots] * len(self.parameters):
            lengths = sorted({len(state) for state in states})
            raise ValueError(f"the state {must}, got {len(states)} rows of {lengths}")
        for i, state in enumerate(states):
            for place, x in enumerate(state):
                least = 0.0 if place in self.squares else -math.inf
                require_numbers(**{f"state[{i}][{place}]": x}, least=least)
        return [tuple(map(number, state)) for state in states]

    def _are_as_left(self, states: Any) -> bool:
        """Return whether states need no second look, as those that a training has left."""
        if type(states) is not list or not {tuple}.issuperset(map(type, states)):
            return False
        numbers = list(chain.from_iterable(states))
        columns = [numbers[place :: self.slots] for place in self.squares]
        return (
            [*map(len, states)] == [self.slots] * len(self.parameters)
            and {float}.issuperset(map(type, numbers))
            and math.isfinite(sum(numbers))  # as no sum with inf or nan is
            and all(min(column) >= 0 for column in columns)
        )

    def __repr__(self) -> str:
        hidden = ("parameters", "state", "steps")
        options = [f"{name}={value!r}" for name, value in vars(self).items() if name not in hidden]
        return f"{type(self).__name__}({len(self.parameters)} parameters, {', '.join(options)})"


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's.

    >>> x = Value(1.0)
    >>> optimizer = SGD([x], lr=0.1)
    >>> (x * x).backward(); optimizer.step()
    >>> x.data
    0.8
    """

    slots = 1
    options: ClassVar[Options] = {
        **Optimizer.options,
        **dict.fromkeys(["momentum", "dampening", "weight_decay"], require_numbers),
        **dict.fromkeys(["nesterov", "maximize"], require_bools),
    }
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    maximize: bool

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize,
        )  # fmt: skip

    def require_options(self, options: Mapping[str, Any]) -> None:
        """Raise `TypeError` or `ValueError` for options that SGD cannot have.

        >>> SGD([Value(1.0)], nesterov=True)
        Traceback (most recent call last):
            ...
        ValueError: nesterov needs a momentum above 0 and no dampening, got 0.0 and 0.0
        """
        super().require_options(options)
        momentum, dampening = options["momentum"], options["dampening"]
        if options["nesterov"] and not (momentum > 0 and dampening == 0):
            raise ValueError(
                "nesterov needs a momentum above 0 and no dampening, "
                f"got {momentum!r} and {dampening!r}"
            )

    def update(
        self, p: Number, g: Number, state: State, lr: Number, step: Number
    ) -> tuple[Number, State]:
        """Return the new parameter and velocity."""
        g = (-g if self.maximize else g) + self.weight_decay * p
        if not self.momentum:
            return p - lr * g, state
        (velocity,) = state
        # the first gradient enters whole: there is no velocity yet beside which to dampen it
        velocity = self.momentum * velocity + where(step > 1, 1 - self.dampening, 1) * g
        return p - lr * (g + self.momentum * velocity if self.nesterov else velocity), (velocity,)


def _require_betas(betas: object) -> None:
    if not is_sequence(betas) or len(betas) != 2:
        raise TypeError(f"`betas` must be two numbers, got {quote(betas)}")
    for beta in betas:
        require_numbers(betas=beta, below=1)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2014): steps by the mean gradient over the root of its mean square.

    `eps` is added outside of the root, and `weight_decay` to the gradient, unless it is `AdamW`.

    >>> x = Value(1.0)
    >>> optimizer = Adam([x], lr=0.1)
    >>> (x * x).backward(); optimizer.step()
    >>> round(x.data, 6)
    0.9
    """

    slots = 3
    squares = (1, 2)
    decoupled = False
    options: ClassVar[Options] = {
        **Optimizer.options,
        "betas": _require_betas,
        **dict.fromkeys(["eps", "weight_decay"], require_numbers),
        **dict.fromkeys(["amsgrad", "maximize"], require_bools),
    }
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    maximize: bool

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr, betas=tuple(betas) if is_sequence(betas) else betas, eps=eps,
            weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
        )  # fmt: skip

    def update(
        self, p: Number, g: Number, state: State, lr: Number, step: Number
    ) -> tuple[Number, State]:
        """Return the new parameter, and the running means of g and g² and the greatest g² mean."""
        mean, square, greatest = state
        beta1, beta2 = self.betas
        g = -g if self.maximize else g
        if self.decoupled:
            p = p - lr * self.weight_decay * p
        else:
            g = g + self.weight_decay * p
        mean = beta1 * mean + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * g * g
        greatest = maximum(greatest, square) if self.amsgrad else square
        # both means start at 0, and are too near to it by these shares
        bias1, bias2 = 1 - beta1**step, 1 - beta2**step
        p = p - lr / bias1 * mean / (sqrt(greatest) / sqrt(bias2) + self.eps)
        return p, (mean, square, greatest)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2017).

    >>> x = Value(1.0)
    >>> optimizer = AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).backward(); optimizer.step()
    >>> round(x.data, 6)
    0.85
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        # the same but for the default of weight_decay, which is PyTorch's
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): steps by the gradient over the root of its mean square.

    `eps` is added outside of the root, as in PyTorch; TensorFlow and optax add it inside.

    >>> x = Value(1.0)
    >>> optimizer = RMSprop([x], lr=0.1)
    >>> (x * x).backward(); optimizer.step()
    >>> round(x.data, 6)
    0.0
    """

    slots = 3
    squares = (0,)
    options: ClassVar[Options] = {
        **Optimizer.options,
        "alpha": partial(require_numbers, below=1),
        **dict.fromkeys(["eps", "weight_decay", "momentum"], require_numbers),
        **dict.fromkeys(["centered", "maximize"], require_bools),
    }
    alpha: float
    eps: float
    weight_decay: float
    momentum: float
    centered: bool
    maximize: bool

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered, maximize=maximize,
        )  # fmt: skip

    def update(
        self, p: Number, g: Number, state: State, lr: Number, step: Number
    ) -> tuple[Number, State]:
        """Return the new parameter, and the running means of g² and g, and the velocity."""
        square, mean, velocity = state
        g = (-g if self.maximize else g) + self.weight_decay * p
        square = self.alpha * square + (1 - self.alpha) * g * g
        variance = square
        if self.centered:
            mean = self.alpha * mean + (1 - self.alpha) * g
            variance = relu(square - mean * mean)  # rounding may leave it below 0
        velocity = self.momentum * velocity + g / (sqrt(variance) + self.eps)
        return p - lr * velocity, (square, mean, velocity)


def clip_norm(max_norm: float) -> Callable[[Sequence[Scalar]], list[Scalar]]:
    """Return a function that scales gradients down to a Euclidean norm of at most `max_norm`.

    As in PyTorch, 1e-6 is added to the norm that it divides by.

    >>> [round(g, 6) for g in clip_norm(1.0)([3.0, 4.0])], clip_norm(9.0)([3.0, 4.0])
    ([0.6, 0.8], [3.0, 4.0])
    """
    require_numbers(max_norm=max_norm)
    return partial(_scale_down, max_norm)


def _scale_down(max_norm: float, gradients: Sequence[Scalar]) -> list[Scalar]:
    gradients = as_list(gradients, "`gradients` must be a list of numbers")
    scale = minimum(max_norm / (norm(gradients) + 1e-6), 1.0)
    return [g * scale for g in gradients]


def clip_value(limit: float) -> Callable[[Sequence[Scalar]], list[Scalar]]:
    """Return a function that holds every gradient between `-limit` and `limit`.

    >>> clip_value(1.0)([3.0, -0.5])
    [1.0, -0.5]
    """
    require_numbers(limit=limit)
    return partial(_hold, limit)


def _hold(limit: float, gradients: Sequence[Scalar]) -> list[Scalar]:
    gradients = as_list(gradients, "`gradients` must be a list of numbers")
    return [clip(g, -limit, limit) for g in gradients]


def clip_grad_norm_(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale the parameters' gradients down to a norm of at most `max_norm`; return what it was.

    >>> x = Value(0.0)
    >>> x.grad = 5.0
    >>> clip_grad_norm_([x], 1.0), round(x.grad, 6)
    (5.0, 1.0)
    """
    parameters = list(dict.fromkeys(_require_parameters(parameters)))
    scale_down = clip_norm(max_norm)
    with changing:  # no gradient comes in between
        gradients = _gradients(parameters)
        set_gradients(parameters, scale_down(gradients))
    total: float = norm(gradients)
    return total


def clip_grad_value_(parameters: Iterable[Value], limit: float) -> None:
    """Hold each parameter's gradient between `-limit` and `limit`.

    >>> x = Value(0.0)
    >>> x.grad = 5.0
    >>> clip_grad_value_([x], 1.0); x.grad
    1.0
    """
    parameters, hold = _require_parameters(parameters), clip_value(limit)
    with changing:
        set_gradients(parameters, hold(_gradients(parameters)))


def _is_plain(x: object) -> bool:
    """Return whether x is a number, known or traced, and not a `Value` that a graph hangs on."""
    return is_number(x) and (not isinstance(x, Value) or x.is_traced)


def _gradients(parameters: Sequence[Value]) -> list[float]:
    """Return the parameters' gradients; raise `TypeError` if one is not a number."""
    for i, parameter in enumerate(parameters):
        if type(parameter.grad) is not float:
            number(
                parameter.grad,
                f"the `grad` of parameter {i} must be a real number, as zero_grad() sets it",
            )
    return [parameter.grad for parameter in parameters]


def _require_parameters(parameters: Iterable[Value]) -> list[Value]:
    """Return parameters as a list; raise `TypeError` if they are something else than Values."""
    must = "parameters must be a list of Values, such as model.parameters()"
    if not is_ordered(parameters):
        raise TypeError(f"{must}, got {quote(parameters)}")
    given = list(parameters)
    for parameter in given:
        if not isinstance(parameter, Value):
            raise TypeError(f"{must}, got {quote(parameter)} among them")
    return given
