"""The default search for a table fits its target and its rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config.recipe import Recipe
from tuner.config.table_recipe import is_incomplete, table_recipe
from tuner.errors import RecipeError

GIVEN: dict[str, Any] = {"name": "t", "data": "t.csv", "table": {"target": "y"}}


def search(rows: int = 9_000, *, classes: bool = False, skewed: bool = False, **given_tables: Any) -> Recipe:
    """Return the default search for a table."""
    metric = "val_auc" if classes else "val_rmse"
    return table_recipe({**GIVEN, **given_tables}, metric=metric, classes=classes, rows=rows, skewed=skewed)  # type: ignore[arg-type]


@given(rows=st.integers(3, 10**8), classes=st.booleans(), skewed=st.booleans())
def test_a_search_for_any_number_of_rows_is_valid(rows: int, classes: bool, skewed: bool) -> None:
    """No batch is larger than the training rows, and no trial is endless."""
    recipe = search(rows, classes=classes, skewed=skewed and not classes)
    validated = recipe.validation if recipe.validation >= 1 else rows * recipe.validation

    batches = recipe.search_space.dimensions["batch_size"].ends()
    assert max(1, *map(int, batches)) <= max(1, rows - validated)
    assert 8 <= recipe.budget.epochs <= 256
    assert validated <= 10_000
    for number, start in enumerate(recipe.start):
        assert recipe.hyperparameters({**(recipe.start_params(number) or {})}).label_smoothing >= 0, start


@pytest.mark.parametrize(("rows", "epochs"), [(300, 256), (16_512, 256), (100_000, 102), (10**6, 20), (10**7, 8)])
def test_larger_tables_train_fewer_epochs(rows: int, epochs: int) -> None:
    """So that a trial ends within minutes."""
    assert search(rows).budget.epochs == epochs


def test_the_first_trial_is_the_best_default_that_is_known() -> None:
    """Another activation and rate for classes, and the logarithm second if the target is skewed."""
    numbers, classes, skewed = search(), search(classes=True), search(skewed=True)

    assert numbers.hyperparameters(numbers.start_params(0) or {}).model_dump(
        include={"activation", "learning_rate"}
    ) == {"activation": "mish", "learning_rate": 0.2}
    assert classes.hyperparameters(classes.start_params(0) or {}).model_dump(
        include={"activation", "learning_rate", "label_smoothing"}
    ) == {"activation": "selu", "learning_rate": 0.04, "label_smoothing": 0.1}
    assert [start.params.get("target_transform") for start in skewed.start] == ["none", "log", "none"]
    assert [start.params["numeric_embedding"] for start in classes.start] == ["periodic", "none"]


def test_few_validation_rows_are_compared_by_the_loss() -> None:
    """Without smoothed labels, which make it larger."""
    few = search(300, classes=True)

    assert few.objective.metric == "val_loss"
    assert few.hyperparameters(few.start_params(0) or {}).label_smoothing == 0
    assert search(300).objective.metric == "val_rmse"


def test_what_is_given_replaces_the_default_setting_by_setting() -> None:
    """The other settings of a table stay."""
    recipe = search(budget={"trials": 7}, winner={"ensemble": 0}, objective={"metric": "val_mae"})

    assert (recipe.budget.trials, recipe.budget.epochs) == (7, 256)
    assert recipe.winner.ensemble == 0
    assert recipe.objective.metric == "val_mae"


def test_a_wrong_setting_is_refused() -> None:
    """With its name."""
    with pytest.raises(RecipeError, match="unknown setting 'trails'"):
        search(budget={"trails": 7})


def test_only_a_recipe_of_a_table_without_a_space_is_incomplete() -> None:
    """Others are as their author wrote them."""
    assert is_incomplete(GIVEN)
    assert not is_incomplete({**GIVEN, "space": {}})
    assert not is_incomplete({"data": "digits"})
