"""What the command lines share: an error in one line, and the exit codes that shells know."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

__all__ = ["Parser", "exit_code", "silent_stdout"]

FAILED = 2
INTERRUPTED, NOT_READ = 130, 141  # as if SIGINT or, after `| head`, SIGPIPE had ended it


class Parser(argparse.ArgumentParser):
    """A parser of arguments whose errors are one line; argparse would print the usage as well."""

    def error(self, message: str) -> NoReturn:
        """Leave with one line on stderr and exit code 2."""
        self.exit(FAILED, f"{self.prog}: error: {message} (see --help)\n")


def exit_code(program: str, command: Callable[[], int]) -> int:
    """Run a command and return its exit code: 2 if a file, or what it prints, cannot be written.

    >>> exit_code("python -m an.example", lambda: 0)
    0
    """
    try:
        try:
            return command()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except OSError as error:
        what = str(error)
        if error.filename is None:
            what = f"cannot print: {error.strerror}"
            _leave_stdout()
        if isinstance(error, BrokenPipeError):
            return NOT_READ
        _complain(f"{program}: error: {what}")
        return FAILED


@contextmanager
def silent_stdout() -> Iterator[None]:
    """Discard what is printed meanwhile, by whatever way: by `print`, by C or by a child."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _complain(line: str) -> None:
    with suppress(OSError):
        print(line, file=sys.stderr)


def _leave_stdout() -> None:
    """Discard what is still to be printed; at its end Python would try, and complain."""
    with suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
