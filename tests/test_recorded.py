"""Agreement with the figures of JAX and PyTorch, and each place where this library differs.

The figures are those of `recorded/record_conventions.py`: values and derivatives up to the fourth,
at ordinary points, kinks, ties, edges and poles. Neither framework is needed here.
"""

import functools
import json
import math
from pathlib import Path

import pytest

import microgrid
from microgrid import Value, functional, losses
from microgrid.calculus import grad, hessian, hvp, jacobian, jvp, taylor, vjp

FRAMEWORKS = JAX, PYTORCH = "jax", "pytorch"
RECORDINGS = {
    name: json.loads((Path(__file__).parent / "recorded" / f"conventions_{name}.json").read_text())
    for name in FRAMEWORKS
}
NAMES = (
    {name: getattr(microgrid, name) for name in functional.__all__}
    | {name: getattr(losses, name) for name in losses.__all__}
    | {"abs": abs, "round": round}
)

# Each side rounds up to some twenty operations, each off by half a last bit (1.1e-16) or, in
# PyTorch's and XLA's vector math, by one or two. The worst that is seen is 5.6e-15, in a fourth
# derivative.
RELATIVE = 1e-14
# A derivative such as 1 - tanh(x)**2 or s * (1 - s) is what is left of 1: where a function
# saturates it is good to some last bits of 1 (2.2e-16). Values have no such slack.
ABSOLUTE = 1e-15


def listed(numbers):
    return ", ".join(map(str, numbers))


def title(record):
    return f"{record['formula']} at {listed(record['at'])}"


RECORDS = {
    (framework, title(record)): record
    for framework in FRAMEWORKS
    for record in RECORDINGS[framework]["records"]
}

# ---- how a figure is computed here: each in one way or more


def in_our_terms(formula):
    """Return the formula as a function of a list of operands."""
    code = compile(formula, formula, "eval")
    return lambda xs: eval(code, {"__builtins__": {}}, NAMES | dict(zip("xyzuv", xs, strict=False)))


def data(f, x, along):
    result = f([Value(number) for number in x])
    return [y.data for y in result] if isinstance(result, list) else result.data


def backward(f, x, along):
    leaves = [Value(number) for number in x]
    f(leaves).backward()
    return [leaf.grad for leaf in leaves]


def pulled(f, x, along):
    """Return the rows of the Jacobian, each pulled back from one output."""
    outputs, pull = vjp(f, x)
    return [pull([float(i == j) for i in range(len(outputs))])[0] for j in range(len(outputs))]


def third(f):
    return grad(grad(grad(lambda x: f([x]))))


WAYS = {
    "value": [data],
    "gradient": [
        backward,
        lambda f, x, along: grad(f)(x),
        lambda f, x, along: vjp(f, x)[1](1.0)[0],
    ],
    "hessian": [
        lambda f, x, along: hessian(f)(x),
        lambda f, x, along: jacobian(grad(f))(x),
    ],
    "third": [
        lambda f, x, along: third(f)(*x),
        lambda f, x, along: math.factorial(3) * taylor(lambda y: f([y]), *x, 3)[3],
    ],
    "fourth": [
        lambda f, x, along: grad(third(f))(*x),
        lambda f, x, along: math.factorial(4) * taylor(lambda y: f([y]), *x, 4)[4],
    ],
    "jacobian": [lambda f, x, along: jacobian(f)(x), pulled],
    "jvp": [lambda f, x, along: jvp(f, (x,), (along,))[1]],
    "hvp": [
        lambda f, x, along: hvp(f, (x,), (along,)),
        lambda f, x, along: jvp(grad(f), (x,), (along,))[1],
    ],
}


def flat(figure):
    """Return a number or nested lists of them as one list; "nan" and "inf" are numbers too."""
    if isinstance(figure, list | tuple):
        return [number for part in figure for number in flat(part)]
    return [float(figure)]


@functools.cache  # both frameworks were asked the same
def answers(figure, where):
    """Return what each way gives for a figure: a list of numbers, or the type of an exception."""
    records = [RECORDS.get((framework, where), {}) for framework in FRAMEWORKS]
    record = next(record for record in records if figure in record)
    f, x = in_our_terms(record["formula"]), flat(record["at"])
    found = []
    for way in WAYS[figure]:
        try:
            found.append(flat(way(f, x, record.get("tangent"))))
        except (ArithmeticError, ValueError) as error:
            found.append(type(error))
    return found


