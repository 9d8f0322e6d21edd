"""The stages of writing an engine: half-written classes are told what holds and what is next."""

import json
import re
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import micrograd.engine
import pytest

from microgrid import Value
from microgrid.testing import check, conformance
from microgrid.testing.conformance import LAWS, STAGES, cases
from microgrid.testing.conformance.stages import submissions
from tests.testing.conformance.broken_engines import Tiny
from tests.testing.conformance.stages.students import (
    RIGHT,
    WRONG,
    CallsItself,
    Empty,
    Five,
    ForgetsTheExponent,
    Four,
    One,
    Six,
    Two,
    WithOtherNames,
)


def named(table):
    return pytest.mark.parametrize("student", table, ids=lambda student: student.__name__)


# ---- the book


def test_there_are_eight_stages_with_a_sentence_and_tasks_each():
    assert [stage.number for stage in STAGES] == list(range(1, 9))
    assert all(stage.theory.endswith(".") and stage.tasks for stage in STAGES)


def test_every_law_is_a_task_of_one_stage_and_every_task_has_a_hint():
    names = [task.law.name for stage in STAGES for task in stage.tasks]
    assert len(set(names)) == len(names)
    assert {law.name for law in LAWS} <= set(names)
    hints = [task.law.explanation for stage in STAGES for task in stage.tasks]
    assert all(re.search(r"[.?]$", hint) for hint in hints)


def test_no_hint_gives_the_answer_away():
    explanations = {law.name: law.explanation for law in LAWS}
    for stage in STAGES:
        for task in stage.tasks:
            said = task.law.explanation
            assert said != explanations.get(task.law.name)
            assert not re.search(r"\+=|`math\.|\bdef \w|`\w+\.grad", said), said


# ---- engines that are half written


@named(RIGHT)
def test_a_right_beginning_passes_its_stages_and_is_told_what_to_write_next(student):
    reached, following = RIGHT[student]
    report = check(reached, student)
    assert report
    assert report.failures == {}
    assert report.passed == tuple(range(1, reached + 1))
    assert report.score == report.total
    if following:
        assert following in check(reached + 1, student).next
        assert f"WRITE NEXT: {check(reached + 1, student).next[:20]}" in str(
            check(reached + 1, student)
        )


@pytest.mark.usefixtures("soon")
@named(WRONG)
def test_a_wrong_engine_is_told_what_is_wrong_with_a_program_and_a_hint(student):
    said = WRONG[student]
    report = check(said.stage, student)
    assert not report
    assert report.passed == said.passed
    first, failure = next(iter(report.failures.items()))
    assert first.startswith(said.wrong)
    assert said.hint in failure.law.explanation
    assert said.missing in report.next
    text = str(report)
    assert f"WRONG: {first}" in text
    assert textwrap.indent(failure.reproducer, "    ") in text


class CallsItselfAndForgetsTheExponent(ForgetsTheExponent):
    """A walk like the lecture's, and a wrong derivative: the first must not hide the second."""

    backward = CallsItself.backward


def test_of_each_stage_with_a_failure_one_is_shown():
    report = check(6, CallsItselfAndForgetsTheExponent)
    shown = re.findall("^WRONG: (.*)", str(report), re.MULTILINE)
    stages = [verdict.stage.number for verdict in report.verdicts if verdict.failures]
    assert stages == [4, 5, 6]
    assert shown == [next(iter(v.failures)) for v in report.verdicts if v.failures]
    assert shown[-1] == "x ** n has its derivative"


def test_a_list_of_what_else_is_wrong_can_be_read_at_a_glance():
    class NoGradient(Six):
        grad = property(lambda self: 0.0, lambda self, g: None)

    report = check(6, NoGradient)
    text = str(report)
    named = [name for name in report.failures if name in " ".join(text.split())]
    assert len(report.failures) > len(named) == 15
    assert f"and {len(report.failures) - 15} more" in " ".join(text.split())


def test_there_are_more_than_twenty_wrong_engines_at_every_stage():
    assert len(WRONG) >= 20
    assert {said.stage for said in WRONG.values()} == set(range(1, 9))


@pytest.mark.slow  # the law of the stages and that of the engines say the same, in two steps
def test_the_engines_that_keep_every_law_pass_every_stage():
    for engine in (Value, Tiny):
        assert check(8, engine).passed == tuple(range(1, 9))


