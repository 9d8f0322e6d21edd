"""What `draw` says of a graph beside its values: laws on the DOT text and on the SVG."""

import html
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid
from microgrid import (
    MLP,
    Layer,
    Neuron,
    Value,
    dot,
    draw,
    explain,
    formula,
    gradients,
    nn,
    topological_order,
)
from microgrid.compiler.program import Program
from microgrid.drawing.colours import LINE, ColourScale
from microgrid.drawing.graphs import digraph
from microgrid.drawing.graphs.modules import homes_of
from microgrid.drawing.graphs.plan import LONG
from microgrid.drawing.labels import number_text
from microgrid.drawing.names import all_names, models_of, names_of
from microgrid.drawing.stepper.moments import Moments
from tests.drawing.test_drawing import (
    HOSTILE,
    SVG,
    chain,
    ends,
    posix,
    pretend_engine,
    primitive,
    program,
    texts,
)
from tests.search import usual

graphs = st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=12).map(program)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Let a busy machine lay out what an idle one does at once."""
    monkeypatch.setattr(digraph, "PATIENCE", 600)
    monkeypatch.setattr(digraph, "MOST_SECONDS", 600)


class Drawn:
    """The DOT text of a graph, taken apart: attributes, edges and frames by id."""

    def __init__(self, graph):
        self.looks, self.edges, self.frame, self.titles = {}, {}, {}, {None: None}
        inside = [None]
        for line in map(str.strip, graph.body):
            head, _, rest = line.partition(" [")
            look = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|<.*?>(?= \w+=|\]$)|\w+)', rest))
            if line.startswith("subgraph"):
                inside.append(head.split()[1].removeprefix("cluster_"))
            elif line == "}":
                inside.pop()
            elif head == "graph":
                self.titles[inside[-1]] = words(look["label"]).split("  ")[0]
            elif " -> " in head:
                name = look.get("id", head).strip('"')
                self.edges[name], self.looks[name] = ends(head), look
            elif rest:
                self.looks[head], self.frame[head] = look, inside[-1]

    def of(self, kind):
        return {name for name, look in self.looks.items() if kind in classes(look)}

    def title(self, name):
        return self.titles[self.frame[name]]

    def label(self, name):
        return words(self.looks[name]["label"])


def classes(look):
    return look.get("class", "").strip('"').split()


def words(label):
    text = re.sub("<[^>]*>", " ", label[1:-1])  # without the quotes, or the brackets, around it
    return html.unescape(text).replace("\xa0", " ").strip()


def ids_of(*roots):
    return {value: f"n{place}" for place, value in enumerate(topological_order(*roots))}


def network(rows=1, sizes=(3, 1), **options):
    model = MLP(2, list(sizes), seed=1, **options)
    X = [[Value(1.0 + i, label=f"x{i}.0"), Value(-2.0, label=f"x{i}.1")] for i in range(rows)]
    loss = microgrid.mean([(model(row) - 1.0) ** 2 for row in X])
    loss.backward()
    return model, loss


# Ids


@pytest.mark.dot
@usual(8)
@given(graphs, st.booleans(), st.sampled_from([None, 4]))
def test_every_piece_has_an_id_and_classes_of_its_own_and_the_svg_has_the_same(root, expand, most):
    root.backward()
    graph = draw(root, expand_dot=expand, max_nodes=most)
    drawn = Drawn(graph)
    groups = [g for g in ET.fromstring(graph.pipe("svg")).iter(f"{SVG}g") if g.get("class")]
    found = {group.get("id"): set(group.get("class").split()) for group in groups}
    assert len(found) == len(groups)
    for name, look in drawn.looks.items():
        if " -> " not in name:  # the line to a stub
            assert set(classes(look)) <= found[name]


# Derivatives on edges


@given(graphs, st.sampled_from([0.0, 1.0, -2.0]))
def test_the_edge_of_an_operand_says_the_partial_by_it_and_what_it_brings_back(root, seed):
    root.backward(seed)
    drawn = Drawn(draw(root))
    for value, name in ids_of(root).items():
        for place, (parent, partial) in enumerate(
            zip(value.parents, value.partials(), strict=True)
        ):
            look = drawn.looks[f"{name}from{place}"]
            if parent.is_constant:
                assert "label" not in look
            else:
                assert drawn.label(f"{name}from{place}") == f"∂ {number_text(partial)}"
                share = f", brings back {value.grad * partial!r}" if seed else ""
                assert look["tooltip"].endswith(f' = {partial!r}{share}"')


@given(graphs)
def test_every_value_has_one_name_in_pictures_steps_paths_and_formulas(root):
    names = all_names(topological_order(root), root=root)
    drawn = Drawn(draw(root))
    for value, node in ids_of(root).items():
        if not value.is_constant:
            assert words(drawn.looks[node]["label"]).split()[0] == names[value]
            assert drawn.looks[node]["tooltip"].startswith(f'"{names[value]}: ')
    assert len({name for value, name in names.items() if not value.is_constant}) == sum(
        not value.is_constant for value in names
    )
    if any(not value.parents and not value.is_constant for value in names):
        shown = Moments(root).names
        assert shown == list(names.values())
    for value in (value for value in names if not value.is_constant):
        assert explain(root, value).names == names
        left = formula(root, by=value).name
        assert left == f"∂{names[root]}/∂{names[value]}"


def test_names_are_numbered_as_in_the_listing_of_a_program():
    x, y = Value(1.0, label="x"), Value(2.0, label="y")
    root = (x * y + 2.0).exp() * x
    listed = Program.from_values([root], [x, y]).names()
    found = all_names(topological_order(root))
    assert {"v1", "v2", "v3", "v4"} <= {*listed}
    assert [name for name in found.values() if name in listed] == [
        name for name in (*listed[:2], *listed[2:]) if name in found.values()
    ]


def test_values_of_one_label_are_told_apart_in_a_picture():
    first, second = Value(1.0, label="w"), Value(2.0, label="w")
    shown = Drawn(draw(first * second))
    assert [words(shown.looks[name]["label"]).split()[0] for name in ("n0", "n1", "n2")] == [
        *("w", "w_2", "L")
    ]
    assert explain(first * second, second).names[second] == "w_2"


def test_the_tooltip_of_a_derivative_has_the_names():
    x = Value(3.0, label="x")
    y = x * 2.0
    assert "∂y/∂x = 2.0" in draw(y, names={"y": y}).source
    assert "∂L/∂x = 2.0" in draw(y).source
    assert "∂v1/∂x1 = 2.0" in draw((Value(1.0) * 2.0).exp()).source


def test_a_derivative_that_is_none_or_cannot_be_computed_is_drawn_all_the_same():
    zero = Value(0.0, label="zero")

    def fail(out, x):
        raise KeyError("whatever")

    with primitive("failing", lambda x: x, fail) as failing:
        drawn = Drawn(draw(zero.sqrt(), failing(zero), microgrid.functional.stop_gradient(zero)))
    labels = [drawn.label(name) for name in sorted(drawn.of("operand"))]
    assert labels == ["∂ ?", "∂ ?", "∂ –"]
    assert "cannot be computed: the derivative of sqrt" in drawn.looks["n1from0"]["tooltip"]


def test_more_derivatives_than_can_be_laid_out_are_in_the_tooltips_alone():
    x = [Value(1.0) for _ in range(501)]
    graph = draw(dot(x, x), max_nodes=None)
    assert "local derivatives are in the edges' tooltips" in graph.source
    drawn = Drawn(graph)
    assert all("label" not in drawn.looks[name] for name in drawn.of("operand"))
    assert graph.source.count("∂L/∂x") == 1002


# Colours


@given(graphs)
def test_edges_are_dashed_below_0_and_thicker_the_more_they_bring_back(root):
    root.backward()
    drawn = Drawn(draw(root))
    shares = []
    for value, name in ids_of(root).items():
        for place, (parent, share) in enumerate(
            zip(value.parents, value.chain(value.grad), strict=True)
        ):
            look = drawn.looks[f"{name}from{place}"]
            if not parent.is_constant:
                assert (look.get("style") == '"dashed"') == (share < 0)
                shares.append((abs(share), float(look["penwidth"].strip('"'))))
    assert all(thin <= thick for (_, thin), (_, thick) in pairwise(sorted(shares)))


def test_without_gradients_there_are_no_colours():
    x = Value(2.0)
    drawn = Drawn(draw(x * x))
    assert all(
        "color" not in drawn.looks[name] for name in drawn.of("operand") | drawn.of("result")
    )
    assert "bgcolor" not in "".join(
        look["label"] for name, look in drawn.looks.items() if name in "n0n1"
    )


def test_any_gradient_has_a_colour_or_none():
    grads = [1.0, None, math.nan, math.inf, Fraction(-(10**9999)), 0]
    scale = ColourScale(grads)
    assert scale.largest == 1.0
    assert [scale.ground(grad) is None for grad in grads] == [
        False,
        True,
        True,
        False,
        False,
        True,
    ]
    assert [bool(scale.line(grad)) for grad in grads] == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]
    for grad in grads:
        leaf = Value(1.0)
        root = leaf * 2.0
        root.grad = leaf.grad = grad
        assert draw(root).values == 3


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.floats(1e-6, 1.0))
def test_numbers_are_legible_on_every_colour_and_signs_differ_in_grey(size):
    above, below = (luminance(ColourScale([1.0]).ground(sign * size)) for sign in (1, -1))
    assert above > below
    assert (below + 0.05) / 0.05 > 4.5  # black on it
    assert all(1.05 / (luminance(colour) + 0.05) > 3 for colour in LINE.values())  # it on white


# Names


def test_names_come_from_labels_then_variables_then_models():
    labelled, known, loose = Value(1.0, label="mine"), Value(2.0), Value(3.0)
    model = MLP(2, [4, 1], seed=0)
    weight = model.layers[0].neurons[3].w[1]
    values = [labelled, known, loose, weight]
    names = {"a": labelled, "b": known, "_": loose, "n": 3, "xs": [loose], "model": model}
    assert names_of(values, names) == {
        labelled: "mine", known: "b", weight: "layers.0.neurons.3.w.1"
    }  # fmt: skip
    assert names_of(values) == {labelled: "mine"}
    assert names_of(values, model)[weight] == "layers.0.neurons.3.w.1"
    assert names_of(values, {"weight": weight} | names)[weight] == "weight"


def test_the_parameters_of_several_models_have_their_names_in_front():
    one, other = MLP(1, [1], seed=0), MLP(1, [1], seed=0)
    assert (
        names_of(other.parameters(), locals())[other.layers[0].neurons[0].b]
        == "other.layers.0.neurons.0.b"
    )


@pytest.mark.parametrize("order", [1, -1])
def test_a_part_of_a_model_is_no_model_of_its_own(order):
    model = MLP(1, [1], seed=0)
    names = dict([("layer", model.layers[0]), ("model", model), ("again", model)][::order])
    assert models_of(names) == {"model" if order == 1 else "again": model}
    assert (
        names_of(model.parameters(), names)[model.layers[0].neurons[0].b] == "layers.0.neurons.0.b"
    )


def test_a_parameters_whole_path_is_shown():
    model, loss = network(sizes=(12, 1))
    assert "layers.0.neurons.11.w.1" in texts(draw(loss, names=model).pipe("svg"))[0]


def test_names_are_a_mapping_or_a_model():
    with pytest.raises(TypeError, match=r"`names` must be a mapping .* or a model, got \['a'\]"):
        draw(Value(1.0), names=["a"])


@pytest.mark.dot
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_modules_are_shown_and_nothing_else(text):
    class Hostile(nn.Module):
        def __init__(self):
            self.parts = {text: Neuron(1, seed=0)}

        def __repr__(self):
            return text

    model, other = Hostile(), Hostile()
    y = model.parts[text](2.0) + other.parts[text](1.0)
    for depth in (0, None):
        graph = draw(y, names={text: model, f"{text}2": other, f"y{text}": y}, depth=depth)
        assert {
            element.tag.removeprefix(SVG) for element in ET.fromstring(graph.pipe("svg")).iter()
        } <= {
            *("svg", "g", "title", "desc", "a", "text", "path", "polygon", "polyline", "ellipse"),
        }


# Modules


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", "leaky_relu", "gelu", "silu", lambda x: x * x]
)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_neuron_has_its_parameters_its_sums_and_its_activations_and_nothing_else(
    activation, rows
):
    model, loss = network(rows, activation=activation)
    names = {value: id for id, neuron in model.named_modules() for value in neuron.parameters()}
    drawn = Drawn(draw(loss, names=model, max_nodes=None))
    ids = ids_of(loss)
    for value, name in ids.items():
        if not value.parents:
            assert drawn.title(name) == names.get(value)
        elif value.op.name == "dot":
            assert drawn.title(name) == drawn.title(f"{name}op") == names[value.parents[0]]
    for value, name in ids.items():  # the loss is outside, and the output of each neuron inside
        users = [user for user in ids if value in {*user.parents}]
        if value.parents and any(user.op.name == "dot" for user in users):
            assert drawn.title(name).startswith("layers.0.neurons.")
    outputs = [
        value for value in ids if value.parents and drawn.title(ids[value]) == "layers.1.neurons.0"
    ]
    assert [value.op.name for value in outputs] == ["dot"] * rows
    assert drawn.frame[ids[loss]] is None


def test_the_activation_of_a_last_neuron_is_its_own_and_a_loss_is_not():
    for activation, inside in [("tanh", 5), ("silu", 6), ("linear", 4), (print, 4)]:
        neuron = Neuron(1, activation=activation if activation is not print else "linear", seed=0)
        x = Value(1.0)
        output = neuron(x)
        neuron.activation = print if activation is print else neuron.activation  # answers with None
        loss = (output - 1.0) ** 2
        homes = homes_of(topological_order(loss), {"": neuron})
        assert len(homes) == inside - 1
        assert not {x, loss, loss.parents[0]} & homes.keys()


class Residual(nn.Module):
    def __init__(self):
        self.first, self.second = Layer(2, 2, seed=0), Neuron(2, seed=0)

    def __call__(self, x):
        between = [a + b for a, b in zip(self.first(x), x, strict=True)]
        return self.second(between), between


def test_what_lies_between_modules_belongs_to_the_one_around_them():
    model = Residual()
    output, between = model([Value(1.0), Value(2.0)])
    homes = homes_of(topological_order(output), {"net": model})
    assert {homes[value].title for value in between} == {"net"}


def test_what_two_models_share_stays_with_the_first():
    shared = Layer(1, 1, seed=0)
    one, other = MLP(1, [1], seed=0), MLP(1, [1], seed=0)
    one.layers.append(shared)
    other.layers.append(shared)
    loss = one(Value(1.0)) + other(Value(2.0))
    homes = homes_of(topological_order(loss), {"one": one, "other": other})
    assert homes[shared.neurons[0].b].title == "one.layers.1.neurons.0"
    assert homes[other.layers[0].neurons[0].b].title == "other.layers.0.neurons.0"


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize(("depth", "boxes"), [(0, 1), (1, 2), (2, 4), (3, 0), (9, 0)])
def test_a_model_is_open_to_a_depth_and_a_box_says_what_is_inside(rows, depth, boxes):
    model, loss = network(rows)
    graph = draw(loss, names={"model": model}, depth=depth)
    drawn = Drawn(graph)
    closed = drawn.of("module")
    assert len(closed) == boxes
    said = [drawn.label(name) for name in closed]
    inside = sum(int(re.search(r"(\d+) values inside", words).group(1)) for words in said)
    parameters = sum(int(re.search(r"(\d+) parameter", words).group(1)) for words in said)
    assert parameters == (len(model.parameters()) if boxes else 0)
    results = {head for tail, head in drawn.edges.values() if tail in closed}
    assert len(drawn.of("value")) + inside - len(results) == len(topological_order(loss))


def test_the_edges_of_a_box_are_those_of_its_values_with_what_is_outside():
    model, loss = network()
    drawn = Drawn(draw(loss, names=model, depth=1))
    ids = ids_of(loss)
    x = [ids[value] for value in ids if (value.label or "").startswith("x")]
    first = {tail for tail, head in drawn.edges.values() if head == min(drawn.of("module"))}
    assert first == set(x)
    hidden = {head for tail, head in drawn.edges.values() if tail == min(drawn.of("module"))}
    assert {words(drawn.looks[name]["label"]).split()[0] for name in hidden} == {"v2", "v4", "v6"}
    assert len(hidden) == 3


def test_a_box_says_how_large_the_gradients_of_its_parameters_are():
    neuron = Neuron(1, seed=0)
    output = neuron(2.0)
    assert "grad" not in Drawn(draw(output, names=neuron, depth=0)).label("m0")
    output.backward()
    up_to = "every grad is 0" if not output.data else "|grad| up to 2"
    assert up_to in Drawn(draw(output, names=neuron, depth=0)).label("m0")


def test_a_model_opens_as_much_as_max_nodes_allows():
    model, loss = network()
    sizes = [len(Drawn(draw(loss, names=model, depth=depth)).of("value")) for depth in range(4)]
    for most in range(sizes[0], sizes[-1] + 1):
        drawn = Drawn(draw(loss, names=model, max_nodes=most))
        assert len(drawn.of("value")) == max(size for size in sizes if size <= most)
    assert not Drawn(draw(loss, names=model, max_nodes=sizes[-1])).of("module")
    assert draw(loss, names=model, max_nodes=sizes[0] - 1).left_out == 1


def test_a_module_that_does_not_print_itself_is_called_by_its_class():
    model = Residual()
    output, _ = model([1.0, 2.0])
    for depth in (0, None):
        source = draw(output, names=model, depth=depth).source
        assert "Residual" in source
        assert " object at 0x" not in source


def test_a_box_may_have_no_operands_and_many_results():
    neuron = Neuron(30, seed=0)
    penalty = microgrid.sum([weight * weight for weight in neuron.w])
    drawn = Drawn(draw(penalty, *neuron.w, names=neuron, depth=0, max_nodes=20))
    assert "60 values inside" in drawn.label("m0")
    assert "m0from0" not in drawn.edges


def test_the_edges_of_boxes_do_not_count_as_derivatives():
    layer = Layer(40, 40, seed=0)
    outputs = layer([Value(1.0) for _ in range(40)])
    assert "so many local derivatives" in draw(*outputs, max_nodes=None).source
    assert "so many local derivatives" not in draw(*outputs, names=layer, depth=0).source


def test_depth_is_checked():
    neuron = Neuron(1, seed=0)
    y = neuron(1.0)
    for wrong in (-1, 1.5, "1"):
        must = "`depth` must be an integer, at least 0, or None, got"
        with pytest.raises((TypeError, ValueError), match=must):
            draw(y, names=neuron, depth=wrong)
    with pytest.raises(ValueError, match=r"depth .* needs one: draw\(…, names=model\)"):
        draw(y, names={"y": y}, depth=1)


# A dot that is spelled out


@given(st.integers(1, 4), st.booleans())
def test_a_dot_is_spelled_out_as_products_and_their_sum(count, has_start):
    x, y = [Value(1.0 + i) for i in range(count)], [Value(-0.5 * i) for i in range(count)]
    total = dot(x, y, Value(1.0) * 3.0 if has_start else None)
    root = total.tanh()
    root.backward()
    drawn = Drawn(draw(root, expand_dot=True))
    ids = ids_of(root)
    products = [f"{ids[total]}p{i}" for i in range(count)]
    for a, b, product in zip(x, y, products, strict=True):
        assert drawn.edges[f"{product}from0"] == (ids[a], f"{product}op")
        assert drawn.edges[f"{product}from1"] == (ids[b], f"{product}op")
        assert drawn.label(product).split() == [
            "data", number_text(a.data * b.data), "grad", number_text(total.grad)
        ]  # fmt: skip
    into = [
        drawn.edges[name][0]
        for name in sorted(drawn.of("operand"))
        if drawn.edges[name][1] == f"{ids[total]}op"
    ]
    assert into[:count] == products
    assert len(into) == count + has_start
    assert drawn.label(f"{ids[total]}op") == "sum"
    assert len(drawn.of("value")) == len(ids) + count


def test_the_products_of_a_neuron_are_inside_of_it():
    neuron = Neuron(2, seed=0)
    drawn = Drawn(draw(neuron([1.0, 2.0]), names={"neuron": neuron}, expand_dot=True))
    products = {name for name in drawn.of("value") if "p" in name}
    assert len(products) == 2
    assert {drawn.title(name) for name in products} == {"neuron"}


# What is highlighted


def chosen(graph):
    return Drawn(graph).of("chosen")


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_is_highlighted_with_the_edges_along_it_in_either_direction(order):
    x = Value(2.0)
    y = x * x
    z = y + x
    assert chosen(draw(z, highlight=[x, y, z][::order])) == {
        *("n0", "n1", "n2", "n1op", "n2op", "n1out", "n2out", "n1from0", "n1from1", "n2from0")
    }
    assert chosen(draw(z, highlight=[x, z][::order])) == {"n0", "n2", "n2op", "n2out", "n2from1"}
    assert chosen(draw(z, highlight=iter([y]))) == {"n1"}
    assert chosen(draw(z)) == set()


def test_a_path_is_highlighted_through_a_spelled_out_dot_and_through_boxes():
    neuron = Neuron(2, activation="tanh", seed=0)
    x = Value(1.0)
    output = neuron([x, 2.0])
    total, weight = output.parents[0], neuron.w[1]
    ids = ids_of(output)
    graph = draw(output, expand_dot=True, highlight=[weight, total])
    n = ids[total]
    assert chosen(graph) == {
        ids[weight], n, f"{n}op", f"{n}out", f"{n}from1",
        f"{n}p1", f"{n}p1op", f"{n}p1out", f"{n}p1from0",
    }  # fmt: skip
    loss = output * 3.0
    path = [x, total, output, loss]
    closed = chosen(draw(loss, names=neuron, depth=0, highlight=path))
    ids = ids_of(loss)
    assert closed == {ids[x], "m0", "m0from0", ids[output], f"{ids[output]}out"} | {
        ids[loss], f"{ids[loss]}op", f"{ids[loss]}out", f"{ids[loss]}from0"
    }  # fmt: skip


def test_what_to_highlight_is_checked():
    x = Value(1.0)
    for wrong in (x, 3):
        with pytest.raises(TypeError, match="highlight needs a list of Values, got"):
            draw(x, highlight=wrong)
    with pytest.raises(TypeError, match=r"list of Values, got 2\.0 \(float\) in it"):
        draw(x, highlight=[2.0])
    with pytest.raises(ValueError, match=r"must be in the graph, got Value\(data=5\.0"):
        draw(x, highlight=[Value(5.0)])


# The part of a large graph


@given(graphs, st.integers(1, 8), st.booleans())
def test_the_part_that_fits_is_drawn_and_stubs_count_what_goes_on(root, most, expand):
    whole = Drawn(draw(root, expand_dot=expand, max_nodes=None))
    graph = draw(root, expand_dot=expand, max_nodes=most)
    part = Drawn(graph)
    values, all_values = part.of("value"), whole.of("value")
    assert values <= all_values
    assert len(values) == min(most, len(all_values))
    assert "root" in classes(part.looks[f"n{len(topological_order(root)) - 1}"])
    assert graph.left_out == len(all_values) - len(values)
    assert (f"{graph.left_out:,} more values are left out" in graph.source) == bool(graph.left_out)
    more = {
        name: int(part.label(name).split()[1]) for name in part.of("more") if name in part.frame
    }
    operands, uses = (
        Counter(edge[i] for name, edge in whole.edges.items() if name in whole.of("operand"))
        for i in (1, 0)
    )
    for operation in part.of("operation"):
        shown = sum(part.edges[name][1] == operation for name in part.of("operand"))
        assert shown + more.get(f"{operation}more", 0) == operands[operation]
    for value in values:
        shown = sum(part.edges[name][0] == value for name in part.of("operand"))
        assert shown + more.get(f"{value}uses", 0) == uses[value]


def test_what_is_nearest_to_the_roots_is_drawn_and_what_is_highlighted():
    root = chain(1000)
    start = topological_order(root)[0]
    drawn = Drawn(draw(root, highlight=[start]))
    assert drawn.of("value") == {"n0", *(f"n{place}" for place in range(501, 1000))}


def test_of_a_batch_some_rows_are_drawn_down_to_the_inputs():
    X = [Value(float(i), label=f"x{i}") for i in range(1000)]
    loss = microgrid.mean([x.cos().sin().tanh() for x in X])
    drawn = Drawn(draw(loss, max_nodes=50))
    assert len(drawn.of("leaf")) >= 8
    assert len(drawn.of("value")) == 50


@pytest.mark.dot
@pytest.mark.parametrize("nodes", [501, pytest.param(50_000, marks=pytest.mark.slow)])
def test_a_picture_of_a_graph_over_the_limit_says_how_many_values_are_left_out(nodes):
    shown, _ = texts(draw(chain(nodes)).pipe("svg"))
    left_out = f"{nodes - 500:,} more values are left out, where dotted lines lead"
    assert f"{left_out}: draw(…, max_nodes=None) draws all" in shown
    assert "… 1 more" in shown


@pytest.mark.parametrize("wrong", [0, -5, 2.5, "all"])
def test_max_nodes_is_checked(wrong):
    must = "`max_nodes` must be an integer, at least 1, or None, got"
    with pytest.raises((TypeError, ValueError), match=must):
        draw(Value(1.0), max_nodes=wrong)


# Gradients of gradients


@pytest.mark.dot
def test_the_graph_of_a_gradient_is_drawn_with_the_names_of_its_inputs():
    x, y = Value(0.5), Value(-1.2)
    dx, dy = gradients((x * y).tanh(), [x, y])
    shown, _ = texts(draw(dx, dy, names=locals(), rankdir="TB").pipe("svg"))
    assert {"x", "y", "dx", "dy"} <= set(shown)
    model, loss = network()
    second = draw(
        *gradients(gradients(loss, model.layers[0].neurons[0].w[0]), model.parameters()),
        names=model,
    )
    assert "layers.1.neurons.0.w.0" in second.source


# Order


def places_of(graph):
    """Return where the middle of each node is, as (the way of the arrows, across it)."""
    rows = map(str.split, graph.pipe("plain", encoding="utf-8").splitlines())
    points = {row[1]: (float(row[2]), -float(row[3])) for row in rows if row[0] == "node"}
    sideways = graph.graph_attr["rankdir"] in ("LR", "RL")
    return {name: (x, y) if sideways else (y, x) for name, (x, y) in points.items()}


def lecture():
    x1, w1, x2, w2, b = (Value(1.0, label=name) for name in ("x1", "w1", "x2", "w2", "b"))
    return (x1 * w1 + x2 * w2 + b).tanh(), None


def tree():
    values = [Value(1.0, label=name) for name in "abcdefgh"]
    while len(values) > 1:
        values = [x * y for x, y in zip(values[::2], values[1::2], strict=True)]
    return values[0], None


def hidden(*sizes, framed=True):
    model = MLP(2, [*sizes], seed=1)
    output = model([Value(1.0, label="x.0"), Value(2.0, label="x.1")])
    return (output[0] if isinstance(output, list) else output), model if framed else None


ORDERED = {
    "lecture": lecture,
    "tree": tree,
    "neuron": lambda: hidden(1),
    "framed": lambda: hidden(4, 1),
    "frameless": lambda: hidden(4, 1, framed=False),
    "deep": lambda: hidden(3, 3, 1),
    "wide": lambda: hidden(8, 1),
}


@pytest.mark.dot
@pytest.mark.parametrize("rankdir", ["LR", "TB", "BT", "RL"])
@pytest.mark.parametrize("build", ORDERED.values(), ids=ORDERED)
def test_operands_and_neurons_stand_in_their_order(build, rankdir):
    """Of each operation the leaves of its own, in one frame; of each layer the neurons."""
    root, model = build()
    order = topological_order(root)
    ids, homes = ids_of(root), homes_of(order, models_of(model))
    places = places_of(draw(root, names=model, rankdir=rankdir))
    uses = Counter(parent for value in order for parent in value.parents)
    layers = {}
    for value in order:
        own = [parent for parent in value.parents if uses[parent] == 1 and not parent.parents]
        for frame in {homes.get(parent) for parent in own}:
            across = [places[ids[parent]][1] for parent in own if homes.get(parent) is frame]
            assert across == sorted(across)
        if value.op and value.op.name == "dot":
            along, across = places[f"{ids[value]}op"]
            layers.setdefault(round(along, 1), []).append(across)
    assert all(layer == sorted(layer) for layer in layers.values())


@pytest.mark.dot
@pytest.mark.parametrize("sizes", [(5, 1), (5, 5, 1), (3, 5, 2), (2, 3, 4, 1)], ids=str)
@pytest.mark.parametrize("rankdir", ["LR", "TB"])
@pytest.mark.parametrize("after", [lambda x: x, lambda x: (x - 1.0) ** 2], ids=["score", "loss"])
def test_the_boxes_of_a_layer_stand_in_the_order_of_its_neurons(sizes, after, rankdir):
    model = MLP(2, sizes, seed=1)
    outputs = model([Value(1.0, label="x.0"), Value(2.0, label="x.1")])
    roots = [after(y) for y in (outputs if isinstance(outputs, list) else [outputs])]
    graph = draw(*roots, names=model, depth=2, rankdir=rankdir, max_nodes=None)
    places, layers = places_of(graph), {}
    for name in sorted(Drawn(graph).of("module"), key=lambda name: int(name[1:])):
        along, across = places[name]
        layers.setdefault(round(along, 1), []).append(across)
    assert sorted(map(len, layers.values())) == sorted(sizes)
    assert all(layer == sorted(layer) for layer in layers.values())


# What is far away


def reused(times):
    x = Value(0.5, label="x")
    y = x
    for _ in range(times):
        y = (y * 0.9 + x).tanh()
    return y


def recurrent(times, width=3):
    """Return the sum of a recurrent network's last state, and its tied weights."""
    weights = [[Value(0.1, label=f"w{i}{j}") for j in range(width)] for i in range(width)]
    state = [Value(0.0, label=f"h{i}") for i in range(width)]
    for _ in range(times):
        state = [dot(row, state).tanh() for row in weights]
    return microgrid.sum(state)


