"""Trials that fail because of their configuration: what samplers learn from them, and what people see."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState

from tests.recipes import small_recipe
from tests.search.conftest import Starter, ask, in_memory, report
from tuner.config.recipe import Recipe
from tuner.records import Outcome
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import STARTUP, sobol_point

RATES: dict[str, Any] = {
    "layers": 0,
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
}
DIVERGES = 0.1  # a learning rate above which the tests let trials fail: a quarter of the range


def recipe_for(sampler: str = "tpe", seed: int = 0, **tables: Any) -> Recipe:
    """Return a search over learning rates."""
    search = {"sampler": sampler, "pruner": "none", "seed": seed}
    return small_recipe(**{"space": RATES, "search": search, "budget": {"trials": 99, "epochs": 4}} | tables)


def end(ask_tell: AskTell, value: float | tuple[float, ...] | None, *, infeasible: bool = True) -> None:
    """Run one trial to its end; without a value it fails."""
    finish(ask_tell, ask(ask_tell).number, value, infeasible=infeasible)


def finish(ask_tell: AskTell, number: int, value: float | tuple[float, ...] | None, *, infeasible: bool) -> None:
    """End a running trial; without a value it fails."""
    if value is None:
        attributes = {"infeasible": True} if infeasible else {}
        for name, attribute in attributes.items():  # as the writer does
            ask_tell._storage.set_trial_user_attr(ask_tell.trial_id(number), name, attribute)
        ask_tell.tell(number, Outcome.FAILED, None)
    else:
        report(ask_tell, number, 0, value if isinstance(value, float) else value[0])
        ask_tell.tell(number, Outcome.COMPLETE, value)


def seen(ask_tell: AskTell) -> list[tuple[str, list[float] | None]]:
    """Return the state and the values of each trial as samplers see them."""
    return [(trial.state.name, trial.values) for trial in ask_tell._study.get_trials(deepcopy=False)]


@pytest.mark.parametrize(("metric", "worst"), [("val_accuracy", 0.2), ("val_loss", 0.9)])
def test_samplers_see_an_infeasible_trial_as_complete_with_the_worst_value(
    start: Starter, metric: str, worst: float
) -> None:
    """For people it stays a failed trial, also after the study is resumed."""
    recipe = recipe_for(objective={"metric": metric})
    ask_tell = start(recipe)
    for value in (0.9, None, 0.2):
        end(ask_tell, value)

    for now in (ask_tell, start(recipe)):
        assert seen(now) == [("COMPLETE", [0.9]), ("COMPLETE", [worst]), ("COMPLETE", [0.2])]
        assert now.state.trials_in(TrialState.FAIL) == [1]
        assert now.queue.counts().failed == 1
        assert set(now.values()) == {0, 2}


def test_with_several_objectives_it_is_the_worst_in_each(start: Starter) -> None:
    """The trial is dominated by every other one."""
    ask_tell = start(recipe_for(objectives=["val_accuracy", "parameters"]))
    for value in ((0.9, 500.0), (0.2, 100.0), None):
        end(ask_tell, value)

    assert seen(ask_tell)[-1] == ("COMPLETE", [0.2, 500.0])


def test_before_any_trial_has_a_value_there_is_no_worst_one(start: Starter) -> None:
    """Optuna ignores the trial until then."""
    ask_tell = start(recipe_for())
    end(ask_tell, None)

    assert seen(ask_tell) == [("FAIL", None)]


def test_a_trial_that_failed_for_another_reason_teaches_nothing(start: Starter) -> None:
    """A worker that was killed says nothing about the learning rate."""
    ask_tell = start(recipe_for())
    end(ask_tell, 0.5)
    end(ask_tell, None, infeasible=False)

    assert seen(ask_tell) == [("COMPLETE", [0.5]), ("FAIL", None)]


def test_the_model_begins_once_enough_trials_have_values_of_their_own(start: Starter) -> None:
    """Infeasible trials alone would tell it where not to go, and nothing else."""
    ask_tell = start(recipe_for())
    end(ask_tell, 0.5)
    for _ in range(STARTUP):
        end(ask_tell, None)

    assert ask_tell._initial_params.params(STARTUP + 1) == sobol_point(recipe_for(), STARTUP + 1, {})


def test_tpe_avoids_a_region_in_which_trials_diverge() -> None:
    """Even if the best values lie just beside it."""
    proposed = {True: 0, False: 0}
    for infeasible in proposed:
        for seed in range(2):
            ask_tell = in_memory(recipe_for(seed=seed))
            for number in range(45):
                rate = float(ask_tell.spec_of(end_by_rate(ask_tell, infeasible=infeasible)).params["learning_rate"])
                proposed[infeasible] += number >= 2 * STARTUP and rate > DIVERGES

    assert proposed[True] < 0.6 * proposed[False], proposed


def end_by_rate(ask_tell: AskTell, *, infeasible: bool) -> int:
    """Run one trial, which fails with a high learning rate; else its value is its learning rate. Returns its number."""
    spec = ask(ask_tell)
    rate = float(spec.params["learning_rate"])
    finish(ask_tell, spec.number, None if rate > DIVERGES else rate, infeasible=infeasible)
    return spec.number
