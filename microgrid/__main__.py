"""The command line: train three small networks and draw what they learned."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from . import MLP, Value, accuracy, datasets, fit, losses, metrics, no_grad, optim, schedules
from .files import require_writable
from .fitting.task import Loss
from .guards.checks import integer_from
from .guards.commands import Parser, exit_code
from .history import History

PROGRAM = "python -m microgrid"
DESCRIPTION = """Train a network on the moons, one on the penguins and one on handwritten digits,
and draw what they learn: the boundary between the moons and the graph of a neuron, the answers to
the digits and the weights that give them, and the curves of all trainings. It takes some seconds
with the extra `compile`, which trains natively; without it, the digits take about half a minute."""
PICTURES = {
    "moons": ("moons-boundary.png", "moons-curves.png", "neuron.svg"),
    "penguins": ("penguins-curves.png",),
    "digits": (
        *("digits-curves.png", "digits-answers.png", "digits-confusion.png"),
        "digits-weights.png",
    ),
}
EPOCHS = {"moons": 40, "penguins": 40, "digits": 8}
BATCH = 25
RATE = 0.02

Rows = list[list[float]]


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
    parser = Parser(prog=PROGRAM, description=DESCRIPTION)
    parser.add_argument(
        "--data", choices=list(EXAMPLES), help="train on this alone (default: on all)"
    )
    parser.add_argument(
        "--epochs",
        type=_whole(1),
        metavar="N",
        help=f"rounds of training (default: {EPOCHS['moons']}; {EPOCHS['digits']} on the digits)",
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
            raise argparse.ArgumentTypeError(f"must be {integer_from(least)}, got {text!r}")
        return int(text)

    return convert


def _learn_moons(options: argparse.Namespace, pictures: list[Path]) -> None:
    from .drawing import draw, plot_decision_boundary

    boundary, curves, neurons = PICTURES["moons"]
    X, y = datasets.moons(200, noise=0.15, seed=options.seed)
    model = MLP(2, [16, 16, 1], init="he", seed=options.seed)
    parts = datasets.split(X, y, seed=options.seed, stratify=True)
    adam = optim.Adam(model.parameters(), lr=RATE)
    history, _ = _train("moons", model, parts, losses.binary_cross_entropy, adam, options)
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
    adam = optim.Adam(model.parameters(), lr=RATE)
    history, _ = _train("penguins", model, parts, losses.cross_entropy, adam, options)
    if len(history):
        (curves,) = PICTURES["penguins"]
        _save(history.plot(), curves, options, pictures)
    _stop_if_interrupted(history)


def _learn_digits(options: argparse.Namespace, pictures: list[Path]) -> None:
    from .drawing import plot_confusion_matrix, plot_images

    curves, answers, confusion, weights = PICTURES["digits"]
    X, y = datasets.digits()
    X_train, X_test, y_train, y_test = datasets.split(X, y, seed=options.seed, stratify=True)
    parts = (_centre(X_train), _centre(X_test), y_train, y_test)
    model = MLP(64, [32, 10], init="he", seed=options.seed)
    # The decay fades what is left of the random weights where there is nothing to learn.
    adam = optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1)
    history, logits = _train(
        "digits", model, parts, losses.cross_entropy, adam, options, decays=True
    )
    if len(history):
        _save(history.plot(), curves, options, pictures)
    said = [max(range(10), key=row.__getitem__) for row in logits]
    is_right = [*map(int.__eq__, said, y_test)]
    first = sorted(range(len(said)), key=is_right.__getitem__)[:40]  # what is misread, then others
    labels = [f"{said[i]}" + f", not {y_test[i]}" * (not is_right[i]) for i in first]
    _save(plot_images([X_test[i] for i in first], labels=labels), answers, options, pictures)
    matrix = metrics.confusion_matrix(logits, y_test)
    _save(plot_confusion_matrix(matrix), confusion, options, pictures)
    hidden, output = (layer.neurons for layer in model.layers)
    spoken = [max(range(10), key=lambda k: output[k].w[j].data) for j in range(len(hidden))]
    images = plot_images([neuron.w for neuron in hidden], labels=[f"for {k}" for k in spoken])
    _save(images, weights, options, pictures)
    _stop_if_interrupted(history)


def _centre(images: Rows) -> Rows:
    return [[pixel / 8 - 1 for pixel in image] for image in images]


EXAMPLES = {"moons": _learn_moons, "penguins": _learn_penguins, "digits": _learn_digits}


def _train(
    name: str,
    model: MLP,
    parts: tuple[Rows, Rows, list[int], list[int]],
    loss: Loss,
    optimizer: optim.Optimizer,
    options: argparse.Namespace,
    decays: bool = False,
) -> tuple[History, list[Any]]:
    """Train on the rows to learn from; return how it went, and what is answered to the others."""
    X_train, X_test, y_train, y_test = parts
    epochs = options.epochs or EPOCHS[name]
    print(f"{name}: {len(X_train)} rows to learn from, {len(X_test)} held out")
    print(f"{name}: {model}, {len(model.parameters())} parameters")
    history = fit(
        model,
        X_train,
        y_train,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=BATCH,
        seed=options.seed,
        validation=(X_test, y_test),
        metrics=[accuracy],
        schedule=schedules.cosine(RATE, epochs * ceil(len(X_train) / BATCH)) if decays else None,
    )
    with no_grad():
        learned, held_out = ([model(row) for row in X] for X in (X_train, X_test))
    print(f"{name}: accuracy {accuracy(learned, y_train):.1%} on these rows, ", end="")
    print(f"{accuracy(held_out, y_test):.1%} on the held-out", end="")
    print(f" ({history.ended})" if history.ended else "")
    return history, held_out


def _stop_if_interrupted(history: History) -> None:
    if history.ended.startswith("interrupted"):
        raise KeyboardInterrupt


def _save(picture: Any, name: str, options: argparse.Namespace, pictures: list[Path]) -> None:
    pictures.append(Path(picture.save(options.out / name)))


if __name__ == "__main__":
    raise SystemExit(main())
