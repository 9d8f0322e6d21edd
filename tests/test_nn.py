"""The laws of networks: what a parameter is, what a neuron computes, where weights come from."""

import copy
import functools
import html
import json
import math
import operator
import os
import pickle
import random
import re
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import MLP, Layer, Module, Neuron, Value, nn, no_grad, topological_order
from microgrid.optim import SGD
from tests.nodes import same
from tests.search import usual

# A sum of a few products, in another order or by `math.fsum`.
ROUNDING = {"rel": 1e-13, "abs": 1e-13}
# A central difference of step 1e-5 of smooth networks, with third derivatives of up to 100.
CENTRAL = {"rel": 1e-6, "abs": 1e-7}
# The standard error of the variance of 3000 uniform numbers is 0.9 / sqrt(3000) = 1.6 %; five.
VARIANCE = 0.08

NUMBERS = st.floats(-10, 10)
ACTIVATIONS = sorted(nn.ACTIVATIONS)


def numbers(parameters):
    return [p.data for p in parameters]


def set_to(module, draw):
    """Set each parameter to a number that is drawn anew; return the module."""
    for p in module.parameters():
        p.data = draw()
    return module


# ---- what a neuron is


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), NUMBERS)
def test_a_neuron_is_a_weighted_sum_and_a_bias(pairs, bias):
    neuron = Neuron(len(pairs), nonlin=False)
    for p, data in zip(neuron.w, pairs, strict=True):
        p.data = data[0]
    neuron.b.data = bias
    wanted = math.fsum([bias, *(w * x for w, x in pairs)])
    assert neuron([x for _, x in pairs]).data == pytest.approx(wanted, **ROUNDING)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_neuron_ends_in_its_activation(name):
    linear, neuron = Neuron(3, nonlin=False, seed=5), Neuron(3, activation=name, seed=5)
    function = getattr(microgrid.functional, name, lambda x: x)
    for x in [[1.0, -2.0, 0.5], [-3.0, 1.0, 0.0]]:
        assert neuron(x).data == function(linear(x).data)


def test_a_neuron_is_one_dot_node_and_its_activation():
    neuron = Neuron(3, activation="tanh", seed=0)
    out = neuron([1.0, 2.0, 3.0])
    (total,) = out.parents
    assert (out.op.name, total.op.name) == ("tanh", "dot")
    assert all(not p.parents for p in total.parents)
    assert set(neuron.parameters()) <= set(total.parents)
    assert len(topological_order(out)) == 4 + 3 + 2


def test_a_neuron_without_an_activation_is_one_node():
    out = Neuron(3, nonlin=False)([1.0, 2.0, 3.0])
    assert out.op.name == "dot"
    assert not any(p.parents for p in out.parents)


def test_the_neurons_of_a_layer_share_their_inputs():
    outs = Layer(3, 4, seed=0)([1.0, 2.0, 3.0])
    assert len([n for n in topological_order(*outs) if n.is_constant]) == 3


def test_a_layer_is_its_neurons_side_by_side():
    layer, x = Layer(3, 4, activation="tanh", seed=0), [1.0, -2.0, 0.5]
    assert numbers(layer(x)) == [neuron(x).data for neuron in layer.neurons]


def test_an_mlp_is_its_layers_one_after_another():
    model, x = MLP(3, [4, 2, 3], activation="tanh", seed=0), [1.0, -2.0, 0.5]
    first, second, third = model.layers
    assert numbers(model(x)) == numbers(third(second(first(x))))


def test_the_last_layer_is_linear_and_the_others_are_not():
    model = MLP(2, [3, 3, 1], activation="tanh", seed=0)
    kinds = [layer([1.0] * len(layer.neurons[0].w)) for layer in model.layers]
    assert [out.op.name for out in kinds[0]] == ["tanh"] * 3
    assert [out.op.name for out in kinds[1]] == ["tanh"] * 3
    assert kinds[2].op.name == "dot"


# ---- sizes


@pytest.mark.parametrize(
    ("nin", "nouts", "count"),
    [(2, [16, 16, 1], 337), (1, [1], 2), (1, [1, 1, 1], 6), (4, [8, 3], 67), (3, [2], 8)],
)
def test_the_number_of_parameters(nin, nouts, count):
    model = MLP(nin, nouts)
    assert len(model.parameters()) == len(set(model.parameters())) == count
    assert count == sum((a + 1) * b for a, b in pairwise([nin, *nouts]))


@pytest.mark.parametrize("nouts", [[1], [1, 1], [1, 1, 1, 1], [3, 1, 3, 1], [1, 3, 1], [1, 2]])
@pytest.mark.parametrize("nin", [1, 2])
def test_a_width_of_one_works_at_any_depth(nin, nouts):
    model = MLP(nin, nouts, activation="tanh", seed=0)
    out = model([0.5] * nin)
    outs = [out] if nouts[-1] == 1 else out
    assert [type(value) for value in outs] == [Value] * nouts[-1]
    microgrid.sum(outs).backward()
    assert all(p.grad for p in model.parameters())


