"""The laws of kernels: random programs and their derivatives, cuts, sums, shapes and conditions.

A kernel and Python do not compute the same bits. How far they may be apart is not guessed: the
errors of all steps are followed through the program (`bounded`), kinks and jumps included.
"""

import gc
import itertools
import math
import random
import weakref
from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import Primitive, Value
from microgrid.compiler import Program
from microgrid.compiler.ir import text as kernel_text
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.loops import partition as partitions
from microgrid.compiler.loops.partition import partition
from microgrid.compiler.native.kernel import ArrayKernel
from microgrid.compiler.passes import divide, optimize
from microgrid.compiler.program import find_shared
from microgrid.compiler.trace import trace
from microgrid.core.primitive import CONSTANT
from microgrid.testing.programs.domains import DOMAINS
from microgrid.testing.strategies import programs
from tests.ieee import HERE, MACHINES, ieee
from tests.search import LONG, usual

# Of a step: what libmvec's functions, NumPy's, and the roundings of a lowering may be off.
ULPS = 16
# Python and the arrays of `bounded` are each as far from the exact formula as a kernel is.
BOTH = 2
MOST = np.finfo(float).max
# Of many programs' results, those that errors could be followed to: 0.8 to 0.9 of what is drawn.
MOST_KNOWN = 0.5
MANY = 100  # programs: of few, all may be of large numbers

PLAIN = MACHINES.get("2 wide without libmvec", HERE)


def traced(f, names):
    return trace(f, names, lambda xs: (xs, {}))[0]


def flat(tree):
    if isinstance(tree, (list, tuple)):
        return [x for part in tree for x in flat(part)]
    return [float(tree.data if isinstance(tree, Value) else tree)]


def columns_of(rows):
    return list(np.ascontiguousarray(np.array(rows, float).T))


def same(a, b):
    """Return whether two lists of results are the same bits; nan is nan."""
    return len(a) == len(b) and all(
        np.array_equal(x, y, equal_nan=True) and np.array_equal(np.signbit(x), np.signbit(y))
        for x, y in zip(a, b, strict=True)
    )


# ---- how far from each other two computations of a program may be


def distance(a, b):
    with np.errstate(all="ignore"):
        away = np.abs(a - b)
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(equal, 0.0, np.where(np.isnan(away), np.inf, away))


def directions(n):
    """Return in which directions operands are moved: all of few, and of many the outermost."""
    units = [[int(i == j) for j in range(n)] for i in range(n)]
    outermost = [[sign * x for x in row] for row in [*units, [1] * n] for sign in (-1, 1)]
    return [*(itertools.product((-1, 1), repeat=n) if n <= 3 else outermost), [OTHER] * n]


# What gives an operand back, its size or its negative, or a whole number.
UNROUNDED = {"<", "<=", "==", "where", "sign", "compare", "neg", "abs", "relu", "max", "min"}
UNROUNDED |= {"floor", "ceil", "argument", "constant", "stop_gradient"}

OTHER = 0.5  # a direction as well, in which an operand of which nothing is known is this number


def greatest(op, xs, out):
    """Return the size of what a step has to round."""
    if op.name == "dot":
        n = len(xs) // 2
        return sum(np.abs(x * y) for x, y in zip(xs[:n], xs[n : 2 * n], strict=True)) + sum(
            map(np.abs, xs[2 * n :])
        )
    return sum(map(np.abs, [*xs, out])) if op.name in ("sum", "logsumexp") else np.abs(out)


def is_wild(op, xs, errors):
    """Return where a function is another within the operands' errors than at the ends of these.

    There it goes up and down, or has a pole, or is defined, or two numbers are equal.
    """
    if op.name in ("sin", "cos", "tan"):
        return errors[0] > 0.5
    if op.name in ("asin", "acos", "atanh"):
        return (np.abs(xs[0]) > 1) & (np.abs(xs[0]) - errors[0] <= 1)
    if op.name == "==":
        return np.abs(xs[0] - xs[1]) < errors[0] + errors[1]
    if op.name == "where":
        return np.abs(xs[0]) < errors[0]
    if op.name in ("/", "//", "%") or op.name.startswith("**-"):
        wild = (errors[-1] > 0) & (errors[-1] >= np.abs(xs[-1]))
        if op.name == "%":
            x, y = xs
            wild |= errors[0] + np.abs(x / y) * errors[1] > np.abs(y) / 4
        return wild
    return False


def other_number(x, error, sign):
    """Return what an operand may be instead: 0, nan or another, if nothing is known of it."""
    near = np.where(error > 0, x + sign * error, x) if sign else x
    unknown = {-1: 0.0, 1: np.nan, OTHER: OTHER}.get(sign, x)
    return np.where(np.isinf(error), unknown, near)


def overflows(op, xs, out):
    """Return where a product of finite numbers overflows: in an fma it is not rounded, and may not.

    The sum that it goes into is then another one.
    """
    n = len(xs) // 2
    if op.name == "dot":
        pairs = [(x, y, x * y) for x, y in zip(xs[:n], xs[n : 2 * n], strict=True)]
    else:
        is_product = op.name in ("*", "prod") or op.name.startswith("**")
        pairs = [(*xs, out)] if is_product else []
    found = [np.isfinite(part[:-1]).all(axis=0) & np.isinf(part[-1]) for part in pairs]
    return np.any(found, axis=0) if found else False


