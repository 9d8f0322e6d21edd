"""A plan as DOT text.

Every piece has an id and classes, which are the same in the SVG, for what is built on it:

| id | class | is |
|---|---|---|
| `n7` | `value`, and `leaf`, `constant` or `inner`; `root` | the value at place 7 |
| `n7op` | `operation` | the operation that makes it |
| `n7from0` | `operand` | the edge from its operand 0 to the operation |
| `n7out` | `result` | the edge from the operation to it |
| `n7again0` | `again`, and `leaf`, `constant` or `inner` | operand 0 again, that is drawn far off |
| `n7p0` | `value inner` | product 0 of a `dot` that is spelled out; it has its own `n7p0op` … |
| `m3` | `module` | the frame, or the box, of a module |
| `m3from0` | `operand` | the edge to the box from operand 0 of the module |
| `n7opmore`, `m3more` | `more` | stands for the operands that are left out |
| `n7uses` | `more` | stands for the operations on it that are left out |

Places count in the topological order of the whole graph, even if only a part of it is drawn. What
is highlighted has the class `chosen` as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence, Set
from itertools import chain, pairwise
from typing import NamedTuple

from ...core.primitive import add, multiply
from ...engine import Value
from ...functional import hypot, logsumexp_, max_, min_, prod_, sum_
from ..colours import ColourScale, Derivative
from ..layout import turns_frames
from .modules import Block
from .plan import Junction, Plan, far_operands
from .styles import (
    CHOSEN,
    MORE,
    MORE_EDGE,
    Look,
    again_look,
    attributes,
    box_look,
    frame_look,
    operand_look,
    operation_look,
    pin,
    plain_operand_look,
    value_look,
)

__all__ = ["DotWriter", "Scene"]

SYMMETRIC = {add, multiply, sum_, prod_, max_, min_, hypot, logsumexp_}  # of operands in any order


SIDES = {"LR": "w", "RL": "e", "TB": "n", "BT": "s"}  # of an operation, where operands come in


class Scene(NamedTuple):
    """A plan, and what there is to say of its values.

    `ids`, `names` and `frames` are those of values, of which some were `given` their names; `path`
    is what to highlight.
    """

    plan: Plan
    ids: Mapping[Value, str]
    names: Mapping[Value, str]
    given: Container[Value]
    frames: Mapping[Value, Block | None]
    roots: Set[Value]
    path: Sequence[Value]
    rankdir: str


class DotWriter:
    """Writes what is shown of a scene: values and junctions as nodes, edges, frames of modules.

    Without `derivatives`, these stand in the tooltips alone.
    """

    def __init__(self, scene: Scene, shown: Set[Value], derivatives: bool) -> None:
        self.plan, self.names, self.roots = scene.plan, scene.names, scene.roots
        self.ids, self.frames = dict(scene.ids), dict(scene.frames)
        self.given, self.rankdir = scene.given, scene.rankdir
        self.shown, self.derivatives = shown, derivatives
        self.far = far_operands(self.plan, shown)
        for value, junction in self.plan.junctions.items():
            for place, product in enumerate(junction.products):
                self.ids[product] = f"{scene.ids[value]}p{place}"
                self.frames[product] = scene.frames.get(value)
        self.scale = ColourScale(value.grad for value in shown if not value.is_constant)
        self.lit = _links(scene.path, self.plan)
        self.chosen = {*scene.path, *self.lit, *chain.from_iterable(self.lit.values())}
        self.nodes: dict[Block | None, list[list[str]]] = {None: []}  # outside, and in each frame
        self.edges: list[str] = []

    def write(self) -> list[str]:
        """Return the lines of DOT text, nodes before edges."""
        written = set()
        for value in self.plan.values:
            if value not in self.shown:
                continue
            self._write_value(value)
            if junction := self.plan.junctions.get(value):
                if id(junction) not in written:
                    written.add(id(junction))
                    self._write_junction(junction)
                look = {"class": "result"} | self._line(value, value.grad)
                name = self.ids[value]
                self._edge(self._id(junction), name, f"{name}out", look, value in self.lit)
        self._write_uses()
        blocks = sorted(filter(None, self.nodes), key=lambda block: -block.depth)
        turned = self._frames_to_turn(blocks)
        for block in blocks:
            pieces = self.nodes[block][::-1] if block in turned else self.nodes[block]
            inside = [f"graph [{attributes(frame_look(block))}]", *chain.from_iterable(pieces)]
            self.nodes[block.parent].append(
                [f"subgraph cluster_{block.name} {{", *(f"\t{x}" for x in inside), "}"]
            )
        return [*chain.from_iterable(self.nodes[None]), *self.edges]

    def _frames_to_turn(self, blocks: Sequence[Block]) -> Set[Block]:
        """Return the frames whose inside the engine draws in the opposite order.

        Measured, in versions 2.43 and 16.1: where something comes after a model whose modules are
        boxes, all do so with arrows to the side, except for frames whose boxes take what comes from
        outside of the model, as those of its first layer; and with arrows up or down none does.
        """
        boxes = [junction for junction in self.plan.junctions.values() if junction.block]
        goes_on = any(self.frames.get(root) is None for root in self.roots)
        if not (boxes and goes_on):
            return {*blocks} if blocks and turns_frames(self.rankdir) else set()
        if self.rankdir in ("TB", "BT"):
            return set()
        of_first = [box for box in boxes if not any(map(self.frames.get, box.operands))]
        return {*blocks} - {box.block.parent for box in of_first if box.block}

    def _write_value(self, value: Value) -> None:
        ground = None if value.is_constant else self.scale.ground(value.grad)
        look = value_look(
            value, self.names.get(value, ""), value in self.given, value in self.roots, ground
        )
        self._node(value, self.ids[value], look, value in self.chosen)

    def _write_junction(self, junction: Junction) -> None:
        """Write an operation or a box, and the edges to it."""
        name, result = self._id(junction), junction.results[0]
        members = junction.inside or {result}
        if junction.made is not None:
            looks = self._operand_looks(junction.made, result)
            look = operation_look(junction.made, len(junction.operands), self.rankdir)
            self._node(result, name, look, result in self.lit)
        else:
            looks = [plain_operand_look() for _ in junction.operands]
            look = box_look(junction, self.scale.largest > 0, self.rankdir)
            self._node(result, name, look, not members.isdisjoint(self.chosen))
        lit = {operand for member in members for operand in self.lit.get(member, ())}
        left_out, whole = 0, name.removesuffix("op")
        again: dict[Value, str] = {}
        for place, (operand, look) in enumerate(zip(junction.operands, looks, strict=True)):
            if operand not in self.shown:
                left_out += 1
                continue
            tail = self.ids[operand]
            if (result, operand) in self.far:
                if operand not in again:
                    again[operand] = f"{whole}again{place}"
                    shown_again = again_look(operand, self.names.get(operand, ""))
                    self._node(result, again[operand], shown_again, operand in lit)
                tail = again[operand]
            head = f"{name}:{pin(place, len(junction.operands))}:{SIDES[self.rankdir]}"
            self._edge(tail, head, f"{whole}from{place}", look, operand in lit)
        if left_out:
            self._stub(result, f"{name}more", left_out)
            self.edges.append(f"{name}more -> {name} [{attributes(MORE_EDGE)}]")

    def _operand_looks(self, made: Value, result: Value) -> list[Look]:
        try:
            partials: tuple[Derivative | Exception, ...] = made.partials()
        except Exception as error:  # of a user's primitive, which is drawn all the same
            partials = (error,) * len(made.parents)
        called = self.names.get(result, "result")
        # a dot product's many numbers would lie on top of each other
        numbered = 1 < len(partials) <= 3 and made.op not in SYMMETRIC
        looks = []
        for place, (operand, partial) in enumerate(zip(made.parents, partials, strict=True), 1):
            shown_place = place if numbered else None
            if operand.is_constant:  # which is never asked for a gradient
                looks.append(plain_operand_look(shown_place))
                continue
            share = self._share(result, partial)
            what = f"∂{called}/∂{self.names.get(operand, f'operand {place}')}"
            look = operand_look(what, partial, share, shown_place) | self.scale.line(share)
            if not self.derivatives:
                del look["label"]
            looks.append(look)
        return looks

    def _share(self, result: Value, partial: Derivative | Exception) -> Derivative:
        """Return what an edge brings back of the result's gradient, None if that is unknown."""
        if not self.scale.largest or partial is None or isinstance(partial, Exception):
            return None
        try:
            share: Derivative = result.grad * partial
        except ArithmeticError:  # of Fractions and floats, which are beyond these
            return None
        return share

    def _line(self, value: Value, gradient: Derivative) -> Look:
        return {} if value.is_constant else self.scale.line(gradient)

    def _write_uses(self) -> None:
        """Write a stub at each value with operations on it that are left out."""
        junctions = {id(junction): junction for junction in self.plan.junctions.values()}.values()
        uses = Counter(
            operand
            for junction in junctions
            if self.shown.isdisjoint(junction.results)
            for operand in junction.operands
            if operand in self.shown
        )
        for value, count in uses.items():
            name = f"{self.ids[value]}uses"
            self._stub(value, name, count)
            self.edges.append(f"{self.ids[value]} -> {name} [{attributes(MORE_EDGE)}]")

    def _stub(self, beside: Value, name: str, count: int) -> None:
        self._node(beside, name, {"label": f"… {count:,} more", **MORE}, lit=False)

    def _id(self, junction: Junction) -> str:
        return junction.block.name if junction.block else f"{self.ids[junction.results[0]]}op"

    def _node(self, value: Value, name: str, look: Look, lit: bool) -> None:
        """Write a node into the frame of a value."""
        block = frame = self.frames.get(value)
        while frame not in self.nodes:  # nor need the frames around it be there
            self.nodes[frame] = []
            frame = frame.parent if frame else None
        self.nodes[block].append([f"{name} [{attributes(_highlight(look, lit) | {'id': name})}]"])

    def _edge(self, tail: str, head: str, name: str, look: Look, lit: bool) -> None:
        self.edges.append(f"{tail} -> {head} [{attributes(_highlight(look, lit) | {'id': name})}]")


def _highlight(look: Look, lit: bool) -> Look:
    return {**look, **CHOSEN, "class": f"{look['class']} chosen"} if lit else look


def _links(path: Sequence[Value], plan: Plan) -> dict[Value, list[Value]]:
    """Return the operands of each value that a path, in either direction, goes through."""
    links = defaultdict(list)
    for pair in pairwise(path):
        for operand, result in (pair, pair[::-1]):
            if operand in {*result.parents}:  # by identity
                links[result].append(operand)
                for product in plan.junctions[result].products if result in plan.junctions else ():
                    if operand in {*product.parents}:
                        links[result].append(product)
                        links[product].append(operand)
    return dict(links)
