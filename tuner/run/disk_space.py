"""Estimates how much disk space the models and checkpoints of a study need, before its first trial."""

from __future__ import annotations

import shutil
from pathlib import Path

from tuner_storage import Store
from tuner_storage.overview import read_lines

from tuner.config.dimensions import AnyDimension
from tuner.config.recipe import Recipe
from tuner.config.tables import PAUSING_PRUNERS
from tuner.records import ParamValue
from tuner.run.progress import DiskSpace
from tuner.search.size_limit import Weights

MODEL_BYTES = 4  # per weight: a model holds float32
CHECKPOINT_BYTES = 4 * MODEL_BYTES  # the weights, those of the best epoch, and two values per weight of the optimizer
RUNNING = 3  # checkpoints of a running trial: two are kept while the next one is written


def disk_space(store: Store, study: str, recipe: Recipe, weights: Weights, workers: int) -> DiskSpace:
    """Return the space that a study needs, and the space that the disk of its artifacts has for it."""
    used = sum(line.artifact_bytes for line in read_lines(store.database, study))
    free = shutil.disk_usage(_existing(store.artifacts.folder.absolute())).free
    return DiskSpace(store.artifacts.folder, bytes_needed(recipe, weights, workers), free + used)


def bytes_needed(recipe: Recipe, weights: Weights, workers: int) -> int:
    """Return an upper estimate of the size of all models and checkpoints: as if each had the largest network.

    Args:
        recipe: The search.
        weights: Counts the weights of a configuration.
        workers: How many trials run at the same time.
    """
    budget = recipe.budget
    largest = weights(recipe.hyperparameters(recipe.search_space.draw(_largest)))
    largest = min(largest, budget.max_parameters or largest)
    models = max(budget.keep, recipe.winner.confirm) + recipe.winner.refit + workers
    paused = budget.keep_checkpoints if recipe.search.pruner in PAUSING_PRUNERS else 0
    checkpoints = min(paused, budget.trials) + RUNNING * workers
    return largest * (MODEL_BYTES * models + CHECKPOINT_BYTES * checkpoints)


def _largest(_name: str, dimension: AnyDimension) -> ParamValue:
    return max(dimension.ends(), key=lambda value: 0.0 if isinstance(value, str) else float(value))


def _existing(folder: Path) -> Path:
    """Return the innermost folder that exists, of ``folder`` and its parents."""
    return next(path for path in (folder, *folder.parents) if path.exists())
