"""What everybody gets wrong once is told: in a warning that names what to write, or in an error."""

import copy
import operator
import pickle
import re
import warnings

import numpy as np
import pytest

import microgrid
from microgrid import MLP, GradientWarning, Value, fit, losses, no_grad, zero_grad
from microgrid.optim import SGD

X, Y = [[0.5, -1.0], [1.0, 2.0], [-0.25, 0.5]], [1.0, -1.0, 0.5]


def loss_of(model, rows=slice(None)):
    pairs = zip(X[rows], Y[rows], strict=True)
    return microgrid.mean([losses.squared_error(model(x), y) for x, y in pairs])


@pytest.fixture
def model():
    return MLP(2, [2, 1], activation="tanh", seed=0)


# ---- a gradient that was collected before its leaf moved


def test_adding_to_a_gradient_from_before_a_leaf_moved_warns_and_adds():
    w, b = Value(2.0, label="w"), Value(1.0)
    (w * b).backward()
    w.data = 3.0
    told = r"adds to the gradient of w, collected before it moved: call zero_grad\(\) before it"
    with pytest.warns(GradientWarning, match=told) as caught:
        (w * b).backward()
    assert caught[0].filename == __file__
    assert (w.grad, b.grad) == (2.0, 5.0)


def test_one_warning_speaks_of_all_leaves(model):
    for p in model.parameters():
        p.label = "a weight"
    optimizer = SGD(model.parameters(), lr=0.01)
    loss_of(model).backward()
    optimizer.step()
    with pytest.warns(GradientWarning, match="gradients of a weight and 8 more, .* they") as caught:
        loss_of(model).backward()
    assert len(caught) == 1


def test_a_loop_that_forgets_zero_grad_is_told_of_once(model):
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: told.append(message)
        for _ in range(5):
            loss_of(model).backward()
            for p in model.parameters():
                p.data -= 0.01 * p.grad
    assert [type(message) for message in told] == [GradientWarning]


def test_right_loops_are_told_of_nothing(model):
    optimizer = SGD(model.parameters(), lr=0.01)
    for _ in range(3):  # gradients of small batches add up, where no leaf moves in between
        optimizer.zero_grad()
        for i in range(3):
            loss_of(model, slice(i, i + 1)).backward()
        optimizer.step()
    for _ in range(3):  # micrograd's
        model.zero_grad()
        loss = loss_of(model)
        loss.backward()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad
    for _ in range(3):  # without zero_grad, as the gradients are taken as they come
        for p in model.parameters():
            p.grad = None
        loss_of(model).backward()
        for p in model.parameters():
            p.data, p.grad = p.data - 0.01 * p.grad, 0
    for native in (False, True):
        zero_grad(model.parameters())
        options = {"loss": losses.squared_error, "optimizer": optimizer, "epochs": 3}
        fit(model, X, Y, **options, batch_size=2, compile=native)
    x = Value(0.5)
    loss = losses.squared_error(model([x, 2.0]), 1.0)
    for i in range(3):  # a graph that is computed again, at another input
        x.data = i + 1.0
        loss.refresh()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    model.zero_grad()
    loss_of(model).backward()


def test_a_warning_that_is_an_error_leaves_every_gradient():
    w, b = Value(2.0), Value(1.0)
    (w * b).backward()
    w.data = b.data = 3.0
    y = w * b
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error", GradientWarning)
            with pytest.raises(GradientWarning, match="a leaf and 1 more"):
                y.backward()
        assert (w.grad, b.grad, y.grad) == (1.0, 2.0, 0.0)


# ---- what moves no leaf


@pytest.mark.parametrize(
    ("name", "assign"),
    [("+", operator.iadd), ("-", operator.isub), ("*", operator.imul), ("/", operator.itruediv)],
)
def test_assigning_to_a_leaf_with_a_gradient_says_that_it_stays(name, assign):
    w, p = Value(2.0, label="w"), Value(3.0, label="layer 1")
    (w * p).backward()
    told = re.escape(f"`w {name}= number` makes a new node and leaves the leaf as it is: write")
    with pytest.warns(GradientWarning, match=told) as caught:
        moved = assign(w, 0.5)
    assert f"`w.data {name}= number` to move it" in str(caught[0].message)
    assert (moved.data, w.data, moved.parents[0] is w) == (assign(2.0, 0.5), 2.0, True)
    with pytest.warns(GradientWarning, match=re.escape(f"`p.data {name}= number`")):
        assign(p, np.float64(2))


