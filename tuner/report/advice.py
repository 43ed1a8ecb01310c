"""Recommends the next step for a study: continue, more trials, a new study, or the best model."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from tuner.command_line import command
from tuner.config.recipe import Recipe
from tuner.report.text import join_words
from tuner.results.best_regions import Interval, Region
from tuner.results.trials import TrialResult
from tuner.search.stopping import TARGET, reason_to_end

TOP_TRIALS = 3  # the best trials that show whether there were enough epochs
_MANY_TRIALS = 20  # with so many, another trial is no longer the first advice
_LATE = 1 / 5  # if the best trial is in this last share of the ended trials, more trials may help
_ENDED = ("complete", "pruned", "failed")


def next_step(
    name: str, recipe: Recipe, trials: Sequence[TrialResult], done: Sequence[TrialResult], regions: Sequence[Region]
) -> str:
    """Return one or two sentences that recommend what to do next.

    Args:
        name: Name of the study.
        recipe: Its recipe.
        trials: All its trials.
        done: The complete trials with a finite value, the best first.
        regions: Where the best trials lie in the search space.
    """
    ended = ended_trials(trials)
    refused = sum(trial.state == "refused" for trial in trials)
    left = recipe.trial_limit(refused) - len(ended) - sum(trial.state == "paused" for trial in trials)
    if not done:
        return _without_complete_trial(name, ended, left)
    best, finished = done[0], [trial for trial in ended if trial.state != "failed"]
    reason = reason_to_end(recipe, (best.number, best.value or 0.0), lambda _: trials_after(finished, best))
    if reason == TARGET:
        return f"The target is reached. {_export(name)}"
    if left > 0 and reason is None:
        trials_left = "1 trial is left" if left == 1 else f"{left} trials are left"
        running = any(trial.state == "running" for trial in trials)
        return f"{trials_left}." if running else f"{trials_left}. Next, continue: `{command('study start', name)}`."
    if 2 * len(finished) < len(ended):
        return _look_at_failures(name)
    if changes := _changes(recipe, done, regions):
        return f"Next, try a new study with {join_words(changes)}."
    improving = len(ended) < _MANY_TRIALS or trials_after(ended, best) < _LATE * len(ended)
    more = improving and reason is None and recipe.sampler != "grid"
    return _more_trials(name, ended) if more else _export(name)


def ended_trials(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the trials that were trained and have ended."""
    return [trial for trial in trials if trial.state in _ENDED]


def trials_after(ended: Sequence[TrialResult], best: TrialResult) -> int:
    """Return how many of the ended trials have a higher number than the best one."""
    return sum(trial.number > best.number for trial in ended)


def value_of(trial: TrialResult) -> float | None:
    """Return the value of a trial, or ``None`` if it has none or is not a finite number."""
    return trial.value if trial.value is not None and isfinite(trial.value) else None


def still_learning(done: Sequence[TrialResult], recipe: Recipe) -> int:
    """Return how many of the best trials had their best value in their last epoch; 0 unless most of them did.

    Such trials might improve with more epochs. Trials with a cosine schedule are not counted: it lowers the learning
    rate to 0, so most of them have their best value in the last epoch, whatever the number of epochs.
    """
    top = done[:TOP_TRIALS]
    last = sum(
        trial.best_epoch is not None
        and trial.best_epoch + 1 == trial.epochs == recipe.budget.epochs
        and trial.all_params.get("schedule") != "cosine"
        for trial in top
    )
    return last if 2 * last > len(top) and recipe.budget.epochs > 1 else 0


def _changes(recipe: Recipe, done: Sequence[TrialResult], regions: Sequence[Region]) -> list[str]:
    """Return changes to the recipe that may help; they need a new study."""
    edges = [region.name for region in regions if isinstance(region, Interval) and region.end and not region.limit]
    epochs = [f"more than {recipe.budget.epochs} epochs"] if still_learning(done, recipe) else []
    return epochs + ([f"a wider range of {join_words(edges[:2])}"] if edges else [])


def _without_complete_trial(name: str, ended: Sequence[TrialResult], left: int) -> str:
    """Return what to do next if no trial is complete."""
    if not ended:
        return f"Next, continue until a trial is complete: `{command('study start', name)}`."
    if 2 * sum(trial.state == "failed" for trial in ended) > len(ended):
        return _look_at_failures(name)
    again = command("study start", name, pruner="none", trials=None if left > 0 else 2 * len(ended))
    return f"Next, let trials run to their end: `{again}`."


def _more_trials(name: str, ended: Sequence[TrialResult]) -> str:
    return f"Next, try more trials: `{command('study start', name, trials=2 * len(ended))}`."


def _export(name: str) -> str:
    return f"Next, use the best model: `{command('export', name, o='model/')}`."


def _look_at_failures(name: str) -> str:
    return f"Next, look at what went wrong: `{command('study trials', name, attempts=True)}`."
