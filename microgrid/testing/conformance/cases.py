"""Cases: programs that use an engine are run on it, and must give what they claim."""

from __future__ import annotations

import ast
import dis
import io
import math
import re
import sys
import sysconfig
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal, NamedTuple

__all__ = [
    "ERRORS",
    "Case",
    "Engine",
    "NoEnd",
    "Respelled",
    "Wrong",
    "error_text",
    "evaluate",
    "limit_lines_and_calls",
    "meets",
    "run",
]

Engine = Callable[..., Any]
Warn = Literal["error", "ignore"]

# An engine may compose an operation of a few others, each rounded; a wrong derivative is far off.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
LINES = 2_000_000  # that an engine may run for one program: one of Fractions needs 1.3 million
# The files of this package, of Python, and of other packages that are installed.
NOT_THE_USERS = (
    *(str(Path(__file__).parents[2]), str(Path(traceback.__file__).parent)),
    *(sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), "<"),
)
NESTED = 1000  # calls, as Python allows by itself


class NoEnd(BaseException):
    """Ends a program that hangs; the engine's own `except Exception` cannot hold it up."""


ERRORS = (Exception, SystemExit, NoEnd)


class Wrong(NamedTuple):
    """A claim that does not hold: what is shown, what was wanted of it, and what was got."""

    shown: str
    wanted: str
    got: str
    has_end: bool = True


@dataclass(frozen=True)
class Respelled:
    """An engine whose attributes have names of their own: `names` has them by the usual ones.

    >>> Respelled(float, {"data": "real"}).spell("x.data + 1")
    'x.real + 1'
    """

    engine: Engine
    names: Mapping[str, str]

    def __call__(self, data: float) -> object:
        """Return a node of a number."""
        return self.engine(data)

    def spell(self, text: str) -> str:
        """Return a program or an expression with the engine's own names."""
        return re.sub(r"\.(\w+)\b", lambda found: f".{self.names.get(found[1], found[1])}", text)


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
        """Read a line as it is written in `book`.

        Raises:
            ValueError: it claims nothing.
        """
        parts = re.fullmatch(r"(?:((?:\w+ = [^,:;(]+,? ?)+): )?(.*?) ?-> (.*)", line)
        if parts is None:
            raise ValueError(f"a case is written as `x = 3: y = x + x -> y = 6`, got {line!r}")
        leaves, program, claims = parts.groups(default="")
        lines = [_assignment(*leaf.split(" = ")) for leaf in leaves.split(", ") if leaf]
        lines += program.split("; ")
        pairs = [tuple(claim.split(" = ", 1)) for claim in claims.split(", ")]
        if any(shown.endswith("'") for shown, _ in pairs):
            lines.append("y.backward()")
        lines.sort(key=lambda text: not text.startswith("import "))
        return Case(
            ast.unparse(ast.parse("\n".join(lines))),
            tuple([(_expression_for(name), wanted) for name, wanted in pairs]),
        )

    def wrong(self, engine: Engine) -> Wrong | None:
        """Return the first claim that does not hold, and what was got; None if all hold.

        >>> from microgrid import Value
        >>> Case.parse("x = 3: y = x + x -> x' = 1").wrong(Value)
        Wrong(shown='x.grad', wanted='1', got='2.0', has_end=True)
        """
        may_raise = any("error" in wanted.split(" or ") for _, wanted in self.claims)
        # A warning is not silence: it is as good as an error where nothing else is.
        warn: Warn = "error" if self.claims[0][1] == "error" else "ignore"
        try:
            got = run(engine, self.program, *[shown for shown, _ in self.claims], warn=warn)
        except ERRORS as error:
            clear = isinstance(error, Exception) and not isinstance(error, RecursionError)
            said = f"{error_text(error)}{_place_of(error)}"
            if clear and may_raise:
                return None
            return Wrong(*self.claims[0], said, has_end=not isinstance(error, NoEnd))
        for (shown, wanted), value in zip(self.claims, got, strict=True):
            if not any(meets(option, value) for option in wanted.split(" or ")):
                return Wrong(shown, wanted, _text_of(value))
        return None


def _assignment(name: str, number: str) -> str:
    data = float(number)
    argument = repr(data) if math.isfinite(data) else f"float('{data}')"
    return f"{name} = Value({argument})"


def _expression_for(name: str) -> str:
    """Return the expression for `y`, its data; for `x'`, its gradient; and any other as it is."""
    if name.endswith("'"):
        return f"{name[:-1]}.grad"
    return f"{name}.data" if name.isidentifier() else name