def step_error(op, f, xs, errors, out):
    """Return how far a step's result may be off, inf where that is not known.

    It is what moving the operands by their errors does, and what the step itself rounds.
    """
    moved = np.zeros(np.shape(out))
    if any(error.any() for error in errors):
        for signs in directions(len(xs)):
            nearby = list(map(other_number, xs, errors, signs))
            moved = np.maximum(moved, distance(f(*nearby), out))
    unknown = is_wild(op, xs, errors) | overflows(op, xs, out)
    error = np.where(unknown, np.inf, moved + rounding_error(op, f, xs, out, moved))
    return np.where(np.isfinite(out) & (np.abs(out) + error > MOST), np.inf, error)


def rounding_error(op, f, xs, out, moved):
    """Return how far off a step itself may be, whose result moves so far with its operands."""
    if op.name in UNROUNDED or op.name.startswith("clip("):
        return 0.0
    size = greatest(op, xs, out)
    rounding = np.where(np.isfinite(size), ULPS * np.spacing(np.minimum(size, MOST)), 0.0)
    rounding = np.where(np.isfinite(out) & ~np.isfinite(size), np.inf, rounding)
    # of an operand that is 0, a product and the like are 0 exactly
    rounding = np.where((out == 0) & (moved == 0) & np.any([x == 0 for x in xs], 0), 0.0, rounding)
    for factor in (1 - 2**-40, 1 + 2**-40) if np.isinf(out).any() else ():
        barely = distance(f(*[x * factor for x in xs]), out) > 0
        rounding = np.where(np.isinf(out) & barely, np.inf, rounding)
    return rounding


def bounded(program, columns):
    """Return for each slot the numbers that NumPy gives for all rows, and how far they may be off.

    The error is 0 where it is sure that the result is a certain inf, nan or number.
    """
    values, errors = list(columns), [np.zeros(len(columns[0])) for _ in columns]
    with np.errstate(all="ignore"):
        for op, operands in program.steps:
            if op is CONSTANT:
                values.append(np.full(len(columns[0]), operands[0]))
                errors.append(np.zeros(len(columns[0])))
                continue
            xs, offs = [values[i] for i in operands], [errors[i] for i in operands]
            f = ieee(op)
            out = np.broadcast_to(np.asarray(f(*xs), float), len(columns[0]))
            errors.append(step_error(op, f, xs, offs, out))
            values.append(out)
    return values, errors


def test_the_bound_is_a_few_ulp_where_a_formula_is_and_large_where_it_cancels():
    def formulas(x):
        return [mg.sin(x) * x, (x + 1e8) - 1e8, mg.exp(800 * x), mg.floor(3 * x / 0.3), 1 / (0 * x)]

    program = traced(formulas, "x")
    values, errors = bounded(program, [np.array([1.0])])
    found = [(values[slot][0], errors[slot][0]) for slot in program.outputs]
    assert found[0][0] == pytest.approx(math.sin(1.0))
    assert 1e-16 < found[0][1] < 1e-14
    assert 1e-8 < found[1][1] < 1e-6
    assert found[2] == (math.inf, 0.0)
    assert found[3][1] >= 1.0  # 3 / 0.3 is 10 to half an ulp
    assert found[4] == (math.inf, 0.0)


# ---- random programs and their derivatives


def derivatives(f, n):
    """Return the functions that compute f and its derivatives of order 1, 2 and 3."""
    every = tuple(range(n))

    def summed(g):
        return lambda *xs: mg.sum(flat_nodes(g(*xs)))

    def along(t, xs):
        return f(*[x + (i + 1) * t for i, x in enumerate(xs)])

    gradient, hessian = mg.grad(f, every), mg.hessian(f, every)
    return {
        "value": f,
        "grad": gradient,
        "grad of grad": mg.grad(summed(gradient), every),
        "hessian": hessian,
        "grad of hessian": mg.grad(summed(hessian), every),
        "jvp": lambda *xs: mg.jvp(gradient, xs, (1.0,) * n)[1],
        "taylor": lambda *xs: mg.taylor(lambda t: along(t, xs), 0.0, 3),
    }


def flat_nodes(tree):
    if isinstance(tree, (list, tuple)):
        return [x for part in tree for x in flat_nodes(part)]
    return [tree]


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-310, -3.0, 1e8, 1e300]
SPECIAL += [math.inf, -math.inf, math.nan]


def rows_around(point, specials=SPECIAL):
    """Return a whole batch: points near the point, and special numbers in every place."""
    rows = [[x + d for x in point] for d in (0.0, 1 / 128, 0.25, -0.125)]
    for x in specials:
        rows.append([x] * len(point))
        rows += [[*point[:i], x, *point[i + 1 :]] for i in range(len(point)) if len(point) > 1]
    return np.array(rows, float)


