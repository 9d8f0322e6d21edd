"""Transforms: from a function to one that computes its derivative, of any order.

All are one idea. A function is run once, on fresh nodes; a `Linearization` of its graph then pulls
cotangents back, or pushes tangents forward. The derivatives are numbers if the graph has no leaf
from outside of the function, else graphs, as they also are if they are to be differentiated again.

An argument, and what a function returns, may be a number, a `Value`, a NumPy array, a model, or
lists, tuples and dicts of these; derivatives come in the same structure (a model's as a dict by
path). Plain numbers give plain numbers, unless the function closes over a `Value`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar, overload

from .core import reals
from .core.graph import recording, require_fresh, topological_order
from .core.modes import current, unrecorded
from .core.primitive import CONSTANT, argument
from .core.reals import number, number_of_kind
from .derivatives.checkpoints import expanding
from .derivatives.linearization import Linearization, is_closed
from .derivatives.series import coefficients
from .derivatives.trees import Structure, flatten, map_values
from .derivatives.wrapping import Wrapped, require_picklable
from .engine import Value
from .functional import Number
from .guards.checks import LONGEST, is_bool, quote, require_bools, require_integers
from .nn import Module

__all__ = [
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "taylor",
    "value_and_grad",
    "vjp",
]

Function = Callable[..., object]
Vector = list[Value] | list[float] | list[Value | float]
P = ParamSpec("P")  # the parameters after the first, which takes numbers and `Value`s alike
Inputs = TypeVar("Inputs")  # numbers in any structure, which their derivatives have too
Rows = Sequence[Sequence[Number]]
Output = TypeVar("Output", covariant=True)
# So a type checker knows the first parameter of a lambda: it is for anything that holds numbers.
OfNumbers = Callable[Concatenate[Any, P], Output]


@overload
def gradients(output: Number, inputs: Module) -> dict[str, Value]: ...
@overload
def gradients(output: Number, inputs: Inputs) -> Inputs: ...
def gradients(output: object, inputs: object) -> object:
    """Return an output's derivatives with respect to inputs, as `Value`s to differentiate again.

    The inputs are nodes of the output's graph, in lists or dicts, or a model; the answer has their
    structure, with 0 for what the output does not depend on. No `grad` is touched.

    Raises:
        TypeError: the output is not a scalar, or an input is a plain number.
        ValueError: an input is a constant.
        RuntimeError: a leaf has changed since it was used.

    >>> x, y = Value(2.0), Value(3.0)
    >>> by_x, by_y = gradients(x**3 * y, [x, y])
    >>> by_x.data, gradients(by_x, y).data
    (36.0, 12.0)
    """
    if not isinstance(output, (Value, Real)):
        raise TypeError(f"gradients needs one scalar to differentiate, got {_describe(output)}")
    nodes, structure = flatten(inputs)
    need = "gradients needs Values to differentiate with respect to"
    for node in nodes:
        if not isinstance(node, Value):
            raise TypeError(f"{need}, got the number {quote(node)}")
        if node.is_constant:
            raise ValueError(f"{need}, got the constant {quote(node)}")
    derivatives = _gradient_graph(_root(output, "gradients"), nodes)
    return structure.result([_as_value(d, _kind(nodes)) for d in derivatives])


@overload
def grad(  # type: ignore[overload-overlap]  # 0 is an int too
    f: OfNumbers[P, object],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> Gradient[P]: ...
@overload
def grad(
    f: Callable[P, tuple[Number, object]],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: Literal[True],
) -> Callable[P, tuple[Any, Any]]: ...
@overload
def grad(
    f: Callable[P, object], argnums: int | Sequence[int], has_aux: Literal[False] = False
) -> Callable[P, Any]: ...
def grad(
    f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., object]:
    """Return a function that computes f's gradient with respect to the arguments at `argnums`.

    f returns one scalar; with `has_aux` a pair, whose second part is returned beside the gradient.
    Keyword arguments are passed on.

    Raises when called:
        TypeError: f returns something else, or an argument holds something else than numbers.
        IndexError: there is no argument at that position.
        ValueError: one argument is named twice.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    >>> grad(lambda p, scale: scale * p["a"] * p["b"][0])({"a": 2.0, "b": [3.0, 4.0]}, scale=10.0)
    {'a': 30.0, 'b': [20.0, 0.0]}
    """
    return Gradient(f, argnums, has_aux)


@overload
def value_and_grad(  # type: ignore[overload-overlap]  # 0 is an int too
    f: OfNumbers[P, object],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
) -> ValueAndGradient[P]: ...
@overload
def value_and_grad(
    f: Callable[P, tuple[Number, object]],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: Literal[True],
) -> Callable[P, tuple[tuple[Any, Any], Any]]: ...
@overload
def value_and_grad(
    f: Callable[P, object], argnums: int | Sequence[int], has_aux: Literal[False] = False
) -> Callable[P, tuple[Any, Any]]: ...
def value_and_grad(
    f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., object]:
    """Return a function that computes f's value together with its gradient, as `grad` does.

    With `has_aux` it returns `((value, aux), gradient)`.

    >>> from microgrid import sin
    >>> value_and_grad(sin)(0.0)
    (0.0, 1.0)
    """
    return ValueAndGradient(f, argnums, has_aux)


@overload
def jacobian(  # type: ignore[overload-overlap]  # 0 is an int too
    f: OfNumbers[P, Output], argnums: Literal[0] = 0
) -> Jacobian[P, Output]: ...
@overload
def jacobian(f: Callable[P, object], argnums: int | Sequence[int]) -> Callable[P, Any]: ...
def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Callable[..., object]:
    """Return a function that computes the derivatives of all of f's outputs, for each input.

    It has the outputs' structure, and for each output the inputs'; of an array by an array it is a
    matrix. The cost is that of as many gradients as there are outputs, or inputs if they are fewer.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + 1])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 0.0]]
    """
    return Jacobian(f, argnums)


@overload
def hessian(  # type: ignore[overload-overlap]  # 0 is an int too
    f: OfNumbers[P, object], argnums: Literal[0] = 0
) -> Hessian[P]: ...
@overload
def hessian(f: Callable[P, object], argnums: int | Sequence[int]) -> Callable[P, Any]: ...
def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Callable[..., object]:
    """Return a function that computes the second derivatives of f, one for each pair of inputs.

    The cost is that of as many gradients of the gradient as there are inputs.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return Hessian(f, argnums)


