"""The laws of what is drawn: operands in a domain, primitives, and random programs.

The table of domains is tested against what the primitives do, the strategies against the table.
"""

import math
import re
from fractions import Fraction

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import microgrid
from microgrid import Primitive, Value, family, topological_order
from microgrid.calculus import gradients, jvp
from microgrid.core.primitive import power
from microgrid.testing import strategies
from microgrid.testing.programs import domains
from microgrid.testing.programs.domains import DOMAINS, FAMILIES, family_name
from microgrid.testing.programs.sketch import LARGEST, RADIUS
from microgrid.testing.programs.source import python_call
from microgrid.testing.strategies import (
    LIBRARY,
    NOT_NEGATIVE,
    POSITIVE,
    RATIONAL,
    REAL,
    Domain,
    FamilyDomain,
    Interval,
    SourceProgram,
    at,
    declare_domain,
    domain_of,
    numbers,
    primitives,
    programs,
)
from tests.formulas import HELD
from tests.search import LONG, usual

# Beside a kink a value is compared with a straight line: a few roundings of numbers up to 1000.
ROUNDING = 1e-12
# So far past the nearest kink, as a part of the distance: well below the distance between kinks.
BEYOND = 1e-6
# So short of the nearest kink or edge: the distance itself is rounded.
SHORT = 1 - 1e-9

a_few = usual(25)
not_shrunk = settings(phases=[Phase.generate], database=None, max_examples=2000)


def members(name):
    if name in FAMILIES:
        return [Primitive.families[name](*constants) for constants in FAMILIES[name].constants]
    return [Primitive.named(name)]


LIBRARY_PRIMITIVES = [primitive for name in LIBRARY for primitive in members(name)]
WITH_KINKS = [primitive for primitive in LIBRARY_PRIMITIVES if domain_of(primitive).kink]
# Between their kinks these are straight lines.
STRAIGHT = [p for p in WITH_KINKS if not re.match(r"cbrt|atan2|hypot|elu|softsign|0\*\*", p.name)]


def each_of(primitives):
    return pytest.mark.parametrize("primitive", primitives, ids=lambda primitive: primitive.name)


@pytest.fixture
def own_names(monkeypatch):
    """Let a test declare primitives, families and their domains, and forget them after it."""
    for owner, table in [
        (Primitive, "registry"),
        (Primitive, "families"),
        (domains, "DOMAINS"),
        (domains, "FAMILIES"),
        (strategies, "FAMILIES"),
    ]:
        monkeypatch.setattr(owner, table, getattr(owner, table).copy())
    monkeypatch.setattr(strategies, "FAMILIES", domains.FAMILIES)


# ---- the table of domains


def directions(n):
    return st.lists(st.floats(-1, 1), min_size=n, max_size=n)


def line(primitive, xs, ys):
    """Return what a primitive would be at ys if it were a straight line through xs."""
    partials = primitive.partials(primitive(*xs), *xs)
    return primitive(*xs) + sum(p * (y - x) for p, x, y in zip(partials, xs, ys, strict=True))


def is_line(primitive, xs, ys):
    return math.isclose(
        primitive(*ys), line(primitive, xs, ys), rel_tol=ROUNDING, abs_tol=ROUNDING
    ) and primitive.partials(primitive(*xs), *xs) == primitive.partials(primitive(*ys), *ys)


def test_an_interval_has_its_ends_only_if_it_is_closed():
    assert 0.0 in NOT_NEGATIVE
    assert 0.0 not in POSITIVE
    assert math.inf not in NOT_NEGATIVE
    assert math.nan not in REAL
    assert (Interval(-1, 2).from_edge(1.5), Interval(-1, 2).from_edge(5)) == (0.5, 0.0)


def test_operands_are_held_where_their_formula_is_not_differentiated():
    held = {
        name: {i for i, interval in enumerate(domain.intervals) if interval.held}
        for name, domain in DOMAINS.items()
        if name in LIBRARY
    }
    assert {name: indices for name, indices in held.items() if indices} == HELD


