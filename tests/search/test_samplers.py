"""The first trials cover the space, `auto` stays what it was, and samplers that must not run here are refused."""

from __future__ import annotations

import importlib.util
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.stats import qmc
from sqlalchemy import text

from storage import Location, locate
from storage.engine import Database
from tests.recipes import small_recipe
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.config.recipe import Recipe, load_recipe
from tuner.errors import RecipeError
from tuner.executors import InlineExecutor
from tuner.results.overview import list_studies
from tuner.search.samplers import check_sampler, good_trials, make_sampler, sobol_point
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
    """Return a recipe with a sampler over a space."""
    search = {"sampler": sampler, "pruner": "none", "seed": seed}
    return small_recipe(space=space, search=search, budget={"trials": trials, "epochs": 4})


def first_points(count: int, seed: int) -> Any:
    """Return the first trials over a flat space, in shares of its ranges, shape ``(count, dimensions)``."""
    recipe = recipe_for("tpe", FLAT, seed=seed)
    points = [sobol_point(recipe, number, {}) for number in range(count)]
    return np.array([[float(point[name]) * 2 for name in FLAT] for point in points])


@pytest.mark.parametrize("seed", range(5))
def test_of_eight_trials_each_quarter_of_a_dimension_is_hit_twice(seed: int) -> None:
    """Whatever the seed: random trials leave quarters out."""
    for column in first_points(8, seed).T:
        assert Counter(int(u * 4) for u in column) == {0: 2, 1: 2, 2: 2, 3: 2}


def test_ten_trials_cover_the_space_better_than_random_ones() -> None:
    """Their discrepancy, the largest of twenty seeds, is below that of 95 % of random designs."""
    sobol = [qmc.discrepancy(first_points(10, seed)) for seed in range(20)]
    chance = [qmc.discrepancy(np.random.default_rng(seed).random((10, len(FLAT)))) for seed in range(200)]

    assert max(sobol) < np.quantile(chance, 0.05)


def test_a_point_follows_from_seed_and_number_alone() -> None:
    """Not from the order of the file, the budget or what was asked before; another seed gives other points."""
    recipe = load_recipe("mnist")
    backwards = recipe.changed(recipe={"space": dict(reversed(recipe.model_dump(mode="json")["space"].items()))})
    later = sobol_point(recipe, 7, {})

    assert sobol_point(backwards.changed(budget={"trials": 99}), 7, {}) == later
    assert sobol_point(recipe, 6, {}) != later
    assert sobol_point(recipe.changed(search={"seed": 1}), 7, {}) != later


def test_what_is_fixed_changes_no_other_coordinate() -> None:
    """A start configuration that leaves something open gets the rest of the point, for as many layers as it has."""
    recipe = load_recipe("mnist")
    free, fixed = sobol_point(recipe, 3, {}), sobol_point(recipe, 3, {"layers": 3, "optimizer": "sgd"})

    assert {"units_0", "units_1", "units_2", "momentum"} <= set(fixed)
    assert all(fixed[name] == value for name, value in free.items() if name not in {"layers", "optimizer"})


def test_a_space_without_a_choice_has_one_point() -> None:
    """Nothing is drawn where everything is fixed."""
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
def test_auto_is_a_grid_where_the_trials_suffice_for_all(space: dict[str, Any], trials: int, expected: str) -> None:
    """Only where the grid is everything: a logarithmic range has more numbers than its grid."""
    recipe = recipe_for("auto", space, trials)

    assert recipe.sampler == expected
    assert recipe.trials == (min(trials, len(recipe.grid)) if expected == "grid" else trials)
    assert recipe.with_sampler_chosen(None).search.shown == f"auto ({expected})"


@pytest.mark.parametrize(("trials", "expected"), [(FEW_COUNT, "grid"), (3, "tpe")])
def test_auto_stays_what_it_was_when_a_study_goes_on(trials: int, expected: str) -> None:
    """With more or fewer trials, and through its snapshot; one that begins anew is looked at anew."""
    before = recipe_for("auto", FEW, trials).with_sampler_chosen(None)
    for now in (2, 100):
        goes_on = recipe_for("auto", FEW, now).continuing(Recipe.model_validate(before.model_dump(mode="json")))
        settled = goes_on.with_sampler_chosen(before)

        assert (settled.sampler, settled.budget.trials) == (expected, now)
        assert settled.with_sampler_chosen(None).sampler == ("tpe" if now == 2 else "grid")