def check(functions, names, rows, counts, where_slopes_overflow=False):
    """Hold kernels of functions to `bounded` everywhere, and to Python where that is finite.

    Python leaves 0 times a finite number out of a derivative. A kernel, which knows no number yet,
    does not: 0 times a higher slope that has overflowed is nan.
    """
    columns = columns_of(rows)
    program, structure, *_ = trace(
        lambda *xs: [f(*xs) for f in functions.values()], names, lambda xs: (xs, {})
    )
    program = optimize(program)
    counts["programs"] += 1
    values, errors = bounded(program, columns)
    infinite = np.any([~np.isfinite(value) for value in values], axis=0)
    places = structure.result(list(range(len(program.outputs))))
    for kind in (HERE, PLAIN):
        outs = ArrayKernel(program, (), None, kind)([], columns)
        for k, (out, slot) in enumerate(zip(outs, program.outputs, strict=True)):
            known = np.isfinite(errors[slot])
            good = ~known | (distance(out, values[slot]) <= errors[slot])
            told = [(rows[i].tolist(), out[i], values[slot][i]) for i in np.flatnonzero(~good)[:3]]
            assert not told, (kind, k, told, program)
            counts["known"] += known.sum()
            counts["all"] += len(rows)
    for name, f, own in zip(functions, functions.values(), places, strict=True):
        own = list(map(int, flat(own)))
        for i, row in enumerate(rows):
            # of plain numbers, Python's own powers may be complex
            xs = [Value(x) for x in row] if name == "value" else row.tolist()
            try:
                eager = flat(f(*xs)) if np.isfinite(row).all() else []
            except (ArithmeticError, ValueError):
                continue
            for k, python in zip(own, eager, strict=False):
                error = errors[program.outputs[k]][i]
                left_out = infinite[i] and name != "value" and not where_slopes_overflow
                if not math.isfinite(python) or left_out:
                    continue
                if error < math.inf or math.isnan(values[program.outputs[k]][i]):
                    right = abs(outs[k][i] - python) <= BOTH * error
                    assert right, (name, k, row.tolist(), outs[k][i], python, error, program)
                    counts["python"] += 1
                    counts["sharp"] += error <= 1e-9 * max(1.0, abs(python))


def require_worth(counts, sharp):
    """Fail if of many programs too few errors are known, or too few of these are small.

    Of what is known, the share `sharp` has nearly all its digits; large numbers and steps have not.
    """
    if counts["programs"] >= MANY:
        assert counts["known"] > MOST_KNOWN * counts["all"]
        assert counts["sharp"] > sharp * counts["python"] > 0


USUAL = [
    lambda x, y: mg.tanh(x * y + 0.5) * mg.exp(-x * x),
    lambda x, y: mg.log(1 + x * x) / (2 + mg.cos(y)),
    lambda x, y: mg.maximum(x, mg.sin(y)) + mg.hypot(x, y + 2) ** 3,
    lambda x, y: mg.softmax([x, y, 0.5])[0] - mg.sigmoid(x - y) * abs(y),
    lambda x, y: mg.where(x > y, mg.sqrt(2 + x), mg.atan2(x, y)) % 0.75,
]


def test_the_errors_of_usual_formulas_and_their_derivatives_are_known_and_mostly_small():
    counts = Counter()
    for f in USUAL:
        check(derivatives(f, 2), "xy", rows_around((0.75, -0.5)), counts)
    assert counts["known"] > 0.8 * counts["all"]
    assert counts["sharp"] > 0.9 * counts["python"] > 0


def test_random_programs_and_their_derivatives_are_python_s_and_ieee_s_to_a_few_ulp():
    counts = Counter()

    @usual(16)
    @given(programs(smooth=False, max_size=7))
    def search(program):
        n = len(program.point)
        names = [f"x{i}" for i in range(n)]
        check(derivatives(program, n), names, rows_around(program.point), counts)

    search()
    require_worth(counts, sharp=0.75)


def test_random_values_of_large_programs_are_python_s_and_ieee_s_to_a_few_ulp():
    counts = Counter()

    @usual(30)
    @given(programs(smooth=False, max_size=40))
    def search(program):
        names = [f"x{i}" for i in range(len(program.point))]
        check({"value": program}, names, rows_around(program.point), counts)

    search()
    require_worth(counts, sharp=0.75)


@pytest.mark.parametrize(
    ("f", "point"),
    [
        # a zero to the power of a zero has the slope 0.0, and not -0.0 for a turn of atan2
        (lambda x, y: mg.atan2(mg.grad(lambda t: t**y)(x), -1.0), (-0.0, -0.0)),
        # 1e8 / cos(1e-8) may or may not be 1e8; asin is nan of e and of e**2, and not of 1
        (lambda x, y: mg.asin(mg.exp(x / mg.cos(1.0 / x) <= y)), (1e8, 1e8)),
        (lambda x, y: mg.atan2(mg.logsumexp([x]), -y), (-0.0, 1.0)),
        (lambda x, y: mg.atan2(mg.floor(x), -y), (-0.0, 1.0)),
    ],
)
def test_a_program_that_was_found_is_python_s_and_ieee_s_to_a_few_ulp(f, point):
    check({"value": f}, "xy", rows_around(point), Counter())


ONE_OPERAND = [name for name, domain in DOMAINS.items() if domain.several and name != "dot"]


@pytest.mark.parametrize("name", ONE_OPERAND)
def test_a_step_of_one_operand_has_python_s_bits(name):
    op, xs = Primitive.named(name), np.array([0.0, -0.0, 0.75, -3.0, math.inf, -math.inf, math.nan])
    found = ArrayKernel(traced(lambda x: [op(x)], "x"))([], [xs])
    assert same(found, [np.array(list(map(op, xs.tolist())))])


# ---- conditions


