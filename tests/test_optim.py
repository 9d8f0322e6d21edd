"""Optimizers and clipping take PyTorch's way, whose figures are recorded; a step is all or none."""

import functools
import inspect
import itertools
import json
import math
import random
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from microgrid import MLP, GradientWarning, Value, fit, losses, optim
from microgrid.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from tests.interrupts import interrupted
from tests.nodes import same
from tests.search import LONG

RECORDED = json.loads((Path(__file__).parent / "recorded" / "pytorch.json").read_text())
# Both round differently, and the path through the curved valley carries roundings on.
TRAJECTORY = {"rel_tol": 1e-12, "abs_tol": 1e-12}
ONE_STEP = {"rel_tol": 1e-15, "abs_tol": 0.0}
# The norm and the scale are three roundings, of which PyTorch's fused kernels make others.
CLIPPED = {"rel_tol": 1e-15, "abs_tol": 0.0}
# A central difference of step 1e-5 of a rule whose third derivative is of size 100 at most.
CENTRAL = {"rel": 1e-6, "abs": 1e-7}

KINDS = [SGD, Adam, AdamW, RMSprop]
# Each kind with all that it can remember.
EAGER = {
    SGD: {"lr": 0.1, "momentum": 0.9},
    Adam: {"lr": 0.1, "amsgrad": True},
    AdamW: {"lr": 0.1, "amsgrad": True},
    RMSprop: {"lr": 0.1, "momentum": 0.9, "centered": True},
}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def slopes(a, b, c):
    """The gradient of the recorded problem, in the order in which it was recorded."""
    return [
        -2.0 * (1.0 - a) - 40.0 * a * (b - a * a) + c / 4.0,
        20.0 * (b - a * a),
        1.5 * math.cos(3.0 * c) + 2.0 * c + a / 4.0,
    ]


def descend(optimizer, steps):
    for _ in range(steps):
        gradients = slopes(*[p.data for p in optimizer.parameters])
        for parameter, gradient in zip(optimizer.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        yield [p.data for p in optimizer.parameters]


def named(record):
    options = ", ".join(f"{name}={value}" for name, value in record["options"].items())
    return f"{record['class']}({options})"


each_record = pytest.mark.parametrize("record", RECORDED["optimizers"], ids=named)


def made(record, start=RECORDED["problem"]["start"]):
    return getattr(optim, record["class"])([Value(x) for x in start], **record["options"])


def with_gradients(*gradients, start=1.0):
    """Return parameters that are about to be moved by these gradients."""
    parameters = [Value(start) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return parameters


def snapshot(optimizer):
    """Return all that a step changes."""
    return [p.data for p in optimizer.parameters], optimizer.state_dict()


# ---- PyTorch's figures


@each_record
def test_a_trajectory_is_pytorchs(record):
    for step, (got, want) in enumerate(
        zip(
            descend(made(record), len(record["trajectory"])),
            record["trajectory"],
            strict=True,
        )
    ):
        for g, w in zip(got, want, strict=True):
            assert math.isclose(g, w, **TRAJECTORY), (step, got, want)


@each_kind
def test_every_option_stands_in_the_recording(kind):
    records = [record for record in RECORDED["optimizers"] if record["class"] == kind.__name__]
    recorded = {name for record in records for name in record["options"]}
    known = {"betas", "eps"} if kind is AdamW else set()  # compared with Adam's, below
    assert recorded | known == inspect.signature(kind).parameters.keys() - {"parameters"}


def test_adamw_without_decay_is_adam_to_the_bit():
    options = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "amsgrad": True}
    start = RECORDED["problem"]["start"]
    adam = Adam([Value(x) for x in start], **options)
    adamw = AdamW([Value(x) for x in start], **options, weight_decay=0.0)
    assert list(descend(adam, 50)) == list(descend(adamw, 50))


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        (SGD, (1e-3, 0.0, 0.0, 0.0, False)),
        (Adam, (1e-3, (0.9, 0.999), 1e-8, 0.0, False)),
        (AdamW, (1e-3, (0.9, 0.999), 1e-8, 1e-2, False)),
        (RMSprop, (1e-2, 0.99, 1e-8, 0.0, 0.0, False)),
    ],
    ids=lambda kind: getattr(kind, "__name__", ""),
)
def test_defaults_and_their_order_are_pytorchs(kind, defaults):
    parameters = list(inspect.signature(kind).parameters.values())
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert tuple(p.default for p in positional[1:]) == defaults
    assert {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY} == {
        "maximize": False
    }


