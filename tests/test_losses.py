"""The laws of losses: their formulas, their gradients, PyTorch's figures, and what they refuse."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from microgrid import Value, losses
from microgrid.losses import (
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    huber,
    squared_error,
)

RECORDED = json.loads((Path(__file__).parent / "recorded" / "pytorch.json").read_text())
OURS = {
    "mse_loss": squared_error,
    "l1_loss": absolute_error,
    "huber_loss": huber,
    "hinge": hinge,
    "binary_cross_entropy_with_logits": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}
# A few roundings on either side, of values and of gradients that are 1e-14 and less of a logit.
FIGURES = {"rel_tol": 1e-14, "abs_tol": 1e-16}
# sigmoid(-30) by way of 1 - sigmoid(30) keeps the bits of 1, as PyTorch's does by another way.
CANCELLED = {"rel_tol": 1e-14, "abs_tol": 2.0**-52}
# cross_entropy is a difference of numbers of the size of the logits, each rounded to its last bits.
OF_THE_LOGITS = 4 * 2.0**-53
# A handful of roundings: the formula is computed in another order.
ROUNDING = {"rel": 1e-14, "abs": 1e-15}

# loss, a target it takes
ELEMENTWISE = [
    (squared_error, 0.25),
    (absolute_error, 0.25),
    (huber, 0.25),
    (hinge, -1),
    (binary_cross_entropy, 1),
]
elementwise = pytest.mark.parametrize(
    ("loss", "target"), ELEMENTWISE, ids=[loss.__name__ for loss, _ in ELEMENTWISE]
)
MODERATE = st.floats(-30, 30)  # where the textbook's formulas still serve
FINITE = st.floats(-1e150, 1e150)
SIGNS = st.sampled_from([-1, 1])


def with_slopes(loss, predictions, *rest):
    """Return a loss of a list, or of one number, and its derivative by each prediction."""
    if not isinstance(predictions, list):
        value, (slope,) = with_slopes(lambda xs, *rest: loss(xs[0], *rest), [predictions], *rest)
        return value, slope
    leaves = [Value(x) for x in predictions]
    result = loss(leaves, *rest)
    result.backward()
    return result.data, [leaf.grad for leaf in leaves]


# ---- figures from PyTorch


def named(record):
    return "-".join(str(record[key]) for key in ["name", "options", "prediction", "target"])


@pytest.mark.parametrize("record", RECORDED["losses"], ids=named)
def test_value_and_gradient_are_pytorchs(record):
    loss, rest = OURS[record["name"]], [record["target"], *record["options"].values()]
    value, slopes = with_slopes(loss, record["prediction"], *rest)
    of_logits = OF_THE_LOGITS * max(map(abs, [1.0, *record["prediction"]]))
    bounds = {
        binary_cross_entropy: [FIGURES, CANCELLED],
        cross_entropy: [{"rel_tol": 0.0, "abs_tol": of_logits}] * 2,
    }
    of_value, of_slope = bounds.get(loss, [FIGURES, FIGURES])
    assert math.isclose(value, record["value"], **of_value)
    for got, want in zip(slopes, record["gradient"], strict=True):
        assert math.isclose(got, want, **of_slope), (slopes, record["gradient"])


def test_every_loss_stands_in_the_recording():
    recorded = {OURS[record["name"]].__name__ for record in RECORDED["losses"]}
    assert recorded == set(losses.__all__)


# ---- formulas and gradients


@given(FINITE, FINITE)
def test_squared_error_is_the_square_of_the_error(p, t):
    assert with_slopes(squared_error, p, t) == ((p - t) ** 2, 2 * (p - t))


@given(FINITE, FINITE)
def test_absolute_error_has_the_slope_of_the_side_it_is_on(p, t):
    assert with_slopes(absolute_error, p, t) == (abs(p - t), (p > t) - (p < t))


@given(FINITE, FINITE, st.floats(1e-3, 1e3))
def test_huber_is_half_a_square_inside_and_a_line_outside(p, t, delta):
    error = p - t
    value, slope = with_slopes(huber, p, t, delta)
    inside = abs(error) <= delta
    formula = error * error / 2 if inside else delta * (abs(error) - delta / 2)
    assert value == pytest.approx(formula, rel=1e-14, abs=0)
    assert slope == (error if inside else math.copysign(delta, error))


@given(MODERATE, MODERATE)
def test_huber_lies_between_its_two_limits(p, t):
    assert huber(p, t, math.inf) == pytest.approx(squared_error(p, t) / 2, **ROUNDING)
    small = 1e-6
    difference = absolute_error(p, t) - huber(p, t, small) / small
    assert -1e-9 <= difference <= small / 2 + 1e-9  # 30 / 1e-6 has roundings of about 4e-9


@given(MODERATE, SIGNS)
def test_hinge_is_what_is_missing_from_the_margin(p, t):
    missing = 1 - t * p
    assert with_slopes(hinge, p, t) == (max(0.0, missing), -t if missing > 0 else 0.0)


@given(MODERATE, st.floats(0, 1))
def test_binary_cross_entropy_is_the_textbooks(x, t):
    p, q = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(x))
    value, slope = with_slopes(binary_cross_entropy, x, t)
    formula = t * math.log1p(math.exp(-x)) + (1 - t) * math.log1p(math.exp(x))
    assert value == pytest.approx(formula, **ROUNDING)
    assert slope == pytest.approx((1 - t) * p - t * q, rel=1e-13, abs=2.0**-52)


@given(st.lists(MODERATE, min_size=1, max_size=6), st.data())
def test_cross_entropy_is_the_textbooks(logits, data):
    target = data.draw(st.integers(0, len(logits) - 1))
    powers = [math.exp(x) for x in logits]
    shares = [power / sum(powers) for power in powers]
    value, slopes = with_slopes(cross_entropy, logits, target)
    rounding = 1e-13  # of logits up to 30, whose difference may be small
    assert value == pytest.approx(-math.log(shares[target]), rel=1e-13, abs=rounding)
    wanted = [share - (i == target) for i, share in enumerate(shares)]
    assert slopes == pytest.approx(wanted, rel=1e-12, abs=rounding)


@pytest.mark.parametrize(
    ("loss", "prediction", "slope"),
    [
        (lambda p: squared_error(p, 1.0), 1.0, 0.0),
        (lambda p: absolute_error(p, 1.0), 1.0, 0.0),  # the least of the slopes between -1 and 1
        (lambda p: huber(p, 0.0), 1.0, 1.0),  # both sides agree at the seam
        (lambda p: huber(p, 0.0), -1.0, -1.0),
        (lambda p: huber(p, 0.5, 0.25), 0.75, 0.25),
        (lambda p: hinge(p, 1), 1.0, 0.0),
        (lambda p: hinge(p, -1), -1.0, 0.0),
        (lambda p: hinge(p, 1), math.nextafter(1.0, 0.0), -1.0),
    ],
)
def test_the_derivative_at_a_kink_is_as_documented(loss, prediction, slope):
    assert with_slopes(loss, prediction)[1] == slope


# ---- symmetries


@given(MODERATE, SIGNS)
def test_both_classes_are_treated_alike(x, sign):
    assert hinge(x, sign) == hinge(-x, -sign)
    assert binary_cross_entropy(x, 1) == binary_cross_entropy(-x, 0)


@given(MODERATE)
def test_cross_entropy_of_two_logits_is_the_binary_one_of_their_difference(x):
    rounding = OF_THE_LOGITS * max(abs(x), 1.0)
    assert cross_entropy([0.0, x], 1) == pytest.approx(binary_cross_entropy(x, 1), abs=rounding)


@given(st.lists(MODERATE, min_size=2, max_size=5), st.integers(-1000, 1000))
def test_cross_entropy_sees_only_differences_of_logits(logits, shift):
    moved = [x + shift for x in logits]
    rounding = OF_THE_LOGITS * 1030
    assert cross_entropy(moved, 0) == pytest.approx(cross_entropy(logits, 0), rel=0, abs=rounding)


@given(st.lists(MODERATE, min_size=2, max_size=5), st.data())
def test_the_gradient_of_cross_entropy_sums_to_nothing(logits, data):
    target = data.draw(st.integers(0, len(logits) - 1))
    _, slopes = with_slopes(cross_entropy, logits, target)
    assert math.fsum(slopes) == pytest.approx(0, abs=1e-14)


@elementwise
def test_the_loss_is_never_negative(loss, target):
    @given(FINITE)
    def law(p):
        assert loss(p, target) >= 0

    law()


# ---- extreme logits


@pytest.mark.parametrize(
    ("x", "t", "value", "slope"),
    [
        (1000.0, 1, 0.0, 0.0),
        (1000.0, 0, 1000.0, 1.0),
        (-1000.0, 1, 1000.0, -1.0),
        (-1000.0, 0, 0.0, 0.0),
        (1000.0, 0.5, 500.0, 0.5),
        (1e308, 0, 1e308, 1.0),
        (-1e308, 1, 1e308, -1.0),
    ],
)
def test_binary_cross_entropy_is_exact_in_its_limits(x, t, value, slope):
    assert with_slopes(binary_cross_entropy, x, t) == (value, slope)


@pytest.mark.parametrize(
    ("logits", "target", "value", "slopes"),
    [
        ([1000.0, -1000.0], 0, 0.0, [0.0, 0.0]),
        ([1000.0, -1000.0], 1, 2000.0, [1.0, -1.0]),
        ([-1000.0, 1000.0], 0, 2000.0, [-1.0, 1.0]),
        ([-1000.0, -1000.0], 0, math.log(2), [-0.5, 0.5]),
        ([1000.0, 1000.0], 1, math.log(2), [0.5, -0.5]),
        ([800.0, 0.0], 1, 800.0, [1.0, -1.0]),
        ([-800.0, 0.0], 0, 800.0, [-1.0, 1.0]),
    ],
)
def test_cross_entropy_is_right_in_its_limits(logits, target, value, slopes):
    got, gradient = with_slopes(cross_entropy, logits, target)
    rounding = OF_THE_LOGITS * 1000
    assert got == pytest.approx(value, abs=rounding)
    assert gradient == pytest.approx(slopes, abs=rounding)


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=5), st.data())
def test_cross_entropy_and_its_gradient_are_finite(logits, data):
    target = data.draw(st.integers(0, len(logits) - 1))
    value, slopes = with_slopes(cross_entropy, logits, target)
    assert all(map(math.isfinite, [value, *slopes]))
    assert value >= -OF_THE_LOGITS * 1000


# ---- numbers and sequences


@elementwise
def test_floats_in_floats_out_as_with_values(loss, target):
    @given(MODERATE)
    def law(p):
        assert type(loss(p, target)) in (float, int)
        assert loss(p, target) == loss(Value(p), target).data

    law()


def test_cross_entropy_of_floats_is_a_float():
    assert type(cross_entropy([1.0, 2.0], 0)) is float


@elementwise
@pytest.mark.parametrize("sequence", [list, tuple, np.array], ids=["list", "tuple", "array"])
def test_the_loss_of_a_sequence_is_the_mean_of_its_numbers(loss, target, sequence):
    @given(st.lists(MODERATE, min_size=1, max_size=5))
    def law(predictions):
        value, slopes = with_slopes(loss, predictions, sequence([target] * len(predictions)))
        each = [with_slopes(loss, p, target) for p in predictions]
        assert value == pytest.approx(math.fsum(v for v, _ in each) / len(each), **ROUNDING)
        assert slopes == pytest.approx([slope / len(each) for _, slope in each], **ROUNDING)

    law()


@elementwise
def test_predictions_may_be_a_tuple_or_an_array_of_values(loss, target):
    leaves = [Value(0.5), Value(-2.0)]
    wanted = loss([0.5, -2.0], [target] * 2)
    assert loss(tuple(leaves), [target] * 2).data == wanted
    assert loss(np.array(leaves), [target] * 2).data == wanted


@elementwise
@pytest.mark.parametrize("number", [float, Fraction, np.float64, np.float32], ids=lambda n: str(n))
def test_targets_are_numbers_of_any_kind(loss, target, number):
    assert loss(Value(0.5), number(target)).data == loss(0.5, target)


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.int8], ids=lambda n: n.__name__)
def test_whole_targets_of_numpy_are_taken(integer):
    assert hinge(0.25, integer(-1)) == hinge(0.25, -1)
    assert binary_cross_entropy(0.25, integer(1)) == binary_cross_entropy(0.25, 1)
    assert cross_entropy([0.25, 1.0], integer(1)) == cross_entropy([0.25, 1.0], 1)


def test_gradients_flow_to_targets_that_are_values():
    target = Value(0.25)
    squared_error(Value(1.0), target).backward()
    assert target.grad == -1.5


# ---- what is refused

NUMBERS = [int, float, np.int64, np.float64, np.float32]
any_number = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.__name__)


@any_number
@pytest.mark.parametrize("target", [0, 2, -2])
def test_hinge_refuses_a_target_that_is_no_sign(target, number):
    with pytest.raises(ValueError, match=r"hinge needs a target of -1 or 1, got .*2 \* target - 1"):
        hinge(Value(0.5), number(target))


@any_number
@pytest.mark.parametrize("target", [-1, 2])
def test_binary_cross_entropy_refuses_what_is_no_probability(target, number):
    with pytest.raises(ValueError, match="binary_cross_entropy needs a target from 0 to 1, got"):
        binary_cross_entropy(Value(0.5), number(target))


@pytest.mark.parametrize("loss", [hinge, binary_cross_entropy])
def test_a_target_that_is_not_a_number_is_refused(loss):
    with pytest.raises(ValueError, match=r"needs a target .* got nan"):
        loss(Value(0.5), math.nan)


def test_a_wrong_target_within_a_list_is_refused():
    with pytest.raises(ValueError, match=r"got 0\.0;"):
        hinge([Value(0.5), Value(1.0)], [1, 0])


@pytest.mark.parametrize(
    "target", [1.0, 0.5, "1", None, np.float64(1.0), [1], Value(1.0)], ids=repr
)
def test_cross_entropy_refuses_a_target_that_is_no_integer(target):
    with pytest.raises(
        TypeError, match="cross_entropy needs an integer target, the index of the right class, got"
    ):
        cross_entropy([Value(0.5), Value(1.0)], target)


@pytest.mark.parametrize("target", [2, 100, -1, np.int64(-1), np.int64(2)], ids=repr)
def test_cross_entropy_refuses_what_is_no_index(target):
    with pytest.raises(ValueError, match="needs a target from 0 to 1, got"):
        cross_entropy([Value(0.5), Value(1.0)], target)


@pytest.mark.parametrize(
    "logits", [Value(0.5), 0.5, None, {0.5, 1.0}, {0.5: 1.0}, "01"], ids=lambda x: str(type(x))
)
def test_cross_entropy_refuses_what_is_no_list_of_logits(logits):
    with pytest.raises(TypeError, match="needs a list of logits, one for each class, got"):
        cross_entropy(logits, 0)


@elementwise
@pytest.mark.parametrize(
    ("predictions", "targets"),
    [
        (Value(0.5), [1]),
        ([Value(0.5)], 1),
        ([Value(0.5)], [1, 1]),
        ([Value(0.5), Value(0.5)], [1]),
        (Value(0.5), None),
        (None, 1),
        ([Value(0.5)], np.array([1, 1])),
    ],
    ids=str,
)
def test_prediction_and_target_must_match(loss, target, predictions, targets):
    with pytest.raises(ValueError, match="two numbers or two sequences of one length, got"):
        loss(predictions, targets)


@elementwise
def test_an_empty_prediction_is_refused(loss, target):
    with pytest.raises(ValueError, match="at least one"):
        loss([], [])


@given(st.floats())
def test_huber_refuses_a_delta_that_is_not_positive(delta):
    assume(not delta > 0)
    with pytest.raises(ValueError, match="`delta` must be a number, above 0, got"):
        huber(0.5, 0.0, delta)


def test_cross_entropy_keeps_the_digits_of_a_small_loss_at_large_logits():
    # within an ulp: log1p(2) and log(3) round by themselves
    assert abs(losses.cross_entropy([1000.0] * 3, 1) - math.log(3)) <= math.ulp(math.log(3))
    assert losses.cross_entropy([0.0, 30.0], 1) == pytest.approx(math.exp(-30), rel=1e-12)
    v = [Value(1000.0), Value(1000.0)]
    losses.cross_entropy(v, 0).backward()
    assert [x.grad for x in v] == [-0.5, 0.5]