def conditional():
    """Return a strategy for formulas of x and y with conditions in conditions, as Python text."""
    numbers = st.sampled_from(["x", "y", "x", "y", "0.0", "1.0"])

    def larger(inner):
        def made(text, *parts):
            return st.tuples(*parts).map(lambda xs: text.format(*xs))

        condition = made(
            "({} {} {})", inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner
        )
        condition |= made("mg.where({}, {}, 0.0)", condition, condition)
        condition |= made("mg.where({}, 1.0, {})", condition, condition)
        condition |= made("mg.where({}, 0.0, 1.0)", condition)
        function = st.sampled_from(["mg.sqrt", "mg.log", "1 / ", "mg.asin", "mg.exp", "mg.relu"])
        return (
            made("{}({})", function, inner)
            | made("({} {} {})", inner, st.sampled_from("+-*/"), inner)
            | made("mg.where({}, {}, {})", condition | inner, inner, inner)
            | made("mg.where({}, {}, {})", condition, inner, inner)
            | made("mg.max([{}, {}])", inner, inner)
        )

    texts = st.recursive(numbers, larger, max_leaves=8)
    return texts.filter(lambda text: "where" in text and {"x", "y"} <= set(text))


def test_random_conditions_and_their_derivatives_are_python_s_to_a_few_ulp():
    counts = Counter()

    @usual(40)
    @given(conditional())
    def search(text):
        f = eval(f"lambda x, y: {text}", {"mg": mg})
        try:
            functions = {k: g for k, g in derivatives(f, 2).items() if k != "taylor"}
            traced(lambda *xs: [g(*xs) for g in functions.values()], "xy")
        except (ArithmeticError, ValueError, TypeError):
            return  # a constant has no such function, or no number depends on x and y
        rows = rows_around((0.5, -0.25), [0.0, -0.0, 1.0, -1.0, 2.0])
        check(functions, "xy", rows, counts, where_slopes_overflow=True)

    search()
    require_worth(counts, sharp=0.9)


# A function, and which branch it takes of which x: Python alone would compute the other as well.
BRANCHES = [
    (lambda x: mg.where(x > 0, mg.sqrt(x), x * 2.0), lambda x: mg.sqrt if x > 0 else double),
    (lambda x: mg.where(x <= 0, x * 2.0, mg.sqrt(x)), lambda x: mg.sqrt if x > 0 else double),
    (
        lambda x: mg.where(x > 0, mg.log(x), mg.where(x < 0, 1 / x, x * x)),
        lambda x: mg.log if x > 0 else (lambda t: 1 / t) if x < 0 else lambda t: t * t,
    ),
    (
        lambda x: mg.where(mg.where(x > 0, x < 2, 0.0), mg.asin(x / 2), x**3),
        lambda x: (lambda t: mg.asin(t / 2)) if 0 < x < 2 else lambda t: t**3,
    ),
    (
        lambda x: mg.where(mg.where(x <= 0, 1.0, x > 2), x**3, mg.log(x) * mg.sqrt(2 - x)),
        lambda x: (lambda t: mg.log(t) * mg.sqrt(2 - t)) if 0 < x <= 2 else lambda t: t**3,
    ),
    (
        lambda x: mg.sqrt(mg.where(x > 0, x, 1.0)) * x,
        lambda x: (lambda t: mg.sqrt(t) * t) if x > 0 else lambda t: t,
    ),
    (
        lambda x: mg.where(x > 0, x * mg.log(x), 0.0) + x,
        lambda x: (lambda t: t * mg.log(t) + t) if x > 0 else lambda t: t,
    ),
    (
        lambda x: mg.exp(mg.where(x, 1 / x, x + 1.0)),
        lambda x: (lambda t: mg.exp(1 / t)) if x else lambda t: mg.exp(t + 1.0),
    ),
]
ORDERS = [
    lambda f: mg.grad(f),
    lambda f: mg.grad(mg.grad(f)),
    lambda f: mg.grad(mg.grad(mg.grad(f))),
    lambda f: mg.hessian(f),
    lambda f: lambda x: mg.jvp(mg.grad(f), (x,), (2.0,)),
    lambda f: lambda x: mg.taylor(f, x, 3),
]


def double(x):
    return x * 2.0


@pytest.mark.parametrize(("f", "branch"), BRANCHES, ids=range(len(BRANCHES)))
def test_a_branch_that_is_not_taken_has_no_part_in_derivatives_of_any_order(f, branch):
    compiled = [mg.compile(order(f)) for order in ORDERS]
    for x in [0.0, -0.0, -1.0, 1.0, 0.25, -3.0, 3.0]:
        for order, own in zip(ORDERS, compiled, strict=True):
            right = flat(order(branch(x))(x))
            # formulas of a few operations, which do not cancel at these numbers
            assert flat(own(x)) == pytest.approx(right, rel=1e-14, abs=1e-14), x


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_cross_entropy_of_a_class_that_is_an_argument_is_python_s(count):
    """Infinities and nans too; of finite logits the second derivatives as well."""
    orders = mg.value_and_grad, mg.hessian
    compiled = [mg.compile(order(mg.losses.cross_entropy)) for order in orders]
    special = st.sampled_from([0.0, -0.0, 1e3, -1e3, 1e308, -1e308, math.inf, -math.inf, math.nan])

    @usual(100)
    @given(st.lists(st.floats(-30, 30) | special, min_size=count, max_size=count), st.data())
    def law(logits, data):
        target = data.draw(st.integers(0, count - 1))
        for order, own in zip(orders, compiled, strict=True):
            right = flat(order(lambda xs: mg.losses.cross_entropy(xs, target))(logits))
            if order is mg.value_and_grad or max(map(abs, logits)) <= 30:
                got = flat(own(logits, float(target)))
                if order is mg.hessian:  # whose entries are sums of terms up to 1 that may cancel
                    assert got == pytest.approx(right, rel=1e-12, abs=1e-15, nan_ok=True)
                else:
                    assert got == pytest.approx(right, rel=1e-12, abs=0, nan_ok=True)

    law()