# ---- the update rule


@each_record
def test_the_rule_is_the_same_on_values_as_on_floats(record):
    optimizer, draw = made(record), random.Random(0)
    for step in [1, 2, 7]:
        p, g, lr = draw.gauss(), draw.gauss(), draw.uniform(0.01, 0.1)
        # running squares are of numbers, greatest squares no less, running means no more
        state = tuple([draw.uniform(0.5, 1.0) for _ in range(optimizer.slots)])
        new, remembered = optimizer.update(p, g, state, lr, step)
        operands = [Value(x) for x in [p, g, *state, lr, float(step)]]
        new_value, remembered_values = optimizer.update(
            operands[0], operands[1], tuple(operands[2:-2]), *operands[-2:]
        )
        assert new_value.data == new
        assert [x.data for x in remembered_values] == list(remembered)


@each_record
def test_the_rule_can_be_differentiated(record):
    optimizer = made(record)
    names = ["p", "g", *["state"] * optimizer.slots, "lr"]
    at = [0.7, -1.3, *[0.9, 0.2, 1.1][: optimizer.slots], 0.05]

    def new(*operands):
        return optimizer.update(operands[0], operands[1], operands[2:-1], operands[-1], 3)[0]

    leaves = [Value(x) for x in at]
    new(*leaves).backward()
    for i, name in enumerate(names):
        above, below = [[*at[:i], at[i] + h, *at[i + 1 :]] for h in (1e-5, -1e-5)]
        slope = (new(*above) - new(*below)) / 2e-5
        assert leaves[i].grad == pytest.approx(slope, **CENTRAL), name


def test_a_kind_of_ones_own_is_an_update_rule():
    class Sign(Optimizer):
        def update(self, p, g, state, lr, step):
            return p - lr * math.copysign(1, g), state

    optimizer = Sign(with_gradients(0.001, -1000.0), lr=0.25)
    optimizer.step()
    assert [p.data for p in optimizer.parameters] == [0.75, 1.25]
    state = {"kind": "Sign", "lr": 0.25, "steps": 1, "state": [[], []]}
    assert optimizer.state_dict() == state


def test_an_optimizer_without_a_rule_cannot_step():
    optimizer = Optimizer(with_gradients(1.0), lr=0.1)
    with pytest.raises(NotImplementedError, match="Optimizer has no rule: write its `update`"):
        optimizer.step()
    state = {"kind": "Optimizer", "lr": 0.1, "steps": 0, "state": [[]]}
    assert snapshot(optimizer) == ([1.0], state)


# ---- parameters


@each_kind
def test_a_shared_parameter_is_stepped_once(kind):
    once, twice = with_gradients(2.0), with_gradients(2.0)
    one, other = kind(once, lr=0.1), kind(twice * 2, lr=0.1)
    for _ in range(3):
        one.step()
        other.step()
    assert same(other.parameters, twice)
    assert twice[0].data == once[0].data


@each_kind
def test_parameters_may_come_from_a_generator(kind):
    optimizer = kind(p for p in with_gradients(1.0, -1.0))
    optimizer.step()
    assert optimizer.parameters[0].data < 1.0 < optimizer.parameters[1].data


@each_kind
def test_the_parameters_keep_their_order(kind):
    parameters = with_gradients(*range(50))
    assert same(kind(parameters).parameters, parameters)


@each_kind
def test_each_parameter_has_a_state_of_its_own(kind):
    together = kind(with_gradients(1.0, -3.0), **EAGER[kind])
    apart = [kind(with_gradients(gradient), **EAGER[kind]) for gradient in (1.0, -3.0)]
    for _ in range(3):
        for optimizer in [together, *apart]:
            optimizer.step()
    assert together.state == [optimizer.state[0] for optimizer in apart]
    assert together.parameters[1].data == apart[1].parameters[0].data


def test_the_learning_rate_may_be_set_between_steps():
    (x,) = with_gradients(1.0)
    optimizer = SGD([x], lr=0.5)
    optimizer.step()
    optimizer.lr = 0.125
    optimizer.step()
    assert x.data == 0.375


@each_kind
def test_zero_grad_clears_its_own_parameters_alone(kind):
    mine, other = with_gradients(1.0, 2.0)
    kind([mine]).zero_grad()
    assert (mine.grad, other.grad) == (0.0, 2.0)


