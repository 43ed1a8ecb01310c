"""AskTell asks Optuna, numbers what it gets, and gives back what was interrupted; on a real SQLite study."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, get_args

import optuna
import pytest
from optuna.trial import TrialState

from storage import Store
from tests.recipes import small_recipe
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.config.tables import PrunerName, SamplerName
from tuner.jobs import Instruction, TrialSpec
from tuner.records import Outcome, ParamValue
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import sobol_point, trial_seed

NO_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch of the extra 'gp', over 4 GB")
SAMPLERS = [pytest.param(name, marks=NO_TORCH) if name == "gp" else name for name in get_args(SamplerName)]
CONDITIONAL: dict[str, Any] = {
    "layers": {"type": "int", "low": 0, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64, "log": True},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "step": 0.2, "when": {"optimizer": "sgd"}},
    "learning_rate": {"type": "choice", "choices": [0.1, 0.01]},
}

Starter = Callable[..., AskTell]


@pytest.fixture
def start(store: Store) -> Starter:
    """Begin or resume a study, as a new process would."""

    def begin(recipe: Recipe, name: str = "study") -> AskTell:
        return AskTell(studies.create_or_resume(store, name, recipe, "0" * 64).study, recipe)

    return begin


def recipe_for(sampler: str = "random", **changes: Any) -> Recipe:
    """Return a recipe over the conditional space."""
    search = {"sampler": sampler, "pruner": "none", "seed": 7}
    return small_recipe(**{"space": CONDITIONAL, "search": search, "budget": {"trials": 40}} | changes)


def ask(ask_tell: AskTell) -> TrialSpec:
    """Ask for a trial that is known to come."""
    asked = ask_tell.ask()
    assert asked is not None
    return asked


def report(ask_tell: AskTell, number: int, epoch: int, value: float) -> bool:
    """Write the objective after an epoch as the store does, and tell whether the trial should end or pause."""
    ask_tell._storage.set_trial_intermediate_value(ask_tell.trial_id(number), epoch, value)
    return ask_tell.report(number, value) in {Instruction.PRUNE, Instruction.PAUSE}


def finish(ask_tell: AskTell) -> TrialSpec:
    """Run one trial, whose value depends on its parameters alone."""
    asked = ask(ask_tell)
    value = 1.0 - float(asked.params["learning_rate"]) - len(asked.params) / 100
    report(ask_tell, asked.number, 0, value)
    ask_tell.tell(asked.number, Outcome.COMPLETE, value)
    return asked


def drawn(ask_tell: AskTell, number: int) -> dict[str, ParamValue]:
    """Return what Optuna knows of a trial's parameters."""
    return dict(ask_tell._study.trials[number].params)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_conditional_parameters_are_drawn_only_where_they_hold(start: Starter, sampler: str) -> None:
    """Every sampler gives momentum to SGD alone, and as many widths as there are layers."""
    ask_tell = start(recipe_for(sampler))
    for number in range(6):
        params = finish(ask_tell).params
        known = drawn(ask_tell, number)

        assert ("momentum" in known) == (known["optimizer"] == "sgd")
        assert sum(name.startswith("units_") for name in known) == known["layers"]
        assert known.items() <= params.items()
        assert params["batch_size"] == 128


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_asks_the_same_parameters_also_after_a_resume(start: Starter, sampler: str) -> None:
    """A run in one go, and one that is made anew before each trial, propose the same; another seed does not."""
    recipe, count = recipe_for(sampler), 12 if sampler in {"auto", "tpe", "gp"} else 4  # they learn from the first ten
    whole = start(recipe, "whole")
    in_one_go = [finish(whole) for _ in range(count)]
    resumed = [finish(start(recipe, "resumed")) for _ in range(count)]
    other = start(recipe.changed(search={"seed": 8}), "other")

    assert resumed == in_one_go
    assert [finish(other).params for _ in range(4)] != [asked.params for asked in in_one_go[:4]]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trial_that_a_dead_run_left_behind_comes_back_unchanged(start: Starter, sampler: str) -> None:
    """Its number, parameters and seed are the same, and nothing is skipped or repeated."""
    recipe = recipe_for(sampler)
    for _ in range(2):
        finish(start(recipe))
    lost = ask(start(recipe))
    ask_tell = start(recipe)

    assert ask_tell.state.trials_in(TrialState.RUNNING) == [2]
    assert ask_tell.recover(2, Outcome.INTERRUPTED) is None
    assert ask_tell.queue.counts().waiting == 1
    assert ask(ask_tell) == lost
    ask_tell.recover(2, Outcome.INTERRUPTED)
    assert [finish(ask_tell).number for _ in range(3)] == [2, 3, 4]


def test_a_configuration_that_comes_again_is_another_seed_of_it(start: Starter) -> None:
    """It names the first trial that had it, also after the study went on; trying a trial again repeats nothing."""
    space = {"layers": 1, "units": 8, "batch_size": {"type": "choice", "choices": [16, 32]}}
    recipe = small_recipe(space=space, budget={"trials": 8, "epochs": 2})
    ask_tell = start(recipe)
    asked = [finish(ask_tell) for _ in range(4)]
    asked += [finish(start(recipe)) for _ in range(4)]

    first: dict[object, int] = {}
    for each in asked:
        expected = first.setdefault(each.params["batch_size"], each.number)
        assert each.repeats == (expected if expected != each.number else None)
    assert len({each.seed for each in asked}) == 8


