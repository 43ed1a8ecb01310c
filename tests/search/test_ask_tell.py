"""AskTell on a real SQLite study: which trials it returns, in which order, and what Optuna stores."""

from __future__ import annotations

from importlib.util import find_spec
from typing import get_args

import optuna
import pytest
from optuna.trial import TrialState

from tests.recipes import small_recipe
from tests.search.conftest import Starter, ask, recipe_for, run_trial, stored_params
from tuner.config.tables import SamplerName
from tuner.records import Outcome
from tuner.search.samplers import sobol_point, trial_seed

NO_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch of the extra 'gp', over 4 GB")
SAMPLERS = [pytest.param(name, marks=NO_TORCH) if name == "gp" else name for name in get_args(SamplerName)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_conditional_parameters_are_drawn_only_if_their_condition_holds(start: Starter, sampler: str) -> None:
    """With every sampler, only SGD has a momentum, and there are as many widths as layers."""
    ask_tell = start(recipe_for(sampler))
    for number in range(6):
        params = run_trial(ask_tell).params
        stored = stored_params(ask_tell, number)

        assert ("momentum" in stored) == (stored["optimizer"] == "sgd")
        assert sum(name.startswith("units_") for name in stored) == stored["layers"]
        assert stored.items() <= params.items()
        assert params["batch_size"] == 128


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_trials_even_if_the_study_is_resumed(start: Starter, sampler: str) -> None:
    """A study in one run equals one that is resumed before every trial. Another seed gives other parameters."""
    recipe, count = recipe_for(sampler), 12 if sampler in {"auto", "tpe", "gp"} else 4  # these learn from the first ten
    whole = start(recipe, "whole")
    in_one_go = [run_trial(whole) for _ in range(count)]
    resumed = [run_trial(start(recipe, "resumed")) for _ in range(count)]
    other = start(recipe.changed(search={"seed": 8}), "other")

    assert resumed == in_one_go
    assert [run_trial(other).params for _ in range(4)] != [spec.params for spec in in_one_go[:4]]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trial_that_a_dead_run_left_running_is_returned_again_unchanged(start: Starter, sampler: str) -> None:
    """Its number, parameters and seed are the same, and no number is skipped or used twice."""
    recipe = recipe_for(sampler)
    for _ in range(2):
        run_trial(start(recipe))
    lost = ask(start(recipe))
    ask_tell = start(recipe)

    assert ask_tell.state.trials_in(TrialState.RUNNING) == [2]
    assert ask_tell.recover(2, Outcome.INTERRUPTED) is None
    assert ask_tell.queue.counts().waiting == 1
    assert ask(ask_tell) == lost
    ask_tell.recover(2, Outcome.INTERRUPTED)
    assert [run_trial(ask_tell).number for _ in range(3)] == [2, 3, 4]


def test_a_repeated_configuration_names_the_first_trial_that_had_it(start: Starter) -> None:
    """The repeating trial is another seed of the configuration. This holds after the study is resumed, too."""
    space = {"layers": 1, "units": 8, "batch_size": {"type": "choice", "choices": [16, 32]}}
    recipe = small_recipe(space=space, budget={"trials": 8, "epochs": 2})
    ask_tell = start(recipe)
    specs = [run_trial(ask_tell) for _ in range(4)]
    specs += [run_trial(start(recipe)) for _ in range(4)]

    first: dict[object, int] = {}
    for spec in specs:
        expected = first.setdefault(spec.params["batch_size"], spec.number)
        assert spec.repeats == (expected if expected != spec.number else None)
    assert len({spec.seed for spec in specs}) == 8


def test_seeds_differ_between_trials_and_studies() -> None:
    """They are valid for NumPy and TensorFlow, and depend only on the study's seed and the trial's number."""
    seeds = {trial_seed(study, number) for study in range(20) for number in range(50)}

    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert trial_seed(3, 4) == trial_seed(3, 4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_accepts_any_seed(start: Starter, sampler: str) -> None:
    """Optuna accepts 32 bits only. Users may type larger numbers."""
    ask_tell = start(recipe_for(sampler, search={"sampler": sampler, "pruner": "none", "seed": 2**40}))

    assert run_trial(ask_tell).number == 0


def test_waiting_trials_come_first_and_keep_their_numbers(start: Starter) -> None:
    """Interrupted trials are returned again, in order of their numbers, before any new one."""
    ask_tell = start(recipe_for())
    first, second, third = ask(ask_tell), ask(ask_tell), ask(ask_tell)
    ask_tell.tell(second.number, Outcome.INTERRUPTED, None)
    ask_tell.tell(first.number, Outcome.INTERRUPTED, None)

    assert [ask(ask_tell), ask(ask_tell)] == [first, second]
    assert ask(ask_tell).number == third.number + 1


def test_the_number_of_trials_is_a_total(start: Starter) -> None:
    """A resumed study gets trials until it has as many as requested. A finished study returns none."""
    for trials, new in ((3, 3), (3, 0), (5, 2), (2, 0)):
        ask_tell = start(recipe_for(budget={"trials": trials}))
        assert ask_tell.queue.exhausted == (new == 0)
        for _ in range(new):
            run_trial(ask_tell)

        assert ask_tell.ask() is None
        assert ask_tell.queue.exhausted
    assert ask_tell.queue.counts().total == 5


def test_failed_and_pruned_trials_count_and_a_waiting_one_still_runs(start: Starter) -> None:
    """The budget counts all trials, whatever their outcome. A trial that has begun is finished even beyond it."""
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
    """They have their label and their own epochs. The sampler draws the parameters that they leave open."""
    recipe = recipe_for(
        budget={"trials": 4, "epochs": 9},
        start=[
            {"label": "whole", "epochs": 3, "params": {"units": [16, 8], "optimizer": "adam", "learning_rate": 0.01}},
            {"label": "open", "params": {"optimizer": "sgd", "momentum": 0.9}},
        ],
    )
    whole, half_open = run_trial(start(recipe)), run_trial(start(recipe))
    ask_tell = start(recipe)
    sampled = run_trial(ask_tell)

    assert (whole.label, whole.epochs) == ("whole", 3)
    assert stored_params(ask_tell, 0) == {
        "layers": 2,
        "units_0": 16,
        "units_1": 8,
        "optimizer": "adam",
        "learning_rate": 0.01,
    }
    assert (half_open.label, half_open.epochs) == ("open", 9)
    assert (half_open.params["optimizer"], half_open.params["momentum"]) == ("sgd", 0.9)
    assert set(stored_params(ask_tell, 1)) >= {"layers", "learning_rate"}
    assert (sampled.label, sampled.epochs) == (None, 9)


@pytest.mark.parametrize("sampler", ["auto", "tpe", pytest.param("gp", marks=NO_TORCH)])
def test_the_first_trials_are_points_of_one_sobol_sequence(start: Starter, sampler: str) -> None:
    """Until the sampler can learn from ten finished trials; failed ones do not count. Fixed parameters stay fixed."""
    half_open = {"layers": 1, "units_0": 16}
    recipe = recipe_for(sampler, start=[{"label": "half open", "params": half_open}])
    ask_tell = start(recipe)
    for number in range(12):
        spec = ask(ask_tell)
        ask_tell.tell(spec.number, *((Outcome.FAILED, None) if number in {2, 5} else (Outcome.COMPLETE, 0.5)))
    params = [stored_params(ask_tell, number) for number in range(12)]
    run_trial(ask_tell)

    assert params == [sobol_point(recipe, number, {} if number else half_open) for number in range(12)]
    assert params[0].items() >= half_open.items()
    assert stored_params(ask_tell, 12) != sobol_point(recipe, 12, {})


def test_importing_ask_tell_silences_optuna() -> None:
    """Log lines of Optuna would break the live table."""
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