def test_one_output_is_a_value_and_more_are_a_list():
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)
    assert isinstance(MLP(2, [3, 2])([1.0, 2.0]), list)
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)


@pytest.mark.parametrize("size", [0, -1, 1.0, 2.5, "3", None, math.nan], ids=repr)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Neuron, "nin"),
        (lambda size: Layer(size, 2), "nin"),
        (lambda size: Layer(2, size), "nout"),
        (lambda size: MLP(size, [2]), "nin"),
        (lambda size: MLP(2, [3, size]), "nout"),
        (lambda size: MLP(2, [size, 3]), "nout|nin"),
    ],
    ids=["Neuron", "Layer-nin", "Layer-nout", "MLP-nin", "MLP-last", "MLP-first"],
)
def test_a_size_that_is_no_positive_integer_is_refused(make, name, size):
    refused = ValueError if isinstance(size, int) else TypeError
    with pytest.raises(refused, match=f"`({name})` must be an integer, at least 1, got"):
        make(size)


@pytest.mark.parametrize("nouts", [[], ()])
def test_an_mlp_without_layers_is_refused(nouts):
    with pytest.raises(ValueError, match="`nouts` must name at least one layer's size, got none"):
        MLP(2, nouts)


@pytest.mark.parametrize("nouts", [3, None, 1.5])
def test_sizes_that_are_no_list_are_refused(nouts):
    with pytest.raises((TypeError, ValueError), match="`nouts`"):
        MLP(2, nouts)


@pytest.mark.parametrize("nouts", [(3, 1), [np.int64(3), np.int64(1)], range(3, 0, -2)], ids=repr)
def test_sizes_may_be_any_sequence_of_integers(nouts):
    assert numbers(MLP(np.int64(2), nouts, seed=0).parameters()) == numbers(
        MLP(2, [3, 1], seed=0).parameters()
    )


# ---- inputs

MADE = {"Neuron": Neuron(2), "Layer": Layer(2, 3), "MLP": MLP(2, [3, 1])}


@pytest.mark.parametrize("module", MADE.values(), ids=MADE)
@pytest.mark.parametrize(
    "x", [[], [1.0], [1.0, 2.0, 3.0], np.zeros(3), (1.0,), 1.0, Value(1.0)], ids=str
)
def test_a_wrong_number_of_inputs_is_refused(module, x):
    got = len(x) if hasattr(x, "__len__") else 1
    with pytest.raises(ValueError, match=f"takes 2 inputs, got {got}"):
        module(x)


@pytest.mark.parametrize("module", MADE.values(), ids=MADE)
@pytest.mark.parametrize("x", ["ab", [None, 1.0], ["1", "2"], [1.0, [2.0]], None, [1j, 0]], ids=str)
def test_inputs_that_are_no_numbers_are_refused(module, x):
    with pytest.raises(TypeError):
        module(x)


@pytest.mark.parametrize(
    "x",
    [
        (0.5, -3.0),
        [0.5, -3],
        [Fraction(1, 2), -3],
        [Value(0.5), Value(-3.0)],
        [Value(0.5), -3.0],
        np.array([0.5, -3.0]),
        np.array([0.5, -3.0], dtype=np.float32),
        np.array([0.5, -3.0], dtype=object),
        np.array([Value(0.5), Value(-3.0)]),
        [np.float64(0.5), np.int8(-3)],
        range(0),
    ],
    ids=lambda x: f"{type(x).__name__} {x!r:.20}",
)
def test_inputs_are_numbers_in_any_sequence(x):
    x = (number for number in (0.5, -3.0)) if isinstance(x, range) else x  # an iterator, used up
    model = MLP(2, [3, 1], activation="tanh", seed=0)
    assert float(model(x).data) == model([0.5, -3.0]).data


def test_a_single_number_is_a_row_of_one():
    model = MLP(1, [2, 1], activation="tanh", seed=0)
    wanted = model([0.5]).data
    for x in [0.5, Value(0.5), np.float32(0.5), Fraction(1, 2)]:
        assert model(x).data == wanted


def test_gradients_reach_inputs_that_are_values():
    x = [Value(0.5), Value(-3.0)]
    neuron = Neuron(2, nonlin=False, seed=0)
    neuron(x).backward()
    assert [v.grad for v in x] == numbers(neuron.w)


def test_plain_inputs_are_constants():
    out = Neuron(2, nonlin=False)([0.5, -3.0])
    leaves = [n for n in topological_order(out) if not n.parents and not n.is_constant]
    assert len(leaves) == 3