def test_auto_after_another_sampler_is_tpe() -> None:
    """Trial n of a grid is its configuration n: those before would never be tried."""
    random = recipe_for("random", FEW).with_sampler_chosen(None)
    explicit = (
        recipe_for("auto", FEW).with_sampler_chosen(None).changed(search={"sampler": "tpe"}).with_sampler_chosen(None)
    )

    assert recipe_for("auto", FEW).with_sampler_chosen(random).search.shown == "auto (tpe)"
    assert (explicit.search.chosen, explicit.search.shown) == (None, "tpe")
    assert recipe_for("auto", FEW).with_sampler_chosen(recipe_for("grid", FEW)).search.shown == "auto (grid)"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies that run in this process follow a script instead of training."""
    monkeypatch.setattr("tuner.study.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer))


def study_for(recipe: Recipe, location: Location) -> Study:
    """Return a study that was not opened by its name, for its recipe."""
    return Study("small", recipe, location, None)


@pytest.mark.usefixtures("scripted")
def test_a_study_shows_what_auto_came_to_and_keeps_it(home: Path) -> None:
    """It is settled by the trials of the first run, written down, and the second run only tops up."""
    location = locate(home=home)
    study = study_for(recipe_for("auto", FEW, 40), location)
    study.run(trials=5, executor="inline")
    again = study_for(recipe_for("auto", FEW, 40), location)
    again.run(executor="inline", trials=14)

    assert study.recipe.search.shown == again.recipe.search.shown == "auto (tpe)"
    assert studies.recipe_of(location, "small") == again.recipe
    assert len(again.trials()) == 14
    again.run(executor="inline", trials=40, fresh=True)
    assert again.recipe.search.shown == "auto (grid)"
    assert len(again.trials()) == FEW_COUNT


def test_without_torch_gp_is_refused_before_anything_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is missing, the hint how to get it."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else found(name))
    with pytest.raises(RecipeError, match="sampler 'gp' needs torch, not installed here") as caught:
        study_for(small_recipe(), locate(home=home)).run(sampler="gp", executor="inline")

    assert caught.value.hint == "pip install 'tuner[gp]'"
    assert not home.exists()


@pytest.mark.parametrize(
    ("sampler", "server", "requested", "refused"),
    [
        ("cmaes", "postgresql://ann@host/team", False, True),
        ("cmaes", "postgresql://ann@host/team", True, False),
        ("cmaes", None, False, False),
        ("auto", "postgresql://ann@host/team", False, False),
    ],
)
def test_cmaes_trusts_a_shared_database_only_when_asked(
    sampler: str, server: str | None, requested: bool, refused: bool
) -> None:
    """A file is its owner's; on a server others may have written what CMA-ES would run."""
    recipe = recipe_for(sampler, RATES)
    if not refused:
        check_sampler(recipe, server=server, requested=requested)
        return
    with pytest.raises(RecipeError, match=r"whoever can write postgresql://ann@host/team may have left") as caught:
        check_sampler(recipe, server=server, requested=requested)
    assert "--sampler cmaes" in str(caught.value.hint)


@pytest.mark.usefixtures("scripted")
def test_a_recipe_with_cmaes_writes_nothing_on_a_server(postgres_location: Location) -> None:
    """Not even tables; asked for explicitly it runs, and the next run has to ask again."""
    recipe = recipe_for("cmaes", RATES, trials=3)
    with pytest.raises(RecipeError, match="sampler 'cmaes'"):
        study_for(recipe, postgres_location).run(executor="inline")
    assert tables_of(postgres_location) == []

    study_for(recipe, postgres_location).run(sampler="cmaes", executor="inline")
    with pytest.raises(RecipeError, match="sampler 'cmaes'"):
        study_for(recipe, postgres_location).run(trials=5, executor="inline")
    study_for(recipe, postgres_location).run(trials=5, sampler="auto", executor="inline")
    assert list_studies(postgres_location)[0].counts.complete == 5


@pytest.mark.usefixtures("scripted")
def test_what_a_stranger_left_for_cmaes_is_never_run(postgres_location: Location, tmp_path: Path) -> None:
    """Not with a recipe that names another sampler, not with --fresh; but that it would be, is no empty fear."""
    recipe = recipe_for("cmaes", RATES, trials=4)
    study_for(recipe, postgres_location).run(sampler="cmaes", executor="inline")
    trap = tmp_path / "trap"
    plant(postgres_location, trap)
    before = rows_of(postgres_location)
    for other in (recipe, recipe_for("random", RATES)):
        with pytest.raises(RecipeError, match="sampler 'cmaes'"):
            study_for(other, postgres_location).run(trials=8, executor="inline")
    with pytest.raises(RecipeError, match="sampler 'cmaes'"):
        study_for(recipe, postgres_location).run(trials=8, executor="inline", fresh=True)
    assert rows_of(postgres_location) == before
    assert not trap.exists()

    study_for(recipe, postgres_location).run(trials=6, sampler="tpe", executor="inline")
    assert not trap.exists()
    study_for(recipe, postgres_location).run(trials=7, sampler="cmaes", executor="inline")
    assert trap.exists()


def plant(location: Location, trap: Path) -> None:
    """Write a pickle that makes the folder ``trap`` where CMA-ES keeps its state, as any user of the server could."""
    state = f"cos\nmkdir\n(V{trap}\ntR.".encode().hex()
    statement = text(
        "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
        " SELECT trial_id, 'cma:optimizer:0', :state FROM trials"
    )
    with closing(Database(location)) as database, database.engine.begin() as connection:
        connection.execute(statement, {"state": f'"{state}"'})


def tables_of(location: Location) -> list[str]:
    """Return the names of all tables of a database."""
    query = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    with closing(Database(location)) as database, database.read() as session:
        return list(session.scalars(query))


def rows_of(location: Location) -> list[str]:
    """Return every row of a database as text."""
    tables = tables_of(location)
    with closing(Database(location)) as database, database.read() as session:
        return sorted(row for name in tables for row in session.scalars(text(f'SELECT t::text FROM "{name}" AS t')))


def test_tpe_is_fitted_to_enough_trials_and_never_to_half_of_them() -> None:
    """Two points say little about a dozen parameters; the share of the good ones falls as trials come."""
    counts = [good_trials(n) for n in range(1, 1000)]

    assert counts == sorted(counts)
    assert [good_trials(n) for n in (6, 12, 24, 60, 500)] == [2, 4, 8, 9, 25]
    assert all(count <= 1 or count <= n / 2 for n, count in enumerate(counts, 1))


def test_tpe_asks_how_many_trials_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna's argument for it is on its way out; we set what it sets."""
    asked: list[int] = []

    def one(trials: int) -> int:
        asked.append(trials)
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

    assert set(asked) == {10}
