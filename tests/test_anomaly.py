"""The laws of `detect_anomaly`: the first infinity or nan is named, with the line it comes from."""

import contextlib
import functools
import linecache
import math
import operator
import re
import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

import microgrid as mg
from microgrid import (
    MLP,
    Primitive,
    Value,
    detect_anomaly,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    no_grad,
    sqrt,
    taylor,
    vjp,
    where,
)
from microgrid.core.modes import current, watched
from microgrid.testing.strategies import programs
from tests.search import usual

LARGE = 1e200  # its square is no float


def anomaly(message, kind=FloatingPointError):
    return pytest.raises(kind, match=message)


def run(source, name="<cell>", **names):
    """Run a cell of a notebook."""
    exec(compile(source, name, "exec"), names)


# ---- forward


def test_the_first_operation_that_makes_an_infinity_is_named_with_operands_and_labels():
    a, b = Value(LARGE, label="a"), Value(LARGE)
    with (
        detect_anomaly(),
        anomaly(r"^\* of a = 1e\+200, 1e\+200 gives inf\n  made in line \d+ of "),
    ):
        a * b


def test_the_line_is_the_users_own():
    def f(x):
        y = x + 1
        return y * y

    with detect_anomaly(), anomaly(rf"of {re.escape(__file__)}: return y \* y$"):
        f(Value(LARGE))
    line = f.__code__.co_firstlineno + 2
    with detect_anomaly(), anomaly(rf"made in line {line} of"):
        f(Value(LARGE))


@pytest.mark.parametrize(
    "overflow",
    [
        lambda x: MLP(1, [1]).with_parameters([x, 0.0])([x]),
        lambda x: mg.prod([x, x]),
        lambda x: functools.reduce(operator.mul, [x, x]),
        lambda x: np.array([x, x]).prod(),
        lambda x: np.var(np.array([x, -x])),
        lambda x: sum(y * y for y in [x]),
    ],
)
def test_the_line_is_the_users_own_behind_library_calls_and_comprehensions(overflow):
    with detect_anomaly(), anomaly(rf"gives inf\n  made in line \d+ of {re.escape(__file__)}: "):
        overflow(Value(LARGE))


def test_the_line_of_a_notebooks_cell_is_shown():
    source = "def f(x):\n    y = x * x\n    return y\nf(x)\n"
    name = "<ipython-input-1-0>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    with detect_anomaly(), anomaly(r"made in line 2 of <ipython-input-1-0>: y = x \* x$"):
        run(source, name, x=Value(LARGE))
    with detect_anomaly(), anomaly(r"made in line 2 of <a cell whose source is gone>$"):
        run(source, "<a cell whose source is gone>", x=Value(LARGE))


def test_what_was_not_finite_before_is_passed_on():
    with detect_anomaly():
        for x in (Value(math.inf), Value(-math.inf), Value(math.nan)):
            assert not math.isfinite((x * 2.0 + 1.0).data)
        assert math.isnan((Value(math.inf) * 0.0).data)
        (Value(math.nan) * 2.0).backward()
        assert math.isnan(grad(lambda x: x * math.nan)(1.0))
        assert math.isnan(jvp(lambda x: x * math.nan, (1.0,), (1.0,))[1])


