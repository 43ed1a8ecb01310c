"""Tampered model files: no code in them is executed, and the error is one line with exit code 1 (fault 38)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from tests.delivery import tampering as bad
from tests.delivery.conftest import Exporter
from tests.training.test_trainer import SETUP
from tuner.cli.main import main
from tuner.delivery.predict import predict
from tuner.errors import RunError
from tuner.events import TestEnd
from tuner.files import sha256_of
from tuner.jobs import TestJob
from tuner.training.trainer import Trainer

ENTRIES = ("predict", "evaluate", "export", "test")
Entry = Callable[[Path, str], str]  # a model file and its recorded checksum -> the error message

FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
TAMPERED: dict[str, tuple[bad.Tamper, str]] = {
    "truncated": (bad.truncated, "is damaged: File is not a zip file"),
    "zip bomb": (bad.replaced(bad.WEIGHTS, lambda _: bytes(bad.ZEROS), packed=True), "unpacks to 64.0 MB, more than"),
    "zip bomb that lies": (bad.lying, "holds 'metadata.json' compressed, and no tuner writes that"),
    "path out": (bad.member("../../evil"), "holds a member whose name leads elsewhere: '../../evil'"),
    "absolute path": (bad.member("/tmp/evil"), "holds a member whose name leads elsewhere: '/tmp/evil'"),  # noqa: S108
    "link": (bad.member("metadata.json", b"/etc/passwd", link=True), "holds 'metadata.json', which is a link"),
    "asset": (bad.member("assets/vocabulary.txt"), "holds 'assets/vocabulary.txt': Keras writes metadata.json"),
    "pickle": (bad.member("model.weights.npz"), "holds 'model.weights.npz': Keras writes"),
    "name twice": (bad.member("config.json"), "holds 'config.json' twice"),
    "no weights": (bad.without(bad.WEIGHTS), "lacks 'model.weights.h5'"),
    "not JSON": (bad.replaced(bad.CONFIG, lambda _: b"{"), "has a config.json that Keras did not write"),
    "deep JSON": (bad.replaced(bad.CONFIG, lambda _: b"[" * 10**5), "has a config.json that Keras did not write"),
    "long JSON": (bad.replaced(bad.CONFIG, lambda raw: raw + b" " * 16 * 10**6), "has a config.json of 16.0 MB"),
    "function": (
        bad.layer("Dense", lambda layer: layer["config"].update(activation=FUNCTION)),
        "holds the function os.system, which is code",
    ),
    "class of a module": (
        bad.layer("Activation", lambda layer: layer.update(module="subprocess", class_name="Popen")),
        "holds subprocess.Popen, which no model of tuner needs",
    ),
    "layer that reads a folder": (
        bad.layer("Activation", lambda layer: layer.update(class_name="TFSMLayer", config={"filepath": "/tmp/evil"})),  # noqa: S108
        "holds keras.layers.TFSMLayer, which no model of tuner needs",
    ),
    "registered class": (
        bad.layer("Dense", lambda layer: layer.update(registered_name="evil>Dense")),
        "holds evil>Dense, which no model of tuner needs",
    ),
    "huge layer": (
        bad.layer("Dense", lambda layer: layer["config"].update(units=10**12)),
        "declares weights of 2560000000",
    ),
    "external link": (
        bad.weights(lambda file, name: file.update({name: h5py.ExternalLink("/etc/secret.h5", "data")})),
        "has weights with a link to elsewhere: /layers/dense/vars/0",
    ),
    "external storage": (
        bad.weights(lambda file, name: file.create_dataset(name, (64, 32), "f4", external=[("/etc/passwd", 0, 8192)])),
        "has weights that lie in another file: /layers/dense/vars/0",
    ),
    "virtual dataset": (bad.weights(bad.virtual), "has weights that lie in another file: /layers/dense/vars/0"),
    "weights that are not there": (
        bad.weights(lambda file, name: file.create_dataset(name, (10**6, 10**6), "f4", chunks=(100, 100))),
        "has weights that are packed: /layers/dense/vars/0",
    ),
    "weights that are text": (
        bad.weights(lambda file, name: file.create_dataset(name, (1,), h5py.string_dtype())),
        "has weights that are no numbers: /layers/dense/vars/0",
    ),
    "weights in a circle": (
        bad.weights(lambda file, name: file.update({name: file["layers"]})),
        "has weights with two names: /layers",
    ),
    "no HDF5": (bad.replaced(bad.WEIGHTS, lambda _: b"evil" * 10**5), "has damaged weights"),
}


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SETUP)


@pytest.fixture(scope="module")
def rows(digits: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, digits[0][:3])
    return path


@pytest.fixture
def keras_export(export: Exporter, tmp_path: Path) -> Path:
    export(tmp_path / "good")
    return tmp_path / "good"


def _command(*arguments: object) -> str:
    """Run a command that must fail, and return its error message."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    message, hint = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert message.startswith("Error: ")
    assert hint.startswith("Hint:  nothing")
    return message


