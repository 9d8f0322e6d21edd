"""The laws of an autodiff engine, kept or broken by any class that behaves like `Value`.

An engine is a class that is made of a number and has `data`, `grad` and `backward()`. Whatever else
a law's program uses, an operator or a method, the class may leave out: then it is not asked to run
that program. The laws themselves are in `laws`; here they are read, run and reported on:
`python -m microgrid.testing.conformance student:Value`. In pytest they are a test each:

    @pytest.mark.parametrize("law", conformance.LAWS, ids=str)
    def test_law(law):
        law.check(Value)
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import math
import operator
import re
import string
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from random import Random
from types import CodeType
from typing import Any
from unittest import SkipTest

from ..guards.commands import Parser, exit_code
from . import laws

__all__ = ["LAWS", "MANNERS", "Case", "Failure", "Law", "Report", "check", "main"]

Engine = Callable[..., Any]

# An engine may compose an operation of a few others, each rounded; a wrong derivative is far off.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
PROGRAM = "python -m microgrid.testing.conformance"
LINES = 2_000_000  # that an engine may run for one program: one of Fractions needs 1.3 million
NESTED = 1000  # calls, as Python allows by itself
PROGRAMS = 25  # random ones of each size: of all sizes, a walk in a wrong order fails one in ten
SIZES = range(1, 13)

# What an engine may raise to say that it does not offer something.
REFUSALS = (TypeError, AttributeError, AssertionError, ValueError)


class _NoEnd(BaseException):
    """Ends a program that hangs; the engine's own `except Exception` cannot hold it up."""


ERRORS = (Exception, SystemExit, _NoEnd)


@dataclass(frozen=True)
class Case:
    """A program that uses `Value`, and its claims: expressions, each with what it must give.

    >>> Case.parse("x = 3: y = x + x -> y = 6, x' = 2").claims
    (('y.data', '6'), ('x.grad', '2'))
    """

    program: str
    claims: tuple[tuple[str, str], ...]

    @staticmethod
    def parse(line: str) -> Case:
        """Read a line as it is written in `laws`."""
        parts = re.fullmatch(r"(?:((?:\w+ = [^,:;(]+,? ?)+): )?(.*?) ?-> (.*)", line)
        if parts is None:
            raise ValueError(f"a case is written as `x = 3: y = x + x -> y = 6`, got {line!r}")
        leaves, program, claims = parts.groups(default="")
        lines = [_leaf(*leaf.split(" = ")) for leaf in leaves.split(", ") if leaf]
        lines += program.split("; ")
        pairs = [tuple(claim.split(" = ", 1)) for claim in claims.split(", ")]
        if any(shown.endswith("'") for shown, _ in pairs):
            lines.append("y.backward()")
        lines.sort(key=lambda text: not text.startswith("import "))
        return Case(
            ast.unparse(ast.parse("\n".join(lines))),
            tuple([(_shown(name), wanted) for name, wanted in pairs]),
        )

    def wrong(self, engine: Engine) -> tuple[str, str, str] | None:
        """Return the first claim that does not hold, and what was got; None if all hold."""
        may_raise = any("error" in wanted.split(" or ") for _, wanted in self.claims)
        # A warning is no silence: it is as good as an error where nothing else is.
        warn = "error" if self.claims[0][1] == "error" else "ignore"
        try:
            got = _run(engine, self.program, *[shown for shown, _ in self.claims], warn=warn)
        except ERRORS as error:
            clear = isinstance(error, Exception) and not isinstance(error, RecursionError)
            return None if clear and may_raise else (*self.claims[0], _error_text(error))
        for (shown, wanted), value in zip(self.claims, got, strict=True):
            if not any(_is(option, value) for option in wanted.split(" or ")):
                return shown, wanted, _text(value)
        return None


def _leaf(name: str, number: str) -> str:
    data = float(number)
    argument = repr(data) if math.isfinite(data) else f"float('{data}')"
    return f"{name} = Value({argument})"


def _shown(name: str) -> str:
    """Return the expression for `y`, its data; for `x'`, its gradient; and any other as it is."""
    if name.endswith("'"):
        return f"{name[:-1]}.grad"
    return f"{name}.data" if name.isidentifier() else name