@each_of(LIBRARY_PRIMITIVES)
def test_a_primitive_is_defined_up_to_the_nearest_edge(primitive):
    @a_few
    @given(st.data(), numbers(primitive, from_edge=1e-3, max_magnitude=20))
    def law(data, xs):
        domain = domain_of(primitive)
        distance = min(domain.from_edge(*xs), 5.0) * SHORT
        ys = [x + distance * d for x, d in zip(xs, data.draw(directions(len(xs))), strict=True)]
        if not any(interval.held for interval in domain.intervals):
            assert domain.contains(*ys)
            primitive(*ys)

    law()


@each_of([p for p in LIBRARY_PRIMITIVES if len(domain_of(p).intervals) == 1 and not p.made_by])
def test_a_primitive_of_one_operand_is_defined_nowhere_past_its_edges(primitive):
    (interval,) = domain_of(primitive).intervals
    for end, outwards in [(interval.low, -math.inf), (interval.high, math.inf)]:
        if math.isfinite(end):
            assert (end in interval) == domain_of(primitive).contains(end) == interval.closed
            with pytest.raises((ValueError, OverflowError)):
                primitive(end + math.copysign(1e-3, outwards))


@each_of(STRAIGHT)
def test_no_kink_is_nearer_than_the_distance_to_the_nearest(primitive):
    @a_few
    @given(st.data(), numbers(primitive))
    def law(data, xs):
        domain = domain_of(primitive)
        distance = min(domain.from_kink(*xs), domain.from_edge(*xs), 5.0) * SHORT
        ys = [x + distance * d for x, d in zip(xs, data.draw(directions(len(xs))), strict=True)]
        assert is_line(primitive, xs, ys)

    law()


# around the kink of == is a flat line
@each_of([p for p in STRAIGHT if p.name != "=="])
def test_the_nearest_kink_is_one(primitive):
    @a_few
    @given(numbers(primitive))
    def law(xs):
        nearest = domain_of(primitive).kink(*xs)
        if nearest is not None:
            beyond = 0 if primitive.name == "==" else BEYOND  # which is 1 at its kink alone
            past = [k + beyond * (k - x) for x, k in zip(xs, nearest, strict=True)]
            assert not is_line(primitive, xs, past)

    law()


@pytest.mark.parametrize(
    ("name", "operands", "distance"),
    [
        ("atan2", (0.5, -2.0), 0.5),
        ("atan2", (0.5, 2.0), 2.0),
        ("atan2", (-3.0, 2.0), 3.0),
        ("hypot", (3.0, -4.0), 4.0),
        ("cbrt", (-0.25,), 0.25),
        ("max", (1.0, 5.0, 3.0), 1.0),
        ("max", (1.0,), math.inf),
        ("min", (1.0, 5.0, 3.0), 1.0),
        ("max", (2.0, 2.0, 1.0), 0.0),
        ("%", (7.0, 2.0), 0.2),
        ("tanh", (0.0,), math.inf),
    ],
)
def test_the_distance_to_a_kink_is_the_greatest_change_of_an_operand(name, operands, distance):
    assert domain_of(Primitive.named(name)).from_kink(*operands) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("primitive", "operands"),
    [
        (Primitive.named("/"), (1.0, 0.0)),
        (Primitive.named("**"), (0.0, -1.0)),
        (Primitive.named("**"), (1e-200, -2.0)),
        (power(-2), (0.0,)),
        (power(0.5), (-1.0,)),
        (power(3), (1e200,)),
        (Primitive.named("tanh"), (1.0, 2.0)),
        (Primitive.named("sum"), ()),
    ],
)
def test_what_is_not_in_a_domain_is_at_its_edge(primitive, operands):
    assert not domain_of(primitive).contains(*operands)
    assert domain_of(primitive).from_edge(*operands) == 0


