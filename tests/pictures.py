"""Makes the README's pictures: `python -m tests.pictures`."""

from pathlib import Path

from microgrid import Value, draw

FOLDER = Path(__file__).parent.parent / "notebooks" / "pictures"


def main() -> None:
    """Draw the README's first example."""
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 6.5).tanh()
    loss.label = "loss"
    loss.backward()
    print(draw(loss).save(FOLDER / "graph.svg"))


if __name__ == "__main__":
    main()
