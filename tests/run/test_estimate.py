"""The estimated time of a search grows with the work and shrinks with the number of workers."""

from __future__ import annotations

from typing import Any

import pytest
import tuner_search_spaces

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.run.estimate import SECONDS_PER_TRIAL, STARTUP_SECONDS, expected_seconds
from tuner.searches import load_search


def seconds(rows: int = 48_000, workers: int = 1, **changes: Any) -> float:
    """Estimate the time of a small search over images of 784 pixels, in seconds."""
    return expected_seconds(small_recipe(**changes), rows=rows, inputs=784, classes=10, workers=workers)


@pytest.mark.parametrize("name", sorted({*tuner_search_spaces.names()} - {"california_housing"}))  # needs a file
def test_training_counts_in_the_estimate_of_every_built_in_search_and_pruning_saves_a_part(name: str) -> None:
    """The estimate lies above that of a search over no rows, and not above that of the same search without a pruner."""
    recipe = load_search(name).recipe
    recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"timeout": None})})
    unpruned = recipe.changed(search={"pruner": "none"})

    def estimate(recipe: Recipe, rows: int) -> float:
        return expected_seconds(recipe, rows=rows, inputs=784, classes=10, workers=2)

    assert estimate(recipe, 0) == pytest.approx(STARTUP_SECONDS + recipe.trials * SECONDS_PER_TRIAL / 2)
    assert estimate(recipe, 0) < estimate(recipe, 48_000) <= estimate(unpruned, 48_000)
    if recipe.search.pruner == "asha":
        assert estimate(recipe, 48_000) < 0.75 * estimate(unpruned, 48_000)


def test_more_work_takes_longer() -> None:
    """Rows, trials, epochs and the size of the network count. A pruner saves a part."""
    base = seconds()

    assert seconds(rows=96_000) > base
    assert seconds(budget={"trials": 12, "epochs": 4}) > base
    assert seconds(budget={"trials": 6, "epochs": 8}) > base
    assert seconds(space={"layers": 3, "units": 512}) > base
    assert seconds(search={"sampler": "random", "pruner": "median"}) < base


def test_two_workers_halve_the_time_of_the_trials() -> None:
    """The time to start up stays the same."""
    assert seconds(workers=2) - STARTUP_SECONDS == pytest.approx((seconds() - STARTUP_SECONDS) / 2)


def test_the_timeout_bounds_the_estimate() -> None:
    """Even if the budget has 10,000 trials."""
    assert seconds(budget={"trials": 10_000, "timeout": "90s"}) == 90


@pytest.mark.parametrize(
    ("space", "fixed"),
    [
        ({"units": [64, 64]}, {"layers": 2, "units": 64}),
        ({"units": []}, {"layers": 0}),
        ({}, {"layers": 2, "units": 128}),
        (
            {"units": {"type": "int", "low": 16, "high": 64, "log": True}},
            {"units": 32},
        ),
        (
            {"layers": {"type": "choice", "choices": [0, 4]}, "units": {"type": "int", "low": 10, "high": 30}},
            {"layers": 2, "units": 20},
        ),
    ],
)
def test_the_estimate_is_for_a_network_in_the_middle_of_the_space(space: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Widths may be a list, a range or the default, the number of layers a choice."""
    assert seconds(space=space) == pytest.approx(seconds(space=fixed))


def test_start_configurations_count_with_their_own_epochs() -> None:
    """Start configurations beyond the budget of trials do not count."""
    starts = [{"label": str(i), "epochs": 8, "params": {"learning_rate": 0.1}} for i in range(3)]
    one = {"trials": 1, "epochs": 4}

    assert seconds(start=starts, budget=one) > seconds(budget=one)
    assert seconds(start=starts, budget=one) == seconds(start=starts[:1], budget=one)
    assert seconds(rows=0, start=starts, budget=one) == STARTUP_SECONDS + SECONDS_PER_TRIAL
