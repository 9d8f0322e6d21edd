"""Long programs are printed in loops, and what is printed is what is computed."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import assume, given

import microgrid
from microgrid.compiler import Program
from microgrid.compiler.loops.listing import Listing, LoopProgram
from tests.compiler.sequences import elman, gradients, sequences
from tests.compiler.structured import structured
from tests.search import usual

LOOPS = r" for ((?:\w+ in \d+(?:, )?)+)"
FOLDS = {"Σ": np.sum, "Π": np.prod, "max": np.max, "min": np.min}


def counts_of(loops):
    return {name: int(count) for name, count in re.findall(r"(\w+) in (\d+)", loops or "")}


class Folded:
    """`Σ_i a·b` as `Folded(…) @ a * b`: factors are taken in until something else follows."""

    __array_ufunc__ = None  # arrays leave their operators to this

    def __init__(self, kind, axis, count, ndim):
        self.kinds, self.body = (
            [(kind, axis)],
            np.zeros(np.where(np.arange(ndim) == axis, count, 1)),
        )

    def __matmul__(self, other):
        if isinstance(other, Folded):
            self.kinds += other.kinds
            other = other.body
        self.body = self.body + other
        return self

    def __mul__(self, other):
        self.body = self.body * other
        return self

    def __truediv__(self, other):
        self.body = self.body / other
        return self

    def settle(self):
        body = self.body
        for kind, axis in reversed(self.kinds):
            body = FOLDS[kind](body, axis=axis, keepdims=True)
        return body

    def __add__(self, other):
        return self.settle() + settle(other)

    def __radd__(self, other):
        return other + self.settle()

    def __sub__(self, other):
        return self.settle() - settle(other)

    def __rsub__(self, other):
        return other - self.settle()


def settle(x):
    return x.settle() if isinstance(x, Folded) else x


def elementwise(op):
    function = np.vectorize(op, otypes=[float])
    return lambda *xs: function(*map(settle, xs))


def compute(text, names, loops, outer):
    """Return an expression's numbers in turns of loops, which are axes, the outer ones first."""
    ndim = len(loops)
    own = dict(names)
    for axis, (name, count) in enumerate(loops.items()):
        own[name] = np.arange(count).reshape(np.where(np.arange(ndim) == axis, count, 1))
        for k, kind in enumerate(FOLDS):
            own[f"_fold{k}_{name}"] = lambda kind=kind, axis=axis, count=count: Folded(
                kind, axis, count, ndim
            )
    fold = "(" + "|".join(FOLDS) + r")_(\w+) "
    text = re.sub(r"(?<!\w)\((?=" + fold + ")", "settle(", text)
    text = re.sub(fold, lambda m: f"_fold{list(FOLDS).index(m[1])}_{m[2]}() @ ", text)
    own["settle"] = settle
    result = settle(eval(text.replace("·", "*"), {"__builtins__": {}}, own))
    shape = [loops[name] for name in outer]
    return np.broadcast_to(result, [*shape, *[1] * (ndim - len(shape))]).reshape(shape)


def expand(text, names):
    """Return the list that `(a[j], (b[j, k] for k in 3) for j in 4), c` stands for."""
    while found := re.search(LOOPS + r"\)", text):
        depth, begin = 1, found.start()
        while depth:
            begin -= 1
            depth += {")": 1, "(": -1, "]": 1, "[": -1}.get(text[begin], 0)
        loops = "".join(f" for {x} in range({n})" for x, n in counts_of(found[1]).items())
        body = text[begin + 1 : found.start()]
        text = f"{text[:begin]}[[{body}]{loops}]{text[found.end() :]}"

    def flatten(x):
        return [y for each in x for y in flatten(each)] if isinstance(x, list | tuple) else [x]

    # a comprehension sees what is global alone
    return [float(x) for x in flatten(eval(f"[{text}]", {**names, "range": range}))]


def run(listing, names):
    """Return what a listing computes."""
    _, *lines, last = [line[4:] for line in listing.splitlines()]
    names = dict(names)
    while lines:
        line = lines.pop(0)
        if not (head := re.fullmatch(r"for (\w+) in (\d+):", line)):
            execute(line, names, names)
            continue
        block = []
        while lines and lines[0].startswith("    "):
            block.append(lines.pop(0).strip())
        for turn in range(int(head[2])):
            for line in block:
                execute(line, names | {head[1]: turn}, names)
    return expand(last.removeprefix("return "), names)


class Places(dict):
    """An array of which a line writes some places: by tuples of numbers, and read by arrays."""

    def __getitem__(self, index):
        places = np.broadcast_arrays(*(index if isinstance(index, tuple) else (index,)))
        entries = zip(*[place.ravel().tolist() for place in places], strict=True)
        return np.reshape([self.get(entry) for entry in entries], places[0].shape)


