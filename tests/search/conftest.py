"""Helpers for tests of AskTell: a study over a conditional space, and one step of its search at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from tuner_storage import Store

from tests.recipes import small_recipe
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.jobs import Instruction, TrialSpec
from tuner.records import Outcome, ParamValue
from tuner.search.ask_tell import AskTell

CONDITIONAL: dict[str, Any] = {
    "layers": {"type": "int", "low": 0, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64, "log": True},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "step": 0.2, "when": {"optimizer": "sgd"}},
    "learning_rate": {"type": "choice", "choices": [0.1, 0.01]},
}

Starter = Callable[..., AskTell]


def plain_study(store: Store, recipe: Recipe, name: str) -> optuna.Study:
    """Create or resume a study, as a new process would, and return Optuna's own object.

    Tests of AskTell record no attempts. In ours, all their results would count as those of another program.
    """
    studies.create_or_resume(store, name, recipe, "0" * 64)
    return optuna.load_study(study_name=name, storage=store.optuna)


@pytest.fixture
def start(store: Store) -> Starter:
    """A function that creates or resumes a study, as a new process would."""

    def begin(recipe: Recipe, name: str = "study") -> AskTell:
        return AskTell(plain_study(store, recipe, name), recipe)

    return begin


def recipe_for(sampler: str = "random", **changes: Any) -> Recipe:
    """Return a search over the conditional space."""
    search = {"sampler": sampler, "pruner": "none", "seed": 7}
    return small_recipe(**{"space": CONDITIONAL, "search": search, "budget": {"trials": 40}} | changes)


def in_memory(recipe: Recipe) -> AskTell:
    """Return a new study in memory, for tests of many trials."""
    storage = optuna.storages.InMemoryStorage()
    return AskTell(optuna.create_study(storage=storage, direction=recipe.objective.direction), recipe)


def ask(ask_tell: AskTell) -> TrialSpec:
    """Return the next trial; the test fails if there is none."""
    spec = ask_tell.ask()
    assert spec is not None
    return spec


def report(ask_tell: AskTell, number: int, epoch: int, value: float) -> bool:
    """Write the objective after an epoch as the store does; returns whether the trial shall end or pause."""
    ask_tell._storage.set_trial_intermediate_value(ask_tell.trial_id(number), epoch, value)
    return ask_tell.report(number, value) in {Instruction.PRUNE, Instruction.PAUSE}


def run_trial(ask_tell: AskTell) -> TrialSpec:
    """Run one trial to its end; its value depends on its parameters alone."""
    spec = ask(ask_tell)
    value = 1.0 - float(spec.params["learning_rate"]) - len(spec.params) / 100
    report(ask_tell, spec.number, 0, value)
    ask_tell.tell(spec.number, Outcome.COMPLETE, value)
    return spec


def stored_params(ask_tell: AskTell, number: int) -> dict[str, ParamValue]:
    """Return the parameters of a trial in Optuna's tables."""
    return dict(ask_tell._study.trials[number].params)