def _replace_model(folder: Path, model: Path, sha256: str) -> Path:
    """Replace the model of an export, and record the given checksum; returns the export."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "model.keras").write_bytes(model.read_bytes())
    manifest["files"]["model.keras"] = {"sha256": sha256, "bytes": model.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(params=ENTRIES)
def entry(
    request: pytest.FixtureRequest, trainer: Trainer, rows: Path, export: Exporter, monkeypatch: pytest.MonkeyPatch
) -> Entry:
    """A function that loads a model file in one of the four ways that exist."""

    def evaluate_best(model: Path, sha256: str) -> str:
        end = trainer.test(TestJob(0, model, sha256))
        assert end.metrics == {}
        assert end.reason is not None
        return end.reason

    def export_trial(model: Path, sha256: str) -> str:
        arguments = {"model": model, "sha256": sha256}
        study = SimpleNamespace(
            export=lambda folder, *, trial, refit, ensemble, **kw: export(folder, **arguments, **kw)
        )
        monkeypatch.setitem(sys.modules, "tuner.study", SimpleNamespace(load_study=lambda _, **__: study))
        message = _command("export", "digits", "-o", model.parent / "exported")
        assert not (model.parent / "exported").exists()
        return message

    if request.param in {"predict", "evaluate"}:
        data = rows if request.param == "predict" else "digits"
        folder = request.getfixturevalue("keras_export")
        return lambda model, sha256: _command(request.param, _replace_model(folder, model, sha256), data)
    return evaluate_best if request.param == "test" else export_trial


@pytest.mark.parametrize("tamper", [bad.flipped, bad.truncated])
def test_a_changed_file_is_found_by_its_checksum(
    entry: Entry, model_file: Path, tmp_path: Path, tamper: bad.Tamper
) -> None:
    """A file with a flipped bit, or one that was cut off, is refused before it is opened."""
    tamper(model_file, tmp_path / "model.keras")
    message = entry(tmp_path / "model.keras", sha256_of(model_file))

    assert "checksum mismatch: " in message
    assert "model.keras" in message


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_tampered_file_with_a_matching_checksum_is_refused(
    entry: Entry, model_file: Path, tmp_path: Path, kind: str
) -> None:
    """The content is checked too, and the message names the file and the problem."""
    tamper, expected = TAMPERED[kind]
    model = tmp_path / "model.keras"
    tamper(model_file, model)
    message = entry(model, sha256_of(model))

    assert f"model.keras {expected}" in message
    assert {path.name for path in tmp_path.iterdir()} <= {"model.keras", "good"}


def test_a_lambda_layer_is_never_run(entry: Entry, model_file: Path, tmp_path: Path) -> None:
    """Marshalled code in a file with a matching checksum does not run."""
    model, marker = tmp_path / "model.keras", tmp_path / "executed"
    bad.armed(marker)(model_file, model)

    assert "model.keras holds a Lambda layer, which is code" in entry(model, sha256_of(model))
    assert not marker.exists()


def test_the_bomb_of_these_tests_is_real(model_file: Path, tmp_path: Path) -> None:
    """Loaded without the checks, the code runs."""
    import keras

    bad.armed(tmp_path / "executed")(model_file, tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    assert (tmp_path / "executed").exists()


def test_a_study_whose_best_model_was_changed_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search names the reason and keeps the trial, and the model cannot be exported."""
    test = Trainer.test

    def tampered(self: Trainer, job: TestJob) -> TestEnd:
        bad.flipped(job.model_path, job.model_path)
        return test(self, job)

    monkeypatch.setattr(Trainer, "test", tampered)
    home = ("--home", tmp_path / "home")
    options = ("--executor", "inline", "--device", "cpu", "--trials", 1, "--epochs", 1)
    searched = CliRunner().invoke(main, [str(word) for word in ("study", "start", "digits", *options, *home)])

    assert searched.exit_code == 1
    assert "the best model could not be evaluated: error: RunError: checksum mismatch: " in searched.stderr
    assert "Hint:  no trial is lost; `tuner doctor --home " in searched.stderr
    assert "looks at the file of every model" in searched.stderr
    assert "checksum mismatch: " in _command("export", "digits", "-o", tmp_path / "exported", *home)
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        ("saved-model", "saved_model/saved_model.pb"),
        ("saved-model", "saved_model/variables/variables.index"),
        ("onnx", "model.onnx"),
        ("litert", "model.tflite"),
    ],
)
def test_every_format_is_compared_with_its_manifest_first(
    exported: Path, digits: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, runtime: str, name: str
) -> None:
    """A SavedModel, ONNX or LiteRT file with a flipped bit is not loaded."""
    bad.flipped(exported / name, exported / name)
    monkeypatch.setattr("tuner.delivery.predict.load_runner", lambda *_: pytest.fail("loaded"))

    with pytest.raises(RunError, match=f"checksum mismatch: '{name}'"):
        predict(exported, digits[0], runtime=runtime)
