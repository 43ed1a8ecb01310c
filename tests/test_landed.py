"""Databases and archives that an earlier version wrote open as before; ``tests/landed`` holds one of each.

The study ``landed`` is complete, with two confirmed configurations and a refit. The study ``halfway`` has two
objectives and reached its target while two trials were paused. The archive holds ``landed``.
"""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tuner_storage import locate

from tuner import open_study
from tuner.archive.read import import_archive
from tuner.cli.main import main
from tuner.config.hyperparameters import DEFAULTS
from tuner.data.lookup import load_dataset
from tuner.data.split import split_rows
from tuner.delivery.evaluate import evaluate
from tuner.results.trials import TrialResult
from tuner.study import Study, load_study
from tuner.times import for_people

FOLDER = Path(__file__).parent / "landed"
TRIALS = [  # state, val_accuracy, epochs, model kept, confirmed trial
    ("complete", 0.8083623693379791, 3, False, None),
    ("pruned", 0.2578397212543554, 1, False, None),
    ("pruned", 0.08362369337979095, 1, False, None),
    ("complete", 0.8989547038327527, 3, True, None),
    ("complete", 0.9094076655052264, 3, True, None),
    ("pruned", 0.14285714285714285, 1, False, None),
    ("pruned", 0.20209059233449478, 1, False, None),
    ("pruned", 0.09407665505226481, 1, False, None),
    ("pruned", 0.34494773519163763, 1, False, None),
    ("complete", 0.9094076655052264, 3, True, 4),
    ("complete", 0.8989547038327527, 3, False, 3),
]


@pytest.fixture
def landed(home: Path) -> Path:
    """A copy of the stored home folder, brought up to date as the message about its older schema says."""
    with zipfile.ZipFile(FOLDER / "home.zip") as packed:
        packed.extractall(home)
    result = CliRunner().invoke(main, ["study", "best", "landed", "--home", str(home)])
    assert result.exit_code == 3
    assert "bring it up to date, a copy is kept: tuner storage upgrade" in result.stderr
    assert CliRunner().invoke(main, ["storage", "upgrade", "--home", str(home)]).exit_code == 0
    return home


def best_json() -> dict[str, Any]:
    """Return what the earlier version printed for ``tuner study best landed --json``, and newer defaults."""
    printed: dict[str, Any] = json.loads((FOLDER / "best.json").read_text(encoding="utf-8"))
    return {**printed, "params": {**DEFAULTS, **printed["params"]}}


def summary(trial: TrialResult) -> tuple[object, ...]:
    """Return the columns of ``TRIALS``."""
    return trial.state, trial.value, trial.epochs, trial.kept, trial.confirms


def continue_study(home: Path, name: str, **settings: Any) -> Study:
    """Run a study on, and return it."""
    study = open_study(name, home=home)
    study.run(executor="inline", device="cpu", **settings)
    return study


def test_best_prints_the_same_json(landed: Path) -> None:
    """Every field is as it was before the upgrade."""
    result = CliRunner().invoke(main, ["study", "best", "landed", "--json", "--home", str(landed)])

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == best_json()


def test_a_complete_study_has_the_same_trials(landed: Path) -> None:
    """States, values, epochs and models of all trials are read, and so are the curves."""
    study = load_study("landed", home=landed)
    curves = study.curves()

    assert [summary(trial) for trial in study.trials()] == TRIALS
    assert {number: len(epochs) for number, epochs in curves.items()} == {
        number: epochs for number, (_, _, epochs, _, _) in enumerate(TRIALS)
    }
    assert curves[4][2]["val_accuracy"] == TRIALS[4][1]
    assert len(study.attempts()) == 12


def test_a_complete_study_has_the_same_standings_and_refit(landed: Path) -> None:
    """Confirmations are grouped by configuration, and the refit belongs to the winner."""
    study = load_study("landed", home=landed)
    refit = study.refit()

    assert [(standing.trial, standing.seeds, standing.mean) for standing in study.standings()] == [
        (4, (9,), 0.9094076655052264),
        (3, (10,), 0.8989547038327527),
    ]
    assert study.best().number == 4
    assert refit is not None
    assert (refit.number, refit.epochs, refit.rows, refit.test) == (4, 3, 1437, best_json()["refit"]["test"])


