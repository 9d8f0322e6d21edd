"""The laws of the page of a formula: what JavaScript computes and writes is what Python does."""

import ast
import json
import math
import re
import shutil

import pytest
from hypothesis import Phase, given, settings

from microgrid import Value, explore, formula, gradients, special
from microgrid.compiler.trace import Traced
from microgrid.drawing import formula_page
from microgrid.drawing.page import TEMPLATE
from microgrid.drawing.pages.formula_page import table
from microgrid.drawing.pages.table import DERIVATIVES, HELD, public_functions
from microgrid.testing.programs.domains import DOMAINS
from microgrid.testing.strategies import programs
from tests.javascript import needs_node, run_module

# A random program has up to 10 nodes, numbers up to 100, and slopes up to 100: as of explore.js.
OF_PROGRAMS = 1e-9
# Second derivatives are sums of products of two slopes each, of up to 100, which may cancel.
OF_SECONDS = 1e-7
# A simplified formula adds and divides otherwise, and may cancel where the graph does not.
OF_TEXTS = 1e-6
SECONDS = 2

OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "neg", "abs", "where", "<", "<=", "==")
FAMILIES = ("power", "exponential", "round_to", "leaky_relu_by", "elu_by", "clip_to")
PRIMITIVES = [
    *(name for name in DOMAINS if name in OPERATORS or name in public_functions()),
    *FAMILIES,
]
COMPARISONS = {"<": ast.Lt, "<=": ast.LtE, "==": ast.Eq}


# ---- formulas


class OneExpression(ast.NodeTransformer):
    """Puts what a program assigns in the place of each name, as a formula has no lines."""

    def __init__(self):
        self.assigned = {}

    def visit_Name(self, node):
        return self.assigned.get(node.id, node)

    def visit_Attribute(self, node):
        return ast.Name(node.attr)

    def visit_Call(self, node):
        if ast.unparse(node.func).startswith("mg.Primitive.named"):
            (name,) = node.func.args
            left, right = [self.visit(x) for x in node.args]
            return ast.Compare(left, [COMPARISONS[name.value]()], [right])
        return self.generic_visit(node)


def formula_of(program):
    """Return a random program as one expression."""
    (function,) = [x for x in ast.parse(program.source).body if isinstance(x, ast.FunctionDef)]
    inlined = OneExpression()
    for line in function.body[:-1]:
        inlined.assigned[line.targets[0].id] = inlined.visit(line.value)
    return ast.unparse(inlined.visit(function.body[-1].value)).replace("None, ", "-inf, ")


def random_formulas(most):
    """Return formulas, each with the values of its names."""
    found = {}

    @settings(max_examples=most, phases=[Phase.generate], database=None, deadline=None)
    @given(programs(primitives=PRIMITIVES))
    def draw(program):
        text = formula_of(program)
        if len(text) < 400 and not re.search(r"clip\(.*None", text):
            names = program.function.__code__.co_varnames[: len(program.point)]
            found[text] = dict(zip(names, program.point, strict=True))

    draw()
    return list(found.items())


PYTHON = public_functions() | {"pi": math.pi, "e": math.e, "inf": math.inf}
# What a formula's text is made of, besides: Python's own `max`, and the slopes of `sinc`.
OF_TEXT = PYTHON | {
    "max": max,
    "min": min,
    "sinc_by": lambda n, z: special.sinc_by(n)(z),
    "nan": math.nan,
}


def of_python(text, values, names, order=2):
    """Return the numbers of a formula and its derivatives with respect to names."""
    leaves = {name: Value(x) for name, x in values.items()}
    root = eval(text, dict(PYTHON), leaves)
    used = [leaves[name] for name in names]
    first = [gradients(root, x) for x in used]
    second = [
        gradients(slope, x) if isinstance(slope, Value) and not slope.is_constant else 0.0
        for i, slope in enumerate(first if order == 2 else [])
        for x in used[i:]
    ]
    return [float(getattr(x, "data", x)) for x in (root, *first, *second)]


