"""Loops whose step is compiled: kernels take the steps, and go back through them."""

import gc
import threading
import tracemalloc
import weakref
from functools import partial

import numpy as np
import pytest

import microgrid
from microgrid import (
    Value,
    compile,
    dot,
    grad,
    gradients,
    hessian,
    jvp,
    repeat,
    scan,
    sin,
    tanh,
    taylor,
    topological_order,
    where,
)
from microgrid.compiler.calls import kernel_steps

# The last digits of sin and tanh in a kernel are not Python's, and a loop makes more of them.
CLOSE = {"rel": 1e-11, "abs": 1e-12}


def leaves(tree):
    """Return the numbers and `Value`s of nested results in a list."""
    if isinstance(tree, dict):
        tree = [*tree.values()]
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in leaves(part)]
    return [] if tree is None else [tree]


def plain(tree):
    return [x.data if isinstance(x, Value) else x for x in leaves(tree)]


def oscillator(w):
    def step(carry, x):
        a, (b, t) = carry["a"], carry["b"]
        a, b = a + 0.1 * b * x[0], b - 0.1 * w * sin(a) + where(a > x[1], 0.01 * a, 0.0)
        return {"a": a, "b": (b, t + 0.1)}, (a * b, {"t": t, "one": 1.0})

    return step


def rnn(w):
    weights = [[w, 0.3, w * 0.1], [0.2, w, 0.5], [0.1, -0.4, w * w]]

    def step(carry, x):
        h = [tanh(dot(row, carry["h"]) + x[0]) for row in weights]
        return {"h": h}, h[0] * x[1]

    return step


def chain(w):
    return lambda carry, x: ([carry[0] * w + x[0], w], None)  # the carry has w itself in it


CASES = {
    "oscillator": (oscillator, {"a": 0.5, "b": (0.1, 0.0)}),
    "recurrent network": (rnn, {"h": [0.1, 0.2, 0.3]}),
    "no y, and what is outside in the carry": (chain, [0.3, 0.0]),
}
XS = [[1.0 + 0.1 * i, 0.3 - 0.05 * i] for i in range(13)]


def loss(f, start, scale, xs=XS, reverse=False):
    carry, ys = scan(f, start, [[x * scale, y] for x, y in xs], reverse=reverse)
    return sum(x * x for x in leaves([carry, ys]))


@pytest.mark.parametrize(("make", "start"), CASES.values(), ids=CASES)
def test_kernels_take_the_steps_that_python_takes(make, start):
    results, slopes = [], []
    for wrap in (lambda f: f, compile):
        w, s = Value(0.7), Value(1.1)
        f = wrap(make(w))
        for reverse in (False, True):
            results.append(plain(scan(f, start, XS, reverse=reverse)))
            loss(f, start, s, reverse=reverse).backward()
            slopes += w.grad, s.grad
            w.grad = s.grad = 0.0
    assert results[2:] == [pytest.approx(result, **CLOSE) for result in results[:2]]
    assert slopes[4:] == pytest.approx(slopes[:4], **CLOSE)


@pytest.mark.parametrize("count", [1, 2, 100])
def test_any_number_of_steps_is_taken(count):
    slopes = []
    for wrap in (lambda f: f, compile):
        w = Value(0.99)
        y, _ = repeat(
            wrap(lambda carry, w=w: [carry[0] + 0.1 * carry[1], carry[1] * w]), [1, w], count
        )
        y.backward()
        slopes.append([w.grad, gradients(y, w).data])
    assert slopes[1] == pytest.approx(slopes[0], **CLOSE)


def test_derivatives_of_any_kind_and_order_are_those_of_python():
    w = Value(0.7)

    def transforms(f):
        def of(z):
            return scan(f, {"a": z, "b": (z * w, 0.0)}, XS[:5])[0]["a"]

        by_w = gradients(of(Value(0.4)), w)
        return [
            jvp(of, (0.4,), (2.0,)),
            taylor(of, 0.4, 2),
            hessian(lambda p: of(p[0]) * p[1])([0.4, 2.0]),
            by_w,
            gradients(by_w, w),
        ]

    f = oscillator(w * w)
    assert plain(transforms(compile(f))) == pytest.approx(plain(transforms(f)), **CLOSE)


