"""The laws of the graph: its order, its freshness, its size, its end, and when it is recorded."""

import copy
import gc
import math
import pickle
import threading
import weakref
import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, no_grad, topological_order, where, zero_grad
from microgrid.core.graph import Walk, set_gradients
from tests.nodes import same

STALE = r"the leaf Value\(.*label='{}'\) has changed since; call refresh\(\)"


def stale(label):
    return pytest.raises(RuntimeError, match=STALE.format(label))


@pytest.fixture
def counted(monkeypatch):
    """Return a primitive that is the identity, and the list of all that it was computed of."""
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    seen = []

    def forward(x):
        seen.append(x)
        return x

    return Primitive("counted", forward, lambda out, x: (1,)), seen


# ---- the order


@st.composite
def graphs(draw):
    """Draw all nodes of a graph, in the order they were made."""
    nodes = [Value(1.0) for _ in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(0, 15))):
        earlier = st.integers(0, len(nodes) - 1).map(nodes.__getitem__)
        nodes.append(microgrid.sum(draw(st.lists(earlier, min_size=1, max_size=4))))
    return nodes


def ancestors(*roots):
    found = set(roots)
    for root in roots:
        for parent in root.parents:
            found |= ancestors(parent)
    return found


@given(graphs(), st.data())
def test_every_node_stands_once_after_its_parents(nodes, data):
    roots = data.draw(st.lists(st.sampled_from(nodes), max_size=3))
    order = topological_order(*roots)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert set(order) == ancestors(*roots)
    assert all(place[parent] < place[node] for node in order for parent in node.parents)


@given(graphs())
def test_the_walk_of_backward_takes_the_same_order(nodes):
    walk = Walk()
    if nodes[-1].parents:
        walk.gather(nodes[-1])
    assert walk.inner == [node for node in topological_order(nodes[-1]) if node.parents]


@given(graphs())
def test_the_same_graph_has_the_same_order_every_time(nodes):
    assert same(topological_order(nodes[-1]), topological_order(nodes[-1]))
    assert same(topological_order(nodes[-1], nodes[-1]), topological_order(nodes[-1]))


@given(graphs(), st.data())
def test_known_nodes_and_what_only_they_depend_on_are_left_out(nodes, data):
    known = set(data.draw(st.lists(st.sampled_from(nodes), max_size=3)))
    order = topological_order(nodes[-1], known=known)
    assert not known & set(order)
    reached, todo = set(), {nodes[-1]} - known
    while todo:
        reached |= todo
        todo = {parent for node in todo for parent in node.parents} - known - reached
    assert set(order) == reached


def test_the_order_of_nothing_is_empty():
    assert topological_order() == []


# ---- a leaf that changes


def test_a_changed_leaf_is_named_and_nothing_is_computed():
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    z = x * y
    x.data = 10.0
    with stale("x"):
        z.backward()
    assert (x.grad, y.grad, z.grad, z.data) == (0.0, 0.0, 0.0, 6.0)


def test_refresh_makes_it_current():
    x = Value(3.0)
    y = x * x
    z = y + 1
    x.data = 10.0
    z.refresh()
    assert (y.data, z.data) == (100.0, 101.0)
    z.backward()
    assert x.grad == 20.0


def test_a_change_matters_only_to_what_depends_on_it():
    x, y = Value(3.0), Value(2.0, label="y")
    a, b = x * x, y * y
    y.data = 5.0
    a.backward()
    assert x.grad == 6.0
    with stale("y"):
        (a + b).backward()


def test_of_several_leaves_the_one_that_changed_is_named():
    x, y, z = (Value(2.0, label=label) for label in "xyz")
    product = x * y * z
    other, root = product + 1, product + 2
    y.data = 5.0
    with stale("y"):
        root.backward()
    other.refresh()
    with stale("y"):
        root.backward()


def test_what_is_built_after_the_change_is_current():
    x = Value(3.0)
    old = x * x
    x.data = 5.0
    new = x * x
    new.backward()
    assert (new.data, x.grad, old.data) == (25.0, 10.0, 9.0)


def test_a_changed_constant_is_a_change_too():
    x, c = Value(3.0), Value(2.0).detach()
    c.label = "c"
    y = x * c
    c.data = 7.0
    with stale("c"):
        y.backward()
    y.refresh()
    y.backward()
    assert (y.data, x.grad, c.grad) == (21.0, 7.0, 0.0)