@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """Return a folder with the modules as they lie in the package, for any version of Node.js."""
    folder = tmp_path_factory.mktemp("modules")
    drawing = TEMPLATE.parents[1]
    for room in ("pages", "stepper"):
        shutil.copytree(drawing / room / "static", folder / room / "static")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return folder


def in_node(modules, expression, given):
    """Return what an expression gives for each `item` of a list, or the message of its error."""
    formula, graph, stepper = [
        json.dumps((modules / room / "static" / name).as_uri())
        for room, name in (
            *(("pages", "formula.js"), ("pages", "graph.js"), ("stepper", "explore.js")),
        )
    ]
    script = f"""
        import {{ differentiate, asText }} from {formula};
        import {{ run, sentence }} from {stepper};
        import {{ Graph, OTHERS }} from {graph};
        import {{ readFileSync }} from "node:fs";
        const {{ table, given }} = JSON.parse(readFileSync(0, "utf8"));
        const each = (item) => {{
          try {{ return {expression} }}
          catch (error) {{ return {{ error: error.message, at: error.at, stack: error.stack }} }}
        }};
        const plain = (x) => typeof x === "number" && !Number.isFinite(x) ? String(x) : x;
        console.log(JSON.stringify(given.map(each), (_, x) => plain(x)));
    """
    return run_module(script, {"table": table(), "given": given})


COMPUTED = """(() => {
    const [text, values] = item;
    const found = differentiate(table, text);
    const at = found.names.map((name) => values[name]);
    return {
        names: found.names,
        numbers: found.derivatives(at),
        stepped: found.numbers(at),
        count: found.graph.names.length,
        texts: found.formulas.map((formula) => asText(formula, found.names)),
    };
})()"""


def computed_by_both(modules, most):
    """Return formulas with what JavaScript and Python compute of them."""
    formulas = random_formulas(most)
    for (text, values), found in zip(formulas, in_node(modules, COMPUTED, formulas), strict=True):
        if "error" in found and "to differentiate with respect to" in found["error"]:
            continue  # it has come to a constant, as x > x has
        yield text, values, found


def compare_both(most, modules):
    """Compare each number and formula of JavaScript with Python; return how many formulas."""
    count = 0
    for text, values, found in computed_by_both(modules, most):
        assert "error" not in found, (text, found)
        names = found["names"]
        expected = of_python(text, values, names)
        tolerances = [OF_PROGRAMS] * (1 + len(names)) + [OF_SECONDS] * len(expected)
        for i, (number, true) in enumerate(zip(found["numbers"], expected, strict=True)):
            assert abs(float(number) - true) <= tolerances[i] * max(1, abs(true)), (text, values, i)
        assert found["stepped"][found["count"] - 1] == found["numbers"][0]
        for lines, true in zip(found["texts"], expected, strict=True):
            assert abs(number_of(lines, values) - true) <= OF_TEXTS * max(1, abs(true)), lines
        count += 1
    return count


def number_of(lines, values):
    """Return what a formula's text computes, of which each part comes before what it is made of."""
    known = OF_TEXT | values
    for line in lines[:0:-1]:
        name, _, text = line.partition(" = ")
        known[name] = eval(text, known)
    return float(eval(lines[0], known))


@needs_node
def test_numbers_and_formulas_of_all_derivatives_are_those_of_python(modules):
    compare_both(30, modules)


@pytest.mark.slow
@needs_node
def test_so_are_those_of_a_thousand_formulas(modules):
    assert compare_both(2100, modules) >= 1000


@needs_node
def test_a_slope_that_is_not_asked_for_may_be_infinite(modules):
    given = [["3*where(x > 0, sqrt(x), x + 1)**2", {"x": 0.0}]]
    (found,) = in_node(modules, COMPUTED, given)
    assert [float(x) for x in found["numbers"]] == [3.0, 6.0, 6.0]
    assert found["texts"][1] == ["where(x > 0, 3, 6*(x + 1))"]


