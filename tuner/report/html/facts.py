"""Reads all that a report shows of a study, once and at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuner_storage.copies import Attempt, KeptRefit, StudyRecord
from tuner_storage.runs import RunRecord

from tuner.config.recipe import Recipe
from tuner.data.schema import DataSchema
from tuner.data.settle import SettledData
from tuner.evaluation.assessment import Assessment
from tuner.evaluation.evaluation import Evaluation
from tuner.report.figures.evaluation import Panel, panels
from tuner.report.figures.learning_curves import Curves
from tuner.report.figures.run_time import Spans, ended_at, spans_of
from tuner.report.paragraph import describe_study
from tuner.results.best_regions import Region, regions
from tuner.results.importance import Importances
from tuner.results.reader import StudyReader
from tuner.results.trials import TrialResult, front_of, ranked, standings_of, winner
from tuner.search.confirmation import Standing

MAX_CURVES = 20  # trials with learning curves


@dataclass(frozen=True)
class StudyFacts:
    """A study as it was read.

    Attributes:
        name: Its name.
        recipe: What it ran with last.
        record: What it recorded when it began.
        trials: All trials in the order of their numbers.
        done: The complete ones, the best first.
        best: The winner, or ``None`` if no trial is complete.
        standings: The confirmed configurations, the best mean first.
        front: The Pareto front; empty with one objective.
        refit: The refit of the winner.
        assessment: What was measured of the winner, the ensemble and the baselines.
        evaluation: How the model that is exported predicts the test rows.
        data: What the study stores of its data; ``None`` if an older version stored nothing.
        attempts: All attempts at its trials.
        runs: Its runs, the first one first.
        curves: The epochs of the best trials.
        timing: Where the time of the runs went.
        learned_from: The earlier studies that it learned from.
    """

    name: str
    recipe: Recipe
    record: StudyRecord
    trials: list[TrialResult]
    done: list[TrialResult]
    best: TrialResult | None
    standings: list[Standing]
    front: list[TrialResult]
    refit: KeptRefit | None
    assessment: Assessment | None
    evaluation: Evaluation | None
    data: SettledData | None
    attempts: Sequence[Attempt]
    runs: Sequence[RunRecord]
    curves: Curves
    timing: Mapping[str, Any]
    learned_from: Mapping[str, str]

    @property
    def schema(self) -> DataSchema | None:
        """Input and target of the models."""
        return None if self.data is None else self.data.schema

    @property
    def panels(self) -> list[Panel]:
        """The figures of the evaluation."""
        return panels(self.evaluation, () if self.schema is None else self.schema.classes)

    @property
    def ended(self) -> dict[int, datetime]:
        """When each complete trial ended, in UTC."""
        return ended_at(self.attempts)

    @property
    def spans(self) -> Spans:
        """When each run began and ended, in UTC."""
        return spans_of(self.runs, self.ended)

    @property
    def test(self) -> Mapping[str, float]:
        """The metrics of the winner, or of its refit, on the test rows; empty if unknown."""
        if self.refit is not None and self.refit.test:
            return self.refit.test
        if self.best is not None and self.best.test:
            return self.best.test
        return {}


@dataclass(frozen=True)
class Findings:
    """What takes longer to compute of a study: importances, regions and the paragraph."""

    importances: Importances
    regions: tuple[Region, ...]
    paragraph: str


def gather(study: StudyReader) -> StudyFacts:
    """Read a study. Call it within :meth:`StudyReader.at_once`."""
    recipe, trials = study.settings(), study.trials()
    done = ranked(trials, recipe)
    best = winner(trials, recipe)
    first = [trial for trial in (best, *done) if trial is not None]
    numbers = list(dict.fromkeys(trial.number for trial in first))[:MAX_CURVES]
    return StudyFacts(
        name=study.name,
        recipe=recipe,
        record=study.record(),
        trials=trials,
        done=done,
        best=best,
        standings=standings_of(trials, recipe),
        front=front_of(trials, recipe),
        refit=study.refit(),
        assessment=study.assessment(),
        evaluation=study.evaluation(),
        data=study.data(),
        attempts=study.attempts(),
        runs=study.runs(),
        curves=study.curves(numbers) if numbers else {},
        timing=study.timing(),
        learned_from=study.learned_from(),
    )


def find(study: StudyReader, facts: StudyFacts) -> Findings:
    """Compute what the trials say of the parameters."""
    importances, best = study.importances(), regions(facts.trials, facts.recipe)
    return Findings(importances, best, describe_study(facts.name, facts.recipe, facts.trials, importances, best))