def test_a_changed_constant_is_a_change_too_where_it_is_an_exponent():
    x, c = Value(3.0), Value(2.0).detach()
    c.label = "c"
    y = x**c
    assert same(y.parents, (x, c))
    c.data = 3.0
    with stale("c"):
        y.backward()
    y.refresh()
    y.backward()
    assert (y.data, x.grad, c.grad) == (27.0, 27.0, 0.0)


def test_a_leaf_that_changed_is_still_its_own_graph():
    x = Value(3.0)
    x.data = 5.0
    x.backward()
    x.refresh()
    assert (x.data, x.grad) == (5.0, 1.0)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_refreshing_a_part_does_not_hide_that_the_rest_is_stale(first):
    x = Value(3.0, label="x")
    y = x * x
    roots = [y, y + 1, y * 2]
    x.data = 5.0
    roots[first].refresh()
    for root, expected in zip(roots, [25.0, 26.0, 50.0], strict=True):
        if root.data != expected:
            with stale("x"):
                root.backward()
        root.refresh()
        assert root.data == expected
        zero_grad([x])
        root.backward()
        assert x.grad == (20.0 if root is roots[2] else 10.0)


def test_a_node_built_on_a_stale_one_is_stale_and_stays_so():
    x, k = Value(3.0, label="x"), Value(1.0, label="k")
    y = x * x
    other = y + 1
    x.data = 5.0
    z = y * k
    with stale("x"):
        z.backward()
    k.data = 2.0
    other.refresh()  # makes y current, but not z
    with stale("[xk]"):
        z.backward()
    z.refresh()
    z.backward()
    assert (z.data, x.grad, k.grad) == (50.0, 20.0, 25.0)


def test_a_node_built_on_a_stale_one_is_stale_when_only_that_is_refreshed():
    x = Value(3.0, label="x")
    y = x * x
    x.data = 5.0
    z = y * 2
    y.refresh()
    with stale("x"):
        z.backward()
    z.refresh()
    assert z.data == 50.0


CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "build", "refresh"]), st.integers(0, 99), st.integers(0, 99)),
    max_size=25,
)


@given(CHANGES)
def test_backward_never_runs_on_data_that_is_not_the_graphs_own(changes):
    leaves = [Value(Fraction(i + 1), label="leaf") for i in range(2)]
    nodes = list(leaves)
    for i, (change, a, b) in enumerate(changes):
        if change == "set":
            leaves[a % 2].data = Fraction(i + 3)
        elif change == "build":
            nodes.append(nodes[a % len(nodes)] + nodes[b % len(nodes)])
        else:
            nodes[a % len(nodes)].refresh()
    current = {leaf: leaf.data for leaf in leaves}
    for node in nodes[2:]:
        current[node] = sum(current[parent] for parent in node.parents)
    for node in nodes[2:]:
        if all(n.data == current[n] for n in topological_order(node)):
            continue  # nothing is stale, or a change came back to where it was
        with stale("leaf"):
            node.backward()
    for node in reversed(nodes[2:]):
        node.refresh()
        node.backward()
    assert {node: node.data for node in nodes} == current


def test_refresh_computes_only_what_is_stale(counted):
    identity, seen = counted
    x, y = Value(3.0), Value(2.0)
    a, b = identity(x), identity(y)
    root = identity(a * b)
    seen.clear()
    root.refresh()
    assert seen == []
    y.data = 5.0
    root.refresh()
    assert seen == [5.0, 15.0]
    seen.clear()
    root.refresh()
    assert seen == []
    (root + 1).backward()
    assert (a.data, root.data, x.grad) == (3.0, 15.0, 5.0)


def test_refresh_that_raises_changes_no_data():
    x, y = Value(2.0, label="x"), Value(1.0)
    nodes = [doubled := x * 2, logarithm := microgrid.log(doubled), logarithm + y]
    before = [node.data for node in nodes]
    x.data = -1.0
    with pytest.raises(ValueError, match=r"^log of "):
        nodes[-1].refresh()
    assert [node.data for node in nodes] == before
    with stale("x"):
        nodes[-1].backward()
    x.data = 0.5
    nodes[-1].refresh()
    assert [node.data for node in nodes] == [1.0, 0.0, 1.0]


