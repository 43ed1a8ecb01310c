"""Compares a trial that was trained again with the stored one, epoch by epoch.

On the same machine, with the same versions, device and number of threads, all metrics are equal to the last bit. The
number of threads matters because a sum of floating-point numbers depends on the order in which they are added. Measured
with two threads instead of one: networks with batch normalisation changed after three epochs, by 1e-7 on the digits and
by 4e-3 on MNIST. Other networks did not change. So a trial is trained again with as many threads as a worker of its run
had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tuner.environment import Change, changes
from tuner.executors.devices import kind_of
from tuner.records import Metrics
from tuner.results.retrain import FinishedTrial, RetrainedTrial
from tuner.tasks import METRICS

# A smaller difference counts as reproduced. It is in units of the metric, and relative for metrics above 1.
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric then and now, and the largest difference in any epoch. Missing values are ``None``."""

    then: float | None
    now: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The result of comparing a trial with its second training.

    Attributes:
        study: Name of the study.
        trial: Number of the trial.
        state: State of the trial.
        label: Name of its start configuration, if it has one.
        objective: Name of the first objective.
        verdict: ``equal`` to the last bit, ``close`` if no difference is above ``TOLERANCE``, else ``different``.
        value: The value of the trial: the objective at the best epoch of each training.
        metrics: The metrics at ``best_epoch``.
        best_epoch: The best epoch of the stored training, 0-based.
        epochs: Number of epochs of the stored training.
        trained: Number of epochs of the second training.
        first_difference: The first epoch that differs by more than ``TOLERANCE`` or that is missing now, or ``None``.
        reason: Why the second training ended early, or ``None``.
        changes: What has changed in versions, machine and device.
        restored: Whether the new model was kept in place of a missing one.
    """

    study: str
    trial: int
    state: str
    label: str | None
    objective: str
    verdict: Literal["equal", "close", "different"]
    value: Comparison
    metrics: Mapping[str, Comparison]
    best_epoch: int
    epochs: int
    trained: int
    first_difference: int | None
    reason: str | None
    changes: Sequence[Change]
    restored: bool = False

    @property
    def reproduced(self) -> bool:
        """Whether the metrics are the same, within the tolerance."""
        return self.verdict != "different"

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        changed = {change.name: {"then": change.then, "now": change.now} for change in self.changes}
        return {**asdict(self), "reproduced": self.reproduced, "changes": changed}


def compare(finished: FinishedTrial, again: RetrainedTrial) -> Reproduction:
    """Compare two trainings of one trial, epoch by epoch."""
    trial, pairs = finished.trial, list(zip(finished.curve, again.curve, strict=False))
    compared = [name for name in (*METRICS, *(f"val_{name}" for name in METRICS)) if name in finished.curve[0]]
    differences = [max(_relative(then[name], now[name]) for name in compared) for then, now in pairs]
    first = next((epoch for epoch, difference in enumerate(differences) if difference > TOLERANCE), None)
    if first is None and len(pairs) < len(finished.curve):
        first = len(pairs)
    value = _compare_values(finished, again)
    if value.then is not None and value.now is not None:
        differences.append(_relative(value.then, value.now))
    largest = max(differences, default=0.0)
    last = len(finished.curve) - 1
    best = last if trial.best_epoch is None else min(trial.best_epoch, last)
    return Reproduction(
        study=finished.study,
        trial=trial.number,
        state=trial.state,
        label=trial.label,
        objective=finished.objective.metric,
        verdict="different" if first is not None or largest > TOLERANCE else "close" if largest else "equal",
        value=value,
        metrics={name: _compare_metric(name, finished.curve, again.curve, best) for name in compared},
        best_epoch=best,
        epochs=len(finished.curve),
        trained=len(again.curve),
        first_difference=first,
        reason=again.reason,
        changes=[*changes(finished.environment), *_change_of_device(finished.devices, again.device)],
    )


def _relative(then: float, now: float) -> float:
    return abs(then - now) / max(1.0, abs(then))


def _compare_values(finished: FinishedTrial, again: RetrainedTrial) -> Comparison:
    """Compare the objective at the best epoch of each training."""
    metric = finished.objective.metric
    best = max if finished.objective.maximize else min
    then, now = finished.trial.value, best((epoch[metric] for epoch in again.curve), default=None)
    return Comparison(then, now, None if then is None or now is None else abs(then - now))


def _compare_metric(name: str, then: Sequence[Metrics], now: Sequence[Metrics], best_epoch: int) -> Comparison:
    differences = [abs(old[name] - new[name]) for old, new in zip(then, now, strict=False)]
    value_now = now[best_epoch][name] if best_epoch < len(now) else None
    return Comparison(then[best_epoch][name], value_now, max(differences, default=None))


def _change_of_device(devices: Sequence[str], now: str) -> list[Change]:
    """Return the change of the device, if the stored devices are known and differ."""
    change = Change("device", ", ".join(dict.fromkeys(map(kind_of, devices))), kind_of(now))
    return [change] if devices and change.then != change.now else []