@pytest.mark.parametrize("target", [-1.0, 0.5, 3.0, math.inf, math.nan])
def test_cross_entropy_is_nan_where_python_has_no_such_class(target):
    loss, slopes = mg.compile(mg.value_and_grad(mg.losses.cross_entropy))([1.0, 2.0, 0.0], target)
    assert all(map(math.isnan, [loss, *slopes]))
    with pytest.raises((TypeError, ValueError)):
        mg.losses.cross_entropy([1.0, 2.0, 0.0], target)


def test_a_gate_hides_no_nan_but_the_one_of_the_branch_that_is_not_taken():
    def loss(u, x, target):
        return (u * mg.where(x > 0, x, 0.0) - target) ** 2

    by_u, by_x, _ = mg.compile(mg.grad(loss, (0, 1, 2)))(1.0, -1.0, math.nan)
    assert math.isnan(by_u)
    assert math.isnan(mg.grad(loss)(1.0, -1.0, math.nan))
    assert by_x == 0.0


def test_a_taylor_series_along_one_operand_of_a_power_needs_no_logarithm():
    f = mg.compile(lambda x, n: mg.taylor(lambda t: t**n, x, 2))
    assert f(-1.0, 2.0) == [1.0, -2.0, 1.0]


# ---- long steps


@st.composite
def long_steps(draw):
    """Draw a program of dots, sums, products and extrema of many numbers, some of one list."""
    inputs, steps = 12, []
    lists = [draw(st.lists(st.integers(0, inputs - 1), min_size=4, max_size=9)) for _ in range(2)]
    for slot in range(inputs, inputs + draw(st.integers(2, 8))):
        name = draw(st.sampled_from(["dot", "dot", "dot", "sum", "prod", "max", "min", "constant"]))
        if name == "constant":
            steps.append((CONSTANT, (draw(st.sampled_from([0.5, -0.0, 3.0])),)))
            continue
        slots = st.integers(0, slot - 1)
        shared = draw(st.sampled_from(lists) | st.lists(slots, min_size=1, max_size=9))
        other = draw(st.lists(slots, min_size=len(shared), max_size=len(shared)))
        if name == "dot":
            left, right = draw(st.permutations([shared, other]))
            shared = [*left, *right, *draw(st.lists(slots, max_size=1))]
        steps.append((Primitive.named(name), tuple(shared)))
    outputs = range(inputs, inputs + len(steps))
    return Program([f"x{i}" for i in range(inputs)], steps, outputs)


@usual(25)
@given(long_steps(), st.integers(1, 4))
def test_long_steps_that_are_divided_have_the_same_bits(program, most):
    pieces = divide(program, most)
    rows = np.random.default_rng(0).normal(size=(12, 20))
    whole = ArrayKernel(program, (), None, PLAIN)([], list(rows))
    found = ArrayKernel(pieces, (), None, PLAIN)([], list(rows))
    for one, other in zip(whole, found, strict=True):
        assert np.array_equal(one, other)
    for op, operands in pieces.steps:
        assert len(operands) <= (2 * most + 1 if op.name == "dot" else most + 1)
    assert pieces.inputs == program.inputs
    assert len(pieces.outputs) == len(program.outputs)


def test_the_dots_of_a_layer_take_turns():
    def layer(*xs):
        row, weights = xs[:4], (xs[4:8], xs[8:12])
        return [mg.relu(mg.dot(w, row)) for w in weights]

    names = [*"abcd", *(f"v{i}" for i in range(4)), *(f"w{i}" for i in range(4))]
    lines = repr(divide(traced(layer, names), 2)).splitlines()
    assert [line.strip() for line in lines[1:5]] == [
        "v4 = dot(v0, v1, a, b)",
        "v5 = dot(w0, w1, a, b)",
        "v6 = dot(v2, v3, c, d, v4)",
        "v7 = dot(w2, w3, c, d, v5)",
    ]


def test_a_dot_of_what_another_dot_of_its_list_gives_waits_for_it():
    def chain(*xs):
        first = mg.dot(xs[:3], xs[3:])
        return [mg.dot(xs[:3], [first, first, xs[0]])]

    program = divide(traced(chain, "abcdef"), 1)
    assert program(*[1.0] * 6) == traced(chain, "abcdef")(*[1.0] * 6) == [7.0]


# ---- cuts


