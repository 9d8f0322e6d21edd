"""Rows by position: whatever form they come in, a function gives what it gives of plain lists."""

import functools
import inspect
import math
import re
from array import array
from collections import deque
from collections.abc import Iterable
from enum import Enum
from importlib.util import find_spec
from numbers import Real
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgrid as mg
from microgrid import MLP, Layer, Neuron, Value, accuracy, fit, losses, metrics, optim
from microgrid.core.primitive import Primitive
from microgrid.core.sequences import is_number, single
from microgrid.datasets import StandardScaler, batches, blobs, encode, split
from microgrid.drawing import (
    BoundaryMovie,
    LivePlot,
    playground,
    plot_decision_boundary,
    plot_images,
    plot_network,
)
from microgrid.drawing.training import confusion
from tests.search import LONG

# Numbers that every type of a column can hold; no row is like another.
X = [[3.0, 1.0], [0.0, 2.0], [5.0, 4.0], [1.0, 7.0], [6.0, 0.0], [2.0, 5.0]]
Y = [0, 1, 1, 0, 1, 0]
Z = [2.0, 0.5, 1.0, 4.0, 3.0, 8.0]
REDUCTIONS = [
    *("sum", "prod", "mean", "max", "min", "norm", "logsumexp", "softmax", "log_softmax"),
]
EXTRA = "is not installed: the extra `interop` brings it"


def trained(of):
    model = MLP(2, [2, 1], activation="tanh", seed=0)
    history = fit(
        model, of(X), of(Y), loss=losses.binary_cross_entropy, epochs=2, batch_size=4,
        optimizer=optim.SGD(model.parameters(), lr=0.1), validation=(of(X), of(Y)),
        metrics=[accuracy], progress=False, compile=False,
    )  # fmt: skip
    return history.records, model.state_dict()


def drawn(of):
    picture = plot_decision_boundary(lambda x: x[0] - x[1], of(X), of(Y), resolution=3)
    points = [c.get_offsets().tolist() for c in picture.figure.axes[0].collections[-2:]]
    return points, picture.alternative


def images_of(picture):
    return [image.get_array().tolist() for image in picture.figure.axes[0].images]


def in_batches(of):
    return [part for pair in batches(of(X), of(Y), 4, seed=1) for part in pair]


def loss_of(loss):
    return lambda of: loss(of(Z), of(Y))


def seen_by(watcher):
    """Return what is drawn, but for the names of columns, which are a frame's own."""
    return {name: part for name, part in vars(watcher.boundary).items() if name != "names"}


# What takes rows, or a row: with data in a form, all that comes out.
CALLS = {
    "fit": trained,
    "accuracy": lambda of: (accuracy(of(Z), of(Y)), accuracy(of(X), of(Y))),
    "metrics.confusion_matrix": lambda of: (
        metrics.confusion_matrix(of(Z), of(Y)),
        metrics.confusion_matrix(of(X), of(Y)),
    ),
    "datasets.split": lambda of: (
        *split(of(X), of(Y), seed=1),
        *split(of(X), of(Y), seed=1, stratify=True),
    ),
    "datasets.batches": in_batches,
    "datasets.encode": lambda of: encode(of(Y)),
    "datasets.blobs": lambda of: blobs(6, centers=of(X)),
    "datasets.StandardScaler.fit": lambda of: vars(StandardScaler().fit(of(X))),
    "datasets.StandardScaler.fit_transform": lambda of: StandardScaler().fit_transform(of(X)),
    "datasets.StandardScaler.transform": lambda of: StandardScaler().fit(X).transform(of(X)),
    "datasets.StandardScaler.inverse_transform": lambda of: (
        StandardScaler().fit(X).inverse_transform(of(X))
    ),
    "drawing.plot_decision_boundary": drawn,
    "drawing.plot_images": lambda of: images_of(plot_images(of(X[:2]), width=1)),
    "drawing.plot_confusion_matrix": lambda of: confusion._counts(of(X[:2])).tolist(),
    "drawing.BoundaryMovie": lambda of: seen_by(BoundaryMovie(of(X), of(Y))),
    "drawing.LivePlot": lambda of: seen_by(LivePlot(of(X), of(Y))),
    "drawing.playground": lambda of: playground(MLP(2, [3], seed=0), of(X), of(Y)).html(),
    **{f"losses.{name}": loss_of(getattr(losses, name)) for name in losses.__all__},
    "losses.hinge": lambda of: losses.hinge(of(Z), of([2 * y - 1 for y in Y])),
    "losses.cross_entropy": lambda of: losses.cross_entropy(of(Z), 3),
    "Neuron.__call__": lambda of: Neuron(6, seed=0)(of(Z)),
    "Layer.__call__": lambda of: Layer(6, 2, seed=0)(of(Z)),
    "MLP.__call__": lambda of: MLP(6, [2], seed=0)(of(Z)),
    "MLP": lambda of: MLP(2, of([3, 2]), seed=0)([1.0, 2.0]),
    "Module.with_parameters": lambda of: Neuron(5).with_parameters(of(Z)).state_dict(),
    **{name: lambda of, name=name: getattr(mg, name)(of(Z)) for name in REDUCTIONS},
    "dot": lambda of: mg.dot(of(Z), of(Y)),
    "interp": lambda of: mg.interp(0.5, of([0.0, 1.0, 2.0]), of([1.0, 3.0, -1.0])),
}
OF_ROWS = [name for name in CALLS if name == "fit" or name.startswith(("datasets", "drawing"))]
OF_ANYTHING = ("datasets.split", "datasets.batches", "datasets.encode")
OF_NUMBERS = [name for name in OF_ROWS if name not in OF_ANYTHING]