def test_a_users_primitive_is_watched_too(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    reciprocal = Primitive(
        "reciprocal", lambda x: 1 / x if x else math.inf, lambda out, x: (-out * out,)
    )
    with detect_anomaly(), anomaly(r"^reciprocal of distance = 0\.0 gives inf\n  made in line"):
        reciprocal(Value(0.0, label="distance"))


def test_no_grad_is_watched_too():
    with detect_anomaly(), no_grad(), anomaly(r"\* of 1e\+200, 1e\+200 gives inf"):
        Value(LARGE) * LARGE


def test_fractions_beyond_the_floats_are_finite():
    x = Value(Fraction(10**400))
    with detect_anomaly():
        y = x * x
        y.backward()
        assert grad(lambda x: x * x)(Fraction(10**400)) == x.grad == 2 * 10**400


@given(programs(max_size=6))
@usual(30)
def test_nothing_is_changed_where_all_is_finite(program):
    by = tuple(range(len(program.point)))
    wanted = program(*program.point), grad(program, by)(*program.point)
    table = hessian(program, by)(*program.point)
    leaves = [Value(x) for x in program.point]
    with detect_anomaly():
        output = program(*leaves)
        output.backward()
        assert (output.data, grad(program, by)(*program.point)) == wanted
        assert hessian(program, by)(*program.point) == table
    again = [Value(x) for x in program.point]
    program(*again).backward()
    assert [leaf.grad for leaf in leaves] == [leaf.grad for leaf in again]


# ---- backward


@pytest.fixture
def steep(monkeypatch):
    """Return an identity that says its slope is infinite."""
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    return Primitive("steep", lambda x: x, lambda out, x: (math.inf,))


BACKWARD = {
    "backward": lambda f: f(Value(1.0, label="x")).backward(),
    "gradients": lambda f: gradients(f(x := Value(1.0, label="x")), x),
    "grad": lambda f: grad(f)(Value(1.0, label="x")),
    "vjp": lambda f: vjp(f, Value(1.0, label="x"))[1](1.0),
    "jvp": lambda f: jvp(f, (Value(1.0, label="x"),), (1.0,)),
    "jacobian": lambda f: jacobian(f)(Value(1.0, label="x")),
    "hessian": lambda f: hessian(f)(Value(1.0, label="x")),
    "hvp": lambda f: hvp(f, (Value(1.0, label="x"),), (1.0,)),
    "grad of a number": lambda f: grad(f)(1.0),
    "vjp of a number": lambda f: vjp(f, 1.0)[1](1.0),
    "jvp of a number": lambda f: jvp(f, (1.0,), (1.0,)),
    "hessian of a number": lambda f: hessian(f)(1.0),
}


@pytest.mark.parametrize("derive", BACKWARD.values(), ids=BACKWARD)
def test_a_slope_that_is_not_finite_names_the_operation_and_the_line_that_made_it(steep, derive):
    def f(x):
        y = steep(x)
        return y + 1.0

    message = (
        r"^the derivative of steep of (x = )?1\.0 with respect to operand 0 is inf\n"
        rf"  made in line {f.__code__.co_firstlineno + 1} of .*: y = steep\(x\)\n"
        r"  if the result is multiplied by 0"
    )
    with detect_anomaly(), anomaly(message):
        derive(f)
    derive(f)  # outside, infinity is as good a number as another


@pytest.mark.parametrize("derive", BACKWARD.values(), ids=BACKWARD)
def test_a_derivative_that_python_refuses_names_the_line_too(derive):
    def f(x):
        zero = x - 1.0
        return sqrt(zero)

    message = (
        r"^the derivative of sqrt of 0\.0: (/ of 1\.0, 0\.0: )?(float )?division by zero\n"
        rf"  made in line \d+ of {re.escape(__file__)}: return sqrt\(zero\)\n  if the result"
    )
    with detect_anomaly(), anomaly(message, ZeroDivisionError):
        derive(f)


def test_an_overflow_of_the_chain_rule_names_the_operation():
    def f(x):
        y = x * LARGE
        return y * LARGE

    times = r"^the derivative of \* of (x = )?1e-300, 1e\+200 is 1e\+200: times the gradient"
    made = r"from above it overflows\n  made in line \d+ of .*: y = x \* LARGE$"
    with detect_anomaly():
        with anomaly(f"{times} 1e\\+200 {made}"):
            f(Value(1e-300, label="x")).backward()
        with anomaly(f"{times} 1e\\+200 {made}"):
            grad(f)(1e-300)
        with anomaly(r"^the derivative of \* of 1e-100, 1e\+200 times the tangents .* gives inf\n"):
            jvp(f, (1e-300,), (1.0,))
        with anomaly(r"^\* of 1e\+200, 1e\+200 gives inf"):  # as a graph: a node like any other
            gradients(f(x := Value(1e-300)), x)


def test_a_sum_of_gradients_that_overflows_names_the_place_where_they_meet():
    def f(x):
        return x * 1e308 + x * 1e308

    message = r"^the gradients that come in at {}1e-300 overflow when added up$"
    with detect_anomaly():
        with anomaly(message.format("x = ")):
            f(Value(1e-300, label="x")).backward()
        with anomaly(message.format("")):
            grad(f)(1e-300)
        y = Value(1e-300) * 2.0
        with anomaly(r"come in at 2e-300 overflow .*\n  made in line \d+ of .*: y = Value\(1e-300"):
            f(y).backward()


def test_a_rule_that_overflows_as_a_graph_is_named():
    with detect_anomaly(), anomaly(r"^the derivative of atan of 1e\+200: \* of 1e\+200, 1e\+200"):
        hessian(mg.atan)(LARGE)


def test_after_an_anomaly_every_grad_is_as_it_was(steep):
    x = Value(1.0)
    (x * 3.0).backward()
    y = steep(x) * x
    with detect_anomaly(), anomaly("the derivative of steep"):
        y.backward()
    assert (x.grad, y.grad) == (3.0, 0.0)


def test_what_is_not_asked_for_is_no_anomaly(steep):
    x = Value(0.0)
    with detect_anomaly():
        y = where(x > 0, sqrt(x), x) + mg.stop_gradient(steep(x))
        y.backward()
        assert grad(lambda x: where(x > 0, sqrt(x), x))(0.0) == x.grad == 1


def test_a_node_made_before_has_no_line():
    y = sqrt(Value(0.0))
    with detect_anomaly(), anomaly(r"by zero\n  if the result is multiplied", ZeroDivisionError):
        y.backward()


# ---- advice

X = Value(0.0)
SOFTMAX = r"write log_softmax\(xs\) for the log of a softmax: it neither overflows nor underflows"
STEEP = (
    r"infinitely steep at 0: write abs\(x\) for the root of x \* x, norm\(xs\) for that of a sum"
)
MASK = r"choose by where\(condition, x, y\) instead: .* and 0 times infinity is nan"
BRANCH = r"both branches of a where are computed: .* as in log\(where\(x > 0, x, 1\)\)"


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: log(mg.softmax([Value(0.0), Value(-1000.0)])[1]), SOFTMAX),
        (lambda: log(exp(Value(-1000.0)) / (1 + exp(Value(1.0)))), SOFTMAX),
        (lambda: log(mg.sigmoid(Value(-1000.0))), r"write log_sigmoid\(x\) for log\(sigmoid\(x\)"),
        (lambda: log(mg.sum([exp(Value(-1e3)), exp(X - 1e3)])), r"write logsumexp\(xs\) for"),
        (lambda: log(exp(X - 1000.0) + exp(X - 1000.0)), r"write softplus\(x\) for log\(1 \+ exp"),
        (lambda: log(1 + exp(Value(1000.0))), r"exp overflows above 709: take logsumexp"),
        (lambda: sqrt(X * X).backward(), STEEP),
        (lambda: sqrt(X**2).backward(), STEEP),
        (lambda: sqrt(X**2 + X * X).backward(), STEEP),
        (lambda: sqrt(mg.sum([X**2, X * X, X**2])).backward(), STEEP),
        (lambda: sqrt(mg.dot([X, X], [X, X])).backward(), STEEP),
        (lambda: ((X * X) ** 0.5).backward(), STEEP),
        (lambda: grad(lambda x: sqrt(x * x))(0.0), STEEP),
        (lambda: hessian(lambda x: sqrt(x * x))(0.0), STEEP),
        (lambda: (0.0 * sqrt(X)).backward(), MASK),
        (lambda: grad(lambda x: 0.0 * mg.cbrt(x))(0.0), MASK),
        (lambda: where(X > 0, log(X), 0.0), BRANCH),
        (lambda: where(X > 0, 1 / X, 0.0), BRANCH),
        (lambda: where(X > 0, X**-1, 0.0), BRANCH),
        (lambda: where(X > 0, sqrt(X - 1.0), 0.0), BRANCH),
    ],
)
def test_a_known_cause_comes_with_advice(call, hint):
    errors = (ArithmeticError, ValueError)
    with (
        detect_anomaly(),
        anomaly(rf"\n  made in line \d+ of [^\n]*\n  [^\n]*{hint}[^\n]*$", errors),
    ):
        call()
    with pytest.raises(errors) as without:  # as ever, outside
        call()
    assert str(without.value).count("\n") == (hint is BRANCH)  # which is told anyway


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (lambda x: log(mg.softmax([x, 1000.0])[0]), lambda x: mg.log_softmax([x, 1000.0])[0]),
        (lambda x: log(mg.sigmoid(x - 1000.0)), lambda x: mg.log_sigmoid(x - 1000.0)),
        (lambda x: log(1 + exp(x + 1000.0)), lambda x: mg.softplus(x + 1000.0)),
        (lambda x: sqrt(x * x), abs),
        (lambda x: sqrt(x * x + x * x), lambda x: mg.norm([x, x])),
        (lambda x: 0.0 * sqrt(x), lambda x: where(False, sqrt(x), 0.0)),
        (
            lambda x: where(x > 0, log(x), 0.0),
            lambda x: where(x > 0, log(where(x > 0, x, 1.0)), 0.0),
        ),
    ],
)
def test_advice_that_is_taken_helps(bad, good):
    with detect_anomaly():
        with pytest.raises((ArithmeticError, ValueError)):
            grad(bad)(0.0)
        assert math.isfinite(grad(good)(0.0))