@pytest.mark.parametrize("x", [math.nan, math.inf])
def test_nan_and_inf_are_not_hidden(x):
    out = MLP(2, [3, 1], seed=0)([x, 1.0]).data
    assert not math.isfinite(out)


def test_without_recording_the_numbers_are_the_same():
    model = MLP(2, [3, 2], activation="tanh", seed=0)
    with no_grad():
        outs = model([0.5, -3.0])
    assert [out.parents for out in outs] == [(), ()]
    assert numbers(outs) == numbers(model([0.5, -3.0]))


# ---- gradients


def each_slope(model, loss, change):
    """Return the derivative by each parameter, by central differences of step `change`."""
    slopes = []
    for p in model.parameters():
        at = p.data
        sides = []
        for p.data in (at + change, at - change):
            with no_grad():
                sides.append(loss().data)
        p.data = at
        slopes.append((sides[0] - sides[1]) / (2 * change))
    return slopes


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - {"relu", "leaky_relu", "elu"}))
def test_gradients_are_central_differences(name):
    draw = random.Random(1)
    model = set_to(MLP(2, [4, 3, 2], activation=name), lambda: draw.uniform(-1, 1))

    def loss():
        return microgrid.sum([microgrid.sin(out) for out in model([0.5, -0.75])])

    loss().backward()
    slopes = each_slope(model, loss, 1e-5)
    assert [p.grad for p in model.parameters()] == pytest.approx(slopes, **CENTRAL)
    assert any(slopes)


@pytest.mark.parametrize("sizes", [[1], [5, 1], [4, 3, 1], [3, 1, 3, 1]], ids=str)
def test_gradients_of_a_relu_network_are_exact(sizes):
    """By one weight at a time it is piecewise linear: in Fractions, a difference has no error."""
    draw = random.Random(2)
    model = set_to(MLP(2, sizes), lambda: Fraction(draw.randint(-99, 99), 64))
    model.zero_grad()  # to the 0 of Fractions
    x = [Fraction(1, 3), Fraction(-5, 7)]
    model(x).backward()
    far_from_a_kink = Fraction(1, 10**9)
    slopes = each_slope(model, lambda: model(x), far_from_a_kink)
    assert [p.grad for p in model.parameters()] == slopes
    assert any(slopes)


def test_zero_grad_clears_every_parameter():
    model = MLP(2, [3, 1], seed=0)
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * 13


def test_gradients_add_up_until_they_are_cleared():
    model = MLP(2, [3, 1], activation="tanh", seed=0)
    model([1.0, 2.0]).backward()
    once = [p.grad for p in model.parameters()]
    model([1.0, 2.0]).backward()
    assert [p.grad for p in model.parameters()] == [2 * g for g in once]


# ---- activations


def test_the_usual_activations_have_names():
    usual = {"linear", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus"}
    assert usual <= {*ACTIVATIONS}


class Slope(Module):
    """An activation with a parameter of its own."""

    def __init__(self):
        self.slope = Value(0.25)

    def __call__(self, x):
        return microgrid.where(x > 0, x, self.slope * x)


@pytest.mark.parametrize(
    "activation",
    [microgrid.sin, microgrid.gelu, lambda x: x * x, Slope(), abs],
    ids=["Primitive", "function", "lambda", "Module", "builtin"],
)
def test_an_activation_is_any_function_of_one_number(activation):
    neuron = Neuron(2, activation=activation, seed=3)
    total = Neuron(2, nonlin=False, seed=3)([0.5, -3.0]).data
    out = activation(Value(total))
    assert neuron([0.5, -3.0]).data == out.data
    neuron([0.5, -3.0]).backward()


def test_an_activation_with_parameters_is_trained_too():
    slope = Slope()
    model = MLP(2, [3, 1], activation=slope, seed=0)
    assert len(model.parameters()) == 13 + 1
    assert dict(model.named_parameters())["layers.0.neurons.0.activation.slope"] is slope.slope


@pytest.mark.parametrize("make", [Neuron, lambda n, **options: MLP(n, [n, n], **options)])
@pytest.mark.parametrize("activation", ["rleu", "", "ReLU", None, 1.0], ids=repr)
def test_an_unknown_activation_is_refused(make, activation):
    with pytest.raises(ValueError, match="`activation` must be a function or one of linear, "):
        make(2, activation=activation)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLP(2, [1], activation="rleu"),
        lambda: Layer(2, 1, nonlin=False, activation="rleu"),
        lambda: Neuron(2, nonlin=False, activation="rleu"),
    ],
    ids=["MLP", "Layer", "Neuron"],
)
def test_an_unknown_activation_is_refused_even_where_none_is_used(make):
    with pytest.raises(ValueError, match=r"`activation` must be .*got 'rleu'"):
        make()