# Names of rows and of what is in them; and what else is a sequence, so that someone looked at it.
NAMES = {
    *("X", "y", "x", "xs", "predictions", "targets", "prediction", "target", "logits", "logit"),
    "validation",
}
OTHERS = {
    "numbers, which may be arrays": [
        *("clip", "elu", "gelu", "leaky_relu", "log_sigmoid", "maximum", "minimum", "silu"),
        *(
            "where",
            "taylor",
            "arrays.map_elements",
            "digamma",
            "polygamma",
            "ndtr",
            "logit",
            "sinc",
        ),
        *("logaddexp", "xlogy"),
    ],
    "what the library makes itself": ["datasets.Penguins"],
    "functions": ["metrics.metrics_by_name"],
    "a function and where to begin": ["root", "minimum_of"],
    "matrices and vectors": ["linalg.solve"],
    "what fit has listed": ["metrics.measure"],
    "records of a history": ["History", "drawing.plot_history"],
    "leaves and parameters, which are Values": [
        *("zero_grad", "optim.clip_grad_norm_", "optim.clip_grad_value_"),
        *[f"optim.{name}" for name in ("Optimizer", "SGD", "Adam", "AdamW", "RMSprop")],
    ],
    "places of arguments": ["grad", "value_and_grad", "jacobian", "hessian", "compile"],
    "trees of arguments": ["jvp", "hvp", "scan"],
    "names and labels": ["draw", "formula", "drawing.Formula", "drawing.plot_network"],
    "lines of a file": ["drawing.Graph.write"],
    "the method of its base": [f"{name}.with_parameters" for name in ("Neuron", "Layer", "MLP")],
}


def public_functions():
    """Yield every public function, class and method, with its name after `microgrid.`."""
    for name in [*mg.__all__, "max", "min", "sum", "compile", "metrics"]:
        part = getattr(mg, name, metrics)
        names = getattr(part, "__all__", ()) if isinstance(part, ModuleType) else ()
        if name in ("functional", "special", "testing", "compiler", "anomaly"):
            continue  # the first has its names in microgrid, the others take no rows
        parts = [(f"{name}.{own}", getattr(part, own)) for own in names] or [(name, part)]
        for path, own in parts:
            if path.rpartition(".")[2] in mg.__all__ and path != path.rpartition(".")[2]:
                continue
            if not isinstance(own, Primitive):
                yield path, own
            if inspect.isclass(own):
                for method, function in inspect.getmembers(own, inspect.isfunction):
                    if method == "__call__" or not method.startswith("_"):
                        yield f"{path}.{method}", function


def takes_a_sequence(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        re.search("Iterable|Sequence|Matrix", str(p.annotation)) or p.name in NAMES
        for p in parameters
    )


