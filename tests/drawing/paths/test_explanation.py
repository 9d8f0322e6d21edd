"""The laws of an explanation: its paths are the graph's, in order, and add up to the gradient.

The paths of small graphs are held against all that there are, walked one by one.
"""

import html
import math
import re
import unicodedata
import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import microgrid
from microgrid import (
    MLP,
    Primitive,
    Value,
    datasets,
    dot,
    explain,
    gradients,
    losses,
    no_grad,
    relu,
    sqrt,
    topological_order,
    where,
)
from microgrid.derivatives.paths import Path
from microgrid.drawing import Explanation
from microgrid.drawing.paths import explanation
from microgrid.testing.strategies import programs
from tests.nodes import same
from tests.search import usual

ALL = 10**6  # more paths than any graph here has that is explained whole
MANY = 2000  # more than are walked one by one
# Products of ten factors, of at most 100 each, and sums of a thousand of them.
ROUNDING = {"rel": 1e-12, "abs": 1e-9}


def every_path(output, input):
    """Return all paths, found by walking them: pairs of nodes and places, from the input on."""
    found, begun = [], [((output,), ())]
    while begun:
        nodes, places = begun.pop()
        if nodes[0] is input:
            found.append((nodes, places))
            assume(len(found) < MANY)
            continue
        partials = nodes[0].partials()
        begun += [
            ((parent, *nodes), (place, *places))
            for place, parent in enumerate(nodes[0].parents)
            if partials[place] is not None
        ]
        assume(len(begun) < MANY)
    return found


@st.composite
def questions(draw, **options):
    """Return an output and an input: a program's result, and any node that is no constant."""
    program = draw(programs(**options))
    output = program(*map(Value, program.point))
    nodes = [node for node in topological_order(output) if not node.is_constant]
    return output, draw(st.sampled_from(nodes))


EXACT = questions(exact=True, smooth=False)  # at kinks as well: all partials are there


def doubling(x, times):
    """Return a value with 2**times paths to x, of which all are 1."""
    for _ in range(times):
        x = x + x
    return x


def sizes(paths):
    return [abs(path.gradient) for path in paths]


def columns(line):
    return len(line) + sum(unicodedata.east_asian_width(c) in "WF" for c in line)


# ---- the paths


@usual(50)
@given(questions() | EXACT)
def test_the_paths_are_all_that_there_are(question):
    found = explain(*question, most=ALL)
    listed = [(path.nodes, path.places) for path in found.paths]
    assert len(set(listed)) == len(listed)
    assert set(listed) == set(every_path(*question))
    assert found.rest.number == 0


@usual(50)
@given(questions() | EXACT)
def test_factors_are_the_partials_along_the_edges_and_multiply_to_the_gradient(question):
    output, input = question
    for path in explain(output, input).paths:
        assert (path.nodes[0], path.nodes[-1]) == (input, output)
        assert len(path.nodes) - 1 == len(path.factors) == len(path.places)
        product = type(output.data)(1)
        for i in reversed(range(len(path.factors))):
            node, place = path.nodes[i + 1], path.places[i]
            assert node.parents[place] is path.nodes[i]
            assert node.partials()[place] == path.factors[i]
            product *= path.factors[i]
        assert path.gradient == product


@usual(50)
@given(questions() | EXACT, st.integers(1, 12))
def test_the_largest_paths_are_listed_in_order(question, most):
    found = explain(*question, most=most)
    everything = sorted(sizes(explain(*question, most=ALL).paths), reverse=True)
    assert sizes(found.paths) == everything[:most]
    assert found.rest.number == len(everything) - len(found.paths)


