"""Models that are too large are refused before training. They do not fail and do not count in the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.trial import TrialState
from tuner_storage import Store

from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted, trials_of
from tests.search.conftest import plain_study
from tuner.cli.main import main
from tuner.config.hyperparameters import Hyperparameters, InputSize
from tuner.config.recipe import Recipe
from tuner.errors import RecipeError, RunError
from tuner.jobs import TrialSpec
from tuner.records import Outcome
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import make_rungs, sobol_point
from tuner.search.size_limit import MOST, STUBBORN, SizeLimit, check_starts
from tuner.search.study_state import StudyState
from tuner.study import load_study

pytestmark = pytest.mark.slow

SPACE: dict[str, Any] = {
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64},
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.5},
}


def weights(hyperparameters: Hyperparameters) -> int:
    """Return the number of weights of a model with 64 inputs and 10 classes."""
    return hyperparameters.weights(InputSize(64), 10)


def recipe_of(sampler: str = "random", most: int | None = 3000, trials: int = 8, **changes: Any) -> Recipe:
    """Return a search in which about half of the configurations are too large."""
    budget = {"trials": trials, "epochs": 2, "max_parameters": most}
    search = {"sampler": sampler, "pruner": "none", "seed": 3}
    return small_recipe(**{"space": SPACE, "budget": budget, "search": search} | changes)


def ask_tell_of(store: Store, recipe: Recipe, name: str = "study") -> AskTell:
    """Create or resume a study, as a new process would."""
    return AskTell(plain_study(store, recipe, name), recipe, weights=weights)


def run_trials(ask_tell: AskTell, most: int | None = None) -> list[TrialSpec]:
    """Run trials until the search is exhausted, or at most so many; returns them."""
    done: list[TrialSpec] = []
    while not ask_tell.queue.exhausted and (most is None or len(done) < most):
        if spec := ask_tell.ask():
            ask_tell.tell(spec.number, Outcome.COMPLETE, 1 - float(spec.params["learning_rate"]))
            done.append(spec)
    return done


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "nsga2", "cmaes"])
def test_a_configuration_that_is_too_large_is_refused_and_another_one_is_drawn(store: Store, sampler: str) -> None:
    """The budget counts accepted trials only. Resuming the study changes nothing."""
    recipe = recipe_of(sampler, trials=14)
    whole = ask_tell_of(store, recipe)
    specs = run_trials(whole)
    resumed: list[TrialSpec] = []
    while further := run_trials(ask_tell_of(store, recipe, "resumed"), 3):
        resumed += further

    assert resumed == specs
    assert len(specs) == 14
    assert all(weights(spec.hyperparameters) <= 3000 for spec in specs)
    counts = whole.queue.counts()
    assert (counts.complete, counts.pruned, counts.failed) == (14, 0, 0)
    assert counts.refused > 0
    assert counts.total == 14 + counts.refused
    assert whole.queue.limit == 14
    assert {whole.spec_of(spec.number).seed for spec in specs} == {spec.seed for spec in specs}


def test_samplers_learn_by_how_much_a_configuration_was_too_large(store: Store) -> None:
    """Optuna's tables hold the constraint and the reason why there is no result."""
    ask_tell = ask_tell_of(store, recipe_of("tpe"))
    run_trials(ask_tell)
    refused = [trial for trial in ask_tell._trials.all() if trial.state == TrialState.PRUNED]

    for trial in refused:
        count = trial.user_attrs["parameters"]
        assert count == weights(recipe_of().hyperparameters(trial.params))
        assert trial.constraints == {"parameters": pytest.approx(count / 3000 - 1)}
        assert trial.user_attrs["reason"] == f"refused: {count:,} weights, at most 3,000"
    assert refused


def test_tpe_learns_to_propose_fewer_configurations_that_are_too_large(store: Store) -> None:
    """Its first ten accepted trials are points of the Sobol sequence, however many points are refused."""
    ask_tell = ask_tell_of(store, recipe_of("tpe", trials=40))
    recipe = recipe_of("tpe")
    specs = run_trials(ask_tell)
    numbers = [spec.number for spec in specs]

    for number in numbers[:10]:
        assert ask_tell._trials.get(number).params == sobol_point(recipe, number, {})
    assert numbers[-1] - numbers[-20] < 1.5 * 19
    assert numbers[9] > 1.5 * 9


def test_a_start_configuration_that_leaves_its_size_open_is_accepted() -> None:
    """It may be drawn small enough. Without a limit, any size is accepted."""
    start = [{"label": "open", "params": {"layers": 2, "learning_rate": 0.1}}]
    check_starts(recipe_of(most=100, start=start), weights)
    check_starts(recipe_of(most=None, start=[{"label": "large", "params": {"layers": 1, "units_0": 64}}]), weights)