def agree(figure, actual, expected):
    """Return whether two answers are the same up to rounding; nan agrees with nan alone."""
    if isinstance(actual, type) or isinstance(expected, type):
        return actual is expected
    absolute = 0.0 if figure == "value" else ABSOLUTE
    return len(actual) == len(expected) and all(
        math.isclose(a, e, rel_tol=RELATIVE, abs_tol=absolute) or (a != a and e != e)
        for a, e in zip(actual, expected, strict=True)
    )


# ---- where this library differs: its answer (an exception, numbers, or the framework that it
# agrees with), from whom, in which figures, and where

BOTH = FRAMEWORKS
VALUE, GRADIENT, HESSIAN = ["value"], ["gradient"], ["hessian"]
SLOPES = ["gradient", "hessian"]
ALL = ["value", "gradient", "hessian"]
DEVIATION = "sqrt(mean([(x - (x + y)/2)**2, (y - (x + y)/2)**2]))"


DIFFERENCES_BY_REASON = {
    "Python raises where IEEE arithmetic goes on with inf or nan": [
        (ValueError, BOTH, ALL, "sqrt(x) at -1.0", "log(x) at 0.0", "log(x) at -1.0"),
        (ValueError, BOTH, ALL, "log1p(x) at -1.0", "asin(x) at 2.0", "acosh(x) at 0.5"),
        (ValueError, BOTH, ALL, "atanh(x) at -1.0", "atanh(x) at 1.0", "sin(x) at inf"),
        (ValueError, BOTH, ALL, "x*log(y) at 0.0, 0.0"),
        (ValueError, BOTH, ALL, "x**(1/3) at -8.0", "x**y at -2.0, 0.5"),
        (ZeroDivisionError, BOTH, ALL, "1/x at 0.0", "x/y at 0.0, 0.0", "x/y at 1.0, 0.0"),
        (ZeroDivisionError, BOTH, ALL, "x**-1 at 0.0", "x**y at 0.0, -1.0", "x % 0 at 1.0"),
        (ZeroDivisionError, BOTH, ALL, "sin(x)/x at 0.0"),
        (OverflowError, BOTH, ALL, "exp(x) at 1000.0", "sinh(x) at 1000.0"),
        (OverflowError, BOTH, ALL, "log1p(exp(x)) at 800.0"),
    ],
    "the operands of where are computed before it chooses, and Python raises for one": [
        (ValueError, BOTH, ALL, "where(x > 0, sqrt(x), 0*x) at -1.0"),
        (ValueError, BOTH, ALL, "where(x > 0, log(x), x - 1) at -1.0"),
    ],
    "a derivative that is infinite raises": [
        (ZeroDivisionError, BOTH, SLOPES, "sqrt(x) at 0.0", "x**0.5 at 0.0"),
        (ZeroDivisionError, BOTH, SLOPES, "asin(x) at -1.0", "asin(x) at 1.0"),
        (ZeroDivisionError, BOTH, SLOPES, "acos(x) at -1.0", "acos(x) at 1.0"),
        (ZeroDivisionError, BOTH, SLOPES, "acosh(x) at 1.0"),
        (ZeroDivisionError, BOTH, GRADIENT, "x**y at 0.0, 0.5"),
        (ZeroDivisionError, BOTH, HESSIAN, "x**1.5 at 0.0"),
        (ZeroDivisionError, [JAX], SLOPES, "cbrt(x) at 0.0"),  # PyTorch has no cbrt
    ],
    "0 times an infinite derivative is no number: it raises": [
        (ZeroDivisionError, BOTH, SLOPES, "sqrt(x)**2 at 0.0", "sqrt(x*x) at 0.0"),
        (ZeroDivisionError, BOTH, SLOPES, DEVIATION + " at 1.0, 1.0"),
    ],
    "a derivative that does not exist raises; PyTorch has 0 for a direction at the origin": [
        (ZeroDivisionError, BOTH, SLOPES, "atan2(x, y) at 0.0, 0.0"),
        (ValueError, BOTH, SLOPES, "x**y at -2.0, 3.0", "(-2)**x at 3.0"),
    ],
    "nan is never hidden; the frameworks have 0 or 1 for the derivative": [
        (["nan"], BOTH, SLOPES, "relu(x) at nan"),
        (["nan"], BOTH, GRADIENT, "abs(x) at nan"),
        (["nan"], [PYTORCH], VALUE, "sign(x) at nan"),
        (["nan"] * 2, BOTH, GRADIENT, "maximum(x, y) at nan, 1.0", "maximum(x, y) at 1.0, nan"),
        (["nan"] * 2, BOTH, GRADIENT, "minimum(x, y) at nan, 1.0", "minimum(x, y) at 1.0, nan"),
        (["nan"] * 4, BOTH, HESSIAN, "maximum(x, y) at nan, 1.0", "maximum(x, y) at 1.0, nan"),
        (["nan"] * 4, BOTH, HESSIAN, "minimum(x, y) at nan, 1.0", "minimum(x, y) at 1.0, nan"),
        (["nan"] * 4, BOTH, HESSIAN, "max([x, y]) at nan, 1.0", "max([x, y]) at 1.0, nan"),
        (["nan"] * 2, BOTH, GRADIENT, "logsumexp([x, y]) at inf, 0.0"),
    ],
    "no gradient comes from the operand that where did not choose; 0 * inf is nan to them": [
        ([0.0], BOTH, SLOPES, "where(x > 0, sqrt(x), 0*x) at 0.0"),
    ],
    "at a kink, the slope of least size": [
        ([0.0], [JAX], GRADIENT, "abs(x) at 0.0", "abs(x) at -0.0"),
        ([0.0], [JAX], HESSIAN, "abs(x)*x at 0.0", "softsign(x) at 0.0", "softsign(x) at -0.0"),
    ],
    "norms have the slope 0 at the origin, the least of all, and that has no slope: it raises": [
        ([0.0] * 2, BOTH, GRADIENT, "hypot(x, y) at 0.0, 0.0"),
        (ZeroDivisionError, BOTH, HESSIAN, "hypot(x, y) at 0.0, 0.0"),
        ([0.0] * 2, [JAX], GRADIENT, "norm([x, y]) at 0.0, 0.0"),
        (ZeroDivisionError, BOTH, HESSIAN, "norm([x, y]) at 0.0, 0.0"),
    ],
    "the slope on the closed interval is 1, so that a parameter at its bound can leave it": [
        ([1.0], [JAX], GRADIENT, "clip(x, 0, 1) at 0.0", "clip(x, 0, 1) at 1.0"),
        ([1.0], [JAX], GRADIENT, "clip(x, -1, 1) at -1.0", "clip(x, -1, 1) at 1.0"),
        ([1.0], [JAX], GRADIENT, "clip(x, None, 0) at 0.0", "clip(x, None, 0) at -0.0"),
        ([1.0], [JAX], GRADIENT, "clip(x, 0.3, None) at 0.3"),
    ],
    "at 0 the rule of the negative side holds": [
        ([0.01], [JAX], GRADIENT, "leaky_relu(x) at 0.0"),
        ([0.1], [JAX], GRADIENT, "leaky_relu(x, 0.1) at 0.0"),
        ([1.0], [PYTORCH], HESSIAN, "elu(x) at 0.0", "elu(x) at -0.0"),
        ([0.5], [PYTORCH], HESSIAN, "elu(x, 0.5) at 0.0", "elu(x, 0.5) at -0.0"),
    ],
    "0**0 has the slopes 0 and 0": [
        ([0.0, 0.0], [JAX], GRADIENT, "x**y at 0.0, 0.0"),
    ],
    "x**y has no second derivatives at x = 0, y <= 1: asking for them raises": [
        (ZeroDivisionError, BOTH, HESSIAN, *[f"x**y at 0.0, {y}" for y in (0.0, 0.5, 1.0)]),
    ],
    "JAX takes hypot to be linear along a tie": [
        (PYTORCH, [JAX], HESSIAN, "hypot(x, y) at 2.5, 2.5", "hypot(x, y) at -1.0, -1.0"),
    ],
    "PyTorch takes the slope of x**y by x to be a constant 0 where y is 0": [
        (JAX, [PYTORCH], HESSIAN, "x**y at 1.0, 0.0", "x**y at 1.5, 0.0", "x**y at 2.0, 0.0"),
        (JAX, [PYTORCH], ["third", "fourth"], "x**x at 1.0"),
    ],
    "PyTorch's loss at a far logit of the right sign is rounded to 0": [
        ([math.exp(-40)], [PYTORCH], VALUE, "binary_cross_entropy(x, 0.0) at -40.0"),
    ],
    "PyTorch's slope of logsumexp is exp(x - logsumexp), which keeps 13 digits at 1000": [
        (JAX, [PYTORCH], SLOPES, "logsumexp([x, y]) at 1000.0, 1000.0"),
        (JAX, [PYTORCH], SLOPES, "logsumexp([x, y, z]) at 1000.0, 1000.0, 0.0"),
        (JAX, [PYTORCH], SLOPES, "logsumexp([x, y, z]) at -1000.0, -1000.0, -999.0"),
        (JAX, [PYTORCH], SLOPES, "logsumexp([x, y, z]) at 1000.0, 999.0, 1.0"),
        (JAX, [PYTORCH], [*SLOPES, "hvp"], "logsumexp([x, y, z]) at 1000.0, 999.0, -1000.0"),
    ],
}


