"""The laws of an engine: who keeps them, and that each is broken by the mistake it is about."""

import contextlib
import functools
import io
import math
import re
import subprocess
import sys
import textwrap
import warnings
from fractions import Fraction
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

import micrograd.engine
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import Value
from microgrid.testing import conformance
from microgrid.testing.conformance import LAWS, MANNERS, Case, book, check
from microgrid.testing.conformance.cases import meets
from microgrid.testing.conformance.random_programs import FORMULAS, straight_line
from tests.search import LONG
from tests.testing.conformance.broken_engines import (
    BROKEN,
    AddsFromTheRightForEver,
    CallsItself,
    HidesNaN,
    Tiny,
    VisitsTheNearestFirst,
    of_nodes,
)

ROOT = Path(__file__).parents[3]
FUNCTIONS = book.FUNCTIONS.split("\n")[1:-1]
BROKEN_BY_NAME = {engine.__name__: engine for engine in BROKEN}
BY_NAME = {law.name: law for law in LAWS + MANNERS}


def named(table):
    return pytest.mark.parametrize("engine", table, ids=lambda engine: engine.__name__)


@functools.cache
def report(engine):
    return check(engine)


def failure(name, engine):
    """Return how an engine breaks a law that it is asked for; pytest would skip the test if not."""
    try:
        return BY_NAME[name].failure(engine)
    except SkipTest:
        pytest.fail(f"the engine is not asked for: {name}")


def broken_by(engine):
    return {*report(engine).failures, *report(engine).remarks}


# ---- engines that are known


@pytest.mark.parametrize("law", LAWS + MANNERS, ids=str)
def test_value_keeps_every_law(law):
    if law.name in NOT_METHODS_OF_VALUE:
        with pytest.raises(SkipTest):
            law.check(Value)
    else:
        law.check(Value)


NOT_METHODS_OF_VALUE = {
    f"x.{name}() has its derivative" for name in ("abs", "neg", "reciprocal", "square")
}


def test_the_tiny_engine_keeps_every_law():
    assert broken_by(Tiny) == set()


def test_an_engine_without_an_end_ends_where_the_limit_of_calls_was_raised():
    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        for engine in (CallsItself, AddsFromTheRightForEver):
            assert broken_by(engine) == BROKEN[engine]
        assert sys.getrecursionlimit() == 10**6
    finally:
        sys.setrecursionlimit(deepest)


def some_of_each_law(table):
    """Return the engines that break a law which none before them breaks; all in longer runs."""
    some, broken = [], set()
    for engine, laws in table.items():
        if LONG or laws - broken:
            some.append(engine)
            broken |= laws
    return some


@named(some_of_each_law(BROKEN))
def test_a_broken_engine_breaks_the_laws_that_it_is_entered_with_and_no_others(engine):
    assert broken_by(engine) == BROKEN[engine]


def test_there_are_a_dozen_broken_engines_with_a_mistake_each():
    assert len(BROKEN) >= 12
    assert all(BROKEN.values())
    assert all(engine.__doc__ for engine in BROKEN)


def test_micrograd_breaks_the_laws_that_it_is_known_to_break():
    assert set(report(micrograd.engine.Value).failures) == {
        "a second backward adds the same once more",
        "between two passes it is enough to zero the leaves",
        "two roots may share a node",
        "a root may stand inside another graph",
        "a graph may be 5000 nodes deep",
        "division is one true division",
        "x ** 0, x ** 1 and x ** 2 are smooth at 0",
        "a negative base never turns complex",
        "a gradient belongs to the numbers it was computed with",
        "x * x has two edges",
    }
    assert set(report(micrograd.engine.Value).remarks) == {
        "data that is not a number is refused",
        "no node holds an array",
        "a leaf that is the root keeps what it had",
        "a copied graph feeds the copied leaf",
        "a graph is freed with its last name",
    }


# ---- every law can be broken


def node(x, data, partial):
    return type(x)(data, (x, partial))


class LastNodeIsTheRoot(Tiny):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        Tiny.newest = self

    def backward(self):
        Tiny.backward(Tiny.newest)


class HalvesInnerGradients(Tiny):
    def backward(self):
        super().backward()
        for inner in self.order():
            inner.grad *= 0.5 if inner.parents else 1.0


