"""Evaluates an exported model on labelled rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.manifest import FormatName, Manifest
from tuner.delivery.predict import AUTO, predict
from tuner.errors import DataError


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an exported model classifies labelled rows.

    Attributes:
        loss: Mean cross entropy in nats.
        accuracy: Share of the rows that are classified correctly.
        rows: How many rows were evaluated.
        recall: By class name, the share of its rows that are classified correctly; ``None`` if the class has no row.
        confusion: Number of rows by true class (down) and predicted class (across), shape ``(classes, classes)``.
        runtime: The format that was run.
    """

    loss: float
    accuracy: float
    rows: int
    recall: dict[str, float | None]
    confusion: list[list[int]]
    runtime: FormatName


def check_dataset(manifest: Manifest, name: str, x: NDArray[Any], classes: int) -> None:
    """Check that a data set fits an exported model, before the model is loaded.

    Args:
        manifest: The manifest of the exported model.
        name: The data set's name, for error messages.
        x: The raw rows, shape ``(rows, *input shape)``.
        classes: How many classes the data set has.

    Raises:
        DataError: If the shape of a row or the number of classes differs.
    """
    if x.shape[1:] != manifest.input.shape or classes != len(manifest.class_names):
        raise DataError(
            f"{name} has rows of shape {x.shape[1:]} and {classes} classes, "
            f"the model expects {manifest.input.shape} and {len(manifest.class_names)} classes",
            hint=f"the model was trained on {manifest.data.name}",
        )


def evaluate(folder: Path, x: NDArray[Any], y: NDArray[Any], *, runtime: str = AUTO) -> Evaluation:
    """Run an exported model on labelled rows and compare its predictions with the labels.

    Args:
        folder: The export.
        x: Raw values, shape ``(rows, *input shape)``.
        y: Labels from 0 to classes - 1, shape ``(rows,)``.
        runtime: The format to run; see :func:`tuner.delivery.predict.predict`.

    Raises:
        UsageError: If ``folder`` is not an export, or the runtime cannot be used.
        DataError: If the rows or the labels do not fit.
        RunError: If a checksum differs or the model does not run.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

    prediction = predict(folder, x, runtime=runtime)
    classes = range(len(prediction.class_names))
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or not np.isin(y, classes).all():
        raise DataError(
            f"expected {len(x)} integer labels from 0 to {classes[-1]}, got shape {y.shape}, {y.dtype}",
            hint="use the same labels as the training data",
        )
    confusion = confusion_matrix(y, prediction.probabilities.argmax(axis=1), labels=classes)
    support = confusion.sum(axis=1)
    return Evaluation(
        loss=float(log_loss(y, prediction.probabilities, labels=classes)),
        accuracy=float(accuracy_score(y, prediction.probabilities.argmax(axis=1))),
        rows=len(x),
        recall={
            name: float(confusion[i, i] / support[i]) if support[i] else None
            for i, name in enumerate(prediction.class_names)
        },
        confusion=confusion.tolist(),
        runtime=prediction.runtime,
    )