def test_a_domain_has_an_interval_for_each_operand_or_one_for_all():
    assert Domain(REAL, several=True).takes(5)
    for intervals in [(), (REAL, REAL)]:
        with pytest.raises(ValueError, match="an interval for each operand, or a single one"):
            Domain(*intervals, several=True)


# ---- numbers


@each_of(LIBRARY_PRIMITIVES)
def test_drawn_operands_keep_their_distances(primitive):
    distances = [(0, 0, 1000), (0.5, 0.04, 3)]  # from edge and kink, and from 0 at most
    drawn = [
        numbers(primitive, from_edge=from_edge, from_kink=from_kink, max_magnitude=most)
        for from_edge, from_kink, most in distances
    ]

    @a_few
    @given(st.tuples(*drawn))
    def law(operands):
        for xs, (from_edge, from_kink, most) in zip(operands, distances, strict=True):
            primitive(*xs)
            assert domain_of(primitive).contains(*xs)
            assert domain_of(primitive).from_edge(*xs) >= from_edge
            assert domain_of(primitive).from_kink(*xs) >= from_kink
            assert all(type(x) is float and abs(x) <= most for x in xs)

    law()


@each_of([primitive for name in RATIONAL for primitive in members(name)])
def test_exact_operands_are_fractions(primitive):
    @a_few
    @given(numbers(primitive, exact=True))
    def law(xs):
        assert {type(x) for x in xs} == {Fraction}

    law()


@each_of(WITH_KINKS)
def test_without_a_distance_operands_are_at_kinks_too(primitive):
    kink = domain_of(primitive).from_kink
    operands = numbers(primitive, from_edge=0, from_kink=0)  # some kinks are at an edge
    assert find(operands, lambda xs: kink(*xs) == 0, settings=not_shrunk)


@pytest.mark.parametrize(("name", "edge"), [("sqrt", 0), ("asin", -1), ("acos", 1), ("acosh", 1)])
def test_without_a_distance_operands_are_at_edges_too(name, edge):
    assert find(numbers(name, from_edge=0), lambda xs: xs[0] == edge) == (edge,)


@pytest.mark.parametrize(
    ("name", "simplest"), [("+", (0, 0)), ("relu", (1,)), ("log", (1,)), ("where", (0, 0, 0))]
)
def test_operands_shrink_to_simple_numbers(name, simplest):
    assert find(numbers(name), lambda xs: True) == simplest


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("floor", {"from_kink": 0.6}, "domain of floor, got none that are .* 0.6 from every kink"),
        ("asin", {"from_edge": 1.1}, "domain of asin, got none that are 1.1 from every edge"),
        ("acosh", {"max_magnitude": 1}, "domain of acosh, .* and at most 1 from 0"),
        ("log", {"from_edge": -1}, "`from_edge` must be .* at least 0, got -1"),
        (
            "log",
            {"from_kink": math.nan},
            "`from_kink` must be .* at least 0, got nan",
        ),
        ("never declared", {}, "no primitive is named 'never declared'"),
    ],
)
def test_numbers_that_are_not_there_are_refused_before_any_is_drawn(name, options, message):
    with pytest.raises(ValueError, match=message):
        numbers(name, **options)


# ---- primitives


@given(primitives(smooth=True))
def test_smooth_primitives_have_no_kinks(primitive):
    assert domain_of(primitive).kink is None


@given(primitives(arity=2))
def test_primitives_of_two_operands_take_two(primitive):
    assert domain_of(primitive).takes(2)


@given(primitives(["power", "tanh", power]))
def test_only_the_primitives_that_are_asked_for_are_drawn(primitive):
    assert primitive.name == "tanh" or primitive.made_by[0] is power


def test_members_of_a_family_are_drawn_with_various_constants():
    for constants in FAMILIES["power"].constants:
        member = power(*constants)
        assert find(primitives(["power"]), lambda drawn, m=member: drawn is m) is member


