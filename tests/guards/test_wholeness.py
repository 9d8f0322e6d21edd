"""What changes many numbers changes all of them or none, wherever a signal or an exception comes.

Each change is cut at every line of the package that it runs: by a signal, by two, by an exception.
"""

import contextlib
import sys
import threading
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import microgrid
from microgrid import (
    MLP,
    Primitive,
    Value,
    detect_anomaly,
    dot,
    explore,
    grad,
    no_grad,
    optim,
    sqrt,
    tanh,
    zero_grad,
)
from microgrid.core.graph import Walk, find_changed_leaf, recording, topological_order
from microgrid.core.modes import Mode, current, expanded, unrecorded, watched
from microgrid.derivatives.checkpoints import expanding
from microgrid.testing.gradients.subject import backward as gradients_by_backward
from tests.interrupts import failing, in_files_of, signalled, spread, traversed
from tests.threads import in_a_thread

# What Python raises where a generator is cleared away is lost, and with it the signal.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
PACKAGE = str(Path(microgrid.__file__).parent)


def of_the_package(code):
    return code.co_filename.startswith(PACKAGE)


@dataclass
class Change:
    """A call that changes numbers, the nodes that have them, and the optimizer that remembers."""

    call: Any
    nodes: list
    optimizer: Any = None

    def state(self):
        """Return all that there is to see of it, as text: 0.0 and -0.0 are equal."""
        remembered = self.optimizer and {**vars(self.optimizer), "parameters": None}
        numbers = [(x.data, x.grad, x.op or x._walk.done < 1e9) for x in self.nodes]
        return repr(
            (numbers, find_changed_leaf(topological_order(*self.nodes)) is None, remembered)
        )


def graph(number=float):
    x, w = Value(number(3)), Value(number(2))
    x.grad = number(1)
    y = x * w + x
    z = dot([y, x, w], [w, y, x]) + y * y
    return z, [x, w, y, z, Value(number(5)).detach() * 2]


def backward(number=float):
    root, nodes = graph(number)
    return Change(root.backward, nodes)


def backward_watched():
    root, nodes = graph()
    return Change(detect_anomaly()(root.backward), nodes)


def refresh():
    root, nodes = graph()
    nodes[0].data = 7.0
    return Change(root.refresh, nodes)


def set_data():
    _, nodes = graph()
    return Change(lambda: setattr(nodes[0], "data", 7.0), nodes)


def zeroed():
    _, nodes = graph()
    return Change(lambda: zero_grad(nodes[:2]), nodes)


def explored():
    root, nodes = graph()
    exploration = explore(root)
    place = next(i for i, x in enumerate(topological_order(root)) if x is nodes[0])
    return Change(lambda: exploration.change(place, "7"), nodes)


def trained(kind, **options):
    model = MLP(2, [2, 1], activation="tanh", seed=0)
    optimizer = kind(model.parameters(), lr=0.1, **options)
    for _ in range(2):
        model.zero_grad()
        model([1.0, -2.0]).backward()
        optimizer.step()
    return model, optimizer


def step(kind, **options):
    model, optimizer = trained(kind, **options)
    return Change(optimizer.step, model.parameters(), optimizer)


def load_parameters():
    model, optimizer = trained(optim.SGD)
    other = MLP(2, [2, 1], seed=1).state_dict()
    return Change(lambda: model.load_state_dict(other), model.parameters(), optimizer)


def load_optimizer():
    model, optimizer = trained(optim.Adam)
    other = trained(optim.Adam, amsgrad=True)[1].state_dict() | {"steps": 9}
    return Change(lambda: optimizer.load_state_dict(other), model.parameters(), optimizer)


def clip(function):
    model, optimizer = trained(optim.SGD)
    parameters = model.parameters()
    return Change(lambda: function(parameters, 0.01), parameters, optimizer)


CHANGES = {
    "backward": backward,
    "backward of fractions": lambda: backward(Fraction),
    "backward, watched": backward_watched,
    "refresh": refresh,
    "leaf.data": set_data,
    "Exploration.change": explored,
    "zero_grad": zeroed,
    "SGD.step": lambda: step(optim.SGD, momentum=0.9),
    "Adam.step": lambda: step(optim.Adam),
    "AdamW.step": lambda: step(optim.AdamW),
    "RMSprop.step": lambda: step(optim.RMSprop),
    "Module.load_state_dict": load_parameters,
    "Optimizer.load_state_dict": load_optimizer,
    "clip_grad_norm_": lambda: clip(optim.clip_grad_norm_),
    "clip_grad_value_": lambda: clip(optim.clip_grad_value_),
}


def cut_by_a_signal(call, point):
    return signalled(call, {point}, of_the_package)


def cut_by_two_signals(call, point):
    return signalled(call, {point, point + 1 + point % 4}, of_the_package)


def cut_between_instructions(call, point):
    return signalled(call, {point}, of_the_package, "opcode")


