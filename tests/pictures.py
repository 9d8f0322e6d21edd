"""Makes the README's pictures: `python -m tests.pictures`."""

from pathlib import Path

from microgrid import MLP, Value, draw
from microgrid.drawing import Graph

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
    """Save them."""
    for name, graph in pictures().items():
        print(graph.save(FOLDER / name))


if __name__ == "__main__":
    main()