def test_every_public_function_of_sequences_is_under_the_law_or_takes_something_else():
    found = {name for name, function in public_functions() if takes_a_sequence(function)}
    others = {name for names in OTHERS.values() for name in names}
    assert {name for name in found if not name.startswith("Value.")} == {*CALLS, *others}
    assert others.isdisjoint(CALLS)


# ---- forms


class Stub:
    """A table or a column of some library, that iterates over names, or over nothing."""

    columns = ("a", "b")

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(self.columns)

    def __len__(self):
        return len(self.columns)

    def __getitem__(self, index):
        raise KeyError(index)


class Pandas(Stub):
    def itertuples(self, index=True, name="Pandas"):
        assert (index, name) == (False, None)
        return iter(map(tuple, self.data))


class Polars(Stub):
    def iter_rows(self):
        return iter(map(tuple, self.data))


class Column(Stub):
    def to_list(self):
        return self.data


class Tensor(Stub):
    """PyTorch's, which gives tensors to whoever iterates, and no array where it has a gradient."""

    def __init__(self, data, requires_grad=False):
        self.data, self.requires_grad = np.array(data), requires_grad
        self.ndim, self.dtype = self.data.ndim, "torch.float32"

    def __iter__(self):
        return (Tensor(row, self.requires_grad) for row in self.data)

    def tolist(self):
        return self.data.tolist()

    def item(self):
        return self.data.item()

    def __repr__(self):
        return f"tensor({self.data.tolist()}{', requires_grad=True' * self.requires_grad})"


class Nowhere:
    """PyTorch's on the device `meta`."""

    ndim = 2

    def tolist(self):
        raise NotImplementedError("cannot copy out of a meta tensor")


class ForNumPy:
    def __init__(self, data):
        self.data = data

    def __array__(self, dtype=None, copy=None):
        return np.array(self.data)


