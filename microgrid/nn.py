"""Neurons, layers and multi-layer perceptrons: a thin layer over the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from copy import deepcopy
from html import escape
from itertools import pairwise
from numbers import Integral, Real
from operator import attrgetter
from random import Random
from typing import Any, Never, Self, TypeVar

from . import functional
from .core.array_rules import Numeric
from .core.graph import set_data
from .core.primitive import why_single
from .core.reals import number
from .core.sequences import (
    as_list,
    entries,
    is_ordered,
    is_sequence,
    names_of_columns,
    require_all_numbers,
    single,
)
from .engine import Value, zero_grad
from .guards.checks import (
    LONGEST,
    is_finite,
    quote,
    quote_names,
    require_bools,
    require_integers,
)
from .guards.seeding import Seed, generator

__all__ = ["MLP", "Layer", "Module", "Neuron"]

AnyModule = TypeVar("AnyModule", bound="Module")
Function = TypeVar("Function", bound=Callable[..., object])
Draw = Callable[[int, int, Random], float]
Activation = str | Callable[[Numeric], Numeric]
Init = str | Draw


def linear(x: Value) -> Value:
    """Return x: the activation of a layer without one."""
    return x


ACTIVATIONS: dict[str, Callable[[Numeric], Numeric]] = {
    "linear": linear,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "sigmoid": functional.sigmoid,
    "tanh": functional.tanh,
}

INITS: dict[str, Draw] = {
    # micrograd's; the larger a layer, the larger its sums
    "uniform": lambda n_in, n_out, random: random.uniform(-1, 1),
    # Glorot & Bengio 2010: the variance is 2 / (n_in + n_out), for tanh and the like
    "xavier": lambda n_in, n_out, random: math.sqrt(6 / (n_in + n_out)) * random.uniform(-1, 1),
    # He et al. 2015: the variance is 2 / n_in, for relu and the like
    "he": lambda n_in, n_out, random: math.sqrt(6 / n_in) * random.uniform(-1, 1),
}


class Module:
    """Something with parameters: the leaves in its attributes, in their lists, dicts and modules.

    A subclass may override `parameters`. Its `zero_grad`, and an optimizer of its `parameters()`,
    then leave the others alone; a module that it is part of finds them all the same.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line.state_dict()
    {'slope': 2.0, 'offset': 1.0}
    >>> line.load_state_dict({"slope": 0.5, "offset": 0.0})
    >>> [(path, parameter.data) for path, parameter in line.named_parameters()]
    [('slope', 0.5), ('offset', 0.0)]
    >>> line(4.0).backward()
    >>> [parameter.grad for parameter in line.parameters()]
    [4.0, 1.0]
    >>> line.zero_grad()
    """

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter once, with its path: `layers.0.neurons.3.w.1`."""
        yield from zip(*find_parameters(self), strict=True)

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module, with the path "", then each inside of it once, with its path.

        >>> [path for path, _ in MLP(1, [1], seed=0).named_modules()]
        ['', 'layers.0', 'layers.0.neurons.0']
        """
        return ((path, item) for path, item in _walk(self) if isinstance(item, Module))

    def parameters(self) -> list[Value]:
        """Return the parameters, each once, even where it is shared."""
        return find_parameters(self)[1]

    def zero_grad(self) -> None:
        """Set every parameter's gradient to 0."""
        zero_grad(self.parameters())

    def summary(self) -> str:
        """Return a table of this module and those inside, with how many parameters each has.

        A layer's neurons are not listed. A notebook shows this table of a module.

        >>> print(MLP(2, [4, 1]).summary())
        path      module                             parameters
                  MLP(2, [4, 1], activation='relu')          17
        layers.0  Layer(2, 4, activation='relu')             12
        layers.1  Layer(4, 1, activation='linear')            5
        """
        rows, layers = [("path", "module", "parameters")], set[str]()
        for path, module in self.named_modules():
            parts = path.split(".") if path else []
            if any(".".join(parts[:i]) in layers for i in range(len(parts))):
                continue
            if isinstance(module, Layer):
                layers.add(path)
            is_named = type(module).__repr__ is not object.__repr__
            name = repr(module) if is_named else type(module).__name__
            rows.append((path, name, f"{len(module.parameters()):,}"))
        first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{a:{first}}  {b:{second}}  {c:>{third}}" for a, b, c in rows)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"  # in the theme's own colours

    def state_dict(self) -> dict[str, float]:
        """Return the parameters' numbers by their paths, ready for JSON."""
        return {name: parameter.data for name, parameter in self._by_path().items()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set all parameters to a `state_dict`'s numbers, or none if it does not fit.

        Arrays and tensors without dimensions, as safetensors has them, are numbers too.

        Raises:
            ValueError: a parameter is missing from the state, or the state names one too many.
            TypeError: the state holds something other than numbers.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"the state must be a mapping from paths to numbers, got {quote(state)}"
            )
        own = self._by_path()
        _require_paths(self, own.keys(), state.keys())
        numbers = {
            name: number(single(data), f"{name} must be a number") for name, data in state.items()
        }
        set_data(own.values(), [numbers[name] for name in own])

    def with_parameters(
        self, parameters: Iterable[Value | float] | Mapping[str, Value | float]
    ) -> Self:
        """Return a copy that computes with other numbers, or `Value`s, instead of its parameters.

        They come in the order of `parameters()`, or by path as in a `state_dict`. So a loss is a
        function of the parameters: `grad(lambda p: loss(model.with_parameters(p)))`.

        Raises:
            ValueError: there are too few, too many, or other paths than the model's.
            TypeError: one is neither a number nor a `Value`.

        >>> MLP(1, [1], seed=0).with_parameters([3.0, 1.0])(2.0).data
        7.0
        """
        own = self.parameters()
        if isinstance(parameters, Mapping):
            names = {id(parameter): name for name, parameter in self._by_path().items()}
            paths = [names[id(parameter)] for parameter in own]
            _require_paths(self, set(paths), parameters.keys())
            parameters = [parameters[path] for path in paths]
        needed = "the parameters must be a list of numbers or a mapping from paths"
        parameters = as_list(parameters, needed)
        need = "a parameter must be a number or a Value"
        new = [p if isinstance(p, Value) else number(single(p), need) for p in parameters]
        if len(new) != len(own):
            raise ValueError(
                f"this {type(self).__name__} takes {len(own)} parameters, got {len(new)}"
            )
        return copy_with(self, own, new)

    def _by_path(self) -> dict[str, Value]:
        parameters: dict[str, Value] = {}
        for path, parameter in self.named_parameters():
            if parameters.setdefault(path, parameter) is not parameter:
                raise ValueError(f"two parameters have the path {path}: keys 1 and '1' in one dict")
        return parameters


