"""A kernel in loops: its stages as functions, where the straight-line form would be long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ...core.primitive import CONSTANT, Primitive
from ..loops.families import NO_USE, SHARED, SUMMED, WRITTEN, Families, Uses, find_families
from ..loops.partition import recurs
from ..loops.stages import Stage, find_places, find_stages
from ..passes import divide, lists_of
from ..program import Draft, Program, find_shared
from .emitter import LLVMEmitter
from .machine import Machine
from .nests import LoopEmitter, OnceStage, Places, RowStage, SumStage
from .text import KernelText

__all__ = ["LoopText", "text_of"]

MANY = 16  # columns
COPY = Primitive.named("argument")


def text_of(
    program: Program,
    shared_inputs: Collection[int],
    written: Sequence[int],
    totals: Sequence[int],
    machine: Machine,
) -> KernelText | LoopText:
    """Return the IR of a kernel: in loops over families where they pay, else step by step.

    What recurs is written step by step: there a turn is a stretch of steps, and no family.

    The arguments are those of `KernelText`.
    """
    given = program, shared_inputs, written, totals
    found = None if recurs(program, shared_inputs) else _find(*given)
    return LoopText(*given, machine, found) if found else KernelText(*given, machine)


def _find(
    program: Program,
    shared_inputs: Collection[int],
    written: Sequence[int],
    totals: Sequence[int],
    anyway: bool = False,
) -> Families | None:
    """Return the families of a kernel; None where loops do not pay."""
    is_shared = find_shared(program, shared_inputs)
    program = divide(program, trees_alone=True)
    whole, uses = _copy_outputs(program, is_shared, written, totals)
    return find_families(whole, uses, shared_inputs, anyway)


def _copy_outputs(
    program: Program, is_shared: Sequence[bool], written: Sequence[int], totals: Sequence[int]
) -> tuple[Program, Uses]:
    """Return a program of which no slot is two of the outputs asked for, and what slots are.

    What is written or added up for each row must be a step of rows. What is added up is computed
    for that alone, as its loop goes through all rows before the next turn.
    """
    draft = Draft(program.inputs)
    draft.steps += program.steps
    read = Counter([program.outputs[k] for k in (*written, *totals)])
    if totals:
        read.update(chain.from_iterable([xs for op, xs in draft.steps if op is not CONSTANT]))
    kinds = [NO_USE] * (len(is_shared) + len(written) + len(totals))
    places = [0] * len(kinds)
    for kind, positions in ((WRITTEN, written), (SUMMED, totals)):
        for place, k in enumerate(positions):
            slot = program.outputs[k]
            is_free = slot >= draft.first and not is_shared[slot] and kinds[slot] == NO_USE
            if kind == SUMMED and is_free:
                is_free = read[slot] == 1 and not lists_of(*draft.steps[slot - draft.first])[0]
            if not is_free:
                slot = draft.append(COPY, (slot,))
            kinds[slot], places[slot] = kind, place
    return draft.program(program.outputs), Uses(kinds, places, len(is_shared))


class LoopText:
    """The IR of a kernel in loops, and what its caller has to know: see `KernelText`.

    Args:
        program: what to compute.
        shared_inputs: the slots of the inputs that have one number for all rows.
        written: the positions of the outputs to write for each row.
        totals: the positions of the outputs to add up over the rows.
        machine: what to make code for.
        found: the families of the program; found here, even where loops do not pay, if None.
    """

    lane_totals = 0  # a stage adds to the sums itself

    def __init__(
        self,
        program: Program,
        shared_inputs: Collection[int],
        written: Sequence[int],
        totals: Sequence[int],
        machine: Machine,
        found: Families | None = None,
    ) -> None:
        found = found or _find(program, shared_inputs, written, totals, anyway=True)
        assert found
        self.program, self.machine = program, machine
        self.written, self.totals = list(written), list(totals)
        shared = set(shared_inputs)
        self.columns = [slot for slot in range(len(program.inputs)) if slot not in shared]
        # turns of a loop read many columns, which may be anywhere: side by side they are quicker
        self.packs = len(self.columns) >= MANY
        self.stages = find_stages(found.families)
        bases, self.room = find_places(self.stages, set(program.outputs), True, len(shared))
        scratch, size = find_places(self.stages, set(), False, 0)
        # blocks an even number of lines apart would meet in the same places of a cache
        self.scratch_size = size | 1
        self.places = Places({SHARED: 0, **bases}, scratch, self.scratch_size, found.constants)
        self.shared_places = {slot: i for i, slot in enumerate(sorted(shared))}
        for family in found.families:
            if family.number in bases:
                self.shared_places |= {
                    slot: bases[family.number] + i for i, slot in enumerate(family.slots)
                }
        self.once = [f"once{i}" for i, stage in enumerate(self.stages) if stage.is_shared]
        self.parts = [f"rows{i}" for i, stage in enumerate(self.stages) if not stage.is_shared]

    def number_of(self, k: int, shared: NDArray[np.float64]) -> float:
        """Return output k, which all rows share, from the array of shared numbers after a call."""
        slot = self.program.outputs[k]
        constant = self.program.constant_at(slot)
        return float(shared[self.shared_places[slot]]) if constant is None else constant

    def ir(self) -> str:
        """Return the IR."""
        declared: dict[str, str] = {}
        functions = [self._function(i, stage, declared) for i, stage in enumerate(self.stages)]
        if any("@constants" in function for function in functions):
            constant = LLVMEmitter(self.machine, 1, {}).constant
            numbers = [f"double {constant(x)}" for x in self.places.constants]
            array = f"[{len(numbers)} x double] [{', '.join(numbers)}]"
            functions.insert(0, f"@constants = internal constant {array}")
        return "\n".join([*declared.values(), *functions])

    def _function(self, number: int, stage: Stage, declared: dict[str, str]) -> str:
        """Return the function of a stage."""
        if stage.is_shared:
            emitter = LoopEmitter(self.machine, 1, declared)
            return OnceStage(self.places, stage, emitter, f"once{number}").function()
        emitter = LoopEmitter(self.machine, self.machine.width, declared)
        kind = SumStage if stage.is_sum else RowStage
        return kind(self.places, stage, emitter, f"rows{number}").function()
