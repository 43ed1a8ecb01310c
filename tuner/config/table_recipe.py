"""The default search for a table. Batch size, epochs and start configurations follow from the target and the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tuner_search_spaces

from tuner.config.objectives import Metric
from tuner.config.recipe import Recipe
from tuner.config.recipe_files import check_recipe, read_recipe_file

# Batch sizes of tables with fewer rows than so many: even small tables get some hundred steps, and large ones finish.
_BATCHES = ((1_000, 64), (4_000, 128), (60_000, 256), (250_000, 512))
_LARGEST_BATCH = 1024
_STEPS = 20_000  # of the longest trial, a minute or two on one core: tables with many rows train fewer epochs
_FEWEST_EPOCHS = 8
_FEW = 500  # validation rows; with fewer, many trials have the same accuracy and area, so the loss decides
_MOST_VALIDATION_ROWS = 10_000


def is_incomplete(raw: Mapping[str, object]) -> bool:
    """Return whether the tables of a recipe leave the search space to :func:`table_recipe`."""
    return "table" in raw and "space" not in raw


def table_recipe(
    given: Mapping[str, Any],
    *,
    metric: Metric,
    classes: bool,
    rows: int,
    skewed: bool = False,
    source: str = "the default search",
) -> Recipe:
    """Return the default search for a table.

    Args:
        given: The tables of the recipe that are given, at least ``name``, ``data`` and ``table``. They replace those of
            the default search, setting by setting.
        metric: What trials are compared by, if there are enough validation rows; else classes are compared by the loss.
        classes: Whether the target is a class.
        rows: Number of rows for training and validation.
        skewed: Whether the target is a positive number with a long tail, so that its logarithm may be easier to learn.
        source: Name of the file, for messages.

    Raises:
        RecipeError: If a setting is wrong.
    """
    raw = read_recipe_file(tuner_search_spaces.table_default())
    batch = next((size for most, size in _BATCHES if rows < most), _LARGEST_BATCH)
    epochs = raw["budget"]["epochs"]
    raw["budget"]["epochs"] = max(_FEWEST_EPOCHS, min(epochs, _STEPS * batch // max(1, rows)))
    validated = min(raw["validation"] * rows, _MOST_VALIDATION_ROWS)
    if validated == _MOST_VALIDATION_ROWS:
        raw["validation"] = _MOST_VALIDATION_ROWS
    few = classes and validated < _FEW
    if "objectives" not in given:
        raw["objective"] = {"metric": "val_loss" if few else metric}
    trained = rows - validated
    while batch > max(1, trained):
        batch //= 2
    raw["space"]["batch_size"] = {"type": "choice", "choices": [size for size in (batch, 2 * batch) if size <= trained]}
    if classes:
        raw["space"]["label_smoothing"] = {"type": "choice", "choices": [0.0, 0.1]}
    raw["space"]["activation"] = "selu" if classes else "mish"
    if skewed:
        raw["space"]["target_transform"] = {"type": "choice", "choices": ["none", "log"]}
    smoothing = 0.0 if few else 0.1  # smoothed labels make the loss larger, though the classes are right
    raw["start"] = _starts(classes=classes, skewed=skewed, batch=batch, smoothing=smoothing)
    for name, value in given.items():
        both = isinstance(value, Mapping) and isinstance(raw.get(name), Mapping)
        raw[name] = {**raw[name], **value} if both else value
    return check_recipe(raw, source)


def _starts(*, classes: bool, skewed: bool, batch: int, smoothing: float) -> list[dict[str, Any]]:
    """Return start configurations: those that do best on many tables without any search.

    Source: Holzmüller et al. 2024, Better by Default, table A.1.
    """
    common: dict[str, Any] = {"layers": 3, "units": 256, "batch_size": batch, "beta_2": 0.95}
    if classes:
        common["label_smoothing"] = smoothing
    tuned = {
        **common,
        "numeric_embedding": "periodic",
        "periodic_scale": 0.1,
        "learning_rate": 0.04 if classes else 0.2,
        "dropout": 0.15,
        "weight_decay": 0.02,
    }
    simple = {
        **common,
        "numeric_embedding": "none",
        "learning_rate": 0.04 if classes else 0.07,
        "dropout": 0.0,
        "weight_decay": 1e-3,
    }
    starts = [("RealMLP-TD", tuned), ("RealMLP-TD-S", simple)]
    if skewed:
        starts = [(label, {**params, "target_transform": "none"}) for label, params in starts]
        starts.insert(1, ("RealMLP-TD, logarithm", {**tuned, "target_transform": "log"}))
    return [{"label": label, "params": params} for label, params in starts]
