"""Checks a search as a run would, with its data if they are on this machine. Writes and downloads nothing."""

from __future__ import annotations

from pathlib import Path

from tuner.config.recipe import Recipe
from tuner.data.lookup import is_at_hand, load_dataset, load_table_file
from tuner.data.schema import DataSchema
from tuner.data.settle import settle
from tuner.errors import RecipeError
from tuner.search.samplers import check_sampler
from tuner.search.size_limit import check_starts, weights_for


def check_search(recipe: Recipe, data_dir: Path | None) -> bool:
    """Check what a run checks before it writes anything.

    Args:
        recipe: The search.
        data_dir: Folder that is searched first for data sets.

    Returns:
        Whether the data are on this machine. If not, their rows were not checked.

    Raises:
        RecipeError: If the objective is no metric of the task, a start configuration is too large, or the sampler
            cannot be used.
        DataError: If the data are malformed, or cannot be split.
    """
    recipe = recipe.with_sampler_chosen(None)
    check_sampler(recipe)
    if not is_at_hand(recipe.data, data_dir):
        return False
    data = (
        load_dataset(recipe.data, data_dir, download=False)
        if recipe.table is None
        else load_table_file(recipe.data, recipe.table, recipe.task, data_dir)
    )
    schema = settle(data, recipe.validation, recipe.split_seed).schema
    check_metric(recipe, schema)
    check_starts(recipe, weights_for(schema))
    return True


def check_metric(recipe: Recipe, schema: DataSchema) -> None:
    """Check that the first objective and all others are measured for this target.

    Raises:
        RecipeError: If one is not.
    """
    for name in recipe.objective.names:
        if name.startswith("val_") and name not in schema.metrics:
            kind = schema.task.name if schema.table is not None else "images and arrays"
            raise RecipeError(f"{name} is no metric of {kind}", hint=f"choose one of: {', '.join(schema.metrics)}")
