"""A history is read by epoch and by column, prints as a table that fits, and plots."""

import copy
import csv
import importlib.util
import math
import pickle
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from microgrid import History
from tests.packages import package

RECORDS = [{"epoch": 1, "loss": 0.5, "lr": 0.1}, {"epoch": 2, "loss": 0.25, "lr": 0.1}]


def long(epochs):
    return History({"epoch": i, "loss": 1 / i} for i in range(1, epochs + 1))


def rows(history):
    return [line.split() for line in repr(history).splitlines()]


# ---- reading


def test_an_integer_is_an_epoch():
    history = History(RECORDS)
    assert history[0] == RECORDS[0]
    assert history[-1] == {"epoch": 2, "loss": 0.25, "lr": 0.1}
    assert history[0:1] == RECORDS[:1]


def test_a_name_is_a_column():
    history = History(RECORDS)
    assert history["loss"] == [0.5, 0.25]
    assert history["epoch"] == [1, 2]
    assert History()["loss"] == []


def test_it_has_a_length_and_is_gone_through():
    history = History(RECORDS)
    assert len(history) == 2
    assert list(history) == history.records == RECORDS
    assert (len(History()), list(History())) == (0, [])


def test_it_takes_any_iterable_and_keeps_a_list_of_its_own():
    records = [RECORDS[0]]
    history = History(record for record in records)
    other = History(records)
    records.append(RECORDS[1])
    assert len(history) == len(other) == 1


@pytest.mark.parametrize("place", [2, -3])
def test_an_epoch_that_was_not_is_an_index_error(place):
    with pytest.raises(IndexError):
        History(RECORDS)[place]


def test_an_unknown_column_is_a_key_error_that_names_those_there_are():
    with pytest.raises(KeyError, match=r"accuracy.*epoch.*loss.*lr"):
        History(RECORDS)["accuracy"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])
def test_a_copy_is_a_history_of_its_own(copied):
    history = History(RECORDS, ended="a reason")
    other = copied(history)
    assert (other.records, other.ended) == (RECORDS, "a reason")
    other.records.clear()
    assert len(history) == 2


# ---- printing


def test_a_table_has_a_line_for_the_names_and_one_for_each_epoch():
    history = History(RECORDS)
    assert repr(history) == str(history)
    assert rows(history) == [
        ["epoch", "loss", "lr"],
        ["1", "0.5000", "0.1000"],
        ["2", "0.2500", "0.1000"],
    ]


@pytest.mark.parametrize("history", [History(RECORDS), long(9), long(12345)])
def test_what_stands_in_a_column_ends_where_its_name_does(history):
    ends = [[word.end() for word in re.finditer(r"\S+", line)] for line in str(history).split("\n")]
    assert all(each == ends[0] for each in ends)


def test_the_reason_it_ended_stands_below():
    assert repr(History(RECORDS, ended="interrupted in epoch 3")).splitlines()[-1] == (
        "ended: interrupted in epoch 3"
    )


def test_an_empty_history_prints():
    assert repr(History()) == "epoch  loss"
    ended = History(ended="interrupted in epoch 1")
    assert repr(ended).splitlines() == ["epoch  loss", "ended: interrupted in epoch 1"]


@pytest.mark.parametrize("epochs", [1, 2, 19, 20])
def test_a_short_history_prints_whole(epochs):
    assert [row[0] for row in rows(long(epochs))[1:]] == [str(i + 1) for i in range(epochs)]


@pytest.mark.parametrize("epochs", [21, 22, 100, 12345])
def test_a_long_history_prints_its_first_and_last_epochs(epochs):
    shown = [row[0] for row in rows(long(epochs))[1:]]
    first, last = range(1, 11), range(epochs - 9, epochs + 1)
    assert shown == [*map(str, first), "…", *map(str, last)]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0.0000"),
        (-0.25, "-0.2500"),
        (1.0, "1.0000"),
        (0.00123456, "0.0012"),
        (0.000999, "9.99e-04"),
        (99999.0, "99999.0000"),
        (123456.0, "1.23e+05"),
        (-123456.0, "-1.23e+05"),
        (1e-300, "1.00e-300"),
        (1e300, "1.00e+300"),
        (3, "3"),
        (123456789, "123456789"),
        (True, "True"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
    ids=str,
)
def test_a_number_is_shown_in_four_digits_or_by_its_power_of_ten(number, shown):
    assert rows(History([{"epoch": 1, "what": number}]))[1] == ["1", shown]


