"""The laws of copies: a copied graph has the first one's shape and numbers, and no tie to it."""

import copy
import io
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, family, no_grad, stop_gradient, topological_order, where
from microgrid.core import copying, graph
from tests.nodes import same
from tests.threads import all_at_once

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
DUPLICATES = {
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda x, protocol=protocol: pickle.loads(pickle.dumps(x, protocol))
        for protocol in PROTOCOLS
    },
    "pickle in pure Python": lambda x: pickle._loads(pickle._dumps(x)),
    "copy of a copy": lambda x: copy.deepcopy(pickle.loads(pickle.dumps(x))),
}
each_way = pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)


def assert_same_shape(copies, originals):
    """Assert that copies are the originals node by node, shared where shared, and none theirs."""
    ours, theirs = topological_order(*copies), topological_order(*originals)
    assert len(ours) == len(theirs)
    assert not set(ours) & set(theirs)
    place = {node: i for i, node in enumerate(ours)}
    place_of_theirs = {node: i for i, node in enumerate(theirs)}
    for node, original in zip(ours, theirs, strict=True):
        assert (node.data, node.grad) == (original.data, original.grad)
        assert (type(node.data), type(node.grad)) == (type(original.data), type(original.grad))
        assert (node.op, node.label) == (original.op, original.label)
        assert [place[p] for p in node.parents] == [place_of_theirs[p] for p in original.parents]
    assert [place[v] for v in copies] == [place_of_theirs[v] for v in originals]


def everything():
    """Return leaves and roots of a graph with one of everything."""
    x, y = Value(2.0, label="x"), Value(Fraction(1, 3), label="y")
    a = microgrid.tanh(x * y + 1)
    a.label = "a"
    b = microgrid.dot([a, x, 3.0], [x, 0.5, a], start=y) ** 3 + 2**x
    c = where(b > 0, stop_gradient(b), a) + round(microgrid.clip(x, 0, 1.5), 1)
    d = microgrid.elu(microgrid.leaky_relu(c, 0.2), 0.7) * x.detach()
    with no_grad():
        e = a * b
    f = d * e + y * y
    f.backward(2.0)
    return [f, x, a, a, y, e, c]


@each_way
def test_a_copy_of_several_roots_has_the_same_shape(duplicate):
    originals = everything()
    copies = duplicate(originals)
    assert_same_shape(copies, originals)
    assert copies[2] is copies[3]
    assert copies[5].is_constant


@each_way
def test_a_copy_keeps_what_containers_share(duplicate):
    x = Value(2.0)
    y = x * x
    model = {"weights": [x, x], "loss": (y, [y * 1, y]), "leaf again": {"x": x}}
    copied = duplicate(model)
    (a, b), (loss, (scaled, again)) = copied["weights"], copied["loss"]
    assert a is b is copied["leaf again"]["x"] is loss.parents[0] is loss.parents[1]
    assert loss is again is scaled.parents[0]


@given(st.data())
@pytest.mark.parametrize("duplicate", [DUPLICATES["deepcopy"], DUPLICATES["pickle 5"]])
def test_any_selection_of_any_graph_is_copied_in_shape(duplicate, data):
    nodes = [Value(float(i), label=f"x{i}") for i in range(data.draw(st.integers(1, 3)))]
    for _ in range(data.draw(st.integers(0, 12))):
        earlier = st.integers(0, len(nodes) - 1).map(nodes.__getitem__)
        nodes.append(microgrid.sum(data.draw(st.lists(earlier, min_size=1, max_size=3))))
    chosen = data.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=6))
    assert_same_shape(duplicate(chosen), chosen)


@each_way
def test_a_copied_graph_feeds_its_own_leaves_alone(duplicate):
    x = Value(3.0)
    y = x * x
    y.backward()
    z, root = duplicate([x, y])
    root.backward()
    assert (z.grad, x.grad) == (12.0, 6.0)
    y.backward()
    assert (z.grad, x.grad) == (12.0, 12.0)
    z.data = 5.0
    assert (x.data, y.data) == (3.0, 9.0)