@each_kind
def test_a_parameter_without_a_gradient_stays(kind):
    optimizer = kind([Value(1.0)], lr=0.1, weight_decay=0.0)
    with pytest.warns(GradientWarning, match="no gradient to follow"):
        optimizer.step()
    assert optimizer.parameters[0].data == 1.0


def test_a_model_is_trained_by_its_parameters():
    model = MLP(2, [3, 1], seed=0)
    before = model.state_dict()
    optimizer = SGD(model.parameters(), lr=0.1)
    model([1.0, 2.0]).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    optimizer.step()
    for name, data in model.state_dict().items():
        assert math.isclose(data, before[name] - 0.1 * gradients[name], **ONE_STEP)


# ---- a step is all or none


@each_kind
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, ZeroDivisionError])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_exception_in_the_rule_leaves_everything(kind, error, place, monkeypatch):
    optimizer = kind(with_gradients(1.0, 2.0, 3.0), **EAGER[kind])
    optimizer.step()
    before, rule, calls = snapshot(optimizer), optimizer.update, itertools.count()

    def broken(*operands):
        if next(calls) == place:
            raise error
        return rule(*operands)

    monkeypatch.setattr(optimizer, "update", broken)
    with pytest.raises(error):
        optimizer.step()
    assert snapshot(optimizer) == before


@pytest.mark.parametrize("kind", KINDS if LONG else KINDS[::2], ids=lambda kind: kind.__name__)
def test_ctrl_c_at_any_line_of_a_step_leaves_all_or_none_of_it(kind):
    def fresh():
        optimizer = kind(with_gradients(1.0, 2.0), **EAGER[kind])
        optimizer.step()
        return optimizer

    def is_of_the_library(code):
        return code.co_filename.startswith(str(Path(optim.__file__).parent))

    optimizer = fresh()
    before = snapshot(optimizer)
    optimizer.step()
    after = snapshot(optimizer)
    for line in itertools.count():
        optimizer = fresh()
        try:
            interrupted(optimizer.step, line, is_of_the_library)
        except KeyboardInterrupt:
            assert snapshot(optimizer) in (before, after), line
        else:
            break
    assert line > 10
    assert snapshot(optimizer) == after


@pytest.mark.parametrize(
    ("kind", "gradient", "options"),
    [
        (SGD, math.nan, {}),
        (SGD, math.inf, {}),
        (SGD, -math.inf, {}),
        (SGD, 1e300, {"lr": 1e10}),
        (SGD, 1.0, {"lr": 1e308, "momentum": 0.9, "weight_decay": 1e308}),
        (SGD, -1e308, {"lr": 10.0, "maximize": True}),
        (Adam, math.nan, {}),
        (Adam, math.inf, {}),
        (AdamW, math.nan, {}),
        (AdamW, 1.0, {"lr": 1e300, "weight_decay": 1e300}),
        (RMSprop, math.nan, {}),
        (RMSprop, math.inf, {}),
        (RMSprop, 1.0, {"lr": 1e308}),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_a_step_that_would_leave_the_numbers_is_not_taken(kind, gradient, options):
    optimizer = kind(with_gradients(0.5, gradient), **options)
    before = snapshot(optimizer)
    message = r"the step must leave every parameter finite, got (-?inf|nan) for the one at \d, of"
    with pytest.raises(FloatingPointError, match=message):
        optimizer.step()
    assert snapshot(optimizer) == before


@pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop])
def test_a_step_whose_memory_would_overflow_is_not_taken(kind):
    optimizer = kind(with_gradients(1e200))  # its square is inf, and would be for ever
    before = snapshot(optimizer)
    with pytest.raises(FloatingPointError, match="finite"):
        optimizer.step()
    assert snapshot(optimizer) == before


# ---- saving and going on