# ---- where weights come from


def variance(xs):
    return math.fsum(x * x for x in xs) / len(xs)


def weights(init, nin=60, nout=50):
    return [w.data for neuron in Layer(nin, nout, init=init, seed=0).neurons for w in neuron.w]


@pytest.mark.parametrize(
    ("init", "wanted"),
    [("uniform", 1 / 3), ("xavier", 2 / (60 + 50)), ("he", 2 / 60)],
)
def test_weights_have_the_variance_and_the_bounds_they_claim(init, wanted):
    drawn = weights(init)
    assert variance(drawn) == pytest.approx(wanted, rel=VARIANCE)
    bound = math.sqrt(3 * wanted)  # of a uniform distribution
    assert 0.99 * bound < max(map(abs, drawn)) <= bound
    five_errors = 5 * math.sqrt(wanted / len(drawn))
    assert abs(math.fsum(drawn) / len(drawn)) < five_errors


def test_a_neuron_alone_has_one_output():
    drawn = [w.data for w in Neuron(3000, init="xavier", seed=0).w]
    assert variance(drawn) == pytest.approx(2 / 3001, rel=VARIANCE)


def test_each_layer_of_an_mlp_has_its_own_variance():
    model = MLP(60, [50, 60], init="xavier", seed=0)
    for layer, wanted in zip(model.layers, [2 / 110, 2 / 110], strict=True):
        drawn = [w.data for neuron in layer.neurons for w in neuron.w]
        assert variance(drawn) == pytest.approx(wanted, rel=VARIANCE)
    wide = MLP(2, [60, 50], init="he", seed=0).layers[1]
    assert variance([w.data for n in wide.neurons for w in n.w]) == pytest.approx(
        2 / 60, rel=VARIANCE
    )


@pytest.mark.parametrize("init", ["uniform", "xavier", "he"])
def test_a_bias_starts_at_nothing(init):
    model = MLP(2, [3, 1], init=init, seed=0)
    assert {neuron.b.data for layer in model.layers for neuron in layer.neurons} == {0.0}


def test_an_init_is_any_function_of_sizes_and_generator():
    seen = []

    def init(nin, nout, generator):
        seen.append((nin, nout, type(generator)))
        return 10 * nin + nout

    model = MLP(3, [2, 1], init=init)
    assert seen == [(3, 2, random.Random)] * 6 + [(2, 1, random.Random)] * 2
    assert [w.data for w in model.layers[0].neurons[1].w] == [32.0] * 3
    assert [w.data for w in model.layers[1].neurons[0].w] == [21.0] * 2


@pytest.mark.parametrize("init", ["zeros", "", None, 0.1], ids=repr)
@pytest.mark.parametrize("make", [Neuron, lambda n, **options: MLP(n, [1], **options)])
def test_an_unknown_init_is_refused(make, init):
    with pytest.raises(ValueError, match="`init` must be a function or one of uniform, "):
        make(2, init=init)


MAKERS = {
    "Neuron": lambda **options: Neuron(3, **options),
    "Layer": lambda **options: Layer(3, 2, **options),
    "MLP": lambda **options: MLP(3, [2, 2], **options),
}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_maker
def test_the_same_seed_gives_the_same_bits(make):
    one = make(seed=7).state_dict()
    assert one == make(seed=7).state_dict() == make(seed=random.Random(7)).state_dict()
    assert one == make(seed=np.int64(7)).state_dict()


@each_maker
def test_another_seed_gives_other_weights(make):
    assert make(seed=7).state_dict() != make(seed=8).state_dict()


@each_maker
def test_without_a_seed_the_weights_are_others_each_time(make):
    random.seed(0)
    one = make().state_dict()
    random.seed(0)
    assert one != make().state_dict()


@each_maker
def test_a_generator_goes_on_where_it_was(make):
    generator = random.Random(7)
    assert make(seed=generator).state_dict() != make(seed=generator).state_dict()


@each_maker
def test_the_global_generators_are_never_touched(make):
    before, numpys = random.getstate(), np.random.get_state()[1].tolist()
    make()
    make(seed=1)
    assert random.getstate() == before
    assert np.random.get_state()[1].tolist() == numpys


def test_no_two_weights_of_a_model_are_equal():
    drawn = [p.data for p in MLP(4, [8, 8, 3], seed=0).parameters() if p.data]
    assert len(set(drawn)) == len(drawn) == 4 * 8 + 8 * 8 + 8 * 3


@each_maker
@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), ("0", TypeError), (0.5, TypeError)])
def test_a_wrong_seed_is_refused(make, seed, error):
    with pytest.raises(error, match="`seed` must be an integer"):
        make(seed=seed)


# ---- what a parameter is