WRITTEN = [
    *("tanh(w*x + b)", "x**3 - 0.5*x**2", "log(sigmoid(x))", "2**x", "x % y", "erf(x)", "gelu(x)"),
    *("exp(-x**2) / sqrt(2*pi)", "softmax([x, y])[0]", "cbrt(x)", "norm([x, y])", "x**y"),
    *("where(x, y**2.5, lgamma(y))", "leaky_relu(w*x, 0.2)", "clip(x, 0, 1)", "mean([x, y, x*y])"),
    *("log10(x) - log1p(y)", "max([x, y])", "acosh(1 + x)", "xlogy(x, y)", "digamma(y)*floor(x)"),
]


def words(text):
    """Return what a formula is made of, as its terms and factors come in any order."""
    return sorted(re.findall(r"[\w.]+|\S", text))


@needs_node
def test_a_gradient_is_written_as_formula_writes_it(modules):
    given = [[text, POINTS | {"b": 0.5}] for text in WRITTEN]
    for text, found in zip(WRITTEN, in_node(modules, COMPUTED, given), strict=True):
        assert "error" not in found, (text, found)
        leaves = {name: Traced(name) for name in found["names"]}
        root = eval(text, dict(PYTHON), leaves)
        for by, (shown, *_) in zip([(), *leaves.values()], found["texts"], strict=False):
            assert words(shown) == words(formula(root, by=by).expression), text


POINTS = {"x": 0.3, "y": 0.7, "z": 0.45, "u": 0.2, "v": 0.55, "w": 0.85}


def calls():
    """Return a call of each function by each shape that the page knows."""
    for word, forms in table()["functions"].items():
        for shape in forms:
            letters, constants = iter("xyzuvw" * 3), iter(("0.25", "0.75"))
            arguments = []
            for part in shape.split(","):
                if part.startswith("["):
                    arguments.append(f"[{', '.join(next(letters) for _ in range(int(part[1])))}]")
                else:
                    given = {"x": letters, "c": constants}
                    arguments.append(next(given[part]) if part in given else part[1:])
            call = f"{word}({', '.join(arguments)})"
            yield f"{call}[0]" if forms[shape]["list"] else call


@needs_node
def test_every_function_is_there_with_all_that_it_takes(modules):
    texts = [text.replace("(x", "(1 + x") if "acosh" in text else text for text in calls()]
    expression = """(() => {
        const graph = new Graph(table);
        const { root, leaves } = graph.read(`${item} + 0*x`);
        const values = leaves.map(({ name }) => given[0][name]);
        return {
            names: leaves.map(({ name }) => name),
            numbers: run(graph.program([root, ...graph.gradients(root, leaves)], leaves), values),
        };
    })()"""
    _, *all_found = in_node(modules, expression, [POINTS, *texts])
    for text, found in zip(texts, all_found, strict=True):
        assert "error" not in found, (text, found)
        if "interp" in text:
            continue  # Python wants the points in order
        expected = of_python(f"{text} + 0*x", POINTS, found["names"], order=1)
        for number, true in zip(found["numbers"], expected, strict=True):
            assert abs(float(number) - true) <= OF_PROGRAMS * max(1, abs(true)), text


@needs_node
def test_a_table_is_interpolated(modules):
    given = [
        ["interp(x, [0, 1, b], [2, y, 4])", {"x": x, "b": 3.5, "y": 5.0}] for x in (-1, 0.5, 2)
    ]
    for (text, values), found in zip(given, in_node(modules, COMPUTED, given), strict=True):
        expected = of_python(text, values, found["names"])
        assert [float(x) for x in found["numbers"]] == pytest.approx(expected, rel=OF_PROGRAMS)


def test_the_table_has_every_function_and_no_constant_of_its_own():
    functions = table()["functions"]
    assert functions.keys() == public_functions().keys()
    assert all(functions.values())
    text = json.dumps(table())
    assert not any(str(x) in text for x in HELD)
    assert len(DERIVATIVES) > SECONDS


# ---- the steps