class Indexed:
    """What has a length and gives an item for an index alone, whatever the index."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index % len(self)]


class Lazy:
    def collect(self):
        raise AssertionError("nobody asked for it")

    def __getitem__(self, index):
        raise TypeError("a lazy frame is not subscriptable")


def is_table(data):
    return isinstance(data[0], list)


def by_rows(kind):
    """Return a form of a list, or of a list of rows, each in another one."""
    return lambda data: kind([kind(row) for row in data]) if is_table(data) else kind(data)


def python():
    return {
        "lists": lambda data: data,
        "tuples": by_rows(tuple),
        "a deque": by_rows(deque),
        "an iterator": iter,
        "a generator": lambda data: (x for x in data),
        "generators": by_rows(lambda data: (x for x in data)),
        "items of an index": Indexed,
        "a map": lambda data: map(list, data) if is_table(data) else iter(data),
        "a dict's values": lambda data: dict(enumerate(data)).values(),
        "arrays of Python": lambda data: (
            [*map(of_python, data)] if is_table(data) else of_python(data)
        ),
        "a memory": lambda data: (
            memoryview(np.array(data, float)) if is_table(data) else memoryview(of_python(data))
        ),
        "a frame by itertuples": lambda data: (Pandas if is_table(data) else Column)(data),
        "a frame by iter_rows": lambda data: (Polars if is_table(data) else Column)(data),
        "a tensor": Tensor,
        "a list of tensors": lambda data: [Tensor(x) for x in data] if is_table(data) else data,
        "tensors of one number": lambda data: (
            [[*map(Tensor, row)] for row in data] if is_table(data) else [*map(Tensor, data)]
        ),
    }  # fmt: skip


def of_python(data):
    return array("q" if all(isinstance(x, int) for x in data) else "d", data)


def numpy():
    kinds = [float, np.float32, np.float16, np.longdouble, object]
    return {
        "an array": np.array,
        **{kind.__name__: lambda data, kind=kind: kept(data, kind) for kind in kinds},
        "in Fortran's order": lambda data: np.array(data, order="F"),
        "a view": lambda data: np.array([*data[::-1], data[0]])[-2::-1],
        "rows that are arrays": lambda data: (
            [*map(np.array, data)] if is_table(data) else np.array(data)
        ),
        "masked, with no mask": np.ma.array,
        "records": lambda data: (
            np.array([*map(tuple, data)], dtype="f8,f8") if is_table(data) else np.array(data)
        ),
        "what NumPy understands": ForNumPy,
    }  # fmt: skip


def kept(data, kind):
    """Return an array of a kind, but of whole numbers where the data are: classes stay classes."""
    return np.array(data, int if isinstance(data[0], int) and kind is not object else kind)


def scipy():
    sparse = pytest.importorskip("scipy.sparse")
    return {
        kind.__name__: lambda data, kind=kind: kind(data) if is_table(data) else np.array(data)
        for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array)
    }


INDICES = {
    "shuffled": lambda n: [(3 * i + 2) % n for i in range(n)] if n % 3 else [*range(n)][::-1],
    "of one number": lambda n: [0] * n,
    "of words": lambda n: list("fedcba")[-n:],
    "of fractions": lambda n: [i / 2 for i in range(n)],
    "of pairs": lambda n: [[i % 2 for i in range(n)], [*range(n)][::-1]],
}


def pandas():
    pd = pytest.importorskip("pandas", reason=f"pandas {EXTRA}")

    def table(data, **options):
        return pd.DataFrame(data, columns=["a", "b"], **options)

    def framed(data, index=None, kind=None):
        made = table(data, index=index) if is_table(data) else pd.Series(data, index)
        return made if kind is None else made.astype(kind)

    def filtered(data):
        rows = [row for pair in zip(data, data[::-1], strict=True) for row in pair]
        return framed(rows)[[i % 2 == 0 for i in range(len(rows))]]

    def named_by_numbers(data):
        return pd.DataFrame(data, columns=range(2)) if is_table(data) else framed(data)

    def mixed(data):
        return framed(data).astype({"a": "int8"}) if is_table(data) else framed(data, None, "int8")

    def of_kind(kind):
        is_whole, is_real = kind in ("Int64", "int8"), kind == "Float64"
        return lambda data: framed(
            data, None, None if (is_whole and data == Z) or (is_real and data == [3, 2]) else kind
        )

    return {
        **{f"an index {name}": lambda data, at=at: framed(data, at(len(data)))
           for name, at in INDICES.items()},
        "filtered": filtered,
        "sampled": lambda data: framed(data[::-1]).iloc[::-1],
        "of two types": lambda data: mixed(data) if data != Z else framed(data),
        "columns named by numbers": named_by_numbers,
        "columns of one name": lambda data: (
            pd.DataFrame(data, columns=["a", "a"]) if is_table(data) else framed(data)
        ),
        **{kind: of_kind(kind) for kind in ("Int64", "Float64", "int8", "object", "category")},
        "an index": lambda data: framed(data) if is_table(data) else pd.Index(data),
        "an array of nullables": lambda data: (
            framed(data) if is_table(data) else pd.array(data)
        ),
        "rows that are columns": lambda data: (
            [pd.Series(row, index=[1, 0]) for row in data] if is_table(data) else framed(data)
        ),
        "named tuples": lambda data: (
            list(framed(data).itertuples(index=False)) if is_table(data) else framed(data)
        ),
    }  # fmt: skip


def polars():
    pl = pytest.importorskip("polars", reason=f"polars {EXTRA}")

    def framed(data):
        return pl.DataFrame(data, orient="row") if is_table(data) else pl.Series(data)

    def filtered(data):
        rows = [row for pair in zip(data, data[::-1], strict=True) for row in pair]
        made = framed(rows)
        return made.filter(pl.Series([i % 2 == 0 for i in range(len(rows))]))

    return {
        "a frame": framed,
        "filtered": filtered,
        "in chunks": lambda data: pl.concat([framed(data[:1]), framed(data[1:])], rechunk=False),
        "a column of lists": pl.Series,
        "collected": lambda data: framed(data).lazy().collect() if is_table(data) else framed(data),
        "small": lambda data: (
            framed(data).cast(pl.Float32) if isinstance(data[0], (list, float)) else framed(data)
        ),
    }  # fmt: skip


def torch():
    import torch

    return {"a tensor": torch.tensor, "a list of tensors": lambda data: [*map(torch.tensor, data)]}


# PyTorch is too large to ask for; `Tensor` above stands for it.
LIBRARIES = [python, numpy, scipy, pandas, polars, *([torch] if find_spec("torch") else [])]
library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)


def plain(result):
    """Return what came out, with lists for all that has parts and numbers for `Value`s."""
    if isinstance(result, Value):
        return result.data
    if isinstance(result, dict):
        return {name: plain(part) for name, part in result.items()}
    if isinstance(result, (str, Real)):
        return result
    if hasattr(result, "tolist"):
        return plain(result.tolist())
    return [*map(plain, result)] if isinstance(result, Iterable) else result


@functools.cache
def of_plain_lists(name):
    return plain(CALLS[name](lambda data: data))


@library
@pytest.mark.parametrize("name", CALLS)
def test_every_form_gives_what_plain_lists_give(name, library):
    forms = [*library().items()]
    if name.startswith("drawing."):  # a picture takes long: of many forms some, by default
        forms = forms if LONG else forms[::4]
    for form, of in forms:
        got = plain(CALLS[name](of))
        assert got == of_plain_lists(name), form


def test_what_is_split_holds_its_rows_as_lists_and_its_entries_as_they_are():
    for of in (np.array, Pandas, Polars, Tensor):
        rows, _, _, _ = split(of(X), Y)
        assert {type(row) for row in rows} == {list}
        assert {type(x) for row in rows for x in row} == {float}
    rows, _, _, _ = split(["a", "b", "c", None], [{}, (), "", 0])
    assert {*rows} < {"a", "b", "c", None}


@given(st.permutations(range(8)), st.lists(st.booleans(), min_size=8, max_size=8), st.data())
def test_a_frame_shuffled_and_filtered_is_the_list_of_its_rows(order, kept, data):
    pd = pytest.importorskip("pandas", reason=f"pandas {EXTRA}")
    kept[:3] = True, True, True
    labels = data.draw(st.lists(st.integers(0, 9) | st.text(), min_size=8, max_size=8))
    frame = pd.DataFrame({"a": order, "b": np.sqrt(order), "y": [0, 1] * 4}, index=labels)
    frame = frame.iloc[order][kept]
    rows = [[a, b] for a, b, _ in frame.to_numpy().tolist()]
    y = [int(label) for _, _, label in frame.to_numpy().tolist()]
    assert plain(split(frame[["a", "b"]], frame.y, seed=1)) == plain(split(rows, y, seed=1))
    assert plain(batches(frame[["a", "b"]], frame["y"], 2)) == plain(batches(rows, y, 2))
    assert accuracy(frame["b"], frame["y"]) == accuracy([b for _, b in rows], y)
    assert mg.dot(frame["a"], frame["b"]) == mg.dot(*zip(*rows, strict=True))
    scaled = StandardScaler().fit_transform(frame[["a", "b"]])
    assert scaled == StandardScaler().fit_transform(rows)


# ---- what is refused


class Colour(Enum):  # over whose members its metaclass iterates; they themselves have none
    RED = 1
    BLUE = 2


ITSELF = []
ITSELF.append(ITSELF)
NO_ROWS = {
    "a list of itself": lambda data: ITSELF * len(data),
    "members of an Enum": lambda data: [Colour.RED] * len(data),
    "an Enum": lambda data: Colour,
    "a set": lambda data: {tuple(x) if isinstance(x, list) else x for x in data},
    "a frozen set": lambda data: frozenset(map(str, data)),
    "a dict": lambda data: dict(enumerate(data)),
    "a dict of columns": lambda data: {"a": data, "b": data},
    "text": lambda data: "ab" * len(data),
    "bytes": lambda data: bytes(len(data)),
    "a bytearray": lambda data: bytearray(len(data)),
    "nothing": lambda data: None,
    "a number": lambda data: 2.5,
    "a Value": lambda data: Value(2.5),
    "an array of no dimension": lambda data: np.array(2.5),
    "a set in an array": lambda data: np.array({2.5}),
    "a tensor of no dimension": lambda data: Tensor(2.5),
    "a tensor with a gradient": lambda data: Tensor(data, requires_grad=True),
    "what is not computed": lambda data: Lazy(),
    "a type": lambda data: list,
    "a match of a pattern": lambda data: re.match("(a)(b)", "ab"),
    "a tensor that is nowhere": lambda data: Nowhere(),
    "a function": lambda data: iter,
    "no entries": lambda data: [],
    "a frame of no rows": lambda data: Pandas([]),
    "a table of tables": lambda data: [[data, data], [data, data]],
    "an array of three dimensions": lambda data: np.zeros((2, 2, 2)),
    "words": lambda data: ["no"] * len(data),
    "rows of words": lambda data: [["no", "yes"]] * len(data),
    "words in an array": lambda data: np.array([["no", "yes"]] * len(data)),
    "rows of sets": lambda data: [{1.0, 2.0}] * len(data),
    "rows of dicts": lambda data: [{"a": 1.0}] * len(data),
    "dates": lambda data: np.array([["2024"] * 2] * len(data), "M8[ns]"),
    "durations": lambda data: np.array([[2] * 2] * len(data), "m8[ns]"),
    "complex numbers": lambda data: [[1j, 1.0]] * len(data),
}
# What is right for some: split takes anything for a row, a loss takes a number, and no numbers have
# a sum.
ANYTHING = {
    *("words", "rows of words", "words in an array", "rows of sets", "rows of dicts", "dates"),
    *("durations", "complex numbers", "a table of tables", "an array of three dimensions"),
    *("a list of itself", "members of an Enum", "an Enum"),
}
SINGLE = {"a number", "a Value", "an array of no dimension", "a tensor of no dimension"}
EMPTY = {"no entries", "a frame of no rows"}
RIGHT = {
    "datasets.split": ANYTHING,
    "datasets.batches": ANYTHING | EMPTY,
    "datasets.encode": ANYTHING | EMPTY,
    **dict.fromkeys(("sum", "prod", "norm", "dot"), EMPTY),
    **{f"losses.{name}": SINGLE for name in losses.__all__},
    "losses.cross_entropy": set(),
    "Module.with_parameters": {"a dict"},
    "drawing.LivePlot": {"nothing"},
    "drawing.playground": {"nothing"},
}
FROM_WITHIN = re.compile(
    r"zip\(\)|unary|operand|subscriptable|unhashable|has no len|not iterable|not supported|"
    r"float\(\)|could not convert|has no attribute|argument|truth value|NoneType'"
)


@pytest.mark.parametrize("name", CALLS)
def test_what_has_no_rows_by_position_is_refused(name):
    for form, of in NO_ROWS.items():
        if form in RIGHT.get(name, ()):
            continue
        with pytest.raises((TypeError, ValueError)) as refused:
            pytest.fail(f"{name} of {form} is {CALLS[name](of)!r}")
        message = str(refused.value)
        assert "got" in message or "missing: " in message, (form, message)
        assert not FROM_WITHIN.search(message), (form, message)


class NAType:
    """pandas' NA: what is computed with it, even a comparison, is NA and neither true nor false."""

    def __eq__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self):
        return "<NA>"

    __hash__ = None


