"""Models that are too large are refused before training: a constraint, not a failure, and no trial of the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.trial import TrialState

from storage import Store
from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted, trials_of
from tuner import studies
from tuner.cli.main import main
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.errors import RecipeError, RunError
from tuner.jobs import TrialSpec
from tuner.records import Outcome
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import make_rungs, sobol_point
from tuner.search.size_limit import MOST, STUBBORN, SizeLimit, check_starts
from tuner.search.study_state import StudyState
from tuner.study import load_study

SPACE: dict[str, Any] = {
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64},
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.5},
}


def weights(hyperparameters: Hyperparameters) -> int:
    """Count the weights of a model for 64 inputs and 10 classes."""
    return hyperparameters.weights(64, 10)


def recipe_of(sampler: str = "random", most: int | None = 3000, trials: int = 8, **changes: Any) -> Recipe:
    """Return a search of which about half of the configurations are too large."""
    budget = {"trials": trials, "epochs": 2, "max_parameters": most}
    search = {"sampler": sampler, "pruner": "none", "seed": 3}
    return small_recipe(**{"space": SPACE, "budget": budget, "search": search} | changes)


def sampling_of(store: Store, recipe: Recipe, name: str = "study") -> AskTell:
    """Begin or resume a study, as a new process would."""
    return AskTell(studies.create_or_resume(store, name, recipe, "0" * 64).study, recipe, weights=weights)


def ask_all(ask_tell: AskTell, most: int | None = None) -> list[TrialSpec]:
    """Run trials until there are no more, or so many are done."""
    done: list[TrialSpec] = []
    while not ask_tell.queue.exhausted and (most is None or len(done) < most):
        if asked := ask_tell.ask():
            ask_tell.tell(asked.number, Outcome.COMPLETE, 1 - float(asked.params["learning_rate"]))
            done.append(asked)
    return done


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "nsga2", "cmaes"])
def test_what_is_too_large_is_refused_and_another_one_asked_for(store: Store, sampler: str) -> None:
    """The budget is spent on models that may be trained; interruptions change nothing."""
    recipe = recipe_of(sampler, trials=14)
    whole = sampling_of(store, recipe)
    asked = ask_all(whole)
    resumed: list[TrialSpec] = []
    while found := ask_all(sampling_of(store, recipe, "resumed"), 3):
        resumed += found

    assert resumed == asked
    assert len(asked) == 14
    assert all(weights(each.hyperparameters) <= 3000 for each in asked)
    counts = whole.queue.counts()
    assert (counts.complete, counts.pruned, counts.failed) == (14, 0, 0)
    assert counts.refused > 0
    assert counts.total == 14 + counts.refused
    assert whole.queue.limit == 14
    assert {whole.spec_of(each.number).seed for each in asked} == {each.seed for each in asked}


def test_samplers_learn_by_how_much_it_was_too_large(store: Store) -> None:
    """Optuna's own tables hold the constraint, and why there is no result."""
    ask_tell = sampling_of(store, recipe_of("tpe"))
    ask_all(ask_tell)
    refused = [trial for trial in ask_tell._trials.all() if trial.state == TrialState.PRUNED]

    for trial in refused:
        count = trial.user_attrs["parameters"]
        assert count == weights(recipe_of().hyperparameters(trial.params))
        assert trial.constraints == {"parameters": pytest.approx(count / 3000 - 1)}
        assert trial.user_attrs["reason"] == f"refused: {count:,} weights, at most 3,000"
    assert refused


def test_tpe_proposes_fewer_and_fewer_that_are_too_large(store: Store) -> None:
    """It begins with ten that were tried, whatever was refused among them."""
    ask_tell = sampling_of(store, recipe_of("tpe", trials=40))
    recipe = recipe_of("tpe")
    asked = ask_all(ask_tell)
    numbers = [each.number for each in asked]

    for each in asked[:10]:
        assert ask_tell._trials.get(each.number).params == sobol_point(recipe, each.number, {})
    assert numbers[-1] - numbers[-20] < 1.5 * 19
    assert numbers[9] > 1.5 * 9


def test_the_starts_may_not_be_too_large_unless_that_is_open(store: Store) -> None:
    """No limit, no question."""
    start = [{"label": "open", "params": {"layers": 2, "learning_rate": 0.1}}]
    check_starts(recipe_of(most=100, start=start), weights)
    check_starts(recipe_of(most=None, start=[{"label": "large", "params": {"layers": 1, "units_0": 64}}]), weights)


def test_the_recipes_own_configurations_keep_their_places(store: Store) -> None:
    """One that leaves its size open is drawn again; one that is known to be too large is refused at the start."""
    starts = [
        {"label": "open", "params": {"layers": 2, "learning_rate": 0.02}},
        {"label": "small", "params": {"layers": 1, "units_0": 8}},
    ]
    for sampler in ("random", "tpe"):
        recipe = recipe_of(sampler, most=1600, start=starts)
        check_starts(recipe, weights)
        ask_tell = sampling_of(store, recipe, sampler)
        asked = ask_all(ask_tell, 3)

        assert [each.label for each in asked] == ["open", "small", None]
        assert asked[0].number > 0
        assert asked[0].params["learning_rate"] == 0.02
        assert asked[1].params["units_0"] == 8
    large = recipe_of(start=[*starts, {"label": "large", "params": {"layers": 2, "units_0": 64, "units_1": 64}}])
    with pytest.raises(RecipeError, match=r"start 'large' has 8,970 weights, more than max_parameters = 3,000"):
        check_starts(large, weights)