# ---- where it reaches


def test_it_costs_nothing_outside_and_leaves_nothing_behind():
    with detect_anomaly():
        assert current(watched)
    assert math.isinf((Value(LARGE) * LARGE).data)
    assert not watched


def test_it_can_be_nested():
    with detect_anomaly():
        with detect_anomaly(), anomaly("gives inf"):
            Value(LARGE) * LARGE
        with anomaly("gives inf"):
            Value(LARGE) * LARGE
    assert current(watched) is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_ends_with_any_exception(error):
    with pytest.raises(error), detect_anomaly():
        raise error
    assert current(watched) is None
    with detect_anomaly():
        with contextlib.suppress(error), detect_anomaly():
            raise error
        with anomaly("gives inf"):
            Value(LARGE) * LARGE


def test_it_is_a_decorator_that_can_be_called_again():
    @detect_anomaly()
    def f(x):
        return x * LARGE

    for _ in range(2):
        with anomaly("gives inf"):
            f(Value(LARGE))
        assert f(Value(1.0)).data == LARGE
    assert current(watched) is None


def test_it_watches_its_own_thread_only():
    found = []

    def other():
        found.append((Value(LARGE) * LARGE).data)

    with detect_anomaly():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with anomaly("gives inf"):
            Value(LARGE) * LARGE
    assert found == [math.inf]