@st.composite
def straight(draw):
    """Draw a program of few kinds of steps, any of whose slots may be outputs, inputs included."""
    inputs = draw(st.integers(1, 4))
    steps = []
    for slot in range(inputs, inputs + draw(st.integers(0, 40))):
        name = draw(st.sampled_from(["+", "*", "-", "sin", "sum", "constant"]))
        op = CONSTANT if name == "constant" else Primitive.named(name)
        arity = {"sin": 1, "sum": draw(st.integers(1, 5))}.get(name, 2)
        # mostly of the latest slots, as in a formula
        near = st.integers(max(0, slot - 4), slot - 1) | st.integers(0, slot - 1)
        operands = (0.75,) if op is CONSTANT else tuple(draw(near) for _ in range(arity))
        steps.append((op, operands))
    outputs = draw(st.lists(st.integers(0, inputs + len(steps) - 1), max_size=6))
    shared = draw(st.sets(st.integers(0, inputs - 1)))
    return Program([f"x{i}" for i in range(inputs)], steps, outputs), shared


def run(program, shared, parts):
    """Run a program's parts as a kernel does, on slots for numbers: each is where it is read."""
    first = len(program.inputs)
    done, kept, scratch = [], {parts.shared_places[slot]: slot for slot in shared}, {}
    for part in [*parts.once, *parts.rows]:
        once, local = part in parts.once, set()
        for slot in part.slots:
            for x in program.steps[slot - first][1]:
                if x in local or (x >= first and program.steps[x - first][0] is CONSTANT):
                    continue
                if x in parts.shared_places:
                    assert kept[parts.shared_places[x]] == x
                elif x >= first:
                    assert not once
                    assert scratch[parts.scratch_places[x]] == x
                else:
                    assert not once  # a column
                local.add(x)
            local.add(slot)
            done.append(slot)
            if once and slot in parts.shared_places:
                kept[parts.shared_places[slot]] = slot
            if not once and slot in parts.scratch_places:
                scratch[parts.scratch_places[slot]] = slot
    return done, kept


@usual(150)
@given(straight(), st.integers(1, 20))
def test_a_partition_runs_every_step_once_and_no_place_is_overwritten_before_its_last_use(
    drawn, most
):
    program, shared = drawn
    first = len(program.inputs)
    parts = partition(program, shared, most)
    done, kept = run(program, shared, parts)
    steps = [first + i for i, (op, _) in enumerate(program.steps) if op is not CONSTANT]
    assert sorted(done) == steps
    for part in [*parts.once, *parts.rows]:
        size = sum(len(program.steps[slot - first][1]) for slot in part.slots)
        assert size <= most or len(part.slots) == 1
    assert max(parts.scratch_places.values(), default=-1) < parts.scratch_size
    for slot in program.outputs:
        is_constant = slot >= first and program.steps[slot - first][0] is CONSTANT
        if find_shared(program, shared)[slot] and not is_constant:
            assert kept[parts.shared_places[slot]] == slot


@pytest.mark.parametrize("most", [1, 2, 7, 100])
def test_the_scratch_of_a_chain_is_one_number_however_long_it_is(monkeypatch, most):
    monkeypatch.setattr(partitions, "find_repeats", lambda *_: [])  # for it would be a loop
    sin, add = Primitive.named("sin"), Primitive.named("+")
    chain = Program(["x"], [(sin, (i,)) for i in range(1000)], [1000])
    parts = partition(chain, (), most)
    assert parts.scratch_size <= 2
    assert len(parts.rows) == math.ceil(1000 / most)
    # with two numbers on their way, as in a recurrence
    fibonacci = Program(["x", "y"], [(add, (i, i + 1)) for i in range(1000)], [1001])
    assert partition(fibonacci, (), most).scratch_size <= 4


def cut(monkeypatch, most):
    monkeypatch.setattr(kernel_text, "partition", partial(partition, most=most))


ROWS = np.random.default_rng(0).normal(size=(4, 21))


def test_a_program_that_is_cut_has_the_same_bits():
    @usual(20)
    @given(
        straight(),
        st.integers(1, 9),
        st.sampled_from([None, "sum", "mean"]),
        st.sampled_from([HERE, PLAIN]),
    )
    def search(drawn, most, reduce, kind):
        program, shared = drawn
        numbers = [0.5 + i for i in sorted(shared)]
        columns = [ROWS[i] for i in range(len(program.inputs)) if i not in shared]
        results = []
        for limit in (10_000, most):
            with pytest.MonkeyPatch.context() as monkeypatch:
                cut(monkeypatch, limit)
                kernel = ArrayKernel(program, shared, reduce, kind)
                results.append(kernel(numbers, columns))
        assert same(*results)

    search()


@pytest.mark.parametrize("reduce", [None, "mean"])
@pytest.mark.parametrize("kind", [HERE, PLAIN], ids=["this", "plain"])
def test_the_gradient_of_a_network_has_the_same_bits_where_it_is_cut(monkeypatch, reduce, kind):
    model = mg.MLP(2, [5, 1], seed=0)
    shapes = [parameter.data for parameter in model.parameters()]

    def loss(w, x, y):
        hidden = [mg.tanh(w[3 * i] * x + w[3 * i + 1] * y + w[3 * i + 2]) for i in range(5)]
        out = mg.dot(hidden, w[15:20], w[20])
        return mg.where(x > y, (out - x * y) ** 2, abs(out)), x, 2.5, w[0] * w[1], x < y

    def outputs(w, x, y):
        gradient, aux = mg.grad(lambda w: (loss(w, x, y)[0], loss(w, x, y)), has_aux=True)(w)
        return [*gradient, *aux]

    names = [f"w{i}" for i in range(21)] + ["x", "y"]
    program = trace(outputs, names, lambda xs: ((xs[:21], *xs[21:]), {}))[0]
    shared = range(21)
    uncut = ArrayKernel(program, shared, reduce, kind)
    assert len(uncut.text.partition.rows) == 1
    wanted = uncut(shapes, ROWS[:2])
    for most in (1, 3, 17, 200) if LONG else (1, 17):
        cut(monkeypatch, most)
        kernel = ArrayKernel(program, shared, reduce, kind)
        assert len(kernel.text.partition.rows) > 1
        assert same(kernel(shapes, ROWS[:2]), wanted), most


