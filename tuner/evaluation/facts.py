"""What is chosen on validation rows and travels with an exported model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tuner.config.tables import Table
from tuner.evaluation.calibration import fit_temperature
from tuner.evaluation.scores import once, scores
from tuner.tasks import TaskName

BaselineName = Literal["constant", "linear", "gradient_boosting"]


class BaselineFacts(Table):
    """A simple model that was trained on the same rows.

    Attributes:
        name: A constant; ridge or logistic regression; or scikit-learn's HistGradientBoosting with its defaults.
        seconds: How long its training took.
        validation: Its metrics on the validation rows.
        test: Its metrics on the test rows, if they were read.
    """

    name: BaselineName
    seconds: float = Field(ge=0)
    validation: dict[str, float] = Field(default_factory=dict)
    test: dict[str, float] = Field(default_factory=dict)


class ValidationFacts(Table):
    """What the validation rows say of a model.

    Attributes:
        rows: Number of validation rows.
        metrics: Metrics of the model; see :data:`tuner.evaluation.scores.SCORES`.
        threshold: The probability of class 1 from which on it is predicted, with the best F1; for two classes.
        temperature: What logits are divided by for the lowest log loss; for classes.
        baselines: Simple models, for comparison.
    """

    rows: int = Field(gt=0)
    metrics: dict[str, float] = Field(default_factory=dict)
    threshold: float | None = Field(default=None, ge=0, le=1)
    temperature: float | None = Field(default=None, gt=0)
    baselines: tuple[BaselineFacts, ...] = ()


def validation_facts(
    task: TaskName, y: NDArray[Any], predictions: NDArray[Any], baselines: tuple[BaselineFacts, ...] = ()
) -> ValidationFacts:
    """Return the facts of a model from its predictions of the validation rows.

    Args:
        task: Name of the task.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)``.
        baselines: Simple models that were trained on the same rows.
    """
    return ValidationFacts(
        rows=len(y),
        metrics=point_values(task, y, predictions),
        threshold=best_threshold(y, predictions[:, 1]) if task == "binary" else None,
        temperature=None if task == "regression" else fit_temperature(y, predictions),
        baselines=baselines,
    )


def point_values(task: TaskName, y: NDArray[Any], predictions: NDArray[Any]) -> dict[str, float]:
    """Return the metrics of predictions by name, without those that the rows do not define."""
    values = {name: once(score, len(y)) for name, score in scores(task, y, predictions).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def best_threshold(y: NDArray[Any], probability: NDArray[Any]) -> float:
    """Return the threshold with the best F1 of class 1, the one nearest to 0.5 of those that are equally good.

    It lies in the middle between two probabilities, so that rounding changes no prediction. Without rows of both
    classes, it is 0.5.

    Args:
        y: 0 or 1, shape ``(rows,)``.
        probability: Probability of class 1, shape ``(rows,)``.
    """
    from sklearn.metrics import precision_recall_curve

    if not 0 < int(np.sum(y)) < len(y):
        return 0.5
    precision, recall, reached = precision_recall_curve(y, probability.astype(np.float64))
    total = precision + recall
    f1 = (2 * precision * recall / np.where(total > 0, total, 1))[:-1]
    below = np.concatenate([[0.0], reached[:-1]])
    middles = (below + reached) / 2
    best = np.flatnonzero(f1 >= f1.max() * (1 - 1e-12))
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]])