NO_NUMBER = [
    Colour.RED,
    *[None, float("nan"), np.nan, np.float32("nan"), np.ma.masked, NAType(), np.array(np.nan)],
    *[np.array(None), "a", "", b"1", [1.0], (), {}, {1.0}, 1j, np.datetime64("2024"), 10**400],
    *[np.timedelta64(1, "ns"), Tensor(1.0, requires_grad=True), Tensor([1.0, 2.0]), object()],
]


OTHER_NAMES = {
    "datasets.blobs": "centers",
    "drawing.plot_images": "images",
    "drawing.plot_confusion_matrix": "matrix",
}


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_the_row_and_the_column_of_what_is_no_number_are_named(name):
    argument = OTHER_NAMES.get(name, "X")
    for number in NO_NUMBER:
        rows = [row if i != 4 else [row[0], number] for i, row in enumerate(X)]
        for kind, column in [(list, "column 1"), (Pandas, r"column 1 \('b'\)")]:
            given, must = kind(rows), f"^row 4, {column} of `{argument}` must"
            with pytest.raises((TypeError, ValueError), match=must):
                CALLS[name](lambda data, given=given: given if is_table(data) else data)


@pytest.mark.parametrize("name", ["fit", "drawing.plot_decision_boundary", "drawing.LivePlot"])
def test_the_row_of_a_target_that_is_no_number_is_named(name):
    for number in NO_NUMBER:
        y = [*Y[:3], number, *Y[4:]]
        with pytest.raises((TypeError, ValueError), match=r"^row 3(, column \d)? of `y` "):
            CALLS[name](lambda data, y=y: data if is_table(data) else y)


