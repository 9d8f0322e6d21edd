"""Rows and targets in whatever form users have them become plain lists, or one clear error."""

import math
from array import array
from collections import deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import Value
from microgrid.fitting.examples import examples

ROWS = [[1.0, 2.0], [-3.0, 4.0], [5.0, 0.0]]
TARGETS = [0, 1, -1]


class Frame:
    """What pandas' frames and columns have: iteration over names, and `to_numpy`."""

    def __init__(self, data, names):
        self.data, self.names = data, names

    def __iter__(self):
        return iter(self.names)

    def to_numpy(self):
        return np.array(self.data)


ROWS_IN = {
    "lists": lambda: ROWS,
    "tuples": lambda: tuple(map(tuple, ROWS)),
    "ints": lambda: [[int(x) for x in row] for row in ROWS],
    "fractions": lambda: [[Fraction(x) for x in row] for row in ROWS],
    "NumPy's floats": lambda: [[np.float64(x) for x in row] for row in ROWS],
    "NumPy's integers": lambda: [[np.int8(x) for x in row] for row in ROWS],
    "arrays of float16": lambda: np.array(ROWS, dtype=np.float16),
    "arrays of float32": lambda: np.array(ROWS, dtype=np.float32),
    "arrays of float64": lambda: np.array(ROWS),
    "arrays of int64": lambda: np.array(ROWS, dtype=np.int64),
    "arrays of int8": lambda: np.array(ROWS, dtype=np.int8),
    "arrays of objects": lambda: np.array(ROWS, dtype=object),
    "arrays in Fortran's order": lambda: np.array(ROWS, order="F"),
    "a list of arrays": lambda: [np.array(row) for row in ROWS],
    "a view": lambda: np.array([ROWS, ROWS])[1],
    "a generator": lambda: (row for row in ROWS),
    "generators in a generator": lambda: ((x for x in row) for row in ROWS),
    "a deque": lambda: deque(ROWS),
    "Python's arrays": lambda: [array("d", row) for row in ROWS],
    "a dict's values": lambda: dict(enumerate(ROWS)).values(),
    "a frame": lambda: Frame(ROWS, ["width", "height"]),
}
TARGETS_IN = {
    "a list": lambda: TARGETS,
    "a tuple": lambda: tuple(TARGETS),
    "a generator": lambda: (y for y in TARGETS),
    "NumPy's integers": lambda: [np.int8(y) for y in TARGETS],
    "an array of int64": lambda: np.array(TARGETS),
    "an array of int8": lambda: np.array(TARGETS, dtype=np.int8),
    "an array of objects": lambda: np.array(TARGETS, dtype=object),
    "a column": lambda: Frame(TARGETS, range(3)),
}


# ---- what is taken


@pytest.mark.parametrize("form", ROWS_IN)
def test_rows_of_any_form_become_lists_of_floats(form):
    rows, _ = examples(ROWS_IN[form](), TARGETS)
    assert rows == ROWS
    assert {type(row) for row in rows} == {list}
    assert {type(x) for row in rows for x in row} == {float}


@pytest.mark.parametrize("form", TARGETS_IN)
def test_whole_targets_of_any_form_become_ints(form):
    _, targets = examples(ROWS, TARGETS_IN[form]())
    assert targets == TARGETS
    assert {type(y) for y in targets} == {int}


@pytest.mark.parametrize("kind", [float, np.float32, np.float64, Fraction], ids=str)
def test_other_targets_become_floats(kind):
    _, targets = examples(ROWS, [kind(y) for y in TARGETS])
    assert targets == TARGETS
    assert {type(y) for y in targets} == {float}


@pytest.mark.parametrize("y", [[True, False, True], np.array([True, False, True])], ids=repr)
def test_truths_become_ones_and_zeros(y):
    rows, targets = examples([[True], [np.False_], [1]], y)
    assert targets == [1, 0, 1]
    assert {type(target) for target in targets} == {int}
    assert rows == [[1.0], [0.0], [1.0]]


@pytest.mark.parametrize("form", ROWS_IN)
def test_a_target_may_be_a_row_of_its_own(form):
    _, targets = examples(ROWS, ROWS_IN[form]())
    assert targets == ROWS


