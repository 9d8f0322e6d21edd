"""The laws of schedules: where they start, how they go, where they stay; and PyTorch's figures."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.schedules import constant, cosine, exponential, linear, one_cycle, staircase, warmup

RECORDED = json.loads((Path(__file__).parent / "recorded" / "pytorch.json").read_text())
# A rate is a few roundings of numbers no greater than the greatest of its two ends.
ROUNDING = 4 * 2.0**-53
# PyTorch makes each rate out of the last one, so that its roundings add up over 50 steps; ours is
# a closed formula. Where the rate goes to 0, the bound is to the rate it started from.
PYTORCH = {"rel_tol": 50 * ROUNDING, "abs_tol": 1e-16}

RATES = st.floats(0, 1e3)
STEPS = st.integers(1, 1000)


def in_pytorch(record):
    """Return our schedules that are to be a recorded one's equal."""
    base, options = record["base_lr"], record["options"]
    if record["class"] == "LinearLR":
        start, end, steps = (options[key] for key in ["start_factor", "end_factor", "total_iters"])
        schedules = [linear(base * start, base * end, steps)]
        return schedules + ([warmup(constant(base), steps, start)] if end == 1.0 else [])
    if record["class"] == "CosineAnnealingLR":
        return [cosine(base, options["T_max"], options["eta_min"])]
    if record["class"] == "StepLR":
        return [staircase(base, options["gamma"], options["step_size"])]
    if record["class"] == "OneCycleLR":
        first = 1 / options.get("div_factor", 25.0)
        rise = options.get("pct_start", 0.3)
        return [one_cycle(base, options["total_steps"], rise, first, first / 1e4)]
    assert record["class"] == "ExponentialLR"
    return [exponential(base, options["gamma"])]


@pytest.mark.parametrize(
    "record", RECORDED["schedules"], ids=lambda record: f"{record['class']}({record['options']})"
)
def test_the_rates_are_pytorchs(record):
    for schedule in in_pytorch(record):
        for step, rate in enumerate(record["lr"]):
            assert math.isclose(schedule(step), rate, **PYTORCH), (step, schedule(step), rate)


def test_every_schedule_but_the_constant_stands_in_the_recording():
    made = [schedule for record in RECORDED["schedules"] for schedule in in_pytorch(record)]
    kinds = {schedule.rate.func.__name__ for schedule in made}
    names = ("linear", "cosine", "exponential", "one_cycle", "staircase", "warmup")
    assert kinds == {f"_{name}_rate" for name in names}


@given(RATES, st.integers(0, 10**6))
def test_a_constant_never_changes(rate, step):
    assert constant(rate)(step) == rate


@pytest.mark.parametrize("shape", [linear, cosine], ids=lambda shape: shape.__name__)
def test_a_way_from_start_to_end_begins_ends_and_stays_there(shape):
    @given(RATES, RATES, STEPS, st.integers(0, 10**6))
    def law(start, end, steps, later):
        schedule = shape(start=start, end=end, steps=steps)
        bound = ROUNDING * max(start, end)
        assert schedule(0) == pytest.approx(start, rel=0, abs=bound)
        assert schedule(steps) == pytest.approx(end, rel=0, abs=bound)
        assert schedule(steps + later) == schedule(steps)

    law()


@pytest.mark.parametrize("shape", [linear, cosine], ids=lambda shape: shape.__name__)
def test_a_way_down_never_rises_nor_leaves_its_ends(shape):
    @given(RATES, RATES, STEPS, st.integers(0, 1000))
    def law(one, other, steps, step):
        start, end = max(one, other), min(one, other)
        schedule = shape(start=start, end=end, steps=steps)
        bound = ROUNDING * start
        assert schedule(step + 1) <= schedule(step) + bound
        assert end - bound <= schedule(step) <= start + bound
        assert schedule(step) >= 0

    law()


