"""A recipe is read from TOML, completed with defaults, and restored from its snapshot in the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tuner_search_spaces
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes import small_recipe
from tuner.config.dimensions import Choice, Float, Int
from tuner.config.hyperparameters import DEFAULTS
from tuner.config.recipe import Recipe, parse_recipe
from tuner.config.recipe_files import load_recipe
from tuner.config.tables import parse_duration
from tuner.data.sklearn_tables import NAMED_TABLES
from tuner.errors import RecipeError

PARTS = st.none() | st.integers(0, 500) | st.floats(0, 500).map(lambda x: round(x, 2))


@given(hours=PARTS, minutes=PARTS, seconds=PARTS, upper=st.booleans())
def test_a_duration_is_the_sum_of_its_parts(
    hours: float | None, minutes: float | None, seconds: float | None, upper: bool
) -> None:
    """A text may contain hours, minutes and seconds in this order. Each of the three is optional."""
    parts = [(hours, "h", 3600), (minutes, "m", 60), (seconds, "s", 1)]
    text = "".join(f"{count}{unit}" for count, unit, _ in parts if count is not None)
    if not text:
        return

    total = sum((count or 0) * factor for count, _, factor in parts)
    assert parse_duration(f" {text.upper() if upper else text} ") == pytest.approx(total)


@pytest.mark.parametrize("text", ["", "s", "10", "10 m", "10min", "1m1h", "-5s", "1e3s", "1.s", "soon", "5s5s"])
def test_other_texts_are_not_durations(text: str) -> None:
    """The message shows the right format and the text."""
    with pytest.raises(ValueError, match="written like '90s', '10m' or '1h30m', got"):
        parse_duration(text)


def test_a_number_of_seconds_needs_no_unit() -> None:
    """Python callers can pass numbers."""
    assert parse_duration(90) == 90
    assert small_recipe(budget={"timeout": 90}).budget.timeout == 90.0


@pytest.mark.parametrize("name", sorted({*tuner_search_spaces.names()} - NAMED_TABLES.keys()))
def test_every_built_in_search_survives_its_snapshot(name: str) -> None:
    """It loads, has its own name, and is equal after JSON, so that a study can compare recipes."""
    recipe = load_recipe(name)
    snapshot = json.loads(json.dumps(recipe.model_dump(mode="json"), allow_nan=False))
    again = parse_recipe(snapshot, "the snapshot")

    assert recipe.name == name
    assert again == recipe
    assert again.search_space.dimensions == recipe.search_space.dimensions
    assert again.search_space.fixed == recipe.search_space.fixed


@pytest.mark.parametrize("name", sorted({*tuner_search_spaces.names()} - NAMED_TABLES.keys()))
def test_every_built_in_search_contains_only_possible_networks(name: str) -> None:
    """Its smallest and largest configurations and its start configurations are valid."""
    recipe = load_recipe(name)

    for end in (0, -1):
        drawn = recipe.search_space.draw(lambda _, dimension, end=end: dimension.ends()[end])  # type: ignore[misc]
        assert set(recipe.hyperparameters(drawn).as_params()) >= set(DEFAULTS)
    assert all(recipe.start_params(number) for number in range(len(recipe.start)))
    assert recipe.start_params(len(recipe.start)) is None


def test_a_file_needs_only_a_data_set_and_a_space(tmp_path: Path) -> None:
    """Everything else has a default. The study is named after the file. A byte order mark is ignored."""
    path = tmp_path / "my search.toml"
    path.write_text('data = "digits"\n[space]\ndropout = 0.5\n', encoding="utf-8-sig")
    recipe = load_recipe(str(path))

    assert (recipe.name, recipe.budget.trials, recipe.search.sampler) == ("my search", 40, "auto")
    assert (recipe.objective.metric, recipe.objective.direction) == ("val_accuracy", "maximize")
    assert recipe.hyperparameters({}).dropout == 0.5


def test_a_data_file_is_relative_to_the_toml_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder does not matter."""
    (tmp_path / "searches").mkdir()
    (tmp_path / "searches" / "my.toml").write_text('data = "../rows.npz"\n[space]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert load_recipe("searches/my.toml").data == str(tmp_path / "rows.npz")


def test_entries_of_the_space_are_dimensions_or_fixed_values() -> None:
    """A table is a dimension, a plain value is fixed, and a list of units is one width per layer."""
    recipe = small_recipe(
        space={
            "units": [32, 16],
            "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
            "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
            "batch_size": {"type": "int", "low": 32, "high": 128, "step": 32},
            "batch_norm": True,
        }
    )

    assert {name: type(dimension) for name, dimension in recipe.search_space.dimensions.items()} == {
        "optimizer": Choice,
        "batch_size": Int,
        "momentum": Float,
    }
    assert recipe.search_space.fixed == {"layers": 2, "units_0": 32, "units_1": 16, "batch_norm": True}
    assert recipe.hyperparameters({"optimizer": "adam"}).hidden == (32, 16)


def test_a_condition_can_be_met_by_a_default() -> None:
    """The default optimizer is Adam, so a dimension that depends on Adam is drawn."""
    when = {"optimizer": ["adam", "adamw"]}
    recipe = small_recipe(space={"dropout": {"type": "float", "low": 0.1, "high": 0.2, "when": when}})

    assert recipe.search_space.draw(lambda _, dimension: dimension.ends()[0]) == {"dropout": 0.1}


def test_start_configurations_may_list_widths() -> None:
    """The list is replaced by the names that the sampler uses."""
    space = {"units": {"type": "int", "low": 8, "high": 64}, "layers": {"type": "int", "low": 0, "high": 3}}
    recipe = small_recipe(space=space, start=[{"label": "known", "params": {"units": [64, 8]}}])

    assert recipe.start_params(0) == {"layers": 2, "units_0": 64, "units_1": 8}


def test_settings_are_replaced_in_a_copy() -> None:
    """``None`` replaces nothing, and other settings stay."""
    recipe = small_recipe()
    changed = recipe.changed(
        recipe={"validation": 360}, budget={"trials": 12, "epochs": None, "timeout": "2m"}, search={"pruner": "sha"}
    )

    assert (changed.validation, changed.budget.trials, changed.budget.timeout) == (360, 12, 120.0)
    assert (changed.budget.epochs, changed.search.pruner, changed.search.sampler) == (4, "sha", "random")
    assert changed.space == recipe.space
    assert recipe.budget.trials == 6


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"search": {"sampler": "tep"}}, "the command line: search.sampler: must be 'auto', 'tpe'.*, got 'tep'"),
        ({"search": {"sampler": "grid"}}, "'learning_rate' is any number from 0.001 to 0.5 .the command line."),
        ({"budget": {"trials": 0}}, "the command line: budget.trials: must be greater than or equal to 1, got 0"),
        ({"recipe": {"validation": -0.2}}, "the command line: validation: must be greater than 0, got -0.2"),
    ],
)
def test_replaced_settings_are_checked_like_a_file(tables: dict[str, Any], message: str) -> None:
    """The message names the command line."""
    with pytest.raises(RecipeError, match=message):
        small_recipe().changed(**tables)


def test_a_grid_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid is only generated up to the limit."""
    monkeypatch.setattr("tuner.config.recipe.MAX_GRID", 50)
    units = {"type": "int", "low": 1, "high": 65_536}

    with pytest.raises(RecipeError, match="the grid has more than 50 configurations") as caught:
        small_recipe(space={"units": units, "layers": 2}, search={"sampler": "grid"})

    assert "larger steps" in str(caught.value.hint)


def test_a_recipe_cannot_be_changed_in_place() -> None:
    """So the parts of a run can share it."""
    recipe: Recipe = small_recipe()

    with pytest.raises(ValueError, match="frozen"):
        recipe.budget.trials = 3  # type: ignore[misc]