def functions_of(kernel):
    return kernel.kernel.of_floats, kernel.kernel.of_arrays


def test_the_code_lives_as_long_as_what_calls_it():
    kernel = ArrayKernel(traced(lambda x, y: x * y + 1.0, "xy"))
    code, run, run_rows = weakref.ref(kernel.kernel.code), *functions_of(kernel)
    del kernel
    gc.collect()
    assert code() is not None
    assert run(2.0, 3.0) == 7.0
    out = np.empty(4)
    assert run_rows(4, 4, None, None, None, out, np.arange(4.0), 3.0)
    assert out.tolist() == [1.0, 4.0, 7.0, 10.0]
    del run, run_rows
    gc.collect()
    assert code() is None


def test_a_program_is_cut_into_functions_of_bounded_size_by_itself():
    x = Value(1.0)
    y = x
    coin = random.Random(0)
    for _ in range(5000):
        y = y * 0.5 + x if coin.random() < 0.5 else mg.sin(y)
    program = Program.from_values([y], [x])
    kernel = ArrayKernel(program)
    parts = kernel.text.partition
    assert len(parts.rows) > 1
    for part in parts.rows:
        assert not part.turns
        assert sum(len(program.step_at(slot)[1]) for slot in part.slots) <= 1000
    assert parts.scratch_size <= 2
    xs = np.linspace(0, 1, 19)
    right = np.array([program(number)[0] for number in xs.tolist()])
    # each sine and half forgets half of the errors before it
    assert np.abs(kernel([], [xs])[0] - right).max() <= 2 * ULPS * math.ulp(1.0)


WIDTH = HERE.width
GROUP = KernelText.most_blocks * WIDTH  # rows for which a part runs before the next one


@pytest.mark.parametrize("count", [1, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP, 3 * GROUP + 5])
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_a_program_that_is_cut_has_the_same_bits_however_many_rows_it_has_and_wherever_they_are(
    monkeypatch, reduce, count
):
    def steps(a, x, y):
        z = mg.tanh(a * x + y)
        w = z * x - mg.sin(y) * a
        return [w * z, w, mg.exp(z) * y, x, a * w + z, a]

    program = traced(steps, "axy")
    rows = np.random.default_rng(3).normal(size=(count, 2))
    whole = ArrayKernel(program, (0,), reduce)([0.5], columns_of(rows))
    cut(monkeypatch, 3)
    kernel = ArrayKernel(program, (0,), reduce)
    assert len(kernel.text.partition.rows) > 2
    assert kernel.text.partition.scratch_size > 1
    apart, backwards = rows.T, list(np.ascontiguousarray(rows[::-1].T)[:, ::-1])
    halves = [rows.T[0], rows.T[1].astype(np.float32)]  # whose other half is converted
    rounded = ArrayKernel(program, (0,), reduce)([0.5], [rows.T[0], halves[1].astype(float)])
    assert same(kernel([0.5], columns_of(rows)), whole)
    assert same(kernel([0.5], list(apart)), whole)
    assert same(kernel([0.5], backwards), whole)
    assert same(kernel([0.5], halves), rounded)
    one = [rows[:, 0].copy(), np.array(0.25)]  # one number for all rows is no row after another
    assert same(kernel([0.5], one), kernel([0.5], [one[0], np.full(count, 0.25)]))


@pytest.mark.parametrize("blocks", [0, 1, 3, 5])
def test_what_waits_between_parts_is_bounded_and_shows_in_no_bit(monkeypatch, blocks):
    def chain(x, y):
        steps = [x]
        for _ in range(60):
            steps.append(mg.sin(steps[-1]) * y)
        for step in reversed(steps):
            y = y * step + x
        return [y]

    rows = columns_of(np.random.default_rng(4).normal(size=(2 * GROUP + 5, 2)))
    cut(monkeypatch, 30)
    kernel = ArrayKernel(traced(chain, "xy"))
    waiting = kernel.text.partition.scratch_size + 2
    assert waiting > 60
    assert kernel.kernel.record.group_blocks == KernelText.most_blocks
    monkeypatch.setattr(KernelText, "most_bytes", blocks * waiting * 8 * WIDTH + 1)
    less = ArrayKernel(traced(chain, "xy"))
    assert less.kernel.record.group_blocks == {0: 1, 1: 1, 3: 2, 5: 4}[blocks]
    assert same(less([], rows), kernel([], rows))


# ---- rows, sums and shapes

COUNTS = sorted({0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 2 * WIDTH, 3 * WIDTH + 5, 1000})
each_machine = pytest.mark.parametrize("kind", MACHINES.values(), ids=MACHINES)


def mixed(a, x, y):
    """Return numbers that depend on a shared one, on columns, on both and on none."""
    return [mg.exp(a * x) - y * x, mg.sin(y) / a, a * a, 2.5, x, y < x, x, a, mg.log(x * x) + y]