def test_what_was_given_is_neither_changed_nor_kept():
    X, y = [[1, 2]], [[3, 4]]
    rows, targets = examples(X, y)
    rows[0][0] = targets[0][0] = 99
    assert (X, y) == ([[1, 2]], [[3, 4]])


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.integers(-(10**9), 10**9)), min_size=1))
def test_numbers_keep_their_bits(pairs):
    rows, targets = examples([[x] for x, _ in pairs], [y for _, y in pairs])
    assert rows == [[x] for x, _ in pairs]
    assert targets == [y for _, y in pairs]
    again = examples(np.array(rows), np.array(targets))
    assert again == (rows, targets)


# ---- what is not: the form, the rows, the error, what its message names

REFUSED_ROWS = {
    "None": ([[1, 2], [3, None]], ValueError, "row 1, column 1 of `X` must be a finite .* None"),
    "nan": ([[1, math.nan]], ValueError, "row 0, column 1 of `X` must be a finite .* nan; drop or"),
    "inf": ([[1, 2], [math.inf, 1]], ValueError, "row 1, column 0 of `X` must be .* got inf"),
    "nan in an array": (np.array([[1, np.nan]]), ValueError, "row 0, column 1 of `X`.* nan"),
    "inf of float32": ([[np.float32("-inf")]], ValueError, "row 0, column 0 of `X`.* -inf"),
    "None in an array": (np.array([[1, None]], dtype=object), ValueError, "row 0, column 1 of `X`"),
    "a masked number": (
        np.ma.array([[1.0, 2.0]], mask=[[False, True]]),
        ValueError,
        "row 0, column 1 of `X`",
    ),
    "a string": ([[1, "2"]], TypeError, "row 0, column 1 of `X` must be a plain number, got '2'"),
    "strings": (np.array([["1", "2"]]), TypeError, "row 0, column 0 of `X` .* got '1' .str"),
    "a word": (["ab"], TypeError, "row 0 of `X` must be a list of numbers, got 'ab'"),
    "bytes": ([b"ab"], TypeError, "row 0 of `X` must be a list of numbers, got b'ab'"),
    "a Value": ([[1, Value(2.0)]], TypeError, "row 0, column 1 of `X` .* Value.data=2.0"),
    "a row that is a Value": (
        [Value(2.0)],
        TypeError,
        "row 0 of `X` must be a list of numbers, got Value",
    ),
    "a complex number": ([[1j]], TypeError, "row 0, column 0 of `X` .* got 1j .complex"),
    "a decimal": ([[Decimal(1)]], TypeError, "row 0, column 0 of `X` .* Decimal"),
    "a date": (np.array([["2024-01-01"]], dtype="M8[D]"), TypeError, "row 0, column 0 of `X`"),
    "an int beyond floats": ([[1, 10**400]], ValueError, "row 0, column 1 of `X`"),
    "a fraction beyond floats": ([[Fraction(10**400)]], ValueError, "row 0, column 0 of `X`"),
    "a list in a row": ([[1, [2]]], TypeError, "row 0, column 1 of `X` .* .list"),
    "three dimensions": (np.zeros((2, 3, 4)), TypeError, "row 0, column 0 of `X`"),
    "three dimensions, the last of 1": (np.zeros((2, 3, 1)), TypeError, "row 0, column 0 of `X`"),
    "a dict of columns": (
        {"a": [1, 2]},
        TypeError,
        "`X` must be a list or an array of rows, got {'a'",
    ),
    "a dict in a row": ([{"a": 1}], TypeError, "row 0 of `X` must be a list of numbers, got {"),
    "a text": ("ab", TypeError, "`X` must be a list or an array of rows, got 'ab'"),
    "nothing": (None, TypeError, "`X` must be a list or an array of rows, got None"),
    "a number": (1.0, TypeError, "`X` must be a list or an array of rows, got 1.0"),
    "an array of no dimension": (
        np.array(1.0),
        TypeError,
        "`X` must be a list or an array of rows, got array",
    ),
    "a Value for all": (Value(1.0), TypeError, "`X` must be a list or an array of rows, got Value"),
    "one dimension": ([1.0, 2.0], TypeError, r"row 0 of `X` .* got 1.0; .* \[\[x\] for x in X\]"),
    "an array of one dimension": (np.ones(3), TypeError, r"row 0 of `X` .* \[\[x\] for x in X\]"),
    "floats of one dimension": (np.ones(3, np.float32), TypeError, r"\[\[x\] for x in X\]"),
    "a shorter row": ([[1, 2], [3]], ValueError, "row 1 of `X` must have 2 columns, .* got 1"),
    "a longer row": ([[1], [2], [3, 4]], ValueError, "row 2 of `X` must have 1 column, .* got 2"),
    "an empty row later": (
        [[1], []],
        ValueError,
        "row 1 of `X` must have at least one column, got none",
    ),
    "an empty first row": ([[], []], ValueError, "row 0 of `X`"),
    "no rows": ([], ValueError, "`X` must have at least one row, got none"),
    "no rows in an array": (np.zeros((0, 2)), ValueError, "`X` must have at least one row"),
    "a used-up generator": (iter(()), ValueError, "`X` must have at least one row, got none"),
}
REFUSED_TARGETS = {
    "None": ([1, None], ValueError, "row 1 of `y` must be a finite number, got None; drop or fill"),
    "nan": ([math.nan, 1], ValueError, "row 0 of `y` must be a finite number, got nan"),
    "nan in an array": (np.array([0.0, np.nan]), ValueError, "row 1 of `y` .* got nan"),
    "inf": ([0, -math.inf], ValueError, "row 1 of `y` must be a finite number, got -inf"),
    "a word": (["cat", "dog"], TypeError, "row 0 of `y` must be a plain number, got 'cat' .str"),
    "words of NumPy": (np.array(["cat", "dog"]), TypeError, "row 0 of `y` .* got 'cat'"),
    "a Value": ([0, Value(1.0)], TypeError, "row 1 of `y` must be a plain number, got Value"),
    "a dict": ({0: 1, 1: 2}, TypeError, "`y` must be a list or an array of targets, got {0"),
    "nothing": (None, TypeError, "`y` must be a list or an array of targets, got None"),
    "a text": ("01", TypeError, "`y` must be a list or an array of targets, got '01'"),
    "nan in a row": ([[0.0, 1.0], [1.0, math.nan]], ValueError, "row 1, column 1 of `y` .* nan"),
    "a word in a row": ([[0.0, "1"]] * 2, TypeError, "row 0, column 1 of `y` .* got '1'"),
    "an int beyond floats": ([0, 10**400], ValueError, "row 1 of `y`"),
    "too few": ([1], ValueError, "`X` and `y` must be of one length, got 2 and 1"),
    "too many": ([1, 2, 3], ValueError, "`X` and `y` must be of one length, got 2 and 3"),
    "none": ([], ValueError, "`X` and `y` must be of one length, got 2 and 0"),
}