def test_start_configurations_keep_their_order_if_one_is_refused(store: Store) -> None:
    """One that leaves its size open is drawn again. One whose size is too large is refused before the study starts."""
    starts = [
        {"label": "open", "params": {"layers": 2, "learning_rate": 0.02}},
        {"label": "small", "params": {"layers": 1, "units_0": 8}},
    ]
    for sampler in ("random", "tpe"):
        recipe = recipe_of(sampler, most=1600, start=starts)
        check_starts(recipe, weights)
        ask_tell = ask_tell_of(store, recipe, sampler)
        specs = run_trials(ask_tell, 3)

        assert [spec.label for spec in specs] == ["open", "small", None]
        assert specs[0].number > 0
        assert specs[0].params["learning_rate"] == 0.02
        assert specs[1].params["units_0"] == 8
    large = recipe_of(start=[*starts, {"label": "large", "params": {"layers": 2, "units_0": 64, "units_1": 64}}])
    with pytest.raises(RecipeError, match=r"start 'large' has 8,970 weights, more than max_parameters = 3,000"):
        check_starts(large, weights)


def test_a_grid_leaves_out_configurations_that_are_too_large_and_ends(store: Store) -> None:
    """Every other configuration is visited once, even if the study is resumed."""
    space = {
        "layers": {"type": "int", "low": 1, "high": 2},
        "units": {"type": "int", "low": 8, "high": 64, "log": True},
    }
    recipe = recipe_of("grid", trials=100, space=space | {"learning_rate": 0.1})
    small = [params for params in recipe.grid if weights(recipe.hyperparameters(params)) <= 3000]
    specs = run_trials(ask_tell_of(store, recipe), 2)
    ask_tell = ask_tell_of(store, recipe)
    specs += run_trials(ask_tell)

    assert len(specs) == len(small) == ask_tell.queue.limit
    assert ask_tell.queue.counts().refused == len(recipe.grid) - len(small)
    assert all(weights(spec.hyperparameters) <= 3000 for spec in specs)
    assert len({str(spec.params) for spec in specs}) == len(small)
    assert ask_tell.queue.exhausted


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_that_draws_only_too_large_configurations_ends(store: Store, sampler: str) -> None:
    """The error says what to change."""
    ask_tell = ask_tell_of(store, recipe_of(sampler, most=100))

    with pytest.raises(RunError, match="200 configurations in a row have more than 100 weights") as caught:
        run_trials(ask_tell)
    assert caught.value.hint == "give --max-parameters a larger number or none, or lower `units` in [space]"
    assert ask_tell.queue.counts().refused == MOST


def test_a_start_that_is_too_large_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The command names it, ends with exit code 2, and creates no folder."""
    search = tmp_path / "my.toml"
    search.write_text(
        'data = "digits"\n[space]\nlayers = 1\nunits = {type = "int", low = 8, high = 64}\n'
        '[[start]]\nlabel = "mine"\nparams = {units_0 = 64}\n'
    )
    arguments = ["study", "start", str(search), "--max-parameters", "3000", "--home", str(tmp_path / ".tuner")]
    result = CliRunner().invoke(main, [*arguments, "--epochs", "1"])

    assert result.exit_code == 2
    assert "start 'mine' has 4,810 weights, more than max_parameters = 3,000" in result.output
    assert not (tmp_path / ".tuner").exists()


def test_after_many_refusals_in_a_row_one_trial_is_drawn_at_random() -> None:
    """The sampler may insist on configurations that are too large."""
    state = StudyState(make_rungs(recipe_of()))
    for number in range(5, 5 + STUBBORN):
        state.refuse(number)
    limit = SizeLimit(recipe_of(), weights, state)

    assert [number for number in range(40) if limit.needs_random_draw(number)] == [5 + STUBBORN]


def test_a_trial_that_a_dead_run_did_not_refuse_in_time_is_refused_by_the_next_run(store: Store) -> None:
    """The run died after the trial was drawn."""
    recipe = recipe_of(most=100)
    free = ask_tell_of(store, recipe.changed(budget={"max_parameters": 10**6}))
    lost = free.ask()
    assert lost is not None
    ask_tell = ask_tell_of(store, recipe)
    ask_tell.recover(lost.number, Outcome.INTERRUPTED)
    assert ask_tell.ask() is None

    assert lost.number in ask_tell.state.refused


def test_a_refused_trial_is_shown_as_such(home: Path) -> None:
    """In the list of trials, in the counts and as JSON. It is not shown as pruned."""
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
def test_a_study_with_refusals_that_is_interrupted_ends_like_one_that_is_not(tmp_path: Path, pruner: str) -> None:
    """Also with rungs and confirmations."""
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
    parts, whole = (
        [(t.state, t.params, t.value, t.label, t.confirms) for t in trials_of(tmp_path / part, recipe)]
        for part in ("parts", "whole")
    )

    assert parts == whole
    assert {"complete", "refused"} <= {state for state, *_ in whole}