class Of(Module):
    """A module of what it is given."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def paths(module):
    return [path for path, _ in module.named_parameters()]


def test_the_paths_of_an_mlp():
    assert paths(MLP(2, [1, 2]))[:4] == [
        "layers.0.neurons.0.w.0",
        "layers.0.neurons.0.w.1",
        "layers.0.neurons.0.b",
        "layers.1.neurons.0.w.0",
    ]


def test_parameters_are_the_named_ones_in_their_order():
    model = MLP(2, [3, 1])
    assert same(model.parameters(), [p for _, p in model.named_parameters()])


def test_parameters_are_found_in_lists_tuples_dicts_and_modules():
    a, b, c, d, e, f = map(Value, range(6))
    module = Of(
        a=a,
        rest=[b, (c, {"d": d})],
        inner=Of(deep={"x": [Of(e=e)]}),
        named={"f": f, 7: [Value(6.0)]},
    )
    assert paths(module) == [
        *["a", "rest.0", "rest.1.0", "rest.1.1.d", "inner.deep.x.0.e", "named.f", "named.7.0"]
    ]
    assert module.parameters()[:6] == [a, b, c, d, e, f]


def test_only_leaves_are_parameters():
    x = Value(2.0)
    module = Of(x=x, twice=x * 2, constant=x.detach(), number=3.0, name="x", nothing=None, f=abs)
    assert same(module.parameters(), [x])


def test_a_shared_parameter_is_one_at_its_first_path():
    w = Value(1.0)
    module = Of(first=w, again=w, rest=[w, Of(w=w)])
    assert dict(module.named_parameters()) == {"first": w}


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=4))
@usual(60)
def test_parameters_in_lists_are_found_once_each_where_they_stand_first(lists):
    """Whatever else is in a list: a number below 3 is a constant, which is no parameter."""
    values = [Value(float(i)) if i > 2 else Value(float(i)).detach() for i in range(10)]
    first = {}
    for place, numbers in enumerate(lists):
        for i, k in enumerate(numbers):
            if k > 2:
                first.setdefault(k, f"lists.{place}.{i}")
    module = Of(lists=[[values[k] for k in numbers] for numbers in lists])
    assert [(path, p.data) for path, p in module.named_parameters()] == [
        (path, k) for k, path in first.items()
    ]
    assert same(module.parameters(), [values[k] for k in first])


def test_a_shared_module_or_list_is_walked_once():
    inner, row = Of(w=Value(1.0)), [Value(2.0)]
    assert paths(Of(a=inner, b=inner, c=row, d=[row])) == ["a.w", "c.0"]


def test_tied_weights_are_stepped_once():
    model = MLP(2, [2, 2], seed=0)
    model.layers[1] = model.layers[0]
    assert len(model.parameters()) == 6
    w = model.layers[0].neurons[0].w[0]
    w.grad, before = 1.0, w.data
    SGD([*model.layers[0].parameters(), *model.layers[1].parameters()], lr=0.5).step()
    assert w.data == before - 0.5


def test_cycles_end():
    parent, child = Of(w=Value(1.0)), Of(w=Value(2.0))
    parent.child, child.parent = child, parent
    parent.own = [parent]
    parent.own.append(parent.own)
    parent.table = {"self": parent}
    assert paths(parent) == ["w", "child.w"]
    assert paths(child) == ["w", "parent.w"]


def test_modules_are_found_once_before_what_is_in_them():
    model = MLP(2, [2, 1], seed=0)
    model.again, model.extra = model.layers[1], {"table": [Neuron(1, seed=0)]}
    found = dict(model.named_modules())
    assert list(found) == [
        *("", "layers.0", "layers.0.neurons.0", "layers.0.neurons.1"),
        *("layers.1", "layers.1.neurons.0", "extra.table.0"),
    ]
    assert found[""] is model
    assert found["layers.0.neurons.1"] is model.layers[0].neurons[1]


def test_a_module_without_parameters_has_none():
    assert Of(x=1.0).parameters() == []
    assert Of().state_dict() == {}
    Of().zero_grad()


class InMicrogradsWay(Module):
    """A module as micrograd's users write them, with `parameters` of its own."""

    def __init__(self, n):
        self.rows = {Value(float(i)) for i in range(n)}  # in a set, which has no paths
        self.out = Neuron(2, nonlin=False, seed=0)

    def __call__(self, x):
        return self.out(x)

    def parameters(self):
        return [*self.rows, *self.out.parameters()]


def test_parameters_may_be_overridden_as_in_micrograd():
    module = InMicrogradsWay(4)
    for p in module.parameters():
        p.grad = 1.0
    module.zero_grad()
    assert [p.grad for p in module.parameters()] == [0.0] * 7
    optimizer = SGD(module.parameters(), lr=0.1)
    assert len(optimizer.parameters) == 7


# ---- saving and loading


