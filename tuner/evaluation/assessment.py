"""What is measured at the end of a run: the winner, the ensemble of the kept models, and simple models beside them."""

from __future__ import annotations

from pydantic import Field

from tuner.config.tables import Table
from tuner.evaluation.evaluation import Evaluation
from tuner.evaluation.facts import ValidationFacts


class Member(Table):
    """A model of an ensemble.

    Attributes:
        number: Its trial.
        weight: Its share of the average.
    """

    number: int = Field(ge=0)
    weight: float = Field(gt=0, le=1)


class Measured(Table):
    """How well a model, or an average of models, predicts.

    Attributes:
        value: The objective on the validation rows.
        validation: What the validation rows say of it.
        test: Metrics on the test rows.
        intervals: Their 95 % intervals, lower and upper end; see :mod:`tuner.evaluation.bootstrap`.
        parameters: Number of weights.
        latency_ms: Milliseconds for one row.
        evaluation: What figures show of the test rows. That of the winner is stored with its model.
    """

    value: float
    validation: ValidationFacts
    test: dict[str, float]
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    parameters: int
    latency_ms: float
    evaluation: Evaluation | None = None


class Assessment(Table):
    """The winner and the ensemble of a study.

    Attributes:
        candidates: The trials whose models could be members, the best first. The first is the winner.
        single: How well the winner predicts. Its ``validation`` holds the baselines.
        members: The models of the ensemble, those with the largest weights first; one if an average is no better.
        ensemble: How well their average predicts; ``None`` with one member.
    """

    candidates: tuple[int, ...] = Field(min_length=1)
    single: Measured
    members: tuple[Member, ...] = Field(min_length=1)
    ensemble: Measured | None = None
