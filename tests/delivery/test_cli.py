"""The commands export, predict and evaluate: their output, their files and their exit codes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.delivery.conftest import ALL_FORMATS, Exporter
from tuner.cli import delivery
from tuner.cli.main import main
from tuner.delivery.export import ModelFacts
from tuner.delivery.formats import FORMATS
from tuner.delivery.manifest import Refit, read_manifest
from tuner.delivery.predict import FASTEST_FIRST, predict

Digits = tuple[np.ndarray, np.ndarray]


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def rows_file(digits: Digits, tmp_path: Path) -> Path:
    """Twelve images."""
    path = tmp_path / "rows.npz"
    np.savez(path, x=digits[0][:12])
    return path


@pytest.fixture
def study(export: Exporter, facts: ModelFacts, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A study whose best model is ``model_file``; returns the arguments that the command passed to it."""
    arguments: dict[str, Any] = {}

    def load_study(name: str, **where: object) -> SimpleNamespace:
        arguments.update(name=name, **where)

        def export_trial(folder: Path, *, trial: int | None, **settings: Any) -> object:
            arguments.update(trial=trial, formats=settings["formats"], refit=settings.pop("refit"))
            if arguments["refit"]:
                settings["facts"] = dataclasses.replace(facts, refit=Refit(epochs=19, rows=60000))
            return export(folder, **settings)

        return SimpleNamespace(export=export_trial)

    monkeypatch.setitem(sys.modules, "tuner.study", SimpleNamespace(load_study=load_study))
    return arguments


def test_the_formats_of_the_command_are_those_of_the_library() -> None:
    """The command repeats the names, so that it need not import the library for ``--help``."""
    assert set(delivery.FORMATS) == set(FORMATS) == set(FASTEST_FIRST) == set(ALL_FORMATS)


def test_export_prints_a_table_and_the_next_commands(study: dict[str, Any], tmp_path: Path) -> None:
    """The result is on stdout; the steps and the next commands are on stderr."""
    result = run("export", "digits", "-o", tmp_path / "my model", "--trial", 7, "--home", tmp_path)

    assert result.exit_code == 0, result.output
    assert study == {
        "name": "digits",
        "home": tmp_path,
        "storage": None,
        "data_dir": study["data_dir"],
        "trial": 7,
        "formats": ("keras", "saved-model"),
        "refit": None,
    }
    assert "exported: trial 7, as it was validated\n" in result.stderr
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["format", "path", "size", "max", "difference"]
    assert [line.split()[:2] for line in lines] == [["keras", "model.keras"], ["saved-model", "saved_model"]]
    assert "writing and checking keras" in result.stderr
    assert f"tuner predict '{tmp_path}/my model' new.npz -o predictions.csv" in result.stderr


def test_export_names_the_model_that_it_exported(study: dict[str, Any], tmp_path: Path) -> None:
    """It is named on stderr, also with --json; --refit and --no-refit choose the model."""
    again = run("export", "digits", "-o", tmp_path / "again", "--format", "keras", "--refit", "--json")
    assert study["refit"] is True
    assert json.loads(again.stdout)["refit"] == {"epochs": 19, "rows": 60000}
    assert "exported: trial 7, trained again on all 60000 rows\n" in again.stderr

    run("export", "digits", "-o", tmp_path / "validated", "--format", "keras", "--no-refit")
    assert study["refit"] is False


@pytest.mark.usefixtures("study")
def test_export_as_json_is_the_manifest(tmp_path: Path) -> None:
    """With --json, the contents of manifest.json are printed."""
    result = run("export", "digits", "-o", tmp_path / "model", "--format", "onnx", "--json")

    assert json.loads(result.stdout) == json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert list(read_manifest(tmp_path / "model").formats) == ["onnx"]


@pytest.mark.usefixtures("study")
def test_export_needs_force_to_replace(exported: Path) -> None:
    """Without --force, the exit code is 2 and the hint names the option; with it, the folder is replaced."""
    refused = run("export", "digits", "-o", exported)
    replaced = run("export", "digits", "-o", exported, "--force", "--format", "keras")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--force" in refused.stderr
    assert replaced.exit_code == 0
    assert list(read_manifest(exported).formats) == ["keras"]


