"""Simple models of tables, for comparison: a constant, a linear model, and gradient boosting with its defaults.

They read the encoded rows that the network reads (see :class:`tuner.tables.inputs.TableInput`), are trained once per
study, and are not tuned.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tuner.evaluation.facts import BaselineFacts, BaselineName, point_values
from tuner.evaluation.scores import Floats
from tuner.tables.inputs import TableInput
from tuner.tasks import TaskName

BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)

_MOST_CATEGORIES = 255  # that scikit-learn's boosting splits as categories; more are numbers to it
_MOST_COLUMNS = 100  # of a category in the linear model; rarer ones share a column
_CLASSES = 2  # which a model needs to see

Predict = Callable[[NDArray[np.float32]], Floats]
Rows = tuple[NDArray[np.float32], NDArray[Any]]
"""Encoded rows and their target."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A trained baseline.

    Attributes:
        name: Its name.
        seconds: How long its training took.
        predict: Returns the predictions of encoded rows: probabilities, shape ``(rows, classes)``, or numbers,
            shape ``(rows,)``.
    """

    name: BaselineName
    seconds: float
    predict: Predict


def train_baseline(
    name: BaselineName, x: NDArray[np.float32], y: NDArray[Any], task: TaskName, table: TableInput, *, classes: int = 0
) -> Baseline:
    """Train a baseline.

    Args:
        name: Which one.
        x: Encoded training rows, shape ``(rows, width)``: numbers, NaN where one is missing, then codes.
        y: Classes as numbers from 0, or numbers in the units of the target, shape ``(rows,)``.
        task: Name of the task.
        table: How the rows are encoded.
        classes: Number of classes; a class without a training row has the probability 0.
    """
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    blind = name == "constant" or not table.width
    # While a search trains on all cores, several threads of the boosting wait for each other: five times as long.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that were not enough: nobody tunes a baseline
        if task == "regression":
            predict = _mean(y) if blind else _numbers(_model(name, table, regression=True), x, y)
        elif blind or len(np.unique(y)) < _CLASSES:
            predict = _shares(y, classes)
        else:
            predict = _probabilities(_model(name, table, regression=False), x, y, classes)
    return Baseline(name, time.perf_counter() - began, predict)


def measure_baselines(
    task: TaskName, table: TableInput, train: Rows, validation: Rows, test: Rows | None = None, *, classes: int = 0
) -> tuple[BaselineFacts, ...]:
    """Train all baselines and return their metrics.

    Args:
        task: Name of the task.
        table: How the rows are encoded.
        train: Encoded rows and their target; see :func:`train_baseline`.
        validation: Rows to measure on.
        test: Test rows; ``None`` leaves them unread.
        classes: Number of classes.
    """

    def values(baseline: Baseline, rows: Rows | None) -> dict[str, float]:
        return {} if rows is None else point_values(task, rows[1], baseline.predict(rows[0]))

    trained = (train_baseline(name, *train, task, table, classes=classes) for name in BASELINES)
    return tuple(
        BaselineFacts(
            name=baseline.name,
            seconds=baseline.seconds,
            validation=values(baseline, validation),
            test=values(baseline, test),
        )
        for baseline in trained
    )


def _mean(y: NDArray[Any]) -> Predict:
    mean = float(np.mean(y, dtype=np.float64))
    return lambda rows: np.full(len(rows), mean)


def _shares(y: NDArray[Any], classes: int) -> Predict:
    shares = np.bincount(y, minlength=classes) / len(y)
    return lambda rows: np.tile(shares, (len(rows), 1))


def _numbers(model: Any, x: NDArray[np.float32], y: NDArray[Any]) -> Predict:
    widen = _widen(x)
    model.fit(widen(x), y.astype(np.float64))

    def predict(rows: NDArray[np.float32]) -> Floats:
        numbers: Floats = model.predict(widen(rows))
        return numbers

    return predict


def _probabilities(model: Any, x: NDArray[np.float32], y: NDArray[Any], classes: int) -> Predict:
    widen = _widen(x)
    model.fit(widen(x), y)

    def predict(rows: NDArray[np.float32]) -> Floats:
        probabilities = np.zeros((len(rows), classes))
        probabilities[:, model.classes_] = model.predict_proba(widen(rows))
        return probabilities

    return predict


def _widen(x: NDArray[np.float32]) -> Predict:
    """Return a function that makes rows usable: the largest numbers can be squared, and no column is all missing."""
    empty = np.isnan(x).all(axis=0)

    def widen(rows: NDArray[np.float32]) -> Floats:
        wide = rows.astype(np.float64)
        wide[:, empty] = 0
        return wide

    return widen


def _model(name: BaselineName, table: TableInput, *, regression: bool) -> Any:
    if name == "linear":
        return _linear(table, regression=regression)
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    categories = [False] * len(table.numbers) + [code.codes <= _MOST_CATEGORIES for code in table.codes]
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(categorical_features=categories, random_state=0)


def _linear(table: TableInput, *, regression: bool) -> Any:
    """Return ridge or logistic regression on standardised numbers, flags of missing ones, and one-hot categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = len(table.numbers)
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    encoded = make_column_transformer(
        (make_pipeline(filled, StandardScaler()), list(range(numbers))),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_COLUMNS),
            list(range(numbers, table.width)),
        ),
    )
    return make_pipeline(encoded, Ridge() if regression else LogisticRegression(max_iter=1000))
