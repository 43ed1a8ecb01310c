"""Samplers: the first trials cover the space, how `auto` is resolved, and how TPE is set up."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.stats import qmc
from tuner_storage import Location, locate

from tests.recipes import small_recipe
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.config.kept import continuing
from tuner.config.recipe import Recipe
from tuner.config.recipe_files import load_recipe
from tuner.errors import RecipeError
from tuner.executors.inline import InlineExecutor
from tuner.search.samplers import good_trials, make_sampler, sobol_point
from tuner.study import Study

FLAT: dict[str, Any] = {
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "input_dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "label_smoothing": {"type": "float", "low": 0.0, "high": 0.5},
    "momentum": {"type": "float", "low": 0.0, "high": 0.5},
}
FEW: dict[str, Any] = {
    "layers": {"type": "int", "low": 0, "high": 1},
    "units": {"type": "choice", "choices": [8, 16]},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "step": 0.2, "when": {"optimizer": "sgd"}},
}
FEW_COUNT = (1 + 2) * (1 + 3)
RATES: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "layers": 1,
    "units": 8,
}


def recipe_for(sampler: str, space: dict[str, Any], trials: int = 20, seed: int = 0) -> Recipe:
    """Return a search with this sampler over this space."""
    search = {"sampler": sampler, "pruner": "none", "seed": seed}
    return small_recipe(space=space, search=search, budget={"trials": trials, "epochs": 4})


def first_points(count: int, seed: int) -> Any:
    """Return the first trials over ``FLAT``, scaled to [0, 1], shape ``(count, dimensions)``."""
    recipe = recipe_for("tpe", FLAT, seed=seed)
    points = [sobol_point(recipe, number, {}) for number in range(count)]
    return np.array([[float(point[name]) * 2 for name in FLAT] for point in points])


@pytest.mark.parametrize("seed", range(5))
def test_eight_trials_hit_every_quarter_of_a_dimension_twice(seed: int) -> None:
    """With any seed. Random trials leave quarters out."""
    for column in first_points(8, seed).T:
        assert Counter(int(u * 4) for u in column) == {0: 2, 1: 2, 2: 2, 3: 2}


def test_ten_trials_cover_the_space_better_than_random_ones() -> None:
    """Their discrepancy, the largest of 20 seeds, is below that of 95 % of random designs."""
    sobol = [qmc.discrepancy(first_points(10, seed)) for seed in range(20)]
    random = [qmc.discrepancy(np.random.default_rng(seed).random((10, len(FLAT)))) for seed in range(200)]

    assert max(sobol) < np.quantile(random, 0.05)


def test_a_point_follows_from_seed_and_number_alone() -> None:
    """The order of the recipe, the budget and earlier calls do not matter. Another seed gives other points."""
    recipe = load_recipe("mnist")
    reordered = recipe.changed(recipe={"space": dict(reversed(recipe.model_dump(mode="json")["space"].items()))})
    point = sobol_point(recipe, 7, {})

    assert sobol_point(reordered.changed(budget={"trials": 99}), 7, {}) == point
    assert sobol_point(recipe, 6, {}) != point
    assert sobol_point(recipe.changed(search={"seed": 1}), 7, {}) != point


def test_a_fixed_parameter_changes_no_other_coordinate() -> None:
    """A start configuration gets its open parameters from the point, the widths of all its layers included."""
    recipe = load_recipe("fashion_mnist")
    free, fixed = sobol_point(recipe, 3, {}), sobol_point(recipe, 3, {"layers": 3, "optimizer": "sgd"})

    assert {"units_0", "units_1", "units_2", "momentum"} <= set(fixed)
    assert all(fixed[name] == value for name, value in free.items() if name not in {"layers", "optimizer"})


def test_a_space_without_dimensions_has_an_empty_point() -> None:
    """If every parameter is fixed, nothing is drawn."""
    assert sobol_point(recipe_for("tpe", {"layers": 1}), 5, {}) == {}


@pytest.mark.parametrize(
    ("space", "trials", "expected"),
    [
        (FEW, FEW_COUNT, "grid"),
        (FEW, FEW_COUNT - 1, "tpe"),
        (RATES, 10**6, "tpe"),
        ({"units": {"type": "int", "low": 8, "high": 64, "log": True}, "layers": 1}, 40, "tpe"),
        ({"layers": 1}, 1, "grid"),
    ],
)
def test_auto_is_a_grid_if_the_budget_covers_the_whole_space(space: dict[str, Any], trials: int, expected: str) -> None:
    """The grid must hold every value. A logarithmic range has more values than its grid."""
    recipe = recipe_for("auto", space, trials)

    assert recipe.sampler == expected
    assert recipe.trials == (min(trials, len(recipe.grid)) if expected == "grid" else trials)
    assert recipe.with_sampler_chosen(None).search.shown == f"auto ({expected})"


@pytest.mark.parametrize(("trials", "expected"), [(FEW_COUNT, "grid"), (3, "tpe")])
def test_auto_keeps_its_sampler_when_a_study_is_continued(trials: int, expected: str) -> None:
    """Even with more or fewer trials. If the study starts again, the sampler is chosen again."""
    before = recipe_for("auto", FEW, trials).with_sampler_chosen(None)
    for now in (2, 100):
        continued = continuing(recipe_for("auto", FEW, now), before, {}).recipe
        chosen = continued.with_sampler_chosen(before)

        assert (chosen.sampler, chosen.budget.trials) == (expected, now)
        assert chosen.with_sampler_chosen(None).sampler == ("tpe" if now == 2 else "grid")


def test_auto_after_another_sampler_is_tpe() -> None:
    """Trial n of a grid is its configuration n, so a grid would skip the configurations of the trials so far."""
    random = recipe_for("random", FEW).with_sampler_chosen(None)
    explicit = (
        recipe_for("auto", FEW).with_sampler_chosen(None).changed(search={"sampler": "tpe"}).with_sampler_chosen(None)
    )

    assert recipe_for("auto", FEW).with_sampler_chosen(random).search.shown == "auto (tpe)"
    assert (explicit.search.chosen, explicit.search.shown) == (None, "tpe")
    assert recipe_for("auto", FEW).with_sampler_chosen(recipe_for("grid", FEW)).search.shown == "auto (grid)"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies that train in this process use the scripted trainer."""
    monkeypatch.setattr(
        "tuner.executors.registry.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer)
    )