def _is(wanted: str, got: Any) -> bool:
    match wanted.split(" "):
        case ["error"]:
            return False
        case ["from", low, "to", high]:
            return _holds(lambda x: float(low) <= x <= float(high), got)
        case ["exactly", *words]:
            return _holds(lambda x: bool(x == _number(" ".join(words))), got)
    number = _number(wanted)
    if isinstance(number, tuple):
        return all(_holds(_near(n), g) for n, g in zip(number, got, strict=True))
    return _holds(_near(number), got) or (number == 0 and got is None)  # no gradient came


def _number(text: str, **names: float) -> Any:
    return eval(text, vars(math) | names)


def _near(number: float) -> Callable[[float], bool]:
    if math.isnan(number):
        return math.isnan
    return lambda x: math.isclose(x, number, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _holds(claim: Callable[[float], bool], got: Any) -> bool:
    try:
        # NumPy would make a float of its complex number, with a mere warning.
        return not isinstance(got, complex) and claim(float(got))
    except (TypeError, ValueError, OverflowError):  # it is no number
        return False


# ---- an engine runs a program


def _run(engine: Engine, program: str, *shown: str, warn: Any = "ignore") -> list[Any]:
    """Run a program and return what it shows; raise what it raises, and `_NoEnd` if it hangs."""
    names = {"Value": engine}
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), _limited():
        warnings.simplefilter(warn)
        kind = type(engine(1.0))
        exec(_compiled(program, "exec"), names)
        return [_plain(eval(_compiled(text, "eval"), names), kind) for text in shown]


@lru_cache(maxsize=1024)  # every engine runs the same programs, but for the random ones
def _compiled(text: str, mode: str) -> CodeType:
    return compile(text, "<program>", mode)


def _plain(got: Any, kind: Any) -> Any:
    """Return the number that is shown: a gradient may be a `Value`, to be differentiated again."""
    if isinstance(got, tuple):
        return tuple([_plain(item, kind) for item in got])
    return got.data if isinstance(got, kind) else got


@contextmanager
def _limited() -> Iterator[None]:
    """Raise `_NoEnd` after too many lines: counted, since a clock is wrong on a busy machine.

    Nor may calls nest deeper than Python allows by itself: where somebody has raised its limit, as
    is done in notebooks, an engine without an end would take the process with it.
    """
    left, deepest = LINES, sys.getrecursionlimit()

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _NoEnd(f"no end after {LINES:,} lines")
        return count

    depth, frame = 0, sys._getframe().f_back
    while frame:
        depth, frame = depth + 1, frame.f_back
    before = sys.gettrace()
    sys.setrecursionlimit(min(deepest, depth + NESTED))
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
        sys.setrecursionlimit(deepest)


def _error_text(error: BaseException) -> str:
    kind = "" if isinstance(error, _NoEnd) else f"{type(error).__name__}: "
    return textwrap.shorten(f"{kind}{error}", 90, placeholder=" …").removesuffix(":")


def _text(got: Any) -> str:
    if isinstance(got, tuple):
        return f"({', '.join(map(_text, got))})"
    return textwrap.shorten(repr(float(got) if isinstance(got, float) else got), 90)


# ---- what an engine offers