@each_maker
def test_a_state_comes_back_from_json_to_the_bit(make):
    model, other = make(seed=1), make(seed=2)
    other.load_state_dict(json.loads(json.dumps(model.state_dict())))
    assert other.state_dict() == model.state_dict()
    assert list(other.state_dict()) == list(model.state_dict())


def test_a_state_is_a_copy():
    model = MLP(2, [1], seed=0)
    state = model.state_dict()
    before = dict(state)
    set_to(model, lambda: 5.0)
    assert state == before


def test_a_loaded_model_keeps_its_parameters():
    model = MLP(2, [2, 1], seed=1)
    parameters = model.parameters()
    model.load_state_dict(MLP(2, [2, 1], seed=2).state_dict())
    assert same(model.parameters(), parameters)


def test_a_state_may_have_another_order_and_other_kinds_of_numbers():
    model = MLP(1, [1], seed=0)
    model.load_state_dict({"layers.0.neurons.0.b": 2, "layers.0.neurons.0.w.0": np.float32(0.5)})
    assert numbers(model.parameters()) == [0.5, 2.0]
    assert {type(x) for x in numbers(model.parameters())} == {float}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("layers.0.neurons.0.b"), r"missing: layers.0.neurons.0.b;.*none$"),
        (lambda state: state.update(extra=1.0), "missing: none; unexpected: extra$"),
        (lambda state: state.clear(), "missing: .* and 10 more; unexpected: none$"),
        (lambda state: state.update({str(i): 0.0 for i in range(9)}), "0, 1, 2 and 6 more$"),
    ],
    ids=["missing", "unexpected", "empty", "many"],
)
def test_a_state_that_does_not_fit_is_refused_as_a_whole(change, message):
    model, state = MLP(2, [3, 1], seed=0), MLP(2, [3, 1], seed=1).state_dict()
    before = model.state_dict()
    change(state)
    with pytest.raises(ValueError, match=f"exactly the parameters of the MLP; .*{message}"):
        model.load_state_dict(state)
    assert model.state_dict() == before


@pytest.mark.parametrize("wrong", ["1.0", None, [1.0], 1j, Value(1.0)], ids=repr)
def test_a_state_of_something_else_than_numbers_is_refused_as_a_whole(wrong):
    model, state = MLP(2, [3, 1], seed=0), MLP(2, [3, 1], seed=1).state_dict()
    before = model.state_dict()
    state["layers.1.neurons.0.b"] = wrong  # the last one
    with pytest.raises(TypeError, match=r"layers\.1\.neurons\.0\.b must be a number, got"):
        model.load_state_dict(state)
    assert model.state_dict() == before


@pytest.mark.parametrize("state", [[1.0, 2.0], None, 1.0], ids=repr)
def test_a_state_that_is_no_mapping_is_refused(state):
    with pytest.raises(TypeError, match="state"):
        MLP(1, [1]).load_state_dict(state)


def test_two_parameters_of_one_path_are_not_saved_as_one():
    module = Of(rows={1: Value(1.0), "1": Value(2.0)})
    with pytest.raises(ValueError, match=r"rows\.1"):
        module.state_dict()


# ---- with other parameters


@given(st.lists(NUMBERS, min_size=13, max_size=13))
@usual(20)
def test_a_model_with_other_parameters_computes_as_one_that_has_them(new):
    model, other = MLP(2, [3, 1], seed=0), MLP(2, [3, 1], seed=1)
    for p, data in zip(other.parameters(), new, strict=True):
        p.data = data
    wanted = other([1.0, -2.0]).data
    by_path = dict(zip(model.state_dict(), new, strict=True))
    for parameters in (
        new,
        tuple(new),
        iter(new),
        np.array(new),
        by_path,
        dict(reversed(by_path.items())),
        [Value(x) for x in new],
        other.parameters(),
        other.state_dict(),
    ):
        assert model.with_parameters(parameters)([1.0, -2.0]).data == wanted


def test_the_model_that_gives_its_form_is_left_as_it_was():
    model = MLP(2, [3, 1], seed=0)
    before, parameters = model.state_dict(), model.parameters()
    copied = model.with_parameters([0.0] * 13)
    assert type(copied) is MLP
    assert repr(copied) == repr(model)
    assert model.state_dict() == before
    assert same(model.parameters(), parameters)
    assert copied.parameters() == []  # its parameters are numbers now


def test_values_are_used_as_they_are_and_get_the_gradient():
    model = MLP(1, [1], seed=0)
    w, x = Value(3.0), Value(1.0)
    copied = model.with_parameters([w, 2 * x])
    copied([5.0]).backward()
    assert copied.layers[0].neurons[0].w[0] is w
    assert (w.grad, x.grad) == (5, 2)
    assert [p.grad for p in model.parameters()] == [0, 0]


