"""``tuner study plot``: history and importance as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main


def plot(home: Path, file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["study", "plot", "small", "-o", str(file), "--home", str(home), *options])


def test_the_picture_is_png_or_svg(home: Path, tmp_path: Path) -> None:
    """Its name decides; the SVG has the name of the study and of its objective. An existing file is kept."""
    pytest.importorskip("matplotlib")
    run_scripted(home, small_recipe(budget={"trials": 12, "epochs": 2}))

    assert plot(home, tmp_path / "a.png").exit_code == 0
    assert plot(home, tmp_path / "a.svg").exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(word in text for word in ("small", "val_accuracy", "best so far", "Importance", "learning_rate"))
    assert "a.png exists" in plot(home, tmp_path / "a.png").stderr


def test_another_kind_of_file_is_refused(home: Path, tmp_path: Path) -> None:
    """Before the study is even looked for."""
    result = plot(home, tmp_path / "a.pdf")

    assert result.exit_code == 2
    assert "a picture is a .png or a .svg file" in result.stderr


def test_without_matplotlib_the_extra_is_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is the command that installs it."""
    run_scripted(home, small_recipe(budget={"trials": 1, "epochs": 1}))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = plot(home, tmp_path / "a.png")

    assert result.exit_code == 2
    assert "pip install 'mlp-tuner[plots]'" in result.stderr
    assert not (tmp_path / "a.png").exists()