def test_refresh_that_raises_names_the_new_operand_and_its_label():
    x = Value(2.0, label="x")
    doubled = x * 2
    doubled.label = "doubled"
    y = microgrid.log(doubled)
    x.data = -1.0
    with pytest.raises(ValueError, match=r"^log of doubled = -2\.0: "):
        y.refresh()


def test_refresh_chooses_again():
    x = Value(2.0)
    condition = x - 1
    y = where(condition, x * 10, -x)
    z = microgrid.maximum(x, 1.5)
    x.data = 1.0
    y.refresh()
    z.refresh()
    assert (y.data, z.data) == (-1.0, 1.5)
    y.backward()
    assert x.grad == -1.0


def test_refresh_keeps_numbers_as_recording_does(monkeypatch):
    monkeypatch.setattr(Primitive, "registry", dict(Primitive.registry))
    step = Primitive("step", lambda x: 1 if x > 0 else 0, lambda out, x: (0,))
    x = Value(2.0)
    y = step(x)
    assert type(y.data) is float
    x.data = -1.0
    y.refresh()
    assert (y.data, type(y.data)) == (0.0, float)


def test_refresh_keeps_fractions():
    x = Value(Fraction(1, 3))
    y = (x * x + 1) // Fraction(1, 9)
    x.data = Fraction(1, 2)
    y.refresh()
    assert (y.data, type(y.data)) == (11, Fraction)


def test_gradients_outlive_a_refresh():
    x = Value(3.0)
    y = x * x
    y.backward()
    x.data = 4.0
    y.refresh()
    assert (x.grad, y.grad) == (6.0, 1.0)


# ---- zero_grad


def test_zero_grad_sets_every_gradient_to_zero_of_its_kind():
    x, y, z = Value(3.0), Value(Fraction(1, 3)), Value(2.0)
    z.grad = x.grad = 5.0
    y.grad = Fraction(7)
    zero_grad(v for v in (x, y))
    assert (x.grad, y.grad, z.grad) == (0.0, Fraction(0), 5.0)
    assert (type(x.grad), type(y.grad)) == (float, Fraction)


# ---- no_grad


def recorded():
    x = Value(2.0)
    return (x * x).parents != ()


def test_under_no_grad_nothing_is_recorded():
    x = Value(2.0, label="x")
    with no_grad():
        y = microgrid.tanh(x * x + 1)
        leaf = Value(3.0)
    assert (y.data, y.parents, y.is_constant) == (math.tanh(5.0), (), True)
    assert not leaf.is_constant
    (y * x + leaf).backward()
    assert (x.grad, y.grad, leaf.grad) == (y.data, 0.0, 1.0)
    y.data = 5.0  # it is a leaf: this is allowed


def test_no_grad_ends_with_its_block():
    with no_grad():
        assert not recorded()
    assert recorded()


def test_no_grad_nests():
    block = no_grad()
    with block, no_grad():
        with no_grad():
            assert not recorded()
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StopIteration, GeneratorExit])
def test_no_grad_ends_with_an_exception(error):
    with pytest.raises(error), no_grad(), no_grad():
        raise error
    assert recorded()


def test_no_grad_decorates_and_the_function_may_recur():
    @no_grad()
    def depth(n):
        assert not recorded()
        return 0 if n == 0 else 1 + depth(n - 1)

    assert depth(5) == 5
    assert recorded()
    assert depth(0) == 0


def test_no_grad_is_of_one_thread():
    inside, leave = threading.Event(), threading.Event()
    found = []

    def evaluate():
        with no_grad():
            inside.set()
            leave.wait(10)
            found.append(recorded())
        found.append(recorded())

    thread = threading.Thread(target=evaluate)
    thread.start()
    assert inside.wait(10)
    assert recorded()
    with no_grad():
        leave.set()
        thread.join()
        assert found == [False, True]
        assert not recorded()
    assert recorded()