def test_an_unfinished_study_has_the_same_trials_and_front(landed: Path) -> None:
    """Both objectives of the complete trial are read, and the other two trials are still paused."""
    study = load_study("halfway", home=landed)
    first, *others = study.trials()

    assert (first.state, first.promoted) == ("complete", 1)
    assert first.values == {"val_accuracy": 0.8083623693379791, "parameters": 650}
    assert [(trial.state, trial.value, trial.epochs) for trial in others] == [
        ("paused", 0.2578397212543554, 1),
        ("paused", 0.08362369337979095, 1),
    ]
    assert [trial.number for trial in study.front()] == [0]
    assert study.last_run() == f"ended {for_people(datetime(2026, 11, 26, 0, 34, tzinfo=UTC))}: target"


def test_a_complete_study_continues_with_more_trials(landed: Path) -> None:
    """The new trial is added behind the stored ones, which keep their values."""
    study = continue_study(landed, "landed", trials=10, confirm=0, refit=False)
    *before, added = study.trials()

    assert [(trial.state, trial.value, trial.epochs) for trial in before] == [row[:3] for row in TRIALS]
    assert added.number == 11
    assert added.state in {"complete", "pruned"}


def test_an_unfinished_study_ends_its_paused_trials(landed: Path) -> None:
    """After more trials, no trial is left paused; the complete trial keeps its values."""
    first = load_study("halfway", home=landed).trials()[0]
    study = continue_study(landed, "halfway", trials=6, target=0.999)
    trials = study.trials()

    assert (trials[0].values, trials[0].metrics, trials[0].params) == (first.values, first.metrics, first.params)
    assert [trial.number for trial in trials] == list(range(6))
    assert {trial.state for trial in trials} <= {"complete", "pruned"}


def test_paused_trials_continue_from_their_checkpoints(landed: Path) -> None:
    """Without a pruner, both train their remaining epochs and keep the first one."""
    before = load_study("halfway", home=landed).curves()
    study = continue_study(landed, "halfway", trials=3, target=0.999, pruner="none")
    curves = study.curves()

    assert [(trial.state, trial.epochs) for trial in study.trials()] == [("complete", 3)] * 3
    for number in (1, 2):
        assert [(attempt.first_epoch, attempt.outcome) for attempt in study.attempts(number)] == [
            (0, "paused"),
            (1, "complete"),
        ]
        assert curves[number][:1] == before[number]
    assert curves[0] == before[0]


def test_the_archive_gives_the_same_study(landed: Path, tmp_path: Path) -> None:
    """Imported into a fresh home, it has the trials, the curves and the JSON of the database."""
    fresh = tmp_path / "fresh"
    name, _ = import_archive(FOLDER / "archive.zip", locate(home=fresh))
    imported, original = load_study(name, home=fresh), load_study("landed", home=landed)

    assert name == "landed"
    assert imported.trials() == original.trials()
    assert imported.curves() == original.curves()
    assert imported.as_json() == best_json()


def export(home: Path, folder: Path, option: str) -> None:
    """Export the winner of ``landed`` with the command."""
    command = ["export", "landed", "-o", str(folder), "--format", "keras", option, "--home", str(home)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.stderr


def test_the_stored_refit_is_exported_and_predicts(landed: Path, tmp_path: Path) -> None:
    """On the test split it has the accuracy that was recorded for it."""
    export(landed, tmp_path / "model", "--refit")
    data = load_dataset("digits")

    measured = evaluate(tmp_path / "model", data.x_test, data.y_test)
    assert measured.accuracy == pytest.approx(best_json()["refit"]["test"]["accuracy"], abs=1e-6)


def test_the_stored_model_of_the_winner_is_exported_and_predicts(landed: Path, tmp_path: Path) -> None:
    """On the validation rows it has the accuracy by which its trial won."""
    export(landed, tmp_path / "model", "--no-refit")
    data = load_dataset("digits")
    _, rows = split_rows(data.y_train, 0.2, 0)

    measured = evaluate(tmp_path / "model", data.x_train[rows], data.y_train[rows])
    assert measured.accuracy == pytest.approx(best_json()["value"], abs=1e-6)