def test_a_grid_leaves_out_what_is_too_large_and_ends(store: Store) -> None:
    """Every other configuration is visited once, also across a resume."""
    space = {
        "layers": {"type": "int", "low": 1, "high": 2},
        "units": {"type": "int", "low": 8, "high": 64, "log": True},
    }
    recipe = recipe_of("grid", trials=100, space=space | {"learning_rate": 0.1})
    small = [each for each in recipe.grid if weights(recipe.hyperparameters(each)) <= 3000]
    asked = ask_all(sampling_of(store, recipe), 2)
    ask_tell = sampling_of(store, recipe)
    asked += ask_all(ask_tell)

    assert len(asked) == len(small) == ask_tell.queue.limit
    assert ask_tell.queue.counts().refused == len(recipe.grid) - len(small)
    assert all(weights(each.hyperparameters) <= 3000 for each in asked)
    assert len({str(each.params) for each in asked}) == len(small)
    assert ask_tell.queue.exhausted


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_that_finds_nothing_small_enough_ends_with_one_line(store: Store, sampler: str) -> None:
    """It says what to change; nothing runs for ever."""
    ask_tell = sampling_of(store, recipe_of(sampler, most=100))

    with pytest.raises(RunError, match="200 configurations in a row have more than 100 weights") as caught:
        ask_all(ask_tell)
    assert caught.value.hint == "raise max_parameters, or lower `units` in [space]"
    assert ask_tell.queue.counts().refused == MOST


def test_a_start_that_is_too_large_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """On the command line too: exit code 2, its name, and no folder."""
    search = tmp_path / "my.toml"
    search.write_text(
        'data = "digits"\n[space]\nlayers = 1\nunits = {type = "int", low = 8, high = 64}\n'
        '[[start]]\nlabel = "mine"\nparams = {units_0 = 64}\n'
    )
    words = ["study", "start", str(search), "--max-parameters", "3000", "--home", str(tmp_path / ".tuner")]
    result = CliRunner().invoke(main, [*words, "--epochs", "1"])

    assert result.exit_code == 2
    assert "start 'mine' has 4,810 weights, more than max_parameters = 3,000" in result.output
    assert not (tmp_path / ".tuner").exists()


def test_chance_helps_a_sampler_that_insists() -> None:
    """After twenty refusals in a row, and for one trial."""
    state = StudyState(make_rungs(recipe_of()))
    for number in range(5, 5 + STUBBORN):
        state.refuse(number)
    limit = SizeLimit(recipe_of(), weights, state)

    assert [number for number in range(40) if limit.needs_random_draw(number)] == [5 + STUBBORN]


def test_a_trial_that_a_dead_run_was_about_to_refuse_is_refused_by_the_next(store: Store) -> None:
    """Whatever was written of it by then."""
    recipe = recipe_of(most=100)
    free = sampling_of(store, recipe.changed(budget={"max_parameters": 10**6}))
    lost = free.ask()
    assert lost is not None
    ask_tell = sampling_of(store, recipe)
    ask_tell.recover(lost.number, Outcome.INTERRUPTED)
    assert ask_tell.ask() is None

    assert lost.number in ask_tell.state.refused


def test_a_refused_trial_is_shown_as_such(home: Path) -> None:
    """Among the trials, in the counts and as JSON; it is no pruned one."""
    recipe = recipe_of()
    run_scripted(home, recipe, weights=weights)
    trials = trials_of(home, recipe)
    refused = [trial for trial in trials if trial.state == "refused"]
    study = load_study("small", home=home)

    assert refused
    assert all(trial.parameters and trial.parameters > 3000 and trial.epochs == 0 for trial in refused)
    assert study.summary().counts.refused == study.as_json()["trials"]["refused"] == len(refused)
    assert study.as_json()["trials"] == {
        "complete": 8, "pruned": 0, "failed": 0, "running": 0, "waiting": 0, "paused": 0, "refused": len(refused),
        "total": len(trials), "budget": 8,
    }  # fmt: skip


@pytest.mark.parametrize("pruner", ["none", "asha"])
def test_a_whole_study_with_refusals_ends_as_one_that_was_interrupted(tmp_path: Path, pruner: str) -> None:
    """Also with rungs and further seeds, which leave the places of everything else alone."""
    recipe = recipe_of("tpe", trials=13, search={"sampler": "tpe", "pruner": pruner, "seed": 3}, winner={"confirm": 1})
    recipe = recipe.changed(budget={"epochs": 4})
    run_scripted(tmp_path / "whole", recipe, weights=weights)
    for after in range(1, 30, 4):
        recorder = Recorder()
        run_scripted(
            tmp_path / "parts",
            recipe,
            recorder=recorder,
            stop=lambda: "interrupt" if len(recorder.ends) >= after else None,  # noqa: B023
            weights=weights,
        )
    run_scripted(tmp_path / "parts", recipe, weights=weights)
    found = [
        [(t.state, t.params, t.value, t.label, t.confirms) for t in trials_of(tmp_path / part, recipe)]
        for part in ("parts", "whole")
    ]

    assert found[0] == found[1]
    assert {"complete", "refused"} <= {state for state, *_ in found[0]}
