"""Files are whole, or as they were: on a full disk, after Ctrl-C or a kill, to who reads them."""

import ast
import errno
import functools
import importlib
import inspect
import io
import itertools
import os
import pkgutil
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import NoneType

import pytest

import microgrid
from microgrid import MLP, Value, draw, explore, files, fit, losses, optim
from microgrid.datasets import moons
from microgrid.drawing import BoundaryMovie, LivePlot, formula_page, playground, plot_history
from microgrid.drawing.training import live
from microgrid.files import require_writable, write_file
from tests.disks import limited, posix
from tests.interrupts import failing, in_files_of, one_of_each_line, signalled, spread, traversed
from tests.search import LONG
from tests.threads import in_a_thread

PACKAGE = Path(microgrid.__file__).parent
OLD, NEW = b"as it was", bytes(range(256)) * 40
X, Y = moons(8, seed=0)


def film():
    model, movie = MLP(2, [1], seed=0), BoundaryMovie(X, Y, resolution=3)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    options = {"loss": losses.binary_cross_entropy, "optimizer": sgd, "compile": False}
    fit(model, X, Y, epochs=2, callbacks=[movie], **options)
    return movie


SAVED = {  # all that has `save`, by the suffixes of its files
    "Graph": (lambda: draw(Value(2.0, label="x").exp()), ["svg", "png", "dot"]),
    "Exploration": (lambda: explore(Value(2.0, label="x").exp()), ["html"]),
    "FormulaPage": (lambda: formula_page("x**2"), ["html"]),
    "Picture": (lambda: plot_history([{"loss": 1.0}, {"loss": 0.5}]), ["png", "svg", "pdf"]),
    "Playground": (playground, ["html"]),
    "BoundaryMovie": (film, ["gif"]),
}
FILES = [(name, suffix) for name, (_, suffixes) in SAVED.items() for suffix in suffixes]
every_file = pytest.mark.parametrize(("name", "suffix"), FILES)


@pytest.fixture(scope="module")
def things():
    return {name: make() for name, (make, _) in SAVED.items()}


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- one way to write files


def classes_of(name):
    """Return the classes of a module; of one that needs an extra that is not there, none."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.startswith("microgrid"):
            raise
        return set()
    return {x for x in vars(module).values() if inspect.isclass(x)}


def test_whatever_can_be_saved_is_known_here():
    modules = [
        module.name
        for module in pkgutil.walk_packages([str(PACKAGE)], "microgrid.")
        if not module.name.endswith("__main__")
    ]
    classes = set().union(*map(classes_of, modules))
    found = {
        x.__name__
        for x in classes
        for name in ("save", "render", "write_html", "to_html", "to_json", "dump")
        if getattr(getattr(x, name, None), "__module__", "").startswith("microgrid")
    }
    assert found - {"Page"} == set(SAVED)  # what all pages have in common is none itself


WRITES = {"write_text", "write_bytes", "mkstemp", "tofile", "savez"}
WRITES_OF = {("os", "replace"), ("os", "rename"), ("json", "dump"), ("pickle", "dump")}


def writes(call):
    """Return whether a call opens or writes a file, as far as one sees."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name == "open":
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        texts = [{*str(x.value)} for x in given if isinstance(x, ast.Constant)]
        return any(text <= {*"rwxabt+"} and text & {*"wxa+"} for text in texts)
    owner = getattr(getattr(call.func, "value", None), "id", "")
    return name in WRITES or (owner, name) in WRITES_OF


def test_no_other_file_of_the_package_writes_files():
    named = re.compile("|".join(["open", *WRITES, *(name for _, name in WRITES_OF)]))
    found = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if named.search(text := file.read_text(encoding="utf-8"))  # as most need not be parsed
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and writes(node)
    }
    assert found == {"files.py", "guards/commands.py"}  # which opens the null device


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open(path)", False),
        ("open(path, 'rb')", False),
        ("path.open(encoding='utf-8')", False),
        ("open(path, 'w')", True),
        ("path.open('ab')", True),
        ("open(path, mode='r+')", True),
        ("os.replace(a, b)", True),
        ("text.replace(a, b)", False),
        ("path.write_bytes(content)", True),
        ("json.dump(state, file)", True),
    ],
)
def test_a_call_that_writes_is_seen(code, expected):
    assert writes(ast.parse(code).body[0].value) == expected