def test_a_model_with_the_parameters_of_itself_is_the_same_function():
    model = MLP(2, [3, 1], seed=0)
    model.with_parameters(model.parameters())([1.0, 2.0]).backward()
    by_copy = [p.grad for p in model.parameters()]
    model.zero_grad()
    model([1.0, 2.0]).backward()
    assert by_copy == [p.grad for p in model.parameters()]


def test_exact_parameters_stay_exact():
    model = Of(w=Value(2.0), b=[Value(1.0)]).with_parameters([Fraction(1, 3), 2])
    assert (model.w, model.b) == (Fraction(1, 3), [2.0])


def test_a_shared_parameter_is_shared_by_the_copy():
    tied = Value(1.0)
    copied = Of(a=tied, rest={"b": (tied, Value(2.0))}).with_parameters(
        new := [Value(3.0), Value(4.0)]
    )
    assert copied.a is copied.rest["b"][0] is new[0]
    assert copied.rest["b"][1] is new[1]
    layer = Layer(1, 1, seed=0)
    copied = Of(first=layer, second=layer).with_parameters([1.0, 2.0])
    assert copied.first is copied.second


def test_parameters_in_arrays_partials_and_methods_are_replaced():
    class Odd(Module):
        def __init__(self):
            self.w = Value(2.0)
            self.array = np.array([Value(3.0), Value(4.0)])
            self.part = functools.partial(operator.mul, self.w)
            self.method = self.times

        def times(self, x):
            return self.w * x

    odd = Odd().with_parameters([5.0, 6.0, 7.0])
    assert odd.array.tolist() == [6.0, 7.0]
    assert (odd.part(10.0), odd.method(10.0)) == (50.0, 50.0)


def test_what_is_no_parameter_is_copied():
    module = Of(w=Value(1.0), names=["a"], c=Value(2.0).detach(), function=microgrid.tanh)
    copied = module.with_parameters([3.0])
    copied.names.append("b")
    assert (module.names, copied.c.data, copied.c.is_constant) == (["a"], 2.0, True)
    assert copied.function is microgrid.tanh


def test_parameters_that_an_override_leaves_out_stay_the_same_leaves():
    class Frozen(Of):
        def parameters(self):
            return [self.w]

    frozen = Frozen(w=Value(1.0), fixed=Value(2.0))
    copied = frozen.with_parameters([5.0])
    assert (copied.w, copied.fixed) == (5.0, frozen.fixed)


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ([1.0], ValueError, r"this MLP takes 2 parameters, got 1"),
        ([1.0, 2.0, 3.0], ValueError, r"this MLP takes 2 parameters, got 3"),
        ([1.0, "a"], TypeError, r"a parameter must be a number or a Value, got 'a' \(str\)"),
        ([1.0, None], TypeError, r"a parameter must be a number or a Value, got None"),
        ({}, ValueError, r"missing: layers\.0\.neurons\.0\.b, layers\.0\.neurons\.0\.w\.0"),
        ({"x": 1.0}, ValueError, r"unexpected: x"),
        (3.0, TypeError, r"must be a list of numbers or a mapping from paths, got 3\.0"),
        ({1.0, 2.0}, TypeError, r"must be a list of numbers or a mapping from paths, got {"),
    ],
)
def test_parameters_that_do_not_fit_a_model_are_refused(parameters, kind, message):
    with pytest.raises(kind, match=message):
        MLP(1, [1], seed=0).with_parameters(parameters)


def test_two_parameters_of_one_path_cannot_be_given_by_path():
    module = Of(rows={1: Value(1.0), "1": Value(2.0)})
    assert module.with_parameters([3.0, 4.0]).rows == {1: 3.0, "1": 4.0}
    with pytest.raises(ValueError, match=r"rows\.1"):
        module.with_parameters({"rows.1": 3.0})


# ---- copies


def by_pickle(module):
    return pickle.loads(pickle.dumps(module))


each_copy = pytest.mark.parametrize("copied", [copy.deepcopy, by_pickle])


@each_copy
@pytest.mark.parametrize(
    "name", [*ACTIVATIONS, microgrid.sin, microgrid.gelu], ids=lambda a: getattr(a, "__name__", a)
)
def test_a_copy_computes_the_same_and_learns_on_its_own(copied, name):
    model = MLP(2, [3, 2], activation=name, seed=0)
    model([1.0, 2.0])[0].backward()
    before = model.state_dict()
    other = copied(model)
    assert numbers(other([0.5, -3.0])) == numbers(model([0.5, -3.0]))
    assert [p.grad for p in other.parameters()] == [p.grad for p in model.parameters()]
    assert set(other.parameters()).isdisjoint(model.parameters())
    assert repr(other) == repr(model)
    set_to(other, lambda: 0.0)
    assert model.state_dict() == before