@given(RATES, RATES, STEPS, st.data())
def test_a_line_has_equal_steps(start, end, steps, data):
    step = data.draw(st.integers(0, steps - 1))
    rise = linear(start, end, steps)(step + 1) - linear(start, end, steps)(step)
    bound = 2 * ROUNDING * max(start, end)
    assert rise == pytest.approx((end - start) / steps, rel=0, abs=bound)


@given(RATES, RATES, STEPS, st.data())
def test_a_cosine_is_its_own_mirror_image(start, end, steps, data):
    step = data.draw(st.integers(0, steps))
    schedule = cosine(start, steps, end)
    bound = 2 * ROUNDING * max(start, end) + 1e-300  # the least floats have no half
    assert schedule(step) + schedule(steps - step) == pytest.approx(start + end, rel=0, abs=bound)


def test_a_cosine_ends_at_zero_unless_told():
    assert cosine(0.3, 7)(7) == 0.0


@given(st.floats(1e-3, 1.0), st.floats(0.5, 1.0), st.integers(0, 300))
def test_an_exponential_has_one_ratio(start, gamma, step):
    schedule = exponential(start, gamma)
    assert schedule(0) == start
    ratio_error = 500 * ROUNDING  # `pow` of the C library may be an ulp off, and underflows late
    assert schedule(step + 1) == pytest.approx(gamma * schedule(step), rel=ratio_error)


def test_an_exponential_dies_out_without_an_error():
    assert exponential(0.1, 0.9)(10**6) == 0.0


@given(STEPS, st.floats(0, 1), st.integers(0, 2000))
def test_a_warmup_delays_the_schedule_by_its_length(steps, start, step):
    schedule = cosine(0.3, 100, 0.01)
    assert warmup(schedule, steps, start)(steps + step) == schedule(step)


@given(RATES, STEPS, st.floats(0, 1), st.integers(0, 1000))
def test_a_warmup_rises_in_a_line_from_its_share(rate, steps, start, step):
    warm = warmup(constant(rate), steps, start)
    assert warm(0) == pytest.approx(start * rate, rel=0, abs=ROUNDING * rate)
    assert warm(step) <= warm(step + 1) + ROUNDING * rate
    assert 0 <= warm(step) <= rate * (1 + ROUNDING)
    line = linear(start * rate, rate, steps)
    assert warm(step) == pytest.approx(line(step), rel=0, abs=2 * ROUNDING * rate)


def test_warmups_and_schedules_nest():
    schedule = warmup(warmup(constant(1.0), 2, start=0.5), 2, start=0.5)
    assert [schedule(step) for step in range(6)] == [0.25, 0.375, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda steps: linear(1.0, 0.0, steps),
        lambda steps: cosine(1.0, steps),
        lambda steps: warmup(constant(1.0), steps),
    ],
    ids=["linear", "cosine", "warmup"],
)
@pytest.mark.parametrize("steps", [0, -1, 0.5, math.nan])
def test_less_than_one_step_is_refused(make, steps):
    with pytest.raises(ValueError, match=f"`steps` must be .* at least 1, got {steps}"):
        make(steps)


def test_a_line_ends_where_it_is_told():
    assert linear(1.0, 1e-20, steps=3)(3) == 1e-20


@given(RATES, STEPS, st.floats(0.01, 0.99), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2000))
def test_one_cycle_rises_to_its_peak_falls_and_stays(peak, steps, rise, start, end, later):
    schedule = one_cycle(peak, steps, rise, start, end)
    rates = [schedule(step) for step in range(steps)]
    top = max(range(steps), key=rates.__getitem__)
    near = {"rel_tol": 8 * ROUNDING, "abs_tol": peak * 8 * ROUNDING}
    assert all(rate <= peak or math.isclose(rate, peak, **near) for rate in rates)
    for earlier, following in [(rates[: top + 1], 1), (rates[top:], -1)]:
        steps_taken = [following * (b - a) for a, b in pairwise(earlier)]
        assert all(change >= -peak * 8 * ROUNDING for change in steps_taken)
    assert schedule(steps + later) == schedule(steps)
    assert math.isclose(schedule(steps), peak * end, **near)
