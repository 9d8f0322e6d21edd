"""What a gradient check found, as records and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .differences import KINK, LOSES, NOISY, OUTSIDE, RIGHT, WRONG, Finding

__all__ = ["BY_SEVERITY", "DerivativeVerdict", "GradientReport"]

BY_SEVERITY = (RIGHT, KINK, LOSES, NOISY, OUTSIDE, WRONG)
SHOWN = 10  # derivatives in an error: a model has hundreds
HEAD = ("derivative", "mode", "verdict", "claimed", "measured", "left", "right", "remainder")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DerivativeVerdict:
    """What was found about one derivative as one mode computes it.

    `kind` is "right", "wrong", "at a kink", "loses digits", "outside the domain" or "too noisy to
    tell". `claimed` is the library's number, None where it raises. `measured` is the slope found by
    differences over `step` and more, to within `bound`; `left` and `right` are the one-sided
    slopes, which a table shows where they differ. The Taylor remainder falls as the step to the
    power `decay`: 2 or more if right, 1 if wrong, None if it is all rounding. `note` says why,
    where the numbers do not.
    """

    derivative: str
    input: str
    order: int
    mode: str
    kind: str
    claimed: float | None = None
    measured: float | None = None
    bound: float | None = None
    left: float | None = None
    right: float | None = None
    decay: float | None = None
    step: float | None = None
    note: str = ""

    @property
    def finding(self) -> Finding:
        """What differences say, without what was claimed."""
        return Finding(
            self.kind, self.measured, self.bound, self.left, self.right, self.decay, self.step
        )


@dataclass(frozen=True)
class GradientReport:
    """The verdicts of a gradient check, one for each derivative and mode; as a string, a table.

    >>> from microgrid.testing import check_gradients
    >>> report = check_gradients(lambda x, y: x * y, 2.0, 3.0, modes=["reverse"])
    >>> [(verdict.input, verdict.kind, verdict.claimed) for verdict in report]
    [('x', 'right', 3.0), ('y', 'right', 2.0)]
    """

    function: str
    verdicts: tuple[DerivativeVerdict, ...]
    blame: str = ""

    def __len__(self) -> int:
        return len(self.verdicts)

    def __iter__(self) -> Iterator[DerivativeVerdict]:
        return iter(self.verdicts)

    def __getitem__(self, i: int) -> DerivativeVerdict:
        return self.verdicts[i]

    def __str__(self) -> str:
        return self._text(self.verdicts, len(self))

    @property
    def wrong(self) -> tuple[DerivativeVerdict, ...]:
        """The verdicts on what is wrong."""
        return tuple([verdict for verdict in self if verdict.kind == WRONG])

    def failure(self) -> str:
        """Return the text of the error: what is wrong, and what is to blame.

        >>> verdict = DerivativeVerdict(
        ...     "∂f/∂x", "x", 1, "reverse", "wrong", claimed=2, measured=3, bound=0.1)
        >>> print(GradientReport("f", (verdict,)).failure())
        gradients of f: 1 wrong
        <BLANKLINE>
        derivative  mode     verdict  claimed  measured
        ∂f/∂x       reverse  wrong    2        3 ± 1e-01
        """
        return self._text(self.wrong, SHOWN)

    def _text(self, verdicts: Sequence[DerivativeVerdict], most: int) -> str:
        kinds = Counter([kind for _, kind in {(v.derivative, v.kind) for v in self}])
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in BY_SEVERITY[::-1] if kinds[kind])
        rows = _merge_modes([_row(verdict) for verdict in verdicts])
        lines = [f"gradients of {self.function}: {counts}", "", *_table([HEAD, *rows[:most]])]
        if len(rows) > most:
            lines.append(f"… and {len(rows) - most} more")
        notes = {verdict.note: None for verdict in verdicts}
        for paragraph in (*notes, self.blame):
            lines += ["", paragraph] if paragraph else []
        return "\n".join(lines)


def _row(verdict: DerivativeVerdict) -> Row:
    measured, left, right = verdict.measured, verdict.left, verdict.right
    has_one = measured is not None and verdict.bound is not None
    return (
        verdict.derivative,
        verdict.mode,
        verdict.kind,
        _text_of(verdict.claimed),
        f"{_text_of(measured)} ± {verdict.bound:.0e}" if has_one else "-",
        *["-" if has_one else _text_of(slope) for slope in (left, right)],
        "-" if verdict.decay is None else f"h^{verdict.decay:.2f}",
    )


def _text_of(x: float | None) -> str:
    return "-" if x is None else f"{x:.8g}"


def _merge_modes(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with modes that read the same in one."""
    modes: dict[Row, list[str]] = {}
    for derivative, mode, *rest in rows:
        modes.setdefault((derivative, *rest), []).append(mode)
    return [(derivative, ", ".join(found), *rest) for (derivative, *rest), found in modes.items()]


def _table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table, without the columns that say nothing."""
    columns = [column for column in zip(*rows, strict=True) if {*column[1:]} != {"-"}]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
