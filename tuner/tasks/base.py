"""The base class of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from tuner.config.objectives import Metric
from tuner.records import Metrics

TaskName = Literal["regression", "binary", "multiclass"]
Loss = Literal["cross_entropy", "squared_error"]


class Task(ABC):
    """What a kind of target decides. A new task is a new subclass.

    A model returns *raw outputs* while it trains: logits for classes, or numbers in the units of the target. An
    exported model returns *predictions*: probabilities, or the same numbers.

    Attributes:
        name: Its name.
        loss: The loss that training minimises. For ``squared_error``, the target is standardised first.
        objective: What trials are compared by unless the user names something else.
        metrics: The metrics of :meth:`measure`, the most important ones first.
    """

    name: ClassVar[TaskName]
    loss: ClassVar[Loss]
    objective: ClassVar[Metric]
    metrics: ClassVar[tuple[str, ...]]

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """Return how many values a model returns for a row, of a target with so many classes."""

    @abstractmethod
    def measure(self, y: NDArray[Any], raw: NDArray[Any], *, variance: float) -> Metrics:
        """Return ``loss`` and all of ``metrics``.

        Args:
            y: Classes as numbers from 0, or numbers in the units of the target, shape ``(rows,)``.
            raw: Raw outputs, shape ``(rows, outputs)``.
            variance: Variance of the target in the training rows, in its squared units; only regression uses it.
        """

    @abstractmethod
    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return labels that each part of a split should have in equal shares, shape ``(rows,)``, or ``None``."""
