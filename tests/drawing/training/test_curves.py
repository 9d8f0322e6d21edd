"""The curves of a training: which there are, and what is left out."""

import math

import pytest

from microgrid.drawing import plot_history

RECORDS = [
    {"epoch": 1, "loss": 0.9, "lr": 0.1, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.4},
    {"epoch": 2, "loss": 0.5, "lr": 0.1, "accuracy": 0.7, "val_loss": 0.8, "val_accuracy": 0.5},
    {"epoch": 3, "loss": 0.3, "lr": 0.1, "accuracy": 0.9},
]


class History:
    records = RECORDS


def curves(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}


@pytest.mark.parametrize("history", [RECORDS, tuple(RECORDS), History()])
def test_a_history_has_a_panel_for_the_loss_and_for_each_metric(history):
    loss, accuracy = plot_history(history).figure.axes
    assert loss.get_ylabel() == "loss"
    assert accuracy.get_ylabel() == "accuracy"
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert curves(loss) == {
        "training": [[1, 0.9], [2, 0.5], [3, 0.3]],
        "validation": [[1, 1.0], [2, 0.8]],
    }
    assert curves(accuracy)["validation"] == [[1, 0.4], [2, 0.5]]


def test_a_loss_that_falls_far_has_a_logarithmic_axis():
    def scale(*losses):
        records = [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses)]
        return plot_history(records).figure.axes[0].get_yscale()

    assert scale(1.0, 0.1) == "linear"
    assert scale(1.0, 0.01) == "log"
    assert scale(1.0, 0.0) == "linear"
    assert scale(1.0, -5.0) == "linear"


def test_a_curve_leaves_out_what_is_no_finite_number():
    records = [{"epoch": n, "loss": loss} for n, loss in enumerate([1.0, math.nan, None, math.inf])]
    assert curves(plot_history(records).figure.axes[0]) == {"training": [[0, 1.0]]}


def test_a_metric_of_any_name_and_number_is_drawn():
    records = [{"loss": 1.0, "$\\frac$": 2.0, "val_only": 3.0, "f1": 1, "mae": 2, "note": "no"}]
    picture = plot_history(records)
    names = [axes.get_ylabel() for axes in picture.figure.axes]
    assert names == ["loss", "$\\frac$", "only", "f1", "mae"]
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="at least one epoch, got an empty history"):
        plot_history([])


def test_a_history_without_a_number_is_refused():
    with pytest.raises(ValueError, match="no loss and no metric in the records"):
        plot_history([{"epoch": 1, "lr": 0.1}])


def test_a_history_that_is_no_list_of_records_is_refused():
    with pytest.raises(TypeError, match=r"records that are dicts, got 0\.5"):
        plot_history([0.5, 0.4])