STEPPED = [
    "tanh(w*x + b)",
    "(w*x + b - y)**2",
    "where(x, x, w*(exp(x) - 1))",
    "log_softmax([x, y, w])[0]",
    "leaky_relu(x, 0.2) - clip(y, -1, 1)/norm([x, y])",
    "2**x % y // 3 + lgamma(y)**3",
    "max([x, y]) - dot([x, y], [w, 2], 1) + sum([x, x, y, w, b])",
    "polygamma(1, y)*erf(-x)*abs(x)*round(y, 1)",
    "x*x",
    "v1 + L*v1",
]
AT = {"w": 0.5, "x": -1.5, "b": 0.25, "y": 2.5, "v1": 1.0, "L": 2.0}


@needs_node
def test_the_steps_are_word_for_word_those_of_explore(modules):
    expression = """(() => {
        const [text, values] = item;
        const { names, graph, numbers } = differentiate(table, text);
        const at = numbers(names.map((name) => values[name]));
        return graph.steps.map(([node, edge, parts]) =>
            edge !== null && at[2 * graph.names.length + graph.edges.length + edge] === null
                ? "none" : sentence(parts, at));
    })()"""
    given = [[text, AT] for text in STEPPED]
    for text, lines in zip(STEPPED, in_node(modules, expression, given), strict=True):
        leaves = {name: Value(x, label=name) for name, x in AT.items()}
        expected = str(explore(eval(text, dict(PYTHON), leaves))).splitlines()
        assert lines == [line if "gets no" not in line else "none" for line in expected], text


# ---- mistakes

MISTAKES = [
    ("", 0, "expected a formula"),
    ("2x", 1, "got x; write * for a product"),
    ("2(x + 1)", 1, "got (; write * for a product"),
    ("(x + 1)(x - 1)", 7, "got (; write * for a product"),
    ("sin x", 4, "got x; write sin(x) for a function, sin*x for a product"),
    ("2*(exp 2 + 1)", 7, "got 2; write exp(2) for a function, exp*2 for a product"),
    ("x(2)", 0, "no function is called x: for a product write x*(…)"),
    ("1 + ln(x)", 4, "no function is called ln: write log(x)"),
    ("log(x, 10)", 0, "expected log(x); write log(x) / log(b) for the base b"),
    ("x²+1", 1, "write **2 for a power, as in x**2 or sin(x)**2"),
    ("sin²(x)", 3, "write **2 for a power"),
    ("y + x₁", 5, "write the digit on the line, as in x1"),
    (f"{'(' * 50_000}x{')' * 50_000}", 0, "expected fewer operations and brackets"),
    (f"x{'+x' * 50_000}", 0, "expected fewer operations and brackets"),
    ("sin(x", 3, "expected ) to close the ( here"),
    ("x +", 3, "expected a number, a name, a function or a bracket, the formula ends"),
    ("x^2", 1, "write ** for a power"),
    ("w·x", 1, "write * for a product"),
    ("tanhh(x)", 0, "did you mean tanh?"),
    ("x + tanh", 4, "expected tanh(x), got tanh alone"),
    ("x * leaky_relu(x, y)", 4, "expected leaky_relu(x) or leaky_relu(x, 0.5)"),
    ("0 < x < 1", 6, "comparisons cannot be chained"),
    ("x if y else z", 2, "write where(condition, x, y)"),
    ("softmax([x, y])", 0, "choose one of its numbers"),
    ("softmax([x, y])[2]", 15, "expected a place from 0 to 1"),
    ("x + log(-1)", 4, "log of -1 has no finite value"),
    ("x + 1/0", 5, "/ of 1 and 0 has no finite value"),
    ("1 + 2", 0, "expected a name, such as x, to differentiate with respect to, got"),
    ("mg.tanh(x)", 0, "without a module"),
    ("x = 3", 2, "write == to compare"),
    ("x)", 1, "expected an operator or the end, got )"),
    ("[x, y] + 1", 7, "expected numbers at +, got a list"),
    ("polygamma(x, y)", 0, "expected polygamma(0, x)"),
    ("+".join(["x"] * 300), 0, "expected at most 250 values"),
]