@pytest.fixture(scope="module")
def opened():
    """Return a list of the paths that were opened to be written, which grows until it is None."""
    paths = []

    def note(event, arguments):  # for as long as the process lives
        if event == "open" and paths is not None and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            paths.append(str(arguments[0]))

    sys.addaudithook(note)
    yield paths
    paths = None


@pytest.mark.dot
@every_file
def test_while_it_is_saved_only_a_file_beside_is_opened(name, suffix, things, opened, tmp_path):
    path = tmp_path / f"a.{suffix}"
    assert things[name].save(path) == str(path)
    mine = [Path(other) for other in opened if other.startswith(str(tmp_path))]
    assert mine
    for other in mine:
        assert other.parent == tmp_path
        assert other.name.startswith(f".a.{suffix}.{os.getpid()}-")
        assert other.suffix == ".tmp"
    assert entries(tmp_path) == [path.name]


# ---- what a file keeps


@posix
def test_a_new_file_has_the_permissions_that_open_would_give(tmp_path):
    for mask in (0o022, 0o077, 0o002):
        before = os.umask(mask)
        try:
            write_file(tmp_path / "a", NEW)
            (tmp_path / "b").write_bytes(NEW)
        finally:
            os.umask(before)
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
        assert modes[0] == modes[1]
        (tmp_path / "a").unlink()
        (tmp_path / "b").unlink()


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_keeps_its_permissions_and_its_owner(mode, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(OLD)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    path.chmod(mode)
    before = path.stat()
    write_file(path, NEW)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        *(before.st_mode, before.st_uid, before.st_gid),
    )
    assert path.read_bytes() == NEW


@contextmanager
def without_privileges():
    """Be nobody, if we are root, whom no permission stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_what_may_not_be_written_is_not_replaced(locked, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a"
    path.write_bytes(OLD)
    for place in tmp_path, *tmp_path.parents[:3]:
        if place.name:
            place.chmod(place.stat().st_mode | 0o111)
    folder.chmod(0o777 if locked == "file" else 0o555)
    path.chmod(0o444 if locked == "file" else 0o666)
    with without_privileges():
        for refuse in (require_writable, lambda path: write_file(path, NEW)):
            with pytest.raises(PermissionError, match="write it where you are allowed to") as told:
                refuse(path)
            assert told.value.filename == str(path)
    assert path.read_bytes() == OLD
    folder.chmod(0o777)
    assert entries(folder) == ["a"]


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(there, tmp_path):
    target = tmp_path / "deep" / "target"
    target.parent.mkdir()
    if there:
        target.write_bytes(OLD)
    (tmp_path / "second").symlink_to("deep/target")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    assert write_file(tmp_path / "first", NEW) == str(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert target.read_bytes() == NEW
    assert entries(tmp_path / "deep") == ["target"]


@posix
def test_a_pipe_and_a_device_are_written_to_as_they_are(tmp_path):
    pipe, device = tmp_path / "pipe.svg", tmp_path / "null.svg"
    os.mkfifo(pipe)
    device.symlink_to(os.devnull)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    require_writable(pipe)
    write_file(pipe, NEW)
    reader.join()
    assert read == [NEW]
    write_file(device, NEW)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@posix
def test_what_the_shell_has_opened_is_written_to_in_its_place(tmp_path):
    """`> all.txt` gets what is written to /dev/stdout, and what is printed after it."""
    code = (
        "import sys; from microgrid.files import write_file; write_file('/dev/stdout', 'whole. ')\n"
        "print('then.', file=open('/dev/stdout', 'a'))"
    )
    out = tmp_path / "all.txt"
    with out.open("wb") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
        assert os.path.samestat(os.fstat(file.fileno()), out.stat())
    assert out.read_text() == "whole. then.\n"


def test_text_is_utf8_and_a_path_may_be_text(tmp_path):
    assert write_file(str(tmp_path / "a"), "∂\n") == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == "∂\n".encode()


# ---- where nothing can be written


@posix
def test_on_a_full_disk_a_file_is_as_it_was_whatever_still_fits(tmp_path):
    path, tried = tmp_path / "a", 0
    for old in (None, OLD):
        if old:
            path.write_bytes(old)
        for size in sorted({*range(0, len(NEW), 1 if LONG else 997), len(NEW) - 1}):
            with limited(size), pytest.raises(OSError, match="make room, or write it else") as told:
                write_file(path, NEW)
            assert told.value.filename == str(path)
            assert (path.read_bytes() if path.exists() else None) == old
            assert entries(tmp_path) == ["a"] * bool(old)
            tried += 1
    with limited(len(NEW)):
        write_file(path, NEW)
    assert path.read_bytes() == NEW
    print(f"{tried} disks of another size")


@posix
@pytest.mark.dot
@every_file
def test_on_a_full_disk_whatever_is_saved_is_as_it_was(name, suffix, things, tmp_path):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(OLD)
    with limited(50), pytest.raises(OSError, match="File too large; make room") as told:
        things[name].save(path)
    assert (told.value.errno, told.value.filename) == (errno.EFBIG, str(path))
    assert path.read_bytes() == OLD
    assert entries(tmp_path) == [path.name]


@posix
def test_a_device_that_is_full_is_told_by_its_name(tmp_path):
    if not os.path.exists("/dev/full"):
        return  # on macOS
    (tmp_path / "a.dot").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device; make room.*a\.dot"):
        draw(Value(1.0)).save(tmp_path / "a.dot")


SMALL = """
import os, sys
from microgrid.files import write_file
path = sys.argv[1] + "/a"
write_file(path, b"as it was")
refused = 0
for size in range(1000, 200_000, 3000):
    try:
        write_file(path, bytes(size))
        before = size
    except OSError as error:
        refused += 1
        assert "No space left" in str(error) and error.filename == path, error
        assert os.path.getsize(path) == before
    assert os.listdir(sys.argv[1]) == ["a"]
