"""From a graph to an expression: what each primitive means in mathematics.

A primitive that has no row here is a function that keeps its name, as a user's own does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction

from ... import functional, special
from ...core import primitive
from ...core.graph import topological_order
from ...engine import Value
from ...functional import split_dot
from .algebra import HALF, MINUS, UNIT, Algebra, ExactNumber, Expression

__all__ = ["FAMILIES", "PRODUCTS", "RULES", "SUMS", "expressions_of"]

Rule = Callable[..., Expression]
Weights = tuple[ExactNumber, ...] | None

MIRRORED = {"<": ">", "<=": ">="}  # 0 < x is x > 0

# where its primitives are declared
LIBRARY = (primitive.__name__, functional.__name__, special.__name__)


def _exp(a: Algebra, x: Expression) -> Expression:
    """Return exp(x), with a factor of its own for a maximum: that of softmax, which cancels."""
    if x is a.zero:
        return a.one
    terms = [*x.pairs()] if x.kind == "sum" else []
    shifts = [(part, weight) for part, weight in terms if part.name == "max" and weight.is_whole]
    if not shifts:
        return a.call("exp", x)
    rest = a.sum([term for term in terms if term not in shifts])
    return a.product([(_exp(a, part), weight) for part, weight in [(rest, UNIT), *shifts]])


def _log(a: Algebra, x: Expression) -> Expression:
    """Return log(x); that of a product with exp(y) is a sum with y."""
    factors = [*x.pairs()] if x.kind == "product" else []
    powers = [(base, exponent) for base, exponent in factors if base.name == "exp"]
    if not powers:
        return a.zero if x is a.one else a.call("log", x)
    rest = a.product([factor for factor in factors if factor not in powers])
    exponents = [(base.parents[0], exponent) for base, exponent in powers]
    return a.sum([*exponents, (_log(a, rest), UNIT)])


def _plus(a: Algebra, *xs: Expression) -> Expression:
    return a.sum([(x, UNIT) for x in xs])


def _minus(a: Algebra, x: Expression, y: Expression) -> Expression:
    return a.sum([(x, UNIT), (y, MINUS)])


def _over(a: Algebra, x: Expression, y: Expression) -> Expression:
    return a.product([(x, UNIT), (y, MINUS)])


def _times(a: Algebra, x: Expression, y: Expression) -> Expression:
    return a.product([(x, UNIT), (y, UNIT)])


def _root(a: Algebra, x: Expression) -> Expression:
    return a.product([(x, HALF)])


def _length(a: Algebra, *xs: Expression) -> Expression:
    return _root(a, a.sum([(a.product([(x, ExactNumber.of(2))]), UNIT) for x in xs]))


def _sign(a: Algebra, x: Expression) -> Expression:
    if x.name == "relu":  # the slope of relu, which is 1 above 0
        return _comparison(a, ">", x.parents[0], a.zero)
    return a.call("sign", x)


def _absolute(a: Algebra, x: Expression) -> Expression:
    if x.name == "sign":
        return a.where(x.parents[0], a.one, a.zero)
    if x.number is not None:
        return a.sum([(x, MINUS if x.number.value < 0 else UNIT)])
    return a.call("abs", x)


def _comparison(a: Algebra, symbol: str, x: Expression, y: Expression) -> Expression:
    if x.number is not None and symbol in MIRRORED:
        symbol, x, y = MIRRORED[symbol], y, x
    return a.where(a.call(symbol, x, y), a.one, a.zero)


def _clip(a: Algebra, x: Expression, low: float, high: float) -> Expression:
    if math.isfinite(low) and math.isfinite(high):
        return a.call("clip", x, a.of(low), a.of(high))
    if math.isfinite(low):
        return a.call("max", x, a.of(low))
    return a.call("min", x, a.of(high)) if math.isfinite(high) else x


def _probability(a: Algebra, x: Expression) -> Expression:
    below = a.call("erfc", a.sum([(_over(a, x, _root(a, a.of(2))), MINUS)]))
    return _over(a, below, a.of(2))


def _mills(a: Algebra, x: Expression, n: int) -> Expression:
    """Return the n-th derivative of probability over density, by its recurrence."""
    if n == 0:
        half_square = _over(a, _times(a, x, x), a.of(2))
        whole = _times(a, _root(a, NAMED[math.tau](a)), _probability(a, x))
        return _times(a, whole, _exp(a, half_square))
    before = a.one if n == 1 else _times(a, a.of(n - 1), _mills(a, x, n - 2))
    return _plus(a, _times(a, x, _mills(a, x, n - 1)), before)


def _wave(a: Algebra, z: Expression, n: int) -> Expression:
    """Return NumPy's sinc, of z / pi, and its derivatives with respect to z."""
    return a.call("sinc_by", a.of(n), z) if n else a.call("sinc", _over(a, z, a.symbol("pi")))


