"""The progress bar of a training, in a terminal or a notebook."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from tqdm import tqdm

from ...guards.interrupts import uninterrupted

__all__ = ["ProgressBar"]


class ProgressBar(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A bar over the steps of numbered epochs, which shows the last one's loss and metrics.

    It is not interrupted: that would leave the lock held that all bars of a process share.
    """

    if sys.platform == "emscripten":
        monitor_interval = 0  # no thread can start there, of which tqdm would warn, in red

    def __init__(self, numbers: range, steps: int) -> None:
        self.last = numbers[-1]
        super().__init__(
            total=steps,
            file=sys.stdout,  # notebooks show tqdm's own choice, stderr, in red
            dynamic_ncols=True,
            desc=f"epoch {numbers[0]}/{self.last}",
            bar_format="{desc}{postfix} |{bar}| {remaining}",
        )

    def show(self, epoch: int, record: Mapping[str, float]) -> None:
        """Show an epoch's loss and metrics: two, and as many more as leave room for the bar."""
        with uninterrupted():
            self._show(epoch, record)

    def update(self, steps: float = 1) -> None:
        """Show that steps were taken."""
        with uninterrupted():
            super().update(steps)

    def close(self) -> None:
        """End the line."""
        with uninterrupted():
            super().close()

    def _show(self, epoch: int, record: Mapping[str, float]) -> None:
        self.set_description_str(f"epoch {epoch}/{self.last}", refresh=False)
        shown = [f"{name}={x:.3g}" for name, x in record.items() if name not in ("epoch", "lr")]
        room = shutil.get_terminal_size().columns - len(self.desc) - len(" |0123456789| 00:00")
        while len(shown) > 2 and len(", ".join(["", *shown])) > room:
            shown.pop()
        self.set_postfix_str(", ".join(shown))