def chooses_parameters(module: Module) -> bool:
    """Return whether a module says itself which of its parameters `parameters` returns."""
    return getattr(module.parameters, "__func__", None) is not Module.parameters


def copy_with(module: AnyModule, own: Sequence[Value], new: Sequence[Value | float]) -> AnyModule:
    """Return a copy of a module with others in the places of its own parameters, all of them."""
    memo: dict[int, object] = {}
    if chooses_parameters(module):  # what it leaves out stays the same leaf
        memo = {id(leaf): leaf for _, leaf in module.named_parameters()}
    memo.update(zip(map(id, own), new, strict=True))
    return deepcopy(module, memo)


def _require_paths(module: Module, own: Set[str], given: Set[str]) -> None:
    if own != given:
        raise ValueError(
            f"the state must have exactly the parameters of the {type(module).__name__}; "
            f"missing: {quote_names(own - given)}; unexpected: {quote_names(given - own)}"
        )


def find_parameters(module: Module) -> tuple[list[str], list[Value]]:
    """Return the paths of a module's parameters, and these, each once."""
    paths: list[str] = []
    leaves: list[Value] = []
    for path, item in _walk(module):
        if isinstance(item, Value):
            paths.append(path)
            leaves.append(item)
        elif not isinstance(item, Module):
            paths += [f"{path}.{i}" for i in range(len(item))]
            leaves += item
    return paths, leaves


def _walk(module: Module) -> Iterator[tuple[str, Value | Module | Sequence[Value]]]:
    """Yield each parameter and module once, with its path, a module before its contents.

    A list of parameters alone, as weights are in, comes as a whole: these are many.
    """
    seen: set[int] = set()
    found: set[Value] = set()
    stack: list[tuple[str, Any]] = [("", module)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, Value):
            if item.op is None and item not in found:
                found.add(item)
                yield path, item
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        children: Iterable[tuple[object, object]] = ()
        if isinstance(item, Module):
            yield path, item
            children = vars(item).items()
        elif isinstance(item, Mapping):
            children = item.items()
        elif isinstance(item, (list, tuple)):
            if _are_parameters(item) and found.isdisjoint(item):
                found.update(item)
                yield path, item
                continue
            children = enumerate(item)
        elif str(getattr(item, "dtype", "")) == "object":  # an array of Values
            children = enumerate(item.tolist())
        elif isinstance(item, (set, frozenset)) and any(map(_is_of_parameters, item)):
            raise TypeError(f"parameters need an order: make {path} a list, got a set")
        prefix = f"{path}." if path else ""
        stack += [(f"{prefix}{name}", child) for name, child in children][::-1]


