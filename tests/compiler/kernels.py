"""The ways in which a kernel is written: all of them compute the same bits of the same program."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from microgrid.compiler.ir.loops import LoopText
from microgrid.compiler.ir.text import KernelText
from microgrid.compiler.loops import partition, repeats
from microgrid.compiler.native.kernel import ArrayKernel


def straight(*arguments: Any, **options: Any) -> ArrayKernel:
    """Return a kernel in which every step of the program is written out."""
    with patch.object(partition, "find_repeats", lambda *_: []):
        return ArrayKernel(*arguments, write=KernelText, **options)


def in_turns(*arguments: Any, **options: Any) -> ArrayKernel:
    """Return a kernel in which what repeats is a loop, however little that saves."""
    with patch.object(repeats, "STEP_SCALE", repeats.STEP_SCALE._replace(least=8, many=6)):
        return ArrayKernel(*arguments, write=KernelText, **options)


def in_families(*arguments: Any, **options: Any) -> ArrayKernel:
    """Return a kernel in which steps that are alike are a loop, even if there are few."""
    return ArrayKernel(*arguments, write=LoopText, **options)
