"""A study as one JSON object: what `study start --json` and `study best --json` print, for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from storage.copies import KeptRefit
from tuner.config.recipe import Recipe
from tuner.results.overview import StudySummary, trials_json
from tuner.results.trials import TrialResult, front_of, standings_of, winner
from tuner.search.confirmation import Standing, lead


def study_json(
    recipe: Recipe, summary: StudySummary, trials: list[TrialResult], refit: KeptRefit | None
) -> dict[str, Any]:
    """Return the best trial, the confirmations, the refit and the counts; values are null if no trial is complete.

    Args:
        recipe: The study's recipe.
        summary: Its counts.
        trials: All trials, in order.
        refit: The refit of the best trial, if there is one. Its test metrics replace those of the trial.
    """
    result = best_json(winner(trials, recipe), recipe, summary)
    if refit is not None:
        result["test"] = refit.test
    if recipe.objective.several:
        result |= {"objectives": list(recipe.objective.names), "front": front_json(front_of(trials, recipe))}
    found = standings_of(trials, recipe)
    return {**result, "confirmed": standings_json(found), "lead": lead_json(found), "refit": refit_json(refit)}


def best_json(best: TrialResult | None, recipe: Recipe, summary: StudySummary) -> dict[str, Any]:
    """Return the object that ``study start --json`` and ``study best --json`` print."""
    found: Mapping[str, Any] = asdict(best) if best else {}
    metrics = best.metrics if best else {}
    return {
        "study": summary.name,
        "trial": found.get("number"),
        "objective": recipe.objective.metric,
        "direction": recipe.objective.direction,
        "value": found.get("value"),
        "params": found.get("all_params", {}),
        "metrics": {name: metrics.get(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")},
        **{name: found.get(name) for name in ("best_epoch", "epochs", "seconds", "parameters", "test")},
        "trials": trials_json(summary.counts, summary.limit),
    }


def front_json(front: Sequence[TrialResult]) -> list[dict[str, object]]:
    """Return plain data for JSON, best in the first objective first."""
    return [{"trial": trial.number, "values": dict(trial.values), "params": dict(trial.all_params)} for trial in front]


def standings_json(found: Sequence[Standing]) -> list[dict[str, object]]:
    """Return plain data for JSON, the winner first."""
    return [
        {
            "trial": each.trial,
            "mean": each.mean,
            "standard_error": each.error,
            "values": list(each.values),
            "seeds": list(each.seeds),
        }
        for each in found
    ]


def lead_json(found: Sequence[Standing]) -> dict[str, object] | None:
    """Return plain data for JSON; ``None`` where the lead cannot be judged."""
    ahead = lead(list(found))
    if ahead is None:
        return None
    return {"difference": ahead.difference, "standard_error": ahead.error, "within_noise": ahead.within_noise}


def refit_json(refit: KeptRefit | None) -> Mapping[str, object] | None:
    """Return plain data for JSON."""
    return None if refit is None else {"epochs": refit.epochs, "rows": refit.rows, "test": refit.test}