def test_the_row_that_has_no_accuracy_is_named():
    for number in NO_NUMBER:
        for predictions in (Z, X):
            with pytest.raises((TypeError, ValueError), match=r"in row 3\b"):
                accuracy(predictions, [*Y[:3], number, *Y[4:]])
        if is_number(single(number)) or getattr(number, "ndim", 0) == 1:
            continue  # as predictions nan is wrong, and 10**400 and two logits say a class
        for predictions in ([*Z[:3], number, *Z[4:]], [*X[:3], [1.0, number], *X[4:]]):
            with pytest.raises((TypeError, ValueError), match=r"(in|of) row 3\b"):
                accuracy(predictions, Y)


# ---- what else is given by position, or is no number


@pytest.mark.parametrize("number", [np.array(1.0), np.float32(1), Tensor(1.0), np.True_])
@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_takes_a_target_that_an_array_or_a_tensor_gives(name, number):
    loss, leaf = getattr(losses, name), Value(0.5)
    prediction = [leaf, 2.0] if name == "cross_entropy" else leaf
    target = np.array(1) if name == "cross_entropy" else number
    assert loss(prediction, target).data == loss(prediction, 1).data
    if name != "cross_entropy":
        assert loss([leaf, number], [number, number]).data == loss([leaf, 1.0], [1, 1]).data