class SkipsSmallGradients(Tiny):
    def hand_on(self):
        if abs(self.grad) > 1e-6:
            super().hand_on()


class RemembersSums(Tiny):
    @of_nodes
    def __add__(self, y):
        self.sums = getattr(self, "sums", {})
        if y not in self.sums:
            self.sums[y] = super().__add__(y)
        return self.sums[y]


class IgnoresItsSeed(Tiny):
    def backward(self, seed=1.0):
        super().backward()


class KeepsInts(Tiny):
    def __init__(self, data, *edges):
        super().__init__(data, *edges)
        self.data = data

    @of_nodes
    def __truediv__(self, y):
        whole = isinstance(self.data, int) and isinstance(y.data, int)
        out = super().__truediv__(y)
        out.data = self.data // y.data if whole else out.data
        return out


class HasNoHash(Tiny):
    __hash__ = None

    def order(self):
        order = {}
        stack = [(self, False)]
        while stack:
            entry, parents_done = stack.pop()
            if parents_done:
                order[id(entry)] = entry
            elif id(entry) not in order:
                stack += [(entry, True), *[(parent, False) for parent in entry.parents]]
        return list(order.values())


class HoldsArrays(Tiny):
    def __mul__(self, y):
        if hasattr(y, "shape"):
            array = type(self)(0.0)
            array.data = self.data * y
            return array
        return super().__mul__(y)


def tiny(**methods):
    return type("Mutant", (Tiny,), methods)


