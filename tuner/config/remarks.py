"""What a valid recipe does that its author may not expect, one line each."""

from __future__ import annotations

from tuner.config.recipe import Recipe
from tuner.config.space import SearchSpace

_OF_HIDDEN_LAYERS = ("units", "dropout", "activation", "batch_norm")


def remarks(recipe: Recipe, rows: int | None = None) -> tuple[str, ...]:
    """Return remarks for people about a recipe that is valid.

    Args:
        recipe: The search.
        rows: Rows that a trial trains on, if the data is known.
    """
    space = recipe.search_space
    return (*_few_configurations(recipe), *_without_effect(space), *_large_batches(space, rows))


def _few_configurations(recipe: Recipe) -> list[str]:
    """Say that there is nothing to search, or that a grid needs fewer trials than it may have."""
    trials, budget = recipe.trials, recipe.budget.trials
    instead = "" if trials == budget else f", so {trials} of {budget} trials {'is' if trials == 1 else 'are'} run"
    if recipe.search_space.fits(1):
        repeated = "" if trials == 1 else "; each trial trains it with another seed"
        return [f"there is nothing to search: [space] has one configuration{instead}{repeated}"]
    return [f"[space] has {trials} configurations{instead}"] if instead else []


def _without_effect(space: SearchSpace) -> list[str]:
    """Say which searched parameters can change nothing."""
    found = []
    if max(int(layers) for layers in space.possible("layers")) == 0:
        found += [
            f"'{name}' can have no effect: `layers` is always 0, and it belongs to hidden layers"
            for name in _OF_HIDDEN_LAYERS
            if name in space.dimensions
        ]
    if "momentum" in space.dimensions and "sgd" not in space.possible("optimizer"):
        found.append("'momentum' can have no effect: only the optimizer sgd uses it, and it is never chosen")
    return found


def _large_batches(space: SearchSpace, rows: int | None) -> list[str]:
    largest = max(int(size) for size in space.possible("batch_size"))
    if rows is None or largest <= rows:
        return []
    return [f"a batch_size of {largest} is more than the {rows} training rows: each step then takes all rows"]
