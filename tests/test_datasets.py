"""The laws of the data sets: repeatable, balanced, on their curves; and of what prepares them."""

import csv
import functools
import hashlib
import math
import random
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid import MLP, datasets, fit, losses, optim
from microgrid.datasets import (
    StandardScaler,
    batches,
    blobs,
    circles,
    digits,
    moons,
    order_of_rows,
    penguins,
    spirals,
    split,
    xor,
)

# A point on a curve is computed by one sine or cosine of an angle up to 20 and a few products.
ON_CURVE = 1e-14
# Sums of up to a few hundred standardised numbers of size about 1.
ROUNDING = 1e-12

DATA = Path(datasets.__file__).with_name("data")
DRAWN = [moons, circles, blobs, spirals, xor]
drawn = pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)


@drawn
def test_the_same_seed_gives_the_same_bits(draw):
    assert draw(50, seed=7) == draw(50, seed=7)
    assert draw(50, seed=7) == draw(50, seed=random.Random(7))


@drawn
def test_another_seed_gives_another_set(draw):
    assert draw(50, seed=7) != draw(50, seed=8)


@drawn
def test_a_generator_goes_on_where_it_was(draw):
    generator = random.Random(7)
    assert draw(50, seed=generator) != draw(50, seed=generator)


def test_the_global_generator_is_never_touched():
    before = random.getstate()
    for draw in DRAWN:
        draw(10)
    X, y = moons(10)
    split(X, y, stratify=True)
    list(batches(X, y, 3))
    assert random.getstate() == before


@drawn
@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
def test_rows_are_lists_of_floats_and_classes_are_ints(draw, n):
    X, y = draw(n)
    assert len(X) == len(y) == n
    assert {type(row) for row in X} == {list}
    assert {type(value) for row in X for value in row} == {float}
    assert {type(label) for label in y} == {int}


@drawn
@pytest.mark.parametrize("n", [4, 10, 101])
def test_classes_share_the_rows_evenly(draw, n):
    counts = Counter(draw(n)[1])
    assert sorted(counts) == list(range(len(counts)))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_blobs_and_spirals_have_as_many_classes_as_asked(classes):
    assert set(blobs(20, centers=classes)[1]) == set(range(classes))
    assert set(spirals(20, arms=classes)[1]) == set(range(classes))


@drawn
def test_classes_come_shuffled(draw):
    y = draw(60)[1]
    assert y not in (sorted(y), sorted(y, reverse=True))


def test_moons_without_noise_are_two_half_circles():
    X, y = moons(41, noise=0)
    for (x0, x1), label in zip(X, y, strict=True):
        center, side = ((0, 0), 1) if label == 0 else ((1, 0.5), -1)
        assert math.dist((x0, x1), center) == pytest.approx(1, abs=ON_CURVE)
        assert side * (x1 - center[1]) >= -ON_CURVE


def test_moons_lie_evenly_from_end_to_end():
    X, y = moons(10, noise=0)
    for label, (first, last) in enumerate([(-1, 1), (0, 2)]):
        across = sorted(row[0] for row, other in zip(X, y, strict=True) if other == label)
        steps = [first + 1 - math.cos(math.pi * i / 4) for i in range(5)]
        assert across == pytest.approx(steps, abs=ON_CURVE)
        assert across[-1] == pytest.approx(last, abs=ON_CURVE)


def test_circles_without_noise_are_two_circles_spaced_evenly():
    X, y = circles(40, noise=0, factor=0.3)
    for label, radius in enumerate([1.0, 0.3]):
        ring = [row for row, other in zip(X, y, strict=True) if other == label]
        assert [math.hypot(*row) for row in ring] == pytest.approx([radius] * 20, abs=ON_CURVE)
        turned = sorted(math.atan2(x1, x0) % math.tau * 20 / math.tau for x0, x1 in ring)
        assert sorted(round(step) % 20 for step in turned) == list(range(20))


