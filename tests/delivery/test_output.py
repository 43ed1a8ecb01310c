"""What `predict -o` and `export -o` may write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.delivery.test_cli import Digits
from tuner.cli.main import main


@pytest.fixture
def rows(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with three rows in the current folder."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", digits[0][:3])
    return "rows.npy"


def predict(model: Path, *words: str | Path) -> Result:
    """Run `tuner predict` with the runtime that starts fastest."""
    return CliRunner().invoke(main, ["predict", str(model), *map(str, words), "--runtime", "onnx"])


def test_predict_does_not_replace_its_input_its_model_or_the_studies(exported: Path, rows: str) -> None:
    """Not even with `--force`, nor by another name of the same file."""
    Path(".tuner").mkdir()
    Path(".tuner/studies.db").write_bytes(b"SQLite format 3\0...")
    Path("link.npy").symlink_to(rows)
    protected = (rows, "./" + rows, "link.npy", exported / "manifest.json", exported / "new.csv", ".tuner/studies.db")
    files = [exported / "manifest.json", Path(rows), Path(".tuner/studies.db")]
    before = [file.read_bytes() for file in files]
    for name in protected:
        result = predict(exported, rows, "-o", name, "--force")

        assert result.exit_code == 2, name
        assert "Hint:" in result.stderr
    assert [file.read_bytes() for file in files] == before
    assert not (exported / "new.csv").exists()


def test_predict_replaces_an_earlier_prediction_and_no_other_file(shared_export: Path, rows: str) -> None:
    """Exit code 2 and the hint to use `--force`, before the model is loaded."""
    assert predict(shared_export, rows, "-o", "out.csv").exit_code == 0
    assert predict(shared_export, rows, "-o", "out.csv").exit_code == 0
    Path("out.csv").write_text("mine")
    refused = predict(shared_export, rows, "-o", "out.csv")

    assert (refused.exit_code, Path("out.csv").read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    assert predict(shared_export, rows, "-o", "out.csv", "--force").exit_code == 0
    assert Path("out.csv").read_text().startswith("prediction,p_0")


def test_predict_writes_to_a_device_and_to_standard_output(shared_export: Path, rows: str) -> None:
    """`-o /dev/null` measures the time; `-o -` is as without `-o`."""
    assert predict(shared_export, rows, "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()
    assert predict(shared_export, rows, "-o", "-").stdout == predict(shared_export, rows).stdout != ""


def test_predict_to_standard_output_needs_no_studies(
    shared_export: Path, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong `TUNER_STORAGE` matters only if there is a file that could replace a database."""
    monkeypatch.setenv("TUNER_STORAGE", "mysql://somewhere/else")

    assert predict(shared_export, rows).exit_code == 0
    assert predict(shared_export, rows, "-o", "out.csv").exit_code == 2