def test_seeds_differ_between_trials_and_studies() -> None:
    """They are valid for NumPy and TensorFlow, and depend on nothing but the two numbers."""
    seeds = {trial_seed(study, number) for study in range(20) for number in range(50)}

    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert trial_seed(3, 4) == trial_seed(3, 4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_any_seed_is_good_for_any_sampler(start: Starter, sampler: str) -> None:
    """Optuna takes 32 bits, people type what they like."""
    ask_tell = start(recipe_for(sampler, search={"sampler": sampler, "pruner": "none", "seed": 2**40}))

    assert finish(ask_tell).number == 0


def test_trials_that_wait_come_first_under_their_own_number(start: Starter) -> None:
    """An interrupted trial is given out again before any new one; the others keep their numbers."""
    ask_tell = start(recipe_for())
    first, second, third = ask(ask_tell), ask(ask_tell), ask(ask_tell)
    ask_tell.tell(second.number, Outcome.INTERRUPTED, None)
    ask_tell.tell(first.number, Outcome.INTERRUPTED, None)

    assert [ask(ask_tell), ask(ask_tell)] == [first, second]
    assert ask(ask_tell).number == third.number + 1


def test_the_number_of_trials_is_a_total(start: Starter) -> None:
    """Starting again tops up; a finished study asks for nothing more."""
    for trials, new in ((3, 3), (3, 0), (5, 2), (2, 0)):
        ask_tell = start(recipe_for(budget={"trials": trials}))
        assert ask_tell.queue.exhausted == (new == 0)
        for _ in range(new):
            finish(ask_tell)

        assert ask_tell.ask() is None
        assert ask_tell.queue.exhausted
    assert ask_tell.queue.counts().total == 5


def test_failed_and_pruned_trials_count_and_a_waiting_one_is_still_asked(start: Starter) -> None:
    """The budget is spent on attempts, not on successes; what was begun is finished even beyond it."""
    ask_tell = start(recipe_for(budget={"trials": 3}))
    ask_tell.tell(ask(ask_tell).number, Outcome.FAILED, None)
    ask_tell.tell(ask(ask_tell).number, Outcome.PRUNED, None)
    last = ask(ask_tell)
    assert ask_tell.ask() is None

    ask_tell.tell(last.number, Outcome.INTERRUPTED, None)
    smaller = start(recipe_for(budget={"trials": 1}))

    assert not smaller.queue.exhausted
    assert ask(smaller) == last
    counts = smaller.queue.counts()
    assert (counts.failed, counts.pruned, counts.running, counts.waiting, counts.complete) == (1, 1, 1, 0, 0)


def test_start_configurations_come_first(start: Starter) -> None:
    """With their label and their own epochs; what they leave open is sampled; then the sampler takes over."""
    recipe = recipe_for(
        budget={"trials": 4, "epochs": 9},
        start=[
            {"label": "known", "epochs": 3, "params": {"units": [16, 8], "optimizer": "adam", "learning_rate": 0.01}},
            {"label": "open", "params": {"optimizer": "sgd", "momentum": 0.9}},
        ],
    )
    known, half_open = finish(start(recipe)), finish(start(recipe))
    ask_tell = start(recipe)
    sampled = finish(ask_tell)

    assert (known.label, known.epochs) == ("known", 3)
    assert drawn(ask_tell, 0) == {"layers": 2, "units_0": 16, "units_1": 8, "optimizer": "adam", "learning_rate": 0.01}
    assert (half_open.label, half_open.epochs) == ("open", 9)
    assert (half_open.params["optimizer"], half_open.params["momentum"]) == ("sgd", 0.9)
    assert set(drawn(ask_tell, 1)) >= {"layers", "learning_rate"}
    assert (sampled.label, sampled.epochs) == (None, 9)


@pytest.mark.parametrize("sampler", ["auto", "tpe", pytest.param("gp", marks=NO_TORCH)])
def test_the_first_trials_are_points_of_one_sequence(start: Starter, sampler: str) -> None:
    """Until ten have ended from which the sampler learns, also when some fail; what is fixed stays fixed."""
    half_open = {"layers": 1, "units_0": 16}
    recipe = recipe_for(sampler, start=[{"label": "half open", "params": half_open}])
    ask_tell = start(recipe)
    for number in range(12):
        asked = ask(ask_tell)
        ask_tell.tell(asked.number, *((Outcome.FAILED, None) if number in {2, 5} else (Outcome.COMPLETE, 0.5)))
    found = [drawn(ask_tell, number) for number in range(12)]
    finish(ask_tell)

    assert found == [sobol_point(recipe, number, {} if number else half_open) for number in range(12)]
    assert found[0].items() >= half_open.items()
    assert drawn(ask_tell, 12) != sobol_point(recipe, 12, {})


def test_the_grid_visits_every_configuration_once(start: Starter) -> None:
    """In an order of its own, across a resume, and then it is exhausted whatever the budget says."""
    recipe = recipe_for("grid", space={**CONDITIONAL, "layers": 1, "units": {"type": "int", "low": 8, "high": 9}})
    grid = list(recipe.search_space.grid())
    ask_tell = start(recipe)
    for _ in range(3):
        finish(ask_tell)
    ask_tell = start(recipe.changed(budget={"trials": 1000}))
    while ask_tell.ask():
        pass
    found = [drawn(ask_tell, number) for number in range(len(grid))]

    assert ask_tell.queue.limit == len(grid) == ask_tell.queue.counts().total
    assert ask_tell.queue.exhausted
    assert found != grid
    assert sorted(found, key=repr_of) == sorted(grid, key=repr_of)


def test_the_grid_skips_no_configuration_for_the_start_configurations(start: Starter) -> None:
    """One that lies on the grid is not visited again, one between its points is visited beside it."""
    space = {"units": {"type": "int", "low": 8, "high": 64, "log": True}, "layers": 1}
    starts = [{"label": "on", "params": {"units_0": 32}}, {"label": "between", "params": {"units_0": 20}}]
    recipe = small_recipe(space=space, start=starts, search={"sampler": "grid", "pruner": "none"})
    ask_tell = start(recipe)
    visited = []
    while asked := ask_tell.ask():
        visited.append(asked.params["units_0"])

    assert visited[:2] == [32, 20]
    assert sorted(visited) == [8, 16, 20, 32, 64]


def test_auto_is_a_grid_where_the_trials_suffice(start: Starter) -> None:
    """It tries every configuration once and then stops, whatever the budget says."""
    space = {"layers": 1, "units": 8, "batch_size": {"type": "choice", "choices": [16, 32, 64]}}
    ask_tell = start(small_recipe(space=space, search={"sampler": "auto", "pruner": "none"}))
    visited = []
    while asked := ask_tell.ask():
        visited.append(asked.params["batch_size"])

    assert sorted(visited) == [16, 32, 64]
    assert ask_tell.queue.exhausted


@pytest.mark.parametrize("pruner", get_args(PrunerName))
def test_every_pruner_answers(start: Starter, pruner: str) -> None:
    """After some good trials comes one that learns nothing: every pruner ends it, but for the one that never does."""
    search = {"sampler": "random", "pruner": pruner, "threshold": 0.5}
    ask_tell = start(recipe_for(search=search, budget={"trials": 12, "epochs": 8}))
    for _ in range(6):
        asked = ask(ask_tell)
        for epoch in range(8):
            report(ask_tell, asked.number, epoch, 0.8 + epoch / 100)
        ask_tell.tell(asked.number, Outcome.COMPLETE, 0.87)
    bad = ask(ask_tell)
    verdicts = [report(ask_tell, bad.number, epoch, 0.1 - epoch / 100) for epoch in range(8)]

    assert any(verdicts) == (pruner != "none")


@pytest.mark.parametrize(("metric", "bad"), [("val_accuracy", 0.1), ("val_loss", 3.0)])
def test_the_threshold_is_the_worst_value_that_may_live(start: Starter, metric: str, bad: float) -> None:
    """Accuracy must not stay below it, loss not above it; the first epoch is forgiven."""
    search = {"sampler": "random", "pruner": "threshold", "threshold": 0.5 if metric == "val_accuracy" else 1.0}
    ask_tell = start(recipe_for(search=search, objective={"metric": metric}))
    number = ask(ask_tell).number

    assert [report(ask_tell, number, epoch, bad) for epoch in range(2)] == [False, True]
    assert not report(ask_tell, number, 2, 0.9)


def test_a_pruned_trial_keeps_its_last_reported_value(start: Starter) -> None:
    """It is a result for the sampler, and none for the list of the best."""
    ask_tell = start(recipe_for())
    number = ask(ask_tell).number
    for epoch, value in enumerate((0.25, 0.5)):
        report(ask_tell, number, epoch, value)
    ask_tell.tell(number, Outcome.PRUNED, 0.9)
    trial = ask_tell._study.trials[number]

    assert (trial.state, trial.value) == (TrialState.PRUNED, 0.5)
    assert ask_tell.values() == {}


def test_a_failed_trial_has_no_value(start: Starter) -> None:
    """Whatever it reported before it failed."""
    ask_tell = start(recipe_for())
    number = ask(ask_tell).number
    report(ask_tell, number, 0, 0.5)
    ask_tell.tell(number, Outcome.FAILED, 0.5)

    assert (ask_tell._study.trials[number].state, ask_tell.values()) == (TrialState.FAIL, {})


def test_importing_sampling_silences_optuna() -> None:
    """Its log lines would tear the live table apart."""
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def repr_of(params: dict[str, ParamValue]) -> str:
    """Return a key that sorts configurations of different shapes."""
    return repr(sorted(params.items()))
