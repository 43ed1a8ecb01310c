"""The confirmation of the best configurations, as a table and as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tuner.report.tables import new_table
from tuner.report.text import brief, metric
from tuner.search.confirmation import Standing, lead

if TYPE_CHECKING:
    from tuner_storage.copies import KeptRefit

    from tuner.config.recipe import Recipe
    from tuner.results.trials import TrialResult


def standings_table(standings: Sequence[Standing], trials: Mapping[int, TrialResult], recipe: Recipe) -> Table:
    """Return one row per confirmed configuration, the best mean first. ``trials`` has the trials of the search."""
    table = new_table("The best configurations with further seeds")
    for name in ("trial", "seeds", f"mean {recipe.objective.metric}", "± standard error"):
        table.add_column(name, justify="right")
    table.add_column("values")
    table.add_column("configuration", overflow="fold")
    for standing in standings:
        trial = trials[standing.trial]
        table.add_row(
            str(standing.trial),
            str(len(standing.seeds)),
            metric(standing.mean),
            metric(standing.error),
            " ".join(metric(value) for value in standing.values),
            trial.label or brief(trial.all_params),
        )
    return table


def describe_lead(standings: Sequence[Standing], recipe: Recipe) -> str:
    """Return by how much the winner leads, and whether that is significant; empty if the lead is unknown."""
    ahead = lead(list(standings))
    if ahead is None:
        return ""
    comparison = (
        f"Trial {ahead.first} leads trial {ahead.second} by {metric(ahead.difference)} in the mean "
        f"{recipe.objective.metric} of further seeds (standard error {metric(ahead.error)})"
    )
    if ahead.within_noise:
        return f"{comparison}. This is within the noise: either may be the better one."
    return f"{comparison}. This is more than the noise between seeds."


def describe_winner(standings: Sequence[Standing]) -> str:
    """Return which configuration won with further seeds; empty if none was confirmed."""
    if not standings:
        return ""
    first = standings[0]
    error = "" if first.error is None else f" ± {metric(first.error)}"
    seeds = "one further seed" if len(first.seeds) == 1 else f"{len(first.seeds)} further seeds"
    return f"With {seeds}, trial {first.trial} has the best mean, {metric(first.mean)}{error}: it is the winner."


def describe_refit(refit: KeptRefit) -> str:
    """Return how the refit was trained, and its metrics on the test split."""
    test = "".join(f"   test {name} {metric(value)}" for name, value in sorted((refit.test or {}).items()))
    return f"trained again on all {refit.rows} rows for {refit.epochs} epochs{test}"
