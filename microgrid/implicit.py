"""Implicit functions: numbers defined as the solution of an equation, or as a minimum.

Numbers x for which f(x, a) is 0 are a function of a. Newton's method finds them, without a graph;
their derivatives are not those of its steps, but come from the equation, by the implicit function
theorem: as f stays 0, f_x dx + f_a da is 0, so that dx/da is -f_a / f_x, or for several numbers the
solution of a linear system (Griewank & Walther 2008, *Evaluating Derivatives*, chapter 15). These
derivatives are an expression in a and in x itself, which is a node: so there are derivatives of any
order, without any rule beyond the table of partials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVarTuple, overload

from .core import graph
from .core.array_rules import Numeric
from .core.graph import recording, topological_order
from .core.primitive import Primitive, argument, data_of, is_traced, where
from .core.reals import number
from .core.sequences import as_list, is_number, require_all_numbers, single
from .derivatives.checkpoints import expanding, frontier
from .derivatives.linearization import Linearization
from .engine import Value
from .functional import Number, dot_, hypot, max_, min_
from .guards.checks import quote, require_functions
from .linalg import SingularMatrix, magnitude, solve_system

__all__ = ["minimum_of", "root"]

MOST_STEPS = 200  # of Newton's method, including shortened ones, where the numbers are known
STEPS_IN_A_KERNEL = 40
EXACT = 2.0**-50  # a step that is this small relative to x is rounding
CLOSE = 1e-9  # a step this small is the last: the next error is its square

Function = Callable[..., object]
Args = TypeVarTuple("Args")  # what f takes beside x
OfX = Callable[[Any, *Args], object]


@overload
def root(f: OfX[()], x0: float) -> float: ...
@overload
def root(f: OfX[()], x0: Iterable[float]) -> list[float]: ...
@overload
def root(f: OfX[Value, *Args], x0: float, a: Value, /, *args: *Args) -> Value: ...
@overload
def root(f: OfX[Value, *Args], x0: Iterable[float], a: Value, /, *args: *Args) -> list[Value]: ...
@overload
def root(f: OfX[*Args], x0: float | Iterable[float], *args: *Args) -> Any: ...
def root(f: Function, x0: float | Iterable[float], *args: object) -> object:
    """Return the x close to x0 for which f(x, *args) is 0, as a function of f's other numbers.

    It is found by Newton's method, whose steps are shortened until they bring f closer to 0. The
    derivatives, of any order, are taken with respect to the `Value`s among the arguments and those
    that f closes over, never to x0. A compiled function takes 40 steps, and x is nan if they were
    not enough.

    Args:
        f: takes x and the arguments; returns a number, or a list of as many numbers as x has. It is
            written as for `grad`, in operators and this library's functions.
        x0: where to start: a number, or a list of numbers; x has the same form.
        args: the arguments of f after x.

    Raises:
        RuntimeError: Newton's method does not converge, for example because f has no root.
        ValueError: f returns a different number of results, or is not finite at x0, or its Jacobian
            becomes singular on the way.

    >>> a = Value(2.0)
    >>> x = root(lambda x, a: x * x - a, 1.0, a)
    >>> x.backward(); round(x.data, 6), round(a.grad, 6)
    (1.414214, 0.353553)
    """
    return _solve(Equation(f, x0, args))


@overload
def minimum_of(f: OfX[()], x0: float) -> float: ...
@overload
def minimum_of(f: OfX[()], x0: Iterable[float]) -> list[float]: ...
@overload
def minimum_of(f: OfX[Value, *Args], x0: float, a: Value, /, *args: *Args) -> Value: ...
@overload
def minimum_of(
    f: OfX[Value, *Args], x0: Iterable[float], a: Value, /, *args: *Args
) -> list[Value]: ...
@overload
def minimum_of(f: OfX[*Args], x0: float | Iterable[float], *args: *Args) -> Any: ...
def minimum_of(f: Function, x0: float | Iterable[float], *args: object) -> object:
    """Return the x close to x0 for which f(x, *args) is least, as a function of f's other numbers.

    There f's gradient is 0, and x is differentiated as in `root`. Each step of Newton's method
    goes downhill, along the gradient where f does not curve upwards. A compiled function takes 40
    steps, and x is nan if they were not enough.

    Args:
        f: takes x and the arguments; returns a single number, which is twice differentiable in x.
        x0: where to start: a number, or a list of numbers; x has the same form.
        args: the arguments of f after x.

    Raises:
        RuntimeError: Newton's method does not converge, for example because f has no minimum, or
            it converges to a saddle point or a maximum.
        ValueError: f does not return a single number, or is not finite at x0.

    >>> a, b = Value(3.0), Value(2.0)
    >>> def far(x, a, b):
    ...     return (x[0] - a) ** 2 + (x[1] - x[0] * b) ** 2
    >>> x, y = minimum_of(far, [0.0, 0.0], a, b)
    >>> y.backward(); round(y.data, 6), round(a.grad, 6), round(b.grad, 6)
    (6.0, 2.0, 3.0)
    """
    return _solve(Minimum(f, x0, args))


class Point(NamedTuple):
    """Numbers on the way, how far off they are, and the next step of Newton's method."""

    xs: list[Number]
    height: Number  # what must decrease
    slope: Number  # or this, if the height stays the same
    step: list[Number]


