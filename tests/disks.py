"""Disks that are full."""

import os
from contextlib import contextmanager

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="these are POSIX's files and permissions")


@contextmanager
def limited(size):
    """Let no file grow beyond so many bytes, as if the disk were full."""
    import resource  # which Windows has not

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
