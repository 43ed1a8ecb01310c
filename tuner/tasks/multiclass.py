"""Predicts one of several classes."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray

from tuner.config.objectives import Metric
from tuner.records import Metrics
from tuner.tasks.base import TaskName
from tuner.tasks.classification import Classification, common_metrics, macro_f1


class _Multiclass(Classification):
    name: ClassVar[TaskName] = "multiclass"
    objective: ClassVar[Metric] = "val_accuracy"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1")

    def measure(self, y: NDArray[Any], raw: NDArray[Any], *, variance: float) -> Metrics:  # noqa: ARG002 - see Task
        """``f1`` is the mean over the classes."""
        metrics, predicted = common_metrics(y, raw)
        return {**metrics, "f1": macro_f1(y, predicted, raw.shape[1])}


MULTICLASS = _Multiclass()
"""Predicts one of several classes."""