def test_microgrids_own_steps_by_hand_are_asked_for_too():
    assert "the chain rule by hand" in str(check(3, Value))


def test_micrograd_passes_the_stages_but_those_that_it_breaks():
    report = check(8, micrograd.engine.Value)
    assert report.passed == (1, 2, 3, 7)
    assert report.next == ""
    assert {v.stage.number: [*v.failures] for v in report.verdicts if v.failures} == {
        4: ["a graph may be 5000 nodes deep"],
        5: [
            "x * x has two edges",
            "a second backward adds the same once more",
            "between two passes it is enough to zero the leaves",
            "two roots may share a node",
            "a root may stand inside another graph",
        ],
        6: [
            "division is one true division",
            "x ** 0, x ** 1 and x ** 2 are smooth at 0",
            "a negative base never turns complex",
        ],
        8: ["a gradient belongs to the numbers it was computed with"],
    }


def test_a_class_without_backward_is_asked_for_steps_by_hand_alone():
    report = check(8, Two)
    assert report.passed == (1, 2)
    assert report.failures == {}


def test_a_class_with_backward_alone_needs_no_steps_nor_parents_that_show():
    class Hidden(Five):
        def __init__(self, data, children=(), op="", slopes=()):
            self.data, self.grad, self.mine, self.slopes = data, 0.0, tuple(children), slopes

        _backward = None

        def backward(self):
            users, stack = {self: 0}, [self]
            while stack:
                for parent in stack.pop().mine:
                    if parent not in users:
                        stack.append(parent)
                    users[parent] = users.get(parent, 0) + 1
            shares, ready = {self: 1.0}, [self]
            while ready:
                node = ready.pop()
                node.grad = shares[node] + (0.0 if node.mine else node.grad)
                for parent, slope in zip(node.mine, node.slopes, strict=True):
                    shares[parent] = shares.get(parent, 0.0) + slope * shares[node]
                    users[parent] -= 1
                    if not users[parent]:
                        ready.append(parent)

    assert check(5, Hidden).passed == (1, 2, 3, 4, 5)


def test_a_network_is_asked_of_a_neuron_where_the_module_has_one(monkeypatch):
    class Neuron:
        def __init__(self, inputs):
            self.w, self.b = [Six(0.5) for _ in range(inputs)], Six(0.0)

        def __call__(self, x):
            return sum((w * u for w, u in zip(self.w, x, strict=True)), self.b).tanh()

        def parameters(self):
            return [*self.w]

    module = sys.modules[Six.__module__]
    monkeypatch.setattr(module, "Neuron", Neuron, raising=False)
    assert [*check(7, Six).failures] == ["your Neuron is a neuron"]
    monkeypatch.setattr(Neuron, "parameters", lambda self: [*self.w, self.b])
    assert check(7, Six)


# ---- other names


def test_names_of_attributes_are_found_or_given():
    report = check(5, WithOtherNames, grad="slope")
    assert report.passed == (1, 2, 3, 4, 5)
    without = check(5, WithOtherNames)
    assert "a gradient for each node" in without.next


def test_a_program_is_shown_in_the_names_of_the_class():
    class Halves(WithOtherNames):
        def backpropagate(self):
            super().backpropagate()
            for operand in self.operands:
                operand.slope *= 0.5

        def __add__(self, other):
            return Halves(self.number + other.number, (self, other), (1.0, 1.0))

    failure = next(iter(check(4, Halves, grad="slope").failures.values()))
    assert failure.reproducer.splitlines()[-2:] == [
        "y.backpropagate()",
        "print(x.slope)  # wanted 1, got 0.5",
    ]


# ---- code that runs wild


def raises(error):
    def method(*arguments):
        raise error

    return method


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("by zero"), SystemExit(3), RecursionError("deep"), MemoryError("full")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_method_raises_is_part_of_the_report(error):
    student = type("Wild", (Two,), {"__add__": raises(error)})
    failure = check(2, student).failures["a sum has its number"]
    assert failure.got.startswith(type(error).__name__)
    assert "`raise error`" in failure.got  # the line of the student's own code


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(cases, "LINES", 400_000)  # in the place of a second for each