def _first(a: Algebra, x: Expression) -> Expression:
    return x


# fmt: off
RULES: dict[str, Rule] = {
    "exp":       _exp,
    "log":       _log,
    "exp2":      lambda a, x: a.power(a.of(2), x),
    "expm1":     lambda a, x: _minus(a, _exp(a, x), a.one),
    "log1p":     lambda a, x: _log(a, _plus(a, a.one, x)),
    "logsumexp": lambda a, *xs: _log(a, _plus(a, *[_exp(a, x) for x in xs])),
    "share":     lambda a, x, rest: _over(a, x, _plus(a, x, rest)),
    "log_share": lambda a, d, rest: _minus(a, d, _log(a, _plus(a, _exp(a, d), rest))),
    "sqrt":      _root,
    "sech2":     lambda a, y, x: _minus(a, a.one, a.product([(y, ExactNumber.of(2))])),
    "softsign":  lambda a, x: _over(a, x, _plus(a, a.one, a.call("abs", x))),
    "hypot":     _length,
    "direction": _over,
    "**":        Algebra.power,
    "**k":       Algebra.power,
    "power_slope": lambda a, x, y: _times(a, y, a.power(x, a.difference(y, a.one))),
    "power_log":   lambda a, x, y: _times(a, a.power(x, y), _log(a, x)),
    "//":        lambda a, x, y: a.call("floor", _over(a, x, y)),
    "compare":   lambda a, x, y: _sign(a, a.difference(x, y)),
    "sign":      _sign,
    "abs":       _absolute,
    "<":         lambda a, x, y: _comparison(a, "<", x, y),
    "<=":        lambda a, x, y: _comparison(a, "<=", x, y),
    "==":        lambda a, x, y: a.where(a.difference(x, y), a.zero, a.one),
    "where":     Algebra.where,
    "max":       lambda a, *xs: a.call("max", *xs) if len(xs) > 1 else xs[0],
    "min":       lambda a, *xs: a.call("min", *xs) if len(xs) > 1 else xs[0],
    "log_ndtr":  lambda a, x: _log(a, _probability(a, x)),
    "stop_gradient": _first,
    "constant":  _first,
    "argument":  _first,
}
FAMILIES: dict[str, Rule] = {  # they take the operand, then the constants of the member
    "power":         lambda a, x, n: a.product([(x, ExactNumber.of(n))]),
    "exponential":   lambda a, x, base: a.power(a.of(base), x),
    "round_to":      lambda a, x, digits: a.call("round", x, *([a.of(digits)] if digits else [])),
    "leaky_relu_by": lambda a, x, slope: a.call("leaky_relu", x, a.of(slope)),
    "elu_by":        lambda a, x, alpha: a.call("elu", x, *([a.of(alpha)] if alpha != 1 else [])),
    "polygamma_by":  lambda a, x, n: a.call("polygamma", a.of(n), x) if n else a.call("digamma", x),
    "mills_by":      _mills,
    "sinc_by":       _wave,
    "clip_to":       _clip,
}
# fmt: on
# The weights of the operands of sums and of products; None stands for 1 for each.
SUMS: dict[str, Weights] = {
    "+": (UNIT, UNIT),
    "-": (UNIT, MINUS),
    "neg": (MINUS,),
    "sum": None,
    "dot": None,
}
PRODUCTS: dict[str, Weights] = {"*": (UNIT, UNIT), "/": (UNIT, MINUS), "prod": None}

# The floats nearest to numbers that have names. Rules have some of these as constants.
NAMED: dict[float, Rule] = {
    **{1 / math.log(n): lambda a, n=n: _over(a, a.one, _log(a, a.of(n))) for n in (2, 10)},
    **{math.log(n): lambda a, n=n: _log(a, a.of(n)) for n in range(2, 11)},
    math.sqrt(2): lambda a: _root(a, a.of(2)),
    math.sqrt(math.tau): lambda a: _root(a, NAMED[math.tau](a)),
    math.pi: lambda a: a.symbol("pi"),
    math.tau: lambda a: a.product([(a.of(2), UNIT), (a.symbol("pi"), UNIT)]),
    2 / math.sqrt(math.pi): lambda a: _over(a, a.of(2), _root(a, a.symbol("pi"))),
    math.e: lambda a: _exp(a, a.one),
}


