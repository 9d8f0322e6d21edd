"""Loops as functions are the loops that they stand for, whatever is kept of them."""

import copy
import pickle
import tracemalloc
from collections import OrderedDict, namedtuple
from fractions import Fraction

import numpy as np
import pytest

import microgrid
from microgrid import (
    Value,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    repeat,
    scan,
    sin,
    taylor,
    topological_order,
    value_and_grad,
    vjp,
)
from tests.nodes import same

Pair = namedtuple("Pair", ["left", "right"])


def in_python(f, carry, xs):
    """Return what `scan` does for a list of xs, in words of Python."""
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, ys


# ---- the loop itself


def test_scan_is_the_loop_in_python_with_the_same_graph():
    w = Value(0.5)

    def f(carry, x):
        return {"a": carry["a"] * w + x, "b": [carry["a"], *carry["b"][:1]]}, carry["a"] - x

    start = {"a": Value(1.0), "b": [0.0, 2]}
    carry, ys = scan(f, start, [3.0, 5.0, 7.0])
    plain, plain_ys = in_python(f, start, [3.0, 5.0, 7.0])
    assert carry == plain
    assert ys == plain_ys
    assert len(topological_order(carry["a"])) == len(topological_order(plain["a"]))


@pytest.mark.parametrize(
    "xs",
    [
        [1.0, 2.0, 3.0],
        [[1.0], [], [2.0, [3.0]]],
        ([1.0, 2.0], {"a": [3.0, 4.0], "b": ([5.0, 6.0],)}),
        Pair([1.0, 2.0], Pair([3.0, 4.0], [[5.0], [6.0]])),
        OrderedDict(b=[1.0, 2.0], a=[3.0, 4.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_step_that_returns_its_x_gives_the_xs_back(xs, reverse, checkpoint):
    steps, ys = scan(lambda n, x: (n + 1, x), 0, xs, reverse=reverse, checkpoint=checkpoint)
    assert ys == xs
    assert type(ys) is type(xs)
    assert steps in (2, 3)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_in_reverse_the_steps_go_from_the_last_x_to_the_first(checkpoint):
    def f(carry, x):
        return 2 * carry + x, carry

    xs = [1.0, 5.0, 7.0, 2.0, 3.0]
    carry, ys = scan(f, 1.0, xs[::-1], checkpoint=checkpoint)
    assert scan(f, 1.0, xs, reverse=True, checkpoint=checkpoint) == (carry, ys[::-1])


@pytest.mark.parametrize("checkpoint", [False, True])
def test_no_steps_leave_the_carry(checkpoint):
    start = [1.0, (Value(2.0), None)]
    carry, ys = scan(pytest.fail, start, [], checkpoint=checkpoint)
    assert (carry, ys) == (start, [])
    assert scan(pytest.fail, start, length=0, checkpoint=checkpoint) == (start, [])
    assert repeat(pytest.fail, start, 0, checkpoint=checkpoint) == start


def test_without_xs_the_steps_get_none_and_a_y_of_none_is_not_collected():
    assert scan(lambda n, x: (n + 1, x), 0, length=3) == (3, None)
    assert scan(lambda n, x: (n + 1, n), 0, length=3) == (3, [0, 1, 2])
    assert scan(lambda n, i: (n + i, None), 0, range(4)) == (6, None)
    assert repeat(lambda n: 2 * n, 1, 10) == 1024


def test_an_array_is_scanned_along_its_first_axis():
    xs = np.arange(6.0).reshape(3, 2)
    carry, ys = scan(lambda total, x: (total + x, x @ x), np.zeros(2), xs)
    assert carry.tolist() == [6.0, 9.0]
    assert ys == [1.0, 13.0, 41.0]
    assert scan(lambda total, x: (total + x, None), Value(0.0), np.ones(3))[0].data == 3.0


def test_a_step_may_change_the_lists_that_it_gets():
    def f(carry):
        carry[0] = carry[0] * 1.5
        carry[1] += carry[0]
        return carry

    start = [Value(1.0), 0.0]
    plain = repeat(f, start, 5)
    assert [x if isinstance(x, float) else x.data for x in start] == [1.0, 0.0]
    light = repeat(f, start, 5, checkpoint=True)
    assert light == plain
    assert gradients(light[1], start[0]).data == gradients(plain[1], start[0]).data


# ---- what is refused


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: scan(lambda c, x: c, 0.0, [1.0]), TypeError, "must return a pair .carry, y."),
        (lambda: scan(3, 0.0, [1.0]), TypeError, "`f` must be a function of a carry and an x"),
        (lambda: repeat(lambda c, x: c, 0.0, 1), TypeError, "`f` must be a function of a carry"),
        (lambda: repeat(lambda c: c, 0.0, -1), ValueError, "`n` must be an integer, at least 0"),
        (lambda: repeat(lambda c: c, 0.0, 1.5), TypeError, "`n` must be an integer"),
        (lambda: repeat(lambda c: c, 0.0, 1, checkpoint=2), TypeError, "`checkpoint` must be True"),
        (lambda: scan(lambda c, x: (c, x), 0.0), ValueError, "needs its length: scan"),
        (lambda: scan(lambda c, x: (c, x), 0.0, [1.0], 2), ValueError, "of the xs, 1, got 2"),
        (lambda: scan(lambda c, x: (c, x), 0.0, 3.0), TypeError, "`xs` must be a list, or"),
        (lambda: scan(lambda c, x: (c, x), 0.0, ([], 1)), TypeError, r"`xs\[1\]` must be a list"),
        (
            lambda: scan(lambda c, x: (c, x), 0.0, {"a": [1.0], "b": []}),
            ValueError,
            r"of one length, got 1 in \['a'\], 0 in \['b'\]",
        ),
        (
            lambda: scan(lambda c, x: ({"a": [c["a"], x]}, None), {"a": 1.0}, [2.0]),
            ValueError,
            r"the one that it gets, \{'a': \*\}, got \{'a': \[\*, \*\]\}",
        ),
        (
            lambda: repeat(lambda c: (c[0], np.ones(3)), (1.0, np.ones(2)), 1),
            ValueError,
            r"\(\*, an array of shape \(2,\)\), got \(\*, an array of shape \(3,\)\)",
        ),
        (
            lambda: scan(lambda c, x: (c, x or None), 0.0, [1.0, 0.0]),
            ValueError,
            "None for 1 of 2 steps",
        ),
        (
            lambda: scan(lambda c, x: (c, (1,) * x), 0.0, [1, 2]),
            ValueError,
            r"same structure at each step, got \(\*\) and \(\*, \*\)",
        ),
    ],
)
def test_what_is_wrong_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# ---- checkpoints: derivatives of every kind are those of the whole graph. With Fractions they are
# exact, and need no tolerance


def chain(checkpoint, w, steps=7):
    """Return a function of a pair that takes rational steps, over a `Value` from outside."""

    def f(carry, x):
        a, b = carry
        return (a * w + x, b - a / (b * b + 1)), {"y": a * b}

    def whole(pair):
        (a, b), ys = scan(f, pair, [Fraction(i, 3) for i in range(steps)], checkpoint=checkpoint)
        return a * b + sum(ys["y"]) * w

    return whole


TRANSFORMS = {
    "grad": lambda f, p: grad(f)(p),
    "value_and_grad": lambda f, p: value_and_grad(f)(p),
    "hessian": lambda f, p: hessian(f)(p),
    "jacobian": lambda f, p: jacobian(lambda q: [f(q), q[0] * f(q)])(p),
    "jvp": lambda f, p: jvp(f, (p,), (p[::-1],)),
    "hvp": lambda f, p: hvp(f, (p,), (p[::-1],)),
    "vjp": lambda f, p: vjp(f, p)[1](Fraction(2)),
    "vjp of a Value": lambda f, p: vjp(f, p)[1](Value(Fraction(2))),
    "third": lambda f, p: grad(grad(grad(lambda t: f((t, t * t)))))(p[0]),
    "forward over forward": lambda f, p: jvp(
        lambda q: jvp(f, (q,), ((1, 2),))[1], (p,), (p[::-1],)
    ),
    "taylor": lambda f, p: taylor(lambda t: f((t, t * t)), p[0], 3),
    "taylor of grad": lambda f, p: taylor(grad(lambda t: f((t, t * t))), p[0], 2),
    "grad of taylor": lambda f, p: grad(lambda s: taylor(lambda t: f((t, s)), p[0], 2)[2])(p[1]),
}


def plain(result):
    """Return nested results with numbers in the places of `Value`s."""
    if isinstance(result, list | tuple):
        return [plain(part) for part in result]
    return result.data if isinstance(result, Value) else result


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("of_value", [False, True])
def test_derivatives_of_any_order_are_those_of_the_whole_graph(transform, of_value):
    point = (Fraction(2, 3), Fraction(1, 5))
    w = Value(Fraction(1, 2)) if of_value else Fraction(1, 2)
    steps = 3 if transform is TRANSFORMS["third"] else 5
    whole, light = (transform(chain(kept, w, steps), point) for kept in (False, True))
    assert plain(light) == plain(whole)


def test_backward_reaches_what_the_step_closes_over():
    grads = []
    for checkpoint in (False, True):
        leaves = w, a, b = [Value(Fraction(1, k)) for k in (2, 3, 5)]
        chain(checkpoint, w * w + w)((a, b + w)).backward()
        grads.append([leaf.grad for leaf in leaves])
    assert grads[0] == grads[1]


def test_derivatives_by_what_the_step_closes_over_are_of_any_order():
    found = []
    for checkpoint in (False, True):
        w, a = Value(Fraction(1, 2)), Value(Fraction(2, 3))
        by_w, by_a = gradients(chain(checkpoint, w * w, 3)((a, w)), [w, a])
        found.append([x.data for y in (by_w, by_a) for x in gradients(y, [w, a])])
    assert found[0] == found[1]
    assert found[0][1] == found[0][2]  # as second derivatives are


def test_what_the_step_closes_over_may_be_made_of_other_such_values():
    found = []
    for checkpoint in (False, True):
        w = Value(Fraction(1, 2))
        square = w * w
        y = repeat(lambda x, w=w, square=square: x * square + w, w, 5, checkpoint=checkpoint)
        y.backward()
        by_w = gradients(y, w)
        found.append([w.grad, by_w.data, gradients(by_w, w).data, square.grad])
    assert found[0] == found[1]


def test_a_scan_in_a_scan_is_one_of_all_steps():
    w = Value(Fraction(1, 3))

    def f(carry, x):
        return repeat(lambda c: c * w + x, carry, 4, checkpoint=True), carry

    def g(carry, x):
        return repeat(lambda c: c * w + x, carry, 4), carry

    xs = [Fraction(k) for k in range(5)]
    results = [
        scan(step, Fraction(1), xs, checkpoint=kept) for step, kept in [(f, True), (g, False)]
    ]
    second = []
    for carry, ys in results:
        (by_w,) = gradients(carry * ys[-1], [w])
        second.append((by_w.data, gradients(by_w, w).data))
    assert second[0] == second[1]


def test_floats_have_the_same_bits_and_nan_stays_nan():
    w = Value(1.25)

    def f(x):
        return sin(x * w) - x / 3.0

    whole, light = (repeat(f, Value(0.3), 50, checkpoint=kept) for kept in (False, True))
    assert light.data == whole.data
    nan = repeat(f, Value(float("nan")), 5, checkpoint=True)
    assert gradients(nan, w).data != gradients(nan, w).data


def test_what_depends_on_no_value_stays_a_number():
    assert type(repeat(lambda x: x * 2.0, 1.0, 9, checkpoint=True)) is float
    x = repeat(lambda x: x * Value(2.0).detach(), 1.0, 9, checkpoint=True)
    assert x.is_constant
    with microgrid.no_grad():
        assert repeat(lambda x: x * 2.0, Value(1.0), 9, checkpoint=True).is_constant


def test_constants_and_what_passes_through_stay_as_they_are():
    w, c = Value(2.0), Value(3.0)
    carry, ys = scan(lambda s, x: ((s[0], s[1] * w), c), (c, c), [1.0] * 3, checkpoint=True)
    assert same([carry[0], *ys], [c] * 4)


# ---- checkpoints: what is kept


def pendulum(n, w, checkpoint=True):
    def step(state):
        x, v = state
        return [x + 0.01 * v, v - 0.01 * w * sin(x)]

    return repeat(step, [1.0, 0.0], n, checkpoint=checkpoint)[0]


def peak(run):
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "run",
    [
        lambda n: pendulum(n, Value(1.0)).backward(),
        lambda n: grad(grad(lambda w: pendulum(n, w)))(1.0),
    ],
    ids=["backward", "second derivative"],
)
def test_memory_grows_with_the_root_of_the_number_of_steps(run):
    run(4)  # what is loaded once
    small, large = peak(lambda: run(16)), peak(lambda: run(144))
    assert large < 1.5 * 3 * small  # of nine times the steps; whole graphs take nine times


