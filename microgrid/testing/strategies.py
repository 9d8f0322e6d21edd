"""Strategies for Hypothesis: numbers in a primitive's domain, primitives, and random programs.

What is drawn depends on the table of domains alone: `declare_domain` adds a row to it for your own
primitive:

    from microgrid import Primitive
    from microgrid.testing import check_gradients, strategies

    cube = Primitive("cube", lambda x: x**3, lambda out, x: (3 * x**2,))
    strategies.declare_domain(cube, strategies.Domain(strategies.REAL))

    @hypothesis.given(strategies.programs(primitives=[cube, *strategies.LIBRARY]))
    def test_gradients_of_programs_with_cubes(program):
        assert check_gradients(program, *program.point)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.primitive import CONSTANT, Primitive, argument
from ..guards.checks import quote, require_numbers
from .programs.domains import (
    CONDITION,
    FAMILIES,
    HELD,
    LIBRARY,
    NOT_NEGATIVE,
    POSITIVE,
    REAL,
    Domain,
    FamilyDomain,
    Interval,
    at,
    declare_domain,
    domain_of,
    family_name,
)
from .programs.sketch import MOST_OPERANDS, Recipe, draw_program
from .programs.source import SourceProgram

__all__ = [
    "CONDITION",
    "HELD",
    "LIBRARY",
    "NOT_NEGATIVE",
    "POSITIVE",
    "RATIONAL",
    "REAL",
    "Domain",
    "FamilyDomain",
    "Interval",
    "SourceProgram",
    "at",
    "declare_domain",
    "domain_of",
    "numbers",
    "primitives",
    "programs",
]

Drawn = TypeVar("Drawn")
# A primitive, a family (what `family` returned), or the name of either.
Choice = Primitive | Callable[..., Primitive] | str

#: The library's primitives that turn Fractions into Fractions.
RATIONAL = (
    *("+", "-", "*", "/", "neg", "abs", "%", "relu", "sign", "floor", "ceil", "compare", "where"),
    *("sum", "prod", "dot", "max", "min", "power", "round_to", "leaky_relu_by", "clip_to"),
)

DENOMINATOR = 12  # the greatest of an exact operand


# ---- numbers


def numbers(
    primitive: Primitive | str,
    *,
    from_edge: float = 0.1,
    from_kink: float = 0.01,
    max_magnitude: float = 5.0,
    exact: bool = False,
) -> SearchStrategy[tuple[float, ...]]:
    """Return a strategy for tuples of operands in a primitive's domain.

    A distance is the greatest change of an operand. With `from_kink=0` many tuples are exactly at a
    kink; with `from_edge=0` the edges that belong to the domain are among them.

    Args:
        primitive: a primitive, or its name.
        from_edge: the least distance to the ends of the domain, and to poles.
        from_kink: the least distance to kinks and jumps.
        max_magnitude: the greatest absolute value of an operand.
        exact: whether the operands are Fractions.

    Raises:
        ValueError: the primitive has no declared domain, or no operands keep these distances.

    >>> from hypothesis import find
    >>> find(numbers("log", from_edge=0.5), lambda xs: True)
    (1.0,)
    """
    if isinstance(primitive, str):
        primitive = Primitive.named(primitive)
    require_numbers(from_edge=from_edge, from_kink=from_kink)
    domain = domain_of(primitive)

    def keeps(xs: tuple[float, ...]) -> bool:
        return (
            all(abs(x) <= max_magnitude for x in xs)
            and domain.contains(*xs)
            and domain.from_edge(*xs) >= from_edge
            and domain.from_kink(*xs) >= from_kink
        )

    ends = [_ends(interval, from_edge, max_magnitude) for interval in domain.intervals]
    if not any(map(keeps, _samples(ends * 2 if domain.several else ends))):
        raise ValueError(
            f"numbers needs operands in the domain of {primitive.name}, got none that are "
            f"{from_edge} from every edge, {from_kink} from every kink and at most "
            f"{max_magnitude} from 0"
        )
    operands = _operands(domain, ends, exact)
    if domain.kink and from_kink == 0:
        operands = operands | operands.map(partial(_move_to_kink, domain))
    return operands.filter(keeps)


def _ends(interval: Interval, from_edge: float, max_magnitude: float) -> tuple[float, float]:
    """Return the least and the greatest number that an operand may be."""
    margin = 0.0 if interval.held else from_edge
    return max(interval.low + margin, -max_magnitude), min(interval.high - margin, max_magnitude)


def _samples(ends: list[tuple[float, float]]) -> Iterator[tuple[float, ...]]:
    """Yield a thousand tuples of operands between given ends, small ones and large ones."""
    random = Random(0)

    def sample(low: float, high: float) -> float:
        least, most = min(max(low, 0.0), high), random.choice((low, high))
        return least + (most - least) * random.random() ** random.choice((1, 100))

    if all(low <= high for low, high in ends):
        for _ in range(1000):
            yield tuple([sample(*pair) for pair in ends])


def _operands(
    domain: Domain, ends: list[tuple[float, float]], exact: bool
) -> SearchStrategy[tuple[float, ...]]:
    each = [
        _operand(interval, low, high, exact)
        for interval, (low, high) in zip(domain.intervals, ends, strict=True)
    ]
    if domain.several:
        return st.lists(each[0], min_size=1, max_size=MOST_OPERANDS).map(tuple)
    return st.tuples(*each)


def _operand(interval: Interval, low: float, high: float, exact: bool) -> SearchStrategy[Any]:
    if interval is CONDITION:
        return st.sampled_from([Fraction(0), Fraction(1)] if exact else [0.0, 1.0])
    if exact:
        least, greatest = math.ceil(low * DENOMINATOR), math.floor(high * DENOMINATOR)
        bounds = Fraction(least, DENOMINATOR), Fraction(greatest, DENOMINATOR)
        anywhere: SearchStrategy[Any] = st.fractions(*bounds, max_denominator=DENOMINATOR)
    else:
        anywhere = st.floats(low, high)
    return anywhere.filter(lambda x: x in interval)


def _move_to_kink(domain: Domain, xs: tuple[float, ...]) -> tuple[float, ...]:
    nearest = domain.kink(*xs) if domain.kink and domain.contains(*xs) else None
    return xs if nearest is None else tuple(map(type(xs[0]), nearest))


# ---- primitives


def primitives(
    among: Iterable[Choice] = LIBRARY, *, smooth: bool = False, arity: int | None = None
) -> SearchStrategy[Primitive]:
    """Return a strategy for primitives; for a family, its members with various constants.

    Args:
        among: primitives, families, and names of these.
        smooth: whether to leave out those that have kinks or jumps.
        arity: the number of operands that they take.

    Raises:
        ValueError: one of them has no declared domain, or none is left.

    >>> from hypothesis import find
    >>> find(primitives(["tanh", "power"]), lambda primitive: primitive.family)
    Primitive('**2')
    """
    groups = [
        [
            primitive
            for primitive in _members(choice)
            if not (smooth and domain_of(primitive).kink)
            and (arity is None or domain_of(primitive).takes(arity))
        ]
        for choice in among
    ]
    if not any(groups):
        raise ValueError(
            f"primitives needs one to draw, got none with smooth={smooth} and arity={arity}"
        )
    return _from(groups)


def _from(groups: Iterable[list[Drawn]]) -> SearchStrategy[Drawn]:
    """Return a strategy for a member of any group, each group being as likely."""
    return st.sampled_from([group for group in groups if group]).flatmap(st.sampled_from)


def _members(choice: Choice, exact: bool = False) -> list[Primitive]:
    """Return a primitive, or those of a family that are worth testing, in a list."""
    if isinstance(choice, str) and choice in Primitive.registry:
        choice = Primitive.named(choice)
    if isinstance(choice, Primitive):
        domain_of(choice)  # raises if there is none
        return [choice]
    name = choice if isinstance(choice, str) else family_name(choice)
    if name in FAMILIES and name in Primitive.families:
        maker, members = Primitive.families[name], FAMILIES[name].constants
        return [maker(*constants) for constants in members if not exact or _are_exact(constants)]
    raise ValueError(
        "primitives are drawn from primitives, families with a declared domain, or names of these, "
        f"got {quote(choice)}"
    )


def _are_exact(constants: tuple[object, ...]) -> bool:
    """Return whether constants of a family leave a Fraction exact."""
    return not any(isinstance(c, float) and math.isfinite(c) for c in constants)


# ---- programs


def programs(
    *,
    primitives: Iterable[Choice] | None = None,
    min_inputs: int = 1,
    max_inputs: int = 3,
    max_size: int = 10,
    constants: bool = True,
    exact: bool = False,
    smooth: bool = True,
) -> SearchStrategy[SourceProgram]:
    """Return a strategy for random programs, each with a point at which it is smooth.

    A program has shared nodes, operators with a constant on either side, and nodes with any number
    of operands; its output depends on all of them. As far as differences tell, every input may move
    from the point by 1/128 without meeting a kink or an edge, and no number or slope is above 100
    but the first node's. A failing program shrinks to few nodes.

    Args:
        primitives: what nodes are made of: primitives, families, and names of these; None for all
            that the library has, or, where exact, for the `RATIONAL` ones.
        min_inputs: the least number of inputs, some of which may have no influence.
        max_inputs: the greatest number of inputs.
        max_size: the greatest number of nodes, inputs and constants not counted.
        constants: whether operands may be plain numbers.
        exact: whether the numbers are Fractions, on which derivatives need no tolerance.
        smooth: whether to stay away from kinks and edges; if not, the point may be at one.

    Raises:
        ValueError: there is nothing to make a program from.

    >>> from hypothesis import find
    >>> print(find(programs(), lambda program: "mg.tanh(" in str(program)))
    import microgrid as mg
    <BLANKLINE>
    <BLANKLINE>
    def program(x0):
        t0 = mg.tanh(x0)
        return t0
    <BLANKLINE>
    <BLANKLINE>
    point = (0.75,)
    """
    if not 1 <= min_inputs <= max_inputs or max_size < 1:
        raise ValueError(
            "programs needs 1 <= min_inputs <= max_inputs and 1 <= max_size, got "
            f"min_inputs={min_inputs}, max_inputs={max_inputs}, max_size={max_size}"
        )
    among = primitives if primitives is not None else RATIONAL if exact else LIBRARY
    groups = [
        [(p, domain_of(p)) for p in _members(choice, exact) if _has_derivative(p)]
        for choice in among
    ]
    if not any(groups):
        raise ValueError("programs needs primitives to draw from, got none that has a derivative")
    return draw_program(
        Recipe(_from(groups), min_inputs, max_inputs, max_size, constants, exact, smooth)
    )


def _has_derivative(primitive: Primitive) -> bool:
    """Return whether a primitive computes something that derivatives go through."""
    held = all(interval.held for interval in domain_of(primitive).intervals)
    return not held and primitive not in (CONSTANT, argument)
