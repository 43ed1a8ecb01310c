"""Predicts a number."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuner.config.objectives import Metric
from tuner.records import Metrics
from tuner.tasks.base import Loss, Task, TaskName

_ROWS_PER_STRATUM = 20
_STRATA = 20


class _Regression(Task):
    name: ClassVar[TaskName] = "regression"
    loss: ClassVar[Loss] = "squared_error"
    objective: ClassVar[Metric] = "val_rmse"
    metrics: ClassVar[tuple[str, ...]] = ("rmse", "mae", "r2")

    def outputs(self, classes: int) -> int:  # noqa: ARG002 - part of the interface
        return 1

    def measure(self, y: NDArray[Any], raw: NDArray[Any], *, variance: float) -> Metrics:
        """``loss`` is the mean squared error in units of ``variance``, whatever the trial's transform of the target.

        ``r2`` is the coefficient of determination on these rows; 0 if all of them have the same target.
        """
        error = raw.reshape(-1).astype(np.float64) - y.astype(np.float64)
        squared = float(np.mean(np.square(error)))
        own = float(np.var(y.astype(np.float64)))
        return {
            "loss": squared / variance,
            "rmse": squared**0.5,
            "mae": float(np.mean(np.abs(error))),
            "r2": 1 - squared / own if own > 0 else 0.0,
        }

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the quantile of each row, so that both parts of a split hold small and large targets."""
        count = min(_STRATA, len(y) // _ROWS_PER_STRATUM)
        if count < 2:  # noqa: PLR2004 - one stratum holds all rows
            return None
        ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
        quantiles: NDArray[Any] = ranks * count // len(y)
        return quantiles


REGRESSION = _Regression()
"""Predicts a number."""
