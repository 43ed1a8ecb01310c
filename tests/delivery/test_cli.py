"""The commands export, predict and evaluate: their output, their files and their exit codes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shlex
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
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.export import ModelFacts
from tuner.delivery.formats import FORMATS
from tuner.delivery.manifest import Refit
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
            refit, ensemble = settings.pop("refit"), settings.pop("ensemble")
            arguments.update(trial=trial, formats=settings["formats"], refit=refit, ensemble=ensemble)
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
        "ensemble": None,
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
    for name in ("rows.npy", "rows.csv"):
        assert run("predict", shared_export, tmp_path / name).stdout == expected
    lines = run("predict", shared_export, tmp_path / "images").stdout.splitlines()
    names = ["file", *(f"{tmp_path}/images/{i:02}.png" for i in range(12))]
    assert lines == [f"{name},{line}" for name, line in zip(names, expected.splitlines(), strict=True)]


def test_predictions_of_images_name_their_files_as_json(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """The name is the path as it was given, also if it is no UTF-8 text; a note says that the image was resized."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.fromarray(digits[0][0] * 15).resize((16, 16)).save(odd)

    result = run("predict", shared_export, odd, "--json")

    assert json.loads(result.stdout)[0]["file"] == f"{tmp_path}/caf\\udce9.png"
    assert "Note:  1 image was resized to 8 x 8" in result.stderr


def test_more_rows_than_a_batch_give_the_same_predictions(
    shared_export: Path, digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are predicted and written in parts, and the model is loaded once."""
    np.save(tmp_path / "rows.npy", digits[0][:100])
    at_once = run("predict", shared_export, tmp_path / "rows.npy").stdout
    monkeypatch.setattr("tuner.delivery.rows.BATCH", 7)

    for flags in ([], ["-o", tmp_path / "out.csv"]):
        result = run("predict", shared_export, tmp_path / "rows.npy", *flags)
        assert result.exit_code == 0

    assert (tmp_path / "out.csv").read_text() == at_once
    assert "100 predictions written to" in result.stderr


def test_the_first_line_of_a_csv_is_decided_by_an_option(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """In doubt, stderr says what it was taken for."""
    path = tmp_path / "rows.csv"
    header = ",".join(map(str, range(1, 65)))
    np.savetxt(path, digits[0][:3].reshape(3, 64), "%d", ",", header=header, comments="")

    guessed = run("predict", shared_export, path)
    assert len(guessed.stdout.splitlines()) == 1 + 3
    assert f"Note:  {path}: took the first line (1,2,3,…,64) for names of columns" in guessed.stderr
    for option, rows in (("--header", 3), ("--no-header", 4)):
        result = run("predict", shared_export, path, option)
        assert len(result.stdout.splitlines()) == 1 + rows
        assert result.stderr == ""


def test_columns_that_are_no_features_are_left_out_by_name(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """The hint is the option that reads the file."""
    path = tmp_path / "rows.csv"
    pixels = digits[0][:3].reshape(3, 64).tolist()
    header = ["", *(f"p{i}" for i in range(64)), "kind"]
    lines = [header, *([i, *row, "digit"] for i, row in enumerate(pixels))]
    path.write_text("\n".join(",".join(map(str, line)) for line in lines))

    refused = run("predict", shared_export, path)
    assert refused.exit_code == 2
    options = "--ignore-column '' --ignore-column kind"
    assert options in refused.stderr
    assert run("predict", shared_export, path, *shlex.split(options)).exit_code == 0


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
    """The accuracy is printed with its interval, as JSON and as a table, with a line for each class."""
    from tuner.data.lookup import load_dataset

    data = load_dataset("digits", None)
    expected = np.mean(predict(shared_export, data.x_test).probabilities.argmax(axis=1) == data.y_test)

    as_json = json.loads(run("evaluate", shared_export, "digits", "--json").stdout)
    table = run("evaluate", shared_export, "digits").stdout

    assert as_json["accuracy"] == pytest.approx(expected)
    assert as_json["rows"] == len(data.y_test)
    interval = as_json["metrics"]["accuracy"]
    assert interval["low"] < expected < interval["high"]
    cells = [line.split() for line in table.splitlines()]
    assert table.startswith("360 rows, 10 classes\n")
    assert ["accuracy", f"{expected:.4f}", f"{interval['low']:.4f}", "to", f"{interval['high']:.4f}"] in cells
    assert [line[0] for line in cells if line and line[0].isdigit()] == ["360", *"0123456789"]


def test_evaluate_draws_plots_into_a_new_folder(shared_export: Path, tmp_path: Path) -> None:
    """A folder that holds something is refused before the model is loaded, and stays as it is."""
    pytest.importorskip("matplotlib")
    result = run("evaluate", shared_export, "digits", "--resamples", 0, "--plots", tmp_path / "plots")

    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"confusion.svg", "confusion.png", "reliability.svg", "reliability.png"}
    assert f"4 plots written to {tmp_path / 'plots'}" in result.stderr
    again = run("evaluate", tmp_path, "digits", "--plots", tmp_path / "plots")
    assert (again.exit_code, f"Error: {tmp_path / 'plots'} exists and is not empty\n" in again.stderr) == (2, True)
    assert {path.name for path in (tmp_path / "plots").iterdir()} == names


def test_evaluate_without_resamples_prints_no_intervals(shared_export: Path) -> None:
    """The column is left out, and JSON has null."""
    table = run("evaluate", shared_export, "digits", "--resamples", 0).stdout
    as_json = json.loads(run("evaluate", shared_export, "digits", "--resamples", 0, "--json").stdout)

    assert "interval" not in table
    assert as_json["metrics"]["accuracy"]["low"] is None


def test_evaluate_measures_rows_of_ones_own(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """A file with test rows and their labels is enough. The labels are numbers, text, or numbers of its own names."""
    x, y = digits[0][:50], digits[1][:50]
    np.savez(tmp_path / "numbers.npz", x=x, y=y)
    np.savez(tmp_path / "text.npz", x_test=x, y_test=y.astype(str))
    np.savez(tmp_path / "names.npz", x=x, y=9 - y, class_names=np.arange(9, -1, -1).astype(str))

    expected = np.mean(predict(shared_export, x).probabilities.argmax(axis=1) == y)
    for name in ("numbers", "text", "names"):
        measured = json.loads(run("evaluate", shared_export, tmp_path / f"{name}.npz", "--json").stdout)
        assert measured["rows"] == 50
        assert measured["accuracy"] == pytest.approx(expected)


def test_evaluate_refuses_other_data(shared_export: Path, shared_data: Path) -> None:
    """MNIST images do not fit a model for 8 by 8 pixels."""
    result = run("evaluate", shared_export, "mnist", "--data-dir", shared_data)

    assert result.exit_code == 2
    assert "rows of shape (28, 28)" in result.stderr


def test_a_prediction_needs_the_backend_only_for_the_keras_format(
    exported: Path, rows_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 and one line. The other formats are run without Keras."""
    monkeypatch.setenv("KERAS_BACKEND", "foo")
    keras, onnx = (run("predict", exported, rows_file, "--runtime", runtime) for runtime in ("keras", "onnx"))

    assert (keras.exit_code, onnx.exit_code) == (2, 0)
    assert "Error: the Keras backend 'foo' in KERAS_BACKEND cannot be used\n" in keras.stderr