@pytest.mark.parametrize("among", [[microgrid.max], ["never declared"], [3]])
def test_what_is_no_primitive_is_refused(among):
    with pytest.raises(ValueError, match="families with a declared domain, or names of these, got"):
        primitives(among)
    with pytest.raises(ValueError, match="families with a declared domain, or names of these, got"):
        programs(primitives=among)


def test_no_primitive_to_draw_is_refused():
    with pytest.raises(ValueError, match="one to draw, got none with smooth=True and arity=None"):
        primitives(["relu"], smooth=True)


# ---- programs


def graph(program, point=None):
    """Return the nodes of a program's output, parents first."""
    leaves = [Value(x, label="input") for x in (point or program.point)]
    output = program(*leaves)
    return [node for node in topological_order(output) if node.parents], output


@given(programs())
def test_a_program_gives_floats_and_values_the_same_number(program):
    nodes, output = graph(program)
    assert nodes
    assert program(*program.point) == output.data
    assert type(program(*program.point)) is float


@given(programs())
def test_a_programs_source_and_repr_make_it_again(program):
    pasted = {}
    exec(str(program), pasted)
    assert pasted["point"] == program.point
    assert pasted["program"](*program.point) == program(*program.point)
    again = eval(repr(program))
    assert again == program
    assert hash(again) == hash(program)


@given(programs())
def test_programs_are_made_of_the_whole_library_within_bounds(program):
    nodes, _ = graph(program)
    assert 1 <= len(program.point) <= 3
    assert str(program).count("    t") <= 10
    assert all(
        node.op.name in LIBRARY or family_name(node.op.made_by[0]) in LIBRARY for node in nodes
    )


@given(programs(primitives=["*", "sin", "max"], max_size=4, min_inputs=2, max_inputs=2))
def test_programs_are_made_of_what_is_asked_for(program):
    nodes, _ = graph(program)
    assert {node.op.name for node in nodes} <= {"*", "sin", "max"}
    assert str(program).count("    t") <= 4
    assert len(program.point) == 2


@given(programs(constants=False))
def test_programs_without_constants_have_none(program):
    nodes, _ = graph(program)
    held = {"**k", "sech2"}  # the second operand is a constant always
    assert not any(
        p.is_constant for n in nodes for p in n.parents if n.op.name not in held | {"where"}
    )


@given(programs(max_size=20), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_no_kink_and_no_edge_is_near_a_programs_point(program, corner):
    moved = [x + sign * RADIUS for x, sign in zip(program.point, corner, strict=False)]
    for here, there in zip(graph(program)[0], graph(program, moved)[0], strict=True):
        domain, xs = domain_of(here.op), [parent.data for parent in here.parents]
        move = max(abs(x - y.data) for x, y in zip(xs, there.parents, strict=True))
        assert here.op is there.op
        assert move < domain.from_kink(*xs)
        assert here.op.name == "where" or move < domain.from_edge(*xs)


@given(programs(primitives=[name for name in LIBRARY if name not in ("power", "/")]))
def test_a_programs_numbers_are_not_large(program):
    large = [node for node in graph(program)[0] if abs(node.data) > LARGEST]
    assert len(large) <= 1  # the first that was drawn, of inputs and constants alone
    assert not any(parent.parents for node in large for parent in node.parents)


@given(programs(primitives=["tanh", "*"], min_inputs=3))
def test_an_input_without_influence_has_a_gradient_of_zero(program):
    by_each = gradients(program(*(inputs := list(map(Value, program.point)))), inputs)
    used = str(program).partition(":")[2].partition("point")[0]
    assert len(by_each) == 3
    assert all(d.data == 0 for i, d in enumerate(by_each) if f"x{i}" not in used)


@given(programs(exact=True))
def test_exact_programs_have_exact_gradients_in_both_modes(program):
    inputs = list(map(Value, program.point))
    output = program(*inputs)
    assert type(program(*program.point)) is Fraction
    assert program(*program.point) == output.data
    output.backward()
    assert {type(x) for x in program.point} == {type(x.grad) for x in inputs} == {Fraction}
    for i, x in enumerate(inputs):
        direction = [Fraction(int(i == j)) for j in range(len(inputs))]
        assert jvp(program, program.point, direction)[1] == x.grad


@pytest.mark.parametrize(
    "wanted",
    [
        r"= \d\S* - \w",
        r"= \d\S* / \w",
        r"= \d\S* \*\* \w",
        r"= (\w+) \* \1",
        r"(= .*\bt0\b.*\n[^=]*){2}",
        r"mg.max\(\[\w+, \S+, \S+\]\)",
        r"mg.dot\(\[\w+, \w+\], \[\w+, \w+\]\)",
        r"mg.where\(\w+ > \S+, \w+, \w+\)",
        r"mg.clip\(\w+, -1, 2\)",
    ],
)
def test_every_kind_of_node_is_drawn(wanted):
    some = programs(primitives=["-", "*", "/", "exponential", "max", "dot", "where", "clip_to"])
    assert find(some, lambda program: re.search(wanted, str(program)), settings=not_shrunk)


def test_a_program_that_need_not_be_smooth_may_be_at_a_kink():
    unsmooth = programs(primitives=["relu"], smooth=False)
    assert find(unsmooth, lambda program: program.point == (0.0,), settings=not_shrunk)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_size": 0}, "1 <= max_size, got .*max_size=0"),
        ({"min_inputs": 4}, "1 <= min_inputs <= max_inputs .* got min_inputs=4, max_inputs=3"),
        ({"primitives": []}, "primitives to draw from, got none that has a derivative"),
        ({"primitives": ["stop_gradient"]}, "got none that has a derivative"),
    ],
)
def test_programs_that_cannot_be_drawn_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        programs(**options)


