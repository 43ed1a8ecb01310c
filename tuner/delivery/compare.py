"""Compares the predictions of an exported file with those of the original model."""

from __future__ import annotations

import numpy as np

from tuner.data.schema import DataSchema
from tuner.delivery.formats import Predictions
from tuner.errors import RunError

TOLERANCE = 1e-4  # largest difference of a probability between a format and the original model
TABLE_TOLERANCE = 1e-5  # the same for a table
# Between the model as it was trained and its file. On JAX, a GPU may have computed it, which rounds to fewer digits.
AS_TRAINED = 0.02


def difference(actual: Predictions, expected: Predictions, table: DataSchema | None) -> float:
    """Return the largest difference of a prediction.

    Args:
        actual: Predictions of the file, shape ``(rows, classes)`` or ``(rows, 1)``.
        expected: Predictions of the original.
        table: The schema of a table. A difference of numbers is divided by the deviation of the target, or by the
            number itself if that is larger, because ``float32`` has seven digits.
    """
    if actual.shape != expected.shape:
        return float("inf")
    differences = np.abs(actual.astype(np.float64) - expected)
    if table is not None and table.numeric is not None:
        differences /= np.maximum(np.abs(expected), table.numeric.deviation)
    return float(np.max(differences))


def check_as_trained(now: Predictions, trained: Predictions, table: DataSchema | None) -> None:
    """Check that a model file computes what the model computed when it was trained.

    Raises:
        RunError: If it does not.
    """
    found = difference(now, trained, table)
    if not found <= AS_TRAINED:  # also true for NaN
        raise RunError(
            f"the model differs by {found:.2g} from what it was when it was trained, allowed is {AS_TRAINED:g}",
            hint="nothing was written; `tuner doctor` shows versions and settings that differ from those of the study",
        )


def check_format(name: str, found: float, table: DataSchema | None) -> None:
    """Check that a format differs from the original by no more than it may.

    Raises:
        RunError: If it differs by more.
    """
    allowed = TOLERANCE if table is None else TABLE_TOLERANCE
    if not found <= allowed:  # also true for NaN
        raise RunError(
            f"format '{name}' differs from the original by {found:.2g}, allowed is {allowed:g}",
            hint="nothing was written; leave out this format",
        )