@overload
def hvp(f: OfNumbers[P, object], primals: tuple[Inputs], tangents: Sequence[object]) -> Inputs: ...
@overload
def hvp(
    f: OfNumbers[P, object],
    primals: tuple[Inputs, Inputs, *tuple[Inputs, ...]],
    tangents: Sequence[object],
) -> tuple[Inputs, ...]: ...
@overload
def hvp(f: OfNumbers[P, object], primals: Sequence[object], tangents: Sequence[object]) -> Any: ...
def hvp(f: Function, primals: Sequence[object], tangents: Sequence[object]) -> object:
    """Return f's Hessian at the primals times the tangents, at the cost of about two gradients.

    There is one primal, and one tangent of the same structure, for each argument of f. The answer
    has the structure of the primal; if there are several primals, it is a tuple.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 5.0],), ([1.0, 0.0],))
    [10.0, 6.0]
    """
    directions = _directions("hvp", primals, tangents)
    with recording():
        call = _Call(f, "hvp", primals, {}, 0 if len(primals) == 1 else range(len(primals)))
        gradient = _gradient_graph(_root(call.output, "hvp"), call.nodes)
        row = Linearization(gradient, call.nodes).push(directions)
    return call.structure.result(call.release([row])[0])


@overload
def jvp(
    f: OfNumbers[P, Number], primals: Sequence[float], tangents: Sequence[float]
) -> tuple[float, float]: ...
@overload
def jvp(
    f: OfNumbers[P, Number], primals: Sequence[Value], tangents: Sequence[Number]
) -> tuple[Value, Value]: ...
@overload
def jvp(
    f: OfNumbers[P, object], primals: Sequence[object], tangents: Sequence[object]
) -> tuple[Any, Any]: ...
def jvp(
    f: Function, primals: Sequence[object], tangents: Sequence[object]
) -> tuple[object, object]:
    """Return f's value at the primals and its derivative along the tangents: forward mode.

    There is one primal, and one tangent of the same structure, for each argument of f.

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (6.0, 23.0)
    """
    directions = _directions("jvp", primals, tangents)
    with recording():
        call = _Call(f, "jvp", primals, {}, range(len(primals)))
        roots, outputs = _roots(call.output, "jvp")
        row = Linearization(roots, call.nodes).push(directions)
    value, tangent = call.release([roots, row])
    return outputs.argument(value), outputs.result(tangent)