METHODS: dict[type[ast.AST], str] = {
    **{ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv"},
    **{ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow", ast.USub: "neg", ast.UAdd: "pos"},
}
BUILTINS = {"abs": "abs(x)", "max": "x > y", "sum": "0 + x"}  # and what they call


@lru_cache(maxsize=1024)
def _features(case: Case) -> frozenset[str]:
    """Return each operator and method that a case uses, as an expression in x and y."""
    shown = [expression for expression, _ in case.claims]
    nodes = list(ast.walk(ast.parse("\n".join([case.program, *shown]))))
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    found = {f"import {module}" for module in modules}
    for node in nodes:
        match node:
            case ast.BinOp(left, op, right) | ast.AugAssign(left, op, right):
                if not (_is_plain(left) and _is_plain(right)):
                    x = left if _is_plain(left) else ast.Name("x")
                    y = right if _is_plain(right) else ast.Name("y")
                    found.add(ast.unparse(ast.BinOp(x, op, y)))
            case ast.UnaryOp(op, operand) if not _is_plain(operand):
                found.add(ast.unparse(ast.UnaryOp(op, ast.Name("x"))))
            case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() as op]):
                found.add(ast.unparse(ast.Compare(ast.Name("x"), [op], [ast.Name("y")])))
            case ast.Call(ast.Name(function)) if function in BUILTINS:
                found.add(BUILTINS[function])
            case ast.Call(ast.Attribute(ast.Name(owner), method), arguments):
                if owner not in modules and method != "backward":
                    found.add(f"x.{method}({', '.join(map(ast.unparse, arguments))})")
    return frozenset(found)


def _is_plain(node: ast.expr) -> bool:
    """Whether an operand is no `Value` but a number: written out, or an attribute as `x.grad`."""
    match node:
        case ast.UnaryOp(_, operand):
            return _is_plain(operand)
        case ast.BinOp(left, _, right):
            return _is_plain(left) and _is_plain(right)
    return isinstance(node, ast.Constant | ast.Attribute)


def _offers(engine: Engine, feature: str) -> bool:
    """Whether an expression is there: it gives something, or fails though the class defines it."""
    if feature.startswith("import "):
        return importlib.util.find_spec(feature.removeprefix("import ")) is not None
    try:
        _run(engine, "x, y = Value(1.5), Value(2.5)", feature)
    except NotImplementedError:
        return False
    except REFUSALS:
        return _defines(engine, feature)
    except ERRORS:
        return True
    return True


def _defines(engine: Engine, feature: str) -> bool:
    """Whether the class defines what an expression needs: then a refusal is a failure."""
    x = engine(1.5)
    match ast.parse(feature, mode="eval").body:
        case ast.BinOp(ast.Name(), ast.Pow(), ast.Name()):
            return False  # many powers are of constant exponents alone, and say so
        case ast.BinOp(ast.Name(), op, ast.Name()):
            return hasattr(x, f"__{METHODS[type(op)]}__")
        case ast.BinOp(number, op, ast.Name()):
            # A sum can be written the other way round; 2 - x, where there is x - 2, can not.
            flipped = ast.unparse(ast.BinOp(ast.Name("x"), op, number))
            return hasattr(x, f"__r{METHODS[type(op)]}__") or (
                isinstance(op, ast.Sub | ast.Div) and _offers(engine, flipped)
            )
        case ast.UnaryOp(op):
            return hasattr(x, f"__{METHODS[type(op)]}__")
        case ast.Call(ast.Name(function)):
            return hasattr(x, f"__{function}__")
        case ast.Call(ast.Attribute(_, method), arguments):
            return _takes(getattr(x, method, None), len(arguments))
    return False