assert refused > 10
print(refused, "files did not fit")
"""


@posix
def test_on_a_small_file_system_a_file_is_as_it_was(tmp_path):
    """Where the system lets us make one; the limit of a file's size, above, it always has."""
    (tmp_path / "small").mkdir()
    shell = 'mount -t tmpfs -o size=64k none small && exec "$0" -c "$1" small'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell]
    command = [*alone, sys.executable, SMALL]
    with suppress(FileNotFoundError):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)
        assert "Traceback" not in done.stderr


def wrong_places(folder):
    """Return paths at which no file can be, and what is said of each."""
    (folder / "file").write_bytes(OLD)
    (folder / "folder.svg").mkdir()
    (folder / "circle.svg").symlink_to("circle.svg")
    return {
        "folder.svg": (IsADirectoryError, "name a file inside that folder"),
        "file/a.svg": (OSError, "a file stands in the place of its folder"),
        "file/deep/a.svg": (OSError, "a file stands in the place of its folder"),
        f"{'x' * 300}.svg": (OSError, "give it a shorter name"),
        f"new/{'x' * 300}.svg": (OSError, "give it a shorter name"),
        "circle.svg": (OSError, "symbolic links"),
        "/proc/no process/a.svg": (OSError, "a.svg'$"),
        "a\0.svg": (ValueError, "no file can have the path .*x00.svg': .*embedded null"),
        "\ud800.svg": (ValueError, r"no file can have the path .*\\ud800.svg'"),
    }


@posix
@pytest.mark.parametrize("place", range(9))
def test_where_no_file_can_be_it_is_said_before_anything_is_drawn(place, tmp_path, monkeypatch):
    name, (error, message) = [*wrong_places(tmp_path).items()][place]
    path = os.path.join(tmp_path, name)
    graph = draw(Value(1.0))
    monkeypatch.setattr(type(graph), "pipe", lambda *_, **__: pytest.fail("it is drawn"))
    for refuse in (
        *(require_writable, graph.save, lambda path: graph.render(outfile=path)),
        *(lambda path: LivePlot(path=path), lambda path: write_file(path, NEW)),
    ):
        with pytest.raises(error, match=message) as told:
            refuse(path)
        assert "\n" not in str(told.value)
        if error is not ValueError:
            assert told.value.filename == path
    assert (tmp_path / "file").read_bytes() == OLD
    assert {*entries(tmp_path)} <= {"file", "folder.svg", "circle.svg", "new"}