@pytest.mark.parametrize("form", REFUSED_ROWS)
def test_rows_that_are_not_plain_finite_numbers_are_refused(form):
    X, error, message = REFUSED_ROWS[form]
    with pytest.raises(error, match=message):
        examples(X, [1, 1])


@pytest.mark.parametrize("form", REFUSED_TARGETS)
def test_targets_that_are_not_plain_finite_numbers_are_refused(form):
    y, error, message = REFUSED_TARGETS[form]
    with pytest.raises(error, match=message):
        examples([[1.0], [2.0]], y)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[math.nan]], [1], "row 0, column 0 of `validation X`"),
        ([[1.0]], [None], "row 0 of `validation y`"),
        ([], [], "`validation X` must have at least one row"),
        ([[1.0]], [1, 2], "`validation X` and `validation y` must be of one length"),
    ],
)
def test_the_message_says_which_rows_are_meant(X, y, message):
    with pytest.raises(ValueError, match=message):
        examples(X, y, name="validation ")


# what may stand in a row, and beside what
ENTRIES = [0.0, -0.0, 1.5, 5e-324, 1.7e308, -1.7e308, 1, -7, 2**63, 2**63 + 1, -(2**64), 10**308,
           10**400, -(10**400), math.nan, math.inf, -math.inf, True, Fraction(1, 3),
           Fraction(10**400), np.float64(2.5), np.float32(0.1), np.int8(3), np.bool_(True),
           np.float64("nan"), None, "1", 1j, Decimal(1), [1.0], Value(1.0)]  # fmt: skip