@usual(30)
@given(
    st.lists(st.lists(st.fractions(-2, 2, max_denominator=3), min_size=1, max_size=5), max_size=4)
)
def test_the_largest_are_found_where_factors_above_and_below_1_meet(layers):
    x = y = Value(Fraction(1))
    for factors in layers:
        y = dot([y] * len(factors), factors)
    number = math.prod(map(len, layers))
    assume(number < MANY)
    products = [Fraction(1)]
    for factors in layers:
        products = [product * factor for product in products for factor in factors]
    for most in (1, 3, 10):
        found = explain(y, x, most=most)
        assert sizes(found.paths) == sorted(map(abs, products), reverse=True)[:most]
        assert found.rest.number == max(0, number - most)
        assert found.rest.gradient == sum(products) - sum(path.gradient for path in found.paths)


def test_x_times_x_has_two_paths_that_differ_by_the_operand():
    x = Value(3.0, label="x")
    first, second = explain(x * x, x).paths
    assert same(first.nodes, second.nodes)
    assert (first.places, second.places) == ((0,), (1,))
    assert (first.gradient, second.gradient) == (3.0, 3.0)


def test_ties_are_in_the_order_of_the_operands_and_always_the_same():
    x = Value(1.0)
    y = doubling(x, 5)
    first = [path.places for path in explain(y, x, most=32).paths]
    assert first == sorted(first, key=lambda places: places[::-1])
    assert [path.places for path in explain(y, x, most=32).paths] == first
    for most in (1, 2, 7):
        assert [path.places for path in explain(y, x, most=most).paths] == first[:most]
    z = microgrid.sum([x] * 10)
    assert [path.places for path in explain(z, x).paths] == [(place,) for place in range(10)]


def test_paths_of_0_come_last_and_nan_and_infinity_first():
    x = Value(-1.0)
    y = microgrid.sum([relu(x), 2 * x, x * math.inf, x * 0.5, x * math.nan])
    found = explain(y, x)
    assert list(map(str, sizes(found.paths))) == ["inf", "nan", "2.0", "0.5", "0.0"]
    assert math.isnan(found.gradient)
    assert "rounded" not in str(found)
    assert str(explain(y, x, most=4)).splitlines()[-1].split() == ["nan", "1", "other", "path"]


def test_beside_an_infinity_no_rest_is_made_up():
    x = Value(1.0)
    y = x * math.inf + x
    assert str(explain(y, x)).splitlines()[1:] == [
        "  inf  x1 → v1(*) → L(+)  = inf · 1",
        "    1  x1 → L(+)          = 1",
    ]
    assert math.isnan(explain(y, x, most=1).rest.gradient)
    y = doubling(x, 1025)
    assert explain(y, x, most=1).rest.gradient == explain(y, x).gradient == math.inf


@pytest.mark.parametrize("place", range(4))
def test_a_zero_beside_an_infinity_is_a_nan_and_not_hidden(place):
    x = Value(-1.0)
    for term in (relu(x * math.inf), relu(x) * math.inf):
        terms = [x * 5, x * 4, x * 6]
        terms.insert(place, term)
        found = explain(microgrid.sum(terms), x, most=2).paths
        assert math.isnan(found[0].gradient)
        assert found[1].gradient == 6.0


@pytest.mark.parametrize("factors", [2, 4000])
def test_products_beyond_the_range_of_floats_are_told_apart(factors):
    x = y = Value(1.0)
    for _ in range(factors):
        y = y * 1e-300
    found = explain(microgrid.sum([y * factor for factor in (2.0, 7.0, 5.0)]), x, most=1)
    assert (found.paths[0].gradient, found.rest.gradient) == (0.0, 0.0)
    assert 7.0 in found.paths[0].factors


def test_products_that_differ_by_less_than_a_float_does_are_told_apart():
    x = Value(Fraction(1))
    factors = [1 + Fraction(n, 10**30) for n in (1, 3, 2)]
    (path,) = explain(microgrid.sum([x * factor for factor in factors]), x, most=1).paths
    assert path.gradient == factors[1]