def execute(line, known, names):
    """Write what a line of a listing computes of what is known among the names."""
    target, text = line.split(" = ", 1)
    name, _, index = target.removesuffix("]").partition("[")
    if re.fullmatch(r"t_*\d+", name):
        names[name] = np.array(eval(text, {}, known))
        return
    text, loops, *_ = [*re.split(LOOPS + "$", text), ""]
    counts = counts_of(loops)
    outer = [variable for variable in counts if re.search(rf"\b{variable}\b", index)]
    numbers = compute(text, known, counts, outer)
    if not index:
        names[name] = numbers
        return
    turns = dict(zip(outer, np.indices(numbers.shape), strict=True))
    places = np.broadcast_arrays(numbers, *eval(f"[{index}]", {**known, **turns}))[1:]
    entries = zip(*[place.ravel().tolist() for place in places], strict=True)
    names.setdefault(name, Places()).update(zip(entries, numbers.ravel().tolist(), strict=True))


def names_of(program, numbers):
    """Return arrays for w0, w1, … and x0, x1, …, the single numbers by name, and functions."""
    functions = {op.name: elementwise(op) for op, _ in program.steps}
    # leaky_relu(0.01)(x): one of each kind is drawn
    kinds = {name.partition("(")[0]: f for name, f in functions.items() if "(" in name}
    names = functions | {kind: lambda constant, f=f: f for kind, f in kinds.items()}
    names |= zip(program.inputs, numbers, strict=True)
    for stem in ("w", "x"):
        names[stem] = np.array(
            [x for name, x in names.items() if re.fullmatch(stem + r"\d+", name)]
        )
    return names


def numbers_for(program):
    return np.random.default_rng(0).uniform(0.3, 1.7, len(program.inputs)).tolist()


@usual(60)
@given(structured() | sequences())
def test_a_listing_computes_what_its_program_does(drawn):
    program = drawn.program()
    numbers = numbers_for(program)
    try:
        wanted = program(*numbers)
    except (ArithmeticError, ValueError):
        assume(False)
    listing = Listing(program, most_entries=10**9).text()
    assert run(listing, names_of(program, numbers)) == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    head = re.match(r"program\((.*)\):  #", listing)[1]
    slots = range(len(program.inputs))
    assert expand(head, names_of(program, slots)) == [float(slot) for slot in slots]


def network(*sizes):
    def loss(model, x, y):
        return sum((a - b) ** 2 for a, b in zip(model(x), y, strict=True))

    f = microgrid.compile(microgrid.value_and_grad(loss))
    f.prepare(
        microgrid.nn.MLP(sizes[0], list(sizes[1:]), activation="relu"),
        [0.0] * sizes[0],
        [0.0] * sizes[-1],
    )
    return f.program


def test_a_network_is_a_few_lines_whatever_its_width_and_neurons_are_named_as_in_python():
    small, large = (repr(network(10, width, 5)).splitlines() for width in (12, 36))
    assert [line.replace("36", "12") for line in large[1:]] == small[1:]
    neuron = "model.layers[0].neurons[j]"
    assert f"v1[j] = relu(Σ_i {neuron}.w[i]·x[i] + {neuron}.b) for j in 12, i in 10" in small[1]
    assert len(small) < 15


def test_a_recurrence_is_a_few_lines_whatever_its_turns():
    few, many = (str(LoopProgram.of(gradients(elman, 6, n).program())) for n in (20, 40))
    assert len(few.splitlines()) == len(many.splitlines()) < 25
    assert "v3[t + 1, j] = tanh(v2[t + 1, j]) for j in 6" in many.split("for t in 38:")[1]


def test_a_listing_is_the_same_every_time_and_outlives_a_pickle():
    program = network(10, 12, 5)
    assert repr(pickle.loads(pickle.dumps(program))) == repr(program) == repr(network(10, 12, 5))
    assert program == Program(program.inputs, program.steps, program.outputs)


def test_what_is_short_or_irregular_is_printed_step_by_step():
    def irregular(xs):
        functions = [microgrid.sin, microgrid.exp, microgrid.tanh]
        for k in range(80):
            xs = [*xs[1:], functions[k * k % 5 % 3](xs[k * k % 7] * xs[k % 3])]
        return sum(xs)

    program = microgrid.compile(irregular).prepare([0.0] * 7)
    assert len(program) > 60
    assert repr(program) == repr(Program(program.inputs, program.steps, program.outputs))


@pytest.mark.parametrize(
    "expression",
    ["x - (y - z)", "x - (y + z)", "x / (y * z)", "z * (x - y)", "z * (-(x + y))", "(x * y)**2"],
)
def test_what_is_written_inside_an_expression_is_in_parentheses_where_it_has_to_be(expression):
    f = eval(f"lambda xs, ys, zs: [{expression} for x, y, z in zip(xs, ys, zs)]")
    program = microgrid.compile(f).prepare(*[[0.0] * 50] * 3)
    line = repr(program).splitlines()[1]
    indexed = re.sub(r"[xyz]", r"\g<0>s[j]", expression)
    assert line == f"    v1[j] = {indexed} for j in 50"
