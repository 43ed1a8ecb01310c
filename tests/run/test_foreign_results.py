"""A result that another program wrote into Optuna's tables is never the best, nor learned from."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner, Result
from optuna.trial import TrialState
from tuner_storage import locate

from tests.recipes import always, small_recipe
from tests.run.test_changed_by_others import changed, running
from tests.runs import rows, run_scripted, trials_of
from tuner import studies
from tuner.cli.main import main
from tuner.dashboard.note import note
from tuner.errors import RunError
from tuner.own_results import FOREIGN
from tuner.results.trials import TrialResult, winner

RECIPE = small_recipe(space=always(3), budget={"trials": 4, "epochs": 3})
FORGED = 0.9999
ATTRIBUTES = {"val_accuracy": FORGED, "val_loss": 0.0, "loss": 0.0, "accuracy": 1.0, "epochs": 3, "best_epoch": 2}


def tell(study: optuna.Study) -> None:
    """End the running trial, with all attributes of a result."""
    for name, value in ATTRIBUTES.items():
        study._storage.set_trial_user_attr(running(study), name, value)
    study._storage.set_trial_state_values(running(study), TrialState.COMPLETE, [FORGED])


def add(study: optuna.Study) -> None:
    """Add a trial that has ended."""
    params, space = study.trials[0].params, study.trials[0].distributions
    study.add_trial(optuna.create_trial(value=FORGED, params=params, distributions=space, user_attrs=ATTRIBUTES))


@pytest.fixture(params=[tell, add])
def forged(home: Path, request: pytest.FixtureRequest) -> int:
    """A study of which another program made one trial the best while it ran; the number of that trial."""
    with pytest.raises(RunError, match="another program changed study 'small' while it ran"):
        run_scripted(home, RECIPE, recorder=changed(locate(home=home), request.param))
    states = rows(home, "SELECT number FROM trials JOIN trial_values USING (trial_id) WHERE value > 0.999")
    assert len(states) == 1
    return int(states[0][0])


def tuner(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--home", str(home)])


def best_of(trials: list[TrialResult]) -> TrialResult:
    best = winner(trials, RECIPE)
    assert best is not None
    return best


def test_a_forged_result_is_shown_as_failed(home: Path, forged: int) -> None:
    """Everywhere: the trial has failed with a reason, and the best is the best of our own."""
    trials = trials_of(home, RECIPE)
    own = [trial.value for trial in trials if trial.state == "complete" and trial.value is not None]
    best = best_of(trials)

    assert (trials[forged].state, trials[forged].reason, trials[forged].value) == ("failed", FOREIGN, None)
    assert best.value == max(own) < FORGED
    listed = json.loads(tuner(home, "study", "list", "--json").stdout)[0]
    assert listed["best"] == {"trial": best.number, "value": best.value}
    assert (listed["trials"]["complete"], listed["trials"]["failed"]) == (len(own), 1)
    assert json.loads(tuner(home, "study", "best", "small", "--json").stdout)["trial"] == best.number
    table = tuner(home, "report", "small", "--csv", "-").stdout
    row = list(csv.DictReader(io.StringIO(table)))[forged]
    assert (row["state"], row["reason"]) == ("failed", FOREIGN)
    for words in (("report", "small"), ("study", "best", "small"), ("study", "show", "small")):
        shown = tuner(home, *words)
        assert shown.exit_code == 0, shown.output
        assert str(FORGED) not in shown.output
    assert str(FORGED) not in note("small", RECIPE, trials)
    assert tuner(home, "export", "small", "--trial", str(forged), "-o", str(home / "model")).exit_code == 2


def test_the_next_run_names_it_and_keeps_the_best_of_its_own(
    home: Path, forged: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Its sampler does not learn from it, and neither does another study."""
    run_scripted(home, RECIPE)
    trials = trials_of(home, RECIPE)

    assert f"trial {forged} counts as failed: {FOREIGN}" in caplog.messages
    assert [trial.state for trial in trials].count("complete") == 3
    assert best_of(trials).number != forged
    with studies.existing(locate(home=home), "small") as stored:
        assert FORGED not in [trial.value for trial in stored.study.get_trials(states=(TrialState.COMPLETE,))]
        assert stored.store.models(stored.record.id)


def test_no_value_is_written_between_our_result_and_optuna_s(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are one transaction, which keeps other programs out."""
    original: Callable[..., object] = optuna.Study.tell
    refused = []

    def forge_first(study: optuna.Study, number: int, *arguments: object, **options: object) -> None:
        with (
            closing(sqlite3.connect(home / "studies.db", timeout=0.1)) as connection,
            pytest.raises(sqlite3.OperationalError, match="database is locked"),
        ):
            connection.execute("UPDATE trials SET state = 'COMPLETE'")
        refused.append(number)
        original(study, number, *arguments, **options)

    monkeypatch.setattr(optuna.Study, "tell", forge_first)
    run_scripted(home, RECIPE)

    assert refused == [0, 1, 2, 3]
    assert {trial.state for trial in trials_of(home, RECIPE)} == {"complete"}
