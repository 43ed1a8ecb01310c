"""Compares classic networks with the test accuracies that a book published for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.config.recipe import Recipe

if TYPE_CHECKING:
    from tuner.results.trials import TrialResult

LadderRow = tuple[str, float | None, float | None]  # label, published and own test accuracy


def ladder_rows(recipe: Recipe, trials: list[TrialResult]) -> list[LadderRow]:
    """Return one row per network, in the order of the recipe; our accuracy is ``None`` if it was not tested.

    Args:
        recipe: A recipe whose ``[[start]]`` configurations have a ``reference``.
        trials: The trials of its study; empty if it was never run.
    """
    tested = {trial.label: trial.test.get("accuracy") for trial in trials if trial.test}
    return [(start.label, start.reference, tested.get(start.label)) for start in recipe.start]
