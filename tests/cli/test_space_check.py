"""``tuner space check`` refuses what ``tuner study start`` refuses, with the data if they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tuner.cli.main import main

SPACE = "[space]\nlayers = 1\nlearning_rate = { type = 'float', low = 0.001, high = 0.1 }\n"


def tuner(*command: str) -> Result:
    return CliRunner().invoke(main, command)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("data = 'digits'\nvalidation = 1437", "validation 1437 leaves 0 of 1437 rows to train on, with 10 classes"),
        ("data = 'digits'\nvalidation = 0.001", "validation 0.001 leaves 1 of 1437 rows to validate on"),
        ("data = 'absent.npz'", "there is no file"),
        ("data = 'bad.npz'", "x_train must hold numbers, got text"),
    ],
)
def test_what_cannot_start_is_refused_by_the_check(tmp_path: Path, settings: str, message: str) -> None:
    """Both end with exit code 2 and the same message, and nothing is written."""
    words, y = np.full((9, 2), "a"), np.arange(9) % 2
    np.savez(tmp_path / "bad.npz", x_train=words, y_train=y, x_test=words, y_test=y)
    file = tmp_path / "mine.toml"
    file.write_text(f"{settings}\n{SPACE}")

    checked = tuner("space", "check", str(file))
    started = tuner("study", "start", str(file), "--home", str(tmp_path / ".tuner"), "--executor", "inline")

    assert (checked.exit_code, started.exit_code) == (2, 2)
    assert message in checked.stderr
    assert message in started.stderr
    assert not (tmp_path / ".tuner").exists()


def test_a_start_configuration_is_measured_with_the_data(tmp_path: Path) -> None:
    """Its number of weights depends on inputs and classes."""
    file = tmp_path / "mine.toml"
    start = "[[start]]\nlabel = 'wide'\nparams = { learning_rate = 0.01 }\n[budget]\nmax_parameters = 1000\n"
    file.write_text(f"data = 'digits'\n{SPACE}{start}")

    result = tuner("space", "check", str(file))

    assert result.exit_code == 2
    assert "start 'wide' has 9,610 weights, more than max_parameters = 1,000" in result.stderr


def test_data_that_must_be_downloaded_first_are_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check downloads nothing, and says so."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("TUNER_DATA", raising=False)
    file = tmp_path / "mine.toml"
    file.write_text(f"data = 'mnist'\nvalidation = 60000\n{SPACE}")

    result = tuner("space", "check", str(file))

    assert result.exit_code == 0
    assert "mnist is not on this machine, so its rows were not checked" in result.stderr
    assert json.loads(tuner("space", "check", str(file), "--json").stdout)["data_checked"] is False
    assert not (tmp_path / "keras").exists()