def test_the_third_derivative_is_that_of_python():
    w = Value(0.9)
    slopes = [
        grad(grad(grad(lambda z, f=f: repeat(f, z, 4))))(0.7).data
        for f in (lambda x: x * x * w + 0.1, compile(lambda x: x * x * w + 0.1))
    ]
    assert slopes[1] == pytest.approx(slopes[0], **CLOSE)


def test_plain_numbers_stay_plain_and_no_graph_is_kept_under_no_grad():
    f = compile(lambda carry, x: (carry * 0.5 + x, carry))
    carry, ys = scan(f, 1.0, [1.0, 2.0])
    assert (carry, ys) == (2.75, [1.0, 1.5])
    assert {type(x) for x in (carry, *ys)} == {float}
    with microgrid.no_grad():
        assert scan(f, Value(1.0), [1.0, 2.0])[0].is_constant
    assert scan(f, Value(1.0).detach(), [1.0, 2.0])[0] == 2.75


def test_the_graph_has_the_carries_of_few_steps_alone():
    w = Value(0.999)
    f = compile(lambda x: x * w + 0.001)
    y = repeat(f, 1.0, 100_000)
    assert len(topological_order(y)) < 1000
    y.backward()
    assert w.grad == pytest.approx(1000.0)  # of the limit 0.001 / (1 - w)