@pytest.mark.parametrize(("arms", "turns"), [(2, 1.0), (3, 2.5), (4, 0)])
def test_spirals_without_noise_turn_in_proportion_to_the_radius(arms, turns):
    X, y = spirals(60, arms=arms, turns=turns, noise=0)
    for row, arm in zip(X, y, strict=True):
        radius = math.hypot(*row)
        t = math.tau * (turns * radius + arm / arms)
        assert 0 < radius <= 1 + ON_CURVE
        assert row == pytest.approx([radius * math.cos(t), radius * math.sin(t)], abs=ON_CURVE)


def test_xor_without_noise_is_its_truth_table_over_and_over():
    X, y = xor(40, noise=0)
    table = {(0.0, 0.0, 0): 10, (0.0, 1.0, 1): 10, (1.0, 0.0, 1): 10, (1.0, 1.0, 0): 10}
    assert Counter((*row, label) for row, label in zip(X, y, strict=True)) == table


def test_blobs_without_spread_are_their_centers():
    centers = [[1, 2, 3], [4, 5, 6]]
    X, y = blobs(10, centers=centers, spread=0)
    assert [centers[label] for label in y] == X


def test_drawn_centers_lie_in_their_square():
    X, _ = blobs(200, centers=200, spread=0)
    assert {len(row) for row in X} == {2}
    for column in zip(*X, strict=True):
        assert -10 <= min(column) < -9 < 9 < max(column) <= 10


@pytest.mark.parametrize("draw", [moons, circles, spirals, xor])
def test_noise_is_the_standard_deviation_around_the_curve(draw):
    exact, noisy = (
        [v for row in draw(4000, noise=noise, seed=1)[0] for v in row] for noise in (0, 0.2)
    )
    measured = math.dist(exact, noisy) / math.sqrt(len(exact))
    # The estimate from 8000 numbers is off by 0.8 % (one standard error); this is six of them.
    assert measured == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: moons(0), ValueError, "`n` must be an integer, at least 1, got 0"),
        (lambda: moons(10.0), TypeError, "`n` must be an integer, at least 1, got 10.0 .float."),
        (lambda: xor(True), TypeError, "`n` must be an integer, at least 1, got True .bool."),
        (lambda: moons(noise=-0.1), ValueError, "`noise` must be a finite .* got -0.1"),
        (lambda: moons(noise=math.inf), ValueError, "`noise` must be a finite number.* got inf"),
        (lambda: xor(noise=math.nan), ValueError, "`noise` must be a finite number.* got nan"),
        (lambda: moons(noise="a"), TypeError, "`noise` must be a finite number.* got 'a' .str."),
        (lambda: circles(factor=1), ValueError, "`factor` must be .* below 1, got 1"),
        (
            lambda: circles(factor=0.0),
            ValueError,
            "`factor` must be .* above 0 .* got 0.0",
        ),
        (lambda: spirals(arms=1), ValueError, "`arms` must be an integer, at least 2, got 1"),
        (lambda: spirals(turns=-1), ValueError, "`turns` must be .* at least 0, got -1"),
        (lambda: blobs(spread=-1), ValueError, "`spread` must be .* at least 0, got -1"),
        (lambda: blobs(centers=0), ValueError, "`centers` must be .* or a list of points, got 0"),
        (lambda: blobs(centers=2.5), TypeError, "`centers` must be .* a list of points, got 2.5"),
        (lambda: blobs(centers=[]), ValueError, "`centers` must have at least one row, got none"),
        (
            lambda: blobs(centers=[[]]),
            ValueError,
            "row 0 of `centers` must have at least one column",
        ),
        (lambda: blobs(centers=[1, 2]), TypeError, "row 0 of `centers` must be .* got 1"),
        (lambda: blobs(centers=[[1, 2], [3]]), ValueError, "row 1 of `centers` must have 2 col"),
        (lambda: blobs(centers=[[math.nan, 1]]), ValueError, "row 0, column 0 of `centers` must"),
        (lambda: moons(seed=-1), ValueError, "`seed` must be an integer, at least 0.* got -1"),
        (lambda: moons(seed="a"), TypeError, "`seed` must be .* got 'a'"),
        (lambda: split([1, 2], [1]), ValueError, "`X` and `y` must be of one length, got 2 and 1"),
        (lambda: split([1, 2], [1, 2], test=1), ValueError, "`test` must be .* below 1, got 1"),
        (lambda: split([1, 2], [1, 2], test="a"), TypeError, "`test` must be .* got 'a'"),
        (lambda: split([1], [1]), ValueError, "leave each part a row, got test=0.25 of 1 rows"),
        (lambda: split([1, 2], [1, 2], test=0.9), ValueError, "leave each part a row, got test=0."),
        (lambda: split([], []), ValueError, "leave each part a row, got test=0.25 of 0 rows"),
        (lambda: split([1, 2], [1, 2], seed=0.5), TypeError, "`seed` must be .* got 0.5"),
        (
            lambda: split(range(9), [5] * 8 + [6], stratify=True),
            ValueError,
            "a row of every class, got a part with none of class 6; change `test`",
        ),
        (lambda: batches([1, 2], [1], 1), ValueError, "`X` and `y` must be of one length"),
        (lambda: batches([1], [1], 0), ValueError, "`size` must be an integer, at least 1, got 0"),
        (lambda: batches([1], [1], True), TypeError, "`size` must be an integer.* got True"),
        (lambda: StandardScaler().transform([[1]]), RuntimeError, "must be fitted before use"),
        (lambda: StandardScaler().inverse_transform([[1]]), RuntimeError, "call `fit` first"),
        (lambda: StandardScaler().fit([]), ValueError, "`X` must have at least one row, got none"),
        (lambda: StandardScaler().fit([1.0]), TypeError, "row 0 of `X` must be .* got 1.0"),
        (
            lambda: StandardScaler().fit([[1, 2], [3]]),
            ValueError,
            "row 1 of `X` must have 2 columns",
        ),
        (lambda: StandardScaler().fit([[1], [math.inf]]), ValueError, "row 1, column 0 .* got inf"),
        (
            lambda: StandardScaler().fit([[1, 2]]).transform([[1, 2, 3]]),
            ValueError,
            "`X` must have the 2 columns that were fitted, got 3",
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda seed: moons(0, seed=seed),
        lambda seed: circles(noise=-1, seed=seed),
        lambda seed: blobs(0, seed=seed),
        lambda seed: blobs(spread=-1, seed=seed),
        lambda seed: split([1, 2], [1], seed=seed),
        lambda seed: batches([1, 2], [1, 2], 0, seed=seed),
    ],
)
def test_a_refused_call_draws_nothing(wrong):
    generator = random.Random(0)
    before = generator.getstate()
    with pytest.raises(ValueError, match="must be"):
        wrong(generator)
    assert generator.getstate() == before


