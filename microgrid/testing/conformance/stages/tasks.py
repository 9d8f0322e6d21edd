"""The stages, read from the book: each a few tasks, and each task a law with a hint for its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from ....engine import Value
from ..cases import Case, Engine
from ..laws import LAWS, Law
from . import book

__all__ = ["STAGES", "Stage", "Task"]

# A network of two inputs and three bent neurons, trained in the plainest words: + and * of nodes.
TRAINING = """\
from microgrid.datasets import moons
X, y = moons({rows}, seed=1)
data = [0.7, -0.4, 0.2, 0.5, 0.9, -0.6, 0.1, 0.3, 0.2, 0.8, -0.5, 0.4, 0.1]
p = [Value(number) for number in data]
for step in range({steps}):
    loss = Value(0.0)
    for (a, b), t in zip(X, y):
        score = p[12] + Value(-1.0) * Value(float(t))
        for u, v, bias, w in zip(p[0:3], p[3:6], p[6:9], p[9:12]):
            h = u * Value(a) + v * Value(b) + bias
            score = score + w * h.{bend}()
        loss = loss + score * score
    for q in p:
        q.grad = 0.0
    loss.backward()
    for q in p:
        q.data -= 0.02 * q.grad"""
NEURON = """\
from {module} import Neuron
n = Neuron(2)
x = [Value(1.0), Value(-2.0)]
y = n(x)
y.backward()"""


@dataclass(frozen=True)
class Task:
    """A claim about an engine, what it needs, and what to write where that is not there.

    `law` has the hint as its explanation. `write` is empty if the task is not required at the
    stage, but asked only of engines that offer it.

    >>> STAGES[3].tasks[0].law.name
    'backward goes all the way back'
    """

    law: Law
    write: str = ""
    needs: tuple[str, ...] = ()
    unless_backward: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage of writing an engine: its number, its name, a sentence of theory, and its tasks.

    >>> STAGES[1]
    Stage 2: + and *
    """

    number: int
    name: str
    theory: str
    tasks: tuple[Task, ...]

    def __repr__(self) -> str:
        return f"Stage {self.number}: {self.name}"


def _stages() -> Iterator[Stage]:
    for number, part in enumerate(book.STAGES.split("\n== ")[1:], 1):
        head, *blocks = part.strip().split("\n\n")
        name, _, theory = head.partition("\n")
        tasks = [task for block in blocks for task in _tasks(block)]
        yield Stage(number, name, " ".join(theory.split()), (*tasks, *EXTRAS.get(number, ())))


def _tasks(block: str) -> Iterator[Task]:
    """Read a task, or one for each FUNCTION that has no task of its own."""
    # A line that begins with no word of the book's own continues the one before it.
    name, *lines = re.sub(r"\n(?!    |needs:|write|hint:|by hand)", " ", block).splitlines()
    said = {key.strip(): text.strip() for key, _, text in (line.partition(":") for line in lines)}
    cases = [line.strip() for line in lines if line.startswith("    ")]
    write = next((text for key, text in said.items() if key.startswith("write")), "")
    laws = [Law(name, said["hint"], _cases(cases))]
    if name.startswith("law: "):
        wanted = re.escape(name.removeprefix("law: ")).replace("FUNCTION", r"\w+")
        found = [law for law in LAWS if re.fullmatch(wanted, law.name)]
        laws = [
            Law(law.name, said["hint"], law.cases)
            for law in found
            if len(found) == 1 or f"law: {law.name}\n" not in book.STAGES
        ]
    for law in laws:
        yield Task(
            law,
            write,
            tuple(said.get("needs", "").split()),
            "write unless backward" in said,
            "by hand" in said,
        )


def _cases(lines: Iterable[str]) -> Callable[[Engine], Iterable[Case]]:
    cases = [Case.parse(line) for line in lines]
    return lambda engine: cases


@cache
def _training(rows: int, steps: int, bend: str) -> Case:
    """Return a training, which ends with the loss that this library's own engine ends with."""
    program = TRAINING.format(rows=rows, steps=steps, bend=bend)
    names: dict[str, object] = {"Value": Value}
    exec(program, names)  # without the limit of lines, which is for students
    return Case(program, (("loss.data", repr(eval("loss.data", names))),))


def _trainings(engine: Engine) -> Iterator[Case]:
    for rows, steps in ((1, 1), (1, 2), (20, 20)):
        for bend in ("tanh", "relu"):
            yield _training(rows, steps, bend)


def _neurons(engine: Engine) -> Iterator[Case]:
    """Yield a program that uses the class Neuron beside the engine, if there is one."""
    engine = getattr(engine, "engine", engine)
    module = getattr(engine, "__module__", "")
    if isinstance(getattr(sys.modules.get(module), "Neuron", None), type):
        yield Case(NEURON.format(module=module), (("len(n.parameters())", "3"), ("y.grad", "1")))


EXTRAS = {
    7: [
        Task(
            Law(
                "your Neuron is a neuron",
                "A neuron of two inputs has a parameter for each and one more, and gives a node.",
                _neurons,
            )
        )
    ],
    8: [
        Task(
            Law(
                "training on moons lowers the loss as it should",
                "Begin with one row and one step, and compare the gradients with those by hand.",
                _trainings,
            ),
            "what a network needs: + and * of nodes, and `tanh` or `relu`",
            ("backward",),
        )
    ],
}
#: The eight stages, from an empty class to a network that is trained.
STAGES: tuple[Stage, ...] = tuple(_stages())