def _are_parameters(items: Sequence[object]) -> bool:
    """Return whether there are parameters alone in a list, each once."""
    kinds = set(map(type, items))  # traced numbers are of another one
    if not all(issubclass(kind, Value) for kind in kinds) or any(map(attrgetter("op"), items)):
        return False
    return len(set(items)) == len(items)


def _is_of_parameters(x: object) -> bool:
    return isinstance(x, (Value, Module))


class Neuron(Module):
    """A weighted sum of inputs plus a bias, through an activation: `activation(w · x + b)`.

    The sum is a single `dot` node. `activation` is a name or a function of one number; with
    `nonlin=False` there is none. `init` draws the weights: "uniform" (-1 to 1), "xavier", "he", or
    a function `(nin, nout, random) -> float`; the bias starts at 0. `seed` is an integer, a
    `random.Random` to draw from, or None for other weights each time.

    Raises:
        TypeError: a size is not an integer, or `nonlin` is neither True nor False.
        ValueError: a size is less than 1, a name is unknown, or the neuron is called with another
            number of inputs than `nin`.

    >>> neuron = Neuron(2, activation="tanh", seed=0)
    >>> neuron([1.0, -2.0]).op.name
    'tanh'
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        init: Init = "uniform",
        seed: Seed = None,
    ) -> None:
        require_integers(nin=nin, largest=LONGEST)
        require_bools(nonlin=nonlin)
        draw, random = _choose("init", init, INITS), generator(seed)
        chosen = _choose("activation", activation, ACTIVATIONS)
        self.activation = chosen if nonlin else linear
        try:
            self.w = [Value(draw(nin, 1, random)) for _ in range(nin)]
        except TypeError as error:  # of another number of arguments, or an answer of another type
            raise TypeError(
                "`init` must be a function (nin, nout, random) -> float, "
                f"got {quote(init)}: {error}"
            ) from error
        if not all(is_finite(weight.data) for weight in self.w):
            raise ValueError(f"`init` must give finite numbers, got {quote(self.w)}")
        self.b = Value(0.0)

    def __call__(self, x: object) -> Value:
        """Return the output for `nin` numbers; a single number stands for a list of one."""
        inputs = x if type(x) is list else _inputs(x)
        if len(inputs) != len(self.w):
            takes = f"{len(self.w)} input{'s' * (len(self.w) > 1)}"
            why = why_single(inputs[0]) if len(inputs) == 1 else ""
            raise ValueError(f"this neuron takes {takes}, got {len(inputs)}{why}")
        try:
            total = functional.dot_(*self.w, *inputs, self.b)
        except TypeError:  # of tensors, which hold numbers; or to say which input is not one
            total = functional.dot_(*self.w, *_inputs(inputs), self.b)
        try:
            output: Value = self.activation(total)
        except TypeError:
            if callable(self.activation):
                raise
            raise TypeError(
                "a neuron's `activation` must be a function, such as microgrid.tanh, "
                f"got {quote(self.activation)}"
            ) from None
        return output

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, activation={_name_of(self.activation)!r})"


class Layer(Module):
    """`nout` neurons that see the same `nin` inputs; the options are those of `Neuron`.

    It returns a list of Values, or the Value itself if there is only one neuron.

    >>> Layer(3, 2, seed=0)
    Layer(3, 2, activation='relu')
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        init: Init = "uniform",
        seed: Seed = None,
    ) -> None:
        require_integers(nin=nin, nout=nout, largest=LONGEST)
        require_bools(nonlin=nonlin)
        draw = _choose("init", init, INITS)
        random = generator(seed)

        def draw_for_layer(nin: int, _: int, random: Random) -> float:
            return draw(nin, nout, random)

        self.neurons = [
            Neuron(nin, nonlin, activation=activation, init=draw_for_layer, seed=random)
            for _ in range(nout)
        ]

    def __call__(self, x: object) -> Value | list[Value]:
        """Return the neurons' outputs for `nin` numbers."""
        inputs = _inputs(x)  # once for all neurons, which then share the constants
        outputs = [neuron(inputs) for neuron in _parts("neurons", self.neurons)]
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        first = _parts("neurons", self.neurons)[0]
        sizes = f"{len(first.w)}, {len(self.neurons)}"
        return f"Layer({sizes}, activation={_name_of(first.activation)!r})"


