"""The measurements of a training, epoch by epoch: to read, to print and to plot."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from html import escape
from itertools import chain, repeat
from numbers import Integral, Rational
from typing import TYPE_CHECKING, overload

from .core.sequences import as_list
from .files import write_file
from .guards.checks import is_bool, is_real, quote

if TYPE_CHECKING:
    from .drawing import Picture

__all__ = ["History", "Record"]

#: The record of an epoch, which holds numbers by name.
Record = dict[str, float]

MUST = "a history's records must be a list of dicts"


class History:
    """What a training measured: a record per epoch, in `records`, and why it ended, in `ended`.

    `history[-1]` is the last record, `history["loss"]` the list of all losses, `len(history)` the
    number of epochs that were finished.

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], history[-1]["epoch"]
    ([0.5, 0.25], 2)
    >>> print(history)
    epoch    loss
        1  0.5000
        2  0.2500
    """

    def __init__(self, records: Iterable[Record] = (), ended: str = "") -> None:
        self.records = as_list(records, MUST)
        if not isinstance(ended, str):
            raise TypeError(f"`ended` must be a string, got {quote(ended)}")
        self.ended = ended

    @property
    def records(self) -> list[Record]:
        """The records, a list of dicts."""
        records: list[Record] = vars(self)["records"]
        return records

    @records.setter
    def records(self, records: list[Record]) -> None:
        if not isinstance(records, list):
            raise TypeError(f"{MUST}, got {quote(records)}")
        for record in records:
            _require_record(record)
        vars(self)["records"] = records

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @overload
    def __getitem__(self, key: int) -> Record: ...
    @overload
    def __getitem__(self, key: str) -> list[float]: ...
    def __getitem__(self, key: int | str) -> Record | list[float]:
        if not isinstance(key, str):
            try:
                record: Record = self.records[key]
                return record
            except (IndexError, TypeError) as error:
                raise type(error)(
                    f"a history has a column for a name and {len(self)} records, counted from 0, "
                    f"got {quote(key)}"
                ) from None
        if not all(key in record for record in self.records):
            names = [k for k in self.records[0] if all(k in record for record in self.records)]
            there = ", ".join(names) or "none"
            raise KeyError(f"no column {quote(key)} in every record; there are {there}")
        return [record[key] for record in self.records]

    def to_csv(self, path: str | os.PathLike[str]) -> str:
        """Write a table with a line for each epoch, and return its path; `write_file` says how.

        For a data frame, write `pandas.DataFrame(history.records)`, or the same with Polars.

        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = History([{"epoch": 1, "loss": 0.5}]).to_csv(f"{folder}/history.csv")
        ...     print(pathlib.Path(path).read_text(), end="")
        epoch,loss
        1,0.5
        """
        text = io.StringIO()
        table = csv.DictWriter(text, self._names(), lineterminator="\n")
        table.writeheader()
        table.writerows(self.records)
        return write_file(path, text.getvalue())

    def _names(self) -> list[str]:
        for record in self.records:  # a callback may have added others
            _require_record(record)
        return list(dict.fromkeys(chain.from_iterable(self.records))) or ["epoch", "loss"]

    def plot(self) -> Picture:
        """Return a picture of the curves; it needs the extra `train`.

        >>> History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]).plot()
        Picture(4.5 x 3 inches)
        """
        from .drawing import plot_history

        return plot_history(self)

    def __repr__(self) -> str:
        """Show a table, of the first and last epochs only where there are many."""
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in cells]
        return "\n".join([*lines, f"ended: {self.ended}"] if self.ended else lines)

    def _repr_html_(self) -> str:
        # a notebook's own table, in the theme's own colours; marimo leaves no room between columns
        head, *rows = [
            "".join(f'<{kind} style="padding: 0 0.5em">{escape(cell)}</{kind}>' for cell in row)
            for kind, row in zip(chain(["th"], repeat("td")), self._cells(), strict=False)
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        ended = f"<caption>ended: {escape(self.ended)}</caption>" if self.ended else ""
        return f"<table>{ended}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self) -> list[list[str]]:
        """Return the table's lines, the names first; with many epochs, the first and the last."""
        names = self._names()
        rows = [{name: _cell(x) for name, x in record.items()} for record in self.records]
        cells = [names] + [[row.get(name, "") for name in names] for row in rows]
        if len(cells) > 21:
            cells[11:-10] = [["…"] * len(names)]
        return cells


def _require_record(record: object) -> None:
    if not isinstance(record, dict):
        raise TypeError(f"a history's records must be dicts, got {quote(record)}")
    for name in record:
        if not isinstance(name, str):
            raise TypeError(f"a history's columns must have strings for names, got {quote(name)}")


def _cell(x: object) -> str:
    """Return the text of a number in the table; anything else is shown as in errors."""
    if isinstance(x, Rational) or not is_real(x):
        return quote(int(x) if isinstance(x, Integral) and is_real(x) and not is_bool(x) else x)
    number = float(x)
    return f"{number:.4f}" if number == 0 or 1e-3 <= abs(number) < 1e5 else f"{number:.2e}"