@pytest.mark.parametrize("root", [reused(100), recurrent(20)], ids=["chain", "recurrence"])
def test_an_operand_from_far_away_stands_beside_its_operation_again(root):
    graph = draw(root, max_nodes=None)
    drawn, ids = Drawn(graph), ids_of(root)
    ranks = {}
    passed = 0
    for value, name in ids.items():
        steps = [drawn.edges[f"{name}from{place}"][0] for place in range(len(value.parents))]
        for parent, tail in zip(value.parents, steps, strict=True):
            if tail != ids[parent]:
                assert tail in drawn.of("again")
                assert drawn.label(tail) == (parent.label or number_text(parent.data))
        ranks[name] = 1 + max((ranks[ids[parent]] for parent in value.parents), default=-1)
        long = [ranks[name] - ranks[tail] for tail in steps if ranks.get(tail)]
        passed += sum(long) - len(long)
    assert drawn.of("again")
    assert passed <= LONG
    assert "operands from far away stand beside their operation again, dashed" in graph.source
    assert len(drawn.of("value")) == len(ids)


def test_where_no_line_is_long_every_value_is_drawn_once():
    assert not Drawn(draw(reused(10))).of("again")
    _, loss = network(rows=20)
    assert not Drawn(draw(loss, max_nodes=None)).of("again")


