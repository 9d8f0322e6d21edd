"""The table of domains: where each primitive is defined, and where its derivative breaks.

A row says this in three ways: an interval for each operand, and the nearest kink and the nearest
pole to given operands. Distances, points at a kink and points away from it all follow. A distance
between operands is the greatest change of any of them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...core.primitive import Primitive
from ...guards.checks import quote

__all__ = [
    "CONDITION",
    "DOMAINS",
    "FAMILIES",
    "HELD",
    "LIBRARY",
    "NOT_NEGATIVE",
    "POSITIVE",
    "REAL",
    "Domain",
    "FamilyDomain",
    "Interval",
    "at",
    "declare_domain",
    "domain_of",
    "family_name",
]

Nearest = Callable[..., "tuple[float, ...] | None"]


@dataclass(frozen=True)
class Interval:
    """The numbers that an operand may be: those between `low` and `high`, and these if `closed`.

    An operand that is `held` is a constant to its primitive, whose partial there is no derivative.

    >>> 0.0 in POSITIVE, 0.0 in NOT_NEGATIVE
    (False, True)
    """

    low: float = -math.inf
    high: float = math.inf
    closed: bool = False
    held: bool = False

    def __contains__(self, x: float) -> bool:
        inside = self.low < x < self.high
        return inside or (self.closed and x in (self.low, self.high) and math.isfinite(x))

    def from_edge(self, x: float) -> float:
        """Return the distance to the nearest end, 0 outside, inf for an operand that is held.

        >>> POSITIVE.from_edge(3.0), POSITIVE.from_edge(-3.0), HELD.from_edge(3.0)
        (3.0, 0.0, inf)
        """
        return math.inf if self.held else max(min(x - self.low, self.high - x), 0.0)


#: All numbers.
REAL = Interval()
#: Those above 0.
POSITIVE = Interval(low=0.0)
#: Those that are at least 0.
NOT_NEGATIVE = Interval(low=0.0, closed=True)
#: Any number, for an operand with respect to which nothing is differentiated.
HELD = Interval(held=True)
#: 0 where a condition does not hold, 1 where it does.
CONDITION = Interval(0.0, 1.0, closed=True, held=True)


class Domain:
    """Where a primitive is defined, and where its derivative breaks.

    `kink(*operands)` returns the nearest operands at which the value or a derivative of any order
    jumps, and `pole` the nearest ones that are missing from the intervals; None says that there are
    no such operands. `within` says of operands that are each in their interval whether the
    primitive is defined there: it is for what has no distance, such as an overflow.

    Args:
        intervals: one for each operand, or a single one for `several` operands of any number.
        several: whether the primitive takes any number of operands.
        kink: None if the primitive is smooth.
        pole: None if the intervals have no holes.
        within: None if all operands from the intervals will do.

    >>> reciprocal = Domain(REAL, pole=at(0))
    >>> reciprocal.contains(0.0), reciprocal.from_edge(-0.25), reciprocal.from_kink(-0.25)
    (False, 0.25, inf)
    """

    def __init__(
        self,
        *intervals: Interval,
        several: bool = False,
        kink: Nearest | None = None,
        pole: Nearest | None = None,
        within: Callable[..., bool] | None = None,
    ) -> None:
        if not intervals or (several and len(intervals) > 1):
            raise ValueError(
                "a Domain needs an interval for each operand, or a single one for several operands"
                f", got {len(intervals)} with several={several}"
            )
        self.intervals, self.several = intervals, several
        self.kink, self.pole, self.within = kink, pole, within

    def interval(self, i: int) -> Interval:
        """Return the interval of operand i.

        >>> domain_of(Primitive.named("sum")).interval(7) == REAL
        True
        """
        return self.intervals[0 if self.several else i]

    def takes(self, arity: int) -> bool:
        """Return whether the primitive takes so many operands.

        >>> domain_of(Primitive.named("/")).takes(2), domain_of(Primitive.named("sum")).takes(7)
        (True, True)
        """
        return arity > 0 if self.several else arity == len(self.intervals)

    def contains(self, *operands: float) -> bool:
        """Return whether the primitive is defined at these operands.

        >>> domain_of(Primitive.named("/")).contains(1.0, 0.0)
        False
        """
        return (
            self.takes(len(operands))
            and all(x in self.interval(i) for i, x in enumerate(operands))
            and _distance(operands, self.pole) > 0
            and (self.within is None or self.within(*operands))
        )

    def from_edge(self, *operands: float) -> float:
        """Return how far the nearest operands are at which the primitive is not defined.

        The ends of an interval count as edges where they belong to it too; outside it is 0.

        >>> domain_of(Primitive.named("asin")).from_edge(0.75)
        0.25
        """
        if not self.contains(*operands):
            return 0.0
        from_ends = [self.interval(i).from_edge(x) for i, x in enumerate(operands)]
        return min(*from_ends, _distance(operands, self.pole))

    def from_kink(self, *operands: float) -> float:
        """Return how far the nearest kink or jump is, inf where there is no kink.

        >>> domain_of(Primitive.named("max")).from_kink(1.0, 3.0)
        1.0
        """
        return _distance(operands, self.kink)


def _distance(operands: tuple[float, ...], nearest: Nearest | None) -> float:
    there = nearest(*operands) if nearest else None
    if there is None:
        return math.inf
    return max(abs(x - y) for x, y in zip(operands, there, strict=True))


class FamilyDomain(NamedTuple):
    """The domains of a family: that of each member, and the constants of some worth testing.

    >>> shifted_root = FamilyDomain(lambda shift: Domain(Interval(low=-shift)), [(0,), (1,)])
    >>> shifted_root.domain(1).contains(-0.5)
    True
    """

    domain: Callable[..., Domain]
    constants: Sequence[tuple[object, ...]]


# ---- the nearest kinks and poles


def at(*points: float) -> Nearest:
    """Return the kink, or pole, of a single operand at given points.

    >>> at(-1, 2)(1.5)
    (2,)
    """

    def nearest(x: float) -> tuple[float, ...] | None:
        return (min(points, key=lambda point: abs(x - point)),) if points else None

    return nearest


def _whole(x: float) -> tuple[float, ...]:
    return (round(x),)


def _pole_of_gamma(x: float) -> tuple[float, ...]:
    return (min(round(x), 0),)


def _odd_quarter_turn(x: float) -> tuple[float, ...]:
    return ((math.floor(x / math.pi) + 0.5) * math.pi,)


def _tie(x: float, y: float) -> tuple[float, ...]:
    return (x + y) / 2, (x + y) / 2


def _tie_of(order: Callable[[float], float]) -> Nearest:
    """Return the kink where those two of several operands meet that come first in an order."""

    def nearest(*xs: float) -> tuple[float, ...] | None:
        if len(xs) < 2:
            return None
        i, j = sorted(range(len(xs)), key=lambda i: order(xs[i]))[:2]
        middle = _tie(xs[i], xs[j])[0]
        return tuple([middle if k in (i, j) else x for k, x in enumerate(xs)])

    return nearest


def _zero_divisor(x: float, y: float) -> tuple[float, ...]:
    return x, 0.0


def _whole_quotient(x: float, y: float) -> tuple[float, ...] | None:
    if not y:
        return None
    quotient = x / y
    if not math.isfinite(quotient):
        return x, y  # the lines are closer than numbers are
    below = math.floor(quotient)
    # The line x = n * y is |x - n * y| / (1 + |n|) away, along the diagonal.
    away, n = min((abs(x - n * y) / (1 + abs(n)), n) for n in (below, below + 1))
    nearer_y = y + math.copysign(away, (x - n * y) * n)
    return n * nearer_y, nearer_y


def _cut(y: float, x: float) -> tuple[float, ...]:
    return 0.0, min(x, 0.0)


def _origin(*xs: float) -> tuple[float, ...]:
    return (0.0,) * len(xs)


# ---- the rows

EXP_LIMIT = math.log(sys.float_info.max)  # exp overflows above
SINH_LIMIT = EXP_LIMIT + math.log(2)


def _fits(x: float, exponent: float) -> bool:
    """Return whether x**exponent does not overflow, for a real power of x."""
    return x == 0 or exponent * math.log(abs(x)) < EXP_LIMIT


def _is_power(x: float, y: float) -> bool:
    return y >= 0 if x == 0 else _fits(x, y)


def _has_slope(x: float, y: float) -> bool:
    return y == 0 or y >= 1 if x == 0 else _fits(x, y - 1)


def _power_domain(n: float) -> Domain:
    if n % 1 == 0:
        return Domain(REAL, pole=at(0) if n < 0 else None, within=lambda x: _fits(x, n))
    return Domain(NOT_NEGATIVE if n > 0 else POSITIVE, within=lambda x: _fits(x, n))


def _exponential_domain(base: float) -> Domain:
    if base < 0:
        raise ValueError(f"powers of a base need one that is not negative, got {quote(base)}")
    if base == 0:
        return Domain(NOT_NEGATIVE, kink=at(0))
    limit = EXP_LIMIT / abs(math.log(base)) if base != 1 else math.inf
    return Domain(Interval(-limit, limit))


def _round_domain(digits: int) -> Domain:
    scale = 10.0**digits
    return Domain(REAL, kink=lambda x: ((math.floor(x * scale) + 0.5) / scale,))


def _clip_domain(low: float, high: float) -> Domain:
    if low == high:
        return Domain(REAL)
    return Domain(REAL, kink=at(*filter(math.isfinite, (low, high))))


DOMAINS: dict[str, Domain] = {
    "+": Domain(REAL, REAL),
    "-": Domain(REAL, REAL),
    "*": Domain(REAL, REAL),
    "/": Domain(REAL, REAL, pole=_zero_divisor),
    "neg": Domain(REAL),
    "abs": Domain(REAL, kink=at(0)),
    "**": Domain(NOT_NEGATIVE, REAL, within=_is_power),
    "**k": Domain(NOT_NEGATIVE, HELD, within=_is_power),
    "power_slope": Domain(NOT_NEGATIVE, REAL, within=_has_slope),
    "power_log": Domain(NOT_NEGATIVE, REAL, within=_is_power),
    "//": Domain(REAL, REAL, pole=_zero_divisor, kink=_whole_quotient),
    "%": Domain(REAL, REAL, pole=_zero_divisor, kink=_whole_quotient),
    "relu": Domain(REAL, kink=at(0)),
    "tanh": Domain(REAL),
    "sech2": Domain(REAL, HELD),
    "sigmoid": Domain(REAL),
    "softplus": Domain(REAL),
    "softsign": Domain(REAL, kink=at(0)),
    "exp": Domain(Interval(high=EXP_LIMIT)),
    "exp2": Domain(Interval(high=1024)),
    "expm1": Domain(Interval(high=EXP_LIMIT)),
    "log": Domain(POSITIVE),
    "log2": Domain(POSITIVE),
    "log10": Domain(POSITIVE),
    "log1p": Domain(Interval(low=-1)),
    "sqrt": Domain(NOT_NEGATIVE),
    "cbrt": Domain(REAL, kink=at(0)),
    "sin": Domain(REAL),
    "cos": Domain(REAL),
    "tan": Domain(REAL, pole=_odd_quarter_turn),
    "asin": Domain(Interval(-1, 1, closed=True)),
    "acos": Domain(Interval(-1, 1, closed=True)),
    "atan": Domain(REAL),
    "atan2": Domain(REAL, REAL, kink=_cut),
    "sinh": Domain(Interval(-SINH_LIMIT, SINH_LIMIT)),
    "cosh": Domain(Interval(-SINH_LIMIT, SINH_LIMIT)),
    "asinh": Domain(REAL),
    "acosh": Domain(Interval(low=1, closed=True)),
    "atanh": Domain(Interval(-1, 1)),
    "erf": Domain(REAL),
    "erfc": Domain(REAL),
    "lgamma": Domain(REAL, pole=_pole_of_gamma),
    "log_ndtr": Domain(REAL),
    "erfinv": Domain(Interval(-1, 1)),
    "sign": Domain(REAL, kink=at(0)),
    "floor": Domain(REAL, kink=_whole),
    "ceil": Domain(REAL, kink=_whole),
    "compare": Domain(REAL, REAL, kink=_tie),
    "<": Domain(REAL, REAL, kink=_tie),
    "<=": Domain(REAL, REAL, kink=_tie),
    "==": Domain(REAL, REAL, kink=_tie),
    "where": Domain(CONDITION, REAL, REAL),
    "sum": Domain(REAL, several=True),
    "prod": Domain(REAL, several=True),
    "dot": Domain(REAL, several=True),
    "max": Domain(REAL, several=True, kink=_tie_of(lambda x: -x)),
    "min": Domain(REAL, several=True, kink=_tie_of(lambda x: x)),
    "hypot": Domain(REAL, several=True, kink=_origin),
    "direction": Domain(REAL, REAL, pole=_zero_divisor),
    "logsumexp": Domain(REAL, several=True),
    "share": Domain(POSITIVE, NOT_NEGATIVE),
    "log_share": Domain(Interval(-600, EXP_LIMIT), NOT_NEGATIVE),
    "stop_gradient": Domain(HELD),
    "constant": Domain(REAL),
    "argument": Domain(REAL),
}

FAMILIES: dict[str, FamilyDomain] = {
    "power": FamilyDomain(_power_domain, ((2,), (3,), (-1,), (0.5,), (1,), (0,), (-2,), (-1.5,))),
    "exponential": FamilyDomain(_exponential_domain, ((2,), (0.3,), (1,), (0,))),
    "round_to": FamilyDomain(_round_domain, ((0,), (1,), (-1,))),
    "leaky_relu_by": FamilyDomain(lambda slope: Domain(REAL, kink=at(0)), ((0.1,), (0,), (2,))),
    "elu_by": FamilyDomain(lambda alpha: Domain(REAL, kink=at(0)), ((1,), (0.5,))),
    "polygamma_by": FamilyDomain(lambda n: Domain(REAL, pole=_pole_of_gamma), ((0,), (1,), (2,))),
    "mills_by": FamilyDomain(lambda n: Domain(Interval(high=37)), ((0,), (1,), (2,))),
    "sinc_by": FamilyDomain(lambda n: Domain(REAL), ((0,), (1,), (2,))),
    "clip_to": FamilyDomain(_clip_domain, ((-1, 2), (0, math.inf), (-math.inf, 0.5), (1, 1))),
}

#: The names of the library's own primitives and families.
LIBRARY = (*DOMAINS, *FAMILIES)


def domain_of(primitive: Primitive) -> Domain:
    """Return the domain of a primitive.

    Raises:
        TypeError: it is not a primitive.
        ValueError: it has none in the table.

    >>> domain_of(Primitive.named("log")).contains(0.0)
    False
    """
    if not isinstance(primitive, Primitive):
        raise TypeError(f"a domain is that of a Primitive, got {quote(primitive)}")
    if primitive.family in FAMILIES:
        return FAMILIES[primitive.family].domain(*primitive.constants)
    if not primitive.family and primitive.name in DOMAINS:
        return DOMAINS[primitive.name]
    raise ValueError(
        f"{primitive.name} needs a domain, and the table has none: say where it is defined, "
        "as in `declare_domain(primitive, Domain(REAL))`, all from microgrid.testing.strategies"
    )


def declare_domain(
    primitive: Callable[..., Primitive] | Primitive, domain: Domain | FamilyDomain
) -> None:
    """Enter the domain of a primitive into the table, or that of a family: what `family` returned.

    Raises:
        TypeError: it is not a primitive with its Domain, nor a family with its FamilyDomain.

    >>> cubed = Primitive("cubed", lambda x: x * x * x, lambda out, x: (3 * x * x,))
    >>> declare_domain(cubed, Domain(REAL))
    >>> domain_of(cubed).contains(-2.0)
    True
    """
    if isinstance(primitive, Primitive) and isinstance(domain, Domain):
        DOMAINS[primitive.name] = domain
    elif isinstance(domain, FamilyDomain) and (name := family_name(primitive)):
        FAMILIES[name] = domain
    else:
        raise TypeError(
            "declare_domain needs a Primitive and its Domain, or what `family` returned and its "
            f"FamilyDomain, got {quote(primitive)} and {quote(domain)}"
        )


def family_name(maker: Callable[..., Primitive]) -> str | None:
    """Return the name of what `family` returned, None of anything else.

    >>> family_name(Primitive.families["power"])
    'power'
    """
    return next((name for name, made in Primitive.families.items() if made is maker), None)