def test_lines_do_not_keep_a_graph_alive():
    with detect_anomaly():
        watch = current(watched)
        x = Value(1.0)
        y = x * 2.0 + 1.0
        assert len(watch.lines) == 2
        del y
        assert len(watch.lines) == 0


def test_a_series_is_watched_while_its_function_runs():
    with detect_anomaly(), anomaly(r"\* of 1e\+200, 1e\+200 gives inf"):
        taylor(lambda x: x * x, LARGE, 2)


# ---- without detect_anomaly: what to write where there is a `where`


def guarded_root(x):
    return mg.where(x >= 0, x, mg.sqrt(-x))


def root(x):
    return mg.sqrt(x)


def guarded_by_another(x):
    return mg.where(x >= 0, x, root(-x))


def guarded_by_numpy(x):
    return np.where(x >= 0, x, np.sqrt(-x))


CHOICES = {
    "of a Value": lambda: guarded_root(Value(1.0)),
    "of a number": lambda: guarded_root(1.0),
    "in a transform": lambda: mg.grad(guarded_root)(1.0),
    "in a function that it calls": lambda: guarded_by_another(Value(1.0)),
    "NumPy's": lambda: guarded_by_numpy(np.array([Value(1.0)])),
    "a quotient": lambda: mg.where(True, 1.0, 1 / Value(0.0)),
    "a power": lambda: mg.where(True, 1.0, Value(-8.0) ** (1 / 3)),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_an_error_beside_a_where_says_that_both_branches_are_computed(choice):
    with pytest.raises((ValueError, ZeroDivisionError), match=BRANCH) as refused:
        CHOICES[choice]()
    assert str(refused.value).count("\n") == 1


def test_an_error_without_a_where_says_no_more_than_what_was_asked():
    for asked in (lambda: root(Value(-1.0)), lambda: 1 / Value(0.0), lambda: mg.log(0.0)):
        with pytest.raises((ValueError, ZeroDivisionError), match=r"of [\d., -]+: [\w ]+$"):
            asked()


def test_an_error_in_a_derivative_beside_a_where_is_none_of_its_branches():
    x = Value(0.0)
    y = mg.where(True, mg.sqrt(x), 1.0)
    with pytest.raises(ZeroDivisionError, match=r"the derivative of sqrt of 0\.0: [\w ]+$"):
        y.backward()