@overload
def vjp(
    f: OfNumbers[P, Number], *primals: float
) -> tuple[float, Callable[[float], tuple[float, ...]]]: ...
@overload
def vjp(
    f: OfNumbers[P, Number], *primals: Value
) -> tuple[Value, Callable[[Number], tuple[Value, ...]]]: ...
@overload
def vjp(
    f: OfNumbers[P, object], *primals: object
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]: ...
def vjp(f: Function, *primals: object) -> tuple[Any, Callable[[object], tuple[Any, ...]]]:
    """Return f's value at the primals, and the function that pulls cotangents back: reverse mode.

    That function takes a cotangent of the structure of f's value, and returns a tuple with the
    derivative of their product with respect to each primal. Call it any number of times.

    >>> value, pull = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> value, pull([1.0, 0.0]), pull([0.0, 1.0])
    ([6.0, 5.0], (3.0, 2.0), (1.0, 1.0))
    """
    pull = _PullBack(f, primals)
    return pull.value, pull


class _PullBack:
    """What pulls cotangents back through one call of a function."""

    def __init__(self, f: Function, primals: tuple[object, ...]) -> None:
        with recording():
            self._call = call = _Call(f, "vjp", primals, {}, range(len(primals)))
            self._roots, self._outputs = roots, _ = _roots(call.output, "vjp")
            self._linear = Linearization(roots, call.nodes)
        self._made_of = f, primals
        self.value: object = self._outputs.argument(call.release([roots])[0])

    def __call__(self, cotangent: object) -> tuple[object, ...]:
        given = _scalars_like("the cotangent", cotangent, self._outputs)
        need = "a cotangent is a real number"
        cotangents = [
            x if isinstance(x, Value) else number_of_kind(x, _kind([root]), need)
            for x, root in zip(given, self._roots, strict=True)
        ]
        if not self._linear.numeric:
            require_fresh(topological_order(*self._roots))  # a leaf may have changed since
        with recording():
            row = self._linear.pull(cotangents)
        derivatives: tuple[object, ...] = self._call.structure.result(self._call.release([row])[0])
        return derivatives

    def __reduce__(self) -> tuple[object, ...]:
        f, primals = self._made_of
        return type(self), (require_picklable(f), primals)  # which calls the function again


@overload
def taylor(f: OfNumbers[P, object], x: float, order: int) -> list[float]: ...
@overload
def taylor(f: OfNumbers[P, object], x: Value, order: int) -> list[Value]: ...
def taylor(f: Function, x: Number, order: int) -> Sequence[Number]:
    """Return the Taylor coefficients of a function of one number at x, up to the given order.

    Entry n is the n-th derivative at x divided by n!. The cost grows as the square of the order for
    a sum or product, as its cube at most (Griewank & Walther 2008, *Evaluating Derivatives*,
    chapter 13).

    Raises:
        TypeError: f does not return a single scalar, or x is not a number.
        TypeError, ValueError: the order is not an integer of at least 0.

    >>> from microgrid import exp
    >>> taylor(exp, 0.0, 4)
    [1.0, 1.0, 0.5, 0.16666666666666666, 0.041666666666666664]
    """
    require_integers(order=order, least=0, largest=LONGEST)
    if not isinstance(x, (Value, Real)):
        raise TypeError(f"taylor needs a single number or Value to expand at, got {quote(x)}")
    with recording(), expanding():
        call = _Call(f, "taylor", (x,), {}, 0)
        root, (variable,) = _root(call.output, "taylor"), call.nodes
        nodes = topological_order(root, variable)
        require_fresh(nodes)
        row = coefficients(nodes, root, variable, order, closed=is_closed(nodes, [variable]))
    return call.release([row])[0]