def study_for(recipe: Recipe, location: Location) -> Study:
    """Return the study 'small' with a recipe that no file holds."""
    return Study("small", recipe, location, None)


@pytest.mark.usefixtures("scripted")
def test_a_study_stores_and_shows_the_sampler_that_auto_chose(home: Path) -> None:
    """The budget of the first run decides. Later runs keep the choice unless the study starts again."""
    location = locate(home=home)
    study = study_for(recipe_for("auto", FEW, 40), location)
    study.run(trials=5, executor="inline")
    again = study_for(recipe_for("auto", FEW, 40), location)
    again.run(executor="inline", trials=14)

    assert study.settings().search.shown == again.settings().search.shown == "auto (tpe)"
    assert len(again.trials()) == 14
    again.run(executor="inline", trials=40, fresh=True)
    assert again.settings().search.shown == "auto (grid)"
    assert len(again.trials()) == FEW_COUNT


def test_without_torch_gp_is_refused_before_anything_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is missing, the hint how to install it."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else find_spec(name))
    with pytest.raises(RecipeError, match="sampler 'gp' needs torch, not installed here") as caught:
        study_for(small_recipe(), locate(home=home)).run(sampler="gp", executor="inline")

    assert caught.value.hint == "pip install 'mlp-tuner[gp]'"
    assert not home.exists()


def test_tpe_treats_a_falling_share_of_the_trials_as_good() -> None:
    """The number grows with the trials up to 25, and is never more than half of them."""
    counts = [good_trials(n) for n in range(1, 1000)]

    assert counts == sorted(counts)
    assert [good_trials(n) for n in (6, 12, 24, 60, 500)] == [2, 4, 8, 9, 25]
    assert all(count <= 1 or count <= n / 2 for n, count in enumerate(counts, 1))


def test_tpe_uses_our_number_of_good_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna's argument for it is deprecated, so we set the attribute that the argument sets."""
    finished: list[int] = []

    def one(trials: int) -> int:
        finished.append(trials)
        return 1

    monkeypatch.setattr("tuner.search.samplers.good_trials", one)
    study = optuna.create_study(sampler=make_sampler(recipe_for("tpe", FLAT), 20))
    for _ in range(10):
        study.add_trial(
            optuna.trial.create_trial(
                params={"x": 0.5}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)}, value=1.0
            )
        )
    study.ask().suggest_float("x", 0, 1)

    assert set(finished) == {10}
