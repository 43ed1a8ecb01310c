"""The ladder: classic networks with published test accuracies, beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.config.recipe import Recipe

if TYPE_CHECKING:
    from tuner.results.trials import TrialResult

LadderRow = tuple[str, float | None, float | None]  # label, published and own test accuracy


def ladder_rows(recipe: Recipe, trials: list[TrialResult]) -> list[LadderRow]:
    """Return one row per rung in the recipe's order; ours is ``None`` where a rung was not trained and tested.

    Args:
        recipe: A recipe whose ``[[start]]`` configurations have references.
        trials: Those of its study; none where it was never run.
    """
    tested = {trial.label: trial.test.get("accuracy") for trial in trials if trial.test}
    return [(start.label, start.reference, tested.get(start.label)) for start in recipe.start]