def test_each_file_of_data_is_the_one_that_its_description_names():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    described = re.findall(r"\*\*This file.\*\* `(\S+)`[^`]*?(\d+) bytes, SHA-256\s+`(\w+)`", text)
    files = {file.name: file.read_bytes() for file in DATA.iterdir() if file.suffix != ".md"}
    assert described == [
        (name, str(len(content)), hashlib.sha256(content).hexdigest())
        for name, content in sorted(files.items(), reverse=True)
    ]


def test_data_are_read_from_within_an_archive(tmp_path):
    package = DATA.parent
    with ZipFile(tmp_path / "wheel.whl", "w") as archive:
        for file in [*package.rglob("*.py"), *DATA.iterdir()]:
            archive.write(file, file.relative_to(package.parent))
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'wheel.whl')!r})\n"
        "from microgrid import datasets\n"
        "print(datasets.__file__, *map(len, [*datasets.digits(), datasets.penguins().X]))"
    )
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    place = str(tmp_path / "wheel.whl" / "microgrid" / "datasets.py")
    assert read.stdout.split() == [place, "1797", "1797", "342"]


def test_the_penguin_file_is_whole():
    with (DATA / "penguins.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 344
    assert Counter(row["species"] for row in rows) == {
        "Adelie": 152,
        "Chinstrap": 68,
        "Gentoo": 124,
    }


def test_penguins_with_a_missing_measurement_are_dropped_and_counted():
    data = penguins()
    assert (len(data.X), len(data.y), data.dropped) == (342, 342, 2)
    assert all(len(row) == 4 and all(map(math.isfinite, row)) for row in data.X)
    counts = Counter(data.class_names[label] for label in data.y)
    assert counts == {"Adelie": 151, "Chinstrap": 68, "Gentoo": 123}


def test_penguins_of_each_species_measure_what_is_published_of_them():
    X, y, feature_names, class_names, _ = penguins()
    assert feature_names == (
        "bill_length_mm",
        "bill_depth_mm",
        "flipper_length_mm",
        "body_mass_g",
    )
    means = {
        name: [
            math.fsum(column) / len(column)
            for column in zip(
                *(row for row, label in zip(X, y, strict=True) if label == number), strict=True
            )
        ]
        for number, name in enumerate(class_names)
    }
    # The group means shown in the documentation of palmerpenguins, which rounds them.
    assert means["Adelie"] == pytest.approx([38.8, 18.3, 190.0, 3701.0], abs=0.5)
    assert means["Chinstrap"] == pytest.approx([48.8, 18.4, 195.8, 3733.0], abs=0.5)
    assert means["Gentoo"] == pytest.approx([47.5, 15.0, 217.2, 5076.0], abs=0.5)


def test_the_digits_are_whole_numbers_of_ink_and_as_many_as_published():
    X, y = digits()
    assert {len(row) for row in X} == {64}
    assert {(type(pixel), pixel) for row in X for pixel in row} == {(float, i) for i in range(17)}
    assert {type(digit) for digit in y} == {int}
    # The class distribution of the test set, in the description that UCI has of it.
    assert [y.count(digit) for digit in range(10)] == [
        *(178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    ]


@pytest.mark.parametrize("read", [digits, penguins])
def test_two_readings_share_nothing(read):
    first, again = read()[:2], read()[:2]
    first[0][0][0] = first[1][0] = -1.0
    assert again == read()[:2] != first


sizes = st.integers(min_value=4, max_value=60)
shares = st.floats(min_value=0.05, max_value=0.7)


def test_an_order_is_the_sample_of_all_rows():
    for n in [*range(20), 100, 127, 128, 129, 1000]:
        ours, pythons = random.Random(n), random.Random(n)
        assert order_of_rows(n, True, ours) == pythons.sample(range(n), n)
        assert ours.getstate() == pythons.getstate()


@given(n=sizes, test=shares, seed=st.integers(0, 99))
def test_split_is_a_partition_that_keeps_rows_and_classes_together(n, test, seed):
    X, y = [[i] for i in range(n)], [-i for i in range(n)]
    X_train, X_test, y_train, y_test = split(X, y, test=test, seed=seed)
    assert sorted(X_train + X_test) == X
    assert [[-label] for label in y_train + y_test] == X_train + X_test
    assert n * test - 1e-9 <= len(X_test) < n * test + 1


# No class is so small that its share may be none of its rows, or all of them: 7 * 0.15 >= 1.
@given(
    counts=st.lists(st.integers(7, 40), min_size=1, max_size=6),
    test=st.floats(0.15, 0.7),
    seed=st.integers(0, 99),
)
def test_a_stratified_split_gives_each_class_its_share(counts, test, seed):
    y = [label for label, count in enumerate(counts) for _ in range(count)]
    X_train, X_test, _, y_test = split(range(len(y)), y, test=test, seed=seed, stratify=True)
    assert sorted(X_train + X_test) == list(range(len(y)))
    for label, count in enumerate(counts):
        assert abs(y_test.count(label) - count * len(y_test) / len(y)) < 1
        assert 0 < y_test.count(label) < count


@pytest.mark.parametrize("stratify", [False, True])
def test_split_is_shuffled_and_repeatable(stratify):
    X, y = list(range(40)), [0] * 20 + [1] * 20
    parts = split(X, y, seed=3, stratify=stratify)
    assert parts == split(X, y, seed=random.Random(3), stratify=stratify)
    assert parts != split(X, y, seed=4, stratify=stratify)
    for part in parts:
        assert part not in (sorted(part), sorted(part, reverse=True))


@pytest.mark.parametrize("stratify", [False, True])
def test_every_row_is_as_likely_to_be_in_the_test_part(stratify):
    y, generator = [0] * 5 + [1] * 15, random.Random(0)
    seen = Counter(
        i for _ in range(2000) for i in split(range(20), y, seed=generator, stratify=stratify)[1]
    )
    # 500 of 2000 are expected, with a standard deviation of 19; this is five of them.
    assert all(abs(seen[i] - 500) < 97 for i in range(20))


def test_a_share_that_is_a_whole_number_of_rows_is_not_rounded_up():
    assert len(split(range(100), range(100), test=0.55)[1]) == 55
    assert len(split(range(10), range(10), test=0.25)[1]) == 3


def test_split_and_batches_take_whatever_is_indexed_by_row():
    numpy = pytest.importorskip("numpy")
    X, y = numpy.arange(20.0).reshape(10, 2), numpy.arange(10) % 2
    X_train, _, y_train, y_test = split(X, y, test=0.4, stratify=True)
    assert numpy.array(X_train).shape == (6, 2)
    assert y_test.count(0) == y_test.count(1) == 2
    assert [row[0] / 2 % 2 for row in X_train] == y_train
    assert sum(len(part) for part, _ in batches(tuple(X), y, 4)) == 10


def test_numpy_numbers_are_arguments_like_others():
    numpy = pytest.importorskip("numpy")
    X, y = spirals(
        numpy.int64(9), arms=numpy.int32(3), noise=numpy.float32(0.5), seed=numpy.int64(1)
    )
    assert (X, y) == spirals(9, arms=3, noise=0.5, seed=1)
    assert {type(value) for row in X for value in row} == {float}
    factor = numpy.float32(0.3)
    assert circles(9, factor=factor) == circles(9, factor=float(factor))
    turns = numpy.float32(0.3)
    assert spirals(9, turns=turns) == spirals(9, turns=float(turns))
    assert StandardScaler().fit(numpy.eye(2)).mean == [0.5, 0.5]


@given(n=st.integers(0, 50), size=st.integers(1, 60), shuffle=st.booleans())
def test_batches_hold_every_row_once(n, size, shuffle):
    parts = list(batches(range(n), [-i for i in range(n)], size, shuffle=shuffle))
    rows = [i for X, _ in parts for i in X]
    assert sorted(rows) == list(range(n))
    assert [-label for _, y in parts for label in y] == rows
    assert [len(X) for X, _ in parts[:-1]] == [size] * (len(parts) - 1)
    assert all(0 < len(X) == len(y) <= size for X, y in parts)
    assert shuffle or rows == list(range(n))


def test_a_generator_gives_batches_a_new_order_in_each_epoch_and_an_integer_does_not():
    def epoch(seed):
        return list(batches(range(20), range(20), 6, seed=seed))

    generator = random.Random(0)
    assert epoch(generator) != epoch(generator)
    assert epoch(5) == epoch(5) != epoch(6)


def test_standardised_training_columns_have_mean_0_and_variance_1():
    X, y, *_ = penguins()
    X_train, X_test, *_ = split(X, y, stratify=True)
    scaler = StandardScaler()
    for column in zip(*scaler.fit_transform(X_train), strict=True):
        assert math.fsum(column) / len(column) == pytest.approx(0, abs=ROUNDING)
        assert math.fsum(x * x for x in column) / len(column) == pytest.approx(1, abs=ROUNDING)
    assert scaler.transform(X_train) == StandardScaler().fit_transform(X_train)
    fitted = list(scaler.mean), list(scaler.scale)
    scaler.transform(X_test)
    assert (scaler.mean, scaler.scale) == fitted


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1))
def test_inverse_transform_undoes_transform(X):
    scaler = StandardScaler().fit(X)
    for row, again in zip(X, scaler.inverse_transform(scaler.transform(X)), strict=True):
        # Four roundings, of numbers up to 2e6.
        assert again == pytest.approx(row, abs=1e-8)