def test_classes_that_are_not_known_are_one_class_in_every_form():
    y = [math.nan, 1.0] * 3
    for of in (list, np.array, lambda y: [*map(float, map(str, y))]):
        y_train, y_test = split(X, of(y), test=0.34, stratify=True, seed=0)[2:]
        assert [sum(t != t for t in part) for part in (y_train, y_test)] in ([2, 1], [1, 2])


@pytest.mark.parametrize("labels", [{"a", "b"}, "ab", {"a": 1, "b": 2}, None, b"ab"])
def test_labels_of_a_network_are_in_an_order(labels):
    with pytest.raises(TypeError, match="`outputs` must be a list of labels, got"):
        plot_network(MLP(2, [2]), outputs=0 if labels is None else labels)


def test_a_loss_of_a_number_and_a_sparse_array_says_what_it_takes():
    sparse = pytest.importorskip("scipy.sparse")
    for loss in (losses.squared_error, losses.hinge, losses.cross_entropy):
        with pytest.raises((TypeError, ValueError), match=r"(must|needs) .* got"):
            loss(Value(0.5), sparse.csr_array([[1.0, 0.0]]))
        with pytest.raises((TypeError, ValueError), match=r"(must|needs) .* got"):
            loss([Value(0.5)] * 2, sparse.csr_array([[1.0, 0.0]]))


MASKED = np.ma.array([1.0, 2.0], mask=[False, True])
DURATIONS = np.array([1, 2], "m8[ns]")


@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.grad(lambda x: mg.dot(x, x))(MASKED),
        lambda: mg.grad(lambda x: mg.dot(x, x))(DURATIONS),
        lambda: mg.arrays.array(MASKED),
        lambda: mg.arrays.array(DURATIONS),
        lambda: mg.sum([Value(1.0), np.ma.masked]),
        lambda: mg.dot([Value(1.0), Value(1.0)], [Value(1.0), MASKED]),
        lambda: mg.max([1.0, DURATIONS[0]]),
        lambda: Value(DURATIONS[0]),
        lambda: mg.tanh(DURATIONS[0]),
        lambda: accuracy(DURATIONS[:1], [1]),
    ],
)
def test_what_is_masked_and_what_is_a_duration_is_no_number_anywhere(call):
    with pytest.raises(TypeError, match=r"numbers?\b.* got"):
        call()
