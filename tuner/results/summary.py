"""The JSON objects that `tuner study start --json` and `tuner study best --json` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tuner_storage.copies import KeptRefit

from tuner.config.recipe import Recipe
from tuner.evaluation.assessment import Assessment
from tuner.results.overview import StudySummary, trials_json
from tuner.results.trials import TrialResult
from tuner.search.confirmation import Standing, lead

_FIGURES = {"single": {"evaluation"}, "ensemble": {"evaluation"}}  # hundreds of numbers, for figures


def study_json(
    recipe: Recipe,
    summary: StudySummary,
    best: TrialResult | None,
    *,
    front: Sequence[TrialResult],
    ranking: Sequence[Standing],
    refit: KeptRefit | None,
    assessment: Assessment | None,
) -> dict[str, Any]:
    """Return the winner, the standings, the refit and the counts. Values are ``None`` if no trial is complete.

    Args:
        recipe: The study's recipe.
        summary: Its counts.
        best: The winner, if there is one.
        front: The Pareto front.
        ranking: The standings of the confirmed configurations.
        refit: The refit of the winner, if there is one. Its test metrics replace those of the trial.
        assessment: What was measured of the winner and of the ensemble, if anything was.
    """
    result = best_json(best, recipe, summary)
    if refit is not None:
        result["test"] = refit.test
    if recipe.objective.several:
        result |= {"objectives": list(recipe.objective.names), "front": front_json(front)}
    return {
        **result,
        "confirmed": standings_json(ranking),
        "lead": lead_json(ranking),
        "refit": refit_json(refit),
        **({} if assessment is None else {"assessment": assessment.model_dump(mode="json", exclude=_FIGURES)}),
    }


def best_json(best: TrialResult | None, recipe: Recipe, summary: StudySummary) -> dict[str, Any]:
    """Return the winner and the counts of a study. Values are ``None`` if ``best`` is ``None``."""
    fields: Mapping[str, Any] = asdict(best) if best else {}
    metrics = best.metrics if best else {}
    return {
        "study": summary.name,
        "trial": fields.get("number"),
        "objective": recipe.objective.metric,
        "direction": recipe.objective.direction,
        "value": fields.get("value"),
        "params": fields.get("all_params", {}),
        "metrics": {name: metrics.get(name) for name in _metric_names(recipe, metrics)},
        **{name: fields.get(name) for name in ("best_epoch", "epochs", "seconds", "parameters", "test")},
        "trials": trials_json(summary.counts, summary.limit),
    }


def _metric_names(recipe: Recipe, metrics: Mapping[str, float]) -> Sequence[str]:
    """Return the names of the metrics in a report; those of arrays are the same before there are any."""
    if recipe.table is None:
        return ("loss", "accuracy", "val_loss", "val_accuracy")
    return [name for name in metrics if name != "learning_rate"]


def front_json(front: Sequence[TrialResult]) -> list[dict[str, object]]:
    """Return the Pareto front as plain data for JSON."""
    return [{"trial": trial.number, "values": dict(trial.values), "params": dict(trial.all_params)} for trial in front]


def standings_json(ranking: Sequence[Standing]) -> list[dict[str, object]]:
    """Return the standings as plain data for JSON, the best first."""
    return [
        {
            "trial": standing.trial,
            "mean": standing.mean,
            "standard_error": standing.error,
            "values": list(standing.values),
            "seeds": list(standing.seeds),
        }
        for standing in ranking
    ]


def lead_json(ranking: Sequence[Standing]) -> dict[str, object] | None:
    """Return how far the first standing is ahead of the second; ``None`` if that cannot be computed."""
    ahead = lead(list(ranking))
    if ahead is None:
        return None
    return {"difference": ahead.difference, "standard_error": ahead.error, "within_noise": ahead.within_noise}


def refit_json(refit: KeptRefit | None) -> Mapping[str, object] | None:
    """Return the refit as plain data for JSON."""
    return None if refit is None else {"epochs": refit.epochs, "rows": refit.rows, "test": refit.test}
