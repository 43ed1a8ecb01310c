"""CMA-ES learns as Optuna's does, and neither stores nor loads a pickle."""

from __future__ import annotations

import json
import pickle
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from sqlalchemy import text
from tuner_storage import Location
from tuner_storage.engine import Database

from tests.recipes import small_recipe
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.executors.inline import InlineExecutor
from tuner.results.overview import list_studies
from tuner.search.cma_es import RepeatedCmaEs
from tuner.study import Study

pytestmark = pytest.mark.slow

SPACE: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "layers": 1,
    "units": 8,
}
POPULATION = 6  # trials of a generation with two parameters


@pytest.fixture
def study(any_location: Location, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A search with CMA-ES, whose trainer is scripted, in a database of each kind."""
    monkeypatch.setattr(
        "tuner.executors.registry.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer)
    )
    recipe = small_recipe(space=SPACE, search={"sampler": "cmaes", "pruner": "none"}, budget={"trials": 3})
    return Study("small", recipe, any_location, None)


def test_a_pickle_in_the_database_is_never_run(study: Study, any_location: Location, tmp_path: Path) -> None:
    """Whoever can write the database, or has made the file, could put code where Optuna looks for its state."""
    study.run(executor="inline")
    trap = tmp_path / "trap"
    state = f"cos\nmkdir\n(V{trap}\ntR.".encode().hex()
    for key in ("cma:optimizer:0", "sepcma:optimizer:0", "cmawm:optimizer:0"):
        write(any_location, key, state)
    study.run(trials=3 * POPULATION, executor="inline")

    assert not trap.exists()
    assert list_studies(any_location)[0].counts.complete == 3 * POPULATION


@pytest.mark.parametrize("value", ["none", 10**30, -1, float("nan"), [1], None])
def test_a_planted_generation_changes_at_most_the_proposals(study: Study, any_location: Location, value: Any) -> None:
    """Such a trial belongs to no generation. The run goes on."""
    study.run(trials=POPULATION + 1, executor="inline")
    write(any_location, "cma:generation", value)
    study.run(trials=2 * POPULATION, executor="inline")

    assert list_studies(any_location)[0].counts.complete == 2 * POPULATION


def test_no_pickle_is_stored(study: Study, any_location: Location) -> None:
    """Of the state, only the generation of each trial is."""
    study.run(trials=3 * POPULATION, executor="inline")
    query = text("SELECT key, value_json FROM trial_system_attributes WHERE key LIKE '%cma%'")
    with closing(Database(any_location)) as database, database.read() as session:
        rows = session.execute(query).all()

    assert {key for key, _ in rows} == {"cma:generation"}
    assert {json.loads(value) for _, value in rows} == {0, 1, 2}


def test_the_repeated_generations_lead_to_the_state_that_optuna_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean, step size and covariance are equal, so a study of Optuna's sampler is continued as it would be."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(seed=0), direction="maximize")
    study.optimize(objective, n_trials=1 + 5 * POPULATION + 1)  # the last trial is the first of generation 5
    stored = study.trials[-1].system_attrs
    pickled = bytes.fromhex("".join(stored[key] for key in sorted(stored) if "optimizer" in key))
    theirs = pickle.loads(pickled)  # noqa: S301 - made four lines above
    sampler = RepeatedCmaEs(seed=0)
    space = optuna._transform._SearchSpaceTransform(study.trials[0].distributions, transform_0_1=True)
    ours = sampler._init_optimizer(space, study.direction)
    monkeypatch.setattr(sampler, "_init_optimizer", lambda *_: ours)
    study.sampler = sampler
    objective(study.ask())

    assert ours.generation == theirs.generation == 5
    for name in ("_mean", "_sigma", "_C", "_pc", "_p_sigma"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_later_generations_are_better(direction: Literal["minimize", "maximize"]) -> None:
    """In both directions. Each proposal comes from a new sampler, as in a run."""
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(direction=direction)
    for number in range(20 * POPULATION):
        study.sampler = RepeatedCmaEs(seed=number)
        trial = study.ask()
        study.tell(trial, sign * objective(trial))
    values = [sign * trial.values[0] for trial in study.trials]

    assert np.median(values[-3 * POPULATION :]) > np.max(values[:POPULATION])


def objective(trial: optuna.Trial) -> float:
    """Return a value with one maximum, 0, at (0.7, -0.2)."""
    x, y = trial.suggest_float("x", -1, 1), trial.suggest_float("y", -1, 1)
    return -((x - 0.7) ** 2) - (y + 0.2) ** 2


def write(location: Location, key: str, value: Any) -> None:
    """Give every trial a system attribute, as another program could."""
    remove = text("DELETE FROM trial_system_attributes WHERE key = :key")
    add = text(
        "INSERT INTO trial_system_attributes (trial_id, key, value_json) SELECT trial_id, :key, :value FROM trials"
    )
    with closing(Database(location)) as database, database.engine.begin() as connection:
        connection.execute(remove, {"key": key})
        connection.execute(add, {"key": key, "value": json.dumps(value)})
