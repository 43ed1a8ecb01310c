"""A model file that is replaced after its check is not loaded: what was checked is what is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.delivery.conftest import ALL_FORMATS, Exporter, build_model
from tuner.delivery.formats import FORMATS, load_runner
from tuner.delivery.predict import Predictor
from tuner.delivery.rows import Batch
from tuner.errors import RunError
from tuner.files import sha256_of
from tuner.training.model_contents import check_weights
from tuner.training.model_file import load_model


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model in every format: the untrained one."""
    folder = tmp_path_factory.mktemp("other")
    for model_format in FORMATS.values():
        model_format.write(build_model("tanh"), folder / model_format.path)
    return folder


@pytest.fixture
def recorded(model_file: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, as it is kept with a study."""
    return Path(shutil.copy(model_file, tmp_path / "best.keras"))


def replace(old: Path, new: Path) -> None:
    """Replace a file, or all files of a folder, by those of another model."""
    if new.is_dir():
        shutil.copytree(new, old, dirs_exist_ok=True)
    else:
        shutil.copy(new, old)


@pytest.mark.parametrize("name", ALL_FORMATS)
def test_an_exported_model_that_is_replaced_before_it_is_loaded_is_refused(
    exported: Path, other: Path, rows: np.ndarray, name: str
) -> None:
    """The folder was checked when it was opened. The other model would give other predictions without a word."""
    predictor = Predictor(exported, runtime=name)
    path = FORMATS[name].path
    replace(exported / path, other / path)
    with pytest.raises(RunError, match=rf"checksum mismatch: '{path}.*' of {exported} is not the file"):
        next(predictor.predict([Batch(rows)]))


@pytest.mark.parametrize("name", ALL_FORMATS)
def test_an_exported_model_that_is_replaced_while_it_is_loaded_has_no_effect(
    exported: Path, other: Path, rows: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predictions are those of the files whose checksums were compared, also from the second batch on."""
    expected = next(Predictor(exported, runtime=name).predict([Batch(rows)])).probabilities
    path = FORMATS[name].path

    def load_late(*arguments: Any) -> Any:
        replace(exported / path, other / path)
        return load_runner(*arguments)

    monkeypatch.setattr("tuner.delivery.predict.load_runner", load_late)
    for batch in Predictor(exported, runtime=name).predict([Batch(rows), Batch(rows)]):
        np.testing.assert_array_equal(batch.probabilities, expected)


@pytest.mark.parametrize("how", ["load_model", "export"])
def test_a_model_of_a_study_that_is_replaced_after_its_check_has_no_effect(
    recorded: Path, other: Path, export: Exporter, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is tested on the test rows or exported, it is the one whose checksum was recorded."""
    expected = load_model(recorded, sha256_of(recorded)).get_weights()

    def check_and_replace(*arguments: Any) -> None:
        check_weights(*arguments)
        replace(recorded, other / "model.keras")

    monkeypatch.setattr("tuner.training.model_file.check_weights", check_and_replace)
    if how == "export":
        folder = recorded.with_name("export")
        export(folder, model=recorded)
        loaded = keras.saving.load_model(folder / "model.keras", compile=False)
    else:
        loaded = load_model(recorded, sha256_of(recorded))

    assert sha256_of(recorded) == sha256_of(other / "model.keras")
    assert all(map(np.array_equal, loaded.get_weights(), expected))


def test_an_error_names_the_file_and_not_its_copy(exported: Path, edit_manifest: Callable[..., None]) -> None:
    """Nobody knows the folder of the copy."""
    path = exported / "model.keras"
    path.write_bytes(b"no zip file")
    entry = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    edit_manifest(lambda raw: raw["files"].update({"model.keras": entry}))
    with pytest.raises(RunError, match=r"model\.keras is damaged: File is not a zip file") as caught:
        next(Predictor(exported, runtime="keras").predict([Batch(np.zeros((1, 8, 8), np.uint8))]))

    assert str(caught.value).startswith(str(path))