def test_predict_prints_csv(shared_export: Path, rows_file: Path, digits: Digits) -> None:
    """Stdout holds a header and one line per row, and stderr is empty."""
    result = run("predict", shared_export, rows_file)

    header, *lines = csv.reader(io.StringIO(result.stdout))
    assert header == ["prediction", *(f"p_{i}" for i in range(10))]
    assert [line[0] for line in lines] == predict(shared_export, digits[0][:12]).labels
    assert result.stderr == ""


@pytest.mark.parametrize(("name", "flags"), [("out.json", []), ("out.txt", ["--json"])])
def test_predict_writes_json(shared_export: Path, rows_file: Path, tmp_path: Path, name: str, flags: list[str]) -> None:
    """The suffix of the output file or --json selects JSON."""
    result = run("predict", shared_export, rows_file, "-o", tmp_path / name, *flags)

    assert (result.exit_code, result.stdout) == (0, "")
    assert "12 predictions written to" in result.stderr
    written = json.loads((tmp_path / name).read_text())
    assert len(written) == 12
    assert set(written[0]) == {"prediction", "probabilities"}


def test_every_kind_of_input_gives_the_same_predictions(
    shared_export: Path, rows_file: Path, digits: Digits, tmp_path: Path
) -> None:
    """The same digits as npz, npy, CSV and images give the same output."""
    rows = digits[0][:12]
    np.save(tmp_path / "rows.npy", rows)
    np.savetxt(tmp_path / "rows.csv", rows.reshape(12, 64), "%d", ",")
    (tmp_path / "images").mkdir()
    for i, row in enumerate(rows):
        Image.fromarray((row * 255.0 / 16).round().astype(np.uint8)).save(tmp_path / "images" / f"{i:02}.png")

    expected = run("predict", shared_export, rows_file).stdout

    assert len(expected.splitlines()) == 13
    for name in ("rows.npy", "rows.csv", "images"):
        assert run("predict", shared_export, tmp_path / name).stdout == expected


def test_wrong_input_ends_with_2_and_leaves_no_file(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """The message names the expected and the given shape, and no partial output is written (fault 39)."""
    np.save(tmp_path / "small.npy", np.zeros((2, 7, 8), np.uint8))
    np.savetxt(tmp_path / "narrow.csv", digits[0][:3].reshape(3, 64)[:, :63], "%d", ",")

    for name, given in (("small.npy", "(2, 7, 8)"), ("narrow.csv", "63 columns, expected 64")):
        result = run("predict", shared_export, tmp_path / name, "-o", tmp_path / "out.csv")

        assert (result.exit_code, result.stdout) == (2, "")
        assert given in result.stderr
        assert "Hint:" in result.stderr
        assert not (tmp_path / "out.csv").exists()


def test_a_tampered_model_ends_with_1_and_leaves_no_file(exported: Path, rows_file: Path, tmp_path: Path) -> None:
    """The checksum is compared before the model is loaded (fault 38)."""
    with (exported / "model.keras").open("ab") as file:
        file.write(b"x")

    result = run("predict", exported, rows_file, "-o", tmp_path / "out.csv")

    assert result.exit_code == 1
    assert "checksum mismatch: 'model.keras'" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_evaluate_reports_the_accuracy_of_the_test_split(shared_export: Path) -> None:
    """The accuracy is printed as JSON and as a table."""
    from tuner.data.lookup import load_dataset

    data = load_dataset("digits", None)
    expected = np.mean(predict(shared_export, data.x_test).probabilities.argmax(axis=1) == data.y_test)

    as_json = json.loads(run("evaluate", shared_export, "digits", "--json").stdout)
    table = run("evaluate", shared_export, "digits").stdout

    assert as_json["accuracy"] == pytest.approx(expected)
    assert as_json["rows"] == len(data.y_test)
    assert f"accuracy  {expected:.4f}" in table
    assert len(table.splitlines()) == 5 + 10


def test_evaluate_refuses_other_data(shared_export: Path, shared_data: Path) -> None:
    """MNIST images do not fit a model for 8 by 8 pixels."""
    result = run("evaluate", shared_export, "mnist", "--data-dir", shared_data)

    assert result.exit_code == 2
    assert "rows of shape (28, 28)" in result.stderr