@each_record
def test_a_saved_optimizer_goes_on_to_the_bit(record):
    steps = len(record["trajectory"])
    whole = list(descend(made(record), steps))
    first = made(record)
    list(descend(first, steps // 3))
    saved = json.dumps(first.state_dict())

    second = made(record, start=[p.data for p in first.parameters])
    second.lr = 123.0
    second.load_state_dict(json.loads(saved))
    assert json.dumps(second.state_dict()) == saved
    assert list(descend(second, steps - steps // 3)) == whole[steps // 3 :]


@each_kind
def test_a_state_is_a_copy(kind):
    optimizer = kind(with_gradients(1.0), **EAGER[kind])
    saved = optimizer.state_dict()
    before = json.dumps(saved)
    optimizer.step()
    assert json.dumps(saved) == before


SLOTS = [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "change",
    [
        {"state": []},
        {"state": [SLOTS] * 3},
        {"state": [[*SLOTS, 0.0]] * 2},
        {"state": [[0.0]] * 2},
        {"state": [SLOTS, []]},
        {"state": [SLOTS, ["a", "b", "c"]]},
        {"state": [SLOTS, [None] * 3]},
        {"lr": "0.1"},
        {"steps": None},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused_as_a_whole(change):
    optimizer = Adam(with_gradients(1.0, 2.0), lr=0.1)
    optimizer.step()
    before = snapshot(optimizer)
    wrong = Adam(with_gradients(3.0, 4.0)).state_dict() | change
    with pytest.raises((ValueError, TypeError), match=f"{next(iter(change))}.* must"):
        optimizer.load_state_dict(wrong)
    assert snapshot(optimizer) == before


@pytest.mark.parametrize("missing", ["lr", "steps", "state"])
def test_a_state_with_something_missing_is_refused_as_a_whole(missing):
    optimizer = Adam(with_gradients(1.0, 2.0), lr=0.1)
    before = snapshot(optimizer)
    wrong = Adam(with_gradients(3.0, 4.0)).state_dict()
    del wrong[missing]
    with pytest.raises(ValueError, match=missing):
        optimizer.load_state_dict(wrong)
    assert snapshot(optimizer) == before


NO_NUMBERS = ["1", None, True, [1.0], 1j, Value(1.0), math.nan, math.inf, -math.inf, 10**400]
NO_RUN_LEAVES = {
    "steps": [*NO_NUMBERS, 1.5, -1],
    "lr": [*NO_NUMBERS, -1],
    "state": [None, {}, "ab", [None, None], {1, 2}, np.zeros(6), [[[0.0] * 3] * 2]],
    "kind": [None, "adam", "SGD", "", Adam, ["Adam"], np.array(["Adam", "Adam"])],
    "betas": [None, 0.9, [0.9], [0.9, 1.0], ["0.9", 0.9], [True, 0.9], {0.9, 0.99}],
    "amsgrad": ["no", 1, None, [True]],
    "weight_decay": [*NO_NUMBERS, -0.1],
    "momentum": [0.9],
}


@pytest.mark.parametrize("name", NO_RUN_LEAVES)
def test_a_state_that_no_run_leaves_is_refused_as_a_whole(name):
    for wrong in NO_RUN_LEAVES[name]:
        optimizer = Adam(with_gradients(1.0, 2.0), lr=0.1)
        optimizer.step()
        before = snapshot(optimizer)
        with pytest.raises((ValueError, TypeError), match=rf"{name}.* got|unexpected: {name}"):
            optimizer.load_state_dict(optimizer.state_dict() | {name: wrong})
        assert snapshot(optimizer) == before


@each_kind
def test_every_number_that_is_remembered_is_one_that_a_run_leaves(kind):
    optimizer = kind(with_gradients(1.0, 2.0), **EAGER[kind])
    optimizer.step()
    before = snapshot(optimizer)
    for place, wrong in itertools.product(range(kind.slots), NO_NUMBERS):
        state = optimizer.state_dict()
        state["state"][1][place] = wrong
        with pytest.raises((ValueError, TypeError), match=rf"`state\[1\]\[{place}\]` must be a"):
            optimizer.load_state_dict(state)
    for place in range(kind.slots):
        state = optimizer.state_dict()
        state["state"][1][place] = -0.5
        refused = pytest.raises(ValueError, match=r"at least 0, got -0\.5")
        with refused if place in kind.squares else nullcontext():
            optimizer.load_state_dict(state)
            optimizer.load_state_dict(before[1])
    assert snapshot(optimizer) == before


@each_kind
def test_squares_are_never_below_0_and_other_numbers_are(kind):
    optimizer = kind(with_gradients(-1.0, 1.0), **EAGER[kind])
    optimizer.step()
    for place, numbers in enumerate(zip(*optimizer.state, strict=True)):
        assert (min(numbers) < 0) == (place not in kind.squares and any(numbers))


@each_kind
def test_a_state_brings_its_options(kind):
    options = {**EAGER[kind], "lr": 0.125, "weight_decay": 0.25, "maximize": True}
    one, other = kind(with_gradients(1.0), **options), kind(with_gradients(1.0), lr=0.5)
    one.step()
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert (repr(other), other.state_dict()) == (repr(one), one.state_dict())


def test_a_state_without_a_kind_and_options_leaves_them_as_they_are():
    adam = Adam(with_gradients(1.0), lr=0.5, betas=(0.5, 0.75))
    adam.load_state_dict({"lr": 0.25, "steps": 3, "state": [[-0.1, 0.2, 0.3]]})
    assert (adam.lr, adam.steps, adam.state) == (0.25, 3, [(-0.1, 0.2, 0.3)])
    assert adam.betas == (0.5, 0.75)


@each_kind
@pytest.mark.parametrize("wrong", ["0.1", None, [0.1], np.array([1.0, 2.0]), 10**400, 1j], ids=repr)
def test_a_step_with_a_rate_or_a_gradient_that_is_no_number_moves_nothing(kind, wrong):
    optimizer = kind(with_gradients(1.0, 2.0), lr=0.1)
    before = snapshot(optimizer)
    optimizer.lr = wrong
    with pytest.raises((TypeError, ValueError), match="`lr` must be a finite number"):
        optimizer.step()
    optimizer.lr = 0.1
    last = optimizer.parameters[1]
    if wrong is not None:
        with pytest.raises((TypeError, OverflowError), match=r"a `grad` must be a .*number.*, got"):
            last.grad = wrong
    last.grad = None
    with pytest.raises(TypeError, match=r"`grad` of parameter 1 must be a real .*, got None"):
        optimizer.step()
    assert snapshot(optimizer) == before


@pytest.mark.parametrize(("kind", "other"), [*itertools.permutations(KINDS, 2)])
def test_a_state_of_another_kind_is_refused(kind, other):
    with pytest.raises(
        ValueError, match=f"the state must be that of the kind {kind.__name__}, got"
    ):
        kind(with_gradients(1.0)).load_state_dict(other(with_gradients(1.0)).state_dict())


def test_repr_names_the_kind_its_size_and_its_options():
    optimizer = Adam([Value(1.0), Value(2.0)], lr=0.25, betas=[0.5, 0.75])
    assert repr(optimizer) == (
        "Adam(2 parameters, lr=0.25, betas=(0.5, 0.75), eps=1e-08, weight_decay=0.0, "
        "amsgrad=False, maximize=False)"
    )


# ---- what is refused


NOT_NEGATIVE = [
    (kind, option)
    for kind in KINDS
    for option in ["lr", "weight_decay", "momentum", "eps"]
    if option in inspect.signature(kind).parameters
]


@pytest.mark.parametrize(
    ("kind", "option"), NOT_NEGATIVE, ids=[f"{kind.__name__}-{name}" for kind, name in NOT_NEGATIVE]
)
@pytest.mark.parametrize("value", [-1e-9, -1, math.nan])
def test_a_negative_option_is_refused(kind, option, value):
    with pytest.raises(ValueError, match=rf"`{option}` must be .* at least 0, got {value}"):
        kind([Value(1.0)], **{option: value})


@pytest.mark.parametrize("lr", ["0.1", None, [0.1], lambda step: 0.1], ids=lambda lr: str(type(lr)))
def test_a_rate_that_is_no_number_is_refused(lr):
    with pytest.raises((TypeError, ValueError), match="`lr`"):
        SGD([Value(1.0)], lr=lr)


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize(
    "betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan), (0.9,), (0.9, 0.9, 0.9), 0.9]
)
def test_betas_are_two_shares(kind, betas):
    with pytest.raises(
        (ValueError, TypeError),
        match=r"`betas` must be (two|a finite) number",
    ):
        kind([Value(1.0)], betas=betas)


@pytest.mark.parametrize("alpha", [-0.1, 1.0, math.nan])
def test_alpha_is_a_share(alpha):
    with pytest.raises(ValueError, match=r"`alpha` must be .* at least 0 and below 1, got"):
        RMSprop([Value(1.0)], alpha=alpha)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}], ids=str)
def test_nesterov_needs_a_momentum_without_dampening(options):
    with pytest.raises(ValueError, match="nesterov needs a momentum above 0 and no dampening"):
        SGD([Value(1.0)], nesterov=True, **options)


@pytest.mark.parametrize("parameters", [[], (), iter([])], ids=["list", "tuple", "iterator"])
def test_no_parameters_are_refused(parameters):
    with pytest.raises(ValueError, match="at least one parameter, got none"):
        SGD(parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        [1.0],
        [None],
        ["w"],
        [Value(1.0), 2.0],
        [[Value(1.0)]],
        Value(1.0),
        MLP(1, [1]),
        MLP(1, [1]).parameters,
        None,
    ],
    ids=lambda parameters: type(parameters).__name__,
)
def test_what_are_no_parameters_is_refused(parameters):
    with pytest.raises(TypeError, match="parameters must be"):
        SGD(parameters)


@pytest.mark.parametrize(
    "parameter", [Value(1.0) * 2, Value(1.0).detach()], ids=["inner node", "constant"]
)
def test_what_is_no_leaf_is_refused(parameter):
    with pytest.raises(ValueError, match="parameters must be leaves, got the result of"):
        SGD([parameter])


# ---- clipping

GRADIENTS = st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=6)
LIMITS = st.floats(1e-6, 1e6)


def clipped_in_place(record):
    parameters = with_gradients(*record["gradients"])
    options = record["options"]
    if record["name"] == "clip_grad_norm_":
        norm = optim.clip_grad_norm_(parameters, options["max_norm"])
        assert math.isclose(norm, record["total_norm"], **CLIPPED)
    else:
        assert optim.clip_grad_value_(parameters, options["clip_value"]) is None
    return [p.grad for p in parameters]


def clipped_purely(record):
    (limit,) = record["options"].values()
    pure = optim.clip_norm if record["name"] == "clip_grad_norm_" else optim.clip_value
    return pure(limit)(record["gradients"])


@pytest.mark.parametrize("clipped", [clipped_in_place, clipped_purely])
@pytest.mark.parametrize(
    "record",
    RECORDED["clipping"],
    ids=lambda record: f"{record['name']}({record['options']}) of {record['gradients']}",
)
def test_clipped_gradients_are_pytorchs(clipped, record):
    for got, want in zip(clipped(record), record["clipped"], strict=True):
        assert math.isclose(got, want, **CLIPPED)


@given(GRADIENTS, LIMITS)
def test_clipping_by_norm_keeps_the_direction_and_the_limit(gradients, limit):
    before, clipped = math.hypot(*gradients), optim.clip_norm(limit)(gradients)
    assert math.hypot(*clipped) <= limit * (1 + 1e-15)
    if before + 1e-6 <= limit:
        assert clipped == gradients
    scale = min(limit / (before + 1e-6), 1.0)
    assert clipped == pytest.approx([g * scale for g in gradients], rel=1e-14, abs=1e-300)


@given(GRADIENTS, LIMITS)
def test_clipping_by_value_moves_only_what_is_outside(gradients, limit):
    for got, g in zip(optim.clip_value(limit)(gradients), gradients, strict=True):
        assert got == (g if abs(g) <= limit else math.copysign(limit, g))


@pytest.mark.parametrize("clip", [optim.clip_norm(1.0), optim.clip_value(1.0)])
def test_clipping_leaves_what_it_was_given(clip):
    gradients = [3.0, -4.0]
    clip(gradients)
    assert gradients == [3.0, -4.0]


@pytest.mark.parametrize("clip", [optim.clip_norm(1.0), optim.clip_value(1.0)])
def test_clipping_is_the_same_on_values_as_on_floats(clip):
    @given(st.lists(st.floats(-10, 10), min_size=1, max_size=4))
    def law(gradients):
        values = clip([Value(g) for g in gradients])
        assert [v.data for v in values] == clip(gradients)

    law()


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=4), st.floats(0.5, 2.0))
def test_a_clipped_gradient_can_be_differentiated(gradients, limit):
    assume(abs(math.hypot(*gradients) - limit) > 1e-3)  # the kink
    assume(math.hypot(*gradients) > 0.1)  # else the third derivative is large
    leaves = [Value(g) for g in gradients]
    clip = optim.clip_norm(limit)
    clip(leaves)[0].backward()
    for i, leaf in enumerate(leaves):
        above, below = [[*gradients[:i], leaf.data + h, *gradients[i + 1 :]] for h in (1e-5, -1e-5)]
        slope = (clip(above)[0] - clip(below)[0]) / 2e-5
        assert leaf.grad == pytest.approx(slope, **CENTRAL)


