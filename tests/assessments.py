"""Assessments as a trainer makes them."""

from __future__ import annotations

from tuner.evaluation.assessment import Assessment, Measured, Member
from tuner.evaluation.facts import ValidationFacts


def assessment_of(*numbers: int) -> Assessment:
    """Return an assessment of candidates whose first two are averaged; the average is better than the winner."""
    two = numbers[:2]
    return Assessment(
        candidates=numbers,
        single=_measured(0.9, 100),
        members=tuple(Member(number=number, weight=1 / len(two)) for number in two),
        ensemble=_measured(0.95, 200) if len(two) > 1 else None,
    )


def _measured(accuracy: float, parameters: int) -> Measured:
    return Measured(
        value=accuracy,
        validation=ValidationFacts(rows=10, metrics={"accuracy": accuracy}),
        test={"accuracy": accuracy - 0.01},
        parameters=parameters,
        latency_ms=parameters / 1000,
    )
