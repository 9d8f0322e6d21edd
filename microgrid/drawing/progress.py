"""The progress bar of a training, in a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tqdm import tqdm

__all__ = ["Bar"]


class Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A bar over the steps of a training, that shows the last epoch's loss and metrics."""

    def __init__(self, steps: int) -> None:
        super().__init__(
            total=steps,
            file=sys.stdout,  # notebooks show tqdm's own choice, stderr, in red
            dynamic_ncols=True,
            desc="epoch 1",
            # a narrow screen cuts the end off: what one wants to know comes first
            bar_format="{desc}{postfix} |{bar:10}| {elapsed}<{remaining}",
        )

    def show(self, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        """Show an epoch's record."""
        self.set_description_str(f"epoch {epoch}/{epochs}", refresh=False)
        hidden = ("epoch", "lr")
        self.set_postfix(
            {name: f"{value:.3g}" for name, value in record.items() if name not in hidden}
        )
