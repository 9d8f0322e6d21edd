"""The command line: train two small networks and draw what they learned."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import MLP, Value, accuracy, datasets, fit, losses, no_grad, optim
from .files import require_writable
from .guards.commands import Parser, exit_code
from .history import History

PROGRAM = "python -m microgrid"
PICTURES = {
    "moons": ("moons-boundary.png", "moons-curves.png", "neuron.svg"),
    "penguins": ("penguins-curves.png",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code.

    >>> main(["--data", "sheep"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    return exit_code(PROGRAM, lambda: _command(arguments))


def _command(arguments: Sequence[str] | None) -> int:
    options = _options(arguments)
    pictures: list[Path] = []
    try:
        for example in [options.data] if options.data else EXAMPLES:
            EXAMPLES[example](options, pictures)
    finally:
        if pictures:
            print(f"\npictures in {options.out}:")
            print(*[f"  {picture.name}" for picture in pictures], sep="\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog=PROGRAM,
        description="Train a network on the moons and one on the penguins, and draw the boundary "
        "between the moons, the curves of both trainings, and the graph of a neuron.",
    )
    parser.add_argument(
        "--data", choices=list(EXAMPLES), help="train on this alone (default: on both)"
    )
    parser.add_argument(
        "--epochs", type=_whole(1), default=40, metavar="N", help="rounds of training (default: 40)"
    )
    parser.add_argument(
        "--seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="seed of data and weights (default: 0)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("microgrid-out"),
        metavar="FOLDER",
        help="where the pictures go (default: microgrid-out)",
    )
    options = parser.parse_args(arguments)
    try:
        for example in [options.data] if options.data else EXAMPLES:
            for name in PICTURES[example]:
                require_writable(options.out / name)
    except OSError as error:
        parser.error(f"cannot write {error.filename!r}: {error.strerror}")
    try:
        from .drawing import draw, plot_history  # noqa: F401  (what fails is known before training)
    except ImportError as error:
        parser.error(str(error))
    return options


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"must be a whole number, at least {least}, got {text!r}"
            )
        return int(text)

    return convert


def _learn_moons(options: argparse.Namespace, pictures: list[Path]) -> None:
    from .drawing import draw, plot_decision_boundary

    boundary, curves, neurons = PICTURES["moons"]
    X, y = datasets.moons(200, noise=0.15, seed=options.seed)
    model = MLP(2, [16, 16, 1], init="he", seed=options.seed)
    parts = datasets.split(X, y, seed=options.seed, stratify=True)
    history = _train("moons", model, parts, losses.binary_cross_entropy, options)
    _save(plot_decision_boundary(model, X, y), boundary, options, pictures)
    if len(history):
        _save(history.plot(), curves, options, pictures)
    _stop_if_interrupted(history)

    neuron = model.layers[0].neurons[0]
    output = neuron([Value(x, label=f"x.{i}") for i, x in enumerate(X[0])])
    neuron.zero_grad()
    output.backward()
    try:
        _save(draw(output, names=neuron), neurons, options, pictures)
    except RuntimeError as error:  # no layout engine
        print(f"neuron: as DOT text, since {error}")
        _save(draw(output, names=neuron), "neuron.dot", options, pictures)


def _learn_penguins(options: argparse.Namespace, pictures: list[Path]) -> None:
    data = datasets.penguins()
    print(f"penguins: {data.dropped} rows left out, which lack measurements")
    X_train, X_test, y_train, y_test = datasets.split(
        data.X, data.y, seed=options.seed, stratify=True
    )
    scaler = datasets.StandardScaler().fit(X_train)
    parts = scaler.transform(X_train), scaler.transform(X_test), y_train, y_test
    model = MLP(4, [8, 3], activation="tanh", init="xavier", seed=options.seed)
    history = _train("penguins", model, parts, losses.cross_entropy, options)
    if len(history):
        (curves,) = PICTURES["penguins"]
        _save(history.plot(), curves, options, pictures)
    _stop_if_interrupted(history)


EXAMPLES = {"moons": _learn_moons, "penguins": _learn_penguins}


def _train(
    name: str,
    model: MLP,
    parts: tuple[list[list[float]], list[list[float]], list[int], list[int]],
    loss: Callable[[Any, Any], Any],
    options: argparse.Namespace,
) -> History:
    X_train, X_test, y_train, y_test = parts
    print(f"{name}: {len(X_train)} rows to learn from, {len(X_test)} held out")
    print(f"{name}: {model}, {len(model.parameters())} parameters")
    history = fit(
        model,
        X_train,
        y_train,
        loss=loss,
        optimizer=optim.Adam(model.parameters(), lr=0.02),
        epochs=options.epochs,
        batch_size=25,
        seed=options.seed,
        validation=(X_test, y_test),
        metrics=[accuracy],
    )
    with no_grad():
        learned, held_out = [
            accuracy([model(row) for row in X], y)
            for X, y in [(X_train, y_train), (X_test, y_test)]
        ]
    print(f"{name}: accuracy {learned:.1%} on these rows, {held_out:.1%} on the held-out", end="")
    print(f" ({history.ended})" if history.ended else "")
    return history


def _stop_if_interrupted(history: History) -> None:
    if history.ended.startswith("interrupted"):
        raise KeyboardInterrupt


def _save(picture: Any, name: str, options: argparse.Namespace, pictures: list[Path]) -> None:
    pictures.append(Path(picture.save(options.out / name)))


if __name__ == "__main__":
    raise SystemExit(main())