@needs_node
def test_a_mistake_is_at_its_place_and_says_what_was_expected(modules):
    expression = "differentiate(table, item) && null"
    found = in_node(modules, expression, [text for text, *_ in MISTAKES])
    for (text, at, words), error in zip(MISTAKES, found, strict=True):
        assert (error and error["at"], words in error["error"]) == (at, True), (text, error)


@needs_node
def test_what_is_advised_instead_of_a_function_is_a_formula(modules):
    others = """(() => {
        differentiate(table, `${item} + y`); // each name of the advice is known
        return item;
    })()"""
    (advice,) = in_node(modules, "OTHERS", [0])
    assert not advice.keys() & public_functions().keys()
    assert in_node(modules, others, list(advice.values())) == list(advice.values())


# ---- names


@needs_node
def test_a_power_of_e_has_the_slopes_of_exp(modules):
    given = [["e**(-x)*y", {"x": 0.3, "y": 0.7}], ["exp(-x)*y", {"x": 0.3, "y": 0.7}]]
    power, exp = in_node(modules, COMPUTED, given)
    assert power == exp
    assert not any("log" in line for lines in power["texts"] for line in lines)
    (constant,) = in_node(modules, COMPUTED, [["e**2*x", {"x": 1.0}]])
    assert float(constant["numbers"][1]) == math.e**2


@needs_node
def test_the_result_is_called_as_the_stepper_calls_it(modules):
    texts = ["tanh(x)", "L*x", "v1 + L*v1", "x"]
    assert in_node(modules, "differentiate(table, item).name", texts) == ["L", "v1", "v3", "x"]


@needs_node
def test_a_name_is_what_python_makes_of_it(modules):
    written = "\N{MICRO SIGN}*x"
    (names,) = in_node(modules, "differentiate(table, item).names", [written])
    assert names == ["\N{GREEK SMALL LETTER MU}", "x"]
    assert list(formula_page(written, {"\N{MICRO SIGN}": 2}).values) == names[:1]


# ---- in Python


def test_a_page_is_one_small_file_of_which_nothing_leads_out(tmp_path):
    path = formula_page("x**2", {"x": 3}).save(tmp_path / "new" / "formula.html")
    page = (tmp_path / "new" / "formula.html").read_text(encoding="utf-8")
    assert path == str(tmp_path / "new" / "formula.html")
    assert len(page.encode()) < 300_000
    assert "default-src 'none'" in page
    assert not re.search(r'from \\?"\.', page)  # each import has found its module
    found = set(re.findall(r"https?:(?://|%2F%2F)[\w./-]*", page))
    assert found == {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}


@pytest.mark.parametrize(
    ("text", "values", "error", "words"),
    [
        (3, None, TypeError, "needs a formula as a text, got 3"),
        ("2x", None, ValueError, "a formula needs Python's syntax, as tanh"),
        ("x\0", None, ValueError, "a formula needs Python's syntax"),
        ("x" + "+x" * 20_000, None, ValueError, "fewer operations and brackets inside each other"),
        ("-" * 20_000 + "x", None, ValueError, "fewer operations and brackets inside each other"),
        ("tanh(x)", {"tanh": 1}, ValueError, r"names of the formula, \['x'\], got 'tanh'"),
        ("tanh*x", {"tanh": 1}, ValueError, r"names of the formula, \['x'\], got 'tanh'"),
        ("pi*x", {"pi": 3}, ValueError, r"names of the formula, \['x'\], got 'pi'"),
        ("x", {3: 1}, ValueError, r"names of the formula, \['x'\], got '3'"),
        ("x", {"y": 1}, ValueError, r"`values` needs names of the formula, \['x'\], got 'y'"),
        ("x", {"x": math.inf}, ValueError, "the value of x must be finite, got inf"),
        ("x", {"x": "1"}, TypeError, "the value of x must be a real number"),
        ("x", [1], TypeError, "`values` must be a mapping of numbers by names"),
    ],
)
def test_what_is_no_formula_is_refused(text, values, error, words):
    with pytest.raises(error, match=words):
        formula_page(text, values)
