"""What is tested inside of Pyodide: there `main` writes a line of JSON after each test."""

import asyncio
import contextlib
import doctest
import io
import json
import pickle
import pkgutil
import re
import sys
import traceback
from importlib import import_module

import microgrid as mg
from microgrid import MLP, Value, datasets, fit, losses, optim

js = import_module("js") if sys.platform == "emscripten" else None  # the global names of the page
# What an example says that needs a package for which there is no Python code alone.
LACKS = re.compile(r"No module named '(\w+)'|needs (\w+), which is not installed")
LACKING = {"anywidget", "hypothesis", "llvmlite", "matplotlib", "numpy", "sympy", "traitlets"}


def chain(length):
    y = x = Value(1.0)
    for _ in range(length):
        y = y * 1.0 + 1e-9
    return x, y


def neuron():
    x, w, b = (Value(v, label=name) for name, v in zip("xwb", (2.0, -3.0, 6.5), strict=True))
    return x, (x * w + b).tanh()


def test_this_is_pyodide():
    assert sys.platform == "emscripten"


def test_a_long_chain_is_differentiated_and_freed():
    x, y = chain(100_000)
    y.backward()
    assert x.grad == 1.0
    del y  # Python's own way would end the interpreter here


def test_long_chains_are_freed_in_any_order():
    pairs = [chain(3_000) for _ in range(4)]
    total = mg.sum([y for _, y in pairs])
    del pairs[2]
    pairs.sort(key=lambda pair: id(pair[1]))
    pairs.clear()
    assert total.op.name == "sum"
    del total


def test_a_copy_of_a_long_chain_is_a_long_chain():
    _, y = chain(5_000)
    copied = pickle.loads(pickle.dumps(y))
    assert copied.data == y.data
    assert len(mg.topological_order(copied)) == len(mg.topological_order(y))


def test_a_failed_value_leaves_no_trace_on_stderr():
    wrote = io.StringIO()
    with contextlib.redirect_stderr(wrote), contextlib.suppress(TypeError):
        Value("one")
    assert wrote.getvalue() == ""


def test_a_network_learns():
    X, y = datasets.moons(60, seed=0)
    model = MLP(2, [6, 1], seed=0)
    step = optim.Adam(model.parameters(), lr=0.05)
    history = fit(model, X, y, loss=losses.squared_error, optimizer=step, epochs=20, seed=0)
    assert history["loss"][-1] < history["loss"][0] / 2


def test_a_progress_bar_is_drawn_without_a_warning():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    X, y = datasets.moons(20, seed=0)
    model = MLP(2, [1], seed=0)
    out, err = Terminal(), io.StringIO()
    step = optim.SGD(model.parameters(), lr=0.1)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        fit(model, X, y, loss=losses.squared_error, optimizer=step, epochs=3)
    assert "epoch 3/3" in out.getvalue()
    assert err.getvalue() == ""


def test_derivatives_formulas_and_paths():
    assert mg.hessian(lambda x: x[0] * x[1])([1.0, 2.0]) == [[0.0, 1.0], [1.0, 0.0]]
    x, y = neuron()
    assert str(mg.formula(y)).startswith("tanh(")
    assert "tanh" in str(mg.explain(y, x))


def test_graphs_are_written_and_pages_are_saved():
    _, y = neuron()
    assert mg.draw(y).source.startswith("digraph")
    path = mg.explore(y).save("backprop.html")
    with open(path, encoding="utf-8") as page:
        assert page.read().startswith("<!doctype html>")


def said_by(attempt, kind):
    try:
        attempt()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__} was raised")


async def test_a_page_that_has_viz_js_has_pictures_as_soon_as_it_is_loaded():
    _, y = neuron()
    bundle = mg.draw(y)._repr_mimebundle_()
    assert "run this cell again" in bundle["text/plain"]
    while js.viz is None:  # until the promise is kept, as at the end of a cell
        await asyncio.sleep(0.01)
    bundle = mg.draw(y)._repr_mimebundle_()
    assert bundle["image/svg+xml"].count("<g ") > 5
    assert "tanh" in bundle["image/svg+xml"]
    assert "<img " in bundle["text/html"]
    path = mg.draw(y).save("graph.svg")
    with open(path, encoding="utf-8") as picture:
        assert "<svg " in picture.read()
    assert mg.explore(y).graph["picture"] is not None


def test_an_engine_that_says_no_is_quoted():
    _, y = neuron()
    said = said_by(lambda: mg.draw(y).save("graph.png"), RuntimeError)
    assert "Viz.js could not draw the graph as png" in said
    assert "svg" in said
    said = said_by(lambda: mg.draw(y).pipe("svg", engine="neato"), ValueError)
    assert "Viz.js" in said


def test_a_page_without_viz_js_is_told_what_it_needs():
    module, instance = js.Viz, js.viz
    del js.Viz, js.viz
    try:
        said = said_by(lambda: mg.draw(Value(1.0)).pipe("svg"), RuntimeError)
    finally:
        js.Viz, js.viz = module, instance
    assert "the page needs Viz.js" in said


def test_a_function_of_the_page_draws_if_it_is_the_engine():
    mg.drawing.engine = js.Function.new("source", "format", "return `<svg >${format}</svg>`")
    try:
        assert b">svg</svg>" in mg.draw(Value(1.0)).pipe("svg")
    finally:
        del mg.drawing.engine


def test_what_needs_a_package_says_which():
    for package, attempt in {
        "numpy": lambda: mg.compile,
        "matplotlib": lambda: mg.History([{"epoch": 1, "loss": 1.0}]).plot(),
    }.items():
        assert f"needs {package}, which is not installed" in said_by(attempt, ImportError)


def test_every_example_runs_that_needs_no_other_package():
    failed = {}
    options = doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE
    for found in pkgutil.walk_packages(mg.__path__, "microgrid."):
        if found.name.endswith("__main__") or ".interop." in found.name:
            continue
        try:
            module = import_module(found.name)
        except ModuleNotFoundError as error:
            if error.name not in LACKING:
                raise
            continue
        for test in doctest.DocTestFinder().find(module, found.name):
            said = io.StringIO()
            runner = doctest.DocTestRunner(verbose=False, optionflags=options)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                runner.run(test, out=said.write)
            lacks = LACKS.search(said.getvalue())
            if runner.failures and not (lacks and (lacks[1] or lacks[2]) in LACKING):
                failed[test.name] = said.getvalue()
    assert not failed, "\n".join(failed.values())


async def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                if (done := test()) is not None:
                    await done
                error = ""
            except Exception:
                error = traceback.format_exc()
            print("\n" + json.dumps({"test": name, "error": error}), flush=True)