@pytest.mark.parametrize(
    "path", [5, None, b"a.svg", True, ["a.svg"], io.BytesIO()], ids=lambda x: type(x).__name__
)
def test_what_is_no_path_is_refused_by_name(path, things):
    saves = [thing.save for name, thing in things.items() if path is not None or name != "Graph"]
    for refuse in (*saves, require_writable, lambda path: write_file(path, NEW)):
        with pytest.raises(TypeError, match=r"`\w+` must be a path, such as '.*', got .* \("):
            refuse(path)
    if path is not None:
        with pytest.raises(TypeError, match="`filename` must be a path"):
            draw(Value(1.0)).render(outfile=path)
        with pytest.raises(TypeError, match="`path` must be a path"):
            LivePlot(path=path)


@pytest.mark.parametrize("content", [None, 5, {"w": 1.0}, ["a"]])
def test_what_is_no_content_is_refused_and_nothing_is_written(content, tmp_path):
    with pytest.raises(TypeError, match="`content` must be text or bytes, got"):
        write_file(tmp_path / "a", content)
    with pytest.raises(ValueError, match="surrogates"):
        write_file(tmp_path / "a", "\ud800")
    assert entries(tmp_path) == []


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    for name in ("x" * 251 + ".svg", "∂" * 83 + ".svg", "😀" * 62 + ".svg"):
        write_file(tmp_path / name, NEW)
    assert len(entries(tmp_path)) == 3


def test_where_readers_stand_in_the_way_it_waits_a_little(tmp_path, monkeypatch):
    """As on Windows, where who reads a file keeps others from replacing it."""
    path, waited = tmp_path / "a", []
    path.write_bytes(OLD)
    replace = os.replace

    def held(source, place):
        if len(waited) < patience:
            raise PermissionError(errno.EACCES, "it is being read", str(source))
        replace(source, place)

    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr(files, "WAITS", (0.01, 0.02))
    monkeypatch.setattr(files.time, "sleep", waited.append)
    patience = 3
    with pytest.raises(PermissionError, match=r"it is being read; write it where .*a'"):
        write_file(path, NEW)
    assert path.read_bytes() == OLD
    waited.clear()
    patience = 2
    write_file(path, NEW)
    assert waited == [0.01, 0.02]
    assert path.read_bytes() == NEW
    assert entries(tmp_path) == ["a"]


# ---- at any moment


def laws_hold(path, old, new):
    """A file is the old one or the new one, and beside it there is nothing."""
    content = path.read_bytes() if path.exists() else None
    assert content in (old, new)
    assert entries(path.parent) == [path.name] * (content is not None)
    return content == new


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, OLD], ids=["new", "old"])
def test_an_exception_at_any_line_leaves_the_old_file_or_the_new_one(old, error, tmp_path):
    path, outcomes = tmp_path / "a", []
    watched = in_files_of(files, contextmanager)
    for line in itertools.count():
        path.unlink(missing_ok=True)
        if old:
            path.write_bytes(old)
        write = functools.partial(write_file, path, NEW)
        run = in_a_thread(lambda write=write, line=line: failing(write, line, watched, error))
        outcomes.append(laws_hold(path, old, NEW))
        if run.points <= line:
            break
        assert type(run.error) is error
    assert outcomes == sorted(outcomes)
    assert sum(outcomes) < len(outcomes) / 2
    print(f"{line} exceptions, {sum(outcomes) - 1} after the file was moved")


