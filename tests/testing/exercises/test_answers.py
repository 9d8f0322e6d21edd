"""Answers to exercises: right ones are accepted, wrong ones told why, and anything is judged."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from microgrid import Primitive, Value, exp, no_grad
from microgrid.drawing import draw, explain
from microgrid.testing import check
from microgrid.testing.conformance import cases
from microgrid.testing.exercises import BUGS, EXERCISES, Reply
from microgrid.testing.exercises.bugs import SOURCE
from tests.testing.exercises import derivatives, networks, programs


def raise_an_error(*args):
    raise RuntimeError(args)


a, b = Value(1.0), Value(2.0)
can = Primitive(
    "can",
    lambda r, h: 2 * math.pi * r * (r + h),
    lambda out, r, h: (2 * math.pi * (2 * r + h), 2 * math.pi * r),
)
can_by_one = Primitive(
    "can by one",
    lambda r, h: 2 * math.pi * r * (r + h),
    lambda out, r, h: (2 * math.pi * (r + h), 2 * math.pi * r),
)


can_turned = Primitive(
    "can turned",
    lambda r, h: 2 * math.pi * r * (r + h),
    lambda out, r, h: (2 * math.pi * r, 2 * math.pi * (2 * r + h)),
)
can_without_out = Primitive(
    "can without out", lambda r, h: 2 * math.pi * r * (r + h), lambda r, h: (r, h)
)
can_of_nothing = Primitive("can of nothing", lambda r, h: None, lambda out, r, h: (r, h))
broken = Primitive("broken", lambda x: x, lambda out, x: raise_an_error(x))


def without_gradients(x):
    with no_grad():
        return x.sigmoid()


def root_of_10(steps):
    x = Fraction(2)
    for _ in range(steps):
        x -= (x**3 - 10) / (3 * x**2)
    return x


def slope_of_three_tanhs():
    w = Value(2.0)
    w.tanh().tanh().tanh().backward()
    return w.grad


RIGHT = {
    "1.1": [(6.0, -2.0), [Value(6.0), Value(-2.0)]],
    "1.2": [lambda x, y: 2 * y + 1],
    "1.3": [lambda x: 1 / (1 + exp(-x)), lambda x: x.sigmoid()],
    "1.4": [math.sqrt(2), 1.4142, Value(1.4142)],
    "1.5": [can],
    "1.6": [root_of_10(5)],
    "1.7": [a * b, (a + 1.0)],
    "2.1": [(2.0, 5.0)],
    "2.2": [("/", "neg"), {"/", "-"}, "neg, /", " - and / "],
    "2.3": [(4, 6, 4, 4)],
    "2.4": [(a + 1.0) * (b + 1.0)],
    "2.5": [slope_of_three_tanhs()],
    "2.6": ["momentum", "Momentum, or the heavy ball"],
    "2.7": [1],
    "2.8": [0.0],
    **networks.RIGHT,
    **derivatives.RIGHT,
    **programs.RIGHT,
    **{f"9.{bug.number}": [bug.line] for bug in BUGS},
}
WRONG = {
    "1.1": {
        (-2.0, 6.0): "Which of the two is that of a?",
        (2.0, 2.0): "That is one share of each",
        (4.0, -4.0): "That is one share of each",
        (6.0, 2.0): "what does b do if it rises",
        (3.0, -1.0): "add up both shares",
    },
    "1.2": {
        (lambda x, y: y + 1): "after the first pass",
        (lambda x, y: y): "the second pass alone",
        (lambda x, y: 3 * y + 1): "u begins each one at 0",
        (lambda x, y: x): "slopes of v and of w",
    },
    "1.3": {
        (lambda x: 1 / (1 + exp(x))): "Is the sign of x right?",
        (lambda x: 1 + exp(-x)): "Is it one half at 0",
        (lambda x: x.tanh()): "Is it one half at 0",
        (lambda x: 1 / (1 + math.exp(-x.data))): "yours returns 0.622",
        (lambda x: Value(1 / (1 + math.exp(-x.data)))): "no gradient reaches x: is all of it",
        without_gradients: "constants alone",
        (lambda x: 1 / (1 + math.exp(-x.data)) + 0.0 * x): "no gradient reaches x",
        (lambda x: x.sigmoid() + x - x.data): "the slope is not: is a part of it",
        (lambda x: x.sigmoid() + 0.0 * broken(x)): "is right, and `backward` raises",
    },
    "1.4": {
        -math.sqrt(2): "on a hill",
        1.3: "Near: take more steps",
        2 - 4 * math.sqrt(2): "how deep",
        5.0: "which way does it bend",
    },
    "1.5": {
        can_by_one: "r is in two factors",
        can_turned: "Which of the two partials is that of r",
        can_without_out: "`out`, r and h",
        can_of_nothing: "`out`, r and h",
    },
    "1.6": {root_of_10(2): "take another step"},
    "1.7": {a * a * b: "Three nodes were asked for", (a * a).tanh(): "used twice"},
    "2.1": {
        (2.0, 2.0): "b stands in both factors",
        (3.0, 5.0): "is the other factor",
        (5.0, 2.0): "Which of the two is that of a?",
    },
    "2.2": {
        "/": "That is one",
        "division": "as in the picture",
        ("+", "exp"): "fall where their operand rises",
    },
    "2.3": {
        (4, 6, 4, 6): "Look at number 4. x * x is one node",
        (4, 6, 2, 4): "goes on in two",
        (3, 6, 4, 4): "Look at number 1. Each product",
    },
    "2.4": {((a + 1.0) * b + 1.0): "one is made of the other", a * b: "it has 0 inner nodes"},
    "2.5": {
        (1 - math.tanh(2.0) ** 2) ** 3: "Each slope is 1 - out²",
        1 - math.tanh(2.0) ** 2: "more of them, or with fewer",
        math.tanh(math.tanh(math.tanh(2.0))): "the number at the root",
    },
    "2.6": {"friction": "what does a rolling ball keep"},
    "2.7": {0: "not multiplied by anything", 4: "multiplied by what a neuron gives"},
    "2.8": {1.0: "the sum of the probabilities", 0.5: "all logits rise by the same"},
    **networks.WRONG,
    **derivatives.WRONG,
    **programs.WRONG,
    **{f"9.{bug.number}": {bug.line + 1: "", 1: bug.hint} for bug in BUGS},
}


FUNCTIONS = [len, Value, raise_an_error, lambda *args: None, lambda *args: args]
ANYTHING = [*FUNCTIONS, None, "no", "", 5j, object(), [], {}, (1, 2, 3), True, math.nan, 10**400]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_answers_are_right_and_wrong_ones_are_told_why(exercise):
    for answer in RIGHT[exercise]:
        assert check(exercise, answer), (answer, check(exercise, answer))
        assert re.match("Right", repr(check(exercise, answer)))
    for answer, words in WRONG[exercise].items():
        reply = check(exercise, answer)
        assert not reply
        assert words in repr(reply)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_answers_of_any_type_are_judged(exercise):
    for answer in ANYTHING:
        reply = check(exercise, answer)
        assert isinstance(reply, Reply)
        assert not reply
        assert reply.words.endswith((".", "?"))


def test_a_function_that_raises_is_told_where_and_what():
    def unlucky(*args):
        raise LookupError("no luck today.")

    said = r": at .* yours raises LookupError, no luck today\.$"
    told = [name for name in EXERCISES if re.search(said, check(name, unlucky).words)]
    assert " ".join(told) == "1.2 1.3 3.2 3.4 3.6 5.4 6.3 6.4 6.5 6.6 8.2 8.6"


def test_a_reply_to_a_wrong_answer_does_not_show_the_right_one():
    for exercise, answers in WRONG.items():
        for answer in answers:
            words = check(exercise, answer).words
            for right in RIGHT[exercise]:
                assert repr(right) not in words.split()
    for bug in BUGS:
        said = {bug.judge(n).words for n in range(1, bug.line)}
        assert not any(f"line {bug.line} " in words or bug.meaning in words for words in said)


def test_an_exercise_that_has_no_check_is_refused():
    with pytest.raises(ValueError, match=r"^lesson 1 has the exercises 1\.1 to 1\.7, got '1\.99'$"):
        check("1.99", 5)
    known = r"^check knows the exercises of lessons 1 to 9, such as 1\.1, got "
    for name in ("", "12.1", "sigmoid", "0.1"):
        with pytest.raises(ValueError, match=f"{known}'{name}'$"):
            check(name, 5)


def test_a_function_that_returns_something_else_is_told_what_it_returns():
    functions = [name for name in EXERCISES if "yours raises" in check(name, raise_an_error).words]
    for name in functions:
        words = check(name, lambda *args: "seven").words
        assert re.search(r": at .* yours returns 'seven'\.$", words), words
    assert "yours returns 1." in check("3.4", lambda row: 1).words


def test_several_wrong_numbers_are_listed_as_one_writes_them():
    assert "Look at numbers 1 and 3. " in check("5.1", (0, 12, 0, 24, 5)).words
    assert "Look at numbers 2, 3, 4 and 5. " in check("5.1", (2, 0, 0, 0, 0)).words


# ---- the bugs


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug.number))
def test_a_bug_is_one_line_and_the_program_shows_it(bug):
    assert bug.source.count("\n") == BUGS[0].source.count("\n")
    assert "# wanted" in bug.program
    names = {}
    exec(compile(SOURCE, "mended", "exec"), names)
    assert bug.case.wrong(names["Value"]) is None
    assert isinstance(cases.run(bug.engine, "x = Value(2.0)", "x")[0], float)
    assert repr(bug).splitlines()[bug.line - 1] == f"{bug.line:2}  {bug.wrong}"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug.number))
def test_a_line_is_named_by_its_number_of_any_type_or_as_it_is_printed(bug):
    printed = repr(bug).splitlines()[bug.line - 1]
    for answer in (np.int64(bug.line), np.array(bug.line), f" {bug.line}", printed):
        assert bug.judge(answer), answer
    for answer in ("0", "999", "9" * 5000, "²", 1e400, np.arange(3), float(bug.line), True, -1):
        assert "An answer is the number of a line" in bug.judge(answer).words


def test_the_wrong_picture_of_a_bug_can_be_drawn_and_explained():
    x = BUGS[0].engine(5.0)
    w = BUGS[0].engine(2.0)
    y = x - w
    y.backward()
    assert "grad = 1.0" in draw(y).source
    assert "but the node has 1" in str(explain(y, w))
