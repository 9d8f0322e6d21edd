"""Makes the README's pictures: `python -m tests.pictures`."""

from pathlib import Path

from microgrid import MLP, Value, draw

FOLDER = Path(__file__).parent.parent / "notebooks" / "pictures"


def main() -> None:
    """Draw the README's examples."""
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 6.5).tanh()
    loss.label = "loss"
    loss.backward()
    print(draw(loss).save(FOLDER / "graph.svg"))

    model = MLP(2, [4, 1], seed=3)
    score = model([Value(1.0, label="x.0"), Value(-2.0, label="x.1")])
    loss = (score - 1) ** 2
    loss.backward()
    names = {"model": model, "score": score, "loss": loss}
    print(draw(loss, names=names, depth=2).save(FOLDER / "network.svg"))


if __name__ == "__main__":
    main()
