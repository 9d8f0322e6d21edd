"""The command line, as a person meets it."""

import os
import re
import subprocess
import sys

import pytest

from microgrid.__main__ import main
from microgrid.guards.commands import exit_code
from microgrid.testing import conformance
from microgrid.testing.conformance import Report
from microgrid.testing.conformance.stages import command as command_line
from tests.disks import limited, posix


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "microgrid", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.dot
def test_the_main_job_trains_all_and_names_its_pictures(tmp_path):
    done = run("--epochs", "1", "--out", "here/pictures", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("moons", "penguins", "digits"):
        assert f"{name}: accuracy" in done.stdout
    assert "held-out" in done.stdout
    assert "pictures in here/pictures:" in done.stdout
    written = {path.name for path in (tmp_path / "here" / "pictures").iterdir()}
    assert written == {
        "moons-boundary.png",
        "moons-curves.png",
        "neuron.svg",
        "penguins-curves.png",
        "digits-curves.png",
        "digits-answers.png",
        "digits-confusion.png",
        "digits-weights.png",
    }
    assert all(name in done.stdout for name in written)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_digits_are_learned(seed, tmp_path, capsys):
    assert main(["--data", "digits", "--seed", str(seed), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert float(re.search(r"([\d.]+)% on the held-out", said)[1]) > 95


def test_one_data_set_alone_and_the_same_seed_gives_the_same_output(tmp_path, capsys):
    arguments = ["--data", "penguins", "--epochs", "2", "--seed", "3", "--out", str(tmp_path)]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert main(arguments) == 0
    assert capsys.readouterr().out == first
    assert "moons" not in first
    assert "2 rows left out" in first


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--data", "--epochs", "--seed", "--out"))
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--epochs", "0"], "--epochs: must be an integer, at least 1, got '0'"),
        (["--epochs", "many"], "--epochs: must be an integer, at least 1, got 'many'"),
        (["--seed", "-1"], "--seed"),
        (["--data", "sheep"], "invalid choice: 'sheep'"),
        (["--colour"], "unrecognized arguments: --colour"),
        (
            ["--out", "/dev/null/pictures"],
            "cannot write '/dev/null/pictures/moons-boundary.png': Not a directory",
        ),
        (["--out", sys.executable], "a file stands in the place of its folder"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(arguments, says, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_without_matplotlib_it_says_so_before_any_training(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from microgrid.__main__ import main; main([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "pip install 'microgrid-autodiff[train]'" in done.stderr


def test_ctrl_c_leaves_what_was_learned(tmp_path, capsys, monkeypatch):
    from microgrid.fitting import journal

    def interrupted(metrics, predictions, targets, **options):
        if predictions[0] is not predictions[-1]:  # it is tried out on one, many times over
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(journal, "measure", interrupted)
    assert main(["--out", str(tmp_path)]) == 130
    printed = capsys.readouterr().out
    assert "interrupted in epoch 1" in printed
    assert "moons-boundary.png" in printed
    assert "penguins" not in printed


def test_without_a_layout_engine_the_neuron_is_dot_text(tmp_path, capsys, monkeypatch):
    from microgrid.drawing import layout

    monkeypatch.setattr(layout, "find_engine", lambda: None)
    assert main(["--data", "moons", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "neuron: as DOT text, since" in capsys.readouterr().out
    assert "digraph" in (tmp_path / "neuron.dot").read_text(encoding="utf-8")
    assert not (tmp_path / "neuron.svg").exists()


PENGUINS = ("--data", "penguins", "--epochs", "1")


@posix
def test_a_picture_that_does_not_fit_is_one_line_and_exit_code_2(tmp_path, capsys):
    old = tmp_path / "penguins-curves.png"
    old.write_bytes(b"as it was")
    with limited(50):
        assert main([*PENGUINS, "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "penguins: accuracy" in out
    assert re.fullmatch(r"python -m microgrid: error: .*make room.*: '.*-curves\.png'\n", err)
    assert old.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_in_the_place_of_a_picture_is_one_line_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "moons-curves.png").mkdir()
    with pytest.raises(SystemExit) as left:
        main(["--out", str(tmp_path)])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""  # it is said before any training
    assert "moons-curves.png': Is a directory; name a file inside that folder" in err


def full():
    return os.open("/dev/full", os.O_WRONLY)


def unread():
    """Return a pipe whose reader has left, as `head` does when it has enough."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


FULL = (full, 2, "cannot print: No space left on device")
UNREAD = (unread, 141, "")


@posix
@pytest.mark.parametrize(
    ("opened", "code", "said"), [FULL, UNREAD] if os.path.exists("/dev/full") else [UNREAD]
)
def test_what_cannot_be_printed_is_one_line_and_exit_code_2(
    opened, code, said, tmp_path, monkeypatch, capsys
):
    def told(program):
        return f"python -m {program}: error: {said}\n" if said else ""

    stdout = opened()
    command = [sys.executable, "-m", "microgrid", *PENGUINS, "--out", tmp_path]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, told("microgrid"))
    with os.fdopen(stdout, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(command_line, "check", lambda engine: Report("", {}, {}, (), ()))
        assert conformance.main(["microgrid:Value"]) == code
    assert capsys.readouterr().err == told("microgrid.testing.conformance")


def test_ctrl_c_in_a_command_is_one_word_and_exit_code_130(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert exit_code("python -m an.example", interrupted) == 130
    assert capsys.readouterr().err == "interrupted\n"
