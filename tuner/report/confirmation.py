"""The winner: by how much it leads, and what it is once it was trained on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tuner.report.tables import new_table
from tuner.report.text import brief, metric
from tuner.search.confirmation import Standing, lead

if TYPE_CHECKING:
    from storage.copies import KeptRefit
    from tuner.config.recipe import Recipe
    from tuner.results.trials import TrialResult


def standings_table(found: Sequence[Standing], trials: Sequence[TrialResult], recipe: Recipe) -> Table:
    """Return one row per configuration that was trained with further seeds, the best mean first."""
    table = new_table("The best configurations with further seeds")
    for name in ("trial", "seeds", f"mean {recipe.objective.metric}", "± standard error"):
        table.add_column(name, justify="right")
    table.add_column("each")
    table.add_column("configuration", overflow="fold")
    for each in found:
        trial = trials[each.trial]
        table.add_row(
            str(each.trial),
            str(len(each.seeds)),
            metric(each.mean),
            metric(each.error),
            " ".join(metric(value) for value in each.values),
            trial.label or brief(trial.all_params),
        )
    return table


def describe_lead(found: Sequence[Standing], recipe: Recipe) -> str:
    """Return how far the winner is ahead, and whether that means anything; nothing where there is no second."""
    ahead = lead(list(found))
    if ahead is None:
        return ""
    said = (
        f"Trial {ahead.first} leads trial {ahead.second} by {metric(ahead.difference)} in the mean "
        f"{recipe.objective.metric} of further seeds (standard error {metric(ahead.error)})"
    )
    if ahead.within_noise:
        return f"{said}: that is within the noise, either may be the better one."
    return f"{said}: more than the noise between seeds."


def describe_winner(found: Sequence[Standing]) -> str:
    """Return which configuration won with further seeds; nothing where none was trained again."""
    if not found:
        return ""
    first = found[0]
    error = "" if first.error is None else f" ± {metric(first.error)}"
    seeds = "one further seed" if len(first.seeds) == 1 else f"{len(first.seeds)} further seeds"
    return f"With {seeds}, trial {first.trial} has the best mean, {metric(first.mean)}{error}: it is the winner."


def describe_refit(refit: KeptRefit) -> str:
    """Return what the winner is once it was trained on all rows."""
    test = "".join(f"   test {name} {metric(value)}" for name, value in sorted((refit.test or {}).items()))
    return f"trained again on all {refit.rows} rows for {refit.epochs} epochs{test}"
