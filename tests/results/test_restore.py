"""A model whose file was lost is trained again and kept."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.runs import rows
from tuner import open_study
from tuner.cli.main import main
from tuner.errors import RunError, UsageError
from tuner.study import Study

TOML = """
name = "lost"
data = "digits"
[budget]
trials = 2
epochs = 3
patience = 1
[search]
sampler = "random"
pruner = "threshold"
threshold = 0.5
[space]
layers = 1
units = { type = "int", low = 8, high = 64 }
batch_size = 64
learning_rate = { type = "float", low = 1e-6, high = 0.1, log = true }
[[start]]
label = "unpromotable"
params = { learning_rate = 1e-6 }
[[start]]
label = "fine"
params = { learning_rate = 0.01, units = 48 }
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with a pruned trial and a complete one, which is tested."""
    toml = TOML
    (tmp_path / "lost.toml").write_text(toml, encoding="utf-8")
    study = open_study(str(tmp_path / "lost.toml"), home=tmp_path / ".tuner")
    study.run(executor="inline", device="cpu")
    return study


def model_of(study: Study, number: int) -> Path:
    """Return the file that the row of a trial's model names."""
    ((path,),) = rows(study.location.file.parent, f"SELECT path FROM tuner_model WHERE trial_number = {number}")
    return study.location.artifacts / str(path)


def weights_of(file: Path) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read("model.weights.h5")


def test_a_lost_model_is_trained_again_and_kept(study: Study, tmp_path: Path) -> None:
    """It has the same weights, and the test metrics stay. The error of `export` and the doctor name the command."""
    lost, before = model_of(study, 1), study.best()
    weights = weights_of(lost)
    lost.unlink()
    command = "tuner study reproduce lost --trial 1 --restore"
    with pytest.raises(RunError, match="the model of trial 1 of 'lost' is missing") as caught:
        study.export(tmp_path / "model", formats=("keras",))
    examined = CliRunner().invoke(main, ["doctor", "--quick", "--home", str(lost.parents[2])])
    words = ["study", "reproduce", "lost", "--trial", "1", "--restore", "--executor", "inline", "--json"]
    restored = CliRunner().invoke(main, [*words, "--home", str(lost.parents[2])])

    assert caught.value.hint == f"train it again: {command}"
    assert f"train each model again: {command}" in examined.output
    assert json.loads(restored.stdout)["restored"] is True, restored.output
    assert study.best() == before
    assert before.test
    assert weights_of(model_of(study, 1)) == weights
    assert study.export(tmp_path / "model", formats=("keras",)).trial == 1


def test_a_model_is_restored_only_if_it_is_lost_and_the_trial_is_complete(study: Study) -> None:
    """An intact model is never replaced, and a pruned trial has none."""
    with pytest.raises(UsageError, match="the model of trial 1 of 'lost' is intact: there is nothing to restore"):
        study.reproduce(1, executor="inline", restore=True)
    with pytest.raises(UsageError, match="trial 0 of 'lost' is pruned: only a complete trial has a model"):
        study.reproduce(0, executor="inline", restore=True)


def test_a_model_that_differs_is_not_kept(study: Study) -> None:
    """If the stored epochs are not reproduced, nothing is written."""
    home = study.location.file.parent
    model_of(study, 1).unlink()
    with sqlite3.connect(home / "studies.db") as connection:
        [(text,)] = connection.execute("SELECT metrics FROM tuner_epoch WHERE trial_number = 1 AND epoch = 0")
        wrong = json.dumps(json.loads(text) | {"val_loss": 9.0})
        connection.execute("UPDATE tuner_epoch SET metrics = ? WHERE trial_number = 1 AND epoch = 0", (wrong,))
    result = study.reproduce(1, executor="inline", restore=True)

    assert (result.verdict, result.restored) == ("different", False)
    assert not list(study.location.artifacts.rglob("*.keras"))