def test_a_shared_gradient_is_clipped_once():
    (x,) = with_gradients(5.0)
    assert optim.clip_grad_norm_([x, x], 1.0) == 5.0
    assert x.grad == pytest.approx(1.0, rel=1e-6)  # the 1e-6 that is added to the norm


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_the_parameters_to_clip_may_come_from_a_generator(clip):
    parameters = with_gradients(3.0, -4.0)
    clip((p for p in parameters), 0.5)
    assert max(abs(p.grad) for p in parameters) <= 0.5


@pytest.mark.parametrize("clip", [optim.clip_norm, optim.clip_value])
def test_no_gradients_stay_none(clip):
    assert clip(1.0)([]) == []


@pytest.mark.parametrize("limit", [-1.0, math.nan])
@pytest.mark.parametrize("clip", [optim.clip_norm, optim.clip_value])
def test_a_negative_limit_is_refused(clip, limit):
    with pytest.raises(ValueError, match=r"`(max_norm|limit)` must be .* at least 0, got"):
        clip(limit)


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_a_refused_limit_leaves_the_gradients(clip):
    parameters = with_gradients(3.0, -4.0)
    with pytest.raises(ValueError, match="must be a finite number, at least 0, got -1"):
        clip(parameters, -1.0)
    assert [p.grad for p in parameters] == [3.0, -4.0]