def test_memory_does_not_grow_with_the_steps():
    w = Value(1.0)
    f = compile(lambda s: [s[0] + 0.001 * s[1], s[1] - 0.001 * w * s[0]])

    def run(count):
        repeat(f, [1.0, 0.0], count)[0].backward()

    peaks = []
    for count in (2_000, 2_000, 32_000):
        tracemalloc.start()
        run(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 2 * 4 * peaks[1]  # of sixteen times the steps


def test_kernels_are_kept_for_the_next_loop_and_see_what_has_changed():
    w = Value(0.5)
    runs = []

    def step(x):
        runs.append(x)
        return x * w

    f = compile(step)
    for x, traced in [(0.5, None), (2.0, 3)]:
        w.data, w.grad = x, 0.0
        y = repeat(f, 1.0, 3)
        y.backward()
        assert (y.data, w.grad) == (x**3, 3 * x**2)
        assert traced in (None, len(runs))


def test_nothing_waits_for_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        leaf = Value(0.9)
        w = leaf * leaf
        f = compile(lambda x, w=w: x * w)
        y = repeat(f, 1.0, 100)
        y.backward()
        gradients(gradients(y, leaf), leaf)
        gone = [weakref.ref(x) for x in (leaf, w, f, y)]
        del leaf, w, f, y
        assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()


def test_what_was_computed_outside_is_found_anew_by_each_loop():
    leaf = Value(0.5)
    for _ in range(2):
        w = leaf * leaf
        f = compile(lambda x, w=w: x * w)
        assert gradients(repeat(f, 1.0, 3), leaf).data == pytest.approx(6 * 0.5**5)


def test_many_values_from_outside_are_taken_too():
    ws = [Value(0.0001 * i) for i in range(300)]
    results = []
    for wrap in (lambda f: f, compile):
        microgrid.zero_grad(ws)
        y = repeat(wrap(lambda x: sin(dot(ws, [x] * 300)) + ws[-1]), 0.3, 9)
        y.backward()
        results.append([y.data, *[w.grad for w in ws]])
    assert results[1] == pytest.approx(results[0], **CLOSE)


def test_arrays_stand_for_rows_as_in_every_compiled_function():
    f = compile(lambda s: [s[0] + 0.1 * s[1], s[1] - 0.1 * s[0]])
    x = np.linspace(0.0, 1.0, 5)
    a, b = repeat(f, [x, np.zeros(5)], 4)
    for i in range(5):
        assert repeat(f, [x[i], 0.0], 4) == [a[i], b[i]]


def test_within_a_compiled_function_the_steps_are_part_of_it():
    w = Value(0.7)
    f, inner = oscillator(w), compile(oscillator(w))
    start = {"a": 0.5, "b": (0.1, 0.0)}
    for step in (f, inner):
        whole = compile(microgrid.value_and_grad(lambda s, step=step: loss(step, start, s)))
        wanted = microgrid.value_and_grad(lambda s: loss(f, start, s))(1.1)
        assert whole(1.1) == pytest.approx(plain(wanted), **CLOSE)


def test_a_loop_too_long_for_a_compiled_function_says_what_to_compile():
    f = compile(lambda x: repeat(lambda x: x * x + 0.1, x, 1_000_000))
    with pytest.raises(ValueError, match="1,000,000 steps of about 3; compile the step"):
        f(0.5)


def test_a_step_must_not_branch_on_what_it_has_from_outside():
    w = Value(0.5)
    f = compile(lambda x: x * 2.0 if w > 0 else x)
    assert repeat(f, 1.0, 3) == 8.0  # there is nothing to differentiate
    g = compile(lambda x: x * w if w > 0 else x)
    with pytest.raises(TypeError, match="must not branch on a number"):
        repeat(g, 1.0, 3)


def test_a_step_of_another_structure_is_refused():
    with pytest.raises(ValueError, match=r"of the one that it gets, \*, got \[\*, \*\]"):
        repeat(compile(lambda x: [x, x]), 1.0, 3)
    with pytest.raises(TypeError, match="must return a pair"):
        scan(compile(lambda c, x: c), 1.0, [1.0])


def test_few_steps_share_a_kernel_where_a_step_is_long():
    w = Value(0.5)
    short, long = (compile(lambda x, n=n: sum([sin(x * w) for _ in range(n)])) for n in (1, 500))
    for f, most in ((short, 100), (long, 1)):
        repeat(f, 0.5, 2)
        (loop,) = kernel_steps._loops[f].values()
        assert 1 <= loop.many.count <= most


def test_what_a_compiled_function_does_not_take_is_refused_in_its_words():
    f = compile(lambda c, x: (c, x))
    with pytest.raises(TypeError, match="a compiled function takes numbers"):
        scan(f, None, [1.0])
    with pytest.raises(TypeError, match="a compiled function takes numbers"):
        scan(f, 1.0, ["a"])


def test_an_empty_carry_and_xs_of_several_structures_are_taken():
    f = compile(lambda c, x: (c, sum(x) * 2.0))
    assert scan(f, [], [[1.0], [2.0]]) == ([], [2.0, 4.0])
    assert scan(f, [], [[1.0], [2.0, 3.0]]) == ([], [2.0, 10.0])


def test_an_anomaly_is_found_in_the_step_that_makes_it():
    w = Value(1e200)
    f = compile(lambda x: x * w)
    with microgrid.detect_anomaly(), pytest.raises(FloatingPointError, match="gives inf"):
        repeat(f, 1.0, 3)
    assert repeat(f, 1.0, 3).data == float("inf")


def test_what_is_outside_is_no_constant_wherever_a_loop_is_called():
    def power(w):
        return repeat(compile(lambda x: x * w), 1.0, 3)

    def by_steps(w):
        return scan(compile(lambda x, y: (x * w, sum(y))), 1.0, [[1.0], [1.0, 2.0]])[0]

    assert taylor(power, 2.0, 3) == [8.0, 12.0, 6.0, 1.0]
    assert compile(grad(power))(2.0) == 12.0
    assert grad(by_steps)(2.0) == 4.0


def test_a_gradient_goes_back_through_a_thread_as_well():
    w = Value(0.9)
    f = compile(lambda x: x * w + 0.1)
    slopes = []

    def run():
        for n in range(1, 20):
            slopes.append(grad(partial(repeat, f), argnums=0)(0.5, n).data)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slopes) == pytest.approx(sorted(3 * [0.9**n for n in range(1, 20)]))