def test_an_exact_program_is_refused_primitives_that_are_not():
    with pytest.raises(TypeError, match=r"sin gave 0\.6.*; draw from those in RATIONAL"):
        find(programs(primitives=["sin"], exact=True), lambda program: True)


# ---- how programs shrink and print


# A condition needs two numbers that differ: what they are computed by may not be the simplest.
@pytest.mark.parametrize(
    ("name", "most"), [("acosh", 1), pytest.param("where", 5, marks=pytest.mark.slow)]
)
def test_a_program_that_needs_one_primitive_shrinks_to_it_and_what_it_needs(name, most):
    def has(program):
        return any(node.op in members(name) for node in graph(program)[0])

    assert str(find(programs(), has)).count("    t") <= most


@pytest.fixture
def planted(own_names):
    """Return primitives of a test with right numbers and wrong partials."""
    wrong_tanh = Primitive("wrong tanh", math.tanh, lambda out, x: (1 - out,))
    wrong_product = Primitive("wrong product", lambda x, y: x * y, lambda out, x, y: (y, -x))
    declare_domain(wrong_tanh, Domain(REAL))
    declare_domain(wrong_product, Domain(REAL, REAL))
    return {"wrong tanh": wrong_tanh, "wrong product": wrong_product}


def has_a_wrong_gradient(program):
    """Compare with central differences, which are right to six digits where a program is smooth."""
    inputs = list(map(Value, program.point))
    program(*inputs).backward()
    for i, x in enumerate(inputs):
        low, high = ([y + h * (i == j) for j, y in enumerate(program.point)] for h in (-1e-5, 1e-5))
        slope = (program(*high) - program(*low)) / 2e-5
        if not math.isclose(slope, x.grad, rel_tol=1e-3, abs_tol=1e-3):
            return True
    return False


@given(programs())
def test_differences_agree_with_the_gradients_of_programs(program):
    assert not has_a_wrong_gradient(program)


@pytest.mark.parametrize(
    "name",
    [
        "wrong tanh",
        pytest.param("wrong product", marks=pytest.mark.slow),  # the same, with two operands
    ],
)
def test_a_wrong_primitive_among_the_others_shrinks_to_a_call_of_it(planted, name):
    others = [*LIBRARY] if LONG else [*LIBRARY][::5]  # it is found the later the more there are
    program = find(programs(primitives=[*others, planted[name]]), has_a_wrong_gradient)
    assert re.findall("    t.*", str(program))[0].startswith(
        f"    t0 = mg.Primitive.named({name!r})"
    )
    assert str(program).count("    t") == 1