def test_an_exception_at_any_line_of_the_question_leaves_nothing(tmp_path):
    ask, watched = functools.partial(require_writable, tmp_path / "a"), in_files_of(files)
    for line in itertools.count():
        run = in_a_thread(lambda line=line: failing(ask, line, watched, MemoryError))
        assert entries(tmp_path) == []
        if run.points <= line:
            break
    assert line > 20
    print(f"{line} exceptions")


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 traces instructions from the next call on"
)
def test_ctrl_c_at_any_instruction_once_and_twice_leaves_the_old_file_or_the_new_one(tmp_path):
    path, outcomes = tmp_path / "a", []
    watched = in_files_of(files, contextmanager)
    write = functools.partial(write_file, path, NEW)
    count = traversed(write, watched, "opcode")
    for point in spread(count):
        for points in ({point}, {point, point + 1}, {point, point + 20}):
            path.write_bytes(OLD)
            try:
                error = signalled(write, points, watched, "opcode").error
            except KeyboardInterrupt as second:  # it came when the first had left the function
                error = second
            assert type(error) is KeyboardInterrupt
            outcomes.append(laws_hold(path, OLD, NEW))
    assert {*outcomes} == {True, False}
    print(f"{len(outcomes)} signals and pairs, {sum(outcomes)} when the file was begun")


