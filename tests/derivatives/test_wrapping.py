"""Functions that transforms and `compile` make: as the function itself, and through any pickle."""

import copy
import functools
import inspect
import pickle
import subprocess
import sys
from importlib.util import find_spec

import pytest

import microgrid as mg
from microgrid import MLP, Value, optim, schedules
from microgrid.derivatives import wrapping
from microgrid.derivatives.trees import flatten

TRANSFORMS = {
    "grad": mg.grad,
    "value_and_grad": mg.value_and_grad,
    "jacobian": mg.jacobian,
    "hessian": mg.hessian,
    "compile": mg.compile,
    "grad of grad": lambda f: mg.grad(mg.grad(f)),
    "compile of grad": lambda f: mg.compile(mg.grad(f)),
    "grad of compile": lambda f: mg.grad(mg.compile(f)),
    "by the second": lambda f: mg.value_and_grad(f, argnums=-1),
    "compile of hessian of compile": lambda f: mg.compile(mg.hessian(mg.compile(f))),
}
each_transform = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)


def wave(x):
    """Return a wave."""
    return mg.sin(x) * x**3


def scaled(factor, x):
    return factor * x**3


class Spring(mg.Module):
    def __init__(self):
        self.stiffness = Value(3.0)

    def energy(self, x):
        return self.stiffness * x**2 / 2.0

    @functools.partial(mg.grad, argnums=1)
    def force(self, x):
        return self.energy(x)

    @mg.compile
    def fast(self, x):
        return self.energy(x)

    @mg.compile
    @functools.partial(mg.grad, argnums=1)
    def fast_force(self, x):
        return self.energy(x)


@mg.grad
def slope(x):
    return x**3


@mg.compile
@mg.value_and_grad
def compiled_slope(x):
    """Return a cube."""
    return x**3


FUNCTIONS = {
    "function": wave,
    "primitive": mg.exp,
    "partial": functools.partial(scaled, 2.0),
    "method": Spring().energy,
    "decorated": slope,
}


def numbers(result):
    """Return the numbers in a result, whether some of them are a `Value`'s or not."""
    return [x.data if isinstance(x, Value) else x for x in flatten(result)[0]]


@each_transform
@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_made_of_a_function_comes_back_from_a_pickle(transform, f):
    made = transform(f)
    before = [pickle.loads(pickle.dumps(made, protocol)) for protocol in (2, 5)]
    expected = numbers(made(0.5))
    after = [pickle.loads(pickle.dumps(made, protocol)) for protocol in (2, 5)]
    for twin in [*before, *after, copy.copy(made), copy.deepcopy(made)]:
        assert numbers(twin(0.5)) == expected
        assert type(twin) is type(made)


@pytest.mark.parametrize("decorated", [slope, compiled_slope])
def test_what_was_made_by_a_decorator_is_found_where_it_stands(decorated):
    assert pickle.loads(pickle.dumps(decorated)) is decorated


def test_what_stands_in_a_class_is_a_method_and_comes_back_as_one():
    spring = Spring()
    assert (spring.force(2.0).data, spring.fast(2.0), spring.fast_force(2.0)) == (6.0, 6.0, 6.0)
    twin = pickle.loads(pickle.dumps(spring.force))
    assert twin(2.0).data == 6.0
    assert pickle.loads(pickle.dumps(Spring.fast_force)) is Spring.fast_force


# All other functions that the library makes, each with what it is called with.
MADE = {
    "constant": (schedules.constant(0.1), 3),
    "linear": (schedules.linear(1.0, 0.5, 4), 3),
    "cosine": (schedules.cosine(1.0, 4), 3),
    "exponential": (schedules.exponential(1.0, 0.5), 3),
    "staircase": (schedules.staircase(1.0, 0.5, 2), 3),
    "one_cycle": (schedules.one_cycle(1.0, 8), 3),
    "warmup": (schedules.warmup(schedules.constant(0.1), 4), 3),
    "clip_norm": (optim.clip_norm(1.0), [3.0, 4.0]),
    "clip_value": (optim.clip_value(1.0), [3.0, 4.0]),
    "vjp": (mg.vjp(wave, 0.5)[1], 2.0),
    "vjp of a model": (mg.vjp(lambda m: m([0.5]), MLP(1, [2, 1], seed=0))[1], 1.0),
    "no_grad": (mg.no_grad()(lambda x: mg.sin(Value(x))), 2.0),
    "detect_anomaly": (mg.detect_anomaly()(lambda x: mg.sin(Value(x))), 2.0),
}


@pytest.mark.parametrize(("made", "argument"), MADE.values(), ids=MADE)
def test_each_function_that_the_library_makes_goes_through_a_pickle(made, argument):
    cloudpickle = pytest.importorskip("cloudpickle")
    picklers = [cloudpickle] if "lambda" in getattr(made, "__qualname__", "") else [pickle]
    for pickler in [*picklers, cloudpickle]:
        twin = pickle.loads(pickler.dumps(made))
        assert numbers(twin(argument)) == numbers(made(argument))


