"""Answers to exercises: right ones are accepted, wrong ones told why, and anything is judged."""

import math
import re
from fractions import Fraction

import pytest

from microgrid import Primitive, Value, exp
from microgrid.drawing import draw, explain
from microgrid.testing import check
from microgrid.testing.conformance import cases
from microgrid.testing.exercises import BUGS, EXERCISES, Reply
from microgrid.testing.exercises.bugs import SOURCE
from tests.testing.exercises import derivatives, networks, programs

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
    "2.2": [("/", "neg"), {"/", "-"}],
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
        (6.0, 2.0): "what does b do if it rises",
        (3.0, -1.0): "add up both shares",
    },
    "1.2": {
        (lambda x, y: y + 1): "after the first pass",
        (lambda x, y: y): "the second pass alone",
        (lambda x, y: x): "slopes of v and of w",
    },
    "1.3": {
        (lambda x: 1 / (1 + exp(x))): "the value is right at 0.0, the slope is not",
        (lambda x: 1 + exp(-x)): "At 0 it is one half",
        (lambda x: 1 / (1 + math.exp(-x.data)) + 0.0 * x): "the slope is not",
    },
    "1.4": {-math.sqrt(2): "on a hill", 1.3: "Take more of them", 5.0: "which way does it bend"},
    "1.5": {can_by_one: "r is in two factors"},
    "1.6": {root_of_10(2): "take another step"},
    "1.7": {a * a * b: "Three nodes were asked for", (a * a).tanh(): "used twice"},
    "2.1": {(2.0, 2.0): "b stands in both factors", (5.0, 2.0): "is the other factor"},
    "2.2": {"/": "That is one", ("+", "exp"): "fall where their operand rises"},
    "2.3": {(4, 6, 4, 6): "Look at number 4"},
    "2.4": {((a + 1.0) * b + 1.0): "one is made of the other", a * b: "it has 0 inner nodes"},
    "2.5": {0.5: "Each slope is 1 - out²"},
    "2.6": {"friction": "what does a rolling ball keep"},
    "2.7": {0: "not multiplied by anything", 4: "multiplied by what a neuron gives"},
    "2.8": {1.0: "all logits rise by the same"},
    **networks.WRONG,
    **derivatives.WRONG,
    **programs.WRONG,
    **{f"9.{bug.number}": {bug.line + 1: "", 1: bug.hint} for bug in BUGS},
}


def raise_an_error(*args):
    raise RuntimeError(args)


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
    with pytest.raises(ValueError, match=r"check knows the exercises 1\.1, .*, got '1\.99'"):
        check("1.99", 5)


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


def test_the_wrong_picture_of_a_bug_can_be_drawn_and_explained():
    x = BUGS[0].engine(5.0)
    w = BUGS[0].engine(2.0)
    y = x - w
    y.backward()
    assert "grad = 1.0" in draw(y).source
    assert "but the node has 1" in str(explain(y, w))