def test_the_order_is_that_of_the_rounded_products():
    x = y = Value(1.0)
    for factor in (0.9, 0.7, 1.3, 0.4, 0.2):
        y = y * factor
    between = 0.06552000000000001  # below the product of these as it is rounded, above the exact
    rounded, listed = sizes(explain(x * between + y, x).paths)
    assert rounded > listed == between


def test_a_partial_of_none_is_no_edge():
    x = Value(2.0)
    assert len(explain(where(x > 0, 3 * x, x), x).paths) == 1
    assert explain(where(x, 3.0, 4.0), x).paths == []
    y = where(False, x * x, x * x * x) + x
    assert explain(y, x).gradient == 13.0
    assert len(explain(y, x).paths) == 4


def test_an_inner_node_and_the_output_itself_may_be_the_input():
    x = Value(2.0)
    h = x * x
    y = h * h + x
    assert explain(y, h).gradient == 8.0
    assert len(explain(y, h).paths) == 2
    (path,) = explain(y, y).paths
    assert (path.nodes, path.factors, path.places, path.gradient) == ((y,), (), (), 1.0)


def test_a_path_has_a_short_repr():
    x = Value(2.0)
    assert repr(explain(x * 3.0, x).paths) == "[Path(2 nodes, gradient=3.0)]"


# ---- the sum


@usual(50)
@given(questions(), st.integers(1, 5))
def test_the_paths_and_the_rest_add_up_to_the_gradient(question, most):
    output, input = question
    expected = gradients(output, input).data
    for found in (explain(output, input, most=ALL), explain(output, input, most=most)):
        total = math.fsum([path.gradient for path in found.paths] + [found.rest.gradient])
        assert found.gradient == pytest.approx(expected, **ROUNDING)
        assert total == pytest.approx(found.gradient, **ROUNDING)
    assert sum(path.gradient for path in explain(output, input, most=ALL).paths) == pytest.approx(
        expected, **ROUNDING
    )


@usual(50)
@given(EXACT, st.integers(1, 5))
def test_of_fractions_they_add_up_exactly(question, most):
    output, input = question
    expected = gradients(output, input).data
    everything = explain(output, input, most=ALL)
    assert everything.gradient == expected
    assert sum(path.gradient for path in everything.paths) == expected
    assert everything.rest.gradient == 0
    some = explain(output, input, most=most)
    assert sum(path.gradient for path in some.paths) + some.rest.gradient == expected
    assert {type(x.gradient) for x in (some, some.rest, *some.paths)} == {Fraction}


@usual(50)
@given(programs())
def test_the_gradient_is_backwards_to_the_last_bit_and_grad_is_not_touched(program):
    leaves = [Value(x) for x in program.point]
    output = program(*leaves)
    found = [explain(output, leaf).gradient for leaf in leaves]
    assert [leaf.grad for leaf in leaves] == [0.0] * len(leaves)
    output.backward()
    assert [leaf.grad for leaf in leaves] == found


def test_what_the_reverse_pass_rounds_off_is_the_rest():
    x = Value(1.0)
    y = x * 1e20 - x * 1e20 + x
    found = explain(y, x)
    assert [path.gradient for path in found.paths] == [1e20, -1e20, 1.0]
    assert (found.gradient, found.rest.number, found.rest.gradient) == (0.0, 0, -1.0)
    assert str(found).splitlines()[-1].split() == ["-1", "rounded", "off", "by", "the", "sum"]
    assert "rounded" not in str(explain(x * 0.1 + x * 0.2, x))  # 0.30000000000000004, but shown 0.3


def test_a_graph_without_a_way_has_the_gradient_0_and_says_so():
    x, y = Value(1.0, label="x"), Value(Fraction(2), label="y")
    found = explain(y * y, x)
    assert (found.gradient, found.paths, found.rest.number) == (0, [], 0)
    assert type(found.gradient) is Fraction
    assert str(found) == "∂L/∂x = 0: L does not depend on x"
    assert "does not depend" in found._repr_html_()


# ---- graphs of any size