def meets(wanted: str, got: Any) -> bool:
    """Return whether what a program gives is what is wanted, in the words of `book`.

    >>> meets("from 0 to 1", 0.5), meets("exactly 1 / 3", 0.3333)
    (True, False)
    """
    match wanted.split(" "):
        case ["error"]:
            return False
        case ["from", low, "to", high]:
            return _holds(lambda x: float(low) <= x <= float(high), got)
        case ["exactly", *words]:
            return _holds(lambda x: bool(x == evaluate(" ".join(words))), got)
    number = _evaluate_once(wanted)
    if isinstance(number, tuple):
        return all(_holds(_is_near(n), g) for n, g in zip(number, got, strict=True))
    return _holds(_is_near(number), got) or (number == 0 and got is None)  # no gradient came


def evaluate(text: str, **names: float) -> Any:
    """Return what a formula of numbers gives, in which the names of `math` are known.

    >>> evaluate("sqrt(x) - 1", x=4.0)
    1.0
    """
    return eval(text, vars(math) | names)


@lru_cache(maxsize=1024)  # the same is wanted of every engine
def _evaluate_once(text: str) -> Any:
    return evaluate(text)


def _is_near(number: float) -> Callable[[float], bool]:
    if math.isnan(number):
        return math.isnan
    return lambda x: math.isclose(x, number, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _holds(claim: Callable[[float], bool], got: Any) -> bool:
    try:
        # NumPy would make a float of its complex number, with a mere warning.
        return not isinstance(got, complex) and claim(float(got))
    except (TypeError, ValueError, OverflowError):  # it is not a number
        return False


def run(engine: Engine, program: str, *shown: str, warn: Warn = "ignore") -> list[object]:
    """Run a program and return what it shows; raise what it raises, and `NoEnd` if it hangs."""
    names: dict[str, object] = {"Value": engine}
    data = "data"
    if isinstance(engine, Respelled):
        program, *shown = map(engine.spell, (program, *shown))  # type: ignore[assignment]
        names["Value"], data = engine.engine, engine.names.get("data", "data")
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), limit_lines_and_calls():
        warnings.simplefilter(warn)
        kind = type(engine(1.0))
        exec(_compile(program, "exec"), names)
        return [_number_in(eval(_compile(text, "eval"), names), kind, data) for text in shown]


@lru_cache(maxsize=4096)  # every engine runs the same programs, except for the random ones
def _compile(text: str, mode: str) -> CodeType:
    return compile(text, "<program>", mode)


def _number_in(got: object, kind: type, data: str) -> object:
    """Return the number that is shown: a gradient may be a `Value`, to be differentiated again."""
    if isinstance(got, tuple):
        return tuple([_number_in(item, kind, data) for item in got])
    return getattr(got, data) if isinstance(got, kind) else got


@contextmanager
def limit_lines_and_calls() -> Iterator[None]:
    """Raise `NoEnd` after too many lines: counted, since a clock is wrong on a busy machine.

    Nor may calls nest deeper than Python allows by default: where the limit has been raised, as in
    notebooks, an engine without an end would take the process with it.
    """
    left, deepest = LINES, sys.getrecursionlimit()

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == "call" and _turns_in_a_line(frame.f_code):
            frame.f_trace_opcodes = True
        left -= 1
        if left < 0:
            raise NoEnd(f"no end after {LINES:,} lines")
        return count

    depth, caller = 0, sys._getframe().f_back
    while caller:
        depth, caller = depth + 1, caller.f_back
    before = sys.gettrace()
    sys.setrecursionlimit(min(deepest, depth + NESTED))
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
        sys.setrecursionlimit(deepest)


@lru_cache(maxsize=4096)
def _turns_in_a_line(code: CodeType) -> bool:
    """Return whether code has a loop in one line, as `while stack: visit(stack.pop())`.

    Python 3.11 traces a line when it comes to it, and not when it comes back to the same.
    """
    if sys.version_info >= (3, 12):
        return False
    line, reached = None, {}
    for step in dis.get_instructions(code):
        line = step.starts_line or line
        reached[step.offset] = line, step.opname
        if "JUMP_BACKWARD" in step.opname:
            back_to, first = reached[step.argval]
            if back_to == line and first != "FOR_ITER":  # which ends with what it goes through
                return True
    return False


def error_text(error: BaseException) -> str:
    """Return an error on one short line, with its kind.

    >>> error_text(ValueError("no  such number"))
    'ValueError: no such number'
    """
    kind = "" if isinstance(error, NoEnd) else f"{type(error).__name__}: "
    return textwrap.shorten(f"{kind}{error}", 90, placeholder=" …").removesuffix(":")


def _place_of(error: BaseException) -> str:
    """Return the line of the user's own code that an error comes from, in parentheses."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.line and not f.filename.startswith(NOT_THE_USERS)]
    if not own:
        return ""
    code = textwrap.shorten(own[-1].line or "", 60, placeholder=" …")
    return f" (in line {own[-1].lineno}, `{code}`)"


def _text_of(got: object) -> str:
    if isinstance(got, tuple):
        return f"({', '.join(map(_text_of, got))})"
    return textwrap.shorten(repr(float(got) if isinstance(got, float) else got), 90)