@pytest.mark.usefixtures("soon")
def test_a_class_without_an_end_is_not_asked_for_ever():
    def forever(*arguments):
        while True:
            pass

    student = type("Endless", (Five,), {"__init__": forever})
    report = check(8, student)
    assert [*report.failures] == ["a node is made from a number"]
    assert "no end after" in str(report)
    student = type("Endless", (Six,), {"__mul__": forever})
    report = check(8, student)
    assert sum("no end after" in failure.got for failure in report.failures.values()) == 3


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("loop", ["while True: pass", "while stack: stack.append(stack.pop())"])
def test_a_loop_in_one_line_is_ended_too(loop):
    names = {}
    exec(f"def backward(self):\n    stack = [self]\n    {loop}", names)
    report = check(4, type("Endless", (Four,), {"backward": names["backward"]}))
    assert report.passed == (1, 2, 3)
    assert {failure.got for failure in report.failures.values()} == {"no end after 400,000 lines"}


def test_loops_that_end_by_themselves_are_not_counted_twice():
    names = {}
    exec(
        "def squares(n):\n    for k in range(n): n += k\n    return [k * k for k in range(n)]",
        names,
    )
    code = names["squares"].__code__
    inner = [each for each in code.co_consts if hasattr(each, "co_code")]
    assert not any(map(cases._turns_in_a_line, [code, *inner]))


def test_a_class_whose_numbers_speak_of_no_end_is_asked_all_the_same():
    def engine(text):
        class Word:
            def __repr__(self):
                return text

        class Speaking(Six):
            __add__ = __mul__ = lambda *operands: SimpleNamespace(data=Word())

        return Speaking

    one, other = check(8, engine("no end after it")), check(8, engine("nothing"))
    assert (one.score, [*one.failures]) == (other.score, [*other.failures])
    assert len(one.failures) > 3


def test_a_class_whose_attributes_raise_is_told_so():
    class Echo(One):
        def __init__(self, data):
            self.data = data

        def __getattr__(self, name):
            return getattr(self, f"{name}x")

    assert check(1, Echo).passed == ()
    assert "a gradient for each node" in check(1, Echo).next


def test_attributes_without_an_end_end_where_the_limit_of_calls_was_raised():
    class Echo(One):
        def __init__(self, data):
            self.data = data

        def __getattr__(self, name):
            return getattr(self, f"{name}x")

    class Waits(One):
        @property
        def grad(self):
            while True:
                pass

        @grad.setter
        def grad(self, grad):
            pass

    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        for engine in (Echo, Waits):
            assert check(1, engine).passed == ()
    finally:
        sys.setrecursionlimit(deepest)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, 5), TypeError, r"check needs the class of your nodes, got 5 \(int\)$"),
        ((2, One(1.0)), TypeError, r"pass the class itself: check\(2, One\)"),
        (("two", One), ValueError, "check knows the exercises of lessons 1 .* got 'two'"),
        ((0, One), ValueError, "`task` must be an integer, at least 1, or the name of an exercise"),
        ((9, One), ValueError, "`task` must be an integer, at most 8, got 9"),
        ((True, One), TypeError, "`task` must be an integer"),
    ],
)
def test_what_is_no_stage_or_no_class_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        check(*arguments)


def test_an_error_names_the_parameter_of_the_function_that_was_called():
    with pytest.raises(ValueError, match="`stage` must be an integer, at least 1, got 0"):
        conformance.check_stage(0, One)


def test_a_name_that_no_node_has_is_refused():
    with pytest.raises(AttributeError, match="`data` must be the name of an attribute of the node"):
        check(1, One, data="nummer")
    with pytest.raises(TypeError, match="`grad` must be the name of an attribute, got 5"):
        check(1, One, grad=5)


# ---- the command line