def test_paths_are_counted_where_they_cannot_be_walked():
    x = y = Value(0.01)
    for _ in range(60):
        y = y * y + y
    found = explain(y, x)
    assert found.rest.number + 10 == 3**60
    assert len(found.paths) == 10
    assert "the sum over ≈4.239e28 paths" in str(found)


def test_ties_of_exponentially_many_paths_are_no_trouble():
    x = Value(1.0)
    y = x
    for _ in range(200):
        y = (y * 0.7 + y * 0.3) * 1.1
    found = explain(y, x, most=300)
    largest = found.paths[0].gradient
    assert largest == pytest.approx((0.7 * 1.1) ** 200)
    # one factor of 0.3, at any of 200 places, and then two
    expected = [largest, *[largest * 3 / 7] * 200, *[largest * 9 / 49] * 99]
    assert sizes(found.paths) == pytest.approx(expected)


def test_a_number_of_paths_too_long_to_print_prints():
    x = Value(1e-9)
    found = explain(doubling(x, 20_000), x, most=1)
    assert found.rest.number == 2**20_000 - 1
    assert "≈3.98e6020 other paths" in str(found)
    assert repr(found.rest) == "Rest(≈3.98e6020 paths, gradient=inf)"


@pytest.mark.parametrize("length", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_chain_is_explained_without_recursion(length):
    x = y = Value(0.5, label="x")
    for _ in range(length):
        y = y.sin()
    found = explain(y, x)
    y.backward()
    assert found.gradient == found.paths[0].gradient == x.grad
    assert len(found.paths[0].nodes) == length + 1
    assert f"… {length - 7:,} more …" in str(found)


# ---- what is refused


def test_what_is_no_value_is_refused():
    x = Value(1.0)
    with pytest.raises(TypeError, match=r"needs a Value as its output, got 2\.0 \(float\)"):
        explain(2.0, x)
    with pytest.raises(TypeError, match=r"needs a Value as its input, got \[Value.*\(list\)"):
        explain(x, [x])
    with pytest.raises(TypeError, match="`names` must be a mapping"):
        explain(x, x, names=["x"])


def test_a_constant_is_refused():
    x = Value(1.0)
    with no_grad():
        constant = x * 2
    with pytest.raises(
        ValueError,
        match=r"a Value to differentiate with respect to, got the constant Value\(data=2",
    ):
        explain(x * constant, constant)


@pytest.mark.parametrize("most", [0, -1, 1.5, True, None])
def test_a_number_of_paths_that_is_none_is_refused(most):
    with pytest.raises((TypeError, ValueError), match=rf"`most` must be .* got {most}"):
        explain(Value(1.0), Value(1.0), most=most)


def test_a_stale_graph_is_refused_as_by_backward():
    x = Value(1.0, label="x")
    y = x * x
    x.data = 2.0
    with pytest.raises(RuntimeError) as refused:
        explain(y, x)
    with pytest.raises(RuntimeError, match=re.escape(str(refused.value))):
        y.backward()
    y.refresh()
    assert explain(y, x).gradient == 4.0


def test_a_partial_that_does_not_exist_is_named_and_only_if_it_is_needed():
    a, w = Value(0.0, label="a"), Value(1.0)
    y = sqrt(a) + w
    with pytest.raises(ZeroDivisionError, match=r"^the derivative of sqrt of a = 0\.0"):
        explain(y, a)
    assert explain(y, w).gradient == 1.0
    assert explain(sqrt(a), w).gradient == 0.0


def test_partials_that_are_no_numbers_are_refused_by_name():
    operation = Primitive("half a rule", lambda x: x, lambda out, x: ("1",))
    try:
        x = Value(1.0)
        with pytest.raises(TypeError, match="the partials of half a rule must be real numbers"):
            explain(operation(x), x)
    finally:
        del Primitive.registry["half a rule"]


def test_partials_may_be_of_any_type_that_is_a_real_number():
    types = [int, bool, Fraction, np.int64, np.float32, np.float64]
    for kind in types:
        name = f"one as {kind.__name__}"
        operation = Primitive(name, lambda x: x, lambda out, x, kind=kind: (kind(1),))
        try:
            x = Value(1.0)
            found = explain(operation(x) + 2 * operation(x), x, most=1)
            assert (found.gradient, found.paths[0].gradient, found.rest.gradient) == (3, 2, 1)
        finally:
            del Primitive.registry[name]


def test_a_function_that_is_compiled_cannot_ask():
    with pytest.raises(TypeError, match="a compiled function must not"):
        microgrid.compile(lambda x: explain(x * x, x).gradient)(1.0)


# ---- what is shown


def test_a_text_has_a_line_for_each_path_in_columns():
    w, x = Value(0.5), Value(2.0)
    h = (w * x).tanh()
    loss = (h - 1) ** 2 + w * w / 10
    found = explain(loss, w, names={"w": w, "h": h, "loss": loss}, most=2)
    assert str(found) == repr(found)
    assert str(found).splitlines() == [
        "∂loss/∂w = -0.3005, the sum over 3 paths",
        "  -0.4005  w → v1(*) → h → v2(-) → v3(**2) → loss  = 2 · 0.42 · 1 · -0.4768 · 1",
        "     0.05  w →₁ v4(*) → v5(/) → loss               = 0.5 · 0.1 · 1",
        "     0.05  1 other path",
    ]


def test_a_path_that_does_not_fit_has_its_factors_below_and_its_middle_left_out():
    model = MLP(2, [4, 4, 1], seed=1)
    X, y = datasets.moons(8, seed=1)
    loss = losses.binary_cross_entropy([model(row) for row in X], y)
    weight = model.layers[0].neurons[3].w[1]
    text = str(explain(loss, weight, names=model)).splitlines()
    assert text[0].startswith("∂L/∂layers.0.neurons.3.w.1 = ")
    assert re.fullmatch(
        r" +0\.\d+  layers\.0\.neurons\.3\.w\.1 → v\d+\(dot\) → v\d+\(relu\) →"
        r" layers\.1\.neurons\.\d:",
        text[1],
    )
    assert re.fullmatch(r" +v\d+\(dot\) → … \d more … → .* → L\(/\)", text[2])
    assert text[3].split()[0] == "="
    assert text[-1].endswith("54 other paths")


def test_a_fraction_too_long_to_print_is_rounded():
    x = Value(Fraction(10**9, 10**9 + 1))
    first, path, other = str(explain(x * x, x, most=1)).splitlines()
    assert first.startswith("∂L/∂x1 ≈ 2, ")
    assert path.split()[0] == other.split()[0] == path.split()[-1] == "≈1"


def texts(found):
    """Return the text of each path: its cell in the table, and its lines, with no lines broken."""
    cells = re.findall(r"<tr[^>]*>.*?</tr>", found._repr_html_())[1:]
    ways = [re.findall(r"<td[^>]*>(.*?)</td>", row)[1] for row in cells]
    starts = re.split(r"\n  +\S+  (?=\S)", str(found))[1:]
    lines = [" ".join(start.partition("= ")[0].split()) for start in starts]
    return ways[: len(found.paths)], lines[: len(found.paths)]


@usual(40)
@given(questions())
def test_the_texts_of_different_paths_are_different(question):
    for most in (3, 40):
        for shown in texts(explain(*question, most=most)):
            assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("length", [3, 30, 300])
def test_they_are_where_long_paths_part_in_the_middle_alone(length):
    x = y = Value(0.5, label="x" * 40)
    for i in range(length):
        y = y.tanh()
        if abs(i - length // 2) < 4:
            y = y * y
            y.label = "y" * 40
    found = explain(y, x, most=8)
    for shown in texts(found):
        assert len(set(shown)) == len(shown) == 8


def test_it_is_told_which_neurons_a_path_goes_through():
    model = MLP(2, [3, 3, 1], seed=1)
    score = model([0.5, -1.0])
    found = explain(score, model.layers[0].neurons[0].w[0], names={"model": model, "score": score})
    (ways, _), neurons = texts(found), [f"layers.1.neurons.{i}:" for i in range(3)]
    assert (
        sorted(neuron for way in ways for neuron in neurons if neuron in way)
        == neurons[: len(ways)]
    )
    assert len(ways) > 1


HOSTILE = [
    *("<script>alert(1)</script>", '" onclick="x', "& &amp;", "$x^2$", "two\nlines", "漢字" * 30),
    *("{}", "{0}", "%s", "\\", "\x00\x1b\ud800", "😀" * 9, "a → b", "x" * 1000),
]


@usual(50)
@example(["漢字" * 30] * 3, 3)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(), min_size=3, max_size=3), st.integers(0, 30))
def test_any_name_keeps_to_80_columns_and_to_its_cell(labels, nodes):
    x, y = Value(1e-300, label=labels[0]), Value(-1.2345e-9)
    z = x * y
    for _ in range(nodes):
        z = z * z + y
        z.label = labels[1]
    z.label = labels[2]
    found = explain(z, x, most=3)
    lines = str(found).split("\n")
    assert max(map(columns, lines)) <= 80
    assert len(lines) <= 3 + 3 * 12 + 1
    root = ET.fromstring(found._repr_html_())
    assert {element.tag for element in root.iter()} <= {
        *("table", "caption", "thead", "tbody", "tr", "th", "td")
    }
    assert {name for element in root.iter() for name in element.attrib} <= {
        *("class", "style", "title")
    }


