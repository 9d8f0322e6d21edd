"""The laws of seeds: a seed names one stream of numbers, and the global stream is nobody's."""

import random
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.guards.seeding import generator


@given(st.integers(0, 2**200))
def test_an_integer_names_pythons_own_stream(seed):
    assert generator(seed).getstate() == Random(seed).getstate()


@pytest.mark.parametrize("seed", [np.int64(7), np.uint8(7), np.int16(7)], ids=repr)
def test_an_integer_of_numpy_is_that_integer(seed):
    assert generator(seed).getstate() == Random(7).getstate()


def test_a_generator_is_used_itself():
    mine = Random(3)
    assert generator(mine) is mine


def test_none_is_another_stream_each_time():
    assert generator(None).getstate() != generator(None).getstate()


def test_the_global_stream_is_neither_read_nor_moved():
    random.seed(1)
    before = random.getstate()
    first = generator(None).random()
    assert random.getstate() == before
    random.seed(1)
    assert generator(None).random() != first


@pytest.mark.parametrize(
    ("seed", "error"),
    [
        (-1, ValueError),
        (np.int64(-1), ValueError),
        (True, TypeError),
        (np.True_, TypeError),
        (1.0, TypeError),
        (Fraction(2), TypeError),
        ("1", TypeError),
        ([1], TypeError),
        (random, TypeError),
        (Random, TypeError),
    ],
    ids=repr,
)
def test_what_is_no_seed_is_refused(seed, error):
    with pytest.raises(error, match=r"`seed` must be an integer, at least 0, .*, got "):
        generator(seed)
