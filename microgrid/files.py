"""Files that are either whole or as they were: written beside their place, then moved into it."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from .guards.checks import quote, require_paths
from .guards.interrupts import uninterrupted

__all__ = ["require_writable", "write_file"]

# Files that a process has open: whoever reads one would not see another file put in its place.
OPEN_FILES = ("/proc/", "/dev/fd")
# Seconds: Windows does not replace a file while somebody reads it.
WAITS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32) if os.name == "nt" else ()
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, or write it elsewhere"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "write it where you are allowed to"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file stands in the place of its folder"),
    errno.EISDIR: "name a file inside that folder",
    errno.ENAMETOOLONG: "give it a shorter name",
}


def write_file(path: str | os.PathLike[str], content: str | bytes) -> str:
    """Write a file and return its path; at every moment the file is the old one or the new one.

    This holds for concurrent readers, on a full disk, and after Ctrl-C, a kill or a crash of the
    system. Text is written as UTF-8, and missing folders are made. A link stays a link, and its
    target is written; permissions are kept. A pipe or a device is written to directly.

    Raises:
        OSError: the file cannot be written, and is as it was.
        TypeError: the path is not a path, or the content is neither text nor bytes.
        ValueError: no file can have that path, or the text has no UTF-8.

    >>> import json, tempfile
    >>> from microgrid import MLP
    >>> state = MLP(2, [4, 1], seed=0).state_dict()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_file(f"{folder}/runs/weights.json", json.dumps(state))
    ...     json.loads(Path(path).read_text()) == state
    True
    """
    require_paths(path=path)
    if not isinstance(content, (str, bytes, bytearray, memoryview)):
        kind = type(content).__name__
        raise TypeError(f"`content` must be text or bytes, got {quote(content)} ({kind})")
    data = content.encode() if isinstance(content, str) else content
    try:
        place = _place(Path(path))
        if place is None:
            Path(path).write_bytes(data)
        else:
            with uninterrupted(), _beside(place) as beside:
                with open(beside, "xb") as file:
                    _keep_permissions(place, beside)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())  # or a crash might leave a new file without content
                _move(beside, place)
    except (OSError, ValueError) as error:
        raise _with_advice(error, path) from None
    return str(Path(path))


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise what `write_file` would raise, as far as can be told; missing folders are made.

    >>> require_writable(".")
    Traceback (most recent call last):
      ...
    IsADirectoryError: [Errno ...] Is a directory; name a file inside that folder: '.'
    """
    require_paths(path=path)
    try:
        place = _place(Path(path))
        if place is not None:
            with uninterrupted(), _beside(place) as beside:
                open(beside, "xb").close()
                os.unlink(beside)
    except (OSError, ValueError) as error:
        raise _with_advice(error, path) from None


def _with_advice(error: OSError | ValueError, path: str | os.PathLike[str]) -> Exception:
    """Return an error that names the path, and says what to do."""
    name = os.fspath(path)
    if isinstance(error, OSError):
        why = "; ".join(filter(None, [error.strerror, ADVICE.get(error.errno or 0)]))
        return OSError(error.errno, why, name)
    # a null character, or half a surrogate pair
    return ValueError(f"no file can have the path {name!r}: {error}")


def _place(path: Path) -> Path | None:
    """Return where the file is that a path leads to, or None if it is not a regular file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = 0  # a link may lead to where no file is yet
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    # a folder's owner may replace the files in it, also those that are read-only
    effective = os.access in os.supports_effective_ids
    if mode and not os.access(path, os.W_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if mode and not stat.S_ISREG(mode):
        return None
    while True:
        folder = os.path.realpath(path.parent)
        if mode and folder.startswith(OPEN_FILES):
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            return path
        path = folder / path.readlink()


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """Give the path of a new file in the same folder; at the end it is gone."""
    # 40 characters take 160 bytes at most, of 255 that a name may have
    path = place.with_name(f".{place.name[:40]}.{os.getpid()}-{uuid4().hex}.tmp")
    try:
        yield path
    finally:
        with suppress(OSError):  # it was moved, or never made
            os.unlink(path)


def _keep_permissions(old: Path, new: Path) -> None:
    with suppress(FileNotFoundError):
        before, now = old.stat(), new.stat()
        with suppress(
            OSError
        ):  # a file may go to another of one's groups; to another owner, root alone may give it
            if before.st_gid != now.st_gid:
                os.chown(new, -1, before.st_gid)
            if before.st_uid != now.st_uid:
                os.chown(new, before.st_uid, -1)
        if before.st_mode != now.st_mode:
            os.chmod(new, stat.S_IMODE(before.st_mode))


def _move(source: Path, place: Path) -> None:
    for seconds in WAITS:
        try:
            return os.replace(source, place)
        except PermissionError:
            time.sleep(seconds)
    return os.replace(source, place)
