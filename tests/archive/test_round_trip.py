"""A study stays the same when it is exported and imported."""

from __future__ import annotations

import dataclasses
import math
import zipfile
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from pydantic import BaseModel
from tuner_storage import locate
from tuner_storage.refits import forget_refit
from tuner_storage.tables import AttemptRow
from tuner_storage.transfer import TABLES, columns_of

from tests.archive.conftest import manifest_of, recipe, tampered
from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner import studies
from tuner.archive import manifest as m
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.errors import UsageError
from tuner.files import sha256_of
from tuner.output_file import OutputFile


def export(home: Path, file: Path, name: str = "small") -> Path:
    """Write the archive of a study, and return its path."""
    with studies.existing(locate(home=home), name) as stored:
        write_archive(stored, OutputFile(file))
    return file


def test_no_archive_is_written_that_cannot_be_read(
    exported: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit for the manifest is the same on both sides, and the hint names a way without it."""
    monkeypatch.setattr("tuner.archive.write.LARGEST", 1000)

    with pytest.raises(UsageError, match=r"'small' is too large for an archive: .* at most 1\.0 kB") as caught:
        export(home, tmp_path / "large.zip")

    assert "tuner storage backup FILE" in str(caught.value.hint)
    assert not (tmp_path / "large.zip").exists()


def remove_refit(stored: studies.StoredStudy) -> None:
    """Remove the refit of a study."""
    with stored.store.database.write() as session:
        forget_refit(session, stored.record.id)


def test_exported_imported_and_exported_is_the_same(exported: Path, tmp_path: Path) -> None:
    """The two archives have the same bytes: trials, epochs, attempts, runs, attributes and models."""
    assert {trial["state"] for trial in manifest_of(exported)["trials"]} >= {"COMPLETE", "FAIL"}
    other = tmp_path / "other"
    name, _ = import_archive(exported, locate(home=other))

    assert name == "small"
    assert export(other, tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def test_the_imported_study_reads_like_the_original(exported: Path, home: Path, tmp_path: Path) -> None:
    """Numbers, values, metrics, curves and kept models are the same."""
    other = tmp_path / "other"
    import_archive(exported, locate(home=other))

    assert trials_of(other, recipe()) == trials_of(home, recipe())
    with studies.existing(locate(home=home), "small") as one, studies.existing(locate(home=other), "small") as two:
        assert two.recipe == one.recipe
        assert two.record.environment == one.record.environment
        assert two.store.epochs(two.record.id) == one.store.epochs(one.record.id)
        models = two.store.models(two.record.id)
        assert {number: model.sha256 for number, model in models.items()} == {
            number: model.sha256 for number, model in one.store.models(one.record.id).items()
        }
        assert len(models) == 3
        for model in models.values():
            assert sha256_of(two.store.artifacts.path(model)) == model.sha256


def test_the_refit_is_imported(exported: Path, home: Path, tmp_path: Path) -> None:
    """Its rows, metrics and file are the same; the path of the file fits the other database."""
    other = tmp_path / "other"
    run_scripted(other, small_recipe(), name="before")  # so that the imported rows get other numbers
    import_archive(exported, locate(home=other))
    with studies.existing(locate(home=home), "small") as one, studies.existing(locate(home=other), "small") as two:
        first, second = one.store.refit(one.record.id), two.store.refit(two.record.id)
        assert two.store.refit_evaluation(two.record.id) == one.store.refit_evaluation(one.record.id) is not None
        assert first is not None
        assert second is not None
        path = two.store.artifacts.path(second)

    assert dataclasses.replace(second, path=first.path) == first
    assert (second.rows, second.metrics, second.test) == (
        1797,
        {"loss": 0.5, "accuracy": 0.75},
        {"loss": 0.5, "accuracy": 0.7},
    )
    assert path.parent == other / "artifacts" / "study-00002"
    assert path.read_text() == "trained again"


def test_a_refit_that_is_damaged_is_left_out(exported: Path, home: Path, tmp_path: Path) -> None:
    """The rest is exported, as for a study without a refit."""
    (file,) = (home / "artifacts").rglob("refit-*")
    file.write_text("changed")
    with studies.existing(locate(home=home), "small") as stored:
        damaged = write_archive(stored, OutputFile(tmp_path / "damaged.zip"))
        remove_refit(stored)
        without = write_archive(stored, OutputFile(tmp_path / "without.zip"))

    assert (damaged.refit, damaged.models, damaged.left_out) == (False, 3, ())
    assert (without.refit, without.models) == (None, 3)
    assert (tmp_path / "damaged.zip").read_bytes() == (tmp_path / "without.zip").read_bytes()
    import_archive(tmp_path / "damaged.zip", locate(home=tmp_path / "other"))
    with studies.existing(locate(home=tmp_path / "other"), "small") as stored:
        assert stored.store.refit(stored.record.id) is None


def test_an_archive_of_an_older_tuner_is_read(exported: Path, home: Path, tmp_path: Path) -> None:
    """An archive of version 1, which has neither refits nor evaluations, gives the same study."""
    with studies.existing(locate(home=home), "small") as stored:
        remove_refit(stored)
        write_archive(stored, OutputFile(exported, force=True))

    def older(manifest: dict[str, Any]) -> None:
        assert manifest.pop("refit") is None
        for model in manifest["models"]:
            del model["evaluation"]
        manifest["archive_version"] = 1

    import_archive(tampered(exported, older), locate(home=tmp_path / "other"))
    assert trials_of(tmp_path / "other", recipe()) == trials_of(home, recipe())


def test_an_imported_study_can_be_continued(exported: Path, tmp_path: Path) -> None:
    """New trials are numbered after the imported ones, and other studies are not changed."""
    other = tmp_path / "other"
    run_scripted(other, small_recipe(), name="before")  # so that the imported rows get other numbers
    import_archive(exported, locate(home=other))
    larger = recipe().changed(budget={"trials": 15})
    run_scripted(other, larger)

    assert [trial.number for trial in trials_of(other, larger)] == list(range(15))
    assert len(trials_of(other, small_recipe(), "before")) == 6


def test_an_import_under_another_name_makes_a_second_study(exported: Path, home: Path) -> None:
    """Both studies are in the same database, and have files of their own."""
    name, _ = import_archive(exported, locate(home=home), "copy")

    assert name == "copy"
    assert trials_of(home, recipe(), "copy") == trials_of(home, recipe())
    assert len(list((home / "artifacts").rglob("*.keras"))) == 2 * (3 + 1)  # kept models and the refit
    assert sorted(path.name for path in (home / "artifacts").iterdir()) == ["study-00001", "study-00002"]


def test_trials_that_have_not_ended_are_queued_again(home: Path, tmp_path: Path) -> None:
    """They keep their parameters, and lose the metrics of the interrupted attempt."""
    run_scripted(home, small_recipe())
    with studies.existing(locate(home=home), "small") as stored:
        trial = stored.study.ask({"learning_rate": optuna.distributions.FloatDistribution(0.001, 0.5)})
        rate = trial.params["learning_rate"]
        stored.store.start_attempt(stored.record.id, trial.number, "host:1:1")
        trial.report(0.5, 0)
    file = export(home, tmp_path / "small.zip")
    other = tmp_path / "other"
    import_archive(file, locate(home=other))

    with studies.existing(locate(home=other), "small") as stored:
        last = stored.study.get_trials()[-1]
        assert last.state == TrialState.WAITING
        assert last.params == {"learning_rate": rate}
        assert last.intermediate_values == {}
        with stored.store.database.read() as session:
            row = session.query(AttemptRow).filter(AttemptRow.trial_number == 6).one()
            assert (row.outcome, row.reason) == ("interrupted", "left behind by an archive")
    assert export(other, tmp_path / "again.zip").read_bytes() == file.read_bytes()
    run_scripted(other, small_recipe(budget={"trials": 7, "epochs": 4}))
    final = trials_of(other, small_recipe())
    assert [trial.state for trial in final] == ["complete"] * 7
    assert final[6].params["learning_rate"] == rate


def test_attributes_that_are_not_portable_are_left_out(home: Path, tmp_path: Path) -> None:
    """A pickle could run code, and row numbers have no meaning in another database."""
    floats = {name: {"type": "float", "low": 0.001, "high": 0.5} for name in ("learning_rate", "dropout")}
    search = {"sampler": "cmaes", "pruner": "none"}
    run_scripted(home, small_recipe(search=search, space=floats | {"layers": 1, "units": 8}))
    text = str(manifest_of(export(home, tmp_path / "small.zip")))

    assert "cma:" not in text
    assert m.portable_attributes({"cma:optimizer:0": "80", "NSGAIISampler:parent:1": [3], "fixed_params": {}}) == {
        "fixed_params": {}
    }


def test_an_archive_has_every_column(exported: Path) -> None:
    """A column that is added to a table must be added to the archive."""
    kinds: dict[str, type[BaseModel]] = {
        "epochs": m.ArchivedEpoch,
        "attempts": m.ArchivedAttempt,
        "runs": m.ArchivedRun,
        "models": m.ArchivedModel,
        "refits": m.ArchivedRefit,
        "data": m.ArchivedData,
        "assessments": m.ArchivedAssessment,
    }
    for name in TABLES:
        assert set(columns_of(name)) == set(kinds[name].model_fields)


def test_missing_and_changed_models_are_left_out(home: Path, tmp_path: Path) -> None:
    """The rest is exported, and the trials of these models are named."""
    run_scripted(home, recipe())
    gone, changed, _ = sorted((home / "artifacts").rglob("*.keras"))
    gone.unlink()
    changed.write_text("x")
    with studies.existing(locate(home=home), "small") as stored:
        written = write_archive(stored, OutputFile(tmp_path / "small.zip"))

    assert written.models == 1
    assert {f"trial-{number:05d}.keras" for number in written.left_out} == {gone.name, changed.name}
    import_archive(tmp_path / "small.zip", locate(home=tmp_path / "other"))


def test_an_existing_file_is_replaced_only_with_force(exported: Path, home: Path) -> None:
    """Without ``force``, the file keeps its contents."""
    before = exported.read_bytes()
    with studies.existing(locate(home=home), "small") as stored:
        with pytest.raises(UsageError, match="exists"):
            write_archive(stored, OutputFile(exported))
        write_archive(stored, OutputFile(exported, force=True))

    assert exported.read_bytes() == before
    with zipfile.ZipFile(exported) as archive:
        assert archive.testzip() is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def same(one: Any, two: Any) -> bool:
    """Compare two JSON values; NaN equals NaN."""
    if isinstance(one, float) and isinstance(two, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


@given(attrs=st.dictionaries(st.text(), JSON, max_size=4), values=st.dictionaries(st.integers(0, 99), st.floats()))
def test_a_manifest_keeps_every_value(attrs: dict[str, Any], values: dict[int, float]) -> None:
    """NaN and infinities, which JSON cannot represent, are kept too."""
    trial = m.ArchivedTrial(
        number=0, state="WAITING", values=None, started=None, completed=None, params={}, distributions={},
        user_attrs=attrs, system_attrs={}, intermediate=values,
    )  # fmt: skip
    study = {
        "name": "x", "direction": "maximize", "recipe": {}, "data_fingerprint": "0" * 64, "environment": {},
        "created": "2026-01-01T00:00:00", "user_attrs": attrs, "system_attrs": {},
    }  # fmt: skip
    written = m.ArchiveManifest.model_validate(
        {"study": study, "trials": [trial], "epochs": [], "attempts": [], "runs": [], "models": []}
    )
    read = m.parse_manifest(written.to_json().encode(), "test")

    assert same(read.trials[0].user_attrs, attrs)
    assert read.trials[0].intermediate.keys() == values.keys()
    assert all(same(read.trials[0].intermediate[key], values[key]) for key in values)
