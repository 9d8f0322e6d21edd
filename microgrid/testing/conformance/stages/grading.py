"""The verdict on a class at a stage: what holds, what to write next, and what is wrong."""

from __future__ import annotations

import inspect
import textwrap
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from unittest import SkipTest

from ....derivatives.foreign import Spelling, spelling_of
from ....guards.checks import quote, require_integers
from ..cases import (
    ERRORS,
    Case,
    Engine,
    NoEnd,
    Respelled,
    error_text,
    limit_lines_and_calls,
    run,
)
from ..laws import Failure, Law
from .tasks import STAGES, Stage, Task

__all__ = ["StageReport", "Verdict", "check_stage"]

WIDTH = 96
SHOWN = 3  # failures that are shown with their programs; the others may have the same cause
NAMED = 12  # others that are named; a longer list is not read, and has few causes
HANGS = 3  # programs without an end, each a second long: then the rest is not asked
FOUND = {"data": "data", "grad": "grad", "parents": "parents", "backward": "backward"}


@dataclass(frozen=True)
class Verdict:
    """What a class makes of one stage, by the names of its tasks.

    `missing` says what to write for each task that the class offers nothing for, and `failures`
    are wrong results, each with the smallest program that shows it and a hint.

    >>> from microgrid import Value
    >>> check_stage(2, Value).verdicts[1].missing
    {}
    """

    stage: Stage
    holds: tuple[str, ...]
    missing: dict[str, str]
    failures: dict[str, Failure]

    @property
    def passed(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return not self.missing and not self.failures

    @property
    def total(self) -> int:
        """The number of tasks that count, which is one point each."""
        return len(self.holds) + len(self.missing) + len(self.failures)


@dataclass(frozen=True, repr=False)
class StageReport:
    """What a class makes of the stages up to one; it is true if it passes them all.

    As text it says what holds, what to write next, and for what is wrong the smallest program and
    a hint.

    >>> class Value:
    ...     def __init__(self, data):
    ...         self.data, self.grad, self._prev = data, 0.0, ()
    >>> report = check_stage(1, Value)
    >>> bool(report), report.score, report.total
    (True, 3, 3)
    """

    engine: str
    verdicts: tuple[Verdict, ...]

    def __bool__(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def score(self) -> int:
        """The number of tasks that hold."""
        return sum(len(verdict.holds) for verdict in self.verdicts)

    @property
    def total(self) -> int:
        """The number of tasks that count."""
        return sum(verdict.total for verdict in self.verdicts)

    @property
    def passed(self) -> tuple[int, ...]:
        """The numbers of the stages that are passed."""
        return tuple([verdict.stage.number for verdict in self.verdicts if verdict.passed])

    @cached_property
    def next(self) -> str:
        """What to write next, empty where nothing is missing."""
        return next((text for each in self.verdicts for text in each.missing.values()), "")

    @property
    def failures(self) -> dict[str, Failure]:
        """What is wrong, by the names of the tasks."""
        return {name: each for v in self.verdicts for name, each in v.failures.items()}

    def as_dict(self) -> dict[str, object]:
        """Return the report in lists, dicts, numbers and texts, as JSON has them.

        >>> from microgrid import Value
        >>> check_stage(1, Value).as_dict()["score"]
        3
        """
        return {
            "engine": self.engine,
            "passed": list(self.passed),
            "score": self.score,
            "total": self.total,
            "next": self.next,
            "stages": [
                {
                    "stage": each.stage.number,
                    "name": each.stage.name,
                    "passed": each.passed,
                    "holds": list(each.holds),
                    "missing": each.missing,
                    "wrong": {name: found.as_dict() for name, found in each.failures.items()},
                }
                for each in self.verdicts
            ],
        }

    def __str__(self) -> str:
        last = self.verdicts[-1].stage
        score = f"{self.engine}: {self.score} of {self.total} points"
        parts = [f"{score} up to stage {last.number}, {last.name}", "\n".join(self._table())]
        if self:
            next_one = f" Next is stage {last.number + 1}." * (last is not STAGES[-1])
            parts.append(f"All of it holds.{next_one}")
        if self.next:
            parts.append(_fill(f"WRITE NEXT: {self.next}"))
        if self.failures:
            parts.append("In each program Value is your class. Fix the first one first.")
        shown = self._selection()
        parts += [_text_of(self.failures[name]) for name in shown]
        if others := [name for name in self.failures if name not in shown]:
            more = f"; and {len(others) - NAMED} more" if len(others) > NAMED else ""
            parts.append(_fill(f"WRONG TOO: {'; '.join(others[:NAMED])}{more}"))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _selection(self) -> list[str]:
        """Return the names of the failures to show: of each stage the first, then others.

        A wrong derivative is seen so, even if the walk of stage 4 has several faults of its own.
        """
        firsts = [next(iter(each.failures)) for each in self.verdicts if each.failures]
        chosen: dict[str, str] = {}
        for name in [*firsts, *self.failures]:
            got = self.failures[name].got
            # The same error says nothing new; the same number may be wrong for another reason.
            chosen.setdefault(got if got[:1].isalpha() else name, name)
        few = list(chosen.values())[:SHOWN]
        return [name for name in self.failures if name in few]

    def _table(self) -> list[str]:
        lines = []
        for each in self.verdicts:
            mark = "passed" if each.passed else f"{len(each.holds)} of {each.total}"
            lines.append(f"  {each.stage.number}  {each.stage.name:<36}  {mark}")
        return lines


def check_stage(
    stage: int,
    engine: object,
    *,
    data: str | None = None,
    grad: str | None = None,
    parents: str | None = None,
) -> StageReport:
    """Return what a class makes of the stages up to one, from 1 to 8.

    The class may be half written. If it raises, or does not end, the report says so.

    Args:
        stage: the number of the stage.
        engine: the class, or a function that makes a node of a number.
        data: what the class calls a node's number, if that is not found.
        grad: what it calls a node's gradient.
        parents: what it calls a node's operands.

    Raises:
        TypeError: the stage is not an integer, or the engine is not a class.
        ValueError: there is no such stage.

    >>> class Value:
    ...     def __init__(self, data):
    ...         self.data = data
    >>> print(check_stage(1, Value).next.partition(",")[0])
    a gradient for each node
    """
    require_integers(stage=stage, largest=len(STAGES))
    if not callable(engine):
        kind = type(engine)
        own = kind.__module__ != "builtins"
        instead = f"; pass the class itself: check({stage}, {kind.__name__})" if own else ""
        raise TypeError(
            f"check needs the class of your nodes, got {quote(engine)} ({kind.__name__}){instead}"
        )
    given = {"data": data, "grad": grad, "parents": parents}
    grader = _Grader(engine, given)
    verdicts = [grader.verdict(each) for each in STAGES[: int(stage)]]
    return StageReport(_name_of(engine), tuple(verdicts))


class _Grader:
    """Checks a class against tasks, each by itself, and counts how often it did not end."""

    def __init__(self, engine: Engine, given: dict[str, str | None]) -> None:
        self.hangs = 0
        self.broken = self._making(engine)
        self.spelling = Spelling() if self.broken else _spelling(engine, given)
        own = {role: getattr(self.spelling, role) for role in FOUND} | {
            "_backward": self.spelling.step
        }
        names = {usual: name for usual, name in own.items() if name and name != usual}
        self.engine = Respelled(engine, names) if names else engine

    def _making(self, engine: Engine) -> Failure | None:
        """Return why no node can be made of a number, None if one can."""
        case = Case("x = Value(3.0)", (("x", "a node"),))
        hint = "A node is made from one number. What does `__init__` ask for, and what does it do?"
        try:
            run(engine, case.program)
        except ERRORS as error:
            law = Law("a node is made from a number", hint, lambda _: [case])
            return Failure(law, case, "x", "a node", error_text(error))
        return None

    def verdict(self, stage: Stage) -> Verdict:
        """Check the class against the tasks of a stage."""
        if self.broken:
            failures = {self.broken.law.name: self.broken} if stage.number == 1 else {}
            missing = {task.law.name: task.write for task in stage.tasks if task.write}
            return Verdict(stage, (), missing, failures)
        holds, missing, failures = [], {}, {}
        for task in stage.tasks:
            name = task.law.name
            try:
                failure = self._failure(task)
            except SkipTest:
                if task.write and not (task.unless_backward and self.spelling.backward):
                    missing[name] = task.write
                continue
            if failure:
                failures[name] = failure
                self.hangs += not failure.has_end
            else:
                holds.append(name)
        return Verdict(stage, tuple(holds), missing, failures)

    def _failure(self, task: Task) -> Failure | None:
        """Return how the class fails a task, None if it does not.

        Raises:
            unittest.SkipTest: it offers nothing to ask for, or has had no end too often.
        """
        steps_back = self.spelling.step or self.spelling.backward
        if self.hangs >= HANGS or (task.by_hand and not steps_back):
            raise SkipTest("not asked")
        if any(getattr(self.spelling, need) is None for need in task.needs):
            raise SkipTest("not asked")
        law = task.law
        cases = list(law.cases(self.engine))
        if any(".backward()" in case.program for case in cases) and not task.by_hand:
            cases = [c for c in cases if ".backward()" not in c.program or self.spelling.backward]
        if task.by_hand and self.spelling.step:
            cases = [_by_hand(case) for case in cases]
        failure = Law(law.name, law.explanation, lambda _: cases).failure(self.engine)
        return _respell(failure, self.engine) if failure else None


def _spelling(engine: Engine, given: dict[str, str | None]) -> Spelling:
    """Return how nodes spell their attributes; a leaf may have fewer than a result."""
    leaf = _node(engine, "x")
    nodes = [leaf]
    for operation in ("x + y", "x * y"):
        with suppress(*ERRORS):
            nodes.append(_node(engine, operation))
    try:
        with limit_lines_and_calls():  # to look for an attribute may run the engine's code
            found = [spelling_of(node) for node in nodes if isinstance(node, type(leaf))]
            first = spelling_of(nodes[-1] if len(found) == len(nodes) else leaf, **given)
    except NoEnd:
        return Spelling()
    for other in found:
        roles = {role: name for role, name in vars(first).items() if name is None}
        first = replace(first, **{role: getattr(other, role) for role in roles})
    return first if _takes_nothing(leaf, first.step) else replace(first, step=None)


def _node(engine: Engine, expression: str) -> object:
    """Return what an expression in two leaves gives."""
    [shown] = run(engine, "x, y = Value(2.0), Value(3.0)", f"[{expression}]")
    assert isinstance(shown, list)  # in which no number is looked for
    return shown[0]


def _takes_nothing(node: object, method: str | None) -> bool:
    if method is None:
        return False
    try:
        inspect.signature(getattr(node, method)).bind()
    except (AttributeError, TypeError):
        return False
    except ValueError:  # it says nothing
        return True
    return True


def _by_hand(case: Case) -> Case:
    """Return a case with a step back for each result, the last one first, for `backward()`."""
    lines = case.program.splitlines()
    if lines[-1] != "y.backward()":
        return case
    made = [line.partition(" = ")[0] for line in lines[:-1] if " = Value(" not in line]
    steps = [f"{name}._backward()" for name in reversed(made)]
    return Case("\n".join([*lines[:-1], "y.grad = 1.0", *steps]), case.claims)


def _respell(failure: Failure, engine: Engine) -> Failure:
    """Return a failure in the class's own names."""
    if not isinstance(engine, Respelled):
        return failure
    program = Case(engine.spell(failure.case.program), failure.case.claims)
    return replace(failure, case=program, shown=engine.spell(failure.shown))


def _text_of(failure: Failure) -> str:
    program = textwrap.indent(failure.reproducer, "    ")
    return f"WRONG: {failure.law.name}\n{_fill(failure.law.explanation)}\n\n{program}"


def _fill(text: str) -> str:
    return textwrap.fill(text, WIDTH)


def _name_of(engine: Engine) -> str:
    return str(getattr(engine, "__name__", quote(engine)))
