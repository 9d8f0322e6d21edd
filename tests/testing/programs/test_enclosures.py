"""Random programs in floats, in a kernel and with hundreds of digits: each number is in its bounds.

The bounds are those of interval arithmetic: what an operation's operands may be off by is carried
through its formula in `formulas`, and its own rounding added. They hold for a program's number and
for its gradient, whose truth is a difference of the program with all its digits.
"""

import math

import numpy as np
from hypothesis import given
from mpmath import mp, mpf

import microgrid as mg
from microgrid import Value
from microgrid.testing.programs.domains import family_name
from microgrid.testing.strategies import programs
from tests.formulas import FAMILY_FORMULAS, FORMULAS
from tests.ieee import magnitude
from tests.search import usual

# What an operation itself may be off by, in units in the last place of what it rounds: a function
# of C's library and a rounding or two, and in a kernel one of its functions of vectors.
ULPS, OF_A_KERNEL = 4, 8
BITS = 400
SLACK = mpf(2) ** -200  # what is left of such a difference's own error is the square of its step


def formula_of(op):
    if op.made_by is None:
        return FORMULAS[op.name]
    maker, constants = op.made_by
    return FAMILY_FORMULAS[family_name(maker)](*constants)


def enclosed(order, ulps, given):
    """Return the exact number of each node of a graph, and how far off it may have come out.

    Leaves that are not given are constants of rules, which may be rounded, as log(2) is.
    """
    exact, error = {}, {}
    for node in order:
        if not node.parents:
            exact[node] = mpf(node.data)
            error[node] = mpf(0 if node in given else math.ulp(node.data))
            continue
        formula, xs = formula_of(node.op), [exact[parent] for parent in node.parents]
        exact[node] = formula(*xs)
        sizes = [float(x) for x in xs]
        rounded = ulps * math.ulp(magnitude(node.op, sizes, float(exact[node])))
        error[node] = mpf(rounded) + sum(
            max(abs(formula(*xs[:i], x, *xs[i + 1 :]) - exact[node]) for x in ends(parent))
            for i, parent in enumerate(node.parents)
            if error[parent]
            for ends in [lambda p: (exact[p] - error[p], exact[p] + error[p])]
        )
    return exact, error


def exactly(program, xs):
    """Return a program's number at exact numbers: its graph, with these for the inputs."""
    leaves = [Value(float(x)) for x in xs]
    out = program(*leaves)
    numbers = dict(zip(leaves, xs, strict=True))
    for node in mg.topological_order(out):
        if node.parents:
            numbers[node] = formula_of(node.op)(*[numbers[parent] for parent in node.parents])
        elif node not in numbers:
            numbers[node] = mpf(node.data)
    return numbers[out]


def bits_for(xs):
    """Return how many bits differences need, whose steps are small beside the least number."""
    return BITS + 3 * max([0, *[-math.frexp(x)[1] for x in xs if x]])


def slope(program, xs, i):
    step = mp.ldexp(1, -mp.prec // 2 + 50)
    above, below = ([x + side * (i == j) for j, x in enumerate(xs)] for side in (step, -step))
    return (exactly(program, above) - exactly(program, below)) / (2 * step)


@given(programs(max_size=8))
@usual(50)
def test_every_number_of_a_program_and_of_its_gradient_is_in_its_bounds(program):
    leaves = [*map(Value, program.point)]
    roots = [out := program(*leaves), *mg.gradients(out, leaves)]
    order, given = mg.topological_order(*roots), mg.topological_order(out)
    with mp.workprec(bits_for([node.data for node in order])):
        xs = [*map(mpf, program.point)]
        truth = [exactly(program, xs), *[slope(program, xs, i) for i in range(len(xs))]]
        exact, error = enclosed(order, ULPS, given)
        for node in order:
            assert abs(node.data - exact[node]) <= error[node], (node.op, node.parents)
        for root, number in zip(roots, truth, strict=True):
            assert abs(root.data - number) <= error[root] + SLACK, (root, number)
        _, error = enclosed(order, OF_A_KERNEL, given)
        both = mg.compile(mg.value_and_grad(program, range(len(xs))))
        value, gradient = both(*[np.array([x]) for x in program.point])
        for found, root, number in zip([value, *gradient], roots, truth, strict=True):
            (of_kernel,) = np.broadcast_to(found, 1).tolist()
            assert abs(of_kernel - number) <= error[root] + SLACK, (root, of_kernel)


# ---- the tester is tested


def test_a_number_that_is_off_is_out_of_bounds():
    x = Value(0.7)
    y = mg.exp(x)
    with mp.workprec(BITS):
        exact, error = enclosed([x, y], ULPS, [x])
        assert abs(y.data - exact[y]) <= error[y] < 5e-15
        assert abs(y.data * (1 + 2e-15) - exact[y]) > error[y] / ULPS
        assert abs(y.data * (1 + 1e-14) - exact[y]) > error[y]


def test_bounds_widen_where_digits_cancel():
    x = Value(1e-5)
    y = (mg.exp(x) - 1) / x
    with mp.workprec(BITS):
        exact, error = enclosed(mg.topological_order(y), ULPS, mg.topological_order(y))
        assert 1e-13 < abs(y.data - exact[y]) <= error[y] < 1e-9