def test_the_graph_is_of_a_node_for_each_result_of_root_n_stretches():
    assert len(topological_order(pendulum(100, Value(1.0)))) <= 10 * 3 + 1


# ---- checkpoints: what is refused, and what goes on working


def test_a_step_that_does_something_else_the_second_time_is_found():
    draws = iter(range(100))
    y = repeat(lambda x: x * next(draws), Value(2.0), 3, checkpoint=True)
    with pytest.raises(RuntimeError, match="must give the same results each time"):
        y.backward()


def test_a_leaf_that_has_changed_is_found_and_refresh_says_what_to_do():
    w = Value(2.0)
    y = repeat(lambda x: x * w, 1.0, 9, checkpoint=True)
    w.data = 3.0
    with pytest.raises(RuntimeError, match="has changed since"):
        y.backward()
    with pytest.raises(RuntimeError, match="build it again"):
        y.refresh()
    assert y.data == 512.0


def test_a_graph_with_checkpoints_is_copied_but_not_pickled():
    w = Value(2.0)
    y = copy.deepcopy(repeat(lambda x: x * w, w, 4, checkpoint=True))
    (leaf,) = [node for node in topological_order(y) if node.op is None]
    assert leaf is not w
    (by_leaf,) = gradients(y, [leaf])
    assert (by_leaf.data, gradients(by_leaf, leaf).data) == (80.0, 160.0)  # of w**5
    with pytest.raises(pickle.PicklingError, match="holds a function to run again"):
        pickle.dumps(y)


def test_anomalies_in_a_step_are_found():
    w = Value(0.5)
    with microgrid.detect_anomaly():
        repeat(lambda x: x * w, Value(1.0), 9, checkpoint=True).backward()
        with pytest.raises(ZeroDivisionError, match=r"derivative of \*\*0.5"):
            repeat(lambda x: (x * w - 0.5) ** 0.5, Value(1.0), 1, checkpoint=True).backward()
        with pytest.raises(FloatingPointError, match="gives inf"):
            repeat(lambda x: x * w * 1e200, Value(1.0), 4, checkpoint=True)


def test_gradients_of_a_loop_can_be_checked():
    report = microgrid.testing.check_gradients(
        lambda x: repeat(lambda x: x * x + 0.1, x, 4, checkpoint=True), 0.3, order=2
    )
    assert report