def cut_by_an_exception(call, point):
    return failing(call, point, of_the_package, MemoryError)


@pytest.mark.parametrize(
    "cut",
    [cut_by_a_signal, cut_by_two_signals, cut_between_instructions, cut_by_an_exception],
)
@pytest.mark.parametrize("make", CHANGES.values(), ids=CHANGES.keys())
def test_all_is_changed_or_nothing_and_it_can_be_done_again(make, cut):
    change = make()
    before = change.state()
    event = "opcode" if cut is cut_between_instructions else "line"
    points = traversed(change.call, of_the_package, event)
    after = change.state()
    assert before != after
    ends = set()
    for point in spread(points, 6):
        change = make()
        assert change.state() == before
        run = cut(change.call, point)
        ends.add(type(run.error))
        assert change.state() in (before, after), point
        if change.state() == before:
            in_a_thread(change.call)
            assert change.state() == after, point
        assert current(watched) is None
    print(f"{len(spread(points, 6))} of {points} points")
    assert ends <= {KeyboardInterrupt, MemoryError, type(None)}
    assert ends != {type(None)}


@pytest.mark.parametrize("cut", [cut_by_a_signal, cut_by_two_signals, cut_by_an_exception])
def test_a_check_leaves_the_gradients_of_others_alone(cut):
    root, nodes = graph()
    root.backward()
    before = [node.grad for node in nodes]

    def check():
        return gradients_by_backward(root, nodes[:2])

    assert check()
    points = traversed(check, of_the_package)
    for point in spread(points):
        cut(check, point)
        assert [node.grad for node in nodes] == before, point


# ---- modes