def test_a_table_has_a_row_for_each_path_and_the_rest_and_no_colours():
    x = Value(3.0, label="<x>")
    y = x * x + x
    found = explain(y, x, most=2)
    page = found._repr_html_()
    assert "color" not in page
    assert "background" not in page
    root = ET.fromstring(page)
    cells = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert root.find("caption").text == str(found).splitlines()[0]
    assert cells == [
        ["gradient", "path", "factors"],
        ["3", "<x> →₁ v1(*) → L(+)", "3 · 1"],
        ["3", "<x> →₂ v1(*) → L(+)", "3 · 1"],
        ["1", "1 other path", ""],
    ]
    assert html.escape("<x>") in page


def test_all_digits_are_in_the_tooltip():
    x = Value(1.0)
    assert 'title="0.30000000000000004"' in explain(x * (0.1 + 0.2), x)._repr_html_()


def test_a_path_is_highlighted_in_the_drawing(monkeypatch):
    asked = []
    monkeypatch.setattr(explanation, "draw", lambda *args, **options: asked.append((args, options)))
    x = Value(3.0)
    y = x * x + 10 * x
    names = {"y": y}
    found = explain(y, x, names=names)
    found.draw()
    found.draw(path=1, rankdir="TB", names=None)
    assert asked == [
        ((y,), {"highlight": found.paths[0].nodes, "names": names}),
        ((y,), {"highlight": found.paths[1].nodes, "names": None, "rankdir": "TB"}),
    ]
    assert not same(found.paths[0].nodes, found.paths[1].nodes)
    monkeypatch.undo()
    for path in range(3):
        emphasised = microgrid.draw(y, names=names, highlight=found.paths[path].nodes)
        assert found.draw(path).source == emphasised.source != microgrid.draw(y).source
    with pytest.raises(IndexError, match="the place of a path, from 0; 3 are listed, got 3"):
        found.draw(path=3)


def test_it_is_what_the_package_gives_out():
    assert microgrid.explain is explain is microgrid.drawing.explain
    x = Value(1.0)
    assert isinstance(explain(x, x), Explanation)
    assert isinstance(explain(x, x).paths[0], Path)