def test_columns_are_as_wide_as_their_widest_number():
    history = History(
        {"epoch": i, "x": x, "val_accuracy": 1} for i, x in enumerate([1e-9, -123456.0, 5, 0.5])
    )
    lines = repr(history).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.endswith(" 1") for line in lines[1:]] == [True] * 4
    assert lines[2].startswith("    1  -1.23e+05  ")


def test_records_with_other_columns_print():
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.5, "accuracy": 0.75}])
    assert rows(history) == [
        ["epoch", "loss", "accuracy"],
        ["1", "0.5000"],
        ["2", "0.5000", "0.7500"],
    ]
    assert rows(History([{"a": 1}, {"b": 2}])) == [["a", "b"], ["1"], ["2"]]


def test_a_column_must_be_in_every_record():
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "accuracy": 0.75}])
    for name in ("loss", "accuracy", "x"):
        with pytest.raises(KeyError, match=f"no column '{name}' in every record; there are epoch"):
            history[name]


@pytest.mark.parametrize("wrong", [None, 5, "ab", [None], [5], ["ab"], [{1: 2.0}]], ids=repr)
def test_records_are_a_list_of_dicts_by_name(wrong):
    history = History(RECORDS)
    with pytest.raises(TypeError, match=r"a history's (records|columns) must .*, got"):
        history.records = wrong
    assert history.records == RECORDS
    history.records = [RECORDS[0]]
    assert history["loss"] == [0.5]


def test_a_record_that_a_callback_has_spoiled_is_named():
    history = History(RECORDS)
    history.records.append("ab")
    with pytest.raises(TypeError, match="a history's records must be dicts, got 'ab'"):
        repr(history)


# ---- plotting


needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="curves are drawn by the extra `train`"
)


@needs_matplotlib
def test_it_plots():
    picture = History(RECORDS).plot()
    assert picture._repr_png_().startswith(b"\x89PNG")


@needs_matplotlib
@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"epoch": "x", "loss": 1.0}, TypeError),
        ({"epoch": 10**400, "loss": 1.0}, TypeError),
        ({"epoch": 1, "loss": 10**400}, ValueError),
        ({"epoch": 1, "loss": "x" * 9999}, ValueError),
        ({"epoch": 1, 2: 1.0}, TypeError),
    ],
)
def test_what_cannot_be_plotted_is_shown_in_short(record, error):
    from microgrid.drawing import plot_history

    with pytest.raises(error, match=r"got .{1,200}$"):
        plot_history([record])


@needs_matplotlib
def test_an_empty_history_does_not_plot():
    with pytest.raises(ValueError, match="at least one epoch, got an empty history"):
        History().plot()


def test_without_matplotlib_plotting_says_what_to_install(monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith("microgrid.drawing.training.curves")
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'microgrid-autodiff\[train\]'"):
        History(RECORDS).plot()


# ---- elsewhere


def test_a_table_of_csv_has_all_that_was_measured(tmp_path):
    records = [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 1e-17, "say": math.inf}]
    path = History(records).to_csv(tmp_path / "new" / "history.csv")
    lines = list(csv.DictReader(Path(path).read_text().splitlines()))
    assert [{k: float(x) for k, x in line.items() if x} for line in lines] == records
    empty = History().to_csv(tmp_path / "empty.csv")
    assert Path(empty).read_text() == "epoch,loss\n"


def test_frames_are_made_of_a_history():
    pandas, polars = package("pandas"), package("polars")
    history = History(RECORDS)
    assert pandas.DataFrame(history.records).to_dict("records") == RECORDS
    assert pandas.DataFrame(history).to_dict("records") == RECORDS
    assert polars.DataFrame(history.records).to_dicts() == RECORDS


class Table(HTMLParser):
    """The cells of a table, line by line."""

    def __init__(self, text):
        super().__init__()
        self.lines = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        assert attributes in ([], [("style", "padding: 0 0.5em")])  # no colour but the theme's
        if tag == "tr":
            self.lines.append([])

    def handle_data(self, text):
        (self.lines[-1] if self.lines else self.lines).append(text)


@pytest.mark.parametrize("epochs", [0, 3, 20, 50])
def test_a_notebook_shows_the_table_that_is_printed(epochs):
    shown = Table(long(epochs)._repr_html_()).lines
    assert shown == rows(long(epochs))


def test_a_notebook_shows_names_as_they_are_and_why_it_ended():
    shown = Table(History([{"<b>": 1.0}], ended="<script>")._repr_html_()).lines
    assert shown == ["ended: <script>", ["<b>"], ["1.0000"]]