class Equation:
    """The equation f(x) = 0, with the other arguments fixed."""

    name = "root"

    def __init__(self, f: Function, x0: object, args: tuple[object, ...]) -> None:
        require_functions(f=f, takes="of x and the arguments")
        self.f, self.args = f, args
        self.is_single = is_number(single(x0))
        start = _as_numbers(x0, f"{self.name} needs numbers as x0")
        require_all_numbers(f"{self.name}: x0[{{}}]", start)
        if not start:
            raise ValueError(f"{self.name} needs at least one number as x0, got an empty list")
        self.start = [*map(without_graph, start)]

    def call(self, xs: Sequence[Value]) -> object:
        """Return what the function returns for nodes of x."""
        return self.f(xs[0] if self.is_single else list(xs), *self.args)

    def residuals(self, xs: Sequence[Value]) -> tuple[list[Number], Number]:
        """Return what must be 0, as a graph over nodes of x, and how far off it is."""
        output = self.call(xs)
        residuals = _as_numbers(output, "root needs a list of numbers from f")
        require_all_numbers("root: result {} of f", residuals)
        if len(residuals) != len(xs):
            raise ValueError(
                f"root needs as many results of f as x has numbers, {len(xs)}, got {len(residuals)}"
            )
        return residuals, _length([without_graph(r) for r in residuals])

    def step(self, jacobian: list[list[Number]], residuals: list[Number]) -> list[Number]:
        """Return the step of Newton's method."""
        return [row[0] for row in solve_system(jacobian, [[r] for r in residuals])]

    def require_solution(self, system: System) -> None:
        """Raise an error if the steps have ended somewhere else than at a solution."""

    def is_better(self, new: Point, old: Point) -> Number:
        """Return whether one point is closer than another."""
        return new.height < old.height


class Minimum(Equation):
    """The gradient of a function that is minimised, which must be 0."""

    name = "minimum_of"

    def residuals(self, xs: Sequence[Value]) -> tuple[list[Number], Number]:
        """Return the gradient; and the function, which it leads down."""
        output = self.call(xs)
        if not is_number(single(output)):
            raise ValueError(f"minimum_of needs a single number from f, got {quote(output)}")
        roots = _as_numbers(output, "")
        slopes = Linearization(roots, xs, as_graphs=True, is_cut=True).pull([1])
        return slopes, without_graph(roots[0])

    def step(self, jacobian: list[list[Number]], residuals: list[Number]) -> list[Number]:
        """Return the step of Newton's method if it goes down, else one along the gradient."""
        steepest = max_(*[magnitude(x) for row in jacobian for x in row], 1.0)
        down: list[Number] = [r / steepest for r in residuals]
        try:
            step = super().step(jacobian, residuals)
        except ZeroDivisionError:
            return down
        goes_down = dot_(*step, *residuals) > 0
        if is_traced(goes_down):
            return [where(goes_down, x, y) for x, y in zip(step, down, strict=True)]
        return step if goes_down else down

    def require_solution(self, system: System) -> None:
        """Raise `RuntimeError` if f decreases from there: the gradient of a saddle is 0 too."""
        curvature = [
            [data_of(x) for x in Linearization([slope], system.unknowns, is_cut=True).pull([1])]
            for slope in system.residuals
            if not is_traced(slope)
        ]
        if not _curves_upward(curvature):
            raise RuntimeError(
                f"minimum_of must end at a minimum, got a saddle point or a maximum at x = "
                f"{quote([data_of(x) for x in system.xs])}: start elsewhere"
            )

    def is_better(self, new: Point, old: Point) -> Number:
        """Return whether it is lower, or, where no digit tells, whether the gradient is less."""
        is_level = new.height <= old.height + EXACT * magnitude(old.height)
        if not is_traced(is_level):
            return new.height < old.height or (is_level and new.slope < old.slope)
        is_flatter = where(new.slope < old.slope, is_level, 0.0)
        return where(new.height < old.height, 1.0, is_flatter)