@each_way
def test_a_copy_without_its_leaf_has_a_leaf_of_its_own(duplicate):
    x = Value(3.0, label="x")
    root = duplicate(x * x)
    assert root.parents[0] is root.parents[1]
    root.backward()
    assert (root.parents[0].grad, root.parents[0].label, x.grad) == (6.0, "x", 0.0)


@each_way
def test_a_stale_graph_is_copied_stale(duplicate):
    x = Value(3.0, label="x")
    y = x * x
    x.data = 5.0
    z, root = duplicate([x, y])
    with pytest.raises(RuntimeError, match=r"label='x'\) has changed since"):
        root.backward()
    root.refresh()
    root.backward()
    assert (root.data, z.grad, y.data) == (25.0, 10.0, 9.0)


@each_way
def test_a_change_after_the_copy_is_seen(duplicate):
    x = Value(3.0, label="x")
    x.data = 4.0
    z, root = duplicate([x, x * x])
    root.backward()
    z.data = 5.0
    with pytest.raises(RuntimeError, match="has changed since"):
        root.backward()


@each_way
def test_a_copy_keeps_exact_fractions(duplicate):
    x = Value(Fraction(1, 3))
    y = x**2 / 7
    y.backward()
    z, root = duplicate([x, y])
    assert (z.grad, type(z.grad)) == (Fraction(2, 21), Fraction)
    root.backward()
    assert z.grad == Fraction(4, 21)


@each_way
@pytest.mark.parametrize("number", [float("inf"), -0.0, 5e-324, 1 / 3, Fraction(10**50, 3)])
def test_a_number_is_copied_to_the_bit(duplicate, number):
    assert repr(duplicate(Value(number)).data) == repr(number)


@each_way
def test_a_constant_stays_one(duplicate):
    c = duplicate(Value(3.0).detach())
    assert c.is_constant
    with pytest.raises(RuntimeError, match="graph of constants alone"):
        (c * 2).backward()


def test_a_shallow_copy_of_a_leaf_is_another_leaf_and_of_a_node_itself():
    x = Value(3.0, label="x")
    x.grad = 2.0
    y = x * x
    z = copy.copy(x)
    assert z is not x
    assert (z.data, z.grad, z.label, z.parents) == (3.0, 2.0, "x", ())
    assert same(copy.copy(y).parents, (x, x))
    assert copy.copy([x, y]) == [x, y]


@each_way
def test_a_copy_of_a_copy_made_under_one_memo_is_whole_later(duplicate):
    x = Value(3.0)
    y = x * x
    duplicate(y)  # what a first copy remembers must not leak into a second
    z = y + x
    assert_same_shape(duplicate([z, y]), [z, y])


def test_one_pickler_may_store_a_growing_graph_step_by_step():
    file = io.BytesIO()
    pickler = pickle.Pickler(file)
    x = y = Value(2.0)
    for _ in range(3):
        y = y * x
        pickler.dump(y)
    pickler.dump(x)
    unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
    *powers, leaf = [unpickler.load() for _ in range(4)]
    assert [power.data for power in powers] == [4.0, 8.0, 16.0]
    assert same(powers[2].parents, (powers[1], leaf))
    powers[2].backward()
    assert (leaf.grad, x.grad) == (32.0, 0.0)


def test_a_graph_may_be_copied_while_a_pickler_holds_it():
    pickler = pickle.Pickler(io.BytesIO())
    x = Value(3.0)
    y = x * x
    pickler.dump(y)
    z = y + 1
    assert_same_shape(copy.deepcopy([z, x]), [z, x])
    assert_same_shape(pickle.loads(pickle.dumps([z, x])), [z, x])
    del pickler
    assert_same_shape(copy.deepcopy([z, y]), [z, y])


def test_a_failed_pickle_leaves_nothing_behind():
    x = Value(3.0)
    y = x * x
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps([y, lambda: None])
    z = y + 1
    assert_same_shape(pickle.loads(pickle.dumps([z, y])), [z, y])