def test_the_other_functions_that_the_library_makes_are_found_by_name():
    """None of them is missing above: what is public and returns a function says so."""
    hints = {
        name: inspect.signature(getattr(module, name)).return_annotation
        for module in (mg.calculus, optim, schedules)
        for name in module.__all__
        if inspect.isfunction(getattr(module, name))
    }
    makers = {name for name, hint in hints.items() if "Callable" in hint or "Schedule" in hint}
    assert makers - TRANSFORMS.keys() == MADE.keys() - {
        "vjp of a model",
        "no_grad",
        "detect_anomaly",
    }


@each_transform
def test_what_is_made_of_a_function_has_its_name_text_and_signature(transform):
    made = transform(wave)
    assert (made.__name__, made.__qualname__, made.__module__) == ("wave", "wave", __name__)
    assert made.__doc__ == "Return a wave."
    assert inspect.unwrap(made) is wave
    assert inspect.signature(made) == inspect.signature(wave)
    assert inspect.signature(transform(MLP(1, [1]))) == inspect.signature(MLP(1, [1]))
    assert "wave" in repr(made)
    assert len({made, made, transform(wave)}) == 2
    made.note = "attributes may be set, as of a function"


@pytest.mark.parametrize("called", [False, True], ids=["before a call", "after one"])
@pytest.mark.parametrize("transform", [mg.grad, mg.jacobian, lambda f: mg.compile(mg.hessian(f))])
def test_a_function_that_no_pickle_finds_is_named(transform, called, monkeypatch):
    monkeypatch.setattr(wrapping, "BY_VALUE", ())
    made = transform(lambda x: x**3)
    if called:
        made(2.0)
        if isinstance(made, mg.compiler.Compiled):
            assert pickle.loads(pickle.dumps(made))(2.0) == 12.0  # by its program
            return
    told = r"did not find .*<lambda> of .*test_wrapping.*top level of a module, or.* cloudpickle"
    with pytest.raises(pickle.PicklingError, match=told):
        pickle.dumps(made)


# What a user's script does, and what the processes do that it starts.
SCRIPT = """
import pickle, subprocess, sys
from multiprocessing import get_context

import microgrid as mg


@mg.grad
def slope(x):
    return x**3


@mg.compile
@mg.hessian
def bend(x):
    return x**3


def cube(x):
    return x**3


FUNCTIONS = [slope, bend, mg.grad(cube), mg.compile(cube), mg.grad(mg.compile(cube))]
FUNCTIONS += [mg.vjp(cube, 2.0)[1], mg.schedules.warmup(mg.schedules.linear(1.0, 0.5, 4), 1)]
EXPECTED = [12.0, 12.0, 12.0, 8.0, 12.0, (24.0,), 0.875]


def of_two(f):
    return f(2.0)


if __name__ == "__main__":
    with get_context("spawn").Pool(1) as pool:
        assert pool.map(of_two, FUNCTIONS) == EXPECTED
        assert pool.map(FUNCTIONS[0], [2.0]) == [12.0]
    import cloudpickle, joblib

    factor = 5.0
    FUNCTIONS += [mg.grad(lambda x: factor * x), mg.compile(lambda x: factor * x)]
    FUNCTIONS += [mg.compile(mg.grad(lambda x: factor * x))]
    EXPECTED += [5.0, 10.0, 5.0]
    for f in [None, *FUNCTIONS]:  # before and after all are called
        if f:
            f(2.0)
            assert pickle.loads(pickle.dumps(f))(2.0) == f(2.0)
        else:
            dumps = cloudpickle.dumps(FUNCTIONS)
    load = "import pickle, sys; print([f(2.0) for f in pickle.load(sys.stdin.buffer)])"
    for dump in [dumps, cloudpickle.dumps(FUNCTIONS)]:
        other = subprocess.run([sys.executable, "-c", load], input=dump, capture_output=True)
        assert other.stdout.decode().strip() == str(EXPECTED), other.stderr.decode()
    with joblib.Parallel(n_jobs=2) as parallel:
        assert parallel(joblib.delayed(f)(2.0) for f in FUNCTIONS) == EXPECTED
        assert parallel(joblib.delayed(of_two)(f) for f in FUNCTIONS) == EXPECTED
    print("all the same")
"""


ANOTHER_MAIN = """
import pickle, cloudpickle
import microgrid as mg

@mg.grad
def slope(x):
    return x**3

dump = cloudpickle.dumps([slope, mg.grad(mg.grad(lambda x: x**3))])
assert pickle.loads(pickle.dumps(slope)) is slope
del slope
print([f(2.0) for f in pickle.loads(dump)])
"""


def printed(*command):
    for name in ("cloudpickle", "joblib"):  # which, once they are imported, change what pickle does
        if not find_spec(name):
            pytest.skip(f"its pickles need {name}")
    run = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_function_of_a_script_is_taken_as_it_is_where_nothing_has_its_name():
    assert printed("-c", ANOTHER_MAIN) == "[12.0, 12.0]\n"


@pytest.mark.slow
def test_a_script_sends_functions_to_other_processes_by_all_picklers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    assert printed(script) == "all the same\n"