MIXED = traced(mixed, "axy")
OF_ROWS = [k for k, slot in enumerate(MIXED.outputs) if k in (0, 1, 4, 5, 6, 8)]


@each_machine
def test_a_row_has_the_same_bits_in_any_batch_and_any_place(kind):
    kernel = ArrayKernel(MIXED, (0,), None, kind)
    x, y = np.random.default_rng(1).normal(size=(2, 1000)) * 3
    x[:9] = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-310, 1e300, 700.0, -1.0]
    whole = kernel([0.5], [x, y])
    for count in COUNTS:
        assert same(kernel([0.5], [x[:count], y[:count]]), [out[:count] for out in whole])
    backwards = kernel([0.5], [x[::-1].copy(), y[::-1].copy()])
    assert same([out[::-1] for out in backwards], whole)
    for i in (0, 3, 999):
        alone = kernel([0.5], [np.array(x[i]), np.array(y[i])])
        assert same([np.float64(number) for number in alone], [out[i] for out in whole])


@each_machine
def test_a_sum_is_that_of_the_rows_in_a_fixed_order(kind):
    kernel = ArrayKernel(MIXED, (0,), None, kind)
    total, mean, again = (
        ArrayKernel(MIXED, (0,), reduce, kind) for reduce in ("sum", "mean", "sum")
    )
    x, y = np.random.default_rng(2).normal(size=(2, 1000))
    for count in COUNTS:
        columns = [x[:count], y[:count]]
        rows, sums, means = kernel([0.5], columns), total([0.5], columns), mean([0.5], columns)
        for k, out in enumerate(rows):
            # each lane adds up its rows, each addition is off by half an ulp
            error = (count / kind.width + 2 * kind.width) * 2**-53 * np.abs(out).sum()
            assert abs(sums[k] - math.fsum(out)) <= error, k
            if k in OF_ROWS:
                right = sums[k] / count if count else math.nan
                assert same([np.float64(means[k])], [np.float64(right)])
        assert not count or [means[k] for k in (2, 3, 7)] == [0.25, 2.5, 0.5]
        for _ in range(3):  # and wherever in memory the rows are
            moved = [np.concatenate([np.zeros(1), column])[1:] for column in columns]
            assert same(total([0.5], moved), sums)
            assert same(again([0.5], columns), sums)


@each_machine
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_kernels_may_have_no_columns_no_outputs_or_neither(kind, reduce):
    x = np.arange(1.0, 4.0)
    a = traced(lambda a: [a * 2.0, 3.0, a], "a")
    assert list(ArrayKernel(a, (0,), reduce, kind)([1.5], [])) == [3.0, 3.0, 1.5]
    constants = traced(lambda: [2.5, -0.0], "")
    assert list(ArrayKernel(constants, (), reduce, kind)([], [])) == [2.5, 0.0]
    nothing = traced(lambda x: [], "x")
    assert list(ArrayKernel(nothing, (), reduce, kind)([], [x])) == []
    assert list(ArrayKernel(traced(lambda: [], ""), (), reduce, kind)([], [])) == []
    unread = ArrayKernel(traced(lambda x, y: [y], "xy"), (), reduce, kind)([], [x, x + 1])
    assert same(unread, [np.array([2.0, 3.0, 4.0]) if reduce is None else np.float64(9.0)])


def test_an_output_may_be_an_input_a_constant_and_one_slot_twice():
    y = Value(3.0)
    x = Value(2.0)
    product = x * y
    program = Program.from_values([product, x, 2.5, product, x, product + 0.0], [x, y])
    a, b = np.arange(11.0), np.arange(11.0) + 0.5
    right = [a * b, a, np.full(11, 2.5), a * b, a, a * b]
    assert same(ArrayKernel(program)([], [a, b]), right)
    for shared in [(0,), (1,), (0, 1)]:
        numbers = [2.0, 3.0][shared[0] : shared[-1] + 1]
        given_columns = [a for i in (0, 1) if i not in shared]
        one = 2.0 if 0 in shared else a
        other = 3.0 if 1 in shared else a
        expected = [one * other, one, 2.5, one * other, one, one * other]
        found = ArrayKernel(program, shared)(numbers, given_columns)
        assert all(np.all(out == e) for out, e in zip(found, expected, strict=True))
        sums = ArrayKernel(program, shared, "sum")(numbers, given_columns)
        rows = 1 if len(shared) == 2 else 11
        assert list(sums) == [float(np.sum(np.broadcast_to(e, rows))) for e in expected]


@pytest.mark.parametrize("count", [1, 100, 1000])
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_kernels_may_have_many_columns_and_many_outputs(count, reduce):
    names = [f"x{i}" for i in range(count)]
    add = Primitive.named("+")
    steps = [(add, (i, (i + 1) % count)) for i in range(count)]
    program = Program(names, steps, [*range(count, 2 * count), 0])
    rows = 2 * WIDTH + 3
    columns = [np.arange(i, i + rows, dtype=float) for i in range(count)]
    outs = ArrayKernel(program, (), reduce)([], columns)
    right = [columns[i] + columns[(i + 1) % count] for i in range(count)] + [columns[0]]
    if reduce:  # whole numbers, of which every sum is exact
        assert list(outs) == [float(column.sum()) for column in right]
    else:
        assert same(outs, right)