def test_threads_may_evaluate_one_model_at_once():
    weights = [Value(0.1 * i) for i in range(20)]
    failures = []

    def model(x):
        return microgrid.tanh(microgrid.dot(weights, [x + i for i in range(20)]))

    expected = {x: model(x).data for x in range(10)}

    def evaluate(use):
        for _ in range(30):
            for x, y in expected.items():
                with use():
                    if model(Value(float(x))).data != y:
                        failures.append(x)

    threads = [threading.Thread(target=evaluate, args=[use]) for use in [no_grad, Unused] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class Unused:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


# ---- size


@pytest.mark.parametrize("length", [10**4, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_long_chain_builds_derives_refreshes_copies_pickles_and_is_freed(length):
    gc.disable()
    try:
        x = Value(3.0)
        y = x
        for _ in range(length):
            y = -y
        assert y.data == 3.0
        y.backward()
        assert x.grad == 1.0
        x.data = 5.0
        y.refresh()
        assert y.data == 5.0

        for duplicate in (copy.deepcopy, lambda chain: pickle.loads(pickle.dumps(chain))):
            z, root = duplicate([x, y])
            assert (z.data, z.grad, root.data) == (5.0, 1.0, 5.0)
            root.backward()
            assert (z.grad, x.grad) == (2.0, 1.0)
            freed = weakref.ref(root.parents[0].parents[0])
            del z, root
            assert freed() is None

        freed = weakref.ref(y.parents[0].parents[0])
        del y
        assert freed() is None
    finally:
        gc.enable()


def test_a_long_chain_with_constants_is_right():
    x = y = Value(2.0)
    for _ in range(50_000):
        y = 1 - y * 1
    y.backward()
    assert (y.data, x.grad) == (2.0, 1.0)
    assert len(topological_order(y)) == 1 + 4 * 50_000


def test_a_wide_node_is_right():
    xs = [Value(float(i)) for i in range(100_000)]
    y = microgrid.dot(xs, xs, start=microgrid.sum(xs))
    y.backward()
    assert [x.grad for x in xs] == [2.0 * i + 1 for i in range(100_000)]


def test_a_leaf_of_many_children_collects_all_shares():
    x = Value(1.0)
    y = microgrid.sum([x * i for i in range(50_000)])
    y.backward()
    assert x.grad == sum(range(50_000))


def test_a_ladder_of_shared_nodes_is_walked_once():
    x = y = Value(1.0)
    for _ in range(500):  # 2**500 paths
        y = (y + y) / 2
    y.backward()
    assert (y.data, x.grad) == (1.0, 1.0)


# ---- the end


def use_nothing(root):
    pass


def use_backward(root):
    root.backward()


def use_backward_that_raises(root):
    with pytest.raises(ZeroDivisionError, match="sqrt"):
        microgrid.sqrt(root * 0).backward()


def use_forward_that_raises(root):
    with pytest.raises(ZeroDivisionError, match=r"^/ of "):
        1 / (root - root)


def use_refresh(root):
    leaf = topological_order(root)[0]
    leaf.data = 1.25
    root.refresh()


def use_a_stale_graph(root):
    topological_order(root)[0].data = 1.25
    with pytest.raises(RuntimeError, match="has changed since"):
        root.backward()


def use_copies(root):
    copy.deepcopy(root)
    copy.copy(root)
    pickle.dumps(root)


def use_no_grad(root):
    with no_grad():
        root * root


def use_partials_as_a_graph(root):
    [*root.op.partials(root, *root.parents)]


@pytest.mark.parametrize(
    "use",
    [
        *[use_nothing, use_backward, use_backward_that_raises, use_forward_that_raises],
        *[use_refresh, use_a_stale_graph, use_copies, use_no_grad, use_partials_as_a_graph],
    ],
)
def test_dropping_the_last_reference_frees_the_graph_at_once(use):
    def build_and_use():
        x, y = Value(2.0), Value(3.0)
        a = microgrid.tanh(x * y + 1)
        b = microgrid.logsumexp([a, x, y**2, 2**x]) + microgrid.clip(a, -1, 1)
        root = microgrid.dot([a, b], [x, y]) * microgrid.leaky_relu(b)
        use(root)
        return [weakref.ref(node) for node in topological_order(root)]

    gc.collect()
    gc.disable()
    try:
        assert {freed() for freed in build_and_use()} == {None}
    finally:
        gc.enable()


@pytest.mark.parametrize("wrong", [None, "a", (1.0,), (1.0, Value(1.0))], ids=repr)
def test_parents_that_were_set_to_something_else_are_named(wrong):
    x = Value(1.0)
    middle = x * 2.0
    root = middle + x
    middle.parents = wrong
    for use in (root.backward, root.refresh, lambda: topological_order(root)):
        with pytest.raises(TypeError, match=r"the `parents` of a Value must stay .*, got"):
            use()


def test_a_generator_records_no_graph_in_its_own_steps_alone():
    x, seen = Value(2.0), []

    @no_grad()
    def doubled():
        given = None
        try:
            while given != "end":
                try:
                    given = yield x * 2.0
                except KeyError:
                    seen.append((x * 3.0).parents)
                    given = yield x * 4.0
        finally:
            seen.append((x * 5.0).parents)
        return "done"

    def through():
        return (yield from doubled())

    steps = through()
    assert next(steps).parents == ()
    assert (x * 2.0).parents != ()  # nothing is off between its steps
    assert steps.send(1).parents == steps.throw(KeyError("thrown")).parents == ()
    with pytest.raises(StopIteration) as end:
        steps.send("end")
    assert (end.value.value, seen) == ("done", [(), ()])

    for leave in ("close", "throw"):
        steps = doubled()
        next(steps)
        if leave == "close":
            steps.close()
        else:
            with pytest.raises(ValueError, match="thrown"):
                steps.throw(ValueError("thrown"))
        assert seen.pop() == ()
        assert next(steps, "over") == "over"
    assert (x * 2.0).parents != ()


async def waiting():
    return Value(1.0) * 2.0


async def waiting_in_steps():
    yield Value(1.0) * 2.0


@pytest.mark.parametrize("mode", [no_grad, microgrid.detect_anomaly])
def test_a_mode_stands_before_a_function_that_ends_where_it_is_called(mode):
    for wrong in (waiting, waiting_in_steps, microgrid.MLP, 5, None):
        with pytest.raises(TypeError, match=rf"@{mode.__name__}\(\) stands before .*, got"):
            mode()(wrong)
    with pytest.raises(TypeError, match=rf"{mode.__name__}\(\) takes no argument, got .*: write"):
        mode(lambda: 1.0)


def test_the_gradient_of_an_inner_node_can_be_set_and_is_there_until_the_next_walk():
    x = Value(3.0)
    inner = x * x
    root = inner * 2.0
    root.backward()
    assert inner.grad == 2.0
    inner.grad = 5.0
    assert (inner.grad, root.grad, x.grad) == (5.0, 1.0, 12.0)
    set_gradients([inner, root, x], [7.0, 8.0, 9.0])
    assert (inner.grad, root.grad, x.grad) == (7.0, 8.0, 9.0)
    zero_grad([inner])
    assert inner.grad == 0.0
    copied = copy.deepcopy(root)
    assert copied.grad == 8.0
    root.backward()
    assert (inner.grad, root.grad, x.grad) == (2.0, 1.0, 21.0)
    assert pickle.loads(pickle.dumps(root)).parents[0].grad == 2.0


# ---- what a notebook shows


def lines(node):
    """Return the lines that a notebook shows, by their names."""
    shown = ET.fromstring(node._repr_html_())
    assert (shown.tag, shown.attrib, list(shown)) == ("pre", {}, [])
    return dict(line.split(maxsplit=1) for line in shown.text.split("\n"))


@given(graphs(), st.text(min_size=1))
def test_a_notebook_shows_a_node_as_its_repr_and_what_it_was_made_of(nodes, label):
    nodes[0].label = label
    nodes[-1].backward()
    for node in nodes:
        shown = lines(node)
        assert (shown["data"], shown["grad"]) == (str(node.data), str(node.grad))
        assert shown.get("label", "") in (node.label or "", repr(node.label))
        assert ("operation" in shown) == bool(node.parents)
        if node.parents:
            assert shown["operands"].endswith("…") == (len(node.parents) > 4)


def test_a_notebook_shows_exact_numbers_and_the_labels_of_operands():
    x = Value(Fraction(1, 3), label="<x>")
    x.grad = None
    assert lines(x) == {"label": "<x>", "data": "1/3", "grad": "None"}
    assert lines(x * 2) == {
        **{"data": "2/3", "grad": "0", "operation": "*", "operands": "<x> = 1/3, 2"},
    }