SPOILED = {  # what no run leaves, set by hand
    "state": [None, [], 5, "ab", [()] * 2, [(0.0, 0.0, 0.0, 0.0)] * 2, [("a", "b", "c")] * 2],
    "steps": ["3", None, -1, 1.5, math.nan, True],
    "parameters": [None, "ab", [1.0, 2.0], [Value(1.0)], [Value(1.0) for _ in range(3)]],
}


@each_kind
@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for name in SPOILED for wrong in SPOILED[name]], ids=repr
)
def test_a_step_after_something_was_spoiled_says_what_and_moves_nothing(kind, name, wrong):
    parameters = with_gradients(1.0, 2.0)
    optimizer = kind(parameters, lr=0.1, **({"momentum": 0.5} if kind is SGD else {}))
    before = [p.data for p in parameters]
    setattr(optimizer, name, wrong)
    with pytest.raises((TypeError, ValueError), match=r"(state|steps|parameters)\W.* got "):
        optimizer.step()
    assert [p.data for p in parameters] == before


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(("name", "wrong"), [("state", [(0.0,)]), ("steps", 1.5), ("steps", -1)])
def test_a_training_with_an_optimizer_that_was_spoiled_does_not_begin(compile, name, wrong):
    model = MLP(1, [1], seed=0)
    adam = Adam(model.parameters())
    before = model.state_dict()
    setattr(adam, name, wrong)
    with pytest.raises((TypeError, ValueError), match=r"(state|`steps`) must .*, got"):
        fit(model, [[1.0]], [1.0], loss=losses.squared_error, optimizer=adam, epochs=1,
            compile=compile)  # fmt: skip
    assert model.state_dict() == before