@pytest.mark.dot
@pytest.mark.parametrize(
    ("name", "suffix"), [*FILES[:-1], pytest.param(*FILES[-1], marks=pytest.mark.slow)]
)
def test_an_exception_at_any_line_of_a_save_leaves_whole_files(name, suffix, things, tmp_path):
    path = tmp_path / f"a.{suffix}"
    save = functools.partial(things[name].save, path)

    def watched(code):
        return code.co_filename.startswith(str(PACKAGE))

    uncut = failing(save, -1, watched, MemoryError)
    begins = path.read_bytes()[:4]
    path.write_bytes(OLD)
    points = one_of_each_line(uncut, 5)
    if suffix == "gif":  # each takes seconds, as all of matplotlib is looked at
        points = points[:: max(1, len(points) // 8)]
    for point in points:
        assert type(failing(save, point, watched, MemoryError).error) in (MemoryError, NoneType)
        content = path.read_bytes()
        assert content == OLD or content.startswith(begins)
        assert entries(tmp_path) == [path.name]
    print(f"{len(points)} exceptions in {uncut.points} lines")


KILLED = """
import os, random, signal, sys, time
from microgrid.files import write_file

folder, times = sys.argv[1], int(sys.argv[2])
path, contents = f"{folder}/a", [bytes([i]) * 200_000 for i in range(4)]
write_file(path, contents[0])
damaged, left, seen = 0, 0, set()
for i in range(times):
    child = os.fork()
    if child == 0:
        while True:
            i += 1
            write_file(path, contents[i % 4])
    time.sleep(random.expovariate(50))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(path, "rb") as file:
        content = file.read()
    damaged += content not in contents
    seen.add(content)
    for name in set(os.listdir(folder)) - {"a"}:
        assert name.startswith(f".a.{child}-") and name.endswith(".tmp"), name
        left += 1
        os.unlink(f"{folder}/{name}")
print(f"{times} kills, {damaged} files damaged, {len(seen)} contents, {left} left beside")
assert not damaged
"""


@posix
def test_a_kill_leaves_a_whole_file(tmp_path):
    times = 200 if LONG else 20
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


ENDS = {"dot": b"}\n", "html": b"</html>\n", "svg": b"</svg>\n", "png": b"IEND\xaeB`\x82"} | {
    "pdf": b"%%EOF\n",
    "gif": b";",
}


def kill_saves(folder, times):
    """Kill a process that saves one thing again and again: each so many times, at any moment."""
    damaged = left = replaced = 0
    for name, suffix in FILES:
        thing, path = SAVED[name][0](), Path(folder, f"a.{suffix}")
        thing.save(path)
        for _ in range(times):
            before = path.stat().st_ino
            child = os.fork()
            while child == 0:
                thing.save(path)
            time.sleep(random.uniform(0, 0.25))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            damaged += not path.read_bytes().endswith(ENDS[suffix])
            replaced += path.stat().st_ino != before
            for other in Path(folder).glob(f".{path.name}.{child}-*.tmp"):
                left += 1
                other.unlink()
        path.unlink()
    print(f"{times * len(FILES)} kills, {damaged} files damaged, {replaced} replaced, {left} left")
    assert damaged == 0
    assert os.listdir(folder) == []


@posix
@pytest.mark.dot
@pytest.mark.slow  # 25 seconds
def test_a_kill_leaves_whole_whatever_is_saved(tmp_path):
    code = f"from tests.test_files import kill_saves; kill_saves({str(tmp_path)!r}, 20)"
    options = {"cwd": PACKAGE.parent, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([sys.executable, "-c", code], **options)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def polled(path):
    """Give a list of the different contents that are read from a file again and again."""
    seen, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            with suppress(FileNotFoundError):
                content = path.read_bytes()
                if content not in seen[-1:]:
                    seen.append(content)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        stop.set()
        reader.join()


def test_who_reads_meanwhile_sees_whole_files_alone(tmp_path):
    contents = [bytes([i]) * 300_000 for i in range(4)]
    with polled(tmp_path / "a") as seen:
        for i in range(100):
            write_file(tmp_path / "a", contents[i % 4])
    assert {*seen} <= {*contents}
    assert len(seen) > 10
    print(f"{len(seen)} files read")


def test_threads_that_write_one_file_leave_one_of_theirs(tmp_path):
    contents = [bytes([i]) * 100_000 for i in range(6)]
    errors = []

    def write(content):
        try:
            for _ in range(10):
                write_file(tmp_path / "new" / "a", content)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (tmp_path / "new" / "a").read_bytes() in contents
    assert entries(tmp_path / "new") == ["a"]


# ---- the live plot


def trained(*callbacks, epochs=4):
    model = MLP(2, [1], seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    options = {"loss": losses.binary_cross_entropy, "optimizer": sgd, "compile": False}
    return model, fit(model, X, Y, epochs=epochs, callbacks=callbacks, progress=False, **options)


def test_who_reads_the_live_plots_file_sees_whole_pictures_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0)
    with polled(tmp_path / "live.png") as seen:
        trained(LivePlot(path=tmp_path / "live.png", every=0), epochs=4)
    assert len(seen) > 2
    for content in seen:
        assert content.startswith(b"\x89PNG")
        assert content.endswith(b"IEND\xaeB`\x82")
    assert entries(tmp_path) == ["live.png"]
    print(f"{len(seen)} pictures read")


def test_a_live_plot_that_cannot_write_is_refused_before_the_first_step(tmp_path):
    folder = tmp_path / "folder"
    plot = LivePlot(path=folder / "live.png")
    folder.rmdir()
    folder.write_bytes(OLD)
    stepped = []
    with pytest.raises(OSError, match=r"a file stands in the place of its folder: '.*live\.png'"):
        trained(lambda model, history: stepped.append(history), plot)
    assert stepped == []


@posix
def test_a_disk_that_gets_full_costs_the_picture_alone(tmp_path):
    path = tmp_path / "live.png"

    def fill(model, history):
        if len(history) == 2:
            resources.enter_context(limited(50))

    plain, history = trained()
    message = r"stopped after epoch 4.*room.*live\.png"
    with pytest.warns(RuntimeWarning, match=message) as told, ExitStack() as resources:
        model, seen = trained(LivePlot(path=path), fill)
    assert len(told) == 1
    assert model.state_dict() == plain.state_dict()
    assert seen.records == history.records
    assert path.read_bytes().endswith(b"IEND\xaeB`\x82")


def test_a_picture_that_ctrl_c_kept_from_being_drawn_is_drawn_at_the_end(tmp_path, monkeypatch):
    draw_picture, drawn = LivePlot._picture, []

    def interrupt(plot, model, history):
        drawn.append(len(history))
        if len(drawn) == 1:
            raise KeyboardInterrupt
        return draw_picture(plot, model, history)

    monkeypatch.setattr(LivePlot, "_picture", interrupt)
    _, history = trained(LivePlot(path=tmp_path / "a.png"))
    assert history.ended.startswith("interrupted")
    assert drawn == [1, 1]
    assert entries(tmp_path) == ["a.png"]
