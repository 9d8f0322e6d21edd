"""The errors of operations: in one line what failed, and known as such wherever they go."""

import copy
import pickle

import pytest

from microgrid import Primitive, Value, log
from microgrid.core.failures import failure_of


def fail(x):
    raise ValueError("the first line\nthe second line")


several_lines = Primitive("of several lines", fail, lambda out, x: (1,))


def test_what_a_rule_of_a_user_says_is_told_in_one_line():
    with pytest.raises(ValueError, match=r"^of several lines of a = 2\.0: the first line$"):
        several_lines(Value(2.0, label="a"))


def prefix(error):
    error.args = ("layer 3", *error.args)
    return error


@pytest.mark.parametrize(
    "pass_on",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error)), prefix],
    ids=["copied", "copied deeply", "pickled", "with more arguments"],
)
def test_an_operations_error_is_known_after_it_was_passed_on(pass_on):
    with pytest.raises(ValueError, match="log of") as caught:
        log(Value(-1.0))
    passed_on = pass_on(caught.value)
    assert type(passed_on) is ValueError
    assert failure_of(passed_on).finding == failure_of(caught.value).finding
    assert failure_of(ValueError(str(passed_on))) is None