def run(*arguments, folder):
    command = [sys.executable, "-m", "microgrid.testing.conformance", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


STUDENT = """
print("hello")
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad, self._prev = data, 0.0, children
    def __add__(self, other):
        return Value(self.data + other.data, (self, other))
"""


def test_a_stage_is_asked_for_on_the_command_line(tmp_path, capsys):
    (tmp_path / "half_an_engine.py").write_text(STUDENT)
    file = f"{tmp_path / 'half_an_engine.py'}:Value"
    assert conformance.main(["--stage", "1", file]) == 0
    assert "All of it holds. Next is stage 2." in capsys.readouterr().out
    assert conformance.main(["--stage", "2", file]) == 1
    assert "WRITE NEXT: `__mul__(self, other)`" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        conformance.main(["--stage", "9", file])
    assert "invalid choice: 9" in capsys.readouterr().err


def test_a_report_as_json_is_all_that_is_printed(tmp_path):
    (tmp_path / "mine.py").write_text(STUDENT)
    printed = run("--stage", 2, "--json", "mine:Value", folder=tmp_path).stdout
    report = json.loads(printed)
    assert (report["engine"], report["passed"], report["score"]) == ("Value", [1], 9)
    assert report["stages"][1]["missing"].keys() == {"a product has its number"}


def test_a_class_that_is_not_there_is_told_with_those_that_are(tmp_path, capsys):
    (tmp_path / "other.py").write_text(f"from fractions import Fraction\n{STUDENT}")
    with pytest.raises(SystemExit):
        conformance.main(["--stage", "1", f"{tmp_path / 'other.py'}:Node"])
    assert "no attribute 'Node'; it has Value (see" in capsys.readouterr().err


def test_what_cannot_be_graded_is_told_as_json_too_in_its_own_words(tmp_path, capsys):
    said = "error: no MemoryError (see --help)"
    (tmp_path / "odd.py").write_text(f"raise ValueError({said!r})")
    with pytest.raises(SystemExit):
        conformance.main(["--json", "--stage", "1", f"{tmp_path / 'odd.py'}:Value"])
    printed = capsys.readouterr()
    assert json.loads(printed.out)["problem"].endswith(f"ValueError: {said}")
    assert said in printed.err


def graded(folder, programs, *options):
    for name, text in programs.items():
        (folder / name).write_text(text)
    done = run("--json", "--stage", 2, *options, folder, folder=folder)
    found = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    return found, done.stderr.splitlines()


def test_a_folder_is_graded_with_a_table_at_the_end(tmp_path):
    programs = {"ada.py": STUDENT, "cy.py": "x = [0] * 10**11", "_notes.py": "raise SystemExit"}
    found, lines = graded(tmp_path, programs)
    assert [*found] == ["ada.py", "cy.py"]
    assert (found["ada.py"]["score"], found["cy.py"]["problem"]) == (9, "out of memory")
    assert lines[0].split() == ["submission", "1", "2", "points", "what", "is", "next"]
    assert lines[1].split()[:4] == ["ada.py", "x", ".", "9/10"]
    assert len(lines) == 3


@pytest.mark.slow  # each is a process
def test_programs_of_any_kind_are_graded_side_by_side(tmp_path):
    programs = {
        "di.py": "def f(:",
        "el.py": "from micrograd.engine import Value",
        "flo.py": "import os; os._exit(7)",
        "gil.py": "name = input()",
        "ian.py": "x = 1",
    }
    found, _ = graded(tmp_path, programs)
    assert found["el.py"]["passed"] == [1, 2]
    problems = {name: each["problem"] for name, each in found.items() if each["problem"]}
    assert [*problems] == ["di.py", "flo.py", "gil.py", "ian.py"]
    assert "SyntaxError: invalid syntax" in problems["di.py"]
    assert problems["flo.py"] == "exit code 7"
    assert "EOFError: EOF when reading a line" in problems["gil.py"]
    assert "module 'ian' has no attribute 'Value'" in problems["ian.py"]


@pytest.mark.slow
def test_a_process_that_outlives_its_time_takes_its_children_with_it(tmp_path):
    seconds = 3
    (tmp_path / "fork.py").write_text(
        "import os, time\n"
        "if os.fork() == 0:\n"
        f"    time.sleep({seconds + 2}); open({str(tmp_path / 'outlived')!r}, 'w')\n"
        "time.sleep(60)"
    )
    limits = submissions.Limits(seconds=seconds)
    [found] = submissions.grade(tmp_path, "Value", 1, limits)
    assert found.problem == f"no end within {seconds} seconds"
    assert not (tmp_path / "outlived").exists()


def test_a_folder_without_programs_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        conformance.main([str(tmp_path)])
    assert "a folder of submissions needs files such as ada.py" in capsys.readouterr().err


def test_the_empty_class_is_told_kindly_what_to_write():
    text = str(check(1, Empty))
    assert "WRITE NEXT: `__init__(self, data)`, which keeps the number as `self.data`" in text