class Transform(Wrapped[Output], Generic[P, Output]):
    """A function that computes derivatives of its `function`, as a transform returns it."""

    owns_arguments = False

    def __init__(
        self, f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
    ) -> None:
        _require_function(f)
        super().__init__(f)
        require_bools(has_aux=has_aux)
        self.argnums, self.has_aux = argnums, has_aux

    def owning(self) -> Self:
        """Return the same function, for arguments of nodes that nobody else has seen.

        These need not be copied, to be told from those of others: as in a trace, of all parameters.
        Nor is what it returns differentiated again.
        """
        twin = type(self)(self.function, *self.options())
        twin.owns_arguments = True
        return twin

    def options(self) -> tuple[int | Sequence[int], bool]:
        """Return the other arguments that this was made with."""
        return self.argnums, self.has_aux

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.function!r}>"

    def _call(self, transform: str, args: Sequence[object], kwargs: Mapping[str, object]) -> _Call:
        return _Call(self.function, transform, args, kwargs, self.argnums, self.owns_arguments)

    def _value_and_gradient(
        self, transform: str, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[Any, object]:
        with recording():
            call = self._call(transform, args, kwargs)
            output, aux = _pair(call.output, transform) if self.has_aux else (call.output, None)
            root = _root(output, transform)
            linear = Linearization([root], call.nodes)
            row = linear.pull([1], is_last=self.owns_arguments)
        (value,), row = call.release([[root], row], linear.closed)
        derivative = call.structure.result(row)
        if not self.has_aux:
            return value, derivative
        return (value, map_values(lambda v: call.release([[v]])[0][0], aux)), derivative


class Gradient(Transform[P, float]):
    """What `grad` returns."""

    @overload
    def __call__(self, x: Module, /, *args: P.args, **kwargs: P.kwargs) -> dict[str, Value]: ...
    @overload
    def __call__(self, x: float, /, *args: P.args, **kwargs: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: list[float], /, *args: P.args, **kwargs: P.kwargs) -> list[float]: ...
    @overload
    def __call__(self, x: Inputs, /, *args: P.args, **kwargs: P.kwargs) -> Inputs: ...
    def __call__(self, /, *args: object, **kwargs: object) -> object:
        """Return the gradient of the function at the arguments."""
        value, derivative = self._value_and_gradient("grad", args, kwargs)
        return (derivative, value[1]) if self.has_aux else derivative


class ValueAndGradient(Transform[P, tuple[float, float]]):
    """What `value_and_grad` returns."""

    @overload
    def __call__(
        self, x: Module, /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Value, dict[str, Value]]: ...
    @overload
    def __call__(self, x: float, /, *args: P.args, **kwargs: P.kwargs) -> tuple[float, float]: ...
    @overload
    def __call__(self, x: Value, /, *args: P.args, **kwargs: P.kwargs) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self, x: list[float], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[float, list[float]]: ...
    @overload
    def __call__(
        self, x: list[Value], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Value, list[Value]]: ...
    @overload
    def __call__(self, x: Inputs, /, *args: P.args, **kwargs: P.kwargs) -> tuple[Any, Inputs]: ...
    def __call__(self, /, *args: object, **kwargs: object) -> tuple[object, object]:
        """Return the function's value at the arguments, and its gradient."""
        return self._value_and_gradient("value_and_grad", args, kwargs)


class Jacobian(Transform[P, Output]):
    """What `jacobian` returns."""

    @overload
    def __call__(
        self: Jacobian[P, Number], x: float, /, *args: P.args, **kwargs: P.kwargs
    ) -> float: ...
    @overload
    def __call__(
        self: Jacobian[P, Number], x: list[float], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[float]: ...
    @overload
    def __call__(
        self: Jacobian[P, Vector], x: float, /, *args: P.args, **kwargs: P.kwargs
    ) -> list[float]: ...
    @overload
    def __call__(
        self: Jacobian[P, Vector], x: list[float], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[float]]: ...
    @overload
    def __call__(
        self: Jacobian[P, Vector], x: list[Value], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[Value]]: ...
    @overload
    def __call__(self, x: object, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def __call__(self, /, *args: object, **kwargs: object) -> object:
        """Return the derivative of each output of the function with respect to each input."""
        with recording():
            call = self._call("jacobian", args, kwargs)
            roots, outputs = _roots(call.output, "jacobian")
            rows = Linearization(roots, call.nodes).matrix()
        return outputs.table(call.release(rows), call.structure)


class Hessian(Transform[P, float]):
    """What `hessian` returns."""

    @overload
    def __call__(self, x: float, /, *args: P.args, **kwargs: P.kwargs) -> float: ...
    @overload
    def __call__(self, x: Value, /, *args: P.args, **kwargs: P.kwargs) -> Value: ...
    @overload
    def __call__(
        self, x: list[float], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[float]]: ...
    @overload
    def __call__(
        self, x: list[Value], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[Value]]: ...
    @overload
    def __call__(self, x: object, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def __call__(self, /, *args: object, **kwargs: object) -> object:
        """Return the second derivatives of the function, with respect to each pair of inputs."""
        with recording():
            call = self._call("hessian", args, kwargs)
            gradient = _gradient_graph(_root(call.output, "hessian"), call.nodes)
            rows = Linearization(gradient, call.nodes).matrix()
        return call.structure.table(call.release(rows), call.structure)


class _Call:
    """One call of a function, on fresh nodes in the places of the chosen arguments' numbers.

    If it owns the arguments, their nodes are as fresh as any.
    """

    def __init__(
        self,
        f: Function,
        transform: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        argnums: int | Sequence[int],
        owns_arguments: bool = False,
    ) -> None:
        _require_function(f)
        chosen = _positions(argnums, len(args), transform)
        leaves, structure = flatten(tuple([args[i] for i in chosen]))
        self.of_values = any(isinstance(leaf, Value) for leaf in leaves)
        new: dict[int, object] = {}
        if owns_arguments:
            self.nodes = leaves
        else:
            self.nodes = [_fresh_node(leaf) for leaf in leaves]
            new = dict(zip(chosen, structure.argument(self.nodes), strict=True))
        self.structure = structure.parts[0] if isinstance(argnums, Integral) else structure
        self.output: object = f(*[new.get(i, x) for i, x in enumerate(args)], **kwargs)

    def release(self, rows: Rows, closed: bool = False) -> list[list[Number]]:
        """Return rows of scalars as plain numbers, if no dependence on a `Value` gets lost.

        If the graph is known to be `closed`, nothing needs to be looked for.
        """
        values = [x for row in rows for x in row if isinstance(x, Value)]
        depends = self.of_values or not (
            closed or is_closed(topological_order(*values), self.nodes)
        )
        release = _as_value if depends else _as_number
        for node in self.nodes:
            if not node.parents:
                node.op = CONSTANT  # no other transform's input: to all others it is a number
        kind = _kind(self.nodes)
        return [[release(x, kind) for x in row] for row in rows]


def _require_function(f: object) -> None:
    if not callable(f):
        raise TypeError(f"a transform needs a function, got {quote(f)} ({type(f).__name__})")


def _positions(argnums: int | Sequence[int], count: int, transform: str) -> list[int]:
    """Return the positions of the chosen arguments, after a check of what the user gave."""
    given = [argnums] if isinstance(argnums, int | Integral) else argnums
    if not isinstance(given, (list, tuple, range)) or not all(
        isinstance(i, Integral) and not is_bool(i) for i in given
    ):
        raise TypeError(f"argnums must be an integer, or a tuple of them, got {quote(argnums)}")
    for i in given:
        if not -count <= i < count:
            raise IndexError(
                f"{transform} by argument {i}, counted from 0, needs more positional arguments, "
                f"got {count}"
            )
    positions = [i % count for i in given]
    if len(set(positions)) < len(positions):
        raise ValueError(f"argnums must name each argument once, got {quote(argnums)}")
    return positions


def _root(output: object, transform: str) -> Value:
    """Return the one scalar that a function returned, or raise `TypeError`."""
    roots, structure = _roots(output, transform)
    if structure.paths != [""]:
        raise TypeError(
            f"{transform} needs a function with one scalar output, got {_describe(output)}; "
            "use jacobian"
        )
    return roots[0]


def _roots(output: object, transform: str) -> tuple[list[Value], Structure]:
    """Return what a function returned as `Value`s, with its structure, or raise `TypeError`."""
    try:
        scalars, structure = flatten(output)
    except TypeError:
        raise TypeError(
            f"{transform} needs a function that returns a number, got {_describe(output)}"
        ) from None
    return [_constant_or_value(x) for x in scalars], structure


def _constant_or_value(x: Value | reals.Real) -> Value:
    return x if isinstance(x, Value) else Value(x).detach()


def _pair(output: object, transform: str) -> tuple[object, object]:
    if not isinstance(output, tuple) or len(output) != 2:
        raise TypeError(
            f"{transform} with has_aux needs a function that returns a pair (output, aux), "
            f"got {_describe(output)}"
        )
    return output


def _describe(output: object) -> str:
    if isinstance(output, (list, tuple, dict)):
        return f"a {type(output).__name__} of {len(output)}"
    return f"{quote(output)} ({type(output).__name__})"


def _directions(
    transform: str, primals: Sequence[object], tangents: Sequence[object]
) -> list[Number]:
    """Return the scalars of the tangents, after a check that they fit the primals."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (list, tuple)):
            raise TypeError(
                f"{transform} needs {name} in a tuple, one for each argument of the function, "
                f"got {quote(given)}; write ({name[:-1]},)"
            )
    return _scalars_like("the tangents", tuple(tangents), flatten(tuple(primals))[1])


def _scalars_like(what: str, tree: object, structure: Structure) -> list[Number]:
    """Return the scalars of a tree in the order of a structure, after a check that they fit it."""
    scalars, own = flatten(tree)
    found = dict(zip(own.paths, scalars, strict=True))
    if found.keys() != set(structure.paths):
        raise ValueError(
            f"{what} must have the structure of what they belong to, with a number for each of "
            f"{_name_some(structure.paths)}; got {_name_some(own.paths)}"
        )
    in_order = [found[path] for path in structure.paths]  # dicts may have another
    must = f"{what} must be of real numbers"
    numbers = [x if isinstance(x, Value) else number(x, must) for x in in_order]
    return [x if type(x) is int else y for x, y in zip(in_order, numbers, strict=True)]


def _name_some(paths: list[str]) -> str:
    first = [path or "the number" for path in paths[:4]] or ["nothing"]
    return ", ".join(first) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")


def _gradient_graph(root: Value, inputs: Sequence[Value]) -> list[Number]:
    return Linearization([root], inputs, as_graphs=True).pull([1])


def _fresh_node(leaf: Number) -> Value:
    """Return a node of a transform's own, even where one `Value` is passed twice.

    For d/dy (x * y) at y = x is x, not 2 * x.
    """
    if not isinstance(leaf, Value):
        return Value(leaf)
    node = leaf.record(argument, (leaf,))
    if leaf.label is not None:
        node.label = leaf.label
    return node


def _kind(nodes: Sequence[Value]) -> type[float]:
    """Return the type of the numbers: the derivatives of Fractions are Fractions."""
    return type(nodes[0].data) if nodes and not nodes[0].is_traced else float


def _as_value(x: Number, kind: type[float]) -> Value:
    if not isinstance(x, Value):
        return Value(_as_number(x, kind)).detach()
    return x.detach() if unrecorded and current(unrecorded) else x


def _as_number(x: Number, kind: type[float]) -> float:
    if isinstance(x, Value):
        return x.data
    return kind(x) if isinstance(x, int) else number(x)  # rules and sums make ints, such as 0