def test_mean_and_scale_are_exact_where_rounding_is_not_in_the_way():
    X = [[2, 1e9 + 4], [4, 1e9 + 7], [4, 1e9 + 13], [4, 1e9 + 16], [5, 1e9 + 4], [5, 1e9 + 16]]
    column = [Fraction(row[1]) for row in X]
    mean = sum(column) / 6
    variance = sum((x - mean) ** 2 for x in column) / 6
    scaler = StandardScaler().fit(X)
    assert scaler.mean == [4.0, float(mean)]
    assert scaler.scale == [1.0, math.sqrt(variance)]


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e-300, 1 / 3, 1e12 + 0.1])
@pytest.mark.parametrize("n", [1, 3, 10, 343])
def test_a_constant_column_has_scale_1_and_becomes_0(constant, n):
    scaler = StandardScaler().fit([[constant]] * n)
    assert scaler.scale == [1.0]
    assert abs(scaler.transform([[constant]])[0][0]) <= math.ulp(constant)


def test_what_a_float_cannot_hold_is_refused_and_nothing_half_fitted():
    scaler = StandardScaler().fit([[1e-300, 1.0], [2e-300, 2.0]])
    before = {name: list(numbers) for name, numbers in vars(scaler).items()}
    with pytest.raises(OverflowError, match=r"column 1 of `X` must have a sum .* up to 1e[+]308"):
        scaler.fit([[1.0, 1e308], [2.0, 1e308], [3.0, 1e308]])
    with pytest.raises(TypeError, match="row 0, column 1 of `X`"):
        scaler.fit([[1.0, "a"]])
    assert vars(scaler) == before
    with pytest.raises(OverflowError, match=r"row 1 of `X` must .*, got \[1e[+]308, 1.0\]"):
        scaler.transform([[1.0, 1.0], [1e308, 1.0]])
    with pytest.raises(OverflowError, match="row 0 of `X` must"):
        StandardScaler().fit([[1e200], [-1e200]]).inverse_transform([[1e200]])


