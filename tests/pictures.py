"""Makes the README's pictures: `python -m tests.pictures`. It needs the extra `browser`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from microgrid import MLP, Value, draw, explore
from microgrid.drawing import Graph
from tests.browser import browser, watched

FOLDER = Path(__file__).parent.parent / "notebooks" / "pictures"


def pictures() -> dict[str, Graph]:
    """Return the graphs of the README's examples, by the names of their files."""
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 6.5).tanh()
    loss.label = "loss"
    loss.backward()
    first = draw(loss)

    model = MLP(2, [4, 1], seed=3)
    score = model([Value(1.0, label="x.0"), Value(-2.0, label="x.1")])
    loss = (score - 1) ** 2
    loss.backward()
    network = draw(loss, names={"model": model, "score": score, "loss": loss}, depth=2)
    return {"graph.svg": first, "network.svg": network}


def main() -> None:
    """Save them, and photograph a step of a backward pass."""
    for name, graph in pictures().items():
        print(graph.save(FOLDER / name))
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    photograph(explore(a * b + a), 7, FOLDER / "steps.png")


def photograph(exploration, step, path):
    """Save what the page shows at a step, in a window of a README's width."""
    options = {"viewport": {"width": 720, "height": 600}, "device_scale_factor": 2}
    with TemporaryDirectory() as folder, browser() as opened, watched(opened, **options) as page:
        page.goto(f"file://{exploration.save(Path(folder) / 'page.html')}")
        page.locator("input[type=range]").fill(str(step))
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(500)  # until the colours have changed
        page.locator(".microgrid-explore").screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
