"""A kernel in loops: its stages as functions, where the straight-line form would be long."""

from __future__ import annotations

from ..loops.families import SHARED, Families
from ..loops.rolling import families_of
from ..loops.stages import find_places, find_stages, group_turns
from ..program import Goal
from .emitter import LLVMEmitter
from .machine import Machine
from .nests import Places, write_stages
from .text import FunctionsText, KernelText

__all__ = ["LoopText", "text_of"]

MANY = 16  # columns
MOST_STRAIGHT = 5000  # operands written one by one: a quarter of a second to compile


def text_of(goal: Goal, machine: Machine) -> FunctionsText:
    """Return the IR of a kernel: in loops over families where they pay, else step by step.

    A recurrence in turns of few steps is written step by step: there a turn is a stretch of steps,
    whose numbers stay in registers, instead of a few families. What is long and repeats nothing
    step by step, as the slopes of a large product, may still be few families.
    """
    found = families_of(goal)
    if not found:
        text = KernelText(goal, machine)
        if text.partition.count_straight() >= MOST_STRAIGHT:
            found = families_of(goal, plain=True)
        if not found:
            return text
    return LoopText(goal, machine, found)


class LoopText(FunctionsText):
    """The IR of a kernel's functions in loops.

    Args:
        found: the families of the program; found here, even where loops do not pay, if None.
    """

    lane_totals = 0  # a stage adds to the sums itself

    def __init__(self, goal: Goal, machine: Machine, found: Families | None = None) -> None:
        found = found or families_of(goal, anyway=True)
        assert found
        super().__init__(goal._replace(program=found.program), machine)
        shared = sorted(set(goal.shared_inputs))
        # turns of a loop read many columns, which may be anywhere: side by side they are quicker
        self.packs = len(self.columns) >= MANY
        if self.packs:  # and worth more memory, as sums then add up their lanes half as often
            self.most_blocks, self.most_bytes = 32, 2**21
        self.stages = find_stages(found.families)
        bases, self.room = find_places(self.stages, set(self.program.outputs), True, len(shared))
        scratch, size = find_places(self.stages, set(), False, 0)
        # at distances that are powers of two, blocks would share a few sets of a cache
        self.scratch_size = size | 1
        self.places = Places({SHARED: 0, **bases}, scratch, self.scratch_size, found.constants)
        self.shared_places = {slot: i for i, slot in enumerate(shared)}
        for family in found.families:
            if family.number in bases:
                self.shared_places |= {
                    slot: bases[family.number] + i
                    for slot, i in zip(family.slots, family.positions.tolist(), strict=True)
                }
        groups = group_turns(self.stages)
        self.functions = {
            f"{'once' if x[0].is_shared else 'rows'}{i}": x for i, x in enumerate(groups)
        }
        self.once, self.parts = [
            [name for name, (stage, *_) in self.functions.items() if stage.is_shared == is_shared]
            for is_shared in (True, False)
        ]

    def ir(self) -> str:
        """Return the IR."""
        declared: dict[str, str] = {}
        functions = [
            write_stages(name, stages, self.places, self.machine, declared)
            for name, stages in self.functions.items()
        ]
        if any("@constants" in function for function in functions):
            constant = LLVMEmitter(self.machine, 1, {}).constant
            numbers = [f"double {constant(x)}" for x in self.places.constants]
            array = f"[{len(numbers)} x double] [{', '.join(numbers)}]"
            functions.insert(0, f"@constants = internal constant {array}")
        return "\n".join([*declared.values(), *functions])