def test_a_small_column_is_not_taken_for_a_constant():
    assert StandardScaler().fit([[1 - 1e-12], [1 + 1e-12]]).scale[0] == pytest.approx(
        1e-12, rel=1e-3
    )
    assert StandardScaler().fit([[-1e-200], [1e-200]]).scale == pytest.approx(
        [1e-200], rel=ROUNDING, abs=0
    )


# ---- labels


@given(st.lists(st.text(max_size=2) | st.sampled_from(["cat", "dog"]), max_size=12))
def test_labels_are_numbered_in_order_and_come_back(labels):
    numbers, classes = datasets.encode(labels)
    assert [classes[number] for number in numbers] == labels
    assert classes == sorted({*labels})
    assert datasets.encode(iter(labels), classes) == (numbers, classes)
    mirrored, _ = datasets.encode(labels, classes[::-1])
    assert [len(classes) - 1 - number for number in mirrored] == numbers
    assert datasets.encode(np.array(labels, object)) == (numbers, classes)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda: datasets.encode(["a", None]), "row 1 of `y` must be a label, got None; drop or"),
        (lambda: datasets.encode([1.0, math.nan]), "row 1 of `y` must be a label, got nan"),
        (
            lambda: datasets.encode(["a", "c"], ["a", "b"]),
            r"row 1 of `y` must be one of .* got 'c'",
        ),
        (
            lambda: datasets.encode(["a"], ["a", "a"]),
            "`classes` must be a list of labels, each once",
        ),
        (
            lambda: datasets.encode(["a", 1]),
            "labels must be of one kind that can be sorted, such as strings, got",
        ),
        (lambda: datasets.encode([["a"]]), "labels must be of one kind"),
        (lambda: datasets.encode("ab"), "`y` must be a list or an array of labels, got 'ab'"),
    ],
)
def test_what_is_no_label_is_refused(wrong, error):
    with pytest.raises((TypeError, ValueError), match=error):
        wrong()


def test_fit_says_how_to_number_labels_and_takes_them_numbered():
    model = MLP(1, [2], seed=0)
    X, words = [[0.0], [1.0]], ["no", "yes"]
    train = functools.partial(
        fit, model, X, loss=losses.cross_entropy, optimizer=optim.SGD(model.parameters()), epochs=1
    )
    with pytest.raises(TypeError, match=r"number the classes: y, classes = datasets\.encode\(y\)"):
        train(words)
    assert len(train(datasets.encode(words)[0])) == 1
