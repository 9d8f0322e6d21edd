"""How many steps a second the playground takes in Chromium, each with all of its pictures.

`python -m tests.benchmarks.playground` prints them for a network and data of the size of
micrograd's demo, at three widths: at most as many as the browser shows pictures, usually 60. It
needs the extra `browser`.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from microgrid import MLP, datasets
from microgrid.drawing import playground
from tests.browser import browser, watched

WIDTHS = (400, 900, 1600)
ROUNDS, SECONDS = 3, 3
RATE = """async (seconds) => {
  const steps = () => Number(document.querySelector(".status").textContent.match(/step (\\d+)/)[1]);
  const [first, start] = [steps(), performance.now()];
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  return ((steps() - first) / (performance.now() - start)) * 1000;
}"""


def rates(opened: Any, path: str, width: int) -> list[float]:
    """Return the steps a second of several stretches of a run."""
    with watched(opened, viewport={"width": width, "height": 900}) as page:
        page.goto(f"file://{path}")
        page.get_by_role("button", name="Run").click()
        page.evaluate(RATE, 1)  # until it is compiled
        return [page.evaluate(RATE, SECONDS) for _ in range(ROUNDS)]


def main() -> None:
    """Print the table."""
    print(f"load at the beginning {os.getloadavg()[0]:.1f}: should be near 0")
    print("2-16-16-1, 100 points, all in a batch: at least 30 steps a second are asked")
    model = MLP(2, [16, 16, 1], seed=0)
    with tempfile.TemporaryDirectory() as folder, browser() as opened:
        path = playground(model, *datasets.moons(100)).save(f"{folder}/playground.html")
        for width in WIDTHS:
            found = rates(opened, path, width)
            print(f"{width:>6} px: {max(found):5.1f} steps a second (least {min(found):.1f})")


if __name__ == "__main__":
    main()