MUTANTS = {
    "backward is of its own root": LastNodeIsTheRoot,
    "an inner node has its own gradient": HalvesInnerGradients,
    "a gradient of any size is passed on": SkipsSmallGradients,
    "a step of gradient descent moves a leaf": RemembersSums,
    "backward(seed) multiplies every gradient": IgnoresItsSeed,
    "a whole number is a number": KeepsInts,
    "a node goes into a set": HasNoHash,
    "no node holds an array": HoldsArrays,
    "x + y has its derivatives": tiny(
        __add__=of_nodes(lambda x, y: type(x)(x.data + y.data, (x, 1.0), (y, 0.5)))
    ),
    "x * y has its derivatives": tiny(
        __mul__=of_nodes(lambda x, y: type(x)(x.data * y.data, (x, x.data), (y, y.data)))
    ),
    "2 ** x has its derivative": tiny(__rpow__=lambda x, base: node(x, base**x.data, base**x.data)),
    "x % y and x // y have their derivatives": tiny(
        __mod__=of_nodes(lambda x, y: type(x)(x.data % y.data, (x, 1.0), (y, 0.0)))
    ),
    "abs(x) has its derivative": tiny(__abs__=lambda x: node(x, abs(x.data), 1.0)),
    "a kink has a slope between those beside it": tiny(
        relu=lambda x: node(x, max(x.data, 0.0), 2.0 if x.data == 0 else float(x.data > 0))
    ),
    "x.leaky_relu(slope) has its derivative": tiny(
        leaky_relu=lambda x, slope: node(x, max(x.data, slope * x.data), float(x.data > 0))
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_law_is_broken_by_an_engine_that_is_made_to_break_it(name):
    assert failure(name, MUTANTS[name]) is not None


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.split()[0])
def test_the_law_of_a_function_is_kept_by_its_formulas_and_broken_by_others(row):
    name, value, derivative, _ = re.split("  +", row, maxsplit=3)
    law = f"x.{name}() has its derivative"

    def engine(value_error=0.0, derivative_error=0.0):
        def method(x):
            y = eval(value, vars(math) | {"x": x.data})
            slope = eval(derivative, vars(math) | {"x": x.data})
            return node(x, y + value_error, slope + derivative_error)

        return tiny(**{name: method})

    assert failure(law, engine()) is None
    assert failure(law, engine(value_error=1e-6)).shown == "y.data"
    assert failure(law, engine(derivative_error=1e-6)).shown == "x.grad"


def test_a_function_that_assigns_to_the_gradient_breaks_its_law():
    class Assigns(Tiny):
        def exp(self):
            out = super().exp()
            out.hand_on = lambda: setattr(self, "grad", out.grad * out.data)
            return out

    assert failure("x.exp() has its derivative", Assigns).got == "1.6487212707001282"


def test_no_law_is_without_an_engine_that_breaks_it():
    broken = set().union(*BROKEN.values(), MUTANTS)
    broken |= {law.name for law in LAWS if law.name.startswith("x.") and "()" in law.name}
    assert broken == set(BY_NAME)


# ---- engines that are right in other ways


class OnlyAddsAndMultiplies:
    """Nodes alone, no numbers; the parents are found under another name."""

    def __init__(self, data, *edges):
        self.data, self.grad, self.edges = data, None, edges

    def __add__(self, other):
        return OnlyAddsAndMultiplies(self.data + other.data, (self, 1), (other, 1))

    def __mul__(self, other):
        return OnlyAddsAndMultiplies(self.data * other.data, (self, other.data), (other, self.data))

    def backward(self):
        users, stack = {self: 0}, [self]
        while stack:
            for parent, _ in stack.pop().edges:
                if parent not in users:
                    stack.append(parent)
                users[parent] = users.get(parent, 0) + 1
        slopes, ready = {self: 1}, [self]
        while ready:
            user = ready.pop()
            if not user.edges:
                user.grad = (user.grad or 0) + slopes[user]
            for parent, partial in user.edges:
                slopes[parent] = slopes.get(parent, 0) + slopes[user] * partial
                users[parent] -= 1
                if not users[parent]:
                    ready.append(parent)


class ForwardMode:
    """A number with its derivative by every leaf: inner nodes have no gradient at all."""

    def __init__(self, data, slopes=None):
        self.data, self.grad = data, 0.0
        self.slopes = {self: 1.0} if slopes is None else slopes

    def combined(self, data, partial, other, other_partial):
        leaves = {**self.slopes, **other.slopes}
        slopes = {
            leaf: partial * self.slopes.get(leaf, 0) + other_partial * other.slopes.get(leaf, 0)
            for leaf in leaves
        }
        return ForwardMode(data, slopes)

    @staticmethod
    def lifted(x):
        return x if isinstance(x, ForwardMode) else ForwardMode(x, {})

    def __add__(self, other):
        other = self.lifted(other)
        return self.combined(self.data + other.data, 1, other, 1)

    def __mul__(self, other):
        other = self.lifted(other)
        return self.combined(self.data * other.data, other.data, other, self.data)

    def __sub__(self, other):
        return self + self.lifted(other) * -1

    def __rsub__(self, other):
        return self.lifted(other) - self

    def tanh(self):
        out = math.tanh(self.data)
        return self.combined(out, 1 - out * out, ForwardMode(0.0, {}), 0)

    def backward(self):
        for leaf, slope in self.slopes.items():
            leaf.grad += slope


class Tape:
    """All nodes in the order in which they were made, through which a pass goes backwards."""

    tape: ClassVar = []

    def __init__(self, data, *edges):
        self.data, self.grad, self.place = float(data), 0.0, len(Tape.tape)
        Tape.tape.append((self, edges))

    def __add__(self, other):
        return Tape(self.data + other.data, (self, 1.0), (other, 1.0))

    def __truediv__(self, other):
        out = self.data / other.data
        return Tape(out, (self, 1.0 / other.data), (other, -out / other.data))

    def __rtruediv__(self, other):
        return Tape(other) / self

    def log(self):
        return Tape(math.log(self.data), (self, 1.0 / self.data))

    def backward(self):
        slopes = {self: 1.0}
        for place in range(self.place, -1, -1):
            made, edges = Tape.tape[place]
            slope = slopes.pop(made, 0.0)
            made.grad = slope if edges else made.grad + slope
            for parent, partial in edges if slope else ():
                slopes[parent] = slopes.get(parent, 0.0) + slope * partial


class Closures:
    """micrograd's way, with what was wrong in it mended."""

    def __init__(self, data, parents=()):
        self.data, self.grad, self._prev, self._backward = data, 0, parents, lambda out: None

    def made(self, data, parents, backward):
        out = Closures(data, parents)
        out._backward = backward
        return out

    def __add__(self, other):
        def backward(out):
            self.grad += out.grad
            other.grad += out.grad

        return self.made(self.data + other.data, (self, other), backward)

    def __pow__(self, n):
        assert n in range(1, 10), "powers of whole positive exponents"
        x = self.data

        def backward(out):
            self.grad += n * x ** (n - 1) * out.grad

        return self.made(self.data**n, (self,), backward)

    def sigmoid(self):
        y = 0.5 + 0.5 * math.tanh(self.data / 2)

        def backward(out):
            self.grad += y * (1 - y) * out.grad

        return self.made(y, (self,), backward)

    def tanh(self):
        raise NotImplementedError("an exercise")

    order = Tiny.order

    @property
    def parents(self):
        return self._prev

    def backward(self, retain_graph=True):
        order = self.order()
        for inner in order:
            inner.grad = 0 if inner._prev else inner.grad
        self.grad = 1
        for inner in reversed(order):
            inner._backward(inner)


class Exact(Tiny):
    """Fractions for numbers, and no second pass over a graph."""

    def __init__(self, data, *edges):
        super().__init__(0.0, *edges)
        self.data, self.grad, self.passed = Fraction(data), Fraction(0), False

    def backward(self):
        if any(inner.passed for inner in self.order()):
            raise RuntimeError("there is one pass for each graph")
        for inner in self.order():
            inner.passed = bool(inner.parents)
        super().backward()


class GivesValues(Tiny):
    """The gradients are nodes."""

    def backward(self):
        for leaf in self.order():
            leaf.grad = leaf.grad.data if isinstance(leaf.grad, Tiny) else leaf.grad
        super().backward()
        for leaf in self.order():
            leaf.grad = type(self)(leaf.grad)


class Chatty(Tiny):
    def backward(self):
        print("backward")
        super().backward()


RIGHT = [
    *(OnlyAddsAndMultiplies, ForwardMode, Closures, GivesValues, Chatty),
    *(pytest.param(engine, marks=pytest.mark.slow) for engine in (Exact, Tape)),  # as they are
]


@named(RIGHT)
def test_a_right_engine_is_accused_of_nothing(engine):
    assert report(engine).failures == {}


def test_a_class_is_not_asked_for_what_it_does_not_offer():
    class Bare:
        def __init__(self, data):
            self.data, self.grad = data, 0.0

        def backward(self):
            self.grad += 1.0

    assert report(Bare).failures == {}
    assert {"x + y has its derivatives", "x.tanh() has its derivative"} <= {
        *report(Bare).not_offered
    }


def test_a_function_that_makes_nodes_is_an_engine():
    assert LAWS[0].failure(lambda x: Tiny(x)) is None


def test_a_number_on_the_right_of_a_difference_is_asked_for_on_the_left_too():
    class OneSided:
        def __init__(self, data):
            self.data = data

        def __sub__(self, y):
            return OneSided(self.data - y)

        def backward(self):
            pass

    law = "a number may stand on the left"
    assert failure(law, OneSided).case.program.splitlines()[1] == "y = 2.0 - x"
    with pytest.raises(SkipTest):
        BY_NAME[law].check(OnlyAddsAndMultiplies)


@pytest.mark.parametrize(
    ("method", "name"),
    [("tanh", "x.tanh() has its derivative"), ("__sub__", "x - y has its derivatives")],
)
def test_what_a_class_defines_is_asked_for_even_if_it_always_raises(method, name):
    engine = tiny(**{method: lambda *operands: math.nothing_of_this_name})
    assert failure(name, engine).got.startswith("AttributeError: module 'math' has no")


# ---- engines that run wild


def hang(x):
    while True:
        pass


def leave(x):
    raise SystemExit


def hang_on(x):
    while True:
        with contextlib.suppress(Exception):
            hang(x)


@pytest.mark.parametrize(
    ("method", "got"),
    [(hang, "no end after"), (hang_on, "no end after"), (leave, "SystemExit")],
    ids=["hang", "hang on", "leave"],
)
def test_an_engine_that_hangs_or_leaves_breaks_a_law_and_not_the_run(method, got):
    before = sys.gettrace()
    assert failure("x.tanh() has its derivative", tiny(tanh=method)).got.startswith(got)
    assert sys.gettrace() is before


def test_an_endless_recursion_is_no_clear_error():
    def recurse(x):
        return x.tanh()

    found = failure("nan is not hidden", tiny(tanh=recurse))
    assert found.wanted == "nan or error"
    assert found.got.startswith("RecursionError")


def test_an_engine_that_prints_does_not_print_into_the_report(capsys):
    LAWS[0].check(Chatty)
    assert capsys.readouterr().out == ""


def test_a_warning_is_no_silent_way_out():
    def warn(x):
        warnings.warn("this has no gradient", stacklevel=1)
        return x.data

    law = "there is no silent way out of the graph"
    assert failure(law, tiny(__float__=warn)) is None
    assert failure(law, tiny(__float__=lambda x: x.data)).got == "2.0"


# ---- the random programs

STEPS = st.tuples(st.sampled_from(FORMULAS), st.integers(0, 2), st.integers(0, 4))


@given(st.lists(st.sampled_from([2.0, 3.0, 0.5, 0.0, -4.0]), min_size=1), st.lists(STEPS))
def test_value_is_exact_to_the_last_digit_on_the_random_programs(numbers, steps):
    case = straight_line(tuple(numbers[:3]), tuple(steps[:12]))
    names = {"Value": Value}
    exec(case.program, names)
    assert [eval(shown, names) for shown, _ in case.claims] == [
        float(wanted) for _, wanted in case.claims
    ]


def test_the_random_program_that_is_found_is_small_and_the_same_each_time():
    engine = BROKEN_BY_NAME["VisitsTheNearestFirst"]
    law = "random programs have their exact gradients"
    first = failure(law, engine)
    assert first == failure(law, engine)
    assert first.case.program.splitlines() == [
        "a = Value(2.0)",
        "b = a + a",
        "c = b + b",
        "d = b + c",
        "d.backward()",
    ]


# ---- what is reported


@named([micrograd.engine.Value, BROKEN_BY_NAME["KeepsTheLastShare"]])
def test_a_reproducer_gives_what_was_got(engine):
    for found in [*report(engine).failures.values(), *report(engine).remarks.values()]:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(found.reproducer, {"Value": engine})
        except Exception as error:
            printed.write(type(error).__name__)
        assert printed.getvalue().strip() == found.got.partition(":")[0]


@named([HidesNaN, micrograd.engine.Value])
def test_a_failure_reads_as_a_claim_a_sentence_and_a_program(engine):
    for name, found in report(engine).failures.items():
        words, program = str(found).split("\n\n", maxsplit=1)
        claim, *sentence = words.splitlines()
        assert claim == name
        assert " ".join(sentence) == found.law.explanation
        assert max(map(len, sentence)) <= 96
        assert textwrap.dedent(program) == found.reproducer
        assert all(line.startswith("    ") for line in program.splitlines())


def test_a_program_ends_with_what_is_wanted_and_what_was_got():
    found = report(HidesNaN).failures["nan is not hidden"]
    assert found.reproducer.endswith("print(y.data)  # wanted nan or an error, got 0.0")


def test_a_report_counts_and_names_what_is_broken_kept_and_not_offered():
    text = str(report(micrograd.engine.Value))
    lines = text.splitlines()
    assert lines[0] == (
        "micrograd.engine.Value: 10 laws broken, 27 kept, 41 on what it does not offer; 5 remarks"
    )
    assert [line for line in lines if line.startswith("BROKEN")] == [
        f"BROKEN: {name}" for name in report(micrograd.engine.Value).failures
    ]
    assert sum(line.startswith("REMARK: ") for line in lines) == 5
    assert "KEPT: a node used twice gets both shares; " in text
    assert "NOT OFFERED: 2 ** x; x ** y; " in text
    assert max(map(len, str(report(Tiny)).splitlines()[1:])) <= 96


def test_a_report_on_a_right_engine_has_no_word_of_mending():
    assert "Mend" not in str(report(Value))


# ---- the laws as text


def test_every_law_has_a_name_of_its_own_and_a_sentence():
    assert len(BY_NAME) == len(LAWS) + len(MANNERS)
    assert all(law.explanation.endswith(".") for law in BY_NAME.values())
    assert [str(law) for law in LAWS] == [law.name for law in LAWS]


@pytest.mark.parametrize(
    ("line", "program", "claims"),
    [
        ("x = 3: y = -x -> y = -3", "x = Value(3.0)\ny = -x", [("y.data", "-3")]),
        (
            "x = nan: -> x' = 0 or error",
            "x = Value(float('nan'))\ny.backward()",
            [("x.grad", "0 or error")],
        ),
        ("-> Value(1) = error", "", [("Value(1)", "error")]),
        ("x = 1: import math -> f(x) = 2", "import math\nx = Value(1.0)", [("f(x)", "2")]),
        (
            "x = 1, w = 2: for _ in range(3): x = x + w -> x = 7, w = 2",
            "x = Value(1.0)\nw = Value(2.0)\nfor _ in range(3):\n    x = x + w",
            [("x.data", "7"), ("w.data", "2")],
        ),
    ],
)
def test_a_line_is_read_as_a_program_and_its_claims(line, program, claims):
    assert Case.parse(line) == Case(program, tuple(claims))


@pytest.mark.parametrize("line", ["", "x = 3: y = x + x", "y.data = 3"])
def test_a_line_that_claims_nothing_is_refused(line):
    with pytest.raises(ValueError, match=re.escape("a case is written as `x = 3: ")):
        Case.parse(line)


@pytest.mark.parametrize(
    ("wanted", "right", "wrong"),
    [
        (
            "3",
            [3, 3.0, Fraction(3), 3 + 1e-12],
            [3.001, None, "three", 3 + 0j, numpy.complex128(3), [3.0]],
        ),
        ("0", [0, -0.0, None], [1e-6, math.nan]),
        ("nan", [math.nan], [0.0, math.inf, None, complex(math.nan)]),
        ("-inf or 1", [-math.inf, 1], [math.inf, 0]),
        ("from -1 to 1", [-1, 0.5, 1.0], [1.001, math.nan, None]),
        ("exactly 5 / 3", [5 / 3], [math.nextafter(5 / 3, 2)]),
        ("(9, 6) or (100, 20)", [(9, 6.0), (100.0, 20)], [(9, 20)]),
        ("error", [], [1.0, None]),
    ],
)
def test_what_is_wanted_is_a_number_a_range_or_one_of_several(wanted, right, wrong):
    def accepted(got):
        return any(meets(option, got) for option in wanted.split(" or "))

    assert all(accepted(got) for got in right)
    assert not any(accepted(got) for got in wrong)


# ---- the ways in


def test_a_law_raises_its_failure_and_skips_what_is_not_offered():
    law = BY_NAME["x.tanh() has its derivative"]
    assert law.check(Tiny) is None
    with pytest.raises(SkipTest, match=r"not offered: x\.tanh\(\)"):
        law.check(micrograd.engine.Value)
    engine = BROKEN_BY_NAME["DerivesTanhByItsOperand"]
    with pytest.raises(AssertionError, match=r"(?s)x\.tanh.*print\(x\.grad\)  # wanted 0\.78"):
        law.check(engine)


@pytest.mark.parametrize("engine", [3, len, int, Fraction], ids=str)
def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(TypeError, match="check needs a class that is made of a number and has"):
        check(engine)


def test_the_command_line_prints_the_report_and_says_by_its_code_whether_a_law_is_broken(capsys):
    assert conformance.main([f"{Tiny.__module__}:Tiny"]) == 0
    assert capsys.readouterr().out.startswith(f"{Tiny.__module__}.Tiny: 0 laws broken")
    assert conformance.main([f"{HidesNaN.__module__}:HidesNaN"]) == 1
    assert "BROKEN: nan is not hidden" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("micrograd", "named as MODULE:CLASS, as in student:Value, got 'micrograd'"),
        (":Value", "named as MODULE:CLASS"),
        ("no_such_module:Value", "cannot load no_such_module:Value: ModuleNotFoundError"),
        ("microgrid:NoSuchClass", "cannot load microgrid:NoSuchClass: AttributeError"),
        ("math:sin", "check needs a class that is made of a number"),
    ],
)
def test_the_command_line_refuses_what_is_no_class(argument, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        conformance.main([argument])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_the_module_runs_as_a_program():
    command = [sys.executable, "-m", "microgrid.testing.conformance", "--help"]
    assert (
        "MODULE:CLASS" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )


def test_an_engine_is_held_to_the_laws_where_hypothesis_is_missing():
    engine = VisitsTheNearestFirst
    program = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from microgrid.testing import conformance\n"
        f"sys.exit(conformance.main(['{engine.__module__}:{engine.__name__}']))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stderr) == (1, "")
    assert "BROKEN: random programs have their exact gradients" in run.stdout
