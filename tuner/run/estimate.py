"""Estimates roughly how long a search will take, before its first trial."""

from __future__ import annotations

import itertools
import math

from tuner.config.dimensions import Choice, Float, Int
from tuner.config.recipe import Recipe
from tuner.config.remarks import remarks
from tuner.config.tables import PAUSING_PRUNERS
from tuner.data.schema import DataSchema
from tuner.data.split import count_validation
from tuner.records import Counts
from tuner.run.progress import DiskSpace, Plan
from tuner.search.successive_halving import REDUCTION, rung_levels

# Measured on one core of a 2-core cloud machine with the search for MNIST: see benchmarks/study.py.
FLOPS_PER_CORE = 3e10
SECONDS_PER_TRIAL = 0.3  # building, tracing, keeping the model
STARTUP_SECONDS = 15.0  # importing TensorFlow, loading the data
PRUNED_SHARE = 0.75  # of the epochs that one of Optuna's pruners lets a study train


def plan_run(
    study: str, recipe: Recipe, counts: Counts, *, rows: int, schema: DataSchema, workers: int, disk: DiskSpace
) -> Plan:
    """Return the plan of a run.

    Args:
        study: The study's name.
        recipe: The search.
        counts: The trials so far.
        rows: Number of rows for training and validation.
        schema: Input and target of the models.
        workers: How many trials run at the same time.
        disk: The disk of the study's files.
    """
    finished = counts.ended + counts.paused
    whole = expected_seconds(
        recipe,
        rows=rows,
        inputs=schema.table.features if schema.table else schema.features,
        classes=schema.outputs,
        workers=workers,
    )
    return Plan(
        study=study,
        finished=finished,
        limit=recipe.trial_limit(counts.refused),
        epochs=recipe.budget.epochs,
        workers=workers,
        seconds=whole * (1 - finished / max(finished, recipe.trials)),
        timeout=recipe.budget.timeout,
        disk=disk,
        whole_grid=recipe.sampler == "grid" and recipe.budget.trials >= len(recipe.grid),
        remarks=remarks(recipe, rows - count_validation(rows, recipe.validation)),
    )


def expected_seconds(recipe: Recipe, *, rows: int, inputs: int, classes: int, workers: int) -> float:
    """Estimate the wall time of a whole search on the CPU, from a network in the middle of the search space.

    Args:
        recipe: The search.
        rows: Training rows.
        inputs: Values per row.
        classes: Number of outputs.
        workers: How many trials run at the same time.

    Returns:
        Seconds, at most the recipe's timeout.
    """
    layers = round(_middle(recipe, "layers", 2))
    widths = [inputs, *[_middle(recipe, "units", 128)] * layers, classes]
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    # Forward and backward pass: 2 + 4 operations per weight and row (Kaplan et al. 2020, section 2.1).
    epoch = 6 * weights * rows / FLOPS_PER_CORE
    share = _share(recipe)
    starts = recipe.start[: recipe.trials]
    trials = sum((start.epochs or recipe.budget.epochs) * epoch + SECONDS_PER_TRIAL for start in starts)
    sampled = recipe.trials - len(starts)
    trials += sampled * (recipe.budget.epochs * epoch * share + SECONDS_PER_TRIAL)
    total = STARTUP_SECONDS + trials / workers
    return min(total, recipe.budget.timeout or math.inf)


def _share(recipe: Recipe) -> float:
    """Return the share of all epochs that the pruner lets a study train. Brackets are ignored."""
    if recipe.search.pruner not in PAUSING_PRUNERS:
        return 1.0 if recipe.search.pruner == "none" else PRUNED_SHARE
    levels = (0, *rung_levels(recipe.budget.epochs, cyclic=recipe.cyclic), recipe.budget.epochs)
    steps = enumerate(itertools.pairwise(levels))
    return sum((high - low) / float(REDUCTION**k) for k, (low, high) in steps) / recipe.budget.epochs


def _middle(recipe: Recipe, name: str, default: float) -> float:
    entry = recipe.space.get(name, recipe.search_space.fixed.get(name, default))
    if isinstance(entry, Choice | list):
        choices = entry.choices if isinstance(entry, Choice) else entry
        numbers = [float(choice) for choice in choices if not isinstance(choice, str)]
        return sum(numbers) / len(numbers) if numbers else default
    if isinstance(entry, Float | Int):
        return math.sqrt(entry.low * entry.high) if entry.log else (entry.low + entry.high) / 2
    return float(entry)
