"""The Python interface with real models and data, in one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import open_study
from tuner.data.lookup import load_dataset
from tuner.errors import DataError, RecipeError, UsageError
from tuner.run.progress import Plan
from tuner.study import Study, list_studies, load_study

RUN = {"pruner": "none", "trials": 3, "epochs": 2, "executor": "inline", "device": "cpu"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A finished study of the digits."""
    study = open_study("digits", home=tmp_path_factory.mktemp("study") / ".tuner")
    study.run(**RUN)  # type: ignore[arg-type]
    return study


def test_a_study_finds_a_model_that_can_be_exported(digits: Study, tmp_path: Path) -> None:
    """The kept model of the winner is written to a folder, with its test accuracy."""
    best = digits.best()
    manifest = digits.export(tmp_path / "model", formats=("keras",))

    assert best.value is not None
    assert best.value > 0.3
    assert best.test is not None
    assert manifest.trial == best.number
    assert manifest.test is not None
    assert manifest.test["accuracy"] == best.test["accuracy"]
    assert (tmp_path / "model" / "model.keras").is_file()


def test_the_exported_model_has_the_accuracy_that_was_reported(digits: Study, tmp_path: Path) -> None:
    """The exported model has the test accuracy of the search."""
    from tuner.delivery.evaluate import evaluate

    digits.export(tmp_path / "model", formats=("keras",))
    data = load_dataset("digits")
    evaluation = evaluate(tmp_path / "model", data.x_test, data.y_test)
    test = digits.best().test

    assert test is not None
    assert evaluation.accuracy == pytest.approx(test["accuracy"], abs=1e-6)
    assert evaluation.loss == pytest.approx(test["loss"], abs=1e-4)


def test_running_again_adds_nothing_to_a_finished_study(digits: Study) -> None:
    """The same call resumes the study, and there is nothing left to do."""
    before = digits.trials()
    result = digits.run(**RUN)  # type: ignore[arg-type]

    assert result.stopped_by is None
    assert digits.trials() == before