def outcome(X, y):
    """Return what becomes of rows and targets, to the bit: lists with their types, or the error."""
    try:
        return repr(examples(X, y))
    except (TypeError, ValueError) as error:
        return type(error), str(error)


def looked_at(x):
    """Return a number such that it is looked at by itself: in an array without dimensions."""
    return np.array(x) if type(x) in (int, float) else x


def by_number(rows):
    """Return rows of which every number is looked at by itself."""
    return [[*map(looked_at, row)] if isinstance(row, (list, tuple)) else row for row in rows]


@given(
    st.lists(st.lists(st.sampled_from(ENTRIES), max_size=4), min_size=1, max_size=5),
    st.sampled_from([list, tuple, deque, iter]),
)
def test_rows_that_are_read_at_once_are_read_as_those_that_are_not(rows, kind):
    y = [0] * len(rows)
    assert outcome([*map(kind, rows)], y) == outcome(by_number(rows), y)
    X = [[1.0]] * len(rows)
    assert outcome(X, [*map(kind, rows)]) == outcome(X, by_number(rows))


@given(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=4))
def test_targets_that_are_read_at_once_are_read_as_those_that_are_not(targets):
    X = [[1.0]] * len(targets)
    assert outcome(X, targets) == outcome(X, [*map(looked_at, targets)])


@pytest.mark.parametrize("bad", [math.nan, math.inf, 10**400, "1", None, True, 3], ids=repr)
@pytest.mark.parametrize("at", [0, 500, 999])
def test_one_row_of_a_thousand_is_found(bad, at):
    rows = [[float(i), i / 7] for i in range(1000)]
    rows[at] = [rows[at][0], bad]
    assert outcome(rows, [0] * 1000) == outcome(by_number(rows), [0] * 1000)
    rows[at] = [1.0, 2.0, 3.0] if at else [1.0]
    assert outcome(rows, [0] * 1000) == outcome(by_number(rows), [0] * 1000)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f8", "g", "i1", ">i2", "i8", "u8", "?", "O"])
@pytest.mark.parametrize("shape", [(3, 2), (1, 1), (0, 2), (2, 0), (3,)])
def test_arrays_are_read_as_their_lists_are(kind, shape):
    numbers = np.arange(math.prod(shape), dtype="f8").reshape(shape)
    may_end = (math.nan, math.inf) if numbers.size and (kind in "gO" or "f" in kind) else ()
    for last in (1.0, *may_end):
        numbers.flat[-1:] = last
        for data in (numbers.astype(kind), numbers.astype(kind).T):
            assert outcome(data, [0] * 3) == outcome(by_number(data.tolist()), [0] * 3)


@pytest.mark.parametrize(
    "data",
    [
        np.full((2, 2), 1.7e308),
        np.array([[2**63 - 1, -(2**63)]]),
        np.array([[2**64 - 1, 2**53 + 1]], dtype="u8"),
        np.ma.array(np.ones((2, 2)), mask=[[False, True], [False, False]]),
        np.ma.array(np.ones((2, 2))),
        np.zeros((2, 2, 1)),
        np.array([["1", "2"]]),
        np.array([[1j, 2.0]]),
    ],
    ids=repr,
)
def test_so_are_arrays_of_the_largest_numbers_and_of_no_numbers(data):
    assert outcome(data, [0] * len(data)) == outcome(by_number(data.tolist()), [0] * len(data))


@given(st.integers(0, 30), st.integers(0, 5), st.sampled_from([None, math.nan, math.inf]))
def test_the_place_of_what_is_missing_is_named_wherever_it_is(row, column, missing):
    X = [[float(i + j) for j in range(6)] for i in range(31)]
    X[row][column] = missing
    with pytest.raises(ValueError, match=f"^row {row}, column {column} of `X` .*, got {missing}"):
        examples(X, [0] * 31)