@each_copy
def test_what_was_shared_is_shared_in_a_copy(copied):
    model = MLP(2, [2, 2], seed=0)
    model.layers[1] = model.layers[0]
    other = copied(model)
    assert other.layers[0] is other.layers[1]
    assert len(other.parameters()) == 6


def test_a_trained_model_goes_on_learning_in_another_process():
    model = set_to(MLP(2, [3, 1], activation="tanh", seed=0), lambda: 0.5)
    program = (
        "import pickle, sys; model = pickle.load(sys.stdin.buffer); out = model([1.0, 2.0]); "
        "out.backward(); print([p.grad for p in model.parameters()])"
    )
    there = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(model),
        capture_output=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(nn.__file__).parents[1])},
    )
    model([1.0, 2.0]).backward()
    assert there.stdout.decode().strip() == str([p.grad for p in model.parameters()])


def test_a_model_with_a_lambda_can_be_copied():
    model = MLP(2, [2, 1], activation=lambda x: x * x, seed=0)
    assert copy.deepcopy(model)([1.0, 2.0]).data == model([1.0, 2.0]).data


# ---- how it is shown


def double(x):
    return 2 * x


@pytest.mark.parametrize(
    ("module", "shown"),
    [
        (Neuron(2), "Neuron(2, activation='relu')"),
        (Neuron(2, nonlin=False), "Neuron(2, activation='linear')"),
        (Neuron(1, activation="tanh"), "Neuron(1, activation='tanh')"),
        (Neuron(1, activation=microgrid.sin), "Neuron(1, activation='sin')"),
        (Neuron(1, activation=double), "Neuron(1, activation='double')"),
        (Layer(3, 2, activation="gelu"), "Layer(3, 2, activation='gelu')"),
        (MLP(2, [16, 16, 1]), "MLP(2, [16, 16, 1], activation='relu')"),
        (MLP(4, (3,)), "MLP(4, [3], activation='linear')"),
    ],
    ids=repr,
)
def test_repr_names_sizes_and_activation(module, shown):
    assert repr(module) == shown


@pytest.mark.parametrize("make", [lambda: Neuron(2, "tanh"), lambda: Layer(2, 3, "tanh")])
def test_an_activation_in_the_place_of_nonlin_is_refused(make):
    with pytest.raises(TypeError, match="`nonlin` must be True or False, got 'tanh'"):
        make()


def test_parameters_in_an_array_are_found_and_in_a_set_refused():
    assert len(Of(w=np.array([Value(1.0), Value(2.0)])).parameters()) == 2
    with pytest.raises(TypeError, match="make w a list, got a set"):
        Of(w={Value(1.0)}).parameters()


@pytest.mark.parametrize("wrong", [None, [], 5, "ab", [1], [None]], ids=repr)
@pytest.mark.parametrize("name", ["layers", "neurons"])
def test_a_model_whose_parts_are_none_is_neither_called_nor_shown(name, wrong):
    model = MLP(2, [2, 1], seed=0)
    setattr(model if name == "layers" else model.layers[0], name, wrong)
    for use in (lambda: model([1.0, 2.0]), lambda: repr(model)):
        with pytest.raises(TypeError, match=f"`{name}` must be a list of at least one .*, got"):
            use()


@pytest.mark.parametrize("wrong", ["tanh", None, 5], ids=repr)
def test_an_activation_that_is_set_is_a_function(wrong):
    neuron = Neuron(1, seed=0)
    neuron.activation = wrong
    with pytest.raises(TypeError, match=f"a neuron's `activation` must be a .*, got {wrong!r}"):
        neuron([1.0])
    neuron.activation = lambda: 1.0
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        neuron([1.0])


# ---- a summary


class Pair(Module):
    """Two models and a scale, of which one model is used twice."""

    def __init__(self):
        self.scale = Value(2.0)
        self.first = self.again = MLP(3, [2, 1])
        self.others = {"<last>": Layer(1, 2), "one": Neuron(4)}


def test_a_summary_counts_the_parameters_of_each_module_once():
    head, *lines = [re.split(r"  +", line.strip()) for line in Pair().summary().splitlines()]
    assert head == ["path", "module", "parameters"]
    modules = {path: module for path, module in Pair().named_modules() if ".neurons" not in path}
    assert [line[0] for line in lines[1:]] == [path for path in modules if path]
    for line, module in zip(lines, modules.values(), strict=True):
        assert line[-1] == str(len(module.parameters()))
        assert line[-2] == ("Pair" if isinstance(module, Pair) else repr(module))
    assert Neuron(2).summary().count("\n") == 1


def test_a_notebook_shows_the_summary():
    shown = Pair()._repr_html_()
    assert html.unescape(shown) == f"<pre>{Pair().summary()}</pre>"
    assert "<last>" not in shown
