"""Networks as scikit-learn's estimators: by its own checks, and in what it makes of estimators."""

import math
import pickle

import numpy as np
import pytest

from microgrid import datasets, optim
from tests.packages import package

package("sklearn")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from microgrid.interop.sklearn import MLPClassifier, MLPRegressor

PENGUINS = datasets.penguins()
X = np.array(PENGUINS.X)[::5]
NAMES = np.array(PENGUINS.class_names)[PENGUINS.y][::5]
QUICK = {"hidden_layer_sizes": [8], "epochs": 15, "lr": 0.05, "random_state": 0}
# The logits of a kernel and of Python differ in the last digits of a few hundred roundings.
CLOSE = 1e-12
GUESSED = 0.6  # the largest species is less than half of the penguins


@pytest.mark.slow  # scikit-learn trains a hundred networks to check one estimator
@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=str)
def test_scikit_learns_own_checks_pass(estimator):
    records = check_estimator(estimator, on_skip=None)
    assert {record["status"] for record in records} <= {"passed", "skipped"}
    skipped = [record["check_name"] for record in records if record["status"] == "skipped"]
    assert set(skipped) <= {"check_array_api_input"}  # of arrays that SciPy is not set to take


def test_a_classifier_says_what_its_network_does():
    scaled = StandardScaler().fit_transform(X)
    fitted = MLPClassifier(**QUICK).fit(scaled, NAMES)
    logits = [[logit.data for logit in fitted.model_(row)] for row in scaled.tolist()]
    odds = [[math.exp(logit) for logit in row] for row in logits]
    wanted = [[x / sum(row) for x in row] for row in odds]
    assert np.allclose(fitted.decision_function(scaled), logits, rtol=CLOSE, atol=CLOSE)
    assert np.allclose(fitted.predict_proba(scaled), wanted, rtol=CLOSE, atol=CLOSE)
    assert [*fitted.predict(scaled)] == [fitted.classes_[np.argmax(row)] for row in logits]
    assert fitted.score(scaled, NAMES) > GUESSED
    assert len(fitted.history_) == QUICK["epochs"]
    assert [*fitted.classes_] == sorted({*NAMES})


def test_a_regressor_says_what_its_network_does():
    x = np.linspace(-2.0, 2.0, 30)[:, None]
    fitted = MLPRegressor([8], activation="tanh", epochs=60, lr=0.05, random_state=0)
    fitted.fit(x, np.sin(x[:, 0]))
    wanted = [fitted.model_(row).data for row in x.tolist()]
    assert np.allclose(fitted.predict(x), wanted, rtol=CLOSE, atol=CLOSE)
    assert fitted.score(x, np.sin(x[:, 0])) > 0.9


def test_one_random_state_gives_the_same_bits_in_clones_and_through_pickles():
    scaled = StandardScaler().fit_transform(X)
    fitted = MLPClassifier(**QUICK).fit(scaled, NAMES)
    wanted = fitted.decision_function(scaled).tobytes()
    again = clone(fitted).fit(scaled, NAMES)
    back = pickle.loads(pickle.dumps(fitted))
    assert again.decision_function(scaled).tobytes() == wanted
    assert back.decision_function(scaled).tobytes() == wanted
    other = clone(fitted).set_params(random_state=1).fit(scaled, NAMES)
    assert other.decision_function(scaled).tobytes() != wanted


def test_pipelines_grid_searches_and_cross_validation_take_them():
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    assert cross_val_score(pipe, X, NAMES, cv=3).mean() > GUESSED
    grid = {"mlpclassifier__optimizer": [optim.Adam, optim.SGD], "mlpclassifier__lr": [1e-9, 0.05]}
    found = GridSearchCV(pipe, grid, cv=2).fit(X, NAMES)
    assert found.best_params_["mlpclassifier__lr"] == 0.05
    scaled = TransformedTargetRegressor(MLPRegressor(**QUICK), transformer=StandardScaler())
    lengths, masses = X[:, :3], X[:, 3]
    model = make_pipeline(StandardScaler(), scaled).fit(lengths, masses)
    assert model.score(lengths, masses) > 0.5  # of which the mean has 0


@pytest.mark.slow  # processes start, and load scikit-learn
def test_a_grid_search_trains_in_other_processes():
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    grid = {"mlpclassifier__activation": ["relu", np.tanh]}
    found = GridSearchCV(pipe, grid, cv=2, n_jobs=2).fit(X, NAMES)
    assert found.best_score_ > GUESSED


def test_what_a_frame_calls_its_columns_is_remembered():
    frame = package("pandas").DataFrame(X, columns=list(PENGUINS.feature_names))
    fitted = make_pipeline(StandardScaler().set_output(transform="pandas"), MLPClassifier(**QUICK))
    fitted.fit(frame, NAMES)
    assert [*fitted[-1].feature_names_in_] == [*PENGUINS.feature_names]
    with pytest.raises(ValueError, match="feature names"):
        fitted[-1].predict(frame.rename(columns={"body_mass_g": "mass"}))


def test_wrong_options_are_refused_in_the_librarys_words():
    for wrong, error in [({"epochs": 0}, "`epochs`"), ({"activation": "rel"}, "`activation`")]:
        with pytest.raises(ValueError, match=error):
            MLPClassifier(**{**QUICK, **wrong}).fit(X, NAMES)