@pytest.mark.dot
@pytest.mark.parametrize("root", [reused(1250), recurrent(555)], ids=["chain", "recurrence"])
def test_a_leaf_that_is_used_all_along_a_large_graph_is_drawn(root):
    shown, _ = texts(draw(root).pipe("svg"))
    assert any("more values are left out" in text for text in shown)


def slow_engine(folder, monkeypatch, slow):
    """Install an engine that takes for ever where the source has what a pattern finds."""
    script = (
        "import re, time\n"
        "source = sys.stdin.buffer.read().decode()\n"
        f"if re.search({slow!r}, source): time.sleep(60)\n"
        "print(source)"
    )
    pretend_engine(folder, "dot", script)
    monkeypatch.setattr(digraph, "PATIENCE", 1.5)


@posix
def test_a_layout_that_takes_long_has_no_numbers_on_edges_and_says_so(no_engine, monkeypatch):
    slow_engine(no_engine, monkeypatch, "∂ 1<")
    graph = draw(chain(60) + 1.0)
    graph.node("mine")
    assert "∂ 1<" in graph.source
    shown = graph.pipe(encoding="utf-8")
    assert "∂ 1<" not in shown
    assert "so many local derivatives are in the edges' tooltips alone" in shown
    assert "mine" in shown
    assert "n59 [" in shown


@pytest.mark.slow
@posix
def test_a_layout_that_still_takes_long_is_of_fewer_values_and_says_so(no_engine, monkeypatch):
    slow_engine(no_engine, monkeypatch, "n0 ")
    shown = draw(chain(600), max_nodes=None).pipe(encoding="utf-8")
    left_out = "540 more values are left out, where dotted lines lead"
    assert f"{left_out}: the layout of all takes too long" in shown
    assert "n599 [" in shown


@posix
def test_a_small_graph_has_all_the_time_that_it_needs(no_engine, monkeypatch):
    slow_engine(no_engine, monkeypatch, "n0 ")
    monkeypatch.setattr(digraph, "MOST_SECONDS", 0.6)
    with pytest.raises(RuntimeError, match=r"dot could .* takes more than 0\.6 seconds; draw a"):
        draw(Value(1.0)).pipe()
