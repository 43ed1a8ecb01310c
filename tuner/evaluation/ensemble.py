"""Picks the models whose average predicts the validation rows best.

Source: Caruana et al. 2004, Ensemble Selection from Libraries of Models, sections 2.1 (selection with replacement) and
2.2 (sorted initialisation).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tuner.config.objectives import LARGER_IS_BETTER, Metric
from tuner.config.tables import Table
from tuner.errors import UsageError
from tuner.evaluation import scores
from tuner.evaluation.scores import Floats, MakeScore, once
from tuner.tasks import TaskName

ROUNDS = 25
INITIAL = 10  # of the best models, of which some may begin together
_ROUNDING = 1e-9  # a gain below this share of the value is none


class Ensemble(Table):
    """Which models are averaged, and how often each counts.

    Attributes:
        counts: How often each model was picked, in the order of the models.
        single: Position of the best single model.
        single_value: Its metric on the validation rows.
        steps: The metric after the initial models, and after each further pick.
    """

    counts: tuple[int, ...] = Field(min_length=1)
    single: int
    single_value: float
    steps: tuple[float, ...] = Field(min_length=1)

    @property
    def weights(self) -> tuple[float, ...]:
        """The share of each model in the average; they sum to 1."""
        total = sum(self.counts)
        return tuple(count / total for count in self.counts)

    @property
    def members(self) -> tuple[int, ...]:
        """Positions of the models that count, those with the largest weights first."""
        return tuple(i for i in sorted(range(len(self.counts)), key=lambda i: -self.counts[i]) if self.counts[i])

    @property
    def value(self) -> float:
        """The metric of the average on the validation rows."""
        return self.steps[-1]


def select(
    task: TaskName,
    metric: Metric,
    y: NDArray[Any],
    predictions: NDArray[Any],
    *,
    rounds: int = ROUNDS,
    initial: int = INITIAL,
    variance: float = 1.0,
) -> Ensemble:
    """Pick models one by one, each time the one that improves the average most, until none does.

    The average begins with the best models, as many of them as are best together. A model can be picked again. Of
    models that reach the same metric, the one whose average has the lowest loss is picked, then the first one. So the
    average is never worse than the best single model on these rows, and depends on the order of the models only if
    two of them are equal in all of this.

    Args:
        task: Name of the task.
        metric: What is improved, with its own direction.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Of each model: probabilities, shape ``(models, rows, classes)``, or numbers,
            shape ``(models, rows)`` or ``(models, rows, 1)``; all finite.
        rounds: How many models are picked at most after the initial ones.
        initial: How many models begin together at most.
        variance: Unit of the squared error in ``val_loss`` of a regression, in squared units of the target.

    Raises:
        UsageError: If there is no model, or the task does not have the metric.
    """
    if not len(predictions):
        raise UsageError("an ensemble needs at least one model, got none", hint="keep the models of some trials")
    judge = _Judge(task, metric, y, variance)
    models = predictions.astype(np.float64)
    alone = [judge(model) for model in models]
    order = sorted(range(len(models)), key=lambda i: (-alone[i].gain, alone[i].loss, i))
    started = [judge(models[order[: n + 1]].sum(axis=0) / (n + 1)) for n in range(min(initial, len(models)))]
    # Fewer models where more are not better.
    size = 1 + max(range(len(started)), key=lambda n: (started[n].gain, -n))
    counts = np.zeros(len(models), int)
    counts[order[:size]] = 1
    total, best = models[order[:size]].sum(axis=0), started[size - 1]
    steps = [best]
    for picked in range(size + 1, size + 1 + rounds):
        found = [judge((total + model) / picked) for model in models]
        chosen = min(range(len(models)), key=lambda i: (-found[i].gain, found[i].loss, i))
        if found[chosen].gain <= best.gain + _ROUNDING * abs(best.gain):
            break
        best = found[chosen]
        counts[chosen] += 1
        total += models[chosen]
        steps.append(best)
    return Ensemble(
        counts=tuple(counts.tolist()),
        single=order[0],
        single_value=judge.value(alone[order[0]]),
        steps=tuple(judge.value(step) for step in steps),
    )


def average(predictions: NDArray[Any], ensemble: Ensemble) -> Floats:
    """Return the average of the models' predictions, shape ``(rows, ...)`` from ``(models, rows, ...)``."""
    mixed: Floats = np.tensordot(np.array(ensemble.weights), predictions.astype(np.float64), axes=1)
    return mixed


class _Judged(NamedTuple):
    """A model on the validation rows.

    Attributes:
        gain: The metric; higher is better.
        loss: What decides between equal gains; lower is better.
    """

    gain: float
    loss: float


class _Judge:
    """Measures predictions of the validation rows."""

    def __init__(self, task: TaskName, metric: Metric, y: NDArray[Any], variance: float) -> None:
        self._y = y
        self._loss: MakeScore = scores.squared_error if task == "regression" else scores.log_loss
        name = metric.removeprefix("val_")
        known = {**scores.SCORES[task], "loss": self._loss}
        if name not in known:
            raise UsageError(f"{metric} is no metric of a {task} task", hint=f"choose one of: {', '.join(known)}")
        self._metric = known[name]
        self._sign = 1 if metric in LARGER_IS_BETTER else -1
        self._unit = variance if metric == "val_loss" and task == "regression" else 1.0

    def __call__(self, predicted: Floats) -> _Judged:
        loss = once(self._loss(self._y, predicted), len(self._y))
        if self._metric is self._loss:
            return _Judged(-loss, loss)
        value = once(self._metric(self._y, predicted), len(self._y))
        # With rows of one class only, the area under a curve is undefined for all models: the loss decides.
        return _Judged(self._sign * value if np.isfinite(value) else 0.5, loss)

    def value(self, judged: _Judged) -> float:
        """Return the metric in its own direction and unit."""
        return self._sign * judged.gain / self._unit