def test_threads_may_store_one_graph_at_once():
    x = y = Value(1.0)
    for _ in range(300):
        y = y * x
    failures = []

    def store():
        try:
            for _ in range(30):
                assert pickle.loads(pickle.dumps(y)).data == copy.deepcopy(y).data == 1.0
        except Exception as error:
            failures.append(error)

    all_at_once(store, 4)
    assert failures == []


# ---- primitives are copied by name


@family
def moved_by(by):
    return f"moved_by({by})", lambda x: x + by, lambda out, x: (1,)


@pytest.fixture
def tripled(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    return Primitive("tripled", lambda x: 3 * x, lambda out, x: (3,))


@each_way
def test_primitives_and_families_of_the_users_are_copied_as_themselves(duplicate, tripled):
    x = Value(2.0)
    z, root = duplicate([x, moved_by(5)(tripled(x) ** 0.5)])
    assert (root.op, root.parents[0].parents[0].op) == (moved_by(5), tripled)
    root.backward()
    assert z.grad == pytest.approx(3 / 2 / 6**0.5, rel=1e-15)  # three roundings


def test_a_pickle_with_an_unknown_primitive_names_it(tripled):
    stored = pickle.dumps(tripled(Value(2.0)))
    del Primitive.registry["tripled"]
    with pytest.raises(ValueError, match="no primitive is named 'tripled': declare it before"):
        pickle.loads(stored)


OTHER_PROCESS = """
import pickle, sys
from microgrid import Value, Primitive
x = Value(1.0)
for i in range(5):
    x.data = float(i)  # this process has seen more changes than the one that stored the graph
leaf, root = pickle.load(sys.stdin.buffer)
root.backward()
print(root.data, leaf.grad, leaf.label)
leaf.data = 7.0
try:
    root.backward()
except RuntimeError:
    root.refresh()
    print(root.data)
"""


def test_a_graph_goes_on_in_another_process():
    x = Value(3.0, label="x")
    for _ in range(3):
        x.data = 4.0
    printed = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        input=pickle.dumps([x, x**2 + 1]),
        env=os.environ | {"PYTHONPATH": str(Path(microgrid.__file__).parent.parent)},
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert printed.split() == ["17.0", "8.0", "x", "50.0"]


# ---- size

# Copying n values of one growing graph is linear: were each asked for all it depends on, twice as
# many values would take four times as many steps.
FEW = 250
STEEPEST = 2.5


def lines_run(function, *args):
    """Return how many lines of copies and of walks over graphs run in a call."""
    files, count = {copying.__file__, graph.__file__}, 0

    def trace(frame, event, _):
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    return count


def chain_of(count):
    chain = [Value(1.0)]
    for _ in range(count):
        chain.append(-chain[-1])
    return chain


@pytest.mark.parametrize("order", [list, lambda nodes: nodes[::-1]], ids=["forward", "backward"])
@pytest.mark.parametrize(
    "duplicate", [DUPLICATES["deepcopy"], DUPLICATES["pickle 5"]], ids=["deepcopy", "pickle"]
)
def test_a_list_of_all_values_of_a_long_chain_is_not_quadratic(duplicate, order):
    some, more = [lines_run(duplicate, order(chain_of(count))) for count in (FEW, 2 * FEW)]
    assert FEW < more <= STEEPEST * some
    chain = chain_of(FEW)
    copies = order(duplicate(order(chain)))
    assert all(same(b.parents, (a,)) for a, b in pairwise(copies))
    assert [node.data for node in copies] == [node.data for node in chain]


@pytest.mark.parametrize(
    "duplicate", [DUPLICATES["deepcopy"], DUPLICATES["pickle 5"]], ids=["deepcopy", "pickle"]
)
def test_many_small_graphs_in_one_list_are_not_quadratic(duplicate):
    x = Value(1.0)
    some, more = [lines_run(duplicate, [x * i for i in range(n)]) for n in (FEW, 2 * FEW)]
    assert FEW < more <= STEEPEST * some
    copies = duplicate([x * i for i in range(FEW)])
    assert len({copied.parents[0] for copied in copies}) == 1