def _takes(method: Any, count: int) -> bool:
    """Whether a method can be called with so many arguments, as far as it says."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # it says nothing
        return True
    return True


# ---- a law, and what breaks it


@dataclass(frozen=True)
class Law:
    """A claim, a sentence for the one who breaks it, and the cases that show it to an engine."""

    name: str
    explanation: str
    cases: Callable[[Engine], Iterable[Case]]

    def check(self, engine: Engine) -> None:
        """Raise if an engine breaks the law.

        Raises:
            AssertionError: it does; the message has the smallest program that shows it.
            unittest.SkipTest: it offers nothing that the law is about; pytest counts a skip.

        >>> from microgrid import Value
        >>> LAWS[0].check(Value)
        """
        if failure := self.failure(engine):
            raise AssertionError(str(failure))

    def failure(self, engine: Engine) -> Failure | None:
        """Return the first case that an engine gets wrong, None if it keeps the law.

        Raises:
            unittest.SkipTest: it offers nothing that the law is about.
        """
        offers = cache(lambda feature: _offers(engine, feature))
        offered = False
        for case in self.cases(engine):
            if all(map(offers, _features(case))):
                offered = True
                if wrong := case.wrong(engine):
                    return Failure(self, case, *wrong)
        if not offered:
            raise SkipTest(f"not offered: {self.name}")
        return None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Failure:
    """A law that an engine breaks, and the smallest case that shows it: the claim and the truth."""

    law: Law
    case: Case
    shown: str
    wanted: str
    got: str

    @property
    def reproducer(self) -> str:
        """The program to paste and run, with what is wanted and what was got."""
        wanted = re.sub("error$", "an error", self.wanted)
        result = f"print({self.shown})  # wanted {wanted}, got {self.got}"
        return "\n".join(filter(None, [self.case.program, result]))

    def __str__(self) -> str:
        sentence = textwrap.fill(self.law.explanation, 96)
        return f"{self.law.name}\n{sentence}\n\n{textwrap.indent(self.reproducer, '    ')}"


def _book(text: str) -> list[Law]:
    """Read laws as they are written in `laws`."""
    read = []
    for block in text.strip().split("\n\n"):
        name, *lines = block.splitlines()
        explanation = " ".join([line for line in lines if not line.startswith("    ")])
        cases = [Case.parse(line.strip()) for line in lines if line.startswith("    ")]
        read.append(Law(name, explanation, lambda engine, cases=cases: cases))  # type: ignore[misc]
    return read


def _function_law(row: str) -> Law:
    """Read a row of the table of functions."""
    name, value, derivative, points = re.split(r"  +", row, maxsplit=3)
    table = [
        (point, float(_number(value, x=float(point))), float(_number(derivative, x=float(point))))
        for point in points.split()
    ]
    lines = [f"x = {at}: y = x.{name}() -> y = {y!r}, x' = {slope!r}" for at, y, slope in table]
    at, _, slope = table[0]
    lines.append(f"x = {at}: p = x.{name}(); y = p + x -> x' = {slope + 1!r}")
    cases = [Case.parse(line) for line in lines]
    explanation = (
        f"The value is {value}, and the derivative is {derivative}, which goes into the gradient "
        "of x times the node's own, added with `+=`."
    )
    return Law(f"x.{name}() has its derivative", explanation, lambda engine: cases)


# ---- laws whose cases depend on the engine

# A formula, what changes after it, and (y.data, x.grad) of before and of after that.
CHANGES = [
    ("x * x", "x.data = 10.0", "(9, 6)", "(100, 20)"),
    ("x * w", "w.data = 10.0", "(6, 2)", "(30, 10)"),
    ("x / w", "w.data = 10.0", "(1.5, 0.5)", "(0.3, 0.1)"),
    ("w / x", "x.data = 10.0", "(2 / 3, -2 / 9)", "(0.2, -0.02)"),
    ("x ** 2", "x.data = 10.0", "(9, 6)", "(100, 20)"),
    ("x.log()", "x.data = 10.0", "(log(3), 1 / 3)", "(log(10), 0.1)"),
    ("x.exp()", "x.data = 10.0", "(exp(3), exp(3))", "(exp(10), exp(10))"),
    ("x.tanh()", "x.data = 10.0", "(tanh(3), 1 / cosh(3)**2)", "(tanh(10), 1 / cosh(10)**2)"),
    ("x.relu()", "x.data = -10.0", "(3, 1)", "(0, 0)"),
]
PARENTS = ["parents", "_parents", "_prev", "prev", "_children", "children", "inputs", "_inputs"]
SEEDS = ["seed", "grad", "gradient", "g", "upstream", "out_grad", "grad_output", "d_output", "init"]


def _changed_leaves(engine: Engine) -> Iterator[Case]:
    """Yield programs that change a leaf before `backward`, if without the change they are right."""
    leaves, shown = "x = Value(3.0)\nw = Value(2.0)", "(y.data, x.grad)"
    for formula, change, before, after in CHANGES:
        lines = [leaves, f"y = {formula}", "y.backward()"]
        if not Case("\n".join(lines), ((shown, before),)).wrong(engine):
            lines.insert(2, change)
            yield Case("\n".join(lines), ((shown, f"{before} or {after} or error"),))


def _edges(engine: Engine) -> Iterator[Case]:
    """Yield that a node has two edges, if it shows its parents under any of the usual names."""
    for formula in ("x * x", "x + x"):
        program = f"x = Value(3.0)\ny = {formula}"
        shown = []
        for name in PARENTS:
            with suppress(*ERRORS):
                [parents] = _run(engine, program, f"y.{name}")
                if parents and isinstance(parents, tuple | list | set | frozenset):
                    shown.append((len(parents), f"len(y.{name})"))
        if shown:
            yield Case(program, ((max(shown)[1], "2"),))


def _seeds(engine: Engine) -> Iterator[Case]:
    """Yield what a seed does, if `backward` takes one."""
    with suppress(TypeError, ValueError):  # of a method that does not say what it takes
        names = list(inspect.signature(engine(1.0).backward).parameters)
        if names and names[0] in SEEDS:
            for formula, slope in (("x + x", 10), ("x * x", 30)):
                program = f"x = Value(3.0)\ny = {formula}\ny.backward(5.0)"
                yield Case(program, (("x.grad", str(slope)),))


# ---- the law of random programs, against exact arithmetic

FORMULAS = [
    *("{0} + {1}", "{0} * {1}", "{0} - {1}", "{0} / {1}") * 3,  # only these can share a node
    *("{0} + 1.0", "2.0 * {0}", "3.0 - {0}", "{0} / 2.0", "4.0 / {0}"),
    *("-{0}", "{0} ** 2", "{0} ** 3", "{0}.relu()"),
]
NUMBERS = [2.0, 3.0, -1.0, 0.5, -4.0, 0.0]
_Step = tuple[str, int, int]  # a formula and its operands, counted back from the newest name
_Draw = tuple[int, ...]  # which number or, with its operands, which formula


class _Exact:
    """A fraction with its derivative by each leaf: forward mode, where no graph can go wrong."""

    def __init__(self, data: Any, slopes: dict[_Exact, Fraction] | None = None) -> None:
        self.data = Fraction(data)
        self.slopes = {self: Fraction(1)} if slopes is None else slopes

    def linear(self, data: Fraction, *terms: tuple[_Exact, Fraction]) -> _Exact:
        """Return a result of operands, each given with the partial derivative by it."""
        slopes: dict[_Exact, Fraction] = {}
        for operand, partial in terms:
            for leaf, slope in operand.slopes.items():
                slopes[leaf] = slopes.get(leaf, Fraction(0)) + partial * slope
        return _Exact(data, slopes)

    def __add__(self, other: Any) -> _Exact:
        y = _exact(other)
        return self.linear(self.data + y.data, (self, Fraction(1)), (y, Fraction(1)))

    def __mul__(self, other: Any) -> _Exact:
        y = _exact(other)
        return self.linear(self.data * y.data, (self, y.data), (y, self.data))

    def __pow__(self, n: int) -> _Exact:
        return self.linear(self.data**n, (self, n * self.data ** (n - 1)))

    def relu(self) -> _Exact:
        if self.data == 0:
            raise ArithmeticError("relu has no derivative at 0")
        return self * int(self.data > 0)

    def __neg__(self) -> _Exact:
        return self * -1

    def __sub__(self, other: Any) -> _Exact:
        return self + _exact(other) * -1

    def __truediv__(self, other: Any) -> _Exact:
        return self * _exact(other) ** -1

    def __rsub__(self, other: float) -> _Exact:
        return _exact(other) - self

    def __rtruediv__(self, other: float) -> _Exact:
        return _exact(other) / self

    __rmul__ = __mul__

    def is_float(self) -> bool:
        """Whether floats compute with the number and its slopes without rounding them."""
        return all(
            abs(n) < 2**20 and n.denominator < 2**20 and n.denominator.bit_count() == 1
            for n in [self.data, *self.slopes.values()]
        )


def _exact(x: Any) -> _Exact:
    return x if isinstance(x, _Exact) else _Exact(x, {})


@lru_cache(maxsize=1024)  # engines that have the same operators run the same programs
def _straight_line(numbers: tuple[float, ...], steps: tuple[_Step, ...]) -> Case:
    """Return a program with its exact gradients.

    A step is left out that floats would round or that has no derivative: no engine has an excuse
    for what is left.
    """
    letters = iter(string.ascii_lowercase)
    values = {next(letters): _Exact(number) for number in numbers}
    leaves = dict(values)
    lines = [f"{name} = Value({float(value.data)})" for name, value in leaves.items()]
    for formula, first, second in steps:
        names = list(values)[::-1]
        text = formula.format(names[first % len(names)], names[second % len(names)])
        with suppress(ArithmeticError):
            value = eval(text, {}, values)
            if value.is_float():
                name = next(letters)
                values[name] = value
                lines.append(f"{name} = {text}")
    root, value = values.popitem()
    if root in leaves:
        return Case("\n".join(lines), ((f"{root}.data", repr(float(value.data))),))
    claims = [(f"{root}.data", value.data)]
    claims += [
        (f"{name}.grad", value.slopes.get(leaf, Fraction(0))) for name, leaf in leaves.items()
    ]
    return Case(
        "\n".join([*lines, f"{root}.backward()"]),
        tuple([(shown, repr(float(number))) for shown, number in claims]),
    )


def _alone(formula: str) -> Case:
    return _straight_line((2.0, 4.0), ((formula, 1, 0),))


def _random_programs(engine: Engine) -> Iterator[Case]:
    """Yield a program of one step, and if there is one, the smallest random one that is wrong.

    An operator that is wrong by itself breaks another law, and is not used.
    """
    right = [formula for formula in FORMULAS if not _alone(formula).wrong(engine)]
    if not right:
        return
    yield _alone(right[0])

    def case(draws: list[_Draw]) -> Case:
        numbers = tuple([NUMBERS[i] for i, *operands in draws if not operands])
        steps = tuple([(right[i], *operands) for i, *operands in draws if operands])
        return _straight_line(numbers, steps)

    def is_wrong(draws: list[_Draw]) -> bool:
        return case(draws).wrong(engine) is not None

    random = Random(0)  # so that every run is the same
    for size in [size for size in SIZES for _ in range(PROGRAMS)]:
        draws: list[_Draw] = [
            (random.randrange(len(NUMBERS)),) for _ in range(random.randint(1, 3))
        ]
        # A formula takes the newest names, so that little of a program is computed for nothing.
        draws += [tuple(map(random.randrange, (len(right), 3, 5))) for _ in range(size)]
        if is_wrong(draws):
            yield case(_smallest(draws, is_wrong))
            return


def _smallest(draws: list[_Draw], is_wrong: Callable[[list[_Draw]], bool]) -> list[_Draw]:
    """Return draws that are still wrong, as few after the first, and as low, as can be."""
    for i, draw in enumerate(draws):
        instead: list[list[_Draw]] = [[]] if i else []
        for k, most in enumerate(draw):
            instead += [[(*draw[:k], lower, *draw[k + 1 :])] for lower in range(most)]
        for simpler in instead:
            if is_wrong(found := [*draws[:i], *simpler, *draws[i + 1 :]]):
                return _smallest(found, is_wrong)
    return draws


#: The laws of every engine, from the simplest on.
LAWS: tuple[Law, ...] = (
    *_book(laws.LAWS),
    *map(_function_law, laws.FUNCTIONS.strip().splitlines()),
    Law(
        "a gradient belongs to the numbers it was computed with",
        "The chain rule mixed a number from before the leaf was changed with one from after it: "
        "keep the partial derivatives of the forward pass, or raise if data has changed since.",
        _changed_leaves,
    ),
    Law(
        "backward(seed) multiplies every gradient",
        "The seed is the gradient that the root itself begins with, in the place of 1.",
        _seeds,
    ),
    Law(
        "x * x has two edges",
        "The node shows one parent for two operands, as a set of parents does, which loses their "
        "order too: keep a tuple.",
        _edges,
    ),
    Law(
        "random programs have their exact gradients",
        "Operators that are right by themselves give a wrong gradient together: the mistake is in "
        "how `backward` walks the graph, or in an operator at other numbers than 2 and 4.",
        _random_programs,
    ),
)
#: What a small engine may do without.
MANNERS: tuple[Law, ...] = tuple(_book(laws.MANNERS))


# ---- the report


@dataclass(frozen=True)
class Report:
    """What an engine makes of the laws, by their names.

    `failures` are laws that it breaks: a wrong number, or an error where there is an answer.
    `remarks` are MANNERS that it lacks, which a small engine may do without.
    """

    engine: str
    failures: dict[str, Failure]
    remarks: dict[str, Failure]
    holds: tuple[str, ...]
    not_offered: tuple[str, ...]

    def __str__(self) -> str:
        parts = [
            f"{self.engine}: {_count(self.failures, 'law')} broken, {len(self.holds)} kept, "
            f"{len(self.not_offered)} on what it does not offer; {_count(self.remarks, 'remark')}"
        ]
        if self.failures or self.remarks:
            advice = "Mend what the first one shows before you read on: others may come of it."
            parts.append(f"In each program Value is {self.engine}.\n{advice}")
        parts += [f"BROKEN: {failure}" for failure in self.failures.values()]
        parts += [f"REMARK: {failure}" for failure in self.remarks.values()]
        parts += [_listed("KEPT", self.holds), _listed("NOT OFFERED", self.not_offered)]
        return "\n\n".join(parts)


def _listed(title: str, names: Sequence[str]) -> str:
    short = [re.sub(" (has|have) (its|their|both) derivatives?$", "", name) for name in names]
    return textwrap.fill(f"{title}: {'; '.join(short) or 'none'}", 96, subsequent_indent="  ")


def check(engine: Engine) -> Report:
    """Say which laws an engine keeps and breaks, with the smallest program that shows each.

    An engine that raises, hangs or recurses without end breaks the law in question and no more.

    Raises:
        TypeError: it is no engine: not made of a number, or without `data` or `backward`.

    >>> from microgrid import Value
    >>> check(Value).failures
    {}
    """
    _require_engine(engine)
    broken: dict[str, Failure] = {}
    holds: list[str] = []
    not_offered: list[str] = []
    for law in LAWS + MANNERS:
        try:
            failure = law.failure(engine)
        except SkipTest:
            not_offered.append(law.name)
            continue
        if failure:
            broken[law.name] = failure
        else:
            holds.append(law.name)
    failures, remarks = (
        {law.name: broken[law.name] for law in group if law.name in broken}
        for group in (LAWS, MANNERS)
    )
    return Report(_name(engine), failures, remarks, tuple(holds), tuple(not_offered))


def _require_engine(engine: Engine) -> None:
    try:
        _run(engine, "x = Value(2.0)", "x.data", "x.backward.__call__")
    except ERRORS as error:
        raise TypeError(
            "check needs a class that is made of a number and has data and backward(), "
            f"got {_name(engine)}: {_error_text(error)}"
        ) from None


def _count(found: Sized, what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"


def _name(engine: Engine) -> str:
    module, name = getattr(engine, "__module__", None), getattr(engine, "__qualname__", None)
    return f"{module}.{name}" if module and name else repr(engine)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: print the report on a class; return 1 if it breaks a law, else 0.

    >>> main(["micrograd"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    return exit_code(PROGRAM, lambda: _command(arguments))


def _command(arguments: Sequence[str] | None) -> int:
    parser = Parser(
        prog=PROGRAM,
        description="Say which laws of automatic differentiation a class keeps, and which not.",
    )
    parser.add_argument("engine", metavar="MODULE:CLASS", help="as in student:Value")
    text = parser.parse_args(arguments).engine
    module, _, name = text.partition(":")
    if not (module and name):
        parser.error(f"the class is named as MODULE:CLASS, as in student:Value, got {text!r}")
    try:
        engine = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # the module is someone's program: anything can go wrong in it
        parser.error(f"cannot load {text}: {_error_text(error)}")
    try:
        report = check(engine)
    except TypeError as error:
        parser.error(str(error))
    print(report)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