def expressions_of(
    roots: Sequence[Value],
    algebra: Algebra,
    nodes: Mapping[Value, Value],
    held: Collection[Value] = (),
) -> dict[Value, Expression]:
    """Return the expressions of a graph's nodes, except for those within a larger sum or product.

    `nodes` are those that were not made by differentiation, with the values that they stand for.
    The leaves among them are symbols, named by these values, and so are the nodes that stand for a
    value in `held`; constants are numbers.
    """
    by = set(held)
    found = {
        node: algebra.symbol(named)
        for node, named in nodes.items()
        if named in by or not (node.parents or node.is_constant)
    }
    order = topological_order(*roots, known=found)
    within = _within(order) - found.keys() - {*roots}
    for node in order:
        if node not in within:
            is_guard = node not in nodes and _name(node) == "where" and _holds_at_0(node, found)
            found[node] = (
                found[node.parents[2]] if is_guard else _expression(node, algebra, found, within)
            )
    return found


def _holds_at_0(choice: Value, found: dict[Value, Expression]) -> bool:
    """Return whether a choice is made by whether a length is 0, a point that a rule guards."""
    condition = found[choice.parents[0]]
    comparison = condition.parents[0] if condition.name == "where" else condition
    if comparison.name != "<=":
        return False
    length, limit = comparison.parents
    return _is_length(length) and limit.number == ExactNumber(Fraction(0))


def _is_length(x: Expression) -> bool:
    """Return whether x is plainly never negative."""
    if x.number is not None:
        return x.number.value >= 0
    if x.kind == "sum":
        return all(weight.value > 0 and _is_length(part) for part, weight in x.pairs())
    return x.name == "abs" or (x.kind == "product" and {*x.weights} == {HALF})


def _within(order: list[Value]) -> set[Value]:
    """Return the sums that are used only once, in a sum, and such products in a product."""
    uses = Counter([parent for node in order for parent in node.parents])
    within: set[Value] = set()
    for node in order:
        name = _name(node)
        # of a dot product only the start is a term as it is
        operands = split_dot(node.parents)[2] if name == "dot" else node.parents
        for table in (SUMS, PRODUCTS):
            if name in table:
                within.update([p for p in operands if uses[p] == 1 and _name(p) in table])
    return within


def _name(node: Value) -> str:
    """Return the name of a node's operation, or "" of a leaf and of a family's member."""
    return node.op.name if node.op and node.parents and not node.op.family else ""


def _expression(
    node: Value, a: Algebra, found: dict[Value, Expression], within: set[Value]
) -> Expression:
    op, name = node.op, _name(node)
    if op is None or not node.parents:
        return _constant(node.data, a) if node.is_constant else a.symbol(node)
    if name in SUMS:
        return a.sum(_spread(node, SUMS, a, found, within))
    if name in PRODUCTS:
        return a.product(_spread(node, PRODUCTS, a, found, within))
    operands = [found[parent] for parent in node.parents]
    if op.family:
        rule = FAMILIES.get(op.family)
        return rule(a, *operands, *op.constants) if rule else a.call(op, *operands)
    if name in RULES:
        return RULES[name](a, *operands)
    is_own = getattr(op.partials, "__module__", "") in LIBRARY
    return a.call(name if is_own else op, *operands)


def _spread(
    root: Value,
    table: Mapping[str, Weights],
    a: Algebra,
    found: dict[Value, Expression],
    within: set[Value],
) -> list[tuple[Expression, ExactNumber]]:
    """Return the terms of a sum, or the factors of a product, and of those within it."""
    parts = []
    stack = [(root, UNIT)]
    while stack:
        node, weight = stack.pop()
        if node is not root and node not in within:
            parts.append((found[node], weight))
            continue
        operands = node.parents
        if _name(node) == "dot":
            left, right, operands = split_dot(operands)
            for x, y in zip(left, right, strict=True):
                parts.append((a.product([(found[x], UNIT), (found[y], UNIT)]), weight))
        weights = table[_name(node)] or (UNIT,) * len(operands)
        stack += [(p, weight.times(w)) for p, w in zip(operands, weights, strict=True)][::-1]
    return parts


def _constant(x: float | Fraction, a: Algebra) -> Expression:
    if isinstance(x, Fraction):
        return a.of(x)
    magnitude = abs(x)
    if magnitude in NAMED:
        expression = NAMED[magnitude](a)
    elif math.isfinite(x):
        expression = a.of(magnitude)
    else:
        expression = a.symbol("inf" if x == x else "nan")
    return a.sum([(expression, MINUS if x < 0 else UNIT)])