def test_assignments_that_make_a_node_on_purpose_are_told_of_nothing():
    x, total, product = Value(2.0), Value(0.0), Value(1.0)
    total += 1.0
    product *= 3
    for _ in range(2):
        total += x
        total -= 0.5
        product *= x
        product /= 2.0
    (total + product).backward()
    total += 1.0  # an inner node
    x += total
    with no_grad():
        x += 1.0
    assert microgrid.grad(half_of_sum)(2.0) == 0.5
    assert microgrid.compile(half_of_sum)(2.0) == 1.5
    assert microgrid.taylor(half_of_sum, 2.0, 1) == [1.5, 0.5]


def half_of_sum(x):
    x += 1
    x /= 2
    return x


def test_a_step_before_any_backward_warns(model):
    optimizer = SGD(model.parameters(), lr=0.1)
    before = model.state_dict()
    with pytest.warns(GradientWarning, match=r"step\(\) has no gradient .* call backward\(\)"):
        optimizer.step()
    assert model.state_dict() == before
    (loss_of(model) * 0.0).backward()  # gradients of 0 are gradients
    optimizer.step()


# ---- habits from elsewhere


@pytest.mark.parametrize(
    ("args", "options", "told"),
    [
        ((1.0, (Value(1.0), Value(2.0)), "+"), {}, "computing gives it parents: write x \\+ y"),
        ((1.0, (Value(1.0),)), {}, "only computing gives it parents"),
        ((1.0,), {"_children": (), "_op": "+"}, "only computing gives it parents"),
        ((1.0,), {"requires_grad": True}, r"every Value has a gradient; Value\(x\).detach\(\)"),
        ((1.0,), {"name": "x"}, "it has no option name"),
    ],
    ids=["parents and op", "parents", "micrograd's names", "requires_grad", "another option"],
)
def test_a_value_made_as_elsewhere_says_how_it_is_made(args, options, told):
    with pytest.raises(TypeError, match=f"made of a number and a label: .*{told}"):
        Value(*args, **options)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("requires_grad", r"v.detach\(\) is a constant"),
        ("numpy", r"read its number as v.data"),
        ("zero_grad", r"v.grad = 0.0, or zero_grad\(leaves\)"),
    ],
)
def test_an_attribute_of_other_engines_says_what_to_write(name, instead):
    x = Value(2.0)
    with pytest.raises(AttributeError, match=f"a Value has no {name}: .*{instead}"):
        getattr(x, name)
    with pytest.raises(AttributeError, match=instead):
        setattr(x, name, lambda: None)
    assert not hasattr(x, name)
    assert name not in dir(x)
    assert "tanh" in dir(x)


def test_the_lectures_steps_by_hand_are_there():
    a, b = Value(2.0), Value(-3.0)
    o = a * b
    o.grad = 1.0
    a.grad, b.grad = o.chain(o.grad)
    assert (a.grad, b.grad) == (-3.0, 2.0)
    assert o._prev == {a, b}


def test_a_subclass_is_refused_where_it_is_defined():
    with pytest.raises(TypeError, match=r"Value has no subclasses, got Named: .*plain Value"):

        class Named(Value):
            pass

    assert microgrid.compile(lambda x: x * x)(3.0) == 9.0  # the library's own is there


# ---- steps by hand, as in micrograd's lecture


def test_steps_by_hand_give_what_backward_gives():
    def program():
        a, b, c = Value(2.0), Value(-3.0), Value(10.0)
        e = a * b
        d = e + c + 1.0
        return (a, b, c), (e, d, d * e)

    (a, b, c), (e, d, o) = program()
    o.grad = 1.0
    for node in (o, d, d.parents[0], e):
        node._backward()
    leaves, (*_, root) = program()
    root.backward()
    assert [x.grad for x in (a, b, c)] == [x.grad for x in leaves]
    before = a.grad
    assert a._backward() is None  # a leaf has nothing to pass on
    assert (a.grad, d.parents[1].grad) == (before, 0.0)  # nor has a constant a gradient


def test_what_a_value_does_in_another_way_than_micrograds_says_what_to_write():
    x, y = Value(2.0), Value(3.0)
    told = "cannot be set: its step is its op's; write a Primitive of your own"
    with pytest.raises(AttributeError, match=f"a Value's _backward {told}"):
        x._backward = lambda: None
    told = "only computing gives it parents: write x [+] y, or a Primitive of your own"
    for options in ((5.0, (x, y), "+"), (5.0, (x, y)), (5.0, {x})):
        with pytest.raises(TypeError, match=told):
            Value(*options)
    with pytest.raises(TypeError, match=told):
        Value(5.0, _children=(x, y), _op="+")
    assert "_backward" not in dir(x)