def test_a_parameter_that_was_added_later_has_no_state():
    adam = Adam(with_gradients(1.0))
    adam.parameters += with_gradients(2.0)
    with pytest.raises(ValueError, match="3 numbers for each of 2 parameters, got 1 rows of"):
        adam.step()


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(
    "moved",
    [None, 5, (1.0,), (1.0, ()), (1.0, None), (1.0, (1.0, 2.0)), (1.0, (1.0,), 3), ("x", (1.0,)),
     ([1.0], (1.0,)), (1j, (1.0,)), (1.0, (None,)), (Value(1.0), (1.0,)), "ab"],
    ids=repr,
)  # fmt: skip
def test_a_rule_must_return_a_parameter_and_its_state(moved, compile):
    class Odd(Optimizer):
        slots = 1

        def update(self, p, g, state, lr, step):
            return moved

    (x,) = with_gradients(2.0)
    optimizer = Odd([x], lr=0.1)
    start = x.data
    step = optimizer.step
    if compile:
        step = functools.partial(
            *(fit, lambda row: x * row[0], [[1.0]], [1.0]),
            **{"loss": losses.squared_error, "epochs": 1, "optimizer": optimizer, "compile": True},
        )
    with pytest.raises(TypeError, match=r"`update` of Odd must return .*, got"):
        step()
    assert (x.data, optimizer.state, optimizer.steps) == (start, [(0.0,)], 0)
