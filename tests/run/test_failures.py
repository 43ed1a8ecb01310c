"""When failed trials end a run: at once if nothing has completed, else only if most of the last ones failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.recipes import always, small_recipe
from tests.runs import SETUP, rows, run_in_vain, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner.cli.main import main
from tuner.config.recipe import Recipe
from tuner.errors import RunError
from tuner.executors.inline import InlineExecutor
from tuner.run.failures import FAILED_AT_FIRST, FAILED_OF_WINDOW, WINDOW

GOOD, BAD = 64, 1  # batch sizes with which the scripted trainer succeeds and fails


def in_order(*batch_sizes: int, **tables: Any) -> Recipe:
    """Return a search whose trials have these batch sizes, one after the other."""
    space = always(GOOD) | {"batch_size": {"type": "choice", "choices": [GOOD, BAD]}}
    start = [{"label": "next", "params": {"batch_size": size}} for size in batch_sizes]
    budget = {"trials": len(batch_sizes), "epochs": 2}
    return small_recipe(**{"space": space, "start": start, "budget": budget} | tables)


def test_failing_trials_end_a_study_without_a_result_with_the_most_common_reason(home: Path) -> None:
    """The first five are enough (fault 24). They stay in the list of trials."""
    recipe = small_recipe(space=always(BAD), budget={"trials": 20, "epochs": 2})
    run_in_vain(home, recipe, "5 failed")

    assert [(t.state, t.reason) for t in trials_of(home, recipe)] == [("failed", "loss was nan in epoch 1")] * 5


def test_failures_in_a_row_do_not_end_a_study_that_has_a_result(home: Path) -> None:
    """A sampler may propose several bad learning rates one after the other."""
    recipe = in_order(GOOD, *[BAD] * (FAILED_OF_WINDOW - 1), GOOD)
    coordinator = run_scripted(home, recipe)

    assert coordinator.stopped_by is None
    assert [t.state for t in trials_of(home, recipe)] == ["complete", *["failed"] * 14, "complete"]


def test_a_study_goes_on_if_fewer_than_three_quarters_of_the_last_trials_fail(home: Path) -> None:
    """However many trials fail in total."""
    recipe = in_order(*[BAD] * 4, *[GOOD] * 6, *[BAD] * (WINDOW - 6), GOOD)
    coordinator = run_scripted(home, recipe)

    assert coordinator.stopped_by is None
    assert sum(t.state == "failed" for t in trials_of(home, recipe)) == 18


def test_if_most_trials_fail_the_search_ends_and_the_winner_is_still_confirmed_refitted_and_tested(home: Path) -> None:
    """The results before the failures are worth as much as if the budget had been spent. The next run goes on."""
    recipe = in_order(*[GOOD] * 3, *[BAD] * 20, GOOD, winner={"confirm": 1, "seeds": 1, "refit": True})
    coordinator = run_scripted(home, recipe)
    trials = trials_of(home, recipe)

    assert coordinator.stopped_by == "failures"
    assert [t.state for t in trials] == ["complete"] * 3 + ["failed"] * FAILED_OF_WINDOW + ["complete"]
    assert trials[-1].confirms is not None
    assert rows(home, "SELECT COUNT(*) FROM tuner_refit WHERE test LIKE '%accuracy%'") == [(1,)]
    assert run_scripted(home, recipe).stopped_by is None
    assert len(trials_of(home, recipe)) == len(recipe.start) + 1


def test_a_study_of_which_every_trial_failed_ends_with_an_error_each_time(home: Path) -> None:
    """Also if there are fewer trials than would end a run early."""
    recipe = in_order(*[BAD] * (FAILED_AT_FIRST - 2))
    for _ in range(2):
        run_in_vain(home, recipe, "3 failed")


def test_a_study_that_refuses_every_configuration_ends_with_an_error(home: Path) -> None:
    """A grid of models that are all too large has no result, however often it is started."""
    recipe = small_recipe(
        space={"layers": 1, "units": {"type": "choice", "choices": [8, 16]}},
        search={"sampler": "grid", "pruner": "none"},
        budget={"trials": 9, "epochs": 2, "max_parameters": 10},
    )
    with pytest.raises(RunError, match="every configuration has more than 10 weights"):
        run_scripted(home, recipe, weights=lambda hyperparameters: 100)
    run_in_vain(home, recipe, "2 refused", weights=lambda hyperparameters: 100)


@pytest.fixture
def search_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe file whose trials have batch sizes that `write` sets; they train with the scripted trainer."""
    monkeypatch.setattr(
        "tuner.executors.registry.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer)
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my.toml"


def write(file: Path, *batch_sizes: int) -> None:
    """Write a search whose trials have these batch sizes, one after the other."""
    starts = "".join(f'[[start]]\nlabel = "next"\nparams = {{ batch_size = {size} }}\n' for size in batch_sizes)
    space = '[space]\nlayers = 0\nlearning_rate = 0.1\nbatch_size = { type = "choice", choices = [1, 64] }\n'
    search = '[search]\nsampler = "random"\npruner = "none"\n'
    file.write_text(f'data = "digits"\n[budget]\ntrials = {len(batch_sizes)}\nepochs = 2\n{search}{space}{starts}')


@pytest.mark.parametrize("options", [[], ["--json"], ["--quiet"]])
def test_the_command_ends_with_1_if_every_trial_failed(search_file: Path, options: list[str]) -> None:
    """It says why most of them did."""
    write(search_file, BAD, BAD)
    result = CliRunner().invoke(main, ["study", "start", "my.toml", "--executor", "inline", *options])

    assert result.exit_code == 1
    assert "no trial of 'my' completed (2 failed); most often: loss was nan in epoch 1" in result.stderr


def test_the_command_ends_with_1_and_its_results_if_most_trials_failed(search_file: Path) -> None:
    """The best trials are printed as after any run."""
    write(search_file, GOOD, *[BAD] * 20)
    result = CliRunner().invoke(main, ["study", "start", "my.toml", "--executor", "inline", "--json"])

    assert result.exit_code == 1
    assert json.loads(result.stdout)["trial"] == 0
    assert "Most of the last trials failed" in result.stderr