def _curves_upward(matrix: list[list[float]]) -> bool:
    """Return whether a symmetric matrix has no negative eigenvalue, beyond rounding."""
    rows, least = matrix, EXACT * max([abs(x) for row in matrix for x in row], default=0.0)
    while rows:
        at = max(range(len(rows)), key=lambda i: rows[i][i])
        pivot = rows[at]
        if pivot[at] <= least:  # then the rest must be 0
            return all(abs(x) <= least * len(matrix) for row in rows for x in row)
        rows = [
            [
                x - row[at] * y / pivot[at]
                for j, (x, y) in enumerate(zip(row, pivot, strict=True))
                if j != at
            ]
            for i, row in enumerate(rows)
            if i != at
        ]
    return True


def _as_numbers(x: object, need: str) -> list[Number]:
    if is_number(x := single(x)):
        return [x]  # type: ignore[list-item]  # which is one
    return [*map(single, as_list(x, need))]


def without_graph(x: Number) -> Number:
    """Return a number without the graph behind it."""
    if is_traced(x):
        return x.detach()  # type: ignore[union-attr]  # which a Value is
    return number(data_of(x), "a solution begins with real numbers")


def _length(xs: list[Number]) -> Number:
    return hypot(*xs)


def _nodes(xs: Sequence[Number]) -> list[Value]:
    return [x.record(argument, (x,)) if isinstance(x, Value) else Value(x) for x in xs]


def _sizes(xs: Iterable[Number]) -> list[float]:
    return [abs(data_of(x)) for x in xs]


def _point(equation: Equation, xs: list[Number]) -> Point:
    """Return the point at some numbers; raise what f raises there."""
    with recording():
        nodes = _nodes(xs)
        residuals, height = equation.residuals(nodes)
        numbers = [without_graph(r) for r in residuals]
        jacobian = []
        for residual in residuals:
            by = Linearization([residual], nodes, any(map(is_traced, numbers)), is_cut=True)
            jacobian.append([without_graph(x) for x in by.pull([1])])
        slope = _length(numbers)
        if not is_traced(slope) and slope == 0:
            return Point(xs, height, 0.0, [0.0] * len(xs))
        return Point(xs, height, slope, equation.step(jacobian, numbers))


def _solve(equation: Equation) -> object:
    first = _first(equation)
    xs = _steps_in_a_trace(equation, first) if is_traced(first.slope) else _steps(equation, first)
    system = System(equation, xs)
    equation.require_solution(system)
    solution = system.results()
    return solution[0] if equation.is_single else solution


def _first(equation: Equation) -> Point:
    try:
        first = _point(equation, list(equation.start))
    except SingularMatrix:
        raise _singular(equation, equation.start) from None
    if not is_traced(first.slope) and not (first.slope - first.slope == 0):
        raise ValueError(
            f"{equation.name} needs a start at which f and its derivatives are finite, got x0 = "
            f"{quote(equation.start)}"
        )
    return first


def _singular(equation: Equation, xs: Sequence[Number]) -> ValueError:
    return ValueError(
        f"{equation.name} needs an invertible Jacobian, got a singular one at x = "
        f"{quote([data_of(x) for x in xs])}: start elsewhere"
    )


def _steps(equation: Equation, at: Point) -> list[Number]:
    """Return the numbers at which Newton's method ends, where they are known."""
    share, scales = 1.0, _sizes(at.xs)
    for _ in range(MOST_STEPS):
        parts = [
            s / scale if scale else s for s, scale in zip(_sizes(at.step), scales, strict=True)
        ]
        if at.slope == 0 or max(parts) <= EXACT:
            return at.xs
        trial = [x - share * s for x, s in zip(at.xs, at.step, strict=True)]
        try:
            there = _point(equation, trial)
        except (ArithmeticError, ValueError):  # as of the logarithm of a negative number
            there = at
        if equation.is_better(there, at):
            scales = [*map(max, _sizes(there.xs), scales)]
            at, share = there, min(1.0, 2 * share)
        elif max(parts) <= CLOSE:
            return at.xs  # there are no digits left
        else:
            share /= 2
    raise RuntimeError(
        f"{equation.name} did not converge within {MOST_STEPS} steps from {quote(equation.start)}, "
        f"got x = {quote(at.xs)} with residual {quote(at.slope)}: start closer to the solution, if "
        "there is one"
    )


