"""A path through a graph in words: its nodes, their modules, and by which operands it goes.

The middle of long paths is left out, but never where two of them part: no two texts are equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ...derivatives.paths import Path
from ...engine import Value
from ..labels import columns, isolate, number_text

__all__ = ["places_to_show", "words_of", "wrap"]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def places_to_show(paths: Sequence[Path], most: int) -> list[list[int]]:
    """Return the places of the nodes to show of each path.

    They are those where it parts from another, and, up to `most` of them, those at both its ends.
    """
    return [
        _fill(forks, len(path.nodes), most)
        for forks, path in zip(_forks(paths), paths, strict=True)
    ]


def _forks(paths: Sequence[Path]) -> list[set[int]]:
    """Return for each path the places at which others first part from it."""
    places: list[set[int]] = [set() for _ in paths]
    groups = [([*range(len(paths))], 1)]
    while groups:
        group, at = groups.pop()
        while len(group) > 1:
            ways = defaultdict(list)
            for i in group:
                path = paths[i]
                ways[id(path.nodes[at]), path.places[at - 1]].append(i)
            if len(ways) > 1:
                for i in group:
                    places[i].add(at)
                groups += [(same, at + 1) for same in ways.values()]
                break
            at += 1
    return places


def _fill(forks: set[int], length: int, most: int) -> list[int]:
    shown = forks | {0, length - 1}
    for i in range(1, length // 2 + 1):
        for place in (i, length - 1 - i):
            if len(shown) < most and 0 <= place < length:
                shown.add(place)
        if len(shown) >= most:
            break
    # a gap of one node is filled: the words that stand for a gap take as much room
    return [i for i in range(length) if i in shown or {i - 1, i + 1} <= shown]


def words_of(
    path: Path,
    places: Sequence[int],
    names: Mapping[Value, str],
    operations: Mapping[Value, str],
    homes: Mapping[Value, str],
) -> tuple[list[str], list[str]]:
    """Return the words for the nodes of a path at those places, and the factors that lead there.

    `operations` has what stands beside a name, and `homes` the name of the module that a node is
    in, which stands where a path enters it.
    """
    words, factors, before, home = [], [], -1, ""
    for place in places:
        node, arrow = path.nodes[place], "→ "
        if place > before + 1:
            words.append(f"→ … {place - before - 1:,} more …")
            factors.append("…")
        if place:
            parent = path.nodes[place - 1]
            if sum([operand is parent for operand in node.parents]) > 1:
                arrow = f"→{str(path.places[place - 1] + 1).translate(SUBSCRIPTS)} "
            factors.append(number_text(path.factors[place - 1]))
        name = isolate(names[node])
        entered = homes.get(node, "")
        if entered and entered != home and not names[node].startswith(f"{entered}."):
            words.append(f"{arrow}{entered}:")
            arrow = ""
        operation = f"({operations[node]})" if node in operations and place else ""
        words.append(f"{arrow * bool(place)}{name}{operation}")
        before, home = place, entered
    return words, factors or ["1"]


def wrap(words: Iterable[str], room: int) -> list[str]:
    """Return lines of at most so many columns, except for a single word that is longer."""
    lines: list[str] = []
    for word in words:
        if lines and columns(lines[-1]) + 1 + columns(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