def test_the_json_has_all_documented_keys(digits: Study) -> None:
    """Scripts rely on them. The values can be written as JSON."""
    report = json.loads(json.dumps(digits.as_json()))

    assert set(report) == {
        "study", "trial", "objective", "direction", "value", "params", "metrics", "best_epoch", "epochs", "seconds",
        "parameters", "test", "trials", "confirmed", "lead", "refit",
    }  # fmt: skip
    assert set(report["metrics"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(report["test"]) == {"loss", "accuracy"}
    assert report["trials"]["complete"] == report["trials"]["total"] == 3
    assert {"complete", "pruned", "failed", "running", "total"} <= set(report["trials"])
    assert report["metrics"]["val_accuracy"] == report["value"]


def test_trials_have_all_facts(digits: Study) -> None:
    """Every trial has its duration, its number of weights and its best epoch."""
    for trial in digits.trials():
        assert trial.state == "complete"
        assert trial.seconds > 0
        assert trial.parameters
        assert trial.best_epoch in {0, 1}
        assert set(trial.params) <= set(trial.all_params)


def test_a_stored_study_is_loaded_by_its_name(digits: Study) -> None:
    """It has the recipe of its last run."""
    home = digits.location.artifacts.parent
    loaded = load_study("digits", home=home)

    assert loaded.recipe == digits.settings()
    assert loaded.recipe.budget.trials == 3
    assert [study.name for study in list_studies(home=home)] == ["digits"]


def test_a_changed_space_is_refused(digits: Study, tmp_path: Path) -> None:
    """Trials of different search spaces must not be mixed."""
    changed = tmp_path / "digits.toml"
    changed.write_text(
        'data = "digits"\n[space]\nlearning_rate = { type = "float", low = 0.001, high = 0.1 }\n', encoding="utf-8"
    )
    study = open_study(str(changed), home=digits.location.artifacts.parent)
    with pytest.raises(RecipeError, match="the space of 'digits' changed since the study began"):
        study.run(**RUN)  # type: ignore[arg-type]


def test_changed_data_are_refused(digits: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprint of the rows is compared on every resume."""
    import numpy as np

    from tuner.data.dataset import Dataset

    data = load_dataset("digits")
    other = Dataset(
        data.name, np.roll(data.x_train, 1, axis=0), data.y_train, data.x_test, data.y_test, data.class_names, "test"
    )
    monkeypatch.setattr("tuner.data.lookup.load_dataset", lambda *_, **__: other)
    with pytest.raises(DataError, match="the rows of 'digits' changed since study 'digits' began"):
        load_study("digits", home=digits.location.artifacts.parent).run(**RUN)  # type: ignore[arg-type]


def test_the_model_of_a_trial_that_is_not_kept_cannot_be_exported(digits: Study, tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(UsageError, match="has no trial 99"):
        digits.export(tmp_path / "model", trial=99)
    assert not (tmp_path / "model").exists()


def test_a_study_that_was_never_started_cannot_be_read(tmp_path: Path) -> None:
    """Every method raises an error, and nothing is created."""
    study = open_study("digits", home=tmp_path / ".tuner")
    for method in (study.best, study.trials, study.summary, study.importances, study.stop, study.delete):
        with pytest.raises(UsageError, match="there is no study 'digits'"):
            method()
    assert not (tmp_path / ".tuner").exists()


def test_an_unknown_search_names_the_nearest(tmp_path: Path) -> None:
    """The hint is the most similar name."""
    with pytest.raises(RecipeError, match="there is no search or study 'digts'") as error:
        open_study("digts", home=tmp_path / ".tuner")
    assert error.value.hint == "did you mean 'digits'?"


def test_names_are_never_paths(tmp_path: Path) -> None:
    """Slashes, quotes, SQL and emoji work as names (fault 35)."""
    for name in ("a/b", "../../x", 'it\'s "quoted"', "'; DROP TABLE studies; --", "☃🎉"):
        study = open_study("digits", name=name, home=tmp_path / ".tuner")
        study.run(trials=1, epochs=1, executor="inline", device="cpu")
        assert study.best().number == 0
    assert {study.name for study in list_studies(home=tmp_path / ".tuner")} >= {"a/b", "☃🎉"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tuner"]


def test_deleting_a_study_deletes_its_models(tmp_path: Path) -> None:
    """Both its rows and its files are deleted."""
    study = open_study("digits", home=tmp_path / ".tuner")
    study.run(trials=1, epochs=1, executor="inline", device="cpu")
    assert list(tmp_path.rglob("*.keras"))
    study.delete()

    assert list(tmp_path.rglob("*.keras")) == []
    assert list_studies(home=tmp_path / ".tuner") == []


def test_fresh_begins_again(tmp_path: Path) -> None:
    """The old trials are deleted, and the new ones are numbered from 0."""
    study = open_study("digits", home=tmp_path / ".tuner")
    study.run(trials=2, epochs=1, executor="inline", device="cpu")
    study.run(trials=1, epochs=1, executor="inline", device="cpu", fresh=True)
    assert [trial.number for trial in study.trials()] == [0]


def test_a_study_continues_with_its_settings(tmp_path: Path) -> None:
    """So the command that a stopped run prints needs no options."""
    study = open_study("digits", home=tmp_path / ".tuner")
    study.run(
        trials=1, epochs=1, seed=9, sampler="random", validation=300, executor="inline", device="cpu", timeout="50s"
    )
    again = open_study("digits", home=tmp_path / ".tuner")
    again.run(trials=2, executor="inline", device="cpu")

    assert [trial.epochs for trial in again.trials()] == [1, 1]
    kept = again.settings()
    assert (kept.search.seed, kept.search.sampler, kept.validation) == (9, "random", 300)
    assert kept.budget.timeout == 60  # the recipe's: the timeout is that of one run
    accuracy = again.trials()[1].metrics["val_accuracy"]
    assert 300 * accuracy == pytest.approx(round(300 * accuracy), abs=1e-3)  # so 300 rows validate, not a fifth

    with pytest.raises(RecipeError, match="the validation of 'digits' changed since the study began"):
        again.run(validation=0.5, executor="inline", device="cpu")


def test_the_plan_describes_the_run(tmp_path: Path) -> None:
    """Progress receives trials, epochs and a rough duration before the training."""
    plans: list[Plan] = []

    class Listener:
        planned = staticmethod(plans.append)
        update = ended = staticmethod(lambda *_: None)

    study = open_study("digits", home=tmp_path / ".tuner")
    study.run(trials=1, epochs=1, executor="inline", device="cpu", progress=Listener())

    assert (plans[0].finished, plans[0].limit, plans[0].epochs, plans[0].workers) == (0, 1, 1, 1)
    assert 0 < plans[0].seconds <= 60
    assert plans[0].disk.available > plans[0].disk.needed > 0


def test_the_environment_sets_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TUNER_DATA` works for Python users too."""
    monkeypatch.setenv("TUNER_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "mnist.npz").write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"mnist\.npz"):
        open_study("mnist", home=tmp_path / ".tuner").load_data()


def test_what_is_read_at_once_fits_together(home: Path) -> None:
    """Within the block, the trials are those of the first read, also while a run goes on; after it, they are new."""
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 1}))
    study = load_study("small", home=home)
    with study.at_once():
        before = study.trials()
        run_scripted(home, small_recipe(budget={"trials": 3, "epochs": 1}))
        assert study.trials() is before
        assert study.best() in before

    assert len(study.trials()) == 3