def is_plain():
    """Return whether this thread is in no mode, by what it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = Value(1e200) * 1e200  # which a watch would raise for
    is_watched_or_expanded = current(watched) or current(expanded)
    return len(huge.parents) == 2 and not current(unrecorded) and not is_watched_or_expanded


def nested():
    x = Value(2.0)
    with no_grad():
        tanh(x)
        with recording(), detect_anomaly(), expanding(), no_grad():
            tanh(x)
        tanh(x)
    with contextlib.suppress(ZeroDivisionError), detect_anomaly():
        x / 0.0


def in_loops():
    for _ in range(2):
        with no_grad():
            pass


@no_grad()
@detect_anomaly()
def decorated():
    return grad(lambda x: x * x)(2.0)


@pytest.mark.parametrize("event", ["line", "opcode"])
@pytest.mark.parametrize("blocks", [nested, in_loops, decorated])
def test_a_mode_is_off_after_a_signal_at_any_point(blocks, event):
    here = in_files_of(test_a_mode_is_off_after_a_signal_at_any_point)

    def is_watched(code):
        # a weakref calls its lambda amid an instruction, where the tracer would cut the caller
        return (here(code) or of_the_package(code)) and code.co_name != "<lambda>"

    count = traversed(blocks, is_watched, event)
    points, cut = spread(count, 40), 0
    for point in points:
        run = signalled(blocks, {point, point + point % 5}, is_watched, event)
        cut += isinstance(run.error, KeyboardInterrupt)
        assert is_plain(), point
    print(f"{len(points)} of {count} points")
    assert cut > 0.9 * len(points)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("mode", [no_grad, recording, detect_anomaly, expanding])
def test_a_mode_is_off_after_an_exception(mode, error):
    with pytest.raises(error), mode():
        raise error
    assert is_plain()
    with pytest.raises(error):
        _raised_on_a_stack(mode, error)
    assert is_plain()


def _raised_on_a_stack(mode, error):
    with contextlib.ExitStack() as stack:
        stack.enter_context(mode())
        assert current(mode._blocks) is not None or mode is recording
        raise error


def is_recording():
    return bool((Value(1.0) * 2.0).parents)


def test_the_innermost_mode_counts():
    with no_grad():
        assert not is_recording()
        with no_grad():
            assert not is_recording()
            with recording():
                assert is_recording()
                with no_grad(), no_grad():
                    assert not is_recording()
                assert is_recording()
                with recording():
                    assert is_recording()
            assert not is_recording()
        assert not is_recording()
    with recording():
        assert is_recording()
        with no_grad():
            assert not is_recording()
        assert is_recording()
    assert is_plain()


def test_a_mode_can_be_entered_again_but_not_inside_of_itself():
    mode = no_grad()
    for _ in range(2):
        with mode:
            assert not is_recording()
            with pytest.raises(RuntimeError, match=r"no_grad\(\) is entered already: write no_gr"):
                mode.__enter__()
            assert not is_recording()
        assert is_recording()
    mode.__enter__()
    assert not is_recording()
    mode.__exit__(None, None, None)
    assert is_recording()


def test_threads_that_share_a_mode_do_not_wait_for_each_other():
    mode, inside, seen = no_grad(), threading.Barrier(2, timeout=10), []

    def work():
        with mode:
            inside.wait()
            seen.append(is_recording())
        seen.append(is_recording())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [False, False, True, True]


def test_a_generator_in_a_mode_that_another_thread_closes_ends_the_mode():
    def numbers():
        with no_grad():
            yield 1

    generator = numbers()
    next(generator)
    assert not is_recording()
    in_a_thread(generator.close)
    assert is_plain()


def test_a_mode_ends_with_its_thread():
    kept = []

    def never_leaves():
        kept.append(no_grad())
        kept[-1].__enter__()
        assert not is_recording()

    def looks():
        kept.append(is_recording())

    for _ in range(20):  # a new thread often gets the number of one that is gone
        in_a_thread(never_leaves)
        assert not unrecorded
        in_a_thread(looks)
    assert kept[1::2] == [True] * 20


def test_what_blocks_leave_behind_is_forgotten():
    for mode in (no_grad, detect_anomaly):
        with mode():
            Value(1.0) * 2.0
    Value(1.0) * 2.0
    assert not unrecorded
    assert not watched


def test_every_mode_is_tested_here():
    assert set(Mode.__subclasses__()) == {no_grad, recording, detect_anomaly, expanding}


# ---- what stands in a gradient's way


def test_what_depends_on_constants_alone_needs_no_derivative():
    x, zero = Value(3.0), Value(0.0).detach()
    root = sqrt(zero * 1.0)
    y = root * x + x
    y.backward()
    assert (x.grad, root.grad, zero.grad) == (1.0, 3.0, 0.0)
    with detect_anomaly():
        y.backward()
    assert x.grad == 2.0
    with pytest.raises(ZeroDivisionError, match=r"derivative of sqrt of 0\.0"):
        (sqrt(x * 0.0) * x).backward()
    assert x.grad == 2.0


def test_a_leaf_that_is_set_while_its_gradient_is_computed_is_told_of():
    x = Value(3.0, label="x")

    def partials(out, operand):
        x.data = 4.0
        return (1.0,)

    y = Primitive("test: sets x", lambda operand: operand, partials)(x) * x
    with pytest.raises(RuntimeError, match=r"label='x'\) has changed"):
        y.backward()
    assert x.grad == y.grad == 0.0
    Primitive.registry.pop("test: sets x")


# ---- a gradient amid another


def _shared_graph():
    a, b = Value(2.0), Value(-3.0)
    inner = a * b + a.tanh()
    return [a, b], inner, inner * inner + a * inner


@pytest.mark.parametrize("is_root", [True, False], ids=["of the root", "of a part"])
def test_a_gradient_that_a_handler_computes_amid_another_adds_up_with_it(is_root):
    """At any line of a walk, as a signal's handler may: both are as if one came after the other."""
    seen = set()
    walked = {Value._pass_back.__code__, Walk._gather.__code__}
    for point in range(1_000):
        leaves, inner, root = _shared_graph()
        count = 0

        def trace(frame, event, _, point=point, other=root if is_root else inner):
            nonlocal count
            if frame.f_code not in walked:
                return None
            if event == "line":
                count += 1
                if count == point + 1:
                    seen.add(frame.f_lineno)
                    sys.settrace(None)
                    other.backward(seed=10.0)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            root.backward()
        finally:
            sys.settrace(before)
        if count <= point:
            break
        same, part, whole = _shared_graph()
        (whole if is_root else part).backward(seed=10.0)
        whole.backward()
        for leaf, right in zip(leaves, same, strict=True):
            assert leaf.grad == pytest.approx(right.grad, rel=1e-15)
        assert (inner.grad, root.grad) == (part.grad, whole.grad)
    assert count == point > len(seen) > 20


def test_a_rule_may_compute_a_gradient_of_what_it_is_a_part_of():
    x = Value(3.0)
    inner = x * x

    def partials(out, operand):
        inner.backward()  # 6
        inner.backward(seed=10.0)  # 60
        return (2.0,)

    root = Primitive("test: a gradient within", lambda v: 2 * v, partials)(inner) * x
    root.backward()
    Primitive.registry.pop("test: a gradient within")
    assert root.parents[0].grad == 3.0
    assert inner.grad == 6.0
    assert x.grad == 6.0 + 60.0 + 18.0 + 36.0


def test_a_walk_that_is_cut_leaves_nothing_to_the_next():
    """Whatever sums it has left in the nodes, which another root may share."""
    leaves, inner, root = _shared_graph()
    zero = root - root.data
    with pytest.raises(ZeroDivisionError):
        (sqrt(zero) + inner).backward()
    assert [x.grad for x in (*leaves, inner, root)] == [0.0] * 4
    root.backward()
    same, part, whole = _shared_graph()
    whole.backward()
    assert [x.grad for x in (*leaves, inner)] == [x.grad for x in (*same, part)]
