"""How the code reads: what functions are called, how long they are, how many lines a room has."""

import ast
import re
from collections import Counter
from functools import cache

from tests import plan

MOST = 40  # lines of a function without its docstring
FILES = sorted(plan.PACKAGE.rglob("*.py"))

# Functions are verbs or terms of the field. A participle says neither what is done nor to what.
IRREGULAR = {
    *("begun", "bought", "brought", "built", "caught", "chosen", "done", "drawn", "found", "given"),
    *("gone", "held", "hidden", "kept", "known", "lit", "lost", "made", "meant"),
    *("seen", "sent", "shown", "spent", "struck", "taken", "taught", "thought", "thrown", "told"),
    *("understood", "worn", "written"),
}
VERBS = {"embed", "feed", "need", "proceed", "seed", "speed"}
# NumPy's, PyTorch's and statistics' own terms, and a public name: `Primitive.named("tanh")`.
TERMS = {"named", "named_modules", "named_parameters", "searchsorted", "squared_error"}


@cache
def nodes(file):
    """Return the nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


@cache
def functions(file):
    """Return the functions of a file that are no properties."""
    return [
        node
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any("property" in ast.unparse(each) for each in node.decorator_list)
    ]


def is_participle(word):
    return word in IRREGULAR or (word.endswith("ed") and word not in VERBS)


def test_no_function_is_named_by_a_participle():
    names = {
        (plan.name_of(file), function.name)
        for file in FILES
        for function in functions(file)
        if function.name not in TERMS
    }
    assert [name for name in names if is_participle(name[1].strip("_").partition("_")[0])] == []


def test_a_function_fits_a_page():
    long = {}
    for file in FILES:
        for function in functions(file):
            start = function.lineno - 1
            if ast.get_docstring(function):
                start = function.body[0].end_lineno
            if function.end_lineno - start > MOST:
                long[plan.name_of(file), function.name] = function.end_lineno - start
    assert long == {}


def test_the_name_of_a_class_means_one_thing():
    """No two classes share a name, nor does a type that is written otherwise have one of theirs."""
    classes, types = {}, {}
    for file in FILES:
        for node in nodes(file):
            match node:
                case ast.ClassDef(name=name):
                    classes.setdefault(name.strip("_"), []).append(plan.name_of(file))
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    if re.fullmatch("(_?[A-Z][a-z]+)+", name):
                        types.setdefault(name, []).append(plan.name_of(file))
    places = {name: [*found, *types.get(name, ())] for name, found in classes.items()}
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


# ---- what is private

# Attributes that begin with an underscore, but are public where they come from.
OF_OTHERS = {
    *("_fields", "_replace", "_fields_"),  # named tuples and ctypes, which keep other names free
    *("_getframe", "_is_owned"),  # sys, and re-entrant locks, of which `Condition` asks it too
    "_repr_mimebundle_",  # notebooks
}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def declarations(nodes):
    """Return the private attributes that classes declare, by slots, hints or setting them."""
    found = set()
    for part in nodes:
        match part:
            case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Constant(value=str(name)):
                found.add(name)
    return set(filter(is_private, found))


def reads_of_others(file):
    """Return the private attributes that are read or set of another object than self or cls."""
    return {
        node.attr
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and is_private(node.attr)
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }


def test_an_attribute_is_private_to_its_room_and_to_classes_that_inherit_it():
    classes = [
        (file, node, {ast.unparse(base).rpartition(".")[2] for base in node.bases})
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ClassDef)
    ]
    declared = {}
    for _, node, _ in classes:
        declared.setdefault(node.name, set()).update(declarations(ast.walk(node)))
    for _ in range(5):  # more than any class has ancestors
        for _, node, bases in classes:
            declared[node.name].update(*(declared.get(base, ()) for base in bases))
    in_file = {file: declarations(nodes(file)) for file in FILES}
    foreign = {}
    for file in FILES:
        room = [file] if file.parent == plan.PACKAGE else file.parent.glob("*.py")
        own = set().union(*map(in_file.__getitem__, room))
        own.update(*(declared[node.name] for place, node, _ in classes if place == file))
        if read := reads_of_others(file) - own - OF_OTHERS:
            foreign[plan.name_of(file)] = read
    assert foreign == {}


# ---- a budget


def lines_of(place):
    files = [place] if place.is_file() else place.glob("*.py")
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


# The lines of each room, its own files alone. Who raises one says why in the commit that does.
BUDGET = {
    "the top": 6860,
    "arrays/": 2400,
    "compiler/": 1930,
    "compiler/c/": 870,
    "compiler/calls/": 1890,
    "compiler/ir/": 2040,
    "compiler/loops/": 2175,
    "compiler/native/": 860,
    "compiler/training/": 910,
    "core/": 2225,
    "derivatives/": 1965,
    "drawing/": 1270,
    "drawing/formulas/": 1700,
    "drawing/graphs/": 1550,
    "drawing/pages/": 830,
    "drawing/paths/": 420,
    "drawing/stepper/": 850,
    "drawing/training/": 1420,
    "fitting/": 745,
    "guards/": 1005,
    "interop/": 1030,
    "testing/": 480,
    "testing/conformance/": 1410,
    "testing/conformance/stages/": 1220,
    "testing/exercises/": 1740,
    "testing/gradients/": 1950,
    "testing/programs/": 900,
}


def test_the_engine_reads_like_a_lesson():
    assert lines_of(plan.PACKAGE / "engine.py") < 300


def test_no_room_outgrows_its_budget():
    rooms = {"the top": sum(map(lines_of, plan.PACKAGE.glob("*.py")))}
    rooms |= {plan.name_of(room): lines_of(room) for room in plan.ROOMS}
    for name, lines in rooms.items():
        print(f"{name:20} {lines:6} of {BUDGET.get(name, 0):6}")
    print(f"{'all':20} {sum(rooms.values()):6}")
    assert {name for name, lines in rooms.items() if lines > BUDGET.get(name, 0)} == set()
    assert BUDGET.keys() == rooms.keys()


# ---- types

MOST_ANY = 374  # a third of what there once was: it is for what type checkers have no type for


# What a formula or an override is written with, which no type of Python's has: Any by a name that
# says what it is. Each use of such a name counts.
MOST_OTHERWISE = 134


def test_any_stays_rare():
    texts = [file.read_text(encoding="utf-8") for file in FILES]
    others = {
        name for text in texts for name in re.findall(r"^(\w+): TypeAlias = Any$", text, re.M)
    }
    assert others == {"Comparison", "Numeric"}
    words = Counter(word for text in texts for word in re.findall(r"\w+", text))
    assert words["Any"] <= MOST_ANY
    assert sum(words[name] for name in others) <= MOST_OTHERWISE
