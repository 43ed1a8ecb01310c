"""Evaluates an exported model on labelled rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.labels import match_labels
from tuner.delivery.manifest import FormatName, Manifest
from tuner.delivery.predict import AUTO, predict
from tuner.errors import DataError
from tuner.evaluation.bootstrap import RESAMPLES
from tuner.evaluation.facts import BaselineFacts, ValidationFacts
from tuner.evaluation.measure import Measured, measure
from tuner.paths import StrPath
from tuner.tasks import TaskName


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the predictions of an exported model are on labelled rows.

    Attributes:
        measured: The metrics with their intervals, and what the task adds.
        runtime: The format that was run.
        baselines: Simple models that were trained on the same rows as the model.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)``.
    """

    measured: Measured
    runtime: FormatName
    baselines: tuple[BaselineFacts, ...] = ()
    y: NDArray[Any] = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    predictions: NDArray[Any] = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    @property
    def rows(self) -> int:
        """How many rows were evaluated."""
        return self.measured.rows

    @property
    def loss(self) -> float:
        """Mean cross entropy in nats, for classes."""
        return self._metric("log_loss")

    @property
    def accuracy(self) -> float:
        """Share of the rows that are classified correctly, for classes."""
        return self._metric("accuracy")

    @property
    def recall(self) -> dict[str, float | None]:
        """By class name, the share of its rows that are classified correctly; ``None`` if the class has no row."""
        return {each.name: each.recall for each in self.measured.classes}

    @property
    def confusion(self) -> list[list[int]]:
        """Number of rows by true class (down) and predicted class (across), shape ``(classes, classes)``."""
        return [list(row) for row in self.measured.confusion]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as objects of JSON, with the keys of earlier versions."""
        details = self.measured.model_dump(mode="json")
        if not self.measured.classes:
            earlier: dict[str, Any] = {}
        else:
            earlier = {"loss": self.loss, "accuracy": self.accuracy, "recall": self.recall}
        baselines = [baseline.model_dump(mode="json") for baseline in self.baselines]
        return {**earlier, **details, "baselines": baselines, "runtime": self.runtime}

    def _metric(self, name: str) -> float:
        value = self.measured.metrics[name].value
        if value is None:
            raise ValueError(f"these rows do not define {name}")
        return value


def check_dataset(manifest: Manifest, name: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Check that labelled rows fit an exported model, before the model is loaded.

    Args:
        manifest: The manifest of the exported model.
        name: The data set's name, for error messages.
        x: The raw rows, shape ``(rows, *input shape)``.
        y: The labels, as for :func:`evaluate`.

    Raises:
        DataError: If the shape of a row differs, or a label is no class of the model.
    """
    if x.shape[1:] != manifest.input.shape:
        raise DataError(
            f"{name} has rows of shape {x.shape[1:]}, the model expects {manifest.input.shape}",
            hint=f"the model was trained on {manifest.data.name}",
        )
    match_labels(y, manifest.class_names, name)


def evaluate(
    folder: StrPath, x: NDArray[Any], y: NDArray[Any], *, runtime: str = AUTO, resamples: int = RESAMPLES
) -> Evaluation:
    """Run an exported model on labelled rows and compare its predictions with the labels.

    Args:
        folder: The export.
        x: Raw values, shape ``(rows, *input shape)``.
        y: Labels as in the training data, shape ``(rows,)``: names of classes, or numbers from 0 if no class is named
            by a number.
        runtime: The format to run; see :func:`tuner.delivery.predict.predict`.
        resamples: Number of bootstrap resamples for the intervals; 0 computes none.

    Raises:
        UsageError: If ``folder`` is not an export, or the runtime cannot be used.
        DataError: If the rows or the labels do not fit, or there are none.
        RunError: If a checksum differs or the model does not run.
    """
    if len(y) != len(x):
        raise DataError(f"expected {len(x)} labels, one per row, got {len(y)}")
    prediction = predict(folder, x, runtime=runtime)
    names = prediction.class_names
    y = match_labels(y, names, "the labels")
    return compare(
        "binary" if len(names) == 2 else "multiclass",  # noqa: PLR2004
        y,
        prediction.probabilities,
        names,
        runtime=prediction.runtime,
        resamples=resamples,
    )


def compare(
    task: TaskName,
    y: NDArray[Any],
    predictions: NDArray[Any],
    class_names: tuple[str, ...] = (),
    *,
    runtime: FormatName,
    facts: ValidationFacts | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Compare predictions of an exported model with the labels.

    Args:
        task: Name of the task.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)``.
        class_names: Names of the classes.
        runtime: The format that was run.
        facts: What was chosen on the validation rows, if the export knows it.
        resamples: Number of bootstrap resamples for the intervals; 0 computes none.

    Raises:
        DataError: If there are no rows.
    """
    if not len(y):
        raise DataError("there are no rows to evaluate", hint="name data with rows and labels")
    measured = measure(task, y, predictions, class_names, facts=facts, resamples=resamples)
    return Evaluation(measured, runtime, () if facts is None else facts.baselines, y, predictions)