def differences(rows):
    return {
        (framework, where, figure): answer
        for answer, frameworks, figures, *places in rows
        for framework in frameworks
        for figure in figures
        for where in places
    }


DIFFERENCES = differences([row for rows in DIFFERENCES_BY_REASON.values() for row in rows])


def theirs(framework, where, figure):
    return flat(RECORDS[framework, where][figure])


def ours(framework, where, figure):
    """Return the answer that this library must give: the framework's, or a listed difference."""
    answer = DIFFERENCES.get((framework, where, figure), framework)
    if isinstance(answer, str):
        return theirs(answer, where, figure)
    return answer if isinstance(answer, type) else flat(answer)


# A formula has up to ninety figures: a test each would take longer than what it tests.
@pytest.mark.parametrize("formula", dict.fromkeys(r["formula"] for r in RECORDS.values()))
def test_every_figure_is_the_frameworks_or_a_listed_difference(formula):
    wrong = [
        f"the {figure} of {where}: {answer}, and {expected} by {framework}"
        for (framework, where), record in RECORDS.items()
        if record["formula"] == formula
        for figure in WAYS.keys() & record.keys()
        for expected in [ours(framework, where, figure)]
        for answer in answers(figure, where)
        if not agree(figure, answer, expected)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("reason", DIFFERENCES_BY_REASON)
def test_every_listed_difference_is_one(reason):
    none = [
        f"the {figure} of {where}, {framework}"
        for framework, where, figure in differences(DIFFERENCES_BY_REASON[reason])
        if agree(figure, ours(framework, where, figure), theirs(framework, where, figure))
    ]
    assert not none, "\n".join(none)


# ---- the recordings themselves

NUMBERS = {  # of each kind of figure, in the order of WAYS
    JAX: [994, 1213, 1997, 70, 70, 200, 165, 129],
    PYTORCH: [998, 1217, 2001, 70, 70, 200, 165, 129],
}
LACKING = {
    JAX: set(losses.__all__) - {"binary_cross_entropy", "cross_entropy"},  # it ships no losses
    PYTORCH: {"cbrt"},
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_recording_tells_its_versions_and_its_program(framework):
    recording = RECORDINGS[framework]
    library = {JAX: "jax", PYTORCH: "torch"}[framework]
    assert {library, "python"} <= recording["versions"].keys()
    assert recording["program"] == f"python tests/recorded/record_conventions.py {framework}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_recording_is_whole(framework):
    records = RECORDINGS[framework]["records"]
    assert len(records) == len({title(record) for record in records})
    numbers = [sum(len(flat(record.get(figure, []))) for record in records) for figure in WAYS]
    assert numbers == NUMBERS[framework]


def test_both_were_asked_in_the_same_directions():
    directions = {}
    for (_, where), record in RECORDS.items():
        if "tangent" in record:
            assert directions.setdefault(where, record["tangent"]) == record["tangent"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_function_and_loss_is_in_a_recording(framework):
    used = {
        name
        for record in RECORDINGS[framework]["records"]
        for name in compile(record["formula"], "", "eval").co_names
    }
    assert NAMES.keys() - used == LACKING[framework]


@pytest.mark.parametrize("factor", [1 + 3e-14, 0.0, -1.0])
@pytest.mark.parametrize("figure", WAYS)
def test_a_figure_that_is_off_would_be_seen(figure, factor):
    where = "[x*y, x/y, x**y] at 2.0, 0.5" if figure == "jacobian" else "tanh(x*x) at 0.7"
    expected = theirs(JAX, where, figure)
    for answer in answers(figure, where):
        assert agree(figure, answer, expected)
        assert not agree(figure, [factor * number for number in answer], expected)


def test_nan_an_exception_and_a_number_agree_with_none_but_themselves():
    everything = [[math.nan], [math.inf], [-math.inf], [0.0], [0.0, 0.0], ValueError, OverflowError]
    for i, one in enumerate(everything):
        for j, other in enumerate(everything):
            assert agree("hessian", one, other) == (i == j)