def test_a_failing_example_prints_a_program_to_paste(planted):
    @settings(database=None, derandomize=True)
    @given(program=programs(primitives=[planted["wrong tanh"]]))
    def test(program):
        assert not has_a_wrong_gradient(program)

    with pytest.raises(AssertionError) as failure:
        test()
    report = "\n".join(failure.value.__notes__)
    call = re.search(r"test\(\n.*?^\)", report, flags=re.DOTALL | re.MULTILINE)[0]
    script = re.search(r'"""\n(.*)\n"""', call, flags=re.DOTALL)[1]
    exec(script, pasted := {})
    assert pasted["program"](*pasted["point"]) == math.tanh(0.75)
    assert eval(call.replace("test(", "dict(", 1)) == {"program": SourceProgram(script)}


@each_of([p for p in LIBRARY_PRIMITIVES if p.name != "where"])
def test_a_call_is_written_as_python_that_computes_it(primitive):
    @a_few
    @given(numbers(primitive))
    def law(xs):
        names = [f"x{i}" for i in range(len(xs))]
        scope = {"mg": microgrid, "Fraction": Fraction, **dict(zip(names, xs, strict=True))}
        assert eval(python_call(primitive, *names), scope) == primitive(*xs)

    law()


def test_a_programs_source_defines_the_program_and_its_point():
    assert SourceProgram("def program(x0): return x0\npoint = (1.0,)")(2.0) == 2.0
    for source in ["point = (1.0,)", "def program(x0): return x0", "program = 3; point = (1.0,)"]:
        with pytest.raises(ValueError, match="defines `program`, a function, and `point`, a tuple"):
            SourceProgram(source)


# ---- primitives of one's own


@pytest.mark.usefixtures("own_names")
def test_a_primitive_without_a_domain_is_refused_and_told_how_to_get_one():
    cube = Primitive("cube of mine", lambda x: x**3, lambda out, x: (3 * x**2,))
    for strategy in (numbers, lambda p: primitives([p]), lambda p: programs(primitives=[p])):
        with pytest.raises(ValueError, match=r"cube of mine needs a domain.*`declare_domain\("):
            strategy(cube)
    declare_domain(cube, Domain(POSITIVE, kink=at(2)))
    assert find(numbers(cube, from_edge=1, from_kink=0), lambda xs: xs[0] > 1) == (2.0,)
    nodes, _ = graph(find(programs(primitives=[cube]), lambda program: True))
    assert [node.op for node in nodes] == [cube]


@pytest.mark.usefixtures("own_names")
def test_a_family_of_ones_own_is_drawn_too():
    @family
    def shifted(by):
        return f"shifted({by})", lambda x: x + by, lambda out, x: (1,)

    with pytest.raises(ValueError, match="families with a declared domain"):
        programs(primitives=[shifted])
    declare_domain(shifted, FamilyDomain(lambda by: Domain(REAL), [(2,), (0.5,)]))
    program = find(programs(primitives=[shifted]), lambda program: "0.5" in str(program))
    assert "t0 = mg.Primitive.families['shifted'](0.5)(x0)" in str(program)
    assert program(1.0) == 1.5


@pytest.mark.parametrize(
    ("primitive", "domain"),
    [
        (Primitive.named("tanh"), FamilyDomain(lambda: Domain(REAL), [])),
        (power, Domain(REAL)),
        (math.tanh, FamilyDomain(lambda: Domain(REAL), [])),
    ],
)
def test_a_domain_is_declared_for_a_primitive_or_a_family(primitive, domain):
    with pytest.raises(TypeError, match="declare_domain needs a Primitive and its Domain, or what"):
        declare_domain(primitive, domain)
