"""Evaluate an exported model on labelled rows."""

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
    """``loss`` is the mean cross entropy in nats, ``accuracy`` the share of correct rows.

    ``recall`` is the share of each class that was found, ``None`` where the class has no row; ``confusion`` counts
    rows, true classes down and predicted classes across, shape ``(classes, classes)``.
    """

    loss: float
    accuracy: float
    rows: int
    recall: dict[str, float | None]
    confusion: list[list[int]]
    runtime: FormatName


def check_dataset(manifest: Manifest, name: str, x: NDArray[Any], classes: int) -> None:
    """Refuse a data set that an exported model cannot have been made for, before anything is loaded.

    Args:
        manifest: The model's description.
        name: The data set's name, for the message.
        x: Its raw rows, shape ``(rows, *input shape)``.
        classes: How many classes it has.

    Raises:
        DataError: If the shape of a row or the number of classes differs.
    """
    if x.shape[1:] != manifest.input.shape or classes != len(manifest.class_names):
        raise DataError(
            f"{name} has rows of shape {x.shape[1:]} and {classes} classes, "
            f"the model takes {manifest.input.shape} and knows {len(manifest.class_names)}",
            hint=f"the model was trained on {manifest.data.name}",
        )


def evaluate(folder: Path, x: NDArray[Any], y: NDArray[Any], *, runtime: str = AUTO) -> Evaluation:
    """Run a bundle's model on labelled rows and compare.

    Args:
        folder: The bundle.
        x: Raw values, shape ``(rows, *input shape)``.
        y: Labels from 0 to classes - 1, shape ``(rows,)``.
        runtime: As for :func:`tuner.delivery.predict.predict`.

    Raises:
        UsageError: If ``folder`` is no bundle, or the runtime cannot be used.
        DataError: If the rows or the labels do not fit.
        RunError: If a checksum is wrong or the model does not run.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

    prediction = predict(folder, x, runtime=runtime)
    classes = range(len(prediction.class_names))
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or not np.isin(y, classes).all():
        raise DataError(
            f"expected {len(x)} whole labels from 0 to {classes[-1]}, got shape {y.shape}, {y.dtype}",
            hint="the labels must be those that the model was trained on",
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