class MLP(Module):
    """A multi-layer perceptron: layers of sizes `nouts`, all but the last with an activation.

    The other options are those of `Neuron`. A last layer of one neuron returns a Value, a wider one
    a list of Values, such as the logits of classes.

    >>> model = MLP(2, [16, 16, 1], activation="tanh", init="xavier", seed=0)
    >>> model, len(model.parameters())
    (MLP(2, [16, 16, 1], activation='tanh'), 337)
    """

    def __init__(
        self,
        nin: int,
        nouts: Iterable[int] | None = None,
        *more: Never,
        activation: Activation = "relu",
        init: Init = "uniform",
        seed: Seed = None,
    ) -> None:
        nouts = _sizes(nin, nouts, more)
        if not nouts:
            raise ValueError("`nouts` must name at least one layer's size, got none")
        random = generator(seed)
        last = len(nouts) - 1
        self.layers = [
            Layer(n_in, n_out, i < last, activation=activation, init=init, seed=random)
            for i, (n_in, n_out) in enumerate(pairwise([nin, *nouts]))
        ]

    def __call__(self, x: object) -> Value | list[Value]:
        """Return the last layer's output for `nin` numbers."""
        outputs: Any = x
        for layer in _parts("layers", self.layers):
            outputs = layer(outputs)
        result: Value | list[Value] = outputs
        return result

    def __repr__(self) -> str:
        sizes = [len(_parts("neurons", x.neurons)) for x in _parts("layers", self.layers)]
        first = self.layers[0].neurons[0]
        return f"MLP({len(first.w)}, {sizes}, activation={_name_of(first.activation)!r})"


def _parts(name: str, parts: Any) -> Any:
    """Return the parts that a model has; raise `TypeError` if others were set than it can call."""
    if not is_sequence(parts) or not len(parts) or not all(map(callable, parts)):
        raise TypeError(f"`{name}` must be a list of at least one {name[:-1]}, got {quote(parts)}")
    return parts


def _sizes(nin: object, nouts: object, more: Sequence[object]) -> list[Any]:
    """Return the layers' sizes as a list; raise `TypeError` for what they cannot be."""
    if nouts is None and is_sequence(nin) and len(nin) > 1:
        first, *others = nin
        raise TypeError(
            f"`nin` must be the number of inputs, got {quote(nin)}; "
            f"write MLP({quote(first)}, {quote(others)})"
        )
    if nouts is None or not is_ordered(nouts) or more:
        such = [nouts, *more] if isinstance(nouts, Integral) else [16, 1]
        raise TypeError(
            f"`nouts` must be a list of the layers' sizes, got {quote(nouts)}; "
            f"write MLP({quote(nin)}, {quote(such)})"
        )
    return entries(nouts, "`nouts` must be a list")


def _inputs(x: object) -> list[Value]:
    """Return the inputs as Values; a layer of width 1 passes on a Value that is in no list."""
    if isinstance(x, Value):
        return [x]
    is_one = isinstance(x, Real)
    row: list[Any] = [x] if is_one else as_list(x, "a model takes one row, a list of numbers")
    try:
        return [item if isinstance(item, Value) else Value(item).detach() for item in row]
    except TypeError:
        row = [*map(single, row)]
        rows = "X.to_numpy()" if names_of_columns(x) else "X"
        each = f"; a model takes one row: [model(row) for row in {rows}]"
        require_all_numbers("entry {} of a model's row", row, each)
        return [item if isinstance(item, Value) else Value(item).detach() for item in row]


def _choose(what: str, choice: str | Function, table: Mapping[str, Function]) -> Function:
    """Return a function, or the one that has a name in the table."""
    if not isinstance(choice, (str, type)) and callable(choice):
        return choice
    if not isinstance(choice, str) or choice not in table:
        raise ValueError(
            f"`{what}` must be a function or one of {', '.join(table)}, got {quote(choice)}"
        )
    return table[choice]


def _name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", repr(function))