def _steps_in_a_trace(equation: Equation, at: Point) -> list[Number]:
    """Return them in a trace, where the number of steps is fixed: later ones change nothing."""
    share: Number = 1.0
    for _ in range(STEPS_IN_A_KERNEL):
        trial = [x - share * s for x, s in zip(at.xs, at.step, strict=True)]
        there = _point(equation, [without_graph(x) for x in trial])
        better = equation.is_better(there, at)
        share = where(better, min_(1.0, 2.0 * share), share / 2.0)
        at = Point(
            [where(better, x, y) for x, y in zip(there.xs, at.xs, strict=True)],
            where(better, there.height, at.height),
            where(better, there.slope, at.slope),
            [where(better, x, y) for x, y in zip(there.step, at.step, strict=True)],
        )
    is_found: Number = 1.0
    for x, s, x0 in zip(at.xs, at.step, equation.start, strict=True):
        is_found = where(magnitude(s) <= CLOSE * (magnitude(x) + magnitude(x0)), is_found, 0.0)
    is_found = where(at.slope <= 0, 1.0, is_found)
    return [without_graph(where(is_found, x, float("nan"))) for x in at.xs]


class System:
    """The equations at their solution, as a graph over x and the nodes that x is a function of.

    The graph is recorded once, and recomputed with others in place of these: numbers for a
    gradient, nodes for a gradient that is a graph, power series for Taylor coefficients.
    """

    def __init__(self, equation: Equation, xs: list[Number]) -> None:
        self.name, self.xs = equation.name, xs
        start = graph.advance_clock()  # what f computes with was there before
        with recording(), expanding():
            self.unknowns = _nodes(xs)
            self.residuals = equation.residuals(self.unknowns)[0]
        made = [r for r in self.residuals if isinstance(r, Value)]
        own = {*self.unknowns, *xs}
        self.givens = [x for x in frontier(made, start) if x not in own]
        known = not any(map(is_traced, self.givens))
        self.numbers = [x.data for x in self.givens] if known else None
        self._slopes: list[list[Number]] | None = None

    def results(self) -> list[Number]:
        """Return x: as nodes over what it is a function of, if it depends on anything."""
        if not self.givens:
            return self.xs
        operands = [*self.xs, *self.givens]
        return [root_of(self, k)(*operands) for k in range(len(self.xs))]

    def slopes(self) -> list[list[Number]]:
        """Return the partial of each x with respect to each given number, as graphs over them."""
        if self._slopes is None:
            n, by_x, by_given = len(self.xs), [], []
            with recording(), expanding():
                for residual in self.residuals:
                    by = Linearization([residual], [*self.unknowns, *self.givens], True, True)
                    slopes = by.pull([1])
                    by_x.append(slopes[:n])
                    by_given.append(slopes[n:])
                units: list[list[Number]] = [[float(i == j) for j in range(n)] for i in range(n)]
                inverse = solve_system(by_x, units)
                columns = [*zip(*by_given, strict=True)]
                self._slopes = [[-dot_(*row, *column) for column in columns] for row in inverse]
        return self._slopes

    def compute(self, outputs: Sequence[Number], instead: Mapping[Value, Numeric]) -> list[Numeric]:
        """Return numbers of the graph, computed with others in place of some of its nodes."""
        found: dict[Value, Numeric] = dict(instead)
        nodes = [x for x in outputs if isinstance(x, Value)]
        for node in topological_order(*nodes, known=found):
            if node in found:
                continue
            if node.op is None or not node.parents:
                found[node] = node if node.is_traced else node.data
            else:
                found[node] = node.op(*[found[parent] for parent in node.parents])
        return [found[x] if isinstance(x, Value) else x for x in outputs]


def root_of(system: System, k: int) -> Primitive:
    """Return the operation whose result is number k of a solution.

    Its operands are the numbers of the solution, which are constants, and what it is a function of.
    """
    n = len(system.xs)

    def forward(*operands: float) -> float:
        if system.numbers is None or [*operands[n:]] == system.numbers:
            return operands[k]
        raise RuntimeError(
            f"refresh() cannot solve again, got a {system.name} of other numbers: call "
            f"{system.name} again"
        )

    def partials(out: Numeric, *operands: Numeric) -> tuple[Numeric | None, ...]:
        xs = [out if i == k else root_of(system, i)(*operands) for i in range(n)]
        instead = dict(zip([*system.unknowns, *system.givens], [*xs, *operands[n:]], strict=True))
        return (*[None] * n, *system.compute(system.slopes()[k], instead))

    return Primitive(system.name, forward, partials, (root_of, (system, k)))
